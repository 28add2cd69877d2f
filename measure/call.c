/* SPDX-License-Identifier: MIT
 *
 * measure/call.c - a system call, and what clearing and copying a page costs the CPU: what a fault cannot do without.
 */
#include <sys/mman.h>

#include "lib/sys.h"
#include "measure/measure.h"
#include "x86/paging.h"

#define CALLS 1000
#define PAGES 32 /* 128K: in the L2 cache, as a page is that the kernel has just had */

void meter_call(struct measure *m)
{
	static double took[CALLS];

	for (unsigned i = 0; i < CALLS; i++) {
		u64 from = ticks();

		sys3(SYS_getppid, 0, 0, 0);
		took[i] = (double)(ticks() - from);
	}
	figure_add(m, FIG_SYSCALL, took, CALLS);
}

/* As the kernel does it: microcode. */
static double clear_ticks(char *at, u64 bytes)
{
	u64 from = ticks();

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(bytes) : "a"(0) : "memory");
	return (double)(ticks() - from);
}

static double copy_ticks(char *to, const char *at, u64 bytes)
{
	u64 from = ticks();

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(at), "+c"(bytes)::"memory");
	return (double)(ticks() - from);
}

void meter_copy(struct measure *m)
{
	static double clear[16 * PAGES], copy[16 * PAGES], huge[8];
	struct pages p;

	pages_get(m, &p, PAGES_4K, 4 * PMD_SIZE, 1);
	if (p.bytes < 4 * PMD_SIZE) {
		for (unsigned id = FIG_CLEAR_4K; id <= FIG_CLEAR_2M; id++)
			series_missing(&m->figure[id], "%s", p.missing);
		pages_put(&p);
		return;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(clear); i++)
		clear[i] = clear_ticks(p.at + i % PAGES * PAGE_SIZE, PAGE_SIZE);
	for (unsigned i = 0; i < ARRAY_SIZE(copy); i++)
		copy[i] =
		    copy_ticks(p.at + i % PAGES * PAGE_SIZE, p.at + (i + PAGES / 2) % PAGES * PAGE_SIZE, PAGE_SIZE);
	for (unsigned i = 0; i < ARRAY_SIZE(huge); i++)
		huge[i] = clear_ticks(p.at + i % 4 * PMD_SIZE, PMD_SIZE);
	figure_add(m, FIG_CLEAR_4K, clear, ARRAY_SIZE(clear));
	figure_add(m, FIG_COPY_4K, copy, ARRAY_SIZE(copy));
	figure_add(m, FIG_CLEAR_2M, huge, ARRAY_SIZE(huge));
	pages_put(&p);
}
