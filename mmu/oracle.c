/* SPDX-License-Identifier: MIT
 *
 * mmu/oracle.c - the TLB oracle (mmu_config.oracle). A machine that forgot a flush runs on without a sign until the
 * frame is reused; the oracle stops it at the first use instead.
 *
 * Stale: the cached entry has a right (W, U, X) or a D bit that the tables do not have now, another protection key, or
 * another frame, or the tables do not translate va at all; and flush_pending() does not say that a flush will come. D
 * counts, because a write through such an entry would leave no trace in the tables. An entry that grants less than the
 * tables is legal: it leads to a spurious fault or a rewalk.
 *
 *   stale entry used: L1 TLB va 0x7f0000001000 pcid 0x2: cached 0x1234000 WUXD key 0, tables 0x1234000 -UX- key 0
 */
#include "mmu/oracle.h"

struct line {
	char text[192];
	u32 len;
};

static void line_text(struct line *l, const char *text)
{
	while (*text && l->len < sizeof(l->text) - 1)
		l->text[l->len++] = *text++;
	l->text[l->len] = 0;
}

static void line_hex(struct line *l, u64 v)
{
	char digits[19] = "0x";
	unsigned n = 2;

	for (int shift = 60; shift >= 0; shift -= 4)
		if (v >> shift || !shift)
			digits[n++] = "0123456789abcdef"[v >> shift & 15];
	digits[n] = 0;
	line_text(l, digits);
}

static void line_data(struct line *l, u64 data)
{
	char rights[] = " WUXD key ";

	for (unsigned bit = 0; bit < 4; bit++)
		if (!(data >> bit & 1))
			rights[1 + bit] = '-';
	line_hex(l, data & TLB_FRAME);
	line_text(l, rights);
	line_hex(l, (data & TLB_PKEY) >> TLB_PKEY_SHIFT);
}

/* cached: a translation of va as a 4K page, in tlb.h's form. */
static void oracle_compare(struct mmu_cpu *cpu, u64 va, u64 cached, const char *cache)
{
	struct walk now;
	struct line l = {.len = 0};
	u64 data = 0, named = TLB_FRAME | (cpu->pke ? TLB_PKEY : 0);

	walk_begin(cpu, va, &now);
	walk_descend(cpu, &now);
	if (now.leaf)
		data = walk_data(&now, MMU_4K);
	if (now.leaf && !((cached ^ data) & named) && !(cached & ~data & TLB_RIGHTS))
		return;
	if (cpu->cfg.flush_pending && cpu->cfg.flush_pending(cpu->cfg.ctx, cpu->pcid, va))
		return;
	line_text(&l, "stale entry used: ");
	line_text(&l, cache);
	line_text(&l, " va ");
	line_hex(&l, va);
	line_text(&l, " pcid ");
	line_hex(&l, cpu->pcid);
	line_text(&l, ": cached ");
	line_data(&l, cached);
	line_text(&l, ", tables ");
	if (now.leaf)
		line_data(&l, data);
	else
		line_text(&l, now.refused ? "malformed" : "not present");
	cpu->cfg.oracle_fail(cpu->cfg.ctx, va, l.text);
}

void oracle_check_hit(struct mmu_cpu *cpu, u64 va, struct tlb_ref e, const char *cache)
{
	u64 size = tlb_size_bytes(tlb_kind_size(tlb_tag_kind(e.array->tag[e.i])));

	oracle_compare(cpu, va, e.array->data[e.i] | (va & (size - 1) & ~(PAGE_SIZE - 1)), cache);
}

void oracle_check_walk(struct mmu_cpu *cpu, const struct walk *w)
{
	if (w->top != cpu->levels && w->leaf)
		oracle_compare(cpu, w->va, walk_data(w, MMU_4K), "paging-structure cache");
}
