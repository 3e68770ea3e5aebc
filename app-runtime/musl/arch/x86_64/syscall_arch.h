/*
 * System calls of the C library as calls into the kernel.
 *
 * A call whose number is a constant goes to its own symbol, __ukl_sys_N; the others put the number in rax and call
 * __ukl_syscall. What these symbols are is decided when the program is linked for a level: the runtime's stubs (base)
 * or the kernel's own entries (bypass).
 *
 * Both follow the C calling convention for integer arguments (rdi rsi rdx rcx r8 r9, result in rax, -4095..-1 for an
 * error) with two differences: no x87, SSE or AVX register changes, and the stack needs no alignment. The call writes its
 * return address below rsp, where a leaf function would keep data in the red zone: this file is only correct in code
 * that is compiled with -mno-red-zone.
 */
#define __SYSCALL_LL_E(x) (x)
#define __SYSCALL_LL_O(x) (x)

/* semctl, shmctl and msgctl have no second form on this machine. */
#define IPC_64 0

/* See src/internal/vdso.c. */
#define VDSO_CGT_SYM "__vdso_clock_gettime"
#define VDSO_CGT_VER "LINUX_2.6"

#define __UKL_INLINE static inline __attribute__((__always_inline__))

/*
 * One asm statement for both forms would need the number in a register. "%c" prints a constant without the `$`.
 * `out` names the argument registers that are used, `gone` those that are lost besides.
 */
#define __UKL_ISSUE(nr, out, ...)                                                              \
	do {                                                                                   \
		if (__builtin_constant_p(nr))                                                  \
			__asm__ __volatile__("call __ukl_sys_%c[number]"                       \
				: "=a"(result) out : [number] "i"(nr)                          \
				: "r10", "r11", "cc", "memory", ##__VA_ARGS__);                \
		else {                                                                         \
			result = (nr);                                                         \
			__asm__ __volatile__("call __ukl_syscall"                              \
				: "+a"(result) out :                                           \
				: "r10", "r11", "cc", "memory", ##__VA_ARGS__);                \
		}                                                                              \
	} while (0)

#define __UKL_OUT0
#define __UKL_OUT1 , "+D"(a)
#define __UKL_OUT2 __UKL_OUT1, "+S"(b)
#define __UKL_OUT3 __UKL_OUT2, "+d"(c)
#define __UKL_OUT4 __UKL_OUT3, "+c"(d)
#define __UKL_OUT5 __UKL_OUT4, "+r"(r8)
#define __UKL_OUT6 __UKL_OUT5, "+r"(r9)

__UKL_INLINE long __syscall0(long n)
{
	long result;
	__UKL_ISSUE(n, __UKL_OUT0, "rdi", "rsi", "rdx", "rcx", "r8", "r9");
	return result;
}

__UKL_INLINE long __syscall1(long n, long a)
{
	long result;
	__UKL_ISSUE(n, __UKL_OUT1, "rsi", "rdx", "rcx", "r8", "r9");
	return result;
}

__UKL_INLINE long __syscall2(long n, long a, long b)
{
	long result;
	__UKL_ISSUE(n, __UKL_OUT2, "rdx", "rcx", "r8", "r9");
	return result;
}

__UKL_INLINE long __syscall3(long n, long a, long b, long c)
{
	long result;
	__UKL_ISSUE(n, __UKL_OUT3, "rcx", "r8", "r9");
	return result;
}

__UKL_INLINE long __syscall4(long n, long a, long b, long c, long d)
{
	long result;
	__UKL_ISSUE(n, __UKL_OUT4, "r8", "r9");
	return result;
}

__UKL_INLINE long __syscall5(long n, long a, long b, long c, long d, long e)
{
	register long r8 __asm__("r8") = e;
	long result;
	__UKL_ISSUE(n, __UKL_OUT5, "r9");
	return result;
}

__UKL_INLINE long __syscall6(long n, long a, long b, long c, long d, long e, long f)
{
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;
	__UKL_ISSUE(n, __UKL_OUT6);
	return result;
}
