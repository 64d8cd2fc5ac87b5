/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ticket: what a print job asks for against what a printer takes (RFC 8011 5.2: an attribute that a
 * printer supports has an X-supported that lists its values). What it does not take is refused before
 * anything is sent, in words that say what it does take. Pure.
 */
#ifndef SHUNT_CLOUD_TICKET_H
#define SHUNT_CLOUD_TICKET_H

#include "cloud/ipp.h"
#include "lib/sapi.h"

#include <stdbool.h>
#include <stddef.h>

#define TICKET_HEAD 1024 /* octets of a document that tell its format */

/*
 * The media type that a document's first octets say it has: PDF, JPEG, PWG raster (PWG 5102.4), PNG,
 * PostScript; NULL when they say nothing.
 */
const char *ticket_format(const void *head, size_t len);

struct ticket {
	char format[MEDIA_TYPE_LEN]; /* to be announced: the job's, without parameters */
	char media[IPP_WORD_LEN]; /* the printer's own word, or "" */
	unsigned int copies; /* 0: the printer's choice */
	const char *sides, *color; /* keywords, or "" */
};

struct ticket_refusal {
	char code[SAPI_REASON_LEN]; /* unsupported-{format,copies,media,sides,color}, wrong-format */
	char text[SAPI_TEXT_LEN];
};

/*
 * @type: the job's media type; @head: its first octets. 0 and @out; -SHUNT_ENOTSUP and @why.
 */
int ticket_make(const struct ipp_printer *printer, const char *type, const void *head, size_t len,
		const struct sapi_print *print, struct ticket *out, struct ticket_refusal *why);

#define TICKET_NAME_MAX 180 /* octets of the document's name in the job's */
#define TICKET_TAG_LEN 18 /* octets before it, which are ours */

/*
 * "[0123456789abcdef] report.pdf": which job it is for us, and whose it is for people. Only what is ours is
 * to be compared, and it is first, as some printers shorten names.
 */
void ticket_name(const char *job, const char *document, char out[IPP_TEXT_LEN]);
/* Is @name, as a printer tells it, that of our job @job? Also as early versions had it: "report.pdf [0123456789abcdef]". */
bool ticket_is_ours(const char *name, const char *job);

#endif
