/* SPDX-License-Identifier: MIT
 *
 * play/run.h - a script is run: each statement on the simulated computer, and on the host's Linux if it is to be
 * compared; what was expected is held against every machine that can tell.
 */
#ifndef PLAY_RUN_H
#define PLAY_RUN_H

#include "play/computer.h"
#include "play/host.h"
#include "play/step.h"

struct run;
struct run_config {
	const char *file; /* its name, for messages */
	bool verify;      /* on the host too */
	bool step;        /* explain */
	bool quiet;       /* nothing but what is wrong */
	bool answered;    /* the user has given an answer: it may be shown */
	FILE *out;        /* where all that is told goes; NULL: standard output */
	/* Called after each statement, when what is told of it is in `out`. NULL: by nobody. */
	void (*seen)(void *ctx, const struct run *r);
	void *ctx;
};

enum run_result {
	RUN_PASS,
	RUN_FAIL,   /* an expectation does not hold, or the machines differ */
	RUN_CANNOT, /* the host cannot do it */
};

struct run {
	const struct script *script;
	struct run_config cfg;
	struct computer computer;
	struct host host;
	struct step step;
	int current; /* process; -1: the last one has ended */
	bool alive[PLAY_PROCESSES];
	u64 value[SCRIPT_NAMES]; /* what names stand for */
	struct play_call call;   /* the last step */
	struct play_outcome ours, theirs;
	bool trouble; /* it ended in an error or a signal that nobody has expected yet */
	const struct statement *st;
	u32 failed_line; /* 0: nothing is wrong */
	char failure[1024];
};

/* Returns a run_result. failed_line and failure then say what went wrong where; nothing was printed of it. */
int run_script(struct run *r, const struct script *s, const struct run_config *cfg);

/* ---- between run.c and expect.c ---- */

/* Something is wrong with r->st. Returns false. */
bool run_fail(struct run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
u64 run_value(const struct run *r, const struct expr *e);
bool run_expect(struct run *r, const struct statement *st);
/* What came of the last step, in words. */
const char *outcome_text(const struct play_call *call, const struct play_outcome *out, char text[256]);
/* The areas of a process of the simulated computer. */
void computer_maps(const struct computer *c, unsigned process, struct play_maps *out);

/* show.c */

/* An entry of a page table that is not empty, or n of a table that go on alike. */
struct shown_entry {
	const char *table; /* "PT" */
	unsigned level, index, n;
	bool leaf;
	u64 va, entry;
};
/* Of the user's half, each table's entries right after the entry that refers to it. */
void show_each_entry(const struct computer *c, unsigned process, void (*see)(void *ctx, const struct shown_entry *e),
		     void *ctx);

/* An entry of a TLB or of a paging-structure cache. */
struct shown_cached {
	const char *cache, *size; /* "L1d", "4K"; "walk", "PD" */
	u64 va, pcid, frame;
	char rights[5]; /* "WUXD" */
};
void show_each_cached(const struct computer *c, unsigned process, void (*see)(void *ctx, const struct shown_cached *e),
		      void *ctx);

void show_tables(const struct computer *c, unsigned process, FILE *out);
void show_tlb(const struct computer *c, unsigned process, FILE *out);
void show_maps(const struct computer *c, unsigned process, FILE *out);
void show_counters(const struct computer *c, FILE *out);

#endif
