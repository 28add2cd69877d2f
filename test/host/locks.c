/* SPDX-License-Identifier: MIT
 *
 * test/host/locks.c - a program that locks memory: mlock, MLOCK_ONFAULT, MAP_LOCKED, mlockall(MCL_FUTURE). All
 * but the second bring 6 MiB in, which then need no faults.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define BYTES (6ul << 20)

static char *map(int flags)
{
	char *p = mmap(NULL, BYTES + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int main(void)
{
	char *locked = map(0), *later = map(0), *at_once, *future;

	if (!locked || !later || mlock(locked + 100, BYTES) != 0)
		return 1;
	mlock2(later, BYTES / 8, MLOCK_ONFAULT); /* no matter if QEMU does not know it: it brings nothing in */
	memset(locked, 1, BYTES);
	memset(later, 1, BYTES / 16);
	munlock(locked, BYTES + 4096);
	madvise(locked, BYTES, MADV_DONTNEED);
	munmap(later, BYTES + 4096);
	at_once = map(MAP_LOCKED);
	if (!at_once)
		return 1;
	memset(at_once, 1, BYTES);
	munmap(at_once, BYTES + 4096);
	if (mlockall(MCL_FUTURE) != 0)
		return 1;
	future = map(0);
	if (!future)
		return 1;
	memset(future, 1, BYTES);
	munlockall();
	puts("locked and unlocked");
	return 0;
}
