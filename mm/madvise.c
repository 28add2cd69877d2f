/* SPDX-License-Identifier: MIT
 *
 * mm/madvise.c - advice on a range, an area's part after the other. Holes are passed over, and give -ENOMEM in the end.
 *
 *   a flag of the area     NORMAL RANDOM SEQUENTIAL  DONTFORK DOFORK  WIPEONFORK KEEPONFORK  HUGEPAGE NOHUGEPAGE
 *                          DONTDUMP DODUMP           cut and merged as mprotect does
 *   its pages go           DONTNEED DONTNEED_LOCKED  at once
 *                          FREE                      when memory is short
 *                          REMOVE                    from the shared file as well: a hole
 *                          GUARD_INSTALL             and none can come: guard.c
 *                          GUARD_REMOVE              they may come again
 *   its pages come         POPULATE_READ POPULATE_WRITE
 *   its pages become huge  COLLAPSE                  khugepaged.c
 *   its pages look unused  COLD                      reclaim takes them before others
 *                          PAGEOUT                   and now
 *   read ahead             WILLNEED                  from swap, and of files from the disk
 *
 * Source: Linux 6.12 mm/madvise.c.
 */
#include "mm/vma.h"
#include "mm/swap.h"
#include "mm/tlb.h"
#include "mm/vmscan.h"

enum {
	MADV_NORMAL = 0,
	MADV_RANDOM = 1,
	MADV_SEQUENTIAL = 2,
	MADV_WILLNEED = 3,
	MADV_DONTNEED = 4,
	MADV_FREE = 8,
	MADV_REMOVE = 9,
	MADV_DONTFORK = 10,
	MADV_DOFORK = 11,
	MADV_HUGEPAGE = 14,
	MADV_NOHUGEPAGE = 15,
	MADV_DONTDUMP = 16,
	MADV_DODUMP = 17,
	MADV_WIPEONFORK = 18,
	MADV_KEEPONFORK = 19,
	MADV_COLD = 20,
	MADV_PAGEOUT = 21,
	MADV_POPULATE_READ = 22,
	MADV_POPULATE_WRITE = 23,
	MADV_DONTNEED_LOCKED = 24,
	MADV_COLLAPSE = 25,
	MADV_GUARD_INSTALL = 102,
	MADV_GUARD_REMOVE = 103,
};

/* Advice that is a flag of the area: those to clear, then those to set. Both 0: other advice. */
struct flag_change {
	u64 clear, set;
};

static struct flag_change flag_change_of(int advice)
{
	switch (advice) {
	case MADV_NORMAL:
		return (struct flag_change){VM_RAND_READ | VM_SEQ_READ, 0};
	case MADV_RANDOM:
		return (struct flag_change){VM_SEQ_READ, VM_RAND_READ};
	case MADV_SEQUENTIAL:
		return (struct flag_change){VM_RAND_READ, VM_SEQ_READ};
	case MADV_DONTFORK:
		return (struct flag_change){0, VM_DONTCOPY};
	case MADV_DOFORK:
		return (struct flag_change){VM_DONTCOPY, 0};
	case MADV_HUGEPAGE:
		return (struct flag_change){VM_NOHUGEPAGE, VM_HUGEPAGE};
	case MADV_NOHUGEPAGE:
		return (struct flag_change){VM_HUGEPAGE, VM_NOHUGEPAGE};
	case MADV_DONTDUMP:
		return (struct flag_change){0, VM_DONTDUMP};
	case MADV_DODUMP:
		return (struct flag_change){VM_DONTDUMP, 0};
	case MADV_WIPEONFORK:
		return (struct flag_change){0, VM_WIPEONFORK};
	case MADV_KEEPONFORK:
		return (struct flag_change){VM_WIPEONFORK, 0};
	default:
		return (struct flag_change){0, 0};
	}
}

static bool is_flag_advice(int advice)
{
	struct flag_change change = flag_change_of(advice);

	return change.clear | change.set;
}

static bool is_populate(int advice)
{
	return advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE;
}

static bool is_known(int advice)
{
	switch (advice) {
	case MADV_WILLNEED:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
	case MADV_REMOVE:
	case MADV_COLLAPSE:
	case MADV_GUARD_INSTALL:
	case MADV_GUARD_REMOVE:
		return true;
	default:
		return is_flag_advice(advice) || is_populate(advice);
	}
}

/* Linux says -EAGAIN for want of an area, and a cut through a MAP_HUGETLB page stays -EINVAL. */
static int advise_flags(struct mmu_gather *tlb, struct vm_area_struct **vma, u64 start, u64 end, int advice)
{
	struct flag_change change = flag_change_of(advice);
	u64 flags = ((*vma)->vm_flags & ~change.clear) | change.set;
	int err = 0;

	if (advice == MADV_WIPEONFORK && ((*vma)->vm_file || flags & VM_SHARED))
		return -EINVAL;
	if (advice == MADV_DODUMP && !(flags & VM_HUGETLB) && flags & (VM_SPECIAL | VM_DROPPABLE))
		return -EINVAL;
	if (advice == MADV_KEEPONFORK && flags & VM_DROPPABLE)
		return -EINVAL;
	if (flags != (*vma)->vm_flags)
		err = vma_modify_flags(tlb, vma, start, end, flags);
	return err == -ENOMEM ? -EAGAIN : err;
}

/* DONTNEED, FREE. MAP_HUGETLB memory goes by whole pages: start must be one's, end is rounded down. Other huge leaves
 * are split where the range ends inside one; without RAM for that -EAGAIN. */
static int advise_drop(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 start, u64 end, int advice)
{
	if (vma->vm_flags & VM_HUGETLB) {
		if (advice == MADV_FREE || !IS_ALIGNED(start, PMD_SIZE))
			return -EINVAL;
		end = ALIGN_DOWN(end, PMD_SIZE);
	}
	if (vma->vm_flags & VM_LOCKED && advice != MADV_DONTNEED_LOCKED)
		return -EINVAL;
	if (advice == MADV_FREE && vma->vm_file)
		return -EINVAL;
	if (start == end)
		return 0;
	if (advice == MADV_FREE) {
		madvise_free_range(tlb, vma, start, end);
		return 0;
	}
	if (split_huge_at(tlb, vma, start) || split_huge_at(tlb, vma, end))
		return -EAGAIN;
	return zap_page_range(tlb, vma, start, end) ? -EAGAIN : 0;
}

static int advise_remove(struct vm_area_struct *vma, u64 start, u64 end)
{
	if (vma->vm_flags & VM_LOCKED || !vma->vm_file)
		return -EINVAL;
	if (!(vma->vm_flags & VM_SHARED) || !(vma->vm_flags & VM_MAYWRITE))
		return -EACCES;
	vm_file_punch(vma->vm_file, (vma->vm_pgoff << PAGE_SHIFT) + (start - vma->vm_start), end - start);
	return 0;
}

/* COLD, and the first half of PAGEOUT. */
static int advise_cold(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 start, u64 end)
{
	if (vma->vm_flags & (VM_LOCKED | VM_HUGETLB))
		return -EINVAL;
	madvise_cold_range(tlb, vma, start, end);
	return 0;
}

/* [start, end) lies in *vma. *vma then is the area that holds it. */
static int advise_area(struct mmu_gather *tlb, struct vm_area_struct **vma, u64 start, u64 end, int advice)
{
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
		return advise_drop(tlb, *vma, start, end, advice);
	case MADV_REMOVE:
		return advise_remove(*vma, start, end);
	case MADV_WILLNEED:
		madvise_willneed(*vma, start, end);
		return 0;
	case MADV_COLD:
	case MADV_PAGEOUT:
		return advise_cold(tlb, *vma, start, end);
	case MADV_COLLAPSE:
		return madvise_collapse(tlb->cpu, *vma, start, end);
	case MADV_GUARD_INSTALL:
		return guard_install(tlb, *vma, start, end);
	case MADV_GUARD_REMOVE:
		return guard_remove(*vma, start, end);
	default:
		return advise_flags(tlb, vma, start, end, advice);
	}
}

static int advise_range(struct hw_cpu *cpu, struct mm_struct *mm, u64 start, u64 end, int advice)
{
	struct vm_area_struct *vma = vma_find(mm, start);
	struct mmu_gather tlb;
	int err = 0, hole = 0;

	tlb_gather_mmu(&tlb, cpu, mm, VM_FLUSH_BY_ADVICE);
	for (; !err && start < end; vma = vma_next(vma)) {
		if (!vma || vma->vm_start > start)
			hole = -ENOMEM;
		if (!vma || vma->vm_start >= end)
			break;
		start = max(start, vma->vm_start);
		err = advise_area(&tlb, &vma, start, min(end, vma->vm_end), advice);
		start = vma->vm_end;
	}
	tlb_finish_mmu(&tlb);
	return err ? err : hole;
}

/* Stops at the first trouble: -ENOMEM a hole or no frame, -EINVAL an area without the right, -EFAULT no such page of a
 * file. Without variant.populate_stops a hole is passed over, as other advice does. */
static int populate(struct hw_cpu *cpu, struct mm_struct *mm, u64 start, u64 end, bool write)
{
	int hole = 0;

	while (start < end) {
		struct vm_area_struct *vma = vma_find(mm, start);
		u64 stop;
		int cause;

		if (!vma || vma->vm_start > start) {
			hole = -ENOMEM;
			if (!vma || vma->vm_start >= end || mm->vm->variant.populate_stops)
				break;
			start = vma->vm_start;
		}
		if (!(vma->vm_flags & (write ? VM_WRITE : VM_READ)))
			return -EINVAL;
		stop = min(end, vma->vm_end);
		cause = populate_range(cpu, mm, start, stop, write);
		if (cause)
			return cause == VM_FAULT_NOMEM ? -ENOMEM : -EFAULT;
		start = stop;
	}
	return hole;
}

/* The second half of PAGEOUT. */
static void pageout_areas(struct hw_cpu *cpu, struct mm_struct *mm, u64 start, u64 end)
{
	for (struct vm_area_struct *vma = vma_find(mm, start); vma && vma->vm_start < end; vma = vma_next(vma))
		pageout_range(cpu, mm, max(start, vma->vm_start), min(end, vma->vm_end));
}

long vm_madvise(struct hw_cpu *cpu, struct mm_struct *mm, u64 addr, u64 len, int advice)
{
	u64 aligned = ALIGN_UP(len, PAGE_SIZE), end = addr + aligned;
	int err;

	balance_if_low(mm->vm, cpu);
	if (!is_known(advice) || !IS_ALIGNED(addr, PAGE_SIZE) || (len && !aligned) || end < addr)
		return -EINVAL;
	if (end == addr)
		return 0;
	if (is_populate(advice))
		err = populate(cpu, mm, addr, end, advice == MADV_POPULATE_WRITE);
	else
		err = advise_range(cpu, mm, addr, end, advice);
	if (advice == MADV_PAGEOUT && err != -EINVAL)
		pageout_areas(cpu, mm, addr, end);
	CHECK2(vm_check_level(mm->vm), vma_tree_valid(mm));
	CHECK3(vm_check_level(mm->vm), vm_check(mm->vm));
	return err;
}
