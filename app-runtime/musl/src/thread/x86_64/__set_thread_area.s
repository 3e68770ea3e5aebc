# int __set_thread_area(void *pointer): the thread pointer becomes the base of %fs.

	.text
	.global __set_thread_area
	.hidden __set_thread_area
	.type __set_thread_area, @function
__set_thread_area:
	mov %rdi, %rsi
	mov $0x1002, %edi		# ARCH_SET_FS
	mov $158, %eax			# arch_prctl
	lea 2f(%rip), %rcx
1:	jmp ukl_entry_syscall
	jmp 1b
2:	ret
	.size __set_thread_area, . - __set_thread_area
