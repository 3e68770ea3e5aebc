/* What the socket layer promises about a TCP connection, call by call: a level that goes past it must keep all of it. */
#include "behaviour.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

void connect_pair(int pair[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;

	int listener = (int)must("socket", socket(AF_INET, SOCK_STREAM, 0));
	must("bind", bind(listener, (struct sockaddr *)&address, size));
	must("listen", listen(listener, 1));
	must("getsockname", getsockname(listener, (struct sockaddr *)&address, &size));
	pair[0] = (int)must("socket", socket(AF_INET, SOCK_STREAM, 0));
	must("connect", connect(pair[0], (struct sockaddr *)&address, size));
	pair[1] = (int)must("accept", accept(listener, NULL, NULL));
	close(listener);
	int on = 1;
	must("setsockopt", setsockopt(pair[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
}

void close_pair(int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

static void every_call(void)
{
	int pair[2];
	char a[8] = "", b[8] = "";
	struct iovec out[2] = { { "ab", 2 }, { "cde", 3 } }, in[2] = { { a, 2 }, { b, 6 } };
	struct msghdr message = { .msg_iov = out, .msg_iovlen = 2 };

	connect_pair(pair);
	expect_long("write", write(pair[0], "12345", 5), 5);
	expect_long("read of a part", read(pair[1], a, 2), 2);
	expect_text("its bytes", a, "12");
	expect_long("recv with MSG_PEEK", recv(pair[1], b, 7, MSG_PEEK), 3);
	expect_text("its bytes", b, "345");
	expect_long("recv of the same", recv(pair[1], b, 7, 0), 3);
	expect_long("writev", writev(pair[0], out, 2), 5);
	memset(b, 0, sizeof b);
	expect_long("readv", readv(pair[1], in, 2), 5);
	expect_text("second buffer", b, "cde");
	expect_long("sendmsg", sendmsg(pair[0], &message, 0), 5);
	memset(b, 0, sizeof b);
	message.msg_iov = in;
	message.msg_flags = -1;
	expect_long("recvmsg", recvmsg(pair[1], &message, 0), 5);
	expect_text("second buffer", b, "cde");
	expect_long("flags", message.msg_flags, 0);
	struct sockaddr_in from;
	socklen_t size = sizeof from;
	expect_long("sendto", sendto(pair[0], "xyz", 3, 0, NULL, 0), 3);
	expect_long("recvfrom with MSG_WAITALL", recvfrom(pair[1], a, 3, MSG_WAITALL, (struct sockaddr *)&from, &size), 3);
	/* TCP names nobody: tcp(7), and the kernel leaves the size 0. */
	expect_long("size of the address", size, 0);
	expect_long("write of nothing", write(pair[0], "", 0), 0);
	expect_long("read of nothing", read(pair[1], a, 0), 0);
	close_pair(pair);
}

static void errors(void)
{
	int pair[2];
	char text[8];

	connect_pair(pair);
	expect_error("recv with MSG_DONTWAIT and no data", recv(pair[1], text, 1, MSG_DONTWAIT), EAGAIN);
	must("fcntl", fcntl(pair[1], F_SETFL, O_NONBLOCK));
	expect_error("read with O_NONBLOCK and no data", read(pair[1], text, 1), EAGAIN);
	expect_error("lseek", lseek(pair[1], 0, SEEK_SET), ESPIPE);
	expect_error("write from nowhere", write(pair[0], opaque(8), 4), EFAULT);
	expect_error("write from kernel memory", write(pair[0], opaque(0xffffffff81000000), 4), EFAULT);
	expect_error("read into kernel memory", read(pair[1], opaque(0xffffffff81000000), 4), EFAULT);
	/* The whole range is looked at before the size: see access_ok() in vfs_read(). */
	expect_error("read of a negative size", read(pair[1], text, (size_t)-1), EFAULT);
	must("write", write(pair[0], "data", 4));
	must("fcntl", fcntl(pair[1], F_SETFL, 0));
	expect_error("read into nowhere", read(pair[1], opaque(8), 4), EFAULT);
	expect_long("read of what is still there", read(pair[1], text, 4), 4);
	struct timeval wait = { .tv_usec = 100000 };
	must("setsockopt", setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait));
	long start = now_ms();
	expect_error("read that waits for SO_RCVTIMEO", read(pair[1], text, 1), EAGAIN);
	/* The kernel counts ticks, and on a busy host several of them come at once. */
	expect_at_least("milliseconds it waited", now_ms() - start, 80);
	int fresh = (int)must("socket", socket(AF_INET, SOCK_STREAM, 0));
	expect_error("read of a socket that is not connected", read(fresh, text, 1), ENOTCONN);
	close(fresh);
	close_pair(pair);
	expect_error("read of a closed descriptor", read(pair[0], text, 1), EBADF);
}

static volatile sig_atomic_t broken_pipes;

static void on_broken_pipe(int signal)
{
	(void)signal;
	broken_pipes++;
}

static void ends(void)
{
	int pair[2];
	char text[8];
	struct sigaction action = { .sa_handler = on_broken_pipe };

	must("sigaction", sigaction(SIGPIPE, &action, NULL));
	connect_pair(pair);
	must("write", write(pair[0], "last", 4));
	must("shutdown", shutdown(pair[0], SHUT_WR));
	expect_long("read before the end", read(pair[1], text, 8), 4);
	expect_long("read at the end", read(pair[1], text, 8), 0);
	expect_long("write the other way", write(pair[1], "still", 5), 5);
	expect_long("read the other way", read(pair[0], text, 8), 5);
	expect_error("write after shutdown", write(pair[0], "no", 2), EPIPE);
	expect_long("SIGPIPE", broken_pipes, 1);
	expect_error("send with MSG_NOSIGNAL", send(pair[0], "no", 2, MSG_NOSIGNAL), EPIPE);
	expect_long("SIGPIPE still", broken_pipes, 1);
	close_pair(pair);

	connect_pair(pair);
	struct linger reset = { .l_onoff = 1 };
	must("setsockopt", setsockopt(pair[0], SOL_SOCKET, SO_LINGER, &reset, sizeof reset));
	close(pair[0]);
	expect_error("read after a reset", read(pair[1], text, 8), ECONNRESET);
	expect_long("read once more", read(pair[1], text, 8), 0);
	close(pair[1]);
}

static void *read_one(void *fd)
{
	char byte;

	return (void *)read(*(int *)fd, &byte, 1);
}

static void on_alarm(int signal)
{
	(void)signal;
}

static void *read_until_signal(void *fd)
{
	char byte;
	long result = read(*(int *)fd, &byte, 1);

	return (void *)(result < 0 ? -(long)errno : result);
}

static void blocking(void)
{
	int pair[2];
	pthread_t thread;
	void *result;
	struct sigaction action = { .sa_handler = on_alarm };

	connect_pair(pair);
	must("pthread_create", -pthread_create(&thread, NULL, read_one, &pair[1]));
	sleep_ms(30);
	/* The reader holds the file: closing the descriptor takes nothing away from it. */
	close(pair[1]);
	must("write", write(pair[0], "x", 1));
	pthread_join(thread, &result);
	expect_long("read whose descriptor was closed meanwhile", (long)result, 1);
	close(pair[0]);

	must("sigaction", sigaction(SIGUSR1, &action, NULL));
	connect_pair(pair);
	must("pthread_create", -pthread_create(&thread, NULL, read_until_signal, &pair[1]));
	sleep_ms(30);
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, &result);
	expect_long("read that a signal interrupts", (long)result, -EINTR);

	action.sa_flags = SA_RESTART;
	must("sigaction", sigaction(SIGUSR1, &action, NULL));
	must("pthread_create", -pthread_create(&thread, NULL, read_until_signal, &pair[1]));
	sleep_ms(30);
	pthread_kill(thread, SIGUSR1);
	sleep_ms(10);
	must("write", write(pair[0], "x", 1));
	pthread_join(thread, &result);
	expect_long("read that goes on after a signal with SA_RESTART", (long)result, 1);
	close_pair(pair);
}

const struct test tcp_tests[] = {
	{ "tcp-every-call", every_call },
	{ "tcp-errors", errors },
	{ "tcp-ends", ends },
	{ "tcp-blocking", blocking },
	END_OF_TESTS
};
