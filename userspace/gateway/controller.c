// SPDX-License-Identifier: GPL-2.0-or-later

#include "gateway/controller.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/agent.h"
#include "gateway/cpu.h"
#include "gateway/datapath.h"
#include "gateway/events.h"
#include "gateway/record.h"
#include "gateway/tunnels.h"
#include "lib/digest.h"
#include "lib/log.h"
#include "lib/loop.h"

#define TICK_MS 1000 /* CPU use, counters, deadlines */

/* A device was asked to connect, for a tunnel's job or for one that waits. */
struct move {
	struct controller *owner;
	struct gw_tunnel *tunnel; /* one of these two */
	struct waiter *waiter;
	struct agent_call *call; /* NULL once the device is connected */
	struct loop_timer *drain; /* armed from then on */
};

struct waiter {
	struct waiter *next, *prev;
	struct sapi_tunnel_open open; /* has a token: wiped */
	char cloud[NAME_LEN];
	struct arrival to; /* its h2 and callbacks */
	uint64_t arrived; /* boot ms */
	bool admitted; /* had a decision, and was not refused */
	bool judged; /* had one since its circumstances changed */
	enum policy_reason reason; /* of it */
	bool failed; /* its device failed to connect: it needs a tunnel */
	struct move *move; /* its device is asked to connect: it needs no slot now */
};

struct controller {
	struct controller_deps deps;
	struct waiter *first, *last; /* higher priority first, then by arrival */
	uint32_t admitted; /* those that need a slot and were not refused it */
	bool stopped;
	unsigned int relieving; /* policy's hysteresis */
	struct loop_defer *run;
	struct loop_timer *tick;
	struct cpu_times cpu;
	uint32_t cpu_permille; /* POLICY_CPU_UNKNOWN before the second sample */
	uint32_t cpus;
};

/* ---- telling ---- */

/* A decision about a tunnel, or (@spi 0) about a job without one. */
struct verdict {
	const char *cloud, *job;
	uint32_t spi;
	enum sapi_gateway_action action;
	const char *reason, *text;
};

static void tell(struct controller *c, const struct verdict *v)
{
	struct sapi_record_decision rec = { 0 };
	struct sapi_gateway_event ev = { 0 };

	rec.time = clock_wall_ms();
	rec.tunnel = v->spi;
	snprintf(rec.job, sizeof(rec.job), "%s", v->job);
	rec.action = v->action;
	snprintf(rec.reason, sizeof(rec.reason), "%s", v->reason);
	snprintf(rec.text, sizeof(rec.text), "%s", v->text);
	record_decision(c->deps.record, &rec);

	ev.time = rec.time;
	ev.event = SAPI_GW_DECISION;
	ev.tunnel = rec.tunnel;
	memcpy(ev.job, rec.job, sizeof(ev.job));
	ev.action = rec.action;
	memcpy(ev.reason, rec.reason, sizeof(ev.reason));
	memcpy(ev.text, rec.text, sizeof(ev.text));
	events_publish(c->deps.events, v->cloud, &ev);
	log_info("policy: %s: job %s: %s: %s: %s", v->cloud, v->job,
		 sapi_gateway_action_str(v->action), v->reason, v->text);
}

static void tell_tunnel(struct controller *c, const struct gw_tunnel *t,
			enum sapi_gateway_action action, const struct policy_decision *d)
{
	tell(c, &(struct verdict){ t->cloud, t->job, t->spi, action, policy_reason_str(d->reason),
				   d->text });
}

static void tell_waiter(struct controller *c, const struct waiter *w,
			enum sapi_gateway_action action, const char *reason, const char *text)
{
	tell(c, &(struct verdict){ w->cloud, w->open.job, 0, action, reason, text });
}

static void tell_move_failed(struct controller *c, const char *cloud, const char *job, uint32_t spi,
			     const char *device, const char *why)
{
	struct sapi_gateway_event ev = { .time = clock_wall_ms(),
					 .event = SAPI_GW_MOVE_FAILED,
					 .tunnel = spi };
	struct sapi_record_decision rec = { .time = ev.time,
					    .tunnel = spi,
					    .action = SAPI_GW_KEEP };

	snprintf(ev.job, sizeof(ev.job), "%s", job);
	snprintf(ev.text, sizeof(ev.text), "device %s: %.400s", device, why);
	events_publish(c->deps.events, cloud, &ev);
	memcpy(rec.job, ev.job, sizeof(rec.job));
	snprintf(rec.reason, sizeof(rec.reason), "%s", policy_reason_str(POLICY_R_MOVE_FAILED));
	memcpy(rec.text, ev.text, sizeof(rec.text));
	record_decision(c->deps.record, &rec);
	log_limited(device, LOG_LVL_WARNING, "move: %s: job %s: failed: %s", device, job, why);
}

/* ---- queue ---- */

static bool needs_slot(const struct waiter *w)
{
	return !w->move;
}

static void queue_insert(struct controller *c, struct waiter *w)
{
	struct waiter *after = c->last;

	while (after && after->open.priority < w->open.priority)
		after = after->prev;
	w->prev = after;
	w->next = after ? after->next : c->first;
	*(after ? &after->next : &c->first) = w;
	*(w->next ? &w->next->prev : &c->last) = w;
}

static void move_free(struct move *m);

static void queue_remove(struct controller *c, struct waiter *w)
{
	*(w->prev ? &w->prev->next : &c->first) = w->next;
	*(w->next ? &w->next->prev : &c->last) = w->prev;
	if (w->move)
		move_free(w->move);
	c->admitted -= w->admitted;
	secret_wipe(w, sizeof(*w));
	free(w);
}

/* It stays in the queue, for @reason. */
static void judged(struct controller *c, struct waiter *w, enum policy_reason reason)
{
	c->admitted += !w->admitted;
	w->admitted = true;
	w->judged = true;
	w->reason = reason;
}

static void refuse(struct controller *c, struct waiter *w, const char *code, const char *text)
{
	struct arrival to = w->to;

	tell_waiter(c, w, SAPI_GW_REFUSE, code, text);
	queue_remove(c, w);
	to.on_refused(503, code, text, to.arg);
}

/* ---- moves ---- */

static void move_free(struct move *m)
{
	if (m->tunnel)
		m->tunnel->move = NULL;
	if (m->waiter) {
		m->waiter->move = NULL;
		m->owner->admitted++;
	}
	agent_cancel(m->call);
	loop_timer_free(m->drain);
	free(m);
}

/* How long a device is left alone after its n-th failure (n >= 1). */
static uint64_t retry_pause(const struct gateway_conf *conf, uint32_t n)
{
	uint64_t ms = conf->retry_min;

	while (--n && ms < conf->retry_max)
		ms *= 2;
	return ms < conf->retry_max ? ms : conf->retry_max;
}

static void move_failed(struct move *m, const char *why)
{
	struct controller *c = m->owner;
	struct gw_tunnel *t = m->tunnel;
	struct waiter *w = m->waiter;

	if (t) {
		tell_move_failed(c, t->cloud, t->job, t->spi, t->device, why);
		t->retry_at = clock_boot_ms() + retry_pause(c->deps.conf, ++t->failures);
		t->decided = POLICY_R_MOVE_FAILED;
	} else {
		tell_move_failed(c, w->cloud, w->open.job, 0, w->open.device, why);
		w->failed = true;
		w->judged = false;
	}
	move_free(m);
	controller_run(c);
}

static void on_drain_timeout(void *arg)
{
	move_failed(arg, "the device connected, but the cloud did not move the job in time");
}

static void on_connected(int err, const char *why, bool reused, void *arg)
{
	struct move *m = arg;

	m->call = NULL;
	if (err < 0) {
		move_failed(m, why);
		return;
	}
	log_info("move: %s: %s", m->tunnel ? m->tunnel->device : m->waiter->open.device,
		 reused ? "was connected to the cloud already" : "connected to the cloud");
	loop_timer_set(m->drain, m->owner->deps.conf->drain_timeout);
}

/* What the device is told, and where it is. */
struct request_7g {
	const char *job, *device, *cloud, *token;
	const struct shunt_endpoint *cloud_address;
	const struct shunt_addr *host;
	uint16_t agent_port;
};

static int ask_device(struct move *m, const struct request_7g *r)
{
	struct controller *c = m->owner;
	const struct gateway_conf *conf = c->deps.conf;
	struct agent_target target = { .device = r->device,
				       .at = { .addr = *r->host, .port = r->agent_port },
				       .timeout_ms = conf->policy.connect_timeout };
	struct sapi_connect body = { .address = *r->cloud_address, .log = conf->listen };
	int rc;

	if (addr_is_any(&body.log.addr))
		body.log.addr = (struct shunt_addr){ 0 };
	snprintf(body.job, sizeof(body.job), "%s", r->job);
	snprintf(body.cloud, sizeof(body.cloud), "%s", r->cloud);
	snprintf(body.token, sizeof(body.token), "%s", r->token);
	rc = agent_connect(c->deps.loop, c->deps.tls, &target, &body, on_connected, m, &m->call);
	secret_wipe(&body, sizeof(body));
	return rc;
}

static struct move *move_new(struct controller *c)
{
	struct move *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->owner = c;
	if (loop_timer_new(c->deps.loop, on_drain_timeout, m, &m->drain) < 0) {
		free(m);
		return NULL;
	}
	return m;
}

/* Is a waiting job's device being asked already? At most one move at a time per device. */
static bool device_asked(const struct controller *c, const char *device)
{
	const struct waiter *w;

	for (w = c->first; w; w = w->next) {
		if (w->move && strcmp(w->open.device, device) == 0)
			return true;
	}
	return false;
}

static void move_tunnel(struct controller *c, struct gw_tunnel *t, const struct policy_decision *d)
{
	const struct request_7g r = { t->job,	t->device,    t->cloud, t->token, &t->cloud_address,
				      &t->host, t->agent_port };
	struct move *m;
	int rc;

	if (t->move || device_asked(c, t->device))
		return;
	m = move_new(c);
	if (!m) {
		log_err("move: %s: out of memory", t->device);
		return;
	}
	m->tunnel = t;
	t->move = m;
	t->decided = (int)d->reason;
	tell_tunnel(c, t, SAPI_GW_MOVE, d);
	rc = ask_device(m, &r);
	if (rc < 0)
		move_failed(m, shunt_strerror(rc));
}

/* The arriving job's own device connects: it needs no tunnel at all. */
static void move_waiter(struct controller *c, struct waiter *w, const struct policy_decision *d)
{
	const struct sapi_tunnel_open *o = &w->open;
	const struct request_7g r = { o->job,
				      o->device,
				      w->cloud,
				      o->connect.token,
				      &o->connect.address,
				      &o->host,
				      o->connect.agent_port };
	struct move *m = device_asked(c, o->device) ? NULL : move_new(c);
	int rc;

	judged(c, w, d->reason);
	if (!m)
		return;
	m->waiter = w;
	w->move = m;
	c->admitted--;
	tell_waiter(c, w, SAPI_GW_DIRECT, policy_reason_str(d->reason), d->text);
	rc = ask_device(m, &r);
	if (rc < 0)
		move_failed(m, shunt_strerror(rc));
}

/* ---- one run of the policy ---- */

static void fill_tunnel(const struct gw_tunnel *t, uint64_t now, struct policy_tunnel *out)
{
	*out = (struct policy_tunnel){
		.id = t->spi,
		.job = t->job,
		.device = t->device,
		.priority = t->priority,
		.connectable = t->connectable,
		.moving = t->move != NULL,
		.failed = t->retry_at > now,
		.remaining = t->remaining,
		.load_ns = t->load_ns,
		.age_ms = now - t->opened_boot,
	};
	/*
	 * Counted in inner packets, headers and repeats included, so it errs towards "nearly done".
	 */
	if (out->remaining != POLICY_REMAINING_UNKNOWN)
		out->remaining -= t->rx.bytes < out->remaining ? t->rx.bytes : out->remaining;
}

static void fill_arrival(const struct waiter *w, uint32_t ahead, struct policy_arrival *out)
{
	*out = (struct policy_arrival){
		.job = w->open.job,
		.device = w->open.device,
		.priority = w->open.priority,
		.connectable = w->open.connectable && !w->failed,
		.remaining = w->open.remaining,
		.ahead = ahead,
	};
}

static void keep_told(struct controller *c, struct gw_tunnel *t, const struct policy_decision *d)
{
	if (t->decided == (int)d->reason || t->move || d->reason == POLICY_R_BELOW_LIMIT)
		return;
	t->decided = (int)d->reason;
	tell_tunnel(c, t, SAPI_GW_KEEP, d);
}

static void carry_out(struct controller *c, struct gw_tunnel **by_index,
		      const struct policy_result *r, bool relief)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		const struct policy_decision *d = &r->v[i];
		struct gw_tunnel *t = by_index[d->index];

		if (d->action == POLICY_MOVE)
			move_tunnel(c, t, d);
		else if (relief)
			keep_told(c, t, d);
	}
}

/*
 * Ask the policy about waiter @w (NULL: about the tunnels alone), start the moves it wants, and
 * leave its decision about @w in @out.
 */
static int judge(struct controller *c, const struct waiter *w, uint32_t ahead,
		 struct policy_decision *out)
{
	size_t n = tunnels_count(c->deps.tunnels), i = 0;
	struct policy_tunnel *v = calloc(n + 1, sizeof(*v));
	struct gw_tunnel **by_index = calloc(n + 1, sizeof(struct gw_tunnel *));
	struct policy_arrival arrival;
	struct policy_input in = { .settings = &c->deps.conf->policy, .tunnels = v, .n = n };
	struct policy_result result = { 0 };
	uint64_t now = clock_boot_ms();
	struct gw_tunnel *t;
	int rc = -ENOMEM;

	if (!v || !by_index)
		goto out;
	for (t = tunnels_first(c->deps.tunnels); t; t = t->next) {
		by_index[i] = t;
		fill_tunnel(t, now, &v[i++]);
	}
	in.totals.tunnels = (uint32_t)n;
	/*
	 * Those behind it that were not admitted yet must not crowd out a new one, nor one that
	 * was.
	 */
	in.totals.waiting = c->admitted - (w && w->admitted ? 1 : 0);
	in.totals.waiting_max = w && !w->admitted ? c->deps.conf->wait_max : 0;
	in.totals.cpu_permille = c->cpu_permille;
	in.totals.cpus = c->cpus;
	in.totals.relieving = c->relieving;
	if (w) {
		fill_arrival(w, ahead, &arrival);
		in.arrival = &arrival;
	}
	rc = policy_run(&in, &result);
	if (rc < 0)
		goto out;
	c->relieving = result.relieving;
	*out = result.arrival;
	carry_out(c, by_index, &result, result.relieving != 0);
	policy_result_fini(&result);
out:
	if (rc < 0)
		log_err("policy: not run: %s", shunt_strerror(rc));
	free(by_index);
	free(v);
	return rc;
}

/* ---- requests ---- */

/* Open @w's tunnel and take it off the queue. -EAGAIN: it has to wait after all. */
static int open_tunnel(struct controller *c, struct waiter *w, const struct policy_decision *d)
{
	struct arrival to = w->to;
	struct gw_tunnel *t = NULL;
	struct err e = { 0 };
	int rc = tunnels_open(c->deps.tunnels, &w->open, w->cloud, w->to.h2, &t, &e);

	if (rc == -EAGAIN) {
		if (!w->judged)
			tell_waiter(c, w, SAPI_GW_WAIT, policy_reason_str(POLICY_R_TUNNEL_LIMIT),
				    err_text(&e));
		judged(c, w, POLICY_R_TUNNEL_LIMIT);
		return rc;
	}
	if (rc < 0) {
		log_err("tunnel: %s: job %s: not opened: %s", w->cloud, w->open.job, err_text(&e));
		refuse(c, w, "tunnel-failed", err_text(&e));
		return rc;
	}
	tell_tunnel(c, t, SAPI_GW_OPEN, d);
	queue_remove(c, w);
	to.on_opened(t, to.arg);
	return 0;
}

static void wait_told(struct controller *c, struct waiter *w, const struct policy_decision *d)
{
	if (w->judged && w->reason == d->reason)
		return;
	judged(c, w, d->reason);
	tell_waiter(c, w, SAPI_GW_WAIT, policy_reason_str(d->reason), d->text);
}

/* Decide about @w. True when the queue changed. */
static bool settle(struct controller *c, struct waiter *w, uint32_t ahead)
{
	struct policy_decision d;

	if (judge(c, w, ahead, &d) < 0)
		return false;
	switch (d.action) {
	case POLICY_OPEN:
		return open_tunnel(c, w, &d) != -EAGAIN;
	case POLICY_DIRECT:
		move_waiter(c, w, &d);
		return w->move != NULL;
	case POLICY_REFUSE:
		refuse(c, w, policy_reason_str(d.reason), d.text);
		return true;
	default:
		wait_told(c, w, &d);
		return false;
	}
}

/* One pass over the queue: its head and those without a decision yet. True when it changed. */
static bool pass(struct controller *c, bool *asked)
{
	struct waiter *w;
	uint32_t ahead = 0;

	for (w = c->first; w; w = w->next) {
		if (!needs_slot(w))
			continue;
		if (ahead == 0 || !w->judged) {
			*asked = true;
			if (settle(c, w, ahead))
				return true;
		}
		ahead++;
	}
	return false;
}

static void on_run(void *arg)
{
	struct controller *c = arg;
	struct policy_decision unused;
	bool asked = false;

	if (c->stopped)
		return;
	while (pass(c, &asked))
		asked = false;
	/* The policy has not seen the present tunnels unless it was asked about one who waits. */
	if (!asked)
		judge(c, NULL, 0, &unused);
}

void controller_run(struct controller *c)
{
	loop_defer_call(c->run);
}

int controller_arrive(struct controller *c, const struct arrival *a, struct waiter **out)
{
	struct waiter *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->open = *a->open;
	snprintf(w->cloud, sizeof(w->cloud), "%s", a->cloud);
	w->to = *a;
	w->to.open = NULL;
	w->to.cloud = NULL;
	w->arrived = clock_boot_ms();
	queue_insert(c, w);
	controller_run(c);
	*out = w;
	return 0;
}

void controller_withdraw(struct controller *c, struct waiter *w)
{
	queue_remove(c, w);
	controller_run(c);
}

bool controller_waits(const struct controller *c, const char *cloud, const char *job)
{
	const struct waiter *w;

	for (w = c->first; w; w = w->next) {
		if (strcmp(w->cloud, cloud) == 0 && (!job || strcmp(w->open.job, job) == 0))
			return true;
	}
	return false;
}

void controller_stop(struct controller *c)
{
	c->stopped = true;
	while (c->first)
		refuse(c, c->first, "stopping", "the gateway is stopping");
}

void controller_closed(struct controller *c, struct gw_tunnel *t)
{
	if (t->move)
		move_free(t->move);
	controller_run(c);
}

/* ---- measuring ---- */

static void sample_cpu(struct controller *c)
{
	struct cpu_times now;
	int rc = cpu_sample(&now);

	if (rc < 0) {
		log_limited("cpu", LOG_LVL_WARNING, "cpu: /proc/stat: %s", shunt_strerror(rc));
		return;
	}
	if (c->cpu.total)
		c->cpu_permille = cpu_permille(&c->cpu, &now);
	c->cpu = now;
}

static void refuse_overdue(struct controller *c)
{
	uint64_t now = clock_boot_ms();
	struct waiter *w, *next;
	char text[96];

	snprintf(text, sizeof(text), "no slot became free within %u s",
		 (unsigned int)(c->deps.conf->wait_timeout / 1000));
	for (w = c->first; w; w = next) {
		next = w->next;
		if (needs_slot(w) && now - w->arrived > c->deps.conf->wait_timeout)
			refuse(c, w, "no-slot", text);
	}
}

static void on_tick(void *arg)
{
	struct controller *c = arg;
	struct err e = { 0 };

	sample_cpu(c);
	refuse_overdue(c);
	tunnels_sweep(c->deps.tunnels);
	if (tunnels_count(c->deps.tunnels) && tunnels_refresh(c->deps.tunnels, &e) < 0)
		log_limited("counters", LOG_LVL_ERR, "datapath: counters: %s", err_text(&e));
	/* What no event announces: CPU use, and devices whose pause after a failure is over. */
	if (tunnels_count(c->deps.tunnels) || c->first)
		controller_run(c);
}

void controller_crossed(struct controller *c, enum tunnel_crossing crossing,
			const struct tunnel_load *now)
{
	log_info("datapath: threshold: %s: %u tunnels, %u permille",
		 enum_str(tunnel_crossing_names, (int)crossing), now->tunnels, now->cpu_permille);
	if (crossing == TUNNEL_CROSS_LOAD_HIGH)
		on_tick(c);
	controller_run(c);
}

void controller_load(struct controller *c, struct sapi_load *out)
{
	struct tunnel_load load = { 0 };
	struct err e = { 0 };

	if (datapath_load(c->deps.datapath, &load, &e) < 0)
		log_err("datapath: load: %s", err_text(&e));
	*out = (struct sapi_load){
		.tunnels = (uint32_t)tunnels_count(c->deps.tunnels),
		.tunnels_high = c->deps.conf->policy.tunnels_high,
		.cpu_permille = c->cpu_permille == POLICY_CPU_UNKNOWN ? 0 : c->cpu_permille,
		.datapath_permille = load.cpu_permille > 1000 ? 1000 : load.cpu_permille,
		.pps = load.pps,
	};
}

/* ---- life ---- */

int controller_new(const struct controller_deps *deps, struct controller **out)
{
	struct controller *c = calloc(1, sizeof(*c));
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int rc;

	if (!c)
		return -ENOMEM;
	c->deps = *deps;
	c->cpu_permille = POLICY_CPU_UNKNOWN;
	c->cpus = cpus > 0 ? (uint32_t)cpus : 1;
	rc = loop_defer_new(deps->loop, on_run, c, &c->run);
	if (rc == 0)
		rc = loop_timer_new(deps->loop, on_tick, c, &c->tick);
	if (rc < 0) {
		controller_free(c);
		return rc;
	}
	sample_cpu(c);
	loop_timer_every(c->tick, TICK_MS);
	*out = c;
	return 0;
}

void controller_set_tls(struct controller *c, struct tls_ctx *tls)
{
	c->deps.tls = tls;
}

void controller_free(struct controller *c)
{
	struct gw_tunnel *t;

	if (!c)
		return;
	while (c->first)
		queue_remove(c, c->first);
	for (t = tunnels_first(c->deps.tunnels); t; t = t->next) {
		if (t->move)
			move_free(t->move);
	}
	loop_timer_free(c->tick);
	loop_defer_free(c->run);
	free(c);
}
