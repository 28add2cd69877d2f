/* SPDX-License-Identifier: MIT
 *
 * engine/groups.h - accesses of a block by the same registers, whose values have changed by constants only in between,
 * and not far from each other, share one check, at the first. So within a block their order is not told exactly.
 *
 *   value[r]: register r is root + offset, where a root is what some register held at some place of the block
 */
#ifndef ENGINE_GROUPS_H
#define ENGINE_GROUPS_H

#include "engine/block.h"

struct value {
	unsigned root;
	s64 offset;
};

struct group {
	struct value base, index;
	u8 scale, rw, operand, nr, segment;
	bool masked;
	unsigned insn; /* the first's */
	s64 first;     /* its displacement, from the roots */
	s64 lo, hi;    /* of all, from the first's */
	struct {
		s64 lo;
		u16 len;
		u8 rw;
	} access[8];
};

/* Of the block in insns[], in the order of their first accesses. */
extern struct group groups[MAX_INSNS * MAX_OPERANDS];
extern unsigned nr_groups;
void find_groups(void);

#endif
