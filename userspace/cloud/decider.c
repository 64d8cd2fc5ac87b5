// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/decider.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "cloud/load.h"
#include "cloud/problem.h"
#include "cloud/token.h"
#include "lib/buf.h"
#include "lib/digest.h"
#include "lib/err.h"
#include "lib/h2.h"
#include "lib/log.h"
#include "lib/loop.h"

#define TICK_MS 1000 /* measurements, deadlines, pauses that are over */

/*
 * Tunnels that count together: those of one gateway, or all. With `count = all` a gateway's own
 * limits (CPU, line) are judged in a second layer, over its tunnels only.
 */
struct scope {
	char gateway[NAME_LEN]; /* "": all */
	struct policy_settings settings;
	unsigned int layer; /* index of place.told */
	unsigned int relieving; /* policy's hysteresis */
	LIST_ENTRY(scope) link;
};

enum place_state {
	PLACE_IDLE,
	PLACE_WAITING, /* in the queue */
	PLACE_OPEN, /* its tunnel exists or is on its way there */
};

enum move_state {
	MOVE_NONE,
	MOVE_DUE, /* decided; asked for when the agent answers through the tunnel */
	MOVE_ASKED,
	MOVE_CONNECTED, /* the device says so, but has not joined the job yet */
	MOVE_JOINED, /* the direct path is there: the tunnel is closed, or used beside it */
};

#define NOT_TOLD (-1)

struct place {
	struct decider *owner;
	const struct place_ops *ops;
	void *arg;
	enum place_state state;
	char job[ID_LEN];
	char device[NAME_LEN];
	uint8_t priority;
	bool connectable;
	struct scope *scope; /* its gateway's */
	uint64_t opened; /* loop time */
	/* of one that waits */
	bool judged; /* had a decision since its circumstances changed */
	enum policy_reason reason; /* of it */
	/* of one that has a tunnel */
	int told[2]; /* reason of the last keep, by layer */
	enum move_state move;
	bool split; /* the move is to use both paths until another is decided */
	bool held; /* no content into the tunnel: the job arrived when its device was to connect */
	struct sapi_gateway_event due; /* the move's decision */
	enum policy_reason due_reason;
	bool due_told;
	struct h2_call *call; /* the connect request */
	struct h2_call *probe; /* answered after the request arrived */
	uint64_t deadline; /* loop time, of MOVE_CONNECTED */
	/* of the device, as this job knows it */
	bool left; /* the tunnel was cut with the request; the device has not been seen since */
	unsigned int failures;
	uint64_t retry_at; /* loop time */
	LIST_ENTRY(place) link;
	TAILQ_ENTRY(place) queue;
};

struct decider {
	struct decider_conf conf;
	char self[NAME_LEN];
	struct scope all;
	LIST_HEAD(, scope) gateways; /* few, and they stay once made */
	LIST_HEAD(, place) places;
	TAILQ_HEAD(queue, place) waiting; /* higher priority first, then by arrival */
	size_t n_busy; /* places that are not idle */
	struct loads *loads;
	struct loop_defer *run;
	struct loop_timer *tick;
	struct decider_figures figures; /* the counters of them */
};

static uint64_t now(const struct decider *c)
{
	return loop_now(c->conf.loop);
}

static struct place_view look(const struct place *p)
{
	struct place_view v = { 0 };

	p->ops->look(&v, p->arg);
	if (v.agent && !h2_usable(v.agent))
		v.agent = NULL;
	return v;
}

static bool is_paused(const struct place *p)
{
	return p->retry_at > now(p->owner);
}

void decider_run(struct decider *c)
{
	if (c)
		loop_defer_call(c->run);
}

/* ---- telling ---- */

static void event_init(struct sapi_gateway_event *ev, const struct place *p,
		       enum sapi_gateway_action action, const struct policy_decision *d)
{
	const struct policy_settings *s = p->owner->conf.policy;

	memset(ev, 0, sizeof(*ev));
	ev->event = SAPI_GW_DECISION;
	memcpy(ev->job, p->job, ID_LEN);
	ev->action = action;
	snprintf(ev->reason, sizeof(ev->reason), "%s", policy_reason_str(d->reason));
	snprintf(ev->text, sizeof(ev->text), "%s", d->text);
	ev->cut_early = action == SAPI_GW_MOVE && s->cut == CUT_AFTER_REQUEST;
	ev->suspend = action == SAPI_GW_MOVE && s->suspend;
}

static void publish(struct place *p, struct sapi_gateway_event *ev, enum policy_reason reason)
{
	ev->time = clock_wall_ms();
	ev->tunnel = look(p).tunnel;
	p->owner->figures.decisions[reason]++;
	log_info("policy: %s: job %s: %s: %s: %s", p->scope->gateway, p->job,
		 sapi_gateway_action_str(ev->action), ev->reason, ev->text);
	p->ops->on_event(ev, p->arg);
}

static void tell(struct place *p, enum sapi_gateway_action action, const struct policy_decision *d)
{
	struct sapi_gateway_event ev;

	event_init(&ev, p, action, d);
	publish(p, &ev, d->reason);
}

/* The move's decision, at the moment at which the delivery is to act on it. */
static void tell_due(struct place *p)
{
	if (p->due_told)
		return;
	p->due_told = true;
	publish(p, &p->due, p->due_reason);
}

/* ---- moves ---- */

static void move_clear(struct place *p)
{
	if (p->call)
		h2_call_cancel(p->call);
	if (p->probe)
		h2_call_cancel(p->probe);
	p->call = NULL;
	p->probe = NULL;
	p->move = MOVE_NONE;
	p->split = false;
	p->held = false;
}

static void leave_alone(struct place *p)
{
	const struct decider_conf *conf = &p->owner->conf;
	uint64_t ms = conf->retry_min;
	unsigned int n = ++p->failures;

	while (--n && ms < conf->retry_max)
		ms *= 2;
	p->retry_at = now(p->owner) + (ms < conf->retry_max ? ms : conf->retry_max);
}

static void move_failed(struct place *p, const char *why)
{
	struct sapi_gateway_event ev = { .event = SAPI_GW_MOVE_FAILED, .time = clock_wall_ms() };
	bool held = p->held;

	memcpy(ev.job, p->job, ID_LEN);
	ev.tunnel = look(p).tunnel;
	snprintf(ev.text, sizeof(ev.text), "device %s: %.400s", p->device, why);
	log_limited(p->device, LOG_LVL_WARNING, "move: %s: job %s: failed: %.400s", p->device,
		    p->job, why);
	p->owner->figures.failed++;
	leave_alone(p);
	move_clear(p);
	p->told[0] = p->told[1] = POLICY_R_MOVE_FAILED;
	p->ops->on_event(&ev, p->arg);
	if (held)
		p->ops->on_fallback(p->arg);
	decider_run(p->owner);
}

static void move_advance(struct place *p);

static void on_answer(const struct h2_reply *reply, void *arg)
{
	struct place *p = arg;
	struct sapi_connect_reply answer = { 0 };
	struct problem problem;
	struct err e = { 0 };

	p->call = NULL;
	if (p->move != MOVE_ASKED)
		return;
	if (look(p).direct) {
		move_advance(p); /* it was quicker than its answer */
	} else if (reply->err && reply->err != -ETIMEDOUT) {
		/* The session broke, which is not the device's failure: asked again on the next. */
		p->move = MOVE_DUE;
	} else if (problem_of_reply(reply, "agent", &problem)) {
		move_failed(p, problem.text);
	} else if (sapi_connect_reply_decode(reply->body, reply->len, &answer, &e)) {
		move_failed(p, err_text(&e));
	} else if (!answer.connected) {
		move_failed(p, "agent: it did not connect");
	} else {
		log_info("move: %s: job %s: %s", p->device, p->job,
			 answer.reused ? "was connected already" : "connected");
		p->move = MOVE_CONNECTED;
		p->deadline = now(p->owner) + p->owner->conf.policy->connect_timeout;
		p->ops->on_connected(p->arg);
		decider_run(p->owner);
	}
}

/* The request has arrived, because what was sent after it was answered: the tunnel may be cut. */
static void on_probe(const struct h2_reply *reply, void *arg)
{
	struct place *p = arg;

	p->probe = NULL;
	if (!reply->err && p->move >= MOVE_ASKED)
		tell_due(p);
}

static int post_connect(struct place *p, struct h2 *agent)
{
	struct decider_conf *conf = &p->owner->conf;
	struct sapi_connect body = { .address = conf->public };
	struct h2_request req = {
		.method = "POST",
		.path = "/v1/connect",
		.type = "application/json",
		.timeout_ms = (uint32_t)conf->policy->connect_timeout,
	};
	struct buf json;
	int ret;

	snprintf(body.job, sizeof(body.job), "%s", p->job);
	snprintf(body.cloud, sizeof(body.cloud), "%s", p->owner->self);
	buf_init_secret(&json, SAPI_MAX);
	ret = tokens_issue(conf->tokens, p->job, p->device, body.token);
	if (!ret)
		ret = sapi_connect_encode(&body, &json);
	secret_wipe(&body, sizeof(body));
	req.body = json.data;
	req.body_len = json.len;
	if (!ret)
		ret = h2_fetch(agent, &req, on_answer, p, &p->call);
	if (ret)
		p->call = NULL;
	buf_fini(&json);
	return ret;
}

/*
 * Ask the device through the tunnel (#708, #813). What the delivery is to do about it (suspend the
 * job, #811) goes out first; unless the tunnel is to be cut with the request, which must have
 * arrived by then.
 */
static void move_ask(struct place *p)
{
	struct h2_request probe = {
		.method = "GET",
		.path = "/v1/hello",
		.timeout_ms = (uint32_t)p->owner->conf.policy->connect_timeout,
	};
	struct place_view v;
	int ret;

	if (!p->due.cut_early)
		tell_due(p);
	v = look(p);
	if (!v.agent || p->move != MOVE_DUE)
		return;
	p->move = MOVE_ASKED;
	ret = post_connect(p, v.agent);
	if (!ret && p->due.cut_early && !p->due_told)
		ret = h2_fetch(v.agent, &probe, on_probe, p, &p->probe);
	if (ret)
		move_failed(p, shunt_strerror(ret));
}

/* The device is connected: the delivery joins when it hears of the decision. */
static void move_join(struct place *p)
{
	tell_due(p);
	p->ops->on_connected(p->arg);
	if (p->move != MOVE_DUE)
		return;
	if (look(p).direct)
		p->move = MOVE_JOINED;
	else
		move_failed(p, "it is connected, but its connection could not be used");
}

static void move_advance(struct place *p)
{
	struct place_view v = look(p);

	if (p->move && p->move < MOVE_JOINED && v.direct) {
		tell_due(p);
		p->move = MOVE_JOINED;
	} else if (p->move == MOVE_DUE) {
		/* A job that the agent has not heard of cannot be suspended. */
		if (p->owner->conf.direct(p->device, p->owner->conf.arg))
			move_join(p);
		else if (v.agent && (p->held || !p->due.suspend || v.sending))
			move_ask(p);
	} else if (p->move == MOVE_CONNECTED && now(p->owner) >= p->deadline) {
		move_failed(p, "it said it was connected, but did not join the job in time");
	} else if (p->move == MOVE_JOINED && !v.direct && !v.closing) {
		move_failed(p, "its connection broke before the job had moved");
	}
}

/* Was its device asked to connect, and has not come yet? */
static bool is_awaited(const struct place *p)
{
	return (p->left && !look(p).direct) || (p->move && p->move < MOVE_JOINED);
}

/* A device is asked for one job at a time; others may move when it is connected. */
static bool device_busy(const struct place *p)
{
	const struct place *other;

	if (p->owner->conf.direct(p->device, p->owner->conf.arg))
		return false;
	LIST_FOREACH(other, &p->owner->places, link)
		if (other != p && !strcmp(other->device, p->device) && is_awaited(other))
			return true;
	return false;
}

static void move_due(struct place *p, enum sapi_gateway_action action,
		     const struct policy_decision *d)
{
	p->move = MOVE_DUE;
	p->split = action == SAPI_GW_SPLIT;
	p->due_reason = d->reason;
	p->due_told = false;
	p->told[0] = p->told[1] = NOT_TOLD;
	event_init(&p->due, p, action, d);
}

static bool is_beside(const struct place *p)
{
	return p->split && p->move == MOVE_JOINED;
}

static void move_start(struct place *p, const struct policy_decision *d)
{
	if (is_beside(p)) {
		/* Both paths are there: what is left to do is to cut the tunnel. */
		p->split = false;
		tell(p, SAPI_GW_MOVE, d);
		return;
	}
	if (p->move || device_busy(p))
		return;
	move_due(p, d->action == POLICY_SPLIT ? SAPI_GW_SPLIT : SAPI_GW_MOVE, d);
	move_advance(p);
}

/* ---- one run of the policy ---- */

static bool in_scope(const struct scope *s, const struct place *p)
{
	return !s->gateway[0] || p->scope == s;
}

static void fill_tunnel(const struct place *p, struct policy_tunnel *out)
{
	struct place_view v = look(p);

	*out = (struct policy_tunnel){
		.id = v.tunnel,
		.job = p->job,
		.device = p->device,
		.priority = p->priority,
		.connectable = p->connectable,
		.beside = is_beside(p),
		.closing = v.closing,
		.failed = is_paused(p),
		.remaining = v.remaining,
		.load_ns = loads_tunnel(p->owner->loads, p->scope->gateway, v.tunnel),
		.age_ms = now(p->owner) - p->opened,
	};
	/* A device that came late, after its move had failed, is welcome all the same. */
	out->moving = !out->beside && (p->move || v.direct);
}

static void fill_arrival(const struct place *w, uint32_t ahead, struct policy_arrival *out)
{
	const struct decider_conf *conf = &w->owner->conf;

	*out = (struct policy_arrival){
		.job = w->job,
		.device = w->device,
		.priority = w->priority,
		.connectable = w->connectable && !is_paused(w) && !device_busy(w),
		.direct = w->connectable && conf->direct(w->device, conf->arg),
		.remaining = look(w).remaining,
		.ahead = ahead,
	};
}

/* The scope's open places and the policy's view of them, in the same order; freed by the caller. */
static int collect(struct decider *c, const struct scope *s, struct place ***places,
		   struct policy_tunnel **tunnels, size_t *n)
{
	struct place *p;
	size_t i = 0;

	*n = 0;
	LIST_FOREACH(p, &c->places, link)
		*n += p->state == PLACE_OPEN && in_scope(s, p);
	*places = calloc(*n + 1, sizeof(struct place *));
	*tunnels = calloc(*n + 1, sizeof(struct policy_tunnel));
	if (!*places || !*tunnels)
		return -ENOMEM;
	LIST_FOREACH(p, &c->places, link) {
		if (p->state != PLACE_OPEN || !in_scope(s, p))
			continue;
		(*places)[i] = p;
		fill_tunnel(p, &(*tunnels)[i++]);
	}
	return 0;
}

static void measure_totals(struct decider *c, const struct scope *s, const struct place *w,
			   struct policy_totals *out)
{
	const struct place *p;

	/* Those behind it without a decision must not crowd out a new one, nor one that had one. */
	TAILQ_FOREACH(p, &c->waiting, queue)
		out->waiting += p != w && p->judged && in_scope(s, p);
	out->cpu_permille = s->gateway[0] ? loads_cpu(c->loads, s->gateway) : POLICY_CPU_UNKNOWN;
	out->line_speed = s->gateway[0] ? loads_line(c->loads, s->gateway) : POLICY_LINE_UNKNOWN;
	out->relieving = s->relieving;
}

static void keep_told(struct place *p, unsigned int layer, const struct policy_decision *d)
{
	if (p->told[layer] == (int)d->reason || p->move || d->reason == POLICY_R_BELOW_LIMIT)
		return;
	p->told[layer] = (int)d->reason;
	tell(p, SAPI_GW_KEEP, d);
}

static void carry_out(struct place **places, const struct scope *s, const struct policy_result *r)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		const struct policy_decision *d = &r->v[i];
		struct place *p = places[d->index];

		if (p->state != PLACE_OPEN)
			continue; /* ended by what was carried out before */
		if (d->action == POLICY_MOVE || d->action == POLICY_SPLIT)
			move_start(p, d);
		else if (r->relieving)
			keep_told(p, s->layer, d);
	}
}

/*
 * Ask the policy about @w (NULL: about the tunnels alone), start the moves it wants, and leave its
 * decision about @w in @out.
 */
static int judge(struct decider *c, struct scope *s, const struct place *w, uint32_t ahead,
		 struct policy_decision *out)
{
	struct policy_input in = { .settings = &s->settings };
	struct policy_result result = { 0 };
	struct policy_arrival arrival;
	struct policy_tunnel *tunnels = NULL;
	struct place **places = NULL;
	int ret;

	ret = collect(c, s, &places, &tunnels, &in.n);
	if (ret)
		goto out;
	in.tunnels = tunnels;
	in.totals.tunnels = (uint32_t)in.n;
	measure_totals(c, s, w, &in.totals);
	if (w) {
		fill_arrival(w, ahead, &arrival);
		in.arrival = &arrival;
	}
	ret = policy_run(&in, &result);
	if (ret)
		goto out;
	s->relieving = result.relieving;
	if (out)
		*out = result.arrival;
	carry_out(places, s, &result);
	policy_result_fini(&result);
out:
	if (ret)
		log_err("policy: %s: not run: %s", s->gateway[0] ? s->gateway : "-",
			shunt_strerror(ret));
	free(places);
	free(tunnels);
	return ret;
}

/* ---- requests ---- */

static void leave_queue(struct place *p)
{
	TAILQ_REMOVE(&p->owner->waiting, p, queue);
	p->owner->figures.waiting--;
	p->judged = false;
}

static void open_place(struct place *p)
{
	leave_queue(p);
	p->state = PLACE_OPEN;
	p->opened = now(p->owner);
	p->told[0] = p->told[1] = NOT_TOLD;
}

static bool connect_first(struct place *w, struct policy_decision *d)
{
	size_t len = strlen(d->text);

	if (d->reason == POLICY_R_DIRECT) {
		if (!w->judged || w->reason != d->reason)
			tell(w, SAPI_GW_DIRECT, d); /* and the delivery is done with us */
		w->judged = true;
		w->reason = d->reason;
		return w->state != PLACE_WAITING;
	}
	snprintf(d->text + len, sizeof(d->text) - len, "; asked through a tunnel of its own");
	open_place(w);
	move_due(w, SAPI_GW_DIRECT, d);
	w->held = true;
	tell_due(w);
	w->ops->on_open(w->arg);
	return true;
}

static void wait_told(struct place *w, const struct policy_decision *d)
{
	if (w->judged && w->reason == d->reason)
		return;
	w->judged = true;
	w->reason = d->reason;
	tell(w, SAPI_GW_WAIT, d);
}

/* With `count = all`, a gateway's own limits have a say beside the number of tunnels. */
static bool has_second_layer(const struct decider *c)
{
	const struct policy_settings *s = c->conf.policy;

	return s->count == COUNT_ALL && (s->cpu_high || s->line_speed_low);
}

/* Decide about @w. True when the queue changed. */
static bool settle(struct decider *c, struct scope *s, struct place *w, uint32_t ahead)
{
	struct policy_decision d, second;

	if (judge(c, s, w, ahead, &d))
		return false;
	if (w->state != PLACE_WAITING)
		return true;
	if (d.action == POLICY_OPEN && has_second_layer(c) && !judge(c, w->scope, w, 0, &second) &&
	    second.action == POLICY_DIRECT)
		d = second;
	switch (d.action) {
	case POLICY_OPEN:
		open_place(w);
		tell(w, SAPI_GW_OPEN, &d);
		w->ops->on_open(w->arg);
		return true;
	case POLICY_DIRECT:
		return connect_first(w, &d);
	default:
		wait_told(w, &d);
		return false;
	}
}

/* One pass over the queue: its head, those without a decision, those whose device is here by now. */
static bool pass(struct decider *c, struct scope *s, bool *asked)
{
	struct place *w;
	uint32_t ahead = 0;

	TAILQ_FOREACH(w, &c->waiting, queue) {
		if (!in_scope(s, w))
			continue;
		if (!ahead || !w->judged || c->conf.direct(w->device, c->conf.arg)) {
			*asked = true;
			if (settle(c, s, w, ahead))
				return true;
		}
		ahead++;
	}
	return false;
}

static void run_scope(struct decider *c, struct scope *s)
{
	bool asked = false;

	while (pass(c, s, &asked))
		asked = false;
	/* The policy has not seen the present tunnels unless it was asked about one who waits. */
	if (!asked)
		judge(c, s, NULL, 0, NULL);
}

static void on_run(void *arg)
{
	struct decider *c = arg;
	struct scope *s;
	struct place *p;

	if (!c->n_busy)
		return;
	LIST_FOREACH(p, &c->places, link)
		if (p->state == PLACE_OPEN && p->move)
			move_advance(p);
	if (c->conf.policy->count == COUNT_ALL)
		run_scope(c, &c->all);
	LIST_FOREACH(s, &c->gateways, link) {
		if (c->conf.policy->count == COUNT_PAIR)
			run_scope(c, s);
		else if (has_second_layer(c))
			judge(c, s, NULL, 0, NULL);
	}
}

/* ---- measuring ---- */

/* What the policy could make use of: what nothing depends on is not asked for. */
static unsigned int wanted(const struct decider *c, const struct scope *s)
{
	const struct policy_settings *set = c->conf.policy;
	const struct place *p;
	unsigned int movable = 0, busy = 0, what = 0;

	LIST_FOREACH(p, &c->places, link) {
		if (p->state == PLACE_IDLE || p->scope != s)
			continue;
		busy++;
		movable += p->state == PLACE_OPEN && p->connectable && !p->move;
	}
	if (!busy || set->when == WHEN_ALWAYS)
		return 0;
	if (set->cpu_high || set->line_speed_low)
		what |= LOADS_GATEWAY;
	if ((set->cpu_high && movable) ||
	    (movable > 1 && (set->tunnels_high || set->line_speed_low)))
		what |= LOADS_TUNNELS;
	return what;
}

static void measure(struct decider *c)
{
	struct scope *s;
	unsigned int what;

	LIST_FOREACH(s, &c->gateways, link) {
		what = wanted(c, s);
		if (what)
			loads_ask(c->loads, s->gateway, what);
	}
}

static void on_tick(void *arg)
{
	measure(arg);
	decider_run(arg);
}

static struct h2 *gateway_session(const char *name, void *arg)
{
	struct decider *c = arg;

	return c->conf.gateway(name, c->conf.arg);
}

static void on_news(const char *name, void *arg)
{
	(void)name;
	decider_run(arg);
}

/* ---- places ---- */

static struct scope *scope_of(struct decider *c, const char *gateway)
{
	struct scope *s;

	LIST_FOREACH(s, &c->gateways, link)
		if (!strcmp(s->gateway, gateway))
			return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	snprintf(s->gateway, sizeof(s->gateway), "%s", gateway);
	s->settings = *c->conf.policy;
	if (c->conf.policy->count == COUNT_ALL) {
		s->layer = 1;
		s->settings.when = WHEN_THRESHOLD;
		s->settings.tunnels_high = s->settings.tunnels_low = 0;
	}
	LIST_INSERT_HEAD(&c->gateways, s, link);
	return s;
}

int place_new(struct decider *c, const struct place_ops *ops, void *arg, struct place **out)
{
	struct place *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->owner = c;
	p->ops = ops;
	p->arg = arg;
	LIST_INSERT_HEAD(&c->places, p, link);
	*out = p;
	return 0;
}

void place_free(struct place *p)
{
	if (!p)
		return;
	place_done(p);
	LIST_REMOVE(p, link);
	free(p);
}

static void queue_insert(struct decider *c, struct place *p)
{
	struct place *after = TAILQ_LAST(&c->waiting, queue);

	while (after && after->priority < p->priority)
		after = TAILQ_PREV(after, queue, queue);
	if (after)
		TAILQ_INSERT_AFTER(&c->waiting, after, p, queue);
	else
		TAILQ_INSERT_HEAD(&c->waiting, p, queue);
	c->figures.waiting++;
}

int place_ask(struct place *p, const struct place_conf *conf)
{
	struct decider *c = p->owner;

	p->scope = scope_of(c, conf->gateway);
	if (!p->scope)
		return -ENOMEM;
	snprintf(p->job, sizeof(p->job), "%s", conf->job);
	snprintf(p->device, sizeof(p->device), "%s", conf->device);
	p->priority = conf->priority;
	p->connectable = conf->connectable;
	/* Its tunnel was cut for a device that then did not come. */
	if (p->left)
		leave_alone(p);
	p->left = false;
	p->judged = false;
	p->state = PLACE_WAITING;
	queue_insert(c, p);
	if (!c->n_busy++) {
		loop_timer_every(c->tick, TICK_MS);
		measure(c);
	}
	decider_run(c);
	return 0;
}

void place_done(struct place *p)
{
	if (!p || p->state == PLACE_IDLE)
		return;
	if (p->state == PLACE_WAITING)
		leave_queue(p);
	p->left = p->move && p->move < MOVE_JOINED && p->due.cut_early && p->due_told;
	move_clear(p);
	p->state = PLACE_IDLE;
	if (!--p->owner->n_busy)
		loop_timer_stop(p->owner->tick);
	decider_run(p->owner);
}

bool place_reached(struct place *p)
{
	if (!p)
		return false;
	decider_run(p->owner);
	return p->held;
}

/* ---- life ---- */

void decider_figures(const struct decider *c, struct decider_figures *out)
{
	const struct place *p;

	memset(out, 0, sizeof(*out));
	if (!c)
		return;
	*out = c->figures;
	LIST_FOREACH(p, &c->places, link)
		out->moving += is_awaited(p) || (p->move == MOVE_JOINED && !p->split);
}

int decider_new(const struct decider_conf *conf, struct decider **out)
{
	struct decider *c = calloc(1, sizeof(*c));
	struct loads_conf loads = {
		.loop = conf->loop,
		.session = gateway_session,
		.on_news = on_news,
		.arg = c,
	};
	int ret;

	if (!c)
		return -ENOMEM;
	c->conf = *conf;
	c->conf.self = NULL;
	snprintf(c->self, sizeof(c->self), "%s", conf->self);
	LIST_INIT(&c->gateways);
	LIST_INIT(&c->places);
	TAILQ_INIT(&c->waiting);
	c->all.settings = *conf->policy;
	c->all.settings.cpu_high = c->all.settings.cpu_low = 0;
	c->all.settings.line_speed_low = c->all.settings.line_speed_high = 0;
	ret = loop_defer_new(conf->loop, on_run, c, &c->run);
	if (!ret)
		ret = loop_timer_new(conf->loop, on_tick, c, &c->tick);
	if (!ret)
		ret = loads_new(&loads, &c->loads);
	if (ret) {
		decider_free(c);
		return ret;
	}
	*out = c;
	return 0;
}

void decider_free(struct decider *c)
{
	struct scope *s;

	if (!c)
		return;
	while ((s = LIST_FIRST(&c->gateways))) {
		LIST_REMOVE(s, link);
		free(s);
	}
	loads_free(c->loads);
	loop_timer_free(c->tick);
	loop_defer_free(c->run);
	free(c);
}
