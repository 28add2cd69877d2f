/* SPDX-License-Identifier: MIT
 *
 * test/report/programs.c - the rows of programs and processes: what stands in them, that they add up, that they fit, and
 * that no name breaks them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/format.h"
#include "report/report.h"
#include "report/result.h"
#include "test/report/synthetic.h"

static struct synthetic syn;

static void print(FILE *out, const struct sim_result *r)
{
	report_programs(out, r, false);
}

/* Program i has 2^i instructions and faults; so has process i. The machine has their sum. */
static void fill(unsigned programs, unsigned processes)
{
	synthetic_init(&syn);
	synthetic_programs(&syn, programs, processes);
	for (unsigned i = 0; i < programs; i++) {
		syn.program[i].processes = 1;
		syn.program[i].ran = (struct sim_ran){1u << i, 2u << i, 0, 0};
		syn.program_count[i].os.faults[VM_FAULT_FILE] = 1u << i;
		syn.program_count[i].mmu.walk_faults[0] = 1u << i;
		syn.program_count[i].peak_rss_bytes = i * 4096;
		syn.machine[0].count.os.faults[VM_FAULT_FILE] += 1u << i;
		syn.machine[0].count.mmu.walk_faults[0] += 1u << i;
	}
	for (unsigned i = 0; i < processes; i++)
		syn.process_share[i].walk_faults = i;
	syn.result.show_processes = processes > 0;
}

/* Every line has at most 79 columns and no byte that a terminal takes for a command. */
static void fits(const char *text)
{
	while (*text != '\0') {
		size_t n = strcspn(text, "\n");
		char line[4096];

		assert_true(n < sizeof(line));
		memcpy(line, text, n);
		line[n] = '\0';
		if (fmt_columns(line) > 79)
			fail_msg("%u columns: %s", fmt_columns(line), line);
		for (size_t i = 0; i < n; i++)
			assert_true((unsigned char)line[i] >= 0x20 && line[i] != 0x7f);
		text += n + (text[n] == '\n');
	}
}

static char *printed(void)
{
	char *text = synthetic_text(&syn, print);

	fits(text);
	return text;
}

static void one_program_needs_no_rows(void **state)
{
	char *text;

	fill(1, 0);
	text = printed();
	assert_string_equal(text, "");
	free(text);
}

static void most_walks_first(void **state)
{
	char *text, *at;

	fill(3, 0);
	text = printed();
	at = strstr(text, "program 2");
	assert_non_null(at);
	assert_true(at < strstr(text, "program 1") && strstr(text, "program 1") < strstr(text, "program 0"));
	assert_non_null(strstr(at, " 4      8      4      4 "));
	assert_non_null(strstr(at, " 57 % 8.00 KiB\n"));
	assert_non_null(strstr(text, "machine 4k"));
	free(text);
}

/* Of 20 the first nine, and one row of 11 with all that these have. */
static void the_rest_is_one_row(void **state)
{
	char *text, *at;

	fill(20, 0);
	text = printed();
	assert_non_null(strstr(text, "program 11"));
	assert_null(strstr(text, "program 10"));
	at = strstr(text, "  11 others");
	assert_non_null(at);
	assert_non_null(strstr(at, " 11  2.05k  4.09k  2.05k  2.05k "));
	assert_non_null(strstr(at, " 0.2 % 40.0 KiB\n"));
	assert_null(strstr(at + 1, "program"));
	free(text);
	fill(10, 0);
	text = printed();
	assert_null(strstr(text, "others"));
	free(text);
}

static void processes(void **state)
{
	char *text, *at;

	fill(2, 100);
	text = printed();
	at = strstr(text, "Processes");
	assert_non_null(at);
	assert_non_null(strstr(at, "  program 1              1099       1"));
	assert_non_null(strstr(at, "  61 others"));
	free(text);
}

static void names_of_one_kind(void **state)
{
	char *text;

	fill(3, 0);
	strcpy(syn.program[0].path, "old/sort");
	strcpy(syn.program[1].path, "/usr/bin/sort");
	strcpy(syn.program[2].path, "/usr/bin/cut");
	text = printed();
	assert_non_null(strstr(text, "  old/sort  "));
	assert_non_null(strstr(text, "  /usr/bin/sort  "));
	assert_non_null(strstr(text, "  cut  "));
	free(text);
}

/* Names as long as they can be, with spaces, control characters and bytes that are no text; the greatest figures. */
static void hostile(void **state)
{
	char *text;

	fill(4, 4);
	memset(syn.program[0].path, 'x', sizeof(syn.program[0].path) - 1);
	strcpy(syn.program[1].path, "/bin/a\n\x1b[2J b\r\t\x7f\xc2\x9b"
				    "31m");
	strcpy(syn.program[2].path, "/bin/\xff\xfe\xc3");
	strcpy(syn.program[3].path, "");
	memset(&syn.program[3].ran, 0xff, sizeof(syn.program[3].ran));
	memset(&syn.program_count[3], 0xff, sizeof(syn.program_count[3]));
	memset(&syn.machine[0].count, 0xff, sizeof(syn.machine[0].count));
	memset(&syn.process[3], 0xff, sizeof(syn.process[3]));
	memset(&syn.process_share[3], 0xff, sizeof(syn.process_share[3]));
	syn.program[3].processes = ~0u;
	text = printed();
	assert_non_null(strstr(text, "\\x0a"));
	assert_null(strstr(text, "\xc2\x9b"));
	free(text);
	text = synthetic_text(&syn, report_text);
	fits(text);
	free(text);
}

/* A region says whose it is where there are several programs. */
static void regions_of(void **state)
{
	char *text, name[600];

	fill(2, 0);
	synthetic_walks(&syn, SYN_4K, REGION_HEAP, 1000000, 100);
	syn.region[REGION_HEAP].program = 1;
	text = synthetic_text(&syn, report_text);
	assert_non_null(strstr(text, ", of program 1\n"));
	free(text);
	result_region_of(name, sizeof(name), &syn.result, &syn.region[REGION_HEAP]);
	assert_string_equal(name, "[heap] of program 1");
	report_advice(name, sizeof(name), &syn.result);
	assert_non_null(strstr(name, "[heap] of program 1"));
	syn.result.nr_program_rows = 1;
	result_region_of(name, sizeof(name), &syn.result, &syn.region[REGION_HEAP]);
	assert_string_equal(name, "[heap]");
}

static void says(const char *wanted)
{
	char *text = synthetic_text(&syn, report_text), *plain = strdup(text);

	fits(text);
	for (char *c = plain; *c != '\0'; c++)
		*c = *c == '\n' ? ' ' : *c;
	if (strstr(plain, wanted) == NULL)
		fail_msg("no \"%s\" in %s", wanted, text);
	free(plain);
	free(text);
}

/* What the numbers are about, where that is not the whole run. */
static void what_is_counted(void **state)
{
	fill(1, 0);
	syn.result.running = true;
	says("sort -n numbers (still runs)");
	syn.result.measured.after_s = 2.5;
	says("--after 2.5 s has not come yet");
	syn.result.running = false;
	says("ended before --after 2.5 s: this is all that it did");
	syn.result.measured.counts = true;
	says("Counted from 2.5 s on");
	syn.result.measured.for_s = 10;
	syn.result.measured.stopped = true;
	says("Counted for 10 s; then the program was told to end.");
	strcpy(syn.result.beside.names, "sh, a\x1b[2J");
	syn.result.beside.processes = 3;
	syn.result.beside.instructions = 1234;
	says("Not counted: sh, a\\x1b[2J (3 processes, 1,234 instructions)");
	syn.result.nr_program_rows = 0;
	says("nothing is counted: see --only and --not");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_program_needs_no_rows),
	    cmocka_unit_test(most_walks_first),
	    cmocka_unit_test(the_rest_is_one_row),
	    cmocka_unit_test(processes),
	    cmocka_unit_test(names_of_one_kind),
	    cmocka_unit_test(hostile),
	    cmocka_unit_test(regions_of),
	    cmocka_unit_test(what_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
