/* SPDX-License-Identifier: MIT
 *
 * report/columns.c - tables of a column a machine.
 */
#include "report/columns.h"

#include <string.h>

#include "report/format.h"
#include "report/result.h"

const struct sim_machine_result *columns_machine(const struct columns *c, unsigned i)
{
	return &c->r->machine[c->machine[i]];
}

unsigned columns_beside(const struct columns *c)
{
	return (c->width - c->label) / c->column;
}

bool columns_turn(const struct columns *c)
{
	return c->nr > MAX_BESIDE && c->nr > columns_beside(c);
}

bool columns_part(const struct columns *all, struct columns *part, unsigned *first)
{
	unsigned tables = (all->nr + columns_beside(all) - 1) / columns_beside(all);
	unsigned each = (all->nr + tables - 1) / (tables ? tables : 1);

	*part = *all;
	part->nr = min(each, all->nr - *first);
	memcpy(part->machine, all->machine + *first, part->nr * sizeof(*part->machine));
	*first += part->nr;
	return part->nr > 0;
}

void columns_label(const struct columns *c, const char *label, bool strong)
{
	unsigned len = fmt_columns(label);

	fprintf(c->out, "%s%s%s", c->bold && strong ? "\033[1m" : "", label, c->bold && strong ? "\033[0m" : "");
	if (len < c->label)
		fprintf(c->out, "%*s", (int)(c->label - len), "");
}

/* The name, fit for so many columns, with a star where it is this computer's setting. */
static void put_name(char name[256], const struct columns *c, const struct sim_machine_result *m, unsigned room)
{
	bool star = m == result_host(c->r);

	if (fmt_columns(name) + star > room)
		fmt_fit(name, max(room - star, 12u));
	strcat(name, star ? "*" : "");
}

void columns_row(const struct columns *c, const struct sim_machine_result *m)
{
	char name[256];

	snprintf(name, sizeof(name), "%s", result_machine_name(c->r, m).s);
	put_name(name, c, m, c->label - 1);
	columns_label(c, name, false);
}

void columns_text(const struct columns *c, const char *text)
{
	fprintf(c->out, " %*.*s", (int)c->column - 1, (int)c->column - 1, text);
}

static void put_key(const struct columns *c, const struct machine_key *k)
{
	char text[64];

	columns_label(c, k->name, true);
	for (unsigned i = 0; i < c->nr; i++) {
		const struct machine_config *cfg = &columns_machine(c, i)->cfg;

		machine_key_text(k, cfg, text);
		columns_text(c, k->type == KEY_SIZE ? fmt_bytes(machine_key_value(k, cfg)).s : text);
	}
	fputc('\n', c->out);
}

void columns_names(const struct columns *c, const char *label)
{
	char word[256];

	columns_label(c, label, true);
	if (c->bold)
		fputs("\033[1m", c->out);
	for (unsigned i = 0; i < c->nr; i++) {
		const struct sim_machine_result *m = columns_machine(c, i);

		snprintf(word, sizeof(word), "%.*s", (int)min(strcspn(m->cfg.name, ","), c->column - 2ul), m->cfg.name);
		put_name(word, c, m, c->column);
		columns_text(c, word);
	}
	fputs(c->bold ? "\033[0m\n" : "\n", c->out);
	for (const struct machine_key *k = machine_keys; k->name; k++)
		if (result_key_differs(c->r, k))
			put_key(c, k);
}
