/* SPDX-License-Identifier: MIT
 *
 * test/programs/heap.c - heap MIB [MMAP]: small blocks of malloc's, so much of them, linked in a random order and walked
 * four times. With MMAP the blocks lie in one anonymous map instead.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

struct node {
	struct node *next;
	char more[40];
};

int main(int argc, char **argv)
{
	size_t nr = (argc > 1 ? strtoul(argv[1], NULL, 10) : 16) * (1 << 20) / 64, bytes = nr * 64;
	struct node **node = malloc(nr * sizeof(*node));
	char *own = argc > 2 ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : NULL;
	uint64_t random = 88172645463325252;
	size_t sum = 0;

	if (node == NULL || own == MAP_FAILED)
		return 1;
	for (size_t i = 0; i < nr; i++) {
		node[i] = own ? (struct node *)(own + i * 64) : malloc(sizeof(**node));
		if (node[i] == NULL)
			return 1;
		node[i]->more[0] = 1;
	}
	for (size_t i = nr - 1; i > 0; i--) {
		struct node *other;
		size_t k;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		k = random % (i + 1);
		other = node[k];
		node[k] = node[i];
		node[i] = other;
	}
	for (size_t i = 0; i < nr; i++)
		node[i]->next = node[(i + 1) % nr];
	for (size_t i = 0; i < 4 * nr; i++) {
		node[0] = node[0]->next;
		sum += (size_t)node[0]->more[0];
	}
	printf("%zu\n", sum);
	return 0;
}
