/* SPDX-License-Identifier: MIT
 *
 * report/cures.c - whose memory a region is, and the setting of that owner.
 *
 * Sources: glibc manual "Memory Allocation Tunables"; jemalloc(3) MALLOC_CONF; gperftools docs/tcmalloc; mimalloc
 * readme, "Environment Options"; the java command's options; Go runtime/mem_linux.go, arena addresses in
 * runtime/malloc.go; PostgreSQL 19.4 "Resource Consumption"; Linux admin-guide/mm/transhuge.rst, madvise(2), mmap(2).
 */
#include "report/cures.h"

#include <string.h>

#include "x86/paging.h"

#define THP "/sys/kernel/mm/transparent_hugepage/"
/* glibc takes no larger mmap threshold (HEAP_MAX_SIZE / 2 on 64 bits). */
#define MMAP_THRESHOLD_MAX (32u << 20)
/* Where Go's runtime asks for its arenas on Linux: 0x00c0 << 32. */
#define GO_ARENA     (0xc0ull << 32)
#define GO_ARENA_END (0xc1ull << 32)

static const char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Some region of g's program is of a file whose name begins so. */
static bool maps_file(const struct sim_result *r, const struct sim_region *g, const char *name)
{
	for (unsigned i = 0; i < r->nr_regions; i++)
		if (r->region[i].program == g->program &&
		    strncmp(file_name(r->region[i].name), name, strlen(name)) == 0)
			return true;
	return false;
}

bool cure_is_shared(const struct sim_region *g)
{
	static const char *const names[] = {"/dev/shm/", "/memfd:", "/dev/zero", "/SYSV", "[shared"};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (strncmp(g->name, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

/* An allocator that is preloaded or linked in takes malloc from the C library: those come first. */
enum allocator cure_allocator(const struct sim_result *r, const struct sim_region *g)
{
	static const struct {
		const char *file;
		enum allocator allocator;
	} files[] = {
	    {"libjvm.so", ALLOCATOR_JAVA},       {"libjemalloc", ALLOCATOR_JEMALLOC},
	    {"libtcmalloc", ALLOCATOR_TCMALLOC}, {"libmimalloc", ALLOCATOR_MIMALLOC},
	    {"libc.so.6", ALLOCATOR_GLIBC},      {"libc-2.", ALLOCATOR_GLIBC},
	};

	if (cure_is_shared(g))
		return maps_file(r, g, "postgres") ? ALLOCATOR_POSTGRES : ALLOCATOR_UNKNOWN;
	if (g->start >= GO_ARENA && g->start < GO_ARENA_END)
		return ALLOCATOR_GO;
	for (unsigned i = 0; i < ARRAY_SIZE(files); i++)
		if (maps_file(r, g, files[i].file))
			return files[i].allocator;
	return ALLOCATOR_UNKNOWN;
}

bool cure_is_glibc_heap(const struct sim_result *r, const struct sim_region *g)
{
	return g->kind == REGION_HEAP && cure_allocator(r, g) == ALLOCATOR_GLIBC;
}

void cure_thp(FILE *out, const struct sim_result *r, const struct sim_region *g, bool tunable)
{
	if (g->madvised) {
		fprintf(out, "The program asks for huge pages itself: only see that " THP "enabled is not never.");
		return;
	}
	switch (cure_allocator(r, g)) {
	case ALLOCATOR_GLIBC:
		if (!tunable)
			break;
		fprintf(out,
			"Run it with GLIBC_TUNABLES=glibc.malloc.hugetlb=1 where " THP
			"enabled is madvise or always%s.",
			g->kind == REGION_HEAP ? ""
					       : " and the memory is malloc's; where the program maps it itself, call "
						 "madvise(MADV_HUGEPAGE) on it after mmap");
		return;
	case ALLOCATOR_JEMALLOC:
		fprintf(out, "Run it with MALLOC_CONF=thp:always.");
		return;
	case ALLOCATOR_TCMALLOC:
		fprintf(out, "tcmalloc does not ask for huge pages: set " THP "enabled to always.");
		return;
	case ALLOCATOR_MIMALLOC:
		fprintf(out, "Run it with MIMALLOC_ALLOW_LARGE_OS_PAGES=1.");
		return;
	case ALLOCATOR_JAVA:
		fprintf(out, "Run java with -XX:+UseTransparentHugePages.");
		return;
	case ALLOCATOR_GO:
		fprintf(out, "Go's runtime does not ask for huge pages: set " THP "enabled to always.");
		return;
	default:
		break;
	}
	fprintf(out, "Call madvise(MADV_HUGEPAGE) on the memory after mmap, or set " THP "enabled to always.");
}

void cure_hugetlb(FILE *out, const struct sim_result *r, const struct sim_region *g, bool giant)
{
	switch (cure_allocator(r, g)) {
	case ALLOCATOR_POSTGRES:
		fprintf(out, "Set huge_pages = on in postgresql.conf, and vm.nr_hugepages for shared_buffers.");
		return;
	case ALLOCATOR_JAVA:
		fprintf(out, "Reserve huge pages (/sys/kernel/mm/hugepages) and run java with -XX:+UseLargePages%s.",
			giant ? " -XX:LargePageSizeInBytes=1g" : "");
		return;
	case ALLOCATOR_GLIBC:
		if (g->kind == REGION_HEAP) {
			fprintf(out,
				"Reserve huge pages (/sys/kernel/mm/hugepages) and run it with "
				"GLIBC_TUNABLES=glibc.malloc.hugetlb=%s.",
				giant ? "1073741824" : "2");
			return;
		}
		break;
	default:
		break;
	}
	fprintf(out, "Reserve huge pages (/sys/kernel/mm/hugepages) and map the memory with MAP_HUGETLB | %s.",
		giant ? "MAP_HUGE_1GB" : "MAP_HUGE_2MB");
}

void cure_keep(FILE *out, const struct sim_result *r, const struct sim_region *g, u64 peak_bytes)
{
	u64 keep = PMD_SIZE;

	while (keep < peak_bytes)
		keep *= 2;
	switch (cure_allocator(r, g)) {
	case ALLOCATOR_GLIBC:
		fprintf(out,
			"Keep memory that is malloc's: "
			"GLIBC_TUNABLES=glibc.malloc.trim_threshold=%llu:glibc.malloc.mmap_threshold=%u.",
			(unsigned long long)keep, MMAP_THRESHOLD_MAX);
		return;
	case ALLOCATOR_JEMALLOC:
		fprintf(out, "Keep memory: MALLOC_CONF=dirty_decay_ms:-1,muzzy_decay_ms:-1.");
		return;
	case ALLOCATOR_TCMALLOC:
		fprintf(out, "Keep memory: TCMALLOC_RELEASE_RATE=0.");
		return;
	case ALLOCATOR_MIMALLOC:
		fprintf(out, "Keep memory: MIMALLOC_PURGE_DELAY=-1.");
		return;
	case ALLOCATOR_JAVA:
		fprintf(out, "Keep memory: give java -Xms as large as -Xmx.");
		return;
	case ALLOCATOR_GO:
		fprintf(out, "Keep memory: let Go collect less often, with a larger GOGC and a GOMEMLIMIT.");
		return;
	default:
		fprintf(out, "Use the same memory again instead of unmapping it.");
	}
}
