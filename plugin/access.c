/* SPDX-License-Identifier: MIT
 *
 * plugin/access.c - what generated code calls: data accesses, instruction pages, instructions. The hot path.
 *
 * Each instruction's memory accesses call on_access() with the page that the instruction lies in.
 * So a part of a block (a run of instructions in one page) tells its page by its first memory access; only a part that
 * may run without one has a callback of its own. Instructions are counted by an addition in the generated code while
 * the process has one thread; when it gets a second one QEMU translates everything anew, and then a callback of every
 * part counts for its thread.
 *
 * udata of a part: the page's address | its number of instructions (a block has at most 512).
 */
#include "plugin/insn.h"
#include "plugin/plugin.h"
#include "plugin/qemu.h"

/* The bits of an access's description that say "store". qemu_plugin_mem_is_store() tells it, but costs a call; it is a
 * function of the bits alone, so it is asked once for each. (Callbacks for loads and for stores apart are no way: QEMU
 * 7.2 mixes them up.) */
static u32 store_bits;

/* ---- while the program runs ---- */

/* Another thread may have changed a mapping while this one set a tag: see emit.c. */
static void recheck_clock(struct thread *t)
{
	if (process.nr_threads < 2)
		return;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (ring_clock(process.hub) != t->clock) {
		window_revoke(&t->data);
		window_revoke(&t->fetch);
	}
}

static void enter(struct thread *t, struct window *w, u64 page, unsigned rwx)
{
	int slot;

	if (!thread_ready(t))
		return;
	slot = window_enter(w, page, rwx == EVR_WRITE);
	if (slot >= 0)
		emit_enter(t, page, slot + (rwx == EVR_FETCH ? WINDOW_SLOTS : 0), rwx);
	recheck_clock(t);
}

/* The thread's instructions come from another page now. After a kernel entry it may be the same again: no change. */
static __attribute__((noinline)) void fetch_change(struct thread *t, u64 page)
{
	if (t->fetch_page == WINDOW_NONE && t->last_page == page)
		t->fetch_returns++;
	t->fetch_page = page;
	if (!window_hit(&t->fetch, page, 0))
		enter(t, &t->fetch, page, EVR_FETCH);
}

/* The instruction's page is new to the window, or the window cannot take the access in one step. */
static __attribute__((noinline)) void access_slow(struct thread *t, qemu_plugin_meminfo_t info, u64 va, u64 part,
						  unsigned write)
{
	u64 page = va & ~0xfffull, last = (va + (1ull << qemu_plugin_mem_size_shift(info)) - 1) & ~0xfffull;
	unsigned rwx = write ? EVR_WRITE : EVR_READ;

	if (t->fetch_page != part)
		fetch_change(t, part);
	if (!window_hit(&t->data, page, write))
		enter(t, &t->data, page, rwx);
	if (last != page && !window_hit(&t->data, last, write))
		enter(t, &t->data, last, rwx);
}

/* Most fetch changes go between a few pages that are all in the window (the inner test), and most accesses are hits. */
static void on_access(unsigned vcpu, qemu_plugin_meminfo_t info, u64 va, void *udata)
{
	struct thread *t = threads[vcpu];
	unsigned write = (info & store_bits) != 0;
	u64 part = (u64)udata;

	if (unlikely(t->fetch_page != part)) {
		if (unlikely(!window_hit(&t->fetch, part, 0))) {
			access_slow(t, info, va, part, write);
			return;
		}
		t->fetch_page = part;
	}
	if (unlikely(!window_hit(&t->data, va, write)))
		access_slow(t, info, va, part, write);
}

static void part_runs(unsigned vcpu, void *part)
{
	struct thread *t = threads[vcpu];

	if (t->fetch_page != (u64)part)
		fetch_change(t, (u64)part);
}

static void part_runs_counted(unsigned vcpu, void *part)
{
	struct thread *t = threads[vcpu];

	t->instructions += (u64)part & 0xfff;
	if (t->fetch_page != ((u64)part & ~0xfffull))
		fetch_change(t, (u64)part & ~0xfffull);
}

/* ---- while QEMU translates ---- */

static u64 insn_page(struct qemu_plugin_tb *tb, size_t i)
{
	return qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, i)) & ~0xfffull;
}

/* Instructions [first, end) of the block lie in one page (the last may reach into the next). */
static void translate_part(struct qemu_plugin_tb *tb, size_t first, size_t end, bool count)
{
	u64 page = insn_page(tb, first);
	bool certain = false;

	for (size_t i = first; i < end; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		certain |= insn_touches_memory(qemu_plugin_insn_haddr(insn), qemu_plugin_insn_size(insn));
		qemu_plugin_register_vcpu_mem_cb(insn, on_access, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW,
						 (void *)page);
	}
	if (count)
		qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_tb_get_insn(tb, first), part_runs_counted,
						       QEMU_PLUGIN_CB_NO_REGS, (void *)(page | (end - first)));
	else if (!certain)
		qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_tb_get_insn(tb, first), part_runs,
						       QEMU_PLUGIN_CB_NO_REGS, (void *)page);
}

/* The last instruction of a part reaches into the next page: that page is fetched, too. */
static void translate_crossing(struct qemu_plugin_tb *tb, size_t i)
{
	struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
	u64 last = (qemu_plugin_insn_vaddr(insn) + qemu_plugin_insn_size(insn) - 1) & ~0xfffull;

	if (last != insn_page(tb, i))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, part_runs, QEMU_PLUGIN_CB_NO_REGS, (void *)last);
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb), first = 0;
	bool count = process.parallel || !qemu_plugin_register_vcpu_tb_exec_inline;

	if (!process.announced)
		image_announce(threads[0]);
	for (size_t i = 1; i <= n; i++) {
		if (i < n && insn_page(tb, i) == insn_page(tb, first))
			continue;
		translate_part(tb, first, i, count);
		translate_crossing(tb, i - 1);
		first = i;
	}
	if (!count)
		qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &process.instructions, n);
}

static void on_vcpu(qemu_plugin_id_t id, unsigned vcpu)
{
	if (vcpu >= MAX_THREADS)
		__builtin_trap();
	thread_init(vcpu);
}

void access_install(u64 id)
{
	for (unsigned bit = 0; bit < 32; bit++)
		if (qemu_plugin_mem_is_store(1u << bit))
			store_bits |= 1u << bit;
	qemu_plugin_register_vcpu_init_cb(id, on_vcpu);
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
}
