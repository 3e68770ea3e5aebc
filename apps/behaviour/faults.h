/* The faults an application can commit, with what Linux reports for each. */
#ifndef FAULTS_H
#define FAULTS_H

struct fault {
	const char *name;
	const char *what;       /* in words, for the comparison */
	void (*commit)(void *); /* argument unused */
	int signal;
	int code;               /* expected si_code, or ANY_CODE */
	/* Expected si_addr: address() gives it, NULL when si_addr means nothing for this fault. */
	unsigned long (*address)(void);
};

#define ANY_CODE (-1000)

extern const struct fault faults[];
extern const unsigned fault_count;

#endif
