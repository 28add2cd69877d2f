/* SPDX-License-Identifier: MIT
 *
 * lib/assert.h - checks in levels (DESIGN: 0 off, 1 asserts, 2 per structure after each mutation,
 * 3 vm_check() after every public call).
 *
 * ASSERT is for the caller's bugs and costs one branch. The level is a property of the machine at run
 * time, so that one object file serves the tests and the product: CHECK2 and CHECK3 take it as `level`.
 * lib_panic() is what the translation unit's half supplies: hw_panic in mm/, mmu_panic in mmu/.
 */
#ifndef LIB_ASSERT_H
#define LIB_ASSERT_H

#include "lib/types.h"

#ifndef LIB_PANIC
#error "define LIB_PANIC(text) before including lib/assert.h"
#endif

#define LIB_STR1(x) #x
#define LIB_STR(x)  LIB_STR1(x)
#define ASSERT(cond)                                                                                                   \
	do {                                                                                                           \
		if (unlikely(!(cond)))                                                                                 \
			LIB_PANIC(__FILE__ ":" LIB_STR(__LINE__) ": assertion failed: " #cond);                        \
	} while (0)

#define CHECK_AT(level, wanted, cond)                                                                                  \
	do {                                                                                                           \
		if (unlikely((level) >= (wanted)) && unlikely(!(cond)))                                                \
			LIB_PANIC(__FILE__ ":" LIB_STR(__LINE__) ": check failed: " #cond);                            \
	} while (0)
#define CHECK1(level, cond) CHECK_AT(level, 1, cond)
#define CHECK2(level, cond) CHECK_AT(level, 2, cond)
#define CHECK3(level, cond) CHECK_AT(level, 3, cond)

#endif
