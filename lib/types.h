/* SPDX-License-Identifier: MIT
 *
 * lib/types.h - integer names, and the few macros that freestanding code needs everywhere.
 */
#ifndef LIB_TYPES_H
#define LIB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

#define ARRAY_SIZE(a)                   (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define likely(x)                       __builtin_expect(!!(x), 1)
#define unlikely(x)                     __builtin_expect(!!(x), 0)
#define __must_check                    __attribute__((warn_unused_result))

/* a: a power of two, same unit as x. */
#define ALIGN_DOWN(x, a) ((x) & ~((__typeof__(x))(a)-1))
#define ALIGN_UP(x, a)   (((x) + ((__typeof__(x))(a)-1)) & ~((__typeof__(x))(a)-1))
#define IS_ALIGNED(x, a) (((x) & ((__typeof__(x))(a)-1)) == 0)
#define min(a, b)                                                                                                      \
	({                                                                                                             \
		__typeof__(a) _min_a = (a);                                                                            \
		__typeof__(b) _min_b = (b);                                                                            \
		_min_a < _min_b ? _min_a : _min_b;                                                                     \
	})
#define max(a, b)                                                                                                      \
	({                                                                                                             \
		__typeof__(a) _max_a = (a);                                                                            \
		__typeof__(b) _max_b = (b);                                                                            \
		_max_a > _max_b ? _max_a : _max_b;                                                                     \
	})

#endif
