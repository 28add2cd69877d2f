/* SPDX-License-Identifier: MIT
 *
 * plugin/window.h - the recency window (trace/event.h): exactly the 16 pages that were used most recently.
 *
 *   va --> tag[va's page % 256]          a hit: one load, one compare, one store
 *             | slot
 *             v
 *          used[slot] = ++now            16 slots; the least `used` leaves when another page enters
 *
 * The tags are a shortcut in front of the slots: a page may be in a slot and have lost its tag to another page of the
 * same residue; then the slow path finds it. Reads and writes have tags of their own, so that a first write is slow.
 *
 * Invariants
 *   W1  a tag names the page that its slot holds; the write tag only when that page was written in the window.
 *   W2  used[] are distinct for slots that hold pages: their order is the order of last use.
 *   W3  now counts every access, hits included: it is the thread's number of accesses.
 */
#ifndef PLUGIN_WINDOW_H
#define PLUGIN_WINDOW_H

#include "lib/types.h"

#define WINDOW_SLOTS 16
#define WINDOW_TAGS  256
/* An access this close to its page's end may be one over the boundary: the slow path looks. Bytes; QEMU's accesses are
 * at most 16. */
#define WINDOW_EDGE 16
#define WINDOW_NONE (~0ull) /* no page: no access is below it within a page */

struct window {
	u64 now;                  /* accesses so far */
	u64 tag[2][WINDOW_TAGS];  /* [0]: the page that may be read without telling, [1]: written; WINDOW_NONE */
	u8 tag_slot[WINDOW_TAGS]; /* its slot */
	u64 page[WINDOW_SLOTS], used[WINDOW_SLOTS];
	bool written[WINDOW_SLOTS];
};

/* Counts an access to a page that the window has and returns true; false: window_enter() is to count it. */
static inline bool window_hit(struct window *w, u64 va, unsigned write)
{
	unsigned i = (va >> 12) % WINDOW_TAGS;

	if (unlikely(va - w->tag[write][i] >= 4096 - WINDOW_EDGE))
		return false;
	w->used[w->tag_slot[i]] = ++w->now;
	return true;
}

void window_init(struct window *w); /* empty, nothing counted */
/* Counts an access to `page` (an address). Returns the slot that it enters, or that it writes for the first time: an
 * event is due; -1 when the window had it. */
int window_enter(struct window *w, u64 page, unsigned write);
/* Empties the window; now goes on. By the thread that owns it. */
void window_clear(struct window *w);
/* Makes the owner's next accesses slow, whatever the owner does at the moment. By any thread of the process. */
void window_revoke(struct window *w);

#endif
