/* SPDX-License-Identifier: MIT
 *
 * report/costs.c - the report's table of costs: a row a cause, a column a machine, in cycles, and what share of the time
 * that is.
 *
 *   Cost in cycles                    4k          thp   ...        up to 5 machines
 *   Page walks                1.6M..19M    12k..150k
 *   ...                                                            causes of less than SMALL of any sum are one row
 *   Sum                       459M..575M
 *   Share of time             4.1 to 5 %
 *
 * More machines than that turn into rows, with groups of causes as columns.
 */
#include <string.h>

#include "report/columns.h"
#include "report/format.h"
#include "report/report.h"
#include "report/result.h"
#include "report/share.h"

#define LINE_WIDTH  79
#define MAX_COLUMNS 5
#define SMALL       0.005 /* of a machine's most */

/* At most four characters: "999", "1.2k", "57M". */
static struct fmt two_digits(u64 n)
{
	static const char suffix[] = " kMGTPE";
	double x = (double)n;
	unsigned k = 0;
	struct fmt f;

	for (; x >= 999.5; k++)
		x /= 1000;
	if (k == 0)
		snprintf(f.s, sizeof(f.s), "%.0f", x);
	else
		snprintf(f.s, sizeof(f.s), "%.*f%c", x < 9.95 ? 1 : 0, x, suffix[k]);
	return f;
}

static void put_cycles(const struct columns *t, struct cycles c)
{
	struct fmt low = two_digits(c.least), high = two_digits(c.most);
	char text[40];

	if (strcmp(low.s, high.s) == 0)
		snprintf(text, sizeof(text), "%.8s", high.s);
	else
		snprintf(text, sizeof(text), "%.8s..%.8s", low.s, high.s);
	columns_text(t, text);
}

/* "9..14 %" */
static void put_share(const struct columns *t, const struct sim_machine_result *m, struct cycles c)
{
	struct share s = share_of(t->r, m, c);
	double low = 100 * s.least, high = 100 * s.most;
	char first[16], last[16], text[40];

	snprintf(first, sizeof(first), "%.*f", low < 9.95 && low >= 0.05 ? 1 : 0, low);
	snprintf(last, sizeof(last), "%.*f", high < 9.95 && high > 0 ? 1 : 0, high);
	if (strcmp(first, last) == 0)
		snprintf(text, sizeof(text), "%s %%", last);
	else
		snprintf(text, sizeof(text), "%s..%s %%", first, last);
	columns_text(t, text);
}

/* The row is more than a rounding on some machine. */
static bool counts(const struct sim_result *r, unsigned row)
{
	for (unsigned i = 0; i < r->nr_machines; i++) {
		const struct bill *b = &r->machine[i].bill;

		if (b->row[row].most > 0 && (double)b->row[row].most >= SMALL * (double)b->sum.most)
			return true;
	}
	return false;
}

static struct cycles others(const struct sim_result *r, const struct bill *b)
{
	struct cycles sum = {0};

	for (unsigned row = 0; row < BILL_NR; row++)
		if (!counts(r, row))
			sum = cycles_add(sum, b->row[row]);
	return sum;
}

static bool has_others(const struct sim_result *r)
{
	for (unsigned i = 0; i < r->nr_machines; i++)
		if (others(r, &r->machine[i].bill).most > 0)
			return true;
	return false;
}

static void put_by_cause(const struct columns *t)
{
	const struct sim_result *r = t->r;

	columns_names(t, "Cost in cycles");
	for (unsigned row = 0; row <= BILL_NR; row++) {
		if (row < BILL_NR ? !counts(r, row) : !has_others(r))
			continue;
		columns_label(t, row < BILL_NR ? bill_kinds[row].label : "Other causes", false);
		for (unsigned i = 0; i < r->nr_machines; i++) {
			const struct bill *b = &r->machine[i].bill;

			put_cycles(t, row < BILL_NR ? b->row[row] : others(r, b));
		}
		fputc('\n', t->out);
	}
	columns_label(t, "Sum", true);
	for (unsigned i = 0; i < r->nr_machines; i++)
		put_cycles(t, r->machine[i].bill.sum);
	fputc('\n', t->out);
	columns_label(t, r->native.cpu_ns ? "Share of time" : "Share of time, guessed", false);
	for (unsigned i = 0; i < r->nr_machines; i++)
		put_share(t, &r->machine[i], r->machine[i].bill.sum);
	fputc('\n', t->out);
}

/* Groups of causes, for machines in rows. */
static const struct group {
	const char *label;
	u8 first, last;
} groups[] = {
    {"walks", BILL_WALKS, BILL_L2_HITS},
    {"faults", BILL_ZERO, BILL_TABLES},
    {"other", BILL_FLUSHES, BILL_IO},
};

static void put_by_machine(const struct columns *t)
{
	const struct sim_result *r = t->r;
	char name[256];

	columns_label(t, "Cost in cycles", true);
	for (unsigned g = 0; g < ARRAY_SIZE(groups); g++)
		columns_text(t, groups[g].label);
	columns_text(t, "sum");
	columns_text(t, r->native.cpu_ns ? "of time" : "guessed");
	fputc('\n', t->out);
	for (unsigned i = 0; i < r->nr_machines; i++) {
		const struct sim_machine_result *m = &r->machine[i];

		snprintf(name, sizeof(name), "%s", result_machine_name(r, m).s);
		fmt_fit(name, t->label - 1);
		columns_label(t, name, false);
		for (unsigned g = 0; g < ARRAY_SIZE(groups); g++) {
			struct cycles sum = {0};

			for (unsigned row = groups[g].first; row <= groups[g].last; row++)
				sum = cycles_add(sum, m->bill.row[row]);
			put_cycles(t, sum);
		}
		put_cycles(t, m->bill.sum);
		put_share(t, m, m->bill.sum);
		fputc('\n', t->out);
	}
}

/* What the share is made of. */
static void put_basis(const struct columns *t)
{
	const struct sim_result *r = t->r;
	const struct sim_machine_result *native = share_native(r);
	struct cycles work = {0};
	char line[512];

	if (native != NULL) {
		snprintf(
		    line, sizeof(line),
		    "The time is %s of CPU, %s; it is taken for machine %s. Each share is of its own machine's time.",
		    fmt_time(r->native.cpu_ns).s, r->native.measured ? "measured in one native run" : "as --time says",
		    result_machine_name(r, native).s);
	} else {
		const struct cost *c = &result_baseline(r)->cost.at[COST_WORK];

		work = share_work(r);
		snprintf(line, sizeof(line),
			 "The program's time is not known: its own work is taken as %s cycles, %.2f to %.2f an "
			 "instruction, so the share is wide. --native or --time SECONDS makes it narrow.",
			 cycles_text(work).s, (double)c->least / 1000, (double)c->most / 1000);
	}
	fmt_wrap(t->out, 2, LINE_WIDTH, line);
	if (share_too_dear(r))
		fmt_wrap(t->out, 2, LINE_WIDTH,
			 "But the costs come to more than that, so their prices are too high for this machine: quire "
			 "measure --save FILE and --costs FILE take its own.");
}

void report_costs(FILE *out, const struct sim_result *r, bool bold)
{
	struct columns t = {.out = out, .r = r, .end = r->nr_machines, .label = 26, .column = 13, .bold = bold};

	if (r->nr_machines == 0)
		return;
	if (r->nr_machines >= MAX_COLUMNS) {
		t.label = 24;
		t.column = 11;
	}
	fputc('\n', out);
	if (r->nr_machines <= MAX_COLUMNS)
		put_by_cause(&t);
	else
		put_by_machine(&t);
	put_basis(&t);
}
