/* Ticks of the cycle counter per system call, in a form that compares ring 0 with an ordinary process.
 *
 * Under `qemu -icount shift=0,sleep=off` one tick is one executed instruction; the calibration line shows whether that
 * holds. Then `unit=instructions`, else `unit=ticks`.
 *
 * What is compared: the same loop calls, through a pointer, a stub that holds nothing but the level's way into the kernel.
 * - UKL levels: the stub `__ukl_sys_N` of the runtime (base), renamed by the level link to the kernel's own (bypass).
 * - ordinary process: the bytes `mov $N, %eax; syscall; ret` in an executable page. They are data here because the
 *   text of a linked-in application must not hold the SYSCALL instruction.
 * So both sides pay for the loop, the call and the return. The lines `libc-*` measure the C library's own functions.
 *
 * Output: `calibration instructions=N ticks=N`, then per call `count name=getppid min=N median=N unit=instructions`.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if __has_include(<ukl.h>)
#include <ukl.h>
#else
static const char *ukl_level(void)
{
	return "linux";
}
#endif

#define CALLS 64
#define BATCHES 200
/* Enough to have every page, cache and code path warm before the first measured batch. */
#define WARM_BATCHES 20
#define CALIBRATION_ROUNDS 5000

typedef long call(long, void *, long);

/* Undefined and weak: an ordinary process has no such symbols. */
extern call __ukl_sys_0 __attribute__((weak));
extern call __ukl_sys_1 __attribute__((weak));
extern call __ukl_sys_110 __attribute__((weak));

static inline unsigned long ticks(void)
{
	unsigned low, high;

	/* lfence: on hardware, keep the reading between the calls around it. */
	__asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high) : : "memory");
	return (unsigned long)high << 32 | low;
}

static int ascending(const void *a, const void *b)
{
	unsigned long left = *(const unsigned long *)a, right = *(const unsigned long *)b;

	return (left > right) - (left < right);
}

/* A loop of two instructions a round; the median of several, so that a timer interrupt in one does not count. */
static unsigned long calibrate(void)
{
	unsigned long seen[9];

	for (int i = 0; i < 9; i++) {
		unsigned long rounds = CALIBRATION_ROUNDS, start = ticks();
		__asm__ volatile("1:\tdec %0\n\tjnz 1b" : "+r"(rounds) : : "cc");
		seen[i] = ticks() - start;
	}
	qsort(seen, 9, sizeof seen[0], ascending);
	return seen[4];
}

static __attribute__((noinline)) unsigned long batch(call *function, long fd, void *buffer, long size)
{
	unsigned long start = ticks();

	/* A call without arguments is issued without loading any. */
	if (!buffer)
		for (long left = CALLS; left; left--)
			((long (*)(void))function)();
	else
		for (long left = CALLS; left; left--)
			function(fd, buffer, size);
	return ticks() - start;
}

static void measure(const char *name, call *function, long fd, void *buffer, long size, long want, const char *unit)
{
	static unsigned long seen[BATCHES];

	long result = function(fd, buffer, size);
	if (result != want) {
		printf("microbench: %s returned %ld, expected %ld\n", name, result, want);
		exit(1);
	}
	for (int i = 0; i < WARM_BATCHES; i++)
		batch(function, fd, buffer, size);
	for (int i = 0; i < BATCHES; i++)
		seen[i] = batch(function, fd, buffer, size);
	qsort(seen, BATCHES, sizeof seen[0], ascending);
	/* Rounded to the nearest: a batch carries the few instructions of reading the counter. */
	printf("count name=%s min=%lu median=%lu unit=%s\n", name, (seen[0] + CALLS / 2) / CALLS,
	       (seen[BATCHES / 2] + CALLS / 2) / CALLS, unit);
}

/* Fills in the number of the call, and returns the stub: 16 bytes each. */
static call *ordinary_stub(unsigned char *page, int index, unsigned char number)
{
	static const unsigned char code[] = { 0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0xc3 };

	memcpy(page + 16 * index, code, sizeof code);
	page[16 * index + 1] = number;
	return (call *)(void *)(page + 16 * index);
}

static long libc_getppid(long fd, void *buffer, long size)
{
	(void)fd;
	(void)buffer;
	(void)size;
	return getppid();
}

static long libc_read(long fd, void *buffer, long size)
{
	return read((int)fd, buffer, (size_t)size);
}

static long libc_write(long fd, void *buffer, long size)
{
	return write((int)fd, buffer, (size_t)size);
}

int main(void)
{
	call *do_read = __ukl_sys_0, *do_write = __ukl_sys_1, *do_getppid = __ukl_sys_110;
	char byte = 'x';

	if (strcmp(ukl_level(), "linux") == 0) {
		unsigned char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (page == MAP_FAILED) {
			perror("microbench: mmap");
			return 1;
		}
		do_read = ordinary_stub(page, 0, 0);
		do_write = ordinary_stub(page, 1, 1);
		do_getppid = ordinary_stub(page, 2, 110);
		mprotect(page, 4096, PROT_READ | PROT_EXEC);
	}
	int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
	if (zero < 0 || null < 0) {
		perror("microbench: /dev/zero or /dev/null");
		return 1;
	}
	unsigned long took = calibrate();
	const char *unit = took >= 2 * CALIBRATION_ROUNDS && took < 2 * CALIBRATION_ROUNDS + 20 ? "instructions" : "ticks";
	printf("level %s\n", ukl_level());
	printf("calibration instructions=%d ticks=%lu\n", 2 * CALIBRATION_ROUNDS, took);
	measure("getppid", do_getppid, 0, NULL, 0, getppid(), unit);
	measure("read", do_read, zero, &byte, 1, 1, unit);
	measure("write", do_write, null, &byte, 1, 1, unit);
	measure("libc-getppid", libc_getppid, 0, NULL, 0, getppid(), unit);
	measure("libc-read", libc_read, zero, &byte, 1, 1, unit);
	measure("libc-write", libc_write, null, &byte, 1, 1, unit);
	return 0;
}
