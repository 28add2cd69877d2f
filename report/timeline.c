/* SPDX-License-Identifier: MIT
 *
 * report/timeline.c - the time line in the text report: a line a quantity, where there is something to see.
 *
 *   Over the run (4k; ...)
 *     Memory                  ..:-=++*****@@@@@@@@@@@@@@@@@@@@@@@@@-   25.4 MiB at most
 *     Page faults, thp        @=:.                                     704
 *
 * Each is of the baseline, or of the first machine on which there is something to see, which is named then. On a
 * terminal that shows UTF-8 the characters are blocks.
 */
#include "report/timeline.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "report/format.h"
#include "report/report.h"
#include "report/result.h"

#define LABEL_WIDTH 24
#define PICTURE     34 /* columns, at most: 2 + 24 + 34 + 2 + "1000 KiB at most" fit a line of 79 */
#define BESIDE      45
#define LEVELS      8u
#define MIN_SLICES  8 /* of fewer there is nothing to see */

#define ROW(field)  .at = offsetof(struct sim_slice, field), .json = #field
const struct timeline_row timeline_rows[] = {
    {ROW(rss_bytes), .bytes = true, .label = "Memory"},
    {ROW(huge_bytes), .bytes = true, .label = "In huge pages"},
    {ROW(swap_bytes), .bytes = true, .label = "Swap"},
    {ROW(lazyfree_bytes), .bytes = true, .label = "Lazily free"},
    {ROW(areas), .label = "Areas"},
    {ROW(faults), .adds = true, .label = "Page faults"},
    {ROW(walks), .adds = true, .label = "Page walks"},
    {0},
};

static const char *const plain[LEVELS + 1] = {" ", ".", ":", "-", "=", "+", "*", "#", "@"};
static const char *const blocks[LEVELS + 1] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

/* By the variables that setlocale(LC_CTYPE, "") goes by. */
static bool locale_is_utf8(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = getenv(names[i]);

		if (value && value[0])
			return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
	}
	return false;
}

/* A row of a machine as it is drawn, 0 to LEVELS, and what stands behind it. */
struct picture {
	const struct sim_machine_result *of;
	unsigned nr; /* columns */
	unsigned level[PICTURE];
	u64 figure;
};

/* The row in nr parts of equal length: what was counted in each, or the most of the slices that reach into it. */
static void part_values(double value[PICTURE], unsigned nr, const struct sim_result *r,
			const struct sim_machine_result *m, const struct timeline_row *row)
{
	double part = (double)r->slice_end[r->nr_slices - 1] / nr, start = 0;

	memset(value, 0, PICTURE * sizeof(*value));
	for (unsigned i = 0; i < r->nr_slices; i++) {
		double end = (double)r->slice_end[i], x = (double)timeline_value(row, &m->slice[i]);

		for (unsigned k = (unsigned)(start / part); k < nr && k * part < end; k++) {
			double inside = min(end, (k + 1) * part) - max(start, k * part);

			if (row->adds)
				value[k] += x * inside / (end - start);
			else if (inside > 0)
				value[k] = max(value[k], x);
		}
		start = end;
	}
}

/* Returns true when there is something to see. */
static bool picture_make(struct picture *p, const struct sim_result *r, const struct sim_machine_result *m,
			 const struct timeline_row *row)
{
	double value[PICTURE], most = 0;
	bool changes = false;

	*p = (struct picture){.of = m, .nr = p->nr};
	part_values(value, p->nr, r, m, row);
	for (unsigned i = 0; i < p->nr; i++)
		most = max(most, value[i]);
	for (unsigned i = 0; i < p->nr; i++) {
		p->level[i] = value[i] > 0 ? 1 + (unsigned)((LEVELS - 0.001) * value[i] / most) : 0;
		changes |= p->level[i] != p->level[0];
	}
	for (unsigned i = 0; i < r->nr_slices; i++) {
		u64 x = timeline_value(row, &m->slice[i]);

		p->figure = row->adds ? p->figure + x : max(p->figure, x);
	}
	return changes;
}

/* The baseline's, or that of the first machine on which there is something to see. */
static bool picture_find(struct picture *p, const struct sim_result *r, const struct timeline_row *row)
{
	bool found = picture_make(p, r, result_baseline(r), row);

	for (unsigned i = 0; !found && i < r->nr_machines; i++)
		found = picture_make(p, r, &r->machine[i], row);
	return found;
}

static void put_row(FILE *out, const struct sim_result *r, const struct timeline_row *row, const struct picture *p,
		    const char *const *glyph)
{
	bool base = p->of == result_baseline(r);
	char label[sizeof(struct machine_name) + 40];

	snprintf(label, sizeof(label), "%s%s%s", row->label, base ? "" : ", ",
		 base ? "" : result_machine_name(r, p->of).s);
	fmt_fit(label, LABEL_WIDTH - 1);
	fprintf(out, "  %-*s", LABEL_WIDTH, label);
	for (unsigned i = 0; i < p->nr; i++)
		fputs(glyph[p->level[i]], out);
	fprintf(out, "  %s%s\n", row->bytes ? fmt_bytes(p->figure).s : fmt_count(p->figure).s,
		row->adds ? "" : " at most");
}

static void put_heading(FILE *out, const struct sim_result *r, bool bold)
{
	static const char heading[] = "Over the run";
	struct machine_name base = result_machine_name(r, result_baseline(r));
	bool several = r->nr_machines > 1;
	char rest[sizeof(base) + 120];

	snprintf(rest, sizeof(rest), "(%s%sby instructions executed; each line from 0 to its most)",
		 several ? base.s : "", several ? ", " : "");
	fprintf(out, bold ? "\033[1m%s\033[0m" : "%s", heading);
	if (strlen(heading) + 1 + strlen(rest) <= fmt_width(out)) {
		fprintf(out, " %s\n", rest);
		return;
	}
	fputc('\n', out);
	fmt_wrap(out, 2, fmt_width(out), rest);
}

void report_timeline(FILE *out, const struct sim_result *r, bool terminal)
{
	const char *const *glyph = terminal && locale_is_utf8() ? blocks : plain;
	struct picture p = {.nr = min(max(fmt_width(out), BESIDE + 8u) - BESIDE, (unsigned)PICTURE)};
	bool any = false;

	if (r->nr_machines == 0 || r->nr_slices < MIN_SLICES)
		return;
	for (const struct timeline_row *row = timeline_rows; row->json; row++) {
		if (!picture_find(&p, r, row))
			continue;
		if (!any)
			put_heading(out, r, terminal);
		put_row(out, r, row, &p, glyph);
		any = true;
	}
}
