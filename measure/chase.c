/* SPDX-License-Identifier: MIT
 *
 * measure/chase.c - pointer chases: each load's address is what the load before brought, so nothing overlaps.
 *
 *   a line in each page    |..#.....|#.......|.....#..|...      one random cycle through all of them
 *   the lines side by side |########|########|                  the same number: what the data alone costs
 *
 * Which line of its page: (i + i/64) mod 64 of the i-th, so that the lines spread evenly over the sets of a cache,
 * whether it is indexed within the page (L1) or by 4 or 5 bits above it too (L2, in huge pages): caches hold as many
 * lines of the one kind as of the other, and the difference between the two curves is translation alone.
 *
 * Lines side by side go in random order within groups of 64K, group after group, as long as reach is looked for: so
 * that at most 16 pages are in use at a time and the curve has no TLB misses of its own, even where a hypervisor backs
 * huge pages with small ones. Above FULL_RANDOM lines in any order: memory behind the caches costs by that.
 */
#include <string.h>

#include "measure/measure.h"
#include "x86/paging.h"

#define GROUP       1024  /* lines */
#define FULL_RANDOM 16384 /* lines */
#define FIRST_POINT 16    /* lines: 64K at 4K */
#define WARM        65536 /* loads before any is timed, or once around */
#define LOADS       4096  /* timed together */
#define PARTS       11    /* of a batch */
#define FILL_SHARE  0.12  /* of the budget, for touching the memory of each kind */

const struct chase_kind chase_kinds[CHASE_NR] = {
    [CHASE_LINES] = {"lines", "as many cache lines, side by side", CACHE_LINE},
    [CHASE_4K] = {"4k", "a line in each 4K, 4K pages", PAGE_SIZE},
    [CHASE_THP] = {"thp", "a line in each 4K, 2M pages (THP)", PAGE_SIZE},
    [CHASE_HUGETLB] = {"hugetlb", "a line in each 4K, 2M pages (hugetlb)", PAGE_SIZE},
    [CHASE_2M] = {"2m", "a line in each 2M, 2M pages (THP)", PMD_SIZE},
};

static struct pages block[3]; /* by page_kind */
static u32 order[CHASE_MAX_LINES];

static enum page_kind kind_of(enum chase_id id)
{
	if (id == CHASE_4K)
		return PAGES_4K;
	if (id == CHASE_HUGETLB)
		return PAGES_HUGETLB;
	if (id == CHASE_LINES && block[PAGES_THP].bytes < block[PAGES_4K].bytes)
		return PAGES_4K;
	return PAGES_THP;
}

/* Points of an octave that begins at so many lines: more where reaches of L1 (64 .. 96) and L2 TLBs (1024 .. 3072) end. */
static unsigned points_from(u32 lines)
{
	return lines == 32 || lines == 64 ? 8 : lines == 1024 || lines == 2048 ? 4 : 2;
}

/* 16, 24, 32, 36, 40 ... */
static u32 point_lines(unsigned point)
{
	u32 lines = FIRST_POINT;

	for (; point >= points_from(lines); lines *= 2)
		point -= points_from(lines);
	return lines + lines / points_from(lines) * point;
}

void chase_begin(struct measure *m)
{
	static const u64 most = (u64)CHASE_MAX_LINES * PAGE_SIZE;

	for (unsigned kind = 0; kind < ARRAY_SIZE(block); kind++)
		pages_get(m, &block[kind], kind, most, FILL_SHARE * m->seconds);
	for (unsigned id = 0; id < CHASE_NR; id++) {
		struct chase *c = &m->chase[id];
		const struct pages *p = &block[kind_of(id)];
		u64 lines = min(p->bytes / chase_kinds[id].stride, (u64)CHASE_MAX_LINES);

		while (c->nr < CHASE_POINTS && point_lines(c->nr) <= lines) {
			c->point[c->nr] = (struct chase_point){.lines = point_lines(c->nr), .walks = -1};
			c->nr++;
		}
		if (p->bytes < most)
			memcpy(c->missing, p->missing, sizeof(c->missing));
	}
}

void chase_end(void)
{
	for (unsigned kind = 0; kind < ARRAY_SIZE(block); kind++)
		pages_put(&block[kind]);
}

static u32 random_below(u64 *seed, u32 n)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (u32)((*seed >> 32) * n >> 32);
}

static void **line_at(char *base, enum chase_id id, u32 i)
{
	u64 stride = chase_kinds[id].stride, offset = 0;

	if (stride == PAGE_SIZE)
		offset = (i + i / 64) % 64 * CACHE_LINE;
	else if (stride == PMD_SIZE)
		offset = (u64)i * 67 * CACHE_LINE % PMD_SIZE; /* odd: every set in turn */
	return (void **)(base + i * stride + offset);
}

/* One cycle through all lines. Returns its first. */
static void **build(char *base, enum chase_id id, u32 lines, u64 seed)
{
	u32 group = id == CHASE_LINES && lines <= FULL_RANDOM ? GROUP : lines;

	for (u32 i = 0; i < lines; i++)
		order[i] = i;
	for (u32 start = 0; start < lines; start += group)
		for (u32 i = min(group, lines - start); i > 1; i--) {
			u32 k = random_below(&seed, i), last = order[start + i - 1];

			order[start + i - 1] = order[start + k];
			order[start + k] = last;
		}
	for (u32 i = 0; i < lines; i++)
		*line_at(base, id, order[i]) = line_at(base, id, order[i + 1 < lines ? i + 1 : 0]);
	return line_at(base, id, order[0]);
}

static void **chase(void **at, u32 loads)
{
	for (u32 i = 0; i < loads / 16; i++)
		__asm__ volatile(".rept 16\n\tmov (%0), %0\n\t.endr" : "+r"(at)::"memory");
	return at;
}

void chase_run(struct measure *m, enum chase_id id, unsigned point)
{
	struct chase_point *p = &m->chase[id].point[point];
	void **at = build(block[kind_of(id)].at, id, p->lines, 0x9e3779b97f4a7c15ull + p->cycles.nr);
	double took[PARTS];
	u64 walks;

	at = chase(at, min(max(p->lines, (u32)LOADS), (u32)WARM));
	walks = counter_read(m->counters.walks);
	for (unsigned i = 0; i < PARTS; i++) {
		struct watch w = watch_start();

		at = chase(at, LOADS);
		took[i] = watch_ticks(&m->clock, &w);
	}
	if (m->counters.walks >= 0)
		p->walks = (double)(counter_read(m->counters.walks) - walks) / (PARTS * LOADS);
	series_add(&p->cycles, (median_of(took, PARTS) - m->clock.overhead) / LOADS * m->clock.cycles_a_tick);
}
