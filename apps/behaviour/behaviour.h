/* What the test files share: how a comparison is recorded and how children are run.
 *
 * A test runs in the program's main process and records each comparison with an expect_*() call; `main.c` prints them
 * as one line. Children never call expect_*(): they report through exit status, signals or pipes.
 */
#ifndef BEHAVIOUR_H
#define BEHAVIOUR_H

#include <stddef.h>
#include <sys/types.h>

struct test {
	const char *name;
	void (*run)(void);
};

/* Ends each file's table of tests. */
#define END_OF_TESTS { NULL, NULL }

/* ---- compare.c ---- */

/* Records "WHAT is GOT, expected WANT"; a difference makes the test fail, the test itself goes on. */
void expect_long(const char *what, long got, long want);
void expect_between(const char *what, long got, long low, long high);
void expect_at_least(const char *what, long got, long low);
void expect_text(const char *what, const char *got, const char *want);
void expect_true(const char *what, int holds);
/* A call that has to fail: -1 and this errno. Reads errno, so nothing may come between. */
void expect_error(const char *what, long result, int error);
/* The same for a status from waitpid(): ended by this signal, ended with this exit code. */
void expect_signal(const char *what, int status, int signal);
void expect_exit(const char *what, int status, int code);
/* A preparatory call that has to succeed: a negative result ends the test as failed, naming errno. */
long must(const char *what, long result);
/* Prints the line `compared: ...` and ends the program: 0 when every comparison held, 1 otherwise. */
void finish(void) __attribute__((noreturn));

/* ---- child.c ---- */

/* The path by which this program can be executed again: the stub file in a UKL guest, the ELF file elsewhere. */
extern char self_path[4096];
void find_self(const char *argv0);
/* Forks; the child calls body(arg) and ends with exit code 0 when that returns. */
pid_t start_child(void (*body)(void *), void *arg);
/* waitpid() that does not give up on EINTR; returns the status. */
int reap(pid_t pid);
int run_child(void (*body)(void *), void *arg);
/* Executes this program again as `behaviour helper ARGS...`; its standard output becomes readable through *out and
 * its standard input is fed by *in (either may be NULL: then inherited). args ends with NULL. */
pid_t start_helper(const char *const args[], int *in, int *out);
/* Runs a helper to its end; what it printed (without the final newline) lands in text. Returns its wait status. */
int run_helper(const char *const args[], char *text, size_t size);
/* Reads until end of file, terminates with NUL, strips one final newline; returns the number of bytes. */
size_t read_all(int fd, char *text, size_t size);
/* Waits (at most five seconds) until /proc/PID/task/TID/stat shows the state; returns 0, or -1 when it never did. */
int await_state(pid_t pid, pid_t tid, char state);
/* Blocks in read() on the pipe until a byte or end of file arrives. */
void await_byte(int fd);
void send_byte(int fd, char byte);

/* ---- clock.c ---- */
long now_ms(void);
/* By how much this machine is slower than most: PATIENCE in the environment, else 1. */
int patience(void);
void sleep_ms(long ms);
/* Computes without any system call for at least this long in CPU time of the process. */
void spin_ms(long ms);

/* A value the compiler cannot see through, so that a wild access is not "optimised" into something else. */
static inline void *opaque(unsigned long value)
{
	__asm__ volatile("" : "+r"(value));
	return (void *)value;
}

/* "linux" for an ordinary process, else the name of the UKL level. */
const char *level(void);
int in_ring0(void);

/* ---- tcp.c ---- */

/* Both ends of a TCP connection over loopback; what the first sends leaves at once. */
void connect_pair(int pair[2]);
void close_pair(int pair[2]);

/* ---- stubs.c ---- */

/* Of the last line of the kernel's log with this word: bytes of it that a terminal obeys; -1 if there is no such line. */
long control_bytes_in_log(const char *word);

/* ---- helpers.c: bodies of `behaviour helper NAME` ---- */
int run_helper_body(int argc, char **argv);
int storm_instance(int seed, long duration_ms);

#endif
