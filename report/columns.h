/* SPDX-License-Identifier: MIT
 *
 * report/columns.h - tables of a column a machine.
 */
#ifndef REPORT_COLUMNS_H
#define REPORT_COLUMNS_H

#include <stdio.h>

#include "sim/counters.h"

struct columns {
	FILE *out;
	const struct sim_result *r;
	unsigned first, end;    /* machines of this table */
	unsigned label, column; /* widths; a column's first is a blank */
	bool bold;
};

/* Begins a line: the label, as wide as its column at least. strong: bold. */
void columns_label(const struct columns *c, const char *label, bool strong);
/* Never touches the one before it, whatever it holds. */
void columns_text(const struct columns *c, const char *text);
/* The first words of the names, behind a label; below, a line for each key in which the machines differ. */
void columns_names(const struct columns *c, const char *label);

#endif
