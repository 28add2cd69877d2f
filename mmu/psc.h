/* SPDX-License-Identifier: MIT
 *
 * mmu/psc.h - the paging-structure caches: upper entries that a walk need not read again.
 *
 *   level[2]  PDE cache      va[47:21], PCID -> the page table,  rights of PML4E & PDPTE & PDE
 *   level[3]  PDPTE cache    va[47:30], PCID -> the page directory, rights of PML4E & PDPTE
 *   level[4]  PML4E cache    va[47:39], PCID -> ...                 level[5]: PML5E cache, with LA57
 *
 * Fully associative, LRU. A walk begins below the deepest hit.
 *
 * Invariants
 *  1. Only entries that reference a table, and whose A bit is set, are cached; never leaves.
 *  2. An entry is of one PCID; there are no global ones.
 *
 * Source: Intel SDM vol. 3A, 4.10.3 and 4.10.4.1.
 */
#ifndef MMU_PSC_H
#define MMU_PSC_H

#include "mmu/tlb.h"

struct psc {
	struct tlb_census census;
	struct tlb_array level[6]; /* entries == 0: the CPU has none */
};

static inline u64 psc_tag(u64 va, unsigned level, unsigned pcid)
{
	unsigned shift = x86_level_shift(level);

	return va >> shift << (shift + 4) | 1u << TLB_KIND_SHIFT | pcid;
}

/* The cached entry of this level for va: *data as tlb.h has it, frame = the table below. False: there is none. */
static inline bool psc_find_at(struct psc *p, u64 va, unsigned level, unsigned pcid, u64 *data)
{
	struct tlb_array *a = &p->level[level];
	u32 i = a->entries ? tlb_array_find(a, psc_tag(va, level, pcid), 0) : TLB_NONE;

	if (i == TLB_NONE)
		return false;
	tlb_touch(a, i);
	*data = a->data[i];
	return true;
}
/* The deepest one: returns its level; 0 if there is none. */
static inline unsigned psc_find(struct psc *p, u64 va, unsigned pcid, u64 *data)
{
	for (unsigned level = X86_PD; level <= X86_PML5 && p->census.present; level++)
		if (psc_find_at(p, va, level, pcid, data))
			return level;
	return 0;
}

u64 psc_bytes(const struct psc_config *cfg);
u8 *psc_init(struct psc *p, const struct psc_config *cfg, u8 *mem);
/* Caches what a walk read at `level`, in place of an older entry for the same va. */
void psc_put(struct psc *p, u64 va, unsigned level, unsigned pcid, u64 data);
/* Drops the entries that would be used for va; those of a PCID; all. */
void psc_drop_va(struct psc *p, u64 va, unsigned pcid);
void psc_drop_pcid(struct psc *p, unsigned pcid);
void psc_drop_all(struct psc *p);

#endif
