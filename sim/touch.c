/* SPDX-License-Identifier: MIT
 *
 * sim/touch.c - touched pages of huge memory. touch.h draws the table and numbers the invariants.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/touch.h"
#include "sim/xalloc.h"

#define VA_CHUNKS_SHIFT 36 /* a 57-bit address has 2^36 chunks of 2M */

static u64 key_make(u32 space, u64 va)
{
	return (u64)space << VA_CHUNKS_SHIFT | (va >> PMD_SHIFT & ((1ull << VA_CHUNKS_SHIFT) - 1));
}

static u64 key_va(u64 key)
{
	return (key & ((1ull << VA_CHUNKS_SHIFT) - 1)) << PMD_SHIFT;
}

void touch_init(struct touch_table *t)
{
	*t = (struct touch_table){.cap = 64};
	t->chunk = xcalloc(t->cap, sizeof(*t->chunk));
}

void touch_free(struct touch_table *t)
{
	free(t->chunk);
}

/* The chunk with this key, or the free one where it would be. Fibonacci hashing, linear probing. */
static struct touch_chunk *slot_of(const struct touch_table *t, u64 key)
{
	unsigned i = (key * 0x9e3779b97f4a7c15ull >> 32) & (t->cap - 1);

	while (t->chunk[i].key != 0 && t->chunk[i].key != key)
		i = (i + 1) & (t->cap - 1);
	return &t->chunk[i];
}

static void grow(struct touch_table *t)
{
	struct touch_table old = *t;

	t->cap *= 2;
	t->chunk = xcalloc(t->cap, sizeof(*t->chunk));
	for (unsigned i = 0; i < old.cap; i++)
		if (old.chunk[i].key != 0)
			*slot_of(t, old.chunk[i].key) = old.chunk[i];
	free(old.chunk);
}

static struct touch_chunk *touch_find(struct touch_table *t, u32 space, u64 va)
{
	u64 key = key_make(space, va);
	struct touch_chunk *c = &t->chunk[t->last & (t->cap - 1)];

	if (likely(c->key == key))
		return c;
	c = slot_of(t, key);
	if (c->key == 0)
		return NULL;
	t->last = c - t->chunk;
	return c;
}

bool touch_set_huge(struct touch_table *t, u32 space, u64 va, u32 region)
{
	struct touch_chunk *c = slot_of(t, key_make(space, va));

	if (c->key == 0) {
		if (2 * t->used >= t->cap) {
			grow(t);
			c = slot_of(t, key_make(space, va));
		}
		c->key = key_make(space, va);
		t->used++;
	}
	if (c->huge)
		return false;
	c->huge = true;
	c->region = region;
	t->huge_chunks++;
	return true;
}

u32 touch_clear_huge(struct touch_table *t, u32 space, u64 va)
{
	struct touch_chunk *c = touch_find(t, space, va);

	if (!c || !c->huge)
		return ~0u;
	for (unsigned i = 0; i < ARRAY_SIZE(c->bits); i++)
		t->touched_pages -= __builtin_popcountll(c->bits[i]);
	memset(c->bits, 0, sizeof(c->bits));
	c->huge = false;
	t->huge_chunks--;
	return c->region;
}

void touch_mark(struct touch_table *t, u32 space, u64 va)
{
	struct touch_chunk *c = touch_find(t, space, va);
	unsigned page = va >> PAGE_SHIFT & (PTRS_PER_TABLE - 1);
	u64 bit = 1ull << page % 64;

	if (!c || !c->huge || c->bits[page / 64] & bit)
		return;
	c->bits[page / 64] |= bit;
	t->touched_pages++;
}

static bool is_huge_at(const struct touch_table *t, u32 space, u64 va)
{
	const struct touch_chunk *c = slot_of(t, key_make(space, va));

	return c->key != 0 && c->huge;
}

size_t touch_list(const struct touch_table *t, u32 space, u64 start, u64 end, u64 **list)
{
	u64 first = ALIGN_DOWN(start, PMD_SIZE);
	size_t n = 0;

	*list = NULL;
	if (start >= end || t->huge_chunks == 0)
		return 0;
	*list = xcalloc(t->huge_chunks, sizeof(**list));
	if ((end - first) >> PMD_SHIFT < t->cap) {
		for (u64 va = first; va < end; va += PMD_SIZE)
			if (is_huge_at(t, space, va))
				(*list)[n++] = va;
		return n;
	}
	for (unsigned i = 0; i < t->cap; i++) {
		const struct touch_chunk *c = &t->chunk[i];
		u64 va = key_va(c->key);

		if (c->huge && c->key >> VA_CHUNKS_SHIFT == space && va >= first && va < end)
			(*list)[n++] = va;
	}
	return n;
}

void touch_copy(struct touch_table *t, u32 from, u64 va, u32 to, u64 new_va, u32 region)
{
	struct touch_chunk *c = touch_find(t, from, va), copy;

	if (!c || !c->huge)
		return;
	copy = *c;
	touch_clear_huge(t, to, new_va);
	touch_set_huge(t, to, new_va, region);
	c = touch_find(t, to, new_va);
	memcpy(c->bits, copy.bits, sizeof(c->bits));
	for (unsigned i = 0; i < ARRAY_SIZE(c->bits); i++)
		t->touched_pages += __builtin_popcountll(c->bits[i]);
}
