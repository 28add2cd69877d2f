/* SPDX-License-Identifier: MIT
 *
 * mm/lru.h - pages on lists, and was a page used? What replacement policies are built from; and shadows, the memory of
 * pages that are gone.
 */
#ifndef MM_LRU_H
#define MM_LRU_H

#include "mm/internal.h"
#include "mm/policy.h"

/* Anonymous: it needs a swap slot to leave. Shared anonymous memory does, too; what MADV_FREE gave up does not. */
static inline enum lru_type page_lru_type(const struct page *page)
{
	bool anon = page->kind == PAGE_ANON ? !(page->flags & PG_lazyfree) : page->flags & PG_shmem;

	return anon ? LRU_ANON : LRU_FILE;
}
/* Reclaim may forget the page. It is on no list. */
static inline void page_set_lazyfree(struct vm *vm, struct page *page)
{
	vm->lazyfree += !(page->flags & PG_lazyfree);
	page->flags |= PG_lazyfree;
}
static inline unsigned page_list(const struct page *page)
{
	return page->flags >> PG_list_shift;
}

/* Frames of the block, which is on this list or comes there, that may go: they count in vm->reclaim.nr. */
static inline u64 lru_evictable_frames(const struct page *page, unsigned list)
{
	return list == LRU_LIST_UNEVICTABLE ? 0 : 1ull << page->order;
}

/* page: a block's head, on no list. tail: it is the next to leave; else the last. */
void lru_list_add(struct vm *vm, struct page *page, unsigned list, bool tail);
/* Off its list. */
void lru_list_del(struct vm *vm, struct page *page);
/* The page moved to another frame, whose struct page is a copy of its own: it takes its place on the list. */
void lru_list_replace(struct vm *vm, struct page *from, struct page *to);
/* The page at the tail, or NULL. */
struct page *lru_list_last(struct vm *vm, unsigned list);

/* Hands a page to the policy. */
void lru_add(struct vm *vm, struct page *page, enum lru_hint hint);

void lru_give_back(struct vm *vm, struct page *page);
/* A lock or a mapping of the block, a head, went: where it lies with those that are locked, the policy has it again, and
 * reclaim looks anew. Linux: munlock_folio(). */
static inline void lru_make_evictable(struct vm *vm, struct page *page)
{
	if (unlikely(page->flags & PG_lru && page_list(page) == LRU_LIST_UNEVICTABLE))
		lru_give_back(vm, page);
}

/* Who used the block since this was last asked. Clears the accessed bits. */
struct page_use {
	unsigned referenced; /* entries whose accessed bit was set */
	u64 vm_flags;        /* of all areas that map it, or-ed */
};
struct page_use page_referenced(struct vm *vm, struct page *page);
/* The flags alone; accessed bits stay. */
u64 page_vm_flags(struct vm *vm, struct page *page);

/* ---- shadows: when a page was evicted; 31 bits, never 0 ---- */
u32 shadow_make(struct vm *vm, const struct page *page);
/* The page comes back: does it belong to the working set, so that it should not have gone? *workingset: it was active
 * when it went. shadow 0: nothing is known, false. */
bool shadow_refault(struct vm *vm, u32 shadow, bool *workingset);

#endif
