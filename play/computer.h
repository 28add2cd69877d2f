/* SPDX-License-Identifier: MIT
 *
 * play/computer.h - a simulated computer for scripts: hw/soft with contents and the TLB oracle, mm/ at check level 3.
 * Every step of a script is carried out as a real computer would: a call in the kernel, an access through the MMU with
 * faults handled and tried again.
 */
#ifndef PLAY_COMPUTER_H
#define PLAY_COMPUTER_H

#include "hw/soft/soft.h"
#include "machine/counters.h"
#include "mm/vm.h"
#include "play/script.h"

struct step; /* step.h: who explains; may be NULL */

/* What a file's pages, or the swap device's slots, hold when they are not in memory. */
struct play_disk {
	struct hw_machine *hw;
	u8 *at; /* NULL: none */
	u64 bytes;
};

/* A page that a pipe or a device holds. */
struct play_hold {
	u64 pfn;         /* 0: nobody's, of zeroes */
	u32 offset, len; /* bytes that are left of it */
};

struct computer {
	struct hw_machine *hw;
	struct vm *vm;
	struct step *step;
	struct mm_struct *mm[PLAY_PROCESSES]; /* NULL: not begun, or gone */
	u8 cpu_of[PLAY_PROCESSES];            /* where each runs */
	u32 pkru[PLAY_PROCESSES];
	struct mm_struct *loaded[PLAY_CPUS]; /* what each CPU runs */
	struct address_space *file[PLAY_FILES];
	struct play_disk disk[PLAY_FILES], swap;
	struct play_hold pipe[PLAY_PIPE], pin[PLAY_PIPE]; /* the oldest first */
	unsigned nr_pipe, nr_pin;
	u64 brk;                    /* where heaps begin */
	int last_cause;             /* of the last access' last fault: enum vm_fault_cause, -1 = none */
	u32 killed[PLAY_PROCESSES]; /* mm_id()s that the OOM killer chose in the last step */
	unsigned nr_killed;
	struct machine_counters before; /* the last step */
};

/* brk: where each process' heap begins. Returns 0, or -1 with errno (ENOMEM). Process 0 runs on CPU 0 then. */
int computer_init(struct computer *c, const struct machine_config *cfg, u64 brk, struct step *step);
void computer_destroy(struct computer *c);
/* The process of the call must live (SPAWN: must not). */
void computer_call(struct computer *c, const struct play_call *call, struct play_outcome *out);

static inline struct hw_cpu *computer_cpu(const struct computer *c, unsigned process)
{
	return hw_soft_cpu(c->hw, c->cpu_of[process]);
}

#endif
