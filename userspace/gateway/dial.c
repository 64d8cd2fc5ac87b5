// SPDX-License-Identifier: GPL-2.0-or-later

#include "gateway/dial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/ledger.h"
#include "gateway/nonces.h"
#include "lib/body.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/peer.h"

/* Streams beyond the requests that may wait: lists, events, deletions. */
#define EXTRA_STREAMS 256

/* A POST /v1/dial that waits for the connection. */
struct wish {
	struct wish *next;
	struct cloud *cloud; /* NULL once answered */
	struct h2_req *req;
};

struct cloud {
	struct cloud *next;
	struct dial *owner;
	struct sapi_dial to; /* name and address */
	struct peer_keep *keep;
	struct h2 *h2; /* while up */
	struct nonces nonces; /* of this h2 */
	struct wish *wishes;
	struct loop_timer *idle;
};

/* A connection that is not wanted any more and may end what is under way on it. */
struct parting {
	struct parting *next;
	struct dial *owner;
	struct peer_keep *keep;
};

struct dial {
	struct dial_deps deps;
	struct peer_keep *manager;
	struct cloud *clouds;
	size_t n;
	struct parting *partings;
	bool stopping;
	struct loop_defer *stopped;
	void (*done)(void *arg);
	void *done_arg;
};

/* ---- wishes ---- */

static void on_wish_closed(struct h2_req *req, int err, void *arg)
{
	struct wish *w = arg, **p;

	(void)req;
	(void)err;
	if (w->cloud) {
		for (p = &w->cloud->wishes; *p != w; p = &(*p)->next)
			;
		*p = w->next;
	}
	free(w);
}

static void fulfil(struct h2_req *req, const char *cloud)
{
	struct sapi_dial_reply reply = { .connected = true };

	snprintf(reply.cloud, sizeof(reply.cloud), "%s", cloud);
	body_respond(req, 200, &sapi_dial_reply_schema, &reply);
}

/* Answer all that wait: @why NULL when the connection is up. */
static void answer_wishes(struct cloud *c, const char *why)
{
	struct wish *w, *next;

	for (w = c->wishes; w; w = next) {
		next = w->next;
		w->cloud = NULL;
		if (why)
			h2_problem(w->req, 502, "dial-failed", "cloud %s: %s", c->to.cloud, why);
		else
			fulfil(w->req, c->to.cloud);
	}
	c->wishes = NULL;
}

static int wish_add(struct cloud *c, struct h2_req *req)
{
	struct wish *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->cloud = c;
	w->req = req;
	w->next = c->wishes;
	c->wishes = w;
	h2_req_on_close(req, on_wish_closed, w);
	return 0;
}

/* ---- connections that end ---- */

static void on_parted(void *arg)
{
	struct parting *p = arg, **at;
	struct dial *d = p->owner;

	for (at = &d->partings; *at != p; at = &(*at)->next)
		;
	*at = p->next;
	peer_keep_free(p->keep);
	free(p);
	if (d->stopping && !d->partings)
		loop_defer_call(d->stopped);
}

static void part(struct dial *d, struct peer_keep *keep)
{
	struct parting *p = keep ? calloc(1, sizeof(*p)) : NULL;

	if (!p) {
		peer_keep_free(keep);
		return;
	}
	p->owner = d;
	p->keep = keep;
	p->next = d->partings;
	d->partings = p;
	peer_keep_close(keep, on_parted, p);
}

/* ---- clouds ---- */

static bool in_use(const struct cloud *c)
{
	return c->wishes || c->owner->deps.in_use(c->to.cloud, c->owner->deps.arg);
}

/* Its connection, if any, may end what is under way. */
static void cloud_part(struct cloud *c)
{
	if (c->h2) {
		h2_set_data(c->h2, NULL);
		c->owner->deps.leaving(c->to.cloud, c->owner->deps.arg);
	}
	c->h2 = NULL;
	part(c->owner, c->keep);
	c->keep = NULL;
	nonces_clear(&c->nonces);
}

static void cloud_free(struct cloud *c)
{
	struct cloud **p;

	for (p = &c->owner->clouds; *p && *p != c; p = &(*p)->next)
		;
	if (*p) {
		*p = c->next;
		c->owner->n--;
	}
	if (c->h2)
		h2_set_data(c->h2, NULL);
	answer_wishes(c, "the connection is being closed");
	peer_keep_free(c->keep);
	loop_timer_free(c->idle);
	nonces_clear(&c->nonces);
	free(c);
}

static void on_idle(void *arg)
{
	struct cloud *c = arg;

	if (in_use(c)) {
		loop_timer_set(c->idle, c->owner->deps.conf->cloud_idle + 1);
		return;
	}
	log_info("cloud: %s: connection closed: nothing to do", c->to.cloud);
	ledger_del_cloud(c->owner->deps.ledger, c->to.cloud);
	cloud_part(c);
	cloud_free(c);
}

static void on_cloud_up(struct h2 *h2, void *arg)
{
	struct cloud *c = arg;

	c->h2 = h2;
	h2_set_data(h2, c);
	log_notice("cloud: %s: connected to %s", c->to.cloud, h2_remote(h2));
	answer_wishes(c, NULL);
	loop_timer_set(c->idle, c->owner->deps.conf->cloud_idle + 1);
}

static void on_cloud_down(struct h2 *h2, int err, const char *why, void *arg)
{
	struct cloud *c = arg;

	(void)h2;
	(void)err;
	c->h2 = NULL;
	nonces_clear(&c->nonces);
	log_notice("cloud: %s: disconnected: %s", c->to.cloud, why);
	/*
	 * Dial again for its tunnels' sake only. In a pass of its own: this is the keep's callback.
	 */
	if (!in_use(c))
		loop_timer_set(c->idle, 0);
}

static void on_cloud_retry(int err, const char *why, uint32_t retry_ms, void *arg)
{
	struct cloud *c = arg;

	(void)err;
	log_limited(c->to.cloud, LOG_LVL_WARNING, "cloud: %s: not connected: %s", c->to.cloud, why);
	answer_wishes(c, why);
	if (!in_use(c))
		loop_timer_set(c->idle, 0);
	else
		log_debug("cloud: %s: next attempt in %u ms", c->to.cloud, retry_ms);
}

static int cloud_keep(struct cloud *c)
{
	struct dial *d = c->owner;
	char address[ENDPOINT_STR_LEN];
	struct peer_keep_conf conf = {
		.dial = {
			.address = endpoint_print(&c->to.address, address),
			.tls = d->deps.tls,
			.reverse = true,
			.roles = ROLE_BIT(ROLE_CLOUD),
			.name = c->to.cloud,
			.routes = d->deps.routes,
			.h2 = { .max_streams = d->deps.conf->wait_max + EXTRA_STREAMS },
		},
		.on_up = on_cloud_up,
		.on_down = on_cloud_down,
		.on_retry = on_cloud_retry,
		.arg = c,
	};

	return peer_keep(d->deps.loop, &conf, &c->keep);
}

static struct cloud *cloud_find(const struct dial *d, const char *name)
{
	struct cloud *c = d->clouds;

	while (c && strcmp(c->to.cloud, name) != 0)
		c = c->next;
	return c;
}

static int cloud_add(struct dial *d, const struct sapi_dial *to, struct cloud **out)
{
	struct cloud *c;
	int rc;

	if (d->n >= DIAL_CLOUDS_MAX)
		return -ENOSPC;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->owner = d;
	c->to = *to;
	rc = loop_timer_new(d->deps.loop, on_idle, c, &c->idle);
	if (rc == 0)
		rc = cloud_keep(c);
	if (rc < 0) {
		loop_timer_free(c->idle);
		free(c);
		return rc;
	}
	c->next = d->clouds;
	d->clouds = c;
	d->n++;
	*out = c;
	return 0;
}

/* The cloud has moved to another address. */
static int cloud_redirect(struct cloud *c, const struct sapi_dial *to)
{
	cloud_part(c);
	c->to = *to;
	return cloud_keep(c);
}

static int dial_cloud(struct dial *d, const struct sapi_dial *to, struct cloud **out)
{
	struct cloud *c = cloud_find(d, to->cloud);
	int rc = 0;

	if (!c)
		rc = cloud_add(d, to, &c);
	else if (!endpoint_equal(&c->to.address, &to->address))
		rc = cloud_redirect(c, to);
	else
		peer_keep_now(c->keep);
	if (rc < 0) {
		if (c)
			cloud_free(c);
		return rc;
	}
	*out = c;
	return 0;
}

void dial_request(struct dial *d, struct h2_req *req)
{
	struct cloud *c = NULL;
	struct sapi_dial to;
	int rc;

	if (body_decode(req, &sapi_dial_schema, &to) < 0)
		return;
	if (d->stopping) {
		h2_problem(req, 503, "stopping", "the gateway is stopping");
		sapi_dial_fini(&to);
		return;
	}
	rc = dial_cloud(d, &to, &c);
	if (rc == 0) {
		ledger_put_cloud(d->deps.ledger, &to);
		if (c->h2 && h2_usable(c->h2))
			fulfil(req, c->to.cloud);
		else
			rc = wish_add(c, req);
	}
	if (rc == -ENOSPC)
		h2_problem(req, 503, "too-many-clouds", "this gateway serves %d clouds at most",
			   DIAL_CLOUDS_MAX);
	else if (rc < 0)
		h2_problem(req, 502, "dial-failed", "cloud %s: %s", to.cloud, shunt_strerror(rc));
	sapi_dial_fini(&to);
}

void dial_touch(struct dial *d, const char *cloud)
{
	struct cloud *c = cloud_find(d, cloud);

	if (c)
		loop_timer_set(c->idle, d->deps.conf->cloud_idle + 1);
}

int dial_use_nonce(struct dial *d, struct h2 *h2, const char *nonce)
{
	struct cloud *c = h2_data(h2);
	int rc;

	(void)d;
	if (!c || c->h2 != h2)
		return -ENOTCONN;
	rc = nonces_add(&c->nonces, nonce, DIAL_NONCES_MAX);
	if (rc == -ENOSPC) {
		log_notice("cloud: %s: connection replaced: it has opened %d tunnels", c->to.cloud,
			   DIAL_NONCES_MAX);
		h2_close(h2); /* the keep dials again */
	}
	return rc;
}

/* ---- manager ---- */

static void on_manager_up(struct h2 *h2, void *arg)
{
	(void)arg;
	log_notice("manager: %s: connected to %s", h2_peer(h2)->name, h2_remote(h2));
}

static void on_manager_down(struct h2 *h2, int err, const char *why, void *arg)
{
	(void)h2;
	(void)err;
	(void)arg;
	log_notice("manager: disconnected: %s", why);
}

static void on_manager_retry(int err, const char *why, uint32_t retry_ms, void *arg)
{
	(void)err;
	(void)arg;
	log_limited("manager", LOG_LVL_WARNING, "manager: not connected: %s; again in %u ms", why,
		    retry_ms);
}

static int keep_manager(struct dial *d)
{
	char address[ENDPOINT_STR_LEN];
	struct peer_keep_conf conf = {
		.dial = {
			.address = endpoint_print(&d->deps.conf->manager, address),
			.tls = d->deps.tls,
			.reverse = true,
			.roles = ROLE_BIT(ROLE_MANAGER),
			.routes = d->deps.routes,
		},
		.on_up = on_manager_up,
		.on_down = on_manager_down,
		.on_retry = on_manager_retry,
		.arg = d,
	};

	return peer_keep(d->deps.loop, &conf, &d->manager);
}

/* ---- life ---- */

static void restore_cloud(void *arg, const struct sapi_dial *to)
{
	struct dial *d = arg;
	struct cloud *c;

	if (!d->deps.in_use(to->cloud, d->deps.arg)) {
		ledger_del_cloud(d->deps.ledger, to->cloud);
		return;
	}
	if (cloud_add(d, to, &c) < 0)
		log_err("cloud: %s: not dialled again", to->cloud);
}

int dial_start(struct dial *d, struct err *e)
{
	int rc = keep_manager(d);

	if (rc < 0)
		return err_sys(e, rc, "manager");
	rc = ledger_clouds(d->deps.ledger, restore_cloud, d);
	return rc < 0 ? err_sys(e, rc, "state: clouds") : 0;
}

static void on_stopped(void *arg)
{
	struct dial *d = arg;

	if (d->done)
		d->done(d->done_arg);
}

void dial_stop(struct dial *d, void (*done)(void *arg), void *arg)
{
	d->done = done;
	d->done_arg = arg;
	/* Clouds first: what waits for them is answered to the manager. */
	while (d->clouds) {
		cloud_part(d->clouds);
		cloud_free(d->clouds);
	}
	part(d, d->manager);
	d->manager = NULL;
	d->stopping = true;
	if (!d->partings)
		loop_defer_call(d->stopped);
}

int dial_new(const struct dial_deps *deps, struct dial **out)
{
	struct dial *d = calloc(1, sizeof(*d));
	int rc;

	if (!d)
		return -ENOMEM;
	d->deps = *deps;
	rc = loop_defer_new(deps->loop, on_stopped, d, &d->stopped);
	if (rc < 0) {
		free(d);
		return rc;
	}
	*out = d;
	return 0;
}

void dial_set_tls(struct dial *d, struct tls_ctx *tls)
{
	struct cloud *c;

	d->deps.tls = tls;
	if (d->manager)
		peer_keep_set_tls(d->manager, tls);
	for (c = d->clouds; c; c = c->next)
		peer_keep_set_tls(c->keep, tls);
}

void dial_free(struct dial *d)
{
	struct parting *p;

	if (!d)
		return;
	while (d->clouds)
		cloud_free(d->clouds);
	while ((p = d->partings)) {
		d->partings = p->next;
		peer_keep_free(p->keep);
		free(p);
	}
	peer_keep_free(d->manager);
	loop_defer_free(d->stopped);
	free(d);
}
