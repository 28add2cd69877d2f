/* SPDX-License-Identifier: MIT
 *
 * plugin/emit.c - from a thread's doings to words in its ring (trace/words.h).
 *
 * The order between threads (trace/event.h). A thread that changes a mapping while others run in its process advances
 * the hub's clock, then revokes the others' windows: their next access is slow, and thread_ready() sees the new clock,
 * tells it (EV_CLOCK) and empties the window. Either the revoking comes after the other thread has set a tag, and takes
 * it away; or that thread, which looks at the clock again after it has set one, sees the new clock (access.c).
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin/plugin.h"
#include "trace/words.h"

struct process process;
struct thread *threads[MAX_THREADS];
__thread struct thread *self;

void thread_init(unsigned index)
{
	struct thread *t = threads[index];

	if (!t)
		t = threads[index] = aligned_alloc(_Alignof(struct thread), sizeof(*t));
	if (!t)
		abort();
	memset(t, 0, sizeof(*t));
	window_init(&t->data, &ring_hub_window(process.hub)[0]);
	window_init(&t->fetch, &ring_hub_window(process.hub)[1]);
	t->fetch_page = t->last_page = WINDOW_NONE;
	t->call.nr = -1;
	t->alive = true;
	t->first = __atomic_fetch_add(&process.nr_threads, 1, __ATOMIC_SEQ_CST) == 0;
	if (index >= process.max_thread)
		process.max_thread = index + 1;
}

static struct ev_counts thread_counts(const struct thread *t)
{
	struct ev_counts c = {t->instructions, t->data.now, t->fetch.now - t->fetch_returns};

	if (t->first)
		c.instructions += process.instructions;
	return c;
}

static void put_counts(const struct thread *t)
{
	struct ev_counts c = thread_counts(t);

	words_put_counts(t->ring, &c);
}

static void will_set(const struct thread *t, unsigned how, const char *name)
{
	struct ev_counts c = thread_counts(t);

	words_will(t->ring, &c, how, name);
}

static bool thread_begin(struct thread *t)
{
	struct ev_thread who = {process.pid, gettid(), process.parent};

	if (t->ended)
		return false;
	t->ring = ring_open(process.hub, who.pid, who.tid);
	if (!t->ring) {
		t->ended = true;
		return false;
	}
	will_set(t, process.exiting ? EVX_EXIT : EVX_LOST, NULL);
	words_put(t->ring, EV_THREAD, 0, &who, EV_PAYLOAD_WORDS(who), NULL);
	t->clock = ring_clock(process.hub);
	words_put_clock(t->ring, t->clock);
	return true;
}

static void windows_clear(struct thread *t)
{
	window_clear(&t->data);
	window_clear(&t->fetch);
	words_put_left(t->ring, &t->data, 0);
	words_put_left(t->ring, &t->fetch, EV_WINDOW);
	if (t->fetch_page != WINDOW_NONE)
		t->last_page = t->fetch_page;
	t->fetch_page = WINDOW_NONE;
}

bool thread_ready(struct thread *t)
{
	if (unlikely(!t->ring) && !thread_begin(t))
		return false;
	if (unlikely(ring_clock(process.hub) != t->clock)) {
		t->clock = ring_clock(process.hub);
		windows_clear(t);
		words_put_clock(t->ring, t->clock);
	}
	return true;
}

void emit_enter(struct thread *t, const struct window *w, u64 page, unsigned slot, unsigned rwx)
{
	unsigned slots = rwx == EVR_FETCH ? EV_WINDOW : 0;

	words_put_left(t->ring, w, slots);
	ring_put1(t->ring, ev_enter_make(page >> 12, slots + slot, rwx));
	words_will_count(t->ring, thread_counts(t));
	if (unlikely(++t->entered % WORDS_COUNTS_EVERY == 0))
		put_counts(t);
}

bool emit_begin(struct thread *t)
{
	if (!thread_ready(t))
		return false;
	windows_clear(t);
	put_counts(t);
	words_will_count(t->ring, thread_counts(t));
	return true;
}

void emit(struct thread *t, unsigned type, u64 arg, const void *payload, unsigned n, const char *name)
{
	words_put(t->ring, type, arg, payload, n, name);
}

void emit_change(struct thread *t, unsigned type, u64 arg, const void *payload, unsigned n, const char *name)
{
	if (process.nr_threads < 2 && !ev_for_others(type)) {
		emit(t, type, arg, payload, n, name);
		return;
	}
	t->clock = ring_clock_tick(process.hub);
	for (unsigned i = 0; i < process.max_thread; i++) {
		struct thread *other = threads[i];

		if (!other || other == t || !other->alive)
			continue;
		window_revoke(&other->data);
		window_revoke(&other->fetch);
	}
	words_put_change(t->ring, t->clock, type, arg, payload, n, name);
}

void emit_exit(struct thread *t, unsigned how, u64 status)
{
	if (emit_begin(t)) {
		emit_change(t, EV_EXIT, how, &status, 1, NULL);
		ring_close(t->ring);
	}
	t->ring = NULL;
	t->ended = true;
}

void emit_wills(struct thread *t, bool on, unsigned how, const char *name)
{
	process.exiting = on;
	for (unsigned i = 0; i < process.max_thread; i++) {
		struct thread *other = threads[i];

		if (other && other != t && other->alive && other->ring)
			words_will_ends(other->ring, on);
	}
	if (t->ring)
		will_set(t, on ? how : EVX_LOST, name);
}

void process_forked(struct thread *t)
{
	struct call call = t->call;
	unsigned index = 0;

	process.parent = process.pid;
	process.pid = getpid();
	process.instructions = 0;
	process.nr_threads = 0;
	process.exiting = false;
	for (unsigned i = 0; i < process.max_thread; i++) {
		if (threads[i])
			threads[i]->alive = false;
		if (threads[i] == t)
			index = i;
	}
	thread_init(index);
	t->call = call;
}
