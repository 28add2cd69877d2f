/* SPDX-License-Identifier: MIT
 *
 * hw/hw.h - THE SEAM. What the OS half needs from a machine and cannot do by writing RAM.
 *
 * Two machines implement it: hw/soft (on mmu/, a software x86-64) and, later, hw/x86 (the real CPU).
 * They are plain link-time functions: the linker proves that a machine is complete.
 *
 * Rules that hold for every call
 *  - Page tables are bytes in RAM. There is no map/unmap call: mm/ writes the entry, the MMU reads it.
 *    phys_to_virt(pa) = ram_base + pa on both machines (ram_base: struct vm_config).
 *  - Pointers are never NULL. Addresses of frames are page frame numbers (pfn = pa >> 12).
 *  - No call sleeps; none may call back into mm/ except hw_shootdown, which calls vm_shootdown().
 *  - The contract that makes TLBs correct: after an entry is changed, the old translation may still be used
 *    until tlb_finish_mmu() has returned; no frame or table that it named may be freed before.
 *
 * The up-calls, from a machine into mm/: vm_fault(), vm_shootdown(), vm_tick() (mm/vm.h).
 */
#ifndef HW_HW_H
#define HW_HW_H

#include "lib/types.h"
#include "x86/paging.h"

struct hw_machine; /* a computer: its RAM and CPUs. The host's own type */
struct hw_cpu;     /* one logical CPU of it */
struct tlb_flush;  /* a flush request: mm/tlb.c makes and reads it, a machine only carries it */
struct vm_event;   /* mm/event.h */

enum hw_feature {
	HW_NX = 1u << 0,
	HW_PGE = 1u << 1, /* global pages */
	HW_PCID = 1u << 2,
	HW_INVPCID = 1u << 3,
	HW_GBPAGES = 1u << 4, /* 1G leaves */
	HW_SMEP = 1u << 5,
	HW_SMAP = 1u << 6,
	HW_LA57 = 1u << 7,
	HW_PKU = 1u << 8, /* protection keys, enabled (CR4.PKE) */
};

/* The index-th usable range of RAM: *start and *end in bytes, half-open, page aligned, ascending.
 * Returns 0, or -ENOENT after the last. Example: 64 MiB from 0 -> i=0: [0, 0x4000000); i=1: -ENOENT. */
int hw_ram(struct hw_machine *m, unsigned index, u64 *start, u64 *end);

/* The CPU that runs this code, and its number, 0 .. 63. */
struct hw_cpu *hw_this_cpu(struct hw_machine *m);
unsigned hw_cpu_id(struct hw_cpu *cpu);
/* A set of enum hw_feature; the same on every CPU of a machine, constant after boot. */
unsigned hw_features(struct hw_cpu *cpu);
/* A pointer of mm/'s own for this CPU, where it keeps the address of its per-CPU data (as GS.base does). The machine
 * only stores it; NULL until mm/ sets it. */
void **hw_percpu(struct hw_cpu *cpu);

/* As MOV from/to CR3. With CR4.PCIDE bits 11:0 are the PCID and bit 63 of v (X86_CR3_NOFLUSH) keeps
 * that PCID's entries; without it they are flushed, global entries excepted. */
u64 hw_read_cr3(struct hw_cpu *cpu);
void hw_write_cr3(struct hw_cpu *cpu, u64 v);
/* As INVLPG: the page that holds va, of the current PCID and of global entries, and every paging-structure
 * cache entry of the current PCID. */
void hw_invlpg(struct hw_cpu *cpu, u64 va);
/* As INVPCID; type: enum x86_invpcid. Only where HW_INVPCID is present (a caller's bug otherwise). */
void hw_invpcid(struct hw_cpu *cpu, unsigned type, unsigned pcid, u64 va);

/* Runs vm_shootdown(cpu, req) on every CPU of mask (bit n = CPU n), this one included if its bit is set.
 * Returns when all have. Call with interrupts on: two CPUs that shoot at each other must both answer. */
void hw_shootdown(struct hw_machine *m, u64 mask, const struct tlb_flush *req);

/* Interrupts off, and back to the state that hw_irq_save returned. They nest; hw/soft checks that they do. */
u64 hw_irq_save(struct hw_machine *m);
void hw_irq_restore(struct hw_machine *m, u64 flags);

/* Zero, or copy, 2^order data frames. Never used for page tables. A machine without contents (a simulation of a
 * program whose data lives elsewhere) charges the cycles and writes nothing. */
void hw_clear_frames(struct hw_machine *m, u64 pfn, unsigned order);
void hw_copy_frames(struct hw_machine *m, u64 dst_pfn, u64 src_pfn, unsigned order);

/* One typed record of something that mm/ did; every report is built from these. Must not call mm/, but vm_lookup(). */
void hw_event(struct hw_machine *m, const struct vm_event *ev);

/* A line for the log; and the end, with a line why (does not return). */
void hw_log(struct hw_machine *m, const char *line);
_Noreturn void hw_panic(const char *line);

#endif
