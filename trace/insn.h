/* SPDX-License-Identifier: MIT
 *
 * trace/insn.h - what does an x86-64 instruction do to data memory, as the MMU sees it?
 *
 * An instruction that reads memory and writes it again (inc, lock xadd, a compare-exchange that fails, a shift by 0)
 * is a write: x86 asks for the right to write before it reads, so a page fault comes once, with W set in its error
 * code. Whoever tells accesses as events must not tell the read half of such an instruction as a read.
 */
#ifndef TRACE_INSN_H
#define TRACE_INSN_H

#include "lib/types.h"

#define INSN_LOADS  1u /* it reads memory that it does not write: a #PF without W */
#define INSN_STORES 2u /* it writes memory, having read it or not: a #PF with W */
#define INSN_MAYBE  4u /* or it does neither: masked, repeated 0 times, a matter of cache lines only */
#define INSN_ONCE   8u /* it makes exactly one access, of at most 8 bytes */

/* bytes[len]: the whole instruction. Both LOADS and STORES: of different operands (movs, push of memory). 0: none, an
 * instruction that no program of ring 3 has, one that is cut off, or one newer than the tables. */
unsigned insn_accesses(const u8 *bytes, size_t len);

#endif
