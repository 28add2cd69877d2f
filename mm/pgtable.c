/* SPDX-License-Identifier: MIT
 *
 * mm/pgtable.c - the hardware's tables in RAM: the one walk, and the one store.
 *
 *   mm->pgd_pfn -> [ PML4 ] -> [ PDPT ] -> [ PD ] -> [ PT ] -> frame
 *                                 |           +----------------> 2M leaf
 *                                 +----------------------------> 1G leaf
 *
 * Only the user half (canonical addresses below 2^47) is managed here; the kernel half, and KPTI's second root, are in
 * pti.c.
 *
 * Invariants (numbers as mm/check.c prints them)
 *   20 a table's frame is PAGE_TABLE, its private is its level, one entry names it
 *   21 its _mapcount is the number of its entries that are not 0 (of the top table: user entries)
 *   22 the mm's table_frames and huge_leaves are what a walk finds
 *
 * Sources: Intel SDM vol. 3A 4.5 (4-level paging), 4.10.4 (which changes need an invalidation).
 */
#include "mm/pgtable.h"
#include "mm/swap.h"

void pt_walk(const struct mm_struct *mm, u64 va, unsigned level, struct pt_pos *pos)
{
	u64 table_pfn = mm->pgd_pfn;

	for (pos->level = X86_PML4;; pos->level--) {
		pos->entry = (u64 *)phys_to_virt(mm->vm, table_pfn << PAGE_SHIFT) + x86_index(va, pos->level);
		if (pos->level == level || !entry_table(*pos->entry, pos->level))
			break;
		table_pfn = entry_pfn(*pos->entry);
	}
	pos->va = ALIGN_DOWN(va, x86_level_size(pos->level));
}

struct page *pt_alloc_table(struct mm_struct *mm, unsigned level)
{
	struct page *table = alloc_pages(mm->vm, 0, PAGE_TABLE);

	if (!table)
		return NULL;
	table->private = level;
	vm_emit(mm->vm, &(struct vm_event){.type = VM_EV_TABLE, .mm = mm->id});
	memset(phys_to_virt(mm->vm, page_to_pfn(mm->vm, table) << PAGE_SHIFT), 0, PAGE_SIZE);
	mm->table_frames++;
	if (mm->table_frames > mm->peak_table_frames)
		mm->peak_table_frames = mm->table_frames;
	return table;
}

void pt_free_table(struct mmu_gather *tlb, struct mm_struct *mm, struct page *table, u64 va)
{
	ASSERT(table->kind == PAGE_TABLE && table->_mapcount == 0);
	mm->table_frames--;
	tlb_adjust_range(tlb, va, PAGE_SIZE, level_order(table->private + 1));
	tlb_remove_table(tlb, table);
}

int pt_extend(struct mm_struct *mm, u64 va, unsigned level, struct pt_pos *pos)
{
	while (pos->level > level && !entry_leaf(*pos->entry, pos->level)) {
		if (!*pos->entry) {
			struct page *table = pt_alloc_table(mm, pos->level - 1);

			if (!table)
				return -ENOMEM;
			pt_set(NULL, mm, pos, page_to_pfn(mm->vm, table) << PAGE_SHIFT | PAGE_TABLE_BITS);
		}
		pos->entry = (u64 *)phys_to_virt(mm->vm, *pos->entry & X86_PHYS_MASK) + x86_index(va, pos->level - 1);
		pos->level--;
		pos->va = ALIGN_DOWN(va, x86_level_size(pos->level));
	}
	return 0;
}

/* Linux's pte_needs_flush(): may a TLB that holds old not go on using it? Gaining A or D is harmless; all else that the
 * hardware caches is not, a gain of rights included: Linux flushes there too, and counts must agree. */
static bool needs_flush(u64 old, u64 new)
{
	const u64 ad = X86_PTE_A | X86_PTE_D;
	const u64 software = X86_PTE_SW1 | X86_PTE_SW2 | X86_PTE_SW3;

	return entry_present(old) && (((old ^ new) & ~(ad | software)) || (old & ~new &ad));
}

/* Only rights are gained: a CPU that still holds old faults once more, and finds the fault spurious. */
static bool only_widens(u64 old, u64 new)
{
	const u64 gain = X86_PTE_RW | X86_PTE_A | X86_PTE_D, lose = X86_PTE_NX;

	return !((old ^ new) & ~(gain | lose)) && !(old & ~new &gain) && !(new & ~old &lose);
}

/* The page number of an entry's first address, and its level: what a change is remembered under. */
static u64 change_key(u64 va, unsigned level)
{
	return ALIGN_DOWN(va, x86_level_size(level)) | level;
}

static struct pt_change *change_slot(struct vm *vm, u64 key)
{
	return &vm->change[(key >> PAGE_SHIFT ^ key) % PT_CHANGES];
}

static void remember_change(const struct mm_struct *mm, const struct pt_pos *pos, const char *who)
{
	u64 key = change_key(pos->va, pos->level);

	*change_slot(mm->vm, key) = (struct pt_change){key, ++mm->vm->nr_changes, who, mm->id};
}

const char *pt_last_change(const struct mm_struct *mm, u64 va, u64 *nr)
{
	const char *who = NULL;

	*nr = 0;
	for (unsigned level = X86_PT; level <= X86_PML4; level++) {
		u64 key = change_key(va, level);
		const struct pt_change *c = change_slot(mm->vm, key);

		if (c->key != key || c->mm != mm->id || c->nr < *nr)
			continue;
		*nr = c->nr;
		who = c->who;
	}
	return who;
}

bool pt_store_by(const char *who, struct mmu_gather *tlb, struct mm_struct *mm, const struct pt_pos *pos, u64 *old,
		 u64 new)
{
	struct page *table = virt_to_page(mm->vm, pos->entry);

	ASSERT(table->kind == PAGE_TABLE && table->private == pos->level);
	if (pos->level == X86_PML4)
		new = pti_set_user_pgtbl(mm->vm, pos->entry, new);
	if (!__atomic_compare_exchange_n(pos->entry, old, new, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return false;
	if (entry_present(*old))
		remember_change(mm, pos, who);
	table->_mapcount += (new != 0) - (*old != 0);
	if (pos->level == X86_PD || pos->level == X86_PDPT)
		mm->huge_leaves[pos->level - 2] += (u64)entry_leaf(new, pos->level) - (u64)entry_leaf(*old, pos->level);
	if (entry_leaf(*old, pos->level) && needs_flush(*old, new)) {
		if (tlb)
			tlb_remove_range(tlb, pos->va, level_order(pos->level));
		else
			ASSERT(only_widens(*old, new));
	}
	CHECK2(mm->vm->cfg.check, table->_mapcount >= 0 && table->_mapcount <= PTRS_PER_TABLE);
	CHECK2(mm->vm->cfg.check, !entry_has_frame(new) || pfn_to_page(mm->vm, entry_pfn(new))->kind >= PAGE_KERNEL);
	return true;
}

u64 pt_set_by(const char *who, struct mmu_gather *tlb, struct mm_struct *mm, const struct pt_pos *pos, u64 new)
{
	u64 old = *pos->entry;

	while (!pt_store_by(who, tlb, mm, pos, &old, new))
		;
	return old;
}

bool pt_next(struct pt_iter *it)
{
	struct pt_pos *pos = &it->pos;

	while (it->next < it->end) {
		/* A neighbour in the same PT is one step away; anything else is walked from the top. */
		if (pos->level == X86_PT && it->next & (PMD_SIZE - 1)) {
			pos->entry += (it->next - pos->va) >> PAGE_SHIFT;
			pos->va = it->next;
		} else {
			pt_walk(it->mm, it->next, X86_PT, pos);
		}
		it->next = pos->va + x86_level_size(pos->level);
		if (*pos->entry)
			return true;
	}
	return false;
}
