/* SPDX-License-Identifier: MIT
 *
 * test/mm/check.c - vm_check finds what is wrong: each case breaks one fact of a healthy machine, and the check must
 * panic with that invariant's number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "mm/pgtable.h"
#include "mm/lru.h"
#include "mm/rmap.h"
#include "mm/swap.h"
#include "mm/vma.h"
#include "mm/vmscan.h"
#include "test/mm/caught.h"

#define MIB (1ull << 20)
#define RW  (PROT_READ | PROT_WRITE)

static struct hw_machine *m;
static struct vm *vm;
static struct hw_cpu *cpu;
static struct mm_struct *mm;
static u64 anon, shared, rdonly, huge;
static struct address_space *file;

static int setup(void **state)
{
	struct mm_struct *child;

	m = flat_create(&(struct flat_config){
	    .ram_bytes = 64 * MIB, .vm = {.thp = VM_THP_MADVISE, .pcid = true, .check = 1, .swap_slots = 4096}});
	vm = flat_vm(m);
	cpu = flat_cpu(m, 0);
	mm = mm_create(vm);
	flat_run(cpu, mm);
	file = vm_file_create(vm, MIB, NULL, NULL);
	anon = (u64)vm_mmap(cpu, mm, 0, MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0);
	shared = (u64)vm_mmap(cpu, mm, 0, MIB, RW, MAP_SHARED, file, 0);
	huge = (u64)vm_mmap(cpu, mm, 0, 4 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0);
	vm_madvise(cpu, mm, huge, 4 * MIB, 14);
	flat_touch(cpu, anon, MIB, 'w');
	assert_int_equal(mm_fork(cpu, mm, &child), 0);
	flat_touch(cpu, anon, 8 * PAGE_SIZE, 'w');
	flat_touch(cpu, shared, MIB, 'w');
	flat_touch(cpu, huge, 4 * MIB, 'w');
	rdonly = (u64)vm_mmap(cpu, mm, 0, MIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0);
	flat_touch(cpu, rdonly, MIB, 'r');
	assert_true(vm_check(vm));
	return 0;
}

static int teardown(void **state)
{
	flat_panic_jmp = NULL;
	flat_destroy(m);
	return 0;
}

static struct pt_pos at(u64 va)
{
	struct pt_pos pos;

	pt_walk(mm, va, X86_PT, &pos);
	return pos;
}
static struct page *page_of(u64 va)
{
	return pfn_to_page(vm, entry_pfn(*at(va).entry));
}

static void total_vm(void **state)
{
	mm->total_vm++;
	assert_caught(10, vm);
}
static void locked_vm(void **state)
{
	vm_mlock(cpu, mm, anon, 4 * PAGE_SIZE, 0);
	mm->locked_vm--;
	assert_caught(12, vm);
}
static void locked_hugetlb(void **state)
{
	u64 va = (u64)vm_mmap(cpu, mm, 0, 2 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, NULL, 0);

	vma_set_flags(vma_lookup(mm, va), vma_lookup(mm, va)->vm_flags | VM_LOCKED);
	assert_caught(12, vm);
}
static void lock_on_fault_alone(void **state)
{
	vma_lookup(mm, anon)->vm_flags |= VM_LOCKONFAULT;
	assert_caught(12, vm);
}
static void file_list(void **state)
{
	file->i_mmap = file->i_mmap->i_mmap_next; /* the child's area is forgotten; it maps nothing yet */
	assert_caught(11, vm);
}
static void file_users(void **state)
{
	file->refcount = 1;
	assert_caught(11, vm);
}
static void table_kind(void **state)
{
	virt_to_page(vm, at(anon).entry)->private = 2;
	assert_caught(20, vm);
}
static void table_used(void **state)
{
	virt_to_page(vm, at(anon).entry)->_mapcount++;
	assert_caught(21, vm);
}
static void table_frames(void **state)
{
	mm->table_frames--;
	assert_caught(22, vm);
}
static void huge_leaves(void **state)
{
	mm->huge_leaves[0]++;
	assert_caught(22, vm);
}
static void leaf_outside(void **state)
{
	u64 alone = (u64)vm_mmap(cpu, mm, 1ull << 40, PAGE_SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0);
	struct pt_pos pos;

	flat_touch(cpu, alone, PAGE_SIZE, 'r');
	pos = at(alone);
	pos.entry[1] = *pos.entry; /* the zero page, where no area is */
	assert_caught(30, vm);
}
static void writable_in_readonly(void **state)
{
	*at(rdonly).entry |= X86_PTE_RW;
	assert_caught(31, vm);
}
static void executable(void **state)
{
	*at(anon).entry &= ~X86_PTE_NX;
	assert_caught(32, vm);
}
static void kernel_page(void **state)
{
	*at(anon).entry &= ~X86_PTE_US;
	assert_caught(32, vm);
}
static void protection_key(void **state)
{
	*at(anon).entry |= 3ull << X86_PTE_PKEY_SHIFT;
	assert_caught(36, vm);
}
static void zero_page_writable(void **state)
{
	vm_mprotect(cpu, mm, rdonly, MIB, RW);
	*at(rdonly).entry |= X86_PTE_RW;
	assert_caught(33, vm);
}
static void frame_both_free_and_mapped(void **state)
{
	struct pt_pos pos = at(anon);
	struct page *page = alloc_pages(vm, 0, PAGE_ANON);

	*pos.entry = (*pos.entry & ~X86_PHYS_MASK) | page_to_pfn(vm, page) << PAGE_SHIFT;
	put_page(vm, page);
	assert_caught(34, vm);
}
static void shared_and_writable(void **state)
{
	*at(anon + 100 * PAGE_SIZE).entry |= X86_PTE_RW; /* still shared with the child */
	assert_caught(35, vm);
}
static void mapcount(void **state)
{
	page_of(anon)->_mapcount++;
	assert_caught(40, vm);
}
static void refcount(void **state)
{
	page_of(shared)->_refcount++;
	assert_caught(41, vm);
}
static void exclusive(void **state)
{
	page_of(anon + 100 * PAGE_SIZE)->flags |= PG_anon_exclusive;
	assert_caught(42, vm);
}
static void rss(void **state)
{
	mm->rss[MM_FILEPAGES]--;
	assert_caught(50, vm);
}
static void mapped_files(void **state)
{
	vm->file_mapped++;
	assert_caught(51, vm);
}
static void rmap_elsewhere(void **state)
{
	page_of(anon)->rmap += 2; /* the next page */
	assert_caught(60, vm);
}
static void rmap_chain(void **state)
{
	struct rmap_node *node = (struct rmap_node *)page_of(anon + 100 * PAGE_SIZE)->rmap; /* parent and child */

	node->slot[2] = node->slot[1]; /* one mapping told twice, one not at all */
	node->slot[1] = node->slot[0];
	node->slot[0] = 0;
	assert_caught(60, vm);
}
static void rmap_chain_of_one(void **state)
{
	struct page *page = page_of(anon); /* the parent's copy: one mapping, inline */
	struct rmap_node *node = slab_alloc(vm, SLAB_RMAP);

	node->slot[0] = page->rmap;
	page->rmap = (u64)node;
	assert_caught(61, vm);
}
static void mapped_whole(void **state)
{
	page_of(huge)[1]._entire_mapcount++;
	assert_caught(62, vm);
}
static void mapped_pages(void **state)
{
	vm_munmap(cpu, mm, huge, PAGE_SIZE);
	page_of(huge + PAGE_SIZE)->_nr_pages_mapped--; /* the first tail */
	assert_caught(62, vm);
}
static void partly_unmapped(void **state)
{
	vm_munmap(cpu, mm, huge, PAGE_SIZE);
	assert_int_equal(vm->partly_unmapped, 1);
	vm->partly_unmapped--;
	assert_caught(63, vm);
}
static void held(void **state)
{
	u64 pfn;

	assert_int_equal(vm_hold(cpu, mm, anon, VM_HOLD_PIN, true, &pfn), 0);
	assert_true(vm_check(vm));
	vm->nr_holds++;
	assert_caught(43, vm);
}
static void held_reference(void **state)
{
	u64 pfn;

	assert_int_equal(vm_hold(cpu, mm, anon, VM_HOLD_GET, false, &pfn), 0);
	pfn_to_page(vm, pfn)->_refcount--;
	assert_caught(41, vm);
}
static void lazily_free(void **state)
{
	vm_madvise(cpu, mm, anon, PAGE_SIZE, 8 /* MADV_FREE */);
	assert_int_equal(vm->lazyfree, 1);
	vm->lazyfree++;
	assert_caught(64, vm);
}
static void cache_name(void **state)
{
	page_of(shared)->index++;
	assert_caught(70, vm);
}
static void free_list(void **state)
{
	unsigned order = 0;

	while (!vm->free_area[order].head[MIGRATE_MOVABLE])
		order++;
	pfn_to_page(vm, vm->free_area[order].head[MIGRATE_MOVABLE])->kind = PAGE_ANON;
	assert_caught(80, vm);
}
static void free_mobility(void **state)
{
	unsigned order = 0;

	while (!vm->free_area[order].head[MIGRATE_UNMOVABLE])
		order++;
	pfn_to_page(vm, vm->free_area[order].head[MIGRATE_UNMOVABLE])->flags = MIGRATE_MOVABLE;
	assert_caught(80, vm);
}
static void free_buddies(void **state)
{
	struct page *page = alloc_pages(vm, 0, PAGE_KERNEL), *buddy = NULL;

	for (unsigned i = 0; i < 4 && page_to_pfn(vm, page) & 1; i++)
		page = alloc_pages(vm, 0, PAGE_KERNEL);
	buddy = page + 1;
	while (buddy->kind == PAGE_FREE || buddy->kind == PAGE_FREE_TAIL)
		alloc_pages(vm, 0, PAGE_KERNEL);
	put_page(vm, page);
	page->kind = PAGE_KERNEL; /* so that they do not merge */
	put_page(vm, buddy);
	page->kind = PAGE_FREE;
	assert_caught(81, vm);
}
static void hugetlb_pool(void **state)
{
	vm->hugetlb.free++;
	assert_caught(120, vm);
}
static void free_count(void **state)
{
	vm->free_area[3].nr_free++;
	assert_caught(82, vm);
}
static void kind_count(void **state)
{
	vm->kind_frames[PAGE_ANON]++;
	assert_caught(82, vm);
}
/* ---- swap and lists: some of anon is in swap, some in the swap cache ---- */

static struct pt_pos swapped(void);
static int setup_swap(void **state)
{
	setup(state);
	assert_true(reclaim_pages(vm, cpu, 300, true) >= 300);
	for (unsigned i = 0; i < 5; i++)
		flat_touch(cpu, swapped().va, 1, 'r');
	flat_touch(cpu, shared, 8 * PAGE_SIZE, 'r');
	assert_true(vm_check(vm));
	return 0;
}
static struct pt_pos swapped(void)
{
	u64 va = anon;

	while (va < anon + MIB && !is_swap_entry(*at(va).entry))
		va += PAGE_SIZE;
	assert_true(va < anon + MIB);
	return at(va);
}
static void slot_owners(void **state)
{
	swap_slot_at(vm, swp_slot(*swapped().entry))->count++;
	assert_caught(100, vm);
}
static void slot_stolen(void **state)
{
	struct pt_pos pos = swapped();

	*pos.entry = swp_make(swp_slot(*pos.entry) + 1, false);
	assert_caught(100, vm);
}
static void swapents(void **state)
{
	mm->rss[MM_SWAPENTS]--;
	assert_caught(50, vm);
}
static u32 cached_slot(void)
{
	u32 slot = 0;

	while (slot < vm->swap.slots && !swap_cache_find(vm, slot))
		slot++;
	assert_true(slot < vm->swap.slots);
	return slot;
}
static void cache_page(void **state)
{
	swap_cache_find(vm, cached_slot())->private ++;
	assert_caught(101, vm);
}
static void cache_flag(void **state)
{
	u64 va = anon;

	while (is_swap_entry(*at(va).entry) || page_of(va)->flags & PG_swapcache)
		va += PAGE_SIZE;
	page_of(va)->flags |= PG_swapcache;
	assert_caught(101, vm);
}
static void cache_of_a_file(void **state)
{
	page_of(shared)->flags |= PG_swapcache;
	assert_caught(101, vm);
}
static bool never_zero(void *ctx, u64 pfn)
{
	return false;
}
/* Another range of anon leaves: a page of it that is written, and not gone yet. */
static struct page *written(void)
{
	struct page *page;

	assert_int_equal(vm_madvise(cpu, mm, anon, 8 * PAGE_SIZE, 21), 0); /* MADV_PAGEOUT */
	page = lru_list_last(vm, LRU_LIST_WRITTEN);
	assert_non_null(page);
	assert_true(vm_check(vm));
	return page;
}
static void zero_slot(void **state)
{
	static const struct backing_ops ops = {.zero_filled = never_zero};
	struct page *page = written();

	vm->cfg.swap_ops = &ops;
	assert_true(vm_check(vm));
	swap_slot_at(vm, page->private)->zero = true;
	assert_caught(105, vm);
}
static void written_page(void **state)
{
	written()->flags |= PG_dirty;
	assert_caught(112, vm);
}
static void slot_counts(void **state)
{
	vm->swap.used++;
	assert_caught(102, vm);
}
static void cluster_counts(void **state)
{
	vm->swap.cluster_taken[0]--;
	assert_caught(102, vm);
}
/* A page of the file that is in memory. */
static struct page *filed(void)
{
	u64 index = 0, pfn;

	while ((pfn = radix_next(&file->pages, &index)) && !filemap_place_has_frame(pfn))
		index++;
	assert_int_not_equal(pfn, 0);
	return pfn_to_page(vm, pfn);
}
/* An entry of the shared area that is in use. */
static u64 *shared_entry(void)
{
	u64 va = shared;

	while (!*at(va).entry)
		va += PAGE_SIZE;
	return at(va).entry;
}
static void swap_entry_of_shared(void **state)
{
	*shared_entry() = swp_make(0, false);
	assert_caught(103, vm);
}
static void guard_without_anon_vma(void **state)
{
	*shared_entry() = PTE_GUARD;
	assert_caught(104, vm);
}
static void unevictable(void **state)
{
	struct page *page = filed();

	lru_list_del(vm, page);
	lru_list_add(vm, page, LRU_LIST_UNEVICTABLE, false);
	assert_caught(113, vm);
}
static void list_member(void **state)
{
	lru_list_del(vm, filed());
	assert_caught(110, vm);
}
static void list_links(void **state)
{
	filed()->lru_prev ^= 1;
	assert_caught(110, vm);
}
static void list_count(void **state)
{
	vm->reclaim.nr[LRU_FILE]--;
	assert_caught(111, vm);
}

static void cpumask(void **state)
{
	mm->cpumask |= 4;
	assert_caught(90, vm);
}
static void generation(void **state)
{
	vm->cpu[0].ctxs[vm->cpu[0].loaded_asid].tlb_gen = mm->tlb_gen + 1;
	assert_caught(91, vm);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define S(test) cmocka_unit_test_setup_teardown(test, setup_swap, teardown)
	const struct CMUnitTest tests[] = {
	    T(total_vm),
	    T(locked_vm),
	    T(locked_hugetlb),
	    T(lock_on_fault_alone),
	    T(file_list),
	    T(file_users),
	    T(table_kind),
	    T(table_used),
	    T(table_frames),
	    T(huge_leaves),
	    T(leaf_outside),
	    T(writable_in_readonly),
	    T(executable),
	    T(kernel_page),
	    T(protection_key),
	    T(zero_page_writable),
	    T(frame_both_free_and_mapped),
	    T(shared_and_writable),
	    T(mapcount),
	    T(refcount),
	    T(exclusive),
	    T(rss),
	    T(mapped_files),
	    T(rmap_elsewhere),
	    T(rmap_chain),
	    T(rmap_chain_of_one),
	    T(mapped_whole),
	    T(mapped_pages),
	    T(partly_unmapped),
	    T(lazily_free),
	    T(held),
	    T(held_reference),
	    T(cache_name),
	    T(free_list),
	    T(free_mobility),
	    T(hugetlb_pool),
	    T(free_buddies),
	    T(free_count),
	    T(kind_count),
	    S(slot_owners),
	    S(slot_stolen),
	    S(swapents),
	    S(cache_page),
	    S(cache_flag),
	    S(cache_of_a_file),
	    S(zero_slot),
	    S(written_page),
	    S(unevictable),
	    S(slot_counts),
	    S(cluster_counts),
	    S(swap_entry_of_shared),
	    S(guard_without_anon_vma),
	    S(list_member),
	    S(list_links),
	    S(list_count),
	    T(cpumask),
	    T(generation),
	};

	return cmocka_run_group_tests_name("vm_check", tests, NULL, NULL);
}
