/* What this program does when a test executes it again as `behaviour helper NAME ...`. */
#include "behaviour.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ukl.h>
#include <unistd.h>

extern char **environ;

/* Initialised data large enough to cover several pages, bss and thread-local data: each must be pristine in a new
 * execution whatever the previous one, or a concurrent one, wrote there. */
#define WORDS 4096
static unsigned table[WORDS] = { [0] = 11, [1] = 22, [WORDS / 2] = 33, [WORDS - 1] = 44 };
static unsigned zeroes[WORDS];
static _Thread_local unsigned local = 55;
static _Thread_local unsigned local_zero;

static unsigned long sum(const unsigned *words)
{
	unsigned long total = 0;

	for (size_t i = 0; i < WORDS; i++)
		total += words[i];
	return total;
}

/* Prints data sum, bss sum, initialised and zeroed thread-local: "110 0 55 0" when pristine. */
void print_initial(void)
{
	printf("%lu %lu %u %u\n", sum(table), sum(zeroes), local, local_zero);
	fflush(stdout);
}

void spoil_globals(unsigned value)
{
	for (size_t i = 0; i < WORDS; i++)
		table[i] = zeroes[i] = value;
	local = local_zero = value;
}

static int print_arguments(int argc, char **argv)
{
	printf("%d", argc);
	for (int i = 0; i < argc; i++)
		printf("|%s", argv[i]);
	const char *colour = getenv("BEHAVIOUR_COLOUR");
	int variables = 0;
	while (environ[variables])
		variables++;
	printf("|%s|%d\n", colour ? colour : "unset", variables);
	return 0;
}

/* Says what it found, spoils everything with its value, waits for a byte, and says whether the value is still there. */
static int hold(unsigned value)
{
	print_initial();
	spoil_globals(value);
	await_byte(0);
	printf("%lu %lu %u %u\n", sum(table) / WORDS, sum(zeroes) / WORDS, local, local_zero);
	return 0;
}

int run_helper_body(int argc, char **argv)
{
	if (strcmp(argv[0], "arguments") == 0)
		return print_arguments(argc - 1, argv + 1);
	if (strcmp(argv[0], "initial") == 0) {
		print_initial();
		spoil_globals(9);
		return 0;
	}
	if (strcmp(argv[0], "exit") == 0 && argc == 2)
		return atoi(argv[1]);
	if (strcmp(argv[0], "show-paths") == 0) {
		printf("%d %d\n", ukl_get_path(SYS_getpid), ukl_get_path(SYS_read));
		return 0;
	}
	if (strcmp(argv[0], "hold") == 0 && argc == 2)
		return hold((unsigned)atoi(argv[1]));
	if (strcmp(argv[0], "spoil-and-exec") == 0) {
		const char *const again[] = { self_path, "helper", "initial", NULL };
		spoil_globals(7);
		execv(self_path, (char *const *)again);
		return 126;
	}
	if (strcmp(argv[0], "storm") == 0 && argc == 3)
		return storm_instance(atoi(argv[1]), atol(argv[2]));
	fprintf(stderr, "behaviour: no helper is called `%s`\n", argv[0]);
	return 2;
}
