/* SPDX-License-Identifier: MIT
 *
 * engine/limits.h - RLIMIT_AS and RLIMIT_DATA are the program's: what the engine has mapped beside it does not count.
 *
 *                            soft                                 hard
 *   of the program           own.soft                             own.hard
 *   of the kernel            own.soft + what the engine has       own.hard + LIMITS_ROOM
 *   of it, while the engine
 *   maps, and for an engine
 *   that starts              own.soft + LIMITS_ROOM               own.hard + LIMITS_ROOM
 *
 * So who may raise a hard limit the kernel decides. A hard limit of less than LIMITS_ROOM could not be raised when Quire
 * began: the kernel's limits are then the program's, and the engine's memory counts in them.
 */
#ifndef ENGINE_LIMITS_H
#define ENGINE_LIMITS_H

#include "lib/types.h"

#define LIMITS_ROOM (1ull << 45) /* more than the engine can have */

enum { LIMIT_AS, LIMIT_DATA, NR_LIMITS };

struct limit {
	u64 soft, hard;
};

/* ~0 is infinity. */
static inline u64 limit_more(u64 limit, u64 more)
{
	return limit + more < limit ? ~0ull : limit + more;
}

struct process;

/* The first process, before the program is mapped. What the engine maps later is to be told. */
extern bool limits_begun;
void limits_begin(struct process *p);
enum limits_for {
	LIMITS_PROGRAM,
	LIMITS_ENGINE, /* it maps, or the next one starts */
	LIMITS_LEAVE,  /* a program that is not followed starts */
};
/* false: a seccomp filter forbids it. With `maps`, but in a vfork's child and at an exec. */
bool limits_set(const struct process *p, enum limits_for what);
/* The engine has mapped so many bytes more that it writes to. With `maps`. */
void limits_took(u64 bytes);
/* getrlimit, setrlimit, prlimit64. false: they are none of this process', or of other resources. */
struct thread;
bool limits_answer(struct thread *t, long nr, const u64 a[6], long *ret);
/* Would the kernel's own look at RLIMIT_DATA let brk move there? data: bytes of the program's segment of data. */
bool limits_brk(const struct process *p, u64 brk_start, u64 brk, u64 data);

#endif
