/* SPDX-License-Identifier: MIT
 *
 * test/cost/costly.c - a program that pays for virtual memory in the way that its argument names, and a little in every
 * other: advice.sh sees which the report speaks of.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define KIB  1024ul
#define MIB  (1024 * KIB)
#define PAGE 4096ul

static char initialised[16 * MIB] = {1};
static sigjmp_buf out_of_fault;

static char *map(size_t bytes)
{
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		exit(1);
	return p;
}

static void touch(volatile char *p, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += PAGE)
		p[at] = 1;
}

/* Read first: the zero page is mapped, and the write copies it. */
static void read_first(void)
{
	volatile char *p = map(16 * MIB);

	for (size_t at = 0; at < 16 * MIB; at += PAGE) {
		char was = p[at];

		__asm__ volatile("" : "+r"(was)); /* or one instruction reads and writes */
		p[at] = (char)(was + 1);
	}
}

/* A working set of pages that no TLB holds, again and again. */
static void walks(void)
{
	volatile char *p = map(12 * MIB);

	for (unsigned round = 0; round < 1000; round++)
		touch(p, 12 * MIB);
}

static void first_touches(void)
{
	touch(map(32 * MIB), 32 * MIB);
}

/* The same 64 KiB, a little at a time: nothing of it is for huge pages. */
static void refaults(void)
{
	char *p = map(64 * KIB);

	for (unsigned round = 0; round < 300; round++) {
		touch(p, 64 * KIB);
		madvise(p, 64 * KIB, MADV_DONTNEED);
	}
}

static void forks(void)
{
	char *p = map(8 * MIB);

	touch(p, 8 * MIB);
	for (unsigned round = 0; round < 5; round++) {
		if (fork() == 0)
			_exit(0);
		wait(NULL);
		touch(p, 8 * MIB);
	}
}

static void private_copies(void)
{
	touch(initialised, sizeof(initialised));
}

static void jump_away(int sig)
{
	siglongjmp(out_of_fault, sig);
}

static void signals(void)
{
	volatile char *p = map(PAGE);
	volatile unsigned n;

	mprotect((void *)p, PAGE, PROT_NONE);
	signal(SIGSEGV, jump_away);
	for (n = 0; n < 2000; n++)
		if (sigsetjmp(out_of_fault, 1) == 0)
			p[0] = 1;
}

static void many_protects(void)
{
	char *p = map(1 * MIB);

	for (unsigned n = 0; n < 5000; n++)
		mprotect(p, PAGE, n % 2 ? PROT_READ | PROT_WRITE : PROT_READ);
}

static void system_calls(void)
{
	for (unsigned n = 0; n < 50000; n++)
		syscall(SYS_getppid);
}

static void nothing(void)
{
	volatile unsigned long n;

	for (n = 0; n < 100000000;)
		n++;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*pay)(void);
	} ways[] = {
	    {"walks", walks},
	    {"touches", first_touches},
	    {"refaults", refaults},
	    {"forks", forks},
	    {"copies", private_copies},
	    {"signals", signals},
	    {"protects", many_protects},
	    {"calls", system_calls},
	    {"reads", read_first},
	    {"nothing", nothing},
	};

	for (unsigned i = 0; argc == 2 && i < sizeof(ways) / sizeof(ways[0]); i++)
		if (strcmp(argv[1], ways[i].name) == 0) {
			ways[i].pay();
			return 0;
		}
	return 2;
}
