/* SPDX-License-Identifier: MIT
 *
 * sim/touch.h - of the memory that huge pages map, which 4K pages did the program ever touch? The rest is bloat.
 *
 *   key = (address space, va >> 21)  -->  chunk: is it mapped huge now, in which region, 512 bits "touched"
 *
 * A hash table with open addressing. Chunks are never removed, only emptied: an address space's number is used again.
 * A 1G leaf is 512 chunks.
 *
 * Invariants
 *  1. huge_chunks = the chunks with huge set; touched_pages = their bits set. A chunk that is not huge has no bits.
 */
#ifndef SIM_TOUCH_H
#define SIM_TOUCH_H

#include "lib/types.h"
#include "x86/paging.h"

struct touch_chunk {
	u64 key; /* 0: free */
	u32 region;
	bool huge;
	u64 bits[8];
};
struct touch_table {
	struct touch_chunk *chunk;
	unsigned cap, used, last; /* last: index found last */
	u64 huge_chunks, touched_pages;
};

void touch_init(struct touch_table *t);
void touch_free(struct touch_table *t);

/* space: a number from 1; va: any address in the chunk. A huge leaf appeared over va's chunk. Returns true if it was
 * not there before. */
bool touch_set_huge(struct touch_table *t, u32 space, u64 va, u32 region);
/* It goes, or is no longer huge. Returns its region, or ~0u when va's chunk was not huge. */
u32 touch_clear_huge(struct touch_table *t, u32 space, u64 va);
/* va was accessed through a huge leaf. */
void touch_mark(struct touch_table *t, u32 space, u64 va);
/* The huge chunks of space that overlap [start, end): their number, and *va = a malloc'ed list of their addresses (NULL
 * when there are none). A list, because what is done with each may change the table. */
size_t touch_list(const struct touch_table *t, u32 space, u64 start, u64 end, u64 **va);
/* fork, mremap: chunk va of space `from` is also at new_va of space `to`, with the same bits. */
void touch_copy(struct touch_table *t, u32 from, u64 va, u32 to, u64 new_va, u32 region);

/* Huge memory that was never touched, bytes. */
static inline u64 touch_untouched_bytes(const struct touch_table *t)
{
	return (t->huge_chunks * PTRS_PER_TABLE - t->touched_pages) * PAGE_SIZE;
}

#endif
