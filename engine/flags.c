/* SPDX-License-Identifier: MIT
 *
 * engine/flags.c - flags that the manual calls undefined behind an instruction. A CPU makes them of the operands, or
 * leaves what they were; only then is that still wanted. Which of the two this one does is tried, for those that most
 * programs are full of: AF behind and, or, xor, test and shifts, OF behind shifts. So a `test` ends the life of all
 * flags, and few checks have any to keep.
 */
#include "engine/decode.h"

/* What is defined behind them. No others define just these. */
#define LOGIC_KILLS  (FLAG_ARITH & ~0x10u)
#define SHIFTS_KILLS (LOGIC_KILLS & ~FLAG_OF)

static bool logic_kills_all, shifts_kill_all;

/* Flags that differ behind `code` on %1 and %2 when all were set before it from when all were clear. */
#define DIFFER(code, a, b)                                                                                             \
	({                                                                                                             \
		u64 flags_[2];                                                                                         \
		for (unsigned set_ = 0; set_ < 2; set_++) {                                                            \
			u64 to_ = (a);                                                                                 \
			__asm__ volatile("pushq %2\n\tpopfq\n\t" code "\n\tpushfq\n\tpopq %0"                          \
					 : "=&r"(flags_[set_]), "+&r"(to_)                                             \
					 : "r"(0x202ull | (set_ ? FLAG_ARITH : 0)), "r"((u64)(b))                      \
					 : "cc", "memory");                                                            \
		}                                                                                                      \
		flags_[0] ^ flags_[1];                                                                                 \
	})

static u64 logic_differs(u64 a, u64 b)
{
	return DIFFER("test %3, %1", a, b) | DIFFER("test %b3, %b1", a, b) | DIFFER("and %3, %1", a, b) |
	       DIFFER("and %k3, %k1", a, b) | DIFFER("or %3, %1", a, b) | DIFFER("or %w3, %w1", a, b) |
	       DIFFER("xor %3, %1", a, b) | DIFFER("xor %k3, %k1", a, b) | DIFFER("test $0x5a, %b1", a, b);
}

static u64 shifts_differ(u64 a)
{
	return DIFFER("shl $1, %1", a, 0) | DIFFER("shr $1, %1", a, 0) | DIFFER("sar $1, %k1", a, 0) |
	       DIFFER("shl $3, %1", a, 0) | DIFFER("shl $31, %k1", a, 0) | DIFFER("shr $4, %1", a, 0) |
	       DIFFER("shr $7, %b1", a, 0) | DIFFER("sar $2, %k1", a, 0) | DIFFER("sar $63, %1", a, 0) |
	       DIFFER("shl $9, %w1", a, 0) | DIFFER("shld $5, %3, %1", a, ~a) | DIFFER("shrd $1, %k3, %k1", a, ~a);
}

void flags_init(void)
{
	static const u64 values[] = {0, 1, 0x80, 0xff, 0x5a5a5a5a5a5a5a5a, 0x8000000080008080, ~0ull};
	u64 logic = 0, shifts = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(values); i++) {
		shifts |= shifts_differ(values[i]);
		for (unsigned k = 0; k < ARRAY_SIZE(values); k++)
			logic |= logic_differs(values[i], values[k]);
	}
	logic_kills_all = !(logic & FLAG_ARITH);
	shifts_kill_all = !(shifts & FLAG_ARITH);
}

unsigned flags_killed(unsigned defined)
{
	bool all = (defined == LOGIC_KILLS && logic_kills_all) || (defined == SHIFTS_KILLS && shifts_kill_all);

	return all ? FLAG_ARITH : defined;
}
