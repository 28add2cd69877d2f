/* SPDX-License-Identifier: MIT
 *
 * sim/internal.h - the structures of the simulator, and what its files offer to each other.
 *
 *   struct sim
 *     |-- stream[]   one a ring: a thread's events, checked      decode.c, pump.c (order)
 *     |-- process    pids; each runs in a space                  process.c
 *     |-- program    what they executed; who pays                programs.c
 *     |-- space[]    an address space as the program sees it     process.c, regions.c
 *     |-- file[]     what was mapped, by device and inode        process.c
 *     |-- timeline   the run in slices                           timeline.c
 *     |-- heat       where and when it was, in blocks            heat.c
 *     `-- machine[]  one simulated computer each                 machine.c
 *           |-- hw, vm          RAM, CPUs, the OS half
 *           |-- mm[space]       that space's mm_struct here
 *           |-- file[file]      that file's page cache here
 *           |-- cpu[64]         what each CPU runs          cpu.c, entry.c
 *           `-- thread[]        each stream's window        cpu.c
 *
 * Everything left of machine[] is about the program and the same for all machines. An event is decoded once, changes
 * the program's state once (process.c), and is then carried out by each machine in turn.
 *
 * Each guest thread has a CPU of its own, the same number in every machine, while fewer than 64 are alive; beyond that,
 * and with cpus=N, threads share CPUs, and a CPU that changes threads switches address spaces as an operating system
 * would (cpu.c).
 */
#ifndef SIM_INTERNAL_H
#define SIM_INTERNAL_H

#include "hw/soft/soft.h"
#include "sim/heat.h"
#include "sim/regions.h"
#include "sim/sim.h"
#include "sim/timeline.h"
#include "sim/touch.h"
#include "trace/event.h"

#define LIB_PANIC(text) hw_panic(text)
#include "lib/assert.h"

#define SIM_TASK_SIZE   0x800000000000ull /* user addresses are below (47 bits) */
#define SIM_MAX_WORDS   256               /* of one event, its first word included */
#define SIM_BATCH       4096              /* short events that a machine takes in one go */
#define SIM_MAX_STREAMS 65536u
#define KERNEL_PAGES    8      /* of a kind that an entry into the kernel touches, at most (entry.c) */
#define SIM_SLICE       32768u /* window events of a time slice, where threads share CPUs (cpus=) */

/* ---- the program's side ---- */

struct space {
	u32 id;             /* index in sim.space[], reused */
	u32 users;          /* processes that run in it: more than one after vfork */
	u64 brk_start, brk; /* 0: not placed yet */
	u64 pid;            /* of the process that it was made for */
	struct region_map map;
};

struct process {
	u64 pid, parent_pid;
	u32 threads;   /* streams attached now */
	u32 program;   /* that it runs: index in sim.program_row[] */
	u64 payer;     /* its rows: programs.c */
	bool executed; /* it has executed something itself */
	bool forked;   /* born by fork, it has executed nothing yet */
	bool counted;  /* it is in the totals: it has run something that counts */
	struct space *space;
	struct process *next;
};

struct program {
	struct sim_program_row info;
	u64 dev, ino;
	bool counted;
};

struct file {
	u64 dev, ino;
	u64 size;   /* bytes, as of the latest map */
	bool shmem; /* memfd, /dev/shm, shared /dev/zero */
	bool vvar;  /* pages of the kernel's own */
};

enum stream_state {
	STREAM_FRESH, /* before EV_THREAD, or after EV_EXIT */
	STREAM_LIVE,
	STREAM_BAD, /* malformed: its words are thrown away */
};

struct stream {
	unsigned index;
	enum stream_state state;
	bool waits; /* its next event waits: part[] holds it (pump.c) */
	u64 tid;
	u64 serial; /* of this thread, never reused */
	unsigned cpu;
	struct process *process;
	struct ev_counts counts; /* totals so far */
	/* Long event under assembly: words may come in any pieces. */
	u64 part[SIM_MAX_WORDS];
	unsigned nr_part;
	/* Accesses put by until they are a slice (decode.c); NULL: none ever were. */
	u64 *slice;
	unsigned nr_slice, cap_slice;
	bool waits_in_call; /* its last event that counts was a system call in which it waits */
	/* pump.c: order between rings. */
	bool ordered;       /* its events wait for their tick */
	u64 granted_tick;   /* it may take events up to this tick */
	bool granted_birth; /* it may begin */
	u64 waits_since;    /* pass in which that began */
	bool owns_tick;     /* it waits at the tick of its own mapping event, not at one that it saw */
};

struct sim {
	struct machine *machine;
	unsigned nr_machines;
	struct stream **stream;
	unsigned nr_streams, cap_streams;
	struct process *processes; /* alive, newest first */
	struct space **space;      /* by id, NULL = free */
	unsigned nr_spaces, cap_spaces;
	struct file *file;
	unsigned nr_files, cap_files;
	struct region_table regions;
	struct sim_program program;
	struct program *program_row;
	unsigned nr_programs, cap_programs;
	struct sim_process_row *row;
	unsigned nr_rows, cap_rows;
	const char *const *only, *const *except; /* patterns of programs that count, and that do not */
	unsigned nr_only, nr_except;
	u64 cpus_used; /* bit n: CPU n has a thread */
	bool sliced;   /* a machine has cpus=: accesses come in slices */
	u64 next_serial;
	u64 looked_at_host_ms;
	u8 check; /* the highest check= of the machines */
	/* pump.c */
	u64 pass;         /* over the rings, so far */
	unsigned to_look; /* ring whose writer is looked after next */
	unsigned nr_waiting;
	struct stream *waiting[SIM_MAX_STREAMS]; /* after a pass: all that wait */
	struct timeline timeline;
	struct heat heat;
	struct sim_result result;
	u64 batch[SIM_BATCH];
};

/* ---- machine.c ---- */

struct machine_cpu {
	struct hw_cpu *hw;
	struct mmu_cpu *mmu;
	struct mm_struct *mm; /* loaded; NULL: none */
	u64 serial;           /* thread that ran last; 0: none yet */
	bool runs;            /* it is alive */
	bool in_kernel;       /* else it runs user code, under KPTI on the user's tables */
	bool switched;        /* since the last access: the thread's window has to enter again */
	u64 flushes_seen;     /* counters->cr3_flushes when its window was last whole */
	u64 instructions;     /* of threads here, since the last tick */
	u64 cycles;           /* its time: what threads ran here and slept */
	const struct mmu_counters *counters;
	u64 walks[2], walk_steps; /* of counters, those already given to a region */
	u64 walked;               /* walks of counters when a thread's accesses here came in last */
};

/* What the producer has in a slot. word: EV_ENTER, 0 = nothing. at: entries of its kind up to and with its own.
 * again: the page was in the window not long before, too. */
struct window_slot {
	u64 word, at;
	bool again;
};
struct machine_thread {
	u64 serial; /* of the stream's thread that this is about */
	struct window_slot slot[MMU_WINDOW_DATA + MMU_WINDOW_FETCH];
	u64 entered[2]; /* data, fetch */
	u64 seen[1024]; /* pages that entered, the latest of those that share a place; 0: none */
};

struct machine_kernel {
	u64 entries[KERNEL_ENTRY_NR];
	u64 walks[2], walk_steps;
	u64 thread_switches;
	u64 ticks; /* the machine's time: that of the CPU that is furthest on */
};

/* Memory that a pipe refers to, at most a page; pfn 0: none that is held. */
struct machine_hold {
	u64 pfn, dev, ino;
	u64 bytes; /* that are left to read */
};
#define SIM_MAX_HOLDS 65536

struct machine_space {
	struct mm_struct *mm;
	bool killed; /* chosen by the OOM killer, and not ended yet */
};

struct machine {
	struct sim *sim;
	struct machine_config cfg;
	struct hw_machine *hw;
	struct vm *vm;
	struct machine_cpu cpu[HW_SOFT_CPUS];
	u64 payer;                              /* who pays for what is counted now; NO_PAYER: nobody has run yet */
	struct machine_counters charged;        /* as they stood when somebody paid last */
	struct machine_counters *program_count; /* what programs paid for, by index in sim.program_row[] */
	struct sim_share *row_share;            /* processes, by index in sim.row[] */
	unsigned cap_program_counts, cap_row_shares;
	struct machine_thread *thread; /* by stream index */
	unsigned cap_threads;
	u64 *waits_since; /* by stream index: its CPU's cycles when its thread began to wait */
	unsigned cap_waits;
	struct machine_kernel kernel;
	struct machine_space *space; /* by space id */
	unsigned cap_spaces;
	struct machine_hold *hold; /* the oldest first */
	unsigned nr_holds, cap_holds;
	struct address_space **file; /* by file index, NULL = not made yet */
	unsigned cap_files;
	struct space *running; /* whose events mm/ is working on; NULL: nobody's */
	bool faulted;          /* since the last sample */
	bool short_of_memory;  /* it has reclaimed once */
	bool kills;            /* a space is killed; running_dies: the running one */
	bool running_dies;
	char oom_note[256]; /* of the first */
	struct touch_table touch;
	struct sim_region_result *region; /* by region index */
	u64 *region_huge;                 /* huge bytes now */
	unsigned nr_regions;
	u64 rss_pages; /* of users: anonymous frames, and the page cache's that are mapped; as last sampled */
	u64 peak_rss_pages, peak_table_bytes;
	u64 peak_untouched_bytes, peak_partly_unmapped, peak_lazyfree; /* at peak_rss_pages; the latter two in pages */
	u64 lazyfree_seen_at; /* the height at which peak_lazyfree was counted; 0: nothing was given up then */
	u64 most_lazyfree;    /* pages, at once */
	u32 peak_areas;       /* of one space */
	struct timeline_machine timeline;
	struct heat_machine heat;
	u64 peak_swap_pages; /* as sampled since machine_forget(); vm's own peak as it was then */
	u64 swap_peak_before;
	u64 mismatches;
	char error[256]; /* not empty: this machine has stopped */
	struct vm_meminfo at_stop;
	u64 overcommit_refused; /* calls */
	u64 forks, map_calls[MAP_CALL_NR];
};

static inline bool machine_has(const struct machine *m, const struct space *sp)
{
	return sp->id < m->cap_spaces && m->space[sp->id].mm;
}

/* Returns 0, or -1 with errno. */
int machine_init(struct machine *m, struct sim *s, const struct machine_config *cfg);
void machine_destroy(struct machine *m);
/* The machines that still run. */
#define for_each_machine(s, m)                                                                                         \
	for (struct machine *m = (s)->machine; m < (s)->machine + (s)->nr_machines; m++)                               \
		if (m->error[0] == 0)

/* Those of them on which sp lives: the OOM killer may have ended it on some. */
#define for_each_machine_of(s, sp, m) for_each_machine(s, m) if (machine_has(m, sp))

/* What the program did, one call a kind of event. t: the thread that did it; its space lives. */
void machine_run(struct machine *m, struct stream *t, const u64 *words, size_t n); /* EV_ENTER words, valid */
/* waits: the thread may sleep in it. */
void machine_syscall(struct machine *m, struct stream *t, bool waits);
/* In its system call the thread slept so long. */
void machine_slept(struct machine *m, struct stream *t, u64 us);
void machine_thp_disable(struct machine *m, struct stream *t, bool disable, u64 flags);
/* The producer has emptied the thread's window. */
void machine_window_empty(struct machine *m, struct stream *t);
/* The thread has executed so much. */
void machine_ran(struct machine *m, struct stream *t, const struct sim_ran *ran);
void machine_touch(struct machine *m, struct stream *t, u64 start, u64 len, bool write);
void machine_populate(struct machine *m, struct stream *t, u64 start, u64 len);
/* file: index in sim.file[], or -1: anonymous. e->flags holds MAP_FIXED. */
void machine_map(struct machine *m, struct stream *t, const struct ev_map *e, int file, bool stack);
/* The file's size is known anew. t's space need not live here any more. */
void machine_file_resize(struct machine *m, struct stream *t, unsigned file);
/* A range of it reads as zeroes now. */
void machine_file_punch(struct machine *m, struct stream *t, unsigned file, u64 start, u64 len);
void machine_unmap(struct machine *m, struct stream *t, u64 start, u64 len);
void machine_protect(struct machine *m, struct stream *t, u64 start, u64 len, unsigned prot);
void machine_remap(struct machine *m, struct stream *t, const struct ev_remap *e);
void machine_set_brk(struct machine *m, struct space *sp, u64 start);
void machine_brk(struct machine *m, struct stream *t, u64 old, u64 brk); /* old: the break before */
void machine_advise(struct machine *m, struct stream *t, u64 start, u64 len, int advice);
/* A pipe refers to memory of t's space; so much was read from one. */
void machine_hold(struct machine *m, struct stream *t, const struct ev_hold *e);
void machine_drain(struct machine *m, struct stream *t, const struct ev_drain *e);
void machine_sync(struct machine *m, struct stream *t, u64 start, u64 len, unsigned flags); /* flags: MS_* */
void machine_lock(struct machine *m, struct stream *t, u64 start, u64 len, u64 how);        /* how: EVL_* */
/* t: the thread that makes it. Its process need not have a space yet, or none that lives here. */
void machine_space_create(struct machine *m, struct stream *t, struct space *sp);
void machine_space_fork(struct machine *m, struct stream *t, struct space *child);
/* Its last process left it. */
void machine_space_destroy(struct machine *m, struct space *sp);
void machine_thread_exit(struct machine *m, struct stream *t);
/* One EV_ENTER word, on a CPU in user mode that runs the thread. */
void machine_enter_word(struct machine *m, struct machine_cpu *c, u64 word);
void machine_fit_regions(struct machine *m);
void machine_huge_gone(struct machine *m, u32 space, u64 va);
void machine_huge_copied(struct machine *m, u32 from, u64 va, struct space *to, u64 new_va);
void machine_out_of_memory(struct machine *m);
/* `error` says why. What it needed of the host is given back; its counters stay. */
void machine_stop(struct machine *m);
void machine_meminfo(const struct machine *m, struct vm_meminfo *out); /* of a stopped one: as it was then */
/* The processes that the OOM killer chose end here. */
void machine_end_killed(struct machine *m);
/* Of the space that has most now. */
u32 machine_areas(const struct machine *m);
/* Takes the machine's sizes into the totals and the peaks. */
void machine_sample(struct machine *m);
/* The peaks and the regions' figures begin anew, from what there is now. */
void machine_forget(struct machine *m);

/* ---- cpu.c ---- */

/* t's CPU runs t, in the kernel: mm/ may be called; or in user mode, where mm/ may not. */
struct machine_cpu *machine_enter(struct machine *m, struct stream *t);
struct machine_cpu *machine_enter_user(struct machine *m, struct stream *t);
/* For what concerns no space: the kernel, on t's CPU where its space lives, else on the CPU that ran last. */
void machine_enter_kernel(struct machine *m, struct stream *t);
/* Invariant 1 of machine.c, for c. */
bool machine_may_call_mm(const struct machine *m, const struct machine_cpu *c);
void machine_leave_space(struct machine *m, struct space *sp);
/* The thread's window as this machine keeps it; NULL: it needs none. */
struct machine_thread *machine_window(struct machine *m, const struct stream *t);
void window_note(struct machine_thread *th, u64 word);
/* The pages that a switch or a flush took enter again. */
void window_reenter(struct machine *m, struct machine_cpu *c, struct machine_thread *th);
static inline bool window_is_lost(const struct machine_cpu *c)
{
	return c->switched || c->flushes_seen != c->counters->cr3_flushes;
}

/* ---- entry.c ---- */

void kernel_enter(struct machine *m, struct machine_cpu *c, enum kernel_entry why); /* nothing where it is already */
void kernel_exit(struct machine *m, struct machine_cpu *c);
/* hw_soft_config.interrupt; ctx: the machine. */
void kernel_interrupt(void *ctx, unsigned cpu);
void kernel_time(struct machine_cpu *c, u64 instructions);
/* A thread of the CPU, which is in the kernel and the current one, slept us from its time `since` (cycles) on. */
void kernel_slept(struct machine *m, struct machine_cpu *c, u64 since, u64 us);
/* The ticks that are due. The CPU is in user mode, the current one, and runs the running space. */
void kernel_ticks(struct machine *m, struct machine_cpu *c);
void kernel_result(const struct machine *m, struct machine_counters *c);

/* ---- process.c: the program's side of each long event. Return 0, or -1 when the event makes no sense ---- */

int process_thread(struct sim *s, struct stream *t, const struct ev_thread *e);
int process_fork(struct sim *s, struct stream *t, const struct ev_fork *e);
int process_exec(struct sim *s, struct stream *t, const struct ev_exec *e, const char *path);
int process_exec_done(struct sim *s, struct stream *t, const struct ev_exec_done *e);
int process_map(struct sim *s, struct stream *t, const struct ev_map *e, const char *path, u64 evm);
int process_unmap(struct sim *s, struct stream *t, const struct ev_range *e);
int process_protect(struct sim *s, struct stream *t, const struct ev_range *e, unsigned prot);
int process_remap(struct sim *s, struct stream *t, const struct ev_remap *e);
int process_brk(struct sim *s, struct stream *t, const struct ev_range *e);
int process_advise(struct sim *s, struct stream *t, const struct ev_range *e, int advice);
int process_file_size(struct sim *s, struct stream *t, const struct ev_file_size *e);
int process_file_hole(struct sim *s, struct stream *t, const struct ev_file_hole *e);
void process_refused(struct sim *s, const struct ev_refused *e);
int process_touch(struct sim *s, struct stream *t, const struct ev_touch *e, unsigned rwx);
/* how: EVX_*. name: the program that it became (EVX_EXEC), may be "". */
int process_exit(struct sim *s, struct stream *t, unsigned how, const char *name);
/* The living process with this pid, the newest if the number came again; NULL. */
struct process *process_find(const struct sim *s, u64 pid);
void process_free_all(struct sim *s);

/* ---- programs.c ---- */

#define NO_PAYER (~0ull)

/* p is new; parent: whose fork it is, or NULL, and then parent_pid says who made it as far as that is known. */
void program_begin(struct sim *s, struct process *p, const struct process *parent, u64 parent_pid);
/* p executes the file, before it has a new space. */
void program_exec(struct sim *s, struct process *p, u64 dev, u64 ino, const char *path);
/* p has one more thread. */
void program_thread(struct sim *s, const struct process *p);
void program_ran(struct sim *s, const struct process *p, const struct sim_ran *what);
bool program_counts(const struct sim *s, const struct process *p);
/* From here on p pays, who did not before. */
void machine_pays(struct machine *m, const struct process *p);
/* The resident memory of the running space is its payer's. */
void machine_share_memory(struct machine *m);
/* The counters of what counts, but for peaks. */
void machine_counted(struct machine *m, struct machine_counters *out);

/* ---- host.c ---- */

/* Looks now and then whether the host has memory left; if not, the machine that takes most stops. */
void sim_look_at_host(struct sim *s);
/* That, when h is what was seen. */
void sim_watch_host(struct sim *s, const struct sim_host *h);

/* ---- check.c ---- */

/* Recomputes what the numbered invariants of sim/ say and compares; a difference panics with its file and number.
 * Returns true. O(everything but mm/'s memory): at check=3 after every long event, else at the end. */
bool sim_check(const struct sim *s);

/* ---- result.c ---- */

void result_free(struct sim *s);

/* ---- decode.c ---- */

/* Takes words of a stream. Returns how many: fewer than n only when the stream waits (t->waits). */
size_t stream_take(struct sim *s, struct stream *t, const volatile u64 *words, size_t n);
/* The stream with this index, made if new. NULL: index too large. */
struct stream *stream_get(struct sim *s, unsigned index);
/* The accesses that were put by are carried out. */
void stream_run_slice(struct sim *s, struct stream *t);
/* The end of what a stream has to say; a thread still alive in it is lost. The stream is as new. */
void stream_end(struct sim *s, struct stream *t);

#endif
