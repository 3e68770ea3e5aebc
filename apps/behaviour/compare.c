/* Records comparisons and prints them as the one line a test ends with. */
#include "behaviour.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char line[8192];
static size_t used;
static int differences;

static void record(int holds, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void record(int holds, const char *format, ...)
{
	char item[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(item, sizeof item, format, arguments);
	va_end(arguments);
	if (!holds)
		differences++;
	int printed = snprintf(line + used, sizeof line - used, "%s%s%s", used ? "; " : "", holds ? "" : "DIFFERS: ", item);
	if (printed > 0)
		used += (size_t)printed;
	if (used >= sizeof line)
		used = sizeof line - 1;
}

void expect_long(const char *what, long got, long want)
{
	record(got == want, "%s is %ld, expected %ld", what, got, want);
}

void expect_between(const char *what, long got, long low, long high)
{
	record(got >= low && got <= high, "%s is %ld, expected %ld to %ld", what, got, low, high);
}

void expect_at_least(const char *what, long got, long low)
{
	record(got >= low, "%s is %ld, expected at least %ld", what, got, low);
}

void expect_text(const char *what, const char *got, const char *want)
{
	record(strcmp(got, want) == 0, "%s is \"%.200s\", expected \"%.200s\"", what, got, want);
}

void expect_true(const char *what, int holds)
{
	record(holds, "%s: %s, expected yes", what, holds ? "yes" : "no");
}

static void describe(int status, char *text, size_t size)
{
	if (WIFEXITED(status))
		snprintf(text, size, "exit code %d", WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		snprintf(text, size, "signal %d", WTERMSIG(status));
	else
		snprintf(text, size, "wait status %#x", status);
}

void expect_error(const char *what, long result, int error)
{
	int seen = errno;

	expect_long(what, result, -1);
	expect_long("its errno", seen, error);
}

void expect_signal(const char *what, int status, int signal)
{
	char text[64];

	describe(status, text, sizeof text);
	record(WIFSIGNALED(status) && WTERMSIG(status) == signal, "%s ended by %s, expected signal %d", what, text, signal);
}

void expect_exit(const char *what, int status, int code)
{
	char text[64];

	describe(status, text, sizeof text);
	record(WIFEXITED(status) && WEXITSTATUS(status) == code, "%s ended by %s, expected exit code %d", what, text, code);
}

long must(const char *what, long result)
{
	if (result >= 0)
		return result;
	record(0, "%s failed: %s (errno %d), needed to go on", what, strerror(errno), errno);
	finish();
}

void finish(void)
{
	if (!used)
		record(0, "nothing was compared");
	printf("compared: %s\n", line);
	fflush(stdout);
	_exit(differences ? 1 : 0);
}
