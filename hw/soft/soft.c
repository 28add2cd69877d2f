/* SPDX-License-Identifier: MIT
 *
 * hw/soft/soft.c - the seam on the software MMU: RAM, CPUs, counters. soft.h draws it and numbers the invariants.
 *
 * Every call of hw.h that is an instruction is that instruction of mmu/. The registers are those of a 64-bit kernel
 * with 4-level paging: CR0 = PG WP, CR4 = PAE PGE SMEP SMAP (PCIDE), EFER = NXE.
 *
 * Sources: hw/hw.h (contracts); Intel SDM vol. 3A 4.10.1 (CR4.PCIDE is set with CR3[11:0] = 0, while paging is on).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hw/soft/soft.h"
#include "mm/vm.h"

#define LIB_PANIC(text) hw_panic(text)
#include "lib/assert.h"

#define PHYS_BITS 48 /* MAXPHYADDR: Zen 3 and Ice Lake servers have 48..52; RAM is far below */

struct hw_cpu {
	struct hw_machine *machine;
	unsigned id;
	struct mmu_cpu *mmu;
	void *lines;  /* mmu_config.lines */
	void *percpu; /* mm/'s */
};

struct hw_machine {
	u8 *ram;
	u64 ram_bytes;
	struct hw_soft_config cfg;
	struct hw_cpu cpu[HW_SOFT_CPUS];
	struct hw_cpu *current;
	u64 irq_depth; /* open hw_irq_save() */
	struct hw_soft_counters counters;
};

/* ---- the owner's side ---- */

/* ctx: the CPU. */
static _Noreturn void oracle_fail(void *ctx, u64 va, const char *text)
{
	char line[320];
	u64 nr;
	const char *who = vm_last_change(ctx, va, &nr);

	snprintf(line, sizeof(line), "%s; last changed by %s, change %llu", text, who ? who : "nobody known",
		 (unsigned long long)nr);
	hw_panic(line);
}

/* As boot code leaves a CPU. Returns false when the MMU refuses a register (#GP): a bug of ours. */
static bool cpu_reset(struct mmu_cpu *mmu, bool pcid, bool pku)
{
	const u64 cr4 = X86_CR4_PAE | X86_CR4_PGE | X86_CR4_SMEP | X86_CR4_SMAP | (pku ? X86_CR4_PKE : 0);

	return mmu_write_efer(mmu, X86_EFER_LME | X86_EFER_NXE) == 0 && mmu_write_cr4(mmu, cr4) == 0 &&
	       mmu_write_cr3(mmu, 0) == 0 && mmu_write_cr0(mmu, X86_CR0_PG | X86_CR0_WP | X86_CR0_PE) == 0 &&
	       (!pcid || mmu_write_cr4(mmu, cr4 | X86_CR4_PCIDE) == 0);
}

/* Zeroes that cost nothing until they are written; NULL: the host has none. */
static void *reserve(u64 bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void cpu_destroy(struct hw_machine *m, struct hw_cpu *cpu)
{
	free(cpu->mmu);
	cpu->mmu = NULL;
	if (cpu->lines)
		munmap(cpu->lines, mmu_lines_bytes(m->cfg.preset));
	cpu->lines = NULL;
}

struct hw_cpu *hw_soft_cpu(struct hw_machine *m, unsigned id)
{
	struct hw_cpu *cpu = &m->cpu[id];
	struct mmu_config cfg = {
	    .preset = m->cfg.preset,
	    .ram = m->ram,
	    .ram_bytes = m->ram_bytes,
	    .phys_bits = PHYS_BITS,
	    .gbpages = true,
	    .host_page = m->cfg.host_page,
	    .oracle = m->cfg.oracle,
	    .oracle_fail = oracle_fail,
	    .ctx = cpu,
	};

	if (cpu->mmu)
		return cpu;
	cpu->mmu = aligned_alloc(64, ALIGN_UP(mmu_cpu_bytes(&cfg), 64));
	if (m->cfg.lines)
		cfg.lines = cpu->lines = reserve(mmu_lines_bytes(cfg.preset));
	if (!cpu->mmu || (m->cfg.lines && !cpu->lines)) {
		cpu_destroy(m, cpu);
		return NULL;
	}
	mmu_cpu_init(cpu->mmu, &cfg);
	cpu->machine = m;
	cpu->id = id;
	if (!cpu_reset(cpu->mmu, m->cfg.pcid, m->cfg.pku))
		hw_panic("hw/soft: a CPU refuses its reset state");
	return cpu;
}

struct hw_machine *hw_soft_create(const struct hw_soft_config *cfg)
{
	struct hw_machine *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->cfg = *cfg;
	m->cfg.pcid = cfg->pcid && cfg->preset->pcid;
	m->ram_bytes = ALIGN_DOWN(cfg->ram_bytes, PAGE_SIZE);
	m->ram = cfg->ram;
	if (!m->ram)
		m->ram = reserve(m->ram_bytes);
	if (!m->ram) {
		free(m);
		return NULL;
	}
	m->current = hw_soft_cpu(m, 0);
	if (!m->current) {
		hw_soft_destroy(m);
		errno = ENOMEM;
		return NULL;
	}
	return m;
}

void hw_soft_destroy(struct hw_machine *m)
{
	for (unsigned i = 0; i < HW_SOFT_CPUS; i++)
		cpu_destroy(m, &m->cpu[i]);
	if (!m->cfg.ram)
		munmap(m->ram, m->ram_bytes);
	free(m);
}

void *hw_soft_ram(struct hw_machine *m)
{
	return m->ram;
}

void hw_soft_release_ram(struct hw_machine *m)
{
	if (!m->cfg.ram)
		madvise(m->ram, m->ram_bytes, MADV_DONTNEED);
}

void hw_soft_set_current(struct hw_machine *m, struct hw_cpu *cpu)
{
	ASSERT(cpu && cpu->machine == m);
	m->current = cpu;
}

struct mmu_cpu *hw_soft_mmu(struct hw_cpu *cpu)
{
	return cpu->mmu;
}

const struct hw_soft_counters *hw_soft_counters(const struct hw_machine *m)
{
	return &m->counters;
}

void hw_soft_sum_mmu(const struct hw_machine *m, struct mmu_counters *sum)
{
	_Static_assert(sizeof(*sum) % sizeof(u64) == 0, "struct mmu_counters is u64s only");

	for (unsigned i = 0; i < HW_SOFT_CPUS; i++) {
		if (!m->cpu[i].mmu)
			continue;
		const u64 *from = (const u64 *)mmu_counters(m->cpu[i].mmu);
		u64 *to = (u64 *)sum;

		for (size_t k = 0; k < sizeof(*sum) / sizeof(u64); k++)
			to[k] += from[k];
	}
}

/* ---- the seam: RAM and CPUs ---- */

int hw_ram(struct hw_machine *m, unsigned index, u64 *start, u64 *end)
{
	if (index > 0)
		return -ENOENT;
	*start = 0;
	*end = m->ram_bytes;
	return 0;
}

struct hw_cpu *hw_this_cpu(struct hw_machine *m)
{
	return m->current;
}

unsigned hw_cpu_id(struct hw_cpu *cpu)
{
	return cpu->id;
}

/* INVPCID came to each maker's CPUs together with, or before, the PCIDs of the presets that have them (Zen 3: both). */
unsigned hw_features(struct hw_cpu *cpu)
{
	unsigned features = HW_NX | HW_PGE | HW_GBPAGES | HW_SMEP | HW_SMAP;

	features |= cpu->machine->cfg.pku ? HW_PKU : 0;
	return cpu->machine->cfg.pcid ? features | HW_PCID | HW_INVPCID : features;
}

void **hw_percpu(struct hw_cpu *cpu)
{
	return &cpu->percpu;
}

u64 hw_read_cr3(struct hw_cpu *cpu)
{
	return mmu_read_cr3(cpu->mmu);
}

void hw_write_cr3(struct hw_cpu *cpu, u64 v)
{
	if (mmu_write_cr3(cpu->mmu, v) != 0)
		hw_panic("hw/soft: #GP on MOV to CR3");
}

void hw_invlpg(struct hw_cpu *cpu, u64 va)
{
	mmu_invlpg(cpu->mmu, va);
}

void hw_invpcid(struct hw_cpu *cpu, unsigned type, unsigned pcid, u64 va)
{
	if (mmu_invpcid(cpu->mmu, type, pcid, va) != 0)
		hw_panic("hw/soft: #GP on INVPCID");
}

/* One host thread runs all CPUs, so a CPU of the mask answers at once, in the place of the one that asks. */
void hw_shootdown(struct hw_machine *m, u64 mask, const struct tlb_flush *req)
{
	struct hw_cpu *asking = m->current;

	if (m->irq_depth != 0)
		hw_panic("hw/soft: hw_shootdown with interrupts off");
	for (; mask != 0; mask &= mask - 1) {
		struct hw_cpu *cpu = &m->cpu[__builtin_ctzll(mask)];

		if (!cpu->mmu)
			hw_panic("hw/soft: hw_shootdown to a CPU that never ran");
		m->current = cpu;
		bool from_user = vm_enter_kernel(cpu); /* an interrupt, from wherever the CPU is */

		if (m->cfg.interrupt)
			m->cfg.interrupt(m->cfg.ctx, cpu->id);
		vm_shootdown(cpu, req);
		if (from_user)
			vm_exit_to_user(cpu);
	}
	m->current = asking;
}

u64 hw_irq_save(struct hw_machine *m)
{
	return m->irq_depth++;
}

void hw_irq_restore(struct hw_machine *m, u64 flags)
{
	if (m->irq_depth == 0 || flags != m->irq_depth - 1)
		hw_panic("hw/soft: hw_irq_restore does not nest (invariant 2)");
	m->irq_depth = flags;
}

/* ---- the seam: data frames ---- */

static u8 *frames(struct hw_machine *m, u64 pfn, unsigned order)
{
	if (pfn + (1ull << order) > m->ram_bytes >> PAGE_SHIFT)
		hw_panic("hw/soft: a frame beyond RAM");
	return m->ram + (pfn << PAGE_SHIFT);
}

void hw_clear_frames(struct hw_machine *m, u64 pfn, unsigned order)
{
	u8 *to = frames(m, pfn, order);

	m->counters.frames_cleared += 1ull << order;
	if (order)
		m->counters.huge_cleared[order == HPAGE_PUD_ORDER]++;
	if (m->cfg.contents)
		memset(to, 0, PAGE_SIZE << order);
}

void hw_copy_frames(struct hw_machine *m, u64 dst_pfn, u64 src_pfn, unsigned order)
{
	u8 *to = frames(m, dst_pfn, order), *from = frames(m, src_pfn, order);

	m->counters.frames_copied += 1ull << order;
	m->counters.huge_copied += order > 0;
	if (m->cfg.contents)
		memcpy(to, from, PAGE_SIZE << order);
}

/* ---- the seam: telling ---- */

static void count_fault(struct hw_soft_counters *c, const struct vm_event *ev)
{
	if (ev->type == VM_EV_POPULATE) {
		c->populated[ev->cause]++;
	} else {
		c->faults[ev->cause]++;
		if (!hw_soft_fault_failed(ev->cause))
			c->faults_by_order[ev->order / HPAGE_PMD_ORDER]++;
		if (ev->flags & VM_EVF_KERNEL)
			c->kernel_faults++;
		if (ev->flags & VM_EVF_ZERO)
			c->cow_zero++;
	}
	if (ev->flags & VM_EVF_MAJOR)
		c->major_faults++;
}

static void count_flush(struct hw_soft_counters *c, u64 pages)
{
	c->tlb_flushes++;
	if (pages == VM_FLUSH_ALL)
		c->tlb_flush_all++;
	else
		c->tlb_flush_pages += pages;
}

static void count_reclaim(struct hw_soft_counters *c, const struct vm_event *ev)
{
	switch (ev->type) {
	case VM_EV_SWAP_IN:
		c->swap_requests++;
		c->swap_ins += ev->n;
		break;
	case VM_EV_SWAP_OUT:
		c->swap_outs += ev->n;
		break;
	case VM_EV_SWAP_ZERO:
		c->swap_zeroes += ev->n;
		break;
	case VM_EV_SWAP_RA_HIT:
		c->swap_ra_hits++;
		break;
	case VM_EV_FILE_READ:
		c->file_reads += ev->n;
		break;
	case VM_EV_WRITEBACK:
		c->file_writes += ev->n;
		break;
	case VM_EV_RECLAIM:
		c->reclaimed[ev->cause] += ev->n;
		break;
	case VM_EV_OOM_KILL:
		c->oom_kills++;
		break;
	case VM_EV_COMPACT:
		c->compactions++;
		c->compactions_failed += !ev->cause;
		c->pages_migrated += ev->n;
		break;
	}
}

void hw_event(struct hw_machine *m, const struct vm_event *ev)
{
	struct hw_soft_counters *c = &m->counters;

	switch (ev->type) {
	case VM_EV_FAULT:
	case VM_EV_POPULATE:
		count_fault(c, ev);
		break;
	case VM_EV_TLB_FLUSH:
		count_flush(c, ev->n);
		break;
	case VM_EV_SHOOTDOWN:
		c->shootdowns++;
		c->ipis += ev->n;
		c->ipis_by[ev->cause] += ev->n;
		break;
	case VM_EV_SWITCH:
		c->context_switches++;
		break;
	case VM_EV_THP_FAULT_ALLOC:
		c->thp_alloc++;
		break;
	case VM_EV_THP_FAULT_FALLBACK:
		c->thp_fallback++;
		break;
	case VM_EV_THP_SPLIT:
		c->thp_split++;
		break;
	case VM_EV_THP_COLLAPSE:
		c->thp_collapse++;
		break;
	case VM_EV_TABLE:
		c->tables_made++;
		break;
	case VM_EV_ENTRIES:
		c->entries[ev->cause][ev->order > 0] += ev->n;
		break;
	case VM_EV_OOM:
		c->oom++;
		break;
	default:
		count_reclaim(c, ev);
	}
	if (m->cfg.observe)
		m->cfg.observe(m->cfg.ctx, ev);
}

void hw_log(struct hw_machine *m, const char *line)
{
	(void)m;
	fprintf(stderr, "quire: %s\n", line);
}

_Noreturn void hw_panic(const char *line)
{
	fprintf(stderr, "quire: panic: %s\n", line);
	abort();
}
