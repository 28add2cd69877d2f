/* SPDX-License-Identifier: MIT
 *
 * measure/fault.c - page faults by kind, each timed alone.
 *
 * That each touch was one fault is not assumed: the kernel's own count (getrusage) must say so, or the figure is
 * missing and says what this Linux does instead (no zero page, larger folios, no huge page).
 *
 *   kind                 how
 *   anonymous, read      first read of fresh memory: the zero page, or a page of its own where Linux has none
 *   after the zero page  first write after that
 *   anonymous, write     first write of fresh memory
 *   THP                  first write of an aligned 2M under MADV_HUGEPAGE
 *   file                 a map of one page (fault-around cannot leave it); every 16th page of a large map (it can)
 *   copy, reuse          the parent's write after a fork, while the child lives, and when it has gone
 *
 * Source: Linux mm/memory.c: do_anonymous_page, do_fault_around, do_wp_page.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/sys.h"
#include "measure/measure.h"
#include "x86/paging.h"

#define PAGES  512
#define HUGE   8
#define SINGLE 64 /* maps of one page */
#define AROUND 16 /* pages of a window of fault-around */

const char *thp_missing(const struct host *h)
{
	if (h->thp_off_here)
		return "no transparent huge page: this process has none (PR_SET_THP_DISABLE)";
	if (h->thp[0] == '\0')
		return "no transparent huge page: this kernel has none, or /sys is not there";
	if (strcmp(h->thp, "never") == 0)
		return "no transparent huge page: /sys/kernel/mm/transparent_hugepage/enabled says never";
	return "no transparent huge page was given (memory is fragmented)";
}

/* Touches n pages, `step` apart. Returns how many faults that were. */
static u64 touch(volatile char *at, unsigned n, u64 step, bool write, double *took)
{
	u64 before = faults_so_far();

	for (unsigned i = 0; i < n; i++, at += step) {
		u64 from = ticks();

		if (write)
			*at = 1;
		else
			(void)*at;
		took[i] = (double)(ticks() - from);
	}
	return faults_so_far() - before;
}

/* Adds the batch if n touches were n faults, or nearly (a page table's own page is no fault, an interrupted one is two).
 */
static void take(struct measure *m, enum figure_id id, double *took, unsigned n, u64 faults)
{
	if (faults >= n - n / 16 && faults <= n + n / 16)
		figure_add(m, id, took, n);
	else
		series_missing(&m->figure[id], "%lu faults for %u touches: this Linux maps in larger pieces", faults,
			       n);
}

static char *map(u64 bytes, int advice, int flags)
{
	char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return NULL;
	madvise(at, bytes, advice);
	if (flags & MAP_POPULATE)
		for (u64 i = 0; i < bytes; i += PAGE_SIZE)
			at[i] = 1;
	return at;
}

static void all_missing(struct measure *m, unsigned first, unsigned last, const char *what)
{
	int why = errno;

	for (unsigned id = first; id <= last; id++)
		series_missing(&m->figure[id], "%s: %s", what, strerror(why));
}

void meter_fault(struct measure *m)
{
	static double took[PAGES];
	u64 bytes = PAGES * PAGE_SIZE, faults;
	char *at = map(bytes, MADV_NOHUGEPAGE, 0);
	struct watch w;

	if (at == NULL) {
		all_missing(m, FIG_FAULT_READ, FIG_FAULT_ZERO_WRITE, "mmap");
		all_missing(m, FIG_POPULATE, FIG_POPULATE, "mmap");
		return;
	}
	take(m, FIG_FAULT_READ, took, PAGES, touch(at, PAGES, PAGE_SIZE, false, took));
	faults = touch(at, PAGES, PAGE_SIZE, true, took);
	if (faults < PAGES / 16)
		series_missing(&m->figure[FIG_FAULT_ZERO_WRITE], "a read gives a page of its own here: no zero page");
	else
		take(m, FIG_FAULT_ZERO_WRITE, took, PAGES, faults);
	madvise(at, bytes, MADV_DONTNEED);
	take(m, FIG_FAULT_WRITE, took, PAGES, touch(at, PAGES, PAGE_SIZE, true, took));
	munmap(at, bytes);

	w = watch_start();
	at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	took[0] = watch_ticks(&m->clock, &w) / PAGES;
	if (at == MAP_FAILED)
		return;
	figure_add_ticks(m, FIG_POPULATE, took[0]);
	munmap(at, bytes);
}

void meter_fault_thp(struct measure *m)
{
	double took[HUGE], again[HUGE];
	char *at = map((HUGE + 1) * PMD_SIZE, MADV_HUGEPAGE, 0), *start;
	struct watch w;
	u64 faults;

	if (at == NULL) {
		all_missing(m, FIG_FAULT_THP, FIG_FAULT_THP, "mmap");
		all_missing(m, FIG_MUNMAP_THP, FIG_MUNMAP_THP, "mmap");
		return;
	}
	start = (char *)ALIGN_UP((u64)at, PMD_SIZE);
	faults = faults_so_far();
	for (unsigned i = 0; i < HUGE; i++) {
		w = watch_start();
		*(volatile char *)(start + i * PMD_SIZE) = 1;
		took[i] = watch_ticks(&m->clock, &w);
	}
	faults = faults_so_far() - faults;
	if (touch(start + PAGE_SIZE, HUGE, PMD_SIZE, true, again) == 0 && faults == HUGE) {
		figure_add(m, FIG_FAULT_THP, took, HUGE);
		w = watch_start();
		munmap(start, HUGE * PMD_SIZE);
		figure_add_ticks(m, FIG_MUNMAP_THP, watch_ticks(&m->clock, &w) / HUGE);
	} else {
		series_missing(&m->figure[FIG_FAULT_THP], "%s", thp_missing(&m->host));
		series_missing(&m->figure[FIG_MUNMAP_THP], "%s", thp_missing(&m->host));
	}
	munmap(at, (HUGE + 1) * PMD_SIZE);
}

/* A file in memory, written a page at a time, so that its folios are of one page. Returns a descriptor; negative: errno
 * says why. */
static int page_file(u64 bytes)
{
	static const char page[PAGE_SIZE] = {1};
	int fd = memfd_create("quire-measure", MFD_CLOEXEC);

	for (u64 at = 0; fd >= 0 && at < bytes; at += PAGE_SIZE) {
		if (pwrite(fd, page, sizeof(page), (off_t)at) == (ssize_t)sizeof(page))
			continue;
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Maps of one page each, of every other page of the file: none merges with another. */
static void fault_file_single(struct measure *m, int fd)
{
	static double took[SINGLE];
	char *at[SINGLE];
	u64 faults = 0;
	unsigned n = 0;

	for (; n < SINGLE; n++) {
		at[n] = mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED, fd, (off_t)(2 * n * PAGE_SIZE));
		if (at[n] == MAP_FAILED)
			break;
		faults += touch(at[n], 1, 0, false, &took[n]);
	}
	if (n == SINGLE)
		take(m, FIG_FAULT_FILE, took, SINGLE, faults);
	else
		all_missing(m, FIG_FAULT_FILE, FIG_FAULT_FILE, "mmap of a file");
	while (n-- > 0)
		munmap(at[n], PAGE_SIZE);
}

void meter_fault_file(struct measure *m)
{
	static double took[SINGLE];
	u64 bytes = SINGLE * AROUND * PAGE_SIZE;
	int fd = page_file(bytes);
	char *at;

	if (fd < 0) {
		all_missing(m, FIG_FAULT_FILE, FIG_FAULT_FILE_AROUND, "memfd_create");
		return;
	}
	fault_file_single(m, fd);
	at = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (at != MAP_FAILED) {
		take(m, FIG_FAULT_FILE_AROUND, took, SINGLE, touch(at, SINGLE, AROUND * PAGE_SIZE, false, took));
		munmap(at, bytes);
	} else {
		all_missing(m, FIG_FAULT_FILE_AROUND, FIG_FAULT_FILE_AROUND, "mmap of a file");
	}
	close(fd);
}

/* The parent writes to what a child shares: while it lives (copies), and when it has gone (its pages are the parent's
 * alone again). */
static void fault_after_fork(struct measure *m, char *at, int end[2])
{
	static double took[PAGES];
	char byte;
	u64 faults;
	long child = sys3(SYS_fork, 0, 0, 0);

	if (child == 0) {
		sys3(SYS_close, (u64)end[1], 0, 0);
		sys3(SYS_read, (u64)end[0], (u64)&byte, 1); /* ends when the parent closes its end */
		sys3(SYS_exit_group, 0, 0, 0);
	}
	close(end[0]);
	if (child < 0) {
		errno = (int)-child;
		all_missing(m, FIG_FAULT_COPY, FIG_FAULT_REUSE, "fork");
		close(end[1]);
		return;
	}
	faults = touch(at, PAGES / 2, PAGE_SIZE, true, took);
	take(m, FIG_FAULT_COPY, took, PAGES / 2, faults);
	close(end[1]);
	waitpid((pid_t)child, NULL, 0);
	at += PAGES / 2 * PAGE_SIZE;
	take(m, FIG_FAULT_REUSE, took, PAGES / 2, touch(at, PAGES / 2, PAGE_SIZE, true, took));
}

void meter_fault_fork(struct measure *m)
{
	u64 bytes = PAGES * PAGE_SIZE;
	char *at = map(bytes, MADV_NOHUGEPAGE, MAP_POPULATE);
	int end[2];

	if (at == NULL || pipe(end) != 0)
		all_missing(m, FIG_FAULT_COPY, FIG_FAULT_REUSE, at == NULL ? "mmap" : "pipe");
	else
		fault_after_fork(m, at, end);
	if (at != NULL)
		munmap(at, bytes);
}
