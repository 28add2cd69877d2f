/* SPDX-License-Identifier: MIT
 *
 * sim/machine.c - one simulated computer runs a thread's accesses: the TLBs, the page faults, and where both come from.
 *
 *   EV_ENTER --> mmu_access --OK--> [walked? its region pays] [huge? the page is touched] --> next
 *                   ^  \
 *                   |   #PF --> vm_fault --0--> retry
 *                   +-----------------'  \--SIGSEGV, SIGBUS--> the program had it too, or came late: next
 *                                         \--no memory--> the process ends on this machine (machine_end_killed)
 *
 * Invariants
 *  1. mm/ is entered with hw_this_cpu() = the thread's CPU and `running` = its space (cpu.c), in kernel mode.
 *  2. A CPU holds an mm only while its space lives: machine_space_destroy switches it away first.
 *  3. rss_pages is a count of frames, so what processes share counts once. Memory grows in faults and shrinks in
 * mapping events, each sampled before and after, so the peaks are exact and do not depend on how events come in
 * batches. A machine that has reclaimed once is sampled after every fault, since it shrinks in any.
 *  4. `running` lives on this machine, or is NULL: who ends, in the program or by the OOM killer, runs no more.
 *  5. Between events nobody is marked `killed`: whom the OOM killer chose ended with the event.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/internal.h"
#include "sim/xalloc.h"

#define HZ_DEFAULT    250
#define MAX_RETRIES   8  /* a fault that cures nothing so often will never: counted as a mismatch */
#define LAZYFREE_STEP 64 /* sample_lazyfree() */
#define AHEAD         8  /* words: mmu_expect() */

/* ---- regions ---- */

static void more_huge(struct machine *m, u32 region, u64 chunks)
{
	struct sim_region_result *r = &m->region[region];

	m->region_huge[region] += chunks * PMD_SIZE;
	r->peak_huge_bytes = max(r->peak_huge_bytes, m->region_huge[region]);
}

static void huge_appeared(struct machine *m, u32 space, u64 va, unsigned order, u32 region)
{
	u64 size = PAGE_SIZE << order, start = ALIGN_DOWN(va, size), chunks = 0;

	for (u64 at = start; at < start + size; at += PMD_SIZE)
		chunks += touch_set_huge(&m->touch, space + 1, at, region);
	more_huge(m, region, chunks);
}

void machine_huge_gone(struct machine *m, u32 space, u64 va)
{
	u32 region = touch_clear_huge(&m->touch, space + 1, va);

	if (region != REGION_NONE)
		m->region_huge[region] -= PMD_SIZE;
}

void machine_huge_copied(struct machine *m, u32 from, u64 va, struct space *to, u64 new_va)
{
	u32 region = region_find(&to->map, new_va);

	if (region == REGION_NONE)
		return;
	machine_huge_gone(m, to->id, new_va);
	touch_copy(&m->touch, from + 1, va, to->id + 1, new_va, region);
	more_huge(m, region, 1);
}

/* A fault was handled at va of the running space: its region has it. The huge zero page is nobody's memory. */
static void fault_seen(struct machine *m, const struct vm_event *ev)
{
	u32 region;

	ASSERT(m->running && mm_id(m->space[m->running->id].mm) == ev->mm);
	region = region_find(&m->running->map, ev->va);
	m->faulted = true;
	if (region == REGION_NONE)
		return;
	if (ev->type == VM_EV_FAULT)
		m->region[region].faults++;
	if (!hw_soft_fault_failed(ev->cause))
		region_grow(&m->sim->regions, &m->running->map, region, ev->va);
	heat_fault(m, ev->va, ev->order, ev->type == VM_EV_FAULT);
	if (ev->order >= HPAGE_PMD_ORDER && ev->cause != VM_FAULT_ZERO_READ)
		huge_appeared(m, m->running->id, ev->va, ev->order, region);
}

/* The space that an mm is of. Reclaim works on any. */
static struct space *space_of(const struct machine *m, u32 mm)
{
	u32 id = 0;

	if (m->running && mm_id(m->space[m->running->id].mm) == mm)
		return m->running;
	while (id < m->cap_spaces && (!m->space[id].mm || mm_id(m->space[id].mm) != mm))
		id++;
	ASSERT(id < m->cap_spaces);
	return m->sim->space[id];
}

/* Small pages are about to become a huge one. Those that are there were touched. */
static void collapse_seen(struct machine *m, const struct vm_event *ev)
{
	struct space *sp = space_of(m, ev->mm);
	u32 region = region_find(&sp->map, ev->va);

	m->faulted = true;
	if (region == REGION_NONE)
		return;
	huge_appeared(m, sp->id, ev->va, ev->order, region);
	for (u64 va = ev->va; va < ev->va + PMD_SIZE; va += PAGE_SIZE) {
		u64 entry;

		if (vm_lookup(m->space[sp->id].mm, va, &entry))
			touch_mark(&m->touch, sp->id + 1, va);
	}
}

static void kill_seen(struct machine *m, const struct vm_event *ev)
{
	struct space *victim = space_of(m, ev->mm);

	ASSERT(m->running);
	m->space[victim->id].killed = true;
	m->kills = true;
	m->running_dies |= victim == m->running;
	if (m->oom_note[0])
		return;
	snprintf(m->oom_note, sizeof(m->oom_note),
		 "process %llu was killed for want of memory: it held %llu MiB (resident, swapped, page tables), the "
		 "most of all; process %llu needed a page",
		 (unsigned long long)victim->pid, (unsigned long long)(ev->n * PAGE_SIZE >> 20),
		 (unsigned long long)m->running->pid);
}

/* A 1G leaf that is split becomes 2M leaves: still huge. */
static void observe(void *ctx, const struct vm_event *ev)
{
	struct machine *m = ctx;

	if (ev->type == VM_EV_FAULT || ev->type == VM_EV_POPULATE)
		fault_seen(m, ev);
	else if (ev->type == VM_EV_THP_SPLIT && ev->order == HPAGE_PMD_ORDER)
		machine_huge_gone(m, space_of(m, ev->mm)->id, ev->va);
	else if (ev->type == VM_EV_THP_COLLAPSE)
		collapse_seen(m, ev);
	else if (ev->type == VM_EV_RECLAIM)
		m->short_of_memory = true;
	else if (ev->type == VM_EV_OOM_KILL)
		kill_seen(m, ev);
}

/* Room for the figures of every region there is. */
void machine_fit_regions(struct machine *m)
{
	unsigned nr = m->nr_regions, want = m->sim->regions.nr;

	if (likely(nr >= want))
		return;
	want = max(want, 2 * nr);
	m->region = xcheck(reallocarray(m->region, want, sizeof(*m->region)));
	m->region_huge = xcheck(reallocarray(m->region_huge, want, sizeof(*m->region_huge)));
	memset(m->region + nr, 0, (want - nr) * sizeof(*m->region));
	memset(m->region_huge + nr, 0, (want - nr) * sizeof(*m->region_huge));
	m->nr_regions = want;
}

/* ---- a machine ---- */

int machine_init(struct machine *m, struct sim *s, const struct machine_config *cfg)
{
	struct hw_soft_config hw = {
	    .preset = cfg->preset,
	    .ram_bytes = cfg->ram_bytes,
	    .ram = cfg->ram,
	    .pcid = cfg->pcid,
	    .host_page = cfg->host_page,
	    .lines = true,
	    .oracle = cfg->oracle,
	    .observe = observe,
	    .interrupt = kernel_interrupt,
	    .ctx = m,
	};
	struct vm_config vm;

	m->sim = s;
	m->cfg = *cfg;
	m->payer = NO_PAYER;
	m->hw = hw_soft_create(&hw);
	if (!m->hw)
		return -1;
	vm = machine_vm_config(&m->cfg);
	vm.ram_base = hw_soft_ram(m->hw);
	vm.ram_dirty = cfg->ram;
	vm.max_map_count =
	    ~0u; /* what the program's kernel granted is granted: its limit may be higher than Linux's own */
	m->vm = vm_init(m->hw, &vm);
	if (!m->vm) {
		hw_soft_destroy(m->hw);
		m->hw = NULL;
		errno = ENOMEM;
		return -1;
	}
	touch_init(&m->touch);
	return 0;
}

/* mm/ lives in the machine's RAM and goes with it. */
void machine_destroy(struct machine *m)
{
	if (!m->hw)
		return;
	hw_soft_destroy(m->hw);
	touch_free(&m->touch);
	free(m->program_count);
	free(m->row_share);
	free(m->thread);
	free(m->waits_since);
	free(m->space);
	free(m->file);
	free(m->hold);
	free(m->region);
	free(m->region_huge);
}

void machine_out_of_memory(struct machine *m)
{
	snprintf(m->error, sizeof(m->error),
		 "out of memory: %llu MiB of RAM held %llu MiB of the program and no more, and nobody could be killed; "
		 "give it more with ram=SIZE or swap=SIZE",
		 (unsigned long long)(m->cfg.ram_bytes >> 20), (unsigned long long)(m->rss_pages * PAGE_SIZE >> 20));
}

void machine_stop(struct machine *m)
{
	vm_meminfo(m->vm, &m->at_stop);
	m->running = NULL;
	hw_soft_release_ram(m->hw);
}

void machine_meminfo(const struct machine *m, struct vm_meminfo *out)
{
	if (m->at_stop.total_frames)
		*out = m->at_stop;
	else
		vm_meminfo(m->vm, out);
}

/* On this machine the process ends; the program itself goes on, and the other machines follow it. */
static void end_space(struct machine *m, struct space *sp)
{
	for (unsigned i = 0; i < HW_SOFT_CPUS; i++)
		if (m->cpu[i].mm == m->space[sp->id].mm)
			m->cpu[i].runs = false;
	machine_space_destroy(m, sp);
}

void machine_end_killed(struct machine *m)
{
	struct space *running = m->running;

	if (likely(!m->kills))
		return;
	for (u32 id = 0; id < m->cap_spaces; id++)
		if (m->space[id].killed)
			end_space(m, m->sim->space[id]);
	m->running = m->running_dies ? NULL : running;
	m->kills = m->running_dies = false;
}

/* At the highest so far. To ask every entry takes as long as there is memory: it is done again when that has grown by a
 * part of LAZYFREE_STEP, or has come to be lazily free at all. */
static void sample_lazyfree(struct machine *m, u64 given_up)
{
	if (!given_up) {
		m->peak_lazyfree = m->lazyfree_seen_at = 0;
	} else if (m->rss_pages >= m->lazyfree_seen_at + m->lazyfree_seen_at / LAZYFREE_STEP + !m->lazyfree_seen_at) {
		m->peak_lazyfree = vm_lazyfree_pages(m->vm);
		m->lazyfree_seen_at = m->rss_pages;
	}
}

void machine_sample(struct machine *m)
{
	struct vm_meminfo info;

	vm_meminfo(m->vm, &info);
	m->rss_pages = info.anon_frames + info.file_mapped;
	m->peak_table_bytes = max(m->peak_table_bytes, info.table_frames * PAGE_SIZE);
	if (m->rss_pages >= m->peak_rss_pages) {
		m->peak_rss_pages = m->rss_pages;
		m->peak_untouched_bytes = touch_untouched_bytes(&m->touch);
		m->peak_partly_unmapped = info.partly_unmapped;
		sample_lazyfree(m, info.lazyfree);
	}
	m->most_lazyfree = max(m->most_lazyfree, info.lazyfree);
	m->peak_swap_pages = max(m->peak_swap_pages, info.swap_used);
	timeline_see(m, &info);
	ASSERT(m->rss_pages <= m->peak_rss_pages);
	m->faulted = false;
	machine_share_memory(m);
}

u32 machine_areas(const struct machine *m)
{
	struct vm_stat stat;
	u32 most = 0;

	for (u32 id = 0; id < m->cap_spaces; id++) {
		if (!m->space[id].mm)
			continue;
		mm_stat(m->space[id].mm, &stat);
		most = max(most, stat.map_count);
	}
	return most;
}

void machine_forget(struct machine *m)
{
	struct vm_meminfo info;

	machine_meminfo(m, &info);
	m->swap_peak_before = info.swap_peak;
	m->peak_rss_pages = m->peak_table_bytes = m->most_lazyfree = m->peak_swap_pages = 0;
	m->peak_lazyfree = m->lazyfree_seen_at = 0;
	m->peak_areas = 0;
	for (unsigned i = 0; i < m->nr_regions; i++)
		m->region[i] = (struct sim_region_result){.peak_huge_bytes = m->region_huge[i]};
	if (m->error[0])
		return;
	m->peak_areas = machine_areas(m);
	machine_sample(m);
}

/* ---- accesses ---- */

static void account_walk(struct machine *m, struct machine_cpu *c, u64 va, unsigned fetch, unsigned size)
{
	const struct mmu_counters *k = c->counters;
	u32 region = region_find(&m->running->map, va);

	if (region != REGION_NONE) {
		struct sim_region_result *r = &m->region[region];

		r->walks[fetch] += k->walks[fetch] - c->walks[fetch];
		r->walk_steps += k->walk_steps[0] - c->walk_steps;
	}
	heat_walk(m, &m->heat, va, size);
	c->walks[fetch] = k->walks[fetch];
	c->walk_steps = k->walk_steps[0];
}

/* The access ended in #PF or #GP, as r says: handles it and tries again. From user mode each #PF is an entry of its
 * own. Returns true when the access went through; false when it has no way (the program got a signal) or memory is
 * full. */
static bool machine_fault(struct machine *m, struct machine_cpu *c, u64 va, unsigned access, int slot,
			  struct mmu_result *r)
{
	for (unsigned i = 0; i < MAX_RETRIES; i++) {
		bool cured;

		if (access & MMU_USER)
			kernel_enter(m, c, KERNEL_FAULT);
		ASSERT(machine_may_call_mm(m, c));
		cured = r->outcome != MMU_GP && vm_fault(c->hw, c->mm, va, r->error_code) == 0;
		if (access & MMU_USER)
			kernel_exit(m, c);
		if (m->short_of_memory)
			machine_sample(m);
		if (!cured)
			return false;
		if (mmu_access(c->mmu, va, access, slot, r) == MMU_OK)
			return true;
	}
	m->mismatches++;
	return false;
}

static inline bool machine_access(struct machine *m, struct machine_cpu *c, u64 va, unsigned access, int slot,
				  struct mmu_result *r)
{
	if (unlikely(mmu_access(c->mmu, va, access, slot, r) != MMU_OK) && !machine_fault(m, c, va, access, slot, r))
		return false;
	if (r->level_hit == 0)
		account_walk(m, c, va, (access & MMU_KIND) == MMU_FETCH, r->size);
	if ((r->size != MMU_4K || m->cfg.host_page) && m->touch.huge_chunks != 0)
		touch_mark(&m->touch, m->running->id + 1, va);
	return true;
}

static inline void enter_word(struct machine *m, struct machine_cpu *c, u64 w, struct mmu_result *r)
{
	static const u8 kind[8] = {[EVR_READ] = MMU_READ,
				   [EVR_WRITE] = MMU_WRITE,
				   [EVR_READ | EVR_WRITE] = MMU_WRITE,
				   [EVR_FETCH] = MMU_FETCH};

	if (unlikely(ev_is_leave(w)))
		mmu_window_leave(c->mmu, ev_enter_slot(w));
	else
		machine_access(m, c, ev_enter_va(w), kind[ev_enter_rwx(w)] | MMU_USER, ev_enter_slot(w), r);
}

void machine_enter_word(struct machine *m, struct machine_cpu *c, u64 word)
{
	struct mmu_result r;

	enter_word(m, c, word, &r);
}

/* Words i of a run. Where one walks, others do, and each reads a line of page tables that the host's caches may not have
 * either, unless it is asked for some words ahead. */
static inline void run_word(struct machine *m, struct machine_cpu *c, const u64 *words, size_t n, size_t i)
{
	struct mmu_result r = {.level_hit = 1};

	enter_word(m, c, words[i], &r);
	if (r.level_hit == 0 && i + AHEAD < n)
		mmu_expect(c->mmu, ev_enter_va(words[i + AHEAD]));
}

/* On a machine whose CPUs lose windows (cpu.c). */
static void run_with_window(struct machine *m, struct machine_cpu *c, struct machine_thread *th, const u64 *words,
			    size_t n)
{
	for (size_t i = 0; i < n && !m->running_dies; i++) {
		if (window_is_lost(c) && !ev_is_leave(words[i]))
			window_reenter(m, c, th);
		run_word(m, c, words, n, i);
		window_note(th, words[i]);
	}
}

void machine_run(struct machine *m, struct stream *t, const u64 *words, size_t n)
{
	struct machine_cpu *c = machine_enter_user(m, t);
	struct machine_thread *th = machine_window(m, t);

	if (th)
		run_with_window(m, c, th, words, n);
	else
		for (size_t i = 0; i < n && !m->running_dies; i++)
			run_word(m, c, words, n, i);
	if (m->faulted)
		machine_sample(m);
	machine_end_killed(m);
}

/* What copy_from_user and copy_to_user do: a page that cannot be had ends it (EFAULT). */
void machine_touch(struct machine *m, struct stream *t, u64 start, u64 len, bool write)
{
	struct machine_cpu *c = machine_enter(m, t);
	struct mmu_result r;

	for (u64 va = start; va < start + len; va = ALIGN_DOWN(va, PAGE_SIZE) + PAGE_SIZE)
		if (!machine_access(m, c, va, (write ? MMU_WRITE : MMU_READ) | MMU_AC, -1, &r))
			break;
	if (m->faulted)
		machine_sample(m);
	machine_end_killed(m);
}
