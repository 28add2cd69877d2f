/* SPDX-License-Identifier: MIT
 *
 * mm/memory.c - ranges of page tables: unmap, change rights, move, free tables. Linux's names.
 *
 * Every function works on the leaves of a range in one loop (struct pt_iter) and gathers what the TLBs must forget; the
 * caller flushes once, with tlb_finish_mmu().
 */
#include "mm/lru.h"
#include "mm/pgtable.h"
#include "mm/swap.h"

_Static_assert(offsetof(struct vm_area_struct, node) == 0, "no node is no area: container_of(NULL) is NULL");

static void zap_leaf(struct mmu_gather *tlb, struct mm_struct *mm, const struct pt_pos *pos)
{
	u64 old = pt_set(tlb, mm, pos, 0), pfn = entry_pfn(old);
	struct page *page = pfn_to_page(mm->vm, pfn);

	tlb->worked[VM_ENTRIES_UNMAPPED][pos->level > X86_PT]++;
	if (is_swap_entry(old)) {
		mm->rss[MM_SWAPENTS]--;
		swap_put(mm->vm, swp_slot(old));
		return;
	}
	if (!entry_has_frame(old) || is_zero_pfn(mm->vm, pfn)) {
		tlb->worked[VM_ENTRIES_LEFT][pos->level > X86_PT]++;
		return;
	}
	if (old & X86_PTE_D && page->kind == PAGE_FILE)
		page->flags |= PG_dirty;
	page_remove_rmap(mm, page, pos->va, level_order(pos->level));
	tlb->worked[VM_ENTRIES_LEFT][pos->level > X86_PT] += page_head(mm->vm, page)->_refcount > 1;
	tlb_remove_page(tlb, page_head(mm->vm, page));
}

static int zap_range(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 start, u64 end, bool guards)
{
	struct pt_iter it = pt_leaves(vma->vm_mm, start, end);
	int err = 0;

	while (pt_next(&it)) {
		if (is_guard_entry(*it.pos.entry) && !guards)
			continue;
		if (pt_inside(&it.pos, start, end))
			zap_leaf(tlb, vma->vm_mm, &it.pos);
		else if (!split_huge_leaf(tlb, vma->vm_mm, &it.pos))
			pt_again(&it, start);
		else
			err = -ENOMEM;
	}
	return err;
}

int zap_page_range(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 start, u64 end)
{
	return zap_range(tlb, vma, start, end, false);
}

void unmap_page_range(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 start, u64 end)
{
	zap_range(tlb, vma, start, end, true);
}

void zap_file_pages(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 start, u64 end)
{
	struct mm_struct *mm = vma->vm_mm;
	struct pt_iter it = pt_leaves(mm, start, end);

	while (pt_next(&it))
		if (entry_has_frame(*it.pos.entry) && pfn_to_page(mm->vm, entry_pfn(*it.pos.entry))->kind == PAGE_FILE)
			zap_leaf(tlb, mm, &it.pos);
}

/* Reclaim may forget the page, as long as its entry stays clean. */
static void mark_lazyfree(struct vm *vm, struct page *page)
{
	if (page->order || page->_mapcount != 1)
		return;
	lru_list_del(vm, page);
	page->flags &= (u16) ~(PG_dirty | PG_active | PG_referenced);
	page_set_lazyfree(vm, page);
	lru_add(vm, page, LRU_NEW);
}

void madvise_free_range(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 start, u64 end)
{
	struct mm_struct *mm = vma->vm_mm;
	struct pt_iter it = pt_leaves(mm, start, end);

	while (pt_next(&it)) {
		u64 old = *it.pos.entry;
		struct page *page;

		if (!pt_inside(&it.pos, start, end)) { /* advice: without RAM for a table the part stays as it is */
			if (!split_huge_leaf(tlb, mm, &it.pos))
				pt_again(&it, start);
			continue;
		}
		if (is_swap_entry(old)) {
			zap_leaf(tlb, mm, &it.pos);
			continue;
		}
		if (!entry_present(old))
			continue;
		page = pfn_to_page(mm->vm, entry_pfn(old));
		swap_cache_free(mm->vm, page);
		if (page_head(mm->vm, page)->kind == PAGE_ANON && !(page->flags & PG_swapcache)) {
			while (!pt_store(tlb, mm, &it.pos, &old, old & ~(X86_PTE_A | X86_PTE_D)))
				;
			mark_lazyfree(mm->vm, page);
		}
	}
}

bool madvise_may_age(const struct page *head)
{
	s32 mapped = 0, cached = head->kind == PAGE_FILE || head->flags & PG_swapcache;

	for (u64 i = 0; i < 1ull << head->order; i++) {
		if (head[i]._mapcount > 1)
			return false;
		mapped += head[i]._mapcount;
	}
	return head->_refcount == mapped + cached;
}

void madvise_cold_range(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 start, u64 end)
{
	struct vm *vm = vma->vm_mm->vm;
	struct pt_iter it = pt_leaves(vma->vm_mm, start, end);

	while (pt_next(&it)) {
		u64 entry = *it.pos.entry;
		struct page *head;

		if (!entry_has_frame(entry) || is_zero_pfn(vm, entry_pfn(entry)))
			continue;
		head = page_head(vm, pfn_to_page(vm, entry_pfn(entry)));
		if (!madvise_may_age(head))
			continue;
		if (!pt_inside(&it.pos, start, end)) {
			if (!split_huge_leaf(tlb, vma->vm_mm, &it.pos))
				pt_again(&it, start);
			continue;
		}
		while (entry & X86_PTE_A && !pt_store(tlb, vma->vm_mm, &it.pos, &entry, entry & ~X86_PTE_A))
			;
		if (!(head->flags & PG_lru))
			continue;
		lru_list_del(vm, head);
		head->flags &= (u16) ~(PG_active | PG_referenced);
		lru_add(vm, head, LRU_COLD);
	}
}

/* Linux's can_change_pte_writable(): may the entry be writable at once, so that no fault is needed later? */
static bool can_change_writable(const struct vm_area_struct *vma, u64 entry)
{
	struct vm *vm = vma->vm_mm->vm;
	struct page *page = pfn_to_page(vm, entry_pfn(entry));

	if (!(vma->vm_flags & VM_WRITE) || is_zero_pfn(vm, entry_pfn(entry)))
		return false;
	if (vma->vm_flags & VM_SHARED)
		return page->flags & PG_shmem || entry & X86_PTE_D;
	return page_head(vm, page)->kind == PAGE_ANON && page->flags & PG_anon_exclusive;
}

static u64 changed_rights(const struct vm_area_struct *vma, u64 old)
{
	return (old & ~PTE_RIGHTS) | vma_page_prot(vma) | (can_change_writable(vma, old) ? X86_PTE_RW : 0);
}

int change_protection(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 start, u64 end)
{
	struct mm_struct *mm = vma->vm_mm;
	struct pt_iter it = pt_leaves(mm, start, end);

	while (pt_next(&it)) {
		u64 old = *it.pos.entry;

		if (!pt_inside(&it.pos, start, end)) {
			if (split_huge_leaf(tlb, mm, &it.pos))
				return -ENOMEM;
			pt_again(&it, start);
			continue;
		}
		if (!entry_has_frame(old))
			continue; /* it has no rights */
		tlb->worked[VM_ENTRIES_PROTECTED][it.pos.level > X86_PT]++;
		while (!pt_store(tlb, mm, &it.pos, &old, changed_rights(vma, old)))
			;
	}
	return 0;
}

int split_huge_at(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 addr)
{
	struct pt_pos pos;

	for (;;) {
		pt_walk(vma->vm_mm, addr, X86_PT, &pos);
		if (!entry_leaf(*pos.entry, pos.level) || pos.va == addr)
			return 0;
		if (pos.level == X86_PT || split_huge_leaf(tlb, vma->vm_mm, &pos))
			return pos.level == X86_PT ? 0 : -ENOMEM;
	}
}

/* Moves one leaf to `to`, an empty entry of the same level. */
static void move_leaf(struct mmu_gather *tlb, struct mm_struct *mm, const struct pt_pos *from, const struct pt_pos *to)
{
	u64 entry = pt_set(tlb, mm, from, 0), pfn = entry_pfn(entry);
	struct page *page = pfn_to_page(mm->vm, pfn);

	if (entry_has_frame(entry) && !is_zero_pfn(mm->vm, pfn) && page_head(mm->vm, page)->kind == PAGE_ANON)
		page_move_rmap(mm, page, from->va, to->va);
	pt_set(NULL, mm, to, entry);
}

u64 move_page_tables(struct mmu_gather *tlb, struct vm_area_struct *old_vma, u64 old, struct vm_area_struct *new_vma,
		     u64 new_addr, u64 len)
{
	struct mm_struct *mm = old_vma->vm_mm;
	struct pt_iter it = pt_leaves(mm, old, old + len);
	struct pt_pos to;

	ASSERT(new_vma->vm_mm == mm);
	while (pt_next(&it)) {
		u64 from_va = max(it.pos.va, old), target = new_addr + (from_va - old);
		bool whole = pt_inside(&it.pos, old, old + len) && IS_ALIGNED(target, x86_level_size(it.pos.level));

		pt_walk(mm, target, it.pos.level, &to);
		if (whole && pt_extend(mm, target, it.pos.level, &to))
			return from_va - old;
		if (whole && !*to.entry) {
			move_leaf(tlb, mm, &it.pos, &to);
			continue;
		}
		/* A huge leaf that would not fit there, or that has a (still empty) table in its place. */
		if (split_huge_leaf(tlb, mm, &it.pos))
			return from_va - old;
		pt_again(&it, old);
	}
	return len;
}

/* Frees the tables of `level` whose whole span lies in [floor, ceiling) and meets [start, end). */
static void free_tables(struct mmu_gather *tlb, struct mm_struct *mm, unsigned level, u64 start, u64 end, u64 floor,
			u64 ceiling)
{
	u64 span = x86_level_size(level + 1), next;
	struct pt_pos pos;

	for (u64 va = ALIGN_DOWN(start, span); va < end; va = next) {
		u64 entry;

		pt_walk(mm, va, level + 1, &pos);
		next = pos.va + x86_level_size(pos.level);
		entry = *pos.entry;
		if (pos.level != level + 1 || !entry_table(entry, pos.level) || va < floor || next > ceiling)
			continue;
		pt_set(NULL, mm, &pos, 0);
		pt_free_table(tlb, mm, pfn_to_page(mm->vm, entry_pfn(entry)), max(va, start));
	}
}

/* The end of the last area below the range; areas inside it are as good as gone. */
static u64 floor_below(struct mm_struct *mm, u64 start)
{
	struct vm_area_struct *first = vma_find(mm, start), *prev;

	if (first && first->vm_start < start)
		return start;
	if (first)
		prev = vma_prev(first);
	else
		prev = mm->areas.last ? container_of(mm->areas.last, struct vm_area_struct, node) : NULL;
	return prev ? prev->vm_end : 0;
}

/* As Linux: a table goes when no area reaches into its span any more, not as soon as it is empty. */
void free_pgtables(struct mmu_gather *tlb, struct mm_struct *mm, u64 start, u64 end)
{
	struct vm_area_struct *next = vma_find(mm, end);
	u64 floor = floor_below(mm, start);
	u64 ceiling = next ? max(next->vm_start, end) : ALIGN_UP(TASK_SIZE, 1ull << PGDIR_SHIFT);

	for (unsigned level = X86_PT; level < X86_PML4; level++)
		free_tables(tlb, mm, level, start, end, floor, ceiling);
}
