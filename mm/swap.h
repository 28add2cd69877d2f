/* SPDX-License-Identifier: MIT
 *
 * mm/swap.h - swap entries, swap slots, and the swap cache. mm/swap.c owns the slots, mm/swapin.c brings pages back.
 *
 * A swap entry is a level-1 entry that the hardware ignores (P = 0). It names the slot that holds the page:
 *
 *    63        52 51                                  12 11   10     9     8       7 .. 1  0
 *   +------------+--------------------------------------+---+------+-----+--------+------+---+
 *   |     0      |               ~slot                  | 0 | EXCL | SWP |   0    |  0   | 0 |
 *   +------------+--------------------------------------+---+------+-----+--------+------+---+
 *                                                         |      |      bit 8, PROTNONE: 0
 *   SWP   tells it from an empty entry                    |      +-- the page was exclusive when it left
 *   ~slot the slot's complement: as a physical address it lies above any RAM, so that a CPU that speculates past P = 0
 *         (L1TF) finds nothing there. Linux does the same
 *
 * A slot in use, and who keeps it so:
 *
 *   swap_slot[n]   count = 2 <--- swap entry of mm A, swap entry of mm B (or a shmem file: one owner)
 *                  pfn   ------> struct page, PG_swapcache, private = n: the page is in memory too, and the same until
 *                                PG_dirty. No frame (pfn = 0): the word is the shadow of when it left
 *                  zero           the page was full of zeroes when it went: nothing was written, nothing is read
 *   A slot is free when count = 0 and there is no frame. A frame that only the cache holds goes with the last owner.
 */
#ifndef MM_SWAP_H
#define MM_SWAP_H

#include "mm/pgtable.h"

#define SWP_ENTRY          X86_PTE_SW1
#define SWP_EXCLUSIVE      X86_PTE_SW2
#define SWP_NONE           (~0u) /* no slot */
#define SWAP_CLUSTER       512   /* slots with one count of those in use */
#define SWAP_RA_FIRST_HITS 4     /* of read-ahead that nothing is known of yet */

static inline bool is_swap_entry(u64 entry)
{
	return !(entry & (X86_PTE_P | PTE_PROTNONE)) && entry & SWP_ENTRY;
}
static inline u64 swp_make(u32 slot, bool exclusive)
{
	return (~((u64)slot << PAGE_SHIFT) & X86_PHYS_MASK) | SWP_ENTRY | (exclusive ? SWP_EXCLUSIVE : 0);
}
static inline u32 swp_slot(u64 entry)
{
	return (u32)((~entry & X86_PHYS_MASK) >> PAGE_SHIFT);
}

struct swap_slot {
	u32 count; /* owners */
	bool cached, zero;
	u8 unused[2];
	u32 pfn_or_shadow; /* cached: the frame. Else, with owners: when it was evicted (lru.h), 0 = unknown */
	u32 checksum;      /* of what was written, with vm_config.swap_checksum */
};

struct fault;

/* ---- slots ---- */
/* Frames that the slots of a device take; the memory is zero. */
u64 swap_map_frames(u64 slots);
void swap_init(struct vm *vm, void *map);
static inline struct swap_slot *swap_slot_at(struct vm *vm, u32 slot)
{
	return &vm->swap.map[slot];
}
static inline bool swap_slot_used(const struct swap_slot *s)
{
	return s->count || s->cached;
}
/* Slots that a page could get now. */
static inline u64 swap_free_slots(const struct vm *vm)
{
	return vm->swap.slots - vm->swap.used + vm->swap.idle;
}
/* A free slot becomes its caller's: one owner. SWP_NONE: swap is full. */
u32 swap_slot_take(struct vm *vm);
/* One more owner; one less. The last one's put frees the slot, and the frame that only the cache holds. */
void swap_dup(struct vm *vm, u32 slot);
void swap_put(struct vm *vm, u32 slot);

/* ---- the swap cache ---- */
struct page *swap_cache_find(struct vm *vm, u32 slot); /* NULL: not in memory. No reference taken */
/* The page, not in the cache, gets a slot: in the cache, with a reference, dirty. Returns 0, or -ENOSPC: swap is full.
 */
int swap_cache_add(struct vm *vm, struct page *page);
/* The page takes a slot that has owners already, and whose contents it now holds. */
void swap_cache_insert(struct vm *vm, struct page *page, u32 slot);
/* The page leaves the cache, and loses the reference. shadow: for its slot, if that has owners. */
void swap_cache_del(struct vm *vm, struct page *page, u32 shadow);
/* Drops the cache's hold of a page without owners of its slot; the page is dirty then. Returns whether it did. */
bool swap_cache_free(struct vm *vm, struct page *page);
/* More than half of the slots are taken: copies of pages that are in memory are not worth keeping. */
bool swap_full(const struct vm *vm);

/* ---- the device ---- */
/* Begins to write the page of a slot. Returns 0 or -EIO. */
int swap_write(struct vm *vm, u32 slot, struct page *page);
/* The write that has begun is over already. */
static inline bool swap_write_is_over(struct vm *vm, u32 slot)
{
	return vm->cfg.swap_synchronous || swap_slot_at(vm, slot)->zero;
}
/* Reads a slot into a frame; a wrong checksum is -EIO. */
int swap_read(struct vm *vm, u32 slot, struct page *page);
/* The pages read since the last call were one request, for mm's fault at va. */
void swap_request_done(struct vm *vm, u32 mm_id, u64 va);

/* ---- swapin.c: row 4 of the fault table ---- */
unsigned do_swap_page(struct fault *f);
/* MADV_WILLNEED: swapped pages of [start, end) come into the swap cache; pages of a file from the disk. As far as RAM
 * goes. */
void madvise_willneed(struct vm_area_struct *vma, u64 start, u64 end);
/* The page of a slot that a shmem file owns: it is in the swap cache then, no reference taken. *major: it was read.
 * Returns 0, -EIO or -ENOMEM. */
int swapin_shmem(struct vm *vm, u32 slot, struct page **page, bool *major);

#endif
