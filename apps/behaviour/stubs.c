/* Files that start an application, and what the kernel says of them: it refuses what it does not know, and nobody writes its
 * log for it. At level `linux` such a file is a script.
 */
#include "behaviour.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "/tmp/behaviour-stubs"
#define SCRIPT "echo ran as a script\n"
/* SYSLOG_ACTION_READ_ALL of syslog(2). */
#define READ_ALL 3

/* Writes a file that anybody may execute. */
static void write_stub(const char *path, const char *first_line)
{
	if (mkdir(FOLDER, 0755) && errno != EEXIST)
		must("mkdir " FOLDER, -1);
	unlink(path);
	int fd = (int)must(path, open(path, O_WRONLY | O_CREAT | O_EXCL, 0755));
	must("write", dprintf(fd, "%s\n%s", first_line, SCRIPT));
	must("fchmod", fchmod(fd, 0755));
	close(fd);
}

/* In a child: the number of the error with which an exec of the file fails. */
static void execute(void *path)
{
	char *const argv[] = { path, NULL };

	execv(path, argv);
	_exit(errno);
}

static void unknown_application(void)
{
	const char *path = FOLDER "/unknown";
	char text[256];
	int out[2];

	write_stub(path, "#UKL no-such-application");
	expect_exit("a child that ends with the error of executing a stub of an unknown application",
		    run_child(execute, (void *)path), in_ring0() ? ENOENT : ENOEXEC);
	must("pipe", pipe(out));
	pid_t pid = fork();
	if (pid == 0) {
		dup2(out[1], 1);
		dup2(open("/dev/null", O_WRONLY), 2);
		close(out[0]);
		close(out[1]);
		execl("/bin/sh", "sh", "-c", path, (char *)NULL);
		_exit(126);
	}
	must("fork", pid);
	close(out[1]);
	read_all(out[0], text, sizeof text);
	/* A shell takes a file of no known format for a script; 127 is its word for one that is not there. */
	expect_text("what a shell prints that starts it", text, in_ring0() ? "" : "ran as a script");
	expect_exit("the shell", reap(pid), in_ring0() ? 127 : 0);
}

long control_bytes_in_log(const char *word)
{
	static char log[1 << 20];
	long found = -1;
	int size = (int)must("syslog", klogctl(READ_ALL, log, sizeof log - 1));

	log[size] = 0;
	for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n")) {
		if (!strstr(line, word))
			continue;
		found = 0;
		for (const char *at = line; *at; at++)
			found += (unsigned char)*at < ' ' || *at == 0x7f;
	}
	return found;
}

static void log_of_names(void)
{
	const char *named = FOLDER "/named", *path = FOLDER "/\033[2Jpath-of-a-stub";
	long wanted = in_ring0() ? 0 : -1;

	write_stub(named, "#UKL \033[31mname-of-a-stub\007");
	run_child(execute, (void *)named);
	expect_long("bytes for a terminal in what the kernel says of an application's name",
		    control_bytes_in_log("name-of-a-stub"), wanted);
	/* An application that there is, in a file that anybody may write. */
	char line[64] = "#UKL ";
	int own = (int)must(self_path, open(self_path, O_RDONLY));
	if (in_ring0())
		must("read of the own stub", read(own, line, sizeof line - 1));
	close(own);
	line[strcspn(line, "\n")] = 0;
	write_stub(path, line);
	must("chmod", chmod(path, 0777));
	run_child(execute, (void *)path);
	expect_long("the same of a stub's path", control_bytes_in_log("path-of-a-stub"), wanted);
	unlink(path);
}

const struct test stub_tests[] = {
	{ "stub-of-an-unknown-application", unknown_application },
	{ "log-of-strange-names", log_of_names },
	END_OF_TESTS
};
