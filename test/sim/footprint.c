/* SPDX-License-Identifier: MIT
 *
 * test/sim/footprint.c - what a simulated machine costs its host: less than 1 % of its RAM (a struct page of 32 bytes
 * for each frame of 4096 is 0.78 %) and its page tables, whatever the program does with that RAM; data has no contents
 * here.
 *
 * The oracle is the host: resident pages in /proc/self/statm, each case in a process of its own. What does not depend
 * on RAM (TLBs, the decoder, where and when, the test) may be FIXED bytes.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/sim/tape.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#endif

#define RW    (PROT_READ | PROT_WRITE)
#define A     0x7f0000000000ull
#define GIB   (1ull << 30)
#define FIXED (8 * MIB)

static u64 resident_bytes(void)
{
	unsigned long size, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu %lu", &size, &resident), 2);
	fclose(f);
	return resident * (u64)sysconf(_SC_PAGESIZE);
}

/* Growth of this process by a machine and a program that writes `touched` bytes of it and may fork. Sets its page
 * tables.
 */
static u64 growth(const char *machine, u64 ram_gib, u64 touched, bool forks, u64 *table_bytes)
{
	char extra[32];
	struct tape tape;
	struct sim_result all;
	struct sim *s;
	u64 before, after;

	tape_begin(&tape, 100, 0x600000);
	tape_map(&tape, A, touched + MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS);
	tape_sweep(&tape, A, touched, EVR_WRITE);
	if (forks)
		tape_fork(&tape, 200, 0);
	snprintf(extra, sizeof(extra), ",ram=%lluG", (unsigned long long)ram_gib);
	before = resident_bytes();
	s = tape_sim(machine, extra);
	assert_int_equal(sim_feed(s, 0, tape.word, tape.nr), 0);
	sim_finish(s, &all);
	after = resident_bytes();
	assert_string_equal(all.machine[0].error, "");
	assert_int_equal(all.machine[0].count.os.swap_outs, 0);
	assert_true(all.machine[0].count.peak_rss_bytes >= touched);
	*table_bytes = all.machine[0].count.peak_table_bytes;
	sim_destroy(s);
	tape_free(&tape);
	return after - before;
}

static void small(const char *machine, u64 ram_gib, u64 touched, bool forks)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		u64 tables, grown, limit;

		prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); /* where huge pages come unasked, the first byte costs 2 MiB */
		grown = growth(machine, ram_gib, touched, forks, &tables);
		limit = touched / 100 + tables + FIXED + ram_gib * PAGE_SIZE; /* each free GiB is noted once */
		if (forks)                                                    /* a second mapping of a page */
			limit += touched / PAGE_SIZE * 32;

		print_message("  %s, %llu GiB of RAM, %llu MiB touched: %llu KiB, at most %llu\n", machine,
			      (unsigned long long)ram_gib, (unsigned long long)(touched / MIB),
			      (unsigned long long)(grown / 1024), (unsigned long long)(limit / 1024));
		fflush(stdout);
		_exit(grown >= limit);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void unused(void **state)
{
	static const char *const machines[] = {"4k", "thp", "2m", "1g", "4k,reclaim=mglru", "4k,kpti=on"};

	for (unsigned i = 0; i < ARRAY_SIZE(machines); i++)
		for (u64 ram_gib = 1; ram_gib <= 256; ram_gib *= 16) {
			small(machines[i], ram_gib, 0, false);
			small(machines[i], ram_gib, 8 * MIB, false);
		}
}

static void used(void **state)
{
	for (u64 ram_gib = 1; ram_gib <= 4; ram_gib *= 4) {
		small("4k", ram_gib, ram_gib * 920 * MIB, false);
		small("4k,reclaim=mglru", ram_gib, ram_gib * 920 * MIB, false);
		small("thp", ram_gib, ram_gib * 920 * MIB, false);
		small("2m", ram_gib, ram_gib * 920 * MIB, false);
	}
}

/* What checks everything looks at what is there, not at all that RAM and swap have room for. */
static void checked(void **state)
{
	static const u64 ram_gib[] = {1, 128, 8192};

	for (unsigned i = 0; i < ARRAY_SIZE(ram_gib); i++) {
		small("4k,check=1", ram_gib[i], 8 * MIB, false);
		small("thp,check=1,kpti=on", ram_gib[i], 8 * MIB, false);
	}
}

static void shared(void **state)
{
	small("4k", 1, 920 * MIB, true);
	small("thp", 1, 920 * MIB, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(unused), cmocka_unit_test(used), cmocka_unit_test(checked),
					   cmocka_unit_test(shared)};

#ifdef SANITIZED
	return 77; /* Meson's "skipped": a sanitizer's own memory would be measured */
#endif
	return cmocka_run_group_tests(tests, NULL, NULL);
}
