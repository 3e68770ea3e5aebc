/* Makes random system calls, the same for the same seed, and says what became of them.
 *
 *     fuzz run SEED FIRST COUNT      a line for each batch: its number, calls, hash, and how its process ended
 *     fuzz show SEED BATCH           a line for each call of one batch: number, errno, arguments, memory
 *
 * A batch is a process of its own with files and memory of its own, so that it depends on nothing before it.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A batch that waits this long waits for something that will not come. */
#define DEADLINE_MS 2000
/* One that computes does not wait: on a busy host, or a kernel that checks itself, it is only slow. Up to this many times. */
#define MAX_DEADLINES 60

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
	(void)status;
	(void)kind;
	(void)place;
	/* A batch may have taken every right away. What cannot be removed is seen where the next one makes it. */
	chmod(path, 0700);
	remove(path);
	return 0;
}

/* The CPU time of a process, in milliseconds; 0 when it has ended. */
static long long cpu_ms(pid_t process)
{
	struct timespec time;
	clockid_t clock;

	if (clock_getcpuclockid(process, &clock) || clock_gettime(clock, &time))
		return 0;
	return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

/* Waits until the batch whose pidfd is @end has ended; returns 0 if it does nothing but wait. */
static int has_ended(pid_t child, int end)
{
	struct pollfd wait = { .fd = end, .events = POLLIN };
	long long before = 0;

	for (int i = 0; i < MAX_DEADLINES; i++) {
		if (poll(&wait, 1, DEADLINE_MS) != 0)
			return 1;
		long long now = cpu_ms(child);
		if (now - before < DEADLINE_MS / 10)
			return 0;
		before = now;
	}
	return 0;
}

/* Runs a batch in a child; returns its wait status, or -1 if it had to be killed. */
static int run_batch(uint64_t seed, uint64_t number, int shown, struct record *record)
{
	char folder[] = "/tmp/fuzz";
	int status = 0, late;

	memset(record, 0, offsetof(struct record, outcomes));
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	mkdir(folder, 0777);
	fflush(stdout);
	pid_t child = fork();
	if (child < 0) {
		perror("fuzz: fork");
		exit(1);
	}
	if (child == 0) {
		/* No batch reaches its parent's terminal, group or controlling process. */
		setsid();
		if (chdir(folder))
			_exit(126);
		batch(seed, number, shown, record);
	}
	int end = (int)syscall(SYS_pidfd_open, child, 0);
	late = !has_ended(child, end);
	if (late)
		kill(child, SIGKILL);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	close(end);
	return late ? -1 : status;
}

static void show(const struct record *record)
{
	for (uint32_t at = 0; at < record->calls; at++) {
		const struct outcome *outcome = &record->outcomes[at];
		printf("%u %u", outcome->number, outcome->error);
		for (int i = 0; i < ARGUMENTS; i++)
			printf(" %llx", (unsigned long long)outcome->arguments[i]);
		printf(" memory %llx\n", (unsigned long long)outcome->memory);
	}
}

int main(int argc, char **argv)
{
	int verbose = argc == 4 && strcmp(argv[1], "show") == 0;

	if (!verbose && !(argc == 5 && strcmp(argv[1], "run") == 0)) {
		fprintf(stderr, "usage: fuzz run SEED FIRST COUNT | fuzz show SEED BATCH\n");
		return 2;
	}
	uint64_t seed = strtoull(argv[2], NULL, 10), first = strtoull(argv[3], NULL, 10);
	uint64_t count = verbose ? 1 : strtoull(argv[4], NULL, 10);
	struct record *record =
		mmap(NULL, sizeof *record, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (record == MAP_FAILED) {
		perror("fuzz: mmap");
		return 1;
	}
	for (uint64_t number = first; number < first + count; number++) {
		int status = run_batch(seed, number, verbose, record);
		if (verbose)
			show(record);
		printf("batch %llu calls %u last %u hash %016llx end %x leaks %u %llx\n", (unsigned long long)number,
		       record->calls, record->calls ? record->outcomes[record->calls - 1].number : 0,
		       (unsigned long long)record->hash, (unsigned)status & 0xffff, record->leaks,
		       (unsigned long long)record->leaked);
	}
	return 0;
}
