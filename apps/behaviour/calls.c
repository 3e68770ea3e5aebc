/* System calls as such: numbers, arguments, results, bad pointers. */
#include "behaviour.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL

static void random_bytes(void)
{
	unsigned char first[32] = { 0 }, second[32] = { 0 };
	int bits = 0;

	expect_long("getrandom", getrandom(first, sizeof first, 0), 32);
	expect_long("getrandom again", getrandom(second, sizeof second, 0), 32);
	for (size_t i = 0; i < sizeof first; i++)
		bits |= first[i];
	expect_true("the bytes are not all zero", bits != 0);
	expect_true("the two differ", memcmp(first, second, sizeof first) != 0);
}

/* Every number of arguments from none to six, with a result that shows each of them arrived. */
static void arguments(void)
{
	const char *path = "/tmp/behaviour-arguments";
	char text[32] = "";
	struct utsname name;

	expect_long("0: getpid against gettid", syscall(SYS_getpid), syscall(SYS_gettid));
	expect_long("1: uname", syscall(SYS_uname, &name), 0);
	expect_text("its system", name.sysname, "Linux");
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	expect_true("4: openat gives a descriptor", fd >= 0);
	expect_long("4: pwrite64 at 4096", syscall(SYS_pwrite64, fd, "sixth", 5, 4096L), 5);
	expect_long("3: lseek to the end", syscall(SYS_lseek, fd, 0L, SEEK_END), 4101);
	char *view = (char *)syscall(SYS_mmap, NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
	expect_true("6: mmap gives an address", view != MAP_FAILED);
	if (view != MAP_FAILED)
		expect_long("its content, which depends on the sixth argument", memcmp(view, "sixth", 5), 0);
	struct iovec vector = { text, 5 };
	expect_long("6: preadv2 at 4096", syscall(SYS_preadv2, fd, &vector, 1L, 4096L, 0L, 0L), 5);
	expect_text("its bytes", text, "sixth");
	int pipes[2];
	must("pipe", (int)syscall(SYS_pipe2, pipes, O_CLOEXEC));
	long offset = 4098;
	expect_long("6: splice of 3 from 4098", syscall(SYS_splice, fd, &offset, pipes[1], NULL, 3L, 0L), 3);
	memset(text, 0, sizeof text);
	expect_long("3: read", syscall(SYS_read, pipes[0], text, 16L), 3);
	expect_text("its bytes", text, "xth");
	expect_long("offset after splice", offset, 4101);
	expect_long("2: fcntl F_GETFD of a close-on-exec descriptor", syscall(SYS_fcntl, pipes[0], F_GETFD), FD_CLOEXEC);
	unlink(path);
}

static void failing(long result, const char *what, int want)
{
	int seen = errno;

	expect_long(what, result, -1);
	expect_long("errno", seen, want);
}

static void errors(void)
{
	int pipes[2];

	must("pipe", pipe(pipes));
	failing(syscall(9999), "call number 9999", ENOSYS);
	failing(syscall(-1), "call number -1", ENOSYS);
	failing(syscall(SYS_close, 999), "close(999)", EBADF);
	failing(write(pipes[1], opaque(0x123456789000), 8), "write from an unmapped address", EFAULT);
	failing(write(pipes[1], opaque(0xffffffff81000000), 8), "write from the kernel's text", EFAULT);
	failing(write(pipes[1], opaque(0xffff888000001000), 8), "write from the kernel's data", EFAULT);
	failing(write(pipes[1], opaque(0x4242424242424242), 8), "write from a non-canonical address", EFAULT);
	send_byte(pipes[1], 'x');
	failing(read(pipes[0], opaque(0xffffffff81000000), 1), "read into the kernel's text", EFAULT);
	failing(pipe(opaque(0x1000)), "pipe() into an unmapped address", EFAULT);
	failing(open(opaque(0xffffffff81000000), O_RDONLY), "open of a path in the kernel's text", EFAULT);
}

/* Registers other than RAX, RCX and R11 survive a call that blocks, and one that does not. */
static void registers(void)
{
	const struct timespec_like { long s, ns; } none = { 0, 1000000 };

	for (int i = 0; i < 2; i++) {
		unsigned long rbx = 0x1b1b, r12 = 0x1c1c, r13 = 0x1d1d, r14 = 0x1e1e, r15 = 0x1f1f;
		register unsigned long in_r12 __asm__("r12") = r12;
		register unsigned long in_r13 __asm__("r13") = r13;
		register unsigned long in_r14 __asm__("r14") = r14;
		register unsigned long in_r15 __asm__("r15") = r15;
		__asm__ volatile("" : "+b"(rbx), "+r"(in_r12), "+r"(in_r13), "+r"(in_r14), "+r"(in_r15));
		if (i)
			syscall(SYS_nanosleep, &none, NULL);
		else
			syscall(SYS_getppid);
		__asm__ volatile("" : "+b"(rbx), "+r"(in_r12), "+r"(in_r13), "+r"(in_r14), "+r"(in_r15));
		expect_long(i ? "sum of five preserved registers after a blocking call" :
				"sum of five preserved registers after a short call",
			    (long)(rbx + in_r12 + in_r13 + in_r14 + in_r15), 0x1b1b + 0x1c1c + 0x1d1d + 0x1e1e + 0x1f1f);
	}
}

static char clone_stack[32768] __attribute__((aligned(16)));
static volatile int clone_wrote;

static int cloned(void *argument)
{
	clone_wrote = (int)(long)argument;
	return 33;
}

/* clone() with a stack of its own and shared memory: libc's wrapper does it in assembly. */
static void raw_clone(void)
{
	pid_t child = (pid_t)must("clone", clone(cloned, clone_stack + sizeof clone_stack, CLONE_VM | SIGCHLD, (void *)55L));

	expect_exit("cloned child", reap(child), 33);
	expect_long("variable it wrote in shared memory", clone_wrote, 55);
}

static void groups(void)
{
	expect_long("getpgrp", getpgrp(), getpid());
	pid_t child = fork();
	if (child == 0) {
		pid_t session = setsid();
		_exit(session == getpid() && getsid(0) == session && getpgrp() == session ? 13 : 1);
	}
	must("fork", child);
	expect_exit("child that becomes leader of a session", reap(child), 13);
	errno = 0;
	int status;
	failing(waitpid(-1, &status, 0), "waitpid without children", ECHILD);
}

const struct test call_tests[] = {
	{ "getrandom", random_bytes },
	{ "syscall-arguments", arguments },
	{ "syscall-errors", errors },
	{ "syscall-registers", registers },
	{ "clone", raw_clone },
	{ "sessions", groups },
	END_OF_TESTS
};
