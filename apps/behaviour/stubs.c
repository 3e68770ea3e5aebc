/* Files that start an application: the kernel refuses what it does not know. At level `linux` such a file
 * is a script.
 */
#include "behaviour.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "/tmp/behaviour-stubs"
#define SCRIPT "echo ran as a script\n"

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

const struct test stub_tests[] = {
	{ "stub-of-an-unknown-application", unknown_application },
	END_OF_TESTS
};
