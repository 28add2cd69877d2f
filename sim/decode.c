/* SPDX-License-Identifier: MIT
 *
 * sim/decode.c - a stream of words becomes events. The words come from a process that may be wild: any bytes are
 * possible, and may change while they are read. So each word is copied once and checked in the copy; nothing is used
 * that was not checked here.
 *
 * A bad event costs that event: it is counted by its kind (sim_program.dropped), and the thread goes on. Only where it
 * is not known any more which word begins the next event, the stream is closed (sim_program.malformed): at the header
 * of a long event whose type is unknown, or whose number of words is not its type's.
 *
 *   words --> run of EV_ENTER --> batch[] --> machine by machine, each its whole batch: its TLBs stay cached
 *        \--> long event      --> part[]  --> process.c
 *
 * What is bad, by kind. An address or length that a program gave to a call which succeeded is never bad; what our own
 * kernel answers differently is a mismatch, not counted here.
 *   any but EV_THREAD        of nobody: before EV_THREAD, after EV_EXIT. There EV_COUNTS, EV_CLOCK and EV_EXIT are
 * good, and nothing: a will comes after the end when the process went between EV_EXIT and close what touches or maps of
 * a process without an address space: before its first EV_EXEC EV_ENTER                 no kind, or two; a slot of the
 * other kind's window. Any page is good: a wild pointer of the program is its fault, and taken as one
 *   EV_COUNTS                a total that falls
 *   EV_THREAD                while the thread lives
 *   EV_FORK                  of a child that is awaited already, or beside too many such
 *   EV_TOUCH                 outside user space; longer than any call moves; neither read nor write, or both
 *   EV_MAP                   outside user space, at 0, empty, not whole pages; a file position beyond 2^63
 *   EV_REMAP                 either range outside user space; the new one empty or at 0; no page's start
 *   EV_UNMAP, EV_PROTECT,    outside user space
 *   EV_ADVISE, EV_LOCK,
 *   EV_SYNC
 *   EV_BRK                   outside user space, or below the heap's start
 *   EV_EXEC_DONE             any of its ranges outside user space, or longer than any call moves
 *   EV_FILE_SIZE,            beyond 2^63
 *   EV_FILE_HOLE
 *   EV_EXEC, EV_EXIT,        never: a number unknown here stands for itself, a long sleep for a year
 *   EV_CLOCK, EV_SYSCALL,
 *   EV_SLEPT, EV_REFUSED,
 *   EV_THP_DISABLE
 *
 * Invariants, of a stream
 *  1. It has a process exactly while it is STREAM_LIVE; that process lives.
 *  2. Accesses are put by (slice[]) only while its process has a space, and are fewer than a slice.
 *  3. part[] holds at most one event, and its header has been checked.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/internal.h"
#include "sim/xalloc.h"

#define FILE_MAX     (1ull << 63) /* file positions and sizes are signed 64-bit numbers */
#define MAX_SLEEP_US (86400ull * 365 * 1000000)
#define MAX_TOUCH    0x7ffff000ull /* bytes: Linux's limit of one read or write (MAX_RW_COUNT) */

/* ---- short events ---- */

/* rwx: exactly read, write or both, with a data slot; or fetch, with a fetch slot. Or nothing but a slot to vacate. */
static bool enter_valid(u64 w)
{
	unsigned rwx = ev_enter_rwx(w), slot = ev_enter_slot(w);
	bool fetch = slot >= MMU_WINDOW_DATA;

	if (ev_is_leave(w))
		return w == ev_leave_make(slot);
	return fetch ? rwx == EVR_FETCH : rwx >= EVR_READ && rwx < EVR_FETCH;
}

void stream_run_slice(struct sim *s, struct stream *t)
{
	unsigned n = t->nr_slice;

	t->nr_slice = 0;
	if (n != 0)
		for_each_machine_of(s, t->process->space, m) machine_run(m, t, t->slice, n);
}

/* batch[0..len) joins the slice, which is carried out each time that it is whole. */
static void put_by(struct sim *s, struct stream *t, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (t->nr_slice == t->cap_slice) /* of thousands of threads hardly any fills one */
			t->slice = xgrow(t->slice, &t->cap_slice, sizeof(*t->slice));
		t->slice[t->nr_slice++] = s->batch[i];
		if (t->nr_slice == SIM_SLICE)
			stream_run_slice(s, t);
	}
}

/* t changes its space's mappings: what others have put by there happened before. */
static void run_slices_of_space(struct sim *s, const struct stream *t)
{
	for (unsigned i = 0; i < s->nr_streams; i++) {
		struct stream *other = s->stream[i];

		if (other && other->nr_slice != 0 && other->process->space == t->process->space)
			stream_run_slice(s, other);
	}
}

static void drop(struct sim *s, unsigned type)
{
	s->program.dropped[type]++;
}

/* Takes the run of EV_ENTER words at the start of words[0..n), at most a batch, of which `w` is the first, as it was
 * read. Returns its length. */
static size_t take_enters(struct sim *s, struct stream *t, u64 w, const volatile u64 *words, size_t n)
{
	bool somebody = t->state == STREAM_LIVE && t->process->space;
	bool counts = somebody && program_counts(s, t->process);
	size_t taken = 0, len = 0, left = 0;

	n = min(n, (size_t)SIM_BATCH);
	do {
		if (somebody && enter_valid(w)) {
			left += ev_is_leave(w);
			s->batch[len++] = w;
		} else {
			drop(s, EV_ENTER);
		}
	} while (++taken < n && !((w = words[taken]) & 1));
	if (counts)
		s->program.events += len - left;
	if (counts && len > 0)
		heat_enters(s, t->process->space->map.program, s->batch, len);
	if (s->sliced)
		put_by(s, t, len);
	else if (len > 0)
		for_each_machine_of(s, t->process->space, m) machine_run(m, t, s->batch, len);
	return taken;
}

/* ---- long events ---- */

static bool range_valid(u64 start, u64 len)
{
	return start < SIM_TASK_SIZE && len <= SIM_TASK_SIZE - start;
}

static bool file_hole_valid(const struct ev_file_hole *e)
{
	return e->start < FILE_MAX && e->len <= FILE_MAX - e->start;
}

static bool map_valid(const struct ev_map *e)
{
	return range_valid(e->start, e->len) && e->len > 0 && e->start >= PAGE_SIZE &&
	       IS_ALIGNED(e->start | e->len | e->offset, PAGE_SIZE) && e->size < FILE_MAX &&
	       e->offset <= FILE_MAX - e->len;
}

static bool remap_valid(const struct ev_remap *e)
{
	return range_valid(e->old_start, e->old_len) && range_valid(e->new_start, e->new_len) && e->new_len > 0 &&
	       e->new_start >= PAGE_SIZE && IS_ALIGNED(e->old_start | e->new_start, PAGE_SIZE);
}

static bool touch_valid(const struct ev_touch *e, u64 arg)
{
	return range_valid(e->start, e->len) && e->len <= MAX_TOUCH && (arg == EVR_READ || arg == EVR_WRITE);
}

static bool exec_done_valid(const struct ev_exec_done *e)
{
	return range_valid(e->sp, 0) && range_valid(e->strings_start, e->strings_len) && e->strings_len <= MAX_TOUCH &&
	       range_valid(e->bss_clear_start, e->bss_clear_len) && e->bss_clear_len <= MAX_TOUCH &&
	       range_valid(e->interp_clear_start, e->interp_clear_len) && e->interp_clear_len <= MAX_TOUCH &&
	       range_valid(e->brk_start, 0) && (e->sp >= e->strings_start || e->strings_start - e->sp <= MAX_TOUCH);
}

/* A NUL-padded name of at most n words. */
static const char *name_take(char out[256], const u64 *words, unsigned n)
{
	size_t bytes = min((size_t)n * sizeof(u64), (size_t)255);

	memcpy(out, words, bytes);
	out[bytes] = 0;
	return out;
}

/* Running totals; the difference goes to the program's. */
static int take_counts(struct sim *s, struct stream *t, const struct ev_counts *e)
{
	struct ev_counts *c = &t->counts;
	struct sim_ran ran;

	if (e->instructions < c->instructions || e->data_accesses < c->data_accesses ||
	    e->fetch_page_changes < c->fetch_page_changes)
		return -1;
	ran = (struct sim_ran){e->instructions - c->instructions, e->data_accesses - c->data_accesses,
			       e->fetch_page_changes - c->fetch_page_changes, 0};
	if (t->process->space)
		for_each_machine(s, m) machine_ran(m, t, &ran);
	program_ran(s, t->process, &ran);
	*c = *e;
	if (unlikely(timeline_slice_is_whole(&s->timeline, s->program.instructions)))
		timeline_end_slice(s);
	return 0;
}

/* What came before is done, and the window is empty from here on (event.h): every long event but EV_COUNTS. */
static void empty_window(struct sim *s, struct stream *t)
{
	stream_run_slice(s, t);
	for_each_machine(s, m) machine_window_empty(m, t);
}

/* Events of a thread that runs in a space; sizes are right. p: payload, n words. Returns 0, or -1: bad. */
static int take_memory_event(struct sim *s, struct stream *t, unsigned type, u64 arg, const u64 *p, unsigned n)
{
	const struct ev_range *range = (const void *)p;
	char name[256];

	switch (type) {
	case EV_MAP:
		if (!map_valid((const void *)p))
			return -1;
		name_take(name, p + EV_PAYLOAD_WORDS(struct ev_map), n - EV_PAYLOAD_WORDS(struct ev_map));
		return process_map(s, t, (const void *)p, name, arg);
	case EV_REMAP:
		return remap_valid((const void *)p) ? process_remap(s, t, (const void *)p) : -1;
	case EV_EXEC_DONE:
		return exec_done_valid((const void *)p) ? process_exec_done(s, t, (const void *)p) : -1;
	case EV_FORK:
		return process_fork(s, t, (const void *)p);
	case EV_FILE_SIZE:
		return ((const struct ev_file_size *)p)->size < FILE_MAX ? process_file_size(s, t, (const void *)p)
									 : -1;
	case EV_FILE_HOLE:
		return file_hole_valid((const void *)p) ? process_file_hole(s, t, (const void *)p) : -1;
	case EV_DRAIN:
		for_each_machine(s, m) machine_drain(m, t, (const void *)p);
		return 0;
	case EV_SLEPT:
		for_each_machine_of(s, t->process->space, m) machine_slept(m, t, min(arg, MAX_SLEEP_US));
		return 0;
	case EV_THP_DISABLE:
		for_each_machine_of(s, t->process->space, m) machine_thp_disable(m, t, arg & 1, arg >> 1);
		return 0;
	}
	if (!range_valid(range->start, range->len))
		return -1;
	switch (type) {
	case EV_UNMAP:
		return process_unmap(s, t, range);
	case EV_PROTECT:
		return process_protect(s, t, range, arg);
	case EV_BRK:
		return process_brk(s, t, range);
	case EV_ADVISE:
		return process_advise(s, t, range, arg);
	case EV_LOCK:
		for_each_machine_of(s, t->process->space, m) machine_lock(m, t, range->start, range->len, arg);
		return 0;
	case EV_HOLD:
		for_each_machine_of(s, t->process->space, m) machine_hold(m, t, (const void *)p);
		return 0;
	case EV_SYNC:
		for_each_machine_of(s, t->process->space, m) machine_sync(m, t, range->start, range->len, arg);
		return 0;
	default: /* EV_TOUCH */
		return touch_valid((const void *)p, arg) ? process_touch(s, t, (const void *)p, arg) : -1;
	}
}

/* Any long event; sizes are right. Returns 0, or -1: bad. */
static int take_event(struct sim *s, struct stream *t, unsigned type, u64 arg, const u64 *p, unsigned n)
{
	char name[256];

	if ((type == EV_CLOCK || type == EV_EXIT) && t->state == STREAM_FRESH)
		return 0;
	if (type == EV_COUNTS)
		return t->state == STREAM_LIVE ? take_counts(s, t, (const void *)p) : 0;
	if (type == EV_THREAD)
		return t->state == STREAM_FRESH ? process_thread(s, t, (const void *)p) : -1;
	if (t->state != STREAM_LIVE)
		return -1;
	if (t->process->space)
		empty_window(s, t);
	if (s->sliced && type != EV_CLOCK && type != EV_SYSCALL && type != EV_TOUCH && type != EV_SLEPT)
		run_slices_of_space(s, t);
	switch (type) {
	case EV_CLOCK:
		return 0;
	case EV_SYSCALL:
		program_ran(s, t->process, &(struct sim_ran){.syscalls = 1});
		t->waits_in_call = arg & EVS_WAITS;
		if (t->process->space)
			for_each_machine_of(s, t->process->space, m) machine_syscall(m, t, t->waits_in_call);
		return 0;
	case EV_REFUSED:
		process_refused(s, (const void *)p);
		return 0;
	case EV_EXEC:
		name_take(name, p + EV_PAYLOAD_WORDS(struct ev_exec), n - EV_PAYLOAD_WORDS(struct ev_exec));
		return process_exec(s, t, (const void *)p, name);
	case EV_EXIT:
		name_take(name, p + EV_PAYLOAD_WORDS(struct ev_exit), n - EV_PAYLOAD_WORDS(struct ev_exit));
		return process_exit(s, t, arg, name);
	default:
		return t->process->space ? take_memory_event(s, t, type, arg, p, n) : -1;
	}
}

/* Payload of each type, words; and whether a name may follow. */
static const struct {
	u8 words, name;
} shape[EV_NR] = {
    [EV_COUNTS] = {EV_PAYLOAD_WORDS(struct ev_counts), 0},
    [EV_CLOCK] = {EV_PAYLOAD_WORDS(struct ev_clock), 0},
    [EV_TOUCH] = {EV_PAYLOAD_WORDS(struct ev_touch), 0},
    [EV_SYSCALL] = {0, 0},
    [EV_MAP] = {EV_PAYLOAD_WORDS(struct ev_map), 1},
    [EV_UNMAP] = {EV_PAYLOAD_WORDS(struct ev_range), 0},
    [EV_PROTECT] = {EV_PAYLOAD_WORDS(struct ev_range), 0},
    [EV_REMAP] = {EV_PAYLOAD_WORDS(struct ev_remap), 0},
    [EV_BRK] = {EV_PAYLOAD_WORDS(struct ev_range), 0},
    [EV_ADVISE] = {EV_PAYLOAD_WORDS(struct ev_range), 0},
    [EV_LOCK] = {EV_PAYLOAD_WORDS(struct ev_range), 0},
    [EV_SYNC] = {EV_PAYLOAD_WORDS(struct ev_range), 0},
    [EV_EXEC] = {EV_PAYLOAD_WORDS(struct ev_exec), 1},
    [EV_EXEC_DONE] = {EV_PAYLOAD_WORDS(struct ev_exec_done), 0},
    [EV_FORK] = {EV_PAYLOAD_WORDS(struct ev_fork), 0},
    [EV_THREAD] = {EV_PAYLOAD_WORDS(struct ev_thread), 0},
    [EV_EXIT] = {EV_PAYLOAD_WORDS(struct ev_exit), 1},
    [EV_SLEPT] = {0, 0},
    [EV_THP_DISABLE] = {0, 0},
    [EV_FILE_SIZE] = {EV_PAYLOAD_WORDS(struct ev_file_size), 0},
    [EV_FILE_HOLE] = {EV_PAYLOAD_WORDS(struct ev_file_hole), 0},
    [EV_HOLD] = {EV_PAYLOAD_WORDS(struct ev_hold), 0},
    [EV_DRAIN] = {EV_PAYLOAD_WORDS(struct ev_drain), 0},
    [EV_REFUSED] = {EV_PAYLOAD_WORDS(struct ev_refused), 0},
};

static bool header_valid(u64 w)
{
	unsigned type = ev_type(w), n = ev_words(w);

	return type > EV_ENTER && type < EV_NR &&
	       (n == shape[type].words || (shape[type].name && n > shape[type].words));
}

/* May the event in part[] be taken, or is it another ring's turn first (pump.c)? */
static bool may_take(const struct stream *t)
{
	if (!t->ordered)
		return true;
	if (ev_type(t->part[0]) == EV_CLOCK)
		return t->part[1] <= t->granted_tick;
	return ev_type(t->part[0]) != EV_THREAD || t->granted_birth;
}

/* ---- streams ---- */

static void stream_close(struct sim *s, struct stream *t)
{
	s->program.malformed++;
	if (t->state == STREAM_LIVE) {
		stream_run_slice(s, t);
		process_exit(s, t, EVX_LOST, "");
	}
	t->state = STREAM_BAD;
}

/* Moves words into part[] until the long event there is whole. Returns how many. */
static size_t assemble(struct stream *t, const volatile u64 *words, size_t n)
{
	size_t want = 1 + ev_words(t->part[0]) - t->nr_part;

	want = min(want, n);
	for (size_t i = 0; i < want; i++)
		t->part[t->nr_part++] = words[i];
	return want;
}

size_t stream_take(struct sim *s, struct stream *t, const volatile u64 *words, size_t n)
{
	size_t i = 0;

	t->waits = false;
	while (t->state != STREAM_BAD && (i < n || t->nr_part > 0)) {
		if (t->nr_part == 0) {
			u64 w = words[i];

			if (!(w & 1)) {
				i += take_enters(s, t, w, words + i, n - i);
				continue;
			}
			if (!header_valid(w)) {
				stream_close(s, t);
				break;
			}
			t->part[t->nr_part++] = w;
			i++;
		}
		i += assemble(t, words + i, n - i);
		if (t->nr_part < 1 + ev_words(t->part[0]))
			break;
		if (!may_take(t)) {
			t->waits = true;
			return i;
		}
		unsigned payload = t->nr_part - 1;

		t->nr_part = 0;
		if (take_event(s, t, ev_type(t->part[0]), ev_arg(t->part[0]), t->part + 1, payload) != 0)
			drop(s, ev_type(t->part[0]));
		CHECK3(s->check, sim_check(s));
	}
	return t->state == STREAM_BAD ? n : i;
}

struct stream *stream_get(struct sim *s, unsigned index)
{
	if (index >= SIM_MAX_STREAMS)
		return NULL;
	while (s->cap_streams <= index)
		s->stream = xgrow(s->stream, &s->cap_streams, sizeof(struct stream *));
	while (s->nr_streams <= index)
		s->stream[s->nr_streams++] = NULL;
	if (!s->stream[index]) {
		s->stream[index] = xcalloc(1, sizeof(struct stream));
		s->stream[index]->index = index;
	}
	return s->stream[index];
}

void stream_end(struct sim *s, struct stream *t)
{
	if (t->state == STREAM_LIVE) {
		stream_run_slice(s, t);
		process_exit(s, t, EVX_LOST, "");
	}
	*t = (struct stream){.index = t->index, .slice = t->slice, .cap_slice = t->cap_slice};
}
