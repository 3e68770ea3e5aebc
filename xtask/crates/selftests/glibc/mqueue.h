/* With the flags of mq_open(3). */
#include <fcntl.h>
#include_next <mqueue.h>
