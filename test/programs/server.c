/* SPDX-License-Identifier: MIT
 *
 * test/programs/server.c - a server that saves itself as Redis does: it fills MIB (256) megabytes and forks; the child
 * reads them all and keeps its view while the parent overwrites pages at random, a tenth as many as there are.
 *
 *   server [-h] [-f] [MIB]
 *     -h   ask for huge pages: madvise(MADV_HUGEPAGE)
 *     -f   print this host's own figures too: page faults of the parent's writes (getrusage), and the memory that they
 *          cost: proportional set sizes of both processes, before and after (smaps_rollup)
 *
 * The pages overwritten are counted by a mark in each, so the count is the program's own.
 *
 *   parent   fill   fork   ------- wait for the child -------   overwrite   close the pipe   wait
 *   child                  read all -> one byte to the parent   ----------- wait -----------  read all again, exit
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE      4096ull
#define PER_BLOCK 512 /* pages of a 2M block */

struct page {
	uint64_t number, writes;
	char rest[PAGE - 16];
};

static uint64_t sum(const struct page *memory, uint64_t pages)
{
	uint64_t all = 0;

	for (uint64_t i = 0; i < pages; i++)
		all += memory[i].number + memory[i].writes;
	return all;
}

/* KiB of anonymous memory in this process's share; 0 where it cannot be read. */
static long share_kib(pid_t pid)
{
	char path[64], line[128];
	long kib = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		sscanf(line, "Pss_Anon: %ld", &kib);
	if (f)
		fclose(f);
	return kib;
}

static long faults(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return ru.ru_minflt;
}

static _Noreturn void child(const struct page *memory, uint64_t pages, int ready, int go)
{
	uint64_t before = sum(memory, pages);
	char byte = 0;

	if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 0)
		_exit(1);
	_exit(before != pages * (pages - 1) / 2 || sum(memory, pages) != before);
}

/* Returns how many pages it wrote, each counted once; *blocks: 2M blocks that these lie in. */
static uint64_t overwrite(struct page *memory, uint64_t pages, uint64_t *blocks)
{
	uint64_t random = 88172645463325252ull, distinct = 0;

	for (uint64_t i = 0; i < pages / 10; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		distinct += memory[(random >> 20) % pages].writes++ == 0;
	}
	*blocks = 0;
	for (uint64_t b = 0; b < pages; b += PER_BLOCK) {
		uint64_t n = 0;

		for (uint64_t i = b; i < b + PER_BLOCK && i < pages; i++)
			n += memory[i].writes;
		*blocks += n != 0;
	}
	return distinct;
}

int main(int argc, char **argv)
{
	int huge = 0, figures = 0, opt, status, ready[2], go[2];
	uint64_t pages, distinct, blocks;
	long before = 0, took, kib = 0;
	struct page *memory;
	pid_t pid;
	char byte;

	while ((opt = getopt(argc, argv, "hf")) != -1)
		*(opt == 'h' ? &huge : &figures) = 1;
	pages = (optind < argc ? strtoull(argv[optind], NULL, 0) : 256) * (1 << 20) / PAGE;
	memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || pipe(ready) || pipe(go))
		return 1;
	if (huge && madvise(memory, pages * PAGE, MADV_HUGEPAGE))
		perror("madvise");
	for (uint64_t i = 0; i < pages; i++)
		memory[i].number = i;
	pid = fork();
	if (pid == 0) {
		close(go[1]);
		child(memory, pages, ready[1], go[0]);
	}
	if (pid < 0 || read(ready[0], &byte, 1) != 1)
		return 1;
	if (figures)
		kib = share_kib(getpid()) + share_kib(pid);
	before = faults();
	distinct = overwrite(memory, pages, &blocks);
	took = faults() - before;
	if (figures)
		kib = share_kib(getpid()) + share_kib(pid) - kib;
	close(go[1]);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		return 1;
	printf("%llu of %llu pages overwritten, in %llu blocks of 2 MiB\n", (unsigned long long)distinct,
	       (unsigned long long)pages, (unsigned long long)blocks);
	if (figures)
		printf("here: %ld faults, %ld KiB more memory\n", took, kib);
	return 0;
}
