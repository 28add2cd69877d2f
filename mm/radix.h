/* SPDX-License-Identifier: MIT
 *
 * mm/radix.h - a sparse array: index -> non-zero value. Page caches, and the tables of ids.
 */
#ifndef MM_RADIX_H
#define MM_RADIX_H

#include "lib/types.h"

struct vm;

#define RADIX_BITS  6
#define RADIX_SLOTS (1u << RADIX_BITS)

struct radix_node {
	u64 slot[RADIX_SLOTS];
	u64 used; /* slots that are not 0 */
};

struct radix {
	u64 root;   /* height 0: the value of index 0; else the address of a node */
	u32 height; /* levels of nodes */
};

/* The value at index, 0 if none. O(height). */
u64 radix_get(const struct radix *r, u64 index);
/* Sets or, with value 0, removes. Returns 0 or -ENOMEM (never when removing). */
int radix_set(struct vm *vm, struct radix *r, u64 index, u64 value);
/* The first value at *index or above, which *index then names; 0: none. */
u64 radix_next(const struct radix *r, u64 *index);

#endif
