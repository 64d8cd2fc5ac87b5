// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/outward.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cloud/cloud.h"
#include "cloud/jobs.h"
#include "cloud/move.h"
#include "cloud/path.h"
#include "cloud/transfer.h"
#include "lib/err.h"

bool outward_is(const struct delivery *d)
{
	return job_row(d->job)->kind == JOB_FETCH;
}

bool outward_is_here(const struct delivery *d)
{
	return d->outward == OUTWARD_HERE;
}

static void on_checked(int err, void *arg);

int outward_begin(struct delivery *d)
{
	struct spool_file *content = job_content(d->job);
	uint64_t delivered = job_row(d->job)->delivered, held;
	int ret;

	if (!outward_is(d) || !content)
		return 0;
	/* What was not flushed when a run before this one died has to cross again. */
	held = ranges_total(spool_held(content));
	if (delivered > held)
		d->resent += delivered - held;
	ret = transfer_learn(d->transfer, spool_held(content), true);
	/*
	 * All of it: the device need not be there any more, nor know the job. But a file server that told no digest
	 * is asked once more: see fetching.h.
	 */
	if (!ret && spool_complete(content) && job_row(d->job)->sha256[0] &&
	    !job_check(d->job, on_checked, d))
		d->outward = OUTWARD_CHECKING;
	return ret;
}

void outward_end(struct delivery *d)
{
	job_check_cancel(d->job);
}

static int on_write(void *arg, uint64_t offset, const void *data, size_t len)
{
	struct delivery *d = arg;

	return job_fetched(d->job, offset, data, len);
}

void outward_path(struct delivery *d, struct path_conf *conf)
{
	conf->write = on_write;
	conf->write_arg = d;
}

/* ---- the end ---- */

/* It cannot become anything; the device is told to drop what it keeps for us. */
static void outward_fail(struct delivery *d, const char *code, const char *text)
{
	job_set_state(d->job, JOB_FAILED, PATH_NONE, code, "%s", text);
	delivery_cancel(d);
}

/* By any path that works; without one, the next try does it. */
static void tell_done(struct delivery *d)
{
	if (leg_sends(&d->via_direct))
		path_done(d->via_direct.path);
	else if (leg_sends(&d->via_tunnel))
		path_done(d->via_tunnel.path);
}

static void on_checked(int err, void *arg)
{
	struct delivery *d = arg;
	char text[SAPI_TEXT_LEN];

	d->outward = err ? OUTWARD_COMING : OUTWARD_HERE;
	if (d->step == STEP_CLOSING)
		return;
	if (!err) {
		job_event(d->job, "content-here", PATH_NONE, "", "all of it is here, on disk%s",
			  d->fetching ? "" : " and as the device says it is");
		if (d->ending)
			outward_done(d);
		else
			tell_done(d);
		return;
	}
	if (err == -EBADMSG)
		snprintf(text, sizeof(text),
			 "the content that came does not have the SHA-256 that the device told");
	else
		snprintf(text, sizeof(text), "the content cannot be read back: %s",
			 shunt_strerror(err));
	outward_fail(d, err == -EBADMSG ? "digest-mismatch" : "spool-failed", text);
}

void outward_progress(struct delivery *d)
{
	char text[SAPI_TEXT_LEN];
	int err;

	if (!job_content(d->job) || !transfer_complete(d->transfer) || d->step == STEP_CLOSING)
		return;
	if (d->outward == OUTWARD_HERE && d->fetching)
		outward_done(d);
	else if (d->outward == OUTWARD_HERE)
		tell_done(d);
	if (d->outward != OUTWARD_COMING)
		return;
	err = job_check(d->job, on_checked, d);
	if (!err) {
		d->outward = OUTWARD_CHECKING;
		return;
	}
	snprintf(text, sizeof(text), "the content cannot be made durable: %s", shunt_strerror(err));
	outward_fail(d, "spool-failed", text);
}

void outward_done(struct delivery *d)
{
	delivery_finish(d, JOB_COMPLETED, "", "the content is here");
}

void outward_completed(struct delivery *d)
{
	/* Only after it was told, perhaps by a run before this one; what it says counts when checked. */
	d->ending = JOB_COMPLETED;
	if (d->outward == OUTWARD_HERE)
		outward_done(d);
	else if (!job_content(d->job) || !transfer_complete(d->transfer))
		delivery_finish(d, JOB_FAILED, "device",
				"the device ended the job before all of its content was here");
	else
		outward_progress(d);
}

/* ---- the beginning ---- */

static void outward_refuse(struct delivery *d, int err, uint64_t size)
{
	unsigned long long bytes = size;
	char text[SAPI_TEXT_LEN];

	switch (err) {
	case -EFBIG:
		snprintf(text, sizeof(text), "%llu bytes are more than this cloud takes", bytes);
		outward_fail(d, "too-large", text);
		break;
	case -ESTALE:
	case -EBUSY:
		outward_fail(d, "content-changed", "the device has another content than before");
		break;
	default:
		snprintf(text, sizeof(text), "space for %llu bytes of content: %s", bytes,
			 shunt_strerror(err));
		outward_fail(d, "no-space", text);
	}
}

void outward_offered(struct delivery *d, uint64_t size, const char *sha256)
{
	bool news = !job_content(d->job);
	int err;

	if (d->step == STEP_CLOSING)
		return;
	err = size > d->cloud->conf->max_size ? -EFBIG : job_told(d->job, size, sha256);
	if (!err)
		err = transfer_resize(d->transfer, size);
	if (err) {
		outward_refuse(d, err, size);
		return;
	}
	d->device_job.size = size;
	if (news)
		job_event(d->job, "content-told", PATH_NONE, "",
			  "the device has %llu bytes, SHA-256 %s", (unsigned long long)size,
			  sha256);
	if (d->move.hold == HOLD_NONE)
		job_set_state(d->job, JOB_RUNNING, PATH_NONE, "", "fetching");
	if (leg_sends(&d->via_direct))
		path_pump(d->via_direct.path);
	if (leg_sends(&d->via_tunnel))
		path_pump(d->via_tunnel.path);
	outward_progress(d);
}
