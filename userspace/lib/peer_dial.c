// SPDX-License-Identifier: GPL-2.0-or-later

/* The dialling half of peer: one connection, and one that is to exist all the time. */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/err.h"
#include "lib/loop.h"
#include "lib/peer_int.h"
#include "lib/stream.h"
#include "lib/tls.h"

#define KEEP_MIN_MS 500
#define KEEP_MAX_MS 30000

enum dial_state {
	DIAL_RESOLVE,
	DIAL_CONNECT,
	DIAL_HANDSHAKE,
	DIAL_SETTINGS, /* TLS is up; the first word of the peer is awaited */
	DIAL_DONE, /* the object belongs to the session now */
};

struct peer_dial {
	struct loop *loop;
	struct peer_dial_conf conf;
	enum dial_state state;
	void (*done)(struct h2 *h2, int err, const char *why, void *arg);
	void *arg;
	void (*on_close)(struct h2 *h2, int err, const char *why, void *arg);
	void *close_arg;

	struct loop_resolve *resolve;
	struct sockaddr_storage addrs[LOOP_RESOLVE_MAX];
	size_t count, next;
	struct loop_timer *timer;
	int fd;
	struct loop_io *io;
	struct tls_conn *tls;
	struct h2 *h2;
	char to[ENDPOINT_STR_LEN]; /* the address being tried */
	int err;
	char why[320];
};

static void try_next(struct peer_dial *dial);

static char *copy(const char *s, int *rc)
{
	char *dup = s ? strdup(s) : NULL;

	if (s && !dup)
		*rc = -ENOMEM;
	return dup;
}

int peer_dial_conf_copy(struct peer_dial_conf *to, const struct peer_dial_conf *from)
{
	int rc = 0;

	*to = *from;
	to->address = copy(from->address, &rc);
	to->source = copy(from->source, &rc);
	to->name = copy(from->name, &rc);
	to->tls = tls_ctx_ref(from->tls);
	if (rc < 0)
		peer_dial_conf_fini(to);
	return rc;
}

void peer_dial_conf_fini(struct peer_dial_conf *conf)
{
	free((char *)(uintptr_t)conf->address);
	free((char *)(uintptr_t)conf->source);
	free((char *)(uintptr_t)conf->name);
	tls_ctx_free(conf->tls);
	conf->address = conf->source = conf->name = NULL;
	conf->tls = NULL;
}

/* ---- ending ---- */

static void drop_socket(struct peer_dial *dial)
{
	loop_io_free(dial->io);
	tls_free(dial->tls);
	if (dial->fd >= 0)
		close(dial->fd);
	dial->io = NULL;
	dial->tls = NULL;
	dial->fd = -1;
}

static void dial_free(struct peer_dial *dial)
{
	drop_socket(dial);
	if (dial->resolve)
		loop_resolve_cancel(dial->resolve);
	loop_timer_free(dial->timer);
	peer_dial_conf_fini(&dial->conf);
	free(dial);
}

/* Tell that it failed and be gone. Never with a session. */
static void fail(struct peer_dial *dial, int err, const char *why)
{
	char text[320];

	snprintf(text, sizeof(text), "%s", why);
	if (dial->done)
		dial->done(NULL, err, text, dial->arg);
	dial_free(dial);
}

static void fail_at(struct peer_dial *dial, int err, const char *why)
{
	char text[320];

	snprintf(text, sizeof(text), "%s: %s", dial->to[0] ? dial->to : dial->conf.address, why);
	fail(dial, err, text);
}

/* ---- the session ---- */

static void on_session_close(struct h2 *h2, int err, const char *why, void *arg)
{
	struct peer_dial *dial = arg;

	dial->h2 = NULL;
	if (dial->state == DIAL_DONE) {
		if (dial->on_close)
			dial->on_close(h2, err, why, dial->close_arg);
		dial_free(dial);
		return;
	}
	/* An orderly end before the first word is no success either. */
	fail_at(dial, err ? err : -SHUNT_ECLOSED, why);
}

static void on_session_ready(struct h2 *h2, void *arg)
{
	struct peer_dial *dial = arg;
	void (*done)(struct h2 * h2, int err, const char *why, void *arg) = dial->done;

	if (dial->state != DIAL_SETTINGS)
		return;
	dial->state = DIAL_DONE;
	loop_timer_stop(dial->timer);
	dial->done = NULL;
	done(h2, 0, "", dial->arg);
}

static void start_session(struct peer_dial *dial)
{
	struct stream *stream = NULL;
	int rc;

	loop_io_free(dial->io);
	dial->io = NULL;
	rc = stream_new(dial->loop, dial->fd, dial->tls, &stream);
	if (rc < 0) {
		fail_at(dial, rc, shunt_strerror(rc));
		return;
	}
	dial->fd = -1;
	dial->tls = NULL;
	rc = h2_new(dial->loop, stream, dial->conf.reverse ? H2_SERVER : H2_CLIENT, &dial->conf.h2,
		    dial->conf.routes, on_session_close, dial, &dial->h2);
	if (rc < 0) {
		stream_free(stream);
		fail_at(dial, rc, shunt_strerror(rc));
		return;
	}
	dial->state = DIAL_SETTINGS;
	if (dial->conf.early)
		on_session_ready(dial->h2, dial);
	else
		h2_on_ready(dial->h2, on_session_ready, dial);
}

/* ---- TLS ---- */

static void handshake(struct peer_dial *dial)
{
	switch (tls_handshake(dial->tls)) {
	case TLS_OK:
		start_session(dial);
		break;
	case TLS_WANT_READ:
		loop_io_set(dial->io, LOOP_READ);
		break;
	case TLS_WANT_WRITE:
		loop_io_set(dial->io, LOOP_WRITE);
		break;
	case TLS_EOF:
		fail_at(dial, -SHUNT_ECLOSED,
			"peer closed the connection during the TLS handshake");
		break;
	case TLS_FAIL:
		fail_at(dial, tls_error(dial->tls), tls_reason(dial->tls));
		break;
	}
}

static void start_handshake(struct peer_dial *dial)
{
	struct tls_expect expect = {
		.alpn = dial->conf.reverse ? TLS_ALPN_RH2 : TLS_ALPN_H2,
		.roles_h2 = dial->conf.roles,
		.roles_rh2 = dial->conf.roles,
		.name = dial->conf.name,
	};
	int rc = tls_connect(dial->conf.tls, dial->fd, &expect, &dial->tls);

	if (rc < 0) {
		fail_at(dial, rc, shunt_strerror(rc));
		return;
	}
	dial->state = DIAL_HANDSHAKE;
	loop_timer_set(dial->timer, dial->conf.handshake_ms);
	handshake(dial);
}

/* ---- TCP ---- */

static void connect_failed(struct peer_dial *dial, int err)
{
	drop_socket(dial);
	/* The first failure is remembered: the preferred address says most. */
	if (!dial->err) {
		dial->err = err;
		snprintf(dial->why, sizeof(dial->why), "%s: %s", dial->to, shunt_strerror(err));
	}
	try_next(dial);
}

static void on_dial_io(unsigned int events, void *arg)
{
	struct peer_dial *dial = arg;
	socklen_t len = sizeof(int);
	int err = 0;

	(void)events;
	if (dial->state == DIAL_HANDSHAKE) {
		handshake(dial);
		return;
	}
	if (getsockopt(dial->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	if (err)
		connect_failed(dial, -err);
	else
		start_handshake(dial);
}

static int bind_source(const struct peer_dial *dial, int family)
{
	struct shunt_endpoint ep = { 0 };
	struct sockaddr_storage sa;
	socklen_t len;

	if (!dial->conf.source)
		return 0;
	if (addr_parse(dial->conf.source, &ep.addr) < 0)
		return -EINVAL;
	if (ep.addr.family != family)
		return -EAFNOSUPPORT;
	len = endpoint_to_sockaddr(&ep, &sa);
	return bind(dial->fd, (struct sockaddr *)&sa, len) < 0 ? -errno : 0;
}

static int start_connect(struct peer_dial *dial, const struct sockaddr_storage *sa)
{
	socklen_t len = sa->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
						    sizeof(struct sockaddr_in);
	int rc;

	peer_print_sockaddr((const struct sockaddr *)sa, len, dial->to);
	dial->fd = socket(sa->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (dial->fd < 0)
		return -errno;
	peer_socket_options(dial->fd);
	if (dial->conf.fast_open)
		peer_fast_open(dial->fd, TCP_FASTOPEN_CONNECT, 1);
	rc = bind_source(dial, sa->ss_family);
	if (rc < 0)
		return rc;
	rc = loop_io_new(dial->loop, dial->fd, on_dial_io, dial, &dial->io);
	if (rc < 0)
		return rc;
	if (connect(dial->fd, (const struct sockaddr *)sa, len) < 0 && errno != EINPROGRESS)
		return -errno;
	/* Also when connected at once: one way through. */
	return loop_io_set(dial->io, LOOP_WRITE);
}

static void try_next(struct peer_dial *dial)
{
	int rc;

	dial->state = DIAL_CONNECT;
	if (dial->next == dial->count) {
		fail(dial, dial->err, dial->why);
		return;
	}
	rc = start_connect(dial, &dial->addrs[dial->next++]);
	if (rc < 0)
		connect_failed(dial, rc);
}

static void on_addr(int err, const struct sockaddr_storage *addrs, size_t count, const char *why,
		    void *arg)
{
	struct peer_dial *dial = arg;

	dial->resolve = NULL;
	if (err) {
		fail_at(dial, err, why);
		return;
	}
	memcpy(dial->addrs, addrs, count * sizeof(addrs[0]));
	dial->count = count;
	try_next(dial);
}

static void on_dial_timeout(void *arg)
{
	struct peer_dial *dial = arg;

	switch (dial->state) {
	case DIAL_RESOLVE:
		fail_at(dial, -ETIMEDOUT, "the name could not be resolved in time");
		break;
	case DIAL_CONNECT:
		fail_at(dial, -ETIMEDOUT, "no connection in time");
		break;
	case DIAL_HANDSHAKE:
		fail_at(dial, -ETIMEDOUT, "no TLS handshake in time");
		break;
	case DIAL_SETTINGS:
		h2_abort(dial->h2, -ETIMEDOUT, "no HTTP/2 in time");
		break;
	case DIAL_DONE:
		break;
	}
}

int peer_dial(struct loop *loop, const struct peer_dial_conf *conf,
	      void (*done)(struct h2 *h2, int err, const char *why, void *arg), void *arg,
	      struct peer_dial **out)
{
	struct peer_dial *dial;
	int rc;

	if (!conf->address || !conf->tls || !conf->roles)
		return -EINVAL;
	dial = calloc(1, sizeof(*dial));
	if (!dial)
		return -ENOMEM;
	dial->loop = loop;
	dial->fd = -1;
	dial->done = done;
	dial->arg = arg;
	rc = peer_dial_conf_copy(&dial->conf, conf);
	if (rc < 0)
		goto fail;
	if (!dial->conf.connect_ms)
		dial->conf.connect_ms = PEER_CONNECT_MS;
	if (!dial->conf.handshake_ms)
		dial->conf.handshake_ms = PEER_HANDSHAKE_MS;
	rc = loop_timer_new(loop, on_dial_timeout, dial, &dial->timer);
	if (rc == 0)
		rc = loop_resolve(loop, conf->address, on_addr, dial, &dial->resolve);
	if (rc < 0)
		goto fail;
	loop_timer_set(dial->timer, dial->conf.connect_ms);
	if (out)
		*out = dial;
	return 0;
fail:
	dial_free(dial);
	return rc;
}

void peer_dial_cancel(struct peer_dial *dial)
{
	if (!dial)
		return;
	dial->done = NULL;
	if (dial->h2)
		h2_free(dial->h2, -ECANCELED, "not wanted any more");
	else
		dial_free(dial);
}

void peer_dial_watch(struct peer_dial *dial,
		     void (*on_close)(struct h2 *h2, int err, const char *why, void *arg),
		     void *arg)
{
	dial->on_close = on_close;
	dial->close_arg = arg;
}

/* ---- keeping a connection ---- */

struct peer_keep {
	struct loop *loop;
	struct peer_keep_conf conf;
	struct peer_dial *dial; /* also while its session lives */
	struct h2 *h2;
	struct loop_timer *timer;
	uint32_t pause_ms;
	uint64_t up_ms;
	bool closing;
	void (*done)(void *arg); /* of peer_keep_close() */
	void *done_arg;
	char why[320];
};

static void keep_dial(struct peer_keep *keep);

/* +-25 %, so that the gateways of a restarted manager do not come back in step. */
static uint32_t jitter(uint32_t ms)
{
	uint32_t random = 0, span = ms / 2;

	if (!span || getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		return ms;
	return ms - span / 2 + random % (span + 1);
}

static uint32_t schedule(struct peer_keep *keep)
{
	uint32_t ms = jitter(keep->pause_ms);

	loop_timer_set(keep->timer, ms);
	keep->pause_ms = keep->pause_ms > keep->conf.max_ms / 2 ? keep->conf.max_ms :
								  keep->pause_ms * 2;
	return ms;
}

static void keep_failed(struct peer_keep *keep, int err, const char *why)
{
	uint32_t ms = schedule(keep);

	snprintf(keep->why, sizeof(keep->why), "%s", why);
	/* Last: it may free the keeper. */
	if (keep->conf.on_retry)
		keep->conf.on_retry(err, why, ms, keep->conf.arg);
}

/* Last: it may free the keeper. */
static void keep_closed(struct peer_keep *keep)
{
	if (keep->done)
		keep->done(keep->done_arg);
}

static void on_keep_close(struct h2 *h2, int err, const char *why, void *arg)
{
	struct peer_keep *keep = arg;

	keep->h2 = NULL;
	keep->dial = NULL;
	if (keep->closing) {
		keep_closed(keep);
		return;
	}
	snprintf(keep->why, sizeof(keep->why), "%s", why);
	if (loop_now(keep->loop) - keep->up_ms >= keep->conf.max_ms)
		keep->pause_ms = keep->conf.min_ms;
	schedule(keep);
	if (keep->conf.on_down)
		keep->conf.on_down(h2, err, why, keep->conf.arg);
}

static void on_keep_dialled(struct h2 *h2, int err, const char *why, void *arg)
{
	struct peer_keep *keep = arg;

	if (!h2) {
		keep->dial = NULL;
		keep_failed(keep, err, why);
		return;
	}
	keep->h2 = h2;
	keep->why[0] = '\0';
	keep->up_ms = loop_now(keep->loop);
	peer_dial_watch(keep->dial, on_keep_close, keep);
	if (keep->conf.on_up)
		keep->conf.on_up(h2, keep->conf.arg);
}

static void keep_dial(struct peer_keep *keep)
{
	int rc = peer_dial(keep->loop, &keep->conf.dial, on_keep_dialled, keep, &keep->dial);

	if (rc < 0)
		keep_failed(keep, rc, shunt_strerror(rc));
}

static void on_keep_timer(void *arg)
{
	keep_dial(arg);
}

int peer_keep(struct loop *loop, const struct peer_keep_conf *conf, struct peer_keep **out)
{
	struct peer_keep *keep = calloc(1, sizeof(*keep));
	int rc;

	if (!keep)
		return -ENOMEM;
	keep->loop = loop;
	keep->conf = *conf;
	rc = peer_dial_conf_copy(&keep->conf.dial, &conf->dial);
	if (rc < 0) {
		free(keep);
		return rc;
	}
	if (!keep->conf.min_ms)
		keep->conf.min_ms = KEEP_MIN_MS;
	if (!keep->conf.max_ms)
		keep->conf.max_ms = KEEP_MAX_MS;
	keep->pause_ms = keep->conf.min_ms;
	rc = loop_timer_new(loop, on_keep_timer, keep, &keep->timer);
	if (rc < 0) {
		peer_keep_free(keep);
		return rc;
	}
	loop_timer_set(keep->timer, 0);
	*out = keep;
	return 0;
}

struct h2 *peer_keep_session(const struct peer_keep *keep)
{
	return keep->h2;
}

const char *peer_keep_why(const struct peer_keep *keep)
{
	return keep->why;
}

void peer_keep_now(struct peer_keep *keep)
{
	if (!keep->dial && !keep->closing)
		loop_timer_set(keep->timer, 0);
}

void peer_keep_set_tls(struct peer_keep *keep, struct tls_ctx *tls)
{
	tls_ctx_ref(tls); /* first: it may be the same */
	tls_ctx_free(keep->conf.dial.tls);
	keep->conf.dial.tls = tls;
}

void peer_keep_close(struct peer_keep *keep, void (*done)(void *arg), void *arg)
{
	keep->closing = true;
	keep->done = done;
	keep->done_arg = arg;
	loop_timer_stop(keep->timer);
	if (keep->h2) {
		h2_close(keep->h2);
		return;
	}
	peer_dial_cancel(keep->dial);
	keep->dial = NULL;
	keep_closed(keep);
}

void peer_keep_free(struct peer_keep *keep)
{
	if (!keep)
		return;
	if (keep->h2) {
		peer_dial_watch(keep->dial, NULL, NULL);
		h2_free(keep->h2, -ECANCELED, "shutting down");
	} else {
		peer_dial_cancel(keep->dial);
	}
	loop_timer_free(keep->timer);
	peer_dial_conf_fini(&keep->conf.dial);
	free(keep);
}
