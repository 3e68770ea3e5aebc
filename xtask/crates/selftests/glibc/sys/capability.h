/* As much of libcap as the selftests call. */
#ifndef UKL_GLIBC_SYS_CAPABILITY_H
#define UKL_GLIBC_SYS_CAPABILITY_H
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef int cap_value_t;
typedef enum { CAP_EFFECTIVE, CAP_PERMITTED, CAP_INHERITABLE } cap_flag_t;
typedef enum { CAP_CLEAR, CAP_SET } cap_flag_value_t;
/* The two words of each set, in the order of cap_flag_t, behind the header, where a test looks for them in libcap's. */
typedef struct ukl_capabilities {
	struct __user_cap_header_struct header;
	unsigned int words[2][3];
} *cap_t;

static inline cap_t cap_init(void)
{
	cap_t caps = calloc(1, sizeof(struct ukl_capabilities));

	if (caps)
		caps->header.version = _LINUX_CAPABILITY_VERSION_3;
	return caps;
}

static inline cap_t cap_get_proc(void)
{
	cap_t caps = cap_init();

	if (caps && syscall(SYS_capget, &caps->header, caps->words) != 0) {
		free(caps);
		return NULL;
	}
	return caps;
}

static inline int cap_set_proc(cap_t caps)
{
	return syscall(SYS_capset, &caps->header, caps->words);
}

static inline int cap_set_flag(cap_t caps, cap_flag_t set, int count, const cap_value_t *values,
			       cap_flag_value_t on)
{
	for (int i = 0; i < count; i++) {
		unsigned int *word = &caps->words[values[i] / 32][set], bit = 1u << values[i] % 32;

		*word = on ? *word | bit : *word & ~bit;
	}
	return 0;
}

static inline int cap_get_flag(cap_t caps, cap_value_t value, cap_flag_t set, cap_flag_value_t *on)
{
	*on = caps->words[value / 32][set] >> value % 32 & 1 ? CAP_SET : CAP_CLEAR;
	return 0;
}

static inline int cap_clear(cap_t caps)
{
	memset(caps->words, 0, sizeof(caps->words));
	return 0;
}

static inline int cap_free(void *caps)
{
	free(caps);
	return 0;
}
#endif
