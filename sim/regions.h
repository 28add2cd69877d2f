/* SPDX-License-Identifier: MIT
 *
 * sim/regions.h - what the walks come from: each address space as the program sees it, in named regions.
 *
 *   region_map of a space:   span  span       span           sorted, disjoint; each names its region
 *                           [----)[----)     [-------)
 *                               \  /             |
 *   region_table:           "libc.so" data    "[heap]"       one entry for areas of one program, name and kind that touch
 *                               /  \             |
 *   another space's map:    [----)[----)     [-------)       of the same program: the same regions
 *
 * Built from the mapping events alone, the same for every machine, so that a region has the same index in each.
 * A region is a program's, whichever of its processes maps it: a fork's child has its parent's, 17 servers after one
 * segment have one, and 1,000 runs of one compiler have no more than one run. What is shared through a file is one
 * region wherever it is mapped. A region outlives its spans: what was unmapped keeps its figures.
 *
 * Invariants
 *  1. Spans of a map are sorted by start, not empty, and do not overlap.
 *  2. Neighbours that touch and have the same region are one span.
 *  3. A span's region is of its map's program, or the one that counts what is beyond the limit.
 */
#ifndef SIM_REGIONS_H
#define SIM_REGIONS_H

#include "sim/counters.h"

#define REGION_NONE (~0u)

struct region {
	struct sim_region info;
	bool grows;  /* a stack that grows down on faults: its span reaches down to its limit from the start */
	bool shared; /* a file's, mapped MAP_SHARED */
	u32 next;    /* the next region of the same program, REGION_NONE after the last */
};

struct region_table {
	struct region *region;
	unsigned nr, cap;
	u32 *first; /* by program: the head of its list of regions */
	unsigned nr_programs, cap_programs;
	unsigned other; /* where regions beyond the limit are counted, REGION_NONE while there are none */
};

struct span {
	u64 start, end;
	u32 region;
};
struct region_map {
	struct span *span;
	unsigned nr, cap;
	unsigned hint; /* index of the span found last */
	u32 program;
};

/* What a new area is, for its region. */
struct region_area {
	u64 start, end;
	const char *name;
	u8 kind;      /* enum sim_region_kind */
	u64 grows_to; /* lowest address a growing stack may reach; 0: it does not grow */
	bool shared;  /* a file's, mapped MAP_SHARED */
};

void region_table_init(struct region_table *t);
void region_table_free(struct region_table *t);

void region_map_init(struct region_map *map, u32 program);
void region_map_free(struct region_map *map);
/* An area appears and replaces what was there. */
void region_map_add(struct region_table *t, struct region_map *map, const struct region_area *area);
/* [start, end) goes. */
void region_map_cut(struct region_map *map, u64 start, u64 end);
/* mremap: what is at [old_start, old_end) is now at [start, end). old_end = old_start: it stays there too. */
void region_map_move(struct region_table *t, struct region_map *map, u64 old_start, u64 old_end, u64 start, u64 end);
/* fork: the child has its parent's regions. */
void region_map_fork(struct region_map *child, const struct region_map *parent);
/* madvise(MADV_HUGEPAGE) by the program. */
void region_map_madvise(struct region_table *t, struct region_map *map, u64 start, u64 end);
/* A stack faulted at va: its region reaches down to va's page, but for what something else has taken of it. */
void region_grow(struct region_table *t, const struct region_map *map, unsigned region, u64 va);

/* Bytes of the region that this map holds now; of a stack, down to where it has grown. O(spans). */
u64 region_bytes(const struct region_table *t, const struct region_map *map, unsigned region);

/* Index of the span that holds va, or of the first above it (map->nr after the last). O(log n). */
unsigned region_map_search(const struct region_map *map, u64 va);
/* Region at va, or REGION_NONE. The span found last is tried first: walks come in runs. */
static inline unsigned region_find(struct region_map *map, u64 va)
{
	unsigned i = map->hint;

	if (i >= map->nr || va < map->span[i].start || va >= map->span[i].end) {
		i = region_map_search(map, va);
		if (i == map->nr || va < map->span[i].start)
			return REGION_NONE;
		map->hint = i;
	}
	return map->span[i].region;
}

#endif
