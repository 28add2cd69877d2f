/* SPDX-License-Identifier: MIT
 *
 * play/probe.h - where one Linux differs from another, and what the one that runs here does.
 *
 * A version is never asked: fixes travel to older kernels, and parameters and hardware have none. Each probe does the
 * thing, in a process of its own. docs/scripts.md says what uses the answers.
 */
#ifndef PLAY_PROBE_H
#define PLAY_PROBE_H

#include <limits.h>

#include "mm/vm.h"

/* In the order of probe_table, which says what each means. */
enum probe_id {
	PROBE_ZERO_PAGE,
	PROBE_MERGE_UNFAULTED,
	PROBE_MAP_JOINS_PREV,
	PROBE_MREMAP_SEVERAL,
	PROBE_MREMAP_CHECKS_FIRST,
	PROBE_DONTUNMAP_APART,
	PROBE_DONTUNMAP_JOINS_OTHER,
	PROBE_DONTUNMAP_AS_NEW,
	PROBE_DONTUNMAP_CUTS_LOCKED,
	PROBE_COLLAPSE_READ_ONLY,
	PROBE_COLLAPSE_PART_REFUSED,
	PROBE_HUGE_ZERO_WRITE,
	PROBE_THP,
	PROBE_PLACE_2M,
	PROBE_PLACE_2M_ANY,
	PROBE_PLACE_2M_TOP,
	PROBE_STACK_NOHUGE,
	PROBE_UNTOUCHED_UNCHARGED,
	PROBE_POPULATE_STOPS,
	PROBE_HUGE_UNASKED,
	PROBE_HUGE_ADVISED,
	PROBE_THP_EXCEPT_ADVISED,
	PROBE_LA57,
	PROBE_EXEC_ONLY_KEY,
	PROBE_DISK_FILE,
	PROBE_SWAP,
	PROBE_SWAP_CACHED,
	PROBE_SWAPIN_WRITABLE,
	PROBE_ZEROMAP,
	PROBE_OVERCOMMIT_GUESS,
	PROBE_LOCK_ALL,
	PROBE_ADVICE_POPULATE,
	PROBE_ADVICE_DONTNEED_LOCKED,
	PROBE_ADVICE_COLLAPSE,
	PROBE_ADVICE_GUARD,
	PROBE_MAP_DROPPABLE,
	PROBE_PTY,
	PROBE_NR
};

/* UNKNOWN: it could not be asked here (no /proc, no swap, no huge page...). */
enum probe_answer { PROBE_NO, PROBE_YES, PROBE_UNKNOWN };

struct probe {
	const char *name, *sentence;
	enum probe_answer (*ask)(void); /* in the child */
};

extern const struct probe probe_table[PROBE_NR];

/* Asks, in a child that is killed after PROBE_SECONDS: then the answer is UNKNOWN. */
#define PROBE_SECONDS 5
enum probe_answer probe_ask(enum probe_id id);
/* "no", "yes", "unknown" */
const char *probe_answer_name(enum probe_answer answer);
/* Each is asked once a process, when it is first wanted. */
enum probe_answer host_answer(enum probe_id id);
/* True when the answer is yes. */
bool host_has(enum probe_id id);
/* Returns the probe of that name, or -1. */
int probe_find(const char *name);

/* What a simulated kernel can be like, and which probe tells whether this Linux is so. */
struct variant_row {
	const char *key; /* of a machine: KEY=on|off */
	size_t offset;   /* of the bool in struct vm_variant */
	u8 probe;
};
#define VARIANT_ROWS 11
extern const struct variant_row variant_rows[VARIANT_ROWS];
bool *variant_at(struct vm_variant *v, unsigned row);
u16 variant_bit(const char *key); /* 1 << row; 0: none has that key */
/* v becomes as this Linux is, but for rows that could not be asked, and for those whose bit is set in keep. */
void host_variant(struct vm_variant *v, u16 keep);

/* The folder for files of a disk: the first of TMPDIR, /tmp, /var/tmp and the current one whose files are no shared
 * memory (PROBE_DISK_FILE); failing that the first. */
const char *host_file_folder(void);

#endif
