/* SPDX-License-Identifier: MIT
 *
 * engine/lock.h - a lock between the threads of one memory. A signal's handler takes none.
 */
#ifndef ENGINE_LOCK_H
#define ENGINE_LOCK_H

#include <linux/futex.h>

#include "lib/sys.h"

/* 0: free; else an address on the stack of who has it, and LOCK_SLEEPS when somebody may sleep. */
struct lock {
	u64 word;
};

#define LOCK_SPINS  100
#define LOCK_SLEEPS 1ull

static inline bool lock_change(struct lock *l, u64 from, u64 to)
{
	return __atomic_compare_exchange_n(&l->word, &from, to, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void lock_take(struct lock *l)
{
	u64 word, me = (u64)&word & ~LOCK_SLEEPS;

	if (likely(lock_change(l, 0, me)))
		return;
	for (unsigned i = 0; i < LOCK_SPINS; i++) {
		__builtin_ia32_pause();
		if (lock_change(l, 0, me))
			return;
	}
	for (;;) {
		word = __atomic_load_n(&l->word, __ATOMIC_RELAXED);
		if (!word && lock_change(l, 0, me | LOCK_SLEEPS))
			return;
		if (word && (word & LOCK_SLEEPS || lock_change(l, word, word | LOCK_SLEEPS)))
			sys6(SYS_futex, (u64)&l->word, FUTEX_WAIT_PRIVATE, (u32)(word | LOCK_SLEEPS), 0, 0, 0);
	}
}

static inline void lock_give(struct lock *l)
{
	if (__atomic_exchange_n(&l->word, 0, __ATOMIC_RELEASE) & LOCK_SLEEPS)
		sys6(SYS_futex, (u64)&l->word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
}

/* By who has its stack in [start, end)? */
static inline bool lock_is_held(const struct lock *l, const void *start, const void *end)
{
	u64 word = __atomic_load_n(&l->word, __ATOMIC_RELAXED);

	return word >= (u64)start && word < (u64)end;
}

#endif
