/* SPDX-License-Identifier: MIT
 *
 * mm/page_alloc.c - the buddy allocator: every frame of RAM, in blocks of 2^order frames, order 0 .. 18.
 *
 *   free_area[2] movable   --> [ 8..11 ] <-> [ 20..23 ]      lists through struct page's lru links (pfns, 0 ends)
 *                unmovable --> [ 44..47 ]
 *   free_area[3] movable   --> [ 32..39 ]
 *
 * A block of order k starts at a multiple of 2^k; its buddy is the block whose number differs in bit k. Two free
 * buddies of one order are joined at once, so no list ever holds both.
 *
 * Grouped by mobility: what compaction cannot move (the kernel's objects, tables) comes from 2M of its own, as long as
 * there are any, so that the other 2M can be emptied. The mark is a free block's, not the 2M's: a block that is freed
 * gets it from what was in it, a joined one from the buddy that was there. A free 2M is nobody's, so movable.
 *
 * Only heads are written when a block is cut or joined: the frames inside a free block keep what they last were, or are
 * still all zero (PAGE_RESERVED) if nobody ever had them. So fresh RAM costs nothing until it is used.
 *
 * Invariants (numbers as mm/check.c prints them)
 *   80 every free block's head is PAGE_FREE of its list's order and mobility, and aligned; 2M and more are movable
 *   81 no two free buddies
 *   82 nr_free and kind_frames agree with the lists
 *
 * Source: Knuth, TAOCP vol. 1, 2.5 "the buddy system"; Linux 6.12 mm/page_alloc.c (migrate types,
 * find_suitable_fallback).
 */
#include "mm/lru.h"
#include "mm/pin.h"
#include "mm/swap.h"

/* What a frame of this kind is to compaction. */
static enum migrate_type mobility(enum page_kind kind)
{
	return kind == PAGE_ANON || kind == PAGE_FILE ? MIGRATE_MOVABLE : MIGRATE_UNMOVABLE;
}

static void list_add(struct vm *vm, struct page *page, unsigned order, enum migrate_type type)
{
	struct free_area *area = &vm->free_area[order];
	u32 pfn = (u32)page_to_pfn(vm, page);

	page->kind = PAGE_FREE;
	page->order = (u8)order;
	page->flags = order < HPAGE_PMD_ORDER ? type : MIGRATE_MOVABLE;
	page->lru_prev = 0;
	page->lru_next = area->head[page->flags];
	if (page->lru_next)
		pfn_to_page(vm, page->lru_next)->lru_prev = pfn;
	area->head[page->flags] = pfn;
	area->nr_free++;
}

/* The page leaves its list; what it becomes is the caller's business. */
static void list_del(struct vm *vm, struct page *page, unsigned order)
{
	struct free_area *area = &vm->free_area[order];

	if (page->lru_next)
		pfn_to_page(vm, page->lru_next)->lru_prev = page->lru_prev;
	if (page->lru_prev)
		pfn_to_page(vm, page->lru_prev)->lru_next = page->lru_next;
	else
		area->head[page->flags] = page->lru_next;
	area->nr_free--;
}

/* Puts a block into the lists, joined with its buddy as often as that is free. */
static void free_block(struct vm *vm, u64 pfn, unsigned order, enum migrate_type type)
{
	pfn_to_page(vm, pfn)->kind = PAGE_FREE_TAIL;
	for (; order < MAX_ORDER; order++) {
		u64 buddy_pfn = pfn ^ (1ull << order);
		struct page *buddy;

		if (buddy_pfn >= vm->max_pfn)
			break;
		buddy = pfn_to_page(vm, buddy_pfn);
		if (buddy->kind != PAGE_FREE || buddy->order != order)
			break;
		list_del(vm, buddy, order);
		buddy->kind = PAGE_FREE_TAIL;
		type = buddy->flags;
		pfn &= ~(1ull << order);
	}
	list_add(vm, pfn_to_page(vm, pfn), order, type);
}

void page_alloc_init(struct vm *vm, u64 start_pfn, u64 end_pfn)
{
	vm->total_frames += end_pfn - start_pfn;
	vm->kind_frames[PAGE_FREE] += end_pfn - start_pfn;
	while (start_pfn < end_pfn) {
		unsigned order = MAX_ORDER;

		while (!IS_ALIGNED(start_pfn, 1ull << order) || start_pfn + (1ull << order) > end_pfn)
			order--;
		free_block(vm, start_pfn, order, MIGRATE_MOVABLE);
		start_pfn += 1ull << order;
	}
}

void vm_fail_alloc_after(struct vm *vm, u64 n)
{
	vm->fail_alloc_after = n;
}

static bool injected_failure(struct vm *vm)
{
	if (likely(vm->fail_alloc_after == ~0ull))
		return false;
	return vm->fail_alloc_after-- == 0;
}

/* The last frames are for reclaim, which needs some to free others. */
static bool may_take(const struct vm *vm, unsigned order)
{
	return vm->reclaim.memalloc || vm->kind_frames[PAGE_FREE] >= vm->reclaim.wmark[WMARK_MIN] + (1ull << order);
}

/* Cuts [pfn, pfn + 2^order) out of the free block that starts at `block`; the rest stays free. What is unmovable takes
 * over what is left of its 2M. */
static struct page *cut_out(struct vm *vm, struct page *block, u64 pfn, unsigned order, enum page_kind kind)
{
	unsigned have = block->order;
	enum migrate_type rest = mobility(kind) | block->flags;
	struct page *page = pfn_to_page(vm, pfn);

	ASSERT(block->kind == PAGE_FREE && have >= order);
	list_del(vm, block, have);
	block->kind = PAGE_FREE_TAIL;
	while (have > order) {
		struct page *upper = block + (1ull << --have);

		list_add(vm, page < upper ? upper : block, have, rest);
		if (page >= upper)
			block = upper;
	}
	*page = (struct page){.kind = (u8)kind, .order = (u8)order, ._refcount = 1};
	for (u64 i = 1; i < 1ull << order; i++)
		page[i] = (struct page){.kind = PAGE_TAIL, .order = (u8)order};
	vm->kind_frames[PAGE_FREE] -= 1ull << order;
	vm->kind_frames[kind] += 1ull << order;
	return page;
}

/* The block to cut: the smallest of the right mobility (2M and more are anybody's), failing that the largest of the
 * other. 0: none. */
static u32 find_block(const struct vm *vm, unsigned order, enum migrate_type type)
{
	const struct free_area *area = vm->free_area;

	for (unsigned have = order; have <= MAX_ORDER; have++) {
		u32 pfn = area[have].head[have < HPAGE_PMD_ORDER ? type : MIGRATE_MOVABLE];

		if (pfn)
			return pfn;
	}
	for (unsigned have = HPAGE_PMD_ORDER; have-- > order;)
		if (area[have].head[!type])
			return area[have].head[!type];
	return 0;
}

struct page *alloc_pages(struct vm *vm, unsigned order, enum page_kind kind)
{
	u32 pfn;

	ASSERT(order <= MAX_ORDER);
	if (injected_failure(vm) || !may_take(vm, order))
		return NULL;
	pfn = find_block(vm, order, mobility(kind));
	return pfn ? cut_out(vm, pfn_to_page(vm, pfn), pfn, order, kind) : NULL;
}

struct page *free_block_at(struct vm *vm, u64 pfn)
{
	for (unsigned order = 0; order <= MAX_ORDER; order++) {
		struct page *head = pfn_to_page(vm, ALIGN_DOWN(pfn, 1ull << order));

		if (head->kind == PAGE_FREE && head->order >= order)
			return head;
	}
	return NULL;
}

struct page *alloc_pages_at(struct vm *vm, u64 pfn, unsigned order, enum page_kind kind)
{
	struct page *block = free_block_at(vm, pfn);

	if (injected_failure(vm) || !block || block->order < order || !may_take(vm, order))
		return NULL;
	return cut_out(vm, block, pfn, order, kind);
}

void get_page(struct page *page)
{
	ASSERT(page->_refcount > 0 && page->kind >= PAGE_KERNEL && page->kind < PAGE_TAIL);
	page->_refcount++;
}

void put_page(struct vm *vm, struct page *page)
{
	unsigned order = page->order;

	ASSERT(page->_refcount > 0 && page->kind >= PAGE_KERNEL && page->kind < PAGE_TAIL);
	if (--page->_refcount) {
		if (page->_refcount == 1 && page->flags & PG_swapcache && page->kind == PAGE_ANON)
			swap_cache_free(vm, page); /* if nobody will come for it any more */
		return;
	}
	ASSERT(page->_mapcount == 0);
	if (page->flags & PG_lru && (page->kind == PAGE_ANON || page->kind == PAGE_FILE))
		lru_list_del(vm, page);
	if (page->flags & PG_hugetlb && page->kind == PAGE_ANON) {
		hugetlb_free_page(vm, page);
		return;
	}
	vm->lazyfree -= page->kind == PAGE_ANON && page->flags & PG_lazyfree;
	vm->kind_frames[page->kind] -= 1ull << order;
	vm->kind_frames[PAGE_FREE] += 1ull << order;
	for (u64 i = 1; i < 1ull << order; i++)
		page[i].kind = PAGE_FREE_TAIL;
	free_block(vm, page_to_pfn(vm, page), order, mobility(page->kind));
}

void page_set_kind(struct vm *vm, struct page *page, enum page_kind kind)
{
	ASSERT(!page->order && !page->_mapcount && (kind == PAGE_ANON || kind == PAGE_FILE));
	vm->kind_frames[page->kind]--;
	vm->kind_frames[kind]++;
	page->kind = (u8)kind;
	page->rmap = 0;
}

void split_page(struct vm *vm, struct page *page, unsigned order)
{
	u64 frames = 1ull << page->order, part = 1ull << order;
	s32 others = page->_refcount;
	u16 dirty = page->flags & PG_dirty;

	ASSERT(!page_is_held(vm, page));
	vm->partly_unmapped -= page_partly_unmapped(page);
	for (u64 i = 0; i < frames; i++)
		others -= page[i]._mapcount;
	for (u64 at = 0; at < frames; at += part) {
		struct page *head = page + at;

		head->kind = page->kind;
		head->flags |= dirty;
		head->_refcount = at ? 0 : others;
		for (u64 i = 0; i < part; i++) {
			head[i].order = (u8)order;
			head->_refcount += head[i]._mapcount;
		}
		vm->partly_unmapped += page_partly_unmapped(head);
	}
}
