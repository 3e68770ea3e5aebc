/* What the unwinder's sources expect of the compiler's own headers. */
#ifndef UKL_TSYSTEM_H
#define UKL_TSYSTEM_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ATTRIBUTE_UNUSED __attribute__((unused))
#define gcc_assert(condition) ((void)((condition) ? 0 : (abort(), 0)))
#define gcc_unreachable() abort()

/* The target's defaults, for x86-64: DWARF register numbers are the unwinder's. */
#define DWARF_REG_TO_UNWIND_COLUMN(number) (number)

#endif
