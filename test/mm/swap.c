/* SPDX-License-Identifier: MIT
 *
 * test/mm/swap.c - swap devices that fail, lie and fill up; who dies when memory is gone; what may be promised.
 * Contents are checked at every turn, vm_check at level 3.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mm/lru.h"
#include "mm/vmscan.h"
#include "test/mm/swap_disk.h"

/* ---- failing devices ---- */

/* The process that needs the page gets SIGBUS, as long as the device fails; others do not notice, and nothing is lost.
 */
static void read_error(void **state)
{
	struct mm_struct *other;
	u8 byte;

	begin(16 * MIB, (struct vm_config){.check = 3, .swap_slots = SLOTS});
	map(mm, 20, ANON);
	write_pages(20, 1);
	swap_out_all();
	other = mm_create(vm);
	flat_run(cpu, other);
	map(other, 20, ANON);
	write_pages(20, 2);
	fail_reads = true;
	flat_run(cpu, mm);
	assert_int_equal(flat_access(cpu, BASE + PAGE_SIZE, 'r', &byte), VM_FAULT_BUS);
	assert_int_equal(flat_access(cpu, BASE + PAGE_SIZE, 'w', &byte), VM_FAULT_BUS);
	flat_run(cpu, other);
	expect_pages(20, 2);
	flat_run(cpu, mm);
	fail_reads = false;
	expect_pages(20, 1);
	mm_put(other);
	end();
}

/* What cannot be written stays in memory, readable; it goes when the device is well again. */
static void write_error(void **state)
{
	begin(16 * MIB, (struct vm_config){.check = 3, .swap_slots = SLOTS});
	map(mm, 20, ANON);
	write_pages(20, 1);
	fail_writes = true;
	assert_int_equal(reclaim_pages(vm, cpu, 10, true), 0);
	assert_int_equal(flat_events(m)->type[VM_EV_SWAP_OUT], 0);
	expect_pages(10, 1);
	write_pages(10, 1);
	fail_writes = false;
	swap_out_all();
	assert_int_equal(flat_events(m)->type[VM_EV_SWAP_OUT], 20);
	expect_pages(20, 1);
	end();
}

/* Shared memory and files' dirty pages the same. */
static void write_error_of_shared(void **state)
{
	begin(16 * MIB, (struct vm_config){.check = 3, .swap_slots = SLOTS});
	map(mm, 20, SHMEM);
	write_pages(20, 1);
	fail_writes = true;
	assert_int_equal(reclaim_pages(vm, cpu, 10, true), 0);
	expect_pages(20, 1);
	fail_writes = false;
	swap_out_all();
	fail_reads = true;
	assert_int_equal(flat_touch(cpu, BASE, PAGE_SIZE, 'r'), VM_FAULT_BUS);
	fail_reads = false;
	expect_pages(20, 1);
	end();
}

/* One bit is wrong on the device: the page is never handed out, its neighbours are. */
static void corrupt_page(void **state)
{
	u64 wrong = SLOTS;
	u8 byte;

	begin(16 * MIB, (struct vm_config){.check = 3, .swap_slots = SLOTS, .swap_checksum = true});
	map(mm, 20, ANON);
	write_pages(20, 100);
	swap_out_all();
	for (u64 slot = 0; slot < SLOTS; slot++)
		wrong = disk[slot][0] == 107 ? slot : wrong;
	assert_int_not_equal(wrong, SLOTS);
	disk[wrong][2000] ^= 16;
	assert_int_equal(flat_access(cpu, BASE + 7 * PAGE_SIZE, 'r', &byte), VM_FAULT_BUS);
	expect_pages(7, 100);
	disk[wrong][2000] ^= 16;
	expect_pages(20, 100);
	end();
}

/* ---- what a swapped page comes back as ---- */

/* Faults of a write that follows the read by which the page came back. */
static u64 faults_after_read(bool writable)
{
	struct vm_variant variant = vm_variant_newest;
	u64 faults;

	variant.swapin_writable = writable;
	begin(16 * MIB, (struct vm_config){.check = 3, .swap_slots = SLOTS, .variant = &variant});
	map(mm, 1, ANON);
	write_pages(1, 1);
	swap_out_all();
	expect_pages(1, 1);
	faults = flat_events(m)->faults;
	write_pages(1, 2);
	faults = flat_events(m)->faults - faults;
	assert_int_equal(flat_events(m)->frames_copied, 0);
	end();
	return faults;
}

static void writable_at_once(void **state)
{
	assert_int_equal(faults_after_read(true), 0);
	assert_int_equal(faults_after_read(false), 1);
}

/* ---- swap is full ---- */

static void full_swap(void **state)
{
	begin(16 * MIB, (struct vm_config){.check = 3, .swap_slots = 8});
	map(mm, 20, ANON);
	write_pages(20, 1);
	swap_out_all();
	assert_int_equal(vm->swap.used, 8);
	assert_int_equal(mm->rss[MM_ANONPAGES], 12);
	expect_pages(20, 1); /* half full: what is read back gives its slot up */
	assert_int_equal(vm->swap.used - vm->swap.idle, 0);
	swap_out_all();
	expect_pages(20, 1);
	write_pages(20, 2);
	expect_pages(20, 2);
	end();
}

/* ---- the OOM killer ---- */

/* The largest dies, though a small one asked; oom_score_adj can spare it, or make the small one the largest. */
static u32 who_dies(int big_adj, int small_adj)
{
	struct mm_struct *big = mm, *small;
	u32 victim;

	begin(8 * MIB, (struct vm_config){.check = 1});
	big = mm;
	small = mm_create(vm);
	vm_set_oom_score_adj(big, big_adj);
	vm_set_oom_score_adj(small, small_adj);
	map(big, 1700, ANON);
	write_pages(1700, 1);
	flat_run(cpu, small);
	map(small, 4000, ANON);
	for (u64 i = 0; !flat_events(m)->type[VM_EV_OOM_KILL]; i++)
		if (flat_touch(cpu, BASE + i * PAGE_SIZE, 1, 'w'))
			break;
	victim = big->oom_victim ? 1 : small->oom_victim ? 2 : 0;
	assert_false(big->oom_victim && small->oom_victim);
	assert_int_equal(flat_events(m)->type[VM_EV_OOM_KILL], victim != 0);
	if (victim == 1) { /* the one that asked got its page */
		assert_int_equal(big->rss[MM_ANONPAGES], 0);
		assert_int_equal(flat_touch(cpu, BASE, 64 * PAGE_SIZE, 'w'), 0);
	}
	mm_put(small);
	end();
	return victim;
}

static void victims(void **state)
{
	assert_int_equal(who_dies(0, 0), 1);
	assert_int_equal(who_dies(-1000, 0), 2);
	assert_int_equal(who_dies(0, 1000), 2);
	assert_int_equal(who_dies(-1000, -1000), 0);
}

/* ---- over-commitment ---- */

static long try_map(u64 pages, unsigned flags)
{
	return vm_mmap(cpu, mm, 0, pages * PAGE_SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS | flags, NULL, 0);
}

static void overcommit(void **state)
{
	u64 total, limit;
	long got;

	begin(16 * MIB, (struct vm_config){.check = 3, .swap_slots = 1000, .overcommit = VM_OVERCOMMIT_GUESS});
	total = vm->total_frames + 1000;
	assert_int_equal(try_map(total + 1, 0), -ENOMEM);
	for (unsigned i = 0; i < 3; i++)
		assert_true(try_map(total, 0) > 0);
	assert_true(try_map(2 * total, MAP_NORESERVE) > 0);
	end();

	begin(16 * MIB, (struct vm_config){.check = 3, .swap_slots = 1000, .overcommit = VM_OVERCOMMIT_NEVER});
	limit = vm->total_frames / 2 + 1000;
	assert_int_equal(try_map(limit, 0), -ENOMEM);
	got = try_map(limit / 2, 0);
	assert_true(got > 0);
	assert_int_equal(try_map(limit / 2 + 10, 0), -ENOMEM);
	assert_int_equal(try_map(limit, MAP_NORESERVE),
			 -ENOMEM); /* Linux: honoured only where overcommitting is allowed */
	assert_true(vm_mmap(cpu, mm, 0, limit * PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0) > 0);
	struct mm_struct *child;

	assert_int_equal(mm_fork(cpu, mm, &child), -ENOMEM); /* it would promise the half once more, and a bit */
	assert_int_equal(vm_munmap(cpu, mm, (u64)got, 200 * PAGE_SIZE), 0);
	assert_int_equal(mm_fork(cpu, mm, &child), 0);
	mm_put(child);
	end();

	begin(16 * MIB, (struct vm_config){.check = 3, .overcommit = VM_OVERCOMMIT_ALWAYS});
	assert_true(try_map(1000000, 0) > 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(read_error),   cmocka_unit_test(write_error),      cmocka_unit_test(write_error_of_shared),
	    cmocka_unit_test(corrupt_page), cmocka_unit_test(writable_at_once), cmocka_unit_test(full_swap),
	    cmocka_unit_test(victims),      cmocka_unit_test(overcommit),
	};

	return cmocka_run_group_tests_name("swap", tests, NULL, NULL);
}
