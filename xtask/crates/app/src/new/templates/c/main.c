#include <stdio.h>
#include <ukl.h>

int main(int argc, char **argv)
{
	printf("hello %s, from level %s\n", argc > 1 ? argv[1] : "nobody", ukl_level());
	return 0;
}
