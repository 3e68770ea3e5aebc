/* Ticks of the cycle counter per operation.
 *
 * Under `qemu -icount shift=0,sleep=off` one tick is one executed instruction; the calibration line shows whether that
 * holds. Then `unit=instructions`, else `unit=ticks`. What executes on this CPU while the body runs is counted, whoever
 * it is for: interrupts (the timer's every 4 ms, 4,000,000 instructions), the other side of a connection, a child. The
 * median drops the batches that an interrupt happened to hit; only where a batch is longer than the time between two
 * are they part of each. What reading the counter and calling an empty body takes is measured first and subtracted.
 */
#include "microbench.h"

#include <stdio.h>
#include <stdlib.h>

#define CALIBRATION_ROUNDS 5000
/* Enough to have every page, cache and code path warm before the first measured batch; a tenth of the measured ones
 * where these are few and long. */
#define WARM_BATCHES 20

static const char *unit = "ticks";
static unsigned long slow_instructions;
static unsigned long empty_ticks;

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

/* Executes two instructions a round. */
static inline void spin(unsigned long rounds)
{
	__asm__ volatile("1:\tdec %0\n\tjnz 1b" : "+r"(rounds) : : "cc");
}

static __attribute__((noinline)) unsigned long batch(const struct item *item)
{
	unsigned long start = ticks(), rounds;

	item->body(item);
	rounds = slow_instructions * item->calls / 2;
	if (rounds)
		spin(rounds);
	return ticks() - start;
}

static void do_nothing(const struct item *item)
{
	(void)item;
}

void slow_down_by(unsigned long instructions)
{
	slow_instructions = instructions;
}

void calibrate(void)
{
	static const struct item nothing = { .name = "nothing", .body = do_nothing };
	unsigned long took[9], empty[9];

	for (int i = 0; i < 9; i++) {
		unsigned long start = ticks();
		spin(CALIBRATION_ROUNDS);
		took[i] = ticks() - start;
		empty[i] = batch(&nothing);
	}
	/* The median, so that a timer interrupt in one does not count. */
	qsort(took, 9, sizeof took[0], ascending);
	qsort(empty, 9, sizeof empty[0], ascending);
	if (took[4] >= 2 * CALIBRATION_ROUNDS && took[4] < 2 * CALIBRATION_ROUNDS + 20)
		unit = "instructions";
	empty_ticks = empty[4];
	printf("calibration instructions=%d ticks=%lu\n", 2 * CALIBRATION_ROUNDS, took[4]);
}

static unsigned long one_batch(const struct item *item)
{
	unsigned long took;

	if (item->prepare)
		item->prepare(item);
	took = batch(item);
	if (item->check)
		item->check(item);
	return took > empty_ticks ? took - empty_ticks : 0;
}

void measure(const struct item *item)
{
	static unsigned long seen[MAX_BATCHES];
	unsigned warm = item->batches / 10 < WARM_BATCHES ? item->batches / 10 : WARM_BATCHES;

	measured_name = item->name;
	expect_at_least("the room for batches", MAX_BATCHES, item->batches);
	if (item->set_up)
		item->set_up(item);
	for (unsigned i = 0; i < warm + 2; i++)
		one_batch(item);
	for (unsigned i = 0; i < item->batches; i++)
		seen[i] = one_batch(item);
	if (item->tear_down)
		item->tear_down(item);
	qsort(seen, item->batches, sizeof seen[0], ascending);
	printf("count name=%s min=%lu median=%lu unit=%s\n", item->name, (seen[0] + item->calls / 2) / item->calls,
	       (seen[item->batches / 2] + item->calls / 2) / item->calls, unit);
	fflush(stdout);
}
