/* SPDX-License-Identifier: MIT
 *
 * mm/internal.h - what mm/'s files offer to each other, a heading a file: the table of contents of the OS half.
 */
#ifndef MM_INTERNAL_H
#define MM_INTERNAL_H

#include "mm/mm_types.h"

/* ---- vma.c: areas of one address space ---- */
/* The area with vm_start <= va < vm_end, or NULL. O(log n), O(1) on the last hit. */
struct vm_area_struct *vma_lookup(struct mm_struct *mm, u64 va);
/* The first area with vm_end > va, or NULL. */
struct vm_area_struct *vma_find(struct mm_struct *mm, u64 va);
struct vm_area_struct *vma_next(const struct vm_area_struct *vma);
struct vm_area_struct *vma_prev(const struct vm_area_struct *vma);
/* Grow the stack area down so that it holds va. Returns 0, -ENOMEM (limit, guard gap) or -EFAULT (not a stack). */
int expand_stack(struct vm_area_struct *vma, u64 va);
/* Before the first private page of vma appears (a write, or a huge page's fault; not a read of the zero page): gives it
 * an anon_vma, a mergeable neighbour's if there is one. Cannot fail; nothing to do when it has one. */
void anon_vma_prepare(struct vm_area_struct *vma);
/* Copies parent's areas into the empty child (not VM_DONTCOPY). Returns 0 or -ENOMEM, child then still valid. */
int vma_dup_all(struct mm_struct *child, struct mm_struct *parent);
/* Frees every area of mm; its pages and tables are gone already. */
void vma_free_all(struct mm_struct *mm);
bool vma_tree_valid(struct mm_struct *mm);
/* Linux's search: hint, then top-down below mmap_base, 2M alignment for anonymous multiples of 2M and big file maps. */
u64 get_unmapped_area(struct mm_struct *mm, u64 addr, u64 len, unsigned flags, struct address_space *file, u64 pgoff);

/* ---- page_alloc.c: the buddy allocator and struct page ---- */
struct page *pfn_to_page(struct vm *vm, u64 pfn);
u64 page_to_pfn(struct vm *vm, const struct page *page);
/* A block of 2^order frames (order 0..18), head's kind set, tails PAGE_TAIL, refcount 1; NULL when there is none. */
struct page *alloc_pages(struct vm *vm, unsigned order, enum page_kind kind);
void get_page(struct page *page);
/* Drops a reference; the last one frees the block. */
void put_page(struct vm *vm, struct page *page);

/* ---- slab.c: mm's own small objects ---- */
enum slab_kind { SLAB_MM, SLAB_VMA, SLAB_FILE, SLAB_NODE, SLAB_RMAP, SLAB_NR };
void *slab_alloc(struct vm *vm, enum slab_kind kind); /* zeroed; NULL when RAM is full */
void slab_free(struct vm *vm, enum slab_kind kind, void *obj);

/* ---- tlb.c: flush batches, PCIDs, shootdowns, context switch ---- */
struct mmu_gather; /* mm/tlb.h */

/* ---- memory.c: ranges of page tables ---- */
struct mmu_gather;
/* Unmaps [start, end) of vma: pages leave, rss and rmap follow; frames are freed after the flush. */
void zap_page_range(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 start, u64 end);
/* MADV_FREE: pages become clean and old; reclaim may drop them. */
void madvise_free_range(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 start, u64 end);
/* Re-derives the rights of present entries in [start, end) from vma->vm_flags. Splits huge leaves that straddle.
 * Returns 0 or -ENOMEM (a split needs a table); then entries before the failing one are done. */
int change_protection(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 start, u64 end);
/* Moves entries of [old, old+len) in old_vma to new_vma at new_addr. Returns bytes moved (< len: -ENOMEM happened). */
u64 move_page_tables(struct mmu_gather *tlb, struct vm_area_struct *old_vma, u64 old, struct vm_area_struct *new_vma,
		     u64 new_addr, u64 len);
/* Splits the huge leaf that straddles addr in vma, if any. Returns 0 or -ENOMEM. */
int split_huge_at(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 addr);
/* Frees tables that no longer map anything in [start, end). */
void free_pgtables(struct mmu_gather *tlb, struct mm_struct *mm, u64 start, u64 end);
/* Faults [start, end) in as MAP_POPULATE does (VM_EV_POPULATE). Returns 0 or a VM_FAULT_* that stopped it. */
int populate_range(struct hw_cpu *cpu, struct mm_struct *mm, u64 start, u64 end, bool write);

/* ---- filemap.c: the page cache ---- */
void filemap_link_vma(struct vm_area_struct *vma);   /* area of a file appears: takes a reference on the file */
void filemap_unlink_vma(struct vm_area_struct *vma); /* and goes: drops it */

/* ---- the machine ---- */
struct vm_config_view;
u8 vm_check_level(const struct vm *vm);
u32 vm_max_map_count(const struct vm *vm);

#endif
