/* SPDX-License-Identifier: MIT
 *
 * engine/block.c - the instructions of a block, read once, and which flags are live between them.
 *
 * A block goes on behind a conditional jump forward, which compilers mostly do not mean to be taken: what is counted and
 * lent is so for longer, and the code lies as it runs. A jump back ends it, as any other.
 *
 * Nothing is read but where the program gets: a block ends with its page, and an instruction that reaches into the next
 * page is a block of its own. Which flags are live behind a block's end is known from a look at where it leads, as far
 * as that is code which does not change without a call; all are where that is not known.
 */
#include "engine/block.h"

#include "engine/state.h"
#include "engine/translate.h"

#define MAX_EXITS  3 /* more cost more in translation than they save: measured with cc1 */
#define PEEK       8 /* instructions */
#define PEEK_BYTES 64u

struct insn insns[MAX_INSNS];
unsigned nr_insns;
struct code code;

/* The stack's pointers lead there only if both lie in one area. */
bool may_hit_code(const struct operand *o)
{
	bool stack = (o->base == RSP || o->base == RBP) && o->index == BASE_NONE;

	return code.changes && o->segment != SEGMENT_FS && o->base != BASE_RIP && (!stack || code.on_stack);
}

/* A block whose code may change ends where it is known to write to its page, and where what it writes is known behind it
 * only; so what it does to itself is seen at once. */
static bool writes_page(const struct insn *i)
{
	if (i->kind == INSN_STRING || i->kind == INSN_GATHER)
		return true;
	for (unsigned n = 0; n < i->nr_operands; n++) {
		const struct operand *o = &i->operand[n];

		if (o->rw & 2 && o->base == BASE_RIP && o->disp + o->len > (s64)code.pc &&
		    o->disp < (s64)code.pc + 4096)
			return true;
	}
	return false;
}

/* exits: of the block so far */
static bool goes_on(const struct insn *i, unsigned *exits)
{
	if (!insn_ends_block(i))
		return true;
	return i->kind == INSN_JCC && i->target > i->pc && !code.changes && (*exits)++ < MAX_EXITS;
}

/* Returns false: there is none, see translate(). */
static bool decode_block(u64 pc, unsigned most, u64 *missing)
{
	unsigned in_page = (unsigned)(4096 - (pc & 0xfff)), have = 0, at = 0, exits = 0;
	bool changes = false;

	code.pc = pc;
	code.changes = false;
	for (nr_insns = 0; nr_insns < most && at < in_page;) {
		struct insn *i = &insns[nr_insns];

		if (have < min(at + 15, in_page))
			have += code_read(pc + have, code.byte + have, min(in_page - have, CODE_READ), &code.changes);
		decode(pc + at, code.byte + at, have - at, i);
		if (i->kind == INSN_CUT && nr_insns == 0 && have == in_page) {
			have += code_read(pc + in_page, code.byte + have, 15, &changes);
			code.changes |= changes;
			decode(pc, code.byte, have, i);
		}
		if (i->kind == INSN_CUT || i->kind == INSN_BAD) {
			*missing = pc + have;
			break;
		}
		nr_insns++;
		at += i->len;
		if (!goes_on(i, &exits) || (code.changes && writes_page(i)))
			break;
	}
	code.len = at;
	return nr_insns != 0;
}

/* Flags that are live at a place that the block leads to: as far as a look at a few instructions shows. */
static unsigned peek(u64 pc)
{
	struct insn i;
	unsigned live = 0, killed = 0;
	u8 bytes[PEEK_BYTES];
	unsigned in_page = (unsigned)(4096 - (pc & 0xfff)), have, at = 0;
	bool changes = false;

	have = code_read(pc, bytes, min(in_page, PEEK_BYTES), &changes);
	if (changes)
		have = 0;
	if (have)
		page_needs(page_number(code.pc), page_number(pc));
	for (unsigned n = 0; n < PEEK && killed != FLAG_ARITH; n++) {
		decode(pc + at, bytes + at, have - at, &i);
		if (i.kind == INSN_CUT)
			break;
		live |= i.flag_reads & ~killed;
		if (i.kind != INSN_COPY)
			break;
		killed |= i.flag_kills;
		at += i.len;
	}
	return live | (FLAG_ARITH & ~killed);
}

static unsigned flags_at_end(const struct insn *last)
{
	u64 next = last->pc + last->len;

	switch (last->kind) {
	case INSN_JCC:
	case INSN_JRCX:
		return peek(last->target) | peek(next);
	case INSN_JUMP:
	case INSN_CALL:
		return peek(last->target);
	case INSN_COPY:
		return (next & 0xfff) ? peek(next) : FLAG_ARITH;
	default:
		return FLAG_ARITH;
	}
}

/* Which flags are live before each instruction; behind one that is executed alone the program may look (signals.c). */
static void find_live(bool alone)
{
	unsigned flags = alone ? FLAG_ARITH : flags_at_end(&insns[nr_insns - 1]);

	for (unsigned n = nr_insns; n-- > 0;) {
		if (insn_is_exit(&insns[n])) {
			insns[n].flag_taken = (u16)peek(insns[n].target);
			flags |= insns[n].flag_taken;
		}
		flags = (flags & ~insns[n].flag_kills) | insns[n].flag_reads;
		insns[n].flag_live = (u16)flags;
	}
}

bool block_read(u64 pc, u64 sp, unsigned most, u64 *missing)
{
	code.on_stack = code_same_area(pc, sp);
	if (!decode_block(pc, most, missing))
		return false;
	find_live(most == 1);
	return true;
}
