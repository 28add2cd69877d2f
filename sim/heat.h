/* SPDX-License-Identifier: MIT
 *
 * sim/heat.h - where and when: the page enters, walks and faults of the run by blocks of addresses.
 *
 *   (program, va >> shift) --> block[i]               page enters by slice of the time line; the same for every machine
 *                              machine.heat.block[i]  that machine's walks and faults, by 512 pages of the block
 *
 * A block is 2M to begin with. When HEAT_BLOCKS are there, all become twice as large (and so do their "pages"), so that
 * neighbours become one: whatever a program touches, it is told in so many blocks at most.
 *
 * Faults are all counted. Of page enters and of each machine's walks the first HEAT_EXACT are, and then one in
 * HEAT_EVERY, for so many.
 *
 * Invariants
 *  1. place[] finds every block of block[0..nr), which are of different keys.
 */
#ifndef SIM_HEAT_H
#define SIM_HEAT_H

#include "sim/counters.h"

#define HEAT_BLOCKS 1088 /* more than there can be programs: of 128T each is one block */
#define HEAT_EXACT  65536u
#define HEAT_EVERY  61u

struct machine;
struct sim;

struct heat {
	unsigned shift; /* log2 of a block's bytes */
	unsigned nr, cap;
	struct sim_block *block;
	u16 place[2 * HEAT_BLOCKS]; /* hash table: index in block[] plus 1 */
	unsigned last;              /* index found last */
	u64 samples;                /* of page enters */
	size_t skip;                /* words until the next */
};

/* A machine's. */
struct heat_machine {
	struct sim_block_result *block; /* by index in heat.block[]; cap: those that are there */
	unsigned cap;
	u64 samples; /* of walks */
	u32 left;    /* walks until the next, that one included */
};

/* Nothing has happened yet, or nothing will. */
void heat_clear(struct sim *s);
/* The block's index of an address of a program that counts, which is made if it is new. */
unsigned heat_find(struct sim *s, u32 program, u64 va);
/* A machine's blocks, as many as there are. */
struct sim_block_result *heat_of_machine(struct machine *m);
/* The table finds block[i] by its key. */
bool heat_finds(const struct heat *h, unsigned i);
/* Short events of a space of this program, on their way to the machines. */
void heat_enters(struct sim *s, u32 program, const u64 *words, size_t n);
/* The running space took a fault. order: log2 of the 4K frames that were mapped. counts: else it was taken ahead of use. */
void heat_fault(struct machine *m, u64 va, unsigned order, bool counts);
void heat_sample_walk(struct machine *m, u64 va, unsigned size);
/* The time line's slice i of nr is slice to[i] now, or part of it; slice nr is part of the one before it. */
void heat_merge_slices(struct sim *s, const u8 *to, unsigned nr);
void heat_join_slice(struct sim *s, unsigned nr);

/* The running space walked; size: enum mmu_size of what was found. */
static inline void heat_walk(struct machine *m, struct heat_machine *h, u64 va, unsigned size)
{
	if (unlikely(--h->left == 0))
		heat_sample_walk(m, va, size);
}

#endif
