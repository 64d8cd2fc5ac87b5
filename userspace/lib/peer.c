// SPDX-License-Identifier: GPL-2.0-or-later

/* The listening half of peer. */

#include "lib/peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/err.h"
#include "lib/loop.h"
#include "lib/peer_int.h"
#include "lib/stream.h"
#include "lib/tls.h"

#define BACKLOG 256
#define ACCEPT_TURN 32 /* connections accepted before others get a turn */
#define PENDING_MIN 8 /* handshakes at once, at least */
#define ACCEPT_PAUSE_MS 200 /* out of descriptors or memory */

/* A connection, from accept(2) to the end of its session. */
struct conn {
	struct peer_listener *l;
	LIST_ENTRY(conn) link;
	TAILQ_ENTRY(conn) pending; /* during the handshake */
	char remote[ENDPOINT_STR_LEN];
	/* during the handshake */
	int fd;
	struct tls_conn *tls;
	struct loop_io *io;
	struct loop_timer *timer;
	/* after it */
	struct h2 *h2;
};

struct peer_listener {
	struct loop *loop;
	struct peer_listen_conf conf; /* .address is not kept */
	int fd;
	uint16_t port;
	struct loop_io *io;
	struct loop_timer *pause;
	LIST_HEAD(, conn) conns;
	unsigned int count; /* of conns, sessions and handshakes */
	TAILQ_HEAD(, conn) pending; /* handshakes, the oldest first */
	unsigned int pending_count;
	bool closing;
	void (*done)(void *arg);
	void *done_arg;
};

char *peer_print_sockaddr(const struct sockaddr *sa, unsigned int len, char *out)
{
	struct shunt_endpoint ep;

	if (endpoint_from_sockaddr(sa, len, &ep) == 0)
		return endpoint_print(&ep, out);
	strcpy(out, "-");
	return out;
}

char *peer_host(const char *remote, char out[PEER_HOST_LEN])
{
	const char *colon = strrchr(remote, ':');
	size_t len = colon ? (size_t)(colon - remote) : strlen(remote);

	snprintf(out, PEER_HOST_LEN, "%.*s", (int)len, remote);
	return out;
}

void peer_socket_options(int fd)
{
	int on = 1;

	/* HTTP/2 gathers its frames itself; a socket pair of a test has no such option. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void peer_fast_open(int fd, int option, int value)
{
	int on = 1;

	/* Whether a kernel knows them or not, the connection comes about. */
	setsockopt(fd, IPPROTO_TCP, option, &value, sizeof(value));
	setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, &on, sizeof(on));
}

/* ---- connections ---- */

static bool has_room(const struct peer_listener *l)
{
	return l->count - l->pending_count < l->conf.max_conns;
}

static void watch_accept(struct peer_listener *l)
{
	if (l->io)
		loop_io_set(l->io, !l->closing && has_room(l) && !loop_timer_armed(l->pause) ?
					   LOOP_READ :
					   0);
}

static void end_handshake(struct conn *conn)
{
	if (conn->timer) {
		TAILQ_REMOVE(&conn->l->pending, conn, pending);
		conn->l->pending_count--;
	}
	loop_io_free(conn->io);
	loop_timer_free(conn->timer);
	conn->io = NULL;
	conn->timer = NULL;
}

/* The connection is over and its parts are freed or handed on. */
static void conn_free(struct conn *conn)
{
	struct peer_listener *l = conn->l;

	if (!l) {
		/* Outlived its listener by the rest of a turn. */
		free(conn);
		return;
	}
	LIST_REMOVE(conn, link);
	l->count--;
	free(conn);
	watch_accept(l);
	if (l->closing && !l->count && l->done) {
		void (*done)(void *arg) = l->done;

		/* Last: it may free the listener. */
		l->done = NULL;
		done(l->done_arg);
	}
}

static void conn_drop(struct conn *conn)
{
	end_handshake(conn);
	tls_free(conn->tls);
	close(conn->fd);
	conn_free(conn);
}

static void refuse(struct conn *conn, int err, const char *why)
{
	struct peer_listener *l = conn->l;

	if (l->conf.on_refused)
		l->conf.on_refused(conn->remote, err, why, l->conf.arg);
	conn_drop(conn);
}

static void on_session_close(struct h2 *h2, int err, const char *why, void *arg)
{
	(void)h2;
	(void)err;
	(void)why;
	conn_free(arg);
}

static void start_session(struct conn *conn)
{
	struct peer_listener *l = conn->l;
	bool reverse = tls_alpn(conn->tls) == TLS_ALPN_RH2;
	struct stream *stream = NULL;
	int rc;

	if (!has_room(l)) {
		refuse(conn, -EAGAIN, "too many connections");
		return;
	}
	end_handshake(conn);
	rc = stream_new(l->loop, conn->fd, conn->tls, &stream);
	if (rc < 0) {
		refuse(conn, rc, shunt_strerror(rc));
		return;
	}
	rc = h2_new(l->loop, stream, reverse ? H2_CLIENT : H2_SERVER, &l->conf.h2, l->conf.routes,
		    on_session_close, conn, &conn->h2);
	if (rc < 0) {
		if (l->conf.on_refused)
			l->conf.on_refused(conn->remote, rc, shunt_strerror(rc), l->conf.arg);
		stream_free(stream);
		conn_free(conn);
		return;
	}
	conn->fd = -1;
	conn->tls = NULL;
	if (reverse && l->conf.on_reverse)
		l->conf.on_reverse(conn->h2, l->conf.arg);
	else if (!reverse && l->conf.on_session)
		l->conf.on_session(conn->h2, l->conf.arg);
}

static void handshake(struct conn *conn)
{
	switch (tls_handshake(conn->tls)) {
	case TLS_OK:
		start_session(conn);
		break;
	case TLS_WANT_READ:
		loop_io_set(conn->io, LOOP_READ);
		break;
	case TLS_WANT_WRITE:
		loop_io_set(conn->io, LOOP_WRITE);
		break;
	case TLS_EOF:
		refuse(conn, -SHUNT_ECLOSED, "peer closed the connection during the TLS handshake");
		break;
	case TLS_FAIL:
		refuse(conn, tls_error(conn->tls), tls_reason(conn->tls));
		break;
	}
}

static void on_handshake_io(unsigned int events, void *arg)
{
	(void)events;
	handshake(arg);
}

static void on_handshake_timeout(void *arg)
{
	refuse(arg, -ETIMEDOUT, "no TLS handshake in time");
}

static int conn_new(struct peer_listener *l, int fd, const struct sockaddr_storage *sa,
		    socklen_t len)
{
	struct tls_expect expect = {
		.alpn = (l->conf.roles ? TLS_ALPN_H2 : 0) |
			(l->conf.reverse_roles ? TLS_ALPN_RH2 : 0),
		.roles_h2 = l->conf.roles,
		.roles_rh2 = l->conf.reverse_roles,
	};
	struct conn *conn = calloc(1, sizeof(*conn));
	int rc;

	if (!conn)
		return -ENOMEM;
	conn->l = l;
	conn->fd = fd;
	peer_print_sockaddr((const struct sockaddr *)sa, len, conn->remote);
	peer_socket_options(fd);
	rc = tls_accept(l->conf.tls, fd, &expect, &conn->tls);
	if (rc == 0)
		rc = loop_io_new(l->loop, fd, on_handshake_io, conn, &conn->io);
	if (rc == 0)
		rc = loop_timer_new(l->loop, on_handshake_timeout, conn, &conn->timer);
	if (rc < 0) {
		loop_io_free(conn->io);
		tls_free(conn->tls);
		free(conn);
		return rc;
	}
	LIST_INSERT_HEAD(&l->conns, conn, link);
	l->count++;
	TAILQ_INSERT_TAIL(&l->pending, conn, pending);
	l->pending_count++;
	loop_timer_set(conn->timer, l->conf.handshake_ms);
	loop_io_set(conn->io, LOOP_READ);
	return 0;
}

/* Whoever can connect can start handshakes: they must keep out neither sessions nor each other. */
static void make_room(struct peer_listener *l)
{
	unsigned int max = l->conf.max_conns / 4;

	if (l->pending_count >= (max < PENDING_MIN ? PENDING_MIN : max))
		refuse(TAILQ_FIRST(&l->pending), -ETIMEDOUT,
		       "no TLS handshake by the time that many others had begun one");
}

static void on_accept(unsigned int events, void *arg)
{
	struct peer_listener *l = arg;
	struct sockaddr_storage sa;
	socklen_t len;
	int i, fd;

	(void)events;
	for (i = 0; i < ACCEPT_TURN && has_room(l); i++) {
		len = sizeof(sa);
		fd = accept4(l->fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 &&
		    (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
			/* The connection stays in the backlog; polling it would spin. */
			loop_timer_set(l->pause, ACCEPT_PAUSE_MS);
			break;
		}
		if (fd < 0 && errno == EAGAIN)
			break;
		if (fd < 0)
			continue;
		make_room(l);
		if (conn_new(l, fd, &sa, len) < 0)
			close(fd);
	}
	watch_accept(l);
}

static void on_pause_over(void *arg)
{
	watch_accept(arg);
}

/* ---- listeners ---- */

/* Connections that began with data and nobody has accepted yet. */
#define FAST_OPEN_MAX 16

static int bind_socket(const struct peer_listen_conf *conf, uint16_t *port, struct err *e)
{
	struct shunt_endpoint ep;
	struct sockaddr_storage sa;
	socklen_t len;
	int fd, on = 1, off = 0, rc;

	if (endpoint_parse_any(conf->address, &ep) < 0)
		return err_set(e, -EINVAL, "listen on %s: not ADDRESS:PORT", conf->address);
	len = endpoint_to_sockaddr(&ep, &sa);
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(e, -errno, "listen on %s", conf->address);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (sa.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (conf->freebind)
		setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
	if (conf->fast_open)
		peer_fast_open(fd, TCP_FASTOPEN, FAST_OPEN_MAX);
	if (bind(fd, (struct sockaddr *)&sa, len) < 0 || listen(fd, BACKLOG) < 0) {
		rc = err_sys(e, -errno, "listen on %s", conf->address);
		close(fd);
		return rc;
	}
	len = sizeof(sa);
	if (getsockname(fd, (struct sockaddr *)&sa, &len) == 0 &&
	    endpoint_from_sockaddr((struct sockaddr *)&sa, len, &ep) == 0)
		*port = ep.port;
	return fd;
}

int peer_listen(struct loop *loop, const struct peer_listen_conf *conf, struct peer_listener **out,
		struct err *e)
{
	struct peer_listener *l;
	int rc;

	if (!conf->tls || (!conf->roles && !conf->reverse_roles))
		return err_set(e, -EINVAL, "listen on %s: nobody would be accepted", conf->address);
	l = calloc(1, sizeof(*l));
	if (!l)
		return err_sys(e, -ENOMEM, "listen on %s", conf->address);
	l->loop = loop;
	l->conf = *conf;
	l->conf.address = NULL;
	tls_ctx_ref(l->conf.tls);
	if (!l->conf.max_conns)
		l->conf.max_conns = PEER_MAX_CONNS;
	if (!l->conf.handshake_ms)
		l->conf.handshake_ms = PEER_HANDSHAKE_MS;
	LIST_INIT(&l->conns);
	TAILQ_INIT(&l->pending);
	l->fd = bind_socket(conf, &l->port, e);
	if (l->fd < 0) {
		rc = l->fd;
		tls_ctx_free(l->conf.tls);
		free(l);
		return rc;
	}
	rc = loop_timer_new(loop, on_pause_over, l, &l->pause);
	if (rc == 0)
		rc = loop_io_new(loop, l->fd, on_accept, l, &l->io);
	if (rc == 0)
		rc = loop_io_set(l->io, LOOP_READ);
	if (rc < 0) {
		err_sys(e, rc, "listen on %s", conf->address);
		peer_listener_free(l);
		return rc;
	}
	*out = l;
	return 0;
}

void peer_listener_set_tls(struct peer_listener *l, struct tls_ctx *tls)
{
	tls_ctx_ref(tls); /* first: it may be the same */
	tls_ctx_free(l->conf.tls);
	l->conf.tls = tls;
}

uint16_t peer_listener_port(const struct peer_listener *l)
{
	return l->port;
}

unsigned int peer_listener_conns(const struct peer_listener *l)
{
	return l->count;
}

void peer_listener_close(struct peer_listener *l, void (*done)(void *arg), void *arg)
{
	struct conn *conn, *next;

	l->closing = true;
	watch_accept(l);
	if (l->fd >= 0) {
		loop_io_free(l->io);
		close(l->fd);
		l->io = NULL;
		l->fd = -1;
	}
	for (conn = LIST_FIRST(&l->conns); conn; conn = next) {
		next = LIST_NEXT(conn, link);
		if (conn->h2)
			h2_close(conn->h2);
		else
			conn_drop(conn);
	}
	if (l->count) {
		l->done = done;
		l->done_arg = arg;
	} else if (done) {
		done(arg);
	}
}

void peer_listener_free(struct peer_listener *l)
{
	if (!l)
		return;
	l->closing = true;
	l->done = NULL;
	while (!LIST_EMPTY(&l->conns)) {
		struct conn *conn = LIST_FIRST(&l->conns);

		if (conn->h2) {
			/* We may be in a callback of this very session. */
			LIST_REMOVE(conn, link);
			conn->l = NULL;
			h2_free(conn->h2, -ECANCELED, "shutting down");
		} else {
			conn_drop(conn);
		}
	}
	loop_io_free(l->io);
	loop_timer_free(l->pause);
	if (l->fd >= 0)
		close(l->fd);
	tls_ctx_free(l->conf.tls);
	free(l);
}
