/* SPDX-License-Identifier: MIT
 *
 * test/sim/played.h - one program, the simulator that it is played to, and what that found: for tests that ask what
 * becomes of a program's memory over a run.
 */
#ifndef TEST_SIM_PLAYED_H
#define TEST_SIM_PLAYED_H

#include <sys/mman.h>

#include "test/sim/tape.h"

#define RW  (PROT_READ | PROT_WRITE)
#define A   0x7f0000000000ull
#define PID 100

static struct tape tape;
static struct sim *sim;
static struct sim_result all;
static u64 instructions;

static inline void begin(void)
{
	instructions = 0;
	tape_begin(&tape, PID, 0x600000);
}

/* The program has executed so many more. */
static inline void execute(u64 more)
{
	instructions += more;
	tape_counts(&tape, instructions, 0, 0);
}

static inline void play(const char *machines)
{
	tape_exit(&tape, EVX_EXIT);
	sim = tape_played(&tape, machines, ",check=1", &all);
}

static inline void end(void)
{
	sim_destroy(sim);
	tape_free(&tape);
}

#endif
