/* SPDX-License-Identifier: MIT
 *
 * report/costs.c - the report's table of costs: a row a cause, a column a machine, in cycles, and what share of the time
 * that is.
 *
 *   Cost in cycles                   4k*          thp   ...        up to 5 machines
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

#define SMALL 0.005 /* of a machine's most */

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
		for (unsigned i = 0; i < t->nr; i++) {
			const struct bill *b = &columns_machine(t, i)->bill;

			put_cycles(t, row < BILL_NR ? b->row[row] : others(r, b));
		}
		fputc('\n', t->out);
	}
	columns_label(t, "Sum", true);
	for (unsigned i = 0; i < t->nr; i++)
		put_cycles(t, columns_machine(t, i)->bill.sum);
	fputc('\n', t->out);
	columns_label(t, r->native.cpu_ns ? "Share of time" : "Share of time, guessed", false);
	for (unsigned i = 0; i < t->nr; i++)
		put_share(t, columns_machine(t, i), columns_machine(t, i)->bill.sum);
	fputc('\n', t->out);
}

/* Groups of causes, for machines in rows. On narrow paper the first of them are left out: the sum and its share stay. */
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
	unsigned room = columns_beside(t), nr = min(max(room, 2u) - 2, (unsigned)ARRAY_SIZE(groups));

	columns_label(t, "Cost in cycles", true);
	for (unsigned g = 0; g < nr; g++)
		columns_text(t, groups[g].label);
	columns_text(t, "sum");
	if (room > 1)
		columns_text(t, r->native.cpu_ns ? "of time" : "guessed");
	fputc('\n', t->out);
	for (unsigned i = 0; i < t->nr; i++) {
		const struct sim_machine_result *m = columns_machine(t, i);

		columns_row(t, m);
		for (unsigned g = 0; g < nr; g++) {
			struct cycles sum = {0};

			for (unsigned row = groups[g].first; row <= groups[g].last; row++)
				sum = cycles_add(sum, m->bill.row[row]);
			put_cycles(t, sum);
		}
		put_cycles(t, m->bill.sum);
		if (room > 1)
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
	fmt_wrap(t->out, 2, fmt_prose(t->width), line);
	if (share_too_dear(r))
		fmt_wrap(t->out, 2, fmt_prose(t->width),
			 "But the costs come to more than that, so their prices are too high for this machine: quire "
			 "measure --save FILE and --costs FILE take its own.");
	else if (r->host.is_virtual && r->machine->cfg.costs == NULL)
		fmt_wrap(t->out, 2, fmt_prose(t->width),
			 "This computer is a virtual machine, where faults and walks may cost more than these prices "
			 "say: quire measure --save FILE, once, and --costs FILE take its own.");
}

void report_costs(FILE *out, const struct sim_result *r, bool bold)
{
	struct columns t = {.out = out, .r = r, .label = 26, .column = 13, .width = fmt_width(out), .bold = bold}, part;

	if (r->nr_machines == 0)
		return;
	t.nr = result_columns(r, t.machine);
	if (t.nr > columns_beside(&t) && t.width >= 24 + 11 * MAX_BESIDE) {
		t.label = 24;
		t.column = 11;
	}
	fputc('\n', out);
	if (columns_turn(&t))
		put_by_machine(&t);
	else
		for (unsigned first = 0; columns_part(&t, &part, &first);)
			put_by_cause(&part);
	put_basis(&t);
}
