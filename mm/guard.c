/* SPDX-License-Identifier: MIT
 *
 * mm/guard.c - guard pages: pages of an area that nobody may touch (MADV_GUARD_INSTALL, MADV_GUARD_REMOVE, Linux 6.13;
 * in areas of files since 6.15). A guard is an entry, not an area: a million of them leave the area whole.
 *
 *   area   |---------------------------------------|
 *   PTEs   [page|page|GUARD|page| 0 |GUARD|GUARD| 0 ]     an access to a GUARD is SIGSEGV (SEGV_MAPERR)
 *
 *     63      52 51                                  12 11  10 ... 0
 *   +-----------+--------------------------------------+---+--------+
 *   |     0     |  all ones: above any RAM (swap.h)    | 1 |   0    |     PTE_GUARD: the one value that there is
 *   +-----------+--------------------------------------+---+--------+
 *
 * What was in its place goes, as with DONTNEED. It stays when pages are dropped (DONTNEED, FREE, a file cut short),
 * moves with mremap, and is the child's after fork: so its area has an anon_vma, or fork would take it for untouched.
 * It goes with its part of the area (munmap, exit), or by GUARD_REMOVE, which leaves the place empty. Whoever brings
 * pages in (mlock, populate) fails there, and no huge page is made over it.
 *
 * Source: Linux 6.12's successors, mm/madvise.c (madvise_guard_install, madvise_guard_remove), as 6.18 does it.
 */
#include "mm/vma.h"
#include "mm/pgtable.h"

bool vm_entry_guard(u64 entry)
{
	return is_guard_entry(entry);
}

int guard_install(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 start, u64 end)
{
	struct mm_struct *mm = vma->vm_mm;
	struct pt_pos pos;

	if (vma->vm_flags & (VM_SPECIAL | VM_HUGETLB | VM_LOCKED))
		return -EINVAL;
	anon_vma_prepare(vma);
	if (zap_page_range(tlb, vma, start, end))
		return -ENOMEM;
	for (u64 va = start; va < end; va += PAGE_SIZE) {
		pt_walk(mm, va, X86_PT, &pos);
		if (pt_extend(mm, va, X86_PT, &pos))
			return -ENOMEM;
		if (!*pos.entry)
			pt_set(NULL, mm, &pos, PTE_GUARD);
	}
	return 0;
}

int guard_remove(struct vm_area_struct *vma, u64 start, u64 end)
{
	struct pt_iter it = pt_leaves(vma->vm_mm, start, end);

	if (vma->vm_flags & (VM_SPECIAL | VM_HUGETLB))
		return -EINVAL;
	while (pt_next(&it))
		if (is_guard_entry(*it.pos.entry))
			pt_set(NULL, vma->vm_mm, &it.pos, 0);
	return 0;
}
