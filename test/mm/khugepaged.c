/* SPDX-License-Identifier: MIT
 *
 * test/mm/khugepaged.c - collapse in the background: when it looks, what it wants, what it leaves; contents stay.
 * The rules are those of Linux 6.12 Documentation/admin-guide/mm/transhuge.rst and mm/khugepaged.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mm/pgtable.h"
#include "mm/swap.h"
#include "mm/vmscan.h"
#include "test/mm/flat_hw.h"

#define MIB      (1ull << 20)
#define BASE     0x7f0000000000ull
#define RW       (PROT_READ | PROT_WRITE)
#define ANON     (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
#define SLOTS    2048
#define HUGEPAGE 14
#define COLLAPSE 25
#define SECOND   1000000u

static struct hw_machine *m;
static struct vm *vm;
static struct hw_cpu *cpu;
static struct mm_struct *mm;
static u8 (*disk)[PAGE_SIZE];
static bool fail_reads;

static int disk_read(void *ctx, u64 slot, u64 pfn)
{
	memcpy(vm->ram + (pfn << PAGE_SHIFT), disk[slot], PAGE_SIZE);
	return fail_reads ? -EIO : 0;
}

static int disk_write(void *ctx, u64 slot, u64 pfn)
{
	memcpy(disk[slot], vm->ram + (pfn << PAGE_SHIFT), PAGE_SIZE);
	return 0;
}

static const struct backing_ops disk_ops = {.read_page = disk_read, .write_page = disk_write};

static void boot(u64 ram_bytes)
{
	disk = calloc(SLOTS, PAGE_SIZE);
	fail_reads = false;
	m = flat_create(&(struct flat_config){.ram_bytes = ram_bytes,
					      .vm = {.thp = VM_THP_MADVISE,
						     .khugepaged = &vm_khugepaged_defaults,
						     .pcid = true,
						     .check = 3,
						     .swap_slots = SLOTS,
						     .swap_ops = &disk_ops}});
	vm = flat_vm(m);
	cpu = flat_cpu(m, 0);
	mm = mm_create(vm);
	flat_run(cpu, mm);
}

static int setup(void **state)
{
	boot(64 * MIB);
	return 0;
}

static int teardown(void **state)
{
	struct vm_meminfo info;

	if (mm)
		mm_put(mm);
	vm_check(vm);
	vm_meminfo(vm, &info);
	assert_int_equal(info.swap_used + info.anon_frames + info.file_frames + info.table_frames, 0);
	flat_destroy(m);
	free(disk);
	return 0;
}

static u64 collapsed(void)
{
	return flat_events(m)->type[VM_EV_THP_COLLAPSE];
}

/* Page i of the area holds i + 1. */
static void fill(u64 first, u64 pages)
{
	for (u64 i = first; i < first + pages; i++) {
		u8 byte = (u8)(i + 1);

		assert_int_equal(flat_access(cpu, BASE + i * PAGE_SIZE, 'w', &byte), 0);
	}
}

static void expect_filled(u64 first, u64 pages)
{
	for (u64 i = first; i < first + pages; i++) {
		u8 byte;

		assert_int_equal(flat_access(cpu, BASE + i * PAGE_SIZE, 'r', &byte), 0);
		assert_int_equal(byte, (u8)(i + 1));
	}
}

/* An area full of small pages that wants huge ones. */
static void small_pages(u64 bytes)
{
	assert_int_equal(vm_mmap(cpu, mm, BASE, bytes, RW, ANON, NULL, 0), BASE);
	fill(0, bytes >> PAGE_SHIFT);
	assert_int_equal(vm_madvise(cpu, mm, BASE, bytes, HUGEPAGE), 0);
}

/* A page no longer looks used. */
static void make_old(u64 first, u64 pages)
{
	for (u64 i = first; i < first + pages; i++) {
		struct pt_pos pos;

		pt_walk(mm, BASE + i * PAGE_SIZE, X86_PT, &pos);
		pt_clear_young(&pos);
	}
}

/* Linux: scan_sleep_millisecs 10000, pages_to_scan 4096: 16 MiB every ten seconds. */
static void ten_seconds_a_turn(void **state)
{
	small_pages(20 * MIB);
	for (int i = 0; i < 9; i++)
		vm_tick(vm, SECOND);
	assert_int_equal(collapsed(), 0);
	vm_tick(vm, SECOND);
	assert_int_equal(collapsed(), 8);
	vm_tick(vm, 9 * SECOND);
	assert_int_equal(collapsed(), 8);
	vm_tick(vm, SECOND);
	assert_int_equal(collapsed(), 10);
	vm_tick(vm, 100 * SECOND);
	assert_int_equal(collapsed(), 10);
	expect_filled(0, 20 * MIB >> PAGE_SHIFT);
	assert_int_equal(mm->huge_leaves[0], 10);
}

static void only_where_wanted(void **state)
{
	assert_int_equal(vm_mmap(cpu, mm, BASE, 4 * MIB, RW, ANON, NULL, 0), BASE);
	fill(0, 4 * MIB >> PAGE_SHIFT);
	vm_tick(vm, 100 * SECOND);
	assert_int_equal(collapsed(), 0); /* thp=madvise, and nobody asked */
}

static void max_ptes_none(void **state)
{
	vm->khugepaged.knobs.max_ptes_none = 2;
	assert_int_equal(vm_mmap(cpu, mm, BASE, 2 * MIB, RW, ANON, NULL, 0), BASE);
	fill(0, 509);
	assert_int_equal(vm_madvise(cpu, mm, BASE, 2 * MIB, HUGEPAGE), 0);
	flat_touch(cpu, BASE + 509 * PAGE_SIZE, PAGE_SIZE, 'r'); /* the zero page counts as none */
	vm_tick(vm, 10 * SECOND);
	assert_int_equal(collapsed(), 0);
	fill(509, 1);
	vm_tick(vm, 10 * SECOND);
	assert_int_equal(collapsed(), 1);
	expect_filled(0, 510);
}

static void nobody_used_it(void **state)
{
	small_pages(2 * MIB);
	make_old(0, 512);
	vm_tick(vm, 10 * SECOND);
	assert_int_equal(collapsed(), 0);
	fill(7, 1);
	vm_tick(vm, 10 * SECOND);
	assert_int_equal(collapsed(), 1);
	expect_filled(0, 512);
}

static void max_ptes_shared(void **state)
{
	struct mm_struct *child;

	small_pages(2 * MIB);
	assert_int_equal(mm_fork(cpu, mm, &child), 0);
	fill(0, 255); /* the parent's own from here on: 257 are shared */
	vm_tick(vm, 10 * SECOND);
	assert_int_equal(collapsed(), 0);
	fill(255, 1);
	vm_tick(vm, 10 * SECOND);
	assert_int_equal(collapsed(), 1); /* not of the child, which used nothing */
	expect_filled(0, 512);
	flat_run(cpu, child);
	expect_filled(0, 512);
	flat_run(cpu, mm);
	mm_put(child);
}

static void swap_out(u64 pages)
{
	while (mm->rss[MM_SWAPENTS] < pages)
		reclaim_pages(vm, cpu, pages - mm->rss[MM_SWAPENTS], true);
}

static void max_ptes_swap(void **state)
{
	small_pages(2 * MIB);
	make_old(0, 512);
	swap_out(65);
	assert_int_equal(mm->rss[MM_SWAPENTS], 65);
	fill(200, 312);
	vm_tick(vm, 10 * SECOND);
	assert_int_equal(collapsed(), 0);
	for (u64 i = 0; mm->rss[MM_SWAPENTS] == 65; i++)
		fill(i, 1);
	assert_true(mm->rss[MM_SWAPENTS] >= 1 && mm->rss[MM_SWAPENTS] <= 64);
	vm_tick(vm, 10 * SECOND);
	assert_int_equal(collapsed(), 1);
	assert_int_equal(mm->rss[MM_SWAPENTS], 0);
	expect_filled(0, 512);
}

static void swap_read_error(void **state)
{
	small_pages(2 * MIB);
	make_old(0, 512);
	swap_out(10);
	fail_reads = true;
	assert_int_equal(vm_madvise(cpu, mm, BASE, 2 * MIB, COLLAPSE), -EINVAL);
	fail_reads = false;
	assert_int_equal(vm_madvise(cpu, mm, BASE, 2 * MIB, COLLAPSE), 0);
	expect_filled(0, 512);
}

/* Without a free 2M khugepaged sleeps alloc_sleep_millisecs, 60000. */
static void no_free_block(void **state)
{
	struct page *taken[64];
	unsigned nr = 0;

	small_pages(2 * MIB);
	while ((taken[nr] = alloc_pages(vm, HPAGE_PMD_ORDER, PAGE_KERNEL)))
		nr++;
	vm_tick(vm, 10 * SECOND);
	assert_int_equal(vm_madvise(cpu, mm, BASE, 2 * MIB, COLLAPSE), -ENOMEM);
	put_page(vm, taken[--nr]);
	vm_tick(vm, 59 * SECOND);
	assert_int_equal(collapsed(), 0);
	vm_tick(vm, SECOND);
	assert_int_equal(collapsed(), 1);
	expect_filled(0, 512);
	while (nr)
		put_page(vm, taken[--nr]);
}

/* Free memory is in single pages, which move together: for whoever asks, and for khugepaged. */
static void moves_pages_together(void **state)
{
	struct page *taken[64];
	unsigned nr = 0;

	small_pages(40 * MIB);
	while ((taken[nr] = alloc_pages(vm, HPAGE_PMD_ORDER, PAGE_KERNEL)))
		nr++;
	for (u64 i = 1024; i < 40 * MIB >> PAGE_SHIFT; i += 2)
		assert_int_equal(vm_munmap(cpu, mm, BASE + i * PAGE_SIZE, PAGE_SIZE), 0);
	assert_null(alloc_pages(vm, HPAGE_PMD_ORDER, PAGE_KERNEL));
	assert_int_equal(vm_madvise(cpu, mm, BASE, 2 * MIB, COLLAPSE), 0);
	assert_int_equal(collapsed(), 1);
	while ((taken[nr] = alloc_pages(vm, HPAGE_PMD_ORDER, PAGE_KERNEL)))
		nr++;
	vm_tick(vm, 10 * SECOND);
	assert_int_equal(collapsed(), 2);
	expect_filled(0, 1024);
	for (u64 i = 1025; i < 40 * MIB >> PAGE_SHIFT; i += 2)
		expect_filled(i, 1);
	while (nr)
		put_page(vm, taken[--nr]);
}

/* The cursor outlives the address space that it is in. */
static void process_dies(void **state)
{
	struct mm_struct *other = mm_create(vm);

	small_pages(20 * MIB);
	vm_tick(vm, 10 * SECOND);
	flat_run(cpu, other);
	mm_put(mm);
	mm = other;
	small_pages(4 * MIB);
	vm_tick(vm, 10 * SECOND);
	vm_tick(vm, 10 * SECOND);
	assert_int_equal(collapsed(), 8 + 2);
	expect_filled(0, 4 * MIB >> PAGE_SHIFT);
}

/* Whichever allocation fails, nothing is lost. */
static void nth_allocation(void **state)
{
	small_pages(2 * MIB);
	make_old(0, 512);
	swap_out(40);
	for (u64 n = 0;; n++) {
		long err;

		vm_fail_alloc_after(vm, n);
		err = vm_madvise(cpu, mm, BASE, 2 * MIB, COLLAPSE);
		vm_fail_alloc_after(vm, ~0ull);
		if (!err)
			break;
		assert_true(err == -ENOMEM || err == -EINVAL);
		assert_true(n < 100);
	}
	expect_filled(0, 512);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(ten_seconds_a_turn, setup, teardown),
	    cmocka_unit_test_setup_teardown(only_where_wanted, setup, teardown),
	    cmocka_unit_test_setup_teardown(max_ptes_none, setup, teardown),
	    cmocka_unit_test_setup_teardown(nobody_used_it, setup, teardown),
	    cmocka_unit_test_setup_teardown(max_ptes_shared, setup, teardown),
	    cmocka_unit_test_setup_teardown(max_ptes_swap, setup, teardown),
	    cmocka_unit_test_setup_teardown(swap_read_error, setup, teardown),
	    cmocka_unit_test_setup_teardown(no_free_block, setup, teardown),
	    cmocka_unit_test_setup_teardown(moves_pages_together, setup, teardown),
	    cmocka_unit_test_setup_teardown(process_dies, setup, teardown),
	    cmocka_unit_test_setup_teardown(nth_allocation, setup, teardown),
	};

	return cmocka_run_group_tests_name("khugepaged", tests, NULL, NULL);
}
