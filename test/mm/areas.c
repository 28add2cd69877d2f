/* SPDX-License-Identifier: MIT
 *
 * test/mm/areas.c - the rules of areas, as pictures: a letter a page, the next letter an area later, '.' a hole.
 *
 * Expected pictures follow Linux's manual pages and the rules at the head of mm/vma.c; test/mm/areas_host.c compares
 * the same calls with Linux itself.
 */
#include "test/mm/areas_env.h"
#include "mm/vma.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define BASE   0x100000000000ull
#define P(n)   (BASE + (n)*PAGE_SIZE)
#define LEN(n) ((n)*PAGE_SIZE)
#define RW     (PROT_READ | PROT_WRITE)
#define ANON   (MAP_PRIVATE | MAP_ANONYMOUS)

enum { DONTNEED = 4, DONTFORK = 10, HUGEPAGE = 14, WIPEONFORK = 18, POPULATE_WRITE = 23 };

static struct mm_struct *mm;

static int setup(void **state)
{
	mm = env_mm();
	return 0;
}

static int teardown(void **state)
{
	env_fail_after(-1);
	env_set_max_map_count(0);
	mm_put(mm);
	assert_int_equal(env_live_areas(), 0);
	env_end();
	return 0;
}

/* ---- pictures ---- */

static void draw(struct mm_struct *of, char *out, unsigned pages)
{
	struct vm_area_info info;
	char letter = 'A';

	memset(out, '.', pages);
	out[pages] = 0;
	for (u64 va = BASE; vm_area_next(of, va, &info) && info.start < P(pages); va = info.end, letter++)
		for (u64 at = info.start; at < min(info.end, P(pages)); at += PAGE_SIZE)
			out[(at - BASE) >> PAGE_SHIFT] = letter;
}

static void areas(struct mm_struct *of, const char *picture)
{
	char drawn[80];

	draw(of, drawn, strlen(picture));
	assert_string_equal(drawn, picture);
	assert_true(vma_tree_valid(of));
}

static void map(u64 page, u64 pages, unsigned prot)
{
	assert_int_equal(vm_mmap(env_cpu(), mm, P(page), LEN(pages), prot, ANON | MAP_FIXED, NULL, 0), P(page));
}

static void map_file(u64 page, u64 pages, struct address_space *file, u64 pgoff)
{
	assert_int_equal(vm_mmap(env_cpu(), mm, P(page), LEN(pages), PROT_READ, MAP_PRIVATE | MAP_FIXED, file, pgoff),
			 P(page));
}

static long unmap(u64 page, u64 pages)
{
	return vm_munmap(env_cpu(), mm, P(page), LEN(pages));
}

static long protect(u64 page, u64 pages, unsigned prot)
{
	return vm_mprotect(env_cpu(), mm, P(page), LEN(pages), prot);
}

static long advise(u64 page, u64 pages, int advice)
{
	return vm_madvise(env_cpu(), mm, P(page), LEN(pages), advice);
}

static long remap(u64 page, u64 pages, u64 new_pages, unsigned flags, u64 new_page)
{
	return vm_mremap(env_cpu(), mm, P(page), LEN(pages), LEN(new_pages), flags, P(new_page));
}

/* ---- merging ---- */

static void test_merge_new(void **state)
{
	map(0, 2, RW);
	map(4, 2, RW);
	areas(mm, "AA..BB");
	map(2, 2, RW); /* case 1 */
	areas(mm, "AAAAAA");
	map(6, 1, RW); /* 2 */
	areas(mm, "AAAAAAA.");
	assert_int_equal(unmap(0, 1), 0);
	map(0, 1, RW); /* 3 */
	areas(mm, "AAAAAAA.");
	map(7, 1, PROT_READ);
	areas(mm, "AAAAAAAB");
}

static void test_merge_existing(void **state)
{
	map(0, 6, RW);
	assert_int_equal(protect(2, 2, PROT_READ), 0);
	areas(mm, "AABBCC");
	assert_int_equal(protect(2, 1, RW), 0); /* case 6: the head of B */
	areas(mm, "AAABCC");
	assert_int_equal(protect(3, 1, RW), 0); /* 4: both */
	areas(mm, "AAAAAA");
	assert_int_equal(protect(0, 4, PROT_READ), 0);
	areas(mm, "AAAABB");
	assert_int_equal(protect(3, 1, RW), 0); /* 8: the tail of A */
	areas(mm, "AAABBB");
	assert_int_equal(protect(0, 3, RW), 0); /* 7: next, whole */
	areas(mm, "AAAAAA");
	assert_int_equal(protect(4, 2, PROT_READ), 0);
	assert_int_equal(protect(4, 2, RW), 0); /* 5: prev, whole */
	areas(mm, "AAAAAA");
}

static void test_merge_file(void **state)
{
	struct address_space *file = env_file(1 << 20), *other = env_file(1 << 20);

	map_file(0, 2, file, 10);
	map_file(2, 2, file, 12);
	areas(mm, "AAAA");
	map_file(4, 2, file, 13); /* does not go on in the file */
	areas(mm, "AAAABB");
	map_file(6, 2, other, 15);
	areas(mm, "AAAABBCC");
	assert_int_equal(unmap(1, 2), 0);
	areas(mm, "A..BCCDD");
	assert_int_equal(vma_lookup(mm, P(3))->vm_pgoff, 13);
	assert_int_equal(unmap(0, 8), 0);
	vm_file_put(file);
	vm_file_put(other);
}

/* Pages of two origins stay in two areas; pages of one area stay mergeable after it was cut. */
static void test_merge_anon_vma(void **state)
{
	map(0, 2, RW);
	env_write(mm, P(0), 1);
	map(3, 2, RW);
	env_write(mm, P(3), 1);
	map(2, 1, RW); /* fits both, and they not each other */
	areas(mm, "AAABB");
	assert_int_equal(unmap(0, 5), 0);

	map(0, 4, RW);
	env_write(mm, P(0), 1);
	assert_int_equal(protect(2, 2, PROT_READ), 0);
	assert_int_equal(protect(2, 2, RW), 0);
	areas(mm, "AAAA");
	assert_int_equal(advise(1, 1, DONTFORK), 0);
	areas(mm, "ABCC");
}

static void test_merge_moved(void **state)
{
	map(0, 2, RW);
	map(8, 2, RW);
	assert_int_equal(remap(8, 2, 2, MREMAP_MAYMOVE | MREMAP_FIXED, 2), P(2));
	areas(mm, "AAAA......"); /* untouched: takes the offset of its new place */
	map(8, 2, RW);
	env_write(mm, P(8), 1);
	assert_int_equal(remap(8, 2, 2, MREMAP_MAYMOVE | MREMAP_FIXED, 4), P(4));
	areas(mm, "AAAABB....");
}

/* ---- each call ---- */

static void test_munmap(void **state)
{
	map(0, 8, RW);
	assert_int_equal(unmap(3, 2), 0);
	areas(mm, "AAA..BBB");
	assert_int_equal(unmap(2, 4), 0);
	areas(mm, "AA....BB");
	assert_int_equal(unmap(2, 4), 0); /* nothing there: no error */
	assert_int_equal(vm_munmap(env_cpu(), mm, P(0) + 1, LEN(1)), -EINVAL);
	assert_int_equal(unmap(0, 0), -EINVAL);
	assert_int_equal(vm_munmap(env_cpu(), mm, P(0), TASK_SIZE), -EINVAL);
	assert_int_equal(mm->total_vm, 4);
	map(1, 6, PROT_READ);
	areas(mm, "ABBBBBBC");
}

static void test_mprotect_hole(void **state)
{
	map(0, 2, RW);
	map(3, 2, RW);
	assert_int_equal(protect(1, 4, PROT_READ), -ENOMEM);
	areas(mm, "AB.CC"); /* what came before the hole is done */
	assert_int_equal(protect(2, 1, PROT_READ), -ENOMEM);
	assert_int_equal(protect(0, 1, 0x40), -EINVAL);
	assert_int_equal(protect(0, 0, PROT_READ), 0);
	vma_lookup(mm, P(3))->vm_flags &= ~VM_MAYWRITE;
	assert_int_equal(protect(3, 1, PROT_READ), 0);
	assert_int_equal(protect(3, 1, RW), -EACCES);
}

static void test_madvise(void **state)
{
	map(0, 2, RW);
	map(3, 3, RW);
	assert_int_equal(advise(1, 3, HUGEPAGE), -ENOMEM); /* the mapped parts are advised all the same */
	areas(mm, "AB.CDD");
	assert_true(vma_lookup(mm, P(3))->vm_flags & VM_HUGEPAGE);
	assert_int_equal(advise(0, 2, DONTNEED), 0);
	assert_int_equal(advise(0, 3, POPULATE_WRITE), -ENOMEM);
	assert_int_equal(protect(0, 1, PROT_READ), 0);
	assert_int_equal(advise(0, 1, POPULATE_WRITE), -EINVAL);
	assert_int_equal(advise(0, 1, 77), -EINVAL);
	assert_int_equal(vm_madvise(env_cpu(), mm, P(0) + 8, LEN(1), DONTNEED), -EINVAL);
	assert_int_equal(vm_madvise(env_cpu(), mm, P(0), -1, DONTNEED), -EINVAL);
}

static void test_mremap(void **state)
{
	map(0, 3, RW);
	map(5, 1, PROT_READ);
	assert_int_equal(remap(0, 3, 5, 0, 0), P(0));
	areas(mm, "AAAAAB");
	assert_int_equal(remap(0, 5, 6, 0, 0), -ENOMEM);
	assert_int_equal(remap(0, 5, 2, 0, 0), P(0));
	areas(mm, "AA...B");
	assert_int_equal(remap(0, 2, 2, MREMAP_MAYMOVE | MREMAP_DONTUNMAP | MREMAP_FIXED, 8), P(8));
	areas(mm, "AA...B..CC");
	assert_int_equal(remap(0, 0, 2, MREMAP_MAYMOVE, 0), -EINVAL);
	assert_int_equal(remap(3, 1, 2, MREMAP_MAYMOVE, 0), -EFAULT);
	assert_int_equal(remap(0, 3, 4, MREMAP_MAYMOVE, 0), -EFAULT);
	assert_int_equal(remap(0, 2, 2, MREMAP_MAYMOVE | MREMAP_FIXED, 1), -EINVAL);
	assert_int_equal(mm->total_vm, 5);
}

static void test_mmap_errors(void **state)
{
	struct address_space *file = env_file(4096);
#define MMAP(addr, len, flags, file, pgoff) vm_mmap(env_cpu(), mm, addr, len, RW, flags, file, pgoff)
	assert_int_equal(MMAP(0, 0, ANON, NULL, 0), -EINVAL);
	assert_int_equal(MMAP(0, -1, ANON, NULL, 0), -ENOMEM);
	assert_int_equal(MMAP(0, TASK_SIZE, ANON, NULL, 0), -ENOMEM);
	assert_int_equal(MMAP(0, 4096, MAP_ANONYMOUS, NULL, 0), -EINVAL);
	assert_int_equal(MMAP(P(0) + 5, 4096, ANON | MAP_FIXED, NULL, 0), -EINVAL);
	assert_int_equal(MMAP(TASK_SIZE, 4096, ANON | MAP_FIXED, NULL, 0), -ENOMEM);
	assert_int_equal(MMAP(0, 4096, ANON | MAP_FIXED, NULL, 0), -EPERM);
	assert_int_equal(MMAP(0, 8192, MAP_PRIVATE, file, ~0ull), -EOVERFLOW);
	assert_int_equal(MMAP(0, 8192, MAP_PRIVATE, file, 1ull << 51), -EOVERFLOW);
	assert_int_equal(MMAP(0, 4096, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, NULL, 0), -EINVAL);
	map(0, 2, RW);
	assert_int_equal(MMAP(P(1), 4096, ANON | MAP_FIXED_NOREPLACE, NULL, 0), -EEXIST);
	assert_int_equal(MMAP(P(2), 4096, ANON | MAP_FIXED_NOREPLACE, NULL, 0), P(2));
	vm_file_put(file);
}

static void test_hugetlb(void **state)
{
	long at = MMAP(0, 3 << 20, ANON | MAP_HUGETLB, NULL, 0);

	assert_true(at > 0 && IS_ALIGNED(at, PMD_SIZE));
	assert_int_equal(mm->total_vm, 1024);
	assert_int_equal(vm_munmap(env_cpu(), mm, at, 4096), -EINVAL);
	assert_int_equal(vm_mprotect(env_cpu(), mm, at, 4096, PROT_READ), -EINVAL);
	assert_int_equal(vm_mremap(env_cpu(), mm, at, 4 << 20, 8 << 20, MREMAP_MAYMOVE, 0), -EINVAL);
	assert_int_equal(vm_munmap(env_cpu(), mm, at, 2 << 20), 0);
	assert_int_equal(MMAP(BASE + 4096, 2 << 20, ANON | MAP_HUGETLB | MAP_FIXED, NULL, 0), -EINVAL);
	assert_int_equal(MMAP(0, 2 << 20, ANON | MAP_HUGETLB | 30u << 26, NULL, 0), -EINVAL);
}

/* facts: "4 MiB aligned, 4 MiB + 4K not". */
static void test_thp_alignment(void **state)
{
	long at = MMAP(0, 4096, ANON, NULL, 0);

	assert_int_equal(at, mm->mmap_base - 4096);
	at = MMAP(0, 4 << 20, ANON, NULL, 0);
	assert_true(IS_ALIGNED(at, PMD_SIZE));
	at = MMAP(0, (4 << 20) + 4096, ANON, NULL, 0);
	assert_false(IS_ALIGNED(at, PMD_SIZE));
}

static void test_brk(void **state)
{
	map(0, 2, RW); /* the program's data: the heap begins beside it and is an area of its own */
	vm_set_brk(mm, P(2));
	assert_int_equal(vm_brk(env_cpu(), mm, 0), P(2));
	assert_int_equal(vm_brk(env_cpu(), mm, P(3) + 1), P(3) + 1);
	areas(mm, "AABB..");
	assert_int_equal(vm_brk(env_cpu(), mm, P(3) + 100), P(3) + 100);
	assert_int_equal(vm_brk(env_cpu(), mm, P(5)), P(5));
	areas(mm, "AABBB.");
	map(7, 1, RW);
	assert_int_equal(vm_brk(env_cpu(), mm, P(7)), P(5)); /* a page must stay free */
	assert_int_equal(vm_brk(env_cpu(), mm, P(6)), P(6));
	assert_int_equal(vm_brk(env_cpu(), mm, P(1)), P(6));
	assert_int_equal(vm_brk(env_cpu(), mm, P(2)), P(2));
	areas(mm, "AA.....B");
}

static void test_stack(void **state)
{
	u64 top = BASE + (64 << 20), start;
	struct vm_area_struct *vma;
	struct vm_area_info info;

	assert_int_equal(vm_stack(env_cpu(), mm, top, LEN(33), 8 << 20), 0);
	vma = vma_lookup(mm, top - 1);
	assert_true(vm_area_next(mm, top - 1, &info) && info.stack && info.growsdown && !info.heap);
	start = vma->vm_start;
	assert_int_equal(expand_stack(vma, start - 5), 0);
	assert_int_equal(vma->vm_start, start - 4096);
	assert_int_equal(expand_stack(vma, top - (8 << 20) - 1), -ENOMEM); /* the limit */
	assert_int_equal(expand_stack(vma, top - (8 << 20)), 0);
	assert_int_equal(mm->total_vm, 2048);
	map(0, 1, RW);
	assert_int_equal(expand_stack(vma_lookup(mm, P(0)), P(0) - 1), -EFAULT);

	/* A hint heeds the guard gap of 256 pages, MAP_FIXED does not; then the stack cannot grow into it. */
	start = vma->vm_start;
	assert_int_not_equal(MMAP(start - LEN(256), 4096, ANON, NULL, 0), start - LEN(256));
	assert_int_equal(MMAP(start - LEN(257), 4096, ANON, NULL, 0), start - LEN(257));
	vm_set_rlimit(mm, VM_RLIMIT_STACK, 16 << 20);
	assert_int_equal(expand_stack(vma, start - 1), -ENOMEM);
	assert_int_equal(vm_mprotect(env_cpu(), mm, start - LEN(257), 4096, 0), 0);
	assert_int_equal(expand_stack(vma, start - 1), 0); /* what cannot be touched may be near */
}

static void test_fork(void **state)
{
	struct mm_struct *child;

	map(0, 6, RW);
	env_write(mm, P(0), 1);
	assert_int_equal(advise(2, 1, DONTFORK), 0);
	assert_int_equal(advise(4, 1, WIPEONFORK), 0);
	areas(mm, "AABCDE");
	child = env_fork(mm);
	areas(child, "AA.BCD");
	assert_true(vma_lookup(child, P(0))->anon_vma && vma_lookup(child, P(0))->forked);
	assert_false(vma_lookup(child, P(4))->anon_vma);
	assert_false(vma_lookup(mm, P(0))->forked);
	assert_int_equal(vm_mmap(env_cpu(), child, P(2), LEN(1), RW, ANON | MAP_FIXED, NULL, 0), P(2));
	areas(child, "AABCDE"); /* a forked area takes in nothing new */
	mm_put(child);
}

/* A cut through a huge leaf splits it first, and what lies outside the range stays mapped. */
static void test_huge_leaf_is_cut(void **state)
{
	for (unsigned call = 0; call < 5; call++) {
		u64 entry, at = P(0) + PMD_SIZE, mid = at + LEN(100);
		long err;

		assert_int_equal(MMAP(P(0), 3 * PMD_SIZE, ANON | MAP_FIXED, NULL, 0), P(0));
		assert_int_equal(vm_madvise(env_cpu(), mm, P(0), 3 * PMD_SIZE, HUGEPAGE), 0);
		env_write(mm, mid, 1);
		assert_int_equal(vm_lookup(mm, mid, &entry), X86_PD);
		err = call == 0   ? vm_munmap(env_cpu(), mm, mid, LEN(3))
		      : call == 1 ? vm_mprotect(env_cpu(), mm, mid, LEN(3), PROT_READ)
		      : call == 2 ? vm_madvise(env_cpu(), mm, mid, LEN(3), DONTNEED)
		      : call == 3 ? vm_mremap(env_cpu(), mm, mid, LEN(3), LEN(3), MREMAP_MAYMOVE | MREMAP_FIXED,
					      at + 4 * PMD_SIZE) -
					(long)(at + 4 * PMD_SIZE)
				  : MMAP(mid, LEN(3), ANON | MAP_FIXED, NULL, 0) - (long)mid;
		assert_int_equal(err, 0);
		assert_int_equal(vm_lookup(mm, mid - 1, &entry), X86_PT);
		assert_int_equal(vm_lookup(mm, mid + LEN(3), &entry), X86_PT);
		assert_int_equal(vm_lookup(mm, mid, &entry), call == 1 ? X86_PT : 0);
		assert_int_equal(mm->rss[MM_ANONPAGES], call == 1 || call == 3 ? 512 : 509);
		assert_int_equal(vm_munmap(env_cpu(), mm, P(0), 8 * PMD_SIZE), 0);
		assert_int_equal(mm->rss[MM_ANONPAGES], 0);
	}
}

/* ---- limits ---- */

static void test_max_map_count(void **state)
{
	map(0, 5, RW);
	map(6, 1, RW);
	env_set_max_map_count(2);
	assert_int_equal(unmap(2, 1), -ENOMEM);
	assert_int_equal(protect(1, 1, PROT_READ), -ENOMEM);
	assert_int_equal(protect(1, 4, PROT_READ), -ENOMEM);
	assert_int_equal(advise(1, 1, HUGEPAGE), -EAGAIN);
	assert_int_equal(remap(0, 1, 1, MREMAP_MAYMOVE | MREMAP_FIXED, 9), -ENOMEM);
	areas(mm, "AAAAA.B");
	assert_int_equal(unmap(0, 1), 0);
	env_set_max_map_count(3);
	assert_int_equal(protect(1, 1, PROT_READ), 0);
	areas(mm, ".ABBB.C");
}

/* Each call with the N-th allocation failing, N = 0, 1, .. until it succeeds: a failure changes nothing. */
static void test_no_memory(void **state)
{
	for (unsigned call = 0; call < 6; call++) {
		long err = -ENOMEM;
		unsigned n;

		for (n = 0; err == -ENOMEM || err == -EAGAIN; n++) {
			assert_int_equal(unmap(0, 20), 0);
			env_fail_after(-1);
			map(0, 8, RW);
			env_fail_after(n);
			err = call == 0   ? unmap(3, 2)
			      : call == 1 ? protect(3, 2, PROT_READ)
			      : call == 2 ? advise(3, 2, HUGEPAGE)
			      : call == 3 ? remap(3, 2, 2, MREMAP_MAYMOVE | MREMAP_FIXED, 12)
			      : call == 4 ? vm_mmap(env_cpu(), mm, P(3), LEN(2), 1, ANON | MAP_FIXED, NULL, 0)
					  : vm_mmap(env_cpu(), mm, P(9), LEN(2), 1, MAP_SHARED | 0x30, NULL, 0);
			if (err == -ENOMEM || err == -EAGAIN)
				areas(mm, "AAAAAAAA............");
		}
		assert_true(err >= 0);
		assert_true(n >= 2 && n <= 4); /* it did fail at first */
	}
}

/* A move that fails for want of a table, at the first page or halfway, leaves everything where it was. */
static void test_no_memory_for_move(void **state)
{
	u64 from = P(0) + PMD_SIZE - LEN(2), to = from + PUD_SIZE, entry;
	long err = -ENOMEM;
	unsigned n;

	assert_int_equal(MMAP(from, LEN(4), ANON | MAP_FIXED, NULL, 0), from);
	for (u64 i = 0; i < 4; i++)
		env_write(mm, from + LEN(i), 10 + i);
	for (n = 0; err == -ENOMEM; n++) {
		env_fail_after(n);
		err = vm_mremap(env_cpu(), mm, from, LEN(4), LEN(4), MREMAP_MAYMOVE | MREMAP_FIXED, to);
		env_fail_after(-1);
		for (u64 i = 0; i < 4; i++)
			assert_int_equal(env_read(mm, (err < 0 ? from : to) + LEN(i)), 10 + i);
		assert_int_equal(vm_lookup(mm, err < 0 ? to : from, &entry), 0);
		assert_null(vma_lookup(mm, err < 0 ? to : from));
		assert_int_equal(mm->total_vm, 4);
	}
	assert_int_equal(err, to);
	assert_int_equal(n, 5); /* failed: room for areas, a PD, two PTs */
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_merge_new),
	    T(test_merge_existing),
	    T(test_merge_file),
	    T(test_merge_anon_vma),
	    T(test_merge_moved),
	    T(test_munmap),
	    T(test_mprotect_hole),
	    T(test_madvise),
	    T(test_mremap),
	    T(test_mmap_errors),
	    T(test_hugetlb),
	    T(test_thp_alignment),
	    T(test_brk),
	    T(test_stack),
	    T(test_fork),
	    T(test_max_map_count),
	    T(test_no_memory),
	    T(test_huge_leaf_is_cut),
	    T(test_no_memory_for_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
