/* SPDX-License-Identifier: MIT
 *
 * test/engine/steps.c - a program that single-steps itself: TF set by popf and by a handler's frame, over jumps, calls,
 * system calls, code in memory that may be written, faults, pushf and popf, a fork. Prints where each step ended and what
 * flags were found; natively and under whatever runs it the same.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define TF   0x100
#define ON   "pushfq; orq $0x100, (%rsp); popfq; "
#define OFF  "pushfq; andq $~0x100, (%rsp); popfq; nop; "
#define MOST 4096

static struct {
	const char *at;
	int sig, code;
	unsigned flags;
} step[MOST];
static volatile unsigned nr_steps, stop_at;
int forked;

static void on_step(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	greg_t *g = u->uc_mcontext.gregs;

	if (nr_steps < MOST) {
		step[nr_steps].at = (const char *)g[REG_RIP];
		step[nr_steps].sig = sig;
		step[nr_steps].code = info->si_code;
		step[nr_steps].flags = (unsigned)g[REG_EFL] & 0x1ff;
	}
	nr_steps++;
	if (sig == SIGSEGV)
		g[REG_RAX] = g[REG_RSP];
	if (sig == SIGILL)
		g[REG_RIP] += 2;
	if (sig == SIGUSR1)
		g[REG_EFL] |= TF;
	if (nr_steps == stop_at)
		g[REG_EFL] &= ~TF;
}

static void say(const char *what, const char *from)
{
	unsigned long hash = 0;

	printf("%s: %u steps:", what, nr_steps);
	for (unsigned n = 0; n < nr_steps && n < MOST; n++) {
		long at = step[n].at - from;

		if (labs(at) > 4000) /* in a library */
			at = -1;
		hash = hash * 31 + (unsigned long)at;
		if (n < 40)
			printf(" %ld/%d/%d/%x", at, step[n].sig, step[n].code, step[n].flags);
	}
	printf(" (%lx)\n", hash);
	nr_steps = 0;
}

#define CASE(name, code)                                                                                               \
	void name(void);                                                                                               \
	__asm__(".text\n" #name ": push %rbx; " code "pop %rbx; ret\n" #name "_end: nop");                             \
	extern const char name##_end[]

CASE(simple, ON "nop; xor %eax, %eax; inc %eax; " OFF);
CASE(loop, ON "mov $5, %ecx; 1: dec %ecx; jnz 1b; mov $3, %ecx; 2: loop 2b; " OFF);
CASE(calls, ON "call 1f; lea 2f(%rip), %rax; jmp *%rax; 1: lea 3f(%rip), %rcx; call *%rcx; ret; 3: ret; 2: " OFF);
CASE(memory, ON "mov %rsp, %rax; mov -8(%rax), %rcx; push %rcx; pop -16(%rax); addl $1, -8(%rsp); " OFF);
CASE(flags, ON "stc; pushfq; pop %rax; mov %eax, %ecx; pushfq; popfq; clc; " OFF "nop; " ON "nop; " OFF);
CASE(twice, ON ON "nop; pushfq; popfq; " OFF "nop; ");
CASE(call, ON "mov $39, %eax; syscall; mov %r11d, %ebx; mov $-1, %eax; syscall; syscall; " OFF);
CASE(faults, ON "xor %eax, %eax; mov (%rax), %rbx; nop; ud2; nop; " OFF);
CASE(forks, ON "mov $57, %eax; syscall; mov %eax, forked(%rip); " OFF);
CASE(strings, ON "lea -64(%rsp), %rdi; mov $3, %ecx; rep stosb; mov $2, %ecx; std; repne scasb; cld; nop; " OFF);
CASE(vectors, ON "pxor %xmm0, %xmm0; movdqu -64(%rsp), %xmm1; paddd %xmm1, %xmm0; movd %xmm0, %eax; " OFF);

static void run(const char *what, void (*code)(void), const char *end)
{
	static unsigned char *copy;
	size_t bytes = (size_t)(end - (const char *)code);

	if (!copy)
		copy = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	code();
	say(what, (const char *)code);
	memcpy(copy, (const void *)code, bytes);
	((void (*)(void))copy)();
	say("and where it may be written", (const char *)copy);
}

#define RUN(name) run(#name, name, name##_end)

/* The library's code, too: between here and there only its sum is printed. */
static void in_library(void)
{
	char text[64];

	stop_at = 2500;
	raise(SIGUSR1);
	for (unsigned n = 0; nr_steps < stop_at; n++)
		text[n % sizeof(text)] = (char)n;
	printf("in a library: %u steps\n", nr_steps);
	nr_steps = stop_at = 0;
}

/* Its child goes on stepping. */
static void fork_stepping(void)
{
	int status;

	fflush(stdout);
	forks();
	if (forked == 0)
		_exit((int)nr_steps);
	waitpid(forked, &status, 0);
	printf("fork: %u steps, its child %x\n", nr_steps, (unsigned)status);
	nr_steps = 0;
}

static void dies(int how)
{
	sigset_t traps;
	int status;

	fflush(stdout);
	if (fork() == 0) {
		sigemptyset(&traps);
		sigaddset(&traps, SIGTRAP);
		if (how == 0)
			signal(SIGTRAP, SIG_DFL);
		else if (how == 1)
			signal(SIGTRAP, SIG_IGN);
		else
			sigprocmask(SIG_BLOCK, &traps, NULL);
		if (how == 3)
			raise(SIGUSR1);
		else
			simple();
		_exit(0);
	}
	wait(&status);
	printf("dies, way %d: %x\n", how, (unsigned)status);
}

int main(void)
{
	const int signals[] = {SIGTRAP, SIGSEGV, SIGILL, SIGUSR1};
	struct sigaction a = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};

	for (unsigned n = 0; n < 4; n++)
		sigaction(signals[n], &a, NULL);
	RUN(simple);
	RUN(loop);
	RUN(calls);
	RUN(memory);
	RUN(flags);
	RUN(twice);
	RUN(call);
	RUN(faults);
	RUN(strings);
	RUN(vectors);
	in_library();
	fork_stepping();
	for (int how = 0; how < 4; how++)
		dies(how);
	return 0;
}
