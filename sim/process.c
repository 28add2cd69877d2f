/* SPDX-License-Identifier: MIT
 *
 * sim/process.c - the program's side: processes, threads, address spaces and files, from the events' words.
 *
 *   fork:  a new process in a new space, copied from the parent's, in every machine
 *   vfork: a new process in the parent's space (EVF_VM), until it calls exec or exits
 *   exec:  the process gets a new, empty space; the old one is left, and torn down when nobody else is in it
 *
 * exec's own page faults, in the order in which Linux takes them (fs/exec.c copy_strings, fs/binfmt_elf.c padzero and
 * create_elf_tables): the argument and environment strings are copied through get_user_pages, which counts as a minor
 * fault of the process but is no exception; then the kernel clears the end of bss and writes argc, the pointers and
 * auxv below the strings, with ordinary page faults in kernel mode.
 *
 * Invariants
 *  1. space.users = the processes in it; a space without any is gone.
 *  2. process.threads = the live streams attached. A forked process that no stream has joined yet has none, and lives.
 *  3. In every machine that runs, a space has an mm exactly as long as it lives here, or until the OOM killer ended it
 *     there; a number that no space has, has none.
 *  4. A bit of cpus_used is set exactly while a live stream has that CPU.
 */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "sim/internal.h"
#include "trace/calls.h"
#include "sim/xalloc.h"

#define ADVICE_SOFT_OFFLINE 101 /* not in every libc */

#define MAX_PROCESSES       32768

/* ---- spaces ---- */

static struct space *space_new(struct sim *s, const struct process *p)
{
	struct space *sp = xcalloc(1, sizeof(*sp));
	unsigned id = 0;

	while (id < s->nr_spaces && s->space[id])
		id++;
	if (id == s->nr_spaces) {
		if (s->nr_spaces == s->cap_spaces)
			s->space = xgrow(s->space, &s->cap_spaces, sizeof(*s->space));
		s->nr_spaces++;
	}
	s->space[id] = sp;
	sp->id = id;
	sp->users = 1;
	sp->pid = p->pid;
	region_map_init(&sp->map, p->program);
	return sp;
}

static void space_put(struct sim *s, struct space *sp)
{
	if (!sp)
		return;
	ASSERT(sp->users > 0 && s->space[sp->id] == sp);
	if (--sp->users > 0)
		return;
	for_each_machine_of(s, sp, m) machine_space_destroy(m, sp);
	region_map_free(&sp->map);
	s->space[sp->id] = NULL;
	free(sp);
}

/* ---- processes and threads ---- */

struct process *process_find(const struct sim *s, u64 pid)
{
	for (struct process *p = s->processes; p; p = p->next)
		if (p->pid == pid)
			return p;
	return NULL;
}

static struct process *process_new(struct sim *s, u64 pid, const struct process *parent, u64 parent_pid)
{
	struct process *p = xcalloc(1, sizeof(*p));

	p->pid = pid;
	p->next = s->processes;
	s->processes = p;
	program_begin(s, p, parent, parent_pid);
	return p;
}

static void process_free(struct sim *s, struct process *p)
{
	struct process **at = &s->processes;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	space_put(s, p->space);
	free(p);
}

bool sim_began(const struct sim *s)
{
	return s->next_serial > 0;
}

unsigned sim_processes(const struct sim *s)
{
	unsigned n = 0;

	for (const struct process *p = s->processes; p; p = p->next)
		n++;
	return n;
}

void process_free_all(struct sim *s)
{
	while (s->processes)
		process_free(s, s->processes);
}

/* The lowest free CPU; when none is left the threads share. */
static unsigned cpu_take(struct sim *s, u64 serial)
{
	unsigned cpu = ~s->cpus_used ? (unsigned)__builtin_ctzll(~s->cpus_used) : serial % HW_SOFT_CPUS;

	s->cpus_used |= 1ull << cpu;
	return cpu;
}

static void cpu_give(struct sim *s, unsigned cpu)
{
	for (unsigned i = 0; i < s->nr_streams; i++)
		if (s->stream[i] && s->stream[i]->state == STREAM_LIVE && s->stream[i]->cpu == cpu)
			return;
	s->cpus_used &= ~(1ull << cpu);
}

int process_thread(struct sim *s, struct stream *t, const struct ev_thread *e)
{
	struct process *p = process_find(s, e->pid);

	if (!p)
		p = process_new(s, e->pid, NULL, e->parent_pid);
	p->threads++;
	t->process = p;
	t->tid = e->tid;
	t->serial = ++s->next_serial;
	t->cpu = cpu_take(s, t->serial);
	t->counts = (struct ev_counts){0};
	t->state = STREAM_LIVE;
	program_thread(s, p);
	return 0;
}

static unsigned count_unjoined(const struct sim *s)
{
	unsigned n = 0;

	for (const struct process *p = s->processes; p; p = p->next)
		n += p->threads == 0;
	return n;
}

int process_fork(struct sim *s, struct stream *t, const struct ev_fork *e)
{
	struct process *parent = t->process, *old = process_find(s, e->child_pid), *child;

	if (!parent->space || (old && old->threads == 0) || count_unjoined(s) >= MAX_PROCESSES)
		return -1;
	child = process_new(s, e->child_pid, parent, 0);
	if (e->flags & EVF_VM) {
		child->space = parent->space;
		child->space->users++;
		return 0;
	}
	s->program.forks++;
	child->forked = true;
	child->space = space_new(s, child);
	child->space->brk_start = parent->space->brk_start;
	child->space->brk = parent->space->brk;
	region_map_fork(&child->space->map, &parent->space->map);
	for_each_machine_of(s, parent->space, m) machine_space_fork(m, t, child->space);
	return 0;
}

/* The first program names are kept for the report. */
static void note_left(struct sim_program *program, const char *name)
{
	if (program->execs_left < ARRAY_SIZE(program->left_names))
		strncpy(program->left_names[program->execs_left], name[0] ? name : "?",
			sizeof(program->left_names[0]) - 1);
	program->execs_left++;
}

int process_exit(struct sim *s, struct stream *t, unsigned how, const char *name)
{
	struct process *p = t->process;

	if (how == EVX_EXEC)
		note_left(&s->program, name);
	else if (how == EVX_LOST)
		s->program.lost++;
	if (p->space)
		for_each_machine_of(s, p->space, m) machine_thread_exit(m, t);
	t->state = STREAM_FRESH;
	t->process = NULL;
	cpu_give(s, t->cpu);
	ASSERT(p->threads > 0);
	if (--p->threads == 0)
		process_free(s, p);
	return 0;
}

/* ---- exec ---- */

int process_exec(struct sim *s, struct stream *t, const struct ev_exec *e, const char *path)
{
	struct space *old = t->process->space, *sp;

	s->program.forks_exec += t->process->forked;
	t->process->forked = false;
	program_exec(s, t->process, e->dev, e->ino, path);
	sp = space_new(s, t->process);
	for_each_machine(s, m) if (!old || machine_has(m, old)) machine_space_create(m, t, sp);
	t->process->space = sp;
	space_put(s, old);
	return 0;
}

static void touch_all(struct sim *s, struct stream *t, u64 start, u64 len, bool write)
{
	for_each_machine_of(s, t->process->space, m) machine_touch(m, t, start, len, write);
}

int process_exec_done(struct sim *s, struct stream *t, const struct ev_exec_done *e)
{
	struct space *sp = t->process->space;

	sp->brk_start = sp->brk = e->brk_start;
	for_each_machine_of(s, sp, m)
	{
		if (e->brk_start)
			machine_set_brk(m, sp, e->brk_start);
		if (e->strings_len)
			machine_populate(m, t, e->strings_start, e->strings_len);
	}
	touch_all(s, t, e->bss_clear_start, e->bss_clear_len, true);
	touch_all(s, t, e->interp_clear_start, e->interp_clear_len, true);
	if (e->sp < e->strings_start)
		touch_all(s, t, e->sp, e->strings_start - e->sp, true);
	return 0;
}

/* ---- maps ---- */

/* Files without a disk behind them, by the names that Linux gives them. */
static bool path_is_shmem(const char *path)
{
	static const char *const prefix[] = {"/memfd:", "/dev/zero", "/dev/shm/", "/SYSV"};

	for (unsigned i = 0; i < ARRAY_SIZE(prefix); i++)
		if (strncmp(path, prefix[i], strlen(prefix[i])) == 0)
			return true;
	return false;
}

/* Index of the file with this identity; nr_files: there is none. */
static unsigned file_index(const struct sim *s, u64 dev, u64 ino)
{
	unsigned i = 0;

	while (i < s->nr_files && (s->file[i].dev != dev || s->file[i].ino != ino))
		i++;
	return i;
}

static void file_resize(struct sim *s, struct stream *t, unsigned i, u64 size)
{
	if (s->file[i].size == size)
		return;
	s->file[i].size = size;
	for_each_machine(s, m) machine_file_resize(m, t, i);
}

/* The file that is mapped, made or brought up to date. */
static unsigned file_find(struct sim *s, struct stream *t, const struct ev_map *e, const char *path)
{
	unsigned i = file_index(s, e->dev, e->ino);

	if (i == s->nr_files) {
		if (s->nr_files == s->cap_files)
			s->file = xgrow(s->file, &s->cap_files, sizeof(*s->file));
		s->file[s->nr_files++] =
		    (struct file){e->dev, e->ino, e->size, path_is_shmem(path), !e->dev && !strcmp(path, "[vvar]")};
	} else {
		file_resize(s, t, i, e->size);
	}
	return i;
}

/* Files that nobody has mapped yet are no business of the machines. */
int process_file_size(struct sim *s, struct stream *t, const struct ev_file_size *e)
{
	unsigned i = file_index(s, e->dev, e->ino);

	if (i < s->nr_files)
		file_resize(s, t, i, e->size);
	return 0;
}

int process_file_hole(struct sim *s, struct stream *t, const struct ev_file_hole *e)
{
	unsigned i = file_index(s, e->dev, e->ino);

	if (i < s->nr_files)
		for_each_machine(s, m) machine_file_punch(m, t, i, e->start, e->len);
	return 0;
}

static struct region_area area_make(const struct ev_map *e, const char *path, u64 evm)
{
	struct region_area a = {.start = e->start, .end = e->start + e->len};

	if (evm & EVM_STACK) {
		a.kind = REGION_STACK;
		a.name = "[stack]";
		a.grows_to = a.end - min(max(e->stack_rlimit, e->len), a.end - PAGE_SIZE);
	} else if (e->dev | e->ino) {
		a.kind = e->prot & PROT_EXEC ? REGION_FILE_TEXT : REGION_FILE_DATA;
		a.name = path[0] ? path : "[file]";
		a.shared = (e->flags & MAP_TYPE) != MAP_PRIVATE;
	} else if (e->flags & MAP_STACK) {
		a.kind = REGION_STACK;
		a.name = "[thread stack]";
	} else {
		static const char *const names[2][2] = {{"[shared anon]", "[shared anon_hugepage]"},
							{"[anon]", "[anon_hugepage]"}};

		a.kind = REGION_ANON;
		a.name = names[(e->flags & MAP_TYPE) == MAP_PRIVATE][(e->flags & MAP_HUGETLB) != 0];
	}
	return a;
}

int process_map(struct sim *s, struct stream *t, const struct ev_map *e, const char *path, u64 evm)
{
	bool is_file = (e->dev | e->ino) != 0;
	struct region_area area = area_make(e, path, evm);
	struct ev_map fixed = *e;
	int file = is_file ? (int)file_find(s, t, e, path) : -1;

	fixed.flags = (e->flags | MAP_FIXED) & ~(u64)MAP_FIXED_NOREPLACE;
	fixed.flags = is_file ? fixed.flags & ~(u64)MAP_ANONYMOUS : fixed.flags | MAP_ANONYMOUS;
	region_map_add(&s->regions, &t->process->space->map, &area);
	for_each_machine_of(s, t->process->space, m) machine_map(m, t, &fixed, file, evm & EVM_STACK);
	return 0;
}

int process_unmap(struct sim *s, struct stream *t, const struct ev_range *e)
{
	for_each_machine_of(s, t->process->space, m) machine_unmap(m, t, e->start, e->len);
	region_map_cut(&t->process->space->map, e->start, e->start + ALIGN_UP(e->len, PAGE_SIZE));
	return 0;
}

int process_protect(struct sim *s, struct stream *t, const struct ev_range *e, unsigned prot)
{
	for_each_machine_of(s, t->process->space, m) machine_protect(m, t, e->start, e->len, prot);
	return 0;
}

int process_remap(struct sim *s, struct stream *t, const struct ev_remap *e)
{
	u64 old_end = e->old_start + ALIGN_UP(e->old_len, PAGE_SIZE);
	u64 new_end = e->new_start + ALIGN_UP(e->new_len, PAGE_SIZE);

	if (e->flags & MREMAP_DONTUNMAP)
		old_end = e->old_start;
	region_map_move(&s->regions, &t->process->space->map, e->old_start, old_end, e->new_start, new_end);
	for_each_machine_of(s, t->process->space, m) machine_remap(m, t, e);
	return 0;
}

int process_brk(struct sim *s, struct stream *t, const struct ev_range *e)
{
	struct space *sp = t->process->space;
	u64 brk = e->start + e->len, old_end, new_end = ALIGN_UP(brk, PAGE_SIZE);

	if (sp->brk_start == 0) {
		sp->brk_start = sp->brk = e->start;
		for_each_machine_of(s, sp, m) machine_set_brk(m, sp, e->start);
	}
	if (brk < sp->brk_start)
		return -1;
	old_end = ALIGN_UP(sp->brk, PAGE_SIZE);
	if (new_end > old_end) {
		struct region_area area = {old_end, new_end, "[heap]", REGION_HEAP, 0, false};

		region_map_add(&s->regions, &sp->map, &area);
	}
	for_each_machine_of(s, sp, m) machine_brk(m, t, sp->brk, brk);
	region_map_cut(&sp->map, new_end, old_end);
	sp->brk = brk;
	return 0;
}

/* Advice about what no simulated kernel has: pages of equal contents (KSM), memory that fails. */
static bool advice_means_nothing(int advice)
{
	return advice == MADV_MERGEABLE || advice == MADV_UNMERGEABLE || advice == MADV_HWPOISON ||
	       advice == ADVICE_SOFT_OFFLINE;
}

int process_advise(struct sim *s, struct stream *t, const struct ev_range *e, int advice)
{
	if (advice == MADV_HUGEPAGE)
		region_map_madvise(&s->regions, &t->process->space->map, e->start, e->start + e->len);
	if (advice_means_nothing(advice))
		return 0;
	for_each_machine_of(s, t->process->space, m) machine_advise(m, t, e->start, e->len, advice);
	return 0;
}

void process_refused(struct sim *s, const struct ev_refused *e)
{
	struct sim_program *p = &s->program;
	struct sim_refused new = {.operation = e->operation, .error = (int)min(e->error, 4095ull), .times = 1};

	snprintf(new.name, sizeof(new.name), "%s", calls_name(e->nr));
	if (!new.name[0])
		snprintf(new.name, sizeof(new.name), "%llu", (unsigned long long)e->nr);
	for (unsigned i = 0; i < p->nr_refused; i++) {
		struct sim_refused *r = &p->refused[i];

		if (strcmp(r->name, new.name) == 0 && r->operation == new.operation && r->error == new.error) {
			r->times++;
			return;
		}
	}
	if (p->nr_refused < ARRAY_SIZE(p->refused))
		p->refused[p->nr_refused++] = new;
	else
		p->refused_more++;
}

int process_touch(struct sim *s, struct stream *t, const struct ev_touch *e, unsigned rwx)
{
	touch_all(s, t, e->start, e->len, rwx & EVR_WRITE);
	return 0;
}
