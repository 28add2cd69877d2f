/* SPDX-License-Identifier: MIT
 *
 * test/mm/flat_hw.h - a machine for tests of mm/: RAM with contents, CPUs whose paging is written again here from the
 * manual, as simply as possible, and a record of what mm/ tells.
 *
 * A CPU keeps every translation that it ever used, in a large direct-mapped TLB and in caches of table entries, until
 * mm/ makes it forget. On each hit it walks again: a cached translation that grants what the tables do not, or leads to
 * another frame, is a missing flush, and the test ends (flat_stale). So every test of mm/ is a test of its flushing.
 */
#ifndef TEST_FLAT_HW_H
#define TEST_FLAT_HW_H

#include <setjmp.h>

#include "hw/hw.h"
#include "mm/vm.h"

struct flat_config {
	void *ram; /* page aligned; NULL: fresh, and zero */
	u64 ram_bytes;
	unsigned features; /* HW_*; 0 = NX, PGE, PCID, INVPCID, 1G */
	struct vm_config vm;
};

struct flat_events {
	u64 fault[VM_FAULT_NR], populate[VM_FAULT_NR];
	u64 faults, populates; /* sums */
	u64 type[VM_EV_NR];
	u64 pages_flushed, full_flushes, ipis, flushing_switches;
	u64 frames_cleared, frames_copied;
	u64 cr3_writes, invlpgs, invpcids;
	u64 last_cr3; /* written, bit 63 included */
	struct vm_event last_fault;
};

struct hw_machine *flat_create(const struct flat_config *cfg);
void flat_destroy(struct hw_machine *m);
struct vm *flat_vm(struct hw_machine *m);
struct hw_cpu *flat_cpu(struct hw_machine *m, unsigned id);
struct flat_events *flat_events(struct hw_machine *m);
void flat_reset_events(struct hw_machine *m);

/* The CPU runs mm from now on (vm_switch) and is the machine's current one. */
void flat_run(struct hw_cpu *cpu, struct mm_struct *mm);
/* One access to a byte by user code, with the exit to it and the entry after it (KPTI): kind 'r', 'w', 'x'. Faults go
 * to vm_fault. 'w' stores *byte, others load it. Returns 0, or the VM_FAULT_* that ended it. */
int flat_access(struct hw_cpu *cpu, u64 va, char kind, u8 *byte);
/* One access a page over [start, start + bytes). Returns 0, or what ended the first that failed. */
int flat_touch(struct hw_cpu *cpu, u64 start, u64 bytes, char kind);

/* A speculative walk, as a CPU may do at any time: fills the paging-structure caches, never faults. */
void flat_speculate(struct hw_cpu *cpu, u64 va);
/* Nothing that a CPU may still use on its own, with no access by a program (a speculative walk), leads into a table
 * that is not there any more. Returns false and names the CPU on stderr otherwise. */
bool flat_caches_sound(struct hw_machine *m);

/* From now on every invalidation is lost, as if mm/ had forgotten it; or not any more. */
void flat_lose_flushes(struct hw_machine *m, bool lose);

/* hw_panic: jumps there with flat_panic_text set, or aborts. */
extern jmp_buf *flat_panic_jmp;
extern char flat_panic_text[256];

#endif
