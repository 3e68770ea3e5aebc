/* Seccomp: filters and strict mode hold on every path into the kernel, the direct one included. */
#include "behaviour.h"
#include "linux_abi.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NUMBER offsetof(struct seccomp_data, nr)
#define ARCHITECTURE offsetof(struct seccomp_data, arch)
#define FIRST_ARGUMENT offsetof(struct seccomp_data, args)

/* Applies `action` to one call of x86-64 (when its first argument is `argument`, or always for -1), allows the rest. */
static int install(int number, long argument, unsigned action)
{
	struct sock_filter program[] = {
		{ BPF_LOAD_WORD, 0, 0, ARCHITECTURE },
		{ BPF_JUMP_IF_EQUAL, 1, 0, AUDIT_ARCH_X86_64 },
		{ BPF_RETURN, 0, 0, SECCOMP_RET_KILL_PROCESS },
		{ BPF_LOAD_WORD, 0, 0, NUMBER },
		{ BPF_JUMP_IF_EQUAL, 0, 3, (uint32_t)number },
		{ BPF_LOAD_WORD, 0, 0, FIRST_ARGUMENT },
		{ BPF_JUMP_IF_EQUAL, 0, argument == -1 ? 0 : 1, (uint32_t)argument },
		{ BPF_RETURN, 0, 0, action },
		{ BPF_RETURN, 0, 0, SECCOMP_RET_ALLOW },
	};
	struct sock_fprog filter = { .len = sizeof program / sizeof program[0], .filter = program };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0);
}

static void deny_getppid(void *unused)
{
	(void)unused;
	pid_t before = getppid();
	if (install(SYS_getppid, -1, SECCOMP_RET_ERRNO | EPERM) < 0)
		_exit(1);
	errno = 0;
	if (before <= 0 || syscall(SYS_getppid) != -1 || errno != EPERM)
		_exit(2);
	_exit(getpid() > 0 ? 17 : 3);
}

static void deny_by_argument(void *unused)
{
	int pipes[2];
	char byte;

	(void)unused;
	if (pipe(pipes) < 0 || install(SYS_read, pipes[1], SECCOMP_RET_ERRNO | EACCES) < 0)
		_exit(1);
	send_byte(pipes[1], 'a');
	errno = 0;
	if (read(pipes[1], &byte, 1) != -1 || errno != EACCES)
		_exit(2);
	_exit(read(pipes[0], &byte, 1) == 1 ? 18 : 3);
}

static void kill_on_getppid(void *unused)
{
	(void)unused;
	if (install(SYS_getppid, -1, SECCOMP_RET_KILL_PROCESS) < 0)
		_exit(1);
	getppid();
}

static void filters(void)
{
	expect_exit("child that finds getppid refused with EPERM and getpid allowed", run_child(deny_getppid, NULL), 17);
	expect_exit("child that finds read() of one descriptor refused with EACCES", run_child(deny_by_argument, NULL), 18);
	expect_signal("child whose filter kills on getppid", run_child(kill_on_getppid, NULL), SIGSYS);
}

static volatile int trapped_number;

static void on_sigsys(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	trapped_number = info->si_syscall;
}

static void trap_getppid(void *unused)
{
	struct sigaction action = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };

	(void)unused;
	sigaction(SIGSYS, &action, NULL);
	if (install(SYS_getppid, -1, SECCOMP_RET_TRAP) < 0)
		_exit(1);
	syscall(SYS_getppid);
	_exit(trapped_number == SYS_getppid ? 19 : 2);
}

static void trap(void)
{
	expect_exit("child that finds getppid's number in the SIGSYS of its filter", run_child(trap_getppid, NULL), 19);
}

static void strict_good(void *fd)
{
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) < 0)
		_exit(1);
	send_byte(*(int *)fd, 's');
	syscall(SYS_exit, 20);
}

static void strict_bad(void *unused)
{
	(void)unused;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) < 0)
		_exit(1);
	syscall(SYS_getppid);
	syscall(SYS_exit, 21);
}

static void strict(void)
{
	int pipes[2];

	must("pipe", pipe(pipes));
	expect_exit("child in strict mode that only writes and exits", run_child(strict_good, &pipes[1]), 20);
	expect_signal("child in strict mode that calls getppid", run_child(strict_bad, NULL), SIGKILL);
}

static void *call_in_thread(void *unused)
{
	(void)unused;
	errno = 0;
	long result = syscall(SYS_getppid);
	return (void *)(long)(result == -1 && errno == EPERM);
}

static void filter_then_thread(void *unused)
{
	pthread_t thread;
	void *refused = NULL;

	(void)unused;
	if (install(SYS_getppid, -1, SECCOMP_RET_ERRNO | EPERM) < 0)
		_exit(1);
	pthread_create(&thread, NULL, call_in_thread, NULL);
	pthread_join(thread, &refused);
	_exit(refused ? 22 : 2);
}

static void inherited(void)
{
	expect_exit("child whose thread finds getppid refused by the inherited filter",
		    run_child(filter_then_thread, NULL), 22);
}

const struct test seccomp_tests[] = {
	{ "seccomp-filter", filters },
	{ "seccomp-trap", trap },
	{ "seccomp-strict", strict },
	{ "seccomp-threads", inherited },
	END_OF_TESTS
};
