/* SPDX-License-Identifier: MIT
 *
 * mm/fragment.c - free memory as it lies on a machine that has run for a while.
 *
 * Fragmentation is the share of free memory that lies in blocks under 2M. A machine that boots has next to none. Here
 * one frame in some of the free 2M is taken, so that the other 511 are a block each of 1, 2, 4 .. 256 frames:
 *
 *   2M:  [K.......................]  [........................]  [F.......................]   K a frame of the kernel's
 *                                              whole                                          F a page of an old file
 *
 * As many, spread evenly, as make the share. In turns the frame is the kernel's, which stays where it is for ever, and
 * a page in the cache of a file that nobody uses any more, which reclaim may drop and compaction may move: Linux keeps
 * the two sorts apart by 2M (its pageblocks), so that the second can be had back.
 */
#include "mm/internal.h"
#include "mm/lru.h"

#define PER_MILLE 1000

/* A whole 2M is free there. */
static bool whole(struct vm *vm, u64 pfn)
{
	struct page *block = free_block_at(vm, pfn);

	return block && block->order >= HPAGE_PMD_ORDER;
}

static u64 count_whole(struct vm *vm)
{
	u64 n = 0;

	for (unsigned order = HPAGE_PMD_ORDER; order <= MAX_ORDER; order++)
		n += vm->free_area[order].nr_free << (order - HPAGE_PMD_ORDER);
	return n;
}

/* How many of n whole 2M to break up. Each takes one frame from the free ones, and adds 511 to those in small blocks:
 * (small + 511 k) / (free - k) is the share. */
static u64 count_to_break(const struct vm *vm, u64 n)
{
	u64 free = vm->kind_frames[PAGE_FREE], small = free - n * PTRS_PER_TABLE, share = vm->cfg.fragmentation;
	u64 want = share * free, have = PER_MILLE * small;

	return want <= have ? 0 : min((want - have) / (PER_MILLE * (PTRS_PER_TABLE - 1) + share), n);
}

/* Takes the first frame of a 2M: the kernel's, or (old != NULL) the file's page. Returns false: RAM is full. */
static bool take_frame(struct vm *vm, u64 pfn, struct address_space *old, u64 index)
{
	struct page *page = alloc_pages_at(vm, pfn, 0, old ? PAGE_FILE : PAGE_KERNEL);

	if (!page || !old)
		return page;
	if (filemap_add_page(old, index, page)) {
		put_page(vm, page);
		return false;
	}
	lru_add(vm, page, LRU_NEW);
	return true;
}

void fragment_memory(struct vm *vm)
{
	u64 n = count_whole(vm), want = count_to_break(vm, n), seen = 0, broken = 0;
	struct address_space *old = want ? vm_file_create(vm, want << PAGE_SHIFT, NULL, NULL) : NULL;

	for (u64 pfn = 0; old && pfn < vm->max_pfn && broken < want; pfn += PTRS_PER_TABLE) {
		if (!whole(vm, pfn))
			continue;
		if (++seen * want / n == broken)
			continue;
		if (!take_frame(vm, pfn, broken & 1 ? old : NULL, broken))
			return;
		broken++;
	}
}
