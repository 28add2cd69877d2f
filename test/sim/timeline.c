/* SPDX-License-Identifier: MIT
 *
 * test/sim/timeline.c - the run in slices: what a program does by turns stands in the slices of those turns, and all
 * slices together are the whole run's figures, however long it is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "sim/timeline.h"
#include "test/sim/played.h"

/* Counts add up, and the largest of all slices is the peak. */
static void slices_are_the_run(void)
{
	assert_int_equal(all.slice_end[all.nr_slices - 1], all.program.instructions);
	for (unsigned k = 0; k < all.nr_machines; k++) {
		const struct machine_counters *c = &all.machine[k].count;
		struct sim_slice sum = {0};
		u64 faults = 0;

		for (unsigned i = 0; i < all.nr_slices; i++) {
			const struct sim_slice *at = &all.machine[k].slice[i];

			assert_true(i == 0 || all.slice_end[i - 1] < all.slice_end[i]);
			sum.faults += at->faults;
			sum.walks += at->walks;
			sum.rss_bytes = max(sum.rss_bytes, at->rss_bytes);
			sum.lazyfree_bytes = max(sum.lazyfree_bytes, at->lazyfree_bytes);
			sum.areas = max(sum.areas, at->areas);
		}
		for (unsigned cause = 0; cause < VM_FAULT_NR; cause++)
			faults += c->os.faults[cause];
		assert_int_equal(sum.faults, faults);
		assert_int_equal(sum.walks,
				 c->mmu.walks[0] + c->mmu.walks[1] + c->mmu.walk_faults[0] + c->mmu.walk_faults[1]);
		assert_int_equal(sum.rss_bytes, c->peak_rss_bytes);
		assert_int_equal(sum.lazyfree_bytes, c->most_lazyfree_bytes);
		assert_int_equal(sum.areas, c->peak_areas);
	}
}

/* Four turns of 100,000 instructions: 8 MiB are written, given back lazily, unmapped, and nothing. */
static void turns(void **state)
{
	const u64 huge[2] = {0, 8 * MIB};
	u64 before, areas;

	begin();
	execute(100000);
	tape_map(&tape, A, 8 * MIB, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, 8 * MIB, EVR_WRITE);
	execute(100000);
	tape_range(&tape, EV_ADVISE, MADV_FREE, A, 8 * MIB);
	execute(100000);
	tape_range(&tape, EV_UNMAP, 0, A, 8 * MIB);
	execute(100000);
	execute(99000);
	execute(1000); /* no slice of its own */
	play("4k;thp");
	slices_are_the_run();
	assert_int_equal(all.nr_slices, 5);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(all.slice_end[i], (i + 1) * 100000);
	for (unsigned k = 0; k < 2; k++) {
		const struct sim_slice *s = all.machine[k].slice;

		before = s[0].rss_bytes;
		areas = s[0].areas;
		assert_true(before < MIB);
		for (unsigned i = 1; i <= 3; i++) {
			assert_int_equal(s[i].rss_bytes, before + 8 * MIB);
			assert_int_equal(s[i].huge_bytes, huge[k]);
			assert_int_equal(s[i].areas, areas + 1);
			assert_int_equal(s[i].lazyfree_bytes,
					 i == 1 || k == 1 ? 0 : 8 * MIB); /* mm/ frees 4K pages so */
		}
		assert_int_equal(s[4].rss_bytes, before);
		assert_int_equal(s[4].huge_bytes, 0);
		assert_int_equal(s[4].areas, areas);
		assert_int_equal(s[1].faults, k == 0 ? 2048 : 4);
		assert_int_equal(s[2].faults + s[3].faults + s[4].faults, 0);
	}
	end();
}

/* 5,000 turns and more: half as many slices or more, each of about one length, and a burst stays in its place. */
static void long_run(void **state)
{
	const unsigned turns = 5000, burst = 3333;

	begin();
	tape_map(&tape, A, 8 * MIB, RW, MAP_PRIVATE);
	for (unsigned i = 0; i < turns; i++) {
		if (i == burst)
			tape_sweep(&tape, A, 8 * MIB, EVR_WRITE);
		execute(TIMELINE_LENGTH);
	}
	play("4k");
	slices_are_the_run();
	assert_in_range(all.nr_slices, TIMELINE_SLICES / 2, TIMELINE_SLICES - 1);
	for (unsigned i = 0; i + 2 < all.nr_slices; i++) {
		u64 start = i ? all.slice_end[i - 1] : 0, last = all.slice_end[i];
		bool there = start <= (u64)burst * TIMELINE_LENGTH && (u64)burst * TIMELINE_LENGTH < last;

		assert_int_equal(last - start, 32 * TIMELINE_LENGTH);
		assert_int_equal(all.machine[0].slice[i].faults >= 2048, there);
	}
	end();
}

/* Where counts are rare slices are as long as these are apart, and no longer, however many short ones follow. */
static void rare_counts(void **state)
{
	const u64 rare = 500;

	begin();
	for (unsigned i = 0; i < 20; i++)
		execute(rare * TIMELINE_LENGTH);
	for (unsigned i = 0; i < 20000; i++)
		execute(TIMELINE_LENGTH);
	play("4k");
	slices_are_the_run();
	assert_in_range(all.nr_slices, TIMELINE_SLICES / 4, TIMELINE_SLICES - 1);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(all.slice_end[i], (i + 1) * rare * TIMELINE_LENGTH);
	end();
}

/* Swap fills while a program sweeps more memory than there is. */
static void swap(void **state)
{
	const struct sim_slice *s;

	begin();
	tape_map(&tape, A, 64 * MIB, RW, MAP_PRIVATE);
	execute(100000);
	for (unsigned i = 0; i < 4; i++) {
		tape_sweep(&tape, A + i * 16 * MIB, 16 * MIB, EVR_WRITE);
		execute(100000);
	}
	play("4k,ram=32M");
	slices_are_the_run();
	s = all.machine[0].slice;
	assert_int_equal(s[1].swap_bytes, 0);
	assert_true(s[4].swap_bytes > s[3].swap_bytes && s[4].rss_bytes < 32 * MIB);
	assert_in_range(s[4].swap_bytes + s[4].rss_bytes, 64 * MIB, all.machine[0].count.peak_swap_bytes + 32 * MIB);
	end();
}

/* Nothing of what came before sim_restart(); a report in the midst of a run changes nothing of the last. */
static void restart_and_reports(void **state)
{
	begin();
	tape_map(&tape, A, 8 * MIB, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, 4 * MIB, EVR_WRITE);
	execute(100000);
	sim = tape_sim("4k", ",check=3");
	sim_feed(sim, 0, tape.word, tape.nr);
	sim_restart(sim);
	tape.nr = 0;
	tape_sweep(&tape, A + 4 * MIB, 2 * MIB, EVR_WRITE);
	execute(100000);
	tape_sweep(&tape, A + 6 * MIB, 1 * MIB, EVR_WRITE);
	sim_feed(sim, 0, tape.word, tape.nr);
	for (unsigned i = 0; i < 3; i++)
		sim_finish(sim, &all);
	slices_are_the_run();
	assert_int_equal(all.nr_slices, 1);
	assert_int_equal(all.slice_end[0], 100000);
	assert_int_equal(all.machine[0].slice[0].faults, 3 * MIB / PAGE_SIZE);
	assert_true(all.machine[0].slice[0].rss_bytes >= 7 * MIB);
	end();
}

/* A program of no instructions that anybody counted is one slice. */
static void no_counts(void **state)
{
	begin();
	tape_map(&tape, A, 8 * MIB, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, 8 * MIB, EVR_WRITE);
	play("4k");
	slices_are_the_run();
	assert_int_equal(all.nr_slices, 1);
	end();
}

/* A stopped machine's slices end with it; the other's go on. */
static void stopped(void **state)
{
	begin();
	tape_map(&tape, A, 64 * MIB, RW, MAP_PRIVATE);
	for (unsigned i = 0; i < 4; i++) {
		tape_sweep(&tape, A + i * 16 * MIB, 16 * MIB, EVR_WRITE);
		execute(100000);
	}
	tape_exit(&tape, EVX_EXIT);
	sim = tape_sim("4k,ram=1G;4k,ram=32M,swap=0", ",check=1");
	sim_feed(sim, 0, tape.word, tape.nr);
	sim_finish(sim, &all);
	slices_are_the_run();
	assert_int_equal(all.machine[1].slice[3].rss_bytes, 0);
	assert_true(all.machine[0].slice[3].rss_bytes >= 64 * MIB);
	end();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(turns),
	    cmocka_unit_test(long_run),
	    cmocka_unit_test(rare_counts),
	    cmocka_unit_test(swap),
	    cmocka_unit_test(restart_and_reports),
	    cmocka_unit_test(no_counts),
	    cmocka_unit_test(stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
