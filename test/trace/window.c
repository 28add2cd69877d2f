/* SPDX-License-Identifier: MIT
 *
 * test/trace/window.c - the plugin's recency window against a list kept in order: the same events, the same slots'
 * pages, the same count, under accesses with locality, floods, clears and revokes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plugin/window.h"

/* page[0] was used last. */
struct list {
	unsigned n, slots;
	struct {
		u64 page;
		bool written;
	} e[WINDOW_SLOTS];
};

/* Returns whether an event is due; *gone: the page that leaves, WINDOW_NONE. */
static bool list_access(struct list *l, u64 page, bool write, u64 *gone)
{
	unsigned i = 0;
	bool event, written = false;

	*gone = WINDOW_NONE;
	while (i < l->n && l->e[i].page != page)
		i++;
	if (i < l->n) {
		written = l->e[i].written;
		event = write && !written;
	} else {
		event = true;
		if (l->n < l->slots)
			l->n++;
		else
			*gone = l->e[l->n - 1].page;
		i = l->n - 1;
	}
	memmove(l->e + 1, l->e, i * sizeof(l->e[0]));
	l->e[0].page = page;
	l->e[0].written = written || write;
	return event;
}

static u64 random_page(unsigned spread)
{
	static const u64 base[] = {0x400000, 0x155555554000, 0x3ffff7d00000, 0x3fffffffe000};
	unsigned n = spread == 0 ? 4 : spread == 1 ? 20 : 3000;

	return base[rand() % 4] + (u64)(rand() % n) * 4096;
}

static void against_list(unsigned slots)
{
	static struct window w;
	struct list l = {.slots = slots};
	u64 in_slot[WINDOW_SLOTS], count = 0;

	srand(1);
	window_init(&w, slots);
	memset(in_slot, 0xff, sizeof(in_slot));
	for (unsigned i = 0; i < 1000000; i++) {
		u64 page = random_page(i / 1000 % 3), va = page + rand() % 4096, gone;
		bool write = rand() % 4 == 0, due = list_access(&l, page, write, &gone);
		int slot = -1;

		if (!window_hit(&w, va, write))
			slot = window_enter(&w, page, write);
		count++;
		assert_int_equal(slot >= 0, due);
		assert_int_equal(w.now, count);
		if (slot >= 0) {
			assert_true(in_slot[slot] == page || in_slot[slot] == gone);
			in_slot[slot] = page;
		}
		if (rand() % 5000 == 0)
			window_revoke(&w); /* only slower: the window is what it was */
		if (rand() % 5000 == 0) {
			window_clear(&w);
			memset(in_slot, 0xff, sizeof(in_slot));
			l.n = 0;
		}
	}
}

static void both_sizes(void **state)
{
	against_list(16);
	against_list(WINDOW_SLOTS);
}

/* The last bytes of a page are never a quick hit: the access may reach into the next page. */
static void edges(void **state)
{
	static struct window w;

	window_init(&w, WINDOW_SLOTS);
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
	    cmocka_unit_test(edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
