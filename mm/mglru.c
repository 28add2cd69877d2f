/* SPDX-License-Identifier: MIT
 *
 * mm/mglru.c - the replacement policy mglru: Linux's generations.
 *
 *   min_seq                                     max_seq
 *   [ gen 5 ]      [ gen 6 ]      [ gen 7 ]     [ gen 8 ]      2 to 4 generations, each a list per type:
 *      | the oldest leaves            ^             ^          list = (seq % 4) * 2 + type
 *      v                              |             `-- faults, and what aging finds used
 *     out, unless it was used --------|---------------->
 *                                     `-- read ahead: one above the oldest
 *
 * Aging: when fewer than three generations are left, all page tables are walked, the pages whose accessed bits are set
 * are brought to the youngest generation, and a new one begins. So accessed bits are read in the order of the tables,
 * where neighbours are together, and rmap is asked for the few pages that are about to go only.
 * Not modelled: tiers (they protect files read through file descriptors, which no page fault sees), the memory cgroups,
 * and the Bloom filter that spares aging the tables without young entries.
 *
 * Sources: Linux Documentation/mm/multigen_lru.rst, mm/vmscan.c (inc_max_seq, walk_mm, sort_folio, isolate_folios,
 * positive_ctrl_err), include/linux/mmzone.h.
 */
#include "mm/lru.h"
#include "mm/pgtable.h"

#define MIN_NR_GENS   2
#define MAX_NR_GENS   4
#define MIN_LRU_BATCH 64

static unsigned gen_list(u64 seq, enum lru_type type)
{
	return (unsigned)(seq % MAX_NR_GENS) * NR_LRU_TYPES + type;
}

static void mglru_init(struct vm *vm)
{
	vm->reclaim.max_seq = MIN_NR_GENS;
	vm->reclaim.min_seq[LRU_ANON] = 1;
	vm->reclaim.min_seq[LRU_FILE] = 1;
}

static void mglru_add(struct vm *vm, struct page *page, enum lru_hint hint)
{
	struct vm_reclaim *r = &vm->reclaim;
	enum lru_type type = page_lru_type(page);
	u64 seq = hint == LRU_PIECE || hint == LRU_READAHEAD || hint == LRU_COLD ? r->min_seq[type] : r->max_seq;

	vm->reclaim.refaulted[type] += hint == LRU_REFAULT;
	lru_list_add(vm, page, gen_list(seq, type), hint == LRU_PIECE);
}

/* The frame was used: its block is as young as any. */
static void promote(struct vm *vm, u64 pfn)
{
	struct page *head = page_head(vm, pfn_to_page(vm, pfn));
	unsigned list = gen_list(vm->reclaim.max_seq, page_lru_type(head));

	if (!(head->flags & PG_lru) || page_list(head) == list)
		return;
	lru_list_del(vm, head);
	lru_list_add(vm, head, list, false);
}

static void walk_mm(struct mm_struct *mm)
{
	struct pt_iter it = pt_leaves(mm, 0, TASK_SIZE);

	while (pt_next(&it)) {
		if (entry_present(*it.pos.entry) && pt_clear_young(&it.pos) &&
		    !is_zero_pfn(mm->vm, entry_pfn(*it.pos.entry)))
			promote(mm->vm, entry_pfn(*it.pos.entry));
	}
}

/* The oldest generation is over: what was counted during it fades. Linux: reset_ctrl_pos(). */
static void next_min_seq(struct vm *vm, enum lru_type type)
{
	struct vm_reclaim *r = &vm->reclaim;

	r->min_seq[type]++;
	r->avg_refaulted[type] = (r->avg_refaulted[type] + r->refaulted[type]) / 2;
	r->avg_total[type] = (r->avg_total[type] + r->evicted[type]) / 2;
	r->refaulted[type] = r->evicted[type] = 0;
}

/* With four generations there is no list for a fifth: the oldest becomes part of the next. Its order is kept. */
static void inc_min_seq(struct vm *vm, enum lru_type type)
{
	u64 seq = vm->reclaim.min_seq[type];
	unsigned from = gen_list(seq, type), to = gen_list(seq + 1, type);

	for (u32 pfn = vm->reclaim.list[from].head; pfn; pfn = vm->reclaim.list[from].head) {
		lru_list_del(vm, pfn_to_page(vm, pfn));
		lru_list_add(vm, pfn_to_page(vm, pfn), to, true);
	}
	next_min_seq(vm, type);
}

/* Linux: try_to_inc_max_seq(). What aging finds goes into the generation that was the youngest; new pages into the new.
 */
static void age(struct vm *vm)
{
	for (unsigned type = 0; type < NR_LRU_TYPES; type++) {
		if (vm->reclaim.max_seq - vm->reclaim.min_seq[type] + 1 == MAX_NR_GENS)
			inc_min_seq(vm, type);
	}
	for (struct mm_struct *mm = vm->mm_list; mm; mm = mm->next)
		walk_mm(mm);
	vm->reclaim.max_seq++;
}

/* Empty generations are over, but for the two youngest, which may not be evicted from before the next aging. Linux:
 * try_to_inc_min_seq(). */
static void skip_empty_gens(struct vm *vm)
{
	struct vm_reclaim *r = &vm->reclaim;

	for (unsigned type = 0; type < NR_LRU_TYPES; type++)
		while (r->min_seq[type] + MIN_NR_GENS <= r->max_seq && !r->list[gen_list(r->min_seq[type], type)].nr)
			next_min_seq(vm, type);
}

/* Is reclaiming file pages no worse? Of few refaults nothing follows; else the rates are compared, weighted by
 * swappiness. Linux: positive_ctrl_err(), of tier 0. */
static bool file_refaults_less(struct vm *vm)
{
	const struct vm_reclaim *r = &vm->reclaim;
	u64 refaulted[NR_LRU_TYPES], total[NR_LRU_TYPES], swappiness = vm->sysctl.swappiness;

	for (unsigned t = 0; t < NR_LRU_TYPES; t++) {
		refaulted[t] = r->avg_refaulted[t] + r->refaulted[t];
		total[t] = r->avg_total[t] + r->evicted[t];
	}
	return refaulted[LRU_FILE] < MIN_LRU_BATCH ||
	       refaulted[LRU_FILE] * (total[LRU_ANON] + MIN_LRU_BATCH) * swappiness <=
		   (refaulted[LRU_ANON] + 1) * total[LRU_FILE] * (MAX_SWAPPINESS - swappiness);
}

/* The type whose oldest generation is older; of equals the one whose pages come back less. Linux: isolate_folios(). With
 * swappiness 0 Linux never takes an anonymous page; here it does when no file page is left. */
static enum lru_type choose_type(struct vm *vm, unsigned types)
{
	struct vm_reclaim *r = &vm->reclaim;
	u64 swappiness = vm->sysctl.swappiness;

	for (unsigned t = 0; t < NR_LRU_TYPES; t++) {
		if (!(types & 1u << t) || !r->nr[t])
			return !t;
	}
	if (!swappiness)
		return LRU_FILE;
	if (r->min_seq[LRU_ANON] != r->min_seq[LRU_FILE])
		return r->min_seq[LRU_ANON] < r->min_seq[LRU_FILE] ? LRU_ANON : LRU_FILE;
	if (swappiness == 1 || swappiness == MAX_SWAPPINESS)
		return swappiness == 1 ? LRU_FILE : LRU_ANON;
	return file_refaults_less(vm) ? LRU_FILE : LRU_ANON;
}

static struct page *mglru_pick(struct vm *vm, unsigned types, u64 *budget)
{
	struct vm_reclaim *r = &vm->reclaim;

	for (; *budget; --*budget) {
		enum lru_type type;
		struct page *page;

		skip_empty_gens(vm);
		type = choose_type(vm, types);
		if (!(types & 1u << type) || !r->nr[type])
			return NULL;
		if (r->min_seq[type] + MIN_NR_GENS > r->max_seq) {
			age(vm);
			continue;
		}
		page = lru_list_last(vm, gen_list(r->min_seq[type], type));
		lru_list_del(vm, page);
		if (!page_referenced(vm, page).referenced) {
			r->evicted[type] += 1ull << page->order;
			return page;
		}
		lru_list_add(vm, page, gen_list(r->max_seq, type), false);
	}
	return NULL;
}

const struct reclaim_policy policy_mglru = {"mglru", mglru_init, mglru_add, mglru_pick};
