/* SPDX-License-Identifier: MIT
 *
 * test/engine/pointers.c - bad addresses where the engine reads or writes the program's memory: system calls that it
 * answers, frames of signals, sigreturn. Prints what came of each; natively and under the engine the same.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int *volatile nowhere = (volatile int *)8;
static volatile int bottom;

static long failed(long ret)
{
	return ret < 0 ? errno : 0;
}

static void calls(void)
{
	void *read_only = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	printf("sigaction: %ld %ld %ld\n", failed(syscall(SYS_rt_sigaction, SIGUSR1, 8, 0, 8)),
	       failed(syscall(SYS_rt_sigaction, SIGUSR1, 0, read_only, 8)),
	       failed(syscall(SYS_rt_sigaction, SIGUSR1, 0, 8, 8)));
	printf("sigaltstack: %ld %ld\n", failed(syscall(SYS_sigaltstack, 8, 0)),
	       failed(syscall(SYS_sigaltstack, 0, read_only)));
	printf("clone3: %ld %ld\n", failed(syscall(SYS_clone3, 8, 88)), failed(syscall(SYS_clone3, 8, 8)));
	printf("seccomp: %ld\n", failed(syscall(SYS_seccomp, 1, 0, 8)));
	printf("sigprocmask: %ld\n", failed(syscall(SYS_rt_sigprocmask, 0, 8, 0, 8)));
	exit(0);
}

static void on_alarm(int sig)
{
	_exit(10);
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	printf("fault: code %d\n", info->si_code);
	fflush(stdout);
	_exit(11);
}

static void on_signals(int flags)
{
	static char memory[1 << 16];
	stack_t s = {.ss_sp = memory, .ss_size = sizeof(memory)};
	struct sigaction fault = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | flags};

	signal(SIGALRM, on_alarm);
	sigaltstack(&s, NULL);
	sigaction(SIGSEGV, &fault, NULL);
}

/* Waits with a stack pointer that is none, and without a system call. */
static void spin_without_stack(void)
{
	struct itimerval t = {{0, 0}, {0, 20000}};

	setitimer(ITIMER_REAL, &t, NULL);
	__asm__ volatile("mov $64, %rsp\n"
			 "1: pause\n\t"
			 "jmp 1b");
}

static void no_stack(void)
{
	signal(SIGALRM, on_alarm);
	spin_without_stack();
}

static void no_stack_handled(void)
{
	on_signals(SA_ONSTACK);
	spin_without_stack();
}

static void no_stack_not_handled(void)
{
	on_signals(0);
	spin_without_stack();
}

static int deeper(volatile char *before)
{
	volatile char here[4096];

	here[0] = before ? before[0] : 0;
	return bottom ? 0 : deeper(here) + here[0];
}

static void overflow(void)
{
	signal(SIGSEGV, on_alarm);
	deeper(NULL);
}

static void overflow_handled(void)
{
	on_signals(SA_ONSTACK);
	deeper(NULL);
}

static void bad_return(void)
{
	__asm__ volatile("mov $64, %rsp\n\t"
			 "mov $15, %eax\n\t"
			 "syscall");
}

/* A signal that is blocked ends the process when an instruction raises it. */
static void blocked(void)
{
	sigset_t set;

	signal(SIGSEGV, on_alarm);
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	printf("an error all the same: %ld\n", failed(syscall(SYS_rt_sigaction, SIGUSR1, 8, 0, 8)));
	fflush(stdout);
	*nowhere = 1;
}

static void ignored(void)
{
	signal(SIGSEGV, SIG_IGN);
	kill(getpid(), SIGSEGV);
	printf("ignored\n");
	fflush(stdout);
	*nowhere = 1;
}

static void sent(void)
{
	kill(getpid(), SIGBUS);
	printf("not here\n");
}

static void ignored_by_another(void)
{
	signal(SIGSEGV, SIG_IGN);
	execl("/bin/sh", "sh", "-c", "kill -SEGV $$; echo ignored", NULL);
}

int main(void)
{
	static void (*const each[])(void) = {
	    calls,   no_stack, no_stack_handled,  no_stack_not_handled, overflow, overflow_handled, bad_return, blocked,
	    ignored, sent,     ignored_by_another};
	int status;

	for (unsigned i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
		pid_t pid;

		fflush(stdout);
		pid = fork();
		if (pid == 0)
			each[i]();
		waitpid(pid, &status, 0);
		printf("%u ended with %x\n", i, (unsigned)status & ~0x80u); /* a core, or none */
	}
	return 0;
}
