/* SPDX-License-Identifier: MIT
 *
 * test/host/arenas.c - threads that malloc small blocks: glibc gives each an arena that it aligns to 64 MiB by hand.
 * The threads run one after the other, so that which arena a thread gets does not depend on timing.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, BLOCKS = 6000, BYTES = 2000 };
static sem_t turn[THREADS + 1], done;

static void *work(void *arg)
{
	size_t me = (size_t)arg;
	sem_wait(&turn[me]);
	for (int i = 0; i < BLOCKS; i++) {
		char *p = malloc(BYTES);
		memset(p, i, BYTES);
	}
	sem_post(&turn[me + 1]);
	sem_wait(&done); /* all live until the last has worked: an arena is not handed on */
	return NULL;
}

int main(void)
{
	pthread_t t[THREADS];
	sem_init(&done, 0, 0);
	for (size_t i = 0; i <= THREADS; i++)
		sem_init(&turn[i], 0, 0);
	for (size_t i = 0; i < THREADS; i++)
		if (pthread_create(&t[i], NULL, work, (void *)i))
			return 1;
	sem_post(&turn[0]);
	sem_wait(&turn[THREADS]);
	for (int i = 0; i < THREADS; i++)
		sem_post(&done);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	puts("done");
	return 0;
}
