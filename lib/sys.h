/* SPDX-License-Identifier: MIT
 *
 * lib/sys.h - system calls with nothing around them: no errno, no wrapper of libc's that maps or allocates. For what
 * runs without libc (the engine, writers of rings) and for what asks the kernel itself (play's child, the probes).
 * Returns what the kernel returns: a value, or a negative errno.
 */
#ifndef LIB_SYS_H
#define LIB_SYS_H

#include <sys/syscall.h>

#include "lib/types.h"

static inline long sys_raw(long nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
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

#ifdef SYS_GUARDED /* the engine's: engine/seccomp.c */
long sys6(long nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);
#else
static inline long sys6(long nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	return sys_raw(nr, a, b, c, d, e, f);
}
#endif

static inline long sys3(long nr, u64 a, u64 b, u64 c)
{
	return sys6(nr, a, b, c, 0, 0, 0);
}

static inline bool sys_failed(long ret)
{
	return ret < 0 && ret >= -4095;
}

#endif
