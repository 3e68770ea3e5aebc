/* Application faults end the application with the right signal, never the kernel: each runs in a child, unhandled, and
 * `fault-siginfo` and `fault-recovery` run them all with a handler in one process.
 *
 * Where ring 0 has to differ from an ordinary process:
 * - The application's text lies in the kernel half, so a write to it reports SEGV_MAPERR there and SEGV_ACCERR in a
 *   process; the signal is the same.
 * - Privileged instructions are not in the list: a linked-in application is trusted and could execute them.
 */
#include "behaviour.h"
#include "faults.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNMAPPED 0x123456789000UL
/* Neither a 48-bit nor a 57-bit canonical address. */
#define NON_CANONICAL 0x4242424242424242UL

static const char constant[16] = "constant";
static unsigned char code_in_data[16] = { 0x90, 0xc3 };
static unsigned char *code_on_heap;

static __attribute__((noinline)) void own_function(void)
{
	__asm__ volatile("nop");
}

static void null_read(void *unused)
{
	(void)unused;
	(void)*(volatile char *)opaque(0);
}

static void null_write(void *unused)
{
	(void)unused;
	*(volatile char *)opaque(0) = 1;
}

static void wild_read(void *unused)
{
	(void)unused;
	(void)*(volatile char *)opaque(UNMAPPED + 5);
}

static void wild_write(void *unused)
{
	(void)unused;
	*(volatile char *)opaque(UNMAPPED + 5) = 1;
}

static void non_canonical_write(void *unused)
{
	(void)unused;
	*(volatile char *)opaque(NON_CANONICAL) = 1;
}

static void jump(unsigned long target)
{
	((void (*)(void))opaque(target))();
}

static void jump_null(void *unused)
{
	(void)unused;
	jump(0);
}

static void jump_wild(void *unused)
{
	(void)unused;
	jump(UNMAPPED);
}

static void jump_non_canonical(void *unused)
{
	(void)unused;
	jump(NON_CANONICAL);
}

/* A return, unlike a call, loads the bad address from the stack. */
static void return_non_canonical(void *unused)
{
	(void)unused;
	__asm__ volatile("sub $128, %%rsp\n\tpush %0\n\tret" : : "r"(NON_CANONICAL) : "memory");
}

static unsigned long heap_address(void)
{
	if (!code_on_heap) {
		code_on_heap = malloc(64);
		code_on_heap[0] = 0x90;
		code_on_heap[1] = 0xc3;
	}
	return (unsigned long)code_on_heap;
}

static void jump_heap(void *unused)
{
	(void)unused;
	jump(heap_address());
}

static void jump_data(void *unused)
{
	(void)unused;
	jump((unsigned long)code_in_data);
}

static void write_text(void *unused)
{
	(void)unused;
	*(volatile unsigned char *)opaque((unsigned long)own_function) = 0xcc;
}

static void write_rodata(void *unused)
{
	(void)unused;
	*(volatile char *)opaque((unsigned long)constant) = 1;
}

static void invalid_opcode(void *unused)
{
	(void)unused;
	__asm__ volatile("ud2");
}

static void breakpoint(void *unused)
{
	(void)unused;
	__asm__ volatile("int3");
}

static void divide_by_zero(void *unused)
{
	(void)unused;
	__asm__ volatile("div %%ecx" : : "a"(1), "d"(0), "c"(0) : "cc");
}

static void x87_divide_by_zero(void *unused)
{
	/* Everything masked but the zero divide. */
	unsigned short control = 0x037b;

	(void)unused;
	__asm__ volatile("fninit\n\tfldcw %0\n\tfld1\n\tfldz\n\tfdivrp\n\tfwait\n\tfninit" : : "m"(control));
}

/* Leaves the trap flag set for one instruction. The 128 bytes keep the compiler's red zone intact. */
static void trap_flag(void *unused)
{
	(void)unused;
	__asm__ volatile("sub $128, %%rsp\n\tpushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\tnop\n\tnop\n\tadd $128, %%rsp"
			 : : : "memory", "cc");
}

static void call_abort(void *unused)
{
	(void)unused;
	abort();
}

static unsigned long at_null(void) { return 0; }
static unsigned long at_unmapped(void) { return UNMAPPED; }
static unsigned long at_unmapped_5(void) { return UNMAPPED + 5; }
static unsigned long at_data(void) { return (unsigned long)code_in_data; }
static unsigned long at_text(void) { return (unsigned long)own_function; }
static unsigned long at_rodata(void) { return (unsigned long)constant; }

const struct fault faults[] = {
	{ "null-read", "read at 0", null_read, SIGSEGV, SEGV_MAPERR, at_null },
	{ "null-write", "write at 0", null_write, SIGSEGV, SEGV_MAPERR, at_null },
	{ "wild-read", "read at an unmapped address", wild_read, SIGSEGV, SEGV_MAPERR, at_unmapped_5 },
	{ "wild-write", "write at an unmapped address", wild_write, SIGSEGV, SEGV_MAPERR, at_unmapped_5 },
	{ "non-canonical-write", "write at a non-canonical address", non_canonical_write, SIGSEGV, SI_KERNEL, at_null },
	{ "jump-null", "call of 0", jump_null, SIGSEGV, SEGV_MAPERR, at_null },
	{ "jump-wild", "call of an unmapped address", jump_wild, SIGSEGV, SEGV_MAPERR, at_unmapped },
	{ "jump-non-canonical", "call of a non-canonical address", jump_non_canonical, SIGSEGV, ANY_CODE, NULL },
	{ "return-non-canonical", "return to a non-canonical address", return_non_canonical, SIGSEGV, ANY_CODE, NULL },
	{ "jump-heap", "call of bytes on the heap", jump_heap, SIGSEGV, SEGV_ACCERR, heap_address },
	{ "jump-data", "call of bytes in initialised data", jump_data, SIGSEGV, SEGV_ACCERR, at_data },
	{ "write-text", "write to a function of this program", write_text, SIGSEGV, ANY_CODE, at_text },
	{ "write-rodata", "write to a constant", write_rodata, SIGSEGV, SEGV_ACCERR, at_rodata },
	{ "ud2", "ud2", invalid_opcode, SIGILL, ILL_ILLOPN, NULL },
	{ "int3", "int3", breakpoint, SIGTRAP, SI_KERNEL, NULL },
	{ "divide-by-zero", "integer division by zero", divide_by_zero, SIGFPE, FPE_INTDIV, NULL },
	{ "x87-divide-by-zero", "unmasked x87 division by zero", x87_divide_by_zero, SIGFPE, FPE_FLTDIV, NULL },
	{ "trap-flag", "single-step flag set with popfq", trap_flag, SIGTRAP, TRAP_TRACE, NULL },
	{ "abort", "abort()", call_abort, SIGABRT, SI_TKILL, NULL },
};

const unsigned fault_count = sizeof faults / sizeof faults[0];

static void in_child(const char *name)
{
	for (unsigned i = 0; i < fault_count; i++)
		if (strcmp(faults[i].name, name) == 0)
			expect_signal(faults[i].what, run_child(faults[i].commit, NULL), faults[i].signal);
	/* The next child works as the first did: nothing of the fault stayed behind. */
	const char *const args[] = { "initial", NULL };
	char text[64];
	expect_exit("an execution after it", run_helper(args, text, sizeof text), 0);
}

#define CHILD_TEST(id, name) static void id##_in_child(void) { in_child(name); }

CHILD_TEST(null_read, "null-read")
CHILD_TEST(null_write, "null-write")
CHILD_TEST(wild_read, "wild-read")
CHILD_TEST(wild_write, "wild-write")
CHILD_TEST(non_canonical_write, "non-canonical-write")
CHILD_TEST(jump_null, "jump-null")
CHILD_TEST(jump_wild, "jump-wild")
CHILD_TEST(jump_non_canonical, "jump-non-canonical")
CHILD_TEST(return_non_canonical, "return-non-canonical")
CHILD_TEST(jump_heap, "jump-heap")
CHILD_TEST(jump_data, "jump-data")
CHILD_TEST(write_text, "write-text")
CHILD_TEST(write_rodata, "write-rodata")
CHILD_TEST(invalid_opcode, "ud2")
CHILD_TEST(breakpoint, "int3")
CHILD_TEST(divide_by_zero, "divide-by-zero")
CHILD_TEST(x87_divide_by_zero, "x87-divide-by-zero")
CHILD_TEST(trap_flag, "trap-flag")
CHILD_TEST(call_abort, "abort")

const struct test fault_tests[] = {
	{ "null-read", null_read_in_child },
	{ "null-write", null_write_in_child },
	{ "wild-read", wild_read_in_child },
	{ "wild-write", wild_write_in_child },
	{ "non-canonical-write", non_canonical_write_in_child },
	{ "jump-null", jump_null_in_child },
	{ "jump-wild", jump_wild_in_child },
	{ "jump-non-canonical", jump_non_canonical_in_child },
	{ "return-non-canonical", return_non_canonical_in_child },
	{ "jump-heap", jump_heap_in_child },
	{ "jump-data", jump_data_in_child },
	{ "write-text", write_text_in_child },
	{ "write-rodata", write_rodata_in_child },
	{ "ud2", invalid_opcode_in_child },
	{ "int3", breakpoint_in_child },
	{ "divide-by-zero", divide_by_zero_in_child },
	{ "x87-divide-by-zero", x87_divide_by_zero_in_child },
	{ "trap-flag", trap_flag_in_child },
	{ "abort", call_abort_in_child },
	END_OF_TESTS
};
