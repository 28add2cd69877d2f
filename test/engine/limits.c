/* SPDX-License-Identifier: MIT
 *
 * test/engine/limits.c - how much memory a program gets under RLIMIT_AS and RLIMIT_DATA, to the page: by mmap, brk, mremap,
 * a stack that grows, in a fork's child, behind vfork, in threads, and after execve; who may raise a limit, and how far; and
 * how much mlockall locks.
 * Prints it; natively and under the engine the same.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define MIB  (1ul << 20)
#define MOST (1u << 17)

static void *pages[MOST] __attribute__((aligned(4096)));

/* Pages that mmap gives before it refuses; they are given back. */
static void count(const char *what, int prot, int flags)
{
	size_t n = 0;

	while (n < MOST && (pages[n] = mmap(NULL, PAGE, prot, flags | MAP_ANONYMOUS, -1, 0)) != MAP_FAILED)
		n++;
	printf("%s: %zu pages, then %s\n", what, n, n < MOST ? strerrorname_np(errno) : "enough");
	while (n)
		munmap(pages[--n], PAGE);
}

static void counts(const char *what)
{
	puts(what);
	count("written to", PROT_READ | PROT_WRITE, MAP_PRIVATE);
	count("not accessible", PROT_NONE, MAP_PRIVATE);
}

static int limit(int which, rlim_t soft, rlim_t hard)
{
	return setrlimit(which, &(struct rlimit){soft, hard}) ? errno : 0;
}

static void show(const char *what)
{
	for (int which = RLIMIT_DATA; which <= RLIMIT_AS; which += RLIMIT_AS - RLIMIT_DATA) {
		struct rlimit l;

		getrlimit(which, &l);
		printf("%s, %s: %lx, %lx\n", what, which == RLIMIT_AS ? "as" : "data", l.rlim_cur, l.rlim_max);
	}
	fflush(stdout);
}

static void moves(void)
{
	char *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *next;
	size_t n = 1, most;

	while ((next = mremap(at, n * PAGE, (n + 16) * PAGE, MREMAP_MAYMOVE)) != MAP_FAILED) {
		at = next;
		n += 16;
	}
	printf("mremap: %zu pages, then %s\n", n, strerrorname_np(errno));
	munmap(at, n * PAGE);
	for (most = 0; sbrk(PAGE) != (void *)-1; most++)
		;
	printf("brk: %zu pages, then %s\n", most, strerrorname_np(errno));
	sbrk(-(long)(most * PAGE));
}

static void *nothing(void *arg)
{
	return arg;
}

/* Small stacks: each takes as much of the limit as it does natively. */
static void threads(void)
{
	pthread_attr_t attr;
	pthread_t t[40];
	int n, err = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, MIB);
	for (n = 0; n < 40 && !err; n += !err)
		err = pthread_create(&t[n], &attr, nothing, NULL);
	printf("threads: %d, then %s\n", n, err ? strerrorname_np(err) : "none");
	while (n)
		pthread_join(t[--n], NULL);
}

static int deep(int turns)
{
	volatile char page[2 * PAGE];

	page[0] = (char)turns;
	return turns ? deep(turns - 1) + page[0] : 0;
}

static void child(const char *what, void (*run)(void))
{
	int status;

	fflush(stdout);
	if (fork() == 0) {
		run();
		fflush(stdout);
		_exit(0);
	}
	wait(&status);
	printf("%s: status %x\n", what, status);
}

static void as_small(void)
{
	limit(RLIMIT_AS, 64 * MIB, RLIM_INFINITY);
	counts("64 MiB");
	moves();
	threads();
	counts("64 MiB, after threads");
}

static void data_small(void)
{
	limit(RLIMIT_DATA, 16 * MIB, RLIM_INFINITY);
	count("16 MiB of data", PROT_READ | PROT_WRITE, MAP_PRIVATE);
	printf("shared: %d\n",
	       mmap(NULL, 32 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
	moves();
	threads();
	count("16 MiB of data, after threads", PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

static void data_none(void)
{
	char *at = sbrk(0);

	limit(RLIMIT_DATA, 0, RLIM_INFINITY);
	printf("no data: mmap %d, brk %d\n",
	       mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED,
	       brk(at + PAGE));
	printf("a hard limit of 0: %d\n", limit(RLIMIT_DATA, 0, 0));
	printf("mmap %d\n", mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
}

static void stack_small(void)
{
	limit(RLIMIT_AS, 8 * MIB, RLIM_INFINITY);
	deep(2000);
}

static void below_use(void)
{
	printf("less than is used: %d\n", limit(RLIMIT_AS, PAGE, RLIM_INFINITY));
	printf("mmap %d, munmap %d\n", mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED,
	       munmap((void *)0x10000000, PAGE));
}

static void calls(void)
{
	struct rlimit old, new = {48 * MIB, 96 * MIB};

	show("at first");
	printf("prlimit %d", prlimit(0, RLIMIT_AS, &new, &old));
	printf(" was %lx, %lx\n", old.rlim_cur, old.rlim_max);
	show("set");
	printf("by its number %ld, ", syscall(SYS_prlimit64, getpid(), RLIMIT_AS, NULL, &old));
	printf("%lx, %lx\n", old.rlim_cur, old.rlim_max);
	printf("soft over hard: %d\n", limit(RLIMIT_AS, 97 * MIB, 96 * MIB));
	printf("no such address: %ld, %s\n", syscall(SYS_getrlimit, RLIMIT_AS, 8), strerrorname_np(errno));
	printf("to be set: %ld, %s\n", syscall(SYS_setrlimit, RLIMIT_AS, 0), strerrorname_np(errno));
	printf("prlimit: %ld, %s\n", syscall(SYS_prlimit64, 0, RLIMIT_AS, 8, 0), strerrorname_np(errno));
	printf("of the old: %ld, %s\n", syscall(SYS_prlimit64, 0, RLIMIT_AS, &new, 8), strerrorname_np(errno));
	printf("nothing asked: %ld\n", syscall(SYS_prlimit64, 0, RLIMIT_AS, 0, 0));
	printf("no such limit: %d\n", limit(99, 1, 1));
	printf("raised: %d, to no limit: %d\n", limit(RLIMIT_AS, 48 * MIB, 97 * MIB),
	       limit(RLIMIT_AS, 48 * MIB, RLIM_INFINITY));
	count("48 MiB", PROT_NONE, MAP_PRIVATE);
	printf("lowered: %d\n", limit(RLIMIT_AS, 40 * MIB, 40 * MIB));
	if (setuid(65534) == 0)
		printf("another user raises: %d, lowers: %d\n", limit(RLIMIT_AS, 41 * MIB, 41 * MIB),
		       limit(RLIMIT_AS, 39 * MIB, 39 * MIB));
	show("at last");
}

/* A vfork's child has limits of its own. */
static void behind_vfork(void)
{
	pid_t pid;

	limit(RLIMIT_AS, 64 * MIB, RLIM_INFINITY);
	pid = vfork();
	if (pid == 0) {
		limit(RLIMIT_AS, 32 * MIB, RLIM_INFINITY);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	counts("the parent of a vfork");
}

/* Not even one for the engine. */
static void no_descriptors(void)
{
	limit(RLIMIT_NOFILE, 0, 0);
	printf("mprotect: %d\n", mprotect(pages, PAGE, PROT_READ | PROT_EXEC) ? errno : 0);
	threads();
	printf("dup: %d\n", dup(1) < 0 ? errno : 0);
}

static void show_locked(const char *what, int ret)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256] = "";

	while (f && fgets(line, sizeof(line), f) && strncmp(line, "VmLck:", 6) != 0)
		;
	printf("%s: %d, %s", what, ret ? errno : 0, line);
	if (f)
		fclose(f);
}

/* What mlockall locks, and what is locked because of it. */
static void locked(void)
{
	show_locked("all", mlockall(MCL_CURRENT));
	threads();
	show_locked("threads", 0);
	show_locked("unlocked", munlockall());
	show_locked("in future", mlockall(MCL_FUTURE));
	threads();
	show_locked("threads", 0);
	show_locked("all, and no more", mlockall(MCL_CURRENT));
	show_locked("a megabyte",
		    mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
	show_locked("all, as it is used", mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT));
	show_locked("nothing", mlockall(0));
	show_locked("how, not what", mlockall(MCL_ONFAULT));
	show_locked("an unknown flag", mlockall(MCL_CURRENT | 8));
	show_locked("unlocked", munlockall());
}

/* It counts in RLIMIT_MEMLOCK, and nothing of the engine's does. */
static void locked_small(void)
{
	limit(RLIMIT_MEMLOCK, 64 * MIB, 64 * MIB);
	setuid(65534);
	show_locked("another user: all", mlockall(MCL_CURRENT));
	show_locked("in future", mlockall(MCL_CURRENT | MCL_FUTURE));
	count("in future", PROT_READ | PROT_WRITE, MAP_PRIVATE);
	show_locked("unlocked", munlockall());
	limit(RLIMIT_MEMLOCK, MIB, MIB);
	show_locked("less than there is", mlockall(MCL_CURRENT));
	show_locked("in future", mlockall(MCL_FUTURE));
	count("in future", PROT_READ | PROT_WRITE, MAP_PRIVATE);
	limit(RLIMIT_MEMLOCK, 0, 0);
	show_locked("none", mlockall(MCL_CURRENT));
	show_locked("in future", mlockall(MCL_FUTURE));
}

static void executes(void)
{
	limit(RLIMIT_AS, 64 * MIB, 128 * MIB);
	limit(RLIMIT_DATA, 16 * MIB, 16 * MIB);
	execl("/no/such/program", "x", NULL);
	counts("after an execve that failed");
	fflush(stdout);
	execl("/proc/self/exe", "limits", "after", NULL);
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		show("after execve");
		counts(argv[1]);
		return 0;
	}
	child("address space", as_small);
	child("data", data_small);
	child("no data", data_none);
	child("a stack", stack_small);
	child("below use", below_use);
	child("calls", calls);
	child("vfork", behind_vfork);
	child("no descriptors", no_descriptors);
	child("locked", locked);
	child("locked, with a limit", locked_small);
	child("execve", executes);
	return 0;
}
