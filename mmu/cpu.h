/* SPDX-License-Identifier: MIT
 *
 * mmu/cpu.h - one logical CPU's paging state, private to mmu/.
 *
 * Invariants
 *  1. What is derived (pcid, root, levels, rsvd, allow...) follows the registers: cpu_derive() ran after the last load.
 *  2. l1[kind], l2[kind]: kind 0 = data, 1 = fetch; both l2 are one level unless the CPU splits it.
 *  3. counters: l2_miss + rewalks = walks + walk_faults, for data and for fetches.
 *  4. host_psc is of no use on bare metal, and has no memory there.
 */
#ifndef MMU_CPU_H
#define MMU_CPU_H

#include "mmu/lines.h"
#include "mmu/psc.h"
#include "mmu/tlb.h"

struct mmu_cpu {
	/* derived, read once an event */
	unsigned pcid;               /* 0 while CR4.PCIDE = 0 */
	unsigned noncanonical_shift; /* 64 - width of a linear address */
	u64 low_end;                 /* addresses below are canonical, and translated; 0: paging is off */
	u16 allow[16]; /* [access]: bit `rights` = a TLB entry with these rights serves the access as it is */
	bool paging, pke, oracle;
	u8 levels;  /* 4 or 5 */
	u8 largest; /* enum mmu_size: larger leaves count as this size */
	struct tlb_level *l1[2], *l2[2];
	struct tlb_window window;
	struct mmu_counters counters;
	struct lines lines;
	/* derived, for walks */
	u64 root;       /* of the top table, bytes */
	u64 rsvd[6][2]; /* [level][PS]: bits that must be 0 in a present entry */
	/* registers */
	u64 cr0, cr3, cr4, efer;
	u32 pkru;
	struct mmu_config cfg;
	struct psc psc, host_psc;  /* host_psc: of guest-physical addresses (nested.c) */
	struct tlb_level level[4]; /* L1 data, L1 fetch, L2, L2 fetch */
};

/* The host's tables are read for the guest-physical address gpa, in a page of the guest's of that size. Only with
 * mmu_config.host_page and .lines. */
void nested_read(struct mmu_cpu *cpu, u64 gpa, unsigned size);

/* What a #PF at va invalidates, so that it cannot come again from a stale entry (SDM 4.10.4.1). */
void cpu_fault_invalidate(struct mmu_cpu *cpu, u64 va);

#endif
