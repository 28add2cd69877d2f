/* SPDX-License-Identifier: MIT
 *
 * test/mmu/window.c - a stream filtered by the recency window against the same stream whole.
 *
 * The test has its own producer, written from trace/event.h's words: the K data pages and the K instruction pages
 * used most recently, exactly; an access to one of them sends nothing, but for the first write after reads. Both
 * streams go to a CPU of their own, with page tables of their own, and must then have counted the same misses, walks,
 * steps and rewalks where mmu.h claims exactness: LRU arrays whose sets hold at least K entries (L1; L2 sees L1's
 * misses, so any). Elsewhere (4-way sets, tree-PLRU) the difference is printed, and bounded.
 */
#include "test/mmu/computer.h"

#define PAGES 4096 /* 4K pages from va 0; the last half may lie in 2M pages */

struct window {
	u64 vpn[MMU_WINDOW_DATA]; /* most recent first */
	bool written[MMU_WINDOW_DATA];
	unsigned slot[MMU_WINDOW_DATA], used, base, pages;
};

struct pair {
	struct computer whole, filtered;
	struct window window[2];
	u64 sent, accesses;
};

static void send(struct pair *p, u64 va, unsigned access, unsigned slot)
{
	struct mmu_result r;

	p->sent++;
	assert_int_equal(mmu_access(p->filtered.cpu, va, access, slot, &r), MMU_OK);
}

static void produce(struct pair *p, u64 va, unsigned access)
{
	struct window *w = &p->window[access == MMU_FETCH];
	unsigned at = 0, slot;
	bool write = access == MMU_WRITE, hit, written;

	while (at < w->used && w->vpn[at] != va >> 12)
		at++;
	hit = at < w->used;
	if (!hit && w->used < w->pages)
		w->slot[w->used++] = w->base + at;
	else if (!hit)
		at = w->pages - 1;
	slot = w->slot[at];
	written = hit && w->written[at];
	memmove(&w->vpn[1], &w->vpn[0], at * sizeof(w->vpn[0]));
	memmove(&w->written[1], &w->written[0], at * sizeof(w->written[0]));
	memmove(&w->slot[1], &w->slot[0], at * sizeof(w->slot[0]));
	w->vpn[0] = va >> 12;
	w->slot[0] = slot;
	w->written[0] = written || write;
	if (!hit || (write && !written))
		send(p, va, access, slot);
}

/* A long event: the window is emptied on both sides. */
static void empty(struct pair *p)
{
	p->window[0].used = p->window[1].used = 0;
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

enum variant { PLAIN, HUGE, EMPTIED, CONFLICTS, NR_VARIANTS };
static const char *const variant_names[] = {"plain", "huge", "emptied", "conflicts"};

/* Programs in miniature: a stack that is always there, loops, a strided sweep, a table hit at random, some skew.
 * CONFLICTS: twelve pages of one set. */
static u64 next_va(u64 *seed, enum variant variant, unsigned phase, unsigned n)
{
	u64 a = rnd(seed) % PAGES, b = rnd(seed) % PAGES, few = rnd(seed) % 200;

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

static void stream(struct pair *p, const struct cpu_preset *preset, enum variant variant, unsigned window)
{
	u64 seed = 5;

	memset(p, 0, sizeof(*p));
	p->window[1].base = MMU_WINDOW_DATA;
	p->window[0].pages = p->window[1].pages = window;
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

static bool level_exact(const struct tlb_level_config *l, unsigned window)
{
	for (unsigned n = 0; n < MMU_MAX_ARRAYS && l->array[n].ways; n++)
		if (l->array[n].replace != MMU_LRU || l->array[n].ways < window)
			return false;
	return true;
}

static double deviation(u64 whole, u64 filtered)
{
	return whole ? ((double)filtered - whole) / whole : 0;
}

static void compare(const struct cpu_preset *preset, enum variant variant, unsigned window)
{
	bool exact = level_exact(&preset->l1d, window) && level_exact(&preset->l1i, window) && variant != EMPTIED;
	double above = exact ? 0 : 0.05, below = exact ? 0 : variant == CONFLICTS ? 0.5 : 0.05;
	const struct mmu_counters *a, *b;
	struct pair p;

	stream(&p, preset, variant, window);
	a = mmu_counters(p.whole.cpu);
	b = mmu_counters(p.filtered.cpu);
	print_message("%-11s %-9s window %u sends %4.1f %%; data L1 misses %+.3f %% L2 %+.3f %%; code L1 %+.3f %% L2 "
		      "%+.3f %%%s\n",
		      preset->name, variant_names[variant], window, 100.0 * p.sent / p.accesses,
		      100 * deviation(a->l1_miss[0], b->l1_miss[0]), 100 * deviation(a->l2_miss[0], b->l2_miss[0]),
		      100 * deviation(a->l1_miss[1], b->l1_miss[1]), 100 * deviation(a->l2_miss[1], b->l2_miss[1]),
		      exact ? ", exact" : "");
	for (unsigned kind = 0; kind < 2; kind++) {
		double l1 = deviation(a->l1_miss[kind], b->l1_miss[kind]);
		double l2 = deviation(a->l2_miss[kind], b->l2_miss[kind]);

		assert_true(a->l1_miss[kind] > 500 && a->l2_miss[0] > 1000);
		assert_true(l1 >= -below && l1 <= above && l2 >= -below && l2 <= above);
	}
	if (exact) {
		assert_memory_equal(a->walk_steps, b->walk_steps, sizeof(a->walk_steps));
		assert_memory_equal(a->rewalks, b->rewalks, sizeof(a->rewalks));
		assert_memory_equal(p.whole.ram, p.filtered.ram, p.whole.tables_bytes);
	}
	pair_free(&p);
}

static void every_preset(void **state)
{
	for (const struct cpu_preset *preset = cpu_presets; preset->name; preset++)
		for (unsigned variant = 0; variant < NR_VARIANTS; variant++)
			for (unsigned window = MMU_WINDOW_SMALL; window <= cpu_preset_window(preset); window *= 2)
				compare(preset, variant, window);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_preset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
