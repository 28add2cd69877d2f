/* SPDX-License-Identifier: MIT
 *
 * test/programs/layout.c - prints where maps land, without the bit that Quire clears (interpose.c): the lines are
 * the same natively (setarch -R) and under quire when its placement is Linux's. layout FILE: a file of 8 MiB.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB (1ul << 20)

static void show(const char *what, const void *p)
{
	printf("%s %#lx\n", what, (unsigned long)p & ~0x400000000000ul);
}

static void *map(size_t len, int flags, int fd, off_t offset)
{
	return mmap(NULL, len, PROT_READ, (flags ? flags : MAP_PRIVATE) | (fd < 0 ? MAP_ANONYMOUS : 0), fd, offset);
}

static void *last_area(void)
{
	char *p = map(4096, 0, -1, 0);

	munmap(p, 4096);
	return p;
}

int main(int argc, char **argv)
{
	static const size_t mib[] = {1, 2, 3, 4, 5, 6, 7, 8, 33, 257};
	char *block[10], *p;
	int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;

	show("heap", sbrk(0));
	show("program", &main);
	for (unsigned i = 0; i < 10; i++)
		show("anonymous", block[i] = map(mib[i] * MIB, 0, -1, 0));
	munmap(block[3], 4 * MIB);
	munmap(block[5], 6 * MIB);
	show("2M in a hole", map(2 * MIB, 0, -1, 0));
	show("1 page", map(4096, 0, -1, 0));
	show("hint, free", mmap(block[3] + 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	show("hint, taken", mmap(block[7], 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	show("shared", map(4 * MIB, MAP_SHARED, -1, 0));
	if (fd >= 0) {
		show("file", map(6 * MIB, 0, fd, 0));
		show("file, offset", map(4 * MIB, 0, fd, 3 * 4096));
		show("file, small", map(1 * MIB, 0, fd, 3 * 4096));
	}
	p = map(1 * MIB, 0, -1, 0);
	show("grown", p = mremap(p, 1 * MIB, 3 * MIB, MREMAP_MAYMOVE));
	show("shrunk", p = mremap(p, 3 * MIB, 1 * MIB, MREMAP_MAYMOVE));
	show("grown in place", p = mremap(p, 1 * MIB, 2 * MIB, MREMAP_MAYMOVE));
	show("grown 2M multiple", mremap(p, 2 * MIB, 4 * MIB, MREMAP_MAYMOVE));
	for (unsigned i = 0; i < 10; i++)
		show("malloc", malloc(mib[i] * MIB));
	for (unsigned i = 0; i < 100; i++)
		p = malloc(100000);
	show("heap grown", sbrk(0));
	show("last", last_area());
	return 0;
}
