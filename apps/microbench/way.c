/* The level's way into the kernel as a function that holds nothing else.
 *
 * - UKL levels: the stub `__ukl_sys_N` of the runtime (base), renamed by the level link to the kernel's own (bypass).
 * - ordinary process: the bytes `mov $N, %eax; syscall; ret` in an executable page, and `mov %rcx, %r10` before them
 *   where there is a fourth argument. They are data here because the text of a linked-in application must not hold the
 *   SYSCALL instruction.
 * So both sides pay for the caller's loop, the call and the return, and for nothing else.
 */
#include "microbench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if __has_include(<ukl.h>)
#include <ukl.h>
#else
static const char *ukl_level(void)
{
	return "linux";
}
#endif

/* Undefined and weak: an ordinary process has no such symbols. */
extern way __ukl_sys_0 __attribute__((weak));
extern way __ukl_sys_1 __attribute__((weak));
extern way __ukl_sys_110 __attribute__((weak));
extern way __ukl_sys_202 __attribute__((weak));
extern way __ukl_sys_228 __attribute__((weak));

const char *level(void)
{
	return ukl_level();
}

static way *linked(int number)
{
	switch (number) {
	case 0:
		return __ukl_sys_0;
	case 1:
		return __ukl_sys_1;
	case 110:
		return __ukl_sys_110;
	case 202:
		return __ukl_sys_202;
	case 228:
		return __ukl_sys_228;
	default:
		return NULL;
	}
}

/* A page per call: they are few, and none is ever writable and executable at once. */
static way *ordinary(int number, int arguments)
{
	static const unsigned char fourth[] = { 0x49, 0x89, 0xca }, code[] = { 0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0xc3 };
	unsigned char *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char *to = page;

	must("mmap", page == MAP_FAILED ? -1 : 0);
	if (arguments >= 4) {
		memcpy(to, fourth, sizeof fourth);
		to += sizeof fourth;
	}
	memcpy(to, code, sizeof code);
	memcpy(to + 1, &number, sizeof number);
	must("mprotect", mprotect(page, PAGE_BYTES, PROT_READ | PROT_EXEC));
	return (way *)(void *)page;
}

way *way_of(int number, int arguments)
{
	way *found = strcmp(level(), "linux") == 0 ? ordinary(number, arguments) : linked(number);

	if (!found) {
		fprintf(stderr, "microbench: way.c has no way for system call %d at level %s\n", number, level());
		exit(1);
	}
	return found;
}
