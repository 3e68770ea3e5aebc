/* Waiting for readiness, interrupts and signals, within one thread. */
#include "microbench.h"

#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* ---- epoll ---- */

static int queue, event;
static uint64_t sum;
static unsigned ready;

static void watch_event(const struct item *item)
{
	struct epoll_event interest = { .events = EPOLLIN, .data.u64 = (uint64_t)(uintptr_t)item };

	event = (int)must("eventfd", eventfd(0, EFD_NONBLOCK));
	queue = (int)must("epoll_create1", epoll_create1(0));
	must("epoll_ctl", epoll_ctl(queue, EPOLL_CTL_ADD, event, &interest));
}

static void start_sum(const struct item *item)
{
	(void)item;
	sum = 0;
	ready = 0;
}

static void write_wait_read(const struct item *item)
{
	for (unsigned left = item->calls; left; left--) {
		struct epoll_event seen = { 0 };
		uint64_t value = left, back = 0;

		write(event, &value, sizeof value);
		ready += epoll_wait(queue, &seen, 1, -1) == 1 && seen.data.u64 == (uint64_t)(uintptr_t)item;
		if (read(event, &back, sizeof back) == sizeof back)
			sum += back;
	}
}

static void check_sum(const struct item *item)
{
	struct epoll_event seen;

	expect("the number of events", ready, item->calls);
	expect("the sum of what was read", (long)sum, (long)item->calls * (item->calls + 1) / 2);
	expect("the number of events when all is read", epoll_wait(queue, &seen, 1, 0), 0);
}

static void close_event(const struct item *item)
{
	(void)item;
	close(queue);
	close(event);
}

/* ---- interrupts ---- */

/* The timer expires when the kernel has long begun with the random bytes, and long before it has made them all. */
#define EXPIRY_NS 5000
static int timer;
static unsigned char random_bytes[PAGE_BYTES];
static uint64_t expiries;

static void make_timer(const struct item *item)
{
	(void)item;
	timer = (int)must("timerfd_create", timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
}

static void start_expiries(const struct item *item)
{
	(void)item;
	expiries = 0;
}

static void interrupt_a_call(const struct item *item)
{
	struct itimerspec once = { .it_value.tv_nsec = EXPIRY_NS };

	for (unsigned left = item->calls; left; left--) {
		uint64_t count = 0;

		timerfd_settime(timer, 0, &once, NULL);
		getrandom(random_bytes, sizeof random_bytes, 0);
		read(timer, &count, sizeof count);
		expiries += count;
	}
}

static void check_expiries(const struct item *item)
{
	expect("the number of expiries", (long)expiries, item->calls);
}

static void close_timer(const struct item *item)
{
	(void)item;
	close(timer);
}

/* ---- signals ---- */

static volatile unsigned delivered;
static volatile int last_sender;
static pid_t self;

static void count_delivery(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	delivered++;
	last_sender = info->si_pid;
}

static void handle(const struct item *item)
{
	struct sigaction action = { .sa_sigaction = count_delivery, .sa_flags = SA_SIGINFO };

	(void)item;
	self = getpid();
	must("sigaction", sigaction(SIGUSR1, &action, NULL));
}

static void start_deliveries(const struct item *item)
{
	(void)item;
	delivered = 0;
	last_sender = 0;
}

static void kill_self(const struct item *item)
{
	for (unsigned left = item->calls; left; left--)
		kill(self, SIGUSR1);
}

static void check_deliveries(const struct item *item)
{
	expect("the number of handler calls", delivered, item->calls);
	expect("the sender that the handler saw", last_sender, self);
}

static void stop_handling(const struct item *item)
{
	(void)item;
	signal(SIGUSR1, SIG_DFL);
}

const struct item event_items[] = {
	{ .name = "epoll-roundtrip", .includes = "a write to an eventfd, the epoll_wait that reports it, the read",
	  .calls = 16, .batches = 200, .set_up = watch_event, .prepare = start_sum, .body = write_wait_read, .check = check_sum,
	  .tear_down = close_event },
	{ .name = "interrupt", .includes = "a timer set, 4096 random bytes, during which it interrupts the kernel, and its read",
	  .calls = 4, .batches = 200, .set_up = make_timer, .prepare = start_expiries, .body = interrupt_a_call,
	  .check = check_expiries, .tear_down = close_timer },
	{ .name = "signal", .includes = "a signal to oneself: kill, the handler, the return from it", .calls = 16,
	  .batches = 200, .set_up = handle, .prepare = start_deliveries, .body = kill_self, .check = check_deliveries,
	  .tear_down = stop_handling },
	END_OF_ITEMS
};
