/* SPDX-License-Identifier: MIT
 *
 * engine/translate.h - a block of the program becomes generated code.
 */
#ifndef ENGINE_TRANSLATE_H
#define ENGINE_TRANSLATE_H

#include "engine/cache.h"

/* The block that begins at pc, translated now. NULL: there is no room; clear the cache first. */
struct block *translate(u64 pc);
/* How many bytes from pc on may be read and executed: 0 to `most`. The loader's side, or the test's. */
unsigned code_readable(u64 pc, unsigned most);

#endif
