/* SPDX-License-Identifier: MIT
 *
 * engine/translate.h - a block of the program becomes generated code.
 */
#ifndef ENGINE_TRANSLATE_H
#define ENGINE_TRANSLATE_H

#include "engine/cache.h"

/* The block that begins at pc, of so many instructions at most, translated now, for a program whose stack is at sp; the
 * cache is not full. NULL: the program cannot go on there: insns[0] (block.h) is no instruction, or is cut at *missing,
 * whose byte the program would not get. */
struct block *translate(u64 pc, u64 sp, unsigned most, u64 *missing);
/* Copies what may be fetched at pc: so many bytes, 0 to `most`. *changes: they may change without a call of
 * cache_forget(). The loader's side, or the test's. */
unsigned code_read(u64 pc, void *to, unsigned most, bool *changes);
bool code_same_area(u64 a, u64 b);

#endif
