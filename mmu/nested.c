/* SPDX-License-Identifier: MIT
 *
 * mmu/nested.c - the host's half of a walk in a virtual machine. What the guest's entries name are guest-physical
 * addresses; to each of them the walk comes by the host's tables (EPT, NPT), which it reads as it does the guest's:
 *
 *                   CR3 --> PML4E --> PDPTE --> PDE --> PTE --> page        4 entries of the guest's, and of the host's
 *   host's tables:   4        4         4        4       4                  as many as 5 x 4, with its 4K pages
 *
 * Those of the guest's that a paging-structure cache spares are spared with their host's, as its entries join both (SDM
 * 29.4.1); the upper ones of the host's are spared by a cache of its own, as large. So most walks read one entry of each.
 *
 * There is no host: it only matters where its entries would lie. Guest-physical memory is one array to the host, from 0, and
 * so are the tables of each level, 8 bytes a page: a line of the lowest has the entries of eight pages that are
 * neighbours in the guest's RAM.
 *
 * Are they neighbours? The guest's frames are those of a machine that has just begun, where what is touched in turn lies
 * in turn. On one that has run for long each 4K page may lie anywhere. So there are two of the lowest level:
 *
 *   MMU_NEAREST    a page's entry is beside those of its neighbours here
 *   MMU_FARTHEST   it has a line for itself, which it shares with nobody; in a huge page of the guest's it has neighbours
 *
 * Left out: a cache of the host's lowest entries (AMD's nested TLB), where the guest's tables would be found, and where a
 * page's scattered neighbours lead to other upper entries. The host's tables have four levels.
 */
#include "mmu/cpu.h"

/* Where the array of a level's entries begins: beyond RAM (machine/config.c: RAM_MAX), small enough for a tag, and not all
 * in the same set. */
#define HOST_TABLES(level) ((1ull << 44) + (level) * ((1ull << 40) + (97ull << LINE_SHIFT)))
#define HOST_ALONE         HOST_TABLES(0) /* the lowest of MMU_FARTHEST: a line a page */
#define HOST_HUGE          HOST_TABLES(5) /* and in huge pages */

static u64 host_entry(u64 gpa, unsigned level)
{
	return HOST_TABLES(level) + 8 * (gpa >> x86_level_shift(level));
}

/* The last entry of a host's walk. A line of 2M pages' or larger has neighbours on any machine: it is of 16M. */
static void nested_leaf(struct mmu_cpu *cpu, u64 gpa, unsigned size)
{
	unsigned level = cpu->cfg.host_page;
	u64 frame = gpa >> PAGE_SHIFT, pa[2] = {host_entry(gpa, level), HOST_ALONE + (frame << LINE_SHIFT)};

	if (size != MMU_4K)
		pa[MMU_FARTHEST] = HOST_HUGE + 8 * frame;
	cpu->counters.host_steps++;
	if (level == X86_PT)
		lines_read_either(&cpu->lines, pa, cpu->counters.host_read_from);
	else
		lines_read(&cpu->lines, pa[MMU_NEAREST], cpu->counters.host_read_from);
}

void nested_read(struct mmu_cpu *cpu, u64 gpa, unsigned size)
{
	u64 data;
	unsigned level = psc_find(&cpu->host_psc, gpa, 0, &data);

	cpu->counters.host_walks++;
	for (level = (level ? level : X86_PML5) - 1; level > cpu->cfg.host_page; level--) {
		cpu->counters.host_steps++;
		lines_read(&cpu->lines, host_entry(gpa, level), cpu->counters.host_read_from);
		psc_put(&cpu->host_psc, gpa, level, 0, 0);
	}
	nested_leaf(cpu, gpa, size);
}
