/* SPDX-License-Identifier: MIT
 *
 * test/programs/ab.c - ab WORK a|b: the same work in two ways that virtual memory costs differently, for
 * tools/validate.py. Prints the CPU seconds of its first thread and its children.
 *
 *   WORK       a                             b
 *   chase      pointers through 64M, in 4K   the same in 2M pages (madvise)
 *   random     independent reads of 64M      the same in 2M pages
 *   touch      new memory in 4K pages        in 2M pages
 *   populate   new memory, page faults       MADV_POPULATE_WRITE
 *   spawn      fork of 64M, _exit            vfork, _exit
 *   protect    mprotect while a thread of    the same while it sleeps
 *              the program runs elsewhere
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE (64ul << 20)
#define HUGE (2ul << 20)
#define PAGE 4096ul

static char *map(int advice)
{
	char *at = mmap(NULL, SIZE + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		exit(1);
	at = (char *)(((uintptr_t)at + HUGE - 1) & ~(HUGE - 1));
	madvise(at, SIZE, advice);
	return at;
}

static uint64_t next(uint64_t *x)
{
	return *x = *x * 6364136223846793005u + 1442695040888963407u;
}

/* One pointer in each page, a line that differs, one cycle through all. */
static void chase(int advice)
{
	char *at = map(advice);
	unsigned n = SIZE / PAGE, *order = malloc(n * sizeof(*order));
	uint64_t seed = 88172645463325252u;
	void **p;

	for (unsigned i = 0; i < n; i++)
		order[i] = i;
	for (unsigned i = n; i > 1; i--) {
		unsigned k = (next(&seed) >> 33) % i, last = order[i - 1];

		order[i - 1] = order[k];
		order[k] = last;
	}
	for (unsigned i = 0; i < n; i++) {
		unsigned from = order[i], to = order[(i + 1) % n];

		*(void **)(at + from * PAGE + (from + from / 64) % 64 * 64) = at + to * PAGE + (to + to / 64) % 64 * 64;
	}
	p = (void **)(at + order[0] * PAGE + (order[0] + order[0] / 64) % 64 * 64);
	for (unsigned i = 0; i < 4000000; i++)
		p = *(void *volatile *)p;
	free(order);
}

static void random_reads(int advice)
{
	char *at = map(advice);
	uint64_t x = 88172645463325252u;

	memset(at, 1, SIZE);
	for (unsigned i = 0; i < 8000000; i++)
		(void)*(volatile char *)(at + (next(&x) >> 20) % SIZE);
}

static void touch(int advice)
{
	for (unsigned turn = 0; turn < 4; turn++) {
		char *at = map(advice);

		for (size_t i = 0; i < SIZE; i += PAGE)
			*(volatile char *)(at + i) = 1;
		munmap(at, SIZE);
	}
}

static void populate(void)
{
	for (unsigned turn = 0; turn < 4; turn++) {
		char *at = map(MADV_NOHUGEPAGE);

		if (madvise(at, SIZE, 23 /* MADV_POPULATE_WRITE */) != 0)
			exit(1);
		munmap(at, SIZE);
	}
}

static void spawn(int share)
{
	char *at = map(MADV_NOHUGEPAGE);

	memset(at, 1, SIZE);
	for (unsigned i = 0; i < 40; i++) {
		pid_t child = share ? vfork() : fork();

		if (child == 0)
			_exit(0);
		waitpid(child, NULL, 0);
	}
}

static atomic_int state; /* of the other thread: 1 it runs, 2 it is to end */

static void *other(void *sleeps)
{
	state = 1;
	while (state != 2)
		if (sleeps)
			usleep(1000);
	return NULL;
}

static void protect(void *sleeps)
{
	pthread_t thread;
	char *at = map(MADV_NOHUGEPAGE);

	*(volatile char *)at = 1;
	if (pthread_create(&thread, NULL, other, sleeps) != 0)
		exit(1);
	while (state != 1)
		usleep(100);
	for (unsigned i = 0; i < 5000; i++) {
		mprotect(at, PAGE, PROT_READ);
		mprotect(at, PAGE, PROT_READ | PROT_WRITE);
		*(volatile char *)at = 1;
	}
	state = 2;
	pthread_join(thread, NULL);
}

static double seconds(int who)
{
	struct rusage r;

	getrusage(who, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
	int b = argc == 3 && strcmp(argv[2], "b") == 0, advice = b ? MADV_HUGEPAGE : MADV_NOHUGEPAGE;
	const char *work = argc == 3 ? argv[1] : "";

	if (strcmp(work, "chase") == 0)
		chase(advice);
	else if (strcmp(work, "random") == 0)
		random_reads(advice);
	else if (strcmp(work, "touch") == 0)
		touch(advice);
	else if (strcmp(work, "populate") == 0)
		b ? populate() : touch(MADV_NOHUGEPAGE);
	else if (strcmp(work, "spawn") == 0)
		spawn(b);
	else if (strcmp(work, "protect") == 0)
		protect(b ? &state : NULL);
	else
		return 2;
	printf("%.6f\n", seconds(RUSAGE_THREAD) + seconds(RUSAGE_CHILDREN));
	return 0;
}
