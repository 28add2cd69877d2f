/* SPDX-License-Identifier: MIT
 *
 * report/text.c - the report for a person: one screen, a column a machine.
 *
 *   quire run: sort -n numbers                                     what ran
 *   1.23G instructions, ...                                        the program, the same for every machine
 *
 *                                   4k          thp ...            | LABEL_WIDTH | COLUMN_WIDTH | COLUMN_WIDTH ...
 *   Page faults                  4,567          123
 *     zero-filled, write ...                                       a row that is zero everywhere is left out
 *   Where page walks come from ...                                 top regions, in the same columns
 *
 *   Advice ...
 *
 * More than MAX_COLUMNS machines make several such tables of equal width, one under the other. Nothing is printed
 * that is not in sim_result or a ratio of two of its numbers; wall time is left out, so the same events give the
 * same bytes.
 */
#include "report/report.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "report/format.h"
#include "report/result.h"

#define LABEL_WIDTH  26
#define COLUMN_WIDTH 13 /* 26 + 4 * 13 = 78: four machines fit a terminal of 80 */
#define MAX_COLUMNS  4
#define LINE_WIDTH   79
#define TOP_REGIONS  5

enum cell {
	CELL_NONE,     /* a heading without figures */
	CELL_COUNT,    /* u64 at offset */
	CELL_BYTES,    /* u64 at offset */
	CELL_TIME,     /* u64 at offset, ns */
	CELL_MISSES,   /* u64 at offset, and per 1000 instructions */
	CELL_FAULTS,   /* sum of faults[] */
	CELL_POPULATE, /* sum of populated[] */
	CELL_WALKS,    /* all walks, data and code */
	CELL_ENTRIES,  /* sum of kernel_entries[] */
	CELL_RANGE,    /* two u64 at offset: cycles, from .. to */
	CELL_CYCLES_KI /* the same per 1000 instructions */
};

/* When a row is shown. What entries into the kernel are made of is for those who compare KPTI or PCID: an ordinary
 * report fits a screen without it, and the JSON has it all. */
enum show {
	NONZERO, /* in any machine */
	ALWAYS,
	ENTRY, /* nonzero, and a machine runs with KPTI or without PCID */
};

struct row {
	const char *label; /* indented by two: part of the heading above */
	enum cell cell;
	size_t offset; /* in struct sim_machine_result */
	enum show show;
};

#define AT(field) offsetof(struct sim_machine_result, field)

static const struct row rows[] = {
    {"Page faults", CELL_FAULTS, 0, ALWAYS},
    {"  zero-filled, write", CELL_COUNT, AT(faults[VM_FAULT_ZERO_WRITE]), NONZERO},
    {"  zero-filled, read", CELL_COUNT, AT(faults[VM_FAULT_ZERO_READ]), NONZERO},
    {"  file page", CELL_COUNT, AT(faults[VM_FAULT_FILE]), NONZERO},
    {"  copy-on-write, copied", CELL_COUNT, AT(faults[VM_FAULT_COW_COPY]), NONZERO},
    {"  copy-on-write, reused", CELL_COUNT, AT(faults[VM_FAULT_COW_REUSE]), NONZERO},
    {"  stack growth", CELL_COUNT, AT(faults[VM_FAULT_STACK]), NONZERO},
    {"  swapped in", CELL_COUNT, AT(faults[VM_FAULT_SWAP]), NONZERO},
    {"  spurious", CELL_COUNT, AT(faults[VM_FAULT_SPURIOUS]), NONZERO},
    {"  SIGSEGV, no mapping", CELL_COUNT, AT(faults[VM_FAULT_MAPERR]), NONZERO},
    {"  SIGSEGV, not allowed", CELL_COUNT, AT(faults[VM_FAULT_ACCERR]), NONZERO},
    {"  SIGSEGV, protection key", CELL_COUNT, AT(faults[VM_FAULT_PKUERR]), NONZERO},
    {"  SIGBUS", CELL_COUNT, AT(faults[VM_FAULT_BUS]), NONZERO},
    {"  out of memory", CELL_COUNT, AT(faults[VM_FAULT_NOMEM]), NONZERO},
    {"  of all: 2M pages", CELL_COUNT, AT(faults_by_order[1]), NONZERO},
    {"  of all: 1G pages", CELL_COUNT, AT(faults_by_order[2]), NONZERO},
    {"  without a free 2M block", CELL_COUNT, AT(thp_fallback), NONZERO},
    {"  of all: in system calls", CELL_COUNT, AT(kernel_faults), NONZERO},
    {"  of all: major (I/O)", CELL_COUNT, AT(major_faults), NONZERO},
    {"Collapsed to 2M pages", CELL_COUNT, AT(thp_collapse), NONZERO},
    {"Memory compacted", CELL_COUNT, AT(compactions), NONZERO},
    {"  without success", CELL_COUNT, AT(compactions_failed), NONZERO},
    {"  pages moved", CELL_COUNT, AT(pages_migrated), NONZERO},
    {"Populated before use", CELL_POPULATE, 0, NONZERO},
    {"TLB misses (per 1000 instructions)", CELL_NONE, 0, ALWAYS},
    {"  L1 data", CELL_MISSES, AT(mmu.l1_miss[0]), ALWAYS},
    {"  L1 code", CELL_MISSES, AT(mmu.l1_miss[1]), NONZERO},
    {"  L2 data", CELL_MISSES, AT(mmu.l2_miss[0]), ALWAYS},
    {"  L2 code", CELL_MISSES, AT(mmu.l2_miss[1]), NONZERO},
    {"Page walks", CELL_WALKS, 0, ALWAYS},
    {"  steps: PML5", CELL_COUNT, AT(mmu.walk_steps[X86_PML5]), NONZERO},
    {"  steps: PML4", CELL_COUNT, AT(mmu.walk_steps[X86_PML4]), NONZERO},
    {"  steps: PDPT", CELL_COUNT, AT(mmu.walk_steps[X86_PDPT]), NONZERO},
    {"  steps: PD", CELL_COUNT, AT(mmu.walk_steps[X86_PD]), NONZERO},
    {"  steps: PT", CELL_COUNT, AT(mmu.walk_steps[X86_PT]), NONZERO},
    {"  cycles, least..most", CELL_RANGE, AT(mmu.walk_cycles_min), NONZERO},
    {"  per 1000 instructions", CELL_CYCLES_KI, 0, NONZERO},
    {"  of all: kernel's, data", CELL_COUNT, AT(kernel_walks[0]), ENTRY},
    {"  of all: kernel's, code", CELL_COUNT, AT(kernel_walks[1]), ENTRY},
    {"Memory, peak", CELL_BYTES, AT(peak_rss_bytes), ALWAYS},
    {"  of it never touched", CELL_BYTES, AT(peak_untouched_bytes), NONZERO},
    {"  page tables", CELL_BYTES, AT(peak_table_bytes), NONZERO},
    {"  in swap", CELL_BYTES, AT(peak_swap_bytes), NONZERO},
    {"Waiting for reads", CELL_TIME, AT(io_wait_ns), NONZERO},
    {"  requests to swap", CELL_COUNT, AT(swap_requests), NONZERO},
    {"  pages swapped in", CELL_COUNT, AT(swap_ins), NONZERO},
    {"  of them ahead, and used", CELL_COUNT, AT(readahead_hits), NONZERO},
    {"  file pages", CELL_COUNT, AT(file_reads), NONZERO},
    {"Writing meanwhile", CELL_TIME, AT(io_write_ns), NONZERO},
    {"  pages swapped out", CELL_COUNT, AT(swap_outs), NONZERO},
    {"  file pages written back", CELL_COUNT, AT(writebacks), NONZERO},
    {"Frames reclaimed", CELL_COUNT, AT(reclaimed[0]), NONZERO},
    {"  by who needed one", CELL_COUNT, AT(reclaimed[1]), NONZERO},
    {"Processes killed (memory)", CELL_COUNT, AT(oom_kills), NONZERO},
    {"TLB flushes", CELL_COUNT, AT(tlb_flushes), NONZERO},
    {"  pages flushed singly", CELL_COUNT, AT(tlb_flush_pages), NONZERO},
    {"  whole contexts", CELL_COUNT, AT(tlb_flush_all), NONZERO},
    {"  interrupts to other CPUs", CELL_COUNT, AT(ipis), NONZERO},
    {"    cycles, waiting", CELL_RANGE, AT(shootdown_cycles_min), NONZERO},
    {"Kernel entries", CELL_ENTRIES, 0, NONZERO},
    {"  system calls", CELL_COUNT, AT(kernel_entries[KERNEL_SYSCALL]), ENTRY},
    {"  page faults", CELL_COUNT, AT(kernel_entries[KERNEL_FAULT]), ENTRY},
    {"  timer ticks", CELL_COUNT, AT(kernel_entries[KERNEL_TICK]), ENTRY},
    {"  from other CPUs", CELL_COUNT, AT(kernel_entries[KERNEL_IPI]), ENTRY},
    {"  cycles, least..most", CELL_RANGE, AT(kernel_cycles_min), NONZERO},
    {"CR3 loads", CELL_COUNT, AT(mmu.cr3_loads), ENTRY},
    {"  of them flush the TLB", CELL_COUNT, AT(mmu.cr3_flushes), ENTRY},
    {"  cycles, least..most", CELL_RANGE, AT(cr3_cycles_min), ENTRY},
    {"Thread switches", CELL_COUNT, AT(thread_switches), NONZERO},
    {"Address-space switches", CELL_COUNT, AT(context_switches), NONZERO},
};

struct screen {
	FILE *out;
	const struct sim_result *r;
	const struct sim_machine_result *base;
	unsigned first, end; /* machines of this table */
	bool bold;
};

static void bold_on(const struct screen *s)
{
	if (s->bold)
		fputs("\033[1m", s->out);
}

static void bold_off(const struct screen *s)
{
	if (s->bold)
		fputs("\033[0m", s->out);
}

/* A label in its column; one that is longer keeps its length, and the figures that follow start on the next line. */
static void put_label(const struct screen *s, const char *label)
{
	if (label[0] != ' ')
		bold_on(s);
	fprintf(s->out, "%s", label);
	if (label[0] != ' ')
		bold_off(s);
	if (strlen(label) < LABEL_WIDTH)
		fprintf(s->out, "%*s", (int)(LABEL_WIDTH - strlen(label)), "");
}

static u64 per_ki(u64 n, const struct sim_result *r, double *ratio)
{
	*ratio = r->program.instructions ? 1000.0 * (double)n / (double)r->program.instructions : 0;
	return n;
}

/* The number that decides whether a row is all zero. */
static u64 cell_value(const struct row *row, const struct sim_machine_result *m)
{
	u64 sum = 0, value;

	switch (row->cell) {
	case CELL_NONE:
		return 0;
	case CELL_FAULTS:
		return result_faults(m);
	case CELL_POPULATE:
		for (unsigned i = 0; i < VM_FAULT_NR; i++)
			sum += m->populated[i];
		return sum;
	case CELL_WALKS:
		return result_walks(m);
	case CELL_ENTRIES:
		for (unsigned i = 0; i < KERNEL_ENTRY_NR; i++)
			sum += m->kernel_entries[i];
		return sum;
	case CELL_CYCLES_KI:
		return m->mmu.walk_cycles_max;
	case CELL_RANGE: /* the greater */
		memcpy(&value, (const char *)m + row->offset + sizeof(u64), sizeof(value));
		return value;
	default:
		memcpy(&value, (const char *)m + row->offset, sizeof(value));
		return value;
	}
}

static void put_cell(const struct screen *s, const struct row *row, const struct sim_machine_result *m)
{
	u64 value = cell_value(row, m), least;
	double low, high;
	char text[80];

	switch (row->cell) {
	case CELL_NONE:
		return;
	case CELL_BYTES:
		snprintf(text, sizeof(text), "%s", fmt_bytes(value).s);
		break;
	case CELL_TIME:
		snprintf(text, sizeof(text), "%s", fmt_time(value).s);
		break;
	case CELL_MISSES:
		per_ki(value, s->r, &high);
		snprintf(text, sizeof(text), "%s (%s)", fmt_short(value).s, fmt_ratio(high).s);
		break;
	case CELL_RANGE:
		memcpy(&least, (const char *)m + row->offset, sizeof(least));
		snprintf(text, sizeof(text), "%s..%s", fmt_short(least).s, fmt_short(value).s);
		break;
	case CELL_CYCLES_KI:
		per_ki(m->mmu.walk_cycles_min, s->r, &low);
		per_ki(value, s->r, &high);
		snprintf(text, sizeof(text), "%s..%s", fmt_ratio(low).s, fmt_ratio(high).s);
		break;
	default:
		snprintf(text, sizeof(text), "%s", fmt_count(value).s);
	}
	fprintf(s->out, "%*s", COLUMN_WIDTH, text);
}

/* Some machine differs in what an entry into the kernel does to its TLB. */
static bool compares_entries(const struct sim_result *r)
{
	for (unsigned i = 0; i < r->nr_machines; i++)
		if (r->machine[i].kpti || !r->machine[i].pcid)
			return true;
	return false;
}

static bool row_is_zero(const struct row *row, const struct sim_result *r)
{
	for (unsigned i = 0; i < r->nr_machines; i++)
		if (cell_value(row, &r->machine[i]) != 0)
			return false;
	return true;
}

static void put_rows(const struct screen *s)
{
	for (const struct row *row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		if (row->show != ALWAYS && row_is_zero(row, s->r))
			continue;
		if (row->show == ENTRY && !compares_entries(s->r))
			continue;
		put_label(s, row->label);
		for (unsigned i = s->first; i < s->end; i++)
			put_cell(s, row, &s->r->machine[i]);
		fputc('\n', s->out);
	}
}

/* Characters of a name's first part: up to the comma; where that does not fit its column, up to the =. */
static size_t part_length(const char *name)
{
	size_t len = strcspn(name, ","), key = strcspn(name, "=") + 1;

	return len >= COLUMN_WIDTH && key < len ? key : len;
}

/* The index-th part of a machine's name: "thp,cpu=zen4" is "thp" over "cpu=zen4". "" after the last. */
static void name_part(char out[COLUMN_WIDTH], const char *name, unsigned index)
{
	for (; index > 0 && *name != '\0'; index--) {
		name += part_length(name);
		name += *name == ',';
	}
	snprintf(out, COLUMN_WIDTH, "%.*s", (int)part_length(name), name);
}

static void put_names(const struct screen *s)
{
	char part[COLUMN_WIDTH];
	bool more = true;

	for (unsigned line = 0; more; line++) {
		more = false;
		for (unsigned i = s->first; i < s->end; i++) {
			name_part(part, s->r->machine[i].name, line);
			more |= part[0] != '\0';
		}
		if (!more)
			break;
		bold_on(s);
		fprintf(s->out, "%*s", LABEL_WIDTH, "");
		for (unsigned i = s->first; i < s->end; i++) {
			name_part(part, s->r->machine[i].name, line);
			fprintf(s->out, "%*s", COLUMN_WIDTH, part);
		}
		bold_off(s);
		fputc('\n', s->out);
	}
}

/* A name that is too long for its column keeps both ends: "a_very_long_li..1.0 code". */
static void fit_name(char out[LABEL_WIDTH], const char *name)
{
	size_t len = strlen(name), room = LABEL_WIDTH - 3; /* two before, one after */

	if (len <= room)
		snprintf(out, LABEL_WIDTH, "  %s", name);
	else
		snprintf(out, LABEL_WIDTH, "  %.*s..%s", (int)(room - 10), name, name + len - 8);
}

/* One region: its walks on each machine; on the baseline their share of all walks, elsewhere what is left of them. */
static void put_region(const struct screen *s, unsigned index, u64 all_walks)
{
	const struct sim_region *g = &s->r->region[index];
	u64 of = result_region_walks(&s->base->region[index]);
	char name[300], label[LABEL_WIDTH], text[80];

	result_region_name(name, sizeof(name), g);
	fit_name(label, name);
	put_label(s, label);
	for (unsigned i = s->first; i < s->end; i++) {
		const struct sim_machine_result *m = &s->r->machine[i];
		u64 walks = result_region_walks(&m->region[index]);

		snprintf(text, sizeof(text), "%s %s", fmt_short(walks).s,
			 fmt_percent(walks, m == s->base ? all_walks : of).s);
		fprintf(s->out, "%*s", COLUMN_WIDTH, text);
	}
	fprintf(s->out, "\n    %#llx..%#llx, %s%s\n", (unsigned long long)g->start, (unsigned long long)g->end,
		fmt_bytes(g->peak_bytes).s, g->madvised ? ", asks for huge pages" : "");
}

static void put_regions(const struct screen *s)
{
	unsigned top[TOP_REGIONS];
	unsigned nr = result_top_regions(s->r, s->base, top, TOP_REGIONS);
	u64 all = 0;

	for (unsigned i = 0; i < s->r->nr_regions; i++)
		all += result_region_walks(&s->base->region[i]);
	if (nr == 0)
		return;
	bold_on(s);
	fprintf(s->out, "Where page walks come from");
	bold_off(s);
	fprintf(s->out, " (%s: share of its walks", s->base->name);
	fprintf(s->out, s->r->nr_machines > 1 ? "; others: left of %s's)\n" : ")\n", s->base->name);
	for (unsigned i = 0; i < nr; i++)
		if (i == 0 || 100 * result_region_walks(&s->base->region[top[i]]) >= all)
			put_region(s, top[i], all);
}

static void put_program(const struct screen *s)
{
	const struct sim_program *p = &s->r->program;
	char line[512];

	bold_on(s);
	fputs("quire run:", s->out);
	bold_off(s);
	for (char **arg = s->r->argv; *arg != NULL; arg++)
		fprintf(s->out, " %s", *arg);
	if (s->r->exit_status != 0)
		fprintf(s->out, " (exit status %d)", s->r->exit_status);
	fputc('\n', s->out);
	snprintf(line, sizeof(line),
		 "%s instructions, %s data accesses, %s instruction-page changes, %s system calls; %u process%s, "
		 "%u thread%s.",
		 fmt_count(p->instructions).s, fmt_count(p->data_accesses).s, fmt_count(p->fetch_page_changes).s,
		 fmt_count(p->syscalls).s, p->processes, p->processes == 1 ? "" : "es", p->threads,
		 p->threads == 1 ? "" : "s");
	fmt_wrap(s->out, 0, LINE_WIDTH, line);
}

/* A line that a reader must know before the numbers, wrapped. */
static __attribute__((format(printf, 2, 3))) void put_note(const struct screen *s, const char *format, ...)
{
	char line[4096];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	fmt_wrap(s->out, 0, LINE_WIDTH, line);
}

/* Parts of the program that the numbers do not cover. */
static void put_program_notes(const struct screen *s)
{
	const struct sim_program *p = &s->r->program;
	char names[ARRAY_SIZE(p->left_names) * (sizeof(p->left_names[0]) + 2)] = "";

	for (unsigned i = 0; i < ARRAY_SIZE(p->left_names) && p->left_names[i][0] != '\0'; i++) {
		strcat(names, i == 0 ? ": " : ", ");
		strcat(names, p->left_names[i]);
	}
	if (p->execs_left > 0)
		put_note(s, "Note: %u process%s called execve and left the simulation there%s.", p->execs_left,
			 p->execs_left == 1 ? "" : "es", names);
	if (p->lost > 0)
		put_note(s, "Note: %u thread%s killed; the figures end where %s died.", p->lost,
			 p->lost == 1 ? " was" : "s were", p->lost == 1 ? "it" : "they");
	if (p->malformed > 0)
		put_note(s, "Note: %u stream%s of events broke off malformed: a defect of Quire.", p->malformed,
			 p->malformed == 1 ? "" : "s");
}

static void put_machine_notes(const struct screen *s)
{
	for (unsigned i = 0; i < s->r->nr_machines; i++) {
		const struct sim_machine_result *m = &s->r->machine[i];

		if (m->error[0] != '\0')
			put_note(s, "Note: machine %s stopped early, its figures end there: %s", m->name, m->error);
		if (m->oom_note[0] != '\0')
			put_note(s, "Note: on machine %s %s. Its figures end there%s.", m->name, m->oom_note,
				 m->oom_kills > 1 ? "; others were killed later" : "");
		if (m->mismatches > 0)
			put_note(s, "Note: machine %s and this Linux disagreed %s times: a defect of Quire.", m->name,
				 fmt_count(m->mismatches).s);
	}
}

/* Meltdown does not reach AMD's CPUs, so Linux runs them without KPTI: then a column of it is a what-if. */
static void put_kpti_note(const struct screen *s)
{
	for (unsigned i = 0; i < s->r->nr_machines; i++) {
		const struct sim_machine_result *m = &s->r->machine[i];

		if (!m->kpti || strncmp(m->cpu, "zen", 3) != 0)
			continue;
		put_note(s,
			 "Note: Linux runs %s without KPTI, which it does not need; kpti=on shows what it would cost.",
			 m->cpu);
		return;
	}
}

/* CPU and RAM on one line where all machines have the same; otherwise their names say what differs. */
static void put_hardware(const struct screen *s)
{
	const struct sim_machine_result *m = s->r->machine;

	for (unsigned i = 1; i < s->r->nr_machines; i++)
		if (strcmp(m[i].cpu, m->cpu) != 0 || m[i].ram_bytes != m->ram_bytes)
			return;
	if (s->r->nr_machines > 0)
		fprintf(s->out, "Simulated CPU: %s, RAM: %s\n", m->cpu, fmt_bytes(m->ram_bytes).s);
}

/* Each machine's swap, as soon as one of them has used it. */
static void put_swap(const struct screen *s)
{
	char line[1024] = "Swap:";
	bool used = false;

	for (unsigned i = 0; i < s->r->nr_machines; i++) {
		const struct sim_machine_result *m = &s->r->machine[i];
		size_t len = strlen(line);

		used |= m->peak_swap_bytes > 0;
		snprintf(line + len, sizeof(line) - len, "%s %s %s on %s, %s", i ? ";" : "", m->name,
			 fmt_bytes(m->swap_bytes).s, m->swap_device, m->reclaim);
	}
	if (used)
		fmt_wrap(s->out, 0, LINE_WIDTH, line);
}

void report_text(FILE *out, const struct sim_result *r)
{
	struct screen s = {.out = out, .r = r, .base = result_baseline(r), .bold = isatty(fileno(out)) == 1};
	unsigned tables = (r->nr_machines + MAX_COLUMNS - 1) / MAX_COLUMNS;
	char advice[1024];

	put_program(&s);
	put_hardware(&s);
	put_swap(&s);
	put_program_notes(&s);
	put_machine_notes(&s);
	put_kpti_note(&s);
	for (unsigned t = 0; t < tables; t++) {
		s.first = t * r->nr_machines / tables;
		s.end = (t + 1) * r->nr_machines / tables;
		fputc('\n', out);
		put_names(&s);
		put_rows(&s);
		put_regions(&s);
	}
	report_advice(advice, sizeof(advice), r);
	bold_on(&s);
	fputs("\nAdvice\n", out);
	bold_off(&s);
	fmt_wrap(out, 2, LINE_WIDTH, advice);
}
