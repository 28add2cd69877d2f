/* SPDX-License-Identifier: MIT
 *
 * measure/clock.c - ticks of the TSC, seconds and core cycles.
 *
 * The TSC ticks at one rate whatever the core does (constant_tsc); the core runs faster or slower. How many cycles it
 * makes a tick is seen from a chain of additions of two registers, each of which waits for the one before: one cycle
 * each. (An addition of a constant would not do: Golden Cove carries it out while it renames. Source: Agner Fog,
 * Instruction tables; chipsandcheese on Golden Cove.)
 */
#include <time.h>

#include "measure/measure.h"

#define CHAIN     4096 /* additions between two looks at the clock */
#define LOOKS     64
#define SETTLE_NS 20000000 /* over which the TSC is compared with the clock at first */

u64 clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

static u64 cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

struct watch watch_start(void)
{
	u64 cpu = cpu_ns();

	return (struct watch){.cpu_ns = cpu, .tick = ticks()};
}

double watch_ticks(const struct clock *c, const struct watch *w)
{
	double passed = (double)(ticks() - w->tick), had = (double)(cpu_ns() - w->cpu_ns) * c->tick_hz / 1e9;

	return had > 0 && had < passed ? had : passed;
}

/* The fewest ticks that CHAIN additions took. The CPU must be awake: the caller has kept it busy. */
static u64 chain_ticks(void)
{
	u64 best = ~0ull;

	for (unsigned look = 0; look < LOOKS; look++) {
		u64 a = 1, b = look, from = ticks(), took;

		for (unsigned i = 0; i < CHAIN / 32; i++)
			__asm__ volatile(".rept 32\n\tadd %1, %0\n\t.endr" : "+r"(a) : "r"(b));
		took = ticks() - from;
		best = min(best, took);
	}
	return best;
}

/* Ticks between two looks with nothing in between: the least of many. */
static u64 overhead_ticks(void)
{
	u64 best = ~0ull;

	for (unsigned i = 0; i < 1000; i++) {
		u64 from = ticks(), took = ticks() - from;

		best = min(best, took);
	}
	return best;
}

void clock_again(struct clock *c)
{
	double tick_hz = (double)(ticks() - c->first_tick) * 1e9 / (double)(clock_ns() - c->first_ns);
	double ratio = CHAIN / ((double)chain_ticks() - c->overhead);

	c->tick_hz = tick_hz;
	if (ratio > c->cycles_a_tick)
		c->cycles_a_tick = ratio;
	c->core_hz = c->cycles_a_tick * tick_hz;
}

void clock_begin(struct clock *c)
{
	*c = (struct clock){.first_tick = ticks(), .first_ns = clock_ns()};
	while (clock_ns() - c->first_ns < SETTLE_NS)
		continue;
	c->overhead = (double)overhead_ticks();
	clock_again(c);
}
