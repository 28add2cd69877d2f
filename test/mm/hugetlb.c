/* SPDX-License-Identifier: MIT
 *
 * test/mm/hugetlb.c - the pool of MAP_HUGETLB pages: what is promised is kept, and what is not ends in SIGBUS. The
 * rules are those of Linux 6.12 Documentation/mm/hugetlbfs_reserv.rst.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "mm/internal.h"
#include "mm/vmscan.h"
#include "test/mm/flat_hw.h"

#define MIB  (1ull << 20)
#define BASE 0x7f0000000000ull
#define RW   (PROT_READ | PROT_WRITE)
#define HUGE (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_HUGETLB)
#define POOL 8

static struct hw_machine *m;
static struct vm *vm;
static struct hw_cpu *cpu;
static struct mm_struct *mm;

static int setup(void **state)
{
	m = flat_create(&(struct flat_config){
	    .ram_bytes = 64 * MIB, .vm = {.nr_hugepages = POOL, .check = 3, .pcid = true, .swap_slots = 4096}});
	vm = flat_vm(m);
	cpu = flat_cpu(m, 0);
	mm = mm_create(vm);
	flat_run(cpu, mm);
	return 0;
}

/* Every page is back in the pool, whatever happened. */
static int teardown(void **state)
{
	mm_put(mm);
	vm_check(vm);
	assert_int_equal(vm->hugetlb.free, POOL);
	flat_destroy(m);
	return 0;
}

static u64 page(u64 i)
{
	return BASE + i * PMD_SIZE;
}

static long map(u64 first, u64 pages, unsigned flags)
{
	return vm_mmap(cpu, mm, page(first), pages * PMD_SIZE, RW, HUGE | flags, NULL, 0);
}

static int put(u64 i, u8 byte)
{
	return flat_access(cpu, page(i) + 12345, 'w', &byte);
}

static void expect(u64 i, u8 value)
{
	u8 byte = 0;

	assert_int_equal(flat_access(cpu, page(i) + 12345, 'r', &byte), 0);
	assert_int_equal(byte, value);
}

static void promises(void **state)
{
	assert_int_equal(map(0, 6, 0), page(0));
	assert_int_equal(map(10, 3, 0), -ENOMEM); /* 2 are left */
	assert_int_equal(put(0, 1), 0);
	assert_int_equal(map(10, 3, 0), -ENOMEM);
	assert_int_equal(map(10, 2, 0), page(10));
	assert_int_equal(map(20, 1, 0), -ENOMEM);
	assert_int_equal(vm_munmap(cpu, mm, page(1), 2 * PMD_SIZE), 0); /* promises given back */
	assert_int_equal(map(20, 2, 0), page(20));
	assert_int_equal(vm_munmap(cpu, mm, page(0), PMD_SIZE), 0); /* and a page */
	assert_int_equal(map(30, 1, 0), page(30));
	assert_int_equal(map(40, 1, 0), -ENOMEM);
}

/* Each fault is one of 2M, readable or written first; nothing is small. */
static void pages(void **state)
{
	u8 byte;

	map(0, 4, 0);
	assert_int_equal(flat_access(cpu, page(0), 'r', &byte), 0);
	assert_int_equal(byte, 0);
	assert_int_equal(put(0, 7), 0); /* no second fault: it was writable */
	assert_int_equal(put(1, 8), 0);
	assert_int_equal(flat_touch(cpu, page(0), 2 * PMD_SIZE, 'w'), 0);
	assert_int_equal(flat_events(m)->faults, 2);
	assert_int_equal(flat_events(m)->last_fault.order, 9);
	assert_int_equal(mm->huge_leaves[0], 2);
	assert_int_equal(vm->hugetlb.free, POOL - 2);
	assert_int_equal(vm_madvise(cpu, mm, page(0), PMD_SIZE, 4),
			 0); /* DONTNEED: the page goes, the promise comes back */
	assert_int_equal(vm->hugetlb.free, POOL - 1);
	assert_int_equal(map(10, POOL - 3, 0), -ENOMEM);
	assert_int_equal(map(10, POOL - 4, 0), page(10));
	expect(0, 0);
}

static void noreserve(void **state)
{
	assert_int_equal(map(0, 5, 0), page(0));
	assert_int_equal(map(10, 20, MAP_NORESERVE), page(10)); /* more than there are */
	for (u64 i = 0; i < 3; i++)
		assert_int_equal(put(10 + i, 1), 0);
	assert_int_equal(put(13, 1), VM_FAULT_BUS); /* 5 are free, and all are promised */
	assert_int_equal(vm->hugetlb.free, 5);
	for (u64 i = 0; i < 5; i++)
		assert_int_equal(put(i, (u8)i), 0);
	assert_int_equal(put(14, 1), VM_FAULT_BUS);
	assert_int_equal(vm_munmap(cpu, mm, page(10), PMD_SIZE), 0);
	assert_int_equal(put(14, 1), 0);
}

/* Parent and child have what they had, as long as the pool has pages to copy to. */
static void fork_copies(void **state)
{
	struct mm_struct *parent = mm, *child;

	map(0, 3, 0);
	for (u64 i = 0; i < 3; i++)
		put(i, (u8)(i + 1));
	assert_int_equal(mm_fork(cpu, mm, &child), 0);
	put(0, 50);
	assert_int_equal(vm->hugetlb.free, POOL - 4);
	assert_int_equal(mm->huge_leaves[0], 3);
	mm = child;
	flat_run(cpu, mm);
	put(1, 60);
	expect(0, 1);
	expect(1, 60);
	expect(2, 3);
	mm = parent;
	flat_run(cpu, mm);
	expect(0, 50);
	expect(1, 2);
	mm_put(child);
}

/* No page to copy to: the parent keeps its page, and the child loses it. A child that writes is told by SIGBUS. */
static void fork_without_room(void **state)
{
	struct mm_struct *parent = mm, *child;

	map(0, POOL, 0);
	for (u64 i = 0; i < POOL; i++)
		assert_int_equal(put(i, (u8)(i + 1)), 0);
	assert_int_equal(mm_fork(cpu, mm, &child), 0);
	mm = child;
	flat_run(cpu, mm);
	expect(0, 1);
	assert_int_equal(put(1, 9), VM_FAULT_BUS);
	expect(1, 2);
	mm = parent;
	flat_run(cpu, mm);
	assert_int_equal(put(0, 99), 0);
	expect(0, 99);
	mm = child;
	flat_run(cpu, mm);
	assert_int_equal(flat_touch(cpu, page(0), 1, 'r'), VM_FAULT_BUS);
	expect(2, 3);
	mm = parent;
	flat_run(cpu, mm);
	mm_put(child);
	for (u64 i = 1; i < POOL; i++)
		expect(i, (u8)(i + 1));
}

/* They stay where they are when all else goes to swap; the pool is no one else's. */
static void apart(void **state)
{
	struct vm_meminfo info;

	map(0, POOL, 0);
	for (u64 i = 0; i < POOL; i++)
		put(i, (u8)(i + 1));
	vm_mmap(cpu, mm, page(100), MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0);
	assert_int_equal(flat_touch(cpu, page(100), MIB, 'w'), 0);
	while (reclaim_pages(vm, cpu, 512, true))
		vm_check(vm);
	vm_meminfo(vm, &info);
	assert_int_equal(info.anon_frames, POOL * 512);
	assert_int_equal(mm->huge_leaves[0], POOL);
	for (u64 i = 0; i < POOL; i++)
		expect(i, (u8)(i + 1));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(promises), T(pages), T(noreserve), T(fork_copies), T(fork_without_room), T(apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
