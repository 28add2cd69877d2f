/* SPDX-License-Identifier: MIT
 *
 * mm/check.c - vm_check(): recompute every derived fact from what it is derived from, and compare.
 *
 * No memory is needed for it. Each count in struct page is taken down by what a walk finds, must then be zero in every
 * frame, and is put back by a second walk:
 *
 *   pass 1: for each entry of each mm   page._mapcount -= 1, head._refcount -= 1, table._mapcount -= 1 ...
 *   compare: all zero
 *   pass 2: the same with += 1
 *
 * The walk is its own, four nested loops over pgd_t .. pte_t, so that it does not repeat a mistake of mm/pgtable.c.
 *
 * The invariants, by number; a failure panics with it.
 *   10 areas: the tree is valid, and total_vm is the sum of them
 *   11 a file's list of areas holds just the areas that name it; refcount >= areas
 *   12 locked_vm is the sum of the locked areas; MAP_HUGETLB memory is never one
 *   20 a table's frame is PAGE_TABLE of its level, named by one entry      21 its _mapcount = its entries in use
 *   22 table_frames, huge_leaves of an mm                                  23 its kernel half is the machine's
 *   24 KPTI: a user root shows the user's entries and the trampoline       25 what of the kernel is global
 *   30 a leaf lies within one area                                         31 no writable entry in a read-only area
 *   32 rights are the area's: user, NX, no access                          33 the zero pages are never writable
 *   34 a leaf's frame is in use and aligned to the leaf                    35 a shared anonymous page is not writable
 *   40 _mapcount = entries that name the frame                             41 _refcount = mappings of the block + cache
 *   43 nr_holds = the frames that are held
 *   42 exclusive: one mapping                                              50 rss of an mm
 *   51 file_mapped = the page cache's frames that an entry names
 *   60 rmap leads to exactly the entries                                   61 a chain is dense, and holds two or more
 *   62 how much of a huge page is mapped, by size of entry                 63 partly_unmapped is the sum of the rest
 *   64 lazyfree = the pages of MADV_FREE
 *   70 a cached frame names its file and index
 *   80 free blocks: kind, order, mobility, alignment, links                 81 no two free buddies
 *   82 the counts of blocks and frames                                     90 each CPU of a cpumask has the mm loaded
 *   91 a CPU's generation is not ahead of the mm's
 *   100 a slot's count = the swap entries and shmem files that name it     103 a swap entry lies in a private area
 *   101 a cached slot and its page name each other, and are needed         102 the counts of slots
 *   104 a guard is a small entry of an area that has an anon_vma
 *   105 a slot's clean frame holds zeroes where the slot says so
 *   110 pages that users may map are on one list each, others on none      111 the counts of pages on lists
 *   112 what waits to go after its write is clean, in the swap cache, and nobody maps it
 *   113 what no policy sees is mapped by a locked area
 *   120 the pool of MAP_HUGETLB pages: chain and count
 */
#include "mm/check.h"
#include "mm/pin.h"
#include "mm/pgtable.h"
#include "mm/rmap.h"
#include "mm/swap.h"

/* One walk over one mm. */
struct census {
	struct mm_struct *mm;
	s32 delta; /* -1: take counts down, +1: put them back */
	u64 tables, huge[2], rss[NR_MM_COUNTERS];
};

/* ---- leaves ---- */

static void check_rights(const struct vm_area_struct *vma, u64 entry)
{
	bool none = !(vma->vm_flags & (VM_READ | VM_WRITE | VM_EXEC));
	u64 nx = vma->vm_mm->vm->nx;

	INV(31, !(entry & X86_PTE_RW) || vma->vm_flags & VM_WRITE);
	INV(32, entry & X86_PTE_US);
	INV(32, none ? !(entry & X86_PTE_P) && entry & PTE_PROTNONE : (entry & X86_PTE_P) && !(entry & PTE_PROTNONE));
	INV(32, (entry & nx) == (vma->vm_flags & VM_EXEC ? 0 : nx));
	INV(36, ((entry & X86_PTE_PKEY) >> X86_PTE_PKEY_SHIFT) == (vma->vm_flags & VM_PKEY) >> VM_PKEY_SHIFT);
}

static void census_swap_entry(struct census *c, const struct vm_area_struct *vma, u64 entry, unsigned order)
{
	INV(103, !order && !(vma->vm_flags & VM_SHARED) && swp_slot(entry) < c->mm->vm->swap.reached);
	c->rss[MM_SWAPENTS]++;
	swap_slot_at(c->mm->vm, swp_slot(entry))->count += (u32)c->delta;
}

static void census_leaf(struct census *c, u64 va, u64 entry, unsigned order)
{
	struct vm *vm = c->mm->vm;
	struct vm_area_struct *vma = vma_lookup(c->mm, va);
	u64 pfn = entry_pfn(entry);
	struct page *page, *head;

	INV(30, vma && va + (PAGE_SIZE << order) <= vma->vm_end);
	if (is_guard_entry(entry)) {
		INV(104, !order && vma->anon_vma);
		return;
	}
	if (is_swap_entry(entry)) {
		census_swap_entry(c, vma, entry, order);
		return;
	}
	check_rights(vma, entry);
	INV(34, pfn < vm->max_pfn && IS_ALIGNED(pfn, 1ull << order));
	if (order)
		c->huge[order / 9 - 1]++;
	if (is_zero_pfn(vm, pfn)) {
		INV(33, !(entry & X86_PTE_RW));
		return;
	}
	page = pfn_to_page(vm, pfn);
	head = page_head(vm, page);
	INV(34, (head->kind == PAGE_ANON || head->kind == PAGE_FILE) && head->order >= order);
	INV(35, !(entry & X86_PTE_RW) || head->kind == PAGE_FILE || page->flags & PG_anon_exclusive);
	INV(35, !(entry & X86_PTE_RW) || head->kind == PAGE_ANON || vma->vm_flags & VM_SHARED);
	c->rss[head->kind == PAGE_ANON  ? MM_ANONPAGES
	       : head->flags & PG_shmem ? MM_SHMEMPAGES
					: MM_FILEPAGES] += 1ull << order;
	page->_mapcount += c->delta;
	head->_refcount += c->delta;
}

/* ---- tables ---- */

/* The table that an entry names. */
static struct page *census_table(struct census *c, u64 entry, unsigned level)
{
	struct page *table;

	INV(20, entry_pfn(entry) < c->mm->vm->max_pfn);
	table = pfn_to_page(c->mm->vm, entry_pfn(entry));
	INV(20, table->kind == PAGE_TABLE && table->private == level);
	table->_refcount += c->delta;
	c->tables++;
	return table;
}

static void census_pt(struct census *c, const pmd_t *pmd, u64 va)
{
	struct page *table = census_table(c, pmd->v, X86_PT);

	for (unsigned i = 0; i < PTRS_PER_TABLE; i++, va += PAGE_SIZE) {
		const pte_t *pte = pte_offset(c->mm, pmd, va);

		if (!pte->v)
			continue;
		table->_mapcount += c->delta;
		census_leaf(c, va, pte->v, 0);
	}
}

static void census_pd(struct census *c, const pud_t *pud, u64 va)
{
	struct page *table = census_table(c, pud->v, X86_PD);

	for (unsigned i = 0; i < PTRS_PER_TABLE; i++, va += PMD_SIZE) {
		const pmd_t *pmd = pmd_offset(c->mm, pud, va);

		if (!pmd->v)
			continue;
		table->_mapcount += c->delta;
		if (entry_leaf(pmd->v, X86_PD))
			census_leaf(c, va, pmd->v, HPAGE_PMD_ORDER);
		else
			census_pt(c, pmd, va);
	}
}

static void census_pdpt(struct census *c, const pgd_t *pgd, u64 va)
{
	struct page *table = census_table(c, pgd->v, X86_PDPT);

	for (unsigned i = 0; i < PTRS_PER_TABLE; i++, va += PUD_SIZE) {
		const pud_t *pud = pud_offset(c->mm, pgd, va);

		if (!pud->v)
			continue;
		table->_mapcount += c->delta;
		if (entry_leaf(pud->v, X86_PDPT))
			census_leaf(c, va, pud->v, HPAGE_PUD_ORDER);
		else
			census_pd(c, pud, va);
	}
}

static void census_mm(struct census *c)
{
	struct page *table = census_table(c, c->mm->pgd_pfn << PAGE_SHIFT, X86_PML4);

	c->tables += c->mm->vm->kpti; /* the user root */
	for (u64 va = 0; va < 1ull << 47; va += 1ull << PGDIR_SHIFT) {
		const pgd_t *pgd = pgd_offset(c->mm, va);

		if (!pgd->v)
			continue;
		table->_mapcount += c->delta;
		census_pdpt(c, pgd, va);
	}
}

/* ---- files ---- */

/* The page cache's references; places and names of cached frames. */
static void census_files(struct vm *vm, s32 delta)
{
	struct address_space *file;

	for (u64 id = 0; (file = (struct address_space *)radix_next(&vm->files, &id)); id++) {
		u64 pfn;
		u32 slot;

		INV(70, file->id == id);
		for (u64 index = 0; (pfn = radix_next(&file->pages, &index)); index++) {
			struct page *page;

			if (filemap_place_slot(pfn, &slot))
				swap_slot_at(vm, slot)->count += (u32)delta;
			if (!filemap_place_has_frame(pfn))
				continue;
			page = pfn_to_page(vm, pfn);
			INV(70, page->kind == PAGE_FILE && page->mapping == file->id && page->index == index);
			INV(70, !!(page->flags & PG_shmem) == file->shmem);
			page->_refcount += delta;
		}
	}
}

static void check_file_areas(struct vm *vm)
{
	u64 linked = 0, naming = 0;
	struct address_space *file;

	for (u64 id = 0; (file = (struct address_space *)radix_next(&vm->files, &id)); id++) {
		u64 areas = 0;

		for (struct vm_area_struct *vma = file->i_mmap; vma; vma = vma->i_mmap_next, areas++) {
			INV(11, vma->vm_file == file);
			INV(11, !vma->i_mmap_next || vma->i_mmap_next->i_mmap_prev == vma);
		}
		INV(11, file->refcount >= areas && file->refcount > 0);
		linked += areas;
	}
	for (struct mm_struct *mm = vm->mm_list; mm; mm = mm->next) {
		for (struct vm_area_struct *vma = vma_find(mm, 0); vma; vma = vma_next(vma))
			naming += vma->vm_file != NULL;
	}
	INV(11, linked == naming);
}

/* ---- rmap: every mapping that it tells of is an entry that names the frame; their number is _mapcount ---- */

struct rmap_count {
	u64 pfn;
	s32 found, stray;
	u32 of_level[X86_PML4]; /* found, by the entry's level */
};

static void count_mapping(void *ctx, struct mm_struct *mm, u64 va)
{
	struct rmap_count *count = ctx;
	struct pt_pos pos;

	pt_walk(mm, va, X86_PT, &pos);
	if (!*pos.entry || pos.va != va || entry_pfn(*pos.entry) != count->pfn) {
		count->stray++;
		return;
	}
	count->found++;
	count->of_level[pos.level]++;
}

/* Only the first node of a chain has room left; one mapping alone would be inline. */
static void check_chain(const struct rmap_node *first, s32 mapcount)
{
	INV(61, mapcount >= 2);
	for (const struct rmap_node *node = first; node; node = node->next)
		INV(61, node->slot[0] && (node == first || node->slot[RMAP_NODE_SLOTS - 1]));
}

static struct rmap_count check_rmap(struct vm *vm, u64 pfn, s32 mapcount, bool anon)
{
	struct rmap_count count = {.pfn = pfn};

	rmap_walk(vm, pfn_to_page(vm, pfn), count_mapping, &count);
	INV(60, count.found == mapcount);
	if (anon && !(pfn_to_page(vm, pfn)->rmap & 1))
		check_chain((const struct rmap_node *)pfn_to_page(vm, pfn)->rmap, mapcount);
	INV(60, !anon || count.stray == 0); /* a file's areas need not map the page */
	return count;
}

/* The entries of an anonymous huge page, as its rmap tells them a frame after the other. */
struct mapped {
	u32 entire, part_entire, part_small; /* leaves of the block's size; of the 2M that was begun last */
	u64 frames;                          /* mapped by less than the whole, in the 2M before that */
};

/* A 2M, the index-th of the block, is through. */
static void check_part(struct mapped *m, struct page *head, u64 index)
{
	const struct page *counts = &head[(index << HPAGE_PMD_ORDER) + 1];

	INV(62, counts->_entire_mapcount == m->part_entire && counts->_nr_pages_mapped == m->part_small);
	m->frames += m->part_entire ? PTRS_PER_TABLE : m->part_small;
	m->part_entire = m->part_small = 0;
}

/* All of it is through. Returns the frames that nobody maps, if others are mapped. */
static u64 check_mapped(struct mapped *m, struct page *head)
{
	if (head->order == HPAGE_PUD_ORDER)
		INV(62, head[2]._entire_mapcount == m->entire && head[2]._nr_pages_mapped == m->frames);
	if (m->entire || !m->frames)
		return 0;
	return (1ull << head->order) - m->frames;
}

/* Returns the frames that a huge page holds in vain. */
static u64 check_block_rmap(struct vm *vm, u64 pfn)
{
	struct page *head = pfn_to_page(vm, pfn);
	bool anon = head->kind == PAGE_ANON;
	struct mapped m = {0};

	for (u64 i = 0; i < 1ull << head->order; i++) {
		struct rmap_count count = {0};

		if (head[i]._mapcount || (anon && head[i].rmap))
			count = check_rmap(vm, pfn + i, head[i]._mapcount, anon);
		INV(42, !(head[i].flags & PG_anon_exclusive) || !anon || head[i]._mapcount == 1);
		m.entire += count.of_level[X86_PDPT];
		m.part_entire += count.of_level[X86_PD];
		m.part_small += count.of_level[X86_PT] > 0;
		if (anon && head->order && (i + 1) % PTRS_PER_TABLE == 0)
			check_part(&m, head, i / PTRS_PER_TABLE);
	}
	return anon && head->order ? check_mapped(&m, head) : 0;
}

/* ---- frames ---- */

/* Counts are down: those of frames that users map must be zero; a kernel frame keeps its one reference. */
static void check_counts_zero(struct vm *vm)
{
	for (u64 pfn = 0; pfn < vm->max_pfn; pfn = block_end(vm, pfn)) {
		struct page *page = pfn_to_page(vm, pfn);

		if (page->kind == PAGE_TABLE) {
			INV(20, page->_refcount == 0);
			INV(21, page->_mapcount == 0);
		} else if (page->kind == PAGE_ANON || page->kind == PAGE_FILE) {
			INV(41, page->_refcount == 0);
			for (u64 i = 0; i < 1ull << page->order; i++)
				INV(40, page[i]._mapcount == 0);
		}
	}
}

/* Every frame is in one block; kinds add up. Blocks follow each other, so this walk meets every one. */
static void check_frames(struct vm *vm)
{
	u64 frames[PAGE_KIND_NR] = {0}, file_mapped = 0, partly_unmapped = 0, lazyfree = 0;

	for (u64 pfn = 0; pfn < vm->max_pfn; pfn = block_end(vm, pfn)) {
		struct page *page = pfn_to_page(vm, pfn);
		u64 step = block_end(vm, pfn) - pfn;

		INV(82, page->kind != PAGE_FREE_TAIL && page->kind < PAGE_TAIL);
		INV(82, page->kind == PAGE_RESERVED || IS_ALIGNED(pfn, step));
		frames[page->kind] += step;
		if (page->kind == PAGE_KERNEL)
			INV(41, page->_refcount == 1);
		if (page->kind == PAGE_ANON || page->kind == PAGE_FILE) {
			for (u64 i = 1; i < step; i++)
				INV(34, page[i].kind == PAGE_TAIL && page[i].order == page->order);
			partly_unmapped += check_block_rmap(vm, pfn);
		}
		if (page->kind == PAGE_FILE && page->_mapcount)
			file_mapped += step;
		lazyfree += page->kind == PAGE_ANON && page->flags & PG_lazyfree;
	}
	INV(51, file_mapped == vm->file_mapped);
	INV(63, partly_unmapped == vm->partly_unmapped);
	INV(64, lazyfree == vm->lazyfree);
	for (unsigned kind = PAGE_FREE; kind < PAGE_TAIL; kind++)
		INV(82, frames[kind] == vm->kind_frames[kind]);
}

static u64 check_free_list(struct vm *vm, unsigned order, enum migrate_type type)
{
	u64 blocks = 0;

	for (u32 pfn = vm->free_area[order].head[type], prev = 0; pfn;
	     prev = pfn, pfn = pfn_to_page(vm, pfn)->lru_next) {
		struct page *page = pfn_to_page(vm, pfn);
		u64 buddy = pfn ^ (1ull << order);

		INV(80, page->kind == PAGE_FREE && page->order == order && page->lru_prev == prev);
		INV(80, page->flags == type && (order < HPAGE_PMD_ORDER || type == MIGRATE_MOVABLE));
		INV(80, IS_ALIGNED((u64)pfn, 1ull << order));
		if (order < MAX_ORDER && buddy < vm->max_pfn)
			INV(81, pfn_to_page(vm, buddy)->kind != PAGE_FREE || pfn_to_page(vm, buddy)->order != order);
		blocks++;
		INV(80, blocks <= vm->max_pfn);
	}
	return blocks;
}

static void check_free_lists(struct vm *vm)
{
	u64 free = 0;

	for (unsigned order = 0; order <= MAX_ORDER; order++) {
		u64 blocks =
		    check_free_list(vm, order, MIGRATE_MOVABLE) + check_free_list(vm, order, MIGRATE_UNMOVABLE);

		INV(82, blocks == vm->free_area[order].nr_free);
		free += blocks << order;
	}
	INV(82, free == vm->kind_frames[PAGE_FREE]);
}

/* ---- address spaces and CPUs ---- */

static void check_mm(const struct census *c)
{
	struct mm_struct *mm = c->mm;
	u64 pages = 0, locked = 0;

	INV(10, vma_tree_valid(mm));
	for (struct vm_area_struct *vma = vma_find(mm, 0); vma; vma = vma_next(vma)) {
		pages += (vma->vm_end - vma->vm_start) >> PAGE_SHIFT;
		locked += vma->vm_flags & VM_LOCKED ? (vma->vm_end - vma->vm_start) >> PAGE_SHIFT : 0;
		INV(12, vma->vm_flags & VM_LOCKED ? !(vma->vm_flags & VM_HUGETLB) : !(vma->vm_flags & VM_LOCKONFAULT));
	}
	INV(10, pages == mm->total_vm);
	INV(12, locked == mm->locked_vm);
	INV(22, c->tables == mm->table_frames && mm->peak_table_frames >= c->tables);
	INV(22, c->huge[0] == mm->huge_leaves[0] && c->huge[1] == mm->huge_leaves[1]);
	for (unsigned i = 0; i < NR_MM_COUNTERS; i++)
		INV(50, c->rss[i] == mm->rss[i]);
}

/* The kernel's half of every root, and what KPTI's user roots show of it (pti.c). */
static void check_roots(struct vm *vm)
{
	for (struct mm_struct *mm = vm->mm_list; mm; mm = mm->next) {
		INV(23, pgd_kernel_half_valid(mm));
		INV(24, pti_user_root_valid(mm));
	}
	INV(25, kernel_half_valid(vm));
}

static void check_cpus(struct vm *vm)
{
	for (struct mm_struct *mm = vm->mm_list; mm; mm = mm->next) {
		for (unsigned i = 0; i < NR_CPUS; i++)
			INV(90, !!(mm->cpumask >> i & 1) == (vm->cpu[i].loaded_mm == mm));
	}
	for (unsigned i = 0; i < NR_CPUS; i++) {
		struct vm_cpu *cpu = &vm->cpu[i];

		if (cpu->loaded_mm) {
			INV(91, cpu->ctxs[cpu->loaded_asid].ctx_id == cpu->loaded_mm->ctx_id);
			INV(91, cpu->ctxs[cpu->loaded_asid].tlb_gen <= cpu->loaded_mm->tlb_gen);
		}
	}
}

static void census_all(struct vm *vm, s32 delta)
{
	u64 holds;

	for (struct mm_struct *mm = vm->mm_list; mm; mm = mm->next) {
		struct census c = {.mm = mm, .delta = delta};

		census_mm(&c);
		if (delta < 0)
			check_mm(&c);
	}
	census_files(vm, delta);
	census_swap_cache(vm, delta);
	pin_count_refs(vm, delta, &holds);
	INV(43, holds == vm->nr_holds);
}

static void check_hugetlb(struct vm *vm)
{
	u64 pages = 0, free = 0;

	for (u32 pfn = vm->hugetlb.head; pfn; pfn = pfn_to_page(vm, pfn)->lru_next) {
		struct page *page = pfn_to_page(vm, pfn);

		INV(120, page->kind == PAGE_KERNEL && page->order == HPAGE_PMD_ORDER && page->flags == PG_hugetlb);
		INV(120, ++free <= vm->hugetlb.free);
	}
	INV(120, free == vm->hugetlb.free);
	for (u64 pfn = 0; vm->hugetlb.nr && pfn < vm->max_pfn; pfn = block_end(vm, pfn)) {
		struct page *page = pfn_to_page(vm, pfn);

		pages += page->kind >= PAGE_KERNEL && page->flags & PG_hugetlb;
	}
	INV(120, pages == vm->hugetlb.nr);
}

bool vm_check(struct vm *vm)
{
	check_free_lists(vm);
	check_roots(vm);
	census_all(vm, -1);
	check_counts_zero(vm);
	check_slot_owners(vm);
	census_all(vm, +1);
	check_frames(vm);
	check_file_areas(vm);
	check_slots(vm);
	check_lists(vm);
	check_cpus(vm);
	check_hugetlb(vm);
	return true;
}
