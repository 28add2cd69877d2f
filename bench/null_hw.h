/* SPDX-License-Identifier: MIT
 *
 * bench/null_hw.h - a machine that does nothing, for measuring mm/ alone: RAM without contents, no TLB, one CPU.
 */
#ifndef BENCH_NULL_HW_H
#define BENCH_NULL_HW_H

#include "hw/hw.h"
#include "mm/vm.h"

struct hw_cpu {
	u64 cr3;
	void *percpu;
};
struct hw_machine {
	u8 *ram;
	u64 ram_bytes;
	struct hw_cpu cpu;
	u64 events;
};

/* Reserves ram_bytes and builds mm/ on it; exits when it cannot. cfg->ram_base is set here. */
struct vm *null_hw_create(struct hw_machine *m, u64 ram_bytes, struct vm_config cfg);
void null_hw_destroy(struct hw_machine *m);
/* CPU time of this process, ns. */
double cpu_ns(void);

#endif
