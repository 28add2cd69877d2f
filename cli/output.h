/* SPDX-License-Identifier: MIT
 *
 * cli/output.h - where the reports of a run go: standard error or FILE (--output), FILE (--json), FILE (--html).
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "sim/counters.h"

enum output { OUT_TEXT, OUT_JSON, OUT_HTML, OUT_NR };

/* name: "-" is standard output; NULL standard error for the text, of the others: they are not wanted. */
struct outputs {
	const char *name[OUT_NR];
	FILE *file[OUT_NR];
};

/* Opens what the names say. Returns 0, or -1 after a message. */
int outputs_open(struct outputs *o);
/* Writes the reports; a file holds the latest only. last: it is closed, too. One that cannot be written goes to standard
 * error, with the reason; a page does not, as nobody reads it there. Returns 0, or -1: one did so. */
int outputs_write(struct outputs *o, const struct sim_result *r, bool last);

#endif
