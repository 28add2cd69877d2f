/* SPDX-License-Identifier: MIT
 *
 * test/mmu/nested.c - what walks of a virtual machine read of the host's tables.
 *
 * published: without caches, as many entries as the literature says, by the sizes of both pages.
 * spared: with them, one of each, and what a fault does not come to.
 * entries: nested_read() against lists and maps: an LRU list for each of the host's caches, and when each line was read last.
 * walks: what walks of a CPU read is what their steps ask for, is counted once, and is never nearer than the nearest.
 */
#include "mmu/cpu.h"
#include "test/mmu/computer.h"

#define L2    64u
#define L3    1024u

#define PAGES (1ull << 30) /* where the guest's pages lie; its tables are below 2M */

static struct computer c;
static struct cpu_preset preset; /* a TLB of four entries */
static u64 root;

/* entries: of the paging-structure caches, the guest's and the host's each; guest_pages of this size are mapped. */
static void begin(unsigned pd, unsigned pdpt, unsigned pml4, unsigned host_page, u64 guest_pages, unsigned guest_size)
{
	struct tlb_level_config tlb = {{{.sizes = 7, .sets = 1, .ways = 4}}};

	preset = (struct cpu_preset){
	    .name = "tiny",
	    .l1i = tlb,
	    .l1d = tlb,
	    .l2 = tlb,
	    .psc = {.entries = {[X86_PD] = (u16)pd, [X86_PDPT] = (u16)pdpt, [X86_PML4] = (u16)pml4}},
	    .cache = {L2 << LINE_SHIFT, L3 << LINE_SHIFT, 4, "a test"},
	};
	computer_init(&c, &preset);
	c.cfg.host_page = (u8)host_page;
	c.cfg.lines = calloc(1, mmu_lines_bytes(&preset));
	assert_non_null(c.cfg.lines);
	computer_boot(&c);
	root = table_new(&c);
	for (u64 va = 0; va < guest_pages * tlb_size_bytes(guest_size); va += tlb_size_bytes(guest_size))
		map(&c, root, va, PAGES + va, guest_size, RWU);
	assert_int_equal(mmu_write_cr3(c.cpu, root), 0);
}

static void end(void)
{
	free(c.cfg.lines);
	computer_free(&c);
}

static u64 sum(const u64 from[MMU_NPLACES][2], unsigned which)
{
	return from[MMU_L2][which] + from[MMU_L3][which] + from[MMU_MEMORY][which];
}

/* Entries that an access at va makes walks read: the guest's and the host's. */
static void expect(u64 va, unsigned access, int outcome, u64 guest, u64 host)
{
	struct mmu_counters before = *mmu_counters(c.cpu), after;
	struct mmu_result r;

	assert_int_equal(mmu_access(c.cpu, va, access, -1, &r), outcome);
	after = *mmu_counters(c.cpu);
	assert_int_equal(after.walk_steps[0] - before.walk_steps[0], guest);
	assert_int_equal(after.host_steps - before.host_steps, host);
	for (unsigned which = 0; which < 2; which++) {
		assert_int_equal(sum(after.read_from, which) - sum(before.read_from, which), guest);
		assert_int_equal(sum(after.host_read_from, which) - sum(before.host_read_from, which), host);
	}
}

/* "Up to 24 memory references" (Bhargava et al., Accelerating Two-Dimensional Page Walks, ASPLOS 2008): n levels of the
 * guest's and m of the host's take nm + n + m. */
static void published(void **state)
{
	for (unsigned guest = MMU_4K; guest < MMU_NSIZES; guest++)
		for (unsigned host_page = 0; host_page <= 3; host_page++) {
			unsigned n = 4 - guest, m = host_page ? 5 - host_page : 0;

			begin(0, 0, 0, host_page, 1, guest);
			for (unsigned turn = 0; turn < 2; turn++) {
				expect(0x123, MMU_READ, MMU_OK, n, n * m + m);
				assert_int_equal(mmu_write_cr3(c.cpu, root), 0);
			}
			if (guest == MMU_4K && host_page == 1)
				assert_int_equal(n * m + n + m, 24);
			end();
		}
}

static void spared(void **state)
{
	begin(4, 4, 4, 1, 64, MMU_4K);
	/* The root is the first that the host is asked for; other tables lie beside it, the page in another 1G. */
	expect(0, MMU_READ, MMU_OK, 4, 4 + 3 * 1 + 3);
	expect(PAGE_SIZE, MMU_READ, MMU_OK, 1, 1);
	expect(64 * PAGE_SIZE, MMU_READ, MMU_PF, 1, 0); /* the PTE is read, and names nothing */
	*entry_of(&c, root, 5 * PAGE_SIZE, X86_PT) &= ~X86_PTE_US;
	/* The fault dropped what led there: four tables. The page is refused before anybody asks where it is. */
	expect(5 * PAGE_SIZE, MMU_READ | MMU_USER, MMU_PF, 4, 4);
	end();
	begin(4, 4, 4, 1, 1, MMU_2M); /* a huge page's pieces: the PDE anew, and a PTE of the host's */
	expect(0, MMU_READ, MMU_OK, 3, 4 + 2 * 1 + 3);
	expect(7 * PAGE_SIZE, MMU_READ, MMU_OK, 1, 1);
	end();
}

/* ---- entries ---- */

#define REGIONS 4u  /* of 1G */
#define FRAMES  96u /* used of each: so few that no set of lines is full */
#define SPACES  6u  /* of lines: the host's four levels, pages alone, pages in huge ones */

static u64 used[SPACES][REGIONS * FRAMES][2], now[2]; /* 0: never; times are one up */

static unsigned place_of(u64 *then, unsigned which)
{
	u64 age = now[which] - (*then - 1);

	return !*then || age >= (which == MMU_FARTHEST ? L2 + L3 / 4 : L3) ? MMU_MEMORY : age >= L2 ? MMU_L3 : MMU_L2;
}

/* A line is read, by a clock; not nearer than `nearest`. */
static unsigned model_use(unsigned space, u64 line, unsigned which, unsigned nearest)
{
	u64 *then = &used[space][line][which];
	unsigned place = place_of(then, which);

	if (place < nearest)
		place = nearest;
	now[which] += place != MMU_L2;
	*then = now[which] + 1;
	return place;
}

static struct lru {
	u64 key[4];
	unsigned nr, cap;
} cache[6];

/* Brings the key to the front. Returns whether it was there. */
static bool lru_use(struct lru *l, u64 key)
{
	unsigned at = 0;
	bool there;

	while (at < l->nr && l->key[at] != key)
		at++;
	there = at < l->nr;
	if (!there && l->nr < l->cap)
		l->nr++;
	if (at >= l->nr)
		at = l->nr - 1;
	for (; at > 0; at--)
		l->key[at] = l->key[at - 1];
	l->key[0] = key;
	return there;
}

static bool lru_has(const struct lru *l, u64 key)
{
	for (unsigned i = 0; i < l->nr; i++)
		if (l->key[i] == key)
			return true;
	return false;
}

static void expect_place(const struct mmu_counters *before, unsigned which, const u64 want[MMU_NPLACES])
{
	for (unsigned p = 0; p < MMU_NPLACES; p++)
		assert_int_equal(c.cpu->counters.host_read_from[p][which] - before->host_read_from[p][which], want[p]);
}

/* Frames at random; the lines of an array are numbered by hand, as the regions are far apart. */
static void entries_on(unsigned host_page)
{
	u64 seed = 17 + host_page, memory[2] = {0};
	static const unsigned shift[] = {0, 12, 21, 30, 39};

	begin(2, 2, 1, host_page, 1, MMU_4K);
	memset(used, 0, sizeof(used));
	memset(now, 0, sizeof(now));
	memset(cache, 0, sizeof(cache));
	cache[2].cap = cache[3].cap = 2, cache[4].cap = 1;
	for (unsigned n = 0; n < 200000; n++) {
		u64 r = rnd(&seed), region = r % REGIONS, frame = (r >> 8) % FRAMES;
		u64 gpa = region << 30 | frame << 12 | (r >> 52), want[2][MMU_NPLACES] = {0};
		unsigned size = r >> 40 & 1 ? MMU_2M : MMU_4K, level = 4, place;
		struct mmu_counters before = c.cpu->counters;

		/* from below the deepest that is cached */
		for (unsigned upper = host_page + 1; upper <= 4; upper++)
			if (lru_has(&cache[upper], gpa >> shift[upper])) {
				lru_use(&cache[upper], gpa >> shift[upper]);
				level = upper - 1;
				break;
			}
		for (; level > host_page; level--) {
			u64 line = level == 2 ? region : 0; /* eight entries of 2M: 16M */

			for (unsigned which = 0; which < 2; which++)
				want[which][model_use(level, line, which, MMU_L2)]++;
			lru_use(&cache[level], gpa >> shift[level]);
		}
		if (host_page == 1) { /* eight pages a line, or one */
			place = model_use(1, region * FRAMES + frame / 8, MMU_NEAREST, MMU_L2);
			want[MMU_NEAREST][place]++;
			place = size == MMU_4K ? model_use(0, region * FRAMES + frame, MMU_FARTHEST, place)
					       : model_use(5, region * FRAMES + frame / 8, MMU_FARTHEST, place);
			want[MMU_FARTHEST][place]++;
		} else {
			for (unsigned which = 0; which < 2; which++)
				want[which][model_use(host_page, host_page == 2 ? region : 0, which, MMU_L2)]++;
		}
		nested_read(c.cpu, gpa, size);
		expect_place(&before, MMU_NEAREST, want[MMU_NEAREST]);
		expect_place(&before, MMU_FARTHEST, want[MMU_FARTHEST]);
		for (unsigned which = 0; which < 2; which++)
			memory[which] += want[which][MMU_MEMORY];
		/* data comes, now and then much */
		mmu_data_lines(c.cpu, 1 + (r >> 20 & 7), 1);
		for (unsigned lines = r >> 32 & 1023 ? 1 : 2 * L3; lines > 0; lines--) {
			bool away = lines > 1 || r >> 41 & 1;

			lines_walked(&c.cpu->lines, away);
			now[MMU_NEAREST] += away;
			now[MMU_FARTHEST] += 1 + (r >> 20 & 7);
		}
	}
	assert_true(memory[MMU_NEAREST] > 100 && (host_page > 1 || memory[MMU_FARTHEST] > 2 * memory[MMU_NEAREST]));
	end();
}

static void entries(void **state)
{
	for (unsigned host_page = 1; host_page <= 3; host_page++)
		entries_on(host_page);
}

static void walks(void **state)
{
	for (unsigned host_page = 1; host_page <= 3; host_page++) {
		const struct mmu_counters *all;
		u64 seed = 5, faults = 0, apart = 0;

		begin(0, 0, 1, host_page, 4096, MMU_4K);
		all = mmu_counters(c.cpu);
		for (unsigned n = 0; n < 100000; n++) {
			struct mmu_counters before = *all;
			u64 nearest = 0, farthest = 0, asked;
			struct mmu_result r;

			mmu_data_lines(c.cpu, rnd(&seed) % 100, 1);
			mmu_access(c.cpu, rnd(&seed) % 5000 << PAGE_SHIFT, rnd(&seed) % 3, -1, &r);
			if (all->walk_steps[0] == before.walk_steps[0]) {
				assert_int_equal(all->host_steps, before.host_steps);
				continue;
			}
			/* Tables: all below the root, and the root where the walk begins there; and the page. The host's
			 * first entry is cached from the first time on: there is but one. */
			asked = r.steps - 1 + (r.stop_level + r.steps - 1 == 4) + (r.outcome == MMU_OK);
			assert_int_equal(all->host_walks - before.host_walks, asked);
			assert_int_equal(all->host_steps - before.host_steps, asked * (4 - host_page) + (n == 0));
			faults += r.outcome == MMU_PF;
			for (unsigned p = MMU_NPLACES; p-- > 0;) {
				nearest += all->host_read_from[p][0] - before.host_read_from[p][0];
				farthest += all->host_read_from[p][1] - before.host_read_from[p][1];
				assert_true(p == MMU_L2 ? nearest == farthest : nearest <= farthest);
				apart += nearest != farthest;
			}
			assert_int_equal(nearest, all->host_steps - before.host_steps);
		}
		assert_true(faults > 1000 && apart > 1000);
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(published),
	    cmocka_unit_test(spared),
	    cmocka_unit_test(entries),
	    cmocka_unit_test(walks),
	};

	return cmocka_run_group_tests_name("the host's half of walks", tests, NULL, NULL);
}
