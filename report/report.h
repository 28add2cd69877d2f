/* SPDX-License-Identifier: MIT
 *
 * report/report.h - a run's counters as text and a page for a person, JSON for a machine, and advice computed from both.
 */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include <stdio.h>

#include "sim/counters.h"

void report_text(FILE *out, const struct sim_result *r);
/* Of that, the rows of programs where there are several, and of processes where they are asked for. */
void report_programs(FILE *out, const struct sim_result *r, bool bold);
/* Of that, the time line. */
void report_timeline(FILE *out, const struct sim_result *r, bool terminal);
/* Of that, the table of costs. */
void report_costs(FILE *out, const struct sim_result *r, bool bold);
/* Returns 0 or -1 with errno. Schema: docs/json.md. */
int report_json(FILE *out, const struct sim_result *r);
/* The JSON in a page that draws it (report/html/). Returns 0 or -1 with errno. Only where page_there(). */
int report_html(FILE *out, const struct sim_result *r);
/* Into out[n], one sentence or two: what virtual memory takes on the baseline, what the best remedy would leave. */
void report_answer(char *out, size_t n, const struct sim_result *r);
/* A line for each finding, the greatest cost first: what costs, whose memory, the exact call or setting that helps, what
 * that saves; or that nothing is to be gained, with the sum. */
void report_advice(char *out, size_t n, const struct sim_result *r);

#endif
