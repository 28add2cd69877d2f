/* SPDX-License-Identifier: MIT
 *
 * engine/opcodes.c - the instructions that compilers emit most, decoded by tables. Zydis has all others (decode.c), and
 * test/engine/decoders.c holds the two to each other.
 *
 *   [66 F2 F3 2E 36 3E 26 64]... [REX] opcode | 0F opcode [ModRM [SIB] [disp8, disp32]] [immediate]
 *
 * Left to Zydis on purpose: VEX, EVEX, LOCK, 67 and gs; x87, MMX, what is behind 0F 38 and 0F 3A; strings, bit strings in
 * memory; what only systems use; what is seldom.
 *
 * Sources: Intel SDM volume 2, 2.1 and 2.2 (format), appendix A (opcode maps), and the pages of the instructions. A flag
 * that is undefined behind one is not killed (decode.c).
 */
#include <stddef.h>
#include <string.h>

#include "engine/decoder.h"
#include "engine/state.h"

/* ---- what a row says ---- */

/* An operand: is it read, written; how large is it; is it a vector register if it is no memory. */
enum {
	R = 1,
	W = 2,
	RW = R | W,
	S1 = 1 << 2, /* bytes */
	S2 = 2 << 2,
	S4 = 3 << 2,
	S8 = 4 << 2,
	S16 = 5 << 2,
	SV = 6 << 2, /* 4; 2 with 66; 8 with REX.W */
	SY = 7 << 2, /* 4; 8 with REX.W */
	SP = 8 << 2, /* 8; 2 with 66: what push and pop take */
	SIZE = 15 << 2,
	X = 1 << 6,
};

enum { MEMORY_ONLY = 1, REGISTER_ONLY = 2, NO_66 = 4, IN_OPCODE = 8 /* reg */, IN_RAX = 16 /* reg */ };

enum { NO_IMM, IMM8, IMM16, IMMZ /* 4; 2 with 66 */, IMMV /* IMMZ; 8 with REX.W */, REL8, REL32 };

enum { NO_FLAGS, ARITH, CARRY, LOGIC, INC, SHIFT, ROTATE, THROUGH_CARRY, MUL, BIT, SCAN, COUNT, CONDITION };

/* What else it does. CLEARS: a register with itself; ADDS, SUBTRACTS: a constant. */
enum { NOTHING, ADDS, SUBTRACTS, CLEARS, BY_CL, WITH_RAX, EXTENDS, MULTIPLIES, DIVIDES, PUSHES, POPS, LEAVES, ENDBR };

enum { NO_GROUP, G_ARITH, G_SHIFT, G_UNARY_BYTE, G_UNARY, G_INC, G_INDIRECT, G_MOV, G_BITS, G_PREFETCH };

struct opcode {
	u8 reg, rm; /* operands of ModRM; neither R nor W: it is not accessed */
	bool modrm, known;
	u8 form, imm, flags, what, group, kind;
};

#define ROW(...)                                                                                                       \
	{                                                                                                              \
		__VA_ARGS__, .known = true                                                                             \
	}
#define RM_REG(rm_, reg_, ...) ROW(.rm = rm_, .reg = reg_, .modrm = true, ##__VA_ARGS__)

/* The eight operations in each of their six forms: on rm and reg of a byte, of more; on reg and rm; on rax and a constant. */
#define ALU(op, how, flags_, what_, constant)                                                                          \
	[op] = RM_REG(S1 | how, S1 | R, .flags = flags_),                                                              \
	[op + 1] = RM_REG(SV | how, SV | R, .flags = flags_, .what = what_),                                           \
	[op + 2] = RM_REG(S1 | R, S1 | how, .flags = flags_),                                                          \
	[op + 3] = RM_REG(SV | R, SV | how, .flags = flags_, .what = what_),                                           \
	[op + 4] = ROW(.reg = S1 | how, .form = IN_RAX, .imm = IMM8, .flags = flags_),                                 \
	[op + 5] = ROW(.reg = SV | how, .form = IN_RAX, .imm = IMMZ, .flags = flags_, .what = constant)

static const struct opcode one[256] = {
    ALU(0x00, RW, ARITH, NOTHING, ADDS),
    ALU(0x08, RW, LOGIC, NOTHING, NOTHING), /* or */
    ALU(0x10, RW, CARRY, NOTHING, NOTHING), /* adc */
    ALU(0x18, RW, CARRY, NOTHING, NOTHING), /* sbb */
    ALU(0x20, RW, LOGIC, NOTHING, NOTHING), /* and */
    ALU(0x28, RW, ARITH, CLEARS, SUBTRACTS),
    ALU(0x30, RW, LOGIC, CLEARS, NOTHING), /* xor */
    ALU(0x38, R, ARITH, NOTHING, NOTHING), /* cmp */
    [0x50 ... 0x57] = ROW(.reg = SP | R, .form = IN_OPCODE, .what = PUSHES),
    [0x58 ... 0x5f] = ROW(.reg = SP | W, .form = IN_OPCODE, .what = POPS),
    [0x63] = RM_REG(S4 | R, SY | W, .form = NO_66), /* movsxd */
    [0x68] = ROW(.reg = SP, .imm = IMMZ, .what = PUSHES),
    [0x69] = RM_REG(SV | R, SV | W, .imm = IMMZ, .flags = MUL),
    [0x6a] = ROW(.reg = SP, .imm = IMM8, .what = PUSHES),
    [0x6b] = RM_REG(SV | R, SV | W, .imm = IMM8, .flags = MUL),
    [0x70 ... 0x7f] = ROW(.form = NO_66, .imm = REL8, .flags = CONDITION, .kind = INSN_JCC),
    [0x80] = RM_REG(S1, 0, .imm = IMM8, .group = G_ARITH),
    [0x81] = RM_REG(SV, 0, .imm = IMMZ, .group = G_ARITH),
    [0x83] = RM_REG(SV, 0, .imm = IMM8, .group = G_ARITH),
    [0x84] = RM_REG(S1 | R, S1 | R, .flags = LOGIC), /* test */
    [0x85] = RM_REG(SV | R, SV | R, .flags = LOGIC),
    [0x86] = RM_REG(S1 | RW, S1 | RW), /* xchg */
    [0x87] = RM_REG(SV | RW, SV | RW),
    [0x88] = RM_REG(S1 | W, S1 | R), /* mov */
    [0x89] = RM_REG(SV | W, SV | R),
    [0x8a] = RM_REG(S1 | R, S1 | W),
    [0x8b] = RM_REG(SV | R, SV | W),
    [0x8d] = RM_REG(0, SV | W, .form = MEMORY_ONLY), /* lea */
    [0x90] = ROW(.kind = INSN_COPY),                 /* nop: of REX, and of F3, below */
    [0x91 ... 0x97] = ROW(.reg = SV | RW, .form = IN_OPCODE, .what = WITH_RAX),
    [0x98] = ROW(.reg = SV | RW, .form = IN_RAX), /* cwde */
    [0x99] = ROW(.reg = SV | R, .form = IN_RAX, .what = EXTENDS),
    [0xa8] = ROW(.reg = S1 | R, .form = IN_RAX, .imm = IMM8, .flags = LOGIC),
    [0xa9] = ROW(.reg = SV | R, .form = IN_RAX, .imm = IMMZ, .flags = LOGIC),
    [0xb0 ... 0xb7] = ROW(.reg = S1 | W, .form = IN_OPCODE, .imm = IMM8),
    [0xb8 ... 0xbf] = ROW(.reg = SV | W, .form = IN_OPCODE, .imm = IMMV),
    [0xc0] = RM_REG(S1, 0, .imm = IMM8, .group = G_SHIFT),
    [0xc1] = RM_REG(SV, 0, .imm = IMM8, .group = G_SHIFT),
    [0xc2] = ROW(.form = NO_66, .imm = IMM16, .what = POPS, .kind = INSN_RET),
    [0xc3] = ROW(.form = NO_66, .what = POPS, .kind = INSN_RET),
    [0xc6] = RM_REG(S1, 0, .imm = IMM8, .group = G_MOV),
    [0xc7] = RM_REG(SV, 0, .imm = IMMZ, .group = G_MOV),
    [0xc9] = ROW(.form = NO_66, .what = LEAVES),
    [0xd0] = RM_REG(S1, 0, .group = G_SHIFT),
    [0xd1] = RM_REG(SV, 0, .group = G_SHIFT),
    [0xd2] = RM_REG(S1, 0, .what = BY_CL, .group = G_SHIFT),
    [0xd3] = RM_REG(SV, 0, .what = BY_CL, .group = G_SHIFT),
    [0xe8] = ROW(.form = NO_66, .imm = REL32, .what = PUSHES, .kind = INSN_CALL),
    [0xe9] = ROW(.form = NO_66, .imm = REL32, .kind = INSN_JUMP),
    [0xeb] = ROW(.form = NO_66, .imm = REL8, .kind = INSN_JUMP),
    [0xf6] = RM_REG(S1, 0, .group = G_UNARY_BYTE),
    [0xf7] = RM_REG(SV, 0, .group = G_UNARY),
    [0xfe] = RM_REG(S1, 0, .group = G_INC),
    [0xff] = RM_REG(SV, 0, .group = G_INDIRECT),
};

/* test, not, neg, mul, imul, div, idiv */
#define UNARY(constant)                                                                                                \
	[0 ... 1] = ROW(.rm = R, .flags = LOGIC, .imm = constant), [2] = ROW(.rm = RW),                                \
	       [3] = ROW(.rm = RW, .flags = ARITH), [4 ... 5] = ROW(.rm = R, .flags = MUL, .what = MULTIPLIES),        \
	       [6 ... 7] = ROW(.rm = R, .what = DIVIDES)

/* By the reg of ModRM: what its row leaves open. */
static const struct opcode group[][8] = {
    [G_ARITH] = {ROW(.rm = RW, .flags = ARITH, .what = ADDS), ROW(.rm = RW, .flags = LOGIC),
		 ROW(.rm = RW, .flags = CARRY), ROW(.rm = RW, .flags = CARRY), ROW(.rm = RW, .flags = LOGIC),
		 ROW(.rm = RW, .flags = ARITH, .what = SUBTRACTS), ROW(.rm = RW, .flags = LOGIC),
		 ROW(.rm = R, .flags = ARITH)},
    [G_SHIFT] = {[0 ... 1] = ROW(.rm = RW, .flags = ROTATE),
		 [2 ... 3] = ROW(.rm = RW, .flags = THROUGH_CARRY),
		 [4 ... 7] = ROW(.rm = RW, .flags = SHIFT)},
    [G_UNARY_BYTE] = {UNARY(IMM8)},
    [G_UNARY] = {UNARY(IMMZ)},
    [G_INC] = {[0 ... 1] = ROW(.rm = RW, .flags = INC)},
    [G_INDIRECT] = {[0 ... 1] = ROW(.rm = RW, .flags = INC),
		    [2] = ROW(.rm = SP | R, .form = NO_66, .what = PUSHES, .kind = INSN_CALL_IND),
		    [4] = ROW(.rm = SP | R, .form = NO_66, .kind = INSN_JUMP_IND),
		    [6] = ROW(.rm = SP | R, .what = PUSHES)},
    [G_MOV] = {ROW(.rm = W)},
    [G_BITS] = {[4] = ROW(.rm = R, .flags = BIT), [5 ... 7] = ROW(.rm = RW, .flags = BIT)},
    [G_PREFETCH] = {[0 ... 3] = ROW(.rm = 0)},
};

/* A move between a vector register and rm; what takes both; with a constant. */
#define LOAD(size)         RM_REG(X | size | R, X | W)
#define STORE(size)        RM_REG(X | size | W, X | R)
#define VECTOR(size)       RM_REG(X | size | R, X | RW)
#define VECTOR_IMM(size)   RM_REG(X | size | R, X | RW, .imm = IMM8)
#define MEMORY_LOAD(size)  RM_REG(X | size | R, X | RW, .form = MEMORY_ONLY)
#define MEMORY_STORE(size) RM_REG(X | size | W, X | R, .form = MEMORY_ONLY)

/* Of general registers, where 66 is a size: prefetch, nop; cmov, jcc, setcc; bt, shld, bts, shrd, imul; btr, movzx, the
 * group of bt, btc, bsf, bsr, movsx; xadd, bswap. */
#define GENERAL                                                                                                        \
	[0x18] = RM_REG(0, 0, .form = MEMORY_ONLY, .group = G_PREFETCH),                                               \
	[0x1f] = RM_REG(0, SV | R, .form = MEMORY_ONLY),                                                               \
	[0x40 ... 0x4f] = RM_REG(SV | R, SV | RW, .flags = CONDITION),                                                 \
	[0x80 ... 0x8f] = ROW(.form = NO_66, .imm = REL32, .flags = CONDITION, .kind = INSN_JCC),                      \
	[0x90 ... 0x9f] = RM_REG(S1 | W, 0, .flags = CONDITION),                                                       \
	[0xa3] = RM_REG(SV | R, SV | R, .form = REGISTER_ONLY, .flags = BIT),                                          \
	[0xa4] = RM_REG(SV | RW, SV | R, .imm = IMM8, .flags = SHIFT),                                                 \
	[0xa5] = RM_REG(SV | RW, SV | R, .flags = SHIFT, .what = BY_CL),                                               \
	[0xab] = RM_REG(SV | RW, SV | R, .form = REGISTER_ONLY, .flags = BIT),                                         \
	[0xac] = RM_REG(SV | RW, SV | R, .imm = IMM8, .flags = SHIFT),                                                 \
	[0xad] = RM_REG(SV | RW, SV | R, .flags = SHIFT, .what = BY_CL),                                               \
	[0xaf] = RM_REG(SV | R, SV | RW, .flags = MUL),                                                                \
	[0xb3] = RM_REG(SV | RW, SV | R, .form = REGISTER_ONLY, .flags = BIT), [0xb6] = RM_REG(S1 | R, SV | W),        \
	[0xb7] = RM_REG(S2 | R, SV | W), [0xba] = RM_REG(SV, 0, .imm = IMM8, .group = G_BITS),                         \
	[0xbb] = RM_REG(SV | RW, SV | R, .form = REGISTER_ONLY, .flags = BIT),                                         \
	[0xbc ... 0xbd] = RM_REG(SV | R, SV | RW, .flags = SCAN), [0xbe] = RM_REG(S1 | R, SV | W),                     \
	[0xbf] = RM_REG(S2 | R, SV | W), [0xc0] = RM_REG(S1 | RW, S1 | RW, .flags = ARITH),                            \
	[0xc1] = RM_REG(SV | RW, SV | RW, .flags = ARITH),                                                             \
	[0xc8 ... 0xcf] = ROW(.reg = SY | RW, .form = IN_OPCODE | NO_66)

/* Behind 0F, by the prefix: none, 66, F3, F2. */
static const struct opcode two[4][256] = {
    {
	GENERAL,
	[0x10] = LOAD(S16),
	[0x11] = STORE(S16),
	[0x12] = VECTOR(S8),
	[0x13] = MEMORY_STORE(S8),
	[0x14 ... 0x15] = VECTOR(S16),
	[0x16] = VECTOR(S8),
	[0x17] = MEMORY_STORE(S8),
	[0x28] = LOAD(S16),
	[0x29] = STORE(S16),
	[0x2b] = MEMORY_STORE(S16),
	[0x2e ... 0x2f] = RM_REG(X | S4 | R, X | R, .flags = ARITH),
	[0x50] = RM_REG(X | R, S4 | W, .form = REGISTER_ONLY),
	[0x51 ... 0x59] = VECTOR(S16),
	[0x5a] = VECTOR(S8),
	[0x5b ... 0x5f] = VECTOR(S16),
	[0xc2] = VECTOR_IMM(S16),
	[0xc6] = VECTOR_IMM(S16),
    },
    {
	GENERAL,
	[0x10] = LOAD(S16),
	[0x11] = STORE(S16),
	[0x12] = MEMORY_LOAD(S8),
	[0x13] = MEMORY_STORE(S8),
	[0x14 ... 0x15] = VECTOR(S16),
	[0x16] = MEMORY_LOAD(S8),
	[0x17] = MEMORY_STORE(S8),
	[0x28] = LOAD(S16),
	[0x29] = STORE(S16),
	[0x2b] = MEMORY_STORE(S16),
	[0x2e ... 0x2f] = RM_REG(X | S8 | R, X | R, .flags = ARITH),
	[0x50] = RM_REG(X | R, S4 | W, .form = REGISTER_ONLY),
	[0x51] = VECTOR(S16),
	[0x54 ... 0x6d] = VECTOR(S16),
	[0x6e] = RM_REG(SY | R, X | W),
	[0x6f] = LOAD(S16),
	[0x70] = VECTOR_IMM(S16),
	[0x74 ... 0x76] = VECTOR(S16),
	[0x7c ... 0x7d] = VECTOR(S16),
	[0x7e] = RM_REG(SY | W, X | R),
	[0x7f] = STORE(S16),
	[0xc2] = VECTOR_IMM(S16),
	[0xc4] = RM_REG(S2 | R, X | RW, .imm = IMM8),
	[0xc5] = RM_REG(X | R, S4 | W, .form = REGISTER_ONLY, .imm = IMM8),
	[0xc6] = VECTOR_IMM(S16),
	[0xd0 ... 0xd5] = VECTOR(S16),
	[0xd6] = STORE(S8),
	[0xd7] = RM_REG(X | R, S4 | W, .form = REGISTER_ONLY),
	[0xd8 ... 0xe6] = VECTOR(S16),
	[0xe7] = MEMORY_STORE(S16),
	[0xe8 ... 0xef] = VECTOR(S16),
	[0xf1 ... 0xf6] = VECTOR(S16),
	[0xf8 ... 0xfe] = VECTOR(S16),
    },
    {
	[0x10] = LOAD(S4),
	[0x11] = STORE(S4),
	[0x12] = LOAD(S16),
	[0x16] = LOAD(S16),
	[0x1e] = RM_REG(0, 0, .what = ENDBR),
	[0x2a] = RM_REG(SY | R, X | RW),
	[0x2c ... 0x2d] = RM_REG(X | S4 | R, SY | W),
	[0x51 ... 0x53] = VECTOR(S4),
	[0x58 ... 0x5a] = VECTOR(S4),
	[0x5b] = VECTOR(S16),
	[0x5c ... 0x5f] = VECTOR(S4),
	[0x6f] = LOAD(S16),
	[0x70] = VECTOR_IMM(S16),
	[0x7e] = LOAD(S8),
	[0x7f] = STORE(S16),
	[0xb8] = RM_REG(SV | R, SV | W, .flags = ARITH),          /* popcnt */
	[0xbc ... 0xbd] = RM_REG(SV | R, SV | W, .flags = COUNT), /* tzcnt, lzcnt */
	[0xc2] = VECTOR_IMM(S4),
	[0xe6] = VECTOR(S8),
    },
    {
	[0x10] = LOAD(S8),
	[0x11] = STORE(S8),
	[0x12] = LOAD(S8),
	[0x2a] = RM_REG(SY | R, X | RW),
	[0x2c ... 0x2d] = RM_REG(X | S8 | R, SY | W),
	[0x51] = VECTOR(S8),
	[0x58 ... 0x5a] = VECTOR(S8),
	[0x5c ... 0x5f] = VECTOR(S8),
	[0x70] = VECTOR_IMM(S16),
	[0x7c ... 0x7d] = VECTOR(S16),
	[0xc2] = VECTOR_IMM(S8),
	[0xd0] = VECTOR(S16),
	[0xe6] = VECTOR(S16),
	[0xf0] = RM_REG(X | S16 | R, X | W, .form = MEMORY_ONLY),
    },
};

/* ---- an instruction ---- */

enum { CF = 1, PF = 4, AF = 0x10, ZF = 0x40, SF = 0x80, OF = 0x800 };

static const struct {
	u16 reads, kills;
} flags_of[] = {
    [ARITH] = {0, FLAG_ARITH},
    [CARRY] = {CF, FLAG_ARITH},
    [LOGIC] = {0, FLAG_ARITH & ~AF},
    [INC] = {0, FLAG_ARITH & ~CF},
    [SHIFT] = {0, CF | PF | ZF | SF},
    [ROTATE] = {0, CF},
    [THROUGH_CARRY] = {CF, CF},
    [MUL] = {0, CF | OF},
    [BIT] = {0, CF},
    [SCAN] = {0, ZF},
    [COUNT] = {0, CF | ZF},
    [CONDITION] = {0, 0}, /* by its code */
};

static const u16 condition_reads[8] = {OF, CF, ZF, CF | ZF, SF, PF, SF | OF, ZF | SF | OF};

/* What is read of an instruction before its row says more. */
struct encoding {
	bool size16; /* 66 */
	bool fs;
	u8 rep;         /* F2, F3; 0: neither */
	u8 rex, rex_at; /* 0: none */
	const struct opcode *map;
	u8 opcode, modrm, sib;
	bool has_sib;
	u8 modrm_at, disp_at, disp_len, len; /* len: without the immediate */
};

static bool is_prefix(struct encoding *e, u8 byte)
{
	switch (byte) {
	case 0x66:
		e->size16 = true;
		return true;
	case 0xf2:
	case 0xf3:
		e->rep = byte;
		return true;
	case 0x64:
		e->fs = true;
		return true;
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
		return true;
	default:
		return false;
	}
}

/* Up to ModRM's displacement; false: not one of these. 15 bytes may be looked at. */
static bool read_encoding(const u8 *bytes, struct encoding *e)
{
	unsigned at = 0;

	*e = (struct encoding){0};
	while (is_prefix(e, bytes[at]))
		if (++at > 4)
			return false;
	if ((bytes[at] & 0xf0) == 0x40) {
		e->rex_at = (u8)at;
		e->rex = bytes[at++];
	}
	if (bytes[at] == 0x0f) {
		e->map = e->rep == 0xf2 ? two[3] : e->rep ? two[2] : e->size16 ? two[1] : two[0];
		at++;
	} else {
		e->map = one;
		if (e->rep && bytes[at] != 0xc3) /* rep ret is a ret */
			return false;
	}
	e->opcode = bytes[at++];
	e->len = (u8)at;
	return e->map[e->opcode].known;
}

/* Its ModRM, SIB and displacement. */
static void read_modrm(const u8 *bytes, struct encoding *e)
{
	unsigned mod, rm;

	e->modrm_at = e->len++;
	e->modrm = bytes[e->modrm_at];
	mod = e->modrm >> 6;
	rm = e->modrm & 7;
	if (mod != 3 && rm == 4) {
		e->sib = bytes[e->len++];
		e->has_sib = true;
		rm = e->sib & 7;
	}
	e->disp_at = e->len;
	e->disp_len = mod == 1 ? 1 : mod == 2 || (mod == 0 && rm == 5) ? 4 : 0;
	e->len += e->disp_len;
}

/* A group's row says what its first one leaves open. */
static bool find_row(const struct encoding *e, struct opcode *row)
{
	*row = e->map[e->opcode];
	if (row->group) {
		const struct opcode *g = &group[row->group][e->modrm >> 3 & 7];

		if (!g->known)
			return false;
		row->rm = g->rm & SIZE ? g->rm : row->rm | g->rm;
		row->imm |= g->imm;
		row->form |= g->form;
		row->flags = g->flags;
		row->what |= g->what;
		row->kind = g->kind;
	}
	if (row->modrm && row->form & (e->modrm >> 6 == 3 ? MEMORY_ONLY : REGISTER_ONLY))
		return false;
	return !(row->form & NO_66 && e->size16);
}

static unsigned size_of(unsigned operand, const struct encoding *e)
{
	bool wide = e->rex & 8;

	switch (operand & SIZE) {
	case S1:
		return 1;
	case S2:
		return 2;
	case S4:
		return 4;
	case S8:
		return 8;
	case S16:
		return 16;
	case SV:
		return wide ? 8 : e->size16 ? 2 : 4;
	case SY:
		return wide ? 8 : 4;
	default:
		return e->size16 && !wide ? 2 : 8;
	}
}

static unsigned imm_len(unsigned imm, const struct encoding *e)
{
	switch (imm) {
	case NO_IMM:
		return 0;
	case IMM8:
	case REL8:
		return 1;
	case IMM16:
		return 2;
	case IMMV:
		if (e->rex & 8)
			return 8;
		/* fallthrough */
	case IMMZ:
		return e->size16 && !(e->rex & 8) ? 2 : 4;
	default:
		return 4;
	}
}

/* Little endian, with its sign. */
static s64 number(const u8 *at, unsigned len)
{
	u64 n = 0;

	memcpy(&n, at, len);
	return len ? (s64)(n << (64 - 8 * len)) >> (64 - 8 * len) : 0;
}

static void use(struct insn *i, unsigned r, unsigned how, unsigned size)
{
	u16 bit = (u16)(1u << r);

	if (how & W)
		i->writes |= bit;
	if ((how & RW) == W && size >= 4)
		i->kills |= bit;
	else if (how & RW)
		i->reads |= bit;
}

/* A register as an operand has it: without REX 4..7 of a byte are ah, ch, dh, bh. */
static void use_operand(struct insn *i, unsigned r, unsigned operand, const struct encoding *e)
{
	unsigned size = size_of(operand, e);

	if (!(operand & X))
		use(i, size == 1 && !e->rex ? r & 3 : r, operand, size);
}

static unsigned base_of(const struct encoding *e)
{
	unsigned low = (e->has_sib ? e->sib : e->modrm) & 7;

	if (e->modrm >> 6 == 0 && low == 5)
		return e->has_sib ? BASE_NONE : BASE_RIP;
	return low | (e->rex & 1) << 3;
}

static unsigned index_of(const struct encoding *e)
{
	unsigned index = (e->sib >> 3 & 7) | (e->rex & 2) << 2;

	return e->has_sib && index != RSP ? index : BASE_NONE;
}

static void add_operand(struct insn *i, struct operand o)
{
	i->operand[i->nr_operands++] = o;
}

static void use_memory(struct insn *i, const struct opcode *row, const struct encoding *e)
{
	unsigned base = base_of(e), index = index_of(e), how = row->rm & RW;
	s64 disp = number(i->bytes + e->disp_at, e->disp_len);

	if (base < BASE_NONE)
		i->reads |= (u16)(1u << base);
	if (index < BASE_NONE)
		i->reads |= (u16)(1u << index);
	if (base == BASE_RIP) {
		i->relative = true;
		i->modrm_at = e->modrm_at;
		i->disp_at = e->disp_at;
		i->base_at = e->rex_at;
		i->base_clear = e->rex ? 1 : 0;
		disp += (s64)(i->pc + i->len);
	}
	if (how)
		add_operand(i, (struct operand){.base = (u8)base,
						.index = (u8)index,
						.scale = index < BASE_NONE ? (u8)(1u << (e->sib >> 6)) : 1,
						.segment = e->fs ? SEGMENT_FS : SEGMENT_NONE,
						.rw = how & W ? 2 : 1,
						.times = how == RW ? 2 : 1,
						.len = (u16)size_of(row->rm, e),
						.disp = disp});
}

static void add_stack(struct insn *i, unsigned base, s64 disp, unsigned how, unsigned len)
{
	add_operand(i, (struct operand){.base = (u8)base,
					.index = BASE_NONE,
					.scale = 1,
					.rw = (u8)how,
					.times = 1,
					.len = (u16)len,
					.disp = disp});
}

static void use_flags(struct insn *i, const struct opcode *row, const struct encoding *e, s64 imm)
{
	i->flag_reads = flags_of[row->flags].reads;
	i->flag_kills = flags_of[row->flags].kills;
	if (row->flags == CONDITION)
		i->flag_reads = condition_reads[e->opcode >> 1 & 7];
	if (row->flags == SHIFT || row->flags == ROTATE || row->flags == THROUGH_CARRY)
		if (row->what == BY_CL || (row->imm == IMM8 && !(imm & (size_of(row->rm, e) == 8 ? 63 : 31))))
			i->flag_kills = 0; /* it shifts by 0, or may */
}

/* What no operand says. reg, rm: their registers; size: the operation's. */
static void use_more(struct insn *i, const struct opcode *row, const struct encoding *e, unsigned reg, unsigned rm,
		     s64 imm)
{
	unsigned operand = row->rm & SIZE ? row->rm : row->reg, size = size_of(operand, e);
	bool registers = !row->modrm || e->modrm >> 6 == 3;

	switch (row->what) {
	case ADDS:
	case SUBTRACTS:
		if (size != 8 || !registers)
			return;
		i->steps = (u8)(row->modrm ? rm : RAX);
		i->step = (s32)(row->what == ADDS ? imm : -imm);
		return;
	case CLEARS:
		if (!registers || reg != rm || size < 4)
			return;
		i->reads = 0;
		i->kills |= (u16)(1u << reg);
		return;
	case BY_CL:
		use(i, RCX, R, 1);
		return;
	case WITH_RAX:
		use(i, RAX, RW, size);
		return;
	case EXTENDS:
		use(i, RDX, W, size);
		return;
	case MULTIPLIES:
	case DIVIDES:
		use(i, RAX, RW, size);
		if (size > 1)
			use(i, RDX, row->what == DIVIDES ? RW : W, size);
		return;
	case PUSHES:
		add_stack(i, RSP, -(s64)size, 2, size);
		use(i, RSP, RW, 8);
		if (i->kind != INSN_COPY)
			return;
		i->steps = RSP;
		i->step = -(s32)size;
		return;
	case POPS:
		add_stack(i, RSP, 0, 1, size);
		use(i, RSP, RW, 8);
		if (i->kind != INSN_COPY || reg == RSP)
			return;
		i->steps = RSP;
		i->step = (s32)size;
		return;
	case LEAVES:
		add_stack(i, RBP, 0, 1, 8);
		use(i, RBP, RW, 8);
		use(i, RSP, W, 8);
		return;
	default:
		return;
	}
}

static void set_branch(struct insn *i, const struct encoding *e, unsigned rm, s64 imm)
{
	switch (i->kind) {
	case INSN_JCC:
		i->condition = e->opcode & 15;
		/* fallthrough */
	case INSN_JUMP:
	case INSN_CALL:
		i->target = i->pc + i->len + (u64)imm;
		return;
	case INSN_JUMP_IND:
	case INSN_CALL_IND:
		i->target_in = e->modrm >> 6 == 3 ? (u8)rm : BASE_NONE;
		return;
	case INSN_RET:
		i->pops = (u16)imm;
		return;
	default:
		return;
	}
}

bool decode_by_table(u64 pc, const u8 *bytes, unsigned most, struct insn *i)
{
	struct encoding e;
	struct opcode row;
	unsigned len, reg, rm;
	s64 imm;

	if (most < 15 || !read_encoding(bytes, &e))
		return false;
	if (e.map[e.opcode].modrm)
		read_modrm(bytes, &e);
	if (!find_row(&e, &row))
		return false;
	if ((e.map == one && e.opcode == 0x90 && e.rex & 1) || (row.what == ENDBR && e.modrm != 0xfa))
		return false;
	len = imm_len(row.imm, &e);
	if (e.len + len > 15)
		return false;
	memset(i, 0, offsetof(struct insn, operand));
	i->pc = pc;
	i->bytes = bytes;
	i->len = (u8)(e.len + len);
	i->kind = row.kind;
	i->steps = BASE_NONE;
	imm = number(bytes + e.len, len);
	reg = row.form & IN_RAX      ? RAX
	      : row.form & IN_OPCODE ? (e.opcode & 7) | (e.rex & 1) << 3
				     : (e.modrm >> 3 & 7) | (e.rex & 4) << 1;
	rm = (e.modrm & 7) | (e.rex & 1) << 3;
	use_operand(i, reg, row.reg, &e);
	if (row.modrm && e.modrm >> 6 == 3)
		use_operand(i, rm, row.rm, &e);
	else if (row.modrm)
		use_memory(i, &row, &e);
	use_flags(i, &row, &e, imm);
	use_more(i, &row, &e, reg, rm, imm);
	set_branch(i, &e, rm, imm);
	i->reads |= 1u << RSP;
	i->kills &= (u16)~i->reads;
	return true;
}
