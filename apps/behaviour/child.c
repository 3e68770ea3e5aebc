/* Children and helper executions of this program. */
#include "behaviour.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#if __has_include(<ukl.h>)
#include <ukl.h>
#define HAVE_UKL_H 1
#endif

char self_path[4096];

const char *level(void)
{
#ifdef HAVE_UKL_H
	return ukl_level();
#else
	return "linux";
#endif
}

int in_ring0(void)
{
	unsigned short cs;

	__asm__ volatile("mov %%cs, %0" : "=r"(cs));
	return (cs & 3) == 0;
}

/* /proc/self/exe is not used: in a UKL guest it would need to name the stub, which is one more thing under test. */
void find_self(const char *argv0)
{
	if (strchr(argv0, '/')) {
		if (argv0[0] == '/' || !getcwd(self_path, sizeof self_path / 2)) {
			snprintf(self_path, sizeof self_path, "%s", argv0);
		} else {
			size_t length = strlen(self_path);
			snprintf(self_path + length, sizeof self_path - length, "/%s", argv0);
		}
		return;
	}
	const char *path = getenv("PATH");
	if (!path)
		path = "/usr/bin:/bin";
	while (*path) {
		size_t length = strcspn(path, ":");
		snprintf(self_path, sizeof self_path, "%.*s/%s", (int)length, path, argv0);
		if (access(self_path, X_OK) == 0)
			return;
		path += length + (path[length] == ':');
	}
	snprintf(self_path, sizeof self_path, "/usr/bin/%s", argv0);
}

pid_t start_child(void (*body)(void *), void *arg)
{
	pid_t pid = fork();

	if (pid == 0) {
		body(arg);
		_exit(0);
	}
	return (pid_t)must("fork", pid);
}

int reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			must("waitpid", -1);
	return status;
}

int run_child(void (*body)(void *), void *arg)
{
	return reap(start_child(body, arg));
}

pid_t start_helper(const char *const args[], int *in, int *out)
{
	const char *argv[16] = { self_path, "helper" };
	int to[2] = { -1, -1 }, from[2] = { -1, -1 };
	size_t count = 2;

	for (size_t i = 0; args[i] && count < 15; i++)
		argv[count++] = args[i];
	if (in)
		must("pipe", pipe(to));
	if (out)
		must("pipe", pipe(from));
	pid_t pid = fork();
	if (pid == 0) {
		if (in) {
			dup2(to[0], 0);
			close(to[0]);
			close(to[1]);
		}
		if (out) {
			dup2(from[1], 1);
			close(from[0]);
			close(from[1]);
		}
		execv(self_path, (char *const *)argv);
		_exit(126);
	}
	must("fork", pid);
	if (in) {
		close(to[0]);
		*in = to[1];
	}
	if (out) {
		close(from[1]);
		*out = from[0];
	}
	return pid;
}

size_t read_all(int fd, char *text, size_t size)
{
	size_t used = 0;

	while (used < size - 1) {
		ssize_t n = read(fd, text + used, size - 1 - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	text[used] = 0;
	if (used && text[used - 1] == '\n')
		text[used - 1] = 0;
	return used;
}

int run_helper(const char *const args[], char *text, size_t size)
{
	int out;
	pid_t pid = start_helper(args, NULL, &out);

	read_all(out, text, size);
	close(out);
	return reap(pid);
}

static char task_state(pid_t pid, pid_t tid)
{
	char path[64], text[512];

	snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)pid, (int)tid);
	FILE *file = fopen(path, "r");
	if (!file)
		return 0;
	size_t n = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[n] = 0;
	char *end = strrchr(text, ')');
	return end && end[1] ? end[2] : 0;
}

int await_state(pid_t pid, pid_t tid, char state)
{
	long end = now_ms() + 5000;

	while (now_ms() < end) {
		if (task_state(pid, tid) == state)
			return 0;
		sleep_ms(2);
	}
	return -1;
}

void await_byte(int fd)
{
	char byte;

	while (read(fd, &byte, 1) < 0 && errno == EINTR)
		;
}

void send_byte(int fd, char byte)
{
	while (write(fd, &byte, 1) < 0 && errno == EINTR)
		;
}
