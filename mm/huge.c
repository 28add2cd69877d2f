/* SPDX-License-Identifier: MIT
 *
 * mm/huge.c - 2M and 1G pages of anonymous memory: given at fault time, shared by fork, split.
 *
 * Who gets one at a fault on an empty entry (Linux's rule): the whole aligned 2M lies in the area, no table is in its
 * place yet, and policy wants it: thp=always unless MADV_NOHUGEPAGE, thp=madvise with MADV_HUGEPAGE; and the process
 * has not said PR_SET_THP_DISABLE. A machine with anon_order gives pages of that order, by the same rule of place, to
 * all anonymous memory (as hugetlb would).
 *
 * Where none is free, the fault compacts memory (mm/compaction.c) as defrag says, and then goes on with small pages.
 *
 * A huge page's block lives until its last entry goes. Its mappings may be one huge leaf in one mm, and a table of 512
 * small entries in another:
 *
 *   parent: PMD leaf --------------> [ head | tail | tail | ... ]   one block of order 9, _refcount on the head:
 *   child:  PMD -> PT: 511 entries ------------^------^             one for each entry of any size
 *                      1 entry --> its own 4K copy
 *
 * Sources: Linux 6.12 mm/huge_memory.c (do_huge_pmd_anonymous_page, do_huge_pmd_wp_page, __split_huge_pmd), and as
 * measured on 6.18: a write to the huge zero page gets a huge page.
 */
#include "mm/fault.h"

/* ---- split ---- */

int split_huge_leaf(struct mmu_gather *tlb, struct mm_struct *mm, struct pt_pos *pos)
{
	unsigned level = pos->level - 1, order = level_order(level);
	u64 pfn = entry_pfn(*pos->entry), old, keep;
	bool zero = is_zero_pfn(mm->vm, pfn);
	struct page *table = pt_alloc_table(mm, level);
	struct pt_pos small = {.level = level, .va = pos->va};

	if (!table)
		return -ENOMEM;
	if (!zero && page_split_rmap(mm, pfn_to_page(mm->vm, pfn), pos->va, level_order(pos->level), order)) {
		mm->table_frames--;
		put_page(mm->vm, table);
		return -ENOMEM;
	}
	old = pt_set(tlb, mm, pos, 0);
	keep = old & ~X86_PHYS_MASK & ~(level == X86_PT ? X86_PTE_PS : 0);
	small.entry = phys_to_virt(mm->vm, page_to_pfn(mm->vm, table) << PAGE_SHIFT);
	for (u64 i = 0; i < PTRS_PER_TABLE; i++) {
		u64 small_pfn = zero ? mm->vm->zero_pfn : pfn + (i << order);

		pt_set(NULL, mm, &small, small_pfn << PAGE_SHIFT | keep);
		small.entry++;
		small.va += PAGE_SIZE << order;
	}
	pt_set(NULL, mm, pos, page_to_pfn(mm->vm, table) << PAGE_SHIFT | PAGE_TABLE_BITS);
	vm_emit(mm->vm,
		&(struct vm_event){
		    .type = VM_EV_THP_SPLIT, .order = (u8)level_order(pos->level), .mm = mm->id, .va = pos->va});
	return 0;
}

/* ---- row 2: an empty entry ---- */

long vm_set_thp_disable(struct mm_struct *mm, u64 disable, u64 flags)
{
	if (flags & ~(u64)VM_THP_EXCEPT_ADVISED || (flags && !disable))
		return -EINVAL;
	mm->thp_disable = disable ? (u8)(1 | flags) : 0;
	return 0;
}

long vm_get_thp_disable(const struct mm_struct *mm)
{
	return mm->thp_disable;
}

bool thp_vma_disabled(const struct vm_area_struct *vma, bool asked)
{
	u8 disable = vma->vm_mm->thp_disable;

	if (vma->vm_flags & VM_NOHUGEPAGE || disable == 1)
		return true;
	return disable && !asked && !(vma->vm_flags & VM_HUGEPAGE);
}

bool thp_vma_wanted(const struct vm_area_struct *vma)
{
	if (thp_vma_disabled(vma, false))
		return false;
	switch (vma->vm_mm->vm->cfg.thp) {
	case VM_THP_ALWAYS:
		return true;
	case VM_THP_MADVISE:
		return vma->vm_flags & VM_HUGEPAGE;
	default:
		return false;
	}
}

/* There is a place for a huge page: aligned, in the area, no table in the way. */
static bool place_fits(const struct fault *f, unsigned order)
{
	u64 size = PAGE_SIZE << order, start = ALIGN_DOWN(f->va, size);

	return f->pos.level >= order_level(order) && start >= f->vma->vm_start && start + size <= f->vma->vm_end;
}

/* Linux: vma_thp_gfp_mask(). */
static bool may_compact(const struct fault *f, unsigned order)
{
	enum vm_thp_defrag defrag = f->mm->vm->cfg.thp_defrag;

	return order == HPAGE_PMD_ORDER && !f->compacted &&
	       (defrag == VM_DEFRAG_ALWAYS || (defrag == VM_DEFRAG_MADVISE && f->vma->vm_flags & VM_HUGEPAGE));
}

/* NULL: there is none (no_huge says what that means). */
static struct page *alloc_huge(struct fault *f, unsigned order)
{
	struct vm *vm = f->mm->vm;
	struct page *page = alloc_pages(vm, order, PAGE_ANON);

	f->wants_compaction = !page && may_compact(f, order);
	if (f->wants_compaction)
		return NULL;
	vm_emit(vm, &(struct vm_event){.type = page ? VM_EV_THP_FAULT_ALLOC : VM_EV_THP_FAULT_FALLBACK,
				       .order = (u8)order,
				       .mm = f->mm->id,
				       .va = f->va});
	if (page)
		hw_clear_frames(vm->hw, page_to_pfn(vm, page), order);
	return page;
}

/* Without one: back to compact memory, or on with small pages. */
static unsigned no_huge(const struct fault *f)
{
	return f->wants_compaction ? VM_FAULT_NOMEM : VM_FAULT_NR;
}

/* The machine's one huge zero page, made at its first use; 0 when RAM has no block for it. */
static u64 huge_zero_pfn(struct vm *vm)
{
	struct page *page;

	if (vm->huge_zero_pfn)
		return vm->huge_zero_pfn;
	page = alloc_pages(vm, HPAGE_PMD_ORDER, PAGE_KERNEL);
	if (!page)
		return 0;
	vm->huge_zero_pfn = page_to_pfn(vm, page);
	hw_clear_frames(vm->hw, vm->huge_zero_pfn, HPAGE_PMD_ORDER);
	return vm->huge_zero_pfn;
}

/* A zeroed huge page of this order at f's empty entry. bits: as for entry_make. */
static unsigned map_huge(struct fault *f, unsigned order, u64 bits)
{
	struct page *page = alloc_huge(f, order);

	if (!page)
		return no_huge(f);
	if (fault_extend(f, order_level(order))) {
		put_page(f->mm->vm, page);
		return VM_FAULT_NOMEM;
	}
	map_new_anon_page(f, page, bits);
	return fault_write(f) ? VM_FAULT_ZERO_WRITE : VM_FAULT_ZERO_READ;
}

unsigned do_huge_anonymous_page(struct fault *f)
{
	const struct vm_config *cfg = &f->mm->vm->cfg;
	/* Without a zero page, as for hugetlb, what is read first is writable already. */
	u64 bits = fault_bits(f) | (f->vma->vm_flags & VM_WRITE ? X86_PTE_RW : 0);

	if (f->vma->vm_flags & VM_HUGETLB)
		return hugetlb_no_page(f);
	if (cfg->anon_order && place_fits(f, cfg->anon_order) &&
	    (cfg->anon_order < HPAGE_PUD_ORDER || f->mm->vm->gbpages)) {
		unsigned cause = map_huge(f, cfg->anon_order, bits);

		if (cause != VM_FAULT_NR)
			return cause;
	}
	if (!thp_vma_wanted(f->vma) || !place_fits(f, HPAGE_PMD_ORDER))
		return VM_FAULT_NR;
	if (fault_write(f) || !f->mm->vm->variant.zero_page)
		return map_huge(f, HPAGE_PMD_ORDER, bits);
	if (!huge_zero_pfn(f->mm->vm))
		return VM_FAULT_NR;
	if (fault_extend(f, X86_PD))
		return VM_FAULT_NOMEM;
	anon_vma_prepare(f->vma); /* Linux does so before it looks at the kind of access: fork will copy the area */
	pt_set(NULL, f->mm, &f->pos, entry_make(f->vma, f->mm->vm->huge_zero_pfn, X86_PD, 0));
	return VM_FAULT_ZERO_READ;
}

/* ---- row 5: a write to a read-only huge leaf ---- */

/* The huge zero page gives way to a page of one's own. */
static unsigned huge_zero_wp(struct fault *f)
{
	struct mmu_gather tlb;
	struct page *page = alloc_huge(f, HPAGE_PMD_ORDER);

	if (!page)
		return no_huge(f);
	tlb_gather_mmu(&tlb, f->cpu, f->mm, VM_FLUSH_BY_FAULT);
	pt_set(&tlb, f->mm, &f->pos, 0);
	map_new_anon_page(f, page, fault_bits(f));
	tlb_finish_mmu(&tlb);
	return VM_FAULT_COW_COPY;
}

unsigned do_huge_wp_page(struct fault *f)
{
	struct vm *vm = f->mm->vm;
	struct page *page = pfn_to_page(vm, entry_pfn(f->entry));
	unsigned cause = VM_FAULT_NR;
	struct mmu_gather tlb;
	int err = 0;

	if (is_zero_pfn(vm, entry_pfn(f->entry))) {
		cause = vm->variant.huge_zero_write ? huge_zero_wp(f) : VM_FAULT_NR;
	} else if (page->flags & PG_anon_exclusive || (page->kind == PAGE_ANON && page->_refcount == 1)) {
		page->flags |= PG_anon_exclusive;
		wp_page_reuse(f);
		cause = VM_FAULT_COW_REUSE;
	}
	if (cause == VM_FAULT_NR && f->vma->vm_flags & VM_HUGETLB && f->pos.level == X86_PD)
		cause = hugetlb_wp(f);
	if (cause != VM_FAULT_NR)
		return cause;
	tlb_gather_mmu(&tlb, f->cpu, f->mm, VM_FLUSH_BY_FAULT);
	for (; f->pos.level > X86_PT && !err; fault_walk(f))
		err = split_huge_leaf(&tlb, f->mm, &f->pos);
	tlb_finish_mmu(&tlb);
	return err ? VM_FAULT_NOMEM : VM_FAULT_NR;
}
