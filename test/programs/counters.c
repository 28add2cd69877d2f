/* SPDX-License-Identifier: MIT
 *
 * test/programs/counters.c - memory whose every page is first touched by an instruction that reads and writes it: one
 * page fault a page, a write's (test/trace/error_codes.c). Each kind of instruction has 512 pages of its own; then all
 * again beside a second thread, where emulators do other things for locked ones. Without huge pages. Prints ru_minflt.
 */
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGES 512

/* op: an instruction on (%4). RAX, RBX and RDX are 0, RCX is 1. */
#define TOUCH(op)                                                                                                      \
	for (char *p = pages(), *end = p + PAGES * 4096; p < end; p += 4096) {                                         \
		long a = 0, b = 0, c = 1, d = 0;                                                                       \
		__asm__ volatile(op : "+a"(a), "+b"(b), "+c"(c), "+d"(d) : "r"(p) : "memory", "cc");                   \
	}

static char *pages(void)
{
	return mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void touch(void)
{
	TOUCH("incl (%4)");
	TOUCH("addl $1, 64(%4)");
	TOUCH("notb (%4)");
	TOUCH("shlq $0, (%4)");
	TOUCH("shll %%cl, (%4)");
	TOUCH("btsl $0, (%4)");
	TOUCH("lock addq $1, (%4)");
	TOUCH("xaddl %%ecx, (%4)");
	TOUCH("lock xaddl %%ecx, (%4)");
	TOUCH("xchg %%rcx, (%4)");
	TOUCH("mov $7, %%eax; lock cmpxchg %%ecx, (%4)"); /* fails */
	TOUCH("lock cmpxchg %%rcx, (%4)");
	TOUCH("lock cmpxchg8b (%4)");
	TOUCH("lock cmpxchg16b (%4)");
	TOUCH("lock incb 4095(%4)");
}

static void *wait_for_end(void *arg)
{
	pause();
	return arg;
}

int main(void)
{
	struct rusage usage;
	pthread_t thread;

	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	touch();
	if (pthread_create(&thread, NULL, wait_for_end, NULL) != 0)
		return 1;
	touch();
	getrusage(RUSAGE_SELF, &usage);
	printf("%ld\n", usage.ru_minflt);
	return 0;
}
