/* SPDX-License-Identifier: MIT
 *
 * report/share.c - cycles as a share of the program's time.
 *
 *   time on machine m = work + cost of m        work: the same on every machine
 *
 *   time known (--native, --time)   work = time - cost of the machine that the time was measured on
 *   else                            work = instructions times `work` of quire costs: an interval of 1 to 16
 *
 * Time is that of CPUs, user and system, of all threads; waiting for a device comes on top of it. An interval of work
 * and one of cost give a share from least cost in most work to most cost in least work.
 */
#include "report/share.h"

#include <string.h>

#include "report/result.h"

const struct sim_machine_result *share_native(const struct sim_result *r)
{
	const struct sim_machine_result *host = result_host(r);

	if (r->native.cpu_ns == 0)
		return NULL;
	return host != NULL ? host : result_baseline(r);
}

static u64 sub(u64 a, u64 b)
{
	return a > b ? a - b : 0;
}

struct cycles cycles_less(struct cycles a, struct cycles b)
{
	return (struct cycles){sub(a.least, b.least), sub(a.most, b.most)};
}

struct cycles share_work(const struct sim_result *r)
{
	const struct sim_machine_result *native = share_native(r), *base = result_baseline(r);
	struct cycles clock, cost;

	if (native == NULL)
		return (struct cycles){
		    (u64)((double)r->program.instructions / 1000 * (double)base->cost.at[COST_WORK].least),
		    (u64)((double)r->program.instructions / 1000 * (double)base->cost.at[COST_WORK].most)};
	clock = (struct cycles){native->cost.at[COST_CLOCK].least, native->cost.at[COST_CLOCK].most};
	cost = cycles_less(native->bill.sum, native->bill.row[BILL_IO]);
	return (struct cycles){sub((u64)((double)r->native.cpu_ns / 1000 * (double)clock.least), cost.most),
			       sub((u64)((double)r->native.cpu_ns / 1000 * (double)clock.most), cost.least)};
}

static double ratio(u64 part, double of)
{
	return of > 0 ? min((double)part / of, 1.0) : 0;
}

/* Where the costs are more than the time they are all of it, and the ends may change places. */
struct share share_of(const struct sim_result *r, const struct sim_machine_result *m, struct cycles part)
{
	struct cycles work = share_work(r);
	double least = ratio(part.least, (double)work.most + (double)m->bill.sum.least);
	double most = ratio(part.most, (double)work.least + (double)m->bill.sum.most);

	return (struct share){min(least, most), max(least, most)};
}

bool share_too_dear(const struct sim_result *r)
{
	return r->native.cpu_ns && share_work(r).most == 0;
}

/* 0.42, 9.1, 14: a percentage in as many digits as anybody needs. */
static struct fmt percent(double share)
{
	double x = 100 * share;
	struct fmt f;

	snprintf(f.s, sizeof(f.s), "%.*f", x < 0.095 ? 2 : x < 9.95 ? 1 : 0, x);
	return f;
}

struct fmt share_text(struct share s)
{
	struct fmt low = percent(s.least), high = percent(s.most), f;

	if (s.most < 0.00005)
		snprintf(f.s, sizeof(f.s), "less than 0.01 %%");
	else if (s.least < 0.0005)
		snprintf(f.s, sizeof(f.s), "at most %.8s %%", high.s);
	else if (strcmp(low.s, high.s) == 0)
		snprintf(f.s, sizeof(f.s), "%.8s %%", high.s);
	else
		snprintf(f.s, sizeof(f.s), "%.8s to %.8s %%", low.s, high.s);
	return f;
}

struct fmt cycles_text(struct cycles c)
{
	struct fmt low = fmt_short(c.least), high = fmt_short(c.most), f;

	if (strcmp(low.s, high.s) == 0)
		return high;
	snprintf(f.s, sizeof(f.s), "%.12s to %.12s", low.s, high.s);
	return f;
}
