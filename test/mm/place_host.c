/* SPDX-License-Identifier: MIT
 *
 * test/mm/place_host.c - where a mapping goes: mm/ and the Linux that runs this test must choose the same addresses.
 *
 * The address space of this process, as /proc/self/maps shows it, is rebuilt in mm/. Then both get the same random
 * mmap, munmap and mremap calls without fixed addresses, and every address must be equal. Nothing is touched, so sizes
 * are generous. Files take part where the file system aligns large ones to 2M as ext4 does.
 *
 * A failure prints seed, step and call; `place-host SEED` runs one seed again.
 */
#include <errno.h>
#include "play/probe.h"
#include "test/mm/areas_env.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEPS      4000
#define SEEDS      20
#define MAX_MAPS   120
#define FILE_BYTES (64ull << 20)
#define EXT4_MAGIC 0xef53
#define KINDS      4 /* of mapping: private, shared, stack, file */

struct world {
	struct mm_struct *mm;
	struct address_space *file;
	int fd; /* -1: this file system has another rule */
	u64 rnd, seed;
	unsigned step, n;
	struct {
		u64 addr, len;
	} map[MAX_MAPS]; /* what the test has mapped; munmap takes a piece at either end or all */
};

static u64 rnd(struct world *w, u64 below)
{
	w->rnd ^= w->rnd << 13;
	w->rnd ^= w->rnd >> 7;
	w->rnd ^= w->rnd << 17;
	return (w->rnd >> 11) % below;
}

static long host_mmap(u64 addr, u64 len, unsigned flags, int fd, u64 offset)
{
	long ret = syscall(SYS_mmap, addr, len, PROT_READ, flags, fd, offset);

	return ret == -1 ? -(long)errno : ret;
}

static void compare(struct world *w, const char *call, u64 addr, u64 len, unsigned flags, long ours, long theirs)
{
	if (ours == theirs)
		return;
	printf("seed %lu step %u: %s(%#lx, %#lx, flags %#x)\n  ours %#lx, Linux %#lx\n", w->seed, w->step, call, addr,
	       len, flags, ours, theirs);
	exit(1);
}

/* ---- the process as it is ---- */

/* Rebuilds one line of maps. The program interpreter was the first to be placed: its end is mmap_base. */
static void rebuild_area(struct world *w, u64 start, u64 end, bool stack, u64 *base)
{
	if (end > TASK_SIZE)
		return;
	if (stack) {
		if (vm_stack(env_cpu(), w->mm, end, end - start, 8 << 20))
			exit(2);
		vm_set_mmap_base(w->mm, *base);
		return;
	}
	*base = end;
	if (vm_mmap(env_cpu(), w->mm, start, end - start, PROT_READ, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, NULL,
		    0) != (long)start)
		exit(2);
}

static void rebuild(struct world *w)
{
	static char text[1 << 16];
	size_t len = 0;
	ssize_t got;
	u64 base = 0;
	int fd = open("/proc/self/maps", O_RDONLY);

	while ((got = read(fd, text + len, sizeof text - 1 - len)) > 0)
		len += got;
	close(fd);
	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		char *rest;
		u64 from = strtoull(line, &rest, 16), to = strtoull(rest + 1, &rest, 16);

		*end = 0;
		rebuild_area(w, from, to, strstr(rest, "[stack]") != NULL, &base);
	}
}

/* ---- calls ---- */

static u64 random_len(struct world *w)
{
	switch (rnd(w, 4)) {
	case 0:
		return (1 + rnd(w, 20)) * PAGE_SIZE;
	case 1:
		return (1 + rnd(w, 12)) * PMD_SIZE;
	case 2:
		return (1 + rnd(w, 5)) * PMD_SIZE + (rnd(w, 5) - 2) * PAGE_SIZE;
	default:
		return (1 + rnd(w, 4000)) * PAGE_SIZE;
	}
}

static void do_mmap(struct world *w)
{
	static const unsigned kinds[KINDS] = {MAP_PRIVATE | MAP_ANONYMOUS, MAP_SHARED | MAP_ANONYMOUS,
					      MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_STACK, MAP_PRIVATE};
	unsigned flags = kinds[rnd(w, 8) % (w->fd < 0 ? KINDS - 1 : KINDS)];
	bool file = !(flags & MAP_ANONYMOUS);
	u64 len = random_len(w), hint = 0, pgoff = file && rnd(w, 2) ? rnd(w, 1000) : 0;
	long ours, theirs;

	if (w->n == MAX_MAPS)
		return;
	if (w->n && !rnd(w, 4))
		hint = w->map[rnd(w, w->n)].addr + rnd(w, 4000) * PAGE_SIZE - 2000 * PAGE_SIZE + rnd(w, 2);
	ours = vm_mmap(env_cpu(), w->mm, hint, len, PROT_READ, flags, file ? w->file : NULL, pgoff);
	theirs = host_mmap(hint, len, flags, file ? w->fd : -1, pgoff * PAGE_SIZE);
	compare(w, file ? "mmap of a file" : "mmap", hint, len, flags, ours, theirs);
	w->map[w->n].addr = ours;
	w->map[w->n++].len = ALIGN_UP(len, PAGE_SIZE);
}

static void do_munmap_call(struct world *w)
{
	unsigned i = rnd(w, w->n);
	u64 addr = w->map[i].addr, len = w->map[i].len,
	    piece = rnd(w, 3) ? len : (1 + rnd(w, len >> PAGE_SHIFT)) << PAGE_SHIFT;
	bool top = rnd(w, 2);

	addr += top ? len - piece : 0;
	compare(w, "munmap", addr, piece, 0, vm_munmap(env_cpu(), w->mm, addr, piece),
		syscall(SYS_munmap, addr, piece));
	w->map[i].len -= piece;
	w->map[i].addr += top ? 0 : piece;
	if (!w->map[i].len)
		w->map[i] = w->map[--w->n];
}

/* Only a mapping that is one area to its end can grow; another gives the same error in both. */
static void do_mremap(struct world *w)
{
	unsigned i = rnd(w, w->n);
	u64 addr = w->map[i].addr, old_len = w->map[i].len, new_len = random_len(w);
	long ours = vm_mremap(env_cpu(), w->mm, addr, old_len, new_len, MREMAP_MAYMOVE, 0);
	long theirs = syscall(SYS_mremap, addr, old_len, new_len, MREMAP_MAYMOVE, 0);

	if (theirs == -1)
		theirs = -(long)errno;
	compare(w, "mremap", addr, new_len, 0, ours, theirs);
	if (ours < 0)
		return;
	w->map[i].addr = ours;
	w->map[i].len = ALIGN_UP(new_len, PAGE_SIZE);
}

static void open_file(struct world *w)
{
	char name[] = "place-host-XXXXXX";
	struct statfs fs;

	w->fd = mkstemp(name);
	if (w->fd >= 0 &&
	    (unlink(name) || ftruncate(w->fd, FILE_BYTES) || fstatfs(w->fd, &fs) || fs.f_type != EXT4_MAGIC)) {
		close(w->fd);
		w->fd = -1;
	}
}

static int run_seed(u64 seed)
{
	static struct world w;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid) {
		waitpid(pid, &status, 0);
		return status ? 1 : 0;
	}
	w.seed = seed;
	w.rnd = seed * 0x9e3779b97f4a7c15 + 1;
	open_file(&w);
	w.mm = env_mm();
	w.file = env_file(FILE_BYTES);
	rebuild(&w);
	for (; w.step < STEPS; w.step++) {
		u64 what = rnd(&w, 10);

		if (what < 5 || !w.n)
			do_mmap(&w);
		else if (what < 8)
			do_munmap_call(&w);
		else
			do_mremap(&w);
	}
	exit(0);
}

int main(int argc, char **argv)
{
	u64 first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1, last = argc > 1 ? first : SEEDS;
	struct vm_variant variant = vm_variant_newest;
	int failed = 0;

	if (host_has(PROBE_PLACE_2M_ANY)) {
		printf("# SKIP needs !place_2m_any\n");
		return 77;
	}
	host_variant(&variant, 0);
	env_set_variant(&variant);
	for (u64 seed = first; seed <= last; seed++)
		failed |= run_seed(seed);
	printf("%u calls a seed placed as this Linux does: %s\n", STEPS, failed ? "FAILED" : "equal");
	return failed;
}
