/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * document: a print job's content on its way to the printer, as what follows a Send-Document (RFC 8011 4.3.1): one HTTP
 * call, how much of it has left this host and how much has arrived, and whether it stands still.
 */
#ifndef SHUNT_CLOUD_DOCUMENT_H
#define SHUNT_CLOUD_DOCUMENT_H

#include "cloud/ipp.h"

#include <stdbool.h>
#include <stdint.h>

struct document;
struct http_host;
struct http_reply;

struct document_conf {
	struct http_host *host;
	const char *path; /* of the printer */
	const struct ipp_printer_ref *ref;
	int32_t job; /* its number there */
	const char *format, *name;
	int fd; /* the content */
	uint64_t size;
	uint64_t now; /* loop time, ms */
	/* Bytes [from, to) of the content are being sent. */
	void (*on_wire)(uint64_t from, uint64_t to, void *arg);
	/* The printer answered, or the call broke off; document_free() is still the owner's. */
	void (*on_sent)(const struct http_reply *reply, void *arg);
	void *arg;
};

/* Begin. The strings live during the call only, what else is pointed to as long as the document. 0, -ENOMEM. */
int document_new(const struct document_conf *conf, struct document **out);
/* Break it off, if it is not over. NULL is allowed. */
void document_free(struct document *d);

/* Of the content: what can have left this host, now or when the call ended. */
bool document_none_left(const struct document *d);
bool document_all_left(const struct document *d);

/* Has more of it arrived than when it was last asked? @now: loop time. */
bool document_moves(struct document *d, uint64_t now);
/* So much has, as of then; the last octet counts only when the printer has confirmed it. */
uint64_t document_arrived(const struct document *d);
/* For so many ms nothing has, as of then. */
uint64_t document_quiet_ms(const struct document *d, uint64_t now);

#endif
