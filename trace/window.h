/* SPDX-License-Identifier: MIT
 *
 * trace/window.h - the recency window (trace/event.h): pages that were used most recently, as many as the shape that
 * the simulated machines ask for lets it hold.
 *
 *   va --> tag[va's page % 1024]         a hit: one load, one compare, one store of `used` = ++now
 *             ^     | slot
 *        used |     v
 *          slot[i]: page, written        16 to 64 slots; the least `used` leaves when another page enters
 *
 * The tags are a shortcut in front of the slots: a page may be in a slot and have lost its tag to another page of the
 * same residue; then its last use is kept by the slot, and the slow path finds it. Reads and writes have pages of their
 * own in the tag, so that a first write is slow.
 *
 * Limits. Small pages whose numbers are equal modulo limit[0].sets are a set, and so are large ones (2M) modulo
 * limit[1].sets. Of one set the window holds at most `most` pages of that size: when one more enters, the least recent of
 * them leaves. With a page that leaves go those used before it, whose numbers are equal to its modulo `order` (of large
 * ones: other than its own), and so on: within what an array calls a set, pages leave in the order of their last use.
 *
 * Invariants
 *   W1  a tag names the page that its slot holds; the write tag only when that page was written in the window.
 *   W2  *used[] are distinct for slots that hold pages: their order is the order of last use.
 *   W3  now counts every access, hits included: it is the thread's number of accesses.
 *   W4  a page that has left was used before every page of the window whose number is equal modulo `order`.
 *   W5  least[WINDOW_SLOTS + i], of a slot that holds a page: its last use or one before, times WINDOW_SLOTS, plus i.
 *       least[n] of the others is the less of least[2 * n] and least[2 * n + 1].
 *   W6  where size has a limit, of_set[size][k]: the slots whose page's number is k modulo WINDOW_SETS.
 */
#ifndef TRACE_WINDOW_H
#define TRACE_WINDOW_H

#include "trace/event.h"

#define WINDOW_SLOTS EV_WINDOW /* at most */
#define WINDOW_TAGS  1024
#define WINDOW_SETS  64 /* a page's set, modulo it */
/* An access this close to its page's end may be one over the boundary: the slow path looks. Bytes; QEMU's accesses are
 * at most 16. */
#define WINDOW_EDGE 16
#define WINDOW_NONE (~0ull) /* no page: no access is below it within a page */

/* What a window may hold: `pages`, at most WINDOW_SLOTS; within the limits, for pages of 4K and of 2M. */
struct window_limit {
	u32 sets, most, order; /* sets, order: powers of two; most 0: no limit */
};
struct window_shape {
	u32 pages;
	struct window_limit limit[2];
};

struct window {
	u64 now; /* accesses so far */
	struct window_shape shape;
	unsigned nr_left; /* of the last window_enter() or window_clear(): slots whose pages left, in that order */
	u8 left[WINDOW_SLOTS];
	struct window_tag {
		u64 page[2]; /* [0]: the page that may be read without telling, [1]: written; WINDOW_NONE */
		u64 used;    /* the access that used it last */
		u64 slot;    /* that holds it */
	} tag[WINDOW_TAGS];
	u64 page[WINDOW_SLOTS];
	u64 *used[WINDOW_SLOTS]; /* where the slot's last use is: in its tag, or else in lost[] */
	u64 lost[WINDOW_SLOTS];
	bool written[WINDOW_SLOTS];
	u64 empty, untagged;         /* slots without a page, and whose page has lost its tag: a bit each */
	u64 least[2 * WINDOW_SLOTS]; /* W5: a tree, its root is [1] */
	u64 of_set[2][WINDOW_SETS];  /* W6: slots, a bit each */
};

/* tag[va's page % WINDOW_TAGS], its offset by one shift and one mask. */
static inline struct window_tag *window_tag(struct window *w, u64 va)
{
	u64 offset = va / (4096 / sizeof(struct window_tag)) % sizeof(w->tag) & -sizeof(struct window_tag);

	return (struct window_tag *)((char *)w->tag + offset);
}

/* Counts an access to a page that the window has and returns true; false: window_enter() is to count it. */
static inline bool window_hit(struct window *w, u64 va, unsigned write)
{
	struct window_tag *tag = window_tag(w, va);

	if (unlikely(va - tag->page[write] >= 4096 - WINDOW_EDGE))
		return false;
	tag->used = ++w->now;
	return true;
}

void window_init(struct window *w, const struct window_shape *shape); /* empty, nothing counted */
/* Counts an access to `page` (an address). Returns the slot that it enters, whose page leaves after those in left[], or
 * that it writes for the first time: an event is due, and one for each in left[] before; -1 when the window had it. */
int window_enter(struct window *w, u64 page, unsigned write);
/* Empties the window; now goes on. All that it held is in left[]. By the thread that owns it. */
void window_clear(struct window *w);
/* Makes the owner's next accesses slow, whatever the owner does at the moment. By any thread of the process. */
void window_revoke(struct window *w);

#endif
