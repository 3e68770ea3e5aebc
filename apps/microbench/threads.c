/* Threads: made, ended, and switched between on the one CPU. */
#include "microbench.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>

/* ---- create and join ---- */

static pthread_attr_t with_stack;
static unsigned long runs, runs_before;
/* Where the stacks are to lie. */
static unsigned char *hole;

static void prepare_stacks(const struct item *item)
{
	(void)item;
	hole = make_hole();
	expect("the result of pthread_attr_init", pthread_attr_init(&with_stack), 0);
	expect("the result of setting the size", pthread_attr_setstacksize(&with_stack, STACK_BYTES), 0);
}

static void *run(void *argument)
{
	if (in_hole(hole, __builtin_frame_address(0)))
		runs++;
	return argument;
}

static void count_runs(const struct item *item)
{
	(void)item;
	runs_before = runs;
}

static void create_and_join(const struct item *item)
{
	for (unsigned left = item->calls; left; left--) {
		pthread_t thread;
		void *back = NULL;

		expect("the result of pthread_create", pthread_create(&thread, &with_stack, run, &runs), 0);
		expect("the result of pthread_join", pthread_join(thread, &back), 0);
		expect("whether the thread returned its argument", back == &runs, 1);
	}
}

static void check_runs(const struct item *item)
{
	expect("the number of threads that ran on a stack in the hole", (long)(runs - runs_before), item->calls);
}

/* ---- switching between two threads ---- */

#define MAIN 0
#define PARTNER 1
#define ENDED 2

/* Whose turn it is. Who has it gives it away with a wake-up, and sleeps until it is back. */
static int turn;
static way_of_futex *futex;
static pthread_t partner;
static unsigned long handed_over, handed_over_before;
static long switches_before;

static void await_turn(int whose)
{
	int seen;

	while ((seen = __atomic_load_n(&turn, __ATOMIC_ACQUIRE)) != whose && seen != ENDED)
		futex(&turn, FUTEX_WAIT_PRIVATE, seen, NULL);
}

static void give_turn(int whose)
{
	__atomic_store_n(&turn, whose, __ATOMIC_RELEASE);
	futex(&turn, FUTEX_WAKE_PRIVATE, 1, NULL);
}

static void *be_partner(void *unused)
{
	(void)unused;
	for (;;) {
		await_turn(PARTNER);
		if (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) == ENDED)
			return NULL;
		handed_over++;
		give_turn(MAIN);
	}
}

static void start_partner(const struct item *item)
{
	(void)item;
	futex = (way_of_futex *)(void *)way_of(SYS_futex, 4);
	turn = MAIN;
	expect("the result of pthread_create", pthread_create(&partner, NULL, be_partner, NULL), 0);
}

static void note_switches(const struct item *item)
{
	(void)item;
	handed_over_before = handed_over;
	switches_before = switches();
}

static void hand_over_and_back(const struct item *item)
{
	for (unsigned left = item->calls / 2; left; left--) {
		give_turn(PARTNER);
		await_turn(MAIN);
	}
}

static void check_switches(const struct item *item)
{
	expect("the number of turns the partner had", (long)(handed_over - handed_over_before), item->calls / 2);
	expect_at_least("the number of switches", switches() - switches_before, item->calls);
}

static void end_partner(const struct item *item)
{
	(void)item;
	give_turn(ENDED);
	expect("the result of pthread_join", pthread_join(partner, NULL), 0);
}

const struct item thread_items[] = {
	{ .name = "thread", .includes = "pthread_create and pthread_join, with the thread's stack mapped and unmapped",
	  .calls = 8, .batches = 100, .set_up = prepare_stacks, .prepare = count_runs, .body = create_and_join,
	  .check = check_runs },
	{ .name = "switch", .includes = "from a thread to another by futex: a wake-up, a wait and a switch", .calls = 32,
	  .batches = 100, .set_up = start_partner, .prepare = note_switches, .body = hand_over_and_back,
	  .check = check_switches, .tear_down = end_partner },
	END_OF_ITEMS
};
