/* SPDX-License-Identifier: MIT
 *
 * bench/fault.c - what a page fault costs its host, ns of CPU time, as the memory around it grows from 1 MiB to 1 TiB.
 *
 * RAM and one area of that size; up to TOUCHES pages of it, spread evenly and written in random order. Then they are
 * dropped (MADV_DONTNEED) and written again. What may grow:
 *
 *   first touch   the page tables that a fault makes: none to three. Beside it stands how many
 *   again         all tables are there; what is left is the walk, the same four levels, and the host's caches
 *
 * The whole is done once before, unmeasured, so that the host's own faults are not in it. The machine does nothing
 * (null_hw.h), checks are off.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/null_hw.h"

#define MEMORY_MIN   (1ull << 20)
#define MEMORY_MAX   (1ull << 40)
#define TOUCHES      16384ull
#define FAULTS       400000ull /* at least so many are measured */
#define RAM_BESIDES  (256ull << 20)
#define ADV_DONTNEED 4

struct cost {
	double first_ns, again_ns, tables; /* a fault */
};

static struct hw_machine m;

/* Offsets of `touches` pages, one at random in each of as many equal parts of the area, in random order. */
static u64 *choose(u64 pages, u64 touches)
{
	u64 *offset = malloc(touches * sizeof *offset), random = 88172645463325252ull;

	for (u64 i = 0; i < touches; i++) {
		u64 part = pages / touches, j;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		j = random % (i + 1);
		offset[i] = offset[j];
		offset[j] = (i * part + (random >> 32) % part) * PAGE_SIZE;
	}
	return offset;
}

static double touch(struct mm_struct *mm, u64 start, const u64 *offset, u64 touches)
{
	double begin = cpu_ns();

	for (u64 i = 0; i < touches; i++)
		if (vm_fault(&m.cpu, mm, start + offset[i], X86_PF_USER | X86_PF_WRITE))
			abort();
	return cpu_ns() - begin;
}

static struct cost measure(u64 bytes)
{
	u64 pages = bytes / PAGE_SIZE, touches = min(pages, TOUCHES), rounds = FAULTS / touches, *offset;
	struct vm *vm = null_hw_create(&m, bytes + RAM_BESIDES, (struct vm_config){.pcid = true});
	struct mm_struct *mm = mm_create(vm);
	struct vm_meminfo before, after;
	struct cost cost = {0};

	vm_switch(&m.cpu, mm);
	offset = choose(pages, touches);
	for (u64 round = 0; round <= rounds; round++) {
		u64 start =
		    (u64)vm_mmap(&m.cpu, mm, 0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0);
		double first, again;

		vm_meminfo(vm, &before);
		first = touch(mm, start, offset, touches);
		vm_meminfo(vm, &after);
		vm_madvise(&m.cpu, mm, start, bytes, ADV_DONTNEED);
		again = touch(mm, start, offset, touches);
		vm_munmap(&m.cpu, mm, start, bytes);
		if (round == 0)
			continue;
		cost.first_ns += first / (double)(rounds * touches);
		cost.again_ns += again / (double)(rounds * touches);
		cost.tables = (double)(after.table_frames - before.table_frames) / (double)touches;
	}
	free(offset);
	null_hw_destroy(&m);
	return cost;
}

int main(void)
{
	printf("%14s %10s %16s %16s %16s\n", "memory, MiB", "pages", "first touch, ns", "tables a fault", "again, ns");
	for (u64 bytes = MEMORY_MIN; bytes <= MEMORY_MAX; bytes *= 4) {
		struct cost c = measure(bytes);

		printf("%14llu %10llu %16.1f %16.3f %16.1f\n", (unsigned long long)(bytes >> 20),
		       (unsigned long long)min(bytes / PAGE_SIZE, TOUCHES), c.first_ns, c.tables, c.again_ns);
	}
	return 0;
}
