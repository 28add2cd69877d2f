/* SPDX-License-Identifier: MIT
 *
 * cost/cost.h - what each event costs: the one place of the project where cycles come from.
 *
 *   cost.c    a row an event: its name, unit, least and most, source, and the CPU that it was measured on
 *   file.c    `--costs FILE`: rows replaced by the user's own
 *   bill.c    a machine's counters times the rows: what virtual memory cost it, by cause (cost/bill.h)
 *
 * Every cost is an interval. Its least holds where all is near and overlaps fully, its most where nothing does: what a
 * program pays lies between, and counts alone cannot say where.
 */
#ifndef COST_COST_H
#define COST_COST_H

#include <stdio.h>

#include "lib/types.h"

/* In the order of `quire costs`. */
enum cost_id {
	COST_L2_TLB_HIT,
	COST_WALK_L2, /* three, in the order of enum mmu_place */
	COST_WALK_L3,
	COST_WALK_MEMORY,
	COST_WALKS_AT_ONCE,
	COST_NESTED_WALK,
	COST_EXCEPTION,
	COST_FAULT_ZERO_READ, /* handlers: without the exception, what they clear and copy, and tables */
	COST_FAULT_ZERO_WRITE,
	COST_FAULT_FILE,
	COST_FAULT_COW_COPY,
	COST_FAULT_COW_REUSE,
	COST_FAULT_SWAP,
	COST_FAULT_SPURIOUS,
	COST_SIGNAL,
	COST_POPULATE,
	COST_CLEAR_4K,
	COST_CLEAR_2M,
	COST_CLEAR_1G,
	COST_COPY_4K,
	COST_COPY_2M,
	COST_TABLE,
	COST_INVLPG,
	COST_INVPCID,
	COST_CR3,
	COST_SHOOTDOWN,
	COST_IPI,
	COST_SYSTEM_CALL,
	COST_TICK,
	COST_THREAD_SWITCH,
	COST_FORK,
	COST_FORK_4K,
	COST_FORK_2M,
	COST_MAP_CALL,
	COST_UNMAP_4K,
	COST_UNMAP_2M,
	COST_UNMAP_LEFT,
	COST_PROTECT_PAGE,
	COST_SPLIT,
	COST_COLLAPSE,
	COST_MIGRATE,
	COST_RECLAIM,
	COST_NVME_READ, /* four a device, in the order of swap_devices[] */
	COST_NVME_READ_PAGE,
	COST_NVME_WRITE,
	COST_NVME_WRITE_PAGE,
	COST_SATA_READ,
	COST_SATA_READ_PAGE,
	COST_SATA_WRITE,
	COST_SATA_WRITE_PAGE,
	COST_HDD_READ,
	COST_HDD_READ_PAGE,
	COST_HDD_WRITE,
	COST_HDD_WRITE_PAGE,
	COST_ZRAM_READ,
	COST_ZRAM_READ_PAGE,
	COST_ZRAM_WRITE,
	COST_ZRAM_WRITE_PAGE,
	COST_CLOCK,
	COST_WORK,
	COST_NR
};

/* Simulated time, too, passes at this clock (sim/entry.c). */
#define COST_CLOCK_MHZ 3000

struct cost {
	u64 least, most;
	const char *on;     /* the CPU that it was measured on; "-": it depends on none, or was not measured */
	const char *source; /* one or more sentences; of a replaced row its file's name */
};

/* The same for all CPUs: what a row is about. */
struct cost_kind {
	const char *name, *unit; /* "walk-step", "cycles" */
	const char *of;          /* what one of is paid for: "an entry that a page walk reads" */
};
extern const struct cost_kind cost_kinds[COST_NR];

struct cost_table {
	struct cost at[COST_NR];
};

/* Rows that a user replaced. */
struct cost_changes {
	const char *file;
	struct {
		u64 least, most;
		unsigned line; /* 0: not replaced */
	} at[COST_NR];
};
#define COST_ERR  400              /* bytes of a message */
#define COST_MOST 1000000000000ull /* of a figure: a million million */

/* COST_NR: there is no such row. */
enum cost_id cost_find(const char *name);
/* The row of a CPU that has none of its own. */
const struct cost *cost_common(enum cost_id id);
/* The rows of a CPU (a preset's name, mmu/presets.c), with changes, which may be NULL. The rows point into changes. */
void cost_table_make(struct cost_table *t, const char *cpu, const struct cost_changes *changes);
/* Reads lines of NAME = LEAST MOST; empty lines and what follows a # are passed over. Returns 0, or -1 with one line in
 * err: which line of the file is wrong, and what would be right. file must live as long as *c. */
int cost_changes_read(struct cost_changes *c, const char *file, char err[COST_ERR]);

#endif
