// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/ndjson.h"
#include "cloud/problem.h"
#include "cloud/segment.h"
#include "cloud/transfer.h"
#include "cloud/window.h"
#include "lib/err.h"
#include "lib/h2.h"
#include "lib/loop.h"

struct path {
	struct path_conf conf;
	struct path_ops ops;
	void *arg;
	enum path_state state;
	bool draining;
	bool held_back; /* the agent suspended the job (7L): no segments until it resumes */
	bool resumed; /* by us: that it is suspended is old news from now on */
	bool ended; /* event stream told a final state */
	char resource[48]; /* "/v1/jobs/{id}" */
	struct segment_conf segment;
	struct window window;
	uint64_t bytes;
	uint64_t asked_at;
	uint64_t asked_changes; /* transfer_changes() at that time */
	bool ask_again; /* bytes became unsure after the question that is under way */
	LIST_HEAD(, segment) segments;
	size_t n_segments;
	struct h2_call *call; /* PUT or GET of the job */
	struct buf introduction; /* body of the PUT that content may follow at once */
	size_t introduced; /* bytes of it that were handed to the session */
	bool ahead; /* all were, and content follows before the answer */
	bool overtook; /* such content was refused, @code and @text say how */
	struct h2_call *events;
	struct ndjson lines;
	struct h2_call *control; /* suspend, resume or done */
	void (*next)(struct path *p); /* of them, asked for while another is under way */
	struct h2_call *cancel;
	void (*on_cancelled)(int err, void *arg);
	void *cancel_arg;
	struct loop_defer *later; /* on_drained, on_failed */
	bool starting; /* known: active from the loop's next pass on */
	bool failed, fatal;
	char code[SAPI_REASON_LEN];
	char text[SAPI_TEXT_LEN];
	uint64_t want_from, want_to; /* with pull: what the agent asks for, here */
	bool pulls; /* it asked, or said why not */
	bool doubtful; /* it asked for what it holds as far as we know, and is asked what it holds */
	struct loop_timer *unasked; /* with pull: the agent has not asked yet */
	enum job_state heard; /* last state in the event stream; JOB_QUEUED: none */
	char heard_why[SAPI_TEXT_LEN];
	int events_status; /* HTTP status of the event stream */
	struct sapi_state_event *told; /* by the agent, not yet passed on */
	size_t n_told;
	/* of a fetch job */
	bool offered, offer_news;
	uint64_t offer_size;
	char offer_sha256[SHA256_STR_LEN];
};

#define TOLD_MAX 16 /* states of a job between two passes of the loop */

enum path_kind path_get_kind(const struct path *p)
{
	return p->conf.kind;
}

enum path_state path_get_state(const struct path *p)
{
	return p->failed ? PATH_CLOSED : p->draining ? PATH_DRAINING : p->state;
}

uint64_t path_bytes(const struct path *p)
{
	const struct segment *s;
	uint64_t bytes = p->bytes;

	LIST_FOREACH(s, &p->segments, link)
		bytes += segment_partial(s);
	return bytes;
}

uint64_t path_in_flight(const struct path *p)
{
	return p->window.flight;
}

/* ---- ends ---- */

/* It is over, and its bytes are given back. */
static void segment_drop(struct path *p, struct segment *s)
{
	LIST_REMOVE(s, link);
	p->n_segments--;
}

static void stop(struct path *p)
{
	struct segment *s;

	while ((s = LIST_FIRST(&p->segments))) {
		segment_drop(p, s);
		window_lost(&p->window, s->to - s->from);
		p->bytes += segment_partial(s);
		segment_cancel(s);
	}
	if (p->call)
		h2_call_cancel(p->call);
	p->call = NULL;
	if (p->events) {
		h2_call_cancel(p->events);
		ndjson_fini(&p->lines);
	}
	p->events = NULL;
	if (p->control)
		h2_call_cancel(p->control);
	p->control = NULL;
	if (p->cancel)
		h2_call_cancel(p->cancel);
	p->cancel = NULL;
}

static void fail(struct path *p, bool fatal, const char *code, const char *text)
{
	if (p->failed)
		return;
	p->failed = true;
	p->fatal = fatal;
	snprintf(p->code, sizeof(p->code), "%s", code);
	snprintf(p->text, sizeof(p->text), "%s", text);
	loop_defer_call(p->later);
}

/*
 * The agent's words are passed on one by one and from the loop only, since whoever hears them may
 * free the path. They come before a failure: the stream that told of the end was allowed to end.
 */
static void pass_on(struct path *p)
{
	struct sapi_state_event ev = p->told[0];

	p->n_told--;
	memmove(p->told, p->told + 1, p->n_told * sizeof(*p->told));
	if (!p->n_told) {
		free(p->told);
		p->told = NULL;
	}
	if (p->n_told || p->failed || p->draining)
		loop_defer_call(p->later);
	if (ev.state != JOB_SUSPENDED || !p->resumed)
		p->ops.on_state(p, ev.state, ev.reason, p->arg);
}

static void activate(struct path *p);
static void go_ahead(struct path *p);

static void on_later(void *arg)
{
	struct path *p = arg;
	char code[SAPI_REASON_LEN], text[SAPI_TEXT_LEN];

	if (p->introduction.len && p->introduced == p->introduction.len && !p->failed) {
		go_ahead(p);
	} else if (p->offer_news && !p->failed) {
		p->offer_news = false;
		loop_defer_call(p->later);
		p->ops.on_offer(p, p->offer_size, p->offer_sha256, p->arg);
	} else if (p->n_told && (p->state != PATH_OPENING || p->failed)) {
		pass_on(p);
	} else if (p->starting && !p->failed) {
		p->starting = false;
		activate(p);
	} else if (p->failed) {
		stop(p);
		/* Copies, since the path may be freed by whoever reads them. */
		memcpy(code, p->code, sizeof(code));
		memcpy(text, p->text, sizeof(text));
		p->ops.on_failed(p, p->fatal, code, text, p->arg);
	} else if (p->draining && !p->n_segments) {
		p->ops.on_drained(p, p->arg);
	}
}

bool path_pulls(const struct path *p)
{
	return p->pulls;
}

static void on_unasked(void *arg)
{
	struct path *p = arg;

	if (p->conf.device_job->pull && !p->pulls && !p->failed)
		p->ops.on_unasked(p, p->arg);
}

/*
 * With pull: the agent asks, but for nothing that it lacks. Its lines and acknowledgements come in
 * order, so it cannot have known better; unless they came by another path, which its next line tells.
 */
static bool asks_in_vain(const struct path *p)
{
	return p->conf.device_job->pull && !p->held_back && p->want_from < p->want_to &&
	       !transfer_complete(p->conf.transfer) &&
	       transfer_holds(p->conf.transfer, p->want_from, p->want_to);
}

void path_free(struct path *p)
{
	if (!p)
		return;
	stop(p);
	if (p->conf.want && p->conf.want->on == p)
		p->conf.want->on = NULL;
	loop_timer_free(p->unasked);
	loop_defer_free(p->later);
	buf_fini(&p->introduction);
	free(p->told);
	free(p);
}

/* ---- segments ---- */

static bool code_is(const struct problem *p, const char *code)
{
	return !strcmp(p->code, code);
}

/* What the agent will not change its mind about. */
static bool is_fatal(const struct problem *p)
{
	return p->status == 400 || p->status == 403 || p->status == 413 || p->status == 422 ||
	       p->status == 507 || code_is(p, "spool-failed") ||
	       (p->status == 409 && !code_is(p, "suspended") && !code_is(p, "not-ready"));
}

/*
 * Was the introduction refused, then so was the content behind it; but it is the answer to the former
 * that says why.
 */
static void segment_overtook(struct path *p, const struct problem *problem)
{
	p->ahead = false;
	if (p->overtook)
		return;
	p->overtook = true;
	p->fatal = is_fatal(problem) && problem->status != 404;
	snprintf(p->code, sizeof(p->code), "%s", problem->code);
	snprintf(p->text, sizeof(p->text), "%s", problem->text);
}

static void on_segment(struct segment *s, const struct problem *problem)
{
	struct path *p = s->owner;

	segment_drop(p, s);
	if (!problem) {
		p->bytes += s->to - s->from;
		window_acked(&p->window, s->to - s->from, loop_now(p->conf.loop), &s->mark);
		segment_free(s);
		if (p->draining && !p->n_segments)
			loop_defer_call(p->later);
		else
			path_pump(p);
		p->ops.on_progress(p, p->arg);
		return;
	}
	p->bytes += segment_partial(s);
	window_lost(&p->window, s->to - s->from);
	segment_free(s);
	if (p->ahead || p->overtook) {
		segment_overtook(p, problem);
		return;
	}
	if (code_is(problem, "suspended")) {
		p->held_back = true;
		path_ask(p);
		p->ops.on_progress(p, p->arg); /* that nothing is in flight may be waited for */
		return;
	}
	fail(p, is_fatal(problem), problem->code, problem->text);
}

static int segment_begin(struct path *p, uint64_t from, uint64_t to)
{
	struct segment *s;
	int ret = segment_start(&p->segment, from, to, on_segment, p, &s);

	if (ret)
		return ret;
	LIST_INSERT_HEAD(&p->segments, s, link);
	p->n_segments++;
	window_sent(&p->window, to - from, loop_now(p->conf.loop), &s->mark);
	return 0;
}

/*
 * Push: whatever is free. Pull (FIG. 18-19): only what the agent asks for on this path (#645, #611), or on
 * any, where both are to be used.
 */
static int next_segment(struct path *p, uint64_t *from, uint64_t *to)
{
	const struct path_want *want = p->conf.want;

	if (!p->conf.device_job->pull)
		return transfer_take(p->conf.transfer, from, to);
	if (want->any && want->on)
		return transfer_take_within(p->conf.transfer, want->from, want->to, from, to);
	return transfer_take_within(p->conf.transfer, p->want_from, p->want_to, from, to);
}

void path_pump(struct path *p)
{
	uint64_t from, to;
	int ret;

	while (!p->failed && (p->state == PATH_ACTIVE || p->ahead) && !p->draining &&
	       !p->held_back && !transfer_unsure(p->conf.transfer) &&
	       window_room(&p->window, p->conf.segment)) {
		ret = next_segment(p, &from, &to);
		if (ret == -ENODATA)
			return;
		if (!ret) {
			ret = segment_begin(p, from, to);
			if (ret)
				transfer_lose(p->conf.transfer, from, to, false);
		}
		if (ret)
			fail(p, false, "no-answer", shunt_strerror(ret));
	}
}

void path_drain(struct path *p)
{
	p->draining = true;
	if (!p->n_segments)
		loop_defer_call(p->later);
}

void path_undrain(struct path *p)
{
	p->draining = false;
	path_pump(p);
}

/* ---- what the agent says of the job ---- */

static int follow_events(struct path *p);

static void activate(struct path *p)
{
	int ret;

	if (p->failed)
		return; /* by what went ahead of the introduction; on_failed is on its way */
	if (p->state != PATH_OPENING) {
		path_pump(p);
		return;
	}
	/* Not before: a stream asked for beside the PUT could be handled before it. */
	ret = p->events ? 0 : follow_events(p);
	if (ret) {
		fail(p, false, "no-answer", shunt_strerror(ret));
		return;
	}
	p->state = PATH_ACTIVE;
	if (p->n_told)
		loop_defer_call(p->later);
	if (p->conf.device_job->pull && p->conf.pull_patience)
		loop_timer_set(p->unasked, p->conf.pull_patience);
	p->ops.on_active(p, p->arg);
}

/*
 * Others may have sent, and been acknowledged, since the question was asked: then the answer adds
 * to what is known but denies nothing.
 */
static bool answer_is_all(const struct path *p)
{
	return !transfer_taken(p->conf.transfer) &&
	       transfer_changes(p->conf.transfer) == p->asked_changes;
}

static bool is_outward(const struct path *p)
{
	return p->conf.write != NULL;
}

/* What the agent has to give, once it has fixed that. It is passed on from the loop. */
static void learn_offer(struct path *p, const struct sapi_device_job_status *status)
{
	p->held_back = status->state != JOB_RUNNING;
	if (status->job.size == CONTENT_SIZE_UNKNOWN || !status->job.sha256[0] || p->offered)
		return;
	p->offered = true;
	p->offer_size = status->job.size;
	memcpy(p->offer_sha256, status->job.sha256, sizeof(p->offer_sha256));
	p->offer_news = true;
	loop_defer_call(p->later);
}

static void on_status(const struct h2_reply *reply, void *arg)
{
	struct path *p = arg;
	struct sapi_device_job_status status;
	struct problem problem;
	struct err e = { 0 };
	int ret;

	p->call = NULL;
	if (problem_of_reply(reply, path_kind_str(p->conf.kind), &problem)) {
		/* A fetch job that it has forgotten is not made anew, see introduce(). */
		fail(p, is_fatal(&problem) || (is_outward(p) && problem.status == 404),
		     problem.code, problem.text);
		return;
	}
	if (p->ask_again) {
		path_ask(p); /* this answer may be older than the loss */
		return;
	}
	ret = sapi_device_job_status_decode(reply->body, reply->len, &status, &e);
	if (ret) {
		fail(p, false, "bad-answer", err_text(&e));
		return;
	}
	window_rtt(&p->window, loop_now(p->conf.loop) - p->asked_at);
	if (is_outward(p)) {
		learn_offer(p, &status);
		sapi_device_job_status_fini(&status);
		activate(p);
		return;
	}
	/* It runs the job, or ran it: so it had all of it, whatever it still lists. */
	if (status.state == JOB_EXECUTING || status.state == JOB_COMPLETED)
		ret = ranges_add(&status.received, 0, transfer_size(p->conf.transfer), NULL);
	/* Suspended, or over: the event stream tells how it goes on. */
	p->held_back = status.state != JOB_RECEIVING;
	if (!ret)
		ret = transfer_learn(p->conf.transfer, &status.received, answer_is_all(p));
	sapi_device_job_status_fini(&status);
	if (ret) {
		fail(p, ret == -ERANGE, "bad-answer", "the agent lists ranges beyond the content");
		return;
	}
	activate(p);
	if (p->doubtful && asks_in_vain(p))
		p->ops.on_in_vain(p, p->arg);
	p->doubtful = false;
}

static int small_request(struct path *p, const char *method, const void *body, size_t len,
			 void (*done)(const struct h2_reply *reply, void *arg),
			 struct h2_call **out)
{
	struct h2_request req = {
		.method = method,
		.path = p->resource,
		.type = len ? "application/json" : NULL,
		.body = body,
		.body_len = len,
		.timeout_ms = PATH_REQUEST_MS,
		.max_reply = SAPI_LIST_MAX, /* many ranges make a long answer */
	};

	p->asked_at = loop_now(p->conf.loop);
	return h2_fetch(p->conf.h2, &req, done, p, out);
}

void path_ask(struct path *p)
{
	int ret;

	if (p->failed)
		return;
	if (p->call) {
		p->ask_again = true;
		return;
	}
	p->ask_again = false;
	p->asked_changes = transfer_changes(p->conf.transfer);
	ret = small_request(p, "GET", NULL, 0, on_status, &p->call);
	if (ret)
		fail(p, false, "no-answer", shunt_strerror(ret));
}

/* A small file may be ready already. */
static void on_first_status(struct path *p, const struct h2_reply *reply)
{
	struct sapi_device_job_status status;
	struct err e = { 0 };

	if (sapi_device_job_status_decode(reply->body, reply->len, &status, &e)) {
		fail(p, false, "bad-answer", err_text(&e));
		return;
	}
	learn_offer(p, &status);
	sapi_device_job_status_fini(&status);
	activate(p);
}

static void on_introduced(const struct h2_reply *reply, void *arg)
{
	struct path *p = arg;
	struct problem problem;
	struct ranges none = RANGES_INIT;

	p->call = NULL;
	p->ahead = false;
	buf_fini(&p->introduction);
	if (problem_of_reply(reply, path_kind_str(p->conf.kind), &problem)) {
		fail(p, is_fatal(&problem), problem.code, problem.text);
		return;
	}
	if (p->overtook) {
		fail(p, p->fatal, p->code, p->text);
		return;
	}
	window_rtt(&p->window, loop_now(p->conf.loop) - p->asked_at);
	if (reply->status != 201 || p->ask_again) {
		path_ask(p); /* it knows the job already, so it may hold some of it */
		return;
	}
	if (is_outward(p)) {
		on_first_status(p, reply);
		return;
	}
	if (transfer_learn(p->conf.transfer, &none, answer_is_all(p)))
		fail(p, false, "out-of-memory", "out of memory");
	else
		activate(p);
}

/* ---- the agent's event stream ---- */

/* One that is asked for nothing is not the one to go by, unless it was the last that was asked. */
static void asked(struct path *p)
{
	struct path_want *want = p->conf.want;

	if (p->want_to || want->on == p) {
		want->on = p;
		want->from = p->want_from;
		want->to = p->want_to;
	}
	path_pump(p);
	p->ops.on_asked(p, p->arg);
}

static int on_line(const char *line, size_t len, void *arg)
{
	struct path *p = arg;
	struct sapi_state_event ev, *told;
	int ret;

	ret = sapi_state_event_decode(line, len, &ev, NULL);
	if (ret)
		return ret;
	/* Each line says what is asked for from now on; many say nothing else. */
	p->pulls = p->pulls || ev.want_to || (ev.reason[0] && !job_state_final(ev.state));
	p->want_from = ev.want_from;
	p->want_to = ev.want_to;
	if (p->conf.device_job->pull)
		asked(p);
	if (asks_in_vain(p)) {
		p->doubtful = true;
		path_ask(p); /* it may have lost what it acknowledged */
	}
	if (p->conf.device_job->pull && ev.state == p->heard && !strcmp(ev.reason, p->heard_why))
		return 0;
	p->heard = ev.state;
	memcpy(p->heard_why, ev.reason, sizeof(p->heard_why));
	if (p->n_told == TOLD_MAX)
		return -SHUNT_EPROTO; /* no job has that many states */
	told = realloc(p->told, (p->n_told + 1) * sizeof(*told));
	if (!told)
		return -ENOMEM;
	p->told = told;
	if (job_state_final(ev.state))
		p->ended = true;
	p->told[p->n_told++] = ev;
	loop_defer_call(p->later);
	if (p->held_back && ev.state == (is_outward(p) ? JOB_RUNNING : JOB_RECEIVING))
		path_ask(p); /* resumed, or the content is ready */
	return 0;
}

static void on_events_headers(struct h2_call *call, int status, void *arg)
{
	struct path *p = arg;

	(void)call;
	p->events_status = status;
}

static int on_events_data(struct h2_call *call, const void *data, size_t len, void *arg)
{
	struct path *p = arg;

	(void)call;
	return p->events_status == 200 ? ndjson_feed(&p->lines, data, len) : 0;
}

static void on_events_close(struct h2_call *call, int err, const char *why, void *arg)
{
	struct path *p = arg;
	char text[SAPI_TEXT_LEN];

	(void)call;
	p->events = NULL;
	ndjson_fini(&p->lines);
	if (p->ended || p->state == PATH_OPENING)
		return; /* what it was asked ahead of the answer is asked again after it */
	snprintf(text, sizeof(text), "the agent's event stream ended: %.200s (HTTP status %d)",
		 err ? why : "by the agent", p->events_status);
	fail(p, false, "no-answer", text);
}

static int follow_events(struct path *p)
{
	static const struct h2_call_ops ops = {
		.on_headers = on_events_headers,
		.on_data = on_events_data,
		.on_close = on_events_close,
	};
	char path[64];
	struct h2_request req = { .method = "GET", .path = path };
	int ret;

	snprintf(path, sizeof(path), "%s/events", p->resource);
	ndjson_init(&p->lines, on_line, p);
	ret = h2_call_start(p->conf.h2, &req, &ops, p, &p->events);
	if (ret)
		ndjson_fini(&p->lines);
	return ret;
}

/* ---- suspending (7L) ---- */

static int control(struct path *p, const char *verb,
		   void (*done)(const struct h2_reply *reply, void *arg))
{
	char path[64];
	struct h2_request req = {
		.method = "POST",
		.path = path,
		.timeout_ms = PATH_REQUEST_MS,
	};

	snprintf(path, sizeof(path), "%s/%s", p->resource, verb);
	return h2_fetch(p->conf.h2, &req, done, p, &p->control);
}

/* What had to wait for @p's last word. */
static void control_ended(struct path *p)
{
	void (*next)(struct path * p) = p->next;

	p->control = NULL;
	p->next = NULL;
	if (next)
		next(p);
}

static void on_suspend(const struct h2_reply *reply, void *arg)
{
	struct path *p = arg;
	struct problem problem;
	int ret = problem_of_reply(reply, path_kind_str(p->conf.kind), &problem);

	control_ended(p);
	/* The answer may be lost, and the event stream have told nevertheless. */
	if (p->heard == JOB_SUSPENDED)
		ret = 0;
	p->held_back = p->held_back || !ret;
	p->resumed = false;
	p->ops.on_suspended(p, ret, problem.text, p->arg);
}

void path_suspend(struct path *p)
{
	int ret = 0;

	if (p->control)
		p->next = path_suspend;
	else if (!p->failed)
		ret = control(p, "suspend", on_suspend);
	if (ret)
		fail(p, false, "no-answer", shunt_strerror(ret));
}

static void on_resume(const struct h2_reply *reply, void *arg)
{
	struct path *p = arg;
	struct problem problem;

	control_ended(p);
	/* One that is over is nothing to go on with; the event stream tells. */
	if (problem_of_reply(reply, path_kind_str(p->conf.kind), &problem) &&
	    !code_is(&problem, "finished")) {
		fail(p, is_fatal(&problem), problem.code, problem.text);
		return;
	}
	p->held_back = false;
	p->resumed = true;
	if (p->call)
		p->ask_again = true; /* the answer may be from before */
	p->ops.on_resumed(p, p->arg);
}

void path_resume(struct path *p)
{
	int ret = 0;

	if (p->control)
		p->next = path_resume;
	else if (!p->failed)
		ret = control(p, "resume", on_resume);
	if (ret)
		fail(p, false, "no-answer", shunt_strerror(ret));
}

/* ---- a fetch job's end ---- */

static void on_done(const struct h2_reply *reply, void *arg)
{
	struct path *p = arg;
	struct problem problem;
	int ret = problem_of_reply(reply, path_kind_str(p->conf.kind), &problem);

	control_ended(p);
	/* One that has ended, or is forgotten, needs to hear no more. */
	if (ret && problem.status != 404 && !code_is(&problem, "finished"))
		fail(p, false, problem.code, problem.text);
	else
		p->ops.on_done(p, p->arg);
}

void path_done(struct path *p)
{
	int ret = 0;

	if (p->control)
		p->next = path_done;
	else if (!p->failed)
		ret = control(p, "done", on_done);
	if (ret)
		fail(p, false, "no-answer", shunt_strerror(ret));
}

/* ---- cancelling ---- */

static void on_cancel(const struct h2_reply *reply, void *arg)
{
	struct path *p = arg;
	struct problem problem;
	int ret = problem_of_reply(reply, path_kind_str(p->conf.kind), &problem);

	p->cancel = NULL;
	p->on_cancelled(ret, p->cancel_arg);
}

void path_cancel_job(struct path *p, void (*done)(int err, void *arg), void *arg)
{
	uint64_t asked_at = p->asked_at;

	p->on_cancelled = done;
	p->cancel_arg = arg;
	p->held_back = true;
	if (p->cancel)
		return;
	if (small_request(p, "DELETE", NULL, 0, on_cancel, &p->cancel))
		done(-ENOTCONN, arg);
	p->asked_at = asked_at;
}

/* ---- start ---- */

static ssize_t on_introduction(void *arg, void *to, size_t len)
{
	struct path *p = arg;

	len = buf_copy(&p->introduction, &p->introduced, to, len);
	if (p->introduced == p->introduction.len)
		loop_defer_call(p->later);
	return (ssize_t)len;
}

/*
 * Headers pass bodies in HTTP/2, so what the agent is to handle after the PUT is given to the session
 * only when that has taken the PUT's body to the end.
 */
static int introduce_fresh(struct path *p)
{
	struct h2_request req = {
		.method = "PUT",
		.path = p->resource,
		.type = "application/json",
		.source = { .read = on_introduction, .arg = p },
		.timeout_ms = PATH_REQUEST_MS,
		.max_reply = SAPI_LIST_MAX,
	};
	int ret = sapi_device_job_encode(p->conf.device_job, &p->introduction);

	if (ret)
		return ret;
	req.source.len = (int64_t)p->introduction.len;
	p->asked_at = loop_now(p->conf.loop);
	return h2_fetch(p->conf.h2, &req, on_introduced, p, &p->call);
}

/* The introduction is on its way, and what is said from here on arrives after it. */
static void go_ahead(struct path *p)
{
	int ret;

	buf_fini(&p->introduction);
	p->introduced = 0;
	p->ahead = !p->ask_again;
	if (!p->ahead)
		return;
	ret = follow_events(p);
	if (ret)
		fail(p, false, "no-answer", shunt_strerror(ret));
	else
		path_pump(p);
}

static int introduce(struct path *p)
{
	struct buf body = BUF_INIT;
	int ret;

	p->asked_changes = transfer_changes(p->conf.transfer);
	/* Were it made anew, a forgotten job would scan again, or give another content. */
	if (is_outward(p) && p->conf.device_job->size != CONTENT_SIZE_UNKNOWN)
		return small_request(p, "GET", NULL, 0, on_status, &p->call);
	if (p->conf.fresh)
		return introduce_fresh(p);
	ret = sapi_device_job_encode(p->conf.device_job, &body);
	if (!ret)
		ret = small_request(p, "PUT", body.data, body.len, on_introduced, &p->call);
	buf_fini(&body);
	return ret;
}

int path_new(const struct path_conf *conf, const struct path_ops *ops, void *arg, struct path **out)
{
	struct path *p = calloc(1, sizeof(*p));
	int ret;

	if (!p)
		return -ENOMEM;
	p->conf = *conf;
	p->ops = *ops;
	p->arg = arg;
	p->state = PATH_OPENING;
	p->heard = JOB_QUEUED;
	LIST_INIT(&p->segments);
	buf_init(&p->introduction);
	snprintf(p->resource, sizeof(p->resource), "/v1/jobs/%s", conf->job);
	p->segment = (struct segment_conf){
		.h2 = conf->h2,
		.who = path_kind_str(conf->kind),
		.resource = p->resource,
		.transfer = conf->transfer,
		.fd = conf->fd,
		.write = conf->write,
		.write_arg = conf->write_arg,
	};
	window_init(&p->window, conf->segment, PATH_WINDOW_MAX);
	ret = loop_defer_new(conf->loop, on_later, p, &p->later);
	if (!ret)
		ret = loop_timer_new(conf->loop, on_unasked, p, &p->unasked);
	p->starting = conf->known;
	if (!ret && conf->known)
		loop_defer_call(p->later);
	else if (!ret)
		ret = introduce(p);
	if (ret) {
		path_free(p);
		return ret;
	}
	*out = p;
	return 0;
}
