/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * webdav: storing content on file servers without an agent (RFC 4918), through a tunnel (seed:
 * #757-#777), carried by cloud/http.h.
 *
 * A file is PUT under a temporary name beside its place and then MOVEd there, so nobody ever sees
 * half a file. A server that says it has no room (RFC 4331) is not sent any of it. Directories that its name leads through are made, below the base, and stay. An interrupted PUT starts over: WebDAV has no partial PUT. HTTP/1.1, no proxies, no
 * redirects; what the server says is bounded and otherwise ignored.
 */
#ifndef SHUNT_CLOUD_WEBDAV_H
#define SHUNT_CLOUD_WEBDAV_H

#include "lib/addr.h"
#include "lib/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct http;
struct loop;
struct webdav_put;

#define WEBDAV_REQUEST_MS 60000 /* PROPFIND, MKCOL, MOVE, DELETE */
#define WEBDAV_STALL_S 60 /* a PUT that moves nothing for so long has failed */
#define WEBDAV_PROGRESS_MS 200

struct webdav_target {
	struct shunt_addr address;
	uint16_t port;
	bool tls;
	const char *base; /* path of the share: "/", "/files" */
	const char *name; /* below it: "a.bin", "in/a.bin"; webdav_name_ok() */
	const char *tag; /* makes the temporary name unique: the job's id */
	struct shunt_addr source; /* local address; unset: any */
	const char *user, *password; /* see struct http_target; NULL: none */
};

struct webdav_ops {
	/*
	 * The octets to store: up to @len from @offset, at least one before their end; -errno ends the PUT. NULL: they are
	 * the descriptor's.
	 */
	ssize_t (*read)(uint64_t offset, void *buf, size_t len, void *arg);
	/* Bytes [from, to) of the content are being sent. May be NULL. */
	void (*on_wire)(uint64_t from, uint64_t to, void *arg);
	/* So many bytes have been acknowledged by the server's TCP. May be NULL. */
	void (*on_progress)(uint64_t bytes, void *arg);
	/*
	 * Over; the put is freed after this returns. err 0: the file is in its place; -ECANCELED
	 * after webdav_put_abort(). @fatal: the server refused in a way that another try will not
	 * change.
	 */
	void (*on_done)(int err, bool fatal, const char *code, const char *text, void *arg);
};

/* Relative path without empty, "." and ".." segments and control characters. */
bool webdav_name_ok(const char *name);
/* The URL of @target, or of its temporary file; for tests. -ENAMETOOLONG. */
int webdav_url(const struct webdav_target *target, bool temporary, char *out, size_t size);

/* Store @size bytes of @fd, which stays open, or of @ops->read. Callbacks never come from within. 0 or -errno. */
int webdav_put(struct loop *loop, struct http *http, const struct webdav_target *target, int fd,
	       uint64_t size, const struct webdav_ops *ops, void *arg, struct webdav_put **out);
/* Stop and take the temporary file away again; on_done follows. */
void webdav_put_abort(struct webdav_put *put);
/* Forget it at once, leaving things as they are. NULL is allowed. */
void webdav_put_free(struct webdav_put *put);

#endif
