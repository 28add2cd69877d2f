/* SPDX-License-Identifier: MIT
 *
 * sim/pump.c - from the rings of a running program to the streams, in the order of the program's clock.
 *
 *   ring 0:  e e e [clock 7] unmap e e ...        waits at 7 ...
 *   ring 1:  e e e e e e ...                      ... until what ring 1 held when that was seen has been taken
 *   ring 2:  (empty)                              an idle thread holds nobody up
 *
 * The rule (event.h): what a thread did before tick 7 is taken before what follows EV_CLOCK 7. A thread that did
 * something before that tick has it in its ring when the tick is seen here. So: a pass takes from every ring all that
 * is in it, up to a clock event that may not pass yet. Of those that wait, the one with the lowest tick is next (at one
 * tick: who made it, then those who only saw it), and goes on after a full pass, in which everybody else caught up.
 * Nobody waits for a thread to write something, so nothing can stop for good, whatever a ring holds and whoever died.
 *
 * A new thread waits for a pass, too: what its creator did before it (its stack's map) is taken first; and it
 * begins before anybody who waits at a tick goes on: what it did may have been before that. The thread of a child
 * process waits until its parent's EV_FORK was taken, unless the parent is no longer in the simulation.
 *
 * Most of many threads sleep. Of a ring that was read and is idle a pass looks at the head, no more; whether its writer
 * still lives it asks of a few in turn.
 *
 * Invariant 1. A stream that waits holds in part[] the whole event that it waits with: EV_CLOCK or EV_THREAD.
 */
#include "sim/internal.h"
#include "trace/ring.h"

/* A ring that wraps is read in two pieces. */
#define PIECES 2
/* Words after which sim_pump returns, so that the caller can show how far it is. */
#define ENOUGH (1u << 20)
/* Idle rings whose writers are looked after in a pass. */
#define LOOKS 64

/* Is the first event of these words, EV_COUNTS aside, one that changes a mapping, or that others go by? Then the EV_CLOCK before it is the
 * tick that this thread made; else the thread only saw it. */
static bool changes_mapping(const volatile u64 *w, size_t n)
{
	size_t counts = 1 + EV_PAYLOAD_WORDS(struct ev_counts);
	unsigned type = n > 0 ? ev_type(w[0]) : EV_NONE;

	if (type == EV_COUNTS && n > counts)
		type = ev_type(w[counts]);
	switch (type) {
	case EV_MAP:
	case EV_UNMAP:
	case EV_PROTECT:
	case EV_REMAP:
	case EV_BRK:
	case EV_ADVISE:
	case EV_LOCK:
	case EV_SYNC:
	case EV_THP_DISABLE:
	case EV_EXEC:
		return true;
	}
	return ev_for_others(type);
}

/* Takes all that the ring holds now, as far as it may go. Returns the number of words. */
static size_t drain(struct sim *s, struct stream *t, struct ring *r)
{
	bool waited = t->waits;
	size_t taken = 0;

	for (unsigned i = 0; i < PIECES; i++) {
		const volatile u64 *w;
		size_t n = ring_peek(r, &w), used = stream_take(s, t, w, n);

		ring_consume(r, used);
		taken += used;
		if (t->waits)
			t->owns_tick = changes_mapping(w + used, n - used);
		if (t->waits || n == 0)
			break;
	}
	if (t->waits && (!waited || taken > 0))
		t->waits_since = s->pass;
	return taken;
}

/* Takes what is new in ring i. Returns the number of words. A stream whose ring is not there any more has ended: the
 * hub is shared with the program, which may have spoilt it. */
static size_t pass_ring(struct sim *s, struct ring_hub *hub, unsigned i)
{
	struct ring *r = i < ring_count(hub) ? ring_get(hub, i) : NULL;
	struct stream *t = r || i < s->nr_streams ? stream_get(s, i) : NULL;
	size_t taken;

	if (!t)
		return 0;
	if (!r) {
		if (t->ordered)
			stream_end(s, t);
		return 0;
	}
	t->ordered = true;
	taken = drain(s, t, r);
	if (t->waits)
		s->waiting[s->nr_waiting++] = t;
	if (!t->waits && ring_at_end(r)) {
		stream_end(s, t);
		ring_free(r);
	}
	return taken;
}

static size_t pass(struct sim *s, struct ring_hub *hub)
{
	unsigned rings = ring_count(hub), nr = min(max(rings, s->nr_streams), SIM_MAX_STREAMS);
	size_t taken = 0;

	s->pass++;
	s->nr_waiting = 0;
	s->to_look = s->to_look + LOOKS < nr ? s->to_look + LOOKS : 0;
	for (unsigned i = 0; i < nr; i++) {
		const struct stream *t = i < s->nr_streams ? s->stream[i] : NULL;

		if (t && !t->waits && i - s->to_look >= LOOKS && i < rings && ring_idle(hub, i))
			continue;
		taken += pass_ring(s, hub, i);
	}
	return taken;
}

static bool waits_for_birth(const struct stream *t)
{
	return ev_type(t->part[0]) == EV_THREAD;
}

/* Of streams that wait at a tick: a has the right to go on before b. */
static bool goes_first(const struct stream *a, const struct stream *b)
{
	return a->part[1] < b->part[1] || (a->part[1] == b->part[1] && a->owns_tick && !b->owns_tick);
}

static const struct ev_thread *newcomer(const struct stream *t)
{
	return waits_for_birth(t) ? (const void *)(t->part + 1) : NULL;
}

/* Is the process in the simulation, or about to be? */
static bool is_here(const struct sim *s, u64 pid)
{
	for (unsigned i = 0; i < s->nr_waiting; i++) {
		const struct ev_thread *e = newcomer(s->waiting[i]);

		if (e && e->pid == pid)
			return true;
	}
	return process_find(s, pid);
}

/* Is all there that a new thread needs: a process, or the right to be a new one? A child waits for its parent's EV_FORK
 * while that parent is here. */
static bool may_begin(const struct sim *s, const struct ev_thread *e)
{
	return e->parent_pid == 0 || process_find(s, e->pid) || !is_here(s, e->parent_pid);
}

/* After a pass: new threads that waited through the whole of it may begin. Returns whether there are any, or will be
 * after one more pass. */
static bool release_births(struct sim *s)
{
	bool any = false;

	for (unsigned i = 0; i < s->nr_waiting; i++) {
		const struct ev_thread *e = newcomer(s->waiting[i]);

		if (e && may_begin(s, e)) {
			s->waiting[i]->granted_birth = s->waiting[i]->waits_since < s->pass;
			any = true;
		}
	}
	return any;
}

/* After a pass: of those that wait at a tick, the first, and all that have the same right, may go on if they have
 * waited through the whole pass. Returns whether anybody waits. */
static bool release_ticks(struct sim *s)
{
	struct stream *first = NULL;

	for (unsigned i = 0; i < s->nr_waiting; i++) {
		struct stream *t = s->waiting[i];

		if (!waits_for_birth(t) && (!first || goes_first(t, first)))
			first = t;
	}
	for (unsigned i = 0; first && i < s->nr_waiting; i++) {
		struct stream *t = s->waiting[i];

		if (!waits_for_birth(t) && !goes_first(first, t) && t->waits_since < s->pass)
			t->granted_tick = t->part[1];
	}
	return first;
}

size_t sim_pump(struct sim *s, struct ring_hub *hub)
{
	size_t total = 0, taken;
	bool more;

	do {
		sim_look_at_host(s);
		taken = pass(s, hub);
		more = release_births(s) || release_ticks(s);
		total += taken;
	} while ((taken > 0 || more) && total < ENOUGH);
	return total;
}
