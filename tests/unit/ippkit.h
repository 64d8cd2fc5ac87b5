/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ippkit: a printer for the tests, which speaks IPP by libcups over a primitive HTTP/1.1 server and does what the test
 * wants. It has one job at a time, and remembers what it printed.
 */
#ifndef SHUNT_TESTS_IPPKIT_H
#define SHUNT_TESTS_IPPKIT_H

#include "netkit.h"

#include <cups/cups.h>
#include <netinet/in.h>

#define KIT_DOC_MAX (8u << 20)
#define KIT_CONNS 8

struct ippkit_conn {
	struct ippkit *kit;
	int fd;
	struct loop_io *io;
	uint8_t *in; /* head and body of the request */
	size_t len, cap, head; /* head: its length, 0: not complete */
	bool login; /* the request says who asks */
	size_t body; /* length of the body */
	bool endless; /* it gets an answer that has no end */
};

/* Where the test wants a fault. */
struct ippkit_faults {
	size_t cut_at; /* close after so many octets of a document's request, and reset this; 0: never */
	bool cut_answer; /* of Send-Document, which has arrived; once */
	bool cut_created; /* the answer to Create-Job; once */
	bool cut_all; /* no connection gets an answer */
	int busy; /* so many Create-Jobs are answered with server-error-busy */
	bool partial_prints; /* a document that breaks off is printed as far as it came, as completed */
	bool partial_aborts; /* or the job is aborted */
	bool impressions; /* of a partial document some were printed */
	size_t stop_at; /* read no further in a document until ippkit_go_on() */
	bool keeps; /* Cancel-Job ends nothing */
	bool deaf; /* Cancel-Job is not even answered */
	bool forgets; /* jobs are not known after they are over */
	bool endless; /* answers have no end */
	bool garbage; /* answers are not IPP */
	bool silent; /* nothing is ever answered */
	ipp_status_t refuse_document, refuse_cancel;
	ipp_status_t refuse_questions; /* of jobs */
	int name_len; /* of a job's name, that is kept; 0: all */
	int http_status; /* instead of 200 */
	const char *
		challenge; /* what has no Authorization is answered with 401 and this WWW-Authenticate */
	bool refuses_login; /* and what has one, too */
	bool no_create; /* Create-Job is not among the operations */
};

struct ippkit {
	struct loop *loop;
	int listener;
	struct loop_io *accept_io;
	uint16_t port;
	struct ippkit_conn conns[KIT_CONNS];
	struct ippkit_faults fault;
	/* the job */
	int id; /* 0: none; counts up */
	char name[256];
	ipp_jstate_t state;
	bool has_document;
	int impressions;
	int k_octets; /* 0: not told */
	const char *job_reason, *printer_reason; /* NULL: none */
	bool hold; /* it does not go on */
	/* what came */
	int created, documents, canceled, questions, printed;
	char ops[512]; /* letters, one an operation: P C S J A(get-jobs) X */
	int challenged; /* answers with 401 */
	size_t unauthorized; /* octets of bodies that came in vain */
	char copies[16], media[64], sides[64], color[64];
	uint8_t *page; /* what was printed last */
	size_t page_len;
};

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static void conn_close(struct ippkit_conn *c)
{
	loop_io_free(c->io);
	c->io = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	free(c->in);
	c->in = NULL;
	c->len = c->cap = c->head = c->body = 0;
}

static void conn_reset(struct ippkit_conn *c)
{
	struct linger linger = { 1, 0 };

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	conn_close(c);
}

/* ---- IPP ---- */

static ssize_t from_conn(void *arg, ipp_uchar_t *out, size_t len)
{
	struct ippkit_conn *c = arg;

	/* head is moved on as it is read */
	if (len > c->len - c->head)
		len = c->len - c->head;
	memcpy(out, c->in + c->head, len);
	c->head += len;
	return (ssize_t)len;
}

struct out {
	uint8_t data[8192];
	size_t len;
};

static ssize_t to_out(void *arg, ipp_uchar_t *data, size_t len)
{
	struct out *o = arg;

	assert_true(o->len + len <= sizeof(o->data));
	memcpy(o->data + o->len, data, len);
	o->len += len;
	return (ssize_t)len;
}

static void respond(struct ippkit_conn *c, ipp_t *answer)
{
	const struct ippkit_faults *f = &c->kit->fault;
	struct out out = { .len = 0 };
	char head[256];
	int n;

	assert_int_equal(ippWriteIO(&out, to_out, 1, NULL, answer), IPP_STATE_DATA);
	ippDelete(answer);
	if (f->garbage)
		memset(out.data, 0x34, out.len);
	n = snprintf(
		head, sizeof(head),
		"HTTP/1.1 %d X\r\nContent-Type: application/ipp\r\nContent-Length: %zu\r\n\r\n",
		f->http_status ? f->http_status : 200, f->endless ? (size_t)1 << 40 : out.len);
	assert_int_equal(write(c->fd, head, (size_t)n), n);
	assert_int_equal(write(c->fd, out.data, out.len), (ssize_t)out.len);
	c->endless = f->endless;
	loop_io_set(c->io, f->endless ? LOOP_WRITE : LOOP_READ);
}

static ipp_t *answer_new(ipp_t *request, ipp_status_t status)
{
	ipp_t *a = ippNewResponse(request);

	ippSetStatusCode(a, status);
	return a;
}

static void add_job(struct ippkit *kit, ipp_t *a)
{
	ippAddInteger(a, IPP_TAG_JOB, IPP_TAG_INTEGER, "job-id", kit->id);
	ippAddString(a, IPP_TAG_JOB, IPP_TAG_NAME, "job-name", NULL, kit->name);
	ippAddInteger(a, IPP_TAG_JOB, IPP_TAG_ENUM, "job-state", (int)kit->state);
	ippAddString(a, IPP_TAG_JOB, IPP_TAG_KEYWORD, "job-state-reasons", NULL,
		     kit->job_reason ? kit->job_reason : "none");
	ippAddInteger(a, IPP_TAG_JOB, IPP_TAG_INTEGER, "job-impressions-completed",
		      kit->impressions);
	if (kit->k_octets)
		ippAddInteger(a, IPP_TAG_JOB, IPP_TAG_INTEGER, "job-k-octets", kit->k_octets);
}

static void get_printer(struct ippkit *kit, ipp_t *a)
{
	static const int ops[] = { IPP_OP_SEND_DOCUMENT, IPP_OP_CANCEL_JOB,
				   IPP_OP_GET_JOB_ATTRIBUTES, IPP_OP_GET_JOBS, IPP_OP_CREATE_JOB };
	static const char *const formats[] = { "application/pdf", "image/jpeg",
					       "image/pwg-raster" };
	static const char *const media[] = { "iso_a4_210x297mm", "na_letter_8.5x11in" };
	static const char *const sides[] = { "one-sided", "two-sided-long-edge" };
	static const char *const colors[] = { "auto", "monochrome" };

	ippAddIntegers(a, IPP_TAG_PRINTER, IPP_TAG_ENUM, "operations-supported",
		       COUNT(ops) - kit->fault.no_create, ops);
	ippAddStrings(a, IPP_TAG_PRINTER, IPP_TAG_MIMETYPE, "document-format-supported",
		      COUNT(formats), NULL, formats);
	ippAddStrings(a, IPP_TAG_PRINTER, IPP_TAG_KEYWORD, "media-supported", COUNT(media), NULL,
		      media);
	ippAddStrings(a, IPP_TAG_PRINTER, IPP_TAG_KEYWORD, "sides-supported", COUNT(sides), NULL,
		      sides);
	ippAddStrings(a, IPP_TAG_PRINTER, IPP_TAG_KEYWORD, "print-color-mode-supported",
		      COUNT(colors), NULL, colors);
	ippAddRange(a, IPP_TAG_PRINTER, "copies-supported", 1, 99);
	ippAddInteger(a, IPP_TAG_PRINTER, IPP_TAG_ENUM, "printer-state",
		      kit->hold ? IPP_PSTATE_STOPPED : IPP_PSTATE_IDLE);
	ippAddString(a, IPP_TAG_PRINTER, IPP_TAG_KEYWORD, "printer-state-reasons", NULL,
		     kit->printer_reason ? kit->printer_reason : "none");
}

static void keep_word(ipp_t *request, const char *attribute, char *out, size_t size)
{
	ipp_attribute_t *attr = ippFindAttribute(request, attribute, IPP_TAG_ZERO);

	out[0] = '\0';
	if (attr && ippGetValueTag(attr) == IPP_TAG_NAME)
		snprintf(out, size, "%s", ippGetString(attr, 0, NULL));
	else if (attr)
		ippAttributeString(attr, out, size);
}

static void create(struct ippkit *kit, ipp_t *request, ipp_t *a)
{
	kit->id++;
	kit->created++;
	kit->state = IPP_JSTATE_HELD;
	kit->job_reason = "job-incoming";
	kit->has_document = false;
	kit->impressions = 0;
	keep_word(request, "job-name", kit->name,
		  kit->fault.name_len ? (size_t)kit->fault.name_len + 1 : sizeof(kit->name));
	keep_word(request, "copies", kit->copies, sizeof(kit->copies));
	keep_word(request, "media", kit->media, sizeof(kit->media));
	keep_word(request, "sides", kit->sides, sizeof(kit->sides));
	keep_word(request, "print-color-mode", kit->color, sizeof(kit->color));
	add_job(kit, a);
}

static void print(struct ippkit *kit, const uint8_t *data, size_t len)
{
	free(kit->page);
	kit->page = malloc(len + 1);
	memcpy(kit->page, data, len);
	kit->page_len = len;
	kit->printed++;
	kit->impressions = 1;
}

static void document(struct ippkit *kit, struct ippkit_conn *c)
{
	kit->documents++;
	kit->has_document = true;
	kit->state = IPP_JSTATE_PROCESSING;
	kit->job_reason = "job-printing";
	print(kit, c->in + c->head, c->len - c->head);
	if (!kit->hold) {
		kit->state = IPP_JSTATE_COMPLETED;
		kit->job_reason = "job-completed-successfully";
	}
}

static ipp_status_t obey(struct ippkit *kit, struct ippkit_conn *c, ipp_t *request, ipp_op_t op,
			 ipp_t *a)
{
	ipp_attribute_t *id = ippFindAttribute(request, "job-id", IPP_TAG_INTEGER);
	bool mine = id && ippGetInteger(id, 0) == kit->id;

	switch (op) {
	case IPP_OP_GET_PRINTER_ATTRIBUTES:
		get_printer(kit, a);
		return IPP_STATUS_OK;
	case IPP_OP_CREATE_JOB:
		if (kit->fault.busy && kit->fault.busy--)
			return IPP_STATUS_ERROR_BUSY;
		create(kit, request, a);
		return IPP_STATUS_OK;
	case IPP_OP_GET_JOBS:
		if (kit->id && kit->state < IPP_JSTATE_CANCELED)
			add_job(kit, a);
		return IPP_STATUS_OK;
	case IPP_OP_SEND_DOCUMENT:
		if (kit->fault.refuse_document)
			return kit->fault.refuse_document;
		document(kit, c);
		return mine ? IPP_STATUS_OK : IPP_STATUS_ERROR_NOT_FOUND;
	case IPP_OP_CANCEL_JOB:
		if (kit->fault.refuse_cancel)
			return kit->fault.refuse_cancel;
		kit->canceled++;
		if (kit->state < IPP_JSTATE_CANCELED && !kit->fault.keeps)
			kit->state = IPP_JSTATE_CANCELED;
		return mine ? IPP_STATUS_OK : IPP_STATUS_ERROR_NOT_FOUND;
	default:
		kit->questions++;
		if (kit->fault.refuse_questions)
			return kit->fault.refuse_questions;
		if (!mine || (kit->fault.forgets && kit->state >= IPP_JSTATE_CANCELED))
			return IPP_STATUS_ERROR_NOT_FOUND;
		add_job(kit, a);
		return IPP_STATUS_OK;
	}
}

static bool take(bool *flag)
{
	bool was = *flag;

	*flag = false;
	return was;
}

static void on_request(struct ippkit_conn *c)
{
	struct ippkit *kit = c->kit;
	struct ippkit_faults *f = &kit->fault;
	ipp_t *request = ippNew(), *a;
	ipp_op_t op;
	size_t n = strlen(kit->ops);

	assert_int_equal(ippReadIO(c, from_conn, 1, NULL, request), IPP_STATE_DATA);
	op = ippGetOperation(request);
	if (n + 1 < sizeof(kit->ops))
		kit->ops[n] = op == IPP_OP_GET_PRINTER_ATTRIBUTES ? 'P' :
			      op == IPP_OP_CREATE_JOB		  ? 'C' :
			      op == IPP_OP_SEND_DOCUMENT	  ? 'S' :
			      op == IPP_OP_GET_JOBS		  ? 'A' :
			      op == IPP_OP_CANCEL_JOB		  ? 'X' :
								    'J';
	if (op == IPP_OP_CANCEL_JOB && f->deaf) {
		ippDelete(request);
		return;
	}
	a = answer_new(request, IPP_STATUS_OK);
	ippSetStatusCode(a, obey(kit, c, request, op, a));
	ippDelete(request);
	if (f->silent || f->cut_all || (op == IPP_OP_SEND_DOCUMENT && take(&f->cut_answer)) ||
	    (op == IPP_OP_CREATE_JOB && take(&f->cut_created))) {
		ippDelete(a);
		if (!f->silent)
			conn_reset(c);
		return;
	}
	respond(c, a);
	free(c->in);
	c->in = NULL;
	c->len = c->cap = c->head = c->body = 0;
}

/* ---- HTTP ---- */

static void broke_off(struct ippkit *kit, struct ippkit_conn *c)
{
	if (c->head && c->body > 4096 && kit->id) {
		if (kit->fault.impressions)
			kit->impressions = 1;
		if (kit->fault.partial_prints) {
			print(kit, c->in + c->head, c->len - c->head);
			kit->state = IPP_JSTATE_COMPLETED;
		} else if (kit->fault.partial_aborts) {
			kit->state = IPP_JSTATE_ABORTED;
			kit->job_reason = "aborted-by-system";
		}
	}
	kit->fault.cut_at = 0;
	conn_reset(c);
}

static void find_head(struct ippkit_conn *c)
{
	uint8_t *end = memmem(c->in, c->len, "\r\n\r\n", 4);
	char *length;

	if (!end)
		return;
	*end = '\0';
	c->head = (size_t)(end + 4 - c->in);
	length = strcasestr((char *)c->in, "\r\nContent-Length:");
	c->body = length ? strtoull(length + 17, NULL, 10) : 0;
	c->login = strcasestr((char *)c->in, "\r\nAuthorization:");
	assert_null(strcasestr((char *)c->in, "Expect:"));
}

static void challenge(struct ippkit_conn *c)
{
	char answer[512];
	int n = snprintf(answer, sizeof(answer),
			 "HTTP/1.1 401 X\r\nWWW-Authenticate: %s\r\nContent-Length: 0\r\n\r\n",
			 c->kit->fault.challenge);

	c->kit->challenged++;
	c->kit->unauthorized += c->body;
	assert_int_equal(write(c->fd, answer, (size_t)n), n);
	c->len = c->head = c->body = 0;
}

static void on_readable(unsigned int events, void *arg)
{
	struct ippkit_conn *c = arg;
	struct ippkit *kit = c->kit;
	static const uint8_t zeros[16384];
	ssize_t n;

	(void)events;
	if (c->endless) {
		if (send(c->fd, zeros, sizeof(zeros), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			conn_close(c);
		return;
	}
	if (c->len == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 65536;
		assert_true(c->cap <= 2 * KIT_DOC_MAX);
		c->in = realloc(c->in, c->cap);
	}
	n = read(c->fd, c->in + c->len, c->cap - c->len);
	if (n <= 0) {
		if (c->head && c->len < c->head + c->body)
			broke_off(kit, c);
		else
			conn_close(c);
		return;
	}
	c->len += (size_t)n;
	if (kit->fault.stop_at && c->len >= kit->fault.stop_at)
		loop_io_set(c->io, 0);
	if (!c->head)
		find_head(c);
	if (!c->head)
		return;
	if (kit->fault.cut_at && c->body > 4096 && c->len >= c->head + kit->fault.cut_at)
		broke_off(kit, c);
	else if (c->len >= c->head + c->body && kit->fault.challenge &&
		 (!c->login || kit->fault.refuses_login))
		challenge(c);
	else if (c->len >= c->head + c->body)
		on_request(c);
}

static void on_connection(unsigned int events, void *arg)
{
	struct ippkit *kit = arg;
	struct ippkit_conn *c = kit->conns;

	(void)events;
	while (c->fd >= 0)
		assert_true(++c < kit->conns + KIT_CONNS);
	c->endless = false;
	c->fd = accept4(kit->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(c->fd >= 0);
	assert_int_equal(loop_io_new(kit->loop, c->fd, on_readable, c, &c->io), 0);
	loop_io_set(c->io, LOOP_READ);
}

static inline void ippkit_go_on(struct ippkit *kit)
{
	int i;

	kit->fault.stop_at = 0;
	for (i = 0; i < KIT_CONNS; i++)
		if (kit->conns[i].fd >= 0)
			loop_io_set(kit->conns[i].io, LOOP_READ);
}

static void ippkit_start(struct ippkit *kit, struct loop *loop)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int i;

	memset(kit, 0, sizeof(*kit));
	kit->loop = loop;
	for (i = 0; i < KIT_CONNS; i++) {
		kit->conns[i].kit = kit;
		kit->conns[i].fd = -1;
	}
	sin.sin_addr.s_addr = htonl(INADDR_ANY);
	kit->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(kit->listener, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(kit->listener, 8), 0);
	getsockname(kit->listener, (struct sockaddr *)&sin, &len);
	kit->port = ntohs(sin.sin_port);
	loop_io_new(loop, kit->listener, on_connection, kit, &kit->accept_io);
	loop_io_set(kit->accept_io, LOOP_READ);
}

static void ippkit_stop(struct ippkit *kit)
{
	int i;

	for (i = 0; i < KIT_CONNS; i++)
		conn_close(&kit->conns[i]);
	loop_io_free(kit->accept_io);
	close(kit->listener);
	free(kit->page);
}

#endif
