// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first process of the kernel profile `lean`: it gives the network card its address, starts the application, and stops the
 * machine when that ends. It does what guest/init does for a boot to be short: no shell, no C library, and nothing before
 * the application that the application does not need.
 *
 * In the initramfs: /etc/ukl/arguments holds the application's arguments, its path first, a line each; /etc/ukl/beside, if
 * it is there, is a shell script that runs beside it. On the console: UKL-EXIT status=N, UKL-FAIL REASON, as from init.
 */
#include <asm/unistd.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define MAX_ARGUMENTS 64
#define MAX_BYTES 4096
/* Redis wants one for each of its clients. */
#define DESCRIPTORS 65536

static char bytes[MAX_BYTES];
static char *arguments[MAX_ARGUMENTS + 1];
static char *const environment[] = {"HOME=/root", "PATH=/usr/bin:/bin", "TERM=vt100", "UKL_BANNER=1", 0};

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

#define CALL(name, a, b, c, d) call(__NR_##name, (long)(a), (long)(b), (long)(c), (long)(d), 0)

/* The compiler may call it, too, for what it initialises. */
void *memset(void *to, int byte, unsigned long count)
{
	char *at = to;

	while (count--)
		*at++ = (char)byte;
	return to;
}

static void say(const char *text)
{
	unsigned long length = 0;

	while (text[length])
		length++;
	CALL(write, 1, text, length, 0);
}

static void say_number(int number)
{
	char digits[12], *at = digits + sizeof(digits) - 1;

	*at = 0;
	do
		*--at = (char)('0' + number % 10);
	while (number /= 10);
	say(at);
}

/* Started with -no-reboot, QEMU ends; a machine without ACPI has no other way. */
static void stop_machine(void)
{
	CALL(sync, 0, 0, 0, 0);
	CALL(reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_RESTART, 0);
	for (;;)
		CALL(pause, 0, 0, 0, 0);
}

static void fail(const char *what)
{
	say("UKL-FAIL ");
	say(what);
	say("\n");
	stop_machine();
}

static void write_file(const char *path, const char *text, unsigned long length)
{
	long file = CALL(open, path, O_WRONLY, 0, 0);

	CALL(write, file, text, length, 0);
	CALL(close, file, 0, 0, 0);
}

static void name_interface(struct ifreq *request, const char *name)
{
	memset(request, 0, sizeof(*request));
	for (int at = 0; name[at]; at++)
		request->ifr_name[at] = name[at];
}

/* An address in the order in which one writes it. */
static void set_address(long sock, long what, unsigned char a, unsigned char b, unsigned char c, unsigned char d)
{
	struct ifreq request;
	struct sockaddr_in *address = (struct sockaddr_in *)&request.ifr_addr;
	unsigned char *octets = (unsigned char *)&address->sin_addr;

	name_interface(&request, "eth0");
	address->sin_family = AF_INET;
	octets[0] = a;
	octets[1] = b;
	octets[2] = c;
	octets[3] = d;
	if (CALL(ioctl, sock, what, &request, 0) < 0)
		fail("eth0 takes no address");
}

static void bring_up(long sock, const char *name)
{
	struct ifreq request;

	name_interface(&request, name);
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	if (CALL(ioctl, sock, SIOCSIFFLAGS, &request, 0) < 0)
		fail("an interface does not come up");
}

/* The address that QEMU's user network forwards to; whoever connects comes from the same network. */
static void configure_network(void)
{
	long sock = CALL(socket, AF_INET, SOCK_DGRAM, 0, 0);

	bring_up(sock, "lo");
	set_address(sock, SIOCSIFADDR, 10, 0, 2, 15);
	set_address(sock, SIOCSIFNETMASK, 255, 255, 255, 0);
	bring_up(sock, "eth0");
	CALL(close, sock, 0, 0, 0);
}

static void read_arguments(void)
{
	long file = CALL(open, "/etc/ukl/arguments", O_RDONLY, 0, 0);
	long length = CALL(read, file, bytes, MAX_BYTES - 1, 0);
	int count = 0;
	char *start = bytes;

	for (long at = 0; at < length && count < MAX_ARGUMENTS; at++) {
		if (bytes[at] != '\n')
			continue;
		bytes[at] = 0;
		arguments[count++] = start;
		start = bytes + at + 1;
	}
	if (!count)
		fail("/etc/ukl/arguments names no program");
	CALL(close, file, 0, 0, 0);
}

/* A fork and not a vfork, whose child would return into this frame. */
static long start(char *const *program)
{
	long child = CALL(fork, 0, 0, 0, 0);

	if (child == 0) {
		CALL(setsid, 0, 0, 0, 0);
		CALL(execve, program[0], program, environment, 0);
		say("UKL-FAIL a program cannot be executed\n");
		CALL(exit_group, 127, 0, 0, 0);
	}
	return child;
}

__attribute__((force_align_arg_pointer, noreturn)) void _start(void)
{
	static char *const beside[] = {"/bin/busybox", "sh", "/etc/ukl/beside", 0};
	struct rlimit descriptors = {DESCRIPTORS, DESCRIPTORS};
	long application, ended, opened;
	int status = 0;

	/* Without a console, the application's first sockets would take the places of its input and output. */
	do
		opened = CALL(open, "/dev/null", O_RDWR, 0, 0);
	while (opened >= 0 && opened < 2);
	if (opened > 2)
		CALL(close, opened, 0, 0, 0);
	configure_network();
	CALL(mount, "proc", "/proc", "proc", 0);
	/* As guest/init: Redis forks when it is large. */
	write_file("/proc/sys/vm/overcommit_memory", "1\n", 2);
	CALL(setrlimit, RLIMIT_NOFILE, &descriptors, 0, 0);
	read_arguments();
	application = start(arguments);
	if (CALL(access, beside[2], 0, 0, 0) == 0)
		start(beside);
	/* Waiting also collects orphans, which is the first process's duty. */
	do
		ended = CALL(wait4, -1, &status, 0, 0);
	while (ended != application);
	say("UKL-EXIT status=");
	say_number(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
	say("\n");
	stop_machine();
	__builtin_unreachable();
}
