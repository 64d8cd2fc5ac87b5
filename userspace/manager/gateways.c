// SPDX-License-Identifier: GPL-2.0-or-later

#include "manager/gateways.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/body.h"
#include "lib/log.h"

/*
 * Longer than a gateway's own attempts (TCP and TLS, 10 s each), so that its reason comes through.
 */
#define DIAL_TIMEOUT_MS 30000

struct gateway {
	struct gateway *next;
	char name[NAME_LEN];
	struct h2 *h2; /* NULL: not connected */
	struct shunt_endpoint address; /* last seen at */
	int64_t since; /* wall ms: of connecting, or of disconnecting */
	struct gateways *owner;
};

struct gateways {
	struct gateway *first; /* in order of name */
	size_t n;
};

int gateways_new(struct gateways **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void gateways_free(struct gateways *g)
{
	struct gateway *gw, *next;

	if (!g)
		return;
	for (gw = g->first; gw; gw = next) {
		next = gw->next;
		if (gw->h2)
			h2_on_close(gw->h2, NULL, NULL);
		free(gw);
	}
	free(g);
}

static struct gateway *find(const struct gateways *g, const char *name)
{
	struct gateway *gw;

	for (gw = g->first; gw; gw = gw->next) {
		if (strcmp(gw->name, name) == 0)
			return gw;
	}
	return NULL;
}

static void forget_oldest(struct gateways *g)
{
	struct gateway **p, **oldest = NULL;
	struct gateway *gw;

	for (p = &g->first; *p; p = &(*p)->next) {
		if (!(*p)->h2 && (!oldest || (*p)->since < (*oldest)->since))
			oldest = p;
	}
	if (!oldest)
		return;
	gw = *oldest;
	*oldest = gw->next;
	free(gw);
	g->n--;
}

static struct gateway *add(struct gateways *g, const char *name)
{
	struct gateway *gw, **p;

	if (g->n >= GATEWAYS_MAX)
		forget_oldest(g);
	if (g->n >= GATEWAYS_MAX)
		return NULL;
	gw = calloc(1, sizeof(*gw));
	if (!gw)
		return NULL;
	snprintf(gw->name, sizeof(gw->name), "%s", name);
	gw->owner = g;
	p = &g->first;
	while (*p && strcmp((*p)->name, name) < 0)
		p = &(*p)->next;
	gw->next = *p;
	*p = gw;
	g->n++;
	return gw;
}

static void on_lost(struct h2 *h2, int err, const char *why, void *arg)
{
	struct gateway *gw = arg;

	(void)err;
	if (gw->h2 != h2)
		return;
	gw->h2 = NULL;
	gw->since = clock_wall_ms();
	log_notice("gateway: %s: disconnected: %s", gw->name, why);
}

void gateways_attach(struct gateways *g, struct h2 *h2)
{
	const struct party *peer = h2_peer(h2);
	struct sockaddr_storage ss;
	struct gateway *gw = find(g, peer->name);
	struct h2 *old;
	socklen_t len;

	if (!gw)
		gw = add(g, peer->name);
	if (!gw) {
		log_err("gateway: %s: refused: too many gateways", peer->name);
		h2_abort(h2, -ENOMEM, "too many gateways");
		return;
	}
	old = gw->h2;
	gw->h2 = h2;
	gw->since = clock_wall_ms();
	if (h2_remote_addr(h2, &ss, &len) < 0 ||
	    endpoint_from_sockaddr((struct sockaddr *)&ss, len, &gw->address) < 0)
		gw->address = (struct shunt_endpoint){ 0 };
	h2_on_close(h2, on_lost, gw);
	log_notice("gateway: %s: connected from %s", gw->name, h2_remote(h2));
	/* A gateway that rebooted is back before its old connection is found dead. */
	if (old) {
		h2_on_close(old, NULL, NULL);
		h2_abort(old, -SHUNT_ECLOSED, "replaced by a newer connection");
	}
}

void gateways_list(struct h2_req *req, struct gateways *g)
{
	struct sapi_gateway_list list = { 0 };
	struct gateway *gw;

	list.gateways = calloc(g->n ? g->n : 1, sizeof(*list.gateways));
	if (!list.gateways) {
		h2_problem(req, 500, "out-of-memory", "the list could not be made");
		return;
	}
	for (gw = g->first; gw; gw = gw->next) {
		struct sapi_gateway *out = &list.gateways[list.n++];

		memcpy(out->name, gw->name, sizeof(out->name));
		out->connected = gw->h2 && h2_usable(gw->h2);
		out->address = gw->address;
		out->since = gw->since;
	}
	body_respond(req, 200, &sapi_gateway_list_schema, &list);
	free(list.gateways);
}

/* ---- dial: the cloud's request waits for the gateway's answer ---- */

struct forward {
	struct h2_req *req; /* the cloud's */
	struct h2_call *call; /* ours to the gateway; NULL once answered */
	char gateway[NAME_LEN], cloud[NAME_LEN];
};

static void on_answer(const struct h2_reply *reply, void *arg)
{
	struct forward *f = arg;

	f->call = NULL;
	if (reply->err) {
		log_warn("gateway: %s: dial of cloud %s: %s", f->gateway, f->cloud, reply->why);
		h2_problem(f->req, 503, "gateway-not-connected", "gateway %s did not answer: %s",
			   f->gateway, reply->why);
		return;
	}
	log_info("gateway: %s: dial of cloud %s: status %d", f->gateway, f->cloud, reply->status);
	h2_respond(f->req, reply->status, reply->type, reply->body, reply->len);
}

static void on_cloud_done(struct h2_req *req, int err, void *arg)
{
	struct forward *f = arg;

	(void)req;
	(void)err;
	if (f->call)
		h2_call_cancel(f->call);
	free(f);
}

static int forward(struct h2_req *req, struct gateway *gw, const struct sapi_dial *dial)
{
	struct h2_request out = { .method = "POST",
				  .path = "/v1/dial",
				  .type = "application/json",
				  .timeout_ms = DIAL_TIMEOUT_MS };
	struct forward *f = calloc(1, sizeof(*f));
	struct buf json;
	int rc = -ENOMEM;

	buf_init(&json);
	if (!f || sapi_dial_encode(dial, &json) < 0)
		goto err;
	f->req = req;
	snprintf(f->gateway, sizeof(f->gateway), "%s", gw->name);
	snprintf(f->cloud, sizeof(f->cloud), "%s", dial->cloud);
	out.body = json.data;
	out.body_len = json.len;
	rc = h2_fetch(gw->h2, &out, on_answer, f, &f->call);
	if (rc < 0)
		goto err;
	h2_req_on_close(req, on_cloud_done, f);
	buf_fini(&json);
	return 0;
err:
	buf_fini(&json);
	free(f);
	return rc;
}

void gateways_dial(struct h2_req *req, struct gateways *g)
{
	const char *name = h2_req_param(req, "name");
	struct sapi_dial dial;
	struct gateway *gw;
	int rc;

	if (body_decode(req, &sapi_dial_schema, &dial) < 0)
		return;
	gw = name ? find(g, name) : NULL;
	/* A cloud may only have itself dialled: a gateway must not become a way to probe others. */
	if (strcmp(dial.cloud, h2_req_peer(req)->name) != 0) {
		h2_problem(req, 403, "not-your-name", "cloud: is %s, but the caller is %s",
			   dial.cloud, h2_req_peer(req)->name);
	} else if (!gw || !gw->h2 || !h2_usable(gw->h2)) {
		h2_problem(req, 503, "gateway-not-connected",
			   gw ? "gateway %s is not connected" : "gateway %s has never connected",
			   gw ? gw->name : "of that name");
	} else {
		rc = forward(req, gw, &dial);
		if (rc < 0)
			h2_problem(req, 503, "gateway-not-connected",
				   "gateway %s cannot be asked: %s", gw->name, shunt_strerror(rc));
	}
	sapi_dial_fini(&dial);
}
