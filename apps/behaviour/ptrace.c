/* A tracer looks at, changes and steps an instance of this program. */
#include "behaviour.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PTRACE_O_TRACESYSGOOD
#define PTRACE_O_TRACESYSGOOD 1
#endif

#define CALLS 20
#define REG(name) offsetof(struct user_regs_struct, name)

static int report_fd;

static void trace_me(void)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(101);
	raise(SIGSTOP);
}

/* Twenty calls whose numbers and results a tracer can predict, then exit code 37. */
static void small_program(void *unused)
{
	long sum = 0;

	(void)unused;
	trace_me();
	for (int i = 0; i < CALLS; i++)
		sum += syscall(SYS_getppid);
	if (write(report_fd, &sum, sizeof sum) != sizeof sum)
		_exit(102);
	_exit(37);
}

static pid_t start_traced(void (*body)(void *), int *read_end)
{
	int pipes[2], status;

	must("pipe", pipe(pipes));
	report_fd = pipes[1];
	*read_end = pipes[0];
	pid_t child = start_child(body, NULL);
	must("waitpid", waitpid(child, &status, 0));
	expect_true("tracee stopped by SIGSTOP", WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	return child;
}

static long peek_user(pid_t child, size_t offset)
{
	return ptrace(PTRACE_PEEKUSER, child, (void *)offset, NULL);
}

static void trace_calls(void)
{
	long entries = 0, exits = 0, wrong_results = 0, writes = 0, sum = 0, enosys = 0;
	int read_end, status, inside = 0;
	pid_t child = start_traced(small_program, &read_end);

	must("PTRACE_SETOPTIONS", ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)PTRACE_O_TRACESYSGOOD));
	for (;;) {
		if (ptrace(PTRACE_SYSCALL, child, NULL, NULL) < 0 || waitpid(child, &status, 0) < 0)
			break;
		if (!WIFSTOPPED(status))
			break;
		if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue;
		struct user_regs_struct regs;
		must("PTRACE_GETREGS", ptrace(PTRACE_GETREGS, child, NULL, &regs));
		inside = !inside;
		if (regs.orig_rax == SYS_getppid) {
			if (inside) {
				entries++;
				enosys += (long)regs.rax == -ENOSYS;
			} else {
				exits++;
				wrong_results += (pid_t)regs.rax != getpid();
			}
		}
		if (regs.orig_rax == SYS_write && inside)
			writes += (int)regs.rdi == report_fd && regs.rdx == sizeof(long);
	}
	expect_long("getppid entries seen in orig_rax", entries, CALLS);
	expect_long("with -ENOSYS in RAX", enosys, CALLS);
	expect_long("getppid exits", exits, CALLS);
	expect_long("results in RAX that are not this process", wrong_results, 0);
	expect_long("write entries with the right arguments", writes, 1);
	expect_long("bytes from the tracee", read(read_end, &sum, sizeof sum), (long)sizeof sum);
	expect_long("sum of its results", sum, (long)CALLS * getpid());
	expect_exit("tracee", status, 37);
}

static void one_call(void *unused)
{
	(void)unused;
	trace_me();
	long answer = syscall(SYS_getppid);
	if (write(report_fd, &answer, sizeof answer) != sizeof answer)
		_exit(102);
}

/* The tracer turns getppid into getpid on entry, and adds one to the result on exit. */
static void change_call(void)
{
	int read_end, status, inside = 0;
	long answer = 0;
	pid_t child = start_traced(one_call, &read_end);

	must("PTRACE_SETOPTIONS", ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)PTRACE_O_TRACESYSGOOD));
	for (int changed = 0;;) {
		if (ptrace(PTRACE_SYSCALL, child, NULL, NULL) < 0 || waitpid(child, &status, 0) < 0 || !WIFSTOPPED(status))
			break;
		if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue;
		inside = !inside;
		if (inside && peek_user(child, REG(orig_rax)) == SYS_getppid) {
			must("PTRACE_POKEUSER", ptrace(PTRACE_POKEUSER, child, (void *)REG(orig_rax), (void *)SYS_getpid));
			changed = 1;
		} else if (!inside && changed == 1) {
			long result = peek_user(child, REG(rax));
			must("PTRACE_POKEUSER", ptrace(PTRACE_POKEUSER, child, (void *)REG(rax), (void *)(result + 1)));
			changed = 2;
		}
	}
	expect_long("bytes from the tracee", read(read_end, &answer, sizeof answer), (long)sizeof answer);
	expect_long("its getppid, made getpid plus one by the tracer", answer, (long)child + 1);
	expect_exit("tracee", status, 0);
}

static void single_step(void)
{
	long steps = 0, outside = 0, sum = 0, other_stops = 0;
	const unsigned long own_text = (unsigned long)single_step;
	int read_end, status;
	pid_t child = start_traced(small_program, &read_end);

	for (;;) {
		if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) < 0 || waitpid(child, &status, 0) < 0 || !WIFSTOPPED(status))
			break;
		steps++;
		other_stops += WSTOPSIG(status) != SIGTRAP;
		unsigned long ip = (unsigned long)peek_user(child, REG(rip));
		outside += ip - own_text > 4 << 20 && own_text - ip > 4 << 20;
		if (steps > 1000000)
			kill(child, SIGKILL);
	}
	expect_between("steps over twenty calls, a write and an exit", steps, 100, 1000000);
	expect_long("stops that were not SIGTRAP", other_stops, 0);
	/* In ring 0 the first instructions of a call may be stepped too, before they leave the application's stack. */
	expect_between("stops with RIP more than 4 MiB away from this program's text", outside, 0,
		       in_ring0() ? 40 * (CALLS + 2) : 0);
	expect_long("bytes from the tracee", read(read_end, &sum, sizeof sum), (long)sizeof sum);
	expect_long("sum of its results", sum, (long)CALLS * getpid());
	expect_exit("tracee", status, 37);
}

static long traced_variable = 111;

static void break_once(void *unused)
{
	long counter = 1;

	(void)unused;
	trace_me();
	__asm__ volatile("int3" : "+b"(counter) : : "memory");
	_exit((int)(counter + traced_variable));
}

static void registers(void)
{
	struct user_regs_struct regs;
	int read_end, status;
	pid_t child = start_traced(break_once, &read_end);

	must("PTRACE_CONT", ptrace(PTRACE_CONT, child, NULL, NULL));
	must("waitpid", waitpid(child, &status, 0));
	expect_true("tracee stopped by its int3", WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
	expect_long("RBX by PTRACE_PEEKUSER", peek_user(child, REG(rbx)), 1);
	must("PTRACE_GETREGS", ptrace(PTRACE_GETREGS, child, NULL, &regs));
	expect_long("RBX by PTRACE_GETREGS", (long)regs.rbx, 1);
	expect_long("CS as a tracer sees it", (long)regs.cs, 0x33);
	expect_long("SS as a tracer sees it", (long)regs.ss, 0x2b);
	/* The byte before the stopped instruction pointer is the int3: also in text that lies in the kernel half. */
	expect_true("RIP lies in this program", regs.rip > (unsigned long)break_once - 65536 &&
		    regs.rip < (unsigned long)break_once + 65536);
	errno = 0;
	expect_long("variable by PTRACE_PEEKDATA", ptrace(PTRACE_PEEKDATA, child, &traced_variable, NULL), 111);
	must("PTRACE_POKEDATA", ptrace(PTRACE_POKEDATA, child, &traced_variable, (void *)20L));
	regs.rbx = 22;
	must("PTRACE_SETREGS", ptrace(PTRACE_SETREGS, child, NULL, &regs));
	must("PTRACE_CONT", ptrace(PTRACE_CONT, child, NULL, NULL));
	expect_exit("tracee that adds RBX (set to 22) and the variable (set to 20)", reap(child), 42);
	expect_long("the tracer's own variable", traced_variable, 111);
}

static int feed_pipe[2];
static volatile pid_t reader_tid;

static void *read_one(void *unused)
{
	char byte = 0;

	reader_tid = (pid_t)syscall(SYS_gettid);
	if (read(feed_pipe[0], &byte, 1) != 1)
		byte = 0;
	return byte == 'f' ? unused : (void *)1;
}

static void thread_reads(void *unused)
{
	pthread_t thread;
	void *result = (void *)2;

	(void)unused;
	pthread_create(&thread, NULL, read_one, NULL);
	while (!reader_tid)
		sleep_ms(1);
	pid_t tid = reader_tid;
	if (write(report_fd, &tid, sizeof tid) != sizeof tid)
		_exit(9);
	pthread_join(thread, &result);
	_exit(result ? 8 : 6);
}

/* Attaching interrupts the read; after the detach it goes on as if nothing had been. */
static void attach(void)
{
	int pipes[2], status;
	pid_t tid = 0;

	must("pipe", pipe(pipes));
	must("pipe", pipe(feed_pipe));
	report_fd = pipes[1];
	pid_t child = start_child(thread_reads, NULL);
	expect_long("thread id from the child", read(pipes[0], &tid, sizeof tid), (long)sizeof tid);
	await_state(child, tid, 'S');
	sleep_ms(10);
	for (int round = 0; round < 2; round++) {
		must("PTRACE_ATTACH", ptrace(PTRACE_ATTACH, tid, NULL, NULL));
		must("waitpid", waitpid(tid, &status, __WALL));
		expect_true("thread stopped", WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
		struct user_regs_struct regs;
		must("PTRACE_GETREGS", ptrace(PTRACE_GETREGS, tid, NULL, &regs));
		expect_long("the call it is in, by orig_rax", (long)regs.orig_rax, SYS_read);
		expect_long("descriptor argument, by RDI", (long)regs.rdi, feed_pipe[0]);
		must("PTRACE_DETACH", ptrace(PTRACE_DETACH, tid, NULL, NULL));
		expect_long("thread blocks again", await_state(child, tid, 'S'), 0);
		sleep_ms(10);
	}
	send_byte(feed_pipe[1], 'f');
	expect_exit("child whose thread got the byte", reap(child), 6);
}

const struct test ptrace_tests[] = {
	{ "ptrace-syscall", trace_calls },
	{ "ptrace-change-call", change_call },
	{ "ptrace-singlestep", single_step },
	{ "ptrace-registers", registers },
	{ "ptrace-attach", attach },
	END_OF_TESTS
};
