/* SPDX-License-Identifier: MIT
 *
 * test/host/blocks.c - ordinary mallocs of a few MiB, each touched whole: where huge pages land depends on where the
 * blocks lie.
 */
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
	static const size_t mib[] = {3, 5, 9, 33, 257};
	unsigned long sum = 0;
	for (unsigned i = 0; i < sizeof mib / sizeof *mib; i++) {
		volatile char *p = malloc(mib[i] << 20);
		if (!p)
			return 1;
		for (size_t at = 0; at < mib[i] << 20; at += 512)
			sum += p[at] = (char)at;
	}
	printf("%lu\n", sum);
	return 0;
}
