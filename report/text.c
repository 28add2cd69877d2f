/* SPDX-License-Identifier: MIT
 *
 * report/text.c - the report for a person: one screen, a column a machine.
 *
 *   quire run: sort -n numbers                                     what ran
 *   1.23G instructions, ...                                        the program, the same for every machine
 *
 *                                  4k*          thp ...            | LABEL_WIDTH | COLUMN_WIDTH | COLUMN_WIDTH ...
 *   kpti                              on          off              a key in which the machines differ
 *   Page faults                  4,567          123
 *     zero-filled, write ...                                       a row that is zero everywhere is left out
 *   Where page walks come from ...                                 top regions, in the same columns
 *   Over the run ...                                               report/timeline.c
 *
 *   Advice ...
 *
 * Machines that are equal in every figure are one column, and a line says which. What does not fit the line (the
 * terminal's, or 79) makes several such tables of equal width, one under the other; machines that are too many for that
 * are rows of the figures that matter most. Nothing is printed that is not in sim_result or a ratio of two of its
 * numbers; wall time is left out, so the same events give the same bytes.
 */
#include "report/report.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "report/columns.h"
#include "report/format.h"
#include "report/result.h"

#define LABEL_WIDTH     26
#define COLUMN_WIDTH    13 /* a blank and 12 more. 26 + 4 * 13 = 78: four machines fit a terminal of 80 */
#define ROW_LABEL       24 /* of machines that are rows; with five figures a line of 79 */
#define ROW_COLUMN      11
#define COMMAND_COLUMNS 480 /* of the program's words that the first line shows */
/* From here on the number of areas is worth a word. */
#define AREAS_WORTH_PERCENT 75
#define TOP_REGIONS         5
#define MOST_SAME           6  /* names of machines that are one column */
#define PROGRAM_COLUMNS     60 /* of a program's name in a sentence */

static void bold_on(const struct columns *s)
{
	if (s->bold)
		fputs("\033[1m", s->out);
}

static void bold_off(const struct columns *s)
{
	if (s->bold)
		fputs("\033[0m", s->out);
}

static u64 per_ki(u64 n, const struct sim_result *r, double *ratio)
{
	*ratio = r->program.instructions ? 1000.0 * (double)n / (double)r->program.instructions : 0;
	return n;
}

/* The greater figure of a range, which is the next one. */
static u64 range_most(const struct counter_row *row, const struct machine_counters *c)
{
	struct counter_row most = *row;

	most.at += sizeof(u64);
	return counter_value(&most, c);
}

static void put_cell(const struct columns *s, const struct counter_row *row, const struct machine_counters *c)
{
	u64 value = counter_value(row, c);
	double low, high;
	char text[80];

	switch (row->as) {
	case COUNTER_HEADING:
		return;
	case COUNTER_BYTES:
		snprintf(text, sizeof(text), "%s", fmt_bytes(value).s);
		break;
	case COUNTER_NS:
		snprintf(text, sizeof(text), "%s", fmt_time(value).s);
		break;
	case COUNTER_RATE:
		per_ki(value, s->r, &high);
		snprintf(text, sizeof(text), "%s (%s)", fmt_short(value).s, fmt_ratio(high).s);
		break;
	case COUNTER_RANGE:
		snprintf(text, sizeof(text), "%s..%s", fmt_short(value).s, fmt_short(range_most(row, c)).s);
		break;
	case COUNTER_RANGE_RATE:
		per_ki(value, s->r, &low);
		per_ki(range_most(row, c), s->r, &high);
		snprintf(text, sizeof(text), "%s..%s", fmt_ratio(low).s, fmt_ratio(high).s);
		break;
	default:
		snprintf(text, sizeof(text), "%s", fmt_count(value).s);
	}
	columns_text(s, text);
}

/* Some machine differs in what an entry into the kernel does to its TLB. */
static bool compares_entries(const struct sim_result *r)
{
	for (unsigned i = 0; i < r->nr_machines; i++)
		if (r->machine[i].cfg.kpti || !r->machine[i].cfg.pcid)
			return true;
	return false;
}

static bool row_is_zero(const struct counter_row *row, const struct sim_result *r)
{
	bool range = row->as == COUNTER_RANGE || row->as == COUNTER_RANGE_RATE;

	for (unsigned i = 0; i < r->nr_machines; i++)
		if (range ? range_most(row, &r->machine[i].count) : counter_value(row, &r->machine[i].count))
			return false;
	return true;
}

static void put_rows(const struct columns *s)
{
	for (const struct counter_row *row = machine_counter_rows; row->sentence; row++) {
		if (!row->label || (row->show != COUNTER_ALWAYS && row_is_zero(row, s->r)))
			continue;
		if (row->show == COUNTER_ENTRY && !compares_entries(s->r))
			continue;
		columns_label(s, row->label, row->label[0] != ' ');
		for (unsigned i = 0; i < s->nr; i++)
			put_cell(s, row, &columns_machine(s, i)->count);
		fputc('\n', s->out);
	}
}

/* A row a machine, of the figures that fit. */
static void put_machine_rows(const struct columns *s)
{
	static const char *const heads[] = {"faults", "walks", "memory", "L1 misses", "TLB flushes"};
	unsigned nr = min(columns_beside(s), (unsigned)ARRAY_SIZE(heads));

	columns_label(s, "", true);
	for (unsigned i = 0; i < nr; i++)
		columns_text(s, heads[i]);
	fputc('\n', s->out);
	for (unsigned i = 0; i < s->nr; i++) {
		const struct sim_machine_result *m = columns_machine(s, i);
		const struct fmt figure[ARRAY_SIZE(heads)] = {
		    fmt_count(result_faults(m)), fmt_count(result_walks(m)), fmt_bytes(m->count.peak_rss_bytes),
		    fmt_count(m->count.mmu.l1_miss[0] + m->count.mmu.l1_miss[1]), fmt_count(m->count.os.tlb_flushes)};

		columns_row(s, m);
		for (unsigned k = 0; k < nr; k++)
			columns_text(s, figure[k].s);
		fputc('\n', s->out);
	}
	fmt_wrap(s->out, 2, fmt_prose(s->width), "All that was counted on each of them: --json FILE.");
}

/* "a_very_long_li..1.0 code" */
static void put_region_name(const struct columns *s, const struct sim_region *g)
{
	char raw[300], name[4 * sizeof(raw)];
	const unsigned room = s->label - 3; /* two before, one after */

	result_region_name(raw, sizeof(raw), g);
	fmt_plain(name, sizeof(name), raw);
	fmt_fit(name, room);
	fprintf(s->out, "  %s%*s ", name, (int)(room - fmt_columns(name)), "");
}

/* One region: its walks on each machine; on the baseline their share of all walks, elsewhere what is left of them. */
static void put_region(const struct columns *s, unsigned index, u64 all_walks)
{
	const struct sim_region *g = &s->r->region[index];
	const struct sim_machine_result *base = result_baseline(s->r);
	u64 of = result_region_walks(&base->region[index]);
	char text[80], program[1024] = "", line[sizeof(program) + 200];

	put_region_name(s, g);
	for (unsigned i = 0; i < s->nr; i++) {
		const struct sim_machine_result *m = columns_machine(s, i);
		u64 walks = result_region_walks(&m->region[index]);

		snprintf(text, sizeof(text), "%s %s", fmt_short(walks).s,
			 m == base ? fmt_percent(walks, all_walks).s : fmt_left(walks, of).s);
		columns_text(s, text);
	}
	if (s->r->nr_program_rows > 1) {
		result_program_name(program, sizeof(program), s->r, g->program);
		fmt_fit(program, PROGRAM_COLUMNS);
	}
	snprintf(line, sizeof(line), "%#llx..%#llx, %s, %s page faults%s%s%s", (unsigned long long)g->start,
		 (unsigned long long)g->end, fmt_bytes(g->peak_bytes).s, fmt_count(base->region[index].faults).s,
		 g->madvised ? ", asks for huge pages" : "", program[0] ? ", of " : "", program);
	fputc('\n', s->out);
	fmt_wrap(s->out, 4, s->width, line);
}

static void put_regions_heading(const struct columns *s)
{
	static const char heading[] = "Where page walks come from";
	struct machine_name name = result_machine_name(s->r, result_baseline(s->r));
	char line[2 * sizeof(name) + 80];

	bold_on(s);
	fputs(heading, s->out);
	bold_off(s);
	if (s->nr > 1)
		snprintf(line, sizeof(line), "(%s: share of its walks; others: left of %s's)", name.s, name.s);
	else
		snprintf(line, sizeof(line), "(%s: share of its walks)", name.s);
	if (strlen(heading) + 1 + strlen(line) <= s->width) {
		fprintf(s->out, " %s\n", line);
		return;
	}
	fputc('\n', s->out);
	fmt_wrap(s->out, 2, fmt_prose(s->width), line);
}

static void put_regions(const struct columns *s)
{
	const struct sim_machine_result *base = result_baseline(s->r);
	unsigned top[TOP_REGIONS];
	unsigned nr = result_top_regions(s->r, base, top, TOP_REGIONS);
	u64 all = 0;

	for (unsigned i = 0; i < s->r->nr_regions; i++)
		all += result_region_walks(&base->region[i]);
	if (nr == 0)
		return;
	put_regions_heading(s);
	for (unsigned i = 0; i < nr; i++)
		if (i == 0 || 100 * result_region_walks(&base->region[top[i]]) >= all)
			put_region(s, top[i], all);
}

/* The program's words; of very many the first, and how it ended. */
static void put_command(const struct columns *s)
{
	unsigned room = COMMAND_COLUMNS;
	char word[4 * FMT_WORD];

	bold_on(s);
	fputs("quire run:", s->out);
	bold_off(s);
	for (char **arg = s->r->argv; *arg != NULL; arg++) {
		unsigned columns;

		fmt_word(word, sizeof(word), *arg);
		columns = fmt_columns(word) + 1;
		if (columns > room) {
			fputs(" ...", s->out);
			break;
		}
		fprintf(s->out, " %s", word);
		room -= columns;
	}
	if (s->r->running)
		fputs(" (still runs)", s->out);
	else if (s->r->signal != 0)
		fprintf(s->out, " (killed by %s%s)", fmt_signal(s->r->signal).s,
			s->r->core_dumped ? ", core dumped" : "");
	else if (s->r->exit_status != 0)
		fprintf(s->out, " (exit status %d)", s->r->exit_status);
	fputc('\n', s->out);
}

static void put_program(const struct columns *s)
{
	const struct sim_program *p = &s->r->program;
	char line[512];

	put_command(s);
	snprintf(line, sizeof(line),
		 "%s instructions, %s data accesses, %s instruction-page changes, %s system calls; %u process%s, "
		 "%u thread%s.",
		 fmt_count(p->instructions).s, fmt_count(p->data_accesses).s, fmt_count(p->fetch_page_changes).s,
		 fmt_count(p->syscalls).s, p->processes, p->processes == 1 ? "" : "es", p->threads,
		 p->threads == 1 ? "" : "s");
	fmt_wrap(s->out, 0, fmt_prose(s->width), line);
}

/* A line that a reader must know before the numbers, wrapped. */
static __attribute__((format(printf, 2, 3))) void put_note(const struct columns *s, const char *format, ...)
{
	char line[4096];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	fmt_wrap(s->out, 0, fmt_prose(s->width), line);
}

/* "2 touch, 1 map" */
static void put_dropped(const struct columns *s, const struct sim_program *p)
{
	char kinds[32 * EV_NR] = "";
	u64 n = 0;

	for (unsigned type = 0; type < EV_NR; type++) {
		if (p->dropped[type] == 0)
			continue;
		snprintf(kinds + strlen(kinds), sizeof(kinds) - strlen(kinds), "%s%s %s", n ? ", " : "",
			 fmt_count(p->dropped[type]).s, ev_name(type));
		n += p->dropped[type];
	}
	if (n > 0)
		put_note(s, "Note: %s event%s made no sense and %s left out (%s): a defect of Quire.", fmt_count(n).s,
			 n == 1 ? "" : "s", n == 1 ? "was" : "were", kinds);
}

/* What every C library asks for and does without: no word of it in each report of a program under QEMU. */
static bool is_usual(const struct sim_refused *r)
{
	static const char *const names[] = {"clone3", "rseq", "set_robust_list"};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (r->error == ENOSYS && strcmp(r->name, names[i]) == 0)
			return true;
	return false;
}

/* "madvise 102, 100 times (EINVAL)". Flags and ioctl's codes are read in hexadecimal. */
static void add_refused(char *out, size_t n, const struct sim_refused *r)
{
	const char *error = strerrorname_np(r->error);
	size_t len = strlen(out);
	char operation[24] = "";
	bool hex = r->operation >= 1000 || strcmp(r->name, "mmap") == 0 || strcmp(r->name, "mremap") == 0;

	if (r->operation != 0)
		snprintf(operation, sizeof(operation), hex ? " %#llx" : " %llu", (unsigned long long)r->operation);
	snprintf(out + len, n - len, "%s%s%s", len ? "; " : "", r->name, operation);
	len += strlen(out + len);
	if (r->times > 1)
		snprintf(out + len, n - len, ", %s times", fmt_count(r->times).s);
	len += strlen(out + len);
	snprintf(out + len, n - len, " (%s)", r->error == 0 ? "said to be done" : error ? error : "an unknown error");
}

static void put_refused(const struct columns *s, const struct sim_program *p)
{
	char list[ARRAY_SIZE(p->refused) * 100] = "";

	for (unsigned i = 0; i < p->nr_refused; i++)
		if (!is_usual(&p->refused[i]))
			add_refused(list, sizeof(list), &p->refused[i]);
	if (p->refused_more > 0)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "; and %s calls more",
			 fmt_count(p->refused_more).s);
	if (list[0] != '\0')
		put_note(s, "Note: asked for, and not done here, though Linux may do it: %s.", list);
}

/* A process comes near the most areas that it may have. */
static void put_areas(const struct columns *s)
{
	u64 most = 0, allowed = s->r->program.max_map_count;

	for (unsigned i = 0; i < s->r->nr_machines; i++)
		most = max(most, s->r->machine[i].count.peak_areas);
	if (allowed > 0 && most * 100 >= allowed * AREAS_WORTH_PERCENT)
		put_note(s,
			 "Note: a process had %s areas, and this Linux allows it %s (sysctl vm.max_map_count). Beyond "
			 "that mmap, mprotect, munmap and madvise fail with ENOMEM.",
			 fmt_count(most).s, fmt_count(allowed).s);
}

/* The processes that left, by what they became: "/bin/sh, /bin/ls (3)". */
static void put_left(const struct columns *s, const struct sim_program *p)
{
	char names[ARRAY_SIZE(p->left_names) * (sizeof(p->left_names[0]) + 16)] = "", name[sizeof(p->left_names[0])];
	unsigned known = 0;

	while (known < ARRAY_SIZE(p->left_names) && p->left_names[known][0] != '\0')
		known++;
	for (unsigned i = 0; i < known; i++) {
		unsigned times = 0, first = known;
		size_t len = strlen(names);

		for (unsigned k = known; k-- > 0;) {
			if (strcmp(p->left_names[k], p->left_names[i]) != 0)
				continue;
			times++;
			first = k;
		}
		if (first != i)
			continue;
		fmt_plain(name, sizeof(name), p->left_names[i]);
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", len ? ", " : ": ", name);
		if (times > 1)
			snprintf(names + len, sizeof(names) - len, " (%u)", times);
	}
	if (p->execs_left > 0)
		put_note(s, "Note: %u process%s called execve and left the simulation there%s%s.", p->execs_left,
			 p->execs_left == 1 ? "" : "es", names, p->execs_left > known && known ? ", ..." : "");
}

/* What of the program the numbers are about, where that is not all. */
static void put_counted(const struct columns *s)
{
	const struct sim_result *r = s->r;
	char names[4 * sizeof(r->beside.names)];

	if (r->measured.after_s > 0 && !r->measured.counts && r->running)
		put_note(s, "Note: --after %g s has not come yet; this is all until now.", r->measured.after_s);
	else if (r->measured.after_s > 0 && !r->measured.counts)
		put_note(s, "Note: the program ended before --after %g s: this is all that it did.",
			 r->measured.after_s);
	else if (r->measured.after_s > 0)
		put_note(s, "Counted from %g s on, with what was in TLBs and memory then.", r->measured.after_s);
	if (r->measured.stopped)
		put_note(s, "Counted for %g s; then the program was told to end.", r->measured.for_s);
	fmt_plain(names, sizeof(names), r->beside.names);
	if (r->beside.processes > 0 || r->beside.instructions > 0)
		put_note(s, "Not counted: %s (%u process%s, %s instructions), which ran on the machines beside it.",
			 names, r->beside.processes, r->beside.processes == 1 ? "" : "es",
			 fmt_count(r->beside.instructions).s);
	if (r->beside.processes > 0 && r->nr_program_rows == 0)
		put_note(s, "Note: nothing else ran, so nothing is counted: see --only and --not.");
}

/* Parts of the program that the numbers do not cover. */
static void put_program_notes(const struct columns *s)
{
	const struct sim_program *p = &s->r->program;

	put_counted(s);
	put_left(s, p);
	if (p->lost > 0)
		put_note(s, "Note: %u thread%s killed; the figures end where %s died.", p->lost,
			 p->lost == 1 ? " was" : "s were", p->lost == 1 ? "it" : "they");
	if (p->malformed > 0)
		put_note(s, "Note: %u stream%s of events broke off malformed: a defect of Quire.", p->malformed,
			 p->malformed == 1 ? "" : "s");
	put_dropped(s, p);
	put_refused(s, p);
	put_areas(s);
}

static void put_machine_notes(const struct columns *s)
{
	for (unsigned i = 0; i < s->r->nr_machines; i++) {
		const struct sim_machine_result *m = &s->r->machine[i];
		struct machine_name name = result_machine_name(s->r, m);

		if (m->error[0] != '\0')
			put_note(s, "Note: machine %s stopped early, its figures end there: %s", name.s, m->error);
		if (m->oom_note[0] != '\0')
			put_note(s, "Note: on machine %s %s. Its figures end there%s.", name.s, m->oom_note,
				 m->count.os.oom_kills > 1 ? "; others were killed later" : "");
		if (m->count.overcommit_refused > 0)
			put_note(s,
				 "Note: machine %s refused %s calls for memory by its overcommit=. The program was "
				 "given it, and "
				 "goes on: there each use of it is a SIGSEGV.",
				 name.s, fmt_count(m->count.overcommit_refused).s);
		if (m->count.mismatches > 0)
			put_note(s, "Note: machine %s and this Linux disagreed %s times: a defect of Quire.", name.s,
				 fmt_count(m->count.mismatches).s);
	}
}

/* Meltdown does not reach AMD's CPUs, so Linux runs them without KPTI: then a column of it is a what-if. */
static void put_kpti_note(const struct columns *s)
{
	for (unsigned i = 0; i < s->r->nr_machines; i++) {
		const struct sim_machine_result *m = &s->r->machine[i];

		if (!m->cfg.kpti || strncmp(m->cfg.preset->name, "zen", 3) != 0)
			continue;
		put_note(s,
			 "Note: Linux runs %s without KPTI, which it does not need; kpti=on shows what it would cost.",
			 m->cfg.preset->name);
		return;
	}
}

/* What all machines have in common; where they differ their heads say in what. */
static void put_hardware(const struct columns *s)
{
	const struct sim_machine_result *m = s->r->machine;
	bool same_cpu = s->r->nr_machines > 0, same_ram = same_cpu;

	for (unsigned i = 1; i < s->r->nr_machines; i++) {
		same_cpu &= m[i].cfg.preset == m->cfg.preset;
		same_ram &= m[i].cfg.ram_bytes == m->cfg.ram_bytes;
	}
	if (same_cpu)
		fprintf(s->out, "Simulated CPU: %s%s", m->cfg.preset->name, same_ram ? ", " : "\n");
	if (same_ram)
		fprintf(s->out, "RAM: %s\n", fmt_bytes(m->cfg.ram_bytes).s);
}

static void swap_text(char out[40], const struct machine_config *c)
{
	snprintf(out, 40, "%.12s on %.20s", fmt_bytes(c->swap_bytes).s, c->swap_device->name);
}

/* Each machine's swap, as soon as one of them has used it; once, where they have the same. */
static void put_swap(const struct columns *s)
{
	const struct sim_machine_result *m = s->r->machine;
	bool used = false, same = true, same_policy = true;
	char line[4096] = "Swap:", first[40], text[40];

	for (unsigned i = 0; i < s->r->nr_machines; i++) {
		used |= m[i].count.peak_swap_bytes > 0;
		swap_text(i == 0 ? first : text, &m[i].cfg);
		same &= i == 0 || strcmp(first, text) == 0;
		same_policy &= m[i].cfg.reclaim == m->cfg.reclaim;
	}
	if (!used)
		return;
	for (unsigned i = 0; i < (same ? 1 : s->r->nr_machines); i++) {
		size_t len = strlen(line);

		swap_text(text, &m[i].cfg);
		snprintf(line + len, sizeof(line) - len, "%s %s%s%s", i ? ";" : "",
			 same ? "" : result_machine_name(s->r, &m[i]).s, same ? "" : " ", text);
	}
	if (same_policy)
		snprintf(line + strlen(line), sizeof(line) - strlen(line), "%s reclaim: %s", same ? "," : ";",
			 machine_key_word(machine_key_find("reclaim"), &m->cfg));
	fmt_wrap(s->out, 0, fmt_prose(s->width), line);
}

/* "thp = 2m", into list; of very many the first. False: no other is like machine i. */
static bool add_same(char *list, size_t n, const struct sim_result *r, unsigned i)
{
	unsigned same = 0;

	for (unsigned k = i + 1; k < r->nr_machines; k++) {
		if (result_same_as(r, k) != i)
			continue;
		if (same == 0)
			snprintf(list, n, "%s", result_machine_name(r, &r->machine[i]).s);
		if (same++ < MOST_SAME)
			snprintf(list + strlen(list), n - strlen(list), " = %s",
				 result_machine_name(r, &r->machine[k]).s);
	}
	if (same > MOST_SAME)
		snprintf(list + strlen(list), n - strlen(list), " and %u more", same - MOST_SAME);
	return same > 0;
}

/* "4k = 1g, thp = 2m" */
static void put_same(const struct columns *s)
{
	char list[SIM_MAX_MACHINES * 2 * sizeof(struct machine_name)] = "";

	for (unsigned i = 0; i < s->nr; i++) {
		size_t len = strlen(list), comma = len ? strlen(strcpy(list + len, ", ")) : 0;

		if (!add_same(list + len + comma, sizeof(list) - len - comma, s->r, s->machine[i]))
			list[len] = '\0';
	}
	if (list[0] != '\0')
		put_note(s, "Equal in every figure, and so one column: %s.", list);
}

/* What the star says; or which machine would have it. */
static void put_star(const struct columns *s)
{
	static const char *const thp[] = {
	    [VM_THP_NEVER] = "never", [VM_THP_MADVISE] = "madvise", [VM_THP_ALWAYS] = "always"};
	static const char *const machine[] = {
	    [VM_THP_NEVER] = "4k", [VM_THP_MADVISE] = "madvise", [VM_THP_ALWAYS] = "thp"};
	const struct machine_host *h = &s->r->host;
	const struct sim_machine_result *m = result_host(s->r);

	if (m != NULL)
		put_note(s, "*: set as this computer is today: transparent huge pages %s%s, KPTI %s.", thp[h->thp],
			 m->cfg.thp == h->thp ? "" : " (nothing here asks for them)", h->kpti ? "on" : "off");
	else if (h->known)
		put_note(s, "No column is set as this computer is today: --machine %s%s%s would be.", machine[h->thp],
			 h->kpti ? ",kpti=on" : "", h->pcid || !h->kpti ? "" : ",pcid=off");
}

/* The counts, and where page walks come from. */
static void put_counts(const struct columns *s)
{
	struct columns part;

	if (columns_turn(s)) {
		part = *s;
		part.label = ROW_LABEL;
		part.column = ROW_COLUMN;
		fputc('\n', s->out);
		put_machine_rows(&part);
		part.nr = 1;
		part.machine[0] = (unsigned)(result_baseline(s->r) - s->r->machine);
		put_regions(&part);
		return;
	}
	for (unsigned first = 0; columns_part(s, &part, &first);) {
		fputc('\n', s->out);
		columns_names(&part, "");
		put_rows(&part);
		put_regions(&part);
	}
}

void report_text(FILE *out, const struct sim_result *r)
{
	struct columns s = {.out = out,
			    .r = r,
			    .label = LABEL_WIDTH,
			    .column = COLUMN_WIDTH,
			    .width = fmt_width(out),
			    .bold = isatty(fileno(out)) == 1};
	char answer[2048], advice[6000], *rest = advice, *line;

	s.nr = result_columns(r, s.machine);
	report_answer(answer, sizeof(answer), r);
	bold_on(&s);
	fmt_wrap(out, 0, fmt_prose(s.width), answer);
	bold_off(&s);
	put_program(&s);
	put_hardware(&s);
	put_swap(&s);
	put_program_notes(&s);
	put_machine_notes(&s);
	put_kpti_note(&s);
	put_same(&s);
	put_star(&s);
	report_costs(out, r, s.bold);
	put_counts(&s);
	report_timeline(out, r, s.bold);
	report_programs(out, r, s.bold);
	report_advice(advice, sizeof(advice), r);
	bold_on(&s);
	fputs("\nAdvice\n", out);
	bold_off(&s);
	while ((line = strsep(&rest, "\n")) != NULL)
		fmt_wrap(out, 2, fmt_prose(s.width), line);
}
