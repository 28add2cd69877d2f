/* SPDX-License-Identifier: MIT
 *
 * lib/string.h - the four functions that a compiler may call in freestanding code too; whoever links it has them.
 * The declarations are the C library's, so both may be included.
 */
#ifndef LIB_STRING_H
#define LIB_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);

#endif
