/* SPDX-License-Identifier: MIT
 *
 * test/report/advice.c - one made-up run for every branch of the advice: the sentence names the right thing, and the
 * figures in it are the run's.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "report/report.h"
#include "test/report/synthetic.h"

static struct synthetic syn;

static void expect(const char *wanted)
{
	char text[1024];

	synthetic_price(&syn);
	report_advice(text, sizeof(text), &syn.result);
	if (strstr(text, wanted) == NULL)
		fail_msg("\"%s\" is not in: %s", wanted, text);
}

static void expect_not(const char *unwanted)
{
	char text[1024];

	synthetic_price(&syn);
	report_advice(text, sizeof(text), &syn.result);
	if (strstr(text, unwanted) != NULL)
		fail_msg("\"%s\" is in: %s", unwanted, text);
}

/* 10 M walks of 40 cycles in 1 G instructions: 400 cycles per 1000. THP leaves thp of them. */
static void walks_in(unsigned region, u64 thp, u64 reserved)
{
	synthetic_init(&syn);
	synthetic_walks(&syn, SYN_4K, region, 10000000, 40);
	synthetic_walks(&syn, SYN_THP, region, thp, 40);
	synthetic_walks(&syn, SYN_2M, region, reserved, 40);
	synthetic_walks(&syn, SYN_1G, region, reserved, 40);
}

static void nothing_to_gain(void **state)
{
	synthetic_init(&syn);
	synthetic_walks(&syn, SYN_4K, REGION_HEAP, 50000, 40);
	expect("Nothing to gain");
	expect("2.00 cycles per 1000 instructions");
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
	synthetic_walks(&syn, SYN_4K, REGION_HEAP, 10000, 40);
	expect("Nothing to gain");
}

static void nothing_ran(void **state)
{
	synthetic_init(&syn);
	syn.result.program.instructions = 0;
	expect("Nothing ran");
	syn.result.nr_machines = 0;
	expect("Nothing ran");
}

static void heap(void **state)
{
	walks_in(REGION_HEAP, 40000, 40000);
	expect("400 cycles per 1000 instructions");
	expect("100 % of them come from [heap]");
	expect("leave 0.4 % of those");
	expect("GLIBC_TUNABLES=glibc.malloc.hugetlb=1 ");
	expect_not("never touched");
}

static void share_is_of_all_regions(void **state)
{
	walks_in(REGION_HEAP, 40000, 40000);
	synthetic_walks(&syn, SYN_4K, REGION_STACK, 30000000, 40);
	expect("75 % of them come from [stack]");
}

static void anonymous_map(void **state)
{
	walks_in(REGION_ANON, 40000, 40000);
	expect("glibc.malloc.hugetlb=1");
	expect("madvise(0x10000000, 134217728, MADV_HUGEPAGE)");
}

static void already_asked_for(void **state)
{
	walks_in(REGION_ANON, 40000, 40000);
	syn.region[REGION_ANON].madvised = true;
	expect("already asks");
	expect_not("GLIBC_TUNABLES");
}

static void bloat(void **state)
{
	walks_in(REGION_HEAP, 40000, 40000);
	syn.machine[SYN_THP].count.peak_untouched_bytes = 256ull << 20;
	expect("256 MiB of 512 MiB at the peak were never touched");
	syn.machine[SYN_THP].count.peak_untouched_bytes = 64ull << 20;
	expect_not("never touched");
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

static void code(void **state)
{
	walks_in(REGION_FILE_TEXT, 10000000, 10000000);
	expect("come from libx.so code");
	expect("max-page-size=0x200000");
}

static void file_data(void **state)
{
	walks_in(REGION_FILE_DATA, 10000000, 10000000);
	expect("come from table.db data");
	expect("mapped file");
}

static void stack(void **state)
{
	walks_in(REGION_STACK, 10000000, 10000000);
	expect("move its large arrays to the heap");
}

static void nothing_to_compare_with(void **state)
{
	walks_in(REGION_HEAP, 40000, 40000);
	syn.result.nr_machines = 1;
	expect("--machine thp");
}

/* A machine with another CPU says nothing about page sizes. */
static void other_cpu_is_not_compared(void **state)
{
	walks_in(REGION_HEAP, 40000, 40000);
	for (unsigned i = SYN_THP; i <= SYN_1G; i++)
		syn.machine[i].cfg.preset = cpu_preset_find("zen4");
	expect("--machine thp");
}

static void faults_huge_pages_help(void **state)
{
	synthetic_init(&syn);
	syn.machine[SYN_4K].count.os.faults[VM_FAULT_ZERO_WRITE] = 131072;
	syn.machine[SYN_THP].count.os.faults[VM_FAULT_ZERO_WRITE] = 256;
	syn.region_result[SYN_4K][REGION_HEAP].faults = 131072;
	expect("Page faults, not walks");
	expect("131,072 zero-fill pages, most in [heap], and transparent huge pages make that 256.");
	expect("hugetlb=1");
}

static void faults_populate(void **state)
{
	synthetic_init(&syn);
	for (unsigned i = 0; i < 4; i++)
		syn.machine[i].count.os.faults[VM_FAULT_ZERO_WRITE] = 131072;
	syn.region_result[SYN_4K][REGION_ANON].faults = 131072;
	expect("MAP_POPULATE");
}

static void faults_memory_given_back(void **state)
{
	synthetic_init(&syn);
	syn.machine[SYN_4K].count.os.faults[VM_FAULT_ZERO_WRITE] = 1000000;
	syn.machine[SYN_4K].count.peak_rss_bytes = 100ull << 20;
	expect("1,000,000 pages were zero-filled for a peak of 100 MiB");
	expect("glibc.malloc.trim_threshold=134217728:");
	syn.result.program.processes = 2; /* each process fills its own: no sign of refaulting */
	expect_not("trim_threshold");
}

static void faults_fork_copies(void **state)
{
	synthetic_init(&syn);
	syn.machine[SYN_4K].count.os.faults[VM_FAULT_ZERO_WRITE] = 1000;
	syn.machine[SYN_4K].count.os.faults[VM_FAULT_COW_COPY] = 50000;
	expect("50,000 of 51,000 copy a page shared by fork");
	expect("posix_spawn");
}

/* The larger of the two costs is spoken of: a fault counts 2,000 cycles. */
static void larger_cost_first(void **state)
{
	walks_in(REGION_HEAP, 40000, 40000);
	syn.machine[SYN_4K].count.os.faults[VM_FAULT_ZERO_WRITE] = 74767; /* of 1,050 + 4,300 cycles at least */
	expect("Page faults, not walks");
	syn.machine[SYN_4K].count.os.faults[VM_FAULT_ZERO_WRITE] = 74766;
	expect("Page walks cost");
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

/* Waiting is worth more than walks: the machine that waits least is named, unless it is about as bad or was killed. */
/* Machine i waits that long for its swap, in reads of 1 us. */
static void waits(unsigned i, u64 ns)
{
	syn.machine[i].cost.at[COST_NVME_READ] = (struct cost){1000, 1000, "-", "a test"};
	syn.machine[i].count.io_wait_ns = ns;
	syn.machine[i].count.os.swap_requests = ns / 1000;
}

static void waiting_for_swap(void **state)
{
	walks_in(REGION_HEAP, 40000, 40000);
	for (unsigned i = 0; i < 4; i++)
		waits(i, 2000000000);
	syn.machine[SYN_4K].count.os.major_faults = 20000;
	syn.machine[SYN_4K].count.peak_swap_bytes = 512ull << 20;
	expect(
	    "machine 4k the program waits 2.00 s for 20,000 major faults. It uses up to 1.00 GiB at once, and RAM is");
	expect_not("waits least");
	waits(SYN_2M, 1000000000);
	expect("2m waits least: 1.00 s.");
	syn.machine[SYN_2M].count.os.oom_kills = 1;
	expect_not("waits least");
	waits(SYN_4K, 1000);
	expect("Page walks cost");
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

static void walks_without_region(void **state)
{
	synthetic_init(&syn);
	syn.machine[SYN_4K].count.mmu.walk_steps[0] = 400000000;
	expect("no region");
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
	    cmocka_unit_test(waiting_for_swap),
	    cmocka_unit_test(nobody_gets_through),
	    cmocka_unit_test(small_program_is_left_alone),
	    cmocka_unit_test(nothing_ran),
	    cmocka_unit_test(heap),
	    cmocka_unit_test(share_is_of_all_regions),
	    cmocka_unit_test(anonymous_map),
	    cmocka_unit_test(already_asked_for),
	    cmocka_unit_test(bloat),
	    cmocka_unit_test(only_reserved_pages_help),
	    cmocka_unit_test(no_page_size_helps),
	    cmocka_unit_test(code),
	    cmocka_unit_test(file_data),
	    cmocka_unit_test(stack),
	    cmocka_unit_test(nothing_to_compare_with),
	    cmocka_unit_test(other_cpu_is_not_compared),
	    cmocka_unit_test(faults_huge_pages_help),
	    cmocka_unit_test(faults_populate),
	    cmocka_unit_test(faults_memory_given_back),
	    cmocka_unit_test(faults_fork_copies),
	    cmocka_unit_test(larger_cost_first),
	    cmocka_unit_test(stopped_machines),
	    cmocka_unit_test(walks_without_region),
	    cmocka_unit_test(short_buffer_is_terminated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
