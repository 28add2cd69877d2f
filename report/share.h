/* SPDX-License-Identifier: MIT
 *
 * report/share.h - cycles as a share of the program's time.
 */
#ifndef REPORT_SHARE_H
#define REPORT_SHARE_H

#include "report/format.h"
#include "sim/counters.h"

/* Of 1. */
struct share {
	double least, most;
};

/* What the program's own work takes, translation and page faults apart: from its time where that is known (sim_native),
 * else from its instructions, which makes a wide interval. */
struct cycles share_work(const struct sim_result *r);
/* Which machine the time was measured on, as far as one of the run's is like this host; NULL: no time is known. */
const struct sim_machine_result *share_native(const struct sim_result *r);
/* part of what machine m costs, of the time that the program takes on it. */
struct share share_of(const struct sim_result *r, const struct sim_machine_result *m, struct cycles part);
/* The costs, even the least, come to more than the time: prices do not fit this machine. */
bool share_too_dear(const struct sim_result *r);
/* "9 to 14 %", "at most 0.4 %", "55 %". */
struct fmt share_text(struct share s);
/* "5.46M to 65.5M", "12k" */
struct fmt cycles_text(struct cycles c);
/* The difference of two machines' costs, which are made of the same prices: what is left of a, 0 where b costs more. */
struct cycles cycles_less(struct cycles a, struct cycles b);

#endif
