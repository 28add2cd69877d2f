/* SPDX-License-Identifier: MIT
 *
 * machine/host.h - the computer that runs this, as far as a simulated one can be like it.
 */
#ifndef MACHINE_HOST_H
#define MACHINE_HOST_H

#include "mm/vm.h"
#include "mmu/mmu.h"

/* How it is set today. */
struct machine_host {
	bool known; /* it says how; in a container without /sys it does not */
	enum vm_thp thp;
	bool kpti, pcid;
	bool is_virtual; /* a hypervisor says so */
};

/* root: "", or a directory that holds another sys/. */
struct machine_host machine_host_read(const char *root);
/* The preset of its CPU (`quire cpus`); NULL: it has none. */
const struct cpu_preset *machine_host_cpu(void);

#endif
