/* SPDX-License-Identifier: MIT
 *
 * mm/compaction.c - pages move together, so that a free block of 2M comes about.
 *
 *   frame 0                                                                                    max_pfn
 *   |  [kernel]  [a . b . . c . .]  ...                              ...  [. x . y] [x . y .]  |
 *      skipped    every page moves   --> migrate scanner   free scanner <--   ^ frames for a, b, c
 *
 * The migrate scanner goes up by 2M, and empties the first in which nothing must stay: a page that users map, or the
 * page cache has, may move; the kernel's and tables may not. The free scanner goes down and finds the frames to move
 * to. Where they meet nothing is left to do. Both go on where they last stood.
 *
 * Moving a page, together with all others of its 2M:
 *
 *   1 each entry that names it loses P (what else it says stays)          so no CPU can use it after
 *   2 the flush, one a batch and mm
 *   3 the frame is copied, and struct page: counts, marks, rmap, place on its list; its cache learns the frame
 *   4 each entry gets the new frame, and P back where its area allows access
 *
 * Everything that may fail (frames to move to) comes before 1. It runs where nothing is held (mm/vmscan.c): a fault
 * that lacks a huge page goes back, compacts, and begins again (direct compaction). After a run over all memory that
 * found nothing the next 1, 3, 7 .. 63 requests are turned down.
 *
 * Sources: Linux 6.12 mm/compaction.c (isolate_migratepages_block with skip_on_failure, isolate_freepages,
 * defer_compaction, __compaction_suitable), mm/migrate.c.
 */
#include "mm/compaction.h"
#include "mm/pin.h"
#include "mm/lru.h"
#include "mm/swap.h"

#define BLOCK                   (1ull << HPAGE_PMD_ORDER) /* frames: Linux's pageblock */
#define COMPACT_MAX_DEFER_SHIFT 6u

struct compact_control {
	struct vm *vm;
	struct mmu_gather tlb;
	struct hw_cpu *cpu;
	u32 targets; /* frames to move to: pfns, through lru_next */
	u64 migrated;
};

/* ---- what a 2M consists of ---- */

/* The frames from pfn on that are one block, free or in use; *head: its first. Of frames never used: one. */
static u64 block_at(struct vm *vm, u64 pfn, struct page **head)
{
	*head = free_block_at(vm, pfn);
	if (!*head)
		*head = page_head(vm, pfn_to_page(vm, pfn));
	if ((*head)->kind == PAGE_RESERVED)
		return 1;
	return page_to_pfn(vm, *head) + (1ull << (*head)->order) - pfn;
}

static bool movable(struct vm *vm, const struct page *page)
{
	return (page->kind == PAGE_ANON || page->kind == PAGE_FILE) && page->order == 0 && !page_is_held(vm, page);
}

/* How many pages have to leave the 2M at start; 0: it cannot be emptied, or is. */
static u64 pages_to_move(struct vm *vm, u64 start)
{
	u64 pages = 0, step;

	for (u64 pfn = start; pfn < start + BLOCK; pfn += step) {
		struct page *page;

		step = block_at(vm, pfn, &page);
		if (page->kind == PAGE_FREE)
			continue;
		if (!movable(vm, page))
			return 0;
		pages++;
	}
	return pages;
}

/* ---- frames to move to ---- */

static void add_targets(struct compact_control *cc, u64 start, u64 *want)
{
	struct vm *vm = cc->vm;
	u64 end = min(start + BLOCK, vm->max_pfn), step;

	for (u64 pfn = start; pfn < end && *want; pfn += step) {
		struct page *page;

		step = block_at(vm, pfn, &page);
		if (page->kind != PAGE_FREE || page->order >= HPAGE_PMD_ORDER)
			continue;
		page = alloc_pages_at(vm, pfn, 0, PAGE_ANON);
		if (!page)
			return;
		page->lru_next = cc->targets;
		cc->targets = (u32)pfn;
		step = 1;
		--*want;
	}
}

static struct page *pop_target(struct compact_control *cc)
{
	struct page *page = pfn_to_page(cc->vm, cc->targets);

	cc->targets = page->lru_next;
	return page;
}

/* Frames for so many pages, all above the 2M at `above`. Returns false, with none taken: the scanners met. */
static bool isolate_freepages(struct compact_control *cc, u64 want, u64 above)
{
	u64 *scanner = &cc->vm->compact.free_pfn;

	for (;; *scanner -= BLOCK) {
		if (*scanner <= above)
			break;
		add_targets(cc, *scanner, &want);
		if (!want)
			return true;
	}
	while (cc->targets)
		put_page(cc->vm, pop_target(cc));
	return false;
}

/* ---- a page moves ---- */

struct migration {
	struct compact_control *cc;
	u64 from, to; /* pfns */
};

/* The level-1 entry of mm at va, if it names the frame. */
static bool names(struct mm_struct *mm, u64 va, u64 pfn, struct pt_pos *pos)
{
	pt_walk(mm, va, X86_PT, pos);
	return pos->level == X86_PT && entry_leaf(*pos->entry, X86_PT) && entry_has_frame(*pos->entry) &&
	       entry_pfn(*pos->entry) == pfn;
}

/* Step 1. */
static void try_to_migrate_one(void *ctx, struct mm_struct *mm, u64 va)
{
	struct migration *move = ctx;
	struct pt_pos pos;
	u64 old;

	if (!names(mm, va, move->from, &pos))
		return;
	old = *pos.entry;
	while (!pt_store(tlb_gather_of(&move->cc->tlb, move->cc->cpu, mm, VM_FLUSH_BY_COMPACT), mm, &pos, &old,
			 (old & ~X86_PTE_P) | PTE_PROTNONE))
		;
}

/* Step 4. */
static void remove_migration_pte(void *ctx, struct mm_struct *mm, u64 va)
{
	const u64 access = X86_PTE_P | PTE_PROTNONE;
	struct migration *move = ctx;
	struct pt_pos pos;

	if (names(mm, va, move->from, &pos))
		pt_set(NULL, mm, &pos,
		       (*pos.entry & ~(X86_PHYS_MASK | access)) | move->to << PAGE_SHIFT |
			   (vma_page_prot(vma_lookup(mm, va)) & access));
}

/* Step 3: `to` becomes the page, and `from` what `to` was: a frame that nobody uses. It is free. */
static void migrate_page(struct vm *vm, struct page *from, struct page *to)
{
	struct page fresh = *to;
	u64 pfn = page_to_pfn(vm, to);

	hw_copy_frames(vm->hw, pfn, page_to_pfn(vm, from), 0);
	*to = *from;
	lru_list_replace(vm, from, to);
	if (to->kind == PAGE_FILE)
		filemap_page_moved(vm, to);
	else if (to->flags & PG_swapcache)
		swap_slot_at(vm, to->private)->pfn_or_shadow = (u32)pfn;
	*from = fresh;
	put_page(vm, from);
}

/* Every page of the 2M at start moves to one of the targets: there are as many. */
static void migrate_pages(struct compact_control *cc, u64 start)
{
	struct vm *vm = cc->vm;

	for (u64 pfn = start; pfn < start + BLOCK; pfn++)
		if (movable(vm, pfn_to_page(vm, pfn)))
			rmap_walk(vm, pfn_to_page(vm, pfn), try_to_migrate_one,
				  &(struct migration){.cc = cc, .from = pfn});
	tlb_gather_end(&cc->tlb);
	for (u64 pfn = start; pfn < start + BLOCK; pfn++) {
		struct page *from = pfn_to_page(vm, pfn), *to;

		if (!movable(vm, from))
			continue;
		to = pop_target(cc);
		migrate_page(vm, from, to);
		rmap_walk(vm, to, remove_migration_pte,
			  &(struct migration){.cc = cc, .from = pfn, .to = page_to_pfn(vm, to)});
		cc->migrated++;
	}
}

/* ---- a run ---- */

static bool block_is_free(const struct vm *vm)
{
	for (unsigned order = HPAGE_PMD_ORDER; order <= MAX_ORDER; order++)
		if (vm->free_area[order].nr_free)
			return true;
	return false;
}

static void reset_scanners(struct vm *vm)
{
	vm->compact.migrate_pfn = 0;
	vm->compact.free_pfn = ALIGN_DOWN(vm->max_pfn - 1, BLOCK);
}

/* From where the scanners stand until there is a free block (true) or they meet (false; they are back at the ends). */
static bool compact_zone(struct compact_control *cc)
{
	struct vm *vm = cc->vm;
	u64 *scanner = &vm->compact.migrate_pfn;

	for (; *scanner < vm->compact.free_pfn; *scanner += BLOCK) {
		u64 pages = pages_to_move(vm, *scanner);

		if (!pages)
			continue;
		if (!isolate_freepages(cc, pages, *scanner))
			break;
		migrate_pages(cc, *scanner);
		if (block_is_free(vm))
			return true;
	}
	reset_scanners(vm);
	return false;
}

/* There are enough free frames, and it did not fail a short while ago. */
static bool worth_trying(struct vm *vm)
{
	struct vm_compact *c = &vm->compact;

	if (vm->kind_frames[PAGE_FREE] < vm->reclaim.wmark[WMARK_LOW] + 2 * BLOCK)
		return false;
	if (c->considered + 1 < 1u << c->defer_shift) {
		c->considered++;
		return false;
	}
	return true;
}

void compact_memory(struct vm *vm, struct hw_cpu *cpu)
{
	struct compact_control cc = {.vm = vm, .cpu = cpu};
	struct vm_compact *c = &vm->compact;
	bool found;

	if (block_is_free(vm) || !worth_trying(vm))
		return;
	if (!c->free_pfn)
		reset_scanners(vm);
	found = (c->migrate_pfn && compact_zone(&cc)) || compact_zone(&cc);
	c->considered = 0;
	c->defer_shift = found ? 0 : min(c->defer_shift + 1, COMPACT_MAX_DEFER_SHIFT);
	vm_emit(vm, &(struct vm_event){.type = VM_EV_COMPACT, .cause = found, .n = cc.migrated});
}
