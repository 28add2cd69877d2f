/* SPDX-License-Identifier: MIT
 *
 * plugin/insn.h - does an x86-64 instruction access data memory whenever it is executed?
 */
#ifndef PLUGIN_INSN_H
#define PLUGIN_INSN_H

#include "lib/types.h"

/* true: for certain. false: no, perhaps, or it is not one of the common ones. bytes[len]: the whole instruction. */
bool insn_touches_memory(const u8 *bytes, size_t len);

#endif
