/* SPDX-License-Identifier: MIT
 *
 * plugin/insn.h - which data accesses does an x86-64 instruction make whenever it is executed?
 */
#ifndef PLUGIN_INSN_H
#define PLUGIN_INSN_H

#include "lib/types.h"

#define INSN_LOADS  1u
#define INSN_STORES 2u
#define INSN_ONCE   4u

/* bytes[len]: the whole instruction. INSN_LOADS, INSN_STORES: one or more accesses for certain, and none of the other
 * kind; with INSN_ONCE exactly one, of at most 8 bytes. Both: one or more for certain, of any kind. 0: perhaps none, or
 * it is not one of the common ones. */
unsigned insn_accesses(const u8 *bytes, size_t len);

#endif
