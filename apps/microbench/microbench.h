/* What the files of the benchmark share: the item, how one is checked, and the level's ways into the kernel. */
#ifndef MICROBENCH_H
#define MICROBENCH_H

#include <stddef.h>

/* One thing that is counted. A batch is prepare, body, check; only the body is counted.
 *
 * Every item proves in `check` (or in the body, where that costs nothing that differs) that the operation did what its
 * name says; a level that is fast because it does less ends the program with status 1. */
struct item {
	const char *name;
	/* What one operation takes in; `--list` prints it. */
	const char *includes;
	/* Operations in one call of the body. */
	unsigned calls;
	/* Measured batches; as many as an odd timer interrupt cannot move the median of. */
	unsigned batches;
	/* Bytes an operation moves, where items differ in nothing else. */
	size_t size_bytes;
	/* Each may be NULL but the body. */
	void (*set_up)(const struct item *item);
	void (*prepare)(const struct item *item);
	void (*body)(const struct item *item);
	void (*check)(const struct item *item);
	void (*tear_down)(const struct item *item);
};

/* Ends each file's table of items. */
#define END_OF_ITEMS { .name = NULL }

#define MAX_BATCHES 1000
#define PAGE_BYTES 4096UL
/* What one page of page-table entries leads to. */
#define TABLE_BYTES (512 * PAGE_BYTES)
/* The largest message or buffer of any item. */
#define MAX_SIZE_BYTES 8192

extern const struct item call_items[], socket_items[], fault_items[], process_items[], thread_items[], event_items[];

/* ---- measure.c ---- */
/* Compares ticks with instructions, prints the calibration line, and decides on the unit. */
void calibrate(void);
/* Adds this many instructions to every counted operation: the negative control of whoever compares counts. */
void slow_down_by(unsigned long instructions);
/* Runs an item and prints its line. */
void measure(const struct item *item);

/* ---- expect.c ---- */
/* The item whose name a failed expectation shows. */
extern const char *measured_name;
/* A failed expectation prints `microbench: NAME: WHAT is GOT, expected WANT` and ends the program with status 1. */
void expect(const char *what, long got, long want);
void expect_at_least(const char *what, long got, long least);
/* A call that must not return a negative result; the failure names errno. Returns the result. */
long must(const char *what, long result);
/* Faults that needed no disk, and how often one of the threads gave up the CPU or lost it, since the start. */
long minor_faults(void);
long switches(void);
/* Waits for a child and expects this exit status. */
void reap(int pid, int want_status);

/* ---- hole.c ---- */
#define HOLE_BYTES (TABLE_BYTES - PAGE_BYTES)
/* A thread's stack: what musl gives one by default. */
#define STACK_BYTES (32 * PAGE_BYTES)
/* Addresses with nothing mapped, where the next mapping of a stack's size will be. One page of page-table entries
 * covers them and the page behind them, which is mapped and has been touched. */
unsigned char *make_hole(void);
int in_hole(const unsigned char *hole, const void *address);

/* ---- way.c ---- */
/* A system call by the shortest way the level has. Arguments that the call does not have are not looked at; a call with
 * none or four is made through a type of its own. */
typedef long way(long, void *, long);
typedef long way_without_arguments(void);
typedef long way_of_futex(int *, long, long, void *);
way *way_of(int number, int arguments);
/* "linux" for an ordinary process, else the name of the UKL level. */
const char *level(void);

#endif
