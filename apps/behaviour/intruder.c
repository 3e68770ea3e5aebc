/* An ordinary process that tries to be taken for a linked-in application.
 *
 * A UKL kernel knows application mode by a mark next to the saved code segment. Whatever a process writes into its own
 * saved registers, through sigreturn or ptrace, must end in a signal or leave it in ring 3. Each attempt runs in a child
 * that, if it survives, reports the privilege level it finds itself in: exit code 100 + level.
 *
 * Usage: intruder sigreturn|ptrace|jump|stack. Prints one line per attack group; exit code 0 when all were repelled.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define USER_CS 0x33UL
#define MARK (1UL << 63)

static int failures, attempts;

/* Reports the level by exit code, without a stack and without libc: neither may be usable after an attack. */
__attribute__((used, naked)) static void report_level(void)
{
	__asm__ volatile("mov %cs, %edi\n\t"
			 "and $3, %edi\n\t"
			 "add $100, %edi\n\t"
			 "mov $231, %eax\n\t" /* exit_group */
			 "syscall\n\t"
			 "ud2");
}

static void judge(const char *what, unsigned long value, int status, int signal_required)
{
	int repelled = WIFSIGNALED(status) || (!signal_required && WIFEXITED(status) && WEXITSTATUS(status) == 103);

	attempts++;
	if (repelled)
		return;
	failures++;
	printf("compared: DIFFERS: %s with %#lx ended with wait status %#x, expected %s\n", what, value, status,
	       signal_required ? "a signal" : "a signal or exit code 103 (ring 3)");
}

static unsigned long forged_segments, forged_flags;

static void forge(int signal, siginfo_t *info, void *context)
{
	ucontext_t *interrupted = context;

	(void)signal;
	(void)info;
	interrupted->uc_mcontext.gregs[REG_CSGSFS] = (long)forged_segments;
	interrupted->uc_mcontext.gregs[REG_RIP] = (long)report_level;
	interrupted->uc_flags = forged_flags ? forged_flags : interrupted->uc_flags;
}

/* The slot holds CS in bits 0 to 15 and SS in bits 48 to 63; what lies between is unused in 64-bit mode. */
static void attack_sigreturn(void)
{
	static const struct { unsigned long segments; int signal_required; } forged[] = {
		{ 0x10, 1 }, { 0x10 | 0x18UL << 48, 1 }, { 0x10 | MARK, 1 }, { 0x08, 1 }, { 0x00, 1 }, { 0x13, 1 },
		{ 0xfff0 | 0x2bUL << 48, 1 }, { 0x8010 | 0x2bUL << 48, 1 }, { 0x40 | 0x2bUL << 48, 1 },
		{ USER_CS | MARK, 0 }, { USER_CS | MARK | 0x2bUL << 48, 0 }, { USER_CS | 0x18UL << 48, 0 },
		{ USER_CS | 0xffffUL << 16 | 0x2bUL << 48, 0 }, { USER_CS | 0xffffffffUL << 16 | 0x802bUL << 48, 0 },
		{ USER_CS | 0xffffUL << 48, 0 },
	};
	/* As the kernel set them, then with SS restored strictly, then without SS at all. */
	static const unsigned long flags[] = { 0, 2 | 4, 2, 1 };

	for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++)
		for (size_t j = 0; j < sizeof flags / sizeof flags[0]; j++) {
			pid_t child = fork();
			if (child == 0) {
				struct sigaction action = { .sa_sigaction = forge, .sa_flags = SA_SIGINFO };
				forged_segments = forged[i].segments;
				forged_flags = flags[j];
				sigaction(SIGUSR1, &action, NULL);
				raise(SIGUSR1);
				_exit(99);
			}
			int status = 0;
			waitpid(child, &status, 0);
			judge("sigreturn", forged[i].segments, status, forged[i].signal_required);
		}
}

static int stopped_child(pid_t *child)
{
	int status;

	*child = fork();
	if (*child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(99);
	}
	return waitpid(*child, &status, 0) == *child && WIFSTOPPED(status) ? 0 : -1;
}

static void attack_ptrace(void)
{
	static const unsigned long forged[] = {
		0x13, 0x10, 0x10 | MARK, 0x13 | MARK, USER_CS | MARK, MARK, 0xfff3, 0xfff3 | MARK, USER_CS | 0xffffUL << 16, 0,
	};
	long refused = 0;

	for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++)
		for (int whole = 0; whole < 2; whole++) {
			struct user_regs_struct regs;
			pid_t child;
			int status = 0;
			if (stopped_child(&child) < 0 || ptrace(PTRACE_GETREGS, child, NULL, &regs) < 0) {
				judge("preparation of ptrace", forged[i], 0, 1);
				continue;
			}
			regs.rip = (unsigned long)report_level;
			ptrace(PTRACE_SETREGS, child, NULL, &regs);
			regs.cs = forged[i];
			long result = whole ? ptrace(PTRACE_SETREGS, child, NULL, &regs)
					    : ptrace(PTRACE_POKEUSER, child,
						     (void *)offsetof(struct user_regs_struct, cs), (void *)forged[i]);
			/* A refusal is an answer too; the child then goes on unforged. */
			refused += result < 0;
			/* Not PTRACE_CONT: the tracer would have to pass the signals on. */
			ptrace(PTRACE_DETACH, child, NULL, NULL);
			waitpid(child, &status, 0);
			judge(whole ? "PTRACE_SETREGS of CS" : "PTRACE_POKEUSER of CS", forged[i], status, 0);
		}
	printf("compared: %ld of the %d forged selectors were refused by ptrace itself\n", refused, attempts);
}

/* Adds the addresses of these kernel symbols to targets, in one pass: the list is long. Returns the new count. */
static size_t kernel_symbols(const char *const *names, size_t name_count, unsigned long *targets, size_t count)
{
	FILE *symbols = fopen("/proc/kallsyms", "r");
	char line[512], symbol[256], kind;
	unsigned long address;

	while (symbols && fgets(line, sizeof line, symbols))
		for (size_t i = 0; i < name_count; i++)
			if (strstr(line, names[i]) && sscanf(line, "%lx %c %255s", &address, &kind, symbol) == 3 &&
			    strcmp(symbol, names[i]) == 0 && address)
				targets[count++] = address;
	if (symbols)
		fclose(symbols);
	return count;
}

/* Kernel text, among it the doors that only linked-in applications may use: a process cannot even fetch from them. */
static void attack_jump(void)
{
	static const char *const doors[] = { "_stext", "ukl_entry_syscall", "ukl_sys_39", "ukl_bypass_begin",
					     "ukl_bypass_return", "entry_SYSCALL_64" };
	unsigned long targets[16] = { 0xffffffff81000000, 0xffff888000000000 };
	size_t count = 2;

	count = kernel_symbols(doors, sizeof doors / sizeof doors[0], targets, count);
	for (size_t i = 0; i < count; i++)
		for (int read = 0; read < 2; read++) {
			pid_t child = fork();
			if (child == 0) {
				unsigned long target = targets[i];
				__asm__ volatile("" : "+r"(target));
				if (read)
					_exit(*(volatile char *)target ? 98 : 97);
				__asm__ volatile("lea report_level(%%rip), %%rcx\n\tmov $39, %%eax\n\tjmp *%0"
						 : : "r"(target) : "rax", "rcx", "memory");
				_exit(99);
			}
			int status = 0;
			waitpid(child, &status, 0);
			judge(read ? "read of kernel memory" : "jump into the kernel", targets[i], status, 1);
		}
	printf("compared: %zu kernel addresses tried, %zu of them named in kallsyms\n", count, count - 2);
}

/* Faults, interrupts and calls with a stack pointer that would mean "kernel" if only its sign were looked at. */
static void attack_stack(void)
{
	static const unsigned long stacks[] = { 0xffffffff82000000, 0xffff888000100000, 0x4242424242424242, 0, 8, ~7UL };

	for (size_t i = 0; i < sizeof stacks / sizeof stacks[0]; i++)
		for (int kind = 0; kind < 3; kind++) {
			pid_t child = fork();
			if (child == 0) {
				unsigned long sp = stacks[i];
				if (kind == 0)
					__asm__ volatile("mov %0, %%rsp\n\tud2" : : "r"(sp));
				else if (kind == 1)
					/* Long enough for the timer to interrupt it; then report. */
					__asm__ volatile("mov %0, %%rsp\n\tmov $3000000, %%ecx\n1:\tdec %%ecx\n\tjnz 1b\n\t"
							 "jmp report_level" : : "r"(sp) : "rcx");
				else
					__asm__ volatile("mov %0, %%rsp\n\tmov $39, %%eax\n\tsyscall\n\t"
							 "jmp report_level" : : "r"(sp) : "rax", "rcx", "r11");
				_exit(99);
			}
			int status = 0;
			waitpid(child, &status, 0);
			judge(kind == 0 ? "fault with a forged stack pointer" :
			      kind == 1 ? "interrupt with a forged stack pointer" :
					  "call with a forged stack pointer", stacks[i], status, kind == 0);
		}
}

int main(int argc, char **argv)
{
	const char *attack = argc == 2 ? argv[1] : "";

	/* So that children do not inherit unprinted lines. */
	setvbuf(stdout, NULL, _IONBF, 0);
	if (strcmp(attack, "sigreturn") == 0)
		attack_sigreturn();
	else if (strcmp(attack, "ptrace") == 0)
		attack_ptrace();
	else if (strcmp(attack, "jump") == 0)
		attack_jump();
	else if (strcmp(attack, "stack") == 0)
		attack_stack();
	else {
		fprintf(stderr, "usage: intruder sigreturn|ptrace|jump|stack\n");
		return 2;
	}
	printf("compared: %s: %d of %d attempts ended in a signal or stayed in ring 3, expected all\n", attack,
	       attempts - failures, attempts);
	return failures || !attempts ? 1 : 0;
}
