/* SPDX-License-Identifier: MIT
 *
 * engine/events.h - the thread's stream: what goes into its ring, and when.
 */
#ifndef ENGINE_EVENTS_H
#define ENGINE_EVENTS_H

#include "engine/engine.h"
#include "engine/threads.h"
#include "trace/ring.h"

extern struct ring_hub *hub;
extern const struct call_ops host_ops;

/* Maps the hub whose descriptor has this path, or number. */
void events_attach(const char *path);
/* The thread's stream begins if it has not; the kernel is entered: totals, windows are emptied. false: nobody listens. */
bool events_begin(struct thread *t);
/* What is told next comes after what others have told till now: after a call that took its time. false: as above. */
bool events_ready(struct thread *t);
void events_emit(void *thread, unsigned type, u64 arg, const void *payload, unsigned n, const char *name);
void events_change(void *thread, unsigned type, u64 arg, const void *payload, unsigned n, const char *name);
/* The thread ends: how and status as in EV_EXIT. */
void events_exit(struct thread *t, unsigned how, u64 status);
/* t's process is about to end or to execute, in t, and all its other threads with it; on false: it was not. */
void events_ending(struct thread *t, bool on);
/* The number of the ring that goes on in the engine that this one becomes, as text; "-": there is none. adopt: there.
 * After an exec the process has one thread, which is the first: it is its ring. */
void events_ring(const struct thread *t, char text[16]);
void events_adopt(struct thread *t, const char *text);
/* It may be about to execute what is not followed, the program whose path is at name; 0: it did not. */
void events_leaving(struct thread *t, u64 name);
/* In the child, right after the fork; of a vfork: the parent's ring says that it was born. */
void events_forked(struct thread *t);
void events_vforked(struct thread *t, struct thread *parent);
/* The kernel wrote (or read) user memory by itself: a signal's frame. */
void events_touch(struct thread *t, u64 start, u64 len, unsigned rwx);

#endif
