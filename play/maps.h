/* SPDX-License-Identifier: MIT
 *
 * play/maps.h - the areas of a process and its resident memory, of either machine, in one form; and their picture:
 *
 *   $a                      "rr|w..n"  two pages that can be read, then an area of one that can be written,
 *   |==r==|=w=|     |=n=|              two pages without an area, one without any right
 */
#ifndef PLAY_MAPS_H
#define PLAY_MAPS_H

#include <stdio.h>

#include "lib/types.h"

struct play_area {
	u64 start, end; /* bytes */
	u32 prot;
	bool shared, locked;
};

struct play_maps {
	struct play_area *area; /* ascending */
	unsigned nr, cap;
	u64 rss_bytes;
};

void maps_add(struct play_maps *m, u64 start, u64 end, u32 prot, bool shared);
void maps_free(struct play_maps *m);
bool maps_equal(const struct play_maps *a, const struct play_maps *b);
/* From `at`, a letter for each `unit` bytes, up to `letters` of them; a bar where two areas touch. size: of text. */
void maps_picture(const struct play_maps *m, u64 at, u64 unit, unsigned letters, char *text, size_t size);
void maps_print(const struct play_maps *m, const char *indent, FILE *out);

#endif
