// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/gateways.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "cloud/ndjson.h"
#include "cloud/problem.h"
#include "cloud/registry.h"
#include "lib/err.h"
#include "lib/h2.h"
#include "lib/log.h"
#include "lib/loop.h"

struct gateway {
	struct gateways *gateways;
	char name[NAME_LEN];
	struct h2 *h2; /* newest connection, NULL: none */
	struct loop_defer *later; /* answers to wants while it is connected, in their order */
	const struct h2 *listing; /* session whose tunnels are being listed */
	bool list_again; /* what was withdrawn since may have been granted */
	bool swept; /* tunnels of an earlier run are gone from it, so new ones may be opened */
	struct h2_call *events;
	struct ndjson lines;
	struct registry_ask *waking;
	LIST_HEAD(, gateways_want) wants;
	LIST_ENTRY(gateway) link;
};

struct gateways_want {
	struct gateway *gateway;
	struct loop_timer *timer; /* deadline */
	void (*done)(struct h2 *h2, int err, const char *why, void *arg);
	void *arg;
	bool listed;
	LIST_ENTRY(gateways_want) link;
};

/* Gateways are few and named by certificates of our CA, so an entry stays once made. */
struct gateways {
	struct gateways_conf conf;
	LIST_HEAD(, gateway) all;
};

static struct gateway *find(const struct gateways *g, const char *name)
{
	struct gateway *gw;

	LIST_FOREACH(gw, &g->all, link)
		if (!strcmp(gw->name, name))
			return gw;
	return NULL;
}

static void on_later(void *arg);

static struct gateway *find_or_new(struct gateways *g, const char *name)
{
	struct gateway *gw = find(g, name);

	if (gw)
		return gw;
	gw = calloc(1, sizeof(*gw));
	if (!gw || loop_defer_new(g->conf.loop, on_later, gw, &gw->later)) {
		free(gw);
		return NULL;
	}
	gw->gateways = g;
	snprintf(gw->name, sizeof(gw->name), "%s", name);
	LIST_INIT(&gw->wants);
	LIST_INSERT_HEAD(&g->all, gw, link);
	return gw;
}

struct h2 *gateways_session(const struct gateways *g, const char *name)
{
	const struct gateway *gw = find(g, name);

	return gw && gw->swept && h2_usable(gw->h2) ? gw->h2 : NULL;
}

size_t gateways_connected(const struct gateways *g)
{
	const struct gateway *gw;
	size_t n = 0;

	LIST_FOREACH(gw, &g->all, link)
		n += gw->h2 && h2_usable(gw->h2);
	return n;
}

/* ---- waiting for a connection ---- */

static void want_free(struct gateways_want *want)
{
	if (want->listed)
		LIST_REMOVE(want, link);
	loop_timer_free(want->timer);
	free(want);
}

static void want_done(struct gateways_want *want, struct h2 *h2, int err, const char *why)
{
	void (*done)(struct h2 * h2, int err, const char *why, void *arg) = want->done;
	void *arg = want->arg;

	want_free(want);
	done(h2, err, why, arg);
}

/*
 * Tell all that wait at this moment: the session, or why there is none. Who asks again from its
 * callback waits for the next chance.
 */
static void wants_done(struct gateway *gw, int err, const char *why)
{
	LIST_HEAD(, gateways_want) wants;
	struct gateways_want *want;

	LIST_INIT(&wants);
	while ((want = LIST_FIRST(&gw->wants))) {
		LIST_REMOVE(want, link);
		LIST_INSERT_HEAD(&wants, want, link);
	}
	while ((want = LIST_FIRST(&wants))) {
		/* One that was told may have brought the connection down again. */
		struct h2 *h2 = gateways_session(gw->gateways, gw->name);

		want_done(want, h2, h2 ? 0 : err, h2 ? "" : why);
	}
}

static void on_later(void *arg)
{
	wants_done(arg, -SHUNT_ECLOSED, "the gateway's connection ended");
}

static void on_want_timer(void *arg)
{
	struct gateways_want *want = arg;
	struct h2 *h2 = gateways_session(want->gateway->gateways, want->gateway->name);

	if (h2)
		want_done(want, h2, 0, "");
	else
		want_done(want, NULL, -ETIMEDOUT, "the gateway did not connect in time");
}

/*
 * The gateway says it is connected, and its connection may reach us a moment later than its word
 * through the manager; the deadline of each want covers that.
 */
static void on_woken(int err, const char *why, void *arg)
{
	struct gateway *gw = arg;

	gw->waking = NULL;
	if (err)
		wants_done(gw, err, why);
}

int gateways_want(struct gateways *g, const char *name,
		  void (*done)(struct h2 *h2, int err, const char *why, void *arg), void *arg,
		  struct gateways_want **out)
{
	struct gateway *gw = find_or_new(g, name);
	struct gateways_want *want;
	bool up;
	int ret;

	want = gw ? calloc(1, sizeof(*want)) : NULL;
	if (!want)
		return -ENOMEM;
	want->gateway = gw;
	want->done = done;
	want->arg = arg;
	up = gateways_session(g, name);
	ret = loop_timer_new(g->conf.loop, on_want_timer, want, &want->timer);
	if (!ret && !up && !gw->waking)
		ret = registry_dial(g->conf.registry, name, on_woken, gw, &gw->waking);
	if (ret) {
		want_free(want);
		return ret;
	}
	if (up)
		loop_defer_call(gw->later);
	loop_timer_set(want->timer, GATEWAY_AWAIT_MS);
	LIST_INSERT_HEAD(&gw->wants, want, link);
	want->listed = true;
	*out = want;
	return 0;
}

void gateways_want_cancel(struct gateways_want *want)
{
	if (want)
		want_free(want);
}

/* ---- events ---- */

static int on_line(const char *line, size_t len, void *arg)
{
	struct gateway *gw = arg;
	struct sapi_gateway_event ev;
	struct err e = { 0 };

	if (sapi_gateway_event_decode(line, len, &ev, &e)) {
		/* A newer gateway may tell of more than we know: not a reason to stop listening. */
		log_limited(gw->name, LOG_LVL_WARNING, "gateway: %s: event not understood: %s",
			    gw->name, err_text(&e));
		return 0;
	}
	gw->gateways->conf.on_event(gw->name, &ev, gw->gateways->conf.arg);
	sapi_gateway_event_fini(&ev);
	return 0;
}

static int on_events_data(struct h2_call *call, const void *data, size_t len, void *arg)
{
	struct gateway *gw = arg;

	(void)call;
	return ndjson_feed(&gw->lines, data, len);
}

static void on_events_close(struct h2_call *call, int err, const char *why, void *arg)
{
	struct gateway *gw = arg;

	(void)call;
	gw->events = NULL;
	ndjson_fini(&gw->lines);
	if (gw->h2 && h2_usable(gw->h2)) {
		/* Decisions would go unheard: a gateway whose stream ended must connect again. */
		log_warn("gateway: %s: event stream ended: %s", gw->name,
			 err ? why : "by the gateway");
		h2_close(gw->h2);
	}
}

static void follow_events(struct gateway *gw)
{
	static const struct h2_call_ops ops = {
		.on_data = on_events_data,
		.on_close = on_events_close,
	};
	struct h2_request req = { .method = "GET", .path = "/v1/events" };

	ndjson_init(&gw->lines, on_line, gw);
	if (h2_call_start(gw->h2, &req, &ops, gw, &gw->events))
		ndjson_fini(&gw->lines);
}

static void stop_events(struct gateway *gw)
{
	if (!gw->events)
		return;
	h2_call_cancel(gw->events);
	gw->events = NULL;
	ndjson_fini(&gw->lines);
}

/* ---- tunnels of an earlier run ---- */

static void on_deleted(const struct h2_reply *reply, void *arg)
{
	(void)reply;
	(void)arg;
}

static void delete_tunnel(struct gateway *gw, const struct sapi_tunnel *t)
{
	struct h2_request req = { .method = "DELETE", .timeout_ms = REGISTRY_TIMEOUT_MS };
	char path[48], id[TUNNEL_ID_LEN];

	snprintf(path, sizeof(path), "/v1/tunnels/%s", tunnel_id_print(t->id, id));
	req.path = path;
	log_notice("gateway: %s: removing tunnel %s of job %s: not known to this run", gw->name, id,
		   t->job);
	h2_fetch(gw->h2, &req, on_deleted, NULL, NULL);
}

static void sweep(struct gateway *gw, const struct h2_reply *reply)
{
	struct gateways *g = gw->gateways;
	struct sapi_tunnel_list list;
	struct problem p;
	struct err e = { 0 };
	size_t i;

	if (problem_of_reply(reply, gw->name, &p)) {
		log_warn("gateway: %s: tunnels not listed: %s", gw->name, p.text);
		return;
	}
	if (sapi_tunnel_list_decode(reply->body, reply->len, &list, &e)) {
		log_warn("gateway: %s: list of tunnels not understood: %s", gw->name, err_text(&e));
		return;
	}
	for (i = 0; i < list.n; i++)
		if (!g->conf.is_known(gw->name, &list.tunnels[i], g->conf.arg))
			delete_tunnel(gw, &list.tunnels[i]);
		else if (list.tunnels[i].adopted)
			g->conf.on_adopted(gw->h2, &list.tunnels[i], g->conf.arg);
	sapi_tunnel_list_fini(&list);
}

static void ask_tunnels(struct gateway *gw);

static void on_tunnels(const struct h2_reply *reply, void *arg)
{
	struct gateway *gw = arg;
	bool first = !gw->swept;

	if (!gw->h2 || h2_call_session(reply->call) != gw->h2)
		return; /* of a connection that was replaced */
	gw->listing = NULL;
	sweep(gw, reply);
	gw->swept = true;
	if (gw->list_again)
		ask_tunnels(gw);
	if (first)
		wants_done(gw, -SHUNT_ECLOSED, "the gateway's connection ended");
}

static void ask_tunnels(struct gateway *gw)
{
	struct h2_request req = {
		.method = "GET",
		.path = "/v1/tunnels",
		.timeout_ms = REGISTRY_TIMEOUT_MS,
		.max_reply = SAPI_LIST_MAX,
	};

	gw->list_again = gw->listing == gw->h2;
	if (!gw->list_again && !h2_fetch(gw->h2, &req, on_tunnels, gw, NULL))
		gw->listing = gw->h2;
}

void gateways_sweep(struct gateways *g, const char *name)
{
	if (gateways_session(g, name))
		ask_tunnels(find(g, name));
}

/* ---- connections ---- */

static void on_close(struct h2 *h2, int err, const char *why, void *arg)
{
	struct gateway *gw = arg;

	if (gw->h2 != h2)
		return; /* replaced already */
	log_info("gateway: %s: disconnected: %s", gw->name, err ? why : "closed");
	gw->h2 = NULL;
	gw->listing = NULL;
	gw->swept = false;
	stop_events(gw);
}

void gateways_attach(struct gateways *g, struct h2 *h2)
{
	struct gateway *gw = find_or_new(g, h2_peer(h2)->name);

	if (!gw) {
		h2_abort(h2, -ENOMEM, "out of memory");
		return;
	}
	if (gw->h2) {
		struct h2 *old = gw->h2;

		/* Requests on the old one may still be answered; they are given close_ms to. */
		stop_events(gw);
		h2_on_close(old, NULL, NULL);
		h2_close(old);
	}
	gw->h2 = h2;
	gw->listing = NULL;
	gw->swept = false;
	h2_on_close(h2, on_close, gw);
	log_info("gateway: %s: connected from %s", gw->name, h2_remote(h2));
	follow_events(gw);
	ask_tunnels(gw);
}

int gateways_new(const struct gateways_conf *conf, struct gateways **out, struct err *e)
{
	struct gateways *g = calloc(1, sizeof(*g));

	if (!g)
		return err_sys(e, -ENOMEM, "gateways");
	g->conf = *conf;
	LIST_INIT(&g->all);
	*out = g;
	return 0;
}

void gateways_free(struct gateways *g)
{
	struct gateways_want *want;
	struct gateway *gw;

	if (!g)
		return;
	while ((gw = LIST_FIRST(&g->all))) {
		while ((want = LIST_FIRST(&gw->wants)))
			want_free(want);
		stop_events(gw);
		if (gw->h2)
			h2_on_close(gw->h2, NULL, NULL);
		registry_cancel(gw->waking);
		loop_defer_free(gw->later);
		LIST_REMOVE(gw, link);
		free(gw);
	}
	free(g);
}
