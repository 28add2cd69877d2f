/* SPDX-License-Identifier: MIT
 *
 * test/mmu/window.c - a stream filtered by the recency window against the same stream whole.
 *
 * The test has its own producer, written from trace/window.h's words: a list of pages used last, which never holds more
 * pages of one set than mmu.h calls exact; an access to one of them sends nothing, but for the first write after reads. Both streams go to a CPU of their own, with page tables of their own, and must then have counted the same
 * misses, walks, steps and rewalks, and left the same RAM: for every preset, and for small L1 arrays of every policy.
 *
 * Where the window holds 16 pages whatever their sets the difference is printed: it is why there are limits.
 */
#include "test/mmu/computer.h"

#define PAGES 4096 /* 4K pages from va 0; the last half may lie in 2M pages */

struct page {
	u64 vpn;
	bool written;
	unsigned slot;
};

struct window {
	struct page page[MMU_WINDOW_DATA + 1]; /* most recent first */
	unsigned used, base, pages;
	struct {
		unsigned sets, most, order; /* most 0: no limit */
	} limit[2];                         /* of pages of 4K and of 2M */
};

struct pair {
	struct computer whole, filtered;
	struct window window[2];
	u64 sent, left, accesses;
};

static u64 number(const struct window *w, unsigned at, unsigned size)
{
	return w->page[at].vpn >> 9 * size;
}

/* Marks the page of that size that is one too many of the set of page[0]. */
static void mark_over_limit(const struct window *w, unsigned size, bool *goes)
{
	u64 seen[MMU_WINDOW_DATA + 1];
	unsigned n = 0;

	for (unsigned i = 0; i < w->used && w->limit[size].most; i++) {
		unsigned at = 0;

		if ((number(w, i, size) ^ number(w, 0, size)) % w->limit[size].sets)
			continue;
		seen[n] = number(w, i, size);
		while (seen[at] != seen[n])
			at++;
		n += at == n;
		goes[i] |= at >= w->limit[size].most;
	}
}

/* Of page[i] and the later page[j]: if i goes, j must. */
static bool follows(const struct window *w, unsigned i, unsigned j)
{
	bool does = false;

	for (unsigned size = 0; size < 2; size++) {
		u64 a = number(w, i, size), b = number(w, j, size);

		does |= w->limit[size].most && a != b && (a ^ b) % w->limit[size].order == 0;
	}
	return does;
}

static void leave(struct pair *p, struct window *w, unsigned at)
{
	mmu_window_leave(p->filtered.cpu, (int)w->page[at].slot);
	w->used--;
	memmove(&w->page[at], &w->page[at + 1], (w->used - at) * sizeof(w->page[0]));
	p->left++;
}

/* page[0] has entered: whatever must leaves, least recent first. */
static void trim(struct pair *p, struct window *w)
{
	bool goes[MMU_WINDOW_DATA + 1] = {false};

	mark_over_limit(w, 0, goes);
	mark_over_limit(w, 1, goes);
	for (unsigned i = 0; i < w->used; i++)
		for (unsigned j = i + 1; j < w->used && goes[i]; j++)
			goes[j] |= follows(w, i, j);
	for (unsigned i = w->used; i-- > 0;)
		if (goes[i])
			leave(p, w, i);
	if (w->used > w->pages)
		leave(p, w, w->used - 1);
}

static unsigned free_slot(const struct window *w)
{
	u64 taken = 0;

	for (unsigned i = 1; i < w->used; i++)
		taken |= 1ull << (w->page[i].slot - w->base);
	return w->base + (unsigned)__builtin_ctzll(~taken);
}

static void produce(struct pair *p, u64 va, unsigned access)
{
	struct window *w = &p->window[access == MMU_FETCH];
	struct page page = {va >> 12, false, 0};
	unsigned at = 0;
	bool hit, first_write;
	struct mmu_result r;

	while (at < w->used && w->page[at].vpn != va >> 12)
		at++;
	hit = at < w->used;
	if (hit)
		page = w->page[at];
	first_write = access == MMU_WRITE && !page.written;
	page.written |= access == MMU_WRITE;
	memmove(&w->page[1], &w->page[0], at * sizeof(page));
	w->page[0] = page;
	if (!hit) {
		w->used++;
		trim(p, w);
		w->page[0].slot = free_slot(w);
	}
	if (hit && !first_write)
		return;
	p->sent++;
	assert_int_equal(mmu_access(p->filtered.cpu, va, access, (int)w->page[0].slot, &r), MMU_OK);
}

/* A long event: the window is emptied on both sides. */
static void empty(struct pair *p)
{
	for (unsigned kind = 0; kind < 2; kind++)
		while (p->window[kind].used)
			leave(p, &p->window[kind], p->window[kind].used - 1);
	mmu_window_flush(p->filtered.cpu);
}

static void machine(struct computer *c, const struct cpu_preset *preset, bool huge)
{
	computer_init(c, preset);
	computer_boot(c);
	map_range(c, table_new(c), 0, huge ? PAGES / 2 : PAGES, MMU_4K);
	for (u64 va = PAGES / 2 * PAGE_SIZE; huge && va < PAGES * PAGE_SIZE; va += PMD_SIZE)
		map(c, 0, va, (1ull << 41) + va, MMU_2M, RWU);
}

static void both(struct pair *p, u64 va, unsigned access)
{
	struct mmu_result r;

	p->accesses++;
	assert_int_equal(mmu_access(p->whole.cpu, va, access, -1, &r), MMU_OK);
	produce(p, va, access);
}

enum variant { PLAIN, HUGE, EMPTIED, CONFLICTS, ZIPF, NR_VARIANTS };
static const char *const variant_names[] = {"plain", "huge", "emptied", "conflicts", "zipf"};

/* Page n of 65 comes about 1/n as often as the first; the first five are in one set of 16. */
static u64 zipf(u64 *seed)
{
	u64 n = 65, a = rnd(seed) % 1024 + 1;

	n = min(n, 1024 / a + rnd(seed) % 2) % 65;
	return n < 5 ? 16 * n : n;
}

/* Programs in miniature: a stack that is always there, loops, a strided sweep, a table hit at random, some skew.
 * CONFLICTS: twelve pages of one set. */
static u64 next_va(u64 *seed, enum variant variant, unsigned phase, unsigned n)
{
	u64 a = rnd(seed) % PAGES, b = rnd(seed) % PAGES, few = rnd(seed) % 200;

	if (variant == ZIPF)
		return rnd(seed) % 64 ? zipf(seed) : a;
	if (rnd(seed) % 3 == 0)
		return PAGES - 1 - rnd(seed) % 2;
	if (phase == 0)
		return min(a, b) / 8;
	if (phase == 1)
		return n / 4 % PAGES;
	if (phase == 2)
		return rnd(seed) % 8 ? few % 12 * (variant == CONFLICTS ? 64 : 67) : a;
	return rnd(seed) % 16 ? n / 7 % 40 + few % 20 : min(a, b);
}

static void stream(struct pair *p, const struct cpu_preset *preset, enum variant variant)
{
	u64 seed = 5;

	machine(&p->whole, preset, variant == HUGE);
	machine(&p->filtered, preset, variant == HUGE);
	for (unsigned n = 0; n < 200000; n++) {
		u64 va = next_va(&seed, variant, n / 10000 % 4, n) << 12 | (rnd(&seed) & 0xff8);

		both(p, va, rnd(&seed) % 4 ? MMU_READ : MMU_WRITE);
		if (rnd(&seed) % 2)
			both(p, (n / 50 % 32 + rnd(&seed) % (1 + n / 10000 % 4 * 20)) << 12, MMU_FETCH);
		if (variant == EMPTIED && n % 1000 == 999)
			empty(p);
		if (n % 20000 == 19999) { /* a real flush empties the window too */
			empty(p);
			mmu_write_cr3(p->whole.cpu, 0);
			mmu_write_cr3(p->filtered.cpu, 0);
		}
	}
}

static void pair_free(struct pair *p)
{
	computer_free(&p->whole);
	computer_free(&p->filtered);
}

static unsigned least(unsigned a, unsigned b)
{
	return a && a < b ? a : b;
}

/* The limits that are exact for this L1 too, for each size of page that is in use. An array that holds several sizes
 * counts as one set: a small and a large page may meet in any of its sets. */
static void fit(struct window *w, const struct tlb_level_config *l1, unsigned sizes)
{
	for (const struct tlb_array_config *a = l1->array; a < l1->array + MMU_MAX_ARRAYS && a->ways; a++)
		for (unsigned size = 0; size < sizes; size++)
			if (a->sizes >> size & 1) {
				unsigned sets = a->sizes & (a->sizes - 1) ? 1 : a->sets;

				w->limit[size].order = least(w->limit[size].order, sets);
				if (mmu_window_ways(a) >= w->pages)
					continue;
				w->limit[size].sets = least(w->limit[size].sets, sets);
				w->limit[size].most = least(w->limit[size].most, mmu_window_ways(a));
			}
}

static double deviation(u64 whole, u64 filtered)
{
	return whole ? ((double)filtered - whole) / whole : 0;
}

/* beside: a CPU of another machine that the window has to be exact for. */
static void compare(const struct cpu_preset *preset, const struct cpu_preset *beside, enum variant variant,
		    unsigned pages, bool limits)
{
	const struct mmu_counters *a, *b;
	struct pair p = {.window = {{.pages = pages}, {.pages = pages, .base = MMU_WINDOW_DATA}}};

	for (unsigned n = 0; n < 2 && limits; n++) {
		const struct cpu_preset *cpu = n ? beside : preset;

		fit(&p.window[0], &cpu->l1d, 2);
		fit(&p.window[1], &cpu->l1i, 1);
	}
	stream(&p, preset, variant);
	a = mmu_counters(p.whole.cpu);
	b = mmu_counters(p.filtered.cpu);
	print_message(
	    "%-11s %-9s %2u pages%s: sends %4.1f %%, leaves %4.1f %%; data L1 misses %+.3f %% L2 %+.3f %%; code "
	    "L1 %+.3f %% L2 %+.3f %%\n",
	    preset->name, variant_names[variant], pages, limits ? "" : " of any set", 100.0 * p.sent / p.accesses,
	    100.0 * p.left / p.accesses, 100 * deviation(a->l1_miss[0], b->l1_miss[0]),
	    100 * deviation(a->l2_miss[0], b->l2_miss[0]), 100 * deviation(a->l1_miss[1], b->l1_miss[1]),
	    100 * deviation(a->l2_miss[1], b->l2_miss[1]));
	assert_true(a->l1_miss[0] > 500 && a->l1_miss[1] > 500);
	if (limits) {
		assert_memory_equal(a->l1_miss, b->l1_miss, sizeof(a->l1_miss));
		assert_memory_equal(a->l2_miss, b->l2_miss, sizeof(a->l2_miss));
		assert_memory_equal(a->walk_steps, b->walk_steps, sizeof(a->walk_steps));
		assert_memory_equal(a->rewalks, b->rewalks, sizeof(a->rewalks));
		assert_memory_equal(p.whole.ram, p.filtered.ram, p.whole.tables_bytes);
	} else if (variant == ZIPF) { /* five pages in turn in four entries: nearly every access may miss */
		assert_true(deviation(a->l1_miss[0], b->l1_miss[0]) < -0.2);
	}
	pair_free(&p);
}

static void every_preset(void **state)
{
	for (const struct cpu_preset *preset = cpu_presets; preset->name; preset++)
		for (unsigned variant = 0; variant < NR_VARIANTS; variant++)
			compare(preset, preset, variant, variant ? MMU_WINDOW_DATA : MMU_WINDOW_SMALL, true);
}

/* Small L1 arrays of every policy and form, one for each size or one for all. */
static void every_policy(void **state)
{
	static const struct {
		const char *name;
		u8 replace;
		u16 sets, ways;
	} forms[] = {{"lru 4 x 2", MMU_LRU, 4, 2},          {"lru 16 x 4", MMU_LRU, 16, 4},
		     {"tree 4 x 2", MMU_TREE_PLRU, 4, 2},   {"tree 1 x 16", MMU_TREE_PLRU, 1, 16},
		     {"tree 8 x 12", MMU_TREE_PLRU, 8, 12}, {"fifo 16 x 4", MMU_FIFO, 16, 4},
		     {"random 8 x 4", MMU_RANDOM, 8, 4}};

	for (unsigned n = 0; n < ARRAY_SIZE(forms); n++)
		for (unsigned shared = 0; shared < 2; shared++) {
			struct tlb_array_config a = {
			    .sets = forms[n].sets, .ways = forms[n].ways, .replace = forms[n].replace};
			struct cpu_preset preset = *cpu_preset_find("skylake");
			struct tlb_level_config l1 = {{a, a}};

			l1.array[0].sizes = shared ? 7 : 1;
			l1.array[1].sizes = 6;
			l1.array[1].ways *= !shared;
			preset.name = forms[n].name;
			preset.l1d = preset.l1i = l1;
			for (unsigned variant = HUGE; variant < NR_VARIANTS; variant++)
				compare(&preset, &preset, variant, MMU_WINDOW_DATA, true);
		}
}

/* Machines of two kinds on one stream. */
static void two_presets(void **state)
{
	const struct cpu_preset *zen3 = cpu_preset_find("zen3"), *skylake = cpu_preset_find("skylake"),
				*goldencove = cpu_preset_find("goldencove");

	for (unsigned variant = HUGE; variant < NR_VARIANTS; variant++) {
		compare(zen3, skylake, variant, MMU_WINDOW_DATA, true);
		compare(skylake, zen3, variant, MMU_WINDOW_DATA, true);
		compare(goldencove, skylake, variant, MMU_WINDOW_DATA, true);
	}
}

static void without_limits(void **state)
{
	const struct cpu_preset *skylake = cpu_preset_find("skylake");

	for (unsigned variant = 0; variant < NR_VARIANTS; variant++)
		compare(skylake, skylake, variant, MMU_WINDOW_SMALL, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_preset),
	    cmocka_unit_test(every_policy),
	    cmocka_unit_test(two_presets),
	    cmocka_unit_test(without_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
