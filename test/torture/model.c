/* SPDX-License-Identifier: MIT
 *
 * test/torture/model.c - the calls of Linux on an array of pages.
 *
 * Source: the manual pages mmap(2), munmap(2), mprotect(2), mremap(2), madvise(2), mlock(2), msync(2), fork(2), and Linux
 * 6.12 where they are silent: errors halfway (mm/mprotect.c, mm/madvise.c, mm/mlock.c, mm/msync.c), what MAP_POPULATE and
 * locks write to (mm/gup.c populate_vma_page_range), what truncation takes from private maps (mm/memory.c
 * unmap_mapping_range), what guards refuse (Linux 6.18 mm/madvise.c).
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "test/torture/model.h"

/* Not in every libc. */
#define ADVICE_DONTNEED_LOCKED 24
#define ADVICE_COLLAPSE        25
#define ADVICE_GUARD_INSTALL   102
#define ADVICE_GUARD_REMOVE    103

#define ANY_RIGHT              (PROT_READ | PROT_WRITE | PROT_EXEC)

/* A call's range as pages of the window. */
struct range {
	unsigned first, end;
};

void model_init(struct model *m)
{
	memset(m, 0, sizeof(*m));
	m->alive[0] = true;
	m->object = calloc(MODEL_FILES, sizeof(*m->object));
	m->objects = MODEL_FILES;
}

void model_destroy(struct model *m)
{
	for (unsigned i = 0; i < m->objects; i++)
		free(m->object[i].value);
	free(m->object);
}

u8 *model_byte(struct model *m, struct page *p, unsigned k)
{
	return p->object < 0 || p->own ? &p->value[k] : &m->object[p->object].value[p->index][k];
}

static unsigned page_of(u64 va)
{
	return (unsigned)((va - MODEL_BASE) >> PAGE_SHIFT);
}

static struct range range_of(const struct play_call *call)
{
	unsigned first = page_of(call->value[PLAY_ADDR]);

	return (struct range){first, first + (unsigned)(ALIGN_UP(call->value[PLAY_LEN], PAGE_SIZE) >> PAGE_SHIFT)};
}

static bool all_unmapped(const struct page *page, struct range r)
{
	for (unsigned i = r.first; i < r.end; i++)
		if (page[i].mapped)
			return false;
	return true;
}

static void forget(struct page *page, struct range r)
{
	if (r.first < r.end)
		memset(page + r.first, 0, (r.end - r.first) * sizeof(*page));
}

/* ---- accesses ---- */

static bool refuse(struct play_outcome *want, int signal, int code, u64 at)
{
	want->signal = signal;
	want->code = code;
	want->at = at;
	return false;
}

static bool past_the_end(const struct model *m, const struct page *p)
{
	return p->object >= 0 && p->index >= m->object[p->object].pages;
}

bool model_may_access(const struct model *m, const struct page *p, unsigned op, u64 va, struct play_outcome *want)
{
	u32 right = op == PLAY_WRITE ? PROT_WRITE : op == PLAY_EXEC ? PROT_EXEC : ANY_RIGHT;

	if (!p->mapped)
		return refuse(want, SIGSEGV, SEGV_MAPERR, va);
	if (!(p->prot & (op == PLAY_EXEC ? ANY_RIGHT : right)))
		return refuse(want, SIGSEGV, SEGV_ACCERR, va);
	if (p->guard)
		return refuse(want, SIGSEGV, SEGV_MAPERR, va);
	if (past_the_end(m, p))
		return refuse(want, SIGBUS, BUS_ADRERR, va);
	return p->prot & right || refuse(want, SIGSEGV, SEGV_ACCERR, va); /* a fetch first brings the page */
}

/* A private page of a file becomes the process' own. */
static void copy_to_own(struct model *m, struct page *p)
{
	if (p->own || p->shared || p->object < 0)
		return;
	memcpy(p->value, m->object[p->object].value[p->index], sizeof(p->value));
	p->own = true;
}

static void access_byte(struct model *m, struct page *p, const struct play_call *call, unsigned i, u64 va,
			const struct play_outcome *got, struct play_outcome *want)
{
	unsigned k = (va & (PAGE_SIZE - 1)) != 0; /* the generator uses the first and the last byte of a page only */
	u8 *byte = model_byte(m, p, k);

	if (call->op == PLAY_WRITE) {
		copy_to_own(m, p);
		*model_byte(m, p, k) = call->data[i];
		p->maybe_zero[k] = p->droppable;
		return;
	}
	if (p->unknown || (p->maybe_zero[k] && got->data[i] == 0))
		want->data[i] = got->data[i];
	else
		want->data[i] = *byte;
	if (p->maybe_zero[k] && got->data[i] == 0 && !got->signal && call->value[PLAY_OVER] <= PAGE_SIZE)
		*byte = 0;
}

static void step_access(struct model *m, const struct play_call *call, const struct play_outcome *got,
			struct play_outcome *want)
{
	u64 start = call->value[PLAY_ADDR], end = start + max(call->value[PLAY_OVER], 1ull);

	for (u64 va = start; va < end; va += PAGE_SIZE) {
		for (unsigned i = 0; i < call->nr_data; i++) {
			unsigned n = page_of(va + i);
			static struct page outside;
			struct page *p = n < MODEL_PAGES ? &m->page[call->process][n] : &outside;

			if (!model_may_access(m, p, call->op, va + i, want)) {
				return;
			}
			if (call->op != PLAY_EXEC)
				access_byte(m, p, call, i, va + i, got, want);
		}
	}
	want->nr_data = call->op == PLAY_READ ? call->nr_data : 0;
}

/* ---- processes and files ---- */

static void step_fork(struct model *m, const struct play_call *call)
{
	struct page *child = m->page[call->other];

	memcpy(child, m->page[call->process], sizeof(m->page[0]));
	m->alive[call->other] = true;
	for (unsigned i = 0; i < MODEL_PAGES; i++) {
		if (child[i].dontfork)
			child[i] = (struct page){0};
		child[i].locked = child[i].onfault = false;
		if (!child[i].wipeonfork)
			continue;
		child[i].guard = false;
		memset(child[i].value, 0, sizeof(child[i].value));
		memset(child[i].maybe_zero, 0, sizeof(child[i].maybe_zero));
		child[i].unknown = false;
	}
}

static void step_resize(struct model *m, const struct play_call *call)
{
	struct object *file = &m->object[call->file];
	unsigned pages = (unsigned)(call->value[PLAY_LEN] >> PAGE_SHIFT);

	if (call->op != PLAY_RESIZE)
		file->value = calloc(MODEL_FILE_PAGES, sizeof(*file->value));
	for (unsigned i = pages; i < file->pages; i++)
		memset(file->value[i], 0, sizeof(file->value[i]));
	for (unsigned i = 0; i < PLAY_PROCESSES; i++)
		for (unsigned k = 0; k < MODEL_PAGES; k++)
			if (m->page[i][k].mapped && m->page[i][k].object == call->file && m->page[i][k].index >= pages)
				m->page[i][k].own = false;
	file->pages = pages;
}

/* ---- areas ---- */

/* Faults pages in as get_user_pages does. Returns 0 or -errno, and stops there; at a hole perhaps not. */
static int populate(struct model *m, struct page *page, struct range r, bool write)
{
	int hole = 0;

	for (unsigned i = r.first; i < r.end && !(hole && m->populate_stops); i++) {
		if (!page[i].mapped) {
			hole = -ENOMEM;
			continue;
		}
		if (!(page[i].prot & (write ? PROT_WRITE : PROT_READ)))
			return -EINVAL;
		if (page[i].guard || past_the_end(m, &page[i]))
			return -EFAULT;
		if (write)
			copy_to_own(m, &page[i]);
	}
	return hole;
}

/* Faults pages in as their areas' rights and locks say. Returns whether all are there. After one that is not, the pages of
 * its area are left as they are; where areas end is not known here. */
static bool populate_areas(struct model *m, struct page *page, struct range r)
{
	bool all = true;

	for (unsigned i = r.first; i < r.end; i++) {
		struct page *p = &page[i];
		bool copies = p->prot & PROT_WRITE && !p->shared;

		if (p->onfault)
			continue;
		if (!all && copies && p->object >= 0 && !p->own)
			p->unknown = true;
		all = all && p->prot & ANY_RIGHT && !p->guard && !past_the_end(m, p);
		if (all && copies)
			copy_to_own(m, p);
	}
	return all;
}

static bool is_populate(int advice)
{
	return advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE;
}

static int new_object(struct model *m, unsigned pages)
{
	m->object = realloc(m->object, (m->objects + 1) * sizeof(*m->object));
	m->object[m->objects] = (struct object){pages, calloc(pages, MODEL_BYTES)};
	return (int)m->objects++;
}

static s64 step_mmap(struct model *m, const struct play_call *call)
{
	struct page *page = m->page[call->process];
	struct range r = range_of(call);
	bool shared = call->flags & MAP_SHARED, droppable = (call->flags & MAP_TYPE) == MODEL_DROPPABLE;
	int object = call->file;

	if (!call->value[PLAY_LEN] || !IS_ALIGNED(call->value[PLAY_ADDR], PAGE_SIZE) ||
	    (droppable && call->flags & MAP_LOCKED))
		return -EINVAL;
	if (call->flags & MAP_FIXED_NOREPLACE && !all_unmapped(page, r))
		return -EEXIST;
	if (shared && object < 0)
		object = new_object(m, r.end - r.first);
	for (unsigned i = r.first; i < r.end; i++)
		page[i] = (struct page){.mapped = true,
					.shared = shared,
					.locked = call->flags & MAP_LOCKED,
					.droppable = droppable,
					.wipeonfork = droppable,
					.prot = (u8)call->prot,
					.object = object,
					.index = (u32)(call->value[PLAY_OFFSET] >> PAGE_SHIFT) + i - r.first};
	if (call->flags & (MAP_POPULATE | MAP_LOCKED))
		populate_areas(m, page, r);
	return (s64)call->value[PLAY_ADDR];
}

static s64 step_munmap(struct model *m, const struct play_call *call)
{
	if (!call->value[PLAY_LEN] || !IS_ALIGNED(call->value[PLAY_ADDR], PAGE_SIZE))
		return -EINVAL;
	forget(m->page[call->process], range_of(call));
	return 0;
}

/* What comes before a hole is changed. */
static s64 step_mprotect(struct model *m, const struct play_call *call)
{
	struct page *page = m->page[call->process];
	struct range r = range_of(call);
	bool in_vain = false;

	if (!IS_ALIGNED(call->value[PLAY_ADDR], PAGE_SIZE))
		return -EINVAL;
	for (unsigned i = r.first; i < r.end; i++) {
		struct page *p = &page[i];
		bool copied = p->locked && !p->shared && !(p->prot & PROT_WRITE) && call->prot & PROT_WRITE;

		if (!p->mapped)
			return -ENOMEM;
		p->prot = (u8)call->prot;
		/* Locked memory that becomes writable is copied at once: up to what cannot be, in its area. */
		if (copied && !populate_areas(m, page, (struct range){i, i + 1}))
			in_vain = true;
		else if (copied && in_vain && p->object >= 0)
			p->unknown = true;
	}
	return 0;
}

/* ---- locks ---- */

/* Unaligned addresses are rounded down. */
static struct range whole_pages(const struct play_call *call)
{
	u64 end = ALIGN_UP(call->value[PLAY_ADDR] + call->value[PLAY_LEN], PAGE_SIZE);

	return (struct range){page_of(call->value[PLAY_ADDR]), page_of(end)};
}

/* What comes before a hole is locked, or not any more; nothing is brought in then. */
static s64 step_mlock(struct model *m, const struct play_call *call)
{
	struct page *page = m->page[call->process];
	struct range r = whole_pages(call);
	bool lock = call->op == PLAY_MLOCK;

	for (unsigned i = r.first; i < r.end; i++) {
		if (!page[i].mapped)
			return -ENOMEM;
		if (page[i].droppable)
			continue;
		page[i].locked = lock;
		page[i].onfault = lock && call->flags & MLOCK_ONFAULT;
	}
	return !lock || populate_areas(m, page, r) ? 0 : -ENOMEM;
}

static s64 step_msync(const struct model *m, const struct play_call *call)
{
	const struct page *page = m->page[call->process];
	struct range r = range_of(call);
	int hole = 0;

	if (!IS_ALIGNED(call->value[PLAY_ADDR], PAGE_SIZE) || (call->flags & MS_ASYNC && call->flags & MS_SYNC))
		return -EINVAL;
	for (unsigned i = r.first; i < r.end; i++) {
		if (!page[i].mapped && call->flags == MS_ASYNC)
			return -ENOMEM;
		if (!page[i].mapped)
			hole = -ENOMEM;
		else if (page[i].locked && call->flags & MS_INVALIDATE)
			return -EBUSY;
	}
	return hole;
}

/* Which are in memory is the kernel's business. */
static s64 step_mincore(const struct model *m, const struct play_call *call, const struct play_outcome *got,
			struct play_outcome *want)
{
	struct range r = range_of(call);

	if (!IS_ALIGNED(call->value[PLAY_ADDR], PAGE_SIZE))
		return -EINVAL;
	for (unsigned i = r.first; i < r.end; i++)
		if (!m->page[call->process][i].mapped)
			return -ENOMEM;
	want->nr_data = got->nr_data;
	memcpy(want->data, got->data, sizeof(want->data));
	return 0;
}

/* Page i of the source, as it appears at the new place. */
static struct page moved(const struct page *source, unsigned pages, unsigned i)
{
	struct page p = source[0];

	if (i < pages)
		return source[i];
	p.index += i;
	p.own = p.unknown = p.guard = false;
	memset(p.value, 0, sizeof(p.value));
	memset(p.maybe_zero, 0, sizeof(p.maybe_zero));
	return p;
}

static void step_move(struct model *m, struct page *page, struct range from, struct range to, bool keep)
{
	static struct page copy[MODEL_PAGES];
	unsigned old_pages = from.end - from.first, new_pages = to.end - to.first;

	for (unsigned i = 0; i < new_pages; i++)
		copy[i] = moved(page + from.first, old_pages, i);
	for (unsigned i = from.first; i < from.end && keep; i++) { /* MREMAP_DONTUNMAP: an empty area stays */
		page[i] = moved(page + i, 0, 0);
		page[i].locked = page[i].onfault = false;
	}
	if (!keep)
		forget(page, from);
	memcpy(page + to.first, copy, new_pages * sizeof(*copy));
	if (new_pages > old_pages && copy[0].locked)
		populate_areas(m, page, (struct range){to.first + old_pages, to.end});
}

/* The source lies in one area (the runner sees to that), or begins in none. */
static s64 step_mremap(struct model *m, const struct play_call *call)
{
	struct page *page = m->page[call->process];
	const u64 *v = call->value;
	struct range from = range_of(call), to = {page_of(v[PLAY_NEW_ADDR]), 0};
	unsigned new_pages = (unsigned)(ALIGN_UP(v[PLAY_NEW_LEN], PAGE_SIZE) >> PAGE_SHIFT);

	if (!IS_ALIGNED(v[PLAY_ADDR], PAGE_SIZE) || !new_pages)
		return -EINVAL;
	if (call->flags & MREMAP_FIXED) {
		to.end = to.first + new_pages;
		if (!IS_ALIGNED(v[PLAY_NEW_ADDR], PAGE_SIZE) || (from.first < to.end && to.first < from.end))
			return -EINVAL;
		if (!page[from.first].mapped)
			return -EFAULT;
		if (from.first == from.end && !page[from.first].shared)
			return -EINVAL;
		step_move(m, page, from, to, call->flags & MREMAP_DONTUNMAP);
		return (s64)v[PLAY_NEW_ADDR];
	}
	if (!page[from.first].mapped)
		return -EFAULT;
	to = (struct range){from.end, from.first + new_pages};
	if (to.end > to.first && !all_unmapped(page, to))
		return -ENOMEM;
	for (unsigned i = to.first; i < to.end; i++)
		page[i] = moved(page + from.first, 0, i - from.first);
	if (page[from.first].locked)
		populate_areas(m, page, to);
	forget(page, (struct range){to.end, from.end});
	return (s64)v[PLAY_ADDR];
}

/* The process' own contents go. */
static void drop(struct page *p)
{
	p->unknown = p->unknown && p->shared;
	if (p->shared)
		return;
	p->own = false;
	memset(p->value, 0, sizeof(p->value));
	memset(p->maybe_zero, 0, sizeof(p->maybe_zero));
}

/* A hole in the object. */
static int remove_page(struct model *m, const struct page *p)
{
	if (p->locked || p->object < 0)
		return -EINVAL;
	if (!p->shared)
		return -EACCES;
	if (!past_the_end(m, p))
		memset(m->object[p->object].value[p->index], 0, MODEL_BYTES);
	return 0;
}

/* Returns 0, -EINVAL or -EACCES. */
static int advise_page(struct model *m, struct page *p, int advice)
{
	switch (advice) {
	case MADV_DONTNEED:
		if (p->locked)
			return -EINVAL;
		drop(p);
		return 0;
	case ADVICE_DONTNEED_LOCKED:
		drop(p);
		return 0;
	case ADVICE_GUARD_INSTALL:
		if (p->locked)
			return -EINVAL;
		drop(p);
		p->guard = true;
		return 0;
	case ADVICE_GUARD_REMOVE:
		p->guard = false;
		return 0;
	case MADV_REMOVE:
		return remove_page(m, p);
	case MADV_COLD:
	case MADV_PAGEOUT:
		return p->locked ? -EINVAL : 0;
	case MADV_DODUMP:
		return p->droppable ? -EINVAL : 0;
	case MADV_FREE:
		if (p->object >= 0 || p->locked)
			return -EINVAL;
		memset(p->maybe_zero, true, sizeof(p->maybe_zero));
		return 0;
	case MADV_DONTFORK:
	case MADV_DOFORK:
		p->dontfork = advice == MADV_DONTFORK;
		return 0;
	case MADV_WIPEONFORK:
		p->wipeonfork |= p->object < 0;
		return p->object < 0 ? 0 : -EINVAL;
	case MADV_KEEPONFORK:
		if (p->droppable)
			return -EINVAL;
		p->wipeonfork = false;
		return 0;
	default:
		return 0;
	}
}

static s64 step_madvise(struct model *m, const struct play_call *call, const struct play_outcome *got)
{
	struct page *page = m->page[call->process];
	struct range r = range_of(call);
	int hole = 0, err;

	if (!IS_ALIGNED(call->value[PLAY_ADDR], PAGE_SIZE))
		return -EINVAL;
	if (is_populate(call->advice))
		return populate(m, page, r, call->advice == MADV_POPULATE_WRITE);
	if (call->advice == ADVICE_COLLAPSE) /* whether it succeeds is the kernel's business */
		return got->result;
	for (unsigned i = r.first; i < r.end; i++) {
		err = page[i].mapped ? advise_page(m, &page[i], call->advice) : 0;
		if (err)
			return err;
		if (!page[i].mapped)
			hole = -ENOMEM;
	}
	return hole;
}

/* ---- memory is short ---- */

/* What the call was to change may have changed or not. The areas say which; contents are not relied on any more. */
static void learn(struct model *m, const struct play_call *call, const struct play_maps *areas, unsigned first,
		  u64 bytes)
{
	struct page *page = m->page[call->process];

	for (unsigned i = first; i < first + (bytes + PAGE_SIZE - 1) / PAGE_SIZE && i < MODEL_PAGES; i++) {
		u64 va = model_address(i);
		bool mapped = false;

		for (unsigned k = 0; k < areas->nr; k++) {
			if (va < areas->area[k].start || va >= areas->area[k].end)
				continue;
			mapped = true;
			page[i].prot = (u8)areas->area[k].prot;
			page[i].locked = areas->area[k].locked;
			page[i].onfault = call->op == PLAY_MLOCK && call->flags & MLOCK_ONFAULT;
		}
		if (!mapped)
			page[i] = (struct page){0};
		else
			page[i].unknown |= call->op != PLAY_MPROTECT;
	}
}

static bool out_of_memory(struct model *m, const struct play_call *call, const struct play_outcome *got,
			  const struct play_maps *areas)
{
	if (!m->short_of_memory || (got->result != -ENOMEM && got->result != -EAGAIN))
		return false;
	if (call->op == PLAY_MADVISE && got->result == -ENOMEM && !is_populate(call->advice))
		return false; /* a hole */
	if (call->op == PLAY_MPROTECT || call->op == PLAY_MADVISE || call->op == PLAY_MREMAP ||
	    call->op == PLAY_MLOCK || call->op == PLAY_MUNLOCK)
		learn(m, call, areas, page_of(call->value[PLAY_ADDR]), call->value[PLAY_LEN]);
	if (call->op == PLAY_MREMAP && call->flags & MREMAP_FIXED)
		learn(m, call, areas, page_of(call->value[PLAY_NEW_ADDR]), call->value[PLAY_NEW_LEN]);
	return true;
}

/* ---- a step ---- */

static s64 call_step(struct model *m, const struct play_call *call, const struct play_outcome *got,
		     struct play_outcome *want)
{
	switch (call->op) {
	case PLAY_SPAWN:
		m->alive[call->process] = true;
		memset(m->page[call->process], 0, sizeof(m->page[0]));
		return 0;
	case PLAY_FORK:
		step_fork(m, call);
		return 0;
	case PLAY_EXIT:
		m->alive[call->process] = m->doomed[call->process] = false;
		memset(m->page[call->process], 0, sizeof(m->page[0]));
		return 0;
	case PLAY_MEMFD:
	case PLAY_FILE:
	case PLAY_RESIZE:
		step_resize(m, call);
		return 0;
	case PLAY_MMAP:
		return step_mmap(m, call);
	case PLAY_MUNMAP:
		return step_munmap(m, call);
	case PLAY_MPROTECT:
		return step_mprotect(m, call);
	case PLAY_MREMAP:
		return step_mremap(m, call);
	case PLAY_MADVISE:
		return step_madvise(m, call, got);
	case PLAY_MLOCK:
	case PLAY_MUNLOCK:
		return step_mlock(m, call);
	case PLAY_MSYNC:
		return step_msync(m, call);
	case PLAY_MINCORE:
		return step_mincore(m, call, got, want);
	default:
		return 0; /* SWITCH, THP_DISABLE */
	}
}

void model_step(struct model *m, const struct play_call *call, const struct play_outcome *got,
		const struct play_maps *areas, struct play_outcome *want)
{
	*want = (struct play_outcome){0};
	if (out_of_memory(m, call, got, areas))
		want->result = got->result;
	else if (play_is_access(call->op))
		step_access(m, call, got, want);
	else
		want->result = call_step(m, call, got, want);
}

unsigned model_compare_areas(const struct model *m, unsigned process, const struct play_maps *areas)
{
	unsigned k = 0;

	for (unsigned i = 0; i < MODEL_PAGES; i++) {
		const struct page *p = &m->page[process][i];
		u64 va = model_address(i);

		while (k < areas->nr && areas->area[k].end <= va)
			k++;
		if (p->mapped != (k < areas->nr && areas->area[k].start <= va))
			return i;
		if (p->mapped && (p->prot != areas->area[k].prot || p->shared != areas->area[k].shared ||
				  p->locked != areas->area[k].locked))
			return i;
	}
	return MODEL_PAGES;
}
