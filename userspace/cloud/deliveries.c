// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/cloud.h"
#include "cloud/delivery_int.h"
#include "cloud/direct.h"
#include "cloud/jobs.h"
#include "cloud/move.h"
#include "cloud/notice.h"
#include "cloud/printing.h"
#include "cloud/tunnels.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/loop.h"

/* May another delivery begin? */
static bool room(const struct deliveries *ds)
{
	const struct cloud_conf *conf = ds->cloud->conf;

	return ds->count - ds->parked < conf->max_running && ds->parked < conf->max_waiting;
}

void delivery_park(struct delivery *d, bool parked)
{
	struct deliveries *ds = d->all;

	if (d->parked == parked)
		return;
	d->parked = parked;
	if (parked)
		ds->parked++;
	else
		ds->parked--;
	loop_defer_call(ds->kick);
}

/*
 * There is no room, and @job is queued: the least of those that only wait gives up its place to it, if that is
 * of lower priority. So those who ask, at their gateways or here, are always the first in order, however many
 * jobs there are; and no more than before can come to run, since any of them may be given its slot.
 */
static void displace(struct deliveries *ds, const struct job *job)
{
	struct delivery *d, *last = NULL;
	size_t asking = 0;

	if (ds->returning)
		return; /* there is room in a moment */
	LIST_FOREACH(d, &ds->list, link) {
		if (!delivery_only_waits(d))
			continue;
		asking += !d->parked;
		if (!last || job_before(last->job, d->job))
			last = d;
	}
	if (!last || job_row(last->job)->priority >= job_row(job)->priority)
		return;
	/* Their answers are soon here, and more questions would not bring them earlier. */
	if (asking - !last->parked >= ds->cloud->conf->max_running)
		return;
	delivery_put_back(last, job_row(job)->priority);
}

static bool may_run(const struct deliveries *ds)
{
	return ds->count - ds->parked < ds->cloud->conf->max_running;
}

/* Those that wait for a slot while their device is connected, for which there was no room before. */
static void catch_up(struct deliveries *ds)
{
	struct delivery *d, *first;

	while (ds->behind && may_run(ds)) {
		first = NULL;
		LIST_FOREACH(d, &ds->list, link)
			if (d->parked && (!first || job_before(d->job, first->job)) &&
			    delivery_only_waits(d) &&
			    directs_session(ds->cloud->directs, job_row(d->job)->device))
				first = d;
		ds->behind = first;
		if (first)
			delivery_hurry(first);
		if (first && first->parked)
			return; /* it could not, or does so later */
	}
}

void deliveries_kick(struct deliveries *ds)
{
	struct job *job;
	int ret;

	if (ds->stopped)
		return;
	catch_up(ds);
	while ((job = jobs_next(ds->cloud->jobs))) {
		if (room(ds)) {
			ds->vacant = 0;
		} else if (ds->vacant) {
			ds->vacant--;
		} else {
			displace(ds, job);
			return;
		}
		ret = delivery_new(ds, job);
		if (ret) {
			log_err("delivery: %s: not started: %s", job_row(job)->id,
				shunt_strerror(ret));
			return;
		}
	}
}

void deliveries_gateway_room(struct deliveries *ds, const char *gateway)
{
	struct delivery *d, *first = NULL;

	LIST_FOREACH(d, &ds->list, link)
		if (d->step == STEP_PAUSE && d->busy && !strcmp(d->dev.gateway, gateway) &&
		    (!first || job_before(d->job, first->job)))
			first = d;
	if (first) {
		first->busy = false; /* the next room is for another */
		delivery_hurry(first);
	}
}

void deliveries_note_end(struct cloud *c, const struct job *job, bool now)
{
	const struct store_job *row = job_row(job);
	struct h2 *h2 = directs_session(c->directs, row->device);

	if (!row->attempts)
		return; /* nobody told it of the job */
	notices_add(c->notices, row->device, row->id);
	if (h2 && now)
		notices_deliver(c->notices, row->device, h2);
}

void deliveries_cancel(struct deliveries *ds, struct job *job, const char *who)
{
	struct delivery *d = job_delivery(job);

	(void)ds;
	if (job_state_final(job_row(job)->state))
		return;
	job_set_state(job, JOB_CANCELED, PATH_NONE, "canceled", "canceled by %s", who);
	if (d) {
		delivery_cancel(d);
		return;
	}
	if (printing_withdraw(ds, job))
		return;
	deliveries_note_end(ds->cloud, job, true);
	job_release(job);
}

void deliveries_recall(struct deliveries *ds)
{
	printing_recall(ds);
}

static int by_turn(const void *a, const void *b)
{
	const struct delivery *const *da = a, *const *db = b;

	return job_before((*da)->job, (*db)->job) ? -1 : 1;
}

void deliveries_connected(struct deliveries *ds, const char *device)
{
	struct delivery **v = calloc(ds->count + 1, sizeof(*v)), *d;
	size_t n = 0, i;

	if (!v)
		return; /* they wait for their slots, or their next tries, as before */
	LIST_FOREACH(d, &ds->list, link)
		if (!strcmp(job_row(d->job)->device, device))
			v[n++] = d;
	qsort(v, n, sizeof(struct delivery *), by_turn);
	for (i = 0; i < n; i++) {
		if (v[i]->parked && delivery_only_waits(v[i]) && !may_run(ds))
			ds->behind = true;
		else
			delivery_hurry(v[i]);
	}
	free(v);
}

void deliveries_joined(struct deliveries *ds, const char *job, const char *device)
{
	struct job *j = jobs_find(ds->cloud->jobs, job);
	struct delivery *d = j ? job_delivery(j) : NULL;

	/*
	 * tokens.c has checked that the token was this device's; the job's device cannot have
	 * changed.
	 */
	if (d && !strcmp(job_row(j)->device, device))
		delivery_join(d);
}

static void delivery_wait(struct delivery *d, const char *reason, const char *text)
{
	job_set_state(d->job, JOB_WAITING, PATH_TUNNEL, reason, "%s", text);
	delivery_park(d, true);
}

void delivery_event(struct delivery *d, const struct sapi_gateway_event *ev)
{
	if (d->step == STEP_CLOSING)
		return; /* nothing is left to decide */
	if (ev->event == SAPI_GW_MOVE_FAILED) {
		job_event(d->job, "move-failed", PATH_TUNNEL, "connect-failed", "%s", ev->text);
		move_failed(d, "connect-failed", ev->text);
		return;
	}
	job_decision(d->job, sapi_gateway_action_str(ev->action), ev->reason, ev->text);
	/* Else it would not count as running while it does. */
	if (ev->action == SAPI_GW_WAIT && (d->step == STEP_GATEWAY || d->step == STEP_TUNNEL))
		delivery_wait(d, ev->reason, ev->text);
	move_decided(d, ev);
}

/* A gateway has a say in its own tunnels only, and in what becomes of a job whose tunnel was cut. */
static bool has_a_say(const struct delivery *d, const char *gateway)
{
	if (d->tunnel)
		return !strcmp(ctun_gateway(d->tunnel), gateway);
	return d->step == STEP_CONNECT && !strcmp(d->dev.gateway, gateway);
}

void deliveries_gateway_event(struct deliveries *ds, const char *gateway,
			      const struct sapi_gateway_event *ev)
{
	struct job *job;
	struct delivery *d;

	/* A gateway that found the tunnel in its kernel may not know whose it was. */
	if (ev->event == SAPI_GW_TUNNEL_CLOSED) {
		if (ds->cloud->tunnels)
			tunnels_gone(ds->cloud->tunnels, gateway, ev->tunnel, ev->reason);
		return;
	}
	job = jobs_find(ds->cloud->jobs, ev->job);
	d = job ? job_delivery(job) : NULL;
	if (d && has_a_say(d, gateway))
		delivery_event(d, ev);
}

size_t deliveries_count(const struct deliveries *ds)
{
	return ds->count;
}

size_t deliveries_waiting(const struct deliveries *ds)
{
	return ds->parked;
}

const struct delivery_totals *deliveries_totals(const struct deliveries *ds)
{
	return &ds->totals;
}

static void on_kick(void *arg)
{
	deliveries_kick(arg);
}

int deliveries_new(struct cloud *c, struct deliveries **out, struct err *e)
{
	struct deliveries *ds = calloc(1, sizeof(*ds));

	if (!ds || loop_defer_new(c->loop, on_kick, ds, &ds->kick)) {
		free(ds);
		return err_sys(e, -ENOMEM, "deliveries");
	}
	ds->cloud = c;
	LIST_INIT(&ds->list);
	*out = ds;
	return 0;
}

void deliveries_stop(struct deliveries *ds)
{
	struct delivery *d;

	ds->stopped = true;
	while ((d = LIST_FIRST(&ds->list)))
		delivery_free(d);
}

void deliveries_free(struct deliveries *ds)
{
	if (!ds)
		return;
	deliveries_stop(ds);
	loop_defer_free(ds->kick);
	free(ds);
}
