/* SPDX-License-Identifier: MIT
 *
 * test/report/text.c - the text report: numbers as people read them, columns that line up, rows that are left out.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/format.h"
#include "report/report.h"
#include "test/report/synthetic.h"

static struct synthetic syn;

/* A value is right when reading it back gives the number again, to the digits that are shown. */
static double read_back(const char *text)
{
	static const char suffix[] = "kMGTPE";
	double x = 0, scale = 1, places = 0;

	for (; *text != '\0'; text++) {
		const char *at = strchr(suffix, *text);

		if (*text >= '0' && *text <= '9') {
			x = x * 10 + (*text - '0');
			places *= 10;
		} else if (*text == '.') {
			places = 1;
		} else if (*text != ',') {
			assert_non_null(at);
			for (long i = 0; i <= at - suffix; i++)
				scale *= 1000;
		}
	}
	return x / (places != 0 ? places : 1) * scale;
}

static void counts_read_back(void **state)
{
	u64 n = 1;

	for (unsigned i = 0; i < 20000; i++) {
		double wanted = (double)(n >> (i & 63));

		assert_true(strlen(fmt_short(n >> (i & 63)).s) <= 5);
		assert_true(__builtin_fabs(read_back(fmt_short(n >> (i & 63)).s) - wanted) <= wanted * 0.00501);
		assert_true(__builtin_fabs(read_back(fmt_count(n >> (i & 63)).s) - wanted) <=
			    (wanted < 1e7 ? 0 : wanted * 0.00501));
		n = n * 6364136223846793005u + 1442695040888963407u;
	}
}

static void edges(void **state)
{
	assert_string_equal(fmt_short(999).s, "999");
	assert_string_equal(fmt_short(1000).s, "1.00k");
	assert_string_equal(fmt_short(999499).s, "999k");
	assert_string_equal(fmt_short(999500).s, "1.00M");
	assert_string_equal(fmt_short(~0ull).s, "18.4E");
	assert_string_equal(fmt_count(9999999).s, "9,999,999");
	assert_string_equal(fmt_count(10000000).s, "10.0M");
	assert_string_equal(fmt_count(1000001).s, "1,000,001");
	assert_string_equal(fmt_bytes(0).s, "0 B");
	assert_string_equal(fmt_bytes(4096).s, "4.00 KiB");
	assert_string_equal(fmt_bytes(1023ull << 20).s, "1.00 GiB");
	assert_string_equal(fmt_time(0).s, "0 ns");
	assert_string_equal(fmt_time(850).s, "850 ns");
	assert_string_equal(fmt_time(85000).s, "85.0 us");
	assert_string_equal(fmt_time(999600).s, "1.00 ms");
	assert_string_equal(fmt_time(196700000000ull).s, "197 s");
	assert_string_equal(fmt_time(12345000000000ull).s, "12345 s");
	assert_string_equal(fmt_ratio(0).s, "0");
	assert_string_equal(fmt_time(123456000000000ull).s, "123k s");
	assert_string_equal(fmt_ratio(0.0009).s, "~0");
	assert_string_equal(fmt_ratio(0.0123).s, ".012");
	assert_string_equal(fmt_ratio(12.34).s, "12.3");
	assert_string_equal(fmt_ratio(1000).s, "1000");
	assert_string_equal(fmt_ratio(123456).s, "123k");
	assert_string_equal(fmt_percent(0, 0).s, "-");
	assert_string_equal(fmt_percent(0, 5).s, "0 %");
	assert_string_equal(fmt_percent(1, 100000).s, "<0.1 %");
	assert_string_equal(fmt_percent(1, 3).s, "33 %");
	assert_string_equal(fmt_percent(99994, 1000).s, "9999 %");
	assert_string_equal(fmt_percent(99996, 1000).s, "10k %");
	assert_string_equal(fmt_percent(960000, 96).s, "1M %");
	assert_string_equal(fmt_signal(SIGSEGV).s, "SIGSEGV");
	assert_string_equal(fmt_signal(40).s, "signal 40");
	assert_int_equal(fmt_columns("na\xc3\xafve"), 5);
}

/* What the report's columns are reckoned from: nothing is longer than format.h says. */
static void at_most_so_long(void **state)
{
	u64 n = 88172645463325252ull;

	for (unsigned i = 0; i < 200000; i++) {
		u64 value = n >> (i & 63), other = (n * 31) >> (i / 64 & 63);

		assert_true(strlen(fmt_count(value).s) <= 9);
		assert_true(strlen(fmt_short(value).s) <= 5);
		assert_true(strlen(fmt_bytes(value).s) <= 8);
		assert_true(strlen(fmt_time(value).s) <= 8);
		assert_true(strlen(fmt_percent(value, other).s) <= 6);
		assert_true(strlen(fmt_ratio((double)value / (double)(other + 1)).s) <= 4);
		assert_true(strlen(fmt_ratio((double)value * 1000).s) <= 4);
		n ^= n << 13;
		n ^= n >> 7;
		n ^= n << 17;
	}
}

/* No line wider than width, every word there and in order. */
static void wrapping(void **state)
{
	static const char words[] = "one two  three four-and-a-half five 6 7 eight nine ten";
	char *text, *line, *rest, joined[sizeof(words)] = "";
	size_t size;

	for (unsigned width = 17; width < 60; width++) {
		FILE *out = open_memstream(&text, &size);

		fmt_wrap(out, 2, width, words);
		fclose(out);
		joined[0] = '\0';
		for (rest = text; (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
			assert_true(strlen(line) <= width);
			assert_memory_equal(line, "  ", 2);
			strcat(joined, line + 1);
		}
		assert_string_equal(joined, " one two three four-and-a-half five 6 7 eight nine ten");
		free(text);
	}
}

/* Of 1..8 machines: nothing wider than 80 columns, every machine has its figure, in tables of four columns; beyond five
 * machines each is a row. */
static void columns(void **state)
{
	for (unsigned nr = 1; nr <= SYN_MACHINES; nr++) {
		unsigned tables = 0, cells = 0, rows = 0;
		char *text, *rest, *line;

		synthetic_fill(&syn);
		syn.result.nr_machines = nr;
		rest = text = synthetic_text(&syn, report_text);
		while ((line = strsep(&rest, "\n")) != NULL) {
			if (strcmp(line, "Advice") == 0)
				break; /* a setting to copy stays in one piece, however long */
			assert_true(strlen(line) <= 80);
			assert_null(strchr(line, '\033'));
			tables += strncmp(line, "TLB misses", 10) == 0;
			rows += strstr(line, "8,888,888") != NULL && line[0] != ' ';
			if (strncmp(line, "  zero-filled, write", 20) != 0)
				continue;
			assert_int_equal((strlen(line) - 26) % 13, 0);
			for (char *at = line; (at = strstr(at, "8,888,888")) != NULL; at++)
				cells++;
		}
		assert_int_equal(tables, nr <= 5 ? (nr + 3) / 4 : 0);
		assert_int_equal(cells, nr <= 5 ? nr : 0);
		assert_int_equal(rows, nr <= 5 ? tables : nr); /* "Page faults", or the machine's */
		free(text);
	}
}

/* The rows of the table that text begins with, or of the next one, hold blanks where a column begins, and each cell
 * ends as its kind does. Returns how many rows. */
static unsigned check_cells(char *text, unsigned nr_machines)
{
	bool turned = nr_machines > 5, costs = false;
	unsigned rows = 0, tables = 0, columns = 0, label = turned ? 24 : 26, width = turned ? 11 : 13;
	unsigned each = (nr_machines + (nr_machines + 3) / 4 - 1) / ((nr_machines + 3) / 4);
	char *line;

	while ((line = strsep(&text, "\n")) != NULL && strcmp(line, "Advice") != 0) {
		size_t len = strlen(line);

		if (len == 0 && !costs) { /* the first table is of costs: costs_line_up() */
			costs = true;
		} else if (len == 0) {
			columns = turned ? 5 : tables == 0 ? each : nr_machines - each;
			tables++;
		}
		if (columns == 0 || len != label + width * columns || strncmp(line, "    0x", 6) == 0)
			continue;
		rows++;
		for (unsigned i = 0; i < columns; i++) {
			char last = line[label + width * (i + 1) - 1];

			if (line[label + width * i] != ' ' || last == ' ' || last == '.')
				fail_msg("columns touch, or are cut: %s", line);
			if (strncmp(line, "  L1", 4) == 0 || strncmp(line, "  L2", 4) == 0)
				assert_int_equal(last, ')');
			if (strncmp(line, "  [heap]", 8) == 0)
				assert_true(last == '%' || last == 'x' || last == '-');
		}
	}
	return rows;
}

/* Every counter at once at each of these, over each number of instructions and at any number of machines. */
static void columns_never_touch(void **state)
{
	static const u64 extremes[] = {0, 1, 999, 5230, 99950, 999499, 9999999, 10000000, 123456789012, ~0ull};
	static const u64 instructions[] = {0, 1, 1000, 987654321, ~0ull};

	for (unsigned at = 0; at < ARRAY_SIZE(extremes) * ARRAY_SIZE(instructions) * SYN_MACHINES; at++) {
		unsigned nr = at % SYN_MACHINES + 1;
		u64 value = extremes[at / SYN_MACHINES % ARRAY_SIZE(extremes)];
		char *text;

		synthetic_fill(&syn);
		syn.result.nr_machines = nr;
		syn.result.program.instructions = instructions[at / SYN_MACHINES / ARRAY_SIZE(extremes)];
		for (unsigned i = 0; i < nr; i++) {
			u64 *count = (u64 *)&syn.machine[i].count;

			syn.machine[i].cfg.kpti = true;
			for (unsigned k = 0; k < sizeof(syn.machine[i].count) / sizeof(u64); k++)
				count[k] = i == 0 ? extremes[(k + at) % ARRAY_SIZE(extremes)] : value;
			for (unsigned k = 0; k < SYN_REGIONS; k++)
				syn.machine[i].region[k].walks[0] = i == 0 ? 96 + k : value;
			syn.machine[i].count.mismatches = i; /* so none is another */
		}
		text = synthetic_text(&syn, report_text);
		assert_true(check_cells(text, nr) >= (nr <= 5 ? 20 : nr + 1));
		free(text);
	}
}

/* Labels and the values of keys fit their columns. */
static void every_row_fits(void **state)
{
	for (const struct counter_row *row = machine_counter_rows; row->sentence; row++)
		if (row->label && row->as != COUNTER_HEADING)
			assert_true(strlen(row->label) <= 26);
	for (const struct machine_key *k = machine_keys; k->name; k++) {
		char range[MACHINE_ERR], *rest = range, *word;

		assert_true(strlen(k->name) <= 26);
		machine_key_range(k, range, sizeof(range));
		if (k->type == KEY_SIZE || k->type == KEY_NUMBER || k->type == KEY_SHARE)
			continue; /* at most 12 digits, and what fmt_bytes gives */
		while ((word = strsep(&rest, ",")) != NULL)
			assert_true(strlen(word) - (*word == ' ') <= 12);
	}
}

static void name_machines(const char *const *names, unsigned nr)
{
	struct machine_config standard;
	char err[MACHINE_ERR];

	machine_config_default(&standard);
	standard.ram_bytes = 16ull << 30;
	syn.result.nr_machines = nr;
	for (unsigned i = 0; i < nr; i++)
		assert_int_equal(machine_parse(names[i], &standard, &syn.machine[i].cfg, err), 0);
}

/* Machines of one first word are told apart by the keys in which they differ, and by no others. */
static void told_apart(void **state)
{
	static const char *const four[] = {"4k", "4k,kpti=on", "4k,pcid=off,kpti=on", "thp,kpti=on,hz=250"};
	static const char *const sizes[] = {"4k", "thp,ram=2G"};
	char *text, row[100];

	synthetic_fill(&syn);
	name_machines(four, 4);
	strcpy(syn.machine[1].error, "it was enough");
	strcpy(syn.machine[3].error, "it was, too");
	text = synthetic_text(&syn, report_text);
	snprintf(row, sizeof(row), "%-26s%13s%13s%13s%13s\n", "", "4k", "4k", "4k", "thp");
	assert_non_null(strstr(text, row));
	snprintf(row, sizeof(row), "%-26s%13s%13s%13s%13s\n", "kpti", "off", "on", "on", "on");
	assert_non_null(strstr(text, row));
	snprintf(row, sizeof(row), "%-26s%13s%13s%13s%13s\n", "pcid", "on", "on", "off", "on");
	assert_non_null(strstr(text, row));
	assert_null(strstr(text, "hz"));
	assert_non_null(strstr(text, "machine 4k,kpti=on stopped"));
	assert_non_null(strstr(text, "machine thp stopped"));
	assert_non_null(strstr(text, "Simulated CPU: zen3, RAM: 16.0 GiB\n"));
	free(text);

	synthetic_fill(&syn);
	name_machines(sizes, 2);
	text = synthetic_text(&syn, report_text);
	assert_non_null(strstr(text, "Simulated CPU: zen3\n"));
	snprintf(row, sizeof(row), "%-26s%13s%13s\n", "ram", "16.0 GiB", "2.00 GiB");
	assert_non_null(strstr(text, row));
	assert_null(strstr(text, "\nswap "));
	free(text);
}

/* The answer is the first line. How the program ended is behind its words, and in them is nothing that a terminal would
 * obey. */
static void first_lines(void **state)
{
	char *argv[] = {(char *)"./a\033b", (char *)"x\ny z", (char *)"it's", (char *)"", (char *)"-n", NULL};
	char *text;

	synthetic_fill(&syn);
	syn.result.argv = argv;
	syn.result.exit_status = 139;
	syn.result.signal = SIGSEGV;
	text = synthetic_text(&syn, report_text);
	assert_non_null(strstr(text, "\nquire run: ./a\\x1bb 'x\\x0ay z' 'it'\\''s' '' -n (killed by SIGSEGV)\n"));
	free(text);
	syn.result.core_dumped = true;
	text = synthetic_text(&syn, report_text);
	assert_non_null(strstr(text, "(killed by SIGSEGV, core dumped)\n"));
	free(text);
}

/* Costs as large and as small as they come: up to five machines are columns, more are rows; nothing is wider than 79, each
 * cell ends where its column does, and what is a rounding everywhere is one row. */
static void costs_line_up(void **state)
{
	static const u64 extremes[] = {0, 1, 994, 995, 9949999, 99499999, 999499999, 123456789012345678, ~0ull};

	for (unsigned at = 0; at < ARRAY_SIZE(extremes) * SYN_MACHINES; at++) {
		unsigned nr = at % SYN_MACHINES + 1, label = nr < 5 ? 26 : 24, width = nr < 5 ? 13 : 11, rows = 0;
		u64 value = extremes[at / SYN_MACHINES];
		char *text, *line, *rest;

		synthetic_init(&syn);
		syn.result.nr_machines = nr;
		for (unsigned i = 0; i < nr; i++) {
			syn.machine[i].count.os.faults[VM_FAULT_ZERO_WRITE] = value;
			syn.machine[i].count.forks = value / 3;
			syn.machine[i].count.kernel_entries[KERNEL_SYSCALL] = value / 10000000;
			syn.machine[i].count.mismatches = i; /* so none is another */
		}
		synthetic_price(&syn);
		text = synthetic_text(&syn, report_text);
		assert_int_equal(strstr(text, "\nOther causes") != NULL, nr <= 5 && value / 10000000 > 0);
		rest = strstr(text, "\nCost in cycles") + 1;
		while ((line = strsep(&rest, "\n")) != NULL && strncmp(line, "  The ", 6) != 0) {
			unsigned columns = nr <= 5 ? nr : 5;

			rows++;
			assert_int_equal(strlen(line), label + columns * width);
			assert_true(strlen(line) <= 79);
			for (unsigned i = 0; i < columns; i++)
				assert_true(line[label + i * width] == ' ' && line[label + (i + 1) * width - 1] != ' ');
		}
		assert_true(nr > 5 ? rows == nr + 1 : rows >= 3 + (value > 0));
		free(text);
	}
}

/* Machines with the same figures are one column, and a line says which; one more walk makes another. */
static void equal_columns(void **state)
{
	char *text, row[100];

	synthetic_fill(&syn);
	for (unsigned i = SYN_2M; i <= SYN_1G; i++) {
		syn.machine[i].count = syn.machine[i - 2].count;
		memcpy(syn.region_result[i], syn.region_result[i - 2], sizeof(syn.region_result[i]));
	}
	text = synthetic_text(&syn, report_text);
	snprintf(row, sizeof(row), "\n%-26s%13s%13s\n", "Cost in cycles", "4k", "thp");
	assert_non_null(strstr(text, row));
	snprintf(row, sizeof(row), "\n%-26s%13s%13s\n", "", "4k", "thp");
	assert_non_null(strstr(text, row));
	assert_non_null(strstr(text, "\nEqual in every figure, and so one column: 4k = 2m, thp = 1g.\n"));
	free(text);
	syn.region_result[SYN_1G][3].walks[1]++;
	text = synthetic_text(&syn, report_text);
	assert_non_null(strstr(text, "\nEqual in every figure, and so one column: 4k = 2m.\n"));
	free(text);
}

static void many_equal_columns(void **state)
{
	char *text;

	synthetic_init(&syn);
	syn.result.nr_machines = SYN_MACHINES;
	text = synthetic_text(&syn, report_text);
	assert_non_null(strstr(text, "one column: 4k"));
	assert_non_null(strstr(text, " and 1 more.\n"));
	free(text);
}

/* The column that is this computer's setting has a star; where none is, its name is said. */
static void starred(void **state)
{
	char *text, row[100];

	synthetic_fill(&syn);
	text = synthetic_text(&syn, report_text);
	assert_null(strchr(text, '*'));
	free(text);
	syn.result.host = (struct machine_host){.known = true, .thp = VM_THP_MADVISE, .pcid = true};
	text = synthetic_text(&syn, report_text);
	snprintf(row, sizeof(row), "\n%-26s%13s%13s%13s%13s\n", "Cost in cycles", "4k*", "thp", "2m", "1g");
	assert_non_null(strstr(text, row));
	assert_non_null(
	    strstr(text, "\n*: set as this computer is today: transparent huge pages madvise (nothing here"));
	free(text);
	syn.region[2].madvised = true;
	text = synthetic_text(&syn, report_text);
	assert_null(strstr(text, "4k*"));
	assert_non_null(strstr(text, "\nNo column is set as this computer is today: --machine madvise would be.\n"));
	free(text);
	syn.result.host.thp = VM_THP_ALWAYS;
	text = synthetic_text(&syn, report_text);
	assert_non_null(strstr(text, "thp*"));
	free(text);
	syn.result.host = (struct machine_host){.known = true, .thp = VM_THP_NEVER, .kpti = true};
	text = synthetic_text(&syn, report_text);
	assert_non_null(strstr(text, "4k,kpti=on,pcid=off would"));
	free(text);
}

/* What is left of walks where there are more than before: times, not thousands of percents. */
static void more_than_before(void **state)
{
	char *text;

	assert_string_equal(fmt_left(1, 0).s, "-");
	assert_string_equal(fmt_left(199, 100).s, "199 %");
	assert_string_equal(fmt_left(200, 100).s, "2.0x");
	assert_string_equal(fmt_left(47108, 100).s, "471x");
	assert_string_equal(fmt_left(~0ull, 1).s, ">9999x");
	synthetic_fill(&syn);
	synthetic_walks(&syn, SYN_THP, REGION_HEAP, 4 * syn.region_result[SYN_4K][REGION_HEAP].walks[0], 1);
	text = synthetic_text(&syn, report_text);
	assert_non_null(strstr(text, " 4.5x "));
	free(text);
}

/* What the share is of: a time that is known, and whose; or the instructions, and why that is wide. */
static void shares(void **state)
{
	static const struct cost_changes own;
	char *text;

	synthetic_init(&syn);
	synthetic_walks(&syn, SYN_4K, REGION_HEAP, 10000000, 30);
	text = synthetic_text(&syn, report_text);
	assert_non_null(strstr(text, "Share of time, guessed        7.0..55 %          0 %\n"));
	assert_non_null(strstr(text, "The program's time is not known: its own work is taken as 250M to 4.00G\n"));
	free(text);
	syn.result.native = (struct sim_native){.cpu_ns = 1000000000}; /* 3 G cycles */
	text = synthetic_text(&syn, report_text);
	assert_int_equal(strncmp(text, "Virtual memory takes 10 % of this program's time with 4K pages;", 62), 0);
	assert_non_null(strstr(text, "Share of time                      10 %"));
	assert_non_null(strstr(text, "The time is 1.00 s of CPU, as --time says; it is taken for machine 4k."));
	free(text);
	syn.result.native.measured = true;
	syn.result.host =
	    (struct machine_host){.known = true, .thp = VM_THP_ALWAYS}; /* then 3 G are thp's, and 3.3 G 4k's */
	text = synthetic_text(&syn, report_text);
	assert_int_equal(strncmp(text, "Virtual memory takes 9.1 % of this program's time with 4K pages;", 64), 0);
	assert_non_null(strstr(text, "measured in one native run; it is taken for\n  machine thp."));
	assert_null(strstr(text, "more than that"));
	free(text);
	syn.result.host = (struct machine_host){.is_virtual = true};
	text = synthetic_text(&syn, report_text);
	assert_non_null(strstr(text, "\n  This computer is a virtual machine, where faults and walks may cost more"));
	free(text);
	syn.machine[0].cfg.costs = &own; /* as --costs says */
	text = synthetic_text(&syn, report_text);
	assert_null(strstr(text, "virtual machine"));
	free(text);
	syn.result.native = (struct sim_native){.cpu_ns = 50000000}; /* half of what the walks cost */
	text = synthetic_text(&syn, report_text);
	assert_int_equal(strncmp(text, "Virtual memory costs ", 21), 0);
	assert_non_null(strstr(text, "cycles (more than this program's"));
	assert_non_null(strstr(text, "But the costs come to more than that"));
	free(text);
}

static void zero_rows_are_left_out(void **state)
{
	char *text, row[100];

	synthetic_fill(&syn);
	text = synthetic_text(&syn, report_text);
	assert_null(strstr(text, "SIGBUS"));
	assert_null(strstr(text, "1G pages"));
	free(text);
	syn.machine[SYN_1G].count.os.faults[VM_FAULT_BUS] = 1;
	syn.machine[SYN_1G].count.os.faults_by_order[2] = 1;
	text = synthetic_text(&syn, report_text);
	snprintf(row, sizeof(row), "%-26s%13s%13s%13s%13s\n", "  SIGBUS", "0", "0", "0", "1");
	assert_non_null(strstr(text, row));
	assert_non_null(strstr(text, "1G pages"));
	free(text);
}

static void notes(void **state)
{
	char *text;

	synthetic_fill(&syn);
	syn.result.exit_status = 137;
	syn.result.program.execs_left = 3;
	for (unsigned i = 0; i < 3; i++)
		strcpy(syn.result.program.left_names[i], i == 1 ? "/bin/sh" : "/bin/ls");
	syn.result.program.lost = 1;
	syn.result.program.malformed = 2;
	syn.result.program.dropped[EV_TOUCH] = 2000;
	syn.result.program.dropped[EV_MAP] = 1;
	syn.machine[SYN_THP].count.mismatches = 3;
	strcpy(syn.machine[SYN_2M].error, "out of memory at 16 GiB");
	text = synthetic_text(&syn, report_text);
	assert_non_null(strstr(text, "(exit status 137)"));
	assert_non_null(
	    strstr(text, "3 processes called execve and left the simulation there: /bin/ls (2),\n/bin/sh.\n"));
	assert_non_null(strstr(text, "1 thread was killed"));
	assert_non_null(strstr(text, "2 streams of events broke off malformed"));
	assert_non_null(strstr(text, "2,001 events made no sense and were left out (2,000 touch, 1 map)"));
	assert_non_null(strstr(text, "machine thp and this Linux disagreed 3 times"));
	assert_non_null(strstr(text, "machine 2m stopped early"));
	assert_null(strstr(text, "KPTI"));
	free(text);
}

/* What was not done as Linux would is named; what QEMU refuses to every C library is not. Areas near their limit, too. */
static void refused(void **state)
{
	static const struct sim_refused made[] = {
	    {"clone3", 0, ENOSYS, 1},      {"madvise", 102, EINVAL, 1234},
	    {"mmap", 0x22, EOPNOTSUPP, 1}, {"prctl", 41, EINVAL, 1},
	    {"999", 0, ENOSYS, 2},         {"madvise", 21, 0, 3},
	    {"ioctl", 0x5401, ENOSYS, 1},  {"x", 0, 4000, 1},
	};
	char joined[4096] = "", *text, *rest, *line;

	synthetic_fill(&syn);
	text = synthetic_text(&syn, report_text);
	assert_null(strstr(text, "asked for, and not done"));
	free(text);
	syn.result.program.nr_refused = 1;
	memcpy(syn.result.program.refused, made, sizeof(made));
	text = synthetic_text(&syn, report_text);
	assert_null(strstr(text, "asked for, and not done"));
	free(text);
	syn.result.program.nr_refused = ARRAY_SIZE(made);
	syn.result.program.refused_more = 5;
	syn.result.program.max_map_count = 65530;
	syn.machine[SYN_THP].count.peak_areas = 60000;
	rest = text = synthetic_text(&syn, report_text);
	while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
		assert_true(strlen(line) <= 79);
		strcat(strcat(joined, line), " ");
	}
	assert_non_null(strstr(joined,
			       "Note: asked for, and not done here, though Linux may do it: madvise 102, 1,234 times "
			       "(EINVAL); mmap 0x22 (EOPNOTSUPP); prctl 41 (EINVAL); 999, 2 times (ENOSYS); "
			       "madvise 21, 3 times (said to be done); ioctl 0x5401 (ENOSYS); x (an unknown "
			       "error); and 5 calls more."));
	assert_non_null(strstr(joined, "a process had 60,000 areas, and this Linux allows it 65,530 "));
	free(text);
}

/* Short of memory: what waiting and swap come to, which devices and policies, and who was killed. */
static void short_of_memory(void **state)
{
	char *text;

	synthetic_fill(&syn);
	text = synthetic_text(&syn, report_text);
	assert_null(strstr(text, "Swap:"));
	assert_null(strstr(text, "Waiting for reads"));
	free(text);
	for (unsigned i = 0; i < 4; i++) {
		syn.machine[i].cfg.swap_bytes = 1ull << 30;
		syn.machine[i].cfg.swap_device = swap_device_find(i == SYN_2M ? "hdd" : "nvme");
		syn.machine[i].cfg.reclaim = i == SYN_2M ? VM_RECLAIM_CLOCK : VM_RECLAIM_LRU2;
	}
	syn.machine[SYN_4K].count.peak_swap_bytes = 779ull << 20;
	syn.machine[SYN_4K].count.io_wait_ns = 196700000000ull;
	syn.machine[SYN_THP].count.os.oom_kills = 2;
	strcpy(syn.machine[SYN_THP].oom_note, "process 1 was killed");
	text = synthetic_text(&syn, report_text);
	assert_non_null(strstr(text, "Swap: 4k 1.00 GiB on nvme; thp 1.00 GiB on nvme; 2m 1.00 GiB on hdd;"));
	assert_non_null(strstr(text, "  in swap                       779 MiB"));
	assert_non_null(strstr(text, "Waiting for reads                 197 s"));
	assert_non_null(strstr(text, "on machine thp process 1 was killed. Its figures"));
	free(text);
	for (unsigned i = 0; i < 4; i++) {
		syn.machine[i].cfg.swap_device = swap_device_find("zram");
		syn.machine[i].cfg.reclaim = VM_RECLAIM_LRU2;
	}
	text = synthetic_text(&syn, report_text);
	assert_non_null(strstr(text, "\nSwap: 1.00 GiB on zram, reclaim: lru2\n"));
	free(text);
}

/* What kernel entries cost: ranges, and the word about CPUs that need no KPTI, once and only for them. */
static void kernel_entries(void **state)
{
	char *text;

	synthetic_fill(&syn);
	syn.result.nr_machines = 2;
	for (unsigned i = 0; i < 2; i++) {
		struct sim_machine_result *m = &syn.machine[i];

		m->cfg.kpti = true;
		m->count.kernel_entries[KERNEL_SYSCALL] = 700;
		m->count.kernel_entries[KERNEL_FAULT] = 77;
		m->count.mmu.cr3_loads = 1554;
	}
	text = synthetic_text(&syn, report_text);
	assert_non_null(strstr(text, "Kernel entries                      777          777\n"));
	assert_non_null(strstr(text, "CR3 loads                         1,554        1,554\n"));
	assert_non_null(strstr(text, "zen3 without KPTI"));
	assert_null(strstr(strstr(text, "without KPTI") + 1, "without KPTI"));
	free(text);
	syn.machine[0].cfg.preset = syn.machine[1].cfg.preset = cpu_preset_find("skylake");
	text = synthetic_text(&syn, report_text);
	assert_null(strstr(text, "without KPTI"));
	free(text);
}

/* A line of the text that begins so, NUL-terminated; "" where there is none. */
static const char *line_of(const char *text, const char *begins)
{
	static char line[400];
	const char *at = strstr(text, begins);

	snprintf(line, sizeof(line), "%.*s", at ? (int)strcspn(at, "\n") : 0, at ? at : "");
	return line;
}

static unsigned count_of(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)) != NULL; text += strlen(what))
		n++;
	return n;
}

/* Half of the run has an eighth of the memory; faults are in its first eighth; 2M pages only thp has; nothing is swapped. */
static void time_line(void **state)
{
	char *text;
	unsigned width;

	synthetic_fill(&syn);
	setenv("LC_ALL", "C.UTF-8", 1); /* a file is the same everywhere */
	synthetic_slices(&syn, 7);
	text = synthetic_text(&syn, report_text);
	assert_null(strstr(text, "Over the run")); /* too few to see anything */
	free(text);
	synthetic_slices(&syn, 64);
	text = synthetic_text(&syn, report_text);
	assert_null(strstr(text, "Over the run")); /* nothing changes */
	free(text);
	for (unsigned i = 0; i < 64; i++) {
		syn.slice[0][i].rss_bytes = i < 32 ? 1ull << 20 : 8ull << 20;
		syn.slice[0][i].areas = 40;
		syn.slice[0][i].faults = i < 8 ? 100 : 0;
		syn.slice[1][i].huge_bytes = i < 32 ? 0 : 8ull << 20;
	}
	text = synthetic_text(&syn, report_text);
	assert_non_null(strstr(text, "Over the run (4k, by instructions executed"));
	width = count_of(line_of(text, "  Memory    "), ".") - 1; /* one is of 8.00 MiB */
	assert_in_range(width, 10, 30);
	assert_in_range(count_of(line_of(text, "  Memory    "), "@"), width - 1, width + 1);
	assert_non_null(strstr(line_of(text, "  Memory    "), "  8.00 MiB at most"));
	assert_int_equal(count_of(line_of(text, "  In huge pages, thp"), "@"),
			 count_of(line_of(text, "  Memory    "), "@"));
	assert_in_range(count_of(line_of(text, "  Page faults    "), "@"), width / 4 - 1, width / 4 + 1);
	assert_non_null(strstr(line_of(text, "  Page faults    "), "  800"));
	assert_null(strstr(text, "  Areas  "));
	assert_null(strstr(text, "  Swap  "));
	for (const char *at = strstr(text, "Over the run"); at[0] == ' ' || at[0] == 'O'; at = strchr(at, '\n') + 1)
		assert_true(strcspn(at, "\n") <= 79);
	free(text);
}

/* An empty run, and names as long as they can be, are printed without harm. */
static void extremes(void **state)
{
	char *text;

	synthetic_init(&syn);
	memset(&syn.result.program, 0, sizeof(syn.result.program));
	syn.result.nr_regions = 0;
	text = synthetic_text(&syn, report_text);
	assert_non_null(strstr(text, "Nothing ran"));
	free(text);
	syn.result.nr_machines = 0;
	free(synthetic_text(&syn, report_text));

	synthetic_fill(&syn);
	memset(syn.region[0].name, 'x', sizeof(syn.region[0].name) - 1);
	memset(syn.machine[0].cfg.name, 'y', sizeof(syn.machine[0].cfg.name) - 1);
	for (unsigned i = 0; i < 8; i++)
		memset(syn.result.program.left_names[i], 'z', 255);
	syn.result.program.execs_left = 8;
	memset(&syn.machine[0].count.mmu, 0xff, sizeof(syn.machine[0].count.mmu));
	text = synthetic_text(&syn, report_text);
	assert_non_null(strstr(text, "18.4E"));
	free(text);
}

static void same_input_same_bytes(void **state)
{
	char *a, *b;

	synthetic_fill(&syn);
	a = synthetic_text(&syn, report_text);
	b = synthetic_text(&syn, report_text);
	assert_string_equal(a, b);
	free(a);
	free(b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(counts_read_back),
	    cmocka_unit_test(edges),
	    cmocka_unit_test(wrapping),
	    cmocka_unit_test(columns),
	    cmocka_unit_test(at_most_so_long),
	    cmocka_unit_test(columns_never_touch),
	    cmocka_unit_test(every_row_fits),
	    cmocka_unit_test(told_apart),
	    cmocka_unit_test(refused),
	    cmocka_unit_test(first_lines),
	    cmocka_unit_test(costs_line_up),
	    cmocka_unit_test(shares),
	    cmocka_unit_test(zero_rows_are_left_out),
	    cmocka_unit_test(notes),
	    cmocka_unit_test(short_of_memory),
	    cmocka_unit_test(kernel_entries),
	    cmocka_unit_test(time_line),
	    cmocka_unit_test(extremes),
	    cmocka_unit_test(equal_columns),
	    cmocka_unit_test(many_equal_columns),
	    cmocka_unit_test(starred),
	    cmocka_unit_test(more_than_before),
	    cmocka_unit_test(same_input_same_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
