/* With struct timespec. */
#include <time.h>
#include_next <linux/errqueue.h>
