/* SPDX-License-Identifier: MIT
 *
 * bench/mmu.c - how many accesses a second one software CPU serves, alone. Streams of EV_ENTER's shape: each access
 * enters a slot of the recency window. Run it on an idle machine; it prints the best pass of PASSES.
 *
 *   friendly N    uniformly random over N pages of 4K: L1 hits, or L2 hits past 64
 *   hostile       uniformly random over 65536 pages of 4K: each an L1 and an L2 miss and a walk below a cached PDE
 *   huge          the same addresses under 2M pages
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mmu/mmu.h"

#define PAGES     65536u
#define PASSES    20
#define STREAM    (1u << 17)   /* accesses a pass; 1 MiB, as little of the host cache as may be */
#define RAM_BYTES (8ull << 20) /* tables only: data frames need no contents */
#define TABLES    (PTRS_PER_TABLE * sizeof(u64))

static u64 table_entry(u64 pa)
{
	return pa | X86_PTE_P | X86_PTE_RW | X86_PTE_US;
}

/* PML4 at 0, PDPT, PD, then the page tables: PAGES pages from va 0, in 4K or 2M leaves. */
static void map(u64 *ram, bool huge)
{
	u64 *pdpt = ram + PTRS_PER_TABLE, *pd = pdpt + PTRS_PER_TABLE, *pt = pd + PTRS_PER_TABLE;

	memset(ram, 0, RAM_BYTES);
	ram[0] = table_entry(TABLES);
	pdpt[0] = table_entry(2 * TABLES);
	for (u64 i = 0; i < PAGES / PTRS_PER_TABLE; i++)
		pd[i] = huge ? table_entry(RAM_BYTES + i * PMD_SIZE) | X86_PTE_PS : table_entry((3 + i) * TABLES);
	for (u64 i = 0; i < PAGES && !huge; i++)
		pt[i] = table_entry(RAM_BYTES + i * PAGE_SIZE);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static struct mmu_cpu *boot(u64 *ram, const struct cpu_preset *preset)
{
	struct mmu_config cfg = {
	    .preset = preset, .ram = (u8 *)ram, .ram_bytes = RAM_BYTES, .phys_bits = 46, .gbpages = true};
	struct mmu_cpu *cpu = aligned_alloc(64, ALIGN_UP(mmu_cpu_bytes(&cfg), 64));

	mmu_cpu_init(cpu, &cfg);
	if (mmu_write_efer(cpu, X86_EFER_LME) != 0 || mmu_write_cr4(cpu, X86_CR4_PAE) != 0 ||
	    mmu_write_cr0(cpu, X86_CR0_PG | X86_CR0_WP | X86_CR0_PE) != 0)
		abort();
	return cpu;
}

static void run(u64 *ram, const struct cpu_preset *preset, const char *name, u32 pages, bool huge)
{
	static u64 stream[STREAM];
	struct mmu_cpu *cpu;
	struct mmu_result r;
	double best = 1e9;
	u64 x = 88172645463325252ull;

	for (u32 i = 0; i < STREAM; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		stream[i] = ((x >> 20) % pages) << PAGE_SHIFT;
	}
	map(ram, huge);
	cpu = boot(ram, preset);
	for (unsigned pass = 0; pass < PASSES; pass++) {
		double start = seconds();

		for (u32 i = 0; i < STREAM; i++)
			mmu_access(cpu, stream[i], MMU_READ | MMU_USER, i % MMU_WINDOW_DATA, &r);
		best = min(best, seconds() - start);
	}
	printf("%-11s %-14s %6u pages  %7.1f M accesses/s   L1 misses %5.1f %%  walks %5.1f %%\n", preset->name, name,
	       pages, STREAM / best * 1e-6, 100.0 * mmu_counters(cpu)->l1_miss[0] / mmu_counters(cpu)->lookups[0],
	       100.0 * mmu_counters(cpu)->walks[0] / mmu_counters(cpu)->lookups[0]);
	free(cpu);
}

int main(void)
{
	u64 *ram = aligned_alloc(4096, RAM_BYTES);

	for (const struct cpu_preset *p = cpu_presets; p->name; p++) {
		run(ram, p, "friendly 4K", 16, false);
		run(ram, p, "friendly 4K", 64, false);
		run(ram, p, "L2 hits 4K", 1024, false);
		run(ram, p, "hostile 4K", PAGES, false);
		run(ram, p, "huge 2M", PAGES, true);
	}
	free(ram);
	return 0;
}
