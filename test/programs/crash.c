/* SPDX-License-Identifier: MIT
 *
 * test/programs/crash.c - ends in the way that its argument says: exit N, group N (a thread calls exit_group while
 * others run), segv, null (a call of it), trap, abort, kill (-9 to itself), stack (overflow). Touches 100 pages before.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void touch(size_t pages)
{
	char *p = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (size_t i = 0; i < pages; i++)
		p[i * 4096] = 1;
}

static void *spin(void *arg)
{
	static volatile unsigned long turns;

	for (;;)
		turns++;
	return arg;
}

static void *leave(void *status)
{
	usleep(10000);
	exit(*(int *)status);
}

static int overflow(int depth)
{
	volatile char frame[4096] = {(char)depth};

	return overflow(depth + 1) + frame[depth % 4096];
}

int main(int argc, char **argv)
{
	int status = argc > 2 ? atoi(argv[2]) : 0;
	void (*volatile null)(void) = NULL;
	pthread_t thread;

	if (argc < 2)
		return 2;
	touch(100);
	if (strcmp(argv[1], "exit") == 0)
		return status;
	if (strcmp(argv[1], "segv") == 0)
		*(volatile int *)8 = 1;
	if (strcmp(argv[1], "null") == 0)
		null();
	if (strcmp(argv[1], "trap") == 0)
		__asm__("int3");
	if (strcmp(argv[1], "abort") == 0)
		abort();
	if (strcmp(argv[1], "kill") == 0)
		kill(getpid(), SIGKILL);
	if (strcmp(argv[1], "stack") == 0)
		return overflow(0);
	if (strcmp(argv[1], "group") == 0) {
		pthread_create(&thread, NULL, spin, NULL);
		pthread_create(&thread, NULL, leave, &status);
		pthread_join(thread, NULL);
	}
	return 2;
}
