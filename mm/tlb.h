/* SPDX-License-Identifier: MIT
 *
 * mm/tlb.h - the flush batch. Order of every unmapping: clear entries, flush, only then free (the seam's contract).
 *
 *     struct mmu_gather tlb;
 *     tlb_gather_mmu(&tlb, cpu, mm);
 *     ... zap_page_range(&tlb, ...), change_protection(&tlb, ...), free_pgtables(&tlb, ...) ...
 *     tlb_finish_mmu(&tlb);           the old translations are dead from here on, and the frames are free
 */
#ifndef MM_TLB_H
#define MM_TLB_H

#include "mm/mm_types.h"

struct mmu_gather {
	struct mm_struct *mm;
	struct hw_cpu *cpu;
	u64 start, end;    /* range whose entries changed; start > end: nothing yet */
	u8 order;          /* smallest leaf changed, as order: the stride of INVLPG */
	bool freed_tables; /* paging-structure caches must go too, lazy CPUs included */
	bool fullmm;       /* exit: no flush by range, the context dies */
	u64 pages;         /* chain of frames to free after the flush (linked through struct page), 0 = none */
	u64 nr_pages;
};

void tlb_gather_mmu(struct mmu_gather *tlb, struct hw_cpu *cpu, struct mm_struct *mm);
void tlb_gather_mmu_fullmm(struct mmu_gather *tlb, struct hw_cpu *cpu, struct mm_struct *mm);
/* An entry of [va, va + (PAGE_SIZE << order)) changed in a way that a TLB may not keep. */
void tlb_remove_range(struct mmu_gather *tlb, u64 va, unsigned order);
/* Free this frame (drop one reference) after the flush. */
void tlb_remove_page(struct mmu_gather *tlb, struct page *page);
void tlb_remove_table(struct mmu_gather *tlb, struct page *table);
void tlb_finish_mmu(struct mmu_gather *tlb);

#endif
