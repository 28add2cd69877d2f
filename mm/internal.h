/* SPDX-License-Identifier: MIT
 *
 * mm/internal.h - what mm/'s files offer to each other, a heading a file: the table of contents of the OS half.
 */
#ifndef MM_INTERNAL_H
#define MM_INTERNAL_H

#include "mm/mm_types.h"

static inline void *phys_to_virt(const struct vm *vm, u64 pa)
{
	return vm->ram + pa;
}
static inline struct page *pfn_to_page(struct vm *vm, u64 pfn)
{
	return &vm->mem_map[pfn];
}
static inline u64 page_to_pfn(struct vm *vm, const struct page *page)
{
	return (u64)(page - vm->mem_map);
}
/* The frame that holds a kernel object or a table entry. */
static inline struct page *virt_to_page(struct vm *vm, const void *p)
{
	return pfn_to_page(vm, (u64)((const u8 *)p - vm->ram) >> PAGE_SHIFT);
}
/* The head of the block that a frame in use belongs to: reference counts live there. */
static inline struct page *page_head(struct vm *vm, struct page *page)
{
	return page->kind == PAGE_TAIL ? pfn_to_page(vm, ALIGN_DOWN(page_to_pfn(vm, page), 1ull << page->order)) : page;
}
static inline bool is_zero_pfn(const struct vm *vm, u64 pfn)
{
	return pfn == vm->zero_pfn || (vm->huge_zero_pfn && pfn - vm->huge_zero_pfn < (1ull << HPAGE_PMD_ORDER));
}
static inline void vm_emit(struct vm *vm, const struct vm_event *ev)
{
	hw_event(vm->hw, ev);
}

/* ---- vma.c: areas of one address space ---- */
/* The area with vm_start <= va < vm_end, or NULL. O(log n), O(1) on the last hit. */
struct vm_area_struct *vma_lookup(struct mm_struct *mm, u64 va);
/* The first area with vm_end > va, or NULL. */
struct vm_area_struct *vma_find(struct mm_struct *mm, u64 va);
struct vm_area_struct *vma_next(const struct vm_area_struct *vma);
struct vm_area_struct *vma_prev(const struct vm_area_struct *vma);
/* Grow the stack area down so that it holds va. Returns 0, -ENOMEM (limit, guard gap) or -EFAULT (not a stack). */
int expand_stack(struct vm_area_struct *vma, u64 va);
/* Before the first private page of vma appears (a write, or a huge page's fault; not a read of the zero page): gives it
 * an anon_vma, a mergeable neighbour's if there is one. Cannot fail; nothing to do when it has one. */
void anon_vma_prepare(struct vm_area_struct *vma);
/* Copies parent's areas into the empty child (not VM_DONTCOPY). Returns 0 or -ENOMEM, child then still valid. */
int vma_dup_all(struct mm_struct *child, struct mm_struct *parent);
/* Frees every area of mm; its pages and tables are gone already. */
void vma_free_all(struct mm_struct *mm);
bool vma_tree_valid(struct mm_struct *mm);
/* Linux's search: hint, then top-down below mmap_base, 2M alignment for anonymous multiples of 2M and big file maps. */
u64 get_unmapped_area(struct mm_struct *mm, u64 addr, u64 len, unsigned flags, struct address_space *file, u64 pgoff);

/* ---- page_alloc.c: the buddy allocator and struct page ---- */
void page_alloc_init(struct vm *vm, u64 start_pfn, u64 end_pfn); /* gives [start, end) to the allocator */
/* A block of 2^order frames (order 0..18), head's kind set, tails PAGE_TAIL, refcount 1; NULL when there is none, or
 * (not to reclaim itself) when too few are left. Never reclaims: see mm/vmscan.c. */
struct page *alloc_pages(struct vm *vm, unsigned order, enum page_kind kind);
/* The free block that holds the frame, its head; NULL: the frame is in use. */
struct page *free_block_at(struct vm *vm, u64 pfn);
/* The same as alloc_pages(), but these frames; NULL: they are not all free, or too few would be left. */
struct page *alloc_pages_at(struct vm *vm, u64 pfn, unsigned order, enum page_kind kind);
void get_page(struct page *page);
/* Drops a reference; the last one frees the block. */
void put_page(struct vm *vm, struct page *page);
/* A small page that nobody maps leaves a file for the swap cache (PAGE_ANON), or comes back (PAGE_FILE). */
void page_set_kind(struct vm *vm, struct page *page, enum page_kind kind);
/* A user's block in use is cut into blocks of `order`. Each has as references the mappings of its own frames; the first
 * one more for each that the block had beside its mappings. */
void split_page(struct vm *vm, struct page *page, unsigned order);
/* Tests: the allocation after the next n ones fails, once. Slabs and tables ask here too. */
void vm_fail_alloc_after(struct vm *vm, u64 n);

/* ---- fragment.c ---- */
/* At boot, last: as much of free memory as cfg.fragmentation says comes to lie in blocks under 2M. */
void fragment_memory(struct vm *vm);

/* ---- slab.c: mm's own small objects ---- */
void slab_init(struct vm *vm);
void *slab_alloc(struct vm *vm, enum slab_kind kind); /* zeroed; NULL when RAM is full */
void slab_free(struct vm *vm, enum slab_kind kind, void *obj);

/* ---- tlb.c: flush batches, PCIDs, shootdowns, context switch ---- */
struct mmu_gather; /* mm/tlb.h */

/* ---- pti.c: the kernel half, and page-table isolation ---- */
bool kernel_half_init(struct vm *vm); /* at boot; false: RAM is too small */
/* The root of a new mm, with KPTI the user root behind it; NULL when RAM is full. */
struct page *pgd_alloc(struct mm_struct *mm);
/* Linux's name: a top entry is about to become `new`. Stores it in the user root, and returns what the kernel's root
 * gets: with NX. */
u64 pti_set_user_pgtbl(const struct vm *vm, u64 *entry, u64 new);
/* Invariants 25, 23 and 24. */
bool kernel_half_valid(const struct vm *vm);
bool pgd_kernel_half_valid(const struct mm_struct *mm);
bool pti_user_root_valid(const struct mm_struct *mm);

/* ---- rmap.c: from a frame to the entries that map it ---- */
/* How much of a huge page of this order is mapped: where its two counts are, and what they come to, in frames. part: its
 * first frame; inside a 1G page, each 2M is such a part. */
static inline struct page *page_mapped_counts(struct page *part, unsigned order)
{
	return part + (order == HPAGE_PMD_ORDER ? 1 : 2);
}
static inline u64 page_nr_mapped(struct page *part, unsigned order)
{
	struct page *counts = page_mapped_counts(part, order);

	return counts->_entire_mapcount ? 1ull << order : counts->_nr_pages_mapped;
}
/* Frames of an anonymous block that nobody maps, while others of it are mapped. */
static inline u64 page_partly_unmapped(struct page *head)
{
	u64 mapped = head->order ? page_nr_mapped(head, head->order) : 0;

	return mapped ? (1ull << head->order) - mapped : 0;
}
/* page: the frame that the entry at va names (a tail for a small entry into a huge page); order: the entry's.
 * Adds the mapping to rmap, _mapcount and rss. Returns 0 or -ENOMEM (never for an anonymous frame's first mapping,
 * never for file pages). The reference is the caller's. */
int page_add_rmap(struct mm_struct *mm, struct page *page, u64 va, unsigned order);
void page_remove_rmap(struct mm_struct *mm, struct page *page, u64 va, unsigned order);
/* One mapping of an anonymous block becomes 2^(from - to) smaller ones, each with a reference; rss stays. The first
 * keeps the rmap entry that the large one had. Returns 0, or -ENOMEM with nothing changed. */
int page_split_rmap(struct mm_struct *mm, struct page *page, u64 va, unsigned from_order, unsigned to_order);
/* The mapping of an anonymous frame moved within its address space. */
void page_move_rmap(struct mm_struct *mm, struct page *page, u64 old_va, u64 new_va);
/* The first mapping of an anonymous frame, packed (mm/rmap.h); 0: nobody maps it. */
u64 rmap_first(const struct page *page);
/* Calls visit(ctx, mm, va) for each place that may map the frame (file pages: each area that covers it). */
void rmap_walk(struct vm *vm, struct page *page, void (*visit)(void *ctx, struct mm_struct *mm, u64 va), void *ctx);

/* ---- memory.c: ranges of page tables ---- */
struct mmu_gather;
/* The pages of [start, end) of vma leave, rss and rmap follow; frames are freed after the flush. Guards stay (guard.c).
 * A huge leaf that straddles start or end is split. Returns 0, or -ENOMEM: there was no table for that, and the leaf
 * stays mapped whole. */
int zap_page_range(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 start, u64 end);
/* The same when the range itself goes: guards too. No huge leaf straddles it, or will be missed. */
void unmap_page_range(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 start, u64 end);
/* Only what the page cache has mapped there; private copies stay. */
void zap_file_pages(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 start, u64 end);
/* MADV_FREE: pages become clean and old; reclaim may drop them. */
void madvise_free_range(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 start, u64 end);
/* MADV_COLD: pages that only this entry maps look unused, and are the next to go but for those that do so already. A
 * huge leaf that straddles start or end is split; without RAM for a table it stays as it is. */
void madvise_cold_range(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 start, u64 end);
/* Advice about age may touch the block: no frame of it is mapped twice. */
bool madvise_may_age(const struct page *head);
/* Re-derives the rights of present entries in [start, end) from vma->vm_flags. Splits huge leaves that straddle.
 * Returns 0 or -ENOMEM (a split needs a table); then entries before the failing one are done. */
int change_protection(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 start, u64 end);
/* Moves entries of [old, old+len) in old_vma to new_vma at new_addr. Returns bytes moved (< len: -ENOMEM happened). */
u64 move_page_tables(struct mmu_gather *tlb, struct vm_area_struct *old_vma, u64 old, struct vm_area_struct *new_vma,
		     u64 new_addr, u64 len);
/* Splits the huge leaf that straddles addr in vma, if any. Returns 0 or -ENOMEM. */
int split_huge_at(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 addr);
/* Frees tables that no longer map anything in [start, end). */
void free_pgtables(struct mmu_gather *tlb, struct mm_struct *mm, u64 start, u64 end);
/* Faults [start, end) in as MAP_POPULATE does (VM_EV_POPULATE). Returns 0 or a VM_FAULT_* that stopped it. */
int populate_range(struct hw_cpu *cpu, struct mm_struct *mm, u64 start, u64 end, bool write);

/* ---- guard.c ---- */
/* [start, end) of vma becomes guards; becomes empty where it is one. Returns 0, -EINVAL (an area that cannot have them)
 * or -ENOMEM (no table; then some are there). */
int guard_install(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 start, u64 end);
int guard_remove(struct vm_area_struct *vma, u64 start, u64 end);

/* ---- huge.c ---- */
struct pt_pos;
/* Replaces the leaf at pos (level 2 or 3) by a table of 512 leaves one level lower. Returns 0 or -ENOMEM. */
int split_huge_leaf(struct mmu_gather *tlb, struct mm_struct *mm, struct pt_pos *pos);

/* May this area have huge pages, by policy and advice? */
bool thp_vma_wanted(const struct vm_area_struct *vma);
/* The area's advice or its process forbid them. asked: by MADV_COLLAPSE. */
bool thp_vma_disabled(const struct vm_area_struct *vma, bool asked);

/* ---- hugetlb.c ---- */
/* At boot: sets nr 2M pages aside, or as many as there are. */
void hugetlb_init(struct vm *vm, u64 nr);
/* The last user of a pool's page is gone. */
void hugetlb_free_page(struct vm *vm, struct page *page);
/* Can so many bytes be promised to a new area? */
bool hugetlb_may_reserve(struct vm *vm, u64 bytes);

/* ---- khugepaged.c ---- */
/* MADV_COLLAPSE for the part [start, end) of an area. Returns 0, -EINVAL (an area of another kind, nothing mapped, a
 * swapped page that does not come back) or -ENOMEM (no free block of 2M). */
int madvise_collapse(struct hw_cpu *cpu, struct vm_area_struct *vma, u64 start, u64 end);
/* Time passed: khugepaged works when it has slept enough. Nothing may be held. */
void khugepaged_run(struct vm *vm, struct hw_cpu *cpu, u64 us);

/* ---- filemap.c: the page cache ---- */
/* A file for MAP_SHARED | MAP_ANONYMOUS. bytes: its size. Reference count 1; NULL when RAM is full. */
struct address_space *shmem_file_create(struct vm *vm, u64 bytes);
/* The page of a file. *page: its cached frame, no reference taken. create: bring it in when it is not there.
 * *major: it had to be read. Returns 0, -ENOENT (not there), -EFAULT (past the end), -EIO or -ENOMEM. */
int filemap_get_page(struct address_space *file, u64 index, bool create, struct page **page, bool *major);
/* The page, unmapped, leaves the cache: written if it is dirty, shmem for the swap cache (PAGE_ANON then, dirty). Its
 * shadow or slot stays in its place, and the reference of the cache goes. Returns 0, or -EIO, -ENOSPC: it is still
 * there. */
int filemap_evict(struct vm *vm, struct page *page);
/* The page, small and fresh, becomes the file's page of this index. Returns 0, or -ENOMEM. */
int filemap_add_page(struct address_space *file, u64 index, struct page *page);
/* The page, cached, is in this frame now. */
void filemap_page_moved(struct vm *vm, struct page *page);
/* Would a fault find the page in memory? */
bool filemap_in_core(struct address_space *file, u64 index);
/* The file's dirty pages of [first, last) are written; all their entries become clean and read-only before that.
 * Nothing to do for shmem. Returns 0, or -EIO: some stay dirty. */
int filemap_sync(struct hw_cpu *cpu, struct address_space *file, u64 first, u64 last);
/* What a page's place in the cache holds (address_space.pages): a frame? a swap slot? */
bool filemap_place_has_frame(u64 value);
bool filemap_place_slot(u64 value, u32 *slot);
void filemap_link_vma(struct vm_area_struct *vma);   /* area of a file appears: takes a reference on the file */
void filemap_unlink_vma(struct vm_area_struct *vma); /* and goes: drops it */

/* ---- util.c: over-commitment ---- */
/* May this many pages more be promised to private writable memory? */
bool vm_enough_memory(struct mm_struct *mm, u64 pages);
/* The largest integer whose square is not above x; x below 2^62. */
u64 int_sqrt(u64 x);

/* ---- the machine ---- */
struct vm_config_view;
u8 vm_check_level(const struct vm *vm);
u32 vm_max_map_count(const struct vm *vm);

#endif
