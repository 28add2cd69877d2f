/* SPDX-License-Identifier: MIT
 *
 * test/trace/insn.c - insn_accesses() on encodings by hand from the Intel SDM, volume 2. What a CPU says:
 * error_codes.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "trace/insn.h"

#define L INSN_LOADS
#define S INSN_STORES
#define M INSN_MAYBE
#define O INSN_ONCE

struct sample {
	const char *text;
	u8 bytes[15];
	u8 len;
	unsigned accesses;
};

static const struct sample samples[] = {
    {"push %rbp", {0x55}, 1, S | O},
    {"push %r12", {0x41, 0x54}, 2, S | O},
    {"ret", {0xc3}, 1, L | O},
    {"call rel32", {0xe8, 1, 0, 0, 0}, 5, S | O},
    {"call *%rax", {0xff, 0xd0}, 2, S | O},
    {"call *8(%rax)", {0xff, 0x50, 8}, 3, L | S},
    {"mov (%rdi),%rax", {0x48, 0x8b, 0x07}, 3, L | O},
    {"mov %rax,(%rdi)", {0x48, 0x89, 0x07}, 3, S | O},
    {"mov %rdi,%rax", {0x48, 0x89, 0xf8}, 3, 0},
    {"mov %fs:0x28,%rax", {0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0}, 9, L | O},
    {"lea 8(%rdi),%rax", {0x48, 0x8d, 0x47, 8}, 4, 0},
    {"nopl (%rax)", {0x0f, 0x1f, 0x00}, 3, 0},
    {"prefetcht0 (%rax)", {0x0f, 0x18, 0x08}, 3, 0},
    {"rep movsb", {0xf3, 0xa4}, 2, L | S | M},
    {"add $1,(%rax)", {0x83, 0x00, 1}, 3, S},
    {"add $1,%eax", {0x83, 0xc0, 1}, 3, 0},
    {"movzbl (%rdi),%eax", {0x0f, 0xb6, 0x07}, 3, L | O},
    {"movups (%rdi),%xmm0", {0x0f, 0x10, 0x07}, 3, L},
    {"movdqa %xmm0,(%rdi)", {0x66, 0x0f, 0x7f, 0x07}, 4, S},
    {"movdqa %xmm1,%xmm0", {0x66, 0x0f, 0x6f, 0xc1}, 4, 0},
    {"pcmpeqb (%rdi),%xmm0", {0x66, 0x0f, 0x74, 0x07}, 4, L},
    {"emms", {0x0f, 0x77}, 2, 0},
    {"lock cmpxchg %esi,(%rdi)", {0xf0, 0x0f, 0xb1, 0x37}, 4, S},
    {"jne rel32", {0x0f, 0x85, 0, 0, 0, 0}, 6, 0},
    {"jmp rel8", {0xeb, 0}, 2, 0},
    {"syscall", {0x0f, 0x05}, 2, 0},
    {"cpuid", {0x0f, 0xa2}, 2, 0},
    {"imul 4(%rax),%ecx", {0x0f, 0xaf, 0x48, 4}, 4, L | O},
    {"mov $1,%eax", {0xb8, 1, 0, 0, 0}, 5, 0},
    {"endbr64", {0xf3, 0x0f, 0x1e, 0xfa}, 4, 0},
    {"pop %r12", {0x41, 0x5c}, 2, L | O},
    {"push 8(%rax)", {0xff, 0x70, 8}, 3, L | S},
    {"jmp *8(%rax)", {0xff, 0x60, 8}, 3, L | O},
    {"incl 8(%rax)", {0xff, 0x40, 8}, 3, S},
    {"cmp $1,8(%rax)", {0x83, 0x78, 8, 1}, 4, L | O},
    {"cmp %rax,(%rdi)", {0x48, 0x39, 0x07}, 3, L | O},
    {"cmp (%rdi),%rax", {0x48, 0x3b, 0x07}, 3, L | O},
    {"add %rax,(%rdi)", {0x48, 0x01, 0x07}, 3, S},
    {"add (%rdi),%rax", {0x48, 0x03, 0x07}, 3, L | O},
    {"xchg %rax,(%rdi)", {0x48, 0x87, 0x07}, 3, S},
    {"test %al,(%rdi)", {0x84, 0x07}, 2, L | O},
    {"testb $1,(%rdi)", {0xf6, 0x07, 1}, 3, L | O},
    {"negl (%rdi)", {0xf7, 0x1f}, 2, S},
    {"divq (%rdi)", {0x48, 0xf7, 0x37}, 3, L | O},
    {"shll (%rdi)", {0xd1, 0x27}, 2, S},
    {"movl $1,(%rdi)", {0xc7, 0x07, 1, 0, 0, 0}, 6, S | O},
    {"setne (%rdi)", {0x0f, 0x95, 0x07}, 3, S | O},
    {"cmovne (%rdi),%eax", {0x0f, 0x45, 0x07}, 3, L | O},
    {"bt %eax,(%rdi)", {0x0f, 0xa3, 0x07}, 3, L | O},
    {"bts %eax,(%rdi)", {0x0f, 0xab, 0x07}, 3, S},
    {"movups %xmm0,(%rdi)", {0x0f, 0x11, 0x07}, 3, S},
    {"movaps %xmm0,(%rdi)", {0x0f, 0x29, 0x07}, 3, S},
    {"movq %xmm0,(%rdi)", {0x66, 0x0f, 0xd6, 0x07}, 4, S},
    {"movntdq %xmm0,(%rdi)", {0x66, 0x0f, 0xe7, 0x07}, 4, S},
    {"pxor (%rdi),%xmm0", {0x66, 0x0f, 0xef, 0x07}, 4, L},
    {"movd %xmm0,(%rdi)", {0x66, 0x0f, 0x7e, 0x07}, 4, S},
    {"movq (%rdi),%xmm0", {0xf3, 0x0f, 0x7e, 0x07}, 4, L},
    {"xadd %eax,(%rdi)", {0xf0, 0x0f, 0xc1, 0x07}, 4, S},
    {"movsb", {0xa4}, 1, L | S},
    {"push %fs", {0x0f, 0xa0}, 2, S | O},
    {"mov %eax,0x1122334455667788", {0xa3, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11}, 9, S | O},
    {"vmovups (%rdi),%ymm0", {0xc5, 0xfc, 0x10, 0x07}, 4, L},
    {"vmovups %ymm8,(%rdi)", {0xc5, 0x7c, 0x11, 0x07}, 4, S},
    {"vmovdqu8 %zmm0,(%rdi){%k1}", {0x62, 0xf1, 0x7f, 0x49, 0x7f, 0x07}, 6, S | M},
    {"cut off after its prefix", {0x48}, 1, 0},
    {"cut off before ModRM", {0x8b}, 1, 0},
    {"cut off in its VEX prefix", {0xc4, 0xe2}, 2, 0},
    {"cut off before its opcode", {0x66, 0x0f}, 2, 0},
};

static void by_hand(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		if (insn_accesses(samples[i].bytes, samples[i].len) != samples[i].accesses)
			fail_msg("%s", samples[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(by_hand)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
