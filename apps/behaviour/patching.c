/* The kernel patches its own text, with breakpoints for the time being, in the places that are hardest to be stopped in. */
#include "behaviour.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRACING "/sys/kernel/tracing/"
#define ROUNDS 50

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof set, &set))
		_exit(101);
}

/* On the boot CPU, whose idle task's stack is the one in the kernel image: to sleep and awake again, all the time. */
static void wake_and_sleep(void *unused)
{
	const struct timespec moment = { .tv_nsec = 20000 };

	(void)unused;
	run_on(0);
	for (;;) {
		for (volatile int i = 0; i < 20000; i++)
			;
		nanosleep(&moment, NULL);
	}
}

/* Writes a file of the tracer's; returns 0, or -1. */
static int set(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_TRUNC);
	ssize_t size = write(fd, text, strlen(text));

	return close(fd) || size != (ssize_t)strlen(text) ? -1 : 0;
}

/* The first instruction of __switch_to(), where the stack is the next task's already, becomes a breakpoint and back. */
static void switch_to(void)
{
	long done = 0, cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int status;

	if (access(TRACING "current_tracer", W_OK))
		must("mount of tracefs", mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL));
	must("set_ftrace_filter", set(TRACING "set_ftrace_filter", "__switch_to"));
	pid_t sleeper = start_child(wake_and_sleep, NULL);
	run_on((int)cpus - 1);
	for (int i = 0; i < ROUNDS; i++) {
		done += set(TRACING "current_tracer", "function") == 0;
		done += set(TRACING "current_tracer", "nop") == 0;
	}
	expect_long("the process on the boot CPU, while it runs", waitpid(sleeper, &status, WNOHANG), 0);
	kill(sleeper, SIGKILL);
	expect_signal("the process on the boot CPU", reap(sleeper), SIGKILL);
	must("set_ftrace_filter", set(TRACING "set_ftrace_filter", "\n"));
	must("trace", set(TRACING "trace", "\n"));
	expect_long("times that __switch_to() was patched", done, 2 * ROUNDS);
}

const struct test patching_tests[] = {
	{ "ftrace-of-switch-to", switch_to },
	END_OF_TESTS
};
