// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/move.h"

#include <stdio.h>

#include "cloud/cloud.h"
#include "cloud/direct.h"
#include "cloud/gateways.h"
#include "cloud/jobs.h"
#include "cloud/path.h"
#include "cloud/token.h"
#include "cloud/transfer.h"
#include "lib/h2.h"
#include "lib/loop.h"

/* ---- the two legs ---- */

static void leg_take_bytes(struct leg *leg)
{
	if (leg->path)
		delivery_add_bytes(leg->delivery, leg->idx, path_bytes(leg->path));
}

void leg_drop(struct leg *leg)
{
	leg_take_bytes(leg);
	path_free(leg->path);
	leg->path = NULL;
}

void direct_close(struct delivery *d, const char *reason, const char *text)
{
	if (d->via_direct.path) {
		leg_drop(&d->via_direct);
		delivery_path_state(d, d->via_direct.idx, PATH_CLOSED, reason);
		job_event(d->job, "path-closed", PATH_DIRECT, reason, "%s", text);
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

/* The device is reached directly: the tunnel has done its work (seed: #709). */
static void move_off_tunnel(struct delivery *d)
{
	tokens_revoke(d->cloud->tokens, delivery_job_id(d));
	if (!d->tunnel || d->tunnel_reason[0])
		return;
	if (!leg_sends(&d->via_tunnel)) {
		/* It carried nothing yet. */
		delivery_tunnel_shut(d, "direct");
		return;
	}
	job_set_moved(d->job);
	d->all->totals.moved++;
	path_drain(d->via_tunnel.path);
	delivery_path_state(d, d->tunnel_idx, PATH_DRAINING, "moved");
	job_event(d->job, "path-draining", PATH_TUNNEL, "moved",
		  "the tunnel gets no more segments; %llu bytes are in flight in it",
		  (unsigned long long)path_in_flight(d->via_tunnel.path));
}

static void on_path_active(struct path *p, void *arg)
{
	struct leg *leg = arg;
	struct delivery *d = leg->delivery;
	const struct store_job *row = job_row(d->job);

	if (d->step == STEP_CLOSING)
		return;
	delivery_note_progress(d);
	d->held = transfer_held(d->transfer);
	d->active_at = loop_now(d->cloud->loop);
	delivery_path_state(d, leg->idx, PATH_ACTIVE, "");
	job_event(d->job, "path-active", path_get_kind(p), "", "the agent holds %llu of %llu bytes",
		  (unsigned long long)row->delivered, (unsigned long long)row->size);
	if (row->state != JOB_EXECUTING)
		job_set_state(d->job, JOB_RUNNING, path_get_kind(p), "", "sending");
	if (leg == &d->via_direct)
		move_off_tunnel(d);
	else if (leg_sends(&d->via_direct))
		move_off_tunnel(d); /* the device was quicker */
	path_pump(p);
}

static void end_if_acknowledged(struct delivery *d)
{
	char text[SAPI_TEXT_LEN];

	if (!d->ending || transfer_taken(d->transfer))
		return;
	snprintf(text, sizeof(text), "%s", d->ending_text);
	delivery_finish(d, d->ending, d->ending == JOB_COMPLETED ? "" : "device", text);
}

static void on_path_progress(struct path *p, void *arg)
{
	struct leg *leg = arg;
	struct delivery *d = leg->delivery;

	(void)p;
	leg_take_bytes(leg);
	delivery_note_progress(d);
	end_if_acknowledged(d);
}

static void on_path_drained(struct path *p, void *arg)
{
	struct leg *leg = arg;

	(void)p;
	delivery_tunnel_shut(leg->delivery, "moved");
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

static void on_path_failed(struct path *p, bool fatal, const char *code, const char *text,
			   void *arg)
{
	struct leg *leg = arg;
	struct delivery *d = leg->delivery;
	bool direct = leg == &d->via_direct;
	struct leg *other = direct ? &d->via_tunnel : &d->via_direct;

	(void)p;
	if (d->step == STEP_CLOSING)
		return;
	if (d->ending) {
		/*
		 * The device has said how it ended; what it did not acknowledge does not matter any
		 * more.
		 */
		delivery_finish(d, d->ending, d->ending == JOB_COMPLETED ? "" : "device",
				d->ending_text);
		return;
	}
	if (!fatal && direct)
		direct_close(d, code, text);
	else if (!fatal && other->path)
		delivery_tunnel_shut(d, code);
	if (!fatal && other->path)
		move_carry_on(d, other);
	else if (fatal || !direct || !d->tunnel || d->tunnel_reason[0])
		delivery_try_failed(d, fatal, code, text);
	/* else the tunnel is on its way to take over */
}

static void on_path_state(struct path *p, enum job_state state, const char *reason, void *arg)
{
	struct leg *leg = arg;
	struct delivery *d = leg->delivery;
	enum path_kind kind = path_get_kind(p);

	if (d->ending || d->step == STEP_CLOSING)
		return;
	switch (state) {
	case JOB_RECEIVING:
		if (job_row(d->job)->state == JOB_SUSPENDED)
			job_set_state(d->job, JOB_RUNNING, kind, "resumed",
				      "the device resumed the job");
		break;
	case JOB_SUSPENDED:
		job_set_state(d->job, JOB_SUSPENDED, kind, "suspended",
			      "the device holds the job: %s", reason);
		break;
	case JOB_EXECUTING:
		job_set_state(d->job, JOB_EXECUTING, kind, "",
			      "the device has all of it and runs it");
		break;
	case JOB_COMPLETED:
	case JOB_FAILED:
	case JOB_INTERRUPTED:
	case JOB_CANCELED:
		d->ending = state;
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

int leg_open(struct leg *leg, struct delivery *d, struct h2 *h2, enum path_kind kind, int idx)
{
	static const struct path_ops ops = {
		.on_active = on_path_active,
		.on_progress = on_path_progress,
		.on_drained = on_path_drained,
		.on_state = on_path_state,
		.on_failed = on_path_failed,
	};
	struct path_conf conf = {
		.loop = d->cloud->loop,
		.h2 = h2,
		.kind = kind,
		.job = delivery_job_id(d),
		.device_job = &d->device_job,
		.transfer = d->transfer,
		.fd = spool_fd(job_content(d->job)),
		.segment = (uint32_t)d->cloud->conf->segment,
	};

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
	if (d->step < STEP_GATEWAY || d->step > STEP_SENDING || !direct_start(d) || !d->want)
		return;
	gateways_want_cancel(d->want);
	d->want = NULL;
	d->step = STEP_SENDING;
}
