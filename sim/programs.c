/* SPDX-License-Identifier: MIT
 *
 * sim/programs.c - who pays: each figure goes to the program and the process that ran when it came about.
 *
 *   a thread's events --> its process --payer--> a row of sim.program[]   its name, its processes, what they ran
 *                                           \--> a row of sim.row[]       its pid, its parent, what it ran
 *                                                |
 *   each machine, when its payer changes:        '-- program_count[], row_share[]: what its counters grew by since
 *
 * A program is a file that processes executed, by name (the last part of its path) and, where it is known, identity. A
 * fork's child is of its parent's program until it executes another.
 *
 * A machine's counters are the sum of its programs' that count. With sim_select() some do not: they run on the machines
 * like the others, take TLB entries and memory, and nothing of them is told. sim_restart() begins all rows anew.
 *
 * The tables are bounded: programs and processes beyond them share a last row.
 *
 * Invariants
 *  1. What the programs ran that count adds up to what sim.program ran, and so does what the processes ran.
 *  2. Every process' payer names a row of each table: its program's, which is that of its space, and its own.
 */
#include <fnmatch.h>
#include <string.h>

#include "sim/internal.h"
#include "sim/xalloc.h"

#define PAYER(program, row) ((u64)(program) << 32 | (row))

/* ---- programs ---- */

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* The patterns of shells (fnmatch), against the whole path where they hold a slash, else against the name. */
static bool matches(const char *const *patterns, unsigned nr, const char *path)
{
	for (unsigned i = 0; i < nr; i++)
		if (fnmatch(patterns[i], strchr(patterns[i], '/') ? path : name_of(path), 0) == 0)
			return true;
	return false;
}

/* Who has executed nothing yet may become anything. */
static bool is_selected(const struct sim *s, const char *path)
{
	if (!path[0])
		return (s->nr_only | s->nr_except) == 0;
	return (s->nr_only == 0 || matches(s->only, s->nr_only, path)) && !matches(s->except, s->nr_except, path);
}

void sim_select(struct sim *s, const char *const *only, unsigned nr_only, const char *const *except, unsigned nr_except)
{
	s->only = only;
	s->nr_only = nr_only;
	s->except = except;
	s->nr_except = nr_except;
}

static u32 program_add(struct sim *s, u64 dev, u64 ino, const char *path)
{
	struct program *p;

	if (s->nr_programs == s->cap_programs)
		s->program_row = xgrow(s->program_row, &s->cap_programs, sizeof(*s->program_row));
	p = &s->program_row[s->nr_programs];
	*p = (struct program){.dev = dev, .ino = ino, .counted = is_selected(s, path)};
	snprintf(p->info.path, sizeof(p->info.path), "%s", path);
	return s->nr_programs++;
}

static u32 program_find(struct sim *s, u64 dev, u64 ino, const char *path)
{
	for (u32 i = 0; i < s->nr_programs; i++) {
		const struct program *p = &s->program_row[i];

		if (p->dev == dev && p->ino == ino && strcmp(name_of(p->info.path), name_of(path)) == 0)
			return i;
	}
	if (s->nr_programs < SIM_MAX_PROGRAMS)
		return program_add(s, dev, ino, path);
	if (s->nr_programs == SIM_MAX_PROGRAMS)
		program_add(s, 0, 0, "[others]");
	return SIM_MAX_PROGRAMS;
}

/* ---- processes ---- */

static u32 row_add(struct sim *s, u64 pid, u64 parent)
{
	if (s->nr_rows > SIM_MAX_ROWS)
		return SIM_MAX_ROWS;
	if (s->nr_rows == s->cap_rows)
		s->row = xgrow(s->row, &s->cap_rows, sizeof(*s->row));
	if (s->nr_rows == SIM_MAX_ROWS)
		pid = parent = 0;
	s->row[s->nr_rows] = (struct sim_process_row){.pid = pid, .parent_pid = parent};
	return s->nr_rows++;
}

/* A process that has run what counts is told by that, whatever it becomes. */
static void becomes(struct sim *s, struct process *p, u32 program, u32 row)
{
	struct program *to = &s->program_row[program];

	p->program = program;
	p->payer = PAYER(program, row);
	to->info.processes++;
	if (row == SIM_MAX_ROWS)
		s->row[row].program = SIM_NO_PROGRAM;
	else if (to->counted || !p->counted)
		s->row[row].program = program;
	if (!to->counted || p->counted)
		return;
	p->counted = true;
	s->program.processes++;
	s->program.threads += p->threads;
}

void program_begin(struct sim *s, struct process *p, const struct process *parent, u64 parent_pid)
{
	u32 program = parent ? parent->program : program_find(s, 0, 0, "");

	p->parent_pid = parent ? parent->pid : parent_pid;
	becomes(s, p, program, row_add(s, p->pid, p->parent_pid));
}

/* A child that only executes another program is no process of its parent's. */
void program_exec(struct sim *s, struct process *p, u64 dev, u64 ino, const char *path)
{
	if (!p->executed)
		s->program_row[p->program].info.processes--;
	p->executed = true;
	becomes(s, p, program_find(s, dev, ino, path), (u32)p->payer);
}

void program_thread(struct sim *s, const struct process *p)
{
	s->program.threads += p->counted;
}

static void add_ran(struct sim_ran *to, const struct sim_ran *what)
{
	to->instructions += what->instructions;
	to->data_accesses += what->data_accesses;
	to->fetch_page_changes += what->fetch_page_changes;
	to->syscalls += what->syscalls;
}

void program_ran(struct sim *s, const struct process *p, const struct sim_ran *what)
{
	struct program *program = &s->program_row[p->program];

	add_ran(&program->info.ran, what);
	if (!program->counted)
		return;
	add_ran(&s->row[(u32)p->payer].ran, what);
	s->program.instructions += what->instructions;
	s->program.data_accesses += what->data_accesses;
	s->program.fetch_page_changes += what->fetch_page_changes;
	s->program.syscalls += what->syscalls;
}

bool program_counts(const struct sim *s, const struct process *p)
{
	return s->program_row[p->program].counted;
}

/* ---- machines ---- */

/* Entry i of a table that grows as it is needed; new ones are zero. */
static void *entry(void **table, unsigned *cap, size_t size, unsigned i)
{
	while (*cap <= i) {
		unsigned old = *cap;

		*table = xgrow(*table, cap, size);
		memset((char *)*table + old * size, 0, (*cap - old) * size);
	}
	return (char *)*table + i * size;
}

static struct machine_counters *program_count(struct machine *m, u64 payer)
{
	return entry((void **)&m->program_count, &m->cap_program_counts, sizeof(*m->program_count), payer >> 32);
}

static struct sim_share *row_share(struct machine *m, u64 payer)
{
	return entry((void **)&m->row_share, &m->cap_row_shares, sizeof(*m->row_share), (u32)payer);
}

static bool payer_counts(const struct sim *s, u64 payer)
{
	return s->program_row[payer >> 32].counted;
}

static void counters_add(struct machine_counters *to, const struct machine_counters *what, bool minus)
{
	const u64 *w = (const u64 *)what;
	u64 *t = (u64 *)to;

	for (size_t i = 0; i < sizeof(*to) / sizeof(u64); i++)
		t[i] += minus ? -w[i] : w[i];
}

/* Every counter that only grows, as it stands; peaks 0. */
static struct machine_counters counters_now(const struct machine *m)
{
	struct machine_counters now;

	machine_counters_read(m->hw, &now);
	kernel_result(m, &now);
	now.forks = m->forks;
	memcpy(now.map_calls, m->map_calls, sizeof(now.map_calls));
	return now;
}

/* What was counted since the last time goes to the payer; what came before anybody ran, to the first. */
static void charge(struct machine *m)
{
	struct machine_counters now, grown;
	struct sim_share *row;

	if (m->payer == NO_PAYER)
		return;
	now = grown = counters_now(m);
	counters_add(&grown, &m->charged, true);
	counters_add(program_count(m, m->payer), &grown, false);
	m->charged = now;
	if (!payer_counts(m->sim, m->payer))
		return;
	row = row_share(m, m->payer);
	for (unsigned cause = 0; cause < VM_FAULT_NR; cause++)
		row->faults += grown.os.faults[cause];
	row->major_faults += grown.os.major_faults;
	row->walks[0] += grown.mmu.walks[0];
	row->walks[1] += grown.mmu.walks[1];
	row->walk_faults += grown.mmu.walk_faults[0] + grown.mmu.walk_faults[1];
}

void machine_pays(struct machine *m, const struct process *p)
{
	charge(m);
	m->payer = p->payer;
}

void machine_counted(struct machine *m, struct machine_counters *out)
{
	charge(m);
	*out = (struct machine_counters){0};
	for (u32 i = 0; i < min(m->sim->nr_programs, m->cap_program_counts); i++)
		if (m->sim->program_row[i].counted)
			counters_add(out, &m->program_count[i], false);
}

/* sp is as large as it is now. A program's figure is its largest process'. */
static void share_memory(struct machine *m, const struct space *sp, u64 payer)
{
	struct machine_counters *program;
	struct sim_share *row;
	struct vm_stat stat;
	u64 bytes;

	mm_stat(m->space[sp->id].mm, &stat);
	bytes = (stat.anon_pages + stat.file_pages + stat.shmem_pages) * PAGE_SIZE;
	program = program_count(m, payer);
	program->peak_rss_bytes = max(program->peak_rss_bytes, bytes);
	if (!payer_counts(m->sim, payer))
		return;
	row = row_share(m, payer);
	row->peak_rss_bytes = max(row->peak_rss_bytes, bytes);
}

void machine_share_memory(struct machine *m)
{
	if (m->running && machine_has(m, m->running) && m->payer != NO_PAYER)
		share_memory(m, m->running, m->payer);
}

/* ---- from here on ---- */

/* The rows are others from here on. */
static void machine_restart(struct machine *m)
{
	m->payer = NO_PAYER;
	m->charged = counters_now(m);
	for (unsigned i = 0; i < m->cap_program_counts; i++)
		m->program_count[i] = (struct machine_counters){0};
	for (unsigned i = 0; i < m->cap_row_shares; i++)
		m->row_share[i] = (struct sim_share){0};
	machine_forget(m);
}

void sim_restart(struct sim *s)
{
	for (unsigned i = 0; i < s->nr_streams; i++)
		if (s->stream[i])
			stream_run_slice(s, s->stream[i]);
	for (unsigned i = 0; i < s->nr_machines; i++)
		machine_restart(&s->machine[i]);
	s->program.instructions = s->program.data_accesses = s->program.fetch_page_changes = s->program.syscalls = 0;
	s->program.events = s->program.processes = s->program.threads = 0;
	s->nr_rows = 0;
	for (u32 i = 0; i < s->nr_programs; i++) {
		s->program_row[i].info.processes = 0;
		s->program_row[i].info.ran = (struct sim_ran){0};
	}
	for (struct process *p = s->processes; p; p = p->next) {
		p->counted = false;
		becomes(s, p, p->program, row_add(s, p->pid, p->parent_pid));
		if (p->space)
			for_each_machine_of(s, p->space, m) share_memory(m, p->space, p->payer);
	}
	timeline_begin(s);
}
