/* SPDX-License-Identifier: MIT
 *
 * mm/tlb.h - the flush batch. Order of every unmapping: clear entries, flush, only then free (the seam's contract).
 *
 *     struct mmu_gather tlb;
 *     tlb_gather_mmu(&tlb, cpu, mm, VM_FLUSH_BY_UNMAP);
 *     ... zap_page_range(&tlb, ...), change_protection(&tlb, ...), free_pgtables(&tlb, ...) ...
 *     tlb_finish_mmu(&tlb);           the old translations are dead from here on, and the frames are free
 */
#ifndef MM_TLB_H
#define MM_TLB_H

#include "mm/event.h"
#include "mm/mm_types.h"

#define MMU_GATHER_BUNDLE 8
struct mmu_gather {
	struct mm_struct *mm;
	struct hw_cpu *cpu;
	u64 start, end;               /* range whose entries changed; start > end: nothing yet */
	u8 order;                     /* smallest leaf changed, as order: the stride of INVLPG */
	bool freed_tables;            /* paging-structure caches must go too, lazy CPUs included */
	u8 cause;                     /* enum vm_flush_cause */
	bool fullmm;                  /* exit: no flush by range, the context dies */
	u64 worked[VM_ENTRIES_NR][2]; /* entries that the call worked on, 4K and huge: told at the end */
	u64 nr_pages;  /* references to drop after the flush: the first in local[], the rest in batches */
	u64 batch_pfn; /* newest batch frame, 0 = none (mm/tlb.c draws it) */
	u32 local[MMU_GATHER_BUNDLE];
};

/* What a CPU is asked to forget: [start, end) of mm, in strides of its smallest leaf. */
struct tlb_flush {
	struct vm *vm;
	struct mm_struct *mm;
	u64 start, end; /* end = VM_FLUSH_ALL: the whole context */
	u8 order;
	u8 cause;        /* enum vm_flush_cause */
	u64 new_tlb_gen; /* a CPU that has done this one is at this generation */
	bool freed_tables;
	bool leave; /* the mm dies: a CPU that still has it loaded turns to the empty tables */
};

void tlb_gather_mmu(struct mmu_gather *tlb, struct hw_cpu *cpu, struct mm_struct *mm, enum vm_flush_cause cause);
void tlb_gather_mmu_fullmm(struct mmu_gather *tlb, struct hw_cpu *cpu, struct mm_struct *mm);
/* For who works on pages of any address space: the batch is of mm now, and that of another was finished. tlb->mm NULL:
 * none is open. tlb_gather_end finishes the open one. */
struct mmu_gather *tlb_gather_of(struct mmu_gather *tlb, struct hw_cpu *cpu, struct mm_struct *mm,
				 enum vm_flush_cause cause);
void tlb_gather_end(struct mmu_gather *tlb);
/* An entry of [va, va + (PAGE_SIZE << order)) changed in a way that a TLB may not keep. */
void tlb_remove_range(struct mmu_gather *tlb, u64 va, unsigned order);
/* The same for any length; order: the stride. A table that goes counts as one page at an address of its range. */
void tlb_adjust_range(struct mmu_gather *tlb, u64 va, u64 bytes, unsigned order);
/* The whole context, paging-structure caches and lazy CPUs included (fork). */
void tlb_flush_whole_mm(struct mmu_gather *tlb);
/* Free this frame (drop one reference) after the flush. */
void tlb_remove_page(struct mmu_gather *tlb, struct page *page);
void tlb_remove_table(struct mmu_gather *tlb, struct page *table);
void tlb_finish_mmu(struct mmu_gather *tlb);
/* The mm is about to lose its pgd: no CPU may have it loaded from here on. */
void tlb_leave_mm(struct hw_cpu *cpu, struct mm_struct *mm);

#endif
