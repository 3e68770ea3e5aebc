// SPDX-License-Identifier: GPL-2.0-only
/*
 * enter DIRECTORY COMMAND [ARGUMENT...]: makes the directory the root and becomes the command, as chroot does. As the first
 * process it moves the file system that is mounted there onto the root, so that nothing of the initramfs stays in the way, as
 * switch_root does. The guest's busybox has neither, and stays the one that is measured.
 *
 * It needs no C library. The exit status is that of the command, 127 if it cannot be started.
 */
#include <asm/unistd.h>
#include <linux/mount.h>

static long call(long number, long a, long b, long c, long d, long e)
{
	long result;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
}

static unsigned long length(const char *text)
{
	unsigned long bytes = 0;

	while (text[bytes])
		bytes++;
	return bytes;
}

static _Noreturn void fail(const char *what)
{
	static const char prefix[] = "enter: cannot reach ";

	call(__NR_write, 2, (long)prefix, sizeof(prefix) - 1, 0, 0);
	call(__NR_write, 2, (long)what, (long)length(what), 0, 0);
	call(__NR_write, 2, (long)"\n", 1, 0, 0);
	for (;;)
		call(__NR_exit_group, 127, 0, 0, 0, 0);
}

/* Where Debian's programs are; a command with a slash is taken as it is. */
static const char *const places[] = {"/usr/local/sbin/", "/usr/local/bin/", "/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"};

static void start(const char *command, char **arguments, char **environment)
{
	static char path[4096];
	unsigned long name = length(command), place, at;

	for (at = 0; at < name; at++)
		if (command[at] == '/')
			call(__NR_execve, (long)command, (long)arguments, (long)environment, 0, 0);
	for (place = 0; place < sizeof(places) / sizeof(*places); place++) {
		unsigned long folder = length(places[place]);

		if (folder + name >= sizeof(path))
			return;
		for (at = 0; at < folder; at++)
			path[at] = places[place][at];
		for (at = 0; at <= name; at++)
			path[folder + at] = command[at];
		call(__NR_execve, (long)path, (long)arguments, (long)environment, 0, 0);
	}
}

__attribute__((used)) void enter(long *stack)
{
	long count = stack[0];
	char **arguments = (char **)(stack + 1), **environment = arguments + count + 1;

	if (count < 3)
		fail("anything: enter DIRECTORY COMMAND [ARGUMENT...]");
	if (call(__NR_chdir, (long)arguments[1], 0, 0, 0, 0) < 0)
		fail(arguments[1]);
	if (call(__NR_getpid, 0, 0, 0, 0, 0) == 1 && call(__NR_mount, (long)".", (long)"/", 0, MS_MOVE, 0) < 0)
		fail("the root");
	if (call(__NR_chroot, (long)".", 0, 0, 0, 0) < 0 || call(__NR_chdir, (long)"/", 0, 0, 0, 0) < 0)
		fail(arguments[1]);
	start(arguments[2], arguments + 2, environment);
	fail(arguments[2]);
}

/* The stack as the kernel leaves it: the count, the arguments, the environment. */
__asm__(".globl _start\n_start:\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall enter\n\thlt\n");
