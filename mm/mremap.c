/* SPDX-License-Identifier: MIT
 *
 * mm/mremap.c - a mapping changes its size, its place, or both; its pages go along, none is copied.
 *
 *   shrink       |=======|-----|         the tail is unmapped
 *   grow         |=======|+++++|         in place, when the hole above is large enough
 *   move         |=======|  ...  |=======+++++|     a new range, the entries move, the old range is unmapped
 *   DONTUNMAP    |- - - -|  ...  |=======|          the old range stays, empty, unlocked, an area of its own
 *   old_len 0    |=======|  ...  |=======|          shared memory is mapped once more, nothing moves
 *   several      |===|==|  |===|  ...  |===|==|  |===|     a move without a change of size takes all areas along
 *
 * Source: Linux 6.12 mm/mremap.c. Two differences, which are 6.17's: all arguments are checked before anything is
 * looked up or unmapped, so that a call that is refused has changed nothing; and several areas may move in one call.
 * And DONTUNMAP is as of 6.1.191, 6.12.114 and 7.2: before, what was moved might merge with where it came from, and the
 * whole of a locked area lost its lock.
 */
#include "mm/vma.h"
#include "mm/tlb.h"
#include "mm/vmscan.h"

struct remap {
	struct hw_cpu *cpu;
	struct mm_struct *mm;
	u64 addr, old_len, new_len, new_addr; /* bytes, multiples of a page */
	unsigned flags;                       /* MREMAP_* */
};

/* A range that is moved within one area only, and may grow. Linux: vma_to_resize(). */
static int check_resize(const struct remap *r, const struct vm_area_struct *vma)
{
	u64 pgoff = vma->vm_pgoff + ((r->addr - vma->vm_start) >> PAGE_SHIFT);
	u64 old_len = min(r->old_len, r->new_len), pages = (r->new_len - r->old_len) >> PAGE_SHIFT;

	if (!r->old_len && !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (r->flags & MREMAP_DONTUNMAP && vma->vm_flags & VM_DONTEXPAND)
		return -EINVAL;
	if (old_len > vma->vm_end - r->addr)
		return -EFAULT;
	if (r->new_len <= r->old_len)
		return 0;
	if (pgoff + (r->new_len >> PAGE_SHIFT) < pgoff)
		return -EINVAL;
	if (vma->vm_flags & VM_DONTEXPAND)
		return -EFAULT;
	if (!mlock_future_ok(r->mm, vma->vm_flags, pages))
		return -EAGAIN;
	if (vma->vm_flags & VM_ACCOUNT && !vm_enough_memory(r->mm, pages))
		return -ENOMEM;
	return may_expand_vm(r->mm, vma->vm_flags, pages) ? 0 : -ENOMEM;
}

/* ---- moving ---- */

/* The range at the new place, as the properties that its area shall have. A range without pages yet takes the page
 * offset of its new address, and so may merge there. Linux: copy_vma(). */
static struct vma_merge_struct moved_range(struct vm_area_struct *vma, const struct remap *r)
{
	struct vma_merge_struct vmg = vma_range(vma, r->addr, vma->vm_end);

	vmg.middle = NULL;
	vmg.start = r->new_addr;
	vmg.end = r->new_addr + r->new_len;
	if (!vmg.file && !vmg.anon_vma)
		vmg.pgoff = vmg.start >> PAGE_SHIFT;
	if (r->flags & MREMAP_DONTUNMAP)
		vmg.keep = vma;
	return vmg;
}

/* MREMAP_DONTUNMAP: the old range keeps its area and loses its pages and its lock (move_vma() cut it out for that), so
 * that a whole area is as new. */
static void leave_empty(const struct remap *r)
{
	struct vm_area_struct *vma = vma_lookup(r->mm, r->addr);

	if (!(r->flags & MREMAP_DONTUNMAP))
		return;
	vma_set_flags(vma, vma->vm_flags & ~VM_LOCKED_MASK);
	if (vma->vm_start == r->addr && vma->vm_end == r->addr + r->old_len) {
		vma->anon_vma = 0;
		vma->forked = false;
		vma->vm_pgoff = vma->vm_file ? vma->vm_pgoff : vma->vm_start >> PAGE_SHIFT;
	}
}

/* The entries go to the new range; where a table cannot be had, those moved come back. Returns 0 or -ENOMEM. */
static int move_entries(struct mmu_gather *tlb, const struct remap *r, struct vm_area_struct *new_vma)
{
	struct vm_area_struct *vma = vma_lookup(r->mm, r->addr);
	u64 moved = move_page_tables(tlb, vma, r->addr, new_vma, r->new_addr, r->old_len);

	if (moved == r->old_len)
		return 0;
	move_page_tables(tlb, new_vma, r->new_addr, vma, r->addr, moved);
	return -ENOMEM;
}

/* All that the move may lack: what removing the old range needs; and where DONTUNMAP leaves a part of a locked area
 * behind, the cuts that let it be unlocked alone (*vma is that part then). Returns 0, -ENOMEM or -EINVAL. */
static int reserve_move(struct mmu_gather *tlb, const struct remap *r, struct vma_munmap_struct *vms,
			struct vm_area_struct **vma)
{
	int err = vma_munmap_reserve(tlb, vms, *vma);

	if (err || !(r->flags & MREMAP_DONTUNMAP && (*vma)->vm_flags & VM_LOCKED))
		return err;
	err = vma_cut_out(tlb, vma, vms->start, vms->end);
	if (err) {
		vms->end = vms->start;
		vma_munmap_decode(vms, r->mm);
	}
	return err;
}

/* Performs: nothing is mapped at new_addr. Linux: move_vma(), which likewise wants room for three more areas. */
static long move_vma(const struct remap *r, struct vm_area_struct *vma)
{
	bool keep = r->flags & MREMAP_DONTUNMAP || !r->old_len;
	struct vma_munmap_struct vms = {.start = r->addr, .end = r->addr + r->old_len};
	struct vm_area_struct *spare, *new_vma;
	struct vma_merge_struct vmg;
	struct mmu_gather tlb;
	int err;

	if (r->mm->areas.count + 3 >= vm_max_map_count(r->mm->vm))
		return -ENOMEM;
	spare = vma_alloc(r->mm);
	if (!spare)
		return -ENOMEM;
	tlb_gather_mmu(&tlb, r->cpu, r->mm, VM_FLUSH_BY_UNMAP);
	err = reserve_move(&tlb, r, &vms, &vma);
	if (err) {
		vma_free(spare);
	} else {
		vmg = moved_range(vma, r);
		new_vma = vma_add(&vmg, spare);
		err = move_entries(&tlb, r, new_vma);
		if (err) {
			vms.start = vmg.start;
			vms.end = vmg.end;
		} else if (keep) {
			vms.end = vms.start;
			leave_empty(r);
		}
		vma_munmap_decode(&vms, r->mm);
		vma_munmap_perform(&tlb, &vms);
	}
	tlb_finish_mmu(&tlb);
	return err ? err : (long)r->new_addr;
}

/* vma holds r->addr. With MREMAP_FIXED new_addr is the place, else a wish. */
static long move_to(struct remap *r, struct vm_area_struct *vma)
{
	u64 pgoff = vma->vm_pgoff + ((r->addr - vma->vm_start) >> PAGE_SHIFT);
	unsigned flags = r->flags & MREMAP_FIXED ? MAP_FIXED : 0;

	flags |= vma->vm_flags & VM_SHARED ? MAP_SHARED : 0;
	flags |= vma->vm_flags & VM_HUGETLB ? MAP_HUGETLB : 0;
	r->new_addr = get_unmapped_area(r->mm, r->new_addr, r->new_len, flags, vma->vm_file, pgoff);
	return IS_ERR_VALUE(r->new_addr) ? (long)r->new_addr : move_vma(r, vma);
}

/* The caller named the place (MREMAP_FIXED) or wants the old range kept. */
static long mremap_to(struct remap *r, struct vm_area_struct *vma)
{
	int err = check_resize(r, vma);

	if (!err && r->flags & MREMAP_DONTUNMAP && !may_expand_vm(r->mm, vma->vm_flags, r->old_len >> PAGE_SHIFT))
		err = -ENOMEM;
	if (!err && r->flags & MREMAP_FIXED)
		err = do_munmap(r->cpu, r->mm, r->new_addr, r->new_addr + r->new_len);
	if (!err && !vma_lookup(r->mm, r->addr))
		return -EFAULT; /* the target was the source: with old_len 0, or so much that sums wrapped */
	if (!err && r->old_len > r->new_len) {
		err = do_munmap(r->cpu, r->mm, r->addr + r->new_len, r->addr + r->old_len);
		r->old_len = r->new_len;
	}
	if (err)
		return err;
	return move_to(r, vma_lookup(r->mm, r->addr));
}

/* A move without a change of size may take several areas along, each to the same distance; holes between them stay
 * holes. It begins in an area, and stops at the first that cannot go: those before it have gone. Linux: remap_move().
 */
static long move_areas(const struct remap *r)
{
	u64 end = r->addr + r->old_len;
	struct vm_area_struct *vma = vma_lookup(r->mm, r->addr);

	for (u64 from = r->addr; from < end && vma && vma->vm_start < end; vma = vma_find(r->mm, from)) {
		struct remap part = *r;
		long ret;

		part.addr = max(from, vma->vm_start);
		part.old_len = part.new_len = min(end, vma->vm_end) - part.addr;
		part.new_addr = r->new_addr + (part.addr - r->addr);
		from = part.addr + part.old_len;
		ret = vma->vm_flags & VM_HUGETLB ? -EFAULT : mremap_to(&part, vma);
		if (IS_ERR_VALUE(ret))
			return ret;
	}
	return r->new_addr;
}

/* ---- growing ---- */

static long grow(struct remap *r, struct vm_area_struct *vma)
{
	u64 old_end = r->addr + r->old_len, new_end = r->addr + r->new_len;
	int err = check_resize(r, vma);

	if (err)
		return err;
	if (old_end == vma->vm_end && new_end > old_end && new_end <= TASK_SIZE &&
	    !vma_intersects(r->mm, old_end, new_end)) {
		struct vma_merge_struct vmg = vma_range(vma, old_end, new_end);

		vma_merge_new_range(&vmg); /* it has vma's properties, so it joins vma at least */
		r->mm->total_vm += (new_end - old_end) >> PAGE_SHIFT;
		return r->addr;
	}
	if (!(r->flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	r->new_addr = 0;
	return move_to(r, vma);
}

/* ---- mremap ---- */

/* The place that the caller names is one, and clear of the old range. Two areas may each be cut in three: refuse while
 * that could fail halfway. */
static int check_target(const struct remap *r)
{
	if (!IS_ALIGNED(r->new_addr, PAGE_SIZE) || r->new_addr > TASK_SIZE - r->new_len)
		return -EINVAL;
	if (r->addr + r->old_len > r->new_addr && r->new_addr + r->new_len > r->addr)
		return -EINVAL;
	return r->mm->areas.count + 5 >= vm_max_map_count(r->mm->vm) ? -ENOMEM : 0;
}

static int check_arguments(const struct remap *r)
{
	unsigned known = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;

	if (r->flags & ~known || !IS_ALIGNED(r->addr, PAGE_SIZE) || !r->new_len || r->new_len > TASK_SIZE)
		return -EINVAL;
	if (r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) && !(r->flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if (r->flags & MREMAP_DONTUNMAP && r->old_len != r->new_len)
		return -EINVAL;
	return r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) ? check_target(r) : 0;
}

/* MAP_HUGETLB memory moves and shrinks by whole huge pages, and does not grow. */
static int check_hugetlb(struct remap *r, const struct vm_area_struct *vma)
{
	if (!(vma->vm_flags & VM_HUGETLB))
		return 0;
	r->old_len = ALIGN_UP(r->old_len, PMD_SIZE);
	r->new_len = ALIGN_UP(r->new_len, PMD_SIZE);
	return IS_ALIGNED(r->addr | r->new_addr, PMD_SIZE) && r->new_len <= r->old_len ? 0 : -EINVAL;
}

static long do_mremap(struct remap *r)
{
	struct vm_area_struct *vma = vma_lookup(r->mm, r->addr);
	int err;

	if (!vma)
		return -EFAULT;
	err = check_hugetlb(r, vma);
	if (err)
		return err;
	if (r->flags & MREMAP_FIXED && r->old_len == r->new_len && !(vma->vm_flags & VM_HUGETLB))
		return move_areas(r);
	if (r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
		return mremap_to(r, vma);
	if (r->new_len > r->old_len)
		return grow(r, vma);
	if (r->new_len < r->old_len)
		err = do_munmap(r->cpu, r->mm, r->addr + r->new_len, r->addr + r->old_len);
	return err ? err : (long)r->addr;
}

long vm_mremap(struct hw_cpu *cpu, struct mm_struct *mm, u64 addr, u64 old_len, u64 new_len, unsigned flags,
	       u64 new_addr)
{
	struct remap r = {.cpu = cpu,
			  .mm = mm,
			  .addr = addr,
			  .old_len = ALIGN_UP(old_len, PAGE_SIZE),
			  .new_len = ALIGN_UP(new_len, PAGE_SIZE),
			  .new_addr = flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) ? new_addr : 0,
			  .flags = flags};
	struct vm_area_struct *vma;
	long ret = check_arguments(&r);

	balance_if_low(mm->vm, cpu);
	if (!ret)
		ret = do_mremap(&r);
	if (!IS_ERR_VALUE(ret) && r.new_len > r.old_len) {
		vma = vma_lookup(mm, ret);
		if (vma->vm_flags & VM_LOCKED)
			mm_populate(cpu, mm, ret + r.old_len, ret + r.new_len);
	}
	CHECK2(vm_check_level(mm->vm), vma_tree_valid(mm));
	CHECK3(vm_check_level(mm->vm), vm_check(mm->vm));
	return ret;
}
