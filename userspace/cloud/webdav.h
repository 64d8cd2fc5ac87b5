/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * webdav: cloud/share.h over WebDAV (RFC 4918), carried by cloud/http.h.
 *
 * A file is PUT under a temporary name and then MOVEd to its place. A server that says it has no room (RFC 4331) is not
 * sent any of it. An interrupted PUT starts over: WebDAV has no partial PUT. HTTP/1.1, no proxies, no redirects; what
 * the server says is bounded and otherwise ignored.
 */
#ifndef SHUNT_CLOUD_WEBDAV_H
#define SHUNT_CLOUD_WEBDAV_H

#include "cloud/share.h"

extern const struct share_protocol webdav_protocol;

/* The URL of @name below the share, or, with the @tag of a job, of its temporary file; for tests. -ENAMETOOLONG. */
int webdav_url(const struct share_conf *conf, const char *name, const char *tag, char *out,
	       size_t size);

#endif
