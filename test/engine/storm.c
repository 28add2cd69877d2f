/* SPDX-License-Identifier: MIT
 *
 * test/engine/storm.c [SEED [PROGRAMS [US]]]: a guest that makes random programs, runs them under a storm of timer signals, one
 * each US microseconds, and prints what came of each. Natively and under the engine it prints the same.
 *
 * A program is some blocks of random instructions; each ends with a jump, call, loop or return of any kind, and they run
 * in turn until a budget is used up. Half of them write into their own code as they go. Its registers, flags, vectors,
 * memory and each fault on the way (with all registers there) go into the line that is printed. Wherever a signal
 * comes it must find an instruction's begin and the registers that no program changes.
 *
 *   code | data                  | budget | saved state | table of the blocks |
 *          ^ r15, never changed    instructions write to data only
 */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "test/engine/random.h"

#define BLOCKS      24
#define FUNCTIONS   8
#define CODE_BYTES  0x8000u
#define DATA_BYTES  0x2000u
#define BUDGET      DATA_BYTES
#define SAVED       (DATA_BYTES + 64)
#define TABLE       (DATA_BYTES + 512)
#define STACK_BYTES 0x10000u
#define TURNS       3000 /* blocks that are executed */

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

static u64 rng;
static u8 *code, *data, *stack, *at, *block[BLOCKS], *function[FUNCTIONS];
static bool begins[CODE_BYTES]; /* an instruction begins there */
static struct jump {
	u8 *field;
	u8 **target;
} jumps[4096];
static unsigned nr_jumps;
static volatile u64 faults, faults_digest;
static volatile sig_atomic_t storms;
static long interval;
u64 host_sp;

static u64 next(void)
{
	rng = random_after(rng);
	return rng >> 11;
}

static u64 below(u64 n)
{
	return next() % n;
}

static u64 digest(u64 h, const void *p, size_t n)
{
	for (const u8 *b = p; n--;)
		h = (h ^ *b++) * 0x100000001b3ull;
	return h;
}

extern const u8 program_end[];

/* ---- instructions ---- */

static void begin(void)
{
	begins[at - code] = true;
}

static void put(const char *bytes, size_t n)
{
	memcpy(at, bytes, n);
	at += n;
}
#define PUT(bytes) put(bytes, sizeof(bytes) - 1)

static void put1(unsigned b)
{
	*at++ = (u8)b;
}

static void put4(u32 v)
{
	memcpy(at, &v, 4);
	at += 4;
}

/* Any but rsp and r15. */
static unsigned reg(void)
{
	unsigned r = (unsigned)below(14);

	return r >= 4 ? r + 1 : r;
}

/* Where in data, so that 64 bytes are there. */
static u32 place(void)
{
	return (u32)below(DATA_BYTES - 64);
}

/* [prefix] REX op modrm: r and a register, or r and data. prefix 0: none. */
static void op_rr(unsigned prefix, unsigned w, const char *op, size_t n, unsigned r, unsigned b)
{
	begin();
	if (prefix)
		put1(prefix);
	put1(0x40 | w << 3 | (r >> 3) << 2 | b >> 3);
	put(op, n);
	put1(0xc0 | (r & 7) << 3 | (b & 7));
}

static void op_rm(unsigned prefix, unsigned w, const char *op, size_t n, unsigned r)
{
	begin();
	if (prefix)
		put1(prefix);
	if (below(3)) { /* [r15 + disp32] */
		put1(0x41 | w << 3 | (r >> 3) << 2);
		put(op, n);
		put1(0x80 | (r & 7) << 3 | 7);
		put4(place());
	} else { /* [rip + disp32]; no immediate follows */
		put1(0x40 | w << 3 | (r >> 3) << 2);
		put(op, n);
		put1((r & 7) << 3 | 5);
		put4((u32)(data + place() - (at + 4)));
	}
}

static void arithmetic(void)
{
	unsigned op = (unsigned)below(8) << 3 | 1, w = (unsigned)below(2);
	unsigned prefix = below(6) ? 0 : 0x66;

	switch (below(4)) {
	case 0:
		op_rr(prefix, w, &(char){(char)op}, 1, reg(), reg());
		return;
	case 1:
		op_rm(prefix, w, &(char){(char)op}, 1, reg());
		return;
	case 2:
		op_rm(prefix, w, &(char){(char)(op + 2)}, 1, reg());
		return;
	default:
		op_rr(0, w, "\x83", 1, op >> 3, reg());
		put1((unsigned)below(256));
	}
}

static void moves(void)
{
	switch (below(6)) {
	case 0:
		op_rm(0, 1, "\x89", 1, reg());
		return;
	case 1:
		op_rm(0, 1, "\x8b", 1, reg());
		return;
	case 2:
		op_rm(0, (unsigned)below(2), below(2) ? "\x0f\xb6" : "\x0f\xbf", 2, reg());
		return;
	case 3:
		op_rr(0, 0, "\xc7", 1, 0, reg());
		put4((u32)next());
		return;
	case 4:
		op_rm(0, 0, "\x88", 1, reg());
		return;
	default:
		op_rr(0, 1, "\x8b", 1, reg(), reg());
	}
}

static void conditional(void)
{
	char op[2] = {0x0f, (char)(0x40 | below(16))};

	if (below(2)) {
		op_rm(0, 1, op, 2, reg());
		return;
	}
	op[1] = (char)(0x90 | below(16));
	op_rr(0, 0, op, 2, 0, reg());
}

static void shifts(void)
{
	static const unsigned kinds[] = {0, 1, 2, 3, 4, 5, 7};

	op_rr(0, (unsigned)below(2), below(2) ? "\xd3" : "\xd1", 1, kinds[below(7)], reg());
}

static void multiply_and_count(void)
{
	static const char ops[][2] = {"\x0f\xaf", "\x0f\xa3", "\x0f\xbc", "\x0f\xc8"};

	switch (below(4)) {
	case 0:
		op_rm(0, 1, ops[0], 2, reg());
		return;
	case 1:
		op_rr(0, 1, ops[1], 2, reg(), reg());
		return;
	case 2:
		op_rr(0xf3, 1, "\x0f\xb8", 2, reg(), reg());
		return;
	default:
		op_rm(0, 1, "\x0f\xc1", 2, reg());
	}
}

static void locked(void)
{
	unsigned r = reg();

	begin();
	put1(0xf0);
	put1(0x49 | (r >> 3) << 2);
	if (below(2))
		PUT("\x0f\xc1"); /* xadd */
	else
		PUT("\x0f\xb1"); /* cmpxchg */
	put1(0x80 | (r & 7) << 3 | 7);
	put4(place());
}

static void stack_use(void)
{
	unsigned a = reg(), b = reg();

	if (below(6) == 0) { /* pushfq; popfq */
		begin();
		put1(0x9c);
		begin();
		put1(0x9d);
		return;
	}
	begin();
	if (below(4))
		put1(0x40 | a >> 3), put1(0x50 | (a & 7));
	else
		put1(0x9c); /* pushfq */
	begin();
	put1(0x40 | b >> 3);
	put1(0x58 | (b & 7));
}

static void vectors(void)
{
	unsigned x = (unsigned)below(16);

	switch (below(5)) {
	case 0:
		op_rm(0xf3, 0, "\x0f\x6f", 2, x);
		return;
	case 1:
		op_rm(0xf3, 0, "\x0f\x7f", 2, x);
		return;
	case 2:
		op_rr(0x66, 0, "\x0f\xd4", 2, x, (unsigned)below(16));
		return;
	case 3:
		op_rr(0x66, 1, "\x0f\x7e", 2, x, reg());
		return;
	default:
		op_rr(0x66, 0, "\x0f\xef", 2, x, (unsigned)below(16));
	}
}

static void x87(void)
{
	op_rm(0, 0, "\xdf", 1, 5); /* fild m64 */
	op_rm(0, 0, "\xdf", 1, 7); /* fistp m64 */
}

static void lea_data(unsigned r)
{
	begin();
	put1(0x49);
	put1(0x8d);
	put1(0x80 | (r & 7) << 3 | 7);
	put4(place() / 2);
}

static void string(void)
{
	static const char ops[][4] = {"\xf3\xa4", "\xf3\x48\xab", "\xf3\xa6", "\xf2\xae", "\x48\xa5", "\xf3\x66\xad"};
	const char *op = ops[below(6)];

	lea_data(7);
	lea_data(6);
	begin();
	put1(0xb9); /* mov ecx, */
	put4((u32)below(300));
	begin();
	put(op, strlen(op));
}

/* A handler goes on behind it. */
static void fault(void)
{
	begin();
	switch (below(3)) {
	case 0:
		PUT("\x0f\x0b"); /* ud2 */
		return;
	case 1:
		PUT("\x48\x8b\x04\x25\x08\x00\x00\x00"); /* mov rax, [8] */
		return;
	default:
		PUT("\xcc");
	}
}

/* mov eax, number; in some programs an instruction before it writes the number. */
static void patched(bool writes)
{
	if (writes) {
		begin();
		PUT("\xfe\x05\x02\x00\x00\x00"); /* inc byte [rip + 2]: of the number, behind mov's opcode and one nop */
		begin();
		put1(0x90);
	}
	begin();
	put1(0xb8);
	put4((u32)next());
}

static void instruction(bool writes)
{
	switch (below(24)) {
	case 0 ... 6:
		arithmetic();
		return;
	case 7 ... 10:
		moves();
		return;
	case 11:
	case 12:
		conditional();
		return;
	case 13:
	case 14:
		shifts();
		return;
	case 15:
		multiply_and_count();
		return;
	case 16:
		locked();
		return;
	case 17:
	case 18:
		stack_use();
		return;
	case 19:
	case 20:
		vectors();
		return;
	case 21:
		if (below(3))
			x87();
		else
			string();
		return;
	case 22:
		if (below(20) == 0)
			fault();
		return;
	default:
		if (below(4) == 0)
			patched(writes);
	}
}

/* ---- jumps ---- */

static void to(u8 **target)
{
	jumps[nr_jumps++] = (struct jump){at, target};
	put4(0);
}

static u8 **some_block(void)
{
	return &block[below(BLOCKS)];
}

/* rax = a block's number * 8 */
static void choose(void)
{
	op_rr(0, 0, "\x8b", 1, 0, reg());
	begin();
	PUT("\x83\xe0\x78"); /* and eax, 15 * 8 */
}

static void end_of_block(void)
{
	switch (below(9)) {
	case 0 ... 2: /* jcc */
		begin();
		put1(0x0f);
		put1(0x80 | (unsigned)below(16));
		to(some_block());
		return;
	case 3:
		begin();
		put1(0xe9);
		to(some_block());
		return;
	case 4:
	case 5:
		begin();
		put1(0xe8);
		to(&function[below(FUNCTIONS)]);
		return;
	case 6: /* jmp [r15 + rax + table] */
		choose();
		begin();
		PUT("\x41\xff\xa4\x07");
		put4(TABLE);
		return;
	case 7: /* call by a register or by memory */
		begin();
		PUT("\x48\x8d\x05"); /* lea rax, [rip + function] */
		to(&function[below(FUNCTIONS)]);
		begin();
		if (below(2)) {
			PUT("\xff\xd0");
			return;
		}
		put1(0x50); /* push rax; call [rsp]; pop rax */
		begin();
		PUT("\xff\x14\x24");
		begin();
		put1(0x58);
		return;
	default: /* over two bytes, or not */
		begin();
		put1(below(2) ? 0xe3 : 0xe0 | (unsigned)below(3));
		put1(2);
		begin();
		PUT("\x66\x90");
	}
}

static void straight(unsigned n, bool writes)
{
	while (n--)
		instruction(writes);
}

/* The budget is one less; used up: the end. r15 is the data. */
static void spend(u8 **end)
{
	begin();
	PUT("\x41\xff\x8f");
	put4(BUDGET);
	begin();
	PUT("\x0f\x88");
	to(end);
}

static void make_program(bool writes)
{
	static u8 *end;

	at = code;
	nr_jumps = 0;
	memset(begins, 0, sizeof(begins));
	for (unsigned i = 0; i < BLOCKS; i++) {
		block[i] = at;
		spend(&end);
		straight((unsigned)below(20), writes);
		end_of_block();
	}
	begin();
	put1(0xe9);
	to(&block[0]);
	for (unsigned i = 0; i < FUNCTIONS; i++) {
		function[i] = at;
		straight((unsigned)below(8), writes);
		begin();
		put1(0xc3);
	}
	end = at;
	begin();
	PUT("\xff\x25\0\0\0"); /* jmp [rip] */
	put1(0);
	memcpy(at, &(const u8 *){program_end}, 8);
	for (unsigned i = 0; i < nr_jumps; i++) {
		u32 distance = (u32)(*jumps[i].target - (jumps[i].field + 4));

		memcpy(jumps[i].field, &distance, 4);
	}
	for (unsigned i = 0; i < 16; i++)
		memcpy(data + TABLE + 8 * i, &block[i], 8);
}

/* ---- a run ---- */

void program_run(u8 *code, u8 *data, u8 *stack_top);

/* Everything of the program's goes to SAVED; the C code's state comes back. */
__asm__(".globl program_run, program_end\n"
	"program_run:\n\t"
	"push %rbx\n\tpush %rbp\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\tpush %r15\n\t"
	"mov %rsp, host_sp(%rip)\n\t"
	"mov %rsi, %r15\n\tmov %rdx, %rsp\n\tfninit\n\t"
	"mov %rdi, %rax\n\t"
	"xor %ecx, %ecx\n\tmov $3, %edx\n\tmov $4, %ebx\n\tmov $5, %ebp\n\tmov $6, %esi\n\tmov $7, %edi\n\t"
	"mov $8, %r8d\n\tmov $9, %r9d\n\tmov $10, %r10d\n\tmov $11, %r11d\n\tmov $12, %r12d\n\tmov $13, %r13d\n\t"
	"mov $14, %r14d\n\t"
	"pxor %xmm0, %xmm0\n\tpxor %xmm1, %xmm1\n\tpxor %xmm2, %xmm2\n\tpxor %xmm3, %xmm3\n\t"
	"pxor %xmm4, %xmm4\n\tpxor %xmm5, %xmm5\n\tpxor %xmm6, %xmm6\n\tpxor %xmm7, %xmm7\n\t"
	"pxor %xmm8, %xmm8\n\tpxor %xmm9, %xmm9\n\tpxor %xmm10, %xmm10\n\tpxor %xmm11, %xmm11\n\t"
	"pxor %xmm12, %xmm12\n\tpxor %xmm13, %xmm13\n\tpxor %xmm14, %xmm14\n\tpxor %xmm15, %xmm15\n\t"
	"jmp *%rax\n"
	"program_end:\n\t"
	"lea 8256+128(%r15), %rsp\n\t" /* SAVED + 16 registers */
	"pushfq\n\tpush %rax\n\tpush %rbx\n\tpush %rcx\n\tpush %rdx\n\tpush %rsi\n\tpush %rdi\n\tpush %rbp\n\t"
	"push %r8\n\tpush %r9\n\tpush %r10\n\tpush %r11\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\t"
	"movups %xmm0, 8256+128(%r15)\n\tmovups %xmm1, 8256+144(%r15)\n\tmovups %xmm7, 8256+160(%r15)\n\t"
	"movups %xmm15, 8256+176(%r15)\n\t"
	"mov host_sp(%rip), %rsp\n\t"
	"cld\n\t"
	"pop %r15\n\tpop %r14\n\tpop %r13\n\tpop %r12\n\tpop %rbp\n\tpop %rbx\n\tret\n");
_Static_assert(SAVED == 8256, "the code above");

static void broken(const char *what, u64 rip)
{
	char line[128];
	int n =
	    snprintf(line, sizeof(line), "broken: %s, at %#lx of the code\n", what, (unsigned long)(rip - (u64)code));

	if (write(STDOUT_FILENO, line, (size_t)n) < 0)
		_exit(4);
	_exit(3);
}

static bool inside(u64 rip)
{
	return rip - (u64)code < CODE_BYTES;
}

static void on_timer(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	u64 rip = (u64)u->uc_mcontext.gregs[REG_RIP];

	storms++;
	__asm__ volatile("pcmpeqb %%xmm0, %%xmm0\n\tpcmpeqb %%xmm15, %%xmm15\n\tstd\n\tcld\n\tfninit"
			 :
			 :
			 : "xmm0", "xmm15");
	if (!inside(rip))
		return;
	if (!begins[rip - (u64)code])
		broken("a signal came within an instruction", rip);
	if ((u64)u->uc_mcontext.gregs[REG_R15] != (u64)data)
		broken("a signal found r15 changed", rip);
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	static const int order[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
				    REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
	ucontext_t *u = context;
	u64 rip = (u64)u->uc_mcontext.gregs[REG_RIP], h = faults_digest, offset = rip - (u64)code;

	if (!inside(rip))
		broken("a fault elsewhere", rip);
	faults++;
	h = digest(digest(h, &sig, sizeof(sig)), &offset, sizeof(offset));
	for (unsigned i = 0; i < 16; i++)
		h = digest(h, &u->uc_mcontext.gregs[order[i]], 8);
	faults_digest = h;
	u->uc_mcontext.gregs[REG_RIP] += sig == SIGILL ? 2 : sig == SIGSEGV ? 8 : 0;
}

static void storm(long us)
{
	struct itimerval t = {{0, us}, {0, us}};

	setitimer(ITIMER_REAL, &t, NULL);
}

static u64 run_program(bool writes)
{
	u64 h;

	for (unsigned i = 0; i < DATA_BYTES; i++)
		data[i] = (u8)next();
	memset(data + BUDGET, 0, TABLE - BUDGET);
	*(u32 *)(data + BUDGET) = TURNS;
	if (mprotect(code, CODE_BYTES, PROT_READ | PROT_WRITE) != 0)
		exit(4);
	make_program(writes);
	if (mprotect(code, CODE_BYTES, PROT_READ | PROT_EXEC | (writes ? PROT_WRITE : 0)) != 0)
		exit(4);
	faults = 0;
	faults_digest = 0;
	storm(interval);
	program_run(code, data, stack + STACK_BYTES);
	storm(0);
	h = digest(0xcbf29ce484222325ull, data, DATA_BYTES);
	h = digest(h, data + SAVED, 192);
	return digest(h, (const u64[]){faults, faults_digest}, 16);
}

int main(int argc, char **argv)
{
	u64 seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1, n = argc > 2 ? strtoull(argv[2], NULL, 0) : 200;
	interval = argc > 3 ? atol(argv[3]) : 300;
	struct sigaction timer = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
	struct sigaction fault_action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	u8 *all = mmap((void *)0x10000000, CODE_BYTES + 0x4000 + STACK_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (all == MAP_FAILED)
		return 4;
	code = all;
	data = all + CODE_BYTES;
	stack = data + 0x4000;
	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaltstack(&(stack_t){.ss_sp = malloc(1 << 16), .ss_size = 1 << 16}, NULL);
	sigaction(SIGALRM, &timer, NULL);
	sigaction(SIGSEGV, &fault_action, NULL);
	sigaction(SIGILL, &fault_action, NULL);
	sigaction(SIGTRAP, &fault_action, NULL);
	for (u64 k = 0; k < n; k++) {
		u64 h;

		rng = (seed << 32 | (k + 1)) * 0x9e3779b97f4a7c15ull | 1;
		next();
		h = run_program(k % 2);
		printf("%lu %016lx %lu faults\n", (unsigned long)k, (unsigned long)h, (unsigned long)faults);
	}
	printf("signals came: %s\n", storms ? "yes" : "no");
	return 0;
}
