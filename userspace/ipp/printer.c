// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipp/printer.h"

#include <cups/cups.h>
#include <cups/pwg.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipp/says.h"
#include "lib/clock.h"

#define CONNECT_MS 10000
#define ANSWER_MS 60000 /* for one question */
#define CANCEL_MS 1500 /* for each step once the job is canceled: the agent kills after 5 s */
#define LOST_MS 300000 /* a printer that answers nothing while its job is followed */
#define LOOK_MS 500 /* how often a wait looks whether it is to end */
#define PAUSE_FIRST_MS 200 /* between questions, and longer from one to the next */
#define PAUSE_LAST_MS 5000

struct printer {
	const struct order *order;
	void (*on_news)(const char *text);
	char host[256], resource[256];
	int port;
	http_t *http;
	int job; /* its number at the printer; 0: none yet */
	bool canceled;
	uint64_t deadline; /* of what is being waited for */
	char news[3 * SAYS_LEN]; /* last */
};

/* ---- waiting ---- */

/* Has somebody sent one of the signals, which are blocked? Waits for it @ms. */
static bool canceled(struct printer *p, int ms)
{
	struct timespec wait = { ms / 1000, ms % 1000 * 1000000L };
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	if (!p->canceled && sigtimedwait(&ends, NULL, &wait) > 0) {
		p->canceled = true;
		if (p->deadline > clock_mono_ms() + CANCEL_MS)
			p->deadline = clock_mono_ms() + CANCEL_MS;
	}
	return p->canceled;
}

static int on_look(http_t *http, void *arg)
{
	struct printer *p = arg;

	(void)http;
	canceled(p, 0);
	return clock_mono_ms() < p->deadline;
}

static void allow(struct printer *p, int ms)
{
	p->deadline = clock_mono_ms() + (p->canceled && ms > CANCEL_MS ? CANCEL_MS : ms);
}

static void hang_up(struct printer *p)
{
	httpClose(p->http);
	p->http = NULL;
}

static int reach(struct printer *p, struct err *e)
{
	if (p->http)
		return 0;
	errno = 0;
	p->http = httpConnect2(p->host, p->port, NULL, AF_UNSPEC, HTTP_ENCRYPTION_NEVER, 1,
			       p->canceled ? CANCEL_MS : CONNECT_MS, NULL);
	/* EBADF: libcups has closed the socket before it looked at its error. */
	if (!p->http)
		return err_set(e, -SHUNT_EREMOTE, "cannot connect to %s: %s", p->order->uri,
			       errno == EBADF ? "nobody answers there" :
			       errno	      ? strerror(errno) :
						cupsLastErrorString());
	httpSetTimeout(p->http, LOOK_MS / 1000.0, on_look, p);
	return 0;
}

/* Nobody is here to type one; libcups would ask at the terminal. */
static const char *no_password(const char *prompt, http_t *http, const char *method,
			       const char *resource, void *arg)
{
	(void)prompt;
	(void)http;
	(void)method;
	(void)resource;
	(void)arg;
	return NULL;
}

/* ---- questions ---- */

static ipp_t *request(struct printer *p, ipp_op_t op)
{
	ipp_t *req = ippNewRequest(op);

	ippSetVersion(req, 1, 1); /* the least that is common */
	ippAddString(req, IPP_TAG_OPERATION, IPP_TAG_URI, "printer-uri", NULL, p->order->uri);
	if (p->job)
		ippAddInteger(req, IPP_TAG_OPERATION, IPP_TAG_INTEGER, "job-id", p->job);
	ippAddString(req, IPP_TAG_OPERATION, IPP_TAG_NAME, "requesting-user-name", NULL,
		     cupsUser());
	return req;
}

/* What the answer @reply, NULL: none, means to @what. 0 or -SHUNT_EREMOTE with @e. */
static int judge(struct printer *p, ipp_t *reply, const char *what, struct err *e)
{
	ipp_attribute_t *text;

	if (!reply) {
		hang_up(p);
		return err_set(e, -SHUNT_EREMOTE, "%s: %s", what,
			       clock_mono_ms() >= p->deadline ? "no answer in time" :
								cupsLastErrorString());
	}
	if (ippGetStatusCode(reply) < IPP_STATUS_REDIRECTION_OTHER_SITE)
		return 0;
	text = ippFindAttribute(reply, "status-message", IPP_TAG_TEXT);
	return err_set(e, -SHUNT_EREMOTE, "%s: %s%s%.200s", what,
		       ippErrorString(ippGetStatusCode(reply)), text ? ": " : "",
		       text ? ippGetString(text, 0, NULL) : "");
}

/* Takes @req. The answer, which is the caller's; also with an error there may be one. */
static int ask(struct printer *p, ipp_t *req, const char *what, ipp_t **reply, struct err *e)
{
	int rc = reach(p, e);

	*reply = NULL;
	if (rc) {
		ippDelete(req);
		return rc;
	}
	allow(p, ANSWER_MS);
	*reply = cupsDoRequest(p->http, req, p->resource);
	return judge(p, *reply, what, e);
}

static bool is_status(ipp_t *reply, ipp_status_t status)
{
	return reply && ippGetStatusCode(reply) == status;
}

/* ---- what the printer can ---- */

static int refuse(struct err *e, const char *what, const char *word, ipp_attribute_t *takes)
{
	char list[SAYS_LEN] = "nothing else";
	size_t used = 0;

	for (int i = 0; i < ippGetCount(takes) && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
					 ippGetString(takes, i, NULL));
	return err_set(e, -SHUNT_EREMOTE, "%s: it does not take %s; it takes %s", what, word, list);
}

/* May @word go into the job? A printer that does not say what it takes is let decide. */
static int check_word(ipp_t *about, const char *attribute, const char *what, const char *word,
		      struct err *e)
{
	ipp_attribute_t *takes = ippFindAttribute(about, attribute, IPP_TAG_ZERO);

	return !word[0] || !takes || ippContainsString(takes, word) ? 0 :
								      refuse(e, what, word, takes);
}

/* @media as this printer spells it: "a4" is iso_a4_210x297mm. */
static const char *media_name(ipp_t *about, const char *media)
{
	ipp_attribute_t *takes = ippFindAttribute(about, "media-supported", IPP_TAG_ZERO);
	char name[SAYS_LEN] = "";
	pwg_media_t *known;

	if (!takes || ippContainsString(takes, media))
		return media;
	for (size_t i = 0; media[i] && i + 1 < sizeof(name); i++)
		name[i] = (char)(media[i] >= 'A' && media[i] <= 'Z' ? media[i] + 32 : media[i]);
	known = pwgMediaForPWG(name);
	if (!known)
		known = pwgMediaForLegacy(name);
	if (!known) {
		if (name[0] >= 'a' && name[0] <= 'z')
			name[0] = (char)(name[0] - 32);
		known = pwgMediaForPPD(name); /* "Letter" */
	}
	return known && known->pwg ? known->pwg : media;
}

static int check(struct printer *p, char media[SAYS_LEN], struct err *e)
{
	static const char *const wanted[] = { "document-format-supported", "copies-supported",
					      "media-supported", "sides-supported",
					      "print-color-mode-supported" };
	const struct order *o = p->order;
	ipp_t *req = request(p, IPP_OP_GET_PRINTER_ATTRIBUTES), *about;
	ipp_attribute_t *copies;
	int rc, most = 0;

	ippAddStrings(req, IPP_TAG_OPERATION, IPP_TAG_KEYWORD, "requested-attributes",
		      sizeof(wanted) / sizeof(wanted[0]), NULL, wanted);
	rc = ask(p, req, "it does not say what it can", &about, e);
	if (!rc)
		snprintf(media, SAYS_LEN, "%s", o->media[0] ? media_name(about, o->media) : "");
	if (!rc)
		rc = check_word(about, "document-format-supported", "format", o->format, e);
	if (!rc)
		rc = check_word(about, "media-supported", "media", media, e);
	if (!rc)
		rc = check_word(about, "sides-supported", "sides", o->sides, e);
	if (!rc)
		rc = check_word(about, "print-color-mode-supported", "color", o->color, e);
	copies = rc ? NULL : ippFindAttribute(about, "copies-supported", IPP_TAG_RANGE);
	if (copies) {
		ippGetRange(copies, 0, &most);
		if (o->copies > most)
			rc = err_set(e, -SHUNT_EREMOTE, "copies: it makes at most %d, not %d", most,
				     o->copies);
	}
	ippDelete(about);
	return rc;
}

/* ---- the job ---- */

static ipp_t *create_request(struct printer *p, const char *media)
{
	const struct order *o = p->order;
	const struct {
		const char *attribute, *value;
	} words[] = { { "media", media }, { "sides", o->sides }, { "print-color-mode", o->color } };
	ipp_t *req = request(p, IPP_OP_CREATE_JOB);

	ippAddString(req, IPP_TAG_OPERATION, IPP_TAG_NAME, "job-name", NULL, o->name);
	/* All that was asked for, or nothing. */
	ippAddBoolean(req, IPP_TAG_OPERATION, "ipp-attribute-fidelity", 1);
	if (o->copies)
		ippAddInteger(req, IPP_TAG_JOB, IPP_TAG_INTEGER, "copies", o->copies);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].value[0])
			ippAddString(req, IPP_TAG_JOB, IPP_TAG_KEYWORD, words[i].attribute, NULL,
				     words[i].value);
	return req;
}

/* Until the printer has room for a job, however long that takes. */
static int create(struct printer *p, const char *media, struct err *e)
{
	ipp_attribute_t *id;
	bool busy;
	ipp_t *reply;
	int rc;

	do {
		rc = ask(p, create_request(p, media), "it takes no job", &reply, e);
		id = rc ? NULL : ippFindAttribute(reply, "job-id", IPP_TAG_INTEGER);
		p->job = id ? ippGetInteger(id, 0) : 0;
		if (!rc && !p->job)
			rc = err_set(e, -SHUNT_EREMOTE, "it gave the job no number");
		busy = is_status(reply, IPP_STATUS_ERROR_BUSY);
		ippDelete(reply);
	} while (busy && !canceled(p, PAUSE_LAST_MS));
	return rc;
}

/* The document behind its request. HTTP_STATUS_CONTINUE: all of it left; *@sent octets of it in any case. */
static http_status_t pour(struct printer *p, int fd, int64_t *sent)
{
	http_status_t status = HTTP_STATUS_CONTINUE;
	char chunk[65536];
	ssize_t n;

	while (status == HTTP_STATUS_CONTINUE && (n = read(fd, chunk, sizeof(chunk))) > 0) {
		status = cupsWriteRequestData(p->http, chunk, (size_t)n);
		if (status == HTTP_STATUS_CONTINUE)
			*sent += n;
	}
	return status;
}

/* 0: the printer has it, or may have all of it. */
static int send_document(struct printer *p, int fd, struct err *e)
{
	const struct order *o = p->order;
	ipp_t *req = request(p, IPP_OP_SEND_DOCUMENT), *reply = NULL;
	struct stat st = { 0 };
	int64_t sent = 0;
	int rc;

	ippAddString(req, IPP_TAG_OPERATION, IPP_TAG_NAME, "document-name", NULL, o->name);
	ippAddString(req, IPP_TAG_OPERATION, IPP_TAG_MIMETYPE, "document-format", NULL, o->format);
	ippAddBoolean(req, IPP_TAG_OPERATION, "last-document", 1);
	rc = fstat(fd, &st) < 0 ? err_sys(e, -errno, "%s", o->file) : reach(p, e);
	if (!rc) {
		allow(p, ANSWER_MS);
		if (cupsSendRequest(p->http, req, p->resource,
				    ippLength(req) + (size_t)st.st_size) == HTTP_STATUS_CONTINUE) {
			p->deadline = p->canceled ? p->deadline :
						    UINT64_MAX; /* it may be out of paper */
			pour(p, fd, &sent);
			allow(p, ANSWER_MS);
			reply = cupsGetResponse(p->http, p->resource);
		}
		rc = judge(p, reply, "it did not take the document", e);
		if (rc && !reply && sent == st.st_size && !p->canceled)
			rc = 0; /* what it says of the job decides */
		else if (rc && !reply)
			err_prefix(e, "after %lld of %lld octets", (long long)sent,
				   (long long)st.st_size);
	}
	ippDelete(reply);
	ippDelete(req);
	return rc;
}

/* ---- what becomes of it ---- */

static void read_says(ipp_t *reply, const char *state, struct says *out)
{
	char name[64];
	ipp_attribute_t *attr = ippFindAttribute(reply, state, IPP_TAG_ENUM);

	*out = (struct says){ .state = attr ? ippGetInteger(attr, 0) : 0 };
	snprintf(name, sizeof(name), "%s-reasons", state);
	attr = ippFindAttribute(reply, name, IPP_TAG_KEYWORD);
	for (int i = 0; i < ippGetCount(attr); i++)
		says_add(out, ippGetString(attr, i, NULL));
	snprintf(name, sizeof(name), "%s-message", state);
	attr = ippFindAttribute(reply, name, IPP_TAG_TEXT);
	if (attr)
		snprintf(out->message, sizeof(out->message), "%s", ippGetString(attr, 0, NULL));
}

static int look(struct printer *p, ipp_op_t op, const char *state, struct says *out, struct err *e)
{
	ipp_t *reply;
	int rc = ask(p, request(p, op), "it does not say what became of the job", &reply, e);

	if (!rc)
		read_says(reply, state, out);
	else if (is_status(reply, IPP_STATUS_ERROR_NOT_FOUND) ||
		 is_status(reply, IPP_STATUS_ERROR_GONE))
		rc = err_set(e, -ENOENT, "it has forgotten job %d, which may be printed", p->job);
	ippDelete(reply);
	return rc;
}

/* Only what is new is news. */
static void tell(struct printer *p, const struct says *job)
{
	struct says printer = { 0 };
	struct err ignored = { 0 };
	char text[sizeof(p->news)];

	if (says_end(job) == SAYS_GOES_ON)
		look(p, IPP_OP_GET_PRINTER_ATTRIBUTES, "printer-state", &printer, &ignored);
	says_text(p->job, job, &printer, text, sizeof(text));
	if (strcmp(text, p->news) != 0)
		p->on_news(text);
	snprintf(p->news, sizeof(p->news), "%s", text);
}

/* The job is not to be: 0 only if it was printed before the printer heard of that. */
static int withdraw(struct printer *p, struct err *e)
{
	struct says job = { 0 };
	struct err ignored = { 0 };
	ipp_t *reply;
	int rc = ask(p, request(p, IPP_OP_CANCEL_JOB), "it does not cancel the job", &reply,
		     &ignored);
	bool over = is_status(reply, IPP_STATUS_ERROR_NOT_POSSIBLE);

	ippDelete(reply);
	if (over && !look(p, IPP_OP_GET_JOB_ATTRIBUTES, "job-state", &job, &ignored) &&
	    says_end(&job) == SAYS_PRINTED)
		return 0;
	if (rc && !over)
		return err_set(e, -ECANCELED, "canceled, but %s; it may be printed",
			       err_text(&ignored));
	return err_set(e, -ECANCELED, "canceled");
}

/* 0: printed. As long as the printer answers it may take as long as it wants. */
static int follow(struct printer *p, struct err *e)
{
	uint64_t answered = clock_mono_ms();
	int pause = PAUSE_FIRST_MS, rc;
	struct says job;

	do {
		rc = look(p, IPP_OP_GET_JOB_ATTRIBUTES, "job-state", &job, e);
		if (rc == -ENOENT)
			return rc;
		if (!rc) {
			answered = clock_mono_ms();
			tell(p, &job);
			if (says_end(&job) != SAYS_GOES_ON)
				return says_end(&job) == SAYS_PRINTED ?
					       0 :
					       err_set(e, -SHUNT_EREMOTE, "%s", p->news);
		} else if (clock_mono_ms() - answered > LOST_MS) {
			return err_prefix(e, "job %d may be printed", p->job);
		}
		pause = pause < PAUSE_LAST_MS / 2 ? pause * 3 / 2 : PAUSE_LAST_MS;
	} while (!canceled(p, pause));
	return -ECANCELED;
}

static int run(struct printer *p, int fd, struct err *e)
{
	char media[SAYS_LEN];
	struct err ignored = { 0 };
	int rc = check(p, media, e);

	if (!rc && !p->canceled)
		rc = create(p, media, e);
	if (!rc && p->job && !p->canceled) {
		rc = send_document(p, fd, e);
		if (!rc && !p->canceled)
			rc = follow(p, e);
		else if (!p->canceled)
			withdraw(p, &ignored); /* lest a part of it be printed */
	}
	if (!p->canceled || !p->job)
		return p->canceled ? err_set(e, -ECANCELED, "canceled") : rc;
	return withdraw(p, e);
}

int printer_run(const struct order *order, int fd, void (*on_news)(const char *text), struct err *e)
{
	struct printer p = { .order = order, .on_news = on_news, .deadline = UINT64_MAX };
	char scheme[32], user[64];
	int rc;

	if (httpSeparateURI(HTTP_URI_CODING_ALL, order->uri, scheme, sizeof(scheme), user,
			    sizeof(user), p.host, sizeof(p.host), &p.port, p.resource,
			    sizeof(p.resource)) != HTTP_URI_STATUS_OK ||
	    strcmp(scheme, "ipp") != 0 || user[0])
		return err_set(e, -SHUNT_EPARSE, "that is no URI ipp://HOST[:PORT]/PATH");
	cupsSetPasswordCB2(no_password, NULL);
	rc = run(&p, fd, e);
	hang_up(&p);
	return rc;
}
