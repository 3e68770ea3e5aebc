/* A program as such: its arguments, its end, its data, its copies. */
#include "behaviour.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

#define PRISTINE "110 0 55 0"

static void ring(void)
{
	int ukl = strcmp(level(), "linux") != 0;

	expect_long("privilege level of the code segment", in_ring0() ? 0 : 3, ukl ? 0 : 3);
	expect_long("text in the upper half", (long)(void *)ring < 0, ukl);
	static int data = 1;
	int stack = 1;
	expect_long("data in the lower half", (long)&data > 0, 1);
	expect_long("stack in the lower half", (long)&stack > 0, 1);
	expect_long("both usable", data + stack, 2);
}

static void argv_envp(void)
{
	char text[512], big[256];

	memset(big, 'b', sizeof big - 1);
	big[sizeof big - 1] = 0;
	const char *const argv[] = { self_path, "helper", "arguments", "one", "", "three words here", big, NULL };
	const char *const envp[] = { "BEHAVIOUR_COLOUR=green", "PATH=/bin:/usr/bin", NULL };
	int out[2];
	must("pipe", pipe(out));
	pid_t pid = fork();
	if (pid == 0) {
		dup2(out[1], 1);
		close(out[0]);
		close(out[1]);
		execve(self_path, (char *const *)argv, (char *const *)envp);
		_exit(126);
	}
	close(out[1]);
	read_all(out[0], text, sizeof text);
	char want[512];
	snprintf(want, sizeof want, "4|one||three words here|%s|green|2", big);
	expect_text("argument count, arguments, BEHAVIOUR_COLOUR and number of variables", text, want);
	expect_exit("the execution", reap(pid), 0);
}

static void exit_status(void)
{
	const int codes[] = { 0, 1, 42, 255 };
	char number[8];

	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
		snprintf(number, sizeof number, "%d", codes[i]);
		const char *const args[] = { "exit", number, NULL };
		char text[8];
		expect_exit("an execution that returns from main", run_helper(args, text, sizeof text), codes[i]);
	}
}

static void run_twice(void)
{
	const char *const args[] = { "initial", NULL };
	char first[64], second[64];

	int status = run_helper(args, first, sizeof first);
	expect_exit("first run", status, 0);
	expect_text("sums of data, bss and two thread-locals in the first run", first, PRISTINE);
	status = run_helper(args, second, sizeof second);
	expect_exit("second run", status, 0);
	expect_text("the same in the second run", second, first);
}

static void read_line(int fd, char *text, size_t size)
{
	size_t used = 0;

	while (used < size - 1 && read(fd, text + used, 1) == 1 && text[used] != '\n')
		used++;
	text[used] = 0;
}

static void two_at_once(void)
{
	const char *const values[2] = { "1001", "2002" };
	const char *const wants[2] = { "1001 1001 1001 1001", "2002 2002 2002 2002" };
	int in[2], out[2];
	pid_t pid[2];
	char text[64];

	for (int i = 0; i < 2; i++) {
		const char *const args[] = { "hold", values[i], NULL };
		pid[i] = start_helper(args, &in[i], &out[i]);
	}
	for (int i = 0; i < 2; i++) {
		read_line(out[i], text, sizeof text);
		expect_text(i ? "second instance at its start" : "first instance at its start", text, PRISTINE);
	}
	/* Both have spoilt their globals by the time both block in read(). */
	for (int i = 0; i < 2; i++)
		expect_long("instance waits", await_state(pid[i], pid[i], 'S'), 0);
	for (int i = 0; i < 2; i++) {
		send_byte(in[i], 'g');
		read_line(out[i], text, sizeof text);
		expect_text(i ? "second instance beside the first" : "first instance beside the second", text, wants[i]);
		expect_exit("instance", reap(pid[i]), 0);
	}
}

static void pristine_data(void)
{
	const char *const args[] = { "spoil-and-exec", NULL };
	char text[64];

	int status = run_helper(args, text, sizeof text);
	expect_text("data, bss and thread-locals after exec of a process that overwrote them", text, PRISTINE);
	expect_exit("the execution", status, 0);
}

static int cow_data = 10, cow_bss;
static _Thread_local int cow_local = 10;

static void fork_cow(void)
{
	int stack = 10, up[2], down[2];
	int *heap = malloc(sizeof *heap);

	*heap = 10;
	cow_bss = 10;
	must("pipe", pipe(up));
	must("pipe", pipe(down));
	pid_t pid = fork();
	if (pid == 0) {
		cow_data = cow_bss = cow_local = stack = *heap = 20;
		send_byte(up[1], 'c');
		await_byte(down[0]);
		/* The parent wrote 30 in the meantime. */
		_exit(cow_data + cow_bss + cow_local + stack + *heap == 100 ? 3 : 4);
	}
	must("fork", pid);
	await_byte(up[0]);
	expect_long("data in the parent after the child wrote 20", cow_data, 10);
	expect_long("bss", cow_bss, 10);
	expect_long("thread-local", cow_local, 10);
	expect_long("stack", stack, 10);
	expect_long("heap", *heap, 10);
	cow_data = cow_bss = cow_local = stack = *heap = 30;
	send_byte(down[1], 'p');
	expect_exit("child that checks for five times 20 after the parent wrote 30", reap(pid), 3);
	free(heap);
}

static int shared_by_vfork;

static void vfork_shares(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		shared_by_vfork = 77;
		_exit(5);
	}
	must("vfork", pid);
	expect_long("variable the vfork child wrote", shared_by_vfork, 77);
	expect_exit("vfork child", reap(pid), 5);
}

static void auxiliary_vector(void)
{
	const unsigned char *random = (const unsigned char *)getauxval(AT_RANDOM);
	const char *name = (const char *)getauxval(AT_EXECFN);
	int bits = 0;

	expect_long("AT_PAGESZ", (long)getauxval(AT_PAGESZ), 4096);
	expect_long("AT_UID", (long)getauxval(AT_UID), (long)getuid());
	expect_long("AT_SECURE", (long)getauxval(AT_SECURE), 0);
	expect_true("AT_RANDOM points somewhere", random != NULL);
	for (int i = 0; random && i < 16; i++)
		bits |= random[i];
	expect_true("its 16 bytes are not all zero", bits != 0);
	expect_true("AT_EXECFN ends in this program's name",
		    name && strrchr(self_path, '/') && strstr(name, strrchr(self_path, '/') + 1));
	/* SMEP forbids ring 0 to execute the vDSO page, so a UKL program is not told about it. */
	if (in_ring0())
		expect_long("AT_SYSINFO_EHDR", (long)getauxval(AT_SYSINFO_EHDR), 0);
}

const struct test program_tests[] = {
	{ "ring", ring },
	{ "argv-envp", argv_envp },
	{ "exit-status", exit_status },
	{ "run-twice", run_twice },
	{ "two-at-once", two_at_once },
	{ "pristine-data", pristine_data },
	{ "fork-cow", fork_cow },
	{ "vfork", vfork_shares },
	{ "auxv", auxiliary_vector },
	END_OF_TESTS
};
