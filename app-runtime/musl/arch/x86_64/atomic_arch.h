/*
 * Atomic operations by the compiler's own, which are the same instructions.
 *
 * What this file is for is what it leaves out: the library's a_crash for this machine is `hlt`, which a process may not
 * execute and therefore ends with a signal. In ring 0 it is legal and would only wait for the next interrupt. Without a
 * definition here, the library writes to address 0 instead: SIGSEGV, as in a process.
 */

#define a_cas a_cas
static inline int a_cas(volatile int *p, int expected, int value)
{
	__atomic_compare_exchange_n(p, &expected, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return expected;
}

#define a_cas_p a_cas_p
static inline void *a_cas_p(volatile void *p, void *expected, void *value)
{
	__atomic_compare_exchange_n((void *volatile *)p, &expected, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return expected;
}

#define a_swap a_swap
static inline int a_swap(volatile int *p, int value)
{
	return __atomic_exchange_n(p, value, __ATOMIC_SEQ_CST);
}

#define a_fetch_add a_fetch_add
static inline int a_fetch_add(volatile int *p, int value)
{
	return __atomic_fetch_add(p, value, __ATOMIC_SEQ_CST);
}

#define a_and a_and
static inline void a_and(volatile int *p, int value)
{
	__atomic_and_fetch(p, value, __ATOMIC_SEQ_CST);
}

#define a_or a_or
static inline void a_or(volatile int *p, int value)
{
	__atomic_or_fetch(p, value, __ATOMIC_SEQ_CST);
}

#define a_and_64 a_and_64
static inline void a_and_64(volatile uint64_t *p, uint64_t value)
{
	__atomic_and_fetch(p, value, __ATOMIC_SEQ_CST);
}

#define a_or_64 a_or_64
static inline void a_or_64(volatile uint64_t *p, uint64_t value)
{
	__atomic_or_fetch(p, value, __ATOMIC_SEQ_CST);
}

#define a_inc a_inc
static inline void a_inc(volatile int *p)
{
	__atomic_add_fetch(p, 1, __ATOMIC_SEQ_CST);
}

#define a_dec a_dec
static inline void a_dec(volatile int *p)
{
	__atomic_sub_fetch(p, 1, __ATOMIC_SEQ_CST);
}

#define a_store a_store
static inline void a_store(volatile int *p, int value)
{
	__atomic_store_n(p, value, __ATOMIC_SEQ_CST);
}

#define a_barrier a_barrier
static inline void a_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* The hint that this is a waiting loop; also keeps the compiler from caching what is waited for. */
#define a_spin a_spin
static inline void a_spin(void)
{
	__asm__ __volatile__("pause" : : : "memory");
}

/* Index of the lowest and number of zero bits above the highest bit; undefined for 0, as the library expects. */
#define a_ctz_64 a_ctz_64
static inline int a_ctz_64(uint64_t value)
{
	return __builtin_ctzll(value);
}

#define a_clz_64 a_clz_64
static inline int a_clz_64(uint64_t value)
{
	return __builtin_clzll(value);
}
