/* SPDX-License-Identifier: MIT
 *
 * test/report/text.c - the text report: numbers as people read them, columns that line up, rows that are left out.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
	assert_string_equal(fmt_ratio(0.0009).s, "<.001");
	assert_string_equal(fmt_ratio(0.0123).s, ".012");
	assert_string_equal(fmt_ratio(12.34).s, "12.3");
	assert_string_equal(fmt_ratio(1000).s, "1000");
	assert_string_equal(fmt_ratio(123456).s, "123k");
	assert_string_equal(fmt_percent(0, 0).s, "-");
	assert_string_equal(fmt_percent(0, 5).s, "0 %");
	assert_string_equal(fmt_percent(1, 100000).s, "<0.1 %");
	assert_string_equal(fmt_percent(1, 3).s, "33 %");
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

static void fill(void)
{
	synthetic_init(&syn);
	for (unsigned i = 0; i < SYN_MACHINES; i++) {
		struct sim_machine_result *m = &syn.machine[i];

		for (unsigned k = 0; k < SYN_REGIONS; k++)
			synthetic_walks(&syn, i, k, 9999999 / (i + 1) / (k + 1), 123);
		m->count.os.faults[VM_FAULT_ZERO_WRITE] = 8888888;
		m->count.mmu.l1_miss[0] = 999999999;
		m->count.peak_table_bytes = 1023;
		m->count.os.tlb_flushes = i;
	}
}

/* Tables of 1..8 machines: nothing wider than 80 columns, every machine named, its figure under its name. */
static void columns(void **state)
{
	for (unsigned nr = 1; nr <= SYN_MACHINES; nr++) {
		unsigned tables = 0, cells = 0;
		char *text, *rest, *line;

		fill();
		syn.result.nr_machines = nr;
		rest = text = synthetic_text(&syn, report_text);
		while ((line = strsep(&rest, "\n")) != NULL) {
			if (strcmp(line, "Advice") == 0)
				break; /* a setting to copy stays in one piece, however long */
			assert_true(strlen(line) <= 80);
			assert_null(strchr(line, '\033'));
			tables += strncmp(line, "TLB misses", 10) == 0;
			if (strncmp(line, "  zero-filled, write", 20) != 0)
				continue;
			assert_int_equal((strlen(line) - 26) % 13, 0);
			for (char *at = line; (at = strstr(at, "8,888,888")) != NULL; at++)
				cells++;
		}
		assert_int_equal(tables, (nr + 3) / 4);
		assert_int_equal(cells, nr);
		free(text);
	}
}

static void zero_rows_are_left_out(void **state)
{
	char *text, row[100];

	fill();
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

	fill();
	syn.result.exit_status = 137;
	syn.result.program.execs_left = 2;
	strcpy(syn.result.program.left_names[0], "/bin/ls");
	syn.result.program.lost = 1;
	syn.result.program.malformed = 2;
	syn.result.program.dropped[EV_TOUCH] = 2000;
	syn.result.program.dropped[EV_MAP] = 1;
	syn.machine[SYN_THP].count.mismatches = 3;
	strcpy(syn.machine[SYN_2M].error, "out of memory at 16 GiB");
	text = synthetic_text(&syn, report_text);
	assert_non_null(strstr(text, "(exit status 137)"));
	assert_non_null(strstr(text, "2 processes called execve and left the simulation there: /bin/ls."));
	assert_non_null(strstr(text, "1 thread was killed"));
	assert_non_null(strstr(text, "2 streams of events broke off malformed"));
	assert_non_null(strstr(text, "2,001 events made no sense and were left out (2,000 touch, 1 map)"));
	assert_non_null(strstr(text, "machine thp and this Linux disagreed 3 times"));
	assert_non_null(strstr(text, "machine 2m stopped early"));
	assert_null(strstr(text, "KPTI"));
	free(text);
}

/* Short of memory: what waiting and swap come to, which devices and policies, and who was killed. */
static void short_of_memory(void **state)
{
	char *text;

	fill();
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
	assert_non_null(strstr(text, "Swap: 4k 1.00 GiB on nvme, lru2;"));
	assert_non_null(strstr(text, "hdd,"));
	assert_non_null(strstr(text, "  in swap                       779 MiB"));
	assert_non_null(strstr(text, "Waiting for reads                 197 s"));
	assert_non_null(strstr(text, "on machine thp process 1 was killed. Its figures"));
	free(text);
}

/* What kernel entries cost: ranges, and the word about CPUs that need no KPTI, once and only for them. */
static void kernel_entries(void **state)
{
	char *text;

	fill();
	syn.result.nr_machines = 2;
	for (unsigned i = 0; i < 2; i++) {
		struct sim_machine_result *m = &syn.machine[i];

		m->cfg.kpti = true;
		m->count.kernel_entries[KERNEL_SYSCALL] = 700;
		m->count.kernel_entries[KERNEL_FAULT] = 77;
		m->count.cr3_cycles_min = 155400;
		m->count.cr3_cycles_max = 310800;
	}
	text = synthetic_text(&syn, report_text);
	assert_non_null(strstr(text, "Kernel entries                      777          777\n"));
	assert_non_null(strstr(text, "155k..311k   155k..311k\n"));
	assert_non_null(strstr(text, "zen3 without KPTI"));
	assert_null(strstr(strstr(text, "without KPTI") + 1, "without KPTI"));
	free(text);
	syn.machine[0].cfg.preset = syn.machine[1].cfg.preset = cpu_preset_find("skylake");
	text = synthetic_text(&syn, report_text);
	assert_null(strstr(text, "without KPTI"));
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

	fill();
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

/* All that is there: a terminal hands it over in pieces. */
static size_t read_terminal(int fd, char *to, size_t room)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t n = 0;

	while (n < room && poll(&p, 1, 200) == 1) {
		ssize_t got = read(fd, to + n, room - n);

		if (got <= 0)
			break;
		n += (size_t)got;
	}
	return n;
}

/* On a terminal headings are bold and nothing else is; without the bold it is the same text. */
static void bold_on_a_terminal(void **state)
{
	char got[16384], plain[16384], *to = plain, *text;
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	FILE *terminal;
	size_t n;

	if (master < 0)
		skip(); /* no pseudoterminals here */
	assert_true(grantpt(master) == 0 && unlockpt(master) == 0);
	terminal = fopen(ptsname(master), "w");
	assert_non_null(terminal);
	fill();
	syn.result.nr_machines = 1;
	text = synthetic_text(&syn, report_text);
	report_text(terminal, &syn.result);
	fflush(terminal);
	n = read_terminal(master, got, sizeof(got) - 1);
	assert_true(n > 0);
	got[n] = '\0';
	assert_non_null(strstr(got, "\033[1mPage faults\033[0m"));
	assert_null(strstr(got, "\033[1m  zero"));
	for (char *from = got; *from != '\0'; from++)
		if (*from == '\033')
			from = strchr(from, 'm');
		else if (*from != '\r')
			*to++ = *from;
	*to = '\0';
	assert_memory_equal(plain, text, (size_t)(to - plain));
	fclose(terminal);
	close(master);
	free(text);
}

static void same_input_same_bytes(void **state)
{
	char *a, *b;

	fill();
	a = synthetic_text(&syn, report_text);
	syn.result.elapsed_s = 3.5;
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
	    cmocka_unit_test(zero_rows_are_left_out),
	    cmocka_unit_test(notes),
	    cmocka_unit_test(short_of_memory),
	    cmocka_unit_test(kernel_entries),
	    cmocka_unit_test(extremes),
	    cmocka_unit_test(bold_on_a_terminal),
	    cmocka_unit_test(same_input_same_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
