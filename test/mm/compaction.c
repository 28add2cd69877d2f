/* SPDX-License-Identifier: MIT
 *
 * test/mm/compaction.c - pages move to other frames while a fault waits for a huge page: nobody else notices. What a
 * program wrote, who shares what, what is dirty, which page goes next: all as before, only elsewhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mm/compaction.h"
#include "mm/internal.h"
#include "mm/rmap.h"
#include "mm/vmscan.h"
#include "test/mm/flat_hw.h"

#define MIB      (1ull << 20)
#define BASE     0x7f0000000000ull
#define HUGE     0x7e0000000000ull
#define RW       (PROT_READ | PROT_WRITE)
#define ANON     (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
#define SLOTS    8192
#define HUGEPAGE 14

static struct hw_machine *m;
static struct vm *vm;
static struct hw_cpu *cpu;
static struct mm_struct *mm;
static u8 (*disk)[PAGE_SIZE];

static int disk_read(void *ctx, u64 slot, u64 pfn)
{
	memcpy(vm->ram + (pfn << PAGE_SHIFT), disk[slot], PAGE_SIZE);
	return 0;
}

static int disk_write(void *ctx, u64 slot, u64 pfn)
{
	memcpy(disk[slot], vm->ram + (pfn << PAGE_SHIFT), PAGE_SIZE);
	return 0;
}

static const struct backing_ops disk_ops = {.read_page = disk_read, .write_page = disk_write};

static void boot(u64 ram_bytes, struct vm_config cfg)
{
	cfg.thp = VM_THP_MADVISE;
	cfg.check = 3;
	cfg.pcid = true;
	cfg.swap_slots = SLOTS;
	cfg.swap_ops = &disk_ops;
	cfg.swap_checksum = true;
	disk = calloc(SLOTS, PAGE_SIZE);
	m = flat_create(&(struct flat_config){.ram_bytes = ram_bytes, .vm = cfg});
	vm = flat_vm(m);
	cpu = flat_cpu(m, 0);
	mm = mm_create(vm);
	flat_run(cpu, mm);
}

static void shut_down(void)
{
	mm_put(mm);
	vm_check(vm);
	flat_destroy(m);
	free(disk);
}

static u64 count(enum vm_event_type type)
{
	return flat_events(m)->type[type];
}

static void map(u64 at, u64 bytes, unsigned flags)
{
	assert_int_equal(vm_mmap(cpu, mm, at, bytes, RW, flags, NULL, 0), at);
}

static void put(u64 va, u64 value)
{
	u8 byte = (u8)value;

	assert_int_equal(flat_access(cpu, va, 'w', &byte), 0);
}

static void expect(u64 va, u64 value)
{
	u8 byte = 0;

	assert_int_equal(flat_access(cpu, va, 'r', &byte), 0);
	assert_int_equal(byte, (u8)value);
}

static u64 huge_blocks(void)
{
	u64 n = 0;

	for (unsigned order = 9; order < 19; order++)
		n += vm->free_area[order].nr_free << (order - 9);
	return n;
}

/* Fills memory from BASE on until no 2M is left, and gives back all but every stride-th page. Returns the pages. Page
 * i holds i. */
static u64 fill_and_thin(u64 stride)
{
	u64 pages = 0;

	map(BASE, 128 * MIB, ANON);
	while (huge_blocks())
		put(BASE + pages * PAGE_SIZE, pages), pages++;
	for (u64 i = 0; i < pages; i++)
		if (i % stride)
			assert_int_equal(vm_madvise(cpu, mm, BASE + i * PAGE_SIZE, PAGE_SIZE, 4), 0);
	return pages;
}

/* A huge page is wanted; defrag says for whom pages move. */
static void want_huge(u64 at, u64 bytes)
{
	map(at, bytes, ANON);
	assert_int_equal(vm_madvise(cpu, mm, at, bytes, HUGEPAGE), 0);
	assert_int_equal(flat_touch(cpu, at, bytes, 'w'), 0);
}

/* Every 2M that holds an old file's page, and no other, can be had. */
static void old_pages_move(void **state)
{
	struct vm_meminfo before, after;
	u64 wanted;

	boot(64 * MIB, (struct vm_config){.fragmentation = 1000});
	vm_meminfo(vm, &before);
	wanted = before.file_frames - 2; /* some take the others' pages */
	assert_true(before.file_frames >= 12 && before.file_frames <= 16);
	want_huge(HUGE, wanted * PMD_SIZE);
	assert_int_equal(count(VM_EV_THP_FAULT_ALLOC), wanted);
	assert_int_equal(count(VM_EV_COMPACT), wanted);
	assert_int_equal(count(VM_EV_THP_FAULT_FALLBACK), 0);
	vm_meminfo(vm, &after);
	assert_int_equal(after.file_frames, before.file_frames);
	shut_down();
}

/* MADV_HUGEPAGE's areas only, everybody, nobody. */
static void defrag(void **state)
{
	static const struct {
		enum vm_thp_defrag defrag;
		bool advised, moves;
	} cases[] = {
	    {VM_DEFRAG_MADVISE, true, true}, {VM_DEFRAG_MADVISE, false, false}, {VM_DEFRAG_ALWAYS, true, true},
	    {VM_DEFRAG_ALWAYS, false, true}, {VM_DEFRAG_NEVER, true, false},    {VM_DEFRAG_NEVER, false, false},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		boot(32 * MIB, (struct vm_config){.fragmentation = 1000, .thp_defrag = cases[i].defrag});
		vm->cfg.thp = VM_THP_ALWAYS;
		map(HUGE, PMD_SIZE, ANON);
		if (cases[i].advised)
			assert_int_equal(vm_madvise(cpu, mm, HUGE, PMD_SIZE, HUGEPAGE), 0);
		put(HUGE, 1);
		assert_int_equal(count(VM_EV_COMPACT), cases[i].moves);
		assert_int_equal(count(VM_EV_THP_FAULT_ALLOC), cases[i].moves);
		assert_int_equal(count(VM_EV_THP_FAULT_FALLBACK), !cases[i].moves);
		shut_down();
	}
}

/* Shared after fork, exclusive, protected, without access, untouched since: all as before. */
static void mappings(void **state)
{
	struct mm_struct *child, *parent;
	u64 pages;

	boot(32 * MIB, (struct vm_config){0});
	parent = mm;
	pages = fill_and_thin(5);
	for (u64 i = 0; i < pages; i += 5) {
		if (i % 3 == 1)
			assert_int_equal(vm_mprotect(cpu, mm, BASE + i * PAGE_SIZE, PAGE_SIZE, PROT_READ), 0);
		if (i % 3 == 2)
			assert_int_equal(vm_mprotect(cpu, mm, BASE + i * PAGE_SIZE, PAGE_SIZE, 0), 0);
	}
	assert_int_equal(mm_fork(cpu, mm, &child), 0);
	for (u64 i = 0; i < pages; i += 15)
		put(BASE + i * PAGE_SIZE, i + 100); /* now of one's own */
	want_huge(HUGE, 4 * PMD_SIZE);
	assert_int_equal(count(VM_EV_THP_FAULT_ALLOC), 4);
	assert_true(count(VM_EV_COMPACT) >= 2);
	for (unsigned turn = 0; turn < 2; turn++) {
		mm = turn ? child : parent;
		flat_run(cpu, mm);
		for (u64 i = 0; i < pages; i += 5) {
			u64 va = BASE + i * PAGE_SIZE;
			u8 byte = 1;

			if (i % 3 == 2) {
				assert_int_equal(flat_access(cpu, va, 'r', &byte), VM_FAULT_ACCERR);
				assert_int_equal(vm_mprotect(cpu, mm, va, PAGE_SIZE, RW), 0);
			}
			expect(va, i % 15 || turn ? i : i + 100);
			if (i % 3 == 1)
				assert_int_equal(flat_access(cpu, va, 'w', &byte), VM_FAULT_ACCERR);
			else
				put(va, i + 7 + turn);
		}
	}
	mm = parent;
	flat_run(cpu, mm);
	for (u64 i = 0; i < pages; i += 5)
		expect(BASE + i * PAGE_SIZE, i % 3 == 1 ? i : i + 7);
	mm_put(child);
	shut_down();
}

/* A page that is its owner's alone stays so: no copy, no fault. One that was never written since it was mapped clean
 * is still clean. Another CPU that had the old translations has them no more (flat_hw.h sees to that). */
static void exclusive_and_flushed(void **state)
{
	struct hw_cpu *other;
	u64 pages, faults;

	boot(32 * MIB, (struct vm_config){0});
	other = flat_cpu(m, 1);
	pages = fill_and_thin(6);
	flat_run(other, mm);
	for (u64 i = 0; i < pages; i += 6) {
		u8 byte;

		assert_int_equal(flat_access(other, BASE + i * PAGE_SIZE, 'r', &byte), 0);
	}
	flat_run(cpu, mm);
	want_huge(HUGE, 3 * PMD_SIZE);
	assert_true(count(VM_EV_COMPACT) >= 2 && count(VM_EV_SHOOTDOWN) > 0);
	faults = flat_events(m)->faults;
	for (unsigned turn = 0; turn < 2; turn++) {
		flat_run(turn ? other : cpu, mm);
		for (u64 i = 0; i < pages; i += 6) {
			u8 byte = (u8)(i + turn);

			assert_int_equal(flat_access(turn ? other : cpu, BASE + i * PAGE_SIZE, 'w', &byte), 0);
		}
	}
	assert_int_equal(flat_events(m)->faults, faults);
	flat_run(cpu, mm);
	for (u64 i = 0; i < pages; i += 6)
		expect(BASE + i * PAGE_SIZE, i + 1);
	shut_down();
}

/* Pages of shared memory, and pages that have a copy in swap. */
static void caches(void **state)
{
	u64 pages, moved;

	boot(32 * MIB, (struct vm_config){.reclaim = VM_RECLAIM_FIFO});
	map(BASE + 512 * MIB, 256 * PAGE_SIZE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED);
	for (u64 i = 0; i < 256; i++)
		put(BASE + 512 * MIB + i * PAGE_SIZE, i + 9);
	pages = fill_and_thin(4);
	reclaim_pages(vm, cpu, 600, true); /* all of the shared pages, and some of the others */
	for (u64 i = 0; i < pages; i += 8)
		expect(BASE + i * PAGE_SIZE, i); /* read: they keep their slots */
	for (u64 i = 0; i < 256; i += 2)
		expect(BASE + 512 * MIB + i * PAGE_SIZE, i + 9);
	assert_true(vm->swap.used > 300);
	moved = count(VM_EV_COMPACT);
	want_huge(HUGE, 4 * PMD_SIZE);
	assert_true(count(VM_EV_COMPACT) > moved);
	for (u64 i = 0; i < pages; i += 16)
		put(BASE + i * PAGE_SIZE, i + 1);
	while (reclaim_pages(vm, cpu, 256, true))
		vm_check(vm);
	for (u64 i = 0; i < pages; i += 4)
		expect(BASE + i * PAGE_SIZE, i % 16 ? i : i + 1);
	for (u64 i = 0; i < 256; i++)
		expect(BASE + 512 * MIB + i * PAGE_SIZE, i + 9);
	shut_down();
}

/* The order in which pages would go, by the addresses that map them. */
static u64 order_of_leaving(u64 *va, u64 max_pages)
{
	u64 n = 0;

	for (unsigned list = 0; list < NR_LRU_LISTS; list++) {
		for (u32 pfn = vm->reclaim.list[list].tail; pfn; pfn = vm->mem_map[pfn].lru_prev) {
			assert_true(n < max_pages);
			va[n++] = vm->mem_map[pfn].order ? 0 : rmap_va(rmap_first(&vm->mem_map[pfn]));
		}
	}
	return n;
}

static void places_on_lists(void **state)
{
	static u64 before[8192], after[8192];
	u64 n, huge = 0;

	boot(32 * MIB, (struct vm_config){0});
	fill_and_thin(7);
	n = order_of_leaving(before, ARRAY_SIZE(before));
	assert_true(n > 500);
	want_huge(HUGE, PMD_SIZE);
	assert_int_equal(count(VM_EV_THP_FAULT_ALLOC), 1);
	assert_int_equal(order_of_leaving(after, ARRAY_SIZE(after)), n + 1);
	for (u64 i = 0; i < n; i++) {
		huge += !after[i + huge];
		assert_int_equal(after[i + huge], before[i]);
	}
	shut_down();
}

/* Tables and the kernel's objects keep to themselves: with all memory used, and half of it by small pieces in turns,
 * all of them lie in a few 2M. */
static void grouped(void **state)
{
	u64 with = 0;

	boot(64 * MIB, (struct vm_config){0});
	fill_and_thin(2);
	for (u64 pfn = 0; pfn < vm->max_pfn; pfn += 512) {
		bool unmovable = false;

		for (u64 i = pfn; i < pfn + 512; i++)
			unmovable |= vm->mem_map[i].kind == PAGE_TABLE || vm->mem_map[i].kind == PAGE_KERNEL;
		with += unmovable;
	}
	assert_true(with >= 1 && with <= 2);
	shut_down();
}

/* Nothing can be moved: requests are turned down after failures, 1, 3, 7 ... of them. */
static void deferred(void **state)
{
	u64 tries = 0;

	boot(32 * MIB, (struct vm_config){.fragmentation = 1000});
	for (struct page *page = vm->mem_map; page < vm->mem_map + vm->max_pfn; page++)
		if (page->kind == PAGE_FREE && page->order == 0 && page[-1].kind == PAGE_FILE)
			assert_non_null(alloc_pages_at(vm, page_to_pfn(vm, page), 0, PAGE_KERNEL));
	for (unsigned shift = 1; shift <= 4; shift++) {
		compact_memory(vm, cpu);
		assert_int_equal(count(VM_EV_COMPACT), ++tries);
		for (unsigned i = 0; i + 1 < 1u << shift; i++)
			compact_memory(vm, cpu);
		assert_int_equal(count(VM_EV_COMPACT), tries);
	}
	shut_down();
}

/* Frames to move to are refused at every point: nothing has happened. */
static void no_frames(void **state)
{
	for (u64 n = 0;; n++) {
		u64 pages, got;

		boot(16 * MIB, (struct vm_config){.thp_defrag = VM_DEFRAG_ALWAYS});
		pages = fill_and_thin(40);
		map(HUGE, PMD_SIZE, ANON);
		assert_int_equal(vm_madvise(cpu, mm, HUGE, PMD_SIZE, HUGEPAGE), 0);
		vm->fail_alloc_after = n;
		put(HUGE, 1);
		got = vm->fail_alloc_after;
		vm->fail_alloc_after = ~0ull;
		vm_check(vm);
		for (u64 i = 0; i < pages; i += 40)
			expect(BASE + i * PAGE_SIZE, i);
		expect(HUGE, 1);
		shut_down();
		if (got != ~0ull)
			break;
		assert_true(n < 100);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(old_pages_move), cmocka_unit_test(defrag),
	    cmocka_unit_test(mappings),       cmocka_unit_test(exclusive_and_flushed),
	    cmocka_unit_test(caches),         cmocka_unit_test(places_on_lists),
	    cmocka_unit_test(grouped),        cmocka_unit_test(deferred),
	    cmocka_unit_test(no_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
