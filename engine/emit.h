/* SPDX-License-Identifier: MIT
 *
 * engine/emit.h - machine code, a function an instruction or a few, at *at and behind. Registers are numbers 0..15; off
 * is an offset in struct thread. None of them changes flags, unless its comment says so. The commonest work on a copy of
 * *at, which bytes that are written cannot change.
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

/* op r, gs:[off], 64 bits if wide, else 32 */
static inline void emit_gs_sized(u8 **at, unsigned op, unsigned r, s32 off, bool wide)
{
	u8 *p = *at;

	put1(&p, 0x65);
	put1(&p, (wide ? 0x48 : 0x40) | (r >> 3) << 2);
	put1(&p, op);
	put1(&p, 4 | (r & 7) << 3);
	put1(&p, 0x25);
	put4(&p, off);
	*at = p;
}

static inline void emit_gs(u8 **at, unsigned op, unsigned r, s32 off)
{
	emit_gs_sized(at, op, r, off, true);
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

/* A ModRM's displacement: its field `mod`, and as many bytes as it needs. Code that is shorter is sooner in the caches:
 * it is some fifteen times as long as the program's. none: it may be 0. */
static inline unsigned disp_mod(s32 disp, bool none)
{
	return none && disp == 0 ? 0 : disp == (signed char)disp ? 0x40 : 0x80;
}

static inline void put_disp(u8 **at, s32 disp, unsigned mod)
{
	if (mod == 0x40)
		put1(at, (u8)disp);
	if (mod == 0x80)
		put4(at, disp);
}

/* op r, gs:[base + off], 64 bits; base is not rsp or r12. */
static inline void emit_gs_base(u8 **at, unsigned op, unsigned r, unsigned base, s32 off)
{
	u8 *p = *at;
	unsigned mod = disp_mod(off, false);

	put1(&p, 0x65);
	put1(&p, 0x48 | (r >> 3) << 2 | base >> 3);
	put1(&p, op);
	put1(&p, mod | (r & 7) << 3 | (base & 7));
	put_disp(&p, off, mod);
	*at = p;
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

/* The same, of one byte. */
static inline void emit_set8(u8 **at, s32 off, u8 imm)
{
	PUT(at, "\x65\xc6\x04\x25");
	put4(at, off);
	put1(at, imm);
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

/* The program's register becomes a base that the thread keeps. */
static inline void emit_keep_base(u8 **at, const struct insn *i, s32 off)
{
	if (i->element == 4)
		emit_set(at, off, 0);
	emit_gs_sized(at, 0x89, i->base_in, off, i->element == 8);
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
	u8 *p = *at;
	unsigned mod = disp_mod(disp, false);

	put1(&p, 0x48 | (r >> 3) << 2 | base >> 3);
	put1(&p, 0x8d);
	put1(&p, mod | (r & 7) << 3 | (base & 7));
	if ((base & 7) == 4)
		put1(&p, 0x24);
	put_disp(&p, disp, mod);
	*at = p;
}

/* op r, [operand] without its segment; wide: 64 bits. Not for BASE_RIP. */
static inline void emit_operand(u8 **at, unsigned op, unsigned r, const struct operand *o, bool wide)
{
	u8 *p = *at;
	unsigned shift = o->scale == 8 ? 3 : o->scale == 4 ? 2 : o->scale == 2 ? 1 : 0;
	unsigned index = o->index == BASE_NONE ? 4 : o->index, base = o->base == BASE_NONE ? 5 : o->base;
	bool sib = o->base == BASE_NONE || (base & 7) == 4 || o->index != BASE_NONE;
	unsigned mod = o->base == BASE_NONE ? 0 : disp_mod((s32)o->disp, (base & 7) != 5);

	if (o->addr32)
		put1(&p, 0x67);
	put1(&p, (wide ? 0x48 : 0x40) | (r >> 3) << 2 | (index >> 3) << 1 | base >> 3);
	put1(&p, op);
	put1(&p, mod | (r & 7) << 3 | (sib ? 4 : base & 7));
	if (sib)
		put1(&p, shift << 6 | (index & 7) << 3 | (base & 7));
	put_disp(&p, (s32)o->disp, o->base == BASE_NONE ? 0x80 : mod);
	*at = p;
}

/* lea r, [the operand's address]; fs, gs: by way of their bases. */
static inline void emit_address(u8 **at, unsigned r, unsigned other, const struct operand *o)
{
	if (o->base == BASE_RIP)
		emit_constant(at, r, (u64)o->disp);
	else
		emit_operand(at, 0x8d, r, o, !o->addr32);
	if (o->segment) {
		emit_load(at, other, o->segment == SEGMENT_FS ? OFF(fs_base) : OFF(gs_base));
		put1(at, 0x48 | (r >> 3) * 5 | (other >> 3) << 1); /* lea r, [r + other] */
		put1(at, 0x8d);
		put1(at, 0x44 | (r & 7) << 3);
		put1(at, (other & 7) << 3 | (r & 7));
		put1(at, 0);
	}
}

#define TAG_MASK (sizeof(((struct window *)0)->tag) - sizeof(struct window_tag))

/* rorx to, from, 7; and to32, mask: a tag's offset */
static inline void emit_tag(u8 **at, unsigned to, unsigned from)
{
	put1(at, 0xc4);
	put1(at, 0x43 | (to < 8 ? 0x80 : 0) | (from < 8 ? 0x20 : 0));
	PUT(at, "\xfb\xf0");
	put1(at, 0xc0 | (to & 7) << 3 | (from & 7));
	put1(at, 7);
	if (to >= 8)
		put1(at, 0x41);
	put1(at, 0x81);
	put1(at, 0xe0 | (to & 7));
	put4(at, TAG_MASK);
}

/* Where the tag of a page that is known is in struct thread. tags: where they are. */
static inline s32 tag_of(s32 tags, u64 page)
{
	return tags + (s32)(page / 4096 % WINDOW_TAGS * sizeof(struct window_tag));
}

/* By way of r: the tag's page is used at icount + stamp. */
static inline void emit_use(u8 **at, s32 tag, unsigned r, s32 stamp)
{
	emit_load(at, r, OFF(icount));
	if (stamp)
		emit_lea(at, r, r, stamp);
	emit_save(at, r, tag + (s32)offsetof(struct window_tag, used));
}

/* A prefix for 16 or 64 bits, and the opcode, which is the one before for 8. */
static inline void emit_sized(u8 **at, unsigned op, unsigned len)
{
	if (len == 2)
		put1(at, 0x66);
	if (len == 8)
		put1(at, 0x48);
	put1(at, len == 1 ? op - 1 : op);
}

/* mov [address], rax or a part of it */
static inline void emit_load_absolute(u8 **at, u64 address, unsigned len)
{
	emit_sized(at, 0xa1, len);
	put8(at, address);
}

/* add gs:[off], n, 64 bits; flags are kept on demand, by way of r */
static inline void emit_add(u8 **at, s32 off, s32 n, unsigned r, bool keeps_flags)
{
	if (!n)
		return;
	if (!keeps_flags) { /* add gs:[off], n */
		PUT(at, "\x65\x48");
		put1(at, n == (signed char)n ? 0x83 : 0x81);
		PUT(at, "\x04\x25");
		put4(at, off);
		if (n == (signed char)n)
			put1(at, (u8)n);
		else
			put4(at, n);
		return;
	}
	emit_load(at, r, off);
	emit_lea(at, r, r, n);
	emit_save(at, r, off);
}

/* Of an instruction's copy: its operand is at [r + disp32]. r is one of the first eight. */
static inline void set_base(u8 *copy, const struct insn *i, unsigned r)
{
	copy[i->base_at] = (u8)((copy[i->base_at] & ~i->base_clear) | i->base_set);
	copy[i->modrm_at] = (u8)((copy[i->modrm_at] & 0x38) | 0x80 | r);
}

/* Those of a segment or of a 32-bit address become ds, which says nothing. */
static inline void clear_prefixes(u8 *copy)
{
	for (;; copy++)
		switch (*copy) {
		case 0x64:
		case 0x65:
		case 0x67:
			*copy = 0x3e;
			break;
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
		case 0x40 ... 0x4f: /* REX */
		case 0x66:
		case 0xf0:
		case 0xf2:
		case 0xf3:
			break;
		default:
			return;
		}
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
