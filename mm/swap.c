/* SPDX-License-Identifier: MIT
 *
 * mm/swap.c - the slots of the swap device, who owns them, and the pages that are there and in memory at once.
 * swap.h draws an entry and a slot.
 *
 *   vm->swap.map            [ slot 0 | 1 | 2 ...                          ]  carved out of RAM at boot, zero until used
 *   vm->swap.cluster_taken  [ 0 | 509 | 512 | 0 ...                       ]  slots in use of each 512
 *                                    ^ next: where the last search ended
 *
 * What becomes of a page. The swap cache holds those that have a slot and a frame:
 *
 *       an entry maps the page <-----------------------------------------+------------------.
 *         |  reclaim: it gets a slot                    found there:     |                  |
 *         v                                             minor fault      |                  |
 *     [ cache, dirty ] --write--> [ cache, clean, unmapped: next to go ]-'                  | read alone, past the
 *         |                          |                 ^                                    | cache, slot free again
 *         | write is over at once    | reclaim         | read, others ahead                 | (synchronous device, one
 *         v                          v                 | (major fault)                      | owner; major fault)
 *         `------------------------> [ slot alone ] ---+------------------------------------'
 *
 * A write is over at once on a synchronous device, and when the page is full of zeroes: only the slot says so then.
 * Elsewhere it is over when reclaim looks again. A page that an entry maps keeps its slot as long as it is not written
 * to and slots are not scarce. One of shmem leaves the page cache for the swap cache, and comes back from it.
 *
 * Slots are given next-fit, so that pages that leave together lie together: cluster read-ahead depends on it.
 * When none is free, a slot is taken from a page that is in memory and has no other owner ("idle").
 *
 * Invariants (numbers as mm/check.c prints them)
 *   100 a slot's count is the number of swap entries and shmem files that name it
 *   101 a cached slot and its page name each other; someone else holds the page too, or the slot has owners
 *   102 used, idle and the clusters' counts agree with the slots
 *   105 a slot noted as zeroes that has a clean frame: the frame holds zeroes, as far as the device can tell
 *
 * Sources: Linux 6.12 mm/swapfile.c (scan_swap_map_slots, swap_duplicate, __try_to_reclaim_swap), mm/swap_state.c.
 */
#include "mm/swap.h"
#include "mm/lru.h"

static u64 clusters_of(u64 slots)
{
	return (slots + SWAP_CLUSTER - 1) / SWAP_CLUSTER;
}

u64 swap_map_frames(u64 slots)
{
	u64 bytes = slots * sizeof(struct swap_slot) + clusters_of(slots) * sizeof(u16);

	return ALIGN_UP(bytes, PAGE_SIZE) >> PAGE_SHIFT;
}

/* cluster_taken counts up from zero, so that fresh RAM is right as it is. */
void swap_init(struct vm *vm, void *map)
{
	vm->swap.slots = vm->cfg.swap_slots;
	vm->swap.map = map;
	vm->swap.cluster_taken = (u16 *)(vm->swap.map + vm->swap.slots);
	vm->swap.ra_hits = SWAP_RA_FIRST_HITS;
}

/* ---- slots ---- */

static void slot_taken(struct vm *vm, u64 slot)
{
	vm->swap.cluster_taken[slot / SWAP_CLUSTER]++;
	vm->swap.used++;
	vm->swap.reached = max(vm->swap.reached, slot + 1);
	vm->swap.peak_used = max(vm->swap.peak_used, vm->swap.used);
}

/* The slot lost its last owner, or its frame: is it free now? */
static void slot_released(struct vm *vm, u32 slot)
{
	if (swap_slot_used(swap_slot_at(vm, slot)))
		return;
	*swap_slot_at(vm, slot) = (struct swap_slot){0};
	vm->swap.cluster_taken[slot / SWAP_CLUSTER]--;
	vm->swap.used--;
}

/* The next slot, from where the last search ended, that is free or (idle) only keeps a copy of a page in memory. */
static u32 next_slot(struct vm *vm, bool idle)
{
	u64 at = vm->swap.next, slots = vm->swap.slots;

	for (u64 seen = 0; seen < slots;) {
		u64 cluster = at / SWAP_CLUSTER, end = min((cluster + 1) * SWAP_CLUSTER, slots);

		if (!idle && vm->swap.cluster_taken[cluster] == end - cluster * SWAP_CLUSTER) {
			seen += end - at;
			at = end == slots ? 0 : end;
			continue;
		}
		if (idle ? vm->swap.map[at].cached && !vm->swap.map[at].count : !swap_slot_used(&vm->swap.map[at])) {
			vm->swap.next = at + 1 == slots ? 0 : at + 1;
			return (u32)at;
		}
		seen++;
		at = at + 1 == slots ? 0 : at + 1;
	}
	return SWP_NONE;
}

/* A free slot, or SWP_NONE. */
static u32 slot_alloc(struct vm *vm)
{
	u32 slot;

	if (vm->swap.used < vm->swap.slots)
		return next_slot(vm, false);
	if (!vm->swap.idle)
		return SWP_NONE;
	slot = next_slot(vm, true);
	swap_cache_free(vm, swap_cache_find(vm, slot));
	return slot;
}

u32 swap_slot_take(struct vm *vm)
{
	u32 slot = slot_alloc(vm);

	if (slot == SWP_NONE)
		return slot;
	slot_taken(vm, slot);
	swap_slot_at(vm, slot)->count = 1;
	return slot;
}

void swap_dup(struct vm *vm, u32 slot)
{
	struct swap_slot *s = swap_slot_at(vm, slot);

	ASSERT(swap_slot_used(s));
	if (!s->count++)
		vm->swap.idle--;
}

void swap_put(struct vm *vm, u32 slot)
{
	struct swap_slot *s = swap_slot_at(vm, slot);
	struct page *page = swap_cache_find(vm, slot);

	ASSERT(s->count > 0);
	if (--s->count)
		return;
	if (!page) {
		slot_released(vm, slot);
		return;
	}
	vm->swap.idle++;
	if (page->_refcount == 1)
		swap_cache_free(vm, page);
}

bool swap_full(const struct vm *vm)
{
	return swap_free_slots(vm) * 2 < vm->swap.slots;
}

/* ---- the swap cache ---- */

struct page *swap_cache_find(struct vm *vm, u32 slot)
{
	struct swap_slot *s = swap_slot_at(vm, slot);

	return s->cached ? pfn_to_page(vm, s->pfn_or_shadow) : NULL;
}

void swap_cache_insert(struct vm *vm, struct page *page, u32 slot)
{
	struct swap_slot *s = swap_slot_at(vm, slot);

	ASSERT(!s->cached && !(page->flags & PG_swapcache) && page->kind == PAGE_ANON && !page->order);
	s->cached = true;
	s->pfn_or_shadow = (u32)page_to_pfn(vm, page);
	page->flags |= PG_swapcache;
	page->private = slot;
	get_page(page);
}

int swap_cache_add(struct vm *vm, struct page *page)
{
	u32 slot = slot_alloc(vm);

	if (slot == SWP_NONE)
		return -ENOSPC;
	slot_taken(vm, slot);
	vm->swap.idle++;
	swap_cache_insert(vm, page, slot);
	page->flags |= PG_dirty;
	return 0;
}

void swap_cache_del(struct vm *vm, struct page *page, u32 shadow)
{
	u32 slot = page->private;
	struct swap_slot *s = swap_slot_at(vm, slot);

	ASSERT(page->flags & PG_swapcache && s->cached && s->pfn_or_shadow == page_to_pfn(vm, page));
	s->cached = false;
	s->pfn_or_shadow = shadow;
	if (!s->count)
		vm->swap.idle--;
	slot_released(vm, slot);
	page->flags &= (u16)~PG_swapcache;
	page->private = 0;
	put_page(vm, page);
}

bool swap_cache_free(struct vm *vm, struct page *page)
{
	if (!(page->flags & PG_swapcache) || swap_slot_at(vm, page->private)->count)
		return false;
	page->flags |= PG_dirty;
	swap_cache_del(vm, page, 0);
	return true;
}

bool vm_entry_swap_slot(u64 entry, u64 *slot)
{
	*slot = swp_slot(entry);
	return is_swap_entry(entry);
}

/* ---- the device ---- */

/* FNV-1a on words: finds what a device gets wrong; not a signature. */
static u32 checksum_frame(struct vm *vm, u64 pfn)
{
	const u64 *word = phys_to_virt(vm, pfn << PAGE_SHIFT);
	u64 hash = 0xcbf29ce484222325ull;

	for (unsigned i = 0; i < PAGE_SIZE / sizeof(u64); i++)
		hash = (hash ^ word[i]) * 0x100000001b3ull;
	return (u32)(hash ^ hash >> 32);
}

int swap_write(struct vm *vm, u32 slot, struct page *page)
{
	const struct backing_ops *ops = vm->cfg.swap_ops;
	struct swap_slot *s = swap_slot_at(vm, slot);
	u64 pfn = page_to_pfn(vm, page);

	if (vm->cfg.swap_checksum)
		s->checksum = checksum_frame(vm, pfn);
	s->zero = vm->variant.zeromap && ops && ops->zero_filled && ops->zero_filled(vm->cfg.swap_ctx, pfn);
	if (!s->zero && ops && ops->write_page && ops->write_page(vm->cfg.swap_ctx, slot, pfn))
		return -EIO;
	vm_emit(vm, &(struct vm_event){.type = s->zero ? VM_EV_SWAP_ZERO : VM_EV_SWAP_OUT, .n = 1});
	return 0;
}

int swap_read(struct vm *vm, u32 slot, struct page *page)
{
	const struct backing_ops *ops = vm->cfg.swap_ops;
	const struct swap_slot *s = swap_slot_at(vm, slot);
	u64 pfn = page_to_pfn(vm, page);

	if (s->zero)
		hw_clear_frames(vm->hw, pfn, 0);
	else if (ops && ops->read_page && ops->read_page(vm->cfg.swap_ctx, slot, pfn))
		return -EIO;
	if (vm->cfg.swap_checksum && checksum_frame(vm, pfn) != s->checksum) {
		hw_log(vm->hw, "a swap page came back changed: it is not handed out");
		return -EIO;
	}
	vm->swap.reads += !s->zero;
	return 0;
}

void swap_request_done(struct vm *vm, u32 mm_id, u64 va)
{
	u64 n = vm->swap.reads;

	vm->swap.reads = 0;
	if (n)
		vm_emit(vm, &(struct vm_event){.type = VM_EV_SWAP_IN, .mm = mm_id, .va = va, .n = n});
}
