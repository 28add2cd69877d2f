/* SPDX-License-Identifier: MIT
 *
 * test/fuzz/events.h - any bytes as what a hostile program leaves in the rings: plausible events of two threads and a
 * child, raw words, and pokes anywhere into the hub that it shares with the simulator. stream.c takes them between its
 * looks at the rings, race.c during them.
 */
#ifndef TEST_FUZZ_EVENTS_H
#define TEST_FUZZ_EVENTS_H

#include "sim/internal.h"
#include "test/fuzz/bytes.h"
#include "trace/ring.h"

#define RINGS      4
#define WORDS      1024 /* of a ring. None is ever filled twice, so no producer waits */
#define MAX_EVENTS 200

struct events {
	struct bytes in;
	struct ring_hub *hub, *producer;
	struct ring *ring[RINGS]; /* NULL: closed */
	unsigned put[RINGS];      /* words so far */
	u8 *poke;                 /* what the hub's sides share */
	size_t poke_bytes;
	bool pokes, storms;
	u64 clock;
	u64 pages_left; /* that may still be brought in */
	struct ev_counts counts[RINGS];
};

/* A hub of RINGS rings, all taken. */
void events_open(struct events *f);
/* Two threads of process 100, and its child 200. */
void events_begin(struct events *f);
/* Puts the next event, or does whatever else the bytes say. False: that is to look at the rings. */
bool events_next(struct events *f);
/* The producers are done. */
void events_end(struct events *f);

/* One of four machines (bits 0, 1), with bit 4 the next one, too; of little memory and small TLBs, so that everything
 * runs out soon. */
struct sim *events_sim(unsigned how);
/* Every machine is sound. Where nobody lives (a child may never have begun), nothing is left of anybody's memory. */
void events_check(struct sim *s);

#endif
