/* SPDX-License-Identifier: MIT
 *
 * engine/start.S - the ways between generated code and the runtime. gs is the thread (state.h).
 *
 *   thread_run(t) --> t->jump = dispatch(t) --> generated code --> enter_dispatch --> dispatch(t) --> code, or back
 *                                                    |   ^                             to thread_run's caller
 *                                                    v   |
 *                             enter_access, _flags, _string, _gather: the runtime looks at an access, and returns to its site
 *
 * C code may use any general register, and wants DF and AC clear. Vector registers are not touched (-mgeneral-regs-only).
 */
#include "engine/state.h"

	.macro SAVE_REGISTERS
	mov %rax, %gs:T_GPR
	mov %rcx, %gs:T_GPR+8
	mov %rdx, %gs:T_GPR+16
	mov %rsp, %gs:T_GPR+32
	mov %rsi, %gs:T_GPR+48
	mov %rdi, %gs:T_GPR+56
	mov %r8,  %gs:T_GPR+64
	mov %r9,  %gs:T_GPR+72
	mov %r10, %gs:T_GPR+80
	mov %r11, %gs:T_GPR+88
	mov %gs:T_STACK, %rsp
	.endm

	.macro SAVE_VOLATILE
	SAVE_REGISTERS
	pushfq
	popq %gs:T_FLAGS
	testl $EFLAGS_DF | EFLAGS_AC, %gs:T_FLAGS
	jz 2f
	pushq $2
	popfq
2:
	mov %gs:0, %rdi
	.endm

	.macro SAVE_REST
	mov %rbx, %gs:T_GPR+24
	mov %rbp, %gs:T_GPR+40
	mov %r12, %gs:T_GPR+96
	mov %r13, %gs:T_GPR+104
	mov %r14, %gs:T_GPR+112
	mov %r15, %gs:T_GPR+120
	.endm

	.macro LOAD_REST
	mov %gs:T_GPR+24, %rbx
	mov %gs:T_GPR+40, %rbp
	mov %gs:T_GPR+96, %r12
	mov %gs:T_GPR+104, %r13
	mov %gs:T_GPR+112, %r14
	mov %gs:T_GPR+120, %r15
	.endm

	.macro LOAD_FLAGS
	pushq %gs:T_FLAGS
	popfq
	.endm

	.macro LOAD_VOLATILE
	mov %gs:T_GPR, %rax
	mov %gs:T_GPR+8, %rcx
	mov %gs:T_GPR+16, %rdx
	mov %gs:T_GPR+48, %rsi
	mov %gs:T_GPR+56, %rdi
	mov %gs:T_GPR+64, %r8
	mov %gs:T_GPR+72, %r9
	mov %gs:T_GPR+80, %r10
	mov %gs:T_GPR+88, %r11
	mov %gs:T_GPR+32, %rsp
	.endm

/* A signal that came meanwhile is delivered at the next block: till there each instruction traps (signals.c). */
	.macro TRAP_IF_PENDING
	cmpq $0, %gs:T_PENDING
	je 1f
	orq $EFLAGS_TF, %gs:T_FLAGS
1:
	.endm

	.text
	.globl start_text, start_text_end
start_text:
	.globl thread_run, enter_dispatch, enter_access, enter_flags, enter_string, enter_gather

thread_run:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	pushfq
	mov %rsp, T_CALLER(%rdi)
	mov T_STACK(%rdi), %rsp
	call dispatch
	jmp go_on

enter_dispatch:
	SAVE_VOLATILE
	SAVE_REST
	call dispatch
go_on:
	test %rax, %rax
	jz leave
	mov %rax, %gs:T_JUMP
	TRAP_IF_PENDING
	LOAD_REST
	LOAD_FLAGS
	LOAD_VOLATILE
	jmp *%gs:T_JUMP
/* A signal's handler goes on here too, on the runtime's stack, when it has put the program's state into the thread. */
	.globl enter_signal
enter_signal:
leave:
	mov %gs:T_CALLER, %rsp
	popfq
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

/* Of the flags only those that are modes count here: who wants the others keeps them, or comes by enter_flags. pushfq and
 * popfq take longer than all else of this, so they are left out as long as there are no modes. */
enter_access:
	cmpb $0, %gs:T_MODES
	jne enter_flags
	SAVE_REGISTERS
	mov %gs:0, %rdi
	call access_slow
	mov %rax, %gs:T_JUMP
	cmpq $0, %gs:T_PENDING
	jne 3f
	LOAD_VOLATILE
	jmp *%gs:T_JUMP
3:	pushfq
	popq %gs:T_FLAGS
	TRAP_IF_PENDING
	LOAD_FLAGS
	LOAD_VOLATILE
	jmp *%gs:T_JUMP

enter_flags:
	SAVE_VOLATILE
	call access_slow
	jmp accessed

enter_string:
	SAVE_VOLATILE
	SAVE_REST
	call access_string
accessed:
	mov %rax, %gs:T_JUMP
	TRAP_IF_PENDING
	LOAD_FLAGS
	LOAD_VOLATILE
	jmp *%gs:T_JUMP

enter_gather:
	SAVE_VOLATILE
	SAVE_REST
	call access_gather
	jmp accessed

/* long gate_call(long nr, const u64 arg[6]): the program's system call. Between gate_call and gate_in a signal makes it
 * end at gate_out, not begun: rax is then GATE_NOT_BEGUN. */
	.globl gate_call, gate_in, gate_out
gate_call:
	mov %rdi, %rax
	mov %rsi, %r11
	mov 0(%r11), %rdi
	mov 8(%r11), %rsi
	mov 16(%r11), %rdx
	mov 24(%r11), %r10
	mov 32(%r11), %r8
	mov 40(%r11), %r9
	cmpq $0, %gs:T_PENDING
	jne gate_out
gate_in:
	syscall
	ret
gate_out:
	mov $GATE_NOT_BEGUN, %rax
	ret

start_text_end:

	.section .note.GNU-stack,"",@progbits
