/* SPDX-License-Identifier: MIT
 *
 * measure/tlb.c - from the curves of the chases: how far the TLBs reach, what a hit in the second costs, what a miss.
 * Pure: the same curves give the same answer.
 *
 *   extra cycles = (a line in each page) - (as many lines side by side)
 *
 *        |                                   ____ walk, far
 *        |                             _____/
 *        |                        ____/  walk, near
 *        |       ________________|
 *        |______|   L2 hit       |
 *        +------+----------------+---------------------> pages
 *             L1 reach        L2 reach
 *
 * The L1's reach ends where the extra stays above L1_NOISE; the L2's where it stays clearly above the plateau that
 * follows. Between two points of the curve nothing is known: a reach is "this to that".
 */
#include <string.h>

#include "measure/measure.h"

#define L1_NOISE    2.5 /* cycles: half of the smallest L2 hit that is known (5, Zen 4) */
#define PLATEAU     8   /* the plateau of L2 hits is looked at up to this times the L1's reach */
#define L2_RISE     0.6 /* of the hit cost, and at least L2_RISE_MIN cycles: the least step that is a walk */
#define L2_RISE_MIN 4.0
#define MIDDLE      196608 /* pages: the three points around 512 MiB end there */
#define NEAR        4      /* times the L2's reach: the tables of so many pages are in the near caches */

struct curve {
	unsigned nr;
	u32 lines[CHASE_POINTS];
	double extra[CHASE_POINTS];
};

/* c - base, at the points that both have. */
static struct curve difference(const struct chase *c, const struct chase *base)
{
	struct curve d = {0};

	for (unsigned i = 0; i < c->nr && i < base->nr; i++) {
		if (c->point[i].cycles.nr == 0 || base->point[i].cycles.nr == 0)
			break;
		d.lines[d.nr] = c->point[i].lines;
		d.extra[d.nr++] = series_least(&c->point[i].cycles) - series_least(&base->point[i].cycles);
	}
	return d;
}

/* The first point from `from` on after which no extra is under `limit`; nr: none. */
static unsigned rises_above(const struct curve *c, unsigned from, double limit)
{
	unsigned first = c->nr;

	while (first > from && c->extra[first - 1] >= limit)
		first--;
	return first;
}

/* The median of the points i with from <= i and lines under `below`. */
static double plateau(const struct curve *c, unsigned from, u64 below)
{
	double value[CHASE_POINTS];
	unsigned n = 0;

	for (unsigned i = from; i < c->nr && c->lines[i] < below; i++)
		value[n++] = c->extra[i];
	return n ? median_of(value, n) : 0;
}

/* The median of the last three points up to `most` lines: memory behind the caches makes single ones noisy. */
static double points_up_to(const struct curve *c, u64 most)
{
	unsigned n = c->nr;

	while (n > 3 && c->lines[n - 1] > most)
		n--;
	return n ? plateau(c, n > 3 ? n - 3 : 0, (u64)c->lines[n - 1] + 1) : 0;
}

static struct tlb_level level_at(const struct curve *c, unsigned end)
{
	return (struct tlb_level){c->lines[end - 1], end < c->nr ? c->lines[end] : 0};
}

/* Returns the first point of misses of both levels; nr: the curve ends before. */
static unsigned two_levels(const struct curve *c, struct tlb_level *l1, struct tlb_level *l2, double *hit)
{
	unsigned end = rises_above(c, 0, L1_NOISE), miss;

	if (c->nr == 0 || end == 0)
		return c->nr;
	*l1 = level_at(c, end);
	if (end == c->nr)
		return c->nr;
	*hit = plateau(c, end, (u64)c->lines[end] * PLATEAU);
	miss = rises_above(c, end, *hit + (*hit * L2_RISE > L2_RISE_MIN ? *hit * L2_RISE : L2_RISE_MIN));
	if (miss > end)
		*l2 = level_at(c, miss);
	return miss;
}

void tlb_find_reach(const struct chase chase[CHASE_NR], struct tlb_found *found)
{
	struct curve small = difference(&chase[CHASE_4K], &chase[CHASE_LINES]),
		     huge = difference(&chase[CHASE_2M], &chase[CHASE_LINES]),
		     saved = difference(&chase[CHASE_4K], &chase[CHASE_THP]),
		     thp = difference(&chase[CHASE_THP], &chase[CHASE_LINES]);
	double share[CHASE_POINTS];
	unsigned miss, n = 0;

	memset(found, 0, sizeof(*found));
	found->thp_share = -1;
	miss = two_levels(&small, &found->l1, &found->l2, &found->l2_hit);
	if (miss < small.nr) {
		found->walk_near = plateau(&small, miss, (u64)small.lines[miss] * NEAR);
		found->walk_far = points_up_to(&small, ~0ull);
		found->walk_512m = points_up_to(&small, MIDDLE);
		found->far_lines = small.lines[small.nr - 1];
		if (saved.nr == small.nr)
			found->far_saved = points_up_to(&saved, ~0ull);
		/* Where the walks begin, and as far as 2M pages must reach on every CPU. */
		for (unsigned i = miss + 1; i < thp.nr && small.lines[i] <= small.lines[miss] * 16; i++)
			share[n++] = thp.extra[i] / small.extra[i];
		if (n > 0)
			found->thp_share = median_of(share, n);
		if (thp.nr > miss) {
			found->thp_near = plateau(&thp, miss, (u64)small.lines[miss] * NEAR);
			found->thp_512m = points_up_to(&thp, MIDDLE);
		}
	}
	miss = two_levels(&huge, &found->huge_l1, &found->huge_l2, &found->huge_l2_hit);
	if (miss < huge.nr)
		found->huge_walk = plateau(&huge, miss, ~0ull);
}
