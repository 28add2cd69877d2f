/* SPDX-License-Identifier: MIT
 *
 * measure/pages.c - touched memory of one kind of page, as much as there is memory and time for.
 *
 * Memory is touched piece by piece, so that neither a slow machine nor a small one is driven beyond what it has: at
 * most a quarter of what the host has available, and not past the deadline.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "measure/measure.h"
#include "x86/paging.h"

#define PIECE (4 * PMD_SIZE)
#define SHARE 4

/* Reserves `bytes` at a multiple of 2M. Returns NULL with errno. */
static char *reserve(struct pages *p, enum page_kind kind, u64 bytes)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | (kind == PAGES_HUGETLB ? MAP_HUGETLB : 0);
	char *at;

	p->mapped = bytes + (kind == PAGES_HUGETLB ? 0 : PMD_SIZE);
	at = mmap(NULL, p->mapped, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	p->at = at;
	if (kind != PAGES_HUGETLB)
		madvise(at, p->mapped, kind == PAGES_THP ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return at;
}

/* Touches them until the time is over. Returns how many bytes are as they were wanted. */
static u64 touch(char *start, u64 bytes, enum page_kind kind, double seconds)
{
	u64 step = kind == PAGES_4K ? PAGE_SIZE : PMD_SIZE, end_ns = clock_ns() + (u64)(seconds * 1e9), faults, done;

	for (done = 0; done < bytes && (done % PIECE != 0 || clock_ns() < end_ns); done += step) {
		*(volatile char *)(start + done) = 1;
		if (kind != PAGES_THP)
			continue;
		/* Is it huge? Then its second 4K is there too. */
		faults = faults_so_far();
		*(volatile char *)(start + done + PAGE_SIZE) = 1;
		if (faults_so_far() != faults)
			break;
	}
	return done;
}

void pages_get(const struct measure *m, struct pages *p, enum page_kind kind, u64 want, double seconds)
{
	u64 most = ALIGN_DOWN(m->host.available_bytes / SHARE, PMD_SIZE);
	char *start;

	*p = (struct pages){0};
	if (kind == PAGES_HUGETLB)
		most = m->host.pool_pages * PMD_SIZE;
	if (want > most) {
		want = most;
		snprintf(p->missing, sizeof(p->missing), "%s",
			 kind != PAGES_HUGETLB ? "no memory for more"
			 : most == 0           ? "no free page in the kernel's pool (vm.nr_hugepages)"
					       : "the kernel's pool has no more free pages");
	}
	while (want >= PMD_SIZE && reserve(p, kind, want) == NULL) {
		snprintf(p->missing, sizeof(p->missing), "mmap of more: %s", strerror(errno));
		want = ALIGN_DOWN(want / 2, PMD_SIZE);
	}
	if (want < PMD_SIZE) {
		p->mapped = 0;
		return;
	}
	start = (char *)ALIGN_UP((u64)p->at, PMD_SIZE);
	p->bytes = touch(start, want, kind, seconds);
	if (p->bytes < want && p->missing[0] == '\0')
		snprintf(p->missing, sizeof(p->missing), "%s",
			 p->bytes % PIECE != 0 || (p->bytes == 0 && kind == PAGES_THP)
			     ? thp_missing(&m->host)
			     : "no time for more (--seconds)");
	/* The rest stays reserved: it was never touched. */
	if (start != p->at)
		munmap(p->at, (u64)(start - p->at));
	p->mapped -= (u64)(start - p->at);
	p->at = start;
}

void pages_put(struct pages *p)
{
	if (p->mapped != 0)
		munmap(p->at, p->mapped);
	*p = (struct pages){0};
}
