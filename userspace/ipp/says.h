/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * says: what a printer says of a job and of itself, in words for people, and what follows from it (RFC 8011 5.3.7, 5.3.8, 5.4.12).
 * Pure. What comes from the printer may hold anything; err_set() escapes it in the end.
 */
#ifndef SHUNT_IPP_SAYS_H
#define SHUNT_IPP_SAYS_H

#include <stddef.h>

#define SAYS_LEN 256

struct says {
	int state; /* job-state or printer-state; 0: it did not say */
	char reasons[SAYS_LEN]; /* "out of paper, door-open"; "": none */
	char message[SAYS_LEN];
};

enum says_end { SAYS_GOES_ON, SAYS_PRINTED, SAYS_CANCELED, SAYS_ABORTED };

/* Append what a keyword of job-state-reasons or printer-state-reasons says; "none" and what is only a "-report" says nothing. */
void says_add(struct says *says, const char *keyword);
/* What became of a job. */
enum says_end says_end(const struct says *job);
/* "job 5 stands still: out of paper: Load A4". What the printer says of itself matters when the job is not over. */
void says_text(int number, const struct says *job, const struct says *printer, char *out,
	       size_t size);

#endif
