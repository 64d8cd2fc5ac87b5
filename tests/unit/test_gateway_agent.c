// SPDX-License-Identifier: GPL-2.0-or-later
/* gateway/agent: the connect request to a device played by the test, over loopback TLS. */
#include "netkit.h"

#include <errno.h>

#include "gateway/agent.h"
#include "lib/body.h"
#include "lib/h2.h"
#include "lib/peer.h"

#define JOB "0123456789abcdef0123456789abcdef"
#define TOKEN "fedcba9876543210fedcba9876543210"

static struct world {
	char *pki;
	struct loop *loop;
	struct tls_ctx *gateway, *device;
	struct peer_listener *listener;
	struct h2_req *held; /* when the device does not answer */
	struct sapi_connect got;
	int answer; /* status; 0: none */
	bool done;
	int err;
	char why[256];
	bool reused;
} w;

static void on_held_closed(struct h2_req *req, int err, void *arg)
{
	(void)req;
	(void)err;
	(void)arg;
	w.held = NULL;
}

static void on_connect(struct h2_req *req, void *arg)
{
	struct sapi_connect_reply reply = { true, true };

	(void)arg;
	if (body_decode(req, &sapi_connect_schema, &w.got) < 0)
		fail_msg("the request's body is malformed");
	if (w.answer == 200) {
		body_respond(req, 200, &sapi_connect_reply_schema, &reply);
	} else if (w.answer) {
		h2_problem(req, w.answer, "connect-failed", "cloud cloud1: connection refused");
	} else {
		w.held = req;
		h2_req_on_close(req, on_held_closed, NULL);
	}
}

static const struct h2_route routes[] = {
	{ "POST", "/v1/connect", ROLE_BIT(ROLE_GATEWAY), SAPI_MAX, 0, on_connect },
};
static const struct h2_router router = { routes, 1, NULL };

static int setup(void **state)
{
	struct peer_listen_conf conf = { .address = "127.0.0.1:0",
					 .roles = ROLE_BIT(ROLE_GATEWAY),
					 .routes = &router };
	struct err e = { 0 };

	(void)state;
	memset(&w, 0, sizeof(w));
	w.pki = kit_dir_new();
	kit_ca(w.pki);
	assert_int_equal(loop_new(&w.loop), 0);
	w.gateway = kit_ctx(w.pki, ROLE_GATEWAY, "gw1");
	w.device = kit_ctx(w.pki, ROLE_DEVICE, "mfp-1");
	conf.tls = w.device;
	if (peer_listen(w.loop, &conf, &w.listener, &e) < 0)
		fail_msg("%s", err_text(&e));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	/* The gateway's session ends by itself. */
	KIT_UNTIL(w.loop, peer_listener_conns(w.listener) == 0);
	kit_settle(w.loop);
	peer_listener_free(w.listener);
	tls_ctx_free(w.gateway);
	tls_ctx_free(w.device);
	loop_free(w.loop);
	kit_dir_free(w.pki);
	return 0;
}

static void on_done(int err, const char *why, bool reused, void *arg)
{
	(void)arg;
	assert_false(w.done);
	w.done = true;
	w.err = err;
	w.reused = reused;
	snprintf(w.why, sizeof(w.why), "%s", why);
}

static struct agent_call *ask(const char *device, uint64_t timeout_ms)
{
	struct sapi_connect body = { .job = JOB, .cloud = "cloud1", .token = TOKEN };
	struct agent_target target = { .device = device, .timeout_ms = timeout_ms };
	struct agent_call *call = NULL;

	endpoint_parse("203.0.113.10:8443", &body.address);
	body.log.port = 8633;
	addr_parse("127.0.0.1", &target.at.addr);
	target.at.port = peer_listener_port(w.listener);
	assert_int_equal(agent_connect(w.loop, w.gateway, &target, &body, on_done, NULL, &call), 0);
	return call;
}

static void test_connected(void **state)
{
	(void)state;
	w.answer = 200;
	ask("mfp-1", 5000);
	kit_until(w.loop, &w.done);
	assert_int_equal(w.err, 0);
	assert_true(w.reused);
	assert_string_equal(w.got.token, TOKEN);
	/* Our address as the device sees it. */
	assert_true(addr_is_loopback(&w.got.log.addr));
	assert_int_equal(w.got.log.port, 8633);
}

static void test_refused(void **state)
{
	(void)state;
	w.answer = 502;
	ask("mfp-1", 5000);
	kit_until(w.loop, &w.done);
	assert_int_equal(w.err, -SHUNT_EREMOTE);
	assert_non_null(strstr(w.why, "connection refused"));
}

static void test_impostor(void **state)
{
	(void)state;
	w.answer = 200;
	ask("mfp-2", 5000);
	kit_until(w.loop, &w.done);
	assert_true(w.err < 0);
	assert_int_equal(w.got.job[0], 0);
}

static void test_timeout(void **state)
{
	(void)state;
	ask("mfp-1", 300);
	kit_until(w.loop, &w.done);
	assert_int_equal(w.err, -ETIMEDOUT);
	KIT_UNTIL(w.loop, !w.held);
}

static void test_cancel(void **state)
{
	struct agent_call *call = ask("mfp-1", 5000);

	(void)state;
	KIT_UNTIL(w.loop, w.held);
	agent_cancel(call);
	KIT_UNTIL(w.loop, !w.held);
	call = ask("mfp-1", 5000);
	agent_cancel(call);
	agent_cancel(NULL);
	assert_false(w.done);
}

static void test_lost(void **state)
{
	(void)state;
	ask("mfp-1", 5000);
	KIT_UNTIL(w.loop, w.held);
	h2_abort(h2_req_session(w.held), -ECONNRESET, "switched off");
	kit_until(w.loop, &w.done);
	assert_true(w.err < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_connected, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_impostor, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timeout, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost, setup, teardown),
	};

	return cmocka_run_group_tests_name("gateway_agent", tests, NULL, NULL);
}
