/* Time for tests: elapsed milliseconds, sleeping, and burning CPU time in application text. */
#include "behaviour.h"

#include <errno.h>
#include <time.h>

long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void sleep_ms(long ms)
{
	struct timespec left = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

void spin_ms(long ms)
{
	struct timespec now;
	long end = 0;

	for (;;) {
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
		long used = now.tv_sec * 1000 + now.tv_nsec / 1000000;
		if (!end)
			end = used + ms;
		if (used >= end)
			return;
		/* Long enough that the clock call itself is noise, short enough for 100 MIPS. */
		for (volatile long i = 0; i < 50000; i++)
			;
	}
}
