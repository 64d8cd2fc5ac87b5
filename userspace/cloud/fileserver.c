// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/fileserver.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "cloud/cloud.h"
#include "cloud/credentials.h"
#include "cloud/delivery_int.h"
#include "cloud/fetching.h"
#include "cloud/jobs.h"
#include "cloud/outward.h"
#include "cloud/share.h"
#include "cloud/spool.h"
#include "cloud/tunnels.h"
#include "cloud/wrap.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/loop.h"

/* Octets of the content in the first @octets that the file server gets. */
static uint64_t content_in(const struct delivery *d, uint64_t octets)
{
	return d->wrap ? wrap_content(d->wrap, octets) : octets;
}

static ssize_t on_put_read(uint64_t offset, void *buf, size_t len, void *arg)
{
	struct delivery *d = arg;
	int ret;

	if (d->wrap)
		return wrap_read(d->wrap, offset, buf, len);
	ret = file_read_at(spool_fd(job_content(d->job)), offset, buf, len);
	return ret ? ret : (ssize_t)len;
}

static void on_put_wire(uint64_t first, uint64_t end, void *arg)
{
	struct delivery *d = arg;
	uint64_t from = content_in(d, first);

	if (d->put_base > from)
		d->put_base = from;
	delivery_put_wire(from, content_in(d, end), d);
}

static void on_put_progress(uint64_t octets, void *arg)
{
	struct delivery *d = arg;
	uint64_t have = content_in(d, octets);

	/* Before anything is sent: what an earlier try left. */
	if (d->put_base == UINT64_MAX)
		d->put_base = have;
	delivery_put_progress(have, d);
}

static void on_put_whole(void *arg)
{
	struct delivery *d = arg;

	d->put_whole = true;
}

static void on_put_event(const char *event, const char *reason, const char *text, void *arg)
{
	struct delivery *d = arg;

	job_event(d->job, event, PATH_TUNNEL, reason, "%s", text);
}

static void on_put_done(int err, bool fatal, const char *code, const char *text, void *arg)
{
	struct delivery *d = arg;
	bool wrapped = d->wrap;

	d->share = NULL; /* freed by its owner after this */
	fileserver_end(d);
	if (d->step == STEP_CLOSING) {
		loop_timer_set(d->timer, 0);
	} else if (err) {
		delivery_try_failed(d, fatal, code, text);
	} else {
		if (d->put_base == UINT64_MAX)
			d->put_base = 0;
		delivery_put_progress(job_row(d->job)->size, d);
		delivery_finish(d, JOB_COMPLETED, "",
				wrapped ?
					"the file server has the file in its place, encrypted, its "
					"name followed by " WRAP_SUFFIX :
					"the file server has the file in its place");
	}
}

void fileserver_recall(struct delivery *d)
{
	uint64_t delivered = job_row(d->job)->delivered;

	if (d->put_high < delivered)
		d->put_high = delivered;
	if (d->put_best < delivered)
		d->put_best = delivered;
}

/* Have the content encrypted while it is put. False: the try has failed. */
static bool wrap(struct delivery *d)
{
	const struct store_job *row = job_row(d->job);
	char text[256];
	int ret;

	ret = wrap_open(d->cloud->spool, row->id, d->dev.recipient, spool_fd(job_content(d->job)),
			row->size, &d->wrap);
	if (ret == -EINVAL)
		delivery_try_failed(d, true, "bad-recipient",
				    "the device's recipient in the registry is no usable key");
	else if (ret) {
		snprintf(text, sizeof(text), "the content cannot be encrypted: %s",
			 shunt_strerror(ret));
		delivery_try_failed(d, false, "spool-failed", text);
	}
	return !ret;
}

void fileserver_conf(const struct delivery *d, struct share_conf *out)
{
	const struct credentials_entry *login =
		credentials_find(d->cloud->credentials, job_row(d->job)->device);

	*out = (struct share_conf){
		.loop = d->cloud->loop,
		.http = d->cloud->http,
		.address = *ctun_near(d->tunnel),
		.source = *tunnels_far(d->cloud->tunnels),
		.port = d->service->port,
		.tls = d->service->tls,
		.base = d->service->path,
		.user = login ? login->name : NULL,
		.password = login ? login->password : NULL,
		.device = job_row(d->job)->device,
		.pin = d->dev.pin,
		.smb_helper = d->cloud->conf->smb_helper,
	};
}

void fileserver_not_begun(struct delivery *d, int err)
{
	if (err == -EINVAL || err == -ENAMETOOLONG)
		delivery_try_failed(d, true, "bad-name",
				    "the name is none that its server can have");
	else if (err == -ENOMEM)
		delivery_try_failed(d, false, "out-of-memory", "out of memory");
	else
		delivery_try_failed(d, false, "not-begun", shunt_strerror(err));
}

static void put(struct delivery *d)
{
	static const struct share_ops ops = {
		.read = on_put_read,
		.on_wire = on_put_wire,
		.on_progress = on_put_progress,
		.on_whole = on_put_whole,
		.on_event = on_put_event,
		.on_done = on_put_done,
	};
	const struct store_job *row = job_row(d->job);
	const char *name = row->path[0] ? row->path : row->name;
	char wrapped[PATH_MAX];
	struct share_put what = {
		.name = name,
		.tag = row->id,
		.size = row->size,
		.clobber = !row->no_clobber,
		.whole = d->put_whole,
		.delivered = row->delivered, /* content's: of what is encrypted there were more */
	};
	struct share_conf conf;
	int ret;

	fileserver_conf(d, &conf);
	d->put_base = UINT64_MAX;
	d->step = STEP_SENDING;
	delivery_path_state(d, d->tunnel_idx, PATH_ACTIVE, "");
	if (d->dev.recipient[0]) {
		if (!wrap(d))
			return;
		what.size = wrap_size(d->wrap);
		snprintf(wrapped, sizeof(wrapped), "%s" WRAP_SUFFIX, name);
		what.name = wrapped;
	}
	job_event(d->job, "path-active", PATH_TUNNEL, "", "%sPUT to the device's file server",
		  d->wrap ? "encrypted " : "");
	job_set_state(d->job, JOB_RUNNING, PATH_TUNNEL, "", "sending");
	ret = share_protocol(d->service->kind)->put(&conf, &what, &ops, d, &d->share);
	if (ret)
		fileserver_not_begun(d, ret);
}

void fileserver_start(struct delivery *d)
{
	if (outward_is(d))
		fetching_start(d);
	else
		put(d);
}

void fileserver_end(struct delivery *d)
{
	fetching_shut(d);
	share_free(d->share);
	d->share = NULL;
	wrap_free(d->wrap);
	d->wrap = NULL;
}
