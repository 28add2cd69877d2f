/* SPDX-License-Identifier: MIT
 *
 * play/raw.h - a system call with nothing around it: no errno, no wrapper of libc's that maps or allocates.
 */
#ifndef PLAY_RAW_H
#define PLAY_RAW_H

#include "lib/types.h"

/* Returns what the kernel returns: a value, or a negative errno. */
static inline long raw_syscall(long nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	register u64 r10 __asm__("r10") = d;
	register u64 r8 __asm__("r8") = e;
	register u64 r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

#endif
