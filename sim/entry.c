/* SPDX-License-Identifier: MIT
 *
 * sim/entry.c - entries into the kernel: why, and what each touches.
 *
 *   user code --(system call, fault, tick, IPI)--> [entry page] CR3 [kernel's pages] ... CR3 [entry page] --> user code
 *                                                               `-- KPTI only --'
 *
 * Invariant 1. A CPU is in user mode only while it runs a thread's own accesses (`runs`), on that thread's mm.
 *
 * It enters at the first event that is the kernel's business and leaves at the next access of the thread, so the
 * several events of one system call are one entry. A fault or tick while it is in the kernel is none: it meets the
 * kernel's tables loaded already.
 *
 * What an entry touches: one page of each sort that Linux has mapped (mm/pti.c), the least that any entry needs: the
 * entry code and the IDT, the kernel's text, per-CPU data and the page array in the direct map, the stack. A real
 * system call goes on to touch what its own work needs; that is left out. With kernel=off nothing is touched, and the
 * TLBs hold what the program alone does.
 *
 * Time. The tick comes by instructions, not by a clock: at CLOCK_HZ and IPC, a CPU takes one every CLOCK_HZ * IPC / hz
 * of the instructions that threads ran on it (12,000,000 at 250 Hz). An idle CPU takes none (NO_HZ_IDLE); but its time
 * goes on while its thread sleeps for a time that is known (EV_SLEPT), beside what other threads do there meanwhile. So
 * a machine's time is the longest that any CPU computed and slept: at most what passed
 * (docs/decisions/0002-time-asleep.md).
 *
 * What entries cost in cycles is in cost/; nothing here depends on it.
 *
 * CPUs that Meltdown does not reach (AMD Zen) run without KPTI; with kpti=on the model answers what it would cost
 * there.
 */
#include "cost/cost.h"
#include "sim/internal.h"

#define CLOCK_HZ          (COST_CLOCK_MHZ * 1000000ull)
#define IPC               1
#define MAX_TICKS_AT_ONCE 64 /* with nothing in between more of them change no TLB: they are only counted */

/* ---- what the kernel touches ---- */

struct kernel_page {
	u64 va;
	unsigned access;
};
static const struct kernel_page entry_code = {VM_KERNEL_ENTRY, MMU_FETCH};
static const struct kernel_page kernel_pages[] = {
    {VM_KERNEL_ENTRY, MMU_READ},   {VM_KERNEL_TEXT, MMU_FETCH},
    {VM_KERNEL_DIRECT, MMU_WRITE}, {VM_KERNEL_DIRECT + PMD_SIZE, MMU_READ},
    {VM_KERNEL_STACK, MMU_WRITE},
};

/* The kernel half is always mapped, so this never faults. Its walks are the kernel's, not a region's. */
static void touch(struct machine *m, struct machine_cpu *c, const struct kernel_page *page, unsigned n)
{
	const struct mmu_counters *k = c->counters;
	u64 walks[2] = {k->walks[0], k->walks[1]}, steps = k->walk_steps[0];
	struct mmu_result r;

	if (!m->cfg.kernel)
		return;
	for (unsigned i = 0; i < n; i++)
		if (mmu_access(c->mmu, page[i].va, page[i].access, -1, &r) != MMU_OK)
			m->mismatches++;
	for (unsigned kind = 0; kind < 2; kind++) {
		m->kernel.walks[kind] += k->walks[kind] - walks[kind];
		c->walks[kind] += k->walks[kind] - walks[kind];
	}
	m->kernel.walk_steps += k->walk_steps[0] - steps;
	c->walk_steps += k->walk_steps[0] - steps;
}

/* ---- in and out ---- */

void kernel_enter(struct machine *m, struct machine_cpu *c, enum kernel_entry why)
{
	if (c->in_kernel)
		return;
	c->in_kernel = true;
	m->kernel.entries[why]++;
	touch(m, c, &entry_code, 1);
	vm_enter_kernel(c->hw);
	touch(m, c, kernel_pages, ARRAY_SIZE(kernel_pages));
}

void kernel_exit(struct machine *m, struct machine_cpu *c)
{
	if (!c->in_kernel)
		return;
	vm_exit_to_user(c->hw);
	touch(m, c, &entry_code, 1);
	c->in_kernel = false;
}

/* hw/soft has entered, and leaves; a batch of mm/ is open, but never for the kernel's own pages. */
void kernel_interrupt(void *ctx, unsigned cpu)
{
	struct machine *m = ctx;
	struct machine_cpu *c = &m->cpu[cpu];

	if (c->in_kernel)
		return;
	m->kernel.entries[KERNEL_IPI]++;
	touch(m, c, kernel_pages, ARRAY_SIZE(kernel_pages));
}

/* ---- ticks ---- */

#define CYCLES_PER_US (CLOCK_HZ / 1000000)

void kernel_time(struct machine_cpu *c, u64 instructions)
{
	c->instructions += instructions;
	c->cycles += instructions / IPC;
}

/* The machine's time is that of the CPU that is furthest on. When it moves on, the OS half's own threads have a turn.
 */
static void timer(struct machine *m, struct machine_cpu *c)
{
	u64 ticks = c->cycles / (CLOCK_HZ / m->cfg.hz), passed;

	if (ticks <= m->kernel.ticks)
		return;
	passed = ticks - m->kernel.ticks;
	m->kernel.ticks = ticks;
	vm_tick(m->vm, passed * 1000000 / m->cfg.hz);
}

void kernel_slept(struct machine *m, struct machine_cpu *c, u64 since, u64 us)
{
	c->cycles = max(c->cycles, since + us * CYCLES_PER_US);
	timer(m, c);
}

void kernel_ticks(struct machine *m, struct machine_cpu *c)
{
	u64 interval = CLOCK_HZ * IPC / m->cfg.hz, ticks = c->instructions / interval, more;

	if (likely(ticks == 0))
		return;
	c->instructions -= ticks * interval;
	more = ticks - min(ticks, (u64)MAX_TICKS_AT_ONCE);
	m->kernel.entries[KERNEL_TICK] += more;
	for (ticks -= more; ticks; ticks--, more = 0) {
		kernel_enter(m, c, KERNEL_TICK);
		timer(m, c);
		kernel_exit(m, c);
	}
}

/* ---- the result ---- */

void kernel_result(const struct machine *m, struct machine_counters *c)
{
	for (unsigned why = 0; why < KERNEL_ENTRY_NR; why++)
		c->kernel_entries[why] = m->kernel.entries[why];
	c->kernel_walks[0] = m->kernel.walks[0];
	c->kernel_walks[1] = m->kernel.walks[1];
	c->kernel_walk_steps = m->kernel.walk_steps;
	c->thread_switches = m->kernel.thread_switches;
}
