/* SPDX-License-Identifier: MIT
 *
 * test/sim/heat.c - blocks of addresses: what a program does here and then stands there and then, adds up to what the
 * machines counted, and is bounded however much memory it uses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sim/heat.h"
#include "sim/timeline.h"
#include "test/sim/played.h"

#define BLOCK (2 * MIB)

static void next_slice(void)
{
	execute(TIMELINE_LENGTH);
}

/* The number of the block that holds va. */
static unsigned block_of(u64 va)
{
	unsigned i = 0;

	while (i < all.nr_blocks && (va < all.block[i].start || va >= all.block[i].start + all.block_bytes))
		i++;
	assert_true(i < all.nr_blocks);
	return i;
}

static u64 enters_of(const struct sim_block *b)
{
	u64 n = 0;

	for (unsigned i = 0; i < SIM_SLICES; i++)
		n += b->enters[i];
	return n;
}

/* Of programs with few events nothing is sampled: then the sums are exact. */
static void blocks_are_the_run(void)
{
	u64 enters = 0;

	for (unsigned i = 0; i < all.nr_blocks; i++)
		enters += enters_of(&all.block[i]);
	assert_int_equal(enters, all.program.events);
	for (unsigned k = 0; k < all.nr_machines; k++) {
		u64 walks[2] = {0}, faults[2] = {0}, in_pages[2] = {0};

		for (unsigned i = 0; i < all.nr_regions; i++) {
			walks[0] += all.machine[k].region[i].walks[0] + all.machine[k].region[i].walks[1];
			faults[0] += all.machine[k].region[i].faults;
		}
		for (unsigned i = 0; i < all.nr_blocks; i++) {
			const struct sim_block_result *b = &all.machine[k].block[i];

			walks[1] += b->walks;
			faults[1] += b->faults;
			for (unsigned page = 0; page < SIM_BLOCK_PAGES; page++) {
				in_pages[0] += b->walks_at[page];
				in_pages[1] += b->faults_at[page];
			}
		}
		assert_int_equal(walks[1], walks[0]);
		assert_int_equal(faults[1], faults[0]);
		assert_int_equal(in_pages[0], walks[0]);
		assert_int_equal(in_pages[1], faults[0]);
	}
}

/* Slice 0: all of the first block is written, a page of the second read. Slice 1: the second's other half is written. */
static void here_and_then(void **state)
{
	unsigned first, second;

	begin();
	tape_map(&tape, A, 2 * BLOCK, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, BLOCK, EVR_WRITE);
	tape_access(&tape, A + BLOCK + 7 * PAGE_SIZE, EVR_READ);
	next_slice();
	tape_sweep(&tape, A + BLOCK + BLOCK / 2, BLOCK / 2, EVR_WRITE);
	next_slice();
	play("4k;thp");
	blocks_are_the_run();
	assert_int_equal(all.block_bytes, BLOCK);
	first = block_of(A);
	second = block_of(A + BLOCK);
	assert_int_equal(all.block[first].enters[0], 512);
	assert_int_equal(all.block[first].enters[1], 0);
	assert_int_equal(all.block[second].enters[0], 1);
	assert_int_equal(all.block[second].enters[1], 256);
	for (unsigned page = 0; page < SIM_BLOCK_PAGES; page++) {
		bool touched = page == 7 || page >= 256;

		assert_int_equal(all.machine[0].block[first].faults_at[page], 1);
		assert_int_equal(all.machine[0].block[second].faults_at[page], touched);
		assert_int_equal(all.machine[0].block[second].walks_at[page] > 0, touched);
	}
	assert_int_equal(all.machine[0].block[first].page_bytes, PAGE_SIZE);
	assert_int_equal(all.machine[1].block[first].page_bytes, BLOCK);
	assert_int_equal(all.machine[1].block[first].faults, 1);
	end();
}

/* 16 GiB of which a page in each 2M is touched, upwards: blocks become larger, nothing is lost, all stays in its place. */
static void bounded(void **state)
{
	const u64 blocks = 8192;

	begin();
	tape_map(&tape, A, blocks * BLOCK, RW, MAP_PRIVATE);
	for (u64 i = 0; i < blocks; i++) {
		tape_access(&tape, A + i * BLOCK + (i % 512) * PAGE_SIZE, EVR_WRITE);
		if (i == blocks / 2)
			next_slice();
	}
	next_slice();
	play("4k;4k,ram=64M,swap=0");
	blocks_are_the_run();
	assert_int_equal(all.block_bytes, 8 * BLOCK);
	for (u64 va = A; va < A + blocks * BLOCK; va += all.block_bytes) {
		const struct sim_block *b = &all.block[block_of(va)];
		const struct sim_block_result *m = &all.machine[0].block[b - all.block];
		u64 early = va + all.block_bytes <= A + blocks * BLOCK / 2 ? 8 : va <= A + blocks * BLOCK / 2;

		assert_int_equal(b->start, va);
		assert_int_equal(b->enters[0], early);
		assert_int_equal(b->enters[1], 8 - early);
		assert_int_equal(m->faults, 8);
		for (unsigned i = 0; i < 8; i++) { /* 64 parts of the block are the 2M that were one */
			u64 n = 0;

			for (unsigned page = i * 64; page < i * 64 + 64; page++)
				n += m->faults_at[page];
			assert_int_equal(n, 1);
		}
	}
	end();
}

/* A million page enters and walks, as many in each of 16 blocks: samples stand for all, to a few per cent. */
static void samples(void **state)
{
	const unsigned n = 1000000;
	u64 rng = 1;

	begin();
	tape_map(&tape, A, 16 * BLOCK, RW, MAP_PRIVATE);
	for (unsigned i = 0; i < n; i++)
		tape_access(&tape, A + tape_random(&rng) % (16 * BLOCK), EVR_READ);
	play("4k;2m");
	assert_true(all.machine[0].count.mmu.walks[0] > 8 * HEAT_EXACT);
	for (unsigned i = 0; i < 16; i++) {
		unsigned b = block_of(A + i * BLOCK);

		assert_in_range(enters_of(&all.block[b]), all.program.events / 16 * 90 / 100,
				all.program.events / 16 * 110 / 100);
		assert_in_range(all.machine[0].block[b].walks, all.machine[0].count.mmu.walks[0] / 16 * 90 / 100,
				all.machine[0].count.mmu.walks[0] / 16 * 110 / 100);
	}
	end();
}

/* Nothing of a program that does not count, nor of what came before sim_restart(). */
static void what_counts(void **state)
{
	const char *const only[] = {"other"};

	begin();
	tape_map(&tape, A, BLOCK, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, BLOCK, EVR_WRITE);
	sim = tape_sim("4k", ",check=3");
	sim_select(sim, only, 1, NULL, 0);
	sim_feed(sim, 0, tape.word, tape.nr);
	sim_finish(sim, &all);
	assert_int_equal(all.nr_blocks, 0);
	sim_destroy(sim);

	sim = tape_sim("4k", ",check=3");
	sim_feed(sim, 0, tape.word, tape.nr);
	sim_restart(sim);
	tape.nr = 0;
	tape_sweep(&tape, A, 3 * PAGE_SIZE, EVR_READ);
	sim_feed(sim, 0, tape.word, tape.nr);
	sim_finish(sim, &all);
	assert_int_equal(all.nr_blocks, 1);
	assert_int_equal(enters_of(&all.block[0]), 3);
	assert_int_equal(all.machine[0].block[0].faults, 0);
	end();
}

/* Pages anywhere, of no area, from a thousand programs: taken as they come, within bounds. */
static void hostile(void **state)
{
	u64 rng = 7;
	char path[32];

	begin();
	for (unsigned program = 0; program < 1100; program++) {
		snprintf(path, sizeof(path), "/bin/program%u", program);
		tape_exec_path(&tape, 0x600000, path, program + 1);
		for (unsigned i = 0; i < 20; i++)
			tape_access(&tape, tape_random(&rng) >> (i % 2 * 17), EVR_READ);
	}
	play("4k,ram=64M");
	assert_true(all.nr_blocks <= HEAT_BLOCKS);
	end();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(here_and_then), cmocka_unit_test(bounded), cmocka_unit_test(samples),
	    cmocka_unit_test(what_counts),   cmocka_unit_test(hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
