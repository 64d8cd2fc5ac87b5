/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cloud_fakes: a world around a real cloud, all in one loop and on loopback: a manager, a gateway,
 * an agent and a file server. The kernel is replaced at the seam of lib/link.h and lib/tunnel.h: a
 * "tunnel" to near address 127.80.0.N carries packets because the agent listens on that address.
 * For one test program, which it gives external functions to.
 */
#ifndef SHUNT_TESTS_CLOUD_FAKES_H
#define SHUNT_TESTS_CLOUD_FAKES_H

#include <errno.h>
#include <sys/mman.h>

#include "cloud_kernel.h"

#include "cloud/cloud.h"
#include "cloud/delivery.h"
#include "cloud/jobs.h"
#include "cloud/tunnels.h"
#include "lib/body.h"
#include "lib/digest.h"
#include "lib/h2.h"
#include "lib/log.h"
#include "lib/peer.h"

#define SEGMENT 4096
#define CONTENT (20 * SEGMENT + 123)
#define NEAR_COUNT 5
#define HELD_MAX 64

/* ---- the world ---- */

struct world {
	char *dir, *pki;
	char state[PATH_MAX];
	struct loop *loop;
	struct cloud_conf conf;
	struct cloud cloud;
	struct tls_ctx *manager_tls, *gateway_tls, *device_tls, *terminal_tls;
	uint8_t data[CONTENT];

	/* manager */
	struct peer_listener *manager;
	struct sapi_device device;
	unsigned int lookups, dials;

	/* gateway */
	struct h2_router gateway_routes;
	struct h2 *gateway;
	struct h2_req *events;
	struct h2_req *waiting; /* a tunnel request without answer */
	struct sapi_tunnel tunnels[16];
	size_t n_tunnels;
	struct sapi_tunnel_open last_open;
	unsigned int opens, deletes, told; /* told: of a job again */
	bool make_wait;
	bool mute_open; /* no answer to the request for a tunnel, nor a decision */
	int refuse; /* HTTP status, 0: grant */
	const char *refuse_code; /* NULL: host-not-allowed */
	bool cut_early, suspend; /* said with each decision */

	/* agent */
	struct h2_router agent_routes;
	struct peer_listener *agents[NEAR_COUNT];
	struct h2 *agent_sessions[16]; /* accepted through tunnels */
	size_t n_sessions;
	struct h2 *direct; /* dialled to the cloud */
	char token[ID_LEN], token_job[ID_LEN];
	struct h2_req *held[HELD_MAX]; /* content requests that wait for release() */
	size_t n_held;
	bool hold, lazy; /* hold content; lazy: do not execute when complete */
	bool forgets; /* acknowledges, forgets and hangs up */
	struct ranges received;
	uint8_t content[CONTENT];
	uint64_t arrived, duplicates; /* content bytes */
	bool known;
	bool mute_put; /* no answer to PUT jobs/{id} */
	struct h2_req *introducing; /* the one without answer */
	int refuse_put; /* HTTP status of an answer, 0: take the job */
	enum job_state job_state;
	int introductions; /* PUTs of the job */
	struct h2_req *followers[8];
	unsigned int cancels;
	bool mute_cancel; /* no answer */
	int refuse_cancel; /* HTTP status of the answer, 0: do it */
	struct h2_req *canceling; /* the one without answer */
	unsigned int suspends, resumes;
	unsigned int refuse_resume; /* number of the one that fails */
	int refuse_suspend; /* HTTP status, 0: do it */
	bool suspend_in_vain;
	const struct h2 *resumed_on;
	bool mute_resume; /* no answer */
	struct h2_req *resuming; /* the one without answer */
	unsigned int asked; /* to connect (7G), through a tunnel */
	int refuse_connect; /* HTTP status, 0: do it */
	bool mute_connect; /* no answer, and no connection either */
	struct h2_req *connecting;

	/* agent: a fetch job */
	struct {
		int fd; /* the content */
		char path[SAPI_PATH_LEN]; /* "": none was put */
		bool slow; /* makes the content until agent_becomes(JOB_RUNNING) */
		bool refuse, lie, empty, deaf; /* deaf: hears of no end */
		unsigned int made, dones;
		uint64_t given; /* bytes of content */
	} fetch;
};

/* ---- manager ---- */

static void gateway_dial(struct world *w);

static void manager_device(struct h2_req *req, void *arg)
{
	struct world *w = arg;

	w->lookups++;
	if (strcmp(h2_req_param(req, "code"), w->device.code))
		h2_problem(req, 404, "unknown-device", "no such device");
	else
		body_respond(req, 200, &sapi_device_schema, &w->device);
}

static void manager_dial(struct h2_req *req, void *arg)
{
	struct world *w = arg;
	struct sapi_dial_reply reply = { .cloud = "cloud1", .connected = true };

	w->dials++;
	gateway_dial(w);
	body_respond(req, 200, &sapi_dial_reply_schema, &reply);
}

static const struct h2_route manager_table[] = {
	{ "GET", "/v1/devices/{code}", ROLE_BIT(ROLE_CLOUD), 0, 0, manager_device },
	{ "POST", "/v1/gateways/{name}/dial", ROLE_BIT(ROLE_CLOUD), SAPI_MAX, 0, manager_dial },
};

/* ---- gateway ---- */

static void gateway_say(struct world *w, const struct sapi_gateway_event *ev)
{
	struct buf line = BUF_INIT;

	assert_non_null(w->events);
	assert_int_equal(sapi_gateway_event_encode(ev, &line), 0);
	buf_putc(&line, '\n');
	assert_int_equal(h2_write(w->events, line.data, line.len), 0);
	buf_fini(&line);
}

static void gateway_decides(struct world *w, enum sapi_gateway_action action, const char *reason)
{
	struct sapi_gateway_event ev = { .time = 1,
					 .event = SAPI_GW_DECISION,
					 .action = action,
					 .cut_early = w->cut_early,
					 .suspend = w->suspend };

	memcpy(ev.job, w->last_open.job, ID_LEN);
	snprintf(ev.reason, sizeof(ev.reason), "%s", reason);
	snprintf(ev.text, sizeof(ev.text), "because of %s", reason);
	gateway_say(w, &ev);
}

static void gateway_grant(struct world *w, struct h2_req *req)
{
	struct sapi_tunnel *t = &w->tunnels[w->n_tunnels++];

	memset(t, 0, sizeof(*t));
	t->id = t->spi = 0x1000 + w->opens;
	memcpy(t->job, w->last_open.job, ID_LEN);
	strcpy(t->device, w->last_open.device);
	strcpy(t->cloud, "cloud1");
	t->host = w->last_open.host;
	t->near = w->last_open.near;
	t->far = w->last_open.far;
	addr_parse("100.65.0.1", &t->alias);
	t->endpoint = w->last_open.endpoint;
	endpoint_parse("192.168.1.1:8633", &t->log);
	t->open = true;
	t->opened = 1;
	t->rx.packets = 5;
	t->tx.packets = 6;
	t->rx.cpu_ns = 77;
	body_respond(req, 201, &sapi_tunnel_schema, t);
}

static void waiting_closed(struct h2_req *req, int err, void *arg)
{
	struct world *w = arg;

	(void)err;
	if (w->waiting == req)
		w->waiting = NULL;
}

/*
 * A gateway refuses loopback addresses, and so does the decoder; here they stand for routed ones.
 */
static void read_open(struct h2_req *req, struct sapi_tunnel_open *out)
{
	struct err e = { 0 };
	const void *body;
	char *text, *p;
	size_t len;

	body = h2_req_body(req, &len);
	text = strndup(body, len);
	while ((p = strstr(text, "127.80.0.")))
		memcpy(p, "100", 3);
	if (sapi_tunnel_open_decode(text, len, out, &e))
		fail_msg("%s", err_text(&e));
	free(text);
}

static void gateway_open(struct h2_req *req, void *arg)
{
	struct world *w = arg;

	read_open(req, &w->last_open);
	w->opens++;
	if (w->mute_open) {
		w->waiting = req;
		h2_req_on_close(req, waiting_closed, w);
	} else if (w->refuse) {
		h2_problem(req, w->refuse, w->refuse_code ? w->refuse_code : "host-not-allowed",
			   "not inside the LAN");
	} else if (w->make_wait) {
		w->waiting = req;
		h2_req_on_close(req, waiting_closed, w);
		gateway_decides(w, SAPI_GW_WAIT, "tunnels-high");
	} else {
		gateway_grant(w, req);
	}
}

static void gateway_list(struct h2_req *req, void *arg)
{
	struct world *w = arg;
	struct sapi_tunnel_list list = { w->tunnels, w->n_tunnels };

	body_respond(req, 200, &sapi_tunnel_list_schema, &list);
}

static void gateway_delete(struct h2_req *req, void *arg)
{
	struct world *w = arg;
	uint32_t id;
	size_t i;

	assert_int_equal(tunnel_id_parse(h2_req_param(req, "id"), &id), 0);
	for (i = 0; i < w->n_tunnels; i++)
		if (w->tunnels[i].id == id) {
			w->deletes++;
			w->tunnels[i].open = false;
			body_respond(req, 200, &sapi_tunnel_schema, &w->tunnels[i]);
			w->tunnels[i] = w->tunnels[--w->n_tunnels];
			return;
		}
	h2_problem(req, 404, "unknown-tunnel", "none");
}

static void gateway_job(struct h2_req *req, void *arg)
{
	struct world *w = arg;
	struct sapi_tunnel_job job;
	uint32_t id;

	assert_int_equal(tunnel_id_parse(h2_req_param(req, "id"), &id), 0);
	assert_int_equal(id, w->tunnels[0].id);
	assert_int_equal(body_decode(req, &sapi_tunnel_job_schema, &job), 0);
	w->told++;
	w->last_open.remaining = job.remaining;
	w->last_open.connectable = job.connectable;
	w->last_open.connect = job.connect;
	h2_respond(req, 204, NULL, NULL, 0);
}

static void events_closed(struct h2_req *req, int err, void *arg)
{
	struct world *w = arg;

	(void)err;
	if (w->events == req)
		w->events = NULL;
}

static void gateway_events(struct h2_req *req, void *arg)
{
	struct world *w = arg;

	w->events = req;
	h2_req_on_close(req, events_closed, w);
	h2_start(req, 200, "application/x-ndjson");
}

static const struct h2_route gateway_table[] = {
	{ "POST", "/v1/tunnels", ROLE_BIT(ROLE_CLOUD), SAPI_MAX, 0, gateway_open },
	{ "GET", "/v1/tunnels", ROLE_BIT(ROLE_CLOUD), 0, 0, gateway_list },
	{ "PUT", "/v1/tunnels/{id}/job", ROLE_BIT(ROLE_CLOUD), SAPI_MAX, 0, gateway_job },
	{ "DELETE", "/v1/tunnels/{id}", ROLE_BIT(ROLE_CLOUD), 0, 0, gateway_delete },
	{ "GET", "/v1/events", ROLE_BIT(ROLE_CLOUD), 0, 0, gateway_events },
};

static void gateway_closed(struct h2 *h2, int err, const char *why, void *arg)
{
	struct world *w = arg;

	(void)err;
	(void)why;
	if (w->gateway == h2)
		w->gateway = NULL;
}

static void gateway_up(struct h2 *h2, int err, const char *why, void *arg)
{
	struct world *w = arg;

	if (err)
		fail_msg("gateway: %s", why);
	w->gateway = h2;
	h2_on_close(h2, gateway_closed, w);
}

static void dial_cloud(struct world *w, struct tls_ctx *tls, const struct h2_router *routes,
		       void (*done)(struct h2 *h2, int err, const char *why, void *arg))
{
	char address[64];
	struct peer_dial_conf conf = {
		.address = address,
		.tls = tls,
		.reverse = routes,
		.roles = ROLE_BIT(ROLE_CLOUD),
		.routes = routes,
	};
	struct peer_dial *dial;

	snprintf(address, sizeof(address), "127.0.0.1:%u", peer_listener_port(w->cloud.listener));
	assert_int_equal(peer_dial(w->loop, &conf, done, w, &dial), 0);
}

static void gateway_dial(struct world *w)
{
	dial_cloud(w, w->gateway_tls, &w->gateway_routes, gateway_up);
}

/* ---- agent ---- */

static void agent_say(struct world *w, struct h2_req *req)
{
	struct sapi_state_event ev = { .time = 1, .state = w->job_state };
	struct buf line = BUF_INIT;

	sapi_state_event_encode(&ev, &line);
	buf_putc(&line, '\n');
	h2_write(req, line.data, line.len);
	buf_fini(&line);
	if (job_state_final(w->job_state))
		h2_finish(req);
}

static void agent_becomes(struct world *w, enum job_state state)
{
	size_t i;

	w->job_state = state;
	for (i = 0; i < 8; i++)
		if (w->followers[i])
			agent_say(w, w->followers[i]);
}

#include "cloud_fetch.h"

static void agent_hello(struct h2_req *req, void *arg)
{
	struct world *w = arg;
	struct sapi_hello hello = { .services = 3, .connectable = true };
	struct sapi_token token;

	strcpy(hello.name, "mfp-1");
	strcpy(hello.version, "test");
	if (w->token[0]) {
		memcpy(token.job, w->token_job, ID_LEN);
		memcpy(token.token, w->token, ID_LEN);
		hello.tokens = &token;
		hello.n_tokens = 1;
	}
	body_respond(req, 200, &sapi_hello_schema, &hello);
}

static void agent_put(struct h2_req *req, void *arg)
{
	struct world *w = arg;
	struct sapi_device_job job;

	if (w->mute_put)
		w->introducing = req;
	if (w->mute_put || body_decode(req, &sapi_device_job_schema, &job))
		return;
	if (w->refuse_put) {
		h2_problem(req, w->refuse_put, "job-differs", "the job is another one");
		return;
	}
	if (job.kind == JOB_FETCH) {
		agent_put_fetch(w, req, &job);
		return;
	}
	assert_int_equal(job.size, CONTENT);
	assert_int_equal(job.pull, w->conf.policy.delivery == DELIVERY_PULL);
	w->introductions++;
	if (!w->known)
		w->job_state = JOB_RECEIVING;
	h2_respond(req, w->known ? 200 : 201, NULL, NULL, 0);
	w->known = true;
}

static void agent_get(struct h2_req *req, void *arg)
{
	struct world *w = arg;
	struct sapi_device_job_status status = { .state = w->job_state };

	if (w->fetch.path[0]) {
		if (w->known)
			agent_offer(w, req, 200);
		else
			h2_problem(req, 404, "unknown-job", "there is no such job");
		return;
	}
	strcpy(status.job.name, "x");
	strcpy(status.job.media_type, "text/plain");
	status.job.size = CONTENT;
	memset(status.job.sha256, 'a', 64);
	snprintf(status.id, sizeof(status.id), "%s", h2_req_param(req, "id"));
	status.received = w->received;
	body_respond(req, 200, &sapi_device_job_status_schema, &status);
}

static void agent_take(struct world *w, struct h2_req *req)
{
	struct sapi_content_reply reply = { 0 };
	struct content_range range;
	uint64_t added = 0;
	const void *body;
	size_t len;

	if (w->job_state == JOB_SUSPENDED) {
		h2_problem(req, 409, "suspended", "the job is suspended");
		return;
	}
	if (w->refuse_put) {
		h2_problem(req, 404, "unknown-job", "there is no such job");
		return;
	}
	assert_int_equal(content_range_parse(h2_req_header(req, "content-range"), &range), 0);
	body = h2_req_body(req, &len);
	assert_int_equal(len, range.to - range.from);
	assert_true(range.size == CONTENT);
	memcpy(w->content + range.from, body, len);
	ranges_add(&w->received, range.from, range.to, &added);
	reply.duplicate = len - added;
	w->arrived += len;
	w->duplicates += reply.duplicate;
	body_respond(req, 200, &sapi_content_reply_schema, &reply);
	if (w->forgets) {
		ranges_clear(&w->received);
		h2_close(h2_req_session(req));
	}
	if (ranges_complete(&w->received, CONTENT) && !w->lazy) {
		agent_becomes(w, JOB_EXECUTING);
		agent_becomes(w, JOB_COMPLETED);
	}
}

static void held_closed(struct h2_req *req, int err, void *arg)
{
	struct world *w = arg;
	size_t i;

	(void)err;
	for (i = 0; i < w->n_held; i++)
		if (w->held[i] == req) {
			memmove(&w->held[i], &w->held[i + 1],
				(--w->n_held - i) * sizeof(w->held[0]));
			return;
		}
}

static void agent_pass(struct world *w, struct h2_req *req)
{
	if (!strcmp(h2_req_method(req), "GET"))
		agent_give(w, req);
	else
		agent_take(w, req);
}

static void agent_content(struct h2_req *req, void *arg)
{
	struct world *w = arg;

	if (!w->hold) {
		agent_pass(w, req);
		return;
	}
	assert_true(w->n_held < HELD_MAX);
	w->held[w->n_held++] = req;
	h2_req_on_close(req, held_closed, w);
}

/* Let what is held go on. */
static inline void agent_release(struct world *w)
{
	struct h2_req *list[HELD_MAX];
	size_t i, n = w->n_held;

	memcpy(list, w->held, sizeof(list));
	w->n_held = 0;
	for (i = 0; i < n; i++)
		agent_pass(w, list[i]);
}

static void follower_gone(struct h2_req *req, int err, void *arg)
{
	struct world *w = arg;
	size_t i;

	(void)err;
	for (i = 0; i < 8; i++)
		if (w->followers[i] == req)
			w->followers[i] = NULL;
}

static void agent_events(struct h2_req *req, void *arg)
{
	struct world *w = arg;
	size_t i;

	for (i = 0; w->followers[i]; i++)
		assert_true(i < 7);
	w->followers[i] = req;
	h2_req_on_close(req, follower_gone, w);
	h2_start(req, 200, "application/x-ndjson");
	agent_say(w, req);
}

static void canceling_closed(struct h2_req *req, int err, void *arg)
{
	struct world *w = arg;

	(void)err;
	if (w->canceling == req)
		w->canceling = NULL;
}

static void agent_delete(struct h2_req *req, void *arg)
{
	struct world *w = arg;

	w->cancels++;
	if (w->mute_cancel) {
		w->canceling = req;
		h2_req_on_close(req, canceling_closed, w);
		return;
	}
	if (w->refuse_cancel)
		h2_problem(req, w->refuse_cancel, "unknown-job", "there is no such job");
	else
		h2_respond(req, 204, NULL, NULL, 0);
}

static void agent_suspend(struct h2_req *req, void *arg)
{
	struct world *w = arg;

	w->suspends++;
	if (w->suspend_in_vain)
		agent_becomes(w, JOB_SUSPENDED); /* it does, but the answer is lost */
	if (w->refuse_suspend) {
		h2_problem(req, w->refuse_suspend, "internal", "the disk is full");
		return;
	}
	agent_becomes(w, JOB_SUSPENDED);
	h2_respond(req, 204, NULL, NULL, 0);
}

static void agent_resume(struct h2_req *req, void *arg)
{
	struct world *w = arg;

	w->resumes++;
	w->resumed_on = h2_req_session(req);
	if (w->mute_resume) {
		w->resuming = req;
		return;
	}
	if (w->refuse_resume == w->resumes) {
		h2_problem(req, 500, "internal", "the disk is full");
		return;
	}
	if (w->job_state == JOB_SUSPENDED)
		agent_becomes(w, w->fetch.path[0] ? JOB_RUNNING : JOB_RECEIVING);
	h2_respond(req, 204, NULL, NULL, 0);
}

static void asking_closed(struct h2_req *req, int err, void *arg)
{
	struct world *w = arg;

	(void)err;
	if (w->connecting == req)
		w->connecting = NULL;
}

static void agent_dials(struct world *w);

/* The cloud asks for a connection to itself. */
static void agent_asked(struct h2_req *req, void *arg)
{
	struct world *w = arg;
	struct sapi_connect ask;

	if (body_decode(req, &sapi_connect_schema, &ask))
		return;
	assert_string_equal(ask.cloud, "cloud1");
	assert_int_equal(ask.address.port, 8443);
	w->asked++;
	if (w->refuse_connect) {
		h2_problem(req, w->refuse_connect, "connect-failed", "no route to the cloud");
		return;
	}
	assert_int_equal(ask.log.port, 8633);
	memcpy(w->token, ask.token, ID_LEN);
	memcpy(w->token_job, ask.job, ID_LEN);
	w->connecting = req;
	h2_req_on_close(req, asking_closed, w);
	if (!w->mute_connect)
		agent_dials(w);
}

static const struct h2_route agent_table[] = {
	{ "GET", "/v1/hello", ROLE_BIT(ROLE_CLOUD), 0, 0, agent_hello },
	{ "PUT", "/v1/jobs/{id}", ROLE_BIT(ROLE_CLOUD), SAPI_MAX, 0, agent_put },
	{ "GET", "/v1/jobs/{id}", ROLE_BIT(ROLE_CLOUD), 0, 0, agent_get },
	{ "DELETE", "/v1/jobs/{id}", ROLE_BIT(ROLE_CLOUD), 0, 0, agent_delete },
	{ "PUT", "/v1/jobs/{id}/content", ROLE_BIT(ROLE_CLOUD), CONTENT, 0, agent_content },
	{ "GET", "/v1/jobs/{id}/content", ROLE_BIT(ROLE_CLOUD), 0, 0, agent_content },
	{ "POST", "/v1/jobs/{id}/done", ROLE_BIT(ROLE_CLOUD), 0, 0, agent_done },
	{ "GET", "/v1/jobs/{id}/events", ROLE_BIT(ROLE_CLOUD), 0, 0, agent_events },
	{ "POST", "/v1/jobs/{id}/suspend", ROLE_BIT(ROLE_CLOUD), SAPI_MAX, 0, agent_suspend },
	{ "POST", "/v1/jobs/{id}/resume", ROLE_BIT(ROLE_CLOUD), SAPI_MAX, 0, agent_resume },
	{ "POST", "/v1/connect", ROLE_BIT(ROLE_CLOUD), SAPI_MAX, 0, agent_asked },
};

static void agent_session_closed(struct h2 *h2, int err, const char *why, void *arg)
{
	struct world *w = arg;
	size_t i;

	(void)err;
	(void)why;
	for (i = 0; i < w->n_sessions; i++)
		if (w->agent_sessions[i] == h2) {
			w->agent_sessions[i] = w->agent_sessions[--w->n_sessions];
			return;
		}
}

static void agent_session(struct h2 *h2, void *arg)
{
	struct world *w = arg;

	assert_true(w->n_sessions < 16);
	w->agent_sessions[w->n_sessions++] = h2;
	h2_on_close(h2, agent_session_closed, w);
}

static void direct_closed(struct h2 *h2, int err, const char *why, void *arg)
{
	struct world *w = arg;

	(void)err;
	(void)why;
	if (w->direct == h2)
		w->direct = NULL;
}

static void direct_up(struct h2 *h2, int err, const char *why, void *arg)
{
	struct world *w = arg;

	if (err)
		fail_msg("agent: %s", why);
	w->direct = h2;
	h2_on_close(h2, direct_closed, w);
	if (w->connecting) {
		struct sapi_connect_reply reply = { .connected = true };

		body_respond(w->connecting, 200, &sapi_connect_reply_schema, &reply);
		w->connecting = NULL;
	}
}

static void agent_dials(struct world *w)
{
	dial_cloud(w, w->device_tls, &w->agent_routes, direct_up);
}

/* The device dials the cloud, with the token it was given through the gateway. */
static inline void agent_connect(struct world *w)
{
	memcpy(w->token, w->last_open.connect.token, ID_LEN);
	memcpy(w->token_job, w->last_open.job, ID_LEN);
	agent_dials(w);
}

/* ---- set-up ---- */

static void start_agent(struct world *w)
{
	char address[64];
	struct peer_listen_conf conf = {
		.address = address,
		.tls = w->device_tls,
		.roles = ROLE_BIT(ROLE_CLOUD),
		.routes = &w->agent_routes,
		.on_session = agent_session,
		.arg = w,
	};
	unsigned int port = 0;
	struct err e = { 0 };
	int i;

	w->agent_routes.routes = agent_table;
	w->agent_routes.count = sizeof(agent_table) / sizeof(agent_table[0]);
	w->agent_routes.arg = w;
	for (i = 0; i < NEAR_COUNT; i++) {
		snprintf(address, sizeof(address), "127.80.0.%d:%u", i + 2, port);
		if (peer_listen(w->loop, &conf, &w->agents[i], &e))
			fail_msg("%s", err_text(&e));
		port = peer_listener_port(w->agents[i]);
	}
	strcpy(w->device.code, "mfp-1");
	w->device.connectable = true;
	strcpy(w->device.gateway, "gw1");
	addr_parse("192.168.1.10", &w->device.address);
	w->device.priority = 3;
	w->device.n_services = 1;
	w->device.services[0].kind = SERVICE_AGENT;
	w->device.services[0].port = (uint16_t)port;
	w->device.services[0].tls = true;
	strcpy(w->device.services[0].path, "/");
}

static void start_manager(struct world *w)
{
	static struct h2_router router;
	struct peer_listen_conf conf = {
		.address = "127.0.0.1:0",
		.tls = w->manager_tls,
		.roles = ROLE_BIT(ROLE_CLOUD),
		.routes = &router,
	};
	struct err e = { 0 };

	router.routes = manager_table;
	router.count = sizeof(manager_table) / sizeof(manager_table[0]);
	router.arg = w;
	if (peer_listen(w->loop, &conf, &w->manager, &e))
		fail_msg("%s", err_text(&e));
	w->gateway_routes.routes = gateway_table;
	w->gateway_routes.count = sizeof(gateway_table) / sizeof(gateway_table[0]);
	w->gateway_routes.arg = w;
}

static void cloud_up(struct world *w)
{
	struct err e = { 0 };

	w->cloud.conf = &w->conf;
	w->cloud.loop = w->loop;
	if (cloud_credentials(&w->conf, &w->cloud.tls, &e) || cloud_start(&w->cloud, &e))
		fail_msg("%s", err_text(&e));
}

/* As by kill -9: nobody is told anything. */
static inline void cloud_die(struct world *w)
{
	if (w->gateway)
		h2_abort(w->gateway, -EPIPE, "test");
	kit_settle(w->loop);
	cloud_fini(&w->cloud);
	kit_settle(w->loop); /* what sessions have left to do */
	tls_ctx_free(w->cloud.tls);
	memset(&w->cloud, 0, sizeof(w->cloud));
}

static void configure(struct world *w)
{
	char text[4096];
	struct err e = { 0 };
	int n;

	kit_cert(w->pki, ROLE_CLOUD, "cloud1", 3600);
	snprintf(w->state, sizeof(w->state), "%s/state", w->dir);
	n = snprintf(text, sizeof(text),
		     "ca = \"%s/ca.crt\"\ncert = \"%s/cloud-cloud1.crt\"\n"
		     "key = \"%s/cloud-cloud1.key\"\nlisten = \"127.0.0.1:0\"\n"
		     "public = \"127.0.0.1:8443\"\nmanager = \"127.0.0.1:%u\"\n"
		     "pool = \"127.80.0.0/29\"\nstate = \"%s\"\nsegment = \"4K\"\n"
		     "attempts = 3\ndirect-linger = \"0\"\n",
		     w->pki, w->pki, w->pki, peer_listener_port(w->manager), w->state);
	if (conf_parse("test", text, (size_t)n, cloud_conf_table, &w->conf, &e) ||
	    cloud_conf_check(&w->conf, &e))
		fail_msg("%s", err_text(&e));
}

static int world_setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	size_t i;

	if (getenv("SHUNT_TEST_LOG"))
		log_init("cloud", LOG_LVL_DEBUG, LOG_TARGET_STDERR);
	memset(&kernel, 0, sizeof(kernel));
	w->dir = kit_dir_new();
	w->pki = kit_dir_new();
	kit_ca(w->pki);
	assert_int_equal(loop_new(&w->loop), 0);
	w->manager_tls = kit_ctx(w->pki, ROLE_MANAGER, "manager1");
	w->gateway_tls = kit_ctx(w->pki, ROLE_GATEWAY, "gw1");
	w->device_tls = kit_ctx(w->pki, ROLE_DEVICE, "mfp-1");
	w->terminal_tls = kit_ctx(w->pki, ROLE_TERMINAL, "alice");
	for (i = 0; i < CONTENT; i++)
		w->data[i] = (uint8_t)(i * 31 + i / 4096);
	w->fetch.fd = memfd_create("content", MFD_CLOEXEC);
	assert_int_equal(write(w->fetch.fd, w->data, CONTENT), CONTENT);
	start_manager(w);
	start_agent(w);
	configure(w);
	cloud_up(w);
	*state = w;
	return 0;
}

static int world_teardown(void **state)
{
	struct world *w = *state;
	char path[PATH_MAX + 16];
	int i;

	cloud_die(w);
	for (i = 0; i < NEAR_COUNT; i++)
		peer_listener_free(w->agents[i]);
	peer_listener_free(w->manager);
	kit_settle(w->loop);
	tls_ctx_free(w->manager_tls);
	tls_ctx_free(w->gateway_tls);
	tls_ctx_free(w->device_tls);
	tls_ctx_free(w->terminal_tls);
	conf_free(cloud_conf_table, &w->conf);
	ranges_fini(&w->received);
	close(w->fetch.fd);
	loop_free(w->loop);
	snprintf(path, sizeof(path), "%s/spool", w->state);
	kit_dir_free(strdup(path));
	kit_dir_free(strdup(w->state));
	kit_dir_free(w->dir);
	kit_dir_free(w->pki);
	free(w);
	return 0;
}

#endif
