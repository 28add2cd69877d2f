/* SPDX-License-Identifier: MIT
 *
 * mm/mlock.c - memory that stays: reclaim never takes a page that a locked area maps.
 *
 *   mlock(start, len)     |----####|  |###-----|       VM_LOCKED on each area's part; then every page comes in,
 *                              start     end           as with MAP_POPULATE
 *   mlock2(ONFAULT)       the same, VM_LOCKONFAULT besides: pages come when they are touched, and then stay
 *   mlockall(CURRENT)     every area; (FUTURE): def_flags, what each new area begins with
 *   munlock, munlockall   the flags go; the pages are free to leave
 *
 * A hole ends the work with -ENOMEM; what came before it stays locked, and nothing is brought in. A child inherits
 * neither locks nor def_flags. locked_vm, the sum of locked areas, is kept in vma.c, where areas change.
 *
 * MAP_HUGETLB memory cannot leave anyway, and MAP_DROPPABLE memory may always: they take no lock, and do not count.
 *
 * Source: Linux 6.12 mm/mlock.c.
 */
#include "mm/lru.h"
#include "mm/pgtable.h"
#include "mm/tlb.h"
#include "mm/vma.h"
#include "mm/vmscan.h"

/* Linux: can_do_mlock(). A limit of 0 forbids it. */
bool can_do_mlock(const struct mm_struct *mm)
{
	return mm->rlimit[VM_RLIMIT_MEMLOCK] != 0;
}

bool mlock_future_ok(const struct mm_struct *mm, u64 flags, u64 pages)
{
	return !(flags & VM_LOCKED) || mm->locked_vm + pages <= mm->rlimit[VM_RLIMIT_MEMLOCK] >> PAGE_SHIFT;
}

/* Linux: count_mm_mlocked_page_nr(). Pages of [start, end) that are locked. */
static u64 locked_pages_in(struct mm_struct *mm, u64 start, u64 end)
{
	struct vm_area_struct *vma = vma_find(mm, start);
	u64 bytes = 0;

	for (; vma && vma->vm_start < end; vma = vma_next(vma)) {
		if (vma->vm_flags & VM_LOCKED)
			bytes += min(end, vma->vm_end) - max(start, vma->vm_start);
	}
	return bytes >> PAGE_SHIFT;
}

/* Reclaim may look at the pages of [start, end) again. Linux: mlock_vma_pages_range(). */
static void make_evictable(struct mm_struct *mm, u64 start, u64 end)
{
	struct pt_iter it = pt_leaves(mm, start, end);

	while (pt_next(&it)) {
		u64 entry = *it.pos.entry;

		if (entry_has_frame(entry) && !is_zero_pfn(mm->vm, entry_pfn(entry)))
			lru_make_evictable(mm->vm, page_head(mm->vm, pfn_to_page(mm->vm, entry_pfn(entry))));
	}
}

/* [start, end) lies in *vma, and gets these of VM_LOCKED_MASK. *vma then is the area that holds it. */
static int mlock_fixup(struct mmu_gather *tlb, struct vm_area_struct **vma, u64 start, u64 end, u64 locks)
{
	u64 flags = ((*vma)->vm_flags & ~VM_LOCKED_MASK) | locks;
	int err;

	if (flags == (*vma)->vm_flags || (*vma)->vm_flags & (VM_SPECIAL | VM_HUGETLB | VM_DROPPABLE))
		return 0;
	err = vma_modify_flags(tlb, vma, start, end, flags);
	if (!err && !locks && tlb->mm->vm->reclaim.list[LRU_LIST_UNEVICTABLE].nr)
		make_evictable(tlb->mm, start, end);
	return err;
}

static int apply_vma_lock_flags(struct mmu_gather *tlb, u64 start, u64 end, u64 locks)
{
	struct vm_area_struct *vma = vma_lookup(tlb->mm, start);
	int err;

	for (; vma && vma->vm_start <= start; vma = vma_next(vma)) {
		err = mlock_fixup(tlb, &vma, start, min(end, vma->vm_end), locks);
		if (err)
			return err;
		start = min(end, vma->vm_end);
		if (start == end)
			return 0;
	}
	return -ENOMEM;
}

/* addr need not be a page's: the pages that the range meets are meant. */
static int change_locks(struct hw_cpu *cpu, struct mm_struct *mm, u64 start, u64 end, u64 locks)
{
	struct mmu_gather tlb;
	int err;

	if (end < start)
		return -EINVAL;
	if (end == start)
		return 0;
	tlb_gather_mmu(&tlb, cpu, mm, VM_FLUSH_BY_PROTECT);
	err = apply_vma_lock_flags(&tlb, start, end, locks);
	tlb_finish_mmu(&tlb);
	CHECK2(vm_check_level(mm->vm), vma_tree_valid(mm));
	return err;
}

/* Linux: __mlock_posix_error_return(). */
static int populate_errno(int cause)
{
	if (!cause)
		return 0;
	return cause == VM_FAULT_NOMEM ? -EAGAIN : -ENOMEM;
}

long vm_mlock(struct hw_cpu *cpu, struct mm_struct *mm, u64 addr, u64 len, unsigned flags)
{
	u64 start = ALIGN_DOWN(addr, PAGE_SIZE), bytes = ALIGN_UP(len + (addr - start), PAGE_SIZE);
	u64 limit = mm->rlimit[VM_RLIMIT_MEMLOCK] >> PAGE_SHIFT, locked = mm->locked_vm + (bytes >> PAGE_SHIFT);
	u64 locks = VM_LOCKED | (flags & MLOCK_ONFAULT ? VM_LOCKONFAULT : 0);
	int err;

	balance_if_low(mm->vm, cpu);
	if (flags & ~(unsigned)MLOCK_ONFAULT)
		return -EINVAL;
	if (!can_do_mlock(mm))
		return -EPERM;
	if (mm->rlimit[VM_RLIMIT_MEMLOCK] != VM_RLIM_INFINITY && locked > limit &&
	    locked - locked_pages_in(mm, start, start + bytes) > limit)
		return -ENOMEM;
	err = change_locks(cpu, mm, start, start + bytes, locks);
	if (!err)
		err = populate_errno(populate_areas(cpu, mm, start, start + bytes, false));
	CHECK3(vm_check_level(mm->vm), vm_check(mm->vm));
	return err;
}

long vm_munlock(struct hw_cpu *cpu, struct mm_struct *mm, u64 addr, u64 len)
{
	u64 start = ALIGN_DOWN(addr, PAGE_SIZE);
	int err;

	balance_if_low(mm->vm, cpu);
	err = change_locks(cpu, mm, start, start + ALIGN_UP(len + (addr - start), PAGE_SIZE), 0);
	CHECK3(vm_check_level(mm->vm), vm_check(mm->vm));
	return err;
}

/* Every area that there is. One that cannot be changed (max_map_count cannot be in the way: none is cut) is passed
 * over. */
static void lock_all_areas(struct hw_cpu *cpu, struct mm_struct *mm, u64 locks)
{
	struct mmu_gather tlb;

	tlb_gather_mmu(&tlb, cpu, mm, VM_FLUSH_BY_PROTECT);
	for (struct vm_area_struct *vma = vma_find(mm, 0); vma; vma = vma_next(vma))
		mlock_fixup(&tlb, &vma, vma->vm_start, vma->vm_end, locks);
	tlb_finish_mmu(&tlb);
	CHECK2(vm_check_level(mm->vm), vma_tree_valid(mm));
}

long vm_mlockall(struct hw_cpu *cpu, struct mm_struct *mm, unsigned flags)
{
	u64 locks = VM_LOCKED | (flags & MCL_ONFAULT ? VM_LOCKONFAULT : 0);

	balance_if_low(mm->vm, cpu);
	if (!(flags & (MCL_CURRENT | MCL_FUTURE)) || flags & ~(unsigned)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))
		return -EINVAL;
	if (!can_do_mlock(mm))
		return -EPERM;
	if (flags & MCL_CURRENT && mm->total_vm > mm->rlimit[VM_RLIMIT_MEMLOCK] >> PAGE_SHIFT)
		return -ENOMEM;
	mm->def_flags = flags & MCL_FUTURE ? locks : 0;
	if (flags & MCL_CURRENT) {
		lock_all_areas(cpu, mm, locks);
		mm_populate(cpu, mm, 0, TASK_SIZE);
	}
	CHECK3(vm_check_level(mm->vm), vm_check(mm->vm));
	return 0;
}

long vm_munlockall(struct hw_cpu *cpu, struct mm_struct *mm)
{
	balance_if_low(mm->vm, cpu);
	mm->def_flags = 0;
	lock_all_areas(cpu, mm, 0);
	CHECK3(vm_check_level(mm->vm), vm_check(mm->vm));
	return 0;
}
