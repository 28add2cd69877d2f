/* SPDX-License-Identifier: MIT
 *
 * test/engine/streams.c GUEST ENGINE PLUGIN REPEATED: what the two front ends tell of the same guest (plain.c), event by
 * event. TAP output. They have nothing in common but the library that writes the stream: QEMU interprets what the engine
 * lets the CPU do. What may differ, and why:
 *
 *   - QEMU's user space ends at 0x3ffffffff000: of addresses the low 46 bits are compared
 *   - it has no vDSO here, and puts other words on the stack: maps of [vdso], [vvar], and the stack pointer
 *   - it counts each turn of a rep as an instruction; the CPU, and so the engine, the instruction once. REPEATED: turns
 *   - accesses: of an instruction that reads, writes and crosses a page, and of strings that cross, it counts more
 *   - the engine's accesses of one block share checks: which of two pages was used last may come out the other way round
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/launch.h"
#include "trace/event.h"
#include "trace/ring.h"

#define ADDRESS  ((1ull << 46) - 1)
#define MAX_MAPS 64

struct stream {
	u64 *words;
	size_t n, room;
	/* what was made of them */
	struct enter {
		u64 page, victim;
		unsigned rwx;
	} * enters;
	struct change {
		u64 word[16];
		unsigned n;
		u64 instructions;
	} * changes;
	size_t nr_enters, nr_changes;
	struct ev_counts counts;
};

static void *grown(void *array, size_t n, size_t bytes)
{
	array = n & (n - 1) ? array : realloc(array, (n ? 2 * n : 1) * bytes); /* full at each power of two */
	if (!array)
		exit(1);
	return array;
}

static void take(struct stream *s, const volatile u64 *w, size_t n)
{
	while (n--) {
		s->words = grown(s->words, s->n, sizeof(*s->words));
		s->words[s->n++] = *w++;
	}
}

static void skip_all(const struct front *front, const char *why)
{
	printf("1..0 # SKIP needs front_%s: %s\n", front->name, why);
	exit(0);
}

/* All that the guest's only thread tells. */
static bool collect(const struct front *front, const struct program *p, struct stream *s)
{
	struct launcher l = {.front = front};
	struct ring_hub *hub;
	const volatile u64 *w;
	bool ended = false;
	char err[512];
	int fd, status;
	pid_t pid;

	if (launch_find(&l, err) != 0)
		skip_all(front, err);
	hub = ring_hub_create(4, 1u << 15, &fd);
	pid = hub ? launch_start(&l, p, fd) : -1;
	while (pid > 0 && !ended) {
		struct ring *r = ring_get(hub, 0);
		size_t n;

		ended = !r && waitpid(pid, &status, WNOHANG) == pid;
		while (r && (n = ring_peek(r, &w)) > 0) {
			take(s, w, n);
			ring_consume(r, n);
		}
		ended |= r && ring_at_end(r);
		if (!ended)
			ring_wait(hub, 10);
	}
	if (hub)
		ring_hub_destroy(hub);
	return s->n > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void add_change(struct stream *s, const u64 *w)
{
	unsigned n = 1 + ev_words(w[0]), type = ev_type(w[0]);
	struct change *c;

	if (type == EV_CLOCK || type == EV_THREAD || (type == EV_MAP && strstr((const char *)(w + 10), "[v")))
		return;
	s->changes = grown(s->changes, s->nr_changes, sizeof(*s->changes));
	c = &s->changes[s->nr_changes++];
	*c = (struct change){.n = n, .instructions = s->counts.instructions};
	for (unsigned i = 0; i < n && i < 16; i++)
		c->word[i] = i ? w[i] & ADDRESS : w[i];
	if (type == EV_EXEC_DONE)
		c->word[1] = 0; /* the stack pointer */
}

static void add_enter(struct stream *s, u64 w, u64 *slots)
{
	u64 *slot = &slots[ev_enter_slot(w)];

	if (!ev_is_leave(w)) {
		s->enters = grown(s->enters, s->nr_enters, sizeof(*s->enters));
		s->enters[s->nr_enters++] = (struct enter){ev_enter_va(w) & ADDRESS, *slot, ev_enter_rwx(w)};
	}
	*slot = ev_is_leave(w) ? 0 : ev_enter_va(w) & ADDRESS;
}

static void decode(struct stream *s)
{
	u64 slots[2 * EV_WINDOW] = {0};

	for (size_t i = 0; i < s->n; i += 1 + ev_words(s->words[i])) {
		const u64 *w = &s->words[i];

		if (ev_type(w[0]) == EV_ENTER)
			add_enter(s, w[0], slots);
		else if (ev_type(w[0]) == EV_COUNTS)
			memcpy(&s->counts, w + 1, sizeof(s->counts));
		else
			add_change(s, w);
	}
}

static void verdict(bool ok, const char *name)
{
	static unsigned n;

	printf("%sok %u - %s\n", ok ? "" : "not ", ++n, name);
}

static void compare_changes(const struct stream *a, const struct stream *b, u64 repeated)
{
	size_t same = 0, in_step = 0;

	for (size_t i = 0; i < a->nr_changes && i < b->nr_changes; i++) {
		const struct change *x = &a->changes[i], *y = &b->changes[i];
		u64 more = y->instructions - x->instructions;

		same += x->n == y->n && memcmp(x->word, y->word, sizeof(x->word)) == 0;
		in_step += more == 0 || more == repeated;
	}
	printf("# %zu changes and %zu, %zu the same\n", a->nr_changes, b->nr_changes, same);
	verdict(same > 20 && same == a->nr_changes && same == b->nr_changes, "maps, changes and calls are the same");
	verdict(in_step == same, "at each as many instructions have been executed");
}

static void compare_enters(const struct stream *a, const struct stream *b)
{
	size_t same = 0, victims = 0;

	for (size_t i = 0; i < a->nr_enters && i < b->nr_enters; i++) {
		same += a->enters[i].page == b->enters[i].page && a->enters[i].rwx == b->enters[i].rwx;
		victims += a->enters[i].victim == b->enters[i].victim;
	}
	printf("# %zu events and %zu, %zu the same; %zu of them with the same page leaving\n", a->nr_enters,
	       b->nr_enters, same, victims);
	verdict(same > 10000 && same == a->nr_enters && same == b->nr_enters,
		"the same pages enter the window, in this order");
	verdict(victims >= same - same / 20, "nearly always the same page leaves");
}

static void compare_counts(const struct ev_counts *a, const struct ev_counts *b, u64 repeated)
{
	u64 more = a->data_accesses > b->data_accesses ? a->data_accesses - b->data_accesses
						       : b->data_accesses - a->data_accesses;

	printf("# instructions %llu %llu, accesses %llu %llu, changes of the page fetched from %llu %llu\n",
	       (unsigned long long)a->instructions, (unsigned long long)b->instructions,
	       (unsigned long long)a->data_accesses, (unsigned long long)b->data_accesses,
	       (unsigned long long)a->fetch_page_changes, (unsigned long long)b->fetch_page_changes);
	verdict(b->instructions - a->instructions == repeated, "all instructions were counted");
	verdict(more * 1000 < a->data_accesses, "and the accesses, but for a thousandth");
	verdict(a->fetch_page_changes == b->fetch_page_changes, "and the changes of the page that is fetched from");
}

int main(int argc, char **argv)
{
	static const struct front *const fronts[2] = {&front_engine, &front_qemu};
	char *guest[2] = {NULL, NULL};
	struct program p = {0};
	char err[512], path[PATH_MAX];
	struct stream s[2] = {{0}};
	u64 repeated;

	if (argc != 5)
		return 2;
	repeated = strtoull(argv[4], NULL, 0);
	setenv("QUIRE_ENGINE", argv[2], 1);
	setenv("QUIRE_PLUGIN", argv[3], 1);
	guest[0] = realpath(argv[1], path);
	if (!guest[0] || program_find(guest, &p, err) != 0)
		return 2;
	for (unsigned i = 0; i < 2; i++) {
		if (!collect(fronts[i], &p, &s[i])) {
			printf("1..1\nnot ok 1 - %s runs the guest\n", fronts[i]->name);
			return 1;
		}
		decode(&s[i]);
	}
	compare_changes(&s[0], &s[1], repeated);
	compare_enters(&s[0], &s[1]);
	compare_counts(&s[0].counts, &s[1].counts, repeated);
	printf("1..7\n");
	program_free(&p);
	for (unsigned i = 0; i < 2; i++) {
		free(s[i].words);
		free(s[i].enters);
		free(s[i].changes);
	}
	return 0;
}
