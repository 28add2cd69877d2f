/* SPDX-License-Identifier: MIT
 *
 * test/sim/tape.h - a program written down by a test: events as trace/event.h has them, with the producer's recency
 * window, or without it (each access an event in slot 0: a window of one page).
 */
#ifndef TEST_SIM_TAPE_H
#define TEST_SIM_TAPE_H

#include "sim/sim.h"
#include "trace/event.h"

#define TAPE_STACK_TOP 0x7ffffffff000ull
#define MIB            (1ull << 20)

struct tape {
	u64 *word;
	size_t nr, cap;
	bool unfiltered;
	struct window window[2]; /* data, fetch */
	u64 accesses;
};

void tape_init(struct tape *t, bool unfiltered);
/* Its windows have another shape from here on. Nothing was accessed yet. */
void tape_windows(struct tape *t, const struct window_shape shape[2]);
void tape_free(struct tape *t);
/* A long event; the window is empty after it, unless it is EV_COUNTS. */
void tape_put(struct tape *t, unsigned type, u64 arg, const void *payload, unsigned words);
void tape_access(struct tape *t, u64 va, unsigned rwx);
/* One access a page of [start, start + bytes). */
void tape_sweep(struct tape *t, u64 start, u64 bytes, unsigned rwx);

/* A program's first words, on a tape that is not initialised: its only thread, and exec. */
void tape_begin(struct tape *t, u64 pid, u64 brk_start);
void tape_thread(struct tape *t, u64 pid, u64 tid, u64 parent);
/* exec: a new space with a stack of 132K at TAPE_STACK_TOP and no argument pages; brk at brk_start. */
void tape_exec(struct tape *t, u64 brk_start);
void tape_exec_path(struct tape *t, u64 brk_start, const char *path, u64 ino); /* of at most 255 characters */
void tape_map(struct tape *t, u64 start, u64 len, unsigned prot, unsigned flags);
void tape_map_file(struct tape *t, u64 start, u64 len, unsigned prot, unsigned flags, u64 ino, u64 size,
		   const char *path);
void tape_range(struct tape *t, unsigned type, u64 arg, u64 start, u64 len);
void tape_remap(struct tape *t, u64 old, u64 old_len, u64 new_start, u64 new_len, u64 flags);
void tape_fork(struct tape *t, u64 child, u64 flags);
void tape_exit(struct tape *t, unsigned how);
void tape_clock(struct tape *t, u64 tick);
void tape_counts(struct tape *t, u64 instructions, u64 accesses, u64 fetches);

/* A simulator of the machines in `names`, separated by ';', each with `extra` appended (",check=3"). */
struct sim *tape_sim(const char *names, const char *extra);
/* Each machine lived to the end and granted what the program's kernel had granted; no stream was malformed. */
void tape_sound(const struct sim_result *r);
/* Plays tape t as stream 0 of a tape_sim(), whose result must be sound. Returns the simulator, to be destroyed. */
struct sim *tape_played(const struct tape *t, const char *names, const char *extra, struct sim_result *r);
/* Plays tape t as stream 0 of a simulator of one machine and returns its result. *s is to be destroyed. */
struct sim_machine_result tape_play(const struct tape *t, const char *machine, struct sim **s, struct sim_result *r);

/* A random number from *state (xorshift64*). */
u64 tape_random(u64 *state);

#endif
