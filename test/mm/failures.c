/* SPDX-License-Identifier: MIT
 *
 * test/mm/failures.c - RAM runs out at the Nth allocation, for every N until the program gets through: each call fails
 * cleanly (-ENOMEM, VM_FAULT_NOMEM), vm_check holds after it, what was there is still there, and the same call works
 * when it is made again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mm/internal.h"
#include "mm/vmscan.h"
#include "test/mm/flat_hw.h"

#define MIB  (1ull << 20)
#define BASE 0x7f0000000000ull
#define RW   (PROT_READ | PROT_WRITE)

static struct hw_machine *m;
static struct hw_cpu *cpu;
static struct mm_struct *mm;

/* What a program does; each call once more if it fails for want of RAM (the failure is injected once). */
#define RETRY(call, failed)                                                                                            \
	do {                                                                                                           \
		if ((call) == (failed)) {                                                                              \
			vm_check(flat_vm(m));                                                                          \
			assert_false((call) == (failed));                                                              \
		}                                                                                                      \
	} while (0)

static void map(u64 at, u64 len, unsigned flags, struct address_space *file)
{
	RETRY(vm_mmap(cpu, mm, at, len, RW, flags | MAP_FIXED, file, 0), -ENOMEM);
}

static void write_to(u64 va, u8 value)
{
	RETRY(flat_access(cpu, va, 'w', &value), VM_FAULT_NOMEM);
}

static void expect(u64 va, u8 value)
{
	u8 byte = 0;

	RETRY(flat_access(cpu, va, 'r', &byte), VM_FAULT_NOMEM);
	assert_int_equal(byte, value);
}

static struct address_space *make_file(u64 bytes)
{
	struct address_space *file = vm_file_create(flat_vm(m), bytes, NULL, NULL);

	return file ? file : vm_file_create(flat_vm(m), bytes, NULL, NULL);
}

/* Small pages, files, fork, moves. */
static void program_small(void)
{
	struct address_space *file = make_file(64 * PAGE_SIZE);
	struct mm_struct *child;

	assert_non_null(file);
	map(BASE, 64 * PAGE_SIZE, MAP_PRIVATE | MAP_ANONYMOUS, NULL);
	map(BASE + MIB, 64 * PAGE_SIZE, MAP_PRIVATE, file);
	map(BASE + 2 * MIB, 64 * PAGE_SIZE, MAP_SHARED | MAP_ANONYMOUS, NULL);
	for (u64 i = 0; i < 20; i++) {
		write_to(BASE + i * PAGE_SIZE, (u8)(i + 1));
		write_to(BASE + MIB + i * PAGE_SIZE, (u8)(i + 2));
		write_to(BASE + 2 * MIB + i * PAGE_SIZE, (u8)(i + 3));
	}
	RETRY(mm_fork(cpu, mm, &child), -ENOMEM);
	for (u64 i = 0; i < 10; i++)
		write_to(BASE + i * PAGE_SIZE, 99);
	RETRY(vm_mprotect(cpu, mm, BASE + 5 * PAGE_SIZE, PAGE_SIZE, PROT_READ), -ENOMEM);
	RETRY(
	    vm_mremap(cpu, mm, BASE, 4 * PAGE_SIZE, 4 * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, BASE + (1ull << 30)),
	    -ENOMEM);
	RETRY(vm_munmap(cpu, mm, BASE + 8 * PAGE_SIZE, PAGE_SIZE), -ENOMEM);
	expect(BASE + (1ull << 30), 99);
	expect(BASE + 12 * PAGE_SIZE, 13);
	flat_run(cpu, child);
	for (u64 i = 0; i < 20; i++) {
		expect(BASE + i * PAGE_SIZE, (u8)(i + 1));
		expect(BASE + MIB + i * PAGE_SIZE, (u8)(i + 2));
		expect(BASE + 2 * MIB + i * PAGE_SIZE, (u8)(i + 3));
	}
	flat_run(cpu, mm);
	mm_put(child);
	vm_file_put(file);
}

/* Huge pages: given, shared, split by a write, by munmap, by mprotect, by DONTNEED, moved off their alignment. */
static void program_huge(void)
{
	struct mm_struct *child;

	map(BASE, 8 * PMD_SIZE, MAP_PRIVATE | MAP_ANONYMOUS, NULL);
	for (u64 i = 0; i < 6; i++)
		write_to(BASE + i * PMD_SIZE, (u8)(i + 1));
	write_to(BASE + PMD_SIZE - PAGE_SIZE, 50);
	RETRY(mm_fork(cpu, mm, &child), -ENOMEM);
	write_to(BASE + PAGE_SIZE, 77);
	write_to(BASE + 5 * PMD_SIZE + PAGE_SIZE, 78);
	RETRY(vm_mprotect(cpu, mm, BASE + PMD_SIZE + PAGE_SIZE, PAGE_SIZE, PROT_READ), -ENOMEM);
	RETRY(vm_munmap(cpu, mm, BASE + 2 * PMD_SIZE + PAGE_SIZE, PAGE_SIZE), -ENOMEM);
	RETRY(vm_mremap(cpu, mm, BASE + 3 * PMD_SIZE, PMD_SIZE, PMD_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
			BASE + (1ull << 30) + PAGE_SIZE),
	      -ENOMEM);
	expect(BASE + (1ull << 30) + PAGE_SIZE, 4);
	expect(BASE + PMD_SIZE, 2);
	expect(BASE + 6 * PMD_SIZE, 0);
	write_to(BASE + 6 * PMD_SIZE, 8);
	flat_run(cpu, child);
	for (u64 i = 0; i < 6; i++)
		expect(BASE + i * PMD_SIZE, (u8)(i + 1));
	expect(BASE + PMD_SIZE - PAGE_SIZE, 50);
	expect(BASE + PAGE_SIZE, 0);
	flat_run(cpu, mm);
	mm_put(child);
}

/* All goes to swap, huge pages and shared memory too, and comes back in parent and child. */
static void program_swap(void)
{
	struct mm_struct *child;

	map(BASE, 2 * PMD_SIZE, MAP_PRIVATE | MAP_ANONYMOUS, NULL);
	map(BASE + 8 * MIB, 20 * PAGE_SIZE, MAP_SHARED | MAP_ANONYMOUS, NULL);
	for (u64 i = 0; i < 20; i++) {
		write_to(BASE + i * 37 * PAGE_SIZE, (u8)(i + 1));
		write_to(BASE + 8 * MIB + i * PAGE_SIZE, (u8)(i + 2));
	}
	RETRY(mm_fork(cpu, mm, &child), -ENOMEM);
	while (reclaim_pages(flat_vm(m), cpu, 32, true))
		vm_check(flat_vm(m));
	for (u64 i = 0; i < 20; i += 2)
		write_to(BASE + i * 37 * PAGE_SIZE, 99);
	flat_run(cpu, child);
	for (u64 i = 0; i < 20; i++) {
		expect(BASE + i * 37 * PAGE_SIZE, (u8)(i + 1));
		expect(BASE + 8 * MIB + i * PAGE_SIZE, (u8)(i + 2));
	}
	flat_run(cpu, mm);
	for (u64 i = 0; i < 20; i++)
		expect(BASE + i * 37 * PAGE_SIZE, i % 2 ? (u8)(i + 1) : 99);
	mm_put(child);
}

/* A swap device with contents, of as many pages as RAM has. */
#define SLOTS (64 * MIB / PAGE_SIZE)
static u8 disk[SLOTS][PAGE_SIZE];

static int disk_read(void *ctx, u64 slot, u64 pfn)
{
	memcpy(flat_vm(m)->ram + (pfn << PAGE_SHIFT), disk[slot], PAGE_SIZE);
	return 0;
}
static int disk_write(void *ctx, u64 slot, u64 pfn)
{
	memcpy(disk[slot], flat_vm(m)->ram + (pfn << PAGE_SHIFT), PAGE_SIZE);
	return 0;
}
static const struct backing_ops disk_ops = {.read_page = disk_read, .write_page = disk_write};

/* Returns true when the Nth allocation was reached. */
static bool run(void (*program)(void), enum vm_thp thp, u64 n)
{
	struct vm_meminfo after;
	bool reached;

	m = flat_create(&(struct flat_config){.ram_bytes = 64 * MIB,
					      .vm = {.thp = thp,
						     .pcid = true,
						     .check = 3,
						     .swap_slots = program == program_swap ? SLOTS : 0,
						     .swap_ops = &disk_ops,
						     .swap_checksum = true}});
	cpu = flat_cpu(m, 0);
	mm = mm_create(flat_vm(m));
	flat_run(cpu, mm);
	vm_fail_alloc_after(flat_vm(m), n);
	program();
	reached = flat_vm(m)->fail_alloc_after == ~0ull;
	vm_fail_alloc_after(flat_vm(m), ~0ull);
	mm_put(mm);
	vm_meminfo(flat_vm(m), &after);
	assert_int_equal(after.anon_frames + after.table_frames + after.file_frames, 0);
	flat_destroy(m);
	return reached;
}

static void each(void (*program)(void), enum vm_thp thp)
{
	u64 n = 0;

	while (run(program, thp, n))
		n++;
	assert_true(n > 15); /* it did allocate */
}

static void small_pages(void **state)
{
	each(program_small, VM_THP_NEVER);
}
static void huge_pages(void **state)
{
	each(program_huge, VM_THP_ALWAYS);
}

static void swapping(void **state)
{
	each(program_swap, VM_THP_NEVER);
	each(program_swap, VM_THP_ALWAYS);
}

/* RAM is really full, and there is no swap: the fault says so, the process is the OOM killer's victim and has lost its
 * memory, for good; others find room. */
static void full(void **state)
{
	struct mm_struct *other;
	u64 va = BASE;

	m = flat_create(&(struct flat_config){.ram_bytes = 8 * MIB, .vm = {.check = 1}});
	cpu = flat_cpu(m, 0);
	mm = mm_create(flat_vm(m));
	other = mm_create(flat_vm(m));
	flat_run(cpu, mm);
	map(BASE, 64 * MIB, MAP_PRIVATE | MAP_ANONYMOUS, NULL);
	while (flat_touch(cpu, va, 1, 'w') == 0)
		va += PAGE_SIZE;
	assert_int_equal(flat_events(m)->last_fault.cause, VM_FAULT_NOMEM);
	assert_int_equal(flat_events(m)->type[VM_EV_OOM], 1);
	assert_int_equal(flat_events(m)->type[VM_EV_OOM_KILL], 1);
	assert_true(va - BASE > 7 * MIB);
	vm_check(flat_vm(m));
	assert_int_equal(flat_touch(cpu, BASE, 1, 'r'), VM_FAULT_NOMEM);
	flat_run(cpu, other);
	assert_int_equal(vm_mmap(cpu, other, BASE, 4 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0),
			 BASE);
	assert_int_equal(flat_touch(cpu, BASE, 4 * MIB, 'w'), 0);
	mm_put(mm);
	mm_put(other);
	vm_check(flat_vm(m));
	flat_destroy(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(small_pages),
	    cmocka_unit_test(huge_pages),
	    cmocka_unit_test(swapping),
	    cmocka_unit_test(full),
	};

	return cmocka_run_group_tests_name("allocation failures", tests, NULL, NULL);
}
