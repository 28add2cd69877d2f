/* SPDX-License-Identifier: MIT
 *
 * test/sim/memory.c - simulated machines with less RAM than the program uses: what a device's model adds up to,
 * policies beside each other, huge pages that are split to be swapped, and processes that the OOM killer ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "machine/device.h"
#include "test/sim/played.h"

/* Figures of the data sheets, by hand: 85 us + 4096 B / 3.2 GB/s = 1280 ns, and so on. */
static void devices(void **state)
{
	struct cost_table t;

	cost_table_make(&t, "zen3", NULL);
	assert_int_equal(bill_device_ns(&t, swap_device_find("nvme"), false, 1, 1).most, 85000 + 1280);
	assert_int_equal(bill_device_ns(&t, swap_device_find("sata"), false, 2, 8).least, 220000 + 65536);
	assert_int_equal(bill_device_ns(&t, swap_device_find("hdd"), false, 1, 1).most, 11560000 + 16449);
	assert_int_equal(bill_device_ns(&t, swap_device_find("zram"), true, 1, 1).least, 5251);
	assert_string_equal(swap_device_files(swap_device_find("zram"))->name, "nvme");
	assert_null(swap_device_find("tape"));
}

/* The same random reads under every policy and on two devices: all get through, the waiting is the counts times the
 * model, and nothing is lost: what is in memory and in swap at the end is at least the program. */
static void random_reads(void **state)
{
	u64 rng = 1;

	begin();
	tape_map(&tape, A, 64 * MIB, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, 64 * MIB, EVR_WRITE);
	for (unsigned i = 0; i < 60000; i++)
		tape_access(&tape, A + tape_random(&rng) % (64 * MIB), EVR_READ);
	play("4k,ram=32M;4k,ram=32M,reclaim=mglru;4k,ram=32M,reclaim=clock;4k,ram=32M,reclaim=fifo;"
	     "4k,ram=32M,reclaim=random;4k,ram=32M,swap-device=hdd;4k,ram=32M,swap-device=zram;4k,ram=1G");
	for (unsigned i = 0; i < 7; i++) {
		const struct sim_machine_result *m = &all.machine[i];
		const struct swap_device *dev = m->cfg.swap_device;

		assert_int_equal(m->count.os.faults[VM_FAULT_ZERO_WRITE], 64 * MIB / PAGE_SIZE);
		assert_true(m->count.os.major_faults > 20000 && m->count.os.major_faults < 60000);
		assert_int_equal(m->count.os.major_faults, m->count.os.swap_requests);
		assert_true(m->count.os.swap_ins >= m->count.os.swap_requests);
		assert_true(m->count.os.swap_ra_hits <= m->count.os.swap_ins - m->count.os.swap_requests);
		assert_int_equal(
		    m->count.io_wait_ns,
		    bill_device_ns(&m->cost, dev, false, m->count.os.swap_requests, m->count.os.swap_ins).most);
		assert_int_equal(
		    m->count.io_write_ns,
		    bill_device_ns(&m->cost, dev, true, m->count.os.swap_outs, m->count.os.swap_outs).most);
		assert_true(m->count.peak_rss_bytes < 32 * MIB && m->count.peak_rss_bytes > 28 * MIB);
		assert_true(m->count.peak_rss_bytes + m->count.peak_swap_bytes >= 64 * MIB);
		assert_int_equal(m->count.os.oom_kills, 0);
	}
	assert_true(all.machine[5].count.io_wait_ns > 50 * all.machine[0].count.io_wait_ns);
	assert_int_equal(all.machine[7].count.os.major_faults, 0);
	assert_int_equal(all.machine[7].count.os.swap_outs, 0);
	end();
}

/* One sweep after the other, upwards: read-ahead brings what comes next. */
static void sequential_reads(void **state)
{
	begin();
	tape_map(&tape, A, 64 * MIB, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, 64 * MIB, EVR_WRITE);
	tape_sweep(&tape, A, 64 * MIB, EVR_READ);
	play("4k,ram=32M");
	assert_true(all.machine[0].count.os.swap_ra_hits > 10000);
	assert_true(all.machine[0].count.os.major_faults < 3000);
	assert_int_equal(all.machine[0].count.os.faults[VM_FAULT_SWAP], 64 * MIB / PAGE_SIZE);
	end();
}

/* The program locks 8 MiB and sweeps 64 beside them: what is locked comes once, in the call, and never again, whatever
 * the policy. Unlocked it leaves like the rest. */
static void locked(void **state)
{
	const u64 pages = 8 * MIB / PAGE_SIZE, other = A + 1024 * MIB, swept = 64 * MIB / PAGE_SIZE;

	for (unsigned unlocked = 0; unlocked < 2; unlocked++) {
		begin();
		tape_map(&tape, A, 8 * MIB, RW, MAP_PRIVATE);
		tape_map(&tape, other, 64 * MIB, RW, MAP_PRIVATE);
		tape_range(&tape, EV_LOCK, EVL_LOCK, A, 8 * MIB);
		if (unlocked)
			tape_range(&tape, EV_LOCK, EVL_UNLOCK, A, 8 * MIB);
		tape_sweep(&tape, other, 64 * MIB, EVR_WRITE);
		tape_sweep(&tape, A, 8 * MIB, EVR_WRITE);
		play("4k,ram=32M;4k,ram=32M,reclaim=mglru;4k,ram=32M,reclaim=clock;4k,ram=32M,reclaim=fifo");
		for (unsigned i = 0; i < all.nr_machines; i++) {
			assert_int_equal(all.machine[i].count.os.populated[VM_FAULT_ZERO_WRITE], pages);
			assert_int_equal(all.machine[i].count.os.faults[VM_FAULT_ZERO_WRITE], swept);
			assert_int_equal(all.machine[i].count.os.faults[VM_FAULT_SWAP], unlocked ? pages : 0);
		}
		end();
	}
}

/* mlockall(MCL_FUTURE), then MCL_CURRENT for what was there before, then none. */
static void locked_all(void **state)
{
	begin();
	tape_map(&tape, A, MIB, RW, MAP_PRIVATE);
	tape_range(&tape, EV_LOCK, EVL_ALL | MCL_FUTURE, 0, 0);
	tape_map(&tape, A + MIB, MIB, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, MIB / 2, EVR_WRITE);
	tape_range(&tape, EV_LOCK, EVL_ALL | MCL_CURRENT, 0, 0);
	tape_range(&tape, EV_LOCK, EVL_ALL, 0, 0);
	tape_map(&tape, A + 2 * MIB, MIB, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, 3 * MIB, EVR_WRITE);
	play("4k");
	assert_int_equal(all.machine[0].count.os.faults[VM_FAULT_ZERO_WRITE], (MIB / 2 + MIB) / PAGE_SIZE);
	assert_true(all.machine[0].count.os.populated[VM_FAULT_ZERO_WRITE] >= (MIB + MIB / 2) / PAGE_SIZE);
	end();
}

/* Pages that were read back and not written need no second write. */
static void clean_pages_are_dropped(void **state)
{
	begin();
	tape_map(&tape, A, 48 * MIB, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, 48 * MIB, EVR_WRITE);
	for (unsigned i = 0; i < 3; i++)
		tape_sweep(&tape, A, 48 * MIB, EVR_READ);
	play("4k,ram=32M,swap=256M");
	assert_true(all.machine[0].count.os.swap_ins > 3 * 48 * MIB / PAGE_SIZE / 2);
	assert_true(all.machine[0].count.os.swap_outs >= 48 * MIB / PAGE_SIZE / 2 &&
		    all.machine[0].count.os.swap_outs <= 48 * MIB / PAGE_SIZE);
	end();
}

/* Huge pages are split before they go; the regions' figures follow. */
static void huge_pages_split(void **state)
{
	begin();
	tape_map(&tape, A, 64 * MIB, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, 64 * MIB, EVR_WRITE);
	tape_sweep(&tape, A, 64 * MIB, EVR_READ);
	play("thp,ram=32M;2m,ram=32M");
	for (unsigned i = 0; i < 2; i++) {
		assert_true(all.machine[i].count.os.thp_split >= 8);
		assert_true(all.machine[i].count.os.swap_ins > 0);
		assert_true(all.machine[i].count.peak_rss_bytes < 32 * MIB);
	}
	end();
}

/* What was written before it was advised is made of huge pages by khugepaged: 16 MiB every ten seconds, at 3 GHz and an
 * instruction a cycle. What was touched before counts as touched after. */
static void khugepaged(void **state)
{
	begin();
	tape_map(&tape, A, 24 * MIB, RW, MAP_PRIVATE);
	for (u64 at = 0; at < 24 * MIB; at += 2 * PAGE_SIZE)
		tape_access(&tape, A + at, EVR_WRITE);
	tape_range(&tape, EV_ADVISE, MADV_HUGEPAGE, A, 24 * MIB);
	tape_access(&tape, A, EVR_READ);
	tape_counts(&tape, 29000000000ull, 0, 0);
	tape_access(&tape, A + 8 * MIB, EVR_READ);
	tape_counts(&tape, 31000000000ull, 0, 0);
	tape_access(&tape, A, EVR_READ);
	play("madvise;madvise,khugepaged=off;4k;madvise,ram=1G,cpus=2");
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(all.machine[i].count.os.thp_collapse, i == 1 || i == 2 ? 0 : 8);
	assert_int_equal(all.machine[1].count.peak_untouched_bytes, 0);
	assert_int_equal(all.machine[0].count.peak_untouched_bytes, 8 * MIB);
	assert_int_equal(all.machine[0].count.peak_rss_bytes, (16 + 4) * MIB);
	assert_int_equal(all.machine[0].count.os.faults[VM_FAULT_ZERO_WRITE], 24 * MIB / PAGE_SIZE / 2);
	end();
}

/* File pages go without swap: clean ones are dropped and read again, written ones are written back. */
static void files(void **state)
{
	begin();
	tape_map_file(&tape, A, 64 * MIB, RW, MAP_SHARED, 7, 64 * MIB, "/data");
	tape_sweep(&tape, A, 32 * MIB, EVR_WRITE);
	tape_sweep(&tape, A, 64 * MIB, EVR_READ);
	tape_sweep(&tape, A, 64 * MIB, EVR_READ);
	play("4k,ram=16M,swap=0");
	assert_int_equal(all.machine[0].count.os.file_writes, 32 * MIB / PAGE_SIZE);
	assert_true(all.machine[0].count.os.file_reads > 64 * MIB / PAGE_SIZE);
	assert_int_equal(all.machine[0].count.os.major_faults, all.machine[0].count.os.file_reads);
	assert_int_equal(all.machine[0].count.os.oom_kills, 0);
	end();
}

/* The child takes all memory and is killed; the parent, on the same machine, goes on; so does the child elsewhere. */
static void victim_ends_alone(void **state)
{
	struct tape child;
	char victim[40];

	snprintf(victim, sizeof(victim), "process %d was killed", PID + 1);
	begin();
	tape_map(&tape, A, 4 * MIB, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, 4 * MIB, EVR_WRITE);
	tape_fork(&tape, PID + 1, 0);
	tape_init(&child, false);
	tape_thread(&child, PID + 1, PID + 1, PID);
	tape_map(&child, A + 64 * MIB, 64 * MIB, RW, MAP_PRIVATE);
	tape_sweep(&child, A + 64 * MIB, 64 * MIB, EVR_WRITE);
	tape_fork(&child, PID + 2, 0);
	tape_range(&child, EV_UNMAP, 0, A + 64 * MIB, 64 * MIB);
	tape_exec(&child, 0x600000);
	tape_exit(&child, EVX_EXIT);
	sim = tape_sim("4k,ram=16M,swap=16M;4k,ram=256M", ",check=1");
	assert_int_equal(sim_feed(sim, 0, tape.word, tape.nr), 0);
	assert_int_equal(sim_feed(sim, 1, child.word, child.nr), 0);
	tape.nr = 0;
	tape_sweep(&tape, A, 4 * MIB, EVR_WRITE);
	tape_exit(&tape, EVX_EXIT);
	assert_int_equal(sim_feed(sim, 0, tape.word, tape.nr), 0);
	sim_finish(sim, &all);
	assert_int_equal(all.machine[0].count.os.oom_kills, 1);
	assert_non_null(strstr(all.machine[0].oom_note, victim));
	assert_int_equal(all.machine[1].count.os.oom_kills, 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_string_equal(all.machine[i].error, "");
		assert_int_equal(all.machine[i].count.mismatches, 0);
	}
	assert_true(all.machine[0].count.os.faults[VM_FAULT_ZERO_WRITE] < (4 + 32) * MIB / PAGE_SIZE);
	assert_true(all.machine[1].count.os.faults[VM_FAULT_ZERO_WRITE] >= (4 + 64) * MIB / PAGE_SIZE);
	tape_free(&child);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(devices),
	    cmocka_unit_test(random_reads),
	    cmocka_unit_test(sequential_reads),
	    cmocka_unit_test(locked),
	    cmocka_unit_test(locked_all),
	    cmocka_unit_test(clean_pages_are_dropped),
	    cmocka_unit_test(huge_pages_split),
	    cmocka_unit_test(khugepaged),
	    cmocka_unit_test(files),
	    cmocka_unit_test(victim_ends_alone),
	};

	return cmocka_run_group_tests_name("less RAM than the program uses", tests, NULL, NULL);
}
