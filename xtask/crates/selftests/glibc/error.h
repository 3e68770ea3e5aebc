/* error(3), as err(3) writes it. */
#ifndef UKL_GLIBC_ERROR_H
#define UKL_GLIBC_ERROR_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define error(status, number, ...)                                                      \
	do {                                                                            \
		int ukl_error_number = (number);                                        \
		fprintf(stderr, __VA_ARGS__);                                           \
		if (ukl_error_number)                                                   \
			fprintf(stderr, ": %s", strerror(ukl_error_number));            \
		fprintf(stderr, "\n");                                                  \
		if (status)                                                             \
			exit(status);                                                   \
	} while (0)
#endif
