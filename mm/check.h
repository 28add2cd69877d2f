/* SPDX-License-Identifier: MIT
 *
 * mm/check.h - between the two files of vm_check(): check.c (address spaces, frames, CPUs) and check_reclaim.c (swap,
 * lists of pages).
 */
#ifndef MM_CHECK_H
#define MM_CHECK_H

#include "mm/internal.h"

#define INV(n, cond)                                                                                                   \
	do {                                                                                                           \
		if (unlikely(!(cond)))                                                                                 \
			hw_panic("vm_check: invariant " #n ": " #cond);                                                \
	} while (0)

/* The frame after the block that pfn begins; blocks follow each other. A frame that is in none is passed alone, what
 * mm/ itself lies in at once: nothing was ever written about those frames, and they are as many as RAM is large. */
static inline u64 block_end(struct vm *vm, u64 pfn)
{
	const struct page *page = pfn_to_page(vm, pfn);

	if (page->kind != PAGE_RESERVED)
		return pfn + (1ull << page->order);
	return pfn >= vm->own_start && pfn < vm->own_end ? vm->own_end : pfn + 1;
}

/* The owners that a walk found were taken down from the slots' counts: all must be zero now. 100 */
void check_slot_owners(struct vm *vm);
/* 101, 102: slots, their pages, and the counts of both. */
void check_slots(struct vm *vm);
/* A swap cache's references, as delta says. */
void census_swap_cache(struct vm *vm, s32 delta);
/* 110 to 113: who is on a list. */
void check_lists(struct vm *vm);

#endif
