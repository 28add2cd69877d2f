/* SPDX-License-Identifier: MIT
 *
 * measure/save.c - this machine's costs, as `quire run --costs FILE` reads them: NAME = LEAST MOST, a line each.
 *
 * A fault that was timed whole is taken apart as the model adds it up again: exception + handler + clearing or copying.
 * So a handler's interval is the whole one's less the other parts', least from least and most from most: the sums are
 * what was measured. The exception itself cannot be timed from outside the kernel; it stays as the model has it.
 *
 * The least is the quietest batch, the most the median of all. What could not be measured stays out.
 */
#include "cost/cost.h"
#include "measure/measure.h"

enum less {
	LESS_NOTHING = 0,
	LESS_EXCEPTION = 1,
	LESS_CLEAR = 2,
	LESS_COLD = 4, /* with LESS_CLEAR: the most is a cold page's */
	LESS_COPY = 8,
	LESS_CALL = 16,
	LESS_HANDLER = 32,
};

struct row {
	enum cost_id cost;
	enum figure_id first, last; /* the least of all, the most of all */
	unsigned less;
	const char *how;
};

static const struct row rows[] = {
    {COST_SYSTEM_CALL, FIG_SYSCALL, FIG_SYSCALL, LESS_NOTHING, "getppid"},
    {COST_CLEAR_4K, FIG_CLEAR_4K, FIG_CLEAR_COLD, LESS_NOTHING, "rep stosb, in the cache .. 64M in turn"},
    {COST_COPY_4K, FIG_COPY_4K, FIG_COPY_COLD, LESS_NOTHING, "rep movsb, in the cache .. 32M in turn"},
    {COST_FAULT_ZERO_WRITE, FIG_FAULT_WRITE, FIG_FAULT_WRITE_COLD, LESS_EXCEPTION | LESS_CLEAR | LESS_COLD,
     "whole fault, less exception and clearing .. 64M in turn"},
    {COST_CLEAR_2M, FIG_FAULT_THP, FIG_FAULT_THP, LESS_EXCEPTION | LESS_HANDLER,
     "whole 2M fault, less exception and handler"},
    {COST_FAULT_FILE, FIG_FAULT_FILE, FIG_FAULT_FILE_AROUND, LESS_EXCEPTION, "one page .. 16 around, less exception"},
    {COST_FAULT_COW_COPY, FIG_FAULT_COPY, FIG_FAULT_COPY, LESS_EXCEPTION | LESS_COPY,
     "whole fault, less exception and copying"},
    {COST_FAULT_COW_REUSE, FIG_FAULT_REUSE, FIG_FAULT_REUSE, LESS_EXCEPTION, "whole fault, less exception"},
    {COST_POPULATE, FIG_POPULATE, FIG_POPULATE, LESS_CLEAR, "MAP_POPULATE, a page, less clearing"},
    {COST_MAP_CALL, FIG_MMAP, FIG_MMAP, LESS_CALL, "mmap, less the system call"},
    {COST_UNMAP_4K, FIG_MUNMAP_PAGE, FIG_MUNMAP_PAGE, LESS_NOTHING, "munmap of 64M and of 4K"},
    {COST_UNMAP_2M, FIG_MUNMAP_THP, FIG_MUNMAP_THP, LESS_NOTHING, "munmap of 2M pages"},
    {COST_UNMAP_LEFT, FIG_EXIT_SHARED_PAGE, FIG_EXIT_SHARED_PAGE, LESS_NOTHING,
     "exits of children of 64M that share it"},
    {COST_PROTECT_PAGE, FIG_MPROTECT_PAGE, FIG_MPROTECT_PAGE, LESS_NOTHING, "mprotect of 64M and of 4K"},
    {COST_FORK_4K, FIG_FORK_PAGE, FIG_FORK_PAGE, LESS_NOTHING, "forks of 1M and more"},
    {COST_FORK_2M, FIG_FORK_THP_PAGE, FIG_FORK_THP_PAGE, LESS_NOTHING, "forks of 64M and more in 2M pages"},
    {COST_THREAD_SWITCH, FIG_SWITCH_THREAD, FIG_SWITCH_THREAD, LESS_NOTHING, "two threads and two pipes on a CPU"},
    {COST_SHOOTDOWN, FIG_SHOOT_MPROTECT, FIG_SHOOT_DONTNEED, LESS_NOTHING,
     "mprotect, munmap and madvise with a second CPU"},
    {COST_IPI, FIG_SHOOT_ANSWER, FIG_SHOOT_ANSWER, LESS_NOTHING, "the gap on the CPU that is interrupted"},
};

static double least(const struct measure *m, enum figure_id id)
{
	return series_least(&m->figure[id]);
}
static double most(const struct measure *m, enum figure_id id)
{
	return series_quantile(&m->figure[id], 0.5);
}

/* What the parts take, at the end that `of` gives of a figure. */
static double parts(const struct measure *m, unsigned less, double exception,
		    double (*of)(const struct measure *, enum figure_id))
{
	double sum = 0;

	if (less & LESS_EXCEPTION)
		sum += exception;
	if (less & LESS_CLEAR)
		sum += of(m, less & LESS_COLD && of == most && m->figure[FIG_CLEAR_COLD].nr ? FIG_CLEAR_COLD
											    : FIG_CLEAR_4K);
	if (less & LESS_COPY)
		sum += of(m, FIG_COPY_4K);
	if (less & LESS_CALL)
		sum += of(m, FIG_SYSCALL);
	if (less & LESS_HANDLER)
		sum += of(m, FIG_FAULT_WRITE) - exception - of(m, FIG_CLEAR_4K);
	return sum;
}

static void put(FILE *out, enum cost_id id, double from, double to, const char *how)
{
	u64 low = from > 0 ? (u64)(from + 0.5) : 0, high = to > 0 ? (u64)(to + 0.5) : 0;

	fprintf(out, "%-16s = %lu %lu  # %s\n", cost_kinds[id].name, low, high < low ? low : high, how);
}

static void put_row(FILE *out, const struct measure *m, const struct row *row)
{
	const struct cost *exception = cost_common(COST_EXCEPTION);
	double low = 0, high = 0;
	bool any = false;

	for (unsigned id = row->first; id <= row->last; id++) {
		double l = least(m, id), h = most(m, id);

		if (m->figure[id].nr == 0)
			continue;
		low = any && low < l ? low : l;
		high = high > h ? high : h;
		any = true;
	}
	if (!any)
		fprintf(out, "# %s: %s\n", cost_kinds[row->cost].name, m->figure[row->first].missing);
	else
		put(out, row->cost, low - parts(m, row->less, (double)exception->least, least),
		    high - parts(m, row->less, (double)exception->most, most), row->how);
}

/* A read of empty memory: where there is no zero page its page is cleared too, and that the model counts apart. */
static void put_zero_read(FILE *out, const struct measure *m)
{
	bool zero_page = m->figure[FIG_FAULT_ZERO_WRITE].nr != 0;
	struct row row = {COST_FAULT_ZERO_READ, FIG_FAULT_READ, FIG_FAULT_READ,
			  LESS_EXCEPTION | (zero_page ? 0 : LESS_CLEAR),
			  zero_page ? "whole fault, less exception" : "no zero page here: less clearing too"};

	put_row(out, m, &row);
}

/* Just past the reach of the TLBs, tables are in the L2 cache; at 512 MiB the eight entries of a line are used 1.2 MiB of
 * lines apart, at 4 GiB 9.4. */
static void put_walks(FILE *out, const struct tlb_found *t)
{
	double near = t->walk_near - t->l2_hit, middle = t->walk_512m - t->l2_hit, far = t->walk_far - t->l2_hit;

	put(out, COST_WALK_L2, near, near, "just past the reach");
	put(out, COST_WALK_L3, min(middle, far), max(middle, far), "at 512 MiB .. at the curve's end");
}

/* Loads of twice to four times the L2 cache, side by side: pages that the L2 TLB holds. An entry is taken to cost as much. */
static void put_loads(FILE *out, const struct measure *m, const struct cache_config *cache)
{
	const struct chase *c = &m->chase[CHASE_LINES];
	u32 lines = cache->l2_bytes / 64;
	double low = 0, high = 0;

	for (unsigned i = 0; i < c->nr; i++) {
		const struct series *cycles = &c->point[i].cycles;

		if (c->point[i].lines < 2 * lines || c->point[i].lines > 4 * lines || cycles->nr == 0)
			continue;
		low = low > 0 ? min(low, series_least(cycles)) : series_least(cycles);
		high = max(high, series_quantile(cycles, 0.5));
	}
	if (low > m->tlb.l2_hit)
		put(out, COST_WALK_L3, low - m->tlb.l2_hit, high - m->tlb.l2_hit, "loads of 2 to 4 times the L2 cache");
}

/* Where the hypervisor breaks pages up, a walk near the reach reads two entries, of the guest's and of the host's, from the
 * near caches. What it takes beyond those is the host's. */
static void put_nested(FILE *out, const struct measure *m, const struct cpu_preset *cpu)
{
	const struct tlb_found *t = &m->tlb;
	double near = t->walk_near - t->l2_hit, huge = t->thp_near > 0 ? t->thp_near - t->l2_hit : near;
	struct cost_table model;

	cost_table_make(&model, cpu ? cpu->name : "", NULL);
	fputs("# The host backs this machine with 4K pages: --machine NAME,host-page=4k counts with the next one.\n",
	      out);
	put(out, COST_NESTED_WALK, min(huge, near) - 2 * (double)model.at[COST_WALK_L2].most,
	    near - 2 * (double)model.at[COST_WALK_L2].least,
	    "just past the reach, less two entries, 2M pages .. 4K pages");
	if (cpu)
		put_loads(out, m, &cpu->cache);
}

static void put_translation(FILE *out, const struct measure *m, const struct cpu_preset *cpu)
{
	const struct tlb_found *t = &m->tlb;

	if (t->l2_hit > 0)
		put(out, COST_L2_TLB_HIT, 0, t->l2_hit, "from the chases");
	else
		fputs("# l2-tlb-hit: the chases do not show it\n", out);
	if (t->walk_near <= t->l2_hit)
		fputs("# walk-l2, walk-l3: the chases do not show them\n", out);
	else if (m->host.is_virtual == TRI_YES && t->thp_share > BROKEN_UP)
		put_nested(out, m, cpu);
	else
		put_walks(out, t);
}

void measure_save(FILE *out, const struct measure *m, const struct cpu_preset *cpu)
{
	fprintf(out, "# quire measure: %s, Linux %s%s%s. Core cycles.\n", m->host.cpu[0] ? m->host.cpu : "x86-64",
		m->host.kernel, m->host.hypervisor[0] ? ", under " : "", m->host.hypervisor);
	if (cpu)
		fprintf(out, "# Its model: quire run --cpu %s --costs THIS-FILE\n", cpu->name);
	put(out, COST_CLOCK, m->clock.core_hz / 1e6, m->clock.core_hz / 1e6, "MHz, as the core ran");
	put_translation(out, m, cpu);
	put_zero_read(out, m);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		put_row(out, m, &rows[i]);
	if (m->figure[FIG_FORK_1M].nr && m->figure[FIG_EXIT_1M].nr)
		put(out, COST_FORK, least(m, FIG_FORK_1M) + least(m, FIG_EXIT_1M),
		    most(m, FIG_FORK_1M) + most(m, FIG_EXIT_1M), "1M resident, and its exit");
}
