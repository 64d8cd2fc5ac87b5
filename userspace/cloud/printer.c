// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/printer_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/document.h"
#include "cloud/http.h"
#include "lib/err.h"
#include "lib/loop.h"

#define TICK_MS 200 /* while the document is on its way */
#define QUIET_MS 2000 /* without progress, before the printer is asked beside it */

static uint64_t now(const struct printer *p)
{
	return loop_now(p->conf.loop);
}

/* ---- the end ---- */

/* No more of the document will leave this host. */
static void break_off(struct printer *p)
{
	if (!p->document)
		return;
	p->known.all_sent = document_all_left(p->document);
	p->known.none_sent = document_none_left(p->document);
	if (!p->known.all_sent)
		p->ops.on_partial(p->arg);
	document_free(p->document);
	p->document = NULL;
}

static void stop(struct printer *p)
{
	http_call_free(p->ask);
	p->ask = NULL;
	break_off(p);
}

void printer_finish(struct printer *p, enum printer_end end, const char *code, const char *fmt, ...)
{
	va_list ap;

	if (p->step == STEP_DONE)
		return;
	p->step = STEP_DONE;
	p->end = p->canceling && end != PRINTER_WITHDRAWN ? PRINTER_LOST : end;
	snprintf(p->code, sizeof(p->code), "%s", code);
	va_start(ap, fmt);
	vsnprintf(p->text, sizeof(p->text), fmt, ap);
	va_end(ap);
	loop_timer_set(p->timer, 0);
}

void printer_later(struct printer *p, enum step step, uint64_t ms)
{
	p->step = step;
	loop_timer_set(p->timer, ms);
}

static void no_answer(struct printer *p, const char *code, const char *why)
{
	if (++p->failures >= PRINTER_FAILURES || p->canceling)
		printer_finish(p, PRINTER_LOST, code, "%.400s", why);
	else
		printer_later(p, p->step, p->failures * PRINTER_ASK_MIN_MS);
}

/* ---- questions ---- */

static ssize_t read_message(void *arg, void *to, size_t len)
{
	struct printer *p = arg;

	return (ssize_t)buf_copy(&p->message, &p->message_pos, to, len);
}

void printer_ask(struct printer *p, int made, bool once,
		 void (*done)(const struct http_reply *reply, void *arg))
{
	static const char *const headers[] = { IPP_TYPE_HEADER, NULL };
	struct http_request req = {
		.method = "POST",
		.path = p->conf.path,
		.headers = headers,
		.read = read_message,
		.read_arg = p,
		.size = p->message.len,
		.once = once,
		.timeout_ms = PRINTER_REQUEST_MS,
		.max_reply = IPP_REPLY_MAX,
	};

	p->message_pos = 0;
	p->asked_at = now(p);
	if (!made)
		made = http_call_new(p->host, &req, done, p, &p->ask);
	if (made)
		printer_finish(p, PRINTER_LOST, "out-of-memory", "%s", shunt_strerror(made));
}

enum printer_end printer_barred(const struct printer *p)
{
	return p->number ? PRINTER_LOST : PRINTER_REFUSED;
}

static void http_refused(struct printer *p, int status)
{
	char code[SAPI_REASON_LEN];

	snprintf(code, sizeof(code), "http-%d", status);
	if (verdict_http_final(status))
		printer_finish(p, printer_barred(p), code,
			       "the printer answered with HTTP status %d%s", status,
			       verdict_http_hint(status));
	else
		no_answer(p, code, "the printer answered with an HTTP error");
}

bool printer_is_answer(struct printer *p, const struct http_reply *reply)
{
	char why[SAPI_TEXT_LEN];

	if (reply->err == -SHUNT_EPEER) {
		printer_finish(p, printer_barred(p), "bad-certificate",
			       "the printer's certificate is not to be trusted: %.400s",
			       reply->why);
		return false;
	}
	if (reply->err) {
		snprintf(why, sizeof(why), "printer: %.400s", reply->why);
		no_answer(p, http_err_code(reply->err), why);
		return false;
	}
	if (reply->login == HTTP_LOGIN_AGAIN) {
		printer_later(p, p->step, 0);
		return false;
	}
	if (reply->login) {
		printer_finish(p, printer_barred(p), "login-refused",
			       "the printer answered with HTTP status 401%s",
			       http_login_hint(reply->login));
		return false;
	}
	if (reply->status != 200) {
		http_refused(p, reply->status);
		return false;
	}
	return true;
}

void printer_bad_answer(struct printer *p, int err, const struct err *e)
{
	if (err == -ENOMEM)
		printer_finish(p, PRINTER_LOST, "out-of-memory", "out of memory");
	else
		no_answer(p, "bad-answer", err_text(e));
}

/* ---- what the printer says ---- */

/* Tell the owner of what is new, and whether more than words is. */
static bool tell(struct printer *p, bool waits, const char *text)
{
	bool changed;

	if (patience_hear(&p->patience, now(p), p->job.state, waits, text, &changed))
		p->ops.on_state(waits, text, p->arg);
	return changed;
}

/* When to ask next: soon after a change, seldom while everything stays as it is. */
static void ask_later(struct printer *p, enum step step, bool changed)
{
	if (!p->document && patience_over(&p->patience, now(p))) {
		printer_finish(p, PRINTER_WAITS, "printer-waits", "%.400s", p->patience.said);
		return;
	}
	patience_next(&p->patience, changed, PRINTER_ASK_MIN_MS, PRINTER_ASK_MAX_MS);
	printer_later(p, step, p->patience.interval);
}

void printer_busy(struct printer *p, enum step step, const char *text)
{
	char why[SAPI_TEXT_LEN];

	snprintf(why, sizeof(why), "the printer takes no job now: %.400s", text);
	ask_later(p, step, tell(p, true, why));
}

/* ---- the job there ---- */

static void make_again(struct printer *p)
{
	if (p->refusal[0]) {
		printer_finish(p, PRINTER_REFUSED, "document-refused", "%s", p->refusal);
		return;
	}
	if (++p->again > PRINTER_AGAIN) {
		printer_finish(p, PRINTER_ABORTED, "printer-aborted",
			       "the printer gave the job up %u times while it was sent: %.300s",
			       p->again, p->patience.said);
		return;
	}
	p->number = 0;
	p->known.withdrawn = p->asked_cancel = false;
	p->patience.waits = false;
	p->patience.until = 0;
	p->step = STEP_KEEP;
	p->ops.on_number(0, p->arg);
}

static void unsure(struct printer *p, const char *why)
{
	printer_finish(
		p, PRINTER_UNSURE, "maybe-printed",
		"the document was not confirmed, and the printer %.300s; it is not sent again, as it could be printed twice",
		why);
}

static void over(struct printer *p, enum verdict verdict)
{
	char text[SAPI_TEXT_LEN - 64], why[SAPI_TEXT_LEN];

	verdict_text(text, sizeof(text), &p->job, NULL);
	switch (verdict) {
	case VERDICT_COMPLETED:
		if (!p->known.accepted)
			p->ops.on_progress(p->conf.size, p->arg);
		printer_finish(p, PRINTER_COMPLETED, "", "job %u at the printer: %s", p->number,
			       text);
		break;
	case VERDICT_CANCELED:
	case VERDICT_ABORTED:
		printer_finish(p, verdict == VERDICT_ABORTED ? PRINTER_ABORTED : PRINTER_CANCELED,
			       verdict == VERDICT_ABORTED ? "printer-aborted" :
							    "canceled-at-printer",
			       "job %u at the printer: %s", p->number, text);
		break;
	case VERDICT_AGAIN:
		make_again(p);
		break;
	default:
		snprintf(why, sizeof(why), "says of its job %u: %.200s", p->number, text);
		unsure(p, why);
	}
}

static void withdraw(struct printer *p)
{
	char text[SAPI_TEXT_LEN];

	if (!p->asked_cancel) {
		printer_later(p, STEP_WITHDRAW, 0);
		return;
	}
	/* It may wait for the rest of the document until it has had enough of that. */
	snprintf(text, sizeof(text),
		 "the printer has not ended the incomplete job %u yet, which was canceled there",
		 p->number);
	ask_later(p, STEP_WITHDRAW, tell(p, true, text));
}

static void on_followed(const struct http_reply *reply, void *arg);

/* The document is on its way: only an end that it cannot survive counts. */
static void judge_sending(struct printer *p)
{
	if (p->job.state == IPP_JOB_STATE_CANCELED || p->job.state == IPP_JOB_STATE_ABORTED) {
		document_free(p->document);
		p->document = NULL;
		over(p,
		     p->job.state == IPP_JOB_STATE_CANCELED ? VERDICT_CANCELED : VERDICT_ABORTED);
	} else {
		printer_look(p, on_followed);
	}
}

static void judge(struct printer *p)
{
	enum verdict verdict;

	if (p->step == STEP_SEND) {
		judge_sending(p);
		return;
	}
	verdict = verdict_of(&p->job, &p->known);
	if (p->refusal[0] && verdict == VERDICT_FOLLOW)
		verdict = VERDICT_WITHDRAW;
	if (verdict == VERDICT_WITHDRAW) {
		withdraw(p);
	} else if (verdict == VERDICT_FOLLOW) {
		p->step = STEP_FOLLOW;
		printer_look(p, on_followed);
	} else {
		over(p, verdict);
	}
}

/* It does not know the number, or gives it to another job. */
static void forgotten(struct printer *p)
{
	if (p->step == STEP_SEND)
		return; /* how the document fares is told by its own call */
	if (p->canceling)
		printer_finish(p, PRINTER_WITHDRAWN, "canceled", "canceled");
	else if (p->known.accepted)
		printer_finish(p, PRINTER_COMPLETED, "printer-forgot",
			       "the printer took the job and does not list it any more");
	else
		unsure(p, "does not know the job any more");
}

static void known(struct printer *p)
{
	p->mine = true;
	if (!p->canceling)
		judge(p);
	else if (p->job.state >= IPP_JOB_STATE_CANCELED && p->job.state <= IPP_JOB_STATE_COMPLETED)
		printer_finish(p, PRINTER_WITHDRAWN, "canceled", "canceled");
	else
		printer_ask_cancel(p);
}

static void on_job(const struct http_reply *reply, void *arg)
{
	struct printer *p = arg;
	struct ipp_status status;
	struct err e = { 0 };
	struct ipp_job job;
	int ret;

	p->ask = NULL;
	if (!printer_is_answer(p, reply))
		return;
	ret = ipp_job_read(reply->body, reply->len, &status, &job, &e);
	if (!ret && status.outcome == IPP_OUTCOME_OK && job.state == IPP_NUMBER_UNKNOWN) {
		ret = err_set(&e, -SHUNT_EPROTO, "the printer does not tell the job's state");
		ipp_job_fini(&job);
	}
	if (ret) {
		printer_bad_answer(p, ret, &e);
		return;
	}
	ipp_job_fini(&p->job);
	p->job = job;
	if (status.outcome == IPP_OUTCOME_BUSY ||
	    (status.outcome == IPP_OUTCOME_REFUSED && p->step != STEP_SEND)) {
		/* It does not want to tell, which says nothing of the job. */
		no_answer(p, status.outcome == IPP_OUTCOME_BUSY ? "printer-busy" : "not-told",
			  status.text);
		return;
	}
	p->failures = 0;
	/* Names may be left out for those who do not own a job, but then it is none of ours. */
	if (status.outcome != IPP_OUTCOME_OK || !ticket_is_ours(job.name, p->conf.job))
		forgotten(p);
	else
		known(p);
}

static void ask_job(struct printer *p)
{
	buf_reset(&p->message);
	printer_ask(p, ipp_get_job(&p->ref, (int32_t)p->number, &p->message), false, on_job);
}

bool printer_read(struct printer *p, const struct http_reply *reply, struct ipp_status *status,
		  struct ipp_printer *printer)
{
	struct err e = { 0 };
	int ret;

	p->ask = NULL;
	if (!printer_is_answer(p, reply))
		return false;
	ret = ipp_printer_read(reply->body, reply->len, status, printer, &e);
	if (ret)
		printer_bad_answer(p, ret, &e);
	return !ret;
}

static void on_followed(const struct http_reply *reply, void *arg)
{
	struct printer *p = arg;
	struct ipp_printer printer;
	struct ipp_status status;
	char text[SAPI_TEXT_LEN];
	bool changed;

	if (!printer_read(p, reply, &status, &printer))
		return;
	verdict_text(text, sizeof(text), &p->job, &printer);
	changed = tell(p, verdict_waits(&p->job, &printer), text);
	ipp_printer_fini(&printer);
	if (p->step == STEP_SEND)
		patience_next(&p->patience, changed, QUIET_MS, PRINTER_ASK_MAX_MS);
	else
		ask_later(p, p->step, changed);
}

/* ---- an incomplete job, or one that is not wanted any more ---- */

/* Only a yes, or that there is nothing to cancel any more, ends it: else it would be printed nonetheless. */
static void on_wanted_no_more(struct printer *p, const struct http_reply *reply)
{
	struct ipp_status status;
	struct err e = { 0 };
	int ret = ipp_status_read(reply->body, reply->len, &status, &e);

	if (ret)
		printer_bad_answer(p, ret, &e);
	else if (status.outcome == IPP_OUTCOME_OK || status.outcome == IPP_OUTCOME_NOT_FOUND ||
		 status.code == IPP_CODE_NOT_POSSIBLE)
		printer_finish(p, PRINTER_WITHDRAWN, "canceled", "canceled");
	else
		no_answer(p, "not-canceled", status.text);
}

static void on_canceled(const struct http_reply *reply, void *arg)
{
	struct printer *p = arg;

	p->ask = NULL;
	if (!printer_is_answer(p, reply))
		return;
	if (p->canceling) {
		on_wanted_no_more(p, reply);
		return;
	}
	/* Whatever it says: the job's state tells what came of it. */
	p->asked_cancel = true;
	printer_later(p, STEP_WITHDRAW, PRINTER_ASK_MIN_MS);
}

void printer_ask_cancel(struct printer *p)
{
	buf_reset(&p->message);
	printer_ask(p, ipp_cancel_job(&p->ref, (int32_t)p->number, &p->message), false,
		    on_canceled);
}

void printer_cancel(struct printer *p)
{
	if (p->step == STEP_DONE || p->canceling)
		return;
	p->canceling = true;
	if (p->step == STEP_CREATE && p->ask)
		return; /* its answer has the number */
	stop(p);
	loop_timer_stop(p->timer);
	p->step = STEP_FIND;
	if (!p->number)
		printer_finish(p, PRINTER_WITHDRAWN, "canceled", "canceled");
	else if (p->mine)
		printer_ask_cancel(p);
	else
		printer_later(p, STEP_FIND, 0); /* the number may be another's by now */
}

/* ---- the document ---- */

static void on_wire(uint64_t from, uint64_t to, void *arg)
{
	struct printer *p = arg;

	p->ops.on_wire(from, to, p->arg);
}

static void accepted(struct printer *p)
{
	p->known.accepted = true;
	p->ops.on_progress(p->conf.size, p->arg);
	p->ops.on_accepted(p->arg);
	p->patience.interval = PRINTER_ASK_MIN_MS;
	printer_later(p, STEP_FOLLOW, 0);
}

static void in_doubt(struct printer *p, uint64_t ms)
{
	p->patience.interval = PRINTER_ASK_MIN_MS;
	printer_later(p, STEP_DOUBT, ms);
}

/* Anything but a plain yes leaves in doubt what the printer has. */
static void on_sent(const struct http_reply *reply, void *arg)
{
	struct printer *p = arg;
	struct ipp_status status;

	break_off(p);
	http_call_free(p->ask);
	p->ask = NULL;
	p->failures = 0;
	if (p->canceling)
		return;
	if (reply->login && reply->login != HTTP_LOGIN_AGAIN)
		snprintf(p->refusal, sizeof(p->refusal), "the printer refuses the document%s",
			 http_login_hint(reply->login));
	if (!reply->err && reply->status == 200 &&
	    !ipp_status_read(reply->body, reply->len, &status, NULL)) {
		if (status.outcome == IPP_OUTCOME_OK) {
			accepted(p);
			return;
		}
		if (status.outcome == IPP_OUTCOME_REFUSED) {
			snprintf(p->refusal, sizeof(p->refusal),
				 "the printer refuses the document: %.400s", status.text);
		}
	}
	in_doubt(p, PRINTER_ASK_MIN_MS);
}

static void send_document(struct printer *p)
{
	struct document_conf conf = {
		.host = p->host,
		.path = p->conf.path,
		.ref = &p->ref,
		.job = (int32_t)p->number,
		.format = p->ticket.format,
		.name = p->conf.name,
		.fd = p->conf.fd,
		.size = p->conf.size,
		.now = now(p),
		.on_wire = on_wire,
		.on_sent = on_sent,
		.arg = p,
	};
	int ret;

	p->known.all_sent = p->known.unknown_sent = p->known.none_sent = false;
	p->refusal[0] = '\0';
	p->asked_at = conf.now;
	p->patience.interval = QUIET_MS;
	ret = document_new(&conf, &p->document);
	if (ret)
		printer_finish(p, PRINTER_LOST, "out-of-memory", "%s", shunt_strerror(ret));
	else
		printer_later(p, STEP_SEND, TICK_MS);
}

/*
 * A printer that prints while it reads takes nothing more when it runs out of paper: it is asked beside
 * the document whether it lives, and why it does not go on.
 */
static void watch_document(struct printer *p)
{
	uint64_t t = now(p), quiet;

	loop_timer_set(p->timer, TICK_MS);
	if (document_moves(p->document, t)) {
		p->failures = 0;
		p->patience.interval = QUIET_MS;
		p->ops.on_progress(document_arrived(p->document), p->arg);
		if (p->patience.waits && !p->ask)
			ask_job(p); /* it goes on */
		return;
	}
	quiet = document_quiet_ms(p->document, t);
	if (quiet >= PRINTER_STALL_MS && !p->patience.waits) {
		break_off(p);
		in_doubt(p, 0);
	} else if (quiet >= QUIET_MS && t - p->asked_at >= p->patience.interval && !p->ask) {
		ask_job(p);
	}
}

/* ---- the beginning ---- */

void printer_kept(struct printer *p, int err)
{
	if (err)
		printer_finish(p, PRINTER_LOST, "not-stored",
			       "the printer's number is not on disk: %s", shunt_strerror(err));
	else if (p->step == STEP_KEEP && !p->canceling)
		printer_later(p, p->number ? STEP_SEND : STEP_CREATE, 0);
}

void printer_look(struct printer *p, void (*done)(const struct http_reply *reply, void *arg))
{
	buf_reset(&p->message);
	printer_ask(p, ipp_get_printer(&p->ref, &p->message), false, done);
}

static void on_timer(void *arg)
{
	struct printer *p = arg;

	switch (p->step) {
	case STEP_LOOK:
		printer_look(p, printer_on_looked);
		break;
	case STEP_FIND:
		if (p->number)
			ask_job(p);
		else
			printer_find(p);
		break;
	case STEP_CREATE:
		printer_create(p);
		break;
	case STEP_SEND:
		if (p->document)
			watch_document(p);
		else
			send_document(p);
		break;
	case STEP_WITHDRAW:
		if (p->asked_cancel) {
			ask_job(p);
			break;
		}
		p->known.withdrawn = true;
		p->ops.on_withdrawn(p->arg);
		printer_ask_cancel(p);
		break;
	case STEP_DOUBT:
	case STEP_FOLLOW:
		ask_job(p);
		break;
	case STEP_KEEP:
		break;
	case STEP_DONE:
		stop(p);
		p->ops.on_done(p->end, p->code, p->text, p->arg);
		printer_free(p);
	}
}

int printer_new(const struct printer_conf *conf, const struct printer_ops *ops, void *arg,
		struct printer **out)
{
	struct http_target target = {
		.address = conf->address,
		.port = conf->port,
		.tls = conf->tls,
		.source = conf->source,
		.name = conf->user,
		.password = conf->password,
		.device = conf->device,
		.pin = conf->pin,
	};
	struct shunt_endpoint ep = { conf->address, conf->port };
	struct printer *p = calloc(1, sizeof(*p));
	char address[ENDPOINT_STR_LEN];
	int ret;

	if (!p)
		return -ENOMEM;
	p->conf = *conf;
	p->patience.limit = conf->patience;
	p->ops = *ops;
	p->arg = arg;
	p->number = conf->number;
	p->known.accepted = conf->accepted;
	p->known.all_sent = conf->number && !conf->partial; /* for all anybody knows */
	p->known.unknown_sent = conf->unremembered;
	p->known.withdrawn = conf->withdrawn;
	p->known.size = conf->size;
	p->patience.interval = PRINTER_ASK_MIN_MS;
	buf_init(&p->message);
	ticket_name(conf->job, conf->name, p->name);
	snprintf(p->uri, sizeof(p->uri), "%s://%s%s", conf->tls ? "ipps" : "ipp",
		 endpoint_print(&ep, address), conf->path);
	p->ref = (struct ipp_printer_ref){ .uri = p->uri, .user = conf->owner };
	ret = http_host_new(conf->http, &target, &p->host);
	if (!ret)
		ret = loop_timer_new(conf->loop, on_timer, p, &p->timer);
	if (ret) {
		printer_free(p);
		return ret;
	}
	printer_later(p, STEP_LOOK, 0);
	*out = p;
	return 0;
}

void printer_free(struct printer *p)
{
	if (!p)
		return;
	break_off(p);
	http_host_free(p->host); /* with the other calls */
	loop_timer_free(p->timer);
	buf_fini(&p->message);
	ipp_job_fini(&p->job);
	free(p);
}
