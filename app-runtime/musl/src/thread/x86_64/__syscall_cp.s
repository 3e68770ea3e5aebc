# The cancellation point for a call whose number is a variable, and the way out that all cancellation points share.

	.text

# long __syscall_cp(nr, a, b, c, d, e, f): nr in rdi, f on the stack. Same three labels as an inline point.
	.global __syscall_cp
	.hidden __syscall_cp
	.type __syscall_cp, @function
__syscall_cp:
	mov %rdi, %rax
	mov %rsi, %rdi
	mov %rdx, %rsi
	mov %rcx, %rdx
	mov %r8, %rcx
	mov %r9, %r8
	mov 8(%rsp), %r9
1:	cmpl $0, %fs:60
	jne 3f
	call __ukl_syscall
2:	cmp $-4, %rax
	je 4f
	ret
3:	call __ukl_cp_pending
	ret
# EINTR. The number is lost and not needed: only close is special, and close is never called with a variable number.
	.hidden __ukl_cp_interrupted
4:	mov $-1, %rdi
	jmp __ukl_cp_interrupted
	.size __syscall_cp, . - __syscall_cp

	.section ukl_cp, "a", @progbits
	.balign 8
	.quad 1b, 2b, 3b

# A point found a request, or the signal handler sent the thread here. In the first case the number is in rax and the
# arguments are in place, for the call is still to be made when cancellation is disabled. In the second it is not disabled
# and the registers hold anything. The stack may have any alignment, and a C function wants 16 bytes: rbp remembers.
	.text
	.hidden __cancel
	.global __ukl_cp_pending
	.hidden __ukl_cp_pending
	.type __ukl_cp_pending, @function
__ukl_cp_pending:
	cmpb $1, %fs:64			# canceldisable == PTHREAD_CANCEL_DISABLE
	jne 1f
	jmp __ukl_syscall
1:	push %rbp
	mov %rsp, %rbp
	and $-16, %rsp
	call __cancel
	leave
	ret
	.size __ukl_cp_pending, . - __ukl_cp_pending
