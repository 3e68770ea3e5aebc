# Where a signal handler returns to: rt_sigreturn restores everything from the frame that rsp points to, so nothing may be
# pushed. Unwinders look at the byte before a return address: hence the nop.

	.text
	nop
	.global __restore_rt
	.hidden __restore_rt
	.type __restore_rt, @function
__restore_rt:
	mov $15, %eax			# rt_sigreturn
	lea 2f(%rip), %rcx
1:	jmp ukl_entry_syscall
	jmp 1b
2:	ud2
	.size __restore_rt, . - __restore_rt
