/* SPDX-License-Identifier: MIT
 *
 * test/mm/faults.c - the number of page faults of simple programs, as Linux 6.18 takes them (getrusage on a real
 * machine; shared reference "Ground-truth fault counts"), and what kind each must be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "mm/internal.h"
#include "test/mm/flat_hw.h"

#define MIB       (1ull << 20)
#define SIZE      (16 * MIB) /* 4096 pages */
#define RW        (PROT_READ | PROT_WRITE)
#define ANON      (MAP_PRIVATE | MAP_ANONYMOUS)
#define DONTNEED  4
#define FREE      8
#define HUGEPAGE  14
#define MADV_RAND 1

static struct hw_machine *m;
static struct hw_cpu *cpu;
static struct mm_struct *mm;

static void boot(enum vm_thp thp, u8 anon_order)
{
	m = flat_create(&(struct flat_config){.ram_bytes = 256 * MIB,
					      .vm = {.thp = thp, .anon_order = anon_order, .pcid = true, .check = 1}});
	assert_non_null(flat_vm(m));
	cpu = flat_cpu(m, 0);
	mm = mm_create(flat_vm(m));
	flat_run(cpu, mm);
}

static int setup_4k(void **state)
{
	boot(VM_THP_NEVER, 0);
	return 0;
}
static int setup_thp(void **state)
{
	boot(VM_THP_ALWAYS, 0);
	return 0;
}
static int setup_madvise(void **state)
{
	boot(VM_THP_MADVISE, 0);
	return 0;
}

/* Everything is consistent at the end, and when all address spaces are gone every frame is back. */
static int teardown(void **state)
{
	struct vm_meminfo info;

	vm_check(flat_vm(m));
	flat_run(cpu, mm);
	mm_put(mm);
	vm_check(flat_vm(m));
	vm_meminfo(flat_vm(m), &info);
	assert_int_equal(info.anon_frames, 0);
	assert_int_equal(info.table_frames, 0);
	flat_destroy(m);
	return 0;
}

static u64 map(u64 len, unsigned prot, unsigned flags, struct address_space *file)
{
	long addr = vm_mmap(cpu, mm, 0, len, prot, flags, file, 0);

	assert_true(addr > 0);
	return (u64)addr;
}

/* Faults that touching [start, start+bytes) takes. */
static u64 touch(u64 start, u64 bytes, char kind)
{
	u64 before = flat_events(m)->faults;

	assert_int_equal(flat_touch(cpu, start, bytes, kind), 0);
	return flat_events(m)->faults - before;
}
static u64 count(enum vm_fault_cause cause)
{
	return flat_events(m)->fault[cause];
}

static void anon_write(void **state)
{
	u64 a = map(SIZE, RW, ANON, NULL);

	assert_int_equal(touch(a, SIZE, 'w'), 4096);
	assert_int_equal(count(VM_FAULT_ZERO_WRITE), 4096);
	assert_int_equal(touch(a, SIZE, 'w'), 0);
	assert_int_equal(vm_mprotect(cpu, mm, a, SIZE, PROT_READ), 0);
	assert_int_equal(touch(a, SIZE, 'r'), 0);
	assert_int_equal(vm_mprotect(cpu, mm, a, SIZE, RW), 0);
	assert_int_equal(touch(a, SIZE, 'w'), 0); /* exclusive entries became writable at once */
	assert_int_equal(vm_madvise(cpu, mm, a, SIZE, DONTNEED), 0);
	assert_int_equal(touch(a, SIZE, 'w'), 4096);
	assert_int_equal(vm_madvise(cpu, mm, a, SIZE, FREE), 0);
	assert_int_equal(touch(a, SIZE, 'w'), 0);
	assert_int_equal(vm_munmap(cpu, mm, a, SIZE), 0);
	assert_int_equal(flat_touch(cpu, a, 1, 'r'), VM_FAULT_MAPERR);
}

static void anon_read_then_write(void **state)
{
	u64 a = map(SIZE, RW, ANON, NULL);
	struct vm_stat stat;

	assert_int_equal(touch(a, SIZE, 'r'), 4096);
	assert_int_equal(count(VM_FAULT_ZERO_READ), 4096);
	mm_stat(mm, &stat);
	assert_int_equal(stat.anon_pages, 0); /* the zero page is nobody's */
	assert_int_equal(touch(a, SIZE, 'w'), 4096);
	assert_int_equal(count(VM_FAULT_COW_COPY), 4096);
	assert_int_equal(flat_events(m)->frames_copied, 0); /* of zeroes: cleared, not copied */
}

static void prot_none_keeps_pages(void **state)
{
	u64 a = map(SIZE, RW, ANON, NULL);
	u8 byte = 77, back = 0;

	assert_int_equal(flat_access(cpu, a, 'w', &byte), 0);
	assert_int_equal(vm_mprotect(cpu, mm, a, SIZE, 0), 0);
	assert_int_equal(flat_access(cpu, a, 'r', &back), VM_FAULT_ACCERR);
	assert_int_equal(vm_mprotect(cpu, mm, a, SIZE, RW), 0);
	flat_reset_events(m);
	assert_int_equal(flat_access(cpu, a, 'r', &back), 0);
	assert_int_equal(back, 77);
	assert_int_equal(flat_events(m)->faults, 0);
}

static void rights(void **state)
{
	u64 a = map(PAGE_SIZE, PROT_READ, ANON, NULL), x = map(PAGE_SIZE, PROT_READ | PROT_EXEC, ANON, NULL);

	assert_int_equal(flat_touch(cpu, a, 1, 'w'), VM_FAULT_ACCERR);
	assert_int_equal(flat_events(m)->last_fault.flags, VM_EVF_WRITE);
	assert_int_equal(flat_touch(cpu, a, 1, 'x'), VM_FAULT_ACCERR);
	assert_int_equal(flat_events(m)->last_fault.flags, VM_EVF_INSTR);
	assert_int_equal(flat_touch(cpu, x, 1, 'x'), 0);
	assert_int_equal(flat_touch(cpu, 0x1000, 1, 'r'), VM_FAULT_MAPERR);
	assert_int_equal(vm_fault(cpu, mm, 0xffff800000000000, X86_PF_USER), VM_FAULT_MAPERR);
	assert_int_equal(vm_fault(cpu, mm, 0x123000, 0), VM_FAULT_MAPERR);
	assert_int_equal(flat_events(m)->last_fault.flags, VM_EVF_KERNEL);
}

static void populate(void **state)
{
	u64 a = map(SIZE, RW, ANON | MAP_POPULATE, NULL), b;

	assert_int_equal(flat_events(m)->populates, 4096);
	assert_int_equal(touch(a, SIZE, 'w'), 0);
	b = map(SIZE, PROT_READ, ANON | MAP_POPULATE, NULL);
	assert_int_equal(flat_events(m)->populates, 8192);
	assert_int_equal(flat_events(m)->populate[VM_FAULT_ZERO_READ], 4096);
	assert_int_equal(vm_mprotect(cpu, mm, b, SIZE, RW), 0);
	assert_int_equal(touch(b, SIZE, 'w'), 4096);
}

static struct mm_struct *fork_mm(void)
{
	struct mm_struct *child;

	assert_int_equal(mm_fork(cpu, mm, &child), 0);
	return child;
}

static void fork_copy_then_reuse(void **state)
{
	u64 a = map(SIZE, RW, ANON, NULL);
	struct mm_struct *child;
	u8 byte;

	touch(a, SIZE, 'w');
	child = fork_mm();
	flat_reset_events(m);
	assert_int_equal(touch(a, SIZE, 'w'), 4096);
	assert_int_equal(count(VM_FAULT_COW_COPY), 4096);
	flat_run(cpu, child);
	assert_int_equal(touch(a, SIZE, 'w'), 4096);
	assert_int_equal(count(VM_FAULT_COW_REUSE), 4096);
	byte = 1;
	assert_int_equal(flat_access(cpu, a, 'w', &byte), 0);
	flat_run(cpu, mm);
	assert_int_equal(flat_access(cpu, a, 'r', &byte), 0);
	assert_int_equal(byte, (u8)(a >> PAGE_SHIFT));
	flat_run(cpu, child);
	mm_put(child);
}

static void fork_read_is_free(void **state)
{
	u64 a = map(SIZE, RW, ANON, NULL), z = map(SIZE + PMD_SIZE, RW, ANON, NULL);
	struct mm_struct *child;

	assert_int_equal(vm_munmap(cpu, mm, z + SIZE, PMD_SIZE), 0); /* an area apart */
	touch(a, SIZE, 'w');
	touch(z, SIZE, 'r'); /* only zero pages: not copied */
	child = fork_mm();
	assert_int_equal(touch(a, SIZE, 'r'), 0);
	flat_run(cpu, child);
	assert_int_equal(touch(a, SIZE, 'r'), 0);
	assert_int_equal(touch(z, SIZE, 'r'), 4096);
	mm_put(child);
}

static void thp_aligned(void **state)
{
	u64 a = map(SIZE, RW, ANON, NULL);

	assert_true(IS_ALIGNED(a, PMD_SIZE));
	assert_int_equal(touch(a, SIZE, 'w'), 8);
	assert_int_equal(flat_events(m)->last_fault.order, 9);
	assert_int_equal(flat_events(m)->type[VM_EV_THP_FAULT_ALLOC], 8);
	assert_int_equal(vm_madvise(cpu, mm, a, SIZE, DONTNEED), 0);
	assert_int_equal(touch(a, SIZE, 'r'), 8); /* huge zero page */
	assert_int_equal(touch(a, SIZE, 'w'), 8);
}

static void thp_unaligned(void **state)
{
	u64 a = map(SIZE, RW, ANON, NULL);

	assert_int_equal(vm_munmap(cpu, mm, a, PAGE_SIZE), 0);
	assert_int_equal(touch(a + PAGE_SIZE, SIZE - PAGE_SIZE, 'w'), 0 + 511 + 7);
}

static void thp_madvise(void **state)
{
	u64 a = map(SIZE, RW, ANON, NULL);

	assert_int_equal(touch(a, PMD_SIZE, 'w'), 512);
	assert_int_equal(vm_madvise(cpu, mm, a + PMD_SIZE, SIZE - PMD_SIZE, HUGEPAGE), 0);
	assert_int_equal(touch(a + PMD_SIZE, SIZE - PMD_SIZE, 'w'), 7);
}

static void thp_fork(void **state)
{
	u64 a = map(SIZE, RW, ANON, NULL);
	struct mm_struct *child;

	touch(a, SIZE, 'w');
	child = fork_mm();
	flat_reset_events(m);
	assert_int_equal(touch(a, SIZE, 'w'), 4096);
	assert_int_equal(count(VM_FAULT_COW_COPY), 4096);
	assert_int_equal(flat_events(m)->type[VM_EV_THP_SPLIT], 8);
	flat_run(cpu, child); /* the sole owner of the huge pages now */
	assert_int_equal(touch(a, SIZE, 'w'), 8);
	assert_int_equal(count(VM_FAULT_COW_REUSE), 8);
	mm_put(child);
}

static void thp_fork_child_gone(void **state)
{
	u64 a = map(SIZE, RW, ANON, NULL);
	struct mm_struct *child;

	touch(a, SIZE, 'w');
	child = fork_mm();
	mm_put(child);
	flat_reset_events(m);
	assert_int_equal(touch(a, SIZE, 'w'), 8);
	assert_int_equal(count(VM_FAULT_COW_REUSE), 8);
}

/* Unlike the small zero page's, the huge zero page's fault prepares the area: fork copies the entry. */
static void huge_zero_is_forked(void **state)
{
	u64 a = map(SIZE, RW, ANON, NULL);
	struct mm_struct *child;

	assert_int_equal(touch(a, SIZE, 'r'), 8);
	child = fork_mm();
	flat_run(cpu, child);
	assert_int_equal(touch(a, SIZE, 'r'), 0);
	assert_int_equal(touch(a, SIZE, 'w'), 8);
	mm_put(child);
}

static void thp_partial_unmap(void **state)
{
	u64 a = map(SIZE, RW, ANON, NULL);
	struct vm_stat stat;
	u8 byte = 0;

	touch(a, SIZE, 'w');
	assert_int_equal(vm_munmap(cpu, mm, a + PMD_SIZE + 5 * PAGE_SIZE, PAGE_SIZE), 0);
	assert_int_equal(vm_mprotect(cpu, mm, a + 2 * PMD_SIZE, PAGE_SIZE, PROT_READ), 0);
	mm_stat(mm, &stat);
	assert_int_equal(stat.huge_pages[0], 6);
	assert_int_equal(stat.anon_pages, 4095);
	assert_int_equal(flat_access(cpu, a + PMD_SIZE + 6 * PAGE_SIZE, 'r', &byte), 0);
	assert_int_equal(byte, (u8)((a + PMD_SIZE + 6 * PAGE_SIZE) >> PAGE_SHIFT));
	assert_int_equal(flat_touch(cpu, a + 2 * PMD_SIZE, 1, 'w'), VM_FAULT_ACCERR);
	assert_int_equal(touch(a + 2 * PMD_SIZE + PAGE_SIZE, PMD_SIZE - PAGE_SIZE, 'w'), 0);
}

static void stack(void **state)
{
	u64 top = 0x7ffffffff000;

	assert_int_equal(vm_stack(cpu, mm, top, 132 * 1024, 8 * MIB), 0);
	flat_reset_events(m);
	for (u64 i = 0; i < 250; i++)
		assert_int_equal(flat_touch(cpu, top - (i + 1) * PAGE_SIZE, 1, 'w'), 0);
	assert_int_equal(flat_events(m)->faults, 250);
	assert_int_equal(count(VM_FAULT_STACK), 250 - 33);
	assert_int_equal(flat_touch(cpu, top - 9 * MIB, 1, 'w'), VM_FAULT_MAPERR);
}

static void file_private(void **state)
{
	struct address_space *file = vm_file_create(flat_vm(m), SIZE, NULL, NULL);
	u64 a = map(SIZE, RW, MAP_PRIVATE, file), b = map(SIZE, RW, MAP_PRIVATE, file);

	assert_int_equal(touch(a, SIZE, 'r'), 256);
	assert_int_equal(count(VM_FAULT_FILE), 256);
	assert_int_equal(touch(a, SIZE, 'w'), 4096);
	assert_int_equal(count(VM_FAULT_COW_COPY), 4096);
	assert_int_equal(touch(b, SIZE, 'w'), 4096);
	assert_int_equal(count(VM_FAULT_FILE), 256 + 4096);
	vm_file_put(file);
}

static void file_shared(void **state)
{
	struct address_space *file = vm_file_create(flat_vm(m), SIZE, NULL, NULL);
	u64 a = map(SIZE, RW, MAP_SHARED, file), b = map(SIZE, RW, MAP_SHARED, file);

	assert_int_equal(vm_madvise(cpu, mm, a, SIZE, MADV_RAND), 0);
	assert_int_equal(touch(a, SIZE, 'r'), 256);
	assert_int_equal(touch(a, SIZE, 'w'), 4096);
	assert_int_equal(count(VM_FAULT_COW_REUSE), 4096);
	assert_int_equal(touch(b, SIZE, 'w'), 4096);
	assert_int_equal(flat_events(m)->frames_copied, 0);
	vm_file_put(file);
}

static void file_past_the_end(void **state)
{
	struct address_space *file = vm_file_create(flat_vm(m), 10 * PAGE_SIZE + 1, NULL, NULL);
	u64 a = map(SIZE, PROT_READ, MAP_PRIVATE, file);

	assert_int_equal(touch(a + 10 * PAGE_SIZE, PAGE_SIZE, 'r'), 1);
	assert_int_equal(flat_touch(cpu, a + 11 * PAGE_SIZE, 1, 'r'), VM_FAULT_BUS);
	vm_file_resize(file, 5 * PAGE_SIZE);
	assert_int_equal(flat_touch(cpu, a + 5 * PAGE_SIZE, 1, 'r'), VM_FAULT_BUS);
	assert_int_equal(touch(a + 4 * PAGE_SIZE, PAGE_SIZE, 'r'), 0);
	vm_file_put(file);
}

static void file_cold(void **state)
{
	struct address_space *file;
	u64 a;

	flat_vm(m)->cfg.pagecache_cold = true;
	file = vm_file_create(flat_vm(m), SIZE, NULL, NULL);
	a = map(SIZE, PROT_READ, MAP_PRIVATE, file);
	assert_int_equal(touch(a, PAGE_SIZE, 'r'), 1);
	assert_int_equal(flat_events(m)->last_fault.flags, VM_EVF_MAJOR);
	assert_int_equal(vm_munmap(cpu, mm, a, SIZE), 0);
	a = map(SIZE, PROT_READ, MAP_PRIVATE, file);
	assert_int_equal(touch(a, PAGE_SIZE, 'r'), 1); /* cached now */
	assert_int_equal(flat_events(m)->last_fault.flags, 0);
	vm_file_put(file);
}

static void shmem(void **state)
{
	u64 a = map(SIZE, RW, MAP_SHARED | MAP_ANONYMOUS, NULL);
	struct mm_struct *child;
	struct vm_stat stat;
	u8 byte = 9;

	assert_int_equal(touch(a, SIZE, 'r'), 4096);
	assert_int_equal(touch(a, SIZE, 'w'), 0);
	mm_stat(mm, &stat);
	assert_int_equal(stat.shmem_pages, 4096);
	child = fork_mm();
	flat_run(cpu, child);
	/* Fault-around: the pages are there. One fault for each aligned window of 16 that the area meets. */
	assert_int_equal(touch(a, SIZE, 'r'), (ALIGN_UP(a + SIZE, 0x10000) - ALIGN_DOWN(a, 0x10000)) / 0x10000);
	assert_int_equal(flat_access(cpu, a, 'w', &byte), 0);
	flat_run(cpu, mm);
	byte = 0;
	assert_int_equal(flat_access(cpu, a, 'r', &byte), 0);
	assert_int_equal(byte, 9);
	mm_put(child);
}

static void anon_order_2m(void **state)
{
	u64 a = map(SIZE + 3 * PAGE_SIZE, RW, ANON, NULL), start = ALIGN_UP(a, PMD_SIZE);
	u64 whole = (ALIGN_DOWN(a + SIZE + 3 * PAGE_SIZE, PMD_SIZE) - start) / PMD_SIZE;

	assert_int_equal(touch(a, SIZE + 3 * PAGE_SIZE, 'w'), whole + 4099 - whole * 512);
}
static int setup_2m(void **state)
{
	boot(VM_THP_NEVER, 9);
	return 0;
}

static void anon_order_1g(void **state)
{
	u64 a = map(3ull << 30, RW, ANON, NULL), start = ALIGN_UP(a, PUD_SIZE);
	struct vm_stat stat;
	struct mm_struct *child;
	u8 byte = 3;

	assert_int_equal(flat_touch(cpu, start + 12345 * PAGE_SIZE, 1, 'w'), 0);
	assert_int_equal(flat_events(m)->last_fault.order, 18);
	mm_stat(mm, &stat);
	assert_int_equal(stat.huge_pages[1], 1);
	assert_int_equal(stat.anon_pages, 1 << 18);
	child = fork_mm();
	assert_int_equal(flat_access(cpu, start, 'w', &byte), 0); /* 1G -> 2M -> 4K, then a copy */
	mm_stat(mm, &stat);
	assert_int_equal(stat.huge_pages[1], 0);
	assert_int_equal(stat.huge_pages[0], 511);
	assert_int_equal(stat.anon_pages, 1 << 18);
	flat_run(cpu, child);
	assert_int_equal(flat_access(cpu, start, 'r', &byte), 0);
	assert_int_equal(byte, 0);
	mm_put(child);
}
static int setup_1g(void **state)
{
	m = flat_create(
	    &(struct flat_config){.ram_bytes = 4ull << 30, .vm = {.anon_order = 18, .pcid = true, .check = 1}});
	cpu = flat_cpu(m, 0);
	mm = mm_create(flat_vm(m));
	flat_run(cpu, mm);
	return 0;
}

/* ---- a huge page that is mapped in part ---- */

#define MAX_FRAMES (1u << HPAGE_PUD_ORDER)

/* Who maps which frame of one block: 0 the parent, 1 the child. */
static bool maps[2][MAX_FRAMES];

static u64 held_in_vain(u64 frames)
{
	u64 mapped = 0;

	for (u64 i = 0; i < frames; i++)
		mapped += maps[0][i] || maps[1][i];
	return mapped ? frames - mapped : 0;
}

/* Parent and child share a block of so many frames. In turn each unmaps a part of it and writes one page, which takes a
 * copy: what nobody maps any more is held, until the block goes. */
static void unmap_in_turn(u64 frames, unsigned steps)
{
	u64 a = ALIGN_UP(map(2 * frames * PAGE_SIZE, RW, ANON, NULL), frames * PAGE_SIZE), random = 1;
	struct mm_struct *both[2] = {mm};
	struct vm_meminfo info;

	memset(maps, 1, sizeof(maps));
	touch(a, 1, 'w');
	assert_int_equal(mm_fork(cpu, mm, &both[1]), 0);
	for (unsigned step = 0; step < steps; step++) {
		unsigned who = step & 1;
		u64 from = (random = random * 6364136223846793005ull + 1442695040888963407ull) >> 33;
		u64 len = step == steps - 2 || step == steps - 1 ? frames : frames / 6 + 1;

		from = len == frames ? 0 : from % (frames - len);
		flat_run(cpu, both[who]);
		if (step > 2 && len < frames && maps[who][from]) {
			flat_touch(cpu, a + from * PAGE_SIZE, 1, 'w');
			maps[who][from] = false;
			from++;
		}
		assert_int_equal(vm_munmap(cpu, both[who], a + from * PAGE_SIZE, len * PAGE_SIZE), 0);
		memset(&maps[who][from], 0, len);
		vm_meminfo(flat_vm(m), &info);
		assert_int_equal(info.partly_unmapped, held_in_vain(frames));
		vm_check(flat_vm(m));
	}
	flat_run(cpu, mm);
	mm_put(both[1]);
}

static void partly_unmapped(void **state)
{
	unmap_in_turn(512, 40);
}
static void partly_unmapped_1g(void **state)
{
	unmap_in_turn(MAX_FRAMES, 12);
}

int main(void)
{
#define T(test, setup) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(anon_write, setup_4k),
	    T(anon_read_then_write, setup_4k),
	    T(prot_none_keeps_pages, setup_4k),
	    T(rights, setup_4k),
	    T(populate, setup_4k),
	    T(fork_copy_then_reuse, setup_4k),
	    T(fork_read_is_free, setup_4k),
	    T(thp_aligned, setup_thp),
	    T(thp_unaligned, setup_thp),
	    T(thp_madvise, setup_madvise),
	    T(thp_fork, setup_thp),
	    T(thp_fork_child_gone, setup_thp),
	    T(huge_zero_is_forked, setup_thp),
	    T(thp_partial_unmap, setup_thp),
	    T(stack, setup_4k),
	    T(file_private, setup_4k),
	    T(file_shared, setup_4k),
	    T(file_past_the_end, setup_4k),
	    T(file_cold, setup_4k),
	    T(shmem, setup_4k),
	    T(anon_order_2m, setup_2m),
	    T(anon_order_1g, setup_1g),
	    T(partly_unmapped, setup_thp),
	    T(partly_unmapped_1g, setup_1g),
	};

	return cmocka_run_group_tests_name("fault counts", tests, NULL, NULL);
}
