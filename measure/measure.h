/* SPDX-License-Identifier: MIT
 *
 * measure/measure.h - what virtual memory costs on the machine that runs this: figures, curves, and what they mean.
 *
 *   meters (call, memory, fault, process, shootdown .c)        chases (chase.c)
 *     |  a batch each, round after round                          |  a point each, round after round
 *     v                                                           v
 *   figure: up to MAX_BATCHES of them  <----- series.c ----->  point: the same, a size
 *     |                                                           |  tlb.c: reach, hit, walk; model.c: as in mmu/?
 *     +--------------------> words.c: what it means <-------------+
 *                                  |
 *               text.c, json.c, save.c, svg.c
 *
 * Noise. Others use the machine, and a hypervisor takes the CPU away unseen. A batch is some hundred operations, each
 * timed alone, and the mean is kept of those that took no more than OUTLIER times the median: what interrupts a few
 * operations changes little. Long operations are few in a batch; of them the CPU time counts, if it is less than the time that passed. What slows all of them for a while (a busy sibling, a lower clock) changes whole batches; so batches of one figure are spread over the run, a
 * round of all figures after another, and the figure is the least of its batches, with their quartiles beside
 * it. A figure is stable when its three least batches agree within STABLE; then it is measured no more.
 *
 * Time. Operations are timed in ticks of the TSC and told in core cycles: a chain of dependent additions, one cycle
 * each on every x86-64, says how many cycles the core makes a tick (clock.c). Counters of perf_event_open are used
 * where this host gives them (counters.c); nothing needs them.
 */
#ifndef MEASURE_MEASURE_H
#define MEASURE_MEASURE_H

#include <stdio.h>

#include "lib/types.h"
#include "mmu/mmu.h"

#define MAX_BATCHES 32
#define STABLE      1.05
#define MIN_BATCHES 5

/* ---- a series of batches ---- */
struct series {
	double batch[MAX_BATCHES];
	unsigned nr;
	char missing[112]; /* why there is none, as a sentence without its full stop; "" */
};

void series_add(struct series *s, double value);
/* The first reason stays; a series that has batches keeps them. */
void series_missing(struct series *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool series_stable(const struct series *s); /* or there is none, or no room for more */
double series_least(const struct series *s);
double series_quantile(const struct series *s, double q); /* 0 .. 1, by interpolation */

/* Of n values, which are sorted. */
double median_of(double *value, unsigned n);
/* The mean of those up to OUTLIER times the median: what many cost, also where one in fifty has more to do (a list of
 * frames is refilled), without those that were interrupted. Sorts them. */
#define OUTLIER 8
double mean_of(double *value, unsigned n);

/* ---- figures: rows of figure_rows (figures.c) ---- */
enum figure_id {
	FIG_SYSCALL,
	FIG_CLEAR_4K,
	FIG_CLEAR_COLD,
	FIG_COPY_4K,
	FIG_COPY_COLD,
	FIG_CLEAR_2M,
	FIG_FAULT_READ,
	FIG_FAULT_WRITE,
	FIG_FAULT_WRITE_COLD,
	FIG_FAULT_ZERO_WRITE,
	FIG_FAULT_THP,
	FIG_FAULT_FILE,
	FIG_FAULT_FILE_AROUND,
	FIG_FAULT_COPY,
	FIG_FAULT_REUSE,
	FIG_POPULATE,
	FIG_MMAP,
	FIG_MUNMAP_4K,
	FIG_MUNMAP_2M,
	FIG_MUNMAP_64M,
	FIG_MUNMAP_PAGE,
	FIG_MUNMAP_THP,
	FIG_MPROTECT_4K,
	FIG_MPROTECT_2M,
	FIG_MPROTECT_64M,
	FIG_MPROTECT_PAGE,
	FIG_DONTNEED_4K,
	FIG_FORK_1M,
	FIG_FORK_16M,
	FIG_FORK_64M,
	FIG_FORK_256M,
	FIG_FORK_1G,
	FIG_FORK_PAGE,
	FIG_FORK_THP_64M,
	FIG_FORK_THP_256M,
	FIG_FORK_THP_1G,
	FIG_FORK_THP_PAGE,
	FIG_EXIT_1M,
	FIG_EXIT_64M,
	FIG_EXIT_SHARED_PAGE,
	FIG_SWITCH_PROCESS,
	FIG_SWITCH_THREAD,
	FIG_SHOOT_MPROTECT,
	FIG_SHOOT_MUNMAP,
	FIG_SHOOT_DONTNEED,
	FIG_SHOOT_ANSWER,
	FIG_NR
};

struct figure_row {
	const char *name;  /* in JSON and in the file of costs */
	const char *group; /* a heading of the table; NULL: the one before goes on */
	const char *title;
};
extern const struct figure_row figure_rows[FIG_NR];

/* ---- chases ---- */
enum chase_id {
	CHASE_LINES,   /* the same number of cache lines, side by side: what the data alone costs */
	CHASE_4K,      /* a line in each 4K, in 4K pages */
	CHASE_THP,     /* the same in transparent huge pages */
	CHASE_HUGETLB, /* the same in a pool's pages */
	CHASE_2M,      /* a line in each 2M, in transparent huge pages */
	CHASE_NR
};
#define CHASE_MAX_LINES (1u << 20) /* 4 GiB at 4K */
#define CACHE_LINE      64
#define CHASE_POINTS    64

struct chase_point {
	u32 lines;
	struct series cycles; /* a load, that waits for the one before */
	double walks;         /* a load, by a counter; negative: there is none */
};

struct chase {
	unsigned nr; /* points that memory suffices for */
	struct chase_point point[CHASE_POINTS];
	char missing[112]; /* why the larger ones, or all, are not there */
};

struct chase_kind {
	const char *name, *title;
	u64 stride; /* bytes between two lines */
};
extern const struct chase_kind chase_kinds[CHASE_NR];

/* ---- what the curves say: tlb.c. 0 and negative: not known ---- */
struct tlb_level {
	u32 least, most; /* entries: with least it still holds all, with most no more (0: the curve ends before) */
};
struct tlb_found {
	struct tlb_level l1, l2;
	double l2_hit;              /* cycles that an L2 hit adds */
	double walk_near, walk_far; /* cycles that a miss of both adds: just past the reach, at the curve's end */
	u32 far_lines;              /* pages there */
	double walk_512m;           /* the same at 512 MiB of 4K pages, or at the end if that is nearer */
	double thp_near, thp_512m;  /* what 2M pages add at these two places; 0: not known */
	double far_saved;           /* cycles that 2M pages save there */
	double thp_share; /* of what 4K pages add past their reach, 2M pages leave so much; negative: not known */
	struct tlb_level huge_l1, huge_l2; /* the same of 2M pages, a line in each */
	double huge_l2_hit, huge_walk;
};

/* ---- the host ---- */
enum tri { TRI_NO, TRI_YES, TRI_UNKNOWN };

struct host {
	char cpu[80], vendor[16], kernel[72], hypervisor[40]; /* "": none seen, or not known */
	unsigned cpus, cpus_online;                           /* that this process may use; of the machine */
	u64 available_bytes;
	bool emulated; /* no CPU of its own runs its instructions */
	enum tri kpti, pcid, invpcid, gbpages, tsc_constant, is_virtual;
	char meltdown[80];   /* what the kernel says of it */
	char thp[16];        /* always, madvise, never; "": no such file */
	bool thp_off_here;   /* this process asked to have none (PR_SET_THP_DISABLE) */
	unsigned pool_pages; /* free 2M pages of the hugetlb pool */
	double load;         /* one minute's average at the start */
};
void host_read(struct host *h);

/* 4K entries of a level. */
u32 model_entries(const struct tlb_level_config *level);
/* True when a TLB of so many entries could have given the level: at its size itself some entries are others'. */
bool model_agrees(u32 entries, struct tlb_level found);

/* ---- the clock ---- */
static inline u64 ticks(void)
{
	u32 low, high;

	/* Earlier instructions are over, later ones have not begun. (RDTSCP some virtual machines hide.) */
	__asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high)::"memory");
	return (u64)high << 32 | low;
}

struct clock {
	double tick_hz;
	double core_hz;       /* the fastest that the core ran */
	double cycles_a_tick; /* core_hz / tick_hz */
	double overhead;      /* ticks between two ticks() with nothing in between */
	u64 first_tick, first_ns;
};
/* For what takes longer than a few microseconds: the time that passed, or what this thread had of the CPU if that is less:
 * others that had it meanwhile are left out. (Of a hypervisor that takes it away nothing is seen.) */
struct watch {
	u64 tick, cpu_ns;
};
struct watch watch_start(void);
double watch_ticks(const struct clock *c, const struct watch *w);

void clock_begin(struct clock *c);
void clock_again(struct clock *c); /* the core may run faster now */
u64 clock_ns(void);

struct counters {
	int walks;         /* file descriptor; negative: none */
	char missing[112]; /* why there is none */
};
void counters_open(struct counters *c);
void counters_close(struct counters *c);
/* What a counter stands at; 0 without it. */
u64 counter_read(int fd);

/* ---- a run ---- */
struct measure {
	double seconds; /* budget */
	FILE *progress; /* NULL: none */
	struct host host;
	struct clock clock;
	struct counters counters;
	struct series figure[FIG_NR];
	struct chase chase[CHASE_NR];
	struct tlb_found tlb;
	double seconds_taken;
	unsigned rounds, chase_rounds; /* that were begun */
	double steal_share; /* of CPU time, that the hypervisor gave to others meanwhile; negative: not known */
	u64 deadline_ns;    /* of the part that runs now */
};

/* Measures everything. m->seconds, progress and host.available_bytes are set. */
void measure_run(struct measure *m);

static inline bool out_of_time(const struct measure *m)
{
	return clock_ns() > m->deadline_ns;
}
/* A batch: the mean of n operations' ticks, each with the clock's own; sorts them. */
void figure_add(struct measure *m, enum figure_id id, double *took, unsigned n);
/* A batch of a figure that is computed from others': in ticks. */
void figure_add_ticks(struct measure *m, enum figure_id id, double ticks_each);
/* Page faults of this thread until now. */
u64 faults_so_far(void);

/* Pages of one kind, touched: as many of want bytes as there is memory and time for. */
enum page_kind { PAGES_4K, PAGES_THP, PAGES_HUGETLB };
struct pages {
	char *at; /* aligned to 2M */
	u64 bytes;
	char missing[112]; /* why there are fewer than wanted */
	u64 mapped;
};
/* seconds: what touching them may take. */
void pages_get(const struct measure *m, struct pages *p, enum page_kind kind, u64 want, double seconds);
void pages_put(struct pages *p);

/* Why a map under MADV_HUGEPAGE has no huge page. */
const char *thp_missing(const struct host *h);

/* Meters: each adds a batch to its figures, or says why not. What one keeps between its batches goes with meters_end(). */
void meters_end(void);
void meter_call(struct measure *m);
void meter_copy(struct measure *m);
void meter_fault(struct measure *m);
void meter_fault_thp(struct measure *m);
void meter_fault_file(struct measure *m);
void meter_fault_fork(struct measure *m);
void meter_map(struct measure *m);
void meter_map_large(struct measure *m);
void meter_fork(struct measure *m);
void meter_fork_thp(struct measure *m);
void meter_exit(struct measure *m);
void meter_switch(struct measure *m);
void meter_shootdown(struct measure *m);

/* Memory for the chases; which points there are. Then a batch a call; at the end the memory goes. */
void chase_begin(struct measure *m);
void chase_run(struct measure *m, enum chase_id id, unsigned point);
void chase_end(void);

/* Of what 4K pages add past their reach 2M pages leave none on bare metal, and half or more where a hypervisor backs them
 * with 4K pages (Zen 3, Zen 4): this share tells the two apart. */
#define BROKEN_UP 0.25

void tlb_find_reach(const struct chase chase[CHASE_NR], struct tlb_found *found);

/* ---- what comes out ---- */
#define MAX_SENTENCES 20
/* What the figures mean, a sentence each. Returns how many. free() them. */
unsigned measure_words(const struct measure *m, char *sentence[MAX_SENTENCES]);
void measure_text(FILE *out, const struct measure *m);
int measure_json(FILE *out, const struct measure *m);
/* cpu: the model of this CPU, whose rows stay where what was measured is of several; or NULL. */
void measure_save(FILE *out, const struct measure *m, const struct cpu_preset *cpu);
void measure_svg(FILE *out, const struct measure *m);

#endif
