// SPDX-License-Identifier: GPL-2.0-or-later

#include "gateway/controller.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/cpu.h"
#include "gateway/datapath.h"
#include "gateway/events.h"
#include "gateway/line.h"
#include "gateway/moves.h"
#include "gateway/record.h"
#include "gateway/tunnels.h"
#include "lib/digest.h"
#include "lib/log.h"
#include "lib/loop.h"

#define TICK_MS 1000 /* CPU use, line, counters, deadlines */
#define CARRIES_MIN 4096 /* bytes per tick; less is asking how the job is */

/* What a limit on tunnels is counted over: one for each cloud (count = pair), or one for all. */
struct scope {
	struct scope *next;
	char cloud[NAME_LEN]; /* "": all */
	uint32_t admitted; /* requests that need a slot and were not refused it */
	unsigned int relieving; /* policy's hysteresis for tunnels */
	uint32_t ahead; /* in a pass over the queue: those that have been passed */
	bool asked; /* in that pass: the policy has seen the present tunnels */
};

struct waiter {
	struct waiter *next, *prev;
	struct scope *scope;
	struct sapi_tunnel_open open; /* has a token: wiped */
	char cloud[NAME_LEN];
	struct arrival to; /* its h2 and callbacks */
	uint64_t arrived; /* boot ms since when it waits for a slot */
	bool admitted; /* had a decision, and was not refused */
	bool judged; /* had one since its circumstances changed */
	enum policy_reason reason; /* of it */
	bool failed; /* its device failed to connect: it needs a tunnel */
	struct move *move; /* its device is asked to connect: it needs no slot now */
};

struct controller {
	struct controller_deps deps;
	struct waiter *first, *last; /* higher priority first, then by arrival */
	struct scope *scopes; /* kept once made: clouds are few */
	struct moves *moves;
	bool stopped;
	unsigned int relieving; /* policy's hysteresis for CPU and line */
	struct loop_defer *run;
	struct loop_timer *tick;
	struct cpu_times cpu;
	uint32_t cpu_permille; /* POLICY_CPU_UNKNOWN before the second sample */
	uint32_t cpus;
	struct line *line;
	uint64_t line_moved; /* boot ms of the last move for the line, 0: none */
};

/* ---- telling ---- */

/* A decision about a tunnel, or (@spi 0) about a job without one. */
struct verdict {
	const char *cloud, *job;
	uint32_t spi;
	enum sapi_gateway_action action;
	const char *reason, *text;
	bool asked; /* a move that begins with a connect request */
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
	/* To cut early, or to hold the job meanwhile, is for those who are not connected yet. */
	ev.cut_early = v->asked && c->deps.conf->policy.cut == CUT_AFTER_REQUEST;
	ev.suspend = v->asked && c->deps.conf->policy.suspend;
	events_publish(c->deps.events, v->cloud, &ev);
	log_info("policy: %s: job %s: %s: %s: %s", v->cloud, v->job,
		 sapi_gateway_action_str(v->action), v->reason, v->text);
}

static void tell_tunnel(struct controller *c, const struct gw_tunnel *t,
			enum sapi_gateway_action action, const struct policy_decision *d)
{
	tell(c, &(struct verdict){ .cloud = t->cloud,
				   .job = t->job,
				   .spi = t->spi,
				   .action = action,
				   .reason = policy_reason_str(d->reason),
				   .text = d->text,
				   .asked = action == SAPI_GW_MOVE && !t->move->connected });
}

static void tell_waiter(struct controller *c, const struct waiter *w,
			enum sapi_gateway_action action, const char *reason, const char *text)
{
	tell(c, &(struct verdict){ .cloud = w->cloud,
				   .job = w->open.job,
				   .action = action,
				   .reason = reason,
				   .text = text });
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

static bool scope_has(const struct scope *s, const char *cloud)
{
	return !s->cloud[0] || strcmp(s->cloud, cloud) == 0;
}

/* That of @cloud; made when it is the first time. NULL: out of memory. */
static struct scope *scope_of(struct controller *c, const char *cloud)
{
	struct scope *s = c->scopes;

	while (s && !scope_has(s, cloud))
		s = s->next;
	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	if (c->deps.conf->policy.count == COUNT_PAIR)
		snprintf(s->cloud, sizeof(s->cloud), "%s", cloud);
	s->next = c->scopes;
	c->scopes = s;
	return s;
}

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

static void queue_remove(struct controller *c, struct waiter *w)
{
	*(w->prev ? &w->prev->next : &c->first) = w->next;
	*(w->next ? &w->next->prev : &c->last) = w->prev;
	if (w->move)
		moves_cancel(w->move);
	else
		w->scope->admitted -= w->admitted;
	secret_wipe(w, sizeof(*w));
	free(w);
}

/* It stays in the queue, for @reason. */
static void judged(struct waiter *w, enum policy_reason reason)
{
	w->scope->admitted += !w->admitted;
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

static void on_move_failed(struct move *m, const char *why, void *arg)
{
	struct controller *c = arg;

	if (m->tunnel) {
		tunnels_leaving(c->deps.tunnels, m->tunnel, false);
		m->tunnel->move = NULL;
		m->tunnel->decided = POLICY_R_MOVE_FAILED;
	}
	if (m->waiter) {
		m->waiter->move = NULL;
		m->waiter->scope->admitted++;
		m->waiter->failed = true;
		m->waiter->judged = false;
		m->waiter->arrived = clock_boot_ms(); /* it waits for a slot from now on */
	}
	tell_move_failed(c, m->cloud, m->job, m->spi, m->device, why);
	controller_run(c);
}

/* A split may be cut now. */
static void on_move_connected(struct move *m, void *arg)
{
	struct controller *c = arg;

	if (m->tunnel && !m->split)
		tunnels_leaving(c->deps.tunnels, m->tunnel, true);
	controller_run(c);
}

/* Ask the tunnel's device to connect; with @split to stay beside the tunnel. */
static void ask_tunnel(struct controller *c, struct gw_tunnel *t, const struct policy_decision *d,
		       bool split)
{
	const struct move_request r = { .job = t->job,
					.device = t->device,
					.cloud = t->cloud,
					.token = t->token,
					.cloud_address = &t->cloud_address,
					.host = &t->host,
					.agent_port = t->agent_port,
					.spi = t->spi,
					.split = split,
					.tunnel = t };
	int rc = moves_ask(c->moves, &r, &t->move);

	if (rc < 0) {
		t->decided = POLICY_R_MOVE_FAILED;
		tell_move_failed(c, t->cloud, t->job, t->spi, t->device, shunt_strerror(rc));
		return;
	}
	/* After the request has begun: who is told may cut at once. */
	tell_tunnel(c, t, split ? SAPI_GW_SPLIT : SAPI_GW_MOVE, d);
}

static void move_tunnel(struct controller *c, struct gw_tunnel *t, const struct policy_decision *d)
{
	t->decided = (int)d->reason;
	if (d->reason == POLICY_R_LINE_SPEED)
		c->line_moved = clock_boot_ms();
	if (t->move) { /* beside: connected already */
		moves_cut(t->move);
		tell_tunnel(c, t, SAPI_GW_MOVE, d);
	} else {
		ask_tunnel(c, t, d, false);
	}
}

/* The arriving job's own device connects: it needs no tunnel at all. */
static void move_waiter(struct controller *c, struct waiter *w, const struct policy_decision *d)
{
	const struct sapi_tunnel_open *o = &w->open;
	const struct move_request r = { .job = o->job,
					.device = o->device,
					.cloud = w->cloud,
					.token = o->connect.token,
					.cloud_address = &o->connect.address,
					.host = &o->host,
					.agent_port = o->connect.agent_port,
					.waiter = w };
	int rc;

	judged(w, d->reason);
	rc = moves_ask(c->moves, &r, &w->move);
	if (rc < 0) {
		tell_move_failed(c, w->cloud, o->job, 0, o->device, shunt_strerror(rc));
		w->failed = true;
		return;
	}
	w->scope->admitted--;
	tell_waiter(c, w, SAPI_GW_DIRECT, policy_reason_str(d->reason), d->text);
}

/* ---- one run of the policy ---- */

static void fill_tunnel(const struct controller *c, const struct gw_tunnel *t, uint64_t now,
			struct policy_tunnel *out)
{
	const struct move *m = t->move;

	*out = (struct policy_tunnel){
		.id = t->spi,
		.job = t->job,
		.device = t->device,
		.priority = t->priority,
		.connectable = t->connectable,
		.moving = m && !m->split,
		.splitting = m && m->split && !m->connected,
		.beside = m && m->split && m->connected,
		.failed = moves_paused(c->moves, t->device),
		.remaining = tunnel_remaining(t),
		.load_ns = t->load_ns,
		.age_ms = now - t->opened_boot,
	};
}

static void fill_arrival(const struct controller *c, const struct waiter *w, uint32_t ahead,
			 struct policy_arrival *out)
{
	*out = (struct policy_arrival){
		.job = w->open.job,
		.device = w->open.device,
		.priority = w->open.priority,
		.connectable = w->open.connectable && !w->failed &&
			       !moves_paused(c->moves, w->open.device),
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
		else if (d->action == POLICY_SPLIT)
			ask_tunnel(c, t, d, true);
		else if (relief)
			keep_told(c, t, d);
	}
}

/* One run of the policy: about which limits, and over which tunnels. */
struct question {
	struct scope *scope; /* whose tunnels */
	bool tunnels, load; /* limits on their number; on CPU and line */
	const struct waiter *w; /* who arrives, or NULL */
	uint32_t ahead;
};

/* What the policy is shown; arrays by tunnel. */
struct picture {
	struct policy_settings settings;
	struct policy_tunnel *v;
	struct gw_tunnel **by_index;
	const char **busy;
	struct policy_arrival arrival;
	struct policy_input in;
};

static void picture_fini(struct picture *p)
{
	free(p->busy);
	free(p->by_index);
	free(p->v);
}

static int picture_tunnels(struct controller *c, const struct question *q, struct picture *p)
{
	size_t n = tunnels_count(c->deps.tunnels), n_moves = 0;
	uint64_t now = clock_boot_ms();
	struct gw_tunnel *t;
	struct move *m;

	for (m = moves_first(c->moves); m; m = m->next)
		n_moves++;
	p->v = calloc(n + 1, sizeof(*p->v));
	p->by_index = calloc(n + 1, sizeof(struct gw_tunnel *));
	p->busy = calloc(n_moves + 1, sizeof(char *));
	if (!p->v || !p->by_index || !p->busy)
		return -ENOMEM;
	for (t = tunnels_first(c->deps.tunnels); t; t = t->next) {
		if (q->tunnels && !scope_has(q->scope, t->cloud))
			continue;
		p->by_index[p->in.n] = t;
		fill_tunnel(c, t, now, &p->v[p->in.n++]);
	}
	/* Moves of tunnels that are shown speak for themselves, but to name them twice is no harm. */
	for (m = moves_first(c->moves); m; m = m->next) {
		if (move_in_flight(m))
			p->busy[p->in.n_busy++] = m->device;
	}
	return 0;
}

static void picture_totals(struct controller *c, const struct question *q,
			   struct policy_totals *out)
{
	const struct waiter *w = q->w;

	*out = (struct policy_totals){ .cpu_permille = POLICY_CPU_UNKNOWN,
				       .cpus = c->cpus,
				       .line_speed = POLICY_LINE_UNKNOWN };
	if (q->load) {
		out->cpu_permille = c->cpu_permille;
		out->line_speed = line_speed(c->line);
		out->line_settling = c->line_moved &&
				     clock_boot_ms() - c->line_moved < POLICY_LINE_INTERVAL;
		out->relieving = c->relieving;
	}
	if (!q->tunnels)
		return;
	/*
	 * Those behind it that were not admitted yet must not crowd out a new one, nor one that
	 * was.
	 */
	out->waiting = q->scope->admitted - (w && w->admitted ? 1 : 0);
	out->waiting_max = w && !w->admitted ? c->deps.conf->wait_max : 0;
	out->relieving |= q->scope->relieving;
}

/* Put @q to the policy, begin the moves it wants, and leave its decision about q->w in @out. */
static int ask_policy(struct controller *c, const struct question *q, struct policy_decision *out)
{
	const unsigned int load = POLICY_RELIEVING_CPU | POLICY_RELIEVING_LINE;
	struct picture p = { .settings = c->deps.conf->policy };
	struct policy_result result = { 0 };
	int rc = picture_tunnels(c, q, &p);

	if (rc < 0)
		goto out;
	if (!q->tunnels) {
		p.settings.tunnels_high = p.settings.tunnels_low = 0;
		p.settings.when = WHEN_THRESHOLD;
	}
	p.in.settings = &p.settings;
	p.in.tunnels = p.v;
	p.in.busy = p.busy;
	picture_totals(c, q, &p.in.totals);
	p.in.totals.tunnels = (uint32_t)p.in.n;
	if (q->w) {
		fill_arrival(c, q->w, q->ahead, &p.arrival);
		p.in.arrival = &p.arrival;
	}
	rc = policy_run(&p.in, &result);
	if (rc < 0)
		goto out;
	if (q->load)
		c->relieving = result.relieving & load;
	if (q->tunnels)
		q->scope->relieving = result.relieving & ~load;
	*out = result.arrival;
	carry_out(c, p.by_index, &result, q->tunnels && result.relieving);
	policy_result_fini(&result);
out:
	if (rc < 0)
		log_err("policy: not run: %s", shunt_strerror(rc));
	picture_fini(&p);
	return rc;
}

/*
 * Ask the policy about @s's tunnels and waiter @w (NULL: about the tunnels alone). CPU and line are
 * the gateway's whatever its tunnels are counted over, so with count = pair that is a question of
 * its own, about all tunnels.
 */
static int judge(struct controller *c, struct scope *s, const struct waiter *w, uint32_t ahead,
		 struct policy_decision *out)
{
	const struct policy_settings *p = &c->deps.conf->policy;
	struct question q = { .scope = s, .w = w, .ahead = ahead };
	int rc;

	s->asked = true;
	q.tunnels = q.load = p->count == COUNT_ALL;
	if (q.tunnels)
		return ask_policy(c, &q, out);
	if (p->cpu_high || p->line_speed_low) {
		q.load = true;
		rc = ask_policy(c, &q, out);
		if (rc < 0 || out->action == POLICY_DIRECT)
			return rc;
		q.load = false;
	}
	q.tunnels = true;
	return ask_policy(c, &q, out);
}

/* ---- requests ---- */

/*
 * Open @w's tunnel, as @d decided (NULL: the cloud decides), and take it off the queue. -EAGAIN: it
 * has to wait after all.
 */
static int open_tunnel(struct controller *c, struct waiter *w, const struct policy_decision *d)
{
	struct arrival to = w->to;
	struct gw_tunnel *t = NULL;
	struct err e = { 0 };
	int rc = tunnels_open(c->deps.tunnels, &w->open, w->cloud, w->to.h2, &t, &e);

	if (rc == -EAGAIN && d) {
		if (!w->judged)
			tell_waiter(c, w, SAPI_GW_WAIT, policy_reason_str(POLICY_R_TUNNEL_LIMIT),
				    err_text(&e));
		judged(w, POLICY_R_TUNNEL_LIMIT);
		return rc;
	}
	if (rc < 0) {
		log_err("tunnel: %s: job %s: not opened: %s", w->cloud, w->open.job, err_text(&e));
		refuse(c, w, rc == -EAGAIN ? "no-slot" : "tunnel-failed", err_text(&e));
		return rc;
	}
	if (d)
		tell_tunnel(c, t, SAPI_GW_OPEN, d);
	queue_remove(c, w);
	to.on_opened(t, to.arg);
	return 0;
}

static void wait_told(struct controller *c, struct waiter *w, const struct policy_decision *d)
{
	if (w->judged && w->reason == d->reason)
		return;
	judged(w, d->reason);
	tell_waiter(c, w, SAPI_GW_WAIT, policy_reason_str(d->reason), d->text);
}

/* Who waits and would have to go for @w, were the queue full: the last of lower priority. */
static struct waiter *least(struct controller *c, const struct waiter *w)
{
	struct waiter *v;

	for (v = c->last; v && v->open.priority < w->open.priority; v = v->prev)
		if (v->admitted && needs_slot(v) && v->scope == w->scope)
			return v;
	return NULL;
}

static bool queue_full(struct controller *c, struct waiter *w, const struct policy_decision *d)
{
	struct waiter *v = least(c, w);

	refuse(c, v ? v : w, policy_reason_str(d->reason),
	       v ? "its place is needed by a job of higher priority" : d->text);
	return true;
}

/* Decide about @w. True when the queue changed. */
static bool settle(struct controller *c, struct waiter *w)
{
	struct policy_decision d;

	if (judge(c, w->scope, w, w->scope->ahead, &d) < 0)
		return false;
	switch (d.action) {
	case POLICY_OPEN:
		return open_tunnel(c, w, &d) != -EAGAIN;
	case POLICY_DIRECT:
		move_waiter(c, w, &d);
		return w->move != NULL;
	case POLICY_REFUSE:
		return queue_full(c, w, &d);
	default:
		wait_told(c, w, &d);
		return false;
	}
}

/* One pass over the queue: its head and those without a decision yet. True when it changed. */
static bool pass(struct controller *c)
{
	struct scope *s;
	struct waiter *w;

	for (s = c->scopes; s; s = s->next) {
		s->asked = false;
		s->ahead = 0;
	}
	for (w = c->first; w; w = w->next) {
		if (!needs_slot(w))
			continue;
		if ((w->scope->ahead == 0 || !w->judged) && settle(c, w))
			return true;
		w->scope->ahead++;
	}
	return false;
}

static void on_run(void *arg)
{
	struct controller *c = arg;
	struct policy_decision unused;
	struct scope *s;

	if (c->stopped)
		return;
	if (c->deps.conf->policy.decide == DECIDE_CLOUD) {
		while (c->first)
			open_tunnel(c, c->first, NULL);
		return;
	}
	while (pass(c))
		;
	/* The policy has not seen the present tunnels unless it was asked about one who waits. */
	for (s = c->scopes; s; s = s->next) {
		if (!s->asked)
			judge(c, s, NULL, 0, &unused);
	}
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
	w->scope = scope_of(c, a->cloud);
	if (!w->scope) {
		free(w);
		return -ENOMEM;
	}
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

void controller_told(struct controller *c, const struct gw_tunnel *t)
{
	/* No request of this run has made it yet, perhaps; without memory the next one does. */
	scope_of(c, t->cloud);
	controller_run(c);
}

void controller_closed(struct controller *c, struct gw_tunnel *t)
{
	if (t->move)
		moves_tunnel_gone(t->move);
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

/* Have tunnels moved content since the last time? */
static bool tunnels_carry(struct controller *c)
{
	struct gw_tunnel *t;
	bool carry = false;

	for (t = tunnels_first(c->deps.tunnels); t; t = t->next) {
		uint64_t bytes = t->rx.bytes + t->tx.bytes;

		carry |= tunnel_remaining(t) && bytes >= t->carried + CARRIES_MIN;
		t->carried = bytes;
	}
	return carry;
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
	moves_sweep(c->moves);
	if (tunnels_count(c->deps.tunnels) && tunnels_refresh(c->deps.tunnels, &e) < 0)
		log_limited("counters", LOG_LVL_ERR, "datapath: counters: %s", err_text(&e));
	/* Without tunnels only until the last figure is void. */
	if (tunnels_count(c->deps.tunnels) || line_speed(c->line) != LINE_UNKNOWN)
		line_sample(c->line, tunnels_carry(c));
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
		.cpus = c->cpus,
		.datapath_permille = load.cpu_permille > 1000 ? 1000 : load.cpu_permille,
		.pps = load.pps,
		.line_speed = line_speed(c->line),
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
	rc = moves_new(&(struct moves_deps){ .loop = deps->loop,
					     .conf = deps->conf,
					     .tls = deps->tls,
					     .on_failed = on_move_failed,
					     .on_connected = on_move_connected,
					     .arg = c },
		       &c->moves);
	if (rc == 0)
		rc = line_new(deps->conf->line, &deps->conf->manager.addr, &c->line);
	if (rc == 0)
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
	moves_set_tls(c->moves, tls);
}

void controller_free(struct controller *c)
{
	struct gw_tunnel *t;
	struct scope *s;

	if (!c)
		return;
	while (c->first)
		queue_remove(c, c->first);
	for (t = tunnels_first(c->deps.tunnels); t; t = t->next)
		t->move = NULL;
	moves_free(c->moves);
	while ((s = c->scopes)) {
		c->scopes = s->next;
		free(s);
	}
	line_free(c->line);
	loop_timer_free(c->tick);
	loop_defer_free(c->run);
	free(c);
}
