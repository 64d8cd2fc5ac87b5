/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * multistatus: what a WebDAV server's answer to PROPFIND (RFC 4918 9.1, 13) says of files and directories, read as it comes.
 *
 * A document type, and so every entity of a server's own, is refused, as are elements too deep within each other and what
 * is no end of a name or an attribute: however long the answer is, reading it takes bounded memory. Of a propstat
 * counts what its status grants.
 */
#ifndef SHUNT_CLOUD_MULTISTATUS_H
#define SHUNT_CLOUD_MULTISTATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct multistatus;

#define MULTISTATUS_HREF_MAX 8192 /* octets */
#define MULTISTATUS_TEXT_MAX 256

/* The body that asks for what is read here. */
#define MULTISTATUS_QUESTION                                                                       \
	"<?xml version=\"1.0\" encoding=\"utf-8\"?>"                                               \
	"<D:propfind xmlns:D=\"DAV:\"><D:prop><D:resourcetype/><D:getcontentlength/>"              \
	"<D:getlastmodified/><D:getetag/></D:prop></D:propfind>"

/* One response. */
struct multistatus_item {
	/*
	 * The href's path: begins with "/", percent-encoding undone, without scheme and authority (the server may know
	 * itself under another name than we do), query and fragment.
	 */
	const char *path;
	bool directory;
	uint64_t size; /* CONTENT_SIZE_UNKNOWN: not told */
	int64_t modified; /* wall ms; INT64_MIN: not told */
	const char *etag; /* as it stands in the header field, "" */
};

/* @on_item: 0, or -errno to stop. It must not free. 0 or -ENOMEM. */
int multistatus_new(int (*on_item)(const struct multistatus_item *item, void *arg), void *arg,
		    struct multistatus **out);
void multistatus_free(struct multistatus *m); /* NULL is allowed */
/*
 * More of it. 0, -EBADMSG: it is no such answer; -EMSGSIZE: something in it has no end; -ENOMEM; what on_item
 * returned. After an error the same again.
 */
int multistatus_feed(struct multistatus *m, const void *data, size_t len);
/* That was all. 0, or as multistatus_feed(). */
int multistatus_end(struct multistatus *m);

#endif
