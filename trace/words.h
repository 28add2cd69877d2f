/* SPDX-License-Identifier: MIT
 *
 * trace/words.h - events as words in a ring: what front ends say alike, whatever runs the program.
 *
 * The will (trace/ring.h) of a thread is its totals, then EV_EXIT:
 *
 *   [ EV_COUNTS | instructions | accesses | fetch changes | EV_EXIT | status | name ... ]
 */
#ifndef TRACE_WORDS_H
#define TRACE_WORDS_H

#include "trace/event.h"
#include "trace/ring.h"
#include "trace/window.h"

/* Words of a name at most: what fits a will, and more than anybody reads of it. */
#define WORDS_NAME 64
/* Window events after which a thread tells its totals, so that a simulated clock goes on between its long events. */
#define WORDS_COUNTS_EVERY 4096

/* One long event; payload: n words; name NULL: none; one that is longer is cut. */
void words_put(struct ring *r, unsigned type, u64 arg, const void *payload, unsigned n, const char *name);
/* The same as one unit with the tick of the hub's clock that it made. */
void words_put_change(struct ring *r, u64 tick, unsigned type, u64 arg, const void *payload, unsigned n,
		      const char *name);
void words_put_clock(struct ring *r, u64 tick);
void words_put_counts(struct ring *r, const struct ev_counts *c);

/* Which pages left the window. slots: its first. */
void words_put_left_slots(struct ring *r, const struct window *w, unsigned slots);
static inline void words_put_left(struct ring *r, const struct window *w, unsigned slots)
{
	if (w->nr_left)
		words_put_left_slots(r, w, slots);
}

/* The thread's will: these totals, then its end; how and name as in EV_EXIT. */
void words_will(struct ring *r, const struct ev_counts *c, unsigned how, const char *name);
/* Keeps its totals up to date: a killed thread's last words. Three stores, at each window event. */
static inline void words_will_count(struct ring *r, struct ev_counts c)
{
	u64 *totals = ring_will_words(r) + 1;

	totals[0] = c.instructions;
	totals[1] = c.data_accesses;
	totals[2] = c.fetch_page_changes;
}
struct ev_counts words_will_counts(struct ring *r);
/* Its process is about to end, and it with it: the plain end; false: not so, LOST again. By any thread of the process. */
void words_will_ends(struct ring *r, bool ends);

#endif
