/* Who may start an application, and what its start and its crashes leave behind. */
#include "behaviour.h"
#include "linux_abi.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TAINTED "/proc/sys/kernel/tainted"
#define LIMIT "/proc/sys/kernel/ukl_crash_limit"
/* TAINT_USER of include/linux/panic.h, `U`. */
#define TAINT_USER 6
#define CRASHES 3
/* In the kernel's half, canonical, and where no kernel has anything mapped: the hole beside the direct map. */
#define NOWHERE 0xffff800000001000UL
#define CAP_SYS_MODULE 16

static long read_number(const char *path)
{
	FILE *file = fopen(path, "r");
	long value = -1;

	if (file && fscanf(file, "%ld", &value) != 1)
		value = -1;
	if (file)
		fclose(file);
	return value;
}

static int write_number(const char *path, long value)
{
	int fd = open(path, O_WRONLY);
	int size = fd < 0 ? -1 : dprintf(fd, "%ld\n", value);

	if (fd >= 0)
		close(fd);
	return size > 0 ? 0 : -1;
}

static void taint(void)
{
	long tainted = read_number(TAINTED);

	expect_true(TAINTED " can be read", tainted >= 0);
	expect_long("its bit for what user space asked for, after an application has started", tainted >> TAINT_USER & 1,
		    in_ring0());
}

/* In a child: becomes this program, which ends with 0, or ends with the number of the error. */
static void start_again(void)
{
	char *const argv[] = { self_path, "helper", "exit", "0", NULL };

	execv(self_path, argv);
	_exit(errno);
}

static void without_the_right(void)
{
	struct { uint32_t version; int pid; } header = { 0x20080522, 0 };
	struct { uint32_t effective, permitted, inheritable; } sets[2];

	if (syscall(SYS_capget, &header, sets))
		_exit(201);
	sets[0].effective &= ~(1U << CAP_SYS_MODULE);
	sets[0].permitted &= ~(1U << CAP_SYS_MODULE);
	if (syscall(SYS_capset, &header, sets))
		_exit(202);
}

/* A filter that makes up the result of a call that nobody makes, and no no_new_privs: CAP_SYS_ADMIN may do that. */
static void with_lies(void)
{
	struct sock_filter program[] = {
		{ BPF_LOAD_WORD, 0, 0, offsetof(struct seccomp_data, nr) },
		{ BPF_JUMP_IF_EQUAL, 0, 1, SYS_acct },
		{ BPF_RETURN, 0, 0, SECCOMP_RET_ERRNO | EXDEV },
		{ BPF_RETURN, 0, 0, SECCOMP_RET_ALLOW },
	};
	struct sock_fprog filter = { .len = sizeof program / sizeof program[0], .filter = program };

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0))
		_exit(203);
}

static void filtered(void *unused)
{
	(void)unused;
	with_lies();
	start_again();
}

static void unprivileged(void *unused)
{
	(void)unused;
	without_the_right();
	start_again();
}

static void unprivileged_and_filtered(void *unused)
{
	(void)unused;
	without_the_right();
	with_lies();
	start_again();
}

/* A filter can feed an application lies, so whoever brings one along needs the right to load kernel code. */
static void filter_of_an_administrator(void)
{
	expect_exit("a start under a filter, with CAP_SYS_MODULE", run_child(filtered, NULL), 0);
	expect_exit("a start without CAP_SYS_MODULE and without a filter", run_child(unprivileged, NULL), 0);
	expect_exit("a start under a filter, with CAP_SYS_ADMIN and without CAP_SYS_MODULE",
		    run_child(unprivileged_and_filtered, NULL), in_ring0() ? EPERM : 0);
}

/* As a guess at where the kernel's text lies that is wrong. */
static void jump_nowhere(void *unused)
{
	(void)unused;
	((void (*)(void))opaque(NOWHERE))();
}

static void start(void *unused)
{
	(void)unused;
	start_again();
}

/* A start by a child in this memory, which is no fork: where the kernel is, a fork's child knows as well as its parent. The
 * exit status, or the number of the error. */
static int spawn(void)
{
	char *const argv[] = { self_path, "helper", "exit", "0", NULL };
	int status = 0;
	pid_t pid;
	int error = posix_spawn(&pid, self_path, NULL, NULL, argv, environ);

	if (error)
		return error;
	must("waitpid", waitpid(pid, &status, 0));
	return status;
}

/* Each restart of an application that crashes where the kernel is not is one guess more at where it is. */
static void crash_limit(void)
{
	for (int i = 0; i < CRASHES; i++)
		expect_signal("a child that jumps to an address of the kernel's half", run_child(jump_nowhere, NULL), SIGSEGV);
	expect_exit("a start below the limit", run_child(start, NULL), 0);
	if (!in_ring0())
		return;
	long before = read_number(LIMIT);
	expect_at_least("kernel.ukl_crash_limit", before, CRASHES + 1);
	if (before < 0)
		return;
	int set = write_number(LIMIT, CRASHES);
	int refused = spawn();
	pid_t forked = fork();
	int fork_error = errno;

	if (!forked)
		_exit(0);
	int lifted = write_number(LIMIT, 0);
	int without = run_child(start, NULL);
	write_number(LIMIT, before);
	expect_long("kernel.ukl_crash_limit was set", set, 0);
	expect_long("the error of a start when so many have crashed", refused, EPERM);
	expect_long("a fork then", forked, -1);
	expect_long("its error", fork_error, EAGAIN);
	expect_long("bytes for a terminal where the kernel's log names kernel.ukl_crash_limit",
		    control_bytes_in_log("kernel.ukl_crash_limit"), 0);
	expect_long("the limit was lifted", lifted, 0);
	expect_exit("a start without a limit", without, 0);
}

const struct test start_tests[] = {
	{ "taint", taint },
	{ "filter-of-an-administrator", filter_of_an_administrator },
	{ "crash-limit", crash_limit },
	END_OF_TESTS
};
