/* SPDX-License-Identifier: MIT
 *
 * test/sim/costs.c - what costs time is counted: calls by kind, forks, entries that calls work on, tables, pages cleared
 * by size. Each program is so simple that its counts are reckoned beside it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>

#include "test/sim/tape.h"

#define A  0x100000000000ull /* 2M and 512G aligned */
#define RW (PROT_READ | PROT_WRITE)

static struct tape t;

static void begin(void)
{
	memset(&t, 0, sizeof(t));
	tape_begin(&t, 1, 0);
}

/* What the tape so far does on `machine`. */
static struct machine_counters play(const char *machine)
{
	struct sim_result r;
	struct sim *s;
	struct sim_machine_result m = tape_play(&t, machine, &s, &r);
	struct bill b = bill_make(&m.count, &m.cfg, &m.cost);

	assert_memory_equal(&m.bill, &b, sizeof(b));
	sim_destroy(s);
	return m.count;
}

/* 500 pages in one 2M are touched, 300 of them lose a right, 200 go and then 10. */
static void entries(void **state)
{
	struct machine_counters none, some;

	begin();
	none = play("4k");
	tape_map(&t, A, 2 * MIB, RW, MAP_PRIVATE);
	tape_sweep(&t, A, 500 * PAGE_SIZE, EVR_WRITE);
	tape_range(&t, EV_PROTECT, PROT_READ, A, 300 * PAGE_SIZE);
	tape_range(&t, EV_UNMAP, 0, A, 200 * PAGE_SIZE);
	tape_range(&t, EV_ADVISE, MADV_DONTNEED, A + 200 * PAGE_SIZE, 10 * PAGE_SIZE);
	some = play("4k");
	assert_int_equal(some.os.entries[VM_ENTRIES_PROTECTED][0] - none.os.entries[VM_ENTRIES_PROTECTED][0], 300);
	/* None of the tape of `none` ended: its pages are mapped still. */
	assert_int_equal(some.os.entries[VM_ENTRIES_UNMAPPED][0] - none.os.entries[VM_ENTRIES_UNMAPPED][0], 210);
	assert_int_equal(some.os.entries[VM_ENTRIES_LEFT][0], none.os.entries[VM_ENTRIES_LEFT][0]);
	assert_int_equal(some.os.tables_made - none.os.tables_made, 3); /* of this 512G: PDPT, PD, PT */
	assert_int_equal(some.os.frames_cleared - none.os.frames_cleared, 500);
	assert_int_equal(some.map_calls[MAP_MMAP] - none.map_calls[MAP_MMAP], 1);
	assert_int_equal(some.map_calls[MAP_MPROTECT] - none.map_calls[MAP_MPROTECT], 1);
	assert_int_equal(some.map_calls[MAP_MUNMAP] - none.map_calls[MAP_MUNMAP], 1);
	assert_int_equal(some.map_calls[MAP_MADVISE] - none.map_calls[MAP_MADVISE], 1);
	assert_int_equal(some.map_calls[MAP_BRK] + some.map_calls[MAP_MREMAP] + some.map_calls[MAP_OTHER],
			 none.map_calls[MAP_BRK] + none.map_calls[MAP_MREMAP] + none.map_calls[MAP_OTHER]);
	tape_free(&t);
}

/* In huge pages: 8 are cleared, as pages of 2M; 8 entries lose a right, and 8 go. */
static void huge_entries(void **state)
{
	struct machine_counters c;

	begin();
	tape_map(&t, A, 16 * MIB, RW, MAP_PRIVATE);
	tape_sweep(&t, A, 16 * MIB, EVR_WRITE);
	tape_range(&t, EV_PROTECT, PROT_READ, A, 16 * MIB);
	tape_range(&t, EV_UNMAP, 0, A, 16 * MIB);
	c = play("thp");
	assert_int_equal(c.os.huge_cleared[0], 8);
	assert_int_equal(c.os.huge_cleared[1], 0);
	assert_true(c.os.frames_cleared >= 8 * 512 && c.os.frames_cleared < 9 * 512);
	assert_int_equal(c.os.entries[VM_ENTRIES_PROTECTED][1], 8);
	assert_int_equal(c.os.entries[VM_ENTRIES_UNMAPPED][1], 8);
	tape_free(&t);
}

/* What is read first takes the zero page, and a second fault when it is written; what a fork shares is another copy. */
static void copies_of_the_zero_page(void **state)
{
	struct machine_counters c;

	begin();
	tape_map(&t, A, MIB, RW, MAP_PRIVATE);
	tape_sweep(&t, A, 50 * PAGE_SIZE, EVR_READ);
	tape_sweep(&t, A, 80 * PAGE_SIZE, EVR_WRITE);
	tape_fork(&t, 2, 0);
	tape_sweep(&t, A, 20 * PAGE_SIZE, EVR_WRITE);
	c = play("4k");
	assert_int_equal(c.os.cow_zero, 50);
	assert_int_equal(c.os.faults[VM_FAULT_COW_COPY], 50 + 20);
	tape_free(&t);
}

/* A fork copies each entry once, and is no call that changes areas. A vfork is none. */
static void forks(void **state)
{
	for (unsigned huge = 0; huge < 2; huge++) {
		struct machine_counters none, some, shared;

		begin();
		tape_map(&t, A, 4 * MIB, RW, MAP_PRIVATE);
		tape_sweep(&t, A, 4 * MIB, EVR_WRITE);
		none = play(huge ? "thp" : "4k");
		tape_fork(&t, 2, EVF_VM);
		shared = play(huge ? "thp" : "4k");
		assert_int_equal(shared.forks, none.forks);
		tape_fork(&t, 3, 0);
		some = play(huge ? "thp" : "4k");
		assert_int_equal(some.forks - none.forks, 1);
		assert_memory_equal(some.map_calls, none.map_calls, sizeof(some.map_calls));
		assert_int_equal(some.os.entries[VM_ENTRIES_FORKED][huge], huge ? 2 : 1024);
		assert_int_equal(some.os.entries[VM_ENTRIES_FORKED][!huge], 0);
		tape_free(&t);
	}
}

/* Of what the parent unmaps, its own copies go, and what its child maps too stays, as does the zero page. */
static void whose_page_stays(void **state)
{
	struct machine_counters before, after;

	begin();
	tape_map(&t, A, MIB, RW, MAP_PRIVATE);
	tape_sweep(&t, A, 100 * PAGE_SIZE, EVR_WRITE);
	tape_sweep(&t, A + 200 * PAGE_SIZE, 10 * PAGE_SIZE, EVR_READ);
	tape_fork(&t, 2, 0);
	before = play("4k");
	tape_sweep(&t, A, 30 * PAGE_SIZE, EVR_WRITE);
	tape_range(&t, EV_UNMAP, 0, A, MIB);
	after = play("4k");
	assert_int_equal(after.os.entries[VM_ENTRIES_UNMAPPED][0] - before.os.entries[VM_ENTRIES_UNMAPPED][0], 110);
	assert_int_equal(after.os.entries[VM_ENTRIES_LEFT][0] - before.os.entries[VM_ENTRIES_LEFT][0], 70 + 10);
	tape_free(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(entries),
	    cmocka_unit_test(huge_entries),
	    cmocka_unit_test(whose_page_stays),
	    cmocka_unit_test(copies_of_the_zero_page),
	    cmocka_unit_test(forks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
