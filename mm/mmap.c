/* SPDX-License-Identifier: MIT
 *
 * mm/mmap.c - where a mapping goes, and the calls that make and end one: mmap, munmap, brk, the initial stack.
 *
 *   0        MMAP_MIN_ADDR                                 mmap_base                        TASK_SIZE
 *   |........|  program  |-- heap -->      <-- maps, each in the highest hole |   <-- stack --|
 *                        start_brk  brk
 *
 * Source: Linux 6.12 mm/mmap.c (do_mmap, mmap_region, brk), mm/huge_memory.c (thp_get_unmapped_area),
 * arch/x86/kernel/sys_x86_64.c.
 */
#include "mm/vma.h"
#include "mm/pgtable.h"
#include "mm/tlb.h"
#include "mm/vmscan.h"

#define MAP_TYPE            0x0f /* private, shared, or one of the next two */
#define MAP_SHARED_VALIDATE 0x03 /* of a file: shared, and no flag may be unknown */
#define MAP_DROPPABLE       0x08 /* of anonymous memory, since 6.11 */
#define MAP_SYNC            0x80000
#define LEGACY_MAP_MASK     0x7c07f9f3u /* what MAP_SHARED_VALIDATE knows */
#define MAP_NONBLOCK        0x10000     /* with MAP_POPULATE: do not */
#define MAP_HUGE_SHIFT      26
#define MAP_HUGE_MASK       0x3f
#define TASK_UNMAPPED_BASE  ALIGN_UP(TASK_SIZE / 3, PAGE_SIZE) /* where the bottom-up search begins */
#define FLAGS_MAYALL        (VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC)

/* flags: MAP_*. */
static bool is_shared(unsigned flags)
{
	return (flags & MAP_TYPE) == MAP_SHARED || (flags & MAP_TYPE) == MAP_SHARED_VALIDATE;
}

/* ---- where ---- */

/* The highest hole of len bytes below mmap_base; failing that the lowest above TASK_UNMAPPED_BASE.
 * align: a power of two; the result is a multiple of it. Returns an address or -ENOMEM. */
static u64 search(const struct mm_struct *mm, u64 len, u64 align)
{
	u64 padded = len + align - PAGE_SIZE, addr;

	addr = gap_search_topdown(&mm->areas, padded, MMAP_MIN_ADDR, mm->mmap_base);
	if (addr != ~0ull)
		return ALIGN_DOWN(addr + padded - len, align);
	addr = gap_search_bottomup(&mm->areas, padded, TASK_UNMAPPED_BASE, TASK_SIZE);
	return addr == ~0ull ? (u64)-ENOMEM : ALIGN_UP(addr, align);
}

/* The hint where it is free, else search(). A hint heeds the guard gap above it, and not what lies below. */
static u64 hint_or_search(struct mm_struct *mm, u64 addr, u64 len, u64 align)
{
	if (addr) {
		struct vm_area_struct *vma;

		addr = ALIGN_UP(addr, align);
		vma = vma_find(mm, addr);
		if (addr <= TASK_SIZE - len && (!vma || addr + len <= vm_start_gap(vma)))
			return addr;
	}
	return search(mm, len, align);
}

/* Linux: __thp_get_unmapped_area(). Places the range so that address and file offset (bytes) are congruent modulo 2M.
 *
 *      ret                       ret + off_sub
 *      |-------------|-----------:-----------|------|       a hole of len + 2M, the highest; len fits in it at every
 *                   2M bound                               alignment. Where ret is aligned already the hole is used at its
 *                                                          top; at ret by a variant without place_2m_top
 *
 * Returns 0 when the range holds no whole huge page or there is no such hole. */
static u64 thp_search(struct mm_struct *mm, u64 addr, u64 len, u64 off)
{
	u64 off_align = ALIGN_UP(off, PMD_SIZE), off_sub, ret;

	if (off + len <= off_align || off + len - off_align < PMD_SIZE || len > TASK_SIZE - PMD_SIZE)
		return 0;
	ret = hint_or_search(mm, addr, len + PMD_SIZE, PAGE_SIZE);
	if (IS_ERR_VALUE(ret))
		return 0;
	if (ret == addr)
		return addr;
	off_sub = (off - ret) & (PMD_SIZE - 1);
	if (!off_sub && mm->vm->variant.place_2m_top)
		return ret + PMD_SIZE;
	return ret + off_sub;
}

/* Shared anonymous memory is searched for as shmem does it with huge pages off (Linux's default): no alignment. */
static u64 place(struct mm_struct *mm, u64 addr, u64 len, unsigned flags, struct address_space *file, u64 pgoff)
{
	u64 ret = 0;

	if (flags & MAP_FIXED)
		return addr;
	if (flags & MAP_HUGETLB)
		return hint_or_search(mm, addr, len, PMD_SIZE);
	if (file && !file->shmem)
		ret = thp_search(mm, addr, len, pgoff << PAGE_SHIFT);
	else if (!file && !is_shared(flags) && !addr && IS_ALIGNED(len, PMD_SIZE) && mm->vm->variant.place_2m)
		ret = thp_search(mm, 0, len, 0);
	return ret ? ret : hint_or_search(mm, addr, len, PAGE_SIZE);
}

u64 get_unmapped_area(struct mm_struct *mm, u64 addr, u64 len, unsigned flags, struct address_space *file, u64 pgoff)
{
	if (len > TASK_SIZE)
		return -ENOMEM;
	addr = place(mm, addr, len, flags, file, pgoff);
	if (IS_ERR_VALUE(addr))
		return addr;
	if (addr > TASK_SIZE - len)
		return -ENOMEM;
	if (!IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	return addr < MMAP_MIN_ADDR ? (u64)-EPERM : addr;
}

/* ---- limits ---- */

/* Linux: is_data_mapping(). Private writable memory, but no stack. */
static bool is_data_mapping(u64 flags)
{
	return (flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) == VM_WRITE;
}

/* Not kept, but taken when there is a limit on it. */
static u64 data_pages(struct mm_struct *mm)
{
	u64 pages = 0;

	for (struct vm_area_struct *vma = vma_find(mm, 0); vma; vma = vma_next(vma))
		pages += is_data_mapping(vma->vm_flags) ? vma_pages(vma) : 0;
	return pages;
}

bool may_expand_vm(struct mm_struct *mm, u64 flags, u64 pages)
{
	u64 most = min(mm->rlimit[VM_RLIMIT_AS], TASK_SIZE) >> PAGE_SHIFT;
	u64 data = mm->rlimit[VM_RLIMIT_DATA];

	if (mm->total_vm + pages > most)
		return false;
	return !is_data_mapping(flags) || data == VM_RLIM_INFINITY || data_pages(mm) + pages <= data >> PAGE_SHIFT;
}

static u64 mapped_pages(struct mm_struct *mm, u64 start, u64 end)
{
	struct vm_area_struct *vma = vma_find(mm, start);
	u64 bytes = 0;

	for (; vma && vma->vm_start < end; vma = vma_next(vma))
		bytes += min(end, vma->vm_end) - max(start, vma->vm_start);
	return bytes >> PAGE_SHIFT;
}

/* ---- mmap ---- */

static u64 lock_flags(const struct mm_struct *mm, unsigned flags)
{
	return mm->def_flags | (flags & MAP_LOCKED ? VM_LOCKED : 0);
}

static u64 make_vm_flags(const struct mm_struct *mm, unsigned prot, unsigned flags)
{
	u64 vm = (prot & (PROT_READ | PROT_WRITE | PROT_EXEC)) | FLAGS_MAYALL;

	vm |= flags & MAP_GROWSDOWN ? VM_GROWSDOWN : 0;
	vm |= flags & MAP_STACK && mm->vm->variant.stack_nohuge ? VM_NOHUGEPAGE : 0;
	vm |= flags & MAP_NORESERVE ? VM_NORESERVE : 0;
	vm |= flags & MAP_SYNC ? VM_SYNC : 0;
	vm |= is_shared(flags) ? VM_SHARED : 0;
	vm |= flags & MAP_HUGETLB ? VM_HUGETLB | VM_DONTEXPAND : lock_flags(mm, flags); /* mm/mlock.c */
	if ((flags & MAP_TYPE) == MAP_DROPPABLE)
		vm = (vm & ~VM_LOCKED_MASK) | VM_DROPPABLE | VM_NORESERVE | VM_WIPEONFORK | VM_DONTDUMP;
	if ((vm & (VM_WRITE | VM_SHARED | VM_NORESERVE | VM_HUGETLB)) == VM_WRITE)
		vm |= VM_ACCOUNT;
	return vm;
}

/* MAP_HUGETLB: anonymous memory, of 2M pages (size 0: the default). Rounds *len up to the page size. */
static int check_hugetlb(unsigned flags, struct address_space *file, u64 *len)
{
	unsigned shift = flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;

	if (!(flags & MAP_HUGETLB))
		return 0;
	if (file || (shift && shift != PMD_SHIFT))
		return -EINVAL;
	*len = ALIGN_UP(*len, PMD_SIZE);
	return 0;
}

/* What Linux checks before it looks for a place, and after. */
static int check_size(const struct mm_struct *mm, u64 len, u64 pgoff)
{
	if (!len)
		return -ENOMEM; /* rounding it up to a page overflowed */
	if (pgoff + (len >> PAGE_SHIFT) < pgoff)
		return -EOVERFLOW;
	return mm->areas.count > vm_max_map_count(mm->vm) ? -ENOMEM : 0;
}

static int check_kind(u64 len, unsigned flags, struct address_space *file, u64 pgoff)
{
	unsigned type = flags & MAP_TYPE;

	if (file && pgoff > (MAX_LFS_FILESIZE - len) >> PAGE_SHIFT)
		return -EOVERFLOW;
	if (type == MAP_SHARED_VALIDATE && file && flags & ~LEGACY_MAP_MASK)
		return -EOPNOTSUPP;
	if (type != MAP_SHARED && type != MAP_PRIVATE && type != (file ? MAP_SHARED_VALIDATE : MAP_DROPPABLE))
		return -EINVAL;
	if (type == MAP_DROPPABLE && flags & (MAP_LOCKED | MAP_HUGETLB))
		return -EINVAL;
	return flags & MAP_GROWSDOWN && (file || type != MAP_PRIVATE) ? -EINVAL : 0;
}

static int check_locks(const struct mm_struct *mm, u64 len, unsigned flags)
{
	if (flags & MAP_LOCKED && !can_do_mlock(mm))
		return -EPERM;
	return mlock_future_ok(mm, lock_flags(mm, flags), len >> PAGE_SHIFT) ? 0 : -EAGAIN;
}

/* Maps vmg's range, whatever was there before. Returns 0, -ENOMEM or -EINVAL; then nothing has changed. */
static int mmap_region(struct hw_cpu *cpu, struct vma_merge_struct *vmg)
{
	struct mm_struct *mm = vmg->mm;
	struct vm_area_struct *spare;
	struct vma_munmap_struct vms;
	u64 pages = (vmg->end - vmg->start) >> PAGE_SHIFT;
	struct mmu_gather tlb;
	int err;

	if (!may_expand_vm(mm, vmg->flags, pages - mapped_pages(mm, vmg->start, vmg->end)))
		return -ENOMEM;
	if (vmg->flags & VM_ACCOUNT && !vm_enough_memory(mm, pages))
		return -ENOMEM;
	vmg->next_first = !mm->vm->variant.map_joins_prev;
	spare = vma_alloc(mm);
	if (!spare)
		return -ENOMEM;
	tlb_gather_mmu(&tlb, cpu, mm, VM_FLUSH_BY_UNMAP);
	err = vma_munmap_prepare(&tlb, &vms, mm, vmg->start, vmg->end);
	if (!err) {
		vma_munmap_perform(&tlb, &vms);
		vma_add(vmg, spare);
	} else {
		vma_free(spare);
	}
	tlb_finish_mmu(&tlb);
	CHECK2(vm_check_level(mm->vm), vma_tree_valid(mm));
	return err;
}

static long do_mmap(struct hw_cpu *cpu, struct mm_struct *mm, u64 addr, u64 len, unsigned prot, unsigned flags,
		    struct address_space *file, u64 pgoff)
{
	bool shared_anon = !file && (flags & MAP_TYPE) == MAP_SHARED;
	struct vma_merge_struct vmg = {.mm = mm, .flags = make_vm_flags(mm, prot, flags)};
	int err;

	err = check_size(mm, len, pgoff);
	if (err)
		return err;
	addr = get_unmapped_area(mm, addr, len, flags, file, pgoff);
	if (IS_ERR_VALUE(addr))
		return addr;
	if (flags & MAP_FIXED_NOREPLACE && vma_intersects(mm, addr, addr + len))
		return -EEXIST;
	err = check_locks(mm, len, flags);
	if (err)
		return err;
	err = check_kind(len, flags, file, pgoff);
	if (err)
		return err;
	if (flags & MAP_HUGETLB && !IS_ALIGNED(addr, PMD_SIZE))
		return -EINVAL;

	if (flags & MAP_HUGETLB && !shared_anon && !(flags & MAP_NORESERVE) && !hugetlb_may_reserve(mm->vm, len))
		return -ENOMEM;

	if (shared_anon) {
		file = shmem_file_create(mm->vm, len);
		if (!file)
			return -ENOMEM;
		pgoff = 0;
	} else if (!file) {
		pgoff = addr >> PAGE_SHIFT;
	}
	vmg.start = addr;
	vmg.end = addr + len;
	vmg.pgoff = pgoff;
	vmg.file = file;
	err = mmap_region(cpu, &vmg);
	if (shared_anon)
		vm_file_put(file); /* the area has its own reference */
	return err ? err : (long)addr;
}

long vm_mmap(struct hw_cpu *cpu, struct mm_struct *mm, u64 addr, u64 len, unsigned prot, unsigned flags,
	     struct address_space *file, u64 pgoff)
{
	bool populate = lock_flags(mm, flags) || (flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE;
	long ret;

	balance_if_low(mm->vm, cpu);
	if (!len || check_hugetlb(flags, file, &len))
		return -EINVAL;
	len = ALIGN_UP(len, PAGE_SIZE);
	if (flags & MAP_FIXED_NOREPLACE)
		flags |= MAP_FIXED;
	if (mm->vm->cfg.overcommit == VM_OVERCOMMIT_NEVER)
		flags &= ~(unsigned)MAP_NORESERVE;
	if (!(flags & MAP_FIXED)) {
		addr = ALIGN_DOWN(addr, PAGE_SIZE);
		addr = addr ? max(addr, MMAP_MIN_ADDR) : 0;
	}
	ret = do_mmap(cpu, mm, addr, len, prot, flags, file, pgoff);
	if (!IS_ERR_VALUE(ret) && populate)
		mm_populate(cpu, mm, ret, ret + len);
	CHECK3(vm_check_level(mm->vm), vm_check(mm->vm));
	return ret;
}

int populate_area(struct hw_cpu *cpu, const struct vm_area_struct *vma, u64 start, u64 end)
{
	bool write = (vma->vm_flags & (VM_WRITE | VM_SHARED)) == VM_WRITE;

	if (vma->vm_flags & VM_LOCKONFAULT)
		return 0;
	if (!(vma->vm_flags & VM_ACCESS_FLAGS))
		return VM_FAULT_ACCERR;
	return populate_range(cpu, vma->vm_mm, start, end, write);
}

int populate_areas(struct hw_cpu *cpu, struct mm_struct *mm, u64 start, u64 end, bool past)
{
	struct vm_area_struct *vma = vma_find(mm, start);

	for (; start < end && vma && vma->vm_start < end; vma = vma_next(vma)) {
		int cause = populate_area(cpu, vma, max(start, vma->vm_start), min(end, vma->vm_end));

		if (cause && (!past || cause == VM_FAULT_NOMEM))
			return cause;
	}
	return 0;
}

void mm_populate(struct hw_cpu *cpu, struct mm_struct *mm, u64 start, u64 end)
{
	populate_areas(cpu, mm, start, end, true);
}

/* ---- munmap ---- */

int do_munmap(struct hw_cpu *cpu, struct mm_struct *mm, u64 start, u64 end)
{
	struct vma_munmap_struct vms;
	struct mmu_gather tlb;
	int err;

	if (start > TASK_SIZE || end > TASK_SIZE || end <= start)
		return -EINVAL;
	if (!vma_intersects(mm, start, end))
		return 0;
	tlb_gather_mmu(&tlb, cpu, mm, VM_FLUSH_BY_UNMAP);
	err = vma_munmap_prepare(&tlb, &vms, mm, start, end);
	if (!err)
		vma_munmap_perform(&tlb, &vms);
	tlb_finish_mmu(&tlb);
	CHECK2(vm_check_level(mm->vm), vma_tree_valid(mm));
	return err;
}

long vm_munmap(struct hw_cpu *cpu, struct mm_struct *mm, u64 addr, u64 len)
{
	int err;

	balance_if_low(mm->vm, cpu);
	if (!IS_ALIGNED(addr, PAGE_SIZE) || addr > TASK_SIZE || len > TASK_SIZE - addr)
		return -EINVAL;
	err = do_munmap(cpu, mm, addr, addr + ALIGN_UP(len, PAGE_SIZE));
	CHECK3(vm_check_level(mm->vm), vm_check(mm->vm));
	return err;
}

/* ---- brk ---- */

void vm_set_brk(struct mm_struct *mm, u64 start_brk)
{
	mm->start_brk = start_brk;
	mm->brk = start_brk;
}

static int shrink_brk(struct hw_cpu *cpu, struct mm_struct *mm, u64 start, u64 end)
{
	struct vm_area_struct *vma = vma_find(mm, start);

	if (!vma || vma->vm_start >= end)
		return -ENOMEM; /* the heap is not there any more */
	return do_munmap(cpu, mm, start, end);
}

/* The heap grows into [start, end): a page and any guard gap must stay free above. It joins the heap below, if that is
 * still there, and never what lies above. */
static int grow_brk(struct mm_struct *mm, u64 start, u64 end)
{
	struct vma_merge_struct vmg = {.mm = mm, .start = start, .end = end, .pgoff = start >> PAGE_SHIFT};
	struct vm_area_struct *next = vma_find(mm, start), *spare;
	u64 pages = (end - start) >> PAGE_SHIFT;

	vmg.flags = VM_READ | VM_WRITE | FLAGS_MAYALL | VM_ACCOUNT | mm->def_flags;
	vmg.apart = start == ALIGN_UP(mm->start_brk, PAGE_SIZE); /* what ends there is the program, not the heap */
	if (end > TASK_SIZE || (next && end + PAGE_SIZE > vm_start_gap(next)))
		return -ENOMEM;
	if (!mlock_future_ok(mm, vmg.flags, pages) || !vm_enough_memory(mm, pages))
		return -ENOMEM;
	if (!may_expand_vm(mm, vmg.flags, pages) || mm->areas.count > vm_max_map_count(mm->vm))
		return -ENOMEM;
	spare = vma_alloc(mm);
	if (!spare)
		return -ENOMEM;
	vma_add(&vmg, spare);
	CHECK2(vm_check_level(mm->vm), vma_tree_valid(mm));
	return 0;
}

long vm_brk(struct hw_cpu *cpu, struct mm_struct *mm, u64 brk)
{
	u64 new_end = ALIGN_UP(brk, PAGE_SIZE), old_end = ALIGN_UP(mm->brk, PAGE_SIZE);
	int err = 0;

	balance_if_low(mm->vm, cpu);
	if (brk < mm->start_brk || brk > TASK_SIZE || brk - mm->start_brk > mm->rlimit[VM_RLIMIT_DATA])
		return mm->brk;
	if (new_end < old_end)
		err = shrink_brk(cpu, mm, new_end, old_end);
	else if (new_end > old_end)
		err = grow_brk(mm, old_end, new_end);
	if (!err)
		mm->brk = brk;
	if (!err && mm->def_flags)
		mm_populate(cpu, mm, old_end, new_end);
	CHECK3(vm_check_level(mm->vm), vm_check(mm->vm));
	return mm->brk;
}

/* ---- the rest of an address space ---- */

int vm_stack(struct hw_cpu *cpu, struct mm_struct *mm, u64 top, u64 size, u64 rlimit)
{
	long start;

	if (!IS_ALIGNED(top | size, PAGE_SIZE) || !size || size > top)
		return -EINVAL;
	start = vm_mmap(cpu, mm, top - size, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE, NULL, 0);
	if (IS_ERR_VALUE(start))
		return start;
	mm->start_stack = top - sizeof(u64); /* an address in it: the listing's [stack] */
	mm->rlimit[VM_RLIMIT_STACK] = rlimit;
	return 0;
}

void vm_set_mmap_base(struct mm_struct *mm, u64 base)
{
	mm->mmap_base = base;
}

/* As smaps' Rss: the zero page is nobody's; a page without rights counts. */
static u64 resident_pages(struct mm_struct *mm, u64 start, u64 end)
{
	struct pt_iter it = pt_leaves(mm, start, end);
	u64 bytes = 0;

	while (pt_next(&it)) {
		if (!entry_has_frame(*it.pos.entry) || is_zero_pfn(mm->vm, entry_pfn(*it.pos.entry)))
			continue;
		bytes += min(end, it.pos.va + x86_level_size(it.pos.level)) - max(start, it.pos.va);
	}
	return bytes >> PAGE_SHIFT;
}

bool vm_area_next(struct mm_struct *mm, u64 va, struct vm_area_info *out)
{
	struct vm_area_struct *vma = vma_find(mm, va);

	if (!vma)
		return false;
	*out = (struct vm_area_info){
	    .start = vma->vm_start,
	    .end = vma->vm_end,
	    .pgoff = vma->vm_pgoff,
	    .prot = vma->vm_flags & VM_ACCESS_FLAGS,
	    .shared = vma->vm_flags & VM_SHARED,
	    .growsdown = vma->vm_flags & VM_GROWSDOWN,
	    .locked = vma->vm_flags & VM_LOCKED,
	    .heap = vma->vm_start < mm->brk && vma->vm_end > mm->start_brk,
	    .stack = vma->vm_start <= mm->start_stack && mm->start_stack < vma->vm_end,
	    .file = vma->vm_file,
	    .rss_pages = resident_pages(mm, vma->vm_start, vma->vm_end),
	};
	return true;
}
