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
struct fmt fmt_ratio(double x);           /* at most 4 characters: "0", "~0" (< .001), ".012", "1.23", "12.3", "10k" */
struct fmt fmt_percent(u64 part, u64 of); /* at most 6: "0 %", "<0.1 %", "4.2 %", "93 %", "10k %"; "-" when of is 0 */
struct fmt fmt_left(u64 part, u64 of);    /* the same while it is no more than of; else "3.1x", "471x", ">9999x" */
struct fmt fmt_time(u64 ns);              /* at most 8: "0 ns", "85.0 us", "1.23 s" */

struct fmt fmt_signal(int sig); /* "SIGSEGV", "signal 40" */

/* The columns of a line: one less than the terminal's, from 39 to 199; 79 where out is none. */
unsigned fmt_width(FILE *out);
/* Of lines of words, which wide paper does not make easier to read. */
unsigned fmt_prose(unsigned width);

/* Columns that the text takes on a terminal: its characters in UTF-8. */
unsigned fmt_columns(const char *text);

/* Text of the program (arguments, files' names) as one line: what a terminal would take for a command is \xNN. */
void fmt_plain(char *out, size_t n, const char *text);

/* Text that is longer than so many columns (at least 12) keeps its first ones and its last eight: "a_very_lo..1.0 code". */
void fmt_fit(char *text, unsigned columns);

/* A word of a command line as one would write it in a shell; at most FMT_WORD bytes of it, with what ends it. */
#define FMT_WORD 512
void fmt_word(char *out, size_t n, const char *word);

/* Words of text on lines of at most `width` columns, every line indented by `indent` spaces. A word is never cut. */
void fmt_wrap(FILE *out, unsigned indent, unsigned width, const char *text);

#endif
