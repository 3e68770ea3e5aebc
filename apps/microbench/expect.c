/* Proof that an operation did what it claims: what is not as expected ends the program. */
#include "microbench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

const char *measured_name = "start";

void expect(const char *what, long got, long want)
{
	if (got == want)
		return;
	printf("microbench: %s: %s is %ld, expected %ld\n", measured_name, what, got, want);
	exit(1);
}

void expect_at_least(const char *what, long got, long least)
{
	if (got >= least)
		return;
	printf("microbench: %s: %s is %ld, expected at least %ld\n", measured_name, what, got, least);
	exit(1);
}

long must(const char *what, long result)
{
	if (result >= 0)
		return result;
	printf("microbench: %s: %s failed: %s\n", measured_name, what, strerror(errno));
	exit(1);
}

static struct rusage usage(void)
{
	struct rusage usage;

	must("getrusage", getrusage(RUSAGE_SELF, &usage));
	return usage;
}

long minor_faults(void)
{
	return usage().ru_minflt;
}

long switches(void)
{
	struct rusage now = usage();

	return now.ru_nvcsw + now.ru_nivcsw;
}

void reap(int pid, int want_status)
{
	int status;

	expect("the process that waitpid returns", must("waitpid", waitpid(pid, &status, 0)), pid);
	expect("whether the child exited by itself", WIFEXITED(status), 1);
	expect("the child's exit status", WEXITSTATUS(status), want_status);
}
