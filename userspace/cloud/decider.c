// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/decider_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/load.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/loop.h"

#define TICK_MS 1000 /* measurements */

void decider_run(struct decider *c)
{
	if (c)
		loop_defer_call(c->run);
}

/* ---- one run of the policy ---- */

static bool in_scope(const struct scope *s, const struct place *p)
{
	return !s->gateway[0] || p->scope == s;
}

static void fill_tunnel(const struct place *p, struct policy_tunnel *out)
{
	struct place_view v = place_look(p);

	*out = (struct policy_tunnel){
		.id = v.tunnel,
		.job = p->job,
		.device = p->device,
		.priority = p->priority,
		.connectable = p->connectable,
		.beside = place_is_beside(p),
		.closing = v.closing,
		.failed = place_is_paused(p),
		.remaining = v.remaining,
		.load_ns = loads_tunnel(p->owner->loads, p->scope->gateway, v.tunnel),
		.age_ms = loop_now(p->owner->conf.loop) - p->opened,
	};
	out->splitting = p->split && !out->beside;
	/* A device that came late, after its move had failed, is welcome all the same. */
	out->moving = !p->split && (p->move || v.direct);
}

static void fill_arrival(const struct place *w, uint32_t ahead, struct policy_arrival *out)
{
	const struct decider_conf *conf = &w->owner->conf;

	*out = (struct policy_arrival){
		.job = w->job,
		.device = w->device,
		.priority = w->priority,
		.connectable = w->connectable && !place_is_paused(w),
		.direct = w->connectable && conf->direct(w->device, conf->arg),
		.remaining = place_look(w).remaining,
		.ahead = ahead,
	};
}

/* What the policy is shown of a scope; arrays over its open places. */
struct picture {
	struct place **places;
	struct policy_tunnel *tunnels;
	const char **busy; /* devices that are awaited for other jobs */
	struct policy_arrival arrival;
	struct policy_input in;
};

static void picture_fini(struct picture *pic)
{
	free(pic->places);
	free(pic->tunnels);
	free(pic->busy);
}

static int picture_init(struct picture *pic, struct decider *c, const struct scope *s)
{
	size_t all = 0;
	struct place *p;

	memset(pic, 0, sizeof(*pic));
	pic->in.settings = &s->settings;
	LIST_FOREACH(p, &c->places, link)
		all++;
	pic->places = calloc(all + 1, sizeof(struct place *));
	pic->tunnels = calloc(all + 1, sizeof(struct policy_tunnel));
	pic->busy = calloc(all + 1, sizeof(char *));
	if (!pic->places || !pic->tunnels || !pic->busy)
		return -ENOMEM;
	LIST_FOREACH(p, &c->places, link) {
		if (p->state == PLACE_OPEN && in_scope(s, p)) {
			pic->places[pic->in.n] = p;
			fill_tunnel(p, &pic->tunnels[pic->in.n++]);
		} else if (place_is_awaited(p) && !c->conf.direct(p->device, c->conf.arg)) {
			pic->busy[pic->in.n_busy++] = p->device;
		}
	}
	pic->in.tunnels = pic->tunnels;
	pic->in.busy = pic->busy;
	pic->in.totals.tunnels = (uint32_t)pic->in.n;
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
	out->cpus = s->gateway[0] ? loads_cpus(c->loads, s->gateway) : 0;
	out->line_speed = s->gateway[0] ? loads_line(c->loads, s->gateway) : POLICY_LINE_UNKNOWN;
	out->line_settling = s->line_moved &&
			     loop_now(c->conf.loop) - s->line_moved < POLICY_LINE_INTERVAL;
	out->relieving = s->relieving;
}

static void keep_told(struct place *p, unsigned int layer, const struct policy_decision *d)
{
	if (p->told[layer] == (int)d->reason || p->move || d->reason == POLICY_R_BELOW_LIMIT)
		return;
	p->told[layer] = (int)d->reason;
	place_tell(p, SAPI_GW_KEEP, d);
}

static void carry_out(struct place **places, struct scope *s, const struct policy_result *r)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		const struct policy_decision *d = &r->v[i];
		struct place *p = places[d->index];

		if (p->state != PLACE_OPEN)
			continue; /* ended by what was carried out before */
		if (d->action == POLICY_MOVE && d->reason == POLICY_R_LINE_SPEED)
			s->line_moved = loop_now(p->owner->conf.loop);
		if (d->action == POLICY_MOVE || d->action == POLICY_SPLIT)
			place_move(p, d);
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
	struct policy_result result = { 0 };
	struct picture pic;
	int ret;

	ret = picture_init(&pic, c, s);
	if (ret)
		goto out;
	measure_totals(c, s, w, &pic.in.totals);
	if (w) {
		fill_arrival(w, ahead, &pic.arrival);
		pic.in.arrival = &pic.arrival;
	}
	ret = policy_run(&pic.in, &result);
	if (ret)
		goto out;
	s->relieving = result.relieving;
	if (out)
		*out = result.arrival;
	carry_out(pic.places, s, &result);
	policy_result_fini(&result);
out:
	if (ret)
		log_err("policy: %s: not run: %s", s->gateway[0] ? s->gateway : "-",
			shunt_strerror(ret));
	picture_fini(&pic);
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
	p->opened = loop_now(p->owner->conf.loop);
	p->told[0] = p->told[1] = NOT_TOLD;
}

static bool connect_first(struct place *w, struct policy_decision *d)
{
	size_t len = strlen(d->text);

	if (d->reason == POLICY_R_DIRECT) {
		if (!w->judged || w->reason != d->reason)
			place_tell(w, SAPI_GW_DIRECT, d); /* and the delivery is done with us */
		w->judged = true;
		w->reason = d->reason;
		return w->state != PLACE_WAITING;
	}
	snprintf(d->text + len, sizeof(d->text) - len, "; asked through a tunnel of its own");
	open_place(w);
	place_hold(w, d);
	w->ops->on_open(w->arg);
	return true;
}

static void wait_told(struct place *w, const struct policy_decision *d)
{
	if (w->judged && w->reason == d->reason)
		return;
	w->judged = true;
	w->reason = d->reason;
	place_tell(w, SAPI_GW_WAIT, d);
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
		place_tell(w, SAPI_GW_OPEN, &d);
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
		if (!ahead || !w->judged ||
		    (w->connectable && c->conf.direct(w->device, c->conf.arg))) {
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

/* Have the next run no later than the first deadline or end of a pause. */
static void set_wake(struct decider *c)
{
	uint64_t now = loop_now(c->conf.loop), first = UINT64_MAX;
	const struct pause *pause;
	const struct place *p;

	LIST_FOREACH(p, &c->places, link) {
		if ((p->move == MOVE_CONNECTED || p->state == PLACE_CUT) && p->deadline < first)
			first = p->deadline;
	}
	LIST_FOREACH(pause, &c->pauses, link)
		if (pause->until > now && pause->until < first)
			first = pause->until;
	if (first != UINT64_MAX)
		loop_timer_set(c->wake, first > now ? first - now : 0);
}

static void on_run(void *arg)
{
	struct decider *c = arg;
	struct scope *s;
	struct place *p;

	if (!c->n_busy)
		return;
	LIST_FOREACH(p, &c->places, link)
		if (p->move || p->state == PLACE_CUT)
			place_advance(p);
	if (c->conf.policy->count == COUNT_ALL)
		run_scope(c, &c->all);
	LIST_FOREACH(s, &c->gateways, link) {
		if (c->conf.policy->count == COUNT_PAIR)
			run_scope(c, s);
		else if (has_second_layer(c))
			judge(c, s, NULL, 0, NULL);
	}
	set_wake(c);
}

static void on_wake(void *arg)
{
	decider_run(arg);
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
	if (!busy || (set->when == WHEN_ALWAYS && !set->split))
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
	pauses_sweep(arg);
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
	if (p->state != PLACE_IDLE)
		place_idle(p);
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

void place_idle(struct place *p)
{
	place_move_clear(p);
	p->state = PLACE_IDLE;
	if (!--p->owner->n_busy)
		loop_timer_stop(p->owner->tick);
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
	/* The delivery has given up on the device before we did. */
	if (p->state == PLACE_CUT && !place_look(p).direct)
		place_leave_alone(p);
	if (p->move && p->move < MOVE_JOINED && p->due.cut_early && p->due_told) {
		if (p->move != MOVE_CONNECTED)
			p->deadline = loop_now(p->owner->conf.loop) +
				      p->owner->conf.policy->connect_timeout;
		place_move_clear(p);
		p->state = PLACE_CUT;
	} else {
		place_idle(p);
	}
	decider_run(p->owner);
}

void place_cancel(struct place *p)
{
	if (!p || p->state == PLACE_IDLE)
		return;
	if (p->state == PLACE_OPEN) {
		place_move_clear(p);
	} else {
		if (p->state == PLACE_WAITING)
			leave_queue(p);
		place_idle(p);
	}
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
		out->moving += place_is_awaited(p) || (p->move == MOVE_JOINED && !p->split);
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
	LIST_INIT(&c->pauses);
	TAILQ_INIT(&c->waiting);
	c->all.settings = *conf->policy;
	c->all.settings.cpu_high = c->all.settings.cpu_low = 0;
	c->all.settings.line_speed_low = c->all.settings.line_speed_high = 0;
	ret = loop_defer_new(conf->loop, on_run, c, &c->run);
	if (!ret)
		ret = loop_timer_new(conf->loop, on_tick, c, &c->tick);
	if (!ret)
		ret = loop_timer_new(conf->loop, on_wake, c, &c->wake);
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
	struct pause *pause;
	struct scope *s;

	if (!c)
		return;
	while ((pause = LIST_FIRST(&c->pauses))) {
		LIST_REMOVE(pause, link);
		free(pause);
	}
	while ((s = LIST_FIRST(&c->gateways))) {
		LIST_REMOVE(s, link);
		free(s);
	}
	loads_free(c->loads);
	loop_timer_free(c->tick);
	loop_timer_free(c->wake);
	loop_defer_free(c->run);
	free(c);
}
