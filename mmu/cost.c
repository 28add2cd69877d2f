/* SPDX-License-Identifier: MIT
 *
 * mmu/cost.c - what translation costs, in core cycles, always as an interval.
 *
 *   min  every entry that a walk reads is in the near data caches, and the CPU's walkers always overlap fully
 *   max  every entry comes from far, and nothing overlaps
 *
 *   walk of n steps:   n * walk_step_near / walkers  ..  n * walk_step_far
 *
 * The truth of a program lies between: nobody can say from counts alone where. The constants and their sources are
 * each preset's (presets.c). Fractions of a cycle are carried, so the sum of min is exact.
 */
#include "mmu/cpu.h"

void cost_init(struct mmu_cpu *cpu)
{
	const struct cost_config *cost = &cpu->cfg.preset->cost;

	for (u32 n = 0; n < ARRAY_SIZE(cpu->cost); n++)
		cpu->cost[n] = (struct cost_walk){.min_cycles = n * cost->walk_step_near / cost->walkers,
						  .min_rest = n * cost->walk_step_near % cost->walkers,
						  .max_cycles = n * cost->walk_step_far};
}

void cost_walk(struct mmu_cpu *cpu, unsigned steps)
{
	u32 walkers = cpu->cfg.preset->cost.walkers, rest, carry;

	cpu->counters.walk_cycles_max += cpu->cost[steps].max_cycles;
	cpu->counters.walk_cycles_min += cpu->cost[steps].min_cycles;
	rest = cpu->min_rest + cpu->cost[steps].min_rest;
	carry = rest >= walkers; /* as likely as not: no branch */
	cpu->min_rest = rest - (walkers & -carry);
	cpu->counters.walk_cycles_min += carry;
}
