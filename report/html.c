/* SPDX-License-Identifier: MIT
 *
 * report/html.c - the report as a page: the JSON report, and what it is read by.
 */
#include "report/report.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "report/page.h"
#include "report/timeline.h"

static json_t *bill_value(void)
{
	json_t *list = json_array();

	for (unsigned row = 0; row < BILL_NR; row++) {
		const struct bill_kind *k = &bill_kinds[row];
		json_t *costs = json_array();

		for (unsigned id = 0; id < COST_NR; id++)
			if (k->paid >> id & 1)
				json_array_append_new(costs, json_string(cost_kinds[id].name));
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}", "json", k->json, "label", k->label, "of",
						      k->of, "costs", costs));
	}
	return list;
}

static json_t *costs_value(const struct cost_table *t)
{
	json_t *rows = json_object();

	for (unsigned id = 0; id < COST_NR; id++) {
		const struct cost *c = &t->at[id];

		json_object_set_new(rows, cost_kinds[id].name,
				    json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "unit", cost_kinds[id].unit, "of",
					      cost_kinds[id].of, "on", c->on, "source", c->source, "least",
					      (json_int_t)c->least, "most", (json_int_t)c->most));
	}
	return rows;
}

static json_t *counters_value(void)
{
	json_t *list = json_array();

	for (const struct counter_row *row = machine_counter_rows; row->sentence; row++)
		if (row->json)
			json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "json", row->json, "label",
							      row->label ? row->label : "", "sentence", row->sentence));
	return list;
}

static json_t *timeline_value_rows(void)
{
	json_t *list = json_array();

	for (const struct timeline_row *row = timeline_rows; row->json; row++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:b}", "json", row->json, "label", row->label,
						      "adds", row->adds, "bytes", row->bytes));
	return list;
}

/* What the page reads the report by. Costs are of a CPU, so machines of one share them. */
static json_t *key_value(const struct sim_result *r)
{
	json_t *costs = json_object();

	for (unsigned i = 0; i < r->nr_machines; i++)
		json_object_set_new(costs, r->machine[i].cfg.preset->name, costs_value(&r->machine[i].cost));
	return json_pack("{s:o, s:o, s:o, s:o}", "bill", bill_value(), "costs", costs, "counters", counters_value(),
			 "timeline", timeline_value_rows());
}

/* { "report": the report, "bill": .. }; free() it. NULL with errno. */
static char *page_data(const struct sim_result *r, size_t *size)
{
	json_t *key = key_value(r);
	char *text = NULL;
	FILE *f = open_memstream(&text, size);
	bool bad = !f || !key;

	if (!bad) {
		fputs("{\"report\":", f);
		bad = report_json(f, r) != 0;
		fputs(",", f);
		bad |= json_dumpf(key, f, JSON_COMPACT | JSON_EMBED) != 0;
		fputs("}", f);
	}
	if (f)
		bad |= fclose(f) != 0;
	json_decref(key);
	if (!bad)
		return text;
	free(text);
	errno = ENOMEM;
	return NULL;
}

int report_html(FILE *out, const struct sim_result *r)
{
	size_t size;
	char *text = page_data(r, &size);
	int err = text ? page_write(out, PAGE_RUN, text, size) : -1;

	free(text);
	return err;
}
