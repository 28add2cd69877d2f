/* SPDX-License-Identifier: MIT
 *
 * plugin/plugin.h - the QEMU plugin's parts, and what they share.
 *
 *   QEMU's guest code --> access.c  (window: most accesses end here) ---+
 *   QEMU's start      --> image.c   (what exec mapped) -----------------+--> emit.c --> ring --> simulator
 *   system calls      --> calls.c --> trace/calls.c, with host.c -------+
 *                             v
 *   QEMU's own mmap   --> interpose.c --> place.c (Linux's choice of address)
 *
 * A thread of the guest is a host thread of QEMU; its struct thread is used by that host thread alone, but for
 * window_revoke() and the will of a process that ends. A fork copies everything; the child begins a ring of its own.
 */
#ifndef PLUGIN_PLUGIN_H
#define PLUGIN_PLUGIN_H

#include <sys/types.h>

#include "trace/calls.h"
#include "trace/window.h"
#include "trace/event.h"
#include "trace/ring.h"
#include "trace/window.h"

#define MAX_THREADS 4096 /* of one process at once */

struct thread {
	u64 fetch_page; /* the page that instructions came from last; WINDOW_NONE after a kernel entry */
	struct window data, fetch;
	u64 last_page;     /* fetch_page before the last kernel entry */
	u64 fetch_returns; /* kernel entries after which it was the same: no change of pages (fetch.now counts them) */
	u64 instructions;  /* counted by callbacks; process.instructions has the rest */
	struct ring *ring; /* NULL: not begun, or ended */
	u64 clock;         /* the hub's clock as last told */
	u64 entered;       /* window events sent */
	struct call call;
	bool alive, ended, first; /* first: the thread that process.instructions counts for */
} __attribute__((aligned(64)));

struct process {
	struct ring_hub *hub;
	const char *name;    /* what was executed: the program, or a script that it interprets */
	pid_t pid, parent;   /* parent 0: the first process */
	u64 instructions;    /* of the only thread there is, counted in generated code */
	bool parallel;       /* code is translated for parallel execution: instructions are counted in callbacks */
	bool announced;      /* image_announce() was done */
	bool exiting;        /* a thread is in exit_group or exec: the others end with it */
	unsigned nr_threads; /* atomic: a new thread counts while it is made, an old one when it exits */
	unsigned max_thread; /* highest index in use + 1 */
	struct calls calls;
};

extern struct process process;
extern struct thread *threads[MAX_THREADS]; /* by vCPU index; NULL: never was one */
extern __thread struct thread *self;        /* the thread that is in a system call here, NULL: none yet */

/* ---- emit.c: events and windows ---- */

/* vCPU `index` begins to run (a later one may reuse the index). */
void thread_init(unsigned index);
/* What a thread must do before it sends: begin its stream, notice another thread's mapping change. false: nobody
 * listens (any more). */
bool thread_ready(struct thread *t);
/* The page enters a slot of its window, after what left. The thread is ready. */
void emit_enter(struct thread *t, const struct window *w, u64 page, unsigned slot, unsigned rwx);
/* The thread leaves its code for the kernel: empties its windows and sends its totals; long events may follow. */
bool emit_begin(struct thread *t);
/* One long event; payload: n words; name NULL: none. */
void emit(struct thread *t, unsigned type, u64 arg, const void *payload, unsigned n, const char *name);
/* One that changes what addresses mean, for others too: advances the clock first while others of the process run (for
 * fork, exit and what happens to files always: other processes go by them). */
void emit_change(struct thread *t, unsigned type, u64 arg, const void *payload, unsigned n, const char *name);
/* The stream ends: sends EV_EXIT and closes. */
void emit_exit(struct thread *t, unsigned how, u64 status);
/* What the streams of this process end with if they vanish from now on: of thread t how/status/name; of all others the
 * plain end of a process that ended. `on` false: it did not happen, LOST again. */
void emit_wills(struct thread *t, bool on, unsigned how, const char *name);
/* In the child, right after fork: it has one thread, which has not sent anything. */
void process_forked(struct thread *t);

/* ---- access.c: what generated code calls ---- */

void access_install(u64 id);

/* ---- calls.c, host.c: system calls ---- */

void calls_install(u64 id);
/* What trace/calls.c asks of a front end; its threads are struct thread. */
extern const struct call_ops host_ops;

/* ---- image.c: what exec mapped ---- */

/* Reads the program's and its interpreter's headers. Returns 0 or -1. */
int image_load(const char *path);
bool image_is_pie(void);
bool image_has_interp(void);
/* Before the first instruction: EV_EXEC, the initial maps, EV_EXEC_DONE. */
void image_announce(struct thread *t);

/* ---- interpose.c: QEMU's own mapping calls ---- */

/* Where QEMU's loader put things (bytes; 0: not there). */
struct start_maps {
	u64 main, stack, stack_end, interp;
};
extern struct start_maps start_maps;
void interpose_install(void);

#endif
