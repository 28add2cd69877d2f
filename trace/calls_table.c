/* SPDX-License-Identifier: MIT
 *
 * trace/calls_table.c - the rows of syscalls.h as a table.
 */
#include "trace/calls_internal.h"

#define NO       WAIT_NO, 0
#define YES      WAIT_YES, 0
#define READ(a)  WAIT_READ, a
#define WRITE(a) WAIT_WRITE, a
#define MS(a)    WAIT_MS, a
#define SPEC(a)  WAIT_SPEC, a
#define VAL(a)   WAIT_VAL, a

#define TOUCH(kind, rwx, a, n, size)                                                                                   \
	{                                                                                                              \
		TOUCH_##kind, rwx, a, n, size                                                                          \
	}
#define STR(a)                TOUCH(STRING, EVR_READ, a, 0, 0)
#define IN(a, size)           TOUCH(SIZE, EVR_READ, a, 0, size)
#define OUT(a, size)          TOUCH(SIZE, EVR_WRITE, a, 0, size)
#define INOUT(a, size)        IN(a, size), OUT(a, size)
#define OUT_EINTR(a, size)    TOUCH(EINTR, EVR_WRITE, a, 0, size)
#define IN_LEN(a, n)          TOUCH(LENGTH, EVR_READ, a, n, 0)
#define OUT_LEN(a, n)         TOUCH(LENGTH, EVR_WRITE, a, n, 0)
#define IN_RET(a)             TOUCH(RESULT, EVR_READ, a, (a) + 1, 0)
#define OUT_RET(a)            TOUCH(RESULT, EVR_WRITE, a, (a) + 1, 0)
#define OUT_RET_OF(a, n)      TOUCH(RESULT, EVR_WRITE, a, n, 0)
#define IN_ARR(a, n, size)    TOUCH(ARRAY, EVR_READ, a, n, size)
#define OUT_ARR(a, n, size)   TOUCH(ARRAY, EVR_WRITE, a, n, size)
#define INOUT_ARR(a, n, size) IN_ARR(a, n, size), OUT_ARR(a, n, size)
#define IOV_IN(a)             TOUCH(VECTOR, EVR_READ, a, (a) + 1, 0)
#define IOV_OUT(a)            TOUCH(VECTOR, EVR_WRITE, a, (a) + 1, 0)
#define MSG_IN(a)             TOUCH(MESSAGE, EVR_READ, a, 0, 0)
#define MSG_OUT(a)            TOUCH(MESSAGE, EVR_WRITE, a, 0, 0)
#define MMSG_IN(a)            TOUCH(MESSAGES, EVR_READ, a, 0, 0)
#define MMSG_OUT(a)           TOUCH(MESSAGES, EVR_WRITE, a, 0, 0)
#define OUT_SOCK(a)           TOUCH(SOCKADDR, EVR_WRITE, a, (a) + 1, 0)
#define FDSET(a)              TOUCH(FDSET, EVR_READ, a, 1, 0), TOUCH(FDSET, EVR_WRITE, a, 1, 0)
#define MASK(a, n)            TOUCH(MASK, EVR_READ, a, n, 0)
#define OUT_MASK(a, n)        TOUCH(MASK, EVR_WRITE, a, n, 0)
#define CODE                  TOUCH(CODE, EVR_READ, 1, 0, 0)

/* The ABI's structures, bytes. SIGACTION: the kernel's (handler, flags, restorer, mask). */
enum {
	STAT = 144,
	STATFS = 120,
	RUSAGE = 144,
	TIMEVAL = 16,
	TIMESPEC = 16,
	ITIMERVAL = 32,
	ITIMERSPEC = 32,
	SIGACTION = 32,
	SIGSET = 8,
	SIGINFO = 128,
};

#define CALL(nr, name, wait, ...)      [nr] = {#name, wait, NULL, {__VA_ARGS__}},
#define UNTOLD(nr, name, wait, reason) [nr] = {#name, wait, reason, {}},
static const struct call_row table[NR_CALLS] = {
#include "trace/syscalls.h"
};

const struct call_row *calls_row(u64 nr)
{
	return nr < NR_CALLS && table[nr].name ? &table[nr] : NULL;
}

const char *calls_name(u64 nr)
{
	const struct call_row *row = calls_row(nr);

	return row ? row->name : "";
}

const char *calls_untold(u64 nr)
{
	const struct call_row *row = calls_row(nr);

	return row ? row->untold : NULL;
}
