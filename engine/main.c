/* SPDX-License-Identifier: MIT
 *
 * engine/main.c - the engine's start: engine HUB ZYDIS RING NAME PATH ARGV...
 *
 * HUB: the path of the hub's descriptor, or its number; ZYDIS: the decoder's library; RING: the number of the ring whose
 * stream goes on (after an exec), or -, and ,FD: a descriptor to close when the program is loaded; NAME: what is
 * executed; PATH: the program that runs it (NAME itself, or a script's interpreter); ARGV: its arguments, the first its
 * name.
 */
#include <asm/prctl.h>
#include <sys/mman.h>

#include "engine/areas.h"
#include "engine/decode.h"
#include "engine/events.h"
#include "lib/sys.h"

#ifndef CACHE_BYTES /* the tests have less */
#define CACHE_BYTES (256ull << 20)
#endif

#define IRET_FLAGS 0x254dd5ull /* ID AC RF NT OF DF TF SF ZF AF PF CF: what a program may load by it */

struct engine engine;

static u8 stack[RUNTIME_STACK] __attribute__((aligned(64), used)); /* of the start, and of the first thread's loop */

/* The kernel's stack is the program's: it is left at once. */
__asm__(".globl _start\n"
	"_start:\n\t"
	"mov %rsp, %rdi\n\t"
	"lea stack+131072(%rip), %rsp\n\t"
	"xor %ebp, %ebp\n\t"
	"call engine_main\n\t"
	"hlt");

/* Of the engine's own arguments: their stack becomes the program's. */
static char *copy(const char *text)
{
	return memcpy(memory_get(strlen(text) + 1), text, strlen(text) + 1);
}

static _Noreturn void die_of_insn(const struct thread *t)
{
	struct insn i;
	u8 bytes[15];

	decode(t->pc, bytes, (unsigned)program_read(bytes, t->pc, sizeof(bytes)), &i);
	die(i.refusal ? i.refusal : "an instruction that the decoder does not know", "is not run by the engine, at",
	    t->pc);
}

/* iretq, which Wine goes on by: a jump that loads flags and stack pointer. false: to somewhere that is not this program. */
static bool interrupt_return(struct thread *t)
{
	struct {
		u64 pc, cs, flags, sp, ss;
	} frame;
	u64 cs, ss, at = t->gpr[RSP];

	__asm__("mov %%cs, %0; mov %%ss, %1" : "=r"(cs), "=r"(ss));
	if (program_read(&frame, at, sizeof(frame)) != sizeof(frame) || (u16)frame.cs != cs || (u16)frame.ss != ss)
		return false;
	t->accesses += 5 + runtime_touch(t, at, sizeof(frame), SITE_READ, t->icount);
	t->pc = frame.pc;
	t->gpr[RSP] = frame.sp;
	t->flags = (t->flags & ~IRET_FLAGS) | (frame.flags & IRET_FLAGS & ~(u64)EFLAGS_TF);
	t->traced = frame.flags & EFLAGS_TF;
	return true;
}

_Noreturn void run(struct thread *t)
{
	for (;;) {
		thread_run(t);
		if (t->traced) { /* a step ends here, or in what follows */
			t->steps = false;
			t->traps = 0;
			t->flags &= ~(u64)EFLAGS_TF;
		}
		if (t->why == WHY_SYSCALL)
			call_perform(t);
		else if (t->why == WHY_SIGNAL)
			signal_deliver(t);
		else if (t->why == WHY_IRET && interrupt_return(t))
			;
		else if (t->why == WHY_FETCH && call_vsyscall(t))
			;
		else if (t->why == WHY_FETCH)
			signal_fetch(t, t->address);
		else if (t->why != WHY_BAD || !signal_illegal(t))
			die_of_insn(t);
		t->why = WHY_INDIRECT;
	}
}

_Noreturn void engine_main(u64 *sp);
_Noreturn void engine_main(u64 *sp)
{
	char **argv = (char **)(sp + 1), **envp = argv + *sp + 1;
	u64 *auxv = (u64 *)envp;
	struct program p;
	struct task *k;
	struct thread *t;
	char *name, *ring;
	u8 *code;

	if (*sp < 7)
		die("the engine is started by `quire run` only", "", 0);
	while (*auxv++)
		;
	engine = (struct engine){copy(argv[0]), copy(argv[2])};
	events_attach(argv[1]);
	k = task_get();
	t = &k->thread;
	t->process = &k->own;
	t->first = true;
	k->own.pid = t->tid = (u64)sys3(SYS_getpid, 0, 0, 0);
	k->own.nr_threads = 1;
	k->own.calls.ops = &host_ops;
	sys3(SYS_arch_prctl, ARCH_SET_GS, (u64)t, 0);
	zydis_load(argv[2]);
	decode_init();
	code = memory_get(CACHE_BYTES);
	sys3(SYS_mprotect, (u64)code, CACHE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC);
	cache_init(code, CACHE_BYTES);
	ring = copy(argv[3]);
	events_adopt(t, ring);
	name = copy(argv[4]);
	limits_begin(&k->own);
	program_load(name, copy(argv[5]), argv + 6, envp, auxv, &p);
	exec_close(ring);
	t->gpr[RSP] = p.stack;
	t->pc = p.entry;
	areas_begin();
	signals_begin(t);
	calls_begin(&p);
	if (events_begin(t))
		k->own.calls.brk_start = k->own.calls.brk = program_tell(t, events_emit);
	run(t);
}
