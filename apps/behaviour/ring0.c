/* What ring 0 makes different: the rows of "What ring 0 changes" in docs/compatibility.md. Each test holds for an ordinary
 * process as Linux has it, and says what an application gets instead.
 */
#include "behaviour.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PAGE 4096UL

/* The address of a symbol of the kernel's; 0 if this process may not know it. */
static unsigned long kernel_symbol(const char *wanted)
{
	FILE *file = fopen("/proc/kallsyms", "r");
	unsigned long address, found = 0;
	char name[256];

	while (file && !found && fscanf(file, "%lx %*c %255s%*[^\n]", &address, name) == 2)
		if (strcmp(name, wanted) == 0)
			found = address;
	if (file)
		fclose(file);
	return found;
}

/* A variable of the kernel's that does no harm: whether the name of a core dump ends with the process's number. */
#define VARIABLE "core_uses_pid"

static int setting(void)
{
	FILE *file = fopen("/proc/sys/kernel/" VARIABLE, "r");
	int value = -1;

	if (file && fscanf(file, "%d", &value) != 1)
		value = -1;
	if (file)
		fclose(file);
	return value;
}

/* Stores what the setting is not. */
static void change(void *at)
{
	*(volatile int *)at = !setting();
}

/* A store to mapped, writable kernel memory: nothing holds an application's up, and the kernel believes it. */
static void kernel_memory(void)
{
	unsigned long address = kernel_symbol(VARIABLE);
	int before = setting();

	expect_true("/proc/kallsyms says where " VARIABLE " is", (long)address < 0);
	expect_true("/proc/sys/kernel/" VARIABLE " says what it is", before >= 0);
	if (!address)
		return;
	int status = run_child(change, opaque(address));
	int after = setting();
	if (in_ring0()) {
		expect_exit("a child that stores to " VARIABLE, status, 0);
		expect_long("what the kernel says of it then", after, !before);
		*(volatile int *)opaque(address) = before;
		expect_long("and after the old value was stored", setting(), before);
	} else {
		expect_signal("a child that stores to " VARIABLE, status, SIGSEGV);
		expect_long("what the kernel says of it then", after, before);
	}
}

static __attribute__((noinline, aligned(64))) void own_text(void)
{
	__asm__ volatile("nop; nop; nop; nop");
}

/* What a call on this program's own text says: 0 or more in a process, -1 and an error in an application. */
static void on_text(const char *what, long result, long process, int error)
{
	if (in_ring0())
		expect_error(what, result, error);
	else
		expect_long(what, result, process);
}

/* The text of an application lies in the kernel: for calls that take addresses it is no memory of the program. */
static void text_is_no_user_memory(void)
{
	void *page = opaque((unsigned long)own_text & ~(PAGE - 1));
	unsigned char resident = 0;
	int pipes[2];

	must("pipe", pipe(pipes));
	own_text();
	on_text("mprotect of the text", mprotect(page, PAGE, PROT_READ | PROT_EXEC), 0, ENOMEM);
	on_text("mlock", mlock(page, PAGE), 0, ENOMEM);
	on_text("madvise", madvise(page, PAGE, MADV_NORMAL), 0, ENOMEM);
	on_text("msync", msync(page, PAGE, MS_ASYNC), 0, ENOMEM);
	on_text("mincore", mincore(page, PAGE, &resident), 0, ENOMEM);
	on_text("write from it", write(pipes[1], opaque((unsigned long)own_text), 4), 4, EFAULT);
}

static void read_time_stamp(void *unused)
{
	unsigned low, high;

	(void)unused;
	if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0))
		_exit(101);
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	_exit(low | high ? 30 : 31);
}

static void time_stamp_counter(void)
{
	int status = run_child(read_time_stamp, NULL);

	if (in_ring0())
		expect_exit("a child that reads the time stamp after PR_SET_TSC forbade it", status, 30);
	else
		expect_signal("a child that reads the time stamp after PR_SET_TSC forbade it", status, SIGSEGV);
}

/* UMIP: a process gets an address that is made up (arch/x86/kernel/umip.c), an application that of the table. */
static void descriptor_table(void)
{
	const unsigned long made_up = 0xfffffffffffe0000;
	struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t base;
	} table = { 0, 0 };

	__asm__ volatile("sgdt %0" : "=m"(table));
	expect_true("the address of the descriptor table is in the kernel's half", (long)table.base < 0);
	expect_long("it is made up", table.base == made_up, !in_ring0());
}

const struct test ring0_tests[] = {
	{ "store-to-kernel-memory", kernel_memory },
	{ "text-is-no-user-memory", text_is_no_user_memory },
	{ "tsc-stays-readable", time_stamp_counter },
	{ "umip-does-not-bind", descriptor_table },
	END_OF_TESTS
};
