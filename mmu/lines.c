/* SPDX-License-Identifier: MIT
 *
 * mmu/lines.c - see lines.h.
 */
#include "mmu/lines.h"

/* Room for all lines of L3, were they all of tables, at four of five ways: a power of two. */
static u64 sets_of(const struct cache_config *c)
{
	u64 sets = 1;

	while (sets * (LINES_WAYS - 1) << LINE_SHIFT < c->l3_bytes)
		sets *= 2;
	return sets;
}

u64 mmu_lines_bytes(const struct cpu_preset *p)
{
	return sets_of(&p->cache) * sizeof(struct lines_set);
}

void lines_init(struct lines *l, const struct cache_config *c, void *mem)
{
	*l = (struct lines){.set = mem,
			    .set_mask = sets_of(c) - 1,
			    .l2 = c->l2_bytes >> LINE_SHIFT,
			    .l3 = c->l3_bytes >> LINE_SHIFT,
			    .data = 1};
}

void lines_sweep(struct lines *l)
{
	for (struct lines_set *s = l->set; s <= l->set + l->set_mask; s++)
		for (unsigned i = 0; i < LINES_WAYS; i++)
			if ((u32)l->clock[MMU_NEAREST] - s->used[i][MMU_NEAREST] >= l->l3)
				s->key[i] = 0;
			else if ((u32)l->clock[MMU_FARTHEST] - s->used[i][MMU_FARTHEST] >= l->l3)
				s->used[i][MMU_FARTHEST] = (u32)(l->clock[MMU_FARTHEST] - l->l3);
	l->swept = l->clock[MMU_FARTHEST];
}
