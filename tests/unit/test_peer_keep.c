// SPDX-License-Identifier: GPL-2.0-or-later

/* What dials by itself: keepers and clients, over TLS on loopback. */

#include "peerkit.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(keeper_comes_back),
		TEST(keeper_closes),
		TEST(keeper_freed_in_its_callback),
		TEST(credentials_are_replaced),
		TEST(client_dials_when_asked),
		TEST(client_reports_failures),
		TEST(client_freed_in_its_callback),
	};

	return cmocka_run_group_tests_name("peer_keep", tests, group_setup, group_teardown);
}
