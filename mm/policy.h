/* SPDX-License-Identifier: MIT
 *
 * mm/policy.h - which page goes when RAM is short: the one interface that a replacement policy implements.
 *
 *        fault, read-ahead               mm/vmscan.c: "a victim, please"
 *              | add                         ^ pick
 *              v                             |
 *   +----------------------------------------------------+
 *   |  the policy's lists: vm->reclaim.list[0 .. 7]      |   mm/lru.c keeps them
 *   +----------------------------------------------------+
 *              ^ add(KEPT): could not go         page_referenced(): was it used?
 *
 * A policy sees pages (heads of blocks) and their accessed bits, nothing else: not the swap, not who waits. So a test
 * can drive one with an exact number of frames.
 */
#ifndef MM_POLICY_H
#define MM_POLICY_H

#include "mm/mm_types.h"

#define MAX_SWAPPINESS 200

/* How a page comes to the policy. */
enum lru_hint {
	LRU_NEW,       /* a fault made it */
	LRU_READAHEAD, /* nobody asked for it yet */
	LRU_REFAULT,   /* it was evicted too early: it would have stayed, had the lists been as long as RAM */
	LRU_KEPT,      /* picked, and could not go: locked, no swap slot, a write error */
	LRU_COLD,      /* the program says that it will not need it soon */
	LRU_PIECE,     /* a part of a huge page that was picked and split: it is next */
};

struct reclaim_policy {
	const char *name;
	void (*init)(struct vm *vm);
	/* The page, on no list, goes onto one. */
	void (*add)(struct vm *vm, struct page *page, enum lru_hint hint);
	/* The page to evict next, taken off its list; NULL: *budget, the number of pages that may still be looked at,
	 * is used up, or nothing is left. types: bit n = pages of enum lru_type n may go. */
	struct page *(*pick)(struct vm *vm, unsigned types, u64 *budget);
};

/* By enum vm_reclaim_policy. */
extern const struct reclaim_policy *const reclaim_policies[VM_RECLAIM_NR];
extern const struct reclaim_policy policy_lru2, policy_mglru, policy_clock, policy_fifo, policy_random;

#endif
