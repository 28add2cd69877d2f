/* SPDX-License-Identifier: MIT
 *
 * test/mm/frames.c - the allocator, the slabs, the radix tree and rmap against the simplest things that do the same:
 * a byte a frame, an array of pointers, a plain array, a list of pairs. Random operations, seeds printed by name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mm/pgtable.h"
#include "test/mm/flat_hw.h"

#define MIB (1ull << 20)

static struct hw_machine *m;
static struct vm *vm;
static u64 rng = 88172645463325252ull;

static u64 next(u64 n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (rng >> 11) % n;
}

static int setup(void **state)
{
	m = flat_create(&(struct flat_config){.ram_bytes = 64 * MIB, .vm = {.check = 1}});
	vm = flat_vm(m);
	return 0;
}
static int teardown(void **state)
{
	vm_check(vm);
	flat_destroy(m);
	return 0;
}

/* Blocks never overlap, are aligned, and everything comes back as the same few large blocks. */
static void buddy(void **state)
{
	static u8 taken[1 << 14];
	static struct page *block[2000];
	static unsigned order[2000];
	struct vm_meminfo before, after;
	unsigned n = 0;

	memset(taken, 0, sizeof(taken));
	vm_meminfo(vm, &before);
	for (unsigned step = 0; step < 40000; step++) {
		if (n < 2000 && next(100) < 52) {
			order[n] = next(8) ? (unsigned)next(4) : (unsigned)next(12);
			block[n] = alloc_pages(vm, order[n], PAGE_ANON);
			if (!block[n])
				continue;
			u64 pfn = page_to_pfn(vm, block[n]);

			assert_true(pfn != 0 && IS_ALIGNED(pfn, 1ull << order[n]));
			for (u64 i = pfn; i < pfn + (1ull << order[n]); i++)
				assert_int_equal(taken[i]++, 0);
			n++;
		} else if (n) {
			unsigned k = (unsigned)next(n);
			u64 pfn = page_to_pfn(vm, block[k]);

			for (u64 i = pfn; i < pfn + (1ull << order[k]); i++)
				taken[i]--;
			put_page(vm, block[k]);
			block[k] = block[--n];
			order[k] = order[n];
		}
	}
	while (n)
		put_page(vm, block[--n]);
	vm_meminfo(vm, &after);
	assert_memory_equal(&before, &after, sizeof(before));
}

static void slabs(void **state)
{
	static u8 *obj[3000];
	static u8 fill[3000];
	u64 before = vm->kind_frames[PAGE_KERNEL];
	unsigned n = 0;

	for (unsigned step = 0; step < 60000; step++) {
		u64 size = vm->slab[SLAB_VMA].size;

		if (n < 3000 && next(100) < (step / 10000 % 2 ? 45 : 55)) {
			obj[n] = slab_alloc(vm, SLAB_VMA);
			assert_non_null(obj[n]);
			for (u64 i = 0; i < size; i++)
				assert_int_equal(obj[n][i], 0);
			fill[n] = (u8)next(256);
			memset(obj[n], fill[n], size);
			n++;
		} else if (n) {
			unsigned k = (unsigned)next(n);

			for (u64 i = 0; i < size; i++)
				assert_int_equal(obj[k][i], fill[k]);
			slab_free(vm, SLAB_VMA, obj[k]);
			obj[k] = obj[--n];
			fill[k] = fill[n];
		}
		assert_int_equal(vm->slab[SLAB_VMA].objects, n);
	}
	while (n)
		slab_free(vm, SLAB_VMA, obj[--n]);
	assert_true(vm->kind_frames[PAGE_KERNEL] <= before + 1); /* one slab frame is kept */
}

static void radix(void **state)
{
	static u64 index[400], value[400];
	struct radix r = {0};

	for (unsigned i = 0; i < 400; i++) {
		index[i] = i < 200 ? i * 3 : next(1ull << (1 + next(50))) + 1000;
		value[i] = 0;
	}
	for (unsigned step = 0; step < 20000; step++) {
		unsigned k = (unsigned)next(400);
		u64 v = next(2) ? next(1000) + 1 : 0, at, least = ~0ull, found;

		if (next(50) == 0)
			vm_fail_alloc_after(vm, 0);
		if (radix_set(vm, &r, index[k], v) == 0) {
			for (unsigned i = 0; i < 400; i++)
				value[i] = index[i] == index[k] ? v : value[i];
		}
		vm_fail_alloc_after(vm, ~0ull);
		k = (unsigned)next(400);
		assert_int_equal(radix_get(&r, index[k]), value[k]);
		at = index[k] + next(3);
		for (unsigned i = 0; i < 400; i++) {
			if (value[i] && index[i] >= at)
				least = min(least, index[i]);
		}
		found = radix_next(&r, &at);
		assert_int_equal(found != 0, least != ~0ull);
		if (found)
			assert_int_equal(at, least);
	}
	for (unsigned i = 0; i < 400; i++)
		radix_set(vm, &r, index[i], 0);
	assert_int_equal(r.root, 0);
	assert_int_equal(vm->slab[SLAB_NODE].objects, 0);
}

/* ---- rmap ---- */

struct pair {
	u32 mm;
	u64 va;
};
struct seen {
	struct pair pair[64];
	unsigned n;
};

static void note(void *ctx, struct mm_struct *mm, u64 va)
{
	struct seen *seen = ctx;

	assert_true(seen->n < 64);
	seen->pair[seen->n++] = (struct pair){mm->id, va};
}

static bool holds(const struct seen *seen, struct pair p)
{
	unsigned found = 0;

	for (unsigned i = 0; i < seen->n; i++)
		found += seen->pair[i].mm == p.mm && seen->pair[i].va == p.va;
	return found == 1;
}

static void rmap(void **state)
{
	struct mm_struct *mms[4];
	struct page *page = alloc_pages(vm, 0, PAGE_ANON);
	struct seen model = {.n = 0};
	u64 next_va = 0x10000;

	for (unsigned i = 0; i < 4; i++)
		mms[i] = mm_create(vm);
	for (unsigned step = 0; step < 20000; step++) {
		struct seen seen = {.n = 0};
		unsigned k = model.n ? (unsigned)next(model.n) : 0;

		if (model.n < 20 && next(2)) {
			struct mm_struct *mm = mms[next(4)];

			model.pair[model.n++] = (struct pair){mm->id, next_va};
			assert_int_equal(page_add_rmap(mm, page, next_va, 0), 0);
			next_va += PAGE_SIZE;
		} else if (model.n && next(4) == 0) {
			struct mm_struct *mm = (struct mm_struct *)radix_get(&vm->mms, model.pair[k].mm);

			page_move_rmap(mm, page, model.pair[k].va, next_va);
			model.pair[k].va = next_va;
			next_va += PAGE_SIZE;
		} else if (model.n) {
			struct mm_struct *mm = (struct mm_struct *)radix_get(&vm->mms, model.pair[k].mm);

			page_remove_rmap(mm, page, model.pair[k].va, 0);
			model.pair[k] = model.pair[--model.n];
		}
		rmap_walk(vm, page, note, &seen);
		assert_int_equal(seen.n, model.n);
		assert_int_equal(page->_mapcount, model.n);
		for (unsigned i = 0; i < model.n; i++)
			assert_true(holds(&seen, model.pair[i]));
	}
	while (model.n) {
		model.n--;
		page_remove_rmap((struct mm_struct *)radix_get(&vm->mms, model.pair[model.n].mm), page,
				 model.pair[model.n].va, 0);
	}
	assert_int_equal(vm->slab[SLAB_RMAP].objects, 0);
	put_page(vm, page);
	for (unsigned i = 0; i < 4; i++)
		mm_put(mms[i]);
}

/* ---- boot ---- */

static void boot_touches_little(void **state)
{
	struct hw_machine *big = flat_create(&(struct flat_config){.ram_bytes = 8ull << 30});
	struct vm_meminfo info;
	u64 bytes = 0, resident = 0;

	vm_meminfo(flat_vm(big), &info);
	for (unsigned order = 0; order <= 18; order++)
		bytes += info.free_blocks[order] << order << PAGE_SHIFT;
	assert_int_equal(bytes, info.free_frames << PAGE_SHIFT);
	assert_true(bytes > (8ull << 30) - (8ull << 30) / 100); /* the page array takes 0.8 % */
	assert_true(info.free_blocks[18] >= 6);
	for (u64 pfn = 0; pfn < flat_vm(big)->max_pfn; pfn++)
		resident += flat_vm(big)->mem_map[pfn].kind != PAGE_RESERVED;
	assert_true(resident < 100);
	flat_destroy(big);
}

static void too_small(void **state)
{
	struct hw_machine *tiny = flat_create(&(struct flat_config){.ram_bytes = 2 * MIB});

	assert_null(flat_vm(tiny));
	flat_destroy(tiny);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(buddy), T(slabs), T(radix), T(rmap), cmocka_unit_test(boot_touches_little), cmocka_unit_test(too_small),
	};

	return cmocka_run_group_tests_name("frames", tests, NULL, NULL);
}
