/* SPDX-License-Identifier: MIT
 *
 * plugin/place.c - Linux's choice of an address for a map. See place.h.
 *
 * Invariant P1: no two nodes of the table touch or overlap.
 */
#include <stdlib.h>

#include "plugin/place.h"

#define HUGE_SIZE (2ull << 20)

void place_init(struct place *p, u64 low, u64 mmap_base, u64 top)
{
	*p = (struct place){.low = low, .mmap_base = mmap_base, .top = top, .huge_files = true, .huge_anonymous = true};
	gap_init(&p->used);
}

void place_destroy(struct place *p)
{
	while (p->used.first) {
		struct gap_node *n = p->used.first;

		gap_erase(&p->used, n);
		free(n);
	}
	free(p->spare);
	p->spare = NULL;
}

/* ---- the table ---- */

bool place_is_free(const struct place *p, u64 start, u64 end)
{
	const struct gap_node *n = gap_find(&p->used, start);

	return !n || n->start >= end;
}

static void insert(struct place *p, u64 start, u64 end)
{
	struct gap_node *n = p->spare ? p->spare : malloc(sizeof(*n));

	if (!n)
		abort();
	p->spare = NULL;
	*n = (struct gap_node){.start = start, .end = end};
	gap_insert(&p->used, n);
}

/* One node is kept: a program that maps and unmaps the same buffer allocates nothing. */
static void erase(struct place *p, struct gap_node *n)
{
	gap_erase(&p->used, n);
	free(p->spare);
	p->spare = n;
}

void place_add(struct place *p, u64 start, u64 end)
{
	struct gap_node *n = gap_find(&p->used, start ? start - 1 : 0); /* the first that touches from the left */

	while (n && n->start <= end) {
		struct gap_node *next = n->next;

		if (n->end >= start) {
			start = min(start, n->start);
			end = max(end, n->end);
			erase(p, n);
		}
		n = next;
	}
	insert(p, start, end);
}

void place_remove(struct place *p, u64 start, u64 end)
{
	struct gap_node *n = gap_find(&p->used, start);

	while (n && n->start < end) {
		struct gap_node *next = n->next;
		u64 left = n->start, right = n->end;

		erase(p, n);
		if (left < start)
			insert(p, left, start);
		if (right > end)
			insert(p, end, right);
		n = next;
	}
}

/* ---- the choice ---- */

u64 place_below(const struct place *p, u64 len, u64 low, u64 high)
{
	return gap_search_topdown(&p->used, len, low, high);
}

/* The hint where it is free; else the highest hole below mmap_base; else, as Linux does when that part is full, the
 * lowest hole above. */
static u64 unmapped_area(const struct place *p, u64 hint, u64 len)
{
	u64 va;

	if (len > p->top - p->low)
		return PLACE_NONE;
	if (hint >= p->low && hint <= p->top - len && place_is_free(p, hint, hint + len))
		return hint;
	va = place_below(p, len, p->low, p->mmap_base);
	return va != PLACE_NONE ? va : gap_search_bottomup(&p->used, len, p->mmap_base, p->top);
}

/* A place congruent to the offset modulo 2 MiB, found by asking for 2 MiB more than is needed. PLACE_NONE: the map is
 * too small to hold a huge page, or there is no room. */
static u64 huge_area(const struct place *p, u64 hint, u64 len, u64 offset)
{
	u64 first = ALIGN_UP(offset, HUGE_SIZE), va, shift;

	if (offset + len <= first || offset + len - first < HUGE_SIZE)
		return PLACE_NONE;
	va = unmapped_area(p, hint, len + HUGE_SIZE);
	if (va == PLACE_NONE || va == hint)
		return va;
	shift = (offset - va) & (HUGE_SIZE - 1);
	return shift ? va + shift : va + HUGE_SIZE; /* already right: its upper end, as the search is top-down */
}

u64 place_find(const struct place *p, const struct place_request *r)
{
	u64 va = PLACE_NONE;

	if (p->huge_files && r->huge_file)
		va = huge_area(p, r->hint, r->len, r->offset);
	else if (p->huge_anonymous && r->anonymous && !r->hint && IS_ALIGNED(r->len, HUGE_SIZE))
		va = huge_area(p, 0, r->len, 0);
	return va != PLACE_NONE ? va : unmapped_area(p, r->hint, r->len);
}
