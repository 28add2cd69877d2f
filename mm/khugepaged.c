/* SPDX-License-Identifier: MIT
 *
 * mm/khugepaged.c - collapse: 512 small entries of an area become one huge leaf, in the background (khugepaged) or when
 * asked for (MADV_COLLAPSE).
 *
 *   PD entry --> PT: [a][b][ ][z][a]...       1  every entry loses its rights, the PD entry goes; ONE flush
 *                     |  |  |  |  |            2  pages are copied; the zero page (z) and empty entries: cleared
 *                     v  v  0  0  v            3  the small pages are let go; who shares one keeps it
 *   PD leaf  --> [    a| b| 0| 0| a| ... ]
 *
 * Swapped pages are brought in first.
 * After the flush nobody can write to what is copied. Everything that may fail comes before 1.
 *
 * What khugepaged wants of 2M (scan_pmd), that MADV_COLLAPSE does not ask for: at most max_ptes_none empty entries,
 * max_ptes_swap swapped ones, max_ptes_shared that others map too; one entry used since the last look, half of them
 * where any is swapped. It looks at pages_to_scan entries, then sleeps scan_sleep_ms; without a free huge page
 * alloc_sleep_ms. The cursor goes round by address space and address.
 *
 * Anonymous memory only: files and shared memory stay in small pages.
 *
 * Sources: Linux 6.12 mm/khugepaged.c (hpage_collapse_scan_pmd, collapse_huge_page, madvise_collapse); as measured on
 * 6.18, areas that forbid writing collapse too.
 */
#include "mm/compaction.h"
#include "mm/pin.h"
#include "mm/fault.h"
#include "mm/lru.h"
#include "mm/swap.h"
#include "mm/vma.h"

const struct vm_khugepaged vm_khugepaged_defaults = {
    .pages_to_scan = 8 * PTRS_PER_TABLE,
    .scan_sleep_ms = 10000,
    .alloc_sleep_ms = 60000,
    .max_ptes_none = PTRS_PER_TABLE - 1,
    .max_ptes_swap = PTRS_PER_TABLE / 8,
    .max_ptes_shared = PTRS_PER_TABLE / 2,
};

enum scan_result {
	SCAN_SUCCEED,
	SCAN_PMD_MAPPED,           /* it is a huge leaf already */
	SCAN_PMD_NULL,             /* no table */
	SCAN_NOT_WANTED,           /* a limit of khugepaged's, or nobody used it */
	SCAN_PAGE_ANON,            /* a page of another kind, or a guard */
	SCAN_SWAPIN_FAIL,          /* a swapped page did not come back */
	SCAN_ALLOC_HUGE_PAGE_FAIL, /* no free block of 2M */
};

static u64 *table_of(struct vm *vm, const struct pt_pos *pmd)
{
	return phys_to_virt(vm, *pmd->entry & X86_PHYS_MASK);
}

/* What the entries of one table are. */
struct ptes {
	u64 none, swapped, shared, referenced;
	bool other; /* a page that is not anonymous, a guard */
};

static struct ptes count_ptes(struct vm *vm, const u64 *table)
{
	struct ptes n = {0};

	for (u64 i = 0; i < PTRS_PER_TABLE; i++) {
		struct page *page;

		if (is_swap_entry(table[i])) {
			n.swapped++;
			continue;
		}
		if (!table[i] || is_zero_pfn(vm, entry_pfn(table[i]))) {
			n.none++;
			continue;
		}
		if (is_guard_entry(table[i])) {
			n.other = true;
			continue;
		}
		page = pfn_to_page(vm, entry_pfn(table[i]));
		n.other |= page_head(vm, page)->kind != PAGE_ANON || page_is_held(vm, page_head(vm, page));
		n.shared += page->_mapcount > 1;
		n.referenced += table[i] & X86_PTE_A || page->flags & PG_referenced;
	}
	return n;
}

/* Is the 2M at pmd worth a huge page? limits: khugepaged's; NULL: whoever asks has none. */
static enum scan_result scan_pmd(struct vm *vm, const struct pt_pos *pmd, const struct vm_khugepaged *limits)
{
	struct ptes n;

	if (entry_leaf(*pmd->entry, pmd->level))
		return SCAN_PMD_MAPPED;
	if (pmd->level != X86_PD || !*pmd->entry)
		return SCAN_PMD_NULL;
	n = count_ptes(vm, table_of(vm, pmd));
	if (n.other)
		return SCAN_PAGE_ANON;
	if (limits &&
	    (n.none > limits->max_ptes_none || n.swapped > limits->max_ptes_swap || n.shared > limits->max_ptes_shared))
		return SCAN_NOT_WANTED;
	if (limits && (!n.referenced || (n.swapped && n.referenced < PTRS_PER_TABLE / 2)))
		return SCAN_NOT_WANTED;
	return SCAN_SUCCEED;
}

/* ---- collapse ---- */

/* Linux: __collapse_huge_page_swapin(). */
static bool swap_in_range(struct hw_cpu *cpu, struct vm_area_struct *vma, u64 start)
{
	for (u64 va = start; va < start + PMD_SIZE; va += PAGE_SIZE) {
		struct fault f = {.cpu = cpu, .mm = vma->vm_mm, .vma = vma, .va = va};

		fault_walk(&f);
		if (is_swap_entry(f.entry) && do_swap_page(&f) != VM_FAULT_SWAP)
			return false;
	}
	return true;
}

/* Step 1. The entries stay in their table, which nothing names any more, as those of a PROT_NONE area. */
static void unhook_table(struct hw_cpu *cpu, struct mm_struct *mm, const struct pt_pos *pmd)
{
	struct pt_iter it = pt_leaves(mm, pmd->va, pmd->va + PMD_SIZE);
	struct mmu_gather tlb;

	tlb_gather_mmu(&tlb, cpu, mm, VM_FLUSH_BY_COMPACT);
	while (pt_next(&it)) {
		u64 old = *it.pos.entry;

		while (!pt_store(&tlb, mm, &it.pos, &old, (old & ~PTE_RIGHTS) | PTE_PROTNONE))
			;
	}
	pt_set(NULL, mm, pmd, 0);
	tlb_adjust_range(&tlb, pmd->va, PMD_SIZE, 0);
	tlb.freed_tables = true;
	tlb_finish_mmu(&tlb);
}

/* Steps 2 and 3 for one entry. */
static void collapse_pte(struct mm_struct *mm, const struct pt_pos *pos, u64 to_pfn)
{
	u64 old = pt_set(NULL, mm, pos, 0), pfn = entry_pfn(old);
	struct page *page = pfn_to_page(mm->vm, pfn);

	if (!old || is_zero_pfn(mm->vm, pfn)) {
		hw_clear_frames(mm->vm->hw, to_pfn, 0);
		return;
	}
	hw_copy_frames(mm->vm->hw, to_pfn, pfn, 0);
	page_remove_rmap(mm, page, pos->va, 0);
	swap_cache_free(mm->vm, page);
	put_page(mm->vm, page_head(mm->vm, page));
}

static void collapse_ptes(struct mm_struct *mm, u64 start, struct page *table, u64 to_pfn)
{
	struct pt_pos pos = {.level = X86_PT, .va = start};

	pos.entry = phys_to_virt(mm->vm, page_to_pfn(mm->vm, table) << PAGE_SHIFT);
	for (u64 i = 0; i < PTRS_PER_TABLE; i++) {
		collapse_pte(mm, &pos, to_pfn + i);
		pos.entry++;
		pos.va += PAGE_SIZE;
	}
	mm->table_frames--;
	put_page(mm->vm, table);
}

static void map_huge_page(struct vm_area_struct *vma, const struct pt_pos *pmd, struct page *page)
{
	struct mm_struct *mm = vma->vm_mm;
	u64 bits = X86_PTE_D | (vma->vm_flags & VM_WRITE ? X86_PTE_RW : 0);

	page->flags |= PG_anon_exclusive;
	if (vma->vm_flags & VM_DROPPABLE)
		page_set_lazyfree(mm->vm, page);
	if (page_add_rmap(mm, page, pmd->va, HPAGE_PMD_ORDER))
		ASSERT(!"a new page's first mapping needs no memory");
	pt_set(NULL, mm, pmd, entry_make(vma, page_to_pfn(mm->vm, page), X86_PD, bits));
	lru_add(mm->vm, page, LRU_NEW);
}

static enum scan_result collapse_huge_page(struct hw_cpu *cpu, struct vm_area_struct *vma, const struct pt_pos *pmd)
{
	struct mm_struct *mm = vma->vm_mm;
	struct vm *vm = mm->vm;
	struct page *page = alloc_pages(vm, HPAGE_PMD_ORDER, PAGE_ANON), *table;

	if (!page)
		return SCAN_ALLOC_HUGE_PAGE_FAIL;
	if (!swap_in_range(cpu, vma, pmd->va)) {
		put_page(vm, page);
		return SCAN_SWAPIN_FAIL;
	}
	vm_emit(vm,
		&(struct vm_event){.type = VM_EV_THP_COLLAPSE, .order = HPAGE_PMD_ORDER, .mm = mm->id, .va = pmd->va});
	table = pfn_to_page(vm, entry_pfn(*pmd->entry));
	unhook_table(cpu, mm, pmd);
	collapse_ptes(mm, pmd->va, table, page_to_pfn(vm, page));
	map_huge_page(vma, pmd, page);
	return SCAN_SUCCEED;
}

/* One aligned 2M of vma. Where no huge page is free pages move together first, whatever defrag= says of faults: Linux's
 * khugepaged/defrag is 1. The tables stay where they are. */
static enum scan_result collapse_at(struct hw_cpu *cpu, struct vm_area_struct *vma, u64 va,
				    const struct vm_khugepaged *limits)
{
	struct vm *vm = vma->vm_mm->vm;
	enum scan_result result;
	struct pt_pos pmd;

	pt_walk(vma->vm_mm, va, X86_PD, &pmd);
	result = scan_pmd(vm, &pmd, limits);
	if (result != SCAN_SUCCEED)
		return result;
	compact_memory(vm, cpu);
	return collapse_huge_page(cpu, vma, &pmd);
}

/* The area has room for 2M, and is not of those that are never collapsed. */
static bool has_room(const struct vm_area_struct *vma)
{
	return !(vma->vm_flags & (VM_SPECIAL | VM_HUGETLB)) &&
	       ALIGN_UP(vma->vm_start, PMD_SIZE) < ALIGN_DOWN(vma->vm_end, PMD_SIZE);
}

/* An area that collapse may work on: private memory in which something was written. */
static bool may_collapse(const struct vm_area_struct *vma)
{
	return !vma->vm_file && vma->anon_vma && has_room(vma);
}

/* ---- MADV_COLLAPSE ---- */

int madvise_collapse(struct hw_cpu *cpu, struct vm_area_struct *vma, u64 start, u64 end)
{
	enum scan_result result, last = SCAN_SUCCEED;
	u64 first = ALIGN_UP(start, PMD_SIZE), stop = ALIGN_DOWN(end, PMD_SIZE);

	if (first > stop || thp_vma_disabled(vma, true))
		return -EINVAL; /* it lies within 2M, and does not meet their bound: Linux's sum is less than none */
	if (vma->vm_file && vma->vm_file->shmem && has_room(vma) && first == stop)
		return 0;
	if (!may_collapse(vma))
		return -EINVAL;
	for (u64 va = first; va < stop; va += PMD_SIZE) {
		result = collapse_at(cpu, vma, va, NULL);
		if (result == SCAN_SUCCEED || result == SCAN_PMD_MAPPED)
			continue;
		last = result;
		if (result != SCAN_PMD_NULL)
			break;
	}
	if (last == SCAN_ALLOC_HUGE_PAGE_FAIL)
		return -ENOMEM;
	return last == SCAN_SUCCEED ? 0 : -EINVAL;
}

/* ---- khugepaged ---- */

/* The next 2M at or after the cursor that khugepaged may look at, its area's whole part. The areas passed over count
 * as one entry each. NULL: the address space has no more. */
static struct vm_area_struct *next_place(struct mm_struct *mm, u64 *va, u64 *looked)
{
	struct vm_area_struct *vma;

	for (vma = vma_find(mm, *va); vma; vma = vma_next(vma)) {
		u64 at = ALIGN_UP(max(*va, vma->vm_start), PMD_SIZE);

		if (thp_vma_wanted(vma) && may_collapse(vma) && at + PMD_SIZE <= vma->vm_end) {
			*va = at;
			return vma;
		}
		++*looked;
	}
	return NULL;
}

/* The address space at the cursor; the first one after the last. NULL: none is left of this round. */
static struct mm_struct *cursor_mm(struct vm *vm, unsigned *rounds)
{
	struct vm_khugepaged_scan *scan = &vm->khugepaged;
	u64 id = scan->mm_id, mm = radix_next(&vm->mms, &id);

	if (!mm) {
		if (++*rounds > 1)
			return NULL;
		id = 0;
		mm = radix_next(&vm->mms, &id);
	}
	if (mm && id != scan->mm_id)
		scan->address = 0;
	scan->mm_id = (u32)id;
	return (struct mm_struct *)mm;
}

/* Linux: khugepaged_do_scan(). Returns ms to sleep. */
static u32 do_scan(struct vm *vm, struct hw_cpu *cpu)
{
	const struct vm_khugepaged *knobs = &vm->khugepaged.knobs;
	struct vm_khugepaged_scan *scan = &vm->khugepaged;
	unsigned rounds = 0;
	struct mm_struct *mm;

	for (u64 looked = 0; looked < knobs->pages_to_scan && (mm = cursor_mm(vm, &rounds));) {
		struct vm_area_struct *vma = next_place(mm, &scan->address, &looked);
		u64 va = scan->address;

		if (!vma) {
			scan->mm_id++;
			scan->address = 0;
			continue;
		}
		scan->address += PMD_SIZE;
		looked += PTRS_PER_TABLE;
		if (collapse_at(cpu, vma, va, knobs) == SCAN_ALLOC_HUGE_PAGE_FAIL)
			return knobs->alloc_sleep_ms;
	}
	return knobs->scan_sleep_ms;
}

#define MAX_TURNS 1024 /* of a long sleep: with nobody else at work more of them find nothing new */

void khugepaged_run(struct vm *vm, struct hw_cpu *cpu, u64 us)
{
	struct vm_khugepaged_scan *scan = &vm->khugepaged;

	if (!vm->cfg.khugepaged || vm->cfg.thp == VM_THP_NEVER)
		return;
	scan->slept_us += us;
	for (unsigned turn = 0; turn < MAX_TURNS && scan->slept_us >= scan->sleep_ms * 1000ull; turn++) {
		scan->slept_us -= scan->sleep_ms * 1000ull;
		scan->sleep_ms = do_scan(vm, cpu);
	}
	scan->slept_us = min(scan->slept_us, scan->sleep_ms * 1000ull);
}
