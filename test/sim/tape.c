/* SPDX-License-Identifier: MIT
 *
 * test/sim/tape.c - tape.h, done. The window is trace/window.h's, of 16 pages unless tape_windows() says otherwise.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "test/sim/tape.h"

void tape_init(struct tape *t, bool unfiltered)
{
	const struct window_shape small[2] = {{.pages = MMU_WINDOW_SMALL}, {.pages = MMU_WINDOW_SMALL}};

	memset(t, 0, sizeof(*t));
	t->unfiltered = unfiltered;
	tape_windows(t, small);
}

void tape_windows(struct tape *t, const struct window_shape shape[2])
{
	for (unsigned kind = 0; kind < 2; kind++)
		window_init(&t->window[kind], &shape[kind]);
}

void tape_free(struct tape *t)
{
	free(t->word);
}

static void put_word(struct tape *t, u64 w)
{
	if (t->nr == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 1024;
		t->word = reallocarray(t->word, t->cap, sizeof(*t->word));
		assert_non_null(t->word);
	}
	t->word[t->nr++] = w;
}

static void put_left(struct tape *t, unsigned kind)
{
	const struct window *w = &t->window[kind];

	for (unsigned i = 0; i < w->nr_left; i++)
		put_word(t, ev_leave_make(kind * EV_WINDOW + w->left[i]));
}

void tape_put(struct tape *t, unsigned type, u64 arg, const void *payload, unsigned words)
{
	for (unsigned kind = 0; kind < 2 && type != EV_COUNTS; kind++) {
		window_clear(&t->window[kind]);
		put_left(t, kind);
	}
	put_word(t, ev_long_make(type, words, arg));
	for (unsigned i = 0; i < words; i++)
		put_word(t, ((const u64 *)payload)[i]);
}

void tape_access(struct tape *t, u64 va, unsigned rwx)
{
	unsigned kind = rwx == EVR_FETCH;
	struct window *w = &t->window[kind];
	int slot = 0;

	t->accesses++;
	if (!t->unfiltered) {
		slot = window_enter(w, ALIGN_DOWN(va, PAGE_SIZE), rwx == EVR_WRITE);
		put_left(t, kind);
	}
	if (slot >= 0)
		put_word(t, ev_enter_make(va >> PAGE_SHIFT, kind * EV_WINDOW + (unsigned)slot, rwx));
}

void tape_sweep(struct tape *t, u64 start, u64 bytes, unsigned rwx)
{
	for (u64 va = start; va < start + bytes; va += PAGE_SIZE)
		tape_access(t, va, rwx);
}

void tape_begin(struct tape *t, u64 pid, u64 brk_start)
{
	tape_init(t, false);
	tape_thread(t, pid, pid, 0);
	tape_exec(t, brk_start);
}

void tape_thread(struct tape *t, u64 pid, u64 tid, u64 parent)
{
	struct ev_thread e = {pid, tid, parent};

	tape_put(t, EV_THREAD, 0, &e, EV_PAYLOAD_WORDS(e));
}

void tape_exec(struct tape *t, u64 brk_start)
{
	tape_exec_path(t, brk_start, "", 0);
}

void tape_exec_path(struct tape *t, u64 brk_start, const char *path, u64 ino)
{
	struct {
		struct ev_exec e;
		char name[256];
	} p = {.e = {.stack_top = TAPE_STACK_TOP, .dev = ino ? 1 : 0, .ino = ino}};
	struct ev_map stack = {.start = TAPE_STACK_TOP - 132 * 1024,
			       .len = 132 * 1024,
			       .prot = PROT_READ | PROT_WRITE,
			       .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN,
			       .stack_rlimit = 8 * MIB};
	struct ev_exec_done done = {.sp = TAPE_STACK_TOP, .strings_start = TAPE_STACK_TOP, .brk_start = brk_start};

	strncpy(p.name, path, sizeof(p.name) - 1);
	tape_put(t, EV_EXEC, 0, &p, EV_PAYLOAD_WORDS(p.e) + (unsigned)(strlen(p.name) + 7) / 8);
	tape_put(t, EV_MAP, EVM_EXEC | EVM_STACK, &stack, EV_PAYLOAD_WORDS(stack));
	tape_put(t, EV_EXEC_DONE, 0, &done, EV_PAYLOAD_WORDS(done));
}

void tape_map(struct tape *t, u64 start, u64 len, unsigned prot, unsigned flags)
{
	struct ev_map e = {.start = start, .len = len, .prot = prot, .flags = flags | MAP_ANONYMOUS};

	tape_put(t, EV_MAP, 0, &e, EV_PAYLOAD_WORDS(e));
}

void tape_map_file(struct tape *t, u64 start, u64 len, unsigned prot, unsigned flags, u64 ino, u64 size,
		   const char *path)
{
	struct {
		struct ev_map e;
		char name[64];
	} p = {.e = {.start = start, .len = len, .prot = prot, .flags = flags, .dev = 1, .ino = ino, .size = size}};

	strncpy(p.name, path, sizeof(p.name) - 1);
	tape_put(t, EV_MAP, 0, &p, EV_PAYLOAD_WORDS(p));
}

void tape_range(struct tape *t, unsigned type, u64 arg, u64 start, u64 len)
{
	struct ev_range e = {start, len};

	tape_put(t, type, arg, &e, EV_PAYLOAD_WORDS(e));
}

void tape_remap(struct tape *t, u64 old, u64 old_len, u64 new_start, u64 new_len, u64 flags)
{
	struct ev_remap e = {old, old_len, new_start, new_len, flags};

	tape_put(t, EV_REMAP, 0, &e, EV_PAYLOAD_WORDS(e));
}

void tape_fork(struct tape *t, u64 child, u64 flags)
{
	struct ev_fork e = {child, flags};

	tape_put(t, EV_FORK, 0, &e, EV_PAYLOAD_WORDS(e));
}

void tape_exit(struct tape *t, unsigned how)
{
	struct ev_exit e = {0};

	tape_put(t, EV_EXIT, how, &e, EV_PAYLOAD_WORDS(e));
}

void tape_clock(struct tape *t, u64 tick)
{
	struct ev_clock e = {tick};

	tape_put(t, EV_CLOCK, 0, &e, EV_PAYLOAD_WORDS(e));
}

void tape_counts(struct tape *t, u64 instructions, u64 accesses, u64 fetches)
{
	struct ev_counts e = {instructions, accesses, fetches};

	tape_put(t, EV_COUNTS, 0, &e, EV_PAYLOAD_WORDS(e));
}

struct sim *tape_sim(const char *names, const char *extra)
{
	struct machine_config cfg[8];
	char copy[256], err[256], *rest = copy, *one;
	unsigned nr = 0;
	struct sim *s;

	snprintf(copy, sizeof(copy), "%s", names);
	while ((one = strsep(&rest, ";")) != NULL) {
		char text[128];

		snprintf(text, sizeof(text), "%s%s", one, extra);
		if (machine_parse(text, NULL, &cfg[nr++], err) != 0)
			fail_msg("%s", err);
	}
	s = sim_create(cfg, nr);
	assert_non_null(s);
	return s;
}

void tape_sound(const struct sim_result *r)
{
	assert_int_equal(r->program.malformed, 0);
	for (unsigned i = 0; i < r->nr_machines; i++) {
		assert_string_equal(r->machine[i].error, "");
		assert_int_equal(r->machine[i].count.mismatches, 0);
	}
}

struct sim *tape_played(const struct tape *t, const char *names, const char *extra, struct sim_result *r)
{
	struct sim *s = tape_sim(names, extra);

	assert_int_equal(sim_feed(s, 0, t->word, t->nr), 0);
	sim_finish(s, r);
	tape_sound(r);
	return s;
}

struct sim_machine_result tape_play(const struct tape *t, const char *machine, struct sim **s, struct sim_result *r)
{
	*s = tape_sim(machine, "");
	assert_int_equal(sim_feed(*s, 0, t->word, t->nr), 0);
	sim_finish(*s, r);
	assert_string_equal(r->machine[0].error, "");
	return r->machine[0];
}

u64 tape_random(u64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}
