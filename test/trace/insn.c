/* SPDX-License-Identifier: MIT
 *
 * test/trace/insn.c - instructions that certainly access data memory, and ones that do not or not always. Encodings by
 * hand from the Intel SDM, volume 2.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plugin/insn.h"

struct sample {
	const char *text;
	u8 bytes[15];
	u8 len;
	bool touches;
};

static const struct sample samples[] = {
    {"push %rbp", {0x55}, 1, true},
    {"push %r12", {0x41, 0x54}, 2, true},
    {"ret", {0xc3}, 1, true},
    {"call rel32", {0xe8, 1, 0, 0, 0}, 5, true},
    {"call *%rax", {0xff, 0xd0}, 2, false}, /* it pushes; the table does not know */
    {"call *8(%rax)", {0xff, 0x50, 8}, 3, true},
    {"mov (%rdi),%rax", {0x48, 0x8b, 0x07}, 3, true},
    {"mov %rax,(%rdi)", {0x48, 0x89, 0x07}, 3, true},
    {"mov %rdi,%rax", {0x48, 0x89, 0xf8}, 3, false},
    {"mov %fs:0x28,%rax", {0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0}, 9, true},
    {"lea 8(%rdi),%rax", {0x48, 0x8d, 0x47, 8}, 4, false},
    {"nopl (%rax)", {0x0f, 0x1f, 0x00}, 3, false},
    {"prefetcht0 (%rax)", {0x0f, 0x18, 0x08}, 3, false},
    {"rep movsb", {0xf3, 0xa4}, 2, false},
    {"add $1,(%rax)", {0x83, 0x00, 1}, 3, true},
    {"add $1,%eax", {0x83, 0xc0, 1}, 3, false},
    {"movzbl (%rdi),%eax", {0x0f, 0xb6, 0x07}, 3, true},
    {"movups (%rdi),%xmm0", {0x0f, 0x10, 0x07}, 3, true},
    {"movdqa %xmm0,(%rdi)", {0x66, 0x0f, 0x7f, 0x07}, 4, true},
    {"movdqa %xmm1,%xmm0", {0x66, 0x0f, 0x6f, 0xc1}, 4, false},
    {"pcmpeqb (%rdi),%xmm0", {0x66, 0x0f, 0x74, 0x07}, 4, true},
    {"emms", {0x0f, 0x77}, 2, false},
    {"lock cmpxchg %esi,(%rdi)", {0xf0, 0x0f, 0xb1, 0x37}, 4, true},
    {"jne rel32", {0x0f, 0x85, 0, 0, 0, 0}, 6, false},
    {"jmp rel8", {0xeb, 0}, 2, false},
    {"syscall", {0x0f, 0x05}, 2, false},
    {"cpuid", {0x0f, 0xa2}, 2, false},
    {"imul 4(%rax),%ecx", {0x0f, 0xaf, 0x48, 4}, 4, true},
    {"mov $1,%eax", {0xb8, 1, 0, 0, 0}, 5, false},
    {"endbr64", {0xf3, 0x0f, 0x1e, 0xfa}, 4, false},
    {"cut off after its prefix", {0x48}, 1, false},
    {"cut off before ModRM", {0x8b}, 1, false},
};

static void by_hand(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		if (insn_touches_memory(samples[i].bytes, samples[i].len) != samples[i].touches)
			fail_msg("%s", samples[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(by_hand)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
