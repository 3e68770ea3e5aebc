/* Accounting, limits, priority and processors. */
#include "behaviour.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <unistd.h>

static long milliseconds(struct timeval value)
{
	return value.tv_sec * 1000 + value.tv_usec / 1000;
}

static void user_time(void)
{
	struct rusage before, after;

	must("getrusage", getrusage(RUSAGE_SELF, &before));
	spin_ms(300);
	must("getrusage", getrusage(RUSAGE_SELF, &after));
	long user = milliseconds(after.ru_utime) - milliseconds(before.ru_utime);
	long system = milliseconds(after.ru_stime) - milliseconds(before.ru_stime);
	/* Computing in the application's text is user time in ring 0 as well. */
	expect_between("milliseconds of user time while computing for 300", user, 150, 400);
	expect_between("milliseconds of system time meanwhile", system, 0, user);
	expect_at_least("page faults", after.ru_minflt, 10);
}

static void compute(void *unused)
{
	(void)unused;
	spin_ms(200);
}

static void child_times(void)
{
	long per_second = sysconf(_SC_CLK_TCK);
	struct tms before, after;

	times(&before);
	expect_exit("child", run_child(compute, NULL), 0);
	times(&after);
	expect_between("milliseconds of user time of a child that computed for 200",
		       (after.tms_cutime - before.tms_cutime) * 1000 / per_second, 80, 300);
	expect_between("milliseconds of own user time meanwhile",
		       (after.tms_utime - before.tms_utime) * 1000 / per_second, 0, 100);
}

static void spin_for_ever(void *unused)
{
	struct rlimit second = { 1, 2 };

	(void)unused;
	setrlimit(RLIMIT_CPU, &second);
	for (;;)
		__asm__ volatile("");
}

static void cpu_limit(void)
{
	long start = now_ms();

	expect_signal("child that computes with RLIMIT_CPU of one second", run_child(spin_for_ever, NULL), SIGXCPU);
	expect_between("milliseconds it lived", now_ms() - start, 500, 10000);
}

static void fall(void *limit)
{
	setrlimit(RLIMIT_CORE, limit);
	abort();
}

static void core_limit(void)
{
	struct rlimit none = { 0, 0 };

	int status = run_child(fall, &none);
	expect_signal("child that aborts with RLIMIT_CORE of 0", status, SIGABRT);
	expect_long("WCOREDUMP", WCOREDUMP(status) != 0, 0);
}

/* Whether a core is written depends on the system's core_pattern; when one is, it must be an ELF file. */
static void core_dump(void)
{
	struct rlimit all = { 64 << 20, 64 << 20 };
	char magic[5] = "", before[4096];

	must("getcwd", getcwd(before, sizeof before) ? 0 : -1);
	mkdir("/tmp/behaviour-core", 0700);
	must("chdir", chdir("/tmp/behaviour-core"));
	unlink("core");
	int status = run_child(fall, &all);
	expect_signal("child that aborts with RLIMIT_CORE of 64 MiB", status, SIGABRT);
	int fd = open("core", O_RDONLY);
	if (fd >= 0) {
		expect_long("bytes of the core file's magic", read(fd, magic, 4), 4);
		expect_text("magic", magic, "\177ELF");
		close(fd);
	}
	unlink("core");
	must("chdir", chdir(before));
	rmdir("/tmp/behaviour-core");
	expect_exit("a child after it", run_child(compute, NULL), 0);
}

static void priority(void)
{
	errno = 0;
	int before = getpriority(PRIO_PROCESS, 0);
	must("setpriority", setpriority(PRIO_PROCESS, 0, before + 5 > 19 ? 19 : before + 5));
	expect_long("priority", getpriority(PRIO_PROCESS, 0), before + 5 > 19 ? 19 : before + 5);
}

static void affinity(void)
{
	cpu_set_t all, one;
	int wrong = 0, cpus = 0;

	must("sched_getaffinity", sched_getaffinity(0, sizeof all, &all));
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		cpus++;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		must("sched_setaffinity", sched_setaffinity(0, sizeof one, &one));
		for (int i = 0; i < 20; i++)
			wrong += sched_getcpu() != cpu;
	}
	must("sched_setaffinity", sched_setaffinity(0, sizeof all, &all));
	expect_long("readings of 20 on each CPU that named another CPU than the one set", wrong, 0);
	expect_at_least("CPUs", cpus, 1);
}

static void file_limits(void)
{
	struct rlimit few = { 10, 10 }, seen;

	pid_t child = fork();
	if (child == 0) {
		if (setrlimit(RLIMIT_NOFILE, &few) < 0 || getrlimit(RLIMIT_NOFILE, &seen) < 0 || seen.rlim_cur != 10)
			_exit(1);
		int last = 0;
		for (int fd; (fd = dup(0)) >= 0;)
			last = fd;
		_exit(errno == EMFILE && last == 9 ? 11 : 2);
	}
	must("fork", child);
	expect_exit("child that runs into RLIMIT_NOFILE of 10 with EMFILE", reap(child), 11);
}

const struct test usage_tests[] = {
	{ "getrusage", user_time },
	{ "times", child_times },
	{ "cpu-limit", cpu_limit },
	{ "core-limit", core_limit },
	{ "core-dump", core_dump },
	{ "nice", priority },
	{ "affinity", affinity },
	{ "file-limit", file_limits },
	END_OF_TESTS
};
