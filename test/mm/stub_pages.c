/* SPDX-License-Identifier: MIT
 *
 * test/mm/stub_pages.c - the pages' side of mm/internal.h for tests of areas alone: memory without frames.
 */
#include "test/mm/areas_env.h"
#include "mm/tlb.h"
#include <stdio.h>
#include <stdlib.h>

static struct vm vm;
static long allocs_left = -1; /* slab_alloc fails when it comes to 0; < 0: never */
unsigned env_live_areas;

void env_fail_after(long n)
{
	allocs_left = n;
}

struct mm_struct *env_mm(void)
{
	struct mm_struct *mm = calloc(1, sizeof *mm);

	vm.cfg.check = 3;
	mm->vm = &vm;
	mm->mmap_base = 0x7ffff7fff000;
	return mm;
}

void env_set_max_map_count(u32 n)
{
	vm.cfg.max_map_count = n;
}

struct mm_struct *env_fork(struct mm_struct *parent)
{
	struct mm_struct *child = env_mm();

	child->mmap_base = parent->mmap_base;
	child->brk = parent->brk;
	child->start_brk = parent->start_brk;
	if (vma_dup_all(child, parent))
		abort();
	return child;
}

void env_put(struct mm_struct *mm)
{
	vma_free_all(mm);
	free(mm);
}

void env_write(struct mm_struct *mm, u64 va)
{
	struct vm_area_struct *vma = vma_lookup(mm, va);

	if (vma && !(vma->vm_flags & VM_SHARED))
		anon_vma_prepare(vma);
}

struct hw_cpu *env_cpu(void)
{
	return NULL;
}

struct address_space *env_file(u64 size)
{
	struct address_space *file = calloc(1, sizeof *file);

	file->size = size;
	file->refcount = 1;
	return file;
}

void *slab_alloc(struct vm *machine, enum slab_kind kind)
{
	if (allocs_left == 0)
		return NULL;
	if (allocs_left > 0)
		allocs_left--;
	env_live_areas++;
	return calloc(1, sizeof(struct vm_area_struct));
}

void slab_free(struct vm *machine, enum slab_kind kind, void *obj)
{
	env_live_areas--;
	free(obj);
}

u8 vm_check_level(const struct vm *machine)
{
	return machine->cfg.check;
}

u32 vm_max_map_count(const struct vm *machine)
{
	return machine->cfg.max_map_count ? machine->cfg.max_map_count : DEFAULT_MAX_MAP_COUNT;
}

bool vm_check(struct vm *machine)
{
	return true;
}

struct address_space *shmem_file_create(struct vm *machine, u64 size)
{
	struct address_space *file = env_file(size);

	file->shmem = true;
	return file;
}

void vm_file_put(struct address_space *file)
{
	if (!--file->refcount)
		free(file);
}

void filemap_link_vma(struct vm_area_struct *vma)
{
	vma->vm_file->refcount++;
}

void filemap_unlink_vma(struct vm_area_struct *vma)
{
	vm_file_put(vma->vm_file);
}

void tlb_gather_mmu(struct mmu_gather *tlb, struct hw_cpu *cpu, struct mm_struct *mm)
{
	tlb->mm = mm;
}

void tlb_finish_mmu(struct mmu_gather *tlb) {}

void zap_page_range(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 start, u64 end) {}

void madvise_free_range(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 start, u64 end) {}

int change_protection(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 start, u64 end)
{
	return 0;
}

u64 move_page_tables(struct mmu_gather *tlb, struct vm_area_struct *old_vma, u64 old, struct vm_area_struct *new_vma,
		     u64 new_addr, u64 len)
{
	return len;
}

int split_huge_at(struct mmu_gather *tlb, struct vm_area_struct *vma, u64 addr)
{
	return 0;
}

void free_pgtables(struct mmu_gather *tlb, struct mm_struct *mm, u64 start, u64 end) {}

int populate_range(struct hw_cpu *cpu, struct mm_struct *mm, u64 start, u64 end, bool write)
{
	struct vm_area_struct *vma = vma_lookup(mm, start);
	u64 past = (vma->vm_pgoff << PAGE_SHIFT) + (end - vma->vm_start);

	if (write)
		env_write(mm, start);
	return vma->vm_file && past > vma->vm_file->size ? VM_FAULT_BUS : 0;
}

unsigned vm_lookup(struct mm_struct *mm, u64 va, u64 *entry)
{
	return 0;
}

void hw_panic(const char *line)
{
	fprintf(stderr, "panic: %s\n", line);
	abort();
}
