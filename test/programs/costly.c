/* SPDX-License-Identifier: MIT
 *
 * test/programs/costly.c - costly KIND [FILE]: does one costly thing to its memory, and little else, so that the advice has
 * one thing to say. Kinds are the rows of kinds[].
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define KIB  1024ul
#define MIB  (1024 * KIB)

static char *map(size_t bytes, int flags)
{
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		exit(1);
	return p;
}

static void touch(volatile char *p, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += PAGE)
		p[at] = 1;
}

/* A working set of pages that no TLB holds, again and again. */
static void walks(const char *file)
{
	char *p = map(24 * MIB, MAP_PRIVATE); /* Zen 5's L2 TLB holds 16 MiB */

	for (unsigned round = 0; round < 1500; round++)
		touch(p, 24 * MIB);
}

static void touches(const char *file)
{
	touch(map(32 * MIB, MAP_PRIVATE), 32 * MIB);
}

/* Read first: the zero page is mapped, and the write copies it. */
static void reads(const char *file)
{
	volatile char *p = map(16 * MIB, MAP_PRIVATE);

	for (size_t at = 0; at < 16 * MIB; at += PAGE) {
		char was = p[at];

		__asm__ volatile("" : "+r"(was)); /* or one instruction reads and writes */
		p[at] = (char)(was + 1);
	}
}

/* Memory that huge pages are refused for, touched once. */
static void once(const char *file)
{
	char *p = map(32 * MIB, MAP_PRIVATE);

	madvise(p, 32 * MIB, MADV_NOHUGEPAGE);
	touch(p, 32 * MIB);
}

/* The same as the advice for it has it. */
static void populated(const char *file)
{
	char *p = map(32 * MIB, MAP_PRIVATE);

	madvise(p, 32 * MIB, MADV_NOHUGEPAGE);
	madvise(p, 32 * MIB, MADV_POPULATE_WRITE);
	touch(p, 32 * MIB);
}

/* The same 64 KiB, a little at a time: nothing of it is for huge pages. */
static void refaults(const char *file)
{
	char *p = map(64 * KIB, MAP_PRIVATE);

	for (unsigned round = 0; round < 300; round++) {
		touch(p, 64 * KIB);
		madvise(p, 64 * KIB, MADV_DONTNEED);
	}
}

static void again(const char *file)
{
	for (unsigned i = 0; i < 200; i++) {
		char *p = map(MIB / 4, MAP_PRIVATE);

		touch(p, MIB / 4);
		munmap(p, MIB / 4);
	}
}

/* malloc's, all of it given back before it is asked for again, in blocks that allocators take from different places. */
static void churn(const char *file)
{
	static char *block[1024];

	for (unsigned round = 0; round < 20; round++) {
		size_t size = round % 2 ? 64 * KIB : 16 * MIB, nr = 64 * MIB / size;

		for (size_t i = 0; i < nr; i++) {
			block[i] = malloc(size);
			if (block[i] == NULL)
				exit(1);
			touch(block[i], size);
		}
		for (size_t i = 0; i < nr; i++)
			free(block[i]);
	}
}

/* Children that do as told by `child`, and memory that is written after each fork. */
static void with_children(void (*child)(char *p))
{
	char *p = map(16 * MIB, MAP_PRIVATE);

	madvise(p, 16 * MIB, MADV_NOHUGEPAGE);
	touch(p, 16 * MIB);
	for (unsigned i = 0; i < 8; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			child(p);
			_exit(0);
		}
		touch(p, 16 * MIB);
		waitpid(pid, NULL, 0);
	}
}

static void forks(const char *file)
{
	char *p = map(8 * MIB, MAP_PRIVATE);

	touch(p, 8 * MIB);
	for (unsigned round = 0; round < 5; round++) {
		if (fork() == 0)
			_exit(0);
		wait(NULL);
		touch(p, 8 * MIB);
	}
}

static void child_executes(char *p)
{
	execl("/bin/true", "true", NULL);
}

static void spawn(const char *file)
{
	with_children(child_executes);
}

/* As spawn, without fork. */
static void posix(const char *file)
{
	char *p = map(16 * MIB, MAP_PRIVATE), *argv[] = {(char *)"true", NULL};

	madvise(p, 16 * MIB, MADV_NOHUGEPAGE);
	touch(p, 16 * MIB);
	for (unsigned i = 0; i < 8; i++) {
		pid_t pid;

		if (posix_spawn(&pid, "/bin/true", NULL, NULL, argv, NULL) != 0)
			exit(1);
		touch(p, 16 * MIB);
		waitpid(pid, NULL, 0);
	}
}

static void child_works(char *p)
{
	touch(p, MIB);
}

static void work(const char *file)
{
	with_children(child_works);
}

/* The program's own data. */
static void data(const char *file)
{
	static char initialised[16 * MIB] = {1};

	touch(initialised, sizeof(initialised));
}

/* A file's private pages, all written. */
static void copies(const char *file)
{
	FILE *f = fopen(file, "w+");
	char *p;

	if (f == NULL || ftruncate(fileno(f), 32 * MIB) != 0)
		exit(1);
	p = mmap(NULL, 32 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE, fileno(f), 0);
	if (p == MAP_FAILED)
		exit(1);
	touch(p, 32 * MIB);
}

static void protect(const char *file)
{
	char *p = map(MIB, MAP_PRIVATE);

	for (unsigned i = 0; i < 5000; i++)
		mprotect(p, PAGE, i % 2 ? PROT_READ | PROT_WRITE : PROT_READ);
}

static void calls(const char *file)
{
	for (unsigned i = 0; i < 50000; i++)
		syscall(SYS_getppid);
}

static volatile int stop;

static void *spin(void *arg)
{
	while (!stop)
		;
	return NULL;
}

/* A thread that computes is interrupted for each page that another gives back. */
static void shoot(const char *file)
{
	char *p = map(PAGE, MAP_PRIVATE);
	pthread_t thread;

	if (pthread_create(&thread, NULL, spin, NULL) != 0)
		exit(1);
	for (unsigned i = 0; i < 2000; i++) {
		*p = 1;
		madvise(p, PAGE, MADV_DONTNEED);
	}
	stop = 1;
	pthread_join(thread, NULL);
}

static sigjmp_buf back;

static void caught(int sig)
{
	siglongjmp(back, 1);
}

static void signals(const char *file)
{
	char *p = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	signal(SIGSEGV, caught);
	for (volatile unsigned i = 0; i < 2000; i++)
		if (sigsetjmp(back, 1) == 0)
			*p = 1;
}

/* What databases do: memory that many processes map, each with tables of its own. */
static void shared(const char *file)
{
	char *p = map(32 * MIB, MAP_SHARED);

	touch(p, 32 * MIB);
	for (unsigned i = 0; i < 4; i++)
		if (fork() == 0) {
			touch(p, 32 * MIB);
			_exit(0);
		}
	while (wait(NULL) > 0)
		;
}

/* Nothing that is worth a word. */
static void compute(const char *file)
{
	volatile unsigned long n;

	for (n = 0; n < 100000000;)
		n++;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(const char *file);
	} kinds[] = {
	    {"walks", walks},       {"touches", touches}, {"once", once},   {"reads", reads},
	    {"refaults", refaults}, {"again", again},     {"forks", forks}, {"spawn", spawn},
	    {"posix", posix},       {"work", work},       {"data", data},   {"copies", copies},
	    {"protect", protect},   {"calls", calls},     {"shoot", shoot}, {"signals", signals},
	    {"shared", shared},     {"compute", compute}, {"churn", churn}, {"populated", populated},
	};

	for (unsigned i = 0; argc > 1 && i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(argv[1], kinds[i].name) == 0) {
			kinds[i].run(argc > 2 ? argv[2] : "");
			return 0;
		}
	return 2;
}
