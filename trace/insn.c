/* SPDX-License-Identifier: MIT
 *
 * trace/insn.c - the x86-64 encoding as far as it says which instructions read and write data memory.
 *
 *   [66 f2 f3 segment lock]* [REX 4x]                opcode [ModRM ...]      one-byte map
 *   [66 f2 f3 segment lock]* [REX 4x] 0f [38 or 3a]  opcode [ModRM ...]      two-byte map, maps 2 and 3
 *   c5 Rvvvv-Lpp  |  c4 RXB-map W-vvvv-Lpp           opcode ModRM ...        VEX: pp stands for 66, f3 or f2
 *   62 RXBR-0-map W-vvvv-1-pp z-LL-b-V-aaa           opcode ModRM ...        EVEX: aaa not 0: masked
 *
 *   ModRM: mod(7:6) reg(5:3) rm(2:0); mod 3 is a register, all else memory: "the operand" below.
 *
 * A map is a picture of the manual's opcode table, a letter an instruction:
 *
 *   r  reads the operand in one access             R  ... or in several (vectors, x87, far pointers)
 *   w  writes the operand in one access            W  ... or in several
 *   m  reads and writes the operand, whether the value changes or not
 *   p  pushes the operand (or calls what it says)  q  pops into it
 *   l  one read elsewhere (the stack, an address   L  several reads elsewhere, or a string's
 *      in the instruction)
 *   s  one write elsewhere                         S  a string is written          B  one is read, one written
 *   k  reads the operand where a mask says so      K  writes it so, or what RDI points to
 *   c  the operand's cache line is flushed: rights to read are asked for, but its contents are not
 *   E  enter        .  nothing: registers, addresses only (LEA, NOP, prefetches), or not an instruction
 *   0-9  a group: the reg field chooses a letter of that row
 *
 * Sources: Intel SDM volume 2, appendix A and the instructions' pages; which is a write, the CPU
 * (test/trace/error_codes.c).
 */
#include "trace/insn.h"

/* 0 1 2 3 4 5 6 7 8 9 a b c d e f */
static const char one_byte[] = "mmrr....mmrr...." /* 00 add, or */
			       "mmrr....mmrr...." /* 10 adc, sbb */
			       "mmrr....mmrr...." /* 20 and, sub */
			       "mmrr....rrrr...." /* 30 xor, cmp */
			       "................" /* 40 REX */
			       "ssssssssllllllll" /* 50 push, pop */
			       "...r....srsrSSLL" /* 60 movslq, push, imul, ins, outs */
			       "................" /* 70 jcc */
			       "00.0rrmmwwrrw.R2" /* 80 group 1, test, xchg, mov, lea, pop */
			       "............sl.." /* 90 xchg, pushf, popf */
			       "llssBBLL..SSLLLL" /* a0 mov, movs, cmps, stos, lods, scas */
			       "................" /* b0 mov */
			       "mmll..33ElLL...L" /* c0 shifts, ret, mov, enter, leave, retf, iret */
			       "mmmm...lR4R5R6R7" /* d0 shifts, xlat, x87 */
			       "........s......." /* e0 call */
			       "......11......89" /* f0 group 3, inc, dec, group 5 */;
static const char *const one_byte_groups[] = {
    "mmmmmmmr", /* 80 81 83: add or adc sbb and sub xor cmp */
    "rrmmrrrr", /* f6 f7: test test not neg mul imul div idiv */
    "q.......", /* 8f: pop */
    "w.......", /* c6 c7: mov */
    "R.WWRRWW", /* d9: fld - fst fstp fldenv fldcw fnstenv fnstcw */
    "RWWW.R.W", /* db: fild fisttp fist fistp - fld - fstp */
    "RWWWR.WW", /* dd: fld fisttp fst fstp frstor - fnsave fnstsw */
    "RWWWRRWW", /* df: fild fisttp fist fistp fbld fild fbstp fistp */
    "mm......", /* fe: inc dec */
    "mmpprRp.", /* ff: inc dec call lcall jmp ljmp push */
};

static const char two_byte[] = "01rr...........R" /* 00 groups 6 and 7, lar, lsl, prefetchw, 3DNow! */
			       "RWRWRRRW........" /* 10 moves of vectors, prefetches */
			       "........RWRWRRRR" /* 20 moves, conversions, comparisons */
			       "................" /* 30 maps 2 and 3 */
			       "rrrrrrrrrrrrrrrr" /* 40 cmov: it reads whatever the condition */
			       ".RRRRRRRRRRRRRRR" /* 50 arithmetic of vectors */
			       "RRRRRRRRRRRRRRRR" /* 60 */
			       "R...RRR.WR..RRWW" /* 70 */
			       "................" /* 80 jcc */
			       "wwwwwwwwwwwwwwww" /* 90 setcc */
			       "sL.rmm..sL.mmm2r" /* a0 push, pop, bt, shld, bts, shrd, group 15, imul */
			       "mmRmRRrrr.3mrrrr" /* b0 cmpxchg, lss, btr, movzx, popcnt, group 8, btc, bsf, movsx */
			       "mmRwR.R4........" /* c0 xadd, movnti, group 9 */
			       "RRRRRRW.RRRRRRRR" /* d0 */
			       "RRRRRRRWRRRRRRRR" /* e0 */
			       "RRRRRRRKRRRRRRR." /* f0 maskmovdqu */;
static const char *const two_byte_groups[] = {
    "wwrrrr..", /* 00: sldt str lldt ltr verr verw */
    "WWRRwmr.", /* 01: sgdt sidt lgdt lidt smsw rstorssp lmsw invlpg */
    "WRRWWRWc", /* ae: fxsave fxrstor ldmxcsr stmxcsr xsave xrstor xsaveopt clflush */
    "....rmmm", /* ba: bt bts btr btc */
    ".m.RWWRW", /* c7: cmpxchg8b and 16b, xrstors xsavec xsaves vmptrld vmptrst */
};

enum prefix { NO_PREFIX, P66, PF3, PF2 }; /* as VEX's pp counts them */

static bool is_prefix(u8 b)
{
	return b == 0x66 || b == 0xf2 || b == 0xf3 || b == 0xf0 || b == 0x2e || b == 0x36 || b == 0x3e || b == 0x26 ||
	       b == 0x64 || b == 0x65;
}

static bool within(u8 op, u8 first, u8 last)
{
	return op >= first && op <= last;
}

/* Opcodes of the two-byte map that a prefix makes another instruction, as to memory. */
static char two_byte_letter(u8 op, u8 reg, enum prefix p)
{
	if (op == 0x7e && p == PF3)
		return 'R'; /* movq; else movd, the other way */
	if (op == 0xae && reg == 6 && p == P66)
		return 'c'; /* clwb */
	return two_byte[op];
}

/* 0f 38: nearly all read a vector. */
static char map2_letter(u8 op, enum prefix p)
{
	switch (op) {
	case 0xf1:
		return p == PF2 ? 'R' : 'W'; /* crc32, movbe */
	case 0xf5:
	case 0xf9:
		return 'W'; /* wruss, movdiri */
	case 0xf6:
		return p == NO_PREFIX ? 'W' : 'R'; /* wrss; adcx, adox */
	case 0xf8:
		return 'B'; /* movdir64b, enqcmd */
	}
	return 'R';
}

/* 0f 3a, and VEX's and EVEX's map 3: but for extractions and conversions to half precision, all read. */
static char map3_letter(u8 op)
{
	return within(op, 0x14, 0x17) || op == 0x19 || op == 0x1b || op == 0x1d || op == 0x39 || op == 0x3b ? 'W' : 'R';
}

/* Of map 1, what vectors and masks have. */
static char vector_map1(u8 op, u8 reg, enum prefix p, bool evex)
{
	if (evex && (within(op, 0x71, 0x73) || within(op, 0x78, 0x7b)))
		return 'R'; /* shifts by an immediate, conversions */
	if (op == 0x90 || op == 0x91)
		return op == 0x90 ? 'R' : 'W'; /* kmov */
	if (op == 0xae)
		return reg == 2 ? 'R' : reg == 3 ? 'W' : '.'; /* vldmxcsr, vstmxcsr */
	if (within(op, 0x10, 0x17) || within(op, 0x28, 0x2f) || within(op, 0x50, 0x7f) || within(op, 0xc2, 0xc6) ||
	    op >= 0xd0)
		return two_byte_letter(op, reg, p);
	return '.';
}

static char vex_map2(u8 op, enum prefix p)
{
	if (within(op, 0x2c, 0x2d) || op == 0x8c || within(op, 0x90, 0x93))
		return 'k'; /* vmaskmov, vpmaskmov, gathers */
	if (within(op, 0x2e, 0x2f) || op == 0x8e)
		return 'K';
	if ((op == 0x49 && p == P66) || (op == 0x4b && p == PF3))
		return 'W';                        /* sttilecfg, tilestored */
	return within(op, 0xe0, 0xef) ? 'm' : 'R'; /* cmpccxadd */
}

static char evex_map2(u8 op, enum prefix p)
{
	u8 row = op & 0xf0;

	if (op == 0xc6 || op == 0xc7)
		return '.'; /* prefetches of gathers and scatters */
	if (op == 0x63 || op == 0x8a || op == 0x8b || within(op, 0xa0, 0xa3))
		return 'W'; /* compressions, scatters */
	if (p == PF3 && within(row, 0x10, 0x30) && (op & 0xf) < 6)
		return 'W'; /* vpmov to narrower elements */
	return 'R';
}

static char vector_letter(unsigned map, u8 op, u8 reg, enum prefix p, bool evex)
{
	switch (map) {
	case 1:
		return vector_map1(op, reg, p, evex);
	case 2:
		return evex ? evex_map2(op, p) : vex_map2(op, p);
	case 3:
		return map3_letter(op);
	case 5:
		return op == 0x11 || op == 0x7e ? 'W' : 'R'; /* vmovsh, vmovw */
	case 6:
		return 'R';
	}
	return '.';
}

/* What a letter means for an operand in memory. */
static unsigned of_memory(char letter)
{
	switch (letter) {
	case 'r':
		return INSN_LOADS | INSN_ONCE;
	case 'R':
		return INSN_LOADS;
	case 'w':
		return INSN_STORES | INSN_ONCE;
	case 'W':
	case 'm':
		return INSN_STORES;
	case 'p':
	case 'q':
	case 'B':
		return INSN_LOADS | INSN_STORES;
	case 'k':
	case 'c':
		return INSN_LOADS | INSN_MAYBE;
	case 'K':
		return INSN_STORES | INSN_MAYBE;
	}
	return 0;
}

/* ... for an operand that is a register: the stack is left, and the vector store that has its address in RDI. */
static unsigned of_register(char letter)
{
	switch (letter) {
	case 'p':
		return INSN_STORES | INSN_ONCE;
	case 'q':
		return INSN_LOADS | INSN_ONCE;
	case 'K':
		return INSN_STORES | INSN_MAYBE;
	}
	return 0;
}

/* ... for an instruction without ModRM. nesting: enter's second operand, which counts the frames it looks through. */
static unsigned of_implicit(char letter, bool rep, u8 nesting)
{
	unsigned maybe = rep ? INSN_MAYBE : 0;

	switch (letter) {
	case 'l':
		return INSN_LOADS | INSN_ONCE;
	case 'L':
		return INSN_LOADS | maybe;
	case 's':
		return INSN_STORES | INSN_ONCE;
	case 'S':
		return INSN_STORES | maybe;
	case 'B':
		return INSN_LOADS | INSN_STORES | maybe;
	case 'E':
		return INSN_STORES | (nesting % 32 > 1 ? INSN_LOADS : 0);
	}
	return 0;
}

static unsigned of_operand(char letter, u8 modrm)
{
	return modrm >> 6 == 3 ? of_register(letter) : of_memory(letter);
}

/* ---- the maps: rest[n] is what follows the opcode ---- */

static char in_group(char letter, const char *const *groups, u8 modrm)
{
	return within(letter, '0', '9') ? groups[letter - '0'][modrm >> 3 & 7] : letter;
}

static unsigned one_byte_accesses(u8 op, const u8 *rest, size_t n, bool rep)
{
	unsigned implicit = of_implicit(one_byte[op], rep, n > 2 ? rest[2] : 0);

	if (implicit || !n)
		return implicit;
	return of_operand(in_group(one_byte[op], one_byte_groups, rest[0]), rest[0]);
}

static unsigned two_byte_accesses(u8 op, const u8 *rest, size_t n, enum prefix p)
{
	unsigned implicit = of_implicit(two_byte[op], false, 0);

	if (implicit || !n)
		return implicit;
	if (op == 0x38 || op == 0x3a)
		return n > 1 ? of_operand(op == 0x38 ? map2_letter(rest[0], p) : map3_letter(rest[0]), rest[1]) : 0;
	return of_operand(in_group(two_byte_letter(op, rest[0] >> 3 & 7, p), two_byte_groups, rest[0]), rest[0]);
}

/* bytes[0]: c4, c5 or 62. */
static unsigned vector_accesses(const u8 *bytes, size_t len)
{
	bool evex = bytes[0] == 0x62;
	size_t at = evex ? 4 : bytes[0] == 0xc4 ? 3 : 2;
	unsigned map, accesses;
	enum prefix p;
	char letter;

	if (len < at + 2)
		return 0;
	map = evex ? bytes[1] & 7 : bytes[0] == 0xc4 ? bytes[1] & 0x1f : 1;
	p = bytes[evex ? 2 : at - 1] & 3;
	letter = vector_letter(map, bytes[at], bytes[at + 1] >> 3 & 7, p, evex);
	accesses = of_operand(letter, bytes[at + 1]);
	return accesses && evex && bytes[3] & 7 ? accesses | INSN_MAYBE : accesses;
}

unsigned insn_accesses(const u8 *bytes, size_t len)
{
	enum prefix p = NO_PREFIX;
	size_t i = 0;

	for (; i < len && is_prefix(bytes[i]); i++)
		p = bytes[i] == 0xf3 ? PF3 : bytes[i] == 0xf2 ? PF2 : bytes[i] == 0x66 && p == NO_PREFIX ? P66 : p;
	if (i < len && (bytes[i] == 0xc4 || bytes[i] == 0xc5 || bytes[i] == 0x62))
		return vector_accesses(bytes + i, len - i);
	if (i < len && (bytes[i] & 0xf0) == 0x40)
		i++;
	if (i + 1 < len && bytes[i] == 0x0f)
		return two_byte_accesses(bytes[i + 1], bytes + i + 2, len - i - 2, p);
	return i < len ? one_byte_accesses(bytes[i], bytes + i + 1, len - i - 1, p >= PF3) : 0;
}
