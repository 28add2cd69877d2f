/* SPDX-License-Identifier: MIT
 *
 * engine/perform.c - the program's system calls, carried out as they are but for the few that would touch the engine.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "engine/areas.h"
#include "engine/events.h"
#include "engine/paths.h"
#include "engine/seccomp.h"
#include "lib/sys.h"

#define RSEQ_BYTES 32

static u64 brk_start, data_bytes; /* the program's */

void calls_begin(const struct program *p)
{
	paths_begin(p->file);
	brk_start = p->brk;
	data_bytes = p->data_bytes;
}

#define ARCH_SHSTK_ENABLE 0x5001 /* Linux 6.6 */
#define ARCH_SHSTK_STATUS 0x5005

/* A program's gs is kept by its thread. There is no shadow stack for it, as if the CPU had none: generated code's calls
 * are none. */
static long arch_prctl(struct thread *t, u64 code, u64 value)
{
	u64 features;
	long ret;

	if (code == ARCH_GET_GS)
		return program_write(value, &t->gs_base, sizeof(t->gs_base));
	if (code == ARCH_SET_GS) {
		if (value >= USER_END)
			return -EPERM;
		t->gs_base = value;
		return 0;
	}
	if (code == ARCH_SHSTK_ENABLE) {
		ret = sys3(SYS_arch_prctl, ARCH_SHSTK_STATUS, (u64)&features, 0);
		return ret ? ret : -EOPNOTSUPP;
	}
	ret = sys3(SYS_arch_prctl, code, value, 0);
	if (code == ARCH_SET_FS && ret == 0)
		t->fs_base = value;
	return ret;
}

/* It is refused, since a restart would be at the program's address, not in generated code. The kernel would write to
 * the thread's area each time that it begins to run; told is what matters: the first time after a fork, when the page is
 * shared. */
static long refuse_rseq(struct thread *t, u64 area, u64 flags)
{
	bool known = sys3(SYS_rseq, 0, 0, 0) == -EINVAL;

	if (known && !flags)
		t->rseq = area;
	return -ENOSYS;
}

void rseq_touch(struct thread *t)
{
	if (t->rseq && t->rseq_due)
		events_touch(t, t->rseq, RSEQ_BYTES, EVR_WRITE);
	t->rseq_due = false;
}

#define X32_BIT 0x40000000

static long perform(struct thread *t, long nr, const u64 *a)
{
	long ret;

	if (nr & X32_BIT) /* x32's calls, which Debian's kernels do not have */
		return -ENOSYS;
	switch (nr) {
	case SYS_arch_prctl:
		return arch_prctl(t, a[0], a[1]);
	case SYS_seccomp:
		return seccomp_call(t, nr, a);
	case SYS_prctl:
		if (a[0] == PR_SET_SYSCALL_USER_DISPATCH && a[1]) /* the engine's own would be, too */
			return -EINVAL;
		return a[0] == PR_SET_SECCOMP ? seccomp_call(t, nr, a) : gate_call(nr, a);
	case SYS_rseq:
		return refuse_rseq(t, a[0], a[2]);
	case SYS_clone3:
		return thread_clone3(t, a[0], a[1]);
	case SYS_fork:
		return thread_clone(t, SIGCHLD, 0, 0, 0, 0);
	case SYS_vfork:
		return thread_clone(t, CLONE_VFORK | CLONE_VM | SIGCHLD, 0, 0, 0, 0);
	case SYS_clone:
		return thread_clone(t, (u32)a[0], a[1], a[2], a[3], a[4]);
	case SYS_exit:
		thread_exit(t, a[0]);
	case SYS_exit_group:
		events_ending(t, true);
		events_exit(t, EVX_EXIT, a[0]);
		return sys3(SYS_exit_group, a[0], 0, 0);
	case SYS_execve:
		return exec_program(t, &(struct exec){AT_FDCWD, (const char *)a[0], (char **)a[1], (char **)a[2], 0});
	case SYS_execveat:
		return exec_program(
		    t, &(struct exec){(int)a[0], (const char *)a[1], (char **)a[2], (char **)a[3], (u32)a[4]});
	case SYS_rt_sigaction:
		return signal_action(t, (int)a[0], a[1], a[2], a[3]);
	case SYS_sigaltstack:
		return signal_altstack(t, a[0], a[1]);
	case SYS_mlockall:
	case SYS_munlockall:
		return mlock_call(nr, a);
	case SYS_brk:
		return gate_call(nr, limits_brk(t->process, brk_start, a[0], data_bytes) ? a : (u64[6]){0});
	default:
		return place_answer(nr, a, &ret) || paths_answer(nr, a, &ret) || descriptor_answer(nr, a, &ret) ||
			       limits_answer(t, nr, a, &ret)
			   ? ret
			   : gate_call(nr, a);
	}
}

static bool tell_enter(struct thread *t, struct call *call)
{
	struct process *p = t->process;

	if (!events_begin(t))
		return false;
	lock_take(&p->told);
	calls_enter(&p->calls, t, call);
	lock_give(&p->told);
	return true;
}

static void tell_return(struct thread *t, const struct call *call, long ret)
{
	struct process *p = t->process;

	lock_take(&p->told);
	events_ready(t);
	calls_return(&p->calls, t, call, ret);
	lock_give(&p->told);
}

/* Linux since 5.14 looks at 32 bits of it. */
static long call_number(u64 rax)
{
	return (long)rax != (int)rax && sys3(1l << 32 | SYS_getpid, 0, 0, 0) > 0 ? (int)rax : (long)rax;
}

void call_perform(struct thread *t)
{
	const u64 *g = t->gpr;
	long nr = call_number(g[RAX]), ret;
	u64 arg[6] = {g[RDI], g[RSI], g[RDX], g[R10], g[R8], g[R9]};
	struct call call = {.nr = nr, .arg = {arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]}};
	bool listens, is_map = calls_is_map(&call);

	listens = tell_enter(t, &call);
	if (nr == SYS_rt_sigreturn) {
		if (!signal_return(t))
			t->pc -= 2; /* as below */
		return;
	}
	if (is_map)
		lock_take(&maps);
	if (unlikely(t->filters) && !seccomp_allows(t->filters, nr, arg))
		ret = gate_call(nr, arg);
	else
		ret = perform(t, nr, arg);
	if (ret != GATE_NOT_BEGUN)
		areas_call(nr, arg, ret);
	if (listens && t->ring && ret != GATE_NOT_BEGUN)
		tell_return(t, &call, ret);
	if (call.timeout_us) /* it may have slept */
		rseq_touch(t);
	if (is_map)
		lock_give(&maps);
	if (ret == GATE_NOT_BEGUN) { /* a signal comes first; then the instruction again */
		t->pc -= 2;
		return;
	}
	t->gpr[RCX] = t->pc;
	t->gpr[R11] = t->flags | (t->traced ? EFLAGS_TF : 0);
	t->gpr[RAX] = (u64)ret;
}

/* ---- vsyscall ---- */

#define VSYSCALL 0xffffffffff600000ull

static bool vsyscall_there;

static void find_vsyscall(const struct maps_line *line)
{
	vsyscall_there |= line->start == VSYSCALL;
}

bool call_vsyscall(struct thread *t)
{
	static const long calls[] = {SYS_gettimeofday, SYS_time, SYS_getcpu};
	u64 pc = t->pc, n = (pc - VSYSCALL) / 1024, rcx = t->gpr[RCX], r11 = t->gpr[R11], back;

	if (n >= ARRAY_SIZE(calls) || pc % 1024 || program_read(&back, t->gpr[RSP], sizeof(back)) != sizeof(back))
		return false;
	maps_read(find_vsyscall);
	if (!vsyscall_there)
		return false;
	t->gpr[RAX] = (u64)calls[n];
	t->pc += 2; /* as if a syscall were there */
	call_perform(t);
	if (t->pc == pc)
		return true;
	t->gpr[RCX] = rcx;
	t->gpr[R11] = r11;
	t->gpr[RSP] += 8;
	t->pc = back;
	return true;
}
