/* SPDX-License-Identifier: MIT
 *
 * engine/clone.S - a child on a stack of its own.
 */
	.text
/* long clone_on(flags, stack, parent_tid, child_tid, tls, thread): clone; the child runs child_main(thread) on stack. */
	.globl clone_on
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

	.section .note.GNU-stack,"",@progbits
