/* SPDX-License-Identifier: MIT
 *
 * mmu/walk.h - the exact walk, private to mmu/. Begin it, descend, judge, then set A and D:
 *
 *   walk_begin() --> walk_descend() --> walk_serves() --> walk_set_ad() --> a translation, ready to cache
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
static inline void walk_begin_at(u64 va, unsigned level, u64 data, struct walk *w)
{
	w->va = va;
	w->table = data & TLB_FRAME;
	w->top = w->stop = level - 1;
	w->rights = data & TLB_RIGHTS;
	w->steps = 0;
}
static inline u64 walk_read(const struct mmu_cpu *cpu, u64 pa)
{
	if (unlikely(pa + sizeof(u64) > cpu->cfg.ram_bytes))
		return ~0ull;
	return __atomic_load_n((const u64 *)(cpu->cfg.ram + pa), __ATOMIC_RELAXED);
}

static inline unsigned walk_entry_rights(u64 e)
{
	return ((e & X86_PTE_RW) ? TLB_W : 0) | ((e & X86_PTE_US) ? TLB_U : 0) | ((e & X86_PTE_NX) ? 0 : TLB_X);
}
/* Reads entries down to a leaf or to one that faults. */
static inline void walk_descend(const struct mmu_cpu *cpu, struct walk *w)
{
	w->leaf = false;
	for (unsigned level = w->top;; level--) {
		u64 pa = w->table + 8 * x86_index(w->va, level), e = walk_read(cpu, pa);
		bool ps = level > X86_PT && e & X86_PTE_PS;

		w->entry[level] = e;
		w->pa[level] = pa;
		w->stop = level;
		w->steps++;
		w->refused = e & X86_PTE_P ? X86_PF_PROT | X86_PF_RSVD : 0;
		if (!(e & X86_PTE_P) || unlikely(e & cpu->rsvd[level][ps]))
			return;
		w->rights &= walk_entry_rights(e);
		w->table = e & X86_PHYS_MASK;
		w->data[level] = w->table | w->rights;
		if (level == X86_PT || ps)
			break;
	}
	w->size = w->stop - 1;
	w->leaf = true;
}

/* A leaf's translation of va, as TLB data of page size `size`, not larger than the leaf. */
static inline u64 walk_data(const struct walk *w, unsigned size)
{
	u64 e = w->entry[w->stop], within = w->va & (tlb_size_bytes(w->size) - 1);
	u64 frame = ((e & X86_PHYS_MASK & ~(tlb_size_bytes(w->size) - 1)) | within) & ~(tlb_size_bytes(size) - 1);
	u64 key = (e & X86_PTE_PKEY) >> X86_PTE_PKEY_SHIFT << TLB_PKEY_SHIFT;

	return frame | (u64)w->size << TLB_LEAF_SHIFT | key | w->rights | (e & X86_PTE_D ? TLB_D : 0);
}
/* A leaf was reached, but protection keys forbid the access. */
static inline bool walk_denied(const struct mmu_cpu *cpu, unsigned access, const struct walk *w)
{
	return cpu->pke && walk_pkey_denies(cpu, access, walk_data(w, w->size));
}
/* A leaf was reached, and the access may use it. */
static inline bool walk_serves(const struct mmu_cpu *cpu, unsigned access, const struct walk *w)
{
	return w->leaf && cpu->allow[access & 15] >> (w->rights | TLB_D) & 1 && !walk_denied(cpu, access, w);
}
/* #PF's error code of a walk that does not serve. */
u32 walk_error(const struct mmu_cpu *cpu, unsigned access, const struct walk *w);
/* Sets A in every entry read, D in the leaf of a write. False: an entry changed meanwhile, walk again. */
bool walk_set_ad(const struct mmu_cpu *cpu, unsigned access, struct walk *w);

#endif
