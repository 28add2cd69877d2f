/* SPDX-License-Identifier: MIT
 *
 * engine/gather.c - which bytes of memory an instruction touches, where its registers say so: gather.h.
 *
 * An element whose mask bit is clear is not touched: it may lie where nothing is mapped. Not so of the instructions whose
 * class of exceptions says NF (no fault suppression): these read all of their operand.
 *
 * Sources: Intel SDM volume 2, 2.7 (exception classes E1..E12), and at BT, XLAT, VGATHERDPS, VPMASKMOV, VPEXPANDD.
 */
#include "engine/gather.h"

#include "engine/cache.h"
#include "engine/runtime.h"
#include "lib/cpuid.h"

/* Where XSAVE's standard format has them: the upper halves of ymm0.., k0.., the upper halves of zmm0.., zmm16... */
enum { XSAVE_SSE = 160, XSAVE_AVX = 2, XSAVE_K = 5, XSAVE_ZMM_HIGH = 6, XSAVE_ZMM16 = 7, XSAVE_VECTORS = 0xe6 };
static u32 xsave_at[XSAVE_ZMM16 + 1];

static void find_xsave(void)
{
	for (u32 n = XSAVE_AVX; n <= XSAVE_ZMM16; n++)
		xsave_at[n] = cpuid(0xd, n).ebx;
}

/* ---- when the block is translated ---- */

static bool suppresses_faults(const ZydisDecodedInstruction *z)
{
	switch (z->mnemonic) { /* E4NF, which Zydis takes for E4 */
	case ZYDIS_MNEMONIC_VCVTNE2PS2BF16:
	case ZYDIS_MNEMONIC_VDBPSADBW:
	case ZYDIS_MNEMONIC_VGF2P8AFFINEQB:
	case ZYDIS_MNEMONIC_VGF2P8AFFINEINVQB:
		return false;
	default:
		break;
	}
	switch (z->meta.exception_class) {
	case ZYDIS_EXCEPTION_CLASS_E1NF:
	case ZYDIS_EXCEPTION_CLASS_E2NF:
	case ZYDIS_EXCEPTION_CLASS_E3NF:
	case ZYDIS_EXCEPTION_CLASS_E4NF:
	case ZYDIS_EXCEPTION_CLASS_E5NF:
	case ZYDIS_EXCEPTION_CLASS_E6NF:
	case ZYDIS_EXCEPTION_CLASS_E9NF:
	case ZYDIS_EXCEPTION_CLASS_E10NF:
	case ZYDIS_EXCEPTION_CLASS_E11NF:
		return false;
	default:
		return true;
	}
}

static bool masked_by_vector(ZydisMnemonic m)
{
	return m == ZYDIS_MNEMONIC_VMASKMOVPS || m == ZYDIS_MNEMONIC_VMASKMOVPD || m == ZYDIS_MNEMONIC_VPMASKMOVD ||
	       m == ZYDIS_MNEMONIC_VPMASKMOVQ;
}

static bool is_vector(const ZydisDecodedOperand *o)
{
	return o->type == ZYDIS_OPERAND_TYPE_REGISTER && o->reg.value >= ZYDIS_REGISTER_XMM0 &&
	       o->reg.value <= ZYDIS_REGISTER_ZMM31;
}

static unsigned vector_number(ZydisRegister r)
{
	return (unsigned)(r - ZYDIS_REGISTER_XMM0) % 32; /* xmm0..31, ymm0..31, zmm0..31 */
}

static bool has_bit_index(const struct decoded *d)
{
	switch (d->z.mnemonic) {
	case ZYDIS_MNEMONIC_BT:
	case ZYDIS_MNEMONIC_BTC:
	case ZYDIS_MNEMONIC_BTR:
	case ZYDIS_MNEMONIC_BTS:
		return d->op[1].type == ZYDIS_OPERAND_TYPE_REGISTER;
	default:
		return false;
	}
}

bool gather_is_masked(const struct decoded *d, const ZydisDecodedOperand *o)
{
	bool by_k = d->z.encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX && d->z.avx.mask.reg > ZYDIS_REGISTER_K0 &&
		    d->z.avx.mask.reg <= ZYDIS_REGISTER_K7 && suppresses_faults(&d->z);

	return o->mem.type == ZYDIS_MEMOP_TYPE_MEM && (by_k || masked_by_vector(d->z.mnemonic));
}

bool gather_is(const struct decoded *d, const ZydisDecodedOperand *o)
{
	return o->mem.type == ZYDIS_MEMOP_TYPE_VSIB || has_bit_index(d) || d->z.mnemonic == ZYDIS_MNEMONIC_XLAT;
}

static bool is_dense(const ZydisDecodedInstruction *z)
{
	return z->meta.category == ZYDIS_CATEGORY_EXPAND || z->meta.category == ZYDIS_CATEGORY_COMPRESS;
}

/* How many bits of the mask there are for the operand o: one for each of its elements, or, where it is broadcast, for each
 * element of that width that the vector has room for; fewer where that becomes wider. */
static unsigned mask_bits(const struct decoded *d, const ZydisDecodedOperand *o)
{
	unsigned n = d->z.avx.vector_length / o->element_size;

	if (d->z.avx.broadcast.mode == ZYDIS_BROADCAST_MODE_INVALID && d->z.mnemonic != ZYDIS_MNEMONIC_VMOVDDUP)
		return o->element_count;
	for (unsigned k = 0; k < d->z.operand_count; k++)
		if (is_vector(&d->op[k]))
			return min(n, (unsigned)d->op[k].element_count);
	return n;
}

/* The mask of a vector of addresses or of a masked operand, and its elements. */
static void set_mask(struct gather *g, const struct decoded *d, const ZydisDecodedOperand *o)
{
	if (d->z.encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX)
		g->mask = (u8)(d->z.avx.mask.reg - ZYDIS_REGISTER_K0);
	else /* gathers: their third; vmaskmov: the second */
		g->mask = (u8)(GATHER_IN_VECTOR + vector_number(d->op[g->kind == GATHER_VECTOR ? 2 : 1].reg.value));
	g->mask_len = g->len;
	if (g->kind == GATHER_VECTOR) {
		g->nr = (u8)(d->z.avx.vector_length / (8 * max(g->len, g->index_len)));
		g->mask_bits = g->nr;
		return;
	}
	g->mask_bits = (u8)mask_bits(d, o);
	g->nr = (u8)min(o->element_count, (u16)g->mask_bits);
	g->len = (u8)(o->size / 8 / g->nr);
}

/* The width of a vector of indices is in the name. */
static u8 index_bytes(const struct decoded *d, const ZydisDecodedOperand *o)
{
	unsigned bits = 0;

	if (o->mem.type == ZYDIS_MEMOP_TYPE_VSIB) {
		switch (d->z.mnemonic) {
		case ZYDIS_MNEMONIC_VGATHERDPS:
		case ZYDIS_MNEMONIC_VGATHERDPD:
		case ZYDIS_MNEMONIC_VPGATHERDD:
		case ZYDIS_MNEMONIC_VPGATHERDQ:
		case ZYDIS_MNEMONIC_VSCATTERDPS:
		case ZYDIS_MNEMONIC_VSCATTERDPD:
		case ZYDIS_MNEMONIC_VPSCATTERDD:
		case ZYDIS_MNEMONIC_VPSCATTERDQ:
			return 4;
		default:
			return 8;
		}
	}
	decoder_gpr(d->op[1].reg.value, &bits);
	return (u8)(bits / 8);
}

struct gather gather_make(const struct insn *i, s32 stamp)
{
	static struct decoded decoded;
	const struct decoded *d = &decoded;
	const ZydisDecodedOperand *o = d->op;
	struct gather g;

	if (!xsave_at[XSAVE_AVX])
		find_xsave();
	decoder_run(i->bytes, i->len, &decoded);
	while (o->type != ZYDIS_OPERAND_TYPE_MEMORY)
		o++;
	g = (struct gather){
	    .disp = o->mem.disp.has_displacement ? o->mem.disp.value : 0,
	    .stamp = stamp,
	    .rw = o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE ? SITE_WRITE : SITE_READ,
	    .base = (u8)decoder_base(o->mem.base),
	    .scale = o->mem.scale ? o->mem.scale : 1,
	    .fs = o->mem.segment == ZYDIS_REGISTER_FS,
	    .addr32 = d->z.address_width == 32,
	};
	if (g.base == BASE_RIP)
		g.disp += (s64)(i->pc + i->len);
	if (d->z.mnemonic == ZYDIS_MNEMONIC_XLAT) {
		g.kind = GATHER_XLAT;
		g.len = 1;
		return g;
	}
	if (has_bit_index(d)) {
		g.kind = GATHER_BITS;
		g.index_len = index_bytes(d, o);
		g.len = g.index_len;
		g.index = o->mem.index == ZYDIS_REGISTER_NONE ? BASE_NONE : (u8)decoder_gpr(o->mem.index, NULL);
		g.mask = (u8)decoder_gpr(d->op[1].reg.value, NULL); /* the register of the bit's number */
		return g;
	}
	g.len = (u8)(o->element_size / 8);
	if (o->mem.type == ZYDIS_MEMOP_TYPE_VSIB) {
		g.kind = GATHER_VECTOR;
		g.index = (u8)vector_number(o->mem.index);
		g.index_len = index_bytes(d, o);
	} else {
		g.kind = is_dense(&d->z) ? GATHER_DENSE : GATHER_MASKED;
	}
	set_mask(&g, d, o);
	return g;
}

/* ---- when it is executed ---- */

/* The byte of a vector register, as it was saved. */
static const u8 *vector_byte(const struct thread *t, unsigned n, unsigned byte)
{
	if (n >= 16)
		return t->xsave + xsave_at[XSAVE_ZMM16] + 64 * (n - 16) + byte;
	if (byte < 16)
		return t->xsave + XSAVE_SSE + 16 * n + byte;
	if (byte < 32)
		return t->xsave + xsave_at[XSAVE_AVX] + 16 * n + byte - 16;
	return t->xsave + xsave_at[XSAVE_ZMM_HIGH] + 32 * n + byte - 32;
}

/* Generated code has put it into scratch[1]. */
static bool mask_is_told(const struct gather *g)
{
	return g->kind != GATHER_VECTOR && g->mask < GATHER_IN_VECTOR;
}

static u64 mask_of(const struct thread *t, const struct gather *g)
{
	u64 mask = 0;

	if (g->mask < GATHER_IN_VECTOR) {
		mask = mask_is_told(g) ? t->scratch[1] : *(const u64 *)(t->xsave + xsave_at[XSAVE_K] + 8 * g->mask);
		return mask & (~0ull >> (64 - g->mask_bits));
	}
	for (unsigned n = 0; n < g->mask_bits; n++) {
		const u8 *top = vector_byte(t, g->mask - GATHER_IN_VECTOR, (n + 1u) * g->mask_len - 1);

		mask |= (u64)(*top >> 7) << n;
	}
	return mask;
}

/* Which of the operand's elements: with fewer than the mask has bits they are broadcast. */
static u64 elements_of(const struct gather *g, u64 mask)
{
	u64 elements = 0;

	if (g->kind != GATHER_DENSE && g->nr >= g->mask_bits)
		return mask;
	for (; mask; mask &= mask - 1)
		elements |= g->kind == GATHER_DENSE ? elements + 1 : 1ull << (unsigned)__builtin_ctzll(mask) % g->nr;
	return elements;
}

static u64 base_of(const struct thread *t, const struct gather *g)
{
	return (g->base < NR_GPR ? t->gpr[g->base] : 0) + (u64)g->disp;
}

static u64 linear(const struct thread *t, const struct gather *g, u64 address)
{
	return (g->addr32 ? (u32)address : address) + (g->fs ? t->fs_base : 0);
}

static s64 vector_index(const struct thread *t, const struct gather *g, unsigned n)
{
	const u8 *at = vector_byte(t, g->index, n * g->index_len);

	return g->index_len == 4 ? *(const s32 *)at : *(const s64 *)at;
}

static u64 bit_word(const struct thread *t, const struct gather *g)
{
	u64 at = base_of(t, g) + (g->index < NR_GPR ? t->gpr[g->index] * g->scale : 0), bit = t->gpr[g->mask];
	s64 number = g->len == 2 ? (short)bit : g->len == 4 ? (s32)bit : (s64)bit;

	return linear(t, g, at + (u64)((number >> (g->len == 2 ? 4 : g->len == 4 ? 5 : 6)) * g->len));
}

static void touch(struct thread *t, const struct gather *g, u64 at, u64 stamp)
{
	t->accesses += runtime_touch(t, at, g->len, g->rw, stamp);
}

/* Elements that lie side by side in one page are one touch of it: a masked move of bytes has up to 64. Returns false if
 * they are in two pages. */
static bool touch_together(struct thread *t, const struct gather *g, u64 elements, u64 stamp)
{
	unsigned first, len;
	u64 at;

	if (!elements)
		return true;
	first = (unsigned)__builtin_ctzll(elements);
	len = (64u - (unsigned)__builtin_clzll(elements) - first) * g->len;
	at = t->address + first * g->len;
	if ((at & 4095) + len > 4096)
		return false;
	t->accesses += runtime_touch(t, at, len, g->rw, stamp);
	return true;
}

const void *access_gather(struct thread *t)
{
	const struct gather *g = (const struct gather *)t->site;
	u64 stamp = t->icount + (u64)(s64)g->stamp, elements;

	switch (g->kind) {
	case GATHER_BITS:
		touch(t, g, bit_word(t, g), stamp);
		t->accesses++;
		return g->back;
	case GATHER_XLAT:
		touch(t, g, linear(t, g, t->gpr[RBX] + (u8)t->gpr[RAX]), stamp);
		t->accesses++;
		return g->back;
	}
	if (!mask_is_told(g))
		__asm__ volatile("xsave64 %0" : "=m"(t->xsave) : "a"(XSAVE_VECTORS), "d"(0));
	elements = elements_of(g, mask_of(t, g));
	if (g->kind != GATHER_VECTOR && touch_together(t, g, elements, stamp))
		return g->back;
	for (; elements; elements &= elements - 1) {
		unsigned n = (unsigned)__builtin_ctzll(elements);

		if (g->kind != GATHER_VECTOR) {
			touch(t, g, t->address + n * g->len, stamp);
			continue;
		}
		touch(t, g, linear(t, g, base_of(t, g) + (u64)vector_index(t, g, n) * g->scale), stamp);
		t->accesses++;
	}
	return g->back;
}
