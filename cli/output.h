/* SPDX-License-Identifier: MIT
 *
 * cli/output.h - where the reports of a run go: standard error or FILE (--output), and FILE (--json).
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "sim/counters.h"

struct outputs {
	const char *text_name, *json_name; /* NULL: standard error; no JSON. "-": standard output */
	FILE *text, *json;
};

/* Opens what the names say. Returns 0, or -1 after a message. */
int outputs_open(struct outputs *o);
/* Writes the reports; a file holds the latest only. last: it is closed, too. One that cannot be written goes to standard
 * error, with the reason. Returns 0, or -1: one did so. */
int outputs_write(struct outputs *o, const struct sim_result *r, bool last);

#endif
