/* SPDX-License-Identifier: MIT
 *
 * test/mmu/registers.c - which loads of CR0, CR3, CR4 and EFER are #GP: the manual's sentences as a table, against the
 * model, for every combination of the bits that any of them names, from every state that can be reached.
 *
 * What a load did shows from outside: whether an access is translated, how wide an address may be, whether INVPCID
 * knows PCIDs, whether a fetch says so in its error code. After a refused load all must be as it was.
 */
#include "test/mmu/computer.h"

#define CR4_CET (1ull << 23)

enum reg { CR0, CR3, CR4, EFER, NR_REGS };

struct regs {
	u64 v[NR_REGS];
	u8 phys_bits;
	bool pcid; /* the CPU has it */
};

static bool sets(const struct regs *r, enum reg reg, u64 v, u64 bit)
{
	return ~r->v[reg] & v & bit;
}
static bool clears(const struct regs *r, enum reg reg, u64 v, u64 bit)
{
	return r->v[reg] & ~v & bit;
}
static bool lma(const struct regs *r)
{
	return r->v[CR0] & X86_CR0_PG;
}

/* ---- the manual: SDM vol. 2, MOV to control registers, exceptions in 64-bit mode; vol. 3A at the rule ---- */

/* "Attempts to set any reserved bits in CR0[63:32]" */
static bool cr0_high(const struct regs *r, u64 v)
{
	return v >> 32;
}
/* 2.5: "If the PE flag is not set, setting the PG flag causes a general-protection exception" */
static bool cr0_pg_without_pe(const struct regs *r, u64 v)
{
	return v & X86_CR0_PG && !(v & X86_CR0_PE);
}
/* "setting the CD flag to 0 when the NW flag is set to 1" */
static bool cr0_nw_without_cd(const struct regs *r, u64 v)
{
	return v & X86_CR0_NW && !(v & X86_CR0_CD);
}
/* "If an attempt is made to clear CR0.PG [bit 31]" in 64-bit mode */
static bool cr0_clears_pg(const struct regs *r, u64 v)
{
	return lma(r) && clears(r, CR0, v, X86_CR0_PG);
}
/* 4.1.2: "software cannot enable paging with LME = 1 and PAE = 0" */
static bool cr0_pg_without_pae(const struct regs *r, u64 v)
{
	return sets(r, CR0, v, X86_CR0_PG) && r->v[EFER] & X86_EFER_LME && !(r->v[CR4] & X86_CR4_PAE);
}
/* Not the manual's: the model has no paging of 32-bit code. */
static bool cr0_pg_without_lme(const struct regs *r, u64 v)
{
	return sets(r, CR0, v, X86_CR0_PG) && !(r->v[EFER] & X86_EFER_LME);
}
/* "to write a 1 to any reserved bit in CR3[63:MAXPHYADDR]", where bit 63 is none with PCIDE */
static bool cr3_reserved(const struct regs *r, u64 v)
{
	return (r->v[CR4] & X86_CR4_PCIDE ? v << 1 >> 1 : v) >> r->phys_bits;
}
/* "to write a 1 to any reserved bit in CR4"; those of what this CPU does not have are */
static bool cr4_reserved(const struct regs *r, u64 v)
{
	return v >> 23 || v & 1ull << 15 || v & 1ull << 19 || (v & X86_CR4_PCIDE && !r->pcid);
}
/* "to leave IA-32e mode by clearing CR4.PAE [bit 5]" */
static bool cr4_clears_pae(const struct regs *r, u64 v)
{
	return lma(r) && clears(r, CR4, v, X86_CR4_PAE);
}
/* 2.5: LA57: "This bit cannot be modified while in IA-32e mode" */
static bool cr4_la57(const struct regs *r, u64 v)
{
	return lma(r) && (r->v[CR4] ^ v) & X86_CR4_LA57;
}
/* 4.10.1: "Software can change CR4.PCIDE from 0 to 1 only if IA32_EFER.LMA = 1" ... */
static bool cr4_pcide_without_lma(const struct regs *r, u64 v)
{
	return sets(r, CR4, v, X86_CR4_PCIDE) && !lma(r);
}
/* ... "and CR3[11:0] = 000H" */
static bool cr4_pcide_over_cr3(const struct regs *r, u64 v)
{
	return sets(r, CR4, v, X86_CR4_PCIDE) && r->v[CR3] & 0xfff;
}
/* WRMSR: "If the value in EDX:EAX sets bits that are reserved in the MSR" */
static bool efer_reserved(const struct regs *r, u64 v)
{
	return v & ~(1ull << 0 | 1ull << 8 | 1ull << 10 | 1ull << 11);
}
/* 4.1.2: "software cannot modify IA32_EFER.LME while paging is enabled (CR0.PG = 1)" */
static bool efer_lme(const struct regs *r, u64 v)
{
	return r->v[CR0] & X86_CR0_PG && (r->v[EFER] ^ v) & X86_EFER_LME;
}

static struct rule {
	enum reg reg;
	const char *name;
	bool (*breaks)(const struct regs *r, u64 v);
	u64 alone; /* loads that broke this rule only */
} rules[] = {
#define RULE(reg, f)                                                                                                   \
	{                                                                                                              \
		reg, #f, f, 0                                                                                          \
	}
    RULE(CR0, cr0_high),
    RULE(CR0, cr0_pg_without_pe),
    RULE(CR0, cr0_nw_without_cd),
    RULE(CR0, cr0_clears_pg),
    RULE(CR0, cr0_pg_without_pae),
    RULE(CR0, cr0_pg_without_lme),
    RULE(CR3, cr3_reserved),
    RULE(CR4, cr4_reserved),
    RULE(CR4, cr4_clears_pae),
    RULE(CR4, cr4_la57),
    RULE(CR4, cr4_pcide_without_lma),
    RULE(CR4, cr4_pcide_over_cr3),
    RULE(EFER, efer_reserved),
    RULE(EFER, efer_lme),
};

static bool is_gp(const struct regs *r, enum reg reg, u64 v)
{
	struct rule *broken = NULL;
	unsigned n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].reg == reg && rules[i].breaks(r, v)) {
			broken = &rules[i];
			n++;
		}
	if (n == 1)
		broken->alone++;
	return n > 0;
}

/* ---- loads ---- */

/* The bits that the rules name, one that none does, and one or two that are reserved. */
static const u64 bits[NR_REGS][12] = {
    [CR0] = {X86_CR0_PE, X86_CR0_WP, X86_CR0_NW, X86_CR0_CD, X86_CR0_PG, 1ull << 4, 1ull << 20, 1ull << 32, 1ull << 63},
    [CR3] = {1 << 0, 1 << 3, 1 << 11, 1ull << 12, 1ull << 35, 1ull << 36, 1ull << 51, 1ull << 52, 1ull << 62,
	     1ull << 63},
    [CR4] = {X86_CR4_PSE, X86_CR4_PAE, X86_CR4_PGE, X86_CR4_LA57, X86_CR4_PCIDE, X86_CR4_SMEP, X86_CR4_SMAP,
	     X86_CR4_PKE, CR4_CET, 1ull << 15, 1ull << 63},
    [EFER] = {X86_EFER_SCE, 1ull << 1, X86_EFER_LME, X86_EFER_LMA, X86_EFER_NXE, 1ull << 12, 1ull << 63},
};

static u64 value(enum reg reg, unsigned n)
{
	u64 v = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(bits[reg]); i++)
		v |= n >> i & 1 ? bits[reg][i] : 0;
	return v;
}
static unsigned nr_values(enum reg reg)
{
	unsigned n = 0;

	while (n < ARRAY_SIZE(bits[reg]) && bits[reg][n])
		n++;
	return 1u << n;
}

static struct computer c;

static int load(enum reg reg, u64 v)
{
	int (*const loads[])(struct mmu_cpu *, u64) = {mmu_write_cr0, mmu_write_cr3, mmu_write_cr4, mmu_write_efer};

	return loads[reg](c.cpu, v);
}

/* What is seen from outside is what these registers say. RAM is empty. */
static bool is_in(const struct regs *r)
{
	bool tells_fetch = r->v[EFER] & X86_EFER_NXE || r->v[CR4] & X86_CR4_SMEP;
	struct mmu_result a;
	bool right;

	right = mmu_read_cr3(c.cpu) == r->v[CR3];
	right &= mmu_access(c.cpu, 0x5000, MMU_FETCH, -1, &a) == (lma(r) ? MMU_PF : MMU_OK);
	right &= lma(r) ? !(a.error_code & X86_PF_INSTR) == !tells_fetch : a.pa == 0x5000;
	right &= mmu_access(c.cpu, 1ull << 50, MMU_READ, -1, &a) == (!(r->v[CR4] & X86_CR4_LA57) ? MMU_GP
								     : lma(r)                    ? MMU_PF
												 : MMU_OK);
	return right & ((mmu_invpcid(c.cpu, X86_INVPCID_SINGLE, 1, 0) == 0) == !!(r->v[CR4] & X86_CR4_PCIDE));
}

/* Returns whether it was refused. */
static bool try_load(const struct regs *from, enum reg reg, u64 v)
{
	struct regs to = *from;
	bool gp = is_gp(from, reg, v);
	int got = load(reg, v);

	if (!gp)
		to.v[reg] = reg == CR3 && from->v[CR4] & X86_CR4_PCIDE ? v << 1 >> 1
			    : reg == EFER                              ? v & ~X86_EFER_LMA
								       : v;
	if (got != (gp ? -1 : 0) || !is_in(&to))
		fail_msg("register %u = %#lx: %s wanted; was cr0 %#lx cr3 %#lx cr4 %#lx efer %#lx, MAXPHYADDR %u", reg,
			 v, gp ? "#GP" : "no #GP", from->v[CR0], from->v[CR3], from->v[CR4], from->v[EFER],
			 from->phys_bits);
	return gp;
}

/* A CPU in that state, in the order in which a kernel goes there. False: no order of loads leads there. */
static bool reach(const struct regs *r)
{
	mmu_cpu_init(c.cpu, &c.cfg);
	return load(EFER, r->v[EFER]) == 0 && load(CR4, r->v[CR4] & ~X86_CR4_PCIDE) == 0 && load(CR0, r->v[CR0]) == 0 &&
	       load(CR4, r->v[CR4]) == 0 && load(CR3, r->v[CR3]) == 0;
}

static bool regs_make(struct regs *r, unsigned n)
{
	*r = (struct regs){.phys_bits = c.cfg.phys_bits, .pcid = c.cfg.preset->pcid};
	r->v[CR0] = n & 1 ? PAGING : 0;
	r->v[CR4] = (n & 2 ? X86_CR4_PAE : 0) | (n & 4 ? X86_CR4_LA57 : 0) | (n & 8 ? X86_CR4_PCIDE : 0) |
		    (n & 16 ? X86_CR4_SMEP : 0);
	r->v[EFER] = (n & 32 ? X86_EFER_LME : 0) | (n & 64 ? X86_EFER_NXE : 0);
	r->v[CR3] = (n & 128 ? 0x1000 : 0) | (n & 256 ? 0x8 : 0);
	return reach(r);
}

static u64 from_every_state(bool pcid, unsigned phys_bits)
{
	/* few entries: a CPU is made millions of times */
	const struct cpu_preset preset = {.pcid = pcid,
					  .l1i = {{{.sizes = 7, .sets = 1, .ways = 1}}},
					  .l1d = {{{.sizes = 7, .sets = 1, .ways = 1}}},
					  .l2 = {{{.sizes = 7, .sets = 1, .ways = 1}}}};
	struct regs r;
	u64 loads = 0;

	computer_init(&c, &preset);
	c.cfg.phys_bits = phys_bits;
	computer_reset(&c);
	for (unsigned n = 0; n < 512; n++) {
		if (!regs_make(&r, n))
			continue;
		assert_true(is_in(&r));
		for (unsigned reg = 0; reg < NR_REGS; reg++)
			for (unsigned i = 0; i < nr_values(reg); i++, loads++)
				if (!try_load(&r, reg, value(reg, i)))
					assert_true(reach(&r));
	}
	computer_free(&c);
	return loads;
}

static void every_load(void **state)
{
	u64 loads = from_every_state(true, 36) + from_every_state(true, 52) + from_every_state(false, 48);

	print_message("%lu loads\n", loads);
	for (unsigned i = 0; i < ARRAY_SIZE(rules); i++) {
		print_message("%-22s alone: %lu\n", rules[i].name, rules[i].alone);
		assert_true(rules[i].alone);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_load)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
