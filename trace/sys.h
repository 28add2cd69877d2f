/* SPDX-License-Identifier: MIT
 *
 * trace/sys.h - system calls, raw, for code that runs without libc: the engine, and what writes into rings. Results are the kernel's: -errno for errors.
 */
#ifndef TRACE_SYS_H
#define TRACE_SYS_H

#include <sys/syscall.h>

#include "lib/types.h"

static inline long sys6(long nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
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

static inline long sys3(long nr, u64 a, u64 b, u64 c)
{
	return sys6(nr, a, b, c, 0, 0, 0);
}

static inline bool sys_failed(long ret)
{
	return ret < 0 && ret >= -4095;
}

#endif
