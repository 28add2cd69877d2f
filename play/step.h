/* SPDX-License-Identifier: MIT
 *
 * play/step.h - `quire play --step`: what the hardware and the kernel do for one line of a script, told as it happens.
 */
#ifndef PLAY_STEP_H
#define PLAY_STEP_H

#include <stdio.h>

#include "mm/event.h"
#include "mmu/mmu.h"

struct step {
	FILE *out;
	bool on;                       /* explain now */
	u64 told, more;                /* accesses of this line that were explained, and those that were not */
	u64 more_faults;               /* of these */
	bool faulted;                  /* the access before was a #PF: this one is the retry */
	bool quiet;                    /* this access is not explained */
	u64 swapped_out, written_back; /* pages, since reclaim told of itself last */
	u64 entry[6];                  /* the walk, before the access */
	const struct mmu_counters *counters;
	u64 rewalks; /* before the access */
};

/* A line of the script is about to be done, and has been. */
void step_begin(struct step *s);
void step_end(struct step *s);
void step_before_access(struct step *s, const struct mmu_cpu *cpu, u64 va, unsigned access);
void step_after_access(struct step *s, u64 va, unsigned access, const struct mmu_result *r);
void step_event(struct step *s, const struct vm_event *ev);

#endif
