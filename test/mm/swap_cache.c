/* SPDX-License-Identifier: MIT
 *
 * test/mm/swap_cache.c - what of a page is in memory, and what is read, on a device whose writes take time and on one
 * whose writes do not: the swap cache after a write, read-ahead, pages of zeroes, shared memory. Contents are checked
 * at every turn, vm_check at level 3. Windows by Linux's rule (__swapin_nr_pages), worked out by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mm/swap.h"
#include "mm/vmscan.h"
#include "test/mm/swap_disk.h"

#define WILLNEED 3
#define PAGEOUT  21

/* Both sorts of device; fields that are named come on top. */
#define ON_DISK(...)                                                                                                   \
	(struct vm_config)                                                                                             \
	{                                                                                                              \
		.check = 3, .swap_slots = SLOTS, __VA_ARGS__                                                           \
	}
#define ON_ZRAM(...) ON_DISK(.swap_synchronous = true, __VA_ARGS__)

static void advise(u64 pages, int advice)
{
	assert_int_equal(vm_madvise(cpu, mm, BASE, pages * PAGE_SIZE, advice), 0);
}

/* Pages of [BASE, BASE + pages) that are in memory, by mincore. */
static u64 in_core(u64 pages)
{
	u8 vec[SLOTS];
	u64 n = 0;

	assert_int_equal(vm_mincore(mm, BASE, pages * PAGE_SIZE, vec), 0);
	for (u64 i = 0; i < pages; i++)
		n += vec[i];
	return n;
}

static u64 rss(void)
{
	return mm->rss[MM_ANONPAGES] + mm->rss[MM_SHMEMPAGES];
}

/* ---- after the write ---- */

/* A disk: what is paged out has no entry any more, is in memory, and comes back without a read. */
static void stays_in_cache(void **state)
{
	begin(16 * MIB, ON_DISK());
	map(mm, 20, ANON);
	write_pages(20, 1);
	advise(20, PAGEOUT);
	assert_int_equal(rss(), 0);
	assert_int_equal(in_core(20), 20);
	assert_int_equal(writes, 20);
	expect_pages(20, 1);
	assert_int_equal(reads, 0);
	assert_int_equal(events(VM_EV_SWAP_IN), 0);
	advise(20, PAGEOUT); /* nothing was written to meanwhile: now they go, without a write */
	assert_int_equal(in_core(20), 0);
	assert_int_equal(writes, 20);
	expect_pages(20, 1);
	end();
}

/* zram: it goes at once, its slot is free when it is back, and it is written again the next time. */
static void goes_at_once(void **state)
{
	begin(16 * MIB, ON_ZRAM());
	map(mm, 20, ANON);
	write_pages(20, 1);
	advise(20, PAGEOUT);
	assert_int_equal(in_core(20), 0);
	assert_int_equal(vm->swap.used, 20);
	expect_pages(20, 1);
	assert_int_equal(reads, 20);
	assert_int_equal(vm->swap.used, 0);
	advise(20, PAGEOUT);
	assert_int_equal(writes, 40);
	expect_pages(20, 1);
	end();
}

/* Reclaim finds what was written first, and frees just that, without a write. */
static void written_pages_go_first(enum vm_reclaim_policy policy)
{
	begin(16 * MIB, ON_DISK(.reclaim = policy));
	map(mm, 60, ANON);
	write_pages(60, 1);
	advise(20, PAGEOUT);
	assert_int_equal(vm->reclaim.list[LRU_LIST_WRITTEN].nr, 20);
	assert_int_equal(reclaim_pages(vm, cpu, 20, true), 20);
	assert_int_equal(vm->reclaim.list[LRU_LIST_WRITTEN].nr, 0);
	assert_int_equal(rss(), 40);
	assert_int_equal(writes, 20);
	expect_pages(60, 1);
	end();
}

static void reclaim_converges(void **state)
{
	written_pages_go_first(VM_RECLAIM_LRU2);
	written_pages_go_first(VM_RECLAIM_MGLRU);
	written_pages_go_first(VM_RECLAIM_CLOCK);
	written_pages_go_first(VM_RECLAIM_FIFO);
}

/* No slot is free, and what has one is in memory: it can go all the same, and make room. */
static void full_of_copies(void **state)
{
	begin(16 * MIB, (struct vm_config){.check = 3, .swap_slots = 20});
	map(mm, 60, ANON);
	write_pages(60, 1);
	advise(60, PAGEOUT);
	assert_int_equal(swap_free_slots(vm), 0);
	assert_int_equal(in_core(60), 60);
	assert_int_equal(reclaim_pages(vm, cpu, 60, true), 20);
	assert_int_equal(in_core(60), 40);
	expect_pages(60, 1);
	end();
}

/* A process that needs more than RAM gets through on either device, whichever the policy. */
static void pressure(void **state)
{
	for (unsigned policy = 0; policy < VM_RECLAIM_NR; policy++) {
		for (unsigned zram = 0; zram < 2; zram++) {
			begin(8 * MIB,
			      (struct vm_config){
				  .swap_slots = SLOTS, .reclaim = policy, .check = 1, .swap_synchronous = zram});
			map(mm, 3000, ANON);
			write_pages(3000, 1);
			expect_pages(3000, 1);
			write_pages(3000, 2);
			expect_pages(3000, 2);
			assert_int_equal(events(VM_EV_OOM_KILL), 0);
			assert_true(writes >= 1500);
			end();
		}
	}
}

/* A write to a page in the cache makes the copy on the device wrong: it is given up. */
static void written_again(void **state)
{
	begin(16 * MIB, ON_DISK());
	map(mm, 20, ANON);
	write_pages(20, 1);
	advise(20, PAGEOUT);
	write_pages(20, 2);
	assert_int_equal(vm->swap.used, 0);
	swap_out_all();
	assert_int_equal(writes, 40);
	expect_pages(20, 2);
	end();
}

/* A locked page will not leave again: it keeps no slot. */
static void locked(void **state)
{
	begin(16 * MIB, ON_DISK());
	map(mm, 20, ANON);
	write_pages(20, 1);
	advise(20, PAGEOUT);
	assert_int_equal(vm_mlock(cpu, mm, BASE, 20 * PAGE_SIZE, 0), 0);
	assert_int_equal(vm->swap.used, 0);
	expect_pages(20, 1);
	end();
}

/* ---- pages of zeroes ---- */

static void zeroes(const struct vm_config *cfg)
{
	begin_zeromap(16 * MIB, *cfg);
	map(mm, 64, ANON);
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(flat_access(cpu, BASE + i * PAGE_SIZE, 'w', &(u8){0}), 0);
	write_pages(1, 7);
	advise(64, PAGEOUT);
	assert_int_equal(writes, 1);
	assert_int_equal(events(VM_EV_SWAP_ZERO), 63);
	assert_int_equal(in_core(64), !cfg->swap_synchronous); /* a write that there is none of is over */
	flat_reset_events(m);
	assert_int_equal(flat_touch(cpu, BASE + PAGE_SIZE, 63 * PAGE_SIZE, 'r'), 0);
	assert_int_equal(reads, 0);
	assert_int_equal(events(VM_EV_SWAP_IN), 0);
	expect_pages(1, 7);
	write_pages(64, 7); /* a slot that was one of zeroes is one no more */
	swap_out_all();
	expect_pages(64, 7);
	end();
}

static void zero_pages(void **state)
{
	zeroes(&ON_DISK());
	zeroes(&ON_ZRAM());
}

/* ---- shared memory ---- */

/* A disk keeps it in the swap cache, where it is found by whoever maps the file; the slot is free then. */
static void shared_in_cache(void **state)
{
	struct mm_struct *child;

	begin(16 * MIB, ON_DISK());
	map(mm, 20, SHMEM);
	write_pages(20, 1);
	advise(20, PAGEOUT);
	assert_int_equal(rss(), 0);
	assert_int_equal(in_core(20), 20);
	assert_int_equal(vm->reclaim.list[LRU_LIST_WRITTEN].nr, 20);
	assert_int_equal(mm_fork(cpu, mm, &child), 0);
	flat_run(cpu, child);
	expect_pages(20, 1);
	write_pages(10, 2);
	flat_run(cpu, mm);
	mm_put(child);
	assert_int_equal(reads, 0);
	assert_int_equal(vm->swap.used, 0);
	expect_pages(10, 2);
	swap_out_all();
	assert_int_equal(writes, 40);
	expect_pages(10, 2);
	end();
}

/* A file that goes takes its pages in the swap cache with it. */
static void shared_gone(void **state)
{
	begin(16 * MIB, ON_DISK());
	map(mm, 20, SHMEM);
	write_pages(20, 1);
	advise(20, PAGEOUT);
	assert_int_equal(vm_munmap(cpu, mm, BASE, 20 * PAGE_SIZE), 0);
	assert_int_equal(vm->swap.used + vm->reclaim.list[LRU_LIST_WRITTEN].nr, 0);
	end();
}

/* ---- read-ahead ---- */

/* Pages 0 .. 63 are in swap. Touches them in this order: so many are read for each touch. */
static void check_windows(struct vm_config cfg, unsigned flags, const u8 *order, const u8 *window, unsigned n)
{
	begin(64 * MIB, cfg);
	map(mm, 64, flags);
	write_pages(64, 1);
	swap_out_all();
	for (unsigned i = 0; i < n; i++) {
		u64 before = reads;

		assert_int_equal(flat_touch(cpu, BASE + order[i] * PAGE_SIZE, 1, 'r'), 0);
		if (reads - before != window[i])
			fail_msg("touch %u: %d read, wanted %d", i, (int)(reads - before), window[i]);
	}
	expect_pages(64, 1);
	end();
}

/* An area begins with four hits: eight pages. A fault far from the last reads one page, beside it two; each hit more
 * makes it four, then eight; and no window is less than half of the one before. */
static void windows_by_address(void **state)
{
	/* 20: 8 around it (17 .. 24). 21 22 23 24: hits. 25: 4 hits, 8 (25 .. 32). 60: no hit, but half of 8, around it
	 * (59 .. 62). 50: half of 4 (50, 51). 40: alone. 41: next to it, 2 (41, 42). 42: hit. 43: 4. */
	static const u8 up[] = {20, 21, 22, 23, 24, 25, 60, 50, 40, 41, 42, 43};
	static const u8 up_window[] = {8, 0, 0, 0, 0, 8, 4, 2, 1, 2, 0, 4};
	/* Downwards the window lies before the fault. 40: 8 (37 .. 44). 39 38 37: hits. 36: 3 hits, 8 (29 .. 36). 10: 4
	 * (9 .. 12). 9: hit. 8: 4 (5 .. 8). */
	static const u8 down[] = {40, 39, 38, 37, 36, 10, 9, 8};
	static const u8 down_window[] = {8, 0, 0, 0, 8, 4, 0, 4};

	check_windows(ON_DISK(), ANON, up, up_window, sizeof(up));
	check_windows(ON_DISK(), ANON, down, down_window, sizeof(down));
}

/* Slots were given in the order in which pages left, page 0 first: slot = page. Windows are aligned. */
static void windows_by_slot(void **state)
{
	/* 20: 4 hits to begin with, 8 (16 .. 23). 21 22: hits. 30: 2 hits, 4 (28 .. 31). 40: none, half of 4 (40, 41).
	 * 50: alone. 51: next to it, 2, of which 50 is there. 60: alone. */
	static const u8 order[] = {20, 21, 22, 30, 40, 50, 51, 60}, window[] = {8, 0, 0, 4, 2, 1, 1, 1};

	check_windows(ON_DISK(.swap_rotational = true), ANON, order, window, sizeof(order));
	check_windows(ON_DISK(), SHMEM, order, window, sizeof(order));
	check_windows(ON_ZRAM(), SHMEM, order, window, sizeof(order));
}

static void page_cluster(void **state)
{
	static const u8 order[] = {20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33};
	static const u8 alone[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
	static const u8 two[] = {2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0};
	/* 33: seven hits, 16. */
	static const u8 sixteen[] = {8, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 16};

	check_windows(ON_DISK(.sysctl = &(struct vm_sysctl){60, 0}), ANON, order, alone, sizeof(order));
	check_windows(ON_DISK(.sysctl = &(struct vm_sysctl){60, 0}), SHMEM, order, alone, sizeof(order));
	check_windows(ON_DISK(.sysctl = &(struct vm_sysctl){60, 1}), ANON, order, two, sizeof(order));
	check_windows(ON_DISK(.sysctl = &(struct vm_sysctl){60, 4}), ANON, order, sixteen, sizeof(order));
	check_windows(ON_ZRAM(), ANON, order, alone, sizeof(order));
}

/* Of a page with two owners even a synchronous device reads others ahead: they are found by the second. */
static void two_owners(void **state)
{
	struct mm_struct *child;

	begin(64 * MIB, ON_ZRAM());
	map(mm, 64, ANON);
	write_pages(64, 1);
	swap_out_all();
	assert_int_equal(mm_fork(cpu, mm, &child), 0);
	assert_int_equal(flat_touch(cpu, BASE + 20 * PAGE_SIZE, 1, 'r'), 0);
	assert_int_equal(reads, 8);
	expect_pages(64, 1);
	assert_int_equal(reads, 64);
	flat_run(cpu, child);
	expect_pages(64, 1);
	assert_int_equal(reads, 64);
	flat_run(cpu, mm);
	mm_put(child);
	end();
}

/* What MADV_WILLNEED asks for comes into the swap cache, on any device, shared memory too. */
static void willneed(void **state)
{
	static const unsigned flags[] = {ANON, SHMEM};

	for (unsigned i = 0; i < 4; i++) {
		begin(16 * MIB, i % 2 ? ON_ZRAM() : ON_DISK());
		map(mm, 20, flags[i / 2]);
		write_pages(20, 1);
		swap_out_all();
		assert_int_equal(in_core(20), 0);
		advise(20, WILLNEED);
		assert_int_equal(in_core(20), 20);
		assert_int_equal(rss(), 0);
		assert_int_equal(reads, 20);
		expect_pages(20, 1);
		assert_int_equal(reads, 20);
		assert_int_equal(events(VM_EV_SWAP_RA_HIT), 0);
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(stays_in_cache),
	    cmocka_unit_test(goes_at_once),
	    cmocka_unit_test(reclaim_converges),
	    cmocka_unit_test(full_of_copies),
	    cmocka_unit_test(pressure),
	    cmocka_unit_test(written_again),
	    cmocka_unit_test(locked),
	    cmocka_unit_test(zero_pages),
	    cmocka_unit_test(shared_in_cache),
	    cmocka_unit_test(shared_gone),
	    cmocka_unit_test(windows_by_slot),
	    cmocka_unit_test(page_cluster),
	    cmocka_unit_test(windows_by_address),
	    cmocka_unit_test(two_owners),
	    cmocka_unit_test(willneed),
	};

	return cmocka_run_group_tests_name("swap cache", tests, NULL, NULL);
}
