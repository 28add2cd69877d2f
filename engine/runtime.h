/* SPDX-License-Identifier: MIT
 *
 * engine/runtime.h - the runtime beneath generated code.
 */
#ifndef ENGINE_RUNTIME_H
#define ENGINE_RUNTIME_H

#include "engine/emit.h"

/* t is zeroed memory, or was a thread that is removed. stack_top: of memory for the runtime, while it works for t. shape:
 * of the windows, data and fetches. */
void thread_init(struct thread *t, void *stack_top, const struct window_shape shape[2]);
/* All threads of this memory: the first; the cache's lock is held. thread_init() adds to them, thread_remove() takes
 * away. In a fork's child only t is left; the lock is held, too. */
extern struct thread *threads;
extern unsigned nr_threads;
/* The kernel clears the word. */
static inline bool thread_is_alive(const struct thread *t)
{
	return __atomic_load_n(&t->alive, __ATOMIC_ACQUIRE);
}
void thread_remove(struct thread *t);
void threads_forget_others(struct thread *t);
/* No thread's indirect jumps lead to the block at pc any more. With the cache's lock. */
void runtime_purge(u64 pc);
/* All that was translated is forgotten, when the threads that are in have come out. With the cache's lock; the caller is
 * out. */
void runtime_forget_all(void);
/* The same, of a cache whose lock is a dead one's. */
void runtime_lost(void);
/* The events' side, or the test's. Before a page may enter a window: false: nobody listens. After it: it entered `slot`,
 * or was written there for the first time; -1: it was there, and has its tag again. */
bool runtime_ready(struct thread *t);
void runtime_entered(struct thread *t, const struct window *w, u64 page, int slot, unsigned rwx);

/* gpr[] and *rip as they are at a fault in generated code: makes them the program's, at the instruction that faults, up to
 * which it counts. false: it is none of the program's. */
bool state_recover(struct thread *t, u64 gpr[NR_GPR], u64 *rip);

/* start.S calls these. */
const void *dispatch(struct thread *t);
const void *access_slow(struct thread *t);
const void *access_string(struct thread *t);
const void *access_gather(struct thread *t); /* gather.c */

/* Pages of [va, va + len) are used: rw as a site's, stamp: when. Returns how many boundaries it crosses: an access over
 * one is two. */
unsigned runtime_touch(struct thread *t, u64 va, u64 len, unsigned rw, u64 stamp);

#endif
