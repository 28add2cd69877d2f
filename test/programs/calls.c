/* SPDX-License-Identifier: MIT
 *
 * test/programs/calls.c - system calls that machines have to know of. usage: calls WHAT [FILE]
 *   idle     4 threads wait while a fifth gives a page back and uses it again, 500 times
 *   busy     the same while they compute
 *   grow     1,000 pages of a file that was shorter when it was mapped; then it shrinks and grows, and a hole is punched
 *   advise   1,024 pages become huge (MADV_COLLAPSE), then are paged out and used again
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE  4096l
#define PAGES 1000
#define HUGE  (2l << 20)

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int end, ready;

static void *wait_for_end(void *arg)
{
	pthread_mutex_lock(&mutex);
	ready++;
	while (!end)
		pthread_cond_wait(&cond, &mutex);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

static void *compute(void *arg)
{
	static volatile char bytes[4][PAGE];

	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&end, __ATOMIC_SEQ_CST))
		((volatile char *)bytes)[(intptr_t)arg * PAGE]++;
	return NULL;
}

static int threads(void *(*work)(void *))
{
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t thread[4];

	for (intptr_t i = 0; i < 4; i++)
		if (pthread_create(&thread[i], NULL, work, (void *)i) != 0)
			return 1;
	while (__atomic_load_n(&ready, __ATOMIC_SEQ_CST) < 4)
		usleep(1000);
	usleep(50000);
	for (int i = 0; i < 500; i++) {
		p[0] = 1;
		madvise(p, PAGE, MADV_DONTNEED);
	}
	pthread_mutex_lock(&mutex);
	__atomic_store_n(&end, 1, __ATOMIC_SEQ_CST);
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&mutex);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	return 0;
}

static void use(char *p)
{
	for (int i = 0; i < PAGES; i++)
		p[i * PAGE] = 1;
}

static int grow(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	static char page[PAGE];
	char *p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	for (int i = 0; i < PAGES; i++)
		if (pwrite(fd, page, PAGE, i * PAGE) != PAGE)
			return 1;
	use(p);
	if (ftruncate(fd, PAGE) != 0 || ftruncate(fd, PAGES * PAGE) != 0)
		return 1;
	use(p);
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 10 * PAGE) != 0)
		return 77;
	use(p);
	return unlink(path);
}

static int advise(void)
{
	char *p = mmap(NULL, 3 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	p = (char *)(((uintptr_t)p + HUGE - 1) & ~(uintptr_t)(HUGE - 1));
	memset(p, 1, 2 * HUGE);
	madvise(p, 2 * HUGE, 25 /* MADV_COLLAPSE */);
	madvise(p, 2 * HUGE, 21 /* MADV_PAGEOUT */);
	for (long i = 0; i < 2 * HUGE; i += PAGE)
		((volatile char *)p)[i];
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	if (strcmp(argv[1], "idle") == 0)
		return threads(wait_for_end);
	if (strcmp(argv[1], "busy") == 0)
		return threads(compute);
	if (strcmp(argv[1], "grow") == 0 && argc == 3)
		return grow(argv[2]);
	return advise();
}
