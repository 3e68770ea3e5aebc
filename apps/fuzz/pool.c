/* What arguments are chosen from. */
#include "fuzz.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

/* The same at every level: no address space has anything there by itself. */
#define BASE 0x10000000000UL
#define PAGE 0x1000UL
#define WRITABLE (16 * PAGE)
/* Behind the memory that can be written to: a page that can be read, then one that cannot, then nothing. */
#define READABLE (BASE + WRITABLE)
#define FORBIDDEN (READABLE + PAGE)
#define NOTHING (FORBIDDEN + PAGE)
/* Apart from the rest, for what no two runs have alike: times, addresses, inodes. No call reads from there. */
#define SINK (BASE + (1UL << 20))
/* In the page that can be read: names. What they stand for is the batch's own: it may be taken away. */
static const char *const names[] = { "f", "d", "d/f", "l", "nothing", "", "d/nothing", "f/f", "/proc", "." };
#define NAMES (sizeof names / sizeof names[0])
#define NAME_BYTES 64

uint64_t next(struct random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint64_t below(struct random *random, uint64_t limit)
{
	return next(random) % limit;
}

/* Descriptors 0 to 15, of every kind that does not wait. */
static void make_files(void)
{
	int ends[2];

	/* Nodes of the batch's own, for it may change their mode and owner. */
	if (mknod("null", S_IFCHR | 0666, makedev(1, 3)) || mknod("zero", S_IFCHR | 0666, makedev(1, 5)))
		_exit(125);
	int null = open("null", O_RDWR);

	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	for (int fd = 3; fd < 32; fd++)
		close(fd);
	int file = open("f", O_RDWR | O_CREAT, 0666);
	if (file < 0 || write(file, "some text", 9) != 9 || mkdir("d", 0777) || symlink("f", "l"))
		_exit(125);
	open("d/f", O_RDWR | O_CREAT, 0666);
	open("d", O_RDONLY | O_DIRECTORY);
	open("zero", O_RDWR);
	if (pipe2(ends, O_NONBLOCK))
		_exit(125);
	eventfd(1, EFD_NONBLOCK);
	epoll_create1(0);
	socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends))
		_exit(125);
	open("f", O_WRONLY | O_APPEND);
	open(".", O_PATH);
}

void make_pool(struct random *random)
{
	make_files();
	char *base = mmap((void *)BASE, WRITABLE + 2 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (base == MAP_FAILED)
		_exit(125);
	if (mmap((void *)SINK, WRITABLE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		_exit(125);
	/* Small numbers, so that structures in it are sometimes valid, and nothing that looks like an address. */
	for (uint64_t *word = (uint64_t *)base; word < (uint64_t *)READABLE; word++)
		*word = below(random, 4) ? below(random, 16) : below(random, 1UL << 31);
	for (size_t i = 0; i < NAMES; i++)
		strcpy((char *)READABLE + i * NAME_BYTES, names[i]);
	mprotect((void *)READABLE, PAGE, PROT_READ);
	mprotect((void *)FORBIDDEN, PAGE, PROT_NONE);
}

static uint64_t pointer(struct random *random)
{
	static const uint64_t bad[] = {
		0, 1, FORBIDDEN, NOTHING, READABLE - 1, FORBIDDEN - 1, 0x7ff000000000, 0x7ffffffff000, 0x800000000000,
		0x8000000000000000, 0xffff888000000000, 0xffffffff81000000, 0xfffffffffffff000, ~0UL,
	};

	if (below(random, 4) == 0)
		return bad[below(random, sizeof bad / sizeof bad[0])];
	if (below(random, 8) == 0)
		return READABLE + below(random, NAMES) * NAME_BYTES;
	/* Some lie across the end of a page. */
	return BASE + below(random, 15) * PAGE + (below(random, 4) ? below(random, 64) * 8 : PAGE - below(random, 16));
}

static uint64_t length(struct random *random)
{
	static const uint64_t lengths[] = { 0, 1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 128, 256, 1024, 4096, 8192, 65536 };

	return lengths[below(random, sizeof lengths / sizeof lengths[0])];
}

/*
 * An argument: f descriptor, p path, b memory, w memory that is only written to, l length (L: never the longest), n small number, i bits, o offset, m mode, u user or group, s a
 * process, z zero, and ? any of them. Lengths stay small: what a call may fill with them is memory of the machine.
 */
uint64_t choose(struct random *random, char kind)
{
	static const char any[] = "fpblniomz";

	switch (kind) {
	case 'f':
		return below(random, 16) ? below(random, 20) : (below(random, 2) ? ~0UL : 1000);
	case 'p':
		return below(random, 4) ? READABLE + below(random, NAMES) * NAME_BYTES : pointer(random);
	case 'b':
		return pointer(random);
	case 'w': {
		uint64_t place = pointer(random);
		return place >= BASE && place < NOTHING ? place - BASE + SINK : place;
	}
	case 'l':
		return below(random, 16) ? length(random) : ~0UL;
	case 'L':
		return length(random);
	case 'n':
		return below(random, 40);
	case 'i': {
		uint64_t bit = below(random, 32);
		/* As an address, that one is where a program's constants are, and each program has others. */
		return below(random, 4) && bit != 22 ? 1UL << bit : below(random, 1UL << 32);
	}
	case 'o':
		return below(random, 4) ? below(random, 1UL << 20) : next(random);
	case 'm':
		return below(random, 01000);
	case 'u':
		return below(random, 4) ? 1000 : ~0UL;
	case 's':
		return below(random, 2) ? 0 : ~0UL;
	case 'z':
		return 0;
	default:
		return choose(random, any[below(random, sizeof any - 1)]);
	}
}

/* What can be read of it, without a change to what a batch has made of it. */
uint64_t hash_pool(void)
{
	static char page[PAGE];
	uint64_t hash = 0xcbf29ce484222325;

	for (uint64_t at = BASE; at < NOTHING; at += PAGE) {
		struct iovec here = { page, PAGE }, there = { (void *)at, PAGE };
		if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) != (ssize_t)PAGE)
			continue;
		for (size_t i = 0; i < PAGE / sizeof hash; i++)
			hash = (hash ^ ((uint64_t *)page)[i]) * 0x100000001b3 + (hash >> 32);
	}
	return hash;
}

/* The direct map and what follows it, and the kernel's text and modules; not a small negative number. */
static int is_kernels(uint64_t value)
{
	return (value >= 0xffff888000000000 && value < 0xffffff0000000000) ||
	       (value >= 0xffffffff80000000 && value < 0xffffffffff000000);
}

/* Looks through the memory that calls were given to write to. */
void scan_pool(struct record *record)
{
	const size_t pages = WRITABLE / PAGE;

	for (size_t page = 0; page < 2 * pages; page++) {
		/* The batch may have taken it away, or its access. */
		const uint64_t *word = (const uint64_t *)((page < pages ? BASE : SINK - WRITABLE) + page * PAGE);
		if (mprotect((void *)word, PAGE, PROT_READ))
			continue;
		for (size_t i = 0; i < PAGE / sizeof *word; i++)
			if (is_kernels(word[i])) {
				record->leaks++;
				record->leaked = word[i];
			}
	}
}
