/* SPDX-License-Identifier: MIT
 *
 * test/torture/broken.c - a machine that does not do what mm/ asks of it, linked in front of hw/soft (ld --wrap): what
 * BROKEN names is forgotten. So it is known that torture finds such a fault, and how short the script becomes.
 */
#include <stdlib.h>
#include <string.h>

#include "hw/hw.h"

void __real_hw_invlpg(struct hw_cpu *cpu, u64 va);
void __wrap_hw_invlpg(struct hw_cpu *cpu, u64 va);
void __real_hw_clear_frames(struct hw_machine *m, u64 pfn, unsigned order);
void __wrap_hw_clear_frames(struct hw_machine *m, u64 pfn, unsigned order);
void __real_hw_copy_frames(struct hw_machine *m, u64 dst_pfn, u64 src_pfn, unsigned order);
void __wrap_hw_copy_frames(struct hw_machine *m, u64 dst_pfn, u64 src_pfn, unsigned order);
void __real_hw_shootdown(struct hw_machine *m, u64 mask, const struct tlb_flush *req);
void __wrap_hw_shootdown(struct hw_machine *m, u64 mask, const struct tlb_flush *req);

static bool broken(const char *what)
{
	const char *name = getenv("BROKEN");

	return name && strcmp(name, what) == 0;
}

void __wrap_hw_invlpg(struct hw_cpu *cpu, u64 va)
{
	if (!broken("invlpg"))
		__real_hw_invlpg(cpu, va);
}

void __wrap_hw_clear_frames(struct hw_machine *m, u64 pfn, unsigned order)
{
	if (!broken("clear"))
		__real_hw_clear_frames(m, pfn, order);
}

void __wrap_hw_copy_frames(struct hw_machine *m, u64 dst_pfn, u64 src_pfn, unsigned order)
{
	if (!broken("copy"))
		__real_hw_copy_frames(m, dst_pfn, src_pfn, order);
}

void __wrap_hw_shootdown(struct hw_machine *m, u64 mask, const struct tlb_flush *req)
{
	if (!broken("shootdown"))
		__real_hw_shootdown(m, mask, req);
}
