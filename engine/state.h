/* SPDX-License-Identifier: MIT
 *
 * engine/state.h - what generated code and start.S know of a thread: gs points to its struct thread while the program
 * runs. Offsets are used by generated code as gs:[offset], by start.S by the names below.
 *
 *   gs --> | self | scratch | entries of the runtime | icount | gpr[16] | ... | windows | indirect | xsave area |
 *
 * Invariants
 *   E1  When a copied instruction of the program executes, every general register that it reads holds the program's
 *       value; any other holds it or has it in shadow[] (struct copied says which). At a block's end and at its begin
 *       all hold it. Flags that are live are the program's. Of the rest of the state (vector registers, x87, memory)
 *       nothing is touched at all. Only RIP differs. Exceptions are listed in translate.c, each with its rule.
 *   E2  Outside of the code cache gpr[], flags and pc are the program's state, exactly.
 */
#ifndef ENGINE_STATE_H
#define ENGINE_STATE_H

/* For start.S; asserted below. */
#define T_GPR          128
#define T_FLAGS        256
#define T_PC           264
#define T_STACK        272
#define T_JUMP         280
#define T_CALLER       288
#define T_PENDING      296
#define T_MODES        304
#define EFLAGS_TF      0x100   /* single steps */
#define EFLAGS_DF      0x400   /* strings go down */
#define EFLAGS_AC      0x40000 /* accesses that are not aligned fault */
#define EFLAGS_MODES   (EFLAGS_TF | EFLAGS_DF | EFLAGS_AC)
#define GATE_NOT_BEGUN 0x4000000000000000 /* no call returns it */

#ifndef __ASSEMBLER__
#include <stddef.h>

#include "trace/window.h"

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, NR_GPR };

#define INDIRECT_BITS 16 /* what movzx takes */
#define XSAVE_MAX     16384

/* Where a jump, call or return by a register or memory goes: negated[(u16)target] is -target, and code[(u16)-target] where
 * the block is. So two registers are enough to look there. Empty: the target is one that has another place: 0 does but in
 * the first, where a null pointer is looked for. */
struct indirect {
	u64 negated[1 << INDIRECT_BITS];
	const u8 *code[1 << INDIRECT_BITS];
};

#define INDIRECT_EMPTY(n) ((n) == 0 ? 1ull : 0)

/* Why generated code leaves for the runtime: in thread.why, the number of a link, or one of these. */
enum {
	WHY_INDIRECT = -1, /* pc is not in indirect */
	WHY_SYSCALL = -2,  /* pc is behind the instruction */
	WHY_REFUSED = -3,  /* pc is at an instruction that is not run */
	WHY_BAD = -4,      /* pc is at what the decoder does not know */
	WHY_SIGNAL = -5,   /* pending: the state is exact */
	WHY_STALE = -6,    /* the code of block `site` has changed */
	WHY_FETCH = -7,    /* the instruction at pc cannot be fetched: no byte at `address` */
	WHY_HIT = -8,      /* the instruction at pc writes to the code of block `site`, which it is in */
	WHY_IRET = -9,     /* pc is at an iretq */
};

#define FETCH_REVOKED (1ull << 32)

struct thread {
	struct thread *self;
	u64 scratch[3];
	u64 address, site;    /* what the check of an access hands over: a site's number, or where a struct gather is */
	s64 why;              /* the block's end does */
	const void *enter[5]; /* enum runtime_entry */
	u64 icount;        /* instructions executed, and string_steps: a block adds all of its own at its beginning */
	u64 fetch_page;    /* number (cache.h) of the page that instructions come from, and FETCH_REVOKED; 0: none */
	u64 fetch_changes; /* of it */
	u64 accesses;      /* to memory, read or written */
	u64 gpr[NR_GPR];   /* T_GPR */
	u64 flags;         /* T_FLAGS: RFLAGS */
	u64 pc;            /* T_PC */
	u64 stack;         /* T_STACK: where the runtime's begins */
	const void *jump;  /* T_JUMP: where start.S goes on */
	u64 caller;        /* T_CALLER: stack of who called thread_run() */
	u64 pending;       /* T_PENDING: a signal waits for the next place with an exact state (signals.c) */
	u8 modes;          /* T_MODES: RFLAGS may have one of EFLAGS_MODES; 0: only TF, and only while a signal waits */
	bool steps;        /* single steps go to that place */
	bool traced;       /* the program's own TF; flags has none */
	u8 traps;          /* its step: 1: not begun, 2: ends at that place */
	u32 in;            /* it may run generated code (cache.h) */
	u32 alive;         /* 0: of a process that shares this memory (threads.c), and it has ended, or executed */
	u64 fs_base, gs_base;         /* the program's */
	struct thread *next, *before; /* in the list of threads (runtime.h) */
	u64 string_steps;             /* of icount: no instructions, they order the accesses of strings */
	u64 fetch_last;               /* the page that instructions came from when the windows were emptied */
	struct process *process;      /* threads.h */
	u64 tid; /* not the process' pid: the first thread may have ended, and that number with it */
	/* events.c: its stream */
	struct ring *ring;            /* NULL: not begun, or ended */
	u64 clock;                    /* the hub's clock as last told */
	u64 entered;                  /* window events sent */
	u64 begun;                    /* entries to the kernel */
	bool ended, first;            /* first: of its process */
	u32 warm;                     /* its windows may hold pages */
	const struct filter *filters; /* seccomp.c */
	u64 rseq;                     /* perform.c: where the kernel would write; 0: nowhere */
	bool rseq_due;                /* when the thread next begins to run */
	struct window data, fetch;
	u64 generation, purges; /* of the cache and of indirect: till when they are taken into account there */
	struct indirect indirect;
	u64 shadow[NR_GPR]; /* what registers held that are lent (E1) */
	u8 xsave[XSAVE_MAX] __attribute__((aligned(64)));
};

_Static_assert(offsetof(struct thread, gpr) == T_GPR, "start.S");
_Static_assert(offsetof(struct thread, flags) == T_FLAGS, "start.S");
_Static_assert(offsetof(struct thread, pc) == T_PC, "start.S");
_Static_assert(offsetof(struct thread, stack) == T_STACK, "start.S");
_Static_assert(offsetof(struct thread, jump) == T_JUMP, "start.S");
_Static_assert(offsetof(struct thread, caller) == T_CALLER, "start.S");
_Static_assert(offsetof(struct thread, pending) == T_PENDING, "start.S");
_Static_assert(offsetof(struct thread, modes) == T_MODES, "start.S");

/* The runtime's entries from generated code, in start.S. */
enum runtime_entry { ENTER_DISPATCH, ENTER_ACCESS, ENTER_FLAGS, ENTER_STRING, ENTER_GATHER };

/* Runs the program from t->pc on, until something is to be done that is no translation: t->why says what. gs is t. */
void thread_run(struct thread *t);
#endif
#endif
