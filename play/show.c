/* SPDX-License-Identifier: MIT
 *
 * play/show.c - `show tables|tlb|maps|counters`. The tables are read from RAM as the hardware reads them, from CR3 on.
 */
#include <inttypes.h>

#include "mmu/cpu.h" /* the TLB's contents: nothing but a display asks for them */
#include "play/names.h"
#include "play/run.h"

#define USER_ENTRIES 256 /* of the top table: addresses below 2^47 */

static const char *const level_name[] = {"", "PT", "PD", "PDPT", "PML4"};

/* ---- tables: of the user's half ---- */

struct tables {
	const u8 *ram;
	FILE *out;
};

static bool is_leaf(u64 entry, unsigned level)
{
	return !(entry & X86_PTE_P) || level == X86_PT || entry & X86_PTE_PS;
}

static void put_bits(u64 entry, FILE *out)
{
	for (const struct named *bit = pte_bit_names; bit->name; bit++)
		if (entry & (u64)bit->value)
			fprintf(out, " %s", bit->name);
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

static void put_entry(const struct tables *t, u64 entry, unsigned level, unsigned i, unsigned n, u64 va)
{
	u64 frame = entry & X86_PHYS_MASK;

	fprintf(t->out, "%*s%s[%u", 2 * (int)(X86_PML4 - level) + 4, "", level_name[level], i);
	if (n > 1)
		fprintf(t->out, "..%u", i + n - 1);
	fprintf(t->out, "] %012" PRIx64 " %s %#" PRIx64, va, is_leaf(entry, level) ? "page" : "table", frame);
	if (entry & X86_PTE_P)
		put_bits(entry, t->out);
	else
		fprintf(t->out, " not present");
	fputc('\n', t->out);
}

static void put_table(const struct tables *t, u64 pa, unsigned level, u64 va)
{
	const u64 *table = (const u64 *)(t->ram + pa);
	unsigned n;

	for (unsigned i = 0; i < (level == X86_PML4 ? USER_ENTRIES : PTRS_PER_TABLE); i += n) {
		u64 at = va + i * x86_level_size(level);

		n = 1;
		if (!table[i])
			continue;
		if (is_leaf(table[i], level))
			n = run_length(table, i, level);
		put_entry(t, table[i], level, i, n, at);
		if (!is_leaf(table[i], level))
			put_table(t, table[i] & X86_PHYS_MASK, level - 1, at);
	}
}

void show_tables(const struct computer *c, unsigned process, FILE *out)
{
	u64 cr3 = hw_read_cr3(computer_cpu(c, process)), root = cr3 & X86_PHYS_MASK, pcid = cr3 & X86_CR3_PCID;
	struct tables t = {hw_soft_ram(c->hw), out};

	fprintf(out, "    CR3 = %#" PRIx64 ": PML4 at %#" PRIx64 ", PCID %" PRIu64 "\n", cr3, root, pcid);
	put_table(&t, root, X86_PML4, 0);
}

/* ---- caches ---- */

static void put_array(const struct tlb_array *a, const char *name, unsigned level, FILE *out)
{
	for (u32 i = 0; i < a->entries; i++) {
		u64 tag = a->tag[i], data = a->data[i], pcid = tag & TLB_TAG_PCID, frame = data & TLB_FRAME;
		unsigned shift = level ? x86_level_shift(level) : tlb_size_shift(tlb_kind_size(tlb_tag_kind(tag)));
		static const char *const size[] = {"4K", "2M", "1G"};

		if (!tag)
			continue;
		fprintf(out, "    %-6s %012" PRIx64 " %-4s pcid %-2" PRIu64 " -> %#" PRIx64 " %c%c%c%c\n", name,
			tag >> (shift + 4) << shift, level ? level_name[level] : size[tlb_kind_size(tlb_tag_kind(tag))],
			pcid, frame, data & TLB_W ? 'W' : '-', data & TLB_U ? 'U' : '-', data & TLB_X ? 'X' : '-',
			data & TLB_D ? 'D' : '-');
	}
}

static void put_level(const struct tlb_level *l, const char *name, FILE *out)
{
	for (u32 i = 0; i < l->nr; i++)
		put_array(&l->array[i], name, 0, out);
}

void show_tlb(const struct computer *c, unsigned process, FILE *out)
{
	const struct mmu_cpu *cpu = hw_soft_mmu(computer_cpu(c, process));

	fprintf(out, "    CPU %u, %s (W: may be written, U: user, X: may be executed, D: dirty)\n",
		hw_cpu_id(computer_cpu(c, process)), cpu->cfg.preset->title);
	put_level(cpu->l1[0], "L1d", out);
	put_level(cpu->l1[1], "L1i", out);
	put_level(cpu->l2[0], "L2", out);
	if (cpu->l2[1] != cpu->l2[0])
		put_level(cpu->l2[1], "L2i", out);
	for (unsigned level = X86_PD; level <= X86_PML4; level++)
		put_array(&cpu->psc.level[level], "walk", level, out);
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
