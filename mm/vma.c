/* SPDX-License-Identifier: MIT
 *
 * mm/vma.c - the areas of an address space: finding, cutting, merging, growing, copying, removing.
 *
 *     mm->areas (lib/gap.h)         |-- text --|-- data --|    |-- heap --|    hole     guard |-- stack --|
 *                                                                                     <------- grows
 *
 * Invariants (vma_tree_valid)
 *  1. The gap tree is valid: areas are ordered, disjoint and not empty, holes are known.
 *  2. Bounds are multiples of a page, inside [0, TASK_SIZE].
 *  3. An area's guard is the stack guard gap if it is VM_GROWSDOWN, else 0.
 *  4. total_vm is the sum of the areas' pages.
 *  5. An area of MAP_HUGETLB memory has bounds of 2 MiB.
 *
 * When two ranges are one area (Linux: mm/vma.c, is_mergeable_vma, is_mergeable_anon_vma): flags and file are equal,
 * neither is VM_SPECIAL, their page offsets continue each other, and their anonymous pages may share an anon_vma:
 *
 *     range      neighbour
 *     same       same         yes (0 and 0 too)
 *     some       none         yes, unless the range was forked
 *     none       some         yes, unless the neighbour was forked
 *     some       another      no
 *
 * (Row 2 is Linux's since 6.16. Before, it refused it by mistake: an empty chain was not taken for a singular one. So
 * does a variant without merge_unfaulted.)
 * An anonymous area's page offset is its address until its first page, so it merges with what lies beside it.
 */
#include "mm/vma.h"
#include "mm/tlb.h"

/* ---- finding ---- */

static struct vm_area_struct *area_of(struct gap_node *node)
{
	return node ? container_of(node, struct vm_area_struct, node) : NULL;
}

struct vm_area_struct *vma_find(struct mm_struct *mm, u64 va)
{
	struct vm_area_struct *vma = mm->mmap_cache;

	if (vma && vma->vm_start <= va && va < vma->vm_end)
		return vma;
	vma = area_of(gap_find(&mm->areas, va));
	if (vma)
		mm->mmap_cache = vma;
	return vma;
}

struct vm_area_struct *vma_lookup(struct mm_struct *mm, u64 va)
{
	struct vm_area_struct *vma = vma_find(mm, va);

	return vma && vma->vm_start <= va ? vma : NULL;
}

struct vm_area_struct *vma_next(const struct vm_area_struct *vma)
{
	return area_of(vma->node.next);
}

struct vm_area_struct *vma_prev(const struct vm_area_struct *vma)
{
	return area_of(vma->node.prev);
}

bool vma_intersects(struct mm_struct *mm, u64 start, u64 end)
{
	struct vm_area_struct *vma = vma_find(mm, start);

	return vma && vma->vm_start < end;
}

/* ---- one area ---- */

struct vm_area_struct *vma_alloc(struct mm_struct *mm)
{
	struct vm_area_struct *vma = slab_alloc(mm->vm, SLAB_VMA);

	if (vma)
		vma->vm_mm = mm;
	return vma;
}

void vma_free(struct vm_area_struct *vma)
{
	slab_free(vma->vm_mm->vm, SLAB_VMA, vma);
}

struct vma_merge_struct vma_range(struct vm_area_struct *vma, u64 start, u64 end)
{
	return (struct vma_merge_struct){.mm = vma->vm_mm,
					 .middle = vma,
					 .start = start,
					 .end = end,
					 .pgoff = vma->vm_pgoff + ((start - vma->vm_start) >> PAGE_SHIFT),
					 .file = vma->vm_file,
					 .flags = vma->vm_flags,
					 .anon_vma = vma->anon_vma,
					 .forked = vma->forked};
}

/* The area's size or flags change by this much of its pages. */
static void count_locked(struct vm_area_struct *vma, u64 pages)
{
	if (vma->vm_flags & VM_LOCKED)
		vma->vm_mm->locked_vm += pages;
}

void vma_set_flags(struct vm_area_struct *vma, u64 flags)
{
	count_locked(vma, -vma_pages(vma));
	vma->vm_flags = flags;
	count_locked(vma, vma_pages(vma));
}

static u64 guard_of(u64 flags)
{
	return flags & VM_GROWSDOWN ? STACK_GUARD_GAP : 0;
}

/* A free-standing area takes its place in the tree, with the range's properties. */
static void vma_link(struct vm_area_struct *vma, const struct vma_merge_struct *vmg)
{
	vma->vm_start = vmg->start;
	vma->vm_end = vmg->end;
	vma->vm_pgoff = vmg->pgoff;
	vma->vm_flags = vmg->flags;
	vma->vm_file = vmg->file;
	vma->anon_vma = vmg->anon_vma;
	vma->forked = vmg->forked;
	vma->node.guard = guard_of(vma->vm_flags);
	gap_insert(&vma->vm_mm->areas, &vma->node);
	count_locked(vma, vma_pages(vma));
	if (vma->vm_file)
		filemap_link_vma(vma);
}

static void vma_remove(struct vm_area_struct *vma)
{
	struct mm_struct *mm = vma->vm_mm;

	if (mm->mmap_cache == vma)
		mm->mmap_cache = NULL;
	if (vma->vm_file)
		filemap_unlink_vma(vma);
	count_locked(vma, -vma_pages(vma));
	gap_erase(&mm->areas, &vma->node);
	vma_free(vma);
}

/* Moves the bounds; the page offset follows the start. The order of areas must not change. */
static void vma_set_range(struct vm_area_struct *vma, u64 start, u64 end)
{
	vma->vm_pgoff += (s64)(start - vma->vm_start) >> PAGE_SHIFT;
	count_locked(vma, ((end - start) >> PAGE_SHIFT) - vma_pages(vma));
	gap_resize(&vma->vm_mm->areas, &vma->node, start, end, vma->node.guard);
}

/* ---- anonymous identity ---- */

/* Linux: anon_vma_compatible(). a ends where b starts; rights may differ, since mprotect may undo that. */
static bool anon_vma_compatible(const struct vm_area_struct *a, const struct vm_area_struct *b)
{
	return a->vm_end == b->vm_start && a->vm_file == b->vm_file &&
	       !((a->vm_flags ^ b->vm_flags) & ~VM_ACCESS_FLAGS) && b->vm_pgoff == a->vm_pgoff + vma_pages(a);
}

void anon_vma_prepare(struct vm_area_struct *vma)
{
	struct vm_area_struct *next = vma_next(vma), *prev = vma_prev(vma);

	if (vma->anon_vma)
		return;
	if (next && next->anon_vma && !next->forked && anon_vma_compatible(vma, next))
		vma->anon_vma = next->anon_vma;
	else if (prev && prev->anon_vma && !prev->forked && anon_vma_compatible(prev, vma))
		vma->anon_vma = prev->anon_vma;
	else
		vma->anon_vma = ++vma->vm_mm->anon_vma_seq;
}

/* ---- merging ---- */

static bool is_mergeable(const struct vma_merge_struct *vmg, const struct vm_area_struct *vma)
{
	if (vma->vm_flags != vmg->flags || vma->vm_file != vmg->file || vmg->flags & VM_SPECIAL || vmg->apart)
		return false;
	if (vma == vmg->keep)
		return false;
	if (vma->anon_vma == vmg->anon_vma)
		return true;
	if (vma->anon_vma)
		return !vmg->anon_vma && !vma->forked;
	return !vmg->forked && vmg->mm->vm->variant.merge_unfaulted;
}

/* The area that the range would continue, if they may merge; NULL else. */
static struct vm_area_struct *mergeable_prev(const struct vma_merge_struct *vmg, struct vm_area_struct *prev)
{
	bool fits = prev && prev->vm_end == vmg->start && prev->vm_pgoff + vma_pages(prev) == vmg->pgoff;

	return fits && is_mergeable(vmg, prev) ? prev : NULL;
}

static struct vm_area_struct *mergeable_next(const struct vma_merge_struct *vmg, struct vm_area_struct *next)
{
	u64 pages = (vmg->end - vmg->start) >> PAGE_SHIFT;
	bool fits = next && next->vm_start == vmg->end && next->vm_pgoff == vmg->pgoff + pages;

	return fits && is_mergeable(vmg, next) ? next : NULL;
}

/* Each may fit the range and yet not the other: then prev wins. */
static struct vm_area_struct *both_or_prev(struct vm_area_struct *prev, struct vm_area_struct *next)
{
	if (prev && next && prev->anon_vma && next->anon_vma && prev->anon_vma != next->anon_vma)
		return NULL;
	return next;
}

/* vma takes over pages of the identity (anon_vma, forked). */
static void adopt_anon_vma(struct vm_area_struct *vma, u32 anon_vma, bool forked)
{
	if (vma->anon_vma || !anon_vma)
		return;
	vma->anon_vma = anon_vma;
	vma->forked = forked;
}

/* The neighbours that a new range joins. */
static void pick_neighbours(const struct vma_merge_struct *vmg, struct vm_area_struct **prev,
			    struct vm_area_struct **next)
{
	struct vma_merge_struct with_next = *vmg;

	*next = mergeable_next(vmg, *next);
	if (vmg->next_first && *next) {
		with_next.anon_vma = (*next)->anon_vma;
		with_next.forked = (*next)->forked;
		*prev = mergeable_prev(&with_next, *prev);
		return;
	}
	*prev = mergeable_prev(vmg, *prev);
	*next = both_or_prev(*prev, *next);
}

/*      before             after
 *  1   PPPP....NNNN       PPPPPPPPPPPP      both
 *  2   PPPP....           PPPPPPPP          prev
 *  3       ....NNNN           NNNNNNNN      next
 */
struct vm_area_struct *vma_merge_new_range(struct vma_merge_struct *vmg)
{
	struct vm_area_struct *next = vma_find(vmg->mm, vmg->start);
	struct vm_area_struct *prev = next ? vma_prev(next) : area_of(vmg->mm->areas.last);
	struct vm_area_struct *vma;
	u64 start, end;

	pick_neighbours(vmg, &prev, &next);
	vma = prev ? prev : next;
	if (!vma)
		return NULL;
	start = prev ? prev->vm_start : vmg->start;
	end = next ? next->vm_end : vmg->end;
	if (prev && next) {
		adopt_anon_vma(prev, next->anon_vma, next->forked);
		vma_remove(next);
	}
	vma_set_range(vma, start, end);
	adopt_anon_vma(vma, vmg->anon_vma, vmg->forked);
	return vma;
}

struct vm_area_struct *vma_add(struct vma_merge_struct *vmg, struct vm_area_struct *spare)
{
	struct vm_area_struct *vma = vma_merge_new_range(vmg);

	vmg->mm->total_vm += (vmg->end - vmg->start) >> PAGE_SHIFT;
	if (vma) {
		vma_free(spare);
		return vma;
	}
	vma_link(spare, vmg);
	return spare;
}

/* A part of an area changes its flags, so that it is like a neighbour. M: middle, its part in brackets.
 *
 *      before             after
 *  4   PPPP[MM]NNNN       PPPPPPPPPPPP      both
 *  5   PPPP[MM]           PPPPPP            prev, the whole of middle
 *  6   PPPP[M]MM          PPPPPMM           prev, the head of middle
 *  7       [MM]NNNN         NNNNNN          next, the whole of middle
 *  8     MM[M]NNNN          MMNNNNN         next, the tail of middle
 *
 * Returns 1 when it merged (*vma: the area that now holds the range), 0 when no neighbour fits, or -ENOMEM: a huge leaf
 * straddles the new bound, and there is no frame for its table; then nothing has changed.
 */
static int vma_merge_existing_range(struct mmu_gather *tlb, struct vma_merge_struct *vmg, struct vm_area_struct **vma)
{
	struct vm_area_struct *middle = vmg->middle;
	bool head = vmg->start == middle->vm_start, tail = vmg->end == middle->vm_end;
	struct vm_area_struct *prev = head ? mergeable_prev(vmg, vma_prev(middle)) : NULL;
	struct vm_area_struct *next = both_or_prev(prev, tail ? mergeable_next(vmg, vma_next(middle)) : NULL);
	u64 start = prev ? prev->vm_start : vmg->start, end = next ? next->vm_end : vmg->end;

	if (!prev && !next)
		return 0;
	if (!(head && tail) && split_huge_at(tlb, middle, head ? vmg->end : vmg->start))
		return -ENOMEM;

	*vma = prev ? prev : next;
	adopt_anon_vma(*vma, vmg->anon_vma, vmg->forked);
	if (head && tail)
		vma_remove(middle);
	else if (head)
		vma_set_range(middle, vmg->end, middle->vm_end);
	else
		vma_set_range(middle, middle->vm_start, vmg->start);
	if (prev && next) {
		adopt_anon_vma(prev, next->anon_vma, next->forked);
		vma_remove(next);
	}
	vma_set_range(*vma, start, end);
	return 1;
}

/* ---- cutting ---- */

/* May vma be cut at addr? -EINVAL when that is inside a huge page of MAP_HUGETLB. Splits the huge leaf there, if any.
 */
static int prepare_cut(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 addr)
{
	if (addr <= vma->vm_start || addr >= vma->vm_end)
		return 0;
	if (vma->vm_flags & VM_HUGETLB)
		return IS_ALIGNED(addr, PMD_SIZE) ? 0 : -EINVAL;
	return split_huge_at(tlb, vma, addr);
}

/* [addr, vm_end) of vma becomes the area `upper`. */
static void cut(struct vm_area_struct *vma, u64 addr, struct vm_area_struct *upper)
{
	struct vma_merge_struct part = vma_range(vma, addr, vma->vm_end);

	vma_set_range(vma, vma->vm_start, addr);
	vma_link(upper, &part);
}

/* Allocates the areas that cutting [start, end) out of vma needs, into spare[0..1], in order. */
static int reserve_cuts(struct vm_area_struct *vma, u64 start, u64 end, struct vm_area_struct *spare[2])
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned cuts = (start > vma->vm_start) + (end < vma->vm_end), i;

	spare[0] = spare[1] = NULL;
	if (mm->areas.count + cuts > vm_max_map_count(mm->vm))
		return -ENOMEM;
	for (i = 0; i < cuts; i++) {
		spare[i] = vma_alloc(mm);
		if (!spare[i])
			break;
	}
	if (i == cuts)
		return 0;
	if (spare[0])
		vma_free(spare[0]);
	return -ENOMEM;
}

int vma_cut_out(struct mmu_gather *tlb, struct vm_area_struct **vma, u64 start, u64 end)
{
	struct vm_area_struct *old = *vma, *spare[2];
	int err = reserve_cuts(old, start, end, spare);

	if (err)
		return err;
	err = prepare_cut(tlb, old, start);
	if (!err)
		err = prepare_cut(tlb, old, end);
	if (err) {
		for (unsigned i = 0; i < 2 && spare[i]; i++)
			vma_free(spare[i]);
		return err;
	}
	if (end < old->vm_end)
		cut(old, end, spare[start > old->vm_start]);
	if (start > old->vm_start) {
		cut(old, start, spare[0]);
		*vma = spare[0];
	}
	return 0;
}

int vma_modify_flags(struct mmu_gather *tlb, struct vm_area_struct **vma, u64 start, u64 end, u64 flags)
{
	struct vma_merge_struct vmg = vma_range(*vma, start, end);
	int err;

	vmg.flags = flags;
	err = vma_merge_existing_range(tlb, &vmg, vma);
	if (err)
		return min(err, 0);
	err = vma_cut_out(tlb, vma, start, end);
	if (!err)
		vma_set_flags(*vma, flags);
	return err;
}

/* ---- removal ---- */

/* An area goes on above `end`, and one goes on below `start`: are they the same? */
static bool cuts_middle(const struct vm_area_struct *vma, u64 start, u64 end)
{
	return vma->vm_start < start && end < vma->vm_end;
}

int vma_munmap_prepare(struct mmu_gather *tlb, struct vma_munmap_struct *vms, struct mm_struct *mm, u64 start, u64 end)
{
	struct vm_area_struct *first = vma_find(mm, start), *last;
	int err;

	*vms = (struct vma_munmap_struct){.start = start, .end = end};
	if (!first || first->vm_start >= end)
		return 0;
	if (cuts_middle(first, start, end)) {
		if (mm->areas.count >= vm_max_map_count(mm->vm))
			return -ENOMEM;
		vms->tail = vma_alloc(mm);
		if (!vms->tail)
			return -ENOMEM;
	}
	last = vma_lookup(mm, end - 1);
	err = prepare_cut(tlb, first, start);
	if (!err && last)
		err = prepare_cut(tlb, last, end);
	if (err && vms->tail)
		vma_free(vms->tail);
	if (!err)
		vms->first = first;
	return err;
}

int vma_munmap_reserve(struct mmu_gather *tlb, struct vma_munmap_struct *vms, struct vm_area_struct *vma)
{
	int err;

	vms->tail = vma_alloc(vma->vm_mm);
	if (!vms->tail)
		return -ENOMEM;
	err = prepare_cut(tlb, vma, vms->start);
	if (!err)
		err = prepare_cut(tlb, vma, vms->end);
	if (err)
		vma_free(vms->tail);
	return err;
}

void vma_munmap_decode(struct vma_munmap_struct *vms, struct mm_struct *mm)
{
	vms->first = vms->start < vms->end ? vma_lookup(mm, vms->start) : NULL;
	if (vms->first && cuts_middle(vms->first, vms->start, vms->end))
		return;
	vma_free(vms->tail);
	vms->tail = NULL;
}

/*        start              end
 *   |-------:---|   |--|  |--:------|
 *    first  :  each is one  :  last           keep what lies outside, zap and drop what lies inside
 */
void vma_munmap_perform(struct mmu_gather *tlb, struct vma_munmap_struct *vms)
{
	struct vm_area_struct *vma, *next;
	u64 start = vms->start, end = vms->end;

	if (!vms->first)
		return;
	for (vma = vms->first; vma && vma->vm_start < end; vma = vma_next(vma))
		unmap_page_range(tlb, vma, max(start, vma->vm_start), min(end, vma->vm_end));
	free_pgtables(tlb, vms->first->vm_mm, start, end);

	if (vms->tail)
		cut(vms->first, end, vms->tail);
	for (vma = vms->first; vma && vma->vm_start < end; vma = next) {
		next = vma_next(vma);
		vma->vm_mm->total_vm -= (min(end, vma->vm_end) - max(start, vma->vm_start)) >> PAGE_SHIFT;
		if (vma->vm_start < start)
			vma_set_range(vma, vma->vm_start, start);
		else if (vma->vm_end > end)
			vma_set_range(vma, end, vma->vm_end);
		else
			vma_remove(vma);
	}
}

/* ---- the stack ---- */

/* Linux: expand_downwards(). The area below must stay a guard gap away, unless it is a stack, or cannot be touched. */
int expand_stack(struct vm_area_struct *vma, u64 va)
{
	struct mm_struct *mm = vma->vm_mm;
	struct vm_area_struct *prev = vma_prev(vma);
	u64 start = ALIGN_DOWN(va, PAGE_SIZE), grow;

	if (!(vma->vm_flags & VM_GROWSDOWN))
		return -EFAULT;
	if (start >= vma->vm_start)
		return 0;
	if (start < MMAP_MIN_ADDR || vma->vm_end - start > mm->rlimit[VM_RLIMIT_STACK])
		return -ENOMEM;
	if (prev && !(prev->vm_flags & VM_GROWSDOWN) && prev->vm_flags & VM_ACCESS_FLAGS &&
	    (start < prev->vm_end || start - prev->vm_end < STACK_GUARD_GAP))
		return -ENOMEM;
	grow = (vma->vm_start - start) >> PAGE_SHIFT;
	if (grow > vma->vm_pgoff || !may_expand_vm(mm, vma->vm_flags, grow) ||
	    !mlock_future_ok(mm, vma->vm_flags, grow) || !vm_enough_memory(mm, grow))
		return -ENOMEM;
	anon_vma_prepare(vma);
	vma_set_range(vma, start, vma->vm_end);
	mm->total_vm += grow;
	CHECK2(vm_check_level(mm->vm), vma_tree_valid(mm));
	return 0;
}

/* ---- whole address spaces ---- */

/* A child's area has an anon_vma of its own, and its parent's pages besides (Linux: anon_vma_fork). */
int vma_dup_all(struct mm_struct *child, struct mm_struct *parent)
{
	for (struct vm_area_struct *vma = area_of(parent->areas.first); vma; vma = vma_next(vma)) {
		struct vma_merge_struct range = vma_range(vma, vma->vm_start, vma->vm_end);
		struct vm_area_struct *copy;

		if (vma->vm_flags & VM_DONTCOPY)
			continue;
		copy = vma_alloc(child);
		if (!copy)
			return -ENOMEM;
		range.flags &= ~VM_LOCKED_MASK;
		if (vma->vm_flags & VM_HUGETLB && !vma->vm_file)
			range.flags |= VM_NORESERVE; /* the promise is the parent's (hugetlb.c) */
		range.forked = vma->anon_vma && !(vma->vm_flags & VM_WIPEONFORK);
		range.anon_vma = range.forked ? ++child->anon_vma_seq : 0;
		vma_link(copy, &range);
		child->total_vm += vma_pages(copy);
	}
	return 0;
}

void vma_free_all(struct mm_struct *mm)
{
	struct vm_area_struct *vma = area_of(mm->areas.first), *next;

	for (; vma; vma = next) {
		next = vma_next(vma);
		if (vma->vm_file)
			filemap_unlink_vma(vma);
		vma_free(vma);
	}
	gap_init(&mm->areas);
	mm->mmap_cache = NULL;
	mm->total_vm = 0;
	mm->locked_vm = 0;
}

/* ---- checks ---- */

static bool vma_valid(const struct vm_area_struct *vma)
{
	u64 unit = vma->vm_flags & VM_HUGETLB ? PMD_SIZE : PAGE_SIZE;

	return IS_ALIGNED(vma->vm_start | vma->vm_end, unit) && vma->vm_end <= TASK_SIZE &&
	       vma->node.guard == guard_of(vma->vm_flags);
}

bool vma_tree_valid(struct mm_struct *mm)
{
	u64 pages = 0;

	if (!gap_valid(&mm->areas))
		return false;
	for (struct vm_area_struct *vma = area_of(mm->areas.first); vma; vma = vma_next(vma)) {
		if (!vma_valid(vma) || vma->vm_mm != mm)
			return false;
		pages += vma_pages(vma);
	}
	return pages == mm->total_vm;
}
