# int __clone(int (*start)(void *), void *stack, int flags, void *argument, int *ptid, void *tls, int *ctid)
#
# The child wakes up with the parent's registers and its own, fresh stack. What it is to run waits on that stack, and the
# path into the kernel is the one that leaves both stacks alone.

	.text
	.global __clone
	.hidden __clone
	.type __clone, @function
__clone:
	and $-16, %rsi
	sub $16, %rsi
	mov %rcx, (%rsi)
	mov %rdi, 8(%rsi)
	mov %edx, %edi
	mov %r8, %rdx
	mov %r9, %r8
	mov 8(%rsp), %r10
	mov $56, %eax			# clone
	lea 2f(%rip), %rcx
1:	jmp ukl_entry_syscall
	jmp 1b
2:	test %eax, %eax
	jz 3f
	ret
# The child. The two pops leave its stack aligned to 16 for the call; rbp = 0 ends backtraces.
3:	xor %ebp, %ebp
	pop %rdi
	pop %rax
	call *%rax
	mov %eax, %edi
	mov $60, %eax			# exit
	lea 5f(%rip), %rcx
4:	jmp ukl_entry_syscall
	jmp 4b
5:	ud2
	.size __clone, . - __clone
