/* SPDX-License-Identifier: MIT
 *
 * trace/ring.c - rings of words in a shared mapping: one producer and one consumer each, in different processes.
 *
 *   hub | ring 0 head | ring 1 head | ... || words of ring 0 | words of ring 1 | ...
 *
 *   words of a ring:    . . . . [tail] o o o o o o o [head] . . . .        head, tail: counted since the ring was
 *                        written, read    to be read   free                taken, never wrapped; index = count & mask
 *
 * The producer stores words, then head (release); the consumer loads head (acquire), reads, then stores tail. Each side
 * keeps its own counter where the other cannot spoil it, and the copy of the other's that it saw last.
 *
 * Sleeping. The consumer sleeps when it found nothing; a producer rings its bell when a ring is a quarter full, or
 * closes. A producer sleeps when its ring is full; the consumer wakes it after reading. Each sleep also has a timeout,
 * so that a wake-up that crossed the going to sleep costs milliseconds and no more: no fence on the fast path.
 *
 * A writer that vanishes. When a ring is empty the consumer looks, at most every LIVENESS_MS, whether its thread still
 * exists (and, while an exec is tried, whether /proc/PID/exe still is the same file). If not, the will becomes the end
 * of the stream.
 *
 * Invariants
 *   R1  only the producer writes head, words and the will; only the consumer writes tail.
 *   R2  the consumer believes nothing: each shared word is loaded once (what ring_get copies, for as long as the ring
 * is taken; head in ring_look alone) and checked. mine <= other <= mine + words, and other never falls: a head that
 *       says so is impossible, and the ring is read as empty and at its end.
 *   R3  state goes FREE -> OPENING -> TAKEN -> CLOSED (all by the producer) -> FREE (consumer; from TAKEN when the
 *       writer is gone).
 *   R4  when the writer has vanished head is not looked at any more: the will follows what had been written.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "trace/event.h"
#include "trace/ring.h"

#define LIB_PANIC(text) ring_panic(text)
#include "lib/assert.h"

#define HUB_MAGIC    (0x0145524955510000ull + TRACE_VERSION)
#define LIVENESS_MS  20
#define FULL_WAIT_MS 10
#define MAX_RINGS    65536
#define HUB_FILES    4096

enum { RING_FREE, RING_OPENING, RING_TAKEN, RING_CLOSED };

struct shared_ring {
	u64 head; /* producer's line */
	u64 will[RING_WILL];
	u32 will_words, watch_exec;
	u64 image[2];          /* dev, ino of the file that the writer's process executes */
	_Alignas(64) u64 tail; /* consumer's line */
	u32 full;              /* the producer sleeps until tail moves */
	u32 drained;           /* futex: counts reads while `full` */
	_Alignas(64) u32 state;
	s32 pid, tid;
};

struct shared_hub {
	u64 magic;
	u32 nr, words;
	s32 consumer; /* pid */
	u32 abandoned;
	struct window_shape window[2]; /* data, instruction pages */
	_Alignas(64) u64 clock;
	_Alignas(64) u32 count; /* rings ever taken at once */
	_Alignas(64) u32 sleeping, bell;
	_Alignas(64) struct {
		u64 key, size; /* key 0: free; never freed again */
	} file[HUB_FILES];
};

struct ring {
	struct ring_hub *hub;
	struct shared_ring *shared;
	u64 *words;
	u64 mine;  /* producer: head. consumer: tail */
	u64 other; /* the other side's counter as last seen */
	/* consumer */
	u64 will[RING_WILL];
	unsigned will_words, will_read;
	size_t given;   /* by the last ring_peek, not consumed yet */
	pid_t pid, tid; /* the writer's, and its image, as they were when the ring was first seen */
	u64 image[2];
	bool vanished, broken;
	struct timespec looked; /* when the writer was last seen alive */
};

struct ring_hub {
	struct shared_hub *shared;
	u64 bytes;
	u32 nr, words;     /* copies that no other process can change */
	struct ring *ring; /* consumer's, one each; NULL at a producer */
};

static _Noreturn void ring_panic(const char *line)
{
	fprintf(stderr, "quire: panic: %s\n", line);
	abort();
}

#define LOAD(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)

/* ---- the mapping ---- */

static u64 hub_bytes(u32 nr, u32 words)
{
	return ALIGN_UP(sizeof(struct shared_hub) + (u64)nr * sizeof(struct shared_ring), 4096ull) +
	       (u64)nr * words * 8;
}

static struct shared_ring *hub_ring(const struct ring_hub *hub, unsigned i)
{
	return (struct shared_ring *)(hub->shared + 1) + i;
}

static u64 *hub_words(const struct ring_hub *hub, unsigned i)
{
	return (u64 *)((char *)hub->shared + hub->bytes) - (u64)(hub->nr - i) * hub->words;
}

static struct ring_hub *hub_map(int fd, u32 nr, u32 words)
{
	struct ring_hub *hub = calloc(1, sizeof(*hub));

	if (!hub)
		return NULL;
	hub->nr = nr;
	hub->words = words;
	hub->bytes = hub_bytes(nr, words);
	hub->shared = mmap(NULL, hub->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (hub->shared == MAP_FAILED) {
		free(hub);
		return NULL;
	}
	return hub;
}

static bool hub_shape_valid(u32 nr, u32 words)
{
	return nr > 0 && nr <= MAX_RINGS && words >= 256 && words <= 1u << 24 && (words & (words - 1)) == 0;
}

struct ring_hub *ring_hub_create(unsigned nr, unsigned words, int *fd)
{
	struct ring_hub *hub = NULL;

	if (!hub_shape_valid(nr, words)) {
		errno = EINVAL;
		return NULL;
	}
	*fd = memfd_create("quire", MFD_ALLOW_SEALING);
	if (*fd < 0)
		return NULL;
	if (ftruncate(*fd, (off_t)hub_bytes(nr, words)) == 0 &&
	    fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		hub = hub_map(*fd, nr, words);
	if (hub) {
		hub->ring = calloc(nr, sizeof(struct ring));
		if (!hub->ring) {
			ring_hub_destroy(hub);
			hub = NULL;
		}
	}
	if (!hub) {
		close(*fd);
		return NULL;
	}
	*hub->shared = (struct shared_hub){.magic = HUB_MAGIC,
					   .nr = nr,
					   .words = words,
					   .consumer = getpid(),
					   .window = {{.pages = EV_WINDOW}, {.pages = EV_WINDOW}}};
	return hub;
}

struct ring_hub *ring_hub_attach(int fd)
{
	struct shared_hub head;
	struct stat st;

	if (pread(fd, &head, sizeof(head), 0) != sizeof(head) || head.magic != HUB_MAGIC ||
	    !hub_shape_valid(head.nr, head.words) || fstat(fd, &st) != 0 ||
	    (u64)st.st_size != hub_bytes(head.nr, head.words)) {
		errno = EINVAL;
		return NULL;
	}
	return hub_map(fd, head.nr, head.words);
}

void ring_hub_destroy(struct ring_hub *hub)
{
	if (hub->ring) { /* whoever still waits for room need not */
		__atomic_store_n(&hub->shared->abandoned, 1, __ATOMIC_SEQ_CST);
		for (unsigned i = 0; i < ring_count(hub); i++) {
			__atomic_add_fetch(&hub_ring(hub, i)->drained, 1, __ATOMIC_SEQ_CST);
			syscall(SYS_futex, &hub_ring(hub, i)->drained, FUTEX_WAKE, 1, NULL, NULL, 0);
		}
	}
	munmap(hub->shared, hub->bytes);
	free(hub->ring);
	free(hub);
}

void ring_hub_set_window(struct ring_hub *hub, const struct window_shape shape[2])
{
	memcpy(hub->shared->window, shape, sizeof(hub->shared->window));
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

/* ---- files ---- */

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

/* ---- sleeping ---- */

static void futex_wait_ms(u32 *word, u32 seen, unsigned ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	syscall(SYS_futex, word, FUTEX_WAIT, seen, &t, NULL, 0);
}

static void hub_ring_bell(struct shared_hub *sh)
{
	if (__atomic_load_n(&sh->sleeping, __ATOMIC_RELAXED)) {
		__atomic_store_n(&sh->sleeping, 0, __ATOMIC_RELAXED);
		__atomic_add_fetch(&sh->bell, 1, __ATOMIC_SEQ_CST);
		syscall(SYS_futex, &sh->bell, FUTEX_WAKE, 1, NULL, NULL, 0);
	}
}

void ring_wait(struct ring_hub *hub, unsigned timeout_ms)
{
	struct shared_hub *sh = hub->shared;
	u32 seen = __atomic_load_n(&sh->bell, __ATOMIC_SEQ_CST);

	__atomic_store_n(&sh->sleeping, 1, __ATOMIC_SEQ_CST);
	futex_wait_ms(&sh->bell, seen, timeout_ms);
	__atomic_store_n(&sh->sleeping, 0, __ATOMIC_SEQ_CST);
}

/* ---- producer ---- */

/* The file that a process executes: dev and ino, 0 and 0 when it may not be seen. */
static void image_get(pid_t pid, u64 image[2])
{
	char path[32];
	struct stat st = {0};

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	if (stat(path, &st) != 0)
		st.st_dev = st.st_ino = 0;
	image[0] = st.st_dev;
	image[1] = st.st_ino;
}

static bool abandoned(struct shared_hub *sh)
{
	if (!__atomic_load_n(&sh->abandoned, __ATOMIC_RELAXED) && kill(sh->consumer, 0) != 0 && errno == ESRCH)
		__atomic_store_n(&sh->abandoned, 1, __ATOMIC_RELAXED);
	return __atomic_load_n(&sh->abandoned, __ATOMIC_RELAXED);
}

static struct shared_ring *take_free(struct ring_hub *hub)
{
	struct shared_hub *sh = hub->shared;

	for (unsigned i = 0; i < hub->nr; i++) {
		struct shared_ring *r = hub_ring(hub, i);
		u32 want = RING_FREE, count;

		if (!__atomic_compare_exchange_n(&r->state, &want, RING_OPENING, false, __ATOMIC_ACQ_REL,
						 __ATOMIC_RELAXED))
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
	struct ring *r = calloc(1, sizeof(*r));
	struct timespec nap = {.tv_nsec = 1000000};

	if (!r)
		abort();
	while (!(r->shared = take_free(hub))) {
		if (abandoned(hub->shared)) {
			free(r);
			return NULL;
		}
		nanosleep(&nap, NULL);
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
		if (r->mine - r->other > r->hub->words || abandoned(r->hub->shared))
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

void ring_close(struct ring *r)
{
	__atomic_store_n(&r->shared->state, RING_CLOSED, __ATOMIC_RELEASE);
	hub_ring_bell(r->hub->shared);
	free(r);
}

/* ---- consumer ---- */

unsigned ring_count(const struct ring_hub *hub)
{
	return min(__atomic_load_n(&hub->shared->count, __ATOMIC_ACQUIRE), hub->nr);
}

struct ring *ring_get(struct ring_hub *hub, unsigned index)
{
	struct ring *r = &hub->ring[index];
	struct shared_ring *sh = hub_ring(hub, index);
	u32 state = __atomic_load_n(&sh->state, __ATOMIC_ACQUIRE);

	if (!r->shared && (state == RING_TAKEN || state == RING_CLOSED)) {
		*r = (struct ring){.hub = hub,
				   .shared = sh,
				   .words = hub_words(hub, index),
				   .pid = LOAD(sh->pid),
				   .tid = LOAD(sh->tid),
				   .image = {LOAD(sh->image[0]), LOAD(sh->image[1])}};
		clock_gettime(CLOCK_MONOTONIC_COARSE, &r->looked);
	}
	return r->shared ? r : NULL;
}

/* Does /proc/PID/task/TID say that the thread still runs? Its state follows the name, which may hold anything. */
static bool thread_alive(pid_t pid, pid_t tid)
{
	char path[64], line[512], *name_end;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	f = fopen(path, "re");
	if (!f)
		return false;
	n = fread(line, 1, sizeof(line) - 1, f);
	fclose(f);
	line[n] = '\0';
	name_end = strrchr(line, ')');
	return name_end && strlen(name_end) > 2 && name_end[2] != 'Z' && name_end[2] != 'X';
}

static bool writer_vanished(const struct ring *r)
{
	u64 image[2];

	if (!thread_alive(r->pid, r->tid))
		return true;
	if (!__atomic_load_n(&r->shared->watch_exec, __ATOMIC_ACQUIRE))
		return false;
	image_get(r->pid, image);
	return image[0] != r->image[0] || image[1] != r->image[1];
}

/* Words that were written and not read yet. The only place where the consumer loads head (R2, R4). */
static u64 ring_look(struct ring *r)
{
	u64 head;

	if (!r->broken && !r->vanished) {
		head = __atomic_load_n(&r->shared->head, __ATOMIC_ACQUIRE);
		r->broken = head - r->other > r->mine + r->hub->words - r->other;
		if (!r->broken)
			r->other = head;
	}
	ASSERT(r->other - r->mine <= r->hub->words);
	return r->broken ? 0 : r->other - r->mine;
}

/* An empty ring whose writer does not say that it has ended: is it still there? Rarely, as it costs system calls. */
static void look_after_writer(struct ring *r)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if ((now.tv_sec - r->looked.tv_sec) * 1000 + (now.tv_nsec - r->looked.tv_nsec) / 1000000 < LIVENESS_MS)
		return;
	r->looked = now;
	if (!writer_vanished(r))
		return;
	ring_look(r);
	r->vanished = true;
	r->will_words = min(__atomic_load_n(&r->shared->will_words, __ATOMIC_ACQUIRE), (u32)RING_WILL);
	for (unsigned i = 0; i < r->will_words; i++)
		r->will[i] = LOAD(r->shared->will[i]);
}

size_t ring_peek(struct ring *r, const volatile u64 **w)
{
	u64 used = ring_look(r), at = r->mine & (r->hub->words - 1);

	if (used == 0 && !r->vanished && !r->broken &&
	    __atomic_load_n(&r->shared->state, __ATOMIC_ACQUIRE) == RING_TAKEN) {
		look_after_writer(r);
		used = ring_look(r);
	}
	if (used > 0) {
		*w = r->words + at;
		r->given = min(used, r->hub->words - at);
	} else {
		*w = r->will + r->will_read;
		r->given = r->will_words - r->will_read;
	}
	return r->given;
}

void ring_consume(struct ring *r, size_t n)
{
	struct shared_ring *sh = r->shared;

	ASSERT(n <= r->given);
	r->given -= n;
	if (n == 0)
		return;
	if (r->other == r->mine) {
		r->will_read += n;
		return;
	}
	r->mine += n;
	__atomic_store_n(&sh->tail, r->mine, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&sh->full, __ATOMIC_SEQ_CST)) {
		__atomic_add_fetch(&sh->drained, 1, __ATOMIC_SEQ_CST);
		syscall(SYS_futex, &sh->drained, FUTEX_WAKE, 1, NULL, NULL, 0);
	}
}

bool ring_at_end(struct ring *r)
{
	bool closed = __atomic_load_n(&r->shared->state, __ATOMIC_ACQUIRE) != RING_TAKEN;

	if (ring_look(r) > 0)
		return false;
	return closed || r->broken || (r->vanished && r->will_read == r->will_words);
}

void ring_free(struct ring *r)
{
	__atomic_store_n(&r->shared->state, RING_FREE, __ATOMIC_RELEASE);
	*r = (struct ring){0};
}
