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
		__atomic_store_n(&w->tag[i].page[0], WINDOW_NONE, __ATOMIC_RELAXED);
		__atomic_store_n(&w->tag[i].page[1], WINDOW_NONE, __ATOMIC_RELAXED);
	}
}

static struct window_tag *window_tag(struct window *w, u64 page)
{
	return &w->tag[(page >> 12) % WINDOW_TAGS];
}

/* Takes the tag away from the page in `slot`, if it is its. */
static void window_untag(struct window *w, unsigned slot)
{
	struct window_tag *tag = window_tag(w, w->page[slot]);

	if (tag->slot == slot)
		tag->page[0] = tag->page[1] = WINDOW_NONE;
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

/* The slot of the page, or else the one whose page was used longest ago (empty ones first). */
static unsigned window_slot(const struct window *w, u64 page)
{
	unsigned oldest = 0;

	for (unsigned i = 0; i < WINDOW_SLOTS; i++) {
		if (w->page[i] == page)
			return i;
		if (w->used[i] < w->used[oldest])
			oldest = i;
	}
	return oldest;
}

int window_enter(struct window *w, u64 page, unsigned write)
{
	unsigned slot = window_slot(w, page);
	struct window_tag *tag = window_tag(w, page);
	bool had = w->page[slot] == page;
	bool first_write = write && !(had && w->written[slot]);

	if (!had) {
		window_untag(w, slot);
		w->page[slot] = page;
		w->written[slot] = false;
	}
	w->written[slot] |= write;
	w->used[slot] = ++w->now;
	tag->slot = slot;
	tag->page[0] = page;
	tag->page[1] = w->written[slot] ? page : WINDOW_NONE;
	return had && !first_write ? -1 : (int)slot;
}
