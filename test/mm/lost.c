/* SPDX-License-Identifier: MIT
 *
 * test/mm/lost.c - a flush that is not made is noticed, and laid to the function that changed the entry. Each case does
 * one thing on a machine that loses every invalidation meanwhile, then uses the address again: the oracle must stop it
 * and name the function.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "mm/compaction.h"
#include "mm/internal.h"
#include "test/mm/flat_hw.h"

#define MIB      (1ull << 20)
#define A        0x100000000000ull
#define B        0x200000000000ull
#define RW       (PROT_READ | PROT_WRITE)
#define ANON     (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
#define DONTNEED 4
#define FREE     8
#define HUGEPAGE 14
#define PAGEOUT  21
#define COLLAPSE 25

static struct hw_machine *m;
static struct vm *vm;
static struct hw_cpu *cpu, *other;
static struct mm_struct *mm;
static struct address_space *file;

static int setup(void **state)
{
	m = flat_create(&(struct flat_config){
	    .ram_bytes = 64 * MIB, .vm = {.thp = VM_THP_MADVISE, .pcid = true, .check = 1, .swap_slots = 4096}});
	vm = flat_vm(m);
	cpu = flat_cpu(m, 0);
	other = flat_cpu(m, 1);
	mm = mm_create(vm);
	flat_run(other, mm);
	flat_run(cpu, mm);
	return 0;
}

/* The machine is broken on purpose: nothing of it can be asked to be in order. */
static int teardown(void **state)
{
	flat_panic_jmp = NULL;
	flat_destroy(m);
	return 0;
}

static void map(u64 bytes, char kind)
{
	assert_int_equal(vm_mmap(cpu, mm, A, bytes, RW, ANON, NULL, 0), A);
	assert_int_equal(flat_touch(cpu, A, bytes, kind), 0);
}

static void lose(void)
{
	flat_lose_flushes(m, true);
}

/* An access to a page of [va, va + bytes) must be stopped as stale, and `who` be named. */
static void assert_blamed_range(struct hw_cpu *on, u64 va, u64 bytes, char kind, const char *who)
{
	char want[80];
	jmp_buf jmp;

	flat_lose_flushes(m, false);
	snprintf(want, sizeof(want), "last changed by %s,", who);
	flat_panic_jmp = &jmp;
	if (setjmp(jmp) == 0) {
		flat_touch(on, va, bytes, kind);
		fail_msg("nobody saw the stale entry that %s left", who);
	}
	flat_panic_jmp = NULL;
	if (!strstr(flat_panic_text, "stale") || !strstr(flat_panic_text, want))
		fail_msg("wanted '%s', got: %s", want, flat_panic_text);
}

static void assert_blamed(struct hw_cpu *on, u64 va, char kind, const char *who)
{
	assert_blamed_range(on, va, 1, kind, who);
}

static void unmapped(void **state)
{
	map(MIB, 'w');
	lose();
	assert_int_equal(vm_munmap(cpu, mm, A, PAGE_SIZE), 0);
	assert_blamed(cpu, A, 'r', "zap_leaf");
}
static void replaced(void **state)
{
	map(MIB, 'w');
	lose();
	assert_int_equal(vm_mmap(cpu, mm, A, PAGE_SIZE, RW, ANON, NULL, 0), A);
	assert_blamed(cpu, A, 'r', "zap_leaf");
}
static void heap_shrunk(void **state)
{
	vm_set_brk(mm, A);
	assert_int_equal(vm_brk(cpu, mm, A + MIB), A + MIB);
	flat_touch(cpu, A, MIB, 'w');
	lose();
	assert_int_equal(vm_brk(cpu, mm, A + PAGE_SIZE), A + PAGE_SIZE);
	assert_blamed(cpu, A + PAGE_SIZE, 'r', "zap_leaf");
}
static void dropped(void **state)
{
	map(MIB, 'w');
	lose();
	assert_int_equal(vm_madvise(cpu, mm, A, PAGE_SIZE, DONTNEED), 0);
	assert_blamed(cpu, A, 'r', "zap_leaf");
}
static void truncated(void **state)
{
	file = vm_file_create(vm, MIB, NULL, NULL);
	assert_int_equal(vm_mmap(cpu, mm, A, MIB, RW, MAP_SHARED | MAP_FIXED, file, 0), A);
	flat_touch(cpu, A, MIB, 'w');
	lose();
	vm_file_resize(file, PAGE_SIZE);
	assert_blamed(cpu, A + PAGE_SIZE, 'r', "zap_leaf");
}
static void protected(void **state)
{
	map(MIB, 'w');
	lose();
	assert_int_equal(vm_mprotect(cpu, mm, A, MIB, PROT_READ), 0);
	assert_blamed(cpu, A, 'w', "change_protection");
}
static void moved(void **state)
{
	map(2 * MIB, 'w'); /* what stays keeps the table */
	lose();
	assert_int_equal(vm_mremap(cpu, mm, A, MIB, MIB, MREMAP_MAYMOVE | MREMAP_FIXED, B), B);
	assert_blamed(cpu, A, 'r', "move_leaf");
}
static void forked(void **state)
{
	struct mm_struct *child;

	map(MIB, 'w');
	lose();
	assert_int_equal(mm_fork(cpu, mm, &child), 0);
	assert_blamed(cpu, A, 'w', "copy_leaf");
}
/* Another CPU goes on reading the page that this one has replaced by a copy. */
static void assert_other_reads_on(const char *who)
{
	flat_run(other, mm);
	flat_touch(other, A, PAGE_SIZE, 'r');
	flat_run(cpu, mm);
	lose();
	flat_touch(cpu, A, PAGE_SIZE, 'w');
	flat_run(other, mm);
	assert_blamed(other, A, 'r', who);
}
static void copied(void **state)
{
	struct mm_struct *child;

	map(MIB, 'w');
	assert_int_equal(mm_fork(cpu, mm, &child), 0);
	assert_other_reads_on("wp_page_copy");
}
static void zero_page(void **state)
{
	map(MIB, 'r');
	assert_other_reads_on("wp_page_copy");
}
static void huge_zero_page(void **state)
{
	assert_int_equal(vm_mmap(cpu, mm, A, 2 * MIB, RW, ANON, NULL, 0), A);
	vm_madvise(cpu, mm, A, 2 * MIB, HUGEPAGE);
	assert_other_reads_on("huge_zero_wp");
}
static void reclaimed(void **state)
{
	map(MIB, 'w');
	lose();
	assert_true(vm_reclaim(vm, cpu, ~0ull) > 0);
	assert_blamed(cpu, A, 'r', "unmap_entry");
}
static void paged_out(void **state)
{
	map(MIB, 'w');
	lose();
	assert_int_equal(vm_madvise(cpu, mm, A, MIB, PAGEOUT), 0);
	assert_blamed(cpu, A, 'r', "unmap_entry");
}
static void lazily_freed(void **state)
{
	map(MIB, 'w');
	assert_int_equal(vm_madvise(cpu, mm, A, MIB, FREE), 0);
	flat_touch(cpu, A, MIB, 'r');
	lose();
	assert_true(vm_reclaim(vm, cpu, ~0ull) > 0);
	assert_blamed(cpu, A, 'r', "unmap_lazyfree");
}
static void collapsed(void **state)
{
	map(2 * MIB, 'w');
	lose();
	assert_int_equal(vm_madvise(cpu, mm, A, 2 * MIB, COLLAPSE), 0);
	assert_blamed(cpu, A, 'r', "unhook_table");
}
/* Every second page of memory is in use; pages move, to make room for a huge one. */
static void moved_together(void **state)
{
	struct vm_meminfo info;
	u64 pages = 0, blocks;

	assert_int_equal(vm_mmap(cpu, mm, A, 64 * MIB, RW, ANON, NULL, 0), A);
	do {
		flat_touch(cpu, A + pages++ * PAGE_SIZE, 1, 'w');
		vm_meminfo(vm, &info);
		blocks = 0;
		for (unsigned order = HPAGE_PMD_ORDER; order < ARRAY_SIZE(info.free_blocks); order++)
			blocks += info.free_blocks[order];
	} while (blocks);
	for (u64 i = 0; i < pages; i += 2)
		vm_madvise(cpu, mm, A + i * PAGE_SIZE, PAGE_SIZE, DONTNEED);
	for (u64 i = 1; i < 2048; i += 2) /* the lowest frames are the first that move: let a TLB hold them */
		flat_touch(cpu, A + i * PAGE_SIZE, 1, 'r');
	lose();
	while (alloc_pages(vm, HPAGE_PMD_ORDER, PAGE_KERNEL))
		;
	compact_memory(vm, cpu);
	assert_blamed_range(cpu, A, 2048 * PAGE_SIZE, 'r', "try_to_migrate_one");
}
/* A paging-structure cache leads into a table that is gone. */
static void table_freed(void **state)
{
	map(2 * MIB, 'w');
	assert_int_equal(vm_madvise(cpu, mm, A, 2 * MIB, DONTNEED), 0);
	flat_speculate(cpu, A);
	lose();
	assert_int_equal(vm_munmap(cpu, mm, A, 2 * MIB), 0);
	assert_int_equal(vm_mmap(cpu, mm, A, 2 * MIB, RW, ANON, NULL, 0), A);
	assert_blamed(cpu, A, 'w', "free_tables");
}
/* A PCID that another address space had is used without a flush. No entry of this one was changed: nobody is named. */
static void pcid_reused(void **state)
{
	struct mm_struct *next;

	map(MIB, 'w');
	next = mm_create(vm);
	assert_int_equal(vm_mmap(cpu, next, A, MIB, RW, ANON, NULL, 0), A);
	lose();
	flat_run(other, NULL);
	flat_run(cpu, NULL);
	mm_put(mm);
	for (unsigned i = 0; i < 6; i++) { /* TLB_NR_DYN_ASIDS: round to the same one */
		flat_run(cpu, i < 5 ? mm_create(vm) : next);
	}
	assert_blamed(cpu, A, 'r', "nobody known");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(unmapped),  T(replaced),     T(heap_shrunk),    T(dropped),   T(truncated),      T(protected),
	    T(moved),     T(forked),       T(copied),         T(zero_page), T(huge_zero_page), T(reclaimed),
	    T(paged_out), T(lazily_freed), T(moved_together), T(collapsed), T(table_freed),    T(pcid_reused),
	};

	return cmocka_run_group_tests_name("lost flushes", tests, NULL, NULL);
}
