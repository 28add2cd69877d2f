/* SPDX-License-Identifier: MIT
 *
 * hw/soft/soft.h - a computer in software: RAM from the host, CPUs from mmu/. It implements hw/hw.h; this header is
 * what whoever owns such a computer (sim/, tests) calls besides.
 *
 *   struct hw_machine
 *     |-- ram      [0, ram_bytes): host memory, reserved and zero until written, or the caller's
 *     |-- cpu[64]  each an mmu_cpu, made when it is first asked for
 *     |-- current  the CPU that runs: what hw_this_cpu() returns. The owner sets it before each entry into mm/
 *     `-- counters what mm/ told through hw_event()
 *
 * Invariants
 *  1. current is never NULL: a machine has CPU 0 from its creation.
 *  2. hw_irq_save and hw_irq_restore nest: a restore gives back what the latest open save returned.
 *  3. No access to user memory runs while a flush batch of mm/ is open: the owner calls mmu_access() between calls of
 *     mm/ only. So the TLB oracle needs no knowledge of pending flushes, and stops an access that breaks this.
 */
#ifndef HW_SOFT_SOFT_H
#define HW_SOFT_SOFT_H

#include "hw/hw.h"
#include "mm/event.h"
#include "mmu/mmu.h"

#define HW_SOFT_CPUS 64

struct hw_soft_config {
	const struct cpu_preset *preset;
	u64 ram_bytes; /* rounded down to whole pages */
	void *ram;     /* the caller's, with what it happens to hold; NULL: new, zero until written */
	bool pcid;     /* CR4.PCIDE, where the preset has it */
	bool contents; /* data frames have contents: clear and copy write them */
	bool pku;      /* protection keys are enabled (CR4.PKE) */
	bool lines;    /* from where walks read is counted (mmu/lines.h) */
	u8 host_page;  /* mmu_config.host_page */
	u8 oracle;     /* 1: the TLB oracle */
	/* Each event, after it was counted; NULL: nobody listens. Must not call mm/. */
	void (*observe)(void *ctx, const struct vm_event *ev);
	/* An IPI has reached a CPU, which is on the kernel's tables now; NULL: nobody listens. Must not call mm/. */
	void (*interrupt)(void *ctx, unsigned cpu);
	void *ctx;
};

/* What mm/ told. Frames are of 4K. */
struct hw_soft_counters {
	u64 faults[VM_FAULT_NR], populated[VM_FAULT_NR];
	u64 faults_by_order[3]; /* 4K, 2M, 1G; handled ones only */
	u64 kernel_faults, major_faults;
	u64 cow_zero; /* of faults[COW_COPY], of the zero page */
	u64 tlb_flushes, tlb_flush_pages, tlb_flush_all;
	u64 shootdowns, ipis, context_switches;
	u64 ipis_by[VM_FLUSH_BY_NR];
	u64 thp_alloc, thp_fallback, thp_split, thp_collapse, oom, oom_kills;
	u64 compactions, compactions_failed, pages_migrated;
	u64 swap_requests, swap_ins, swap_outs, swap_ra_hits; /* reads; pages read, written, read ahead and used */
	u64 swap_zeroes;                                      /* pages */
	u64 file_reads, file_writes;                          /* pages */
	u64 reclaimed[2];                                     /* in the background; by who needed a frame */
	u64 frames_cleared, frames_copied;
	u64 huge_cleared[2], huge_copied; /* of these, 2M and 1G pages; 2M pages */
	u64 tables_made;
	u64 entries[VM_ENTRIES_NR][2]; /* that calls worked on, 4K and huge */
};

/* True for the causes that end an access instead of letting it go on. */
static inline bool hw_soft_fault_failed(unsigned cause)
{
	return cause >= VM_FAULT_MAPERR;
}

/* Returns NULL with errno set: ENOMEM, or EINVAL when ram_bytes holds no page. CPU 0 is there and current. */
struct hw_machine *hw_soft_create(const struct hw_soft_config *cfg);
void hw_soft_destroy(struct hw_machine *m);
void *hw_soft_ram(struct hw_machine *m); /* host address of physical 0 */
/* CPU id (0..63), made if it is new. NULL with errno ENOMEM. */
struct hw_cpu *hw_soft_cpu(struct hw_machine *m, unsigned id);
/* The host has its memory back; the machine runs no more, its counters may be read. */
void hw_soft_release_ram(struct hw_machine *m);
void hw_soft_set_current(struct hw_machine *m, struct hw_cpu *cpu);
struct mmu_cpu *hw_soft_mmu(struct hw_cpu *cpu);
const struct hw_soft_counters *hw_soft_counters(const struct hw_machine *m);
/* Adds the counters of all CPUs into *sum. */
void hw_soft_sum_mmu(const struct hw_machine *m, struct mmu_counters *sum);

#endif
