// SPDX-License-Identifier: GPL-2.0-or-later

#include "gateway/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/controller.h"
#include "gateway/datapath.h"
#include "gateway/dial.h"
#include "gateway/events.h"
#include "gateway/gateway.h"
#include "gateway/moves.h"
#include "gateway/tunnels.h"
#include "gateway/validate.h"
#include "lib/body.h"
#include "lib/digest.h"
#include "lib/log.h"

/* ---- POST /v1/tunnels ---- */

/* A request that is answered when a slot is free. */
struct opening {
	struct gateway *g;
	struct h2_req *req;
	struct waiter *waiter; /* NULL once answered */
	uint32_t spi; /* of the tunnel made for it, */
	char job[ID_LEN];
	char cloud[NAME_LEN];
};

static void on_opened(const struct gw_tunnel *t, void *arg)
{
	struct opening *o = arg;
	struct sapi_tunnel shown;
	char location[32];

	o->waiter = NULL;
	o->spi = t->spi;
	dial_touch(o->g->dial, t->cloud);
	tunnels_show(t, "", &shown);
	/* For a cloud that asks the device itself. */
	if (o->g->conf->listen.port && !addr_is_any(&o->g->conf->listen.addr))
		shown.log = o->g->conf->listen;
	memcpy(location, "/v1/tunnels/", 13);
	tunnel_id_print(t->spi, location + 12);
	h2_req_set_header(o->req, "location", location);
	body_respond(o->req, 201, &sapi_tunnel_schema, &shown);
}

static void on_refused(int status, const char *code, const char *text, void *arg)
{
	struct opening *o = arg;

	o->waiter = NULL;
	h2_req_set_header(o->req, "retry-after", "5");
	h2_problem(o->req, status, code, "%s", text);
}

/* The stream's end: an answer delivered, or the cloud withdrew or went away. */
static void on_opening_closed(struct h2_req *req, int err, void *arg)
{
	struct opening *o = arg;
	struct gw_tunnel *t;

	(void)req;
	if (o->waiter)
		controller_withdraw(o->g->controller, o->waiter);
	t = err < 0 && o->spi ? tunnels_find(o->g->tunnels, o->spi) : NULL;
	/* The cloud never learned of its tunnel, so nobody would ever end it. */
	if (t && strcmp(t->job, o->job) == 0 && strcmp(t->cloud, o->cloud) == 0)
		tunnels_close(o->g->tunnels, t, "unconfirmed", NULL);
	free(o);
}

static bool is_local(void *arg, const struct shunt_addr *addr)
{
	(void)arg;
	return datapath_is_local(addr);
}

/* May the cloud that asks have that? Answers itself when it may not. */
static int validate(struct gateway *g, struct h2_req *req, const struct sapi_tunnel_open *open,
		    int (*check)(const struct gateway_conf *conf, const struct validate_env *env,
				 const struct sapi_tunnel_open *open, struct refusal *why))
{
	struct validate_env env = { .is_local = is_local };
	struct sockaddr_storage ss;
	struct shunt_endpoint peer;
	struct refusal why;
	socklen_t len;
	int rc;

	if (h2_remote_addr(h2_req_session(req), &ss, &len) == 0 &&
	    endpoint_from_sockaddr((struct sockaddr *)&ss, len, &peer) == 0)
		env.cloud = peer.addr;
	rc = check(g->conf, &env, open, &why);
	if (rc < 0)
		h2_problem(req, why.status, why.code, "%s", why.text);
	return rc;
}

static int check_open(struct gateway *g, struct h2_req *req, const struct sapi_tunnel_open *open)
{
	const char *cloud = h2_req_peer(req)->name;
	int rc = validate(g, req, open, validate_open);

	if (rc < 0)
		return rc;
	if (tunnels_find_job(g->tunnels, cloud, open->job) ||
	    controller_waits(g->controller, cloud, open->job)) {
		h2_problem(req, 409, "job-has-tunnel", "job %s has a tunnel, or waits for one",
			   open->job);
		return -EEXIST;
	}
	rc = dial_use_nonce(g->dial, h2_req_session(req), open->nonce);
	if (rc == -EEXIST)
		h2_problem(req, 422, "nonce-reused", "nonce: was used on this connection before");
	else if (rc == -EINVAL)
		h2_problem(req, 422, "bad-nonce", "nonce: is all zeros");
	else if (rc < 0)
		h2_problem(req, 503, "connection-ending", "try again on the next connection");
	return rc;
}

static void wait_for_slot(struct gateway *g, struct h2_req *req,
			  const struct sapi_tunnel_open *open)
{
	struct opening *o = calloc(1, sizeof(*o));
	struct arrival a = { .open = open,
			     .cloud = h2_req_peer(req)->name,
			     .h2 = h2_req_session(req),
			     .on_opened = on_opened,
			     .on_refused = on_refused,
			     .arg = o };

	if (!o || controller_arrive(g->controller, &a, &o->waiter) < 0) {
		free(o);
		h2_problem(req, 503, "out-of-memory", "the request cannot be kept");
		return;
	}
	o->g = g;
	o->req = req;
	memcpy(o->job, open->job, sizeof(o->job));
	memcpy(o->cloud, a.cloud, sizeof(o->cloud));
	h2_req_on_close(req, on_opening_closed, o);
}

static void on_tunnel_open(struct h2_req *req, void *arg)
{
	struct sapi_tunnel_open open;

	if (body_decode(req, &sapi_tunnel_open_schema, &open) < 0)
		return;
	if (check_open(arg, req, &open) == 0)
		wait_for_slot(arg, req, &open);
	secret_wipe(&open, sizeof(open));
}

/* ---- the other tunnel resources ---- */

static bool may_see(const struct h2_req *req, const struct gw_tunnel *t)
{
	const struct party *peer = h2_req_peer(req);

	return peer->role == ROLE_MANAGER || strcmp(peer->name, t->cloud) == 0;
}

static void on_tunnel_list(struct h2_req *req, void *arg)
{
	struct gateway *g = arg;
	struct sapi_tunnel_list list = { 0 };
	struct err e = { 0 };
	struct gw_tunnel *t;

	if (tunnels_refresh(g->tunnels, &e) < 0) {
		h2_problem(req, 500, "internal-error", "counters: %s", err_text(&e));
		return;
	}
	list.tunnels = calloc(tunnels_count(g->tunnels) + 1, sizeof(*list.tunnels));
	if (!list.tunnels) {
		h2_problem(req, 500, "out-of-memory", "the list could not be made");
		return;
	}
	for (t = tunnels_first(g->tunnels); t; t = t->next) {
		if (may_see(req, t))
			tunnels_show(t, "", &list.tunnels[list.n++]);
	}
	body_respond(req, 200, &sapi_tunnel_list_schema, &list);
	free(list.tunnels);
}

/* The tunnel of the path. One of another cloud is as unknown as one that does not exist. */
static struct gw_tunnel *path_tunnel(struct gateway *g, struct h2_req *req)
{
	const char *id = h2_req_param(req, "id");
	struct gw_tunnel *t = NULL;
	uint32_t spi;

	if (id && tunnel_id_parse(id, &spi) == 0)
		t = tunnels_find(g->tunnels, spi);
	if (t && may_see(req, t))
		return t;
	h2_problem(req, 404, "unknown-tunnel", "there is no such tunnel");
	return NULL;
}

static void on_tunnel_get(struct h2_req *req, void *arg)
{
	struct gateway *g = arg;
	struct sapi_tunnel shown;
	struct err e = { 0 };
	struct gw_tunnel *t;

	/* May end the tunnel, so before it is looked up. */
	if (tunnels_refresh(g->tunnels, &e) < 0) {
		h2_problem(req, 500, "internal-error", "counters: %s", err_text(&e));
		return;
	}
	t = path_tunnel(g, req);
	if (!t)
		return;
	tunnels_show(t, "", &shown);
	body_respond(req, 200, &sapi_tunnel_schema, &shown);
}

/* As when it was opened. */
static int check_job(struct gateway *g, struct h2_req *req, const struct gw_tunnel *t,
		     const struct sapi_tunnel_job *job)
{
	struct sapi_tunnel_open open = { .n_scope = t->n_scope, .connectable = job->connectable };

	memcpy(open.scope, t->scope, sizeof(open.scope));
	open.connect.address = job->connect.address;
	open.connect.agent_port = job->connect.agent_port;
	return validate(g, req, &open, validate_connect);
}

/* A restarted gateway is told what it did not keep (see ledger.h), so that the job can be moved again. */
static void on_tunnel_job(struct h2_req *req, void *arg)
{
	struct gateway *g = arg;
	struct gw_tunnel *t = path_tunnel(g, req);
	struct sapi_tunnel_job job;
	struct err e = { 0 };

	if (!t || body_decode(req, &sapi_tunnel_job_schema, &job) < 0)
		return;
	if (check_job(g, req, t, &job) < 0) {
		secret_wipe(&job, sizeof(job));
		return;
	}
	/* What is carried from now on counts, not what was since the counters were last read. */
	if (tunnels_refresh(g->tunnels, &e) < 0)
		log_limited("counters", LOG_LVL_ERR, "datapath: counters: %s", err_text(&e));
	t = path_tunnel(g, req);
	if (t) {
		tunnels_tell(t, &job);
		controller_told(g->controller, t);
		h2_respond(req, 204, NULL, NULL, 0);
	}
	secret_wipe(&job, sizeof(job));
}

static void on_tunnel_delete(struct h2_req *req, void *arg)
{
	struct gateway *g = arg;
	struct gw_tunnel *t = path_tunnel(g, req);
	struct sapi_tunnel last;

	if (!t)
		return;
	tunnels_close(g->tunnels, t,
		      t->leaving || (t->move && !t->move->split) ? TUNNEL_MOVED : "closed", &last);
	dial_touch(g->dial, last.cloud);
	body_respond(req, 200, &sapi_tunnel_schema, &last);
}

/* ---- the rest ---- */

static void on_dial(struct h2_req *req, void *arg)
{
	dial_request(((struct gateway *)arg)->dial, req);
}

static void on_load(struct h2_req *req, void *arg)
{
	struct sapi_load load;

	controller_load(((struct gateway *)arg)->controller, &load);
	body_respond(req, 200, &sapi_load_schema, &load);
}

static void on_events(struct h2_req *req, void *arg)
{
	events_subscribe(((struct gateway *)arg)->events, req);
}

#define CLOUD ROLE_BIT(ROLE_CLOUD)
#define MANAGER ROLE_BIT(ROLE_MANAGER)

static const struct h2_route routes[] = {
	{ "POST", "/v1/dial", MANAGER, SAPI_MAX, 0, on_dial },
	{ "POST", "/v1/tunnels", CLOUD, SAPI_MAX, 0, on_tunnel_open },
	{ "GET", "/v1/tunnels", CLOUD | MANAGER, 0, 0, on_tunnel_list },
	{ "GET", "/v1/tunnels/{id}", CLOUD | MANAGER, 0, 0, on_tunnel_get },
	{ "PUT", "/v1/tunnels/{id}/job", CLOUD, SAPI_MAX, 0, on_tunnel_job },
	{ "DELETE", "/v1/tunnels/{id}", CLOUD, 0, 0, on_tunnel_delete },
	{ "GET", "/v1/load", CLOUD | MANAGER, 0, 0, on_load },
	{ "GET", "/v1/events", CLOUD, 0, 0, on_events },
};

void api_router(struct gateway *g, struct h2_router *out)
{
	*out = (struct h2_router){ routes, sizeof(routes) / sizeof(routes[0]), g };
}
