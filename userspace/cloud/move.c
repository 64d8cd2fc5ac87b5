// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/move.h"

#include <stdio.h>
#include <string.h>

#include "cloud/cloud.h"
#include "cloud/direct.h"
#include "cloud/gateways.h"
#include "cloud/jobs.h"
#include "cloud/outward.h"
#include "cloud/path.h"
#include "cloud/token.h"
#include "cloud/transfer.h"
#include "lib/h2.h"
#include "lib/loop.h"

static uint64_t patience_ms(const struct delivery *d)
{
	/* The decider gives up first, if it lives; and so does a device that asks only when connected. */
	return 3 * d->cloud->conf->policy.connect_timeout;
}

/* ---- the two legs ---- */

static void leg_take_bytes(struct leg *leg)
{
	if (leg->path)
		delivery_add_bytes(leg->delivery, leg->idx, path_bytes(leg->path));
}

void leg_drop(struct leg *leg)
{
	leg_take_bytes(leg);
	if (leg->path && path_pulls(leg->path))
		leg->delivery->pulls = true;
	path_free(leg->path);
	leg->path = NULL;
}

void direct_close(struct delivery *d, const char *reason, const char *text)
{
	if (d->via_direct.path) {
		leg_drop(&d->via_direct);
		delivery_path_state(d, d->via_direct.idx, PATH_CLOSED, reason);
		job_event(d->job, "path-closed", PATH_DIRECT, reason, "%s", text);
		decider_run(d->cloud->decider);
	}
	if (d->using_direct)
		directs_unuse(d->cloud->directs, job_row(d->job)->device);
	d->using_direct = false;
}

bool leg_sends(const struct leg *leg)
{
	return leg->path && (path_get_state(leg->path) == PATH_ACTIVE ||
			     path_get_state(leg->path) == PATH_DRAINING);
}

/* Has it, active or not yet, anything to finish? */
static bool leg_carries(const struct leg *leg)
{
	return leg_sends(leg) ||
	       (leg->path && (path_in_flight(leg->path) || path_bytes(leg->path)));
}

static bool tunnel_lives(const struct delivery *d)
{
	return d->tunnel && !d->tunnel_reason[0];
}

/* ---- off the tunnel ---- */

static void tunnel_drain(struct delivery *d, const char *reason)
{
	path_drain(d->via_tunnel.path);
	delivery_path_state(d, d->tunnel_idx, PATH_DRAINING, reason);
	job_event(d->job, "path-draining", PATH_TUNNEL, reason,
		  "the tunnel gets no more segments; %llu bytes are in flight in it",
		  (unsigned long long)path_in_flight(d->via_tunnel.path));
}

/* The device is reached directly: the tunnel has done its work (seed: #709). */
static void move_off_tunnel(struct delivery *d)
{
	bool draining = leg_sends(&d->via_tunnel) &&
			path_get_state(d->via_tunnel.path) == PATH_DRAINING;

	tokens_revoke(d->cloud->tokens, delivery_job_id(d));
	if (!tunnel_lives(d) && !d->move.was_cut)
		return;
	if (!d->move.was_cut && !leg_carries(&d->via_tunnel)) {
		/* It carried nothing yet. */
		delivery_tunnel_shut(d, "direct");
		return;
	}
	if (!d->move.counted) {
		job_set_moved(d->job);
		d->all->totals.moved++;
	}
	d->move.counted = true;
	if (leg_carries(&d->via_tunnel) && !draining)
		tunnel_drain(d, "moved");
}

/* Nobody has to be waited for any more. */
static void stop_waiting(struct delivery *d)
{
	if (d->move.awaited)
		loop_timer_stop(d->timer);
	d->move.awaited = false;
}

/*
 * The variant in which the tunnel is cut when the request is out and not when the connection is up:
 * nothing new goes into it, what is in flight is finished, and the job then has no path at all.
 */
static void tunnel_cut(struct delivery *d)
{
	d->move.was_cut = leg_carries(&d->via_tunnel);
	if (d->move.was_cut) {
		tunnel_drain(d, "cut-early");
		return;
	}
	delivery_tunnel_shut(d, "cut-early");
	if (!d->via_direct.path)
		d->step = STEP_CONNECT;
}

/* ---- the device holds the job meanwhile (7L; seed: #811-#812, #853-#860) ---- */

/* Does the job wait for its device without needing the tunnel any more? */
static bool does_without_tunnel(const struct delivery *d)
{
	return d->move.awaited && d->move.cut_early;
}

static void hold_resume(struct delivery *d, struct leg *leg)
{
	d->move.hold = HOLD_RESUME;
	path_resume(leg->path);
}

/* The hold is over, or never was: give out segments again, and finish what waited for that. */
static void hold_end(struct delivery *d)
{
	d->move.hold = HOLD_NONE;
	transfer_hold(d->transfer, false);
	if (leg_sends(&d->via_direct)) {
		if (d->move.way != WAY_SPLIT)
			move_off_tunnel(d);
		path_pump(d->via_direct.path);
	} else if (does_without_tunnel(d)) {
		tunnel_cut(d);
	}
	if (leg_sends(&d->via_tunnel))
		path_pump(d->via_tunnel.path);
}

/* Only when nothing is in flight is the job suspended: a segment that meets 7L would be sent twice. */
static void hold_advance(struct delivery *d)
{
	if (d->move.hold != HOLD_QUIET || transfer_taken(d->transfer) || !leg_sends(&d->via_tunnel))
		return;
	if (transfer_complete(d->transfer)) {
		hold_end(d); /* the device runs it already, or is about to */
		return;
	}
	d->move.hold = HOLD_ASKED;
	path_suspend(d->via_tunnel.path);
}

static void hold_begin(struct delivery *d)
{
	d->move.called_off = false;
	d->move.hold = HOLD_QUIET;
	transfer_hold(d->transfer, true);
	hold_advance(d);
}

/* Everybody who holds is on the way back to @leg, the last one that is left. */
static void hold_survive(struct delivery *d, struct leg *leg)
{
	switch (d->move.hold) {
	case HOLD_QUIET:
		if (leg == &d->via_tunnel)
			hold_end(d);
		else
			d->move.hold = HOLD_HELD; /* so resumed, which does no harm */
		break;
	case HOLD_ASKED:
		if (leg == &d->via_tunnel)
			d->move.called_off = true; /* when it has answered */
		else
			d->move.hold = HOLD_HELD; /* perhaps; nobody can ask any more */
		break;
	case HOLD_RESUME:
		d->move.hold = HOLD_HELD;
		break;
	default:
		break;
	}
	if (d->move.hold == HOLD_HELD && leg_sends(leg))
		hold_resume(d, leg);
}

static void on_path_suspended(struct path *p, int err, const char *why, void *arg)
{
	struct leg *leg = arg;
	struct delivery *d = leg->delivery;

	(void)p;
	if (d->move.hold != HOLD_ASKED || d->step == STEP_CLOSING)
		return;
	if (err) {
		job_event(d->job, "suspend-failed", PATH_TUNNEL, "suspend-failed",
			  "the job moves without being suspended: %.400s", why);
		hold_end(d);
		return;
	}
	d->move.hold = HOLD_HELD;
	job_set_state(d->job, JOB_SUSPENDED, PATH_TUNNEL, "suspended",
		      "the device holds the job and keeps what it has");
	if (leg_sends(&d->via_direct))
		hold_resume(d, &d->via_direct);
	else if (d->move.called_off)
		hold_resume(d, &d->via_tunnel);
	else if (does_without_tunnel(d))
		tunnel_cut(d);
}

static void on_path_resumed(struct path *p, void *arg)
{
	struct leg *leg = arg;
	struct delivery *d = leg->delivery;

	if (d->step == STEP_CLOSING)
		return;
	if (job_row(d->job)->state == JOB_SUSPENDED)
		job_set_state(d->job, JOB_RUNNING, path_get_kind(p), "resumed",
			      "the device resumed the job");
	if (d->move.hold == HOLD_RESUME)
		hold_end(d);
	else
		path_pump(p);
}

/* ---- what the decider says ---- */

static void set_way(struct delivery *d, enum way way)
{
	d->move.way = way;
	d->asked.any = way == WAY_SPLIT;
}

/* Until the device has connected: go on as before, or hold the job, or cut the tunnel already. */
static void move_await(struct delivery *d, const struct sapi_gateway_event *ev)
{
	struct move *m = &d->move;

	if (!tunnel_lives(d) || m->awaited || (!ev->cut_early && !ev->suspend))
		return;
	m->cut_early = ev->cut_early;
	m->suspend = ev->suspend;
	m->awaited = true;
	loop_timer_set(d->timer, patience_ms(d));
	if (m->suspend && leg_sends(&d->via_tunnel))
		hold_begin(d);
	else if (m->cut_early)
		tunnel_cut(d);
}

/* Both are used together from now on, also when the tunnel drained already (claims 2-3). */
static void split(struct delivery *d)
{
	set_way(d, WAY_SPLIT);
	if (leg_sends(&d->via_direct) && leg_sends(&d->via_tunnel))
		move_carry_on(d, &d->via_tunnel);
}

void move_decided(struct delivery *d, const struct sapi_gateway_event *ev)
{
	if (d->step < STEP_GATEWAY || d->step > STEP_SENDING || !delivery_is_agent(d))
		return;
	/* The device may be here already, for another job; its agent does not connect again. */
	switch (ev->action) {
	case SAPI_GW_SPLIT:
		split(d);
		delivery_join(d);
		break;
	case SAPI_GW_DIRECT:
		set_way(d, WAY_MOVE);
		delivery_join(d);
		break;
	case SAPI_GW_MOVE:
		set_way(d, WAY_MOVE);
		delivery_join(d);
		if (leg_sends(&d->via_direct))
			move_off_tunnel(d); /* it was split */
		else
			move_await(d, ev);
		break;
	default:
		break;
	}
}

void move_failed(struct delivery *d, const char *code, const char *text)
{
	bool awaited = d->move.awaited;

	stop_waiting(d);
	if (d->via_direct.path)
		return; /* it came after all; how the path fares is told by the path */
	set_way(d, WAY_NONE);
	if (!awaited)
		return;
	if (d->step == STEP_CONNECT) {
		delivery_try_failed(d, false, code, text);
		return;
	}
	d->move.was_cut = false;
	hold_survive(d, &d->via_tunnel);
	move_carry_on(d, &d->via_tunnel);
}

void move_timeout(struct delivery *d)
{
	char text[SAPI_TEXT_LEN];

	snprintf(text, sizeof(text), "the device did not connect within %llu ms of the request%s",
		 (unsigned long long)patience_ms(d),
		 d->step == STEP_CONNECT ? ", and its tunnel was cut" : "");
	if (!d->via_direct.path)
		job_event(d->job, "move-failed", PATH_TUNNEL, "connect-timeout", "%s", text);
	move_failed(d, "connect-timeout", text);
}

void move_forget(struct delivery *d)
{
	memset(&d->move, 0, sizeof(d->move));
	d->asked.any = false;
	transfer_hold(d->transfer, false);
}

bool move_without_tunnel(struct delivery *d)
{
	if (d->via_direct.path) {
		hold_survive(d, &d->via_direct);
		move_carry_on(d, &d->via_direct);
		return true;
	}
	if (!does_without_tunnel(d))
		return false;
	hold_survive(d, &d->via_direct);
	d->step = STEP_CONNECT;
	return true;
}

/* ---- what happens on the paths ---- */

/* The new path works: that is what the tunnel's end, or the job's resumption, has waited for. */
static void direct_active(struct delivery *d)
{
	stop_waiting(d);
	if (d->move.hold == HOLD_HELD)
		hold_resume(d, &d->via_direct);
	else if (d->move.hold == HOLD_NONE && d->move.way != WAY_SPLIT)
		move_off_tunnel(d);
}

static void tunnel_active(struct delivery *d)
{
	if (leg_sends(&d->via_direct)) {
		if (d->move.way != WAY_SPLIT)
			move_off_tunnel(d); /* the device was quicker */
	} else if (d->move.awaited && d->move.suspend && !d->move.was_cut &&
		   d->move.hold == HOLD_NONE) {
		hold_begin(d);
	} else if (d->move.hold == HOLD_HELD) {
		hold_resume(d, &d->via_tunnel);
	}
}

static void note_active(struct delivery *d, enum path_kind kind)
{
	const struct store_job *row = job_row(d->job);
	bool split = d->move.way == WAY_SPLIT;
	const char *share = split ? "; tunnel and connection share" : "";

	if (row->size == CONTENT_SIZE_UNKNOWN)
		job_event(d->job, "path-active", kind, split ? "split" : "",
			  "the agent knows the job%s", share);
	else
		job_event(d->job, "path-active", kind, split ? "split" : "",
			  "%s %llu of %llu bytes%s%s",
			  outward_is(d) ? "fetched are" : "the agent holds",
			  (unsigned long long)row->delivered, (unsigned long long)row->size,
			  d->device_job.pull ? " and asks for the others" : "", share);
}

static void on_path_active(struct path *p, void *arg)
{
	struct leg *leg = arg;
	struct delivery *d = leg->delivery;
	const struct store_job *row = job_row(d->job);

	if (d->step == STEP_CLOSING)
		return;
	delivery_note_progress(d);
	delivery_mark_progress(d);
	d->active_at = loop_now(d->cloud->loop);
	if (path_get_state(p) == PATH_ACTIVE)
		delivery_path_state(d, leg->idx, PATH_ACTIVE, "");
	note_active(d, path_get_kind(p));
	if (row->state != JOB_EXECUTING && d->move.hold == HOLD_NONE)
		job_set_state(d->job, JOB_RUNNING, path_get_kind(p), "",
			      outward_is(d) ? "asking for the content" : "sending");
	if (leg == &d->via_direct)
		direct_active(d);
	else
		tunnel_active(d);
	path_pump(p);
	/* All of it may be here from a try before, and the device not know. */
	if (outward_is(d))
		outward_progress(d);
}

static void on_path_offer(struct path *p, uint64_t size, const char *sha256, void *arg)
{
	struct leg *leg = arg;

	(void)p;
	outward_offered(leg->delivery, size, sha256);
}

static void on_path_done(struct path *p, void *arg)
{
	struct leg *leg = arg;
	struct delivery *d = leg->delivery;

	(void)p;
	if (d->step != STEP_CLOSING)
		outward_done(d);
}

static bool leg_pulls(const struct leg *leg)
{
	return leg->path && path_pulls(leg->path);
}

/* The job would wait for ever: it is pushed, on whichever path. */
static void push_instead(struct delivery *d, enum path_kind kind, const char *why)
{
	d->device_job.pull = false; /* the paths', too */
	job_event(d->job, "device-does-not-ask", kind, "device", "%s: it is sent", why);
	if (leg_sends(&d->via_direct))
		path_pump(d->via_direct.path);
	if (leg_sends(&d->via_tunnel))
		path_pump(d->via_tunnel.path);
}

/* What is asked for on one path is given out by both. */
static void on_path_asked(struct path *p, void *arg)
{
	struct leg *leg = arg;
	struct delivery *d = leg->delivery;
	struct leg *other = leg == &d->via_direct ? &d->via_tunnel : &d->via_direct;

	(void)p;
	if (d->asked.any && leg_sends(other) && d->step != STEP_CLOSING)
		path_pump(other->path);
}

/* An agent that knows no pull. */
static void on_path_unasked(struct path *p, void *arg)
{
	struct leg *leg = arg;
	struct delivery *d = leg->delivery;
	char why[SAPI_TEXT_LEN];

	if (d->step == STEP_CLOSING || d->pulls || leg_pulls(&d->via_direct) ||
	    leg_pulls(&d->via_tunnel))
		return; /* it asks elsewhere */
	snprintf(why, sizeof(why), "the device did not ask for content within %llu ms",
		 (unsigned long long)patience_ms(d));
	push_instead(d, path_get_kind(p), why);
}

static void on_path_in_vain(struct path *p, void *arg)
{
	struct leg *leg = arg;
	struct delivery *d = leg->delivery;

	if (d->step != STEP_CLOSING)
		push_instead(d, path_get_kind(p), "the device asks only for content that it holds");
}

static void end_if_acknowledged(struct delivery *d)
{
	if (!d->ending || transfer_taken(d->transfer) ||
	    (outward_is(d) && d->ending == JOB_COMPLETED))
		return;
	delivery_finish_told(d);
}

static void on_path_progress(struct path *p, void *arg)
{
	struct leg *leg = arg;
	struct delivery *d = leg->delivery;

	(void)p;
	leg_take_bytes(leg);
	delivery_note_progress(d);
	if (d->step == STEP_CLOSING)
		return;
	hold_advance(d);
	end_if_acknowledged(d);
	if (outward_is(d))
		outward_progress(d);
}

static void on_path_drained(struct path *p, void *arg)
{
	struct leg *leg = arg;
	struct delivery *d = leg->delivery;

	(void)p;
	if (d->step == STEP_CLOSING)
		return; /* the device may be hearing of the cancellation by it */
	if (d->via_direct.path || !does_without_tunnel(d)) {
		delivery_tunnel_shut(d, "moved");
		return;
	}
	delivery_tunnel_shut(d, "cut-early");
	d->step = STEP_CONNECT;
}

/* One leg is gone and the other, if it is open, goes on; what was in flight is asked for there. */
void move_carry_on(struct delivery *d, struct leg *other)
{
	if (!leg_sends(other)) {
		/* Still opening: what it is asking may be answered from before the loss. */
		if (other->path && transfer_unsure(d->transfer))
			path_ask(other->path);
		return;
	}
	if (path_get_state(other->path) == PATH_DRAINING) {
		path_undrain(other->path);
		delivery_path_state(d, other->idx, PATH_ACTIVE, "");
	}
	if (transfer_unsure(d->transfer))
		path_ask(other->path);
	else
		path_pump(other->path);
}

/* Back to the tunnel, if it is still there or on its way. */
static void direct_lost(struct delivery *d, const char *code, const char *text)
{
	char why[SAPI_TEXT_LEN];

	snprintf(why, sizeof(why), "%s", text);
	direct_close(d, code, text);
	if (!tunnel_lives(d)) {
		delivery_try_failed(d, false, code, why);
		return;
	}
	stop_waiting(d);
	d->move.was_cut = false;
	hold_survive(d, &d->via_tunnel);
	move_carry_on(d, &d->via_tunnel);
}

static void on_path_failed(struct path *p, bool fatal, const char *code, const char *text,
			   void *arg)
{
	struct leg *leg = arg;
	struct delivery *d = leg->delivery;
	bool direct = leg == &d->via_direct;

	(void)p;
	if (d->step == STEP_CLOSING)
		return;
	if (d->ending && d->outward == OUTWARD_CHECKING)
		return; /* it has nothing more to say, whatever the digest is */
	if (d->ending) {
		/*
		 * The device has said how it ended; what it did not acknowledge does not matter any
		 * more.
		 */
		delivery_finish_told(d);
		return;
	}
	if (fatal) {
		delivery_try_failed(d, fatal, code, text);
	} else if (direct) {
		direct_lost(d, code, text);
	} else if (d->via_direct.path || does_without_tunnel(d)) {
		delivery_tunnel_shut(d, code);
		move_without_tunnel(d);
	} else {
		delivery_try_failed(d, false, code, text);
	}
}

/* A device that pulls may have a reason not to ask; to be seen as the job's. */
static void device_waits(struct delivery *d, enum path_kind kind, const char *reason)
{
	if (!d->device_job.pull)
		return;
	job_set_state(d->job, JOB_RUNNING, kind, reason[0] ? "device" : "", "%s",
		      reason[0] ? reason : "sending");
	if (reason[0])
		job_event(d->job, "device-waits", kind, "device", "%s", reason);
}

static void on_path_state(struct path *p, enum job_state state, const char *reason, void *arg)
{
	struct leg *leg = arg;
	struct delivery *d = leg->delivery;
	enum path_kind kind = path_get_kind(p);

	if (d->ending || d->step == STEP_CLOSING)
		return;
	switch (state) {
	case JOB_RUNNING: /* a fetch job goes on with that */
	case JOB_RECEIVING:
		/* What was said before the job was held may arrive after. */
		if (job_row(d->job)->state == JOB_SUSPENDED && d->move.hold != HOLD_HELD)
			job_set_state(d->job, JOB_RUNNING, kind, "resumed",
				      "the device resumed the job");
		else if (job_row(d->job)->state == JOB_RUNNING)
			device_waits(d, kind, reason);
		break;
	case JOB_SUSPENDED:
		if (leg == &d->via_tunnel && leg_sends(&d->via_direct))
			break; /* old news */
		job_set_state(d->job, JOB_SUSPENDED, kind, "suspended",
			      "the device holds the job and keeps what it has");
		/* Left over from a try, or a run of this program, that is no more. */
		if (d->move.hold == HOLD_NONE)
			path_resume(p);
		break;
	case JOB_EXECUTING:
		job_set_state(d->job, JOB_EXECUTING, kind, "",
			      outward_is(d) ? "the device makes the content" :
					      "the device has all of it and runs it");
		break;
	case JOB_COMPLETED:
		if (outward_is(d)) {
			outward_completed(d);
			break;
		}
		/* fall through */
	case JOB_FAILED:
	case JOB_INTERRUPTED:
	case JOB_CANCELED:
		d->ending = state;
		transfer_hold(d->transfer,
			      true); /* it takes no more; what is in flight is acknowledged */
		snprintf(d->ending_text, sizeof(d->ending_text), "%s",
			 reason[0]		? reason :
			 state == JOB_COMPLETED ? "the device reports completion" :
						  "the device gave no reason");
		end_if_acknowledged(d);
		break;
	default:
		break;
	}
}

/* Through the tunnel, and in a way that a second path can simply take part in. */
static bool is_sending(const struct delivery *d)
{
	return leg_sends(&d->via_tunnel) && d->move.hold == HOLD_NONE && !d->device_job.pull &&
	       job_row(d->job)->state == JOB_RUNNING && !transfer_unsure(d->transfer);
}

int leg_open(struct leg *leg, struct delivery *d, struct h2 *h2, enum path_kind kind, int idx)
{
	static const struct path_ops ops = {
		.on_active = on_path_active,
		.on_progress = on_path_progress,
		.on_drained = on_path_drained,
		.on_state = on_path_state,
		.on_suspended = on_path_suspended,
		.on_resumed = on_path_resumed,
		.on_offer = on_path_offer,
		.on_done = on_path_done,
		.on_asked = on_path_asked,
		.on_unasked = on_path_unasked,
		.on_in_vain = on_path_in_vain,
		.on_failed = on_path_failed,
	};
	struct path_conf conf = {
		.loop = d->cloud->loop,
		.h2 = h2,
		.kind = kind,
		.job = delivery_job_id(d),
		.device_job = &d->device_job,
		.transfer = d->transfer,
		.fd = outward_is(d) ? -1 : spool_fd(job_content(d->job)),
		.segment = (uint32_t)d->cloud->conf->segment,
		.want = &d->asked,
		.pull_patience = patience_ms(d),
	};
	bool fresh;

	/* whichever way the content flows: what the device was told it is told the end of */
	fresh = job_telling(d->job);
	if (outward_is(d)) {
		outward_path(d, &conf);
	} else {
		conf.known = kind == PATH_DIRECT && is_sending(d);
		conf.fresh = fresh;
	}
	leg->delivery = d;
	leg->idx = idx;
	return path_new(&conf, &ops, leg, &leg->path);
}

bool direct_start(struct delivery *d)
{
	struct h2 *h2 = directs_session(d->cloud->directs, job_row(d->job)->device);
	int idx;

	if (d->via_direct.path)
		return true;
	if (!h2 || !delivery_is_agent(d))
		return false;
	idx = job_path_open(d->job, PATH_DIRECT, "");
	if (idx < 0)
		return false;
	delivery_park(d, false);
	directs_use(d->cloud->directs, job_row(d->job)->device);
	d->using_direct = true;
	job_event(d->job, "path-opening", PATH_DIRECT, "", "the device is connected from %s",
		  h2_remote(h2));
	if (leg_open(&d->via_direct, d, h2, PATH_DIRECT, idx)) {
		delivery_path_state(d, idx, PATH_CLOSED, "no-answer");
		direct_close(d, "", "");
		return false;
	}
	return true;
}

void delivery_join(struct delivery *d)
{
	if (d->step < STEP_GATEWAY || d->step > STEP_SENDING || !direct_start(d))
		return;
	if (d->step == STEP_GATEWAY)
		delivery_stop_asking(d);
	if (d->step == STEP_GATEWAY || d->step == STEP_CONNECT)
		d->step = STEP_SENDING;
}
