/* Parts of the system-call fuzzer. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

#define ARGUMENTS 6
/* System calls that a batch makes, in one process that starts afresh. */
#define BATCH_CALLS 400

/* What became of one call. */
struct outcome {
	uint16_t number;
	/* 0 when it succeeded, else errno. */
	uint16_t error;
	uint64_t arguments[ARGUMENTS];
	/* A hash of the memory that calls read and write, after it; only where a batch is shown. */
	uint64_t memory;
};

/* What a batch leaves to its parent, in memory that both share. */
struct record {
	uint32_t calls;
	/* Values that look like addresses of the kernel, found in memory that only calls have written to. */
	uint32_t leaks;
	uint64_t leaked;
	/* Of the numbers and errors of all calls, and of the memory after the last. */
	uint64_t hash;
	struct outcome outcomes[BATCH_CALLS];
};

/* A generator whose stream is the same everywhere (splitmix64). */
struct random {
	uint64_t state;
};
uint64_t next(struct random *random);
/* Below limit. */
uint64_t below(struct random *random, uint64_t limit);

/* pool.c: the files and memory that arguments are chosen from. */
void make_pool(struct random *random);
uint64_t choose(struct random *random, char kind);
void scan_pool(struct record *record);
uint64_t hash_pool(void);

/* calls.c: which calls there are. */
struct call {
	uint16_t number;
	/* One letter for each argument, see choose(). */
	const char *kinds;
};
struct call choose_call(struct random *random);

/* batch.c: makes the calls of batch `number`, fills the record, and ends the process. */
_Noreturn void batch(uint64_t seed, uint64_t number, int shown, struct record *record);

#endif
