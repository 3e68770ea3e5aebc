/* A place for stacks whose surroundings are the same at every level.
 *
 * What else is mapped decides whether a mapping needs a page of page-table entries made and freed for it (some 4000
 * instructions), and how the kernel changes its tree of mappings when one grows. A linked-in program has fewer mappings
 * than an ELF file, and nothing above its stack; that is not what is to be counted. */
#include "microbench.h"

#include <sys/mman.h>

/* As many as may find room above the hole before it is the highest. */
#define MAX_PROBES 1000

static unsigned char *map(size_t bytes, int protection)
{
	unsigned char *at = mmap(NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	must("mmap", at == MAP_FAILED ? -1 : 0);
	return at;
}

unsigned char *make_hole(void)
{
	unsigned char *taken = map(2 * TABLE_BYTES, PROT_NONE);
	unsigned char *hole = taken + (-(unsigned long)taken) % TABLE_BYTES;
	unsigned char *last = hole + HOLE_BYTES;
	int probes = 0;

	/* Below the hole, and above its last page, stays taken what was. */
	must("mprotect", mprotect(last, PAGE_BYTES, PROT_READ | PROT_WRITE));
	*last = 1;
	must("munmap", munmap(hole, HOLE_BYTES));
	/* The kernel takes the highest place that is large enough: fill those that are higher. */
	for (;;) {
		unsigned char *probe = map(STACK_BYTES, PROT_NONE);

		if (in_hole(hole, probe)) {
			must("munmap", munmap(probe, STACK_BYTES));
			return hole;
		}
		expect_at_least("the number of places above the hole", MAX_PROBES, ++probes);
	}
}

int in_hole(const unsigned char *hole, const void *address)
{
	return (const unsigned char *)address >= hole && (const unsigned char *)address < hole + HOLE_BYTES;
}
