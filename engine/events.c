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
#define WILL_EXIT  (1 + EV_PAYLOAD_WORDS(struct ev_counts))
#define LONG_WORDS (1 + 16 + NAME_WORDS)
/* Window events after which a thread tells its totals, so that a simulated clock goes on between its long events. */
#define COUNTS_EVERY 4096
#define LOOK_EVERY   64 /* entries to the kernel after which a thread looks for the simulator */

struct ring_hub *hub;

/* The hub is attached before there are threads; a ring is its thread's. */
void *ring_memory(u64 bytes)
{
	struct task *k;

	if (!hub)
		return memory_get(bytes);
	__asm__("mov %%gs:0, %0" : "=r"(k));
	return bytes <= sizeof(k->ring) ? memset(k->ring, 0, bytes) : NULL;
}

void ring_memory_free(void *memory) {}

void events_attach(const char *path)
{
	bool number = path[0] != '/';
	long fd = number ? number_of(path) : sys6(SYS_openat, (u64)AT_FDCWD, (u64)path, O_RDWR | O_CLOEXEC, 0, 0, 0);

	hub = fd >= 0 ? ring_hub_attach((int)fd, (void *)HUB_AT) : NULL;
	if (!hub)
		die("the engine is started by `quire run` only; no hub:", path, 0);
	descriptor_keep((int)fd, number);
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
	u64 *will = ring_will_words(t->ring) + 1;

	will[0] = counts_of(t).instructions;
	will[1] = counts_of(t).data_accesses;
	will[2] = counts_of(t).fetch_page_changes;
}

static void send_clock(struct thread *t)
{
	u64 w[2] = {ev_long_make(EV_CLOCK, 1, 0), t->clock};

	ring_put(t->ring, w, 2);
}

/* ---- the stream ---- */

static bool stream_begin(struct thread *t)
{
	struct ev_thread who = {t->process->pid, t->tid, t->process->parent};
	u64 w[LONG_WORDS];

	if (t->ended)
		return false;
	t->ring = ring_open(hub, (pid_t)who.pid, (pid_t)who.tid);
	t->ended = !t->ring;
	if (t->ended)
		return false;
	will_set(t, EVX_LOST, NULL);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* events_ending() sees the ring, or it is seen here */
	if (t->process->ending)
		will_set(t, EVX_EXIT, NULL);
	ring_put(t->ring, w, long_event(w, EV_THREAD, 0, &who, EV_PAYLOAD_WORDS(who), NULL));
	t->clock = ring_clock(hub);
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
	if ((u32)t->fetch_page)
		t->fetch_last = page_of_number((u32)t->fetch_page);
	t->fetch_page = 0;
	t->warm = 0;
}

bool events_ready(struct thread *t)
{
	if (unlikely(!t->ring) && !stream_begin(t))
		return false;
	if (unlikely(ring_clock(hub) != t->clock)) {
		t->clock = ring_clock(hub);
		windows_clear(t);
		send_clock(t);
	}
	return true;
}

bool runtime_ready(struct thread *t)
{
	bool listens = events_ready(t);

	t->warm = 1;
	return listens;
}

static void tags_revoke(struct thread *t)
{
	window_revoke(&t->data);
	window_revoke(&t->fetch);
	__atomic_fetch_or(&t->fetch_page, FETCH_REVOKED, __ATOMIC_RELAXED);
}

/* Who kills the simulator wants no program to go on unseen. */
static void look_after_simulator(void)
{
	if (ring_hub_vanished(hub))
		die("the simulator is gone (or not in this PID namespace), and so the program ends", "", 0);
}

void runtime_entered(struct thread *t, const struct window *window, u64 page, int slot, unsigned rwx)
{
	unsigned slots = rwx == EVR_FETCH ? EV_WINDOW : 0;
	u64 w[LONG_WORDS];

	if (slot >= 0) {
		send_left(t, window, slots);
		ring_put1(t->ring, ev_enter_make(page >> 12, slots + (unsigned)slot, rwx));
		will_update(t);
		if (unlikely(++t->entered % COUNTS_EVERY == 0)) {
			ring_put(t->ring, w, counts_event(w, t));
			look_after_simulator();
		}
	}
	if (nr_threads < 2)
		return;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (ring_clock(hub) != t->clock)
		tags_revoke(t);
}

bool events_begin(struct thread *t)
{
	u64 w[LONG_WORDS];

	if (!events_ready(t))
		return false;
	windows_clear(t);
	ring_put(t->ring, w, counts_event(w, t));
	will_update(t);
	if (unlikely(++t->begun % LOOK_EVERY == 0))
		look_after_simulator();
	return true;
}

void events_emit(void *thread, unsigned type, u64 arg, const void *payload, unsigned n, const char *name)
{
	struct thread *t = thread;
	u64 w[LONG_WORDS];

	ring_put(t->ring, w, long_event(w, type, arg, payload, n, name));
}

/* The others' next accesses are slow, whatever they do at the moment. Whose windows are empty will look at the clock by
 * itself: most of many threads sleep in system calls. */
static void revoke_others(const struct thread *t)
{
	cache_lock();
	for (struct thread *other = threads; other; other = other->next)
		if (other != t && __atomic_load_n(&other->warm, __ATOMIC_RELAXED))
			tags_revoke(other);
	cache_unlock();
}

/* Only what other processes go by has to be ordered while there is one thread. */
void events_change(void *thread, unsigned type, u64 arg, const void *payload, unsigned n, const char *name)
{
	u64 w[2 + LONG_WORDS] = {ev_long_make(EV_CLOCK, 1, 0)};
	struct thread *t = thread;

	if (nr_threads < 2 && !ev_for_others(type)) {
		events_emit(t, type, arg, payload, n, name);
		return;
	}
	w[1] = t->clock = ring_clock_tick(hub);
	if (nr_threads > 1)
		revoke_others(t);
	ring_put(t->ring, w, 2 + long_event(w + 2, type, arg, payload, n, name));
}

void events_exit(struct thread *t, unsigned how, u64 status)
{
	struct ring *ring;

	if (events_begin(t)) {
		events_change(t, EV_EXIT, how, &status, 1, NULL);
		cache_lock(); /* who goes through all threads' rings */
		ring = t->ring;
		t->ring = NULL;
		cache_unlock();
		ring_close(ring);
	}
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

void events_ending(struct thread *t, bool on)
{
	cache_lock();
	__atomic_store_n(&t->process->ending, on, __ATOMIC_SEQ_CST);
	for (struct thread *other = threads; other; other = other->next) {
		if (other->process != t->process || !other->ring || (other == t && t->first))
			continue;
		ring_will_words(other->ring)[WILL_EXIT] = ev_long_make(EV_EXIT, 1, on ? EVX_EXIT : EVX_LOST);
		ring_watch_exec(other->ring, on);
	}
	cache_unlock();
}

void events_forked(struct thread *t)
{
	struct process *p = t->process;

	look_after_simulator(); /* numbers of another PID namespace would tell it of others */
	p->parent = p->pid;
	p->pid = t->tid = (u64)sys3(SYS_getpid, 0, 0, 0);
	p->nr_threads = 1;
	p->ending = false;
	t->ring = NULL;
	t->icount = t->string_steps = t->accesses = t->fetch_changes = 0;
	t->ended = false;
	t->first = true;
	window_init(&t->data, &ring_hub_window(hub)[0]);
	window_init(&t->fetch, &ring_hub_window(hub)[1]);
	t->fetch_page = t->fetch_last = 0;
}

void events_vforked(struct thread *t, struct thread *parent)
{
	struct ev_fork e = {(u64)sys3(SYS_getpid, 0, 0, 0), EVF_VM};

	look_after_simulator();
	if (parent->ring)
		events_change(parent, EV_FORK, 0, &e, EV_PAYLOAD_WORDS(e), NULL);
	events_forked(t);
}

void events_touch(struct thread *t, u64 start, u64 len, unsigned rwx)
{
	struct ev_touch e = {start, len};

	if (events_ready(t))
		events_emit(t, EV_TOUCH, rwx, &e, EV_PAYLOAD_WORDS(e), NULL);
}

/* The first thread's, which is t's in most processes: it is the one that lives on, by its number. */
void events_ring(const struct thread *t, char text[16])
{
	const struct thread *first;

	memcpy(text, "-", 2);
	cache_lock();
	for (first = threads; first && (first->process != t->process || !first->first); first = first->next)
		;
	if (first && first->ring)
		number_text(ring_number(first->ring), text);
	cache_unlock();
}

/* What its process' other threads told before the exec comes before what follows here. */
void events_adopt(struct thread *t, const char *text)
{
	struct ev_counts c;
	unsigned number;

	if (text[0] == '-')
		return;
	number = number_of(text);
	t->ring = ring_adopt(hub, number);
	if (!t->ring)
		die("no such ring", "", number);
	memcpy(&c, ring_will_words(t->ring) + 1, sizeof(c));
	t->icount = c.instructions;
	t->accesses = c.data_accesses;
	t->fetch_changes = c.fetch_page_changes;
	will_set(t, EVX_LOST, NULL);
	ring_watch_exec(t->ring, false);
	t->clock = ring_clock_tick(hub);
	send_clock(t);
}
