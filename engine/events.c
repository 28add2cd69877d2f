/* SPDX-License-Identifier: MIT
 *
 * engine/events.c - from a thread's doings to words in its ring.
 *
 * The will (trace/ring.h) of a thread is its totals, then EV_EXIT:
 *
 *   [ EV_COUNTS | instructions | accesses | fetch changes | EV_EXIT | status ]
 */
#include "engine/events.h"
#include "engine/paths.h"

#include <fcntl.h>

#include "lib/sys.h"

#define HUB_AT (ENGINE_MEMORY_END + (1ull << 32))
/* Words of a name at most: what fits a will, and more than anybody reads of it. */
#define NAME_WORDS 64
#define LONG_WORDS (1 + 16 + NAME_WORDS)
/* Window events after which a thread tells its totals, so that a simulated clock goes on between its long events. */
#define COUNTS_EVERY 4096

struct events events;

void *ring_memory(u64 bytes)
{
	return memory_get(bytes);
}

void ring_memory_free(void *memory) {}

static unsigned number_of(const char *text)
{
	unsigned n = 0;

	for (; *text >= '0' && *text <= '9'; text++)
		n = 10 * n + (unsigned)(*text - '0');
	return n;
}

void events_attach(const char *path)
{
	bool number = path[0] != '/';
	long fd = number ? number_of(path) : sys6(SYS_openat, (u64)AT_FDCWD, (u64)path, O_RDWR | O_CLOEXEC, 0, 0, 0);

	events.hub = fd >= 0 ? ring_hub_attach((int)fd, (void *)HUB_AT) : NULL;
	if (!events.hub)
		die("the engine is started by `quire run` only; no hub:", path, 0);
	descriptor_keep((int)fd, number);
	events.pid = (u64)sys3(SYS_getpid, 0, 0, 0);
	events.calls.ops = &host_ops;
}

/* ---- words ---- */

static struct ev_counts counts_of(const struct thread *t)
{
	return (struct ev_counts){t->icount - t->string_steps, t->accesses, t->fetch_changes};
}

/* Header, payload and name as words into w[LONG_WORDS]. Returns how many. */
static unsigned long_event(u64 *w, unsigned type, u64 arg, const void *payload, unsigned n, const char *name)
{
	unsigned words = 0;

	if (n)
		memcpy(w + 1, payload, n * sizeof(u64));
	if (name) {
		u64 len = min(strlen(name), NAME_WORDS * sizeof(u64) - 1);

		words = (unsigned)(len / sizeof(u64)) + 1;
		w[n + words] = 0;
		memcpy(w + 1 + n, name, len);
	}
	w[0] = ev_long_make(type, n + words, arg);
	return 1 + n + words;
}

static unsigned counts_event(u64 *w, const struct thread *t)
{
	struct ev_counts c = counts_of(t);

	return long_event(w, EV_COUNTS, 0, &c, EV_PAYLOAD_WORDS(c), NULL);
}

static void will_set(struct thread *t, unsigned how, const char *name)
{
	u64 w[2 * LONG_WORDS], status = 0;
	unsigned n = counts_event(w, t);

	n += long_event(w + n, EV_EXIT, how, &status, 1, name);
	ring_will(t->ring, w, n);
}

/* Keeps the totals of the will up to date: a killed thread's last words. */
static void will_update(struct thread *t)
{
	struct ev_counts c = counts_of(t);

	memcpy(ring_will_words(t->ring) + 1, &c, sizeof(c));
}

static void send_clock(struct thread *t)
{
	u64 w[2] = {ev_long_make(EV_CLOCK, 1, 0), t->clock};

	ring_put(t->ring, w, 2);
}

/* ---- the stream ---- */

static bool stream_begin(struct thread *t)
{
	struct ev_thread who = {events.pid, (u64)sys3(SYS_gettid, 0, 0, 0), events.parent};
	u64 w[LONG_WORDS];

	if (t->ended)
		return false;
	t->ring = ring_open(events.hub, (pid_t)who.pid, (pid_t)who.tid);
	t->ended = !t->ring;
	if (t->ended)
		return false;
	will_set(t, EVX_LOST, NULL);
	ring_put(t->ring, w, long_event(w, EV_THREAD, 0, &who, EV_PAYLOAD_WORDS(who), NULL));
	t->clock = ring_clock(events.hub);
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
	if (t->fetch_page)
		t->fetch_last = page_of_number((u32)t->fetch_page);
	t->fetch_page = 0;
}

static bool ready(struct thread *t)
{
	if (unlikely(!t->ring) && !stream_begin(t))
		return false;
	if (unlikely(ring_clock(events.hub) != t->clock)) {
		t->clock = ring_clock(events.hub);
		windows_clear(t);
		send_clock(t);
	}
	return true;
}

void runtime_event(struct thread *t, const struct window *window, u64 page, unsigned slot, unsigned rwx)
{
	unsigned slots = rwx == EVR_FETCH ? EV_WINDOW : 0;
	u64 w[LONG_WORDS];

	if (!ready(t))
		return;
	send_left(t, window, slots);
	ring_put1(t->ring, ev_enter_make(page >> 12, slots + slot, rwx));
	will_update(t);
	if (unlikely(++t->entered % COUNTS_EVERY == 0))
		ring_put(t->ring, w, counts_event(w, t));
}

bool events_begin(struct thread *t)
{
	u64 w[LONG_WORDS];

	if (!ready(t))
		return false;
	windows_clear(t);
	ring_put(t->ring, w, counts_event(w, t));
	will_update(t);
	return true;
}

void events_emit(void *thread, unsigned type, u64 arg, const void *payload, unsigned n, const char *name)
{
	struct thread *t = thread;
	u64 w[LONG_WORDS];

	ring_put(t->ring, w, long_event(w, type, arg, payload, n, name));
}

/* Only what other processes go by has to be ordered: a process has one thread. */
void events_change(void *thread, unsigned type, u64 arg, const void *payload, unsigned n, const char *name)
{
	u64 w[2 + LONG_WORDS] = {ev_long_make(EV_CLOCK, 1, 0)};
	struct thread *t = thread;

	if (!ev_for_others(type)) {
		events_emit(t, type, arg, payload, n, name);
		return;
	}
	w[1] = t->clock = ring_clock_tick(events.hub);
	ring_put(t->ring, w, 2 + long_event(w + 2, type, arg, payload, n, name));
}

void events_exit(struct thread *t, unsigned how, u64 status)
{
	if (events_begin(t)) {
		events_change(t, EV_EXIT, how, &status, 1, NULL);
		ring_close(t->ring);
	}
	t->ring = NULL;
	t->ended = true;
}

void events_leaving(struct thread *t, u64 name)
{
	char text[NAME_WORDS * sizeof(u64)] = "";

	if (!t->ring)
		return;
	program_read(text, name, sizeof(text) - 1);
	will_set(t, name ? EVX_EXEC : EVX_LOST, name ? text : NULL);
	ring_watch_exec(t->ring, name != 0);
}

void events_forked(struct thread *t)
{
	events.parent = events.pid;
	events.pid = (u64)sys3(SYS_getpid, 0, 0, 0);
	t->ring = NULL;
	t->icount = t->string_steps = t->accesses = t->fetch_changes = 0;
	t->ended = false;
	window_init(&t->data, &ring_hub_window(events.hub)[0]);
	window_init(&t->fetch, &ring_hub_window(events.hub)[1]);
	t->fetch_page = t->fetch_last = 0;
}

void events_touch(struct thread *t, u64 start, u64 len, unsigned rwx)
{
	struct ev_touch e = {start, len};

	if (ready(t))
		events_emit(t, EV_TOUCH, rwx, &e, EV_PAYLOAD_WORDS(e), NULL);
}

void events_ring(const struct thread *t, char text[16])
{
	memcpy(text, "-", 2);
	if (t->ring)
		number_text(ring_number(t->ring), text);
}

void events_adopt(struct thread *t, const char *text)
{
	struct ev_counts c;
	unsigned number;

	if (text[0] == '-')
		return;
	number = number_of(text);
	t->ring = ring_adopt(events.hub, number);
	if (!t->ring)
		die("no such ring", "", number);
	memcpy(&c, ring_will_words(t->ring) + 1, sizeof(c));
	t->icount = c.instructions;
	t->accesses = c.data_accesses;
	t->fetch_changes = c.fetch_page_changes;
	t->clock = ring_clock(events.hub);
	send_clock(t);
}
