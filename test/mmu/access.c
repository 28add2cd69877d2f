/* SPDX-License-Identifier: MIT
 *
 * test/mmu/access.c - every legal combination of entry bits, control bits and kinds of access, in the manner of
 * kvm-unit-tests' x86/access: predict with the model, act, compare outcome, error code, address, and A and D in RAM.
 *
 * Enumerated: for each leaf level and each upper level in turn, P RW US NX and a choice of reserved bits in both
 * entries, the leaf's protection key 0 or 1; CR0.WP, CR4.SMEP SMAP PKE, EFER.NXE, PKRU; read write fetch, user, AC.
 * Not enumerated but varied with the case's number: A and D, the other entries' ignored bits, G, and how the caches are
 * before the access: empty, filled by a supervisor's read, or filled by the same access.
 */
#include "test/mmu/computer.h"

#define VA 0x0000123456789000ull

enum { RSVD_NONE, RSVD_PHYS, RSVD_FORM, NR_RSVD }; /* FORM: PS where it must not be, low address bits of a large leaf */

struct point {
	unsigned top, leaf, upper; /* levels */
	u64 *entry[6];             /* where each lies */
	u64 table[6];              /* what an upper entry points to */
};

static struct computer c;
static u8 *shadow; /* the model's RAM */
static u64 cases;
static u64 noise = 1;

static u64 reserved_bits(unsigned level, bool leaf, unsigned choice)
{
	if (choice == RSVD_PHYS)
		return 1ull << 47;
	if (choice == RSVD_FORM && leaf && level > 1)
		return 1ull << 13;
	if (choice == RSVD_FORM && level >= 4)
		return X86_PTE_PS;
	return 0;
}

/* An entry from a small number: bits 0..3 P RW US NX, then the reserved choice, then the key. */
static u64 entry_make(const struct point *p, unsigned level, unsigned bits, unsigned rsvd, unsigned key)
{
	bool leaf = level == p->leaf;
	u64 e = leaf ? 0x00003fffc0000000ull : p->table[level], ad = leaf ? X86_PTE_A | X86_PTE_D : X86_PTE_A;

	e |= (bits & 1 ? X86_PTE_P : 0) | (bits & 2 ? X86_PTE_RW : 0) | (bits & 4 ? X86_PTE_US : 0);
	e |= bits & 8 ? X86_PTE_NX : 0;
	e |= leaf && level > 1 ? X86_PTE_PS : 0;
	e |= leaf ? rnd(&noise) & (level > 1 ? X86_PTE_PAT_LARGE : X86_PTE_PS) : 0; /* PAT, at either place */
	e |= reserved_bits(level, leaf, rsvd) | (u64)key << X86_PTE_PKEY_SHIFT;
	return e | (rnd(&noise) & (ad | X86_PTE_G | X86_PTE_PWT | X86_PTE_PCD | X86_PTE_SW1 | 7ull << 52));
}

static void entry_set(const struct point *p, unsigned level, u64 e)
{
	*p->entry[level] = e;
	memcpy(shadow + ((u8 *)p->entry[level] - c.ram), &e, sizeof(e));
}

static void fail_case(const struct point *p, unsigned access, const char *what, u64 want, u64 got)
{
	print_error("%s: want %#lx got %#lx; cr0 %#lx cr4 %#lx efer %#lx pkru %#x access %#x\n", what, want, got, c.cr0,
		    c.cr4, c.efer, c.pkru, access);
	for (unsigned l = p->top; l >= p->leaf; l--)
		print_error("  level %u: %#lx\n", l, *p->entry[l]);
	fail();
}

static void expect(const struct point *p, unsigned access, const char *what, u64 want, u64 got)
{
	if (want != got)
		fail_case(p, access, what, want, got);
}

static void access_compare(const struct point *p, u64 va, unsigned access, bool cold)
{
	u64 entries[6];
	struct mmu_result walk, r;
	int outcome = mmu_walk(c.cpu, va, access, &walk, entries);
	struct model_result want = model_access(&c, shadow, mmu_read_cr3(c.cpu), va, access);

	expect(p, access, "walk outcome", want.outcome, outcome);
	expect(p, access, "walk error code", want.error_code, walk.error_code);
	expect(p, access, "walk steps", want.steps, walk.steps);
	expect(p, access, "walk pa", want.pa, walk.pa);
	expect(p, access, "outcome", want.outcome, mmu_access(c.cpu, va, access, -1, &r));
	expect(p, access, "error code", want.error_code, r.error_code);
	expect(p, access, "pa", want.pa, r.pa);
	if (want.outcome == MMU_OK)
		expect(p, access, "size", want.size, r.size);
	if (cold)
		expect(p, access, "steps", want.steps, r.steps);
	for (unsigned l = p->top; l >= p->leaf; l--) {
		u64 e;

		memcpy(&e, shadow + ((u8 *)p->entry[l] - c.ram), sizeof(e));
		expect(p, access, "entry in RAM", e, *p->entry[l]);
	}
}

static void accesses(const struct point *p)
{
	static const unsigned kinds[] = {MMU_READ, MMU_WRITE, MMU_FETCH};

	for (unsigned n = 0; n < 12; n++) {
		unsigned access = kinds[n % 3] | (n / 3 & 1 ? MMU_USER : 0) | (n / 6 ? MMU_AC : 0);
		unsigned before = (cases + n) % 3;
		u64 va = VA + (rnd(&noise) & 0xfff);

		mmu_invlpg(c.cpu, VA);
		if (before == 1)
			access_compare(p, va, MMU_READ | MMU_AC, true);
		access_compare(p, va, access, before != 1);
		if (before == 2)
			access_compare(p, va, access, false);
		cases++;
	}
}

/* bits of the two entries under test: P = 0 once, else all of RW US NX x reserved x key. */
static void entries(const struct point *p)
{
	for (unsigned u = 0; u < 1 + 8 * NR_RSVD; u++) {
		unsigned ubits = u ? (u - 1) % 8 * 2 + 1 : rnd(&noise) & 14;

		entry_set(p, p->upper, entry_make(p, p->upper, ubits, u ? (u - 1) / 8 : rnd(&noise) % NR_RSVD, 0));
		for (unsigned f = 0; f < 1 + 16 * NR_RSVD; f++) {
			unsigned fbits = f ? (f - 1) % 8 * 2 + 1 : rnd(&noise) & 14;

			if (f)
				entry_set(p, p->leaf, entry_make(p, p->leaf, fbits, (f - 1) / 16, (f - 1) / 8 % 2));
			else
				entry_set(p, p->leaf, entry_make(p, p->leaf, fbits, rnd(&noise) % NR_RSVD, 0));
			accesses(p);
		}
	}
}

static void point_make(struct point *p, unsigned top, unsigned leaf, unsigned upper)
{
	u64 table;

	*p = (struct point){.top = top, .leaf = leaf, .upper = upper};
	c.tables_bytes = 0;
	table = table_new(&c);
	for (unsigned l = top; l >= leaf; l--) {
		p->entry[l] = entry_at(&c, table, x86_index(VA, l));
		if (l == leaf)
			return;
		p->table[l] = table = table_new(&c);
		entry_set(p, l, table | RWU);
	}
}

static void registers(const struct point *p, bool nxe, unsigned stride)
{
	u64 base = X86_CR4_PAE | X86_CR4_PGE | (p->top == 5 ? X86_CR4_LA57 : 0);

	for (unsigned n = rnd(&noise) % stride; n < 64; n += stride) {
		u64 cr4 = base | (n & 1 ? X86_CR4_SMEP : 0) | (n & 2 ? X86_CR4_SMAP : 0) | (n & 4 ? X86_CR4_PKE : 0);

		if (!(n & 4) && n >> 4)
			continue; /* PKRU matters with PKE only */
		computer_set(&c, PAGING | (n & 8 ? X86_CR0_WP : 0), cr4, X86_EFER_LME | (nxe ? X86_EFER_NXE : 0),
			     n >> 4 << 2);
		entries(p);
	}
}

/* stride 1: all settings of the control bits; more: every stride-th, from a varying start. */
static void enumerate(unsigned top, bool gbpages, unsigned stride)
{
	struct point p;

	computer_init(&c, cpu_preset_find("skylake"));
	shadow = calloc(1, RAM_BYTES);
	c.cfg.gbpages = gbpages;
	computer_reset(&c);
	for (unsigned leaf = 1; leaf <= 3; leaf++)
		for (unsigned upper = leaf + 1; upper <= top; upper++) {
			point_make(&p, top, leaf, upper);
			registers(&p, true, stride);
			registers(&p, false, 4 * stride);
		}
	free(shadow);
	computer_free(&c);
}

static void four_levels(void **state)
{
	cases = 0;
	enumerate(4, true, 1);
	print_message("%lu cases\n", cases);
}

static void five_levels(void **state)
{
	enumerate(5, true, 5);
}

static void no_gbpages(void **state)
{
	enumerate(4, false, 5);
}

/* The widest physical address, a table beyond RAM (all ones) at each level, and addresses that are not canonical. */
static void edges(void **state)
{
	static const u64 noncanonical[] = {1ull << 47, 1ull << 63, 0xffff7fffffffffff, 0x8000000000000000 - 1};
	struct mmu_result r;
	u64 entries[6];

	for (unsigned bits = 40; bits <= 52; bits += 4)
		for (unsigned level = 2; level <= 4; level++) {
			computer_init(&c, cpu_preset_find("zen3"));
			c.cfg.phys_bits = bits;
			computer_boot(&c);
			table_new(&c);
			map(&c, 0, VA, 0x5000, MMU_4K, RWU);
			shadow = malloc(RAM_BYTES);
			*entry_of(&c, 0, VA, level) = (1ull << 39) | RWU;
			memcpy(shadow, c.ram, RAM_BYTES);
			for (unsigned access = 0; access < 8; access++) {
				struct model_result want = model_access(&c, shadow, 0, VA, access);

				if ((access & MMU_KIND) == MMU_KIND)
					continue;
				assert_int_equal(mmu_access(c.cpu, VA, access, -1, &r), want.outcome);
				assert_int_equal(r.error_code, want.error_code);
				assert_int_equal(r.pa, want.pa);
			}
			free(shadow);
			computer_free(&c);
		}
	computer_init(&c, cpu_preset_find("zen3"));
	computer_boot(&c);
	for (unsigned n = 0; n < ARRAY_SIZE(noncanonical); n++) {
		assert_int_equal(mmu_access(c.cpu, noncanonical[n], MMU_READ, -1, &r), MMU_GP);
		assert_int_equal(mmu_walk(c.cpu, noncanonical[n], MMU_READ, &r, entries), MMU_GP);
	}
	computer_free(&c);
}

/* Changes an entry of one page in both computers alike, and flushes it: A or D cleared, a right taken or given back,
 * not present; in a PTE also G and reserved bits. */
static void disturb(struct computer c[2], u64 va, u64 *seed)
{
	static const u64 flips[] = {X86_PTE_A,  X86_PTE_D, X86_PTE_RW, X86_PTE_US,
				    X86_PTE_NX, X86_PTE_P, X86_PTE_G,  1ull << 47};
	bool upper = rnd(seed) % 8 == 0;
	u64 flip = flips[rnd(seed) % (upper ? 6 : ARRAY_SIZE(flips))];

	for (unsigned i = 0; i < 2; i++) {
		u64 *e = entry_of(&c[i], 0, va, upper ? X86_PD : X86_PT);

		if (e)
			*e = flip & (X86_PTE_A | X86_PTE_D) ? *e & ~flip : *e ^ flip;
		mmu_invlpg(c[i].cpu, va);
	}
}

/* Pages beside the one that was flushed may be stale. */
static bool flush_pending(void *ctx, unsigned pcid, u64 va)
{
	return true;
}

/* A walk below a cached PDE has a short way of its own, which a CPU with the oracle never takes: the same accesses, to
 * more pages than the TLBs hold, must give the same results, counters and RAM on both. */
static void short_way(void **state)
{
	enum { SPAN = 8192, ROUNDS = 200000 };

	for (const struct cpu_preset *p = cpu_presets; p->name; p++) {
		struct computer c[2];
		u64 seed = 1, short_walks;

		for (unsigned i = 0; i < 2; i++) {
			computer_init(&c[i], p);
			c[i].cfg.oracle = i;
			c[i].cfg.flush_pending = flush_pending;
			computer_boot(&c[i]);
			map_range(&c[i], table_new(&c[i]), 0, SPAN, MMU_4K);
		}
		for (unsigned n = 0; n < ROUNDS; n++) {
			u64 va = rnd(&seed) % SPAN * PAGE_SIZE + rnd(&seed) % PAGE_SIZE;
			unsigned access = (unsigned)(rnd(&seed) % 3) | (rnd(&seed) % 8 ? MMU_USER : 0);
			int slot = (int)(rnd(&seed) % 16) + ((access & MMU_KIND) == MMU_FETCH ? MMU_WINDOW_DATA : 0);
			struct mmu_result r[2] = {0};

			if (n % 50 == 0)
				disturb(c, rnd(&seed) % SPAN * PAGE_SIZE, &seed);
			mmu_expect(c[n % 2].cpu, rnd(&seed) % (2 * SPAN) * PAGE_SIZE); /* the other is told nothing */
			for (unsigned i = 0; i < 2; i++)
				mmu_access(c[i].cpu, va, access, slot, &r[i]);
			assert_memory_equal(&r[0], &r[1], sizeof(r[0]));
		}
		assert_memory_equal(mmu_counters(c[0].cpu), mmu_counters(c[1].cpu), sizeof(struct mmu_counters));
		assert_memory_equal(c[0].ram, c[1].ram, RAM_BYTES);
		short_walks = mmu_counters(c[0].cpu)->walk_steps[X86_PT] - mmu_counters(c[0].cpu)->walk_steps[X86_PD];
		assert_true(short_walks > ROUNDS / 8); /* most are what this test is about */
		computer_free(&c[0]);
		computer_free(&c[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(four_levels), cmocka_unit_test(five_levels), cmocka_unit_test(no_gbpages),
	    cmocka_unit_test(edges),       cmocka_unit_test(short_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
