/* SPDX-License-Identifier: MIT
 *
 * mm/mincore.c - is it in memory? A byte a page: 1, no I/O would be needed for it.
 *
 *   an entry that names a frame    1, the zero page too
 *   a swap entry                   1 if the swap cache has the page still
 *   a guard                        as if it were empty
 *   empty, in a file's area        1 if the page cache has it
 *   empty, anonymous               0
 *
 * Source: Linux 6.12 mm/mincore.c.
 */
#include "mm/pgtable.h"
#include "mm/swap.h"

static bool page_in_core(struct vm_area_struct *vma, u64 va)
{
	struct pt_pos pos;

	pt_walk(vma->vm_mm, va, X86_PT, &pos);
	if (is_swap_entry(*pos.entry))
		return swap_cache_find(vma->vm_mm->vm, swp_slot(*pos.entry));
	if (*pos.entry && !is_guard_entry(*pos.entry))
		return true;
	return vma->vm_file && filemap_in_core(vma->vm_file, vma->vm_pgoff + ((va - vma->vm_start) >> PAGE_SHIFT));
}

long vm_mincore(struct mm_struct *mm, u64 addr, u64 len, u8 *vec)
{
	struct vm_area_struct *vma;

	if (!IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if (addr > TASK_SIZE || len > TASK_SIZE - addr)
		return -ENOMEM;
	for (u64 va = addr; va < addr + len; va += PAGE_SIZE) {
		vma = vma_lookup(mm, va);
		if (!vma)
			return -ENOMEM;
		*vec++ = page_in_core(vma, va);
	}
	return 0;
}
