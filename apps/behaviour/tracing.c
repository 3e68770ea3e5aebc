/* What a tracer of the kernel's functions sees of the calls of this program, and what one of system calls sees. */
#include "behaviour.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TRACING "/sys/kernel/tracing/"
#define CALLS 5
/* A call with an argument: one without has no function for its entry alone. */
#define FUNCTION "__x64_sys_getpgid"
#define EVENT TRACING "events/syscalls/sys_enter_getpgid/enable"

static void set(const char *file, const char *text)
{
	int fd = (int)must(file, open(file, O_WRONLY | O_TRUNC));

	must(text, write(fd, text, strlen(text)));
	close(fd);
}

/* Lines of the trace with this word. */
static long lines_with(const char *word)
{
	FILE *file = fopen(TRACING "trace", "r");
	char line[512];
	long lines = 0;

	must("open of the trace", file ? 0 : -1);
	while (fgets(line, sizeof line, file))
		lines += line[0] != '#' && strstr(line, word) != NULL;
	fclose(file);
	return lines;
}

static void make_calls(void)
{
	for (int i = 0; i < CALLS; i++)
		syscall(SYS_getpgid, 0);
}

/* A direct call is one of the function in the kernel's table, so whoever watches that by fentry or a kprobe sees the call. A
 * tracepoint of system calls sends the call the full way, where it is seen, too. */
static void direct_calls(void)
{
	char pid[16];

	if (access(TRACING "current_tracer", W_OK))
		must("mount of tracefs", mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL));
	snprintf(pid, sizeof pid, "%d", getpid());
	set(TRACING "set_ftrace_filter", FUNCTION);
	set(TRACING "set_ftrace_pid", pid);
	set(TRACING "set_event_pid", pid);
	set(TRACING "trace", "\n");
	set(TRACING "current_tracer", "function");
	make_calls();
	/* Read first: another tracer begins with an empty trace. */
	long calls = lines_with(FUNCTION);
	set(TRACING "current_tracer", "nop");
	set(TRACING "trace", "\n");
	set(EVENT, "1");
	make_calls();
	set(EVENT, "0");
	long events = lines_with("sys_getpgid(");
	set(TRACING "set_ftrace_filter", "\n");
	set(TRACING "set_ftrace_pid", "\n");
	set(TRACING "set_event_pid", "\n");
	set(TRACING "trace", "\n");
	expect_long("calls that ftrace sees of " FUNCTION, calls, CALLS);
	expect_long("calls that the tracepoint sees", events, CALLS);
}

const struct test tracing_tests[] = {
	{ "fentry-and-direct-calls", direct_calls },
	END_OF_TESTS
};
