/* SPDX-License-Identifier: MIT
 *
 * report/advice.c - from a run's bill to what the program should change: the answer in one sentence, and findings, the
 * greatest cost first.
 *
 *   the baseline's bill --> causes (rows of the bill that have one remedy) --> those worth a word, the dearest first
 *                                                                                  |
 *     what it costs, whose memory, what to do, what that saves and costs <---------+
 *
 * Every figure in a sentence is a counter, a row of a bill, or a ratio or difference of two. Machines are compared only
 * when they differ in page size alone (same CPU, same RAM). A remedy is said once, with the first cause that it cures;
 * what no machine of the run shows is said without a figure. Thresholds are the constants below and nowhere else.
 */
#include "report/report.h"

#include <string.h>

#include "report/findings.h"
#include "report/format.h"
#include "report/result.h"

/* Less is not worth a word: a hundredth of the time, or where that is not known 5 cycles per 1000 instructions (1 % of a
 * program that retires two a cycle); a million (a third of a millisecond: starting a program costs as much); a twentieth
 * of the sum. */
#define WORTH_SHARE  0.01
#define WORTH_PER_KI 5
#define WORTH_LEAST  1000000
#define WORTH_OF_SUM 20
#define LITTLE       100 /* less than one in so many of the sum: nobody changes a program for that */

static const u8 cause_of[BILL_NR] = {
    [BILL_WALKS] = CAUSE_WALKS,     [BILL_NESTED] = CAUSE_WALKS,
    [BILL_L2_HITS] = CAUSE_WALKS,   [BILL_ZERO] = CAUSE_TOUCH,
    [BILL_POPULATE] = CAUSE_TOUCH,  [BILL_CLEAR] = CAUSE_TOUCH,
    [BILL_TABLES] = CAUSE_TOUCH,    [BILL_FILE] = CAUSE_FILES,
    [BILL_COW] = CAUSE_COPIES,      [BILL_COPY] = CAUSE_COPIES,
    [BILL_FORK] = CAUSE_COPIES,     [BILL_SIGNALS] = CAUSE_SIGNALS,
    [BILL_FLUSHES] = CAUSE_FLUSHES, [BILL_SHOOTDOWNS] = CAUSE_FLUSHES,
    [BILL_MAPS] = CAUSE_MAPS,       [BILL_SYSTEM_CALLS] = CAUSE_ENTRIES,
    [BILL_TICKS] = CAUSE_ENTRIES,   [BILL_SPURIOUS] = CAUSE_ENTRIES,
    [BILL_KPTI] = CAUSE_KPTI,       [BILL_SWITCHES] = CAUSE_SWITCHES,
    [BILL_HUGE] = CAUSE_MAKING,     [BILL_COMPACTION] = CAUSE_MAKING,
    [BILL_SWAP] = CAUSE_MEMORY,     [BILL_RECLAIM] = CAUSE_MEMORY,
    [BILL_IO] = CAUSE_MEMORY,
};

struct cycles cause_cost(const struct sim_machine_result *m, enum cause cause)
{
	struct cycles sum = {0};

	for (unsigned row = 0; row < BILL_NR; row++)
		if (cause_of[row] == cause)
			sum = cycles_add(sum, m->bill.row[row]);
	return sum;
}

static bool worth(const struct view *v, struct cycles c)
{
	if (c.most < WORTH_LEAST || c.most < v->base->bill.sum.most / WORTH_OF_SUM)
		return false;
	if (v->r->native.cpu_ns)
		return share_of(v->r, v->base, c).most >= WORTH_SHARE;
	return c.most / WORTH_PER_KI >= v->r->program.instructions / 1000;
}

static void pick_machines(struct view *v)
{
	for (unsigned i = 0; i < v->r->nr_machines; i++) {
		const struct sim_machine_result *m = &v->r->machine[i];
		const struct sim_machine_result **slot = result_kind(m) == MACHINE_THP ? &v->thp : &v->huge;

		if (m == v->base || result_kind(m) == MACHINE_4K || m->error[0] != '\0' || m->count.os.oom_kills > 0 ||
		    m->cfg.preset != v->base->cfg.preset || m->cfg.ram_bytes != v->base->cfg.ram_bytes ||
		    m->cfg.kpti != v->base->cfg.kpti || m->cfg.pcid != v->base->cfg.pcid ||
		    m->cfg.host_page != v->base->cfg.host_page)
			continue;
		if (*slot == NULL || result_walks(m) < result_walks(*slot))
			*slot = m;
	}
}

/* The causes that are worth a word and have a remedy, the dearest first by the middle of their intervals. */
static void find_all(struct view *v)
{
	bool done[CAUSE_NR] = {0};

	while (v->nr < MOST_FINDINGS) {
		unsigned top = CAUSE_NR;
		struct cycles most = {0};

		for (unsigned cause = 0; cause < CAUSE_NR; cause++) {
			struct cycles c = cause_cost(v->base, cause);

			if (done[cause] || !worth(v, c) ||
			    (double)c.least + (double)c.most <= (double)most.least + (double)most.most)
				continue;
			top = cause;
			most = c;
		}
		if (top == CAUSE_NR)
			return;
		done[top] = true;
		finding_make(v, top, &v->finding[v->nr], most);
		if (v->finding[v->nr].how[0] != '\0' || v->finding[v->nr].told)
			v->nr++;
	}
}

/* Why nothing can be said, "": something can. */
static void refuse(const struct view *v, char *out, size_t n)
{
	const struct sim_machine_result *m = v->base;

	out[0] = '\0';
	if (m == NULL || v->r->program.instructions == 0)
		snprintf(out, n, "Nothing ran in the simulation, so there is nothing to say.");
	else if (m->error[0] != '\0')
		snprintf(out, n, "No machine ran to its end, so there is nothing to compare. With %s of RAM: %s",
			 fmt_bytes(m->cfg.ram_bytes).s, m->error);
	else if (m->count.os.oom_kills > 0)
		snprintf(out, n, "On no machine did the program get through: %s of RAM and %s of swap are not enough.",
			 fmt_bytes(m->cfg.ram_bytes).s, fmt_bytes(m->cfg.swap_bytes).s);
}

static struct view look(const struct sim_result *r, char *refusal, size_t n)
{
	struct view v = {.r = r, .base = result_baseline(r)};

	refuse(&v, refusal, n);
	if (refusal[0] == '\0') {
		pick_machines(&v);
		for (unsigned i = CURE_NONE + 1; i < CURE_NR; i++)
			v.cure[i] = result_cure(r, i);
		find_all(&v);
	}
	return v;
}

static void put_dearest(FILE *out, const struct view *v)
{
	unsigned top = 0;

	for (unsigned row = 1; row < BILL_NR; row++)
		if (v->base->bill.row[row].most > v->base->bill.row[top].most)
			top = row;
	fprintf(out, "Nothing to gain: all of it is ");
	put_cost(out, v, v->base->bill.sum);
	fprintf(out, ", %s cycles for each 1000 instructions at most; the dearest cause is \"%s\".",
		fmt_ratio(1000.0 * (double)v->base->bill.sum.most / (double)v->r->program.instructions).s,
		bill_kinds[top].label);
}

void report_advice(char *out, size_t n, const struct sim_result *r)
{
	struct view v = look(r, out, n);
	FILE *f;

	if (out[0] != '\0')
		return;
	f = fmemopen(out, n, "w");
	if (f == NULL)
		return;
	if (v.nr == 0)
		put_dearest(f, &v);
	for (unsigned i = 0; i < v.nr; i++)
		fprintf(f, "%s%s", i ? "\n" : "", v.finding[i].text);
	fclose(f);
	out[n - 1] = '\0';
}

/* ---- the answer ---- */

/* "with 4K pages", "with transparent huge pages", "on machine 4k,kpti=on" */
static void put_machine(FILE *out, const struct sim_result *r, const struct sim_machine_result *m, const char *with)
{
	static const char *const kind[] = {[MACHINE_4K] = "4K pages",
					   [MACHINE_THP] = "transparent huge pages",
					   [MACHINE_2M] = "reserved 2M pages",
					   [MACHINE_1G] = "reserved 1G pages"};
	static const char *const cure[CURE_NR] = {
	    [CURE_MALLOC] = "huge pages for malloc's memory", [CURE_KPTI] = "no KPTI", [CURE_PCID] = "PCIDs"};
	struct machine_name name = result_machine_name(r, m);

	if (m->cfg.cure == CURE_RAM)
		fprintf(out, "%s%s of RAM", with, fmt_bytes(m->cfg.ram_bytes).s);
	else if (m->cfg.cure != CURE_NONE)
		fprintf(out, "%s%s", with, cure[m->cfg.cure]);
	else if (strchr(name.s, ',') != NULL)
		fprintf(out, "%s%s", with[0] ? "on machine " : "machine ", name.s);
	else
		fprintf(out, "%s%s", with, kind[result_kind(m)]);
}

/* Is the time known, and long enough for what it is said to pay? */
static bool has_time(const struct sim_result *r)
{
	return r->native.cpu_ns && !share_too_dear(r);
}

/* As a share where the time is known, else in cycles with the wide share behind. */
static void put_sum(FILE *out, const struct sim_result *r, const struct sim_machine_result *m)
{
	if (has_time(r))
		fprintf(out, "%s", share_text(share_of(r, m, m->bill.sum)).s);
	else
		fprintf(out, "%s cycles", cycles_text(m->bill.sum).s);
}

/* A share of a time that is not known. */
static void put_guess(FILE *out, struct share s)
{
	if (s.least >= 0.95)
		fprintf(out, " (nearly all of this program's time) ");
	else
		fprintf(out, " (somewhere in %s of this program's time; --time narrows that) ", share_text(s).s);
}

void report_answer(char *out, size_t n, const struct sim_result *r)
{
	struct view v = look(r, out, n);
	const struct finding *first = v.nr > 0 ? &v.finding[0] : NULL;
	bool little;
	FILE *f;

	if (out[0] != '\0')
		return;
	f = fmemopen(out, n, "w");
	if (f == NULL)
		return;
	fprintf(f, has_time(r) ? "Virtual memory takes " : "Virtual memory costs ");
	put_sum(f, r, v.base);
	if (has_time(r))
		fprintf(f, " of this program's time ");
	else if (r->native.cpu_ns)
		fprintf(f, " (more than this program's time, so these costs are too high here) ");
	else
		put_guess(f, share_of(r, v.base, v.base->bill.sum));
	put_machine(f, r, v.base, "with ");
	for (unsigned i = 0; i < v.nr && first->by == NULL; i++)
		if (v.finding[i].by != NULL && v.finding[i].saves.most > first->saves.most)
			first = &v.finding[i];
	little = first && !first->by && first->saves.most > 0 && first->saves.most < v.base->bill.sum.most / LITTLE;
	if (first != NULL && first->by != NULL) {
		u64 more = first->by->count.peak_rss_bytes -
			   min(first->by->count.peak_rss_bytes, v.base->count.peak_rss_bytes);

		fprintf(f, "; ");
		put_machine(f, r, first->by, "");
		fprintf(f, " would leave ");
		put_sum(f, r, first->by);
		if (more > 0)
			fprintf(f, ", for %s more memory", fmt_bytes(more).s);
	} else if (little) {
		fprintf(f, "; little of it can be saved");
	} else if (first != NULL && first->saves.most > 0) {
		fprintf(f, "; %s cycles of it can be saved", cycles_text(first->saves).s);
	} else if (first != NULL && first->how[0] == '\0') {
		fprintf(f, "; nothing that is known here lessens its dearest part");
	}
	if (v.nr == 0)
		fprintf(
		    f, ": %s at most, nothing to gain",
		    fmt_time((u64)((double)v.base->bill.sum.most * 1000 / (double)v.base->cost.at[COST_CLOCK].least))
			.s);
	fputc('.', f);
	if (first != NULL && first->how[0] != '\0' && !little)
		fprintf(f, " %s", first->how);
	fclose(f);
	out[n - 1] = '\0';
}
