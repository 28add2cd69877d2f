/* SPDX-License-Identifier: MIT
 *
 * test/sim/calls.c - system calls whose effect the machines see: advice of every kind, msync.
 *
 * The counts are Linux's for these calls (the manual pages; getrusage on kernel 6.18).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "test/sim/tape.h"

#define RW    (PROT_READ | PROT_WRITE)
#define A     0x7f0000000000ull
#define PID   100
#define PAGES 4096
#define SIZE  (PAGES * PAGE_SIZE)

static struct tape tape;
static struct sim *sim;
static struct sim_result all;

static void begin(void)
{
	tape_init(&tape, false);
	tape_thread(&tape, PID, PID, 0);
	tape_exec(&tape, 0x600000);
}

static void play(const char *machines)
{
	sim = tape_sim(machines, ",check=1,oracle=1");
	assert_int_equal(sim_feed(sim, 0, tape.word, tape.nr), 0);
	sim_finish(sim, &all);
	assert_int_equal(all.program.malformed, 0);
	for (unsigned i = 0; i < all.nr_machines; i++) {
		assert_string_equal(all.machine[i].error, "");
		assert_int_equal(all.machine[i].count.mismatches, 0);
	}
}

static void end(void)
{
	sim_destroy(sim);
	tape_free(&tape);
}

/* MADV_COLLAPSE asks for no setting: every machine that has small pages there makes huge ones of them. */
static void collapse(void **state)
{
	begin();
	tape_map(&tape, A, SIZE, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, SIZE, EVR_WRITE);
	tape_range(&tape, EV_ADVISE, 25 /* MADV_COLLAPSE */, A, SIZE);
	tape_sweep(&tape, A, SIZE, EVR_READ);
	play("4k;madvise;thp");
	assert_int_equal(all.machine[0].count.os.thp_collapse, SIZE / (2 * MIB));
	assert_int_equal(all.machine[1].count.os.thp_collapse, SIZE / (2 * MIB));
	assert_int_equal(all.machine[2].count.os.thp_collapse, 0);
	for (unsigned i = 0; i < all.nr_machines; i++)
		assert_int_equal(all.machine[i].region[0].peak_huge_bytes, SIZE);
	end();
}

/* MADV_PAGEOUT: out at once, and in again when used. After MADV_COLD nothing leaves, as RAM is not short. */
static void pageout(void **state)
{
	begin();
	tape_map(&tape, A, SIZE, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, SIZE, EVR_WRITE);
	tape_range(&tape, EV_ADVISE, MADV_COLD, A, SIZE);
	tape_sweep(&tape, A, SIZE, EVR_READ);
	tape_range(&tape, EV_ADVISE, MADV_PAGEOUT, A, SIZE / 2);
	tape_sweep(&tape, A, SIZE, EVR_READ);
	play("4k;thp");
	for (unsigned i = 0; i < all.nr_machines; i++) {
		assert_int_equal(all.machine[i].count.os.swap_outs, PAGES / 2);
		assert_int_equal(all.machine[i].count.os.swap_ins, PAGES / 2);
	}
	end();
}

/* MADV_REMOVE: a hole in the shared memory: each page is a new one. The advice that is about no memory does nothing. */
static void removed(void **state)
{
	begin();
	tape_map(&tape, A, SIZE, RW, MAP_SHARED);
	tape_sweep(&tape, A, SIZE, EVR_WRITE);
	tape_range(&tape, EV_ADVISE, MADV_REMOVE, A, SIZE);
	tape_range(&tape, EV_ADVISE, MADV_MERGEABLE, A, SIZE);
	tape_range(&tape, EV_ADVISE, MADV_SEQUENTIAL, A, SIZE);
	tape_range(&tape, EV_ADVISE, MADV_WILLNEED, A, SIZE);
	tape_sweep(&tape, A, SIZE / 2, EVR_WRITE);
	play("4k");
	assert_int_equal(all.machine[0].count.os.faults[VM_FAULT_FILE], PAGES + PAGES / 2);
	assert_int_equal(all.machine[0].count.peak_rss_bytes, SIZE);
	end();
}

/* msync writes what is dirty and takes the right to write from the entries, so that the next write is seen: a fault for
 * each page. Of shared memory without a disk it does nothing. */
static void synced(void **state)
{
	for (unsigned shmem = 0; shmem < 2; shmem++) {
		begin();
		tape_map_file(&tape, A, SIZE, RW, MAP_SHARED, 7, SIZE, shmem ? "/memfd:x (deleted)" : "/home/x");
		tape_sweep(&tape, A, SIZE, EVR_WRITE);
		tape_range(&tape, EV_SYNC, MS_SYNC, A, SIZE);
		tape_sweep(&tape, A, SIZE, EVR_WRITE);
		play("4k");
		assert_int_equal(all.machine[0].count.os.file_writes, shmem ? 0 : PAGES);
		assert_int_equal(all.machine[0].count.os.faults[VM_FAULT_FILE], PAGES);
		assert_int_equal(all.machine[0].count.os.faults[VM_FAULT_COW_REUSE], shmem ? 0 : PAGES);
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(collapse),
	    cmocka_unit_test(pageout),
	    cmocka_unit_test(removed),
	    cmocka_unit_test(synced),
	};

	return cmocka_run_group_tests_name("system calls that the machines see", tests, NULL, NULL);
}
