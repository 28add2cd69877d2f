/* SPDX-License-Identifier: MIT
 *
 * trace/words.c - events as words in a ring. Freestanding but for memcpy, as trace/calls.c is.
 */
#include "trace/words.h"

#include <string.h>

#define LONG_WORDS (1 + 16 + WORDS_NAME)
#define WILL_EXIT  (1 + EV_PAYLOAD_WORDS(struct ev_counts))

/* Header, payload and name as words into w[LONG_WORDS]. Returns how many. */
static unsigned long_event(u64 *w, unsigned type, u64 arg, const void *payload, unsigned n, const char *name)
{
	unsigned words = 0;
	u64 len = 0;

	if (n)
		memcpy(w + 1, payload, n * sizeof(u64));
	if (name) {
		while (len < WORDS_NAME * sizeof(u64) - 1 && name[len])
			len++;
		words = (unsigned)(len / sizeof(u64)) + 1;
		w[n + words] = 0;
		memcpy(w + 1 + n, name, len);
	}
	w[0] = ev_long_make(type, n + words, arg);
	return 1 + n + words;
}

void words_put(struct ring *r, unsigned type, u64 arg, const void *payload, unsigned n, const char *name)
{
	u64 w[LONG_WORDS];

	ring_put(r, w, long_event(w, type, arg, payload, n, name));
}

void words_put_change(struct ring *r, u64 tick, unsigned type, u64 arg, const void *payload, unsigned n,
		      const char *name)
{
	u64 w[2 + LONG_WORDS] = {ev_long_make(EV_CLOCK, 1, 0), tick};

	ring_put(r, w, 2 + long_event(w + 2, type, arg, payload, n, name));
}

void words_put_clock(struct ring *r, u64 tick)
{
	words_put(r, EV_CLOCK, 0, &tick, 1, NULL);
}

void words_put_counts(struct ring *r, const struct ev_counts *c)
{
	words_put(r, EV_COUNTS, 0, c, EV_PAYLOAD_WORDS(*c), NULL);
}

void words_put_left_slots(struct ring *r, const struct window *w, unsigned slots)
{
	u64 words[WINDOW_SLOTS];

	for (unsigned i = 0; i < w->nr_left; i++)
		words[i] = ev_leave_make(slots + w->left[i]);
	ring_put(r, words, w->nr_left);
}

void words_will(struct ring *r, const struct ev_counts *c, unsigned how, const char *name)
{
	u64 w[WILL_EXIT + LONG_WORDS], status = 0;
	unsigned n = long_event(w, EV_COUNTS, 0, c, EV_PAYLOAD_WORDS(*c), NULL);

	n += long_event(w + n, EV_EXIT, how, &status, 1, name);
	ring_will(r, w, n);
}

struct ev_counts words_will_counts(struct ring *r)
{
	struct ev_counts c;

	memcpy(&c, ring_will_words(r) + 1, sizeof(c));
	return c;
}

void words_will_ends(struct ring *r, bool ends)
{
	ring_will_words(r)[WILL_EXIT] = ev_long_make(EV_EXIT, 1, ends ? EVX_EXIT : EVX_LOST);
}
