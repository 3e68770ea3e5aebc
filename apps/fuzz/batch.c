/* One batch: its calls, one after the other. */
#include "fuzz.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* FNV-1a, a byte at a time. */
static uint64_t hashed(uint64_t hash, uint32_t value)
{
	for (int i = 0; i < 4; i++, value >>= 8)
		hash = (hash ^ (value & 0xff)) * 0x100000001b3;
	return hash;
}

_Noreturn void batch(uint64_t seed, uint64_t number, int shown, struct record *record)
{
	struct random random = { seed * 0x9e3779b97f4a7c15 + number };

	make_pool(&random);
	record->hash = 0xcbf29ce484222325;
	for (uint32_t at = 0; at < BATCH_CALLS; at++) {
		struct call call = choose_call(&random);
		struct outcome *outcome = &record->outcomes[at];
		uint64_t *a = outcome->arguments;

		for (size_t i = 0; i < ARGUMENTS; i++)
			a[i] = choose(&random, call.kinds[i]);
		outcome->number = call.number;
		/* Counted before it is made: it may be the one that ends the process. */
		outcome->error = 0xffff;
		record->calls = at + 1;
		errno = 0;
		long result = syscall(call.number, a[0], a[1], a[2], a[3], a[4], a[5]);
		outcome->error = result == -1 ? (uint16_t)errno : 0;
		if (shown)
			outcome->memory = hash_pool();
		record->hash = hashed(record->hash, (uint32_t)outcome->number << 16 | outcome->error);
	}
	uint64_t memory = hash_pool();
	record->hash = hashed(hashed(record->hash, (uint32_t)memory), (uint32_t)(memory >> 32));
	scan_pool(record);
	/* Not exit(): a batch may have closed or unmapped what that wants. */
	_exit(0);
}
