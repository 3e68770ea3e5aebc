/* Which way system calls take, and that a program may choose; and the clock, which takes none. */
#include "behaviour.h"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <ukl.h>

/* The level's system-call stubs; in an ordinary process there are none. */
extern const char __ukl_call_begin[] __attribute__((weak)), __ukl_call_end[] __attribute__((weak));
extern long __ukl_sys_39(void) __attribute__((weak));
extern long __ukl_sys_110(void) __attribute__((weak));

/* The full way leaves its return address in RCX, as SYSCALL does; a direct call leaves what the kernel function left. */
static int went_full(long (*call)(void), long want)
{
	long result;
	uintptr_t rcx = 1;

	__asm__ volatile("call *%[call]" : "=a"(result), "+c"(rcx) : [call] "r"(call)
			 : "rdi", "rsi", "rdx", "r8", "r9", "r10", "r11", "cc", "memory");
	expect_long("result", result, want);
	return rcx >= (uintptr_t)__ukl_call_begin && rcx <= (uintptr_t)__ukl_call_end;
}

/* Whether the level's file switches an option on, which gives its calls a path. The host's tests put the names of those options
 * into LEVEL_OPTIONS. A run by hand has no such variable; it takes what can be chosen for what the level has. */
static int has_option(const char *option, enum ukl_path path)
{
	const char *options = getenv("LEVEL_OPTIONS");

	if (options)
		return strstr(options, option) != NULL;
	enum ukl_path before = (enum ukl_path)ukl_get_path(SYS_getpid);
	int chosen = ukl_set_path(SYS_getpid, path) == 0;
	ukl_set_path(SYS_getpid, before);
	return chosen;
}

static int is_direct(void)
{
	return has_option("bypass", UKL_PATH_DIRECT);
}

static void chosen_in_child(void *arg)
{
	(void)arg;
	_exit(ukl_get_path(SYS_getpid) == UKL_PATH_FULL ? 21 : 22);
}

static void choose_path(void)
{
	int first = is_direct() ? UKL_PATH_DIRECT : UKL_PATH_FULL;

	if (has_option("shortcut", UKL_PATH_SHORTCUT))
		first = UKL_PATH_SHORTCUT;
	expect_long("path of getpid at start", ukl_get_path(SYS_getpid), first);
	expect_long("path of call number -1", ukl_get_path(-1), -1);
	expect_long("a path that does not exist", ukl_set_path(SYS_getpid, (enum ukl_path)3), -1);
	if (!is_direct()) {
		expect_long("direct calls where there are none", ukl_set_path(SYS_getpid, UKL_PATH_DIRECT), -1);
		expect_long("the one path there is", ukl_set_path(SYS_getpid, UKL_PATH_FULL), 0);
		return;
	}
	expect_long("full way at start", went_full(__ukl_sys_39, getpid()), 0);
	expect_long("choosing the full way", ukl_set_path(SYS_getpid, UKL_PATH_FULL), 0);
	expect_long("path now", ukl_get_path(SYS_getpid), UKL_PATH_FULL);
	expect_long("full way now", went_full(__ukl_sys_39, getpid()), 1);
	expect_long("full way of another call", went_full(__ukl_sys_110, getppid()), 0);
	expect_exit("child, which inherits the choice,", run_child(chosen_in_child, NULL), 21);
	expect_long("choosing the direct call again", ukl_set_path(SYS_getpid, UKL_PATH_DIRECT), 0);
	expect_long("full way after that", went_full(__ukl_sys_39, getpid()), 0);
}

/* The stub's environment chooses before main; a helper prints what it finds. */
static void choose_by_environment(void)
{
	static const char *const show[] = { "show-paths", NULL };
	char text[128];

	must("setenv", setenv("UKL_PATHS", "getpid=full,read=full", 1));
	expect_exit("helper", run_helper(show, text, sizeof text), 0);
	expect_text("paths of getpid and read", text, "0 0");
	if (is_direct()) {
		must("setenv", setenv("UKL_PATHS", "all=direct,read=full", 1));
		expect_exit("helper", run_helper(show, text, sizeof text), 0);
		expect_text("paths of getpid and read", text, "1 0");
		must("setenv", setenv("UKL_PATHS", "raed=full", 1));
		expect_exit("helper with a call that does not exist", run_helper(show, text, sizeof text), 2);
	}
	must("setenv", setenv("UKL_PATHS", "getpid=fast", 1));
	expect_exit("helper with a path that does not exist", run_helper(show, text, sizeof text), 2);
	unsetenv("UKL_PATHS");
}

static void read_into_nowhere(void *arg)
{
	(void)arg;
	clock_gettime(CLOCK_MONOTONIC, opaque(8));
}

static long long ns(struct timespec time)
{
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void read_clock(void)
{
	static const struct {
		const char *name;
		clockid_t id;
	} clocks[] = {
		{ "CLOCK_REALTIME", CLOCK_REALTIME },
		{ "CLOCK_MONOTONIC", CLOCK_MONOTONIC },
		{ "CLOCK_MONOTONIC_RAW", CLOCK_MONOTONIC_RAW },
		{ "CLOCK_BOOTTIME", CLOCK_BOOTTIME },
		{ "CLOCK_MONOTONIC_COARSE", CLOCK_MONOTONIC_COARSE },
		{ "CLOCK_PROCESS_CPUTIME_ID", CLOCK_PROCESS_CPUTIME_ID },
	};
	struct timespec before, time, after;

	for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
		must("the system call", syscall(SYS_clock_gettime, clocks[i].id, &before));
		must("clock_gettime", clock_gettime(clocks[i].id, &time));
		must("the system call", syscall(SYS_clock_gettime, clocks[i].id, &after));
		expect_true(clocks[i].name, ns(before) <= ns(time) && ns(time) <= ns(after));
	}
	expect_long("a clock that does not exist", clock_gettime(99, &time), -1);
	expect_signal("child with a bad pointer", run_child(read_into_nowhere, NULL), SIGSEGV);
}

const struct test path_tests[] = {
	{ "choose-path", choose_path },
	{ "choose-path-by-environment", choose_by_environment },
	{ "clock", read_clock },
	END_OF_TESTS
};
