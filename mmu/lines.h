/* SPDX-License-Identifier: MIT
 *
 * mmu/lines.h - where the lines of page tables lie when walks read them: in the L2 cache, in L3, or in memory.
 *
 * Not a cache: it knows when each line was read last, on a clock of the lines that came into L2. If fewer came since than
 * L2 holds, the line is still there; if fewer than L3 holds, there; else in memory. So both are LRU and fully associative,
 * and what L1 has counts as L2's. The program's own lines come by, too, and are not all known: so there are two clocks.
 *
 *   MMU_NEAREST    with a walk comes one line of data, the one that is accessed; none if that page was walked to within
 *                  the last L2's worth of lines (after a flush, say): then it is there
 *   MMU_FARTHEST   with a walk come as many lines as there were accesses for each walk of late, 1..64: a page's; parts of
 *                  lines add up. None of them was in L2, and none of them twice
 *
 * The host's tables of a virtual machine (nested.c) have lines here, too, at addresses beyond all RAM. Who else uses L3
 * there nobody knows (`shared`): the farthest is what L2 and a core's share of L3 do not hold.
 *
 *   set      0              1              a line's set is its address modulo the sets, as in real caches, so that the
 *         +--------------+--------------+  lines of a table stand side by side
 *   tag   | 4 ways       |              |  the line's address behind the set's, plus 1; 0: nothing
 *   used  | 4 ways x 2   |              |  both clocks when it was read last
 *   epoch | 4 ways x 8x4 |              |  of each entry of the line four bits: when it was read last, on the nearest
 *         +--------------+--------------+  clock, in epochs: halves of L2 or less. After 16 of them old looks young
 *
 * Invariants
 *  1. A line's nearest place is never farther than its farthest.
 *  2. mmu_counters: over all places, read_from[place][which] adds up to walk_steps[0], for both, and host_read_from to
 *     host_steps.
 */
#ifndef MMU_LINES_H
#define MMU_LINES_H

#include "mmu/mmu.h"

#define LINE_SHIFT 6
#define LINES_WAYS 4
#define LINES_PART 8 /* lines of data come in parts of 1/256 */

struct lines_set {
	u32 tag[LINES_WAYS];
	u32 used[LINES_WAYS][2];
	u32 epoch[LINES_WAYS];
};
_Static_assert(sizeof(struct lines_set) == 64, "a line of the host's");

struct lines {
	struct lines_set *set; /* NULL: nobody wants to know */
	u64 set_mask;
	u64 clock[2], swept; /* swept: clock[MMU_FARTHEST] when old entries were dropped last: a u32 tells ages */
	u32 l2, l3[2];       /* lines, by the clock */
	u64 data;            /* with each walk, at most, in parts of lines */
	u64 part;            /* of a line, that came and is not on the clock yet */
	u8 set_bits;
	u8 epoch_bits; /* an epoch is 2^epoch_bits lines, a half to a fourth of L2 */
	u8 young;      /* epochs of L2: 2..4 */
};

void lines_init(struct lines *l, const struct cache_config *c, bool shared, void *mem);
/* Puts a line in the place of nothing, or of what was read least recently, with ages at which it is in memory. Returns
 * its way. */
unsigned lines_put(struct lines *l, struct lines_set *s, u32 tag);
/* Drops what is in memory by now. */
void lines_sweep(struct lines *l);

/* The way that has the line; LINES_WAYS: none. */
static inline unsigned lines_find(const struct lines_set *s, u32 tag)
{
	unsigned way = LINES_WAYS;

	for (unsigned i = 0; i < LINES_WAYS; i++)
		way = s->tag[i] == tag ? i : way;
	return way;
}

/* An entry is read in this epoch. Returns true if it was not within L2's worth of lines. */
static inline bool lines_epoch(const struct lines *l, u32 *epoch, unsigned entry)
{
	u32 now = (u32)(l->clock[MMU_NEAREST] >> l->epoch_bits) & 15, before = *epoch >> 4 * entry & 15;

	*epoch ^= (before ^ now) << 4 * entry;
	return ((now - before) & 15) >= l->young;
}

/* The set of the line at pa, and its way there: put in if it is not there. */
static inline struct lines_set *lines_at(struct lines *l, u64 pa, unsigned *way)
{
	u64 line = pa >> LINE_SHIFT;
	u32 tag = (u32)(line >> l->set_bits) + 1;
	struct lines_set *s = &l->set[line & l->set_mask];

	*way = lines_find(s, tag);
	if (unlikely(*way == LINES_WAYS))
		*way = lines_put(l, s, tag);
	return s;
}

/* The line is read, by one of the clocks, and does not lie nearer than `nearest`. Returns its place. */
static inline unsigned lines_use(struct lines *l, struct lines_set *s, unsigned way, unsigned which, unsigned nearest)
{
	u32 age = (u32)l->clock[which] - s->used[way][which];
	unsigned place = max((unsigned)MMU_L2 + (age >= l->l2) + (age >= l->l3[which]), nearest);

	l->clock[which] += place != MMU_L2;
	s->used[way][which] = (u32)l->clock[which];
	return place;
}

/* A walk reads the entry at pa. Returns true if the line of data that it leads to is not in L2 any more, at
 * the nearest: with the line of the table, it has left, too. */
static inline bool lines_read(struct lines *l, u64 pa, u64 from[MMU_NPLACES][2])
{
	unsigned way;
	struct lines_set *s = lines_at(l, pa, &way);
	bool away = (u32)l->clock[MMU_NEAREST] - s->used[way][MMU_NEAREST] >= l->l2;

	for (unsigned which = MMU_NEAREST; which <= MMU_FARTHEST; which++)
		from[lines_use(l, s, way, which, MMU_L2)][which]++;
	return lines_epoch(l, &s->epoch[way], pa >> 3 & 7) | away;
}

/* The same of an entry that lies at pa[MMU_NEAREST] if it lies well, and at pa[MMU_FARTHEST] if it does not: addresses that
 * nothing else has, nor the other. */
void lines_read_either(struct lines *l, const u64 pa[2], u64 from[MMU_NPLACES][2]);

/* A walk has come to a page, by an entry of which lines_read() said so. */
static inline void lines_walked(struct lines *l, bool away)
{
	l->clock[MMU_NEAREST] += away;
	l->part += l->data;
	l->clock[MMU_FARTHEST] += l->part >> LINES_PART;
	l->part &= (1u << LINES_PART) - 1;
	if (unlikely(l->clock[MMU_FARTHEST] - l->swept >= 1u << 30))
		lines_sweep(l);
}

#endif
