/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * davkit: a file server for tests that answers what they want, word for word: each request takes the next of a list of
 * answers, and is logged. And a call of share.h's WebDAV with what it told.
 */
#ifndef SHUNT_TESTS_DAVKIT_H
#define SHUNT_TESTS_DAVKIT_H

#include <errno.h>
#include <netinet/in.h>

#include "netkit.h"

#include "cloud/http.h"
#include "cloud/share.h"
#include "cloud/webdav.h"

#define KIT_ANSWERS 24
#define KIT_CONTENT 100000

struct dav_answer {
	const char *text; /* head and body; NULL: hang up */
	const char *again; /* then this, over and over, until the client has had enough */
	bool hang_up; /* after it */
};

struct dav {
	struct loop *loop;
	struct http *http;
	int listener, conn;
	struct loop_io *accept_io, *conn_io;
	uint16_t port;
	char request[8192];
	size_t len, body; /* body: octets of it that are still to come */
	const struct dav_answer *answers;
	size_t n_answers, next;
	const char *again;
	uint64_t flood; /* octets of it */
	char log[4096]; /* "GET /x Range: bytes=5-|" */
	/* of the call */
	struct share_call *call;
	bool done;
	int err;
	bool fatal;
	char code[64], text[512];
	struct share_file file;
	char version[SHARE_VERSION_LEN];
	int files; /* on_file was called so often */
	int refuse; /* what callbacks return */
	char content[KIT_CONTENT];
	uint64_t end; /* of it */
	char entries[4096]; /* "d NAME|f NAME SIZE MODIFIED ETAG|" */
	size_t n_entries;
	char events[512];
	bool whole; /* on_whole was called */
	uint64_t first_progress; /* UINT64_MAX: none yet */
};

/* What is put: no NUL, so that answers are strings. */
static inline uint8_t kit_octet(uint64_t offset)
{
	return (uint8_t)((offset * 13 + offset / 1000) % 254 + 1);
}

static inline void dav_hang_up(struct dav *s)
{
	loop_io_free(s->conn_io);
	s->conn_io = NULL;
	if (s->conn >= 0)
		close(s->conn);
	s->conn = -1;
	s->len = s->body = 0;
	s->again = NULL;
	if (s->accept_io)
		loop_io_set(s->accept_io, LOOP_READ);
}

static inline void dav_flood(struct dav *s)
{
	char block[32768];
	size_t n = strlen(s->again), len = 0;
	ssize_t sent;

	while (len + n <= sizeof(block)) {
		memcpy(block + len, s->again, n);
		len += n;
	}
	/* Whole repetitions only; the socket's buffer is larger than a block. */
	sent = send(s->conn, block, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent > 0)
		s->flood += (uint64_t)sent;
	else if (errno != EAGAIN)
		dav_hang_up(s);
}

static inline void dav_log(struct dav *s)
{
	static const char *const fields[] = { "Range:",	    "If-Range:",      "Depth:",
					      "Overwrite:", "Content-Range:", "If-None-Match:",
					      "If-Match:" };
	char line[300];
	size_t i;
	char *p;

	sscanf(s->request, "%255[^ ] %255[^ ]", line, line + strcspn(s->request, " ") + 1);
	line[strcspn(s->request, " ")] = ' ';
	strcat(s->log, line);
	for (i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		snprintf(line, sizeof(line), "\r\n%s", fields[i]);
		p = strcasestr(s->request, line);
		if (p)
			sprintf(s->log + strlen(s->log), " %.*s", (int)strcspn(p + 2, "\r"), p + 2);
	}
	strcat(s->log, "|");
	assert_true(strlen(s->log) < sizeof(s->log) - 600);
}

static inline void dav_answer(struct dav *s)
{
	const struct dav_answer *a = &s->answers[s->next];
	size_t len;

	dav_log(s);
	assert_true(s->next < s->n_answers);
	s->next++;
	s->len = 0;
	if (!a->text) {
		dav_hang_up(s);
		return;
	}
	len = strlen(a->text);
	assert_int_equal(send(s->conn, a->text, len, MSG_NOSIGNAL), len);
	s->again = a->again;
	if (a->again)
		loop_io_set(s->conn_io, LOOP_READ | LOOP_WRITE);
	else if (a->hang_up)
		dav_hang_up(s);
}

static inline void dav_io(unsigned int events, void *arg)
{
	struct dav *s = arg;
	char *end, *p, rest[65536];
	ssize_t n;

	if (s->again && (events & LOOP_WRITE)) {
		dav_flood(s);
		return;
	}
	n = s->body ? read(s->conn, rest, sizeof(rest)) :
		      read(s->conn, s->request + s->len, sizeof(s->request) - 1 - s->len);
	if (n <= 0) {
		dav_hang_up(s);
		return;
	}
	if (s->body) {
		assert_true((size_t)n <= s->body);
		s->body -= (size_t)n;
		if (!s->body)
			dav_answer(s);
		return;
	}
	s->len += (size_t)n;
	s->request[s->len] = '\0';
	end = strstr(s->request, "\r\n\r\n");
	if (!end)
		return;
	/* Bodies are counted, and otherwise of no interest. */
	p = strcasestr(s->request, "\r\nContent-Length:");
	s->body = p && p < end ? strtoul(p + 17, NULL, 10) : 0;
	s->body -= s->len - (size_t)(end + 4 - s->request);
	end[2] = '\0';
	if (!s->body)
		dav_answer(s);
}

static inline void dav_accept(unsigned int events, void *arg)
{
	struct dav *s = arg;

	(void)events;
	if (s->conn >= 0) {
		loop_io_set(s->accept_io, 0); /* one after the other */
		return;
	}
	s->conn = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(s->conn >= 0);
	assert_int_equal(loop_io_new(s->loop, s->conn, dav_io, s, &s->conn_io), 0);
	loop_io_set(s->conn_io, LOOP_READ);
}

/* The server alone, at @address (host order). */
static inline void dav_listen(struct dav *s, struct loop *loop, in_addr_t address)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);

	s->loop = loop;
	s->conn = -1;
	s->first_progress = UINT64_MAX;
	sin.sin_addr.s_addr = htonl(address);
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(s->listener, 4), 0);
	getsockname(s->listener, (struct sockaddr *)&sin, &len);
	s->port = ntohs(sin.sin_port);
	loop_io_new(s->loop, s->listener, dav_accept, s, &s->accept_io);
	loop_io_set(s->accept_io, LOOP_READ);
}

static inline void dav_shut(struct dav *s)
{
	dav_hang_up(s);
	loop_io_free(s->accept_io);
	close(s->listener);
}

static inline int dav_setup(void **state)
{
	struct dav *s = calloc(1, sizeof(*s));
	struct loop *loop;
	struct err e = { 0 };

	assert_int_equal(loop_new(&loop), 0);
	dav_listen(s, loop, INADDR_LOOPBACK);
	assert_int_equal(http_new(s->loop, NULL, &s->http, &e), 0);
	*state = s;
	return 0;
}

static inline int dav_teardown(void **state)
{
	struct dav *s = *state;

	dav_shut(s);
	http_free(s->http);
	loop_free(s->loop);
	free(s);
	return 0;
}

/* ---- what the call tells ---- */

static inline int dav_on_file(const struct share_file *file, void *arg)
{
	struct dav *s = arg;

	s->files++;
	s->file = *file;
	snprintf(s->version, sizeof(s->version), "%s", file->version);
	s->end = file->from;
	return s->refuse;
}

static inline int dav_on_write(uint64_t offset, const void *data, size_t len, void *arg)
{
	struct dav *s = arg;

	assert_int_equal(offset, s->end);
	assert_true(offset + len <= s->file.size);
	if (offset + len <= sizeof(s->content))
		memcpy(s->content + offset, data, len);
	s->end += len;
	return 0;
}

static inline int dav_on_entry(const struct share_entry *e, void *arg)
{
	struct dav *s = arg;

	if (!s->n_entries++ || strlen(s->entries) < sizeof(s->entries) - 1200)
		sprintf(s->entries + strlen(s->entries), "%c %s %lld %lld %s|",
			e->directory ? 'd' : 'f', e->name,
			e->size == CONTENT_SIZE_UNKNOWN ? -1LL : (long long)e->size,
			e->modified == INT64_MIN ? -1LL : (long long)e->modified, e->version);
	return s->refuse;
}

static inline void dav_on_event(const char *event, const char *reason, const char *text, void *arg)
{
	struct dav *s = arg;

	(void)reason;
	(void)text;
	sprintf(s->events + strlen(s->events), "%s|", event);
}

static inline void dav_on_done(int err, bool fatal, const char *code, const char *text, void *arg)
{
	struct dav *s = arg;

	assert_false(s->done);
	s->done = true;
	s->err = err;
	s->fatal = fatal;
	snprintf(s->code, sizeof(s->code), "%s", code);
	snprintf(s->text, sizeof(s->text), "%s", text);
}

static inline ssize_t dav_on_read(uint64_t offset, void *buf, size_t len, void *arg)
{
	uint8_t *p = buf;
	size_t i;

	(void)arg;
	for (i = 0; i < len; i++)
		p[i] = kit_octet(offset + i);
	return (ssize_t)len;
}

static inline void dav_on_whole(void *arg)
{
	struct dav *s = arg;

	s->whole = true;
}

static inline void dav_on_progress(uint64_t octets, void *arg)
{
	struct dav *s = arg;

	if (s->first_progress == UINT64_MAX)
		s->first_progress = octets;
}

/* ---- calls ---- */

static inline struct share_conf dav_conf(const struct dav *s)
{
	struct share_conf conf = {
		.loop = s->loop,
		.http = s->http,
		.port = s->port,
		.base = "/files",
	};

	addr_parse("127.0.0.1", &conf.address);
	return conf;
}

/* The answers, in order; a static array's. */
#define DAV_ANSWERS(s, list)                                                                       \
	((s)->answers = (list), (s)->n_answers = sizeof(list) / sizeof(*(list)))

static inline const struct share_ops *dav_ops(void)
{
	static const struct share_ops ops = {
		.read = dav_on_read,
		.on_progress = dav_on_progress,
		.on_whole = dav_on_whole,
		.on_file = dav_on_file,
		.write = dav_on_write,
		.on_entry = dav_on_entry,
		.on_event = dav_on_event,
		.on_done = dav_on_done,
	};

	return &ops;
}

#endif
