/* SPDX-License-Identifier: MIT
 *
 * cost/bill.h - what virtual memory cost a machine: its counters times the table's rows, a row a cause.
 */
#ifndef COST_BILL_H
#define COST_BILL_H

#include "cost/cost.h"
#include "machine/config.h"
#include "machine/counters.h"

/* In the order of the report. */
enum bill_row {
	BILL_WALKS,
	BILL_NESTED,
	BILL_L2_HITS,
	BILL_ZERO, /* faults, by kind: exception and handler */
	BILL_FILE,
	BILL_COW,
	BILL_SWAP,
	BILL_SPURIOUS,
	BILL_SIGNALS,
	BILL_POPULATE,
	BILL_CLEAR,
	BILL_COPY,
	BILL_TABLES,
	BILL_FLUSHES,
	BILL_SHOOTDOWNS,
	BILL_MAPS,
	BILL_FORK,
	BILL_SYSTEM_CALLS,
	BILL_KPTI,
	BILL_TICKS,
	BILL_SWITCHES,
	BILL_HUGE,
	BILL_COMPACTION,
	BILL_RECLAIM,
	BILL_IO,
	BILL_NR
};

/* Cycles, least and most. */
struct cycles {
	u64 least, most;
};
struct bill {
	struct cycles row[BILL_NR], sum;
};

/* label: in the text report; json: below machines[].cost; of: what it is made of, for docs/json.md. paid: bit i is set
 * where cost i (enum cost_id) goes into the row. */
struct bill_kind {
	const char *label, *json, *of;
	u64 paid;
};
_Static_assert(COST_NR <= 64, "a bit a cost");
extern const struct bill_kind bill_kinds[BILL_NR];

struct bill bill_make(const struct machine_counters *c, const struct machine_config *cfg, const struct cost_table *t);
/* The share of a machine's walks that read `steps` of the entries, wherever those lay. */
struct cycles bill_walks_share(const struct machine_counters *c, const struct bill *b, u64 steps);
/* A device's time for `requests` reads, or writes, one after the other, of `pages` pages in all. ns */
struct cycles bill_device_ns(const struct cost_table *t, const struct swap_device *device, bool write, u64 requests,
			     u64 pages);
/* What the program waited for: its swap device and the disk of its files. ns */
struct cycles bill_wait_ns(const struct machine_counters *c, const struct machine_config *cfg,
			   const struct cost_table *t);
struct cycles cycles_add(struct cycles a, struct cycles b);
struct cycles cycles_of(const struct cost_table *t, enum cost_id id, u64 n);

#endif
