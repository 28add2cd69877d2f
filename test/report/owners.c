/* SPDX-License-Identifier: MIT
 *
 * test/report/owners.c - whose memory it is, and so whose setting the advice gives; made-up runs as in advice.c. That the
 * settings do what is said of them: test/cost/allocators.sh.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "test/report/said.h"

/* Whose memory it is, by the files that its program maps: the setting is theirs. Another program's files say nothing. */
static void allocators(void **state)
{
	static const struct {
		const char *file, *setting;
	} made[] = {
	    {"/lib/x86_64-linux-gnu/libc.so.6", "madvise(MADV_HUGEPAGE) on it after mmap"},
	    {"/usr/lib/libjemalloc.so.2", "MALLOC_CONF=thp:always"},
	    {"/usr/lib/libtcmalloc_minimal.so.4", "tcmalloc does not ask for huge pages"},
	    {"/usr/lib/libmimalloc.so.2.1", "MIMALLOC_LARGE_OS_PAGES=1"},
	    {"/usr/lib/jvm/java-17/lib/server/libjvm.so", "-XX:+UseTransparentHugePages"},
	    {"/lib/ld-musl-x86_64.so.1", "Call madvise(MADV_HUGEPAGE) on the memory after mmap, or set"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(made); i++) {
		walks_in(REGION_ANON, 40000, 40000);
		library(made[i].file);
		expect(made[i].setting);
		expect_not("0x10000000"); /* a simulated address */
		if (i == 0)
			continue;
		expect_not("GLIBC_TUNABLES");
		syn.region[REGION_FILE_TEXT].program = 1;
		expect("Call madvise(MADV_HUGEPAGE) on the memory after mmap, or set");
	}
	walks_in(REGION_ANON, 40000, 40000);
	syn.region[REGION_ANON].start = 0xc000000000;
	expect("Go's runtime does not ask for huge pages");
}

static void already_asked_for(void **state)
{
	walks_in(REGION_ANON, 40000, 40000);
	syn.region[REGION_ANON].madvised = true;
	expect("The program asks for huge pages itself: only see that "
	       "/sys/kernel/mm/transparent_hugepage/enabled is not never. Asking saves 398M cycles.");
	expect_not("GLIBC_TUNABLES");
	syn.result.host = (struct machine_host){.known = true, .thp = VM_THP_MADVISE};
	expect("and this computer gives them (/sys/kernel/mm/transparent_hugepage/enabled is madvise): nothing is left "
	       "to do here. Asking saves 398M cycles.");
	syn.result.host.thp = VM_THP_NEVER;
	expect("only see that");
	syn.machine[SYN_4K].cfg.thp = VM_THP_MADVISE; /* what it asked for it has */
	strcpy(syn.machine[SYN_4K].cfg.name, "madvise");
	expect("but not for all of it: set /sys/kernel/mm/transparent_hugepage/enabled to always. That saves 398M");
}

/* gperftools' heap grows by 1M: no machine has huge pages there, and reserved ones are to be had. Not where copies of
 * them after a fork may fail. */
static void tcmallocs_heap(void **state)
{
	zero_faults_in(REGION_HEAP, 131072, 131072);
	library("/usr/lib/libtcmalloc_minimal.so.4");
	first("First touches of memory cost ");
	expect("Its heap grows by 1M");
	expect("TCMALLOC_MEMFS_MALLOC_PATH=/dev/hugepages/heap TCMALLOC_MEMFS_MAP_PRIVATE=1.");
	expect("That saves 701M to 853M cycles."); /* but for 64 of them, 5,350..6,510 each */
	for (unsigned i = 0; i < 4; i++)
		synthetic_walks(&syn, i, REGION_HEAP, 10000000, 40);
	expect("come from [heap]. The remedy is the same.");
	expect_not("visit memory in order");
	syn.machine[SYN_4K].count.forks = 1;
	expect_not("MEMFS");
}

/* CPython's objects lie in arenas of its own, and malloc's where it is told so. Its heap is the C library's. */
static void pythons_arenas(void **state)
{
	zero_faults_in(REGION_ANON, 131072, 131072);
	strcpy(syn.region[REGION_FILE_DATA].name, "/usr/bin/python3.11");
	first("First touches of memory cost ");
	expect("Run it with PYTHONMALLOC=malloc GLIBC_TUNABLES=glibc.malloc.hugetlb=1.");
	expect_not("MAP_POPULATE");
	zero_faults_in(REGION_HEAP, 131072, 256);
	strcpy(syn.region[REGION_FILE_DATA].name, "/usr/bin/python3.11");
	expect("Run it with GLIBC_TUNABLES=glibc.malloc.hugetlb=1.");
}

/* ZGC's heap is shared memory, and its owner's. */
static void javas_memfd(void **state)
{
	synthetic_init(&syn);
	strcpy(syn.region[REGION_FILE_DATA].name, "/memfd:java_heap (deleted)");
	syn.machine[SYN_4K].count.os.faults[VM_FAULT_FILE] = 50000;
	syn.region_result[SYN_4K][REGION_FILE_DATA].faults = 50000;
	expect("run java with -XX:+UseLargePages. That saves 337M to 564M cycles."); /* 50,000 - 64 */
	expect_not("MAP_POPULATE");
	strcpy(syn.region[REGION_FILE_DATA].name, "/usr/lib/jvm/java-17/lib/server/classes.jsa");
	library("/usr/lib/jvm/java-17/lib/server/libjvm.so");
	expect_not("MAP_POPULATE");
}

/* perl: its heap grows by brk, 132K a time, and no machine has huge pages there. Another allocator's heap does not. */
static void heap_that_grows_by_small_steps(void **state)
{
	walks_in(REGION_HEAP, 10000000, 10000000);
	expect("The heap grows by brk in steps that leave huge pages no room");
	expect("Run it with GLIBC_TUNABLES=glibc.malloc.hugetlb=1");
	expect_not("That saves");
	expect_not("No page size");
	syn.region[REGION_HEAP].madvised = true; /* it runs under the tunable */
	expect_not("The heap grows by brk");
	syn.region[REGION_HEAP].madvised = false;
	library("/usr/lib/libjemalloc.so.2");
	expect_not("The heap grows by brk");
	expect("No page size");
	library("/lib/x86_64-linux-gnu/libc.so.6");
	syn.region[REGION_HEAP].peak_bytes = 3 << 20;
	expect_not("The heap grows by brk");
}

/* perl's heap: no page size helps as it grows by 132K, and malloc's own setting does. Where malloc does not map it, its
 * setting is not said. */
static void malloc_that_asks(void **state)
{
	struct sim_machine_result *m;

	walks_in(REGION_HEAP, 10000000, 10000000);
	m = cure(CURE_MALLOC);
	synthetic_steps(&syn, (unsigned)(m - syn.machine), 0);
	m->region[REGION_HEAP] = (struct sim_region_result){.walks = {60000}};
	synthetic_price(&syn);
	first("Page walks cost 400M cycles; 100 % of the walks come from [heap], and huge pages for malloc's memory "
	      "leave "
	      "0.6 % of those. Run it with GLIBC_TUNABLES=glibc.malloc.hugetlb=1.");
	expect("That saves 400M cycles.");
	answers("; huge pages for malloc's memory would leave 0 cycles. Run it with GLIBC_TUNABLES");
	syn.region[REGION_HEAP].madvised = true;
	expect_not("TUNABLES");

	walks_in(REGION_ANON, 40000,
		 40000); /* an arena of threads, or no malloc: THP for all helps, the tunable does not */
	cure(CURE_MALLOC);
	synthetic_price(&syn);
	expect(
	    "transparent huge pages leave 0.4 % of those. Call madvise(MADV_HUGEPAGE) on the memory after mmap, or set "
	    "/sys/kernel/mm/transparent_hugepage/enabled to always.");
	expect_not("TUNABLES");

	zero_faults_in(REGION_HEAP, 100000, 100000);
	m = cure(CURE_MALLOC);
	m->count.os.faults[VM_FAULT_ZERO_WRITE] = m->region[REGION_HEAP].faults = 2000;
	synthetic_price(&syn);
	first("First touches of memory cost ");
	expect(
	    "100,000 zero-fill page faults, most in [heap], and huge pages for malloc's memory make that 2,000. Run it "
	    "with GLIBC_TUNABLES");
}

static void shared_memory(void **state)
{
	walks_in(REGION_OTHER, 10000000, 10000000);
	strcpy(syn.region[REGION_OTHER].name, "/dev/shm/PostgreSQL.1");
	expect("MAP_HUGETLB | MAP_HUGE_2MB");
	strcpy(syn.region[REGION_STACK].name, "/usr/lib/postgresql/15/bin/postgres");
	expect("Set vm.nr_hugepages to what postgres -D DIR -C shared_memory_size_in_huge_pages says");
	strcpy(syn.region[REGION_OTHER].name, "[shared anon_hugepage]");
	expect_not("nr_hugepages");
}

static void shared_by_many(void **state)
{
	synthetic_init(&syn);
	strcpy(syn.region[REGION_OTHER].name, "[shared anon]");
	syn.machine[SYN_4K].count.os.faults[VM_FAULT_FILE] = 50000;
	syn.machine[SYN_4K].count.peak_table_bytes = 8 << 20;
	syn.region_result[SYN_4K][REGION_OTHER].faults = 50000;
	syn.result.program.processes = 17;
	expect(
	    "Each of 17 processes takes them anew, and has page tables of its own for it (8.00 MiB in all). Reserve");
	expect("That saves 330M to 553M cycles."); /* 50,000 - 17 x 64 */
	expect_not("libraries");
	strcpy(syn.region[REGION_OTHER].name, "[shared anon_hugepage]");
	expect("It lies in reserved huge pages, which no machine here has shared: it takes one for each 2M.");
	expect_not("Reserve");
}

static void touches_memory_given_back(void **state)
{
	zero_faults_in(REGION_HEAP, 1000000, 1000000);
	syn.machine[SYN_4K].count.peak_rss_bytes = 100ull << 20;
	expect("1,000,000 zero-fill page faults, most in [heap], for a peak of 100 MiB: memory is given back");
	expect("glibc.malloc.trim_threshold=134217728:");
	library("/usr/lib/libjemalloc.so.2");
	expect("dirty_decay_ms:-1,lg_extent_max_active_fit:63.");
	syn.result.program.processes = 2; /* each process fills its own: no sign of refaulting */
	expect_not("given back");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(allocators),       cmocka_unit_test(already_asked_for),
	    cmocka_unit_test(tcmallocs_heap),   cmocka_unit_test(pythons_arenas),
	    cmocka_unit_test(javas_memfd),      cmocka_unit_test(heap_that_grows_by_small_steps),
	    cmocka_unit_test(malloc_that_asks), cmocka_unit_test(shared_memory),
	    cmocka_unit_test(shared_by_many),   cmocka_unit_test(touches_memory_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
