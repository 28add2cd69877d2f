/* SPDX-License-Identifier: MIT
 *
 * mm/msync.c - what was written to shared files goes to where they lie. Anonymous and private memory has no such place.
 *
 *   MS_SYNC          written before the call returns: clean, and its entries read-only, so that the next write is seen
 *   MS_ASYNC         nothing: what is dirty will be written anyway
 *   MS_INVALIDATE    nothing but -EBUSY for locked memory: all see the one page cache
 *
 * A hole is passed over, and gives -ENOMEM in the end; at once if the flags are just MS_ASYNC.
 *
 * Source: Linux 6.12 mm/msync.c.
 */
#include "mm/vma.h"
#include "mm/vmscan.h"

static int sync_area(struct hw_cpu *cpu, const struct vm_area_struct *vma, u64 start, u64 end, unsigned flags)
{
	u64 first = vma->vm_pgoff + ((start - vma->vm_start) >> PAGE_SHIFT);

	if (flags & MS_INVALIDATE && vma->vm_flags & VM_LOCKED)
		return -EBUSY;
	if (!(flags & MS_SYNC) || !vma->vm_file || !(vma->vm_flags & VM_SHARED))
		return 0;
	return filemap_sync(cpu, vma->vm_file, first, first + ((end - start) >> PAGE_SHIFT));
}

static int sync_range(struct hw_cpu *cpu, struct mm_struct *mm, u64 start, u64 end, unsigned flags)
{
	int hole = 0, err;

	for (struct vm_area_struct *vma = vma_find(mm, start); start < end; vma = vma_next(vma)) {
		if (!vma || (vma->vm_start > start && flags == MS_ASYNC))
			return -ENOMEM;
		if (vma->vm_start > start)
			hole = -ENOMEM;
		start = max(start, vma->vm_start);
		if (start >= end)
			break;
		err = sync_area(cpu, vma, start, min(end, vma->vm_end), flags);
		if (err)
			return err;
		start = vma->vm_end;
	}
	return hole;
}

long vm_msync(struct hw_cpu *cpu, struct mm_struct *mm, u64 addr, u64 len, unsigned flags)
{
	u64 end = addr + ALIGN_UP(len, PAGE_SIZE);
	int err;

	balance_if_low(mm->vm, cpu);
	if (flags & ~(unsigned)(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || !IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if (flags & MS_ASYNC && flags & MS_SYNC)
		return -EINVAL;
	if (end < addr)
		return -ENOMEM;
	err = sync_range(cpu, mm, addr, end, flags);
	CHECK3(vm_check_level(mm->vm), vm_check(mm->vm));
	return err;
}
