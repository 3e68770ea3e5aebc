/* Sampling: a profiler sees the application's own text, as user-mode samples of its process. */
#include "behaviour.h"
#include "linux_abi.h"

#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096UL
#define DATA_PAGES 16UL

struct sample {
	struct perf_event_header header;
	uint64_t ip;
	uint32_t pid, tid;
};

static __attribute__((noinline, aligned(64))) void busy(long ms)
{
	spin_ms(ms);
}

static void sampling(void)
{
	struct perf_event_attr wanted = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof wanted,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 2000000, /* ns of CPU time */
		.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID,
		/* Ring 0 or not, the program's own text counts as user mode. */
		.flags = PERF_FLAG_DISABLED | PERF_FLAG_EXCLUDE_KERNEL | PERF_FLAG_EXCLUDE_HV,
	};
	long samples = 0, user = 0, own_text = 0, own_process = 0;

	int fd = (int)must("perf_event_open", syscall(SYS_perf_event_open, &wanted, 0, -1, -1, 0));
	char *ring = mmap(NULL, (1 + DATA_PAGES) * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must("mmap of the ring buffer", ring == MAP_FAILED ? -1 : 0);
	ioctl(fd, PERF_EVENT_IOC_ENABLE, 0);
	busy(300);
	ioctl(fd, PERF_EVENT_IOC_DISABLE, 0);

	const char *data = ring + PAGE;
	uint64_t head = __atomic_load_n((uint64_t *)(ring + PERF_DATA_HEAD), __ATOMIC_ACQUIRE);
	for (uint64_t tail = 0; tail < head;) {
		struct sample sample;
		for (size_t i = 0; i < sizeof sample; i++)
			((char *)&sample)[i] = data[(tail + i) % (DATA_PAGES * PAGE)];
		if (!sample.header.size)
			break;
		tail += sample.header.size;
		if (sample.header.type != PERF_RECORD_SAMPLE)
			continue;
		samples++;
		user += (sample.header.misc & PERF_RECORD_MISC_CPUMODE_MASK) == PERF_RECORD_MISC_USER;
		own_text += sample.ip - (unsigned long)busy < 4 << 20 || (unsigned long)busy - sample.ip < 4 << 20;
		own_process += sample.pid == (uint32_t)getpid();
	}
	expect_at_least("samples in 300 ms at 2 ms", samples, 20);
	expect_long("of these in user mode", user, samples);
	expect_long("of these attributed to this process", own_process, samples);
	expect_at_least("of these with an instruction pointer within 4 MiB of this program's text", own_text,
			samples - samples / 10);
}

static void counting(void)
{
	struct perf_event_attr wanted = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof wanted,
		.config = PERF_COUNT_SW_PAGE_FAULTS,
		.flags = PERF_FLAG_EXCLUDE_KERNEL,
	};
	uint64_t before = 0, after = 0;

	int fd = (int)must("perf_event_open", syscall(SYS_perf_event_open, &wanted, 0, -1, -1, 0));
	must("read", read(fd, &before, 8));
	char *pages = mmap(NULL, 50 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must("madvise", madvise(pages, 50 * PAGE, MADV_NOHUGEPAGE));
	for (int i = 0; i < 50; i++)
		*(volatile char *)(pages + (size_t)i * PAGE) = 1;
	must("read", read(fd, &after, 8));
	expect_between("page faults counted for 50 new pages", (long)(after - before), 50, 60);
}

const struct test perf_tests[] = {
	{ "perf-sampling", sampling },
	{ "perf-page-faults", counting },
	END_OF_TESTS
};
