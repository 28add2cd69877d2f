/* SPDX-License-Identifier: MIT
 *
 * measure/text.c - the figures as a table of 79 columns.
 */
#include <stdlib.h>
#include <string.h>

#include "measure/measure.h"
#include "report/format.h"
#include "x86/paging.h"

#define WIDTH 79
#define TITLE 40

static struct fmt cycles_text(double cycles)
{
	return fmt_count((u64)(cycles + 0.5));
}

static void put_head(FILE *out, const struct measure *m)
{
	const struct host *h = &m->host;
	char line[512];

	snprintf(line, sizeof(line), "quire measure: %s, %u %s%s, Linux %s%s%s", h->cpu[0] ? h->cpu : "x86-64", h->cpus,
		 h->cpus == 1 ? "CPU" : "CPUs", h->cpus < h->cpus_online ? " of those here" : "", h->kernel,
		 h->hypervisor[0] ? ", under " : "", h->hypervisor);
	fmt_wrap(out, 0, WIDTH, line);
	snprintf(line, sizeof(line),
		 "TSC %.2f GHz%s, core %.2f GHz; transparent huge pages: %s; %s of memory to be had.",
		 m->clock.tick_hz / 1e9, h->tsc_constant == TRI_NO ? " (not constant)" : "", m->clock.core_hz / 1e9,
		 h->thp[0] ? h->thp : "not known", fmt_bytes(h->available_bytes).s);
	fmt_wrap(out, 0, WIDTH, line);
	fprintf(out, "Rounds: %u of the figures, %u of the chases; %.0f s.\n", m->rounds, m->chase_rounds,
		m->seconds_taken);
}

static void put_missing(FILE *out, const char *title, const char *why)
{
	char line[256];

	if (strlen(why) <= WIDTH - TITLE - 2) {
		fprintf(out, "  %-*s%s\n", TITLE - 2, title, why);
		return;
	}
	fprintf(out, "  %s\n", title);
	snprintf(line, sizeof(line), "not measured: %s", why);
	fmt_wrap(out, 6, WIDTH, line);
}

static void put_figures(FILE *out, const struct measure *m)
{
	fprintf(out, "\n%-*s%11s  %14s  %8s\n", TITLE, "Core cycles", "least", "quartiles", "time");
	for (unsigned id = 0; id < FIG_NR; id++) {
		const struct figure_row *row = &figure_rows[id];
		const struct series *s = &m->figure[id];
		double least = series_least(s);

		if (row->group)
			fprintf(out, "%s\n", row->group);
		if (s->nr == 0) {
			put_missing(out, row->title, s->missing);
			continue;
		}
		fprintf(out, "  %-*s%11s  %5s .. %-5s  %8s\n", TITLE - 2, row->title, cycles_text(least).s,
			fmt_short((u64)(series_quantile(s, 0.25) + 0.5)).s,
			fmt_short((u64)(series_quantile(s, 0.75) + 0.5)).s,
			fmt_time((u64)(least / m->clock.core_hz * 1e9 + 0.5)).s);
	}
}

static bool any_point(const struct chase *c)
{
	return c->nr > 0 && c->point[0].cycles.nr > 0;
}

static void put_chases(FILE *out, const struct measure *m)
{
	static const char *const title[CHASE_NR] = {"data alone", "4K pages", "THP", "hugetlb", "2M apart"};
	unsigned most = 0;

	for (unsigned id = 0; id < CHASE_NR; id++)
		most = m->chase[id].nr > most ? m->chase[id].nr : most;
	if (most == 0)
		return;
	fputs("\nCycles of a load that waits for the one before, a cache line in each page\n     pages  at 4K each",
	      out);
	for (unsigned id = 0; id < CHASE_NR; id++)
		if (any_point(&m->chase[id]))
			fprintf(out, "  %10s", title[id]);
	fputc('\n', out);
	for (unsigned i = 0; i < most; i++) {
		u32 lines = 0;

		for (unsigned id = 0; id < CHASE_NR; id++)
			if (i < m->chase[id].nr)
				lines = m->chase[id].point[i].lines;
		if (lines & (lines - 1))
			continue; /* powers of two; the JSON has those between */
		fprintf(out, "%10s  %12s", fmt_count(lines).s, fmt_bytes(lines * PAGE_SIZE).s);
		for (unsigned id = 0; id < CHASE_NR; id++) {
			const struct chase *c = &m->chase[id];

			if (!any_point(c))
				continue;
			if (i < c->nr && c->point[i].cycles.nr > 0)
				fprintf(out, "  %10.1f", series_least(&c->point[i].cycles));
			else
				fprintf(out, "  %10s", "-");
		}
		fputc('\n', out);
	}
	for (unsigned id = 0; id < CHASE_NR; id++)
		if (m->chase[id].missing[0] != '\0') {
			char line[256];

			snprintf(line, sizeof(line), "%s: %s.", title[id], m->chase[id].missing);
			fmt_wrap(out, 2, WIDTH, line);
		}
}

void measure_text(FILE *out, const struct measure *m)
{
	char *sentence[MAX_SENTENCES];
	unsigned n = measure_words(m, sentence);

	put_head(out, m);
	put_figures(out, m);
	put_chases(out, m);
	fputs("\nWhat it means\n", out);
	for (unsigned i = 0; i < n; i++) {
		fmt_wrap(out, 2, WIDTH, sentence[i]);
		free(sentence[i]);
	}
}
