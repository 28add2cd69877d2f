/* SPDX-License-Identifier: MIT
 *
 * mmu/psc.c - filling and dropping of the paging-structure caches. Drawing and invariants: psc.h.
 */
#include <string.h>

#include "mmu/psc.h"

static struct tlb_array_config psc_array(const struct psc_config *cfg, unsigned level)
{
	return (struct tlb_array_config){.replace = MMU_LRU, .sets = 1, .ways = cfg->entries[level]};
}

u64 psc_bytes(const struct psc_config *cfg)
{
	u64 bytes = 0;

	for (unsigned level = X86_PD; level <= X86_PML5; level++) {
		struct tlb_array_config array = psc_array(cfg, level);

		bytes += array.ways ? tlb_array_bytes(&array) : 0;
	}
	return bytes;
}

u8 *psc_init(struct psc *p, const struct psc_config *cfg, u8 *mem)
{
	memset(p, 0, sizeof(*p));
	for (unsigned level = X86_PD; level <= X86_PML5; level++) {
		struct tlb_array_config array = psc_array(cfg, level);

		if (array.ways)
			mem = tlb_array_init(&p->level[level], &array, &p->census, NULL, mem);
	}
	return mem;
}

void psc_put(struct psc *p, u64 va, unsigned level, unsigned pcid, u64 data)
{
	struct tlb_array *a = &p->level[level];
	u64 tag = psc_tag(va, level, pcid);
	u32 i;

	if (!a->entries)
		return;
	i = tlb_array_find(a, tag, 0);
	if (i == TLB_NONE)
		tlb_array_put(a, 0, tag, data);
	else
		a->data[i] = data;
}

void psc_drop_va(struct psc *p, u64 va, unsigned pcid)
{
	for (unsigned level = X86_PD; level <= X86_PML5 && p->census.present; level++) {
		struct tlb_array *a = &p->level[level];
		u32 i = a->entries ? tlb_array_find(a, psc_tag(va, level, pcid), 0) : TLB_NONE;

		if (i != TLB_NONE)
			tlb_array_drop(a, i);
	}
}

static void psc_drop_if(struct psc *p, u64 mask, u64 match)
{
	for (unsigned level = X86_PD; level <= X86_PML5 && p->census.present; level++)
		tlb_array_drop_if(&p->level[level], mask, match);
}

void psc_drop_pcid(struct psc *p, unsigned pcid)
{
	psc_drop_if(p, TLB_TAG_PCID, pcid);
}

void psc_drop_all(struct psc *p)
{
	psc_drop_if(p, 0, 0);
}
