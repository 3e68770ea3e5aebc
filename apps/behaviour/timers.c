/* Time: sleeping, interval timers, clocks. */
#include "behaviour.h"

#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t alarms;

static void on_alarm(int signal)
{
	(void)signal;
	alarms++;
}

static void handle(int signal, int flags)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = flags };

	must("sigaction", sigaction(signal, &action, NULL));
}

static void sleep_long_enough(void)
{
	struct timespec wanted = { 0, 50 * 1000000 }, until;

	long start = now_ms();
	expect_long("nanosleep", nanosleep(&wanted, NULL), 0);
	expect_between("milliseconds slept for 50", now_ms() - start, 49, 2000);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += 50 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	start = now_ms();
	expect_long("clock_nanosleep to an absolute time", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0);
	expect_between("milliseconds slept for 50", now_ms() - start, 49, 2000);
	struct timespec bad = { 0, 1000000000 };
	errno = 0;
	expect_long("nanosleep of 1000000000 ns", nanosleep(&bad, NULL), -1);
	expect_long("its errno", errno, EINVAL);
}

static void remaining_time(void)
{
	struct timespec wanted = { 5, 0 }, left = { 0, 0 };
	struct itimerval soon = { { 0, 0 }, { 0, 50000 } };

	handle(SIGALRM, 0);
	setitimer(ITIMER_REAL, &soon, NULL);
	errno = 0;
	expect_long("nanosleep of 5 s with a signal after 50 ms", nanosleep(&wanted, &left), -1);
	expect_long("its errno", errno, EINTR);
	expect_between("milliseconds left", left.tv_sec * 1000 + left.tv_nsec / 1000000, 2500, 4960);
}

static void interval_timer(void)
{
	struct itimerval every = { { 0, 10000 }, { 0, 10000 } }, now;
	long end = now_ms() + 250;

	handle(SIGALRM, SA_RESTART);
	setitimer(ITIMER_REAL, &every, NULL);
	while (now_ms() < end)
		for (volatile int i = 0; i < 10000; i++)
			;
	getitimer(ITIMER_REAL, &now);
	expect_between("SIGALRM in 250 ms at 10 ms, under load", alarms, 3, 60);
	expect_between("microseconds to the next", now.it_value.tv_usec, 0, 10000);
	every.it_value.tv_usec = every.it_interval.tv_usec = 0;
	setitimer(ITIMER_REAL, &every, NULL);
	int stopped = alarms;
	sleep_ms(30);
	expect_long("SIGALRM after disarming", alarms - stopped, 0);
}

/* Counts CPU time in application text, so it depends on the accounting of user time. */
static void virtual_timer(void)
{
	struct itimerval every = { { 0, 10000 }, { 0, 10000 } };

	handle(SIGVTALRM, SA_RESTART);
	setitimer(ITIMER_VIRTUAL, &every, NULL);
	spin_ms(300);
	expect_between("SIGVTALRM in 300 ms of user time at 10 ms", alarms, 5, 60);
}

static void alarm_interrupts_pause(void)
{
	handle(SIGALRM, 0);
	alarm(1);
	errno = 0;
	expect_long("pause", pause(), -1);
	expect_long("its errno", errno, EINTR);
	expect_long("handlers", alarms, 1);
}

static void clocks(void)
{
	const clockid_t ids[] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME };
	struct timespec before, after;
	long backwards = 0, rtc_backwards = 0;

	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		must("clock_gettime", clock_gettime(ids[i], &before));
		for (int n = 0; n < 1000; n++) {
			clock_gettime(ids[i], &after);
			if (after.tv_sec < before.tv_sec || (after.tv_sec == before.tv_sec && after.tv_nsec < before.tv_nsec))
				backwards++;
			before = after;
		}
	}
	expect_long("times four clocks went backwards in 1000 readings each", backwards, 0);
	struct timeval wall;
	must("gettimeofday", gettimeofday(&wall, NULL));
	clock_gettime(CLOCK_REALTIME, &after);
	expect_between("microseconds between gettimeofday and CLOCK_REALTIME",
		       (after.tv_sec - wall.tv_sec) * 1000000 + after.tv_nsec / 1000 - wall.tv_usec, 0, 1000000);
	expect_between("seconds between time() and CLOCK_REALTIME", (long)after.tv_sec - (long)time(NULL), -2, 1);
	unsigned long previous = __builtin_ia32_rdtsc();
	for (int n = 0; n < 1000; n++) {
		unsigned long now = __builtin_ia32_rdtsc();
		rtc_backwards += now < previous;
		previous = now;
	}
	expect_long("times the cycle counter went backwards in 1000 readings", rtc_backwards, 0);
}

static void timer_descriptor(void)
{
	struct itimerspec every = { { 0, 10000000 }, { 0, 10000000 } };
	unsigned long long expired = 0;

	int fd = (int)must("timerfd_create", timerfd_create(CLOCK_MONOTONIC, 0));
	must("timerfd_settime", timerfd_settime(fd, 0, &every, NULL));
	sleep_ms(55);
	expect_long("bytes read", read(fd, &expired, sizeof expired), 8);
	expect_between("expirations in 55 ms at 10 ms", (long)expired, 5, 200);
}

static void posix_timer(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec once = { { 0, 0 }, { 0, 20000000 } };
	timer_t timer;

	handle(SIGUSR1, 0);
	must("timer_create", timer_create(CLOCK_MONOTONIC, &event, &timer));
	must("timer_settime", timer_settime(timer, 0, &once, NULL));
	while (!alarms)
		sleep_ms(5);
	expect_long("signals from the timer", alarms, 1);
	expect_long("timer_delete", timer_delete(timer), 0);
}

const struct test timer_tests[] = {
	{ "nanosleep", sleep_long_enough },
	{ "nanosleep-remaining", remaining_time },
	{ "itimer-real", interval_timer },
	{ "itimer-virtual", virtual_timer },
	{ "sigalrm", alarm_interrupts_pause },
	{ "clocks", clocks },
	{ "timerfd", timer_descriptor },
	{ "posix-timer", posix_timer },
	END_OF_TESTS
};
