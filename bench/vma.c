/* SPDX-License-Identifier: MIT
 *
 * bench/vma.c - what a large number of areas costs: find, insert + erase and the search for a hole, at 10 .. 10^6
 * areas.
 *
 * Areas of 4 pages lie 5 to 8 pages apart in random order of creation, so no hole but the highest holds what the search
 * asks for. ns of CPU time per operation: a logarithm of the areas, times what the host's caches miss.
 */
#include "lib/gap.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define OPS 1000000

static volatile u64 sink; /* keeps the results in use */
static u64 rnd_state = 88172645463325252ull;

static u64 rnd(u64 below)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return rnd_state % below;
}

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void fill(struct gap_tree *t, struct gap_node *nodes, u64 n)
{
	u64 *order = malloc(n * sizeof *order);

	for (u64 i = 0; i < n; i++) {
		u64 j = rnd(i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	gap_init(t);
	for (u64 i = 0; i < n; i++) {
		struct gap_node *node = &nodes[order[i]];

		node->start = 1000 + 8 * order[i] + rnd(4);
		node->end = node->start + 4;
		gap_insert(t, node);
	}
	free(order);
}

enum { FIND, INSERT_ERASE, SEARCH, NR };

static void measure(u64 n, double ns[NR])
{
	struct gap_node *nodes = calloc(n, sizeof *nodes);
	struct gap_tree t;
	double begin;

	fill(&t, nodes, n);
	begin = cpu_ns();
	for (unsigned i = 0; i < OPS; i++)
		sink += gap_find(&t, 1000 + rnd(8 * n)) != NULL;
	ns[FIND] = (cpu_ns() - begin) / OPS;

	begin = cpu_ns();
	for (unsigned i = 0; i < OPS; i++) {
		struct gap_node *node = &nodes[rnd(n)];

		gap_erase(&t, node);
		gap_insert(&t, node);
	}
	ns[INSERT_ERASE] = (cpu_ns() - begin) / OPS;

	/* Below the highest area: only the hole under the lowest one is large enough. */
	begin = cpu_ns();
	for (unsigned i = 0; i < OPS; i++)
		sink += gap_search_topdown(&t, 20 + (i & 7), 0, t.last->start);
	ns[SEARCH] = (cpu_ns() - begin) / OPS;
	free(nodes);
}

int main(void)
{
	double ns[NR];

	printf("%10s %10s %18s %19s\n", "areas", "find, ns", "insert+erase, ns", "search a hole, ns");
	for (u64 areas = 10; areas <= 1000000; areas *= 10) {
		measure(areas, ns);
		printf("%10lu %10.1f %18.1f %19.1f\n", areas, ns[FIND], ns[INSERT_ERASE], ns[SEARCH]);
	}
	return 0;
}
