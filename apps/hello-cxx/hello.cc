/* What C++ asks of the runtime beyond C: unwinding, constructors, its library, thread-local objects. Ends with status 1 if
 * anything is not as it has to be. */
#include <algorithm>
#include <atomic>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static int failures;

template <typename Value> static void same(const char *what, const Value &seen, const Value &expected)
{
	std::cout << (seen == expected ? "ok   " : "FAIL ") << what << ": " << seen << " with " << expected << '\n';
	failures += seen != expected;
}

/* Its destructor runs when an exception passes. */
struct Guard {
	int &count;
	~Guard() { count++; }
};

static void fail_below(int depth, int &unwound)
{
	Guard guard{unwound};
	if (depth == 0)
		throw std::runtime_error("thrown at the bottom");
	fail_below(depth - 1, unwound);
}

static void exceptions()
{
	int unwound = 0;
	std::string caught;
	try {
		fail_below(99, unwound);
	} catch (const std::exception &error) {
		caught = error.what();
	}
	same("frames unwound", unwound, 100);
	same("caught", caught, std::string("thrown at the bottom"));
	try {
		std::vector<int>().at(3);
	} catch (const std::out_of_range &) {
		caught = "out of range";
	}
	same("thrown by the library", caught, std::string("out of range"));
}

static void containers()
{
	std::vector<int> numbers(1000);
	for (int i = 0; i < 1000; i++)
		numbers[i] = 997 * i % 1000;
	std::sort(numbers.begin(), numbers.end());
	same("sorted", numbers[500], 500);
	std::map<std::string, int> ages{{"b", 2}, {"a", 1}};
	std::ostringstream text;
	for (const auto &[name, age] : ages)
		text << name << age << ' ';
	text << std::hex << 255 << ' ' << 0.25;
	same("stream", text.str(), std::string("a1 b2 ff 0.25"));
	std::ofstream("/tmp/file") << "one line\n";
	std::string line;
	std::getline(std::ifstream("/tmp/file"), line);
	same("file", line, std::string("one line"));
}

static thread_local std::string name = "main";

static void threads()
{
	std::mutex lock;
	std::atomic<int> sum{0};
	int caught = 0;
	std::vector<std::thread> all;
	for (int i = 1; i <= 4; i++)
		all.emplace_back([&, i] {
			name = "thread";
			for (int round = 0; round < 100; round++) {
				try {
					throw i;
				} catch (int number) {
					sum += number;
					std::lock_guard<std::mutex> guard(lock);
					caught++;
				}
			}
		});
	for (auto &thread : all)
		thread.join();
	same("sum over the threads", sum.load(), 1000);
	same("caught in the threads", caught, 400);
	same("thread-local object", name, std::string("main"));
}

/* Constructed before main. */
static const std::string before = std::string("built ") + "early";

int main()
{
	same("global object", before, std::string("built early"));
	exceptions();
	containers();
	threads();
	return failures ? 1 : 0;
}
