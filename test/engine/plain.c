/* SPDX-License-Identifier: MIT
 *
 * test/engine/plain.c - a guest without libc, whose accesses are the same wherever it runs: no choice by CPU, no random
 * bytes, no clock, its own stack. Loops, calls, recursion, indirect jumps, strings, read-modify-writes, vectors, accesses
 * across pages, and the system calls that change mappings.
 */
#include "lib/sys.h"

#define PAGES 300

static char stack[16 * 4096] __attribute__((used, aligned(4096)));
static char memory[PAGES * 4096] __attribute__((aligned(4096)));

__asm__(".globl _start\n"
	"_start:\n\t"
	"lea stack+65536(%rip), %rsp\n\t"
	"xor %ebp, %ebp\n\t"
	"call begin\n\t"
	"hlt");

static u64 random_next(u64 *state)
{
	*state = *state * 6364136223846793005ul + 1442695040888963407ul;
	return *state >> 33;
}

__attribute__((noinline)) static u64 recursive(unsigned depth, u64 x)
{
	volatile char frame[700];

	frame[depth % sizeof(frame)] = (char)x;
	return depth ? recursive(depth - 1, x + 1) + (u64)frame[depth % sizeof(frame)] : x;
}

static u64 twice(u64 x)
{
	return 2 * x;
}

static u64 plus(u64 x)
{
	return x + 1;
}

static u64 half(u64 x)
{
	return x >> 1;
}

static u64 (*const table[])(u64) = {twice, plus, half};

static u64 strided(volatile char *p, unsigned pages, unsigned stride)
{
	u64 sum = 0;

	for (unsigned i = 0; i < pages * 4096; i += stride)
		sum += (u64)p[i]++;
	return sum;
}

static u64 scattered(u64 seed, unsigned times)
{
	u64 sum = 0, at;

	for (unsigned i = 0; i < times; i++) {
		at = random_next(&seed) % (sizeof(memory) - 8);
		switch (i % 4) {
		case 0:
			sum += *(volatile u64 *)(memory + at);
			break;
		case 1:
			*(volatile u64 *)(memory + at) = sum;
			break;
		case 2:
			__asm__ volatile("lock xaddq %0, (%1)" : "+r"(sum) : "r"(memory + at) : "memory");
			break;
		default:
			sum = table[at % 3](sum);
		}
	}
	return sum;
}

static void strings(char *to, const char *from, u64 n)
{
	u64 words = n / 8;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
	to -= 4096;
	__asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(7) : "memory");
}

static void vectors(char *p)
{
	for (unsigned i = 0; i < 20; i++)
		__asm__ volatile("movups (%0), %%xmm0\n\tpaddq %%xmm0, %%xmm0\n\tmovups %%xmm0, 4090(%0)\n\t"
				 "fldl (%0)\n\tfstpl 8(%0)"
				 :
				 : "r"(p + i * 4096)
				 : "xmm0", "memory");
}

static void mappings(void)
{
	char *p = (char *)sys6(SYS_mmap, 0, 40 * 4096, 3, 0x22, -1ul, 0);
	u64 brk = (u64)sys6(SYS_brk, 0, 0, 0, 0, 0, 0);

	strided(p, 40, 512);
	sys6(SYS_mprotect, (u64)p + 4 * 4096, 4 * 4096, 1, 0, 0, 0);
	sys6(SYS_madvise, (u64)p + 20 * 4096, 5 * 4096, 4, 0, 0, 0);
	strided(p + 16 * 4096, 10, 100);
	sys6(SYS_munmap, (u64)p + 30 * 4096, 10 * 4096, 0, 0, 0, 0);
	p = (char *)sys6(SYS_mremap, (u64)p, 4 * 4096, 60 * 4096, 1, 0, 0);
	strided(p, 60, 4096);
	sys6(SYS_brk, brk + 65536, 0, 0, 0, 0, 0);
	strided((char *)brk, 16, 64);
	sys6(SYS_getcwd, (u64)p + 8190, 100, 0, 0, 0, 0);
}

_Noreturn void begin(void);
_Noreturn void begin(void)
{
	u64 sum = recursive(40, 1);

	for (unsigned stride = 8; stride < 20000; stride = stride * 2 + 8)
		sum += strided(memory, PAGES, stride);
	sum += scattered(42, 20000);
	strings(memory + 100, memory + 50 * 4096 + 7, 30 * 4096);
	vectors(memory + 100 * 4096 + 4088);
	mappings();
	sum += scattered(43, 20000);
	*(volatile u64 *)memory = sum;
	sys6(SYS_access, (u64) "/no/such/file", 0, 0, 0, 0, 0);
	sys6(SYS_exit_group, 0, 0, 0, 0, 0, 0);
	__builtin_unreachable();
}
