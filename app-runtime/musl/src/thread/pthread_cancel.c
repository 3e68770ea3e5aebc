/*
 * Thread cancellation when system calls are calls.
 *
 * Deferred cancellation promises: a cancellation point acts on a request that comes before its system call has had an
 * effect, and never after. So the signal handler must know whether the interrupted place lies before the effect. It does
 *   - in the text of a cancellation point (the table ukl_cp), up to the end of its call; or
 *   - in what that call goes to, as long as it has not completed: the interrupted instruction lies in the stubs, is not
 *     the `ret` of a completed call, and the return address on the stack belongs to a cancellation point.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include "pthread_impl.h"
#include "syscall.h"

_Static_assert(offsetof(struct pthread, cancel) == UKL_PTHREAD_CANCEL, "cancellation points test the wrong field");
_Static_assert(offsetof(struct pthread, canceldisable) == UKL_PTHREAD_CANCELDISABLE, "close tests the wrong field");

_Static_assert(PTHREAD_CANCEL_DISABLE == 1, "__ukl_cp_pending tests the wrong state");

/* Cancellation points promise that no SSE register changes. */
#define NO_SSE __attribute__((__target__("general-regs-only")))

/* One cancellation point: its text, and where a cancelled thread continues. */
struct point {
	uintptr_t begin, end, cancelled;
};

/* Defined by the link script of the partial link. */
extern hidden const struct point __ukl_cp_start[], __ukl_cp_end[];

/* The text of the level's system-call stubs, and the `ret` at which an interrupted, completed call resumes. */
extern const char __ukl_call_begin[], __ukl_call_end[], __ukl_call_return[];

/* The way into them for a number that is a variable: among them, or a table's worth of text of its own. */
extern const char __ukl_syscall[], __ukl_syscall_end[];

#define OPCODE_RET 0xc3

_Static_assert(SIGCANCEL <= 8*sizeof(long), "SIGCANCEL is not in the first word of a signal set");

NO_SSE hidden long __cancel(void)
{
	pthread_t self = __pthread_self();

	if (self->canceldisable == PTHREAD_CANCEL_ENABLE || self->cancelasync)
		pthread_exit(PTHREAD_CANCELED);
	/* PTHREAD_CANCEL_MASKED: the call fails once, and later ones work. */
	self->canceldisable = PTHREAD_CANCEL_DISABLE;
	return -ECANCELED;
}

/* A blocking call ended with EINTR: because of the request? An interrupted close has closed, so it does not count. */
hidden long __ukl_cp_interrupted(long nr)
{
	pthread_t self = __pthread_self();

	if (nr != SYS_close && self->cancel && self->canceldisable != PTHREAD_CANCEL_DISABLE)
		return __cancel();
	return -EINTR;
}

/* The cancellation point whose text holds `pc`; 0 if there is none. `last` is 1 to count the end as inside. */
static const struct point *find_point(uintptr_t pc, int last)
{
	for (const struct point *point = __ukl_cp_start; point != __ukl_cp_end; point++)
		if (pc >= point->begin && pc < point->end + last)
			return point;
	return 0;
}

/* Whether `pc` lies in a system-call stub whose call has not completed. */
static int in_open_call(uintptr_t pc)
{
	if (pc >= (uintptr_t)__ukl_syscall && pc < (uintptr_t)__ukl_syscall_end)
		return *(const unsigned char *)pc != OPCODE_RET;
	return pc >= (uintptr_t)__ukl_call_begin && pc < (uintptr_t)__ukl_call_end
		&& pc != (uintptr_t)__ukl_call_return && *(const unsigned char *)pc != OPCODE_RET;
}

static void on_request(int sig, siginfo_t *info, void *context)
{
	pthread_t self = __pthread_self();
	ucontext_t *uc = context;
	greg_t *regs = uc->uc_mcontext.gregs;
	uintptr_t pc = regs[REG_RIP];
	const struct point *point;

	a_barrier();
	if (!self->cancel || self->canceldisable == PTHREAD_CANCEL_DISABLE) return;

	/* One request is acted upon once: the signal stays blocked in the interrupted context. Not by sigaddset, which refuses
	 * the library's own signals. */
	uc->uc_sigmask.__bits[0] |= 1UL << (SIGCANCEL-1);

	if (self->cancelasync) {
		pthread_sigmask(SIG_SETMASK, &uc->uc_sigmask, 0);
		__cancel();
	}

	point = find_point(pc, 0);
	if (!point && in_open_call(pc)) {
		point = find_point(*(uintptr_t *)regs[REG_RSP], 1);
		if (point) regs[REG_RSP] += sizeof(uintptr_t);
	}
	if (point) {
		regs[REG_RIP] = point->cancelled;
		return;
	}
	/* Not in a cancellation point: come again when this handler has returned, for a nested handler may have been
	 * interrupted on its way back into one. */
	__syscall(SYS_tkill, self->tid, SIGCANCEL);
}

void __testcancel(void)
{
	pthread_t self = __pthread_self();

	if (self->cancel && !self->canceldisable)
		__cancel();
}

int pthread_cancel(pthread_t thread)
{
	static volatile int installed;

	if (!installed) {
		struct sigaction action = {
			.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK,
			.sa_sigaction = on_request
		};
		memset(&action.sa_mask, -1, _NSIG/8);
		__libc_sigaction(SIGCANCEL, &action, 0);
		installed = 1;
	}
	a_store(&thread->cancel, 1);
	if (thread == pthread_self()) {
		if (thread->canceldisable == PTHREAD_CANCEL_ENABLE && thread->cancelasync)
			pthread_exit(PTHREAD_CANCELED);
		return 0;
	}
	return pthread_kill(thread, SIGCANCEL);
}
