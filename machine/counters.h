/* SPDX-License-Identifier: MIT
 *
 * machine/counters.h - what a simulated computer counts, and a row for each figure: the JSON, the text report, the
 * counters of scripts, docs/json.md and docs/scripts.md are made from machine_counter_rows[].
 *
 * A new counter is a field (below, or where it is counted: hw/soft/soft.h, mmu/mmu.h), the line that counts it, and its
 * row in counters.c.
 */
#ifndef MACHINE_COUNTERS_H
#define MACHINE_COUNTERS_H

#include "hw/soft/soft.h"
#include "mmu/mmu.h"

/* Why a CPU entered the kernel from user mode. */
enum kernel_entry { KERNEL_SYSCALL, KERNEL_FAULT, KERNEL_TICK, KERNEL_IPI, KERNEL_ENTRY_NR };

/* Calls that map, unmap or change areas, forks apart. */
enum map_call { MAP_MMAP, MAP_MUNMAP, MAP_MPROTECT, MAP_MREMAP, MAP_BRK, MAP_MADVISE, MAP_OTHER, MAP_CALL_NR };

struct machine_counters {
	struct hw_soft_counters os; /* what mm/ told */
	struct mmu_counters mmu;    /* summed over CPUs */
	/* The simulator's own (sim/); a script's computer leaves them 0. */
	u64 minflt;         /* what getrusage would show: faults + populated - major */
	u64 peak_rss_bytes; /* over the machine, at once */
	u64 peak_untouched_bytes, peak_partly_unmapped_bytes, peak_lazyfree_bytes; /* at that peak */
	u64 most_lazyfree_bytes;                                                   /* at once */
	u64 peak_areas;                                                            /* of the process that had most */
	u64 peak_table_bytes, peak_swap_bytes;
	u64 io_wait_ns, io_write_ns;         /* by the device's model */
	u64 thread_switches;                 /* a CPU went from one living thread to another */
	u64 kernel_entries[KERNEL_ENTRY_NR]; /* from user mode; a fault in a system call is none */
	u64 kernel_walks[2];                 /* data, fetch: the kernel's own pages in entries */
	u64 kernel_walk_steps;               /* entries that these read */
	u64 forks;                           /* with an address space of the child's own */
	u64 map_calls[MAP_CALL_NR];
	u64 mismatches; /* the program's kernel and ours disagreed on a call */
	u64 overcommit_refused;
};

/* How the text report writes it. */
enum counter_as {
	COUNTER_NUMBER,
	COUNTER_BYTES,
	COUNTER_NS,
	COUNTER_RATE,       /* and per 1000 instructions */
	COUNTER_RANGE,      /* this and the next u64: from .. to */
	COUNTER_RANGE_RATE, /* the same per 1000 instructions */
	COUNTER_HEADING,    /* a label without figures */
};

/* When it does. What entries into the kernel are made of is for those who compare KPTI or PCID: an ordinary report fits
 * a screen without it, and the JSON has it all. */
enum counter_show {
	COUNTER_NONZERO, /* in any machine */
	COUNTER_ALWAYS,
	COUNTER_ENTRY, /* nonzero, and a machine runs with KPTI or without PCID */
};

/* The figure: the sum of n u64 from offset `at`, less those n that follow them where `less` is set. In the order of the
 * text report. A row with a section is none: it begins a table of docs/json.md, and its sentence stands above that. */
struct counter_row {
	u16 at, n; /* of struct machine_counters */
	bool less;
	const char *section;
	const char *json; /* path below machines[]; NULL: not in the JSON */
	const char *unit, *sentence;
	const char *label;  /* in the text report, indented by two below its heading; NULL: not there */
	u8 as, show;        /* enum counter_as, enum counter_show */
	const char *script; /* `expect counter NAME`; NULL: not for scripts */
};
extern const struct counter_row machine_counter_rows[]; /* sentence NULL ends */

u64 counter_value(const struct counter_row *row, const struct machine_counters *c);
/* The counters of a machine as they stand now: os and mmu. */
void machine_counters_read(const struct hw_machine *hw, struct machine_counters *out);

#endif
