// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/decider_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/problem.h"
#include "cloud/token.h"
#include "lib/buf.h"
#include "lib/digest.h"
#include "lib/err.h"
#include "lib/h2.h"
#include "lib/log.h"
#include "lib/loop.h"

static uint64_t now(const struct place *p)
{
	return loop_now(p->owner->conf.loop);
}

struct place_view place_look(const struct place *p)
{
	struct place_view v = { 0 };

	p->ops->look(&v, p->arg);
	if (v.agent && !h2_usable(v.agent))
		v.agent = NULL;
	return v;
}

/* ---- devices that failed ---- */

static struct pause *pause_of(const struct decider *c, const char *device)
{
	struct pause *pause;

	LIST_FOREACH(pause, &c->pauses, link)
		if (!strcmp(pause->device, device))
			return pause;
	return NULL;
}

static void pause_free(struct pause *pause)
{
	LIST_REMOVE(pause, link);
	free(pause);
}

bool place_is_paused(const struct place *p)
{
	const struct pause *pause = pause_of(p->owner, p->device);

	return pause && pause->until > now(p);
}

void place_leave_alone(struct place *p)
{
	const struct decider_conf *conf = &p->owner->conf;
	struct pause *pause = pause_of(p->owner, p->device);
	uint64_t ms = conf->retry_min;
	unsigned int n;

	if (!pause)
		pause = calloc(1, sizeof(*pause));
	if (!pause) {
		log_err("move: %s: out of memory", p->device);
		return;
	}
	if (!pause->failures) {
		memcpy(pause->device, p->device, sizeof(pause->device));
		LIST_INSERT_HEAD(&p->owner->pauses, pause, link);
	}
	n = ++pause->failures;
	while (--n && ms < conf->retry_max)
		ms *= 2;
	pause->until = now(p) + (ms < conf->retry_max ? ms : conf->retry_max);
}

/* The device came: its next failure is a first one. */
static void joined(struct place *p)
{
	struct pause *pause = pause_of(p->owner, p->device);

	p->move = MOVE_JOINED;
	if (pause)
		pause_free(pause);
}

void pauses_sweep(struct decider *c)
{
	struct pause *pause, *next;

	for (pause = LIST_FIRST(&c->pauses); pause; pause = next) {
		next = LIST_NEXT(pause, link);
		if (loop_now(c->conf.loop) > pause->until + c->conf.retry_max)
			pause_free(pause);
	}
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
	/* To cut early, or to hold the job meanwhile, is for those who are not connected yet. */
	if (action == SAPI_GW_MOVE && !place_is_beside(p)) {
		ev->cut_early = s->cut == CUT_AFTER_REQUEST;
		ev->suspend = s->suspend;
	}
}

static void publish(struct place *p, struct sapi_gateway_event *ev, enum policy_reason reason)
{
	ev->time = clock_wall_ms();
	ev->tunnel = place_look(p).tunnel;
	p->owner->figures.decisions[reason]++;
	log_info("policy: %s: job %s: %s: %s: %s", p->scope->gateway, p->job,
		 sapi_gateway_action_str(ev->action), ev->reason, ev->text);
	p->ops->on_event(ev, p->arg);
}

void place_tell(struct place *p, enum sapi_gateway_action action, const struct policy_decision *d)
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

void place_move_clear(struct place *p)
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

static void move_failed(struct place *p, const char *why)
{
	struct sapi_gateway_event ev = { .event = SAPI_GW_MOVE_FAILED, .time = clock_wall_ms() };
	bool held = p->held;

	memcpy(ev.job, p->job, ID_LEN);
	ev.tunnel = place_look(p).tunnel;
	snprintf(ev.text, sizeof(ev.text), "device %s: %.400s", p->device, why);
	log_limited(p->device, LOG_LVL_WARNING, "move: %s: job %s: failed: %.400s", p->device,
		    p->job, why);
	p->owner->figures.failed++;
	place_leave_alone(p);
	place_move_clear(p);
	p->told[0] = p->told[1] = POLICY_R_MOVE_FAILED;
	p->ops->on_event(&ev, p->arg);
	if (held)
		p->ops->on_fallback(p->arg);
	decider_run(p->owner);
}

static void on_answer(const struct h2_reply *reply, void *arg)
{
	struct place *p = arg;
	struct sapi_connect_reply answer = { 0 };
	struct problem problem;
	struct err e = { 0 };

	p->call = NULL;
	if (p->move != MOVE_ASKED)
		return;
	if (place_look(p).direct) {
		place_advance(p); /* it was quicker than its answer */
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
		p->deadline = now(p) + p->owner->conf.policy->connect_timeout;
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

static int post_connect(struct place *p, const struct place_view *v)
{
	struct decider_conf *conf = &p->owner->conf;
	struct sapi_connect body = { .address = conf->public, .log = v->log };
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
		ret = h2_fetch(v->agent, &req, on_answer, p, &p->call);
	buf_fini(&json);
	if (ret)
		p->call = NULL;
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
	v = place_look(p);
	if (!v.agent || p->move != MOVE_DUE)
		return;
	p->move = MOVE_ASKED;
	ret = post_connect(p, &v);
	if (!ret && p->due.cut_early && !p->due_told)
		ret = h2_fetch(v.agent, &probe, on_probe, p, &p->probe);
	if (ret) {
		p->probe = NULL;
		move_failed(p, shunt_strerror(ret));
	}
}

/* The device is connected: the delivery joins when it hears of the decision. */
static void move_join(struct place *p)
{
	p->due.cut_early = p->due.suspend = false;
	tell_due(p);
	p->ops->on_connected(p->arg);
	if (p->move != MOVE_DUE)
		return;
	if (place_look(p).direct)
		joined(p);
	else
		move_failed(p, "it is connected, but its connection could not be used");
}

/* The tunnel was cut when the request was out: the device comes, or the delivery tries again. */
static void cut_advance(struct place *p, bool came)
{
	if (came) {
		place_idle(p);
	} else if (now(p) >= p->deadline) {
		place_idle(p);
		move_failed(p, "it was asked to connect and its tunnel cut, but it did not come");
	}
}

void place_advance(struct place *p)
{
	struct place_view v = place_look(p);

	if (p->state == PLACE_CUT) {
		cut_advance(p, v.direct);
	} else if (p->move && p->move < MOVE_JOINED && v.direct) {
		tell_due(p);
		joined(p);
	} else if (p->move == MOVE_DUE) {
		/* A job that the agent has not heard of cannot be suspended. */
		if (p->owner->conf.direct(p->device, p->owner->conf.arg))
			move_join(p);
		else if (v.agent && (p->held || !p->due.suspend || v.sending))
			move_ask(p);
	} else if (p->move == MOVE_CONNECTED && now(p) >= p->deadline) {
		move_failed(p, "it said it was connected, but did not join the job in time");
	} else if (p->move == MOVE_JOINED && !v.direct && !v.closing) {
		move_failed(p, "its connection broke before the job had moved");
	}
}

bool place_is_awaited(const struct place *p)
{
	return p->state == PLACE_CUT || (p->move && p->move < MOVE_JOINED);
}

bool place_device_busy(const struct place *p)
{
	const struct place *other;

	if (p->owner->conf.direct(p->device, p->owner->conf.arg))
		return false;
	LIST_FOREACH(other, &p->owner->places, link)
		if (other != p && !strcmp(other->device, p->device) && place_is_awaited(other))
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

bool place_is_beside(const struct place *p)
{
	return p->split && p->move == MOVE_JOINED;
}

void place_hold(struct place *p, const struct policy_decision *d)
{
	move_due(p, SAPI_GW_DIRECT, d);
	p->held = true;
	tell_due(p);
}

void place_move(struct place *p, const struct policy_decision *d)
{
	if (place_is_beside(p)) {
		/* Both paths are there: what is left to do is to cut the tunnel. */
		place_tell(p, SAPI_GW_MOVE, d);
		p->split = false;
		return;
	}
	if (p->move || place_device_busy(p))
		return;
	move_due(p, d->action == POLICY_SPLIT ? SAPI_GW_SPLIT : SAPI_GW_MOVE, d);
	place_advance(p);
}
