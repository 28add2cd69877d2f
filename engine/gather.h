/* SPDX-License-Identifier: MIT
 *
 * engine/gather.h - operands of which an instruction touches parts only, or whose place is not base + index * scale +
 * disp: vectors of addresses, masked vectors, bit strings, xlat. What they touch is worked out in the runtime.
 */
#ifndef ENGINE_GATHER_H
#define ENGINE_GATHER_H

#include "engine/decoder.h"

enum gather_kind {
	GATHER_VECTOR, /* an element at [base + index[n] * scale + disp] for each n of the mask */
	GATHER_MASKED, /* the elements of the mask, of an operand whose address is handed over */
	GATHER_DENSE,  /* as many as the mask has, one behind the other (vpexpand, vpcompress) */
	GATHER_BITS,   /* bt, bts, btr, btc: the word that holds the bit that the index names */
	GATHER_XLAT,   /* [rbx + al] */
};

#define GATHER_IN_VECTOR 8 /* mask: the sign bits of vector register mask - 8; 0..7: that of k0..k7 */

/* Lies in the cold code. */
struct gather {
	const u8 *back; /* generated code goes on here */
	s64 disp;
	s32 stamp; /* icount + stamp */
	u8 kind, rw;
	u8 len, nr;                       /* bytes of an element in memory; how many there are */
	u8 base, index, scale, index_len; /* registers; index_len: bytes */
	u8 mask, mask_len, mask_bits;     /* mask_len: bytes of an element, in a vector; bit n is for element n % nr */
	bool fs, addr32;
};

/* Is the memory operand o of d touched in parts? masked: it has an address as others have. */
bool gather_is(const struct decoded *d, const ZydisDecodedOperand *o);
bool gather_is_masked(const struct decoded *d, const ZydisDecodedOperand *o);
/* What gather_parts() needs to know of the instruction's operand. */
struct gather gather_make(const struct insn *i, s32 stamp);

#endif
