/* SPDX-License-Identifier: MIT
 *
 * mm/compaction.h - a free block of 2M is wanted, and there is none. Call it where nothing is held.
 */
#ifndef MM_COMPACTION_H
#define MM_COMPACTION_H

#include "mm/mm_types.h"

/* Moves pages until a block of 2M is free, if that can be had. Whoever wants it asks alloc_pages() again. */
void compact_memory(struct vm *vm, struct hw_cpu *cpu);

#endif
