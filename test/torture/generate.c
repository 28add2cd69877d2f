/* SPDX-License-Identifier: MIT
 *
 * test/torture/generate.c - what happens next. A seed names a machine and a sequence of calls; the model is asked for
 * what is worth doing (who lives, what is mapped), and nothing depends on anything else: the same seed, the same calls.
 *
 * Left out: rights of x alone (Linux gives a protection key where the CPU has them), places that the kernel chooses
 * (test/mm/place_host.c), fetches of bytes that are no harmless instruction; stacks, whose areas grow at an access, and
 * mlockall (test/mm/areas_host.c knows both).
 */
#include <string.h>
#include <sys/mman.h>

#include "mm/vm.h"
#include "play/probe.h"
#include "test/torture/torture.h"

#define RET 0xc3
/* Not in every libc. */
#define ADVICE_DONTNEED_LOCKED 24
#define ADVICE_COLLAPSE        25
#define ADVICE_GUARD_INSTALL   102
#define ADVICE_GUARD_REMOVE    103
#define EXCEPT_ADVISED         2 /* PR_THP_DISABLE_EXCEPT_ADVISED */

static u64 next(struct trial *t, u64 n)
{
	t->rng ^= t->rng << 13;
	t->rng ^= t->rng >> 7;
	t->rng ^= t->rng << 17;
	return (t->rng >> 11) % n;
}

static bool one_in(struct trial *t, u64 n)
{
	return next(t, n) == 0;
}

/* ---- the machine ---- */

/* Beside this Linux: as it is. Else each way that a Linux may be otherwise is one in four's, and so is each swap device,
 * by bits of the seed that the calls do not come from. */
static void pick_variant(struct trial *t)
{
	u64 bits = t->seed * 0xd1342543de82ef95ull >> 32;

	if (t->host)
		host_variant(&t->machine.variant, 0);
	for (unsigned i = 0; i < VARIANT_ROWS && !t->host; i++)
		*variant_at(&t->machine.variant, i) = bits >> 2 * i & 3;
	if (!t->host)
		t->machine.swap_device = &swap_devices[bits >> 2 * VARIANT_ROWS & 3];
}

/* A third has room, a third little RAM and swap for all, a third neither: there the OOM killer comes. */
void generate_machine(struct trial *t)
{
	static const char *const preset[] = {"zen3", "skylake", "zen4"};
	struct machine_config *m = &t->machine;

	t->rng = t->seed * 0x9e3779b97f4a7c15ull + 1;
	machine_config_default(m);
	m->swap_bytes = 0;
	m->thp = (enum vm_thp)next(t, 3);
	m->pcid = next(t, 4);
	m->kpti = one_in(t, 3);
	m->reclaim = (enum vm_reclaim_policy)next(t, VM_RECLAIM_NR);
	m->preset = cpu_preset_find(preset[next(t, 3)]);
	t->cpus = 1 + (unsigned)next(t, 4);
	t->processes = 1;
	switch (t->host ? 0 : next(t, 3)) {
	case 0:
		m->ram_bytes = 128 << 20;
		break;
	case 1:
		m->ram_bytes = (8 + next(t, 9)) << 20;
		m->swap_bytes = 256 << 20;
		break;
	default:
		m->ram_bytes = (8 + next(t, 5)) << 20;
		m->swap_bytes = next(t, 3) << 22;
		t->hungry = true;
		break;
	}
	if (t->host)
		m->thp = VM_THP_MADVISE;
	pick_variant(t);
}

/* ---- ranges ---- */

struct pages {
	unsigned first, nr;
};

/* Small ranges, and often whole huge pages. */
static struct pages pick(struct trial *t)
{
	struct pages r;

	if (one_in(t, 4)) {
		r.first = (unsigned)next(t, MODEL_PAGES / 512) * 512;
		r.nr = 512 * (1 + (unsigned)next(t, 2));
	} else {
		r.first = (unsigned)next(t, MODEL_PAGES);
		r.nr = 1 + (unsigned)next(t, next(t, 4) ? 40 : 700);
	}
	r.nr = min(r.nr, MODEL_PAGES - r.first);
	return r;
}

static void set_range(struct trial *t, struct play_call *call, struct pages r)
{
	call->value[PLAY_ADDR] = model_address(r.first);
	call->value[PLAY_LEN] = (u64)r.nr * PAGE_SIZE;
	if (one_in(t, 12))
		call->value[PLAY_LEN] -= next(t, PAGE_SIZE); /* rounded up again */
	if (one_in(t, 80))
		call->value[PLAY_LEN] = 0;
	if (one_in(t, 60))
		call->value[PLAY_ADDR] += 8;
}

static u32 pick_prot(struct trial *t)
{
	u32 prot = next(t, 3) ? PROT_READ | PROT_WRITE : (u32)next(t, 8);

	return prot == PROT_EXEC ? PROT_READ | PROT_EXEC : prot;
}

bool generate_area(const struct computer *c, unsigned process, unsigned page, unsigned *first, unsigned *end)
{
	struct vm_area_info info;
	u64 va = model_address(page);

	if (!vm_area_next(c->mm[process], va, &info) || info.start > va)
		return false;
	*first = (unsigned)((info.start - MODEL_BASE) >> PAGE_SHIFT);
	*end = (unsigned)((info.end - MODEL_BASE) >> PAGE_SHIFT);
	return true;
}

/* ---- calls ---- */

/* When pages that MADV_FREE gave up go, or droppable ones, is each kernel's choice: beside Linux a program uses it, or lets pages go. */
static bool frees_lazily(const struct trial *t)
{
	return !t->host || t->seed / 2 % 2;
}

static bool lets_pages_go(const struct trial *t)
{
	return !t->host || !frees_lazily(t);
}

static bool is_short(const struct trial *t)
{
	return t->machine.ram_bytes < 64 << 20;
}

static void make_mmap(struct trial *t, struct play_call *call)
{
	struct pages r = pick(t);
	bool shared = one_in(t, 3);

	call->op = PLAY_MMAP;
	set_range(t, call, r);
	call->prot = pick_prot(t);
	call->file = one_in(t, 3) ? (s32)next(t, MODEL_FILES) : -1;
	call->flags = (shared ? MAP_SHARED : MAP_PRIVATE) | (one_in(t, 10) ? MAP_FIXED_NOREPLACE : MAP_FIXED);
	if (call->file < 0)
		call->flags |= MAP_ANONYMOUS;
	else if (r.nr < MODEL_FILE_PAGES)
		call->value[PLAY_OFFSET] = next(t, MODEL_FILE_PAGES - r.nr) * PAGE_SIZE;
	if (t->hungry && call->file < 0 && one_in(t, 2)) {
		call->value[PLAY_ADDR] = model_address(0);
		call->value[PLAY_LEN] = MODEL_PAGES * PAGE_SIZE;
		call->prot = PROT_READ | PROT_WRITE;
		call->flags |= MAP_POPULATE;
	}
	if (one_in(t, 8))
		call->flags |= MAP_POPULATE;
	if (one_in(t, 8))
		call->flags |= MAP_NORESERVE;
	if (one_in(t, 16) && !is_short(t))
		call->flags |= MAP_LOCKED;
	if (one_in(t, 12) && call->file < 0 && !shared && frees_lazily(t) &&
	    (!t->host || host_has(PROBE_MAP_DROPPABLE)))
		call->flags = (call->flags & ~(u32)MAP_TYPE) | MODEL_DROPPABLE;
}

/* What this Linux knows, and does when it is told to. */
static bool may_advise(const struct trial *t, int advice)
{
	switch (advice) {
	case MADV_PAGEOUT:
		return lets_pages_go(t);
	case MADV_FREE:
		return frees_lazily(t);
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return !t->host || host_has(PROBE_ADVICE_POPULATE);
	case ADVICE_DONTNEED_LOCKED:
		return !t->host || host_has(PROBE_ADVICE_DONTNEED_LOCKED);
	case ADVICE_GUARD_INSTALL:
	case ADVICE_GUARD_REMOVE:
		return !t->host || host_has(PROBE_ADVICE_GUARD);
	case ADVICE_COLLAPSE:
		return !t->host; /* it may fail on Linux */
	default:
		return true;
	}
}

static void make_advice(struct trial *t, struct play_call *call)
{
	static const int advice[] = {
	    MADV_DONTNEED,
	    MADV_DONTNEED,
	    MADV_FREE,
	    MADV_HUGEPAGE,
	    MADV_HUGEPAGE,
	    MADV_NOHUGEPAGE,
	    MADV_DONTFORK,
	    MADV_DOFORK,
	    MADV_WIPEONFORK,
	    MADV_KEEPONFORK,
	    MADV_POPULATE_READ,
	    MADV_POPULATE_WRITE,
	    MADV_COLD,
	    MADV_PAGEOUT,
	    MADV_RANDOM,
	    MADV_NORMAL,
	    MADV_SEQUENTIAL,
	    MADV_WILLNEED,
	    MADV_REMOVE,
	    MADV_DONTDUMP,
	    MADV_DODUMP,
	    ADVICE_DONTNEED_LOCKED,
	    ADVICE_GUARD_INSTALL,
	    ADVICE_GUARD_INSTALL,
	    ADVICE_GUARD_REMOVE,
	    ADVICE_COLLAPSE,
	};

	call->op = PLAY_MADVISE;
	set_range(t, call, pick(t));
	call->advice = advice[next(t, ARRAY_SIZE(advice))];
	if (!may_advise(t, call->advice))
		call->advice = MADV_COLD;
}

static void make_simple(struct trial *t, struct play_call *call, unsigned op)
{
	call->op = (u8)op;
	if (op == PLAY_MPROTECT)
		call->prot = pick_prot(t);
	set_range(t, call, pick(t));
}

/* Where memory is short no more is locked than leaves room for the others. */
static void make_lock(struct trial *t, struct play_call *call)
{
	struct pages r = pick(t);

	call->op = one_in(t, 3) ? PLAY_MUNLOCK : PLAY_MLOCK;
	if (is_short(t))
		r.nr = min(r.nr, 32u);
	set_range(t, call, r);
	if (call->op == PLAY_MLOCK && one_in(t, 3))
		call->flags = MLOCK_ONFAULT;
}

static void make_thp_disable(struct trial *t, struct play_call *call)
{
	call->op = PLAY_THP_DISABLE;
	call->value[PLAY_ADDR] = next(t, 2);
	if (call->value[PLAY_ADDR] && one_in(t, 2) && (!t->host || host_has(PROBE_THP_EXCEPT_ADVISED)))
		call->flags = EXCEPT_ADVISED;
}

static void make_mincore(struct trial *t, struct play_call *call)
{
	struct pages r = pick(t);

	call->op = PLAY_MINCORE;
	r.nr = min(r.nr, (unsigned)PLAY_DATA);
	set_range(t, call, r);
}

/* What changes no contents. Beside this Linux: reclaim is the simulated kernel's alone; where huge pages come unasked, it is
 * PR_SET_THP_DISABLE that keeps them away. */
static void make_harmless(struct trial *t, struct play_call *call)
{
	unsigned what = (unsigned)next(t, 3);

	if (what == 0 && !(t->host && host_has(PROBE_HUGE_UNASKED))) {
		make_thp_disable(t, call);
	} else if (what == 1 && !(t->host && lets_pages_go(t))) {
		make_mincore(t, call);
	} else {
		call->flags = (u32)next(t, 8);
		make_simple(t, call, PLAY_MSYNC);
	}
}

/* This Linux leaves areas behind as mm/ does it. */
static bool dontunmap_agrees(const struct trial *t)
{
	return !t->host || (host_has(PROBE_DONTUNMAP_APART) && host_has(PROBE_DONTUNMAP_JOINS_OTHER) &&
			    host_has(PROBE_DONTUNMAP_AS_NEW) && host_has(PROBE_DONTUNMAP_CUTS_LOCKED));
}

/* A part of one area, of another size or at another place, or both. */
static void make_mremap(struct trial *t, const struct computer *c, struct play_call *call)
{
	struct pages r = pick(t);
	unsigned first, end, to, new_nr;

	call->op = PLAY_MREMAP;
	if (generate_area(c, call->process, r.first, &first, &end))
		r.nr = min(r.nr, end - r.first);
	new_nr = one_in(t, 3) ? 1 + (unsigned)next(t, 2 * r.nr) : r.nr;
	set_range(t, call, r);
	if (one_in(t, 4)) {
		if (!call->value[PLAY_LEN])
			call->value[PLAY_LEN] = PAGE_SIZE;
		new_nr = min(new_nr, MODEL_PAGES - r.first);
	} else {
		new_nr = min(new_nr, MODEL_PAGES);
		call->flags = MREMAP_MAYMOVE | MREMAP_FIXED;
		if (one_in(t, 5) && new_nr == r.nr && IS_ALIGNED(call->value[PLAY_LEN], PAGE_SIZE) &&
		    call->value[PLAY_LEN] && dontunmap_agrees(t))
			call->flags |= MREMAP_DONTUNMAP;
		to = (unsigned)next(t, MODEL_PAGES - new_nr + 1);
		if (one_in(t, 3) && ALIGN_DOWN(to, 512u) + r.first % 512 <= MODEL_PAGES - new_nr)
			to = ALIGN_DOWN(to, 512u) + r.first % 512; /* a huge page may move whole */
		call->value[PLAY_NEW_ADDR] = model_address(to);
	}
	call->value[PLAY_NEW_LEN] = (u64)new_nr * PAGE_SIZE;
}

/* True when the bytes at the page's beginning are an instruction that does no harm, or cannot be fetched. */
static bool may_fetch(const struct model *m, const struct page *p)
{
	struct play_outcome refused = {0};
	u8 byte;

	if (!model_may_access(m, p, PLAY_EXEC, 0, &refused))
		return true;
	byte = *model_byte((struct model *)m, (struct page *)p, 0);
	return !p->unknown && (byte == RET || byte == 0);
}

static void make_access(struct trial *t, const struct model *m, struct play_call *call)
{
	struct pages r = pick(t);
	unsigned op = (unsigned)next(t, 9);

	call->op = op < 4 ? PLAY_READ : op < 8 ? PLAY_WRITE : PLAY_EXEC;
	if (call->op == PLAY_EXEC && !may_fetch(m, &m->page[call->process][r.first]))
		call->op = PLAY_READ;
	call->nr_data = 1;
	call->value[PLAY_ADDR] = model_address(r.first);
	if (one_in(t, 3) && call->op != PLAY_EXEC) {
		call->value[PLAY_ADDR] += PAGE_SIZE - 1;
		if (call->op == PLAY_WRITE && one_in(t, 2))
			call->nr_data = 2; /* crosses into the next page */
	}
	if (call->op != PLAY_EXEC && next(t, 3))
		call->value[PLAY_OVER] = (u64)r.nr * PAGE_SIZE;
	for (unsigned i = 0; i < call->nr_data && call->op == PLAY_WRITE; i++)
		call->data[i] = (u8)('a' + next(t, 26));
	if (call->op == PLAY_WRITE && call->nr_data == 1 && one_in(t, 4))
		call->data[0] = RET;
}

/* ---- processes, files ---- */

static unsigned living(const struct model *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PLAY_PROCESSES; i++)
		n += m->alive[i];
	return n;
}

static void make_process(struct trial *t, const struct model *m, struct play_call *call)
{
	bool room = t->processes < PLAY_PROCESSES && living(m) < 5;

	switch (next(t, 5)) {
	case 0:
	case 1:
		if (!room)
			break;
		call->op = PLAY_FORK;
		call->other = (u8)t->processes++;
		return;
	case 2:
		if (!room || next(t, 3))
			break;
		call->op = PLAY_SPAWN;
		call->process = (u8)t->processes++;
		call->cpu = (u8)next(t, t->cpus);
		return;
	case 3:
		if (living(m) < 2)
			break;
		call->op = PLAY_EXIT;
		return;
	default:
		break;
	}
	call->op = PLAY_SWITCH;
	call->cpu = (u8)next(t, t->cpus);
}

static void make_resize(struct trial *t, struct play_call *call)
{
	call->op = PLAY_RESIZE;
	call->file = (s32)next(t, MODEL_FILES);
	call->value[PLAY_LEN] = next(t, MODEL_FILE_PAGES + 1) * PAGE_SIZE;
}

/* The files, and what the OOM killer chose: these come first. */
static bool make_first(struct trial *t, const struct model *m, struct play_call *call)
{
	if (t->nr < MODEL_FILES) {
		call->op = t->nr ? PLAY_FILE : PLAY_MEMFD;
		call->file = (s32)t->nr;
		call->value[PLAY_LEN] = MODEL_FILE_PAGES * PAGE_SIZE;
		return true;
	}
	for (unsigned i = 0; i < PLAY_PROCESSES; i++) {
		if (!m->alive[i] || !m->doomed[i])
			continue;
		call->op = PLAY_EXIT;
		call->process = (u8)i;
		return true;
	}
	return false;
}

void generate_call(struct trial *t, const struct model *m, const struct computer *c, struct play_call *call)
{
	unsigned kind = (unsigned)next(t, 24), i = (unsigned)next(t, PLAY_PROCESSES);

	*call = (struct play_call){.cpu = PLAY_SAME_CPU, .file = -1};
	while (living(m) && !m->alive[i])
		i = (i + 1) % PLAY_PROCESSES;
	call->process = (u8)i;
	if (make_first(t, m, call))
		return;
	if (!living(m)) {
		call->op = PLAY_SPAWN;
		call->process = (u8)min(t->processes, PLAY_PROCESSES - 1u);
		t->processes++;
		call->cpu = 0;
	} else if (kind < 3) {
		make_mmap(t, call);
	} else if (kind == 3) {
		make_simple(t, call, PLAY_MUNMAP);
	} else if (kind < 6) {
		make_simple(t, call, PLAY_MPROTECT);
	} else if (kind < 8) {
		make_advice(t, call);
	} else if (kind == 8) {
		make_mremap(t, c, call);
	} else if (kind == 9) {
		make_process(t, m, call);
	} else if (kind == 10 && one_in(t, 4)) {
		make_resize(t, call);
	} else if (kind == 12 && one_in(t, 2)) {
		make_lock(t, call);
	} else if (kind == 13 && one_in(t, 3)) {
		make_harmless(t, call);
	} else if (kind == 11 && lets_pages_go(t) && one_in(t, 3)) {
		call->op = PLAY_RECLAIM;
		call->value[PLAY_LEN] = next(t, 3) << 20;
	} else {
		make_access(t, m, call);
	}
}
