/* SPDX-License-Identifier: MIT
 *
 * report/columns.c - tables of a column a machine.
 */
#include "report/columns.h"

#include <string.h>

#include "report/format.h"
#include "report/result.h"

void columns_label(const struct columns *c, const char *label, bool strong)
{
	unsigned len = fmt_columns(label);

	fprintf(c->out, "%s%s%s", c->bold && strong ? "\033[1m" : "", label, c->bold && strong ? "\033[0m" : "");
	if (len < c->label)
		fprintf(c->out, "%*s", (int)(c->label - len), "");
}

void columns_text(const struct columns *c, const char *text)
{
	fprintf(c->out, " %*.*s", (int)c->column - 1, (int)c->column - 1, text);
}

static void put_key(const struct columns *c, const struct machine_key *k)
{
	char text[64];

	columns_label(c, k->name, true);
	for (unsigned i = c->first; i < c->end; i++) {
		const struct machine_config *cfg = &c->r->machine[i].cfg;

		machine_key_text(k, cfg, text);
		columns_text(c, k->type == KEY_SIZE ? fmt_bytes(machine_key_value(k, cfg)).s : text);
	}
	fputc('\n', c->out);
}

void columns_names(const struct columns *c, const char *label)
{
	char word[sizeof(c->r->machine->cfg.name)];

	columns_label(c, label, true);
	if (c->bold)
		fputs("\033[1m", c->out);
	for (unsigned i = c->first; i < c->end; i++) {
		snprintf(word, sizeof(word), "%.*s", (int)strcspn(c->r->machine[i].cfg.name, ","),
			 c->r->machine[i].cfg.name);
		columns_text(c, word);
	}
	fputs(c->bold ? "\033[0m\n" : "\n", c->out);
	for (const struct machine_key *k = machine_keys; k->name; k++)
		if (result_key_differs(c->r, k))
			put_key(c, k);
}
