/* SPDX-License-Identifier: MIT
 *
 * trace/window.c - the slow half of the recency window. See window.h for the drawing and the invariants W1..W4.
 */
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
	w->untagged = 0;
	for (unsigned g = 0; g < ARRAY_SIZE(w->least); g++)
		w->least[g] = g * WINDOW_GROUP;
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

/* ---- leaving ---- */

/* A page's number among those of its size, and whether two are equal modulo n. */
static u64 number(u64 page, unsigned size)
{
	return page >> (12 + 9 * size);
}
static bool equal(u64 a, u64 b, u32 n)
{
	return !((a ^ b) & (n - 1));
}

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
		w->page[i] = WINDOW_NONE;
		w->lost[i] = 0;
		w->written[i] = false;
		w->untagged &= ~(1ull << i);
		w->least[i / WINDOW_GROUP] = min(w->least[i / WINDOW_GROUP], (u64)i);
	}
}

void window_clear(struct window *w)
{
	u64 slots = 0;

	for (unsigned i = 0; i < w->shape.pages; i++)
		slots |= w->page[i] == WINDOW_NONE ? 0 : 1ull << i;
	w->nr_left = 0;
	window_leave(w, slots);
}

/* The slots that must be vacated so that `page` may enter as far as the limit for this size goes: of the page of that
 * size that was used least recently of those in its set. A large page is used when any small page of it is. */
static u64 over_limit(const struct window *w, unsigned size, u64 page)
{
	const struct window_limit *limit = &w->shape.limit[size];
	u64 its = number(page, size), used[WINDOW_SLOTS];
	u64 slots[WINDOW_SLOTS], of_set = 0;
	unsigned n = 0, least = 0, first[WINDOW_SLOTS];

	for (unsigned i = 0; i < w->shape.pages; i++) /* most are not: no branch */
		of_set |= (u64)equal(number(w->page[i], size), its, limit->sets) << i;
	for (; of_set; of_set &= of_set - 1) {
		unsigned i = (unsigned)__builtin_ctzll(of_set), at = 0;
		u64 other = number(w->page[i], size);

		if (w->page[i] == WINDOW_NONE || other == its)
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

/* Must the page in slot b leave because that in slot a does? It was used before, and is in an array's set with it. */
static bool drags(const struct window *w, unsigned a, unsigned b)
{
	if (w->page[b] == WINDOW_NONE || *w->used[b] > *w->used[a])
		return false;
	for (unsigned size = 0; size < ARRAY_SIZE(w->shape.limit); size++) {
		u64 one = number(w->page[a], size), other = number(w->page[b], size);

		if (w->shape.limit[size].most && one != other && equal(one, other, w->shape.limit[size].order))
			return true;
	}
	return false;
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
		unsigned a = (unsigned)__builtin_ctzll(todo);

		todo &= todo - 1;
		for (unsigned b = 0; b < w->shape.pages; b++)
			if (!(leave >> b & 1) && drags(w, a, b)) {
				leave |= 1ull << b;
				todo |= 1ull << b;
			}
	}
	window_leave(w, leave);
	return w->left[--w->nr_left];
}

/* ---- entering ---- */

static u64 window_key(const struct window *w, unsigned slot)
{
	return *w->used[slot] * WINDOW_SLOTS + slot;
}

/* Without branches, as they could not be foreseen. */
static u64 group_least(const struct window *w, unsigned g)
{
	u64 least = ~0ull;

	for (unsigned i = g * WINDOW_GROUP; i < (g + 1) * WINDOW_GROUP; i++)
		least = min(least, window_key(w, i));
	return least;
}

/* The slot whose page was used longest ago; empty ones first. Uses are in as many places as there are pages: only the
 * groups that seem to have the least are looked at again. */
static unsigned window_least(struct window *w)
{
	for (;;) {
		u64 key = ~0ull;
		unsigned slot;

		for (unsigned g = 0; g < w->shape.pages / WINDOW_GROUP; g++)
			key = min(key, w->least[g]);
		slot = key % WINDOW_SLOTS;
		if (window_key(w, slot) == key)
			return slot;
		w->least[slot / WINDOW_GROUP] = group_least(w, slot / WINDOW_GROUP);
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
	w->page[slot] = page;
	w->written[slot] = (had && w->written[slot]) || write;
	w->used[slot] = &tag->used;
	w->untagged &= ~(1ull << slot);
	*tag = (struct window_tag){{page, w->written[slot] ? page : WINDOW_NONE}, ++w->now, slot};
	return had && !first_write ? -1 : (int)slot;
}
