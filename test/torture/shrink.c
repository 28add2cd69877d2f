/* SPDX-License-Identifier: MIT
 *
 * test/torture/shrink.c - the shortest failing sequence of calls: first what comes after the failure goes, then halves,
 * quarters ... single calls, as long as the rest still fails; then each call is made simpler. Any failure counts.
 *
 *   [....................F]   [.....    ......F]   [..  . F]
 *
 * Source: delta debugging, after Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002).
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "test/torture/torture.h"

#define TRIES 1000 /* at most */

struct shrinker {
	struct trial *best, *next; /* next: shared with the process that tries it */
	unsigned tries;
};

/* True when next still fails: it is the best then, without what comes after its failure. */
static bool try_next(struct shrinker *s)
{
	if (s->tries++ >= TRIES || !trial_run(s->next, 0, NULL) || s->next->cannot)
		return false;
	s->next->nr = min(s->next->nr, s->next->step + 1);
	*s->best = *s->next;
	return true;
}

static bool try_without(struct shrinker *s, unsigned first, unsigned nr)
{
	struct trial *n = s->next;

	*n = *s->best;
	memmove(&n->call[first], &n->call[first + nr], (n->nr - first - nr) * sizeof(n->call[0]));
	n->nr -= nr;
	return try_next(s);
}

static void drop_calls(struct shrinker *s)
{
	for (unsigned size = max(s->best->nr / 2, 1u);; size = size / 2) {
		for (unsigned at = 0; at < s->best->nr;) {
			unsigned nr = min(size, s->best->nr - at);

			if (!try_without(s, at, nr))
				at += nr;
		}
		if (size <= 1)
			return;
	}
}

#define SIMPLER 8 /* ways, those by another process not counted */

/* The i-th way to make a call simpler. Returns false when there is none any more. */
static bool simplify(struct play_call *call, unsigned i)
{
	u64 *v = call->value;

	switch (i) {
	case 0:
		call->flags &= ~(u32)(MAP_POPULATE | MAP_NORESERVE | MAP_LOCKED) | (call->op != PLAY_MMAP ? ~0u : 0);
		return true;
	case 1:
		v[PLAY_LEN] = call->op == PLAY_MREMAP ? v[PLAY_LEN] : ALIGN_UP(v[PLAY_LEN] / 2, PAGE_SIZE);
		return true;
	case 2:
		v[PLAY_OVER] = ALIGN_UP(v[PLAY_OVER] / 2, PAGE_SIZE);
		return true;
	case 3:
		v[PLAY_OVER] = 0;
		return true;
	case 4:
		v[PLAY_ADDR] += ALIGN_DOWN(v[PLAY_OVER] / 2, PAGE_SIZE);
		v[PLAY_OVER] = ALIGN_UP(v[PLAY_OVER] / 2, PAGE_SIZE);
		return true;
	case 5:
		call->nr_data = min(call->nr_data, 1u);
		return true;
	case 6:
		call->prot = call->op == PLAY_MMAP ? PROT_READ | PROT_WRITE : call->prot;
		return true;
	case 7:
		call->cpu = call->cpu == PLAY_SAME_CPU ? call->cpu : 0;
		return true;
	default: /* who does it: an earlier one, then nobody may have to be forked for it */
		call->process = (u8)min((unsigned)call->process, i - SIMPLER);
		return i - SIMPLER < PLAY_PROCESSES;
	}
}

static void simplify_calls(struct shrinker *s)
{
	for (unsigned at = 0; at < s->best->nr; at++) {
		for (unsigned i = 0;;) {
			*s->next = *s->best;
			if (!simplify(&s->next->call[at], i))
				break;
			if (memcmp(&s->next->call[at], &s->best->call[at], sizeof(s->next->call[at])) == 0 ||
			    !try_next(s))
				i++;
			if (at >= s->best->nr)
				return;
		}
	}
}

void shrink(struct trial *t)
{
	struct shrinker s = {.best = t};
	unsigned before;

	s.next = mmap(NULL, sizeof(*s.next), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s.next == MAP_FAILED)
		return;
	t->whole = t->step >= t->nr; /* only what was left behind takes the whole end to be seen */
	t->nr = min(t->nr, t->step + 1);
	do {
		before = t->nr;
		drop_calls(&s);
		simplify_calls(&s);
	} while (t->nr < before);
	munmap(s.next, sizeof(*s.next));
}
