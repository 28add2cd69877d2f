/* SPDX-License-Identifier: MIT
 *
 * test/sim/machines.c - several machines at once are the same as one by one; the same events give the same bytes, in
 * whatever pieces they come; and the recency window changes nothing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "test/sim/tape.h"

#define A          0x7ffe00000000ull
#define HEAP       0x555555560000ull
#define TEXT       0x400000ull
#define RW         (PROT_READ | PROT_WRITE)
#define FOUR       "4k;thp;2m;1g"
#define FOUR_ALONE "4k,kernel=off;thp,kernel=off;2m,kernel=off;1g,kernel=off"

static const struct window_shape small[2] = {{.pages = MMU_WINDOW_SMALL}, {.pages = MMU_WINDOW_SMALL}};

/* Sets of pages that a program alternates between: with a hot set, runs and far jumps. */
static u64 next_address(u64 *random, u64 bytes)
{
	u64 r = tape_random(random);

	switch (r % 8) {
	case 0:
		return A + (r >> 8) % bytes;
	case 1:
		return HEAP + (r >> 8) % (64 * PAGE_SIZE);
	case 2:
	case 3:
		return TAPE_STACK_TOP - 1 - (r >> 8) % (3 * PAGE_SIZE);
	default:
		return A + (r >> 8) % (24 * PAGE_SIZE);
	}
}

/* windows: its shapes; NULL: unfiltered. */
static void program(struct tape *t, const struct window_shape *windows)
{
	const u64 bytes = 24 * MIB;
	u64 random = 99;

	tape_init(t, !windows);
	if (windows)
		tape_windows(t, windows);
	tape_thread(t, 10, 10, 0);
	tape_exec(t, HEAP);
	tape_map_file(t, TEXT, 64 * PAGE_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE, 3, 64 * PAGE_SIZE, "/bin/prog");
	tape_range(t, EV_BRK, 0, HEAP, 64 * PAGE_SIZE);
	tape_map(t, A, bytes, RW, MAP_PRIVATE);
	for (unsigned i = 0; i < 200000; i++) {
		u64 va = next_address(&random, bytes);

		tape_access(t, va, tape_random(&random) % 3 ? EVR_READ : EVR_WRITE);
		if (i % 7 == 0)
			tape_access(t, TEXT + tape_random(&random) % (40 * PAGE_SIZE), EVR_FETCH);
		if (i % 5000 == 0)
			tape_range(t, EV_TOUCH, EVR_WRITE, va, 64);
		if (i % 20000 == 0)
			tape_range(t, EV_ADVISE, MADV_DONTNEED, A + i / 20000 * MIB, MIB);
		if (i == 100000)
			tape_fork(t, 11, 0);
	}
	tape_exit(t, EVX_EXIT);
}

static bool same_machine(const struct sim_machine_result *a, const struct sim_machine_result *b, unsigned nr_regions)
{
	struct sim_machine_result x = *a, y = *b;

	x.region = y.region = NULL;
	x.slice = y.slice = NULL;
	x.block = y.block = NULL;
	x.program_count = y.program_count = NULL;
	x.process_share = y.process_share = NULL;
	return memcmp(&x, &y, sizeof(x)) == 0 && memcmp(a->region, b->region, nr_regions * sizeof(*a->region)) == 0;
}

static struct sim *played(const struct tape *t, const char *machines, size_t piece, struct sim_result *r)
{
	struct sim *s = tape_sim(machines, ",ram=4G");

	for (size_t i = 0; i < t->nr; i += piece)
		assert_int_equal(sim_feed(s, 0, t->word + i, min(piece, t->nr - i)), 0);
	sim_finish(s, r);
	tape_sound(r);
	return s;
}

static void one_by_one(void **state)
{
	static const char *const one[] = {"4k", "thp", "2m", "1g"};
	struct sim_result all, alone;
	struct sim *s, *s1;
	struct tape t;

	program(&t, small);
	s = played(&t, FOUR, t.nr, &all);
	for (unsigned i = 0; i < 4; i++) {
		s1 = played(&t, one[i], t.nr, &alone);
		for (unsigned k = 0; k < alone.nr_regions; k++) {
			unsigned in_all = 0;

			while (memcmp(&all.region[in_all], &alone.region[k], sizeof(alone.region[k])) != 0)
				assert_true(++in_all < all.nr_regions);
			assert_memory_equal(&all.machine[i].region[in_all], &alone.machine[0].region[k],
					    sizeof(alone.machine[0].region[k]));
		}
		assert_true(same_machine(&all.machine[i], &alone.machine[0], 0));
		sim_destroy(s1);
	}
	assert_true(all.machine[0].count.mmu.walks[0] > all.machine[2].count.mmu.walks[0]);
	sim_destroy(s);
	tape_free(&t);
}

static void deterministic(void **state)
{
	struct sim_result a, b;
	struct sim *s1, *s2;
	struct tape t;

	program(&t, small);
	s1 = played(&t, FOUR, t.nr, &a);
	for (size_t piece = 1; piece <= 1000; piece = piece * 7 + 2) {
		s2 = played(&t, FOUR, piece, &b);
		assert_memory_equal(&a.program, &b.program, sizeof(a.program));
		assert_int_equal(a.nr_regions, b.nr_regions);
		assert_memory_equal(a.region, b.region, a.nr_regions * sizeof(*a.region));
		assert_memory_equal(a.machine[0].slice, b.machine[0].slice, a.nr_slices * sizeof(*a.machine->slice));
		for (unsigned i = 0; i < 4; i++)
			assert_true(same_machine(&a.machine[i], &b.machine[i], a.nr_regions));
		assert_int_equal(a.nr_slices, b.nr_slices);
		assert_memory_equal(a.machine[0].slice, b.machine[0].slice, a.nr_slices * sizeof(*a.machine->slice));
		sim_destroy(s2);
	}
	sim_destroy(s1);
	tape_free(&t);
}

/* The window's shapes for these machines; *kind 0: data, 1: instruction pages. */
static void shapes(const char *machines, struct window_shape shape[2])
{
	struct sim *s = tape_sim(machines, ",ram=1G");

	sim_window(s, shape);
	sim_destroy(s);
}

static void windows_fit(void **state)
{
	struct window_shape w[2];

	shapes("4k,cpu=zen4", w); /* 72 ways, 8 for the kernel's pages; code: 64 */
	assert_int_equal(w[0].pages, 64);
	assert_int_equal(w[1].pages, 56);
	shapes("4k,cpu=zen5", w); /* 96, of which 64 suffice; code: 64 */
	assert_int_equal(w[0].pages, 64);
	assert_int_equal(w[1].pages, 56);
	shapes("4k,cpu=zen3;thp,cpu=zen4", w);
	assert_int_equal(w[0].pages, 56);
	assert_int_equal(w[0].limit[0].most | w[0].limit[1].most | w[1].limit[0].most | w[1].limit[1].most, 0);
	shapes("4k,cpu=icelake", w);
	assert_memory_equal(&w[0], (&(struct window_shape){32, {{16, 2, 16}, {0, 0, 0}}}), sizeof(w[0]));
	shapes("thp,cpu=skylake", w); /* 16 sets of 4 and 8 of 4, tree-PLRU; code: 16 of 8 */
	assert_memory_equal(&w[0], (&(struct window_shape){32, {{16, 2, 16}, {8, 2, 8}}}), sizeof(w[0]));
	assert_memory_equal(&w[1], (&(struct window_shape){32, {{16, 2, 16}, {0, 0, 0}}}), sizeof(w[1]));
	shapes("4k,cpu=goldencove,hugepages=4", w); /* 16 sets of 6, LRU; 8 of 4, tree-PLRU; code: 32 of 8 */
	assert_memory_equal(&w[0], (&(struct window_shape){EV_WINDOW, {{16, 6, 16}, {8, 2, 8}}}), sizeof(w[0]));
	assert_memory_equal(&w[1], (&(struct window_shape){EV_WINDOW, {{32, 2, 32}, {0, 0, 0}}}), sizeof(w[1]));
	shapes("thp,cpu=goldencove,kpti=on;thp,cpu=zen3;4k,cpu=skylake", w);
	assert_memory_equal(&w[0], (&(struct window_shape){MMU_WINDOW_SMALL, {{16, 2, 1}, {8, 2, 1}}}), sizeof(w[0]));
	assert_memory_equal(&w[1], (&(struct window_shape){MMU_WINDOW_SMALL, {{16, 2, 1}, {0, 0, 0}}}), sizeof(w[1]));
}

/* What must not depend on the window: everything but how many events came. The kernel's own pages have no exact place
 * among those of a window (sim/cpu.c): without them. */
static void filtered_on(const char *machines)
{
	struct window_shape w[2];
	struct sim_result f, u;
	struct sim *s1, *s2;
	struct tape tf, tu;

	shapes(machines, w);
	program(&tf, w);
	program(&tu, NULL);
	s1 = played(&tf, machines, tf.nr, &f);
	s2 = played(&tu, machines, tu.nr, &u);
	assert_true(f.program.events < u.program.events * 9 / 10);
	assert_int_equal(f.nr_regions, u.nr_regions);
	for (unsigned i = 0; i < f.nr_machines; i++) {
		struct sim_machine_result *a = &f.machine[i], *b = &u.machine[i];

		assert_true(a->count.mmu.lookups[0] < b->count.mmu.lookups[0]);
		memcpy(a->count.mmu.lookups, b->count.mmu.lookups, sizeof(a->count.mmu.lookups));
		assert_true(same_machine(a, b, f.nr_regions));
	}
	sim_destroy(s1);
	sim_destroy(s2);
	tape_free(&tf);
	tape_free(&tu);
}

static void filtered(void **state)
{
	filtered_on(FOUR_ALONE);
	filtered_on("4k,kernel=off,cpu=skylake;thp,kernel=off,cpu=icelake");
	filtered_on("4k,kernel=off,cpu=goldencove;2m,kernel=off,cpu=goldencove");
	filtered_on("4k,kernel=off,cpu=zen2;thp,kernel=off,cpu=skylake");
}

/* With them it is near: those that were used both before and after an entry may be misplaced (mmu/tlb.h). */
static void nearly_filtered_by(const struct window_shape *windows)
{
	struct sim_result f, u;
	struct sim *s1, *s2;
	struct tape tf, tu;

	program(&tf, windows);
	program(&tu, NULL);
	s1 = played(&tf, FOUR, tf.nr, &f);
	s2 = played(&tu, FOUR, tu.nr, &u);
	for (unsigned i = 0; i < 4; i++) {
		const struct mmu_counters *a = &f.machine[i].count.mmu, *b = &u.machine[i].count.mmu;

		assert_true(a->l1_miss[0] > b->l1_miss[0] * 999 / 1000 && a->l1_miss[0] < b->l1_miss[0] * 1001 / 1000);
		assert_true(a->walks[0] > b->walks[0] * 999 / 1000 && a->walks[0] < b->walks[0] * 1001 / 1000 + 2);
		assert_memory_equal(f.machine[i].count.os.faults, u.machine[i].count.os.faults,
				    sizeof(f.machine[i].count.os.faults));
	}
	sim_destroy(s1);
	sim_destroy(s2);
	tape_free(&tf);
	tape_free(&tu);
}

static void nearly_filtered(void **state)
{
	struct window_shape w[2];

	shapes(FOUR, w);
	nearly_filtered_by(small);
	nearly_filtered_by(w);
}

/* Regions and the kernel share out all walks and their steps, and all faults: nothing is lost and nothing is counted
 * twice. */
static void regions_add_up(void **state)
{
	struct sim_result r;
	struct sim *s;
	struct tape t;

	program(&t, small);
	s = played(&t, FOUR, t.nr, &r);
	for (unsigned i = 0; i < r.nr_machines; i++) {
		const struct sim_machine_result *m = &r.machine[i];
		u64 walks[2] = {m->count.kernel_walks[0], m->count.kernel_walks[1]}, faults = 0, all_faults = 0;
		u64 steps = m->count.kernel_walk_steps, levels = 0;

		for (unsigned k = 0; k < r.nr_regions; k++) {
			walks[0] += m->region[k].walks[0];
			walks[1] += m->region[k].walks[1];
			steps += m->region[k].walk_steps;
			faults += m->region[k].faults;
		}
		for (unsigned k = 0; k < VM_FAULT_NR; k++)
			all_faults += m->count.os.faults[k];
		assert_int_equal(walks[0], m->count.mmu.walks[0]);
		assert_int_equal(walks[1], m->count.mmu.walks[1]);
		for (unsigned level = X86_PT; level <= X86_PML5; level++)
			levels += m->count.mmu.walk_steps[level];
		assert_int_equal(steps, m->count.mmu.walk_steps[0]);
		assert_int_equal(steps, levels);
		assert_int_equal(faults, all_faults);
	}
	sim_destroy(s);
	tape_free(&t);
}

/* Zen 3: uniformly random reads over N pages miss the L2 TLB with probability 1 - 2048/N, the L1 with 1 - 64/N. */
static void random_reads(void **state)
{
	const u64 pages = 16384, reads = 1000000;
	u64 random = 5;
	struct sim_result a, b;
	struct sim *s1, *s2;
	struct tape t;
	double l1, l2;

	tape_begin(&t, 1, HEAP);
	tape_map(&t, A, pages * PAGE_SIZE, RW, MAP_PRIVATE);
	tape_sweep(&t, A, pages * PAGE_SIZE, EVR_WRITE);
	s1 = played(&t, "4k", t.nr, &a);
	for (u64 i = 0; i < reads; i++)
		tape_access(&t, A + tape_random(&random) % pages * PAGE_SIZE, EVR_READ);
	s2 = played(&t, "4k", t.nr, &b);
	l1 = (double)(b.machine[0].count.mmu.l1_miss[0] - a.machine[0].count.mmu.l1_miss[0]) / reads;
	l2 = (double)(b.machine[0].count.mmu.l2_miss[0] - a.machine[0].count.mmu.l2_miss[0]) / reads;
	assert_true(l1 > 0.99 * (1 - 64.0 / pages) && l1 < 1.01 * (1 - 64.0 / pages));
	assert_true(l2 > 0.99 * (1 - 2048.0 / pages) && l2 < 1.01 * (1 - 2048.0 / pages));
	sim_destroy(s1);
	sim_destroy(s2);
	tape_free(&t);
}

static void counts(void **state)
{
	struct sim_result r;
	struct sim *s = tape_sim("4k", ",ram=64M");
	struct tape t;

	tape_init(&t, false);
	tape_thread(&t, 1, 1, 0);
	tape_counts(&t, 100, 50, 10);
	tape_counts(&t, 150, 70, 12);
	assert_int_equal(sim_feed(s, 0, t.word, t.nr), 0);
	tape_free(&t);
	tape_init(&t, false);
	tape_thread(&t, 1, 2, 0);
	tape_counts(&t, 1000, 500, 100);
	assert_int_equal(sim_feed(s, 1, t.word, t.nr), 0);
	sim_finish(s, &r);
	assert_int_equal(r.program.instructions, 1150);
	assert_int_equal(r.program.data_accesses, 570);
	assert_int_equal(r.program.fetch_page_changes, 112);
	sim_destroy(s);
	tape_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_by_one),   cmocka_unit_test(deterministic),   cmocka_unit_test(windows_fit),
	    cmocka_unit_test(filtered),     cmocka_unit_test(nearly_filtered), cmocka_unit_test(regions_add_up),
	    cmocka_unit_test(random_reads), cmocka_unit_test(counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
