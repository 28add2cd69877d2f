/* SPDX-License-Identifier: MIT
 *
 * engine/events.h - the thread's stream: what goes into its ring, and when.
 */
#ifndef ENGINE_EVENTS_H
#define ENGINE_EVENTS_H

#include "engine/engine.h"
#include "trace/calls.h"
#include "trace/ring.h"

/* A process' part. */
extern struct events {
	struct ring_hub *hub;
	struct calls calls;
	u64 pid, parent; /* parent 0: the first process */
} events;
extern const struct call_ops host_ops;

/* Maps the hub whose descriptor has this path, or number. */
void events_attach(const char *path);
/* The thread's stream begins if it has not; the kernel is entered: totals, windows are emptied. false: nobody listens. */
bool events_begin(struct thread *t);
void events_emit(void *thread, unsigned type, u64 arg, const void *payload, unsigned n, const char *name);
void events_change(void *thread, unsigned type, u64 arg, const void *payload, unsigned n, const char *name);
/* The thread ends, its process with it: how and status as in EV_EXIT. */
void events_exit(struct thread *t, unsigned how, u64 status);
/* The number of its ring as text, for the engine that this one becomes: "-": it has none. adopt: there. */
void events_ring(const struct thread *t, char text[16]);
void events_adopt(struct thread *t, const char *text);
/* It may be about to execute what is not followed, the program whose path is at name; 0: it did not. */
void events_leaving(struct thread *t, u64 name);
/* In the child, right after the fork. */
void events_forked(struct thread *t);
/* The kernel wrote (or read) user memory by itself: a signal's frame. */
void events_touch(struct thread *t, u64 start, u64 len, unsigned rwx);

#endif
