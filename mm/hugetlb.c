/* SPDX-License-Identifier: MIT
 *
 * mm/hugetlb.c - MAP_HUGETLB: private anonymous memory in pages of 2M that are set aside at boot (nr_hugepages).
 *
 *   vm->hugetlb.head --> [2M] --> [2M] --> 0       the free pages of the pool, through lru_next; of the kernel's kind
 *
 * A page leaves the pool at its first use, and comes back when nobody maps it. It is never split, moved or swapped.
 *
 * What is promised. An area is promised its pages at mmap, which fails with -ENOMEM when the pool cannot keep that;
 * with MAP_NORESERVE it is promised none, and a first use that finds the pool empty, or all of it promised to others,
 * is SIGBUS. A child's areas are promised none (they become VM_NORESERVE): the promise is the parent's. When the parent
 * writes to a page that it shares with its children, and there is no page to copy to, they lose it. Nothing is
 * counted for this: what is still promised are the pages of such areas that are not there yet.
 *
 * A machine without a pool takes huge pages from free memory, and small ones where there are none.
 *
 * Invariants (numbers as mm/check.c prints them)
 *   120 the pool's pages are in its chain, or in use; their number is nr
 *
 * Sources: Linux 6.12 mm/hugetlb.c (hugetlb_reserve_pages, alloc_hugetlb_folio, hugetlb_wp, unmap_ref_private).
 */
#include "mm/fault.h"

static bool is_promised(const struct vm_area_struct *vma)
{
	return vma->vm_flags & VM_HUGETLB && !vma->vm_file && !(vma->vm_flags & VM_NORESERVE);
}

void hugetlb_init(struct vm *vm, u64 nr)
{
	struct page *page;

	while (nr-- && (page = alloc_pages(vm, HPAGE_PMD_ORDER, PAGE_KERNEL))) {
		page->flags = PG_hugetlb;
		page->lru_next = vm->hugetlb.head;
		vm->hugetlb.head = (u32)page_to_pfn(vm, page);
		vm->hugetlb.nr++;
		vm->hugetlb.free++;
	}
}

void hugetlb_free_page(struct vm *vm, struct page *page)
{
	vm->kind_frames[page->kind] -= PTRS_PER_TABLE;
	vm->kind_frames[PAGE_KERNEL] += PTRS_PER_TABLE;
	*page = (struct page){.kind = PAGE_KERNEL,
			      .order = HPAGE_PMD_ORDER,
			      .flags = PG_hugetlb,
			      ._refcount = 1,
			      .lru_next = vm->hugetlb.head};
	vm->hugetlb.head = (u32)page_to_pfn(vm, page);
	vm->hugetlb.free++;
}

/* ---- promises ---- */

/* Pages of the area that are not there. */
static u64 missing_pages(const struct vm_area_struct *vma)
{
	u64 n = 0;

	for (u64 va = vma->vm_start; va < vma->vm_end; va += PMD_SIZE) {
		struct pt_pos pos;

		pt_walk(vma->vm_mm, va, X86_PD, &pos);
		n += !*pos.entry || pos.level != X86_PD;
	}
	return n;
}

/* Of the free pages, those that nobody was promised. */
static u64 unpromised(struct vm *vm)
{
	u64 promised = 0;

	for (struct mm_struct *mm = vm->mm_list; mm; mm = mm->next)
		for (struct vm_area_struct *vma = vma_find(mm, 0); vma; vma = vma_next(vma))
			promised += is_promised(vma) ? missing_pages(vma) : 0;
	return vm->hugetlb.free > promised ? vm->hugetlb.free - promised : 0;
}

bool hugetlb_may_reserve(struct vm *vm, u64 bytes)
{
	return !vm->hugetlb.nr || bytes >> PMD_SHIFT <= unpromised(vm);
}

/* ---- faults ---- */

/* A page for an area; own: it was promised this one. NULL: there is none for it. */
static struct page *alloc_hugetlb_page(struct vm *vm, bool own)
{
	struct page *page;

	if (!vm->hugetlb.nr)
		return alloc_pages(vm, HPAGE_PMD_ORDER, PAGE_ANON);
	if (!vm->hugetlb.free || (!own && !unpromised(vm)))
		return NULL;
	page = pfn_to_page(vm, vm->hugetlb.head);
	vm->hugetlb.head = page->lru_next;
	vm->hugetlb.free--;
	vm->kind_frames[PAGE_KERNEL] -= PTRS_PER_TABLE;
	vm->kind_frames[PAGE_ANON] += PTRS_PER_TABLE;
	page->kind = PAGE_ANON;
	page->lru_next = 0;
	return page;
}

/* Without a page: small ones where there is no pool, else SIGBUS. */
static unsigned no_page(const struct vm *vm)
{
	return vm->hugetlb.nr ? VM_FAULT_BUS : VM_FAULT_NR;
}

/* Row 2. There is no zero page: what is read first is writable already. */
unsigned hugetlb_no_page(struct fault *f)
{
	bool writable = f->vma->vm_flags & VM_WRITE;
	struct vm *vm = f->mm->vm;
	struct page *page;

	if (f->pos.level < X86_PD)
		return VM_FAULT_NR; /* small pages are there */
	if (fault_extend(f, X86_PD))
		return VM_FAULT_NOMEM;
	page = alloc_hugetlb_page(vm, is_promised(f->vma));
	if (!page)
		return no_page(vm);
	hw_clear_frames(vm->hw, page_to_pfn(vm, page), HPAGE_PMD_ORDER);
	map_new_anon_page(f, page, fault_bits(f) | (writable ? X86_PTE_RW : 0));
	return fault_write(f) ? VM_FAULT_ZERO_WRITE : VM_FAULT_ZERO_READ;
}

struct other_mapping {
	struct mm_struct *owner, *mm;
	u64 va;
};

static void find_other(void *ctx, struct mm_struct *mm, u64 va)
{
	struct other_mapping *other = ctx;

	if (mm != other->owner)
		*other = (struct other_mapping){other->owner, mm, va};
}

/* Linux: unmap_ref_private(). All but f's own address space lose the page. */
static void unmap_from_others(struct fault *f, struct page *page)
{
	struct mmu_gather tlb = {.mm = NULL};

	while (page->_mapcount > 1) {
		struct other_mapping other = {.owner = f->mm};
		struct pt_pos pos;

		rmap_walk(f->mm->vm, page, find_other, &other);
		ASSERT(other.mm);
		pt_walk(other.mm, other.va, X86_PD, &pos);
		pt_set(tlb_gather_of(&tlb, f->cpu, other.mm, VM_FLUSH_BY_FAULT), other.mm, &pos, 0);
		page_remove_rmap(other.mm, page, other.va, HPAGE_PMD_ORDER);
		put_page(f->mm->vm, page);
	}
	tlb_gather_end(&tlb);
}

/* Row 5, a page that others map too. */
unsigned hugetlb_wp(struct fault *f)
{
	struct vm *vm = f->mm->vm;
	struct page *old = pfn_to_page(vm, entry_pfn(f->entry)), *page = alloc_hugetlb_page(vm, false);
	struct mmu_gather tlb;

	if (!page && vm->hugetlb.nr && is_promised(f->vma)) {
		unmap_from_others(f, old);
		old->flags |= PG_anon_exclusive;
		wp_page_reuse(f);
		return VM_FAULT_COW_REUSE;
	}
	if (!page)
		return no_page(vm);
	hw_copy_frames(vm->hw, page_to_pfn(vm, page), page_to_pfn(vm, old), HPAGE_PMD_ORDER);
	tlb_gather_mmu(&tlb, f->cpu, f->mm, VM_FLUSH_BY_FAULT);
	pt_set(&tlb, f->mm, &f->pos, 0);
	page_remove_rmap(f->mm, old, f->pos.va, HPAGE_PMD_ORDER);
	tlb_remove_page(&tlb, old);
	map_new_anon_page(f, page, fault_bits(f));
	tlb_finish_mmu(&tlb);
	return VM_FAULT_COW_COPY;
}
