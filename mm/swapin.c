/* SPDX-License-Identifier: MIT
 *
 * mm/swapin.c - row 4 of the fault table: an entry names a swap slot, and its page comes back; with it, its neighbours.
 *
 *   entry --> slot --cached--> the page is in memory (it was read ahead, or another process needed it): minor
 *               `---- no ----> read it, and a window of others: major
 *
 * How many others: each page of the last window that was asked for (a hit) argues for more.
 *
 *   hits + 2 pages, rounded up to 4 or 8; without a hit 2, or only 1 if the fault is not next to the last one.
 *   Never more than 8 (4 when RAM is under 16 MiB); never less than half of the last window.
 *
 * Which others:
 *   by addresses (no disk that seeks)       pages of the area after the last fault's (before it, around it): their
 * slots may lie anywhere last   fault
 *   |----x------F==w=i=n=d=o=w=====>------|     inside the area and the page table
 *   by slots (a disk that seeks)            the aligned window of slots around the page's, as they lie on the disk
 *
 * The page that faults is read first; its error is the process's (SIGBUS), the others' are nobody's.
 *
 * Sources: Linux 6.12 mm/memory.c (do_swap_page), mm/swap_state.c (swap_vma_readahead, swap_cluster_readahead,
 * __swapin_nr_pages).
 */
#include "mm/fault.h"
#include "mm/lru.h"
#include "mm/swap.h"

#define SMALL_RAM_FRAMES (16ull << (20 - PAGE_SHIFT))
#define RA_WINDOW_MAX    8

/* ---- the window ---- */

static u64 window_max(const struct vm *vm)
{
	return vm->total_frames < SMALL_RAM_FRAMES ? RA_WINDOW_MAX / 2 : RA_WINDOW_MAX;
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

/* The slot's page, in a frame of its own and in the cache. Returns 0, -EIO or -ENOMEM. */
static int read_slot(struct vm *vm, u32 slot, bool ahead, struct page **out)
{
	struct page *page = alloc_pages(vm, 0, PAGE_ANON);
	bool workingset, refault = shadow_refault(vm, swap_slot_at(vm, slot)->pfn_or_shadow, &workingset);

	if (!page)
		return -ENOMEM;
	if (swap_read(vm, slot, page)) {
		put_page(vm, page);
		return -EIO;
	}
	page->flags |= (workingset ? PG_workingset : 0) | (ahead ? PG_readahead : 0);
	swap_cache_insert(vm, page, slot);
	lru_add(vm, page, ahead ? LRU_READAHEAD : refault ? LRU_REFAULT : LRU_NEW);
	put_page(vm, page); /* the cache has it */
	*out = page;
	return 0;
}

/* A slot that has owners and no frame is read, if it can be. */
static bool read_ahead(struct vm *vm, u64 slot)
{
	struct page *page;

	return slot < vm->swap.slots && swap_slot_at(vm, (u32)slot)->count && !swap_slot_at(vm, (u32)slot)->cached &&
	       !read_slot(vm, (u32)slot, true, &page);
}

/* ---- by addresses: the area remembers its last fault ---- */

/* vma->swap_ra: the page's address, with window (bits 11..6) and hits (bits 5..0) in the offset. */
#define RA_HITS_MAX 63
static u64 ra_pack(u64 va, u64 window, u64 hits)
{
	return ALIGN_DOWN(va, PAGE_SIZE) | window << 6 | min(hits, (u64)RA_HITS_MAX);
}
static u64 ra_window(u64 ra)
{
	return ra >> 6 & 63;
}
static u64 ra_hits(u64 ra)
{
	return ra & 63;
}

/* The entries from `first` to `last` (page numbers), but the fault's own. Returns the pages read. */
static u64 read_entries(struct fault *f, u64 first, u64 last)
{
	u64 at = f->va >> PAGE_SHIFT, read = 0;

	for (u64 page = first; page < last; page++) {
		u64 entry = f->pos.entry[(s64)(page - at)];

		if (page != at && is_swap_entry(entry))
			read += read_ahead(f->mm->vm, swp_slot(entry));
	}
	return read;
}

static u64 read_ahead_vma(struct fault *f)
{
	struct vm_area_struct *vma = f->vma;
	u64 at = f->va >> PAGE_SHIFT, last = vma->swap_ra >> PAGE_SHIFT, first, table = ALIGN_DOWN(at, PTRS_PER_TABLE);
	u64 window = window_size(last, at, ra_hits(vma->swap_ra), window_max(f->mm->vm), ra_window(vma->swap_ra));

	vma->swap_ra = ra_pack(f->va, window, 0);
	if (at == last + 1)
		first = at;
	else if (at + 1 == last)
		first = at - min(at, window - 1);
	else
		first = at - min(at, (window - 1) / 2);
	last = min(min(first + window, vma->vm_end >> PAGE_SHIFT), table + PTRS_PER_TABLE);
	return read_entries(f, max(max(first, vma->vm_start >> PAGE_SHIFT), table), last);
}

/* ---- by slots: the device remembers ---- */

static u64 read_ahead_cluster(struct vm *vm, u32 slot)
{
	struct vm_swap *swap = &vm->swap;
	u64 window = window_size(swap->ra_slot, slot, swap->ra_hits, window_max(vm), swap->ra_window);
	u64 first = ALIGN_DOWN(slot, window), read = 0;

	if (!swap->ra_hits)
		swap->ra_slot = slot;
	swap->ra_hits = 0;
	swap->ra_window = window;
	for (u64 at = first; at < first + window; at++)
		read += read_ahead(vm, at);
	return read;
}

/* ---- row 4 ---- */

/* The page was there: was it read ahead for this? */
static void cache_hit(struct fault *f, struct page *page)
{
	struct vm *vm = f->mm->vm;
	bool ahead = page->flags & PG_readahead;
	u64 ra = f->vma->swap_ra;

	page->flags &= (u16)~PG_readahead;
	if (ahead) {
		vm_emit(vm, &(struct vm_event){.type = VM_EV_SWAP_RA_HIT, .mm = f->mm->id, .va = f->va});
		vm->swap.ra_hits++;
	}
	if (!vm->cfg.swap_rotational)
		f->vma->swap_ra = ra_pack(f->va, ra_window(ra), ra_hits(ra) + ahead);
}

/* Returns 0, -EIO or -ENOMEM. */
static int bring_in(struct fault *f, u32 slot, struct page **page)
{
	struct vm *vm = f->mm->vm;
	u64 read;
	int err;

	*page = swap_cache_find(vm, slot);
	if (*page) {
		cache_hit(f, *page);
		return 0;
	}
	err = read_slot(vm, slot, false, page);
	if (err)
		return err;
	f->major = true;
	read = 1 + (vm->cfg.swap_rotational ? read_ahead_cluster(vm, slot) : read_ahead_vma(f));
	vm_emit(vm, &(struct vm_event){.type = VM_EV_SWAP_IN, .mm = f->mm->id, .va = f->va, .n = read});
	return 0;
}

/* The entry maps the page again. An exclusive page of a writable area is writable at once. Returns 0 or -ENOMEM. */
static int map_swapped_page(struct fault *f, struct page *page, bool exclusive)
{
	struct vm *vm = f->mm->vm;
	bool writable = exclusive && f->vma->vm_flags & VM_WRITE && (fault_write(f) || vm->variant.swapin_writable);
	u64 bits = writable ? X86_PTE_RW | (fault_write(f) ? X86_PTE_D : 0) : 0;
	u32 slot = page->private;

	if (page_add_rmap(f->mm, page, f->pos.va, 0))
		return -ENOMEM;
	get_page(page);
	page->flags |= exclusive ? PG_anon_exclusive : 0;
	pt_set(NULL, f->mm, &f->pos, entry_make(f->vma, page_to_pfn(vm, page), X86_PT, bits));
	f->entry = *f->pos.entry;
	f->mm->rss[MM_SWAPENTS]--;
	swap_put(vm, slot);
	if ((writable && fault_write(f)) || swap_full(vm))
		swap_cache_free(vm, page);
	return 0;
}

unsigned do_swap_page(struct fault *f)
{
	bool exclusive = f->entry & SWP_EXCLUSIVE;
	struct page *page;
	int err = bring_in(f, swp_slot(f->entry), &page);

	if (err)
		return err == -EIO ? VM_FAULT_BUS : VM_FAULT_NOMEM;
	if (map_swapped_page(f, page, exclusive))
		return VM_FAULT_NOMEM;
	if (fault_write(f) && !(f->entry & X86_PTE_RW)) {
		unsigned cause = do_wp_page(f);

		return cause == VM_FAULT_NOMEM ? cause : VM_FAULT_SWAP;
	}
	return VM_FAULT_SWAP;
}

/* Pages of a file, not of shared memory: its pages come at their first touch. */
static void willneed_file(struct vm_area_struct *vma, u64 start, u64 end)
{
	u64 index = ((start - vma->vm_start) >> PAGE_SHIFT) + vma->vm_pgoff;
	struct page *page;
	bool major;

	for (u64 va = start; va < end && !vma->vm_file->shmem; va += PAGE_SIZE)
		if (filemap_get_page(vma->vm_file, index++, true, &page, &major))
			return;
}

void madvise_willneed(struct vm_area_struct *vma, u64 start, u64 end)
{
	struct pt_iter it = pt_leaves(vma->vm_mm, start, end);
	struct vm *vm = vma->vm_mm->vm;
	u64 read = 0;

	while (pt_next(&it))
		if (is_swap_entry(*it.pos.entry))
			read += read_ahead(vm, swp_slot(*it.pos.entry));
	if (read)
		vm_emit(vm, &(struct vm_event){.type = VM_EV_SWAP_IN, .mm = vma->vm_mm->id, .va = start, .n = read});
	if (vma->vm_file && vm->cfg.pagecache_cold)
		willneed_file(vma, start, end);
}

int swapin_shmem(struct vm *vm, u32 slot, struct page **page)
{
	*page = alloc_pages(vm, 0, PAGE_FILE);
	if (!*page)
		return -ENOMEM;
	if (swap_read(vm, slot, *page)) {
		put_page(vm, *page);
		return -EIO;
	}
	vm_emit(vm, &(struct vm_event){.type = VM_EV_SWAP_IN, .n = 1});
	return 0;
}
