/* SPDX-License-Identifier: MIT
 *
 * test/mm/fragment.c - memory that is in pieces from the start, and what huge pages make of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "mm/internal.h"
#include "test/mm/flat_hw.h"

#define MIB  (1ull << 20)
#define BASE 0x7f0000000000ull

static struct hw_machine *m;
static struct vm *vm;

static void boot(u64 ram_bytes, u16 per_mille, enum vm_thp thp)
{
	m = flat_create(
	    &(struct flat_config){.ram_bytes = ram_bytes, .vm = {.thp = thp, .fragmentation = per_mille, .check = 3}});
	vm = flat_vm(m);
}

static void shut_down(void)
{
	vm_check(vm);
	flat_destroy(m);
}

/* The share of free memory that lies in blocks under 2M. */
static double share(void)
{
	struct vm_meminfo info;
	double small = 0, all = 0;

	vm_meminfo(vm, &info);
	for (unsigned order = 0; order < 19; order++) {
		double frames = (double)info.free_blocks[order] * (double)(1u << order);

		all += frames;
		if (4096.0 * (double)(1u << order) < 2.0 * 1024 * 1024)
			small += frames;
	}
	assert_true(all == (double)info.free_frames);
	return small / all;
}

/* The share is the one asked for, to less than one 2M either way, whatever the RAM's size. 0 leaves what boot left. */
static void shares(void **state)
{
	static const u64 ram_mib[] = {16, 64, 100, 1024};
	static const u16 per_mille[] = {0, 1, 250, 333, 500, 999, 1000};

	for (unsigned i = 0; i < ARRAY_SIZE(ram_mib); i++) {
		double left, one = 2.0 / ((double)ram_mib[i] - 2);

		boot(ram_mib[i] * MIB, 0, VM_THP_NEVER);
		left = share();
		assert_true(left < 3 * one);
		shut_down();
		for (unsigned k = 0; k < ARRAY_SIZE(per_mille); k++) {
			double want = max(per_mille[k] / 1000.0, left);

			boot(ram_mib[i] * MIB, per_mille[k], VM_THP_NEVER);
			if (share() > want + one || share() < want - one)
				fail_msg("%u MiB: %f instead of %f", (unsigned)ram_mib[i], share(), want);
			assert_true(per_mille[k] < 1000 || share() == 1);
			shut_down();
		}
	}
}

/* Broken 2M lie among whole ones all over RAM: no quarter of it has all of them. */
static void spread(void **state)
{
	u64 broken[4] = {0}, per_quarter = 64 * MIB / PMD_SIZE;

	boot(256 * MIB, 500, VM_THP_NEVER);
	for (u64 pfn = 0; pfn < vm->max_pfn; pfn += 512) {
		struct page *block = free_block_at(vm, pfn + 1);

		broken[pfn / 512 / per_quarter] += !block || block->order < 9;
	}
	for (unsigned i = 0; i < 4; i++)
		assert_true(broken[i] >= per_quarter / 2 - 2 && broken[i] <= per_quarter / 2 + 3);
	shut_down();
}

/* 20 huge pages are asked for: with half the memory in pieces 64M do not have them. */
static void fallback(void **state)
{
	struct mm_struct *mm;
	u64 whole = 0, got;

	boot(64 * MIB, 800, VM_THP_ALWAYS);
	mm = mm_create(vm);
	flat_run(flat_cpu(m, 0), mm);
	assert_int_equal(vm_mmap(flat_cpu(m, 0), mm, BASE, 40 * MIB, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0),
			 BASE);
	for (unsigned order = 9; order < 19; order++)
		whole += vm->free_area[order].nr_free << (order - 9);
	assert_true(whole >= 1 && whole <= 10);
	assert_int_equal(flat_touch(flat_cpu(m, 0), BASE, 40 * MIB, 'w'), 0);
	got = flat_events(m)->type[VM_EV_THP_FAULT_ALLOC];
	assert_int_equal(got, whole);
	assert_true(flat_events(m)->type[VM_EV_THP_FAULT_FALLBACK] >= 20 - got);
	mm_put(mm);
	shut_down();
}

/* Old pages go when memory is short: a program has all but what the kernel keeps. */
static void old_pages_go(void **state)
{
	struct mm_struct *mm;
	struct vm_meminfo before, after;

	boot(32 * MIB, 1000, VM_THP_NEVER);
	vm_meminfo(vm, &before);
	assert_true(before.file_frames >= 5);
	mm = mm_create(vm);
	flat_run(flat_cpu(m, 0), mm);
	vm_mmap(flat_cpu(m, 0), mm, BASE, 40 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		NULL, 0);
	assert_int_equal(flat_touch(flat_cpu(m, 0), BASE, 40 * MIB, 'w'), VM_FAULT_NOMEM);
	vm_meminfo(vm, &after);
	assert_int_equal(after.file_frames, 0);
	mm_put(mm);
	shut_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(shares),
	    cmocka_unit_test(spread),
	    cmocka_unit_test(fallback),
	    cmocka_unit_test(old_pages_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
