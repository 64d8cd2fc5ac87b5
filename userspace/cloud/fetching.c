// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/fetching.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/cloud.h"
#include "cloud/delivery_int.h"
#include "cloud/fileserver.h"
#include "cloud/jobs.h"
#include "cloud/outward.h"
#include "cloud/share.h"
#include "cloud/spool.h"
#include "cloud/transfer.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/loop.h"

#define KEEP_MS 1000 /* what came is durable after so long */

struct fetching {
	struct delivery *d;
	char version[SHARE_VERSION_LEN]; /* of what is here; "": it has none */
	struct group_wait told; /* for its size to be in the store */
	unsigned int restarts;
	uint64_t came; /* octets, on this path */
	uint64_t kept; /* loop time at which what had come was made durable */
	struct buf list; /* JSON lines */
	/* Why a callback has ended the call; code "": none has, or for want of disk or memory. */
	const char *code;
	char text[SAPI_TEXT_LEN];
};

static void begin(struct fetching *f);

/* ---- what is here ---- */

/* Content comes in order, so that there are no gaps. */
static uint64_t held(const struct delivery *d)
{
	const struct spool_file *content = job_content(d->job);

	return content ? ranges_total(spool_held(content)) : 0;
}

static void version_load(struct fetching *f)
{
	ssize_t n = spool_key_read(f->d->cloud->spool, delivery_job_id(f->d), f->version,
				   sizeof(f->version) - 1);

	f->version[n < 0 ? 0 : n] = '\0';
}

/* Not before the store knows the size: a version must never name what is of another file. */
static void on_told(int err, void *arg)
{
	struct fetching *f = arg;

	if (!err && f->version[0])
		err = spool_key_write(f->d->cloud->spool, delivery_job_id(f->d), f->version,
				      strlen(f->version));
	if (err)
		log_warn("fetch: %s: a restart will fetch all of it again: %s",
			 delivery_job_id(f->d), shunt_strerror(err));
}

/* Nothing is here any more. */
static int drop(struct fetching *f)
{
	struct delivery *d = f->d;
	struct transfer *fresh;
	int ret = transfer_new(&fresh, 0, (uint32_t)d->cloud->conf->segment);

	if (ret)
		return ret;
	group_unwait(&f->told);
	f->version[0] = '\0';
	d->resent += held(d) + transfer_resent(d->transfer);
	transfer_free(d->transfer);
	d->transfer = fresh;
	return job_untell(d->job);
}

static int fail(struct fetching *f, int err, const char *code, const char *text)
{
	f->code = code;
	snprintf(f->text, sizeof(f->text), "%s", text);
	return err;
}

/* What is here is of another file than what is there now. -ESTALE: that happened too often. */
static int start_over(struct fetching *f, const char *why)
{
	char text[SAPI_TEXT_LEN];

	if (++f->restarts > FETCHING_RESTARTS_MAX) {
		snprintf(text, sizeof(text), "%.400s, again and again", why);
		return fail(f, -ESTALE, "content-changed", text);
	}
	if (held(f->d))
		job_event(f->d->job, "content-dropped", PATH_TUNNEL, "content-changed",
			  "%s: it is fetched from its start again", why);
	return drop(f);
}

/*
 * What comes may be of another file than what is here. It is one for certain only where the server says so; that it does not
 * name what it sends is no change, and after each interruption the same.
 */
static int start_anew(struct fetching *f, const struct share_file *file)
{
	bool named = f->version[0] && file->version[0];

	if (!held(f->d))
		return drop(f);
	if (named || job_row(f->d->job)->size != file->size)
		return start_over(f, "the file was changed at the file server");
	job_event(
		f->d->job, "content-dropped", PATH_TUNNEL, "no-version",
		"the file server does not name what it sends: it is fetched from its start again");
	return drop(f);
}

/* Space for it, and its name. */
static int tell(struct fetching *f, uint64_t size, const char *version)
{
	struct delivery *d = f->d;
	char text[128];
	int ret;

	snprintf(text, sizeof(text), "%llu bytes are more than this cloud takes",
		 (unsigned long long)size);
	if (size > d->cloud->conf->max_size)
		return fail(f, -EFBIG, "too-large", text);
	ret = job_told(d->job, size, "");
	if (ret == -ENOSPC) {
		snprintf(text, sizeof(text), "space for %llu bytes of content: %s",
			 (unsigned long long)size, shunt_strerror(ret));
		return fail(f, ret, "no-space", text);
	}
	if (!ret)
		ret = transfer_resize(d->transfer, size);
	if (ret)
		return ret;
	snprintf(f->version, sizeof(f->version), "%s", version);
	f->told.done = on_told;
	f->told.arg = f;
	jobs_wait(d->cloud->jobs, &f->told);
	return 0;
}

static int sync_transfer(struct fetching *f)
{
	struct delivery *d = f->d;
	int ret;

	if (!job_content(d->job))
		return 0;
	ret = transfer_learn(d->transfer, spool_held(job_content(d->job)), true);
	if (ret)
		return ret;
	delivery_add_bytes(d, d->tunnel_idx, f->came);
	delivery_note_progress(d);
	return 0;
}

/* ---- a file ---- */

static int on_file(const struct share_file *file, void *arg)
{
	struct fetching *f = arg;
	struct delivery *d = f->d;
	bool same = f->version[0] && !strcmp(f->version, file->version) &&
		    job_row(d->job)->size == file->size;
	int ret = 0;

	if (file->from)
		return 0;
	if (job_content(d->job) && same) {
		d->resent += held(d); /* what is here already is not written again */
		job_event(d->job, "content-repeated", PATH_TUNNEL, "no-ranges",
			  "the file server has no ranges and sends all of it again");
		return 0;
	}
	if (job_content(d->job))
		ret = start_anew(f, file);
	if (!ret)
		ret = tell(f, file->size, file->version);
	if (!ret)
		job_event(d->job, "content-told", PATH_TUNNEL, "", "the file has %llu bytes%s%s",
			  (unsigned long long)file->size, file->version[0] ? ", version " : "",
			  file->version);
	return ret;
}

static int on_write(uint64_t offset, const void *data, size_t len, void *arg)
{
	struct fetching *f = arg;

	f->came += len;
	return job_fetched(f->d->job, offset, data, len);
}

static void on_progress(uint64_t octets, void *arg)
{
	struct fetching *f = arg;
	uint64_t now = loop_now(f->d->cloud->loop);

	(void)octets;
	sync_transfer(f); /* without memory the next one tells */
	if (now - f->kept < KEEP_MS)
		return;
	f->kept = now;
	/* On a slow line it would take long until so much has come that it is flushed. An error comes with the next octets. */
	if (f->came)
		job_fetched_keep(f->d->job);
}

/* ---- a list ---- */

static int on_entry(const struct share_entry *entry, void *arg)
{
	struct fetching *f = arg;
	struct sapi_entry line = {
		.directory = entry->directory,
		.size = entry->size,
		.modified = entry->modified == INT64_MIN ? 0 : entry->modified,
	};
	int ret;

	snprintf(line.name, sizeof(line.name), "%s", entry->name);
	if (utf8_ok(entry->version, strlen(entry->version)))
		snprintf(line.version, sizeof(line.version), "%s", entry->version);
	ret = sapi_entry_encode(&line, &f->list);
	return ret ? ret : buf_putc(&f->list, '\n');
}

static int list_keep(struct fetching *f)
{
	int ret = job_content(f->d->job) ? drop(f) : 0;

	if (!ret)
		ret = tell(f, f->list.len, "");
	if (!ret && f->list.len)
		ret = job_fetched(f->d->job, 0, f->list.data, f->list.len);
	f->came = f->list.len;
	return ret;
}

/* ---- the end ---- */

static bool is_list(const struct delivery *d)
{
	return sapi_path_lists(job_row(d->job)->path);
}

static void failed(struct fetching *f, int err, bool fatal, const char *code, const char *text)
{
	char why[SAPI_TEXT_LEN];

	if (f->code) {
		snprintf(why, sizeof(why), "%s", f->text);
		delivery_try_failed(f->d, true, f->code, why);
	} else if (code) {
		delivery_try_failed(f->d, fatal, code, text);
	} else {
		delivery_try_failed(f->d, false, "spool-failed", shunt_strerror(err));
	}
}

static void on_done(int err, bool fatal, const char *code, const char *text, void *arg)
{
	struct fetching *f = arg;
	struct delivery *d = f->d;
	int ret = 0;

	d->share = NULL; /* freed by its owner after this */
	if (d->step == STEP_CLOSING) {
		loop_timer_set(d->timer, 0);
		return;
	}
	if (!err && is_list(d))
		ret = list_keep(f);
	if (!ret)
		ret = sync_transfer(f);
	if (ret) {
		failed(f, ret, false, NULL, "");
	} else if (err == -ESTALE && !f->code) {
		ret = start_over(f, text);
		if (ret)
			failed(f, ret, false, NULL, "");
		else if (f->restarts == 1)
			begin(f);
		else /* each opens connections and writes records: not without a pause */
			delivery_try_failed(d, false, code, text);
	} else if (err) {
		failed(f, err, fatal, code, text);
	} else {
		d->ending = JOB_COMPLETED;
		outward_progress(d);
	}
}

static void on_event(const char *event, const char *reason, const char *text, void *arg)
{
	struct fetching *f = arg;

	job_event(f->d->job, event, PATH_TUNNEL, reason, "%s", text);
}

/* ---- beginning and end ---- */

static void begin(struct fetching *f)
{
	static const struct share_ops ops = {
		.on_file = on_file,
		.write = on_write,
		.on_progress = on_progress,
		.on_entry = on_entry,
		.on_event = on_event,
		.on_done = on_done,
	};
	struct delivery *d = f->d;
	const struct store_job *row = job_row(d->job);
	const struct share_protocol *protocol = share_protocol(d->service->kind);
	struct share_get what = { .name = row->path, .version = f->version };
	struct share_conf conf;
	char dir[SAPI_PATH_LEN];
	int ret;

	f->code = NULL;
	fileserver_conf(d, &conf);
	if (is_list(d)) {
		buf_reset(&f->list);
		snprintf(dir, sizeof(dir), "%.*s", (int)strlen(row->path) - 1, row->path);
		ret = protocol->list(&conf, dir, &ops, f, &d->share);
	} else {
		what.from = f->version[0] ? held(d) : 0;
		what.size = row->size;
		ret = protocol->get(&conf, &what, &ops, f, &d->share);
	}
	if (ret)
		fileserver_not_begun(d, ret);
}

static struct fetching *fetching_of(struct delivery *d)
{
	struct fetching *f = d->fetching;

	if (f)
		return f;
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->d = d;
	buf_init_max(&f->list, FETCHING_LIST_MAX);
	d->fetching = f;
	if (job_content(d->job))
		version_load(f);
	return f;
}

void fetching_start(struct delivery *d)
{
	struct fetching *f = fetching_of(d);

	d->step = STEP_SENDING;
	if (!f) {
		delivery_try_failed(d, false, "out-of-memory", "out of memory");
		return;
	}
	/* A run before this one had all of it. */
	if (d->outward != OUTWARD_COMING) {
		d->ending = JOB_COMPLETED;
		outward_progress(d);
		return;
	}
	delivery_path_state(d, d->tunnel_idx, PATH_ACTIVE, "");
	job_event(d->job, "path-active", PATH_TUNNEL, "", "asking the device's file server%s",
		  held(d) ? ", for what is missing" : "");
	job_set_state(d->job, JOB_RUNNING, PATH_TUNNEL, "", "fetching");
	f->came = 0;
	begin(f);
}

void fetching_shut(struct delivery *d)
{
	if (d->fetching)
		buf_fini(&d->fetching->list);
}

void fetching_free(struct delivery *d)
{
	struct fetching *f = d->fetching;

	if (!f)
		return;
	group_unwait(&f->told);
	buf_fini(&f->list);
	free(f);
	d->fetching = NULL;
}
