/* SPDX-License-Identifier: MIT
 *
 * bench/programs/tree.c - inserts 300,000 random keys into a binary tree of malloc's nodes.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct node {
	struct node *child[2];
	uint64_t key;
};

int main(void)
{
	uint64_t random = 88172645463325252ull, depth = 0;
	struct node *root = NULL;

	for (int i = 0; i < 300000; i++) {
		struct node **at = &root;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		for (; *at; depth++)
			at = &(*at)->child[random > (*at)->key];
		*at = calloc(1, sizeof(**at));
		if (!*at)
			return 1;
		(*at)->key = random;
	}
	printf("%llu\n", (unsigned long long)depth);
	return 0;
}
