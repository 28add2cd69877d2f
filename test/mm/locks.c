/* SPDX-License-Identifier: MIT
 *
 * test/mm/locks.c - memory that is locked stays when everything that can go, goes; unlocked, it goes too (whether
 * each page is there is asked of the entries themselves); and what msync does when the disk fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mm/internal.h"
#include "mm/vmscan.h"
#include "test/mm/flat_hw.h"

#define MIB   (1ull << 20)
#define RW    (PROT_READ | PROT_WRITE)
#define ANON  (MAP_PRIVATE | MAP_ANONYMOUS)
#define PAGES 64ull
#define BYTES (PAGES * PAGE_SIZE)

static struct hw_machine *m;
static struct vm *vm;
static struct hw_cpu *cpu;
static struct mm_struct *mm;
static enum vm_reclaim_policy policy;

static int setup(void **state)
{
	m = flat_create(&(struct flat_config){
	    .ram_bytes = 16 * MIB,
	    .vm = {.pcid = true, .check = 2, .swap_slots = 8192, .reclaim = policy, .thp = VM_THP_MADVISE}});
	vm = flat_vm(m);
	cpu = flat_cpu(m, 0);
	mm = mm_create(vm);
	flat_run(cpu, mm);
	return 0;
}

static int teardown(void **state)
{
	mm_put(mm);
	assert_true(vm_check(vm));
	flat_destroy(m);
	return 0;
}

static u64 map(u64 bytes, unsigned flags, struct address_space *file)
{
	long va = vm_mmap(cpu, mm, 0, bytes, RW, flags, file, 0);

	assert_true(va > 0);
	return (u64)va;
}

static u64 present(u64 va, u64 bytes)
{
	u64 n = 0, entry;

	for (u64 at = va; at < va + bytes; at += PAGE_SIZE)
		n += vm_lookup(mm, at, &entry) != 0;
	return n;
}

static void all_that_can_goes(void)
{
	while (reclaim_pages(vm, cpu, 1024, true))
		;
	assert_true(vm_check(vm));
}

static void anonymous(void **state)
{
	u64 locked = map(BYTES, ANON | MAP_LOCKED, NULL), other = map(BYTES, ANON, NULL);

	assert_int_equal(present(locked, BYTES), PAGES);
	flat_touch(cpu, other, BYTES, 'w');
	all_that_can_goes();
	assert_int_equal(present(locked, BYTES), PAGES);
	assert_int_equal(present(other, BYTES), 0);

	assert_int_equal(vm_munlock(cpu, mm, locked, BYTES / 2), 0);
	all_that_can_goes();
	assert_int_equal(present(locked, BYTES / 2), 0);
	assert_int_equal(present(locked + BYTES / 2, BYTES / 2), PAGES / 2);
}

/* Pages that are in swap come back when they are locked. */
static void swapped(void **state)
{
	u64 va = map(BYTES, ANON, NULL);

	flat_touch(cpu, va, BYTES, 'w');
	all_that_can_goes();
	assert_int_equal(present(va, BYTES), 0);
	assert_int_equal(vm_mlock(cpu, mm, va, BYTES, 0), 0);
	assert_int_equal(present(va, BYTES), PAGES);
	all_that_can_goes();
	assert_int_equal(present(va, BYTES), PAGES);
	vm_munlockall(cpu, mm);
	all_that_can_goes();
	assert_int_equal(present(va, BYTES), 0);
}

/* A page of a file stays for all as long as one area locks it. */
static void file(void **state)
{
	struct address_space *f = vm_file_create(vm, BYTES, NULL, NULL);
	u64 locked = map(BYTES, MAP_SHARED, f), other = map(BYTES, MAP_SHARED, f);

	flat_touch(cpu, locked, BYTES, 'w');
	flat_touch(cpu, other, BYTES, 'r');
	assert_int_equal(vm_mlock(cpu, mm, locked, BYTES / 4, 0), 0);
	all_that_can_goes();
	assert_int_equal(present(locked, BYTES), PAGES / 4);
	assert_int_equal(present(other, BYTES), PAGES / 4);
	vm_file_put(f);
}

static void on_fault(void **state)
{
	u64 va = map(BYTES, ANON, NULL);

	assert_int_equal(vm_mlock(cpu, mm, va, BYTES, MLOCK_ONFAULT), 0);
	assert_int_equal(present(va, BYTES), 0);
	flat_touch(cpu, va, BYTES / 4, 'w');
	all_that_can_goes();
	assert_int_equal(present(va, BYTES), PAGES / 4);
}

/* A huge page of which a part is locked stays whole. */
static void part_of_huge(void **state)
{
	u64 va = map(4 * MIB, ANON, NULL), start = ALIGN_UP(va, PMD_SIZE);

	assert_int_equal(vm_madvise(cpu, mm, va, 4 * MIB, 14), 0);
	flat_touch(cpu, start, PMD_SIZE, 'w');
	assert_int_equal(vm_mlock(cpu, mm, start + MIB, BYTES, 0), 0);
	all_that_can_goes();
	assert_int_equal(present(start + MIB, BYTES), PAGES);
	assert_int_equal(vm_munlock(cpu, mm, start + MIB, BYTES), 0);
	all_that_can_goes();
	assert_int_equal(present(start, PMD_SIZE), 0);
}

/* The child's view of a page is not locked, but the page is, by its parent. */
static void child_of_locker(void **state)
{
	u64 va = map(BYTES, ANON | MAP_LOCKED, NULL);
	struct mm_struct *parent = mm, *child;

	assert_int_equal(mm_fork(cpu, parent, &child), 0);
	all_that_can_goes();
	assert_int_equal(present(va, BYTES), PAGES);
	mm = child;
	assert_int_equal(present(va, BYTES), PAGES);
	vm_munlockall(cpu, parent);
	all_that_can_goes();
	assert_int_equal(present(va, BYTES), 0);
	mm = parent;
	mm_put(child);
}

/* Reclaim looks at locked pages once, however often it runs; and again when a lock or a mapping has gone. */
static void looked_at_once(void **state)
{
	u64 locked = map(BYTES, ANON | MAP_LOCKED, NULL);
	const struct lru_list *unevictable = &vm->reclaim.list[LRU_LIST_UNEVICTABLE];
	struct mm_struct *child;

	all_that_can_goes();
	assert_int_equal(unevictable->nr, PAGES);
	assert_int_equal(vm->reclaim.nr[LRU_ANON] + vm->reclaim.nr[LRU_FILE], 0);
	assert_int_equal(vm_munlock(cpu, mm, locked, PAGE_SIZE), 0);
	assert_int_equal(unevictable->nr, PAGES - 1);
	assert_int_equal(vm_munmap(cpu, mm, locked + PAGE_SIZE, PAGE_SIZE), 0);
	assert_int_equal(unevictable->nr, PAGES - 2);
	assert_int_equal(mm_fork(cpu, mm, &child), 0);
	vm_munlockall(cpu, mm);
	assert_int_equal(unevictable->nr, 0);
	mm_put(child);
	all_that_can_goes();
	assert_int_equal(present(locked, BYTES), 0);
}

/* More is asked for than there is room beside what is locked: the process dies, the machine does not. */
static void too_much(void **state)
{
	u64 locked = map(8 * MIB, ANON | MAP_LOCKED, NULL), other = map(32 * MIB, ANON, NULL);

	assert_int_equal(present(locked, 8 * MIB), 8 * MIB / PAGE_SIZE);
	assert_int_equal(flat_touch(cpu, other, 16 * MIB, 'w'), 0);
	assert_int_equal(present(locked, 8 * MIB), 8 * MIB / PAGE_SIZE);
	assert_int_equal(vm_mlock(cpu, mm, other, 32 * MIB, 0), -EAGAIN);
}

/* msync of a disk that fails: -EIO, and what is dirty stays so until it is written. */
static u64 written;
static bool broken;

static int write_page(void *ctx, u64 index, u64 pfn)
{
	written += !broken;
	return broken ? -EIO : 0;
}

static void sync_error(void **state)
{
	static const struct backing_ops ops = {.write_page = write_page};
	struct address_space *f = vm_file_create(vm, BYTES, &ops, NULL);
	u64 va = map(BYTES, MAP_SHARED, f);

	written = 0;
	flat_touch(cpu, va, 4 * PAGE_SIZE, 'w');
	broken = true;
	assert_int_equal(vm_msync(cpu, mm, va, BYTES, MS_SYNC), -EIO);
	broken = false;
	assert_int_equal(vm_msync(cpu, mm, va, 2 * PAGE_SIZE, MS_SYNC), 0);
	assert_int_equal(written, 2);
	assert_int_equal(vm_msync(cpu, mm, va, BYTES, MS_SYNC), 0);
	assert_int_equal(written, 4);
	vm_file_put(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	    T(anonymous),       T(swapped),        T(file),     T(on_fault),   T(part_of_huge),
	    T(child_of_locker), T(looked_at_once), T(too_much), T(sync_error),
	};
	int failed = 0;

	for (policy = 0; policy < VM_RECLAIM_NR; policy++)
		failed += cmocka_run_group_tests(tests, NULL, NULL);
	return failed;
}
