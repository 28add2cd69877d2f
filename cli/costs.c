/* SPDX-License-Identifier: MIT
 *
 * cli/costs.c - `quire costs`: what each event costs (cost/cost.c), on which CPU that was measured, and who says so.
 */
#include <argp.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cost/cost.h"
#include "mmu/mmu.h"
#include "report/format.h"

#define INDENT    6
#define WIDTH     79
#define KEY_COSTS 0x100 /* has no letter */

struct options {
	const char *cpu, *costs;
	bool json;
};

static const struct argp_option option_table[] = {
    {"cpu", 'c', "NAME", 0, "of this CPU (quire cpus lists them); standard: zen3", 0},
    {"costs", KEY_COSTS, "FILE", 0, "with the rows that FILE replaces, as quire run takes them", 0},
    {"json", 'j', NULL, 0, "as JSON", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'c':
		if (!cpu_preset_find(arg))
			argp_error(state, "no such CPU: %s (quire cpus lists them)", arg);
		o->cpu = arg;
		return 0;
	case KEY_COSTS:
		o->costs = arg;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp parser = {
    option_table,
    parse_option,
    NULL,
    "Lists what each event costs, from its least to its most, on which CPU that was measured, and who says so.\v"
    "A FILE of costs has lines NAME = LEAST MOST, whole numbers in the unit of the row; # begins a comment.",
    NULL,
    NULL,
    NULL,
};

static void put_row(const struct cost_kind *kind, const struct cost *cost)
{
	char line[1024], figures[64];

	if (cost->least == cost->most)
		snprintf(figures, sizeof(figures), "%llu", (unsigned long long)cost->least);
	else
		snprintf(figures, sizeof(figures), "%llu .. %llu", (unsigned long long)cost->least,
			 (unsigned long long)cost->most);
	printf("%-17s %23s %-6s  on: %s\n", kind->name, figures, kind->unit, cost->on);
	fmt_wrap(stdout, INDENT, WIDTH, kind->of);
	snprintf(line, sizeof(line), "source: %s", cost->source);
	fmt_wrap(stdout, INDENT, WIDTH, line);
}

static json_t *row_value(const struct cost_kind *kind, const struct cost *cost)
{
	return json_pack("{s:s, s:s, s:I, s:I, s:s, s:s, s:s}", "name", kind->name, "unit", kind->unit, "least",
			 (json_int_t)cost->least, "most", (json_int_t)cost->most, "of", kind->of, "on", cost->on,
			 "source", cost->source);
}

static int put_json(const struct cost_table *t, const char *cpu)
{
	json_t *rows = json_array(), *v;
	int bad;

	for (unsigned id = 0; id < COST_NR; id++)
		json_array_append_new(rows, row_value(&cost_kinds[id], &t->at[id]));
	v = json_pack("{s:s, s:i, s:s, s:o}", "schema", "quire-costs", "version", 1, "cpu", cpu, "costs", rows);
	bad = !v || json_dumpf(v, stdout, JSON_INDENT(2)) != 0;
	putchar('\n');
	json_decref(v);
	if (!bad)
		return 0;
	fprintf(stderr, "quire costs: the rows cannot be written as JSON: is %s valid UTF-8?\n", t->at[0].source);
	return EXIT_QUIRE;
}

int cmd_costs(int argc, char **argv)
{
	struct options o = {.cpu = "zen3"};
	struct cost_changes changes;
	struct cost_table t;
	char err[COST_ERR];

	argp_parse(&parser, argc, argv, ARGP_NO_ARGS, NULL, &o);
	if (o.costs && cost_changes_read(&changes, o.costs, err) != 0) {
		fprintf(stderr, "quire costs: %s\n", err);
		return EXIT_QUIRE;
	}
	cost_table_make(&t, o.cpu, o.costs ? &changes : NULL);
	if (o.json)
		return put_json(&t, o.cpu);
	for (unsigned id = 0; id < COST_NR; id++)
		put_row(&cost_kinds[id], &t.at[id]);
	return 0;
}
