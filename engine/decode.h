/* SPDX-License-Identifier: MIT
 *
 * engine/decode.h - an instruction of the program, as translation wants it: what kind it is, which registers and flags
 * it reads and which it overwrites whole, where it accesses memory.
 */
#ifndef ENGINE_DECODE_H
#define ENGINE_DECODE_H

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
	INSN_MODES,   /* may set those of RFLAGS: popf, std; what is behind it may be single-stepped */
	INSN_FS_BASE, /* wrfsbase */
	INSN_GS_BASE, /* rdgsbase, wrgsbase: of the program's gs, which the thread keeps */
	INSN_IRET,    /* iretq */
	INSN_XBEGIN,  /* the transaction is aborted at once */
	INSN_GATHER,  /* addresses that the runtime has to work out: gather.h */
	INSN_TRAP,    /* always faults: ud2, int3, hlt. As it is, and nothing behind it */
	INSN_REFUSED, /* why: in refusal */
	INSN_BAD,     /* no instruction */
	INSN_CUT,     /* its bytes end before it does */
};

#define BASE_NONE 16
#define BASE_RIP  17

enum { SEGMENT_NONE, SEGMENT_FS, SEGMENT_GS };

/* One access: [base + index * scale + disp], of len bytes. */
struct operand {
	u8 base, index; /* 0..15, BASE_NONE; base: BASE_RIP: disp is the address */
	u8 scale;
	u8 segment;  /* SEGMENT_* */
	bool addr32; /* the address is cut to 32 bits */
	bool masked; /* not all of it is touched: gather.h */
	u8 rw;       /* bit 0: read, bit 1: written */
	u8 times; /* accesses that it counts as: 2: it is read, then written; 0: it must only be such that it could be */
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
	bool by_gs;                 /* one has SEGMENT_GS */
	u16 reads, kills, writes;   /* registers: bit n; kills: overwrites whole */
	u16 flag_reads, flag_kills; /* FLAG_ARITH bits of RFLAGS */
	u16 flag_live, flag_taken;  /* before it; where an exit leads: block.c */
	u16 pops;                   /* INSN_RET: bytes beside the address */
	u8 condition;               /* INSN_JCC: of its opcode */
	u8 target_in;               /* INSN_JUMP_IND, INSN_CALL_IND: the register; BASE_NONE: operand[0] has it */
	u8 base_in;                 /* INSN_FS_BASE, INSN_GS_BASE: the register */
	u8 string, element;         /* INSN_STRING: SITE_* of cache.h; bytes (INSN_GS_BASE, too) */
	u8 steps;                   /* the register to which `step` is added and nothing else; BASE_NONE: none */
	s32 step;
	/* relative, by_gs: where in its bytes ModRM and the displacement are, and (by_gs) what is behind that; where the bits
	 * are that make a base r8..15, and how they say that it is none of those */
	u8 modrm_at, disp_at, tail_at, base_at, base_clear, base_set;
	const char *refusal;
	struct operand operand[MAX_OPERANDS];
};

/* CF PF AF ZF SF OF */
#define FLAG_ARITH 0x8d5u
#define FLAG_OF    0x800u

void decode_init(void);
/* flags.c: the flags that are not what they were behind an instruction that defines these. */
void flags_init(void);
unsigned flags_killed(unsigned defined);
/* The instruction at pc, whose bytes are these, so many. With the cache's lock. */
void decode(u64 pc, const u8 *bytes, unsigned most, struct insn *insn);

static inline bool insn_ends_block(const struct insn *i)
{
	return i->kind != INSN_COPY && i->kind != INSN_STRING && i->kind != INSN_GATHER && i->kind != INSN_FS_BASE &&
	       i->kind != INSN_GS_BASE;
}

#endif
