/* Handlers of faults: what they are told, and how the program goes on after them. */
#include "behaviour.h"
#include "faults.h"

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

static sigjmp_buf escape;
static volatile sig_atomic_t last_signal, last_code, entered;
static volatile unsigned long last_address, last_ip;

static void note_and_leave(int signal, siginfo_t *info, void *context)
{
	last_signal = signal;
	last_code = info->si_code;
	last_address = (unsigned long)info->si_addr;
	last_ip = (unsigned long)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
	entered++;
	siglongjmp(escape, 1);
}

static void handle_all(void (*handler)(int, siginfo_t *, void *))
{
	const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT };
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		must("sigaction", sigaction(signals[i], &action, NULL));
}

static void fault_recovery(void)
{
	handle_all(note_and_leave);
	for (int round = 0; round < 3; round++)
		for (volatile unsigned i = 0; i < fault_count; i++) {
			last_signal = 0;
			if (sigsetjmp(escape, 1) == 0)
				faults[i].commit(NULL);
			if (round == 0)
				expect_long(faults[i].what, last_signal, faults[i].signal);
		}
	expect_long("handlers entered in three rounds", entered, 3L * fault_count);
}

static void fault_siginfo(void)
{
	char what[80];

	handle_all(note_and_leave);
	for (volatile unsigned i = 0; i < fault_count; i++) {
		if (sigsetjmp(escape, 1) == 0)
			faults[i].commit(NULL);
		if (faults[i].code != ANY_CODE) {
			snprintf(what, sizeof what, "si_code of %s", faults[i].name);
			expect_long(what, last_code, faults[i].code);
		}
		if (faults[i].address) {
			snprintf(what, sizeof what, "si_addr of %s", faults[i].name);
			expect_long(what, (long)last_address, (long)faults[i].address());
		}
		if (faults[i].signal == SIGILL || (faults[i].signal == SIGFPE && faults[i].code == FPE_INTDIV)) {
			snprintf(what, sizeof what, "si_addr of %s against its instruction pointer", faults[i].name);
			expect_long(what, (long)last_address, (long)last_ip);
		}
	}
}

static volatile sig_atomic_t skipped;

/* Resumes behind the two-byte ud2 instead of jumping out. */
static void skip_ud2(int signal, siginfo_t *info, void *context)
{
	ucontext_t *interrupted = context;

	(void)signal;
	(void)info;
	interrupted->uc_mcontext.gregs[REG_RIP] += 2;
	interrupted->uc_mcontext.gregs[REG_RBX] += 1;
	skipped++;
}

static void edit_context(void)
{
	struct sigaction action = { .sa_sigaction = skip_ud2, .sa_flags = SA_SIGINFO };
	unsigned long counter = 40;

	must("sigaction", sigaction(SIGILL, &action, NULL));
	__asm__ volatile("ud2\n\tud2" : "+b"(counter) : : "memory");
	expect_long("handlers that moved the instruction pointer", skipped, 2);
	expect_long("RBX after both handlers added 1 to 40", (long)counter, 42);
}

static volatile sig_atomic_t inner, outer;

static void fault_in_handler(int signal)
{
	sigjmp_buf here;

	if (signal == SIGUSR1) {
		outer++;
		memcpy(&here, &escape, sizeof here);
		if (sigsetjmp(escape, 1) == 0)
			*(volatile char *)opaque(0) = 1;
		memcpy(&escape, &here, sizeof here);
		outer++;
	} else {
		inner++;
		siglongjmp(escape, 1);
	}
}

static void nested(void)
{
	struct sigaction action = { .sa_handler = fault_in_handler };

	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	raise(SIGUSR1);
	expect_long("entries and exits of the outer handler", outer, 2);
	expect_long("entries of the handler for the fault inside it", inner, 1);
}

/* A fault whose signal is blocked cannot be held back: it kills. */
static void fault_while_blocked(void *unused)
{
	sigset_t set;

	(void)unused;
	handle_all(note_and_leave);
	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	sigprocmask(SIG_BLOCK, &set, NULL);
	*(volatile char *)opaque(0) = 1;
}

static void blocked_fault(void)
{
	expect_signal("fault while its signal is blocked", run_child(fault_while_blocked, NULL), SIGSEGV);
}

const struct test recover_tests[] = {
	{ "fault-recovery", fault_recovery },
	{ "fault-siginfo", fault_siginfo },
	{ "sigreturn-edited", edit_context },
	{ "nested-handlers", nested },
	{ "fault-while-blocked", blocked_fault },
	END_OF_TESTS
};
