/* SPDX-License-Identifier: MIT
 *
 * bench/ops.c - what an operation costs, ns of CPU time: the OS half (mm/) on a machine that does nothing, and beside
 * it this host's Linux doing the same operation in the same run.
 *
 * The two are not the same work, and the ratio is to be read so. Linux's includes what the hardware does (exception or
 * system call and return, TLB misses) and the clearing and copying of data; mm/ on null_hw.h has neither. What clearing
 * and copying cost here stands below the table. Linux's also includes locks, cgroups and statistics that mm/ has no
 * need of. Best of PASSES passes; on a host that gives no huge page to MADV_HUGEPAGE that row shows 4K faults.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/null_hw.h"

/* The host's calls, by prototype: its sys/mman.h and mm/vm.h name the same constants. */
void *mmap(void *addr, size_t len, int prot, int flags, int fd, long offset);
int munmap(void *addr, size_t len);
int mprotect(void *addr, size_t len, int prot);
int madvise(void *addr, size_t len, int advice);

#define MIB          (1ull << 20)
#define GIB          (1ull << 30)
#define PASSES       5
#define SMALL        (64 * MIB) /* memory that faults are taken in */
#define CALLS        100000
#define RW           (PROT_READ | PROT_WRITE)
#define ANON         (MAP_PRIVATE | MAP_ANONYMOUS)
#define ADV_DONTNEED 4
#define ADV_HUGE     14
#define ADV_NOHUGE   15

/* ---- one system: the calls that an operation is made of ---- */

struct sys {
	u64 (*map)(u64 bytes);
	void (*unmap)(u64 start, u64 bytes);
	void (*protect)(u64 start, u64 bytes, unsigned prot);
	void (*advise)(u64 start, u64 bytes, int advice);
	void (*touch)(u64 start, u64 bytes, u64 step, bool write, bool present); /* present: but read only */
	void (*fork)(void);
	void (*end_child)(void);
};

static struct hw_machine m;
static struct mm_struct *mm, *child;

static u64 quire_map(u64 bytes)
{
	return (u64)vm_mmap(&m.cpu, mm, 0, bytes, RW, ANON, NULL, 0);
}

static void quire_unmap(u64 start, u64 bytes)
{
	vm_munmap(&m.cpu, mm, start, bytes);
}

static void quire_protect(u64 start, u64 bytes, unsigned prot)
{
	vm_mprotect(&m.cpu, mm, start, bytes, prot);
}

static void quire_advise(u64 start, u64 bytes, int advice)
{
	vm_madvise(&m.cpu, mm, start, bytes, advice);
}

static void quire_touch(u64 start, u64 bytes, u64 step, bool write, bool present)
{
	unsigned code = X86_PF_USER | (write ? X86_PF_WRITE : 0) | (present ? X86_PF_PROT : 0);

	for (u64 va = start; va < start + bytes; va += step)
		if (vm_fault(&m.cpu, mm, va, code))
			abort();
}

static void quire_fork(void)
{
	if (mm_fork(&m.cpu, mm, &child))
		abort();
}

static void quire_end_child(void)
{
	mm_put(child);
}

static const struct sys quire = {quire_map,   quire_unmap, quire_protect,  quire_advise,
				 quire_touch, quire_fork,  quire_end_child};

static pid_t pid;
static int child_waits[2];

static u64 host_map(u64 bytes)
{
	void *p = mmap(NULL, bytes, RW, ANON, -1, 0);

	if (p == (void *)-1)
		abort();
	return (u64)p;
}

static void host_unmap(u64 start, u64 bytes)
{
	munmap((void *)start, bytes);
}

static void host_protect(u64 start, u64 bytes, unsigned prot)
{
	mprotect((void *)start, bytes, (int)prot);
}

static void host_advise(u64 start, u64 bytes, int advice)
{
	madvise((void *)start, bytes, advice);
}

static void host_touch(u64 start, u64 bytes, u64 step, bool write, bool present)
{
	for (volatile u8 *p = (u8 *)start; p < (u8 *)start + bytes; p += step) {
		if (write)
			*p = 1;
		else
			(void)*p;
	}
}

/* The child waits until the parent closes its end. */
static void host_fork(void)
{
	pid = fork();
	if (pid < 0)
		abort();
	if (pid == 0) {
		char byte;

		close(child_waits[1]);
		_exit((int)read(child_waits[0], &byte, 1));
	}
}

static void host_end_child(void)
{
	close(child_waits[0]);
	close(child_waits[1]);
	waitpid(pid, NULL, 0);
	if (pipe(child_waits))
		abort();
}

static const struct sys host = {host_map, host_unmap, host_protect, host_advise, host_touch, host_fork, host_end_child};

/* ---- the operations: each returns ns of one ---- */

static double fault(const struct sys *s, u64 step, int advice, bool write)
{
	u64 start = s->map(SMALL + PMD_SIZE), at = ALIGN_UP(start, PMD_SIZE);
	double t;

	s->advise(start, SMALL + PMD_SIZE, advice);
	s->touch(at, SMALL, step, write, false); /* the tables, and the memory of the host */
	s->advise(at, SMALL, ADV_DONTNEED);
	t = cpu_ns();
	s->touch(at, SMALL, step, write, false);
	t = cpu_ns() - t;
	s->unmap(start, SMALL + PMD_SIZE);
	return t / (double)(SMALL / step);
}

static double fault_write(const struct sys *s)
{
	return fault(s, PAGE_SIZE, ADV_NOHUGE, true);
}

static double fault_read(const struct sys *s)
{
	return fault(s, PAGE_SIZE, ADV_NOHUGE, false);
}

static double fault_huge(const struct sys *s)
{
	return fault(s, PMD_SIZE, ADV_HUGE, true);
}

static double cow_copy(const struct sys *s)
{
	u64 start = s->map(SMALL);
	double t;

	s->advise(start, SMALL, ADV_NOHUGE);
	s->touch(start, SMALL, PAGE_SIZE, true, false);
	s->fork();
	t = cpu_ns();
	s->touch(start, SMALL, PAGE_SIZE, true, true);
	t = cpu_ns() - t;
	s->end_child();
	s->unmap(start, SMALL);
	return t / (double)(SMALL / PAGE_SIZE);
}

static double fork_1g(const struct sys *s)
{
	u64 start = s->map(GIB);
	double t;

	s->advise(start, GIB, ADV_NOHUGE);
	s->touch(start, GIB, PAGE_SIZE, true, false);
	t = cpu_ns();
	s->fork();
	t = cpu_ns() - t;
	s->end_child();
	s->unmap(start, GIB);
	return t;
}

static double map_unmap(const struct sys *s)
{
	double t = cpu_ns();

	for (unsigned i = 0; i < CALLS; i++)
		s->unmap(s->map(PAGE_SIZE), PAGE_SIZE);
	return (cpu_ns() - t) / CALLS;
}

/* One page in the middle of an area: cuts it in three, then makes it one again. */
static double protect(const struct sys *s)
{
	u64 start = s->map(MIB), at = start + MIB / 2;
	double t;

	s->touch(start, MIB, PAGE_SIZE, true, false);
	t = cpu_ns();
	for (unsigned i = 0; i < CALLS; i++)
		s->protect(at, PAGE_SIZE, i & 1 ? RW : PROT_READ);
	t = cpu_ns() - t;
	s->unmap(start, MIB);
	return t / CALLS;
}

static double drop_refault(const struct sys *s)
{
	u64 start = s->map(MIB);
	double t;

	s->touch(start, MIB, PAGE_SIZE, true, false);
	t = cpu_ns();
	for (unsigned i = 0; i < CALLS; i++) {
		u64 at = start + i * PAGE_SIZE % MIB;

		s->advise(at, PAGE_SIZE, ADV_DONTNEED);
		s->touch(at, PAGE_SIZE, PAGE_SIZE, true, false);
	}
	t = cpu_ns() - t;
	s->unmap(start, MIB);
	return t / CALLS;
}

static double best(double (*op)(const struct sys *), const struct sys *s)
{
	double ns = op(s);

	for (unsigned i = 1; i < PASSES; i++)
		ns = min(ns, op(s));
	return ns;
}

/* ns to clear or copy this much, in memory that no cache holds. */
static double data_ns(bool copy, u64 each)
{
	u8 *to = (u8 *)host_map(256 * MIB), *from = to + 128 * MIB;
	double t;

	memset(to, 1, 256 * MIB);
	t = cpu_ns();
	for (u64 at = 0; at < 128 * MIB; at += each) {
		if (copy)
			memcpy(to + at, from + at, each);
		else
			memset(to + at, 0, each);
	}
	t = cpu_ns() - t;
	host_unmap((u64)to, 256 * MIB);
	return t / (double)(128 * MIB / each);
}

int main(void)
{
	static const struct {
		const char *name;
		double (*op)(const struct sys *);
	} rows[] = {
	    {"fault: 4K, zero-filled, write", fault_write},   {"fault: 4K, zero page, read", fault_read},
	    {"fault: 2M, zero-filled, write", fault_huge},    {"fault: copy-on-write, 4K copied", cow_copy},
	    {"fork of 1 GiB in 4K pages", fork_1g},           {"mmap + munmap of a page", map_unmap},
	    {"mprotect of one page (cuts, merges)", protect}, {"madvise DONTNEED + fault, a page", drop_refault},
	};

	if (pipe(child_waits))
		return 1;
	mm = mm_create(null_hw_create(&m, 4 * GIB, (struct vm_config){.pcid = true, .thp = VM_THP_MADVISE}));
	vm_switch(&m.cpu, mm);
	printf("%-38s %16s %16s %14s\n", "operation, ns", "Quire's mm/", "this Linux", "Linux / mm/");
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		double ours = best(rows[i].op, &quire), linux_ns = best(rows[i].op, &host);

		printf("%-38s %16.1f %16.1f %13.1fx\n", rows[i].name, ours, linux_ns, linux_ns / ours);
	}
	printf("Linux's column includes the processor's exception or system call, and data. Data alone, here:\n"
	       "  clear 4K %.0f ns, copy 4K %.0f ns, clear 2M %.0f ns\n",
	       data_ns(false, PAGE_SIZE), data_ns(true, PAGE_SIZE), data_ns(false, PMD_SIZE));
	return 0;
}
