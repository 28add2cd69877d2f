/* SPDX-License-Identifier: MIT
 *
 * engine/lock.h - a lock between the threads of one memory. A signal's handler takes none.
 */
#ifndef ENGINE_LOCK_H
#define ENGINE_LOCK_H

#include <linux/futex.h>

#include "lib/sys.h"

struct lock {
	u32 word; /* 0: free; 1: taken; 2: taken, and somebody sleeps */
};

#define LOCK_SPINS 100

static inline void lock_take(struct lock *l)
{
	u32 free = 0;

	if (likely(__atomic_compare_exchange_n(&l->word, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)))
		return;
	for (unsigned i = 0; i < LOCK_SPINS; i++) {
		__builtin_ia32_pause();
		free = 0;
		if (__atomic_compare_exchange_n(&l->word, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return;
	}
	while (__atomic_exchange_n(&l->word, 2, __ATOMIC_ACQUIRE) != 0)
		sys6(SYS_futex, (u64)&l->word, FUTEX_WAIT_PRIVATE, 2, 0, 0, 0);
}

static inline void lock_give(struct lock *l)
{
	if (__atomic_exchange_n(&l->word, 0, __ATOMIC_RELEASE) == 2)
		sys6(SYS_futex, (u64)&l->word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
}

#endif
