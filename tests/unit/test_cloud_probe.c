// SPDX-License-Identifier: GPL-2.0-or-later
/* Asking a device what it is, through a tunnel: who may, what comes of it, and that it ends. */
#include "cloud_fakes.h"

#include "cloud/probe.h"

struct answer {
	bool done;
	int err, status;
	struct sapi_problem problem;
	struct sapi_probe probe;
};

struct client {
	struct world *w;
	struct h2 *alice, *root;
	struct tls_ctx *root_tls;
	struct answer a;
};

static void on_closed(struct h2 *h2, int err, const char *why, void *arg)
{
	struct h2 **session = arg;

	(void)h2;
	(void)err;
	(void)why;
	*session = NULL;
}

static void on_session(struct h2 *h2, int err, const char *why, void *arg)
{
	struct h2 **session = arg;

	if (err)
		fail_msg("client: %s", why);
	*session = h2;
	h2_on_close(h2, on_closed, session);
}

static void dial(struct world *w, struct tls_ctx *tls, struct h2 **session)
{
	char address[64];
	struct peer_dial_conf conf = {
		.address = address,
		.tls = tls,
		.roles = ROLE_BIT(ROLE_CLOUD),
	};
	struct peer_dial *dial;

	snprintf(address, sizeof(address), "127.0.0.1:%u", peer_listener_port(w->cloud.listener));
	assert_int_equal(peer_dial(w->loop, &conf, on_session, session, &dial), 0);
	KIT_UNTIL(w->loop, *session);
}

static int setup(void **state)
{
	struct client *c = calloc(1, sizeof(*c));
	void *world;

	world_setup(&world);
	c->w = world;
	c->root_tls = kit_ctx(c->w->pki, ROLE_ADMIN, "root");
	dial(c->w, c->w->terminal_tls, &c->alice);
	dial(c->w, c->root_tls, &c->root);
	*state = c;
	return 0;
}

static int teardown(void **state)
{
	struct client *c = *state;
	void *world = c->w;

	sapi_probe_fini(&c->a.probe);
	if (c->alice)
		h2_abort(c->alice, -EPIPE, "test");
	if (c->root)
		h2_abort(c->root, -EPIPE, "test");
	kit_settle(c->w->loop);
	tls_ctx_free(c->root_tls);
	world_teardown(&world);
	free(c);
	return 0;
}

static void on_reply(const struct h2_reply *reply, void *arg)
{
	struct answer *a = arg;
	struct err e = { 0 };

	a->done = true;
	a->err = reply->err;
	a->status = reply->status;
	if (reply->err)
		return;
	if (reply->status != 200)
		assert_int_equal(sapi_problem_decode(reply->body, reply->len, &a->problem, &e), 0);
	else if (sapi_probe_decode(reply->body, reply->len, &a->probe, &e))
		fail_msg("%s", err_text(&e));
}

static void start(struct client *c, struct h2 *h2, const char *code, const char *body,
		  struct answer *a, struct h2_call **call)
{
	char path[128];
	struct h2_request req = {
		.method = "POST",
		.path = path,
		.type = "application/json",
		.body = body,
		.body_len = strlen(body),
		.max_reply = SAPI_LIST_MAX,
	};

	snprintf(path, sizeof(path), "/v1/devices/%s/probe", code);
	memset(a, 0, sizeof(*a));
	assert_int_equal(h2_fetch(h2, &req, on_reply, a, call), 0);
	(void)c;
}

static int ask(struct client *c, struct h2 *h2, const char *code, const char *body)
{
	sapi_probe_fini(&c->a.probe);
	start(c, h2, code, body, &c->a, NULL);
	KIT_UNTIL(c->w->loop, c->a.done);
	assert_int_equal(c->a.err, 0);
	return c->a.status;
}

static void assert_clean(struct world *w)
{
	KIT_UNTIL(w->loop, w->n_tunnels == 0 && kernel.n == 0);
}

static bool in_scope(const struct world *w, uint16_t port)
{
	size_t i;

	for (i = 0; i < w->last_open.n_scope; i++)
		if (w->last_open.scope[i].port == port)
			return w->last_open.scope[i].proto == PROTO_TCP;
	return false;
}

/* What the registry says is looked at first, and what is nowhere said of it as well. */
static void an_agent(void **state)
{
	struct client *c = *state;
	struct world *w = c->w;
	const struct sapi_probe_service *s;
	size_t i;

	w->device.connectable = false;
	assert_int_equal(ask(c, c->root, "mfp-1", "{}"), 200);
	assert_string_equal(c->a.probe.device, "mfp-1");
	assert_string_equal(c->a.probe.gateway, "gw1");
	assert_true(addr_equal(&c->a.probe.address, &w->device.address));
	s = &c->a.probe.services[0];
	assert_int_equal(s->at.kind, SERVICE_AGENT);
	assert_int_equal(s->at.port, w->device.services[0].port);
	assert_true(s->found && s->at.tls && s->connectable);
	assert_string_equal(s->version, "test");
	assert_int_equal(s->jobs, 1u << JOB_PRINT | 1u << JOB_STORE);
	for (i = 1; i < c->a.probe.n_services; i++) {
		s = &c->a.probe.services[i];
		assert_false(s->found);
		assert_string_equal(s->reason, "connect-failed");
	}
	/* Its tunnel leads to those ports and no others, is first in its gateway's order, and cannot be moved. */
	assert_string_equal(w->last_open.job, c->a.probe.id);
	assert_int_equal(w->last_open.priority, SAPI_PRIORITY_MAX);
	assert_false(w->last_open.connectable);
	assert_int_equal(w->last_open.n_scope, c->a.probe.n_services);
	assert_true(in_scope(w, 631) && in_scope(w, 443) && in_scope(w, 80));
	assert_clean(w);
	assert_int_equal(w->opens, 1);
}

/* One that is not registered, and an agent that is another device's: found out, and not taken for ours. */
static void named_in_the_request(void **state)
{
	struct client *c = *state;
	struct world *w = c->w;
	char body[256];

	snprintf(body, sizeof(body),
		 "{\"gateway\":\"gw1\",\"address\":\"192.168.1.77\",\"services\":"
		 "[{\"kind\":\"agent\",\"port\":%u},{\"kind\":\"ipp\",\"port\":%u}]}",
		 w->device.services[0].port, w->device.services[0].port);
	assert_int_equal(ask(c, c->root, "new-1", body), 200);
	assert_int_equal(w->last_open.host.family, AF_INET);
	assert_int_equal(c->a.probe.services[0].at.kind, SERVICE_AGENT);
	assert_false(c->a.probe.services[0].found);
	assert_string_equal(c->a.probe.services[0].reason, "other-identity");
	/* Two kinds at one port are one entry of the scope. */
	assert_int_equal(w->last_open.n_scope, c->a.probe.n_services - 1);
	assert_false(c->a.probe.services[1].found);
	assert_clean(w);
}

static void who_may(void **state)
{
	struct client *c = *state;

	assert_int_equal(ask(c, c->alice, "mfp-1", "{}"), 403);
	assert_string_equal(c->a.problem.code, "role-not-allowed");
	assert_int_equal(c->w->opens, 0);
	assert_int_equal(c->w->lookups, 0);
}

static void refusals(void **state)
{
	struct client *c = *state;
	struct world *w = c->w;

	assert_int_equal(ask(c, c->root, "x", "{}"), 404);
	assert_string_equal(c->a.problem.code, "unknown-device");
	assert_int_equal(ask(c, c->root, "x", "{\"gateway\":\"gw1\"}"), 404);
	assert_int_equal(ask(c, c->root, "mfp-1", "{\"timeout\":601}"), 400);
	assert_int_equal(ask(c, c->root, "mfp-1", "{\"services\":[{\"kind\":\"lpd\",\"port\":1}]}"),
			 400);
	w->refuse = 403;
	assert_int_equal(ask(c, c->root, "mfp-1", "{}"), 422);
	assert_string_equal(c->a.problem.code, "host-not-allowed");
	assert_non_null(strstr(c->a.problem.detail, "not inside the LAN"));
	w->refuse = 503;
	w->refuse_code = "queue-full";
	assert_int_equal(ask(c, c->root, "mfp-1", "{}"), 503);
	assert_string_equal(c->a.problem.code, "queue-full");
	w->refuse = 0;
	assert_int_equal(ask(c, c->root, "mfp-1", "{}"), 200);
	assert_clean(w);
}

/* It has its place among the jobs, waits for it as long as was said, and leaves nothing behind. */
static void waits_for_its_slot(void **state)
{
	struct client *c = *state;
	struct world *w = c->w;
	struct answer a;

	w->make_wait = true;
	assert_int_equal(ask(c, c->root, "mfp-1", "{\"timeout\":1}"), 503);
	assert_string_equal(c->a.problem.code, "no-tunnel");
	assert_non_null(strstr(c->a.problem.detail, "a free tunnel at the gateway"));
	KIT_UNTIL(w->loop, !w->waiting);
	start(c, c->root, "mfp-1", "{}", &a, NULL);
	KIT_UNTIL(w->loop, w->waiting);
	gateway_grant(w, w->waiting);
	KIT_UNTIL(w->loop, a.done);
	assert_int_equal(a.status, 200);
	assert_true(a.probe.services[0].found);
	sapi_probe_fini(&a.probe);
	assert_clean(w);
}

/* Where this cloud gives leave for tunnels, a probe needs it, too, and gives it back. */
static void among_this_clouds_own(void **state)
{
	struct client *c = *state;
	struct world *w = c->w;
	struct answer first, second;

	cloud_die(w);
	w->conf.policy.decide = DECIDE_CLOUD;
	w->conf.policy.when = WHEN_THRESHOLD;
	w->conf.policy.tunnels_high = w->conf.policy.tunnels_low = 1;
	cloud_up(w);
	KIT_UNTIL(w->loop, !c->root && !c->alice);
	dial(w, c->root_tls, &c->root);
	kernel.mute = true; /* the first has the only tunnel until it gives up */
	start(c, c->root, "mfp-1", "{\"timeout\":2}", &first, NULL);
	KIT_UNTIL(w->loop, kernel.n == 1);
	assert_int_equal(ask(c, c->root, "mfp-1", "{\"timeout\":1}"), 503);
	assert_string_equal(c->a.problem.code, "no-tunnel");
	assert_non_null(strstr(c->a.problem.detail, "a tunnel to be free"));
	start(c, c->root, "mfp-1", "{}", &second, NULL);
	kernel.mute = false;
	KIT_UNTIL(w->loop, first.done && second.done);
	assert_int_equal(first.status, 503);
	assert_non_null(strstr(first.problem.detail, "the gateway's packets"));
	assert_int_equal(second.status, 200);
	assert_true(second.probe.services[0].found);
	sapi_probe_fini(&second.probe);
	assert_clean(w);
	assert_int_equal(w->opens, 2);
}

/* Whoever asked is gone, before the tunnel and in the middle of the questions. */
static void withdrawn(void **state)
{
	struct client *c = *state;
	struct world *w = c->w;
	struct h2_call *call;
	struct answer a;

	w->make_wait = true;
	start(c, c->root, "mfp-1", "{}", &a, &call);
	KIT_UNTIL(w->loop, w->waiting);
	h2_call_cancel(call);
	KIT_UNTIL(w->loop, !w->waiting);
	w->make_wait = false;
	start(c, c->root, "mfp-1", "{}", &a, &call);
	KIT_UNTIL(w->loop, kernel.n == 1);
	h2_call_cancel(call);
	assert_clean(w);
	/* Nobody is in the way of the next. */
	assert_int_equal(ask(c, c->root, "mfp-1", "{}"), 200);
	assert_clean(w);
}

static void bounded_in_number(void **state)
{
	struct client *c = *state;
	struct world *w = c->w;
	struct answer a[PROBES_MAX];
	struct h2_call *calls[PROBES_MAX];
	size_t i;

	w->mute_open = true;
	for (i = 0; i < PROBES_MAX; i++)
		start(c, c->root, "mfp-1", "{}", &a[i], &calls[i]);
	KIT_UNTIL(w->loop, w->opens > 0);
	assert_int_equal(ask(c, c->root, "mfp-1", "{}"), 503);
	assert_string_equal(c->a.problem.code, "busy");
	for (i = 0; i < PROBES_MAX; i++)
		if (!a[i].done)
			h2_call_cancel(calls[i]);
	w->mute_open = false;
	kit_settle(w->loop);
	assert_int_equal(ask(c, c->root, "mfp-1", "{}"), 200);
	assert_clean(w);
}

/* The tunnel ends under it, and so does the cloud. */
static void broken(void **state)
{
	struct client *c = *state;
	struct world *w = c->w;
	struct sapi_gateway_event ev = { .time = 1, .event = SAPI_GW_TUNNEL_CLOSED };
	struct answer a;

	kernel.mute = true;
	start(c, c->root, "mfp-1", "{}", &a, NULL);
	KIT_UNTIL(w->loop, w->n_tunnels == 1 && kernel.n == 1);
	ev.tunnel = w->tunnels[0].id;
	memcpy(ev.job, w->tunnels[0].job, ID_LEN);
	strcpy(ev.reason, "idle");
	w->n_tunnels = 0;
	gateway_say(w, &ev);
	KIT_UNTIL(w->loop, a.done);
	assert_int_equal(a.status, 503);
	assert_string_equal(a.problem.code, "idle");
	start(c, c->root, "mfp-1", "{}", &a, NULL);
	KIT_UNTIL(w->loop, w->n_tunnels == 1 && kernel.n == 1);
	probes_stop(w->cloud.probes);
	tunnels_free(w->cloud.tunnels);
	w->cloud.tunnels = NULL;
	KIT_UNTIL(w->loop, a.done);
	assert_int_equal(a.status, 503);
	assert_string_equal(a.problem.code, "stopping");
	assert_int_equal(kernel.n, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_agent),	 TEST(named_in_the_request), TEST(who_may),
		TEST(refusals),	 TEST(waits_for_its_slot),   TEST(among_this_clouds_own),
		TEST(withdrawn), TEST(bounded_in_number),    TEST(broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
