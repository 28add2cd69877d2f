/* SPDX-License-Identifier: MIT
 *
 * plugin/window.c - the slow half of the recency window. See window.h for the drawing and the invariants W1..W3.
 */
#include "plugin/window.h"

void window_init(struct window *w)
{
	w->now = 0;
	for (unsigned i = 0; i < WINDOW_SLOTS; i++)
		w->page[i] = WINDOW_NONE;
	window_revoke(w);
	window_clear(w);
}

void window_revoke(struct window *w)
{
	for (unsigned i = 0; i < WINDOW_TAGS; i++) {
		__atomic_store_n(&w->tag[0][i], WINDOW_NONE, __ATOMIC_RELAXED);
		__atomic_store_n(&w->tag[1][i], WINDOW_NONE, __ATOMIC_RELAXED);
	}
}

static unsigned tag_index(u64 page)
{
	return (page >> 12) % WINDOW_TAGS;
}

/* Takes the tag away from the page in `slot`, if it is its. */
static void window_untag(struct window *w, unsigned slot)
{
	unsigned i = tag_index(w->page[slot]);

	if (w->tag_slot[i] == slot)
		w->tag[0][i] = w->tag[1][i] = WINDOW_NONE;
}

void window_clear(struct window *w)
{
	for (unsigned i = 0; i < WINDOW_SLOTS; i++) {
		window_untag(w, i);
		w->page[i] = WINDOW_NONE;
		w->used[i] = 0;
		w->written[i] = false;
	}
}

/* The slot of the page, or else the one whose page was used longest ago (empty ones first). One pass without branches:
 * the least of the keys `used | slot`, where the page itself, if it is there, has the least of all. Two chains of
 * minima, as each is as slow as its 8 comparisons. */
static unsigned window_slot(const struct window *w, u64 page)
{
	u64 even = ~0ull, odd = ~0ull;

	if (w->tag[0][tag_index(page)] == page)
		return w->tag_slot[tag_index(page)];
	for (unsigned i = 0; i < WINDOW_SLOTS; i += 2) {
		u64 a = w->page[i] == page ? 0 : (w->used[i] + 1) * WINDOW_SLOTS;
		u64 b = w->page[i + 1] == page ? 0 : (w->used[i + 1] + 1) * WINDOW_SLOTS;

		even = min(even, a + i);
		odd = min(odd, b + i + 1);
	}
	return min(even, odd) % WINDOW_SLOTS;
}

int window_enter(struct window *w, u64 page, unsigned write)
{
	unsigned slot = window_slot(w, page), i = tag_index(page);
	bool had = w->page[slot] == page;
	bool first_write = write && !(had && w->written[slot]);

	if (!had) {
		window_untag(w, slot);
		w->page[slot] = page;
		w->written[slot] = false;
	}
	w->written[slot] |= write;
	w->used[slot] = ++w->now;
	w->tag_slot[i] = slot;
	w->tag[0][i] = page;
	w->tag[1][i] = w->written[slot] ? page : WINDOW_NONE;
	return had && !first_write ? -1 : (int)slot;
}
