/* SPDX-License-Identifier: MIT
 *
 * play/call.h - one step of a script, with every name resolved, and what came of it. The simulated computer
 * (computer.h) and the host's Linux (host.h) take the same play_call and answer with the same play_outcome: so they can
 * be compared.
 *
 *   script.h: statement --resolve--> play_call --+--> computer_call() --> play_outcome --+--> equal? as expected?
 *                                                `--> host_call()     --> play_outcome --'
 */
#ifndef PLAY_CALL_H
#define PLAY_CALL_H

#include "lib/types.h"

#define PLAY_PROCESSES   16
#define PLAY_FILES       8
#define PLAY_CPUS        8
#define PLAY_DATA        64                    /* bytes of one read or write */
#define PLAY_FILE_BYTES  (64ull << 20)         /* of a file of a disk: it is written in full */
#define PLAY_MEMFD_BYTES 0x7fffffffffffffffull /* of shared memory: as on Linux */
#define PLAY_PIPE        16                    /* pages that a pipe holds (Linux: PIPE_DEF_BUFFERS) */
#define PLAY_SAME_CPU    255                   /* SWITCH: where it ran before */
#define PLAY_CURRENT     255                   /* a process: the one that runs */

/* Where scripts live: the same addresses in the simulation and on the host. mmap looks top-down from the end. */
#define PLAY_WINDOW     0x200000000000ull
#define PLAY_WINDOW_END 0x210000000000ull

enum play_op {
	PLAY_SPAWN,
	PLAY_FORK,
	PLAY_EXIT,
	PLAY_SWITCH,
	PLAY_MEMFD,
	PLAY_FILE,
	PLAY_RESIZE,
	PLAY_MMAP,
	PLAY_MUNMAP,
	PLAY_MPROTECT,
	PLAY_MREMAP,
	PLAY_BRK,
	PLAY_MADVISE,
	PLAY_PKEY_ALLOC,    /* ADDR: its rights. These four are not compared with the host: its CPU may have no keys */
	PLAY_PKEY_FREE,     /* ADDR: the key */
	PLAY_PKEY_MPROTECT, /* NEW_ADDR: the key */
	PLAY_WRPKRU,        /* ADDR: the value */
	PLAY_RECLAIM,       /* LEN bytes; 0: all that can go. On the host nothing happens */
	PLAY_WAIT,          /* LEN seconds, in which the kernel's own threads work. On the host nothing happens */
	PLAY_MLOCK,
	PLAY_MUNLOCK,
	PLAY_MLOCKALL,
	PLAY_MUNLOCKALL,
	PLAY_MINCORE,
	PLAY_MSYNC,
	PLAY_VMSPLICE, /* into the script's pipe */
	PLAY_DRAIN,    /* LEN bytes of that; data: the first of them */
	PLAY_PIN,      /* by a device. These two do nothing on the host */
	PLAY_UNPIN,
	PLAY_RLIMIT,      /* flags: enum vm_rlimit; LEN: bytes */
	PLAY_THP_DISABLE, /* prctl(PR_SET_THP_DISABLE): ADDR: its argument; flags: its flags */
	PLAY_READ,
	PLAY_WRITE,
	PLAY_EXEC,
	PLAY_NR_CALLS
};

/* Values of a call that a script writes as expressions. */
enum play_value {
	PLAY_ADDR,
	PLAY_LEN,
	PLAY_NEW_LEN,
	PLAY_NEW_ADDR,
	PLAY_OFFSET, /* in a file, bytes */
	PLAY_OVER,   /* accesses: the same in every page of so many bytes; 0: once */
	PLAY_NR_VALUES
};

struct play_call {
	u8 op;      /* enum play_op */
	u8 process; /* who does it; SPAWN, SWITCH: whom it is about */
	u8 other;   /* FORK: the child */
	u8 cpu;     /* SPAWN, SWITCH: where it runs */
	s32 file;   /* MMAP: -1 = anonymous; MEMFD, FILE, RESIZE: which */
	u32 prot, flags;
	s32 advice;
	u32 nr_data; /* READ, WRITE: bytes */
	u64 value[PLAY_NR_VALUES];
	u8 data[PLAY_DATA]; /* WRITE */
};

struct play_outcome {
	s64 result; /* of a system call: an address, 0 or -errno */
	/* An access that did not go through: what the process is sent. 0: it went through. */
	s32 signal, code; /* SIGSEGV or SIGBUS, si_code; SIGKILL: memory is full */
	u64 at;           /* si_addr */
	u64 faults;       /* page faults that were handled on the way, minor and major */
	u32 nr_data;
	u8 data[PLAY_DATA]; /* READ: what was read last. MINCORE: 0 or 1 for each page, as text */
};

/* mincore's answer as text; none after an error. */
static inline void play_mincore_text(const struct play_call *call, struct play_outcome *out)
{
	out->nr_data = out->result ? 0 : (u32)(ALIGN_UP(call->value[PLAY_LEN], 4096) / 4096);
	for (u32 i = 0; i < out->nr_data; i++)
		out->data[i] = out->data[i] & 1 ? '1' : '0';
}

static inline bool play_is_access(unsigned op)
{
	return op == PLAY_READ || op == PLAY_WRITE || op == PLAY_EXEC;
}

#endif
