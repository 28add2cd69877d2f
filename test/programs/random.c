/* SPDX-License-Identifier: MIT
 *
 * test/programs/random.c - reads 8 bytes at random places of MIB (a power of two; 256) megabytes, COUNT times
 * (20,000,000).
 *
 *   random [MIB [COUNT]]
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	uint64_t words = (argc > 1 ? strtoull(argv[1], NULL, 0) : 256) * (1 << 20) / 8;
	uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : 20000000;
	uint64_t random = 88172645463325252ull, sum = 0, *memory = malloc(words * 8);

	if (!memory || words == 0 || (words & (words - 1)) != 0)
		return 1;
	memset(memory, 1, words * 8);
	for (uint64_t i = 0; i < count; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		sum += memory[(random >> 20) & (words - 1)];
	}
	printf("%llu\n", (unsigned long long)sum);
	return 0;
}
