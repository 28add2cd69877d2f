/* SPDX-License-Identifier: MIT
 *
 * sim/timeline.h - the run in slices, by the program's own clock: the instructions that those of it executed that count.
 *
 *   0 |  slice 0  |  slice 1  |   ...   | slice nr - 1 |   the slice under way: sim_slice.. of each machine
 *              end[0]      end[1]                 end[nr - 1]
 *
 * A slice ends when a thread's count of instructions comes in and it is `length` long, so it is longer where counts are
 * rare. When there are TIMELINE_SLICES, `length` doubles, and those that are shorter now take their next neighbours: so
 * whatever a run's length, its slices are about as long as each other.
 *
 * Invariants
 *  1. nr < TIMELINE_SLICES. end[0..nr) rises, to the instructions of now at most.
 */
#ifndef SIM_TIMELINE_H
#define SIM_TIMELINE_H

#include "sim/counters.h"

#define TIMELINE_SLICES SIM_SLICES
#define TIMELINE_LENGTH 65536u /* instructions, to begin with */

struct machine;
struct sim;
struct vm_meminfo;

struct timeline {
	u64 length;
	unsigned nr;
	u64 end[TIMELINE_SLICES]; /* instructions */
};

/* A machine's. */
struct timeline_machine {
	struct sim_slice slice[TIMELINE_SLICES], now; /* now: of the slice under way, its faults and walks not yet */
	u64 faults, walks;                            /* up to there */
};

/* All begins anew, with what there is now. */
void timeline_begin(struct sim *s);
/* The slice ends here. In the midst of a run, too: slices need not be of one length. */
void timeline_end_slice(struct sim *s);
/* m is as large as this now. */
void timeline_see(struct machine *m, const struct vm_meminfo *info);

/* There are so many instructions. */
static inline bool timeline_slice_is_whole(const struct timeline *t, u64 instructions)
{
	return instructions - (t->nr ? t->end[t->nr - 1] : 0) >= t->length;
}

#endif
