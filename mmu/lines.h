/* SPDX-License-Identifier: MIT
 *
 * mmu/lines.h - where the lines of page tables lie when walks read them: in the L2 cache, in L3, or in memory.
 *
 * Not a cache: it knows when each line was read last, on a clock of the lines that came into L2. If fewer came since than
 * L2 holds, the line is still there; if fewer than L3 holds, there; else in memory. So both are LRU and fully associative,
 * and what L1 has counts as L2's. The program's own lines come by, too, and are not all known: so there are two clocks.
 *
 *   MMU_NEAREST    only lines of tables are counted: caches that the tables have for themselves
 *   MMU_FARTHEST   with each walk also as many lines of data as there were accesses since the walk before, a page's at
 *                  most: none of them was in L2, and none of them twice
 *
 *   set      0               1                     a line's set is its address modulo the sets, as in real caches, so
 *         +-----+---------+-----+---------+        that the lines of a table stand side by side
 *         | key | used[2] | key | used[2] | ...    key: line + 1; used: both clocks when it was read last
 *         +-----+---------+-----+---------+
 *
 * Invariants
 *  1. A line's nearest place is never farther than its farthest.
 *  2. mmu_counters: over all places, read_from[place][which] adds up to walk_steps[0], for both.
 */
#ifndef MMU_LINES_H
#define MMU_LINES_H

#include "mmu/mmu.h"

#define LINE_SHIFT 6
#define LINES_WAYS 5 /* a set is one line of the host's */

struct lines_set {
	u32 key[LINES_WAYS]; /* 0: nothing. Lines that are 2^38 bytes apart are one */
	u32 used[LINES_WAYS][2];
	u32 unused;
};
_Static_assert(sizeof(struct lines_set) == 64, "a host's line");

struct lines {
	struct lines_set *set; /* NULL: nobody wants to know */
	u64 set_mask;
	u64 clock[2], swept; /* swept: clock[MMU_FARTHEST] when old entries were dropped last: a u32 tells ages */
	u64 l2, l3;          /* lines */
	u32 data;            /* lines of data with each walk, at most */
};

void lines_init(struct lines *l, const struct cache_config *c, void *mem);
/* Drops what is in memory by now. */
void lines_sweep(struct lines *l);

/* The place of an entry that was in the set, or the victim of one that was not. */
static inline unsigned lines_way(const struct lines_set *s, u32 key)
{
	unsigned oldest = 0;

	for (unsigned i = 0; i < LINES_WAYS; i++)
		if (s->key[i] == key)
			return i;
	for (unsigned i = 1; i < LINES_WAYS; i++)
		if (s->key[i] == 0 ||
		    (s->key[oldest] && (s32)(s->used[i][MMU_FARTHEST] - s->used[oldest][MMU_FARTHEST]) < 0))
			oldest = i;
	return oldest;
}

/* A walk reads the entry at pa. */
static inline void lines_read(struct lines *l, u64 pa, struct mmu_counters *counters)
{
	u64 line = pa >> LINE_SHIFT;
	u32 key = (u32)line + 1;
	struct lines_set *s = &l->set[line & l->set_mask];
	unsigned way = lines_way(s, key);
	bool known = s->key[way] == key;

	s->key[way] = key;
	for (unsigned which = MMU_NEAREST; which <= MMU_FARTHEST; which++) {
		u32 age = (u32)l->clock[which] - s->used[way][which];
		unsigned place = !known || age >= l->l3 ? MMU_MEMORY : age >= l->l2 ? MMU_L3 : MMU_L2;

		counters->read_from[place][which]++;
		l->clock[which] += place != MMU_L2;
		s->used[way][which] = (u32)l->clock[which];
	}
}

/* A walk is over. */
static inline void lines_walked(struct lines *l)
{
	l->clock[MMU_FARTHEST] += l->data;
	if (unlikely(l->clock[MMU_FARTHEST] - l->swept >= 1u << 30))
		lines_sweep(l);
}

#endif
