/* What a user does to this program from a shell: runs the scripts of scenarios/ with the path of this program as $1. */
#include "behaviour.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* scenario_image.S */
extern const char script_ftrace_toggle[], script_nmi_backtrace[], script_sigstop[], script_kill[], script_ps_top[],
	script_two_instances[];

static void run_script(const char *name, const char *script)
{
	char text[8192];
	int out[2];

	must("pipe", pipe(out));
	pid_t pid = fork();
	if (pid == 0) {
		dup2(open("/dev/null", O_RDONLY), 0);
		dup2(out[1], 1);
		dup2(out[1], 2);
		close(out[0]);
		close(out[1]);
		execl("/bin/sh", "sh", "-c", script, name, self_path, (char *)NULL);
		_exit(126);
	}
	must("fork", pid);
	close(out[1]);
	read_all(out[0], text, sizeof text);
	printf("%s\n", text);
	expect_exit("shell script", reap(pid), 0);
}

static void ftrace_toggle(void) { run_script("ftrace-toggle.sh", script_ftrace_toggle); }
static void nmi_backtrace(void) { run_script("nmi-backtrace.sh", script_nmi_backtrace); }
static void sigstop(void) { run_script("sigstop-from-shell.sh", script_sigstop); }
static void kill_it(void) { run_script("kill-from-shell.sh", script_kill); }
static void ps_top(void) { run_script("ps-top.sh", script_ps_top); }
static void two_instances(void) { run_script("two-instances.sh", script_two_instances); }

const struct test scenario_tests[] = {
	{ "two-instances-from-shell", two_instances },
	{ "sigstop-from-shell", sigstop },
	{ "kill-from-shell", kill_it },
	{ "ps-top", ps_top },
	{ "ftrace-toggle", ftrace_toggle },
	{ "nmi-storm", nmi_backtrace },
	END_OF_TESTS
};
