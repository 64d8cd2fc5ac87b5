/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quota: how much a file server says that it has room for (RFC 4331 3), in its answer to a PROPFIND (RFC 4918 9.1).
 * The only owner of expat. A document type, and so every entity of a server's own, is refused.
 */
#ifndef SHUNT_CLOUD_QUOTA_H
#define SHUNT_CLOUD_QUOTA_H

#include <stddef.h>
#include <stdint.h>

#define QUOTA_UNKNOWN UINT64_MAX

/* The body that asks for it. */
#define QUOTA_QUESTION                                                                             \
	"<?xml version=\"1.0\" encoding=\"utf-8\"?>"                                               \
	"<D:propfind xmlns:D=\"DAV:\"><D:prop><D:quota-available-bytes/></D:prop></D:propfind>"

/* Octets that the answer says are available; QUOTA_UNKNOWN if it does not, or is no such answer. */
uint64_t quota_available(const char *xml, size_t len);

#endif
