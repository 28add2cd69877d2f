/* SPDX-License-Identifier: MIT
 *
 * test/mmu/random.c - random operations against a model that has no caches.
 *
 * flushed: an operating system that always flushes what the manual demands. Each access must give what the model
 *   gives: outcome, error code, address; and A and D in RAM must be the model's to the bit.
 * forgetful: it forgets now and then. Each access must agree with the model, or the oracle must have spoken, or the
 *   fault must be a spurious one that the retry does not repeat.
 *
 * Three address spaces with a PCID each share the upper half, as kernels do; the pages there are often global.
 */
#include "test/mmu/computer.h"

#define SPACES 3
#define PAGES  12 /* addresses in use in each half */

struct world {
	struct computer c;
	u8 *shadow; /* the model's RAM */
	u64 root[SPACES], va[2 * PAGES];
	unsigned space; /* the one in CR3 */
	u64 seed;
	unsigned stale; /* the oracle spoke */
	bool pending;
};

static struct world w;

static void oracle_spoke(void *ctx, u64 va, const char *text)
{
	w.stale++;
	assert_memory_equal(text, "stale entry used: ", 18);
}
static bool flush_pending(void *ctx, unsigned pcid, u64 va)
{
	return w.pending;
}

static bool is_shared(u64 va)
{
	return va >> 63;
}

/* CR3 and the invalidation operands of a space; without PCIDs every space is PCID 0. */
static unsigned pcid_of(unsigned space)
{
	return w.c.cfg.preset->pcid ? space + 1 : 0;
}

static void switch_space(unsigned space, bool flush)
{
	bool pcid = w.c.cfg.preset->pcid;

	w.space = space;
	mmu_write_cr3(w.c.cpu, w.root[space] | pcid_of(space) | (pcid && !flush ? X86_CR3_NOFLUSH : 0));
}

static void entry_change(u64 *e, u64 v)
{
	*e = v;
	memcpy(w.shadow + ((u8 *)e - w.c.ram), &v, sizeof(v));
}

static u64 leaf_random(u64 va, unsigned size)
{
	u64 frame = (rnd(&w.seed) % 8 + 16) << 30, flags = rnd(&w.seed);

	frame |= flags >> 40 & 63ull << (12 + 9 * size);
	return frame | (rnd(&w.seed) % 8 ? X86_PTE_P : 0) |
	       (flags & (X86_PTE_RW | X86_PTE_US | X86_PTE_A | X86_PTE_D)) | (flags & 1 << 20 ? X86_PTE_NX : 0) |
	       (is_shared(va) ? flags & X86_PTE_G : 0) | (size ? X86_PTE_PS : 0);
}

static unsigned leaf_size(unsigned i)
{
	return i % 6 == 5 ? MMU_1G : i % 3 == 2 ? MMU_2M : MMU_4K;
}

static void world_init(const struct cpu_preset *preset, bool oracle, unsigned host_page)
{
	memset(&w, 0, sizeof(w));
	w.seed = 99;
	computer_init(&w.c, preset);
	w.c.cfg.oracle = oracle;
	w.c.cfg.host_page = (u8)host_page;
	w.c.cfg.oracle_fail = oracle_spoke;
	w.c.cfg.flush_pending = flush_pending;
	computer_boot(&w.c);
	for (unsigned s = 0; s < SPACES; s++)
		w.root[s] = table_new(&w.c);
	for (unsigned i = 0; i < 2 * PAGES; i++) {
		unsigned size = leaf_size(i);

		w.va[i] = (i < PAGES ? 0x0000700000000000 : 0xffff800000000000) +
			  (u64)(i % 6 / 2 + 3 * (i % PAGES / 6)) * PUD_SIZE + (i % 3) * PMD_SIZE + (i % 2) * PAGE_SIZE;
		for (unsigned s = 0; s < (i < PAGES ? SPACES : 1); s++)
			map(&w.c, w.root[s], w.va[i], 0, size, leaf_random(w.va[i], size));
	}
	/* A hit of a global entry sets no A above it: it is set beforehand in the top entries that are not shared. */
	for (unsigned i = 256; i < PTRS_PER_TABLE; i++)
		*entry_at(&w.c, w.root[0], i) |= *entry_at(&w.c, w.root[0], i) ? X86_PTE_A : 0;
	for (unsigned s = 1; s < SPACES; s++)
		memcpy(w.c.ram + w.root[s] + 2048, w.c.ram + w.root[0] + 2048, 2048);
	w.shadow = malloc(RAM_BYTES);
	memcpy(w.shadow, w.c.ram, RAM_BYTES);
	switch_space(0, true);
}

static void world_free(void)
{
	free(w.shadow);
	computer_free(&w.c);
}

/* ---- what the OS does ---- */

/* A leaf of `space` changed: any of the flushes that the manual allows for it. */
static void flush_leaf(unsigned space, u64 va)
{
	bool pcid = w.c.cfg.preset->pcid, here = space == w.space;
	unsigned way = rnd(&w.seed) % 4;

	if (is_shared(va)) { /* it may be global, and is in every space */
		if (way == 0 || !pcid)
			mmu_invlpg(w.c.cpu, va);
		if (way == 0 && pcid)
			for (unsigned s = 0; s < SPACES; s++)
				mmu_invpcid(w.c.cpu, X86_INVPCID_ADDR, pcid_of(s), va);
		if (way == 1)
			computer_set(&w.c, w.c.cr0, w.c.cr4 & ~X86_CR4_PGE, w.c.efer, 0);
		if (way == 1)
			computer_set(&w.c, w.c.cr0, w.c.cr4 | X86_CR4_PGE, w.c.efer, 0);
		if (way >= 2)
			mmu_invpcid(w.c.cpu, X86_INVPCID_ALL_GLOBAL, 0, 0);
	} else if (here && way == 0) {
		mmu_invlpg(w.c.cpu, va);
	} else if (here && way == 1) {
		switch_space(space, true);
	} else if (way == 2) {
		mmu_invpcid(w.c.cpu, X86_INVPCID_ADDR, pcid_of(space), va);
	} else {
		mmu_invpcid(w.c.cpu, X86_INVPCID_SINGLE, pcid_of(space), 0);
	}
}

/* An upper entry changed: everything below it, and the paging-structure caches. */
static void flush_upper(unsigned space, u64 va)
{
	if (is_shared(va) || rnd(&w.seed) % 2)
		mmu_invpcid(w.c.cpu, X86_INVPCID_ALL_GLOBAL, 0, 0);
	else if (rnd(&w.seed) % 2)
		mmu_invpcid(w.c.cpu, X86_INVPCID_SINGLE, pcid_of(space), 0);
	else
		mmu_invpcid(w.c.cpu, X86_INVPCID_ALL, 0, 0);
}

static void change_leaf(bool flush)
{
	unsigned i = rnd(&w.seed) % (2 * PAGES), space = rnd(&w.seed) % SPACES;
	unsigned size = i % 6 == 5 ? MMU_1G : i % 3 == 2 ? MMU_2M : MMU_4K;
	u64 *e = entry_of(&w.c, w.root[space], w.va[i], size + 1);

	if (!e || (size && *e && !(*e & X86_PTE_PS)))
		return;
	entry_change(e, leaf_random(w.va[i], size));
	if (flush)
		flush_leaf(space, w.va[i]);
}

/* Takes rights from an upper entry or gives them back; the tables below stay. */
static void change_upper(bool flush)
{
	unsigned i = rnd(&w.seed) % (2 * PAGES), space = rnd(&w.seed) % SPACES, level = 2 + rnd(&w.seed) % 3;
	u64 *e = entry_of(&w.c, w.root[space], w.va[i], level);

	if (!e || *e & X86_PTE_PS || !*e || (level == 4 && is_shared(w.va[i])))
		return;
	entry_change(e, (*e & X86_PHYS_MASK) | RWU | (rnd(&w.seed) % 4 ? 0 : X86_PTE_NX));
	if (rnd(&w.seed) % 4 == 0)
		entry_change(e, *e & ~(1ull << rnd(&w.seed) % 3));
	if (flush)
		flush_upper(space, w.va[i]);
}

static unsigned access_random(void)
{
	static const unsigned kinds[] = {MMU_READ, MMU_READ, MMU_WRITE, MMU_FETCH};

	return kinds[rnd(&w.seed) % 4] | (rnd(&w.seed) % 3 ? MMU_USER : 0);
}

static int slot_random(unsigned access)
{
	int slot = rnd(&w.seed) % MMU_WINDOW_DATA;

	if (rnd(&w.seed) % 4 == 0)
		return -1;
	return (access & MMU_KIND) == MMU_FETCH ? MMU_WINDOW_DATA + slot : slot;
}

static void other_operation(void)
{
	u64 va = w.va[rnd(&w.seed) % (2 * PAGES)];

	switch (rnd(&w.seed) % 4) {
	case 0:
		switch_space(rnd(&w.seed) % SPACES, false);
		break;
	case 1:
		switch_space(rnd(&w.seed) % SPACES, rnd(&w.seed) % 2);
		break;
	case 2:
		mmu_invlpg(w.c.cpu, va);
		break;
	default:
		mmu_window_flush(w.c.cpu);
	}
}

static void operation(bool flush)
{
	unsigned n = rnd(&w.seed) % 100;

	if (n < 8)
		change_leaf(flush);
	else if (n < 10)
		change_upper(flush);
	else if (n < 20)
		other_operation();
}

/* ---- the tests ---- */

/* An address in one of the pages; pieces: in one of a few 4K pieces of it, and of 2M. */
static u64 va_random(bool pieces)
{
	unsigned i = rnd(&w.seed) % (2 * PAGES), size = leaf_size(i);
	u64 va = w.va[i], in_page = rnd(&w.seed) & 0xff8;

	if (pieces && size > MMU_4K)
		va = (va & ~(PMD_SIZE - 1)) + rnd(&w.seed) % 5 * PAGE_SIZE;
	if (pieces && size == MMU_1G)
		va = (va & ~(PUD_SIZE - 1)) + rnd(&w.seed) % 3 * PMD_SIZE + (va & (PMD_SIZE - 1));
	return va | in_page;
}

/* host_page: as in mmu_config; then anywhere in the pages, whose pieces are entries of their own. */
static void flushed(const struct cpu_preset *preset, bool tiny, unsigned host_page)
{
	struct mmu_result r;
	const struct mmu_counters *k;

	world_init(preset, true, host_page);
	for (unsigned n = 0; n < 80000; n++) {
		u64 va = va_random(host_page != 0);
		unsigned access = access_random();
		struct model_result want;

		operation(true);
		mmu_expect(w.c.cpu, va);
		want = model_access(&w.c, w.shadow, mmu_read_cr3(w.c.cpu), va, access);
		assert_int_equal(mmu_access(w.c.cpu, va, access, slot_random(access), &r), want.outcome);
		assert_int_equal(r.error_code, want.error_code);
		assert_int_equal(r.pa, want.pa);
		assert_int_equal(w.stale, 0);
		if (n % 64 == 0)
			assert_memory_equal(w.c.ram, w.shadow, w.c.tables_bytes);
	}
	k = mmu_counters(w.c.cpu);
	for (unsigned kind = 0; kind < 2; kind++) {
		assert_int_equal(k->l2_miss[kind] + k->rewalks[kind], k->walks[kind] + k->walk_faults[kind]);
		assert_true(k->walks[kind] > 500 && k->rewalks[kind] > 10);
		assert_true(!tiny || k->l1_miss[kind] > k->l2_miss[kind] + (host_page ? 100 : 1000));
	}
	world_free();
}

static void flushed_every_preset(void **state)
{
	for (const struct cpu_preset *p = cpu_presets; p->name; p++)
		flushed(p, false, 0);
}

/* Every structure far too small, so that each victim, hold and narrowing is met. */
static void flushed_tiny(void **state)
{
	static const struct cpu_preset tiny = {
	    .name = "tiny",
	    .l1d = {{{.sizes = 1, .sets = 2, .ways = 2}, {.sizes = 2, .sets = 1, .ways = 2}}},
	    .l1i = {{{.sizes = 1, .replace = MMU_TREE_PLRU, .sets = 1, .ways = 4}}},
	    .l2 = {{{.sizes = 3, .replace = MMU_FIFO, .index = MMU_INDEX_XOR, .sets = 4, .ways = 2},
		    {.sizes = 5, .replace = MMU_RANDOM, .sets = 4, .ways = 3}}},
	    .psc = {.entries = {[2] = 2, [3] = 1, [4] = 1}},
	    .pcid = true,
	};

	for (unsigned host_page = 0; host_page <= 3; host_page++)
		flushed(&tiny, true, host_page);
}

static bool grants_no_more(const struct mmu_result *r, const struct model_result *want)
{
	return want->outcome == MMU_OK && r->pa == want->pa;
}

static void forgetful(void **state)
{
	struct mmu_result r;
	unsigned spoke = 0, spurious = 0;

	world_init(cpu_preset_find("skylake"), true, 0);
	for (unsigned n = 0; n < 300000; n++) {
		u64 va = w.va[rnd(&w.seed) % (2 * PAGES)];
		unsigned access = access_random();
		struct model_result want;

		operation(rnd(&w.seed) % 2);
		memcpy(w.shadow, w.c.ram, w.c.tables_bytes);
		want = model_access(&w.c, w.shadow, mmu_read_cr3(w.c.cpu), va, access);
		w.stale = 0;
		mmu_access(w.c.cpu, va, access, -1, &r);
		if (w.stale) {
			spoke++;
			mmu_invpcid(w.c.cpu, X86_INVPCID_ALL_GLOBAL, 0, 0);
		} else if (r.outcome == MMU_OK) {
			assert_true(grants_no_more(&r, &want));
		} else if (want.outcome == MMU_OK) {
			spurious++;
			assert_int_equal(mmu_access(w.c.cpu, va, access, -1, &r), MMU_OK);
		}
	}
	print_message("the oracle spoke %u times, %u spurious faults\n", spoke, spurious);
	assert_true(spoke > 200);
	world_free();
}

/* The same, but a flush is always said to be pending: the oracle keeps silent. */
static void pending_is_silent(void **state)
{
	struct mmu_result r;

	world_init(cpu_preset_find("zen3"), true, 0);
	w.pending = true;
	for (unsigned n = 0; n < 50000; n++) {
		operation(false);
		mmu_access(w.c.cpu, w.va[rnd(&w.seed) % (2 * PAGES)], access_random(), -1, &r);
	}
	assert_int_equal(w.stale, 0);
	world_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(flushed_every_preset),
	    cmocka_unit_test(flushed_tiny),
	    cmocka_unit_test(forgetful),
	    cmocka_unit_test(pending_is_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
