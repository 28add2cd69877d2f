/* SPDX-License-Identifier: MIT
 *
 * plugin/interpose.c - stands between QEMU and its C library (LD_PRELOAD), so that a program's maps land where Linux
 * would have put them. Decision: docs/decisions/0001-placement.md.
 *
 * QEMU 7.2 looks for room with a probe: mmap(hint, len, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE, -1, 0)
 * without MAP_FIXED. It takes the address that it gets, and maps what the program wants over it with MAP_FIXED. So the
 * probe is answered with Linux's choice, by place.c's rule, from the request that the thread's system call holds. All
 * other calls go through; those in the program's range keep the table of place.c up to date.
 *
 * The program's address space is Linux's without randomisation, moved down by 0x4000'0000'0000 so that it never meets
 * QEMU's own maps, which lie above:
 *
 *   0x1555'5555'4000   a position-independent program, then its heap
 *   0x3fff'f7ff'f000   mmap_base: [interpreter][vdso's room][maps, downwards]
 *   0x3fff'ffff'f000   top of the stack
 *
 * Before the first instruction the probes come from QEMU's loader, in this order: the program if position-independent
 * (with 32 MiB for the heap, given back later), the stack with its guard, the interpreter, then pages of QEMU's own,
 * for which Linux has no counterpart: they go between mmap_base and the stack.
 *
 * QEMU holds its mmap_lock around all of these, which is what serializes the table.
 */
#undef _FILE_OFFSET_BITS /* mmap and mmap64 are two symbols here, and both are wanted */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "play/probe.h"
#include "plugin/place.h"
#include "plugin/plugin.h"
#include "plugin/qemu.h"

#define PROBE_FLAGS     (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

#define SHIFT           0x400000000000ull
#define ELF_ET_DYN_BASE (0x555555554000ull - SHIFT)
#define STACK_TOP       (0x7ffffffff000ull - SHIFT)
#define MMAP_MIN_ADDR   0x10000ull
#define STACK_GUARD     (256 * 4096ull)
#define MIN_GAP         (128ull << 20) /* between mmap_base and the top, at least */

struct start_maps start_maps;
static struct place place;
static bool installed;
static u64 vdso_len; /* bytes that [vvar] and [vdso] take on this host */

/* ---- the system's own calls ---- */

static void *sys_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	return (void *)syscall(SYS_mmap, addr, len, prot, flags, fd, offset);
}

/* ---- Linux's layout ---- */

/* mmap_base() of arch/x86/mm/mmap.c, without randomisation. */
static u64 mmap_base(void)
{
	struct rlimit stack;
	u64 gap = MIN_GAP;

	if (getrlimit(RLIMIT_STACK, &stack) == 0)
		gap = stack.rlim_cur + STACK_GUARD > stack.rlim_cur ? stack.rlim_cur + STACK_GUARD : stack.rlim_cur;
	gap = max(gap, MIN_GAP);
	gap = min(gap, STACK_TOP / 6 * 5);
	return ALIGN_DOWN(STACK_TOP - gap, 4096ull);
}

/* Sum of the areas named [vvar...] and [vdso]. */
static u64 vdso_bytes(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];
	u64 sum = 0;

	while (f && fgets(line, sizeof(line), f)) {
		u64 start, end;

		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && (strstr(line, "[vvar") || strstr(line, "[vdso]")))
			sum += end - start;
	}
	if (f)
		fclose(f);
	return sum;
}

void interpose_install(void)
{
	place_init(&place, MMAP_MIN_ADDR, mmap_base(), STACK_TOP);
	place.huge_files = host_has(PROBE_THP);
	place.huge_anonymous = host_has(PROBE_PLACE_2M);
	vdso_len = vdso_bytes();
	installed = true;
}

/* ---- the answer to a probe ---- */

/* The program, the stack, the interpreter: which of them does the loader look for room for? */
static u64 find_for_loader(u64 len)
{
	struct place_request r = {.len = len};

	if (image_is_pie() && !start_maps.main) {
		r.hint = ELF_ET_DYN_BASE;
		return start_maps.main = place_find(&place, &r);
	}
	if (!start_maps.stack) {
		start_maps.stack_end = STACK_TOP;
		return start_maps.stack = STACK_TOP - len;
	}
	if (image_has_interp() && !start_maps.interp)
		return start_maps.interp = place_find(&place, &r);
	return place_below(&place, len, place.mmap_base, start_maps.stack);
}

/* File systems whose get_unmapped_area is thp_get_unmapped_area. */
static bool aligns_for_huge_pages(int fd)
{
	enum { EXT4 = 0xef53, XFS = 0x58465342 };
	const unsigned BTRFS = 0x9123683e;
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && (fs.f_type == EXT4 || fs.f_type == XFS || (unsigned)fs.f_type == BTRFS);
}

static u64 find_for_mmap(const u64 *arg, u64 len)
{
	struct place_request r = {.hint = ALIGN_DOWN(arg[0], 4096ull), .len = len};
	unsigned flags = arg[3];

	if (flags & MAP_ANONYMOUS) {
		r.anonymous = (flags & MAP_TYPE) == MAP_PRIVATE;
	} else {
		r.offset = arg[5];
		r.huge_file = aligns_for_huge_pages((int)arg[4]);
	}
	return place_find(&place, &r);
}

/* mremap(MREMAP_MAYMOVE): Linux stays where it is when it can; QEMU asks for another place always. */
static u64 find_for_mremap(const u64 *arg, u64 len)
{
	struct place_request r = {.len = len, .anonymous = true};
	u64 old_end = arg[0] + ALIGN_UP(arg[1], 4096ull);

	if (arg[0] + len <= old_end || place_is_free(&place, old_end, arg[0] + len))
		return arg[0];
	return place_find(&place, &r);
}

static u64 find(u64 hint, u64 len)
{
	const struct call *c = self && self->call.nr >= 0 ? &self->call : NULL;
	struct place_request r = {.len = len};

	if (!process.announced)
		return find_for_loader(len);
	if (c && c->nr == SYS_mmap)
		return find_for_mmap(c->arg, len);
	if (c && c->nr == SYS_mremap)
		return find_for_mremap(c->arg, len);
	if (c && c->nr == SYS_brk)
		return place_is_free(&place, hint, hint + len) ? hint : PLACE_NONE;
	return place_find(&place, &r);
}

/* The interpreter is placed, or there is none: [vvar] and [vdso] would come now. */
static void reserve_vdso(void)
{
	static bool done;
	u64 va;

	if (done || !start_maps.stack || (image_has_interp() && !start_maps.interp))
		return;
	done = true;
	va = place_below(&place, vdso_len, place.low, place.mmap_base);
	if (vdso_len && va != PLACE_NONE)
		place_add(&place, va, va + vdso_len);
}

/* Where the kernel refuses, something lies that the table does not know: then it does now. */
static void *answer_probe(u64 hint, u64 len)
{
	u64 va = find(hint, len);
	void *got;

	if (self && self->call.nr == SYS_mremap && va == self->call.arg[0])
		return (void *)va; /* in place: mremap() below does it */
	while (va != PLACE_NONE) {
		got = sys_mmap((void *)va, len, PROT_NONE, PROBE_FLAGS | MAP_FIXED_NOREPLACE, -1, 0);
		if (got != MAP_FAILED || errno != EEXIST) {
			if (got != MAP_FAILED)
				place_add(&place, va, va + len);
			reserve_vdso();
			return got;
		}
		place_add(&place, va, va + len);
		va = find(hint, len);
	}
	errno = ENOMEM;
	return MAP_FAILED;
}

/* ---- what QEMU calls ---- */

static bool in_guest(u64 start)
{
	return installed && start < STACK_TOP;
}

static u64 pages(size_t len)
{
	return ALIGN_UP((u64)len, 4096ull);
}

QEMU_PLUGIN_EXPORT void *mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	void *got;

	if (installed && addr && prot == PROT_NONE && flags == PROBE_FLAGS && fd == -1)
		return answer_probe((u64)addr, pages(len));
	got = sys_mmap(addr, len, prot, flags, fd, offset);
	if (got != MAP_FAILED && in_guest((u64)got))
		place_add(&place, (u64)got, (u64)got + pages(len));
	return got;
}

QEMU_PLUGIN_EXPORT void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	return mmap64(addr, len, prot, flags, fd, offset);
}

QEMU_PLUGIN_EXPORT int munmap(void *addr, size_t len)
{
	int ret = syscall(SYS_munmap, addr, len);

	if (ret == 0 && in_guest((u64)addr))
		place_remove(&place, (u64)addr, (u64)addr + pages(len));
	return ret;
}

QEMU_PLUGIN_EXPORT void *mremap(void *old, size_t old_len, size_t new_len, int flags, ...)
{
	va_list args;
	void *to = NULL, *got;

	va_start(args, flags);
	if (flags & MREMAP_FIXED)
		to = va_arg(args, void *);
	va_end(args);
	if (in_guest((u64)old) && to == old) { /* answer_probe() said: in place */
		flags = 0;
		to = NULL;
	}
	got = (void *)syscall(SYS_mremap, old, old_len, new_len, flags, to);
	if (got == MAP_FAILED || !in_guest((u64)got))
		return got;
	if (old_len)
		place_remove(&place, (u64)old, (u64)old + pages(old_len));
	place_add(&place, (u64)got, (u64)got + pages(new_len));
	return got;
}

/* ---- what QEMU says ---- */

/* QEMU tells on standard error that a signal has ended the program. There the program's own words go, and no others. */
int __fprintf_chk(FILE *f, int flag, const char *format, ...);
QEMU_PLUGIN_EXPORT int __fprintf_chk(FILE *f, int flag, const char *format, ...)
{
	static const char uncaught[] = "qemu: uncaught target signal";
	va_list args;
	int n = 0;

	va_start(args, format);
	if (strncmp(format, uncaught, sizeof(uncaught) - 1) != 0)
		n = vfprintf(f, format, args);
	va_end(args);
	return n;
}
