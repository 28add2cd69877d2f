/* SPDX-License-Identifier: MIT
 *
 * report/findings.c - a cause of cost in a sentence or two: what it costs, whose memory pays, what to do, what that saves
 * and costs.
 *
 * Every figure is a counter, a row of a bill, or a ratio or difference of two. A remedy is said once, with the first
 * cause that it cures; what no machine of the run shows is said without a figure.
 */
#include "report/findings.h"

#include <string.h>

#include "report/cures.h"
#include "report/format.h"
#include "report/result.h"

/* Another page size must take away at least 30 % of the cost to be worth a change of the program. */
#define LEFT_WORTH_PERCENT 70
/* Bloat is worth a word when a quarter of the memory is never touched and it is no rounding (8 huge pages). */
#define BLOAT_PERCENT 25
#define BLOAT_BYTES   (8 * PMD_SIZE)
/* Huge pages that are split again are a word worth where they were that share of the memory. */
#define SPLIT_OF 4
/* Zero-filled bytes over the peak: beyond twice, memory goes back to the kernel and is faulted again. */
#define REFAULT_TIMES 2

/* A finding that is being written. */
struct draft {
	struct view *v;
	struct finding *f;
	struct cycles cost;
	FILE *text, *how;
};

static u64 zero_faults(const struct sim_machine_result *m)
{
	return m->count.os.faults[VM_FAULT_ZERO_READ] + m->count.os.faults[VM_FAULT_ZERO_WRITE];
}

static bool leaves_little(u64 left, u64 of)
{
	return of > 0 && (double)left * 100 <= (double)of * LEFT_WORTH_PERCENT;
}

static bool leaves_little_of(struct cycles left, struct cycles of)
{
	return leaves_little(left.least, of.least) && leaves_little(left.most, of.most);
}

/* ---- parts of sentences ---- */

void put_cost(FILE *out, const struct view *v, struct cycles c)
{
	fprintf(out, "%s cycles", cycles_text(c).s);
	if (v->r->native.cpu_ns)
		fprintf(out, " (%s of the time)", share_text(share_of(v->r, v->base, c)).s);
}

static void put_saving_of(struct draft *d, const char *what, struct cycles saves)
{
	d->f->saves = saves;
	if (saves.most == 0)
		return;
	fprintf(d->text, " %s saves ", what);
	put_cost(d->text, d->v, saves);
	fputs(saves.most > d->cost.most ? " in all." : ".", d->text); /* other causes get cheaper, too */
}

static void put_saving(struct draft *d, struct cycles saves)
{
	put_saving_of(d, "That", saves);
}

/* What machine m, with other pages, changes altogether; and that huge pages cost memory. */
static void put_machine_saving(struct draft *d, const char *what, const struct sim_machine_result *m)
{
	const struct sim_machine_result *base = d->v->base;
	u64 more = m->count.peak_rss_bytes - min(m->count.peak_rss_bytes, base->count.peak_rss_bytes);
	u64 bloat = m->count.peak_untouched_bytes;

	d->f->by = m;
	put_saving_of(d, what, cycles_less(base->bill.sum, m->bill.sum));
	if (bloat >= BLOAT_BYTES && bloat >= m->count.peak_rss_bytes / 100 * BLOAT_PERCENT)
		fprintf(d->text, " It costs memory: %s of %s at the peak were never touched.", fmt_bytes(bloat).s,
			fmt_bytes(m->count.peak_rss_bytes).s);
	else if (more >= PMD_SIZE)
		fprintf(d->text, " It costs %s more memory.", fmt_bytes(more).s);
}

/* The remedy goes into the text and, alone, into the answer. */
static void put_how(struct draft *d)
{
	fflush(d->how);
	if (d->f->how[0] != '\0')
		fprintf(d->text, " %s", d->f->how);
}

/* g's walks and faults on m, a machine with other pages. */
static bool helps(const struct view *v, const struct sim_machine_result *m, const struct sim_region *g)
{
	size_t i = (size_t)(g - v->r->region);

	return m != NULL &&
	       (leaves_little(result_region_walks(&m->region[i]), result_region_walks(&v->base->region[i])) ||
		leaves_little(m->region[i].faults, v->base->region[i].faults));
}

/* The machine that shows what glibc's malloc does for g when it asks for huge pages; NULL: none does, or it does nothing
 * for g. */
static const struct sim_machine_result *malloc_cure(const struct view *v, const struct sim_region *g)
{
	const struct sim_machine_result *m = v->cure[CURE_MALLOC];

	return !g->madvised && g->kind <= REGION_HEAP && cure_allocator(v->r, g) == ALLOCATOR_GLIBC && helps(v, m, g)
		   ? m
		   : NULL;
}

/* m: the machine that shows it. */
static void remedy_thp(struct draft *d, const struct sim_region *g, const struct sim_machine_result *m)
{
	d->v->said_thp = true;
	cure_thp(d->how, d->v->r, g, d->v->cure[CURE_MALLOC] == NULL || malloc_cure(d->v, g) != NULL);
	put_how(d);
	put_machine_saving(d, g->madvised && d->v->base->cfg.thp == VM_THP_NEVER ? "Asking" : "That", m);
}

static void remedy_hugetlb(struct draft *d, const struct sim_region *g)
{
	d->v->said_hugetlb = true;
	cure_hugetlb(d->how, d->v->r, g, result_kind(d->v->huge) == MACHINE_1G);
	put_how(d);
	put_machine_saving(d, "That", d->v->huge);
}

/* tcmalloc's heap grows by 1M. Not of a program that forks: a copy of a reserved page can fail for want of another. */
static bool is_tcmallocs(const struct view *v, const struct sim_region *g)
{
	return cure_allocator(v->r, g) == ALLOCATOR_TCMALLOC && g->kind <= REGION_HEAP && g->peak_bytes >= PMD_SIZE &&
	       v->base->count.forks == 0;
}

/* Reserved pages for memory that the machines have in small ones only: what one fault for each 2M of it would save. */
static void remedy_no_machine_shows(struct draft *d, const struct sim_region *g, enum cost_id fault)
{
	const struct cost_table *t = &d->v->base->cost;
	u64 faults = d->v->base->region[g - d->v->r->region].faults;
	u64 left = ALIGN_UP(g->peak_bytes, PMD_SIZE) / PMD_SIZE * d->v->r->program.processes;
	u64 fewer = faults - min(faults, left);

	if (d->v->said_hugetlb) {
		d->f->told = true;
		return;
	}
	d->v->said_hugetlb = true;
	cure_hugetlb(d->how, d->v->r, g, false);
	put_how(d);
	put_saving(d, cycles_add(cycles_of(t, COST_EXCEPTION, fewer), cycles_of(t, fault, fewer)));
}

/* The region that most faults of base come from, of files or of other memory; NULL: none is known. */
static const struct sim_region *faulting_region(const struct view *v, bool files, u64 *faults)
{
	const struct sim_region *g = NULL;

	*faults = 0;
	for (unsigned i = 0; i < v->r->nr_regions; i++) {
		const struct sim_region *at = &v->r->region[i];
		bool file = at->kind == REGION_FILE_TEXT || at->kind == REGION_FILE_DATA || cure_is_shared(at);

		if (v->base->region[i].faults <= *faults || file != files)
			continue;
		*faults = v->base->region[i].faults;
		g = at;
	}
	return g;
}

/* ---- walks ---- */

/* A program's or library's file: its code is mapped, too. */
static bool is_program_file(const struct sim_result *r, const struct sim_region *g)
{
	for (unsigned i = 0; i < r->nr_regions; i++)
		if (r->region[i].kind == REGION_FILE_TEXT && strcmp(r->region[i].name, g->name) == 0)
			return true;
	return false;
}

/* Regions that anonymous huge pages do not reach. */
static void remedy_file_or_stack(struct draft *d, const struct sim_region *g)
{
	if (cure_is_shared_hugetlb(g)) {
		fprintf(d->text, " It lies in reserved huge pages, which no machine here has shared: it costs less.");
	} else if (cure_is_shared(g) || is_tcmallocs(d->v, g)) {
		d->f->told = d->v->said_hugetlb;
		if (d->f->told)
			fprintf(d->text, " The remedy is the same.");
		else
			cure_hugetlb(d->how, d->v->r, g, false);
		d->v->said_hugetlb = true;
	} else if (g->kind == REGION_FILE_TEXT)
		fprintf(d->how, "Linux maps a file's code with 4K pages by default: link with "
				"-Wl,-z,max-page-size=0x200000 and call madvise(code, length, MADV_COLLAPSE) at start "
				"(Linux 6.1, CONFIG_READ_ONLY_THP_FOR_FS).");
	else if (g->kind == REGION_FILE_DATA && g->peak_bytes >= PMD_SIZE && !is_program_file(d->v->r, g))
		fprintf(d->how,
			"Read the file into anonymous memory with huge pages, or keep it on a tmpfs mounted with "
			"huge=advise and call madvise(MADV_HUGEPAGE).");
	else if (g->kind == REGION_STACK)
		fprintf(d->how, "The stack stays on 4K pages: move its large arrays to the heap.");
	else
		fprintf(d->how, "No page size that was compared takes them away: visit memory in order, or use less of "
				"it.");
	put_how(d);
}

/* Huge pages would help where they last. */
static bool says_splits(struct draft *d, const struct sim_region *g, const struct sim_region_result *left)
{
	const struct sim_machine_result *thp = d->v->thp;

	if (thp == NULL || thp->count.os.thp_split == 0 || thp->count.os.thp_alloc < thp->count.os.thp_split ||
	    left->peak_huge_bytes < g->peak_bytes / SPLIT_OF)
		return false;
	fprintf(d->text,
		". Transparent huge pages do not last there: of %s that were given %s were split, by a madvise, munmap "
		"or mprotect of a part, and %s of memory lay in huge ones at most.",
		fmt_count(thp->count.os.thp_alloc).s, fmt_count(thp->count.os.thp_split).s,
		fmt_bytes(left->peak_huge_bytes).s);
	fprintf(d->how, "Give back, or protect, whole 2M at multiples of 2M.");
	put_how(d);
	return true;
}

/* brk grows a heap by 132K, which leaves no room for a huge page at the first touch, so that no machine of the run has
 * any there. glibc under its tunable grows it by 2M and asks. */
static bool says_glibc_heap(struct draft *d, const struct sim_region *g)
{
	if (!cure_is_glibc_heap(d->v->r, g) || g->madvised || g->peak_bytes < 2 * PMD_SIZE ||
	    d->v->cure[CURE_MALLOC] != NULL)
		return false;
	if (d->v->said_thp) {
		fprintf(d->text, ", whose remedy is the same.");
		d->f->told = true;
		return true;
	}
	d->v->said_thp = true;
	fprintf(d->text,
		". The heap grows by brk in steps that leave huge pages no room; malloc can grow it by 2M and ask for "
		"them. No machine here shows what that leaves: --machine madvise,malloc-thp=on does.");
	cure_thp(d->how, d->v->r, g, true);
	put_how(d);
	return true;
}

static void find_walks(struct draft *d)
{
	struct view *v = d->v;
	const struct sim_machine_result *malloc;
	const struct sim_region *g;
	u64 all = 0, walks, thp_left, huge_left;
	unsigned top;
	char name[600];

	fprintf(d->text, v->base->bill.row[BILL_L2_HITS].most > v->base->bill.row[BILL_WALKS].most / 4
			     ? "Page walks and L2 TLB hits cost "
			     : "Page walks cost ");
	put_cost(d->text, v, d->cost);
	if (result_top_regions(v->r, v->base, &top, 1) == 0) {
		fprintf(d->text, ", but no region of the program explains them.");
		return;
	}
	g = &v->r->region[top];
	walks = result_region_walks(&v->base->region[top]);
	thp_left = v->thp ? result_region_walks(&v->thp->region[top]) : walks;
	huge_left = v->huge ? result_region_walks(&v->huge->region[top]) : walks;
	for (unsigned i = 0; i < v->r->nr_regions; i++)
		all += result_region_walks(&v->base->region[i]);
	result_region_of(name, sizeof(name), v->r, g);
	fprintf(d->text, "; %s of the walks come from %s", fmt_percent(walks, all).s, name);
	malloc = g->kind == REGION_HEAP || !helps(v, v->thp, g) ? malloc_cure(v, g) : NULL;
	if (malloc && leaves_little(result_region_walks(&malloc->region[top]), walks)) {
		fprintf(d->text, ", and huge pages for malloc's memory leave %s of those.",
			fmt_percent(result_region_walks(&malloc->region[top]), walks).s);
		d->f->told = v->said_thp;
		if (!v->said_thp)
			remedy_thp(d, g, malloc);
		return;
	}
	if (g->kind <= REGION_HEAP && g->peak_bytes >= PMD_SIZE && leaves_little(thp_left, walks)) {
		fprintf(d->text, ", and transparent huge pages leave %s of those.", fmt_percent(thp_left, walks).s);
		d->f->told = v->said_thp;
		if (!v->said_thp)
			remedy_thp(d, g, v->thp);
		return;
	}
	if (g->kind <= REGION_HEAP && says_splits(d, g, v->thp ? &v->thp->region[top] : NULL))
		return;
	if (g->kind <= REGION_HEAP && g->peak_bytes >= PMD_SIZE && leaves_little(huge_left, walks)) {
		fprintf(d->text, ", and %s%s pages leave %s of those.", v->thp != NULL ? "only " : "",
			result_kind(v->huge) == MACHINE_1G ? "1G" : "2M", fmt_percent(huge_left, walks).s);
		d->f->told = v->said_hugetlb;
		if (!v->said_hugetlb)
			remedy_hugetlb(d, g);
	} else if (says_glibc_heap(d, g)) {
		return;
	} else if (v->thp == NULL && v->huge == NULL && g->kind <= REGION_HEAP && g->peak_bytes >= PMD_SIZE) {
		fprintf(d->text, ".");
		fprintf(d->how, "Add --machine thp to see what huge pages leave of them.");
		put_how(d);
	} else {
		fprintf(d->text, ".");
		remedy_file_or_stack(d, g);
	}
}

/* ---- faults ---- */

/* Memory goes back to the kernel and is taken again: pages that were cleared beyond what was ever used at once. */
static u64 refaults(const struct view *v)
{
	u64 pages = v->base->count.os.frames_cleared, peak = v->base->count.peak_rss_bytes / PAGE_SIZE;

	pages = min(pages, zero_faults(v->base)); /* huge pages are cleared whole, touched or not */
	return v->base->count.forks == 0 && v->r->program.processes == 1 && pages > REFAULT_TIMES * peak ? pages - peak
													 : 0;
}

/* Faults that MAP_POPULATE takes, less what it does instead, and to the pages that nobody touches. */
static struct cycles populate_saves(const struct cost_table *t, u64 faults, u64 pages)
{
	u64 more = pages - min(pages, faults);
	struct cycles saves =
	    cycles_less(cycles_add(cycles_of(t, COST_EXCEPTION, faults), cycles_of(t, COST_FAULT_ZERO_WRITE, faults)),
			cycles_of(t, COST_POPULATE, faults));
	struct cycles costs = cycles_add(cycles_of(t, COST_POPULATE, more), cycles_of(t, COST_CLEAR_4K, more));

	return (struct cycles){saves.least - min(saves.least, costs.most), saves.most - min(saves.most, costs.least)};
}

static void find_touch(struct draft *d)
{
	struct view *v = d->v;
	const struct cost_table *t = &v->base->cost;
	u64 zero = zero_faults(v->base), in_region, again = refaults(v);
	const struct sim_region *g = faulting_region(v, false, &in_region);
	u64 pages = g ? g->peak_bytes / PAGE_SIZE : 0;
	char name[600] = "the program's memory";
	const struct sim_machine_result *malloc =
	    g && (g->kind == REGION_HEAP || !helps(v, v->thp, g)) ? malloc_cure(v, g) : NULL;
	bool malloc_helps = malloc && leaves_little_of(cause_cost(malloc, CAUSE_TOUCH), d->cost);
	bool thp_helps = v->thp != NULL && g != NULL && g->peak_bytes >= PMD_SIZE &&
			 leaves_little_of(cause_cost(v->thp, CAUSE_TOUCH), d->cost);

	if (g != NULL)
		result_region_of(name, sizeof(name), v->r, g);
	fprintf(d->text, "First touches of memory cost ");
	put_cost(d->text, v, d->cost);
	fprintf(d->text, ": %s zero-fill page faults, most in %s", fmt_count(zero).s, name);
	if (v->base->count.os.cow_zero > zero / 2)
		fprintf(d->text,
			", and %s more of writes to what was only read before (a first touch that writes takes one)",
			fmt_count(v->base->count.os.cow_zero).s);
	if (again > 0 && g != NULL) {
		fprintf(d->text, ", for a peak of %s: memory is given back and faulted again.",
			fmt_bytes(v->base->count.peak_rss_bytes).s);
		cure_keep(d->how, v->r, g, v->base->count.peak_rss_bytes);
		put_how(d);
		put_saving(
		    d, cycles_add(cycles_add(cycles_of(t, COST_EXCEPTION, again), cycles_of(t, COST_CLEAR_4K, again)),
				  cycles_of(t, COST_FAULT_ZERO_WRITE, again)));
	} else if (malloc_helps || thp_helps) {
		fprintf(d->text, ", and %s make that %s.",
			malloc_helps ? "huge pages for malloc's memory" : "transparent huge pages",
			fmt_count(zero_faults(malloc_helps ? malloc : v->thp)).s);
		d->f->told = v->said_thp;
		if (!v->said_thp)
			remedy_thp(d, g, malloc_helps ? malloc : v->thp);
	} else if (g != NULL && says_glibc_heap(d, g)) {
		return;
	} else if (g != NULL && cure_allocator(v->r, g) == ALLOCATOR_PYTHON && g->peak_bytes >= PMD_SIZE) {
		fprintf(d->text, ". Python maps it by 1M at most, which leaves huge pages no room; malloc need not. No "
				 "machine here shows what that leaves.");
		d->f->told = v->said_thp;
		if (!v->said_thp)
			cure_thp(d->how, v->r, g, true);
		v->said_thp = true;
		put_how(d);
	} else if (g != NULL && is_tcmallocs(v, g)) {
		fprintf(d->text, ". Its heap grows by 1M, which leaves transparent huge pages no room.");
		remedy_no_machine_shows(d, g, COST_FAULT_ZERO_WRITE);
	} else if (g != NULL && g->kind == REGION_ANON && g->peak_bytes >= PMD_SIZE && in_region >= pages / 2 &&
		   !cure_is_allocators(v->r, g)) { /* mapped at once are pages that nobody touches, too */
		fprintf(d->text, ".");
		fprintf(d->how, "Memory that is surely used can be mapped at once: MAP_POPULATE in mmap, or "
				"madvise(MADV_POPULATE_WRITE) on it.");
		put_how(d);
		put_saving(d, populate_saves(t, in_region, pages));
	} else {
		fprintf(d->text, ". No machine here does that for much less.");
		d->f->told = v->nr == 0; /* where it is the dearest, silence would point elsewhere */
	}
}

static void find_files(struct draft *d)
{
	const struct view *v = d->v;
	u64 in_region;
	const struct sim_region *g = faulting_region(v, true, &in_region);
	char name[600] = "files";

	if (g != NULL)
		result_region_of(name, sizeof(name), v->r, g);
	fprintf(d->text, "Page faults on files and shared memory cost ");
	put_cost(d->text, v, d->cost);
	fprintf(d->text, ": %s, most in %s.", fmt_count(v->base->count.os.faults[VM_FAULT_FILE]).s, name);
	if (g == NULL)
		return;
	if (cure_is_shared_hugetlb(g)) {
		fprintf(d->text, " It lies in reserved huge pages, which no machine here has shared: it takes one for "
				 "each 2M.");
		d->f->told = v->nr == 0;
	} else if (cure_is_shared(g) && (v->r->program.processes > 1 || cure_is_allocators(v->r, g))) {
		if (v->r->program.processes > 1)
			fprintf(d->text,
				" Each of %u processes takes them anew, and has page tables of its own for it (%s in "
				"all).",
				v->r->program.processes, fmt_bytes(v->base->count.peak_table_bytes).s);
		remedy_no_machine_shows(d, g, COST_FAULT_FILE);
		return;
	} else if (v->r->program.processes > 4) {
		fprintf(
		    d->how,
		    "Each of %u processes maps its program and libraries anew: start fewer, or link them statically.",
		    v->r->program.processes);
	} else if (g->kind == REGION_FILE_DATA && !is_program_file(v->r, g) &&
		   cure_allocator(v->r, g) != ALLOCATOR_JAVA) { /* its classes */
		fprintf(d->how, "Map the file with MAP_POPULATE where most of it is used, or read it.");
	}
	put_how(d);
}

/* ---- copies ---- */

/* posix_spawn makes a process, too, but copies nothing; it is for children that execute a program at once. */
static void find_forks(struct draft *d, u64 copied, u64 reused)
{
	const struct view *v = d->v;
	const struct machine_counters *c = &v->base->count;
	const struct sim_program *p = &v->r->program;

	fprintf(d->text, "Fork costs ");
	put_cost(d->text, v, d->cost);
	fprintf(
	    d->text,
	    ": %s fork%s that copied %s entries, then %s page faults of writes to what was shared (%s pages copied, %s "
	    "taken back). %s of the children executed a program.",
	    fmt_count(c->forks).s, c->forks == 1 ? "" : "s",
	    fmt_count(c->os.entries[VM_ENTRIES_FORKED][0] + c->os.entries[VM_ENTRIES_FORKED][1]).s,
	    fmt_count(copied + reused).s, fmt_count(copied).s, fmt_count(reused).s,
	    p->forks_exec == 0          ? "None"
	    : p->forks_exec == p->forks ? "All"
					: fmt_count(p->forks_exec).s);
	if (p->forks_exec > p->forks / 2) {
		fprintf(d->how, "Use posix_spawn (or vfork) where the child only executes a program.");
		put_how(d);
		put_saving(d, cycles_less(d->cost, cycles_of(&v->base->cost, COST_FORK, c->forks)));
	} else {
		fprintf(d->how, "%s, or call madvise(MADV_DONTFORK) on what the children do not need.",
			v->base->bill.row[BILL_FORK].most > d->cost.most / 2
			    ? "Fork while there is little memory yet"
			    : "What is written while a child lives is copied: fork when little is written");
		put_how(d);
	}
}

static void find_copies(struct draft *d)
{
	const struct view *v = d->v;
	const struct machine_counters *c = &v->base->count;
	u64 copied = c->os.faults[VM_FAULT_COW_COPY] - c->os.cow_zero, reused = c->os.faults[VM_FAULT_COW_REUSE],
	    in_region;
	const struct sim_region *g;
	char name[600] = "a file that is mapped privately";

	if (c->forks > 0) {
		find_forks(d, copied, reused);
		return;
	}
	g = faulting_region(v, true, &in_region);
	if (g != NULL)
		result_region_of(name, sizeof(name), v->r, g);
	fprintf(d->text, "Copies of private pages cost ");
	put_cost(d->text, v, d->cost);
	fprintf(d->text, ": %s page faults copied a page that is not the program's alone, most in %s; nobody forked. ",
		fmt_count(copied).s, name);
	fprintf(d->how,
		"Initialised data is copied page by page when it is first written: make what is only read const, "
		"and fill the rest at run time; a file that is changed can be mapped MAP_SHARED.");
	put_how(d);
}

/* ---- the kernel's other work ---- */

static void find_signals(struct draft *d)
{
	const struct machine_counters *c = &d->v->base->count;
	u64 n = 0;

	for (unsigned cause = 0; cause < VM_FAULT_NR; cause++)
		if (hw_soft_fault_failed(cause))
			n += c->os.faults[cause];
	fprintf(d->text, "Faults that end in signals cost ");
	put_cost(d->text, d->v, d->cost);
	fprintf(d->text, ": %s of them, SIGSEGV or SIGBUS.", fmt_count(n).s);
	fprintf(
	    d->how,
	    "Where the program catches faults on purpose (guard pages, a collector's barriers), check in the program "
	    "instead, or use userfaultfd's write protection.");
	put_how(d);
}

static void find_flushes(struct draft *d)
{
	static const char *const why[VM_FLUSH_BY_NR] = {
	    [VM_FLUSH_BY_UNMAP] = "munmap and brk",    [VM_FLUSH_BY_ADVICE] = "madvise",
	    [VM_FLUSH_BY_PROTECT] = "mprotect",        [VM_FLUSH_BY_FORK] = "fork",
	    [VM_FLUSH_BY_FAULT] = "copy-on-write",     [VM_FLUSH_BY_FILE] = "truncation and writing back",
	    [VM_FLUSH_BY_COMPACT] = "pages that move", [VM_FLUSH_BY_RECLAIM] = "reclaim",
	};
	const struct view *v = d->v;
	const struct machine_counters *c = &v->base->count;
	u64 in_region;
	const struct sim_region *g = faulting_region(v, false, &in_region);
	unsigned most = 0;

	for (unsigned i = 1; i < VM_FLUSH_BY_NR; i++)
		if (c->os.ipis_by[i] > c->os.ipis_by[most])
			most = i;
	fprintf(d->text, "TLB flushes cost ");
	put_cost(d->text, v, d->cost);
	if (c->os.ipis == 0) {
		fprintf(d->text, ": %s pages flushed singly, %s whole contexts, no other CPU interrupted.",
			fmt_count(c->os.tlb_flush_pages).s, fmt_count(c->os.tlb_flush_all).s);
		return;
	}
	fprintf(d->text, ": %s flushes interrupted other CPUs %s times, most for %s.", fmt_count(c->os.shootdowns).s,
		fmt_count(c->os.ipis).s, why[most]);
	if ((most == VM_FLUSH_BY_UNMAP || most == VM_FLUSH_BY_ADVICE) && g != NULL) {
		fprintf(d->text, " Threads pay for each other's memory that goes back to the kernel.");
		cure_keep(d->how, v->r, g, c->peak_rss_bytes);
	} else if (most == VM_FLUSH_BY_PROTECT) {
		fprintf(d->how,
			"Change larger ranges at once, or change rights by protection keys (pkey_mprotect once, then "
			"PKRU), which flush nothing.");
	} else if (most == VM_FLUSH_BY_FORK || most == VM_FLUSH_BY_FAULT) {
		fprintf(d->how, "Fork before threads are there, or use posix_spawn.");
	}
	put_how(d);
	put_saving(d, d->f->how[0] ? d->cost : (struct cycles){0});
}

/* What to do about many calls of a kind. */
static void remedy_calls(struct draft *d, enum map_call call, const struct sim_region *g)
{
	const struct sim_result *r = d->v->r;

	if (call == MAP_MPROTECT)
		fprintf(d->how, "Change the rights of larger ranges at once, or by protection keys (pkey_mprotect "
				"once, then PKRU).");
	else if (call == MAP_BRK && g != NULL && cure_allocator(r, g) == ALLOCATOR_GLIBC)
		fprintf(d->how, "Let malloc grow its heap by more at once: GLIBC_TUNABLES=glibc.malloc.top_pad=%u.",
			64u << 20);
	else if (call == MAP_MREMAP)
		fprintf(d->how, "Let what grows grow by a share of its size, not by a fixed step.");
	else if (call == MAP_MMAP && g != NULL && cure_allocator(r, g) == ALLOCATOR_JAVA)
		return; /* the virtual machine starts with hundreds, whatever it is told */
	else if (g != NULL && call != MAP_OTHER)
		cure_keep(d->how, r, g, d->v->base->count.peak_rss_bytes);
	else
		fprintf(d->how, "Change larger ranges at once.");
	put_how(d);
}

static void find_maps(struct draft *d)
{
	static const char *const names[MAP_CALL_NR] = {
	    [MAP_MMAP] = "mmap",
	    [MAP_MUNMAP] = "munmap",
	    [MAP_MPROTECT] = "mprotect",
	    [MAP_MREMAP] = "mremap",
	    [MAP_BRK] = "brk",
	    [MAP_MADVISE] = "madvise",
	    [MAP_OTHER] = "mlock, msync or prctl",
	};
	struct view *v = d->v;
	const struct machine_counters *c = &v->base->count;
	const u64(*entries)[2] = c->os.entries;
	u64 unmapped = entries[VM_ENTRIES_UNMAPPED][0] + entries[VM_ENTRIES_UNMAPPED][1], in_region, nr = 0;
	const struct sim_region *g = faulting_region(v, false, &in_region);
	struct cycles calls;
	unsigned most = 0;

	for (unsigned i = 0; i < MAP_CALL_NR; i++) {
		nr += c->map_calls[i];
		most = c->map_calls[i] > c->map_calls[most] ? i : most;
	}
	calls = cycles_of(&v->base->cost, COST_MAP_CALL, nr);
	fprintf(d->text, "Maps and unmaps cost ");
	put_cost(d->text, v, d->cost);
	fprintf(d->text, ": %s calls that change areas, %s of them %s; %s entries unmapped, %s given other rights.",
		fmt_count(nr).s, fmt_count(c->map_calls[most]).s, names[most], fmt_count(unmapped).s,
		fmt_count(entries[VM_ENTRIES_PROTECTED][0] + entries[VM_ENTRIES_PROTECTED][1]).s);
	if (v->thp && g != NULL && g->peak_bytes >= PMD_SIZE &&
	    leaves_little_of(cause_cost(v->thp, CAUSE_MAPS), d->cost)) {
		fprintf(d->text, " With transparent huge pages they cost %s.",
			cycles_text(cause_cost(v->thp, CAUSE_MAPS)).s);
		d->f->told = v->said_thp;
		if (!v->said_thp)
			remedy_thp(d, g, v->thp);
	} else if (calls.most >= d->cost.most / 2) {
		remedy_calls(d, most, g);
		put_saving(d, calls);
	}
}

static void find_entries(struct draft *d)
{
	const struct machine_counters *c = &d->v->base->count;

	fprintf(d->text, "Ways into the kernel and out cost ");
	put_cost(d->text, d->v, d->cost);
	fprintf(d->text, ": %s system calls and %s timer ticks, without what they do.",
		fmt_count(c->kernel_entries[KERNEL_SYSCALL]).s, fmt_count(c->kernel_entries[KERNEL_TICK]).s);
	fprintf(d->how,
		"Ask for more with each call: larger buffers, readv and writev, recvmmsg and sendmmsg, io_uring.");
	put_how(d);
}

static void find_kpti(struct draft *d)
{
	const struct sim_machine_result *m = d->v->base;
	const struct sim_machine_result *without = d->v->cure[CURE_KPTI], *with_pcid = d->v->cure[CURE_PCID];

	fprintf(d->text, "KPTI's loads of CR3 cost ");
	put_cost(d->text, d->v, d->cost);
	fprintf(d->text, ": two for each of %s entries into the kernel, and what they flush is in the walks.",
		fmt_count(m->count.mmu.cr3_loads / 2).s);
	fprintf(d->how, "Run on a processor that Meltdown does not reach%s; or enter the kernel less often.",
		m->cfg.pcid ? "" : ", or on one with PCIDs");
	put_how(d);
	if (without == NULL)
		return;
	if (with_pcid != NULL)
		fprintf(d->text, " PCIDs save %s cycles.",
			cycles_text(cycles_less(m->bill.sum, with_pcid->bill.sum)).s);
	d->f->by = without;
	put_saving(d, cycles_less(m->bill.sum, without->bill.sum));
}

static void find_switches(struct draft *d)
{
	const struct machine_counters *c = &d->v->base->count;

	fprintf(d->text, "Switches cost ");
	put_cost(d->text, d->v, d->cost);
	fprintf(d->text, ": %s between threads, %s between address spaces, on %u CPUs.",
		fmt_count(c->thread_switches).s, fmt_count(c->os.context_switches).s, d->v->base->cfg.cpus);
	fprintf(d->how, "Run fewer threads, or give them more CPUs.");
	put_how(d);
}

static void find_making(struct draft *d)
{
	const struct machine_counters *c = &d->v->base->count;

	fprintf(d->text, "Making and splitting huge pages costs ");
	put_cost(d->text, d->v, d->cost);
	fprintf(d->text, ": %s collapsed, %s split, %s pages moved.", fmt_count(c->os.thp_collapse).s,
		fmt_count(c->os.thp_split).s, fmt_count(c->os.pages_migrated).s);
}

/* ---- waiting ---- */

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

static void find_memory(struct draft *d)
{
	const struct view *v = d->v;
	const struct sim_machine_result *m = v->base, *better = waits_less(v);
	const struct sim_machine_result *roomy = v->cure[CURE_RAM];
	u64 in_region;
	const struct sim_region *g = faulting_region(v, true, &in_region);
	char name[600] = "files";

	if (m->count.os.swap_ins == 0 && m->count.os.reclaimed[0] + m->count.os.reclaimed[1] == 0) {
		if (g != NULL)
			result_region_of(name, sizeof(name), v->r, g);
		fprintf(d->text, "Files are read from disk, and that is waited for: %s for %s pages, most of %s.",
			fmt_time(m->count.io_wait_ns).s, fmt_count(m->count.os.file_reads).s, name);
		fprintf(
		    d->how,
		    "Nothing is short of memory: a second run finds the files in the page cache; before a first one "
		    "posix_fadvise(POSIX_FADV_WILLNEED) or readahead asks for many at once.");
	} else {
		fprintf(
		    d->text,
		    "Memory is short, and that is the cost: on machine %s the program waits %s for %s major faults. "
		    "Resident memory comes to %s, swap to %s, and RAM is %s.",
		    result_machine_name(v->r, m).s, fmt_time(m->count.io_wait_ns).s,
		    fmt_count(m->count.os.major_faults).s, fmt_bytes(m->count.peak_rss_bytes).s,
		    fmt_bytes(m->count.peak_swap_bytes).s, fmt_bytes(m->cfg.ram_bytes).s);
		fprintf(d->how, "Give it more RAM, or let it use less at once.");
	}
	put_how(d);
	if (roomy != NULL && leaves_little(roomy->count.io_wait_ns, m->count.io_wait_ns)) {
		fprintf(d->text, " With %s of RAM it waits %s.", fmt_bytes(roomy->cfg.ram_bytes).s,
			fmt_time(roomy->count.io_wait_ns).s);
		d->f->by = roomy;
		put_saving(d, cycles_less(m->bill.sum, roomy->bill.sum));
		return;
	}
	if (better == NULL)
		return;
	fprintf(d->text, " Of the machines compared, %s waits least: %s.", result_machine_name(v->r, better).s,
		fmt_time(better->count.io_wait_ns).s);
	d->f->by = better;
	put_saving(d, cycles_less(m->bill.sum, better->bill.sum));
}

/* ---- the finding of a cause ---- */

static void (*const find[CAUSE_NR])(struct draft *d) = {
    [CAUSE_WALKS] = find_walks,       [CAUSE_TOUCH] = find_touch,     [CAUSE_FILES] = find_files,
    [CAUSE_COPIES] = find_copies,     [CAUSE_SIGNALS] = find_signals, [CAUSE_FLUSHES] = find_flushes,
    [CAUSE_MAPS] = find_maps,         [CAUSE_ENTRIES] = find_entries, [CAUSE_KPTI] = find_kpti,
    [CAUSE_SWITCHES] = find_switches, [CAUSE_MAKING] = find_making,   [CAUSE_MEMORY] = find_memory,
};

void finding_make(struct view *v, enum cause cause, struct finding *f, struct cycles cost)
{
	struct draft d = {.v = v, .f = f, .cost = cost};

	*f = (struct finding){0};
	d.text = fmemopen(f->text, sizeof(f->text), "w");
	d.how = fmemopen(f->how, sizeof(f->how), "w");
	if (d.text && d.how)
		find[cause](&d);
	if (d.text)
		fclose(d.text);
	if (d.how)
		fclose(d.how);
	f->text[sizeof(f->text) - 1] = '\0';
	f->how[sizeof(f->how) - 1] = '\0';
}
