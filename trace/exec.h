/* SPDX-License-Identifier: MIT
 *
 * trace/exec.h - what exec mapped, as events: the program's and its interpreter's segments and the stack, as Linux's ELF
 * loader maps them. Freestanding.
 *
 *   PT_LOAD:   file [offset, offset+filesz) ---> | file pages ........... |c| anonymous pages ... |
 *                                                vaddr            vaddr+filesz               vaddr+memsz
 *              c: the rest of the last file page, cleared by exec when memsz > filesz and the segment is writable
 *
 *   stack:     | 128 KiB of room | argc argv envp auxv | strings |
 *                                 sp                   argv[0]    top
 *
 * Source: Linux fs/binfmt_elf.c (load_elf_binary, elf_load), fs/exec.c (setup_arg_pages).
 */
#ifndef TRACE_EXEC_H
#define TRACE_EXEC_H

#include "trace/event.h"

struct exec_segment {
	u64 vaddr, filesz, memsz, offset; /* bytes; a PT_LOAD's */
	u32 prot;
};

#define EXEC_MAX_SEGMENTS 64

struct exec_image {
	struct exec_segment segment[EXEC_MAX_SEGMENTS];
	unsigned nr;
	u64 bias;           /* what is added to each vaddr */
	u64 dev, ino, size; /* of its file */
	const char *path;
};

struct exec_stack {
	u64 top, sp, strings; /* strings: where the lowest is */
	u64 rlimit;           /* bytes that it may grow to */
};

typedef void exec_emit(void *thread, unsigned type, u64 arg, const void *payload, unsigned n, const char *name);

/* EV_EXEC, the initial maps, EV_EXEC_DONE. name: what was executed, the program or a script that it interprets. interp:
 * NULL: there is none. Returns where brk begins. */
u64 exec_tell(void *thread, exec_emit *emit, const char *name, const struct exec_image *program,
	      const struct exec_image *interp, const struct exec_stack *stack);

#endif
