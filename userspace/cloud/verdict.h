/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verdict: what follows from what a printer says of a job of ours (RFC 8011 5.3). The rule that
 * nothing is printed twice is here, and nowhere else. Pure.
 */
#ifndef SHUNT_CLOUD_VERDICT_H
#define SHUNT_CLOUD_VERDICT_H

#include "cloud/ipp.h"

#include <stdbool.h>
#include <stdint.h>

enum verdict {
	VERDICT_FOLLOW, /* it has the document, or may have, and goes on */
	VERDICT_WITHDRAW, /* it has a part at most: cancel that job */
	VERDICT_AGAIN, /* nothing was printed and nothing will be: make another job */
	VERDICT_COMPLETED,
	VERDICT_CANCELED, /* by somebody at the printer */
	VERDICT_ABORTED,
	VERDICT_UNSURE, /* some of it may be printed, or not all; nobody can say */
};

/* What is known on our side when a printer tells of a job. */
struct verdict_known {
	bool accepted; /* the printer confirmed the document */
	bool all_sent; /* all of it may have left this host */
	bool unknown_sent; /* but nobody remembers how much, or whether we canceled it: all_sent is a guess */
	bool none_sent; /* no octet of it can have */
	bool withdrawn; /* we canceled the job there */
	uint64_t size;
};
enum verdict verdict_of(const struct ipp_job *job, const struct verdict_known *known);

/* Does the job, or the printer, wait for somebody to do something? Either may be NULL. */
bool verdict_waits(const struct ipp_job *job, const struct ipp_printer *printer);

/* RFC 9110 15: does such an answer of a server that is none of ours stand, and what does it mean to people? */
bool verdict_http_final(int status);
const char *verdict_http_hint(int status); /* "" or ": ..." */

/* "processing: job-printing; printer: media-empty, media-needed: Load paper". @printer may be NULL. */
void verdict_text(char *out, size_t size, const struct ipp_job *job,
		  const struct ipp_printer *printer);

#endif
