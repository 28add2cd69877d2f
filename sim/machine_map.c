/* SPDX-License-Identifier: MIT
 *
 * sim/machine_map.c - one simulated computer carries out what changes address spaces. The program's own kernel has done
 * each of these already, with success and at these addresses, so ours is asked for the same with MAP_FIXED; where it
 * refuses, the two disagree and a mismatch is counted. But a machine whose overcommit= promises less than that kernel
 * did is right to refuse: what the program then does there is a SIGSEGV, and it goes on.
 *
 * Each change is sampled before and after (machine.c, invariant 3).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "sim/internal.h"
#include "sim/xalloc.h"

#define ADVICE_POPULATE_WRITE  23
#define ADVICE_DONTNEED_LOCKED 24 /* these two are not in every libc */
#define ADVICE_COLLAPSE        25

static struct machine_cpu *sampled_enter(struct machine *m, struct stream *t)
{
	struct machine_cpu *c = machine_enter(m, t);

	machine_sample(m);
	return c;
}

static struct machine_cpu *change_begin(struct machine *m, struct stream *t, enum map_call call)
{
	m->map_calls[call]++;
	return sampled_enter(m, t);
}

/* result: what mm/ answered, wanted: what the program's kernel did. */
static void change_end(struct machine *m, long result, long wanted)
{
	struct vm_stat stat;

	mm_stat(m->space[m->running->id].mm, &stat);
	m->peak_areas = max(m->peak_areas, stat.map_count);
	m->timeline.now.areas = max(m->timeline.now.areas, (u64)stat.map_count);
	machine_sample(m);
	machine_end_killed(m);
	if (result == wanted || !m->running)
		return;
	if (result == -ENOMEM && m->cfg.overcommit != VM_OVERCOMMIT_ALWAYS)
		m->overcommit_refused++;
	else
		m->mismatches++;
}

/* The huge leaves of [start, end) go. */
static void drop_huge(struct machine *m, struct space *sp, u64 start, u64 end)
{
	u64 *va;
	size_t n = touch_list(&m->touch, sp->id + 1, start, end, &va);

	for (size_t i = 0; i < n; i++)
		machine_huge_gone(m, sp->id, va[i]);
	free(va);
}

/* ---- spaces ---- */

static struct machine_space *space_fit(struct machine *m, struct space *sp)
{
	unsigned old = m->cap_spaces;

	while (m->cap_spaces <= sp->id)
		m->space = xgrow(m->space, &m->cap_spaces, sizeof(*m->space));
	for (; old < m->cap_spaces; old++)
		m->space[old] = (struct machine_space){0};
	return &m->space[sp->id];
}

void machine_space_create(struct machine *m, struct stream *t, struct space *sp)
{
	struct machine_space *in = space_fit(m, sp);

	ASSERT(!in->mm);
	machine_enter_kernel(m, t);
	in->mm = mm_create(m->vm);
	if (!in->mm)
		machine_out_of_memory(m);
}

void machine_space_fork(struct machine *m, struct stream *t, struct space *child)
{
	struct machine_cpu *c = sampled_enter(m, t);
	struct machine_space *in = space_fit(m, child);
	u64 *va;
	size_t n;

	if (mm_fork(c->hw, c->mm, &in->mm) != 0) {
		in->mm = NULL;
		machine_end_killed(m);
		if (m->running && m->cfg.overcommit != VM_OVERCOMMIT_ALWAYS)
			snprintf(m->error, sizeof(m->error),
				 "its overcommit= refuses a fork: the child would be promised as much again");
		else if (m->running)
			machine_out_of_memory(m);
		return;
	}
	n = touch_list(&m->touch, m->running->id + 1, 0, SIM_TASK_SIZE, &va);
	for (size_t i = 0; i < n; i++)
		machine_huge_copied(m, m->running->id, va[i], child, va[i]);
	free(va);
	m->forks++;
	machine_sample(m);
	change_end(m, 0, 0);
}

/* With the last process the last pipe is gone, and what it held. */
static void drop_holds(struct machine *m)
{
	for (unsigned id = 0; id < m->cap_spaces; id++)
		if (m->space[id].mm)
			return;
	while (m->nr_holds)
		vm_release(m->vm, m->hold[--m->nr_holds].pfn, VM_HOLD_GET);
}

void machine_space_destroy(struct machine *m, struct space *sp)
{
	struct machine_space *in = &m->space[sp->id];

	machine_sample(m);
	m->running = sp;
	machine_leave_space(m, sp);
	for (unsigned i = 0; i < HW_SOFT_CPUS; i++)
		ASSERT(m->cpu[i].mm != in->mm);
	mm_put(in->mm);
	*in = (struct machine_space){0};
	m->running = NULL;
	drop_huge(m, sp, 0, SIM_TASK_SIZE);
	drop_holds(m);
}

/* ---- files ---- */

/* This machine's page cache of a file. NULL: no memory. */
static struct address_space *file_get(struct machine *m, unsigned file)
{
	const struct file *f = &m->sim->file[file];
	unsigned old = m->cap_files;

	while (m->cap_files <= file)
		m->file = xgrow(m->file, &m->cap_files, sizeof(*m->file));
	for (; old < m->cap_files; old++)
		m->file[old] = NULL;
	if (m->file[file])
		return m->file[file];
	m->file[file] = f->shmem ? shmem_file_create(m->vm, f->size) : vm_file_create(m->vm, f->size, NULL, NULL);
	if (m->file[file] && f->vvar)
		vm_file_set_pfnmap(m->file[file]);
	return m->file[file];
}

/* The memory that goes with the file's end is sampled before. */
static bool file_begin(struct machine *m, struct stream *t, unsigned file)
{
	if (file >= m->cap_files || !m->file[file])
		return false;
	machine_enter_kernel(m, t);
	machine_sample(m);
	return true;
}

void machine_file_resize(struct machine *m, struct stream *t, unsigned file)
{
	if (file_begin(m, t, file))
		vm_file_resize(m->file[file], m->sim->file[file].size);
}

void machine_file_punch(struct machine *m, struct stream *t, unsigned file, u64 start, u64 len)
{
	if (file_begin(m, t, file))
		vm_file_punch(m->file[file], start, len);
}

/* ---- malloc-thp= : what glibc's malloc asks for under its tunable hugetlb=1 (malloc/malloc.c: sysmalloc, sysmalloc_mmap,
 * mremap_chunk, systrim) ---- */

/* Where sp's heap ends: it begins with 2M, wherever that is, and grows to multiples of 2M. */
static u64 malloc_heap_end(const struct machine *m, const struct space *sp, u64 brk)
{
	u64 first = ALIGN_UP(sp->brk_start, PAGE_SIZE) + PMD_SIZE;

	if (!m->cfg.malloc_thp || brk == sp->brk_start)
		return brk;
	return brk <= first ? first : ALIGN_UP(brk, PMD_SIZE);
}

/* The areas that malloc makes for large blocks. Its arenas are reserved first, without rights. */
static bool malloc_maps(const struct ev_map *e, int file)
{
	return file < 0 && (e->flags & MAP_TYPE) == MAP_PRIVATE && e->prot == (PROT_READ | PROT_WRITE) &&
	       !(e->flags & (MAP_STACK | MAP_NORESERVE | MAP_HUGETLB | MAP_GROWSDOWN));
}

static bool is_anon(const struct machine *m, u64 va)
{
	u32 region = region_find(&m->running->map, va);

	return region != REGION_NONE && m->sim->regions.region[region].info.kind == REGION_ANON;
}

static void malloc_asks(struct machine *m, struct stream *t, u64 start, u64 len)
{
	if (m->cfg.malloc_thp && len >= PMD_SIZE && m->running)
		machine_advise(m, t, start, len, MADV_HUGEPAGE);
}

/* ---- areas ---- */

static long map_file(struct machine *m, struct machine_cpu *c, const struct ev_map *e, struct address_space *f)
{
	return vm_mmap(c->hw, c->mm, e->start, e->len, e->prot, e->flags, f, e->offset >> PAGE_SHIFT);
}

void machine_map(struct machine *m, struct stream *t, const struct ev_map *e, int file, bool stack)
{
	struct machine_cpu *c = change_begin(m, t, MAP_MMAP);
	long got;

	drop_huge(m, m->running, e->start, e->start + e->len);
	if (stack) {
		got = vm_stack(c->hw, c->mm, e->start + e->len, e->len, e->stack_rlimit);
		change_end(m, got, 0);
		return;
	}
	if (file >= 0) {
		struct address_space *f = file_get(m, file);

		got = f ? map_file(m, c, e, f) : -ENOMEM;
	} else {
		got = vm_mmap(c->hw, c->mm, e->start, e->len, e->prot, e->flags, NULL, 0);
	}
	change_end(m, got, e->start);
	if (malloc_maps(e, file))
		malloc_asks(m, t, e->start, e->len);
}

void machine_unmap(struct machine *m, struct stream *t, u64 start, u64 len)
{
	struct machine_cpu *c = change_begin(m, t, MAP_MUNMAP);

	drop_huge(m, m->running, start, start + len);
	change_end(m, vm_munmap(c->hw, c->mm, start, len), 0);
}

void machine_protect(struct machine *m, struct stream *t, u64 start, u64 len, unsigned prot)
{
	struct machine_cpu *c = change_begin(m, t, MAP_MPROTECT);

	change_end(m, vm_mprotect(c->hw, c->mm, start, len, prot), 0);
}

/* Whole huge leaves move as they are where both addresses lie alike in 2M; all others are split by mm/. */
static void remap_huge(struct machine *m, const struct ev_remap *e)
{
	struct space *sp = m->running;
	u64 end = e->old_start + min(e->old_len, e->new_len), by = e->new_start - e->old_start, *va;
	size_t n = touch_list(&m->touch, sp->id + 1, e->old_start, end, &va);

	for (size_t i = 0; i < n && IS_ALIGNED(by, PMD_SIZE); i++)
		if (va[i] >= e->old_start && va[i] + PMD_SIZE <= end)
			machine_huge_copied(m, sp->id, va[i], sp, va[i] + by);
	free(va);
	drop_huge(m, sp, e->old_start, e->old_start + e->old_len);
}

void machine_remap(struct machine *m, struct stream *t, const struct ev_remap *e)
{
	struct machine_cpu *c = change_begin(m, t, MAP_MREMAP);
	bool moves = e->new_start != e->old_start;
	unsigned flags = moves ? e->flags | MREMAP_MAYMOVE | MREMAP_FIXED : 0;

	if (moves) {
		drop_huge(m, m->running, e->new_start, e->new_start + e->new_len);
		remap_huge(m, e);
	} else {
		drop_huge(m, m->running, e->old_start + e->new_len, e->old_start + e->old_len);
	}
	change_end(m, vm_mremap(c->hw, c->mm, e->old_start, e->old_len, e->new_len, flags, e->new_start), e->new_start);
	if (m->running && is_anon(m, e->new_start))
		malloc_asks(m, t, e->new_start, e->new_len);
}

void machine_set_brk(struct machine *m, struct space *sp, u64 start)
{
	vm_set_brk(m->space[sp->id].mm, start);
}

void machine_brk(struct machine *m, struct stream *t, u64 old, u64 brk)
{
	const struct space *sp = t->process->space;
	u64 from = malloc_heap_end(m, sp, old), to = malloc_heap_end(m, sp, brk);
	struct machine_cpu *c;

	if (m->cfg.malloc_thp && from == to)
		return;
	c = change_begin(m, t, MAP_BRK);
	drop_huge(m, m->running, to, from);
	change_end(m, vm_brk(c->hw, c->mm, to), (long)to);
	if (to > from)
		malloc_asks(m, t, ALIGN_DOWN(from, PAGE_SIZE), to - ALIGN_DOWN(from, PAGE_SIZE));
}

void machine_advise(struct machine *m, struct stream *t, u64 start, u64 len, int advice)
{
	struct machine_cpu *c = change_begin(m, t, MAP_MADVISE);
	long got;

	if (advice == MADV_DONTNEED || advice == ADVICE_DONTNEED_LOCKED)
		drop_huge(m, m->running, start, start + len);
	got = vm_madvise(c->hw, c->mm, start, len, advice);
	change_end(m, advice == ADVICE_COLLAPSE ? 0 : got, 0); /* a machine may have no huge page left */
}

void machine_thp_disable(struct machine *m, struct stream *t, bool disable, u64 flags)
{
	struct machine_cpu *c = change_begin(m, t, MAP_OTHER);

	change_end(m, vm_set_thp_disable(c->mm, disable, flags), 0);
}

void machine_hold(struct machine *m, struct stream *t, const struct ev_hold *e)
{
	struct machine_cpu *c = sampled_enter(m, t);
	u64 va = e->start, end = e->start + e->len;

	while (va < end && m->nr_holds < SIM_MAX_HOLDS && machine_has(m, m->running)) {
		struct machine_hold h = {.dev = e->dev, .ino = e->ino};

		h.bytes = min(end, ALIGN_DOWN(va, PAGE_SIZE) + PAGE_SIZE) - va;
		if (vm_hold(c->hw, c->mm, va, VM_HOLD_GET, false, &h.pfn) != 0)
			break;
		if (m->nr_holds == m->cap_holds)
			m->hold = xgrow(m->hold, &m->cap_holds, sizeof(*m->hold));
		m->hold[m->nr_holds++] = h;
		va += h.bytes;
	}
	change_end(m, 0, 0);
}

void machine_drain(struct machine *m, struct stream *t, const struct ev_drain *e)
{
	u64 left = e->bytes;
	unsigned kept = 0;

	if (m->nr_holds == 0)
		return;
	machine_enter_kernel(m, t);
	machine_sample(m);
	for (unsigned i = 0; i < m->nr_holds; i++) {
		struct machine_hold *h = &m->hold[i];
		u64 n = h->dev == e->dev && h->ino == e->ino ? min(left, h->bytes) : 0;

		h->bytes -= n;
		left -= n;
		if (h->bytes)
			m->hold[kept++] = *h;
		else
			vm_release(m->vm, h->pfn, VM_HOLD_GET);
	}
	m->nr_holds = kept;
	machine_sample(m);
}

void machine_sync(struct machine *m, struct stream *t, u64 start, u64 len, unsigned flags)
{
	struct machine_cpu *c = change_begin(m, t, MAP_OTHER);

	change_end(m, vm_msync(c->hw, c->mm, start, len, flags), 0);
}

void machine_lock(struct machine *m, struct stream *t, u64 start, u64 len, u64 how)
{
	struct machine_cpu *c = change_begin(m, t, MAP_OTHER);
	long got;

	if (how == EVL_ALL)
		got = vm_munlockall(c->hw, c->mm);
	else if (how & EVL_ALL)
		got = vm_mlockall(c->hw, c->mm, how & ~(u64)EVL_ALL);
	else if (how == EVL_UNLOCK)
		got = vm_munlock(c->hw, c->mm, start, len);
	else
		got = vm_mlock(c->hw, c->mm, start, len, how == EVL_LOCK_ONFAULT ? MLOCK_ONFAULT : 0);
	change_end(m, got, 0);
}

void machine_populate(struct machine *m, struct stream *t, u64 start, u64 len)
{
	u64 first = ALIGN_DOWN(start, PAGE_SIZE);

	machine_advise(m, t, first, ALIGN_UP(start + len, PAGE_SIZE) - first, ADVICE_POPULATE_WRITE);
}
