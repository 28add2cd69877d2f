/* SPDX-License-Identifier: MIT
 *
 * measure/run.c - rounds: every meter that is not stable yet, again and again; then every point of the chases. Until
 * all are stable or the time is over.
 *
 *   0 s                    half of the budget                          the end
 *   |-- round 1 -- round 2 -- ... --|-- memory -- round 1 -- round 2 ... --|
 *       meters                            chases
 */
#include <string.h>

#include "measure/measure.h"

struct meter {
	const char *title;
	void (*run)(struct measure *m);
	enum figure_id first, last; /* what it adds to; others beside these count as these do */
};

static const struct meter meters[] = {
    {"system calls", meter_call, FIG_SYSCALL, FIG_SYSCALL},
    {"clearing and copying", meter_copy, FIG_CLEAR_4K, FIG_CLEAR_2M},
    {"page faults", meter_fault, FIG_FAULT_READ, FIG_FAULT_ZERO_WRITE},
    {"huge page faults", meter_fault_thp, FIG_FAULT_THP, FIG_FAULT_THP},
    {"file page faults", meter_fault_file, FIG_FAULT_FILE, FIG_FAULT_FILE_AROUND},
    {"copy-on-write", meter_fault_fork, FIG_FAULT_COPY, FIG_FAULT_REUSE},
    {"maps", meter_map, FIG_MMAP, FIG_MUNMAP_2M},
    {"large maps", meter_map_large, FIG_MUNMAP_64M, FIG_MUNMAP_PAGE},
    {"switches", meter_switch, FIG_SWITCH_PROCESS, FIG_SWITCH_THREAD},
    {"shootdowns", meter_shootdown, FIG_SHOOT_MPROTECT, FIG_SHOOT_ANSWER},
    {"exit", meter_exit, FIG_EXIT_1M, FIG_EXIT_SHARED_PAGE},
    {"fork", meter_fork, FIG_FORK_1M, FIG_FORK_PAGE},
    {"fork with huge pages", meter_fork_thp, FIG_FORK_THP_64M, FIG_FORK_THP_PAGE},
};

#define METERS_SHARE 0.5 /* of the budget */
#define CHASES_UNTIL 0.95
/* Everything is wanted once, however small the budget; but not for longer than this, or METERS_SHARE if that is more. */
#define FIRST_ROUND      2    /* times the budget */
#define FIRST_ROUND_MOST 10.0 /* seconds */

/* One line, over the one before; a terminal's. */
static void progress(const struct measure *m, double share, const char *what)
{
	if (m->progress)
		fprintf(m->progress, "\r\033[K%3.0f %%  %s", share * 100, what);
	if (m->progress)
		fflush(m->progress);
}

static double share_of(u64 start_ns, const struct measure *m)
{
	double share = (double)(clock_ns() - start_ns) / 1e9 / m->seconds;

	return share < 1 ? share : 1;
}

static bool meter_done(const struct measure *m, const struct meter *meter)
{
	for (unsigned id = meter->first; id <= meter->last; id++)
		if (!series_stable(&m->figure[id]))
			return false;
	return true;
}

static void run_meters(struct measure *m, u64 start_ns)
{
	bool all_done = false;

	double share = m->seconds * METERS_SHARE, first = min(m->seconds * FIRST_ROUND, FIRST_ROUND_MOST);

	m->deadline_ns = start_ns + (u64)((first > share ? first : share) * 1e9);
	while (!all_done && !out_of_time(m)) {
		all_done = true;
		clock_again(&m->clock);
		for (unsigned i = 0; i < ARRAY_SIZE(meters); i++) {
			if (meter_done(m, &meters[i]) || out_of_time(m))
				continue;
			all_done = false;
			progress(m, share_of(start_ns, m), meters[i].title);
			meters[i].run(m);
		}
		m->rounds++;
		m->deadline_ns = start_ns + (u64)(share * 1e9);
	}
	for (unsigned id = 0; id < FIG_NR; id++)
		series_missing(&m->figure[id], "no time for it (--seconds), or other load at every try");
	meters_end();
}

static void run_chases(struct measure *m, u64 start_ns)
{
	bool all_done = false;

	m->deadline_ns = start_ns + (u64)(m->seconds * CHASES_UNTIL * 1e9);
	progress(m, share_of(start_ns, m), "memory for pointer chases");
	chase_begin(m);
	while (!all_done && !out_of_time(m)) {
		all_done = true;
		clock_again(&m->clock);
		for (unsigned point = 0; point < CHASE_POINTS; point++)
			for (unsigned id = 0; id < CHASE_NR && !out_of_time(m); id++) {
				struct chase *c = &m->chase[id];

				if (point >= c->nr || series_stable(&c->point[point].cycles))
					continue;
				all_done = false;
				progress(m, share_of(start_ns, m), chase_kinds[id].title);
				chase_run(m, id, point);
			}
		m->chase_rounds++;
	}
	for (struct chase *c = m->chase; c < m->chase + CHASE_NR; c++)
		if (c->point[0].cycles.nr == 0 && c->missing[0] == '\0')
			snprintf(c->missing, sizeof(c->missing), "no time for it (--seconds)");
	chase_end();
}

/* CPU time of the whole machine by /proc/stat, and what the hypervisor gave to others of it. False: not told. */
static bool read_steal(u64 *all, u64 *stolen)
{
	u64 t[8];
	FILE *f = fopen("/proc/stat", "re");
	int n =
	    f ? fscanf(f, "cpu %lu %lu %lu %lu %lu %lu %lu %lu", &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7])
	      : 0;

	if (f)
		fclose(f);
	*all = 0;
	for (int i = 0; i < n; i++)
		*all += t[i];
	*stolen = n == 8 ? t[7] : 0;
	return n == 8;
}

void measure_run(struct measure *m)
{
	u64 start_ns = clock_ns(), all[2], stolen[2];
	bool steal = read_steal(&all[0], &stolen[0]);

	host_read(&m->host);
	clock_begin(&m->clock);
	counters_open(&m->counters);
	run_meters(m, start_ns);
	run_chases(m, start_ns);
	tlb_find_reach(m->chase, &m->tlb);
	counters_close(&m->counters);
	m->steal_share = steal && read_steal(&all[1], &stolen[1]) && all[1] > all[0]
			     ? (double)(stolen[1] - stolen[0]) / (double)(all[1] - all[0])
			     : -1;
	m->seconds_taken = (double)(clock_ns() - start_ns) / 1e9;
	if (m->progress)
		fprintf(m->progress, "\r\033[K");
}
