/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peerkit: a listener over TLS on loopback, parties with certificates, and how they dial it. What the
 * tests of peer share.
 */
#ifndef SHUNT_TESTS_PEERKIT_H
#define SHUNT_TESTS_PEERKIT_H

#include "netkit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "lib/digest.h"
#include "lib/peer.h"
#include "lib/types.h"

struct world {
	struct loop *loop;
	char *dir, *other;
	struct tls_ctx *cloud, *gateway, *terminal, *stranger;
	struct peer_listener *listener;
	char address[ENDPOINT_STR_LEN];
	/* the listener's side */
	struct h2 *reverse;
	unsigned int refused, sessions;
	int refused_err;
	char refused_why[256];
	bool reverse_gone;
	/* a dialler's side */
	struct h2 *dialled;
	bool done;
	int err;
	char why[400];
	unsigned int ups, downs, retries;
	uint32_t last_retry_ms;
	uint64_t got;
	struct sha256 *sha;
};

/* ---- what both sides serve ---- */

static inline void get_whoami(struct h2_req *req, void *arg)
{
	const struct party *peer = h2_req_peer(req);
	char text[PARTY_STR_LEN];

	(void)arg;
	h2_respond(req, 200, "text/plain", party_print(peer, text),
		   strlen(party_print(peer, text)));
}

static inline void get_never(struct h2_req *req, void *arg)
{
	(void)req;
	(void)arg;
}

static inline int put_data(struct h2_req *req, const void *data, size_t len, void *arg)
{
	struct world *w = arg;

	(void)req;
	w->got += len;
	return sha256_update(w->sha, data, len);
}

static inline void put_end(struct h2_req *req, void *arg)
{
	(void)arg;
	h2_respond(req, 200, NULL, NULL, 0);
}

static inline void put_content(struct h2_req *req, void *arg)
{
	static const struct h2_body_ops ops = { put_data, put_end };

	h2_req_stream(req, &ops, arg);
}

static const struct h2_route routes[] = {
	{ "GET", "/v1/whoami", ROLE_ANY, 0, 0, get_whoami },
	{ "GET", "/v1/admin", ROLE_BIT(ROLE_ADMIN), 0, 0, get_whoami },
	{ "GET", "/v1/never", ROLE_ANY, 0, 0, get_never },
	{ "PUT", "/v1/content", ROLE_ANY, SIZE_MAX, H2_STREAM_BODY, put_content },
};

static struct h2_router router = { routes, sizeof(routes) / sizeof(routes[0]), NULL };

/* ---- setting up ---- */

static inline void on_reverse_close(struct h2 *h2, int err, const char *why, void *arg)
{
	struct world *w = arg;

	(void)h2;
	(void)err;
	(void)why;
	w->reverse = NULL;
	w->reverse_gone = true;
}

static inline void on_reverse(struct h2 *h2, void *arg)
{
	struct world *w = arg;

	assert_int_equal(h2_get_side(h2), H2_CLIENT);
	w->reverse = h2;
	w->reverse_gone = false;
	h2_on_close(h2, on_reverse_close, w);
}

static inline void on_session(struct h2 *h2, void *arg)
{
	struct world *w = arg;

	assert_int_equal(h2_get_side(h2), H2_SERVER);
	w->sessions++;
}

static inline void on_refused(const char *remote, int err, const char *why, void *arg)
{
	struct world *w = arg;

	assert_int_equal(strncmp(remote, "127.0.0.1:", 10), 0);
	w->refused++;
	w->refused_err = err;
	snprintf(w->refused_why, sizeof(w->refused_why), "%s", why);
}

static inline void listen_at(struct world *w, const char *address, uint32_t max_conns,
			     uint32_t handshake_ms)
{
	struct peer_listen_conf conf = {
		.address = address,
		.tls = w->cloud,
		.roles = ROLE_BIT(ROLE_TERMINAL) | ROLE_BIT(ROLE_ADMIN),
		.reverse_roles = ROLE_BIT(ROLE_GATEWAY) | ROLE_BIT(ROLE_DEVICE),
		.routes = &router,
		.max_conns = max_conns,
		.handshake_ms = handshake_ms,
		.fast_open = true, /* as for any other, it changes nothing */
		.on_reverse = on_reverse,
		.on_session = on_session,
		.on_refused = on_refused,
		.arg = w,
	};
	struct err e = { 0 };

	if (peer_listen(w->loop, &conf, &w->listener, &e) < 0)
		fail_msg("%s", err_text(&e));
	snprintf(w->address, sizeof(w->address), "127.0.0.1:%u",
		 (unsigned int)peer_listener_port(w->listener));
}

static inline int group_setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->dir = kit_dir_new();
	w->other = kit_dir_new();
	kit_ca(w->dir);
	kit_ca(w->other);
	w->cloud = kit_ctx(w->dir, ROLE_CLOUD, "cloud1");
	w->gateway = kit_ctx(w->dir, ROLE_GATEWAY, "gw1");
	w->terminal = kit_ctx(w->dir, ROLE_TERMINAL, "t1");
	w->stranger = kit_ctx(w->other, ROLE_TERMINAL, "t1");
	*state = w;
	return 0;
}

static inline int group_teardown(void **state)
{
	struct world *w = *state;

	tls_ctx_free(w->cloud);
	tls_ctx_free(w->gateway);
	tls_ctx_free(w->terminal);
	tls_ctx_free(w->stranger);
	kit_dir_free(w->dir);
	kit_dir_free(w->other);
	free(w);
	return 0;
}

static inline int setup(void **state)
{
	struct world *w = *state;

	assert_int_equal(loop_new(&w->loop), 0);
	router.arg = w;
	w->refused = w->sessions = w->ups = w->downs = w->retries = 0;
	w->reverse = w->dialled = NULL;
	w->done = w->reverse_gone = false;
	w->got = 0;
	w->why[0] = w->refused_why[0] = '\0';
	listen_at(w, "127.0.0.1:0", 0, 0);
	return 0;
}

static inline int teardown(void **state)
{
	struct world *w = *state;

	peer_listener_free(w->listener);
	w->listener = NULL;
	/* what was dialled notices that the other end has gone */
	if (w->dialled)
		h2_free(w->dialled, -ECANCELED, "test is over");
	sha256_free(w->sha);
	w->sha = NULL;
	loop_free(w->loop);
	return 0;
}

static inline struct peer_dial_conf dial_conf(struct world *w, struct tls_ctx *tls, bool reverse)
{
	return (struct peer_dial_conf){
		.address = w->address,
		.tls = tls,
		.reverse = reverse,
		.roles = ROLE_BIT(ROLE_CLOUD),
		.routes = reverse ? &router : NULL,
	};
}

static inline void on_dialled_close(struct h2 *h2, int err, const char *why, void *arg)
{
	struct world *w = arg;

	(void)h2;
	w->dialled = NULL;
	w->err = err;
	snprintf(w->why, sizeof(w->why), "%s", why);
}

static inline void on_dialled(struct h2 *h2, int err, const char *why, void *arg)
{
	struct world *w = arg;

	assert_false(w->done);
	w->done = true;
	w->dialled = h2;
	w->err = err;
	snprintf(w->why, sizeof(w->why), "%s", why);
	if (h2)
		h2_on_close(h2, on_dialled_close, w);
}

static inline void dial(struct world *w, const struct peer_dial_conf *conf)
{
	struct peer_dial *handle;

	w->done = false;
	assert_int_equal(peer_dial(w->loop, conf, on_dialled, w, &handle), 0);
	assert_false(w->done);
	kit_until(w->loop, &w->done);
}

static inline void assert_why(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' lacks '%s'", text, part);
}

struct answer {
	bool done;
	int err, status;
	char body[256], why[400];
};

static inline void on_reply(const struct h2_reply *reply, void *arg)
{
	struct answer *a = arg;

	assert_false(a->done);
	a->done = true;
	a->err = reply->err;
	a->status = reply->status;
	snprintf(a->body, sizeof(a->body), "%s", (const char *)reply->body);
	snprintf(a->why, sizeof(a->why), "%s", reply->why);
}

static inline struct answer ask(struct world *w, struct h2 *h2, const char *path)
{
	struct h2_request request = { .method = "GET", .path = path };
	struct answer a = { 0 };

	assert_int_equal(h2_fetch(h2, &request, on_reply, &a, NULL), 0);
	kit_until(w->loop, &a.done);
	return a;
}

static inline void set_flag(void *arg)
{
	*(bool *)arg = true;
}

/* A TCP port that accepts and says nothing. */
static inline int mute_port(char address[ENDPOINT_STR_LEN])
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	snprintf(address, ENDPOINT_STR_LEN, "127.0.0.1:%u", ntohs(sin.sin_port));
	return fd;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
