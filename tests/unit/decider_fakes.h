/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * decider_fakes: a world around the cloud's decider. Deliveries are structs that the tests change;
 * devices' agents and gateways are HTTP/2 servers on socket pairs.
 */
#ifndef SHUNT_TESTS_DECIDER_FAKES_H
#define SHUNT_TESTS_DECIDER_FAKES_H

#include "netkit.h"

#include <errno.h>
#include <sys/socket.h>

#include "cloud/decider.h"
#include "cloud/token.h"
#include "lib/body.h"
#include "lib/h2.h"
#include "lib/h2_route.h"
#include "lib/log.h"
#include "lib/stream.h"

#define MB ((uint64_t)1 << 20)
#define EVENTS_MAX 32
#define JOBS_MAX 8

struct world;

/* A session of the cloud's, and who serves at its other end. */
struct peer {
	struct world *world;
	const char *name;
	struct h2_router router;
	struct h2 *client, *server;
	/* a device */
	unsigned int asked;
	struct sapi_connect last;
	struct h2_req *open; /* connect request without answer */
	bool mute; /* leave it so */
	int refuse; /* HTTP status, 0: connect */
	bool here; /* it has a direct connection */
	/* a gateway */
	uint32_t cpu, cpus; /* 0: one */
	uint64_t line; /* 0: not known */
	unsigned int loads, lists;
};

struct tjob {
	struct world *world;
	struct place *place;
	char id[ID_LEN];
	struct peer *device;
	const char *gateway;
	struct place_view view;
	uint64_t cpu_ns, cpu_step; /* what its tunnel has cost; added with each list */
	unsigned int opens, connected, fallbacks;
	struct sapi_gateway_event told[EVENTS_MAX];
	size_t n_told;
};

struct world {
	struct loop *loop;
	struct policy_settings policy;
	struct tokens *tokens;
	struct decider *decider;
	struct peer gateways[2], devices[4];
	struct tjob jobs[JOBS_MAX];
	size_t n_jobs;
};

/* ---- devices ---- */

static void connect_closed(struct h2_req *req, int err, void *arg)
{
	struct peer *p = arg;

	(void)err;
	if (p->open == req)
		p->open = NULL;
}

static void connect_answer(struct peer *p)
{
	struct sapi_connect_reply reply = { .connected = true };
	struct h2_req *req = p->open;

	p->open = NULL;
	if (p->refuse)
		h2_problem(req, p->refuse, "connect-failed", "no route to the cloud");
	else
		body_respond(req, 200, &sapi_connect_reply_schema, &reply);
}

static void post_connect(struct h2_req *req, void *arg)
{
	struct peer *p = arg;

	if (body_decode(req, &sapi_connect_schema, &p->last))
		return;
	p->asked++;
	p->open = req;
	h2_req_on_close(req, connect_closed, p);
	if (!p->mute)
		connect_answer(p);
}

static void get_hello(struct h2_req *req, void *arg)
{
	(void)arg;
	h2_respond(req, 200, "application/json", "{}", 2);
}

/* ---- gateways ---- */

static void get_load(struct h2_req *req, void *arg)
{
	struct peer *p = arg;
	struct sapi_load load = { .tunnels = 1,
				  .tunnels_high = 9,
				  .cpus = p->cpus ? p->cpus : 1,
				  .cpu_permille = p->cpu,
				  .line_speed = p->line ? p->line : SAPI_LINE_UNKNOWN };

	p->loads++;
	body_respond(req, 200, &sapi_load_schema, &load);
}

static void get_tunnels(struct h2_req *req, void *arg)
{
	struct peer *p = arg;
	struct world *w = p->world;
	struct sapi_tunnel v[JOBS_MAX];
	struct sapi_tunnel_list list = { v, 0 };
	size_t i;

	p->lists++;
	for (i = 0; i < w->n_jobs; i++) {
		struct tjob *j = &w->jobs[i];
		struct sapi_tunnel *t = &v[list.n];

		if (strcmp(j->gateway, p->name) || !j->view.tunnel)
			continue;
		memset(t, 0, sizeof(*t));
		t->id = t->spi = j->view.tunnel;
		memcpy(t->job, j->id, ID_LEN);
		strcpy(t->device, j->device->name);
		strcpy(t->cloud, "cloud1");
		addr_parse("192.168.1.10", &t->host);
		addr_parse("100.65.0.1", &t->alias);
		addr_parse("100.64.0.2", &t->near);
		addr_parse("100.64.0.1", &t->far);
		endpoint_parse("203.0.113.10:4500", &t->endpoint);
		t->open = true;
		t->opened = 1;
		j->cpu_ns += j->cpu_step;
		t->rx.cpu_ns = j->cpu_ns;
		list.n++;
	}
	body_respond(req, 200, &sapi_tunnel_list_schema, &list);
}

static const struct h2_route routes[] = {
	{ "POST", "/v1/connect", 0, SAPI_MAX, 0, post_connect },
	{ "GET", "/v1/hello", 0, 0, 0, get_hello },
	{ "GET", "/v1/load", 0, 0, 0, get_load },
	{ "GET", "/v1/tunnels", 0, 0, 0, get_tunnels },
};

/* ---- sessions ---- */

static void client_closed(struct h2 *h2, int err, const char *why, void *arg)
{
	struct peer *p = arg;

	(void)h2;
	(void)err;
	(void)why;
	p->client = NULL;
}

static void server_closed(struct h2 *h2, int err, const char *why, void *arg)
{
	struct peer *p = arg;

	(void)h2;
	(void)err;
	(void)why;
	p->server = NULL;
}

static void peer_up(struct world *w, struct peer *p, const char *name)
{
	static const struct h2_conf conf;
	struct stream *a = NULL, *b = NULL;
	int fd[2];

	p->world = w;
	p->name = name;
	p->router = (struct h2_router){ routes, sizeof(routes) / sizeof(routes[0]), p };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_int_equal(stream_new(w->loop, fd[0], NULL, &a), 0);
	assert_int_equal(stream_new(w->loop, fd[1], NULL, &b), 0);
	assert_int_equal(h2_new(w->loop, a, H2_CLIENT, &conf, NULL, client_closed, p, &p->client),
			 0);
	assert_int_equal(
		h2_new(w->loop, b, H2_SERVER, &conf, &p->router, server_closed, p, &p->server), 0);
}

static struct h2 *gateway_session(const char *name, void *arg)
{
	struct world *w = arg;
	size_t i;

	for (i = 0; i < 2; i++)
		if (!strcmp(w->gateways[i].name, name))
			return w->gateways[i].client;
	return NULL;
}

static struct h2 *direct_session(const char *device, void *arg)
{
	struct world *w = arg;
	size_t i;

	for (i = 0; i < 4; i++)
		if (!strcmp(w->devices[i].name, device))
			return w->devices[i].here ? w->devices[i].client : NULL;
	return NULL;
}

/* ---- deliveries ---- */

static void on_look(struct place_view *out, void *arg)
{
	*out = ((struct tjob *)arg)->view;
}

static void on_open(void *arg)
{
	struct tjob *j = arg;

	j->opens++;
	j->view.tunnel = 0x1000 + (uint32_t)(j - j->world->jobs);
}

static void on_event(const struct sapi_gateway_event *ev, void *arg)
{
	struct tjob *j = arg;

	assert_string_equal(ev->job, j->id);
	assert_true(j->n_told < EVENTS_MAX);
	j->told[j->n_told++] = *ev;
	/* The request has arrived before its tunnel is cut. */
	assert_true(!ev->cut_early || j->device->asked);
	if (ev->event != SAPI_GW_DECISION || !j->device->here)
		return;
	/* As a delivery does whose device is connected already. */
	if (ev->action == SAPI_GW_MOVE || ev->action == SAPI_GW_DIRECT) {
		j->view.direct = true;
		if (!j->view.tunnel)
			place_done(j->place);
	}
}

static void on_connected(void *arg)
{
	((struct tjob *)arg)->connected++;
}

static void on_fallback(void *arg)
{
	((struct tjob *)arg)->fallbacks++;
}

static const struct place_ops ops = {
	.look = on_look,
	.on_open = on_open,
	.on_event = on_event,
	.on_connected = on_connected,
	.on_fallback = on_fallback,
};

/* A job for device @device (0..3) behind gateway @gateway (0..1) asks for its tunnel. */
static struct tjob *arrive(struct world *w, unsigned int gateway, unsigned int device,
			   uint8_t priority, bool connectable)
{
	struct tjob *j = &w->jobs[w->n_jobs++];
	struct place_conf conf = {
		.job = j->id,
		.device = w->devices[device].name,
		.gateway = w->gateways[gateway].name,
		.priority = priority,
		.connectable = connectable,
	};

	j->world = w;
	j->device = &w->devices[device];
	j->gateway = conf.gateway;
	snprintf(j->id, sizeof(j->id), "%032zx", w->n_jobs);
	j->view.remaining = 100 * MB;
	endpoint_parse("192.168.1.1:8633", &j->view.log);
	assert_int_equal(place_new(w->decider, &ops, j, &j->place), 0);
	assert_int_equal(place_ask(j->place, &conf), 0);
	kit_settle(w->loop);
	return j;
}

/* Its agent answers through the tunnel. True: no content yet. */
static bool reach(struct tjob *j)
{
	bool held;

	j->view.agent = j->device->client;
	held = place_reached(j->place);
	j->view.sending = !held;
	kit_settle(j->world->loop);
	return held;
}

/* Its device has connected for it, and then the tunnel is drained and gone. */
static void moves(struct tjob *j)
{
	j->device->here = true;
	j->view.direct = true;
	decider_run(j->world->decider);
	kit_settle(j->world->loop);
	j->view.closing = true;
	j->view.agent = NULL;
	place_done(j->place);
	j->view.tunnel = 0;
	kit_settle(j->world->loop);
}

static const struct sapi_gateway_event *told(const struct tjob *j, enum sapi_gateway_action action)
{
	size_t i;

	for (i = j->n_told; i-- > 0;)
		if (j->told[i].event == SAPI_GW_DECISION && j->told[i].action == action)
			return &j->told[i];
	return NULL;
}

static unsigned int failures(const struct tjob *j)
{
	unsigned int n = 0;
	size_t i;

	for (i = 0; i < j->n_told; i++)
		n += j->told[i].event == SAPI_GW_MOVE_FAILED;
	return n;
}

static void assert_told(const struct tjob *j, enum sapi_gateway_action action, const char *reason)
{
	size_t i;

	for (i = 0; i < j->n_told; i++)
		if (j->told[i].event == SAPI_GW_DECISION && j->told[i].action == action &&
		    !strcmp(j->told[i].reason, reason))
			return;
	fail_msg("not told: %s for %s", sapi_gateway_action_str(action), reason);
}

/* ---- the world ---- */

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	if (getenv("SHUNT_TEST_LOG"))
		log_init("cloud", LOG_LVL_DEBUG, LOG_TARGET_STDERR);
	assert_int_equal(loop_new(&w->loop), 0);
	assert_int_equal(tokens_new(&w->tokens), 0);
	peer_up(w, &w->gateways[0], "gw1");
	peer_up(w, &w->gateways[1], "gw2");
	peer_up(w, &w->devices[0], "mfp-1");
	peer_up(w, &w->devices[1], "mfp-2");
	peer_up(w, &w->devices[2], "mfp-3");
	peer_up(w, &w->devices[3], "files");
	w->policy = (struct policy_settings){
		.decide = DECIDE_CLOUD,
		.min_remaining = MB,
		.connect_timeout = 10000,
	};
	*state = w;
	return 0;
}

static void decide(struct world *w, uint32_t limit)
{
	struct decider_conf conf = {
		.loop = w->loop,
		.policy = &w->policy,
		.retry_min = 150,
		.retry_max = 60000,
		.tokens = w->tokens,
		.self = "cloud1",
		.gateway = gateway_session,
		.direct = direct_session,
		.arg = w,
	};

	endpoint_parse("203.0.113.10:8443", &conf.public);
	w->policy.tunnels_high = w->policy.tunnels_low = limit;
	assert_int_equal(decider_new(&conf, &w->decider), 0);
}

static void peer_down(struct peer *p)
{
	h2_free(p->client, -ECANCELED, "test is over");
	h2_free(p->server, -ECANCELED, "test is over");
}

static int teardown(void **state)
{
	struct world *w = *state;
	size_t i;

	for (i = 0; i < w->n_jobs; i++)
		place_free(w->jobs[i].place);
	decider_free(w->decider);
	for (i = 0; i < 2; i++)
		peer_down(&w->gateways[i]);
	for (i = 0; i < 4; i++)
		peer_down(&w->devices[i]);
	tokens_free(w->tokens);
	loop_free(w->loop);
	free(w);
	return 0;
}

#endif
