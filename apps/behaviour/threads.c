/* Threads: creation, thread-local data, locks, and their common view of memory. */
#include "behaviour.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdint.h>

#define THREADS 16

static _Thread_local int local = 5;
static _Thread_local int local_zero;
static _Thread_local _Alignas(64) char local_aligned[64];

struct seen {
	int start, start_zero, end;
	long address, misaligned;
};

static pthread_barrier_t barrier;

static void *use_locals(void *argument)
{
	struct seen *seen = argument;
	int mine = (int)((uintptr_t)seen & 0xffff);

	seen->start = local;
	seen->start_zero = local_zero;
	seen->misaligned = (long)((uintptr_t)local_aligned & 63);
	seen->address = (long)&local;
	local = mine;
	pthread_barrier_wait(&barrier);
	seen->end = local - mine;
	return seen;
}

static void create_join_locals(void)
{
	struct seen seen[THREADS];
	pthread_t threads[THREADS];
	int same_address = 0, wrong = 0;
	void *result;

	local = 6;
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		expect_long("pthread_create", pthread_create(&threads[i], NULL, use_locals, &seen[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		expect_long("pthread_join", pthread_join(threads[i], &result), 0);
		wrong += result != &seen[i];
		wrong += seen[i].start != 5 || seen[i].start_zero != 0 || seen[i].end != 0 || seen[i].misaligned != 0;
		same_address += seen[i].address == (long)&local;
		for (int j = 0; j < i; j++)
			same_address += seen[i].address == seen[j].address;
	}
	expect_long("threads of 16 with a wrong initial, lost or misaligned thread-local or a wrong result", wrong, 0);
	expect_long("pairs of threads that share a thread-local", same_address, 0);
	expect_long("the main thread's own", local, 6);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter, atomic_counter;

static void *add(void *unused)
{
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
		__atomic_fetch_add(&atomic_counter, 1, __ATOMIC_RELAXED);
	}
	return unused;
}

static void mutex_counter(void)
{
	pthread_t threads[8];

	for (int i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, add, NULL);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	expect_long("counter under a mutex, 8 threads of 2000", counter, 16000);
	expect_long("atomic counter", atomic_counter, 16000);
}

static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static int turn, rounds[2];

static void *ping_pong(void *argument)
{
	int me = (int)(long)argument;

	for (int i = 0; i < 200; i++) {
		pthread_mutex_lock(&mutex);
		while (turn != me)
			pthread_cond_wait(&turned, &mutex);
		rounds[me]++;
		turn = !me;
		pthread_cond_signal(&turned);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void condition_variable(void)
{
	pthread_t threads[2];

	for (long i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, ping_pong, (void *)i);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	expect_long("turns of the first thread", rounds[0], 200);
	expect_long("turns of the second", rounds[1], 200);
}

static sem_t semaphore;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static long written;

static void *write_locked(void *unused)
{
	for (int i = 0; i < 100; i++) {
		pthread_rwlock_wrlock(&rwlock);
		long before = written;
		if (i % 10 == 0)
			sched_yield();
		written = before + 1;
		pthread_rwlock_unlock(&rwlock);
		pthread_rwlock_rdlock(&rwlock);
		pthread_rwlock_unlock(&rwlock);
	}
	sem_post(&semaphore);
	return unused;
}

static long thread_count(void)
{
	DIR *tasks = opendir("/proc/self/task");
	long count = 0;

	must("opendir /proc/self/task", tasks ? 0 : -1);
	for (struct dirent *entry; (entry = readdir(tasks));)
		count += entry->d_name[0] != '.';
	closedir(tasks);
	return count;
}

/* Detached threads free their own stack on the way out (__unmapself in musl), with no stack to return to. */
static void detached_threads(void)
{
	pthread_attr_t attributes;
	pthread_t thread;

	sem_init(&semaphore, 0, 0);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	for (int i = 0; i < THREADS; i++)
		expect_long("pthread_create", pthread_create(&thread, &attributes, write_locked, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		while (sem_wait(&semaphore) < 0)
			;
	expect_long("writes of 16 detached threads under a write lock", written, 16 * 100);
	/* The last threads still unmap themselves after their post: wait until only this one is left. */
	long end = now_ms() + 2000, threads;
	do
		sleep_ms(2);
	while ((threads = thread_count()) > 1 && now_ms() < end);
	expect_long("threads left", threads, 1);
}

static pthread_key_t key;
static int destroyed;

static void destroy(void *value)
{
	destroyed += (int)(long)value;
}

static void *exit_deep(void *unused)
{
	(void)unused;
	pthread_setspecific(key, (void *)3L);
	pthread_exit((void *)9L);
}

static void exit_and_keys(void)
{
	pthread_t thread;
	void *result;

	pthread_key_create(&key, destroy);
	for (int i = 0; i < 4; i++) {
		pthread_create(&thread, NULL, exit_deep, NULL);
		pthread_join(thread, &result);
		expect_long("value given to pthread_exit", (long)result, 9);
	}
	expect_long("destructors of thread-specific values, 4 of 3", destroyed, 12);
}

static void *use_stack(void *unused)
{
	volatile char frame[200 << 10];

	(void)unused;
	for (size_t i = 0; i < sizeof frame; i += 4096)
		frame[i] = 1;
	return (void *)(long)frame[0];
}

static void small_stack(void)
{
	pthread_attr_t attributes;
	pthread_t thread;
	void *result = NULL;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 256 << 10);
	expect_long("pthread_create with 256 KiB of stack", pthread_create(&thread, &attributes, use_stack, NULL), 0);
	pthread_join(thread, &result);
	expect_long("200 KiB of it used", (long)result, 1);
}

const struct test thread_tests[] = {
	{ "threads", create_join_locals },
	{ "mutex", mutex_counter },
	{ "condition-variable", condition_variable },
	{ "detached-threads", detached_threads },
	{ "pthread-exit", exit_and_keys },
	{ "thread-stack", small_stack },
	END_OF_TESTS
};
