/* SPDX-License-Identifier: MIT
 *
 * trace/ring_write.c - the producer's side of a ring. Freestanding: its system calls are raw (sys.h), so that it runs in
 * a program's process beside any libc, or none. ring.c draws the ring and numbers its invariants.
 */
#include <asm-generic/errno-base.h>
#include <asm/stat.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>

#include "trace/ring_internal.h"
#include "lib/sys.h"

#define FULL_WAIT_MS 10

void image_get(pid_t pid, u64 image[2])
{
	char path[32] = "/proc/", digits[12];
	unsigned n = 0, at = 6;
	struct stat st;

	do
		digits[n++] = (char)('0' + pid % 10);
	while (pid /= 10);
	while (n)
		path[at++] = digits[--n];
	memcpy(path + at, "/exe", 5);
	if (sys3(SYS_stat, (u64)path, (u64)&st, 0) != 0)
		st.st_dev = st.st_ino = 0;
	image[0] = st.st_dev;
	image[1] = st.st_ino;
}

static void futex_wait_ms(u32 *word, u32 seen, unsigned ms)
{
	s64 timeout[2] = {ms / 1000, (s64)(ms % 1000) * 1000000};

	sys6(SYS_futex, (u64)word, FUTEX_WAIT, seen, (u64)timeout, 0, 0);
}

struct ring_hub *ring_hub_attach(int fd, void *at)
{
	const long fixed = offsetof(struct shared_hub, clock); /* before what changes */
	struct shared_hub head;
	struct ring_hub *hub;
	struct stat st;
	long map;

	if (sys6(SYS_pread64, (u64)fd, (u64)&head, (u64)fixed, 0, 0, 0) != fixed || head.magic != HUB_MAGIC ||
	    !hub_shape_valid(head.nr, head.words) || sys3(SYS_fstat, (u64)fd, (u64)&st, 0) != 0 ||
	    (u64)st.st_size != hub_bytes(head.nr, head.words) || !(hub = ring_memory(sizeof(*hub))))
		return NULL;
	hub->nr = head.nr;
	hub->words = head.words;
	hub->bytes = hub_bytes(head.nr, head.words);
	map = sys6(SYS_mmap, (u64)at, hub->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | (at ? MAP_FIXED_NOREPLACE : 0),
		   (u64)fd, 0);
	if (sys_failed(map)) {
		ring_memory_free(hub);
		return NULL;
	}
	hub->shared = (struct shared_hub *)map;
	return hub;
}

const struct window_shape *ring_hub_window(const struct ring_hub *hub)
{
	return hub->shared->window;
}

u64 ring_clock(const struct ring_hub *hub)
{
	return __atomic_load_n(&hub->shared->clock, __ATOMIC_ACQUIRE);
}

u64 ring_clock_tick(struct ring_hub *hub)
{
	return __atomic_add_fetch(&hub->shared->clock, 1, __ATOMIC_SEQ_CST);
}

/* The file's place, taken for it if `take`; NULL: it has none. Device and inode are mixed into one number: two files
 * with the same are told of as one. */
static u64 *file_size_place(struct ring_hub *hub, u64 dev, u64 ino, bool take)
{
	u64 key = ((dev * 0x9e3779b97f4a7c15ull) ^ ino) * 0xd6e8feb86659fd93ull | 1;

	for (u64 i = 0; i < HUB_FILES; i++) {
		u64 at = ((key >> 40) + i) % HUB_FILES, *place = &hub->shared->file[at].key;
		u64 found = __atomic_load_n(place, __ATOMIC_ACQUIRE);

		if (found == 0 && !take)
			return NULL;
		if (found == key || (found == 0 && (__atomic_compare_exchange_n(place, &found, key, false,
										__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE) ||
						    found == key)))
			return &hub->shared->file[at].size;
	}
	return NULL;
}

void ring_hub_file_note(struct ring_hub *hub, u64 dev, u64 ino, u64 size)
{
	u64 *place = file_size_place(hub, dev, ino, true);

	if (place)
		__atomic_store_n(place, size, __ATOMIC_RELEASE);
}

bool ring_hub_file_noted(struct ring_hub *hub, u64 dev, u64 ino)
{
	return file_size_place(hub, dev, ino, false);
}

bool ring_hub_file_changed(struct ring_hub *hub, u64 dev, u64 ino, u64 size)
{
	u64 *place = file_size_place(hub, dev, ino, false);

	return place && __atomic_exchange_n(place, size, __ATOMIC_ACQ_REL) != size;
}

static void hub_ring_bell(struct shared_hub *sh)
{
	if (__atomic_load_n(&sh->sleeping, __ATOMIC_RELAXED)) {
		__atomic_store_n(&sh->sleeping, 0, __ATOMIC_RELAXED);
		__atomic_add_fetch(&sh->bell, 1, __ATOMIC_SEQ_CST);
		sys6(SYS_futex, (u64)&sh->bell, FUTEX_WAKE, 1, 0, 0, 0);
	}
}

bool ring_hub_vanished(struct ring_hub *hub)
{
	struct shared_hub *sh = hub->shared;

	return !__atomic_load_n(&sh->abandoned, __ATOMIC_RELAXED) &&
	       sys3(SYS_kill, (u64)(long)sh->consumer, 0, 0) == -ESRCH;
}

static bool abandoned(struct ring_hub *hub)
{
	return __atomic_load_n(&hub->shared->abandoned, __ATOMIC_RELAXED) || ring_hub_vanished(hub);
}

static struct shared_ring *take_free(struct ring_hub *hub)
{
	struct shared_hub *sh = hub->shared;

	for (unsigned i = 0; i < hub->nr; i++) {
		struct shared_ring *r = hub_ring(hub, i);
		u32 want = RING_FREE, count;

		if (LOAD(r->state) != RING_FREE || !__atomic_compare_exchange_n(&r->state, &want, RING_OPENING, false,
										__ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			continue;
		count = __atomic_load_n(&sh->count, __ATOMIC_RELAXED);
		while (count < i + 1 && !__atomic_compare_exchange_n(&sh->count, &count, i + 1, false, __ATOMIC_RELEASE,
								     __ATOMIC_RELAXED))
			;
		return r;
	}
	return NULL;
}

struct ring *ring_open(struct ring_hub *hub, pid_t pid, pid_t tid)
{
	struct ring *r = ring_memory(sizeof(*r));
	s64 nap[2] = {0, 1000000};

	if (!r)
		return NULL;
	while (!(r->shared = take_free(hub))) {
		if (abandoned(hub)) {
			ring_memory_free(r);
			return NULL;
		}
		sys3(SYS_nanosleep, (u64)nap, 0, 0);
	}
	r->hub = hub;
	r->words = hub_words(hub, r->shared - hub_ring(hub, 0));
	r->shared->head = r->shared->tail = 0;
	r->shared->will_words = r->shared->watch_exec = 0;
	image_get(pid, r->shared->image);
	r->shared->pid = pid;
	r->shared->tid = tid;
	__atomic_store_n(&r->shared->state, RING_TAKEN, __ATOMIC_RELEASE);
	return r;
}

/* Waits until n more words fit. Returns false when nobody will ever read, or the program has spoilt the tail. */
static __attribute__((noinline, cold)) bool ring_make_room(struct ring *r, unsigned n)
{
	struct shared_ring *sh = r->shared;

	for (;;) {
		u32 seen = __atomic_load_n(&sh->drained, __ATOMIC_SEQ_CST);

		r->other = __atomic_load_n(&sh->tail, __ATOMIC_ACQUIRE);
		if (r->mine + n - r->other <= r->hub->words)
			return true;
		if (r->mine - r->other > r->hub->words || abandoned(r->hub))
			return false;
		__atomic_store_n(&sh->full, 1, __ATOMIC_SEQ_CST);
		hub_ring_bell(r->hub->shared);
		futex_wait_ms(&sh->drained, seen, FULL_WAIT_MS);
		__atomic_store_n(&sh->full, 0, __ATOMIC_SEQ_CST);
	}
}

/* Shows n new words to the consumer. */
static void ring_publish(struct ring *r, unsigned n)
{
	u64 before = r->mine;

	r->mine += n;
	__atomic_store_n(&r->shared->head, r->mine, __ATOMIC_RELEASE);
	if (unlikely((before ^ r->mine) & (r->hub->words / 4)))
		hub_ring_bell(r->hub->shared);
}

void ring_put(struct ring *r, const u64 *w, unsigned n)
{
	u64 mask = r->hub->words - 1;

	if (r->mine + n - r->other > r->hub->words && !ring_make_room(r, n))
		return;
	for (unsigned i = 0; i < n; i++)
		r->words[(r->mine + i) & mask] = w[i];
	ring_publish(r, n);
}

void ring_put1(struct ring *r, u64 w)
{
	if (unlikely(r->mine + 1 - r->other > r->hub->words) && !ring_make_room(r, 1))
		return;
	r->words[r->mine & (r->hub->words - 1)] = w;
	ring_publish(r, 1);
}

void ring_will(struct ring *r, const u64 *w, unsigned n)
{
	n = min(n, (unsigned)RING_WILL);
	__atomic_store_n(&r->shared->will_words, 0, __ATOMIC_RELEASE);
	memcpy(r->shared->will, w, n * sizeof(u64));
	__atomic_store_n(&r->shared->will_words, n, __ATOMIC_RELEASE);
}

u64 *ring_will_words(struct ring *r)
{
	return r->shared->will;
}

void ring_watch_exec(struct ring *r, bool on)
{
	__atomic_store_n(&r->shared->watch_exec, on, __ATOMIC_RELEASE);
}

unsigned ring_number(const struct ring *r)
{
	return (unsigned)(r->shared - hub_ring(r->hub, 0));
}

struct ring *ring_adopt(struct ring_hub *hub, unsigned number)
{
	struct ring *r = number < hub->nr ? ring_memory(sizeof(*r)) : NULL;

	if (!r)
		return NULL;
	r->hub = hub;
	r->shared = hub_ring(hub, number);
	r->words = hub_words(hub, number);
	r->mine = r->shared->head;
	r->other = __atomic_load_n(&r->shared->tail, __ATOMIC_ACQUIRE);
	return r;
}

void ring_close(struct ring *r)
{
	__atomic_store_n(&r->shared->state, RING_CLOSED, __ATOMIC_RELEASE);
	hub_ring_bell(r->hub->shared);
	ring_memory_free(r);
}
