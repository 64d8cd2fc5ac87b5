// SPDX-License-Identifier: GPL-2.0-or-later

/* Listeners and dials over TLS on loopback. */

#include "peerkit.h"

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

static void early_sessions_take_requests_and_learn_of_refusals(void **state)
{
	struct world *w = *state;
	struct peer_dial_conf conf = dial_conf(w, w->terminal, false);
	struct answer a;

	conf.early = true;
	dial(w, &conf);
	assert_non_null(w->dialled);
	a = ask(w, w->dialled, "/v1/whoami");
	assert_int_equal(a.status, 200);
	h2_close(w->dialled);
	KIT_UNTIL(w->loop, !w->dialled);
	/* We know the peer, and have its session, before it has judged us. */
	conf = dial_conf(w, w->gateway, false);
	conf.early = true;
	dial(w, &conf);
	assert_non_null(w->dialled);
	KIT_UNTIL(w->loop, !w->dialled && w->refused == 1);
	assert_true(w->err < 0);
	assert_why(w->refused_why, "gateway 'gw1'");
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

/* ---- the end ---- */

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

/* Whether the kernel may take data with a SYN or not; failures of TCP keep their words. */
static void fast_open_comes_about(void **state)
{
	struct world *w = *state;
	struct peer_dial_conf conf = dial_conf(w, w->terminal, false);

	conf.fast_open = true;
	dial(w, &conf);
	assert_non_null(w->dialled);
	h2_close(w->dialled);
	KIT_UNTIL(w->loop, !w->dialled && !peer_listener_conns(w->listener));
	peer_listener_free(w->listener);
	w->listener = NULL;
	dial(w, &conf);
	assert_null(w->dialled);
	assert_int_equal(w->err, -ECONNREFUSED);
	assert_why(w->why, conf.address);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ordinary_client),
		TEST(early_sessions_take_requests_and_learn_of_refusals),
		TEST(ordinary_client),
		TEST(fast_open_comes_about),
		TEST(reverse_roles),
		TEST(refusals_are_precise),
		TEST(nobody_there),
		TEST(handshake_has_a_deadline),
		TEST(connections_are_limited),
		TEST(handshakes_make_room),
		cmocka_unit_test(host_of_a_remote),
		TEST(listen_mistakes),
		TEST(big_content_over_a_reverse_connection),
		TEST(listener_drains),
	};

	return cmocka_run_group_tests_name("peer", tests, group_setup, group_teardown);
}
