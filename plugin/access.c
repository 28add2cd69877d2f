/* SPDX-License-Identifier: MIT
 *
 * plugin/access.c - what generated code calls: data accesses, instruction pages, instructions. The hot path.
 *
 *   part (instructions of a block in one page):   insn   insn   load   insn   store   insn   load
 *                                                                lead          follow         follow
 *
 * A part tells its page by its first memory access, the lead; only a part that may run without one has a callback of
 * its own. What comes after needs no look at the page. Of most instructions it is known that they load only, or store
 * only (trace/insn.h), so a callback for each kind knows it, too.
 *
 * Instructions are counted by an addition in the generated code as long as no other thread can run that code. Before it
 * can QEMU translates everything anew (calls.c); then the lead counts the instructions of its part if it is sure to be
 * called once; else a callback of the part does.
 *
 * QEMU tells the two halves of a read-modify-write instruction apart. Both are told as writes: x86 takes one fault.
 *
 * udata of a part: the page's address | its number of instructions (a block has at most 512).
 */
#include "plugin/plugin.h"
#include "plugin/qemu.h"
#include "trace/insn.h"

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
		emit_enter(t, w, page, (unsigned)slot, rwx);
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

/* The page is new to its window, or the window cannot take the access in one step. */
static __attribute__((noinline)) void access_slow(struct thread *t, qemu_plugin_meminfo_t info, u64 va, u64 part,
						  unsigned write)
{
	u64 page = va & ~0xfffull, last = (va + (1ull << qemu_plugin_mem_size_shift(info)) - 1) & ~0xfffull;
	unsigned rwx = write ? EVR_WRITE : EVR_READ;

	if (t->fetch_page != (part & ~0xfffull))
		fetch_change(t, part & ~0xfffull);
	if (!window_hit(&t->data, page, write))
		enter(t, &t->data, page, rwx);
	if (last != page && !window_hit(&t->data, last, write))
		enter(t, &t->data, last, rwx);
}

/* Instructions come from `page`: one step if the window has it, as for most changes: they go between a few pages. */
static inline bool fetch_quick(struct thread *t, u64 page)
{
	if (likely(t->fetch_page == page))
		return true;
	if (unlikely(!window_hit(&t->fetch, page, 0)))
		return false;
	t->fetch_page = page;
	return true;
}

enum role { FOLLOW, LEAD, LEAD_COUNTING, NR_ROLES };

static inline __attribute__((always_inline)) void access(struct thread *t, qemu_plugin_meminfo_t info, u64 va, u64 part,
							 unsigned write, enum role role)
{
	if (role == LEAD_COUNTING)
		t->instructions += part & 0xfff;
	if (role != FOLLOW && unlikely(!fetch_quick(t, part & ~0xfffull)))
		access_slow(t, info, va, part, write);
	else if (unlikely(!window_hit(&t->data, va, write)))
		access_slow(t, info, va, part, write);
}

#define CALLBACK(name, write, role)                                                                                    \
	static void name(unsigned vcpu, qemu_plugin_meminfo_t info, u64 va, void *part)                                \
	{                                                                                                              \
		access(threads[vcpu], info, va, (u64)part, write, role);                                               \
	}
#define CALLBACKS(name, role)                                                                                          \
	CALLBACK(name##_load, 0, role)                                                                                 \
	CALLBACK(name##_store, 1, role)                                                                                \
	CALLBACK(name##_either, (info & store_bits) != 0, role)                                                        \
	static const qemu_plugin_vcpu_mem_cb_t name[4] = {name##_either, name##_load, name##_store, name##_either};

CALLBACKS(follow, FOLLOW)
CALLBACKS(lead, LEAD)
CALLBACKS(lead_counting, LEAD_COUNTING)

/* [role][kind]: kind INSN_LOADS, INSN_STORES, or else either */
static const qemu_plugin_vcpu_mem_cb_t *const callbacks[NR_ROLES] = {follow, lead, lead_counting};

static void part_runs(unsigned vcpu, void *part)
{
	struct thread *t = threads[vcpu];
	u64 page = (u64)part & ~0xfffull;

	if (unlikely(!fetch_quick(t, page)))
		fetch_change(t, page);
}

static void part_runs_counting(unsigned vcpu, void *part)
{
	threads[vcpu]->instructions += (u64)part & 0xfff;
	part_runs(vcpu, part);
}

/* ---- while QEMU translates ---- */

static u64 insn_page(struct qemu_plugin_tb *tb, size_t i)
{
	return qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, i)) & ~0xfffull;
}

/* The accesses that instruction i's callbacks may take for granted. QEMU 7.2 leaves those of a block's last instruction
 * in place after it: accesses that it makes itself then (to write a signal's frame) call them, too. */
static unsigned sure_accesses(struct qemu_plugin_tb *tb, size_t i, unsigned accesses)
{
	if (i + 1 < qemu_plugin_tb_n_insns(tb))
		return accesses;
	return accesses & INSN_LOADS || !accesses ? INSN_LOADS | INSN_STORES : INSN_STORES;
}

/* Instructions [first, end) of the block lie in one page (the last may reach into the next). */
static void translate_part(struct qemu_plugin_tb *tb, size_t first, size_t end, bool count)
{
	void *part = (void *)(insn_page(tb, first) | (end - first));
	bool certain = false, counted = !count;

	for (size_t i = first; i < end; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		unsigned accesses = insn_accesses(qemu_plugin_insn_haddr(insn), qemu_plugin_insn_size(insn));
		unsigned sure = sure_accesses(tb, i, accesses), kind = sure & (INSN_LOADS | INSN_STORES);
		enum role role = certain ? FOLLOW : !counted && sure & INSN_ONCE ? LEAD_COUNTING : LEAD;

		qemu_plugin_register_vcpu_mem_cb(insn, callbacks[role][kind], QEMU_PLUGIN_CB_NO_REGS,
						 QEMU_PLUGIN_MEM_RW, part);
		certain |= accesses && !(accesses & INSN_MAYBE);
		counted |= role == LEAD_COUNTING;
	}
	if (!certain || !counted)
		qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_tb_get_insn(tb, first),
						       counted ? part_runs : part_runs_counting, QEMU_PLUGIN_CB_NO_REGS,
						       part);
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
