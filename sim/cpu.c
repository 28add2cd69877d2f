/* SPDX-License-Identifier: MIT
 *
 * sim/cpu.c - which thread a CPU runs: switches, and the recency window over them.
 *
 * The scheduler. A thread has one CPU for its life: its number (the lowest that was free when it began) modulo `cpus`.
 * Threads of one CPU take turns. With cpus=N a stream's accesses are put by until they are a slice, SIM_SLICE window
 * events, or until the thread has a long event (decode.c); then its CPU runs it, and switches to it if another was
 * there. So a turn ends as a time slice does, or as a thread does that enters the kernel; nobody is moved to an idle
 * CPU. Without cpus= every thread has a CPU of its own, while fewer than 64 are alive.
 * A switch happens in the kernel: from user mode it takes a tick's entry. It loads CR3 if the address space is another
 * (vm_switch, with mm/'s PCIDs). A thread that ends, or waits in a system call (EVS_WAITS), leaves its CPU lazy: CR3
 * stays, and no flush interrupts it unless page tables are freed. When the thread runs again, what it missed is
 * flushed.
 *
 * The window over switches and flushes. The producer sends no access to a page in its window (trace/event.h), so two
 * things have to be made up for:
 *   - another thread ran here: the outgoing thread's window was put away (mmu_window_flush: its pages lose their hold,
 *     and their places in the recency order are right), and when it returns, all pages that the producer still has in
 *     the window enter again, as accesses of the kind that they had (read, or write). Exact for a page that the thread
 *     uses again before it leaves the window, an access too many for one that it does not: at most 32 a switch.
 *   - a CR3 load flushed the TLB inside a window (KPTI without PCIDs; a late flush of the user PCID): pages are gone
 *     whose next accesses nobody will send. Those enter again that are known to be in use: pages that stayed in the
 *     window while 16 others of their kind entered (so they were used since they entered), pages that entered before
 *     (a system call had emptied the window), and the latest of each kind. A page used again that this does not know of
 *     costs one miss too few; one that is in use no longer one too many. test/sim/kernel.c measures it.
 * A tick's or fault's own accesses come after the last uses of the pages that are in the window then, as far as anybody
 * knows (mmu/tlb.h).
 *
 * Invariants
 *  1. slot[].word is what the producer has in its window as of the last event that this machine took; 0: nothing.
 *     Kept only by machines that need it (keeps_windows).
 */
#include <stdlib.h>
#include <string.h>

#include "sim/internal.h"
#include "sim/xalloc.h"

/* ---- windows ---- */

static bool keeps_windows(const struct machine *m)
{
	return m->cfg.kpti || m->cfg.cpus != 0;
}

static struct machine_thread *thread_of(struct machine *m, const struct stream *t)
{
	unsigned old = m->cap_threads;

	while (m->cap_threads <= t->index)
		m->thread = xgrow(m->thread, &m->cap_threads, sizeof(*m->thread));
	if (m->cap_threads > old)
		memset(m->thread + old, 0, (m->cap_threads - old) * sizeof(*m->thread));
	if (m->thread[t->index].serial != t->serial)
		m->thread[t->index] = (struct machine_thread){.serial = t->serial};
	return &m->thread[t->index];
}

struct machine_thread *machine_window(struct machine *m, const struct stream *t)
{
	return keeps_windows(m) ? thread_of(m, t) : NULL;
}

void window_note(struct machine_thread *th, u64 word)
{
	unsigned slot = ev_enter_slot(word), kind = slot >= MMU_WINDOW_DATA;
	struct window_slot *s = &th->slot[slot];
	u64 *seen = &th->seen[(word >> PAGE_SHIFT ^ word >> (PAGE_SHIFT + 6)) % ARRAY_SIZE(th->seen)];

	if (ev_is_leave(word)) {
		s->word = 0;
		return;
	}
	ASSERT(ev_type(word) == EV_ENTER && (kind == 0) == !(ev_enter_rwx(word) & EVR_FETCH));
	if (s->word && ev_enter_va(s->word) == ev_enter_va(word)) {
		s->word |= word; /* the first write after reads */
		return;
	}
	*s = (struct window_slot){word, ++th->entered[kind], *seen == ev_enter_va(word)};
	*seen = ev_enter_va(word);
}

static bool known_in_use(const struct machine_thread *th, unsigned slot)
{
	unsigned kind = slot >= MMU_WINDOW_DATA;
	u64 since = th->entered[kind] - th->slot[slot].at;

	return th->slot[slot].again || since == 0 || since >= MMU_WINDOW_SMALL;
}

/* The oldest page of the window that entered after number `after`, of both kinds in turn; -1: none. */
static int next_slot(const struct machine_thread *th, unsigned kind, u64 after)
{
	unsigned first = kind ? MMU_WINDOW_DATA : 0;
	int found = -1;

	for (unsigned slot = first; slot < first + MMU_WINDOW_DATA; slot++)
		if (th->slot[slot].word && th->slot[slot].at > after &&
		    (found < 0 || th->slot[slot].at < th->slot[found].at))
			found = (int)slot;
	return found;
}

void window_reenter(struct machine *m, struct machine_cpu *c, struct machine_thread *th)
{
	bool all = c->switched;

	for (unsigned kind = 0; kind < 2; kind++) {
		u64 at = 0;

		for (int slot; (slot = next_slot(th, kind, at)) >= 0; at = th->slot[slot].at)
			if (all || known_in_use(th, (unsigned)slot))
				machine_enter_word(m, c, th->slot[slot].word);
	}
	c->switched = false;
	c->flushes_seen = c->counters->cr3_flushes;
}

/* ---- CPUs ---- */

static struct machine_cpu *cpu_of(struct machine *m, const struct stream *t)
{
	unsigned id = m->cfg.cpus ? t->cpu % m->cfg.cpus : t->cpu;
	struct machine_cpu *c = &m->cpu[id];

	if (unlikely(!c->hw)) {
		c->hw = xcheck(hw_soft_cpu(m->hw, id));
		c->mmu = hw_soft_mmu(c->hw);
		c->counters = mmu_counters(c->mmu);
		c->in_kernel = true;
	}
	return c;
}

/* Puts t in the place of whoever ran here. */
static void switch_thread(struct machine *m, struct machine_cpu *c, const struct stream *t)
{
	if (c->serial != 0) {
		kernel_enter(m, c, KERNEL_TICK);
		m->kernel.thread_switches += c->runs;
	}
	mmu_window_flush(c->mmu);
	c->serial = t->serial;
	c->runs = true;
	c->switched = true;
}

static struct machine_cpu *take_cpu(struct machine *m, const struct stream *t)
{
	struct machine_cpu *c = cpu_of(m, t);
	struct space *sp = t->process->space;
	struct mm_struct *mm = m->space[sp->id].mm;

	ASSERT(machine_has(m, sp));
	if (unlikely(m->payer != t->process->payer))
		machine_pays(m, t->process);
	machine_fit_regions(m);
	m->running = sp;
	hw_soft_set_current(m->hw, c->hw);
	if (c->serial != t->serial)
		switch_thread(m, c, t);
	if (c->mm != mm) {
		kernel_enter(m, c, KERNEL_SYSCALL);
		vm_switch(c->hw, mm);
		c->mm = mm;
	}
	return c;
}

struct machine_cpu *machine_enter(struct machine *m, struct stream *t)
{
	struct machine_cpu *c = take_cpu(m, t);

	kernel_enter(m, c, KERNEL_SYSCALL);
	ASSERT(machine_may_call_mm(m, c));
	return c;
}

struct machine_cpu *machine_enter_user(struct machine *m, struct stream *t)
{
	struct machine_cpu *c = take_cpu(m, t);

	kernel_exit(m, c);
	kernel_ticks(m, c);
	return c;
}

bool machine_may_call_mm(const struct machine *m, const struct machine_cpu *c)
{
	return hw_this_cpu(m->hw) == c->hw && c->in_kernel && m->running && m->space[m->running->id].mm == c->mm;
}

void machine_enter_kernel(struct machine *m, struct stream *t)
{
	struct space *sp = t->process->space;
	struct machine_cpu *c = &m->cpu[hw_cpu_id(hw_this_cpu(m->hw))];

	if (sp && machine_has(m, sp)) {
		machine_enter(m, t);
		return;
	}
	m->running = NULL;
	if (m->payer != t->process->payer)
		machine_pays(m, t->process);
	if (c->hw)
		kernel_enter(m, c, KERNEL_SYSCALL);
}

void machine_window_empty(struct machine *m, struct stream *t)
{
	struct machine_cpu *c = cpu_of(m, t);

	if (c->serial == t->serial)
		mmu_window_flush(c->mmu);
	if (keeps_windows(m))
		memset(thread_of(m, t)->slot, 0, sizeof(m->thread->slot));
}

/* Accesses for each walk, of late: so many lines of data it brings at most (mmu/lines.h). */
static void tell_lines(struct machine_cpu *c, u64 accesses)
{
	const struct mmu_counters *k = c->counters;
	u64 walked = k->walks[0] + k->walks[1], since = walked - c->walked;

	mmu_data_lines(c->mmu, accesses, since);
	c->walked = walked;
}

void machine_ran(struct machine *m, struct stream *t, const struct sim_ran *ran)
{
	struct machine_cpu *c = cpu_of(m, t);

	if (c->mmu)
		tell_lines(c, ran->data_accesses);
	kernel_time(c, ran->instructions);
	if (!c->in_kernel && c->serial == t->serial)
		machine_enter_user(m, t);
}

/* Lazily: CR3 stays, nothing of the space is used any more. */
static void cpu_leave(struct machine *m, struct machine_cpu *c)
{
	hw_soft_set_current(m->hw, c->hw);
	kernel_enter(m, c, KERNEL_SYSCALL);
	vm_switch(c->hw, NULL);
	c->mm = NULL;
}

/* A CPU whose thread waits is idle: Linux's idle task runs there, lazily in the thread's address space. */
void machine_syscall(struct machine *m, struct stream *t, bool waits)
{
	struct machine_cpu *c = machine_enter(m, t);

	if (!waits)
		return;
	for (unsigned old = m->cap_waits; m->cap_waits <= t->index; old = m->cap_waits) {
		m->waits_since = xgrow(m->waits_since, &m->cap_waits, sizeof(*m->waits_since));
		memset(m->waits_since + old, 0, (m->cap_waits - old) * sizeof(*m->waits_since));
	}
	m->waits_since[t->index] = c->cycles;
	cpu_leave(m, c);
}

void machine_slept(struct machine *m, struct stream *t, u64 us)
{
	struct machine_cpu *c = machine_enter(m, t);

	if (t->waits_in_call && t->index < m->cap_waits)
		kernel_slept(m, c, m->waits_since[t->index], us);
	machine_end_killed(m);
}

void machine_thread_exit(struct machine *m, struct stream *t)
{
	struct machine_cpu *c = machine_enter(m, t);

	mmu_window_flush(c->mmu);
	cpu_leave(m, c);
	c->runs = false;
}

void machine_leave_space(struct machine *m, struct space *sp)
{
	struct mm_struct *mm = m->space[sp->id].mm;

	for (unsigned i = 0; i < HW_SOFT_CPUS; i++)
		if (m->cpu[i].mm == mm)
			cpu_leave(m, &m->cpu[i]);
}
