/* SPDX-License-Identifier: MIT
 *
 * test/engine/delivery.c - what the kernel itself decides when it delivers signals: what sigaction and sigaltstack tell
 * back, stacks of their own that arm and disarm, frames for which there is no room or no way back, several signals at
 * once and which of them a handler's mask holds, the mask in a handler of a call that sleeps with one of its own, a fault
 * that a program sends itself, one that is blocked. Prints what came of it; natively and under whatever runs it the same.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define AUTODISARM   (1 << 31)
#define RESTORER     0x04000000ul
#define MINSIGSTKSZ_ 51 /* auxv: of kernels that look whether a frame fits a stack that it enters */
#define BIT(sig)     (1ul << ((sig)-1))
#define ALL_SENT     (BIT(SIGUSR1) | BIT(SIGUSR2) | BIT(SIGTERM) | BIT(SIGSEGV) | BIT(SIGTRAP) | BIT(SIGILL))

struct kernel_action {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	unsigned long mask;
};

static char stack[2][1 << 16];

static void nothing(int sig) {}

static unsigned long mask_now(void)
{
	unsigned long mask;

	syscall(SYS_rt_sigprocmask, 0, NULL, &mask, 8);
	return mask;
}

static void block(unsigned long mask)
{
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, 8);
}

static void in_child(const char *what, void (*does)(void))
{
	int status;

	fflush(stdout);
	if (fork() == 0) {
		does();
		fflush(stdout);
		_exit(0);
	}
	wait(&status);
	printf("%s: %x\n", what, (unsigned)status);
}

/* ---- told back ---- */

static void actions(void)
{
	struct kernel_action all = {nothing, ~0ul, NULL, ~0ul}, now = {0};
	struct sigaction once = {.sa_handler = nothing, .sa_flags = (int)SA_RESETHAND | SA_NODEFER};

	syscall(SYS_rt_sigaction, SIGUSR2, &all, NULL, 8);
	syscall(SYS_rt_sigaction, 1ul << 32 | SIGUSR2, NULL, &now, 8);
	printf("told back: flags %lx, mask %lx\n", now.flags, now.mask);
	sigaction(SIGUSR1, &once, NULL);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &once);
	printf("used once: default %d, flags %x\n", once.sa_handler == SIG_DFL, (unsigned)once.sa_flags);
}

static int set(char *at, int flags, size_t bytes)
{
	return sigaltstack(&(stack_t){.ss_sp = at, .ss_flags = flags, .ss_size = bytes}, NULL) ? errno : 0;
}

static void say_stack(const char *when)
{
	char here;
	stack_t s;

	sigaltstack(NULL, &s);
	printf("%s: stack %d, flags %x, %zu bytes; on %d %d\n", when,
	       s.ss_sp == stack[0]   ? 0
	       : s.ss_sp == stack[1] ? 1
				     : -1,
	       (unsigned)s.ss_flags, s.ss_size, &here >= stack[0] && &here < stack[1],
	       &here >= stack[1] && &here < stack[1] + sizeof(stack[1]));
}

static void on_stack(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *u = context;
	static int depth;

	say_stack("in the handler");
	printf("set: %d", set(stack[0], u->uc_stack.ss_flags, sizeof(stack[0])));
	printf(" %d", set(stack[1], u->uc_stack.ss_flags, sizeof(stack[1])));
	printf(" %d\n", set(stack[1], 5, sizeof(stack[1])));
	say_stack("set there");
	if (depth++ == 0)
		raise(SIGUSR1);
	say_stack("at its end");
}

static void stacks(void)
{
	static const int flags[] = {0, AUTODISARM};
	struct sigaction a = {.sa_sigaction = on_stack, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

	printf("refused: %d %d %d\n", set(stack[0], 0, 2047), set(stack[0], 3, 4096), set(NULL, SS_DISABLE, 1));
	set(stack[0], AUTODISARM | SS_DISABLE, 4096);
	say_stack("disabled");
	set((char *)-4096l, 0, 1ul << 63);
	say_stack("above all");
	sigaction(SIGUSR1, &a, NULL);
	for (int n = 0; n < 2; n++) {
		set(stack[0], flags[n], sizeof(stack[0]));
		raise(SIGUSR1);
		say_stack("behind it");
		set(NULL, SS_DISABLE, 0);
	}
}

/* ---- no room, no way back ---- */

static void on_segv(int sig, siginfo_t *info, void *context)
{
	printf("no room: si_code %d\n", info->si_code);
	fflush(stdout);
	_exit(3);
}

static void again(int sig)
{
	static int depth;

	if (depth++ < 100)
		raise(SIGUSR1);
}

static void overflows(void (*handler)(int), size_t bytes)
{
	struct sigaction a = {.sa_handler = handler, .sa_flags = SA_ONSTACK | SA_NODEFER},
			 segv = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO};

	set(stack[1], 0, bytes);
	sigaction(SIGUSR1, &a, NULL);
	sigaction(SIGSEGV, &segv, NULL);
	raise(SIGUSR1);
}

static void too_deep(void)
{
	overflows(again, 16384);
}

static void too_small(void)
{
	overflows(nothing, 2048);
}

static void no_restorer(void)
{
	syscall(SYS_rt_sigaction, SIGUSR1, &(struct kernel_action){nothing, 0, NULL, 0}, NULL, 8);
	raise(SIGUSR1);
}

/* ---- several at once ---- */

static struct {
	int sig;
	unsigned long mask, saved;
} came[32];
static unsigned nr_came;

static void note(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *u = context;

	came[nr_came].sig = sig;
	came[nr_came].mask = mask_now();
	memcpy(&came[nr_came++].saved, &u->uc_sigmask, 8);
}

static void say_came(const char *when)
{
	printf("%s:", when);
	for (unsigned n = 0; n < nr_came; n++)
		printf(" %d(%lx, %lx)", came[n].sig, came[n].mask, came[n].saved);
	printf(" then %lx\n", mask_now());
	nr_came = 0;
}

static void note_signal(int sig, int flags, unsigned long mask)
{
	struct sigaction a = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | flags};

	memcpy(&a.sa_mask, &mask, 8);
	sigaction(sig, &a, NULL);
}

static long sleeps(int how, int poll_fd, unsigned long *mask)
{
	struct {
		void *mask;
		long bytes;
	} packed = {mask, 8};
	struct timespec second = {1, 0};
	struct epoll_event event;

	switch (how) {
	case 0:
		block(BIT(SIGHUP));
		return 0;
	case 1:
		return syscall(SYS_rt_sigsuspend, mask, 8);
	case 2:
		return syscall(SYS_ppoll, NULL, 0, &second, mask, 8);
	case 3:
		return syscall(SYS_epoll_pwait, poll_fd, &event, 1, 1000, mask, 8);
	default:
		return syscall(SYS_pselect6, 0, NULL, NULL, NULL, &second, &packed);
	}
}

static void several(void)
{
	static const int sent[] = {SIGUSR1, SIGUSR2, SIGTERM, SIGSEGV, SIGTRAP, SIGILL};
	int poll_fd = epoll_create1(0);
	unsigned long mask = BIT(SIGUSR2);
	char when[64];
	long ret;

	note_signal(SIGUSR1, 0, 0);
	note_signal(SIGUSR2, 0, 0);
	note_signal(SIGTERM, 0, BIT(SIGUSR1));
	note_signal(SIGSEGV, 0, 0);
	note_signal(SIGTRAP, 0, BIT(SIGUSR2));
	note_signal(SIGILL, SA_NODEFER, BIT(SIGSEGV));
	for (int how = 0; how < 5; how++) {
		for (unsigned which = 1; which < 64; which += how ? 6 : 1) {
			block(ALL_SENT | BIT(SIGHUP));
			for (unsigned n = 0; n < 6; n++)
				for (unsigned times = which >> n & 1 ? 1 + (n & 1) : 0; times; times--)
					kill(getpid(), sent[n]);
			errno = 0;
			ret = sleeps(how, poll_fd, &mask);
			snprintf(when, sizeof(when), "way %d, signals %x: %ld %d", how, which, ret, errno);
			say_came(when);
			block(0);
			say_came("and");
		}
	}
}

/* ---- a fault that is blocked, while another signal may wait ---- */

static void on_none(int sig)
{
	_exit(3);
}

static void blocked_fault(void)
{
	struct itimerval often = {{0, 20}, {0, 20}};
	long a = 1, b = 3, turns = 20000;

	signal(SIGALRM, nothing);
	signal(SIGSEGV, on_none);
	block(BIT(SIGSEGV));
	setitimer(ITIMER_REAL, &often, NULL);
	__asm__ volatile("1:\n\t"
			 ".rept 40; add %0, %1; xor %1, %0; .endr\n\t"
			 "dec %2; jnz 1b\n\t"
			 ".rept 40; add %0, %1; xor %1, %0; .endr\n\t"
			 "movl $1, 0"
			 : "+r"(a), "+r"(b), "+r"(turns)
			 :
			 : "memory", "cc");
}

static void blocked_faults(void)
{
	int status, killed = 0;

	for (int n = 0; n < 200; n++) {
		if (fork() == 0)
			blocked_fault();
		wait(&status);
		killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
	}
	printf("blocked faults kill: %d\n", killed);
}

/* ---- a fault that nobody caused ---- */

static void send_fault(void)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = SIGSEGV;
	info.si_code = SEGV_MAPERR;
	syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGSEGV, &info);
}

static void send_default(void)
{
	signal(SIGSEGV, SIG_DFL);
	send_fault();
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *u = context;

	printf("trap %lld, error %lld, address %llx\n", u->uc_mcontext.gregs[REG_TRAPNO], u->uc_mcontext.gregs[REG_ERR],
	       u->uc_mcontext.gregs[REG_CR2]);
	if (sig == SIGILL)
		((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

static void faults(void)
{
	struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

	note_signal(SIGSEGV, 0, 0);
	send_fault();
	block(BIT(SIGSEGV));
	send_fault();
	block(0);
	say_came("sent");
	in_child("sent, and not handled", send_default);
	sigaction(SIGILL, &a, NULL);
	sigaction(SIGUSR1, &a, NULL);
	__asm__ volatile("ud2");
	raise(SIGUSR1);
}

int main(void)
{
	in_child("actions", actions);
	in_child("stacks", stacks);
	in_child("frames too deep", too_deep);
	if (getauxval(MINSIGSTKSZ_))
		in_child("a stack too small", too_small);
	in_child("no restorer", no_restorer);
	in_child("several", several);
	in_child("blocked faults", blocked_faults);
	in_child("faults", faults);
	return 0;
}
