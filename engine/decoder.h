/* SPDX-License-Identifier: MIT
 *
 * engine/decoder.h - what is behind decode.h: two decoders, and all that Zydis says of an instruction, for gather.c and
 * the tests.
 */
#ifndef ENGINE_DECODER_H
#define ENGINE_DECODER_H

#include <Zydis/Zydis.h>

#include "engine/decode.h"

struct decoded {
	ZydisDecodedInstruction z;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
};

/* Zydis uses vector registers: the program's are kept. With the cache's lock. */
ZyanStatus decoder_run(const u8 *bytes, unsigned most, struct decoded *d);
/* A register's number, 0..15, or -1: not a general one. *bits: its width. */
int decoder_gpr(ZydisRegister reg, unsigned *bits);
/* An operand's base: 0..15, BASE_NONE, BASE_RIP. */
unsigned decoder_base(ZydisRegister reg);

/* As decode(): false: not one of those that opcodes.c knows, or fewer than 15 bytes. */
bool decode_by_table(u64 pc, const u8 *bytes, unsigned most, struct insn *insn);
/* Every instruction. */
void decode_by_zydis(u64 pc, const u8 *bytes, unsigned most, struct insn *insn);

#endif
