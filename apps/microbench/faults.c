/* Page faults, each page of a batch touched once. That they happened is read off getrusage(): as many as pages, no
 * more. */
#include "microbench.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES 64
#define REGION_BYTES (PAGES * PAGE_BYTES)
static unsigned char *region;
static long faults_before;
static unsigned char serial;

static void check_faults(const struct item *item)
{
	expect("the number of page faults", minor_faults() - faults_before, item->calls);
}

static void map_region(const struct item *item)
{
	(void)item;
	region = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must("mmap", region == MAP_FAILED ? -1 : 0);
	/* So that the tables that lead to the pages are there and stay. */
	memset(region, 1, REGION_BYTES);
}

static void unmap_region(const struct item *item)
{
	(void)item;
	must("munmap", munmap(region, REGION_BYTES));
}

/* ---- first touch ---- */

static void drop_pages(const struct item *item)
{
	(void)item;
	must("madvise", madvise(region, REGION_BYTES, MADV_DONTNEED));
	faults_before = minor_faults();
}

static void read_pages(const struct item *item)
{
	volatile unsigned char *page = region;

	for (unsigned left = item->calls; left; left--, page += PAGE_BYTES)
		(void)*page;
}

static void write_pages(const struct item *item)
{
	volatile unsigned char *page = region;

	for (unsigned left = item->calls; left; left--, page += PAGE_BYTES)
		*page = serial;
}

static void check_zero(const struct item *item)
{
	check_faults(item);
	for (size_t at = 0; at < REGION_BYTES; at += PAGE_BYTES / 2)
		expect("a byte of a page never written", region[at], 0);
}

static void next_serial_and_drop(const struct item *item)
{
	serial = serial % 255 + 1;
	drop_pages(item);
}

static void check_written(const struct item *item)
{
	check_faults(item);
	for (size_t at = 0; at < REGION_BYTES; at += PAGE_BYTES) {
		expect("the byte written", region[at], serial);
		expect("a byte beside it", region[at + PAGE_BYTES / 2], 0);
	}
}

/* ---- copy on write ---- */

static int child, release[2];

/* The child's: it waits until the parent has written, and looks at its own copy. Exit status 5 says it is as before. */
static void look_at_copy(int ready, unsigned char want)
{
	char byte = 'r';
	int same = 1;

	close(release[1]);
	if (write(ready, &byte, 1) != 1 || read(release[0], &byte, 1) != 0)
		_exit(1);
	for (size_t at = 0; at < REGION_BYTES; at += PAGE_BYTES)
		same &= region[at] == want && region[at + 1] == 1;
	_exit(same ? 5 : 6);
}

static void share_pages(const struct item *item)
{
	int ready[2];
	char byte;

	(void)item;
	for (size_t at = 0; at < REGION_BYTES; at += PAGE_BYTES)
		region[at] = serial;
	must("pipe", pipe(release));
	must("pipe", pipe(ready));
	child = (int)must("fork", fork());
	if (child == 0)
		look_at_copy(ready[1], serial);
	close(release[0]);
	close(ready[1]);
	expect("the child's sign that it is ready", read(ready[0], &byte, 1), 1);
	close(ready[0]);
	serial = serial % 255 + 1;
	faults_before = minor_faults();
}

static void check_copies(const struct item *item)
{
	check_faults(item);
	/* End of file lets the child go on. */
	close(release[1]);
	reap(child, 5);
	for (size_t at = 0; at < REGION_BYTES; at += PAGE_BYTES) {
		expect("the byte written", region[at], serial);
		expect("the byte beside it, copied,", region[at + 1], 1);
	}
}

/* ---- the stack ---- */

/* A stack of one page that grows when it is used further down, as the first thread's does. */
static unsigned char *stack;

static void map_stack(const struct item *item)
{
	unsigned char *hole = make_hole();

	(void)item;
	stack = mmap(hole + HOLE_BYTES - PAGE_BYTES, PAGE_BYTES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
	must("mmap", stack == MAP_FAILED ? -1 : 0);
	*stack = 1;
}

/* Makes it one page long again. */
static void shorten_stack(const struct item *item)
{
	must("munmap", munmap(stack - item->calls * PAGE_BYTES, item->calls * PAGE_BYTES));
	faults_before = minor_faults();
}

/* Moves the stack pointer down into the unmapped pages, pushing once in each, and back: the stack that the program runs
 * on is missing when the fault is taken. */
static void grow_stack(const struct item *item)
{
	unsigned char *start = stack + 8;
	unsigned long left = item->calls, saved;

	__asm__ volatile("mov %%rsp, %1\n\t"
			 "mov %2, %%rsp\n"
			 "1:\tlea -4088(%%rsp), %%rsp\n\t"
			 "push %0\n\t"
			 "dec %0\n\t"
			 "jnz 1b\n\t"
			 "mov %1, %%rsp"
			 : "+r"(left), "=&r"(saved)
			 : "r"(start)
			 : "cc", "memory");
}

static void check_stack(const struct item *item)
{
	check_faults(item);
	for (unsigned long page = 1; page <= item->calls; page++)
		expect("what was pushed", *(long *)(stack - page * PAGE_BYTES + 8), (long)(item->calls - page + 1));
}

#define FAULTS .calls = PAGES, .batches = 50

/* Clearing or copying a page is 4096 of the instructions: the emulator counts each round of `rep stosb` and `rep movsb`,
 * a byte a round. */
const struct item fault_items[] = {
	{ .name = "fault-read", .includes = "first read of a page of an anonymous mapping; no page is allocated", FAULTS,
	  .set_up = map_region, .prepare = drop_pages, .body = read_pages, .check = check_zero, .tear_down = unmap_region },
	{ .name = "fault-mmap", .includes = "first write to it; a page is allocated and cleared", FAULTS,
	  .set_up = map_region, .prepare = next_serial_and_drop, .body = write_pages, .check = check_written,
	  .tear_down = unmap_region },
	{ .name = "fault-cow", .includes = "first write to a page shared with a forked child; a page is allocated and copied",
	  FAULTS, .set_up = map_region, .prepare = share_pages, .body = write_pages, .check = check_copies,
	  .tear_down = unmap_region },
	{ .name = "fault-stack", .includes = "push onto a page below the stack, which grows; a page is allocated and cleared",
	  FAULTS, .set_up = map_stack, .prepare = shorten_stack, .body = grow_stack, .check = check_stack },
	END_OF_ITEMS
};
