/* SPDX-License-Identifier: MIT
 *
 * trace/ring.h - the way of the events from a running program to the simulator, which is another process.
 *
 * One shared mapping (a memfd that both inherit), the hub: a header, then `nr` rings of `words` 64-bit words, one a
 * guest thread. A ring has one producer and one consumer. A full ring makes the producer wait; nothing is ever dropped.
 * The consumer trusts nothing in it: any bytes may be there (a wild program can write anywhere in its process), and may
 * change at any moment. So it loads a word once, looks at the copy, and uses the copy: the words that ring_peek gives
 * are volatile, so that the compiler does as it is told.
 */
#ifndef TRACE_RING_H
#define TRACE_RING_H

#include <sys/types.h>

#include "lib/types.h"
#include "trace/window.h"

struct ring_hub;
struct ring;

/* Creates the hub; *fd is to be inherited by the program. NULL with errno set on failure. words: a power of two. */
struct ring_hub *ring_hub_create(unsigned nr, unsigned words, int *fd);
/* The producer's side, mapped at `at` (NULL: anywhere). NULL if fd is not a hub of this version. */
struct ring_hub *ring_hub_attach(int fd, void *at);
void ring_hub_destroy(struct ring_hub *hub);

/* The shapes of the recency windows that producers keep, of data [0] and of instruction pages [1]: EV_WINDOW pages
 * without limits unless set, before the program starts. */
void ring_hub_set_window(struct ring_hub *hub, const struct window_shape shape[2]);
const struct window_shape *ring_hub_window(const struct ring_hub *hub);

/* The clock of mapping changes (event.h). tick: advances it and returns the new value. */
u64 ring_clock(const struct ring_hub *hub);
u64 ring_clock_tick(struct ring_hub *hub);

/* The files that somebody has mapped, by device and inode, with the size that was last told: for all writers of the hub
 * (trace/calls.h). note: the file is mapped now. changed: it is one of these, and its size is another now; that counts
 * as told from here on. Room for 4,096 files; one more is not noted. */
void ring_hub_file_note(struct ring_hub *hub, u64 dev, u64 ino, u64 size);
bool ring_hub_file_noted(struct ring_hub *hub, u64 dev, u64 ino);
bool ring_hub_file_changed(struct ring_hub *hub, u64 dev, u64 ino, u64 size);

/* ---- producer ---- */
/* Its memory: zeroed, or NULL. ring.c has them for who has libc; a producer without brings its own. */
void *ring_memory(u64 bytes);
void ring_memory_free(void *memory);
/* A free ring, now owned by this thread; waits for one while all are taken. */
struct ring *ring_open(struct ring_hub *hub, pid_t pid, pid_t tid);
/* Appends n words as one unit (n < words); waits while full. ring_put1 is the fast path for one word. When the consumer
 * has gone the words go nowhere: the program runs on unwatched. */
void ring_put(struct ring *r, const u64 *w, unsigned n);
void ring_put1(struct ring *r, u64 w);
/* The writer's will: n words (at most RING_WILL) that the stream ends with should its writer vanish without
 * ring_close: killed, or its process image replaced (exec). Each call replaces the whole will. It may be rewritten in
 * place through ring_will_words by the writer (running totals), and by a thread that ends the whole process. */
#define RING_WILL 72
void ring_will(struct ring *r, const u64 *w, unsigned n);
u64 *ring_will_words(struct ring *r);
/* From now on look whether the process still is the same image, too (an exec is tried); false: the exec failed. */
void ring_watch_exec(struct ring *r, bool on);
/* Has the consumer died without a word? It closes the hub when it ends. Costs a system call. */
bool ring_hub_vanished(struct ring_hub *hub);
/* A thread keeps its ring over an exec: the program that it becomes adopts it by its number. NULL: it has no such. */
unsigned ring_number(const struct ring *r);
struct ring *ring_adopt(struct ring_hub *hub, unsigned number);
void ring_close(struct ring *r); /* end of stream; the consumer frees the ring when it has read it all */

/* ---- consumer ---- */
unsigned ring_count(const struct ring_hub *hub); /* rings ever opened at once: indexes 0..count-1 may be live */
struct ring *ring_get(struct ring_hub *hub, unsigned index); /* NULL when that ring is free */
/* Is it taken, as it was, and empty? Costs a look at its head. Whether its writer is still there ring_peek finds out. */
bool ring_idle(struct ring_hub *hub, unsigned index);
pid_t ring_pid(const struct ring *r); /* of its writer, by what that wrote there */
/* Words ready to read, contiguous: returns their number and *w. Never more than the ring holds, whatever is in it. */
size_t ring_peek(struct ring *r, const volatile u64 **w);
void ring_consume(struct ring *r, size_t n); /* n of the words that the last ring_peek gave */
bool ring_at_end(struct ring *r); /* closed, or its writer has vanished, and all was read, the will included */
void ring_free(struct ring *r);
/* Sleeps until something may have been written, at most timeout_ms. */
void ring_wait(struct ring_hub *hub, unsigned timeout_ms);

#endif
