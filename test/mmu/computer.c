/* SPDX-License-Identifier: MIT
 *
 * test/mmu/computer.c - RAM, page tables and a booted CPU.
 */
#include "test/mmu/computer.h"

void computer_init(struct computer *c, const struct cpu_preset *preset)
{
	memset(c, 0, sizeof(*c));
	c->ram = aligned_alloc(PAGE_SIZE, RAM_BYTES);
	memset(c->ram, 0, RAM_BYTES);
	c->cfg = (struct mmu_config){
	    .preset = preset, .ram = c->ram, .ram_bytes = RAM_BYTES, .phys_bits = 46, .gbpages = true};
}

void computer_reset(struct computer *c)
{
	free(c->cpu);
	c->cpu = aligned_alloc(64, ALIGN_UP(mmu_cpu_bytes(&c->cfg), 64));
	mmu_cpu_init(c->cpu, &c->cfg);
	c->cr0 = c->cr4 = c->efer = c->pkru = 0;
}

void computer_boot(struct computer *c)
{
	u64 pcid = c->cfg.preset->pcid ? X86_CR4_PCIDE : 0;

	computer_reset(c);
	computer_set(c, PAGING | X86_CR0_WP, X86_CR4_PAE | X86_CR4_PGE, X86_EFER_LME | X86_EFER_NXE, 0);
	computer_set(c, c->cr0, c->cr4 | pcid, c->efer, 0);
}

void computer_free(struct computer *c)
{
	free(c->cpu);
	free(c->ram);
}

void computer_set(struct computer *c, u64 cr0, u64 cr4, u64 efer, u32 pkru)
{
	assert_int_equal(mmu_write_efer(c->cpu, efer), 0);
	assert_int_equal(mmu_write_cr4(c->cpu, cr4), 0);
	assert_int_equal(mmu_write_cr0(c->cpu, cr0), 0);
	mmu_write_pkru(c->cpu, pkru);
	c->cr0 = cr0;
	c->cr4 = cr4;
	c->efer = efer;
	c->pkru = pkru;
}

u64 table_new(struct computer *c)
{
	u64 pa = c->tables_bytes;

	assert_true(pa + PAGE_SIZE <= RAM_BYTES);
	c->tables_bytes += PAGE_SIZE;
	return pa;
}

u64 *entry_at(struct computer *c, u64 table_pa, unsigned index)
{
	return (u64 *)(c->ram + table_pa) + index;
}

static unsigned top_level(const struct computer *c)
{
	return c->cr4 & X86_CR4_LA57 ? 5 : 4;
}

u64 *entry_of(struct computer *c, u64 root, u64 va, unsigned level)
{
	u64 table = root;

	for (unsigned l = top_level(c); l > level; l--) {
		u64 e = *entry_at(c, table, x86_index(va, l));

		if (!(e & X86_PTE_P) || e & X86_PTE_PS)
			return NULL;
		table = e & X86_PHYS_MASK;
	}
	return entry_at(c, table, x86_index(va, level));
}

void map(struct computer *c, u64 root, u64 va, u64 pa, unsigned size, u64 flags)
{
	u64 table = root;

	for (unsigned l = top_level(c); l > size + 1; l--) {
		u64 *e = entry_at(c, table, x86_index(va, l));

		if (!(*e & X86_PTE_P))
			*e = table_new(c) | RWU;
		table = *e & X86_PHYS_MASK;
	}
	*entry_at(c, table, x86_index(va, size + 1)) = pa | flags | (size != MMU_4K ? X86_PTE_PS : 0);
}

void map_range(struct computer *c, u64 root, u64 va, u64 pages, unsigned size)
{
	u64 bytes = PAGE_SIZE << (9 * size);

	for (u64 i = 0; i < pages; i++)
		map(c, root, va + i * bytes, (1ull << 40) + i * bytes, size, RWU);
}

u64 rnd(u64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull >> 8;
}
