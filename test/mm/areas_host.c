/* SPDX-License-Identifier: MIT
 *
 * test/mm/areas_host.c - mm/ and the Linux that runs this test get the same random system calls, and must agree.
 *
 * A window of addresses that nothing else uses is mapped, cut, protected, moved and advised at random, both by real
 * calls and in an address space of mm/. After every call the result (or errno) and the shape of the window must be
 * equal: start, end, rights and sharing of every area, as /proc/self/maps shows them. Bytes written and read in between
 * must be equal too: pages follow mremap, are copied on write, come back empty after MADV_DONTNEED. Every so often the
 * process forks and the child goes on, since forked memory merges by a stricter rule.
 *
 * mm/ is the variant of Linux that the probes find (play/probe.h); what else they find to differ is left out.
 *
 * A failure prints seed and step, and the call; `areas-host SEED` runs one seed again.
 */
#include "play/probe.h"
#include "play/raw.h"
#include "test/mm/areas_env.h"
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WINDOW      0x200000000000ull
#define PAGE(va)    ((long)((va)-WINDOW) / (long)PAGE_SIZE) /* as the messages name addresses */
#define PAGES       48
#define STEPS       4000 /* of each generation */
#define GENERATIONS 3
#define SEEDS       4

struct world {
	struct mm_struct *mm;
	struct address_space *file;
	int fd;
	u64 seed, rnd;
	unsigned step;
	char call[200];
};

static u64 rnd(struct world *w, u64 below)
{
	w->rnd ^= w->rnd << 13;
	w->rnd ^= w->rnd >> 7;
	w->rnd ^= w->rnd << 17;
	return (w->rnd >> 11) % below;
}

/* ---- shapes ---- */

struct shape {
	unsigned n;
	struct {
		u64 start, end;
		char rights[5];
	} area[PAGES + 1];
};

static void shape_add(struct shape *s, u64 start, u64 end, const char *rights)
{
	if (end <= WINDOW || start >= WINDOW + PAGES * PAGE_SIZE || s->n > PAGES)
		return;
	s->area[s->n].start = start;
	s->area[s->n].end = end;
	memcpy(s->area[s->n++].rights, rights, 5);
}

static struct shape host_shape(void)
{
	static char text[1 << 16];
	struct shape s = {0};
	size_t len = 0;
	ssize_t got;
	int fd = open("/proc/self/maps", O_RDONLY);

	while ((got = read(fd, text + len, sizeof text - 1 - len)) > 0)
		len += got;
	close(fd);
	text[len] = 0;
	for (char *line = text; line && *line; line = strchr(line, '\n'), line += !!line) {
		u64 start, end;
		char rights[5];

		if (sscanf(line, "%lx-%lx %4s", &start, &end, rights) == 3)
			shape_add(&s, start, end, rights);
	}
	return s;
}

static struct shape our_shape(struct mm_struct *mm)
{
	struct shape s = {0};
	struct vm_area_info info;

	for (u64 va = 0; vm_area_next(mm, va, &info); va = info.end) {
		char rights[5] = {info.prot & PROT_READ ? 'r' : '-', info.prot & PROT_WRITE ? 'w' : '-',
				  info.prot & PROT_EXEC ? 'x' : '-', info.shared ? 's' : 'p', 0};

		shape_add(&s, info.start, info.end, rights);
	}
	return s;
}

static void shape_print(const char *who, const struct shape *s)
{
	printf("%s:", who);
	for (unsigned i = 0; i < s->n; i++)
		printf(" [%ld,%ld)%s", PAGE(s->area[i].start), PAGE(s->area[i].end), s->area[i].rights);
	printf("\n");
}

static void compare(struct world *w, long ours, long theirs)
{
	struct shape a = our_shape(w->mm), b = host_shape();

	if (ours == theirs && a.n == b.n && !memcmp(a.area, b.area, a.n * sizeof a.area[0]))
		return;
	printf("seed %lu step %u: %s\n  ours %ld, Linux %ld\n", w->seed, w->step, w->call, ours, theirs);
	shape_print("  ours ", &a);
	shape_print("  Linux", &b);
	exit(1);
}

/* ---- calls ---- */

struct range {
	u64 addr, len;
};

static struct range random_range(struct world *w, u64 max_pages)
{
	u64 first = rnd(w, PAGES), pages = 1 + rnd(w, max_pages);

	return (struct range){WINDOW + first * PAGE_SIZE, min(pages, PAGES - first) * PAGE_SIZE};
}

/* Now and then an argument that is wrong, or not rounded. */
static struct range spoil(struct world *w, struct range r)
{
	switch (rnd(w, 60)) {
	case 0:
		r.addr += 123;
		break;
	case 1:
		r.len = 0;
		break;
	case 2:
		r.len = -r.len;
		break;
	case 3:
	case 4:
		r.len -= 77;
		break;
	}
	return r;
}

static unsigned random_prot(struct world *w)
{
	static const u8 common[] = {0, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE,
				    PROT_READ | PROT_EXEC};

	unsigned prot = rnd(w, 20) ? common[rnd(w, sizeof common)] : rnd(w, 8);

	/* With a key of its own, what may only be run cannot be populated. */
	return prot == PROT_EXEC && host_has(PROBE_EXEC_ONLY_KEY) ? PROT_READ | PROT_EXEC : prot;
}

static void do_mmap(struct world *w)
{
	struct range r = spoil(w, random_range(w, 12));
	unsigned prot = random_prot(w), flags = rnd(w, 4) ? MAP_FIXED : MAP_FIXED_NOREPLACE, kind = rnd(w, 10);
	bool file = kind < 2;
	u64 pgoff = (r.addr - WINDOW) / PAGE_SIZE + (rnd(w, 8) ? 0 : 5);

	flags |= kind == 0 || kind == 2 ? MAP_SHARED : MAP_PRIVATE;
	flags |= file ? 0 : MAP_ANONYMOUS;
	flags |= rnd(w, 12) ? 0 : MAP_NORESERVE;
	flags |= rnd(w, 12) ? 0 : MAP_STACK;
	flags |= rnd(w, 12) ? 0 : MAP_POPULATE;
	if (!rnd(w, 200))
		flags &= ~0xfu;
	snprintf(w->call, sizeof w->call, "mmap(+%ld, %ld pages, prot %u, flags %#x, file %d, pgoff %lu)", PAGE(r.addr),
		 (s64)r.len / 4096, prot, flags, file, pgoff);
	compare(w, vm_mmap(env_cpu(), w->mm, r.addr, r.len, prot, flags, file ? w->file : NULL, file ? pgoff : 0),
		raw_syscall(SYS_mmap, r.addr, r.len, prot, flags, file ? w->fd : -1, file ? pgoff * PAGE_SIZE : 0));
}

static void do_munmap_call(struct world *w)
{
	struct range r = spoil(w, random_range(w, 8));

	snprintf(w->call, sizeof w->call, "munmap(+%ld, %ld pages)", PAGE(r.addr), (s64)r.len / 4096);
	compare(w, vm_munmap(env_cpu(), w->mm, r.addr, r.len), raw_syscall(SYS_munmap, r.addr, r.len, 0, 0, 0, 0));
}

static void do_mprotect(struct world *w)
{
	struct range r = spoil(w, random_range(w, 10));
	unsigned prot = random_prot(w);

	snprintf(w->call, sizeof w->call, "mprotect(+%ld, %ld pages, %u)", PAGE(r.addr), (s64)r.len / 4096, prot);
	compare(w, vm_mprotect(env_cpu(), w->mm, r.addr, r.len, prot),
		raw_syscall(SYS_mprotect, r.addr, r.len, prot, 0, 0, 0));
}

static void do_madvise(struct world *w)
{
	static const u8 advices[] = {0, 1, 2, 3, 4, 4, 8, 10, 11, 14, 15, 16, 17, 18, 19, 20, 22, 23, 24, 99};
	struct range r = spoil(w, random_range(w, 10));
	int advice = advices[rnd(w, sizeof advices)];

	snprintf(w->call, sizeof w->call, "madvise(+%ld, %ld pages, %d)", PAGE(r.addr), (s64)r.len / 4096, advice);
	compare(w, vm_madvise(env_cpu(), w->mm, r.addr, r.len, advice),
		raw_syscall(SYS_madvise, r.addr, r.len, advice, 0, 0, 0));
}

/* What a Linux without the mended MREMAP_DONTUNMAP does otherwise: it may join what it moves to where that came from,
 * takes what it emptied whole for used, and unlocks too much. */
static bool dontunmap_differs(struct world *w, struct range r)
{
	if (host_has(PROBE_DONTUNMAP_APART) && host_has(PROBE_DONTUNMAP_AS_NEW) &&
	    host_has(PROBE_DONTUNMAP_CUTS_LOCKED))
		return false;
	for (struct vm_area_struct *vma = vma_find(w->mm, r.addr); vma && vma->vm_start < r.addr + r.len;
	     vma = vma_next(vma)) {
		bool whole = r.addr <= vma->vm_start && vma->vm_end <= r.addr + r.len;

		if (vma->vm_flags & VM_LOCKED || (!vma->vm_file && (!vma->anon_vma || whole)))
			return true;
	}
	return false;
}

/* The range to move is mostly one area's. */
static void do_mremap(struct world *w)
{
	struct range r = random_range(w, 6);
	struct vm_area_struct *vma = vma_lookup(w->mm, r.addr);
	u64 new_addr = WINDOW + rnd(w, PAGES) * PAGE_SIZE, new_len = r.len;
	unsigned flags = rnd(w, 3) ? MREMAP_MAYMOVE | MREMAP_FIXED : 0;
	long ours;

	if (vma && (rnd(w, 3) || !host_has(PROBE_MREMAP_SEVERAL)))
		r.len = rnd(w, 2) ? vma->vm_end - r.addr : min(r.len, vma->vm_end - r.addr);
	new_len = rnd(w, 2) ? r.len : (1 + rnd(w, 8)) * PAGE_SIZE;
	if (flags && vma && (vma->vm_flags & VM_SHARED) && !rnd(w, 4))
		r.len = 0;
	if (flags && !rnd(w, 4) && !dontunmap_differs(w, r)) {
		flags |= MREMAP_DONTUNMAP;
		new_len = rnd(w, 10) ? r.len : new_len;
	}
	if (!flags && new_len > r.len)
		new_len = min(new_len, WINDOW + PAGES * PAGE_SIZE - r.addr);
	if (flags & MREMAP_FIXED)
		new_len = min(new_len, WINDOW + PAGES * PAGE_SIZE - new_addr);
	if (!rnd(w, 50))
		new_addr += 5;
	if (!rnd(w, 50))
		new_len = 0;
	snprintf(w->call, sizeof w->call, "mremap(+%ld, %lu pages, %lu pages, flags %u, +%ld)", PAGE(r.addr),
		 r.len / 4096, new_len / 4096, flags, PAGE(new_addr));
	ours = vm_mremap(env_cpu(), w->mm, r.addr, r.len, new_len, flags, new_addr);
	if (ours < 0 && !host_has(PROBE_MREMAP_CHECKS_FIRST))
		return; /* this Linux looks for other mistakes first, and may have unmapped something by then */
	compare(w, ours, raw_syscall(SYS_mremap, r.addr, r.len, new_len, flags, new_addr, 0));
}

/* A byte is written, or read and compared. */
static void do_access(struct world *w)
{
	u64 va = random_range(w, 1).addr + rnd(w, 2);
	struct vm_area_struct *vma = vma_lookup(w->mm, va);
	bool write = rnd(w, 2);
	u8 byte = rnd(w, 256);

	if (!vma || !(vma->vm_flags & (write ? VM_WRITE : VM_READ | VM_WRITE)))
		return;
	if (vma->vm_file && (vma->vm_pgoff << PAGE_SHIFT) + (va - vma->vm_start) >= vma->vm_file->size)
		return; /* past the end: SIGBUS */
	snprintf(w->call, sizeof w->call, "%s of +%ld", write ? "write" : "read", PAGE(va));
	if (write) {
		env_write(w->mm, va, byte);
		*(volatile u8 *)va = byte;
	} else {
		compare(w, env_read(w->mm, va), *(volatile u8 *)va);
	}
}

static void one_step(struct world *w)
{
	u64 what = rnd(w, 100);

	w->step++;
	if (what < 22)
		do_mmap(w);
	else if (what < 32)
		do_munmap_call(w);
	else if (what < 55)
		do_mprotect(w);
	else if (what < 70)
		do_madvise(w);
	else if (what < 82)
		do_mremap(w);
	else
		do_access(w);
}

/* Runs a generation, then forks; the child is the next one. Returns in the last, and in its forefathers. */
static int generations(struct world *w, unsigned left)
{
	int status = 0;
	pid_t pid;

	for (unsigned i = 0; i < STEPS; i++)
		one_step(w);
	if (left == 1)
		return 0;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		w->mm = env_fork(w->mm);
		exit(generations(w, left - 1));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	return status ? 1 : 0;
}

static int run_seed(u64 seed)
{
	struct world w = {.seed = seed, .rnd = seed * 0x9e3779b97f4a7c15 + 1};
	int status;
	pid_t pid = fork();

	if (pid) {
		waitpid(pid, &status, 0);
		if (WIFSIGNALED(status))
			printf("seed %lu: killed by signal %d\n", seed, WTERMSIG(status));
		return status ? 1 : 0;
	}
	w.fd = raw_syscall(SYS_memfd_create, (u64) "areas", 0, 0, 0, 0, 0);
	if (w.fd < 0 || ftruncate(w.fd, 4 * PAGES * PAGE_SIZE))
		exit(1);
	w.mm = env_mm();
	w.file = env_file(4 * PAGES * PAGE_SIZE);
	exit(generations(&w, GENERATIONS));
}

int main(int argc, char **argv)
{
	u64 first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1, last = argc > 1 ? first : SEEDS;
	struct vm_variant variant = vm_variant_newest;
	int failed = 0;

	host_variant(&variant, 0);
	env_set_variant(&variant);
	for (u64 seed = first; seed <= last; seed++)
		failed |= run_seed(seed);
	printf("%u calls a seed compared with this Linux: %s\n", STEPS * GENERATIONS, failed ? "FAILED" : "equal");
	return failed;
}
