/* SPDX-License-Identifier: MIT
 *
 * test/engine/alone.S - a program that needs no file but its own: exit(42).
 */
	.globl _start
_start:
	mov $60, %eax
	mov $42, %edi
	syscall
	.section .note.GNU-stack,"",@progbits
