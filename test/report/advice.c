/* SPDX-License-Identifier: MIT
 *
 * test/report/advice.c - one made-up run for every kind of finding that needs it, and one that must not get it: the
 * sentence names the right thing, and the figures in it are the run's.
 *
 * The synthetic costs: a walk's step is 1 cycle; all others are those of quire costs, so that what is expected is
 * reckoned here from the table, not copied.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "test/report/said.h"

/* ---- whether anything is said ---- */

static void nothing_to_gain(void **state)
{
	synthetic_init(&syn);
	synthetic_walks(&syn, SYN_4K, REGION_HEAP, 50000, 40);
	first("Nothing to gain: all of it is 2.00M cycles, 2.00 cycles for each 1000 instructions at most; the dearest "
	      "cause is \"Page walks\".");
	answers("with 4K pages: 667 us at most, nothing to gain."); /* 2 M cycles at 3 GHz */
	/* The threshold, from both sides: 5 per 1000 of 1 G instructions are 5 M cycles. */
	synthetic_init(&syn);
	synthetic_walks(&syn, SYN_4K, REGION_HEAP, 124999, 40);
	expect("Nothing to gain");
	synthetic_walks(&syn, SYN_4K, REGION_HEAP, 1, 40);
	expect_not("Nothing to gain");
}

static void small_program_is_left_alone(void **state)
{
	synthetic_init(&syn);
	syn.result.program.instructions = 100000;
	synthetic_walks(&syn, SYN_4K, REGION_HEAP, 24999, 40);
	expect("Nothing to gain");
	synthetic_walks(&syn, SYN_4K, REGION_HEAP, 1, 40);
	expect_not("Nothing to gain");
}

/* Where the time is known a hundredth of it is the threshold: 3 G cycles are a second. */
static void a_hundredth_of_the_time(void **state)
{
	walks_in(REGION_HEAP, 40000, 40000);
	syn.result.native.cpu_ns = 14000000000;
	expect("Nothing to gain: all of it is 400M cycles (1.0 % of the time)");
	answers("Virtual memory takes 1.0 % of this program's time with 4K pages: 133 ms at most, nothing to gain.");
	syn.result.native.cpu_ns = 13000000000;
	first("Page walks cost 400M cycles (1.0 % of the time)");
	answers("; transparent huge pages would leave less than 0.01 %");
	syn.result.native.cpu_ns = 1000000000;
	first("Page walks cost 400M cycles (13 % of the time)");
}

static void nothing_ran(void **state)
{
	synthetic_init(&syn);
	syn.result.program.instructions = 0;
	expect("Nothing ran");
	answers("Nothing ran");
	syn.result.nr_machines = 0;
	expect("Nothing ran");
}

static void stopped_machines(void **state)
{
	walks_in(REGION_HEAP, 40000, 40000);
	strcpy(syn.machine[SYN_THP].error, "out of memory");
	expect(", and 2M pages leave 0.4 %");
	for (unsigned i = 0; i < 4; i++)
		strcpy(syn.machine[i].error, "out of memory");
	expect("No machine ran to its end");
	expect("16.0 GiB of RAM: out of memory");
}

static void nobody_gets_through(void **state)
{
	walks_in(REGION_HEAP, 40000, 40000);
	syn.machine[SYN_4K].count.os.oom_kills = 1;
	expect_not("On no machine");
	for (unsigned i = 0; i < 4; i++)
		syn.machine[i].count.os.oom_kills = 1;
	expect("On no machine did the program get through: 16.0 GiB of RAM and 0 B of swap are not enough.");
}

/* The dearest by the middle of its interval: 400 M of walks, faults of 5,350..6,510 cycles. Each on a line. */
static void dearest_first(void **state)
{
	walks_in(REGION_HEAP, 40000, 40000);
	syn.machine[SYN_4K].count.os.faults[VM_FAULT_ZERO_WRITE] = 67500;
	syn.region_result[SYN_4K][REGION_HEAP].faults = 67500;
	first("First touches");
	assert_non_null(strstr(advice, "\nPage walks cost"));
	syn.machine[SYN_4K].count.os.faults[VM_FAULT_ZERO_WRITE] = 67400;
	first("Page walks cost");
	assert_non_null(strstr(advice, "\nFirst touches"));
	/* One remedy is said once. */
	assert_non_null(strstr(advice, "hugetlb=1"));
	assert_null(strstr(strstr(advice, "hugetlb=1") + 1, "hugetlb=1"));
}

static void a_twentieth_of_the_sum(void **state)
{
	walks_in(REGION_HEAP, 40000, 40000);
	syn.machine[SYN_4K].count.kernel_entries[KERNEL_SYSCALL] = 30000; /* 17.8 M of 418 M */
	expect_not("Ways into the kernel");
	syn.machine[SYN_4K].count.kernel_entries[KERNEL_SYSCALL] = 40000; /* 23.7 M of 424 M */
	expect("\nWays into the kernel");
}

/* ---- walks ---- */

static void heap(void **state)
{
	walks_in(REGION_HEAP, 40000, 40000);
	first("Page walks cost 400M cycles; 100 % of the walks come from [heap], and transparent huge pages leave 0.4 "
	      "% of "
	      "those.");
	expect("Run it with GLIBC_TUNABLES=glibc.malloc.hugetlb=1. That needs "
	       "/sys/kernel/mm/transparent_hugepage/enabled to be madvise or always. That saves");
	syn.result.host = (struct machine_host){.known = true, .thp = VM_THP_NEVER};
	expect("hugetlb=1. First set /sys/kernel/mm/transparent_hugepage/enabled, which is never here, to madvise.");
	syn.result.host.thp = VM_THP_MADVISE;
	expect("Run it with GLIBC_TUNABLES=glibc.malloc.hugetlb=1. That saves");
	expect("That saves 398M cycles.");
	expect_not("more memory");
	expect_not("never touched");
	answers("Virtual memory costs 400M cycles (somewhere in 9.1 to 62 % of this program's time; --time narrows "
		"that) with 4K pages; "
		"transparent huge pages would leave 1.60M cycles. Run it with GLIBC_TUNABLES=glibc.malloc.hugetlb=1");
}

static void share_is_of_all_regions(void **state)
{
	walks_in(REGION_HEAP, 40000, 40000);
	synthetic_walks(&syn, SYN_4K, REGION_STACK, 30000000, 40);
	expect("75 % of the walks come from [stack]");
	expect("move its large arrays to the heap");
}

static void memory_that_it_costs(void **state)
{
	walks_in(REGION_HEAP, 40000, 40000);
	syn.machine[SYN_THP].count.peak_rss_bytes = 515ull << 20;
	expect("It costs 3.00 MiB more memory.");
	answers(", for 3.00 MiB more memory.");
	syn.machine[SYN_THP].count.peak_rss_bytes = 512ull << 20;
	syn.machine[SYN_THP].count.peak_untouched_bytes = 256ull << 20;
	expect("256 MiB of 512 MiB at the peak were never touched");
	syn.machine[SYN_THP].count.peak_untouched_bytes = 64ull << 20;
	expect_not("never touched");
}

/* 64 KiB have no room for a huge page, whatever a machine that gives them elsewhere shows. */
static void too_small_for_huge_pages(void **state)
{
	walks_in(REGION_ANON, 40000, 40000);
	syn.region[REGION_ANON].peak_bytes = 65536;
	expect_not("huge pages leave");
	expect_not("MADV_HUGEPAGE");
	expect("No page size");
}

static void only_reserved_pages_help(void **state)
{
	walks_in(REGION_HEAP, 9000000, 0);
	synthetic_walks(&syn, SYN_2M, REGION_HEAP, 8000000, 40);
	expect("only 1G pages leave");
	expect("glibc.malloc.hugetlb=1073741824");
	walks_in(REGION_ANON, 9000000, 100);
	synthetic_walks(&syn, SYN_1G, REGION_ANON, 8000000, 40);
	expect("only 2M pages leave");
	expect("MAP_HUGETLB | MAP_HUGE_2MB");
}

static void no_page_size_helps(void **state)
{
	walks_in(REGION_ANON, 7000001, 9000000);
	expect("No page size");
	walks_in(REGION_ANON, 7000000, 9000000);
	expect("transparent huge pages leave 70 %");
}

/* jemalloc#1950: huge pages are split by what gives parts of them back. Without splits nothing is said of them. */
static void huge_pages_that_do_not_last(void **state)
{
	walks_in(REGION_ANON, 9000000, 9000000);
	syn.machine[SYN_THP].count.os.thp_alloc = syn.machine[SYN_THP].count.os.thp_split = 32;
	syn.region_result[SYN_THP][REGION_ANON].peak_huge_bytes = 64 << 20;
	expect("of 32 that were given 32 were split");
	expect("Give back, or protect, whole 2M");
	syn.region_result[SYN_THP][REGION_ANON].peak_huge_bytes = 4 << 20; /* of 128M: they never were there */
	expect_not("split");
	syn.region_result[SYN_THP][REGION_ANON].peak_huge_bytes = 64 << 20;
	syn.machine[SYN_THP].count.os.thp_split = 0;
	expect_not("split");
}

static void code(void **state)
{
	walks_in(REGION_FILE_TEXT, 10000000, 10000000);
	expect("come from libx.so code");
	expect("max-page-size=0x200000");
}

/* A data file may move to where huge pages are; a library's relocations may not. */
static void file_data(void **state)
{
	walks_in(REGION_FILE_DATA, 10000000, 10000000);
	expect("come from table.db data");
	expect("tmpfs");
	strcpy(syn.region[REGION_FILE_DATA].name, syn.region[REGION_FILE_TEXT].name);
	expect_not("tmpfs");
}

static void stack(void **state)
{
	walks_in(REGION_STACK, 10000000, 10000000);
	expect("move its large arrays to the heap");
}

static void nothing_to_compare_with(void **state)
{
	walks_in(REGION_ANON, 40000, 40000);
	syn.result.nr_machines = 1;
	expect("--machine thp");
}

/* A machine with another CPU says nothing about page sizes; nor one with KPTI. */
static void others_are_not_compared(void **state)
{
	walks_in(REGION_ANON, 40000, 40000);
	for (unsigned i = SYN_THP; i <= SYN_1G; i++)
		syn.machine[i].cfg.preset = cpu_preset_find("zen4");
	expect("--machine thp");
	for (unsigned i = SYN_THP; i <= SYN_1G; i++) {
		syn.machine[i].cfg.preset = syn.machine[SYN_4K].cfg.preset;
		syn.machine[i].cfg.kpti = true;
	}
	expect("--machine thp");
}

static void walks_without_region(void **state)
{
	synthetic_init(&syn);
	synthetic_steps(&syn, SYN_4K, 400000000);
	expect("Nothing to gain: all of it is 400M cycles"); /* nothing that anybody could change, but the sum */
}

/* ---- first touches ---- */

static void touches_huge_pages_help(void **state)
{
	zero_faults_in(REGION_HEAP, 131072, 256);
	first("First touches of memory cost ");
	expect("131,072 zero-fill page faults, most in [heap], and transparent huge pages make that 256.");
	expect("hugetlb=1");
}

/* 131,072 exceptions, and handlers less populate's: 131,072 x (1,050 + 4,300 - 3,300) .. (1,150 + 5,360 - 4,400). */
static void touches_populate(void **state)
{
	zero_faults_in(REGION_ANON, 131072, 131072);
	expect("MAP_POPULATE");
	expect("That saves 269M to 277M cycles.");
	answers("; 269M to 277M cycles of it can be saved. Memory that is surely used");
	for (unsigned i = 0; i < syn.result.nr_machines; i++) /* beside that it is nothing */
		syn.machine[i].count.os.frames_cleared = 1000000000;
	expect("That saves 269M to 277M cycles.");
	answers("with 4K pages; little of it can be saved.");
	/* 30,000 of 32,768 pages: the others are mapped and cleared, too, 2,768 x (3,451..6,001) */
	zero_faults_in(REGION_ANON, 30000, 30000);
	expect("MAP_POPULATE");
	expect("That saves 44.9M to 53.7M cycles.");
	zero_faults_in(REGION_ANON, 16000, 16000);
	expect_not("MAP_POPULATE");
	zero_faults_in(REGION_HEAP, 131072, 131072);
	expect_not("MAP_POPULATE"); /* nobody can say that for malloc's heap */
	zero_faults_in(REGION_STACK, 131072, 131072);
	expect_not("MAP_POPULATE");
	zero_faults_in(REGION_ANON, 131072, 131072); /* an allocator's: the program does not map it */
	library("/usr/lib/libjemalloc.so.2");
	expect_not("MAP_POPULATE");
}

/* The dearest is said also where nothing helps, or what is said would be of little. */
static void touches_that_nothing_lessens(void **state)
{
	zero_faults_in(REGION_STACK, 131072, 131072);
	synthetic_walks(&syn, SYN_4K, REGION_STACK, 10000000, 10);
	first("First touches of memory cost ");
	expect("most in [stack]. No machine here does that for much less.\nPage walks");
	answers(" with 4K pages; nothing that is known here lessens its dearest part.");
	synthetic_walks(&syn, SYN_4K, REGION_STACK, 100000000, 40);
	expect_not("First touches");
}

/* ---- files ---- */

static void many_processes_map_their_libraries(void **state)
{
	synthetic_init(&syn);
	syn.machine[SYN_4K].count.os.faults[VM_FAULT_FILE] = 50000;
	syn.region_result[SYN_4K][REGION_FILE_TEXT].faults = 50000;
	syn.result.program.processes = 200;
	first("Page faults on files and shared memory cost 338M to 565M cycles: 50,000, most in libx.so code.");
	expect("Each of 200 processes maps its program and libraries anew");
	expect_not("tmpfs");
	syn.result.program.processes = 1;
	expect_not("anew");
}

static void mapped_files(void **state)
{
	synthetic_init(&syn);
	syn.machine[SYN_4K].count.os.faults[VM_FAULT_FILE] = 50000;
	syn.region_result[SYN_4K][REGION_FILE_DATA].faults = 50000;
	expect("Map the file with MAP_POPULATE");
	strcpy(syn.region[REGION_FILE_DATA].name, syn.region[REGION_FILE_TEXT].name);
	expect_not("MAP_POPULATE");
}

/* ---- copies ---- */

/* Of both kinds, and by what fork itself costs: 10 x (213,000..229,000) + 60,000 exceptions and handlers. */
static void fork_copies(void **state)
{
	synthetic_init(&syn);
	syn.machine[SYN_4K].count.forks = 10;
	syn.machine[SYN_4K].count.os.entries[VM_ENTRIES_FORKED][0] = 1000;
	syn.machine[SYN_4K].count.os.faults[VM_FAULT_COW_COPY] = 20000;
	syn.machine[SYN_4K].count.os.faults[VM_FAULT_COW_REUSE] = 40000;
	syn.result.program.forks = syn.result.program.forks_exec = 10;
	first(
	    "Fork costs 262M to 332M cycles: 10 forks that copied 1,000 entries, then 60,000 page faults of writes to "
	    "what was shared (20,000 pages copied, 40,000 taken back). All of the children executed a program. Use "
	    "posix_spawn");
	expect("That saves 260M to 329M cycles."); /* but for ten processes, 213,000 to 229,000 each */
	answers("; 260M to 329M cycles of it can be saved. Use posix_spawn");
	syn.result.program.forks_exec = 6;
	expect("6 of the children executed a program. Use posix_spawn");
	syn.result.program.forks_exec = 5;
	expect_not("posix_spawn");
	syn.result.program.forks_exec = 0;
	expect("None of the children executed a program. What is written while a child lives is copied: fork when "
	       "little is written, or call "
	       "madvise(MADV_DONTFORK)");
	expect_not("posix_spawn");
	syn.result.program.forks_exec = 10;
	syn.result.native.cpu_ns = 1000; /* no time for all that */
	answers("Virtual memory costs 262M to 332M cycles (more than this program's time, so these costs are too high "
		"here) with 4K pages; ");
}

/* ---- machines that show what a remedy does ---- */

static void kpti_off(void **state)
{
	synthetic_init(&syn);
	for (unsigned i = 0; i < 4; i++) {
		syn.machine[i].cfg.kpti = true;
		syn.machine[i].count.mmu.cr3_loads = 1000000;
	}
	cure(CURE_KPTI)->count.mmu.cr3_loads = 0;
	synthetic_price(&syn);
	first("KPTI's loads of CR3 cost 100M to 200M cycles");
	expect("That saves 100M to 200M cycles.");
	answers("; no KPTI would leave 0 cycles.");
}

static void more_memory(void **state)
{
	struct sim_machine_result *m;

	synthetic_init(&syn);
	for (unsigned i = 0; i < 4; i++) {
		syn.machine[i].count.os.swap_ins = 1000;
		syn.machine[i].count.os.swap_requests = 1000;
		syn.machine[i].count.io_wait_ns = 1000000000;
	}
	m = cure(CURE_RAM);
	m->count.os.swap_ins = m->count.os.swap_requests = 0;
	m->count.io_wait_ns = 0;
	synthetic_price(&syn);
	expect("Give it more RAM, or let it use less at once. With 16.0 GiB of RAM it waits 0 ns.");
	answers("; 16.0 GiB of RAM would leave 0 cycles.");
}

static void private_copies_without_fork(void **state)
{
	synthetic_init(&syn);
	syn.machine[SYN_4K].count.os.faults[VM_FAULT_COW_COPY] = 20000;
	syn.region_result[SYN_4K][REGION_FILE_DATA].faults = 20000;
	first("Copies of private pages cost ");
	expect(
	    "20,000 page faults copied a page that is not the program's alone, most in table.db data; nobody forked.");
	expect_not("posix_spawn");
	expect_not("Fork");
}

/* ---- the kernel's other work ---- */

static void signals(void **state)
{
	synthetic_init(&syn);
	syn.machine[SYN_4K].count.os.faults[VM_FAULT_ACCERR] = 3000;
	first("Faults that end in signals cost 22.0M to 39.9M cycles: 3,000 of them");
	syn.machine[SYN_4K].count.os.faults[VM_FAULT_ACCERR] = 3;
	expect_not("end in signals");
}

static void shootdowns(void **state)
{
	synthetic_init(&syn);
	library("/lib/x86_64-linux-gnu/libc.so.6");
	syn.machine[SYN_4K].count.os.shootdowns = 3000;
	syn.machine[SYN_4K].count.os.ipis = 9000;
	syn.machine[SYN_4K].count.os.ipis_by[VM_FLUSH_BY_ADVICE] = 8000;
	syn.machine[SYN_4K].count.os.ipis_by[VM_FLUSH_BY_FAULT] = 1000;
	syn.region_result[SYN_4K][REGION_ANON].faults = 3000;
	first("TLB flushes cost 18.4M to 37.4M cycles: 3,000 flushes interrupted other CPUs 9,000 times, most for "
	      "madvise.");
	expect("Threads pay for each other's memory");
	expect("trim_threshold");
	syn.machine[SYN_4K].count.os.ipis_by[VM_FLUSH_BY_PROTECT] = 8001;
	expect("pkey_mprotect");
	expect_not("trim_threshold");
}

/* The same on every machine. */
static void changes(enum map_call call, u64 calls)
{
	for (unsigned i = 0; i < 4; i++)
		syn.machine[i].count.map_calls[call] = calls;
}

static void many_small_changes(void **state)
{
	synthetic_init(&syn);
	library("/lib/x86_64-linux-gnu/libc.so.6");
	syn.region_result[SYN_4K][REGION_HEAP].faults = 10;
	changes(MAP_MPROTECT, 30000);
	first("Maps and unmaps cost 51.0M to 264M cycles: 30,000 calls that change areas, 30,000 of them mprotect;");
	expect("pkey_mprotect");
	changes(MAP_BRK, 40000);
	first("Maps and unmaps cost 119M to 616M cycles: 70,000 calls that change areas, 40,000 of them brk;");
	expect("glibc.malloc.top_pad=67108864");
	library("/usr/lib/libjemalloc.so.2");
	expect_not("top_pad");
	changes(MAP_MUNMAP, 50000);
	expect("dirty_decay_ms:-1");
	synthetic_init(&syn);
	for (unsigned i = 0; i < 4; i++)
		syn.machine[i].count.os.entries[VM_ENTRIES_UNMAPPED][0] = 60000;
	expect_not("Maps and unmaps cost"); /* exit's: nothing to be done but with huge pages */
}

static void system_calls(void **state)
{
	synthetic_init(&syn);
	syn.machine[SYN_4K].count.kernel_entries[KERNEL_SYSCALL] = 100000;
	first("Ways into the kernel and out cost 34.6M to 59.3M cycles: 100,000 system calls");
	syn.machine[SYN_4K].count.kernel_entries[KERNEL_SYSCALL] = 1000;
	expect_not("Ways into");
}

/* Only where the baseline itself has it. */
static void kpti(void **state)
{
	synthetic_init(&syn);
	syn.machine[SYN_4K].count.mmu.cr3_loads = 200000;
	expect_not("KPTI");
	syn.machine[SYN_4K].cfg.kpti = true;
	first("KPTI's loads of CR3 cost 20.0M to 40.0M cycles: two for each of 100,000 entries");
}

static void switches(void **state)
{
	synthetic_init(&syn);
	syn.machine[SYN_4K].cfg.cpus = 1;
	syn.machine[SYN_4K].count.thread_switches = 10000;
	first("Switches cost 29.0M to 35.0M cycles: 10,000 between threads");
}

/* ---- waiting ---- */

/* Machine i waits that long for its swap, in reads of 1 us. */
static void waits(unsigned i, u64 ns)
{
	syn.machine[i].cost.at[COST_NVME_READ] = (struct cost){1000, 1000, "-", "a test"};
	syn.machine[i].count.io_wait_ns = ns;
	syn.machine[i].count.os.swap_requests = ns / 1000;
	syn.machine[i].count.os.reclaimed[1] = 1;
}

static void waiting_for_swap(void **state)
{
	walks_in(REGION_HEAP, 40000, 40000);
	for (unsigned i = 0; i < 4; i++)
		waits(i, 2000000000);
	syn.machine[SYN_4K].count.os.major_faults = 20000;
	syn.machine[SYN_4K].count.peak_swap_bytes = 256ull << 20;
	first("Memory is short, and that is the cost: on machine 4k the program waits 2.00 s for 20,000 major faults. "
	      "Resident memory comes to 512 MiB, swap to 256 MiB, and RAM is 16.0 GiB.");
	expect_not("waits least");
	waits(SYN_2M, 1000000000);
	expect("2m waits least: 1.00 s. That saves 3.40G cycles."); /* and 0.4 G of walks */
	answers("; reserved 2M pages would leave 3.00G cycles");
	syn.machine[SYN_2M].count.os.oom_kills = 1;
	expect_not("waits least");
	waits(SYN_4K, 1000);
	first("Page walks cost");
}

/* Cold files are no want of memory. */
static void waiting_for_files(void **state)
{
	synthetic_init(&syn);
	syn.machine[SYN_4K].count.os.file_reads = 16000;
	syn.machine[SYN_4K].count.io_wait_ns = 1380000000;
	syn.region_result[SYN_4K][REGION_FILE_DATA].faults = 16000;
	first("Files are read from disk, and that is waited for: 1.38 s for 16,000 pages, most of table.db data.");
	expect_not("Memory is short");
}

static void short_buffer_is_terminated(void **state)
{
	char text[8] = "xxxxxxx";

	walks_in(REGION_HEAP, 40000, 40000);
	synthetic_price(&syn);
	report_advice(text, sizeof(text), &syn.result);
	assert_int_equal(text[7], '\0');
	assert_memory_equal(text, "Page wa", 7);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_to_gain),
	    cmocka_unit_test(small_program_is_left_alone),
	    cmocka_unit_test(a_hundredth_of_the_time),
	    cmocka_unit_test(nothing_ran),
	    cmocka_unit_test(stopped_machines),
	    cmocka_unit_test(nobody_gets_through),
	    cmocka_unit_test(dearest_first),
	    cmocka_unit_test(a_twentieth_of_the_sum),
	    cmocka_unit_test(heap),
	    cmocka_unit_test(share_is_of_all_regions),
	    cmocka_unit_test(memory_that_it_costs),
	    cmocka_unit_test(too_small_for_huge_pages),
	    cmocka_unit_test(only_reserved_pages_help),
	    cmocka_unit_test(no_page_size_helps),
	    cmocka_unit_test(huge_pages_that_do_not_last),
	    cmocka_unit_test(code),
	    cmocka_unit_test(file_data),
	    cmocka_unit_test(stack),
	    cmocka_unit_test(nothing_to_compare_with),
	    cmocka_unit_test(others_are_not_compared),
	    cmocka_unit_test(walks_without_region),
	    cmocka_unit_test(touches_huge_pages_help),
	    cmocka_unit_test(touches_populate),
	    cmocka_unit_test(touches_that_nothing_lessens),
	    cmocka_unit_test(many_processes_map_their_libraries),
	    cmocka_unit_test(mapped_files),
	    cmocka_unit_test(fork_copies),
	    cmocka_unit_test(kpti_off),
	    cmocka_unit_test(more_memory),
	    cmocka_unit_test(private_copies_without_fork),
	    cmocka_unit_test(signals),
	    cmocka_unit_test(shootdowns),
	    cmocka_unit_test(many_small_changes),
	    cmocka_unit_test(system_calls),
	    cmocka_unit_test(kpti),
	    cmocka_unit_test(switches),
	    cmocka_unit_test(waiting_for_swap),
	    cmocka_unit_test(waiting_for_files),
	    cmocka_unit_test(short_buffer_is_terminated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
