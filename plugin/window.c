/* SPDX-License-Identifier: MIT
 *
 * plugin/window.c - the slow half of the recency window. See window.h for the drawing and the invariants W1..W3.
 */
#include "plugin/window.h"

void window_init(struct window *w, unsigned slots)
{
	w->slots = slots;
	w->now = 0;
	for (unsigned i = 0; i < WINDOW_SLOTS; i++) {
		w->page[i] = WINDOW_NONE;
		w->used[i] = &w->lost[i];
	}
	window_revoke(w);
	window_clear(w);
}

void window_revoke(struct window *w)
{
	for (unsigned i = 0; i < WINDOW_TAGS; i++) {
		__atomic_store_n(&w->tag[i].page[0], WINDOW_NONE, __ATOMIC_RELAXED);
		__atomic_store_n(&w->tag[i].page[1], WINDOW_NONE, __ATOMIC_RELAXED);
	}
}

/* Takes the tag away from the page in `slot`, if it has one. */
static void window_untag(struct window *w, unsigned slot)
{
	struct window_tag *tag = window_tag(w, w->page[slot]);

	if (w->used[slot] != &tag->used)
		return;
	w->lost[slot] = tag->used;
	w->used[slot] = &w->lost[slot];
	tag->page[0] = tag->page[1] = WINDOW_NONE;
}

void window_clear(struct window *w)
{
	for (unsigned i = 0; i < WINDOW_SLOTS; i++) {
		window_untag(w, i);
		w->page[i] = WINDOW_NONE;
		w->lost[i] = 0;
		w->written[i] = false;
	}
}

/* The slot of the page, or else the one whose page was used longest ago (empty ones first). One pass without branches:
 * the least of the keys `used | slot`, where the page itself, if it is there, has the least of all. Two chains of
 * minima, as each is as slow as its comparisons. */
static unsigned window_slot(struct window *w, u64 page)
{
	struct window_tag *tag = window_tag(w, page);
	u64 even = ~0ull, odd = ~0ull;

	if (tag->page[0] == page)
		return tag->slot;
	for (unsigned i = 0; i < w->slots; i += 2) {
		u64 a = w->page[i] == page ? 0 : (*w->used[i] + 1) * WINDOW_SLOTS;
		u64 b = w->page[i + 1] == page ? 0 : (*w->used[i + 1] + 1) * WINDOW_SLOTS;

		even = min(even, a + i);
		odd = min(odd, b + i + 1);
	}
	return min(even, odd) % WINDOW_SLOTS;
}

int window_enter(struct window *w, u64 page, unsigned write)
{
	struct window_tag *tag = window_tag(w, page);
	unsigned slot = window_slot(w, page);
	bool had = w->page[slot] == page;
	bool first_write = write && !(had && w->written[slot]);

	window_untag(w, slot);
	if (w->used[tag->slot] == &tag->used)
		window_untag(w, tag->slot);
	w->page[slot] = page;
	w->written[slot] = (had && w->written[slot]) || write;
	w->used[slot] = &tag->used;
	*tag = (struct window_tag){{page, w->written[slot] ? page : WINDOW_NONE}, ++w->now, slot};
	return had && !first_write ? -1 : (int)slot;
}
