/* SPDX-License-Identifier: MIT
 *
 * engine/signals.c - the program's signals. The kernel knows one handler, ours, for each signal that the program
 * handles; what is ignored or has its default it does as natively.
 *
 *   in a copied instruction, by itself        the state there is recovered (cache.h: struct copied); delivered now
 *   in generated code, from outside           pending; single steps (RFLAGS.TF) to the next block's begin
 *   in the runtime                            pending; delivered when it ends, or single steps as above
 *   before the program's system call          pending; the call is not begun, and made again after the handler
 *   in it                                     it has ended, or the kernel would begin it again: as before it
 *
 * Delivered: the frame that the kernel would have written is written to the program's stack, and the handler is the next
 * block. The program returns by rt_sigreturn, which is carried out here.
 *
 *   stack   | restorer | ucontext | siginfo | .. | xsave area | 128 bytes (red zone) | what was there
 *             sp: 16n + 8
 *
 * A program that single-steps itself (TF, by popf or sigreturn): the runtime has it as thread.traced, and steps from a
 * block of one instruction to the next block's begin, where the program's SIGTRAP is delivered.
 *
 * Invariants
 *   S1  The kernel's mask is the program's, but that all but SYNCHRONOUS is blocked from when a signal waits till it is
 *       delivered; the program's is in thread_signals.mask then. All is blocked while our handler runs.
 *   S2  So of what comes from outside at most one waits that is not SYNCHRONOUS, and one of each that is (a second of the
 *       same is dropped, as by the kernel); and one of an instruction on the way to its place.
 *
 * Source: Linux 6.12 arch/x86/kernel/signal.c (get_sigframe), signal_64.c (x64_setup_rt_frame), fpu/signal.c
 * (save_xstate_epilog), kernel/signal.c (do_sigaction, do_sigaltstack, dequeue_signal).
 */
#include <errno.h>
#include <signal.h>

#include "engine/areas.h"
#include "engine/events.h"
#include "engine/illegal.h"
#include "lib/sys.h"

#define SA_RESTORER    0x04000000u /* the kernel's; libc hides it */
#define RED_ZONE       128
#define EFLAGS_RF      0x10000u
#define EFLAGS_PROGRAM 0x50dd5u /* what sigreturn may change: AC OF DF TF SF ZF AF PF CF RF */
#define MIN_STACK      2048     /* MINSIGSTKSZ */
#define SS_AUTODISARM  (1u << 31)
#define FP_XSTATE      1u /* uc_flags */
#define SIGCONTEXT_SS  2u
#define STRICT_SS      4u
#define XSAVE_BV       512
#define XSTATE_FP_SSE  3u
#define NEVER          (1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1)) /* blocked */
#define SYNCHRONOUS                                                                                                    \
	(1ull << (SIGSEGV - 1) | 1ull << (SIGBUS - 1) | 1ull << (SIGFPE - 1) | 1ull << (SIGILL - 1) |                  \
	 1ull << (SIGTRAP - 1))

struct ucontext {
	u64 uc_flags, uc_link;
	stack_t uc_stack;
	struct sigcontext uc_mcontext;
	u64 uc_sigmask;
};

struct frame {
	u64 restorer;
	struct ucontext uc;
	siginfo_t info;
};

extern const u8 start_text[], gate_in[], gate_out[], start_text_end[], enter_signal[], our_restorer[];
extern const u8 __executable_start[], etext[];

__asm__(".globl our_restorer\nour_restorer:\n\tmov $15, %eax\n\tsyscall\n");

static u64 xsave_mask, xsave_bytes; /* of the kernel's frames */
static u64 flags_known;             /* the kernel keeps these of an action's */

/* ---- to and from the kernel's frame ---- */

static void gpr_from(u64 gpr[NR_GPR], const struct sigcontext *c)
{
	const u64 order[NR_GPR] = {c->rax, c->rcx, c->rdx, c->rbx, c->rsp, c->rbp, c->rsi, c->rdi,
				   c->r8,  c->r9,  c->r10, c->r11, c->r12, c->r13, c->r14, c->r15};

	memcpy(gpr, order, sizeof(order));
}

static void gpr_to(struct sigcontext *c, const u64 gpr[NR_GPR])
{
	c->rax = gpr[RAX];
	c->rcx = gpr[RCX];
	c->rdx = gpr[RDX];
	c->rbx = gpr[RBX];
	c->rsp = gpr[RSP];
	c->rbp = gpr[RBP];
	c->rsi = gpr[RSI];
	c->rdi = gpr[RDI];
	c->r8 = gpr[R8];
	c->r9 = gpr[R9];
	c->r10 = gpr[R10];
	c->r11 = gpr[R11];
	c->r12 = gpr[R12];
	c->r13 = gpr[R13];
	c->r14 = gpr[R14];
	c->r15 = gpr[R15];
}

void signals_unblock(u64 mask)
{
	sys6(SYS_rt_sigprocmask, SIG_SETMASK, (u64)&mask, 0, 8, 0, 0);
}

u64 signals_block(void)
{
	u64 all = ~0ull, mask = 0;

	sys6(SYS_rt_sigprocmask, SIG_SETMASK, (u64)&all, (u64)&mask, 8, 0, 0);
	return mask;
}

/* ---- when a signal comes ---- */

static void on_signal(int sig, siginfo_t *info, struct ucontext *uc);

static void set_action(int sig, const struct action *a)
{
	sys6(SYS_rt_sigaction, (u64)sig, (u64)a, 0, 8, 0, 0);
}

/* Ours whatever the program's action: some thread may be stepping, or copying what may not be there. */
static bool always_ours(int sig)
{
	return sig == SIGTRAP || sig == SIGSEGV || sig == SIGBUS;
}

/* The kernel's action for the program's. */
static void tell_kernel(int sig, const struct action *a)
{
	struct action ours = *a;

	if (a->handler > 1 || always_ours(sig)) {
		ours = (struct action){(u64)on_signal, a->flags & (SA_RESTART | SA_NOCLDSTOP | SA_NOCLDWAIT),
				       (u64)our_restorer, ~0ull};
		ours.flags |= SA_SIGINFO | SA_ONSTACK | SA_RESTORER | (a->handler > 1 ? 0 : SA_RESTART);
	}
	set_action(sig, &ours);
}

static bool in(u64 at, const u8 *from, const u8 *to)
{
	return at >= (u64)from && at < (u64)to;
}

/* thread_run() returns to its caller, with WHY_SIGNAL; the state is exact, in gpr, at pc. */
static void leave(struct thread *t, struct ucontext *uc, const u64 gpr[NR_GPR], u64 pc)
{
	memcpy(t->gpr, gpr, sizeof(t->gpr));
	t->flags = uc->uc_mcontext.eflags;
	t->pc = pc;
	t->why = WHY_SIGNAL;
	__atomic_store_n(&t->in, 0, __ATOMIC_RELEASE);
	uc->uc_mcontext.rip = (u64)enter_signal;
	uc->uc_mcontext.rsp = t->stack; /* the program may have no address there: some kernels cannot return to it */
	uc->uc_mcontext.eflags &= ~(u64)(EFLAGS_TF | EFLAGS_DF);
	uc->uc_sigmask = ~SYNCHRONOUS;
}

static bool is_synchronous(int sig)
{
	return SYNCHRONOUS >> (sig - 1) & 1;
}

static void wait_with(struct thread *t, u64 mask)
{
	struct thread_signals *s = &task_of(t)->signals;

	if (!t->pending)
		s->mask = s->blocked = mask;
	t->pending = 1;
}

/* All signals are blocked, and were as in mask before. */
static void keep_waiting(struct thread *t, struct waiting *w, const siginfo_t *info, u64 mask)
{
	wait_with(t, mask);
	if (!w->sig)
		*w = (struct waiting){info->si_signo, *info};
}

static void keep_fault(struct thread *t, const siginfo_t *info, u64 mask, struct fault f)
{
	struct thread_signals *s = &task_of(t)->signals;

	if (f.trapno != PAGE_FAULT)
		f.cr2 = s->last.cr2;
	s->last = f;
	keep_waiting(t, &s->fault, info, mask);
}

/* The opcode of the program's instruction there, behind its prefixes. */
static u8 opcode_at(const u8 *code)
{
	while (*code == 0x66 || (*code & 0xf0) == 0x40)
		code++;
	return *code;
}

/* The next step is from here; a popf is to leave TF as it is, and tells the program's. */
static void step_on(struct thread *t, struct sigcontext *c)
{
	if (cache_holds(c->rip) && block_at((const u8 *)c->rip) && opcode_at((const u8 *)c->rip) == 0x9d) {
		t->traced = *(u16 *)c->rsp & EFLAGS_TF;
		*(u16 *)c->rsp |= EFLAGS_TF;
	}
	task_of(t)->signals.stepped = c->rip;
}

/* Single steps to the next block, now or when start.S leaves the runtime. */
static void step_begin(struct thread *t, struct ucontext *uc, bool now)
{
	t->steps = true;
	if (!now)
		return;
	step_on(t, &uc->uc_mcontext);
	t->flags |= EFLAGS_TF; /* start.S may be about to load them */
	uc->uc_mcontext.eflags |= EFLAGS_TF;
}

/* Generated code is left at pc, for what waits or the program's own step, which ends there. */
static void step_ends(struct thread *t, struct ucontext *uc, const u64 gpr[NR_GPR], u64 pc)
{
	siginfo_t info = {.si_signo = SIGTRAP, .si_code = TRAP_TRACE, .si_addr = (void *)pc};

	t->steps = false;
	wait_with(t, uc->uc_sigmask);
	if (t->traps == 2)
		keep_fault(t, &info, 0, (struct fault){0, DEBUG, 0});
	leave(t, uc, gpr, pc);
}

/* A trap: has the next block been reached? A pushf has pushed TF, too. A step of the program's is one turn of a string. */
static void step(struct thread *t, struct ucontext *uc)
{
	struct sigcontext *c = &uc->uc_mcontext;
	const struct block *b = cache_holds(c->rip) ? block_at((const u8 *)c->rip) : NULL;
	u64 gpr[NR_GPR], last = task_of(t)->signals.stepped, pc = c->rip;

	if (!t->traced && b && cache_holds(last) && block_at((const u8 *)last) && opcode_at((const u8 *)last) == 0x9c)
		*(u16 *)c->rsp &= (u16)~EFLAGS_TF;
	step_on(t, c);
	gpr_from(gpr, c);
	if (b && (pc == (u64)b->inner || pc == (u64)b->changed || pc == (u64)b->outer)) {
		if (t->traps == 1 && !t->pending)
			t->traps = 2;
		else
			step_ends(t, uc, gpr, b->pc);
	} else if (t->traps == 2 && pc == last && state_recover(t, gpr, &pc)) {
		step_ends(t, uc, gpr, pc);
	} else if (in(c->rip, __executable_start, etext) && !in(c->rip, start_text, start_text_end)) {
		c->eflags &= ~(u64)EFLAGS_TF; /* in C: start.S traps again behind it, or dispatch() delivers */
	}
}

/* What the system call that t is in has blocked while it sleeps. */
static u64 blocked_asleep(const struct thread *t)
{
	const u64 *g = t->gpr;
	u64 mask = task_of(t)->signals.mask, at, pointer;

	switch (g[RAX]) {
	case SYS_rt_sigsuspend:
		at = g[RDI];
		break;
	case SYS_ppoll:
		at = g[R10];
		break;
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
		at = g[R8];
		break;
	case SYS_pselect6:
	case SYS_io_pgetevents:
		at = program_read(&pointer, g[R9], sizeof(pointer)) == sizeof(pointer) ? pointer : 0;
		break;
	default:
		return mask;
	}
	program_read(&mask, at, sizeof(mask));
	return mask;
}

/* From outside the program's instructions, or sent. */
static void comes_from_outside(struct thread *t, const siginfo_t *info, struct ucontext *uc)
{
	struct thread_signals *s = &task_of(t)->signals;
	u64 pc = uc->uc_mcontext.rip;
	bool slept = !t->pending && pc == (u64)gate_in + 2 && (long)uc->uc_mcontext.rax == -EINTR;

	keep_waiting(t, &s->sent[is_synchronous(info->si_signo) ? info->si_signo : 0], info, uc->uc_sigmask);
	uc->uc_sigmask = ~SYNCHRONOUS;
	if (slept)
		s->blocked = blocked_asleep(t) & ~NEVER;
	if (in(pc, (const u8 *)gate_call, gate_in + 1))
		uc->uc_mcontext.rip = (u64)gate_out;
	else
		step_begin(t, uc, cache_holds(pc) || in(pc, start_text, (const u8 *)gate_call));
}

/* Is an instruction of the program at the place, and not what the engine does between them? */
static bool copies(u64 pc)
{
	const struct block *b = cache_holds(pc) ? block_at((const u8 *)pc) : NULL;
	const struct copied *c = b ? copied_at(b, (const u8 *)pc) : NULL;

	return c && c->far != FAR_COMPARES;
}

/* Of a trap, whose place is behind its instruction: how far. int1 is one to some CPUs, and a fault to some hypervisors. */
static u64 trap_bytes(const struct sigcontext *c)
{
	const u8 *at = (const u8 *)c->rip;

	if (c->trapno == BREAKPOINT || c->trapno == OVERFLOW)
		return at[-1] == 0xcc ? 1 : 2;
	return c->trapno == DEBUG && *at != 0xf1 && at[-1] == 0xf1;
}

/* Has a system call of the engine's just ended? Then it is no fault: a program may send itself one with any si_code. */
static bool behind_call(u64 pc)
{
	return in(pc, __executable_start, etext) && memcmp((const u8 *)pc - 2, "\x0f\x05", 2) == 0;
}

static void on_signal(int sig, siginfo_t *info, struct ucontext *uc)
{
	struct thread *t = thread_here();
	u64 gpr[NR_GPR], pc = uc->uc_mcontext.rip;
	u64 behind;

	__builtin_ia32_writeeflags_u64(2); /* the kernel leaves AC as the program has it */
	if (sig == SIGTRAP && t->steps && info->si_code > 0 && info->si_code != SI_KERNEL) {
		step(t, uc);
		return;
	}
	if (!is_synchronous(sig) || info->si_code <= 0 || behind_call(pc)) {
		comes_from_outside(t, info, uc);
		return;
	}
	if (sig == SIGBUS && info->si_code == BUS_ADRALN && !copies(pc)) {
		uc->uc_mcontext.eflags &= ~(u64)EFLAGS_AC;
		return;
	}
	if (pc == (u64)code_copy_reads) {
		code_fault = (struct fetch_fault){sig, info->si_code, uc->uc_mcontext.err | ERR_FETCH};
		uc->uc_mcontext.rip = (u64)code_copy_failed;
		return;
	}
	if (illegal_fault(&uc->uc_mcontext))
		return;
	if (pc == (u64)safe_copy_moves || pc == (u64)safe_zero_stores) {
		uc->uc_mcontext.rip = (u64)safe_failed;
		return;
	}
	if (sig == SIGTRAP && info->si_code == TRAP_TRACE) { /* behind the program's popf */
		t->traced = t->steps = true;
		step(t, uc);
		return;
	}
	behind = trap_bytes(&uc->uc_mcontext); /* here as in the program */
	gpr_from(gpr, &uc->uc_mcontext);
	pc -= behind;
	if (!state_recover(t, gpr, &pc))
		die("the engine itself faulted, at", "", pc);
	pc += behind;
	if ((sig == SIGILL || sig == SIGFPE || sig == SIGTRAP) && (u64)info->si_addr == uc->uc_mcontext.rip)
		info->si_addr = (void *)pc;
	if (always_ours(sig) && t->process->action[sig].handler <= 1) { /* again, and the kernel does what it does */
		set_action(sig, &(struct action){0});
		uc->uc_mcontext.rip -= behind;
		return;
	}
	t->steps = false;
	keep_fault(t, info, uc->uc_sigmask,
		   (struct fault){uc->uc_mcontext.err, uc->uc_mcontext.trapno, uc->uc_mcontext.cr2});
	leave(t, uc, gpr, pc);
}

/* The first signal of all is our own: how large are the kernel's frames? */
static void on_first(int sig, siginfo_t *info, struct ucontext *uc)
{
	struct _fpx_sw_bytes sw;

	memcpy(&sw, (const u8 *)uc->uc_mcontext.fpstate + 464, sizeof(sw));
	xsave_mask = sw.xstate_bv;
	xsave_bytes = sw.xstate_size;
}

static void stack_begin(struct thread *t)
{
	stack_t ours = {.ss_sp = task_of(t)->signal_stack, .ss_size = SIGNAL_STACK};

	sys3(SYS_sigaltstack, (u64)&ours, 0, 0);
}

void signals_clear(const struct thread *t)
{
	for (int sig = 1; sig <= NR_SIGNALS; sig++) {
		struct action *a = &t->process->action[sig];
		bool handled = a->handler > 1;

		*a = (struct action){.handler = a->handler == 1};
		if (handled)
			tell_kernel(sig, a);
	}
}

void signals_thread_begin(struct thread *t)
{
	stack_begin(t);
	if (task_of(t)->signals.begins_clear)
		signals_clear(t);
	signals_unblock(task_of(t)->signals.mask);
}

void signals_begin(struct thread *t)
{
	struct action first = {(u64)on_first, SA_SIGINFO | SA_ONSTACK | SA_RESTORER, (u64)our_restorer, 0};
	struct action all = {0, ~0ull, 0, 0};
	struct action *actions = t->process->action;

	stack_begin(t);
	for (u64 sig = 1; sig <= NR_SIGNALS; sig++)
		sys6(SYS_rt_sigaction, sig, 0, (u64)&actions[sig], 8, 0, 0);
	set_action(SIGTRAP, &all);
	sys6(SYS_rt_sigaction, SIGTRAP, 0, (u64)&all, 8, 0, 0);
	flags_known = all.flags;
	set_action(SIGTRAP, &first);
	__asm__ volatile("int3");
	for (int sig = 1; sig <= NR_SIGNALS; sig++)
		if (always_ours(sig))
			tell_kernel(sig, &actions[sig]);
	if (!xsave_bytes)
		die("a debugger took a signal of the engine's: programs under Quire cannot be debugged", "", 0);
	if (xsave_bytes < 576 || xsave_bytes > XSAVE_MAX)
		die("signal frames of a kind that the engine does not know", "", xsave_bytes);
}

/* ---- delivery ---- */

static bool in_altstack(const stack_t *s, u64 sp)
{
	return sp > (u64)s->ss_sp && sp - (u64)s->ss_sp <= s->ss_size;
}

static bool on_altstack(const stack_t *s, u64 sp)
{
	return !(s->ss_flags & (int)SS_AUTODISARM) && in_altstack(s, sp);
}

/* Writes the frame; returns where, or 0: there is no room for it. The vector registers are the program's: nothing here touches them. */
static u64 write_frame(struct thread *t, const struct action *a, const struct waiting *w)
{
	struct thread_signals *s = &task_of(t)->signals;
	u64 sp = t->gpr[RSP] - RED_ZONE, bytes = xsave_bytes;
	bool nested = on_altstack(&s->altstack, t->gpr[RSP]),
	     enters = a->flags & SA_ONSTACK && s->altstack.ss_size && !on_altstack(&s->altstack, sp);
	struct _fpx_sw_bytes *sw;
	struct frame *f;

	if (enters)
		sp = (u64)s->altstack.ss_sp + s->altstack.ss_size;
	sp = ALIGN_DOWN(sp - bytes - 4, 64ull);
	f = (struct frame *)(ALIGN_DOWN(sp - sizeof(*f), 16ull) - 8);
	if (!(a->flags & SA_RESTORER) || ((nested || enters) && !in_altstack(&s->altstack, (u64)f)) ||
	    safe_zero((void *)f, sp + bytes + 4 - (u64)f) != 0) /* XSAVE reads its header */
		return 0;
	__asm__ volatile("xsave64 (%0)" : : "r"(sp), "a"((u32)xsave_mask), "d"((u32)(xsave_mask >> 32)) : "memory");
	*(u64 *)(sp + XSAVE_BV) |= XSTATE_FP_SSE; /* the kernel does: what a handler writes there counts */
	sw = (struct _fpx_sw_bytes *)(sp + 464);
	*sw = (struct _fpx_sw_bytes){FP_XSTATE_MAGIC1, (u32)bytes + 4, xsave_mask, (u32)bytes, {0}};
	*(u32 *)(sp + bytes) = FP_XSTATE_MAGIC2;
	f->restorer = a->restorer;
	f->info = w->info;
	f->uc.uc_flags = FP_XSTATE | SIGCONTEXT_SS | STRICT_SS;
	f->uc.uc_stack = s->altstack;
	gpr_to(&f->uc.uc_mcontext, t->gpr);
	f->uc.uc_mcontext.rip = t->pc;
	f->uc.uc_mcontext.eflags = t->flags | (t->traced ? EFLAGS_TF : 0);
	f->uc.uc_mcontext.cs = 0x33;
	f->uc.uc_mcontext.__pad0 = 0x2b; /* ss */
	f->uc.uc_mcontext.err = s->last.err;
	f->uc.uc_mcontext.trapno = s->last.trapno;
	f->uc.uc_mcontext.cr2 = s->last.cr2;
	f->uc.uc_mcontext.oldmask = s->mask;
	f->uc.uc_mcontext.fpstate = (void *)sp;
	f->uc.uc_sigmask = s->mask;
	events_touch(t, (u64)f, sp + bytes + 4 - (u64)f, EVR_WRITE);
	if (s->altstack.ss_flags & (int)SS_AUTODISARM)
		s->altstack = (stack_t){.ss_flags = SS_DISABLE};
	return (u64)f;
}

/* The program's action as the signal is delivered. */
static struct action take_action(struct thread *t, int sig)
{
	struct action *now = &t->process->action[sig], a;

	lock_take(&t->process->actions);
	a = *now;
	if (a.handler > 1 && a.flags & SA_RESETHAND) {
		now->handler = 0;
		tell_kernel(sig, now);
	}
	lock_give(&t->process->actions);
	return a;
}

static void send_again(int sig, const siginfo_t *info)
{
	sys6(SYS_rt_tgsigqueueinfo, thread_here()->process->pid, (u64)sys3(SYS_gettid, 0, 0, 0), (u64)sig, (u64)info, 0,
	     0);
}

/* Its handler was taken away meanwhile, or it is a fault that is ignored: the kernel does what it does. What a process survives is
 * followed by the program's action again. */
static void leave_to_kernel(struct thread *t, const struct waiting *w)
{
	const u64 ignored =
	    1ull << (SIGCHLD - 1) | 1ull << (SIGURG - 1) | 1ull << (SIGWINCH - 1) | 1ull << (SIGCONT - 1);
	u64 mask = ~(1ull << (w->sig - 1));

	if (ignored >> (w->sig - 1) & 1)
		return;
	lock_take(&t->process->actions);
	set_action(w->sig, &(struct action){0});
	send_again(w->sig, &w->info);
	signals_unblock(mask);
	signals_unblock(~SYNCHRONOUS);
	tell_kernel(w->sig, &t->process->action[w->sig]);
	lock_give(&t->process->actions);
}

/* What the kernel does with a fault that is blocked, or that nobody handles: it is the process' end. */
void die_of(int sig, const siginfo_t *info)
{
	struct action by_default = {0};

	set_action(sig, &by_default);
	signals_unblock(0);
	send_again(sig, info);
	die("a signal did not end the program:", "", (u64)sig);
}

/* The handler is what the program runs next. */
static void deliver(struct thread *t, struct waiting w)
{
	struct action a = take_action(t, w.sig);
	struct thread_signals *s = &task_of(t)->signals;
	u64 frame;

	if (a.handler <= 1) {
		if (a.handler == 0 || (always_ours(w.sig) && w.info.si_code > 0))
			leave_to_kernel(t, &w);
		return;
	}
	if (w.sig == SIGSYS && w.info.si_code > 0) /* a seccomp filter's: the call was ours */
		w.info.si_call_addr = (void *)t->pc;
	frame = write_frame(t, &a, &w);
	if (!frame) {
		struct waiting no_room = {SIGSEGV, {.si_signo = SIGSEGV, .si_code = SI_KERNEL}};

		if (w.sig == SIGSEGV || s->blocked >> (SIGSEGV - 1) & 1)
			die_of(SIGSEGV, &no_room.info);
		deliver(t, no_room);
		return;
	}
	t->gpr[RDI] = (u64)w.sig;
	t->gpr[RSI] = frame + offsetof(struct frame, info);
	t->gpr[RDX] = frame + offsetof(struct frame, uc);
	t->gpr[RAX] = 0;
	t->gpr[RSP] = frame;
	t->flags &= ~(u64)(EFLAGS_DF | EFLAGS_RF);
	t->traced = false;
	t->pc = a.handler;
	s->blocked |= a.mask | (a.flags & SA_NODEFER ? 0 : 1ull << (w.sig - 1));
	s->mask = s->blocked;
}

/* The next to be delivered, in the kernel's order; NULL: none. blocked: of those that a handler's mask has. */
static struct waiting *next_waiting(struct thread_signals *s, bool blocked)
{
	if (s->fault.sig && !blocked)
		return &s->fault;
	for (unsigned n = 1; n <= ARRAY_SIZE(s->sent); n++) {
		struct waiting *w = &s->sent[n % ARRAY_SIZE(s->sent)];

		if (w->sig && (s->blocked >> (w->sig - 1) & 1) == blocked)
			return w;
	}
	return NULL;
}

static struct waiting take_waiting(struct waiting *w)
{
	struct waiting was = *w;

	w->sig = 0;
	return was;
}

void signal_deliver(struct thread *t)
{
	struct thread_signals *s = &task_of(t)->signals;
	struct waiting *w;

	t->steps = false;
	t->traps = 0;
	t->flags &= ~(u64)EFLAGS_TF;
	for (;;) {
		while ((w = next_waiting(s, false))) {
			if (w == &s->fault && s->blocked >> (w->sig - 1) & 1)
				die_of(w->sig, &w->info);
			deliver(t, take_waiting(w));
		}
		signals_block();
		if (!next_waiting(s, false))
			break;
		signals_unblock(~SYNCHRONOUS);
	}
	while ((w = next_waiting(s, true))) {
		struct waiting was = take_waiting(w);

		send_again(was.sig, &was.info);
	}
	t->pending = 0;
	signals_unblock(s->mask);
}

/* A fault of the instruction at t->pc that is raised here. */
static void raise_fault(struct thread *t, const siginfo_t *info, struct fault f)
{
	keep_fault(t, info, signals_block(), f);
	if (t->process->action[info->si_signo].handler <= 1)
		die_of(info->si_signo, info);
	signals_unblock(~SYNCHRONOUS);
	t->flags |= EFLAGS_RF;
	signal_deliver(t);
}

void signal_fetch(struct thread *t, u64 address)
{
	struct fetch_fault f = fetch_fault(address);
	siginfo_t info = {.si_signo = f.sig, .si_code = f.code};

	if (f.code == SI_KERNEL) {
		raise_fault(t, &info, (struct fault){f.err, PROTECTION, 0});
		return;
	}
	info.si_addr = (void *)address;
	raise_fault(t, &info, (struct fault){f.err, PAGE_FAULT, address});
}

bool signal_illegal(struct thread *t)
{
	siginfo_t no_insn = {.si_signo = SIGILL, .si_code = ILL_ILLOPN},
		  too_long = {.si_signo = SIGSEGV, .si_code = SI_KERNEL};
	u64 missing;

	switch (illegal_at(t->pc, &missing)) {
	case ILLEGAL:
		no_insn.si_addr = (void *)t->pc;
		raise_fault(t, &no_insn, (struct fault){0, INVALID, 0});
		return true;
	case ILLEGAL_LONG:
		raise_fault(t, &too_long, (struct fault){0, PROTECTION, 0});
		return true;
	case ILLEGAL_CUT:
		signal_fetch(t, missing);
		return true;
	default:
		return false;
	}
}

/* ---- the program's calls ---- */

/* Returns 0 or -errno. */
static long altstack_set(stack_t *now, const stack_t *new, u64 sp)
{
	u32 mode = (u32) new->ss_flags & ~SS_AUTODISARM;

	if (on_altstack(now, sp))
		return -EPERM;
	if (mode != 0 && mode != SS_ONSTACK && mode != SS_DISABLE)
		return -EINVAL;
	if (mode != SS_DISABLE && new->ss_size < MIN_STACK)
		return -ENOMEM;
	*now = mode == SS_DISABLE ? (stack_t){.ss_flags = new->ss_flags} : *new;
	return 0;
}

/* rt_sigreturn: sp is behind the restorer's address. A signal that waits came under the mask of before, and none may
 * come under neither. */
bool signal_return(struct thread *t)
{
	struct thread_signals *s = &task_of(t)->signals;
	struct ucontext frame, *uc = &frame;
	u64 at = t->gpr[RSP], before;

	if (program_read(&frame, at, sizeof(frame)) != sizeof(frame))
		die_of(SIGSEGV, &(siginfo_t){.si_signo = SIGSEGV, .si_code = SI_KERNEL});
	before = signals_block();
	if (t->pending) {
		signals_unblock(before);
		return false;
	}
	events_touch(t, at - 8, sizeof(struct frame), EVR_READ);
	gpr_from(t->gpr, &uc->uc_mcontext);
	t->pc = uc->uc_mcontext.rip;
	t->flags =
	    (t->flags & ~(u64)EFLAGS_PROGRAM) | (uc->uc_mcontext.eflags & EFLAGS_PROGRAM & ~(u64)EFLAGS_TF) | 0x202;
	t->traced = uc->uc_mcontext.eflags & EFLAGS_TF;
	if (uc->uc_mcontext.fpstate)
		__asm__ volatile("xrstor64 (%0)"
				 :
				 : "r"(uc->uc_mcontext.fpstate), "a"((u32)xsave_mask), "d"((u32)(xsave_mask >> 32))
				 : "memory");
	altstack_set(&s->altstack, &uc->uc_stack, t->gpr[RSP]);
	signals_unblock(uc->uc_sigmask);
	return true;
}

long signal_action(struct thread *t, int sig, u64 new_at, u64 old_at, u64 bytes)
{
	struct action *now = &t->process->action[sig], before, new;

	if (sig < 1 || sig > NR_SIGNALS || bytes != 8 || (NEVER >> (sig - 1) & 1 && new_at))
		return -EINVAL;
	if (new_at && program_read(&new, new_at, sizeof(new)) != sizeof(new))
		return -EFAULT;
	lock_take(&t->process->actions);
	before = *now;
	if (new_at) {
		*now = (struct action){new.handler, new.flags &flags_known, new.restorer, new.mask & ~NEVER};
		tell_kernel(sig, now);
	}
	lock_give(&t->process->actions);
	return old_at ? program_write(old_at, &before, sizeof(before)) : 0;
}

long signal_altstack(struct thread *t, u64 new_at, u64 old_at)
{
	stack_t *now = &task_of(t)->signals.altstack, old = *now, new;
	u64 sp = t->gpr[RSP];
	long ret;

	old.ss_flags &= (int)SS_AUTODISARM;
	old.ss_flags |= !old.ss_size ? SS_DISABLE : on_altstack(now, sp) ? SS_ONSTACK : 0;
	if (new_at && program_read(&new, new_at, sizeof(new)) != sizeof(new))
		return -EFAULT;
	ret = new_at ? altstack_set(now, &new, sp) : 0;
	return ret == 0 && old_at ? program_write(old_at, &old, sizeof(old)) : ret;
}

/* Ignored signals are ignored by the program that comes, too; the kernel does not know that ours are. */
void signals_exec(const struct thread *t, bool near)
{
	for (int sig = 1; sig <= NR_SIGNALS; sig++) {
		const struct action *a = &t->process->action[sig];

		if (!always_ours(sig) || a->handler != 1)
			continue;
		if (near)
			set_action(sig, a);
		else
			tell_kernel(sig, a);
	}
}
