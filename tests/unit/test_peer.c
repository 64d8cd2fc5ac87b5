// SPDX-License-Identifier: GPL-2.0-or-later

/* Listeners, dials, keepers and clients over TLS on loopback. */

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

static void get_whoami(struct h2_req *req, void *arg)
{
	const struct party *peer = h2_req_peer(req);
	char text[PARTY_STR_LEN];

	(void)arg;
	h2_respond(req, 200, "text/plain", party_print(peer, text),
		   strlen(party_print(peer, text)));
}

static void get_never(struct h2_req *req, void *arg)
{
	(void)req;
	(void)arg;
}

static int put_data(struct h2_req *req, const void *data, size_t len, void *arg)
{
	struct world *w = arg;

	(void)req;
	w->got += len;
	return sha256_update(w->sha, data, len);
}

static void put_end(struct h2_req *req, void *arg)
{
	(void)arg;
	h2_respond(req, 200, NULL, NULL, 0);
}

static void put_content(struct h2_req *req, void *arg)
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

static void on_reverse_close(struct h2 *h2, int err, const char *why, void *arg)
{
	struct world *w = arg;

	(void)h2;
	(void)err;
	(void)why;
	w->reverse = NULL;
	w->reverse_gone = true;
}

static void on_reverse(struct h2 *h2, void *arg)
{
	struct world *w = arg;

	assert_int_equal(h2_get_side(h2), H2_CLIENT);
	w->reverse = h2;
	w->reverse_gone = false;
	h2_on_close(h2, on_reverse_close, w);
}

static void on_session(struct h2 *h2, void *arg)
{
	struct world *w = arg;

	assert_int_equal(h2_get_side(h2), H2_SERVER);
	w->sessions++;
}

static void on_refused(const char *remote, int err, const char *why, void *arg)
{
	struct world *w = arg;

	assert_int_equal(strncmp(remote, "127.0.0.1:", 10), 0);
	w->refused++;
	w->refused_err = err;
	snprintf(w->refused_why, sizeof(w->refused_why), "%s", why);
}

static void listen_at(struct world *w, const char *address, uint32_t max_conns,
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

static int group_setup(void **state)
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

static int group_teardown(void **state)
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

static int setup(void **state)
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

static int teardown(void **state)
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

static struct peer_dial_conf dial_conf(struct world *w, struct tls_ctx *tls, bool reverse)
{
	return (struct peer_dial_conf){
		.address = w->address,
		.tls = tls,
		.reverse = reverse,
		.roles = ROLE_BIT(ROLE_CLOUD),
		.routes = reverse ? &router : NULL,
	};
}

static void on_dialled_close(struct h2 *h2, int err, const char *why, void *arg)
{
	struct world *w = arg;

	(void)h2;
	w->dialled = NULL;
	w->err = err;
	snprintf(w->why, sizeof(w->why), "%s", why);
}

static void on_dialled(struct h2 *h2, int err, const char *why, void *arg)
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

static void dial(struct world *w, const struct peer_dial_conf *conf)
{
	struct peer_dial *handle;

	w->done = false;
	assert_int_equal(peer_dial(w->loop, conf, on_dialled, w, &handle), 0);
	assert_false(w->done);
	kit_until(w->loop, &w->done);
}

static void assert_why(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' lacks '%s'", text, part);
}

struct answer {
	bool done;
	int err, status;
	char body[256], why[400];
};

static void on_reply(const struct h2_reply *reply, void *arg)
{
	struct answer *a = arg;

	assert_false(a->done);
	a->done = true;
	a->err = reply->err;
	a->status = reply->status;
	snprintf(a->body, sizeof(a->body), "%s", (const char *)reply->body);
	snprintf(a->why, sizeof(a->why), "%s", reply->why);
}

static struct answer ask(struct world *w, struct h2 *h2, const char *path)
{
	struct h2_request request = { .method = "GET", .path = path };
	struct answer a = { 0 };

	assert_int_equal(h2_fetch(h2, &request, on_reply, &a, NULL), 0);
	kit_until(w->loop, &a.done);
	return a;
}

/* ---- dialling ---- */

static void ordinary_client(void **state)
{
	struct world *w = *state;
	struct peer_dial_conf conf = dial_conf(w, w->terminal, false);
	struct answer a;

	conf.name = "cloud1";
	dial(w, &conf);
	assert_non_null(w->dialled);
	assert_int_equal(h2_peer(w->dialled)->role, ROLE_CLOUD);
	assert_string_equal(h2_remote(w->dialled), w->address);
	assert_int_equal(strncmp(h2_local(w->dialled), "127.0.0.1:", 10), 0);
	a = ask(w, w->dialled, "/v1/whoami");
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "shunt:terminal:t1");
	a = ask(w, w->dialled, "/v1/admin");
	assert_int_equal(a.status, 403);
	assert_int_equal(w->sessions, 1);
	assert_int_equal(peer_listener_conns(w->listener), 1);
	h2_close(w->dialled);
	KIT_UNTIL(w->loop, !w->dialled && !peer_listener_conns(w->listener));
	assert_int_equal(w->err, 0);
}

static void reverse_roles(void **state)
{
	struct world *w = *state;
	struct peer_dial_conf conf = dial_conf(w, w->gateway, true);
	uint8_t a[36], b[36], c[36];
	struct answer answer;

	dial(w, &conf);
	assert_non_null(w->dialled);
	assert_int_equal(h2_get_side(w->dialled), H2_SERVER);
	KIT_UNTIL(w->loop, w->reverse);
	assert_string_equal(h2_peer(w->reverse)->name, "gw1");
	/* who was dialled asks, who dialled answers and knows who asks */
	answer = ask(w, w->reverse, "/v1/whoami");
	assert_int_equal(answer.status, 200);
	assert_string_equal(answer.body, "shunt:cloud:cloud1");
	assert_int_equal(h2_export(w->reverse, "EXPORTER-shunt-tunnel-v1", "x", 1, a, 36), 0);
	assert_int_equal(h2_export(w->dialled, "EXPORTER-shunt-tunnel-v1", "x", 1, b, 36), 0);
	assert_memory_equal(a, b, 36);
	assert_int_equal(h2_export(w->dialled, "EXPORTER-shunt-tunnel-v1", "y", 1, c, 36), 0);
	assert_memory_not_equal(a, c, 36);
	/* requests in flight learn of the end */
	h2_abort(w->dialled, -EIO, "power cut");
	KIT_UNTIL(w->loop, !w->dialled && w->reverse_gone);
}

static void refusals_are_precise(void **state)
{
	struct world *w = *state;
	struct peer_dial_conf conf;

	/* a role that is not accepted with this protocol */
	conf = dial_conf(w, w->gateway, false);
	dial(w, &conf);
	assert_null(w->dialled);
	assert_why(w->why, "does not accept our role");
	assert_why(w->why, w->address);
	KIT_UNTIL(w->loop, w->refused == 1);
	assert_why(w->refused_why, "gateway 'gw1'");
	/* an unknown CA, seen from the client */
	conf = dial_conf(w, w->stranger, false);
	dial(w, &conf);
	assert_int_equal(w->err, -SHUNT_ETLS);
	assert_why(w->why, "unknown CA");
	KIT_UNTIL(w->loop, w->refused == 2);
	/* another name and another role than expected */
	conf = dial_conf(w, w->terminal, false);
	conf.name = "cloud2";
	dial(w, &conf);
	assert_int_equal(w->err, -SHUNT_EPEER);
	assert_why(w->why, "expected 'cloud2'");
	conf.name = NULL;
	conf.roles = ROLE_BIT(ROLE_MANAGER);
	dial(w, &conf);
	assert_int_equal(w->err, -SHUNT_EPEER);
	KIT_UNTIL(w->loop, peer_listener_conns(w->listener) == 0);
}

static void nobody_there(void **state)
{
	struct world *w = *state;
	struct peer_dial_conf conf = dial_conf(w, w->terminal, false);
	char address[ENDPOINT_STR_LEN];
	struct peer_dial *handle = NULL;

	snprintf(address, sizeof(address), "%s", w->address);
	peer_listener_free(w->listener);
	w->listener = NULL;
	conf.address = address;
	dial(w, &conf);
	assert_int_equal(w->err, -ECONNREFUSED);
	assert_why(w->why, address);
	conf.source = "not an address";
	dial(w, &conf);
	assert_int_equal(w->err, -EINVAL);
	conf.source = "192.0.2.77";
	dial(w, &conf);
	assert_int_equal(w->err, -EADDRNOTAVAIL);
	conf.address = "nonsense";
	assert_int_equal(peer_dial(w->loop, &conf, on_dialled, w, &handle), -EINVAL);
	conf.address = address;
	conf.roles = 0;
	assert_int_equal(peer_dial(w->loop, &conf, on_dialled, w, &handle), -EINVAL);
}

/* A TCP port that accepts and says nothing. */
static int mute_port(char address[ENDPOINT_STR_LEN])
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

static void handshake_has_a_deadline(void **state)
{
	struct world *w = *state;
	struct peer_dial_conf conf = dial_conf(w, w->terminal, false);
	struct peer_dial *handle = NULL;
	char address[ENDPOINT_STR_LEN], byte;
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int fd = mute_port(address);
	int quiet;

	conf.address = address;
	conf.handshake_ms = 30;
	dial(w, &conf);
	assert_int_equal(w->err, -ETIMEDOUT);
	assert_why(w->why, "no TLS handshake in time");
	/* and cancelled meanwhile */
	w->done = false;
	assert_int_equal(peer_dial(w->loop, &conf, on_dialled, w, &handle), 0);
	kit_settle(w->loop);
	peer_dial_cancel(handle);
	kit_settle(w->loop);
	assert_false(w->done);
	close(fd);
	/* the other way round: a client that says nothing is hung up on */
	peer_listener_free(w->listener);
	listen_at(w, "127.0.0.1:0", 0, 30);
	quiet = socket(AF_INET, SOCK_STREAM, 0);
	sin.sin_port = htons(peer_listener_port(w->listener));
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(quiet, (struct sockaddr *)&sin, sizeof(sin)), 0);
	KIT_UNTIL(w->loop, w->refused == 1);
	assert_int_equal(w->refused_err, -ETIMEDOUT);
	assert_int_equal(recv(quiet, &byte, 1, 0), 0);
	close(quiet);
}

static void connections_are_limited(void **state)
{
	struct world *w = *state;
	struct peer_dial_conf conf;
	struct h2 *first;
	struct peer_dial *handle = NULL;

	peer_listener_free(w->listener);
	listen_at(w, "127.0.0.1:0", 1, 0);
	conf = dial_conf(w, w->terminal, false);
	dial(w, &conf);
	first = w->dialled;
	assert_non_null(first);
	h2_on_close(first, NULL, NULL);
	/* the second one waits in the backlog until the first has gone */
	w->done = false;
	w->dialled = NULL;
	assert_int_equal(peer_dial(w->loop, &conf, on_dialled, w, &handle), 0);
	kit_settle(w->loop);
	assert_false(w->done);
	assert_int_equal(peer_listener_conns(w->listener), 1);
	h2_close(first);
	kit_until(w->loop, &w->done);
	assert_non_null(w->dialled);
}

/* Strangers who connect and say nothing keep nobody out. */
static void handshakes_make_room(void **state)
{
	enum { MUTE = 12, PENDING = 8 };
	struct world *w = *state;
	struct peer_dial_conf conf;
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int fd[MUTE], i;
	char byte;

	peer_listener_free(w->listener);
	listen_at(w, "127.0.0.1:0", 1, 0);
	sin.sin_port = htons(peer_listener_port(w->listener));
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (i = 0; i < MUTE; i++) {
		fd[i] = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(connect(fd[i], (struct sockaddr *)&sin, sizeof(sin)), 0);
	}
	KIT_UNTIL(w->loop, w->refused == MUTE - PENDING);
	assert_int_equal(peer_listener_conns(w->listener), PENDING);
	for (i = 0; i < MUTE - PENDING; i++)
		assert_int_equal(recv(fd[i], &byte, 1, 0), 0);
	conf = dial_conf(w, w->terminal, false);
	dial(w, &conf);
	assert_non_null(w->dialled);
	assert_int_equal(w->refused, MUTE - PENDING + 1);
	assert_int_equal(peer_listener_conns(w->listener), PENDING);
	for (i = 0; i < MUTE; i++)
		close(fd[i]);
	KIT_UNTIL(w->loop, peer_listener_conns(w->listener) == 1);
}

static void host_of_a_remote(void **state)
{
	char host[PEER_HOST_LEN];

	(void)state;
	assert_string_equal(peer_host("192.0.2.1:40312", host), "192.0.2.1");
	assert_string_equal(peer_host("[2001:db8::1]:8443", host), "[2001:db8::1]");
	assert_string_equal(peer_host("-", host), "-");
}

static void listen_mistakes(void **state)
{
	struct world *w = *state;
	struct peer_listen_conf conf = { .address = w->address, .tls = w->cloud, .roles = 1 };
	struct peer_listener *l = NULL;
	struct err e = { 0 };

	assert_int_equal(peer_listen(w->loop, &conf, &l, &e), -EADDRINUSE);
	assert_why(e.text, w->address);
	conf.address = "192.0.2.77:1";
	assert_int_equal(peer_listen(w->loop, &conf, &l, &e), -EADDRNOTAVAIL);
	conf.freebind = true;
	assert_int_equal(peer_listen(w->loop, &conf, &l, &e), 0);
	peer_listener_free(l);
	conf.address = "here";
	assert_int_equal(peer_listen(w->loop, &conf, &l, &e), -EINVAL);
	conf.address = w->address;
	conf.roles = 0;
	assert_int_equal(peer_listen(w->loop, &conf, &l, &e), -EINVAL);
}

/* ---- content over TLS ---- */

struct upload {
	uint64_t left, max_buffered;
	uint32_t seed;
	struct sha256 *sha;
	bool closed;
	int err;
};

static ssize_t upload_read(void *arg, void *buf, size_t len)
{
	struct upload *up = arg;
	uint8_t *at = buf;
	size_t i;

	if (len > up->left)
		len = (size_t)up->left;
	for (i = 0; i < len; i++) {
		up->seed = up->seed * 1664525 + 1013904223;
		at[i] = (uint8_t)(up->seed >> 24);
	}
	sha256_update(up->sha, buf, len);
	up->left -= len;
	return (ssize_t)len;
}

static int upload_data(struct h2_call *call, const void *data, size_t len, void *arg)
{
	(void)call;
	(void)data;
	(void)len;
	(void)arg;
	return 0;
}

static void upload_close(struct h2_call *call, int err, const char *why, void *arg)
{
	struct upload *up = arg;

	(void)call;
	(void)why;
	up->err = err;
	up->closed = true;
}

static void big_content_over_a_reverse_connection(void **state)
{
	static const struct h2_call_ops ops = { NULL, upload_data, upload_close };
	enum { SIZE = 64 << 20 };
	struct world *w = *state;
	struct peer_dial_conf conf = dial_conf(w, w->gateway, true);
	struct upload up = { .left = SIZE, .seed = 7 };
	struct h2_request request = {
		.method = "PUT",
		.path = "/v1/content",
		.source = { .read = upload_read, .arg = &up, .len = SIZE },
	};
	uint8_t sent[SHA256_LEN], got[SHA256_LEN];
	struct h2_stats stats;

	assert_int_equal(sha256_new(&up.sha), 0);
	assert_int_equal(sha256_new(&w->sha), 0);
	dial(w, &conf);
	KIT_UNTIL(w->loop, w->reverse);
	assert_int_equal(h2_call_start(w->reverse, &request, &ops, &up, NULL), 0);
	while (!up.closed) {
		assert_int_equal(loop_step(w->loop, 1000), 0);
		h2_stats(w->reverse, &stats);
		if (stats.buffered > up.max_buffered)
			up.max_buffered = stats.buffered;
	}
	assert_int_equal(up.err, 0);
	assert_int_equal(w->got, SIZE);
	assert_true(up.max_buffered <= 128 * 1024);
	assert_int_equal(sha256_final(up.sha, sent), 0);
	assert_int_equal(sha256_final(w->sha, got), 0);
	assert_memory_equal(sent, got, sizeof(got));
	sha256_free(up.sha);
}

/* ---- keepers ---- */

static void keep_up(struct h2 *h2, void *arg)
{
	struct world *w = arg;

	(void)h2;
	w->ups++;
}

static void keep_down(struct h2 *h2, int err, const char *why, void *arg)
{
	struct world *w = arg;

	(void)h2;
	(void)err;
	(void)why;
	w->downs++;
}

static void keep_retry(int err, const char *why, uint32_t retry_ms, void *arg)
{
	struct world *w = arg;

	assert_true(err < 0);
	assert_true(why[0]);
	w->retries++;
	w->last_retry_ms = retry_ms;
}

static void keeper_comes_back(void **state)
{
	struct world *w = *state;
	struct peer_keep_conf conf = {
		.min_ms = 8,
		.max_ms = 40,
		.on_up = keep_up,
		.on_down = keep_down,
		.on_retry = keep_retry,
		.arg = w,
	};
	struct peer_keep *keep = NULL;
	char address[ENDPOINT_STR_LEN];
	unsigned int retries;

	conf.dial = dial_conf(w, w->gateway, true);
	snprintf(address, sizeof(address), "%s", w->address);
	conf.dial.address = address;
	assert_int_equal(peer_keep(w->loop, &conf, &keep), 0);
	KIT_UNTIL(w->loop, w->ups == 1);
	assert_non_null(peer_keep_session(keep));
	assert_string_equal(peer_keep_why(keep), "");
	/* the listener goes away for a while */
	peer_listener_free(w->listener);
	w->listener = NULL;
	KIT_UNTIL(w->loop, w->downs == 1);
	assert_null(peer_keep_session(keep));
	KIT_UNTIL(w->loop, w->retries >= 5);
	assert_why(peer_keep_why(keep), "Connection refused");
	/* capped, and within the jitter */
	assert_true(w->last_retry_ms >= 30 && w->last_retry_ms <= 50);
	listen_at(w, address, 0, 0);
	KIT_UNTIL(w->loop, w->ups == 2);
	/* dropped by the other side: dials again at once-ish */
	KIT_UNTIL(w->loop, w->reverse);
	h2_abort(w->reverse, -EIO, "restarting");
	KIT_UNTIL(w->loop, w->downs == 2);
	assert_why(peer_keep_why(keep), "restarting");
	peer_keep_now(keep);
	KIT_UNTIL(w->loop, w->ups == 3);
	retries = w->retries;
	peer_keep_free(keep);
	kit_settle(w->loop);
	assert_int_equal(w->downs, 2);
	assert_int_equal(w->retries, retries);
	KIT_UNTIL(w->loop, peer_listener_conns(w->listener) == 0);
}

static void set_flag(void *arg)
{
	*(bool *)arg = true;
}

/* In order, and for good. */
static void keeper_closes(void **state)
{
	struct world *w = *state;
	struct peer_keep_conf conf = { .on_up = keep_up, .on_down = keep_down, .arg = w };
	struct h2_request request = { .method = "GET", .path = "/v1/whoami" };
	struct peer_keep *keep = NULL;
	struct answer a = { 0 };
	bool closed = false;

	conf.dial = dial_conf(w, w->gateway, true);
	assert_int_equal(peer_keep(w->loop, &conf, &keep), 0);
	KIT_UNTIL(w->loop, w->ups == 1 && w->reverse);
	assert_int_equal(h2_fetch(w->reverse, &request, on_reply, &a, NULL), 0);
	KIT_UNTIL(w->loop, a.done);
	assert_int_equal(a.status, 200);
	peer_keep_close(keep, set_flag, &closed);
	assert_false(closed);
	peer_keep_now(keep);
	kit_until(w->loop, &closed);
	KIT_UNTIL(w->loop, w->reverse_gone);
	assert_null(peer_keep_session(keep));
	assert_int_equal(w->ups, 1);
	assert_int_equal(w->downs, 0);
	peer_keep_free(keep);
	/* nothing to wait for while it dials */
	closed = false;
	assert_int_equal(peer_keep(w->loop, &conf, &keep), 0);
	peer_keep_close(keep, set_flag, &closed);
	assert_true(closed);
	peer_keep_free(keep);
}

struct suicide {
	struct peer_keep *keep;
	bool gone;
};

static void suicide_up(struct h2 *h2, void *arg)
{
	struct suicide *s = arg;

	(void)h2;
	peer_keep_free(s->keep);
	s->gone = true;
}

static void keeper_freed_in_its_callback(void **state)
{
	struct world *w = *state;
	struct suicide s = { 0 };
	struct peer_keep_conf conf = { .on_up = suicide_up, .arg = &s };

	conf.dial = dial_conf(w, w->gateway, true);
	assert_int_equal(peer_keep(w->loop, &conf, &s.keep), 0);
	kit_until(w->loop, &s.gone);
	KIT_UNTIL(w->loop, peer_listener_conns(w->listener) == 0);
}

/* The owner drops its credentials while dials of all kinds are under way with them. */
static void credentials_are_replaced(void **state)
{
	struct world *w = *state;
	struct peer_keep_conf keep_conf = { .on_up = keep_up, .arg = w };
	struct peer_client_conf client_conf = { 0 };
	struct h2_request request = { .method = "GET", .path = "/v1/whoami" };
	struct tls_ctx *first = kit_ctx(w->dir, ROLE_TERMINAL, "t2");
	struct tls_ctx *second = kit_ctx(w->dir, ROLE_GATEWAY, "gw2");
	struct peer_dial_conf conf = dial_conf(w, first, false);
	struct peer_client *client = NULL;
	struct peer_keep *keep = NULL;
	struct peer_dial *handle = NULL;
	struct answer a = { 0 };

	client_conf.dial = conf;
	keep_conf.dial = dial_conf(w, second, true);
	assert_int_equal(peer_client_new(w->loop, &client_conf, &client), 0);
	assert_int_equal(peer_client_fetch(client, &request, on_reply, &a), 0);
	assert_int_equal(peer_keep(w->loop, &keep_conf, &keep), 0);
	w->done = false;
	assert_int_equal(peer_dial(w->loop, &conf, on_dialled, w, &handle), 0);
	peer_listener_set_tls(w->listener, w->cloud); /* the same once more */
	tls_ctx_free(first);
	tls_ctx_free(second);
	KIT_UNTIL(w->loop, w->done && a.done && w->ups == 1);
	assert_non_null(w->dialled);
	assert_string_equal(a.body, "shunt:terminal:t2");
	KIT_UNTIL(w->loop, w->reverse);
	assert_string_equal(h2_peer(w->reverse)->name, "gw2");
	/* a session outlives the credentials it was made with, the next one has others */
	peer_keep_set_tls(keep, w->gateway);
	h2_abort(w->reverse, -EIO, "restarting");
	KIT_UNTIL(w->loop, w->reverse_gone);
	peer_keep_now(keep);
	KIT_UNTIL(w->loop, w->ups == 2 && w->reverse);
	assert_string_equal(h2_peer(w->reverse)->name, "gw1");
	peer_keep_free(keep);
	peer_client_free(client);
	KIT_UNTIL(w->loop, peer_listener_conns(w->listener) == 1);
}

/* ---- clients ---- */

static void client_dials_when_asked(void **state)
{
	struct world *w = *state;
	struct peer_client_conf conf = { .idle_ms = 30 };
	struct h2_header fields[] = { { "x-a", "b" } };
	struct h2_request request = {
		.method = "GET",
		.path = "/v1/whoami",
		.headers = fields,
		.header_count = 1,
		.timeout_ms = 5000,
	};
	struct peer_client *client = NULL;
	struct answer a[20];
	unsigned int i;

	memset(a, 0, sizeof(a));
	conf.dial = dial_conf(w, w->terminal, false);
	assert_int_equal(peer_client_new(w->loop, &conf, &client), 0);
	kit_settle(w->loop);
	assert_int_equal(peer_listener_conns(w->listener), 0);
	for (i = 0; i < 20; i++)
		assert_int_equal(peer_client_fetch(client, &request, on_reply, &a[i]), 0);
	for (i = 0; i < 20; i++) {
		kit_until(w->loop, &a[i].done);
		assert_int_equal(a[i].status, 200);
	}
	/* one connection for all, closed when idle */
	assert_int_equal(w->sessions, 1);
	KIT_UNTIL(w->loop, peer_listener_conns(w->listener) == 0);
	/* and made anew */
	memset(a, 0, sizeof(a));
	assert_int_equal(peer_client_fetch(client, &request, on_reply, &a[0]), 0);
	kit_until(w->loop, &a[0].done);
	assert_int_equal(a[0].status, 200);
	assert_int_equal(w->sessions, 2);
	w->done = false;
	assert_int_equal(peer_client_session(client, on_dialled, w), 0);
	assert_false(w->done);
	kit_until(w->loop, &w->done);
	assert_non_null(w->dialled);
	peer_client_free(client);
	assert_null(w->dialled);
}

static void client_reports_failures(void **state)
{
	struct world *w = *state;
	struct peer_client_conf conf = { .max_queue = 3 };
	struct h2_request request = { .method = "GET", .path = "/v1/whoami" };
	struct answer a[4];
	struct peer_client *client = NULL;
	char address[ENDPOINT_STR_LEN];
	unsigned int i;
	int fd;

	memset(a, 0, sizeof(a));
	/* refused: all who wait get it */
	peer_listener_free(w->listener);
	w->listener = NULL;
	conf.dial = dial_conf(w, w->terminal, false);
	assert_int_equal(peer_client_new(w->loop, &conf, &client), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(peer_client_fetch(client, &request, on_reply, &a[i]), 0);
	assert_int_equal(peer_client_fetch(client, &request, on_reply, &a[3]), -EAGAIN);
	for (i = 0; i < 3; i++) {
		kit_until(w->loop, &a[i].done);
		assert_int_equal(a[i].err, -ECONNREFUSED);
		assert_why(a[i].why, w->address);
	}
	w->done = false;
	assert_int_equal(peer_client_session(client, on_dialled, w), 0);
	kit_until(w->loop, &w->done);
	assert_null(w->dialled);
	assert_int_equal(w->err, -ECONNREFUSED);
	peer_client_free(client);
	/* mute: the request's own time counts from the beginning */
	fd = mute_port(address);
	conf.dial.address = address;
	assert_int_equal(peer_client_new(w->loop, &conf, &client), 0);
	memset(a, 0, sizeof(a));
	request.timeout_ms = 30;
	assert_int_equal(peer_client_fetch(client, &request, on_reply, &a[0]), 0);
	kit_until(w->loop, &a[0].done);
	assert_int_equal(a[0].err, -ETIMEDOUT);
	/* freed with a wish waiting and a dial under way: no callback */
	request.timeout_ms = 0;
	assert_int_equal(peer_client_fetch(client, &request, on_reply, &a[1]), 0);
	kit_settle(w->loop);
	peer_client_free(client);
	kit_settle(w->loop);
	assert_false(a[1].done);
	close(fd);
}

struct freeing {
	struct peer_client *client;
	bool done;
};

static void free_on_reply(const struct h2_reply *reply, void *arg)
{
	struct freeing *f = arg;

	(void)reply;
	peer_client_free(f->client);
	f->done = true;
}

static void client_freed_in_its_callback(void **state)
{
	struct world *w = *state;
	struct peer_client_conf conf = { 0 };
	struct h2_request request = { .method = "GET", .path = "/v1/whoami" };
	struct h2_request never = { .method = "GET", .path = "/v1/never" };
	struct freeing f = { 0 };
	struct answer unseen = { 0 };

	conf.dial = dial_conf(w, w->terminal, false);
	assert_int_equal(peer_client_new(w->loop, &conf, &f.client), 0);
	assert_int_equal(peer_client_fetch(f.client, &never, on_reply, &unseen), 0);
	assert_int_equal(peer_client_fetch(f.client, &request, free_on_reply, &f), 0);
	kit_until(w->loop, &f.done);
	KIT_UNTIL(w->loop, peer_listener_conns(w->listener) == 0);
	assert_false(unseen.done);
}

static void listener_drains(void **state)
{
	struct world *w = *state;
	struct peer_dial_conf conf = dial_conf(w, w->terminal, false);
	struct answer a = { 0 };
	struct h2_request request = { .method = "GET", .path = "/v1/whoami" };
	bool drained = false;

	dial(w, &conf);
	assert_int_equal(h2_fetch(w->dialled, &request, on_reply, &a, NULL), 0);
	kit_until(w->loop, &a.done);
	peer_listener_close(w->listener, set_flag, &drained);
	assert_false(drained);
	kit_until(w->loop, &drained);
	KIT_UNTIL(w->loop, !w->dialled);
	assert_int_equal(w->err, 0);
	dial(w, &conf);
	assert_int_equal(w->err, -ECONNREFUSED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ordinary_client),
		TEST(reverse_roles),
		TEST(refusals_are_precise),
		TEST(nobody_there),
		TEST(handshake_has_a_deadline),
		TEST(connections_are_limited),
		TEST(handshakes_make_room),
		cmocka_unit_test(host_of_a_remote),
		TEST(listen_mistakes),
		TEST(big_content_over_a_reverse_connection),
		TEST(keeper_comes_back),
		TEST(keeper_closes),
		TEST(keeper_freed_in_its_callback),
		TEST(credentials_are_replaced),
		TEST(client_dials_when_asked),
		TEST(client_reports_failures),
		TEST(client_freed_in_its_callback),
		TEST(listener_drains),
	};

	return cmocka_run_group_tests_name("peer", tests, group_setup, group_teardown);
}
