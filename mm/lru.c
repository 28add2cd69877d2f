/* SPDX-License-Identifier: MIT
 *
 * mm/lru.c - lists of pages, accessed bits, and shadows.
 *
 *   list.head -> [page] <-> [page] <-> [page] <- list.tail     the tail leaves first; flags bits 15..12 name the list
 *
 * A shadow is what is left of an evicted page, in its swap slot or in its place in the page cache:
 *
 *    30                         1   0
 *   +-----------------------------+----+
 *   | reclaim.evictions, +1 if 0  | WS |     WS: it had been active
 *   +-----------------------------+----+
 * When the page comes back, the evictions since then tell how much longer the lists would have had to be to keep it. If
 * that is no more than what is in memory now, evicting it was a mistake (Linux: refault distance).
 *
 * Invariants (numbers as mm/check.c prints them)
 *   110 a page that users may map is on one list of its type, once; no other page is on any
 *   111 the counts of frames agree with the lists
 *   112 a page that was written to swap and waits to go is clean, in the swap cache, and nobody maps it
 *   113 a page that no policy sees because it is locked is mapped by a locked area
 *
 * Sources: Linux 6.12 mm/workingset.c (the comment at its head), mm/rmap.c (folio_referenced), mm/swap.c.
 */
#include "mm/lru.h"
#include "mm/pgtable.h"

/* ---- lists ---- */

void lru_list_add(struct vm *vm, struct page *page, unsigned list, bool tail)
{
	struct lru_list *l = &vm->reclaim.list[list];
	u32 pfn = (u32)page_to_pfn(vm, page);

	ASSERT(!(page->flags & PG_lru) && (page->kind == PAGE_ANON || page->kind == PAGE_FILE));
	page->flags = (u16)((page->flags & ((1u << PG_list_shift) - 1)) | PG_lru | list << PG_list_shift);
	page->lru_prev = tail ? l->tail : 0;
	page->lru_next = tail ? 0 : l->head;
	if (page->lru_prev)
		pfn_to_page(vm, page->lru_prev)->lru_next = pfn;
	else
		l->head = pfn;
	if (page->lru_next)
		pfn_to_page(vm, page->lru_next)->lru_prev = pfn;
	else
		l->tail = pfn;
	l->nr += 1ull << page->order;
	vm->reclaim.nr[page_lru_type(page)] += lru_evictable_frames(page, list);
}

void lru_list_del(struct vm *vm, struct page *page)
{
	unsigned list = page_list(page);
	struct lru_list *l = &vm->reclaim.list[list];

	ASSERT(page->flags & PG_lru);
	if (page->lru_prev)
		pfn_to_page(vm, page->lru_prev)->lru_next = page->lru_next;
	else
		l->head = page->lru_next;
	if (page->lru_next)
		pfn_to_page(vm, page->lru_next)->lru_prev = page->lru_prev;
	else
		l->tail = page->lru_prev;
	page->flags &= (u16)~PG_lru;
	l->nr -= 1ull << page->order;
	vm->reclaim.nr[page_lru_type(page)] -= lru_evictable_frames(page, list);
}

void lru_list_replace(struct vm *vm, struct page *from, struct page *to)
{
	struct lru_list *l = &vm->reclaim.list[page_list(from)];
	u32 pfn = (u32)page_to_pfn(vm, to);

	ASSERT(from->flags & PG_lru);
	*(from->lru_prev ? &pfn_to_page(vm, from->lru_prev)->lru_next : &l->head) = pfn;
	*(from->lru_next ? &pfn_to_page(vm, from->lru_next)->lru_prev : &l->tail) = pfn;
}

struct page *lru_list_last(struct vm *vm, unsigned list)
{
	u32 pfn = vm->reclaim.list[list].tail;

	return pfn ? pfn_to_page(vm, pfn) : NULL;
}

void lru_add(struct vm *vm, struct page *page, enum lru_hint hint)
{
	vm->reclaim.policy->add(vm, page, hint);
}

void lru_give_back(struct vm *vm, struct page *page)
{
	lru_list_del(vm, page);
	lru_add(vm, page, LRU_KEPT);
}

/* ---- accessed bits ---- */

struct use_walk {
	u64 pfn;
	bool clear;
	struct page_use use;
};

static void look_at_mapping(void *ctx, struct mm_struct *mm, u64 va)
{
	struct use_walk *w = ctx;
	struct vm_area_struct *vma;
	struct pt_pos pos;

	pt_walk(mm, va, X86_PT, &pos);
	if (!entry_leaf(*pos.entry, pos.level) || entry_pfn(*pos.entry) != w->pfn)
		return;
	vma = vma_lookup(mm, va);
	w->use.vm_flags |= vma->vm_flags;
	w->use.referenced += w->clear && pt_clear_young(&pos);
}

static struct page_use look_at_block(struct vm *vm, struct page *page, bool clear)
{
	struct use_walk w = {.pfn = page_to_pfn(vm, page), .clear = clear};

	for (u64 i = 0; i < 1ull << page->order; i++, w.pfn++) {
		if (page[i]._mapcount)
			rmap_walk(vm, page + i, look_at_mapping, &w);
	}
	return w.use;
}

struct page_use page_referenced(struct vm *vm, struct page *page)
{
	return look_at_block(vm, page, true);
}

u64 page_vm_flags(struct vm *vm, struct page *page)
{
	return look_at_block(vm, page, false).vm_flags;
}

/* ---- what MADV_FREE gave up ---- */

static void look_for_write(void *ctx, struct mm_struct *mm, u64 va)
{
	bool *written = ctx;
	struct pt_pos pos;

	pt_walk(mm, va, X86_PT, &pos);
	*written |= *pos.entry & X86_PTE_D;
}

u64 vm_lazyfree_pages(struct vm *vm)
{
	u64 pages = 0;

	for (unsigned list = 0; vm->lazyfree && list < NR_LRU_LISTS; list++) {
		for (u32 pfn = vm->reclaim.list[list].head; pfn; pfn = pfn_to_page(vm, pfn)->lru_next) {
			struct page *page = pfn_to_page(vm, pfn);
			bool written = page->flags & PG_dirty;

			if (page->kind != PAGE_ANON || !(page->flags & PG_lazyfree))
				continue;
			rmap_walk(vm, page, look_for_write, &written);
			pages += !written;
		}
	}
	return pages;
}

/* ---- shadows ---- */

#define SHADOW_AGE_BITS 30

u32 shadow_make(struct vm *vm, const struct page *page)
{
	u32 age = ++vm->reclaim.evictions & ((1u << SHADOW_AGE_BITS) - 1);

	return (age ? age : 1) << 1 | !!(page->flags & PG_workingset);
}

bool shadow_refault(struct vm *vm, u32 shadow, bool *workingset)
{
	u32 distance = (vm->reclaim.evictions - (shadow >> 1)) & ((1u << SHADOW_AGE_BITS) - 1);

	*workingset = shadow & 1;
	return shadow && distance <= vm->reclaim.nr[LRU_ANON] + vm->reclaim.nr[LRU_FILE];
}
