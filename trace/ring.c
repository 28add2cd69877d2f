/* SPDX-License-Identifier: MIT
 *
 * trace/ring.c - rings of words in a shared mapping: one producer and one consumer each, in different processes. Here
 * are the hub and the consumer; ring_write.c is the producer.
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
 * A writer that vanishes. When a ring is empty the consumer looks whether its thread still exists (and, while an exec is
 * tried, whether /proc/PID/exe still is the same file): at most every LIVENESS_MS and one more for each ring, so that
 * thousands take turns. If not, the will becomes the end of the stream.
 *
 * Invariants
 *   R1  only the producer writes head, words and the will; only the consumer writes tail.
 *   R2  the consumer believes nothing: each shared word is loaded once (what ring_get copies, for as long as the ring
 *       is taken; head to be used in ring_look alone) and checked. mine <= other <= mine + words, and other never falls: a head that
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

#include "trace/ring_internal.h"

#define LIB_PANIC(text) ring_panic(text)
#include "lib/assert.h"

#define LIVENESS_MS 20

static _Noreturn void ring_panic(const char *line)
{
	fprintf(stderr, "quire: panic: %s\n", line);
	abort();
}

/* ---- the mapping ---- */

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

struct ring_hub *ring_hub_create(unsigned nr, unsigned words, int *fd)
{
	struct ring_hub *hub = NULL;
	struct shared_hub *sh;

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
	sh = hub->shared; /* the memfd's pages are zero: they are left alone */
	sh->magic = HUB_MAGIC;
	sh->nr = nr;
	sh->words = words;
	sh->consumer = getpid();
	sh->window[0].pages = sh->window[1].pages = EV_WINDOW;
	return hub;
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

/* ---- the memory of a producer that has libc ---- */

void *ring_memory(u64 bytes)
{
	return calloc(1, bytes);
}

void ring_memory_free(void *memory)
{
	free(memory);
}

/* ---- sleeping ---- */

static void futex_wait_ms(u32 *word, u32 seen, unsigned ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	syscall(SYS_futex, word, FUTEX_WAIT, seen, &t, NULL, 0);
}

void ring_wait(struct ring_hub *hub, unsigned timeout_ms)
{
	struct shared_hub *sh = hub->shared;
	u32 seen = __atomic_load_n(&sh->bell, __ATOMIC_SEQ_CST);

	__atomic_store_n(&sh->sleeping, 1, __ATOMIC_SEQ_CST);
	futex_wait_ms(&sh->bell, seen, timeout_ms);
	__atomic_store_n(&sh->sleeping, 0, __ATOMIC_SEQ_CST);
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

bool ring_idle(struct ring_hub *hub, unsigned index)
{
	const struct ring *r = &hub->ring[index];

	return r->shared && !r->vanished && !r->broken && LOAD(r->shared->head) == r->mine &&
	       LOAD(r->shared->state) == RING_TAKEN;
}

pid_t ring_pid(const struct ring *r)
{
	return r->pid;
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

/* Words that were written and not read yet. The only place where the consumer believes head (R2, R4). */
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
	if ((now.tv_sec - r->looked.tv_sec) * 1000 + (now.tv_nsec - r->looked.tv_nsec) / 1000000 <
	    LIVENESS_MS + (long)ring_count(r->hub))
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
