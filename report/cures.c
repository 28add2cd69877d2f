/* SPDX-License-Identifier: MIT
 *
 * report/cures.c - whose memory a region is, and the setting of that owner.
 *
 * Sources: glibc manual "Memory Allocation Tunables"; jemalloc(3) MALLOC_CONF; gperftools docs/tcmalloc; mimalloc
 * readme, "Environment Options", and src/options.c of 2.0 and 2.1 for the names that both know; the java command's
 * options, the OpenJDK wiki's page of ZGC; Go runtime/mem_linux.go, arena addresses in runtime/malloc.go; PostgreSQL
 * 18.4 "Managing Kernel Resources", 19.4 "Resource Consumption"; Python's "Memory Management" (arenas); Linux admin-guide/mm/transhuge.rst, madvise(2), mmap(2).
 * Of jemalloc 5.3, tcmalloc 2.10, mimalloc 2.0.9, OpenJDK 17, Go 1.19 and PostgreSQL 15 each was tried
 * (test/cost/allocators.sh).
 */
#include "report/cures.h"

#include <string.h>

#include "report/result.h"
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

static bool begins(const char *name, const char *with)
{
	return strncmp(name, with, strlen(with)) == 0;
}

bool cure_is_shared(const struct sim_region *g)
{
	static const char *const names[] = {"/dev/shm/", "/memfd:", "/dev/zero", "/SYSV", "[shared"};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (begins(g->name, names[i]))
			return true;
	return false;
}

bool cure_is_shared_hugetlb(const struct sim_region *g)
{
	return begins(g->name, "[shared anon_hugepage");
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

	if (begins(g->name, "/memfd:java_heap")) /* ZGC's, which maps its heap more than once */
		return ALLOCATOR_JAVA;
	if (cure_is_shared(g))
		return maps_file(r, g, "postgres") ? ALLOCATOR_POSTGRES : ALLOCATOR_UNKNOWN;
	if (g->start >= GO_ARENA && g->start < GO_ARENA_END)
		return ALLOCATOR_GO;
	if (g->kind == REGION_ANON && (maps_file(r, g, "python3") || maps_file(r, g, "libpython3")))
		return ALLOCATOR_PYTHON;
	for (unsigned i = 0; i < ARRAY_SIZE(files); i++)
		if (maps_file(r, g, files[i].file))
			return files[i].allocator;
	return ALLOCATOR_UNKNOWN;
}

bool cure_is_allocators(const struct sim_result *r, const struct sim_region *g)
{
	enum allocator a = cure_allocator(r, g);

	return a != ALLOCATOR_UNKNOWN && a != ALLOCATOR_GLIBC; /* beside glibc's large blocks there are the program's */
}

bool cure_is_glibc_heap(const struct sim_result *r, const struct sim_region *g)
{
	return g->kind == REGION_HEAP && cure_allocator(r, g) == ALLOCATOR_GLIBC;
}

/* The program asked. On a machine that gives to who asks, what another has more is of memory that it did not ask for. */
static void thp_of_asker(FILE *out, const struct sim_result *r)
{
	if (result_baseline(r)->cfg.thp == VM_THP_MADVISE)
		fprintf(out,
			"The program asks for huge pages itself, but not for all of it: set " THP "enabled to always.");
	else if (r->host.known && r->host.thp != VM_THP_NEVER)
		fprintf(out,
			"The program asks for huge pages itself, and this computer gives them (" THP
			"enabled is %s): nothing is left to do here.",
			r->host.thp == VM_THP_ALWAYS ? "always" : "madvise");
	else
		fprintf(out, "The program asks for huge pages itself: only see that " THP "enabled is not never.");
}

/* Behind what asks for huge pages: who asks gets none where they are off. */
static void put_where(FILE *out, const struct sim_result *r)
{
	if (!r->host.known)
		fprintf(out, " That needs " THP "enabled to be madvise or always.");
	else if (r->host.thp == VM_THP_NEVER)
		fprintf(out, " First set " THP "enabled, which is never here, to madvise.");
}

void cure_thp(FILE *out, const struct sim_result *r, const struct sim_region *g, bool tunable)
{
	if (g->madvised) {
		thp_of_asker(out, r);
		return;
	}
	switch (cure_allocator(r, g)) {
	case ALLOCATOR_GLIBC:
		if (!tunable)
			break;
		fprintf(out, "Run it with GLIBC_TUNABLES=glibc.malloc.hugetlb=1%s.",
			g->kind == REGION_HEAP
			    ? ""
			    : " if the memory is malloc's; if the program maps it itself, call madvise(MADV_HUGEPAGE) "
			      "on it after mmap");
		put_where(out, r);
		return;
	case ALLOCATOR_JEMALLOC:
		fprintf(out, "Run it with MALLOC_CONF=thp:always.");
		put_where(out, r);
		return;
	case ALLOCATOR_TCMALLOC:
		fprintf(out, "tcmalloc does not ask for huge pages: set " THP "enabled to always.");
		return;
	case ALLOCATOR_MIMALLOC:
		fprintf(out, "Run it with MIMALLOC_LARGE_OS_PAGES=1."); /* since 2.1 the old name of another */
		put_where(out, r);
		return;
	case ALLOCATOR_JAVA:
		fprintf(out, "Run java with -XX:+UseTransparentHugePages.");
		put_where(out, r);
		return;
	case ALLOCATOR_PYTHON:
		fprintf(out, "Run it with PYTHONMALLOC=malloc GLIBC_TUNABLES=glibc.malloc.hugetlb=1.");
		put_where(out, r);
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
		fprintf(out, "Set vm.nr_hugepages to what postgres -D DIR -C shared_memory_size_in_huge_pages says, "
			     "and start it "
			     "anew: huge_pages = try, the default, takes them (on: or does not start).");
		return;
	case ALLOCATOR_TCMALLOC:
		fprintf(out,
			"tcmalloc can take its memory from reserved huge pages: set vm.nr_hugepages, and run it with "
			"TCMALLOC_MEMFS_MALLOC_PATH=/dev/hugepages/heap TCMALLOC_MEMFS_MAP_PRIVATE=1.");
		return;
	case ALLOCATOR_MIMALLOC:
		fprintf(out, "Reserve huge pages (/sys/kernel/mm/hugepages) and run it with %s.",
			giant ? "MIMALLOC_RESERVE_HUGE_OS_PAGES=N, of 1G" : "MIMALLOC_LARGE_OS_PAGES=1");
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
		/* Without the latter a small request takes nothing from a free extent 64 times its size, but new memory. */
		fprintf(out, "Keep memory: MALLOC_CONF=dirty_decay_ms:-1,lg_extent_max_active_fit:63.");
		return;
	case ALLOCATOR_TCMALLOC:
		fprintf(out, "Keep memory: TCMALLOC_RELEASE_RATE=0.");
		return;
	case ALLOCATOR_MIMALLOC:
		fprintf(out, "Keep memory: MIMALLOC_PURGE_DELAY=-1 (mimalloc 2.0: MIMALLOC_ALLOW_DECOMMIT=0).");
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
