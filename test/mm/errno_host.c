/* SPDX-License-Identifier: MIT
 *
 * test/mm/errno_host.c - arguments at the edges: each memory call of mm/ and of the Linux that runs this test gets the
 * same addresses, lengths and flags, and must give the same errno.
 *
 * Every combination of the tables below is tried on the same eight pages, made anew before each call:
 *
 *      0   1   2   3   4   5   6   7   8
 *      | rw anon |  r | hole| rw shared | none |     and around them nothing
 *
 * Addresses and lengths are those where sums wrap, where the address space ends, and where pages do. What would succeed
 * outside of the eight pages is not tried: it would be this process's own memory. An address that the kernel chooses is
 * no result.
 */
#include "play/probe.h"
#include "lib/sys.h"
#include "test/mm/areas_env.h"
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WINDOW       0x200000000000ull
#define WINDOW_PAGES 8
#define WINDOW_END   (WINDOW + WINDOW_PAGES * PAGE_SIZE)
#define P(n)         (WINDOW + (n)*PAGE_SIZE)
#define LAST         (~0ull)

static struct {
	struct mm_struct *mm;
	struct address_space *file;
	int fd;
	unsigned tried, wrong;
} env;

static const u64 addresses[] = {P(0),
				P(0) + 1,
				P(1),
				P(2),
				P(3),
				P(4),
				P(6) + 4095,
				P(7),
				0,
				1,
				4096,
				TASK_SIZE - 4096,
				TASK_SIZE - 1,
				TASK_SIZE,
				TASK_SIZE + 1,
				TASK_SIZE + 4096,
				1ull << 47,
				1ull << 63,
				-8192ull,
				-4096ull,
				LAST};
static const u64 lengths[] = {0,
			      1,
			      4095,
			      4096,
			      4097,
			      8192,
			      0x4000,
			      0x8000,
			      TASK_SIZE - WINDOW,
			      TASK_SIZE - WINDOW + 1,
			      TASK_SIZE,
			      TASK_SIZE + 1,
			      1ull << 47,
			      (1ull << 63) - 4096,
			      1ull << 63,
			      -WINDOW,
			      -WINDOW - 1,
			      -WINDOW - 4096,
			      -8192ull,
			      -4097ull,
			      -4096ull,
			      -4095ull,
			      LAST};

/* ---- both worlds ---- */

static void map_both(unsigned first, unsigned pages, unsigned prot, unsigned flags, bool file)
{
	flags |= MAP_FIXED | (file ? 0 : MAP_ANONYMOUS);
	if (sys6(SYS_mmap, P(first), pages * PAGE_SIZE, prot, flags, file ? env.fd : -1, 0) != (long)P(first) ||
	    vm_mmap(env_cpu(), env.mm, P(first), pages * PAGE_SIZE, prot, flags, file ? env.file : NULL, 0) !=
		(long)P(first))
		exit(2);
}

static void make_world(void)
{
	sys6(SYS_munlockall, 0, 0, 0, 0, 0, 0);
	vm_munlockall(env_cpu(), env.mm);
	sys6(SYS_munmap, WINDOW, 2 * WINDOW_PAGES * PAGE_SIZE, 0, 0, 0, 0);
	vm_munmap(env_cpu(), env.mm, WINDOW, 2 * WINDOW_PAGES * PAGE_SIZE);
	map_both(0, 2, PROT_READ | PROT_WRITE, MAP_PRIVATE, false);
	map_both(2, 1, PROT_READ, MAP_PRIVATE, false);
	map_both(4, 2, PROT_READ | PROT_WRITE, MAP_SHARED, true);
	map_both(7, 1, PROT_NONE, MAP_PRIVATE, false);
}

/* May [addr, addr + len) be handed to this kernel: does it lie in our pages, or hold nothing at all? bounded: the call
 * refuses what does not end below TASK_SIZE. */
static bool harmless(u64 addr, u64 len, bool bounded)
{
	u64 start = ALIGN_DOWN(addr, PAGE_SIZE), end = ALIGN_UP(addr + len, PAGE_SIZE);

	if (!len || addr >= TASK_SIZE || end < start)
		return true;
	if (start < 0x8000)
		return end <= 0x8000; /* nothing is mapped so low */
	if (start < WINDOW || start >= WINDOW_END)
		return false;
	return end <= WINDOW_END || (bounded && end > TASK_SIZE);
}

/* An address is as good as any other. */
static void compare(const char *call, const u64 *arg, unsigned nr, long ours, long theirs)
{
	env.tried++;
	if (ours == theirs || (ours > 0 && theirs > 0))
		return;
	if (env.wrong++ < 40) {
		printf("# %s(", call);
		for (unsigned i = 0; i < nr; i++)
			printf("%s%#lx", i ? ", " : "", arg[i]);
		printf("): ours %ld, Linux %ld\n", ours, theirs);
	}
}

/* ---- calls on a range with one argument more ---- */

static u8 vector[2][1 << 16];

static long our_call(long nr, u64 addr, u64 len, u64 more)
{
	struct hw_cpu *cpu = env_cpu();

	switch (nr) {
	case SYS_munmap:
		return vm_munmap(cpu, env.mm, addr, len);
	case SYS_mprotect:
		return vm_mprotect(cpu, env.mm, addr, len, (unsigned)more);
	case SYS_madvise:
		return vm_madvise(cpu, env.mm, addr, len, (int)more);
	case SYS_msync:
		return vm_msync(cpu, env.mm, addr, len, (unsigned)more);
	case SYS_mlock:
		return vm_mlock(cpu, env.mm, addr, len, 0);
	case SYS_mlock2:
		return vm_mlock(cpu, env.mm, addr, len, (unsigned)more);
	case SYS_munlock:
		return vm_munlock(cpu, env.mm, addr, len);
	default:
		return vm_mincore(env.mm, addr, len, vector[0]);
	}
}

struct range_call {
	const char *name;
	long nr;
	unsigned nr_more;
	u64 more[28];
};

static const struct range_call range_calls[] = {
    {"munmap", SYS_munmap, 1, {0}},
    {"mprotect",
     SYS_mprotect,
     13,
     {0, 1, 3, 7, 8, 9, 16, 0x01000000, 0x02000001, 0x03000000, 0x01000010, 0x80000000, 0xffffffff}},
    /* The poisoning of memory (100, 101) is no game; merging (12, 13) and purging are not modelled. */
    {"madvise", SYS_madvise, 28, {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,  14,  15,
				  16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 102, 103, 0xffffffff}},
    {"msync", SYS_msync, 9, {0, 1, 2, 3, 4, 5, 6, 8, 0xffffffff}},
    {"mlock", SYS_mlock, 1, {0}},
    {"mlock2", SYS_mlock2, 4, {0, 1, 2, 0xffffffff}},
    {"munlock", SYS_munlock, 1, {0}},
    {"mincore", SYS_mincore, 1, {0}},
};

static void try_range_call(const struct range_call *call, u64 addr, u64 len, u64 more)
{
	u64 arg[] = {addr, len, more};

	if (!harmless(addr, len, call->nr == SYS_munmap || call->nr == SYS_mincore))
		return;
	make_world();
	compare(call->name, arg, call->nr_more > 1 ? 3 : 2, our_call(call->nr, addr, len, more),
		sys6(call->nr, addr, len, call->nr == SYS_mincore ? (u64)vector[1] : more, 0, 0, 0));
}

static void try_range_call_all(const struct range_call *call)
{
	for (unsigned m = 0; m < call->nr_more; m++)
		for (unsigned a = 0; a < ARRAY_SIZE(addresses); a++)
			for (unsigned l = 0; l < ARRAY_SIZE(lengths); l++)
				try_range_call(call, addresses[a], lengths[l], call->more[m]);
}

/* ---- mremap ---- */

static void try_mremap(u64 addr, u64 old_len, u64 new_len, u64 flags, u64 to)
{
	u64 arg[] = {addr, old_len, new_len, flags, to};

	make_world();
	compare("mremap", arg, 5, vm_mremap(env_cpu(), env.mm, addr, old_len, new_len, (unsigned)flags, to),
		sys6(SYS_mremap, addr, old_len, new_len, flags, to, 0));
}

static void try_mremaps(void)
{
	static const u64 sizes[] = {0, 1, 4096, 8192, TASK_SIZE + 1, 1ull << 63, -8192ull, -4096ull, -4095ull, LAST};
	static const u64 targets[] = {P(8), P(8) + 1, P(1), P(3), TASK_SIZE - 4096, TASK_SIZE, 1ull << 63, -4096ull};
	static const u64 starts[] = {P(0), P(0) + 1, P(1), P(3), P(4), P(5), P(7), TASK_SIZE, 1ull << 63, -4096ull};

	for (unsigned a = 0; a < ARRAY_SIZE(starts); a++)
		for (unsigned o = 0; o < ARRAY_SIZE(sizes); o++)
			for (unsigned n = 0; n < ARRAY_SIZE(sizes); n++)
				for (u64 flags = 0; flags < 10; flags++)
					for (unsigned t = 0; t < (flags & 6 ? ARRAY_SIZE(targets) : 1); t++)
						if (harmless(starts[a], sizes[o], true))
							try_mremap(starts[a], sizes[o], sizes[n], flags, targets[t]);
}

/* ---- mmap ---- */

static void try_mmap(u64 addr, u64 len, u64 prot, u64 flags, bool file, u64 offset)
{
	u64 arg[] = {addr, len, prot, flags, file, offset};
	long ours, theirs;

	make_world();
	if (!IS_ALIGNED(offset, PAGE_SIZE))
		ours = -EINVAL; /* whoever makes pages of bytes refuses it */
	else
		ours = vm_mmap(env_cpu(), env.mm, addr, len, (unsigned)prot, (unsigned)flags, file ? env.file : NULL,
			       offset >> PAGE_SHIFT);
	theirs = sys6(SYS_mmap, addr, len, prot, flags, file ? (u64)env.fd : LAST, offset);
	compare("mmap", arg, 6, ours, theirs);
	if (theirs > 0)
		sys6(SYS_munmap, theirs, len, 0, 0, 0, 0);
	if (ours > 0)
		vm_munmap(env_cpu(), env.mm, ours, len);
}

static void try_mmaps(void)
{
	static const u64 places[] = {0, P(1), P(1) + 1, P(3), TASK_SIZE - 4096, TASK_SIZE, 1ull << 63, -4096ull};
	static const u64 sizes[] = {
	    0,        1,        4096,     8192, TASK_SIZE - 0xffff, TASK_SIZE, TASK_SIZE + 1, 1ull << 63,
	    -8192ull, -4096ull, -4095ull, LAST};
	static const u64 offsets[] = {0, 1, 4096, (1ull << 63) - 4096, 1ull << 63, -8192ull, -4096ull};
	static const u64 more[] = {
	    0,       MAP_GROWSDOWN, 0x800,    0x1000,   0x4000, 0x8000,           0x10000,
	    0x20000, 0x80000,       0x200000, 1u << 31, 0x40,   MAP_FIXED | 0x80, MAP_GROWSDOWN | MAP_FIXED};

	for (u64 type = 0; type < 16; type++)
		for (unsigned file = 0; file < 2; file++)
			for (unsigned m = 0; m < ARRAY_SIZE(more); m++)
				try_mmap(P(9), 4096, 3, type | more[m] | (file ? 0 : MAP_ANONYMOUS), file, 0);
	for (unsigned file = 0; file < 2; file++)
		for (unsigned fixed = 0; fixed < 3; fixed++)
			for (unsigned a = 0; a < ARRAY_SIZE(places); a++)
				for (unsigned l = 0; l < ARRAY_SIZE(sizes); l++)
					for (unsigned o = 0; o < ARRAY_SIZE(offsets); o++) {
						u64 flags = (file ? MAP_PRIVATE : MAP_PRIVATE | MAP_ANONYMOUS) |
							    MAP_NORESERVE |
							    (fixed == 1 ? MAP_FIXED
							     : fixed    ? MAP_FIXED_NOREPLACE
									: 0);

						if (fixed && (!places[a] || !harmless(places[a], sizes[l], true)))
							continue; /* at 0: who may is another question */
						try_mmap(places[a], sizes[l], 1, flags, file, offsets[o]);
					}
	for (u64 prot = 0; prot < 32; prot++)
		try_mmap(P(9), 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, false, 0);
}

/* ---- the rest ---- */

/* So much may be locked by both from now on: root's right to more is given up. */
static void limit_locks(u64 bytes)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	sys6(SYS_capget, (u64)&head, (u64)data, 0, 0, 0, 0);
	data[0].effective &= ~(1u << CAP_IPC_LOCK);
	sys6(SYS_capset, (u64)&head, (u64)data, 0, 0, 0, 0);
	setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){bytes, bytes});
	vm_set_rlimit(env.mm, VM_RLIMIT_MEMLOCK, bytes);
}

/* The limit that whoever is not root has. */
static void limit_as_host(void)
{
	struct rlimit limit;

	if (geteuid() != 0 && getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		vm_set_rlimit(env.mm, VM_RLIMIT_MEMLOCK, limit.rlim_cur);
}

static void try_limited_locks(void)
{
	for (u64 bytes = 2 * PAGE_SIZE;; bytes -= PAGE_SIZE) {
		limit_locks(bytes);
		for (unsigned c = 0; c < ARRAY_SIZE(range_calls); c++)
			if (range_calls[c].nr == SYS_mlock || range_calls[c].nr == SYS_mlock2)
				try_range_call_all(&range_calls[c]);
		try_mmap(P(9), 4 * PAGE_SIZE, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, false, 0);
		try_mmap(P(9), PAGE_SIZE, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, false, 0);
		if (!bytes)
			return;
	}
}

static void try_locks(void)
{
	static const u64 flags[] = {0, 4, 8, 9, 16, 0xffffffff};

	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		make_world();
		compare("mlockall", &flags[i], 1, vm_mlockall(env_cpu(), env.mm, (unsigned)flags[i]),
			sys6(SYS_mlockall, flags[i], 0, 0, 0, 0, 0));
	}
}

/* The heap is another's: only whether the break moved. */
static void try_brks(void)
{
	static const u64 edges[] = {0, 1, TASK_SIZE, TASK_SIZE + 1, 1ull << 47, 1ull << 63, -4096ull, LAST};
	u64 here = (u64)sys6(SYS_brk, 0, 0, 0, 0, 0, 0);

	vm_set_brk(env.mm, here);
	for (unsigned i = 0; i < ARRAY_SIZE(edges); i++)
		compare("brk", &edges[i], 1, (u64)vm_brk(env_cpu(), env.mm, edges[i]) == here ? 0 : -1,
			(u64)sys6(SYS_brk, edges[i], 0, 0, 0, 0, 0) == here ? 0 : -1);
}

static void try_pkeys(void)
{
	static const u64 keys[] = {0, 1, 15, 16, 1000, -2ull, LAST};

	for (u64 flags = 0; flags < 2; flags++)
		for (u64 rights = flags ? 0 : 4; rights < 9; rights++)
			compare("pkey_alloc", (u64[]){flags, rights}, 2,
				vm_pkey_alloc(env.mm, (unsigned)flags, (unsigned)rights),
				sys6(SYS_pkey_alloc, flags, rights, 0, 0, 0, 0));
	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
		make_world();
		compare("pkey_mprotect", (u64[]){P(0), 4096, 1, keys[i]}, 4,
			vm_pkey_mprotect(env_cpu(), env.mm, P(0), 4096, 1, (int)keys[i]),
			sys6(SYS_pkey_mprotect, P(0), 4096, 1, keys[i], 0, 0));
		compare("pkey_free", &keys[i], 1, vm_pkey_free(env.mm, (int)keys[i]),
			sys6(SYS_pkey_free, keys[i], 0, 0, 0, 0, 0));
	}
}

int main(void)
{
	if (host_has(PROBE_LA57)) {
		printf("1..0 # SKIP this Linux: la57, addresses end elsewhere\n");
		return 77;
	}
	env.fd = (int)sys6(SYS_memfd_create, (u64) "errno", 0, 0, 0, 0, 0);
	if (env.fd < 0 || ftruncate(env.fd, 2 * PAGE_SIZE))
		return 1;
	env.mm = env_mm();
	env.mm->vm->cfg.check = 1; /* so many calls: what they do to memory is another test's business */
	env.file = env_shmem(2 * PAGE_SIZE);
	limit_as_host();
	for (unsigned c = 0; c < ARRAY_SIZE(range_calls); c++)
		try_range_call_all(&range_calls[c]);
	try_mremaps();
	try_mmaps();
	try_locks();
	try_brks();
	try_pkeys();
	try_limited_locks();
	printf("%u calls compared with this Linux, %u differ\n", env.tried, env.wrong);
	return env.wrong != 0;
}
