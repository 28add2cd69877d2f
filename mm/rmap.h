/* SPDX-License-Identifier: MIT
 *
 * mm/rmap.h - how an anonymous frame knows the entries that map it. mm/rmap.c draws it.
 */
#ifndef MM_RMAP_H
#define MM_RMAP_H

#include "mm/mm_types.h"

#define RMAP_NODE_SLOTS 3

struct rmap_node {
	struct rmap_node *next;
	u64 slot[RMAP_NODE_SLOTS]; /* 0: empty */
};

#define MM_ID_MAX ((1u << 27) - 1)

/* One mapping: bit 0 set, bits 36:1 the virtual page number, bits 63:37 the mm's id. */
static inline u64 rmap_pack(u32 mm_id, u64 va)
{
	return (u64)mm_id << 37 | (va >> PAGE_SHIFT) << 1 | 1;
}
static inline u32 rmap_mm_id(u64 packed)
{
	return (u32)(packed >> 37);
}
static inline u64 rmap_va(u64 packed)
{
	return (packed >> 1 & ((1ull << 36) - 1)) << PAGE_SHIFT;
}

#endif
