/* Instructions per system call, page fault, process, thread, switch and signal, in a form that compares ring 0 with an
 * ordinary process.
 *
 *     microbench [--slow N] [NAME...]    counts every item, or those named
 *     microbench --list                  names the items and says what one operation of each takes in
 *
 * Output: `level NAME`, `calibration instructions=N ticks=N`, then per item
 * `count name=getppid min=N median=N unit=instructions`, per operation, the loop around it included.
 */
#include "microbench.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern const char *self_path;
extern int exec_probe(const char *want_level);

static const struct item *const tables[] = {
	call_items, socket_items, fault_items, process_items, thread_items, event_items,
};

#define TABLES (sizeof tables / sizeof tables[0])

static int list(void)
{
	for (size_t table = 0; table < TABLES; table++)
		for (const struct item *item = tables[table]; item->name; item++)
			printf("%-20s %s\n", item->name, item->includes);
	return 0;
}

static int named(const struct item *item, char **names)
{
	for (; *names; names++)
		if (strcmp(item->name, *names) == 0)
			return 1;
	return 0;
}

/* The first name that no item has, or NULL. */
static const char *unknown(char **names)
{
	for (; *names; names++) {
		int found = 0;

		for (size_t table = 0; table < TABLES; table++)
			for (const struct item *item = tables[table]; item->name; item++)
				found |= strcmp(item->name, *names) == 0;
		if (!found)
			return *names;
	}
	return NULL;
}

/* One CPU, and the policy with which somebody woken up waits until the CPU is given up: hand-overs between threads and
 * processes then are the same sequence each time. Both are inherited. */
static void settle_scheduling(void)
{
	struct sched_param none = { 0 };
	cpu_set_t first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	must("sched_setaffinity", sched_setaffinity(0, sizeof first, &first));
	/* By number: the C library refuses to set the policy of a process. */
	must("sched_setscheduler", syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &none));
}

/* In a process of its own, so that what one item leaves behind (a grown stack, touched mappings) is not part of the
 * figures of another. Returns whether all was as expected. */
static int measure_apart(const struct item *item)
{
	int status;
	pid_t child = (pid_t)must("fork", fork());

	if (child == 0) {
		measure(item);
		exit(0);
	}
	must("waitpid", waitpid(child, &status, 0));
	if (WIFSIGNALED(status))
		printf("microbench: %s: ended by signal %d\n", item->name, WTERMSIG(status));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
	char **names = argv + 1;
	const char *stranger;

	self_path = argv[0];
	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return list();
	if (argc == 3 && strcmp(argv[1], "--exec-probe") == 0)
		return exec_probe(argv[2]);
	if (argc >= 3 && strcmp(argv[1], "--slow") == 0) {
		char *end;
		unsigned long instructions = strtoul(argv[2], &end, 10);

		if (*end || !*argv[2]) {
			fprintf(stderr, "microbench: `--slow %s`: expected a number of instructions\n", argv[2]);
			return 2;
		}
		slow_down_by(instructions);
		names = argv + 3;
	}
	stranger = unknown(names);
	if (stranger) {
		fprintf(stderr, "microbench: no item is called `%s`; `microbench --list` names them\n", stranger);
		return 2;
	}
	settle_scheduling();
	printf("level %s\n", level());
	calibrate();
	/* Else each child would print it once more. */
	fflush(stdout);
	for (size_t table = 0; table < TABLES; table++)
		for (const struct item *item = tables[table]; item->name; item++)
			if ((!*names || named(item, names)) && !measure_apart(item))
				return 1;
	return 0;
}
