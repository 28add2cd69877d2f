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
#define LARGE (64ull << 20)
#define CHUNK (1ull << 20) /* timed together */

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

/* Of memory in turn, so that few caches have it. */
static void copy_cold(struct measure *m, const struct pages *p)
{
	static double clear[LARGE / CHUNK], copy[LARGE / CHUNK / 2];
	struct watch w;

	if (p->bytes < LARGE) {
		series_missing(&m->figure[FIG_CLEAR_COLD], "%s", p->missing);
		series_missing(&m->figure[FIG_COPY_COLD], "%s", p->missing);
		return;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(clear); i++) {
		w = watch_start();
		clear_ticks(p->at + i * CHUNK, CHUNK);
		clear[i] = watch_ticks(&m->clock, &w) / (CHUNK / PAGE_SIZE);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(copy); i++) {
		w = watch_start();
		copy_ticks(p->at + i * CHUNK, p->at + LARGE / 2 + i * CHUNK, CHUNK);
		copy[i] = watch_ticks(&m->clock, &w) / (CHUNK / PAGE_SIZE);
	}
	figure_add_ticks(m, FIG_CLEAR_COLD, median_of(clear, ARRAY_SIZE(clear)));
	figure_add_ticks(m, FIG_COPY_COLD, median_of(copy, ARRAY_SIZE(copy)));
}

void meter_copy(struct measure *m)
{
	static double clear[16 * PAGES], copy[16 * PAGES], huge[8];
	struct pages p;

	pages_get(m, &p, PAGES_4K, LARGE, 1);
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
	for (unsigned i = 0; i < ARRAY_SIZE(huge); i++) {
		struct watch w = watch_start();

		clear_ticks(p.at + i % 4 * PMD_SIZE, PMD_SIZE);
		huge[i] = watch_ticks(&m->clock, &w);
	}
	figure_add(m, FIG_CLEAR_4K, clear, ARRAY_SIZE(clear));
	figure_add(m, FIG_COPY_4K, copy, ARRAY_SIZE(copy));
	figure_add(m, FIG_CLEAR_2M, huge, ARRAY_SIZE(huge));
	copy_cold(m, &p);
	pages_put(&p);
}
