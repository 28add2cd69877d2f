/* SPDX-License-Identifier: MIT
 *
 * test/play/probe.c - the probes themselves: each comes to an answer, soon, and to the same one again. What the answer
 * is, is this Linux's business; but some answers go together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "play/probe.h"

#define TRIES   5
#define SOON_US 100000 /* well under 1000 on a machine that is not emulated or busy */

static u64 now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000 + (u64)t.tv_nsec / 1000;
}

static void each_answers_soon_and_the_same_again(void **state)
{
	for (enum probe_id i = 0; i < PROBE_NR; i++) {
		enum probe_answer first = probe_ask(i);
		u64 best = ~0ull;

		for (unsigned n = 0; n < TRIES; n++) {
			u64 start = now_us();
			enum probe_answer again = probe_ask(i);

			best = min(best, now_us() - start);
			if (again != first)
				fail_msg("%s: %s, then %s", probe_table[i].name, probe_answer_name(first),
					 probe_answer_name(again));
		}
		print_message("%s=%s: %llu us\n", probe_table[i].name, probe_answer_name(first),
			      (unsigned long long)best);
		assert_true(best <= SOON_US);
		assert_int_equal(host_has(i), first == PROBE_YES);
	}
}

/* Who asks may have mapped what the probes use. */
static void the_asker_is_not_in_the_way(void **state)
{
	void *at = (void *)0x200000000000;
	enum probe_answer before = probe_ask(PROBE_MREMAP_SEVERAL);

	assert_int_not_equal(before, PROBE_UNKNOWN);
	assert_ptr_equal(mmap(at, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), at);
	assert_int_equal(probe_ask(PROBE_MREMAP_SEVERAL), before);
	assert_int_equal(munmap(at, 1 << 20), 0);
}

static void each_has_a_name_of_its_own(void **state)
{
	for (int i = 0; i < PROBE_NR; i++) {
		assert_int_equal(probe_find(probe_table[i].name), i);
		assert_int_equal(strspn(probe_table[i].name, "abcdefghijklmnopqrstuvwxyz0123456789_"),
				 strlen(probe_table[i].name));
		assert_true(strlen(probe_table[i].sentence) > 10);
	}
	assert_int_equal(probe_find("no_such_property"), -1);
}

/* The processor says itself what its addresses are, and its protection keys, where the kernel uses them. */
static void agrees_with_cpuinfo(void **state)
{
	FILE *f = fopen("/proc/cpuinfo", "r");
	char line[8192];
	bool la57 = false, ospke = false;

	if (!f)
		skip();
	while (fgets(line, sizeof(line), f)) {
		la57 |= strstr(line, " la57 ") != NULL;
		ospke |= strstr(line, " ospke ") != NULL;
	}
	fclose(f);
	assert_int_equal(host_has(PROBE_LA57), la57);
	if (probe_ask(PROBE_EXEC_ONLY_KEY) != PROBE_UNKNOWN)
		assert_int_equal(host_has(PROBE_EXEC_ONLY_KEY), ospke);
}

/* What /sys says of huge pages, when it is there. */
static void agrees_with_sys(void **state)
{
	FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
	char line[128] = "";

	if (!f || !fgets(line, sizeof(line), f))
		skip();
	fclose(f);
	assert_int_equal(host_has(PROBE_HUGE_UNASKED), strstr(line, "[always]") != NULL);
	assert_int_equal(host_has(PROBE_HUGE_ADVISED), strstr(line, "[never]") == NULL);
}

static void the_folder_is_there(void **state)
{
	assert_int_equal(access(host_file_folder(), W_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_answers_soon_and_the_same_again),
	    cmocka_unit_test(each_has_a_name_of_its_own),
	    cmocka_unit_test(the_asker_is_not_in_the_way),
	    cmocka_unit_test(agrees_with_cpuinfo),
	    cmocka_unit_test(agrees_with_sys),
	    cmocka_unit_test(the_folder_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
