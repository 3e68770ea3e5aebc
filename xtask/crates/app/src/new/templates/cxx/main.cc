#include <iostream>
#include <ukl.h>

int main(int argc, char **argv)
{
	std::cout << "hello " << (argc > 1 ? argv[1] : "nobody") << ", from level " << ukl_level() << '\n';
	return 0;
}
