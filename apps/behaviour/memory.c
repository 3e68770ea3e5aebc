/* The address space: mappings, protections, the heap, and the application's own data pages. */
#include "behaviour.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096UL

static sigjmp_buf escape;
static volatile int code;
static volatile unsigned long address;

static void note(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	code = info->si_code;
	address = (unsigned long)info->si_addr;
	siglongjmp(escape, 1);
}

/* Writes a byte; returns 0 when that worked, else the si_code of the SIGSEGV, after checking its address. */
static int try_write(volatile char *where)
{
	struct sigaction action = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &action, NULL);
	code = 0;
	address = 0;
	if (sigsetjmp(escape, 1) == 0)
		*where = 1;
	else
		expect_long("fault address of a refused write", (long)address, (long)where);
	return code;
}

static char *map(size_t size)
{
	char *start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must("mmap", start == MAP_FAILED ? -1 : 0);
	return start;
}

static void map_and_protect(void)
{
	char *start = map(16 * PAGE);
	long non_zero = 0;

	for (size_t i = 0; i < 16 * PAGE; i += 64)
		non_zero += start[i] != 0;
	expect_long("bytes of a new mapping that are not zero", non_zero, 0);
	expect_long("write to it", try_write(start + 5 * PAGE), 0);
	must("mprotect", mprotect(start + 4 * PAGE, 4 * PAGE, PROT_READ));
	expect_long("write after mprotect(PROT_READ)", try_write(start + 5 * PAGE), SEGV_ACCERR);
	expect_long("write beside the protected part", try_write(start + 8 * PAGE), 0);
	expect_long("content kept", start[5 * PAGE], 1);
	must("mprotect", mprotect(start + 4 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE));
	expect_long("write after mprotect(PROT_READ | PROT_WRITE)", try_write(start + 5 * PAGE), 0);
	must("munmap", munmap(start + 12 * PAGE, PAGE));
	expect_long("write after munmap", try_write(start + 12 * PAGE), SEGV_MAPERR);
	must("madvise", madvise(start, 16 * PAGE / 2, MADV_DONTNEED));
	expect_long("content after MADV_DONTNEED", start[5 * PAGE], 0);
	must("munmap", munmap(start, 16 * PAGE));
}

static void remap(void)
{
	char *start = map(4 * PAGE);

	for (int i = 0; i < 4; i++)
		start[i * (int)PAGE] = (char)(i + 1);
	char *moved = mremap(start, 4 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
	must("mremap", moved == MAP_FAILED ? -1 : 0);
	expect_long("sum of four marks after growing", moved[0] + moved[PAGE] + moved[2 * PAGE] + moved[3 * PAGE], 10);
	expect_long("new part", moved[63 * PAGE], 0);
	char *shrunk = mremap(moved, 64 * PAGE, 2 * PAGE, 0);
	expect_true("shrinking leaves it in place", shrunk == moved);
	expect_long("write behind the shrunk mapping", try_write(moved + 3 * PAGE), SEGV_MAPERR);
}

/* In a child: the heap of the C library must not be pulled away from under the test. */
static void move_break(void *unused)
{
	char *start = (char *)syscall(SYS_brk, 0);
	char *top = (char *)(((uintptr_t)start + PAGE - 1) & ~(PAGE - 1));

	(void)unused;
	if ((char *)syscall(SYS_brk, top + 8 * PAGE) != top + 8 * PAGE)
		_exit(1);
	for (int i = 0; i < 8; i++)
		if (top[i * (int)PAGE] != 0)
			_exit(2);
		else
			top[i * (int)PAGE] = 1;
	if ((char *)syscall(SYS_brk, top) != top)
		_exit(3);
	if ((char *)syscall(SYS_brk, top + PAGE) != top + PAGE || top[0] != 0)
		_exit(4);
	/* Below the program's data: refused, the break stays. */
	if ((char *)syscall(SYS_brk, 4096) != top + PAGE)
		_exit(5);
	_exit(7);
}

static void use_brk(void)
{
	expect_exit("child that grows and shrinks its break", run_child(move_break, NULL), 7);
}

static void heap(void)
{
	enum { BLOCKS = 500 };
	unsigned char *blocks[BLOCKS];
	long wrong = 0;

	for (size_t i = 0; i < BLOCKS; i++) {
		blocks[i] = malloc(i * 37 + 1);
		memset(blocks[i], (int)i, i * 37 + 1);
	}
	for (size_t i = 0; i < BLOCKS; i += 2)
		blocks[i] = realloc(blocks[i], i * 91 + 1);
	for (size_t i = 0; i < BLOCKS; i++) {
		wrong += blocks[i][0] != (unsigned char)i || blocks[i][i * 37] != (unsigned char)i;
		free(blocks[i]);
	}
	expect_long("blocks of 500 that lost their content in realloc", wrong, 0);
	unsigned char *large = malloc(8 << 20);
	for (size_t i = 0; i < 8 << 20; i += PAGE)
		large[i] = (unsigned char)(i >> 12);
	for (size_t i = 0; i < 8 << 20; i += PAGE)
		wrong += large[i] != (unsigned char)(i >> 12);
	unsigned long inside = (unsigned long)large + (1 << 20);
	free(large);
	expect_long("wrong pages of an 8 MiB block", wrong, 0);
	expect_long("write after free of a large block", try_write(opaque(inside)), SEGV_MAPERR);
}

static char guarded[3 * PAGE] = "initialised";

/* The application's own data and bss are ordinary mappings too. */
static void own_data(void)
{
	char *page = (char *)(((uintptr_t)guarded + PAGE - 1) & ~(PAGE - 1));

	expect_text("initial content", guarded, "initialised");
	must("mprotect", mprotect(page, PAGE, PROT_READ));
	expect_long("write to a data page after mprotect(PROT_READ)", try_write(page + 8), SEGV_ACCERR);
	must("mprotect", mprotect(page, PAGE, PROT_READ | PROT_WRITE));
	expect_long("write after restoring it", try_write(page + 8), 0);
	/* Read-only data must not become writable for other instances: a private copy at most. */
	int pipes[2];
	must("pipe", pipe(pipes));
	errno = 0;
	must("write", write(pipes[1], "x", 1));
	expect_long("read() into a constant", read(pipes[0], (char *)opaque((unsigned long)"constant text"), 1), -1);
	expect_long("its errno", errno, EFAULT);
}

static void shared_file(void)
{
	const char *path = "/tmp/behaviour-shared";
	char text[8] = "";

	int fd = (int)must("open", open(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
	must("ftruncate", ftruncate(fd, 2 * PAGE));
	char *view = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *second = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE);
	must("mmap", view == MAP_FAILED || second == MAP_FAILED ? -1 : 0);
	memcpy(view + PAGE, "shared", 6);
	must("msync", msync(view, 2 * PAGE, MS_SYNC));
	expect_long("pread", pread(fd, text, 6, PAGE), 6);
	expect_text("what was written through the mapping", text, "shared");
	expect_long("the same through a mapping at offset 4096", memcmp(second, "shared", 6), 0);
	must("pwrite", pwrite(fd, "file", 4, 0));
	expect_long("what pwrite wrote, seen through the mapping", memcmp(view, "file", 4), 0);
	pid_t child = fork();
	if (child == 0) {
		memcpy(view, "child", 5);
		_exit(0);
	}
	expect_exit("child", reap(child), 0);
	expect_long("what a child wrote into a shared mapping", memcmp(view, "child", 5), 0);
	unlink(path);
}

static void past_end_of_file(void *unused)
{
	const char *path = "/tmp/behaviour-short";
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	volatile char *view = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	(void)unused;
	unlink(path);
	*view = 1;
}

static void bus_error(void)
{
	expect_signal("write to a mapping beyond the end of its file", run_child(past_end_of_file, NULL), SIGBUS);
}

const struct test memory_tests[] = {
	{ "mmap-mprotect", map_and_protect },
	{ "mremap", remap },
	{ "brk", use_brk },
	{ "malloc", heap },
	{ "own-data-pages", own_data },
	{ "shared-mapping", shared_file },
	{ "sigbus", bus_error },
	END_OF_TESTS
};
