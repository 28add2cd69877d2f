/* SPDX-License-Identifier: MIT
 *
 * test/lib/gap.c - the gap tree against a plain sorted array that answers every question by looking at all of it.
 */
#include "lib/gap.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NONE     (~0ull)
#define MAX      300
#define UNIVERSE 2000 /* addresses are 0 .. UNIVERSE */
#define STEPS    150000

struct model {
	struct gap_node *node[MAX]; /* by address */
	unsigned n;
};

static u64 seed;

static u64 rnd(u64 below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

static struct gap_node *model_find(const struct model *m, u64 addr)
{
	for (unsigned i = 0; i < m->n; i++)
		if (m->node[i]->end > addr)
			return m->node[i];
	return NULL;
}

static u64 guarded_start(const struct gap_node *n)
{
	return n->start > n->guard ? n->start - n->guard : 0;
}

/* Tries every address. One that is free and yet reaches into a guard sends the search below the guard. */
static u64 model_topdown(const struct model *m, u64 len, u64 low, u64 high)
{
	for (u64 top = high; top >= low + len; top--) {
		struct gap_node *next = model_find(m, top - len);

		if (next && next->start < top)
			continue;
		if (!next || guarded_start(next) >= top)
			return top - len;
		top = guarded_start(next) + 1;
	}
	return NONE;
}

static u64 model_bottomup(const struct model *m, u64 len, u64 low, u64 high)
{
	for (u64 a = low; a + len <= high; a++) {
		struct gap_node *next = model_find(m, a);

		if (!next || (next->start >= a + len && guarded_start(next) >= a + len))
			return a;
	}
	return NONE;
}

static void model_insert(struct model *m, struct gap_node *node)
{
	unsigned i = m->n++;

	for (; i && m->node[i - 1]->start > node->start; i--)
		m->node[i] = m->node[i - 1];
	m->node[i] = node;
}

static void insert_some(struct gap_tree *t, struct model *m)
{
	u64 start = rnd(UNIVERSE), end = start + 1 + rnd(8);
	struct gap_node *next = model_find(m, start), *n;

	if (m->n == MAX || end > UNIVERSE || (next && next->start < end))
		return;
	n = calloc(1, sizeof *n);
	n->start = start;
	n->end = end;
	n->guard = rnd(10) ? 0 : rnd(30);
	model_insert(m, n);
	gap_insert(t, n);
}

static void erase_some(struct gap_tree *t, struct model *m)
{
	unsigned i;

	if (!m->n)
		return;
	i = rnd(m->n);
	gap_erase(t, m->node[i]);
	free(m->node[i]);
	memmove(&m->node[i], &m->node[i + 1], (--m->n - i) * sizeof m->node[0]);
}

static void resize_some(struct gap_tree *t, struct model *m)
{
	struct gap_node *n;
	unsigned i;
	u64 low, high, start;

	if (!m->n)
		return;
	i = rnd(m->n);
	n = m->node[i];
	low = i ? m->node[i - 1]->end : 0;
	high = i + 1 < m->n ? m->node[i + 1]->start : UNIVERSE;
	start = low + rnd(high - low);
	gap_resize(t, n, start, start + 1 + rnd(high - start), rnd(10) ? 0 : rnd(30));
}

static void compare(const struct gap_tree *t, const struct model *m, unsigned step)
{
	u64 addr = rnd(UNIVERSE), len = 1 + rnd(rnd(2) ? 8 : 120), low = rnd(UNIVERSE),
	    high = low + rnd(UNIVERSE - low + 1);
	u64 down = gap_search_topdown(t, len, low, high), up = gap_search_bottomup(t, len, low, high);

	if (gap_find(t, addr) == model_find(m, addr) && down == model_topdown(m, len, low, high) &&
	    up == model_bottomup(m, len, low, high) && t->count == m->n)
		return;
	fail_msg("step %u: len %lu in [%lu, %lu): down %ld, model %ld; up %ld, model %ld", step, len, low, high, down,
		 model_topdown(m, len, low, high), up, model_bottomup(m, len, low, high));
}

/* The number of areas drifts between none and MAX, so that the tree grows and shrinks through every height. */
static void test_random(void **state)
{
	struct gap_tree t;
	struct model m = {0};

	seed = 0x9e3779b97f4a7c15;
	gap_init(&t);
	for (unsigned step = 0; step < STEPS; step++) {
		u64 what = rnd(100), growing = step / 3000 % 2 ? 20 : 60;

		if (what < growing)
			insert_some(&t, &m);
		else if (what < 80)
			erase_some(&t, &m);
		else
			resize_some(&t, &m);
		if (step % 16 == 0 || step < 2000)
			assert_true(gap_valid(&t));
		if (step % 4 == 0)
			compare(&t, &m, step);
	}
	while (m.n)
		erase_some(&t, &m);
	assert_true(gap_valid(&t));
	assert_null(t.root);
}

/* What gap_valid() is for: each derived fact, made wrong on purpose, is seen. */
static void test_valid_sees(void **state)
{
	struct gap_node n[7] = {0};
	struct gap_tree t;

	gap_init(&t);
	for (unsigned i = 0; i < 7; i++) {
		n[i].start = 10 * i + 5;
		n[i].end = 10 * i + 8;
		gap_insert(&t, &n[i]);
	}
	assert_true(gap_valid(&t));
#define BREAKS(field, value)                                                                                           \
	do {                                                                                                           \
		__typeof__(field) saved = field;                                                                       \
		field = value;                                                                                         \
		assert_false(gap_valid(&t));                                                                           \
		field = saved;                                                                                         \
		assert_true(gap_valid(&t));                                                                            \
	} while (0)
	BREAKS(n[3].max_gap, 1000);
	BREAKS(n[3].end, 46);   /* overlaps the next */
	BREAKS(n[2].start, 26); /* its hole grows */
	BREAKS(n[5].height, 7);
	BREAKS(n[2].next, &n[4]);
	BREAKS(n[2].prev, NULL);
	BREAKS(n[1].parent, NULL);
	BREAKS(t.count, 6);
	BREAKS(t.first, &n[1]);
	BREAKS(t.last, &n[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random), cmocka_unit_test(test_valid_sees)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
