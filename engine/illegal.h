/* SPDX-License-Identifier: MIT
 *
 * engine/illegal.h - bytes that the decoder does not know.
 */
#ifndef ENGINE_ILLEGAL_H
#define ENGINE_ILLEGAL_H

#include "lib/types.h"

enum illegal {
	ILLEGAL,      /* no instruction: #UD */
	ILLEGAL_LONG, /* more than 15 bytes: #GP */
	ILLEGAL_CUT,  /* the byte at *missing belongs to it, and cannot be fetched */
	ILLEGAL_NOT,  /* the CPU executes it */
};

enum illegal illegal_at(u64 pc, u64 *missing);
/* A fault. false: it is none of illegal_at()'s. */
struct sigcontext;
bool illegal_fault(struct sigcontext *c);

#endif
