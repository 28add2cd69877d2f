/* SPDX-License-Identifier: MIT
 *
 * mm/vma.h - what the system calls on areas (mmap.c, mprotect.c, mremap.c, madvise.c) share: cutting, merging, removal.
 *
 * Every change has two steps, decode and perform. The first checks, allocates the areas that cuts need and splits the
 * huge leaves that straddle a cut; it may fail, and then no area has changed. The second cannot fail.
 */
#ifndef MM_VMA_H
#define MM_VMA_H

#include "mm/internal.h"

struct mmu_gather;

#define VM_ACCESS_FLAGS (VM_READ | VM_WRITE | VM_EXEC)
#define VM_SPECIAL      VM_DONTEXPAND /* an area with one of these never merges */

/* A range [start, end) that is to have these properties, and may be one area with its neighbours.
 *
 *       prev      [start, end)      next
 *    |--------|:::::::::::::::::|---------|     middle = NULL: the range is new, nothing is mapped there
 *    |--------|==middle=========|---------|     else: all of middle, or its head or tail, changes its flags
 */
struct vma_merge_struct {
	struct mm_struct *mm;
	struct vm_area_struct *middle;
	u64 start, end; /* bytes */
	u64 pgoff;      /* pages */
	struct address_space *file;
	u64 flags;
	u32 anon_vma;                      /* of the pages that are (or will be moved) in the range; 0: none */
	bool forked;                       /* as the area's */
	bool next_first;                   /* new: joins next, and prev then only if that may merge with next */
	bool apart;                        /* becomes an area of its own, whatever lies beside it */
	const struct vm_area_struct *keep; /* never merges with this one */
};

static inline u64 vma_pages(const struct vm_area_struct *vma)
{
	return (vma->vm_end - vma->vm_start) >> PAGE_SHIFT;
}

/* Linux: vm_start_gap(). The lowest address that an area below vma must stay under. */
static inline u64 vm_start_gap(const struct vm_area_struct *vma)
{
	return vma->vm_start > vma->node.guard ? vma->vm_start - vma->node.guard : 0;
}

/* The properties of [start, end), all or a part of vma, as a range that may merge. */
struct vma_merge_struct vma_range(struct vm_area_struct *vma, u64 start, u64 end);
/* An area of mm, not yet in the tree; vma_free() is for such ones only. NULL when RAM is full. */
struct vm_area_struct *vma_alloc(struct mm_struct *mm);
void vma_free(struct vm_area_struct *vma);
/* A new range becomes part of a neighbour, or of both. Returns the area that now holds it, or NULL: none fits. */
struct vm_area_struct *vma_merge_new_range(struct vma_merge_struct *vmg);
/* A new range becomes mapped: merged, and `spare` freed, or as `spare`. Returns the area that holds it. Cannot fail. */
struct vm_area_struct *vma_add(struct vma_merge_struct *vmg, struct vm_area_struct *spare);
/* New flags, which do not change where it may be: locked_vm follows. */
void vma_set_flags(struct vm_area_struct *vma, u64 flags);
/* [start, end), inside *vma, becomes an area of its own: *vma then. Returns 0, -ENOMEM (RAM, max_map_count) or -EINVAL
 * (a cut through a huge page of MAP_HUGETLB); then nothing has changed. */
int vma_cut_out(struct mmu_gather *tlb, struct vm_area_struct **vma, u64 start, u64 end);
/* [start, end), inside *vma, gets new flags: merged with its neighbours, or cut out of *vma, which then is the area
 * that holds it. Entries keep their old rights. Returns 0, or the errors of vma_cut_out(). */
int vma_modify_flags(struct mmu_gather *tlb, struct vm_area_struct **vma, u64 start, u64 end, u64 flags);
/* True when [start, end) has an area in it. */
bool vma_intersects(struct mm_struct *mm, u64 start, u64 end);

/* Removal of [start, end). first: the lowest area in it, NULL: nothing to do. tail: the area that stays above it when
 * `first` is cut in the middle. */
struct vma_munmap_struct {
	u64 start, end;
	struct vm_area_struct *first, *tail;
};
/* Decodes. Returns 0, or the errors of vma_modify_flags(); then nothing has changed. */
int vma_munmap_prepare(struct mmu_gather *tlb, struct vma_munmap_struct *vms, struct mm_struct *mm, u64 start, u64 end);
/* The same for a range inside vma, when areas will be added between decoding and performing. First reserve, with start
 * and end set: 0, -ENOMEM or -EINVAL. When the areas are as they will be, decode, for the range that is to go then
 * (start and end may be others, start = end: none): cannot fail. */
int vma_munmap_reserve(struct mmu_gather *tlb, struct vma_munmap_struct *vms, struct vm_area_struct *vma);
void vma_munmap_decode(struct vma_munmap_struct *vms, struct mm_struct *mm);
/* Performs: pages, tables and areas go; frames are free after tlb_finish_mmu(). */
void vma_munmap_perform(struct mmu_gather *tlb, struct vma_munmap_struct *vms);

/* ---- mmap.c ---- */
#define IS_ERR_VALUE(x) ((u64)(x) >= (u64)-4095)
/* Both steps with a flush batch of their own. start and end: pages' bounds. Errors as vma_munmap_prepare(), and -EINVAL:
 * the range is empty, or not within the address space. */
int do_munmap(struct hw_cpu *cpu, struct mm_struct *mm, u64 start, u64 end);
/* Faults [start, end) of vma in, as MAP_POPULATE and locked memory want; not where it is locked on fault. Returns 0, or
 * the VM_FAULT_* that ended it (VM_FAULT_ACCERR: the area allows no access). Linux: populate_vma_page_range(). */
int populate_area(struct hw_cpu *cpu, const struct vm_area_struct *vma, u64 start, u64 end);
/* The same for every area of [start, end). An area that allows no access, or a page that cannot be had, is passed over
 * (past), or ends it. Returns 0, or the VM_FAULT_* that ended it. */
int populate_areas(struct hw_cpu *cpu, struct mm_struct *mm, u64 start, u64 end, bool past);
void mm_populate(struct hw_cpu *cpu, struct mm_struct *mm, u64 start, u64 end); /* past; errors are not told */
/* May so many pages with these flags come to mm's areas? RLIMIT_AS, RLIMIT_DATA. */
bool may_expand_vm(struct mm_struct *mm, u64 flags, u64 pages);

/* ---- mlock.c: RLIMIT_MEMLOCK ---- */
bool can_do_mlock(const struct mm_struct *mm);
/* May so many pages with these flags come to mm's areas? */
bool mlock_future_ok(const struct mm_struct *mm, u64 flags, u64 pages);

#endif
