/* The stack grows on demand, stops at its limit, and can be left for another one. */
#include "behaviour.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#define FRAME 4096

/* Uses `depth` frames of a page each, and on the way back checks that each frame still holds what it wrote. */
static __attribute__((noinline)) long descend(long depth)
{
	volatile unsigned char frame[FRAME];

	frame[0] = frame[FRAME - 1] = (unsigned char)depth;
	long below = depth > 1 ? descend(depth - 1) : 0;
	return below + (frame[0] == (unsigned char)depth && frame[FRAME - 1] == (unsigned char)depth);
}

static void deep_recursion(void)
{
	struct rlimit limit;

	must("getrlimit", getrlimit(RLIMIT_STACK, &limit));
	expect_true("stack limit is at least 8 MiB", limit.rlim_cur >= 8UL << 20);
	/* 1730 frames of a little more than a page: close to 7 MiB. */
	expect_long("frames of 4 KiB that kept their content", descend(1730), 1730);
}

static void recurse_for_ever(void *unused)
{
	(void)unused;
	_exit(descend(1L << 40) > 0);
}

static void stack_overflow(void)
{
	expect_signal("endless recursion", run_child(recurse_for_ever, NULL), SIGSEGV);
}

static sigjmp_buf escape;
static volatile sig_atomic_t caught, on_alternate_stack;
static volatile unsigned long fault_address, fault_sp;
static char alternate[64 << 10];

static void leave(int signal, siginfo_t *info, void *context)
{
	char here;

	(void)signal;
	caught++;
	fault_address = (unsigned long)info->si_addr;
	fault_sp = (unsigned long)((ucontext_t *)context)->uc_mcontext.gregs[REG_RSP];
	on_alternate_stack = (char *)&here >= alternate && (char *)&here < alternate + sizeof alternate;
	siglongjmp(escape, 1);
}

static void use_alternate_stack(int signal)
{
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate };
	struct sigaction action = { .sa_sigaction = leave, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	must("sigaltstack", sigaltstack(&stack, NULL));
	must("sigaction", sigaction(signal, &action, NULL));
}

static void stack_overflow_recovery(void)
{
	struct rlimit limit;
	char here;

	must("getrlimit", getrlimit(RLIMIT_STACK, &limit));
	use_alternate_stack(SIGSEGV);
	for (int round = 0; round < 2; round++) {
		if (sigsetjmp(escape, 1) == 0)
			descend(1L << 40);
		unsigned long depth = (unsigned long)&here - fault_address;
		expect_long("handlers entered so far", caught, round + 1);
		expect_long("handler ran on the alternate stack", on_alternate_stack, 1);
		expect_between("KiB between the frame that overflowed and this one", (long)(depth >> 10),
			       (long)(limit.rlim_cur >> 10) - 512, (long)(limit.rlim_cur >> 10) + 512);
		expect_between("bytes between fault address and stack pointer", (long)(fault_sp - fault_address),
			       -8192, 8192);
	}
	expect_long("frames usable afterwards", descend(100), 100);
}

static void raise_on_alternate_stack(void)
{
	stack_t state;

	use_alternate_stack(SIGUSR1);
	if (sigsetjmp(escape, 1) == 0)
		raise(SIGUSR1);
	expect_long("handler ran on the alternate stack", on_alternate_stack, 1);
	must("sigaltstack", sigaltstack(NULL, &state));
	expect_long("registered stack", (long)state.ss_sp, (long)alternate);
	expect_long("SS_ONSTACK after siglongjmp", state.ss_flags & SS_ONSTACK, 0);
}

/* The stack pointer itself is wild: nothing can be pushed, not even the signal frame. */
static void push_at(void *where)
{
	__asm__ volatile("mov %0, %%rsp\n\tpush $1\n\tud2" : : "r"(where) : "memory");
}

static void bad_stack_pointer(void)
{
	expect_signal("push with the stack pointer at 4096", run_child(push_at, opaque(0x1000)), SIGSEGV);
	expect_signal("push with an unmapped stack pointer", run_child(push_at, opaque(0x123456789000)), SIGSEGV);

	use_alternate_stack(SIGSEGV);
	if (sigsetjmp(escape, 1) == 0)
		push_at(opaque(0x123456789000));
	expect_long("fault address of the push, taken on the alternate stack", (long)fault_address, 0x123456788ff8);
}

/* Code that keeps data below the stack pointer, as the ABI's red zone allows, across interrupts and signals. */
static long red_zone_survives(long rounds)
{
	long value = 0x5eed, lost = 0;

	__asm__ volatile("1:\n\t"
			 "mov %[value], -8(%%rsp)\n\t"
			 "mov %[value], -128(%%rsp)\n\t"
			 "mov $100, %%ecx\n"
			 "2:\tdec %%ecx\n\t"
			 "jnz 2b\n\t"
			 "cmp %[value], -8(%%rsp)\n\t"
			 "jne 3f\n\t"
			 "cmp %[value], -128(%%rsp)\n\t"
			 "je 4f\n"
			 "3:\tinc %[lost]\n"
			 "4:\tinc %[value]\n\t"
			 "dec %[rounds]\n\t"
			 "jnz 1b"
			 : [value] "+r"(value), [lost] "+r"(lost), [rounds] "+r"(rounds)
			 :
			 : "rcx", "memory", "cc");
	return lost;
}

static volatile sig_atomic_t ticks;

static void tick(int signal)
{
	volatile char scratch[512];

	memset((void *)scratch, signal, sizeof scratch);
	ticks++;
}

static void red_zone(void)
{
	struct sigaction action = { .sa_handler = tick, .sa_flags = SA_RESTART };
	long end = now_ms() + 300, lost = 0;

	sigaction(SIGALRM, &action, NULL);
	struct itimerval every = { { 0, 2000 }, { 0, 2000 } };
	must("setitimer", setitimer(ITIMER_REAL, &every, NULL));
	while (now_ms() < end)
		lost += red_zone_survives(2000);
	expect_long("values lost below the stack pointer", lost, 0);
	expect_at_least("signals handled meanwhile", ticks, 5);
}

const struct test stack_tests[] = {
	{ "deep-recursion", deep_recursion },
	{ "stack-overflow", stack_overflow },
	{ "stack-overflow-recovery", stack_overflow_recovery },
	{ "sigaltstack", raise_on_alternate_stack },
	{ "bad-stack-pointer", bad_stack_pointer },
	{ "red-zone", red_zone },
	END_OF_TESTS
};
