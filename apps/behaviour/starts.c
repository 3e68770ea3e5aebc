/* What the start of an application leaves behind. */
#include "behaviour.h"

#include <stdio.h>

#define TAINTED "/proc/sys/kernel/tainted"
/* TAINT_USER of include/linux/panic.h, `U`. */
#define TAINT_USER 6

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

static void taint(void)
{
	long tainted = read_number(TAINTED);

	expect_true(TAINTED " can be read", tainted >= 0);
	expect_long("its bit for what user space asked for, after an application has started", tainted >> TAINT_USER & 1,
		    in_ring0());
}

const struct test start_tests[] = {
	{ "taint", taint },
	END_OF_TESTS
};
