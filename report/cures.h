/* SPDX-License-Identifier: MIT
 *
 * report/cures.h - whose memory a region is, and the setting of that owner which changes how it is mapped.
 */
#ifndef REPORT_CURES_H
#define REPORT_CURES_H

#include <stdio.h>

#include "sim/counters.h"

/* Who maps memory for the program, as far as the files that it maps tell. */
enum allocator {
	ALLOCATOR_UNKNOWN,
	ALLOCATOR_GLIBC,
	ALLOCATOR_JEMALLOC,
	ALLOCATOR_TCMALLOC,
	ALLOCATOR_MIMALLOC,
	ALLOCATOR_JAVA,
	ALLOCATOR_GO,
	ALLOCATOR_POSTGRES,
	ALLOCATOR_PYTHON, /* its objects' arenas; the heap is the C library's */
};

enum allocator cure_allocator(const struct sim_result *r, const struct sim_region *g);
/* Memory that several processes map at once. */
bool cure_is_shared(const struct sim_region *g);
/* Such memory in reserved huge pages. The machines have it in small ones (CAVEATS.md). */
bool cure_is_shared_hugetlb(const struct sim_region *g);
/* The heap of glibc's malloc, which asks for huge pages and grows by them under glibc.malloc.hugetlb=1. */
bool cure_is_glibc_heap(const struct sim_result *r, const struct sim_region *g);

/* A runtime's or library's allocator: what it maps the program cannot map otherwise, only set. */
bool cure_is_allocators(const struct sim_result *r, const struct sim_region *g);

/* Each writes one imperative sentence, with its full stop: how to get transparent huge pages, how to get reserved ones
 * (giant: of 1G; tunable: glibc's own setting is known to help), how to keep memory that is given back and taken again
 * (peak_bytes: what is used at most). */
void cure_thp(FILE *out, const struct sim_result *r, const struct sim_region *g, bool tunable);
void cure_hugetlb(FILE *out, const struct sim_result *r, const struct sim_region *g, bool giant);
void cure_keep(FILE *out, const struct sim_result *r, const struct sim_region *g, u64 peak_bytes);

#endif
