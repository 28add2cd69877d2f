/* SPDX-License-Identifier: MIT
 *
 * lib/gap.h - disjoint ranges, ordered, that also know the holes between them.
 *
 * A balanced tree keyed by start. Every node carries the largest hole below any node of its subtree, so a hole of a
 * given length is found in O(log n). Nodes are also threaded prev/next in address order.
 *
 *        [A)   hole   [B)  hole  [C)         hole below B = [A.end, B.start)
 *
 * guard: bytes right below start that a search leaves free (a stack's guard gap), 0 for most. As in Linux, a top-down
 * search that meets a guard in its way goes on below the guard's end, past what smaller holes there are within it.
 * The embedder owns the nodes; no allocation here. Used by mm/vma.c for areas, and by plugin/place.c for a program's
 * maps.
 */
#ifndef LIB_GAP_H
#define LIB_GAP_H

#include "lib/types.h"

struct gap_node {
	u64 start, end; /* half-open; change only through gap_resize() once inserted */
	u64 guard;
	u64 max_gap; /* largest hole below a node of this subtree */
	struct gap_node *left, *right, *parent;
	struct gap_node *prev, *next; /* address order */
	s32 height;
};

struct gap_tree {
	struct gap_node *root, *first, *last;
	u64 count;
};

void gap_init(struct gap_tree *t);
/* The node must not overlap any in the tree (asserted by gap_valid, not here). O(log n). */
void gap_insert(struct gap_tree *t, struct gap_node *n);
void gap_erase(struct gap_tree *t, struct gap_node *n);
/* New bounds and guard for an inserted node; order must not change. O(log n). */
void gap_resize(struct gap_tree *t, struct gap_node *n, u64 start, u64 end, u64 guard);
/* The first node with end > addr, or NULL. (It contains addr only if its start <= addr.) O(log n). */
struct gap_node *gap_find(const struct gap_tree *t, u64 addr);
/* The highest address a with [a, a+len) free and low <= a, a+len <= high, guards respected.
 * len > 0. Returns the address, or ~0 if there is none. O(log n), once more for each guard in the way. */
u64 gap_search_topdown(const struct gap_tree *t, u64 len, u64 low, u64 high);
/* The same, lowest first. */
u64 gap_search_bottomup(const struct gap_tree *t, u64 len, u64 low, u64 high);
/* Recomputes order, balance, threads and max_gap. For checks. O(n). */
bool gap_valid(const struct gap_tree *t);

#endif
