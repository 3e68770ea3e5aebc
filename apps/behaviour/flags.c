/* Flags that an application may set, and that must not go with it into the kernel and on to other tasks. */
#include "behaviour.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FLAG_INTERRUPTS (1UL << 9)
#define FLAG_NESTED_TASK (1UL << 14)
#define ROUNDS 300
#define VICTIM_MS 1500

/* The 128 bytes keep the compiler's red zone intact. */
static unsigned long flags(void)
{
	unsigned long value;

	__asm__ volatile("sub $128, %%rsp\n\tpushfq\n\tpop %0\n\tadd $128, %%rsp" : "=r"(value) : : "memory");
	return value;
}

static void set_flags(unsigned long value)
{
	__asm__ volatile("sub $128, %%rsp\n\tpush %0\n\tpopfq\n\tadd $128, %%rsp" : : "r"(value) : "memory", "cc");
}

/* Sleeps in the kernel again and again with NT set, which makes an IRETQ of whoever runs next fault. */
static void sleep_nested(void *unused)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	(void)unused;
	for (int i = 0; i < ROUNDS; i++) {
		set_flags(flags() | FLAG_NESTED_TASK);
		nanosleep(&moment, NULL);
	}
	set_flags(flags() & ~FLAG_NESTED_TASK);
}

/* Is interrupted, and returned to by IRETQ, all the time. */
static void be_interrupted(void *unused)
{
	(void)unused;
	spin_ms(VICTIM_MS);
}

static void nested_task(void)
{
	pid_t victim = start_child(be_interrupted, NULL);
	pid_t sleeper = start_child(sleep_nested, NULL);

	expect_exit("a process that computes beside one that sleeps with NT", reap(victim), 0);
	expect_exit("the one that sleeps with NT", reap(sleeper), 0);
}

/* How it ends: 0 when interrupts are on after each of two calls; 1 and 2 are the calls after which they are off. */
static void call_without_interrupts(void *unused)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	int off = 0;

	(void)unused;
	set_flags(flags() & ~FLAG_INTERRUPTS);
	syscall(SYS_getppid);
	off |= flags() & FLAG_INTERRUPTS ? 0 : 1;
	set_flags(flags() & ~FLAG_INTERRUPTS);
	nanosleep(&moment, NULL);
	off |= flags() & FLAG_INTERRUPTS ? 0 : 2;
	set_flags(flags() | FLAG_INTERRUPTS);
	_exit(off);
}

static void interrupts(void)
{
	expect_exit("a child that makes calls with interrupts off, and finds them on after 1: getppid, 2: nanosleep",
		    run_child(call_without_interrupts, NULL), 0);
}

const struct test flag_tests[] = {
	{ "nested-task-flag", nested_task },
	{ "interrupts-off-in-a-call", interrupts },
	END_OF_TESTS
};
