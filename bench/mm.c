/* SPDX-License-Identifier: MIT
 *
 * bench/mm.c - what the OS half costs its host: ns of CPU time per fault, copy, fork, mmap + munmap, mprotect. On a
 * machine that does nothing: no contents, no TLB. Checks are off.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/null_hw.h"

#define MIB       (1ull << 20)
#define GIB       (1ull << 30)
#define RAM_BYTES (4 * GIB)
#define RW        (PROT_READ | PROT_WRITE)
#define ANON      (MAP_PRIVATE | MAP_ANONYMOUS)

/* ---- measuring ---- */

static struct hw_machine m;
static struct mm_struct *mm;

static void report(const char *what, double since_ns, double ops)
{
	printf("%-44s %10.1f ns\n", what, (cpu_ns() - since_ns) / ops);
}

static u64 map(u64 bytes)
{
	return (u64)vm_mmap(&m.cpu, mm, 0, bytes, RW, ANON, NULL, 0);
}

static void fault_all(struct mm_struct *in, u64 start, u64 bytes, unsigned code)
{
	for (u64 va = start; va < start + bytes; va += PAGE_SIZE) {
		if (vm_fault(&m.cpu, in, va, X86_PF_USER | code))
			abort();
	}
}

static void bench_fault(void)
{
	u64 a = map(GIB);
	double t = cpu_ns();

	fault_all(mm, a, GIB, X86_PF_WRITE);
	report("anonymous write fault, fresh RAM", t, GIB / PAGE_SIZE);
	t = cpu_ns();
	vm_munmap(&m.cpu, mm, a, GIB);
	report("munmap, a page", t, GIB / PAGE_SIZE);
	a = map(GIB);
	t = cpu_ns();
	fault_all(mm, a, GIB, X86_PF_WRITE);
	report("anonymous write fault, used RAM", t, GIB / PAGE_SIZE);
	vm_munmap(&m.cpu, mm, a, GIB);
	a = map(64 * MIB);
	t = cpu_ns();
	for (unsigned i = 0; i < 16; i++) {
		fault_all(mm, a, 64 * MIB, X86_PF_WRITE);
		vm_madvise(&m.cpu, mm, a, 64 * MIB, 4);
	}
	report("write fault + DONTNEED, a page, 64 MiB again", t, 16 * 64 * MIB / PAGE_SIZE);
	t = cpu_ns();
	fault_all(mm, a, 64 * MIB, 0);
	report("anonymous read fault (zero page)", t, 64 * MIB / PAGE_SIZE);
	vm_munmap(&m.cpu, mm, a, 64 * MIB);
}

static void bench_fork(u64 bytes, const char *what, const char *copy, const char *exit)
{
	u64 a = map(bytes);
	struct mm_struct *child;
	double t;

	fault_all(mm, a, bytes, X86_PF_WRITE);
	t = cpu_ns();
	if (mm_fork(&m.cpu, mm, &child))
		abort();
	report(what, t, bytes / PAGE_SIZE);
	t = cpu_ns();
	fault_all(child, a, bytes / 4, X86_PF_WRITE | X86_PF_PROT);
	report(copy, t, bytes / 4 / PAGE_SIZE);
	t = cpu_ns();
	mm_put(child);
	report(exit, t, bytes / PAGE_SIZE);
	vm_munmap(&m.cpu, mm, a, bytes);
}

static void bench_calls(void)
{
	const unsigned n = 200000;
	u64 a = map(64 * MIB);
	double t = cpu_ns();

	for (unsigned i = 0; i < n; i++)
		vm_munmap(&m.cpu, mm, map(PAGE_SIZE), PAGE_SIZE);
	report("mmap + munmap of a page", t, n);
	t = cpu_ns();
	for (unsigned i = 0; i < n; i++) {
		u64 b = map(PAGE_SIZE);

		fault_all(mm, b, PAGE_SIZE, X86_PF_WRITE);
		vm_munmap(&m.cpu, mm, b, PAGE_SIZE);
	}
	report("the same, touched", t, n);
	fault_all(mm, a, 64 * MIB, X86_PF_WRITE);
	t = cpu_ns();
	for (unsigned i = 0; i < 50; i++) {
		vm_mprotect(&m.cpu, mm, a, 64 * MIB, PROT_READ);
		vm_mprotect(&m.cpu, mm, a, 64 * MIB, RW);
	}
	report("mprotect, a page", t, 100 * 64 * MIB / PAGE_SIZE);
	t = cpu_ns();
	for (unsigned i = 0; i < n; i++)
		vm_mprotect(&m.cpu, mm, a + MIB, PAGE_SIZE, i & 1 ? RW : PROT_READ);
	report("mprotect of one page (cuts or merges)", t, n);
}

int main(void)
{
	mm = mm_create(null_hw_create(&m, RAM_BYTES, (struct vm_config){.pcid = true}));
	vm_switch(&m.cpu, mm);
	bench_fault();
	bench_fork(64 * MIB, "fork of 64 MiB, a page", "copy after it", "exit of the child, a page");
	bench_fork(GIB, "fork of 1 GiB, a page", "copy after it", "exit of the child, a page");
	bench_calls();
	return 0;
}
