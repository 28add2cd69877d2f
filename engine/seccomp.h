/* SPDX-License-Identifier: MIT
 *
 * engine/seccomp.h - the filters of system calls that the program has installed.
 */
#ifndef ENGINE_SECCOMP_H
#define ENGINE_SECCOMP_H

#include "lib/types.h"

struct filter;

/* Carries out seccomp() and prctl(PR_SET_SECCOMP). */
struct thread;
long seccomp_call(struct thread *t, long nr, const u64 a[6]);
/* Would the kernel carry it out? */
bool seccomp_allows(const struct filter *f, long nr, const u64 a[6]);
/* And all that the engine needs from its start on? */
bool seccomp_allows_engine(const struct filter *f);

#endif
