/* SPDX-License-Identifier: MIT
 *
 * test/mmu/geometry.c - are the arrays what they say they are?
 *
 * uniform: reads that are uniformly random over P pages, spread evenly over the sets, hit an array of E entries with
 *   probability E/P under any replacement: a set of w ways always holds w of its n = P w / E pages, and the next page
 *   is independent of which. So misses are 1 - E/P, to arithmetic, on every preset and page size.
 * guest_pages_broken_up: the same for a guest whose host has smaller pages.
 * policies: each access of a skewed stream against lists and trees written naively.
 */
#include "test/mmu/computer.h"

static struct computer c;

/* ---- uniform ---- */

static u64 level_entries(const struct tlb_level_config *l, unsigned size)
{
	u64 entries = 0;

	for (unsigned n = 0; n < MMU_MAX_ARRAYS && l->array[n].ways; n++)
		if (l->array[n].sizes & 1u << size)
			entries += l->array[n].sets * l->array[n].ways;
	return entries;
}

static void expect_share(const char *preset, const char *what, u64 pages, double want, double got)
{
	print_message("%-11s %-6s %6lu pages: %6.2f %% by formula, %6.2f %%\n", preset, what, pages, 100 * want,
		      100 * got);
	assert_true(got > want - 0.01 && got < want + 0.01);
}

/* Misses of the level with `entries` over `pages` pages. */
static void uniform(const struct cpu_preset *p, unsigned access, unsigned size, u64 pages, u64 entries, bool l2)
{
	static const char *const names[2][3] = {{"L1 4K", "L1 2M", "L1 1G"}, {"L2 4K", "L2 2M", "L2 1G"}};
	const struct mmu_counters *k;
	struct mmu_counters before = {0};
	struct mmu_result r;
	u64 seed = 7, accesses = 150000, fetch = access == MMU_FETCH;

	computer_init(&c, p);
	c.cfg.phys_bits = 52;
	computer_boot(&c);
	map_range(&c, table_new(&c), 0, pages, size);
	k = mmu_counters(c.cpu);
	for (u64 n = 0; n < 2 * accesses; n++) {
		if (n == accesses)
			before = *k;
		mmu_access(c.cpu, rnd(&seed) % pages << (12 + 9 * size), access, -1, &r);
	}
	expect_share(p->name, names[l2][size], pages, 1 - (double)entries / pages,
		     (double)((l2 ? k->l2_miss : k->l1_miss)[fetch] - (l2 ? before.l2_miss : before.l1_miss)[fetch]) /
			 accesses);
	computer_free(&c);
}

static void uniform_every_preset(void **state)
{
	for (const struct cpu_preset *p = cpu_presets; p->name; p++)
		for (unsigned size = MMU_4K; size <= MMU_2M; size++) {
			u64 l1 = level_entries(&p->l1d, size), l2 = level_entries(&p->l2, size);
			u64 l1i = level_entries(&p->l1i, size);

			uniform(p, MMU_READ, size, 4 * l1, l1, false);
			uniform(p, MMU_READ, size, 16 * l1, l1, false);
			uniform(p, MMU_FETCH, size, 4 * l1i, l1i, false);
			uniform(p, MMU_READ, size, 8 * l2, l2, true);
			if (size == MMU_4K)
				uniform(p, MMU_READ, size, 16 * l2, l2, true);
		}
}

/* A guest's 2M pages over a host's 4K pages: reads that are uniform over their pieces miss as 4K pages do, by the entries
 * for 4K, and none is one of 2M; a walk still ends a level earlier. Over 2M pages they are 2M pages. */
static void guest_pages_broken_up(void **state)
{
	for (const struct cpu_preset *p = cpu_presets; p->name; p++)
		for (unsigned host = MMU_4K; host <= MMU_2M; host++) {
			u64 entries = level_entries(&p->l2, host), pieces = 8 * entries, seed = 7, accesses = 150000;
			const struct mmu_counters *k;
			struct mmu_counters before = {0};
			struct mmu_result r;

			computer_init(&c, p);
			c.cfg.phys_bits = 52;
			c.cfg.host_page = (u8)(host + 1);
			computer_boot(&c);
			map_range(&c, table_new(&c), 0, (pieces << (12 + 9 * host)) / PMD_SIZE + 1, MMU_2M);
			k = mmu_counters(c.cpu);
			for (u64 n = 0; n < 2 * accesses; n++) {
				if (n == accesses)
					before = *k;
				mmu_access(c.cpu, rnd(&seed) % pieces << (12 + 9 * host), MMU_READ, -1, &r);
			}
			expect_share(p->name, host ? "2M/2M" : "2M/4K", pieces, 1 - 1.0 / 8,
				     (double)(k->l2_miss[0] - before.l2_miss[0]) / (double)accesses);
			assert_int_equal(k->fills[MMU_2M] == 0, host == MMU_4K);
			assert_int_equal(k->walk_steps[X86_PT], 0);
			computer_free(&c);
		}
}

/* ---- policies ---- */

#define MAX_WAYS 64

struct naive_set {
	u64 vpn[MAX_WAYS]; /* LRU and FIFO: in order, most recent first. Trees: by way; ~0 is empty */
	unsigned used;
	bool right[MAX_WAYS]; /* trees: node n's half to evict from next, its subtrees at 2n and 2n+1 */
	unsigned group;
};

static int naive_find(const struct naive_set *s, unsigned ways, u64 vpn)
{
	for (unsigned w = 0; w < ways; w++)
		if (s->vpn[w] == vpn)
			return w;
	return -1;
}

static bool naive_list(struct naive_set *s, unsigned ways, u64 vpn, bool fifo)
{
	int at = naive_find(s, ways, vpn);
	bool hit = at >= 0;

	if (hit && fifo)
		return true;
	if (!hit)
		at = ways - 1;
	memmove(&s->vpn[1], &s->vpn[0], at * sizeof(u64));
	s->vpn[0] = vpn;
	return hit;
}

/* The leaf of the subtree at `node` over ways [lo, hi) that its bits choose. */
static unsigned tree_choose(const struct naive_set *s, unsigned base, unsigned node, unsigned lo, unsigned hi)
{
	unsigned mid = (lo + hi) / 2;

	if (hi - lo == 1)
		return lo;
	return s->right[base + node] ? tree_choose(s, base, 2 * node + 1, mid, hi)
				     : tree_choose(s, base, 2 * node, lo, mid);
}

static void tree_use(struct naive_set *s, unsigned base, unsigned node, unsigned lo, unsigned hi, unsigned way)
{
	unsigned mid = (lo + hi) / 2;

	if (hi - lo == 1)
		return;
	s->right[base + node] = way < mid;
	if (way < mid)
		tree_use(s, base, 2 * node, lo, mid, way);
	else
		tree_use(s, base, 2 * node + 1, mid, hi, way);
}

/* trees of `leaves` ways each. */
static bool naive_tree(struct naive_set *s, unsigned ways, unsigned leaves, u64 vpn)
{
	int at = naive_find(s, ways, vpn);
	bool hit = at >= 0;

	if (!hit && s->used < ways) {
		at = s->used++;
	} else if (!hit) {
		unsigned group = (s->group + 1) % (ways / leaves);

		at = tree_choose(s, group * leaves, 1, group * leaves, (group + 1) * leaves);
	}
	s->vpn[at] = vpn;
	s->group = at / leaves;
	tree_use(s, s->group * leaves, 1, s->group * leaves, (s->group + 1) * leaves, at);
	return hit;
}

static void policy(unsigned sets, unsigned ways, unsigned replace, unsigned index)
{
	struct cpu_preset p = {.l1d = {{{.sizes = 1, .sets = sets, .ways = ways, .replace = replace, .index = index}}},
			       .l1i = {{{.sizes = 1, .sets = 1, .ways = 1}}}};
	struct naive_set *set = calloc(sets, sizeof(*set));
	u64 seed = 3, pages = 3 * sets * ways, misses = 0;
	struct mmu_result r;

	for (unsigned s = 0; s < sets; s++)
		memset(set[s].vpn, 0xff, sizeof(set[s].vpn));
	computer_init(&c, &p);
	computer_boot(&c);
	map_range(&c, table_new(&c), 0, pages, MMU_4K);
	for (unsigned n = 0; n < 100000; n++) {
		u64 a = rnd(&seed) % pages, b = rnd(&seed) % pages, vpn = min(a, b);
		u64 at = index == MMU_INDEX_XOR ? (vpn ^ vpn / sets) % sets : vpn % sets;
		unsigned leaves = ways & -ways;
		bool hit = replace == MMU_TREE_PLRU ? naive_tree(&set[at], ways, leaves, vpn)
						    : naive_list(&set[at], ways, vpn, replace == MMU_FIFO);

		mmu_access(c.cpu, vpn << 12, MMU_READ, -1, &r);
		assert_int_equal(r.level_hit == 1, hit);
		misses += !hit;
	}
	assert_true(misses > 10000 && misses < 90000);
	computer_free(&c);
	free(set);
}

static void policies(void **state)
{
	static const unsigned geometry[][2] = {{1, 64}, {1, 8}, {16, 4}, {4, 12}, {2, 32}, {8, 1}, {16, 6}};

	for (unsigned g = 0; g < ARRAY_SIZE(geometry); g++)
		for (unsigned index = MMU_INDEX_LINEAR; index <= MMU_INDEX_XOR; index++) {
			policy(geometry[g][0], geometry[g][1], MMU_LRU, index);
			policy(geometry[g][0], geometry[g][1], MMU_FIFO, index);
			policy(geometry[g][0], geometry[g][1], MMU_TREE_PLRU, index);
		}
}

/* Cyclic reads: an LRU array of E entries misses none of E pages and all of E + 8, as measured on Zen 3 (L1: 64, 72).
 */
static void cyclic(void **state)
{
	struct mmu_result r;

	for (u64 pages = 64; pages <= 72; pages += 8) {
		computer_init(&c, cpu_preset_find("zen3"));
		computer_boot(&c);
		map_range(&c, table_new(&c), 0, pages, MMU_4K);
		for (u64 n = 0; n < 20 * pages; n++)
			mmu_access(c.cpu, n % pages << 12, MMU_READ, -1, &r);
		assert_int_equal(mmu_counters(c.cpu)->l1_miss[0], pages == 64 ? 64 : 20 * pages);
		computer_free(&c);
	}
}

/* Every figure has a source, and each L1 has room for the smallest page. */
static void presets_are_sourced(void **state)
{
	static const char *const names[] = {"zen3", "zen2", "zen4", "zen5", "skylake", "icelake", "goldencove"};

	for (unsigned n = 0; n < ARRAY_SIZE(names); n++) {
		const struct cpu_preset *p = cpu_preset_find(names[n]);
		const struct tlb_level_config *level[] = {&p->l1d, &p->l1i, &p->l2, &p->l2i};

		for (unsigned l = 0; l < 4; l++)
			for (unsigned a = 0; a < MMU_MAX_ARRAYS && level[l]->array[a].ways; a++)
				assert_non_null(level[l]->array[a].source);
		assert_non_null(p->psc.source);
		assert_true(level_entries(&p->l1d, MMU_4K) && level_entries(&p->l1i, MMU_4K));
	}
	assert_null(cpu_preset_find("zen"));
	assert_null(cpu_preset_find("zen33"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(presets_are_sourced),
	    cmocka_unit_test(uniform_every_preset),
	    cmocka_unit_test(guest_pages_broken_up),
	    cmocka_unit_test(policies),
	    cmocka_unit_test(cyclic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
