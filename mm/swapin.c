/* SPDX-License-Identifier: MIT
 *
 * mm/swapin.c - row 4 of the fault table: an entry names a swap slot, and its page comes back; with it, its neighbours.
 *
 *   entry --> slot --cached--> the page is in memory (not gone yet, read ahead, or another process needed it): minor
 *               |---- no ----> read it, and a window of others, into the swap cache: major
 *               `--- no, synchronous device, one owner --> read it alone, straight into the entry: major
 *
 * How many others: each page of the last window that was asked for (a hit) argues for more. At first four hits are
 * taken for granted.
 *
 *   hits + 2 pages, rounded up to 4, 8, ...; without a hit 2, or only 1 if the fault is not next to the last one.
 *   Never more than 2^page_cluster (8; 4 when RAM is under 16 MiB); never less than half of the last window.
 *
 * Which others:
 *   by addresses (no disk that seeks)       pages of the area after the last fault's (before it, around it): their
 *      last   fault                         slots may lie anywhere
 *   |----x------F==w=i=n=d=o=w=====>------|     inside the area and the page table
 *   by slots (a disk that seeks; shmem)     the aligned window of slots around the page's, as they lie on the device
 *
 * The page that faults is read first; its error is the process's (SIGBUS), the others' are nobody's.
 *
 * Sources: Linux 6.12 mm/memory.c (do_swap_page, should_try_to_free_swap), mm/swap_state.c (swap_vma_readahead,
 * swap_cluster_readahead, __swapin_nr_pages), mm/shmem.c (shmem_swapin_folio).
 */
#include "mm/fault.h"
#include "mm/lru.h"
#include "mm/swap.h"

#define SMALL_RAM_FRAMES   (16ull << (20 - PAGE_SHIFT))
#define SMALL_PAGE_CLUSTER 2
#define RA_ORDER_CEILING   5 /* of a window by addresses */

const struct vm_sysctl vm_sysctl_defaults = {.swappiness = 60, .page_cluster = 3};

/* ---- the window ---- */

/* The largest window is 2^this. */
static unsigned window_order(const struct vm *vm)
{
	unsigned order = vm->sysctl.page_cluster;

	return vm->total_frames < SMALL_RAM_FRAMES ? min(order, (unsigned)SMALL_PAGE_CLUSTER) : order;
}

/* Linux: __swapin_nr_pages(). at, last: page numbers, or slots. */
static u64 window_size(u64 last, u64 at, u64 hits, u64 most, u64 last_window)
{
	u64 pages = hits + 2, rounded = 4;

	if (!hits) {
		pages = at == last + 1 || at + 1 == last ? 2 : 1;
	} else {
		while (rounded < pages)
			rounded *= 2;
		pages = rounded;
	}
	return max(min(pages, most), last_window / 2);
}

/* ---- reading ---- */

/* The slot's contents in a frame of its own, with one reference. Returns 0, -EIO or -ENOMEM. */
static int read_page(struct vm *vm, u32 slot, bool ahead, struct page **out)
{
	struct page *page = alloc_pages(vm, 0, PAGE_ANON);
	bool workingset, refault = shadow_refault(vm, swap_slot_at(vm, slot)->pfn_or_shadow, &workingset);

	if (!page)
		return -ENOMEM;
	if (swap_read(vm, slot, page)) {
		put_page(vm, page);
		return -EIO;
	}
	page->flags |= workingset ? PG_workingset : 0;
	lru_add(vm, page, ahead ? LRU_READAHEAD : refault ? LRU_REFAULT : LRU_NEW);
	*out = page;
	return 0;
}

/* The same, in the swap cache, which has the reference. */
static int read_slot(struct vm *vm, u32 slot, bool ahead, struct page **out)
{
	int err = read_page(vm, slot, ahead, out);

	if (err)
		return err;
	swap_cache_insert(vm, *out, slot);
	put_page(vm, *out);
	return 0;
}

/* A slot that has owners and no frame is read, if it can be. Returns its page, or NULL: nothing was read. */
static struct page *read_before_need(struct vm *vm, u64 slot)
{
	struct page *page;

	if (slot >= vm->swap.slots || !swap_slot_at(vm, (u32)slot)->count || swap_slot_at(vm, (u32)slot)->cached)
		return NULL;
	return read_slot(vm, (u32)slot, true, &page) ? NULL : page;
}

static void read_ahead(struct vm *vm, u64 slot)
{
	struct page *page = read_before_need(vm, slot);

	if (page)
		page->flags |= PG_readahead;
}

/* A page of the cache is asked for: it is not the next to go any more. Returns whether it was read ahead for this. */
static bool asked_for(struct vm *vm, struct page *page, u32 mm_id, u64 va)
{
	bool ahead = page->flags & PG_readahead;

	if (page_list(page) == LRU_LIST_WRITTEN) {
		lru_list_del(vm, page);
		lru_add(vm, page, LRU_NEW);
	}
	page->flags &= (u16)~PG_readahead;
	if (ahead)
		vm_emit(vm, &(struct vm_event){.type = VM_EV_SWAP_RA_HIT, .mm = mm_id, .va = va});
	return ahead;
}

/* ---- by addresses: the area remembers its last fault ---- */

/* vma->swap_ra: the page's address, with window (bits 11..6) and hits (bits 5..0) in the offset. */
#define RA_HITS_MAX 63
static u64 ra_pack(u64 va, u64 window, u64 hits)
{
	return ALIGN_DOWN(va, PAGE_SIZE) | window << 6 | min(hits, (u64)RA_HITS_MAX);
}
static u64 ra_of(const struct vm_area_struct *vma)
{
	return vma->swap_ra ? vma->swap_ra : ra_pack(0, 0, SWAP_RA_FIRST_HITS);
}
static u64 ra_window(u64 ra)
{
	return ra >> 6 & 63;
}
static u64 ra_hits(u64 ra)
{
	return ra & 63;
}

/* The entries from `first` to `last` (page numbers), but the fault's own. */
static void read_entries(struct fault *f, u64 first, u64 last)
{
	u64 at = f->va >> PAGE_SHIFT;

	for (u64 page = first; page < last; page++) {
		u64 entry = f->pos.entry[(s64)(page - at)];

		if (page != at && is_swap_entry(entry))
			read_ahead(f->mm->vm, swp_slot(entry));
	}
}

static void read_ahead_vma(struct fault *f)
{
	struct vm_area_struct *vma = f->vma;
	u64 most = 1ull << min(window_order(f->mm->vm), (unsigned)RA_ORDER_CEILING), ra = ra_of(vma), window;
	u64 at = f->va >> PAGE_SHIFT, last = ra >> PAGE_SHIFT, first, table = ALIGN_DOWN(at, PTRS_PER_TABLE);

	if (most == 1)
		return;
	window = window_size(last, at, ra_hits(ra), most, ra_window(ra));
	vma->swap_ra = ra_pack(f->va, window, 0);
	if (at == last + 1)
		first = at;
	else if (at + 1 == last)
		first = at - min(at, window - 1);
	else
		first = at - min(at, (window - 1) / 2);
	last = min(min(first + window, vma->vm_end >> PAGE_SHIFT), table + PTRS_PER_TABLE);
	read_entries(f, max(max(first, vma->vm_start >> PAGE_SHIFT), table), last);
}

/* ---- by slots: the device remembers ---- */

static void read_ahead_cluster(struct vm *vm, u32 slot)
{
	struct vm_swap *swap = &vm->swap;
	u64 most = 1ull << window_order(vm), window, first;

	if (most == 1)
		return;
	window = window_size(swap->ra_slot, slot, swap->ra_hits, most, swap->ra_window);
	first = ALIGN_DOWN(slot, window);
	if (!swap->ra_hits)
		swap->ra_slot = slot;
	swap->ra_hits = 0;
	swap->ra_window = window;
	for (u64 at = first; at < first + window; at++)
		read_ahead(vm, at);
}

/* ---- row 4 ---- */

static void cache_hit(struct fault *f, struct page *page)
{
	struct vm *vm = f->mm->vm;
	u64 ra = ra_of(f->vma), hit = asked_for(vm, page, f->mm->id, f->va);

	if (vm->cfg.swap_rotational)
		vm->swap.ra_hits += hit;
	else
		f->vma->swap_ra = ra_pack(f->va, ra_window(ra), ra_hits(ra) + hit);
}

/* Nobody else will ask for what a synchronous device reads: it needs no cache. */
static bool skips_cache(struct vm *vm, u32 slot)
{
	return vm->cfg.swap_synchronous && swap_slot_at(vm, slot)->count == 1;
}

/* The slot's page, with a reference for the entry. Returns 0, -EIO or -ENOMEM. */
static int bring_in(struct fault *f, u32 slot, struct page **page)
{
	struct vm *vm = f->mm->vm;
	int err = 0;

	*page = swap_cache_find(vm, slot);
	if (*page) {
		cache_hit(f, *page);
		get_page(*page);
		return 0;
	}
	f->major = true;
	if (skips_cache(vm, slot)) {
		err = read_page(vm, slot, false, page);
	} else {
		err = read_slot(vm, slot, false, page);
		if (err)
			return err;
		get_page(*page);
		if (vm->cfg.swap_rotational)
			read_ahead_cluster(vm, slot);
		else
			read_ahead_vma(f);
	}
	swap_request_done(vm, f->mm->id, f->va);
	return err;
}

/* The copy on the device is given up: slots are scarce, the page will not leave again soon, or it is about to be
 * written to. */
static bool should_try_to_free_swap(const struct fault *f, const struct page *page)
{
	return swap_full(f->mm->vm) || f->vma->vm_flags & VM_LOCKED || (fault_write(f) && page->_refcount == 2);
}

/* The entry maps the page, and takes the reference. Where nobody else has the page it is exclusive, and, in an area
 * that may be written to, writable at once. Returns 0 or -ENOMEM. */
static int map_swapped_page(struct fault *f, struct page *page)
{
	bool exclusive = f->entry & SWP_EXCLUSIVE, writable;
	struct vm *vm = f->mm->vm;

	if (page_add_rmap(f->mm, page, f->pos.va, 0))
		return -ENOMEM;
	swap_put(vm, swp_slot(f->entry));
	if (should_try_to_free_swap(f, page))
		swap_cache_free(vm, page);
	exclusive |= page->_refcount == 1;
	page->flags |= exclusive ? PG_anon_exclusive : 0;
	writable = exclusive && f->vma->vm_flags & VM_WRITE && (fault_write(f) || vm->variant.swapin_writable);
	pt_set(NULL, f->mm, &f->pos,
	       entry_make(f->vma, page_to_pfn(vm, page), X86_PT,
			  writable ? X86_PTE_RW | (fault_write(f) ? X86_PTE_D : 0) : 0));
	f->entry = *f->pos.entry;
	f->mm->rss[MM_SWAPENTS]--;
	return 0;
}

unsigned do_swap_page(struct fault *f)
{
	struct vm *vm = f->mm->vm;
	struct page *page;
	int err = bring_in(f, swp_slot(f->entry), &page);

	if (err)
		return err == -EIO ? VM_FAULT_BUS : VM_FAULT_NOMEM;
	if (map_swapped_page(f, page)) {
		put_page(vm, page);
		return VM_FAULT_NOMEM;
	}
	if (fault_write(f) && !(f->entry & X86_PTE_RW)) {
		unsigned cause = do_wp_page(f);

		return cause == VM_FAULT_NOMEM ? cause : VM_FAULT_SWAP;
	}
	return VM_FAULT_SWAP;
}

/* ---- shmem ---- */

int swapin_shmem(struct vm *vm, u32 slot, struct page **page, bool *major)
{
	int err;

	*page = swap_cache_find(vm, slot);
	if (*page) {
		vm->swap.ra_hits += asked_for(vm, *page, 0, 0);
		return 0;
	}
	err = read_slot(vm, slot, false, page);
	if (err)
		return err;
	*major = true;
	read_ahead_cluster(vm, slot);
	swap_request_done(vm, 0, 0);
	return 0;
}

/* ---- MADV_WILLNEED ---- */

/* Pages of a file come in, if it is cold; of shmem those that are in swap, as far as the swap cache. */
static void willneed_file(struct vm_area_struct *vma, u64 start, u64 end)
{
	u64 index = ((start - vma->vm_start) >> PAGE_SHIFT) + vma->vm_pgoff,
	    last = index + ((end - start) >> PAGE_SHIFT);
	struct address_space *file = vma->vm_file;
	struct page *page;
	u64 place;
	bool major;
	u32 slot;

	for (; file->shmem && (place = radix_next(&file->pages, &index)) && index < last; index++)
		if (filemap_place_slot(place, &slot))
			read_before_need(file->vm, slot);
	for (; !file->shmem && file->vm->cfg.pagecache_cold && index < last; index++)
		if (filemap_get_page(file, index, true, &page, &major))
			return;
}

void madvise_willneed(struct vm_area_struct *vma, u64 start, u64 end)
{
	struct pt_iter it = pt_leaves(vma->vm_mm, start, end);
	struct vm *vm = vma->vm_mm->vm;

	if (vma->vm_file)
		willneed_file(vma, start, end);
	while (!vma->vm_file && pt_next(&it))
		if (is_swap_entry(*it.pos.entry))
			read_before_need(vm, swp_slot(*it.pos.entry));
	swap_request_done(vm, vma->vm_mm->id, start);
}
