/* Everything at once: two instances, each with signals, threads that map and unmap, and forks. */
#include "behaviour.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t signals;
static volatile int stopping;
static long maps, wrong;
static pthread_t main_thread;
static unsigned pattern[1024] = { 1 };

static void on_signal(int signal)
{
	volatile char scratch[256];

	memset((void *)scratch, signal, sizeof scratch);
	signals++;
}

static void *churn(void *argument)
{
	int seed = (int)(long)argument;
	const size_t size = 64 << 10;

	while (!stopping) {
		unsigned char *start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (start == MAP_FAILED) {
			__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
			break;
		}
		for (size_t i = 0; i < size; i += 4096)
			start[i] = (unsigned char)(seed + (int)(i >> 12));
		mprotect(start, size / 2, PROT_READ);
		for (size_t i = 0; i < size; i += 4096)
			if (start[i] != (unsigned char)(seed + (int)(i >> 12)))
				__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
		munmap(start, size);
		maps++;
	}
	return NULL;
}

static void *nag(void *unused)
{
	while (!stopping) {
		pthread_kill(main_thread, SIGUSR1);
		sleep_ms(1);
	}
	return unused;
}

static void fork_once(int seed)
{
	pid_t child = fork();

	if (child == 0) {
		for (int i = 0; i < 1024; i++)
			if (pattern[i] != (unsigned)(seed + i))
				_exit(255);
		pattern[0] = 0;
		_exit(seed);
	}
	int status = child > 0 ? reap(child) : -1;
	if (child < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != seed || pattern[0] != (unsigned)seed)
		__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
}

/* The least that an instance has to have made, for its comparisons to say something. */
#define STORM_FORKS 3

int storm_instance(int seed, long duration_ms)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct itimerval every = { { 0, 2000 }, { 0, 2000 } };
	pthread_t threads[3];
	long start = now_ms(), forks = 0;
	long end = start + duration_ms, latest = start + duration_ms * patience();

	for (int i = 0; i < 1024; i++)
		pattern[i] = (unsigned)(seed + i);
	main_thread = pthread_self();
	sigaction(SIGALRM, &action, NULL);
	sigaction(SIGPROF, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	setitimer(ITIMER_PROF, &every, NULL);
	pthread_create(&threads[0], NULL, churn, (void *)(long)seed);
	pthread_create(&threads[1], NULL, churn, (void *)(long)(seed + 100));
	pthread_create(&threads[2], NULL, nag, NULL);
	/* A slow machine gets as much longer as it needs for as many forks as storm() expects. */
	while (now_ms() < end || (forks < STORM_FORKS && now_ms() < latest)) {
		fork_once(seed);
		forks++;
	}
	stopping = 1;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	printf("%ld %ld %ld %ld\n", wrong, (long)signals, forks, maps);
	return 0;
}

static void storm(void)
{
	const char *const seeds[2] = { "21", "63" };
	pid_t pids[2];
	int out[2];

	for (int i = 0; i < 2; i++) {
		const char *const args[] = { "storm", seeds[i], "2000", NULL };
		pids[i] = start_helper(args, NULL, &out[i]);
	}
	for (int i = 0; i < 2; i++) {
		long mismatches = -1, seen = 0, forks = 0, mappings = 0;
		char text[128];

		read_all(out[i], text, sizeof text);
		expect_exit("instance", reap(pids[i]), 0);
		expect_long("numbers it reported", sscanf(text, "%ld %ld %ld %ld", &mismatches, &seen, &forks, &mappings), 4);
		expect_long("mismatches", mismatches, 0);
		expect_at_least("signals", seen, 20);
		expect_at_least("forks", forks, STORM_FORKS);
		expect_at_least("mappings", mappings, 3);
	}
}

const struct test storm_tests[] = {
	{ "signal-storm", storm },
	END_OF_TESTS
};
