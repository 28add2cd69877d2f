/* SPDX-License-Identifier: MIT
 *
 * test/torture/trial.c - one run, in a process of its own: a panic of the simulated kernel, of the TLB oracle or of a
 * sanitizer is a failure like any other, and its first line the reason.
 *
 * After each step the outcome must be the model's, and with a host Linux's; after each call the areas must be, too.
 * When all is done each byte that the model remembers is read, everything is given back, and no frame may be left.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "play/names.h"
#include "play/probe.h"
#include "play/run.h"
#include "test/torture/torture.h"

struct runner {
	struct trial *t;
	struct model model;
	struct computer computer;
	struct host host;
	FILE *script; /* NULL: none is written */
	int current;  /* the process that runs, for the script */
	struct play_outcome got, want;
};

static bool trial_fail(struct runner *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool trial_fail(struct runner *r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(r->t->failure, sizeof(r->t->failure), format, args);
	va_end(args);
	r->t->failed = true;
	return false;
}

/* ---- which calls can be done ---- */

/* What the model can tell of: a range within one area, or one that begins in none. */
static bool mremap_applicable(const struct runner *r, const struct play_call *call)
{
	const u64 *v = call->value;
	unsigned page = (unsigned)((v[PLAY_ADDR] - MODEL_BASE) >> PAGE_SHIFT), first, end;

	if (!v[PLAY_LEN] &&
	    (!(call->flags & MREMAP_FIXED) || v[PLAY_ADDR] >> PAGE_SHIFT == v[PLAY_NEW_ADDR] >> PAGE_SHIFT))
		return false;
	return !generate_area(&r->computer, call->process, page, &first, &end) ||
	       page + (ALIGN_UP(v[PLAY_LEN], PAGE_SIZE) >> PAGE_SHIFT) <= end;
}

static bool applicable(const struct runner *r, const struct play_call *call)
{
	const struct model *m = &r->model;
	bool makes = call->op == PLAY_MEMFD || call->op == PLAY_FILE;

	if (call->op == PLAY_SPAWN)
		return !m->alive[call->process];
	if (!m->alive[call->process] || (m->doomed[call->process] && call->op != PLAY_EXIT))
		return false;
	if (call->op == PLAY_FORK)
		return !m->alive[call->other];
	if (call->op == PLAY_MREMAP)
		return mremap_applicable(r, call);
	return call->file < 0 || !r->computer.file[call->file] == makes;
}

/* ---- the machines ---- */

static bool outcomes_equal(const struct play_outcome *a, const struct play_outcome *b)
{
	return a->result == b->result && a->signal == b->signal && a->code == b->code && a->at == b->at &&
	       a->nr_data == b->nr_data && memcmp(a->data, b->data, a->nr_data) == 0;
}

/* The OOM killer's choices. Returns true when the caller is one: nothing is to be said of its call then. */
static bool doom(struct runner *r, const struct play_call *call)
{
	struct model *m = &r->model;

	for (unsigned i = 0; i < PLAY_PROCESSES; i++)
		for (unsigned k = 0; k < r->computer.nr_killed; k++)
			if (r->computer.mm[i] && mm_id(r->computer.mm[i]) == r->computer.killed[k])
				m->doomed[i] = true;
	if (r->got.signal == SIGKILL)
		m->doomed[call->process] = true;
	if (call->op == PLAY_FORK && m->doomed[call->process] && r->computer.mm[call->other])
		m->alive[call->other] = m->doomed[call->other] = true;
	return m->doomed[call->process];
}

static bool compare_host(struct runner *r, const struct play_call *call)
{
	struct play_outcome theirs;
	char a[256], b[256];

	/* Of several mistakes this Linux may name another, and it may have unmapped something by then. */
	if (call->op == PLAY_MREMAP && r->got.result < 0 && !host_has(PROBE_MREMAP_CHECKS_FIRST))
		return true;
	if (host_call(&r->host, call, &theirs)) {
		r->t->cannot = true;
		return trial_fail(r, "host: %s", r->host.error);
	}
	return outcomes_equal(&r->got, &theirs) ||
	       trial_fail(r, "the machines differ: simulated %s, Linux %s", outcome_text(call, &r->got, a),
			  outcome_text(call, &theirs, b));
}

static bool compare_areas(struct runner *r, unsigned process, const struct play_maps *ours)
{
	unsigned page = model_compare_areas(&r->model, process, ours);
	struct play_maps theirs;
	bool equal = true;

	if (page < MODEL_PAGES) {
		const struct page *p = &r->model.page[process][page];

		if (r->script)
			fprintf(r->script, "expect maps %#" PRIx64 " \"%c\"\n", model_address(page),
				p->mapped ? prot_letter(p->prot, p->shared) : '.');
		return trial_fail(r, "the area of page %u is not as it should be", page);
	}
	if (r->t->host) {
		if (host_maps(&r->host, process, &theirs))
			return trial_fail(r, "host: %s", r->host.error);
		equal = maps_equal(ours, &theirs);
		maps_free(&theirs);
	}
	return equal || trial_fail(r, "the areas are not Linux's");
}

/* After a call: the areas of who made it, and of its child. */
static bool step_areas(struct runner *r, const struct play_call *call, const struct play_maps *areas)
{
	struct play_maps child;
	bool equal;

	if (!compare_areas(r, call->process, areas))
		return false;
	if (call->op != PLAY_FORK || r->got.result)
		return true;
	computer_maps(&r->computer, call->other, &child);
	equal = compare_areas(r, call->other, &child);
	maps_free(&child);
	return equal;
}

static bool compare(struct runner *r, const struct play_call *call)
{
	bool gone = call->op == PLAY_EXIT, looks = !play_is_access(call->op) && !gone, equal;
	struct play_maps areas = {0};
	char a[256], b[256];

	if (looks)
		computer_maps(&r->computer, call->process, &areas);
	model_step(&r->model, call, &r->got, &areas, &r->want);
	equal = outcomes_equal(&r->want, &r->got) ||
		trial_fail(r, "expected %s, got %s", outcome_text(call, &r->want, a), outcome_text(call, &r->got, b));
	if (r->script)
		write_expected(call, &r->want, r->script);
	equal = equal && (!r->t->host || compare_host(r, call)) && (!looks || step_areas(r, call, &areas));
	maps_free(&areas);
	return equal;
}

static bool do_call(struct runner *r, const struct play_call *call)
{
	if (r->script) {
		r->current = write_call(call, r->current, r->script);
		fflush(r->script);
	}
	computer_call(&r->computer, call, &r->got);
	r->t->kills += r->computer.nr_killed;
	if (doom(r, call) && call->op != PLAY_EXIT) {
		if (r->script)
			write_expected(call, &r->got, r->script);
		return r->model.short_of_memory || trial_fail(r, "memory is full");
	}
	return compare(r, call);
}

/* ---- the end ---- */

/* A read that fails becomes the last call. */
static bool read_all(struct runner *r)
{
	struct play_call call = {.op = PLAY_READ, .file = -1, .nr_data = 1};
	struct play_outcome refused;

	for (unsigned i = 0; i < PLAY_PROCESSES; i++) {
		for (unsigned k = 0; k < MODEL_BYTES * MODEL_PAGES && r->model.alive[i] && !r->model.doomed[i]; k++) {
			const struct page *p = &r->model.page[i][k / MODEL_BYTES];

			if (!model_may_access(&r->model, p, PLAY_READ, 0, &refused))
				continue;
			call.process = (u8)i;
			call.value[PLAY_ADDR] = model_address(k / MODEL_BYTES) + (k % MODEL_BYTES ? PAGE_SIZE - 1 : 0);
			r->t->call[r->t->nr] = call;
			r->t->step = r->t->nr;
			computer_call(&r->computer, &call, &r->got);
			if (!doom(r, &call) && !compare(r, &call)) {
				r->t->nr++;
				if (r->script)
					r->current = write_call(&call, r->current, r->script);
				if (r->script)
					write_expected(&call, &r->want, r->script);
				return false;
			}
		}
	}
	return true;
}

static bool give_all_back(struct runner *r)
{
	struct play_call call = {.op = PLAY_EXIT, .file = -1};
	struct vm_meminfo info;

	for (unsigned i = 0; i < PLAY_PROCESSES; i++) {
		call.process = (u8)i;
		if (r->model.alive[i])
			computer_call(&r->computer, &call, &r->got);
	}
	for (unsigned i = 0; i < MODEL_FILES; i++)
		if (r->computer.file[i])
			vm_file_put(r->computer.file[i]);
	vm_meminfo(r->computer.vm, &info);
	return info.anon_frames + info.file_frames + info.table_frames + info.swap_used == 0 ||
	       trial_fail(r,
			  "left at the end: %" PRIu64 " anonymous frames, %" PRIu64 " of files, %" PRIu64
			  " of tables, %" PRIu64 " in swap",
			  info.anon_frames, info.file_frames, info.table_frames, info.swap_used);
}

/* ---- a run ---- */

/* What host_init wants to know: how many processes, which files, whether huge pages are asked for. */
static int begin_host(struct runner *r)
{
	struct statement st[MODEL_FILES + 1] = {
	    {.verb = VERB_CALL, .call = {.op = PLAY_MEMFD, .file = 0}},
	    {.verb = VERB_CALL, .call = {.op = PLAY_FILE, .file = 1}},
	    {.verb = VERB_CALL, .call = {.op = PLAY_MADVISE, .advice = MADV_HUGEPAGE}},
	};
	struct script s = {.statement = st,
			   .nr = MODEL_FILES + r->t->seed % 2,
			   .nr_files = MODEL_FILES,
			   .nr_processes = PLAY_PROCESSES};

	return host_init(&r->host, &s);
}

static bool begin(struct runner *r)
{
	struct trial *t = r->t;

	model_init(&r->model);
	r->model.populate_stops = t->machine.variant.populate_stops;
	r->model.short_of_memory = t->machine.ram_bytes < 64 << 20;
	t->failed = t->cannot = false;
	if (t->host && begin_host(r)) {
		t->cannot = true;
		return trial_fail(r, "host: %s", r->host.error);
	}
	if (computer_init(&r->computer, &t->machine, t->host ? r->host.brk : PLAY_WINDOW, NULL))
		return trial_fail(r, "no simulated computer");
	return true;
}

static bool do_all(struct runner *r, unsigned steps)
{
	struct trial *t = r->t;
	bool living;

	for (t->step = 0; t->step < (steps ? steps : t->nr); t->step++) {
		struct play_call *call = &t->call[t->step];

		living = false;
		for (unsigned i = 0; i < PLAY_PROCESSES; i++)
			living |= r->model.alive[i];
		if (steps) {
			if (!living && t->processes >= PLAY_PROCESSES)
				break;
			generate_call(t, &r->model, &r->computer, call);
			t->nr = t->step + 1;
		}
		if (applicable(r, call) && !do_call(r, call))
			return false;
	}
	return !t->whole || (read_all(r) && give_all_back(r));
}

static struct runner runner; /* a signal handler needs it */

/* A panic in the last call of a script: what should have come of it is still to be written. */
static void on_abort(int signal)
{
	struct runner *r = &runner;
	const struct play_call *call = &r->t->call[r->t->step];

	if (play_is_access(call->op)) {
		model_step(&r->model, call, &(struct play_outcome){0}, NULL, &r->want);
		write_expected(call, &r->want, r->script);
		fflush(r->script);
	}
	_exit(134);
}

static _Noreturn void trial_child(struct trial *t, unsigned steps, FILE *script)
{
	struct runner *r = &runner;

	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	r->t = t;
	r->script = script;
	if (script)
		signal(SIGABRT, on_abort);
	if (begin(r)) {
		if (do_all(r, steps))
			t->failure[0] = 0;
		computer_destroy(&r->computer);
	}
	if (t->host)
		host_destroy(&r->host);
	model_destroy(&r->model);
	if (script)
		fflush(script);
	_exit(0);
}

/* What it wrote before it stopped. */
static void read_reason(struct trial *t, int fd, int status)
{
	ssize_t n = pread(fd, t->failure, sizeof(t->failure) - 1, 0);

	if (n > 0)
		t->failure[n] = 0;
	else
		snprintf(t->failure, sizeof(t->failure), "stopped (status %#x)", (unsigned)status);
	t->failed = true;
}

bool trial_run(struct trial *t, unsigned steps, FILE *script)
{
	int status, messages = memfd_create("messages", MFD_CLOEXEC);
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		dup2(messages, 2);
		trial_child(t, steps, script);
	}
	if (pid < 0 || messages < 0 || waitpid(pid, &status, 0) != pid) {
		perror("torture");
		exit(125);
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		read_reason(t, messages, status);
	close(messages);
	return t->failed;
}
