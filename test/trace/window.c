/* SPDX-License-Identifier: MIT
 *
 * test/trace/window.c - the recency window against a list kept in order, which forgets what its shape says: the same
 * events, the same pages leaving in the same order, the same count, under accesses with locality, floods, clears and
 * revokes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "trace/window.h"

/* page[0] was used last. */
struct list {
	unsigned n;
	struct window_shape shape;
	struct {
		u64 page;
		bool written;
	} e[WINDOW_SLOTS + 1];
	u64 gone[WINDOW_SLOTS + 1]; /* by the last access, in that order */
	unsigned nr_gone;
};

static u64 number(const struct list *l, unsigned i, unsigned size)
{
	return l->e[i].page >> (12 + 9 * size);
}

/* How many pages of this size, other than e[i]'s, were used after it and are in its set. */
static unsigned newer_in_set(const struct list *l, unsigned i, unsigned size)
{
	unsigned n = 0;

	for (unsigned k = 0; k < i; k++) {
		bool again = number(l, k, size) == number(l, i, size);

		for (unsigned before = 0; before < k; before++)
			again |= number(l, before, size) == number(l, k, size);
		n += !again && (number(l, k, size) ^ number(l, i, size)) % l->shape.limit[size].sets == 0;
	}
	return n;
}

/* A small page of e[i]'s page of this size was used after all `most` of the others. */
static bool kept_by_newer(const struct list *l, unsigned i, unsigned size)
{
	for (unsigned k = 0; k < i; k++)
		if (number(l, k, size) == number(l, i, size))
			return newer_in_set(l, k, size) < l->shape.limit[size].most;
	return false;
}

static bool must_go(const struct list *l, const bool *goes, unsigned i)
{
	bool must = false;

	for (unsigned size = 0; size < 2; size++) {
		const struct window_limit *limit = &l->shape.limit[size];

		if (!limit->most)
			continue;
		must |= newer_in_set(l, i, size) >= limit->most && !kept_by_newer(l, i, size);
		for (unsigned k = 0; k < i; k++)
			must |= goes[k] && number(l, k, size) != number(l, i, size) &&
				(number(l, k, size) ^ number(l, i, size)) % limit->order == 0;
	}
	return must;
}

/* e[0] has come: which of the others go, in the order of their last use? */
static void list_trim(struct list *l)
{
	bool goes[WINDOW_SLOTS + 1] = {false};
	unsigned kept = 0, going = 0;

	for (unsigned i = 1; i < l->n; i++)
		going += goes[i] = must_go(l, goes, i);
	if (!going && l->n > l->shape.pages)
		goes[l->n - 1] = true;
	for (unsigned i = l->n; i-- > 0;)
		if (goes[i])
			l->gone[l->nr_gone++] = l->e[i].page;
	for (unsigned i = 0; i < l->n; i++)
		if (!goes[i])
			l->e[kept++] = l->e[i];
	l->n = kept;
}

/* Returns whether an event is due. */
static bool list_access(struct list *l, u64 page, bool write)
{
	unsigned i = 0;
	bool event, written = false;

	l->nr_gone = 0;
	while (i < l->n && l->e[i].page != page)
		i++;
	event = i == l->n;
	if (event)
		l->n++;
	else
		written = l->e[i].written;
	memmove(l->e + 1, l->e, i * sizeof(l->e[0]));
	l->e[0].page = page;
	l->e[0].written = written || write;
	if (event)
		list_trim(l);
	return event || (write && !written);
}

static u64 random_page(unsigned spread)
{
	static const u64 base[] = {0x400000, 0x155555554000, 0x3ffff7d00000, 0x3fffffffe000};
	unsigned n = spread == 0 ? 4 : spread == 1 ? 20 : 3000;

	return base[rand() % 4] + (u64)(rand() % n) * 4096;
}

/* The slots in left[] held the pages that are gone, in their order; so did, as the last one, the slot that was entered,
 * unless it was empty. */
static void expect_left(const struct window *w, const struct list *l, u64 *in_slot, int slot)
{
	unsigned n = 0;

	for (; n < w->nr_left; n++) {
		assert_int_equal(in_slot[w->left[n]], l->gone[n]);
		in_slot[w->left[n]] = WINDOW_NONE;
	}
	if (n < l->nr_gone)
		assert_int_equal(in_slot[slot], l->gone[n++]);
	assert_int_equal(n, l->nr_gone);
}

static void expect_cleared(struct window *w, struct list *l, u64 *in_slot)
{
	window_clear(w);
	assert_int_equal(w->nr_left, l->n);
	for (unsigned i = 0; i < w->nr_left; i++)
		assert_int_equal(in_slot[w->left[i]], l->e[l->n - 1 - i].page);
	memset(in_slot, 0xff, WINDOW_SLOTS * sizeof(*in_slot));
	l->n = 0;
}

static void against_list(struct window_shape shape, unsigned accesses)
{
	static struct window w;
	struct list l = {.shape = shape};
	u64 in_slot[WINDOW_SLOTS], count = 0;

	srand(1);
	window_init(&w, &shape);
	memset(in_slot, 0xff, sizeof(in_slot));
	for (unsigned i = 0; i < accesses; i++) {
		u64 page = random_page(i / 1000 % 3), va = page + rand() % 4096;
		bool write = rand() % 4 == 0, due = list_access(&l, page, write);
		int slot = -1;

		if (!window_hit(&w, va, write)) {
			slot = window_enter(&w, page, write);
			expect_left(&w, &l, in_slot, slot);
		}
		count++;
		assert_int_equal(slot >= 0, due);
		assert_int_equal(w.now, count);
		if (slot >= 0)
			in_slot[slot] = page;
		if (rand() % 5000 == 0)
			window_revoke(&w); /* only slower: the window is what it was */
		if (rand() % 5000 == 0)
			expect_cleared(&w, &l, in_slot);
	}
}

static void both_sizes(void **state)
{
	against_list((struct window_shape){.pages = 16}, 1000000);
	against_list((struct window_shape){.pages = WINDOW_SLOTS}, 1000000);
}

static void limits(void **state)
{
	static const struct window_limit limits[] = {{0}, {16, 2, 16}, {16, 4, 1}, {1, 3, 1}, {8, 1, 8}, {64, 2, 4}};

	for (unsigned small = 0; small < ARRAY_SIZE(limits); small++)
		for (unsigned large = 0; large < ARRAY_SIZE(limits); large++)
			against_list((struct window_shape){.pages = small % 2 ? 16 : WINDOW_SLOTS,
							   .limit = {limits[small], limits[large]}},
				     30000);
}

/* The last bytes of a page are never a quick hit: the access may reach into the next page. */
static void edges(void **state)
{
	const struct window_shape shape = {.pages = WINDOW_SLOTS};
	static struct window w;

	window_init(&w, &shape);
	assert_true(window_enter(&w, 0x1000, 0) >= 0);
	assert_true(window_hit(&w, 0x1000, 0));
	assert_true(window_hit(&w, 0x2000 - WINDOW_EDGE - 1, 0));
	assert_false(window_hit(&w, 0x2000 - WINDOW_EDGE, 0));
	assert_false(window_hit(&w, 0x1fff, 0));
	assert_false(window_hit(&w, 0x1000, 1));
	assert_false(window_hit(&w, 0xfff, 0));
	assert_false(window_hit(&w, 0x2000, 0));
	assert_int_equal(window_enter(&w, 0x1000, 0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(both_sizes),
	    cmocka_unit_test(limits),
	    cmocka_unit_test(edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
