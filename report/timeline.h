/* SPDX-License-Identifier: MIT
 *
 * report/timeline.h - what is told of each slice of a run (sim/timeline.h): the JSON, the page and the text take it from
 * these rows.
 */
#ifndef REPORT_TIMELINE_H
#define REPORT_TIMELINE_H

#include "sim/counters.h"

struct timeline_row {
	u16 at;    /* of struct sim_slice: a u64 */
	bool adds; /* it was counted in the slice; else it was so large at most */
	bool bytes;
	const char *json, *label;
};
extern const struct timeline_row timeline_rows[]; /* json NULL ends */

static inline u64 timeline_value(const struct timeline_row *row, const struct sim_slice *slice)
{
	return *(const u64 *)((const char *)slice + row->at);
}

#endif
