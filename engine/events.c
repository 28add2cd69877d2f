/* SPDX-License-Identifier: MIT
 *
 * engine/events.c - from a thread's doings to words in its ring (trace/words.h).
 */
#include "engine/events.h"
#include "engine/paths.h"

#include <fcntl.h>

#include "lib/sys.h"
#include "trace/words.h"

#define HUB_AT     (ENGINE_MEMORY_END + (1ull << 32))
#define LOOK_EVERY 64 /* entries to the kernel after which a thread looks for the simulator */

struct ring_hub *hub;

/* The hub is attached before there are threads; a ring is its thread's. */
void *ring_memory(u64 bytes)
{
	struct task *k;

	if (!hub)
		return memory_get(bytes);
	k = task_of(thread_here());
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

/* ---- the stream ---- */

static struct ev_counts counts_of(const struct thread *t)
{
	return (struct ev_counts){t->icount - t->string_steps, t->accesses, t->fetch_changes};
}

static void put_counts(const struct thread *t)
{
	struct ev_counts c = counts_of(t);

	words_put_counts(t->ring, &c);
}

static void will_set(const struct thread *t, unsigned how, const char *name)
{
	struct ev_counts c = counts_of(t);

	words_will(t->ring, &c, how, name);
}

static bool stream_begin(struct thread *t)
{
	struct ev_thread who = {t->process->pid, t->tid, t->process->parent};

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
	words_put(t->ring, EV_THREAD, 0, &who, EV_PAYLOAD_WORDS(who), NULL);
	t->clock = ring_clock(hub);
	words_put_clock(t->ring, t->clock);
	return true;
}

static void windows_clear(struct thread *t)
{
	window_clear(&t->data);
	window_clear(&t->fetch);
	words_put_left(t->ring, &t->data, 0);
	words_put_left(t->ring, &t->fetch, EV_WINDOW);
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
		words_put_clock(t->ring, t->clock);
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

	if (slot >= 0) {
		words_put_left(t->ring, window, slots);
		ring_put1(t->ring, ev_enter_make(page >> 12, slots + (unsigned)slot, rwx));
		words_will_count(t->ring, counts_of(t));
		if (unlikely(++t->entered % WORDS_COUNTS_EVERY == 0)) {
			put_counts(t);
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
	if (!events_ready(t))
		return false;
	windows_clear(t);
	put_counts(t);
	words_will_count(t->ring, counts_of(t));
	if (unlikely(++t->begun % LOOK_EVERY == 0))
		look_after_simulator();
	return true;
}

void events_emit(void *thread, unsigned type, u64 arg, const void *payload, unsigned n, const char *name)
{
	struct thread *t = thread;

	words_put(t->ring, type, arg, payload, n, name);
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
	struct thread *t = thread;

	if (nr_threads < 2 && !ev_for_others(type)) {
		events_emit(t, type, arg, payload, n, name);
		return;
	}
	t->clock = ring_clock_tick(hub);
	if (nr_threads > 1)
		revoke_others(t);
	words_put_change(t->ring, t->clock, type, arg, payload, n, name);
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
	char text[WORDS_NAME * sizeof(u64)] = "";

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
		words_will_ends(other->ring, on);
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
	c = words_will_counts(t->ring);
	t->icount = c.instructions;
	t->accesses = c.data_accesses;
	t->fetch_changes = c.fetch_page_changes;
	will_set(t, EVX_LOST, NULL);
	ring_watch_exec(t->ring, false);
	t->clock = ring_clock_tick(hub);
	words_put_clock(t->ring, t->clock);
}
