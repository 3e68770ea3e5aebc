/* System calls that a signal interrupts: restarted, ended with EINTR, or resumed with what is left of their timeout. */
#include "behaviour.h"
#include "linux_abi.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t handled;

static void on_signal(int signal)
{
	(void)signal;
	handled++;
}

struct nudge {
	pid_t target;
	int write_end;
};

/* Waits until the target blocks, signals it, waits until it blocks again (or gave up), then feeds the pipe. */
static void nudge(void *argument)
{
	const struct nudge *order = argument;

	await_state(order->target, order->target, 'S');
	sleep_ms(20);
	kill(order->target, SIGUSR1);
	sleep_ms(60);
	send_byte(order->write_end, 'r');
}

static void interrupt_read(int flags, long want, int want_errno)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };
	struct nudge order = { .target = getpid() };
	int pipes[2];
	char byte = 0;

	sigaction(SIGUSR1, &action, NULL);
	must("pipe", pipe(pipes));
	order.write_end = pipes[1];
	pid_t child = start_child(nudge, &order);
	errno = 0;
	expect_long("read()", read(pipes[0], &byte, 1), want);
	expect_long("errno", errno, want_errno);
	expect_long("byte read", byte, want == 1 ? 'r' : 0);
	expect_long("handlers", handled, 1);
	expect_exit("sender", reap(child), 0);
}

static void restarts(void)
{
	interrupt_read(SA_RESTART, 1, 0);
}

static void interrupted(void)
{
	interrupt_read(0, -1, EINTR);
}

/* How long a wait takes that is stopped for a while in its midst; on a machine that is slow all of it, or what the machine
 * takes for itself would look like a wait that began anew. */
#define WAIT_MS (400L * patience())
#define STOP_MS (250L * patience())

static struct timespec wait_time(void)
{
	return (struct timespec){ WAIT_MS / 1000, WAIT_MS % 1000 * 1000000 };
}

/* Each returns the milliseconds it took, or -1 on a wrong result. */
static long stopped_nanosleep(void)
{
	struct timespec wanted = wait_time();
	long start = now_ms();

	return syscall(SYS_nanosleep, &wanted, NULL) == 0 ? now_ms() - start : -1;
}

static long stopped_clock_nanosleep(void)
{
	struct timespec wanted = wait_time();
	long start = now_ms();

	return clock_nanosleep(CLOCK_MONOTONIC, 0, &wanted, NULL) == 0 ? now_ms() - start : -1;
}

static long stopped_poll(void)
{
	long start = now_ms();

	return poll(NULL, 0, (int)WAIT_MS) == 0 ? now_ms() - start : -1;
}

static long stopped_futex(void)
{
	struct timespec wanted = wait_time();
	uint32_t word = 1;
	long start = now_ms();

	errno = 0;
	long result = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 1, &wanted, NULL, 0);
	return result == -1 && errno == ETIMEDOUT ? now_ms() - start : -1;
}

struct resumed {
	long (*wait)(void);
	int report;
};

static void report_wait(void *argument)
{
	const struct resumed *order = argument;
	long took = order->wait();

	if (write(order->report, &took, sizeof took) != sizeof took)
		_exit(1);
}

static void stop_during(const char *what, long (*wait)(void))
{
	struct resumed order = { .wait = wait };
	int pipes[2], status;
	long took = 0;

	must("pipe", pipe(pipes));
	order.report = pipes[1];
	pid_t child = start_child(report_wait, &order);
	await_state(child, child, 'S');
	kill(child, SIGSTOP);
	must("waitpid", waitpid(child, &status, WUNTRACED));
	expect_true("the sleeper stopped", WIFSTOPPED(status));
	sleep_ms(STOP_MS);
	kill(child, SIGCONT);
	expect_exit(what, reap(child), 0);
	if (read(pipes[0], &took, sizeof took) != sizeof took)
		took = -2;
	/* Begun anew after the stop it would take both and more; ended by the stop, less than the one. */
	expect_between("milliseconds it took, the stop in it", took, WAIT_MS - 1, WAIT_MS + STOP_MS - 30);
}

static void resume_nanosleep(void)
{
	stop_during("nanosleep", stopped_nanosleep);
	stop_during("clock_nanosleep", stopped_clock_nanosleep);
}

static void resume_poll(void)
{
	stop_during("poll", stopped_poll);
}

static void resume_futex(void)
{
	stop_during("futex wait", stopped_futex);
}

/* epoll_wait is one of the calls that never restart (signal(7)); stopping and continuing ends it with EINTR. */
static void epoll_ends(void *unused)
{
	struct epoll_event event;
	int fd = epoll_create1(0);

	(void)unused;
	errno = 0;
	_exit(epoll_wait(fd, &event, 1, 5000) == -1 && errno == EINTR ? 7 : 8);
}

static void epoll_after_stop(void)
{
	int status;
	pid_t child = start_child(epoll_ends, NULL);

	await_state(child, child, 'S');
	kill(child, SIGSTOP);
	must("waitpid", waitpid(child, &status, WUNTRACED));
	kill(child, SIGCONT);
	expect_exit("epoll_wait that checks for EINTR after stop and continue", reap(child), 7);
}

const struct test restart_tests[] = {
	{ "sa-restart", restarts },
	{ "eintr", interrupted },
	{ "restart-nanosleep", resume_nanosleep },
	{ "restart-poll", resume_poll },
	{ "restart-futex", resume_futex },
	{ "epoll-wait-after-stop", epoll_after_stop },
	END_OF_TESTS
};
