/* SPDX-License-Identifier: MIT
 *
 * cli/native.h - the program's time without Quire: one native run (--native), or what the user says (--time).
 */
#ifndef CLI_NATIVE_H
#define CLI_NATIVE_H

#include "cli/program.h"
#include "sim/counters.h"

/* "12", "0.35": seconds. Returns 0, or -1: it is no such number, not above 0, or above a thousand million. */
int native_parse_seconds(const char *text, u64 *ns);
/* Runs the program once, to its end, with all effects that it has, and fills in *out. A line on
 * standard error says so before. Signals go to it as in a run under a front end: launch_signals() first. Returns 0, or the exit status for Quire with a line in err. */
int native_run(const struct program *p, struct sim_native *out, char err[512]);

#endif
