/* SPDX-License-Identifier: MIT
 *
 * test/report/explain.c - `quire explain`: what is drawn adds up to the address again, and mistakes are refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "lib/types.h"

/* What the verb prints for these arguments (NULL: none); *status is its exit status. free() it. */
static char *run(char *a, char *b, char *c, int *status)
{
	char *argv[] = {(char *)"quire explain", a, b, c, NULL}, *text = NULL;
	size_t size;
	FILE *saved_out = stdout, *saved_err = stderr;
	int argc = 1 + (a != NULL) + (b != NULL) + (c != NULL);

	stdout = stderr = open_memstream(&text, &size);
	*status = cmd_explain(argc, argv);
	fclose(stdout);
	stdout = saved_out;
	stderr = saved_err;
	return text;
}

/* Adds the value row of one drawing up: sign, indexes of 9 bits each, offset. */
static u64 add_up(const char *row, unsigned levels, unsigned offset_bits)
{
	u64 va = 0, value;
	unsigned bits = offset_bits == 12 ? levels : offset_bits == 21 ? levels - 1 : levels - 2;

	for (unsigned i = 0; i < bits + 2; i++) {
		row = strchr(row, '|') + 1;
		value = strtoull(row, NULL, 0);
		va = va << (i == 0 ? 0 : i == bits + 1 ? offset_bits : 9) | value;
	}
	return va;
}

static void drawing_adds_up(void **state)
{
	u64 va = 0x123456789abcdef;

	for (unsigned i = 0; i < 200; i++) {
		unsigned levels = i & 1 ? 5 : 4, drawings = 0;
		char address[32], *text, *rest, *line;
		int status;

		snprintf(address, sizeof(address), i % 3 ? "%#llx" : "%llu", (unsigned long long)va);
		text = rest = run((char *)"--levels", (char *)(levels == 5 ? "5" : "4"), address, &status);
		assert_int_equal(status, 0);
		while ((line = strsep(&rest, "\n")) != NULL) {
			/* The value row is the one with a hexadecimal sign. */
			if (line[0] != '|' || strstr(line, "0x") == NULL)
				continue;
			assert_true(add_up(line, levels, 12 + 9 * drawings) == va);
			drawings++;
		}
		assert_int_equal(drawings, 3);
		free(text);
		va = va * 6364136223846793005u + 1442695040888963407u;
		if (i & 2)
			va >>= i & 63;
	}
}

static void expect_text(const char *address, const char *wanted)
{
	int status;
	char *text = run((char *)address, NULL, NULL, &status);

	if (status != 0 || strstr(text, wanted) == NULL)
		fail_msg("%s: status %d, \"%s\" is not in: %s", address, status, wanted, text);
	free(text);
}

static void canonical_form(void **state)
{
	expect_text("0x7fffffffffff", "User half");
	expect_text("0xffff800000000000", "Kernel half");
	expect_text("0x800000000000", "NOT canonical: bit 47 is 1");
	expect_text("0x800000000000", "Canonical would be 0xffff800000000000");
	expect_text("0x0000800000000000", "see --levels 5");
	expect_text("0xfeff000000000000", "NOT canonical: bit 47 is 0");
}

static void bases(void **state)
{
	expect_text("4096", "0x0000000000001000 = 4096");
	expect_text("0X1000", "= 4096");
	expect_text("ff", "= 255");
	expect_text("18446744073709551615", "0xffffffffffffffff");
}

static void mistakes(void **state)
{
	static const char *const bad[] = {"",
					  "x",
					  "0x",
					  "12g",
					  "0x12 ",
					  " 12",
					  "+5",
					  "1.5",
					  "0x-1",
					  "0x0x1",
					  "18446744073709551616",
					  "0x10000000000000000"};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		int status;
		char *text = run((char *)bad[i], NULL, NULL, &status);

		if (status != EXIT_QUIRE || strchr(text, '\n') == NULL || strchr(text, '\n')[1] != '\0')
			fail_msg("'%s': status %d, text: %s", bad[i], status, text);
		free(text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(drawing_adds_up),
	    cmocka_unit_test(canonical_form),
	    cmocka_unit_test(bases),
	    cmocka_unit_test(mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
