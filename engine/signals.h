/* SPDX-License-Identifier: MIT
 *
 * engine/signals.h - the program's signals.
 */
#ifndef ENGINE_SIGNALS_H
#define ENGINE_SIGNALS_H

#include <signal.h>

#include "lib/types.h"

#define NR_SIGNALS 64

/* The manual's exceptions. */
enum {
	DEBUG = 1,
	BREAKPOINT = 3,
	OVERFLOW = 4,
	INVALID = 6,
	PROTECTION = 13,
	PAGE_FAULT = 14,
};
#define ERR_FETCH 0x10u

/* The kernel's struct sigaction. */
struct action {
	u64 handler, flags, restorer, mask;
};

/* A signal that waits. sig 0: none. */
struct waiting {
	int sig;
	siginfo_t info;
};

/* The program's last fault: what the frame of any signal shows. */
struct fault {
	u64 err, trapno, cr2;
};

/* A thread's. */
struct thread_signals {
	struct waiting fault;             /* of a copied instruction */
	struct waiting sent[SIGSEGV + 1]; /* from outside: of the SYNCHRONOUS by number, of all others [0] */
	u64 mask;                         /* the program's, while one waits, and at the thread's beginning */
	u64 blocked; /* while one waits: to be in the next handler; a call may sleep with a mask of its own */
	struct fault last;
	stack_t altstack;  /* the program's */
	u64 stepped;       /* the last single step */
	bool begins_clear; /* with signals_clear(): its process is new */
};

struct thread;

/* The first thread, before the program runs. */
void signals_begin(struct thread *t);
/* This thread's from now on: the kernel's stack for our handler, and the mask it begins with. */
void signals_thread_begin(struct thread *t);
/* What is handled has its default from now on (CLONE_CLEAR_SIGHAND). All signals are blocked. */
void signals_clear(const struct thread *t);
/* All are blocked, but for what cannot be; returns the mask of before. */
u64 signals_block(void);
void signals_unblock(u64 mask);
/* t->pending, and its state is exact. */
void signal_deliver(struct thread *t);
/* The instruction at t->pc cannot be fetched, for want of the byte at the address. */
void signal_fetch(struct thread *t, u64 address);
/* There are bytes that the decoder does not know. false: the CPU executes them. */
bool signal_illegal(struct thread *t);
/* The end of the process, as by a fault that nobody handles. */
_Noreturn void die_of(int sig, const siginfo_t *info);
/* The program's system calls. return: false: a signal comes first. */
bool signal_return(struct thread *t);
long signal_action(struct thread *t, int sig, u64 new_at, u64 old_at, u64 bytes);
long signal_altstack(struct thread *t, u64 new_at, u64 old_at);
/* exec is near (or has failed): what of our handlers it would change is the program's own (or ours again). */
void signals_exec(const struct thread *t, bool near);

#endif
