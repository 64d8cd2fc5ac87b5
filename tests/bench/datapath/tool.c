// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tool: what the datapath's benchmark needs done faster than a shell can.
 *
 *   tool flood TX-NETNS RX-NETNS ADDRESS SIZE COUNT [SPREAD]
 *	sends COUNT datagrams of SIZE octets, to ADDRESS or in turn to SPREAD addresses from there
 *	on, and takes each batch out at the other end before it sends the next: both ends of the
 *	path and all in between run on this processor, and nothing is lost in a queue
 *   tool create NETNS DEV N
 *	N tunnels with keys of their own, cloud's side, through the same library as the daemons
 *
 * Prints one JSON object; flood's has the processor time of the kernel too, where it can be told
 * (clock/clock.c).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/err.h"
#include "lib/tunnel.h"

#define PORT 9 /* discard */
#define BATCH 32
#define SIZE_MAX_UDP 65507
#define LOST_AFTER 1000 /* ms */
#define CLOCK "/proc/bench_clock"

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Processor time of the kernel, -1 where it cannot be told. */
static double processor(void)
{
	FILE *f = fopen(CLOCK, "re");
	long long ns = 0;
	int n = f ? fscanf(f, "%lld", &ns) : 0;

	if (f)
		fclose(f);
	return n == 1 ? (double)ns / 1e9 : -1;
}

static void enter(const char *netns)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die("%s: %s", path, strerror(errno));
	close(fd);
}

static unsigned long number(const char *word, unsigned long min, unsigned long max)
{
	char *end;
	unsigned long n = strtoul(word, &end, 10);

	if (*end || n < min || n > max)
		die("%s: not a number from %lu to %lu", word, min, max);
	return n;
}

static int udp_socket(const char *netns)
{
	int size = 8 << 20;
	int fd;

	enter(netns);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		die("socket: %s", strerror(errno));
	return fd;
}

/* ---- flood ---- */

struct flood {
	int tx, rx;
	struct sockaddr_in to[BATCH];
	struct iovec iov;
	struct mmsghdr out[BATCH], in[BATCH];
	char scrap[64];
	struct iovec scrap_iov;
};

static void flood_open(struct flood *f, char **arg, unsigned long size)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int i;

	f->tx = udp_socket(arg[0]);
	f->rx = udp_socket(arg[1]);
	if (bind(f->rx, (struct sockaddr *)&any, sizeof(any)))
		die("bind: %s", strerror(errno));
	f->iov.iov_base = calloc(1, size);
	f->iov.iov_len = size;
	f->scrap_iov = (struct iovec){ f->scrap, sizeof(f->scrap) };
	for (i = 0; i < BATCH; i++) {
		f->to[i] = any;
		f->out[i].msg_hdr = (struct msghdr){ .msg_name = &f->to[i],
						     .msg_namelen = sizeof(f->to[i]),
						     .msg_iov = &f->iov,
						     .msg_iovlen = 1 };
		f->in[i].msg_hdr = (struct msghdr){ .msg_iov = &f->scrap_iov, .msg_iovlen = 1 };
	}
}

/* One batch there; returns how many arrived. */
static int flood_batch(struct flood *f)
{
	struct pollfd pfd = { .fd = f->rx, .events = POLLIN };
	int sent = 0, got = 0, n;

	while (sent < BATCH) {
		n = sendmmsg(f->tx, f->out + sent, (unsigned int)(BATCH - sent), 0);
		if (n < 0)
			die("send: %s", strerror(errno));
		sent += n;
	}
	while (got < BATCH) {
		n = recvmmsg(f->rx, f->in, (unsigned int)(BATCH - got), MSG_DONTWAIT, NULL);
		if (n > 0)
			got += n;
		else if (errno != EAGAIN)
			die("receive: %s", strerror(errno));
		else if (poll(&pfd, 1, LOST_AFTER) <= 0)
			break;
	}
	return got;
}

static int flood(char **arg, unsigned long spread)
{
	unsigned long size = number(arg[3], 1, SIZE_MAX_UDP);
	unsigned long count = number(arg[4], 1, 100000000);
	unsigned long sent, lost = 0;
	struct flood f = { 0 };
	struct in_addr base;
	double start, before;
	int i;

	if (inet_pton(AF_INET, arg[2], &base) != 1)
		die("%s: not an IPv4 address", arg[2]);
	flood_open(&f, arg, size);
	before = processor();
	start = seconds();
	for (sent = 0; sent < count; sent += BATCH) {
		for (i = 0; i < BATCH; i++)
			f.to[i].sin_addr.s_addr =
				htonl(ntohl(base.s_addr) + (uint32_t)((sent + i) % spread));
		lost += (unsigned long)(BATCH - flood_batch(&f));
	}
	printf("{\"packets\": %lu, \"lost\": %lu, \"seconds\": %.6f", sent, lost,
	       seconds() - start);
	if (before >= 0)
		printf(", \"processor\": %.6f", processor() - before);
	puts("}");
	free(f.iov.iov_base);
	return 0;
}

/* ---- create ---- */

static int create(char **arg)
{
	unsigned long n = number(arg[2], 1, 60000), i;
	struct tunnel_spec spec = { .side = TUNNEL_FAR, .cipher = CIPHER_CHACHA20_POLY1305 };
	struct tunnel_ctx *ctx = NULL;
	struct err e = { 0 };
	uint8_t keys[2][TUNNEL_KEY_MAX];
	char text[32];
	double start;

	enter(arg[0]);
	spec.ifindex = if_nametoindex(arg[1]);
	if (!spec.ifindex || addr_parse("10.8.0.1", &spec.far) || tunnel_open(&ctx, &e))
		die("%s: %s", arg[1], err_text(&e));
	start = seconds();
	for (i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "10.9.%lu.%lu", i / 256, i % 256);
		spec.spi_in = (uint32_t)(0x100000 + i);
		spec.spi_out = (uint32_t)(0x200000 + i);
		if (getrandom(keys, sizeof(keys), 0) != (ssize_t)sizeof(keys) ||
		    addr_parse(text, &spec.near) || tunnel_new(ctx, &spec, keys[0], keys[1], &e))
			die("tunnel %lu: %s", i, err_text(&e));
	}
	printf("{\"n\": %lu, \"seconds\": %.6f}\n", n, seconds() - start);
	tunnel_close(ctx);
	return 0;
}

int main(int argc, char **argv)
{
	if ((argc == 7 || argc == 8) && !strcmp(argv[1], "flood"))
		return flood(argv + 2, argc == 8 ? number(argv[7], 1, 60000) : 1);
	if (argc == 5 && !strcmp(argv[1], "create"))
		return create(argv + 2);
	die("usage: tool flood TX RX ADDRESS SIZE COUNT [SPREAD] | create NETNS DEV N");
}
