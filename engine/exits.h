/* SPDX-License-Identifier: MIT
 *
 * engine/exits.h - the ways out of a block. The cache's lock is held.
 */
#ifndef ENGINE_EXITS_H
#define ENGINE_EXITS_H

#include "engine/emit.h"

/* Where generated code is written: what runs as a rule, and what is seldom reached. */
extern u8 *hot, *cold;

/* The rel32 field of a jump whose opcode, of so many bytes, comes next will lie within eight aligned bytes: it is
 * patched by one store that others see whole. */
void align_link(u8 **at, unsigned opcode);
/* A jump's rel32 field, in hot or cold code, that leads to the block at target: now, or by way of the runtime. from: the
 * last byte of the program before. */
void emit_link(u8 **at, u64 from, u64 target);
/* jmp to the block at target */
void emit_link_jump(u8 **at, u64 from, u64 target);
/* The runtime goes on, with pc and why. */
void emit_leave(u64 pc, s32 why);
/* rcx is the target, scratch[0] the program's rcx. pops: bytes that a return takes from the stack, 0: no return. */
void emit_indirect(unsigned pops);

#endif
