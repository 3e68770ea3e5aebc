/* What programs ask of the versions of glibc and gcc, and types that most headers of glibc bring along. */
#ifndef UKL_GLIBC_FEATURES_H
#define UKL_GLIBC_FEATURES_H
#include_next <features.h>
/* Older than any: the programs then define for themselves what they need. */
#define __GLIBC_PREREQ(major, minor) 0
#define __GNUC_PREREQ(major, minor) 1
#define __fsword_t long
#ifndef __always_inline
#define __always_inline inline __attribute__((__always_inline__))
#endif
#ifndef __ASSEMBLER__
#include <linux/types.h>
typedef unsigned int uint;
/* Whoever calls it undeclared would cut the pointer that it returns. */
char *basename();
#endif
#endif
