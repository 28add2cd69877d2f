/* SPDX-License-Identifier: MIT
 *
 * measure/shootdown.c - what it costs that another CPU may hold a translation that goes.
 *
 *   CPU a   |-- wait until b runs --|-- mprotect, munmap or madvise of a touched page --|
 *   CPU b   |-- a thread of the same program, that looks at the clock all the time: the longest gap is its interrupt --|
 *
 *   to who asks: the call with b running, less the same call in the same batch while b sleeps (then no interrupt goes)
 *
 * Source: Linux arch/x86/mm/tlb.c, flush_tlb_mm_range: CPUs that have the mm loaded and are not lazy are interrupted.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/sys.h"
#include "measure/measure.h"
#include "x86/paging.h"

#define ROUNDS    48
#define CALLS     3       /* FIG_SHOOT_MPROTECT .. FIG_SHOOT_DONTNEED */
#define NOT_TICKS 1000000 /* a gap that long is no interrupt: the thread was not running */
#define WAIT_NS   20000000

struct other {
	_Atomic u64 looks, gap; /* at the clock; the longest time between two since it was set to 0 */
	_Atomic bool stop;
	int cpu;
};

static void *look_at_clock(void *arg)
{
	struct other *o = arg;
	cpu_set_t set;
	u64 before, now;

	CPU_ZERO(&set);
	CPU_SET((unsigned)o->cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	before = ticks();
	while (!atomic_load_explicit(&o->stop, memory_order_relaxed)) {
		now = ticks();
		if (now - before > atomic_load_explicit(&o->gap, memory_order_relaxed))
			atomic_store_explicit(&o->gap, now - before, memory_order_relaxed);
		before = now;
		atomic_fetch_add_explicit(&o->looks, 1, memory_order_relaxed);
	}
	return NULL;
}

/* Waits until the other thread has looked a few times more. False: it did not run for long. */
static bool other_runs(struct other *o)
{
	u64 from = atomic_load(&o->looks), end_ns = clock_ns() + WAIT_NS;

	while (atomic_load(&o->looks) < from + 8)
		if (clock_ns() > end_ns)
			return false;
	return true;
}

/* One call, timed. Returns ticks; negative: no memory. */
static double call_ticks(unsigned call)
{
	char *at = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	u64 from, took;

	if (at == MAP_FAILED)
		return -1;
	*(volatile char *)at = 1;
	from = ticks();
	if (call == 0)
		mprotect(at, PAGE_SIZE, PROT_READ);
	else if (call == 1)
		munmap(at, PAGE_SIZE);
	else
		madvise(at, PAGE_SIZE, MADV_DONTNEED);
	took = ticks() - from;
	if (call != 1)
		munmap(at, PAGE_SIZE);
	return (double)took;
}

struct batch {
	double alone[CALLS][ROUNDS], with[CALLS][ROUNDS], gap[CALLS * ROUNDS];
	unsigned nr[CALLS], gaps;
};

static void with_other(struct other *o, struct batch *b)
{
	for (unsigned call = 0; call < CALLS; call++)
		for (unsigned i = 0; i < ROUNDS; i++) {
			double took;
			u64 gap;

			if (!other_runs(o))
				return;
			atomic_store(&o->gap, 0);
			took = call_ticks(call);
			if (!other_runs(o))
				return;
			gap = atomic_load(&o->gap);
			if (took < 0 || gap > NOT_TICKS)
				continue;
			b->with[call][b->nr[call]++] = took;
			b->gap[b->gaps++] = (double)gap;
		}
}

static void take(struct measure *m, struct batch *b)
{
	for (unsigned call = 0; call < CALLS; call++) {
		double more;

		if (b->nr[call] < ROUNDS / 2)
			continue; /* the other CPU had other work: the next batch may do better */
		more = median_of(b->with[call], b->nr[call]) - median_of(b->alone[call], ROUNDS);
		if (more > 0)
			figure_add_ticks(m, FIG_SHOOT_MPROTECT + call, more);
	}
	if (b->gaps >= ROUNDS)
		figure_add_ticks(m, FIG_SHOOT_ANSWER, median_of(b->gap, b->gaps) - m->clock.overhead);
}

/* Two CPUs that this process may use: its own, and another. False: there is one. */
static bool two_cpus(int *here, int *there)
{
	cpu_set_t set;

	*here = sched_getcpu();
	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return false;
	for (*there = 0; *there < CPU_SETSIZE; (*there)++)
		if (*there != *here && CPU_ISSET((unsigned)*there, &set))
			return true;
	return false;
}

static void all_missing(struct measure *m, const char *why)
{
	for (unsigned id = FIG_SHOOT_MPROTECT; id <= FIG_SHOOT_ANSWER; id++)
		series_missing(&m->figure[id], "%s", why);
}

void meter_shootdown(struct measure *m)
{
	static struct batch b;
	struct other o = {0};
	cpu_set_t before, set;
	pthread_t thread;
	int here;

	if (!two_cpus(&here, &o.cpu)) {
		all_missing(m, "it takes two CPUs, and this process may use one");
		return;
	}
	memset(&b, 0, sizeof(b));
	sched_getaffinity(0, sizeof(before), &before);
	CPU_ZERO(&set);
	CPU_SET((unsigned)here, &set);
	sched_setaffinity(0, sizeof(set), &set);
	for (unsigned call = 0; call < CALLS; call++)
		for (unsigned i = 0; i < ROUNDS; i++)
			b.alone[call][i] = call_ticks(call);
	if (pthread_create(&thread, NULL, look_at_clock, &o) == 0) {
		with_other(&o, &b);
		atomic_store(&o.stop, true);
		pthread_join(thread, NULL);
		take(m, &b);
	} else {
		all_missing(m, "a second thread could not be made");
	}
	sched_setaffinity(0, sizeof(before), &before);
}
