/* What TCP keeps for a reader and a writer: data in pieces, data out of line, more than a buffer takes, and its events. */
#include "behaviour.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Sends each word in a segment of its own and waits until all have arrived. */
static void send_words(int pair[2], const char *const words[])
{
	char peeked[256];
	long total = 0;

	for (; *words; words++) {
		must("send", send(pair[0], *words, strlen(*words), 0));
		total += (long)strlen(*words);
	}
	expect_long("bytes that arrived", recv(pair[1], peeked, (size_t)total, MSG_PEEK | MSG_WAITALL), total);
}

static void pieces(void)
{
	int pair[2];
	char text[64], first[3], second[8];
	struct iovec vector[2] = { { first, sizeof first }, { second, sizeof second } };
	const char *const words[] = { "one", "two2", "three", NULL };

	connect_pair(pair);
	send_words(pair, words);
	memset(text, 0, sizeof text);
	expect_long("read with room for more", read(pair[1], text, sizeof text), 12);
	expect_text("its bytes", text, "onetwo2three");

	send_words(pair, words);
	memset(text, 0, sizeof text);
	expect_long("read of just as much", read(pair[1], text, 12), 12);
	expect_text("its bytes", text, "onetwo2three");

	send_words(pair, words);
	memset(text, 0, sizeof text);
	expect_long("read of a piece and a half", read(pair[1], text, 5), 5);
	expect_text("its bytes", text, "onetw");
	memset(text, 0, sizeof text);
	expect_long("read of the rest", read(pair[1], text, sizeof text), 7);
	expect_text("its bytes", text, "o2three");

	send_words(pair, words);
	memset(second, 0, sizeof second);
	expect_long("readv with less room than there is", readv(pair[1], vector, 2), 11);
	expect_true("its second buffer", !memcmp(second, "two2thre", 8));
	expect_long("readv of the rest", readv(pair[1], vector, 2), 1);
	expect_true("its byte", first[0] == 'e');
	close_pair(pair);
}

/* A copy that faults in the middle takes nothing that was not handed over. */
static void half_mapped(void)
{
	int pair[2];
	long page = sysconf(_SC_PAGESIZE);
	char *map = mmap(NULL, (size_t)(2 * page), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), text[64];
	const char *const words[] = { "abcdefgh", NULL };

	connect_pair(pair);
	must("munmap", munmap(map + page, (size_t)page));
	send_words(pair, words);
	expect_error("read across the end of a mapping", read(pair[1], map + page - 4, 8), EFAULT);
	memset(text, 0, sizeof text);
	expect_long("read of what is still there", read(pair[1], text, sizeof text), 8);
	expect_text("its bytes", text, "abcdefgh");
	expect_error("write across the end of a mapping", write(pair[0], map + page - 4, 8), EFAULT);
	expect_long("write after it", write(pair[0], "next", 4), 4);
	memset(text, 0, sizeof text);
	expect_long("read of that alone", read(pair[1], text, sizeof text), 4);
	expect_text("its bytes", text, "next");
	munmap(map, (size_t)page);
	close_pair(pair);
}

static void out_of_line(void)
{
	int pair[2], on = 1, mark = 4, offset = 0;
	char text[64] = "";
	const char *const words[] = { "peeked", NULL }, *const two[] = { "ab", NULL };

	connect_pair(pair);
	must("send", send(pair[0], "before", 6, 0));
	must("send", send(pair[0], "!", 1, MSG_OOB));
	must("send", send(pair[0], "after", 5, 0));
	sleep_ms(20);
	expect_long("read up to the urgent byte", read(pair[1], text, sizeof text), 6);
	expect_long("recv of the urgent byte", recv(pair[1], text, 1, MSG_OOB), 1);
	expect_true("that byte", text[0] == '!');
	memset(text, 0, sizeof text);
	expect_long("read past it", read(pair[1], text, sizeof text), 5);
	expect_text("its bytes", text, "after");
	close_pair(pair);

	connect_pair(pair);
	must("setsockopt", setsockopt(pair[1], SOL_SOCKET, SO_OOBINLINE, &on, sizeof on));
	must("send", send(pair[0], "xy", 2, MSG_OOB));
	sleep_ms(20);
	memset(text, 0, sizeof text);
	long got = read(pair[1], text, sizeof text);
	if (got == 1)
		got += read(pair[1], text + 1, sizeof text - 1);
	expect_long("bytes with the urgent one in line", got, 2);
	expect_text("those bytes", text, "xy");
	close_pair(pair);

	connect_pair(pair);
	must("setsockopt", setsockopt(pair[1], SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof mark));
	must("fcntl", fcntl(pair[1], F_SETFL, O_NONBLOCK));
	send_words(pair, two);
	expect_long("read below the low-water mark that need not wait", read(pair[1], text, sizeof text), 2);
	close_pair(pair);

	connect_pair(pair);
	must("setsockopt", setsockopt(pair[1], SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof offset));
	send_words(pair, words);
	expect_long("recv moved the offset of the next peek", recv(pair[1], text, 1, MSG_PEEK | MSG_DONTWAIT), -1);
	expect_long("read of three", read(pair[1], text, 3), 3);
	memset(text, 0, sizeof text);
	expect_long("peek after the read", recv(pair[1], text, sizeof text, MSG_PEEK | MSG_DONTWAIT), -1);
	socklen_t size = sizeof offset;
	must("getsockopt", getsockopt(pair[1], SOL_SOCKET, SO_PEEK_OFF, &offset, &size));
	expect_long("the offset went back by what was read", offset, 3);
	close_pair(pair);
}

#define LARGE (3 << 20)

static unsigned char pattern(size_t at)
{
	return (unsigned char)((at * 2654435761u) >> 13);
}

/* Writes LARGE bytes in sizes around those of a segment, a page and a send buffer. */
static void *write_pattern(void *argument)
{
	static const size_t sizes[] = { 1, 64, 1448, 4096, 4097, 21845, 65483, 70000, 300000 };
	static unsigned char buffer[300000];
	size_t at = 0;

	for (int i = 0; at < LARGE; i++) {
		size_t size = sizes[i % 9] < LARGE - at ? sizes[i % 9] : LARGE - at, done = 0;
		for (size_t j = 0; j < size; j++)
			buffer[j] = pattern(at + j);
		while (done < size) {
			ssize_t n = write(*(int *)argument, buffer + done, size - done);
			if (n <= 0)
				return (void *)-1L;
			done += (size_t)n;
		}
		at += size;
	}
	return NULL;
}

static void large(void)
{
	int pair[2];
	pthread_t writer;
	static unsigned char buffer[50000];
	long wrong = 0;
	size_t at = 0;
	void *result;

	connect_pair(pair);
	must("pthread_create", -pthread_create(&writer, NULL, write_pattern, &pair[0]));
	for (int i = 0; at < LARGE; i++) {
		ssize_t n = read(pair[1], buffer, i % 3 ? sizeof buffer : 1 + (size_t)i % 4000);
		if (n <= 0)
			break;
		for (ssize_t j = 0; j < n; j++)
			wrong += buffer[j] != pattern(at + (size_t)j);
		at += (size_t)n;
	}
	pthread_join(writer, &result);
	expect_long("writer", (long)result, 0);
	expect_long("bytes received", (long)at, LARGE);
	expect_long("bytes that differ", wrong, 0);
	close_pair(pair);
}

/* The events of the only descriptor that `poller` waits for, 0 after 20 ms without. */
static long events_of(int poller)
{
	struct epoll_event ready;

	return epoll_wait(poller, &ready, 1, 20) == 1 ? (long)ready.events : 0;
}

static void watch(int poller, int operation, int fd, unsigned int events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	must("epoll_ctl", epoll_ctl(poller, operation, fd, &event));
}

static void events(void)
{
	int pair[2], poller = (int)must("epoll_create1", epoll_create1(0)), mark = 4;
	char text[64];
	struct linger reset = { .l_onoff = 1 };

	connect_pair(pair);
	watch(poller, EPOLL_CTL_ADD, pair[1], EPOLLIN);
	expect_long("events without data", events_of(poller), 0);
	must("write", write(pair[0], "abc", 3));
	expect_long("events with data", events_of(poller), EPOLLIN);
	must("read", read(pair[1], text, 1));
	expect_long("events with data left", events_of(poller), EPOLLIN);
	must("read", read(pair[1], text, sizeof text));
	expect_long("events with all read", events_of(poller), 0);

	watch(poller, EPOLL_CTL_MOD, pair[1], EPOLLIN | EPOLLET);
	must("write", write(pair[0], "abc", 3));
	expect_long("edge", events_of(poller), EPOLLIN);
	expect_long("no second edge", events_of(poller), 0);
	must("write", write(pair[0], "d", 1));
	expect_long("edge of more data", events_of(poller), EPOLLIN);
	watch(poller, EPOLL_CTL_MOD, pair[1], EPOLLIN | EPOLLONESHOT);
	expect_long("one shot", events_of(poller), EPOLLIN);
	expect_long("no second shot", events_of(poller), 0);

	watch(poller, EPOLL_CTL_MOD, pair[1], EPOLLIN | EPOLLOUT);
	expect_long("readable and writable", events_of(poller), EPOLLIN | EPOLLOUT);
	must("read", read(pair[1], text, sizeof text));
	expect_long("writable", events_of(poller), EPOLLOUT);

	watch(poller, EPOLL_CTL_MOD, pair[1], EPOLLIN | EPOLLPRI);
	must("send", send(pair[0], "!", 1, MSG_OOB));
	expect_long("urgent byte", events_of(poller) & EPOLLPRI, EPOLLPRI);
	must("recv", recv(pair[1], text, 1, MSG_OOB));

	must("setsockopt", setsockopt(pair[1], SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof mark));
	watch(poller, EPOLL_CTL_MOD, pair[1], EPOLLIN | EPOLLRDHUP);
	must("write", write(pair[0], "abc", 3));
	expect_long("below the low-water mark", events_of(poller), 0);
	must("write", write(pair[0], "d", 1));
	expect_long("at the low-water mark", events_of(poller), EPOLLIN);
	must("shutdown", shutdown(pair[0], SHUT_WR));
	expect_long("the other side has ended", events_of(poller), EPOLLIN | EPOLLRDHUP);
	close_pair(pair);

	connect_pair(pair);
	watch(poller, EPOLL_CTL_ADD, pair[1], EPOLLIN);
	must("setsockopt", setsockopt(pair[0], SOL_SOCKET, SO_LINGER, &reset, sizeof reset));
	close(pair[0]);
	expect_long("a reset", events_of(poller), EPOLLIN | EPOLLERR | EPOLLHUP);
	close(pair[1]);
	expect_long("a closed descriptor", events_of(poller), 0);
	close(poller);
}

const struct test tcp_queue_tests[] = {
	{ "tcp-pieces", pieces },
	{ "tcp-half-mapped", half_mapped },
	{ "tcp-out-of-line", out_of_line },
	{ "tcp-large", large },
	{ "tcp-events", events },
	END_OF_TESTS
};
