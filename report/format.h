/* SPDX-License-Identifier: MIT
 *
 * report/format.h - numbers and lines as a person reads them. Pure: the same value gives the same text everywhere.
 */
#ifndef REPORT_FORMAT_H
#define REPORT_FORMAT_H

#include <stdio.h>

#include "lib/types.h"

/* A formatted value, by value, so that several fit in one printf call: printf("%s of %s", fmt_count(a).s, ...). */
struct fmt {
	char s[32];
};

struct fmt fmt_count(u64 n);              /* exact below ten million: "1,234,567"; else "12.3M" */
struct fmt fmt_short(u64 n);              /* at most 5 characters: "999", "1.23k", "12.3M", "123G" */
struct fmt fmt_bytes(u64 bytes);          /* "0 B", "4.00 KiB", "12.3 MiB" */
struct fmt fmt_ratio(double x);           /* at most 5 characters, three digits: "0.012", "1.23", "12.3", "<.001" */
struct fmt fmt_percent(u64 part, u64 of); /* "0 %", "<0.1 %", "4.2 %", "93 %"; "-" when of is 0 */
struct fmt fmt_time(u64 ns);              /* "0 ns", "85.0 us", "1.23 s" */

/* Words of text on lines of at most `width` columns, every line indented by `indent` spaces. A word is never cut. */
void fmt_wrap(FILE *out, unsigned indent, unsigned width, const char *text);

#endif
