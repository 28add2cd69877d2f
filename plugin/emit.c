/* SPDX-License-Identifier: MIT
 *
 * plugin/emit.c - from a thread's doings to words in its ring.
 *
 * The order between threads (trace/event.h). A thread that changes a mapping while others run in its process advances
 * the hub's clock, then revokes the others' windows: their next access is slow, and thread_ready() sees the new clock,
 * tells it (EV_CLOCK) and empties the window. Either the revoking comes after the other thread has set a tag, and takes
 * it away; or that thread, which looks at the clock again after it has set one, sees the new clock (access.c).
 *
 * The will (trace/ring.h) of a thread is its totals, then EV_EXIT:
 *
 *   [ EV_COUNTS | instructions | accesses | fetch changes | EV_EXIT | status | name ... ]
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin/plugin.h"

struct process process;
struct thread *threads[MAX_THREADS];
__thread struct thread *self;

#define WILL_EXIT (1 + EV_PAYLOAD_WORDS(struct ev_counts))
/* Words of a name at most: what fits a will, and more than anybody reads of it. */
#define NAME_WORDS 64
#define LONG_WORDS (1 + 16 + NAME_WORDS)
/* Window events after which a thread tells its totals, so that a simulated clock goes on between its long events. */
#define COUNTS_EVERY 4096

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

/* Header, payload and name as words into w[LONG_WORDS]. Returns how many. */
static unsigned long_event(u64 *w, unsigned type, u64 arg, const void *payload, unsigned n, const char *name)
{
	unsigned words = 0;

	if (n)
		memcpy(w + 1, payload, n * sizeof(u64));
	if (name) {
		size_t len = strnlen(name, NAME_WORDS * sizeof(u64) - 1);

		words = len / sizeof(u64) + 1;
		w[n + words] = 0;
		memcpy(w + 1 + n, name, len);
	}
	w[0] = ev_long_make(type, n + words, arg);
	return 1 + n + words;
}

static unsigned counts_event(u64 *w, const struct thread *t)
{
	struct ev_counts c = thread_counts(t);

	return long_event(w, EV_COUNTS, 0, &c, EV_PAYLOAD_WORDS(c), NULL);
}

static void will_set(struct thread *t, unsigned how, const char *name)
{
	u64 w[WILL_EXIT + LONG_WORDS], status = 0;
	unsigned n = counts_event(w, t);

	n += long_event(w + n, EV_EXIT, how, &status, 1, name);
	ring_will(t->ring, w, n);
}

/* Keeps the totals of the will up to date: a killed thread's last words. */
static void will_update(struct thread *t)
{
	u64 *w = ring_will_words(t->ring);
	struct ev_counts c = thread_counts(t);

	memcpy(w + 1, &c, sizeof(c));
}

static void send_clock(struct thread *t)
{
	u64 w[2] = {ev_long_make(EV_CLOCK, 1, 0), t->clock};

	ring_put(t->ring, w, 2);
}

static bool thread_begin(struct thread *t)
{
	struct ev_thread who = {process.pid, gettid(), process.parent};
	u64 w[LONG_WORDS];

	if (t->ended)
		return false;
	t->ring = ring_open(process.hub, who.pid, who.tid);
	if (!t->ring) {
		t->ended = true;
		return false;
	}
	will_set(t, process.exiting ? EVX_EXIT : EVX_LOST, NULL);
	ring_put(t->ring, w, long_event(w, EV_THREAD, 0, &who, EV_PAYLOAD_WORDS(who), NULL));
	t->clock = ring_clock(process.hub);
	send_clock(t);
	return true;
}

/* Tells which pages left the window. slots: its first. */
static void send_left(struct thread *t, const struct window *w, unsigned slots)
{
	u64 words[WINDOW_SLOTS];

	for (unsigned i = 0; i < w->nr_left; i++)
		words[i] = ev_leave_make(slots + w->left[i]);
	if (w->nr_left)
		ring_put(t->ring, words, w->nr_left);
}

static void windows_clear(struct thread *t)
{
	window_clear(&t->data);
	window_clear(&t->fetch);
	send_left(t, &t->data, 0);
	send_left(t, &t->fetch, EV_WINDOW);
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
		send_clock(t);
	}
	return true;
}

void emit_enter(struct thread *t, const struct window *w, u64 page, unsigned slot, unsigned rwx)
{
	unsigned slots = rwx == EVR_FETCH ? EV_WINDOW : 0;

	send_left(t, w, slots);
	ring_put1(t->ring, ev_enter_make(page >> 12, slots + slot, rwx));
	will_update(t);
	if (unlikely(++t->entered % COUNTS_EVERY == 0)) {
		u64 words[LONG_WORDS];

		ring_put(t->ring, words, counts_event(words, t));
	}
}

bool emit_begin(struct thread *t)
{
	u64 w[LONG_WORDS];

	if (!thread_ready(t))
		return false;
	windows_clear(t);
	ring_put(t->ring, w, counts_event(w, t));
	will_update(t);
	return true;
}

void emit(struct thread *t, unsigned type, u64 arg, const void *payload, unsigned n, const char *name)
{
	u64 w[LONG_WORDS];

	ring_put(t->ring, w, long_event(w, type, arg, payload, n, name));
}

void emit_change(struct thread *t, unsigned type, u64 arg, const void *payload, unsigned n, const char *name)
{
	u64 w[2 + LONG_WORDS] = {ev_long_make(EV_CLOCK, 1, 0)};

	if (process.nr_threads < 2 && !ev_for_others(type)) {
		emit(t, type, arg, payload, n, name);
		return;
	}
	w[1] = t->clock = ring_clock_tick(process.hub);
	for (unsigned i = 0; i < process.max_thread; i++) {
		struct thread *other = threads[i];

		if (!other || other == t || !other->alive)
			continue;
		window_revoke(&other->data);
		window_revoke(&other->fetch);
	}
	ring_put(t->ring, w, 2 + long_event(w + 2, type, arg, payload, n, name));
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
			ring_will_words(other->ring)[WILL_EXIT] = ev_long_make(EV_EXIT, 1, on ? EVX_EXIT : EVX_LOST);
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
