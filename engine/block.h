/* SPDX-License-Identifier: MIT
 *
 * engine/block.h - the block that is translated now. The cache's lock is held.
 */
#ifndef ENGINE_BLOCK_H
#define ENGINE_BLOCK_H

#include "engine/decode.h"

#ifndef MAX_INSNS /* the tests have fewer */
#define MAX_INSNS 64
#endif
#define CODE_READ 128u /* bytes, at a time: most blocks are shorter */

extern struct insn insns[MAX_INSNS];
extern unsigned nr_insns;

extern struct code {
	u64 pc;
	unsigned len;  /* bytes of the block */
	bool changes;  /* without a call */
	bool on_stack; /* the stack is in the same area */
	u8 byte[MAX_INSNS * 15 + CODE_READ];
} code;

/* It is left in the middle if the condition of this jump holds. */
static inline bool insn_is_exit(const struct insn *i)
{
	return i->kind == INSN_JCC && i != &insns[nr_insns - 1];
}

/* Reads the block at pc; arguments and what is missing as translate() has them. false: there is none. */
bool block_read(u64 pc, u64 sp, unsigned most, u64 *missing);
/* May it lie in the block, whose code changes? Not known before it runs. */
bool may_hit_code(const struct operand *o);

#endif
