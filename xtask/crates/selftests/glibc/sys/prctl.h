/* The kernel's, which knows more operations; both define the same structure. */
#ifndef UKL_GLIBC_SYS_PRCTL_H
#define UKL_GLIBC_SYS_PRCTL_H
#include <linux/prctl.h>
int prctl(int, ...);
#endif
