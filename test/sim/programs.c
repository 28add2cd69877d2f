/* SPDX-License-Identifier: MIT
 *
 * test/sim/programs.c - small programs whose page faults are known, through decoder, TLBs and the OS half.
 *
 * The counts are Linux's, measured with getrusage on kernel 6.18 for 16 MiB = 4096 pages (the reference's table of
 * ground truths) or follow from them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "test/sim/tape.h"

#define RW    (PROT_READ | PROT_WRITE)
#define A     0x7ffff0000000ull /* 2M aligned */
#define HEAP  0x555555560000ull
#define PAGES 4096
#define SIZE  (PAGES * PAGE_SIZE)

static struct tape tape;

static void begin(void)
{
	tape_begin(&tape, 100, HEAP);
}

static struct sim *sim;
static struct sim_result all;

/* Plays what was written since begin() on one machine at check level 1 with the TLB oracle. */
static struct sim_machine_result played(const char *machine)
{
	char text[64];
	struct sim_machine_result r;

	snprintf(text, sizeof(text), "%s,ram=2G,check=1,oracle=1", machine);
	r = tape_play(&tape, text, &sim, &all);
	assert_int_equal(r.count.mismatches, 0);
	assert_int_equal(all.program.malformed, 0);
	return r;
}

static void end(void)
{
	sim_destroy(sim);
	tape_free(&tape);
}

static u64 faults(const struct sim_machine_result *r)
{
	u64 n = 0;

	for (unsigned i = 0; i < VM_FAULT_NR; i++)
		n += r->count.os.faults[i];
	return n;
}

static void anonymous(void **state)
{
	struct sim_machine_result r;

	begin();
	tape_map(&tape, A, SIZE, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, SIZE, EVR_WRITE);
	tape_sweep(&tape, A, SIZE, EVR_WRITE);
	tape_range(&tape, EV_PROTECT, PROT_READ, A, SIZE);
	tape_sweep(&tape, A, SIZE, EVR_READ);
	tape_range(&tape, EV_PROTECT, RW, A, SIZE);
	tape_sweep(&tape, A, SIZE, EVR_WRITE);
	r = played("4k");
	assert_int_equal(r.count.os.faults[VM_FAULT_ZERO_WRITE], PAGES);
	assert_int_equal(faults(&r), PAGES);
	assert_int_equal(r.count.minflt, PAGES);
	assert_int_equal(r.count.peak_rss_bytes, SIZE);
	assert_int_equal(r.count.peak_untouched_bytes, 0);
	assert_int_equal(r.count.mmu.lookups[0] >= PAGES * 4, 1);
	end();
}

static void dontneed_and_zero_page(void **state)
{
	struct sim_machine_result r;

	begin();
	tape_map(&tape, A, SIZE, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, SIZE, EVR_READ);
	tape_sweep(&tape, A, SIZE, EVR_WRITE);
	tape_range(&tape, EV_ADVISE, MADV_DONTNEED, A, SIZE);
	tape_sweep(&tape, A, SIZE, EVR_WRITE);
	tape_range(&tape, EV_ADVISE, 16 /* MADV_DONTDUMP */, A, SIZE);
	r = played("4k");
	assert_int_equal(r.count.os.faults[VM_FAULT_ZERO_READ], PAGES);
	assert_int_equal(r.count.os.faults[VM_FAULT_COW_COPY], PAGES);
	assert_int_equal(r.count.os.faults[VM_FAULT_ZERO_WRITE], PAGES);
	assert_int_equal(faults(&r), 3 * PAGES);
	assert_int_equal(r.count.peak_rss_bytes, SIZE);
	end();
}

static void huge(void **state)
{
	struct sim_machine_result r;

	begin();
	tape_map(&tape, A, SIZE, RW, MAP_PRIVATE);
	for (u64 va = A; va < A + SIZE; va += 2 * MIB)
		tape_access(&tape, va + 5 * PAGE_SIZE, EVR_WRITE);
	r = played("thp");
	assert_int_equal(faults(&r), 8);
	assert_int_equal(r.count.os.faults_by_order[1], 8);
	assert_int_equal(r.count.peak_rss_bytes, SIZE);
	assert_int_equal(r.count.peak_untouched_bytes, SIZE - 8 * PAGE_SIZE);
	assert_int_equal(r.region[0].peak_huge_bytes, SIZE);
	sim_destroy(sim);
	r = played("thp,host-page=4k"); /* its TLB holds pieces, but the pages are huge */
	assert_int_equal(r.count.peak_untouched_bytes, SIZE - 8 * PAGE_SIZE);
	sim_destroy(sim);
	r = played("2m");
	assert_int_equal(faults(&r), 8);
	sim_destroy(sim);
	r = played("madvise");
	assert_int_equal(faults(&r), 8);
	assert_int_equal(r.count.os.faults_by_order[0], 8);
	end();
}

/* The advice is taken only where the machine listens; the area off by 4K has 7 huge pages and 511 small ones. */
static void huge_unaligned(void **state)
{
	struct sim_machine_result r;

	begin();
	tape_map(&tape, A + PAGE_SIZE, SIZE, RW, MAP_PRIVATE);
	tape_range(&tape, EV_ADVISE, MADV_HUGEPAGE, A + PAGE_SIZE, SIZE);
	tape_sweep(&tape, A + PAGE_SIZE, SIZE, EVR_WRITE);
	r = played("madvise");
	assert_int_equal(faults(&r), 519);
	assert_int_equal(r.count.peak_untouched_bytes, 0);
	assert_int_equal(r.region[0].peak_huge_bytes, 14 * MIB);
	assert_true(all.region[0].madvised);
	end();
}

static void gigantic(void **state)
{
	struct sim_machine_result r;
	const u64 at = 0x7ff000000000ull;

	begin();
	tape_map(&tape, at, 1ull << 30, RW, MAP_PRIVATE);
	tape_sweep(&tape, at, 64 * MIB, EVR_WRITE);
	r = played("1g");
	assert_int_equal(faults(&r), 1);
	assert_int_equal(r.count.os.faults_by_order[2], 1);
	assert_int_equal(r.count.peak_rss_bytes, 1ull << 30);
	assert_int_equal(r.count.peak_untouched_bytes, (1ull << 30) - 64 * MIB);
	end();
}

/* A hole in a 1G leaf leaves 511 leaves of 2M and one table; their untouched pages are still bloat. */
static void gigantic_split(void **state)
{
	struct sim_machine_result r;
	const u64 at = 0x7ff000000000ull;

	begin();
	tape_map(&tape, at, 1ull << 30, RW, MAP_PRIVATE);
	tape_sweep(&tape, at, 16 * PAGE_SIZE, EVR_WRITE);
	tape_range(&tape, EV_UNMAP, 0, at + 8 * MIB, PAGE_SIZE);
	tape_map(&tape, A, SIZE, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, SIZE, EVR_WRITE);
	r = played("1g");
	assert_int_equal(faults(&r), 1 + PAGES);
	assert_int_equal(r.count.peak_rss_bytes, (1ull << 30) + SIZE); /* the hole's frame is free when its block is */
	assert_int_equal(r.count.peak_untouched_bytes, (1ull << 30) - 2 * MIB - 16 * PAGE_SIZE);
	assert_int_equal(r.count.peak_partly_unmapped_bytes, PAGE_SIZE);
	end();
}

/* Of each huge page all but one 4K go: the page is held as a whole, as Linux counts it in nr_anon_partially_mapped; small
 * memory is free at once. */
static void partly_unmapped(void **state)
{
	struct sim_machine_result r;

	begin();
	tape_map(&tape, A, SIZE, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, SIZE, EVR_WRITE);
	for (u64 va = A; va < A + SIZE; va += 2 * MIB)
		tape_range(&tape, va < A + 2 * MIB ? EV_UNMAP : EV_ADVISE, va < A + 2 * MIB ? 0 : MADV_DONTNEED,
			   va + PAGE_SIZE, 2 * MIB - PAGE_SIZE);
	tape_map(&tape, A - SIZE, SIZE, RW, MAP_PRIVATE);
	tape_sweep(&tape, A - SIZE, SIZE, EVR_WRITE);
	r = played("thp");
	assert_int_equal(r.count.peak_rss_bytes, 2 * SIZE);
	assert_int_equal(r.count.peak_partly_unmapped_bytes, SIZE - 8 * PAGE_SIZE);
	sim_destroy(sim);
	r = played("4k");
	assert_int_equal(r.count.peak_rss_bytes, SIZE + 8 * PAGE_SIZE);
	assert_int_equal(r.count.peak_partly_unmapped_bytes, 0);
	end();
}

/* MADV_FREE's pages stay while memory is not short. Those that are written again are in use, as smaps' LazyFree says, too. */
static void lazily_free(void **state)
{
	for (u64 rewritten = 0; rewritten <= SIZE; rewritten += SIZE / 2) {
		struct sim_machine_result r;

		begin();
		tape_map(&tape, A, SIZE, RW, MAP_PRIVATE);
		tape_sweep(&tape, A, SIZE, EVR_WRITE);
		tape_range(&tape, EV_ADVISE, MADV_FREE, A, SIZE);
		tape_sweep(&tape, A, rewritten, EVR_WRITE);
		tape_map(&tape, A - SIZE, SIZE, RW, MAP_PRIVATE);
		tape_sweep(&tape, A - SIZE, SIZE, EVR_WRITE);
		r = played("4k");
		assert_int_equal(r.count.peak_rss_bytes, 2 * SIZE);
		assert_int_equal(r.count.peak_lazyfree_bytes, SIZE - rewritten);
		assert_int_equal(r.count.most_lazyfree_bytes, SIZE);
		end();
	}
}

/* A kernel with a higher vm.max_map_count than Linux's own 65,530 has granted them all. */
static void many_areas(void **state)
{
	struct sim_machine_result r;
	const u64 at = A - (1ull << 40), pages = 70001;

	begin();
	tape_map(&tape, at, pages * PAGE_SIZE, RW, MAP_PRIVATE);
	for (u64 i = 1; i < pages; i += 2)
		tape_range(&tape, EV_PROTECT, PROT_READ, at + i * PAGE_SIZE, PAGE_SIZE);
	r = played("4k");
	assert_true(r.count.peak_areas >= pages && r.count.peak_areas < pages + 10);
	end();
}

/* Huge memory that goes is no bloat; what is at its place later starts untouched. */
static void bloat_goes(void **state)
{
	struct sim_machine_result r;

	begin();
	tape_map(&tape, A, SIZE, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, SIZE, EVR_WRITE);
	tape_range(&tape, EV_UNMAP, 0, A, SIZE / 2);
	tape_map(&tape, A, SIZE / 2, RW, MAP_PRIVATE);
	tape_access(&tape, A, EVR_WRITE);
	tape_map(&tape, A - SIZE, SIZE, RW, MAP_PRIVATE);
	tape_sweep(&tape, A - SIZE, SIZE, EVR_WRITE);
	r = played("thp");
	assert_int_equal(faults(&r), 8 + 1 + 8);
	assert_int_equal(r.count.peak_rss_bytes, SIZE + SIZE / 2 + 2 * MIB);
	assert_int_equal(r.count.peak_untouched_bytes, 2 * MIB - PAGE_SIZE);
	end();
}

static void populate(void **state)
{
	struct sim_machine_result r;

	begin();
	tape_map(&tape, A, SIZE, RW, MAP_PRIVATE | MAP_POPULATE);
	tape_sweep(&tape, A, SIZE, EVR_WRITE);
	r = played("4k");
	assert_int_equal(faults(&r), 0);
	assert_int_equal(r.count.os.populated[VM_FAULT_ZERO_WRITE], PAGES);
	assert_int_equal(r.count.minflt, PAGES);
	end();
}

static void file_maps(void **state)
{
	struct sim_machine_result r;

	begin();
	tape_map_file(&tape, A, SIZE, PROT_READ, MAP_PRIVATE, 5, SIZE, "/data");
	tape_sweep(&tape, A, SIZE, EVR_READ);
	tape_map_file(&tape, A + SIZE, SIZE, RW, MAP_SHARED, 6, SIZE, "/shared");
	tape_sweep(&tape, A + SIZE, SIZE, EVR_WRITE);
	tape_map_file(&tape, A + 2 * SIZE, SIZE, RW, MAP_PRIVATE, 7, SIZE, "/private");
	tape_sweep(&tape, A + 2 * SIZE, SIZE, EVR_WRITE);
	r = played("4k");
	assert_int_equal(faults(&r), PAGES / 16 + PAGES + PAGES);
	assert_int_equal(r.count.os.major_faults, 0);
	assert_int_equal(all.nr_regions, 3);
	assert_string_equal(all.region[0].name, "/data");
	assert_int_equal(r.region[0].faults, PAGES / 16);
	end();
}

/* Shared anonymous memory and memfds have no fault-around: nothing is cached before its first touch. */
static void shared_memory(void **state)
{
	struct sim_machine_result r;

	begin();
	tape_map(&tape, A, SIZE, RW, MAP_SHARED);
	tape_sweep(&tape, A, SIZE, EVR_READ);
	tape_sweep(&tape, A, SIZE, EVR_WRITE);
	r = played("4k");
	assert_int_equal(faults(&r), PAGES);
	sim_destroy(sim);
	tape_free(&tape);
	begin();
	tape_map_file(&tape, A, SIZE, RW, MAP_SHARED, 9, SIZE, "/memfd:x (deleted)");
	tape_sweep(&tape, A, SIZE, EVR_READ);
	r = played("4k");
	assert_int_equal(faults(&r), PAGES);
	end();
}

static void cold_file(void **state)
{
	struct sim_machine_result r;

	begin();
	tape_map_file(&tape, A, 16 * PAGE_SIZE, PROT_READ, MAP_PRIVATE, 5, 16 * PAGE_SIZE, "/data");
	tape_sweep(&tape, A, 16 * PAGE_SIZE, EVR_READ);
	r = played("4k,page-cache=cold");
	assert_true(r.count.os.major_faults >= 1);
	assert_int_equal(r.count.minflt + r.count.os.major_faults, faults(&r));
	end();
}

static void stack(void **state)
{
	struct sim_machine_result r;

	begin();
	for (u64 i = 1; i <= 250; i++)
		tape_access(&tape, TAPE_STACK_TOP - i * PAGE_SIZE, EVR_WRITE);
	r = played("thp");
	assert_int_equal(faults(&r), 250);
	assert_int_equal(r.count.os.faults[VM_FAULT_STACK], 250 - 33);
	assert_string_equal(all.region[0].name, "[stack]");
	assert_int_equal(all.region[0].start, TAPE_STACK_TOP - 250 * PAGE_SIZE);
	assert_int_equal(all.region[0].peak_bytes, 250 * PAGE_SIZE);
	assert_int_equal(r.region[0].faults, 250);
	end();
}

static void heap(void **state)
{
	struct sim_machine_result r;

	begin();
	tape_range(&tape, EV_BRK, 0, HEAP, 100 * PAGE_SIZE);
	tape_sweep(&tape, HEAP, 100 * PAGE_SIZE, EVR_WRITE);
	tape_range(&tape, EV_BRK, 0, HEAP, 10 * PAGE_SIZE);
	tape_range(&tape, EV_BRK, 0, HEAP, 200 * PAGE_SIZE - 1);
	tape_sweep(&tape, HEAP, 200 * PAGE_SIZE, EVR_WRITE);
	r = played("4k");
	assert_int_equal(faults(&r), 100 + 190);
	assert_int_equal(all.nr_regions, 1);
	assert_int_equal(all.region[0].kind, REGION_HEAP);
	assert_int_equal(all.region[0].start, HEAP);
	assert_int_equal(all.region[0].peak_bytes, 200 * PAGE_SIZE);
	end();
}

/* exec's own faults: 3 pages of strings by get_user_pages, one page below them for the pointers, one of bss. */
static void exec_faults(void **state)
{
	struct ev_exec_done done = {
	    .sp = TAPE_STACK_TOP - 4 * PAGE_SIZE + 128,
	    .strings_start = TAPE_STACK_TOP - 3 * PAGE_SIZE + 64,
	    .strings_len = 3 * PAGE_SIZE - 72,
	    .bss_clear_start = HEAP + PAGE_SIZE - 96,
	    .bss_clear_len = 96,
	};
	struct sim_machine_result r;

	begin();
	tape_map_file(&tape, HEAP, PAGE_SIZE, RW, MAP_PRIVATE, 5, 64 * PAGE_SIZE, "/bin/x");
	tape_put(&tape, EV_EXEC_DONE, 0, &done, EV_PAYLOAD_WORDS(done));
	r = played("4k");
	assert_int_equal(r.count.os.populated[VM_FAULT_ZERO_WRITE], 3);
	assert_int_equal(faults(&r), 2);
	assert_int_equal(r.count.os.kernel_faults, 2);
	assert_int_equal(r.count.os.faults[VM_FAULT_FILE], 1);
	assert_int_equal(r.count.minflt, 5);
	end();
}

/* The kernel's reads and writes fault as the program's do, and stop at the first page that cannot be had. */
static void kernel_touches(void **state)
{
	struct sim_machine_result r;

	begin();
	tape_map(&tape, A, 8 * PAGE_SIZE, RW, MAP_PRIVATE);
	tape_range(&tape, EV_TOUCH, EVR_WRITE, A + PAGE_SIZE - 1, 2);
	tape_range(&tape, EV_TOUCH, EVR_READ, A + 2 * PAGE_SIZE, 3 * PAGE_SIZE);
	tape_range(&tape, EV_TOUCH, EVR_WRITE, A + 6 * PAGE_SIZE, 100 * PAGE_SIZE);
	tape_range(&tape, EV_TOUCH, EVR_WRITE, A, 0);
	tape_put(&tape, EV_SYSCALL, 1, NULL, 0);
	r = played("4k");
	assert_int_equal(r.count.os.faults[VM_FAULT_ZERO_WRITE], 4);
	assert_int_equal(r.count.os.faults[VM_FAULT_ZERO_READ], 3);
	assert_int_equal(r.count.os.faults[VM_FAULT_MAPERR], 1);
	assert_int_equal(r.count.os.kernel_faults, 8);
	assert_int_equal(r.count.minflt, 7);
	assert_int_equal(all.program.syscalls, 1);
	end();
}

static void remap(void **state)
{
	struct sim_machine_result r;

	begin();
	tape_map(&tape, A, SIZE, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, SIZE, EVR_WRITE);
	tape_remap(&tape, A, SIZE, A - 4 * SIZE, 2 * SIZE, MREMAP_MAYMOVE);
	tape_sweep(&tape, A - 4 * SIZE, 2 * SIZE, EVR_WRITE);
	tape_access(&tape, A, EVR_READ);
	tape_remap(&tape, A - 4 * SIZE, 2 * SIZE, A - 4 * SIZE, SIZE, 0);
	r = played("4k");
	assert_int_equal(r.count.os.faults[VM_FAULT_ZERO_WRITE], 2 * PAGES);
	assert_int_equal(r.count.os.faults[VM_FAULT_MAPERR], 1);
	sim_destroy(sim);
	r = played("thp");
	assert_int_equal(r.count.os.faults[VM_FAULT_ZERO_WRITE], 16);
	assert_int_equal(r.count.peak_untouched_bytes, 0);
	assert_int_equal(r.count.peak_rss_bytes, 2 * SIZE);
	end();
}

/* A signal is counted, maps nothing and is no minor fault; a non-canonical address is no page fault at all. A fetch
 * from an area without that right brings the page first, as Linux's access_error() has it: a minor fault, then the
 * signal. */
static void segv(void **state)
{
	struct sim_machine_result r;

	begin();
	tape_map(&tape, A, PAGE_SIZE, PROT_READ, MAP_PRIVATE);
	tape_access(&tape, A, EVR_WRITE);
	tape_access(&tape, A, EVR_FETCH);
	tape_access(&tape, 0, EVR_READ);
	tape_access(&tape, 0xffff800000000000ull, EVR_READ);
	tape_access(&tape, 0x1000000000000ull, EVR_READ);
	r = played("4k");
	assert_int_equal(r.count.os.faults[VM_FAULT_ACCERR], 2);
	assert_int_equal(r.count.os.faults[VM_FAULT_MAPERR], 2);
	assert_int_equal(r.count.os.faults[VM_FAULT_ZERO_READ], 1);
	assert_int_equal(faults(&r), 5);
	assert_int_equal(r.count.minflt, 1);
	assert_int_equal(r.count.peak_rss_bytes, 0);
	end();
}

/* ---- processes ---- */

static struct tape child;

static void child_begin(u64 pid)
{
	tape_init(&child, false);
	tape_thread(&child, pid, pid, 100);
}

static struct sim_machine_result played_two(const char *machine, struct tape *second_half)
{
	char text[64];

	snprintf(text, sizeof(text), "%s,ram=2G,check=1,oracle=1", machine);
	sim = tape_sim(text, "");
	assert_int_equal(sim_feed(sim, 0, tape.word, tape.nr), 0);
	assert_int_equal(sim_feed(sim, 1, child.word, child.nr), 0);
	if (second_half)
		assert_int_equal(sim_feed(sim, 0, second_half->word, second_half->nr), 0);
	sim_finish(sim, &all);
	assert_string_equal(all.machine[0].error, "");
	assert_int_equal(all.machine[0].count.mismatches, 0);
	tape_free(&child);
	return all.machine[0];
}

/* fork, parent writes (copy), then the child writes (reuse). */
static void fork_copies(void **state)
{
	struct sim_machine_result r;

	begin();
	tape_map(&tape, A, SIZE, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, SIZE, EVR_WRITE);
	tape_fork(&tape, 101, 0);
	tape_sweep(&tape, A, SIZE, EVR_WRITE);
	child_begin(101);
	tape_sweep(&child, A, SIZE, EVR_WRITE);
	tape_exit(&child, EVX_EXIT);
	r = played_two("4k", NULL);
	assert_int_equal(r.count.os.faults[VM_FAULT_ZERO_WRITE], PAGES);
	assert_int_equal(r.count.os.faults[VM_FAULT_COW_COPY], PAGES);
	assert_int_equal(r.count.os.faults[VM_FAULT_COW_REUSE], PAGES);
	assert_int_equal(r.count.peak_rss_bytes, 2 * SIZE);
	assert_int_equal(all.program.processes, 2);
	assert_int_equal(all.nr_regions, 1); /* the program's, of both processes */
	assert_int_equal(r.region[0].faults, 3 * PAGES);
	assert_int_equal(all.region[0].peak_bytes, SIZE);
	end();
}

/* vfork: the child writes the parent's memory, without a copy; then it becomes another program. */
static void vfork_shares(void **state)
{
	struct sim_machine_result r;
	struct tape more;

	begin();
	tape_map(&tape, A, SIZE, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, SIZE, EVR_WRITE);
	tape_fork(&tape, 101, EVF_VM);
	child_begin(101);
	tape_sweep(&child, A, SIZE, EVR_WRITE);
	{
		struct {
			struct ev_exit e;
			char name[16];
		} left = {.name = "/bin/true"};

		tape_put(&child, EV_EXIT, EVX_EXEC, &left, EV_PAYLOAD_WORDS(left));
	}
	tape_init(&more, false);
	tape_sweep(&more, A, SIZE, EVR_WRITE);
	r = played_two("4k", &more);
	tape_free(&more);
	assert_int_equal(faults(&r), PAGES);
	assert_int_equal(r.count.peak_rss_bytes, SIZE);
	assert_int_equal(all.program.execs_left, 1);
	assert_string_equal(all.program.left_names[0], "/bin/true");
	end();
}

/* Two threads on two CPUs: what one unmaps, the other's TLB must forget (the oracle watches). */
static void threads(void **state)
{
	struct sim_machine_result r;
	struct tape more;

	begin();
	tape_map(&tape, A, SIZE, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, SIZE, EVR_WRITE);
	child_begin(100);
	tape_sweep(&child, A, 32 * PAGE_SIZE, EVR_WRITE);
	tape_clock(&child, 1);
	tape_init(&more, false);
	tape_range(&more, EV_UNMAP, 0, A, SIZE);
	tape_map(&more, A, SIZE, RW, MAP_PRIVATE);
	sim = tape_sim("4k,ram=2G,check=1,oracle=1", "");
	assert_int_equal(sim_feed(sim, 0, tape.word, tape.nr), 0);
	assert_int_equal(sim_feed(sim, 1, child.word, child.nr), 0);
	assert_int_equal(sim_feed(sim, 0, more.word, more.nr), 0);
	tape_free(&child);
	tape_init(&child, false);
	tape_sweep(&child, A, 32 * PAGE_SIZE, EVR_READ);
	tape_exit(&child, EVX_EXIT);
	assert_int_equal(sim_feed(sim, 1, child.word, child.nr), 0);
	sim_finish(sim, &all);
	r = all.machine[0];
	assert_int_equal(r.count.os.faults[VM_FAULT_ZERO_WRITE], PAGES);
	assert_int_equal(r.count.os.faults[VM_FAULT_ZERO_READ], 32);
	assert_true(r.count.os.shootdowns >= 1 && r.count.os.ipis >= 1);
	assert_int_equal(all.program.threads, 2);
	assert_int_equal(all.program.processes, 1);
	tape_free(&more);
	tape_free(&child);
	end();
}

/* More threads than CPUs: they share, and each still sees its own process's memory. */
static void many_threads(void **state)
{
	begin();
	tape_map(&tape, A, SIZE, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, PAGE_SIZE, EVR_WRITE);
	for (u64 i = 1; i < 100; i++)
		tape_fork(&tape, 100 + i, 0);
	sim = tape_sim("4k,ram=1G,check=1,oracle=1", "");
	assert_int_equal(sim_feed(sim, 0, tape.word, tape.nr), 0);
	for (u64 round = 0; round < 3; round++) {
		for (u64 i = 1; i < 100; i++) {
			tape_init(&child, false);
			if (round == 0)
				tape_thread(&child, 100 + i, 100 + i, 100);
			tape_access(&child, A + (round + 1) * PAGE_SIZE, EVR_WRITE);
			if (round == 2)
				tape_exit(&child, EVX_EXIT);
			assert_int_equal(sim_feed(sim, i, child.word, child.nr), 0);
			tape_free(&child);
		}
	}
	sim_finish(sim, &all);
	assert_int_equal(all.machine[0].count.os.faults[VM_FAULT_ZERO_WRITE], 1 + 3 * 99);
	assert_int_equal(faults(&all.machine[0]), 1 + 3 * 99);
	assert_int_equal(all.program.threads, 100);
	end();
}

/* Without swap the program does not fit: on that machine it is killed, which is said in words. With swap it gets
 * through in the same RAM, and the machine that has enough is as if it were alone. */
static void out_of_memory(void **state)
{
	begin();
	tape_map(&tape, A, 64 * MIB, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, 64 * MIB, EVR_WRITE);
	tape_range(&tape, EV_UNMAP, 0, A, 64 * MIB);
	tape_fork(&tape, 101, 0);
	tape_exit(&tape, EVX_EXIT);
	sim = tape_sim("4k,ram=32M,swap=0;4k,ram=32M;4k,ram=128M", ",check=1");
	assert_int_equal(sim_feed(sim, 0, tape.word, tape.nr), 0);
	sim_finish(sim, &all);
	assert_int_equal(all.machine[0].count.os.oom_kills, 1);
	assert_non_null(strstr(all.machine[0].oom_note, "process 100 was killed for want of memory"));
	assert_int_equal(all.machine[0].count.os.swap_outs, 0);
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(all.machine[i].error, "");
	for (unsigned i = 1; i < 3; i++) {
		assert_int_equal(all.machine[i].count.os.oom_kills, 0);
		assert_int_equal(all.machine[i].count.os.faults[VM_FAULT_ZERO_WRITE], 64 * MIB / PAGE_SIZE);
	}
	assert_true(all.machine[1].count.os.swap_outs * PAGE_SIZE >= 32 * MIB);
	assert_true(all.machine[1].count.peak_rss_bytes < 32 * MIB);
	assert_int_equal(all.machine[2].count.os.swap_outs, 0);
	end();
}

/* A machine promises no more than it has: the map is refused, which is no mismatch; what is used of it is a SIGSEGV. One
 * that can hold the map promises it. */
static void overcommit(void **state)
{
	begin();
	tape_map(&tape, A, 64 * MIB, RW, MAP_PRIVATE);
	tape_sweep(&tape, A, MIB, EVR_WRITE);
	sim = tape_sim("4k,ram=32M,swap=0,overcommit=2;4k,ram=32M,swap=256M,overcommit=2;4k,ram=32M,swap=0", "");
	assert_int_equal(sim_feed(sim, 0, tape.word, tape.nr), 0);
	sim_finish(sim, &all);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(all.machine[i].count.overcommit_refused, i == 0);
		assert_int_equal(all.machine[i].count.os.faults[VM_FAULT_MAPERR], i == 0 ? MIB / PAGE_SIZE : 0);
		assert_int_equal(all.machine[i].count.mismatches, 0);
	}
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(anonymous),
	    cmocka_unit_test(overcommit),
	    cmocka_unit_test(dontneed_and_zero_page),
	    cmocka_unit_test(huge),
	    cmocka_unit_test(huge_unaligned),
	    cmocka_unit_test(gigantic),
	    cmocka_unit_test(gigantic_split),
	    cmocka_unit_test(partly_unmapped),
	    cmocka_unit_test(lazily_free),
	    cmocka_unit_test(many_areas),
	    cmocka_unit_test(bloat_goes),
	    cmocka_unit_test(populate),
	    cmocka_unit_test(file_maps),
	    cmocka_unit_test(shared_memory),
	    cmocka_unit_test(cold_file),
	    cmocka_unit_test(stack),
	    cmocka_unit_test(heap),
	    cmocka_unit_test(exec_faults),
	    cmocka_unit_test(kernel_touches),
	    cmocka_unit_test(remap),
	    cmocka_unit_test(segv),
	    cmocka_unit_test(fork_copies),
	    cmocka_unit_test(vfork_shares),
	    cmocka_unit_test(threads),
	    cmocka_unit_test(many_threads),
	    cmocka_unit_test(out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
