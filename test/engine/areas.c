/* SPDX-License-Identifier: MIT
 *
 * test/engine/areas.c - the table of areas against the kernel's: after each of many random mappings, changes of rights,
 * moves and the like, also such as fail half way, what it says of every page is what /proc/self/maps says; and code of
 * each page that changed was forgotten.
 *
 * usage: areas [SEED [CALLS]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/areas.c"
#include "test/engine/random.h"

#define ARENA ((byte *)0x10000000)
#define PAGES 48

typedef u8 byte;

/* Of a page of the arena, as /proc says it. */
struct page {
	bool there;
	unsigned flags;
};

static u64 rng;
static struct page now[PAGES], before[PAGES];
static bool forgotten[PAGES];
static int file;

/* ---- what areas.c wants ---- */

struct engine engine;

void die(const char *what, const char *name, u64 number)
{
	printf("not ok 1 - %s %s\n1..1\n", what, name);
	exit(1);
}

void *memory_get(u64 bytes)
{
	return calloc(1, bytes);
}

void cache_lock(void) {}

void cache_unlock(void) {}

void cache_forget(u64 start, u64 end)
{
	for (unsigned i = 0; i < PAGES; i++)
		if ((u64)ARENA + 4096 * (i + 1ull) > start && (u64)ARENA + 4096ull * i < end)
			forgotten[i] = true;
}

/* ---- */

static unsigned below(unsigned n)
{
	rng = random_after(rng);
	return (unsigned)(rng >> 11) % n;
}

static void note_line(const struct maps_line *line)
{
	const char *p = line->prot;

	for (unsigned i = 0; i < PAGES; i++)
		if ((u64)ARENA + 4096ull * i >= line->start && (u64)ARENA + 4096ull * i < line->end)
			now[i] = (struct page){true, (p[1] == 'w' ? W : 0u) | (p[2] == 'x' ? X : 0u) |
							 (p[3] == 's' ? SHARED : 0u)};
}

static void ask_kernel(void)
{
	memcpy(before, now, sizeof(now));
	memset(now, 0, sizeof(now));
	maps_read(note_line);
}

static u64 some_page(void)
{
	return (u64)ARENA + 4096ull * below(PAGES);
}

static u64 some_len(u64 at)
{
	u64 most = ((u64)ARENA + 4096ull * PAGES - at) / 4096;

	return 4096 * (1 + below((unsigned)min(most, 12ull))) - (below(4) ? 0 : below(4096));
}

/* Its arguments; returns its number. *replaces: the pages of [a, a + b) are others behind it, whatever rights they
 * have. */
static long make_call(u64 a[6])
{
	static const int flags[] = {MAP_PRIVATE | MAP_ANONYMOUS, MAP_SHARED | MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED};
	static const int advice[] = {MADV_DONTNEED, MADV_FREE, MADV_WILLNEED, MADV_REMOVE};
	u64 at = some_page(), len = some_len(at);

	memset(a, 0, 6 * sizeof(*a));
	a[0] = at;
	a[1] = len;
	switch (below(10)) {
	case 0:
	case 1:
	case 2:
		a[2] = below(8);
		a[3] = (u64)(flags[below(4)] | (below(8) ? MAP_FIXED : MAP_FIXED_NOREPLACE));
		a[4] = a[3] & MAP_ANONYMOUS ? (u64)-1 : (u64)file;
		return SYS_mmap;
	case 3:
		return SYS_munmap;
	case 4:
		a[2] = (u64)advice[below(4)];
		return SYS_madvise;
	case 5:
	case 6:
		a[4] = some_page();
		a[2] = min(some_len(a[4]), (u64)ARENA + 4096 * PAGES - a[4]);
		a[1] = below(8) ? len : 0;
		a[3] = below(3) ? MREMAP_MAYMOVE | MREMAP_FIXED : 0;
		if (below(6) == 0) {
			a[3] |= MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
			a[2] = a[1];
		}
		return SYS_mremap;
	default:
		a[2] = below(8);
		return SYS_mprotect;
	}
}

/* Were other pages put there, or theirs taken away? (mprotect changes rights alone.) */
static bool replaced(long nr, const u64 *a, long ret, unsigned page)
{
	u64 at = (u64)ARENA + 4096ull * page;
	bool inside = at >= a[0] && at < ALIGN_UP(a[0] + a[1], 4096ull);

	switch (nr) {
	case SYS_mmap:
	case SYS_munmap:
		return ret >= 0 && inside;
	case SYS_madvise:
		return a[2] != MADV_WILLNEED && inside;
	case SYS_mremap:
		return ret >= 0 && a[3] & MREMAP_FIXED &&
		       ((inside && a[1]) || (at >= a[4] && at < ALIGN_UP(a[4] + a[2], 4096ull)));
	default:
		return false;
	}
}

static bool check(long nr, const u64 *a, long ret)
{
	for (unsigned i = 0; i < PAGES; i++) {
		unsigned says = flags_at((u64)ARENA + 4096ull * i);
		unsigned want = now[i].flags & (X | SHARED) ? now[i].flags : 0;
		bool changed = replaced(nr, a, ret, i) || before[i].flags != now[i].flags;

		if (says == want && (forgotten[i] || !changed || !(before[i].flags & X)))
			continue;
		printf("# page %u: the table has %u, the kernel %u; before %u; forgotten: %d\n", i, says, want,
		       before[i].flags, forgotten[i]);
		printf("# call %ld(%#llx, %#llx, %#llx, %#llx, %#llx) = %ld\n", nr, (unsigned long long)a[0],
		       (unsigned long long)a[1], (unsigned long long)a[2], (unsigned long long)a[3],
		       (unsigned long long)a[4], ret);
		return false;
	}
	for (unsigned i = 0; i + 1 < nr_areas; i++)
		if (areas[i].end > areas[i + 1].start || areas[i].start >= areas[i].end) {
			printf("# areas %u and %u of the table are not apart\n", i, i + 1);
			return false;
		}
	return true;
}

int main(int argc, char **argv)
{
	u64 seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1, n = argc > 2 ? strtoull(argv[2], NULL, 0) : 20000;
	u64 failed = 0, a[6];

	rng = seed * 0x9e3779b97f4a7c15ull | 1;
	file = memfd_create("areas", 0);
	if (ftruncate(file, 4096 * PAGES) != 0)
		return 1;
	areas_begin();
	ask_kernel();
	for (u64 i = 0; i < n; i++) {
		long nr = make_call(a), ret = sys6(nr, a[0], a[1], a[2], a[3], a[4], a[5]);

		failed += ret < 0;
		memset(forgotten, 0, sizeof(forgotten));
		areas_call(nr, a, ret);
		ask_kernel();
		if (!check(nr, a, ret)) {
			printf("not ok 1 - areas, call %llu of seed %llu\n1..1\n", (unsigned long long)i,
			       (unsigned long long)seed);
			return 1;
		}
	}
	printf("ok 1 - areas: %llu random calls, %llu of which failed\n1..1\n", (unsigned long long)n,
	       (unsigned long long)failed);
	return failed == n;
}
