/* With struct timeval. */
#include_next <time.h>
#include <sys/time.h>
