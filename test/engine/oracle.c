/* SPDX-License-Identifier: MIT
 *
 * test/engine/oracle.c - the CPU as the oracle: random instructions run natively and translated, and every register,
 * the flags, the vector state and memory must be the same behind them, wherever they end.
 *
 * A sequence ends with ud2, or with a fault of any kind on the way; both runs are ended by the signal, whose frame has
 * the state. So each fault also tests that the state can be had exactly in the middle of a block (E1 of engine/state.h):
 * all but the flags that nobody reads behind.
 *
 * Touches: single instructions that touch parts of what they name (masked vectors, vectors of addresses, bit strings) or
 * anything else in memory. A page is touched if natively the instruction faults while the page may not be accessed, and
 * written if it does while the page may not be written; the engine has told of just these.
 *
 * usage: oracle [SEED [SEQUENCES [touches]]]
 */
#include <asm/prctl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "engine/decoder.h"
#include "engine/runtime.h"
#include "engine/translate.h"
#include "lib/cpuid.h"
#include "test/engine/random.h"

#define ARENA       0x10000000ull
#define ARENA_BYTES 0x4000u
#define CODE        0x18505000ull /* no sum of small multiples of ARENA is here, or in the rest, and no bswap of a number */
#define CACHE_NEAR  0x1a505000ull
#define CACHE_FAR   0x7e0000000000ull
#define CACHE_BYTES (16u << 20)
#define MAX_LENGTH  12
#define XSAVE_BYTES 2688   /* up to the end of AVX-512's state */
#define XSAVE_K     5      /* the state component of k0..k7 */
#define EFLAGS      0xcd5u /* arithmetic flags and DF */

struct state {
	u64 gpr[NR_GPR], flags, rip, address, gs_base;
	int signal;
	u8 x[XSAVE_BYTES] __attribute__((aligned(64)));
};

static u64 rng;
static struct thread *thread;
static struct state begin, native, ours, *catching;
static sigjmp_buf back;
static u8 arena[ARENA_BYTES], after[ARENA_BYTES];
static u64 start_of[MAX_LENGTH + 1]; /* of each instruction */
static unsigned length;
static u32 xsave_at[8];   /* of each component; 0: this CPU has none such */
static bool code_changes; /* the translated code compares itself */

static u64 next(void)
{
	return rng = random_after(rng);
}

/* ---- what the engine wants of its surroundings ---- */

void *memory_get(u64 bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? abort(), p : p;
}

unsigned code_read(u64 pc, void *to, unsigned most, bool *changes)
{
	memcpy(to, (const void *)pc, most);
	*changes = code_changes;
	return most;
}

bool code_same_area(u64 a, u64 b)
{
	return false;
}

static unsigned told, told_written; /* pages of the arena, of others all in OTHER_PAGE */
#define OTHER_PAGE (ARENA_BYTES / 4096)

bool runtime_ready(struct thread *t)
{
	return true;
}

void runtime_entered(struct thread *t, const struct window *w, u64 page, int slot, unsigned rwx)
{
	u64 n = (page - ARENA) / 4096;

	if (rwx == EVR_FETCH || slot < 0)
		return;
	told |= 1u << (n < OTHER_PAGE ? n : OTHER_PAGE);
	told_written |= rwx == EVR_WRITE ? 1u << (n < OTHER_PAGE ? n : OTHER_PAGE) : 0;
}

/* ---- a run ---- */

static void on_signal(int sig, siginfo_t *info, void *context)
{
	static const int order[NR_GPR] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
					  REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
	ucontext_t *u = context;
	u32 bytes;

	for (unsigned i = 0; i < NR_GPR; i++)
		catching->gpr[i] = (u64)u->uc_mcontext.gregs[order[i]];
	catching->flags = (u64)u->uc_mcontext.gregs[REG_EFL];
	catching->rip = (u64)u->uc_mcontext.gregs[REG_RIP];
	catching->signal = sig;
	catching->address = (u64)info->si_addr;
	memcpy(&bytes, (u8 *)u->uc_mcontext.fpregs + 480, sizeof(bytes)); /* _fpx_sw_bytes.xstate_size */
	memcpy(catching->x, u->uc_mcontext.fpregs, min(bytes, (u32)XSAVE_BYTES));
	siglongjmp(back, 1);
}

static u64 native_code __attribute__((used));

/* Loads s into the CPU and jumps to code. */
static __attribute__((noinline)) void run_native(const struct state *s, u64 code)
{
	__asm__ volatile(
	    "xrstor64 (%3)\n\t"
	    "push %2\n\tpopfq\n\t"
	    "mov %1, %%r15\n\tmov %0, %%r14\n\t"
	    "mov %%r15, native_code(%%rip)\n\t"
	    "mov 0(%%r14), %%rax\n\tmov 8(%%r14), %%rcx\n\tmov 16(%%r14), %%rdx\n\tmov 24(%%r14), %%rbx\n\t"
	    "mov 32(%%r14), %%rsp\n\tmov 40(%%r14), %%rbp\n\tmov 48(%%r14), %%rsi\n\tmov 56(%%r14), %%rdi\n\t"
	    "mov 64(%%r14), %%r8\n\tmov 72(%%r14), %%r9\n\tmov 80(%%r14), %%r10\n\tmov 88(%%r14), %%r11\n\t"
	    "mov 96(%%r14), %%r12\n\tmov 104(%%r14), %%r13\n\tmov 120(%%r14), %%r15\n\tmov 112(%%r14), %%r14\n\t"
	    "jmp *native_code(%%rip)"
	    :
	    : "r"(s->gpr), "r"(code), "r"(s->flags), "r"(s->x), "a"(~0u), "d"(~0u)
	    : "memory");
	__builtin_unreachable();
}

static __attribute__((noinline)) void run_translated(const struct state *s, u64 code)
{
	memcpy(thread->gpr, s->gpr, sizeof(s->gpr));
	thread->gs_base = s->gs_base;
	thread->flags = s->flags;
	thread->pc = code;
	thread->why = WHY_INDIRECT;
	__asm__ volatile("xrstor64 (%0)" : : "r"(s->x), "a"(~0u), "d"(~0u) : "memory");
	thread_run(thread);
	catching->signal = thread->why == WHY_BAD ? SIGILL : -1;
}

/* Both begin with the arena as `arena` has it. page: may be accessed so only; NULL: all may. */
static void run(void (*how)(const struct state *, u64), struct state *end, void *page, int protection)
{
	memcpy((void *)ARENA, arena, ARENA_BYTES);
	if (page)
		mprotect(page, 4096, protection);
	catching = end;
	syscall(SYS_arch_prctl, ARCH_SET_GS, how == run_native ? begin.gs_base : (u64)thread);
	if (sigsetjmp(back, 1) == 0)
		how(&begin, CODE);
}

/* ---- sequences ---- */

/* The instruction at `at`, as the engine sees it and as Zydis says. */
static void look(u64 at, struct insn *i, struct decoded *d)
{
	decode(at, (const u8 *)at, 15, i);
	decoder_run((const u8 *)at, 15, d);
}

static bool usable(const struct insn *i, const struct decoded *d)
{
	switch (d->z.meta.category) {
	case ZYDIS_CATEGORY_SYSTEM:
	case ZYDIS_CATEGORY_SYSCALL:
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_SEGOP:
	case ZYDIS_CATEGORY_IO:
	case ZYDIS_CATEGORY_IOSTRINGOP:
	case ZYDIS_CATEGORY_RDRAND:
	case ZYDIS_CATEGORY_RDSEED:
	case ZYDIS_CATEGORY_RDWRFSGS:
	case ZYDIS_CATEGORY_XSAVE:
	case ZYDIS_CATEGORY_XSAVEOPT:
	case ZYDIS_CATEGORY_VTX:
	case ZYDIS_CATEGORY_PKU:
	case ZYDIS_CATEGORY_CET:
	case ZYDIS_CATEGORY_SGX:
		return false;
	default:
		break;
	}
	switch (d->z.mnemonic) { /* what nobody knows before, what tells where code lies, what steps */
	case ZYDIS_MNEMONIC_FNSTENV:
	case ZYDIS_MNEMONIC_FNSAVE:
	case ZYDIS_MNEMONIC_FXSAVE:
	case ZYDIS_MNEMONIC_FXSAVE64:
	case ZYDIS_MNEMONIC_CPUID:
	case ZYDIS_MNEMONIC_RDPID:
	case ZYDIS_MNEMONIC_POPF:
	case ZYDIS_MNEMONIC_POPFQ:
	case ZYDIS_MNEMONIC_XEND:
	case ZYDIS_MNEMONIC_XABORT:
	case ZYDIS_MNEMONIC_HLT:
	case ZYDIS_MNEMONIC_UMWAIT:
	case ZYDIS_MNEMONIC_TPAUSE:
	case ZYDIS_MNEMONIC_MONITORX:
	case ZYDIS_MNEMONIC_MWAITX:
		return false;
	default:
		break;
	}
	for (unsigned n = 0; n < d->z.operand_count; n++)
		if (d->op[n].type == ZYDIS_OPERAND_TYPE_REGISTER && d->op[n].reg.value >= ZYDIS_REGISTER_ES &&
		    d->op[n].reg.value <= ZYDIS_REGISTER_GS)
			return false;
	if (d->z.attributes & ZYDIS_ATTRIB_HAS_SEGMENT_FS) /* libc's */
		return false;
	return i->kind == INSN_COPY || i->kind == INSN_STRING || i->kind == INSN_GATHER;
}

static void random_bytes(u8 *at)
{
	static const u8 prefix[] = {0x66, 0xf2, 0xf3, 0xf0, 0x48, 0x4c, 0x41, 0x49,
				    0x67, 0x65, 0x0f, 0x0f, 0x0f, 0xc4, 0xc5, 0x62};

	for (unsigned i = 0; i < 15; i++)
		at[i] = (u8)next();
	for (unsigned i = 0; i < 2 && next() % 2; i++)
		at[i] = prefix[next() % sizeof(prefix)];
}

/* An address that the instruction can reach with the registers as they are at first is in the arena, often. */
static void aim(u8 *at, const struct insn *i, const struct decoded *d)
{
	s32 disp = (s32)(next() % 4096) - 2048;

	if (d->z.raw.disp.size != 32)
		return;
	if (d->z.raw.modrm.mod == 0 && d->z.raw.modrm.rm == 5)
		disp = (s32)(ARENA + next() % ARENA_BYTES - (i->pc + i->len));
	else if (d->z.raw.modrm.mod == 0)
		disp = (s32)(ARENA + next() % ARENA_BYTES);
	memcpy(at + d->z.raw.disp.offset, &disp, 4);
}

static void make_sequence(void)
{
	u8 *at = (u8 *)CODE;
	static struct decoded d;
	struct insn i;

	length = 1 + (unsigned)(next() % MAX_LENGTH);
	for (unsigned n = 0; n < length; n++) {
		do {
			random_bytes(at);
			look((u64)at, &i, &d);
		} while (!usable(&i, &d));
		aim(at, &i, &d);
		start_of[n] = (u64)at;
		at += i.len;
	}
	start_of[length] = (u64)at;
	memcpy(at, "\x0f\x0b", 2); /* ud2 */
}

static void make_state(void)
{
	memset(&begin, 0, sizeof(begin));
	for (unsigned i = 0; i < NR_GPR; i++) {
		u64 kind = next() % 8;

		begin.gpr[i] = kind < 5   ? ARENA + ARENA_BYTES / 4 + next() % (ARENA_BYTES / 2)
			       : kind < 7 ? next() % 64
					  : next();
	}
	begin.gs_base = next() % 4096;
	begin.gpr[RCX] = next() % 3 ? next() % 40 : begin.gpr[RCX];
	begin.gpr[RSP] = (ARENA + ARENA_BYTES / 2 + next() % 1024) & ~7ull;
	begin.flags = 0x202 | (next() & 0x8d5) | (next() % 8 ? 0 : 0x400);
	for (unsigned i = 0; i < 512; i++) /* the rest is as before */
		memcpy(arena + next() % (ARENA_BYTES - 8), &(u64){next()}, 8);
	for (unsigned i = 0; i < XSAVE_BYTES; i++)
		begin.x[i] = (u8)next();
	memset(begin.x, 0, 24);
	memset(begin.x + 416, 0, 160);
	begin.x[0] = 0x7f; /* x87: as after fninit */
	begin.x[1] = 0x03;
	memcpy(begin.x + 24, "\x80\x1f\0\0\xff\xff\0\0", 8); /* MXCSR */
	for (unsigned i = 0; i < 8; i++)
		memset(begin.x + 32 + 16 * i + 10, 0, 6);
	begin.x[512] = 0x07; /* XSTATE_BV: x87, SSE, AVX */
}

/* ---- the comparison ---- */

/* Flags that are read behind the instruction at rip. */
static unsigned live_flags(u64 rip)
{
	struct insn i;
	unsigned live = 0, seen = 0;

	for (unsigned n = 0; n < length; n++) {
		if (start_of[n] < rip)
			continue;
		decode(start_of[n], (const u8 *)start_of[n], 15, &i);
		live |= i.flag_reads & ~seen;
		seen |= i.flag_kills;
	}
	return live | (FLAG_ARITH & ~seen) | 0x400;
}

static void print_code(void)
{
	for (unsigned n = 0; n < length; n++) {
		printf("#  ");
		for (u64 at = start_of[n]; at < start_of[n + 1]; at++)
			printf(" %02x", *(u8 *)at);
		printf("\n");
	}
}

static bool differ(const char *what, u64 a, u64 b)
{
	if (a == b)
		return false;
	printf("# %s: natively %#llx, translated %#llx (signals %d %d, rip %#llx)\n", what, (unsigned long long)a,
	       (unsigned long long)b, native.signal, ours.signal, (unsigned long long)native.rip);
	return true;
}

/* Where the last x87 instruction lay, and what it was. */
static void forget_places(struct state *s)
{
	memset(s->x + 6, 0, 18);
	memset(s->x + 464, 0, 48); /* the kernel's own words */
}

/* What is as at the start need not be said to be in use, and a CPU says now this, now that. */
static void forget_unused(struct state *s)
{
	static const struct {
		u8 bit;
		u16 len;
	} parts[] = {{2, 256}, {XSAVE_K, 64}, {6, 512}, {7, 1024}}; /* YMM, k, ZMM, ZMM16.. */
	static const u8 zero[1024];

	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
		if (memcmp(s->x + xsave_at[parts[i].bit], zero, parts[i].len) == 0)
			s->x[512] &= (u8) ~(1u << parts[i].bit);
}

static bool compare(void)
{
	unsigned flags = live_flags(native.rip);
	char name[16];
	bool bad = differ("signal", (u64)native.signal, (u64)ours.signal);

	if (ours.signal > 0 && !state_recover(thread, ours.gpr, &ours.rip))
		bad |= differ("the place", native.rip, ours.rip);
	bad |= differ("rip", native.rip, ours.rip);

	for (unsigned i = 0; i < NR_GPR && !bad; i++) {
		snprintf(name, sizeof(name), "register %u", i);
		bad |= differ(name, native.gpr[i], ours.gpr[i]);
	}
	bad |= differ("flags", native.flags & flags, ours.flags & flags);
	forget_places(&native);
	forget_places(&ours);
	forget_unused(&native);
	forget_unused(&ours);
	for (unsigned i = 0; i < XSAVE_BYTES && !bad; i++) {
		snprintf(name, sizeof(name), "xsave %u", i);
		bad |= differ(name, native.x[i], ours.x[i]);
	}
	for (unsigned i = 0; i < ARENA_BYTES && !bad; i++) {
		snprintf(name, sizeof(name), "memory %#x", i);
		bad |= differ(name, after[i], ((u8 *)ARENA)[i]);
	}
	return !bad;
}

/* ---- touches ---- */

static bool accesses_memory(const struct decoded *d)
{
	for (unsigned n = 0; n < d->z.operand_count; n++)
		if (d->op[n].type == ZYDIS_OPERAND_TYPE_MEMORY && d->op[n].mem.type != ZYDIS_MEMOP_TYPE_AGEN)
			return true;
	return false;
}

/* mod is not 3; vsib: rm is 4. */
static void memory_modrm(u8 *at, bool vsib)
{
	at[0] = (u8)((next() & 0x38) | next() % 3 << 6 | (vsib ? 4 : next() & 7));
}

/* A vector instruction in memory: VEX, or EVEX with a mask. of: opcodes to choose from; 0: any. */
static void vector_bytes(u8 *at, bool evex, const char *of, bool vsib)
{
	unsigned map = of ? 2 : 1 + (unsigned)(next() % 3);
	unsigned n = 0;

	at[n++] = evex ? 0x62 : 0xc4;
	at[n++] = (u8)((next() & (evex ? 0xf0 : 0xe0)) | map);
	if (evex) {
		at[n++] = (u8)((next() & 0x80) | 4 | (of ? 0x79 : next() & 0x7b));
		at[n++] = (u8)(next() % 3 << 5 | (next() & 0x0f) | (of || next() % 2 ? 0 : next() & 0x90));
	} else {
		at[n++] = (u8)((next() & 0xfc) | (of ? 1 : next() & 3));
	}
	at[n++] = of ? (u8)of[next() % strlen(of)] : (u8)next();
	memory_modrm(at + n, vsib);
}

static void touching_bytes(u8 *at)
{
	static const char *const one_of[] = {
	    "\xd7", "\x66\x0f\xf7", "\x0f\xae\x38", "\x66\x0f\xae\x38", "\x66\x0f\xae\x30", "\xa4", "\x48\xab",
	    /* pop and push of what lies by rsp; enter 4112, 0 (modulo 32) */
	    "\x8f\x04\x24", "\x66\x8f\x44\x24\xfe", "\xff\x34\x24", "\xc8\x10\x10\x20",
	    /* strings by 32-bit registers */
	    "\x67\xf3\xa4", "\x67\xf3\xaa", "\x67\xf2\xae",
	    /* from (%rdi), with k1: vpshufbitqmb, vdbpsadbw, vcvtne2ps2bf16, vcvtps2qq, vpbroadcastw */
	    "\x62\xf2\x75\x49\x8f\x17", "\x62\xf3\x75\x49\x42\x07", "\x62\xf2\x77\x49\x72\x07",
	    "\x62\xf1\x7d\x29\x7b\x07", "\x62\xf2\x7d\x09\x79\x07"};

	random_bytes(at);
	switch (next() % 8) {
	case 0:
		vector_bytes(at, false, "\x90\x91\x92\x93", true);
		break;
	case 1:
		vector_bytes(at, true, "\x90\x91\x92\x93\xa0\xa1\xa2\xa3", true);
		break;
	case 2:
		vector_bytes(at, false, "\x2c\x2d\x2e\x2f\x8c\x8e", false);
		break;
	case 3: /* vpexpand, vpcompress, vexpandps, vcompressps */
		vector_bytes(at, true, "\x62\x63\x88\x89\x8a\x8b", false);
		break;
	case 4:
	case 5:
		vector_bytes(at, true, NULL, false);
		break;
	case 6: /* bt, bts, btr, btc */
		at[0] = (u8)(next() % 4 ? 0x40 | (next() & 15) : 0x66);
		at[1] = 0x0f;
		at[2] = (u8)(0xa3 | (next() & 0x18));
		memory_modrm(at + 3, false);
		break;
	default:
		if (next() % 2) {
			const char *one = one_of[next() % ARRAY_SIZE(one_of)];

			memcpy(at, one, strlen(one));
		}
	}
}

static void make_touching(void)
{
	static struct decoded d;
	struct insn i;
	u8 *at = (u8 *)CODE;

	do {
		at[0] = 0x65;
		touching_bytes(at + (next() % 8 == 0));
		look(CODE, &i, &d);
		if (d.z.raw.disp.size == 32 && i.kind != INSN_BAD) { /* not far */
			bool relative = d.z.raw.modrm.mod == 0 && d.z.raw.modrm.rm == 5;
			s32 disp =
			    relative ? (s32)(ARENA + 4000 + next() % 128 - (CODE + i.len)) : (s32)(next() % 128) - 64;

			memcpy(at + d.z.raw.disp.offset, &disp, 4);
			look(CODE, &i, &d);
		}
	} while (!usable(&i, &d) || !accesses_memory(&d));
	length = 1;
	start_of[0] = CODE;
	start_of[1] = CODE + i.len;
	memcpy(at + i.len, "\x0f\x0b", 2);
}

/* Addresses near a page's end, small numbers; vectors of small numbers, masks of all kinds. */
static void make_touching_state(void)
{
	unsigned width = next() % 2 ? 4 : 8, k = xsave_at[XSAVE_K];

	make_state();
	for (unsigned i = 0; i < NR_GPR; i++) {
		u64 kind = next() % 4;

		begin.gpr[i] = kind < 2 || i == RSP ? ARENA + 4096 * (1 + next() % 3) - 64 + next() % 96
			       : kind == 2          ? next() % 64
						    : next() % 131072 - 65536;
	}
	begin.gpr[RCX] = next() % 2 ? next() % 40 : begin.gpr[RCX];
	if (next() % 8 == 0) /* for who takes the lower halves */
		for (unsigned i = RCX; i <= RDI; i = i == RCX ? RSI : i + 1)
			begin.gpr[i] |= next() << 32;
	for (unsigned at = 160; at + 8 <= XSAVE_BYTES; at += width) {
		s64 small = (s64)(next() % 4096) - 2048;

		if (at < 416 || (at >= 576 && at - k >= 64))
			memcpy(begin.x + at, &small, width);
	}
	if (next() % 4 == 0) /* k0..k7: few */
		for (unsigned at = k; k && at < k + 64; at += 8)
			memcpy(begin.x + at, &(u64){next() % 3 ? 1ull << next() % 16 : 0}, 8);
	if (__builtin_cpu_supports("avx512f"))
		begin.x[512] |= 0xe0;
}

static bool faults_with(void *page, int protection)
{
	run(run_native, &ours, page, protection);
	mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	return ours.signal == SIGSEGV;
}

/* Whether a masked store of bytes takes faults for masked ones is the implementation's. */
static bool as_it_likes(void)
{
	static struct decoded d;

	decoder_run((const u8 *)CODE, 15, &d);
	return d.z.mnemonic == ZYDIS_MNEMONIC_MASKMOVDQU || d.z.mnemonic == ZYDIS_MNEMONIC_MASKMOVQ;
}

static bool compare_touches(void)
{
	unsigned touched = 0, written = 0;

	if (native.signal != SIGILL || native.rip != start_of[1] || as_it_likes())
		return true;
	for (unsigned n = 0; n < OTHER_PAGE; n++) {
		touched |= faults_with((void *)(ARENA + 4096ull * n), PROT_NONE) ? 1u << n : 0;
		written |= faults_with((void *)(ARENA + 4096ull * n), PROT_READ) ? 1u << n : 0;
	}
	return !differ("pages touched", touched, told) && !differ("pages written", written, told_written);
}

static void *map_at(u64 at, u64 bytes)
{
	void *p = mmap((void *)at, bytes, PROT_READ | PROT_WRITE | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	return p == (void *)at ? p : (perror("mmap"), exit(1), p);
}

int main(int argc, char **argv)
{
	static const int caught[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
	struct sigaction act = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	u64 seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1, n = argc > 2 ? strtoull(argv[2], NULL, 0) : 20000;
	bool touches = argc > 3 && strcmp(argv[3], "touches") == 0;
	u64 ends[65] = {0};
	u8 *stack = map_at(0x7d0000000000, 1 << 20), *cache_at;

	sigaltstack(&(stack_t){.ss_sp = map_at(0x7d0010000000, 1 << 16), .ss_size = 1 << 16}, NULL);
	for (unsigned i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
		sigaction(caught[i], &act, NULL);
	map_at(ARENA, ARENA_BYTES);
	map_at(CODE, 4096);
	decode_init();
	for (u32 n = 2; n < ARRAY_SIZE(xsave_at); n++)
		xsave_at[n] = cpuid(0xd, n).ebx;
	cache_at = map_at(seed % 2 ? CACHE_NEAR : CACHE_FAR, CACHE_BYTES);
	cache_init(cache_at, CACHE_BYTES);
	thread = memory_get(sizeof(*thread));
	thread_init(thread, stack + (1 << 20), (struct window_shape[2]){{.pages = EV_WINDOW}, {.pages = EV_WINDOW}});
	for (u64 k = 0; k < n; k++) {
		rng = (seed << 32 | (k + 1)) * 0x9e3779b97f4a7c15ull | 1;
		next();
		if (touches) {
			make_touching();
			make_touching_state();
		} else {
			make_sequence();
			make_state();
		}
		code_changes = next() % 2;
		mprotect(cache_at, CACHE_BYTES, PROT_NONE);
		run(run_native, &native, NULL, 0);
		mprotect(cache_at, CACHE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC);
		if (native.address - (u64)cache_at < CACHE_BYTES) /* by chance it would change what runs it */
			continue;
		memcpy(after, (void *)ARENA, ARENA_BYTES);
		cache_clear();
		memset(&thread->indirect, 0, sizeof(thread->indirect));
		window_clear(&thread->data);
		told = told_written = 0;
		run(run_translated, &ours, NULL, 0);
		ends[native.signal & 63]++;
		if (!compare() || (touches && !compare_touches())) {
			printf("# sequence %llu of seed %llu:\n", (unsigned long long)k, (unsigned long long)seed);
			print_code();
			printf("not ok 1 - random instructions\n1..1\n");
			return 1;
		}
	}
	printf("# ended with SIGTRAP %llu, SIGSEGV %llu, SIGILL %llu, SIGBUS %llu, SIGFPE %llu\n",
	       (unsigned long long)ends[SIGTRAP], (unsigned long long)ends[SIGSEGV], (unsigned long long)ends[SIGILL],
	       (unsigned long long)ends[SIGBUS], (unsigned long long)ends[SIGFPE]);
	printf("ok 1 - %llu sequences of random instructions%s\n1..1\n", (unsigned long long)n,
	       touches ? ": touches" : "");
	return 0;
}
