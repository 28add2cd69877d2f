/* SPDX-License-Identifier: MIT
 *
 * bench/mm.c - what the OS half costs its host: ns of CPU time per fault, copy, fork, mmap + munmap, mprotect. The
 * machine below does nothing: no contents, no TLB. Checks are off.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "hw/hw.h"
#include "lib/errno.h"
#include "mm/vm.h"

#define MIB       (1ull << 20)
#define GIB       (1ull << 30)
#define RAM_BYTES (4 * GIB)
#define RW        (PROT_READ | PROT_WRITE)
#define ANON      (MAP_PRIVATE | MAP_ANONYMOUS)

/* ---- a machine that does nothing ---- */

struct hw_cpu {
	u64 cr3;
	void *percpu;
};
struct hw_machine {
	u8 *ram;
	struct hw_cpu cpu;
	u64 events;
};

int hw_ram(struct hw_machine *m, unsigned index, u64 *start, u64 *end)
{
	*start = 0;
	*end = RAM_BYTES;
	return index ? -ENOENT : 0;
}
struct hw_cpu *hw_this_cpu(struct hw_machine *m)
{
	return &m->cpu;
}
unsigned hw_cpu_id(struct hw_cpu *cpu)
{
	return 0;
}
unsigned hw_features(struct hw_cpu *cpu)
{
	return HW_NX | HW_PGE | HW_PCID | HW_INVPCID | HW_GBPAGES;
}
void **hw_percpu(struct hw_cpu *cpu)
{
	return &cpu->percpu;
}
u64 hw_read_cr3(struct hw_cpu *cpu)
{
	return cpu->cr3;
}
void hw_write_cr3(struct hw_cpu *cpu, u64 v)
{
	cpu->cr3 = v & ~X86_CR3_NOFLUSH;
}
void hw_invlpg(struct hw_cpu *cpu, u64 va) {}
void hw_invpcid(struct hw_cpu *cpu, unsigned type, unsigned pcid, u64 va) {}
void hw_shootdown(struct hw_machine *m, u64 mask, const struct tlb_flush *req) {}
u64 hw_irq_save(struct hw_machine *m)
{
	return 0;
}
void hw_irq_restore(struct hw_machine *m, u64 flags) {}
void hw_clear_frames(struct hw_machine *m, u64 pfn, unsigned order) {}
void hw_copy_frames(struct hw_machine *m, u64 dst_pfn, u64 src_pfn, unsigned order) {}
void hw_event(struct hw_machine *m, const struct vm_event *ev)
{
	m->events++;
}
void hw_log(struct hw_machine *m, const char *line)
{
	fprintf(stderr, "%s\n", line);
}
_Noreturn void hw_panic(const char *line)
{
	fprintf(stderr, "panic: %s\n", line);
	abort();
}

/* ---- measuring ---- */

static struct hw_machine m;
static struct mm_struct *mm;

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

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
	struct vm_config cfg = {.pcid = true};

	m.ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m.ram == MAP_FAILED)
		return 1;
	cfg.ram_base = m.ram;
	mm = mm_create(vm_init(&m, &cfg));
	vm_switch(&m.cpu, mm);
	bench_fault();
	bench_fork(64 * MIB, "fork of 64 MiB, a page", "copy after it", "exit of the child, a page");
	bench_fork(GIB, "fork of 1 GiB, a page", "copy after it", "exit of the child, a page");
	bench_calls();
	return 0;
}
