/* SPDX-License-Identifier: MIT
 *
 * mmu/walk.h - the exact walk, private to mmu/. Begin it, descend, judge, then set A and D:
 *
 *   walk_begin() --> walk_descend() --> walk_judge() --> walk_set_ad() --> a translation, ready to cache
 *     CR3 or PSC        reads RAM        P, rsvd, rights     writes RAM
 */
#ifndef MMU_WALK_H
#define MMU_WALK_H

#include "mmu/cpu.h"

struct walk {
	u64 va;
	u64 entry[6]; /* [level]: as read; levels top..stop are valid */
	u64 pa[6];    /* [level]: where it lies */
	u64 data[6];  /* [level]: frame and accumulated rights (tlb.h), what a cache of that level would hold */
	u64 table;    /* the next one to read */
	unsigned rights;
	u8 top, stop; /* level of the first and of the last entry read */
	u8 steps;     /* entries read */
	u8 size;      /* enum mmu_size of the leaf */
	bool leaf;    /* a leaf was reached; otherwise stop's entry faults, with `refused` */
	u32 refused;  /* 0 = not present, or PROT | RSVD */
};

/* True if an entry with these rights (TLB_W, TLB_U, TLB_X; D plays no part) serves the access: SDM 4.6.1, without
 * protection keys. */
bool walk_allows(const struct mmu_cpu *cpu, unsigned access, unsigned rights);
/* True if protection keys forbid the access to a page with this data: SDM 4.6.2. Only with CR4.PKE. */
bool walk_pkey_denies(const struct mmu_cpu *cpu, unsigned access, u64 data);

/* From the top table; from the table that a PSC entry of `level` names. */
void walk_begin(const struct mmu_cpu *cpu, u64 va, struct walk *w);
void walk_begin_at(u64 va, unsigned level, u64 data, struct walk *w);
/* Reads entries down to a leaf or to one that faults. */
void walk_descend(const struct mmu_cpu *cpu, struct walk *w);
/* Returns the outcome, MMU_OK or MMU_PF with *error_code. */
int walk_judge(const struct mmu_cpu *cpu, unsigned access, const struct walk *w, u32 *error_code);
/* Sets A in every entry read, D in the leaf of a write. False: an entry changed meanwhile, walk again. */
bool walk_set_ad(const struct mmu_cpu *cpu, unsigned access, struct walk *w);
/* A leaf's translation of va, as TLB data of page size `size`, not larger than the leaf. */
u64 walk_data(const struct walk *w, unsigned size);

#endif
