/* SPDX-License-Identifier: MIT
 *
 * test/programs/shared.c - shares memory and executes COUNT loops of two instructions; then two threads do so at once.
 */
#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>

#define COUNT 20000000

static __attribute__((noinline)) void *loop(void *arg)
{
	long n = COUNT;

	__asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(n));
	return arg;
}

int main(void)
{
	pthread_t a, b;

	if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
		return 1;
	loop(NULL);
	pthread_create(&a, NULL, loop, NULL);
	pthread_create(&b, NULL, loop, NULL);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	return 0;
}
