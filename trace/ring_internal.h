/* SPDX-License-Identifier: MIT
 *
 * trace/ring_internal.h - what lies in the hub's memory, and what its two sides, ring.c (who reads) and ring_write.c,
 * have in common. ring.c draws it.
 */
#ifndef TRACE_RING_INTERNAL_H
#define TRACE_RING_INTERNAL_H

#include <time.h>

#include "trace/event.h"
#include "trace/ring.h"

#define HUB_MAGIC (0x0145524955510000ull + TRACE_VERSION)
#define MAX_RINGS 65536
#define HUB_FILES 4096

enum { RING_FREE, RING_OPENING, RING_TAKEN, RING_CLOSED };

struct shared_ring {
	u64 head; /* producer's line: all that is looked at of an idle ring */
	u32 state;
	s32 pid, tid;
	u64 will[RING_WILL];
	u32 will_words, watch_exec;
	u64 image[2];          /* dev, ino of the file that the writer's process executes */
	_Alignas(64) u64 tail; /* consumer's line */
	u32 full;              /* the producer sleeps until tail moves */
	u32 drained;           /* futex: counts reads while `full` */
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
	bool vanished, broken;
	size_t given;   /* by the last ring_peek, not consumed yet */
	pid_t pid, tid; /* the writer's, and its image, as they were when the ring was first seen */
	u64 image[2];
	struct timespec looked; /* when the writer was last seen alive */
	unsigned will_words, will_read;
	u64 will[RING_WILL];
};

struct ring_hub {
	struct shared_hub *shared;
	u64 bytes;
	u32 nr, words;     /* copies that no other process can change */
	struct ring *ring; /* consumer's, one each; NULL at a producer */
};

#define LOAD(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)

static inline u64 hub_bytes(u32 nr, u32 words)
{
	return ALIGN_UP(sizeof(struct shared_hub) + (u64)nr * sizeof(struct shared_ring), 4096ull) +
	       (u64)nr * words * 8;
}

static inline struct shared_ring *hub_ring(const struct ring_hub *hub, unsigned i)
{
	return (struct shared_ring *)(hub->shared + 1) + i;
}

static inline u64 *hub_words(const struct ring_hub *hub, unsigned i)
{
	return (u64 *)((char *)hub->shared + hub->bytes) - (u64)(hub->nr - i) * hub->words;
}

static inline bool hub_shape_valid(u32 nr, u32 words)
{
	return nr > 0 && nr <= MAX_RINGS && words >= 256 && words <= 1u << 24 && (words & (words - 1)) == 0;
}

/* The file that a process executes: dev and ino, 0 and 0 when it may not be seen. */
void image_get(pid_t pid, u64 image[2]);

#endif
