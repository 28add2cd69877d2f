/* SPDX-License-Identifier: MIT
 *
 * test/mm/tlb.c - what is flushed, where and how: Linux's rules (33-page ceiling, six PCIDs a CPU by generation, lazy
 * CPUs), and that the flat CPUs' caches are sound after it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mm/internal.h"
#include "test/mm/flat_hw.h"

#define MIB      (1ull << 20)
#define RW       (PROT_READ | PROT_WRITE)
#define ANON     (MAP_PRIVATE | MAP_ANONYMOUS)
#define PAGES(n) ((n)*PAGE_SIZE)

static struct hw_machine *m;
static struct hw_cpu *cpu0, *cpu1;
static struct mm_struct *mm;
static struct flat_events *ev;

static void boot(unsigned features, enum vm_thp thp)
{
	m = flat_create(&(struct flat_config){
	    .ram_bytes = 64 * MIB, .features = features, .vm = {.thp = thp, .pcid = true, .check = 3}});
	cpu0 = flat_cpu(m, 0);
	cpu1 = flat_cpu(m, 1);
	mm = mm_create(flat_vm(m));
	ev = flat_events(m);
	flat_run(cpu0, mm);
}
static int setup(void **state)
{
	boot(0, VM_THP_NEVER);
	return 0;
}
static int setup_no_pcid(void **state)
{
	boot(HW_NX | HW_PGE, VM_THP_NEVER);
	return 0;
}
static int setup_thp(void **state)
{
	boot(0, VM_THP_ALWAYS);
	return 0;
}
static int teardown(void **state)
{
	assert_true(flat_caches_sound(m));
	flat_destroy(m);
	return 0;
}

static u64 map_touched(u64 pages)
{
	u64 a = (u64)vm_mmap(cpu0, mm, 0, PAGES(pages), RW, ANON, NULL, 0);

	assert_int_equal(flat_touch(cpu0, a, PAGES(pages), 'w'), 0);
	flat_reset_events(m);
	return a;
}

static void ceiling(void **state)
{
	u64 a = map_touched(100);

	vm_mprotect(cpu0, mm, a, PAGES(33), PROT_READ);
	assert_int_equal(ev->invlpgs, 33);
	assert_int_equal(ev->pages_flushed, 33);
	assert_int_equal(ev->full_flushes, 0);
	vm_mprotect(cpu0, mm, a + PAGES(40), PAGES(34), PROT_READ);
	assert_int_equal(ev->invlpgs, 33);
	assert_int_equal(ev->full_flushes, 1);
}

/* The range of a flush goes from the first to the last entry that changed, touched or not between. */
static void sparse_range(void **state)
{
	u64 a = (u64)vm_mmap(cpu0, mm, 0, PAGES(100), RW, ANON, NULL, 0);

	flat_touch(cpu0, a + PAGES(10), 1, 'w');
	flat_touch(cpu0, a + PAGES(20), 1, 'w');
	flat_reset_events(m);
	vm_mprotect(cpu0, mm, a, PAGES(100), PROT_READ);
	assert_int_equal(ev->invlpgs, 11);
	vm_madvise(cpu0, mm, a + PAGES(50), PAGES(50), 4); /* nothing there: nothing to flush */
	assert_int_equal(ev->type[VM_EV_TLB_FLUSH], 1);
}

static void huge_stride(void **state)
{
	u64 a = map_touched(8 * 512);

	vm_mprotect(cpu0, mm, a, PAGES(8 * 512), PROT_READ);
	assert_int_equal(ev->invlpgs, 8);
}

static void read_fault_needs_no_flush(void **state)
{
	u64 a = (u64)vm_mmap(cpu0, mm, 0, PAGES(8), RW, ANON, NULL, 0);

	flat_reset_events(m);
	flat_touch(cpu0, a, PAGES(8), 'r');
	assert_int_equal(ev->type[VM_EV_TLB_FLUSH], 0);
	flat_touch(cpu0, a, PAGES(8), 'w'); /* each takes the zero page's entry away */
	assert_int_equal(ev->pages_flushed, 8);
}

static void six_pcids(void **state)
{
	struct mm_struct *mms[7] = {mm};

	for (unsigned i = 1; i < 7; i++)
		mms[i] = mm_create(flat_vm(m));
	flat_reset_events(m);
	for (unsigned i = 1; i < 6; i++)
		flat_run(cpu0, mms[i]);
	assert_int_equal(ev->flushing_switches, 5); /* each new to its PCID */
	for (unsigned i = 0; i < 6; i++)
		flat_run(cpu0, mms[i]);
	assert_int_equal(ev->flushing_switches, 5); /* all six are kept */
	flat_run(cpu0, mms[6]);                     /* takes the PCID of mms[0], the first given */
	flat_run(cpu0, mms[1]);
	assert_int_equal(ev->flushing_switches, 6);
	flat_run(cpu0, mms[0]); /* and that one the PCID of mms[1] */
	flat_run(cpu0, mms[2]);
	assert_int_equal(ev->flushing_switches, 7);
	flat_run(cpu0, mms[1]);
	assert_int_equal(ev->flushing_switches, 8);
	for (unsigned i = 0; i < 7; i++)
		mm_put(mms[i]);
}

static void without_pcid_every_switch_flushes(void **state)
{
	struct mm_struct *other = mm_create(flat_vm(m));
	u64 a = map_touched(4);

	flat_run(cpu0, other);
	flat_run(cpu0, mm);
	assert_int_equal(ev->flushing_switches, 2);
	flat_run(cpu0, mm); /* another thread of the same mm: nothing */
	assert_int_equal(ev->cr3_writes, 2);
	assert_int_equal(flat_touch(cpu0, a, PAGES(4), 'r'), 0);
}

static void shootdown(void **state)
{
	u64 a = map_touched(8);

	flat_run(cpu1, mm);
	flat_touch(cpu1, a, PAGES(8), 'w');
	vm_mprotect(cpu0, mm, a, PAGES(4), PROT_READ);
	assert_int_equal(ev->ipis, 1);
	assert_int_equal(ev->pages_flushed, 8); /* four on each */
	assert_int_equal(flat_touch(cpu1, a, 1, 'w'), VM_FAULT_ACCERR);
}

/* A CPU that runs something else hears nothing, and flushes when it comes back. */
static void flush_while_away(void **state)
{
	struct mm_struct *other = mm_create(flat_vm(m));
	u64 a = map_touched(8);

	flat_run(cpu1, mm);
	flat_touch(cpu1, a, PAGES(8), 'w');
	flat_run(cpu1, other);
	flat_reset_events(m);
	flat_run(cpu1, mm);
	assert_int_equal(ev->flushing_switches, 0); /* nothing happened meanwhile */
	flat_run(cpu1, other);
	vm_mprotect(cpu0, mm, a, PAGES(4), PROT_READ);
	assert_int_equal(ev->ipis, 0);
	flat_run(cpu1, mm);
	assert_int_equal(ev->flushing_switches, 1);
	assert_int_equal(flat_touch(cpu1, a, 1, 'w'), VM_FAULT_ACCERR);
}

static void lazy_cpu_is_left_alone(void **state)
{
	u64 a = map_touched(8);

	flat_run(cpu1, mm);
	flat_touch(cpu1, a, PAGES(8), 'w');
	vm_switch(cpu1, NULL);
	flat_reset_events(m);
	vm_mprotect(cpu0, mm, a, PAGES(4), PROT_READ);
	assert_int_equal(ev->ipis, 0);
	flat_run(cpu1, mm); /* behind by one generation: flushes */
	assert_int_equal(ev->flushing_switches, 1);
	assert_int_equal(flat_touch(cpu1, a, 1, 'w'), VM_FAULT_ACCERR);
}

/* When tables go, a lazy CPU must hear of it: it may walk through them at any time. */
static void freed_tables_reach_lazy_cpus(void **state)
{
	u64 a = map_touched(8);

	flat_run(cpu1, mm);
	flat_touch(cpu1, a, PAGES(8), 'w');
	vm_switch(cpu1, NULL);
	vm_munmap(cpu0, mm, a, PAGES(8));
	assert_int_equal(ev->ipis, 1);
	assert_true(flat_caches_sound(m));
}

/* A table without a page left in it: no leaf changes, and yet its going must be flushed. */
static void freeing_an_empty_table_flushes(void **state)
{
	u64 a = map_touched(8);

	vm_madvise(cpu0, mm, a, PAGES(8), 4);
	flat_speculate(cpu0, a); /* the paging-structure caches know the table again */
	vm_munmap(cpu0, mm, a, PAGES(8));
	assert_true(flat_caches_sound(m));
}

static void fork_flushes_the_parent_once(void **state)
{
	struct mm_struct *child;

	map_touched(8);
	assert_int_equal(mm_fork(cpu0, mm, &child), 0);
	assert_int_equal(ev->full_flushes, 1);
	assert_int_equal(ev->type[VM_EV_TLB_FLUSH], 1);
	mm_put(child);
}

static void exit_leaves_every_cpu(void **state)
{
	u64 a = map_touched(8);

	flat_run(cpu1, mm);
	flat_touch(cpu1, a, PAGES(8), 'w');
	vm_switch(cpu1, NULL);
	mm_put(mm); /* both CPUs still have it loaded */
	assert_true(flat_caches_sound(m));
	vm_check(flat_vm(m));
}

/* More frames than a batch may hold: the flush comes early, and no frame is free before it. */
static void large_unmap(void **state)
{
	u64 a = (u64)vm_mmap(cpu0, mm, 0, PAGES(12000), RW, ANON, NULL, 0);

	flat_vm(m)->cfg.check = 1;
	assert_int_equal(flat_touch(cpu0, a, PAGES(12000), 'w'), 0);
	flat_reset_events(m);
	assert_int_equal(vm_munmap(cpu0, mm, a, PAGES(12000)), 0);
	assert_int_equal(ev->full_flushes, 2);
	vm_check(flat_vm(m));
}

int main(void)
{
#define T(test, setup) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(ceiling, setup),
	    T(sparse_range, setup),
	    T(huge_stride, setup_thp),
	    T(read_fault_needs_no_flush, setup),
	    T(six_pcids, setup),
	    T(without_pcid_every_switch_flushes, setup_no_pcid),
	    T(shootdown, setup),
	    T(flush_while_away, setup),
	    T(lazy_cpu_is_left_alone, setup),
	    T(freed_tables_reach_lazy_cpus, setup),
	    T(freeing_an_empty_table_flushes, setup),
	    T(fork_flushes_the_parent_once, setup),
	    T(exit_leaves_every_cpu, setup),
	    T(large_unmap, setup),
	};

	return cmocka_run_group_tests_name("flushes", tests, NULL, NULL);
}
