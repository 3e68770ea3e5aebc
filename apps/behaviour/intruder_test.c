/* Runs the ordinary executable `intruder`, which this program carries along, and takes over what it compared. */
#include "behaviour.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* intruder_image.S: the bytes of the ELF file. */
extern const char intruder_start[], intruder_end[];

/* A file of its own, so that it runs as an ordinary process at every level. */
static void forged_cs(const char *attack)
{
	const char *path = "/tmp/behaviour-intruder";
	char text[2048];
	int out[2];

	unlink(path);
	int file = (int)must("open", open(path, O_WRONLY | O_CREAT | O_EXCL, 0700));
	for (const char *from = intruder_start; from < intruder_end;)
		from += must("write", write(file, from, (size_t)(intruder_end - from)));
	close(file);
	must("pipe", pipe(out));
	pid_t pid = fork();
	if (pid == 0) {
		dup2(out[1], 1);
		close(out[0]);
		close(out[1]);
		execl(path, path, attack, (char *)NULL);
		_exit(126);
	}
	must("fork", pid);
	close(out[1]);
	read_all(out[0], text, sizeof text);
	fputs(text, stdout);
	putchar('\n');
	expect_exit("the ordinary process `intruder` (0: every attack answered by a signal or ring 3)", reap(pid), 0);
	unlink(path);
}

static void sigreturn(void) { forged_cs("sigreturn"); }
static void ptrace_cs(void) { forged_cs("ptrace"); }
static void jumps(void) { forged_cs("jump"); }
static void stacks(void) { forged_cs("stack"); }

const struct test intruder_tests[] = {
	{ "forged-cs-sigreturn", sigreturn },
	{ "forged-cs-ptrace", ptrace_cs },
	{ "process-jumps-into-kernel", jumps },
	{ "process-kernel-stack-pointer", stacks },
	END_OF_TESTS
};
