/* Job control: stopping and continuing, seen by the parent. */
#include "behaviour.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void spin_for_ever(void *unused)
{
	(void)unused;
	for (;;)
		__asm__ volatile("");
}

static void sleep_then_exit(void *unused)
{
	(void)unused;
	sleep_ms(150);
	_exit(12);
}

static void stop_spinning(void)
{
	pid_t child = start_child(spin_for_ever, NULL);
	int status;

	sleep_ms(20);
	for (int round = 0; round < 3; round++) {
		kill(child, SIGSTOP);
		must("waitpid", waitpid(child, &status, WUNTRACED));
		expect_true("WIFSTOPPED by SIGSTOP", WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
		expect_long("state T in /proc", await_state(child, child, 'T'), 0);
		kill(child, SIGCONT);
		must("waitpid", waitpid(child, &status, WCONTINUED));
		expect_true("WIFCONTINUED", WIFCONTINUED(status));
		expect_long("state R in /proc", await_state(child, child, 'R'), 0);
	}
	kill(child, SIGKILL);
	expect_signal("child", reap(child), SIGKILL);
}

static void stop_sleeping(void)
{
	pid_t child = start_child(sleep_then_exit, NULL);
	int status;

	await_state(child, child, 'S');
	kill(child, SIGTSTP);
	must("waitpid", waitpid(child, &status, WUNTRACED));
	expect_true("WIFSTOPPED by SIGTSTP", WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP);
	sleep_ms(200);
	/* Its sleep is over by now, yet it must not run before SIGCONT. */
	expect_long("waitpid with WNOHANG on the stopped child", waitpid(child, &status, WNOHANG), 0);
	kill(child, SIGCONT);
	expect_exit("child after SIGCONT", reap(child), 12);
}

const struct test stop_tests[] = {
	{ "sigstop-sigcont", stop_spinning },
	{ "sigtstp-sleeping", stop_sleeping },
	END_OF_TESTS
};
