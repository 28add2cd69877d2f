/* SPDX-License-Identifier: MIT
 *
 * play/expect.c - what a script says must be so. Each expectation is held against the simulated computer, and against
 * the host's Linux where that can tell: results, contents, signals, fault counts, areas, resident memory.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "play/names.h"
#include "play/run.h"

#define MACHINES 2
static const char *const who[MACHINES] = {"simulated", "Linux"};

/* The last outcome of each machine; how many there are. */
static unsigned outcomes(const struct run *r, const struct play_outcome *out[MACHINES])
{
	out[0] = &r->ours;
	out[1] = &r->theirs;
	return r->cfg.verify ? 2 : 1;
}

static bool number_is(struct run *r, const char *of, const char *what, u64 expected, u64 got)
{
	return got == expected || run_fail(r, "expected %s %" PRIu64 ", got %" PRIu64 " (%s)", what, expected, got, of);
}

static bool size_is(struct run *r, const char *of, const char *what, u64 expected, u64 got)
{
	char a[24], b[24];

	return got == expected ||
	       run_fail(r, "expected %s %s, got %s (%s)", what, size_text(expected, a), size_text(got, b), of);
}

/* ---- of the last step ---- */

static bool result_is(struct run *r, const struct statement *st, const char *of, const struct play_outcome *out)
{
	u64 expected = st->what == EXPECT_ERRNO ? (u64)st->number : run_value(r, &st->e[PLAY_ADDR]);
	struct play_outcome wanted = {.result = (s64)expected};
	struct play_call call = {.op = PLAY_MMAP};
	char a[256], b[256];

	if (!out->signal && !play_is_access(r->call.op) && (u64)out->result == expected)
		return true;
	return run_fail(r, "expected %s, got %s (%s)", outcome_text(&call, &wanted, a), outcome_text(&r->call, out, b),
			of);
}

/* One byte stands for every byte that was read. */
static bool bytes_are(const struct play_call *expected, const struct play_outcome *out)
{
	for (u32 i = 0; i < out->nr_data; i++)
		if (out->data[i] != expected->data[expected->nr_data == 1 ? 0 : i])
			return false;
	return expected->nr_data == 1 || out->nr_data == expected->nr_data;
}

static bool value_is(struct run *r, const struct statement *st, const char *of, const struct play_outcome *out)
{
	struct play_outcome wanted = {.nr_data = st->call.nr_data};
	struct play_call call = {.op = PLAY_READ};
	char a[256], b[256];

	memcpy(wanted.data, st->call.data, st->call.nr_data);
	if (!out->signal && (r->call.op == PLAY_READ || r->call.op == PLAY_DRAIN) && bytes_are(&st->call, out))
		return true;
	return run_fail(r, "expected %s, got %s (%s)", outcome_text(&call, &wanted, a), outcome_text(&r->call, out, b),
			of);
}

static bool resident_is(struct run *r, const struct statement *st, const char *of, const struct play_outcome *out)
{
	if (r->call.op != PLAY_MINCORE)
		return run_fail(r, "only mincore says what is resident");
	return (out->nr_data == st->call.nr_data && memcmp(out->data, st->call.data, out->nr_data) == 0) ||
	       run_fail(r, "expected resident \"%.*s\", got \"%.*s\" (%s)", (int)st->call.nr_data,
			(const char *)st->call.data, (int)out->nr_data, (const char *)out->data, of);
}

static bool signal_is(struct run *r, const struct statement *st, const char *of, const struct play_outcome *out)
{
	const char *name = name_of(signal_names, st->number, st->code);
	u64 at = run_value(r, &st->e[PLAY_ADDR]);
	char text[256];

	if (out->signal == st->number && out->code == st->code && (!st->e[PLAY_ADDR].nr || out->at == at))
		return true;
	if (!st->e[PLAY_ADDR].nr)
		return run_fail(r, "expected signal %s, got %s (%s)", name, outcome_text(&r->call, out, text), of);
	return run_fail(r, "expected signal %s at %#" PRIx64 ", got %s (%s)", name, at,
			outcome_text(&r->call, out, text), of);
}

static bool faults_are(struct run *r, const struct statement *st, const char *of, const struct play_outcome *out)
{
	return number_is(r, of, "faults", (u64)st->number, out->faults);
}

static bool on_each_outcome(struct run *r, const struct statement *st,
			    bool (*is)(struct run *, const struct statement *, const char *,
				       const struct play_outcome *))
{
	const struct play_outcome *out[MACHINES];

	for (unsigned i = 0, n = outcomes(r, out); i < n; i++)
		if (!is(r, st, who[i], out[i]))
			return false;
	return true;
}

static bool fault_is(struct run *r, const struct statement *st)
{
	int got = r->computer.last_cause;

	if (!play_is_access(r->call.op))
		return run_fail(r, "only an access has a fault");
	return got == st->number || run_fail(r, "expected fault %s, got %s", name_of(cause_names, st->number, 0),
					     name_of(cause_names, got, 0));
}

static bool counter_is(struct run *r, const struct statement *st)
{
	const struct counter_row *row = &machine_counter_rows[st->counter];
	struct machine_counters now;

	machine_counters_read(r->computer.hw, &now);
	return number_is(r, who[0], row->script, (u64)st->number,
			 counter_value(row, &now) - counter_value(row, &r->computer.before));
}

/* ---- of the current process ---- */

static bool picture_is(struct run *r, const struct statement *st, const char *of, const struct play_maps *maps)
{
	unsigned letters = 0;
	char picture[SCRIPT_TEXT];

	for (const char *c = st->text; *c; c++)
		letters += *c != '|';
	maps_picture(maps, run_value(r, &st->e[PLAY_ADDR]), st->unit, letters, picture, sizeof(picture));
	return strcmp(picture, st->text) == 0 ||
	       run_fail(r, "expected maps \"%s\", got \"%s\" (%s)", st->text, picture, of);
}

static bool rss_is(struct run *r, const struct statement *st, const char *of, const struct play_maps *maps)
{
	return size_is(r, of, "rss", run_value(r, &st->e[PLAY_ADDR]), maps->rss_bytes);
}

static bool locked_is(struct run *r, const struct statement *st, const char *of, const struct play_maps *maps)
{
	u64 bytes = 0;

	for (unsigned i = 0; i < maps->nr; i++)
		bytes += maps->area[i].locked ? maps->area[i].end - maps->area[i].start : 0;
	return size_is(r, of, "locked", run_value(r, &st->e[PLAY_ADDR]), bytes);
}

static bool on_each_maps(struct run *r, const struct statement *st,
			 bool (*is)(struct run *, const struct statement *, const char *, const struct play_maps *))
{
	unsigned process = (unsigned)r->current;
	struct play_maps maps;
	bool ok;

	computer_maps(&r->computer, process, &maps);
	ok = is(r, st, who[0], &maps);
	maps_free(&maps);
	if (!ok || !r->cfg.verify)
		return ok;
	if (host_maps(&r->host, process, &maps))
		return run_fail(r, "host: %s", r->host.error);
	ok = is(r, st, who[1], &maps);
	maps_free(&maps);
	return ok;
}

static bool memory_is(struct run *r, const struct statement *st)
{
	u64 expected = run_value(r, &st->e[PLAY_ADDR]);
	struct vm_stat stat;

	mm_stat(r->computer.mm[r->current], &stat);
	if (st->what == EXPECT_TABLES)
		return size_is(r, who[0], "tables", expected, stat.table_bytes);
	return size_is(r, who[0], "huge", expected, stat.huge_pages[0] * PMD_SIZE + stat.huge_pages[1] * PUD_SIZE);
}

/* ---- of an entry ---- */

static const char *entry_text(u64 entry, char text[128])
{
	size_t n = 0;

	text[0] = 0;
	for (const struct named *bit = pte_bit_names; bit->name; bit++)
		if (entry & (u64)bit->value)
			n += (size_t)snprintf(text + n, 128 - n, "%s%s", n ? " " : "", bit->name);
	return text;
}

static bool pte_is(struct run *r, const struct statement *st)
{
	static const char *const size[] = {"none", "4K", "2M", "1G", "512G"};
	u64 entry = 0, va = run_value(r, &st->e[PLAY_ADDR]);
	unsigned level = vm_lookup(r->computer.mm[r->current], va, &entry);
	bool present = level != 0 && entry & X86_PTE_P;
	bool ok = st->level < 0 ? !present : present && (st->level == 0 || st->level == (s32)level);
	char text[128];

	for (unsigned i = 0; i < st->nr_flags; i++)
		ok &= !(entry & st->flag[i].bit) == st->flag[i].absent;
	return ok || run_fail(r, "the entry of %#" PRIx64 " is %s: %s", va, present ? size[level] : "none",
			      entry_text(present ? entry : 0, text));
}

/* The frame that a process has at va; 0 = none. */
static u64 frame_at(const struct run *r, unsigned process, u64 va)
{
	u64 entry = 0, size;
	unsigned level = vm_lookup(r->computer.mm[process], va, &entry);

	if (level == 0 || !(entry & X86_PTE_P))
		return 0;
	size = x86_level_size(level);
	return ((entry & X86_PHYS_MASK & ~(size - 1)) | (va & (size - 1))) >> PAGE_SHIFT;
}

static bool frame_is(struct run *r, const struct statement *st)
{
	unsigned process = st->call.other == PLAY_CURRENT ? (unsigned)r->current : st->call.other;
	u64 va = run_value(r, &st->e[PLAY_ADDR]), other_va = run_value(r, &st->e[PLAY_NEW_ADDR]), frame, other;

	if (!r->alive[process])
		return run_fail(r, "process %s is not alive", r->script->process[process]);
	frame = frame_at(r, (unsigned)r->current, va);
	other = frame_at(r, process, other_va);
	return (frame && other && (frame == other) == st->number) ||
	       run_fail(r, "%#" PRIx64 " has frame %#" PRIx64 ", %#" PRIx64 " of %s has %#" PRIx64 " (0: none)", va,
			frame, other_va, r->script->process[process], other);
}

/* ---- the dispatcher ---- */

static bool needs_process(unsigned what)
{
	return what >= EXPECT_MAPS && what <= EXPECT_HUGE;
}

bool run_expect(struct run *r, const struct statement *st)
{
	if (needs_process(st->what) && r->current < 0)
		return run_fail(r, "no process runs: switch to one first");
	switch (st->what) {
	case EXPECT_RESULT:
	case EXPECT_ERRNO:
		return on_each_outcome(r, st, result_is);
	case EXPECT_VALUE:
		return on_each_outcome(r, st, value_is);
	case EXPECT_RESIDENT:
		return on_each_outcome(r, st, resident_is);
	case EXPECT_SIGNAL:
		return on_each_outcome(r, st, signal_is);
	case EXPECT_FAULT:
		return fault_is(r, st);
	case EXPECT_FAULTS:
		return on_each_outcome(r, st, faults_are);
	case EXPECT_MAPS:
		return on_each_maps(r, st, picture_is);
	case EXPECT_RSS:
		return on_each_maps(r, st, rss_is);
	case EXPECT_LOCKED:
		return on_each_maps(r, st, locked_is);
	case EXPECT_PTE:
		return pte_is(r, st);
	case EXPECT_FRAME:
		return frame_is(r, st);
	case EXPECT_COUNTER:
		return counter_is(r, st);
	default:
		return memory_is(r, st);
	}
}
