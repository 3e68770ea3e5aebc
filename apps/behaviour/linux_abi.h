/* The few kernel interfaces the tests use that libc headers do not declare. Written out here so that the tests build
 * against a bare libc, without a copy of the kernel's own headers. Values are kernel ABI (include/uapi/linux). */
#ifndef LINUX_ABI_H
#define LINUX_ABI_H

#include <stdint.h>

#define FUTEX_WAIT_PRIVATE 128

/* ---- seccomp and its filter programs ---- */
#define SECCOMP_MODE_STRICT 1
#define SECCOMP_MODE_FILTER 2
#define SECCOMP_RET_KILL_PROCESS 0x80000000U
#define SECCOMP_RET_TRAP 0x00030000U
#define SECCOMP_RET_ERRNO 0x00050000U
#define SECCOMP_RET_ALLOW 0x7fff0000U
#define AUDIT_ARCH_X86_64 0xc000003eU

struct seccomp_data {
	int32_t nr;
	uint32_t arch;
	uint64_t instruction_pointer;
	uint64_t args[6];
};

struct sock_filter {
	uint16_t code;
	uint8_t jt, jf;
	uint32_t k;
};

struct sock_fprog {
	uint16_t len;
	struct sock_filter *filter;
};

#define BPF_LOAD_WORD 0x20     /* BPF_LD | BPF_W | BPF_ABS */
#define BPF_JUMP_IF_EQUAL 0x15 /* BPF_JMP | BPF_JEQ | BPF_K */
#define BPF_RETURN 0x06        /* BPF_RET | BPF_K */

/* ---- perf events ---- */
#define PERF_TYPE_SOFTWARE 1
#define PERF_TYPE_BREAKPOINT 5
#define HW_BREAKPOINT_X 4
#define PERF_COUNT_SW_CPU_CLOCK 0
#define PERF_COUNT_SW_PAGE_FAULTS 2
#define PERF_SAMPLE_IP 1
#define PERF_SAMPLE_TID 2
#define PERF_RECORD_SAMPLE 9
#define PERF_RECORD_MISC_CPUMODE_MASK 7
#define PERF_RECORD_MISC_USER 2
#define PERF_EVENT_IOC_ENABLE 0x2400
#define PERF_EVENT_IOC_DISABLE 0x2401
#define PERF_FLAG_DISABLED 1
#define PERF_FLAG_EXCLUDE_KERNEL (1 << 5)
#define PERF_FLAG_EXCLUDE_HV (1 << 6)

/* The second version of the structure, 72 bytes: `size` tells the kernel so. */
struct perf_event_attr {
	uint32_t type, size;
	uint64_t config, sample_period, sample_type, read_format, flags;
	uint32_t wakeup_events, bp_type;
	uint64_t config1, config2;
};

_Static_assert(sizeof(struct perf_event_attr) == 72, "PERF_ATTR_SIZE_VER1");

struct perf_event_header {
	uint32_t type;
	uint16_t misc, size;
};

/* Offset of data_head in the first page of a ring buffer. */
#define PERF_DATA_HEAD 1024

#endif
