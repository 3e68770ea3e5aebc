/* Which calls are made, and what their arguments are. */
#include "fuzz.h"

/*
 * Left out, by why:
 * - ends or leaves the process: exit, exit_group, execve, execveat, fork, vfork, clone, clone3, rt_sigreturn,
 *   uretprobe
 * - waits: pause, rt_sigsuspend, rt_sigtimedwait, wait4, waitid, futex, futex_wait, futex_waitv, futex_requeue,
 *   flock, msgrcv, msgsnd, semop, semtimedop, mq_timedreceive, mq_timedsend, nanosleep, clock_nanosleep, poll,
 *   ppoll, select, pselect6, epoll_wait, epoll_pwait, epoll_pwait2, io_getevents, io_pgetevents,
 *   io_uring_enter, splice, vmsplice, tee, accept, accept4, fcntl, ioctl, mknod, mknodat
 * - comes back later: timers and signals: alarm, setitimer, timer_create, timer_settime, timer_delete, kill,
 *   tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_send_signal, ptrace
 * - changes the machine for the batches after it: reboot, mount, umount2, pivot_root, chroot, move_mount,
 *   mount_setattr, fsopen, fsmount, fspick, fsconfig, open_tree, swapon, swapoff, sethostname, setdomainname,
 *   settimeofday, clock_settime, clock_adjtime, adjtimex, init_module, finit_module, delete_module, kexec_load,
 *   kexec_file_load, acct, quotactl, quotactl_fd, syslog, iopl, ioperm, vhangup, setns, unshare,
 *   process_vm_writev, process_madvise, sync, syncfs, msgget, semget, shmget, shmat, mq_open, mq_unlink
 * - limits by what the process has used, which differs: setrlimit, prlimit64, mlockall, sched_setscheduler,
 *   sched_setparam, sched_setattr, sched_setaffinity, setpriority, ioprio_set
 * - takes the thread pointer away: arch_prctl, set_thread_area, modify_ldt
 * - writes as much as it is told: sendfile, copy_file_range, fallocate
 */
/*
 * getrandom() fills nothing: what it gives may look like an address. New pipes and pairs of sockets find no place for their
 * descriptors: reading from them would wait.
 */
static const struct call calls[] = {
	{ 0, "fblzzz" }, /* read */
	{ 1, "fblzzz" }, /* write */
	{ 2, "pimzzz" }, /* open */
	{ 3, "fzzzzz" }, /* close */
	{ 4, "pwzzzz" }, /* stat */
	{ 5, "fwzzzz" }, /* fstat */
	{ 6, "pwzzzz" }, /* lstat */
	{ 8, "fonzzz" }, /* lseek */
	{ 9, "blnifo" }, /* mmap */
	{ 10, "bLnzzz" }, /* mprotect */
	{ 11, "bLzzzz" }, /* munmap */
	{ 12, "??????" }, /* brk */
	{ 13, "nbwlzz" }, /* rt_sigaction */
	{ 14, "nbblzz" }, /* rt_sigprocmask */
	{ 17, "fblozz" }, /* pread64 */
	{ 18, "fblozz" }, /* pwrite64 */
	{ 19, "fbnzzz" }, /* readv */
	{ 20, "fbnzzz" }, /* writev */
	{ 21, "pnzzzz" }, /* access */
	{ 22, "zzzzzz" }, /* pipe */
	{ 24, "??????" }, /* sched_yield */
	{ 25, "bLLnbz" }, /* mremap */
	{ 26, "bLnzzz" }, /* msync */
	{ 27, "bLwzzz" }, /* mincore */
	{ 28, "bLnzzz" }, /* madvise */
	{ 31, "??????" }, /* shmctl */
	{ 32, "fzzzzz" }, /* dup */
	{ 33, "ffzzzz" }, /* dup2 */
	{ 36, "nwzzzz" }, /* getitimer */
	{ 39, "??????" }, /* getpid */
	{ 41, "nnnzzz" }, /* socket */
	{ 42, "fbLzzz" }, /* connect */
	{ 44, "fblibL" }, /* sendto */
	{ 45, "fbliwb" }, /* recvfrom */
	{ 46, "fbizzz" }, /* sendmsg */
	{ 47, "fbizzz" }, /* recvmsg */
	{ 48, "fnzzzz" }, /* shutdown */
	{ 49, "fbLzzz" }, /* bind */
	{ 50, "fnzzzz" }, /* listen */
	{ 51, "fwbzzz" }, /* getsockname */
	{ 52, "fwbzzz" }, /* getpeername */
	{ 53, "nnnzzz" }, /* socketpair */
	{ 54, "fnnbLz" }, /* setsockopt */
	{ 55, "fnnwbz" }, /* getsockopt */
	{ 63, "wzzzzz" }, /* uname */
	{ 66, "??????" }, /* semctl */
	{ 67, "??????" }, /* shmdt */
	{ 71, "??????" }, /* msgctl */
	{ 74, "fzzzzz" }, /* fsync */
	{ 75, "fzzzzz" }, /* fdatasync */
	{ 76, "pozzzz" }, /* truncate */
	{ 77, "fozzzz" }, /* ftruncate */
	{ 78, "fwlzzz" }, /* getdents */
	{ 79, "blzzzz" }, /* getcwd */
	{ 80, "pzzzzz" }, /* chdir */
	{ 81, "fzzzzz" }, /* fchdir */
	{ 82, "ppzzzz" }, /* rename */
	{ 83, "pmzzzz" }, /* mkdir */
	{ 84, "pzzzzz" }, /* rmdir */
	{ 85, "pmzzzz" }, /* creat */
	{ 86, "ppzzzz" }, /* link */
	{ 87, "pzzzzz" }, /* unlink */
	{ 88, "ppzzzz" }, /* symlink */
	{ 89, "pblzzz" }, /* readlink */
	{ 90, "pmzzzz" }, /* chmod */
	{ 91, "fmzzzz" }, /* fchmod */
	{ 92, "puuzzz" }, /* chown */
	{ 93, "fuuzzz" }, /* fchown */
	{ 94, "puuzzz" }, /* lchown */
	{ 95, "mzzzzz" }, /* umask */
	{ 96, "wwzzzz" }, /* gettimeofday */
	{ 97, "nwzzzz" }, /* getrlimit */
	{ 98, "nwzzzz" }, /* getrusage */
	{ 99, "wzzzzz" }, /* sysinfo */
	{ 100, "wzzzzz" }, /* times */
	{ 102, "??????" }, /* getuid */
	{ 104, "??????" }, /* getgid */
	{ 105, "uzzzzz" }, /* setuid */
	{ 106, "uzzzzz" }, /* setgid */
	{ 107, "??????" }, /* geteuid */
	{ 108, "??????" }, /* getegid */
	{ 109, "sszzzz" }, /* setpgid */
	{ 110, "??????" }, /* getppid */
	{ 111, "??????" }, /* getpgrp */
	{ 112, "??????" }, /* setsid */
	{ 113, "??????" }, /* setreuid */
	{ 114, "??????" }, /* setregid */
	{ 115, "nbzzzz" }, /* getgroups */
	{ 116, "nbzzzz" }, /* setgroups */
	{ 117, "uuuzzz" }, /* setresuid */
	{ 118, "wwwzzz" }, /* getresuid */
	{ 119, "uuuzzz" }, /* setresgid */
	{ 120, "wwwzzz" }, /* getresgid */
	{ 121, "szzzzz" }, /* getpgid */
	{ 122, "??????" }, /* setfsuid */
	{ 123, "??????" }, /* setfsgid */
	{ 124, "szzzzz" }, /* getsid */
	{ 125, "bbzzzz" }, /* capget */
	{ 126, "bbzzzz" }, /* capset */
	{ 127, "??????" }, /* rt_sigpending */
	{ 131, "bwzzzz" }, /* sigaltstack */
	{ 132, "pbzzzz" }, /* utime */
	{ 134, "??????" }, /* uselib */
	{ 135, "izzzzz" }, /* personality */
	{ 136, "nwzzzz" }, /* ustat */
	{ 137, "pwzzzz" }, /* statfs */
	{ 138, "fwzzzz" }, /* fstatfs */
	{ 139, "??????" }, /* sysfs */
	{ 140, "nszzzz" }, /* getpriority */
	{ 143, "swzzzz" }, /* sched_getparam */
	{ 145, "szzzzz" }, /* sched_getscheduler */
	{ 146, "??????" }, /* sched_get_priority_max */
	{ 147, "??????" }, /* sched_get_priority_min */
	{ 148, "swzzzz" }, /* sched_rr_get_interval */
	{ 149, "bLzzzz" }, /* mlock */
	{ 150, "bLzzzz" }, /* munlock */
	{ 152, "??????" }, /* munlockall */
	{ 156, "??????" }, /* _sysctl */
	{ 157, "nwwwwz" }, /* prctl */
	{ 174, "??????" }, /* create_module */
	{ 177, "??????" }, /* get_kernel_syms */
	{ 178, "??????" }, /* query_module */
	{ 180, "??????" }, /* nfsservctl */
	{ 181, "??????" }, /* getpmsg */
	{ 182, "??????" }, /* putpmsg */
	{ 183, "??????" }, /* afs_syscall */
	{ 184, "??????" }, /* tuxcall */
	{ 185, "??????" }, /* security */
	{ 186, "??????" }, /* gettid */
	{ 187, "foLzzz" }, /* readahead */
	{ 188, "ppbLnz" }, /* setxattr */
	{ 189, "??????" }, /* lsetxattr */
	{ 190, "??????" }, /* fsetxattr */
	{ 191, "ppwLzz" }, /* getxattr */
	{ 192, "ppwLzz" }, /* lgetxattr */
	{ 193, "fpwLzz" }, /* fgetxattr */
	{ 194, "pwLzzz" }, /* listxattr */
	{ 195, "??????" }, /* llistxattr */
	{ 196, "??????" }, /* flistxattr */
	{ 197, "??????" }, /* removexattr */
	{ 198, "??????" }, /* lremovexattr */
	{ 199, "??????" }, /* fremovexattr */
	{ 201, "wzzzzz" }, /* time */
	{ 204, "slbzzz" }, /* sched_getaffinity */
	{ 206, "nzzzzz" }, /* io_setup */
	{ 207, "bzzzzz" }, /* io_destroy */
	{ 209, "bnbzzz" }, /* io_submit */
	{ 210, "bbbzzz" }, /* io_cancel */
	{ 211, "??????" }, /* get_thread_area */
	{ 212, "??????" }, /* lookup_dcookie */
	{ 213, "nzzzzz" }, /* epoll_create */
	{ 214, "??????" }, /* epoll_ctl_old */
	{ 215, "??????" }, /* epoll_wait_old */
	{ 216, "??????" }, /* remap_file_pages */
	{ 217, "fwlzzz" }, /* getdents64 */
	{ 218, "??????" }, /* set_tid_address */
	{ 219, "??????" }, /* restart_syscall */
	{ 221, "fooLzz" }, /* fadvise64 */
	{ 224, "??????" }, /* timer_gettime */
	{ 225, "??????" }, /* timer_getoverrun */
	{ 228, "nwzzzz" }, /* clock_gettime */
	{ 229, "nwzzzz" }, /* clock_getres */
	{ 233, "fnfbzz" }, /* epoll_ctl */
	{ 235, "??????" }, /* utimes */
	{ 236, "??????" }, /* vserver */
	{ 237, "??????" }, /* mbind */
	{ 238, "??????" }, /* set_mempolicy */
	{ 239, "??????" }, /* get_mempolicy */
	{ 244, "??????" }, /* mq_notify */
	{ 245, "??????" }, /* mq_getsetattr */
	{ 248, "??????" }, /* add_key */
	{ 249, "??????" }, /* request_key */
	{ 250, "??????" }, /* keyctl */
	{ 252, "nszzzz" }, /* ioprio_get */
	{ 253, "??????" }, /* inotify_init */
	{ 254, "??????" }, /* inotify_add_watch */
	{ 255, "??????" }, /* inotify_rm_watch */
	{ 256, "??????" }, /* migrate_pages */
	{ 257, "fpimzz" }, /* openat */
	{ 258, "fpmzzz" }, /* mkdirat */
	{ 260, "fpuuiz" }, /* fchownat */
	{ 261, "??????" }, /* futimesat */
	{ 262, "fpwizz" }, /* newfstatat */
	{ 263, "fpizzz" }, /* unlinkat */
	{ 264, "fpfpzz" }, /* renameat */
	{ 265, "fpfpiz" }, /* linkat */
	{ 266, "pfpzzz" }, /* symlinkat */
	{ 267, "fpblzz" }, /* readlinkat */
	{ 268, "fpmzzz" }, /* fchmodat */
	{ 269, "fpnzzz" }, /* faccessat */
	{ 273, "bLzzzz" }, /* set_robust_list */
	{ 274, "swwzzz" }, /* get_robust_list */
	{ 277, "fooizz" }, /* sync_file_range */
	{ 279, "??????" }, /* move_pages */
	{ 280, "fpbizz" }, /* utimensat */
	{ 282, "fbLzzz" }, /* signalfd */
	{ 283, "nizzzz" }, /* timerfd_create */
	{ 284, "nzzzzz" }, /* eventfd */
	{ 286, "fnbwzz" }, /* timerfd_settime */
	{ 287, "fwzzzz" }, /* timerfd_gettime */
	{ 289, "fbLizz" }, /* signalfd4 */
	{ 290, "nizzzz" }, /* eventfd2 */
	{ 291, "izzzzz" }, /* epoll_create1 */
	{ 292, "ffizzz" }, /* dup3 */
	{ 293, "zizzzz" }, /* pipe2 */
	{ 294, "izzzzz" }, /* inotify_init1 */
	{ 295, "fbnooz" }, /* preadv */
	{ 296, "fbnooz" }, /* pwritev */
	{ 298, "??????" }, /* perf_event_open */
	{ 299, "fbnizz" }, /* recvmmsg */
	{ 300, "??????" }, /* fanotify_init */
	{ 301, "??????" }, /* fanotify_mark */
	{ 303, "fpwwiz" }, /* name_to_handle_at */
	{ 304, "??????" }, /* open_by_handle_at */
	{ 307, "fbnizz" }, /* sendmmsg */
	{ 309, "wwzzzz" }, /* getcpu */
	{ 310, "sznznz" }, /* process_vm_readv */
	{ 312, "ssnffz" }, /* kcmp */
	{ 315, "swLnzz" }, /* sched_getattr */
	{ 316, "??????" }, /* renameat2 */
	{ 317, "nibzzz" }, /* seccomp */
	{ 318, "bznzzz" }, /* getrandom */
	{ 319, "pizzzz" }, /* memfd_create */
	{ 321, "??????" }, /* bpf */
	{ 323, "??????" }, /* userfaultfd */
	{ 324, "nnnzzz" }, /* membarrier */
	{ 325, "??????" }, /* mlock2 */
	{ 327, "??????" }, /* preadv2 */
	{ 328, "??????" }, /* pwritev2 */
	{ 329, "??????" }, /* pkey_mprotect */
	{ 330, "??????" }, /* pkey_alloc */
	{ 331, "??????" }, /* pkey_free */
	{ 332, "fpiiwz" }, /* statx */
	{ 334, "bLnnzz" }, /* rseq */
	{ 425, "nbzzzz" }, /* io_uring_setup */
	{ 427, "fnbnzz" }, /* io_uring_register */
	{ 434, "sizzzz" }, /* pidfd_open */
	{ 436, "ffnzzz" }, /* close_range */
	{ 437, "fpbLzz" }, /* openat2 */
	{ 438, "??????" }, /* pidfd_getfd */
	{ 439, "??????" }, /* faccessat2 */
	{ 444, "??????" }, /* landlock_create_ruleset */
	{ 445, "??????" }, /* landlock_add_rule */
	{ 446, "??????" }, /* landlock_restrict_self */
	{ 447, "??????" }, /* memfd_secret */
	{ 448, "??????" }, /* process_mrelease */
	{ 450, "??????" }, /* set_mempolicy_home_node */
	{ 451, "fbwnzz" }, /* cachestat */
	{ 452, "??????" }, /* fchmodat2 */
	{ 453, "??????" }, /* map_shadow_stack */
	{ 454, "??????" }, /* futex_wake */
	{ 457, "bwlnzz" }, /* statmount */
	{ 458, "bwlnzz" }, /* listmount */
	{ 459, "nwbnzz" }, /* lsm_get_self_attr */
	{ 460, "??????" }, /* lsm_set_self_attr */
	{ 461, "wbnzzz" }, /* lsm_list_modules */
	{ 462, "??????" }, /* mseal */
};

/* Calls that make or change files and memory come as often as all others together: the others depend on them. */
struct call choose_call(struct random *random)
{
	static const uint16_t common = 100;
	size_t count = sizeof calls / sizeof calls[0];

	return calls[below(random, below(random, 2) ? common : count)];
}
