/* SPDX-License-Identifier: MIT
 *
 * test/report/synthetic.h - a made-up run for the report's tests: four machines, one region a kind, all counters zero
 * until a test sets them.
 */
#ifndef TEST_REPORT_SYNTHETIC_H
#define TEST_REPORT_SYNTHETIC_H

#include <stdio.h>

#include "sim/counters.h"

enum { SYN_4K, SYN_THP, SYN_2M, SYN_1G, SYN_MACHINES = 8 };
/* Regions 0..5 have the kind of the same number. */
#define SYN_REGIONS   6
#define SYN_SLICES    64
#define SYN_BLOCKS    200
#define SYN_PROGRAMS  30
#define SYN_PROCESSES 100

struct synthetic {
	struct sim_result result;
	struct sim_region region[SYN_REGIONS];
	struct sim_machine_result machine[SYN_MACHINES];
	struct sim_region_result region_result[SYN_MACHINES][SYN_REGIONS];
	u64 slice_end[SYN_SLICES];
	struct sim_slice slice[SYN_MACHINES][SYN_SLICES];
	struct sim_block block[SYN_BLOCKS];
	struct sim_block_result block_result[SYN_MACHINES][SYN_BLOCKS];
	struct sim_program_row program[SYN_PROGRAMS];
	struct sim_process_row process[SYN_PROCESSES];
	struct machine_counters program_count[SYN_PROGRAMS]; /* on every machine */
	struct sim_share process_share[SYN_PROCESSES];
};

void synthetic_init(struct synthetic *s);
/* The same, and counts that give each row something to show and each machine its own. */
void synthetic_fill(struct synthetic *s);
/* The machines' bills, from their counters as they are now. */
void synthetic_price(struct synthetic *s);
/* It had so many programs and processes, "/bin/program 0" and so on; the process i ran program i modulo their number. */
void synthetic_programs(struct synthetic *s, unsigned programs, unsigned processes);
/* The run had so many slices of the same length, all zero. */
void synthetic_slices(struct synthetic *s, unsigned nr);
/* Entries that the walks of machine m read, all from the L2 cache. */
void synthetic_steps(struct synthetic *s, unsigned m, u64 steps);
/* Region's walks on machine m, counted in the machine's totals too; `cycles` each (a step costs one). */
void synthetic_walks(struct synthetic *s, unsigned m, unsigned region, u64 walks, u64 cycles);
/* The machines priced, and what print writes, NUL-terminated; free() it. */
char *synthetic_text(struct synthetic *s, void (*print)(FILE *out, const struct sim_result *r));

#endif
