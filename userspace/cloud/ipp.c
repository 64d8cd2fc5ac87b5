// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/ipp.h"

#include <cups/cups.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/buf.h"
#include "lib/err.h"

#define ATTRIBUTES_MAX 16384 /* values in one answer */
#define HEADER_LEN 8 /* version, status, request-id: RFC 8010 3.1.1 */

/* ---- the way to and from octets ---- */

static ssize_t to_buf(void *arg, ipp_uchar_t *data, size_t len)
{
	return buf_put(arg, data, len) ? -1 : (ssize_t)len;
}

struct source {
	const uint8_t *data;
	size_t len, pos;
};

static ssize_t from_memory(void *arg, ipp_uchar_t *data, size_t len)
{
	struct source *s = arg;

	if (len > s->len - s->pos)
		len = s->len - s->pos;
	memcpy(data, s->data + s->pos, len);
	s->pos += len;
	return (ssize_t)len;
}

/* Takes @ipp, which may be NULL. */
static int request_end(ipp_t *ipp, struct buf *out)
{
	int ret = -ENOMEM;

	if (ipp && ippWriteIO(out, to_buf, 1, NULL, ipp) == IPP_STATE_DATA)
		ret = 0;
	ippDelete(ipp);
	return ret;
}

/* ---- requests ---- */

static ipp_t *request_begin(const struct ipp_printer_ref *p, ipp_op_t op, int32_t job)
{
	ipp_t *ipp = ippNewRequest(op);

	if (!ipp)
		return NULL;
	/* What every printer knows; those of IPP/2.0 answer it as well (RFC 8011 4.1.8). */
	ippSetVersion(ipp, 1, 1);
	ippAddString(ipp, IPP_TAG_OPERATION, IPP_TAG_URI, "printer-uri", NULL, p->uri);
	if (job)
		ippAddInteger(ipp, IPP_TAG_OPERATION, IPP_TAG_INTEGER, "job-id", job);
	ippAddString(ipp, IPP_TAG_OPERATION, IPP_TAG_NAME, "requesting-user-name", NULL, p->user);
	return ipp;
}

static int request_wanting(ipp_t *ipp, const char *const *names, int n, struct buf *out)
{
	if (ipp)
		ippAddStrings(ipp, IPP_TAG_OPERATION, IPP_TAG_KEYWORD, "requested-attributes", n,
			      NULL, names);
	return request_end(ipp, out);
}

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

int ipp_get_printer(const struct ipp_printer_ref *p, struct buf *out)
{
	static const char *const names[] = {
		"operations-supported",	  "document-format-supported", "copies-supported",
		"media-supported",	  "sides-supported",	       "print-color-mode-supported",
		"printer-state",	  "printer-state-reasons",     "printer-state-message",
		"printer-make-and-model",
	};

	return request_wanting(request_begin(p, IPP_OP_GET_PRINTER_ATTRIBUTES, 0), names,
			       COUNT(names), out);
}

static const char *const job_names[] = {
	"job-id",
	"job-name",
	"job-state",
	"job-state-reasons",
	"job-state-message",
	"job-impressions-completed",
	"job-media-sheets-completed",
	"number-of-documents",
	"job-k-octets",
};

int ipp_get_job(const struct ipp_printer_ref *p, int32_t job, struct buf *out)
{
	return request_wanting(request_begin(p, IPP_OP_GET_JOB_ATTRIBUTES, job), job_names,
			       COUNT(job_names), out);
}

int ipp_get_jobs(const struct ipp_printer_ref *p, struct buf *out)
{
	ipp_t *ipp = request_begin(p, IPP_OP_GET_JOBS, 0);

	if (ipp)
		ippAddString(ipp, IPP_TAG_OPERATION, IPP_TAG_KEYWORD, "which-jobs", NULL,
			     "not-completed");
	return request_wanting(ipp, job_names, COUNT(job_names), out);
}

int ipp_cancel_job(const struct ipp_printer_ref *p, int32_t job, struct buf *out)
{
	return request_end(request_begin(p, IPP_OP_CANCEL_JOB, job), out);
}

int ipp_create_job(const struct ipp_printer_ref *p, const struct ipp_ticket *t, struct buf *out)
{
	ipp_t *ipp = request_begin(p, IPP_OP_CREATE_JOB, 0);

	if (!ipp)
		return -ENOMEM;
	ippAddString(ipp, IPP_TAG_OPERATION, IPP_TAG_NAME, "job-name", NULL, t->name);
	ippAddBoolean(ipp, IPP_TAG_OPERATION, "ipp-attribute-fidelity", 1);
	if (t->copies)
		ippAddInteger(ipp, IPP_TAG_JOB, IPP_TAG_INTEGER, "copies", (int)t->copies);
	if (t->media[0])
		ippAddString(ipp, IPP_TAG_JOB, IPP_TAG_KEYWORD, "media", NULL, t->media);
	if (t->sides[0])
		ippAddString(ipp, IPP_TAG_JOB, IPP_TAG_KEYWORD, "sides", NULL, t->sides);
	if (t->color[0])
		ippAddString(ipp, IPP_TAG_JOB, IPP_TAG_KEYWORD, "print-color-mode", NULL, t->color);
	return request_end(ipp, out);
}

int ipp_send_document(const struct ipp_printer_ref *p, int32_t job, const char *format,
		      const char *name, struct buf *out)
{
	ipp_t *ipp = request_begin(p, IPP_OP_SEND_DOCUMENT, job);

	if (!ipp)
		return -ENOMEM;
	ippAddString(ipp, IPP_TAG_OPERATION, IPP_TAG_NAME, "document-name", NULL, name);
	ippAddString(ipp, IPP_TAG_OPERATION, IPP_TAG_MIMETYPE, "document-format", NULL, format);
	ippAddBoolean(ipp, IPP_TAG_OPERATION, "last-document", 1);
	return request_end(ipp, out);
}

/* ---- answers: structure (RFC 8010 3.1) ---- */

static size_t u16_at(const uint8_t *p)
{
	return (size_t)p[0] << 8 | p[1];
}

/*
 * Is it one message, with no more values and no deeper collections than anybody needs? What is in them
 * is for libcups to judge.
 */
static bool is_sane(const uint8_t *data, size_t len)
{
	size_t pos = HEADER_LEN, values = 0, depth = 0, n;
	uint8_t tag;

	while (pos < len) {
		tag = data[pos++];
		if (tag == IPP_TAG_END)
			return depth == 0;
		if (tag < 0x10)
			continue; /* of a group */
		if (++values > ATTRIBUTES_MAX)
			return false;
		if (tag == IPP_TAG_BEGIN_COLLECTION && ++depth > IPP_DEPTH_MAX)
			return false;
		if (tag == IPP_TAG_END_COLLECTION && !depth--)
			return false;
		for (n = 0; n < 2; n++) { /* name, value */
			if (len - pos < 2 || len - pos - 2 < u16_at(data + pos))
				return false;
			pos += 2 + u16_at(data + pos);
		}
	}
	return false;
}

static int message_read(const void *data, size_t len, ipp_t **out, struct err *e)
{
	struct source source = { .data = data, .len = len };
	ipp_t *ipp;

	if (len > IPP_REPLY_MAX || len < HEADER_LEN || !is_sane(data, len))
		return err_set(e, -SHUNT_EPROTO, "the answer is not an IPP message");
	ipp = ippNew();
	if (!ipp)
		return err_set(e, -ENOMEM, "out of memory");
	if (ippReadIO(&source, from_memory, 1, NULL, ipp) != IPP_STATE_DATA) {
		ippDelete(ipp);
		return err_set(e, -SHUNT_EPROTO, "the answer is a damaged IPP message");
	}
	*out = ipp;
	return 0;
}

/* ---- answers: values ---- */

static int add_word(struct ipp_words *w, const char *text)
{
	char **v;

	if (w->n == IPP_WORDS_MAX || strlen(text) >= IPP_WORD_LEN)
		return 0;
	if (!(w->n & (w->n - 1))) {
		v = realloc(w->v, (w->n ? 2 * w->n : 1) * sizeof(*v));
		if (!v)
			return -ENOMEM;
		w->v = v;
	}
	w->v[w->n] = strdup(text);
	return w->v[w->n] ? (w->n++, 0) : -ENOMEM;
}

static void words_fini(struct ipp_words *w)
{
	while (w->n)
		free(w->v[--w->n]);
	free(w->v);
	w->v = NULL;
}

bool ipp_words_have(const struct ipp_words *w, const char *word)
{
	size_t i;

	for (i = 0; i < w->n; i++)
		if (!strcasecmp(w->v[i], word))
			return true;
	return false;
}

static bool is_words(ipp_tag_t tag)
{
	return tag == IPP_TAG_KEYWORD || tag == IPP_TAG_NAME || tag == IPP_TAG_NAMELANG ||
	       tag == IPP_TAG_MIMETYPE;
}

static bool is_text(ipp_tag_t tag)
{
	return tag == IPP_TAG_TEXT || tag == IPP_TAG_TEXTLANG || tag == IPP_TAG_NAME ||
	       tag == IPP_TAG_NAMELANG;
}

static int take_words(ipp_attribute_t *attr, struct ipp_words *out)
{
	const char *text;
	int i, ret = 0;

	if (!is_words(ippGetValueTag(attr)))
		return 0;
	for (i = 0; !ret && i < ippGetCount(attr); i++) {
		text = ippGetString(attr, i, NULL);
		if (text && text[0] && strcmp(text, "none"))
			ret = add_word(out, text);
	}
	return ret;
}

static void take_text(ipp_attribute_t *attr, char out[IPP_TEXT_LEN])
{
	const char *text = is_text(ippGetValueTag(attr)) ? ippGetString(attr, 0, NULL) : NULL;

	snprintf(out, IPP_TEXT_LEN, "%s", text ? text : "");
}

static int number_of(ipp_attribute_t *attr)
{
	ipp_tag_t tag = ippGetValueTag(attr);

	return tag == IPP_TAG_INTEGER || tag == IPP_TAG_ENUM ? ippGetInteger(attr, 0) :
							       IPP_NUMBER_UNKNOWN;
}

/* ---- answers: status ---- */

static enum ipp_outcome outcome_of(ipp_status_t code)
{
	switch (code) {
	case IPP_STATUS_ERROR_NOT_FOUND:
	case IPP_STATUS_ERROR_GONE:
		return IPP_OUTCOME_NOT_FOUND;
	case IPP_STATUS_ERROR_TIMEOUT:
	case IPP_STATUS_ERROR_SERVICE_UNAVAILABLE:
	case IPP_STATUS_ERROR_DEVICE:
	case IPP_STATUS_ERROR_TEMPORARY:
	case IPP_STATUS_ERROR_NOT_ACCEPTING_JOBS:
	case IPP_STATUS_ERROR_BUSY:
	case IPP_STATUS_ERROR_PRINTER_IS_DEACTIVATED:
	case IPP_STATUS_ERROR_TOO_MANY_JOBS:
		return IPP_OUTCOME_BUSY;
	default:
		return code <= IPP_STATUS_OK_EVENTS_COMPLETE ? IPP_OUTCOME_OK : IPP_OUTCOME_REFUSED;
	}
}

/* What the printer says it does not do: the attributes of the unsupported group. */
static void add_unsupported(ipp_t *ipp, char *text, size_t size)
{
	const char *before = "; not supported: ";
	ipp_attribute_t *attr;
	size_t len;

	for (attr = ippFirstAttribute(ipp); attr; attr = ippNextAttribute(ipp)) {
		if (ippGetGroupTag(attr) != IPP_TAG_UNSUPPORTED_GROUP || !ippGetName(attr))
			continue;
		len = strlen(text);
		snprintf(text + len, size - len, "%s%s", before, ippGetName(attr));
		before = ", ";
	}
}

static void take_status(ipp_t *ipp, struct ipp_status *status)
{
	ipp_attribute_t *attr = ippFindAttribute(ipp, "status-message", IPP_TAG_ZERO);
	ipp_status_t code = ippGetStatusCode(ipp);
	char message[IPP_TEXT_LEN] = "";

	if (attr)
		take_text(attr, message);
	status->code = (unsigned int)code;
	status->outcome = outcome_of(code);
	snprintf(status->text, sizeof(status->text), "%s%s%s", ippErrorString(code),
		 message[0] ? ": " : "", message);
	if (status->outcome != IPP_OUTCOME_OK)
		add_unsupported(ipp, status->text, sizeof(status->text));
}

int ipp_status_read(const void *data, size_t len, struct ipp_status *status, struct err *e)
{
	ipp_t *ipp;
	int ret = message_read(data, len, &ipp, e);

	if (ret)
		return ret;
	take_status(ipp, status);
	ippDelete(ipp);
	return 0;
}

/* ---- answers: the printer ---- */

static bool has_number(ipp_attribute_t *attr, int number)
{
	int i;

	if (ippGetValueTag(attr) != IPP_TAG_ENUM)
		return false;
	for (i = 0; i < ippGetCount(attr); i++)
		if (ippGetInteger(attr, i) == number)
			return true;
	return false;
}

static int copies_of(ipp_attribute_t *attr)
{
	int upper = 0;

	if (ippGetValueTag(attr) == IPP_TAG_RANGE)
		ippGetRange(attr, 0, &upper);
	else if (ippGetValueTag(attr) == IPP_TAG_INTEGER)
		upper = ippGetInteger(attr, 0);
	return upper > 0 ? upper : IPP_NUMBER_UNKNOWN;
}

static int take_printer(ipp_attribute_t *attr, struct ipp_printer *out)
{
	const char *name = ippGetName(attr);

	if (!strcmp(name, "operations-supported"))
		out->takes_jobs = has_number(attr, IPP_OP_CREATE_JOB) &&
				  has_number(attr, IPP_OP_SEND_DOCUMENT) &&
				  has_number(attr, IPP_OP_GET_JOB_ATTRIBUTES) &&
				  has_number(attr, IPP_OP_CANCEL_JOB);
	else if (!strcmp(name, "printer-state"))
		out->state = number_of(attr);
	else if (!strcmp(name, "printer-state-reasons"))
		return take_words(attr, &out->reasons);
	else if (!strcmp(name, "printer-state-message"))
		take_text(attr, out->message);
	else if (!strcmp(name, "printer-make-and-model"))
		take_text(attr, out->model);
	else if (!strcmp(name, "document-format-supported"))
		return take_words(attr, &out->formats);
	else if (!strcmp(name, "media-supported"))
		return take_words(attr, &out->media);
	else if (!strcmp(name, "sides-supported"))
		return take_words(attr, &out->sides);
	else if (!strcmp(name, "print-color-mode-supported"))
		return take_words(attr, &out->colors);
	else if (!strcmp(name, "copies-supported"))
		out->copies = copies_of(attr);
	return 0;
}

int ipp_printer_read(const void *data, size_t len, struct ipp_status *status,
		     struct ipp_printer *out, struct err *e)
{
	ipp_attribute_t *attr;
	ipp_t *ipp;
	int ret;

	memset(out, 0, sizeof(*out));
	out->state = out->copies = IPP_NUMBER_UNKNOWN;
	ret = message_read(data, len, &ipp, e);
	if (ret)
		return ret;
	take_status(ipp, status);
	for (attr = ippFirstAttribute(ipp); attr && !ret; attr = ippNextAttribute(ipp))
		if (ippGetGroupTag(attr) == IPP_TAG_PRINTER && ippGetName(attr))
			ret = take_printer(attr, out);
	ippDelete(ipp);
	if (ret) {
		ipp_printer_fini(out);
		err_set(e, ret, "out of memory");
	}
	return ret;
}

void ipp_printer_fini(struct ipp_printer *p)
{
	words_fini(&p->reasons);
	words_fini(&p->formats);
	words_fini(&p->media);
	words_fini(&p->sides);
	words_fini(&p->colors);
}

/* ---- answers: jobs ---- */

const char *ipp_job_state_str(int state)
{
	static const char *const names[] = {
		"pending",  "pending-held", "processing", "processing-stopped",
		"canceled", "aborted",	    "completed",
	};

	return state < IPP_JOB_STATE_PENDING || state > IPP_JOB_STATE_COMPLETED ?
		       "in no state that is known" :
		       names[state - IPP_JOB_STATE_PENDING];
}

static void job_init(struct ipp_job *job)
{
	memset(job, 0, sizeof(*job));
	job->state = job->impressions = job->sheets = job->documents = job->k_octets =
		IPP_NUMBER_UNKNOWN;
}

void ipp_job_fini(struct ipp_job *job)
{
	words_fini(&job->reasons);
}

static int take_job(ipp_attribute_t *attr, struct ipp_job *out)
{
	const char *name = ippGetName(attr);

	if (!strcmp(name, "job-id"))
		out->id = number_of(attr) > 0 ? number_of(attr) : 0;
	else if (!strcmp(name, "job-name"))
		take_text(attr, out->name);
	else if (!strcmp(name, "job-state"))
		out->state = number_of(attr);
	else if (!strcmp(name, "job-state-reasons"))
		return take_words(attr, &out->reasons);
	else if (!strcmp(name, "job-state-message"))
		take_text(attr, out->message);
	else if (!strcmp(name, "job-impressions-completed"))
		out->impressions = number_of(attr);
	else if (!strcmp(name, "job-media-sheets-completed"))
		out->sheets = number_of(attr);
	else if (!strcmp(name, "number-of-documents"))
		out->documents = number_of(attr);
	else if (!strcmp(name, "job-k-octets"))
		out->k_octets = number_of(attr);
	return 0;
}

/* The attributes from @attr on, up to the end of its group. */
static int take_group(ipp_t *ipp, ipp_attribute_t **attr, struct ipp_job *out)
{
	int ret = 0;

	while (*attr && !ret && ippGetGroupTag(*attr) == IPP_TAG_JOB && ippGetName(*attr)) {
		ret = take_job(*attr, out);
		*attr = ippNextAttribute(ipp);
	}
	return ret;
}

int ipp_jobs_read(const void *data, size_t len, bool (*is)(const char *name, const char *job),
		  const char *job, struct ipp_status *status, struct ipp_job *out, struct err *e)
{
	ipp_attribute_t *attr;
	ipp_t *ipp;
	int ret;

	job_init(out);
	ret = message_read(data, len, &ipp, e);
	if (ret)
		return ret;
	take_status(ipp, status);
	attr = ippFirstAttribute(ipp);
	while (attr && !ret) {
		if (ippGetGroupTag(attr) != IPP_TAG_JOB || !ippGetName(attr)) {
			attr = ippNextAttribute(ipp);
			continue;
		}
		ret = take_group(ipp, &attr, out);
		if (!ret && (!is || is(out->name, job)))
			break;
		ipp_job_fini(out);
		job_init(out);
	}
	ippDelete(ipp);
	if (ret) {
		ipp_job_fini(out);
		err_set(e, ret, "out of memory");
	}
	return ret;
}

int ipp_job_read(const void *data, size_t len, struct ipp_status *status, struct ipp_job *out,
		 struct err *e)
{
	return ipp_jobs_read(data, len, NULL, NULL, status, out, e);
}

/* ---- names of media ---- */

bool ipp_media_name(const char *name, char out[IPP_WORD_LEN])
{
	char lower[IPP_WORD_LEN], title[IPP_WORD_LEN]; /* "letter", "Letter" */
	const pwg_media_t *media;
	size_t i;

	for (i = 0; name[i] && i + 1 < sizeof(lower); i++)
		lower[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
	lower[i] = '\0';
	memcpy(title, lower, i + 1);
	if (title[0] >= 'a' && title[0] <= 'z')
		title[0] = (char)(title[0] - 32);
	media = pwgMediaForPWG(lower);
	if (!media)
		media = pwgMediaForLegacy(lower);
	if (!media)
		media = pwgMediaForPPD(title);
	if (!media || !media->pwg)
		return false;
	snprintf(out, IPP_WORD_LEN, "%s", media->pwg);
	return true;
}
