/* SPDX-License-Identifier: MIT
 *
 * test/mmu/lines.c - where the lines of tables lie.
 *
 * reuse: lines read in turn are used again after as many others as there are, so arithmetic says where they lie.
 * again: pages that are walked to after flushes bring their data once.
 * at_random: beside an LRU stack of all lines.
 * random_reads: against a map of all lines with clocks of 64 bits, sets and sweeps unknown to it.
 * walks: what walks of a CPU read is counted once, and the nearest place is never the farther one.
 */
#include "mmu/lines.h"
#include "test/mmu/computer.h"

#define L2 64u
#define L3 1024u

static const struct cpu_preset tiny = {
    .name = "tiny",
    .l1i = {{{.sizes = 7, .sets = 1, .ways = 4}}},
    .l1d = {{{.sizes = 7, .sets = 1, .ways = 4}}},
    .l2 = {{{.sizes = 7, .sets = 1, .ways = 4}}},
    .psc = {.entries = {[2] = 4, [3] = 2, [4] = 2}},
    .cache = {L2 << LINE_SHIFT, L3 << LINE_SHIFT, 4, "a test"},
};

static struct lines l;
static struct mmu_counters k;

static void begin(bool shared)
{
	void *mem = calloc(1, mmu_lines_bytes(&tiny));

	free(l.set);
	assert_non_null(mem);
	lines_init(&l, &tiny.cache, shared, mem);
	memset(&k, 0, sizeof(k));
}

static void end(void)
{
	free(l.set);
	l.set = NULL;
}

/* Where it lies for sure, of each kind; counts from before are forgotten. */
static void expect_all(unsigned which, unsigned place, u64 reads)
{
	for (unsigned p = 0; p < MMU_NPLACES; p++)
		assert_int_equal(k.read_from[p][which], p == place ? reads : 0);
}

/* Lines in turn, of each another entry in each round; `data` lines come with each. */
static void in_turn(bool shared, unsigned lines, unsigned data, unsigned nearest, unsigned farthest)
{
	begin(shared);
	l.data = data << LINES_PART;
	for (unsigned round = 0; round < 8; round++) {
		memset(&k, 0, sizeof(k));
		for (unsigned i = 0; i < lines; i++) {
			bool away = lines_read(&l, ((u64)i << LINE_SHIFT) + 8 * round, k.read_from);

			assert_true(away);
			lines_walked(&l, away);
		}
		expect_all(MMU_NEAREST, round ? nearest : MMU_MEMORY, lines);
		expect_all(MMU_FARTHEST, round ? farthest : MMU_MEMORY, lines);
	}
	end();
}

static void reuse(void **state)
{
	in_turn(false, 1, 1, MMU_L2, MMU_L2);
	in_turn(false, L2 / 2, 1, MMU_L2, MMU_L2); /* each with a line of data: twice as many */
	in_turn(false, L2 / 2 + 1, 1, MMU_L3, MMU_L3);
	in_turn(false, L3 / 2, 1, MMU_L3, MMU_L3);
	in_turn(false, L3 / 2 + 1, 1, MMU_MEMORY, MMU_MEMORY);
	in_turn(false, 15, 64, MMU_L2, MMU_L3); /* 15 x 65 = 975 */
	in_turn(false, 16, 64, MMU_L2, MMU_MEMORY);
	in_turn(true, (L2 + L3 / 4) / 2, 1, MMU_L3, MMU_L3); /* a fourth of L3, and what L2 has */
	in_turn(true, (L2 + L3 / 4) / 2 + 1, 1, MMU_L3, MMU_MEMORY);
	in_turn(true, L3 / 2 + 1, 1, MMU_MEMORY, MMU_MEMORY);
}

/* The same pages over and over, as after flushes: their data comes once, and all stays in L2, while the clock stands. */
static void again(void **state)
{
	begin(false);
	for (unsigned round = 0; round < 100; round++)
		for (unsigned i = 0; i < L2 / 4; i++) {
			bool away = lines_read(&l, (u64)i << LINE_SHIFT, k.read_from);

			assert_int_equal(away, round == 0);
			lines_walked(&l, away);
		}
	assert_int_equal(l.clock[MMU_NEAREST], 2 * (L2 / 4));
	end();
}

/* Pages at random, eight of each line, more than L2 has lines: after a beginning in which all data was near (in order),
 * the model finds to what LRU says. Of two kinds of lines, one page in eight is of the line that is asked for. */
static void at_random(void **state)
{
	const unsigned lines = L2, pages = 8 * lines;
	u64 seed = 3, share = 0, n = 200000;
	static u64 stack[9 * 8 * L2]; /* the LRU stack itself: lines of tables, then lines of data */
	unsigned depth = 0, in_l2 = 0;

	begin(false);
	for (unsigned page = 0; page < pages; page++)
		lines_walked(&l, lines_read(&l, 8ull * page, k.read_from));
	memset(&k, 0, sizeof(k));
	for (u64 i = 0; i < n; i++) {
		u64 page = rnd(&seed) % pages, use[2] = {page / 8, lines + page};

		lines_walked(&l, lines_read(&l, 8 * page, k.read_from));
		for (unsigned u = 0; u < 2; u++) {
			unsigned at = 0;

			while (at < depth && stack[at] != use[u])
				at++;
			in_l2 += u == 0 && at < L2 && at < depth;
			depth += at == depth;
			memmove(stack + 1, stack, at * sizeof(*stack));
			stack[0] = use[u];
		}
	}
	share = k.read_from[MMU_L2][MMU_NEAREST] * 1000 / n;
	print_message("in L2: %.1f %% by the model, %.1f %% by the stack\n", (double)share / 10,
		      100.0 * in_l2 / (double)n);
	assert_in_range(share, in_l2 * 1000ull / n - 100, in_l2 * 1000ull / n + 100);
	end();
}

#define LINES 1024u /* at most three of four ways of a set */

static struct {
	u64 used[2];
	u64 epoch[8];
	bool known;
} seen[LINES];

static unsigned place_of(u64 age, bool known)
{
	return !known || age >= L3 ? MMU_MEMORY : age >= L2 ? MMU_L3 : MMU_L2;
}

static void random_reads(void **state)
{
	u64 seed = 11, clock[2] = {0}, came = 0, swept = 0;

	begin(false);
	memset(seen, 0, sizeof(seen));
	for (unsigned n = 0; n < 2000000; n++) {
		u64 r = rnd(&seed), line = r % (r >> 60 ? 100 : LINES), entry, then, now, before = l.swept;
		bool away, left;

		if (n % 20000 == 0) /* a long time passes */
			l.data = 1ull << 28 << (r >> 40) % 10;
		else
			l.data = 256 + (r >> 42 & 16383); /* of 256 */
		memset(&k, 0, sizeof(k));
		entry = r >> 36 & 7;
		away = lines_read(&l, (line << LINE_SHIFT) + 8 * entry, k.read_from);
		then = clock[MMU_NEAREST] / (L2 / 2);
		left = place_of(clock[MMU_NEAREST] - seen[line].used[MMU_NEAREST], seen[line].known) != MMU_L2;
		for (unsigned which = 0; which < 2; which++) {
			unsigned place = place_of(clock[which] - seen[line].used[which], seen[line].known);

			expect_all(which, place, 1);
			clock[which] += place != MMU_L2;
			seen[line].used[which] = clock[which];
		}
		now = clock[MMU_NEAREST] / (L2 / 2);
		assert_int_equal(away, left || ((now - seen[line].epoch[entry]) & 15) >= 2);
		seen[line].epoch[entry] = now;
		for (unsigned i = 0; i < 8 && !seen[line].known; i++)
			seen[line].epoch[i] = i == entry ? now : then - 2;
		seen[line].known = true;
		lines_walked(&l, away);
		clock[MMU_NEAREST] += away;
		clock[MMU_FARTHEST] += (came + l.data) / 256 - came / 256;
		came += l.data;
		if (l.swept == before)
			continue;
		swept++;
		for (unsigned i = 0; i < LINES; i++)
			seen[i].known &= clock[MMU_NEAREST] - seen[i].used[MMU_NEAREST] < L3;
	}
	assert_true(swept > 3 && clock[MMU_FARTHEST] > 1ull << 32);
	end();
}

static void walks(void **state)
{
	static struct computer c;
	const struct mmu_counters *all;
	struct mmu_result r;
	u64 seed = 5, root;

	computer_init(&c, &tiny);
	c.cfg.lines = calloc(1, mmu_lines_bytes(&tiny));
	computer_boot(&c);
	root = table_new(&c);
	map_range(&c, root, 0, 4096, MMU_4K);
	all = mmu_counters(c.cpu);
	for (unsigned n = 0; n < 100000; n++) {
		struct mmu_counters before = *all;
		u64 nearest, farthest;

		mmu_data_lines(c.cpu, rnd(&seed) % 100, rnd(&seed) % 3);
		mmu_access(c.cpu, rnd(&seed) % 5000 << PAGE_SHIFT, rnd(&seed) % 3, -1, &r);
		nearest = all->read_from[MMU_MEMORY][MMU_NEAREST] - before.read_from[MMU_MEMORY][MMU_NEAREST];
		farthest = all->read_from[MMU_MEMORY][MMU_FARTHEST] - before.read_from[MMU_MEMORY][MMU_FARTHEST];
		assert_true(nearest <= farthest);
		nearest += all->read_from[MMU_L3][MMU_NEAREST] - before.read_from[MMU_L3][MMU_NEAREST];
		farthest += all->read_from[MMU_L3][MMU_FARTHEST] - before.read_from[MMU_L3][MMU_FARTHEST];
		assert_true(nearest <= farthest);
		for (unsigned which = 0; which < 2; which++) {
			u64 sum = 0;

			for (unsigned p = 0; p < MMU_NPLACES; p++)
				sum += all->read_from[p][which] - before.read_from[p][which];
			assert_int_equal(sum, all->walk_steps[0] - before.walk_steps[0]);
		}
	}
	assert_true(all->walk_faults[0] > 1000 && all->walks[0] > 1000);
	free(c.cfg.lines);
	computer_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reuse),        cmocka_unit_test(again), cmocka_unit_test(at_random),
	    cmocka_unit_test(random_reads), cmocka_unit_test(walks),
	};

	return cmocka_run_group_tests_name("where tables lie", tests, NULL, NULL);
}
