/* SPDX-License-Identifier: MIT
 *
 * mm/policy.c - replacement policies on plain lists: lru2, clock, fifo, random. mm/mglru.c is the fifth.
 *
 *   lru2, Linux's:       new, read ahead                               refault
 *                              v                                          v
 *     for anon and file   [ inactive ..... tail ] --used twice-->  [ active ..... tail ]
 *     each                       |         ^---------- when inactive is low ----'
 *                                `--not used--> out
 *     The second chance (folio_check_references): an unused page goes; a used one is marked and stays; used again, or
 * by two entries at once, or a program's text, it becomes active. The active tail moves to inactive without being
 * asked, program text in use excepted.
 *
 *   clock   [ head ... tail ]   the tail goes if it was not used, else it is new again
 *   fifo    [ head ... tail ]   the tail goes
 *   random                      any page goes
 *
 * Sources: Linux 6.12 mm/vmscan.c (folio_check_references, shrink_active_list, inactive_is_low, get_scan_count,
 * prepare_scan_control), mm/swap.c (lru_note_cost); Belady 1966 for the others.
 */
#include "mm/lru.h"

#define BATCH         32 /* pages that move from active to inactive at once: Linux's SWAP_CLUSTER_MAX */
#define RANDOM_PROBES 64 /* frames asked at random before the list is used */

/* ---- lru2 ---- */

enum { INACTIVE, ACTIVE };
#define LIST(type, active) (2 * (type) + (active))

/* Reclaiming this type cost I/O, or the work of looking at a page for nothing. Old costs fade. */
static void note_cost(struct vm *vm, enum lru_type type, u64 frames)
{
	u64 *cost = vm->reclaim.cost;

	cost[type] += frames;
	if (cost[LRU_ANON] + cost[LRU_FILE] > (vm->reclaim.nr[LRU_ANON] + vm->reclaim.nr[LRU_FILE]) / 4) {
		cost[LRU_ANON] /= 2;
		cost[LRU_FILE] /= 2;
	}
}

static void lru2_init(struct vm *vm) {}

static void lru2_add(struct vm *vm, struct page *page, enum lru_hint hint)
{
	enum lru_type type = page_lru_type(page);
	bool active = hint == LRU_REFAULT || hint == LRU_KEPT;

	if (hint == LRU_REFAULT || hint == LRU_KEPT)
		note_cost(vm, type, 1ull << page->order);
	page->flags &= (u16) ~(PG_active | (active ? PG_referenced : 0));
	page->flags |= active ? PG_active : 0;
	lru_list_add(vm, page, LIST(type, active), hint == LRU_PIECE);
}

/* inactive * ratio < active, the ratio growing with memory: 1 below 1 GiB, 3 at 1 GiB, 10 at 10 GiB. */
static bool inactive_is_low(struct vm *vm, enum lru_type type)
{
	u64 inactive = vm->reclaim.list[LIST(type, INACTIVE)].nr, active = vm->reclaim.list[LIST(type, ACTIVE)].nr;
	u64 gib = (inactive + active) >> (30 - PAGE_SHIFT);

	return inactive * (gib ? int_sqrt(10 * gib) : 1) < active;
}

static void shrink_active_list(struct vm *vm, enum lru_type type, u64 *budget)
{
	for (unsigned i = 0; i < BATCH && *budget; i++, --*budget) {
		struct page *page = lru_list_last(vm, LIST(type, ACTIVE));
		struct page_use use;

		if (!page)
			return;
		lru_list_del(vm, page);
		use = page_referenced(vm, page);
		if (use.referenced && use.vm_flags & VM_EXEC && type == LRU_FILE) {
			note_cost(vm, type, 1);
			lru_list_add(vm, page, LIST(type, ACTIVE), false);
			continue;
		}
		page->flags &= (u16)~PG_active;
		page->flags |= PG_workingset;
		lru_list_add(vm, page, LIST(type, INACTIVE), false);
	}
}

enum verdict { PAGE_GOES, PAGE_STAYS, PAGE_ACTIVE };

static enum verdict check_references(struct vm *vm, struct page *page)
{
	struct page_use use = page_referenced(vm, page);
	bool before = page->flags & PG_referenced;

	page->flags &= (u16)~PG_referenced;
	if (use.vm_flags & VM_LOCKED || !use.referenced) /* locked: reclaim takes it off the lists */
		return PAGE_GOES;
	page->flags |= PG_referenced;
	if (before || use.referenced > 1 || (use.vm_flags & VM_EXEC && page_lru_type(page) == LRU_FILE))
		return PAGE_ACTIVE;
	return PAGE_STAYS;
}

/* From the inactive tail. NULL: nothing there, or the budget is used up. */
static struct page *scan_inactive(struct vm *vm, enum lru_type type, u64 *budget)
{
	struct page *page;

	for (; *budget && (page = lru_list_last(vm, LIST(type, INACTIVE))); --*budget) {
		lru_list_del(vm, page);
		switch (check_references(vm, page)) {
		case PAGE_GOES:
			return page;
		case PAGE_STAYS:
			lru_list_add(vm, page, LIST(type, INACTIVE), false);
			break;
		case PAGE_ACTIVE:
			note_cost(vm, type, 1ull << page->order);
			page->flags |= PG_active;
			lru_list_add(vm, page, LIST(type, ACTIVE), false);
		}
	}
	return NULL;
}

/* Hardly any file page is left, and anonymous ones wait: more of the few would only come back at once. */
static bool file_is_tiny(struct vm *vm)
{
	return vm->reclaim.nr[LRU_FILE] + vm->kind_frames[PAGE_FREE] <= vm->reclaim.wmark[WMARK_HIGH] &&
	       !inactive_is_low(vm, LRU_ANON) && vm->reclaim.list[LIST(LRU_ANON, INACTIVE)].nr;
}

/* What a type's pages are worth looking at: more with its swappiness, less with what it has cost, as many as there are.
 */
static u64 scan_weight(struct vm *vm, enum lru_type type)
{
	const u64 *cost = vm->reclaim.cost;
	u64 total = cost[LRU_ANON] + cost[LRU_FILE], swappiness = vm->sysctl.swappiness;
	u64 gain = type == LRU_ANON ? swappiness : MAX_SWAPPINESS - swappiness;

	return gain * (3 * total + 1) / (total + cost[type] + 1) * vm->reclaim.nr[type];
}

/* Anonymous pages or file pages: over many picks each in proportion to its weight. A large inactive list of file pages
 * that were used once goes first. */
static enum lru_type choose_type(struct vm *vm, unsigned types)
{
	u64 weight[NR_LRU_TYPES];
	s64 *share = vm->reclaim.share;
	enum lru_type type;

	for (unsigned t = 0; t < NR_LRU_TYPES; t++) {
		if (!(types & 1u << t) || !vm->reclaim.nr[t])
			return !t;
	}
	if (file_is_tiny(vm))
		return LRU_ANON;
	if (vm->reclaim.list[LIST(LRU_FILE, INACTIVE)].nr >> 12 && !inactive_is_low(vm, LRU_FILE))
		return LRU_FILE;
	for (unsigned t = 0; t < NR_LRU_TYPES; t++) {
		weight[t] = scan_weight(vm, t);
		share[t] += (s64)weight[t];
	}
	type = share[LRU_ANON] > share[LRU_FILE] ? LRU_ANON : LRU_FILE;
	share[type] -= (s64)(weight[LRU_ANON] + weight[LRU_FILE]);
	return type;
}

static struct page *lru2_pick(struct vm *vm, unsigned types, u64 *budget)
{
	while (*budget && vm->reclaim.nr[LRU_ANON] + vm->reclaim.nr[LRU_FILE]) {
		enum lru_type type = choose_type(vm, types);
		struct page *page;

		if (!(types & 1u << type) || !vm->reclaim.nr[type])
			return NULL;
		if (inactive_is_low(vm, type))
			shrink_active_list(vm, type, budget);
		page = scan_inactive(vm, type, budget);
		if (page)
			return page;
	}
	return NULL;
}

const struct reclaim_policy policy_lru2 = {"lru2", lru2_init, lru2_add, lru2_pick};

/* ---- one list for all pages: clock, fifo, random ---- */

static void no_init(struct vm *vm) {}

static void list_add(struct vm *vm, struct page *page, enum lru_hint hint)
{
	lru_list_add(vm, page, 0, hint == LRU_PIECE || hint == LRU_READAHEAD || hint == LRU_COLD);
}

static bool may_go(const struct page *page, unsigned types)
{
	return types & 1u << page_lru_type(page);
}

static struct page *clock_pick(struct vm *vm, unsigned types, u64 *budget)
{
	struct page *page;

	for (; *budget && (page = lru_list_last(vm, 0)); --*budget) {
		lru_list_del(vm, page);
		if (may_go(page, types) && !page_referenced(vm, page).referenced)
			return page;
		lru_list_add(vm, page, 0, false);
	}
	return NULL;
}

const struct reclaim_policy policy_clock = {"clock", no_init, list_add, clock_pick};

/* The oldest that may go; the others keep their places while some page may. */
static struct page *fifo_pick(struct vm *vm, unsigned types, u64 *budget)
{
	struct page *page;

	for (; *budget && (page = lru_list_last(vm, 0)); --*budget) {
		lru_list_del(vm, page);
		if (may_go(page, types))
			return page;
		lru_list_add(vm, page, 0, false);
	}
	return NULL;
}

const struct reclaim_policy policy_fifo = {"fifo", no_init, list_add, fifo_pick};

static void random_init(struct vm *vm)
{
	vm->reclaim.rng = 0x9e3779b97f4a7c15ull;
}

/* xorshift64: the same machine does the same again. */
static u64 random_next(struct vm *vm)
{
	u64 x = vm->reclaim.rng;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	vm->reclaim.rng = x;
	return x >> 16;
}

/* Any frame of RAM, until one is met that may go: so each page has the same chance, each of a huge page's frames, too.
 */
static struct page *random_pick(struct vm *vm, unsigned types, u64 *budget)
{
	for (unsigned i = 0; i < RANDOM_PROBES; i++) {
		struct page *page = pfn_to_page(vm, random_next(vm) % vm->max_pfn);

		if (page->kind != PAGE_ANON && page->kind != PAGE_FILE && page->kind != PAGE_TAIL)
			continue;
		page = page_head(vm, page);
		if ((page->kind != PAGE_ANON && page->kind != PAGE_FILE) || !(page->flags & PG_lru) ||
		    !may_go(page, types))
			continue;
		lru_list_del(vm, page);
		return page;
	}
	return fifo_pick(vm, types, budget);
}

const struct reclaim_policy policy_random = {"random", random_init, list_add, random_pick};

const struct reclaim_policy *const reclaim_policies[VM_RECLAIM_NR] = {
    [VM_RECLAIM_LRU2] = &policy_lru2, [VM_RECLAIM_MGLRU] = &policy_mglru,   [VM_RECLAIM_CLOCK] = &policy_clock,
    [VM_RECLAIM_FIFO] = &policy_fifo, [VM_RECLAIM_RANDOM] = &policy_random,
};
