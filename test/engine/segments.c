/* SPDX-License-Identifier: MIT
 *
 * test/engine/segments.c - memory by gs, and fs and gs with bases that the program sets: by arch_prctl and, where the kernel
 * lets programs, by wrfsbase and wrgsbase. Operands of every shape, faults, and who inherits a base: a thread, a fork, a
 * vfork, not an exec. Prints what comes of it; natively and under the engine the same.
 *
 * `segments pages`: 2,000 pages by each, which are page faults to count.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 2000

static uint64_t words[512] __attribute__((aligned(4096)));
static sigjmp_buf back;

static long set_gs(const void *base)
{
	return syscall(SYS_arch_prctl, ARCH_SET_GS, base) ? -errno : 0;
}

static uint64_t get_gs(void)
{
	uint64_t base = 1;

	return syscall(SYS_arch_prctl, ARCH_GET_GS, &base) ? 1 : base;
}

static bool has_fsgsbase(void)
{
	return getauxval(AT_HWCAP2) & 2;
}

static void fill(void)
{
	for (unsigned i = 0; i < 512; i++)
		words[i] = i * 0x0101010101010101ull;
}

static void say(const char *what, uint64_t a)
{
	printf("%s: %#lx\n", what, (unsigned long)a);
}

/* ---- operands ---- */

static void operands(void)
{
	uint64_t a = 0, b = 0, c = 16, low = (uint64_t)-8;
	uint8_t flag;

	fill();
	set_gs(words);
	__asm__ volatile("mov %%gs:16, %0" : "=r"(a));
	say("absolute", a);
	__asm__ volatile("mov %%gs:8(%1,%2,8), %0" : "=r"(a) : "r"(c), "r"(3ul));
	say("base, index", a);
	__asm__ volatile("mov %%gs:8(,%1,4), %k0" : "=r"(a) : "r"(6ul));
	say("index, 32 bits", a);
	__asm__ volatile("mov %1, %%r12; mov %1, %%r13; mov %%gs:(%%r12), %0; add %%gs:(%%r13,%%r12), %0"
			 : "=&r"(a)
			 : "r"(c)
			 : "r12", "r13");
	say("r12, r13", a);
	__asm__ volatile("addr32 movzbl %%gs:24(%k1), %k0" : "=r"(a) : "r"(low));
	say("32-bit address", a);
	__asm__ volatile("movq $5, %%gs:32; movb $1, %%gs:41; movw $0x1234, %%gs:42(%0)" : : "r"(4ul) : "memory");
	say("stored", words[4] + words[5]);
	__asm__ volatile("lock xadd %0, %%gs:48" : "+r"(c) : : "memory");
	say("xadd", c);
	a = words[7];
	__asm__ volatile("lock cmpxchg %2, %%gs:56; sete %1" : "+a"(a), "=q"(flag) : "r"(77ul) : "memory", "cc");
	say("cmpxchg", words[7] + flag);
	a = words[8], b = words[9];
	__asm__ volatile("lock cmpxchg16b %%gs:(%3,%4); sete %2"
			 : "+a"(a), "+d"(b), "=q"(flag)
			 : "S"(60ul), "D"(4ul), "b"(1ul), "c"(2ul)
			 : "memory", "cc");
	say("cmpxchg16b", words[8] + words[9] * 256 + flag);
	__asm__ volatile("lea -128(%%rsp), %%rsp; pushq %%gs:80; popq %%gs:88; addq $1, %%gs:88; lea 128(%%rsp), %%rsp"
			 :
			 :
			 : "memory");
	say("push, pop", words[11]);
	__asm__ volatile("movdqu %%gs:96, %%xmm0; paddq %%gs:(%0), %%xmm0; movdqu %%xmm0, %%gs:112"
			 :
			 : "r"(128ul)
			 : "xmm0", "memory");
	say("vectors", words[14] ^ words[15]);
	__asm__ volatile("imul $3, %%gs:24, %0; cmpq $1, %%gs:24; adc $0, %0; shlq $4, %%gs:24"
			 : "=&r"(a)
			 :
			 : "memory", "cc");
	say("immediates", a + words[3]);
	__asm__ volatile("lea %%gs:64(%1), %0; prefetcht0 %%gs:64" : "=r"(a) : "r"(8ul));
	say("no access", a);
	set_gs((void *)8);
	__asm__ volatile("mov %%gs:words+16(%%rip), %0" : "=r"(a));
	say("by rip", a);
	set_gs(NULL);
	__asm__ volatile("mov %%gs:(%1), %0" : "=r"(a) : "r"(&words[2]));
	say("by a base of 0", a);
}

/* ---- bases ---- */

static void bases(void)
{
	uint64_t a = 0, b = 0;

	fill();
	say("none at first", get_gs());
	say("set", (uint64_t)set_gs(words));
	say("is", get_gs() == (uint64_t)words);
	say("not canonical", (uint64_t)set_gs((void *)(1ull << 63)));
	say("the kernel's", (uint64_t)set_gs((void *)0x7ffffffff000));
	say("a bad pointer", (uint64_t)syscall(SYS_arch_prctl, ARCH_GET_GS, 8));
	say("is still", get_gs() == (uint64_t)words);
	if (!has_fsgsbase())
		return;
	__asm__ volatile("rdgsbase %0; rdgsbase %k1" : "=r"(a), "=r"(b));
	printf("read: %d %d\n", a == (uint64_t)words, b == (uint32_t)(uint64_t)words);
	__asm__ volatile("wrgsbase %1; mov %%gs:8, %0" : "=r"(a) : "r"(&words[2]));
	say("written", a);
	say("is then", get_gs() == (uint64_t)&words[2]);
	__asm__ volatile("wrgsbase %k1; rdgsbase %0" : "=r"(a) : "r"(0x1234567887654321ul));
	say("written, 32 bits", a);
	__asm__ volatile(
	    "mov %1, %%r9; wrgsbase %%r9; mov %%gs:8, %0; add $8, %%r9; wrgsbase %%r9; add %%gs:8, %0; rdgsbase %%r14; "
	    "sub %%r14, %%r9; add %%r9, %0"
	    : "=&r"(a)
	    : "r"(&words[3])
	    : "r9", "r14");
	say("one after the other", a);
	__asm__ volatile("rdfsbase %%r8; wrfsbase %2; mov %%fs:8, %0; wrfsbase %k3; rdfsbase %1; wrfsbase %%r8"
			 : "=&r"(a), "=&r"(b)
			 : "r"(words), "r"(0x1234567887654321ul)
			 : "r8");
	printf("fs: %#lx %#lx\n", a, b);
}

/* ---- faults ---- */

static void on_fault(int sig, siginfo_t *info, void *context)
{
	printf("signal %d code %d at %p\n", sig, info->si_code, info->si_addr);
	siglongjmp(back, 1);
}

static void faults(void)
{
	struct sigaction act = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};

	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGBUS, &act, NULL);
	set_gs((void *)0x10000);
	for (unsigned how = 0; how < 4; how++) {
		if (sigsetjmp(back, 1))
			continue;
		switch (how) {
		case 0:
			__asm__ volatile("mov %%gs:8, %%rax" : : : "rax");
			break;
		case 1:
			__asm__ volatile("addq $1, %%gs:(%0)" : : "r"(0x234ul) : "memory");
			break;
		case 2: /* general protection, by whatever register */
			__asm__ volatile("mov %%gs:(%%rbx), %%rax" : : "b"(1ul << 62) : "rax");
			break;
		case 3:
			__asm__ volatile("push %%rbp; mov %0, %%rbp; mov %%gs:(%%rbp), %%rax; pop %%rbp"
					 :
					 : "r"(1ul << 62)
					 : "rax");
		}
	}
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
}

/* ---- heirs ---- */

static void *thread(void *unused)
{
	uint64_t a;

	say("a thread's is its parent's", get_gs() == (uint64_t)words);
	set_gs(&words[8]);
	__asm__ volatile("mov %%gs:0, %0" : "=r"(a));
	say("and then its own", a);
	return NULL;
}

static void heirs(const char *self)
{
	pthread_t t;
	pid_t pid;

	fill();
	set_gs(words);
	pthread_create(&t, NULL, thread, NULL);
	pthread_join(t, NULL);
	say("its parent's stays", get_gs() == (uint64_t)words);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		say("a child's", get_gs() == (uint64_t)words);
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	pid = vfork();
	if (pid == 0) {
		execl(self, self, "executed", NULL);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
}

/* ---- pages ---- */

static char *fresh(void)
{
	return mmap(NULL, PAGES * 4096ul, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void pages(void)
{
	char *by_gs = fresh(), *by_fs = fresh();
	uint64_t fs;

	set_gs(by_gs);
	for (uint64_t i = 0; i < PAGES; i++)
		__asm__ volatile("movb $1, %%gs:(%0)" : : "r"(i * 4096) : "memory");
	if (!has_fsgsbase())
		return;
	__asm__ volatile("rdfsbase %0" : "=r"(fs));
	for (uint64_t i = 0; i < PAGES; i++)
		__asm__ volatile("wrfsbase %0; movb $1, %%fs:8; wrfsbase %1"
				 :
				 : "r"(by_fs + i * 4096), "r"(fs)
				 : "memory");
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "pages") == 0) {
		pages();
		return 0;
	}
	if (argc > 1) {
		say("executed", get_gs());
		return 0;
	}
	bases();
	operands();
	faults();
	heirs(argv[0]);
	return 0;
}
