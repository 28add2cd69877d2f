/* SPDX-License-Identifier: MIT
 *
 * engine/areas.c - the program's areas as far as code is concerned: those that may be executed, and those that are
 * shared (mprotect may make them so). The program's system calls keep the table up to date; what was translated from
 * an area that they change is forgotten.
 *
 *   start       end
 *   | X         |            private, and nobody may write: its code is taken at its word
 *   | X W, X SHARED |        may be written without a call: its code is compared before it runs (translate.c)
 *   | SHARED    |            not executable now
 *     between them           private, not executable; or nothing
 *
 * The program's protections are never changed: read() into a page that we had made read-only would fail, and mremap
 * over an area that we had split.
 *
 * Invariants
 *   A1  A block that can be found (cache.h: block_find) has all of its bytes in areas with X.
 *   A2  One that is not compared has them in areas with X alone, and they have not changed since it was translated; nor
 *       have the bytes that were looked at behind its end.
 *
 * The cache's lock is held where the table is looked at or changed.
 *
 * Not seen: who writes past protections from another process (a debugger), and the file beneath a private mapping
 * rewritten.
 *
 * Source: Linux 6.12 mm/mprotect.c, mm/mremap.c, mm/madvise.c.
 */
#include "engine/areas.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mman.h>
#include <linux/personality.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "engine/engine.h"
#include "engine/translate.h"
#include "lib/sys.h"

#define MAX_AREAS 131072 /* more than the kernel lets a process have */
#define STACK_GAP                                                                                                      \
	(128ull << 20) /* nothing is mapped so near below the stack, unless at an address that was asked for */

enum { X = 1, W = 2, SHARED = 4 };

struct area {
	u64 start, end;
	unsigned flags;
};

static struct area *areas; /* sorted, apart */
static unsigned nr_areas;
static u64 brk_end;
static bool read_implies_exec;
static bool memory_opened;

/* ---- the table ---- */

/* The first area that ends behind the address; nr_areas: none. */
static unsigned find(u64 at)
{
	unsigned low = 0, high = nr_areas;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (areas[middle].end <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static unsigned flags_at(u64 at)
{
	unsigned i = find(at);

	return i < nr_areas && areas[i].start <= at ? areas[i].flags : 0;
}

/* Where what flags_at(at) says ends, at most `end`. */
static u64 same_until(u64 at, u64 end)
{
	unsigned i = find(at);

	if (i == nr_areas)
		return end;
	return min(end, areas[i].start > at ? areas[i].start : areas[i].end);
}

static void append(struct area *list, unsigned *n, u64 start, u64 end, unsigned flags)
{
	if (start >= end || !(flags & (X | SHARED)))
		return;
	if (*n && list[*n - 1].end == start && list[*n - 1].flags == flags)
		list[*n - 1].end = end;
	else
		list[(*n)++] = (struct area){start, end, flags};
}

/* [start, end) has these flags now. */
static void set(u64 start, u64 end, unsigned flags)
{
	unsigned from = find(start), to = from, n = 0;
	struct area list[5];

	while (to < nr_areas && areas[to].start < end)
		to++;
	if (from && areas[from - 1].end == start) /* they may be one */
		from--;
	if (to < nr_areas && areas[to].start == end)
		to++;
	if (from < to && areas[from].start < start)
		append(list, &n, areas[from].start, min(areas[from].end, start), areas[from].flags);
	append(list, &n, start, end, flags);
	if (from < to && areas[to - 1].end > end)
		append(list, &n, max(areas[to - 1].start, end), areas[to - 1].end, areas[to - 1].flags);
	if (nr_areas - (to - from) + n > MAX_AREAS)
		die("the program has too many areas", "", 0);
	memmove(areas + from + n, areas + to, (nr_areas - to) * sizeof(*areas));
	memcpy(areas + from, list, n * sizeof(*areas));
	nr_areas = nr_areas - (to - from) + n;
}

/* What was translated from [start, end) is forgotten: there is something if any of it has X (A1). */
static void forget(u64 start, u64 end)
{
	for (u64 at = start; at < end; at = same_until(at, end))
		if (flags_at(at) & X) {
			cache_forget(start, end);
			return;
		}
}

/* The memory of [start, end) is another. */
static void replace(u64 start, u64 end, unsigned flags)
{
	forget(start, end);
	set(start, end, flags);
}

/* [start, end) has other rights, and is shared or not as before. */
static void protect(u64 start, u64 end, unsigned rights)
{
	for (u64 at = start, next; at < end; at = next) {
		unsigned before = flags_at(at), after = (before & SHARED) | rights;

		next = same_until(at, end);
		if (before & X && after != before)
			cache_forget(at, next);
		set(at, next, after);
	}
}

/* ---- /proc/self/maps ---- */

static u64 hex(const char **at)
{
	u64 n = 0;

	for (;; ++*at) {
		char c = **at;

		if (c >= '0' && c <= '9')
			n = n * 16 + (u64)(c - '0');
		else if (c >= 'a' && c <= 'f')
			n = n * 16 + (u64)(c - 'a' + 10);
		else
			return n;
	}
}

bool maps_read(void (*each)(const struct maps_line *line))
{
	long fd = sys6(SYS_openat, (u64)AT_FDCWD, (u64) "/proc/thread-self/maps", O_RDONLY | O_CLOEXEC, 0, 0, 0), got;
	struct maps_line line;
	char buffer[1024];
	unsigned n = 0;

	if (fd < 0)
		return false;
	while ((got = sys3(SYS_read, (u64)fd, (u64)buffer, sizeof(buffer))) > 0) {
		for (long i = 0; i < got; i++) {
			const char *at = line.text;

			if (buffer[i] != '\n') {
				if (n < sizeof(line.text) - 1)
					line.text[n++] = buffer[i];
				continue;
			}
			line.text[n] = 0;
			n = 0;
			line.start = hex(&at);
			at++;
			line.end = hex(&at);
			memcpy(line.prot, at + 1, 4);
			line.prot[4] = 0;
			each(&line);
		}
	}
	sys3(SYS_close, (u64)fd, 0, 0);
	return true;
}

bool maps_named(const struct maps_line *line, const char *name)
{
	u64 n = strlen(line->text), of_name = strlen(name);

	return n >= of_name && strcmp(line->text + n - of_name, name) == 0;
}

/* The stack grows without a call. */
static void add_line(const struct maps_line *line)
{
	static u64 before;
	const char *p = line->prot;
	bool ours = line->start >= ENGINE_START && line->start < ENGINE_END;
	u64 start = maps_named(line, "[stack]") ? max(before, line->end - STACK_GAP) : line->start;

	before = line->end;
	if (!ours && line->end <= USER_END)
		set(start, line->end, (p[1] == 'w' ? W : 0u) | (p[2] == 'x' ? X : 0u) | (p[3] == 's' ? SHARED : 0u));
}

/* A call has failed, or is one of which only the kernel knows what it did to [start, end). */
static void look_again(u64 start, u64 end)
{
	forget(start, end);
	nr_areas = 0;
	if (!maps_read(add_line))
		die("/proc cannot be read (is it gone, or no descriptor left?), and the engine must see what became of",
		    "the program's areas", 0);
}

void areas_begin(void)
{
	areas = memory_get(MAX_AREAS * sizeof(*areas));
	if (!maps_read(add_line))
		die("/proc is not mounted, and the engine needs it", "", 0);
	brk_end = (u64)sys3(SYS_brk, 0, 0, 0);
	read_implies_exec = sys3(SYS_personality, 0xffffffff, 0, 0) & READ_IMPLIES_EXEC;
}

void areas_lost(void)
{
	cache_lock();
	look_again(0, USER_END);
	cache_unlock();
}

/* ---- system calls ---- */

static unsigned rights_of(u64 prot)
{
	return (prot & PROT_WRITE ? W : 0u) | (prot & PROT_EXEC || (prot & PROT_READ && read_implies_exec) ? X : 0u);
}

static void did_mmap(const u64 *a, long ret)
{
	u64 at = (u64)ret, type = a[3] & MAP_TYPE;

	if (sys_failed(ret)) {
		if (a[3] & MAP_FIXED && !(a[3] & MAP_FIXED_NOREPLACE) && ret != -EINVAL && ret != -EBADF)
			look_again(a[0], a[0] + a[1]);
		return;
	}
	replace(at, at + ALIGN_UP(a[1], 4096ull),
		rights_of(a[2]) | (type == MAP_SHARED || type == MAP_SHARED_VALIDATE ? SHARED : 0u));
}

static void did_mprotect(u64 start, u64 len, u64 prot, long ret)
{
	u64 end = start + ALIGN_UP(len, 4096ull);

	if (sys_failed(ret) && ret != -EINVAL)
		look_again(start, end); /* areas up to the first that it cannot have changed */
	else if (!sys_failed(ret) && prot & PROT_GROWSDOWN)
		protect(end - min(end, STACK_GAP), end, rights_of(prot));
	else if (!sys_failed(ret))
		protect(start, end, rights_of(prot));
}

/* Without MREMAP_DONTUNMAP nothing is left at the old place; with it, empty memory. An old_len of 0 makes a second
 * mapping of what is shared. */
static void did_mremap(const u64 *a, long ret)
{
	u64 from = a[0], old_len = ALIGN_UP(a[1], 4096ull), new_len = ALIGN_UP(a[2], 4096ull), to = (u64)ret;
	unsigned first = flags_at(from);

	if (sys_failed(ret)) {
		if (ret != -EINVAL)
			look_again(0, USER_END);
		return;
	}
	if (to == from && old_len) {
		if (new_len < old_len)
			replace(from + new_len, from + old_len, 0);
		else
			set(from + old_len, from + new_len, flags_at(from + old_len - 1));
		return;
	}
	if (a[3] & MREMAP_FIXED && find(to) < nr_areas && areas[find(to)].start < to + new_len) {
		forget(to, to + new_len); /* since Linux 6.17 what lay there stays where the old place had holes */
		look_again(from, from + old_len);
		return;
	}
	replace(to, to + new_len, first);
	for (u64 at = from, end = from + min(old_len, new_len), next; at < end; at = next) {
		next = same_until(at, end);
		set(to + (at - from), to + (next - from), flags_at(at));
	}
	if (new_len > old_len && old_len)
		set(to + old_len, to + new_len, flags_at(from + old_len - 1));
	if (old_len && a[3] & MREMAP_DONTUNMAP)
		forget(from, from + old_len);
	else if (old_len)
		replace(from, from + old_len, 0);
}

static void did_brk(u64 end)
{
	if (end < brk_end)
		replace(ALIGN_UP(end, 4096ull), ALIGN_UP(brk_end, 4096ull), 0);
	else if (read_implies_exec)
		replace(ALIGN_UP(brk_end, 4096ull), ALIGN_UP(end, 4096ull), W | X);
	brk_end = end;
}

/* Does it take pages away, or give others? */
static bool changes_pages(u64 advice)
{
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
	case MADV_REMOVE:
	case 102: /* MADV_GUARD_INSTALL */
	case 103: /* MADV_GUARD_REMOVE */
		return true;
	default:
		return false;
	}
}

void areas_memory_opened(void)
{
	memory_opened = true;
}

void areas_call(long nr, const u64 arg[6], long ret)
{
	switch (nr) {
	case SYS_write:
	case SYS_writev:
	case SYS_pwrite64:
	case SYS_pwritev:
	case SYS_pwritev2:
	case SYS_sendfile:
	case SYS_splice:
		if (!memory_opened)
			return;
		break;
	case SYS_mmap:
	case SYS_mprotect:
	case SYS_pkey_mprotect:
	case SYS_munmap:
	case SYS_mremap:
	case SYS_remap_file_pages:
	case SYS_madvise:
	case SYS_process_madvise:
	case SYS_brk:
	case SYS_shmat:
	case SYS_shmdt:
	case SYS_arch_prctl:
	case SYS_personality:
		break;
	default:
		return;
	}
	cache_lock();
	switch (nr) {
	case SYS_mmap:
		did_mmap(arg, ret);
		break;
	case SYS_mprotect:
	case SYS_pkey_mprotect:
		did_mprotect(arg[0], arg[1], arg[2], ret);
		break;
	case SYS_munmap:
		if (!sys_failed(ret))
			replace(arg[0], arg[0] + ALIGN_UP(arg[1], 4096ull), 0);
		else if (ret != -EINVAL)
			look_again(arg[0], arg[0] + arg[1]);
		break;
	case SYS_mremap:
		did_mremap(arg, ret);
		break;
	case SYS_madvise: /* what it could do it has done, even if it failed */
		if (changes_pages(arg[2]))
			forget(arg[0], arg[0] + arg[1]);
		break;
	case SYS_process_madvise:
		if (changes_pages(arg[3]))
			forget(0, USER_END);
		break;
	case SYS_brk:
		did_brk((u64)ret);
		break;
	case SYS_personality:
		if (!sys_failed(ret) && (u32)arg[0] != 0xffffffff)
			read_implies_exec = arg[0] & READ_IMPLIES_EXEC;
		break;
	case SYS_arch_prctl:
		if (arg[0] >= 0x2001 && arg[0] <= 0x2003 && !sys_failed(ret)) /* ARCH_MAP_VDSO_*: a second one */
			look_again(0, USER_END);
		break;
	case SYS_remap_file_pages:
	case SYS_shmat:
	case SYS_shmdt:
		if (!sys_failed(ret))
			look_again(0, USER_END);
		break;
	default: /* written to a file, which may be memory */
		forget(0, USER_END);
		break;
	}
	cache_unlock();
}

/* ---- bytes ---- */

__asm__(".globl code_copy, code_copy_reads, code_copy_failed\n"
	"code_copy:\n\t"
	"mov %rdx, %rcx\n"
	"code_copy_reads:\n\t"
	"rep movsb\n\t"
	"mov $1, %eax\n\t"
	"ret\n"
	"code_copy_failed:\n\t"
	"xor %eax, %eax\n\t"
	"ret\n");

struct fetch_fault code_fault;

unsigned code_read(u64 pc, void *to, unsigned most, bool *changes)
{
	unsigned flags = flags_at(pc);

	if (!(flags & X))
		return 0;
	*changes = flags & (W | SHARED);
	most = (unsigned)(same_until(pc, pc + most) - pc);
	return code_copy(to, (const void *)pc, most) ? most : 0;
}

bool code_same_area(u64 a, u64 b)
{
	unsigned i = find(a);

	return i < nr_areas && areas[i].start <= a && areas[i].start <= b && b < areas[i].end;
}

struct fetch_fault fetch_fault(u64 at)
{
	bool executable, failed, mapped;
	struct fetch_fault fault;
	u8 byte;

	if (at >= 1ull << 47) /* a general protection fault */
		return (struct fetch_fault){SIGSEGV, SI_KERNEL, 0};
	cache_lock();
	executable = flags_at(at) & X;
	failed = executable && !code_copy(&byte, (const void *)at, 1);
	fault = code_fault;
	cache_unlock();
	if (failed)
		return fault;
	mapped = sys3(SYS_mincore, ALIGN_DOWN(at, 4096ull), 4096, (u64)&byte) == 0;
	return (struct fetch_fault){SIGSEGV, mapped ? SEGV_ACCERR : SEGV_MAPERR, 0x14 | (mapped && byte & 1)};
}
