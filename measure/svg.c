/* SPDX-License-Identifier: MIT
 *
 * measure/svg.c - the chases as a drawing, with both axes logarithmic.
 *
 *   y: cycles of a load, 1 .. 2000      x: pages that it goes around, 16 .. 1M; below it the memory at 4K each
 */
#include <math.h>

#include "cost/cost.h"
#include "machine/host.h"
#include "measure/measure.h"
#include "report/format.h"
#include "x86/paging.h"

#define WIDTH  880
#define HEIGHT 560
#define LEFT   70
#define RIGHT  190 /* for the names of the curves */
#define TOP    64
#define BOTTOM 70
#define X_MIN  4 /* log2 of pages */
#define X_MAX  20
#define Y_MAX  3.3 /* log10 of cycles: 2000 */

static const char *const colour[CHASE_NR] = {"#8a8f98", "#c2410c", "#1d4ed8", "#0f766e", "#7e22ce"};

static double x_at(double lines)
{
	return LEFT + (log2(lines) - X_MIN) / (X_MAX - X_MIN) * (WIDTH - LEFT - RIGHT);
}

static double y_at(double cycles)
{
	double y = log10(cycles < 1 ? 1 : cycles);

	return HEIGHT - BOTTOM - (y > Y_MAX ? Y_MAX : y) / Y_MAX * (HEIGHT - TOP - BOTTOM);
}

static void put_text(FILE *out, double x, double y, const char *anchor, const char *more, const char *text)
{
	fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"%s>", x, y, anchor, more);
	for (; *text; text++) {
		if (*text == '<' || *text == '&')
			fprintf(out, *text == '<' ? "&lt;" : "&amp;");
		else
			fputc(*text, out);
	}
	fputs("</text>\n", out);
}

static void put_axes(FILE *out)
{
	static const unsigned cycles[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000};
	char label[32];

	for (unsigned i = 0; i < ARRAY_SIZE(cycles); i++) {
		fprintf(out, "<path d=\"M%d %.1fH%d\" stroke=\"#e2e5ea\"/>\n", LEFT, y_at(cycles[i]), WIDTH - RIGHT);
		snprintf(label, sizeof(label), "%u", cycles[i]);
		put_text(out, LEFT - 8, y_at(cycles[i]) + 4, "end", "", label);
	}
	for (unsigned power = X_MIN; power <= X_MAX; power += 2) {
		double x = x_at((double)(1u << power));

		fprintf(out, "<path d=\"M%.1f %dV%d\" stroke=\"#e2e5ea\"/>\n", x, TOP, HEIGHT - BOTTOM);
		snprintf(label, sizeof(label), power < 10 ? "%u" : power < 20 ? "%uK" : "%uM", 1u << power % 10);
		put_text(out, x, HEIGHT - BOTTOM + 18, "middle", "", label);
		snprintf(label, sizeof(label), power < 8 ? "%uK" : power < 18 ? "%uM" : "%uG", 1u << (power + 2) % 10);
		put_text(out, x, HEIGHT - BOTTOM + 36, "middle", " fill=\"#6b7280\"", label);
	}
	put_text(out, (LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 10, "middle", "",
		 "pages, a line in each; below: memory at 4K each");
	put_text(out, LEFT, TOP - 10, "start", "", "cycles of a load that waits for the one before");
}

/* A dashed line where a TLB's reach ends: between two points of the curve. */
static void put_reach(FILE *out, const struct tlb_level *l, const char *text)
{
	double x;

	if (l->least == 0 || l->most == 0)
		return;
	x = x_at(sqrt((double)l->least * l->most));
	fprintf(out, "<path d=\"M%.1f %dV%d\" stroke=\"#c2410c\" stroke-dasharray=\"4 4\" opacity=\"0.6\"/>\n", x, TOP,
		HEIGHT - BOTTOM);
	put_text(out, x + 5, TOP + 14, "start", " fill=\"#c2410c\"", text);
}

static void put_curve(FILE *out, const struct chase *c, enum chase_id id)
{
	unsigned n = 0;

	while (n < c->nr && c->point[n].cycles.nr > 0)
		n++;
	if (n == 0)
		return;
	fprintf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colour[id]);
	for (unsigned i = 0; i < n; i++)
		fprintf(out, "%.1f,%.1f ", x_at(c->point[i].lines), y_at(series_least(&c->point[i].cycles)));
	fputs("\"/>\n", out);
	for (unsigned i = 0; i < n; i++)
		fprintf(out,
			"<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"><title>%s pages: %.1f "
			"cycles</title></circle>\n",
			x_at(c->point[i].lines), y_at(series_least(&c->point[i].cycles)), colour[id],
			fmt_count(c->point[i].lines).s, series_least(&c->point[i].cycles));
}

/* What the model of this CPU adds to the data alone: the steps of its reach, at the most that they cost. A line has the
 * entries of eight pages, and with each page comes one of data. */
static void put_model(FILE *out, const struct measure *m, const struct cpu_preset *p)
{
	const struct chase *data = &m->chase[CHASE_LINES];
	struct cost_table t;

	cost_table_make(&t, p->name, NULL);
	fputs("<polyline fill=\"none\" stroke=\"#111827\" stroke-width=\"1.5\" stroke-dasharray=\"2 4\" points=\"",
	      out);
	for (unsigned i = 0; i < data->nr && data->point[i].cycles.nr > 0; i++) {
		u32 lines = data->point[i].lines;
		u64 extra = lines <= model_entries(&p->l1d) ? 0 : t.at[COST_L2_TLB_HIT].most;
		u64 between = (u64)lines * 9 * CACHE_LINE / 64; /* bytes from one use of a line of tables to the next */

		if (lines > model_entries(&p->l2))
			extra += t.at[between < p->cache.l2_bytes   ? COST_WALK_L2
				      : between < p->cache.l3_bytes ? COST_WALK_L3
								    : COST_WALK_MEMORY]
				     .most;
		fprintf(out, "%.1f,%.1f ", x_at(lines), y_at(series_least(&data->point[i].cycles) + (double)extra));
	}
	fputs("\"/>\n", out);
}

static void put_names(FILE *out, const struct measure *m)
{
	static const char *const name[CHASE_NR] = {"data alone", "4K pages", "2M pages (THP)", "2M pages (hugetlb)",
						   "2M pages, 2M apart"};
	const struct cpu_preset *p = machine_host_cpu();
	double y = TOP + 10;
	char model[48];

	for (unsigned id = 0; id < CHASE_NR; id++) {
		if (m->chase[id].nr == 0 || m->chase[id].point[0].cycles.nr == 0)
			continue;
		fprintf(out, "<path d=\"M%d %.1fh24\" stroke=\"%s\" stroke-width=\"3\"/>\n", WIDTH - RIGHT + 14, y - 4,
			colour[id]);
		put_text(out, WIDTH - RIGHT + 44, y, "start", "", name[id]);
		y += 22;
	}
	if (p == NULL)
		return;
	snprintf(model, sizeof(model), "model: %s", p->name);
	fprintf(out, "<path d=\"M%d %.1fh24\" stroke=\"#111827\" stroke-dasharray=\"2 4\"/>\n", WIDTH - RIGHT + 14,
		y - 4);
	put_text(out, WIDTH - RIGHT + 44, y, "start", "", model);
	put_model(out, m, p);
}

void measure_svg(FILE *out, const struct measure *m)
{
	char title[200];

	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
		"font-family=\"sans-serif\" font-size=\"13\" fill=\"#1f2937\">\n"
		"<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n",
		WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT);
	snprintf(title, sizeof(title), "What translation costs on %s%s%s",
		 m->host.cpu[0] ? m->host.cpu : "this machine", m->host.hypervisor[0] ? ", under " : "",
		 m->host.hypervisor);
	put_text(out, LEFT, 28, "start", " font-size=\"17\" font-weight=\"bold\"", title);
	put_axes(out);
	put_reach(out, &m->tlb.l1, "L1 TLB ends");
	put_reach(out, &m->tlb.l2, "L2 TLB ends");
	for (unsigned id = 0; id < CHASE_NR; id++)
		put_curve(out, &m->chase[id], id);
	put_names(out, m);
	fputs("</svg>\n", out);
}
