/* SPDX-License-Identifier: MIT
 *
 * mm/filemap.c - files in memory: the page cache, faults on file areas, and shared anonymous memory (shmem), which is a
 * file without a name.
 *
 *   address_space --- pages: index -> pfn ---> struct page: mapping = file's id, index
 *        +---------- i_mmap ---> area <-> area ...     who may map them
 *
 * A file's cache is warm: a page that is not there yet counts as cached, and gets its frame at its first use. With
 * pagecache_cold the first touch of each page is a major fault that reads it. Pages of shmem begin as zeroes, at their
 * first touch, and are zeroes again after they were dropped without anybody having written to them. A page that was
 * reclaimed is not there, whatever the cache was at first. What its place then holds:
 *
 *   63     62      31                0
 *   +------+-----+--+----------------+
 *   |  0   |  0  |      frame        |   cached
 *   |  1   |  0  |      shadow       |   evicted then (lru.h)
 *   |  1   |  1  |      slot         |   shmem: in swap; the file is one owner
 *   +------+-----+--+----------------+
 *
 * Fault-around: a read fault maps the cached pages of an aligned window of 16 around it, as far as they lie in the
 * area, the file and the page table, where the entries are empty.
 *
 * Invariants (numbers as mm/check.c prints them)
 *   70 a cached frame is PAGE_FILE, and its mapping and index name its place
 *   41 its _refcount is 1 for the cache + the entries that map it
 *
 * Source: Linux 6.12 mm/memory.c (do_read_fault, do_fault_around, do_cow_fault, do_shared_fault), mm/filemap.c.
 */
#include "mm/fault.h"
#include "mm/lru.h"
#include "mm/swap.h"

#define FAULT_AROUND_PAGES 16

#define PLACE_GONE         (1ull << 63)
#define PLACE_SWAP         (1ull << 62)

bool filemap_place_has_frame(u64 value)
{
	return value && !(value & PLACE_GONE);
}

bool filemap_place_slot(u64 value, u32 *slot)
{
	*slot = (u32)value;
	return value & PLACE_SWAP;
}

/* ---- files ---- */

static struct address_space *file_create(struct vm *vm, u64 size)
{
	struct address_space *file = slab_alloc(vm, SLAB_FILE);

	ASSERT(size <= MAX_LFS_FILESIZE);
	if (!file)
		return NULL;
	do {
		vm->last_file_id++;
	} while (!vm->last_file_id || radix_get(&vm->files, vm->last_file_id));
	if (radix_set(vm, &vm->files, vm->last_file_id, (u64)file)) {
		slab_free(vm, SLAB_FILE, file);
		return NULL;
	}
	file->vm = vm;
	file->id = vm->last_file_id;
	file->refcount = 1;
	file->size = size;
	return file;
}

struct address_space *vm_file_create(struct vm *vm, u64 size, const struct backing_ops *ops, void *ctx)
{
	struct address_space *file = file_create(vm, size);

	if (file) {
		file->ops = ops;
		file->ctx = ctx;
	}
	return file;
}

struct address_space *shmem_file_create(struct vm *vm, u64 bytes)
{
	struct address_space *file = file_create(vm, bytes);

	if (file)
		file->shmem = true;
	return file;
}

void vm_file_set_pfnmap(struct address_space *f)
{
	f->pfnmap = true;
}

/* Drops the cached pages [index, end); nothing maps them. What was written goes to the backing first. */
static void drop_pages(struct address_space *file, u64 index, u64 end)
{
	u64 pfn;

	while ((pfn = radix_next(&file->pages, &index)) && index < end) {
		struct page *page;

		if (!filemap_place_has_frame(pfn)) {
			if (pfn & PLACE_SWAP)
				swap_put(file->vm, (u32)pfn);
			radix_set(file->vm, &file->pages, index, 0);
			continue;
		}
		page = pfn_to_page(file->vm, pfn);
		ASSERT(page->_mapcount == 0);
		if (page->flags & PG_dirty && file->ops && file->ops->write_page &&
		    file->ops->write_page(file->ctx, index, pfn))
			hw_log(file->vm->hw, "a file's page could not be written back");
		radix_set(file->vm, &file->pages, index, 0);
		put_page(file->vm, page);
	}
}

void vm_file_get(struct address_space *f)
{
	ASSERT(f->refcount > 0);
	f->refcount++;
}

void vm_file_put(struct address_space *f)
{
	ASSERT(f->refcount > 0);
	if (--f->refcount)
		return;
	ASSERT(!f->i_mmap);
	drop_pages(f, 0, ~0ull);
	if (f->ops && f->ops->release)
		f->ops->release(f->ctx);
	radix_set(f->vm, &f->vm->files, f->id, 0);
	slab_free(f->vm, SLAB_FILE, f);
}

void filemap_link_vma(struct vm_area_struct *vma)
{
	struct address_space *file = vma->vm_file;

	vm_file_get(file);
	vma->i_mmap_prev = NULL;
	vma->i_mmap_next = file->i_mmap;
	if (file->i_mmap)
		file->i_mmap->i_mmap_prev = vma;
	file->i_mmap = vma;
}

void filemap_unlink_vma(struct vm_area_struct *vma)
{
	struct address_space *file = vma->vm_file;

	if (vma->i_mmap_next)
		vma->i_mmap_next->i_mmap_prev = vma->i_mmap_prev;
	if (vma->i_mmap_prev)
		vma->i_mmap_prev->i_mmap_next = vma->i_mmap_next;
	else
		file->i_mmap = vma->i_mmap_next;
	vm_file_put(file);
}

static u64 file_pages(const struct address_space *file)
{
	return ALIGN_UP(file->size, PAGE_SIZE) >> PAGE_SHIFT;
}

/* Every area loses its entries of the file's pages [first, end); private copies go too, unless they are spared. Linux:
 * unmap_mapping_range(). */
static void unmap_pages(struct address_space *f, u64 first, u64 end, bool spare_copies)
{
	struct hw_cpu *cpu = hw_this_cpu(f->vm->hw);

	for (struct vm_area_struct *vma = f->i_mmap; vma; vma = vma->i_mmap_next) {
		u64 last = vma->vm_pgoff + ((vma->vm_end - vma->vm_start) >> PAGE_SHIFT);
		u64 from = max(first, vma->vm_pgoff), to = min(end, last);
		u64 start = vma->vm_start + ((from - vma->vm_pgoff) << PAGE_SHIFT);
		struct mmu_gather tlb;

		if (from >= to)
			continue;
		tlb_gather_mmu(&tlb, cpu, vma->vm_mm, VM_FLUSH_BY_FILE);
		if (spare_copies)
			zap_file_pages(&tlb, vma, start, start + ((to - from) << PAGE_SHIFT));
		else
			zap_page_range(&tlb, vma, start, start + ((to - from) << PAGE_SHIFT));
		tlb_finish_mmu(&tlb);
	}
}

/* Linux's truncate: what lies past the new end goes from every area, then from the cache. */
void vm_file_resize(struct address_space *f, u64 size)
{
	ASSERT(size <= MAX_LFS_FILESIZE);
	f->size = size;
	unmap_pages(f, file_pages(f), ~0ull, false);
	drop_pages(f, file_pages(f), ~0ull);
	CHECK3(f->vm->cfg.check, vm_check(f->vm));
}

/* The hole reads as zeroes: the cache forgets its pages, and a backing with contents is told. */
void vm_file_punch(struct address_space *f, u64 start, u64 len)
{
	u64 first = ALIGN_UP(start, PAGE_SIZE) >> PAGE_SHIFT, end = (start + len) >> PAGE_SHIFT;

	end = min(end, file_pages(f));
	if (first >= end)
		return;
	unmap_pages(f, first, end, true);
	drop_pages(f, first, end);
	for (u64 index = first; f->ops && f->ops->write_page && index < end; index++)
		if (f->ops->write_page(f->ctx, index, f->vm->zero_pfn))
			hw_log(f->vm->hw, "a hole could not be written");
	CHECK3(f->vm->cfg.check, vm_check(f->vm));
}

/* ---- the cache ---- */

/* Fills a frame for a page that is not cached: zeroes, from the backing, or without contents. was: what its place
 * holds. Returns 0 or -EIO. */
static int fill_page(struct address_space *file, u64 index, u64 was, struct page *page, bool *major)
{
	struct vm *vm = file->vm;
	u64 pfn = page_to_pfn(vm, page);

	if (file->shmem) {
		hw_clear_frames(vm->hw, pfn, 0);
		return 0;
	}
	if (was || vm->cfg.pagecache_cold) {
		*major = true;
		vm_emit(vm, &(struct vm_event){.type = VM_EV_FILE_READ, .n = 1});
	}
	return file->ops && file->ops->read_page ? file->ops->read_page(file->ctx, index, pfn) : 0;
}

/* A frame with the page's contents, not in the cache yet. Returns 0, -EIO or -ENOMEM. */
static int make_page(struct address_space *file, u64 index, u64 was, struct page **page, bool *major)
{
	struct vm *vm = file->vm;
	int err;

	*page = alloc_pages(vm, 0, PAGE_FILE);
	if (!*page)
		return -ENOMEM;
	err = fill_page(file, index, was, *page, major);
	if (err)
		put_page(vm, *page);
	return err;
}

/* Another value for a place that has one. */
static void set_place(struct address_space *file, u64 index, u64 place)
{
	if (radix_set(file->vm, &file->pages, index, place))
		ASSERT(!"the place is there");
}

int filemap_add_page(struct address_space *file, u64 index, struct page *page)
{
	struct vm *vm = file->vm;

	if (radix_set(vm, &file->pages, index, page_to_pfn(vm, page)))
		return -ENOMEM;
	page->mapping = file->id;
	page->index = index;
	return 0;
}

void filemap_page_moved(struct vm *vm, struct page *page)
{
	struct address_space *file = (struct address_space *)radix_get(&vm->files, page->mapping);

	set_place(file, page->index, page_to_pfn(vm, page));
}

/* The page comes into the cache. */
static int add_page(struct address_space *file, u64 index, u64 was, struct page **out, bool *major)
{
	struct vm *vm = file->vm;
	bool workingset = false, refault;
	int err = make_page(file, index, was, out, major);

	if (err)
		return err;
	err = filemap_add_page(file, index, *out);
	if (err) {
		put_page(vm, *out);
		return err;
	}
	refault = shadow_refault(vm, (u32)was, &workingset);
	(*out)->flags = (file->shmem ? PG_shmem : 0) | (workingset ? PG_workingset : 0);
	lru_add(vm, *out, refault ? LRU_REFAULT : LRU_NEW);
	return 0;
}

/* ---- shmem and the swap cache ---- */

/* The page of a slot that the file owns becomes its own again, and the slot is free. Linux: shmem_swapin_folio(). */
static int from_swap_cache(struct address_space *file, u64 index, u32 slot, struct page **page, bool *major)
{
	struct vm *vm = file->vm;
	int err = swapin_shmem(vm, slot, page, major);

	if (err)
		return err;
	get_page(*page);
	swap_cache_del(vm, *page, 0);
	swap_put(vm, slot);
	page_set_kind(vm, *page, PAGE_FILE);
	(*page)->flags |= PG_shmem | PG_dirty;
	if (filemap_add_page(file, index, *page))
		ASSERT(!"the place is there");
	return 0;
}

/* The page leaves the file, which owns its slot from now on. Returns 0, or -ENOSPC. Linux: shmem_writepage(). */
static int to_swap_cache(struct address_space *file, struct page *page)
{
	struct vm *vm = file->vm;
	u32 slot = swap_slot_take(vm);

	if (slot == SWP_NONE)
		return -ENOSPC;
	set_place(file, page->index, PLACE_GONE | PLACE_SWAP | slot);
	page_set_kind(vm, page, PAGE_ANON);
	page->flags = (u16)((page->flags & ~PG_shmem) | PG_dirty);
	swap_cache_insert(vm, page, slot);
	put_page(vm, page);
	return 0;
}

int filemap_get_page(struct address_space *file, u64 index, bool create, struct page **page, bool *major)
{
	u64 was = radix_get(&file->pages, index);

	if (filemap_place_has_frame(was)) {
		*page = pfn_to_page(file->vm, was);
		return 0;
	}
	if (index >= file_pages(file))
		return -EFAULT;
	if (!create)
		return -ENOENT;
	return was & PLACE_SWAP ? from_swap_cache(file, index, (u32)was, page, major)
				: add_page(file, index, was, page, major);
}

bool filemap_in_core(struct address_space *file, u64 index)
{
	u64 place = radix_get(&file->pages, index);

	if (!place)
		return !file->shmem && !file->vm->cfg.pagecache_cold && index < file_pages(file);
	return !(place & PLACE_GONE) || (place & PLACE_SWAP && swap_cache_find(file->vm, (u32)place));
}

/* ---- writing back ---- */

/* Entries of the file in [start, end) of a shared area: what was written is the page's to know, and the next write
 * faults. Linux: folio_mkclean(). */
static void clean_entries(struct mmu_gather *tlb, struct mm_struct *mm, u64 start, u64 end)
{
	struct pt_iter it = pt_leaves(mm, start, end);

	while (pt_next(&it)) {
		u64 old = *it.pos.entry;

		if (!entry_has_frame(old))
			continue;
		while (!pt_store(tlb, mm, &it.pos, &old, old & ~(X86_PTE_RW | X86_PTE_D)))
			;
		if (old & X86_PTE_D)
			pfn_to_page(mm->vm, entry_pfn(old))->flags |= PG_dirty;
	}
}

static void clean_mappings(struct hw_cpu *cpu, struct address_space *file, u64 first, u64 last)
{
	for (struct vm_area_struct *vma = file->i_mmap; vma; vma = vma->i_mmap_next) {
		u64 from = max(first, vma->vm_pgoff) - vma->vm_pgoff, to = max(last, vma->vm_pgoff) - vma->vm_pgoff;
		struct mmu_gather tlb;

		to = min(to, (vma->vm_end - vma->vm_start) >> PAGE_SHIFT);
		if (!(vma->vm_flags & VM_SHARED) || from >= to)
			continue;
		tlb_gather_mmu(&tlb, cpu, vma->vm_mm, VM_FLUSH_BY_FILE);
		clean_entries(&tlb, vma->vm_mm, vma->vm_start + (from << PAGE_SHIFT),
			      vma->vm_start + (to << PAGE_SHIFT));
		tlb_finish_mmu(&tlb);
	}
}

/* Returns 0 or -EIO, then the page is as dirty as before. */
static int write_back(struct address_space *file, u64 index, struct page *page)
{
	struct vm *vm = file->vm;

	if (file->ops && file->ops->write_page && file->ops->write_page(file->ctx, index, page_to_pfn(vm, page)))
		return -EIO;
	page->flags &= (u16)~PG_dirty;
	vm_emit(vm, &(struct vm_event){.type = VM_EV_WRITEBACK, .n = 1});
	return 0;
}

int filemap_sync(struct hw_cpu *cpu, struct address_space *file, u64 first, u64 last)
{
	u64 place;
	int err = 0;

	if (file->shmem)
		return 0;
	clean_mappings(cpu, file, first, last);
	for (u64 index = first; (place = radix_next(&file->pages, &index)) && index < last; index++) {
		struct page *page = filemap_place_has_frame(place) ? pfn_to_page(file->vm, place) : NULL;

		if (page && page->flags & PG_dirty && write_back(file, index, page))
			err = -EIO;
	}
	return err;
}

/* Writing comes first: only then may the frame go. Shared memory that nobody has written to is zeroes again when it is
 * asked for. */
int filemap_evict(struct vm *vm, struct page *page)
{
	struct address_space *file = (struct address_space *)radix_get(&vm->files, page->mapping);

	if (file->shmem && page->flags & PG_dirty)
		return to_swap_cache(file, page);
	if (page->flags & PG_dirty && write_back(file, page->index, page))
		return -EIO;
	set_place(file, page->index, file->shmem ? 0 : PLACE_GONE | shadow_make(vm, page));
	put_page(vm, page);
	return 0;
}

/* ---- row 3: a fault on an empty entry of a file's area ---- */

static unsigned cause_of(int err)
{
	return err == -ENOMEM ? VM_FAULT_NOMEM : VM_FAULT_BUS;
}

static u64 fault_index(const struct fault *f)
{
	return f->vma->vm_pgoff + ((f->va - f->vma->vm_start) >> PAGE_SHIFT);
}

/* Maps a cached page at pos, an empty entry. */
static void map_file_page(struct fault *f, const struct pt_pos *pos, struct page *page, u64 bits)
{
	get_page(page);
	if (page_add_rmap(f->mm, page, pos->va, 0))
		ASSERT(!"a file page's mapping needs no memory");
	pt_set(NULL, f->mm, pos, entry_make(f->vma, page_to_pfn(f->mm->vm, page), X86_PT, bits));
}

/* Shared pages of shmem are writable at once; those of a file are not, so that the first write can be seen. */
static u64 read_bits(const struct fault *f)
{
	bool writable = f->vma->vm_flags & VM_SHARED && f->vma->vm_flags & VM_WRITE && f->vma->vm_file->shmem;

	return writable ? X86_PTE_RW : 0;
}

/* Maps what is cached in the window around the fault. Returns 0 or -ENOMEM; the faulting page may still be missing. */
static int fault_around(struct fault *f)
{
	struct address_space *file = f->vma->vm_file;
	u64 at = x86_index(f->va, X86_PT), area_off = (f->va - f->vma->vm_start) >> PAGE_SHIFT;
	u64 area_pages = (f->vma->vm_end - f->vma->vm_start) >> PAGE_SHIFT;
	u64 from = max(ALIGN_DOWN(at, FAULT_AROUND_PAGES), at - min(at, area_off));
	u64 to = min(min(from + FAULT_AROUND_PAGES, (u64)PTRS_PER_TABLE), at + area_pages - area_off);
	bool warm = !file->shmem && !f->mm->vm->cfg.pagecache_cold;

	if (file->pfnmap) {
		from = at;
		to = at + 1;
	}
	for (u64 i = from; i < to; i++) {
		struct pt_pos pos = {
		    .entry = f->pos.entry + i - at, .va = f->pos.va + ((i - at) << PAGE_SHIFT), .level = X86_PT};
		struct page *page;
		u64 index;
		int err;

		if (*pos.entry)
			continue;
		index = fault_index(f) + i - at;
		err = filemap_get_page(file, index, warm && !radix_get(&file->pages, index), &page, &f->major);
		if (err == -ENOMEM)
			return err;
		if (!err)
			map_file_page(f, &pos, page, read_bits(f));
	}
	return 0;
}

static unsigned do_read_fault(struct fault *f)
{
	struct page *page;
	int err = fault_around(f);

	if (*f->pos.entry)
		return VM_FAULT_FILE;
	if (!err)
		err = filemap_get_page(f->vma->vm_file, fault_index(f), true, &page, &f->major);
	if (err)
		return cause_of(err);
	map_file_page(f, &f->pos, page, read_bits(f));
	return VM_FAULT_FILE;
}

/* A private write: the copy is made at once. */
static unsigned do_cow_fault(struct fault *f)
{
	struct vm *vm = f->mm->vm;
	struct page *page, *copy;
	int err = filemap_get_page(f->vma->vm_file, fault_index(f), true, &page, &f->major);

	if (err)
		return cause_of(err);
	copy = alloc_pages(vm, 0, PAGE_ANON);
	if (!copy)
		return VM_FAULT_NOMEM;
	hw_copy_frames(vm->hw, page_to_pfn(vm, copy), page_to_pfn(vm, page), 0);
	map_new_anon_page(f, copy, fault_bits(f));
	return VM_FAULT_FILE;
}

static unsigned do_shared_fault(struct fault *f)
{
	struct page *page;
	int err = filemap_get_page(f->vma->vm_file, fault_index(f), true, &page, &f->major);

	if (err)
		return cause_of(err);
	page->flags |= PG_dirty;
	map_file_page(f, &f->pos, page, fault_bits(f));
	return VM_FAULT_FILE;
}

unsigned do_file_fault(struct fault *f)
{
	if (fault_write(f) && !(f->vma->vm_flags & VM_SHARED))
		anon_vma_prepare(f->vma); /* as Linux, before it is known whether there is a page: areas merge by it */
	if (fault_write(f) && fault_index(f) >= file_pages(f->vma->vm_file))
		return VM_FAULT_BUS; /* a read maps what is around it before it finds that out */
	if (fault_extend(f, X86_PT))
		return VM_FAULT_NOMEM;
	if (!fault_write(f))
		return do_read_fault(f);
	return f->vma->vm_flags & VM_SHARED ? do_shared_fault(f) : do_cow_fault(f);
}
