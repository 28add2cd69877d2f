/* SPDX-License-Identifier: MIT
 *
 * test/mmu/invalidate.c - what each invalidation drops and, as much, what it must leave: the table in mmu/cpu.c, row by
 * row. A structure's state shows in mmu_result: level_hit (1, 2 or 0 = walked) and steps (4 = nothing cached above,
 * 1 = a PDE was).
 *
 * Pages: U is user memory, G a global kernel page, both in the same places of two spaces with PCIDs 1 and 2.
 */
#include "test/mmu/computer.h"

#define U  0x0000555555554000ull
#define U2 0x0000555555555000ull /* the next page: the same PDE */
#define V  0x00007fff00000000ull /* elsewhere in the same space */
#define G  0xffff888000001000ull

static struct computer c;
static u64 root[2];

static int setup_with(const char *preset)
{
	computer_init(&c, cpu_preset_find(preset));
	computer_boot(&c);
	for (unsigned s = 0; s < 2; s++) {
		root[s] = table_new(&c);
		map(&c, root[s], U, 0x10000000, MMU_4K, RWU);
		map(&c, root[s], U2, 0x10001000, MMU_4K, RWU);
		map(&c, root[s], V, 0x10002000, MMU_4K, RWU);
		map(&c, root[s], G, 0x10003000, MMU_4K, X86_PTE_P | X86_PTE_RW | X86_PTE_G);
	}
	return 0;
}
static int setup(void **state)
{
	return setup_with("skylake");
}
static int teardown(void **state)
{
	computer_free(&c);
	return 0;
}

static void enter(unsigned space, bool keep)
{
	assert_int_equal(mmu_write_cr3(c.cpu, root[space] | (space + 1) | (keep ? X86_CR3_NOFLUSH : 0)), 0);
}

/* Both spaces, all pages cached, space 0 current. */
static void warm(void)
{
	static const u64 pages[] = {U, U2, V, G};
	struct mmu_result r;

	for (unsigned s = 2; s-- > 0;) {
		enter(s, true);
		for (unsigned i = 0; i < ARRAY_SIZE(pages); i++)
			mmu_access(c.cpu, pages[i], MMU_READ, -1, &r);
	}
}

/* Steps of an access: 0 = a TLB had it. */
static unsigned steps(u64 va)
{
	struct mmu_result r;

	assert_int_equal(mmu_access(c.cpu, va, MMU_READ, -1, &r), MMU_OK);
	return r.steps;
}

static void mov_cr3(void **state)
{
	warm();
	enter(1, true); /* keeps all */
	assert_int_equal(steps(U), 0);
	assert_int_equal(steps(G), 0);
	enter(0, true);
	assert_int_equal(steps(U), 0);

	warm();
	enter(0, false); /* drops PCID 1, not G, not PCID 2 */
	assert_int_equal(steps(G), 0);
	assert_int_equal(steps(U), 4);
	assert_int_equal(steps(U2), 1);
	enter(1, true);
	assert_int_equal(steps(U), 0);
	assert_int_equal(mmu_read_cr3(c.cpu), root[1] | 2); /* bit 63 does not read back */
}

static void mov_cr3_without_pcid(void **state)
{
	teardown(NULL);
	setup_with("zen2");
	mmu_write_cr3(c.cpu, root[0]);
	assert_int_equal(steps(U), 4);
	assert_int_equal(steps(G), 4);
	mmu_write_cr3(c.cpu, root[1]);
	assert_int_equal(steps(G), 0);
	assert_int_equal(steps(U), 4);
	assert_int_equal(mmu_write_cr3(c.cpu, root[0] | X86_CR3_NOFLUSH), -1);
	assert_int_equal(mmu_write_cr4(c.cpu, X86_CR4_PAE | X86_CR4_PCIDE), -1);
}

static void invlpg(void **state)
{
	warm();
	mmu_invlpg(c.cpu, U + 0x123);
	assert_int_equal(steps(U2), 0);
	assert_int_equal(steps(G), 0);
	assert_int_equal(steps(U), 4); /* every paging-structure cache entry of this PCID went too */
	enter(1, true);
	assert_int_equal(steps(U), 0);
	mmu_invlpg(c.cpu, G);
	assert_int_equal(steps(G), 4);
	mmu_invlpg(c.cpu, 1ull << 62); /* not canonical: nothing */
	assert_int_equal(steps(V), 0);
}

static void invpcid_address(void **state)
{
	warm();
	assert_int_equal(mmu_invpcid(c.cpu, X86_INVPCID_ADDR, 2, U), 0);
	assert_int_equal(mmu_invpcid(c.cpu, X86_INVPCID_ADDR, 1, G), 0);
	assert_int_equal(steps(U), 0);
	assert_int_equal(steps(G), 0); /* global entries stay */
	enter(1, true);
	assert_int_equal(steps(U2), 0);
	assert_int_equal(steps(U), 4);
}

static void invpcid_single(void **state)
{
	warm();
	assert_int_equal(mmu_invpcid(c.cpu, X86_INVPCID_SINGLE, 2, 0), 0);
	assert_int_equal(steps(U), 0);
	assert_int_equal(steps(G), 0);
	enter(1, true);
	assert_int_equal(steps(V), 4);
	assert_int_equal(steps(U), 4);
	assert_int_equal(steps(U2), 1);
	assert_int_equal(steps(G), 0);
}

static void invpcid_all(void **state)
{
	warm();
	assert_int_equal(mmu_invpcid(c.cpu, X86_INVPCID_ALL, 0, 0), 0);
	assert_int_equal(steps(G), 0);
	assert_int_equal(steps(U), 4);
	enter(1, true);
	assert_int_equal(steps(U), 4);

	warm();
	assert_int_equal(mmu_invpcid(c.cpu, X86_INVPCID_ALL_GLOBAL, 0, 0), 0);
	assert_int_equal(steps(G), 4);
	enter(1, true);
	assert_int_equal(steps(U), 4);
}

static void control_bits(void **state)
{
	static const u64 dropping[] = {X86_CR4_PGE, X86_CR4_SMEP};
	u64 cr4 = c.cr4;

	for (unsigned i = 0; i < ARRAY_SIZE(dropping); i++) {
		warm();
		assert_int_equal(mmu_write_cr4(c.cpu, cr4 ^ dropping[i]), 0);
		assert_int_equal(steps(V), 4);
		assert_int_equal(mmu_write_cr4(c.cpu, cr4), 0);
	}
	warm();
	assert_int_equal(mmu_write_cr4(c.cpu, cr4 | X86_CR4_SMAP | X86_CR4_PKE), 0);
	assert_int_equal(mmu_write_cr4(c.cpu, cr4), 0);
	assert_int_equal(steps(U), 0);
	enter(0, true);
	assert_int_equal(mmu_write_cr4(c.cpu, cr4 & ~X86_CR4_PCIDE), 0);
	assert_int_equal(steps(G), 4);
}

static void general_protection(void **state)
{
	enter(0, false);
	assert_int_equal(mmu_write_cr4(c.cpu, c.cr4 & ~X86_CR4_PCIDE), 0);
	assert_int_equal(mmu_invpcid(c.cpu, X86_INVPCID_SINGLE, 3, 0), -1); /* PCIDE is off */
	assert_int_equal(mmu_write_cr3(c.cpu, root[0]), 0);
	assert_int_equal(mmu_write_cr4(c.cpu, c.cr4), 0);
	assert_int_equal(mmu_invpcid(c.cpu, 4, 0, 0), -1);
	assert_int_equal(mmu_invpcid(c.cpu, X86_INVPCID_ADDR, 4096, U), -1);
	assert_int_equal(mmu_invpcid(c.cpu, X86_INVPCID_ADDR, 1, 1ull << 63), -1);
}

/* A write-protected page becomes writable without a flush, as after copy-on-write: no endless faults. */
static void stale_read_only(void **state)
{
	struct mmu_result r;
	u64 *pte = entry_of(&c, root[0], U, 1), *pde = entry_of(&c, root[0], U, 2);

	enter(0, false);
	*pte &= ~X86_PTE_RW;
	assert_int_equal(steps(U), 4);
	assert_int_equal(mmu_access(c.cpu, U, MMU_WRITE, -1, &r), MMU_PF);
	assert_int_equal(r.error_code, X86_PF_PROT | X86_PF_WRITE);
	assert_int_equal(steps(U), 4); /* the fault dropped the entry and what leads to it */
	*pte |= X86_PTE_RW;
	assert_int_equal(mmu_access(c.cpu, U, MMU_WRITE, -1, &r), MMU_OK);
	assert_true(*pte & X86_PTE_D);
	/* A stale PDE: the first write may fault, the second may not. */
	*pde &= ~X86_PTE_RW;
	mmu_invlpg(c.cpu, U);
	assert_int_equal(steps(U), 4);
	*pde |= X86_PTE_RW;
	mmu_access(c.cpu, U, MMU_WRITE, -1, &r);
	assert_int_equal(mmu_access(c.cpu, U, MMU_WRITE, -1, &r), MMU_OK);
}

/* The first write through a clean entry walks once to set D, is no miss, and is the last walk. */
static void dirty(void **state)
{
	const struct mmu_counters *k = mmu_counters(c.cpu);
	struct mmu_result r;
	u64 *pte = entry_of(&c, root[0], U, 1);

	enter(0, false);
	assert_int_equal(steps(U), 4);
	assert_false(*pte & X86_PTE_D);
	mmu_access(c.cpu, U, MMU_WRITE, -1, &r);
	assert_int_equal(r.steps, 1);
	assert_true(*pte & X86_PTE_D);
	mmu_access(c.cpu, U, MMU_WRITE, -1, &r);
	assert_int_equal(r.level_hit, 1);
	assert_int_equal(k->l1_miss[0], 1);
	assert_int_equal(k->rewalks[0], 1);
	assert_int_equal(k->walk_steps[1], 2);
	assert_int_equal(k->walk_steps[4], 1);
}

/* A guest's 1G page over a host's 4K pages is cached in pieces: any address of it invalidates them all, none outside of it
 * any (SDM 4.10.2.3). Anew each time, so that nothing is left of the last. */
static void pieces_of_a_page(void **state)
{
	static const u64 piece[] = {0, 5ull << 21, (1ull << 30) - PAGE_SIZE};
	const u64 page = V & ~((1ull << 30) - 1);

	for (unsigned i = 0; i < ARRAY_SIZE(piece); i++)
		for (unsigned k = 0; k < ARRAY_SIZE(piece); k++) {
			computer_free(&c);
			computer_init(&c, cpu_preset_find("skylake"));
			c.cfg.host_page = 1;
			computer_boot(&c);
			root[0] = table_new(&c);
			for (unsigned n = 0; n < 2; n++) /* the same for the next */
				map(&c, root[0], page + ((u64)n << 30), 1ull << 30, MMU_1G, RWU);
			enter(0, false);
			steps(page + piece[i]);
			mmu_invlpg(c.cpu, page + (1ull << 30) + piece[k]);
			assert_int_equal(steps(page + piece[i]), 0);
			mmu_invlpg(c.cpu, page + piece[k]);
			assert_true(steps(page + piece[i]) > 0);
		}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {T(mov_cr3),         T(mov_cr3_without_pcid), T(invlpg),
					   T(invpcid_address), T(invpcid_single),       T(invpcid_all),
					   T(control_bits),    T(general_protection),   T(stale_read_only),
					   T(dirty),           T(pieces_of_a_page)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
