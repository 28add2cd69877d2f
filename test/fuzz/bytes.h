/* SPDX-License-Identifier: MIT
 *
 * test/fuzz/bytes.h - a fuzzer's input, read as numbers: past its end all are 0.
 */
#ifndef TEST_FUZZ_BYTES_H
#define TEST_FUZZ_BYTES_H

#include <stddef.h>
#include <stdlib.h>

#include "lib/types.h"

#define MUST(cond)                                                                                                     \
	do {                                                                                                           \
		if (!(cond))                                                                                           \
			abort();                                                                                       \
	} while (0)

struct bytes {
	const u8 *at;
	size_t left;
};

static inline u64 bytes_take(struct bytes *b, unsigned n)
{
	u64 value = 0;

	for (unsigned i = 0; i < n && b->left; i++, b->left--)
		value |= (u64)*b->at++ << 8 * i;
	return value;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#endif
