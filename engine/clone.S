/* SPDX-License-Identifier: MIT
 *
 * engine/clone.S - a child on a stack of its own, and a thread's last instructions.
 */
	.text
/* long clone_on(flags, stack, parent_tid, child_tid, tls, thread): clone; the child runs child_main(thread) on stack. */
	.globl clone_on, leave_thread
clone_on:
	mov %rcx, %r10          /* child_tid is the fourth argument */
	mov $56, %eax
	push %r12
	mov %r9, %r12
	syscall
	test %rax, %rax
	jz 1f
	pop %r12
	ret
1:	mov %r12, %rdi
	xor %ebp, %ebp
	call child_main

/* leave_thread(struct lock *l, status): lock_give(l), then exit. Without a stack: with the lock it gives that away. */
leave_thread:
	mov %rsi, %r12
	xor %eax, %eax
	xchg %rax, (%rdi)
	test $1, %al            /* LOCK_SLEEPS */
	jz 2f
	mov $129, %esi          /* FUTEX_WAKE_PRIVATE */
	mov $1, %edx
	mov $202, %eax
	syscall
2:	mov %r12, %rdi
	mov $60, %eax
	syscall
	hlt

	.section .note.GNU-stack,"",@progbits
