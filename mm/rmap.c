/* SPDX-License-Identifier: MIT
 *
 * mm/rmap.c - from a frame to the entries that map it.
 *
 *   anonymous   page->rmap = 0            nobody
 *               page->rmap odd            one mapping, inline: mm id and virtual page (rmap_pack)
 *               page->rmap even           the address of a chain of nodes, up to three mappings in each
 *   file        page->mapping, index      the file's list of areas (i_mmap) says where it may be mapped
 *
 * A mapping belongs to the frame that its entry names: a small entry into a huge page is in the rmap of that tail, a
 * huge leaf in the rmap of its first frame.
 *
 * A huge page lives until its last entry goes, so frames of it that nobody maps are held, too. How many is known by two
 * counts, _entire_mapcount (leaves of the page's size) and _nr_pages_mapped (frames that smaller ones map):
 *
 *   2M page   [ head | tail 1 | tail 2 | ... ]         in tail 1
 *   1G page   [ 2M part | 2M part | ... ]              of each part in its tail 1; of the page in tail 2 of the first
 *
 * vm->partly_unmapped adds up what is held in vain.
 *
 * Invariants (numbers as mm/check.c prints them)
 *   60 an anonymous frame has exactly _mapcount mappings in its rmap, and each is an entry that names it
 *   61 a chain has no empty node, and at least two mappings
 *   62 _entire_mapcount and _nr_pages_mapped are what the entries say, of each anonymous huge page and part of one
 *   63 partly_unmapped is the sum over the anonymous huge pages that are mapped in part
 */
#include "mm/rmap.h"
#include "mm/internal.h"
#include "mm/lru.h"

static int rmap_add(struct vm *vm, struct page *page, u64 packed)
{
	struct rmap_node *node = (struct rmap_node *)page->rmap, *fresh;

	if (!page->rmap) {
		page->rmap = packed;
		return 0;
	}
	if (!(page->rmap & 1) && !node->slot[RMAP_NODE_SLOTS - 1]) { /* only the first node of a chain has room */
		for (unsigned i = 1;; i++) {
			if (!node->slot[i]) {
				node->slot[i] = packed;
				return 0;
			}
		}
	}
	fresh = slab_alloc(vm, SLAB_RMAP);
	if (!fresh)
		return -ENOMEM;
	if (page->rmap & 1) {
		fresh->slot[0] = page->rmap;
		fresh->slot[1] = packed;
	} else {
		fresh->next = node;
		fresh->slot[0] = packed;
	}
	page->rmap = (u64)fresh;
	return 0;
}

/* Where the mapping is written, or NULL. */
static u64 *rmap_find(struct page *page, u64 packed)
{
	if (page->rmap & 1)
		return page->rmap == packed ? &page->rmap : NULL;
	for (struct rmap_node *node = (struct rmap_node *)page->rmap; node; node = node->next) {
		for (unsigned i = 0; i < RMAP_NODE_SLOTS; i++) {
			if (node->slot[i] == packed)
				return &node->slot[i];
		}
	}
	return NULL;
}

/* Fills the hole with the first node's last mapping; one mapping alone goes back inline. */
static void rmap_del(struct vm *vm, struct page *page, u64 packed)
{
	u64 *hole = rmap_find(page, packed);
	struct rmap_node *first = (struct rmap_node *)page->rmap;
	unsigned last = RMAP_NODE_SLOTS - 1;

	ASSERT(hole);
	if (page->rmap & 1) {
		page->rmap = 0;
		return;
	}
	while (!first->slot[last])
		last--;
	*hole = first->slot[last];
	first->slot[last] = 0;
	if (last == 0) {
		page->rmap = (u64)first->next;
		slab_free(vm, SLAB_RMAP, first);
		first = (struct rmap_node *)page->rmap;
	}
	if (!first->next && !first->slot[1]) {
		page->rmap = first->slot[0];
		slab_free(vm, SLAB_RMAP, first);
	}
}

u64 rmap_first(const struct page *page)
{
	return page->rmap & 1 || !page->rmap ? page->rmap : ((const struct rmap_node *)page->rmap)->slot[0];
}

static enum mm_counter rss_of(const struct page *head)
{
	if (head->kind == PAGE_ANON)
		return MM_ANONPAGES;
	return head->flags & PG_shmem ? MM_SHMEMPAGES : MM_FILEPAGES;
}

/* ---- how much of a huge page is mapped ---- */

/* A small entry that names the frame came or went: did it come as the first, or go as the last? _mapcount is as it is
 * now. */
static bool first_or_last(struct page *head, struct page *part, struct page *page, s32 by)
{
	u32 small = (u32)page->_mapcount;

	if (page == part)
		small -= page_mapped_counts(part, HPAGE_PMD_ORDER)->_entire_mapcount;
	if (page == head && head->order == HPAGE_PUD_ORDER)
		small -= page_mapped_counts(head, HPAGE_PUD_ORDER)->_entire_mapcount;
	return small == (by > 0);
}

/* An entry of `order` that names a frame of the anonymous huge page came (by 1) or went (-1). */
static void count_entry(struct vm *vm, struct page *head, struct page *page, unsigned order, s32 by)
{
	struct page *part = pfn_to_page(vm, ALIGN_DOWN(page_to_pfn(vm, page), 1ull << HPAGE_PMD_ORDER));
	u64 before = page_nr_mapped(part, HPAGE_PMD_ORDER);

	if (order)
		page_mapped_counts(page, order)->_entire_mapcount += (u32)by;
	else if (first_or_last(head, part, page, by))
		page_mapped_counts(part, HPAGE_PMD_ORDER)->_nr_pages_mapped += (u32)by;
	if (head->order == HPAGE_PUD_ORDER)
		page_mapped_counts(head, HPAGE_PUD_ORDER)->_nr_pages_mapped +=
		    (u32)(page_nr_mapped(part, HPAGE_PMD_ORDER) - before);
}

static void update_mapped(struct vm *vm, struct page *head, struct page *page, unsigned order, s32 by)
{
	if (head->kind != PAGE_ANON || !head->order)
		return;
	vm->partly_unmapped -= page_partly_unmapped(head);
	count_entry(vm, head, page, order, by);
	vm->partly_unmapped += page_partly_unmapped(head);
}

int page_add_rmap(struct mm_struct *mm, struct page *page, u64 va, unsigned order)
{
	struct page *head = page_head(mm->vm, page);
	u64 rss;

	ASSERT(head->kind == PAGE_ANON || head->kind == PAGE_FILE);
	if (head->kind == PAGE_ANON && rmap_add(mm->vm, page, rmap_pack(mm->id, va)))
		return -ENOMEM;
	if (page->_mapcount++ == 0 && head->kind == PAGE_FILE)
		mm->vm->file_mapped += 1ull << order;
	update_mapped(mm->vm, head, page, order, 1);
	mm->rss[rss_of(head)] += 1ull << order;
	rss = mm->rss[MM_FILEPAGES] + mm->rss[MM_ANONPAGES] + mm->rss[MM_SHMEMPAGES];
	if (rss > mm->peak_rss)
		mm->peak_rss = rss;
	return 0;
}

void page_remove_rmap(struct mm_struct *mm, struct page *page, u64 va, unsigned order)
{
	struct page *head = page_head(mm->vm, page);

	ASSERT(page->_mapcount > 0 && mm->rss[rss_of(head)] >= 1ull << order);
	if (head->kind == PAGE_ANON)
		rmap_del(mm->vm, page, rmap_pack(mm->id, va));
	if (--page->_mapcount == 0) {
		page->flags &= (u16)~PG_anon_exclusive;
		if (head->kind == PAGE_FILE)
			mm->vm->file_mapped -= 1ull << order;
	}
	update_mapped(mm->vm, head, page, order, -1);
	mm->rss[rss_of(head)] -= 1ull << order;
	lru_make_evictable(mm->vm, head);
}

void page_move_rmap(struct mm_struct *mm, struct page *page, u64 old_va, u64 new_va)
{
	u64 *slot = rmap_find(page, rmap_pack(mm->id, old_va));

	ASSERT(slot);
	*slot = rmap_pack(mm->id, new_va);
}

int page_split_rmap(struct mm_struct *mm, struct page *page, u64 va, unsigned from_order, unsigned to_order)
{
	u64 parts = 1ull << (from_order - to_order), i;
	struct page *head = page_head(mm->vm, page);

	for (i = 1; i < parts; i++) {
		if (rmap_add(mm->vm, page + (i << to_order), rmap_pack(mm->id, va + ((PAGE_SIZE << to_order) * i))))
			break;
	}
	if (i < parts) {
		while (--i > 0)
			rmap_del(mm->vm, page + (i << to_order), rmap_pack(mm->id, va + ((PAGE_SIZE << to_order) * i)));
		return -ENOMEM;
	}
	for (i = 1; i < parts; i++) {
		page[i << to_order]._mapcount++;
		page[i << to_order].flags |= page->flags & PG_anon_exclusive;
	}
	head->_refcount += (s32)(parts - 1);
	count_entry(mm->vm, head, page, from_order, -1); /* the same frames stay mapped */
	for (i = 0; i < parts; i++)
		count_entry(mm->vm, head, page + (i << to_order), to_order, 1);
	return 0;
}

/* One packed mapping, told to the visitor. */
static void visit_packed(struct vm *vm, u64 packed, void (*visit)(void *, struct mm_struct *, u64), void *ctx)
{
	struct mm_struct *mm = (struct mm_struct *)radix_get(&vm->mms, rmap_mm_id(packed));

	ASSERT(mm);
	visit(ctx, mm, rmap_va(packed));
}

static void walk_file(struct vm *vm, struct page *page, void (*visit)(void *, struct mm_struct *, u64), void *ctx)
{
	struct address_space *file = (struct address_space *)radix_get(&vm->files, page->mapping);

	ASSERT(file);
	for (struct vm_area_struct *vma = file->i_mmap; vma; vma = vma->i_mmap_next) {
		u64 pages = (vma->vm_end - vma->vm_start) >> PAGE_SHIFT;

		if (page->index >= vma->vm_pgoff && page->index - vma->vm_pgoff < pages)
			visit(ctx, vma->vm_mm, vma->vm_start + ((page->index - vma->vm_pgoff) << PAGE_SHIFT));
	}
}

void rmap_walk(struct vm *vm, struct page *page, void (*visit)(void *ctx, struct mm_struct *mm, u64 va), void *ctx)
{
	if (page_head(vm, page)->kind == PAGE_FILE) {
		walk_file(vm, page, visit, ctx);
		return;
	}
	if (page->rmap & 1) {
		visit_packed(vm, page->rmap, visit, ctx);
		return;
	}
	for (struct rmap_node *node = (struct rmap_node *)page->rmap; node; node = node->next) {
		for (unsigned i = 0; i < RMAP_NODE_SLOTS && node->slot[i]; i++)
			visit_packed(vm, node->slot[i], visit, ctx);
	}
}
