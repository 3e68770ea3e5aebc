/* The ELF file `intruder` as constant data: it reaches the guest inside the program whose tests start it. */
	.section .rodata
	.globl	intruder_start, intruder_end
	.balign	16
intruder_start:
	.incbin	"intruder"
intruder_end:
	.section .note.GNU-stack, "", @progbits
