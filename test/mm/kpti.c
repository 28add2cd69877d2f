/* SPDX-License-Identifier: MIT
 *
 * test/mm/kpti.c - page-table isolation: what a user root shows, found by walking RAM; what is written to CR3 on entry
 * and exit; and that paired PCIDs with late flushes do what a machine does that has no PCIDs and flushes every time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "mm/internal.h"
#include "test/mm/caught.h"

#define MIB       (1ull << 20)
#define RW        (PROT_READ | PROT_WRITE)
#define ANON      (MAP_PRIVATE | MAP_ANONYMOUS)
#define PAGES(n)  ((n)*PAGE_SIZE)
#define WITH_PCID (HW_NX | HW_PGE | HW_PCID | HW_GBPAGES)
#define INVPCID   (WITH_PCID | HW_INVPCID)
#define NO_PCID   (HW_NX | HW_PGE | HW_GBPAGES)

static struct hw_machine *m;
static struct vm *vm;
static struct hw_cpu *cpu;
static struct mm_struct *mm;

static struct hw_machine *machine(unsigned features, bool kpti, u8 check)
{
	return flat_create(&(struct flat_config){
	    .ram_bytes = 64 * MIB,
	    .features = features,
	    .vm = {.thp = VM_THP_MADVISE, .pcid = features & HW_PCID, .kpti = kpti, .check = check}});
}

static int boot(unsigned features)
{
	m = machine(features, true, 3);
	vm = flat_vm(m);
	cpu = flat_cpu(m, 0);
	mm = mm_create(vm);
	flat_run(cpu, mm);
	return 0;
}
static int setup(void **state)
{
	return boot(INVPCID);
}
static int setup_no_invpcid(void **state)
{
	return boot(WITH_PCID);
}
static int setup_no_pcid(void **state)
{
	return boot(NO_PCID);
}
static int teardown(void **state)
{
	flat_panic_jmp = NULL;
	flat_destroy(m);
	return 0;
}

static u64 map_touched(u64 pages)
{
	u64 a = (u64)vm_mmap(cpu, mm, 0, PAGES(pages), RW, ANON, NULL, 0);

	assert_int_equal(flat_touch(cpu, a, PAGES(pages), 'w'), 0);
	return a;
}

static u64 *table(u64 entry)
{
	return phys_to_virt(vm, entry & X86_PHYS_MASK);
}

/* ---- what a user root shows ---- */

struct leaf {
	u64 va, entry, path; /* path: AND of the entries above, OR of their NX */
};

/* The leaves below a table, in order of address. */
static unsigned collect(u64 *t, unsigned level, u64 va, u64 path, struct leaf *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PTRS_PER_TABLE; i++) {
		u64 at = va + i * x86_level_size(level);

		if (!(t[i] & X86_PTE_P))
			continue;
		if (level == 1 || t[i] & X86_PTE_PS)
			out[n++] = (struct leaf){at, t[i], path};
		else
			n += collect(table(t[i]), level - 1, at, path & t[i], out + n);
	}
	return n;
}

static struct leaf user_leaf[4096], kernel_leaf[4096];

static void a_user_root_shows_the_user_and_the_trampoline(void **state)
{
	u64 a = map_touched(600), huge = (u64)vm_mmap(cpu, mm, 0, 4 * MIB, RW, ANON, NULL, 0);
	u64 root = mm->pgd_pfn << PAGE_SHIFT, tail = 0;
	unsigned users, kernels, kernel_half;

	vm_madvise(cpu, mm, huge, 4 * MIB, 14);
	flat_touch(cpu, huge, 4 * MIB, 'w');
	flat_touch(cpu, (u64)vm_mmap(cpu, mm, 0x10000000, PAGES(3), RW, ANON | MAP_FIXED, NULL, 0), PAGES(3), 'w');
	assert_int_equal(root % (2 * PAGE_SIZE), 0);
	kernels = collect(table(root), 4, 0, ~0ull, kernel_leaf);
	users = collect(table(root + PAGE_SIZE), 4, 0, ~0ull, user_leaf);
	kernel_half = 0;
	while (kernels && kernel_leaf[kernels - 1].va >> 47) {
		kernels--;
		kernel_half++;
	}
	assert_true(kernel_half >= 4);
	assert_int_equal(users, kernels + 1);
	assert_int_equal(kernels, 600 + 2 + 3);
	for (unsigned i = 0; i < kernels; i++) {
		assert_int_equal(user_leaf[i].va, kernel_leaf[i].va);
		assert_int_equal(user_leaf[i].entry, kernel_leaf[i].entry);
		assert_true(user_leaf[i].entry & user_leaf[i].path & X86_PTE_US);
	}
	tail = user_leaf[users - 1].entry;
	assert_int_equal(user_leaf[users - 1].va, VM_KERNEL_ENTRY & ((1ull << 48) - 1));
	assert_false(tail & (X86_PTE_US | X86_PTE_RW | X86_PTE_PS));
	assert_true(tail & X86_PTE_G);
	for (unsigned i = 0; i < 256; i++) {
		u64 kernel = table(root)[i], user = table(root + PAGE_SIZE)[i];

		assert_int_equal(!!(kernel & X86_PTE_P), !!(user & X86_PTE_P));
		assert_int_equal(!!(kernel & X86_PTE_NX), !!(kernel & X86_PTE_P));
		assert_false(user & X86_PTE_NX);
	}
	vm_munmap(cpu, mm, a, PAGES(600));
	vm_munmap(cpu, mm, huge, 4 * MIB);
	vm_munmap(cpu, mm, 0x10000000, PAGES(3));
	assert_int_equal(collect(table(root + PAGE_SIZE), 4, 0, ~0ull, user_leaf), 1);
}

/* Without KPTI one root, all of the kernel in it and global. */
static void without_it_the_kernel_is_global(void **state)
{
	struct hw_machine *plain = machine(INVPCID, false, 3);
	struct mm_struct *other;
	unsigned n;

	vm = flat_vm(plain);
	other = mm_create(vm);
	n = collect(table(other->pgd_pfn << PAGE_SHIFT), 4, 0, ~0ull, kernel_leaf);
	assert_true(n >= 4);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(kernel_leaf[i].entry & (X86_PTE_G | X86_PTE_US), X86_PTE_G);
	assert_false(vm_enter_kernel(flat_cpu(plain, 0)));
	assert_int_equal(flat_events(plain)->cr3_writes, 0);
	flat_destroy(plain);
}

/* ---- what vm_check finds ---- */

static void check_finds_what_is_shown_too_much(void **state)
{
	u64 *root = table(mm->pgd_pfn << PAGE_SHIFT), *user = root + PTRS_PER_TABLE, *at, kept;
	u64 a = map_touched(1);
	static const u64 of_the_kernel[] = {VM_KERNEL_TEXT, VM_KERNEL_DIRECT, VM_KERNEL_STACK};

	for (unsigned i = 0; i < ARRAY_SIZE(of_the_kernel); i++) {
		unsigned slot = x86_index(of_the_kernel[i], 4);

		user[slot] = root[slot];
		assert_caught(24, vm);
		user[slot] = 0;
	}
	kept = user[x86_index(VM_KERNEL_ENTRY, 4)];
	user[x86_index(VM_KERNEL_ENTRY, 4)] = 0; /* too little: no way in */
	assert_caught(24, vm);
	user[x86_index(VM_KERNEL_ENTRY, 4)] = kept;
	at = table(table(table(kept)[0])[0]); /* a neighbour of the trampoline */
	at[1] = at[0];
	assert_caught(24, vm);
	at[1] = 0;
	at[0] |= X86_PTE_US;
	assert_caught(24, vm);
	at[0] &= ~X86_PTE_US;
	root[x86_index(a, 4)] &= ~X86_PTE_NX;
	assert_caught(24, vm);
	root[x86_index(a, 4)] |= X86_PTE_NX;
	kept = user[x86_index(a, 4)];
	user[x86_index(a, 4)] = 0;
	assert_caught(24, vm);
	user[x86_index(a, 4)] = kept;
	root[400] = kept;
	assert_caught(23, vm);
	root[400] = 0;
	at = table(table(root[x86_index(VM_KERNEL_TEXT, 4)])[x86_index(VM_KERNEL_TEXT, 3)]);
	at[x86_index(VM_KERNEL_TEXT, 2)] |= X86_PTE_G;
	assert_caught(25, vm);
	at[x86_index(VM_KERNEL_TEXT, 2)] &= ~X86_PTE_G;
	assert_true(vm_check(vm));
}

/* ---- CR3 ---- */

static void exit_and_enter(u64 *on_exit, u64 *on_entry)
{
	vm_exit_to_user(cpu);
	*on_exit = flat_events(m)->last_cr3;
	assert_true(vm_enter_kernel(cpu));
	*on_entry = flat_events(m)->last_cr3;
	assert_false(vm_enter_kernel(cpu)); /* nested: nothing happens */
	assert_int_equal(flat_events(m)->last_cr3, *on_entry);
}

static void cr3_with_pcids(void **state)
{
	struct mm_struct *other = mm_create(vm);
	u64 out, in, root = mm->pgd_pfn << PAGE_SHIFT;

	exit_and_enter(&out, &in);
	assert_int_equal(out, (root + PAGE_SIZE) | 1 | 2048); /* the first exit: its user PCID was never flushed */
	assert_int_equal(in, root | 1 | X86_CR3_NOFLUSH);
	exit_and_enter(&out, &in);
	assert_int_equal(out, (root + PAGE_SIZE) | 1 | 2048 | X86_CR3_NOFLUSH);
	flat_run(cpu, other);
	exit_and_enter(&out, &in);
	assert_int_equal(out, ((other->pgd_pfn << PAGE_SHIFT) + PAGE_SIZE) | 2 | 2048);
	assert_int_equal(in, other->pgd_pfn << PAGE_SHIFT | 2 | X86_CR3_NOFLUSH);
	flat_run(cpu, mm);
	exit_and_enter(&out, &in);
	assert_int_equal(out, (root + PAGE_SIZE) | 1 | 2048 | X86_CR3_NOFLUSH); /* both PCIDs were kept */
}

static void cr3_without_pcids(void **state)
{
	u64 out, in, root = mm->pgd_pfn << PAGE_SHIFT;

	for (unsigned i = 0; i < 2; i++) {
		exit_and_enter(&out, &in);
		assert_int_equal(out, root + PAGE_SIZE);
		assert_int_equal(in, root);
	}
}

/* One page: INVLPG for the kernel's PCID, INVPCID for the user's, no flush on the way out. */
static void a_page_leaves_both_pcids(void **state)
{
	u64 a = map_touched(40), out, in;

	exit_and_enter(&out, &in);
	flat_reset_events(m);
	vm_mprotect(cpu, mm, a, PAGES(3), PROT_READ);
	assert_int_equal(flat_events(m)->invlpgs, 3);
	assert_int_equal(flat_events(m)->invpcids, 3);
	exit_and_enter(&out, &in);
	assert_true(out & X86_CR3_NOFLUSH);
	vm_mprotect(cpu, mm, a, PAGES(40), PROT_READ); /* more than 33: all of it, the user's on the way out */
	assert_int_equal(flat_events(m)->invpcids, 4);
	exit_and_enter(&out, &in);
	assert_false(out & X86_CR3_NOFLUSH);
	exit_and_enter(&out, &in);
	assert_true(out & X86_CR3_NOFLUSH);
}

static void without_invpcid_the_user_pcid_goes_on_the_way_out(void **state)
{
	u64 a = map_touched(3), out, in;

	exit_and_enter(&out, &in);
	vm_mprotect(cpu, mm, a, PAGES(1), PROT_READ);
	exit_and_enter(&out, &in);
	assert_false(out & X86_CR3_NOFLUSH);
}

/* Two empty tables go, from an address inside the first: a stride of 2M from there steps over the second. */
static void freed_tables_leave_the_user_pcid(void **state)
{
	u64 a = 0x40000000 + PAGES(100), len = PAGES(512), out, in;

	vm_mmap(cpu, mm, a, len, RW, ANON | MAP_FIXED, NULL, 0);
	flat_touch(cpu, a, len, 'w');
	vm_madvise(cpu, mm, a, len, 4);
	exit_and_enter(&out, &in);
	vm_exit_to_user(cpu);
	flat_speculate(cpu, a);
	flat_speculate(cpu, a + len - 1);
	vm_enter_kernel(cpu);
	vm_munmap(cpu, mm, a, len);
	vm_exit_to_user(cpu);
	assert_true(flat_caches_sound(m));
	vm_enter_kernel(cpu);
}

/* The flush that is only marked is a real one: without it user code runs on what it must not use. */
static void a_lost_late_flush_shows(void **state)
{
	u64 a = map_touched(1);
	jmp_buf jmp;

	vm_mprotect(cpu, mm, a, PAGES(1), PROT_READ);
	vm->cpu[0].user_pcid_flush_mask = 0;
	flat_panic_jmp = &jmp;
	if (setjmp(jmp) == 0) {
		flat_touch(cpu, a, 1, 'w');
		fail_msg("nobody saw the stale entry");
	}
	assert_non_null(strstr(flat_panic_text, "stale"));
}

/* ---- against a machine that always flushes ---- */

#define NR_MMS 9
#define NR_CPU 3
#define SPAN   PAGES(1024)
#define BASE   0x40000000ull
#define STEPS  6000

struct side {
	struct hw_machine *m;
	struct mm_struct *mm[NR_MMS];
	unsigned at[NR_CPU]; /* which each CPU runs */
};

static void side_boot(struct side *s, unsigned features, bool kpti)
{
	s->m = machine(features, kpti, 2);
	for (unsigned i = 0; i < NR_MMS; i++) {
		s->mm[i] = mm_create(flat_vm(s->m));
		flat_run(flat_cpu(s->m, 0), s->mm[i]);
		vm_mmap(flat_cpu(s->m, 0), s->mm[i], BASE, SPAN, RW, ANON | MAP_FIXED, NULL, 0);
	}
	for (unsigned i = 0; i < NR_CPU; i++) {
		s->at[i] = i;
		flat_run(flat_cpu(s->m, i), s->mm[i]);
	}
}

static u64 rnd;
static u64 next(u64 n)
{
	rnd ^= rnd << 13;
	rnd ^= rnd >> 7;
	rnd ^= rnd << 17;
	return rnd % n;
}

/* One random step on one side; the same numbers make the same step. Returns what can be seen of it. */
static u64 step(struct side *s, const u64 r[6])
{
	unsigned id = (unsigned)(r[1] % NR_CPU);
	struct hw_cpu *c = flat_cpu(s->m, id);
	struct mm_struct *of = s->mm[s->at[id]], *child;
	u64 va = BASE + r[2] % 1024 * PAGE_SIZE, len = PAGES(1 + r[3] % (r[4] % 4 ? 4 : 600)), seen = 0;
	u8 byte = (u8)r[5];

	len = min(len, BASE + SPAN - va);
	flat_run(c, of);
	switch (r[0] % 16) {
	default:
		seen = (u64)flat_access(c, va, "rw"[r[4] % 2], &byte);
		return seen ? seen << 8 : byte;
	case 9:
	case 10: /* a switch */
		s->at[id] = (unsigned)(r[3] % NR_MMS);
		flat_run(c, s->mm[s->at[id]]);
		return 0;
	case 11:
		return (u64)vm_mprotect(c, of, va, len, r[5] % 3 ? RW : PROT_READ);
	case 12:
		return (u64)vm_madvise(c, of, va, len, r[5] % 2 ? 4 : 14);
	case 13:
		vm_munmap(c, of, va, len);
		return (u64)vm_mmap(c, of, va, len, RW, ANON | MAP_FIXED, NULL, 0);
	case 14: /* a lazy CPU */
		vm_switch(c, NULL);
		return 0;
	case 15: /* a child takes the place of another */
		if (r[3] % 8)
			return 0;
		seen = r[3] / 8 % NR_MMS;
		for (unsigned i = 0; i < NR_CPU; i++)
			if (s->at[i] == seen)
				return 0;
		if (mm_fork(c, of, &child))
			return 1;
		mm_put(s->mm[seen]);
		s->mm[seen] = child;
		return 2;
	}
}

static void storm(unsigned features, u64 seed)
{
	struct side kpti, plain;

	side_boot(&kpti, features, true);
	side_boot(&plain, NO_PCID, false);
	rnd = seed;
	for (unsigned i = 0; i < STEPS; i++) {
		u64 r[6], a, b;

		for (unsigned k = 0; k < 6; k++)
			r[k] = next(1u << 30);
		a = step(&kpti, r);
		b = step(&plain, r);
		if (a != b)
			fail_msg("seed %llu step %u: %llx, and %llx where every switch flushes",
				 (unsigned long long)seed, i, (unsigned long long)a, (unsigned long long)b);
		if (i % 1000 == 0)
			assert_true(vm_check(flat_vm(kpti.m)));
	}
	assert_true(flat_caches_sound(kpti.m));
	assert_true(vm_check(flat_vm(kpti.m)));
	assert_int_equal(flat_events(kpti.m)->faults, flat_events(plain.m)->faults);
	flat_destroy(kpti.m);
	flat_destroy(plain.m);
}

static void storms(void **state)
{
	static const unsigned features[] = {INVPCID, WITH_PCID, NO_PCID};

	for (unsigned i = 0; i < ARRAY_SIZE(features); i++)
		for (u64 seed = 1; seed <= 4; seed++)
			storm(features[i], seed * 0x9e3779b97f4a7c15ull);
}

int main(void)
{
#define T(test, setup) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(a_user_root_shows_the_user_and_the_trampoline, setup),
	    T(a_user_root_shows_the_user_and_the_trampoline, setup_no_pcid),
	    T(without_it_the_kernel_is_global, setup),
	    T(check_finds_what_is_shown_too_much, setup),
	    T(cr3_with_pcids, setup),
	    T(cr3_with_pcids, setup_no_invpcid),
	    T(cr3_without_pcids, setup_no_pcid),
	    T(a_page_leaves_both_pcids, setup),
	    T(without_invpcid_the_user_pcid_goes_on_the_way_out, setup_no_invpcid),
	    T(freed_tables_leave_the_user_pcid, setup),
	    T(freed_tables_leave_the_user_pcid, setup_no_invpcid),
	    T(a_lost_late_flush_shows, setup_no_invpcid),
	    cmocka_unit_test(storms),
	};

	return cmocka_run_group_tests_name("kpti", tests, NULL, NULL);
}
