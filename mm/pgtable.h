/* SPDX-License-Identifier: MIT
 *
 * mm/pgtable.h - page tables: what an entry says (pure helpers), and the one walk.
 *
 * Code that works at any level handles an entry as a u64 with its level (1 = PT .. 4 = PML4), through struct pt_pos.
 * Code that is at one level by its nature uses pgd_t, pud_t, pmd_t, pte_t: passing one for another does not compile.
 *
 * What an entry may be:
 *   0                      empty
 *   P = 1                  level 1, or PS = 1: a leaf. Else a table
 *   P = 0, PROTNONE        a leaf of an area without any access (mprotect(PROT_NONE)): the frame is kept, the hardware
 *                          sees nothing. PROTNONE is bit 8 (G), which means nothing to it while P = 0; PS marks a
 *                          huge one
 *   P = 0, not PROTNONE    level 1 only: a swap entry (mm/swap.h draws it), or a guard (mm/guard.c)
 */
#ifndef MM_PGTABLE_H
#define MM_PGTABLE_H

#include "mm/internal.h"
#include "mm/tlb.h"

#define PTE_PROTNONE    X86_PTE_G
#define PTE_GUARD       (X86_PHYS_MASK | X86_PTE_SW3) /* mm/guard.c */
#define PAGE_TABLE_BITS (X86_PTE_P | X86_PTE_RW | X86_PTE_US | X86_PTE_A)
/* What mprotect may change in a leaf; the rest (frame, A, D, PS) stays. */
#define PTE_RIGHTS (X86_PTE_P | X86_PTE_RW | X86_PTE_US | X86_PTE_NX | X86_PTE_PKEY | PTE_PROTNONE)

static inline bool entry_present(u64 entry)
{
	return entry & X86_PTE_P;
}
/* A leaf, present or not (a PROT_NONE page); false for empty entries and tables. */
static inline bool entry_leaf(u64 entry, unsigned level)
{
	return entry && (level == 1 || !entry_present(entry) || (entry & X86_PTE_PS));
}
static inline bool entry_table(u64 entry, unsigned level)
{
	return level > 1 && entry_present(entry) && !(entry & X86_PTE_PS);
}
/* A leaf that names a frame: neither a swap entry nor a guard. */
static inline bool entry_has_frame(u64 entry)
{
	return entry & (X86_PTE_P | PTE_PROTNONE);
}
static inline bool is_guard_entry(u64 entry)
{
	return entry == PTE_GUARD;
}
/* The frame that a leaf or table entry names (a huge leaf: its first). */
static inline u64 entry_pfn(u64 entry)
{
	return (entry & X86_PHYS_MASK) >> PAGE_SHIFT;
}
/* log2 of the 4K frames that an entry of this level covers: 0, 9, 18, 27. */
static inline unsigned level_order(unsigned level)
{
	return 9 * (level - 1);
}
static inline unsigned order_level(unsigned order)
{
	return order / 9 + 1;
}
/* Linux's vm_get_page_prot() without the write bit, which depends on the page: rights of an area's entries. */
static inline u64 vma_page_prot(const struct vm_area_struct *vma)
{
	u64 nx = vma->vm_flags & VM_EXEC ? 0 : vma->vm_mm->vm->nx;
	u64 key = (vma->vm_flags & VM_PKEY) >> VM_PKEY_SHIFT << X86_PTE_PKEY_SHIFT;

	if (!(vma->vm_flags & (VM_READ | VM_WRITE | VM_EXEC)))
		return PTE_PROTNONE | X86_PTE_US | nx | key;
	return X86_PTE_P | X86_PTE_US | nx | key;
}
/* A leaf for vma, of the level's size; the frame is aligned to it. */
static inline u64 entry_make(const struct vm_area_struct *vma, u64 pfn, unsigned level, u64 bits)
{
	return pfn << PAGE_SHIFT | vma_page_prot(vma) | X86_PTE_A | (level > 1 ? X86_PTE_PS : 0) | bits;
}

/* Linux's pgd_offset() .. pte_offset(): the entry of va in one table. Table entries must be present tables. */
static inline pgd_t *pgd_offset(const struct mm_struct *mm, u64 va)
{
	return (pgd_t *)phys_to_virt(mm->vm, mm->pgd_pfn << PAGE_SHIFT) + x86_index(va, X86_PML4);
}
static inline pud_t *pud_offset(const struct mm_struct *mm, const pgd_t *pgd, u64 va)
{
	return (pud_t *)phys_to_virt(mm->vm, pgd->v & X86_PHYS_MASK) + x86_index(va, X86_PDPT);
}
static inline pmd_t *pmd_offset(const struct mm_struct *mm, const pud_t *pud, u64 va)
{
	return (pmd_t *)phys_to_virt(mm->vm, pud->v & X86_PHYS_MASK) + x86_index(va, X86_PD);
}
static inline pte_t *pte_offset(const struct mm_struct *mm, const pmd_t *pmd, u64 va)
{
	return (pte_t *)phys_to_virt(mm->vm, pmd->v & X86_PHYS_MASK) + x86_index(va, X86_PT);
}

/* A place in the tables: the entry, its level, and the first address that it covers. */
struct pt_pos {
	u64 *entry;
	u64 va;
	unsigned level;
};

/* The deepest entry on va's path, but none below `level`: empty, a leaf, or (at `level`) a table. */
void pt_walk(const struct mm_struct *mm, u64 va, unsigned level, struct pt_pos *pos);

/* pos: an empty entry or a table on va's path. Makes the tables that are missing and walks on, down to `level` or to a
 * leaf. Returns 0 or -ENOMEM (tables made so far stay; they are empty). */
int pt_extend(struct mm_struct *mm, u64 va, unsigned level, struct pt_pos *pos);

/* THE store: every entry of every table is written by this. Replaces *old by new if the entry still holds *old; else
 * (the hardware set A or D meanwhile) refreshes *old and returns false. Keeps the table's count of used entries and
 * the mm's of huge leaves, and remembers which function changed what a TLB may hold (vm_last_change).
 * TLB: a leaf's change that a TLB may not outlive goes into tlb; NULL where old was not present, or where only rights
 * are gained at a fault. A table's removal is the caller's to gather (pt_free_table). */
#define pt_store(...) pt_store_by(__func__, __VA_ARGS__)
bool pt_store_by(const char *who, struct mmu_gather *tlb, struct mm_struct *mm, const struct pt_pos *pos, u64 *old,
		 u64 new);
/* Stores new whatever the entry holds; returns what it held last. */
#define pt_set(...) pt_set_by(__func__, __VA_ARGS__)
u64 pt_set_by(const char *who, struct mmu_gather *tlb, struct mm_struct *mm, const struct pt_pos *pos, u64 new);

/* The function that last changed a present entry on va's path, and the number of that change; NULL: not known any more.
 */
const char *pt_last_change(const struct mm_struct *mm, u64 va, u64 *nr);

/* The one change beside pt_store(): takes A from a leaf. Returns whether it was set. No flush: a TLB that goes on using
 * its translation only makes the page look unused (Linux: ptep_test_and_clear_young). */
static inline bool pt_clear_young(const struct pt_pos *pos)
{
	return *pos->entry & X86_PTE_A && __atomic_fetch_and(pos->entry, ~X86_PTE_A, __ATOMIC_RELAXED) & X86_PTE_A;
}

/* A frame for a table of `level`; NULL when RAM is full. */
struct page *pt_alloc_table(struct mm_struct *mm, unsigned level);
/* The table, unhooked and empty, leaves the mm; its frame goes after the flush. */
void pt_free_table(struct mmu_gather *tlb, struct mm_struct *mm, struct page *table, u64 va);

/* The leaves of [start, end), in order:
 *     struct pt_iter it = pt_leaves(mm, start, end);
 *     while (pt_next(&it))  ... it.pos names a leaf; a huge one may stick out of the range at either end ...
 * The loop may clear or change the leaf, or split it and then pt_again(). */
struct pt_iter {
	const struct mm_struct *mm;
	u64 next, end;
	struct pt_pos pos;
};
static inline struct pt_iter pt_leaves(const struct mm_struct *mm, u64 start, u64 end)
{
	return (struct pt_iter){.mm = mm, .next = start, .end = end, .pos.level = X86_PML4};
}
bool pt_next(struct pt_iter *it);
/* The entry at pos became a table: visit what is below it next. start: the loop's. */
static inline void pt_again(struct pt_iter *it, u64 start)
{
	it->next = max(it->pos.va, start);
	it->pos.level = X86_PML4;
}
/* True when the leaf lies in [start, end) whole. */
static inline bool pt_inside(const struct pt_pos *pos, u64 start, u64 end)
{
	return pos->va >= start && pos->va + x86_level_size(pos->level) <= end;
}

#endif
