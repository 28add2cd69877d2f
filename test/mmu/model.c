/* SPDX-License-Identifier: MIT
 *
 * test/mmu/model.c - the manual a second time, sentence by sentence, for comparison with mmu/walk.c. Slow and plain:
 * no accumulated rights, no tables of masks; each rule looks at the entries themselves.
 *
 * Source: Intel SDM vol. 3A, sections 4.5 to 4.8; the section is named at each rule.
 */
#include "test/mmu/computer.h"

struct path {
	u64 e[6];
	u64 pa[6];
	unsigned top, leaf;
};

static bool kind_is(unsigned access, unsigned kind)
{
	return (access & MMU_KIND) == kind;
}

/* "The linear address is a user-mode address if the U/S flag is 1 in every entry", and alike for R/W (4.6.1). */
static bool every(const struct path *p, u64 bit)
{
	for (unsigned l = p->top; l >= p->leaf; l--)
		if (!(p->e[l] & bit))
			return false;
	return true;
}

static bool any(const struct path *p, u64 bit)
{
	for (unsigned l = p->top; l >= p->leaf; l--)
		if (p->e[l] & bit)
			return true;
	return false;
}

/* 4.5.4 and tables 4-15 to 4-20: does this present entry have a reserved bit set? */
static bool reserved(const struct computer *c, unsigned level, u64 e)
{
	if (!(c->efer & X86_EFER_NXE) && e >> 63)
		return true;
	for (unsigned bit = c->cfg.phys_bits; bit < 52; bit++)
		if (e >> bit & 1)
			return true;
	if (level == 1 || !(e & X86_PTE_PS))
		return false;
	if (level >= 4)
		return true; /* PS "must be 0" */
	if (level == 3 && !c->cfg.gbpages)
		return true;
	for (unsigned bit = 13; bit < (level == 3 ? 30u : 21u); bit++)
		if (e >> bit & 1)
			return true;
	return false;
}

/* 4.6.1, supervisor-mode accesses. */
static bool supervisor_allowed(const struct computer *c, const struct path *p, unsigned access)
{
	bool wp = c->cr0 & X86_CR0_WP, smap = c->cr4 & X86_CR4_SMAP, ac = access & MMU_AC;

	if (kind_is(access, MMU_FETCH)) {
		if (every(p, X86_PTE_US) && c->cr4 & X86_CR4_SMEP)
			return false;
		return !(c->efer & X86_EFER_NXE) || !any(p, X86_PTE_NX);
	}
	if (every(p, X86_PTE_US) && smap && !ac)
		return false;
	if (kind_is(access, MMU_READ))
		return true;
	return !wp || every(p, X86_PTE_RW);
}

/* 4.6.1, user-mode accesses. */
static bool user_allowed(const struct computer *c, const struct path *p, unsigned access)
{
	if (!every(p, X86_PTE_US))
		return false;
	if (kind_is(access, MMU_WRITE))
		return every(p, X86_PTE_RW);
	if (kind_is(access, MMU_FETCH))
		return !(c->efer & X86_EFER_NXE) || !any(p, X86_PTE_NX);
	return true;
}

/* 4.6.2: protection keys of user-mode addresses, data accesses only. */
static bool key_denies(const struct computer *c, const struct path *p, unsigned access)
{
	unsigned key = p->e[p->leaf] >> 59 & 15;
	bool ad = c->pkru >> (2 * key) & 1, wd = c->pkru >> (2 * key + 1) & 1;

	if (!(c->cr4 & X86_CR4_PKE) || kind_is(access, MMU_FETCH) || !every(p, X86_PTE_US))
		return false;
	if (ad)
		return true;
	if (!wd || !kind_is(access, MMU_WRITE))
		return false;
	return (access & MMU_USER) || (c->cr0 & X86_CR0_WP);
}

/* 4.7 and figure 4-12. */
static struct model_result page_fault(const struct computer *c, unsigned access, u32 cause, unsigned steps)
{
	struct model_result r = {.outcome = MMU_PF, .error_code = cause, .steps = steps};

	if (kind_is(access, MMU_WRITE))
		r.error_code |= 1 << 1;
	if (access & MMU_USER)
		r.error_code |= 1 << 2;
	if (kind_is(access, MMU_FETCH) && (c->efer & X86_EFER_NXE || c->cr4 & X86_CR4_SMEP))
		r.error_code |= 1 << 4;
	return r;
}

static u64 load(const struct computer *c, const u8 *ram, u64 pa)
{
	u64 e = ~0ull;

	if (pa <= c->cfg.ram_bytes - 8)
		memcpy(&e, ram + pa, 8);
	return e;
}

/* 4.8: A in every entry used, D in the leaf of a write. */
static void accessed_and_dirty(const struct path *p, u8 *ram, unsigned access)
{
	for (unsigned l = p->top; l >= p->leaf; l--) {
		u64 e = p->e[l] | 1 << 5;

		if (l == p->leaf && kind_is(access, MMU_WRITE))
			e |= 1 << 6;
		if (e != p->e[l])
			memcpy(ram + p->pa[l], &e, 8);
	}
}

struct model_result model_access(const struct computer *c, u8 *ram, u64 cr3, u64 va, unsigned access)
{
	struct path p = {.top = c->cr4 & X86_CR4_LA57 ? 5 : 4};
	unsigned width = p.top == 5 ? 57 : 48, steps = 0;
	u64 sign = (u64)-1 << (width - 1), table = cr3 & 0x000ffffffffff000ull, size;

	if ((va & sign) != 0 && (va & sign) != sign)
		return (struct model_result){.outcome = MMU_GP};
	for (p.leaf = p.top;; p.leaf--) {
		unsigned l = p.leaf;

		p.pa[l] = table + (va >> (12 + 9 * (l - 1)) & 511) * 8;
		p.e[l] = load(c, ram, p.pa[l]);
		steps++;
		if (!(p.e[l] & 1))
			return page_fault(c, access, 0, steps);
		if (reserved(c, l, p.e[l]))
			return page_fault(c, access, 1 | 1 << 3, steps);
		if (l == 1 || p.e[l] & X86_PTE_PS)
			break;
		table = p.e[l] & 0x000ffffffffff000ull;
	}
	if (!(access & MMU_USER ? user_allowed(c, &p, access) : supervisor_allowed(c, &p, access)) ||
	    key_denies(c, &p, access))
		return page_fault(c, access, 1 | (key_denies(c, &p, access) ? 1 << 5 : 0), steps);
	accessed_and_dirty(&p, ram, access);
	size = 4096ull << (9 * (p.leaf - 1));
	return (struct model_result){.outcome = MMU_OK,
				     .pa = (p.e[p.leaf] & 0x000ffffffffff000ull & ~(size - 1)) | (va & (size - 1)),
				     .size = p.leaf - 1,
				     .steps = steps};
}
