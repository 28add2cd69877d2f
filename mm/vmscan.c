/* SPDX-License-Identifier: MIT
 *
 * mm/vmscan.c - reclaim: frames of pages that nobody used lately become free.
 *
 *   free frames                                                         who acts
 *   ---- high ---------------------------------------------------------- background reclaim stops
 *   ---- low ----------------------------------------------------------- background reclaim begins (balance, vm_tick)
 *   ---- min ----------------------------------------------------------- allocations fail: the caller lets go of all it
 *                                                                        holds, reclaims (make_room), tries again
 *   ---- 0   ---- only reclaim itself may come down here: it needs tables and nodes to split huge pages
 *
 * When reclaim may run. It unmaps pages of any address space, and splits huge leaves. So it runs only where nobody
 * holds an entry, a position or a page: at the head of a fault or a call, and after one that failed for want of a frame
 * has undone or kept what it did, and before it is tried from the start. alloc_pages() itself never reclaims. No
 * function of mm/ between the two needs to fear that what it looked up is gone.
 *
 * A batch of up to 32 victims:
 *
 *   pick --> split if huge --> unmap each entry ---> one flush --> write if dirty ---> free
 *   (policy)                   swap entry or empty   a mm          slot or file    |   shadow stays
 *      ^                                                                           v
 *      `-------- clean, in the swap cache, a list of their own: next ----- a write that takes time
 *
 * After the flush no CPU can write to a page that is being written out. A page that is being written to swap stays in
 * the swap cache, and is the first to go when reclaim comes by again: by then the write is over. (Linux puts it at the
 * tail of the inactive list, folio_rotate_reclaimable; a fault that finds it there takes it off again.) What cannot go
 * returns to the policy: one without a swap slot, one whose write failed. A locked page goes to a list of its own, so
 * that it is looked at once and not at each run; it returns when a lock or a mapping of it goes. Dirty pages of files are
 * written at once, by whoever reclaims; Linux leaves most of them to its flusher threads.
 *
 * Sources: Linux 6.12 mm/vmscan.c (shrink_folio_list, balance_pgdat), mm/rmap.c (try_to_unmap_one), mm/page_alloc.c
 * (__setup_per_zone_wmarks, init_per_zone_wmark_min).
 */
#include "mm/lru.h"
#include "mm/pin.h"
#include "mm/rmap.h"
#include "mm/swap.h"
#include "mm/vmscan.h"

#define SWAP_CLUSTER_MAX    32
#define MAX_RECLAIM_RETRIES 16 /* runs without a page freed, after which reclaim gives up */
#define SCAN_ROUNDS         4  /* times that all pages may be looked at in one run */

struct scan_control {
	struct vm *vm;
	struct hw_cpu *cpu;
	struct mmu_gather tlb; /* of one mm at a time */
	u64 freed;             /* frames */
};

/* ---- watermarks ---- */

void reclaim_init(struct vm *vm)
{
	u64 kib = vm->total_frames << (PAGE_SHIFT - 10), min_kib = int_sqrt(16 * kib), gap;
	u64 *wmark = vm->reclaim.wmark;

	min_kib = max(min(min_kib, 262144ull), 128ull);
	wmark[WMARK_MIN] = min_kib >> (PAGE_SHIFT - 10);
	gap = max(wmark[WMARK_MIN] / 4, vm->total_frames * 10 / 10000);
	wmark[WMARK_LOW] = wmark[WMARK_MIN] + gap;
	wmark[WMARK_HIGH] = wmark[WMARK_MIN] + 2 * gap;
	vm->reclaim.policy = reclaim_policies[vm->cfg.reclaim];
	vm->reclaim.policy->init(vm);
}

static u64 free_frames(const struct vm *vm)
{
	return vm->kind_frames[PAGE_FREE];
}

static struct mmu_gather *gather_of(struct scan_control *sc, struct mm_struct *mm)
{
	return tlb_gather_of(&sc->tlb, sc->cpu, mm, VM_FLUSH_BY_RECLAIM);
}

/* ---- huge pages ---- */

struct split_walk {
	struct scan_control *sc;
	u64 pfn;
	int err;
};

static void split_mapping(void *ctx, struct mm_struct *mm, u64 va)
{
	struct split_walk *w = ctx;
	struct pt_pos pos;

	pt_walk(mm, va, X86_PT, &pos);
	if (pos.level > X86_PT && entry_leaf(*pos.entry, pos.level) && entry_pfn(*pos.entry) == w->pfn &&
	    split_huge_leaf(gather_of(w->sc, mm), mm, &pos))
		w->err = -ENOMEM;
}

/* Every leaf of the block's own size becomes a table. A leaf is in the rmap of the block's first frame. */
static int split_mappings(struct scan_control *sc, struct page *head)
{
	struct split_walk w = {.sc = sc, .pfn = page_to_pfn(sc->vm, head)};

	rmap_walk(sc->vm, head, split_mapping, &w);
	return w.err;
}

/* The isolated block of a huge page becomes 512 pages; page, the first, stays isolated. Those that nobody maps are
 * free. Returns 0, or -ENOMEM: there was no table. */
static int split_huge_page(struct scan_control *sc, struct page *page)
{
	unsigned order = page->order - HPAGE_PMD_ORDER;
	struct vm *vm = sc->vm;

	if (split_mappings(sc, page))
		return -ENOMEM;
	tlb_gather_end(&sc->tlb); /* pieces may be freed now */
	split_page(vm, page, order);
	for (u64 i = 1; i < PTRS_PER_TABLE; i++) {
		struct page *piece = page + (i << order);

		if (piece->_refcount) {
			if (page->flags & PG_lazyfree)
				page_set_lazyfree(vm, piece);
			lru_add(vm, piece, LRU_PIECE);
			continue;
		}
		piece->_refcount = 1;
		put_page(vm, piece);
		sc->freed += 1ull << order;
	}
	return 0;
}

static int split_to_small(struct scan_control *sc, struct page *page)
{
	while (page->order) {
		if (split_huge_page(sc, page))
			return -ENOMEM;
	}
	return 0;
}

/* ---- unmapping ---- */

/* A mapping of a small page: where it is. */
static struct pt_pos entry_of(struct scan_control *sc, const struct page *page, struct mm_struct *mm, u64 va)
{
	struct pt_pos pos;

	pt_walk(mm, va, X86_PT, &pos);
	ASSERT(pos.level == X86_PT && entry_pfn(*pos.entry) == page_to_pfn(sc->vm, page));
	return pos;
}

/* The entry of mm at va does not name the page any more. Not its last reference: reclaim has one. */
static void mapping_gone(struct scan_control *sc, struct page *page, struct mm_struct *mm, u64 va)
{
	page_remove_rmap(mm, page, va, 0);
	put_page(sc->vm, page);
}

/* replacement: what the entry holds from now on. What the program wrote stays known. */
static void unmap_entry(struct scan_control *sc, struct page *page, struct mm_struct *mm, u64 va, u64 replacement)
{
	struct pt_pos pos = entry_of(sc, page, mm, va);

	if (pt_set(gather_of(sc, mm), mm, &pos, replacement) & X86_PTE_D)
		page->flags |= PG_dirty;
	mapping_gone(sc, page, mm, va);
}

static struct mm_struct *mm_of(struct vm *vm, u64 mapping)
{
	return (struct mm_struct *)radix_get(&vm->mms, rmap_mm_id(mapping));
}

/* Each entry names the page's slot from now on. */
static bool unmap_to_swap(struct scan_control *sc, struct page *page)
{
	u64 mapping;

	if (!(page->flags & PG_swapcache) && swap_cache_add(sc->vm, page))
		return false;
	while ((mapping = rmap_first(page))) {
		struct mm_struct *mm = mm_of(sc->vm, mapping);
		u64 entry = swp_make(page->private, page->flags & PG_anon_exclusive);

		swap_dup(sc->vm, page->private);
		mm->rss[MM_SWAPENTS]++;
		unmap_entry(sc, page, mm, rmap_va(mapping), entry);
	}
	return true;
}

/* MADV_FREE's pages are forgotten, unless they were written to since: then they are as any other (but for MAP_DROPPABLE's). The hardware sets D
 * before it writes, so what was cleared with D = 0 cannot be written to any more. */
static bool unmap_lazyfree(struct scan_control *sc, struct page *page)
{
	u64 mapping;

	while ((mapping = rmap_first(page))) {
		struct mm_struct *mm = mm_of(sc->vm, mapping);
		struct pt_pos pos = entry_of(sc, page, mm, rmap_va(mapping));
		bool droppable = vma_lookup(mm, rmap_va(mapping))->vm_flags & VM_DROPPABLE;
		u64 old = *pos.entry;

		do {
			if (old & X86_PTE_D && !droppable) {
				page->flags &= (u16)~PG_lazyfree;
				sc->vm->lazyfree--;
				return false;
			}
		} while (!pt_store(gather_of(sc, mm), mm, &pos, &old, 0));
		mapping_gone(sc, page, mm, rmap_va(mapping));
	}
	return true;
}

struct file_walk {
	struct scan_control *sc;
	struct page *page;
};

static void unmap_file_entry(void *ctx, struct mm_struct *mm, u64 va)
{
	struct file_walk *w = ctx;
	struct pt_pos pos;

	pt_walk(mm, va, X86_PT, &pos);
	if (!entry_leaf(*pos.entry, pos.level) || is_swap_entry(*pos.entry) ||
	    entry_pfn(*pos.entry) != page_to_pfn(w->sc->vm, w->page))
		return;
	unmap_entry(w->sc, w->page, mm, va, 0);
}

/* The page, isolated and small, loses all its entries. Returns false: it must stay. */
static bool unmap_page(struct scan_control *sc, struct page *page)
{
	struct file_walk w = {sc, page};

	if (page->_refcount == 1)
		return true;
	if (page->kind == PAGE_ANON)
		return page->flags & PG_lazyfree ? unmap_lazyfree(sc, page) : unmap_to_swap(sc, page);
	rmap_walk(sc->vm, page, unmap_file_entry, &w);
	return true;
}

/* ---- a batch ---- */

/* Back to the policy, or, if nobody but reclaim holds it any more, free. */
static void put_back(struct scan_control *sc, struct page *page)
{
	if (page->_refcount > 1)
		lru_add(sc->vm, page, LRU_KEPT);
	else
		sc->freed++;
	put_page(sc->vm, page);
}

enum pageout { PAGE_GONE, PAGE_WRITTEN, PAGE_KEEP };

/* The page is unmapped, and flushed. Its contents go where they belong. PAGE_WRITTEN: that takes time. Linux:
 * pageout().
 */
static enum pageout page_out(struct vm *vm, struct page *page)
{
	if (page->kind == PAGE_FILE && filemap_evict(vm, page))
		return PAGE_KEEP;
	if (!(page->flags & PG_swapcache))
		return PAGE_GONE;
	if (page->flags & PG_dirty) {
		if (swap_write(vm, page->private, page))
			return PAGE_KEEP;
		page->flags &= (u16)~PG_dirty;
		if (!swap_write_is_over(vm, page->private))
			return PAGE_WRITTEN;
	}
	swap_cache_del(vm, page, shadow_make(vm, page));
	return PAGE_GONE;
}

/* Pages that may go: anonymous ones only where there is a slot. */
static unsigned types_that_may_go(const struct vm *vm)
{
	return 1u << LRU_FILE | (swap_free_slots(vm) ? 1u << LRU_ANON : 0);
}

/* Pages that are off their lists. Those that can go are unmapped already. */
struct victims {
	struct page *page[SWAP_CLUSTER_MAX];
	unsigned nr;
};

/* The page, off its list, becomes a victim or goes back; or nobody looks at it again before it is let go of. */
static void take_victim(struct scan_control *sc, struct victims *v, struct page *page)
{
	u64 vm_flags = page_vm_flags(sc->vm, page);

	if (vm_flags & VM_LOCKED) {
		lru_list_add(sc->vm, page, LRU_LIST_UNEVICTABLE, false);
		return;
	}
	get_page(page);
	if (!(vm_flags & VM_HUGETLB) && !page_is_held(sc->vm, page) && !split_to_small(sc, page) &&
	    unmap_page(sc, page))
		v->page[v->nr++] = page;
	else
		put_back(sc, page);
}

static void evict_victims(struct scan_control *sc, struct victims *v)
{
	tlb_gather_end(&sc->tlb);
	for (unsigned i = 0; i < v->nr; i++) {
		struct page *page = v->page[i];

		if (page->_refcount > 1 && page_out(sc->vm, page) == PAGE_WRITTEN) {
			lru_list_add(sc->vm, page, LRU_LIST_WRITTEN, false);
			put_page(sc->vm, page);
		} else {
			put_back(sc, page);
		}
	}
}

/* What is written comes before anything that the policy could choose. NULL: none is left, or none that was not looked at
 * already (all may be locked). */
static struct page *pick(struct vm *vm, u64 *budget)
{
	struct page *page = lru_list_last(vm, LRU_LIST_WRITTEN);

	if (!*budget)
		return NULL;
	if (!page)
		return vm->reclaim.policy->pick(vm, types_that_may_go(vm), budget);
	lru_list_del(vm, page);
	return page;
}

/* Up to `want` victims. Returns how many were picked. */
static unsigned shrink_batch(struct scan_control *sc, u64 want, u64 *budget)
{
	struct victims v = {.nr = 0};
	struct page *page;
	unsigned picked = 0;

	while (picked < min(want, (u64)SWAP_CLUSTER_MAX) && (page = pick(sc->vm, budget))) {
		picked++;
		*budget -= min(*budget, 1ull << page->order);
		take_victim(sc, &v, page);
	}
	evict_victims(sc, &v);
	return picked;
}

u64 reclaim_pages(struct vm *vm, struct hw_cpu *cpu, u64 want, bool direct)
{
	struct scan_control sc = {.vm = vm, .cpu = cpu};
	u64 budget = SCAN_ROUNDS * (vm->reclaim.nr[LRU_ANON] + vm->reclaim.nr[LRU_FILE]);

	ASSERT(!vm->reclaim.memalloc);
	vm->reclaim.memalloc = true;
	while (sc.freed < want && shrink_batch(&sc, want - sc.freed, &budget))
		;
	vm->reclaim.memalloc = false;
	if (sc.freed)
		vm_emit(vm, &(struct vm_event){.type = VM_EV_RECLAIM, .cause = direct, .n = sc.freed});
	return sc.freed;
}

/* ---- MADV_PAGEOUT ---- */

/* The block of the leaf at pos, if it is on a list and nobody shares it. */
static struct page *block_to_age(struct mm_struct *mm, const struct pt_pos *pos)
{
	struct page *head;

	if (!entry_leaf(*pos->entry, pos->level) || !entry_has_frame(*pos->entry) ||
	    is_zero_pfn(mm->vm, entry_pfn(*pos->entry)))
		return NULL;
	head = page_head(mm->vm, pfn_to_page(mm->vm, entry_pfn(*pos->entry)));
	return head->flags & PG_lru && madvise_may_age(head) ? head : NULL;
}

/* The page at va becomes a victim, or stays; a huge one is split first. Returns the first address behind it. */
static u64 pageout_at(struct scan_control *sc, struct mm_struct *mm, u64 va, struct victims *v)
{
	for (;;) {
		struct page *page;
		struct pt_pos pos;
		int err;

		pt_walk(mm, va, X86_PT, &pos);
		page = block_to_age(mm, &pos);
		if (!page)
			return pos.va + x86_level_size(pos.level);
		lru_list_del(sc->vm, page);
		if (!page->order) {
			take_victim(sc, v, page);
			return va + PAGE_SIZE;
		}
		get_page(page);
		err = split_to_small(sc, page);
		put_back(sc, page);
		if (err)
			return pos.va + x86_level_size(pos.level);
	}
}

void pageout_range(struct hw_cpu *cpu, struct mm_struct *mm, u64 start, u64 end)
{
	struct scan_control sc = {.vm = mm->vm, .cpu = cpu};

	mm->vm->reclaim.memalloc = true;
	while (start < end) {
		struct victims v = {.nr = 0};

		while (start < end && v.nr < SWAP_CLUSTER_MAX)
			start = pageout_at(&sc, mm, start, &v);
		evict_victims(&sc, &v);
	}
	mm->vm->reclaim.memalloc = false;
	if (sc.freed)
		vm_emit(mm->vm, &(struct vm_event){.type = VM_EV_RECLAIM, .cause = 1, .n = sc.freed});
}

/* ---- who reclaims, and when ---- */

u64 vm_reclaim(struct vm *vm, struct hw_cpu *cpu, u64 pages)
{
	u64 freed = reclaim_pages(vm, cpu, pages, true);

	CHECK3(vm->cfg.check, vm_check(vm));
	return freed;
}

void balance_pgdat(struct vm *vm, struct hw_cpu *cpu)
{
	u64 high = vm->reclaim.wmark[WMARK_HIGH];

	while (free_frames(vm) < high && vm->reclaim.failures < MAX_RECLAIM_RETRIES) {
		if (reclaim_pages(vm, cpu, high - free_frames(vm), false))
			vm->reclaim.failures = 0;
		else
			vm->reclaim.failures++;
	}
}

void vm_tick(struct vm *vm, u64 us)
{
	struct hw_cpu *cpu = hw_this_cpu(vm->hw);

	balance_if_low(vm, cpu);
	khugepaged_run(vm, cpu, us);
	CHECK3(vm->cfg.check, vm_check(vm));
}

bool make_room(struct hw_cpu *cpu, struct mm_struct *mm, u64 va, unsigned *tries)
{
	struct vm *vm = mm->vm;
	struct mm_struct *victim;

	if (mm->oom_victim)
		return false;
	if (++*tries <= MAX_RECLAIM_RETRIES) {
		if (free_frames(vm) > vm->reclaim.wmark[WMARK_LOW])
			return true; /* the frame that was missing is there by now */
		if (reclaim_pages(vm, cpu, SWAP_CLUSTER_MAX, true)) {
			vm->reclaim.failures = 0;
			return true;
		}
	}
	victim = oom_kill(vm, cpu, va);
	*tries = 0;
	return victim && victim != mm;
}
