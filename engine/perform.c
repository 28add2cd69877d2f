/* SPDX-License-Identifier: MIT
 *
 * engine/perform.c - the program's system calls, carried out as they are but for the few that would touch the engine.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>

#include "engine/areas.h"
#include "engine/events.h"
#include "engine/paths.h"
#include "lib/sys.h"

static struct {
	u64 brk_start, brk; /* where the kernel has no brk of ours: an area that is kept here */
	bool own_brk;
} program;

void calls_begin(const struct program *p)
{
	paths_begin(p->file);
	program.own_brk = !p->brk;
}

static long arch_prctl(struct thread *t, u64 code, u64 value)
{
	long ret;

	if (code == ARCH_SET_GS || code == ARCH_GET_GS)
		die("the engine does not run programs that use gs", "", 0);
	ret = sys3(SYS_arch_prctl, code, value, 0);
	if (code == ARCH_SET_FS && ret == 0)
		t->fs_base = value;
	return ret;
}

static struct thread *vfork_parent;

#define CHILD_STACK (256u << 10)

/* A child that borrows this process' memory has a thread and a stack of the runtime's of its own; its parent stands
 * still until it executes or ends, and then has its signals' handlers back. */
static long make_vfork(struct thread *t, u64 flags, u64 stack, u64 ptid, u64 ctid, u64 tls)
{
	static struct thread *child; /* one at a time */
	static u8 *runtime;
	struct events process;
	struct signals kept;
	long ret;

	if (!child) {
		child = memory_get(sizeof(*child));
		runtime = memory_get(CHILD_STACK);
	}
	memcpy(child, t, offsetof(struct thread, indirect));
	memset(child->indirect, 0, sizeof(child->indirect));
	thread_rebase(child, t, runtime + CHILD_STACK / 2);
	child->gpr[RAX] = 0;
	child->gpr[RCX] = t->pc;
	child->gpr[R11] = t->flags;
	if (stack)
		child->gpr[RSP] = stack;
	if (flags & CLONE_SETTLS)
		child->fs_base = tls;
	child->why = WHY_INDIRECT;
	signals_keep(&kept);
	process = events;
	vfork_parent = t;
	ret = clone_on(flags, (u64)runtime + CHILD_STACK, ptid, ctid, tls, child);
	signals_put_back(&kept);
	events = process;
	return ret;
}

/* The parent stands still, so its child says that it was born. */
void child_begins(struct thread *t)
{
	struct ev_fork e = {(u64)sys3(SYS_getpid, 0, 0, 0), EVF_VM};

	if (vfork_parent->ring)
		events_change(vfork_parent, EV_FORK, 0, &e, EV_PAYLOAD_WORDS(e), NULL);
	events_forked(t);
}

static long make_process(struct thread *t, u64 flags, u64 stack, u64 ptid, u64 ctid, u64 tls)
{
	long ret;

	if (flags & CLONE_VM && !(flags & CLONE_VFORK))
		die("the engine does not run programs with threads yet", "", 0);
	if (flags & CLONE_VM)
		return make_vfork(t, flags, stack, ptid, ctid, tls);
	ret = sys6(SYS_clone, flags, 0, ptid, ctid, tls, 0);
	if (ret == 0)
		events_forked(t);
	else if (ret > 0 && t->ring)
		events_change(t, EV_FORK, 0, &(struct ev_fork){(u64)ret, 0}, EV_PAYLOAD_WORDS(struct ev_fork), NULL);
	if (ret == 0 && stack)
		t->gpr[RSP] = stack;
	if (ret == 0 && flags & CLONE_SETTLS)
		t->fs_base = tls;
	return ret;
}

static long perform(struct thread *t, long nr, const u64 *a)
{
	long ret;

	switch (nr) {
	case SYS_arch_prctl:
		return arch_prctl(t, a[0], a[1]);
	case SYS_rseq:
		return -ENOSYS;
	case SYS_clone3:
		return -ENOSYS;
	case SYS_fork:
		return make_process(t, SIGCHLD, 0, 0, 0, 0);
	case SYS_vfork:
		return make_process(t, CLONE_VFORK | CLONE_VM | SIGCHLD, 0, 0, 0, 0);
	case SYS_clone:
		return make_process(t, a[0], a[1], a[2], a[3], a[4]);
	case SYS_exit:
	case SYS_exit_group:
		events_exit(t, EVX_EXIT, a[0]);
		return sys3(SYS_exit_group, a[0], 0, 0);
	case SYS_execve:
		return exec_program(t, (const char *)a[0], (char **)a[1], (char **)a[2]);
	case SYS_execveat:
		die("the engine does not run programs that use execveat yet", "", 0);
	case SYS_rt_sigaction:
		return signal_action(a[0], a[1], a[2], a[3]);
	case SYS_sigaltstack:
		return signal_altstack(t, a[0], a[1]);
	default:
		return paths_answer(nr, a, &ret) || descriptor_answer(nr, a, &ret) ? ret : gate_call(nr, a);
	}
}

void call_perform(struct thread *t)
{
	const u64 *g = t->gpr;
	long nr = (long)g[RAX], ret;
	u64 arg[6] = {g[RDI], g[RSI], g[RDX], g[R10], g[R8], g[R9]};
	struct call call = {.nr = nr, .arg = {arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]}};
	bool listens;

	if (nr == SYS_rt_sigreturn) {
		if (events_begin(t))
			calls_enter(&events.calls, t, &call);
		signal_return(t);
		return;
	}
	listens = events_begin(t);
	if (listens)
		calls_enter(&events.calls, t, &call);
	ret = perform(t, nr, arg);
	areas_call(nr, arg, ret);
	if (listens && t->ring && ret != GATE_NOT_BEGUN)
		calls_return(&events.calls, t, &call, ret);
	if (ret == GATE_NOT_BEGUN) { /* a signal comes first; then the instruction again */
		t->pc -= 2;
		return;
	}
	t->gpr[RCX] = t->pc;
	t->gpr[R11] = t->flags;
	t->gpr[RAX] = (u64)ret;
}
