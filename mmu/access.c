/* SPDX-License-Identifier: MIT
 *
 * mmu/access.c - one access, from va to pa, #PF or #GP. The file that the simulator spends its time in.
 *
 *   mmu_access
 *     |-- L1 TLB hit, the rights serve -----------------------------> pa         one probe, no RAM read
 *     `-- access_slow
 *           |-- L2 TLB hit, the rights serve --> fill L1 -----------> pa
 *           |-- hit, D clear on a write, or rights refuse: rewalk -.
 *           |-- miss, PDE cached, its PTE ready (access_by_pte) -----> fill L2, L1 --> pa
 *           `-- miss ----------------------------------------------+-> PSC, walk --> A/D --> fill L2, L1 --> pa
 *                                                                                `-> invalidate va --> #PF
 *
 * Rules of the caches
 *  1. L2 is looked up, ordered and filled only on an L1 miss; an L2 hit fills L1. Neither includes the other.
 *  2. A page size that no L1 array holds is cached as the largest smaller one that some array does; an L2 that does
 *     not hold the size of the leaf is not filled. gbpages_smashed: a 1G leaf counts as 2M in both; host_page: no leaf
 *     counts as more than the host's. Such fractions are
 *     invalidated together (SDM 4.10.2.3, 4.10.4.1).
 *  3. A rewalk replaces the data of the entries that are there, where they stand, so that holds stay; L1's is made if
 *     it is not there. If the page's size or G changed, the old ones are dropped first.
 *  4. A #PF drops what is cached for va (SDM 4.10.4.1), so that the retry sees the tables as they are.
 */
#include "mmu/cpu.h"
#include "mmu/oracle.h"
#include "mmu/walk.h"

/* ---- results ---- */

static inline int access_done(struct mmu_result *r, u64 va, u64 data, unsigned size, unsigned level_hit)
{
	r->pa = (data & TLB_FRAME) | (va & (tlb_size_bytes(size) - 1));
	r->error_code = 0;
	r->outcome = MMU_OK;
	r->size = size;
	r->level_hit = level_hit;
	r->steps = 0;
	r->stop_level = size + 1;
	return MMU_OK;
}

static inline bool access_serves(const struct mmu_cpu *cpu, unsigned access, u64 data)
{
	return cpu->allow[access & (ARRAY_SIZE(cpu->allow) - 1)] >> (data & TLB_RIGHTS) & 1 &&
	       likely(!cpu->pke || !walk_pkey_denies(cpu, access, data));
}

/* ---- filling ---- */

static inline struct tlb_ref level_put_kind(struct tlb_level *l, u64 va, unsigned kind, unsigned pcid, u64 data)
{
	unsigned size = tlb_kind_size(kind);
	u64 vpn = va >> tlb_size_shift(size);
	struct tlb_array *a = tlb_level_array(l, size, vpn);

	l->fractions |= (data >> TLB_LEAF_SHIFT & 3) > size;
	return (struct tlb_ref){a, tlb_array_put(a, vpn, tlb_tag_make(va, kind, pcid), data)};
}

/* 4K apart, with constant shifts, as in tlb_find(). */
static struct tlb_ref level_put(struct tlb_level *l, u64 va, unsigned kind, unsigned pcid, u64 data)
{
	if (likely(kind == tlb_kind(MMU_4K, false)))
		return level_put_kind(l, va, tlb_kind(MMU_4K, false), pcid, data);
	return level_put_kind(l, va, kind, pcid, data);
}

/* A translation's data as that of the page of size `smaller` within it that holds va. */
static u64 data_narrow(u64 data, u64 va, unsigned size, unsigned smaller)
{
	return data | (va & (tlb_size_bytes(size) - 1) & ~(tlb_size_bytes(smaller) - 1));
}

/* data: of a page of size `size`. */
static inline __attribute__((always_inline)) struct tlb_ref fill_l1(struct mmu_cpu *cpu, bool fetch, u64 va,
								    unsigned size, bool global, u64 data)
{
	unsigned held = cpu->l1[fetch]->place[size].size;

	cpu->counters.fills[held]++;
	return level_put(cpu->l1[fetch], va, tlb_kind(held, global), cpu->pcid, data_narrow(data, va, size, held));
}

/* A rewalk's translation in place of what the level has for va. Returns the entry; none if it has none of that kind. */
static struct tlb_ref level_refresh(struct tlb_level *l, u64 va, unsigned kind, unsigned pcid, u64 data)
{
	struct tlb_ref e = tlb_find(l, va, pcid);

	if (e.array && tlb_tag_kind(e.array->tag[e.i]) == kind) {
		e.array->data[e.i] = data;
		tlb_touch(e.array, e.i);
		return e;
	}
	tlb_level_drop_va(l, va, pcid, true);
	return (struct tlb_ref){NULL, 0};
}

/* The entries that a rewalk finds are refreshed; returns L1's. */
static struct tlb_ref refresh(struct mmu_cpu *cpu, bool fetch, u64 va, unsigned size, bool global, u64 data)
{
	unsigned held = cpu->l1[fetch]->place[size].size;

	level_refresh(cpu->l2[fetch], va, tlb_kind(size, global), cpu->pcid, data);
	return level_refresh(cpu->l1[fetch], va, tlb_kind(held, global), cpu->pcid, data_narrow(data, va, size, held));
}

/* Caches a walk's translation, data of a page of size `size`; returns L1's entry. */
static struct tlb_ref fill_walked(struct mmu_cpu *cpu, bool fetch, const struct walk *w, unsigned size, u64 data,
				  bool rewalk)
{
	struct tlb_level *l2 = cpu->l2[fetch];
	bool global = w->entry[w->stop] & X86_PTE_G && cpu->cr4 & X86_CR4_PGE;
	struct tlb_ref e = {NULL, 0};

	if (rewalk)
		e = refresh(cpu, fetch, w->va, size, global, data);
	else if (l2->place[size].size == size)
		level_put(l2, w->va, tlb_kind(size, global), cpu->pcid, data);
	return e.array ? e : fill_l1(cpu, fetch, w->va, size, global, data);
}

/* ---- the walk of an access ---- */

/* Walks, from the deepest paging-structure cache entry, until A and D are set. */
static int access_walk(struct mmu_cpu *cpu, u64 va, unsigned access, struct walk *w, u32 *error_code)
{
	do {
		u64 data;
		unsigned level = psc_find(&cpu->psc, va, cpu->pcid, &data);

		if (level)
			walk_begin_at(va, level, data, w);
		else
			walk_begin(cpu, va, w);
		walk_descend(cpu, w);
		if (unlikely(cpu->oracle))
			oracle_check_walk(cpu, w);
		if (unlikely(!walk_serves(cpu, access, w))) {
			*error_code = walk_error(cpu, access, w);
			return MMU_PF;
		}
	} while (!walk_set_ad(cpu, access, w));
	for (unsigned level = w->top; level > w->stop; level--)
		psc_put(&cpu->psc, va, level, cpu->pcid, w->data[level]);
	return MMU_OK;
}

static int access_fault(struct mmu_cpu *cpu, u64 va, bool fetch, struct mmu_result *r)
{
	cpu->counters.walk_faults[fetch]++;
	cpu_fault_invalidate(cpu, va);
	r->outcome = MMU_PF;
	r->pa = 0;
	r->size = 0;
	r->level_hit = 0;
	return MMU_PF;
}

static int access_by_walk(struct mmu_cpu *cpu, u64 va, unsigned access, int slot, bool rewalk, struct mmu_result *r)
{
	bool fetch = (access & MMU_KIND) == MMU_FETCH;
	struct walk w;
	int outcome = access_walk(cpu, va, access, &w, &r->error_code);

	for (unsigned level = w.top; level >= w.stop; level--)
		cpu->counters.walk_steps[level]++;
	cpu->counters.walk_steps[0] += w.steps;
	if (cpu->lines.set) {
		bool away = false;

		for (unsigned level = w.top; level >= w.stop; level--)
			away = lines_read(&cpu->lines, w.pa[level], &cpu->counters);
		if (outcome == MMU_OK)
			lines_walked(&cpu->lines, away);
	}
	if (outcome == MMU_OK) {
		unsigned size = min(w.size, cpu->largest);
		u64 data = walk_data(&w, size);
		struct tlb_ref e = fill_walked(cpu, fetch, &w, size, data, rewalk);

		cpu->counters.walks[fetch]++;
		tlb_window_use(&cpu->window, slot, e);
		access_done(r, va, data, size, 0);
	} else {
		access_fault(cpu, va, fetch, r);
	}
	r->steps = w.steps;
	r->stop_level = w.stop;
	return outcome;
}

/* The walk that programs with much memory take most: its PDE is cached, and its PTE has A (on a write also D) and
 * serves. So one entry is read, none is written, and no upper one becomes known. False: it is not so, and nothing is
 * counted or cached. Not for the oracle, nor with protection keys. */
static bool access_by_pte(struct mmu_cpu *cpu, u64 va, unsigned access, int slot, struct mmu_result *r)
{
	bool fetch = (access & MMU_KIND) == MMU_FETCH, write = (access & MMU_KIND) == MMU_WRITE;
	u64 e, pde, pa, wanted = X86_PTE_P | X86_PTE_A | (write ? X86_PTE_D : 0);
	struct tlb_level *l2 = cpu->l2[fetch];
	struct tlb_ref l1;
	unsigned rights;
	bool global;
	u64 data;

	if (psc_find(&cpu->psc, va, cpu->pcid, &pde) != X86_PD)
		return false;
	pa = (pde & TLB_FRAME) + 8 * x86_index(va, X86_PT);
	e = walk_read(cpu, pa);
	rights = pde & TLB_RIGHTS & walk_entry_rights(e);
	if ((e & wanted) != wanted || e & cpu->rsvd[X86_PT][0] || !(cpu->allow[access & 15] >> (rights | TLB_D) & 1))
		return false;
	data = (e & X86_PHYS_MASK) | rights | (e & X86_PTE_D ? TLB_D : 0) |
	       (e & X86_PTE_PKEY) >> X86_PTE_PKEY_SHIFT << TLB_PKEY_SHIFT;
	global = e & X86_PTE_G && cpu->cr4 & X86_CR4_PGE;
	cpu->counters.walk_steps[X86_PT]++;
	cpu->counters.walks[fetch]++;
	cpu->counters.walk_steps[0]++;
	if (likely(cpu->lines.set))
		lines_walked(&cpu->lines, lines_read(&cpu->lines, pa, &cpu->counters));
	if (l2->place[MMU_4K].size == MMU_4K)
		level_put(l2, va, tlb_kind(MMU_4K, global), cpu->pcid, data);
	l1 = fill_l1(cpu, fetch, va, MMU_4K, global, data);
	tlb_window_use(&cpu->window, slot, l1);
	access_done(r, va, data, MMU_4K, 0);
	r->steps = 1;
	r->stop_level = X86_PT;
	return true;
}

/* ---- the access ---- */

/* The translation of an L2 hit, moved up to L1. */
static int access_by_l2(struct mmu_cpu *cpu, u64 va, bool fetch, int slot, u64 tag, u64 data, struct mmu_result *r)
{
	unsigned size = tlb_kind_size(tlb_tag_kind(tag));
	struct tlb_ref e = fill_l1(cpu, fetch, va, size, tag & TLB_TAG_GLOBAL, data);

	tlb_window_use(&cpu->window, slot, e);
	return access_done(r, va, data, size, 2);
}

/* All but an L1 hit that serves. l1: the L1 entry that does not serve, or none. */
static __attribute__((noinline)) int access_slow(struct mmu_cpu *cpu, u64 va, unsigned access, int slot,
						 struct tlb_ref l1, struct mmu_result *r)
{
	bool fetch = (access & MMU_KIND) == MMU_FETCH;
	struct tlb_ref e = l1;

	if (slot >= 0 && !tlb_window_has(&cpu->window, slot, l1))
		tlb_window_leave(&cpu->window, slot);
	if (!e.array) {
		cpu->counters.l1_miss[fetch]++;
		e = tlb_find(cpu->l2[fetch], va, cpu->pcid);
	}
	if (!e.array) {
		cpu->counters.l2_miss[fetch]++;
		if (likely(!cpu->oracle && !cpu->pke) && access_by_pte(cpu, va, access, slot, r))
			return MMU_OK;
		return access_by_walk(cpu, va, access, slot, false, r);
	}
	if (!access_serves(cpu, access, e.array->data[e.i])) {
		cpu->counters.rewalks[fetch]++;
		return access_by_walk(cpu, va, access, slot, true, r);
	}
	if (unlikely(cpu->oracle))
		oracle_check_hit(cpu, va, e, "L2 TLB");
	tlb_touch(e.array, e.i);
	return access_by_l2(cpu, va, fetch, slot, e.array->tag[e.i], e.array->data[e.i], r);
}

/* No translation: a non-canonical address, or paging off. */
static __attribute__((noinline)) int access_untranslated(u64 va, int outcome, struct mmu_result *r)
{
	*r = (struct mmu_result){.pa = outcome == MMU_OK ? va : 0, .outcome = outcome};
	return outcome;
}

int mmu_access(struct mmu_cpu *cpu, u64 va, unsigned access, int slot, struct mmu_result *r)
{
	bool fetch = (access & MMU_KIND) == MMU_FETCH;
	struct tlb_ref e;

	cpu->counters.lookups[fetch]++;
	if (unlikely((u64)((s64)(va << cpu->noncanonical_shift) >> cpu->noncanonical_shift) != va))
		return access_untranslated(va, MMU_GP, r);
	if (unlikely(!cpu->paging))
		return access_untranslated(va, MMU_OK, r);
	e = tlb_find(cpu->l1[fetch], va, cpu->pcid);
	if (unlikely(!e.array || !access_serves(cpu, access, e.array->data[e.i])))
		return access_slow(cpu, va, access, slot, e, r);
	if (unlikely(cpu->oracle))
		oracle_check_hit(cpu, va, e, "L1 TLB");
	tlb_window_use(&cpu->window, slot, e);
	return access_done(r, va, e.array->data[e.i], tlb_kind_size(tlb_tag_kind(e.array->tag[e.i])), 1);
}

void mmu_data_lines(struct mmu_cpu *cpu, u64 lines)
{
	cpu->lines.data = (u32)min(max(lines, (u64)1), (u64)(PAGE_SIZE >> LINE_SHIFT));
}

void mmu_window_leave(struct mmu_cpu *cpu, unsigned slot)
{
	tlb_window_leave(&cpu->window, slot);
}

void mmu_window_flush(struct mmu_cpu *cpu)
{
	tlb_window_flush(&cpu->window);
}
