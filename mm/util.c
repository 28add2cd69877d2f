/* SPDX-License-Identifier: MIT
 *
 * mm/util.c - over-commitment: may so much memory be promised? And a square root.
 *
 *   always (sysctl 1)   yes
 *   guess  (sysctl 0)   unless this one request is more than all RAM and swap
 *   never  (sysctl 2)   as long as all promises fit into half of RAM and all of swap
 *
 * A promise is a private writable area without MAP_NORESERVE (VM_ACCOUNT), touched or not; `never` knows no
 * MAP_NORESERVE. The sum is not kept but
 * taken when it is asked for: only `never` asks, and so there is no count that could drift.
 *
 * Source: Linux 6.12 mm/util.c (__vm_enough_memory, vm_commit_limit), for a process with CAP_SYS_ADMIN.
 */
#include "mm/vma.h"

#define OVERCOMMIT_RATIO   50                            /* percent of RAM */
#define USER_RESERVE_PAGES (128ull << (20 - PAGE_SHIFT)) /* kept for others to log in and kill what runs wild */

/* Pages of mm that are promised. */
static u64 accounted(struct mm_struct *mm)
{
	u64 pages = 0;

	for (struct vm_area_struct *vma = vma_find(mm, 0); vma; vma = vma_next(vma))
		pages += vma->vm_flags & VM_ACCOUNT ? vma_pages(vma) : 0;
	return pages;
}

bool vm_enough_memory(struct mm_struct *mm, u64 pages)
{
	struct vm *vm = mm->vm;
	u64 limit = vm->total_frames * OVERCOMMIT_RATIO / 100 + vm->swap.slots, promised = pages;

	if (vm->cfg.overcommit == VM_OVERCOMMIT_ALWAYS)
		return true;
	if (vm->cfg.overcommit == VM_OVERCOMMIT_GUESS)
		return pages <= vm->total_frames + vm->swap.slots;
	limit -= min(limit, min(mm->total_vm / 32, USER_RESERVE_PAGES));
	for (struct mm_struct *other = vm->mm_list; other; other = other->next)
		promised += accounted(other);
	return promised < limit;
}

/* ---- what the C library would have ---- */

u64 int_sqrt(u64 x)
{
	u64 root = 0;

	for (u64 bit = 1ull << 31; bit; bit >>= 1) {
		if ((root | bit) * (root | bit) <= x)
			root |= bit;
	}
	return root;
}
