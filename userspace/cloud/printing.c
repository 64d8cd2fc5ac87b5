// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/printing.h"

#include <stdio.h>

#include "cloud/cloud.h"
#include "cloud/credentials.h"
#include "cloud/jobs.h"
#include "cloud/notice.h"
#include "cloud/printer.h"
#include "cloud/tunnels.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/store.h"

#define RESTS_MAX 10 /* the pause between two visits grows to so many times the patience */

bool printing_is(const struct delivery *d)
{
	return d->service && d->service->kind == SERVICE_IPP;
}

/* ---- its number at the printer ---- */

static void on_kept(int err, void *arg)
{
	struct delivery *d = arg;

	printer_kept(d->printer, err);
}

static void on_number(uint32_t number, void *arg)
{
	struct delivery *d = arg;
	int err = job_printer_is(d->job, number);

	d->partial = d->withdrawn = false;
	d->numbered = true;
	if (number)
		job_event(d->job, "printer-job", PATH_TUNNEL, "", "the printer has it as job %u",
			  number);
	if (err) {
		printer_kept(d->printer, err);
		return;
	}
	d->kept.done = on_kept;
	d->kept.arg = d;
	jobs_wait(d->cloud->jobs, &d->kept);
}

/* ---- what it says ---- */

static void on_accepted(void *arg)
{
	struct delivery *d = arg;

	job_set_state(d->job, JOB_EXECUTING, PATH_TUNNEL, "", "the printer has all of it");
}

static void on_partial(void *arg)
{
	struct delivery *d = arg;

	d->partial = true;
}

static void on_withdrawn(void *arg)
{
	struct delivery *d = arg;

	d->withdrawn = true;
}

/* Why it goes no further is the job's reason for as long as it does not. */
static void on_state(bool waits, const char *text, void *arg)
{
	struct delivery *d = arg;

	if (!waits)
		d->rests = 0;
	job_set_state(d->job, job_row(d->job)->state, PATH_TUNNEL, waits ? "printer-waits" : "",
		      "%s", text);
	job_event(d->job, waits ? "printer-waits" : "printer-state", PATH_TUNNEL,
		  waits ? "printer" : "", "%s", text);
}

/* What it has it prints without us; only for one that takes no job yet the cloud has to be quick. */
static void rest(struct delivery *d, const char *code, const char *text)
{
	d->tries = 0;
	if (d->rests < RESTS_MAX)
		d->rests++;
	delivery_rest(
		d, d->cloud->conf->printer_patience * (job_row(d->job)->printer_job ? d->rests : 1),
		code, text);
}

static void heard(struct delivery *d)
{
	if (d->noted)
		notices_drop(d->cloud->notices, job_row(d->job)->device, job_row(d->job)->id);
	d->noted = false;
}

/* Does the job go no further at the printer, whatever we wanted of it? */
static bool is_over(enum printer_end end)
{
	return end == PRINTER_COMPLETED || end == PRINTER_CANCELED || end == PRINTER_ABORTED ||
	       end == PRINTER_WITHDRAWN;
}

static void on_done(enum printer_end end, const char *code, const char *text, void *arg)
{
	struct delivery *d = arg;
	char why[SAPI_TEXT_LEN];

	group_unwait(&d->kept);
	d->printer = NULL; /* freed by itself after this */
	if (is_over(end))
		heard(d);
	if (d->step == STEP_CLOSING) {
		/* It was too late for this visit to cancel it, or nobody answered. */
		if (is_over(end) || !printing_cancel(d))
			loop_timer_set(d->timer, 0);
		return;
	}
	switch (end) {
	case PRINTER_COMPLETED:
		delivery_finish(d, JOB_COMPLETED, code, text);
		break;
	case PRINTER_CANCELED:
	case PRINTER_WITHDRAWN:
		delivery_finish(d, JOB_CANCELED, code, text);
		break;
	case PRINTER_WAITS:
		rest(d, code, text);
		break;
	case PRINTER_LOST:
		/* Should this be the last try, whoever sent it has to know. */
		snprintf(why, sizeof(why), "%.400s%s", text,
			 job_row(d->job)->printer_job ? " (it has the job, and may print it)" : "");
		delivery_try_failed(d, false, code, why);
		break;
	default:
		d->settled = true;
		delivery_try_failed(d, true, code, text);
	}
}

/* ---- beginning and end ---- */

/* The last octet counts as delivered only when the printer has confirmed the document. */
static bool was_accepted(const struct store_job *row)
{
	return row->printer_job && row->size && row->delivered == row->size;
}

static int begin(struct delivery *d)
{
	static const struct printer_ops ops = {
		.on_wire = delivery_put_wire,
		.on_progress = delivery_put_progress,
		.on_number = on_number,
		.on_accepted = on_accepted,
		.on_partial = on_partial,
		.on_withdrawn = on_withdrawn,
		.on_state = on_state,
		.on_done = on_done,
	};
	const struct store_job *row = job_row(d->job);
	const struct credentials_entry *login =
		credentials_find(d->cloud->credentials, row->device);
	struct printer_conf conf = {
		.loop = d->cloud->loop,
		.http = d->cloud->http,
		.address = *ctun_near(d->tunnel),
		.source = *tunnels_far(d->cloud->tunnels),
		.port = d->service->port,
		.tls = d->service->tls,
		.path = d->service->path,
		.user = login ? login->name : NULL,
		.password = login ? login->password : NULL,
		.device = row->device,
		.pin = d->dev.pin,
		.job = row->id,
		.name = row->name,
		.type = row->media_type,
		.owner = row->owner,
		.print = &row->print,
		.fd = d->withdraw ? -1 : spool_fd(job_content(d->job)), /* nothing is sent then */
		.size = row->size,
		.number = row->printer_job,
		.told = d->tunnel_idx > 0, /* there were tunnels before this one */
		.accepted = was_accepted(row),
		.partial = d->partial,
		.withdrawn = d->withdrawn,
		.unremembered = row->printer_job && !d->numbered,
		/* It was given its time at the first visit. */
		.patience = d->rests ? 1 : d->cloud->conf->printer_patience,
	};

	return printer_new(&conf, &ops, d, &d->printer);
}

void printing_start(struct delivery *d)
{
	const struct store_job *row = job_row(d->job);
	enum job_state state = was_accepted(row) ? JOB_EXECUTING : JOB_RUNNING;

	d->step = STEP_SENDING;
	delivery_path_state(d, d->tunnel_idx, PATH_ACTIVE, "");
	job_event(d->job, "path-active", PATH_TUNNEL, "", "to the device's printer at %s",
		  d->service->path);
	/* What it waited for at the last visit it waits for until it says something else. */
	if (!d->rests || row->state != state)
		job_set_state(d->job, state, PATH_TUNNEL, "", "at the printer");
	if (begin(d))
		delivery_try_failed(d, false, "out-of-memory", "out of memory");
	else if (d->withdraw)
		printer_cancel(d->printer);
}

void printing_shut(struct delivery *d)
{
	group_unwait(&d->kept);
	if (d->printer) { /* it may be shut twice, as by the tunnel's end and then by the timer */
		d->unheard = job_row(d->job)->state == JOB_CANCELED;
		if (d->unheard)
			loop_timer_set(d->timer, 0);
	}
	printer_free(d->printer);
	d->printer = NULL;
}

/* ---- the cancellation ---- */

/* Part of the group in which the job is canceled. */
static void note(struct delivery *d)
{
	if (!job_row(d->job)->printer_job)
		return;
	notices_add(d->cloud->notices, job_row(d->job)->device, job_row(d->job)->id);
	d->noted = true;
}

static bool begin_withdrawal(struct deliveries *ds, struct job *job)
{
	struct delivery *d;

	if (delivery_new(ds, job))
		return false;
	d = job_delivery(job);
	d->withdraw = true;
	note(d);
	return true;
}

bool printing_withdraw(struct deliveries *ds, struct job *job)
{
	return job_row(job)->printer_job && begin_withdrawal(ds, job);
}

static void recall(const char *device, const char *id, void *arg)
{
	struct deliveries *ds = arg;
	struct store_job row;
	struct job *job;
	int ret = store_job_get(ds->cloud->store, id, &row);

	/* Others are agents' business; and those that are forgotten nobody can name at the printer. */
	if (ret || !row.printer_job || row.state != JOB_CANCELED)
		return;
	ret = jobs_recall(ds->cloud->jobs, id, &job);
	if (ret) {
		log_err("printing: %s: job %s: not withdrawn now: %s", device, id,
			shunt_strerror(ret));
		return;
	}
	if (!begin_withdrawal(ds, job))
		job_release(job);
}

void printing_recall(struct deliveries *ds)
{
	notices_list(ds->cloud->notices, recall, ds);
}

bool printing_unheard(struct delivery *d)
{
	return d->unheard && printing_cancel(d);
}

bool printing_cancel(struct delivery *d)
{
	if (!d->withdraw)
		note(d);
	if (d->printer) {
		printer_cancel(d->printer);
		return true;
	}
	if (!job_row(d->job)->printer_job || d->withdraw)
		return false;
	d->withdraw = true;
	d->tries = 0;
	delivery_rest(d, 0, "canceled", "");
	return true;
}

void printing_over(struct delivery *d)
{
	const struct store_job *row = job_row(d->job);
	bool failed = row->state == JOB_FAILED && row->printer_job && !d->settled;

	if (!d->noted && !failed)
		return;
	job_event(
		d->job, "printer-not-told", PATH_NONE, "",
		"the printer has it as job %u and may print it: it was not reached, or did not %s",
		row->printer_job, failed ? "say what became of it" : "agree to cancel it");
	log_warn("printing: %s: job %s: not canceled at the printer, which has it as job %u",
		 row->device, row->id, row->printer_job);
	heard(d);
}
