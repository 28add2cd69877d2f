/* SPDX-License-Identifier: MIT
 *
 * trace/window.c - the slow half of the recency window. See window.h for the drawing and the invariants W1..W6.
 */
#include <string.h>

#include "trace/window.h"

void window_init(struct window *w, const struct window_shape *shape)
{
	w->shape = *shape;
	w->now = 0;
	w->nr_left = 0;
	for (unsigned i = 0; i < WINDOW_SLOTS; i++) {
		w->page[i] = WINDOW_NONE;
		w->used[i] = &w->lost[i];
		w->lost[i] = 0;
		w->written[i] = false;
	}
	for (unsigned i = 0; i < shape->pages; i++)
		w->least[WINDOW_SLOTS + i] = i;
	for (unsigned i = shape->pages; i < WINDOW_SLOTS; i++)
		w->least[WINDOW_SLOTS + i] = ~0ull;
	for (unsigned i = WINDOW_SLOTS - 1; i > 0; i--)
		w->least[i] = min(w->least[2 * i], w->least[2 * i + 1]);
	w->empty = shape->pages < WINDOW_SLOTS ? (1ull << shape->pages) - 1 : ~0ull;
	w->untagged = 0;
	memset(w->of_set, 0, sizeof(w->of_set));
	for (unsigned i = 0; i < WINDOW_TAGS; i++)
		w->tag[i].page[0] = w->tag[i].page[1] = WINDOW_NONE;
}

/* Of the pages in slots alone: a tag names no other (W1). */
void window_revoke(struct window *w)
{
	for (unsigned i = 0; i < w->shape.pages; i++) {
		struct window_tag *tag = window_tag(w, __atomic_load_n(&w->page[i], __ATOMIC_RELAXED));

		__atomic_store_n(&tag->page[0], WINDOW_NONE, __ATOMIC_RELAXED);
		__atomic_store_n(&tag->page[1], WINDOW_NONE, __ATOMIC_RELAXED);
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
	w->untagged |= 1ull << slot;
	tag->page[0] = tag->page[1] = WINDOW_NONE;
}

/* ---- sets ---- */

/* A page's number among those of its size, and whether two are equal modulo n. */
static u64 number(u64 page, unsigned size)
{
	return page >> (12 + 9 * size);
}
static bool equal(u64 a, u64 b, u32 n)
{
	return !((a ^ b) & (n - 1));
}

/* The slot has this page now, or none. Without limits nobody asks for sets. */
static void window_place(struct window *w, unsigned slot, u64 page)
{
	for (unsigned size = 0; size < ARRAY_SIZE(w->of_set); size++) {
		if (!w->shape.limit[size].most)
			continue;
		if (w->page[slot] != WINDOW_NONE)
			w->of_set[size][number(w->page[slot], size) % WINDOW_SETS] &= ~(1ull << slot);
		if (page != WINDOW_NONE)
			w->of_set[size][number(page, size) % WINDOW_SETS] |= 1ull << slot;
	}
	w->page[slot] = page;
	w->empty = page == WINDOW_NONE ? w->empty | 1ull << slot : w->empty & ~(1ull << slot);
}

/* The slots with pages whose number is `its` modulo n, and more where n is above WINDOW_SETS. */
static u64 window_set(const struct window *w, unsigned size, u64 its, u32 n)
{
	u64 slots = 0;

	n = min(n, (u32)WINDOW_SETS);
	for (u64 k = its % n; k < WINDOW_SETS; k += n)
		slots |= w->of_set[size][k];
	return slots;
}

/* ---- leaving ---- */

/* The pages in the slots of the mask leave, least recent first: an insertion into left[] a page. */
static void window_leave(struct window *w, u64 slots)
{
	u64 used[WINDOW_SLOTS];

	for (; slots; slots &= slots - 1) {
		unsigned i = (unsigned)__builtin_ctzll(slots), at = w->nr_left++;

		window_untag(w, i);
		for (; at > 0 && used[at - 1] > w->lost[i]; at--) {
			used[at] = used[at - 1];
			w->left[at] = w->left[at - 1];
		}
		used[at] = w->lost[i];
		w->left[at] = (u8)i;
		window_place(w, i, WINDOW_NONE);
		w->lost[i] = 0;
		w->written[i] = false;
		w->untagged &= ~(1ull << i);
	}
}

void window_clear(struct window *w)
{
	u64 slots = 0;

	for (unsigned i = 0; i < w->shape.pages; i++)
		slots |= 1ull << i;
	w->nr_left = 0;
	window_leave(w, slots & ~w->empty);
}

/* The slots that must be vacated so that `page` may enter as far as the limit for this size goes: of the page of that
 * size that was used least recently of those in its set. A large page is used when any small page of it is. */
static u64 over_limit(const struct window *w, unsigned size, u64 page)
{
	const struct window_limit *limit = &w->shape.limit[size];
	u64 its = number(page, size), used[WINDOW_SLOTS], slots[WINDOW_SLOTS];
	unsigned n = 0, least = 0, first[WINDOW_SLOTS];

	for (u64 of_set = window_set(w, size, its, limit->sets); of_set; of_set &= of_set - 1) {
		unsigned i = (unsigned)__builtin_ctzll(of_set), at = 0;
		u64 other = number(w->page[i], size);

		if (!equal(other, its, limit->sets) || other == its)
			continue;
		while (at < n && number(w->page[first[at]], size) != other)
			at++;
		if (at == n) {
			first[n] = i;
			slots[n] = 0;
			used[n++] = 0;
		}
		slots[at] |= 1ull << i;
		used[at] = max(used[at], *w->used[i]);
	}
	for (unsigned at = 1; at < n; at++)
		least = used[at] < used[least] ? at : least;
	return n >= limit->most ? slots[least] : 0;
}

/* The slots whose pages must leave because that in `slot` does: they were used before, and are in an array's set with it. */
static u64 dragged(const struct window *w, unsigned slot)
{
	u64 slots = 0;

	for (unsigned size = 0; size < ARRAY_SIZE(w->shape.limit); size++) {
		const struct window_limit *limit = &w->shape.limit[size];
		u64 one = number(w->page[slot], size),
		    of_set = limit->most ? window_set(w, size, one, limit->order) : 0;

		for (; of_set; of_set &= of_set - 1) {
			unsigned i = (unsigned)__builtin_ctzll(of_set);
			u64 other = number(w->page[i], size);

			if (one != other && equal(one, other, limit->order) && *w->used[i] <= *w->used[slot])
				slots |= 1ull << i;
		}
	}
	return slots;
}

/* Makes room for a page that the window does not have, whose slot would be `slot`. Returns the slot. */
static unsigned window_fit(struct window *w, u64 page, unsigned slot)
{
	u64 leave = 0;

	for (unsigned size = 0; size < ARRAY_SIZE(w->shape.limit); size++)
		if (w->shape.limit[size].most)
			leave |= over_limit(w, size, page);
	if (!leave)
		return slot;
	for (u64 todo = leave; todo;) {
		u64 more = dragged(w, (unsigned)__builtin_ctzll(todo)) & ~leave;

		leave |= more;
		todo = (todo & (todo - 1)) | more;
	}
	window_leave(w, leave);
	return w->left[--w->nr_left];
}

/* ---- entering ---- */

static u64 window_key(const struct window *w, unsigned slot)
{
	return *w->used[slot] * WINDOW_SLOTS + slot;
}

/* The slot's key now. Without branches, as they could not be foreseen. */
static void window_rank(struct window *w, unsigned slot)
{
	unsigned n = WINDOW_SLOTS + slot;
	u64 least = w->least[n] = window_key(w, slot);

	for (; n > 1; n /= 2)
		w->least[n / 2] = least = min(least, w->least[n ^ 1]);
}

/* The slot whose page was used longest ago; empty ones first. Uses are in as many places as there are pages: only those
 * are looked at that seem to be it. */
static unsigned window_least(struct window *w)
{
	if (w->empty)
		return (unsigned)__builtin_ctzll(w->empty);
	for (;;) {
		u64 key = w->least[1];
		unsigned slot = key % WINDOW_SLOTS;

		if (window_key(w, slot) == key)
			return slot;
		window_rank(w, slot);
	}
}

/* The slot of the page, or else that of the one that was used longest ago. */
static unsigned window_slot(struct window *w, const struct window_tag *tag, u64 page)
{
	if (w->page[tag->slot] == page && w->used[tag->slot] == &tag->used)
		return (unsigned)tag->slot;
	for (u64 slots = w->untagged; slots; slots &= slots - 1)
		if (w->page[__builtin_ctzll(slots)] == page)
			return (unsigned)__builtin_ctzll(slots);
	return window_least(w);
}

int window_enter(struct window *w, u64 page, unsigned write)
{
	struct window_tag *tag = window_tag(w, page);
	unsigned slot = window_slot(w, tag, page);
	bool had = w->page[slot] == page;
	bool first_write = write && !(had && w->written[slot]);

	w->nr_left = 0;
	if (!had)
		slot = window_fit(w, page, slot);
	window_untag(w, slot);
	if (w->used[tag->slot] == &tag->used)
		window_untag(w, tag->slot);
	window_place(w, slot, page);
	w->written[slot] = (had && w->written[slot]) || write;
	w->used[slot] = &tag->used;
	w->untagged &= ~(1ull << slot);
	*tag = (struct window_tag){{page, w->written[slot] ? page : WINDOW_NONE}, ++w->now, slot};
	if (!had)
		window_rank(w, slot);
	return had && !first_write ? -1 : (int)slot;
}
