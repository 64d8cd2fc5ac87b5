// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/verdict.h"

#include <stdio.h>
#include <string.h>

/*
 * Does the printer say that nothing of it was printed? What it does not tell it does not say, and one that prints
 * while it reads may count a document only when it has all of it.
 */
static bool unprinted(const struct ipp_job *job, const struct verdict_known *known)
{
	return job->impressions <= 0 && job->sheets <= 0 &&
	       (!job->impressions || !job->sheets || (known->none_sent && !job->documents));
}

/* Is it still to get its document (RFC 8011 5.3.8)? */
static bool incoming(const struct ipp_job *job)
{
	return !job->documents || ipp_words_have(&job->reasons, "job-incoming") ||
	       ipp_words_have(&job->reasons, "job-data-insufficient");
}

/* Does the printer say that it has all of it? When it does not tell, what left this host counts, if that is known. */
static bool is_whole(const struct ipp_job *job, const struct verdict_known *known)
{
	if (!known->all_sent || !job->documents)
		return false;
	if (job->k_octets == IPP_NUMBER_UNKNOWN)
		return !known->unknown_sent;
	if (known->unknown_sent)
		return (uint64_t)job->k_octets >= (known->size + 1023) / 1024;
	return (uint64_t)job->k_octets >= known->size / 1024; /* some round down */
}

enum verdict verdict_of(const struct ipp_job *job, const struct verdict_known *known)
{
	switch (job->state) {
	case IPP_JOB_STATE_COMPLETED:
		if (known->accepted || is_whole(job, known))
			return VERDICT_COMPLETED;
		return VERDICT_UNSURE; /* it took a part for all there is */
	case IPP_JOB_STATE_CANCELED:
		if (known->accepted)
			return VERDICT_CANCELED;
		/* In doubt it was us who canceled it, perhaps before a restart. */
		if (unprinted(job, known))
			return VERDICT_AGAIN;
		return known->withdrawn || known->unknown_sent ? VERDICT_UNSURE : VERDICT_CANCELED;
	case IPP_JOB_STATE_ABORTED:
		if (known->accepted)
			return VERDICT_ABORTED;
		return unprinted(job, known) ? VERDICT_AGAIN : VERDICT_UNSURE;
	default:
		if (known->accepted || (known->all_sent && !incoming(job)))
			return VERDICT_FOLLOW;
		return VERDICT_WITHDRAW;
	}
}

/* Reasons for which a printer goes no further (RFC 8011 5.4.12), but as warnings or reports. */
static bool needs_somebody(const char *reason)
{
	static const char *const reasons[] = {
		"cover-open",
		"door-open",
		"input-tray-missing",
		"interlock-open",
		"marker-supply-empty",
		"marker-waste-full",
		"media-empty",
		"media-jam",
		"media-needed",
		"moving-to-paused",
		"output-area-full",
		"output-tray-missing",
		"paused",
		"shutdown",
		"stopped-partly",
		"input-manual-input-request",
		"timed-out",
		"toner-empty",
	};
	size_t i, n;

	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		n = strlen(reasons[i]);
		if (!strncmp(reason, reasons[i], n) &&
		    (!reason[n] || !strcmp(reason + n, "-error")))
			return true;
	}
	/* Some printers call even that a warning; it is what the job lacks, not just any tray. */
	return !strcmp(reason, "media-needed-warning");
}

bool verdict_waits(const struct ipp_job *job, const struct ipp_printer *printer)
{
	size_t i;

	if (job && (job->state == IPP_JOB_STATE_HELD || job->state == IPP_JOB_STATE_STOPPED))
		return true;
	if (!printer)
		return false;
	for (i = 0; i < printer->reasons.n; i++)
		if (needs_somebody(printer->reasons.v[i]))
			return true;
	return printer->state == IPP_PRINTER_STATE_STOPPED;
}

/* ---- HTTP ---- */

bool verdict_http_final(int status)
{
	return status >= 300 && status != 408 && status != 429 && (status < 500 || status == 501);
}

const char *verdict_http_hint(int status)
{
	if (status == 403 || status == 407)
		return ": it does not let the cloud in";
	if (status == 404 || status == 405 || status == 501)
		return ": there is no printer at that path";
	return status == 426 ? ": it wants TLS" : "";
}

/* ---- words ---- */

static size_t add_words(char *out, size_t size, size_t len, const char *before,
			const struct ipp_words *w)
{
	size_t i;

	for (i = 0; i < w->n && len < size; i++, before = ", ")
		len += (size_t)snprintf(out + len, size - len, "%s%s", before, w->v[i]);
	return len < size ? len : size - 1;
}

/* "processing: job-printing; printer: media-empty, media-needed: Load paper" */
void verdict_text(char *out, size_t size, const struct ipp_job *job,
		  const struct ipp_printer *printer)
{
	size_t len = (size_t)snprintf(out, size, "%s", ipp_job_state_str(job->state));

	len = add_words(out, size, len, ": ", &job->reasons);
	if (job->message[0] && len < size)
		len += (size_t)snprintf(out + len, size - len, ": %s", job->message);
	if (!printer || len >= size)
		return;
	len = add_words(out, size, len, "; printer: ", &printer->reasons);
	if (printer->reasons.n && printer->message[0] && len < size)
		snprintf(out + len, size - len, ": %s", printer->message);
}
