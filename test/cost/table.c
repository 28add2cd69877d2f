/* SPDX-License-Identifier: MIT
 *
 * test/cost/table.c - every row has all that a row needs, on every CPU; files of costs, right and wrong.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cost/cost.h"
#include "machine/device.h"
#include "mmu/mmu.h"

static void every_row_on_every_cpu(void **state)
{
	for (const struct cpu_preset *p = cpu_presets; p->name; p++) {
		struct cost_table t;

		cost_table_make(&t, p->name, NULL);
		for (unsigned id = 0; id < COST_NR; id++) {
			const struct cost *c = &t.at[id];

			if (c->least > c->most || c->most > COST_MOST || !c->source || !*c->source || !c->on || !*c->on)
				fail_msg("%s: %s", p->name, cost_kinds[id].name);
		}
		assert_true(t.at[COST_WALKS_AT_ONCE].least > 0 && t.at[COST_CLOCK].least > 0);
		for (unsigned place = 0; place < MMU_NPLACES; place++)
			assert_null(strstr(t.at[COST_WALK_L2 + place].source, "without rows of its own"));
	}
}

static void names(void **state)
{
	char name[40];

	for (unsigned id = 0; id < COST_NR; id++) {
		assert_true(strlen(cost_kinds[id].unit) > 0 && strlen(cost_kinds[id].of) > 0);
		assert_int_equal(cost_find(cost_kinds[id].name), id); /* so no two are alike */
	}
	assert_int_equal(cost_find("walk"), COST_NR);
	assert_int_equal(cost_find(""), COST_NR);
	for (unsigned i = 0; swap_devices[i].name; i++) {
		snprintf(name, sizeof(name), "%s-read", swap_devices[i].name);
		assert_int_equal(cost_find(name), COST_NVME_READ + 4 * i);
		snprintf(name, sizeof(name), "%s-write-page", swap_devices[i].name);
		assert_int_equal(cost_find(name), COST_NVME_READ + 4 * i + 3);
	}
}

/* ---- files ---- */

static char path[] = "/tmp/quire-costs-XXXXXX";
static struct cost_changes changes;
static char err[COST_ERR];

static int reads(const char *text, size_t n)
{
	FILE *out = fopen(path, "w");

	assert_int_equal(fwrite(text, 1, n, out), n);
	fclose(out);
	strcpy(err, "");
	return cost_changes_read(&changes, path, err);
}

static void refuses(const char *text, unsigned line, const char *why)
{
	char where[64];

	snprintf(where, sizeof(where), "%s:%u: ", path, line);
	assert_int_equal(reads(text, strlen(text)), -1);
	if (strncmp(err, where, strlen(where)) != 0 || !strstr(err, why) || strchr(err, '\n'))
		fail_msg("'%s' where %s...%s was expected", err, where, why);
}

static void right_files(void **state)
{
	const char text[] = "# measured\n\n  walk-l2=14 52 # a comment\r\nexception\t=\t900\t900\nclock = 2250 3500";
	struct cost_table t;

	assert_int_equal(reads(text, strlen(text)), 0);
	cost_table_make(&t, "zen4", &changes);
	assert_int_equal(t.at[COST_WALK_L2].least, 14);
	assert_int_equal(t.at[COST_WALK_L2].most, 52);
	assert_string_equal(t.at[COST_WALK_L2].source, path);
	assert_int_equal(t.at[COST_EXCEPTION].most, 900);
	assert_int_equal(t.at[COST_CLOCK].most, 3500);
	assert_int_equal(t.at[COST_L2_TLB_HIT].most, 5);
	assert_int_equal(reads("", 0), 0);
	assert_int_equal(reads("tick = 0 1000000000000\n", 23), 0);
}

static void wrong_files(void **state)
{
	char line[400];

	refuses("walk-l2 1 2", 1, "'walk-l2 1 2' is not NAME = LEAST MOST");
	refuses("\n\n= 1 2", 3, "is not NAME = LEAST MOST");
	refuses("walk step = 1 2", 1, "is not NAME = LEAST MOST");
	refuses("walks = 1 2", 1, "there is no cost 'walks'");
	refuses("tick = 1", 1, "tick: two whole numbers");
	refuses("tick = 1 2 3", 1, "tick: two whole numbers");
	refuses("tick = 1.5 2", 1, "tick: two whole numbers");
	refuses("tick = -1 2", 1, "tick: two whole numbers");
	refuses("tick = 1 1000000000001", 1, "tick: two whole numbers");
	refuses("tick = 1 99999999999999999999999999", 1, "tick: two whole numbers");
	refuses("tick = 3 2", 1, "tick: the least, 3, is more than the most, 2");
	refuses("tick = 1 2\ncr3 = 1 2\ntick = 1 2", 3, "tick is on line 1 already");
	refuses("walks-at-once = 0 2", 1, "walks-at-once cannot be 0");
	refuses("clock = 0 0", 1, "clock cannot be 0");
	refuses("\001\033[2J = 1 2", 1, "there is no cost");
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = 0;
	refuses(line, 1, "longer than 200 bytes");
	assert_int_equal(reads("tick = 1 2\n\177ELF\0\0", 17), -1);
	assert_non_null(strstr(err, ":2: a byte of 0"));
	assert_int_equal(cost_changes_read(&changes, "/tmp", err), -1);
	assert_string_equal(err, "/tmp:1: Is a directory");
	assert_int_equal(cost_changes_read(&changes, "/nowhere/costs", err), -1);
	assert_string_equal(err, "/nowhere/costs: No such file or directory");
}

/* Random bytes, and right lines with a byte changed: an answer or one printable line, and no figure out of bounds. */
static void any_bytes(void **state)
{
	u64 rng = 1;

	for (unsigned i = 0; i < 500; i++) {
		char text[64] = "walk-l2 = 14 52\nexception = 900 1000\ntick = 1 2\n";
		size_t n = strlen(text);

		for (unsigned k = 0; k < 1 + i % 4; k++) {
			rng = rng * 6364136223846793005ull + 1442695040888963407ull;
			text[(rng >> 33) % n] = (char)(rng >> 56);
		}
		if (reads(text, n) == 0)
			continue;
		for (const char *c = err; *c; c++)
			if (*c < 0x20 || *c > 0x7e)
				fail_msg("byte %d in a message", *c);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_row_on_every_cpu),
	    cmocka_unit_test(names),
	    cmocka_unit_test(right_files),
	    cmocka_unit_test(wrong_files),
	    cmocka_unit_test(any_bytes),
	};
	int failed, fd = mkstemp(path);

	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
