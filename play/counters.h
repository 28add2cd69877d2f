/* SPDX-License-Identifier: MIT
 *
 * play/counters.h - what a simulated computer has done so far, as numbers that a script can name.
 */
#ifndef PLAY_COUNTERS_H
#define PLAY_COUNTERS_H

#include "lib/types.h"

enum play_counter {
	COUNT_FAULTS,    /* page faults that were handled */
	COUNT_POPULATED, /* pages that the kernel faulted in of its own accord (MAP_POPULATE) */
	COUNT_L1_HIT,
	COUNT_L2_HIT,
	COUNT_WALKS, /* page walks, those that end in a fault included */
	COUNT_STEPS, /* entries read by them */
	COUNT_FLUSHES,
	COUNT_FLUSHED_PAGES,
	COUNT_FLUSHED_ALL, /* flushes of a whole context */
	COUNT_SHOOTDOWNS,
	COUNT_IPIS,
	COUNT_CLEARED, /* frames of 4K */
	COUNT_COPIED,
	COUNT_THP_ALLOC,
	COUNT_THP_FALLBACK,
	COUNT_THP_SPLIT,
	COUNT_THP_COLLAPSE,
	COUNT_SWITCHES,
	COUNT_MAJOR,
	COUNT_SWAP_INS,
	COUNT_SWAP_OUTS,
	COUNT_FILE_READS,
	COUNT_WRITEBACKS,
	COUNT_NR
};

struct play_counters {
	u64 n[COUNT_NR];
};

extern const char *const counter_names[COUNT_NR + 1];
extern const char *const counter_texts[COUNT_NR];

struct hw_machine;
void counters_read(const struct hw_machine *hw, struct play_counters *out);

#endif
