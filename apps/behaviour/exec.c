/* Starting other programs from this one, and this one from itself. */
#include "behaviour.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void exec_from_app(void)
{
	const char *busybox = "/bin/busybox";
	int out[2], direct = access(busybox, X_OK) == 0;
	char text[64];

	must("pipe", pipe(out));
	pid_t pid = fork();
	if (pid == 0) {
		dup2(out[1], 1);
		close(out[0]);
		close(out[1]);
		if (direct)
			execl(busybox, "busybox", "echo", "hello", "from", "exec", (char *)NULL);
		execl("/bin/echo", "echo", "hello", "from", "exec", (char *)NULL);
		_exit(126);
	}
	close(out[1]);
	read_all(out[0], text, sizeof text);
	expect_text("output of the echo that replaced this program", text, "hello from exec");
	expect_exit("it", reap(pid), 0);
}

static void use_system(void)
{
	expect_exit("system(\"exit 7\")", system("exit 7"), 7);
	expect_exit("system(\"test 2 -gt 1\")", system("test 2 -gt 1"), 0);
	expect_true("system(NULL) finds a shell", system(NULL) != 0);
}

static void use_popen(void)
{
	char text[64] = "";
	FILE *from = popen("echo $((40 + 2)) popen", "r");

	must("popen", from ? 0 : -1);
	if (!fgets(text, sizeof text, from))
		text[0] = 0;
	expect_text("line read from popen", text, "42 popen\n");
	expect_exit("pclose", pclose(from), 0);
	FILE *to = popen("read word; test \"$word\" = given && exit 9", "w");
	must("popen", to ? 0 : -1);
	fputs("given\n", to);
	expect_exit("shell that read the word written to it", pclose(to), 9);
}

static void use_posix_spawn(void)
{
	const char *const shell[] = { "sh", "-c", "echo spawned; exit 6", NULL };
	const char *const again[] = { self_path, "helper", "initial", NULL };
	const char *const *const programs[2] = { shell, again };
	const char *const paths[2] = { "/bin/sh", self_path };
	const char *const wants[2] = { "spawned", "110 0 55 0" };
	const int codes[2] = { 6, 0 };

	for (int i = 0; i < 2; i++) {
		posix_spawn_file_actions_t actions;
		char text[64];
		int out[2];
		pid_t pid;

		must("pipe", pipe(out));
		posix_spawn_file_actions_init(&actions);
		posix_spawn_file_actions_adddup2(&actions, out[1], 1);
		posix_spawn_file_actions_addclose(&actions, out[0]);
		int error = posix_spawn(&pid, paths[i], &actions, NULL, (char *const *)programs[i], environ);
		expect_long(i ? "posix_spawn of this program" : "posix_spawn of a shell", error, 0);
		close(out[1]);
		if (error)
			continue;
		read_all(out[0], text, sizeof text);
		close(out[0]);
		expect_text("its output", text, wants[i]);
		expect_exit("it", reap(pid), codes[i]);
		posix_spawn_file_actions_destroy(&actions);
	}
	pid_t pid;
	const char *const nothing[] = { "nothing", NULL };
	expect_long("posix_spawn of a missing file", posix_spawn(&pid, "/nonexistent/program", NULL, NULL,
		    (char *const *)nothing, environ), ENOENT);
}

static void exec_failures(void)
{
	const char *path = "/tmp/behaviour-stub";
	const char *const argv[] = { path, NULL };
	/* Names an application that is linked into no image. */
	const char stub[] = "#UKL no-such-application\n";

	unlink(path);
	int fd = (int)must("open a file in /tmp", open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));
	must("write", write(fd, stub, sizeof stub - 1));
	close(fd);
	errno = 0;
	expect_long("execv of a file without execute permission", execv(path, (char *const *)argv), -1);
	expect_long("errno", errno, EACCES);
	must("chmod", chmod(path, 0755));
	errno = 0;
	expect_long("execv of a stub that names an application which is not in the image",
		    execv(path, (char *const *)argv), -1);
	/* Not ENOEXEC, for which a shell runs the file as a script. */
	expect_long("errno", errno, in_ring0() ? ENOENT : ENOEXEC);
	unlink(path);
	errno = 0;
	expect_long("execv of a missing file", execv(path, (char *const *)argv), -1);
	expect_long("errno", errno, ENOENT);
}

static void *exec_in_thread(void *unused)
{
	(void)unused;
	execl(self_path, self_path, "helper", "exit", "23", (char *)NULL);
	_exit(126);
}

static void *sleep_for_ever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void many_threads_then_exec(void *unused)
{
	pthread_t thread;

	(void)unused;
	for (int i = 0; i < 4; i++)
		pthread_create(&thread, NULL, sleep_for_ever, NULL);
	pthread_create(&thread, NULL, exec_in_thread, NULL);
	sleep_for_ever(NULL);
}

static void exec_from_thread(void)
{
	expect_exit("process of six threads, one of which executes `exit 23`", run_child(many_threads_then_exec, NULL), 23);
}

static void blocked_threads_then_exit(void *unused)
{
	pthread_t thread;

	(void)unused;
	for (int i = 0; i < 8; i++)
		pthread_create(&thread, NULL, sleep_for_ever, NULL);
	sleep_ms(20);
	_exit(24);
}

static void exit_with_threads(void)
{
	expect_exit("process whose main thread exits beside eight blocked ones",
		    run_child(blocked_threads_then_exit, NULL), 24);
}

const struct test exec_tests[] = {
	{ "exec-from-app", exec_from_app },
	{ "system", use_system },
	{ "popen", use_popen },
	{ "posix-spawn", use_posix_spawn },
	{ "exec-failures", exec_failures },
	{ "exec-from-thread", exec_from_thread },
	{ "exit-with-threads", exit_with_threads },
	END_OF_TESTS
};
