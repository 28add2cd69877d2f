/* SPDX-License-Identifier: MIT
 *
 * engine/threads.h - the program's threads and processes in this memory.
 *
 *   struct task, one a thread:   | struct thread | signals | ring | stacks ... |      gs --> its thread
 *                                       |
 *                                       `--> struct process: of all its threads; it lies in its first thread's task
 *
 * A vfork's child is a process of its own in its parent's memory, until it executes or ends. Tasks are used again; that
 * of a process's first thread only when the process is gone.
 *
 * What is locked when, beside the code cache (cache.h). Who takes several takes them in this order.
 *
 *   maps     by a system call that changes mappings, from before it to when it is told: the events' order is the kernel's
 *   told     what trace/calls.c keeps of a process
 *   actions  a process's, with the kernel's own
 *   cache    the list of threads, too
 *   tasks    those that are free
 */
#ifndef ENGINE_THREADS_H
#define ENGINE_THREADS_H

#include "engine/limits.h"
#include "engine/lock.h"
#include "engine/runtime.h"
#include "engine/signals.h"
#include "trace/calls.h"

#define RUNTIME_STACK (128u << 10)
#define SIGNAL_STACK  (64u << 10)

struct process {
	u64 pid, parent; /* parent 0: the first process */
	unsigned nr_threads;
	bool ending; /* one of its threads is in exit_group or exec: the others end with it */
	struct lock told, actions;
	struct calls calls;
	struct action action[NR_SIGNALS + 1]; /* the program's */
	struct limit limits[NR_LIMITS];       /* so */
};

/* What the engine is executed with: as many pointers as fit. */
struct arguments {
	char **at;
	u64 room;
};

struct task {
	struct thread thread; /* first */
	struct thread_signals signals;
	u64 ring[256]; /* ring_memory() */
	struct task *next_free;
	struct thread *vfork_parent; /* stands still; NULL: none */
	struct process own;          /* of which this is the first thread */
	struct arguments args;       /* exec.c's */
	u8 stack[2][RUNTIME_STACK];  /* the loop's (main.c), and the runtime's */
	u8 signal_stack[SIGNAL_STACK];
};

static inline struct task *task_of(const struct thread *t)
{
	return (struct task *)t;
}

/* Whose program or runtime this is. */
static inline struct thread *thread_here(void)
{
	struct thread *t;

	__asm__("mov %%gs:0, %0" : "=r"(t));
	return t;
}

extern struct lock maps;

/* One more, for the loop of main.c; it is in no process yet. */
struct task *task_get(void);
/* fork, vfork, clone: the arguments are clone's. Returns what the call does; GATE_NOT_BEGUN: a signal comes first. */
long thread_clone(struct thread *t, u64 flags, u64 stack, u64 parent_tid, u64 child_tid, u64 tls);
long thread_clone3(struct thread *t, u64 args, u64 bytes);
/* exit: of this thread alone. */
_Noreturn void thread_exit(struct thread *t, u64 status);
/* A clone's child begins here, on its own stack. */
_Noreturn void child_main(struct thread *t);

#endif
