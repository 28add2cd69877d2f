/* SPDX-License-Identifier: MIT
 *
 * bench/reclaim.c - what reclaim costs its host, ns of CPU time a page, as memory grows: it must not grow with it.
 *
 * A program's memory is filled, all of it in use; then as much is taken away as is there: each page is looked at, its
 * second chance used up, unmapped, written (to a device without contents), freed. Then a quarter of it is faulted back
 * in. Checks are off, the machine does nothing.
 *
 * random alone grows: it probes at most 64 frames for a page whatever the memory, but in no order, so on large memory
 * each probe, page and entry misses the host's caches.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/null_hw.h"
#include "mm/vmscan.h"

#define PAGES_MIN 1000ull
#define PAGES_MAX 10000000ull

static struct hw_machine m;

static void touch(struct mm_struct *mm, u64 start, u64 pages, u64 step)
{
	for (u64 i = 0; i < pages; i += step)
		if (vm_fault(&m.cpu, mm, start + i * PAGE_SIZE, X86_PF_USER | X86_PF_WRITE))
			abort();
}

/* Returns ns a page of reclaim, and of the faults that bring pages back. */
static double measure(enum vm_reclaim_policy policy, u64 pages, double *swapin_ns)
{
	struct vm *vm = null_hw_create(&m, (pages + pages / 8 + 4096) * PAGE_SIZE,
				       (struct vm_config){.pcid = true, .reclaim = policy, .swap_slots = pages});
	struct mm_struct *mm = mm_create(vm);
	u64 start, freed = 0, got;
	double t;

	vm_switch(&m.cpu, mm);
	start = (u64)vm_mmap(&m.cpu, mm, 0, pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     NULL, 0);
	touch(mm, start, pages, 1);
	t = cpu_ns();
	while (freed < pages && (got = reclaim_pages(vm, &m.cpu, 32, false)))
		freed += got;
	t = cpu_ns() - t;
	*swapin_ns = cpu_ns();
	touch(mm, start, pages, 4);
	*swapin_ns = (cpu_ns() - *swapin_ns) / (double)(pages / 4);
	null_hw_destroy(&m);
	return t / (double)freed;
}

int main(void)
{
	static const char *const name[] = {
	    [VM_RECLAIM_LRU2] = "lru2", [VM_RECLAIM_MGLRU] = "mglru",   [VM_RECLAIM_CLOCK] = "clock",
	    [VM_RECLAIM_FIFO] = "fifo", [VM_RECLAIM_RANDOM] = "random",
	};

	printf("ns a page           pages   reclaim   swap-in\n");
	for (unsigned policy = 0; policy < VM_RECLAIM_NR; policy++)
		for (u64 pages = PAGES_MIN; pages <= PAGES_MAX; pages *= 10) {
			double swapin_ns, reclaim_ns = measure(policy, pages, &swapin_ns);

			printf("%-10s %14llu %9.1f %9.1f\n", name[policy], (unsigned long long)pages, reclaim_ns,
			       swapin_ns);
		}
	return 0;
}
