/* SPDX-License-Identifier: MIT
 *
 * test/torture/torture.h - random programs on the simulated computer of scripts, and on this Linux, against the model.
 *
 *   seed --generate--> play_call --+--> computer_call --> outcome --+
 *                         ^        |--> host_call -----> outcome ---+--> equal?   no: shrink --> FILE.vm
 *                         |        `--> model_step ----> outcome ---+
 *                         `-- the model's state --'
 */
#ifndef TORTURE_H
#define TORTURE_H

#include <stdio.h>

#include "play/computer.h"
#include "play/host.h"
#include "test/torture/model.h"

#define TORTURE_STEPS 4096 /* at most */

/* One run, in memory that the process that does it shares with us. */
struct trial {
	u64 seed, rng;
	bool host;   /* on this Linux too */
	bool hungry; /* the programs want more than the machine has */
	struct machine_config machine;
	unsigned cpus, processes; /* how many there are; were, those that ended included */
	struct play_call call[TORTURE_STEPS];
	unsigned nr;    /* calls */
	unsigned kills; /* processes that the OOM killer chose */
	unsigned step;  /* the one that is being done */
	bool whole;     /* when the calls are done all is read and given back */
	bool failed, cannot;
	char failure[600];
};

/* generate.c: the machine of a seed, and its next call. */
void generate_machine(struct trial *t);
void generate_call(struct trial *t, const struct model *m, const struct computer *c, struct play_call *call);
/* The area that holds the page, as pages of the window: false when there is none. */
bool generate_area(const struct computer *c, unsigned process, unsigned page, unsigned *first, unsigned *end);

/* trial.c: does t->call[0..nr), or with steps > 0 makes so many and does them; in a process of its own. script: as a
 * script, or NULL. Returns true when it failed: t->step, t->failure say where and how. */
bool trial_run(struct trial *t, unsigned steps, FILE *script);

/* write.c: the lines of a script. */
void write_head(const struct trial *t, FILE *out);
/* before: the process that runs. Returns the one that runs afterwards. */
int write_call(const struct play_call *call, int before, FILE *out);
void write_expected(const struct play_call *call, const struct play_outcome *want, FILE *out);

/* shrink.c: leaves the shortest failing calls that it finds. */
void shrink(struct trial *t);

#endif
