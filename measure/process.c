/* SPDX-License-Identifier: MIT
 *
 * measure/process.c - fork by what is resident, exit, and switches between processes and threads.
 *
 *   fork of N    |<--------------- MADV_DONTFORK --------------->|      one block of touched memory for all sizes:
 *                |<-- N: MADV_DOFORK -->|                               only its first N bytes go to the child
 *
 *   exit of N    the child touches N bytes of its own and notes the time as the last thing that it does; the parent looks
 *                at the clock when wait() returns. Both on one CPU, so the time includes a switch
 *
 *   switch       A: write, read (waits) --> B: read returns, write, read (waits) --> A        both on one CPU
 *                half a round, less a write and a read that wait for nobody
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/sys.h"
#include "measure/measure.h"
#include "x86/paging.h"

#define FORK_MOST  (1ull << 30)
#define MAX_FORKS  8
#define FILL_SHARE 0.08 /* of the budget, for touching what forks share */
#define SWITCHES   200
#define EXIT_SMALL (1ull << 20)
#define EXIT_LARGE (64ull << 20)
#define EXITS      4

/* This thread, and what it starts, on the CPU where it is now. */
static void pin_here(cpu_set_t *before)
{
	cpu_set_t here;

	sched_getaffinity(0, sizeof(*before), before);
	CPU_ZERO(&here);
	CPU_SET((unsigned)sched_getcpu(), &here);
	sched_setaffinity(0, sizeof(here), &here);
}

/* ---- fork ---- */

struct fork_size {
	enum figure_id id;
	u64 bytes;
	unsigned forks;
};

static const struct fork_size small_pages[] = {
    {FIG_FORK_1M, 1ull << 20, MAX_FORKS}, {FIG_FORK_16M, 16ull << 20, 4}, {FIG_FORK_64M, 64ull << 20, 3},
    {FIG_FORK_256M, 256ull << 20, 1},     {FIG_FORK_1G, FORK_MOST, 1},
};
static const struct fork_size huge_pages[] = {
    {FIG_FORK_THP_64M, 64ull << 20, MAX_FORKS},
    {FIG_FORK_THP_256M, 256ull << 20, 4},
    {FIG_FORK_THP_1G, FORK_MOST, 3},
};

static struct pages small_block, huge_block;

static double fork_ticks(const struct clock *c, int *error)
{
	struct watch w = watch_start();
	long child = sys3(SYS_fork, 0, 0, 0);
	double took;

	if (child == 0)
		sys3(SYS_exit_group, 0, 0, 0);
	took = watch_ticks(c, &w);
	*error = child < 0 ? (int)-child : 0;
	if (child > 0)
		waitpid((pid_t)child, NULL, 0);
	return took;
}

/* A batch of one size. Returns its median in ticks; negative: the figure is missing. */
static double fork_size_ticks(struct measure *m, const struct fork_size *size, const struct pages *block)
{
	double took[MAX_FORKS], median;
	int error = 0;

	if (block->bytes < size->bytes)
		series_missing(&m->figure[size->id], "%s", block->missing);
	if (block->bytes < size->bytes || out_of_time(m))
		return -1;
	madvise(block->at, size->bytes, MADV_DOFORK);
	for (unsigned i = 0; i < size->forks && error == 0; i++)
		took[i] = fork_ticks(&m->clock, &error);
	madvise(block->at, block->mapped, MADV_DONTFORK);
	if (error != 0) {
		series_missing(&m->figure[size->id], "fork: %s", strerror(error));
		return -1;
	}
	median = median_of(took, size->forks);
	figure_add(m, size->id, took, size->forks);
	return median;
}

static void fork_sizes(struct measure *m, struct pages *block, enum page_kind kind, const struct fork_size *size,
		       unsigned nr, enum figure_id page_id)
{
	u64 page = kind == PAGES_THP ? PMD_SIZE : PAGE_SIZE;
	double first = -1, now;

	if (block->mapped == 0) {
		pages_get(m, block, kind, FORK_MOST, FILL_SHARE * m->seconds);
		if (block->mapped != 0)
			madvise(block->at, block->mapped, MADV_DONTFORK);
	}
	for (unsigned i = 0; i < nr; i++) {
		now = fork_size_ticks(m, &size[i], block);
		if (now < 0)
			break;
		if (i == 0)
			first = now;
		else if (now > first) /* a page of 64M costs more than one of 1G: the caches' doing */
			figure_add_ticks(m, page_id, (now - first) / (double)((size[i].bytes - size[0].bytes) / page));
	}
	/* What the first size lacks, all lack; and the cost of a page takes two sizes. */
	for (unsigned i = 0; i < nr; i++)
		if (m->figure[size[0].id].missing[0] != '\0')
			series_missing(&m->figure[size[i].id], "%s", m->figure[size[0].id].missing);
		else if (block->bytes < size[i].bytes)
			series_missing(&m->figure[size[i].id], "%s", block->missing);
	if (m->figure[size[1].id].missing[0] != '\0')
		series_missing(&m->figure[page_id], "%s", m->figure[size[1].id].missing);
}

void meter_fork(struct measure *m)
{
	fork_sizes(m, &small_block, PAGES_4K, small_pages, ARRAY_SIZE(small_pages), FIG_FORK_PAGE);
}

void meter_fork_thp(struct measure *m)
{
	fork_sizes(m, &huge_block, PAGES_THP, huge_pages, ARRAY_SIZE(huge_pages), FIG_FORK_THP_PAGE);
}

void meters_end(void)
{
	pages_put(&small_block);
	pages_put(&huge_block);
}

/* ---- exit ---- */

/* Ticks from a child's last instruction, after it touched so much, until wait() has returned; negative: errno says why
 * not. */
static double exit_ticks(u64 bytes, volatile u64 *left)
{
	char *at;
	long child;

	*left = 0; /* the child may be over before the parent runs again */
	child = sys3(SYS_fork, 0, 0, 0);
	if (child == 0) {
		at = bytes == 0 ? NULL : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (at == MAP_FAILED)
			sys3(SYS_exit_group, 1, 0, 0);
		madvise(at, bytes, MADV_NOHUGEPAGE);
		for (u64 i = 0; i < bytes; i += PAGE_SIZE)
			at[i] = 1;
		*left = ticks();
		sys3(SYS_exit_group, 0, 0, 0);
	}
	if (child < 0) {
		errno = (int)-child;
		return -1;
	}
	waitpid((pid_t)child, NULL, 0);
	errno = ENOMEM; /* if it did not come as far */
	return *left != 0 ? (double)(ticks() - *left) : -1;
}

/* The page's part in the exit of a child that has `shared` of the parent's memory, and touches none. */
static void meter_exit_shared(struct measure *m, volatile u64 *left)
{
	static struct pages shared;
	double took[2][EXITS];

	pages_get(m, &shared, PAGES_4K, EXIT_LARGE, FILL_SHARE * m->seconds);
	for (unsigned i = 0; i < 2 * EXITS && shared.bytes == EXIT_LARGE; i++) {
		madvise(shared.at, shared.bytes, i & 1 ? MADV_DOFORK : MADV_DONTFORK);
		took[i & 1][i / 2] = exit_ticks(0, left);
		if (took[i & 1][i / 2] < 0)
			series_missing(&m->figure[FIG_EXIT_SHARED_PAGE], "fork: %s", strerror(errno));
	}
	if (shared.bytes < EXIT_LARGE)
		series_missing(&m->figure[FIG_EXIT_SHARED_PAGE], "%s", shared.missing);
	else if (m->figure[FIG_EXIT_SHARED_PAGE].missing[0] == '\0')
		figure_add_ticks(m, FIG_EXIT_SHARED_PAGE,
				 (median_of(took[1], EXITS) - median_of(took[0], EXITS)) / (EXIT_LARGE / PAGE_SIZE));
	pages_put(&shared);
}

void meter_exit(struct measure *m)
{
	static const struct fork_size size[] = {{FIG_EXIT_1M, EXIT_SMALL, 4}, {FIG_EXIT_64M, EXIT_LARGE, 1}};
	volatile u64 *left = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double took[4];
	cpu_set_t before;

	pin_here(&before);
	for (unsigned i = 0; i < ARRAY_SIZE(size); i++) {
		struct series *s = &m->figure[size[i].id];
		unsigned n = 0;

		if (left == MAP_FAILED || m->host.available_bytes < 4 * size[i].bytes) {
			series_missing(s, "no memory for more");
			continue;
		}
		while (n < size[i].forks && (took[n] = exit_ticks(size[i].bytes, left)) >= 0)
			n++;
		if (n == size[i].forks)
			figure_add(m, size[i].id, took, n);
		else
			series_missing(s, "fork of a child that touches it: %s", strerror(errno));
	}
	if (left != MAP_FAILED) {
		meter_exit_shared(m, left);
		munmap((void *)left, PAGE_SIZE);
	}
	sched_setaffinity(0, sizeof(before), &before);
}

/* ---- switches ---- */

struct ping {
	int to[2], from[2]; /* pipes: to the other, from the other; ends as pipe(2) has them */
};

/* The other side: answers each byte until there is none. */
static void *answer(void *ping)
{
	const struct ping *p = ping;
	char byte;

	while (sys3(SYS_read, (u64)p->to[0], (u64)&byte, 1) == 1)
		sys3(SYS_write, (u64)p->from[1], (u64)&byte, 1);
	return NULL;
}

/* SWITCHES rounds. The median, in ticks, of half a round without its write and read. */
static double ping_ticks(const struct ping *p)
{
	static double alone[SWITCHES], took[SWITCHES];
	char byte = 0;
	u64 from;

	for (unsigned i = 0; i < SWITCHES; i++) { /* a pipe that this side writes and reads */
		from = ticks();
		sys3(SYS_write, (u64)p->from[1], (u64)&byte, 1);
		sys3(SYS_read, (u64)p->from[0], (u64)&byte, 1);
		alone[i] = (double)(ticks() - from);
	}
	for (unsigned i = 0; i < SWITCHES; i++) {
		from = ticks();
		sys3(SYS_write, (u64)p->to[1], (u64)&byte, 1);
		sys3(SYS_read, (u64)p->from[0], (u64)&byte, 1);
		took[i] = (double)(ticks() - from);
	}
	return median_of(took, SWITCHES) / 2 - median_of(alone, SWITCHES);
}

static void take_switch(struct measure *m, enum figure_id id, double each)
{
	if (each > 0)
		figure_add_ticks(m, id, each);
}

static void switch_threads(struct measure *m, struct ping *p)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, answer, p);

	if (error != 0) {
		series_missing(&m->figure[FIG_SWITCH_THREAD], "a thread: %s", strerror(error));
		return;
	}
	take_switch(m, FIG_SWITCH_THREAD, ping_ticks(p));
	close(p->to[1]);
	p->to[1] = -1;
	pthread_join(thread, NULL);
}

static void switch_processes(struct measure *m, struct ping *p)
{
	long child = sys3(SYS_fork, 0, 0, 0);

	if (child == 0) {
		sys3(SYS_close, (u64)p->to[1], 0, 0);
		answer(p);
		sys3(SYS_exit_group, 0, 0, 0);
	}
	if (child < 0) {
		series_missing(&m->figure[FIG_SWITCH_PROCESS], "fork: %s", strerror((int)-child));
		return;
	}
	take_switch(m, FIG_SWITCH_PROCESS, ping_ticks(p));
	close(p->to[1]);
	p->to[1] = -1;
	waitpid((pid_t)child, NULL, 0);
}

void meter_switch(struct measure *m)
{
	void (*const run[])(struct measure *, struct ping *) = {switch_processes, switch_threads};
	cpu_set_t before;

	pin_here(&before);
	for (unsigned i = 0; i < ARRAY_SIZE(run); i++) {
		struct ping p = {{-1, -1}, {-1, -1}};

		if (pipe(p.to) == 0 && pipe(p.from) == 0)
			run[i](m, &p);
		else
			series_missing(&m->figure[FIG_SWITCH_PROCESS + i], "pipe: %s", strerror(errno));
		for (unsigned k = 0; k < 2; k++) {
			if (p.to[k] >= 0)
				close(p.to[k]);
			if (p.from[k] >= 0)
				close(p.from[k]);
		}
	}
	sched_setaffinity(0, sizeof(before), &before);
}
