/* SPDX-License-Identifier: MIT
 *
 * sim/heat.c - blocks of addresses and what happened there. heat.h draws them.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/internal.h"
#include "sim/xalloc.h"

static u32 every(u64 samples)
{
	return samples < HEAT_EXACT ? 1 : HEAT_EVERY;
}

static void add32(u32 *to, u64 more)
{
	*to = (u32)min(*to + more, 0xffffffffull);
}

static void add16(u16 *to, unsigned more)
{
	*to = (u16)min(*to + more, 0xffffu);
}

/* ---- blocks ---- */

/* Where the block is in place[], or would be. */
static unsigned place_of(const struct heat *h, u32 program, u64 start)
{
	unsigned at = (unsigned)((start >> h->shift ^ (u64)program << 40) * 0x9e3779b97f4a7c15ull >> 48);

	for (;; at++) {
		const struct sim_block *b;

		at %= ARRAY_SIZE(h->place);
		if (h->place[at] == 0)
			return at;
		b = &h->block[h->place[at] - 1];
		if (b->start == start && b->program == program)
			return at;
	}
}

bool heat_finds(const struct heat *h, unsigned i)
{
	const struct sim_block *b = &h->block[i];

	return IS_ALIGNED(b->start, 1ull << h->shift) && h->place[place_of(h, b->program, b->start)] == i + 1;
}

/* What b has goes to `to`, of twice the size, whose first or second half it is. */
static void machine_block_join(struct sim_block_result *to, const struct sim_block_result *b, bool second)
{
	struct sim_block_result from = *b;

	if (to == b)
		*to = (struct sim_block_result){0};
	to->walks += from.walks;
	to->faults += from.faults;
	to->page_bytes = max(to->page_bytes, from.page_bytes);
	for (unsigned i = 0; i < SIM_BLOCK_PAGES; i++) {
		unsigned at = (i + second * SIM_BLOCK_PAGES) / 2;

		add32(&to->walks_at[at], from.walks_at[i]);
		add16(&to->faults_at[at], from.faults_at[i]);
	}
}

/* Blocks twice as large. A block's new index is never above its old one. */
static void coarsen(struct sim *s)
{
	struct heat *h = &s->heat;
	unsigned nr = h->nr;

	h->nr = h->last = 0;
	h->shift++;
	memset(h->place, 0, sizeof(h->place));
	for (unsigned i = 0; i < nr; i++) {
		struct sim_block old = h->block[i];
		u64 start = ALIGN_DOWN(old.start, 1ull << h->shift);
		unsigned at = place_of(h, old.program, start), to;
		bool is_new = h->place[at] == 0;

		if (is_new)
			h->place[at] = (u16)++h->nr;
		to = h->place[at] - 1u;
		if (is_new) {
			h->block[to] = old;
			h->block[to].start = start;
		} else {
			for (unsigned k = 0; k < SIM_SLICES; k++)
				add32(&h->block[to].enters[k], old.enters[k]);
		}
		for (struct machine *m = s->machine; m < s->machine + s->nr_machines; m++) {
			if (is_new && to != i && to < m->heat.cap)
				m->heat.block[to] = (struct sim_block_result){0};
			if (i < m->heat.cap)
				machine_block_join(&m->heat.block[to], &m->heat.block[i], old.start != start);
		}
	}
	for (struct machine *m = s->machine; m < s->machine + s->nr_machines; m++)
		for (unsigned i = h->nr; i < min(nr, m->heat.cap); i++)
			m->heat.block[i] = (struct sim_block_result){0};
}

unsigned heat_find(struct sim *s, u32 program, u64 va)
{
	struct heat *h = &s->heat;
	u64 start = va >> h->shift << h->shift;
	unsigned at;

	if (h->last < h->nr && h->block[h->last].start == start && h->block[h->last].program == program)
		return h->last;
	at = place_of(h, program, start);
	if (h->place[at] == 0) {
		if (h->nr == HEAT_BLOCKS) {
			coarsen(s);
			return heat_find(s, program, va);
		}
		if (h->nr == h->cap)
			h->block = xgrow(h->block, &h->cap, sizeof(*h->block));
		h->block[h->nr] = (struct sim_block){.program = program, .start = start};
		h->place[at] = (u16)++h->nr;
	}
	h->last = h->place[at] - 1u;
	return h->last;
}

struct sim_block_result *heat_of_machine(struct machine *m)
{
	struct heat_machine *h = &m->heat;

	for (unsigned old = h->cap; h->cap < m->sim->heat.nr; old = h->cap) {
		h->block = xgrow(h->block, &h->cap, sizeof(*h->block));
		memset(h->block + old, 0, (h->cap - old) * sizeof(*h->block));
	}
	return h->block;
}

/* That of the running space at va; NULL: its program does not count. */
static struct sim_block_result *machine_block(struct machine *m, u64 va)
{
	u32 program = m->running->map.program;
	unsigned i;

	if (!m->sim->program_row[program].counted)
		return NULL;
	i = heat_find(m->sim, program, va);
	return &heat_of_machine(m)[i];
}

static unsigned page_of(const struct machine *m, u64 va)
{
	return (unsigned)(va >> (m->sim->heat.shift - HPAGE_PMD_ORDER)) % SIM_BLOCK_PAGES;
}

/* ---- what happens ---- */

static struct sim_block *block_at(struct sim *s, u32 program, u64 va)
{
	unsigned i = heat_find(s, program, va);

	return &s->heat.block[i];
}

void heat_enters(struct sim *s, u32 program, const u64 *words, size_t n)
{
	struct heat *h = &s->heat;

	while (h->skip < n) {
		u64 word = words[h->skip];

		if (!ev_is_leave(word) && ev_enter_va(word) < SIM_TASK_SIZE)
			add32(&block_at(s, program, ev_enter_va(word))->enters[s->timeline.nr], every(h->samples));
		h->skip += every(++h->samples);
	}
	h->skip -= n;
}

void heat_fault(struct machine *m, u64 va, unsigned order, bool counts)
{
	struct sim_block_result *b = machine_block(m, va);

	if (!b)
		return;
	b->page_bytes = max(b->page_bytes, PAGE_SIZE << order);
	b->faults += counts;
	add16(&b->faults_at[page_of(m, va)], counts);
}

void heat_sample_walk(struct machine *m, u64 va, unsigned size)
{
	static const u64 bytes[] = {[MMU_4K] = PAGE_SIZE, [MMU_2M] = PMD_SIZE, [MMU_1G] = PUD_SIZE};
	struct heat_machine *h = &m->heat;
	struct sim_block_result *b = machine_block(m, va);
	u32 weight = every(h->samples);

	h->left = every(++h->samples);
	if (!b)
		return;
	b->page_bytes = max(b->page_bytes, bytes[size]);
	b->walks += weight;
	add32(&b->walks_at[page_of(m, va)], weight);
}

/* ---- time ---- */

void heat_merge_slices(struct sim *s, const u8 *to, unsigned nr)
{
	for (unsigned k = 0; k < s->heat.nr; k++) {
		u32 *enters = s->heat.block[k].enters;
		u32 sum[SIM_SLICES] = {0};

		for (unsigned i = 0; i < nr; i++)
			add32(&sum[to[i]], enters[i]);
		memcpy(enters, sum, sizeof(sum));
	}
}

void heat_join_slice(struct sim *s, unsigned nr)
{
	for (unsigned k = 0; k < s->heat.nr; k++) {
		u32 *enters = s->heat.block[k].enters;

		add32(&enters[nr - 1], enters[nr]);
		enters[nr] = 0;
	}
}

void heat_clear(struct sim *s)
{
	free(s->heat.block);
	s->heat = (struct heat){.shift = PMD_SHIFT};
	for (struct machine *m = s->machine; m < s->machine + s->nr_machines; m++) {
		free(m->heat.block);
		m->heat = (struct heat_machine){.left = 1};
	}
}
