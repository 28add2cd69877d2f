/* SPDX-License-Identifier: MIT
 *
 * sim/sim.h - simulated computers, several at once on one stream of events.
 *
 *   rings --> sim_pump() --> decoder (order, checks) --> [ machine 0 | machine 1 | ... ] --> sim_finish(): counters
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "machine/config.h"
#include "sim/counters.h"
#include "trace/window.h"

struct sim;
struct ring_hub;

/* Memory of the host, bytes: all, and what it can still give this process, by /proc and its cgroups below root ("" but
 * in tests). ~0: not known. */
struct sim_host {
	u64 total, available;
};
struct sim_host sim_host_memory(const char *root);
/* Do the machines fit, as far as that is known before the program begins? If not, a line in err says what would. */
bool sim_host_fits(const struct machine_config *cfg, unsigned nr, const struct sim_host *h, char err[256]);

struct sim *sim_create(const struct machine_config *cfg, unsigned nr); /* NULL with errno set */
/* Which programs count, by patterns as the shell's, of names or (with a slash) of whole paths: those of `only` (none: all)
 * but for those of `except`. The others run on the machines beside them. Before anything ran; the patterns live on. */
void sim_select(struct sim *s, const char *const *only, unsigned nr_only, const char *const *except,
		unsigned nr_except);
/* All is counted anew from here on. The machines stay as they are: their TLBs, their memory. */
void sim_restart(struct sim *s);
/* Feed one thread's words; `stream` names the thread's stream (0..). Returns 0, or -1 when the stream is malformed:
 * that stream is closed, the rest goes on. Used by sim_pump, tests, fuzzers and replays. */
int sim_feed(struct sim *s, unsigned stream, const u64 *words, size_t n);
/* Reads what the rings hold. Returns the number of words taken (0: nothing there). */
size_t sim_pump(struct sim *s, struct ring_hub *hub);
/* The recency windows that a producer may keep for these machines, of data [0] and of instruction pages [1]. */
void sim_window(const struct sim *s, struct window_shape shape[2]);
/* A process has begun; so many live. */
bool sim_began(const struct sim *s);
unsigned sim_processes(const struct sim *s);
/* Fills out with all that is known now (owned by s until the next time, or sim_destroy): at the end, or in the midst. */
void sim_finish(struct sim *s, struct sim_result *out);
void sim_destroy(struct sim *s);

#endif
