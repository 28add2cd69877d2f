/* SPDX-License-Identifier: MIT
 *
 * trace/event.h - the one vocabulary of events: what a program does to its memory, whoever tells it (the QEMU plugin, a
 * recorded trace, an importer, a script). Producers write it; sim/ reads it. A stream is a sequence of 64-bit words.
 *
 * Short event, one word:       63                    12  11  10      4 3     1   0
 *   EV_ENTER                  |  virtual page number    | 0 |  slot   |  rwx  | 0 |
 *     the slot is vacated     |  0                      | 1 |  slot   |   0   | 0 |
 * Long events, 1 + n words:     63       16 15       8 7                     1   0
 *   all others                |    arg    |  n words  |         type         | 1 |   then n words: struct ev_*
 *
 * The recency window. The producer keeps, for each guest thread, the data pages and apart from them the instruction
 * pages used most recently: as many as the hub's shape lets it (trace/window.h), at most EV_WINDOW of each. An access to
 * a page in its window sends nothing, but for the first write after reads. An access to another page sends EV_ENTER:
 * that page takes `slot`, whose page, the least recent of the window, leaves. Where more must leave, words that vacate
 * slots come before. Pages leave in the order of their last use, so that below the window a consumer's LRU order is
 * right (mmu/mmu.h says what is exact). An access over a page boundary is two. At every event that can change a
 * translation the producer empties its window, and pages enter again when they are used again: the consumer may take
 * any long event but EV_COUNTS as "window empty" (mmu_window_flush), told or not.
 *
 * Order between threads. Each thread has a ring. A process-wide clock ticks at every event that changes a mapping.
 * Events carry it through EV_CLOCK: all that follows in this ring happened at or after that tick. sim/ takes the events
 * of a tick in the ring that owns it only when all rings have been read up to it.
 */
#ifndef TRACE_EVENT_H
#define TRACE_EVENT_H

#include "lib/types.h"

#define TRACE_VERSION 7
#define EV_WINDOW     64 /* slots of a window at most */

enum ev_type {
	EV_NONE = 0,
	EV_ENTER,   /* one word; rwx: EVR_*; slot 0..63 data, 64..127 fetch */
	EV_COUNTS,  /* struct ev_counts: running totals of this thread */
	EV_CLOCK,   /* struct ev_clock */
	EV_TOUCH,   /* struct ev_touch: the kernel reads or writes user memory in a system call */
	EV_SYSCALL, /* arg = number, and EVS_WAITS. The thread entered the kernel; its next event but EV_COUNTS is after
		       that, or on the way back */
	EV_MAP,     /* struct ev_map + name: a successful mmap, or a segment that exec mapped */
	EV_UNMAP,   /* struct ev_range */
	EV_PROTECT, /* struct ev_range, arg = prot */
	EV_REMAP,   /* struct ev_remap */
	EV_BRK,     /* struct ev_range: start = heap's start, len = new break - start */
	EV_ADVISE,  /* struct ev_range, arg = advice */
	EV_LOCK,    /* struct ev_range, arg = EVL_*: mlock and its kin */
	EV_SYNC,    /* struct ev_range, arg = flags: msync */
	EV_EXEC, /* struct ev_exec + name: a new address space; EV_MAP events with EVM_EXEC follow, then EV_EXEC_DONE */
	EV_EXEC_DONE, /* struct ev_exec_done: stack contents and the cleared end of bss are touched, the program starts
		       */
	EV_FORK,      /* struct ev_fork: this thread made a child process (fork, vfork, clone) */
	EV_THREAD,    /* struct ev_thread: first event of a ring: who this is */
	EV_EXIT,      /* arg = EVX_*; the thread is gone. struct ev_exit */
	EV_SLEPT,     /* arg = us. In the system call it slept so long: its timeout ran out */
	EV_FILE_SIZE, /* struct ev_file_size: a file that may be mapped has another size */
	EV_FILE_HOLE, /* struct ev_file_hole: a range of it reads as zeroes now */
	EV_THP_DISABLE, /* arg: bit 0 on or off, the rest prctl's flags: PR_SET_THP_DISABLE */
	EV_REFUSED,     /* struct ev_refused: the program's kernel does not know what was asked, or would not */
	EV_HOLD,        /* struct ev_hold: a pipe refers to this memory (vmsplice), after what it referred to before */
	EV_DRAIN,       /* struct ev_drain: so much was read from such a pipe */
	EV_NR
};

/* As reports name them. */
static inline const char *ev_name(unsigned type)
{
	static const char *const names[EV_NR] = {
	    [EV_NONE] = "none",
	    [EV_ENTER] = "enter",
	    [EV_COUNTS] = "counts",
	    [EV_CLOCK] = "clock",
	    [EV_TOUCH] = "touch",
	    [EV_SYSCALL] = "syscall",
	    [EV_MAP] = "map",
	    [EV_UNMAP] = "unmap",
	    [EV_PROTECT] = "protect",
	    [EV_REMAP] = "remap",
	    [EV_BRK] = "brk",
	    [EV_ADVISE] = "advise",
	    [EV_LOCK] = "lock",
	    [EV_SYNC] = "sync",
	    [EV_EXEC] = "exec",
	    [EV_EXEC_DONE] = "exec_done",
	    [EV_FORK] = "fork",
	    [EV_THREAD] = "thread",
	    [EV_EXIT] = "exit",
	    [EV_SLEPT] = "slept",
	    [EV_FILE_SIZE] = "file_size",
	    [EV_FILE_HOLE] = "file_hole",
	    [EV_THP_DISABLE] = "thp_disable",
	    [EV_REFUSED] = "refused",
	    [EV_HOLD] = "hold",
	    [EV_DRAIN] = "drain",
	};

	return names[type];
}

#define EVR_READ  1u
#define EVR_WRITE 2u
#define EVR_FETCH 4u

static inline u64 ev_enter_make(u64 vpn, unsigned slot, unsigned rwx)
{
	return (u64)rwx << 1 | (u64)slot << 4 | vpn << 12;
}
static inline u64 ev_leave_make(unsigned slot)
{
	return 1ull << 11 | (u64)slot << 4;
}
static inline u64 ev_long_make(unsigned type, unsigned words, u64 arg)
{
	return 1 | (u64)type << 1 | (u64)words << 8 | arg << 16;
}
static inline unsigned ev_type(u64 w)
{
	return w & 1 ? (w >> 1) & 127 : EV_ENTER;
}
static inline bool ev_is_leave(u64 w)
{
	return w >> 11 & 1;
}
static inline unsigned ev_enter_rwx(u64 w)
{
	return (w >> 1) & 7;
}
static inline unsigned ev_enter_slot(u64 w)
{
	return (w >> 4) & 127;
}
static inline u64 ev_enter_va(u64 w)
{
	return w & ~0xfffull;
} /* page address: vpn << 12 */
static inline unsigned ev_words(u64 w)
{
	return w & 1 ? (w >> 8) & 255 : 0;
} /* payload words that follow */
static inline u64 ev_arg(u64 w)
{
	return w >> 16;
}

/* Totals since the thread began. Sent before every long event of the thread, at its end, and now and then in between (a
 * simulated timer goes by instructions). */
struct ev_counts {
	u64 instructions, data_accesses, fetch_page_changes;
};
struct ev_clock {
	u64 tick;
};
struct ev_range {
	u64 start, len;
}; /* bytes */
/* EV_SYSCALL: the thread may sleep in it: until its next event its CPU is idle. */
#define EVS_WAITS (1ull << 32)
/* EV_LOCK. EVL_ALL: whatever the range says, the whole address space, with mlockall's flags (MCL_*) besides; none of
 * them: munlockall. */
enum { EVL_UNLOCK = 0, EVL_LOCK = 1, EVL_LOCK_ONFAULT = 2, EVL_ALL = 16 };
struct ev_touch {
	u64 start, len;
}; /* bytes; arg = EVR_READ or EVR_WRITE */
struct ev_remap {
	u64 old_start, old_len, new_start, new_len, flags;
};

#define EVM_EXEC   1u /* arg bit 0: mapped by exec, not by a system call of the program */
#define EVM_STACK  2u /* the initial stack area as Linux makes it (grows down) */
#define EVM_INTERP 4u /* belongs to the ELF interpreter */
struct ev_map {
	u64 start, len;   /* bytes, page aligned */
	u64 prot, flags;  /* Linux's PROT_ and MAP_ values, as the program asked */
	u64 dev, ino;     /* file's identity, 0,0 for anonymous */
	u64 offset, size; /* bytes: of the map in the file; of the file */
	u64 stack_rlimit; /* EVM_STACK only: bytes it may grow to */
};                        /* then the file's path, NUL-padded to whole words */
struct ev_exec {
	u64 stack_top;
	u64 dev, ino; /* identity of the program's file; 0,0: nobody knows */
};                    /* then what exec was given: its path, or that of a script which it interprets */
struct ev_exec_done {
	u64 sp;                             /* stack pointer at the program's start */
	u64 strings_start, strings_len;     /* argument and environment strings, copied by exec */
	u64 bss_clear_start, bss_clear_len; /* the rest of the last file page, cleared by exec; len 0: none */
	u64 interp_clear_start, interp_clear_len;
	u64 brk_start;
};
struct ev_fork {
	u64 child_pid;
	u64 flags; /* EVF_VM: shares the address space until exec or exit (vfork, CLONE_VM without CLONE_THREAD) */
};
#define EVF_VM 1u
struct ev_thread {
	u64 pid, tid;
	u64 parent_pid; /* 0: the first process */
};
struct ev_file_size {
	u64 dev, ino, size; /* bytes */
};
struct ev_file_hole {
	u64 dev, ino, start, len; /* bytes; the whole pages in it are gone */
};
struct ev_hold {
	u64 start, len; /* bytes */
	u64 dev, ino;   /* the pipe's identity */
};
struct ev_drain {
	u64 dev, ino, bytes;
};
struct ev_refused {
	u64 nr, operation; /* the call; which of its operations (advice, flags), where it has any */
	u64 error;         /* errno; 0: it was said to be done, and was not */
};
enum { EVX_EXIT = 0, EVX_EXEC = 1, EVX_KILLED = 2, EVX_LOST = 3 }; /* LOST: the producer vanished (kill -9, crash) */
struct ev_exit {
	u64 status;
}; /* exit code, or signal for KILLED */

#define EV_PAYLOAD_WORDS(type) (sizeof(type) / sizeof(u64))

/* Events that other processes go by: ordered among all processes by an EV_CLOCK before them. */
static inline bool ev_for_others(unsigned type)
{
	return type == EV_FORK || type == EV_EXIT || type == EV_FILE_SIZE || type == EV_FILE_HOLE || type == EV_HOLD ||
	       type == EV_DRAIN;
}

#endif
