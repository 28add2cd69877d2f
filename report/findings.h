/* SPDX-License-Identifier: MIT
 *
 * report/findings.h - findings: a cause of cost, whose memory pays, and what helps (findings.c); which of them are said,
 * and what they come to (advice.c).
 */
#ifndef REPORT_FINDINGS_H
#define REPORT_FINDINGS_H

#include <stdio.h>

#include "report/share.h"
#include "sim/counters.h"

/* Rows of the bill that have one remedy. */
enum cause {
	CAUSE_WALKS,
	CAUSE_TOUCH,
	CAUSE_FILES,
	CAUSE_COPIES,
	CAUSE_SIGNALS,
	CAUSE_FLUSHES,
	CAUSE_MAPS,
	CAUSE_ENTRIES,
	CAUSE_KPTI,
	CAUSE_SWITCHES,
	CAUSE_MAKING,
	CAUSE_MEMORY,
	CAUSE_NR
};

#define MOST_FINDINGS 3

struct finding {
	char text[1600];
	char how[400]; /* the remedy alone; "": there is none */
	bool told;     /* without a remedy of its own: it has an earlier one's, or is the dearest */
	struct cycles saves;
	const struct sim_machine_result *by; /* the machine that has the remedy, NULL: none */
};

struct view {
	const struct sim_result *r;
	const struct sim_machine_result *base;
	const struct sim_machine_result *thp;           /* transparent huge pages, NULL if not compared */
	const struct sim_machine_result *huge;          /* the reserved (2m, 1g) machine that walks least, or NULL */
	const struct sim_machine_result *cure[CURE_NR]; /* what a remedy does, NULL if no machine shows it */
	bool said_thp, said_hugetlb;
	unsigned nr;
	struct finding finding[MOST_FINDINGS + 1]; /* the last is for drafts that come to nothing */
};

struct cycles cause_cost(const struct sim_machine_result *m, enum cause cause);
/* "5.46M to 65.5M cycles (2 to 9 % of the time)"; the share only where the time is known. */
void put_cost(FILE *out, const struct view *v, struct cycles c);
/* The finding of a cause that costs so much; without a remedy where none is known. */
void finding_make(struct view *v, enum cause cause, struct finding *f, struct cycles cost);

#endif
