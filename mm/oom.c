/* SPDX-License-Identifier: MIT
 *
 * mm/oom.c - the OOM killer: no frame is free, none can be reclaimed, so a process must end.
 *
 *   badness = resident + swapped + page tables + oom_score_adj / 1000 of RAM and swap           all in pages
 *
 * The process with the most dies, whoever asked. mm/ knows no processes: it marks the mm_struct, so that its faults
 * fail from now on, takes its private memory at once (Linux: the OOM reaper), and tells (VM_EV_OOM_KILL); whoever owns
 * the process ends it.
 *
 * Source: Linux 6.12 mm/oom_kill.c (oom_badness, select_bad_process, __oom_reap_task_mm).
 */
#include "mm/pgtable.h"
#include "mm/vmscan.h"

#define OOM_SCORE_ADJ_MIN (-1000)
#define OOM_SCORE_ADJ_MAX 1000

void vm_set_oom_score_adj(struct mm_struct *mm, int adj)
{
	ASSERT(adj >= OOM_SCORE_ADJ_MIN && adj <= OOM_SCORE_ADJ_MAX);
	mm->oom_score_adj = adj;
}

/* Pages; never below 1 for one that may die. 0: it may not. */
static u64 oom_badness(const struct mm_struct *mm)
{
	s64 total = (s64)(mm->vm->total_frames + mm->vm->swap.slots), points = 0;

	if (mm->oom_victim || mm->oom_score_adj == OOM_SCORE_ADJ_MIN)
		return 0;
	for (unsigned i = 0; i < NR_MM_COUNTERS; i++)
		points += (s64)mm->rss[i];
	points += (s64)mm->table_frames + mm->oom_score_adj * (total / 1000);
	return (u64)max(points, (s64)1);
}

/* Its private pages, swapped ones too. Shared ones go when it ends: others may need them. */
static void oom_reap(struct hw_cpu *cpu, struct mm_struct *mm)
{
	struct mmu_gather tlb;

	tlb_gather_mmu(&tlb, cpu, mm, VM_FLUSH_BY_UNMAP);
	for (struct vm_area_struct *vma = vma_find(mm, 0); vma; vma = vma_next(vma)) {
		if (!(vma->vm_flags & VM_SHARED))
			zap_page_range(&tlb, vma, vma->vm_start, vma->vm_end);
	}
	tlb_finish_mmu(&tlb);
}

struct mm_struct *oom_kill(struct vm *vm, struct hw_cpu *cpu, u64 va)
{
	struct mm_struct *victim = NULL;
	u64 most = 0;

	for (struct mm_struct *mm = vm->mm_list; mm; mm = mm->next) {
		u64 points = oom_badness(mm);

		if (points > most) {
			most = points;
			victim = mm;
		}
	}
	if (!victim)
		return NULL;
	victim->oom_victim = true;
	vm_emit(vm, &(struct vm_event){.type = VM_EV_OOM_KILL, .mm = victim->id, .va = va, .n = most});
	oom_reap(cpu, victim);
	return victim;
}
