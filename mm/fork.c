/* SPDX-License-Identifier: MIT
 *
 * mm/fork.c - fork: a second address space that shares every page until someone writes.
 *
 *   before   parent PTE  RW, page exclusive
 *   after    parent PTE  read-only --+
 *            child  PTE  read-only --+--> page: not exclusive, _refcount 2         a write by either copies it;
 *                                                                                  the last one left reuses it
 * What is not copied: areas of MADV_DONTFORK (not in the child at all), of MADV_WIPEONFORK (empty in the child), and
 * areas whose pages the child can find again by faults: files (but the kernel's own pages) and shmem without a private
 * page, anonymous memory of which only the zero page was read. Linux: vma_needs_copy().
 *
 * Source: Linux 6.12 mm/memory.c (copy_page_range, copy_present_ptes), kernel/fork.c (dup_mmap).
 */
#include "mm/swap.h"
#include "mm/lru.h"
#include "mm/pin.h"
#include "mm/vma.h"
#include "mm/vmscan.h"

static bool vma_needs_copy(const struct vm_area_struct *child, const struct vm_area_struct *parent)
{
	if (parent->vm_file && parent->vm_file->pfnmap)
		return true;
	return parent->anon_vma && !(child->vm_flags & VM_WIPEONFORK);
}

/* Whoever pinned the page writes to the parent's, which therefore must stay the parent's own. */
static bool copies_at_once(struct vm *vm, struct page *page)
{
	const struct page *head = page_head(vm, page);

	return head->kind == PAGE_ANON && page->flags & PG_anon_exclusive && page_maybe_pinned(head);
}

/* Linux: copy_present_page(). The child's entry is writable where the area is: its page is its own. */
static int copy_pinned(struct mm_struct *child, const struct vm_area_struct *vma, const struct pt_pos *from,
		       const struct pt_pos *to)
{
	struct vm *vm = child->vm;
	struct page *page = alloc_pages(vm, 0, PAGE_ANON);

	if (!page)
		return -ENOMEM;
	hw_copy_frames(vm->hw, page_to_pfn(vm, page), entry_pfn(*from->entry), 0);
	page->flags |= PG_anon_exclusive;
	if (page_add_rmap(child, page, from->va, 0))
		ASSERT(!"a new page's first mapping needs no memory");
	lru_add(vm, page, LRU_NEW);
	pt_set(NULL, child, to,
	       entry_make(vma, page_to_pfn(vm, page), X86_PT, X86_PTE_D | (vma->vm_flags & VM_WRITE ? X86_PTE_RW : 0)));
	return 0;
}

/* The child's entry for a leaf of the parent's, not yet accessed: private memory loses the right to write in both;
 * shared memory is clean in the child. */
static int copy_leaf(struct mmu_gather *tlb, struct mm_struct *child, const struct vm_area_struct *vma,
		     const struct pt_pos *from)
{
	u64 old = *from->entry, pfn = entry_pfn(old), lost = vma->vm_flags & VM_SHARED ? X86_PTE_D : X86_PTE_RW;
	struct mm_struct *parent = vma->vm_mm;
	struct page *page = pfn_to_page(parent->vm, pfn);
	struct pt_pos to;

	pt_walk(child, from->va, from->level, &to);
	if (pt_extend(child, from->va, from->level, &to))
		return -ENOMEM;
	if (is_swap_entry(old)) {
		swap_dup(parent->vm, swp_slot(old));
		child->rss[MM_SWAPENTS]++;
		pt_set(NULL, parent, from, old & ~SWP_EXCLUSIVE);
		pt_set(NULL, child, &to, old & ~SWP_EXCLUSIVE);
		return 0;
	}
	if (is_guard_entry(old)) {
		pt_set(NULL, child, &to, old);
		return 0;
	}
	if (copies_at_once(parent->vm, page))
		return copy_pinned(child, vma, from, &to);
	if (!is_zero_pfn(parent->vm, pfn)) {
		if (page_add_rmap(child, page, from->va, level_order(from->level)))
			return -ENOMEM;
		get_page(page_head(parent->vm, page));
		page->flags &= (u16)~PG_anon_exclusive;
	}
	while (lost & X86_PTE_RW && old & X86_PTE_RW && !pt_store(tlb, parent, from, &old, old & ~X86_PTE_RW))
		;
	pt_set(NULL, child, &to, old & ~(lost | X86_PTE_A));
	return 0;
}

static int copy_page_range(struct mmu_gather *tlb, struct mm_struct *child, struct vm_area_struct *parent_vma)
{
	struct mm_struct *parent = parent_vma->vm_mm;
	struct pt_iter it = pt_leaves(parent, parent_vma->vm_start, parent_vma->vm_end);

	while (pt_next(&it)) {
		if (it.pos.level > X86_PT && entry_has_frame(*it.pos.entry) &&
		    copies_at_once(parent->vm, pfn_to_page(parent->vm, entry_pfn(*it.pos.entry)))) {
			if (split_huge_leaf(tlb, parent, &it.pos))
				return -ENOMEM;
			pt_again(&it, parent_vma->vm_start);
			continue;
		}
		if (copy_leaf(tlb, child, parent_vma, &it.pos))
			return -ENOMEM;
		tlb->worked[VM_ENTRIES_FORKED][it.pos.level > X86_PT]++;
	}
	return 0;
}

static int dup_pages(struct hw_cpu *cpu, struct mm_struct *child, struct mm_struct *parent)
{
	struct mmu_gather tlb;
	int err = 0;

	tlb_gather_mmu(&tlb, cpu, parent, VM_FLUSH_BY_FORK);
	for (struct vm_area_struct *vma = vma_find(child, 0); vma && !err; vma = vma_next(vma)) {
		struct vm_area_struct *from = vma_lookup(parent, vma->vm_start);

		ASSERT(from && from->vm_start == vma->vm_start && from->vm_end == vma->vm_end);
		if (vma_needs_copy(vma, from))
			err = copy_page_range(&tlb, child, from);
	}
	tlb_flush_whole_mm(&tlb); /* Linux flushes the parent once, whatever was copied */
	tlb_finish_mmu(&tlb);
	return err;
}

static int try_fork(struct hw_cpu *cpu, struct mm_struct *parent, struct mm_struct **child)
{
	struct mm_struct *mm = mm_create(parent->vm);
	int err;

	if (!mm)
		return -ENOMEM;
	mm->mmap_base = parent->mmap_base;
	mm->start_brk = parent->start_brk;
	mm->brk = parent->brk;
	mm->start_stack = parent->start_stack;
	memcpy(mm->rlimit, parent->rlimit, sizeof(mm->rlimit));
	mm->oom_score_adj = parent->oom_score_adj;
	mm->thp_disable = parent->thp_disable;
	mm->pkey_allocation_map = parent->pkey_allocation_map;
	err = vma_dup_all(mm, parent);
	if (!err)
		err = dup_pages(cpu, mm, parent);
	if (err) {
		mm_put(mm);
		return err;
	}
	*child = mm;
	return 0;
}

/* Over-commitment: the child's areas are charged one after the other. Linux: dup_mmap(). */
static bool may_charge_child(struct mm_struct *parent)
{
	bool sum = parent->vm->cfg.overcommit == VM_OVERCOMMIT_NEVER; /* the only mode that adds promises up */
	u64 pages = 0;

	for (struct vm_area_struct *vma = vma_find(parent, 0); vma; vma = vma_next(vma)) {
		if ((vma->vm_flags & (VM_ACCOUNT | VM_DONTCOPY)) != VM_ACCOUNT)
			continue;
		pages = (sum ? pages : 0) + vma_pages(vma);
		if (!vm_enough_memory(parent, pages))
			return false;
	}
	return true;
}

int mm_fork(struct hw_cpu *cpu, struct mm_struct *parent, struct mm_struct **child)
{
	unsigned tries = 0;
	int err;

	if (!may_charge_child(parent))
		return -ENOMEM;
	balance_if_low(parent->vm, cpu);
	do {
		err = try_fork(cpu, parent, child);
	} while (err && make_room(cpu, parent, 0, &tries));
	CHECK3(parent->vm->cfg.check, vm_check(parent->vm));
	return err;
}
