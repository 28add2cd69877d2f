/* SPDX-License-Identifier: MIT
 *
 * mmu/lines.c - see lines.h.
 */
#include "mmu/lines.h"

/* Room for all lines of L3, were they all of tables, at three of four ways: a power of two. */
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

void lines_init(struct lines *l, const struct cache_config *c, bool shared, void *mem)
{
	u64 sets = sets_of(c);
	u32 least = shared ? c->l2_bytes + c->l3_bytes / c->l3_cores : c->l3_bytes;

	*l = (struct lines){.set = mem,
			    .set_mask = sets - 1,
			    .l2 = c->l2_bytes >> LINE_SHIFT,
			    .l3 = {c->l3_bytes >> LINE_SHIFT, min(least, c->l3_bytes) >> LINE_SHIFT},
			    .data = PAGE_SIZE >> LINE_SHIFT << LINES_PART,
			    .set_bits = (u8)__builtin_ctzll(sets)};
	while (4ull << l->epoch_bits <= l->l2)
		l->epoch_bits++;
	l->young = (u8)((l->l2 + (1ull << l->epoch_bits) - 1) >> l->epoch_bits);
}

/* No entry of it was read in L2's worth of lines. */
static u32 long_ago(const struct lines *l)
{
	return (((u32)(l->clock[MMU_NEAREST] >> l->epoch_bits) - l->young) & 15) * 0x11111111u;
}

unsigned lines_put(struct lines *l, struct lines_set *s, u32 tag)
{
	unsigned oldest = 0;

	for (unsigned i = 1; i < LINES_WAYS; i++)
		if (s->tag[oldest] &&
		    (!s->tag[i] || (s32)(s->used[i][MMU_FARTHEST] - s->used[oldest][MMU_FARTHEST]) < 0))
			oldest = i;
	s->tag[oldest] = tag;
	s->epoch[oldest] = long_ago(l);
	for (unsigned which = MMU_NEAREST; which <= MMU_FARTHEST; which++)
		s->used[oldest][which] = (u32)l->clock[which] - l->l3[which];
	return oldest;
}

/* Who asks for the one clock keeps the other going: by it lines leave. */
void lines_read_either(struct lines *l, const u64 pa[2], u64 from[MMU_NPLACES][2])
{
	unsigned place = MMU_L2;

	for (unsigned which = MMU_NEAREST; which <= MMU_FARTHEST; which++) {
		unsigned way;
		struct lines_set *s = lines_at(l, pa[which], &way);

		place = lines_use(l, s, way, which, place);
		s->used[way][!which] = (u32)l->clock[!which];
		from[place][which]++;
	}
}

void lines_sweep(struct lines *l)
{
	for (struct lines_set *s = l->set; s <= l->set + l->set_mask; s++)
		for (unsigned i = 0; i < LINES_WAYS; i++)
			if ((u32)l->clock[MMU_NEAREST] - s->used[i][MMU_NEAREST] >= l->l3[MMU_NEAREST])
				s->tag[i] = 0;
			else if ((u32)l->clock[MMU_FARTHEST] - s->used[i][MMU_FARTHEST] >= l->l3[MMU_FARTHEST])
				s->used[i][MMU_FARTHEST] = (u32)(l->clock[MMU_FARTHEST] - l->l3[MMU_FARTHEST]);
	l->swept = l->clock[MMU_FARTHEST];
}
