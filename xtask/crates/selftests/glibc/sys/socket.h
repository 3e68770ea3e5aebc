/* With options that are newer than musl (include/uapi/asm-generic/socket.h). */
#include_next <sys/socket.h>
#define SO_PASSPIDFD 76
#define SO_PEERPIDFD 77
