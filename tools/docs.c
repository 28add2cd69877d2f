/* SPDX-License-Identifier: MIT
 *
 * tools/docs.c - writes the parts of the documents that are made from the tables of machine/ and cost/.
 *
 *   docs FILE...          writes those parts of each file anew
 *   docs --check FILE...  exit status 1 when one is not as it would be written
 *
 * A part begins behind a line that holds "made: NAME" (in a comment of the file's own language) and ends before the
 * line that holds "made: end".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cost/bill.h"
#include "machine/config.h"
#include "machine/counters.h"

/* ---- keys ---- */

static const char *json_type(const struct machine_key *k)
{
	switch (k->type) {
	case KEY_SWITCH:
		return "boolean";
	case KEY_SHARE:
		return "number";
	case KEY_NUMBER:
	case KEY_SIZE:
		return "integer";
	default:
		return "string";
	}
}

static void json_keys(FILE *out)
{
	char name[64], range[MACHINE_ERR];

	fprintf(out, "| field | type | unit | meaning |\n|---|---|---|---|\n");
	for (const struct machine_key *k = machine_keys; k->name; k++) {
		if (!(k->where & KEY_MACHINE))
			continue;
		machine_key_json(k, name);
		machine_key_range(k, range, sizeof(range));
		fprintf(out, "| `machines[].%s` | %s | %s | %s (%s) |\n", name, json_type(k),
			k->type == KEY_SIZE ? "bytes" : "", k->help, range);
	}
}

static void script_keys(FILE *out)
{
	char range[MACHINE_ERR];

	fprintf(out, "| key | values | meaning |\n|---|---|---|\n");
	for (const struct machine_key *k = machine_keys; k->name; k++) {
		if (!(k->where & KEY_SCRIPT))
			continue;
		machine_key_range(k, range, sizeof(range));
		fprintf(out, "| `%s` | %s%s%s | %s |\n", k->name, range, k->computed ? "" : "; ",
			k->computed ? "" : k->standard, k->help);
	}
}

/* Text of a manual page: a line may not begin with a full stop or a quote, and - is a hyphen. */
static void man_text(FILE *out, const char *text)
{
	for (; *text; text++)
		fprintf(out, *text == '-' ? "\\-" : "%c", *text);
}

static void man_keys(FILE *out)
{
	char range[MACHINE_ERR];

	for (const struct machine_key *k = machine_keys; k->name; k++) {
		if (!(k->where & KEY_MACHINE))
			continue;
		fprintf(out, ".TP\n.BR ");
		man_text(out, k->name);
		fprintf(out, k->where & KEY_OPTION ? " , \" \\-\\-" : " \" (of one machine only)\"\n");
		if (k->where & KEY_OPTION) {
			man_text(out, k->name);
			if (k->letter)
				fprintf(out, ", \\-%c", k->letter);
			fprintf(out, "\"\n");
		}
		machine_key_range(k, range, sizeof(range));
		man_text(out, k->help);
		fprintf(out, ".\n");
		man_text(out, range);
		fprintf(out, "; standard: ");
		man_text(out, k->standard);
		fprintf(out, ".\n");
	}
}

/* ---- counters ---- */

static void json_counters(FILE *out)
{
	for (const struct counter_row *row = machine_counter_rows; row->sentence; row++) {
		if (row->section) {
			fprintf(out, "%s## Machines: %s\n\n", row == machine_counter_rows ? "" : "\n", row->section);
			if (row->sentence[0])
				fprintf(out, "%s\n\n", row->sentence);
			fprintf(out, "| field | type | unit | meaning |\n|---|---|---|---|\n");
		} else if (row->json) {
			fprintf(out, "| `machines[].%s` | integer | %s | %s |\n", row->json, row->unit, row->sentence);
		}
	}
}

static void script_counters(FILE *out)
{
	fprintf(out, "| counter | |\n|---|---|\n");
	for (const struct counter_row *row = machine_counter_rows; row->sentence; row++)
		if (row->script)
			fprintf(out, "| `%s` | %s |\n", row->script, row->sentence);
}

/* ---- costs ---- */

static void bill_field(FILE *out, const char *json, const char *of)
{
	fprintf(out, "| `machines[].cost.%s.least` | integer | cycles | %s |\n", json, of);
	fprintf(out, "| `machines[].cost.%s.most` | integer | cycles | the same, at most |\n", json);
}

static void json_bill(FILE *out)
{
	fprintf(out, "| field | type | unit | meaning |\n|---|---|---|---|\n");
	for (unsigned row = 0; row < BILL_NR; row++)
		bill_field(out, bill_kinds[row].json, bill_kinds[row].of);
	bill_field(out, "sum", "all of these");
}

/* ---- files ---- */

static const struct {
	const char *name;
	void (*write)(FILE *out);
} parts[] = {
    {"json-keys", json_keys},     {"json-counters", json_counters},     {"man-keys", man_keys},
    {"script-keys", script_keys}, {"script-counters", script_counters}, {"json-bill", json_bill},
};

static void die(const char *file, const char *what)
{
	fprintf(stderr, "docs: %s: %s\n", file, what);
	exit(2);
}

static char *read_all(const char *file)
{
	FILE *in = fopen(file, "re");
	char *text = NULL;
	size_t n = 0;

	if (!in || getdelim(&text, &n, 0, in) < 0)
		die(file, "cannot be read");
	fclose(in);
	return text;
}

/* The file as it ought to be; free() it. */
static char *make(const char *file, const char *text)
{
	char *made = NULL;
	size_t size;
	FILE *out = open_memstream(&made, &size);
	bool skips = false;

	while (*text) {
		size_t n = strcspn(text, "\n") + 1;
		const char *mark = memmem(text, n, "made: ", 6);

		if (mark && strncmp(mark, "made: end", 9) == 0)
			skips = false;
		else if (mark && skips)
			die(file, "a part begins within a part");
		if (!skips)
			fwrite(text, 1, n, out);
		if (mark && strncmp(mark, "made: end", 9) != 0) {
			unsigned i = 0;

			while (i < ARRAY_SIZE(parts) &&
			       (strncmp(mark + 6, parts[i].name, strlen(parts[i].name)) != 0 ||
				(mark[6 + strlen(parts[i].name)] != ' ' && mark[6 + strlen(parts[i].name)] != '\n')))
				i++;
			if (i == ARRAY_SIZE(parts))
				die(file, "a part of an unknown name");
			parts[i].write(out);
			skips = true;
		}
		text += n;
	}
	if (skips)
		die(file, "a part without an end");
	fclose(out);
	return made;
}

int main(int argc, char **argv)
{
	bool check = argc > 1 && strcmp(argv[1], "--check") == 0;
	int status = 0;

	for (int i = 1 + check; i < argc; i++) {
		char *text = read_all(argv[i]), *made = make(argv[i], text);

		if (check && strcmp(text, made) != 0) {
			fprintf(stderr, "%s: not as the tables of machine/ make it: run `make docs`\n", argv[i]);
			status = 1;
		} else if (!check && strcmp(text, made) != 0) {
			FILE *out = fopen(argv[i], "we");

			if (!out || fputs(made, out) == EOF || fclose(out) != 0)
				die(argv[i], "cannot be written");
		}
		free(text);
		free(made);
	}
	return status;
}
