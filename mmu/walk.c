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

static u64 ram_read(const struct mmu_cpu *cpu, u64 pa)
{
	if (unlikely(pa + sizeof(u64) > cpu->cfg.ram_bytes))
		return ~0ull;
	return __atomic_load_n((const u64 *)(cpu->cfg.ram + pa), __ATOMIC_RELAXED);
}

void walk_begin(const struct mmu_cpu *cpu, u64 va, struct walk *w)
{
	w->va = va;
	w->table = cpu->root;
	w->top = w->stop = cpu->levels;
	w->rights = TLB_W | TLB_U | TLB_X;
	w->steps = 0;
}

void walk_begin_at(u64 va, unsigned level, u64 data, struct walk *w)
{
	w->va = va;
	w->table = data & TLB_FRAME;
	w->top = w->stop = level - 1;
	w->rights = data & TLB_RIGHTS;
	w->steps = 0;
}

static unsigned entry_rights(u64 e)
{
	return ((e & X86_PTE_RW) ? TLB_W : 0) | ((e & X86_PTE_US) ? TLB_U : 0) | ((e & X86_PTE_NX) ? 0 : TLB_X);
}

void walk_descend(const struct mmu_cpu *cpu, struct walk *w)
{
	w->leaf = false;
	for (unsigned level = w->top;; level--) {
		u64 pa = w->table + 8 * x86_index(w->va, level), e = ram_read(cpu, pa);
		bool ps = level > X86_PT && e & X86_PTE_PS;

		w->entry[level] = e;
		w->pa[level] = pa;
		w->stop = level;
		w->steps++;
		w->refused = e & X86_PTE_P ? X86_PF_PROT | X86_PF_RSVD : 0;
		if (!(e & X86_PTE_P) || unlikely(e & cpu->rsvd[level][ps]))
			return;
		w->rights &= entry_rights(e);
		w->table = e & X86_PHYS_MASK;
		w->data[level] = w->table | w->rights;
		if (level == X86_PT || ps)
			break;
	}
	w->size = w->stop - 1;
	w->leaf = true;
}

int walk_judge(const struct mmu_cpu *cpu, unsigned access, const struct walk *w, u32 *error_code)
{
	bool fetch = (access & MMU_KIND) == MMU_FETCH;
	bool tells_fetch = cpu->efer & X86_EFER_NXE || cpu->cr4 & X86_CR4_SMEP;
	u32 code = w->refused;

	if (w->leaf) {
		bool denied = cpu->pke && walk_pkey_denies(cpu, access, walk_data(w, w->size));

		if (likely(!denied && cpu->allow[access & 15] >> (w->rights | TLB_D) & 1))
			return MMU_OK;
		code = X86_PF_PROT | (denied ? X86_PF_PK : 0);
	}
	code |= (access & MMU_KIND) == MMU_WRITE ? X86_PF_WRITE : 0;
	code |= access & MMU_USER ? X86_PF_USER : 0;
	code |= fetch && tells_fetch ? X86_PF_INSTR : 0;
	*error_code = code;
	return MMU_PF;
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

u64 walk_data(const struct walk *w, unsigned size)
{
	u64 e = w->entry[w->stop], within = w->va & (tlb_size_bytes(w->size) - 1);
	u64 frame = ((e & X86_PHYS_MASK & ~(tlb_size_bytes(w->size) - 1)) | within) & ~(tlb_size_bytes(size) - 1);
	u64 key = (e & X86_PTE_PKEY) >> X86_PTE_PKEY_SHIFT << TLB_PKEY_SHIFT;

	return frame | (u64)w->size << TLB_LEAF_SHIFT | key | w->rights | (e & X86_PTE_D ? TLB_D : 0);
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
	r->outcome = walk_judge(cpu, access, &w, &r->error_code);
	r->steps = w.steps;
	r->stop_level = w.stop;
	r->size = w.leaf ? w.size : 0;
	r->pa = 0;
	if (r->outcome == MMU_OK)
		r->pa = (walk_data(&w, w.size) & TLB_FRAME) | (va & (tlb_size_bytes(w.size) - 1));
	return r->outcome;
}
