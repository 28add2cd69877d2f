/* SPDX-License-Identifier: MIT
 *
 * test/engine/exceptions.c - each exception that a program can raise, and all that its handler is told of it: signal,
 * code, address, place, trap number, error code, CR2, flags. Places are told by what they belong to; natively and under
 * whatever runs it the same. With an argument: dies of no instruction, or sets gs.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define FLAGS 0x50cd5 /* but TF: the engine's own */

/* rdi: an address of the case's; rsi: 0. */
#define CASE(name, code)                                                                                               \
	__asm__(".text\n" #name ":\n\t" code "\n\tret\n");                                                             \
	extern char name[];

CASE(case_ud2, "nop; ud2")
CASE(case_no_insn, "nop; .byte 0x06")
CASE(case_no_insn_2, "stc; .byte 0x0f, 0x04, 0x90, 0x90")
CASE(case_no_lock, "std; .byte 0xf0, 0x90")
CASE(case_no_vex, "nop; .byte 0xc5, 0xf8, 0xff, 0xc0")
CASE(case_too_long, "nop; .fill 15, 1, 0x66; nop")
CASE(case_divides, "mov $1, %eax; xor %edx, %edx; idivl %esi")
CASE(case_overflows, "mov $1, %edx; xor %eax, %eax; mov $1, %ecx; divl %ecx")
CASE(case_int3, "nop; int3; nop")
CASE(case_int3_long, "nop; .byte 0xcd, 3; nop")
CASE(case_int1, "nop; .byte 0xf1; nop")
CASE(case_int4, "nop; int $4")
CASE(case_int5, "nop; int $5")
CASE(case_hlt, "nop; hlt")
CASE(case_in, "in %dx, %al")
CASE(case_reads, "mov (%rdi), %rax")
CASE(case_writes, "mov %rax, 16(%rdi)")
CASE(case_inverts, "notl 4(%rdi)")
CASE(case_copies, "mov %rdi, %rsi; lea case_data(%rip), %rdi; mov $64, %ecx; rep movsb")
CASE(case_fills, "mov $8192, %ecx; rep stosb")
CASE(case_pushes, "mov %rsp, %rdx; mov %rdi, %rsp; push %rax; mov %rdx, %rsp")
CASE(case_enters, "mov %rsp, %rdx; mov %rdi, %rsp; enter $32, $0; mov %rdx, %rsp")
CASE(case_unaligned, "movaps 1(%rdi), %xmm0")
CASE(case_jumps, "jmp *%rdi")
CASE(case_calls, "push %rax; call *%rdi; pop %rdx")
CASE(case_sse, "push $0; ldmxcsr (%rsp); pop %rax; cvtsi2sd %esi, %xmm0; divsd %xmm0, %xmm0")
CASE(case_x87, "push $0x340; fldcw (%rsp); pop %rax; fldz; fld1; fdivp; nop; fwait")
CASE(case_aligned, "pushf; orl $0x40000, (%rsp); popf; mov 1(%rdi), %eax")
CASE(case_sets_gs, "push $0; pop %gs")
CASE(case_segment, "mov $0x1234, %eax; mov %eax, %fs")
CASE(case_down, "std; mov (%rsi), %rax")
__asm__(".data\ncase_data: .zero 64\n.text\n");

static sigjmp_buf back;
static char *code;
static uintptr_t data;

static void tell(const char *name, uintptr_t value)
{
	if (value - (uintptr_t)code < 256)
		printf(" %s code+%ld", name, (long)(value - (uintptr_t)code));
	else if (value - data < 3 * 4096)
		printf(" %s data+%ld", name, (long)(value - data));
	else
		printf(" %s %lx", name, (long)value);
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *u = context;
	const greg_t *g = u->uc_mcontext.gregs;
	unsigned now_df;

	__asm__ volatile("pushf; andl $~0x40000, (%rsp); popf"); /* AC */
	__asm__ volatile("pushf; pop %%rax; shr $10, %%eax; and $1, %%eax" : "=a"(now_df));
	printf(" signal %d code %d errno %d", sig, info->si_code, info->si_errno);
	tell("address", (uintptr_t)info->si_addr);
	tell("at", (uintptr_t)g[REG_RIP]);
	printf(" trap %lld error %llx", g[REG_TRAPNO], g[REG_ERR]);
	if (g[REG_TRAPNO] == 14)
		tell("cr2", (uintptr_t)g[REG_CR2]);
	printf(" flags %llx cs %llx df %d\n", g[REG_EFL] & FLAGS, g[REG_CSGSFS] & 0xffff, now_df);
	siglongjmp(back, 1);
}

static void try(const char *name, char *at, uintptr_t address)
{
	void (*volatile call)(uintptr_t, uintptr_t) = (void (*)(uintptr_t, uintptr_t))(void *)at;

	printf("%s:", name);
	code = at;
	if (sigsetjmp(back, 1) == 0) {
		call(address, 0);
		puts(" nothing");
	}
	__asm__ volatile("pushf; andl $~0x40500, (%rsp); popf");
}

#define TRY(name, address) try(#name " " #address, case_##name, address)

/* Bytes of an instruction, or of none, behind which nothing can be fetched. */
static void at_the_end(void)
{
	const char *bytes[] = {"\x06", "\x0f", "\x0f\x04", "\x0f\x0b", "\x66\x66", "\xc5\xf8\xff", "\xf0\x90"};
	char *map = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	data = (uintptr_t)map;
	munmap(map + 4096, 4096);
	for (unsigned i = 0; i < 7; i++) {
		size_t n = strlen(bytes[i]);

		memcpy(map + 4096 - n, bytes[i], n);
		try("at the end", map + 4096 - n, 0);
	}
}

int main(int argc, char **argv)
{
	const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
	struct sigaction a = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	static char stack[1 << 16];
	const stack_t s = {.ss_sp = stack, .ss_size = sizeof(stack)};
	char name[] = "/tmp/exceptions.XXXXXX";
	int fd = mkstemp(name);
	uintptr_t none, file, wild = 0x8000000000000000ul;
	char *map;

	unlink(name);
	sigaltstack(&s, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 0; i < 5; i++)
		sigaction(signals[i], &a, NULL);
	map = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	data = (uintptr_t)map;
	memset(map, 0, 4096);
	mprotect(map + 4096, 4096, PROT_READ);
	mprotect(map + 8192, 4096, PROT_NONE);
	none = data + 8192;
	if (argc > 1 && strcmp(argv[1], "dies") == 0) {
		signal(SIGILL, SIG_IGN); /* in vain */
		TRY(no_insn, 0);
	} else if (argc > 1) {
		TRY(sets_gs, 0);
		return 0;
	}
	TRY(ud2, 0);
	TRY(no_insn, 0);
	TRY(no_insn_2, 0);
	TRY(no_lock, 0);
	TRY(no_vex, 0);
	TRY(too_long, 0);
	TRY(divides, 0);
	TRY(overflows, 0);
	TRY(int3, 0);
	TRY(int3_long, 0);
	TRY(int1, 0);
	TRY(int4, 0);
	TRY(int5, 0);
	TRY(hlt, 0);
	TRY(in, 0);
	TRY(segment, 0);
	TRY(reads, 0);
	TRY(reads, none);
	TRY(reads, wild);
	TRY(reads, none - 3);
	TRY(reads, ~0ul - 4095);
	TRY(writes, data + 4096);
	TRY(writes, data + 4096 - 20);
	TRY(writes, wild);
	TRY(inverts, data + 4096);
	TRY(inverts, data + 4096 - 6);
	TRY(copies, none - 16);
	TRY(fills, data + 2048);
	TRY(pushes, none);
	TRY(pushes, wild);
	TRY(enters, none);
	TRY(unaligned, data);
	TRY(jumps, 0);
	TRY(jumps, none);
	TRY(jumps, data);
	TRY(calls, data + 4096);
	TRY(sse, 0);
	TRY(x87, 0);
	__asm__ volatile("fninit");
	TRY(aligned, data);
	TRY(down, 0);
	if (ftruncate(fd, 100) == 0) {
		map = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, fd, 0);
		data = (uintptr_t)map;
		file = data + 4096;
		TRY(reads, file);
		TRY(writes, file);
		TRY(jumps, file);
	}
	at_the_end();
	TRY(ud2, 0);
	return 0;
}
