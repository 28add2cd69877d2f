/* SPDX-License-Identifier: MIT
 *
 * mmu/walk.c - the walk: entries in RAM to a translation or a #PF, bit for bit.
 *
 *   CR3 --> PML5[56:48] --> PML4[47:39] --> PDPT[38:30] --> PD[29:21] --> PT[20:12] --> frame
 *           with LA57                       PS: 1G leaf     PS: 2M leaf
 *
 * Invariants
 *  1. At each level P is looked at first (an entry with P = 0 has no other bit), then the reserved bits.
 *  2. Rights are judged at the end, over all levels: W and U are the AND of the entries, NX the OR. So a missing or
 *     malformed entry below wins over a refusing one above.
 *  3. RAM is written only by walk_set_ad(), with compare-exchange, and only for an access that succeeds.
 *  4. An entry beyond RAM reads as all ones, as on a bus that nobody answers.
 *
 * Sources: Intel SDM vol. 3A 4.5 (formats), 4.6 (rights), 4.7 (#PF), 4.8 (A and D). G in an upper entry is ignored, as
 * Intel has it (AMD APM vol. 2, 5.3: must be zero in a PML4E).
 */
#include <string.h>

#include "mmu/walk.h"

/* ---- rights ---- */

static bool fetch_allows(const struct mmu_cpu *cpu, bool user, unsigned rights)
{
	bool user_page = rights & TLB_U;

	if (user && !user_page)
		return false;
	if (!user && user_page && cpu->cr4 & X86_CR4_SMEP)
		return false;
	return rights & TLB_X || !(cpu->efer & X86_EFER_NXE);
}

bool walk_allows(const struct mmu_cpu *cpu, unsigned access, unsigned rights)
{
	bool user = access & MMU_USER, user_page = rights & TLB_U;
	bool writable = rights & TLB_W || (!user && !(cpu->cr0 & X86_CR0_WP));

	if ((access & MMU_KIND) == MMU_FETCH)
		return fetch_allows(cpu, user, rights);
	if (user && !user_page)
		return false;
	if (!user && user_page && cpu->cr4 & X86_CR4_SMAP && !(access & MMU_AC))
		return false;
	return (access & MMU_KIND) != MMU_WRITE || writable;
}

bool walk_pkey_denies(const struct mmu_cpu *cpu, unsigned access, u64 data)
{
	unsigned key = (data & TLB_PKEY) >> TLB_PKEY_SHIFT, pkru = cpu->pkru >> (2 * key);
	bool access_disabled = pkru & 1, write_disabled = pkru & 2;

	if (!cpu->pke || !(data & TLB_U) || (access & MMU_KIND) == MMU_FETCH)
		return false;
	if (access_disabled)
		return true;
	return write_disabled && (access & MMU_KIND) == MMU_WRITE && (access & MMU_USER || cpu->cr0 & X86_CR0_WP);
}

/* ---- the descent ---- */

void walk_begin(const struct mmu_cpu *cpu, u64 va, struct walk *w)
{
	w->va = va;
	w->table = cpu->root;
	w->top = w->stop = cpu->levels;
	w->rights = TLB_W | TLB_U | TLB_X;
	w->steps = 0;
}

u32 walk_error(const struct mmu_cpu *cpu, unsigned access, const struct walk *w)
{
	bool fetch = (access & MMU_KIND) == MMU_FETCH;
	bool tells_fetch = cpu->efer & X86_EFER_NXE || cpu->cr4 & X86_CR4_SMEP;
	u32 code = w->refused;

	if (w->leaf)
		code = X86_PF_PROT | (walk_denied(cpu, access, w) ? X86_PF_PK : 0);
	code |= (access & MMU_KIND) == MMU_WRITE ? X86_PF_WRITE : 0;
	code |= access & MMU_USER ? X86_PF_USER : 0;
	code |= fetch && tells_fetch ? X86_PF_INSTR : 0;
	return code;
}

bool walk_set_ad(const struct mmu_cpu *cpu, unsigned access, struct walk *w)
{
	for (unsigned level = w->top; level >= w->stop; level--) {
		bool dirties = level == w->stop && (access & MMU_KIND) == MMU_WRITE;
		u64 old = w->entry[level], set = old | X86_PTE_A | (dirties ? X86_PTE_D : 0);

		if (set == old)
			continue;
		if (!__atomic_compare_exchange_n((u64 *)(cpu->cfg.ram + w->pa[level]), &old, set, false,
						 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return false;
		w->entry[level] = set;
	}
	return true;
}

/* ---- the pure walk ---- */

int mmu_walk(const struct mmu_cpu *cpu, u64 va, unsigned access, struct mmu_result *r, u64 entries[6])
{
	struct walk w = {0};

	*r = (struct mmu_result){.pa = va};
	memset(entries, 0, 6 * sizeof(entries[0]));
	if (!x86_canonical(va, 64 - cpu->noncanonical_shift))
		r->outcome = MMU_GP;
	if (r->outcome != MMU_OK || !cpu->paging)
		return r->outcome;
	walk_begin(cpu, va, &w);
	walk_descend(cpu, &w);
	memcpy(entries, w.entry, sizeof(w.entry));
	if (!walk_serves(cpu, access, &w)) {
		r->outcome = MMU_PF;
		r->error_code = walk_error(cpu, access, &w);
	}
	r->steps = w.steps;
	r->stop_level = w.stop;
	r->size = w.leaf ? w.size : 0;
	r->pa = 0;
	if (r->outcome == MMU_OK)
		r->pa = (walk_data(&w, w.size) & TLB_FRAME) | (va & (tlb_size_bytes(w.size) - 1));
	return r->outcome;
}
