/* SPDX-License-Identifier: MIT
 *
 * test/mm/pins.c - pages that a pipe or a device refers to: what fork and a later write make of them. Who holds a page
 * must go on seeing what Linux promises: a pipe the contents at the time (CVE-2020-29374 was that it did not), a
 * device the process's own page.
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
#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static struct hw_machine *m;
static struct vm *vm;
static struct hw_cpu *cpu;
static struct mm_struct *mm, *child;
static u64 a;

static int setup(void **state)
{
	m = flat_create(&(struct flat_config){
	    .ram_bytes = 32 * MIB, .vm = {.pcid = true, .check = 3, .swap_slots = 8192, .thp = VM_THP_MADVISE}});
	vm = flat_vm(m);
	cpu = flat_cpu(m, 0);
	mm = mm_create(vm);
	flat_run(cpu, mm);
	a = (u64)vm_mmap(cpu, mm, 0, 2 * PMD_SIZE, RW, ANON, NULL, 0);
	a = ALIGN_UP(a, PMD_SIZE);
	child = NULL;
	return 0;
}

static int teardown(void **state)
{
	flat_run(cpu, NULL);
	mm_put(mm);
	if (child)
		mm_put(child);
	assert_true(vm_check(vm));
	flat_destroy(m);
	return 0;
}

static void put(struct mm_struct *in, u64 va, u8 byte)
{
	flat_run(cpu, in);
	assert_int_equal(flat_access(cpu, va, 'w', &byte), 0);
}

static u8 get(struct mm_struct *in, u64 va)
{
	u8 byte = 0;

	flat_run(cpu, in);
	assert_int_equal(flat_access(cpu, va, 'r', &byte), 0);
	return byte;
}

/* What the holder sees. */
static u8 frame(u64 pfn)
{
	return *(u8 *)phys_to_virt(vm, pfn << PAGE_SHIFT);
}

static u64 frame_at(struct mm_struct *in, u64 va)
{
	u64 entry;

	return vm_lookup(in, va, &entry) ? (entry & X86_PHYS_MASK) >> PAGE_SHIFT : 0;
}

static u64 faults(unsigned cause)
{
	return flat_events(m)->fault[cause];
}

/* The child's pipe holds the page; it unmaps it; the parent's write may not be seen in the pipe. */
static void pipe_of_the_child(void **state)
{
	u64 pfn;

	put(mm, a, 'o');
	assert_int_equal(mm_fork(cpu, mm, &child), 0);
	flat_run(cpu, child);
	assert_int_equal(vm_hold(cpu, child, a, VM_HOLD_GET, false, &pfn), 0);
	assert_int_equal(pfn, frame_at(mm, a));
	assert_int_equal(vm_munmap(cpu, child, a, PAGE_SIZE), 0);
	flat_reset_events(m);
	put(mm, a, 'n');
	assert_int_equal(faults(VM_FAULT_COW_COPY), 1);
	assert_int_equal(frame(pfn), 'o');
	assert_int_equal(get(mm, a), 'n');
	vm_release(vm, pfn, VM_HOLD_GET);
	/* nobody holds the new one */
	flat_reset_events(m);
	put(mm, a, 'm');
	assert_int_equal(faults(VM_FAULT_COW_COPY), 0);
}

/* Without a fork the page is written in place, and the pipe sees it: so it is on Linux. */
static void pipe_of_the_only_one(void **state)
{
	u64 pfn;

	put(mm, a, 'o');
	assert_int_equal(vm_hold(cpu, mm, a, VM_HOLD_GET, false, &pfn), 0);
	put(mm, a, 'n');
	assert_int_equal(frame(pfn), 'n');
	assert_int_equal(vm_munmap(cpu, mm, a, PAGE_SIZE), 0);
	assert_int_equal(frame(pfn), 'n');
	vm_release(vm, pfn, VM_HOLD_GET);
}

/* A device goes on writing to the parent's page: the child has a copy from the start, and neither faults. */
static void pinned_before_fork(void **state)
{
	u64 pfn;

	put(mm, a, 'o');
	put(mm, a + PAGE_SIZE, 'x');
	assert_int_equal(vm_hold(cpu, mm, a, VM_HOLD_PIN, true, &pfn), 0);
	assert_int_equal(mm_fork(cpu, mm, &child), 0);
	assert_int_not_equal(frame_at(child, a), pfn);
	assert_int_equal(frame_at(child, a + PAGE_SIZE), frame_at(mm, a + PAGE_SIZE));
	*(u8 *)phys_to_virt(vm, pfn << PAGE_SHIFT) = 'd';
	flat_reset_events(m);
	assert_int_equal(get(mm, a), 'd');
	put(mm, a, 'n');
	assert_int_equal(frame(pfn), 'n');
	assert_int_equal(get(child, a), 'o');
	put(child, a, 'c');
	assert_int_equal(get(mm, a), 'n');
	assert_int_equal(faults(VM_FAULT_COW_COPY) + faults(VM_FAULT_COW_REUSE), 0);
	put(mm, a + PAGE_SIZE, 'y'); /* the page beside it is shared as ever */
	assert_int_equal(faults(VM_FAULT_COW_COPY), 1);
	vm_release(vm, pfn, VM_HOLD_PIN);
}

/* A pin of a page that a fork shares makes it the process's own first, even if only to be read. */
static void pinned_after_fork(void **state)
{
	u64 pfn;

	put(mm, a, 'o');
	assert_int_equal(mm_fork(cpu, mm, &child), 0);
	flat_run(cpu, child);
	assert_int_equal(vm_hold(cpu, child, a, VM_HOLD_PIN, false, &pfn), 0);
	assert_int_equal(pfn, frame_at(child, a));
	assert_int_not_equal(pfn, frame_at(mm, a));
	assert_int_equal(frame(pfn), 'o');
	put(mm, a, 'p');
	put(child, a, 'c');
	assert_int_equal(frame(pfn), 'c');
	assert_int_equal(get(mm, a), 'p');
	vm_release(vm, pfn, VM_HOLD_PIN);
}

/* One 4K of a huge page is pinned: fork splits the mapping and copies that one. */
static void pinned_huge(void **state)
{
	u64 pfn;

	assert_int_equal(vm_madvise(cpu, mm, a, PMD_SIZE, 14 /* MADV_HUGEPAGE */), 0);
	put(mm, a, 'h');
	put(mm, a + 5 * PAGE_SIZE, 'o');
	assert_int_equal(vm_hold(cpu, mm, a + 5 * PAGE_SIZE, VM_HOLD_PIN, true, &pfn), 0);
	assert_int_equal(mm_fork(cpu, mm, &child), 0);
	flat_reset_events(m);
	put(mm, a + 5 * PAGE_SIZE, 'n');
	assert_int_equal(frame(pfn), 'n');
	assert_int_equal(faults(VM_FAULT_COW_COPY), 0);
	assert_int_equal(get(child, a + 5 * PAGE_SIZE), 'o');
	assert_int_equal(get(child, a), 'h');
	assert_int_equal(vm_munmap(cpu, mm, a, PMD_SIZE), 0);
	assert_int_equal(frame(pfn), 'n');
	vm_release(vm, pfn, VM_HOLD_PIN);
}

/* Reclaim, MADV_PAGEOUT, MADV_COLLAPSE leave it where it is; its neighbours go. */
static void stays(void **state)
{
	u64 pfn, entry;

	for (u64 va = a; va < a + MIB; va += PAGE_SIZE)
		put(mm, va, 'x');
	assert_int_equal(vm_hold(cpu, mm, a, VM_HOLD_GET, false, &pfn), 0);
	assert_true(vm_madvise(cpu, mm, a, PMD_SIZE, 25 /* MADV_COLLAPSE */) != 0);
	vm_madvise(cpu, mm, a, MIB, 21 /* MADV_PAGEOUT */);
	while (reclaim_pages(vm, cpu, 1024, true))
		;
	assert_int_equal(frame_at(mm, a), pfn);
	assert_int_equal(vm_lookup(mm, a + PAGE_SIZE, &entry), 0);
	vm_release(vm, pfn, VM_HOLD_GET);
	while (reclaim_pages(vm, cpu, 1024, true))
		;
	assert_int_equal(vm_lookup(mm, a, &entry), 0);
	assert_int_equal(get(mm, a), 'x');
}

/* Nobody holds what is not anonymous; what is not there cannot be held. */
static void others(void **state)
{
	struct address_space *f = vm_file_create(vm, MIB, NULL, NULL);
	u64 va = (u64)vm_mmap(cpu, mm, 0, MIB, RW, MAP_SHARED, f, 0), pfn = 1;

	assert_int_equal(vm_hold(cpu, mm, va, VM_HOLD_GET, true, &pfn), 0);
	assert_int_equal(pfn, 0);
	vm_release(vm, pfn, VM_HOLD_GET);
	assert_int_equal(vm_hold(cpu, mm, a, VM_HOLD_GET, false, &pfn), 0); /* the zero page */
	assert_int_equal(pfn, 0);
	assert_int_equal(vm_hold(cpu, mm, 0x10000, VM_HOLD_PIN, false, &pfn), -EFAULT);
	vm_file_put(f);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(pipe_of_the_child),
	    T(pipe_of_the_only_one),
	    T(pinned_before_fork),
	    T(pinned_after_fork),
	    T(pinned_huge),
	    T(stays),
	    T(others),
	};

	return cmocka_run_group_tests_name("held pages", tests, NULL, NULL);
}
