/* Signals between processes and threads. */
#include "behaviour.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t counts[65];
static volatile long sender, sender_uid, value, code;

static void count(int signal, siginfo_t *info, void *context)
{
	(void)context;
	counts[signal]++;
	sender = info->si_pid;
	sender_uid = info->si_uid;
	value = info->si_value.sival_int;
	code = info->si_code;
}

static void handle(int signal, int flags)
{
	struct sigaction action = { .sa_sigaction = count, .sa_flags = SA_SIGINFO | flags };

	must("sigaction", sigaction(signal, &action, NULL));
}

static void mask_and_suspend(void)
{
	sigset_t blocked, before, pending;

	handle(SIGUSR1, 0);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	raise(SIGUSR1);
	raise(SIGUSR1);
	expect_long("handlers while blocked", counts[SIGUSR1], 0);
	sigpending(&pending);
	expect_long("signal is pending", sigismember(&pending, SIGUSR1), 1);
	errno = 0;
	expect_long("sigsuspend", sigsuspend(&before), -1);
	expect_long("its errno", errno, EINTR);
	expect_long("handlers after sigsuspend (two signals merge)", counts[SIGUSR1], 1);
	raise(SIGUSR1);
	expect_long("handlers while blocked again", counts[SIGUSR1], 1);
	sigprocmask(SIG_SETMASK, &before, NULL);
	expect_long("handlers after unblocking", counts[SIGUSR1], 2);
}

static void send_with_value(void *parent)
{
	union sigval with = { .sival_int = 4711 };

	sigqueue(*(pid_t *)parent, SIGUSR2, with);
}

static void siginfo_of_sender(void)
{
	pid_t self = getpid();

	handle(SIGUSR2, 0);
	pid_t child = start_child(send_with_value, &self);
	expect_exit("sender", reap(child), 0);
	expect_long("handlers", counts[SIGUSR2], 1);
	expect_long("si_pid against the child's pid", sender, child);
	expect_long("si_uid", sender_uid, (long)getuid());
	expect_long("si_value", value, 4711);
	expect_long("si_code", code, SI_QUEUE);
}

static void realtime_queue(void)
{
	sigset_t set;
	siginfo_t info;
	struct timespec none = { 0, 0 };

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < 5; i++)
		must("sigqueue", sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = i }));
	for (int i = 0; i < 5; i++) {
		expect_long("sigtimedwait", sigtimedwait(&set, &info, &none), SIGRTMIN + 1);
		expect_long("value, in order", info.si_value.sival_int, i);
	}
	expect_long("sigtimedwait on the empty queue", sigtimedwait(&set, &info, &none), -1);
	expect_long("its errno", errno, EAGAIN);
}

static void flags(void)
{
	struct sigaction now;
	stack_t stack;

	handle(SIGUSR1, SA_RESETHAND);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &now);
	expect_true("SA_RESETHAND restored the default action", now.sa_handler == SIG_DFL);
	expect_long("handlers", counts[SIGUSR1], 1);
	expect_long("sigaltstack without a stack", sigaltstack(NULL, &stack), 0);
	expect_long("its SS_DISABLE", stack.ss_flags & SS_DISABLE, SS_DISABLE);
	signal(SIGUSR1, SIG_IGN);
	raise(SIGUSR1);
	expect_long("handlers after SIG_IGN", counts[SIGUSR1], 1);
}

static volatile sig_atomic_t chld;

static void on_child(int signal)
{
	(void)signal;
	chld++;
}

static void leave(void *unused)
{
	(void)unused;
	_exit(3);
}

static void sigchld(void)
{
	struct sigaction action = { .sa_handler = on_child, .sa_flags = SA_RESTART };

	sigaction(SIGCHLD, &action, NULL);
	pid_t child = start_child(leave, NULL);
	expect_exit("child", reap(child), 3);
	expect_long("SIGCHLD handlers", chld, 1);
}

static void spin_for_ever(void *unused)
{
	(void)unused;
	for (;;)
		__asm__ volatile("");
}

static void pause_for_ever(void *unused)
{
	(void)unused;
	for (;;)
		pause();
}

/* SIGTERM and SIGKILL end a process that never enters the kernel by itself, and one that blocks in it. */
static void kill_spinning_and_blocked(void)
{
	void (*const bodies[2])(void *) = { spin_for_ever, pause_for_ever };
	const char *const names[2] = { "process that only computes", "process blocked in pause()" };
	const int signals[2] = { SIGTERM, SIGKILL };

	for (int body = 0; body < 2; body++)
		for (int i = 0; i < 2; i++) {
			pid_t child = start_child(bodies[body], NULL);
			if (body)
				await_state(child, child, 'S');
			else
				sleep_ms(30);
			kill(child, signals[i]);
			expect_signal(names[body], reap(child), signals[i]);
		}
}

static pthread_t handled_by;

static void note_thread(int signal)
{
	(void)signal;
	handled_by = pthread_self();
}

static void *wait_for_signal(void *fd)
{
	await_byte(*(int *)fd);
	return (void *)(long)(pthread_equal(handled_by, pthread_self()) != 0);
}

static void thread_directed(void)
{
	struct sigaction action = { .sa_handler = note_thread };
	pthread_t threads[3];
	int pipes[3][2];
	void *was_me;

	sigaction(SIGUSR1, &action, NULL);
	for (int i = 0; i < 3; i++) {
		must("pipe", pipe(pipes[i]));
		pthread_create(&threads[i], NULL, wait_for_signal, &pipes[i][0]);
	}
	for (int i = 0; i < 3; i++) {
		expect_long("pthread_kill", pthread_kill(threads[i], SIGUSR1), 0);
		/* The thread notes itself before it can return; poll instead of racing with it. */
		for (int wait = 0; wait < 1000 && !pthread_equal(handled_by, threads[i]); wait++)
			sleep_ms(1);
		send_byte(pipes[i][1], 'x');
		pthread_join(threads[i], &was_me);
		expect_long("the handler ran in the addressed thread", (long)was_me, 1);
	}
}

static void read_signalfd(void)
{
	struct signalfd_siginfo info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	int fd = (int)must("signalfd", signalfd(-1, &set, 0));
	kill(getpid(), SIGUSR1);
	expect_long("bytes read", read(fd, &info, sizeof info), (long)sizeof info);
	expect_long("signal", info.ssi_signo, SIGUSR1);
	expect_long("sender", info.ssi_pid, getpid());
}

/* Copies seven bytes backwards onto a page that is not there yet. */
static void copy_backwards(char *page)
{
	static const char text[] = "direction";
	const char *from = text + 6;
	char *to = page + 6;
	long count = 7;

	__asm__ volatile("std\n\trep movsb\n\tcld" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

/* Whether the direction flag is set; it is clear afterwards, as compiled code expects. */
static int direction_is_set(void)
{
	unsigned long flags;

	/* Below the red zone. */
	__asm__ volatile("sub $128, %%rsp\n\tpushfq\n\tpop %0\n\tadd $128, %%rsp\n\tcld" : "=r"(flags) : : "memory");
	return (flags & 0x400) != 0;
}

/* A copy towards lower addresses runs with the direction flag set, and this one faults, so the kernel has a frame with
 * that flag. A later call that has work to do on its way out, here a signal, must not bring the flag back. */
static void direction_flag(void)
{
	enum { PAGES = 16, PAGE = 4096 };
	char *pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long set = 0;

	expect_true("mmap", pages != MAP_FAILED);
	handle(SIGUSR1, 0);
	counts[SIGUSR1] = 0;
	for (int i = 0; i < PAGES; i++) {
		copy_backwards(pages + i * PAGE);
		must("kill", kill(getpid(), SIGUSR1));
		set += direction_is_set();
	}
	expect_long("signals handled", counts[SIGUSR1], PAGES);
	expect_long("calls after which the direction flag was set", set, 0);
	expect_text("the bytes copied backwards", pages, "directi");
}

const struct test signal_tests[] = {
	{ "sigprocmask-sigsuspend", mask_and_suspend },
	{ "siginfo-sender", siginfo_of_sender },
	{ "realtime-signals", realtime_queue },
	{ "sigaction-flags", flags },
	{ "sigchld", sigchld },
	{ "kill", kill_spinning_and_blocked },
	{ "thread-directed-signals", thread_directed },
	{ "signalfd", read_signalfd },
	{ "direction-flag", direction_flag },
	END_OF_TESTS
};
