/* long fpu_hold(const struct fpu_state *in, struct fpu_state *out, long rounds, long (*call)(void))
 *
 * Loads MXCSR, the x87 control word, XMM0 to XMM15 and two x87 registers from *in, spends `rounds` rounds (in each
 * calling `call`, when it is not NULL), and stores what the registers hold then to *out. `call` must itself leave these
 * registers alone: it is a bare system call. Layout of fpu_state: 16 x 16 bytes XMM, 2 x 8 bytes x87 doubles, 4 bytes
 * MXCSR, 2 bytes control word.
 */
	.text
	.globl	fpu_hold
	.type	fpu_hold, @function
	.balign	16
fpu_hold:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	sub	$24, %rsp
	mov	%rdi, %rbx
	mov	%rsi, %rbp
	mov	%rdx, %r12
	mov	%rcx, %r13
	stmxcsr	(%rsp)
	fnstcw	8(%rsp)

	ldmxcsr	272(%rbx)
	fninit
	fldcw	276(%rbx)
	fldl	256(%rbx)
	fldl	264(%rbx)
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movups	16*\n(%rbx), %xmm\n
	.endr

1:	test	%r13, %r13
	jz	2f
	call	*%r13
2:	mov	$200, %ecx
3:	dec	%ecx
	jnz	3b
	dec	%r12
	jnz	1b

	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movups	%xmm\n, 16*\n(%rbp)
	.endr
	fstpl	264(%rbp)
	fstpl	256(%rbp)
	stmxcsr	272(%rbp)
	fnstcw	276(%rbp)

	fninit
	ldmxcsr	(%rsp)
	fldcw	8(%rsp)
	xor	%eax, %eax
	add	$24, %rsp
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret
	.size	fpu_hold, . - fpu_hold
	.section .note.GNU-stack, "", @progbits
