/* The shell scripts of scenarios/ as strings: they reach the guest inside the program whose tests run them. */
	.section .rodata
	.macro	script name, file
	.globl	\name
\name:
	.incbin	"scenarios/\file"
	.byte	0
	.endm

	script	script_ftrace_toggle, ftrace-toggle.sh
	script	script_nmi_backtrace, nmi-backtrace.sh
	script	script_sigstop, sigstop-from-shell.sh
	script	script_kill, kill-from-shell.sh
	script	script_ps_top, ps-top.sh
	script	script_two_instances, two-instances.sh
	.section .note.GNU-stack, "", @progbits
