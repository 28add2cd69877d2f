/* SPDX-License-Identifier: MIT
 *
 * mm/pti.c - the kernel half of every address space, and page-table isolation (KPTI): what a program's tables must not
 * show.
 *
 *   without KPTI: one root                  with KPTI: two, an order-1 block; CR3 bit 12 tells them apart
 *
 *   [0..255]   user entries                 +0    [0..255]   user entries, NX: the kernel runs no user code by mistake
 *   [256..511] kernel half, global                [256..511] kernel half, not global
 *                                           +4096 [0..255]   the same user tables, as they are
 *                                                 [508]      the entry area: the trampoline page, global
 *
 * Both roots name the same lower tables, so there is one set of A and D bits and nothing else to keep in step: a store
 * to a top entry (pt_store) is the only one that happens twice.
 *
 * The kernel half is built once, at boot, and shared: entries 256..511 of every root are those of init_pgd_pfn. It has
 * one mapping of each sort that Linux has, at Linux's addresses (Documentation/arch/x86/x86_64/mm.rst, no KASLR):
 *
 *   VM_KERNEL_DIRECT   direct map: the kernel's data, the first 4M of RAM   2 leaves of 2M, RW NX
 *   VM_KERNEL_STACK    a kernel stack (vmalloc)                             4K, RW NX
 *   VM_KERNEL_ENTRY    cpu_entry_area: entry code, IDT                      4K, X; the only one in user roots
 *   VM_KERNEL_TEXT     the kernel's code                                    2M, X
 *
 * Nothing of it is stored to again, so no TLB ever has to forget it. A kernel that boots maps more in the same tables.
 *
 * Invariants
 *   23 a root's kernel half is that of init_pgd_pfn
 *   24 a user root has the user entries of its kernel root (there with NX), and the entry area: walked down, all that
 *      is there is the trampoline page, for the supervisor only
 *   25 kernel leaves are global without KPTI; with it none but the trampoline
 *
 * Sources: Linux 6.12 arch/x86/mm/pti.c (__pti_set_user_pgtbl, pti_clone_user_shared), arch/x86/mm/pgtable.c
 * (pgd_alloc), Documentation/arch/x86/pti.rst.
 */
#include "mm/pgtable.h"

#define KERNEL_PGD_BOUNDARY (PTRS_PER_TABLE / 2) /* the first entry of the kernel half */
#define KERNEL_TABLE_BITS   (X86_PTE_P | X86_PTE_RW | X86_PTE_A)
#define KERNEL_LEAF_BITS    (X86_PTE_P | X86_PTE_A | X86_PTE_D)
#define DIRECT_LEAVES       2

static u64 *table_at(const struct vm *vm, u64 pfn)
{
	return phys_to_virt(vm, pfn << PAGE_SHIFT);
}

/* A zeroed frame of the kernel's; 0: RAM is full. */
static u64 kernel_frame(struct vm *vm)
{
	struct page *page = alloc_pages(vm, 0, PAGE_KERNEL);

	if (!page)
		return 0;
	memset(table_at(vm, page_to_pfn(vm, page)), 0, PAGE_SIZE);
	return page_to_pfn(vm, page);
}

/* Maps va to pfn in the kernel half: a leaf of `level` with these bits. Returns false when there is no frame, be it
 * pfn (0) or one for a table. */
static bool map_kernel(struct vm *vm, u64 va, unsigned level, u64 pfn, u64 bits)
{
	u64 *table = table_at(vm, vm->init_pgd_pfn);

	for (unsigned at = X86_PML4; at > level; at--) {
		u64 *entry = &table[x86_index(va, at)];

		if (!*entry) {
			u64 frame = kernel_frame(vm);

			if (!frame)
				return false;
			*entry = frame << PAGE_SHIFT | KERNEL_TABLE_BITS;
		}
		table = table_at(vm, entry_pfn(*entry));
	}
	table[x86_index(va, level)] = pfn << PAGE_SHIFT | bits | KERNEL_LEAF_BITS | (level > X86_PT ? X86_PTE_PS : 0);
	return true;
}

bool kernel_half_init(struct vm *vm)
{
	u64 global = vm->kpti ? 0 : vm->global, data = X86_PTE_RW | vm->nx | global;
	u64 root = kernel_frame(vm), stack = kernel_frame(vm);

	vm->init_pgd_pfn = root;
	vm->trampoline_pfn = kernel_frame(vm);
	if (!root || !stack || !vm->trampoline_pfn)
		return false;
	for (u64 i = 0; i < DIRECT_LEAVES; i++)
		if (!map_kernel(vm, VM_KERNEL_DIRECT + i * PMD_SIZE, X86_PD, i << HPAGE_PMD_ORDER, data))
			return false;
	return map_kernel(vm, VM_KERNEL_STACK, X86_PT, stack, data) &&
	       map_kernel(vm, VM_KERNEL_ENTRY, X86_PT, vm->trampoline_pfn, vm->global) &&
	       map_kernel(vm, VM_KERNEL_TEXT, X86_PD, 0, global);
}

struct page *pgd_alloc(struct mm_struct *mm)
{
	struct vm *vm = mm->vm;
	unsigned order = vm->kpti;
	struct page *pgd = alloc_pages(vm, order, PAGE_TABLE);
	u64 *root, *init = table_at(vm, vm->init_pgd_pfn);

	if (!pgd)
		return NULL;
	pgd->private = X86_PML4;
	root = table_at(vm, page_to_pfn(vm, pgd));
	memset(root, 0, PAGE_SIZE << order);
	memcpy(root + KERNEL_PGD_BOUNDARY, init + KERNEL_PGD_BOUNDARY, PAGE_SIZE / 2);
	if (vm->kpti)
		root[PTRS_PER_TABLE + x86_index(VM_KERNEL_ENTRY, X86_PML4)] =
		    init[x86_index(VM_KERNEL_ENTRY, X86_PML4)];
	mm->table_frames += 1ull << order;
	mm->peak_table_frames = max(mm->peak_table_frames, mm->table_frames);
	return pgd;
}

u64 pti_set_user_pgtbl(const struct vm *vm, u64 *entry, u64 new)
{
	if (!vm->kpti)
		return new;
	entry[PTRS_PER_TABLE] = new;
	return entry_present(new) ? new | vm->nx : new;
}

/* ---- what vm_check() asks ---- */

/* Leaves below the entries from `first` on of a table of `level` that satisfy wanted == (entry & mask); *all: leaves of
 * any sort. */
static u64 count_leaves(const struct vm *vm, const u64 *table, unsigned first, unsigned level, u64 mask, u64 wanted,
			u64 *all)
{
	u64 n = 0;

	for (unsigned i = first; i < PTRS_PER_TABLE; i++) {
		u64 entry = table[i];

		if (!entry_present(entry))
			continue;
		if (entry_leaf(entry, level)) {
			++*all;
			n += (entry & mask) == wanted;
		} else {
			n += count_leaves(vm, table_at(vm, entry_pfn(entry)), 0, level - 1, mask, wanted, all);
		}
	}
	return n;
}

bool kernel_half_valid(const struct vm *vm)
{
	const u64 *init = table_at(vm, vm->init_pgd_pfn);
	u64 all = 0, global;

	for (unsigned i = 0; i < KERNEL_PGD_BOUNDARY; i++)
		if (init[i])
			return false;
	global = count_leaves(vm, init, KERNEL_PGD_BOUNDARY, X86_PML4, X86_PTE_G | X86_PTE_US, X86_PTE_G, &all);
	if (!vm->global)
		return global == 0;
	return global == (vm->kpti ? 1 : all);
}

bool pgd_kernel_half_valid(const struct mm_struct *mm)
{
	const u64 *root = table_at(mm->vm, mm->pgd_pfn), *init = table_at(mm->vm, mm->vm->init_pgd_pfn);

	return memcmp(root + KERNEL_PGD_BOUNDARY, init + KERNEL_PGD_BOUNDARY, PAGE_SIZE / 2) == 0;
}

bool pti_user_root_valid(const struct mm_struct *mm)
{
	const struct vm *vm = mm->vm;
	const u64 *kernel = table_at(vm, mm->pgd_pfn), *user = kernel + PTRS_PER_TABLE;
	const u64 trampoline = vm->trampoline_pfn << PAGE_SHIFT | KERNEL_LEAF_BITS | vm->global;
	u64 all = 0;

	if (!vm->kpti)
		return true;
	for (unsigned i = 0; i < KERNEL_PGD_BOUNDARY; i++)
		if ((user[i] | vm->nx | X86_PTE_A) != (kernel[i] | vm->nx | X86_PTE_A) ||
		    (kernel[i] && (kernel[i] & vm->nx) != vm->nx) || user[i] & vm->nx)
			return false;
	return count_leaves(vm, user, KERNEL_PGD_BOUNDARY, X86_PML4, ~0ull, trampoline, &all) == 1 && all == 1;
}
