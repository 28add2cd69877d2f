/* SPDX-License-Identifier: MIT
 *
 * plugin/place.h - where Linux would put a map: the rule of get_unmapped_area(), on a table of what is mapped.
 *
 *   0 ... [program][heap ->] ......... [map n] ... [map 2][map 1] | mmap_base ........... [<- stack] top
 *                                      <- maps go down from here
 *
 * Knows nothing of QEMU or of events; tested against the host's own mmap. Not locked: the caller serializes.
 * Source: Linux 6.12/6.18 mm/mmap.c (generic_get_unmapped_area_topdown, get_unmapped_area), mm/huge_memory.c
 * (__thp_get_unmapped_area).
 */
#ifndef PLUGIN_PLACE_H
#define PLUGIN_PLACE_H

#include "lib/gap.h"

#define PLACE_NONE (~0ull)

struct place {
	struct gap_tree used; /* what is mapped; adjacent ranges are one */
	struct gap_node *spare;
	u64 low, mmap_base, top; /* bytes: lowest address; where the search begins; end of user space */
	bool huge_files;         /* file systems align large maps for huge pages */
	bool huge_anonymous;     /* and so it is with private anonymous memory of whole 2M */
};

struct place_request {
	u64 hint, len;  /* bytes, page multiples; hint 0: anywhere */
	u64 offset;     /* file maps: bytes */
	bool anonymous; /* private anonymous memory */
	bool huge_file; /* a file of a file system that aligns maps for huge pages */
};

void place_init(struct place *p, u64 low, u64 mmap_base, u64 top);
/* Linux's choice, or PLACE_NONE when there is no room. Changes nothing. */
u64 place_find(const struct place *p, const struct place_request *r);
/* The highest free address with room for len bytes in [low, high); PLACE_NONE. */
u64 place_below(const struct place *p, u64 len, u64 low, u64 high);
bool place_is_free(const struct place *p, u64 start, u64 end);
/* [start, end) is mapped now, whatever was there; is free now. Page multiples. */
void place_add(struct place *p, u64 start, u64 end);
void place_remove(struct place *p, u64 start, u64 end);
void place_destroy(struct place *p);

#endif
