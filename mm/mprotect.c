/* SPDX-License-Identifier: MIT
 *
 * mm/mprotect.c - new rights for a range. Areas are cut and merged, and their entries follow.
 *
 *      start               end
 *   |----:---|  |---|  |----:--|      each area's part in turn; a hole ends the work with -ENOMEM, and what came
 *        1        2      hole         before it stays done, as in Linux
 *
 * A protection key is a property of the area (bits of vm_flags, so areas of different keys do not merge) and of each of
 * its entries. The kernel only hands keys out; the processor enforces them, by each thread's PKRU.
 *
 * Source: Linux 6.12 mm/mprotect.c, arch/x86/include/asm/pkeys.h.
 */
#include "mm/vma.h"
#include "mm/tlb.h"
#include "mm/vmscan.h"

/* Beside rights, prot may say: memory for atomic operations (x86: all is); the range reaches down to where its stack
 * begins; up to where it ends (x86 has no such stacks). */
#define PROT_SEM         0x8u
#define PROT_GROWSDOWN   0x01000000u
#define PROT_GROWSUP     0x02000000u
#define NR_PKEYS         16
#define PKEY_ACCESS_MASK 3 /* PKEY_DISABLE_ACCESS, PKEY_DISABLE_WRITE */
#define VM_MAY_SHIFT     4 /* VM_MAYREAD = VM_READ << 4, and so on */

/* A private area that becomes writable is charged for its pages once; an untouched one that stops being so gives the
 * charge back, where the variant is so. The flag takes part in merging. */
static u64 account_flags(const struct vm_area_struct *vma, u64 flags)
{
	u64 exempt = VM_ACCOUNT | VM_WRITE | VM_HUGETLB | VM_SHARED | VM_NORESERVE;

	if (flags & VM_WRITE)
		return vma->vm_flags & exempt ? flags : flags | VM_ACCOUNT;
	if (vma->vm_file || vma->anon_vma || !vma->vm_mm->vm->variant.untouched_uncharged)
		return flags;
	return flags & ~VM_ACCOUNT;
}

/* Locked private memory becomes writable: its pages are copied now, so that no write has to wait for it. Errors are not
 * told. What was changed until here is flushed first, since faults may reclaim. */
static void populate_locked(struct mmu_gather *tlb, const struct vm_area_struct *vma, u64 start, u64 end)
{
	struct mm_struct *mm = tlb->mm;
	struct hw_cpu *cpu = tlb->cpu;

	tlb_finish_mmu(tlb);
	populate_area(cpu, vma, start, end);
	tlb_gather_mmu(tlb, cpu, mm, VM_FLUSH_BY_PROTECT);
}

/* [start, end) lies in *vma. *vma then is the area that holds it. Returns 0 or vma_modify_flags()' errors. */
static int mprotect_fixup(struct mmu_gather *tlb, struct vm_area_struct **vma, u64 start, u64 end, unsigned prot,
			  int pkey)
{
	u64 old = (*vma)->vm_flags, flags = (old & ~(u64)VM_ACCESS_FLAGS) | prot;
	u64 pages = (end - start) >> PAGE_SHIFT;
	int err;

	if (pkey >= 0)
		flags = (flags & ~VM_PKEY) | (u64)pkey << VM_PKEY_SHIFT;
	if (flags & ~(flags >> VM_MAY_SHIFT) & VM_ACCESS_FLAGS)
		return -EACCES;
	if (flags == old)
		return 0;
	flags = account_flags(*vma, flags);
	if (flags & ~old & VM_ACCOUNT && !vm_enough_memory(tlb->mm, pages))
		return -ENOMEM;
	if (!may_expand_vm(tlb->mm, flags, pages) && may_expand_vm(tlb->mm, old, pages))
		return -ENOMEM; /* it would become data, and there is a limit on that */
	err = vma_modify_flags(tlb, vma, start, end, flags);
	if (!err)
		err = change_protection(tlb, *vma, start, end);
	if (!err && flags & VM_WRITE && (old & (VM_WRITE | VM_SHARED | VM_LOCKED)) == VM_LOCKED)
		populate_locked(tlb, *vma, start, end);
	return err;
}

static int mprotect_range(struct mmu_gather *tlb, u64 start, u64 end, unsigned prot, int pkey)
{
	struct vm_area_struct *vma = vma_lookup(tlb->mm, start);
	int err;

	for (; vma && vma->vm_start <= start; vma = vma_next(vma)) {
		u64 stop = min(end, vma->vm_end);

		err = mprotect_fixup(tlb, &vma, start, stop, prot, pkey);
		if (err)
			return err;
		start = min(end, vma->vm_end);
		if (start == end)
			return 0;
	}
	return -ENOMEM;
}

/* ---- protection keys: PKRU says what a thread may do to pages of each ---- */

static bool pkey_is_allocated(const struct mm_struct *mm, int pkey)
{
	return pkey >= 0 && pkey < NR_PKEYS && mm->pkey_allocation_map & 1u << pkey;
}

long vm_pkey_alloc(struct mm_struct *mm, unsigned flags, unsigned access_rights)
{
	if (flags || access_rights & ~(unsigned)PKEY_ACCESS_MASK)
		return -EINVAL;
	for (int pkey = 0; pkey < NR_PKEYS && mm->vm->pku; pkey++) {
		if (!pkey_is_allocated(mm, pkey)) {
			mm->pkey_allocation_map |= (u16)(1u << pkey);
			return pkey;
		}
	}
	return -ENOSPC;
}

long vm_pkey_free(struct mm_struct *mm, int pkey)
{
	if (!pkey_is_allocated(mm, pkey))
		return -EINVAL;
	mm->pkey_allocation_map &= (u16) ~(1u << pkey);
	return 0;
}

/* ---- the call ---- */

/* What must be so before anything changes; with PROT_GROWSDOWN *start becomes that of the stack. Returns 0, -ENOMEM or
 * -EINVAL. */
static int check_prot(struct mm_struct *mm, u64 *start, u64 end, unsigned prot, int pkey)
{
	struct vm_area_struct *vma = vma_find(mm, *start);

	if (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM | PROT_GROWSDOWN | PROT_GROWSUP))
		return -EINVAL;
	if (pkey != -1 && !pkey_is_allocated(mm, pkey))
		return -EINVAL;
	if (!vma || vma->vm_start >= (prot & PROT_GROWSDOWN ? end : *start + 1))
		return -ENOMEM;
	if (prot & PROT_GROWSUP || (prot & PROT_GROWSDOWN && !(vma->vm_flags & VM_GROWSDOWN)))
		return -EINVAL;
	if (prot & PROT_GROWSDOWN)
		*start = vma->vm_start;
	return 0;
}

/* After a merge the area may reach beyond `end`, over ranges with the right flags already: they need no work. */
long vm_pkey_mprotect(struct hw_cpu *cpu, struct mm_struct *mm, u64 addr, u64 len, unsigned prot, int pkey)
{
	struct mmu_gather tlb;
	u64 end = addr + ALIGN_UP(len, PAGE_SIZE);
	int err;

	balance_if_low(mm->vm, cpu);
	if ((prot & PROT_GROWSDOWN && prot & PROT_GROWSUP) || !IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if (!len)
		return 0;
	if (end <= addr)
		return -ENOMEM;
	err = check_prot(mm, &addr, end, prot, pkey);
	if (err)
		return err;
	tlb_gather_mmu(&tlb, cpu, mm, VM_FLUSH_BY_PROTECT);
	err = mprotect_range(&tlb, addr, end, prot & VM_ACCESS_FLAGS, pkey);
	tlb_finish_mmu(&tlb);
	CHECK2(vm_check_level(mm->vm), vma_tree_valid(mm));
	CHECK3(vm_check_level(mm->vm), vm_check(mm->vm));
	return err;
}

long vm_mprotect(struct hw_cpu *cpu, struct mm_struct *mm, u64 addr, u64 len, unsigned prot)
{
	return vm_pkey_mprotect(cpu, mm, addr, len, prot, -1);
}
