/* SPDX-License-Identifier: MIT
 *
 * measure/map.c - mmap, mprotect, munmap, madvise: of one page, and how they grow with the pages that are there.
 *
 *   a page = (64M - 4K) / pages between, of the same batch
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "measure/measure.h"
#include "x86/paging.h"

#define ROUNDS_4K 64
#define ROUNDS_2M 4
#define LARGE     (64ull << 20)

static const enum figure_id small_figures[] = {FIG_MMAP, FIG_MUNMAP_4K, FIG_MPROTECT_4K, FIG_DONTNEED_4K};

/* What the last batch of one page gave, in ticks: the large ones are compared with it. 0: not measured. */
static double munmap_4k, mprotect_4k;

static char *map_touched(u64 bytes)
{
	char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return NULL;
	madvise(at, bytes, MADV_NOHUGEPAGE);
	for (u64 i = 0; i < bytes; i += PAGE_SIZE)
		at[i] = 1;
	return at;
}

static bool map_small(struct measure *m, unsigned round, double took[4][ROUNDS_4K])
{
	u64 t0 = ticks(), t1, t2;
	char *at = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	t1 = ticks();
	if (at == MAP_FAILED) {
		for (unsigned i = 0; i < ARRAY_SIZE(small_figures); i++)
			series_missing(&m->figure[small_figures[i]], "mmap: %s", strerror(errno));
		return false;
	}
	took[0][round] = (double)(t1 - t0);
	*(volatile char *)at = 1;
	t0 = ticks();
	madvise(at, PAGE_SIZE, MADV_DONTNEED);
	t1 = ticks();
	took[3][round] = (double)(t1 - t0);
	*(volatile char *)at = 1;
	t0 = ticks();
	mprotect(at, PAGE_SIZE, PROT_READ);
	t1 = ticks();
	munmap(at, PAGE_SIZE);
	t2 = ticks();
	took[2][round] = (double)(t1 - t0);
	took[1][round] = (double)(t2 - t1);
	return true;
}

/* Touches, mprotect and munmap of `bytes`, `n` times. False: no memory. */
static bool map_sized(const struct clock *c, u64 bytes, unsigned n, double *touch_took, double *mprotect_took,
		      double *munmap_took)
{
	for (unsigned i = 0; i < n; i++) {
		struct watch w = watch_start();
		char *at = map_touched(bytes);

		touch_took[i] = watch_ticks(c, &w);
		if (at == NULL)
			return false;
		w = watch_start();
		mprotect(at, bytes, PROT_READ);
		mprotect_took[i] = watch_ticks(c, &w);
		w = watch_start();
		munmap(at, bytes);
		munmap_took[i] = watch_ticks(c, &w);
	}
	return true;
}

void meter_map(struct measure *m)
{
	static double took[ARRAY_SIZE(small_figures)][ROUNDS_4K];
	double touch[ROUNDS_2M], protect[ROUNDS_2M], unmap[ROUNDS_2M];

	for (unsigned round = 0; round < ROUNDS_4K; round++)
		if (!map_small(m, round, took))
			return;
	for (unsigned i = 0; i < ARRAY_SIZE(small_figures); i++)
		figure_add(m, small_figures[i], took[i], ROUNDS_4K);
	munmap_4k = median_of(took[1], ROUNDS_4K);
	mprotect_4k = median_of(took[2], ROUNDS_4K);
	if (map_sized(&m->clock, PMD_SIZE, ROUNDS_2M, touch, protect, unmap)) {
		figure_add(m, FIG_MPROTECT_2M, protect, ROUNDS_2M);
		figure_add(m, FIG_MUNMAP_2M, unmap, ROUNDS_2M);
		return;
	}
	series_missing(&m->figure[FIG_MPROTECT_2M], "mmap: %s", strerror(errno));
	series_missing(&m->figure[FIG_MUNMAP_2M], "mmap: %s", strerror(errno));
}

void meter_map_large(struct measure *m)
{
	static const enum figure_id id[] = {FIG_MUNMAP_64M, FIG_MUNMAP_PAGE, FIG_MPROTECT_64M, FIG_MPROTECT_PAGE,
					    FIG_FAULT_WRITE_COLD};
	u64 faults = faults_so_far();
	double touch, protect, unmap, more = LARGE / PAGE_SIZE - 1;
	const char *why = m->host.available_bytes < 4 * LARGE                         ? "no memory for more"
			  : !map_sized(&m->clock, LARGE, 1, &touch, &protect, &unmap) ? strerror(errno)
										      : NULL;

	for (unsigned i = 0; why && i < ARRAY_SIZE(id); i++)
		series_missing(&m->figure[id[i]], "mmap of 64M: %s", why);
	if (why)
		return;
	if (faults_so_far() - faults >= LARGE / PAGE_SIZE)
		figure_add_ticks(m, FIG_FAULT_WRITE_COLD, touch / (LARGE / PAGE_SIZE));
	else
		series_missing(&m->figure[FIG_FAULT_WRITE_COLD], "this Linux maps in larger pieces than 4K");
	figure_add_ticks(m, FIG_MUNMAP_64M, unmap);
	figure_add_ticks(m, FIG_MPROTECT_64M, protect);
	if (munmap_4k > 0 && unmap > munmap_4k)
		figure_add_ticks(m, FIG_MUNMAP_PAGE, (unmap - munmap_4k) / more);
	if (mprotect_4k > 0 && protect > mprotect_4k)
		figure_add_ticks(m, FIG_MPROTECT_PAGE, (protect - mprotect_4k) / more);
}
