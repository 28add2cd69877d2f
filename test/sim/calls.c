/* SPDX-License-Identifier: MIT
 *
 * test/sim/calls.c - system calls whose effect the machines see: advice of every kind, msync; threads that
 * wait in them, time that passes meanwhile, files that change, and what the program was refused.
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
	tape_begin(&tape, PID, 0x600000);
}

static void play(const char *machines)
{
	sim = tape_played(&tape, machines, ",check=1,oracle=1", &all);
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

/* MADV_PAGEOUT: out at once; in again when used, or, from a disk, found in the swap cache. After MADV_COLD nothing
 * leaves, as RAM is not short. */
static void pageout(void **state)
{
	begin();
	tape_map(&tape, A, SIZE, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, SIZE, EVR_WRITE);
	tape_range(&tape, EV_ADVISE, MADV_COLD, A, SIZE);
	tape_sweep(&tape, A, SIZE, EVR_READ);
	tape_range(&tape, EV_ADVISE, MADV_PAGEOUT, A, SIZE / 2);
	tape_sweep(&tape, A, SIZE, EVR_READ);
	play("4k,swap-device=zram;4k;thp");
	for (unsigned i = 0; i < all.nr_machines; i++) {
		assert_int_equal(all.machine[i].count.os.swap_outs, PAGES / 2);
		assert_int_equal(all.machine[i].count.os.faults[VM_FAULT_SWAP], PAGES / 2);
		assert_int_equal(all.machine[i].count.os.swap_ins, i == 0 ? PAGES / 2 : 0);
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

/* ---- threads that wait ---- */

static struct tape other;

static void feed(unsigned stream, struct tape *t)
{
	assert_int_equal(sim_feed(sim, stream, t->word, t->nr), 0);
	tape_free(t);
	tape_init(t, false);
}

static void syscall_event(struct tape *t, bool waits)
{
	tape_put(t, EV_SYSCALL, 202 | (waits ? EVS_WAITS : 0), NULL, 0);
}

/* Two threads have used a page, which one of them then gives back and uses again, 100 times, while the other computes
 * or waits. Returns the interrupts. In the end page tables are freed, and the other uses the memory again: its TLB must
 * not know the old page (the oracle looks). */
static u64 interrupts(const char *machine, bool waits, bool tables)
{
	u64 ipis;

	begin();
	sim = tape_sim(machine, ",check=1,oracle=1");
	tape_map(&tape, A, 4 * MIB, RW, MAP_PRIVATE);
	tape_access(&tape, A, EVR_WRITE);
	feed(0, &tape);
	tape_init(&other, false);
	tape_thread(&other, PID, PID + 1, 0);
	tape_access(&other, A, EVR_READ);
	syscall_event(&other, waits);
	feed(1, &other);
	for (unsigned i = 0; i < 100; i++) {
		tape_access(&tape, A, EVR_WRITE);
		tape_range(&tape, EV_ADVISE, MADV_DONTNEED, A, PAGE_SIZE);
	}
	tape_access(&tape, A, EVR_WRITE);
	if (tables)
		tape_range(&tape, EV_UNMAP, 0, A + 2 * MIB, 2 * MIB);
	if (tables)
		tape_range(&tape, EV_UNMAP, 0, A, 2 * MIB);
	feed(0, &tape);
	if (!tables)
		tape_access(&other, A, EVR_READ);
	tape_access(&other, 0x7ffffffff000 - PAGE_SIZE, EVR_WRITE);
	feed(1, &other);
	sim_finish(sim, &all);
	assert_int_equal(all.machine[0].count.mismatches, 0);
	ipis = all.machine[0].count.os.ipis;
	sim_destroy(sim);
	return ipis;
}

/* Linux sends a CPU that idles lazily in the address space no interrupt, unless page tables were freed. */
static void idle(void **state)
{
	static const char *const machines[] = {"4k", "4k,pcid=off", "4k,kpti=on", "4k,kpti=on,pcid=off"};

	for (unsigned i = 0; i < ARRAY_SIZE(machines); i++) {
		assert_int_equal(interrupts(machines[i], false, false), 100);
		assert_int_equal(interrupts(machines[i], true, false), 0);
		assert_int_equal(interrupts(machines[i], false, true), 101);
		assert_int_equal(interrupts(machines[i], true, true), 1);
	}
}

/* Sparse memory, then the program sleeps: khugepaged, which looks at 8 times 2M at once and sleeps 10 s between, has
 * looked twice after 25 s; without the sleep at nothing. */
static void asleep(void **state)
{
	for (unsigned seconds = 0; seconds <= 25; seconds += 25) {
		begin();
		tape_map(&tape, A, 64 * MIB, RW, MAP_PRIVATE);
		tape_range(&tape, EV_ADVISE, MADV_NOHUGEPAGE, A, 64 * MIB);
		for (u64 va = A; va < A + 64 * MIB; va += 2 * MIB)
			tape_access(&tape, va, EVR_WRITE);
		tape_range(&tape, EV_ADVISE, MADV_HUGEPAGE, A, 64 * MIB);
		syscall_event(&tape, true);
		if (seconds)
			tape_put(&tape, EV_SLEPT, seconds * 1000000, NULL, 0);
		tape_access(&tape, A, EVR_READ);
		play("thp");
		assert_int_equal(all.machine[0].count.os.thp_collapse, seconds ? 2 * 8 : 0);
		end();
	}
}

/* Two threads of one CPU sleep 6 s each at the same time: 6 s pass, not 12. One after the other: 12. */
static void sleeps_overlap(void **state)
{
	for (unsigned together = 0; together < 2; together++) {
		begin();
		sim = tape_sim("thp,cpus=1", ",check=1");
		tape_map(&tape, A, 64 * MIB, RW, MAP_PRIVATE);
		tape_range(&tape, EV_ADVISE, MADV_NOHUGEPAGE, A, 64 * MIB);
		for (u64 va = A; va < A + 64 * MIB; va += 2 * MIB)
			tape_access(&tape, va, EVR_WRITE);
		tape_range(&tape, EV_ADVISE, MADV_HUGEPAGE, A, 64 * MIB);
		syscall_event(&tape, true);
		feed(0, &tape);
		tape_init(&other, false);
		tape_thread(&other, PID, PID + 1, 0);
		if (together)
			syscall_event(&other, true);
		feed(1, &other);
		tape_put(&tape, EV_SLEPT, 6000000, NULL, 0);
		feed(0, &tape);
		if (!together)
			syscall_event(&other, true);
		tape_put(&other, EV_SLEPT, 6000000, NULL, 0);
		feed(1, &other);
		sim_finish(sim, &all);
		assert_int_equal(all.machine[0].count.os.thp_collapse, together ? 0 : 8);
		sim_destroy(sim);
	}
}

/* ---- pages that a pipe holds ---- */

/* A child puts its parent's pages into a pipe and unmaps them; the parent writes: copied while the pipe has them, reused
 * once it was read. The first page is read before the write. */
static void held_by_a_pipe(void **state)
{
	struct ev_hold hold = {A, SIZE, 3, 4};
	struct ev_drain drain = {3, 4, PAGE_SIZE};

	begin();
	sim = tape_sim("4k;thp", ",check=1,oracle=1");
	tape_map(&tape, A, SIZE, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, SIZE, EVR_WRITE);
	tape_fork(&tape, PID + 50, 0);
	feed(0, &tape);
	tape_init(&other, false);
	tape_thread(&other, PID + 50, PID + 50, PID);
	tape_put(&other, EV_HOLD, 0, &hold, EV_PAYLOAD_WORDS(hold));
	tape_range(&other, EV_UNMAP, 0, A, SIZE);
	feed(1, &other);
	tape_put(&tape, EV_DRAIN, 0, &drain, EV_PAYLOAD_WORDS(drain));
	tape_sweep(&tape, A, SIZE, EVR_WRITE);
	drain.bytes = SIZE;
	tape_put(&tape, EV_DRAIN, 0, &drain, EV_PAYLOAD_WORDS(drain));
	feed(0, &tape);
	sim_finish(sim, &all);
	assert_int_equal(all.machine[0].count.os.faults[VM_FAULT_COW_REUSE], 1);
	assert_int_equal(all.machine[0].count.os.faults[VM_FAULT_COW_COPY], PAGES - 1);
	assert_int_equal(all.machine[0].count.peak_rss_bytes, 2 * SIZE - PAGE_SIZE);
	sim_destroy(sim);
}

/* ---- files ---- */

static void file_size(u64 size)
{
	tape_put(&tape, EV_FILE_SIZE, 0, &(struct ev_file_size){1, 7, size}, 3);
}

/* Mapped longer than the file is; it grows, shrinks, grows again, and gets a hole. */
static void file_grows(void **state)
{
	struct ev_file_hole hole = {1, 7, PAGE_SIZE, 2 * PAGE_SIZE};

	for (unsigned shmem = 0; shmem < 2; shmem++) {
		begin();
		tape_put(&tape, EV_FILE_HOLE, 0, &hole, EV_PAYLOAD_WORDS(hole)); /* nobody has it yet */
		file_size(100);
		tape_map_file(&tape, A, SIZE, RW, MAP_SHARED, 7, PAGE_SIZE, shmem ? "/memfd:x" : "/home/x");
		file_size(SIZE);
		tape_sweep(&tape, A, SIZE, EVR_WRITE);
		file_size(PAGE_SIZE);
		file_size(SIZE);
		tape_sweep(&tape, A, SIZE, EVR_WRITE);
		tape_put(&tape, EV_FILE_HOLE, 0, &hole, EV_PAYLOAD_WORDS(hole));
		tape_sweep(&tape, A, SIZE, EVR_WRITE);
		file_size(SIZE / 2);
		tape_sweep(&tape, A, SIZE, EVR_READ);
		play("4k");
		assert_int_equal(all.machine[0].count.os.faults[VM_FAULT_FILE], PAGES + (PAGES - 1) + 2);
		assert_int_equal(all.machine[0].count.os.faults[VM_FAULT_BUS], PAGES / 2);
		assert_int_equal(all.machine[0].count.peak_rss_bytes, SIZE);
		end();
	}
}

/* ---- what the program did not get ---- */

static void not_given(void **state)
{
	struct ev_refused e = {28, 102, 22};

	begin();
	for (unsigned i = 0; i < 100; i++)
		tape_put(&tape, EV_REFUSED, 0, &e, EV_PAYLOAD_WORDS(e));
	e = (struct ev_refused){157, 41, 22};
	tape_put(&tape, EV_REFUSED, 0, &e, EV_PAYLOAD_WORDS(e));
	for (e = (struct ev_refused){100000, 0, 38}; e.nr < 100100; e.nr++)
		tape_put(&tape, EV_REFUSED, 0, &e, EV_PAYLOAD_WORDS(e));
	play("4k");
	assert_string_equal(all.program.refused[0].name, "madvise");
	assert_int_equal(all.program.refused[0].operation, 102);
	assert_int_equal(all.program.refused[0].error, 22);
	assert_int_equal(all.program.refused[0].times, 100);
	assert_string_equal(all.program.refused[1].name, "prctl");
	assert_string_equal(all.program.refused[2].name, "100000");
	assert_int_equal(all.program.nr_refused, 32);
	assert_int_equal(all.program.refused_more, 100 - 30);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(collapse),       cmocka_unit_test(pageout),        cmocka_unit_test(removed),
	    cmocka_unit_test(synced),         cmocka_unit_test(idle),           cmocka_unit_test(asleep),
	    cmocka_unit_test(sleeps_overlap), cmocka_unit_test(held_by_a_pipe), cmocka_unit_test(file_grows),
	    cmocka_unit_test(not_given),
	};

	return cmocka_run_group_tests_name("system calls that the machines see", tests, NULL, NULL);
}
