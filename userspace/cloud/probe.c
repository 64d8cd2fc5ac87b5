// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/probe.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "cloud/cloud.h"
#include "cloud/decider.h"
#include "cloud/gateways.h"
#include "cloud/inquiry.h"
#include "cloud/registry.h"
#include "cloud/tunnels.h"
#include "lib/body.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/loop.h"

struct probe {
	struct probes *all;
	struct cloud *cloud;
	struct h2_req *req; /* NULL: answered, or the caller is gone */
	struct sapi_probe_ask ask;
	struct sapi_probe found;
	bool registered; /* and at this address: the cloud's password for the device may be tried */
	/* Of the entry, wherever the device is now: what it knows of TLS holds. */
	char pin[PIN_LEN];
	struct sapi_service known[SAPI_SERVICES_MAX];
	size_t n_known;
	const char *waits_for; /* until the tunnel is open */
	struct registry_ask *lookup;
	struct gateways_want *want;
	struct place *place; /* where this cloud decides */
	struct ctun *tunnel;
	struct inquiry *inquiries[SAPI_SCOPE_MAX];
	size_t pending; /* of them */
	struct loop_timer *timer;
	bool asking; /* the tunnel is open: the timer bounds the questions */
	bool over; /* everything is being closed, and answered when that is done */
	int status; /* of a refusal, with the two below; 0: none */
	char code[SAPI_REASON_LEN], text[SAPI_TEXT_LEN];
	LIST_ENTRY(probe) link;
};

struct probes {
	struct cloud *cloud;
	size_t count;
	bool stopped;
	LIST_HEAD(, probe) list;
};

/* ---- the end ---- */

static void probe_free(struct probe *p)
{
	size_t i;

	registry_cancel(p->lookup);
	gateways_want_cancel(p->want);
	place_free(p->place);
	for (i = 0; i < SAPI_SCOPE_MAX; i++)
		inquiry_free(p->inquiries[i]);
	loop_timer_free(p->timer);
	sapi_probe_fini(&p->found);
	LIST_REMOVE(p, link);
	p->all->count--;
	free(p);
}

static void on_request_closed(struct h2_req *req, int err, void *arg);

/* Exactly once, if anybody still waits for it. */
static void answer(struct probe *p)
{
	struct h2_req *req = p->req;

	p->req = NULL;
	if (!req)
		return;
	h2_req_on_close(req, on_request_closed, NULL);
	if (p->status == 503)
		h2_req_set_header(req, "retry-after", "5");
	if (p->status)
		h2_problem(req, p->status, p->code, "%s", p->text);
	else
		body_respond(req, 200, &sapi_probe_schema, &p->found);
}

static void log_end(const struct probe *p)
{
	size_t i, n = 0;

	for (i = 0; i < p->found.n_services; i++)
		n += p->found.services[i].found;
	if (p->status)
		log_notice("probe: %s: %s: %s", p->found.device, p->code, p->text);
	else
		log_info("probe: %s: %zu of %zu services found", p->found.device, n,
			 p->found.n_services);
}

static void close_all(struct probe *p)
{
	size_t i;

	p->over = true;
	loop_timer_stop(p->timer);
	registry_cancel(p->lookup);
	p->lookup = NULL;
	gateways_want_cancel(p->want);
	p->want = NULL;
	for (i = 0; i < SAPI_SCOPE_MAX; i++) {
		inquiry_free(p->inquiries[i]);
		p->inquiries[i] = NULL;
	}
	if (p->tunnel)
		ctun_close(p->tunnel, "probed"); /* on_tunnel_end() follows */
	else
		loop_timer_set(p->timer, 0);
}

static void fail(struct probe *p, int status, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static void fail(struct probe *p, int status, const char *code, const char *fmt, ...)
{
	va_list ap;

	if (p->over)
		return;
	p->status = status;
	snprintf(p->code, sizeof(p->code), "%s", code);
	va_start(ap, fmt);
	vsnprintf(p->text, sizeof(p->text), fmt, ap);
	va_end(ap);
	close_all(p);
}

/* ---- the questions ---- */

/* What was found or refused comes first of its kind, then what somebody named, and the usual places last. */
static void put_in_order(struct sapi_probe *found)
{
	struct sapi_probe_service *first = calloc(found->n_services, sizeof(*first));
	size_t i, n = 0;

	if (!first)
		return; /* the order is a convenience */
	for (i = 0; i < found->n_services; i++)
		if (found->services[i].found)
			first[n++] = found->services[i];
	for (i = 0; i < found->n_services; i++)
		if (!found->services[i].found)
			first[n++] = found->services[i];
	free(found->services);
	found->services = first;
}

static void finish(struct probe *p)
{
	close_all(p);
	put_in_order(&p->found);
}

static void on_asked(struct inquiry *q, void *arg)
{
	struct probe *p = arg;
	size_t i;

	for (i = 0; i < SAPI_SCOPE_MAX; i++)
		if (p->inquiries[i] == q)
			p->inquiries[i] = NULL;
	inquiry_free(q);
	if (!--p->pending)
		finish(p);
}

/* Has the registry a service with TLS there, or (@port 0) anywhere, of that kind? */
static bool has_tls(const struct probe *p, enum service_kind kind, uint16_t port)
{
	size_t i;

	for (i = 0; i < p->n_known; i++)
		if (p->known[i].tls && (port ? p->known[i].port == port : p->known[i].kind == kind))
			return true;
	return false;
}

/*
 * Who answers in clear may be anybody in the device's LAN, who has also seen to it that TLS fails: that takes neither a
 * service of the registry's down to no TLS, nor gets it a login that the jobs would give over TLS only.
 */
static int ask_one(struct probe *p, struct inquiry_conf *conf, size_t i)
{
	const struct sapi_service *at = &p->found.services[i].at;

	conf->tls_only = p->pin[0] || has_tls(p, at->kind, at->port);
	conf->clear_login = !p->pin[0] && !has_tls(p, at->kind, 0);
	return inquiry_new(conf, &p->found.services[i], on_asked, p, &p->inquiries[i]);
}

static void ask_all(struct probe *p)
{
	struct inquiry_conf conf = {
		.loop = p->cloud->loop,
		.http = p->cloud->http,
		.tls = p->cloud->tls,
		.smb_helper = p->cloud->conf->smb_helper,
		.device = p->found.device,
		.address = *ctun_near(p->tunnel),
		.source = *tunnels_far(p->cloud->tunnels),
		.credentials = p->registered ? &p->cloud->credentials : NULL,
		.pin = p->pin,
	};
	size_t i;

	p->asking = true;
	loop_timer_set(p->timer, PROBE_ASK_MS);
	for (i = 0; i < p->found.n_services; i++) {
		if (ask_one(p, &conf, i)) {
			fail(p, 500, "out-of-memory", "out of memory");
			return;
		}
		p->pending++;
	}
}

/* Those who have not answered by now are told so; the others' answers stand. */
static void give_up_asking(struct probe *p)
{
	struct sapi_probe_service *s;
	size_t i;

	for (i = 0; i < p->found.n_services; i++) {
		s = &p->found.services[i];
		if (!p->inquiries[i] || s->found || s->reason[0])
			continue;
		strcpy(s->reason, "no-answer");
		snprintf(s->text, sizeof(s->text), "no answer within %d s", PROBE_ASK_MS / 1000);
	}
	finish(p);
}

/* ---- the tunnel ---- */

static void on_tunnel_slot(struct ctun *tun, void *arg)
{
	struct probe *p = arg;

	(void)tun;
	p->waits_for = "the gateway's packets";
}

static void on_tunnel_open(struct ctun *tun, void *arg)
{
	struct probe *p = arg;

	(void)tun;
	if (!p->over)
		ask_all(p);
}

/* There is nothing that a move could do for it. */
static int on_tunnel_adopted(struct ctun *tun, struct sapi_tunnel_job *job, void *arg)
{
	(void)tun;
	(void)arg;
	memset(job, 0, sizeof(*job));
	job->kind = JOB_FETCH;
	return 0;
}

static void on_tunnel_end(struct ctun *tun, const struct ctun_end *end, void *arg)
{
	struct probe *p = arg;

	(void)tun;
	p->tunnel = NULL;
	place_done(p->place);
	if (p->over) {
		loop_timer_set(p->timer, 0);
		return;
	}
	fail(p, end->fatal ? 422 : 503, end->reason, "%s: %.440s",
	     p->asking ? "the tunnel broke" : "no tunnel", end->text);
}

static void describe(const struct probe *p, struct sapi_tunnel_open *open)
{
	size_t i, j;

	memset(open, 0, sizeof(*open));
	memcpy(open->job, p->found.id, ID_LEN);
	snprintf(open->device, sizeof(open->device), "%s", p->found.device);
	open->kind = JOB_FETCH; /* of what the device says of itself */
	open->host = p->found.address;
	open->priority = SAPI_PRIORITY_MAX;
	for (i = 0; i < p->found.n_services; i++) {
		for (j = 0; j < open->n_scope; j++)
			if (open->scope[j].port == p->found.services[i].at.port)
				break;
		if (j < open->n_scope)
			continue;
		open->scope[j].proto = PROTO_TCP;
		open->scope[j].port = p->found.services[i].at.port;
		open->n_scope++;
	}
}

static void on_gateway(struct h2 *h2, int err, const char *why, void *arg)
{
	static const struct ctun_ops ops = {
		.on_slot = on_tunnel_slot,
		.on_open = on_tunnel_open,
		.on_adopted = on_tunnel_adopted,
		.on_end = on_tunnel_end,
	};
	struct probe *p = arg;
	struct sapi_tunnel_open open;
	struct err e = { 0 };

	p->want = NULL;
	if (err) {
		fail(p, 502, "gateway-unreachable", "%s", why);
		return;
	}
	describe(p, &open);
	p->waits_for = "a free tunnel at the gateway";
	if (ctun_open(p->cloud->tunnels, h2, &open, &ops, p, &p->tunnel, &e))
		fail(p, 503, "not-opened", "%s", err_text(&e));
}

static void gateway_want(void *arg)
{
	struct probe *p = arg;

	if (p->over)
		return;
	p->waits_for = "the gateway to connect";
	if (gateways_want(p->cloud->gateways, p->found.gateway, on_gateway, p, &p->want))
		fail(p, 500, "out-of-memory", "out of memory");
}

/* ---- leave to open it, where this cloud decides ---- */

static void on_look(struct place_view *out, void *arg)
{
	const struct probe *p = arg;

	out->tunnel = p->tunnel ? ctun_id(p->tunnel) : 0;
	out->closing = p->over;
}

static void on_decided(const struct sapi_gateway_event *ev, void *arg)
{
	(void)ev;
	(void)arg;
}

static void on_nothing(void *arg)
{
	(void)arg;
}

static void tunnel_want(struct probe *p)
{
	static const struct place_ops ops = {
		.look = on_look,
		.on_open = gateway_want,
		.on_event = on_decided,
		.on_connected = on_nothing,
		.on_fallback = on_nothing,
	};
	struct place_conf conf = {
		.job = p->found.id,
		.device = p->found.device,
		.gateway = p->found.gateway,
		.priority = SAPI_PRIORITY_MAX,
	};

	if (!p->cloud->decider) {
		gateway_want(p);
		return;
	}
	p->waits_for = "a tunnel to be free";
	if (place_new(p->cloud->decider, &ops, p, &p->place) || place_ask(p->place, &conf))
		fail(p, 500, "out-of-memory", "out of memory");
}

/* ---- what is to be asked ---- */

static void add(struct probe *p, const struct sapi_service *at)
{
	struct sapi_probe *f = &p->found;
	size_t i;

	for (i = 0; i < f->n_services; i++)
		if (f->services[i].at.kind == at->kind && f->services[i].at.port == at->port)
			return;
	if (f->n_services < SAPI_SCOPE_MAX)
		f->services[f->n_services++].at = *at;
}

/* @dev: the registry's entry, or NULL. 0 or -ENOMEM. */
static int choose(struct probe *p, const struct sapi_device *dev)
{
	/* IANA's ports first; printers do TLS on the one that they have (RFC 8010 3.4). */
	static const struct sapi_service usual[] = {
		{ .kind = SERVICE_AGENT, .port = 8632, .tls = true },
		{ .kind = SERVICE_IPP, .port = 631, .tls = true },
		{ .kind = SERVICE_WEBDAV, .port = 443, .tls = true },
		{ .kind = SERVICE_WEBDAV, .port = 80 },
		{ .kind = SERVICE_WEBDAV, .port = 8443, .tls = true },
		{ .kind = SERVICE_WEBDAV, .port = 8080 },
	};
	size_t i;

	p->found.services = calloc(SAPI_SCOPE_MAX, sizeof(*p->found.services));
	if (!p->found.services)
		return -ENOMEM;
	for (i = 0; i < p->ask.n_services; i++)
		add(p, &p->ask.services[i]);
	for (i = 0; dev && i < dev->n_services; i++)
		add(p, &dev->services[i]);
	for (i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (usual[i].tls || !p->pin[0])
			add(p, &usual[i]);
	return 0;
}

static void take_place(struct probe *p, const struct sapi_device *dev)
{
	snprintf(p->found.gateway, sizeof(p->found.gateway), "%s",
		 p->ask.gateway[0] || !dev ? p->ask.gateway : dev->gateway);
	p->found.address = addr_is_set(&p->ask.address) || !dev ? p->ask.address : dev->address;
	p->registered = dev && addr_equal(&p->found.address, &dev->address) &&
			!strcmp(p->found.gateway, dev->gateway);
	if (!dev)
		return;
	memcpy(p->pin, dev->pin, sizeof(p->pin));
	memcpy(p->known, dev->services, dev->n_services * sizeof(dev->services[0]));
	p->n_known = dev->n_services;
}

static void on_device(const struct sapi_device *dev, int err, const char *why, void *arg)
{
	struct probe *p = arg;

	p->lookup = NULL;
	take_place(p, err ? NULL : dev);
	if (p->found.gateway[0] && addr_is_set(&p->found.address)) {
		if (choose(p, err ? NULL : dev))
			fail(p, 500, "out-of-memory", "out of memory");
		else
			tunnel_want(p);
	} else if (err == -ENOENT) {
		fail(p, 404, "unknown-device",
		     "the manager knows no device %s; one that is not registered needs its gateway and address",
		     p->found.device);
	} else {
		fail(p, 503, "no-manager", "%s", why);
	}
}

/* ---- beginning ---- */

static void on_timer(void *arg)
{
	struct probe *p = arg;

	if (p->over) {
		log_end(p);
		registry_forget(p->cloud->registry, p->found.device);
		answer(p);
		probe_free(p);
	} else if (p->asking) {
		give_up_asking(p);
	} else {
		fail(p, 503, "no-tunnel", "waited %u s in vain for %s", p->ask.timeout,
		     p->waits_for);
	}
}

static void on_request_closed(struct h2_req *req, int err, void *arg)
{
	struct probe *p = arg;

	(void)req;
	(void)err;
	if (!p)
		return; /* answered */
	p->req = NULL;
	fail(p, 500, "withdrawn", "who asked has gone");
}

static int probe_new(struct probes *ps, struct h2_req *req, const struct sapi_probe_ask *ask)
{
	struct probe *p = calloc(1, sizeof(*p));
	int ret;

	if (!p)
		return -ENOMEM;
	p->all = ps;
	p->cloud = ps->cloud;
	p->ask = *ask;
	p->waits_for = "the manager";
	snprintf(p->found.device, sizeof(p->found.device), "%s", h2_req_param(req, "code"));
	LIST_INSERT_HEAD(&ps->list, p, link);
	ps->count++;
	ret = loop_timer_new(p->cloud->loop, on_timer, p, &p->timer);
	if (!ret)
		ret = id_random(p->found.id);
	if (!ret)
		ret = registry_device(p->cloud->registry, p->found.device, on_device, p,
				      &p->lookup);
	if (ret) {
		probe_free(p);
		return ret;
	}
	loop_timer_set(p->timer, (uint64_t)ask->timeout * 1000);
	p->req = req;
	h2_req_on_close(req, on_request_closed, p);
	log_info("probe: %s: asked for by %s, as %s", p->found.device, h2_req_peer(req)->name,
		 p->found.id);
	return 0;
}

void probes_ask(struct probes *ps, struct h2_req *req)
{
	struct sapi_probe_ask ask;
	int ret;

	if (!name_ok(h2_req_param(req, "code"))) {
		h2_problem(req, 400, "bad-request", "code: 1 to 63 of A-Z a-z 0-9 . _ -");
		return;
	}
	if (body_decode(req, &sapi_probe_ask_schema, &ask))
		return;
	if (!ps->cloud->tunnels) {
		h2_problem(req, 501, "no-tunnels", "this cloud opens no tunnels");
	} else if (ps->stopped || ps->count >= PROBES_MAX) {
		h2_req_set_header(req, "retry-after", "5");
		h2_problem(req, 503, ps->stopped ? "stopping" : "busy",
			   ps->stopped ? "the cloud is stopping" :
					 "%d devices are being asked already",
			   PROBES_MAX);
	} else if ((ret = probe_new(ps, req, &ask))) {
		h2_problem(req, 500, "out-of-memory", "%s", shunt_strerror(ret));
	}
}

int probes_new(struct cloud *c, struct probes **out)
{
	struct probes *ps = calloc(1, sizeof(*ps));

	if (!ps)
		return -ENOMEM;
	ps->cloud = c;
	LIST_INIT(&ps->list);
	*out = ps;
	return 0;
}

void probes_stop(struct probes *ps)
{
	struct probe *p;

	ps->stopped = true;
	while ((p = LIST_FIRST(&ps->list))) {
		fail(p, 503, "stopping", "the cloud is stopping");
		answer(p);
		probe_free(p);
	}
}

void probes_free(struct probes *ps)
{
	if (!ps)
		return;
	probes_stop(ps);
	free(ps);
}
