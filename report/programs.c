/* SPDX-License-Identifier: MIT
 *
 * report/programs.c - the text report's tables of who ran: a row a program, a row a process.
 *
 *   Programs (of machine 4k: faults, walks, memory)
 *                          procs  instr access       faults        walks   memory
 *     cc1                      1  1.23G   456M   12.3k 45 %   1.23M 70 %  123 MiB
 *     3 others                  5  ...
 *
 * The rows that walk most, most first; the rest in one row. They add up to the machine's figures; memory is that of
 * the largest process.
 */
#include "report/report.h"

#include <stdlib.h>
#include <string.h>

#include "report/format.h"
#include "report/result.h"

#define WIDE          79 /* narrower paper goes without some columns */
#define NAME_WIDTH    22 /* two before, one after */
#define NARROW_NAME   16
#define TOP_PROGRAMS  10
#define TOP_PROCESSES 40

/* A line of either table. */
struct line {
	char name[4 * 256];
	u64 pid, parent; /* of a process */
	u64 processes;   /* of a program */
	u32 others;      /* rows that this one stands for; 0: one */
	unsigned index;  /* among the run's */
	struct sim_ran ran;
	struct sim_share share;
	u64 cost; /* of a program: cycles, most */
};

struct table {
	FILE *out;
	const struct sim_result *r;
	const struct sim_machine_result *base;
	bool processes, narrow;
	unsigned name_width, width;
	struct line *line;
	unsigned nr;
};

static u64 walks_of(const struct sim_share *s)
{
	return s->walks[0] + s->walks[1] + s->walk_faults;
}

static int more(u64 a, u64 b)
{
	return a == b ? 0 : a > b ? -1 : 1;
}

static int by_weight(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	int order = more(x->cost, y->cost);

	order = order ? order : more(walks_of(&x->share), walks_of(&y->share));
	order = order ? order : more(x->ran.instructions, y->ran.instructions);
	return order ? order : more(y->index, x->index);
}

/* b joins a, the row of others. */
static void line_add(struct line *a, const struct line *b)
{
	a->others++;
	a->processes += b->processes;
	a->ran.instructions += b->ran.instructions;
	a->ran.data_accesses += b->ran.data_accesses;
	a->cost += b->cost;
	a->share.faults += b->share.faults;
	a->share.walks[0] += walks_of(&b->share);
	a->share.peak_rss_bytes = max(a->share.peak_rss_bytes, b->share.peak_rss_bytes);
}

static struct fmt with_share(u64 n, u64 of)
{
	struct fmt text;

	snprintf(text.s, sizeof(text.s), "%.6s %.7s", fmt_short(n).s, fmt_percent(n, of).s);
	return text;
}

/* Linux's have at most seven digits. */
static struct fmt pid_text(u64 pid)
{
	struct fmt text = fmt_short(pid);

	if (pid < 10000000)
		snprintf(text.s, sizeof(text.s), "%llu", (unsigned long long)pid);
	return text;
}

static void put_line(const struct table *t, struct line *l)
{
	struct sim_share all = result_share(&t->base->count);
	const unsigned room = t->name_width - 3;

	fmt_fit(l->name, room);
	fprintf(t->out, "  %s%*s ", l->name, (int)(room - fmt_columns(l->name)), "");
	if (t->processes && l->pid == 0)
		fprintf(t->out, "%*s", t->narrow ? 7 : 15, "");
	else if (t->processes)
		fprintf(t->out, "%7.7s", pid_text(l->pid).s);
	else
		fprintf(t->out, "%5.5s", fmt_short(l->processes).s);
	if (t->processes && l->pid != 0 && !t->narrow)
		fprintf(t->out, " %7.7s", l->parent ? pid_text(l->parent).s : "-");
	if (!t->narrow)
		fprintf(t->out, " %6.6s", fmt_short(l->ran.instructions).s);
	if (!t->narrow && !t->processes)
		fprintf(t->out, " %6.6s", fmt_short(l->ran.data_accesses).s);
	if (t->processes)
		fprintf(t->out, " %12.12s %12.12s", with_share(l->share.faults, all.faults).s,
			with_share(walks_of(&l->share), walks_of(&all)).s);
	else
		fprintf(t->out, " %6.6s %6.6s %12.12s", fmt_short(l->share.faults).s, fmt_short(walks_of(&l->share)).s,
			with_share(l->cost, t->base->bill.sum.most).s);
	fprintf(t->out, " %8.8s\n", fmt_bytes(l->share.peak_rss_bytes).s);
}

static void put_heading(const struct table *t, bool bold)
{
	char line[256];

	if (t->r->nr_machines > 1)
		snprintf(line, sizeof(line), "%s (faults, walks%s and memory: machine %s)",
			 t->processes ? "Processes" : "Programs", t->processes ? "" : ", cost",
			 result_machine_name(t->r, t->base).s);
	else
		snprintf(line, sizeof(line), "%s", t->processes ? "Processes" : "Programs");
	fputs(bold ? "\033[1m" : "", t->out);
	fmt_wrap(t->out, 0, t->width, line);
	fprintf(t->out, "%*s", (int)t->name_width, "");
	if (t->processes)
		fprintf(t->out, "%7s%s %12s %12s %8s", "pid", t->narrow ? "" : "  parent  instr", "faults", "walks",
			"memory");
	else
		fprintf(t->out, "%5s%s %6s %6s %12s %8s", "procs", t->narrow ? "" : "  instr access", "faults", "walks",
			"cost, most", "memory");
	fputs(bold ? "\033[0m\n" : "\n", t->out);
}

/* A row that stands for several already is the last. */
static void put_table(struct table *t, unsigned top, bool bold)
{
	struct line others = {0};

	qsort(t->line, t->nr, sizeof(*t->line), by_weight);
	put_heading(t, bold);
	for (unsigned i = 0; i < t->nr; i++) {
		if (t->nr <= top || i < top - 1)
			put_line(t, &t->line[i]);
		else
			line_add(&others, &t->line[i]);
	}
	if (others.others == 0)
		return;
	snprintf(others.name, sizeof(others.name), "%u others", others.others);
	put_line(t, &others);
}

static struct table table_new(FILE *out, const struct sim_result *r, bool processes)
{
	struct table t = {
	    .out = out, .r = r, .base = result_baseline(r), .processes = processes, .width = fmt_width(out)};

	t.narrow = t.width < WIDE;
	t.name_width = t.narrow ? NARROW_NAME : NAME_WIDTH;
	t.line = calloc((processes ? r->nr_process_rows : r->nr_program_rows) + 1, sizeof(*t.line));
	return t;
}

static void put_programs(FILE *out, const struct sim_result *r, bool bold)
{
	struct table t = table_new(out, r, false);

	for (; t.line && t.nr < r->nr_program_rows; t.nr++) {
		struct line *l = &t.line[t.nr];

		result_program_name(l->name, sizeof(l->name), r, t.nr);
		l->index = t.nr;
		l->processes = r->program_row[t.nr].processes;
		l->ran = r->program_row[t.nr].ran;
		l->share = result_share(&t.base->program_count[t.nr]);
		l->cost = bill_make(&t.base->program_count[t.nr], &t.base->cfg, &t.base->cost).sum.most;
	}
	put_table(&t, TOP_PROGRAMS, bold);
	free(t.line);
}

static void put_processes(FILE *out, const struct sim_result *r, bool bold)
{
	struct table t = table_new(out, r, true);

	for (; t.line && t.nr < r->nr_process_rows; t.nr++) {
		const struct sim_process_row *p = &r->process_row[t.nr];
		struct line *l = &t.line[t.nr];

		result_program_name(l->name, sizeof(l->name), r, p->program);
		l->index = t.nr;
		l->pid = p->pid;
		l->parent = p->parent_pid;
		l->ran = p->ran;
		l->share = t.base->process_share[t.nr];
	}
	put_table(&t, TOP_PROCESSES, bold);
	free(t.line);
}

void report_programs(FILE *out, const struct sim_result *r, bool bold)
{
	if (result_baseline(r) == NULL)
		return;
	if (r->nr_program_rows > 1)
		put_programs(out, r, bold);
	if (r->show_processes && r->nr_process_rows > 0)
		put_processes(out, r, bold);
}
