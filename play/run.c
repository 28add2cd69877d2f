/* SPDX-License-Identifier: MIT
 *
 * play/run.c - one statement after the other.
 *
 * Rules
 *  1. A step that ends in an error or a signal must be expected by the next statement, which says so with -ERRNO,
 *     result or signal. What nobody expected is a failure: a script says all that goes wrong in it.
 *  2. Where the script leaves an address to the kernel, the simulated kernel chooses, and the host is told to take the
 *     same place: so addresses are equal, and whether the choice is Linux's is another test's business
 *     (test/mm/place_host.c).
 *  3. After each step, result, signal, contents and areas of both machines must be equal.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "play/names.h"
#include "play/probe.h"
#include "play/run.h"

bool run_fail(struct run *r, const char *format, ...)
{
	va_list args;

	r->failed_line = r->st->line;
	va_start(args, format);
	vsnprintf(r->failure, sizeof(r->failure), format, args);
	va_end(args);
	return false;
}

/* ---- values ---- */

u64 run_value(const struct run *r, const struct expr *e)
{
	u64 sum = 0;

	for (unsigned i = 0; i < e->nr; i++) {
		u64 term = e->term[i].name < 0 ? e->term[i].number : r->value[e->term[i].name];

		sum = e->term[i].minus ? sum - term : sum + term;
	}
	return sum;
}

static void resolve(const struct run *r, const struct statement *st, struct play_call *call)
{
	*call = st->call;
	for (unsigned i = 0; i < PLAY_NR_VALUES; i++)
		call->value[i] = run_value(r, &st->e[i]);
	if (call->op != PLAY_SPAWN && call->op != PLAY_SWITCH)
		call->process = (u8)r->current;
}

static bool is_error(s64 result)
{
	return result < 0 && result >= -4095;
}

const char *outcome_text(const struct play_call *call, const struct play_outcome *out, char text[256])
{
	const char *name;
	size_t n;

	if (out->signal) {
		name = name_of(signal_names, out->signal, out->code);
		snprintf(text, 256, "signal %s at %#" PRIx64, name ? name : "of another kind", out->at);
	} else if (call->op == PLAY_READ || (call->op == PLAY_DRAIN && !is_error(out->result))) {
		n = (size_t)snprintf(text, 256, "value");
		for (u32 i = 0; i < out->nr_data && n < 200; i++)
			n += (size_t)snprintf(text + n, 256 - n, " %u", out->data[i]);
	} else if (is_error(out->result)) {
		name = name_of(errno_names, -out->result, 0);
		snprintf(text, 256, name ? "-%s" : "an unknown errno", name);
	} else if (call->op == PLAY_MINCORE && out->nr_data) {
		snprintf(text, 256, "resident \"%.*s\"", (int)out->nr_data, (const char *)out->data);
	} else {
		snprintf(text, 256, out->result ? "%#" PRIx64 : "ok", (u64)out->result);
	}
	return text;
}

void computer_maps(const struct computer *c, unsigned process, struct play_maps *out)
{
	struct vm_area_info info;
	struct vm_stat stat;

	*out = (struct play_maps){0};
	for (u64 va = 0; vm_area_next(c->mm[process], va, &info); va = info.end) {
		maps_add(out, info.start, info.end, info.prot, info.shared);
		out->area[out->nr - 1].locked = info.locked;
	}
	mm_stat(c->mm[process], &stat);
	out->rss_bytes = (stat.anon_pages + stat.file_pages + stat.shmem_pages) << PAGE_SHIFT;
}

/* ---- the other machine ---- */

/* Rule 2. */
static void place_on_host(struct play_call *call, const struct play_outcome *ours)
{
	if (is_error(ours->result))
		return;
	if (call->op == PLAY_MMAP && !(call->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))) {
		call->value[PLAY_ADDR] = (u64)ours->result;
		/* MAP_SHARED_VALIDATE knows no MAP_FIXED_NOREPLACE */
		call->flags |= (call->flags & 0xf) == 3 ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	}
	if (call->op == PLAY_MREMAP && call->flags & MREMAP_MAYMOVE && !(call->flags & MREMAP_FIXED) &&
	    (u64)ours->result != call->value[PLAY_ADDR]) {
		call->value[PLAY_NEW_ADDR] = (u64)ours->result;
		call->flags |= MREMAP_FIXED;
	}
}

static bool outcomes_equal(const struct play_outcome *a, const struct play_outcome *b)
{
	return a->result == b->result && a->signal == b->signal && a->code == b->code && a->at == b->at &&
	       a->nr_data == b->nr_data && memcmp(a->data, b->data, a->nr_data) == 0;
}

static bool compare_maps(struct run *r, unsigned process)
{
	struct play_maps ours, theirs;
	char a[4096] = "", b[4096] = "";
	FILE *out;
	bool equal;

	if (host_maps(&r->host, process, &theirs))
		return run_fail(r, "host: %s", r->host.error);
	computer_maps(&r->computer, process, &ours);
	equal = maps_equal(&ours, &theirs);
	for (unsigned i = 0; i < 2 && !equal; i++) {
		out = fmemopen(i ? b : a, sizeof(a) / 8, "w");
		maps_print(i ? &theirs : &ours, "    ", out);
		fclose(out);
	}
	maps_free(&ours);
	maps_free(&theirs);
	return equal || run_fail(r, "the areas differ\n  simulated:\n%.450s  Linux:\n%.450s", a, b);
}

static bool verify(struct run *r)
{
	struct play_call call = r->call;
	char a[256], b[256];

	if (r->ours.signal == SIGKILL)
		return run_fail(r, "the simulated memory is full; Linux's is not");
	place_on_host(&call, &r->ours);
	if (host_call(&r->host, &call, &r->theirs))
		return run_fail(r, "host: %s", r->host.error);
	if (!outcomes_equal(&r->ours, &r->theirs))
		return run_fail(r, "the machines differ: simulated %s, Linux %s", outcome_text(&call, &r->ours, a),
				outcome_text(&call, &r->theirs, b));
	if (call.op == PLAY_EXIT || r->trouble)
		return true;
	return compare_maps(r, call.op == PLAY_FORK ? call.other : call.process);
}

/* ---- steps ---- */

static bool file_ready(struct run *r, const struct play_call *call)
{
	bool makes = call->op == PLAY_MEMFD || call->op == PLAY_FILE;
	bool disk = call->op == PLAY_FILE || (call->op == PLAY_RESIZE && r->computer.disk[call->file].at);

	if ((makes || call->op == PLAY_RESIZE) && call->value[PLAY_LEN] > (disk ? PLAY_FILE_BYTES : PLAY_MEMFD_BYTES))
		return run_fail(r, disk ? "a file of a disk has at most 64M" : "a memfd has at most 2^63 - 1 bytes");
	if (call->op == PLAY_RESIZE || (call->op == PLAY_MMAP && call->file >= 0))
		return r->computer.file[call->file] || run_fail(r, "the file could not be made");
	return true;
}

static bool process_ready(struct run *r, const struct play_call *call)
{
	if (call->op == PLAY_SPAWN || call->op == PLAY_SWITCH)
		return call->op == PLAY_SPAWN || r->alive[call->process] ||
		       run_fail(r, "process %s is not alive", r->script->process[call->process]);
	return r->current >= 0 || run_fail(r, "no process runs: switch to one first");
}

static void follow_processes(struct run *r)
{
	const struct play_call *call = &r->call;

	if (is_error(r->ours.result))
		return;
	if (call->op == PLAY_SPAWN || call->op == PLAY_SWITCH)
		r->current = call->process;
	if (call->op == PLAY_EXIT)
		r->current = -1;
	r->alive[call->process] = call->op != PLAY_EXIT;
	if (call->op == PLAY_FORK)
		r->alive[call->other] = true;
}

static bool run_call(struct run *r, const struct statement *st)
{
	resolve(r, st, &r->call);
	if (!process_ready(r, &r->call) || !file_ready(r, &r->call))
		return false;
	if (r->call.op == PLAY_MINCORE && r->call.value[PLAY_LEN] > PLAY_DATA * PAGE_SIZE &&
	    r->call.value[PLAY_LEN] < 1ull << 47)
		return run_fail(r, "mincore of more than %d pages", PLAY_DATA);
	if (play_is_access(r->call.op) && r->call.value[PLAY_OVER] > PLAY_WINDOW)
		return run_fail(r, "over: too long");
	computer_call(&r->computer, &r->call, &r->ours);
	r->trouble = r->ours.signal != 0 || is_error(r->ours.result);
	if (st->target >= 0)
		r->value[st->target] = (u64)r->ours.result;
	if (r->cfg.verify && !verify(r))
		return false;
	follow_processes(r);
	return true;
}

static bool expects_trouble(const struct statement *st)
{
	return st->verb == VERB_EXPECT &&
	       (st->what == EXPECT_ERRNO || st->what == EXPECT_SIGNAL || st->what == EXPECT_RESULT);
}

/* Rule 1. */
static bool trouble_expected(struct run *r, const struct statement *st)
{
	char text[256];

	if (!r->trouble)
		return true;
	r->trouble = false;
	if (st && expects_trouble(st))
		return true;
	return run_fail(r, "unexpected: %s", outcome_text(&r->call, &r->ours, text));
}

static bool run_show(struct run *r, const struct statement *st)
{
	if (r->current < 0)
		return run_fail(r, "no process runs");
	if (r->cfg.quiet)
		return true;
	switch (st->what) {
	case SHOW_TABLES:
		show_tables(&r->computer, (unsigned)r->current, r->cfg.out);
		break;
	case SHOW_TLB:
		show_tlb(&r->computer, (unsigned)r->current, r->cfg.out);
		break;
	case SHOW_MAPS:
		show_maps(&r->computer, (unsigned)r->current, r->cfg.out);
		break;
	default:
		show_counters(&r->computer, r->cfg.out);
		break;
	}
	return true;
}

static bool run_statement(struct run *r, const struct statement *st)
{
	if (st->verb != VERB_QUESTION && !trouble_expected(r, st))
		return false;
	r->st = st;
	switch (st->verb) {
	case VERB_CALL:
		return run_call(r, st);
	case VERB_SET:
		r->value[st->target] = run_value(r, &st->e[PLAY_ADDR]);
		return true;
	case VERB_EXPECT:
		return run_expect(r, st);
	case VERB_SHOW:
		return run_show(r, st);
	default:
		if (!r->cfg.quiet)
			fprintf(r->cfg.out, "\nQuestion: %s\n", st->text);
		return true;
	}
}

/* ---- telling ---- */

static void tell_result(const struct run *r, const struct statement *st)
{
	char text[256];

	if (st->verb == VERB_CALL)
		fprintf(r->cfg.out, "        => %s\n", outcome_text(&r->call, &r->ours, text));
	if (st->verb == VERB_EXPECT)
		fprintf(r->cfg.out, "        as expected\n");
}

static bool run_and_tell(struct run *r, const struct statement *st)
{
	bool ok;

	if (!r->cfg.step)
		return run_statement(r, st);
	if (st->answer && !r->cfg.answered)
		fprintf(r->cfg.out, "\n%4u  answer ... (yours: quire play --answer ANSWER FILE)\n", st->line);
	else
		fprintf(r->cfg.out, "\n%4u  %s\n", st->line, st->source);
	step_begin(&r->step);
	ok = run_statement(r, st);
	step_end(&r->step);
	if (ok)
		tell_result(r, st);
	fflush(r->cfg.out);
	if (r->cfg.seen)
		r->cfg.seen(r->cfg.ctx, r);
	return ok;
}

/* ---- the whole ---- */

/* The machine's swap device becomes one as this Linux has: zram, or the standard one, a disk. */
static void host_swap_device(struct machine_config *m)
{
	enum probe_answer cached = host_answer(PROBE_SWAP_CACHED);

	if (cached != PROBE_UNKNOWN)
		m->swap_device = cached == PROBE_YES ? &swap_devices[0] : swap_device_find("zram");
}

static int start(struct run *r)
{
	struct machine_config machine = r->script->machine;
	u64 brk = PLAY_WINDOW;

	if (r->cfg.verify) {
		if (host_init(&r->host, r->script)) {
			snprintf(r->failure, sizeof(r->failure), "%s", r->host.error);
			return RUN_CANNOT;
		}
		brk = r->host.brk;
		host_variant(&machine.variant, r->script->variant_said);
		if (!r->script->swap_device_said)
			host_swap_device(&machine);
	}
	if (computer_init(&r->computer, &machine, brk, r->cfg.step ? &r->step : NULL)) {
		snprintf(r->failure, sizeof(r->failure), "no memory for the simulated computer");
		return RUN_CANNOT;
	}
	return RUN_PASS;
}

int run_script(struct run *r, const struct script *s, const struct run_config *cfg)
{
	int result;

	*r = (struct run){.script = s, .cfg = *cfg, .alive = {true}};
	r->cfg.out = r->step.out = cfg->out ? cfg->out : stdout;
	result = start(r);
	if (result == RUN_PASS) {
		for (unsigned i = 0; i < s->nr && result == RUN_PASS; i++)
			if (!run_and_tell(r, &s->statement[i]))
				result = RUN_FAIL;
		if (result == RUN_PASS && !trouble_expected(r, NULL))
			result = RUN_FAIL;
		computer_destroy(&r->computer);
	}
	if (result == RUN_FAIL && cfg->verify && host_was_disturbed(&r->host)) {
		snprintf(r->failure, sizeof(r->failure),
			 "this Linux was short of huge pages, or khugepaged made one meanwhile");
		result = RUN_CANNOT;
	}
	if (cfg->verify)
		host_destroy(&r->host);
	return result;
}
