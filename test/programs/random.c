/* SPDX-License-Identifier: MIT
 *
 * test/programs/random.c - fills MIB (a power of two; 256) megabytes, then reads 8 bytes at random places of them,
 * COUNT times (20,000,000), and prints a checksum of what it read. Each word is a function of its place, so the sum is
 * right only when each read found its own page.
 *
 *   random [MIB [COUNT [ALIGN]]]      ALIGN: the memory begins at a multiple of so many megabytes
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	uint64_t words = (argc > 1 ? strtoull(argv[1], NULL, 0) : 256) * (1 << 20) / 8;
	uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : 20000000;
	uint64_t align = argc > 3 ? strtoull(argv[3], NULL, 0) << 20 : 0;
	uint64_t random = 88172645463325252ull, sum = 0, *memory;

	memory = align ? aligned_alloc(align, words * 8) : malloc(words * 8);
	if (!memory || words == 0 || (words & (words - 1)) != 0)
		return 1;
	for (uint64_t i = 0; i < words; i++)
		memory[i] = i * 0x9e3779b97f4a7c15ull;
	for (uint64_t i = 0; i < count; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		sum += memory[(random >> 20) & (words - 1)];
	}
	printf("%llu\n", (unsigned long long)sum);
	return 0;
}
