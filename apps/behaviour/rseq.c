/* Restartable sequences whose critical section is in the program's own text: a signal and a preemption abort it. */
#include "behaviour.h"

#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef SYS_rseq
#define SYS_rseq 334
#endif

/* What lies in front of the place to go on at, to tell it from any other. */
#define SIGNATURE 0x53053053
#define ROUNDS 2000000000UL

/* struct rseq of include/uapi/linux/rseq.h, in its first version. */
struct area {
	uint32_t cpu_start, cpu;
	uint64_t section;
	uint32_t flags, padding[3];
} __attribute__((aligned(32)));

static _Thread_local struct area area;

/* Enters a critical section that lasts for many rounds: returns 1 when it was aborted, 0 when it came to its end. */
long rseq_loop(struct area *area, unsigned long rounds);
__asm__(".section .data\n\t.balign 32\n"
	"rseq_section:\n\t.long 0, 0\n\t.quad .Lrseq_start, .Lrseq_end - .Lrseq_start, .Lrseq_abort\n"
	".text\n\t.balign 16\n\t.globl rseq_loop\n\t.type rseq_loop, @function\n"
	"rseq_loop:\n\tleaq rseq_section(%rip), %rax\n\tmovq %rax, 8(%rdi)\n"
	".Lrseq_start:\n\tdecq %rsi\n\tjnz .Lrseq_start\n"
	".Lrseq_end:\n\tmovq $0, 8(%rdi)\n\txorl %eax, %eax\n\tret\n"
	"\t.long 0x53053053\n"
	".Lrseq_abort:\n\tmovl $1, %eax\n\tret\n\t.size rseq_loop, . - rseq_loop");

static void note(int signal)
{
	(void)signal;
}

/* Ends with 30 when the section was aborted and the kernel has forgotten it, 31 when it came to its end. */
static void run_section(void)
{
	if (syscall(SYS_rseq, &area, sizeof area, 0, SIGNATURE))
		_exit(101);
	if (area.cpu >= 4096)
		_exit(102);
	long aborted = rseq_loop(&area, ROUNDS);
	if (area.section)
		_exit(103);
	_exit(aborted ? 30 : 31);
}

static void by_signal(void *unused)
{
	struct sigaction action = { .sa_handler = note };
	struct itimerval soon = { .it_value.tv_usec = 20000 };

	(void)unused;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	run_section();
}

/* Another process wants the same CPU. */
static void by_preemption(void *unused)
{
	cpu_set_t first;

	(void)unused;
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sched_setaffinity(0, sizeof first, &first))
		_exit(104);
	if (fork() == 0) {
		spin_ms(2000);
		_exit(0);
	}
	run_section();
}

static void aborted(void)
{
	expect_exit("a child in a critical section that a signal aborts", run_child(by_signal, NULL), 30);
	expect_exit("a child in a critical section that preemption aborts", run_child(by_preemption, NULL), 30);
}

const struct test rseq_tests[] = {
	{ "rseq-in-text", aborted },
	END_OF_TESTS
};
