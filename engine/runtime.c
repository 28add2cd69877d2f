/* SPDX-License-Identifier: MIT
 *
 * engine/runtime.c - what generated code calls by way of start.S: where to go on, and the slow half of each check.
 */
#include "engine/runtime.h"

#include "engine/block.h"
#include "engine/lock.h"
#include "engine/translate.h"

/* ---- where to go on ---- */

/* NULL: t->why says why the program cannot go on. */
static struct block *translate_here(struct thread *t, unsigned most)
{
	struct block *b;
	u64 missing;

	if (cache_is_full())
		runtime_forget_all();
	b = translate(t->pc, t->gpr[RSP], most, &missing);
	if (!b) {
		t->why = insns[0].kind == INSN_BAD ? WHY_BAD : WHY_FETCH;
		t->address = missing;
	}
	return b;
}

/* Generated code looks at `negated` first: while it is the empty one nobody wants `code`, and who has just seen it
 * otherwise may still go there. */
static void indirect_empty(struct thread *t, u16 n)
{
	__atomic_store_n(&t->indirect.negated[n], INDIRECT_EMPTY(n), __ATOMIC_RELAXED);
}

static void indirect_clear(struct thread *t)
{
	for (unsigned n = 0; n < ARRAY_SIZE(t->indirect.negated); n++)
		if (t->indirect.negated[n] != INDIRECT_EMPTY(n))
			indirect_empty(t, (u16)n);
}

/* What t has of a cache that is no more is forgotten. */
static void catch_up(struct thread *t)
{
	if (t->generation == cache_generation())
		return;
	t->generation = cache_generation();
	t->fetch_page = 0;
	indirect_clear(t);
}

/* From generated code, or from thread_run(). Returns the code that goes on, or NULL: thread_run() returns. */
const void *dispatch(struct thread *t)
{
	struct link l = t->why >= 0 ? *link_get((unsigned)t->why) : (struct link){.target = t->pc};
	s64 why = t->why;
	bool alone = why == WHY_HIT;
	bool stale = why == WHY_STALE || why == WHY_HIT;
	u64 generation = t->generation;
	const u8 *code;
	struct block *b;

	t->pc = l.target;
	__atomic_store_n(&t->in, 0, __ATOMIC_RELEASE);
	if (why < WHY_INDIRECT && !stale)
		return NULL;
	if (t->pending) {
		t->why = WHY_SIGNAL;
		return NULL;
	}
	if (t->traced && (!t->steps || stale)) {
		alone = t->steps = true;
		t->traps = 1;
		t->flags |= EFLAGS_TF;
	}
	cache_lock();
	if (stale && generation == cache_generation())
		block_forget(block_get((u32)t->site));
	b = block_find(t->pc);
	if (b && alone) {
		block_forget(b);
		b = NULL;
	}
	if (!b)
		b = translate_here(t, alone ? 1 : MAX_INSNS);
	catch_up(t);
	code = !b ? NULL : l.inner || t->traps == 1 ? b->inner : b->outer;
	if (b && l.field && t->generation == generation)
		link_set((unsigned)why, b);
	if (b && !l.field && !t->traps) {
		t->indirect.code[(u16)-t->pc] = code;
		t->indirect.negated[(u16)t->pc] = -t->pc;
	}
	t->in = b != NULL;
	t->modes = (t->flags & EFLAGS_MODES) != 0;
	cache_unlock();
	return code;
}

/* ---- the threads ---- */

struct thread *threads;
unsigned nr_threads;

static u64 purges;

/* In memory that is used again `indirect` is kept, if nothing was taken from others' meanwhile. */
static void thread_add(struct thread *t)
{
	cache_lock();
	t->next = threads;
	t->before = NULL;
	if (threads)
		threads->before = t;
	threads = t;
	nr_threads++;
	if (t->generation && (t->generation != cache_generation() || t->purges != purges))
		indirect_clear(t);
	if (!t->generation)
		indirect_empty(t, 0);
	t->generation = cache_generation();
	cache_unlock();
}

void thread_remove(struct thread *t)
{
	cache_lock();
	if (t->before)
		t->before->next = t->next;
	else
		threads = t->next;
	if (t->next)
		t->next->before = t->before;
	nr_threads--;
	t->purges = purges;
	cache_unlock();
}

void threads_forget_others(struct thread *t)
{
	threads = t;
	t->next = t->before = NULL;
	nr_threads = 1;
}

void runtime_purge(u64 pc)
{
	purges++;
	for (struct thread *t = threads; t; t = t->next)
		if (t->indirect.negated[(u16)pc] == -pc)
			indirect_empty(t, (u16)pc);
}

void runtime_forget_all(void)
{
	links_undo();
	for (struct thread *t = threads; t; t = t->next)
		if (__atomic_load_n(&t->in, __ATOMIC_ACQUIRE))
			indirect_clear(t);
	for (struct thread *t = threads; t; t = t->next)
		for (unsigned spins = 0; __atomic_load_n(&t->in, __ATOMIC_ACQUIRE) && thread_is_alive(t); spins++)
			if (spins < LOCK_SPINS)
				__builtin_ia32_pause();
			else
				sys3(SYS_sched_yield, 0, 0, 0);
	cache_clear();
}

void runtime_lost(void)
{
	runtime_forget_all();
	cache_lost();
}

/* ---- accesses ---- */

/* The page is used at `stamp`. number: of a page that instructions come from now, else 0. */
static void enter(struct thread *t, struct window *w, u64 page, u32 number, unsigned rwx, u64 stamp)
{
	bool listens = runtime_ready(t);
	int slot;

	if (number) {
		t->fetch_changes += t->fetch_page || page != t->fetch_last;
		t->fetch_page = number;
	}
	w->now = stamp - 1;
	slot = window_enter(w, page, rwx == EVR_WRITE);
	if (listens)
		runtime_entered(t, w, page, slot, rwx);
}

/* What generated code does itself for most accesses: those by a mask, and over a page's end, come here. */
static void touch(struct thread *t, u64 page, unsigned rw, u64 stamp)
{
	struct window_tag *tag = window_tag(&t->data, page);

	if (likely(tag->page[rw == SITE_WRITE] == page)) {
		tag->used = stamp;
		return;
	}
	enter(t, &t->data, page, 0, rw == SITE_WRITE ? EVR_WRITE : EVR_READ, stamp);
}

/* Returns how many page boundaries it crosses: an access over one is two (trace/event.h). */
unsigned runtime_touch(struct thread *t, u64 va, u64 len, unsigned rw, u64 stamp)
{
	u64 page = va & ~0xfffull, last = (va + len - 1) & ~0xfffull;
	unsigned crossed = 0;

	touch(t, page, rw, stamp);
	for (; page != last; crossed++)
		touch(t, page += 4096, rw, stamp);
	return crossed;
}

static void fetch(struct thread *t, u32 number, u64 stamp)
{
	enter(t, &t->fetch, page_of_number(number), number, EVR_FETCH, stamp);
}

const void *access_slow(struct thread *t)
{
	const struct site *s = site_get((unsigned)t->site);
	u64 stamp = t->icount + (u64)(s64)s->stamp;

	if (s->rw == SITE_FETCH) {
		fetch(t, s->page, stamp);
		return s->back;
	}
	__builtin_prefetch((const void *)t->address); /* the program is about to wait for it: while its event is made */
	for (;; s++) {
		t->accesses += runtime_touch(t, t->address + s->page, s->len, s->rw & ~SITE_MORE, stamp);
		if (!(s->rw & SITE_MORE))
			return s->back;
	}
}

/* A pointer that a string instruction moves, from `at` on, up or down. */
struct string {
	u64 at;
	unsigned rw; /* 0: the instruction has none such */
};

/* Bytes of it that lie in the page of the next one, at most `most`. */
static u64 string_piece(const struct string *s, bool down, u64 most)
{
	u64 left = down ? ((s->at - 1) & 4095) + 1 : 4096 - (s->at & 4095);

	return s->rw ? min(left, most) : most;
}

static void string_touch(struct thread *t, struct string *s, bool down, u64 bytes, u64 stamp)
{
	if (s->rw)
		touch(t, (down ? s->at - bytes : s->at) & ~0xfffull, s->rw, stamp);
	s->at += down ? -bytes : bytes;
}

/* scratch[]: rsi, rdi, rcx before the instruction, of which SITE_ADDR32 takes 32 bits. Both strings' pages in the order of
 * their use. */
const void *access_string(struct thread *t)
{
	const struct site *site = site_get((unsigned)t->site);
	u64 width = site->rw & SITE_ADDR32 ? ~0u : ~0ull;
	u64 stamp = t->icount + (u64)(s64)site->stamp, bytes = ((t->scratch[2] - t->gpr[RCX]) & width) * site->len,
	    piece;
	struct string from = {t->scratch[0] & width, site->rw & SITE_SOURCE ? SITE_READ : 0};
	struct string to = {t->scratch[1] & width, site->rw & (SITE_READ | SITE_WRITE)};
	bool down = from.rw ? t->gpr[RSI] < from.at : t->gpr[RDI] < to.at;

	if (!bytes)
		return site->back;
	t->accesses += bytes / site->len * ((from.rw ? 1 : 0) + (to.rw ? 1 : 0));
	if (down) { /* the first element begins there; the pieces end there */
		from.at += site->len;
		to.at += site->len;
	}
	for (; bytes; bytes -= piece, stamp += 2) {
		piece = string_piece(&to, down, string_piece(&from, down, bytes));
		string_touch(t, &from, down, piece, stamp);
		string_touch(t, &to, down, piece, stamp + 1);
		t->icount += 2;
		t->string_steps += 2;
	}
	return site->back;
}

bool state_recover(struct thread *t, u64 gpr[NR_GPR], u64 *rip)
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
	t->icount += c->uncounted;
	return true;
}

void thread_init(struct thread *t, void *stack_top, const struct window_shape shape[2])
{
	extern const u8 enter_dispatch[], enter_access[], enter_flags[], enter_string[], enter_gather[];

	memset(t, 0, offsetof(struct thread, data));
	t->self = t;
	t->stack = (u64)stack_top & ~15ull;
	t->enter[ENTER_DISPATCH] = enter_dispatch;
	t->enter[ENTER_ACCESS] = enter_access;
	t->enter[ENTER_FLAGS] = enter_flags;
	t->enter[ENTER_STRING] = enter_string;
	t->enter[ENTER_GATHER] = enter_gather;
	window_init(&t->data, &shape[0]);
	window_init(&t->fetch, &shape[1]);
	t->why = WHY_INDIRECT;
	t->flags = 0x202;
	t->alive = 1;
	thread_add(t);
}
