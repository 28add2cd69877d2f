/* SPDX-License-Identifier: MIT
 *
 * engine/emit.h - machine code, a function an instruction, at *at and behind. Registers are numbers 0..15; off is an
 * offset in struct thread. None of them changes flags, unless its comment says so. The commonest work on a copy of *at,
 * which bytes that are written cannot change.
 */
#ifndef ENGINE_EMIT_H
#define ENGINE_EMIT_H

#include <string.h>

#include "engine/decode.h"
#include "engine/state.h"

#define OFF(field) ((s32)offsetof(struct thread, field))

static inline void put1(u8 **at, unsigned byte)
{
	*(*at)++ = (u8)byte;
}

static inline void put4(u8 **at, s64 value)
{
	s32 v = (s32)value;

	memcpy(*at, &v, 4);
	*at += 4;
}

static inline void put8(u8 **at, u64 value)
{
	memcpy(*at, &value, 8);
	*at += 8;
}

static inline void put(u8 **at, const char *bytes, unsigned n)
{
	memcpy(*at, bytes, n);
	*at += n;
}
#define PUT(at, bytes) put(at, bytes, sizeof(bytes) - 1)

/* op r, gs:[off], 64 bits */
static inline void emit_gs(u8 **at, unsigned op, unsigned r, s32 off)
{
	u8 *p = *at;

	put1(&p, 0x65);
	put1(&p, 0x48 | (r >> 3) << 2);
	put1(&p, op);
	put1(&p, 4 | (r & 7) << 3);
	put1(&p, 0x25);
	put4(&p, off);
	*at = p;
}

static inline void emit_save(u8 **at, unsigned r, s32 off)
{
	emit_gs(at, 0x89, r, off);
}

static inline void emit_load(u8 **at, unsigned r, s32 off)
{
	emit_gs(at, 0x8b, r, off);
}

/* mov r, gs:[off], 32 bits; r is one of the first eight */
static inline void emit_load32(u8 **at, unsigned r, s32 off)
{
	u8 *p = *at;

	put1(&p, 0x65);
	put1(&p, 0x8b);
	put1(&p, 4 | r << 3);
	put1(&p, 0x25);
	put4(&p, off);
	*at = p;
}

/* op r, gs:[base + off], 64 bits; base is not rsp or r12. */
static inline void emit_gs_base(u8 **at, unsigned op, unsigned r, unsigned base, s32 off)
{
	put1(at, 0x65);
	put1(at, 0x48 | (r >> 3) << 2 | base >> 3);
	put1(at, op);
	put1(at, 0x80 | (r & 7) << 3 | (base & 7));
	put4(at, off);
}

/* op r, gs:[index * 8 + off], 64 bits */
static inline void emit_gs_index(u8 **at, unsigned op, unsigned r, unsigned index, s32 off)
{
	put1(at, 0x65);
	put1(at, 0x48 | (r >> 3) << 2 | (index >> 3) << 1);
	put1(at, op);
	put1(at, 4 | (r & 7) << 3);
	put1(at, 0xc5 | (index & 7) << 3);
	put4(at, off);
}

/* mov gs:[off], imm (a sign-extended 32-bit one) */
static inline void emit_set(u8 **at, s32 off, s32 imm)
{
	u8 *p = *at;

	PUT(&p, "\x65\x48\xc7\x04\x25");
	put4(&p, off);
	put4(&p, imm);
	*at = p;
}

/* mov gs:[off], value, in two halves */
static inline void emit_set64(u8 **at, s32 off, u64 value)
{
	u8 *p = *at;

	for (unsigned half = 0; half < 2; half++) {
		PUT(&p, "\x65\xc7\x04\x25");
		put4(&p, off + 4 * (s32)half);
		put4(&p, (s32)(value >> 32 * half));
	}
	*at = p;
}

/* jmp gs:[off] */
static inline void emit_jump_gs(u8 **at, s32 off)
{
	u8 *p = *at;

	PUT(&p, "\x65\xff\x24\x25");
	put4(&p, off);
	*at = p;
}

/* mov r, imm64 */
static inline void emit_constant(u8 **at, unsigned r, u64 value)
{
	u8 *p = *at;

	put1(&p, 0x48 | r >> 3);
	put1(&p, 0xb8 | (r & 7));
	put8(&p, value);
	*at = p;
}

/* lea r, [base + disp], 64 bits */
static inline void emit_lea(u8 **at, unsigned r, unsigned base, s32 disp)
{
	put1(at, 0x48 | (r >> 3) << 2 | base >> 3);
	put1(at, 0x8d);
	put1(at, 0x80 | (r & 7) << 3 | (base & 7));
	if ((base & 7) == 4)
		put1(at, 0x24);
	put4(at, disp);
}

/* op r, [operand] without its segment; wide: 64 bits. Not for BASE_RIP. */
static inline void emit_operand(u8 **at, unsigned op, unsigned r, const struct operand *o, bool wide)
{
	unsigned shift = o->scale == 8 ? 3 : o->scale == 4 ? 2 : o->scale == 2 ? 1 : 0;
	unsigned index = o->index == BASE_NONE ? 4 : o->index, base = o->base == BASE_NONE ? 5 : o->base;

	if (o->addr32)
		put1(at, 0x67);
	put1(at, (wide ? 0x48 : 0x40) | (r >> 3) << 2 | (index >> 3) << 1 | base >> 3);
	put1(at, op);
	put1(at, (o->base == BASE_NONE ? 0x04 : 0x84) | (r & 7) << 3);
	put1(at, shift << 6 | (index & 7) << 3 | (base & 7));
	put4(at, o->disp);
}

/* A 32-bit field that a jump's or an operand's distance goes into; false: out of reach. */
static inline bool emit_reach(const u8 *field, u64 to, s32 *distance)
{
	s64 d = (s64)(to - (u64)(field + 4));

	*distance = (s32)d;
	return d == *distance;
}

static inline void emit_patch(u8 *field, const u8 *to)
{
	s32 d = 0;

	emit_reach(field, (u64)to, &d);
	__atomic_store_n((s32 *)field, d, __ATOMIC_RELEASE);
}

#endif
