/* SPDX-License-Identifier: MIT
 *
 * test/engine/handlers.c - what programs do with signals: timers in the middle of everything, faults that a handler
 * repairs or skips, jumps out of handlers, stacks of their own, calls that are interrupted or made again. Prints what
 * came of it; natively and under whatever runs it the same.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static volatile sig_atomic_t ticks;
static sigjmp_buf back;
static char *page;

static void on_tick(int sig)
{
	ticks++;
}

static void on_jump(int sig, siginfo_t *info, void *context)
{
	siglongjmp(back, info->si_code);
}

static void on_repair(int sig, siginfo_t *info, void *context)
{
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

/* ud2 is two bytes. */
static void on_skip(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	u->uc_mcontext.gregs[REG_RIP] += 2;
	u->uc_mcontext.gregs[REG_RAX] = 42;
}

static void on_where(int sig, siginfo_t *info, void *context)
{
	volatile char here;
	stack_t now;

	sigaltstack(NULL, &now);
	printf("on a stack of its own: %d, %d\n",
	       (char *)&here > (char *)now.ss_sp && (char *)&here < (char *)now.ss_sp + now.ss_size, now.ss_flags);
	siglongjmp(back, 1);
}

static void catch (int sig, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};

	sigaction(sig, &a, NULL);
}

static void timer(long us)
{
	struct itimerval t = {{0, us}, {0, us}};

	setitimer(ITIMER_REAL, &t, NULL);
}

/* Floating point, integers and flags go on as if nothing had come between. */
static void ticks_disturb_nothing(void)
{
	double x = 1, y = 1;
	unsigned long sum = 0, i, again = 0;

	signal(SIGALRM, on_tick);
	timer(300);
	for (i = 0; ticks < 200; i++) {
		x = x * 1.0000001 + 1e-9;
		sum += i ^ (sum >> 3);
	}
	timer(0);
	for (unsigned long k = 0; k < i; k++) {
		y = y * 1.0000001 + 1e-9;
		again += k ^ (again >> 3);
	}
	printf("ticks disturb nothing: %d\n", x == y && sum == again);
}

static void faults(void)
{
	long value;
	int code;

	catch (SIGSEGV, on_jump, SA_NODEFER);
	code = sigsetjmp(back, 1);
	if (code == 0)
		*(volatile int *)8 = 1;
	printf("out of a handler: si_code %d\n", code);
	page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	catch (SIGSEGV, on_repair, 0);
	for (int i = 0; i < 300; i++) {
		mprotect(page, 4096, PROT_NONE);
		page[i] = (char)i;
	}
	printf("repaired: %d\n", page[77]);
	catch (SIGILL, on_skip, 0);
	__asm__ volatile("mov $1, %%eax; ud2" : "=a"(value));
	printf("skipped: %ld\n", value);
	catch (SIGFPE, on_jump, 0);
	code = sigsetjmp(back, 1);
	if (code == 0)
		value = 1 / *(volatile int *)(page + 1024);
	printf("divided: si_code %d\n", code);
}

/* What it writes to the frame the program goes on with. */
static void on_change(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	u->uc_mcontext.gregs[REG_RBX] = 7;
	u->uc_mcontext.gregs[REG_EFL] |= 1;
	u->uc_mcontext.fpregs->_xmm[8].element[0] = 8;
	u->uc_mcontext.fpregs->mxcsr |= 0x8000;
	sigaddset(&u->uc_sigmask, SIGUSR2);
}

static void changes(void)
{
	unsigned standard = 0x1f80, mxcsr;
	long rbx, carry, xmm;
	sigset_t mask;

	catch (SIGUSR1, on_change, 0);
	__asm__ volatile("pxor %%xmm8, %%xmm8; xor %%ebx, %%ebx; syscall; setc %b1; movzx %b1, %k1; movq %%xmm8, %2; "
			 "stmxcsr %3; ldmxcsr %4"
			 : "=&b"(rbx), "=&r"(carry), "=&r"(xmm), "=m"(mxcsr)
			 : "m"(standard), "a"(SYS_kill), "D"((long)getpid()), "S"((long)SIGUSR1)
			 : "rcx", "r11", "xmm8", "cc", "memory");
	sigprocmask(SIG_SETMASK, NULL, &mask);
	printf("changed: %ld %ld %ld %x %d\n", rbx, carry, xmm, mxcsr & 0x8000, sigismember(&mask, SIGUSR2));
}

static void own_stack(void)
{
	static char memory[1 << 16];
	stack_t s = {.ss_sp = memory, .ss_size = sizeof(memory)};

	sigaltstack(&s, NULL);
	catch (SIGSEGV, on_where, SA_ONSTACK);
	if (sigsetjmp(back, 1) == 0)
		*(volatile int *)8 = 1;
}

static void calls(void)
{
	struct timespec ten = {10, 0};
	sigset_t alarm_only, before;
	int pipe_fd[2], ret, blocked;
	char byte = 0;

	ticks = 0;
	timer(50000);
	ret = nanosleep(&ten, NULL);
	printf("interrupted: %d %s\n", ret, strerror(errno));
	timer(0);
	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	sigprocmask(SIG_BLOCK, &alarm_only, &before);
	ticks = 0;
	raise(SIGALRM);
	blocked = ticks;
	sigprocmask(SIG_SETMASK, &before, NULL);
	printf("blocked: %d, then %d\n", blocked, ticks);
	if (pipe(pipe_fd) != 0)
		exit(1);
	signal(SIGALRM, on_tick); /* SA_RESTART */
	if (fork() == 0) {
		usleep(200000);
		_exit(write(pipe_fd[1], "x", 1) == 1 ? 0 : 1);
	}
	timer(20000);
	ret = (int)read(pipe_fd[0], &byte, 1);
	timer(0);
	printf("made again: %d %c\n", ret, byte);
}

int main(void)
{
	ticks_disturb_nothing();
	faults();
	changes();
	own_stack();
	calls();
	return 7;
}
