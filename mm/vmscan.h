/* SPDX-License-Identifier: MIT
 *
 * mm/vmscan.h - when free memory is short. mm/vmscan.c says where these may be called: where nothing is held.
 */
#ifndef MM_VMSCAN_H
#define MM_VMSCAN_H

#include "mm/mm_types.h"

/* At boot, when RAM is known: watermarks, policy. */
void reclaim_init(struct vm *vm);
/* Frees up to `want` frames. direct: somebody waits for them. Returns the number freed. */
u64 reclaim_pages(struct vm *vm, struct hw_cpu *cpu, u64 want, bool direct);
/* MADV_PAGEOUT: pages of [start, end) that only mm maps leave memory, where they can. Nothing may be held. */
void pageout_range(struct hw_cpu *cpu, struct mm_struct *mm, u64 start, u64 end);
/* Background reclaim, when free memory is below the low watermark. */
void balance_pgdat(struct vm *vm, struct hw_cpu *cpu);
static inline void balance_if_low(struct vm *vm, struct hw_cpu *cpu)
{
	if (unlikely(vm->kind_frames[PAGE_FREE] < vm->reclaim.wmark[WMARK_LOW]))
		balance_pgdat(vm, cpu);
}
/* Something of mm's found no frame; va: where, 0 if nowhere. Reclaims, failing that kills. *tries: 0 at first.
 * Returns true: try again from the start; false: mm was killed, or there is nothing left to do. */
bool make_room(struct hw_cpu *cpu, struct mm_struct *mm, u64 va, unsigned *tries);

/* ---- oom.c ---- */
/* Kills the process with the largest badness: marks it, takes its private pages. Returns it, or NULL: nobody is left.
 */
struct mm_struct *oom_kill(struct vm *vm, struct hw_cpu *cpu, u64 va);

#endif
