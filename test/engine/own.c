/* SPDX-License-Identifier: MIT
 *
 * test/engine/own.c - what the kernel itself does for a program, at the addresses that it chooses: maps with every hint and
 * flag, mremap and its errors, guard pages, reservations larger than any RAM, 30 children by posix_spawn, children without
 * their parent's handlers, code while fs leads nowhere, transactions, and what a handler of signals finds: an aligned
 * stack, the error code of an access. Prints it; natively and under the engine the same.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define GUARD_INSTALL 102
#define GUARD_REMOVE  103
#define BOTH          (PROT_READ | PROT_WRITE)
#define MINE          (MAP_PRIVATE | MAP_ANONYMOUS)

static void say(const char *what, void *at)
{
	if (at == MAP_FAILED)
		printf("%s: %s\n", what, strerrorname_np(errno));
	else
		printf("%s: %p\n", what, at);
}

static void maps(void)
{
	size_t page = 4096, huge = 2 << 20;
	char *a = mmap(NULL, 16 * page, BOTH, MINE, -1, 0);

	say("anywhere", a);
	say("a hint that is free", mmap((void *)0x200000000000, page, BOTH, MINE, -1, 0));
	say("a hint that is taken", mmap(a, page, BOTH, MINE, -1, 0));
	say("a hint at no page", mmap((void *)0x200000010123, page, BOTH, MINE, -1, 0));
	say("32 bits", mmap(NULL, page, BOTH, MINE | MAP_32BIT, -1, 0));
	say("32 bits, large", mmap(NULL, 1 << 30, BOTH, MINE | MAP_32BIT | MAP_NORESERVE, -1, 0));
	say("32 bits, too large", mmap(NULL, 3ul << 30, BOTH, MINE | MAP_32BIT | MAP_NORESERVE, -1, 0));
	say("not over another", mmap(a, page, BOTH, MINE | MAP_FIXED_NOREPLACE, -1, 0));
	say("2 MiB", mmap(NULL, huge, BOTH, MINE, -1, 0));
	say("16 TiB", mmap(NULL, 16ul << 40, PROT_NONE, MINE | MAP_NORESERVE, -1, 0));
	say("more than there is", mmap(NULL, 1ul << 47, PROT_NONE, MINE | MAP_NORESERVE, -1, 0));
	say("nothing", mmap(NULL, 0, BOTH, MINE, -1, 0));
	say("below the least", mmap((void *)page, page, BOTH, MINE | MAP_FIXED, -1, 0));
	say("brk", sbrk(1 << 20));
	say("brk again", sbrk(-(1 << 19)));
}

/* Ranges of many terabytes that nobody is to use, as sanitizers have them: the engine is in one. Or used: refused. */
static void terabytes(bool used)
{
	char *from = (char *)0x400000000000, *end = (char *)0x540000000000;
	int flags = MINE | MAP_FIXED | MAP_NORESERVE;

	say("terabytes", mmap(from, (size_t)(end - from), used ? BOTH : PROT_NONE, flags, -1, 0));
	printf("of no use: %d %d", madvise(from, (size_t)(end - from), MADV_DONTDUMP),
	       mprotect(from + 4096, (size_t)(end - from) - 4096, PROT_NONE));
	say("; used in part", mmap(from, 1 << 20, BOTH, flags, -1, 0));
	memset(from, 1, 1 << 20);
	printf("given up: %d\n", munmap(from, (size_t)(end - from)));
}

static void moves(void)
{
	size_t page = 4096;
	char *a = mmap(NULL, 8 * page, BOTH, MINE, -1, 0);

	memset(a, 'x', 8 * page);
	say("grown", mremap(a, 8 * page, 64 * page, MREMAP_MAYMOVE));
	say("in place", mremap(a, page, 2000 * page, 0));
	a = mmap(NULL, 8 * page, BOTH, MINE, -1, 0);
	memset(a, 'y', 8 * page);
	say("not unmapped", mremap(a, 8 * page, 8 * page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
	printf("left empty: %d\n", a[0]);
	say("of another size", mremap(a, 8 * page, 4 * page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
	say("over itself", mremap(a, 4 * page, 4 * page, MREMAP_MAYMOVE | MREMAP_FIXED, a + 2 * page));
	say("of nothing", mremap((void *)page, page, page, 0));
	say("to no page", mremap(a, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, a + 1));
	say("a bad flag", mremap(a, page, page, 64));
	say("unaligned", mremap(a + 8, page, page, 0));
}

/* ---- signals ---- */

static volatile long code, here;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	struct {
		double d[4];
	} __attribute__((aligned(16))) local = {{0}};
	ucontext_t *u = context;

	code = u->uc_mcontext.gregs[REG_ERR];
	here = (long)((size_t)&local % 16);
	mprotect((void *)((size_t)info->si_addr & ~4095ul), 4096, BOTH);
}

#define ACCESS(name, instruction)                                                                                      \
	do {                                                                                                           \
		mprotect(p, 4096, PROT_NONE);                                                                          \
		__asm__ volatile(instruction : : "r"(p), "a"(0l), "d"(1l) : "memory", "cc", "xmm0");                   \
		printf("%s: error code %lx, stack %ld\n", name, code, here);                                           \
	} while (0)

static void accesses(void)
{
	struct sigaction act = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	char *p = mmap(NULL, 4096, BOTH, MINE, -1, 0);

	memset(p, 0, 4096);
	sigaction(SIGSEGV, &act, NULL);
	ACCESS("load", "mov (%0), %%rax");
	ACCESS("store", "mov %%rdx, (%0)");
	ACCESS("add to memory", "add %%rdx, (%0)");
	ACCESS("add of memory", "add (%0), %%rdx");
	ACCESS("exchange", "xchg %%rdx, (%0)");
	ACCESS("compare and exchange", "lock cmpxchg %%rdx, (%0)");
	ACCESS("locked add", "lock xadd %%rdx, (%0)");
	ACCESS("increment", "incq (%0)");
	ACCESS("bit set", "btsq $3, (%0)");
	ACCESS("bit test", "btq $3, (%0)");
	ACCESS("test", "testq $1, (%0)");
	ACCESS("vector load", "movups (%0), %%xmm0");
	ACCESS("vector store", "movups %%xmm0, (%0)");
	ACCESS("prefetch", "prefetcht0 (%0)");
}

static void guards(void)
{
	char *a = mmap(NULL, 8 * 4096, BOTH, MINE, -1, 0);

	a[4096] = 1;
	code = -1;
	printf("guard: %d\n", madvise(a + 4096, 4096, GUARD_INSTALL) ? errno : 0);
	printf("removed: %d", madvise(a + 4096, 4096, GUARD_REMOVE) ? errno : 0);
	printf(" holds %d\n", a[4096]);
}

static void spawns(void)
{
	char *args[] = {(char *)"true", NULL}, *none[] = {NULL};
	int status, sum = 0;
	pid_t pid;

	for (int i = 0; i < 30; i++) {
		if (posix_spawn(&pid, "/bin/true", NULL, NULL, args, none) == 0 && waitpid(pid, &status, 0) == pid)
			sum += status == 0;
	}
	printf("spawned: %d; system: %d; not there: %d\n", sum, system("exit 7"),
	       posix_spawn(&pid, "/no", NULL, NULL, args, none));
}

/* Code that has not run yet, while fs leads nowhere. */
static void without_fs(void)
{
	long old, sum = 0;

	syscall(SYS_arch_prctl, ARCH_GET_FS, &old);
	__asm__ volatile("syscall\n\t"
			 "mov $10, %%ecx\n"
			 "1:\n\t"
			 "add %%rcx, %[sum]\n\t"
			 "loop 1b\n\t"
			 "mov %[call], %%eax\n\t"
			 "mov %[old], %%rsi\n\t"
			 "syscall"
			 : [sum] "+r"(sum)
			 : "a"(SYS_arch_prctl), "D"(ARCH_SET_FS), "S"(8l), [call] "i"(SYS_arch_prctl), [old] "r"(old)
			 : "rcx", "r11", "memory", "cc");
	printf("without fs: %ld\n", sum);
}

/* Where the CPU has them; each is done, by a transaction or behind it. */
static void transactions(void)
{
	unsigned a = 7, b, c = 0, d, done = 0;

	__asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	for (int i = 0; i < 3 && b >> 11 & 1; i++)
		__asm__ volatile("mov $-1, %%eax\n\t"
				 "xbegin 1f\n"
				 "1:\n\t"
				 "inc %[done]\n\t"
				 "cmp $-1, %%eax\n\t"
				 "jne 2f\n\t"
				 "xend\n"
				 "2:"
				 : [done] "+r"(done)
				 :
				 : "rax", "memory", "cc");
	printf("transactions: %d\n", (b >> 11 & 1) == 0 || done == 3);
}

/* Where there is such a page: gettimeofday, time, getcpu, called by a program of old. */
static void vsyscalls(void)
{
	bool there = system("grep -q vsyscall /proc/self/maps") == 0;
	long (*const call[])(void *, void *) = {(long (*)(void *, void *))0xffffffffff600000,
						(long (*)(void *, void *))0xffffffffff600400,
						(long (*)(void *, void *))0xffffffffff600800};
	struct timeval now = {0, 0};
	time_t seconds = 0;
	unsigned cpu = ~0u;

	long ret[3];

	if (!there)
		return;
	ret[0] = call[0](&now, NULL);
	ret[1] = call[1](&seconds, NULL);
	ret[2] = call[2](&cpu, NULL);
	printf("vsyscalls: %ld %d %d %ld %d\n", ret[0], now.tv_sec > 1000, ret[1] == seconds && seconds >= now.tv_sec,
	       ret[2], cpu < 100000);
}

static long raw_call(unsigned long nr)
{
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(nr) : "rcx", "r11", "memory");
	return ret;
}

/* Code that a call with more bits in its number has mapped. */
static void odd_mmap(void)
{
	register long flags __asm__("r10") = MINE, none __asm__("r8") = -1, zero __asm__("r9") = 0;
	long at;

	__asm__ volatile("syscall"
			 : "=a"(at)
			 : "a"(1ul << 32 | SYS_mmap), "D"(0), "S"(4096), "d"(BOTH | PROT_EXEC), "r"(flags), "r"(none),
			   "r"(zero)
			 : "rcx", "r11", "memory");
	if (at < 0) {
		printf("mapped: %ld\n", at);
		return;
	}
	memcpy((void *)at, "\xb8\x07\0\0\0\xc3", 6);
	printf("mapped: %d\n", ((int (*)(void))at)());
}

/* A return from no interrupt, as Wine makes them: to somewhere else, on another stack, with flags. */
static void interrupt_returns(void)
{
	static char other[4096] __attribute__((aligned(16)));
	uint64_t flags, sp, moved;

	__asm__ volatile(
	    "lea -128(%%rsp), %%rsp\n\t"
	    "mov %%rsp, %[sp]\n\t"
	    "mov %%ss, %k[flags]; push %[flags]\n\t"
	    "push %[other]\n\t"
	    "push $0x600cd7\n\t" /* all that is no mode, reserved ones, and what a program may not change */
	    "mov %%cs, %k[flags]; push %[flags]\n\t"
	    "lea 1f(%%rip), %[flags]; push %[flags]\n\t"
	    "iretq\n\t"
	    "ud2\n"
	    "1:\n\t"
	    "pushfq; pop %[flags]\n\t"
	    "mov %%rsp, %[moved]; sub %[other], %[moved]\n\t"
	    "mov %[sp], %%rsp; lea 128(%%rsp), %%rsp; cld"
	    : [flags] "=&r"(flags), [sp] "=&r"(sp), [moved] "=&r"(moved)
	    : [other] "r"(other + sizeof(other))
	    : "memory", "cc");
	printf("iretq: flags %#lx, its stack %ld off\n", flags, (long)moved);
}

/* What the kernel knows and the program does not use. */
static void others(void)
{
	unsigned long gs = 1;
	long ret = syscall(SYS_arch_prctl, ARCH_GET_GS, &gs);

	printf("gs: %ld %lx, set %ld", ret, gs, syscall(SYS_arch_prctl, ARCH_SET_GS, 0));
	printf(", at 8 %d\n", syscall(SYS_arch_prctl, ARCH_GET_GS, 8) ? errno : 0);
	printf("more than 32 bits of a call's number: %d", raw_call(1ul << 32 | SYS_getpid) == getpid());
	printf(" %ld\n", raw_call(0x40000000 | SYS_getpid));
	printf("no thread: %d\n", syscall(SYS_clone, CLONE_VM | CLONE_THREAD, 0, 0, 0, 0) ? errno : 0);
}

/* ---- children without handlers ---- */

static void on_user(int sig) {}

static _Noreturn void tell_actions(void)
{
	static const int told[] = {SIGUSR1, SIGUSR2, SIGSEGV, SIGTRAP, SIGTERM};
	struct sigaction act;

	for (unsigned i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		sigaction(told[i], NULL, &act);
		printf(" %s%d flags %x",
		       act.sa_handler == SIG_DFL   ? "default"
		       : act.sa_handler == SIG_IGN ? "ignored"
						   : "handled",
		       sigismember(&act.sa_mask, SIGHUP), (unsigned)act.sa_flags);
	}
	printf("\n");
	fflush(stdout);
	raise(SIGUSR1);
	_exit(0);
}

static long clone3_call(const struct clone_args *args)
{
	long ret;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "call *%[child]\n"
			 "1:"
			 : "=a"(ret)
			 : "a"(SYS_clone3), "D"(args), "S"(sizeof(*args)), [child] "r"(tell_actions)
			 : "rcx", "r11", "memory");
	return ret;
}

/* As posix_spawn makes its children, and by a fork. */
static void cleared(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	struct sigaction act = {.sa_handler = on_user, .sa_flags = SA_RESTART};
	const uint64_t kinds[] = {CLONE_CLEAR_SIGHAND, CLONE_CLEAR_SIGHAND | CLONE_VM | CLONE_VFORK,
				  CLONE_VFORK | CLONE_VM};
	int status = 0;

	sigaddset(&act.sa_mask, SIGHUP);
	sigaction(SIGUSR1, &act, NULL);
	sigaction(SIGSEGV, &act, NULL);
	act.sa_handler = SIG_IGN;
	sigaction(SIGUSR2, &act, NULL);
	for (unsigned i = 0; i < 3; i++) {
		struct clone_args args = {.flags = kinds[i], .exit_signal = SIGCHLD};

		if (kinds[i] & CLONE_VM) {
			args.stack = (uint64_t)stack;
			args.stack_size = sizeof(stack);
		}
		printf("%s:", kinds[i] & CLONE_CLEAR_SIGHAND ? "cleared" : "not cleared");
		fflush(stdout);
		printf("ends by %ld", clone3_call(&args) > 0 ? wait(&status), (long)WTERMSIG(status) : -1);
		printf(" %d\n", WEXITSTATUS(status));
	}
	printf("of threads: %ld\n",
	       clone3_call(&(struct clone_args){.flags = CLONE_CLEAR_SIGHAND | CLONE_SIGHAND | CLONE_VM,
						.exit_signal = SIGCHLD}));
	sigaction(SIGUSR1, NULL, &act);
	printf("the parent's stay: %d\n", act.sa_handler == on_user);
}

int main(int argc, char **argv)
{
	maps();
	terabytes(argc > 1);
	transactions();
	interrupt_returns();
	vsyscalls();
	odd_mmap();
	others();
	without_fs();
	moves();
	accesses();
	guards();
	spawns();
	cleared();
	return 0;
}
