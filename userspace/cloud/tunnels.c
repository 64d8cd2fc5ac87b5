// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/tunnels.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "cloud/gateways.h"
#include "cloud/problem.h"
#include "lib/digest.h"
#include "lib/err.h"
#include "lib/h2.h"
#include "lib/keys.h"
#include "lib/link.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/tunnel.h"

enum ctun_state {
	CTUN_ASKING, /* the gateway has the request */
	CTUN_LEARNING, /* kernel object is there, no packet yet */
	CTUN_OPEN,
	CTUN_CLOSING, /* DELETE is under way */
	CTUN_ENDED, /* on_end is due */
};

struct ctun {
	struct tunnels *tunnels;
	enum ctun_state state;
	struct ctun_ops ops;
	void *arg;
	char gateway[NAME_LEN];
	char job[ID_LEN];
	char nonce[ID_LEN];
	struct shunt_addr near;
	uint32_t spi; /* ours, inbound */
	uint32_t id; /* the gateway's inbound one, 0: not known yet */
	bool kernel; /* the object exists */
	bool final; /* last holds the gateway's counters */
	struct sapi_tunnel last;
	struct ctun_end end;
	struct h2_call *call;
	struct gateways_want *want;
	struct loop_timer *timer; /* deadlines, and on_end outside the caller's stack */
	LIST_ENTRY(ctun) link;
};

struct tunnels {
	struct tunnels_conf conf;
	struct tunnel_ctx *ctx;
	struct tunnel_events *events;
	struct loop_io *io;
	struct addr_pool *pool;
	struct shunt_addr far;
	uint32_t ifindex;
	size_t count;
	LIST_HEAD(, ctun) all;
};

const struct shunt_addr *tunnels_far(const struct tunnels *t)
{
	return &t->far;
}

size_t tunnels_count(const struct tunnels *t)
{
	return t->count;
}

uint32_t ctun_id(const struct ctun *tun)
{
	return tun->id;
}

const char *ctun_gateway(const struct ctun *tun)
{
	return tun->gateway;
}

const struct shunt_endpoint *ctun_log(const struct ctun *tun)
{
	return &tun->last.log;
}

const struct shunt_addr *ctun_near(const struct ctun *tun)
{
	return &tun->near;
}

bool tunnels_knows(const struct tunnels *t, const char *gateway, const struct sapi_tunnel *tunnel)
{
	const struct ctun *tun;

	LIST_FOREACH(tun, &t->all, link) {
		if (strcmp(tun->gateway, gateway) || tun->state == CTUN_ENDED)
			continue;
		/*
		 * While our request is being answered its tunnel exists there before we hear its
		 * id.
		 */
		if (tun->id ? tun->id == tunnel->id : !strcmp(tun->job, tunnel->job))
			return true;
	}
	return false;
}

/* ---- ending ---- */

static void kernel_del(struct ctun *tun)
{
	struct err e = { 0 };
	int ret;

	if (!tun->kernel)
		return;
	tun->kernel = false;
	ret = tunnel_del(tun->tunnels->ctx, tun->tunnels->ifindex, tun->spi, NULL, &e);
	if (ret && ret != -ENOENT)
		log_err("tunnel: %s: job %s: not deleted: %s", tun->gateway, tun->job,
			err_text(&e));
}

static void ctun_free(struct ctun *tun)
{
	struct tunnels *t = tun->tunnels;

	if (tun->call)
		h2_call_cancel(tun->call);
	gateways_want_cancel(tun->want);
	kernel_del(tun);
	addr_pool_put(t->pool, &tun->near);
	LIST_REMOVE(tun, link);
	t->count--;
	loop_timer_free(tun->timer);
	free(tun);
}

static void say_end(struct ctun *tun, int err, bool fatal, const char *reason, const char *text)
{
	if (tun->end.reason[0])
		return; /* what ended it first is the reason */
	tun->end.err = err;
	tun->end.fatal = fatal;
	snprintf(tun->end.reason, sizeof(tun->end.reason), "%s", reason);
	snprintf(tun->end.text, sizeof(tun->end.text), "%s", text);
}

/* Nothing is left to do at the gateway. on_end comes from the loop. */
static void finish(struct ctun *tun)
{
	kernel_del(tun);
	tun->state = CTUN_ENDED;
	loop_timer_set(tun->timer, 0);
}

static void on_deleted(const struct h2_reply *reply, void *arg)
{
	struct ctun *tun = arg;
	struct problem p;
	struct err e = { 0 };

	tun->call = NULL;
	if (problem_of_reply(reply, tun->gateway, &p)) {
		if (p.status != 404)
			log_warn("tunnel: %s: job %s: final counters unknown: %s", tun->gateway,
				 tun->job, p.text);
	} else if (sapi_tunnel_decode(reply->body, reply->len, &tun->last, &e)) {
		log_warn("tunnel: %s: job %s: final counters not understood: %s", tun->gateway,
			 tun->job, err_text(&e));
	} else {
		tun->final = true;
	}
	finish(tun);
}

static void delete_at(struct ctun *tun, struct h2 *h2)
{
	struct h2_request req = { .method = "DELETE", .timeout_ms = TUNNEL_DELETE_MS };
	char path[48], id[TUNNEL_ID_LEN];

	snprintf(path, sizeof(path), "/v1/tunnels/%s", tunnel_id_print(tun->id, id));
	req.path = path;
	if (h2_fetch(h2, &req, on_deleted, tun, &tun->call)) {
		tun->call = NULL;
		finish(tun);
	}
}

static void on_delete_session(struct h2 *h2, int err, const char *why, void *arg)
{
	struct ctun *tun = arg;

	(void)err;
	tun->want = NULL;
	if (h2) {
		delete_at(tun, h2);
		return;
	}
	/* The gateway removes it when it is back: it is told which tunnels the cloud knows. */
	log_warn("tunnel: %s: job %s: left at the gateway for now: %s", tun->gateway, tun->job,
		 why);
	finish(tun);
}

void ctun_close(struct ctun *tun, const char *reason)
{
	bool withdrawn = tun->call;
	struct h2 *h2;

	if (tun->state >= CTUN_CLOSING)
		return;
	say_end(tun, 0, false, reason, "");
	loop_timer_stop(tun->timer);
	if (withdrawn) {
		/* The request still waits for its slot: resetting the stream withdraws it. */
		h2_call_cancel(tun->call);
		tun->call = NULL;
	}
	tun->state = CTUN_CLOSING;
	if (!tun->id) {
		finish(tun);
		if (withdrawn)
			gateways_sweep(tun->tunnels->conf.gateways, tun->gateway);
		return;
	}
	h2 = gateways_session(tun->tunnels->conf.gateways, tun->gateway);
	if (h2)
		delete_at(tun, h2);
	else if (gateways_want(tun->tunnels->conf.gateways, tun->gateway, on_delete_session, tun,
			       &tun->want))
		finish(tun);
}

static void fail(struct ctun *tun, int err, bool fatal, const char *reason, const char *text)
{
	say_end(tun, err, fatal, reason, text);
	ctun_close(tun, reason);
}

static struct ctun *find_id(struct tunnels *t, const char *gateway, uint32_t id)
{
	struct ctun *tun;

	LIST_FOREACH(tun, &t->all, link)
		if (id && tun->id == id && !strcmp(tun->gateway, gateway))
			return tun;
	return NULL;
}

void tunnels_gone(struct tunnels *t, const char *gateway, uint32_t id, const char *reason)
{
	struct ctun *tun = find_id(t, gateway, id);
	char text[SAPI_TEXT_LEN];

	if (!tun || tun->state >= CTUN_CLOSING)
		return;
	snprintf(text, sizeof(text), "the gateway closed the tunnel: %s", reason);
	say_end(tun, -SHUNT_ECLOSED, false, reason[0] ? reason : "closed-by-gateway", text);
	loop_timer_stop(tun->timer);
	finish(tun);
}

/* ---- a gateway that restarted ---- */

/* Nothing depends on it but a move; the next connection of the gateway is another chance. */
static void on_told(const struct h2_reply *reply, void *arg)
{
	struct problem p;

	(void)arg;
	if (problem_of_reply(reply, "gateway", &p))
		log_warn("tunnel: -: an adopted tunnel's job cannot be moved: %s", p.text);
}

static void tell_job(const struct ctun *tun, struct h2 *h2, const struct sapi_tunnel_job *job)
{
	struct h2_request req = {
		.method = "PUT",
		.type = "application/json",
		.timeout_ms = TUNNEL_DELETE_MS,
	};
	char path[48], id[TUNNEL_ID_LEN];
	struct buf json;

	buf_init_secret(&json, SAPI_MAX);
	snprintf(path, sizeof(path), "/v1/tunnels/%s/job", tunnel_id_print(tun->id, id));
	req.path = path;
	if (sapi_tunnel_job_encode(job, &json) == 0) {
		req.body = json.data;
		req.body_len = json.len;
		h2_fetch(h2, &req, on_told, NULL, NULL);
	}
	buf_fini(&json);
}

void tunnels_adopted(struct tunnels *t, struct h2 *gateway, const struct sapi_tunnel *tunnel)
{
	struct ctun *tun = find_id(t, h2_peer(gateway)->name, tunnel->id);
	struct sapi_tunnel_job job = { 0 };

	if (!tun || tun->state >= CTUN_CLOSING)
		return;
	if (tun->ops.on_adopted(tun, &job, tun->arg) == 0)
		tell_job(tun, gateway, &job);
	secret_wipe(&job, sizeof(job));
}

static void on_timer(void *arg)
{
	struct ctun *tun = arg;
	struct ctun_end end;

	if (tun->state != CTUN_ENDED) {
		fail(tun, -ETIMEDOUT, false, "no-packets",
		     "no packet of the gateway arrived; is the cloud's UDP port reachable?");
		return;
	}
	end = tun->end;
	end.last = tun->final ? &tun->last : NULL;
	tun->ops.on_end(tun, &end, tun->arg);
	ctun_free(tun);
}

/* ---- opening ---- */

static int kernel_new(struct ctun *tun, struct h2 *h2, struct err *e)
{
	struct tunnels *t = tun->tunnels;
	struct tunnel_keys_id id = {
		.nonce = tun->nonce,
		.cloud_spi = tun->spi,
		.gateway_spi = tun->id,
		.cipher = t->conf.cipher,
	};
	struct tunnel_spec spec = {
		.ifindex = t->ifindex,
		.spi_in = tun->spi,
		.spi_out = tun->id,
		.side = TUNNEL_FAR,
		.cipher = t->conf.cipher,
		.near = tun->near,
		.far = t->far,
	};
	struct tunnel_keys keys;
	int ret;

	snprintf(spec.cookie, sizeof(spec.cookie), "%s", tun->job);
	ret = tunnel_keys_derive(h2, &id, &keys);
	if (ret)
		return err_sys(e, ret, "deriving the tunnel's keys");
	ret = tunnel_new(t->ctx, &spec, keys.to_cloud, keys.to_gateway, e);
	tunnel_keys_wipe(&keys);
	tun->kernel = !ret;
	return ret;
}

/* A refusal that another try cannot mend; the others pass with time. */
static bool is_fatal(int status)
{
	return status == 400 || status == 403 || status == 422;
}

static void on_answer(const struct h2_reply *reply, void *arg)
{
	struct ctun *tun = arg;
	struct problem p;
	struct err e = { 0 };
	int ret;

	tun->call = NULL;
	ret = problem_of_reply(reply, tun->gateway, &p);
	if (ret) {
		fail(tun, ret, is_fatal(p.status), p.code, p.text);
		/* the job has a tunnel: granted to a request that was withdrawn meanwhile */
		if (p.status == 409)
			gateways_sweep(tun->tunnels->conf.gateways, tun->gateway);
		return;
	}
	ret = sapi_tunnel_decode(reply->body, reply->len, &tun->last, &e);
	if (ret || !tun->last.id) {
		fail(tun, ret, false, "bad-answer", err_text(&e));
		return;
	}
	tun->id = tun->last.id;
	ret = kernel_new(tun, h2_call_session(reply->call), &e);
	if (ret) {
		fail(tun, ret, false, "kernel-refused", err_text(&e));
		return;
	}
	tun->state = CTUN_LEARNING;
	loop_timer_set(tun->timer, TUNNEL_FIRST_PACKET_MS);
	tun->ops.on_slot(tun, tun->arg);
}

static bool spi_used(const struct tunnels *t, uint32_t spi)
{
	const struct ctun *tun;

	LIST_FOREACH(tun, &t->all, link)
		if (tun->spi == spi)
			return true;
	return false;
}

/* Random, so that an SPI of an earlier run, whose late packets may still come, is not met again. */
static int pick_spi(const struct tunnels *t, uint32_t *spi)
{
	char hex[ID_LEN];
	uint32_t n;
	int ret;

	do {
		ret = id_random(hex);
		if (ret)
			return ret;
		hex[8] = '\0';
		n = (uint32_t)strtoul(hex, NULL, 16);
	} while (n < TUNNEL_SPI_MIN || spi_used(t, n));
	*spi = n;
	return 0;
}

static int post(struct ctun *tun, struct h2 *gateway, const struct sapi_tunnel_open *open)
{
	struct tunnels *t = tun->tunnels;
	struct sapi_tunnel_open body = *open;
	struct h2_request req = {
		.method = "POST",
		.path = "/v1/tunnels",
		.type = "application/json",
	};
	struct buf json;
	int ret;

	buf_init_secret(&json, SAPI_MAX);
	body.cipher = t->conf.cipher;
	body.spi = tun->spi;
	memcpy(body.nonce, tun->nonce, ID_LEN);
	body.near = tun->near;
	body.far = t->far;
	body.endpoint = t->conf.outer;
	ret = sapi_tunnel_open_encode(&body, &json);
	secret_wipe(&body, sizeof(body));
	req.body = json.data;
	req.body_len = json.len;
	/* No time limit: a request may wait for its slot as long as the job may. */
	if (!ret)
		ret = h2_fetch(gateway, &req, on_answer, tun, &tun->call);
	buf_fini(&json);
	return ret;
}

int ctun_open(struct tunnels *t, struct h2 *gateway, const struct sapi_tunnel_open *open,
	      const struct ctun_ops *ops, void *arg, struct ctun **out, struct err *e)
{
	struct ctun *tun = calloc(1, sizeof(*tun));
	int ret;

	if (!tun)
		return err_sys(e, -ENOMEM, "tunnel");
	tun->tunnels = t;
	tun->ops = *ops;
	tun->arg = arg;
	snprintf(tun->gateway, sizeof(tun->gateway), "%s", h2_peer(gateway)->name);
	memcpy(tun->job, open->job, ID_LEN);
	ret = addr_pool_get(t->pool, &tun->near);
	if (ret) {
		free(tun);
		return err_sys(e, ret, "near address");
	}
	LIST_INSERT_HEAD(&t->all, tun, link);
	t->count++;
	ret = loop_timer_new(t->conf.loop, on_timer, tun, &tun->timer);
	if (!ret)
		ret = pick_spi(t, &tun->spi);
	if (!ret)
		ret = id_random(tun->nonce);
	if (!ret)
		ret = post(tun, gateway, open);
	if (ret) {
		ctun_free(tun);
		return err_sys(e, ret, "asking for a tunnel");
	}
	*out = tun;
	return 0;
}

/* ---- kernel events ---- */

static struct ctun *find_spi(struct tunnels *t, uint32_t spi)
{
	struct ctun *tun;

	LIST_FOREACH(tun, &t->all, link)
		if (tun->kernel && tun->spi == spi)
			return tun;
	return NULL;
}

static void opened(struct ctun *tun)
{
	if (tun->state != CTUN_LEARNING)
		return; /* the endpoint moved: NAT rebinding, the kernel has dealt with it */
	tun->state = CTUN_OPEN;
	loop_timer_stop(tun->timer);
	tun->ops.on_open(tun, tun->arg);
}

static int on_event(void *arg, const struct tunnel_event *ev)
{
	struct tunnels *t = arg;
	struct ctun *tun;

	if (ev->type == TUNNEL_EVENT_LOAD || ev->tunnel.spec.ifindex != t->ifindex)
		return 0;
	tun = find_spi(t, ev->tunnel.spec.spi_in);
	if (!tun)
		return 0;
	if (ev->type == TUNNEL_EVENT_ENDPOINT) {
		opened(tun);
	} else if (ev->type == TUNNEL_EVENT_DEL) {
		tun->kernel = false;
		fail(tun, -SHUNT_ECLOSED, false, enum_str(tunnel_end_names, ev->tunnel.end),
		     "the cloud's kernel ended the tunnel");
	}
	return 0;
}

static int on_present(void *arg, const struct tunnel_info *info)
{
	struct ctun *tun = find_spi(arg, info->spec.spi_in);

	if (tun && addr_is_set(&info->spec.endpoint.addr))
		opened(tun);
	return 0;
}

static void on_io(unsigned int events, void *arg)
{
	struct tunnels *t = arg;
	struct err e = { 0 };
	int ret;

	(void)events;
	ret = tunnel_events_read(t->events, on_event, t, &e);
	if (ret == -ENOBUFS)
		ret = tunnel_dump(t->ctx, t->ifindex, on_present, t, &e);
	if (ret && ret != -EINTR)
		log_limited("tunnel-events", LOG_LVL_WARNING, "tunnel: -: kernel events: %s",
			    err_text(&e));
}

/* ---- set-up ---- */

static int device_ready(struct link_ctx *link, const struct tunnels_conf *conf, uint32_t *ifindex,
			struct err *e)
{
	struct link_conf want = { .name = conf->device, .port = conf->port };
	struct link_info info;
	int ret;

	ret = link_add(link, &want, e);
	if (ret && ret != -EEXIST)
		return ret;
	err_clear(e);
	ret = link_get(link, conf->device, &info, e);
	if (!ret && strcmp(info.kind, "shunt"))
		ret = err_set(e, -EEXIST, "%s exists and is no shunt device", conf->device);
	if (ret)
		return ret;
	*ifindex = info.ifindex;
	return link_set_up(link, conf->device, true, e);
}

static int addresses_ready(struct link_ctx *link, struct tunnels *t, struct err *e)
{
	uint8_t len = t->far.family == AF_INET ? 32 : 128;
	int ret;

	ret = link_addr_add(link, t->conf.device, &t->far, len, true, e);
	return ret ? ret : link_route_add(link, t->conf.device, &t->conf.pool, true, e);
}

struct old_tunnels {
	uint32_t *spi;
	size_t n;
};

static int collect_old(void *arg, const struct tunnel_info *info)
{
	struct old_tunnels *old = arg;
	uint32_t *v = realloc(old->spi, (old->n + 1) * sizeof(*v));

	if (!v)
		return -ENOMEM;
	old->spi = v;
	v[old->n++] = info->spec.spi_in;
	return 0;
}

/*
 * Their keys came from connections that ended with the earlier run, and so did their jobs'
 * sessions.
 */
static int remove_old(struct tunnels *t, struct err *e)
{
	struct old_tunnels old = { 0 };
	size_t i;
	int ret;

	ret = tunnel_dump(t->ctx, t->ifindex, collect_old, &old, e);
	for (i = 0; !ret && i < old.n; i++) {
		ret = tunnel_del(t->ctx, t->ifindex, old.spi[i], NULL, e);
		if (ret == -ENOENT)
			ret = 0;
	}
	if (!ret && old.n)
		log_notice("tunnel: -: removed %zu tunnels: left from an earlier run", old.n);
	free(old.spi);
	return ret;
}

static int start(struct tunnels *t, struct err *e)
{
	struct link_ctx *link;
	int ret;

	ret = link_open(&link, e);
	if (ret)
		return ret;
	ret = device_ready(link, &t->conf, &t->ifindex, e);
	if (!ret)
		ret = addresses_ready(link, t, e);
	link_close(link);
	if (!ret)
		ret = tunnel_open(&t->ctx, e);
	if (!ret)
		ret = tunnel_events_open(TUNNEL_WATCH_TUNNELS, &t->events, e);
	if (!ret)
		ret = remove_old(t, e);
	if (!ret)
		ret = loop_io_new(t->conf.loop, tunnel_events_fd(t->events), on_io, t, &t->io);
	if (!ret)
		ret = loop_io_set(t->io, LOOP_READ);
	return ret;
}

int tunnels_new(const struct tunnels_conf *conf, struct tunnels **out, struct err *e)
{
	struct tunnels *t = calloc(1, sizeof(*t));
	int ret;

	if (!t)
		return err_sys(e, -ENOMEM, "tunnels");
	t->conf = *conf;
	LIST_INIT(&t->all);
	ret = prefix_host(&conf->pool, 0, &t->far);
	if (!ret) {
		t->pool = addr_pool_new(&conf->pool, 1);
		ret = t->pool ? 0 : -errno;
	}
	if (ret)
		err_sys(e, ret, "pool: too small for a far and a near address");
	else
		ret = start(t, e);
	if (ret) {
		err_prefix(e, "tunnels");
		tunnels_free(t);
		return ret;
	}
	*out = t;
	return 0;
}

static void on_goodbye(const struct h2_reply *reply, void *arg)
{
	(void)reply;
	(void)arg;
}

/* A gateway that does not hear it removes the tunnel when it is told of the next run's. */
static void say_goodbye(const struct ctun *tun)
{
	struct h2 *h2 = gateways_session(tun->tunnels->conf.gateways, tun->gateway);
	struct h2_request req = { .method = "DELETE", .timeout_ms = TUNNEL_DELETE_MS };
	char path[48], id[TUNNEL_ID_LEN];

	if (!h2 || !tun->id || tun->state >= CTUN_CLOSING)
		return;
	snprintf(path, sizeof(path), "/v1/tunnels/%s", tunnel_id_print(tun->id, id));
	req.path = path;
	h2_fetch(h2, &req, on_goodbye, NULL, NULL);
}

void tunnels_free(struct tunnels *t)
{
	struct ctun *tun;

	if (!t)
		return;
	while ((tun = LIST_FIRST(&t->all))) {
		say_goodbye(tun);
		ctun_free(tun);
	}
	loop_io_free(t->io);
	tunnel_events_close(t->events);
	tunnel_close(t->ctx);
	addr_pool_free(t->pool);
	free(t);
}
