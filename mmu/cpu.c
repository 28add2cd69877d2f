/* SPDX-License-Identifier: MIT
 *
 * mmu/cpu.c - creation, control registers with their #GP rules, and every way to invalidate.
 *
 *   what                          TLB entries dropped                paging-structure caches
 *   MOV CR3, PCIDE=0              all but global                     all
 *   MOV CR3, PCIDE=1              the new PCID's, but global         the new PCID's
 *   MOV CR3, PCIDE=1, bit 63      none                               none
 *   INVLPG                        va: this PCID's and global         all of this PCID
 *   INVPCID address               va: that PCID's, but global        those for va of that PCID
 *   INVPCID single                that PCID's, but global            that PCID's
 *   INVPCID all / all but global  all / all but global               all
 *   CR4.PGE or PSE changes, PCIDE 1->0, SMEP 0->1, EFER.NXE changes: everything
 *   #PF                           va: this PCID's and global         those for va of this PCID
 *
 * The manual lets a CPU drop more at any time; the model drops more than it must only in the last row but one (SMEP
 * need drop the current PCID only; NXE nothing), where no program can measure it, and global entries at a #PF. So what
 * software forgot to flush stays, and shows.
 *
 * Modes: a CPU begins with paging off, all registers 0 and va = pa, as a boot loader knows it. Setting CR0.PG takes it
 * to 64-bit mode (EFER.LMA = CR0.PG), where it stays: the way out leads through compatibility mode, which is no matter
 * of paging and not here. Nor is 32-bit paging: PG is refused without EFER.LME. A refused write changes nothing.
 *
 * Sources: Intel SDM vol. 3A 2.2.1, 2.5, 4.1.2, 4.10.1, 4.10.4.1; vol. 2 MOV-Control Registers, WRMSR, INVLPG, INVPCID.
 */
#include <string.h>

#include "mmu/cpu.h"
#include "mmu/walk.h"

/* CR4 bits that exist and do not concern paging: VME..MCE, PCE..SMXE, FSGSBASE, OSXSAVE (SDM 2.5). There is no CET, and
 * so none of its rules; no PKS, LASS or LAM. */
#define CR4_OTHER 0x56f4full

/* ---- creation ---- */

u64 mmu_cpu_bytes(const struct mmu_config *cfg)
{
	const struct cpu_preset *p = cfg->preset;

	return ALIGN_UP(sizeof(struct mmu_cpu), 64) + tlb_level_bytes(&p->l1d) + tlb_level_bytes(&p->l1i) +
	       tlb_level_bytes(&p->l2) + tlb_level_bytes(&p->l2i) + psc_bytes(&p->psc) * (cfg->host_page ? 2 : 1);
}

/* Bits that must be 0 in a present entry, by level and by PS (SDM 4.5.4, tables 4-15 to 4-20). */
static void derive_reserved(struct mmu_cpu *cpu)
{
	u64 always = X86_PHYS_MASK & ~((1ull << cpu->cfg.phys_bits) - 1);

	if (!(cpu->efer & X86_EFER_NXE))
		always |= X86_PTE_NX;
	for (unsigned level = X86_PT; level <= X86_PML5; level++) {
		cpu->rsvd[level][0] = always;
		cpu->rsvd[level][1] = always;
		if (level >= X86_PML4 || (level == X86_PDPT && !cpu->cfg.gbpages))
			cpu->rsvd[level][1] |= X86_PTE_PS;
		else if (level >= X86_PD) /* a large leaf: address bits below its size, but bit 12 is PAT */
			cpu->rsvd[level][1] |= (x86_level_size(level) - 1) & X86_PHYS_MASK & ~X86_PTE_PAT_LARGE;
	}
}

/* What follows from CR3 alone: a kernel with page-table isolation loads it twice an entry. */
static void derive_cr3(struct mmu_cpu *cpu)
{
	cpu->pcid = cpu->cr4 & X86_CR4_PCIDE ? cpu->cr3 & X86_CR3_PCID : 0;
	cpu->root = cpu->cr3 & X86_PHYS_MASK;
}

static void cpu_derive(struct mmu_cpu *cpu)
{
	cpu->paging = cpu->cr0 & X86_CR0_PG;
	cpu->pke = cpu->cr4 & X86_CR4_PKE;
	cpu->levels = cpu->cr4 & X86_CR4_LA57 ? 5 : 4;
	cpu->noncanonical_shift = cpu->cr4 & X86_CR4_LA57 ? 64 - 57 : 64 - 48;
	cpu->low_end = cpu->paging ? 1ull << (63 - cpu->noncanonical_shift) : 0;
	derive_cr3(cpu);
	derive_reserved(cpu);
	for (unsigned access = 0; access < ARRAY_SIZE(cpu->allow); access++) {
		cpu->allow[access] = 0;
		for (unsigned rights = 0; rights <= TLB_RIGHTS; rights++) {
			bool dirty = (access & MMU_KIND) != MMU_WRITE || rights & TLB_D;

			if (dirty && walk_allows(cpu, access, rights))
				cpu->allow[access] |= 1u << rights;
		}
	}
}

void mmu_cpu_init(struct mmu_cpu *cpu, const struct mmu_config *cfg)
{
	const struct cpu_preset *p = cfg->preset;
	u8 *mem = (u8 *)cpu + ALIGN_UP(sizeof(*cpu), 64);

	memset(cpu, 0, sizeof(*cpu));
	cpu->cfg = *cfg;
	cpu->oracle = cfg->oracle;
	cpu->largest = p->gbpages_smashed ? MMU_2M : MMU_1G;
	if (cfg->host_page)
		cpu->largest = min(cpu->largest, (u8)(cfg->host_page - 1));
	mem = tlb_level_init(&cpu->level[0], &p->l1d, &cpu->window, mem);
	mem = tlb_level_init(&cpu->level[1], &p->l1i, &cpu->window, mem);
	mem = tlb_level_init(&cpu->level[2], &p->l2, NULL, mem);
	mem = tlb_level_init(&cpu->level[3], &p->l2i, NULL, mem);
	mem = psc_init(&cpu->psc, &p->psc, mem);
	if (cfg->host_page)
		psc_init(&cpu->host_psc, &p->psc, mem);
	if (cfg->lines)
		lines_init(&cpu->lines, &p->cache, cfg->host_page, cfg->lines);
	cpu->l1[0] = &cpu->level[0];
	cpu->l1[1] = &cpu->level[1];
	cpu->l2[0] = &cpu->level[2];
	cpu->l2[1] = cpu->level[3].nr ? &cpu->level[3] : &cpu->level[2];
	cpu_derive(cpu);
}

/* ---- invalidation ---- */

static void tlb_drop_if(struct mmu_cpu *cpu, u64 mask, u64 match)
{
	for (unsigned n = 0; n < ARRAY_SIZE(cpu->level); n++)
		cpu->counters.entries_flushed += tlb_level_drop_if(&cpu->level[n], mask, match);
}

static u64 tlb_drop_va(struct mmu_cpu *cpu, u64 va, unsigned pcid, bool global)
{
	u64 dropped = 0;

	for (unsigned n = 0; n < ARRAY_SIZE(cpu->level); n++)
		dropped += tlb_level_drop_va(&cpu->level[n], va, pcid, global);
	return dropped;
}

static void drop_pcid(struct mmu_cpu *cpu, unsigned pcid)
{
	tlb_drop_if(cpu, TLB_TAG_GLOBAL | TLB_TAG_PCID, pcid);
	psc_drop_pcid(&cpu->psc, pcid);
}

static void drop_all(struct mmu_cpu *cpu, bool global)
{
	tlb_drop_if(cpu, global ? 0 : TLB_TAG_GLOBAL, 0);
	psc_drop_all(&cpu->psc);
}

void cpu_fault_invalidate(struct mmu_cpu *cpu, u64 va)
{
	tlb_drop_va(cpu, va, cpu->pcid, true);
	psc_drop_va(&cpu->psc, va, cpu->pcid);
}

void mmu_invlpg(struct mmu_cpu *cpu, u64 va)
{
	cpu->counters.invlpg++;
	if (!x86_canonical(va, 64 - cpu->noncanonical_shift))
		return;
	cpu->counters.entries_flushed += tlb_drop_va(cpu, va, cpu->pcid, true);
	psc_drop_pcid(&cpu->psc, cpu->pcid);
}

int mmu_invpcid(struct mmu_cpu *cpu, unsigned type, unsigned pcid, u64 va)
{
	bool names_pcid = type == X86_INVPCID_ADDR || type == X86_INVPCID_SINGLE;

	if (type > X86_INVPCID_ALL || pcid > X86_CR3_PCID || (names_pcid && pcid && !(cpu->cr4 & X86_CR4_PCIDE)) ||
	    (type == X86_INVPCID_ADDR && !x86_canonical(va, 64 - cpu->noncanonical_shift)))
		return -1;
	cpu->counters.invpcid++;
	switch (type) {
	case X86_INVPCID_ADDR:
		cpu->counters.entries_flushed += tlb_drop_va(cpu, va, pcid, false);
		psc_drop_va(&cpu->psc, va, pcid);
		break;
	case X86_INVPCID_SINGLE:
		drop_pcid(cpu, pcid);
		break;
	default:
		drop_all(cpu, type == X86_INVPCID_ALL_GLOBAL);
	}
	return 0;
}

/* ---- registers ---- */

/* #GP: bits 63:32; NW without CD; PG without PE; PG cleared (the CPU is in 64-bit mode); PG set without PAE, or without
 * LME (see above). Other unknown bits are ignored. */
int mmu_write_cr0(struct mmu_cpu *cpu, u64 v)
{
	bool pg = v & X86_CR0_PG, long_mode = cpu->cr4 & X86_CR4_PAE && cpu->efer & X86_EFER_LME;

	if (v >> 32 || (v & X86_CR0_NW && !(v & X86_CR0_CD)) || (pg && !(v & X86_CR0_PE)) || (cpu->paging && !pg) ||
	    (pg && !long_mode))
		return -1;
	cpu->cr0 = v;
	cpu_derive(cpu);
	return 0;
}

/* #GP: bit 63 without PCIDE, bits 62:MAXPHYADDR. */
int mmu_write_cr3(struct mmu_cpu *cpu, u64 v)
{
	bool pcide = cpu->cr4 & X86_CR4_PCIDE, keep = pcide && v & X86_CR3_NOFLUSH;

	if (pcide)
		v &= ~X86_CR3_NOFLUSH;
	if (v >> cpu->cfg.phys_bits)
		return -1;
	cpu->cr3 = v;
	derive_cr3(cpu);
	cpu->counters.cr3_loads++;
	if (keep)
		return 0;
	cpu->counters.cr3_flushes++;
	if (pcide)
		drop_pcid(cpu, cpu->pcid);
	else
		drop_all(cpu, false);
	return 0;
}

/* #GP: an unknown bit; with paging on, PAE cleared or LA57 changed; PCIDE set with paging off, with CR3[11:0] != 0, or
 * where it is not there. */
int mmu_write_cr4(struct mmu_cpu *cpu, u64 v)
{
	u64 known = CR4_OTHER | X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_LA57 | X86_CR4_SMEP | X86_CR4_SMAP |
		    X86_CR4_PKE | (cpu->cfg.preset->pcid ? X86_CR4_PCIDE : 0);
	u64 change = cpu->cr4 ^ v;

	if (v & ~known || (cpu->paging && (change & X86_CR4_LA57 || !(v & X86_CR4_PAE))) ||
	    (change & v & X86_CR4_PCIDE && (!cpu->paging || cpu->cr3 & X86_CR3_PCID)))
		return -1;
	cpu->cr4 = v;
	if (change & (X86_CR4_PGE | X86_CR4_PSE) || change & ~v & X86_CR4_PCIDE || change & v & X86_CR4_SMEP)
		drop_all(cpu, true);
	cpu_derive(cpu);
	return 0;
}

/* #GP: an unknown bit; LME changed with paging on. LMA cannot be written: it is ignored. */
int mmu_write_efer(struct mmu_cpu *cpu, u64 v)
{
	u64 known = X86_EFER_SCE | X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE, change = cpu->efer ^ v;

	if (v & ~known || (cpu->paging && change & X86_EFER_LME))
		return -1;
	cpu->efer = v & ~X86_EFER_LMA;
	if (change & X86_EFER_NXE)
		drop_all(cpu, true);
	cpu_derive(cpu);
	return 0;
}

void mmu_write_pkru(struct mmu_cpu *cpu, u32 v)
{
	cpu->pkru = v;
}

u64 mmu_read_cr3(const struct mmu_cpu *cpu)
{
	return cpu->cr3;
}

const struct mmu_counters *mmu_counters(const struct mmu_cpu *cpu)
{
	return &cpu->counters;
}
