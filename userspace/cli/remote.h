/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * remote: the cloud or the manager as a command sees it: one HTTP/2 connection, one request at a
 * time, each call returns when its answer is there.
 *
 * Errors: -SHUNT_EREMOTE when the server answered with one (@e holds its detail and code),
 * -SHUNT_ECONF when the settings do not suffice, else why there is no connection or no answer.
 * Every text begins with who ("cloud 203.0.113.10:8443: ...").
 */
#ifndef SHUNT_CLI_REMOTE_H
#define SHUNT_CLI_REMOTE_H

#include <stddef.h>
#include <stdint.h>

#include "cli/cli.h"
#include "lib/buf.h"
#include "lib/types.h"

struct remote;

/*
 * Connect to the @server (ROLE_CLOUD or ROLE_MANAGER) that the options or the configuration file
 * name, with the certificate they name.
 */
int remote_open(struct remote **out, const struct cli *c, enum role server, struct err *e);
void remote_close(struct remote *r); /* NULL is allowed */

#define REMOTE_TRIES 7 /* pauses of half a minute in all */
/*
 * A call on *@r failed with @err: if that is for want of a connection, make another after a pause, longer
 * for each of @tries. 0: *@r is another; else @err, or why there is none, and *@r may be NULL.
 */
int remote_again(struct remote **r, const struct cli *c, enum role server, unsigned int *tries,
		 int err, struct err *e);

struct remote_request {
	const char *method, *path;
	const void *body; /* JSON; NULL: none */
	size_t len;
	const char *idempotency_key; /* NULL: none */
	uint32_t timeout_ms; /* for the answer; 0: half a minute. Not of content */
	int *status; /* HTTP status of the answer, if there was one; may be NULL */
	/*
	 * Content instead of a body: the @size octets of @fd, those before @from left out, with @on_sent
	 * (may be NULL) as they go.
	 */
	bool content;
	int fd;
	uint64_t from, size;
	void (*on_sent)(void *arg, uint64_t sent);
	void *arg;
};

/* The answer's body (status 2xx) is put in @reply (initialised; may be NULL). */
int remote_call(struct remote *r, const struct remote_request *request, struct buf *reply,
		struct err *e);

struct remote_download {
	const char *path;
	uint64_t from; /* where to begin */
	const char *etag; /* of what is there before @from: another content comes from its start */
	/* Bytes that belong at @offset; a negative value ends it and is returned. */
	int (*on_data)(void *arg, uint64_t offset, const void *data, size_t len);
	void *arg;
};

/* GET a content, or the rest of it. */
int remote_download(struct remote *r, const struct remote_download *d, struct err *e);

/*
 * GET @path and hand over each line of the answer without its newline until the server ends it; a
 * negative value of @on_line ends it and is returned.
 */
int remote_lines(struct remote *r, const char *path,
		 int (*on_line)(void *arg, const char *line, size_t len), void *arg, struct err *e);

#endif
