/* musl declares the same. */
#include <signal.h>
