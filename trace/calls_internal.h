/* SPDX-License-Identifier: MIT
 *
 * trace/calls_internal.h - what the files of calls.h share.
 */
#ifndef TRACE_CALLS_INTERNAL_H
#define TRACE_CALLS_INTERNAL_H

#include "lib/errno.h"
#include "trace/calls.h"

/* calls_table.c: a call's row, as syscalls.h says it. */
enum wait_kind { WAIT_NO, WAIT_YES, WAIT_READ, WAIT_WRITE, WAIT_MS, WAIT_SPEC, WAIT_VAL };
enum touch_kind {
	TOUCH_NOTHING,
	TOUCH_STRING,
	TOUCH_SIZE,
	TOUCH_LENGTH,
	TOUCH_RESULT,
	TOUCH_ARRAY,
	TOUCH_EINTR,
	TOUCH_VECTOR,
	TOUCH_MESSAGE,
	TOUCH_MESSAGES,
	TOUCH_SOCKADDR,
	TOUCH_FDSET,
	TOUCH_MASK,
	TOUCH_CODE,
};

struct touch {
	u8 kind, rwx, arg, length_arg; /* arguments: 1..6 */
	u16 size;
};

struct call_row {
	const char *name;
	u8 wait, wait_arg; /* enum wait_kind; argument: 1..6 */
	const char *untold;
	struct touch touch[10];
};
/* NULL: no such call. */
const struct call_row *calls_row(u64 nr);

/* What a descriptor is open on. */
enum fd_kind {
	FD_UNKNOWN,
	FD_FILE,   /* a regular file: dev, ino. Reads and writes never wait */
	FD_MEMORY, /* /proc/PID/mem */
	FD_WAITS,  /* a pipe, a socket, a terminal */
	FD_OTHER,
};

/* A call being told. */
struct telling {
	struct calls *calls;
	const struct call_ops *ops;
	void *thread;
	const struct call *call;
	s64 ret;
};

static inline bool call_failed(s64 ret)
{
	return ret < 0 && ret >= -4095;
}

static inline u64 pages_up(u64 bytes)
{
	return ALIGN_UP(bytes, 4096ull);
}

void touch(const struct telling *t, unsigned rwx, u64 start, u64 len);
void touches_tell(const struct telling *t);
void touch_by_code(const struct telling *t); /* calls_touch_code.c */
/* The buffers of n iovecs at iov, as far as `bytes` bytes fill them. */
void touch_vector(const struct telling *t, unsigned rwx, u64 iov, u64 n, u64 bytes);
void maps_tell(struct calls *calls, const struct telling *t);
void files_tell(const struct telling *t);
/* The descriptor of the process; its kind is known. */
struct call_fd fd_get(const struct telling *t, int fd);
/* Descriptors that the call has closed are not known any more. */
void fds_forget(const struct telling *t);

#endif
