# pid_t vfork(void). The child returns first, on the stack it shares with the parent, and overwrites what lies below.
# So the return address is kept in a register across the call.

	.text
	.hidden __syscall_ret
	.global vfork
	.type vfork, @function
vfork:
	pop %rsi
	mov $58, %eax			# vfork
	lea 2f(%rip), %rcx
1:	jmp ukl_entry_syscall
	jmp 1b
2:	push %rsi
	mov %rax, %rdi
	jmp __syscall_ret
	.size vfork, . - vfork
