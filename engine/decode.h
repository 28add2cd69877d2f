/* SPDX-License-Identifier: MIT
 *
 * engine/decode.h - an instruction of the program, as translation wants it: what kind it is, which registers and flags
 * it reads and which it overwrites whole, where it accesses memory.
 */
#ifndef ENGINE_DECODE_H
#define ENGINE_DECODE_H

#include <Zydis/Zydis.h>

#include "lib/types.h"

/* What becomes of it. */
enum insn_kind {
	INSN_COPY,     /* as it is */
	INSN_JCC,      /* conditional jump */
	INSN_JRCX,     /* jrcxz, jecxz, loop, loope, loopne: conditional, short only */
	INSN_JUMP,     /* direct */
	INSN_CALL,     /* direct */
	INSN_JUMP_IND, /* by a register or memory */
	INSN_CALL_IND,
	INSN_RET,
	INSN_SYSCALL,
	INSN_STRING,  /* with a rep prefix */
	INSN_GATHER,  /* addresses that the runtime has to work out: gather.h */
	INSN_TRAP,    /* always faults: ud2, int3, hlt. As it is, and nothing behind it */
	INSN_REFUSED, /* why: in refusal */
	INSN_BAD,     /* no instruction */
	INSN_CUT,     /* its bytes end before it does */
};

#define BASE_NONE 16
#define BASE_RIP  17

/* One access: [base + index * scale + disp], of len bytes. */
struct operand {
	u8 base, index; /* 0..15, BASE_NONE; base: BASE_RIP: disp is the address */
	u8 scale;
	bool fs;     /* fs: */
	bool addr32; /* the address is cut to 32 bits */
	bool masked; /* not all of it is touched: gather.h */
	u8 rw;       /* bit 0: read, bit 1: written */
	u8 times;    /* accesses that it counts as: 2: it is read, then written */
	u16 len;
	s64 disp;
};

#define MAX_OPERANDS 3

struct insn {
	u64 pc, target;  /* target: of a direct jump or call */
	const u8 *bytes; /* as they were read, once */
	u8 len, kind;
	u8 nr_operands;
	bool relative;              /* an operand is at an address relative to RIP */
	u16 reads, kills, writes;   /* registers: bit n; kills: overwrites whole */
	u16 flag_reads, flag_kills; /* FLAG_ARITH bits of RFLAGS */
	u16 flag_live;              /* before it: block.c */
	struct operand operand[MAX_OPERANDS];
	const char *refusal;
	ZydisDecodedInstruction z;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
};

/* CF PF AF ZF SF OF */
#define FLAG_ARITH 0x8d5u
#define FLAG_OF    0x800u

void decode_init(void);
/* The instruction at pc, whose bytes are these, so many. */
void decode(u64 pc, const u8 *bytes, unsigned most, struct insn *insn);
/* A register's number, 0..15, or -1: not a general one. *bits: its width. */
int decode_gpr(ZydisRegister reg, unsigned *bits);
/* An operand's base: 0..15, BASE_NONE, BASE_RIP. */
unsigned decode_base(ZydisRegister reg);

static inline bool insn_ends_block(const struct insn *i)
{
	return i->kind != INSN_COPY && i->kind != INSN_STRING && i->kind != INSN_GATHER;
}

#endif
