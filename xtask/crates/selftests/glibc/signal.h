/* The inner names of struct sigevent, and the frame of a signal as the kernel lays it out. */
#ifndef UKL_GLIBC_SIGNAL_H
#define UKL_GLIBC_SIGNAL_H
#include_next <signal.h>
#undef sigev_notify_thread_id
#define _sigev_un __sev_fields
#define _tid sigev_notify_thread_id
struct _fpx_sw_bytes {
	unsigned int magic1;
	unsigned int extended_size;
	unsigned long long xstate_bv;
	unsigned int xstate_size;
	unsigned int __glibc_reserved1[7];
};
#endif
