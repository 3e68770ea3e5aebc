/* Sockets: TCP over loopback with many connections, and UNIX sockets that pass descriptors. */
#include "behaviour.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTIONS 64
#define ROUNDS 4

/* A guest may come without a configured loopback; raising it needs root and does no harm where it is up. */
static void raise_loopback(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (ioctl(fd, SIOCGIFFLAGS, &request) == 0 && !(request.ifr_flags & IFF_UP)) {
		request.ifr_flags |= IFF_UP;
		ioctl(fd, SIOCSIFFLAGS, &request);
	}
	close(fd);
}

static int listen_on_loopback(struct sockaddr_in *address)
{
	socklen_t size = sizeof *address;

	raise_loopback();
	memset(address, 0, size);
	address->sin_family = AF_INET;
	address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = (int)must("socket", socket(AF_INET, SOCK_STREAM, 0));
	must("bind", bind(fd, (struct sockaddr *)address, size));
	must("listen", listen(fd, 128));
	must("getsockname", getsockname(fd, (struct sockaddr *)address, &size));
	return fd;
}

/* An epoll server: echoes until each of CONNECTIONS clients has closed. */
static void serve(void *argument)
{
	int listener = *(int *)argument, closed = 0, poller = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN, .data.fd = listener }, ready[16];
	char buffer[512];

	epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
	while (closed < CONNECTIONS) {
		int n = epoll_wait(poller, ready, 16, 10000);
		if (n <= 0)
			_exit(1);
		for (int i = 0; i < n; i++) {
			int fd = ready[i].data.fd;
			if (fd == listener) {
				event.data.fd = accept(listener, NULL, NULL);
				if (event.data.fd < 0)
					_exit(2);
				epoll_ctl(poller, EPOLL_CTL_ADD, event.data.fd, &event);
				continue;
			}
			ssize_t got = read(fd, buffer, sizeof buffer);
			if (got <= 0) {
				close(fd);
				closed++;
			} else if (write(fd, buffer, (size_t)got) != got) {
				_exit(3);
			}
		}
	}
}

static void tcp_echo(void)
{
	struct sockaddr_in address;
	int listener = listen_on_loopback(&address), clients[CONNECTIONS], wrong = 0;
	pid_t server = start_child(serve, &listener);

	for (int i = 0; i < CONNECTIONS; i++) {
		clients[i] = (int)must("socket", socket(AF_INET, SOCK_STREAM, 0));
		must("connect", connect(clients[i], (struct sockaddr *)&address, sizeof address));
	}
	for (int round = 0; round < ROUNDS; round++) {
		unsigned words[32], back[32];

		for (int i = 0; i < CONNECTIONS; i++) {
			for (unsigned w = 0; w < 32; w++)
				words[w] = (unsigned)(round << 24 | i << 8) + w;
			wrong += write(clients[i], words, sizeof words) != sizeof words;
		}
		for (int i = 0; i < CONNECTIONS; i++) {
			for (unsigned w = 0; w < 32; w++)
				words[w] = (unsigned)(round << 24 | i << 8) + w;
			memset(back, 0, sizeof back);
			wrong += recv(clients[i], back, sizeof back, MSG_WAITALL) != sizeof back;
			wrong += memcmp(words, back, sizeof back) != 0;
		}
	}
	for (int i = 0; i < CONNECTIONS; i++)
		close(clients[i]);
	expect_long("wrong echoes on 64 connections in 4 rounds", wrong, 0);
	expect_exit("server", reap(server), 0);
}

struct bulk {
	int fd;
	size_t bytes, wrong;
};

static void *receive_bulk(void *argument)
{
	struct bulk *bulk = argument;
	unsigned char block[16384];

	for (ssize_t n; (n = recv(bulk->fd, block, sizeof block, 0)) > 0; bulk->bytes += (size_t)n)
		for (ssize_t i = 0; i < n; i += 61)
			bulk->wrong += block[i] != (unsigned char)((bulk->bytes + (size_t)i) >> 5);
	return NULL;
}

static void tcp_bulk(void)
{
	const size_t total = 2 << 20;
	struct sockaddr_in address;
	struct bulk bulk = { 0 };
	pthread_t receiver;
	unsigned char *data = malloc(total);

	for (size_t i = 0; i < total; i++)
		data[i] = (unsigned char)(i >> 5);
	int listener = listen_on_loopback(&address);
	int client = (int)must("socket", socket(AF_INET, SOCK_STREAM, 0));
	must("connect", connect(client, (struct sockaddr *)&address, sizeof address));
	bulk.fd = (int)must("accept", accept(listener, NULL, NULL));
	pthread_create(&receiver, NULL, receive_bulk, &bulk);
	size_t sent = 0;
	while (sent < total)
		sent += (size_t)must("send", send(client, data + sent, total - sent, 0));
	shutdown(client, SHUT_WR);
	pthread_join(receiver, NULL);
	expect_long("bytes received of a 2 MiB transfer", (long)bulk.bytes, (long)total);
	expect_long("wrong among the compared bytes", (long)bulk.wrong, 0);
	int fresh = (int)must("socket", socket(AF_INET, SOCK_STREAM, 0));
	close(listener);
	errno = 0;
	expect_long("connect to a closed port", connect(fresh, (struct sockaddr *)&address, sizeof address), -1);
	expect_long("its errno", errno, ECONNREFUSED);
}

static void send_descriptor(void *socket_fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec data = { "fd", 2 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int pipes[2];

	if (pipe(pipes) < 0 || write(pipes[1], "through", 7) != 7)
		_exit(1);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &pipes[0], sizeof(int));
	if (sendmsg(*(int *)socket_fd, &message, 0) != 2)
		_exit(2);
}

static void pass_descriptor(void)
{
	char control[CMSG_SPACE(sizeof(int))], text[16] = "", word[3] = "";
	struct iovec data = { word, 2 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
	int pair[2], passed = -1;

	must("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	pid_t child = start_child(send_descriptor, &pair[1]);
	expect_long("recvmsg", recvmsg(pair[0], &message, 0), 2);
	expect_text("data", word, "fd");
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	expect_true("it carries SCM_RIGHTS", header && header->cmsg_type == SCM_RIGHTS);
	if (header)
		memcpy(&passed, CMSG_DATA(header), sizeof passed);
	expect_long("read from the passed descriptor", read(passed, text, sizeof text - 1), 7);
	expect_text("what the child wrote into it", text, "through");
	expect_exit("child", reap(child), 0);
}

static void unix_names(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct ucred peer = { 0 };
	socklen_t size = sizeof peer;
	char text[8] = "";

	strcpy(address.sun_path, "/tmp/behaviour-socket");
	unlink(address.sun_path);
	int listener = (int)must("socket", socket(AF_UNIX, SOCK_STREAM, 0));
	must("bind", bind(listener, (struct sockaddr *)&address, sizeof address));
	must("listen", listen(listener, 4));
	int client = (int)must("socket", socket(AF_UNIX, SOCK_STREAM, 0));
	must("connect", connect(client, (struct sockaddr *)&address, sizeof address));
	int server = (int)must("accept", accept(listener, NULL, NULL));
	must("write", write(client, "named", 5));
	expect_long("read", read(server, text, sizeof text - 1), 5);
	expect_text("text over a named UNIX socket", text, "named");
	must("getsockopt", getsockopt(server, SOL_SOCKET, SO_PEERCRED, &peer, &size));
	expect_long("SO_PEERCRED pid", peer.pid, getpid());
	unlink(address.sun_path);
}

const struct test net_tests[] = {
	{ "tcp-echo", tcp_echo },
	{ "tcp-bulk", tcp_bulk },
	{ "scm-rights", pass_descriptor },
	{ "unix-socket", unix_names },
	END_OF_TESTS
};
