/* `behaviour --list` names the tests, `behaviour run NAME` runs one under a deadline.
 *
 * Every test is plain POSIX or Linux and holds for an ordinary process; at the UKL levels the same program runs in
 * ring 0 and has to behave the same. Where ring 0 must differ, the test says so next to the comparison.
 */
#include "behaviour.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/* Wall-clock limit of one test: a hang is a failure, not a stuck guest. Generous because emulation is slow. PATIENCE in the
 * environment multiplies it, for machines that are slower still. */
#define DEADLINE_MS 30000

extern const struct test program_tests[], exec_tests[], stack_tests[], fault_tests[], recover_tests[], signal_tests[],
	timer_tests[], restart_tests[], thread_tests[], cancel_tests[], event_tests[], net_tests[], memory_tests[],
	file_tests[], ptrace_tests[], stop_tests[], perf_tests[], fpu_tests[], storm_tests[], seccomp_tests[],
	proc_tests[], usage_tests[], call_tests[], path_tests[], tcp_tests[], tcp_queue_tests[], intruder_tests[],
	scenario_tests[], breakpoint_tests[], patching_tests[], ring0_tests[], tracing_tests[],
	flag_tests[], stub_tests[], start_tests[], rseq_tests[];

static const struct test *const groups[] = {
	program_tests, exec_tests, stack_tests, fault_tests, recover_tests, signal_tests,
	timer_tests, restart_tests, thread_tests, cancel_tests, event_tests, net_tests, memory_tests,
	file_tests, ptrace_tests, stop_tests, perf_tests, fpu_tests, storm_tests, seccomp_tests,
	proc_tests, usage_tests, call_tests, path_tests, tcp_tests, tcp_queue_tests, intruder_tests, scenario_tests,
	breakpoint_tests, patching_tests, ring0_tests, tracing_tests,
	flag_tests, stub_tests, start_tests, rseq_tests,
};

#define GROUPS (sizeof groups / sizeof groups[0])

int patience(void)
{
	const char *said = getenv("PATIENCE");
	int factor = said ? atoi(said) : 1;

	return factor > 0 && factor < 1000 ? factor : 1;
}

/* A grandchild (so that wait() in a test never meets it) watches this process through a pidfd. When the process ends it
 * kills what is left of the test's process group; when the deadline passes it says so and kills everything. */
static void start_watchdog(const char *name)
{
	pid_t watched = getpid();
	/* Opened here: the test may be over before the watchdog runs for the first time. */
	int end_fd = (int)must("pidfd_open", syscall(SYS_pidfd_open, watched, 0));

	setpgid(0, 0);
	pid_t middle = fork();
	if (middle == 0) {
		if (fork() == 0) {
			setsid();
			struct pollfd end = { .fd = end_fd, .events = POLLIN };
			int limit_ms = DEADLINE_MS * patience(), woken = poll(&end, 1, limit_ms);
			if (woken == 0)
				printf("compared: DIFFERS: %s did not end within %d ms, killed\n", name, limit_ms);
			fflush(stdout);
			kill(-watched, SIGKILL);
		}
		_exit(0);
	}
	if (middle > 0)
		waitpid(middle, NULL, 0);
	close(end_fd);
}

static int list(void)
{
	for (size_t group = 0; group < GROUPS; group++)
		for (const struct test *test = groups[group]; test->name; test++)
			puts(test->name);
	return 0;
}

static int run(const char *name)
{
	for (size_t group = 0; group < GROUPS; group++)
		for (const struct test *test = groups[group]; test->name; test++)
			if (strcmp(test->name, name) == 0) {
				start_watchdog(name);
				test->run();
				finish();
			}
	fprintf(stderr, "behaviour: no test is called `%s`; `behaviour --list` names them\n", name);
	return 2;
}

int main(int argc, char **argv)
{
	find_self(argc > 0 ? argv[0] : "behaviour");
	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return list();
	if (argc == 3 && strcmp(argv[1], "run") == 0)
		return run(argv[2]);
	if (argc >= 3 && strcmp(argv[1], "helper") == 0)
		return run_helper_body(argc - 2, argv + 2);
	fprintf(stderr, "usage: behaviour --list | behaviour run NAME\n");
	return 2;
}
