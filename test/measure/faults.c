/* SPDX-License-Identifier: MIT
 *
 * test/measure/faults.c - the table of docs/perf.md that says what getrusage and perf call a fault: each of its rows is done
 * on this Linux, and counted by both.
 *
 * usage: faults docs/perf.md
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/types.h"

#define PAGE  4096
#define PAGES 64

static const char *docs;
static int page_faults, minor_faults; /* perf's counters of this thread */
static sigjmp_buf again;

static char *map(unsigned pages, int flags)
{
	char *at = mmap(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	assert_true(at != MAP_FAILED);
	madvise(at, (size_t)pages * PAGE, MADV_NOHUGEPAGE); /* nor larger folios */
	return at;
}

/* ---- what is counted; each prepares, then calls begin() ---- */

static struct {
	struct rusage usage;
	u64 page, minor;
} before;

static u64 count(int fd)
{
	u64 value = 0;

	assert_int_equal(read(fd, &value, sizeof(value)), sizeof(value));
	return value;
}

static void begin(void)
{
	before.page = count(page_faults);
	before.minor = count(minor_faults);
	getrusage(RUSAGE_THREAD, &before.usage);
}

static bool written(void)
{
	char *at = map(PAGES, 0);

	begin();
	for (unsigned i = 0; i < PAGES; i++)
		((volatile char *)at)[i * PAGE] = 1;
	return true;
}

static bool read_into(void)
{
	char *at = map(PAGES, 0);
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (zero < 0)
		return false;
	begin();
	n = read(zero, at, PAGES * PAGE);
	close(zero);
	return n == PAGES * PAGE;
}

static bool populated(void)
{
	char *at = map(PAGES, 0);

	begin();
	return madvise(at, PAGES * PAGE, 23 /* MADV_POPULATE_WRITE, Linux 5.14 */) == 0;
}

static bool spliced(void)
{
	struct iovec v = {map(16, 0), 16 * PAGE};
	int end[2];

	if (pipe(end) != 0)
		return false;
	begin();
	return vmsplice(end[1], &v, 1, 0) == 16 * PAGE;
}

static void jump(int sig)
{
	siglongjmp(again, sig);
}

/* Ten reads of `at`, each ended by a signal. */
static bool ten_signals(const volatile char *at)
{
	volatile unsigned caught = 0;

	signal(SIGSEGV, jump);
	signal(SIGBUS, jump);
	begin();
	for (volatile unsigned i = 0; i < 10; i++) {
		if (sigsetjmp(again, 1) == 0)
			(void)*at;
		else
			caught++;
	}
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	return caught == 10;
}

static bool no_area(void)
{
	char *at = map(1, 0);

	munmap(at, PAGE);
	return ten_signals(at);
}

static bool past_the_end(void)
{
	int fd = memfd_create("quire-test", MFD_CLOEXEC);
	char *at;

	if (fd < 0 || ftruncate(fd, PAGE) != 0)
		return false;
	at = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	return at != MAP_FAILED && ten_signals(at + PAGE);
}

static bool huge(void)
{
	char *at = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile char *page = (char *)ALIGN_UP((u64)at, 2ul << 20);
	struct rusage usage;

	assert_true(at != MAP_FAILED);
	madvise((char *)page, 2 << 20, MADV_HUGEPAGE);
	begin();
	for (unsigned i = 0; i < 512; i++)
		page[i * PAGE] = 1;
	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_minflt - before.usage.ru_minflt < 100; /* else there was no huge page */
}

static bool around(void)
{
	static const char page[PAGE] = {1};
	int fd = memfd_create("quire-test", MFD_CLOEXEC);
	char *at;

	for (unsigned i = 0; fd >= 0 && i < 16; i++)
		if (pwrite(fd, page, PAGE, i * PAGE) != PAGE)
			return false;
	/* in one window of fault-around: 64K, aligned */
	at = map(32, 0);
	at = fd < 0 ? MAP_FAILED
		    : mmap((char *)ALIGN_UP((u64)at, 65536ul), 16 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
	if (at == MAP_FAILED)
		return false;
	begin();
	for (unsigned i = 0; i < 16; i++)
		(void)((volatile char *)at)[i * PAGE];
	return true;
}

/* ---- the table ---- */

static struct row {
	const char *begins; /* how its line begins */
	bool (*run)(void);  /* false: not to be had here */
} rows[] = {
    {"| 64 pages written", written},
    {"| read(2) into 64", read_into},
    {"| MAP_POPULATE,", populated},
    {"| vmsplice of 16", spliced},
    {"| 10 accesses that end in SIGSEGV", no_area},
    {"| 10 accesses past a file", past_the_end},
    {"| a 2M page, touched 512", huge},
    {"| a file's page, 15", around},
};

/* The three numbers of the row that begins so. */
static void documented(const char *row, u64 number[3])
{
	char line[512];
	FILE *f = fopen(docs, "re");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, row, strlen(row)) != 0)
			continue;
		if (sscanf(strchr(line + 1, '|'), "| %lu | %lu | %lu |", &number[0], &number[1], &number[2]) != 3)
			fail_msg("%s: three numbers are wanted: %s", docs, line);
		fclose(f);
		return;
	}
	fail_msg("%s: no row '%s'", docs, row);
}

static void as_documented(void **state)
{
	const struct row *row = *state;
	struct rusage usage;
	u64 wanted[3], page, minor, used;

	documented(row->begins, wanted);
	/* The first time brings in code and libraries. */
	if (!row->run() || !row->run())
		skip();
	getrusage(RUSAGE_THREAD, &usage);
	page = count(page_faults) - before.page;
	minor = count(minor_faults) - before.minor;
	used = (u64)(usage.ru_minflt - before.usage.ru_minflt + usage.ru_majflt - before.usage.ru_majflt);
	if (used != wanted[0] || page != wanted[1] || minor != wanted[2])
		fail_msg("%s ...: getrusage %lu, page-faults %lu, minor-faults %lu; documented %lu, %lu, %lu",
			 row->begins, used, page, minor, wanted[0], wanted[1], wanted[2]);
}

static int counter(u64 config)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .config = config};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_SIZE(rows)];

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		tests[i] = (struct CMUnitTest){rows[i].begins, as_documented, NULL, NULL, &rows[i]};
#ifdef __SANITIZE_ADDRESS__
	printf("skipped: the address sanitizer's shadow has faults of its own\n");
	return 77;
#endif
	docs = argv[1];
	page_faults = counter(PERF_COUNT_SW_PAGE_FAULTS);
	minor_faults = counter(PERF_COUNT_SW_PAGE_FAULTS_MIN);
	if (page_faults < 0 || minor_faults < 0) {
		printf("skipped: perf_event_open: %s\n", strerror(errno));
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
