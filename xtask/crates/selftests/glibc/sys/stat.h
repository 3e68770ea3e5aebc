/* With a mode that BSD named. */
#include_next <sys/stat.h>
#define DEFFILEMODE 0666
