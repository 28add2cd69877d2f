/* SPDX-License-Identifier: MIT
 *
 * test/trace/error_codes.c - insn_accesses() against this CPU: each instruction is executed on pages that it may not
 * touch, and the error code of the page fault says what the CPU asked for: 4 to read, 6 to write.
 *
 * Below is one sample an instruction class, in the assembler's words. A sample runs with RDI, RSI, RSP, RBP and RBX
 * pointing to memory: to usable memory all but one, which is tried for each of the five. The codes of all tries
 * together are what the table must say:
 *
 *   INSN_LOADS    some try faulted with 4 (on a page without rights; none on a read-only page)
 *   INSN_STORES   some try faulted with 6 (on a read-only page with 7)
 *   INSN_MAYBE    nothing faulted when RCX, the masks in K1 and XMM7, and EAX are 0 (else RCX 1, the others ones)
 *
 * A sample ends with UD2. SIGILL at the sample's own first byte: this CPU does not have the instruction, it is skipped.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cmocka.h>

#include "trace/insn.h"

struct sample {
	const u8 *start, *end;
	const char *text;
};
extern const struct sample __start_samples[], __stop_samples[];

/* What a sample runs with. The assembler below knows the offsets. */
struct state {
	const u8 *start;
	u64 pointer[5]; /* 8: RDI, RSI, RSP, RBP, RBX */
	u64 rax, rcx;   /* 48, 56 */
	u64 vectors;    /* 64: 0 SSE, 1 AVX, 2 AVX-512 */
	u64 mask[8];    /* 72 */
};
_Noreturn void run_sample(const struct state *s);

asm(".pushsection .text\n"
    "run_sample:\n"
    "	fninit\n"
    "	movdqu 72(%rdi), %xmm7\n"
    "	pxor %xmm6, %xmm6\n"
    "	cmpq $1, 64(%rdi)\n"
    "	jb 1f\n"
    "	vmovdqu 72(%rdi), %ymm7\n"
    "	vxorps %ymm6, %ymm6, %ymm6\n"
    "	jbe 1f\n"
    "	vmovdqu64 72(%rdi), %zmm7\n"
    "	vpxorq %zmm6, %zmm6, %zmm6\n"
    "	kmovq 72(%rdi), %k1\n"
    "1:	mov (%rdi), %r11\n"
    "	mov 16(%rdi), %rsi\n"
    "	mov 24(%rdi), %rsp\n"
    "	mov 32(%rdi), %rbp\n"
    "	mov 40(%rdi), %rbx\n"
    "	mov 48(%rdi), %rax\n"
    "	mov 56(%rdi), %rcx\n"
    "	mov 8(%rdi), %rdi\n"
    "	xor %edx, %edx\n"
    "	xor %r8d, %r8d\n"
    "	test %rcx, %rcx\n" /* ZF for the conditional ones */
    "	jmp *%r11\n"
    ".popsection\n"
    ".macro do insn:vararg\n"
    "	.pushsection .text\n"
    "71:	\\insn\n"
    "72:	ud2\n"
    "	.popsection\n"
    "	.pushsection .rodata\n"
    "73:	.asciz \"\\insn\"\n"
    "	.popsection\n"
    "	.pushsection samples, \"aw\"\n"
    "	.quad 71b, 72b, 73b\n"
    "	.popsection\n"
    ".endm\n");

#define DO(text) asm("do " text "\n");
/* The eight arithmetic operations and the like, in the forms of their row of the opcode map. */
#define ARITHMETIC(op)                                                                                                 \
	DO(op "b %al, (%rdi)")                                                                                         \
	DO(op "w %ax, (%rdi)")                                                                                         \
	DO(op "l %eax, (%rdi)")                                                                                        \
	DO(op "q %rax, (%rdi)")                                                                                        \
	DO(op "b (%rdi), %al")                                                                                         \
	DO(op "w (%rdi), %ax")                                                                                         \
	DO(op "l (%rdi), %eax")                                                                                        \
	DO(op "q (%rdi), %rax")                                                                                        \
	DO(op "b $0, (%rdi)")                                                                                          \
	DO(op "w $0, (%rdi)")                                                                                          \
	DO(op "l $0, (%rdi)")                                                                                          \
	DO(op "q $0x12345678, (%rdi)")                                                                                 \
	DO(op "l %r9d, %eax")
#define SIZES(op)                                                                                                      \
	DO(op "b (%rdi)")                                                                                              \
	DO(op "w (%rdi)")                                                                                              \
	DO(op "l (%rdi)")                                                                                              \
	DO(op "q (%rdi)")
#define LOCKED(op)                                                                                                     \
	DO("lock " op "b %al, (%rdi)")                                                                                 \
	DO("lock " op "l %eax, (%rdi)")                                                                                \
	DO("lock " op "q $1, (%rdi)")
#define SHIFT(op)                                                                                                      \
	SIZES(op)                                                                                                      \
	DO(op "b $0, (%rdi)")                                                                                          \
	DO(op "l $0, (%rdi)")                                                                                          \
	DO(op "q $5, (%rdi)")                                                                                          \
	DO(op "b %cl, (%rdi)")                                                                                         \
	DO(op "w %cl, (%rdi)")                                                                                         \
	DO(op "q %cl, (%rdi)")
#define EXCHANGE(op)                                                                                                   \
	DO(op "b %cl, (%rdi)")                                                                                         \
	DO(op "w %cx, (%rdi)")                                                                                         \
	DO(op "l %ecx, (%rdi)")                                                                                        \
	DO(op "q %rcx, (%rdi)")                                                                                        \
	DO("lock " op "l %ecx, (%rdi)")                                                                                \
	DO("lock " op "q %rcx, (%rdi)")
#define BIT(op)                                                                                                        \
	DO(op "w %cx, (%rdi)")                                                                                         \
	DO(op "l %ecx, (%rdi)")                                                                                        \
	DO(op "q %rcx, (%rdi)")                                                                                        \
	DO(op "l $3, (%rdi)")                                                                                          \
	DO(op "q $3, (%rdi)")
/* A string instruction: alone, repeated RCX times, in all sizes. */
#define STRING(op)                                                                                                     \
	DO(op "b")                                                                                                     \
	DO(op "w")                                                                                                     \
	DO(op "l")                                                                                                     \
	DO(op "q")                                                                                                     \
	DO("rep " op "b")                                                                                              \
	DO("rep " op "q")
#define COMPARED_STRING(op) STRING(op) DO("repne " op "b")

/* ---- whole numbers ---- */

ARITHMETIC("add")
ARITHMETIC("or")
ARITHMETIC("adc")
ARITHMETIC("sbb")
ARITHMETIC("and")
ARITHMETIC("sub")
ARITHMETIC("xor")
ARITHMETIC("cmp")
LOCKED("add")
LOCKED("or")
LOCKED("adc")
LOCKED("sbb")
LOCKED("and")
LOCKED("sub")
LOCKED("xor")
SIZES("inc")
SIZES("dec")
SIZES("not")
SIZES("neg")
DO("lock incl (%rdi)")
DO("lock decq (%rdi)")
DO("lock notb (%rdi)")
DO("lock negl (%rdi)")
SIZES("mul")
SIZES("imul")
SIZES("div")
SIZES("idiv")
DO("imull (%rdi), %eax")
DO("imulq $100, (%rdi), %rax")
DO("imulq $100000, (%rdi), %rax")
SHIFT("rol")
SHIFT("ror")
SHIFT("rcl")
SHIFT("rcr")
SHIFT("shl")
SHIFT("shr")
SHIFT("sar")
DO("shldl $0, %eax, (%rdi)")
DO("shldq $3, %rax, (%rdi)")
DO("shldq %cl, %rax, (%rdi)")
DO("shrdl $0, %eax, (%rdi)")
DO("shrdw %cl, %ax, (%rdi)")
DO("shrdq %cl, %rax, (%rdi)")
EXCHANGE("xadd")
EXCHANGE("cmpxchg")
EXCHANGE("xchg")
DO("cmpxchg8b (%rdi)")
DO("lock cmpxchg8b (%rdi)")
DO("cmpxchg16b (%rdi)")
DO("lock cmpxchg16b (%rdi)")
BIT("bt")
BIT("bts")
BIT("btr")
BIT("btc")
DO("lock btsl %ecx, (%rdi)")
DO("lock btcq $1, (%rdi)")
DO("bsfl (%rdi), %eax")
DO("bsrq (%rdi), %rax")
DO("tzcntl (%rdi), %eax")
DO("lzcntq (%rdi), %rax")
DO("popcntl (%rdi), %eax")
DO("testb %al, (%rdi)")
DO("testq %rax, (%rdi)")
DO("testb $1, (%rdi)")
DO("testl $1, (%rdi)")
DO("cmovzl (%rdi), %eax")
DO("cmovnzq (%rdi), %rax")
DO("setz (%rdi)")
DO("setnz (%rdi)")
DO("seto (%r8,%rdi)")
DO("crc32b (%rdi), %eax")
DO("crc32q (%rdi), %rax")
DO("adcxl (%rdi), %eax")
DO("adoxq (%rdi), %rax")

/* ---- moves ---- */

DO("movb (%rdi), %al")
DO("movw (%rdi), %ax")
DO("movl (%rdi), %eax")
DO("movq (%rdi), %rax")
DO("movb %al, (%rdi)")
DO("movw %ax, (%rdi)")
DO("movl %eax, (%rdi)")
DO("movq %rax, (%rdi)")
DO("movb $1, (%rdi)")
DO("movl $1, (%rdi)")
DO("movq $1, (%rdi)")
DO("movq %rax, %r9")
DO("movl %eax, %gs:(%rdi)")
DO("movw %ds, (%rdi)")
DO("movw (%rdi), %es")
DO("movzbl (%rdi), %eax")
DO("movzwl (%rdi), %eax")
DO("movsbl (%rdi), %eax")
DO("movswq (%rdi), %rax")
DO("movslq (%rdi), %rax")
DO("movbel (%rdi), %eax")
DO("movbel %eax, (%rdi)")
DO("movntil %eax, (%rdi)")
DO("movntiq %rax, (%rdi)")
DO("movdiri %eax, (%rdi)")
DO("movdir64b (%rdi), %rsi")
DO("lgsl (%rdi), %eax")
DO("lea (%rdi), %rax")
DO("nopl (%rdi)")
DO("prefetcht0 (%rdi)")
DO("prefetchnta (%rdi)")
DO("prefetchw (%rdi)")
DO("clflush (%rdi)")
DO("clflushopt (%rdi)")
DO("clwb (%rdi)")
DO("xlatb")

/* ---- the stack ---- */

DO("pushq %rax")
DO("pushq %r12")
DO("pushw %ax")
DO("pushq $1")
DO("pushq $100000")
DO("pushq (%rdi)")
DO("pushw (%rdi)")
DO("pushq %fs")
DO("pushfq")
DO("popq %rax")
DO("popq %r12")
DO("popw %ax")
DO("popq (%rdi)")
DO("popw (%rdi)")
DO("popq %gs")
DO("popfq")
DO("call .+5")
DO("call *%rax")
DO("call *(%rdi)")
DO("jmp *(%rdi)")
DO("jmp *%rax")
DO("ret")
DO("ret $8")
DO("lretq")
DO("iretq")
DO("ljmp *(%rdi)")
DO("leave")
DO("enter $16, $0")
DO("enter $16, $1")
DO("enter $16, $2")
DO("enter $16, $3")

/* ---- strings ---- */

STRING("movs")
STRING("stos")
STRING("lods")
COMPARED_STRING("cmps")
COMPARED_STRING("scas")

/* ---- x87, states ---- */

DO("flds (%rdi)")
DO("fldl (%rdi)")
DO("fldt (%rdi)")
DO("filds (%rdi)")
DO("fildl (%rdi)")
DO("fildll (%rdi)")
DO("fbld (%rdi)")
DO("fsts (%rdi)")
DO("fstl (%rdi)")
DO("fstps (%rdi)")
DO("fstpl (%rdi)")
DO("fstpt (%rdi)")
DO("fists (%rdi)")
DO("fistl (%rdi)")
DO("fistps (%rdi)")
DO("fistpl (%rdi)")
DO("fistpll (%rdi)")
DO("fisttps (%rdi)")
DO("fisttpl (%rdi)")
DO("fisttpll (%rdi)")
DO("fbstp (%rdi)")
DO("fadds (%rdi)")
DO("faddl (%rdi)")
DO("fiadds (%rdi)")
DO("fiaddl (%rdi)")
DO("fcoms (%rdi)")
DO("fdivrl (%rdi)")
DO("fldcw (%rdi)")
DO("fnstcw (%rdi)")
DO("fnstsw (%rdi)")
DO("fnstsw %ax")
DO("fldenv (%rdi)")
DO("fnstenv (%rdi)")
DO("frstor (%rdi)")
DO("fnsave (%rdi)")
DO("fxsave (%rdi)")
DO("fxsave64 (%rdi)")
DO("fxrstor (%rdi)")
DO("xsave (%rdi)")
DO("xsaveopt (%rdi)")
DO("xsavec (%rdi)")
DO("xrstor (%rdi)")
DO("ldmxcsr (%rdi)")
DO("stmxcsr (%rdi)")

/* ---- MMX, SSE ---- */

DO("movd (%rdi), %mm0")
DO("movd %mm0, (%rdi)")
DO("movq (%rdi), %mm0")
DO("movq %mm0, (%rdi)")
DO("movntq %mm0, (%rdi)")
DO("paddb (%rdi), %mm0")
DO("maskmovq %mm7, %mm0")
DO("movups (%rdi), %xmm0")
DO("movups %xmm0, (%rdi)")
DO("movss (%rdi), %xmm0")
DO("movss %xmm0, (%rdi)")
DO("movsd (%rdi), %xmm0")
DO("movsd %xmm0, (%rdi)")
DO("movlps (%rdi), %xmm0")
DO("movlps %xmm0, (%rdi)")
DO("movhpd (%rdi), %xmm0")
DO("movhpd %xmm0, (%rdi)")
DO("movddup (%rdi), %xmm0")
DO("movaps (%rdi), %xmm0")
DO("movaps %xmm0, (%rdi)")
DO("movntps %xmm0, (%rdi)")
DO("movntdq %xmm0, (%rdi)")
DO("movntdqa (%rdi), %xmm0")
DO("movdqa (%rdi), %xmm0")
DO("movdqa %xmm0, (%rdi)")
DO("movdqu (%rdi), %xmm0")
DO("movdqu %xmm0, (%rdi)")
DO("movdqu %xmm0, %xmm1")
DO("movd (%rdi), %xmm0")
DO("movd %xmm0, (%rdi)")
DO("movq (%rdi), %xmm0")
DO("movq %xmm0, (%rdi)")
DO("movq %xmm0, %rax")
DO("lddqu (%rdi), %xmm0")
DO("cvtsi2sdl (%rdi), %xmm0")
DO("cvttsd2si (%rdi), %rax")
DO("cvtps2pd (%rdi), %xmm0")
DO("ucomisd (%rdi), %xmm0")
DO("addps (%rdi), %xmm0")
DO("sqrtsd (%rdi), %xmm0")
DO("cmpps $0, (%rdi), %xmm0")
DO("shufps $0, (%rdi), %xmm0")
DO("pinsrw $0, (%rdi), %xmm0")
DO("pinsrd $0, (%rdi), %xmm0")
DO("pextrw $0, %xmm0, (%rdi)")
DO("pextrb $0, %xmm0, (%rdi)")
DO("pextrd $0, %xmm0, (%rdi)")
DO("pextrq $0, %xmm0, (%rdi)")
DO("extractps $0, %xmm0, (%rdi)")
DO("insertps $0, (%rdi), %xmm0")
DO("maskmovdqu %xmm7, %xmm0")
DO("pshufb (%rdi), %xmm0")
DO("pshufd $0, (%rdi), %xmm0")
DO("pmovzxbw (%rdi), %xmm0")
DO("ptest (%rdi), %xmm0")
DO("pcmpistri $0, (%rdi), %xmm0")
DO("roundsd $0, (%rdi), %xmm0")
DO("aesenc (%rdi), %xmm0")
DO("pclmulqdq $0, (%rdi), %xmm0")
DO("sha256msg1 (%rdi), %xmm0")
DO("gf2p8mulb (%rdi), %xmm0")
DO("pxor (%rdi), %xmm0")

/* ---- AVX, BMI ---- */

DO("vmovups (%rdi), %ymm0")
DO("vmovups %ymm0, (%rdi)")
DO("vmovups %ymm8, (%r8,%rdi)")
DO("vmovss (%rdi), %xmm0")
DO("vmovss %xmm0, (%rdi)")
DO("vmovlps %xmm0, (%rdi)")
DO("vmovhps %xmm0, (%rdi)")
DO("vmovaps %ymm0, (%rdi)")
DO("vmovntps %ymm0, (%rdi)")
DO("vmovdqa (%rdi), %ymm0")
DO("vmovdqu %ymm0, (%rdi)")
DO("vmovntdq %ymm0, (%rdi)")
DO("vmovd %xmm0, (%rdi)")
DO("vmovq (%rdi), %xmm0")
DO("vmovq %xmm0, (%rdi)")
DO("vaddps (%rdi), %ymm1, %ymm0")
DO("vpaddd (%rdi), %ymm1, %ymm0")
DO("vpshufb (%rdi), %ymm1, %ymm0")
DO("vbroadcastss (%rdi), %ymm0")
DO("vpbroadcastd (%rdi), %ymm0")
DO("vperm2f128 $0, (%rdi), %ymm1, %ymm0")
DO("vinsertf128 $0, (%rdi), %ymm1, %ymm0")
DO("vextractf128 $1, %ymm0, (%rdi)")
DO("vextracti128 $1, %ymm0, (%rdi)")
DO("vpextrb $0, %xmm0, (%rdi)")
DO("vpextrq $0, %xmm0, (%rdi)")
DO("vcvtps2ph $0, %ymm0, (%rdi)")
DO("vcvtph2ps (%rdi), %ymm0")
DO("vmaskmovps (%rdi), %ymm7, %ymm0")
DO("vmaskmovps %ymm0, %ymm7, (%rdi)")
DO("vmaskmovpd %ymm0, %ymm7, (%rdi)")
DO("vpmaskmovd (%rdi), %ymm7, %ymm0")
DO("vpmaskmovq %ymm0, %ymm7, (%rdi)")
DO("vmaskmovdqu %xmm7, %xmm0")
DO("vpgatherdd %ymm7, (%rdi,%ymm6), %ymm0")
DO("vgatherqpd %ymm7, (%rdi,%ymm6), %ymm0")
DO("vfmadd132ps (%rdi), %ymm1, %ymm0")
DO("vldmxcsr (%rdi)")
DO("vstmxcsr (%rdi)")
DO("vzeroupper")
DO("andnl (%rdi), %ecx, %eax")
DO("blsrq (%rdi), %rax")
DO("bextrl %ecx, (%rdi), %eax")
DO("bzhiq %rcx, (%rdi), %rax")
DO("pdepl (%rdi), %ecx, %eax")
DO("mulxq (%rdi), %rax, %r9")
DO("rorxl $3, (%rdi), %eax")
DO("shlxq %rcx, (%rdi), %rax")

/* ---- AVX-512 ---- */

DO("vmovups (%rdi), %zmm0")
DO("vmovups %zmm0, (%rdi)")
DO("vmovups (%rdi), %zmm0{%k1}")
DO("vmovups (%rdi), %zmm0{%k1}{z}")
DO("vmovups %zmm0, (%rdi){%k1}")
DO("vmovss (%rdi), %xmm0{%k1}{z}")
DO("vmovss %xmm0, (%rdi){%k1}")
DO("vmovdqu8 (%rdi), %zmm0{%k1}")
DO("vmovdqu8 %zmm0, (%rdi){%k1}")
DO("vmovdqa32 %zmm16, (%rdi)")
DO("vmovdqa64 %zmm0, (%rdi){%k1}")
DO("vmovntdq %zmm0, (%rdi)")
DO("vmovntps %zmm0, (%rdi)")
DO("vmovntdqa (%rdi), %zmm0")
DO("vmovd %xmm16, (%rdi)")
DO("vmovq %xmm16, (%rdi)")
DO("vmovq (%rdi), %xmm16")
DO("vmovlps %xmm16, (%rdi)")
DO("vmovhps %xmm16, (%rdi)")
DO("vaddps (%rdi), %zmm1, %zmm0")
DO("vaddps (%rdi){1to16}, %zmm1, %zmm0")
DO("vaddps (%rdi), %zmm1, %zmm0{%k1}")
DO("vaddps (%rdi){1to16}, %zmm1, %zmm0{%k1}")
DO("vpternlogd $1, (%rdi), %zmm1, %zmm0")
DO("vpcmpd $0, (%rdi), %zmm1, %k2")
DO("vpsrld $1, (%rdi), %zmm0")
DO("vprold $1, (%rdi), %zmm0")
DO("vpslldq $1, (%rdi), %zmm0")
DO("vcvttps2udq (%rdi), %zmm0")
DO("vcvttpd2uqq (%rdi), %zmm0")
DO("vpsrlvw (%rdi), %zmm1, %zmm0")
DO("vpmovzxbw (%rdi), %zmm0")
DO("vpmovwb %zmm0, (%rdi)")
DO("vpmovdb %zmm0, (%rdi)")
DO("vpmovqd %zmm0, (%rdi)")
DO("vpmovsqw %zmm0, (%rdi)")
DO("vpmovusdw %zmm0, (%rdi){%k1}")
DO("vcompressps %zmm0, (%rdi)")
DO("vcompressps %zmm0, (%rdi){%k1}")
DO("vpcompressd %zmm0, (%rdi){%k1}")
DO("vpcompressb %zmm0, (%rdi){%k1}")
DO("vexpandps (%rdi), %zmm0{%k1}")
DO("vpexpandb (%rdi), %zmm0{%k1}")
DO("vpgatherdd (%rdi,%zmm6), %zmm0{%k1}")
DO("vpscatterdd %zmm0, (%rdi,%zmm6){%k1}")
DO("vscatterqpd %zmm0, (%rdi,%zmm6){%k1}")
DO("vextractf32x4 $1, %zmm0, (%rdi)")
DO("vextracti64x4 $1, %zmm0, (%rdi)")
DO("vinserti64x4 $1, (%rdi), %zmm1, %zmm0")
DO("vpextrw $0, %xmm16, (%rdi)")
DO("vextractps $0, %xmm16, (%rdi)")
DO("vcvtps2ph $0, %zmm0, (%rdi)")
DO("vcvtps2ph $0, %zmm0, (%rdi){%k1}")
DO("vpshufbitqmb (%rdi), %zmm1, %k2")
DO("vdpbf16ps (%rdi), %zmm1, %zmm0")
DO("vpdpbusd (%rdi), %zmm1, %zmm0")
DO("kmovb (%rdi), %k2")
DO("kmovw %k2, (%rdi)")
DO("kmovd (%rdi), %k2")
DO("kmovq %k2, (%rdi)")

/* ---- running them ---- */

#define PAGES 8
#define BYTES (PAGES * 4096ul)

enum { NO_FAULT = 1, NO_SUCH_INSN = 2 };

static sigjmp_buf back;
static char *bad; /* BYTES that may not be touched, or not written */
static const struct sample *running;

/* To run(): the error code of a page fault in bad[], NO_SUCH_INSN, or else NO_FAULT, whatever it was (a division by
 * the 0 that it read, a jump to it). */
static void on_signal(int sig, siginfo_t *info, void *context)
{
	const greg_t *reg = ((ucontext_t *)context)->uc_mcontext.gregs;
	u64 at = (u64)info->si_addr - (u64)bad;

	if (sig == SIGSEGV && reg[REG_TRAPNO] == 14 && at < BYTES)
		siglongjmp(back, (int)reg[REG_ERR]);
	siglongjmp(back, sig == SIGILL && reg[REG_RIP] == (greg_t)running->start ? NO_SUCH_INSN : NO_FAULT);
}

static void catch_signals(void)
{
	static char stack[65536];
	stack_t alternative = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};

	assert_int_equal(sigaltstack(&alternative, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		assert_int_equal(sigaction(signals[i], &sa, NULL), 0);
}

static u64 vectors(void)
{
	if (__builtin_cpu_supports("avx512bw"))
		return 2;
	return __builtin_cpu_supports("avx") ? 1 : 0;
}

static char *map(int prot)
{
	char *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	for (u64 at = 0; prot != PROT_NONE && at < BYTES; at += 4096)
		p[at] = 0;
	assert_int_equal(mprotect(p, BYTES, prot), 0);
	return p;
}

/* Executes the sample; pointer number `wrong` points into bad[]. Returns on_signal()'s. */
static int run(const struct sample *s, char *good, unsigned wrong, bool active)
{
	struct state state = {.start = s->start, .rax = active ? 7 : 0, .rcx = active, .vectors = vectors()};
	int code;

	for (unsigned i = 0; i < ARRAY_SIZE(state.pointer); i++)
		state.pointer[i] = (u64)(i == wrong ? bad : good) + BYTES / 2;
	for (unsigned i = 0; i < ARRAY_SIZE(state.mask); i++)
		state.mask[i] = active ? ~0ull : 0;
	running = s;
	code = sigsetjmp(back, 1);
	if (code == 0)
		run_sample(&state);
	return code;
}

/* The error codes of all tries, bit n: code n; 0: this CPU does not have the instruction. */
static unsigned codes(const struct sample *s, bool active)
{
	unsigned seen = 0;

	for (unsigned wrong = 0; wrong < 5; wrong++) {
		char *good = map(PROT_READ | PROT_WRITE);
		int code = run(s, good, wrong, active);

		munmap(good, BYTES);
		if (code == NO_SUCH_INSN)
			return 0;
		seen |= 1u << code;
	}
	return seen;
}

/* What a page without some rights shows: bits of insn_accesses(), and the codes that its faults have. */
struct page {
	const char *name;
	int prot;
	unsigned shows, read, write;
};
static const struct page pages[] = {
    {"no rights", PROT_NONE, INSN_LOADS | INSN_STORES, 4, 6},
    {"read only", PROT_READ, INSN_STORES, 5, 7},
};

static unsigned accesses_seen(unsigned seen, const struct page *page)
{
	return (seen >> page->read & 1 ? INSN_LOADS : 0) | (seen >> page->write & 1 ? INSN_STORES : 0);
}

/* Of those that may make no access: they ask for rights all the same; or the manual leaves it open (SDM, MASKMOVQ). */
static bool may_fault_idle(const struct sample *s)
{
	return strncmp(s->text, "clflush", 7) == 0 || strncmp(s->text, "clwb", 4) == 0 || strstr(s->text, "maskmovq") ||
	       strstr(s->text, "maskmovdqu");
}

static bool agrees(const struct sample *s, const struct page *page, unsigned active, unsigned idle)
{
	unsigned told = insn_accesses(s->start, (size_t)(s->end - s->start)), kinds = told & page->shows;
	unsigned known = 1u << NO_FAULT | 1u << page->read | 1u << page->write;
	bool right = accesses_seen(active, page) == kinds && !((active | idle) & ~known);

	if (!(told & INSN_MAYBE))
		right = right && accesses_seen(idle, page) == kinds;
	else if (!may_fault_idle(s))
		right = right && accesses_seen(idle, page) == 0;
	if (!right)
		print_error(
		    "%s, page with %s: the table says %#x, the CPU's codes were %#x, idle %#x (bit n: code n)\n",
		    s->text, page->name, told, active, idle);
	return right;
}

static void every_sample(void **state)
{
	const struct page *page = *state;
	unsigned wrong = 0, tried = 0, skipped = 0;

	bad = map(page->prot);
	catch_signals();
	for (const struct sample *s = __start_samples; s < __stop_samples; s++) {
		unsigned active = codes(s, true), idle = codes(s, false);

		if (!active) {
			print_message("this CPU does not have: %s\n", s->text);
			skipped++;
			continue;
		}
		tried++;
		wrong += !agrees(s, page, active, idle);
	}
	munmap(bad, BYTES);
	print_message("page with %s: %u instructions agree, %u differ, %u skipped\n", page->name, tried - wrong, wrong,
		      skipped);
	assert_true(tried > 200);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_prestate(every_sample, (void *)&pages[0]),
	    cmocka_unit_test_prestate(every_sample, (void *)&pages[1]),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
