/* SPDX-License-Identifier: MIT
 *
 * play/show.c - `show tables|tlb|maps|counters`. The tables are read from RAM as the hardware reads them, from CR3 on.
 */
#include <inttypes.h>

#include "mmu/cpu.h" /* the TLB's contents: nothing but a display asks for them */
#include "play/names.h"
#include "play/run.h"

#define USER_ENTRIES 256 /* of the top table: addresses below 2^47 */

/* ---- tables: of the user's half ---- */

struct tables {
	const u8 *ram;
	void (*see)(void *ctx, const struct shown_entry *e);
	void *ctx;
};

static bool is_leaf(u64 entry, unsigned level)
{
	return !(entry & X86_PTE_P) || level == X86_PT || entry & X86_PTE_PS;
}

/* Leaves that go on alike: the same bits, frames in a row. */
static unsigned run_length(const u64 *table, unsigned i, unsigned level)
{
	u64 step = table[i] & X86_PTE_P ? x86_level_size(level) : 0;
	unsigned n = 1;

	while (i + n < PTRS_PER_TABLE && table[i + n] == table[i] + n * step)
		n++;
	return n;
}

static void see_table(const struct tables *t, u64 pa, unsigned level, u64 va)
{
	const u64 *table = (const u64 *)(t->ram + pa);
	struct shown_entry e = {.table = x86_level_name(level), .level = level};

	for (unsigned i = 0; i < (level == X86_PML4 ? USER_ENTRIES : PTRS_PER_TABLE); i += e.n) {
		e.n = 1;
		if (!table[i])
			continue;
		e.index = i;
		e.va = va + i * x86_level_size(level);
		e.entry = table[i];
		e.leaf = is_leaf(e.entry, level);
		if (e.leaf)
			e.n = run_length(table, i, level);
		t->see(t->ctx, &e);
		if (!e.leaf)
			see_table(t, e.entry & X86_PHYS_MASK, level - 1, e.va);
	}
}

void show_each_entry(const struct computer *c, unsigned process, void (*see)(void *ctx, const struct shown_entry *e),
		     void *ctx)
{
	struct tables t = {hw_soft_ram(c->hw), see, ctx};

	see_table(&t, hw_read_cr3(computer_cpu(c, process)) & X86_PHYS_MASK, X86_PML4, 0);
}

static void put_entry(void *ctx, const struct shown_entry *e)
{
	FILE *out = ctx;

	fprintf(out, "%*s%s[%u", 2 * (int)(X86_PML4 - e->level) + 4, "", e->table, e->index);
	if (e->n > 1)
		fprintf(out, "..%u", e->index + e->n - 1);
	fprintf(out, "] %012" PRIx64 " %s %#" PRIx64, e->va, e->leaf ? "page" : "table",
		(u64)(e->entry & X86_PHYS_MASK));
	for (const struct named *bit = pte_bit_names; bit->name && e->entry & X86_PTE_P; bit++)
		if (e->entry & (u64)bit->value)
			fprintf(out, " %s", bit->name);
	fputs(e->entry & X86_PTE_P ? "\n" : " not present\n", out);
}

void show_tables(const struct computer *c, unsigned process, FILE *out)
{
	u64 cr3 = hw_read_cr3(computer_cpu(c, process)), root = cr3 & X86_PHYS_MASK, pcid = cr3 & X86_CR3_PCID;

	fprintf(out, "    CR3 = %#" PRIx64 ": PML4 at %#" PRIx64 ", PCID %" PRIu64 "\n", cr3, root, pcid);
	show_each_entry(c, process, put_entry, out);
}

/* ---- caches ---- */

struct caches {
	void (*see)(void *ctx, const struct shown_cached *e);
	void *ctx;
};

/* level: of the tables, for a paging-structure cache; 0: a TLB. */
static struct shown_cached cached(u64 tag, u64 data, const char *name, unsigned level)
{
	static const char *const size[] = {"4K", "2M", "1G"};
	unsigned shift = level ? x86_level_shift(level) : tlb_size_shift(tlb_kind_size(tlb_tag_kind(tag)));

	return (struct shown_cached){
	    .cache = name,
	    .size = level ? x86_level_name(level) : size[tlb_kind_size(tlb_tag_kind(tag))],
	    .va = tag >> (shift + 4) << shift,
	    .pcid = tag & TLB_TAG_PCID,
	    .frame = data & TLB_FRAME,
	    .rights = {data & TLB_W ? 'W' : '-', data & TLB_U ? 'U' : '-', data & TLB_X ? 'X' : '-',
		       data & TLB_D ? 'D' : '-'},
	};
}

static void see_array(const struct caches *t, const struct tlb_array *a, const char *name, unsigned level)
{
	for (u32 i = 0; i < a->entries; i++) {
		struct shown_cached e;

		if (!a->tag[i])
			continue;
		e = cached(a->tag[i], a->data[i], name, level);
		t->see(t->ctx, &e);
	}
}

static void see_level(const struct caches *t, const struct tlb_level *l, const char *name)
{
	for (u32 i = 0; i < l->nr; i++)
		see_array(t, &l->array[i], name, 0);
}

void show_each_cached(const struct computer *c, unsigned process, void (*see)(void *ctx, const struct shown_cached *e),
		      void *ctx)
{
	const struct mmu_cpu *cpu = hw_soft_mmu(computer_cpu(c, process));
	struct caches t = {see, ctx};

	see_level(&t, cpu->l1[0], "L1d");
	see_level(&t, cpu->l1[1], "L1i");
	see_level(&t, cpu->l2[0], "L2");
	if (cpu->l2[1] != cpu->l2[0])
		see_level(&t, cpu->l2[1], "L2i");
	for (unsigned level = X86_PD; level <= X86_PML4; level++)
		see_array(&t, &cpu->psc.level[level], "walk", level);
}

static void put_cached(void *ctx, const struct shown_cached *e)
{
	fprintf(ctx, "    %-6s %012" PRIx64 " %-4s pcid %-2" PRIu64 " -> %#" PRIx64 " %s\n", e->cache, e->va, e->size,
		e->pcid, e->frame, e->rights);
}

void show_tlb(const struct computer *c, unsigned process, FILE *out)
{
	const struct mmu_cpu *cpu = hw_soft_mmu(computer_cpu(c, process));

	fprintf(out, "    CPU %u, %s (W: may be written, U: user, X: may be executed, D: dirty)\n",
		hw_cpu_id(computer_cpu(c, process)), cpu->cfg.preset->title);
	show_each_cached(c, process, put_cached, out);
}

/* ---- the rest ---- */

void show_maps(const struct computer *c, unsigned process, FILE *out)
{
	struct play_maps maps;
	char size[24];

	computer_maps(c, process, &maps);
	maps_print(&maps, "    ", out);
	fprintf(out, "    resident: %s\n", size_text(maps.rss_bytes, size));
	maps_free(&maps);
}

void show_counters(const struct computer *c, FILE *out)
{
	struct machine_counters now;

	machine_counters_read(c->hw, &now);
	for (const struct counter_row *row = machine_counter_rows; row->sentence; row++)
		if (row->script && counter_value(row, &now))
			fprintf(out, "    %-14s %8" PRIu64 "  %s\n", row->script, counter_value(row, &now),
				row->sentence);
}
