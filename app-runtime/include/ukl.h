/* What a program can ask the Unikernel Linux runtime. Everything else is plain C and POSIX. */
#ifndef UKL_H
#define UKL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The level the program was linked for: "base", "byb", ...; "linux" in an ordinary process. Never null, never freed. */
const char *ukl_level(void);

/* How a system call is made: through the kernel's entry code, by a call of the kernel's function, or past its upper layers. */
enum ukl_path {
	UKL_PATH_FULL,
	UKL_PATH_DIRECT,
	UKL_PATH_SHORTCUT,
};

/*
 * Chooses the path of the system call with this number (SYS_read, ...) for the calling thread and the threads and processes
 * that it will create; all of them share the choice. 0, or -1 if the number is no number or the level has no such path.
 * UKL_PATHS=read=full,write=direct (or all=full) in the environment chooses before main.
 */
int ukl_set_path(int number, enum ukl_path path);

/* The path the call takes: one of enum ukl_path, or -1. UKL_PATH_SHORTCUT for a call without shortcut means direct. */
int ukl_get_path(int number);

/*
 * send(2) and recv(2) on a connected socket, made the way the level makes sendto and recvfrom: at level shortcut a TCP socket
 * is TCP's at once. They are no cancellation points and leave errno alone: the length, or a negative error number.
 */
ssize_t ukl_send(int fd, const void *bytes, size_t length, int flags);
ssize_t ukl_recv(int fd, void *buffer, size_t length, int flags);

/* CLOCK_MONOTONIC in nanoseconds, without a system call wherever the kernel's clock allows that. */
uint64_t ukl_monotonic_ns(void);

#ifdef __cplusplus
}
#endif

#endif
