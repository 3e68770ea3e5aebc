/* Pipes and the descriptors that stand for events. */
#include "behaviour.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/uio.h>
#include <unistd.h>

#define STREAM_BYTES (1 << 20)

static void feed(void *argument)
{
	int fd = *(int *)argument;
	unsigned char block[5000];

	for (size_t sent = 0; sent < STREAM_BYTES;) {
		size_t want = STREAM_BYTES - sent < sizeof block ? STREAM_BYTES - sent : sizeof block;
		for (size_t i = 0; i < want; i++)
			block[i] = (unsigned char)((sent + i) * 7 >> 3);
		ssize_t n = write(fd, block, want);
		if (n <= 0)
			_exit(1);
		sent += (size_t)n;
	}
}

static void pipe_stream(void)
{
	unsigned char block[3000];
	size_t received = 0, wrong = 0;
	int pipes[2];

	must("pipe", pipe(pipes));
	pid_t child = start_child(feed, &pipes[1]);
	close(pipes[1]);
	for (ssize_t n; (n = read(pipes[0], block, sizeof block)) > 0; received += (size_t)n)
		for (ssize_t i = 0; i < n; i++)
			wrong += block[i] != (unsigned char)((received + (size_t)i) * 7 >> 3);
	expect_long("bytes through a pipe from a child", (long)received, STREAM_BYTES);
	expect_long("wrong bytes", (long)wrong, 0);
	expect_exit("child", reap(child), 0);
}

static void pipe_edges(void)
{
	int pipes[2];
	char byte;

	must("pipe2", pipe2(pipes, O_NONBLOCK));
	errno = 0;
	expect_long("read of an empty non-blocking pipe", read(pipes[0], &byte, 1), -1);
	expect_long("its errno", errno, EAGAIN);
	long filled = 0;
	char page[4096] = { 0 };
	for (ssize_t n; (n = write(pipes[1], page, sizeof page)) > 0; filled += n)
		;
	expect_long("bytes a full pipe takes", filled, 65536);
	close(pipes[0]);
	signal(SIGPIPE, SIG_IGN);
	errno = 0;
	expect_long("write without a reader", write(pipes[1], "x", 1), -1);
	expect_long("its errno", errno, EPIPE);
}

static void write_without_reader(void *fd)
{
	if (write(*(int *)fd, "x", 1) < 0)
		_exit(9);
}

static void sigpipe(void)
{
	int pipes[2];

	must("pipe", pipe(pipes));
	close(pipes[0]);
	expect_signal("write to a pipe without a reader", run_child(write_without_reader, &pipes[1]), SIGPIPE);
}

static void event_counter(void)
{
	uint64_t value = 0, five = 5, two = 2;

	int fd = (int)must("eventfd", eventfd(0, EFD_NONBLOCK));
	expect_long("read before any write", read(fd, &value, 8), -1);
	must("write", write(fd, &five, 8));
	must("write", write(fd, &two, 8));
	expect_long("read", read(fd, &value, 8), 8);
	expect_long("sum of 5 and 2", (long)value, 7);
}

static void epoll_modes(void)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 0x123456789abcdef }, seen[4];
	int level_pipe[2], edge_pipe[2];

	must("pipe", pipe(level_pipe));
	must("pipe", pipe(edge_pipe));
	int fd = (int)must("epoll_create1", epoll_create1(0));
	must("epoll_ctl", epoll_ctl(fd, EPOLL_CTL_ADD, level_pipe[0], &event));
	expect_long("events before any write", epoll_wait(fd, seen, 4, 0), 0);
	send_byte(level_pipe[1], 'a');
	for (int i = 0; i < 2; i++)
		expect_long("level-triggered events", epoll_wait(fd, seen, 4, 1000), 1);
	expect_long("its data", (long)seen[0].data.u64, 0x123456789abcdef);
	await_byte(level_pipe[0]);
	event.events = EPOLLIN | EPOLLET;
	must("epoll_ctl", epoll_ctl(fd, EPOLL_CTL_ADD, edge_pipe[0], &event));
	send_byte(edge_pipe[1], 'a');
	expect_long("edge-triggered events", epoll_wait(fd, seen, 4, 1000), 1);
	expect_long("edge-triggered events again", epoll_wait(fd, seen, 4, 0), 0);
	must("epoll_ctl", epoll_ctl(fd, EPOLL_CTL_DEL, edge_pipe[0], NULL));
	long start = now_ms();
	expect_long("events in 50 ms", epoll_wait(fd, seen, 4, 50), 0);
	expect_between("milliseconds waited", now_ms() - start, 49, 2000);
}

static void write_later(void *fd)
{
	sleep_ms(50);
	send_byte(*(int *)fd, 'l');
}

static void poll_select(void)
{
	int pipes[2];
	char byte;

	must("pipe", pipe(pipes));
	struct pollfd watched = { .fd = pipes[0], .events = POLLIN };
	expect_long("poll of an empty pipe", poll(&watched, 1, 0), 0);
	pid_t child = start_child(write_later, &pipes[1]);
	expect_long("poll", poll(&watched, 1, 5000), 1);
	expect_long("its events", watched.revents, POLLIN);
	expect_exit("writer", reap(child), 0);
	fd_set set;
	FD_ZERO(&set);
	FD_SET(pipes[0], &set);
	struct timeval second = { 1, 0 };
	expect_long("select", select(pipes[0] + 1, &set, NULL, NULL, &second), 1);
	expect_long("byte", read(pipes[0], &byte, 1), 1);
	close(pipes[1]);
	expect_long("poll after the writer closed", poll(&watched, 1, 1000), 1);
	expect_long("its events", watched.revents, POLLHUP);
}

static void vectors(void)
{
	char first[3] = "", second[6] = "";
	struct iovec out[2] = { { "abc", 3 }, { "defgh", 5 } };
	struct iovec in[2] = { { first, 2 }, { second, 5 } };
	int pipes[2];

	must("pipe", pipe(pipes));
	expect_long("writev", writev(pipes[1], out, 2), 8);
	expect_long("readv", readv(pipes[0], in, 2), 7);
	expect_text("first vector", first, "ab");
	expect_text("second vector", second, "cdefg");
}

const struct test event_tests[] = {
	{ "pipe-stream", pipe_stream },
	{ "pipe-edges", pipe_edges },
	{ "sigpipe", sigpipe },
	{ "eventfd", event_counter },
	{ "epoll", epoll_modes },
	{ "poll-select", poll_select },
	{ "readv-writev", vectors },
	END_OF_TESTS
};
