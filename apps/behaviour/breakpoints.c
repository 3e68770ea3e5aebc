/* Hardware breakpoints on instructions of this program: each is hit once a time, and the program goes on. */
#include "behaviour.h"
#include "linux_abi.h"

#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096UL
#define CALLS 3

/* A child that never gets past the breakpoint is given up after this. */
#define PATIENCE_MS 5000

/* What the breakpoint is on: the first instruction of each. */
static __attribute__((noinline, aligned(64))) long plain(volatile char *at)
{
	return *at;
}

/* Its first instruction writes, so that it faults when the page is not there: there and back with the flags of a fault. */
long breakpoints_touch(volatile char *at);
__asm__(".text\n\t.balign 64\n\t.globl breakpoints_touch\n\t.type breakpoints_touch, @function\n"
	"breakpoints_touch:\n\tmovb $1, (%rdi)\n\txorl %eax, %eax\n\tret\n\t.size breakpoints_touch, . - breakpoints_touch");

typedef long function(volatile char *);

struct report {
	uint64_t hits, before;
	long calls;
};

static int report_fd;

/* Calls it with fresh pages, counts the hits of the breakpoint meanwhile and reports both. */
static void call_counted(void *argument)
{
	function *body = *(function **)argument;
	struct perf_event_attr wanted = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof wanted,
		.flags = PERF_FLAG_DISABLED,
		.bp_type = HW_BREAKPOINT_X,
		.config1 = (unsigned long)body,
		.config2 = sizeof(long),
	};
	struct report report = { 0, 0, 0 };

	char *pages = mmap(NULL, CALLS * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = (int)syscall(SYS_perf_event_open, &wanted, 0, -1, -1, 0);
	if (fd < 0 || pages == MAP_FAILED || madvise(pages, CALLS * PAGE, MADV_NOHUGEPAGE))
		_exit(101);
	/* The control: without the breakpoint nothing is counted. */
	body(opaque((unsigned long)&report));
	report.hits = 0;
	if (read(fd, &report.before, 8) != 8 || ioctl(fd, PERF_EVENT_IOC_ENABLE, 0))
		_exit(102);
	for (report.calls = 0; report.calls < CALLS; report.calls++)
		body(pages + (unsigned long)report.calls * PAGE);
	if (ioctl(fd, PERF_EVENT_IOC_DISABLE, 0) || read(fd, &report.hits, 8) != 8)
		_exit(103);
	if (write(report_fd, &report, sizeof report) != sizeof report)
		_exit(104);
}

static void hit_once(function *body)
{
	struct report report = { 0, 0, 0 };
	int pipes[2];

	must("pipe", pipe(pipes));
	report_fd = pipes[1];
	pid_t child = start_child(call_counted, &body);
	close(pipes[1]);
	struct pollfd end = { .fd = pipes[0], .events = POLLIN };
	int progress = poll(&end, 1, PATIENCE_MS);
	expect_long("a child with a breakpoint gets past it within 5 s", progress, 1);
	if (progress != 1)
		kill(child, SIGKILL);
	else
		expect_long("bytes from it", read(pipes[0], &report, sizeof report), (long)sizeof report);
	int status = reap(child);
	if (progress == 1)
		expect_exit("the child", status, 0);
	expect_long("hits before the breakpoint was on", (long)report.before, 0);
	expect_long("calls of the function", report.calls, CALLS);
	expect_long("hits of the breakpoint", (long)report.hits, CALLS);
}

static void on_function(void) { hit_once(plain); }
static void on_fault(void) { hit_once(breakpoints_touch); }

const struct test breakpoint_tests[] = {
	{ "breakpoint-on-function", on_function },
	{ "breakpoint-on-page-fault", on_fault },
	END_OF_TESTS
};
