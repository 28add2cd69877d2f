/* SPDX-License-Identifier: MIT
 *
 * test/sim/host.c - the host's memory: what /proc and cgroups say, in folders made here; a run that cannot fit is
 * refused, and of machines that fill the host the largest stops, with a line, while the others go on.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "sim/internal.h"
#include "test/sim/tape.h"

#define A    0x7fff00000000ull
#define HEAP 0x555555560000ull
#define RW   (PROT_READ | PROT_WRITE)

static char root[] = "/tmp/quire-host-XXXXXX";

/* Makes the file `path` below root, and its folders. */
static void put(const char *path, const char *text)
{
	char name[512];
	FILE *f;

	snprintf(name, sizeof(name), "%s%s", root, path);
	for (char *at = name + strlen(root) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		mkdir(name, 0700);
		*at = '/';
	}
	f = fopen(name, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void assert_host(u64 total_mib, u64 available_mib)
{
	struct sim_host h = sim_host_memory(root);

	assert_int_equal(h.total, total_mib * MIB);
	assert_int_equal(h.available, available_mib * MIB);
}

static void what_there_is(void **state)
{
	char command[64];

	assert_non_null(mkdtemp(root));
	assert_true(sim_host_memory(root).available == ~0ull);
	put("/proc/meminfo", "MemTotal:        8388608 kB\nMemFree:  1024 kB\nMemAvailable:    4194304 kB\n");
	assert_host(8192, 4096);
	put("/proc/self/cgroup", "0::/user/me\n");
	assert_host(8192, 4096);
	put("/sys/fs/cgroup/user/me/memory.max", "max\n");
	put("/sys/fs/cgroup/user/me/memory.current", "104857600\n");
	put("/sys/fs/cgroup/user/memory.max", "1073741824\n");
	put("/sys/fs/cgroup/user/memory.current", "838860800\n");
	assert_host(1024, 224);
	put("/sys/fs/cgroup/user/memory.stat", "anon 1\ninactive_file 104857600\nactive_file 5\n");
	assert_host(1024, 324);
	put("/proc/self/cgroup", "5:cpu:/x\n4:memory:/a\n");
	put("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "536870912\n");
	put("/sys/fs/cgroup/memory/a/memory.usage_in_bytes", "603979776\n");
	assert_host(512, 0);
	snprintf(command, sizeof(command), "rm -r %s", root);
	assert_int_equal(system(command), 0);
}

static bool fits(const char *machine, u64 available_mib, char err[256])
{
	struct sim_host h = {16384 * MIB, available_mib * MIB};
	struct machine_config cfg;

	if (machine_parse(machine, NULL, &cfg, err) != 0)
		fail_msg("%s", err);
	return sim_host_fits(&cfg, 1, &h, err);
}

static void refused_at_the_start(void **state)
{
	char err[256];

	assert_true(fits("4k,ram=8T", 1024, err));
	assert_true(fits("4k,ram=64G,hugepages=16384", 1024, err));  /* 256 MiB of entries */
	assert_false(fits("4k,ram=1T,hugepages=262144", 2048, err)); /* 4 GiB */
	assert_non_null(strstr(err, "the machines take 4100 MiB"));
	assert_non_null(strstr(err, "hugepages="));
	assert_false(fits("4k,ram=1T,fragmentation=1", 2048, err));
}

static void touch_more(struct sim *s, u64 at)
{
	struct tape t;

	tape_init(&t, false);
	tape_map(&t, at, 128 * MIB, RW, MAP_PRIVATE);
	for (u64 va = at; va < at + 128 * MIB; va += PAGE_SIZE)
		tape_access(&t, va, EVR_WRITE);
	assert_int_equal(sim_feed(s, 0, t.word, t.nr), 0);
	tape_free(&t);
}

static void the_largest_stops(void **state)
{
	struct sim_host plenty = {8192 * MIB, 4096 * MIB}, none = {8192 * MIB, 10 * MIB};
	struct sim *s = tape_sim("4k;2m", ",ram=4G,check=1");
	struct sim_result r;
	struct tape t;
	u64 at = A;

	tape_begin(&t, 1, HEAP);
	assert_int_equal(sim_feed(s, 0, t.word, t.nr), 0);
	tape_free(&t);
	sim_watch_host(s, &none); /* they take next to nothing: it is not they who fill the host */
	assert_string_equal(s->machine[0].error, "");
	for (unsigned i = 0; i < 16; i++, at -= 128 * MIB)
		touch_more(s, at);
	sim_watch_host(s, &plenty);
	assert_string_equal(s->machine[0].error, "");
	sim_watch_host(s, &none); /* 2 GiB: 16 MiB of entries, and 4 MiB of tables in small pages */
	assert_non_null(strstr(s->machine[0].error, "10 MiB of memory left"));
	assert_string_equal(s->machine[1].error, "");
	touch_more(s, at);
	sim_finish(s, &r);
	assert_true(r.machine[0].count.peak_rss_bytes >= 2048 * MIB);
	assert_true(r.machine[0].count.peak_rss_bytes < 2176 * MIB);
	assert_true(r.machine[1].count.peak_rss_bytes >= 2176 * MIB);
	sim_destroy(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_there_is),
	    cmocka_unit_test(refused_at_the_start),
	    cmocka_unit_test(the_largest_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
