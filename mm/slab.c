/* SPDX-License-Identifier: MIT
 *
 * mm/slab.c - mm/'s own small objects, cut from whole frames. No header in the frame: its struct page has it all.
 *
 *   slab_cache.partial --> frame --> frame       frames with room, through the lru links
 *                            |
 *                            +-- struct page: flags = slab kind, private = objects in use,
 *                                rmap = address of the first free object (each free object begins with the next's)
 *
 * An emptied frame goes back to the page allocator, but for the last one with room: a cache that swings around a
 * frame's boundary must not ask for a frame at each step.
 */
#include "mm/internal.h"
#include "mm/rmap.h"

static const u32 slab_sizes[SLAB_NR] = {
    [SLAB_MM] = sizeof(struct mm_struct),       [SLAB_VMA] = sizeof(struct vm_area_struct),
    [SLAB_FILE] = sizeof(struct address_space), [SLAB_NODE] = sizeof(struct radix_node),
    [SLAB_RMAP] = sizeof(struct rmap_node),
};

void slab_init(struct vm *vm)
{
	for (unsigned kind = 0; kind < SLAB_NR; kind++) {
		ASSERT(slab_sizes[kind] <= PAGE_SIZE && slab_sizes[kind] % sizeof(u64) == 0);
		vm->slab[kind] = (struct slab_cache){.size = slab_sizes[kind]};
	}
}

static void partial_add(struct vm *vm, struct slab_cache *cache, struct page *page)
{
	page->lru_prev = 0;
	page->lru_next = cache->partial;
	if (cache->partial)
		pfn_to_page(vm, cache->partial)->lru_prev = (u32)page_to_pfn(vm, page);
	cache->partial = (u32)page_to_pfn(vm, page);
	cache->nr_partial++;
}

static void partial_del(struct vm *vm, struct slab_cache *cache, struct page *page)
{
	if (page->lru_next)
		pfn_to_page(vm, page->lru_next)->lru_prev = page->lru_prev;
	if (page->lru_prev)
		pfn_to_page(vm, page->lru_prev)->lru_next = page->lru_next;
	else
		cache->partial = page->lru_next;
	cache->nr_partial--;
}

/* A new frame, all its objects free and chained. */
static struct page *slab_grow(struct vm *vm, enum slab_kind kind)
{
	struct slab_cache *cache = &vm->slab[kind];
	struct page *page = alloc_pages(vm, 0, PAGE_KERNEL);
	u8 *frame;

	if (!page)
		return NULL;
	frame = phys_to_virt(vm, page_to_pfn(vm, page) << PAGE_SHIFT);
	page->flags = (u16)kind;
	for (u64 at = PAGE_SIZE / cache->size * cache->size; at; at -= cache->size) {
		*(u64 *)(frame + at - cache->size) = page->rmap;
		page->rmap = (u64)(frame + at - cache->size);
	}
	partial_add(vm, cache, page);
	return page;
}

void *slab_alloc(struct vm *vm, enum slab_kind kind)
{
	struct slab_cache *cache = &vm->slab[kind];
	struct page *page = cache->partial ? pfn_to_page(vm, cache->partial) : slab_grow(vm, kind);
	u64 *obj;

	if (!page)
		return NULL;
	obj = (u64 *)page->rmap;
	page->rmap = *obj;
	page->private += 1;
	cache->objects++;
	if (!page->rmap)
		partial_del(vm, cache, page);
	memset(obj, 0, cache->size);
	return obj;
}

void slab_free(struct vm *vm, enum slab_kind kind, void *obj)
{
	struct slab_cache *cache = &vm->slab[kind];
	struct page *page = virt_to_page(vm, obj);

	ASSERT(page->kind == PAGE_KERNEL && page->flags == kind && page->private > 0);
	if (!page->rmap)
		partial_add(vm, cache, page);
	*(u64 *)obj = page->rmap;
	page->rmap = (u64)obj;
	cache->objects--;
	if (--page->private || cache->nr_partial == 1)
		return;
	partial_del(vm, cache, page);
	put_page(vm, page);
}
