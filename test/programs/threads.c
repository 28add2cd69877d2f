/* SPDX-License-Identifier: MIT
 *
 * test/programs/threads.c - threads that come and go, map and unmap, and fork, many at once. Prints the sum of what
 * they computed.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAVES   5
#define THREADS 8
#define ROUNDS  50

static void *work(void *arg)
{
	long me = (long)arg, sum = 0;

	for (int i = 0; i < ROUNDS; i++) {
		size_t len = (size_t)(1 + (me + i) % 7) * 4096;
		char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		memset(p, (int)me, len);
		sum += p[len - 1];
		free(memset(malloc(1000), 1, 1000));
		munmap(p, len);
	}
	return (void *)sum;
}

int main(void)
{
	long sum = 0;

	for (int wave = 0; wave < WAVES; wave++) {
		pthread_t t[THREADS];
		pid_t pid;

		for (long i = 0; i < THREADS; i++)
			pthread_create(&t[i], NULL, work, (void *)(i + 1));
		pid = fork();
		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
		for (int i = 0; i < THREADS; i++) {
			void *part;

			pthread_join(t[i], &part);
			sum += (long)part;
		}
	}
	printf("%ld\n", sum);
	return 0;
}
