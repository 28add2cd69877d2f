/* SPDX-License-Identifier: MIT
 *
 * test/engine/random.h - random numbers that are the same for the same seed, also in programs that run under the engine
 * (xorshift64: G. Marsaglia, Xorshift RNGs, 2003). x is never 0.
 */
#ifndef TEST_ENGINE_RANDOM_H
#define TEST_ENGINE_RANDOM_H

static inline unsigned long random_after(unsigned long x)
{
	x ^= x << 13;
	x ^= x >> 7;
	return x ^ x << 17;
}

#endif
