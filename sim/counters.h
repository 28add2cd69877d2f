/* SPDX-License-Identifier: MIT
 *
 * sim/counters.h - everything that a run knows at its end. report/ turns it into text, JSON and advice; it computes
 * ratios but counts nothing itself.
 */
#ifndef SIM_COUNTERS_H
#define SIM_COUNTERS_H

#include "cost/bill.h"
#include "machine/config.h"
#include "machine/counters.h"
#include "machine/host.h"
#include "trace/event.h"

/* What somebody ran. */
struct sim_ran {
	u64 instructions, data_accesses, fetch_page_changes;
	u64 syscalls;
};

/* What the program did: the same for every machine of a run. Where some programs do not count (sim_select), what those
 * did that count. */
struct sim_program {
	u64 instructions, data_accesses, fetch_page_changes;
	u64 syscalls;
	u64 events;              /* window events that reached the machines */
	u32 processes, threads;  /* that ran inside, the first included */
	u32 forks, forks_exec;   /* forks (no vforks); of their children, those that executed a program */
	u32 execs_left;          /* processes that called execve and left the simulation */
	u32 lost;                /* threads whose producer vanished (killed): their stream ends where they died */
	char left_names[8][256]; /* the first of the programs that left, "" ends */
	/* What the program's kernel would not do, or did not know: the first of them, nr 0..nr_refused-1. */
	struct sim_refused {
		char name[24]; /* of the call: "madvise"; its number where it has no name */
		u64 operation; /* which of its operations (advice, flags, option), where it has any */
		int error;     /* errno; 0: it was said to be done, and was not */
		u64 times;
	} refused[32];
	u32 nr_refused;
	u64 refused_more;   /* times that others were refused, for which there was no more room */
	u64 max_map_count;  /* areas that its kernel allows a process; 0: nobody knows */
	u32 malformed;      /* streams of which no event could be told from the next any more: should be 0 */
	u64 dropped[EV_NR]; /* events that made no sense and were left out, by kind: should be 0 */
};

enum sim_region_kind { REGION_ANON, REGION_HEAP, REGION_STACK, REGION_FILE_TEXT, REGION_FILE_DATA, REGION_OTHER };

/* A range of addresses that page walks come from: one area as a program sees it, in all of its processes (adjacent areas
 * of the same name and kind are one). Per machine figures are in sim_machine_result.region[], same index. */
struct sim_region {
	char name[256]; /* "[heap]", "[stack]", a file's path, "[anon]" */
	u8 kind;        /* enum sim_region_kind */
	u32 program;    /* whose: index in sim_result.program_row[] */
	u64 start, end; /* bytes; the largest extent it had */
	u64 peak_bytes; /* mapped at once, by one process */
	bool madvised;  /* the program itself asked for huge pages here */
};

struct sim_region_result {
	u64 walks[2];   /* data, fetch */
	u64 walk_steps; /* entries that these walks read, and those of walks that ended in faults before them */
	u64 faults;
	u64 peak_huge_bytes; /* mapped by 2M or 1G leaves, most at once, in all processes together */
};

/* A program that ran: a file that processes executed. */
struct sim_program_row {
	char path[256]; /* as it was first executed; "": nothing was */
	u32 processes;  /* that executed it, and forked children that executed nothing else */
	struct sim_ran ran;
};

/* A process. Beyond SIM_MAX_ROWS of them the rest are together one row: pid 0. */
#define SIM_MAX_PROGRAMS 1024
#define SIM_MAX_ROWS     4096
#define SIM_NO_PROGRAM   (~0u)
struct sim_process_row {
	u64 pid, parent_pid; /* as the program sees them; 0: none */
	u32 program;         /* that it executed last: index in sim_result.program_row[]; SIM_NO_PROGRAM: several */
	struct sim_ran ran;
};

/* What a process cost on a machine. */
struct sim_share {
	u64 faults, major_faults;
	u64 walks[2]; /* data, fetch: completed */
	u64 walk_faults;
	u64 peak_rss_bytes; /* ru_maxrss */
};

/* A slice of the run, on a machine. */
struct sim_slice {
	u64 rss_bytes, huge_bytes, swap_bytes, lazyfree_bytes; /* the most at once; huge: mapped by 2M and 1G leaves */
	u64 areas;                                             /* of the process that had most */
	u64 faults, walks;                                     /* walks: those that ended in a fault, too */
};

/* Addresses of a program in which something happened, as large as sim_result.block_bytes, and in 512 parts: pages, where
 * a block is 2M. What is sampled stands for all (sim/heat.h). */
#define SIM_SLICES      256
#define SIM_BLOCK_PAGES 512
struct sim_block {
	u64 start;
	u32 program;            /* as sim_region's */
	u32 enters[SIM_SLICES]; /* page enters in each slice (program.events); stops at its greatest */
};

struct sim_block_result {
	u64 walks, faults;
	u64 page_bytes;                /* of the largest page that was mapped or walked to; 0: none was */
	u32 walks_at[SIM_BLOCK_PAGES]; /* these stop at their greatest, too */
	u16 faults_at[SIM_BLOCK_PAGES];
};

struct sim_machine_result {
	struct machine_config cfg; /* pcid: used, so the CPU has them */
	struct machine_counters count;
	struct cost_table cost;           /* of its CPU, with what --costs replaced */
	struct bill bill;                 /* count times cost */
	struct sim_region_result *region; /* [sim_result.nr_regions] */
	struct sim_block_result *block;   /* [nr_blocks]; the simulator\'s own */
	struct sim_slice *slice;          /* [nr_slices] */
	/* [nr_program_rows]: count is their sum. Peaks are the machine's alone; peak_rss_bytes here: of the process that
	 * had most (ru_maxrss). */
	struct machine_counters *program_count;
	struct sim_share *process_share; /* [nr_process_rows] */
	char oom_note[256];              /* "" or whom the OOM killer chose first, and why */
	char error[256];                 /* "" or why this machine stopped early (out of memory) */
};

/* The program's time without Quire. */
struct sim_native {
	u64 cpu_ns;    /* of all its processes and threads, user and system; 0: not known */
	bool measured; /* in a run of its own (--native); else it was said (--time) */
};

#define SIM_MAX_MACHINES 64
struct sim_result {
	char **argv;     /* the program's, NULL-terminated */
	int exit_status; /* as quire will exit */
	int signal;      /* that killed the program; 0: it ended by itself */
	bool core_dumped;
	bool running;        /* the program has not ended */
	bool show_processes; /* as rows of the text report */
	struct machine_host host;
	struct sim_native native;
	struct {
		double after_s, for_s; /* 0: not asked for */
		bool counts;           /* after_s had passed; else nobody waited for it, and all is told */
		bool stopped;          /* for_s had passed, so the program was ended */
	} measured;
	struct sim_program program;
	struct sim_program_row *program_row; /* those that count, in the order in which they were first executed */
	unsigned nr_program_rows;
	struct sim_process_row *process_row; /* the same, by birth */
	unsigned nr_process_rows;
	struct {
		u32 programs, processes;
		u64 instructions;
		char names[120]; /* of the first: "sh, make, ..." */
	} beside;                /* what ran, and does not count */
	struct sim_region *region;
	unsigned nr_regions;
	u64 *slice_end; /* instructions that had been executed when each slice ended */
	unsigned nr_slices;
	u64 block_bytes;         /* 2M, or what that had to be doubled to */
	struct sim_block *block; /* in the order in which they were first used */
	unsigned nr_blocks;
	struct sim_machine_result *machine;
	unsigned nr_machines; /* that are compared */
	unsigned nr_cures;    /* behind those in machine[]: what remedies do (machine/config.h) */
};

#endif
