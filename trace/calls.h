/* SPDX-License-Identifier: MIT
 *
 * trace/calls.h - a program's system calls as events, for whoever runs the program: the QEMU plugin, an engine.
 * Freestanding: needs memcpy and what struct call_ops offers.
 *
 *   before the call   calls_enter():  EV_SYSCALL, with EVS_WAITS when the thread may sleep in it
 *   after it          calls_return(): EV_TOUCH...    what the kernel read and wrote of user memory  (calls_touch.c)
 *                                     EV_MAP...      the change of a mapping                        (calls_map.c)
 *                                     EV_FILE_SIZE, EV_FILE_HOLE  of a file                         (calls_file.c)
 *                                     EV_SLEPT       a timeout that ran out
 *                                     EV_REFUSED     the kernel knows no such call, or would not
 *
 * Not told here: a thread's or process's birth and end, and exec.
 */
#ifndef TRACE_CALLS_H
#define TRACE_CALLS_H

#include "trace/event.h"

/* The numbers: NR_read ... */
#define CALL(nr, name, ...)   NR_##name = nr,
#define UNTOLD(nr, name, ...) NR_##name = nr,
enum call_nr {
#include "trace/syscalls.h"
	NR_CALLS
};
#undef CALL
#undef UNTOLD

#define CALL_USER_END 0x7ffffffff000ull /* of user addresses (47 bits) */

/* A system call that a thread is in. */
struct call {
	s64 nr; /* -1: none */
	u64 arg[6];
	u64 timeout_us; /* it sleeps at most so long; ~0: until something happens */
};

/* An open file. */
struct call_file {
	u64 dev, ino, size; /* bytes; as large as it gets where it is no regular file */
	bool regular, zero; /* zero: /dev/zero */
	bool waits;         /* it may have nothing to read yet: a pipe, a socket, a terminal */
	/* Only with its name: */
	u64 position;   /* where the next read or write begins */
	char name[512]; /* its beginning, if longer */
};

/* What a front end offers. thread: the one that it gave to calls_enter() or calls_return(). */
struct call_ops {
	/* Copies len bytes of the program's memory. sure: the kernel has just used them, so they are there. false: they
	 * cannot be read. */
	bool (*read)(void *thread, u64 va, void *to, u64 len, bool sure);
	/* One long event (trace/event.h); payload: n words; name NULL: none. change: it changes what addresses mean. */
	void (*emit)(void *thread, unsigned type, u64 arg, const void *payload, unsigned n, const char *name);
	void (*change)(void *thread, unsigned type, u64 arg, const void *payload, unsigned n, const char *name);
	/* The open file fd; with_name: its name, too. false: it is none. */
	bool (*file)(void *thread, int fd, struct call_file *out, bool with_name);
	/* The file named by the string at va, no name wanted. */
	bool (*path)(void *thread, u64 va, struct call_file *out);
	/* Does a read (or write) of fd have to wait now? */
	bool (*must_wait)(void *thread, int fd, bool write);
	/* The size of a System V segment; 0: there is none. */
	u64 (*segment_bytes)(void *thread, int id);
	/* A clock (clock_gettime), nanoseconds. */
	u64 (*clock_ns)(void *thread, int clock);
	/* The file is mapped now, or the pipe refers to memory: what happens to it matters. */
	void (*note_mapped)(void *thread, const struct call_file *file);
	/* Has anybody who is watched mapped the file? And was its size last told otherwise? It now counts as told. */
	bool (*is_mapped)(void *thread, u64 dev, u64 ino);
	bool (*size_is_news)(void *thread, const struct call_file *file);
};

#define CALL_FDS 1024

/* A process's part. Zero at its start, copied by fork. */
struct calls {
	const struct call_ops *ops;
	u64 brk_start, brk;
	/* What descriptors are, as long as they are open: so that not each read and write has to ask (calls_file.c). */
	struct call_fd {
		u64 dev, ino;
		u8 kind; /* enum fd_kind */
	} fd[CALL_FDS];
	/* Attached System V segments: shmdt names only the address. */
	struct {
		u64 start, len;
	} attached[64];
};

/* call->nr and arg are set. */
void calls_enter(struct calls *calls, void *thread, struct call *call);
/* It returned ret: a result or -errno. */
void calls_return(struct calls *calls, void *thread, const struct call *call, s64 ret);
/* Does the call change mappings? Such calls of one process must be made and told one at a time. */
bool calls_is_map(const struct call *call);

/* For reports and tests. A number without a call: name "", untold NULL. */
const char *calls_name(u64 nr);
/* Why what the call does with user memory is not told; NULL: it is, or it does nothing with it. */
const char *calls_untold(u64 nr);

#endif
