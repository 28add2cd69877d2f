/* SPDX-License-Identifier: MIT
 *
 * engine/engine.h - the process that the engine runs in: where its own memory lies, the program, what ends it.
 *
 *   0x400000 or 0x555555554000   the program           as exec maps it, without randomisation
 *   ENGINE                       the engine            text, data; then what memory_get() takes; the translated code
 *   below the stack              ld.so, vdso, maps     the kernel's choice, as natively: nothing of ours is there
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "engine/cache.h"
#include "engine/runtime.h"
#include "trace/exec.h"

/* MemorySanitizer and ThreadSanitizer keep these addresses from being used: place.c. */
#define ENGINE_START      0x480000000000ull /* its own segments */
#define ENGINE_MEMORY     0x480100000000ull
#define ENGINE_MEMORY_END 0x490000000000ull
#define ENGINE_END        0x4a0000000000ull /* behind the hub and the rings */
#define EXIT_ENGINE       125

/* How this engine was started: what it starts the next with. */
extern struct engine {
	char *self, *zydis;
} engine;

/* The program as it was loaded. */
struct program {
	u64 entry; /* where the first instruction is: the interpreter's or the program's */
	u64 stack;
	u64 brk;
	u64 data_bytes;   /* of its last segment in the file */
	const char *file; /* its path, as /proc/self/exe has it */
};

/* One clear line on standard error, and the end of the process. number: printed in hexadecimal behind; 0: not. */
_Noreturn void die(const char *what, const char *name, u64 number);

/* zydis.c: the decoder's library comes into the engine's memory. */
void zydis_load(const char *path);
/* load.c: the program at path, its interpreter, its stack. name: what exec was given. argv, envp, auxv: the engine's own,
 * of the program. */
void program_load(const char *name, const char *path, char **argv, char **envp, u64 *auxv, struct program *out);
/* What exec would have told of it. Returns where brk begins. */
u64 program_tell(void *thread, exec_emit *emit);
/* perform.c: the system call that the thread is at, carried out. rseq_touch: the thread begins to run. */
void call_perform(struct thread *t);
/* The thread is at a place in the kernel's page of old that means a system call, which is carried out; false: it is not. */
bool call_vsyscall(struct thread *t);
void rseq_touch(struct thread *t);

/* main.c: the loop of a thread, on its own stack. */
_Noreturn void run(struct thread *t);
/* host.c: the program's memory, which may not be there. read: the bytes that were; write: 0 or -EFAULT. */
u64 program_read(void *to, u64 va, u64 len);
long program_write(u64 va, const void *from, u64 len);
/* The same without a system call; the program must not have blocked SIGSEGV. Return how many bytes are not done. */
u64 safe_copy(void *to, const void *from, u64 n);
u64 safe_zero(void *to, u64 n);
extern const u8 safe_copy_moves[], safe_zero_stores[], safe_failed[];
/* descriptor.c. keep: from now on this is the hub's; adopted: it is already where it is to be. stays: through the next
 * execve. answer: carries out a call that would meet it; false: it does not, and is to be made. */
void descriptor_keep(int fd, bool adopted);
void descriptor_stays(bool stays);
int descriptor_hub(void);
bool descriptor_answer(long nr, const u64 a[6], long *ret);
/* place.c: carries out a call on addresses where the engine is; false: it is on others. */
bool place_answer(long nr, const u64 a[6], long *ret);
/* mlock.c: mlockall and munlockall; memory of the engine's that was mapped just now is not locked. */
long mlock_call(long nr, const u64 a[6]);
void mlock_not(u64 start, u64 bytes);
/* exec.c: what execveat is given; execve: AT_FDCWD and no flags. Returns -errno, or does not return. */
struct exec {
	int dir;
	const char *path;
	char **argv, **envp;
	u64 flags;
};
long exec_program(struct thread *t, const struct exec *e);
/* In the engine that comes: RING, as main.c has it, may end with a descriptor that an exec closes. */
void exec_close(const char *ring);
long gate_call(long nr, const u64 arg[6]); /* start.S */

void calls_begin(const struct program *p);

#endif
