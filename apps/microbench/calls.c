/* Single system calls that block nowhere: by the level's own way, and `libc-*` through the C library.
 *
 * The loop that is counted has no room for a comparison, so what its calls did is looked at after each batch: what they
 * left in memory, and one more call's result. */
#include "microbench.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static way *function;
static long first;
static long want;
static unsigned char buffer[MAX_SIZE_BYTES];

static __attribute__((noinline)) void repeat(way *function, long first, void *buffer, long size, long calls)
{
	for (long left = calls; left; left--)
		function(first, buffer, size);
}

static void body(const struct item *item)
{
	repeat(function, first, buffer, (long)item->size_bytes, item->calls);
}

static int through_libc(const struct item *item)
{
	return strncmp(item->name, "libc-", 5) == 0;
}

/* ---- getppid ---- */

/* From /proc, on which no shortcut of getppid has an influence. */
static long parent_in_proc(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[128];
	long parent = -1;

	must("opening /proc/self/status", status ? 0 : -1);
	while (fgets(line, sizeof line, status))
		if (strncmp(line, "PPid:", 5) == 0)
			parent = atol(line + 5);
	fclose(status);
	expect_at_least("PPid in /proc/self/status", parent, 1);
	return parent;
}

static long libc_getppid(long first, void *buffer, long size)
{
	(void)first;
	(void)buffer;
	(void)size;
	return getppid();
}

static void set_up_getppid(const struct item *item)
{
	function = through_libc(item) ? libc_getppid : way_of(SYS_getppid, 0);
	want = parent_in_proc();
}

/* A call without arguments is issued without loading any. */
static __attribute__((noinline)) void repeat_without_arguments(way_without_arguments *function, long calls)
{
	for (long left = calls; left; left--)
		function();
}

static void body_getppid(const struct item *item)
{
	repeat_without_arguments((way_without_arguments *)(void *)function, item->calls);
}

static void check_getppid(const struct item *item)
{
	(void)item;
	expect("the parent's number", ((way_without_arguments *)(void *)function)(), want);
}

/* ---- read and write ---- */

static long libc_read(long fd, void *buffer, long size)
{
	return read((int)fd, buffer, (size_t)size);
}

static long libc_write(long fd, void *buffer, long size)
{
	return write((int)fd, buffer, (size_t)size);
}

static void set_up_read(const struct item *item)
{
	function = through_libc(item) ? libc_read : way_of(SYS_read, 3);
	first = must("opening /dev/zero", open("/dev/zero", O_RDONLY));
}

static void set_up_write(const struct item *item)
{
	function = through_libc(item) ? libc_write : way_of(SYS_write, 3);
	first = must("opening /dev/null", open("/dev/null", O_WRONLY));
}

static void check_result(const struct item *item)
{
	long size = (long)item->size_bytes;

	expect("the result", function(first, buffer, size), size);
}

/* A byte more than the calls are to touch. */
static void fill(const struct item *item)
{
	memset(buffer, 'x', item->size_bytes < MAX_SIZE_BYTES ? item->size_bytes + 1 : MAX_SIZE_BYTES);
}

static void check_read(const struct item *item)
{
	for (size_t at = 0; at < item->size_bytes; at++)
		expect("a byte read from /dev/zero", buffer[at], 0);
	if (item->size_bytes < MAX_SIZE_BYTES)
		expect("the byte behind those read", buffer[item->size_bytes], 'x');
	check_result(item);
}

static void close_file(const struct item *item)
{
	(void)item;
	close((int)first);
}

/* ---- clock_gettime ---- */

static struct timespec now;
static long before_ns;

static long in_ns(struct timespec time)
{
	return time.tv_sec * 1000000000 + time.tv_nsec;
}

static long libc_clock(long clock, void *time, long unused)
{
	(void)unused;
	return clock_gettime((clockid_t)clock, time);
}

/* The clock by the other of the two ways, which the one that is counted must agree with. */
static long other_ns(const struct item *item)
{
	struct timespec time;
	way *other = through_libc(item) ? way_of(SYS_clock_gettime, 2) : libc_clock;

	expect("the other way's result", other(CLOCK_MONOTONIC, &time, 0), 0);
	return in_ns(time);
}

static void set_up_clock(const struct item *item)
{
	function = through_libc(item) ? libc_clock : way_of(SYS_clock_gettime, 2);
}

static void prepare_clock(const struct item *item)
{
	now = (struct timespec){ 0 };
	before_ns = other_ns(item);
}

static void body_clock(const struct item *item)
{
	repeat(function, CLOCK_MONOTONIC, &now, 0, item->calls);
}

static void check_clock(const struct item *item)
{
	expect_at_least("the time after a batch", in_ns(now), before_ns + 1);
	expect_at_least("the time by the other way, later,", other_ns(item), in_ns(now));
}

#define GETPPID(id, text)                                                                                          \
	{ .name = id, .includes = text, .calls = 64, .batches = 200, .set_up = set_up_getppid, .body = body_getppid, \
	  .check = check_getppid }
#define READ(id, size, text)                                                                                       \
	{ .name = id, .includes = text, .calls = 64, .batches = 100, .size_bytes = size, .set_up = set_up_read,      \
	  .prepare = fill, .body = body, .check = check_read, .tear_down = close_file }
#define WRITE(id, text)                                                                                            \
	{ .name = id, .includes = text, .calls = 64, .batches = 200, .size_bytes = 1, .set_up = set_up_write,        \
	  .body = body, .check = check_result, .tear_down = close_file }
#define CLOCK(id, text)                                                                                            \
	{ .name = id, .includes = text, .calls = 64, .batches = 200, .set_up = set_up_clock, .prepare = prepare_clock, \
	  .body = body_clock, .check = check_clock }

/* There are no larger writes: /dev/null does not look at what it is given. */
const struct item call_items[] = {
	GETPPID("getppid", "the call by the level's way"),
	READ("read", 1, "1 byte from /dev/zero by the level's way"),
	READ("read-64", 64, "64 bytes likewise; the kernel clears them"),
	READ("read-512", 512, "512 bytes likewise"),
	READ("read-1024", 1024, "1024 bytes likewise"),
	READ("read-4096", 4096, "4096 bytes likewise"),
	READ("read-8192", 8192, "8192 bytes likewise"),
	WRITE("write", "1 byte to /dev/null by the level's way"),
	GETPPID("libc-getppid", "getppid() of the C library"),
	READ("libc-read", 1, "read() of the C library, 1 byte from /dev/zero"),
	WRITE("libc-write", "write() of the C library, 1 byte to /dev/null"),
	CLOCK("clock-gettime", "the call by the level's way, CLOCK_MONOTONIC"),
	CLOCK("libc-clock-gettime", "clock_gettime() of the C library; an ordinary process may not enter the kernel for it"),
	END_OF_ITEMS
};
