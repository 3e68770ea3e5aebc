/* What /proc says about a running instance. */
#include "behaviour.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static char text[65536];
static int variable = 1;

static const char *slurp(const char *path)
{
	int fd = (int)must(path, open(path, O_RDONLY));

	size_t n = read_all(fd, text, sizeof text);
	close(fd);
	/* cmdline separates by NUL. */
	for (size_t i = 0; i + 1 < n; i++)
		if (!text[i])
			text[i] = ' ';
	return text;
}

static void stat_and_status(void)
{
	const char *name = strrchr(self_path, '/') + 1;
	char comm[32], state;
	int pid, parent;

	slurp("/proc/self/stat");
	expect_long("fields of stat", sscanf(text, "%d (%31[^)]) %c %d", &pid, comm, &state, &parent), 4);
	expect_long("pid", pid, getpid());
	expect_long("parent", parent, getppid());
	expect_text("name", comm, name);
	expect_long("state", state, 'R');
	slurp("/proc/self/status");
	const char *line = strstr(text, "VmRSS:");
	expect_at_least("KiB of VmRSS", line ? atol(line + 6) : -1, 50);
	line = strstr(text, "VmStk:");
	expect_at_least("KiB of VmStk", line ? atol(line + 6) : -1, 100);
	line = strstr(text, "Threads:");
	expect_long("Threads", line ? atol(line + 8) : -1, 1);
}

static void command_line(void)
{
	char want[5000];

	slurp("/proc/self/cmdline");
	const char *arguments = strstr(text, " run ");
	expect_text("arguments in cmdline", arguments ? arguments : text, " run proc-cmdline");
	slurp("/proc/self/comm");
	snprintf(want, sizeof want, "%.15s", strrchr(self_path, '/') + 1);
	expect_text("comm", text, want);
	must("prctl", prctl(PR_SET_NAME, "renamed", 0, 0, 0));
	slurp("/proc/self/comm");
	expect_text("comm after PR_SET_NAME", text, "renamed");
}

/* The permissions of the mapping that holds an address, "" when none does. */
static const char *permissions(const void *address)
{
	static char found[5];

	found[0] = 0;
	slurp("/proc/self/maps");
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		unsigned long start, end;
		char modes[5];
		if (sscanf(line, "%lx-%lx %4s", &start, &end, modes) == 3 && (unsigned long)address >= start &&
		    (unsigned long)address < end)
			memcpy(found, modes, sizeof found);
	}
	return found;
}

static void maps(void)
{
	static const char constant[] = "constant";
	int stack = variable;

	expect_text("mapping of a variable", permissions(&variable), "rw-p");
	expect_text("mapping of a constant", permissions(constant), "r--p");
	expect_text("mapping of the stack", permissions(&stack), "rw-p");
	expect_true("a line for [stack]", strstr(slurp("/proc/self/maps"), "[stack]") != NULL);
	void *block = malloc(64);
	expect_text("mapping of an allocated block", permissions(block), "rw-p");
	free(block);
	/* The text of a linked-in application belongs to the kernel's half and so to no mapping of the process. */
	expect_text("mapping of this function", permissions((void *)maps), in_ring0() ? "" : "r-xp");
}

static int blocked_on[2];

static void block(void *unused)
{
	char buffer[33];

	(void)unused;
	if (read(blocked_on[0], buffer, 33) < 0)
		_exit(1);
}

static void current_call(void)
{
	unsigned long number = 99, arguments[6] = { 0 }, sp = 0, ip = 0;
	char path[64];

	must("pipe", pipe(blocked_on));
	pid_t child = start_child(block, NULL);
	expect_long("child blocks", await_state(child, child, 'S'), 0);
	sleep_ms(10);
	snprintf(path, sizeof path, "/proc/%d/syscall", (int)child);
	slurp(path);
	int fields = sscanf(text, "%lu %lx %lx %lx %lx %lx %lx %lx %lx", &number, &arguments[0], &arguments[1],
			    &arguments[2], &arguments[3], &arguments[4], &arguments[5], &sp, &ip);
	expect_long("fields", fields, 9);
	expect_long("number of the call a blocked child is in (read is 0)", (long)number, 0);
	expect_long("its first argument", (long)arguments[0], blocked_on[0]);
	expect_long("its third argument", (long)arguments[2], 33);
	expect_between("KiB between its stack pointer and this frame", ((long)sp - (long)path) >> 10, -64, 64);
	expect_true("its instruction pointer is in this program", ip - (unsigned long)block < 4 << 20 ||
		    (unsigned long)block - ip < 4 << 20);
	send_byte(blocked_on[1], 'x');
	expect_exit("child", reap(child), 0);
}

/* Another process reads and writes the memory of an instance through /proc/PID/mem. */
static void memory_file(void)
{
	char path[64];
	int seen = 0, replacement = 42;

	variable = 7;
	must("pipe", pipe(blocked_on));
	pid_t child = fork();
	if (child == 0) {
		await_byte(blocked_on[0]);
		_exit(variable);
	}
	must("fork", child);
	snprintf(path, sizeof path, "/proc/%d/mem", (int)child);
	int fd = (int)must("open of /proc/PID/mem", open(path, O_RDWR));
	expect_long("pread of a variable", pread(fd, &seen, sizeof seen, (off_t)(unsigned long)&variable), sizeof seen);
	expect_long("its value", seen, 7);
	expect_long("pwrite", pwrite(fd, &replacement, sizeof replacement, (off_t)(unsigned long)&variable), sizeof seen);
	send_byte(blocked_on[1], 'x');
	expect_exit("child that returns the variable", reap(child), 42);
	expect_long("this process's own", variable, 7);
}

const struct test proc_tests[] = {
	{ "proc-stat-status", stat_and_status },
	{ "proc-cmdline", command_line },
	{ "proc-maps", maps },
	{ "proc-syscall", current_call },
	{ "proc-mem", memory_file },
	END_OF_TESTS
};
