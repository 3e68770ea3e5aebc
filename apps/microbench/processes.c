/* Processes: made, ended, and switched between on the one CPU. */
#include "microbench.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Exit statuses that nothing but our own code produces. */
#define FORKED 7
#define EXECUTED 9
#define ECHO_ENDED 11

/* argv[0], by which this program can be executed again: the ELF file, or the stub of the linked-in program. */
const char *self_path;

static int child;

/* ---- fork, exit, wait ---- */

/* Shared with the child, which writes its process number there. */
static volatile pid_t *shared;

static void map_shared(const struct item *item)
{
	void *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)item;
	must("mmap", page == MAP_FAILED ? -1 : 0);
	shared = page;
}

static void unmap_shared(const struct item *item)
{
	(void)item;
	munmap((void *)shared, PAGE_BYTES);
}

static void fork_and_wait(const struct item *item)
{
	(void)item;
	child = fork();
	if (child == 0) {
		*shared = getpid();
		_exit(FORKED);
	}
	reap(child, FORKED);
}

static void check_forked(const struct item *item)
{
	(void)item;
	expect("the process number the child wrote down", *shared, child);
}

static void fork_execute_and_wait(const struct item *item)
{
	(void)item;
	child = fork();
	if (child == 0) {
		execlp(self_path, "microbench", "--exec-probe", level(), (char *)NULL);
		_exit(127);
	}
	reap(child, EXECUTED);
}

/* What `microbench --exec-probe LEVEL` does: it says by its exit status that it runs at that level too. */
int exec_probe(const char *want_level)
{
	return strcmp(level(), want_level) == 0 ? EXECUTED : 1;
}

/* ---- a byte to another process and back ---- */

static int to_child[2], from_child[2];
static unsigned char sent, wrong;
static long switches_before;

static void echo(void)
{
	unsigned char byte;

	close(to_child[1]);
	close(from_child[0]);
	while (read(to_child[0], &byte, 1) == 1) {
		byte = (unsigned char)(byte + 1);
		if (write(from_child[1], &byte, 1) != 1)
			_exit(1);
	}
	_exit(ECHO_ENDED);
}

static void start_echo(const struct item *item)
{
	(void)item;
	must("pipe", pipe(to_child));
	must("pipe", pipe(from_child));
	child = (int)must("fork", fork());
	if (child == 0)
		echo();
	close(to_child[0]);
	close(from_child[1]);
}

static void note_switches(const struct item *item)
{
	(void)item;
	switches_before = switches();
}

static void send_and_get_back(const struct item *item)
{
	for (unsigned left = item->calls; left; left--) {
		unsigned char back = 0;

		sent++;
		wrong |= write(to_child[1], &sent, 1) != 1 || read(from_child[0], &back, 1) != 1;
		wrong |= (unsigned char)(sent + 1) != back;
	}
}

static void check_echo(const struct item *item)
{
	expect("whether an echo was wrong", wrong, 0);
	expect_at_least("the number of switches", switches() - switches_before, item->calls);
}

static void end_echo(const struct item *item)
{
	(void)item;
	close(to_child[1]);
	reap(child, ECHO_ENDED);
	close(from_child[0]);
}

const struct item process_items[] = {
	{ .name = "fork", .includes = "fork, exit of the child, wait; with the child's and the parent's copying of pages",
	  .calls = 1, .batches = 200, .set_up = map_shared, .body = fork_and_wait, .check = check_forked,
	  .tear_down = unmap_shared },
	{ .name = "fork-exec", .includes = "fork, exec of this program, which starts and exits at once, wait", .calls = 1,
	  .batches = 50, .body = fork_execute_and_wait },
	{ .name = "pipe-roundtrip", .includes = "a byte to another process and back: on each side a write and a read that waits",
	  .calls = 16, .batches = 100, .set_up = start_echo, .prepare = note_switches,
	  .body = send_and_get_back, .check = check_echo, .tear_down = end_echo },
	END_OF_ITEMS
};
