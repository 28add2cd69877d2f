/* SPDX-License-Identifier: MIT
 *
 * report/columns.h - tables of a column a machine; machines that are equal in every figure are one.
 */
#ifndef REPORT_COLUMNS_H
#define REPORT_COLUMNS_H

#include <stdio.h>

#include "sim/counters.h"

#define MAX_BESIDE 5 /* machines that are columns however wide the paper; more are rows, unless there is room */

struct columns {
	FILE *out;
	const struct sim_result *r;
	unsigned machine[SIM_MAX_MACHINES]; /* of this table: indexes */
	unsigned nr;
	unsigned label, column; /* widths; a column's first is a blank */
	unsigned width;         /* of a line */
	bool bold;
};

/* The machine of column i. */
const struct sim_machine_result *columns_machine(const struct columns *c, unsigned i);
/* So many machines beside each other. */
unsigned columns_beside(const struct columns *c);
/* The machines are so many that they are to be rows, a figure a column. */
bool columns_turn(const struct columns *c);
/* The columns first.. of a table too wide for the paper, of `all`, into *part; first grows by them. False: none are
 * left. */
bool columns_part(const struct columns *all, struct columns *part, unsigned *first);
/* Begins a line: the label, as wide as its column at least. strong: bold. */
void columns_label(const struct columns *c, const char *label, bool strong);
/* Begins a line: the name of a machine that is a row. */
void columns_row(const struct columns *c, const struct sim_machine_result *m);
/* Never touches the one before it, whatever it holds. */
void columns_text(const struct columns *c, const char *text);
/* The first words of the names, behind a label; below, a line for each key in which the machines differ. */
void columns_names(const struct columns *c, const char *label);

#endif
