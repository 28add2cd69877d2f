/* SPDX-License-Identifier: MIT
 *
 * engine/runtime.c - what generated code calls by way of start.S: where to go on, and the slow half of each check.
 */
#include "engine/runtime.h"

#include "engine/translate.h"

/* ---- where to go on ---- */

/* The extended state of the program is kept while the translator works: Zydis uses vector registers. *cleared: there
 * was no room, and all that was translated before is forgotten. */
static struct block *translate_kept(struct thread *t, u64 pc, bool *cleared)
{
	struct block *b;

	__asm__ volatile("xsave64 %0" : "=m"(t->xsave) : "a"(~0u), "d"(~0u));
	b = translate(pc);
	*cleared = !b;
	if (!b) {
		cache_clear();
		memset(t->indirect, 0, sizeof(t->indirect));
		b = translate(pc);
	}
	__asm__ volatile("xrstor64 %0" : : "m"(t->xsave), "a"(~0u), "d"(~0u) : "memory");
	return b;
}

/* From generated code, or from thread_run(). Returns the code that goes on, or NULL: thread_run() returns. */
const void *dispatch(struct thread *t)
{
	const struct link *l = t->why >= 0 ? link_get((unsigned)t->why) : NULL;
	bool cleared = false, inner = l && l->inner;
	struct indirect *place;
	struct block *b;

	if (t->why < WHY_INDIRECT)
		return NULL;
	if (l)
		t->pc = l->target;
	if (t->pending) {
		t->why = WHY_SIGNAL;
		return NULL;
	}
	b = block_find(t->pc);
	if (!b)
		b = translate_kept(t, t->pc, &cleared);
	if (l) {
		const u8 *code = inner ? b->inner : b->outer;

		if (!cleared)
			emit_patch(l->field, code);
		return code;
	}
	place = &t->indirect[(u16)(t->pc + (t->pc >> 16))];
	*place = (struct indirect){-t->pc, b->outer};
	return b->outer;
}

/* ---- accesses ---- */

static void touch(struct thread *t, u64 page, unsigned rw, u64 stamp)
{
	int slot;

	t->data.now = stamp - 1;
	slot = window_enter(&t->data, page, rw == SITE_WRITE);
	if (slot >= 0)
		runtime_event(t, &t->data, page, (unsigned)slot, rw == SITE_WRITE ? EVR_WRITE : EVR_READ);
}

static void touch_range(struct thread *t, u64 va, u64 len, unsigned rw, u64 stamp)
{
	u64 last = (va + len - 1) & ~0xfffull;

	for (u64 page = va & ~0xfffull;; page += 4096) {
		touch(t, page, rw, stamp);
		if (page == last)
			return;
	}
}

static void fetch(struct thread *t, u32 number, u64 stamp)
{
	int slot;

	t->fetch_page = number;
	t->fetch_changes++;
	t->fetch.now = stamp - 1;
	slot = window_enter(&t->fetch, page_of_number(number), 0);
	if (slot >= 0)
		runtime_event(t, &t->fetch, page_of_number(number), (unsigned)slot, EVR_FETCH);
}

const void *access_slow(struct thread *t)
{
	const struct site *s = site_get((unsigned)t->site);
	u64 stamp = t->icount + (u64)(s64)s->stamp;

	if (s->rw == SITE_FETCH) {
		fetch(t, s->page, stamp);
		return s->back;
	}
	for (;; s++) {
		touch_range(t, t->address + s->page, s->len, s->rw & ~SITE_MORE, stamp);
		if (!(s->rw & SITE_MORE))
			return s->back;
	}
}

/* What was taken of memory from `before` to `now` (a pointer of a string, moving up or down), in elements of len. */
static void touch_string(struct thread *t, u64 before, u64 now, u64 bytes, unsigned len, unsigned rw, u64 stamp)
{
	touch_range(t, now >= before ? before : now + len, bytes, rw, stamp);
}

/* scratch[]: rsi, rdi, rcx before the instruction. Both strings' pages in the order of their use, page by page. */
const void *access_string(struct thread *t)
{
	const struct site *s = site_get((unsigned)t->site);
	u64 stamp = t->icount + (u64)(s64)s->stamp, bytes = (t->scratch[2] - t->gpr[RCX]) * s->len;

	if (!bytes)
		return s->back;
	t->accesses += bytes / s->len * ((s->rw & SITE_SOURCE ? 1 : 0) + (s->rw & (SITE_READ | SITE_WRITE) ? 1 : 0));
	if (s->rw & SITE_SOURCE)
		touch_string(t, t->scratch[0], t->gpr[RSI], bytes, s->len, SITE_READ, stamp);
	if (s->rw & (SITE_READ | SITE_WRITE))
		touch_string(t, t->scratch[1], t->gpr[RDI], bytes, s->len, s->rw & (SITE_READ | SITE_WRITE), stamp);
	return s->back;
}

void thread_rebase(struct thread *child, const struct thread *t, void *stack_top)
{
	child->self = child;
	child->stack = (u64)stack_top & ~15ull;
	child->pending = 0;
	child->steps = false;
	window_init(&child->data, &t->data.shape);
	window_init(&child->fetch, &t->fetch.shape);
	child->fetch_page = 0;
}

bool state_recover(const struct thread *t, u64 gpr[NR_GPR], u64 *rip)
{
	const struct block *b = block_at((const u8 *)*rip);
	const struct copied *c = b ? copied_at(b, (const u8 *)*rip) : NULL;

	if (!c)
		return false;
	for (unsigned r = 0; r < NR_GPR; r++)
		if (c->shadow >> r & 1)
			gpr[r] = t->shadow[r];
	if (c->far >= 0)
		gpr[c->far] = t->scratch[0];
	*rip = b->pc + c->pc;
	return true;
}

void thread_init(struct thread *t, void *stack_top, const struct window_shape shape[2])
{
	extern const u8 enter_dispatch[], enter_access[], enter_string[];

	t->self = t;
	t->stack = (u64)stack_top & ~15ull;
	t->enter[ENTER_DISPATCH] = enter_dispatch;
	t->enter[ENTER_ACCESS] = enter_access;
	t->enter[ENTER_STRING] = enter_string;
	window_init(&t->data, &shape[0]);
	window_init(&t->fetch, &shape[1]);
	t->why = WHY_INDIRECT;
	t->flags = 0x202;
}
