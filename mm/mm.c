/* SPDX-License-Identifier: MIT
 *
 * mm/mm.c - a machine's memory, and address spaces from birth to death.
 *
 *   the first range of RAM that is large enough:
 *   | (frame 0) | struct vm | mem_map[max_pfn] ........ | swap map | free ...
 *                                                                    all other ranges: free
 * Frame 0 is never given out: a pfn of 0 means "none".
 */
#include "mm/pgtable.h"
#include "mm/rmap.h"
#include "mm/swap.h"
#include "mm/vmscan.h"

#define MIN_RAM_BYTES        (4ull << 20)
#define DEFAULT_MMAP_BASE    0x7ffff7fff000ull
#define DEFAULT_STACK_RLIMIT (8ull << 20) /* Linux: _STK_LIM */

/* ---- the machine ---- */

static u64 vm_frames(void)
{
	return ALIGN_UP(sizeof(struct vm), PAGE_SIZE) >> PAGE_SHIFT;
}

static u64 mem_map_frames(u64 max_pfn)
{
	return ALIGN_UP(max_pfn * sizeof(struct page), PAGE_SIZE) >> PAGE_SHIFT;
}

/* Frames that struct vm, mem_map and the swap map take. */
static u64 boot_frames(u64 max_pfn, u64 swap_slots)
{
	return vm_frames() + mem_map_frames(max_pfn) + swap_map_frames(swap_slots);
}

/* The largest frame number + 1, and RAM's size. */
static u64 survey_ram(struct hw_machine *m, u64 *bytes)
{
	u64 start, end, max_end = 0;

	*bytes = 0;
	for (unsigned i = 0; hw_ram(m, i, &start, &end) == 0; i++) {
		*bytes += end - start;
		max_end = max(max_end, end);
	}
	return max_end >> PAGE_SHIFT;
}

/* The frame where struct vm goes: the start of the first range that holds it and its arrays; 0: none. */
static u64 find_boot_place(struct hw_machine *m, u64 max_pfn, u64 swap_slots)
{
	u64 start, end;

	for (unsigned i = 0; hw_ram(m, i, &start, &end) == 0; i++) {
		u64 first = max(start >> PAGE_SHIFT, 1ull);

		if (first + boot_frames(max_pfn, swap_slots) < end >> PAGE_SHIFT)
			return first;
	}
	return 0;
}

static void give_ram(struct vm *vm)
{
	u64 start, end;

	for (unsigned i = 0; hw_ram(vm->hw, i, &start, &end) == 0; i++) {
		u64 first = max(start >> PAGE_SHIFT, 1ull);

		if (vm->own_start >= first && vm->own_start < end >> PAGE_SHIFT)
			first = vm->own_end;
		page_alloc_init(vm, first, end >> PAGE_SHIFT);
	}
}

/* The zero page, and the tables that a CPU without an mm runs on. Returns false when RAM is too small. */
static bool make_fixed_frames(struct vm *vm)
{
	struct page *zero = alloc_pages(vm, 0, PAGE_KERNEL);

	if (!zero)
		return false;
	vm->zero_pfn = page_to_pfn(vm, zero);
	hw_clear_frames(vm->hw, vm->zero_pfn, 0);
	return kernel_half_init(vm);
}

const struct vm_variant vm_variant_newest = {
    .zero_page = true,
    .merge_unfaulted = true,
    .map_joins_prev = true,
    .place_2m = true,
    .place_2m_top = true,
    .huge_zero_write = true,
    .stack_nohuge = true,
    .untouched_uncharged = true,
    .populate_stops = true,
    .swapin_writable = true,
    .zeromap = true,
};

struct vm *vm_init(struct hw_machine *m, const struct vm_config *cfg)
{
	unsigned features = hw_features(hw_this_cpu(m));
	u64 bytes, max_pfn = survey_ram(m, &bytes), boot_pfn = find_boot_place(m, max_pfn, cfg->swap_slots);
	struct vm *vm;

	if (bytes < MIN_RAM_BYTES || !boot_pfn || max_pfn > MAX_PFN || cfg->swap_slots >= MAX_PFN)
		return NULL;
	vm = (struct vm *)((u8 *)cfg->ram_base + (boot_pfn << PAGE_SHIFT));
	memset(vm, 0, sizeof(*vm));
	vm->hw = m;
	vm->cfg = *cfg;
	vm->variant = cfg->variant ? *cfg->variant : vm_variant_newest;
	vm->sysctl = cfg->sysctl ? *cfg->sysctl : vm_sysctl_defaults;
	vm->ram = cfg->ram_base;
	vm->nx = features & HW_NX ? X86_PTE_NX : 0;
	vm->pcid = cfg->pcid && features & HW_PCID;
	vm->invpcid = vm->pcid && features & HW_INVPCID;
	vm->gbpages = features & HW_GBPAGES;
	vm->global = features & HW_PGE ? X86_PTE_G : 0;
	vm->kpti = cfg->kpti;
	vm->pku = features & HW_PKU;
	vm->max_pfn = max_pfn;
	vm->own_start = boot_pfn;
	vm->own_end = boot_pfn + boot_frames(max_pfn, cfg->swap_slots);
	vm->mem_map = (struct page *)((u8 *)vm + (vm_frames() << PAGE_SHIFT));
	vm->fail_alloc_after = ~0ull;
	if (cfg->khugepaged)
		vm->khugepaged =
		    (struct vm_khugepaged_scan){.knobs = *cfg->khugepaged, .sleep_ms = cfg->khugepaged->scan_sleep_ms};
	if (cfg->ram_dirty)
		memset(vm->mem_map, 0, (vm->own_end - vm->own_start - vm_frames()) << PAGE_SHIFT);
	swap_init(vm, (u8 *)vm->mem_map + (mem_map_frames(max_pfn) << PAGE_SHIFT));
	slab_init(vm);
	give_ram(vm);
	reclaim_init(vm);
	if (!make_fixed_frames(vm))
		return NULL;
	hugetlb_init(vm, cfg->nr_hugepages);
	fragment_memory(vm);
	return vm;
}

void vm_meminfo(struct vm *vm, struct vm_meminfo *out)
{
	*out = (struct vm_meminfo){.total_frames = vm->total_frames,
				   .free_frames = vm->kind_frames[PAGE_FREE],
				   .table_frames = vm->kind_frames[PAGE_TABLE],
				   .anon_frames = vm->kind_frames[PAGE_ANON],
				   .file_frames = vm->kind_frames[PAGE_FILE],
				   .file_mapped = vm->file_mapped,
				   .partly_unmapped = vm->partly_unmapped,
				   .lazyfree = vm->lazyfree,
				   .kernel_frames = vm->kind_frames[PAGE_KERNEL],
				   .swap_slots = vm->swap.slots,
				   .swap_used = vm->swap.used,
				   .swap_peak = vm->swap.peak_used};
	for (unsigned order = 0; order <= MAX_ORDER; order++)
		out->free_blocks[order] = vm->free_area[order].nr_free;
}

u8 vm_check_level(const struct vm *vm)
{
	return vm->cfg.check;
}

u32 vm_max_map_count(const struct vm *vm)
{
	return vm->cfg.max_map_count ? vm->cfg.max_map_count : DEFAULT_MAX_MAP_COUNT;
}

/* ---- address spaces ---- */

static int take_id(struct mm_struct *mm)
{
	struct vm *vm = mm->vm;

	do {
		vm->last_mm_id = vm->last_mm_id == MM_ID_MAX ? 1 : vm->last_mm_id + 1;
	} while (radix_get(&vm->mms, vm->last_mm_id));
	mm->id = vm->last_mm_id;
	return radix_set(vm, &vm->mms, mm->id, (u64)mm);
}

struct mm_struct *mm_create(struct vm *vm)
{
	struct mm_struct *mm;
	struct page *pgd;

	balance_if_low(vm, hw_this_cpu(vm->hw));
	mm = slab_alloc(vm, SLAB_MM);
	if (!mm)
		return NULL;
	mm->vm = vm;
	mm->mm_users = 1;
	mm->pkey_allocation_map = vm->pku;
	mm->mmap_base = DEFAULT_MMAP_BASE;
	for (unsigned i = 0; i < VM_RLIMIT_NR; i++)
		mm->rlimit[i] = i == VM_RLIMIT_STACK ? DEFAULT_STACK_RLIMIT : VM_RLIM_INFINITY;
	mm->ctx_id = ++vm->last_ctx_id;
	mm->tlb_gen = 1;
	gap_init(&mm->areas);
	pgd = pgd_alloc(mm);
	if (!pgd || take_id(mm)) {
		if (pgd)
			put_page(vm, pgd);
		slab_free(vm, SLAB_MM, mm);
		return NULL;
	}
	mm->pgd_pfn = page_to_pfn(vm, pgd);
	mm->next = vm->mm_list;
	if (vm->mm_list)
		vm->mm_list->prev = mm;
	vm->mm_list = mm;
	return mm;
}

void mm_get(struct mm_struct *mm)
{
	ASSERT(mm->mm_users > 0);
	mm->mm_users++;
}

/* Pages, tables, areas, in this order; one flush before the first frame is free. */
static void exit_mmap(struct hw_cpu *cpu, struct mm_struct *mm)
{
	struct vm_area_struct *first = vma_find(mm, 0);
	struct mmu_gather tlb;
	u64 end = 0;

	tlb_gather_mmu_fullmm(&tlb, cpu, mm);
	for (struct vm_area_struct *vma = first; vma; vma = vma_next(vma)) {
		unmap_page_range(&tlb, vma, vma->vm_start, vma->vm_end);
		end = vma->vm_end;
	}
	if (first)
		free_pgtables(&tlb, mm, first->vm_start, end);
	tlb_finish_mmu(&tlb);
	vma_free_all(mm);
}

void mm_put(struct mm_struct *mm)
{
	struct vm *vm = mm->vm;
	struct hw_cpu *cpu = hw_this_cpu(vm->hw);

	ASSERT(mm->mm_users > 0);
	if (--mm->mm_users)
		return;
	exit_mmap(cpu, mm);
	tlb_leave_mm(cpu, mm);
	put_page(vm, pfn_to_page(vm, mm->pgd_pfn));
	if (mm->next)
		mm->next->prev = mm->prev;
	if (mm->prev)
		mm->prev->next = mm->next;
	else
		vm->mm_list = mm->next;
	radix_set(vm, &vm->mms, mm->id, 0);
	slab_free(vm, SLAB_MM, mm);
	CHECK3(vm->cfg.check, vm_check(vm));
}

void vm_set_rlimit(struct mm_struct *mm, enum vm_rlimit which, u64 bytes)
{
	mm->rlimit[which] = bytes;
}

u32 mm_id(const struct mm_struct *mm)
{
	return mm->id;
}

void mm_stat(const struct mm_struct *mm, struct vm_stat *out)
{
	*out = (struct vm_stat){.anon_pages = mm->rss[MM_ANONPAGES],
				.file_pages = mm->rss[MM_FILEPAGES],
				.shmem_pages = mm->rss[MM_SHMEMPAGES],
				.huge_pages = {mm->huge_leaves[0], mm->huge_leaves[1]},
				.table_bytes = mm->table_frames << PAGE_SHIFT,
				.peak_rss_pages = mm->peak_rss,
				.peak_table_bytes = mm->peak_table_frames << PAGE_SHIFT,
				.swap_pages = mm->rss[MM_SWAPENTS],
				.total_vm_pages = mm->total_vm,
				.locked_pages = mm->locked_vm,
				.map_count = (u32)mm->areas.count};
}

unsigned vm_lookup(struct mm_struct *mm, u64 va, u64 *entry)
{
	struct pt_pos pos;

	pt_walk(mm, va, X86_PT, &pos);
	*entry = *pos.entry;
	return entry_present(*pos.entry) ? pos.level : 0;
}
