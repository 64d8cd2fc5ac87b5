// SPDX-License-Identifier: GPL-2.0-or-later
/* policy: which tunnels to move, and what to do with an arriving job. */
#include "lib/policy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct enum_name policy_decide_names[] = {
	{ DECIDE_GATEWAY, "gateway" },
	{ DECIDE_CLOUD, "cloud" },
	{ 0, NULL },
};

const struct enum_name policy_when_names[] = {
	{ WHEN_THRESHOLD, "threshold" },
	{ WHEN_ALWAYS, "always" },
	{ 0, NULL },
};

const struct enum_name policy_select_names[] = {
	{ SELECT_PRIORITY, "priority" },
	{ SELECT_RELIEF, "relief" },
	{ 0, NULL },
};

const struct enum_name policy_cut_names[] = {
	{ CUT_AFTER_CONNECT, "after-connect" },
	{ CUT_AFTER_REQUEST, "after-request" },
	{ 0, NULL },
};

const struct enum_name policy_delivery_names[] = {
	{ DELIVERY_PUSH, "push" },
	{ DELIVERY_PULL, "pull" },
	{ 0, NULL },
};

const struct enum_name policy_count_names[] = {
	{ COUNT_PAIR, "pair" },
	{ COUNT_ALL, "all" },
	{ 0, NULL },
};

const struct enum_name policy_action_names[] = {
	{ POLICY_OPEN, "open" },     { POLICY_WAIT, "wait" },
	{ POLICY_DIRECT, "direct" }, { POLICY_REFUSE, "refuse" },
	{ POLICY_MOVE, "move" },     { POLICY_KEEP, "keep" },
	{ POLICY_SPLIT, "split" },   { 0, NULL },
};

const struct enum_name policy_reason_names[] = {
	{ POLICY_R_BELOW_LIMIT, "below-limit" },
	{ POLICY_R_ALWAYS, "always" },
	{ POLICY_R_TUNNEL_LIMIT, "tunnel-limit" },
	{ POLICY_R_CPU_LIMIT, "cpu-limit" },
	{ POLICY_R_NOT_CONNECTABLE, "not-connectable" },
	{ POLICY_R_MOVE_IN_FLIGHT, "move-in-flight" },
	{ POLICY_R_CLOSING, "closing" },
	{ POLICY_R_NEARLY_DONE, "nearly-done" },
	{ POLICY_R_MOVE_FAILED, "move-failed" },
	{ POLICY_R_ENOUGH, "enough" },
	{ POLICY_R_DIRECT, "direct-connection" },
	{ POLICY_R_NO_RELIEF, "no-relief" },
	{ POLICY_R_QUEUE_FULL, "queue-full" },
	{ POLICY_R_LINE_SPEED, "line-speed" },
	{ POLICY_R_BESIDE, "beside" },
	{ 0, NULL },
};

const char *policy_action_str(enum policy_action a)
{
	return enum_str(policy_action_names, (int)a);
}

const char *policy_reason_str(enum policy_reason r)
{
	return enum_str(policy_reason_names, (int)r);
}

int policy_settings_check(struct policy_settings *s, enum policy_decide whose, struct err *e)
{
	if (!s->tunnels_low)
		s->tunnels_low = s->tunnels_high;
	if (!s->line_speed_high)
		s->line_speed_high = s->line_speed_low;
	if (!s->cpu_low)
		s->cpu_low = s->cpu_high;
	if (s->tunnels_low > s->tunnels_high)
		return err_set(e, -SHUNT_ECONF, "policy: tunnels-low: %u is above tunnels-high %u",
			       s->tunnels_low, s->tunnels_high);
	if (s->cpu_low > s->cpu_high)
		return err_set(e, -SHUNT_ECONF, "policy: cpu-low: %u is above cpu-high %u",
			       s->cpu_low, s->cpu_high);
	if (s->line_speed_low > s->line_speed_high)
		return err_set(e, -SHUNT_ECONF, "policy: line-speed-low: is above line-speed-high");
	if (whose == DECIDE_GATEWAY && s->delivery != DELIVERY_PUSH)
		return err_set(e, -SHUNT_ECONF,
			       "policy: delivery: is the cloud's setting, not a gateway's");
	return 0;
}

/* ---- a set of device codes: devices that have a move in flight ---- */

struct devset {
	const char **slot; /* open addressing, NULL = free */
	size_t mask;
};

static int devset_init(struct devset *d, size_t n)
{
	size_t size = 8;

	while (size < 2 * n + 2)
		size *= 2;
	d->mask = size - 1;
	d->slot = calloc(size, sizeof(*d->slot));
	return d->slot ? 0 : -ENOMEM;
}

/* The slot that holds @code, or the free one where it belongs. */
static const char **devset_find(const struct devset *d, const char *code)
{
	size_t h = 5381;

	for (const char *p = code; *p; p++)
		h = h * 33 + (unsigned char)*p;
	while (d->slot[h & d->mask] && strcmp(d->slot[h & d->mask], code))
		h++;
	return &d->slot[h & d->mask];
}

/* ---- one run ---- */

/* One tunnel that may be moved. */
struct cand {
	const struct policy_tunnel *t;
	size_t index;
};

struct run {
	const struct policy_input *in;
	const struct policy_settings *s;
	struct policy_result *out;
	struct policy_decision *rest; /* decisions other than moves, in input order */
	size_t n_rest;
	struct cand *cand; /* best first */
	size_t n_cand;
	struct devset busy;
	size_t pending; /* tunnels that go away without our doing: moving or closing */
	size_t splitting; /* tunnels that can be cut soon */
	uint64_t pending_ns; /* CPU they will no longer cost */
	uint32_t needed; /* slots asked for beyond the tunnels that exist */
	size_t moves; /* decided in this run */
	uint32_t move_count; /* tunnels to move because of their number */
	uint64_t move_ns; /* CPU ns per second still to shed */
	uint32_t move_line; /* tunnels to move because of the line */
	bool over_tunnels, over_cpu, over_line;
};

/* Larger first; among equals the bytes still to come decide, then the id: the order is total. */
static int by_relief(const struct policy_tunnel *a, const struct policy_tunnel *b)
{
	if (a->load_ns != b->load_ns)
		return a->load_ns > b->load_ns ? -1 : 1;
	if (a->remaining != b->remaining)
		return a->remaining > b->remaining ? -1 : 1;
	return 0;
}

static int by_id(const struct cand *a, const struct cand *b)
{
	if (a->t->id != b->t->id)
		return a->t->id < b->t->id ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

/* Who is connected already loses nothing by the cut of its tunnel, so it goes before all others. */
static int by_cost(const struct policy_tunnel *a, const struct policy_tunnel *b)
{
	return b->beside - a->beside;
}

/* Claims 4-5: the job of the lowest priority first; ties by greatest relief. */
static int cmp_priority(const void *pa, const void *pb)
{
	const struct cand *a = pa, *b = pb;
	int c = by_cost(a->t, b->t);

	if (c)
		return c;
	if (a->t->priority != b->t->priority)
		return a->t->priority < b->t->priority ? -1 : 1;
	c = by_relief(a->t, b->t);
	return c ? c : by_id(a, b);
}

static int cmp_relief(const void *pa, const void *pb)
{
	const struct cand *a = pa, *b = pb;
	int c = by_cost(a->t, b->t);

	if (!c)
		c = by_relief(a->t, b->t);
	if (c)
		return c;
	if (a->t->priority != b->t->priority)
		return a->t->priority < b->t->priority ? -1 : 1;
	return by_id(a, b);
}

__attribute__((format(printf, 4, 5))) static void decide(struct policy_decision *d,
							 enum policy_action action,
							 enum policy_reason reason, const char *fmt,
							 ...)
{
	va_list ap;

	d->action = action;
	d->reason = reason;
	va_start(ap, fmt);
	vsnprintf(d->text, sizeof(d->text), fmt, ap);
	va_end(ap);
}

static struct policy_decision *keep_slot(struct run *r, size_t index)
{
	struct policy_decision *d = &r->rest[r->n_rest++];

	d->index = index;
	d->tunnel = r->in->tunnels[index].id;
	return d;
}

/*
 * Too little left to be worth a connection. Whatever the settings say, nothing left is too little:
 * such a job is being executed, and a move would only ask its device for a connection to carry
 * nothing.
 */
static bool nearly_done(const struct run *r, uint64_t remaining)
{
	return remaining == 0 ||
	       (remaining != POLICY_REMAINING_UNKNOWN && remaining < r->s->min_remaining);
}

/* Why a connect request for tunnel @i makes no sense, as a finished decision; false when it does. */
static bool not_asked(struct run *r, size_t i)
{
	const struct policy_tunnel *t = &r->in->tunnels[i];

	if (!t->connectable)
		decide(keep_slot(r, i), POLICY_KEEP, POLICY_R_NOT_CONNECTABLE,
		       "device %s cannot connect", t->device);
	else if (t->failed)
		decide(keep_slot(r, i), POLICY_KEEP, POLICY_R_MOVE_FAILED,
		       "device %s failed to connect lately", t->device);
	else if (!t->remaining)
		decide(keep_slot(r, i), POLICY_KEEP, POLICY_R_NEARLY_DONE, "nothing left to carry");
	else if (nearly_done(r, t->remaining))
		decide(keep_slot(r, i), POLICY_KEEP, POLICY_R_NEARLY_DONE,
		       "%" PRIu64 " bytes left < %" PRIu64, t->remaining, r->s->min_remaining);
	else
		return false;
	return true;
}

/* Why tunnel @i cannot be moved, as a finished decision; false when it can. */
static bool exclude(struct run *r, size_t i)
{
	const struct policy_tunnel *t = &r->in->tunnels[i];

	if (t->moving)
		decide(keep_slot(r, i), POLICY_KEEP, POLICY_R_MOVE_IN_FLIGHT,
		       "its move is in flight");
	else if (t->closing)
		decide(keep_slot(r, i), POLICY_KEEP, POLICY_R_CLOSING, "it is closing");
	else if (t->splitting)
		decide(keep_slot(r, i), POLICY_KEEP, POLICY_R_MOVE_IN_FLIGHT,
		       "its device is about to connect");
	else if (!t->beside && not_asked(r, i))
		return true;
	else if (*devset_find(&r->busy, t->device))
		decide(keep_slot(r, i), POLICY_KEEP, POLICY_R_MOVE_IN_FLIGHT,
		       "another move to device %s is in flight", t->device);
	else
		return false;
	return true;
}

static void collect(struct run *r)
{
	const struct policy_input *in = r->in;

	for (size_t i = 0; i < in->n_busy; i++)
		*devset_find(&r->busy, in->busy[i]) = in->busy[i];
	for (size_t i = 0; i < in->n; i++) {
		const struct policy_tunnel *t = &in->tunnels[i];

		if (t->moving || t->splitting)
			*devset_find(&r->busy, t->device) = t->device;
		if (t->moving || t->closing) {
			r->pending++;
			r->pending_ns += t->load_ns;
		}
		r->splitting += t->splitting && !t->moving && !t->closing;
	}
	for (size_t i = 0; i < in->n; i++) {
		if (!exclude(r, i))
			r->cand[r->n_cand++] = (struct cand){ &in->tunnels[i], i };
	}
	qsort(r->cand, r->n_cand, sizeof(*r->cand),
	      r->s->select == SELECT_RELIEF ? cmp_relief : cmp_priority);
}

/*
 * Compare with the limits. A job that waits, or arrives and needs a tunnel, counts before its
 * tunnel exists (#809); tunnels that are going away anyway do not count as excess.
 */
static void measure_tunnels(struct run *r)
{
	const struct policy_totals *tot = &r->in->totals;
	const struct policy_settings *s = r->s;
	bool relieving = tot->relieving & POLICY_RELIEVING_TUNNELS;
	uint64_t want;

	r->needed = tot->waiting + (r->in->arrival && !r->in->arrival->direct);
	want = (uint64_t)tot->tunnels + r->needed;
	r->over_tunnels = s->tunnels_high &&
			  (want > s->tunnels_high || (relieving && want > s->tunnels_low));
	if (r->over_tunnels && want > s->tunnels_low + r->pending) {
		want -= s->tunnels_low + r->pending;
		r->move_count = want > UINT32_MAX ? UINT32_MAX : (uint32_t)want;
	}
}

static void measure_cpu(struct run *r)
{
	const struct policy_totals *tot = &r->in->totals;
	const struct policy_settings *s = r->s;
	bool relieving = tot->relieving & POLICY_RELIEVING_CPU;
	uint64_t want;

	if (!s->cpu_high || tot->cpu_permille == POLICY_CPU_UNKNOWN)
		return;
	r->over_cpu = tot->cpu_permille >= s->cpu_high ||
		      (relieving && tot->cpu_permille >= s->cpu_low);
	if (r->over_cpu) {
		/* One permille of one CPU is 10^6 ns per second; down to just below the mark. */
		want = (uint64_t)(tot->cpu_permille - s->cpu_low + 1) * 1000000u *
		       (tot->cpus ? tot->cpus : 1);
		r->move_ns = want > r->pending_ns ? want - r->pending_ns : 0;
	}
}

static void measure_line(struct run *r)
{
	const struct policy_totals *tot = &r->in->totals;
	const struct policy_settings *s = r->s;
	bool relieving = tot->relieving & POLICY_RELIEVING_LINE;

	if (!s->line_speed_low || tot->line_speed == POLICY_LINE_UNKNOWN)
		return;
	r->over_line = tot->line_speed <= s->line_speed_low ||
		       (relieving && tot->line_speed <= s->line_speed_high);
	r->move_line = r->over_line && !r->pending && !tot->line_settling;
}

/* The limit that asks for relief: "tunnels 2+1 > limit 2", "cpu 912 >= 800 permille", ... */
static void limit_text(const struct run *r, enum policy_reason limit, char *out, size_t n)
{
	const struct policy_totals *tot = &r->in->totals;
	const struct policy_settings *s = r->s;
	uint64_t want = (uint64_t)tot->tunnels + r->needed;

	if (limit == POLICY_R_CPU_LIMIT)
		snprintf(out, n, "cpu %u >= %u permille", tot->cpu_permille,
			 tot->cpu_permille >= s->cpu_high ? s->cpu_high : s->cpu_low);
	else if (limit == POLICY_R_LINE_SPEED)
		snprintf(out, n, "line %" PRIu64 " kbit/s <= %" PRIu64 " kbit/s",
			 tot->line_speed / 1000,
			 (tot->line_speed <= s->line_speed_low ? s->line_speed_low :
								 s->line_speed_high) /
				 1000);
	else if (want > s->tunnels_high)
		snprintf(out, n, "tunnels %u+%u > limit %u", tot->tunnels, r->needed,
			 s->tunnels_high);
	else
		snprintf(out, n, "tunnels %u+%u > low mark %u", tot->tunnels, r->needed,
			 s->tunnels_low);
}

/* What made this candidate the best of those left. */
static void choice_text(const struct run *r, size_t i, char *out, size_t n)
{
	const struct policy_tunnel *t = r->cand[i].t;
	const struct policy_tunnel *next = i + 1 < r->n_cand ? r->cand[i + 1].t : NULL;

	if (t->beside)
		snprintf(out, n, "device %s is connected, priority %u of %zu movable", t->device,
			 t->priority, r->n_cand - i);
	else if (r->s->select == SELECT_PRIORITY && (!next || next->priority != t->priority))
		snprintf(out, n, "lowest priority %u of %zu movable", t->priority, r->n_cand - i);
	else if (t->load_ns)
		snprintf(out, n, "greatest relief %" PRIu64 " us/s at priority %u of %zu movable",
			 t->load_ns / 1000, t->priority, r->n_cand - i);
	else
		snprintf(out, n, "most left to carry at priority %u of %zu movable", t->priority,
			 r->n_cand - i);
}

/* Candidate @i's device is to connect, or was, for @action. */
static void act(struct run *r, size_t i, enum policy_action action, enum policy_reason reason)
{
	const struct policy_tunnel *t = r->cand[i].t;
	struct policy_decision *d = &r->out->v[r->out->n++];
	char limit[64], choice[96];

	d->index = r->cand[i].index;
	d->tunnel = t->id;
	*devset_find(&r->busy, t->device) = t->device;
	if (reason == POLICY_R_ALWAYS) {
		decide(d, action, reason, "device %s can connect", t->device);
	} else {
		limit_text(r, reason, limit, sizeof(limit));
		choice_text(r, i, choice, sizeof(choice));
		decide(d, action, reason, "%s; %s", limit, choice);
	}
	if (action != POLICY_MOVE)
		return;
	r->moves++;
	r->move_count -= r->move_count > 0;
	r->move_line -= r->move_line > 0;
	r->move_ns -= t->load_ns < r->move_ns ? t->load_ns : r->move_ns;
}

/* What is to become of candidate @i, and why. */
static enum policy_action wanted(const struct run *r, size_t i, enum policy_reason *why)
{
	const struct policy_tunnel *t = r->cand[i].t;
	bool always = r->s->when == WHEN_ALWAYS;

	*why = POLICY_R_ALWAYS;
	if (always && !r->s->split)
		return POLICY_MOVE;
	*why = POLICY_R_TUNNEL_LIMIT;
	if (r->move_count)
		return POLICY_MOVE;
	/* A tunnel that costs nothing now would not relieve the CPU. */
	*why = POLICY_R_CPU_LIMIT;
	if (r->move_ns && t->load_ns)
		return POLICY_MOVE;
	*why = POLICY_R_LINE_SPEED;
	if (r->move_line)
		return POLICY_MOVE;
	*why = POLICY_R_BESIDE;
	if (t->beside)
		return POLICY_KEEP;
	/* Claims 2-3: no limit needs its slot, so it is not cut. */
	*why = POLICY_R_ALWAYS;
	if (always)
		return POLICY_SPLIT;
	*why = r->move_ns				      ? POLICY_R_NO_RELIEF :
	       r->over_tunnels || r->over_cpu || r->over_line ? POLICY_R_ENOUGH :
								POLICY_R_BELOW_LIMIT;
	return POLICY_KEEP;
}

static const char *keep_text(enum policy_reason why)
{
	switch (why) {
	case POLICY_R_BELOW_LIMIT:
		return "no limit is passed";
	case POLICY_R_NO_RELIEF:
		return "it costs no CPU time now";
	case POLICY_R_BESIDE:
		return "tunnel and connection are used together, and its slot is not needed";
	default:
		return "moving others is enough";
	}
}

static void choose(struct run *r)
{
	for (size_t i = 0; i < r->n_cand; i++) {
		const struct policy_tunnel *t = r->cand[i].t;
		enum policy_action action;
		enum policy_reason why;

		/*
		 * Claims 4-5: of several jobs of one device that of the lowest priority came first,
		 * and the device connects for it alone; the others follow when that is over.
		 */
		if (*devset_find(&r->busy, t->device)) {
			decide(keep_slot(r, r->cand[i].index), POLICY_KEEP, POLICY_R_MOVE_IN_FLIGHT,
			       "another move to device %s goes first", t->device);
			continue;
		}
		action = wanted(r, i, &why);
		if (action == POLICY_KEEP)
			decide(keep_slot(r, r->cand[i].index), POLICY_KEEP, why, "%s",
			       keep_text(why));
		else
			act(r, i, action, why);
	}
}

/* Should the arriving job itself be the one that gets no tunnel? */
static bool arrival_connects(const struct run *r)
{
	const struct policy_arrival *a = r->in->arrival;

	if (!a->connectable || nearly_done(r, a->remaining))
		return false;
	if (*devset_find(&r->busy, a->device))
		return false;
	/* A slot that costs nothing is there for the taking. */
	if (r->n_cand && r->cand[0].t->beside)
		return false;
	/*
	 * It has nothing to be moved yet, so among equals it is the cheapest choice; a running job
	 * of lower priority still goes before it.
	 */
	return !r->n_cand || r->s->select == SELECT_RELIEF || a->priority <= r->cand[0].t->priority;
}

/* A slot for the arrival: its limit passed, what now? */
static void arrival_waits(struct run *r, struct policy_decision *d)
{
	char limit[64];

	limit_text(r, POLICY_R_TUNNEL_LIMIT, limit, sizeof(limit));
	if (r->moves)
		decide(d, POLICY_WAIT, POLICY_R_TUNNEL_LIMIT, "%s; waits for %zu to be moved",
		       limit, r->moves);
	else if (r->pending)
		decide(d, POLICY_WAIT, POLICY_R_MOVE_IN_FLIGHT,
		       "%s; waits for %zu moving or closing", limit, r->pending);
	else if (r->splitting)
		decide(d, POLICY_WAIT, POLICY_R_MOVE_IN_FLIGHT,
		       "%s; waits for the devices of %zu to connect", limit, r->splitting);
	else
		decide(d, POLICY_WAIT, POLICY_R_NO_RELIEF,
		       "%s; none can be moved, waits for one to end", limit);
}

/*
 * The arrival's decision where it is to get no tunnel; false when it is to get one, now or later.
 * Before choose(), because a job that needs no slot takes one off the moves.
 */
static bool arrival_settled(struct run *r, struct policy_decision *d)
{
	const struct policy_arrival *a = r->in->arrival;
	const struct policy_totals *tot = &r->in->totals;
	bool full = r->s->tunnels_high && (uint64_t)tot->tunnels + a->ahead >= r->s->tunnels_high;
	enum policy_reason over = full	      ? POLICY_R_TUNNEL_LIMIT :
				  r->over_cpu ? POLICY_R_CPU_LIMIT :
						POLICY_R_LINE_SPEED;
	char limit[64];

	if (a->direct) {
		decide(d, POLICY_DIRECT, POLICY_R_DIRECT, "device %s is connected", a->device);
		return true;
	}
	limit_text(r, over, limit, sizeof(limit));
	if ((full || r->over_cpu || r->over_line) && arrival_connects(r)) {
		decide(d, POLICY_DIRECT, over, "%s; device %s can connect, priority %u", limit,
		       a->device, a->priority);
		*devset_find(&r->busy, a->device) = a->device;
	} else if (full && tot->waiting_max && tot->waiting >= tot->waiting_max) {
		decide(d, POLICY_REFUSE, POLICY_R_QUEUE_FULL, "%s; %u jobs wait already", limit,
		       tot->waiting);
	} else {
		return false;
	}
	r->move_count -= r->move_count > 0;
	return true;
}

static void arrival_tunnel(struct run *r, struct policy_decision *d)
{
	const struct policy_totals *tot = &r->in->totals;

	if (!r->s->tunnels_high)
		decide(d, POLICY_OPEN, POLICY_R_BELOW_LIMIT, "no limit on tunnels");
	else if ((uint64_t)tot->tunnels + r->in->arrival->ahead < r->s->tunnels_high)
		decide(d, POLICY_OPEN, POLICY_R_BELOW_LIMIT, "tunnels %u+1 <= limit %u",
		       tot->tunnels, r->s->tunnels_high);
	else
		arrival_waits(r, d);
}

int policy_run(const struct policy_input *in, struct policy_result *out)
{
	struct run r = { .in = in, .s = in->settings, .out = out };
	bool settled = true;
	int ret = -ENOMEM;

	*out = (struct policy_result){ .arrival = { .index = SIZE_MAX } };
	out->v = calloc(in->n + 1, sizeof(*out->v));
	r.rest = calloc(in->n + 1, sizeof(*r.rest));
	r.cand = calloc(in->n + 1, sizeof(*r.cand));
	if (!out->v || !r.rest || !r.cand || devset_init(&r.busy, in->n + in->n_busy + 1))
		goto out;
	collect(&r);
	measure_tunnels(&r);
	measure_cpu(&r);
	measure_line(&r);
	if (in->arrival)
		settled = arrival_settled(&r, &out->arrival);
	choose(&r);
	if (!settled)
		arrival_tunnel(&r, &out->arrival);
	memcpy(out->v + out->n, r.rest, r.n_rest * sizeof(*r.rest));
	out->n += r.n_rest;
	out->relieving = (r.over_tunnels ? POLICY_RELIEVING_TUNNELS : 0) |
			 (r.over_cpu ? POLICY_RELIEVING_CPU : 0) |
			 (r.over_line ? POLICY_RELIEVING_LINE : 0);
	ret = 0;
out:
	free(r.rest);
	free(r.cand);
	free(r.busy.slot);
	if (ret)
		policy_result_fini(out);
	return ret;
}

void policy_result_fini(struct policy_result *r)
{
	free(r->v);
	r->v = NULL;
	r->n = 0;
}
