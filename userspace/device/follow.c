// SPDX-License-Identifier: GPL-2.0-or-later
#include "device/follow.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "device/connect.h"
#include "device/jobs.h"
#include "lib/buf.h"
#include "lib/h2.h"
#include "lib/loop.h"
#include "lib/sapi.h"

#define ROOM_MS 2000

/* A follower of a job's events. */
struct follower {
	TAILQ_ENTRY(follower) link;
	struct follows *follows;
	struct h2_req *req;
	struct job *job; /* NULL once it has ended */
	uint64_t want_from, want_to; /* last told */
	bool roomless; /* there is no room for what it could be asked for */
};

TAILQ_HEAD(follower_list, follower);

struct follows {
	struct connects *connects;
	uint64_t ahead;
	struct loop_defer *review;
	struct loop_timer *again; /* to look for room; nobody tells when a disk has some */
	struct follower_list list; /* newest last */
};

/* ---- what is asked for, and of whom ---- */

static bool is_dialled(const struct follower *f)
{
	return connects_dialled(f->follows->connects, h2_req_session(f->req));
}

/* Whom the job's content is asked of. */
static const struct follower *preferred(const struct follows *fs, const struct job *job)
{
	const struct follower *f, *best = NULL;

	TAILQ_FOREACH_REVERSE(f, &fs->list, follower_list, link)
		if (f->job == job && (!best || (is_dialled(f) && !is_dialled(best))))
			best = f;
	return best;
}

/* [0, 0): nothing. */
static void want(const struct follower *f, uint64_t *from, uint64_t *to)
{
	const struct follows *fs = f->follows;
	const struct job_meta *meta = job_meta(f->job);

	if (meta->job.pull && !f->roomless && preferred(fs, f->job) == f &&
	    job_missing(f->job, fs->ahead, from, to) &&
	    (is_dialled(f) || *from || !connects_awaited(fs->connects, meta->id)))
		return;
	*from = *to = 0;
}

/* ---- telling ---- */

/* One line; a follower so slow that it does not fit is cut off and can ask again. */
static void tell(struct follower *f)
{
	struct sapi_state_event event = { .time = job_changed(f->job), .state = job_state(f->job) };
	bool final = job_state_final(event.state);
	struct buf line;
	int rc;

	buf_init(&line);
	f->roomless = !final && job_meta(f->job)->job.pull && job_room(f->job);
	if (f->roomless)
		loop_timer_set(f->follows->again, ROOM_MS);
	snprintf(event.reason, sizeof(event.reason), "%s", job_reason(f->job));
	want(f, &event.want_from, &event.want_to);
	f->want_from = event.want_from;
	f->want_to = event.want_to;
	rc = sapi_state_event_encode(&event, &line);
	if (!rc)
		rc = buf_putc(&line, '\n');
	if (!rc)
		rc = h2_write(f->req, line.data, line.len);
	buf_fini(&line);
	if (final)
		f->job = NULL;
	if (rc)
		h2_req_reset(f->req);
	else if (final)
		h2_finish(f->req);
}

/*
 * Is there something new to ask for? A quarter of what is asked for at a time, or the rest, is worth a
 * line; and one who is asked no more must know, unless nothing is missing, which the next state tells.
 */
static bool worth_telling(const struct follower *f)
{
	uint64_t from, to, size = job_meta(f->job)->job.size;

	want(f, &from, &to);
	if (to <= f->want_to)
		return !to && f->want_to && preferred(f->follows, f->job) != f;
	return !f->want_to || to == size || to - f->want_to >= f->follows->ahead / 4;
}

static void on_review(void *arg)
{
	struct follows *fs = arg;
	struct follower *f, *next;

	/* Telling may end the follower. */
	for (f = TAILQ_FIRST(&fs->list); f; f = next) {
		next = TAILQ_NEXT(f, link);
		if (!f->job || !job_meta(f->job)->job.pull)
			continue;
		if (f->roomless && !job_room(f->job))
			f->roomless = false;
		if (f->roomless)
			loop_timer_set(fs->again, ROOM_MS);
		if (worth_telling(f))
			tell(f);
	}
}

static void on_again(void *arg)
{
	on_review(arg);
}

void follows_review(struct follows *fs)
{
	/* Not from here: the caller may be a session that is ending. */
	loop_defer_call(fs->review);
}

void follows_changed(struct follows *fs, const struct job *job)
{
	struct follower *f, *next;

	for (f = TAILQ_FIRST(&fs->list); f; f = next) {
		next = TAILQ_NEXT(f, link);
		if (f->job == job)
			tell(f);
	}
	follows_review(fs); /* one that is over makes room for others */
}

/* ---- followers ---- */

static void on_close(struct h2_req *req, int err, void *arg)
{
	struct follower *f = arg;

	(void)req;
	(void)err;
	TAILQ_REMOVE(&f->follows->list, f, link);
	follows_review(f->follows); /* others are asked now */
	free(f);
}

int follows_add(struct follows *fs, struct job *job, struct h2_req *req)
{
	struct follower *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->follows = fs;
	f->req = req;
	f->job = job;
	TAILQ_INSERT_TAIL(&fs->list, f, link);
	h2_req_on_close(req, on_close, f);
	if (h2_start(req, 200, "application/x-ndjson")) {
		h2_req_reset(req);
		return 0;
	}
	tell(f);
	follows_review(fs); /* the others are asked no more */
	return 0;
}

int follows_new(struct loop *loop, uint64_t ahead, struct follows **out)
{
	struct follows *fs = calloc(1, sizeof(*fs));

	if (!fs || loop_defer_new(loop, on_review, fs, &fs->review) ||
	    loop_timer_new(loop, on_again, fs, &fs->again)) {
		follows_free(fs);
		return -ENOMEM;
	}
	fs->ahead = ahead;
	TAILQ_INIT(&fs->list);
	*out = fs;
	return 0;
}

void follows_bind(struct follows *fs, struct connects *connects)
{
	fs->connects = connects;
}

void follows_stop(struct follows *fs)
{
	struct follower *f, *next;

	for (f = TAILQ_FIRST(&fs->list); f; f = next) {
		next = TAILQ_NEXT(f, link);
		if (!f->job)
			continue;
		f->job = NULL;
		h2_finish(f->req);
	}
}

void follows_free(struct follows *fs)
{
	if (!fs)
		return;
	loop_defer_free(fs->review);
	loop_timer_free(fs->again);
	free(fs);
}
