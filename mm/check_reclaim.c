/* SPDX-License-Identifier: MIT
 *
 * mm/check_reclaim.c - vm_check() of what reclaim keeps: swap slots, the swap cache, the lists of pages. The numbers
 * are in mm/check.c.
 */
#include "mm/check.h"
#include "mm/lru.h"
#include "mm/swap.h"

/* ---- swap ---- */

void check_slot_owners(struct vm *vm)
{
	for (u64 slot = 0; slot < vm->swap.reached; slot++)
		INV(100, vm->swap.map[slot].count == 0);
}

void census_swap_cache(struct vm *vm, s32 delta)
{
	for (u64 slot = 0; slot < vm->swap.reached; slot++) {
		struct page *page = swap_cache_find(vm, (u32)slot);

		if (!page)
			continue;
		INV(101, page_to_pfn(vm, page) < vm->max_pfn && page->kind == PAGE_ANON && page->order == 0);
		INV(101, page->flags & PG_swapcache && page->private == slot);
		page->_refcount += delta;
	}
}

/* Frames that a device can look into are what their slots say. */
static void check_zeroes(struct vm *vm, u32 slot)
{
	const struct backing_ops *ops = vm->cfg.swap_ops;
	const struct page *page = swap_cache_find(vm, slot);

	if (page && swap_slot_at(vm, slot)->zero && !(page->flags & PG_dirty) && !page->_mapcount)
		INV(105, ops->zero_filled(vm->cfg.swap_ctx, page_to_pfn(vm, page)));
}

static void check_cluster(struct vm *vm, u64 cluster, u64 *used, u64 *idle, u64 *cached)
{
	u64 end = min((cluster + 1) * SWAP_CLUSTER, vm->swap.slots), before = *used;

	for (u64 slot = cluster * SWAP_CLUSTER; slot < end; slot++) {
		struct swap_slot *s = swap_slot_at(vm, (u32)slot);

		*used += swap_slot_used(s);
		*cached += s->cached;
		check_zeroes(vm, (u32)slot);
		if (!s->cached || s->count)
			continue;
		++*idle;
		INV(101, swap_cache_find(vm, (u32)slot)->_refcount > 1); /* else nobody will ever come for it */
	}
	INV(102, *used - before == vm->swap.cluster_taken[cluster]);
}

void check_slots(struct vm *vm)
{
	u64 used = 0, idle = 0, cached = 0, flagged = 0;

	INV(102, vm->swap.reached <= vm->swap.slots);
	for (u64 cluster = 0; cluster * SWAP_CLUSTER < vm->swap.reached; cluster++)
		check_cluster(vm, cluster, &used, &idle, &cached);
	INV(102, used == vm->swap.used && used <= vm->swap.peak_used);
	INV(102, idle == vm->swap.idle);
	for (u64 pfn = 0; pfn < vm->max_pfn; pfn = block_end(vm, pfn)) {
		struct page *page = pfn_to_page(vm, pfn);

		if ((page->kind != PAGE_ANON && page->kind != PAGE_FILE) || !(page->flags & PG_swapcache))
			continue;
		INV(101, page->kind == PAGE_ANON);
		flagged++;
	}
	INV(101, flagged == cached);
}

/* ---- lists ---- */

/* Links and counts. Returns the blocks on the list. */
static u64 check_list(struct vm *vm, unsigned list, u64 frames[NR_LRU_TYPES])
{
	u64 blocks = 0, nr = 0;
	u32 prev = 0;

	for (u32 pfn = vm->reclaim.list[list].head; pfn; prev = pfn, pfn = pfn_to_page(vm, pfn)->lru_next) {
		struct page *page = pfn_to_page(vm, pfn);

		INV(110, page->kind == PAGE_ANON || page->kind == PAGE_FILE);
		INV(110, page->flags & PG_lru && page_list(page) == list && page->lru_prev == prev);
		INV(112, list != LRU_LIST_WRITTEN ||
			     (page->flags & PG_swapcache && !page->_mapcount && !(page->flags & PG_dirty)));
		INV(113, list != LRU_LIST_UNEVICTABLE || page_vm_flags(vm, page) & VM_LOCKED);
		nr += 1ull << page->order;
		frames[page_lru_type(page)] += lru_evictable_frames(page, list);
		blocks++;
		INV(110, blocks <= vm->max_pfn);
	}
	INV(110, vm->reclaim.list[list].tail == prev);
	INV(111, vm->reclaim.list[list].nr == nr);
	return blocks;
}

/* As many on lists as there are pages, each with the mark: so each is on one, once. */
void check_lists(struct vm *vm)
{
	u64 frames[NR_LRU_TYPES] = {0}, listed = 0, pages = 0;

	for (unsigned list = 0; list < NR_LRU_LISTS; list++)
		listed += check_list(vm, list, frames);
	for (unsigned type = 0; type < NR_LRU_TYPES; type++)
		INV(111, frames[type] == vm->reclaim.nr[type]);
	for (u64 pfn = 0; pfn < vm->max_pfn; pfn = block_end(vm, pfn)) {
		struct page *page = pfn_to_page(vm, pfn);

		if (page->kind != PAGE_ANON && page->kind != PAGE_FILE)
			continue;
		INV(110, page->flags & PG_lru);
		pages++;
	}
	INV(110, listed == pages);
	INV(110, !vm->reclaim.memalloc);
}
