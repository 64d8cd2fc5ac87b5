// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/delivery_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/attributes.h"
#include "cloud/cloud.h"
#include "cloud/direct.h"
#include "cloud/fetching.h"
#include "cloud/fileserver.h"
#include "cloud/gateways.h"
#include "cloud/jobs.h"
#include "cloud/move.h"
#include "cloud/notice.h"
#include "cloud/outward.h"
#include "cloud/path.h"
#include "cloud/printing.h"
#include "cloud/registry.h"
#include "cloud/share.h"
#include "cloud/token.h"
#include "cloud/transfer.h"
#include "cloud/tunnels.h"
#include "lib/digest.h"
#include "lib/err.h"
#include "lib/h2.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/peer.h"

static void try_start(struct delivery *d);

const struct sapi_service *delivery_service(const struct sapi_device *dev, enum job_kind kind)
{
	const struct sapi_service *service = sapi_device_service(dev, SERVICE_AGENT);

	if (!service && (kind == JOB_STORE || kind == JOB_FETCH))
		service = share_service(dev);
	if (!service && kind == JOB_PRINT)
		service = sapi_device_service(dev, SERVICE_IPP);
	return service;
}

const char *delivery_job_id(const struct delivery *d)
{
	return job_row(d->job)->id;
}

bool delivery_is_agent(const struct delivery *d)
{
	return d->service && d->service->kind == SERVICE_AGENT;
}

/* ---- records ---- */

void delivery_path_state(struct delivery *d, int idx, enum path_state state, const char *reason)
{
	struct sapi_job_path *p = job_path(d->job, idx);

	p->state = state;
	if (state == PATH_CLOSED)
		p->closed = clock_wall_ms();
	snprintf(p->reason, sizeof(p->reason), "%s", reason);
	job_path_save(d->job, idx);
}

void delivery_add_bytes(struct delivery *d, int idx, uint64_t bytes)
{
	struct sapi_job_path *p = job_path(d->job, idx);
	struct delivery_totals *t = &d->all->totals;

	if (bytes <= p->bytes)
		return;
	if (p->kind == PATH_DIRECT)
		t->direct_bytes += bytes - p->bytes;
	else
		t->tunnel_bytes += bytes - p->bytes;
	p->bytes = bytes;
}

void delivery_note_progress(struct delivery *d)
{
	uint64_t resent = d->resent + transfer_resent(d->transfer);

	d->all->totals.resent_bytes += resent - job_row(d->job)->resent;
	job_progress(d->job, transfer_held(d->transfer), resent);
	if (transfer_held(d->transfer) > d->held)
		d->tries = 0;
}

void delivery_mark_progress(struct delivery *d)
{
	uint64_t held = transfer_held(d->transfer);

	if (held > d->held)
		d->held = held;
}

/* ---- tunnel and agent ---- */

static void agent_end(struct delivery *d)
{
	peer_dial_cancel(d->dial);
	d->dial = NULL;
	if (!d->agent)
		return;
	h2_on_close(d->agent, NULL, NULL);
	h2_abort(d->agent, 0, "done");
	d->agent = NULL;
}

/* Everything inside the tunnel, then the tunnel; its end is recorded by on_tunnel_end(). */
void delivery_tunnel_shut(struct delivery *d, const char *reason)
{
	leg_drop(&d->via_tunnel);
	fileserver_end(d);
	printing_shut(d);
	agent_end(d);
	if (d->tunnel && !d->tunnel_reason[0]) {
		snprintf(d->tunnel_reason, sizeof(d->tunnel_reason), "%s", reason);
		ctun_close(d->tunnel, reason);
	}
}

/* ---- through the tunnel: the agent ---- */

static void tunnel_send(struct delivery *d)
{
	if (leg_open(&d->via_tunnel, d, d->agent, PATH_TUNNEL, d->tunnel_idx))
		delivery_try_failed(d, false, "no-answer", "the agent's session ended at once");
}

static void on_agent(struct h2 *h2, int err, const char *why, void *arg)
{
	struct delivery *d = arg;
	char text[SAPI_TEXT_LEN];
	const char *after;

	d->dial = NULL;
	if (err) {
		/* Without the address before it, which is the tunnel's and says nothing to people. */
		after = strstr(why, ": ");
		snprintf(text, sizeof(text), "the agent does not answer through the tunnel: %.400s",
			 after ? after + 2 : why);
		if (d->via_direct.path) {
			delivery_tunnel_shut(d, "agent-unreachable");
			return;
		}
		attributes_agent_failed(d, err);
		delivery_try_failed(d, false, "agent-unreachable", text);
		return;
	}
	d->agent = h2;
	d->absent = 0;
	d->step = STEP_SENDING;
	if (!place_reached(d->place))
		tunnel_send(d);
	/* After what this job has to say. */
	if (d->agent == h2)
		notices_deliver(d->cloud->notices, job_row(d->job)->device, h2);
}

static void on_agent_closed(struct h2 *h2, int err, const char *why, void *arg)
{
	struct delivery *d = arg;

	(void)err;
	if (d->agent != h2)
		return;
	d->agent = NULL;
	/* A path's requests have failed by now and tell what there is to tell. */
	if (d->via_tunnel.path)
		return;
	/* A tunnel without agent is no way back from a connection that may break, too. */
	if (d->via_direct.path)
		delivery_tunnel_shut(d, "no-answer");
	else
		delivery_try_failed(d, false, "no-answer", why);
}

static void on_agent_session(struct h2 *h2, int err, const char *why, void *arg)
{
	if (h2)
		h2_on_close(h2, on_agent_closed, arg);
	on_agent(h2, err, why, arg);
}

static void agent_dial(struct delivery *d)
{
	struct shunt_endpoint ep = { *ctun_near(d->tunnel), d->service->port };
	char address[ENDPOINT_STR_LEN], source[ADDR_STR_LEN];
	struct peer_dial_conf conf = {
		.address = endpoint_print(&ep, address),
		.source = addr_print(tunnels_far(d->cloud->tunnels), source),
		.tls = d->cloud->tls,
		.roles = ROLE_BIT(ROLE_DEVICE),
		.name = job_row(d->job)->device,
		.early = true,
		.fast_open = true,
	};

	d->step = STEP_AGENT;
	if (peer_dial(d->cloud->loop, &conf, on_agent_session, d, &d->dial))
		delivery_try_failed(d, false, "agent-unreachable",
				    "the agent could not be dialled");
}

/* ---- through the tunnel: a content that is sent as a whole ---- */

void delivery_put_wire(uint64_t from, uint64_t to, void *arg)
{
	struct delivery *d = arg;
	uint64_t again = from < d->put_high ? (to < d->put_high ? to : d->put_high) - from : 0;

	d->resent += again;
	if (to > d->put_high)
		d->put_high = to;
}

void delivery_put_progress(uint64_t bytes, void *arg)
{
	struct delivery *d = arg;

	delivery_add_bytes(d, d->tunnel_idx, bytes - d->put_base);
	d->all->totals.resent_bytes += d->resent - job_row(d->job)->resent;
	job_progress(d->job, bytes, d->resent);
	/*
	 * A PUT may begin at the start again; only one that gets further than those before is progress.
	 */
	if (bytes > d->put_best) {
		d->put_best = bytes;
		d->tries = 0;
	}
}

/* ---- tunnel ---- */

static void on_tunnel_slot(struct ctun *tun, void *arg)
{
	struct delivery *d = arg;

	delivery_park(d, false);
	deliveries_gateway_room(d->all, ctun_gateway(tun));
	job_path(d->job, d->tunnel_idx)->tunnel = ctun_id(tun);
	job_path_save(d->job, d->tunnel_idx);
}

static void on_tunnel_open(struct ctun *tun, void *arg)
{
	struct delivery *d = arg;
	char id[TUNNEL_ID_LEN];

	job_event(d->job, "tunnel-open", PATH_TUNNEL, "", "tunnel %s at gateway %s carries packets",
		  tunnel_id_print(ctun_id(tun), id), ctun_gateway(tun));
	if (delivery_is_agent(d))
		agent_dial(d);
	else if (printing_is(d))
		printing_start(d);
	else
		fileserver_start(d);
}

static void record_counters(struct sapi_job_path *p, const struct sapi_tunnel *last)
{
	p->rx_cpu_ns = last->rx.cpu_ns;
	p->tx_cpu_ns = last->tx.cpu_ns;
	p->packets = last->rx.packets + last->tx.packets;
}

static void release_if_closed(struct delivery *d);

static void on_tunnel_end(struct ctun *tun, const struct ctun_end *end, void *arg)
{
	struct delivery *d = arg;
	const char *reason = end->err || !d->tunnel_reason[0] ? end->reason : d->tunnel_reason;
	bool expected = d->tunnel_reason[0];

	(void)tun;
	d->tunnel = NULL;
	place_done(d->place);
	if (end->last)
		record_counters(job_path(d->job, d->tunnel_idx), end->last);
	delivery_tunnel_shut(d, "");
	delivery_path_state(d, d->tunnel_idx, PATH_CLOSED, reason);
	job_event(d->job, "path-closed", PATH_TUNNEL, reason, "%s",
		  end->text[0] ? end->text : "the tunnel is closed");
	if (d->step == STEP_CLOSING) {
		release_if_closed(d);
	} else if (d->ending && d->outward == OUTWARD_CHECKING) {
		/* The device has nothing more to say; the digest decides. */
	} else if (d->ending && !(leg_sends(&d->via_direct) && transfer_taken(d->transfer))) {
		/* No acknowledgement will come any more that could end the job. */
		delivery_finish_told(d);
	} else if (expected) {
		/* A try that waits for its pause goes on by itself. */
	} else if (!move_without_tunnel(d)) {
		delivery_try_failed(d, end->fatal, end->reason, end->text);
	}
}

/* Bytes that are still to cross; of a fetch job nobody knows before the device has told. */
static uint64_t remaining(const struct delivery *d)
{
	uint64_t size = job_row(d->job)->size;

	_Static_assert(CONTENT_SIZE_UNKNOWN == POLICY_REMAINING_UNKNOWN, "the gateway's policy");
	if (size == CONTENT_SIZE_UNKNOWN || (!delivery_is_agent(d) && !outward_is(d)))
		return size;
	return size - transfer_held(d->transfer);
}

/* How the gateway is to ask the device to connect, if it is. */
static int describe_connect(struct delivery *d, bool *connectable, struct sapi_tunnel_connect *out)
{
	const struct store_job *row = job_row(d->job);

	/* Where this cloud decides, the gateway is not to ask the device, and cannot. */
	*connectable = d->dev.connectable && delivery_is_agent(d) && !d->place;
	if (!*connectable)
		return 0;
	out->address = d->cloud->conf->public;
	out->agent_port = d->service->port;
	return tokens_issue(d->cloud->tokens, row->id, row->device, out->token);
}

/* What the gateway is told, apart from what tunnels.c fills in. */
static int describe(struct delivery *d, struct sapi_tunnel_open *open)
{
	const struct store_job *row = job_row(d->job);

	memset(open, 0, sizeof(*open));
	memcpy(open->job, row->id, ID_LEN);
	snprintf(open->device, sizeof(open->device), "%s", row->device);
	open->kind = row->kind;
	open->host = d->dev.address;
	open->scope[0].proto = PROTO_TCP;
	open->scope[0].port = d->service->port;
	open->n_scope = 1;
	open->priority = row->priority;
	open->remaining = remaining(d);
	return describe_connect(d, &open->connectable, &open->connect);
}

/* The same of a job whose gateway has restarted; the token that it had is void. */
static int on_tunnel_adopted(struct ctun *tun, struct sapi_tunnel_job *job, void *arg)
{
	struct delivery *d = arg;

	(void)tun;
	job->kind = job_row(d->job)->kind;
	job->remaining = remaining(d);
	return describe_connect(d, &job->connectable, &job->connect);
}

static void on_gateway(struct h2 *h2, int err, const char *why, void *arg)
{
	static const struct ctun_ops ops = {
		.on_slot = on_tunnel_slot,
		.on_open = on_tunnel_open,
		.on_adopted = on_tunnel_adopted,
		.on_end = on_tunnel_end,
	};
	struct delivery *d = arg;
	struct sapi_tunnel_open open;
	struct err e = { 0 };
	int ret;

	d->want = NULL;
	if (err) {
		delivery_try_failed(d, false, "gateway-unreachable", why);
		return;
	}
	d->tunnel_idx = job_path_open(d->job, PATH_TUNNEL, d->dev.gateway);
	if (d->tunnel_idx < 0) {
		delivery_try_failed(d, false, "out-of-memory", "out of memory");
		return;
	}
	job_event(d->job, "path-opening", PATH_TUNNEL, "", "asking gateway %s for a tunnel to %s",
		  d->dev.gateway, job_row(d->job)->device);
	d->tunnel_reason[0] = '\0';
	d->step = STEP_TUNNEL;
	ret = describe(d, &open);
	if (!ret)
		ret = ctun_open(d->cloud->tunnels, h2, &open, &ops, d, &d->tunnel, &e);
	secret_wipe(&open, sizeof(open));
	if (ret) {
		delivery_path_state(d, d->tunnel_idx, PATH_CLOSED, "not-opened");
		delivery_try_failed(d, false, "not-opened", err_text(&e));
	}
}

/* ---- leave to open the tunnel, where this cloud decides ---- */

static void gateway_want(void *arg)
{
	struct delivery *d = arg;

	delivery_park(d, false);
	if (gateways_want(d->cloud->gateways, d->dev.gateway, on_gateway, d, &d->want))
		delivery_try_failed(d, false, "out-of-memory", "out of memory");
}

static void on_look(struct place_view *out, void *arg)
{
	struct delivery *d = arg;

	out->remaining = remaining(d);
	if (d->tunnel) {
		out->tunnel = ctun_id(d->tunnel);
		out->log = *ctun_log(d->tunnel);
	}
	out->agent = d->agent;
	out->sending = leg_sends(&d->via_tunnel);
	out->direct = d->via_direct.path;
	out->closing = d->tunnel && (d->tunnel_reason[0] ||
				     job_path(d->job, d->tunnel_idx)->state == PATH_DRAINING);
}

static void on_decided(const struct sapi_gateway_event *ev, void *arg)
{
	delivery_event(arg, ev);
}

static void on_device_connected(void *arg)
{
	delivery_join(arg);
}

static void on_fallback(void *arg)
{
	struct delivery *d = arg;

	if (d->agent && d->step == STEP_SENDING && !d->via_tunnel.path)
		tunnel_send(d);
}

static int place_want(struct delivery *d)
{
	static const struct place_ops ops = {
		.look = on_look,
		.on_open = gateway_want,
		.on_event = on_decided,
		.on_connected = on_device_connected,
		.on_fallback = on_fallback,
	};
	struct place_conf conf = {
		.job = delivery_job_id(d),
		.device = job_row(d->job)->device,
		.gateway = d->dev.gateway,
		.priority = job_row(d->job)->priority,
		.connectable = d->dev.connectable && delivery_is_agent(d),
	};
	int ret = 0;

	if (!d->place)
		ret = place_new(d->cloud->decider, &ops, d, &d->place);
	return ret ? ret : place_ask(d->place, &conf);
}

static void tunnel_want(struct delivery *d)
{
	d->step = STEP_GATEWAY;
	if (!d->cloud->decider)
		gateway_want(d);
	else if (place_want(d))
		delivery_try_failed(d, false, "out-of-memory", "out of memory");
}

/* No tunnel is asked for any more. */
void delivery_stop_asking(struct delivery *d)
{
	registry_cancel(d->lookup);
	d->lookup = NULL;
	gateways_want_cancel(d->want);
	d->want = NULL;
	if (!d->tunnel)
		place_done(d->place);
}

/* ---- tries ---- */

static void on_device(const struct sapi_device *dev, int err, const char *why, void *arg)
{
	const struct sapi_service *service;
	struct delivery *d = arg;
	char text[SAPI_TEXT_LEN];
	const char *code;

	d->lookup = NULL;
	if (err) {
		delivery_try_failed(d, err == -ENOENT,
				    err == -ENOENT ? "unknown-device" : "no-manager", why);
		return;
	}
	d->service = NULL;
	service = attributes_service(d, dev, &code, text);
	if (!service) {
		delivery_try_failed(d, true, code, text);
		return;
	}
	memcpy(d->dev.gateway, dev->gateway, sizeof(d->dev.gateway));
	d->dev.address = dev->address;
	d->dev.connectable = dev->connectable;
	memcpy(d->dev.recipient, dev->recipient, sizeof(d->dev.recipient));
	memcpy(d->dev.pin, dev->pin, sizeof(d->dev.pin));
	d->dev.service = *service;
	d->service = &d->dev.service;
	if (!delivery_is_agent(d))
		fileserver_recall(d);
	if (direct_start(d)) {
		d->step = STEP_SENDING;
	} else if (!d->cloud->tunnels) {
		delivery_try_failed(d, false, "no-tunnels",
				    "the device is not connected and this cloud opens no tunnels");
	} else {
		tunnel_want(d);
	}
}

static void try_start(struct delivery *d)
{
	delivery_park(d, false);
	d->busy = false;
	d->step = STEP_LOOKUP;
	delivery_mark_progress(d);
	if (registry_device(d->cloud->registry, job_row(d->job)->device, on_device, d, &d->lookup))
		delivery_try_failed(d, false, "out-of-memory", "out of memory");
}

static uint64_t pause_ms(unsigned int tries)
{
	uint64_t ms = DELIVERY_PAUSE_MIN_MS;

	while (--tries && ms < DELIVERY_PAUSE_MAX_MS)
		ms *= 2;
	if (ms > DELIVERY_PAUSE_MAX_MS)
		ms = DELIVERY_PAUSE_MAX_MS;
	/* A quarter of jitter, so that many jobs of one lost gateway do not come back as one. */
	return ms - ms / 8 + arc4random_uniform((uint32_t)(ms / 4));
}

/* Stop whatever is under way; a tunnel's end arrives later. */
static void stop_all(struct delivery *d, const char *reason, const char *text)
{
	delivery_stop_asking(d);
	direct_close(d, reason, text);
	delivery_tunnel_shut(d, reason);
	tokens_revoke(d->cloud->tokens, delivery_job_id(d));
	move_forget(d);
	loop_timer_stop(d->timer);
}

/* The gateway's words for having no room at the moment (Documentation/api/gateway.yaml). */
static bool is_busy(const char *code)
{
	return !strcmp(code, "no-slot") || !strcmp(code, "queue-full") || !strcmp(code, "stopping");
}

void delivery_try_failed(struct delivery *d, bool fatal, const char *code, const char *why)
{
	char text[SAPI_TEXT_LEN], end[SAPI_TEXT_LEN];
	uint64_t ms;

	if (d->step == STEP_CLOSING || d->step == STEP_PAUSE)
		return;
	/* A copy: it may live in what stop_all() frees. */
	attributes_explain(d, code, why, text);
	d->step = STEP_PAUSE;
	delivery_park(d, true);
	stop_all(d, code, text);
	/* A path that worked for a while is not one of many vain tries. */
	if (d->active_at && loop_now(d->cloud->loop) - d->active_at >= DELIVERY_STEADY_MS)
		d->tries = 0;
	d->active_at = 0;
	/* Nor is waiting one: whoever was only too busy will have room some day. */
	d->busy = is_busy(code);
	if (!d->busy)
		d->tries++;
	if ((fatal || d->tries >= d->cloud->conf->attempts) && outward_is_here(d)) {
		job_event(d->job, "device-not-told", PATH_NONE, code,
			  "the device may keep its copy: %.400s", text);
		deliveries_note_end(d->cloud, d->job, true);
		outward_done(d);
		return;
	}
	if ((fatal || d->tries >= d->cloud->conf->attempts) && d->outward == OUTWARD_CHECKING) {
		d->ending = JOB_COMPLETED; /* if the digest is right, which on_checked() tells */
		return;
	}
	if (fatal || d->tries >= d->cloud->conf->attempts) {
		snprintf(end, sizeof(end), "gave up after %u tries: %.470s", d->tries, text);
		delivery_finish(d, JOB_FAILED, code, fatal ? text : end);
		return;
	}
	ms = pause_ms(d->tries ? d->tries : 1);
	d->all->totals.retries++;
	job_event(d->job, "retry", PATH_NONE, code, "%.470s; next try in %llu ms", text,
		  (unsigned long long)ms);
	job_set_state(d->job, JOB_QUEUED, PATH_NONE, code, "%s", text);
	loop_timer_set(d->timer, ms);
}

void delivery_rest(struct delivery *d, uint64_t ms, const char *code, const char *text)
{
	char why[SAPI_TEXT_LEN];

	snprintf(why, sizeof(why), "%s", text);
	d->step = STEP_PAUSE;
	delivery_park(d, true);
	d->busy = false;
	stop_all(d, code, why);
	loop_timer_set(d->timer, ms);
}

static void on_timer(void *arg)
{
	struct delivery *d = arg;

	if (d->step == STEP_CLOSING) {
		stop_all(d, "canceled", ""); /* the device did not answer the cancellation */
		if (!printing_unheard(d))
			release_if_closed(d);
	} else if (d->step != STEP_PAUSE) {
		move_timeout(d);
	} else if (d->tunnel) {
		loop_timer_set(d->timer, DELIVERY_PAUSE_MIN_MS); /* the old one is still closing */
	} else {
		try_start(d);
	}
}

/* ---- beginning and end ---- */

void delivery_free(struct delivery *d)
{
	outward_end(d);
	job_set_delivery(d->job, NULL);
	registry_cancel(d->lookup);
	gateways_want_cancel(d->want);
	place_free(d->place);
	path_free(d->via_direct.path);
	path_free(d->via_tunnel.path);
	fileserver_end(d);
	fetching_free(d);
	printing_shut(d);
	agent_end(d);
	transfer_free(d->transfer);
	loop_timer_free(d->timer);
	LIST_REMOVE(d, link);
	d->all->count--;
	d->all->parked -= d->parked;
	d->all->returning -= d->returning;
	free(d);
}

static void release_if_closed(struct delivery *d)
{
	struct deliveries *ds = d->all;
	struct job *job = d->job;

	bool returning = d->returning;

	if (d->tunnel || d->share || d->printer || loop_timer_armed(d->timer))
		return;
	printing_over(d);
	delivery_free(d);
	ds->vacant += returning;
	if (!returning)
		job_release(job);
	loop_defer_call(ds->kick);
}

bool delivery_only_waits(const struct delivery *d)
{
	if (d->tries || d->withdraw || d->move.way != WAY_NONE || d->via_direct.path ||
	    d->outward != OUTWARD_COMING)
		return false;
	switch (d->step) {
	case STEP_LOOKUP:
		return true;
	case STEP_GATEWAY:
		return !d->place || !d->want; /* else the decider has given it leave */
	case STEP_TUNNEL:
		return !d->place && d->tunnel && !ctun_id(d->tunnel);
	case STEP_PAUSE:
		return d->busy && !d->tunnel;
	default:
		return false;
	}
}

void delivery_put_back(struct delivery *d, uint8_t priority)
{
	d->step = STEP_CLOSING;
	d->returning = true;
	d->all->returning++;
	stop_all(d, "displaced", "");
	job_set_state(d->job, JOB_QUEUED, PATH_NONE, "displaced", "a job of priority %u goes first",
		      priority);
	loop_timer_set(d->timer, 0);
}

void delivery_finish(struct delivery *d, enum job_state state, const char *reason, const char *why)
{
	char text[SAPI_TEXT_LEN];

	snprintf(text, sizeof(text), "%s", why);
	d->step = STEP_CLOSING;
	delivery_park(d, false);
	if (state == JOB_COMPLETED)
		job_progress(d->job, job_row(d->job)->size, job_row(d->job)->resent);
	job_set_state(d->job, state, PATH_NONE, reason, "%s", text);
	stop_all(d, "done", "no job needs it any more");
	if (state == JOB_FAILED && !d->ending)
		deliveries_note_end(d->cloud, d->job, true);
	/* Not from here: the caller may be one of the paths that were just freed. */
	loop_timer_set(d->timer, 0);
}

void delivery_finish_told(struct delivery *d)
{
	char text[SAPI_TEXT_LEN];

	if (d->ending != JOB_COMPLETED || outward_is(d) || transfer_all_wired(d->transfer)) {
		delivery_finish(d, d->ending, d->ending == JOB_COMPLETED ? "" : "device",
				d->ending_text);
		return;
	}
	snprintf(
		text, sizeof(text),
		"the device reports completion, but was not sent all of the content; it holds %llu of %llu bytes",
		(unsigned long long)transfer_held(d->transfer),
		(unsigned long long)transfer_size(d->transfer));
	delivery_finish(d, JOB_FAILED, "device", text);
}

static int prepare(struct delivery *d)
{
	const struct store_job *row = job_row(d->job);
	struct sapi_device_job *dj = &d->device_job;
	int ret;

	dj->kind = row->kind;
	snprintf(dj->name, sizeof(dj->name), "%.255s", row->path[0] ? row->path : row->name);
	snprintf(dj->media_type, sizeof(dj->media_type), "%s", row->media_type);
	dj->size = row->size;
	memcpy(dj->sha256, row->sha256, sizeof(dj->sha256));
	dj->print = row->print;
	dj->no_clobber = row->no_clobber;
	dj->pull = d->cloud->conf->policy.delivery == DELIVERY_PULL;
	d->resent = row->resent;
	if (row->kind == JOB_FETCH) {
		snprintf(dj->name, sizeof(dj->name), "%s", row->name);
		snprintf(dj->path, sizeof(dj->path), "%s", row->path);
		dj->pull = false; /* it is the cloud that asks */
	}
	ret = transfer_new(&d->transfer, row->size == CONTENT_SIZE_UNKNOWN ? 0 : row->size,
			   (uint32_t)d->cloud->conf->segment);
	return ret ? ret : outward_begin(d);
}

int delivery_new(struct deliveries *ds, struct job *job)
{
	struct delivery *d = calloc(1, sizeof(*d));
	int ret;

	if (!d)
		return -ENOMEM;
	d->all = ds;
	d->cloud = ds->cloud;
	d->job = job;
	d->via_tunnel.delivery = d;
	d->via_direct.delivery = d;
	LIST_INSERT_HEAD(&ds->list, d, link);
	ds->count++;
	ret = loop_timer_new(d->cloud->loop, on_timer, d, &d->timer);
	if (!ret)
		ret = prepare(d);
	if (ret) {
		delivery_free(d);
		return ret;
	}
	job_set_delivery(job, d);
	try_start(d);
	return 0;
}

static void on_cancelled(int err, void *arg)
{
	struct delivery *d = arg;

	if (err)
		log_notice("delivery: %s: the device did not confirm the cancellation",
			   delivery_job_id(d));
	else
		notices_drop(d->cloud->notices, job_row(d->job)->device, delivery_job_id(d));
	loop_timer_set(d->timer, 0);
}

void delivery_cancel(struct delivery *d)
{
	struct leg *leg = &d->via_tunnel;

	d->all->returning -= d->returning;
	d->returning = false;
	/* One that is opening will do: its first request may have reached the agent. */
	if (leg_sends(&d->via_direct) || !leg->path)
		leg = &d->via_direct;
	d->step = STEP_CLOSING;
	delivery_park(d, false);
	place_cancel(d->place);
	delivery_stop_asking(d);
	loop_timer_set(d->timer, DELIVERY_CANCEL_MS);
	if (leg == &d->via_direct && leg->path)
		delivery_tunnel_shut(d, "canceled");
	/* Also where it is told at once: until it has confirmed. */
	deliveries_note_end(d->cloud, d->job, !leg->path);
	if (leg->path) {
		path_cancel_job(leg->path, on_cancelled, d);
	} else if (d->share) {
		share_abort(d->share);
	} else if (!printing_cancel(d)) {
		/* At once: a tunnel or an agent that answers now would bring the job back. */
		stop_all(d, "canceled", "");
		loop_timer_set(d->timer, 0);
	}
}

void delivery_hurry(struct delivery *d)
{
	if (d->step == STEP_PAUSE)
		loop_timer_set(d->timer, 0);
	else if (d->move.way != WAY_NONE || delivery_only_waits(d))
		delivery_join(d);
}
