/* SPDX-License-Identifier: MIT
 *
 * mmu/access.c - one access, from va to pa, #PF or #GP. The file that the simulator spends its time in.
 *
 *   mmu_access
 *     |-- L1 TLB hit, the rights serve -----------------------------> pa         one probe, no RAM read
 *     `-- L1 miss
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

/* Index of what is apart for data and for fetches. */
static inline unsigned access_is_fetch(unsigned access)
{
	return access / MMU_FETCH % 2;
}

static inline bool access_serves(const struct mmu_cpu *cpu, unsigned access, u64 data)
{
	return cpu->allow[access & (ARRAY_SIZE(cpu->allow) - 1)] >> (data & TLB_RIGHTS) & 1 &&
	       likely(!cpu->pke || !walk_pkey_denies(cpu, access, data));
}

/* ---- filling ---- */

#define ALWAYS_INLINE inline __attribute__((always_inline)) /* `size` is a constant where most go */

/* data: of a page of size `size`, which the level holds. */
static ALWAYS_INLINE void level_put(struct tlb_level *l, u64 va, unsigned size, bool global, unsigned pcid, u64 data)
{
	u64 vpn = va >> tlb_size_shift(size);
	struct tlb_array *a = tlb_level_array(l, size, vpn);

	if (unlikely(tlb_data_leaf(data) > size))
		l->fractions |= tlb_fractions_bit(va);
	tlb_array_put(a, tlb_array_set(a, vpn), tlb_tag_make(va, tlb_kind(size, global), pcid), data);
}

/* A translation's data as that of the page of size `smaller` within it that holds va. */
static u64 data_narrow(u64 data, u64 va, unsigned size, unsigned smaller)
{
	return data | (va & (tlb_size_bytes(size) - 1) & ~(tlb_size_bytes(smaller) - 1));
}

/* Into an L1 array. The slot, if there is one, is empty. */
static ALWAYS_INLINE void fill_array(struct mmu_cpu *cpu, struct tlb_level *l1, struct tlb_array *a, u64 vpn,
				     unsigned size, u64 tag, u64 data, int slot)
{
	u32 set = tlb_array_set(a, vpn);

	cpu->counters.fills[size]++;
	if (unlikely(tlb_data_leaf(data) > size))
		l1->fractions |= tlb_fractions_bit(vpn << tlb_size_shift(size));
	if (likely(slot >= 0))
		tlb_window_put(&cpu->window, (unsigned)slot, a, set, tag, data);
	else
		tlb_window_pass(&cpu->window, (struct tlb_ref){a, tlb_array_put(a, set, tag, data)});
}

/* data: of a page of size `size`. */
static ALWAYS_INLINE void fill_l1(struct mmu_cpu *cpu, bool fetch, u64 va, unsigned size, bool global, u64 data,
				  int slot)
{
	struct tlb_level *l1 = cpu->l1[fetch];
	unsigned held = size == MMU_4K ? MMU_4K : l1->place[size].size;
	u64 vpn = va >> tlb_size_shift(held);

	fill_array(cpu, l1, tlb_level_array(l1, held, vpn), vpn, held,
		   tlb_tag_make(va, tlb_kind(held, global), cpu->pcid), data_narrow(data, va, size, held), slot);
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

/* Caches a walk's translation, data of a page of size `size`. */
static void fill_walked(struct mmu_cpu *cpu, bool fetch, const struct walk *w, unsigned size, u64 data, bool rewalk,
			int slot)
{
	struct tlb_level *l1 = cpu->l1[fetch], *l2 = cpu->l2[fetch];
	bool global = w->entry[w->stop] & X86_PTE_G && cpu->cr4 & X86_CR4_PGE;
	unsigned held = l1->place[size].size;
	struct tlb_ref e = {NULL, 0};

	if (rewalk) {
		level_refresh(l2, w->va, tlb_kind(size, global), cpu->pcid, data);
		e = level_refresh(l1, w->va, tlb_kind(held, global), cpu->pcid, data_narrow(data, w->va, size, held));
	} else if (l2->place[size].size == size) {
		level_put(l2, w->va, size, global, cpu->pcid, data);
	}
	if (e.array)
		tlb_window_use(&cpu->window, slot, e);
	else
		fill_l1(cpu, fetch, w->va, size, global, data, slot);
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

/* Where what a walk read lay. The table that a paging-structure cache names needs no host any more: such entries join both
 * translations, too. */
static void access_lines(struct mmu_cpu *cpu, const struct walk *w, bool ok)
{
	bool host = cpu->cfg.host_page, away = false;

	for (unsigned level = w->top; level >= w->stop; level--) {
		if (host && (level < w->top || level == cpu->levels))
			nested_read(cpu, w->pa[level], MMU_4K);
		away = lines_read(&cpu->lines, w->pa[level], cpu->counters.read_from);
	}
	if (!ok)
		return;
	if (host)
		nested_read(cpu, walk_data(w, MMU_4K) & TLB_FRAME, w->size);
	lines_walked(&cpu->lines, away);
}

static int access_by_walk(struct mmu_cpu *cpu, u64 va, unsigned access, int slot, bool rewalk, struct mmu_result *r)
{
	bool fetch = access_is_fetch(access);
	struct walk w;
	int outcome = access_walk(cpu, va, access, &w, &r->error_code);

	for (unsigned level = w.top; level >= w.stop; level--)
		cpu->counters.walk_steps[level]++;
	cpu->counters.walk_steps[0] += w.steps;
	if (cpu->lines.set)
		access_lines(cpu, &w, outcome == MMU_OK);
	if (outcome == MMU_OK) {
		unsigned size = min(w.size, cpu->largest);
		u64 data = walk_data(&w, size);

		fill_walked(cpu, fetch, &w, size, data, rewalk, slot);
		cpu->counters.walks[fetch]++;
		access_done(r, va, data, size, 0);
	} else {
		cpu->counters.walk_faults[fetch]++;
		cpu_fault_invalidate(cpu, va);
		*r = (struct mmu_result){.outcome = MMU_PF, .error_code = r->error_code};
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
	bool fetch = access_is_fetch(access), write = (access & MMU_KIND) == MMU_WRITE;
	u64 e, pde, pa, wanted = X86_PTE_P | X86_PTE_A | (write ? X86_PTE_D : 0);
	struct tlb_level *l2 = cpu->l2[fetch];
	unsigned rights;
	bool global;
	u64 data;

	if (!psc_find_at(&cpu->psc, va, X86_PD, cpu->pcid, &pde))
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
	if (likely(cpu->lines.set)) {
		bool away = lines_read(&cpu->lines, pa, cpu->counters.read_from);

		if (unlikely(cpu->cfg.host_page))
			nested_read(cpu, data & TLB_FRAME, MMU_4K);
		lines_walked(&cpu->lines, away);
	}
	if (l2->place[MMU_4K].size == MMU_4K)
		level_put(l2, va, MMU_4K, global, cpu->pcid, data);
	fill_l1(cpu, fetch, va, MMU_4K, global, data, slot);
	access_done(r, va, data, MMU_4K, 0);
	r->steps = 1;
	r->stop_level = X86_PT;
	return true;
}

/* ---- the access ---- */

#define APART __attribute__((noinline)) /* so that those who go elsewhere save no registers for it */

static APART int access_missed(struct mmu_cpu *cpu, u64 va, unsigned access, int slot, struct mmu_result *r)
{
	cpu->counters.l2_miss[access_is_fetch(access)]++;
	if (likely(!cpu->oracle && !cpu->pke) && access_by_pte(cpu, va, access, slot, r))
		return MMU_OK;
	return access_by_walk(cpu, va, access, slot, false, r);
}

/* Of a TLB hit that does not serve. */
static APART int access_again(struct mmu_cpu *cpu, u64 va, unsigned access, int slot, struct mmu_result *r)
{
	cpu->counters.rewalks[access_is_fetch(access)]++;
	return access_by_walk(cpu, va, access, slot, true, r);
}

/* An L1 hit that does not serve. */
static APART int access_refused(struct mmu_cpu *cpu, u64 va, unsigned access, int slot, struct mmu_result *r)
{
	struct tlb_ref e = tlb_find(cpu->l1[access_is_fetch(access)], va, cpu->pcid);

	if (slot >= 0 && !tlb_window_has(&cpu->window, slot, e))
		tlb_window_leave(&cpu->window, slot);
	return access_again(cpu, va, access, slot, r);
}

/* Is va not translated: not canonical, or paging off? r tells the outcome then. */
static APART bool access_untranslated(const struct mmu_cpu *cpu, u64 va, struct mmu_result *r)
{
	bool canonical = x86_canonical(va, 64 - cpu->noncanonical_shift);

	if (canonical && cpu->paging)
		return false;
	*r = (struct mmu_result){.pa = canonical ? va : 0, .outcome = canonical ? MMU_OK : MMU_GP};
	return true;
}

/* An L1 hit. size: the entry's. */
static ALWAYS_INLINE int access_hit(struct mmu_cpu *cpu, u64 va, unsigned access, int slot, struct tlb_ref e,
				    unsigned size, struct mmu_result *r)
{
	u64 data = e.array->data[e.i];

	if (unlikely(!access_serves(cpu, access, data)))
		return access_refused(cpu, va, access, slot, r);
	if (unlikely(cpu->oracle))
		oracle_check_hit(cpu, va, e, "L1 TLB");
	tlb_window_use(&cpu->window, slot, e);
	return access_done(r, va, data, size, 1);
}

/* Does L1 have va in an entry that is not of a 4K page, or is global? If so, r tells the outcome. */
static APART bool access_hit_other(struct mmu_cpu *cpu, u64 va, unsigned access, int slot, struct mmu_result *r)
{
	struct tlb_ref e = tlb_find_other(cpu->l1[access_is_fetch(access)], va, cpu->pcid);

	if (e.array)
		access_hit(cpu, va, access, slot, e, tlb_kind_size(tlb_tag_kind(e.array->tag[e.i])), r);
	return e.array;
}

/* The same of L2, which has it in no entry of a 4K page but global ones. */
static APART int access_by_l2_other(struct mmu_cpu *cpu, u64 va, unsigned access, int slot, struct mmu_result *r)
{
	unsigned fetch = access_is_fetch(access), size;
	struct tlb_ref e = tlb_find_other(cpu->l2[fetch], va, cpu->pcid);
	u64 tag, data;

	if (!e.array)
		return access_missed(cpu, va, access, slot, r);
	tag = e.array->tag[e.i];
	data = e.array->data[e.i];
	if (unlikely(!access_serves(cpu, access, data)))
		return access_again(cpu, va, access, slot, r);
	if (unlikely(cpu->oracle))
		oracle_check_hit(cpu, va, e, "L2 TLB");
	tlb_touch(e.array, e.i);
	size = tlb_kind_size(tlb_tag_kind(tag));
	fill_l1(cpu, fetch, va, size, tag & TLB_TAG_GLOBAL, data, slot);
	return access_done(r, va, data, size, 2);
}

/* Most accesses are to 4K pages, and those that no window hides hit in L2 at best: so these are one straight line here,
 * with one tag and one L1 array from its beginning to its end. */
int mmu_access(struct mmu_cpu *cpu, u64 va, unsigned access, int slot, struct mmu_result *r)
{
	unsigned fetch = access_is_fetch(access);
	u64 vpn = va >> PAGE_SHIFT, tag = tlb_tag_make(va, tlb_kind(MMU_4K, false), cpu->pcid), data;
	struct tlb_level *l1 = cpu->l1[fetch], *l2 = cpu->l2[fetch];
	struct tlb_array *a = tlb_level_array(l1, MMU_4K, vpn), *b;
	u32 i = tlb_array_find(a, tag, vpn);

	cpu->counters.lookups[fetch]++;
	if (unlikely(va >= cpu->low_end) && access_untranslated(cpu, va, r))
		return r->outcome;
	if (i != TLB_NONE)
		return access_hit(cpu, va, access, slot, (struct tlb_ref){a, i}, MMU_4K, r);
	if (l1->census.present & ~TLB_ONLY_4K && access_hit_other(cpu, va, access, slot, r))
		return r->outcome;

	cpu->counters.l1_miss[fetch]++;
	if (likely(slot >= 0))
		tlb_window_leave(&cpu->window, (unsigned)slot);
	if (unlikely(!(l2->census.present & TLB_ONLY_4K)))
		return access_by_l2_other(cpu, va, access, slot, r);
	b = tlb_level_array(l2, MMU_4K, vpn);
	i = tlb_array_find(b, tag, vpn);
	if (i == TLB_NONE)
		return l2->census.present & ~TLB_ONLY_4K ? access_by_l2_other(cpu, va, access, slot, r)
							 : access_missed(cpu, va, access, slot, r);
	data = b->data[i];
	if (unlikely(!access_serves(cpu, access, data)))
		return access_again(cpu, va, access, slot, r);
	if (unlikely(cpu->oracle))
		oracle_check_hit(cpu, va, (struct tlb_ref){b, i}, "L2 TLB");
	tlb_touch(b, i);
	fill_array(cpu, l1, a, vpn, MMU_4K, tag, data, slot);
	return access_done(r, va, data, MMU_4K, 2);
}

/* The upper tables are few and near; only the leaf's line and what lines.h knows of it are worth it. */
void mmu_expect(const struct mmu_cpu *cpu, u64 va)
{
	unsigned level = cpu->levels;
	u64 pa = cpu->root + 8 * x86_index(va, level), e;

	for (; level > X86_PT && (e = walk_read(cpu, pa)) & X86_PTE_P && !(e & X86_PTE_PS); level--)
		pa = (e & X86_PHYS_MASK) + 8 * x86_index(va, level - 1);
	__builtin_prefetch(cpu->cfg.ram + min(pa, cpu->cfg.ram_bytes - 1));
	if (cpu->lines.set)
		__builtin_prefetch(&cpu->lines.set[pa >> LINE_SHIFT & cpu->lines.set_mask], 1);
}

void mmu_data_lines(struct mmu_cpu *cpu, u64 accesses, u64 walks)
{
	const u64 line = 1ull << LINES_PART, page = (PAGE_SIZE >> LINE_SHIFT) * line;

	cpu->lines.data = min(max(accesses * line / max(walks, (u64)1), line), page);
}

void mmu_window_leave(struct mmu_cpu *cpu, unsigned slot)
{
	tlb_window_leave(&cpu->window, slot);
}

void mmu_window_flush(struct mmu_cpu *cpu)
{
	tlb_window_flush(&cpu->window);
}
