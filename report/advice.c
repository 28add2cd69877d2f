/* SPDX-License-Identifier: MIT
 *
 * report/advice.c - from a run's counters to the one change that helps most, or the figure that shows that none does.
 *
 *   waiting for reads ----+                         +-- waiting: how much memory is missing
 *   walk cycles (most) ---+                         +-- walks: whose memory?  --> a call or setting by kind of region
 *                         +-- worth a change? which +
 *   fault cycles (least) -+        |                +-- faults: why so many?  --> huge pages, populate, keep, no fork
 *                                  +-- no: say so, with both figures
 *
 * Every figure in a sentence is a counter or a ratio of two. Machines are compared only when they differ in page size
 * alone (same CPU, same RAM). Thresholds are the constants below and nowhere else.
 *
 * Sources: madvise(2), mmap(2), glibc manual "Memory Allocation Tunables", Linux admin-guide/mm/transhuge.rst.
 */
#include "report/report.h"

#include <string.h>

#include "report/format.h"
#include "report/result.h"

/* A cost below 5 cycles per 1000 instructions is at most 1 % of the time of a program that retires two a cycle. */
#define WORTH_PER_KI 5
/* Under a million cycles (a third of a millisecond) nobody notices; starting a program costs as much. */
#define WORTH_LEAST 1000000
/* Another page size must take away at least 30 % of the cost to be worth a change of the program. */
#define LEFT_WORTH_PERCENT 70
/* Bloat is worth a word when a quarter of the memory is never touched and it is no rounding (8 huge pages). */
#define BLOAT_PERCENT 25
#define BLOAT_BYTES   (8 * PMD_SIZE)
/* Zero-filled bytes over the peak: beyond twice, memory goes back to the kernel and is faulted again. */
#define REFAULT_TIMES 2
/* glibc takes no larger mmap threshold (HEAP_MAX_SIZE / 2 on 64 bits). */
#define MMAP_THRESHOLD_MAX (32u << 20)

struct view {
	FILE *out;
	const struct sim_result *r;
	const struct sim_machine_result *base;
	const struct sim_machine_result *thp;  /* transparent huge pages, NULL if not compared */
	const struct sim_machine_result *huge; /* the reserved (2m, 1g) machine that walks least, or NULL */
	u64 walk_cycles, fault_cycles;         /* of base: the most, the least */
};

static u64 zero_faults(const struct sim_machine_result *m)
{
	return m->count.os.faults[VM_FAULT_ZERO_READ] + m->count.os.faults[VM_FAULT_ZERO_WRITE];
}

static bool worth(const struct view *v, u64 cycles)
{
	return cycles >= WORTH_LEAST && cycles / WORTH_PER_KI >= v->r->program.instructions / 1000;
}

static bool leaves_little(u64 left, u64 of)
{
	return of > 0 && (double)left * 100 <= (double)of * LEFT_WORTH_PERCENT;
}

static struct fmt per_ki(const struct view *v, u64 cycles)
{
	return fmt_ratio(1000.0 * (double)cycles / (double)v->r->program.instructions);
}

static void pick_machines(struct view *v)
{
	for (unsigned i = 0; i < v->r->nr_machines; i++) {
		const struct sim_machine_result *m = &v->r->machine[i];
		const struct sim_machine_result **slot = result_kind(m) == MACHINE_THP ? &v->thp : &v->huge;

		if (m == v->base || result_kind(m) == MACHINE_4K || m->error[0] != '\0' ||
		    m->cfg.preset != v->base->cfg.preset || m->cfg.ram_bytes != v->base->cfg.ram_bytes)
			continue;
		if (*slot == NULL || result_walks(m) < result_walks(*slot))
			*slot = m;
	}
}

static void say_bloat(const struct view *v, const struct sim_machine_result *m)
{
	u64 bloat = m->count.peak_untouched_bytes;

	if (bloat >= BLOAT_BYTES && bloat >= m->count.peak_rss_bytes / 100 * BLOAT_PERCENT)
		fprintf(v->out, " It costs memory: %s of %s at the peak were never touched.", fmt_bytes(bloat).s,
			fmt_bytes(m->count.peak_rss_bytes).s);
}

/* How to get transparent huge pages for region g. */
static void say_thp(const struct view *v, const struct sim_region *g)
{
	if (g->madvised)
		fprintf(v->out, " The program already asks for them here: only see that "
				"/sys/kernel/mm/transparent_hugepage/enabled is not never.");
	else if (g->kind == REGION_HEAP)
		fprintf(v->out, " It is malloc's memory: run with GLIBC_TUNABLES=glibc.malloc.hugetlb=1 where "
				"/sys/kernel/mm/transparent_hugepage/enabled is madvise.");
	else if (strcmp(g->name, "[anon]") == 0)
		fprintf(v->out,
			" Where it is malloc's, run with GLIBC_TUNABLES=glibc.malloc.hugetlb=1; where the program "
			"maps it itself, call madvise(%#llx, %llu, MADV_HUGEPAGE) after mmap.",
			(unsigned long long)g->start, (unsigned long long)(g->end - g->start));
	else
		fprintf(v->out, " Call madvise(%#llx, %llu, MADV_HUGEPAGE) on it.", (unsigned long long)g->start,
			(unsigned long long)(g->end - g->start));
}

/* How to get reserved huge pages, where transparent ones do not help enough. */
static void say_hugetlb(const struct view *v, const struct sim_region *g)
{
	bool giant = result_kind(v->huge) == MACHINE_1G;

	fprintf(v->out, " Reserve them (/sys/kernel/mm/hugepages) and ");
	if (g->kind == REGION_HEAP)
		fprintf(v->out, "run with GLIBC_TUNABLES=glibc.malloc.hugetlb=%s.", giant ? "1073741824" : "2");
	else
		fprintf(v->out, "map the memory with MAP_HUGETLB | %s.", giant ? "MAP_HUGE_1GB" : "MAP_HUGE_2MB");
}

/* Regions that anonymous huge pages do not reach. */
static void say_file_or_stack(const struct view *v, const struct sim_region *g)
{
	switch (g->kind) {
	case REGION_FILE_TEXT:
		fprintf(v->out, " Linux maps a file's code with 4K pages by default: link with "
				"-Wl,-z,max-page-size=0x200000 and call madvise(code, length, MADV_COLLAPSE) at start "
				"(Linux 6.1, CONFIG_READ_ONLY_THP_FOR_FS).");
		return;
	case REGION_FILE_DATA:
		fprintf(v->out, " It is a mapped file: keep it on a tmpfs mounted with huge=advise and call "
				"madvise(MADV_HUGEPAGE), or read it into anonymous memory.");
		return;
	case REGION_STACK:
		fprintf(v->out, " The stack stays on 4K pages: move its large arrays to the heap.");
		return;
	default:
		fprintf(v->out, " No page size that was compared takes them away: visit memory in order, or use less "
				"of it.");
	}
}

static void advise_walks(struct view *v)
{
	unsigned top;
	const struct sim_region *g;
	u64 all = 0, walks, thp_left, huge_left;
	char name[600];

	fprintf(v->out, "Page walks cost up to %s cycles per 1000 instructions", per_ki(v, v->walk_cycles).s);
	if (result_top_regions(v->r, v->base, &top, 1) == 0) {
		fprintf(v->out, ", but no region of the program explains them.");
		return;
	}
	g = &v->r->region[top];
	walks = result_region_walks(&v->base->region[top]);
	thp_left = v->thp ? result_region_walks(&v->thp->region[top]) : walks;
	huge_left = v->huge ? result_region_walks(&v->huge->region[top]) : walks;
	for (unsigned i = 0; i < v->r->nr_regions; i++)
		all += result_region_walks(&v->base->region[i]);
	result_region_of(name, sizeof(name), v->r, g);
	fprintf(v->out, "; %s of them come from %s", fmt_percent(walks, all).s, name);

	if (leaves_little(thp_left, walks)) {
		fprintf(v->out, ", and transparent huge pages leave %s of those.", fmt_percent(thp_left, walks).s);
		say_thp(v, g);
		say_bloat(v, v->thp);
	} else if (leaves_little(huge_left, walks)) {
		fprintf(v->out, ", and %s%s pages leave %s of those.", v->thp != NULL ? "only " : "",
			result_kind(v->huge) == MACHINE_1G ? "1G" : "2M", fmt_percent(huge_left, walks).s);
		say_hugetlb(v, g);
		say_bloat(v, v->huge);
	} else if (v->thp == NULL && v->huge == NULL && g->kind != REGION_FILE_TEXT && g->kind != REGION_FILE_DATA) {
		fprintf(v->out, ". Add --machine thp to see what huge pages leave of them.");
	} else {
		fprintf(v->out, ".");
		say_file_or_stack(v, g);
	}
}

/* The region that most faults of base come from, NULL if none is known. */
static const struct sim_region *faulting_region(const struct view *v)
{
	const struct sim_region *g = NULL;
	u64 most = 0;

	for (unsigned i = 0; i < v->r->nr_regions; i++) {
		if (v->base->region[i].faults <= most || v->r->region[i].kind > REGION_HEAP)
			continue;
		most = v->base->region[i].faults;
		g = &v->r->region[i];
	}
	return g;
}

static void advise_faults(struct view *v)
{
	const struct sim_region *g = faulting_region(v);
	u64 zero = zero_faults(v->base), copies = v->base->count.os.faults[VM_FAULT_COW_COPY], keep = PMD_SIZE;
	char name[600] = "the program's memory";

	if (g != NULL)
		result_region_of(name, sizeof(name), v->r, g);
	fprintf(v->out, "Page faults, not walks, are the cost (at least %s cycles per 1000 instructions): ",
		per_ki(v, v->fault_cycles).s);
	if (copies > zero) {
		fprintf(v->out,
			"%s of %s copy a page shared by fork. Use posix_spawn where the child only executes a "
			"program, or madvise(MADV_DONTFORK) on memory that it does not need.",
			fmt_count(copies).s, fmt_count(result_faults(v->base)).s);
	} else if (v->r->program.processes == 1 && zero * PAGE_SIZE > REFAULT_TIMES * v->base->count.peak_rss_bytes) {
		while (keep < v->base->count.peak_rss_bytes)
			keep *= 2;
		fprintf(
		    v->out,
		    "%s pages were zero-filled for a peak of %s, so memory is given back and faulted again. Keep it: "
		    "GLIBC_TUNABLES=glibc.malloc.trim_threshold=%llu:glibc.malloc.mmap_threshold=%u.",
		    fmt_count(zero).s, fmt_bytes(v->base->count.peak_rss_bytes).s, (unsigned long long)keep,
		    MMAP_THRESHOLD_MAX);
	} else if (v->thp != NULL && g != NULL && leaves_little(zero_faults(v->thp), zero)) {
		fprintf(v->out, "%s zero-fill pages, most in %s, and transparent huge pages make that %s.",
			fmt_count(zero).s, name, fmt_count(zero_faults(v->thp)).s);
		say_thp(v, g);
		say_bloat(v, v->thp);
	} else {
		fprintf(
		    v->out,
		    "%s zero-fill pages, most in %s. Memory that is surely used can be mapped at once: MAP_POPULATE "
		    "in mmap, or madvise(MADV_POPULATE_WRITE) on the range.",
		    fmt_count(zero).s, name);
	}
}

/* The machine that waits least, if that is worth a word; NULL else. */
static const struct sim_machine_result *waits_less(const struct view *v)
{
	const struct sim_machine_result *best = v->base;

	for (unsigned i = 0; i < v->r->nr_machines; i++) {
		const struct sim_machine_result *m = &v->r->machine[i];

		if (m->error[0] == '\0' && m->count.os.oom_kills == 0 && m->count.io_wait_ns < best->count.io_wait_ns)
			best = m;
	}
	return leaves_little(best->count.io_wait_ns, v->base->count.io_wait_ns) ? best : NULL;
}

static void advise_memory(struct view *v)
{
	const struct sim_machine_result *m = v->base, *better = waits_less(v);

	fprintf(v->out,
		"Memory is short, and that is the cost: on machine %s the program waits %s for %s major faults. It "
		"uses up to "
		"%s at once, and RAM is %s.",
		result_machine_name(v->r, m).s, fmt_time(m->count.io_wait_ns).s, fmt_count(m->count.os.major_faults).s,
		fmt_bytes(m->count.peak_rss_bytes + m->count.peak_swap_bytes).s, fmt_bytes(m->cfg.ram_bytes).s);
	if (better != NULL)
		fprintf(v->out, " Of the machines compared, %s waits least: %s.", result_machine_name(v->r, better).s,
			fmt_time(better->count.io_wait_ns).s);
}

static void advise(struct view *v)
{
	const struct sim_machine_result *m = v->base;
	u64 wait_cycles;

	if (m == NULL || v->r->program.instructions == 0) {
		fprintf(v->out, "Nothing ran in the simulation, so there is nothing to say.");
		return;
	}
	if (m->error[0] != '\0') {
		fprintf(v->out, "No machine ran to its end, so there is nothing to compare. With %s of RAM: %s",
			fmt_bytes(m->cfg.ram_bytes).s, m->error);
		return;
	}
	if (m->count.os.oom_kills > 0) {
		fprintf(v->out, "On no machine did the program get through: %s of RAM and %s of swap are not enough.",
			fmt_bytes(m->cfg.ram_bytes).s, fmt_bytes(m->cfg.swap_bytes).s);
		return;
	}
	pick_machines(v);
	v->walk_cycles = m->bill.row[BILL_WALKS].most;
	v->fault_cycles = m->bill.row[BILL_ZERO].least + m->bill.row[BILL_COW].least + m->bill.row[BILL_CLEAR].least +
			  m->bill.row[BILL_COPY].least;
	wait_cycles = m->bill.row[BILL_IO].least;
	if (worth(v, wait_cycles) && wait_cycles >= max(v->walk_cycles, v->fault_cycles))
		advise_memory(v);
	else if (worth(v, v->walk_cycles) && v->walk_cycles >= v->fault_cycles)
		advise_walks(v);
	else if (worth(v, v->fault_cycles))
		advise_faults(v);
	else
		fprintf(
		    v->out,
		    "Nothing to gain from other page sizes: page walks cost at most %s cycles per 1000 instructions, "
		    "%s in all, and %s page faults are few for this program.",
		    per_ki(v, v->walk_cycles).s, fmt_short(v->walk_cycles).s, fmt_count(result_faults(m)).s);
}

void report_advice(char *out, size_t n, const struct sim_result *r)
{
	struct view v = {.r = r, .base = result_baseline(r)};

	out[0] = '\0';
	v.out = fmemopen(out, n, "w");
	if (v.out == NULL)
		return;
	advise(&v);
	fclose(v.out);
	out[n - 1] = '\0';
}
