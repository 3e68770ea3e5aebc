/*
 * Cancellation points as inline calls.
 *
 * The library's own header sends each of them through one function with seven arguments. Here a call with a constant
 * number is issued in place: a test whether a cancellation request is pending, and the call. Each place is entered in a
 * table (section ukl_cp: begin, end, where to go when cancelled), in which the handler of the cancellation signal
 * (pthread_cancel.c) looks up the interrupted place. Found before the library's header by the order of the -I options.
 */
#include_next "syscall.h"

#ifndef UKL_CANCELLATION_POINTS
#define UKL_CANCELLATION_POINTS

/* Offsets in struct pthread, which %fs:0 points to and starts at %fs; pthread_cancel.c checks them. */
#define UKL_PTHREAD_CANCEL 60
#define UKL_PTHREAD_CANCELDISABLE 64

hidden long __ukl_cp_interrupted(long nr);

/*
 * Label 1 is the first instruction after which a request would be missed, 2 the end of the call, 3 the way out: it is
 * taken with the arguments intact when a request is pending, and with whatever registers when the signal handler sends
 * the thread there. __ukl_cp_pending looks at the arguments only in the first case.
 */
#define __UKL_CP_TEXT                                                                          \
	"1:	cmpl $0, %%fs:%c[cancel]\n"                                                    \
	"	jne 3f\n"                                                                      \
	"	call __ukl_sys_%c[number]\n"                                                   \
	"2:\n"                                                                                 \
	"	.subsection 1\n"                                                               \
	"3:	mov $%c[number], %%eax\n"                                                      \
	"	call __ukl_cp_pending\n"                                                       \
	"	jmp 2b\n"                                                                      \
	"	.previous\n"                                                                   \
	"	.pushsection ukl_cp, \"a\", @progbits\n"                                       \
	"	.balign 8\n"                                                                   \
	"	.quad 1b, 2b, 3b\n"                                                            \
	"	.popsection\n"

#define __UKL_CP_ISSUE(nr, out, ...)                                                           \
	__asm__ __volatile__(__UKL_CP_TEXT                                                     \
		: "=a"(result) out : [number] "i"(nr), [cancel] "i"(UKL_PTHREAD_CANCEL)        \
		: "r10", "r11", "cc", "memory", ##__VA_ARGS__)

/* close in a thread that masks cancellation must still close: the library's rule. */
__UKL_INLINE int __ukl_cp_is_plain(long n)
{
	unsigned char disabled;
	if (n != SYS_close) return 0;
	__asm__ __volatile__("movb %%fs:%c1, %0" : "=q"(disabled) : "i"(UKL_PTHREAD_CANCELDISABLE));
	return disabled;
}

__UKL_INLINE long __ukl_cp_result(long n, long result)
{
	return __builtin_expect(result == -EINTR, 0) ? __ukl_cp_interrupted(n) : result;
}

__UKL_INLINE long __ukl_cp1(long n, long a)
{
	long result;
	if (__ukl_cp_is_plain(n)) return (__syscall1)(n, a);
	__UKL_CP_ISSUE(n, __UKL_OUT1, "rsi", "rdx", "rcx", "r8", "r9");
	return __ukl_cp_result(n, result);
}

__UKL_INLINE long __ukl_cp2(long n, long a, long b)
{
	long result;
	__UKL_CP_ISSUE(n, __UKL_OUT2, "rdx", "rcx", "r8", "r9");
	return __ukl_cp_result(n, result);
}

__UKL_INLINE long __ukl_cp3(long n, long a, long b, long c)
{
	long result;
	__UKL_CP_ISSUE(n, __UKL_OUT3, "rcx", "r8", "r9");
	return __ukl_cp_result(n, result);
}

__UKL_INLINE long __ukl_cp4(long n, long a, long b, long c, long d)
{
	long result;
	__UKL_CP_ISSUE(n, __UKL_OUT4, "r8", "r9");
	return __ukl_cp_result(n, result);
}

__UKL_INLINE long __ukl_cp5(long n, long a, long b, long c, long d, long e)
{
	register long r8 __asm__("r8") = e;
	long result;
	__UKL_CP_ISSUE(n, __UKL_OUT5, "r9");
	return __ukl_cp_result(n, result);
}

__UKL_INLINE long __ukl_cp6(long n, long a, long b, long c, long d, long e, long f)
{
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;
	__UKL_CP_ISSUE(n, __UKL_OUT6);
	return __ukl_cp_result(n, result);
}

/* A number that is not constant takes the library's way, through the function. */
#define __UKL_CP(n, in_place, ...) (__builtin_constant_p(n) ? in_place : (__syscall_cp)(n, __VA_ARGS__))

#undef __syscall_cp1
#undef __syscall_cp2
#undef __syscall_cp3
#undef __syscall_cp4
#undef __syscall_cp5
#undef __syscall_cp6
#define __syscall_cp1(n, a) __UKL_CP(n, __ukl_cp1(n, __scc(a)), __scc(a), 0, 0, 0, 0, 0)
#define __syscall_cp2(n, a, b) \
	__UKL_CP(n, __ukl_cp2(n, __scc(a), __scc(b)), __scc(a), __scc(b), 0, 0, 0, 0)
#define __syscall_cp3(n, a, b, c) \
	__UKL_CP(n, __ukl_cp3(n, __scc(a), __scc(b), __scc(c)), __scc(a), __scc(b), __scc(c), 0, 0, 0)
#define __syscall_cp4(n, a, b, c, d) \
	__UKL_CP(n, __ukl_cp4(n, __scc(a), __scc(b), __scc(c), __scc(d)), __scc(a), __scc(b), __scc(c), __scc(d), 0, 0)
#define __syscall_cp5(n, a, b, c, d, e)                                                        \
	__UKL_CP(n, __ukl_cp5(n, __scc(a), __scc(b), __scc(c), __scc(d), __scc(e)), __scc(a), __scc(b), \
		 __scc(c), __scc(d), __scc(e), 0)
#define __syscall_cp6(n, a, b, c, d, e, f)                                                     \
	__UKL_CP(n, __ukl_cp6(n, __scc(a), __scc(b), __scc(c), __scc(d), __scc(e), __scc(f)), __scc(a), \
		 __scc(b), __scc(c), __scc(d), __scc(e), __scc(f))

#endif
