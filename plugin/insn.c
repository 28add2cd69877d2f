/* SPDX-License-Identifier: MIT
 *
 * plugin/insn.c - enough of the x86-64 encoding to know the instructions that certainly access data memory.
 *
 *   [66 f2 f3 segment lock]* [REX 4x] opcode [ModRM ...]          ModRM: mod(7:6) reg(5:3) rm(2:0); mod 3 = a register
 *
 * Bit tables, one an opcode map: the opcodes whose memory form always accesses what ModRM names, and of those the ones
 * that only load, or only store. Left out are those that only compute the address (LEA, NOP, prefetches), string
 * instructions (REP may count 0) and all rare ones.
 * Source: Intel SDM volume 2, appendix A, tables.
 */
#include "plugin/insn.h"

#define ROW(r, bits) ((u64)(bits) << ((r) % 4 * 16))

/* Bit n of word n/64: opcode n with a memory operand. */
struct opcode_map {
	u64 touches[4], loads[4], stores[4];
};

static const struct opcode_map one_byte = {
    .touches =
	{
	    /* 00-3f: the eight arithmetic operations, forms Eb,Gb Ev,Gv Gb,Eb Gv,Ev */
	    ROW(0, 0x0f0f) | ROW(1, 0x0f0f) | ROW(2, 0x0f0f) | ROW(3, 0x0f0f),
	    /* 63 movslq, 69 6b imul */
	    ROW(6, 1 << 3 | 1 << 9 | 1 << 11),
	    /* 80 81 83 arithmetic with immediate, 84 85 test, 86 87 xchg, 88-8b mov */
	    ROW(8, 1 << 0 | 1 << 1 | 0xff8),
	    /* c0 c1 d0-d3 shifts, c6 c7 mov immediate, f6 f7 test..idiv, fe ff inc..push */
	    ROW(12, 0xc3) | ROW(13, 0xf) | ROW(15, 0xc0c0),
	},
    .loads =
	{
	    /* the forms into a register; 38 39 cmp in any form */
	    ROW(0, 0x0c0c) | ROW(1, 0x0c0c) | ROW(2, 0x0c0c) | ROW(3, 0x0f0c),
	    ROW(6, 1 << 3 | 1 << 9 | 1 << 11),
	    /* 84 85 test, 8a 8b mov */
	    ROW(8, 0xc30),
	},
    .stores = {[2] = ROW(8, 0x300), [3] = ROW(12, 0xc0)}, /* 88 89, c6 c7 mov */
};
static const struct opcode_map two_byte = {
    .touches =
	{
	    /* 10 11 28 29 moves of vectors, 2a conversions, 2e 2f comparisons */
	    ROW(1, 0x3) | ROW(2, 1 << 8 | 1 << 9 | 1 << 10 | 1 << 14 | 1 << 15),
	    /* 40-4f cmov (it reads whatever the condition), 51-6f arithmetic and moves of vectors, 74-76 7e 7f too */
	    ROW(4, 0xffff) | ROW(5, 0xfffe) | ROW(6, 0xffff) | ROW(7, 0xc070),
	    /* 90-9f setcc, a3 ab bit tests, af imul, b0 b1 cmpxchg, b6 b7 be bf extensions */
	    ROW(9, 0xffff) | ROW(10, 1 << 3 | 1 << 11 | 1 << 15) | ROW(11, 0xc0c3),
	    /* c0 c1 xadd, d4-ef arithmetic of vectors */
	    ROW(12, 0x3) | ROW(13, 0xfff0) | ROW(14, 0xffff),
	},
    .loads =
	{
	    ROW(1, 0x1) | ROW(2, 1 << 8 | 1 << 10 | 1 << 14 | 1 << 15),
	    ROW(4, 0xffff) | ROW(5, 0xfffe) | ROW(6, 0xffff) | ROW(7, 0x70),
	    ROW(10, 1 << 3 | 1 << 15) | ROW(11, 0xc0c0),
	    ROW(13, 0xffb0) | ROW(14, 0xff7f),
	},
    /* 11 29 7f moves of vectors, 90-9f setcc, d6 e7 moves of vectors */
    .stores = {ROW(1, 0x2) | ROW(2, 1 << 9), ROW(7, 0x8000), ROW(9, 0xffff), ROW(13, 0x40) | ROW(14, 0x80)},
};

static bool is_prefix(u8 b)
{
	return b == 0x66 || b == 0xf2 || b == 0xf3 || b == 0xf0 || b == 0x2e || b == 0x36 || b == 0x3e || b == 0x26 ||
	       b == 0x64 || b == 0x65;
}

/* push, pop, call, ret, leave: the stack, whatever the operands. */
static unsigned stack_accesses(u8 op)
{
	if ((op >= 0x50 && op <= 0x57) || op == 0x68 || op == 0x6a || op == 0xe8)
		return INSN_STORES | INSN_ONCE;
	if ((op >= 0x58 && op <= 0x5f) || op == 0xc2 || op == 0xc3 || op == 0xc9)
		return INSN_LOADS | INSN_ONCE;
	return 0;
}

/* Opcodes that are several instructions, told apart by ModRM's reg: bit r: that one only loads. */
static u8 group_loads(u8 op)
{
	switch (op) {
	case 0x80:
	case 0x81:
	case 0x83:
		return 1 << 7; /* cmp */
	case 0xf6:
	case 0xf7:
		return 0xf3; /* test, mul, imul, div, idiv; not: not, neg */
	case 0xff:
		return 1 << 4; /* jmp */
	}
	return 0;
}

/* Of the two-byte map: not vectors, which may move 16 bytes in two accesses. */
static bool whole_numbers(u8 op)
{
	return op >> 4 == 0x4 || (op >= 0x90 && op <= 0xbf);
}

static bool has(const u64 table[4], u8 op)
{
	return table[op / 64] >> (op % 64) & 1;
}

unsigned insn_accesses(const u8 *bytes, size_t len)
{
	const struct opcode_map *map = &one_byte;
	unsigned once;
	size_t i = 0;
	u8 op;

	while (i < len && is_prefix(bytes[i]))
		i++;
	if (i < len && (bytes[i] & 0xf0) == 0x40)
		i++;
	if (i < len && bytes[i] == 0x0f) {
		map = &two_byte;
		i++;
	}
	if (i >= len)
		return 0;
	op = bytes[i++];
	if (map == &one_byte && stack_accesses(op))
		return stack_accesses(op);
	if (!has(map->touches, op) || i >= len || bytes[i] >> 6 == 3)
		return 0;
	once = map == &one_byte || whole_numbers(op) ? INSN_ONCE : 0;
	if (has(map->loads, op) || (map == &one_byte && group_loads(op) >> (bytes[i] >> 3 & 7) & 1))
		return INSN_LOADS | once;
	return has(map->stores, op) ? INSN_STORES | once : INSN_LOADS | INSN_STORES;
}
