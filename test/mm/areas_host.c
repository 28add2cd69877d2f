/* SPDX-License-Identifier: MIT
 *
 * test/mm/areas_host.c - mm/ and the Linux that runs this test get the same random system calls, and must agree.
 *
 * A window of addresses that nothing else uses is mapped, cut, protected, moved, locked, guarded and advised at random,
 * both by real calls and in an address space of mm/. After every call the result (or errno) and the shape of the window
 * must be equal: start, end, flags and resident pages of every area, as /proc/self/smaps shows them. Bytes written and
 * read in between must be equal too, and the signals of those that may not be: pages follow mremap, are copied on write,
 * come back empty after MADV_DONTNEED, stacks grow. Every so often the process forks and the child goes on, since forked
 * memory merges by a stricter rule.
 *
 * mm/ is the variant of Linux that the probes find (play/probe.h); what else they find to differ is left out.
 *
 * A failure prints seed and step, and the call; `areas-host SEED` runs one seed again.
 */
#include "mm/vma.h"
#include "play/probe.h"
#include "lib/sys.h"
#include "test/mm/areas_env.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
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
#define WINDOW_END  (WINDOW + PAGES * PAGE_SIZE)
#define STEPS       4000 /* of each generation */
#define GENERATIONS 3
#define SEEDS       4
#define FILE_PAGES  (4 * PAGES)

/* Not in mm/vm.h: whoever may be asked for them has them. */
#define PROT_SEM       8u
#define PROT_GROWSDOWN 0x01000000u

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

/* Flags of areas as smaps names them. */
static const struct {
	u64 flag;
	char name[3];
} flag_names[] = {{VM_READ, "rd"},       {VM_WRITE, "wr"},       {VM_EXEC, "ex"},     {VM_SHARED, "sh"},
		  {VM_GROWSDOWN, "gd"},  {VM_LOCKED, "lo"},      {VM_SEQ_READ, "sr"}, {VM_RAND_READ, "rr"},
		  {VM_DONTCOPY, "dc"},   {VM_LOCKONFAULT, "lf"}, {VM_ACCOUNT, "ac"},  {VM_NORESERVE, "nr"},
		  {VM_WIPEONFORK, "wf"}, {VM_DONTDUMP, "dd"},    {VM_HUGEPAGE, "hg"}, {VM_NOHUGEPAGE, "nh"},
		  {VM_DROPPABLE, "dp"},  {VM_SYNC, "sf"}};

struct shape {
	unsigned n;
	struct area {
		u64 start, end, flags, rss_pages;
	} area[PAGES + 1];
};

/* Returns the area's place, or NULL: it lies elsewhere. */
static struct area *shape_add(struct shape *s, u64 start, u64 end)
{
	if (end <= WINDOW || start >= WINDOW_END || s->n > PAGES)
		return NULL;
	s->area[s->n] = (struct area){.start = start, .end = end};
	return &s->area[s->n++];
}

static u64 flags_of(const char *names)
{
	u64 flags = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(flag_names); i++)
		flags |= strstr(names, flag_names[i].name) ? flag_names[i].flag : 0;
	return flags;
}

static struct shape host_shape(void)
{
	static char text[1 << 18];
	struct area *area = NULL;
	struct shape s = {0};
	size_t len = 0;
	ssize_t got;
	int fd = open("/proc/self/smaps", O_RDONLY);

	while ((got = read(fd, text + len, sizeof text - 1 - len)) > 0)
		len += got;
	close(fd);
	text[len] = 0;
	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		u64 from, to;

		*end = 0;
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			area = shape_add(&s, from, to);
		else if (area && sscanf(line, "Rss: %lu", &from) == 1)
			area->rss_pages = from / 4;
		else if (area && !strncmp(line, "VmFlags:", 8))
			area->flags = flags_of(line + 8);
	}
	return s;
}

/* Flags that this Linux has and does not show: 6.1's smaps has no lf. */
static u64 hidden_flags;

static void find_hidden_flags(void)
{
	struct shape s;

	sys6(SYS_mmap, WINDOW, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, (u64)-1, 0);
	sys6(SYS_mlock2, WINDOW, PAGE_SIZE, MLOCK_ONFAULT, 0, 0, 0);
	s = host_shape();
	if (s.n == 1 && (s.area[0].flags & (VM_LOCKED | VM_LOCKONFAULT)) == VM_LOCKED)
		hidden_flags = VM_LOCKONFAULT;
	sys6(SYS_munmap, WINDOW, PAGE_SIZE, 0, 0, 0, 0);
}

static struct shape our_shape(struct mm_struct *mm)
{
	struct shape s = {0};
	struct vm_area_info info;

	for (u64 va = 0; vm_area_next(mm, va, &info); va = info.end) {
		struct area *area = shape_add(&s, info.start, info.end);

		if (!area)
			continue;
		for (unsigned i = 0; i < ARRAY_SIZE(flag_names); i++)
			area->flags |= vma_lookup(mm, info.start)->vm_flags & flag_names[i].flag & ~hidden_flags;
		area->rss_pages = info.rss_pages;
	}
	return s;
}

static void shape_print(const char *who, const struct shape *s)
{
	printf("%s:", who);
	for (unsigned i = 0; i < s->n; i++) {
		printf(" [%ld,%ld)", PAGE(s->area[i].start), PAGE(s->area[i].end));
		for (unsigned f = 0; f < ARRAY_SIZE(flag_names); f++)
			printf("%s%s", s->area[i].flags & flag_names[f].flag ? "." : "",
			       s->area[i].flags & flag_names[f].flag ? flag_names[f].name : "");
		printf(":%lu", s->area[i].rss_pages);
	}
	printf("\n");
}

/* A Linux may drop pages of shared memory that nobody wrote to whenever it likes (DAMON does, without any want). */
static bool may_be_dropped(struct world *w, u64 va)
{
	struct vm_area_struct *vma = vma_lookup(w->mm, va);

	return vma->vm_file || vma->vm_flags & VM_DROPPABLE;
}

static bool shapes_equal(struct world *w, const struct shape *ours, const struct shape *theirs)
{
	for (unsigned i = 0; i < ours->n && i < theirs->n; i++) {
		struct area a = ours->area[i], b = theirs->area[i];

		if (b.rss_pages < a.rss_pages && may_be_dropped(w, a.start))
			b.rss_pages = a.rss_pages;
		if (memcmp(&a, &b, sizeof a) != 0)
			return false;
	}
	return ours->n == theirs->n;
}

static void compare(struct world *w, long ours, long theirs)
{
	struct shape a = our_shape(w->mm), b = host_shape();

	if (ours == theirs && shapes_equal(w, &a, &b))
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

static unsigned random_map_type(struct world *w, bool file)
{
	unsigned what = rnd(w, 40);

	if (what == 0)
		return 0;
	if (what == 1)
		return 3; /* MAP_SHARED_VALIDATE: of files only */
	if (what == 2 && !file && host_has(PROBE_MAP_DROPPABLE) && !w->mm->def_flags)
		return 8; /* MAP_DROPPABLE: Linux 6.18 locks it with all new memory */
	return what < 14 ? MAP_SHARED : MAP_PRIVATE;
}

static unsigned random_map_flags(struct world *w)
{
	static const unsigned rare[] = {MAP_NORESERVE, MAP_STACK, MAP_POPULATE, MAP_GROWSDOWN,
					MAP_LOCKED,    0x800,     0x80000};
	unsigned flags = rnd(w, 4) ? MAP_FIXED : rnd(w, 2) ? MAP_FIXED_NOREPLACE : 0;

	for (unsigned i = 0; i < ARRAY_SIZE(rare); i++)
		flags |= rnd(w, 12) || (rare[i] == MAP_LOCKED && !host_has(PROBE_LOCK_ALL)) ? 0 : rare[i];
	return flags;
}

/* An address without MAP_FIXED is a wish. One that cannot be granted is nothing that this test could compare: where the
 * kernel chooses, the rest of the process counts (place_host.c). */
static bool wish_granted(struct world *w, unsigned flags, struct range r)
{
	u64 start = ALIGN_DOWN(r.addr, PAGE_SIZE), end = start + ALIGN_UP(r.len, PAGE_SIZE);
	struct vm_area_struct *vma = vma_find(w->mm, start);

	return flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) ||
	       (end > start && end <= WINDOW_END && (!vma || end <= vm_start_gap(vma)));
}

static void do_mmap(struct world *w)
{
	struct range r = spoil(w, random_range(w, 12));
	bool file = rnd(w, 10) < 2;
	unsigned prot = random_prot(w), flags = random_map_type(w, file) | random_map_flags(w);
	u64 pgoff = file ? (r.addr - WINDOW) / PAGE_SIZE + (rnd(w, 8) ? 0 : 5) : 0;

	flags |= file ? 0 : MAP_ANONYMOUS;
	if (!wish_granted(w, flags, r))
		return;
	snprintf(w->call, sizeof w->call, "mmap(+%ld, %ld pages, prot %u, flags %#x, file %d, pgoff %lu)", PAGE(r.addr),
		 (s64)r.len / 4096, prot, flags, file, pgoff);
	compare(w, vm_mmap(env_cpu(), w->mm, r.addr, r.len, prot, flags, file ? w->file : NULL, pgoff),
		sys6(SYS_mmap, r.addr, r.len, prot, flags, file ? w->fd : -1, pgoff * PAGE_SIZE));
}

static void do_munmap_call(struct world *w)
{
	struct range r = spoil(w, random_range(w, 8));

	snprintf(w->call, sizeof w->call, "munmap(+%ld, %ld pages)", PAGE(r.addr), (s64)r.len / 4096);
	compare(w, vm_munmap(env_cpu(), w->mm, r.addr, r.len), sys6(SYS_munmap, r.addr, r.len, 0, 0, 0, 0));
}

static void do_mprotect(struct world *w)
{
	struct range r = spoil(w, random_range(w, 10));
	unsigned prot = random_prot(w) | (rnd(w, 15) ? 0 : PROT_SEM) | (rnd(w, 15) ? 0 : PROT_GROWSDOWN);

	snprintf(w->call, sizeof w->call, "mprotect(+%ld, %ld pages, %u)", PAGE(r.addr), (s64)r.len / 4096, prot);
	compare(w, vm_mprotect(env_cpu(), w->mm, r.addr, r.len, prot),
		sys6(SYS_mprotect, r.addr, r.len, prot, 0, 0, 0));
}

/* Guards in areas of files: a Linux since 6.19 has no anon_vma for them. */
static bool only_anonymous(struct world *w, struct range r)
{
	for (struct vm_area_struct *vma = vma_find(w->mm, r.addr); vma && vma->vm_start < r.addr + r.len;
	     vma = vma_next(vma))
		if (vma->vm_file)
			return false;
	return true;
}

static void do_madvise(struct world *w)
{
	static const u8 advices[] = {0,  1,  2,  3,  4,  4,  8,  9,  10, 11,  14,  15,  16,
				     17, 18, 19, 20, 22, 23, 24, 25, 99, 102, 102, 103, 103};
	struct range r = spoil(w, random_range(w, 10));
	int advice = advices[rnd(w, sizeof advices)];

	if (advice == 102 && (!host_has(PROBE_ADVICE_GUARD) || !only_anonymous(w, r)))
		advice = 0;
	if (advice == 103 && !host_has(PROBE_ADVICE_GUARD))
		advice = 1;
	snprintf(w->call, sizeof w->call, "madvise(+%ld, %ld pages, %d)", PAGE(r.addr), (s64)r.len / 4096, advice);
	compare(w, vm_madvise(env_cpu(), w->mm, r.addr, r.len, advice),
		sys6(SYS_madvise, r.addr, r.len, advice, 0, 0, 0));
}

static void do_lock(struct world *w)
{
	struct range r = spoil(w, random_range(w, 8));
	unsigned flags = rnd(w, 3) ? 0 : rnd(w, 20) ? MLOCK_ONFAULT : 2;

	if (rnd(w, 2)) {
		snprintf(w->call, sizeof w->call, "munlock(+%ld, %ld pages)", PAGE(r.addr), (s64)r.len / 4096);
		compare(w, vm_munlock(env_cpu(), w->mm, r.addr, r.len), sys6(SYS_munlock, r.addr, r.len, 0, 0, 0, 0));
		return;
	}
	snprintf(w->call, sizeof w->call, "mlock2(+%ld, %ld pages, %u)", PAGE(r.addr), (s64)r.len / 4096, flags);
	compare(w, vm_mlock(env_cpu(), w->mm, r.addr, r.len, flags), sys6(SYS_mlock2, r.addr, r.len, flags, 0, 0, 0));
}

#ifdef __SANITIZE_ADDRESS__
#define MAY_LOCK_ALL false /* the sanitizer's shadow of all memory would be brought in */
#else
#define MAY_LOCK_ALL true
#endif

/* Seldom: it locks this whole process. */
static void do_lock_all(struct world *w)
{
	unsigned flags = rnd(w, 8);

	if (rnd(w, 3) || !MAY_LOCK_ALL) {
		snprintf(w->call, sizeof w->call, "munlockall()");
		compare(w, vm_munlockall(env_cpu(), w->mm), sys6(SYS_munlockall, 0, 0, 0, 0, 0, 0));
		return;
	}
	snprintf(w->call, sizeof w->call, "mlockall(%u)", flags);
	compare(w, vm_mlockall(env_cpu(), w->mm, flags), sys6(SYS_mlockall, flags, 0, 0, 0, 0, 0));
}

static void do_msync(struct world *w)
{
	struct range r = spoil(w, random_range(w, 10));
	unsigned flags = rnd(w, 8);

	snprintf(w->call, sizeof w->call, "msync(+%ld, %ld pages, %u)", PAGE(r.addr), (s64)r.len / 4096, flags);
	compare(w, vm_msync(env_cpu(), w->mm, r.addr, r.len, flags), sys6(SYS_msync, r.addr, r.len, flags, 0, 0, 0));
}

static void do_mincore(struct world *w)
{
	struct range r = random_range(w, 10);
	u8 vec[2][PAGES] = {{0}};
	long ours = vm_mincore(w->mm, r.addr, r.len, vec[0]);
	long theirs = sys6(SYS_mincore, r.addr, r.len, (u64)vec[1], 0, 0, 0);

	snprintf(w->call, sizeof w->call, "mincore(+%ld, %ld pages)", PAGE(r.addr), (s64)r.len / 4096);
	compare(w, ours, theirs);
	for (unsigned i = 0; !ours && i < r.len / PAGE_SIZE; i++)
		if (vec[1][i] & 1 || !may_be_dropped(w, r.addr + i * PAGE_SIZE))
			compare(w, vec[0][i] & 1 ? (long)i : -1, vec[1][i] & 1 ? (long)i : -1);
}

/* What a Linux without the mended MREMAP_DONTUNMAP does otherwise: it may join what it moves to where that came from,
 * takes what it emptied whole for used, and unlocks too much. 6.1's mending joins what lies there to nothing. */
static bool dontunmap_differs(struct world *w, struct range r)
{
	if (host_has(PROBE_DONTUNMAP_APART) && host_has(PROBE_DONTUNMAP_JOINS_OTHER) &&
	    host_has(PROBE_DONTUNMAP_AS_NEW) && host_has(PROBE_DONTUNMAP_CUTS_LOCKED))
		return false;
	for (struct vm_area_struct *vma = vma_find(w->mm, r.addr); vma && vma->vm_start < r.addr + r.len;
	     vma = vma_next(vma)) {
		bool whole = r.addr <= vma->vm_start && vma->vm_end <= r.addr + r.len;

		if (vma->vm_flags & VM_LOCKED || (!vma->vm_file && (!vma->anon_vma || whole)))
			return true;
	}
	return false;
}

/* What an mremap that failed, and was not tried on this Linux, may have unmapped. */
static void unmap_both(struct world *w, struct range from, struct range to)
{
	const struct range both[] = {from, to};
	long ours = 0, theirs = 0;

	for (unsigned i = 0; i < 2; i++) {
		u64 addr = ALIGN_DOWN(both[i].addr, PAGE_SIZE), len = ALIGN_UP(both[i].len, PAGE_SIZE);

		ours += vm_munmap(env_cpu(), w->mm, addr, len);
		theirs += sys6(SYS_munmap, addr, len, 0, 0, 0, 0);
	}
	compare(w, ours, theirs);
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
		new_len = min(new_len, WINDOW_END - r.addr);
	if (flags & MREMAP_FIXED)
		new_len = min(new_len, WINDOW_END - new_addr);
	if (!rnd(w, 50))
		new_addr += 5;
	if (!rnd(w, 50))
		new_len = 0;
	snprintf(w->call, sizeof w->call, "mremap(+%ld, %lu pages, %lu pages, flags %u, +%ld)", PAGE(r.addr),
		 r.len / 4096, new_len / 4096, flags, PAGE(new_addr));
	ours = vm_mremap(env_cpu(), w->mm, r.addr, r.len, new_len, flags, new_addr);
	if (ours < 0 && !host_has(PROBE_MREMAP_CHECKS_FIRST))
		return unmap_both(w, r, (struct range){new_addr, new_len}); /* it looks for other mistakes first */
	compare(w, ours, sys6(SYS_mremap, r.addr, r.len, new_len, flags, new_addr, 0));
}

static sigjmp_buf back;
static volatile int signal_code;

static void on_signal(int signal, siginfo_t *info, void *context)
{
	signal_code = signal == SIGBUS               ? -VM_FAULT_BUS
		      : info->si_code == SEGV_MAPERR ? -VM_FAULT_MAPERR
						     : -VM_FAULT_ACCERR;
	siglongjmp(back, 1);
}

/* Returns the byte, or what ended the access: -VM_FAULT_*. */
static long __attribute__((noinline, no_sanitize("address", "undefined"))) host_access(u64 va, bool write, u8 byte)
{
	if (sigsetjmp(back, 1))
		return signal_code;
	if (write)
		*(volatile u8 *)va = byte;
	return *(volatile u8 *)va;
}

/* A byte is written, or read and compared. */
static void do_access(struct world *w)
{
	u64 va = random_range(w, 1).addr + rnd(w, 2);
	bool write = rnd(w, 2);
	u8 byte = rnd(w, 256);
	long ours = env_access(w->mm, va, write ? 'w' : 'r', &byte);

	snprintf(w->call, sizeof w->call, "%s of +%ld", write ? "write" : "read", PAGE(va));
	compare(w, ours ? -ours : byte, host_access(va, write, byte));
}

static const struct {
	unsigned share;
	bool locks;
	void (*step)(struct world *w);
} steps[] = {
    {180, false, do_mmap},   {90, false, do_munmap_call}, {180, false, do_mprotect}, {180, false, do_madvise},
    {120, false, do_mremap}, {160, false, do_access},     {40, true, do_lock},       {2, true, do_lock_all},
    {15, false, do_msync},   {25, false, do_mincore},
};

static void one_step(struct world *w)
{
	unsigned total = 0, what, i = 0;

	for (unsigned s = 0; s < ARRAY_SIZE(steps); s++)
		total += steps[s].share;
	for (what = rnd(w, total); what >= steps[i].share; i++)
		what -= steps[i].share;
	w->step++;
	if (!steps[i].locks || host_has(PROBE_LOCK_ALL))
		steps[i].step(w);
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

/* Each page of the file is written to, so that it stays. */
static void make_file(struct world *w)
{
	w->fd = sys6(SYS_memfd_create, (u64) "areas", 0, 0, 0, 0, 0);
	w->file = env_shmem(FILE_PAGES * PAGE_SIZE);
	if (w->fd < 0 || ftruncate(w->fd, FILE_PAGES * PAGE_SIZE))
		exit(1);
	for (u64 i = 0; i < FILE_PAGES; i++) {
		vm_mmap(env_cpu(), w->mm, WINDOW, PAGE_SIZE, PROT_WRITE, MAP_SHARED | MAP_FIXED, w->file, i);
		env_write(w->mm, WINDOW, (u8)i);
		if (pwrite(w->fd, &(u8){(u8)i}, 1, (off_t)(i * PAGE_SIZE)) != 1)
			exit(1);
	}
	vm_munmap(env_cpu(), w->mm, WINDOW, PAGE_SIZE);
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
	w.mm = env_mm();
	make_file(&w);
	sigaction(SIGSEGV, &(struct sigaction){.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO}, NULL);
	sigaction(SIGBUS, &(struct sigaction){.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO}, NULL);
	exit(generations(&w, GENERATIONS));
}

int main(int argc, char **argv)
{
	u64 first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1, last = argc > 1 ? first : SEEDS;
	struct vm_variant variant = vm_variant_newest;
	int failed = 0;

	host_variant(&variant, 0);
	env_set_variant(&variant);
	find_hidden_flags();
	for (u64 seed = first; seed <= last; seed++)
		failed |= run_seed(seed);
	printf("%u calls a seed compared with this Linux: %s\n", STEPS * GENERATIONS, failed ? "FAILED" : "equal");
	return failed;
}
