/* Floating-point and vector registers belong to the thread, whatever runs in between. */
#include "behaviour.h"

#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

struct fpu_state {
	uint64_t xmm[32];
	double x87[2];
	uint32_t mxcsr;
	uint16_t control;
	uint16_t unused;
};

_Static_assert(offsetof(struct fpu_state, mxcsr) == 272, "fpu_hold.S knows these offsets");

long fpu_hold(const struct fpu_state *in, struct fpu_state *out, long rounds, long (*call)(void));

static long yield(void)
{
	return sched_yield();
}

static long (*const calls[])(void) = { NULL, yield };

/* Exception flags are sticky and may be set; everything else must be what was loaded. */
static int differs(const struct fpu_state *in, const struct fpu_state *out)
{
	return memcmp(in->xmm, out->xmm, sizeof in->xmm) != 0 || in->x87[0] != out->x87[0] || in->x87[1] != out->x87[1] ||
	       (in->mxcsr & ~0x3fu) != (out->mxcsr & ~0x3fu) || in->control != out->control;
}

static long hold_for(int seed, long duration_ms)
{
	struct fpu_state in = { .x87 = { seed + 0.25, seed * 3.5 }, .control = 0x037f }, out;
	long wrong = 0, end = now_ms() + duration_ms;

	for (int i = 0; i < 32; i++)
		in.xmm[i] = 0x0101010101010101u * (unsigned)seed + (unsigned)i;
	/* Different rounding modes, in SSE and x87 alike. */
	in.mxcsr = 0x1f80 | (uint32_t)(seed & 3) << 13;
	in.control |= (uint16_t)((seed & 3) << 10);
	for (int round = 0; now_ms() < end; round++) {
		memset(&out, 0, sizeof out);
		fpu_hold(&in, &out, round & 1 ? 50 : 2000, calls[round & 1]);
		wrong += differs(&in, &out);
	}
	return wrong;
}

static volatile sig_atomic_t ticks;

/* Spoils the very registers the interrupted code holds. */
static void spoil(int signal)
{
	struct fpu_state in = { .x87 = { -1, -2 }, .mxcsr = 0x1f80, .control = 0x027f }, out;

	memset(in.xmm, 0xee, sizeof in.xmm);
	fpu_hold(&in, &out, 3, NULL);
	ticks += signal == SIGALRM;
}

static void hold_in_child(void *seed)
{
	struct sigaction action = { .sa_handler = spoil, .sa_flags = SA_RESTART };
	struct itimerval every = { { 0, 3000 }, { 0, 3000 } };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	long wrong = hold_for(*(int *)seed, 500);
	_exit(wrong ? 1 : ticks ? 0 : 2);
}

static void preemption(void)
{
	int seeds[3] = { 1, 2, 3 };
	pid_t children[3];

	for (int i = 0; i < 3; i++)
		children[i] = start_child(hold_in_child, &seeds[i]);
	for (int i = 0; i < 3; i++)
		expect_exit("process holding its own XMM, x87 and control values beside two others and signal handlers",
			    reap(children[i]), 0);
}

static struct fpu_state inherited_in, inherited_out;
static volatile pid_t forked;

static long fork_call(void)
{
	forked = fork();
	return 0;
}

/* fork() inside the held range: the child must find the same registers. Control registers are inherited as well. */
static void across_fork(void)
{
	inherited_in.mxcsr = 0x1f80 | 2 << 13;
	inherited_in.control = 0x037f | 2 << 10;
	inherited_in.x87[0] = 1.5;
	inherited_in.x87[1] = 2.5;
	fpu_hold(&inherited_in, &inherited_out, 1, fork_call);
	int control = (inherited_out.mxcsr & ~0x3fu) == inherited_in.mxcsr && inherited_out.control == inherited_in.control;
	int values = inherited_out.x87[0] == 1.5 && inherited_out.x87[1] == 2.5;
	if (forked == 0)
		_exit(control && values ? 5 : 6);
	must("fork", forked);
	expect_true("x87 values and both control registers in the parent", control && values);
	expect_exit("child that checks the same", reap(forked), 5);
}

const struct test fpu_tests[] = {
	{ "fpu-preemption", preemption },
	{ "fpu-fork", across_fork },
	END_OF_TESTS
};
