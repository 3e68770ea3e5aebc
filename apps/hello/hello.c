/* Says where it runs: at which privilege level, at which level of the technique, with which arguments. */
#include <stdio.h>
#include <ukl.h>

/* The current privilege level is in the low two bits of CS: 0 in the kernel, 3 in a process. */
static unsigned current_privilege_level(void)
{
	unsigned cs;

	__asm__("mov %%cs, %0" : "=r"(cs));
	return cs & 3;
}

int main(int argc, char **argv)
{
	printf("cpl=%u level=%s args=", current_privilege_level(), ukl_level());
	for (int i = 1; i < argc; i++)
		printf("%s%s", i > 1 ? " " : "", argv[i]);
	putchar('\n');
	return 0;
}
