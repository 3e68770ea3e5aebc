/* sendto() and recvfrom() of the C library on a TCP connection over the loopback interface, both ends in this process.
 *
 * One operation a batch, inside an exchange of request and answer, as between a client and a server: the client sends a
 * request, the server receives it and answers with a byte, the client receives that. Acknowledgements thus travel with
 * data. What is counted of an exchange is one call:
 * - sendto-N: the client's. The loopback device hands the segment over at once, so the receiving half of TCP, up to the
 *   data lying in the server's queue, runs inside this call as a softirq.
 * - recvfrom-N: the server's, with all data there. Nobody waits, so nothing is scheduled.
 * Copying is an instruction a byte: the emulator counts each round of `rep movsb`.
 */
#include "microbench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int client, server;
static unsigned char request[MAX_SIZE_BYTES], received[MAX_SIZE_BYTES];
static unsigned char serial;
static long result;

static void set_up(const struct item *item)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	int one = 1, listener = (int)must("socket", socket(AF_INET, SOCK_STREAM, 0));

	(void)item;
	must("bind", bind(listener, (struct sockaddr *)&address, length));
	must("listen", listen(listener, 1));
	must("getsockname", getsockname(listener, (struct sockaddr *)&address, &length));
	client = (int)must("socket", socket(AF_INET, SOCK_STREAM, 0));
	must("connect", connect(client, (struct sockaddr *)&address, length));
	server = (int)must("accept", accept(listener, NULL, NULL));
	must("TCP_NODELAY", setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
	must("TCP_NODELAY", setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
	close(listener);
}

/* A new content each time, so that data left over from the last exchange is not taken for this one's. */
static void new_request(const struct item *item)
{
	serial++;
	for (size_t at = 0; at < item->size_bytes; at++)
		request[at] = (unsigned char)(serial + at * 7);
	memset(received, 0, item->size_bytes);
}

static void send_request(const struct item *item)
{
	result = sendto(client, request, item->size_bytes, 0, NULL, 0);
}

static void receive_request(const struct item *item)
{
	result = recvfrom(server, received, item->size_bytes, 0, NULL, NULL);
}

static void new_request_sent(const struct item *item)
{
	new_request(item);
	send_request(item);
	expect("the result of sendto", result, (long)item->size_bytes);
}

static void answer(void)
{
	unsigned char back = 0;

	expect("the result of answering", send(server, &serial, 1, 0), 1);
	expect("the result of receiving the answer", recv(client, &back, 1, 0), 1);
	expect("the answer", back, serial);
}

static void check_received(const struct item *item)
{
	expect("the result of recvfrom", result, (long)item->size_bytes);
	expect("the difference of what was sent and received", memcmp(request, received, item->size_bytes), 0);
	answer();
}

static void check_sent(const struct item *item)
{
	expect("the result of sendto", result, (long)item->size_bytes);
	receive_request(item);
	check_received(item);
}

static void tear_down(const struct item *item)
{
	(void)item;
	close(client);
	close(server);
}

#define SENDTO(size)                                                                                              \
	{ .name = "sendto-" #size, .includes = #size " B over loopback TCP, with what the receiver's half of TCP does", \
	  .calls = 1, .batches = 1000, .size_bytes = size, .set_up = set_up, .prepare = new_request,                \
	  .body = send_request, .check = check_sent, .tear_down = tear_down }
#define RECVFROM(size)                                                                                            \
	{ .name = "recvfrom-" #size, .includes = #size " B over loopback TCP that have arrived before", .calls = 1, \
	  .batches = 1000, .size_bytes = size, .set_up = set_up, .prepare = new_request_sent,                       \
	  .body = receive_request, .check = check_received, .tear_down = tear_down }

const struct item socket_items[] = {
	SENDTO(1), SENDTO(64), SENDTO(512), SENDTO(1024), SENDTO(4096), SENDTO(8192),
	RECVFROM(1), RECVFROM(64), RECVFROM(512), RECVFROM(1024), RECVFROM(4096), RECVFROM(8192),
	END_OF_ITEMS
};
