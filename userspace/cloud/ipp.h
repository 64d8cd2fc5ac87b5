/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipp: IPP/1.1 messages (RFC 8010, RFC 8011) to a printer and from it. The only owner of libcups.
 *
 * libcups encodes and decodes here and does nothing else: its transport blocks, and looks up the
 * answers of servers that it knows, while a program of ours has one loop and reaches each printer
 * through a tunnel of its own. So messages are made and read in memory (ippWriteIO(), ippReadIO()), and
 * cloud/http.h carries them. No I/O, no clock.
 *
 * A printer's answer is untrusted: its length is the caller's to bound, its structure is looked through
 * before libcups sees it, because that recurses into collections as deep as they are. Texts are as
 * the printer wrote them, cut to their fields, and may hold control characters.
 */
#ifndef SHUNT_CLOUD_IPP_H
#define SHUNT_CLOUD_IPP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

#define IPP_TYPE_HEADER "Content-Type: application/ipp" /* of each request (RFC 8010 4) */
#define IPP_REPLY_MAX ((size_t)1 << 20) /* octets of an answer that are borne */
#define IPP_WORD_LEN 256 /* longest keyword or media type is 255 octets */
#define IPP_WORDS_MAX 1024 /* of one attribute; more are left out */
#define IPP_TEXT_LEN 256
#define IPP_DEPTH_MAX 8 /* of collections in collections */
#define IPP_NUMBER_UNKNOWN (-1)

/* ---- requests: each appends a whole message to @out. 0, -ENOMEM ---- */

struct ipp_printer_ref {
	const char *uri; /* "ipp://192.0.2.1:631/ipp/print" */
	const char *user; /* on whose behalf */
};

/* What is to become of the document. Strings "" and copies 0 leave it to the printer. */
struct ipp_ticket {
	const char *name; /* of the job */
	unsigned int copies;
	const char *media; /* keyword */
	const char *sides; /* keyword */
	const char *color; /* keyword of print-color-mode */
};

int ipp_get_printer(const struct ipp_printer_ref *p, struct buf *out); /* RFC 8011 4.2.5 */
/* With all or nothing of the ticket (ipp-attribute-fidelity). RFC 8011 4.2.4 */
int ipp_create_job(const struct ipp_printer_ref *p, const struct ipp_ticket *ticket,
		   struct buf *out);
/* The last document of the job; its octets follow. RFC 8011 4.3.1 */
int ipp_send_document(const struct ipp_printer_ref *p, int32_t job, const char *format,
		      const char *name, struct buf *out);
int ipp_get_job(const struct ipp_printer_ref *p, int32_t job, struct buf *out); /* RFC 8011 4.3.4 */
int ipp_cancel_job(const struct ipp_printer_ref *p, int32_t job, struct buf *out);
/* Jobs that are not over. RFC 8011 4.2.6 */
int ipp_get_jobs(const struct ipp_printer_ref *p, struct buf *out);

/* ---- answers ---- */

#define IPP_CODE_NOT_POSSIBLE 0x0404 /* the job's state does not allow it, as it is over */

enum ipp_outcome {
	IPP_OUTCOME_OK,
	IPP_OUTCOME_BUSY, /* not now: busy, not accepting, out of room */
	IPP_OUTCOME_NOT_FOUND, /* the printer knows no such job, or no such printer */
	IPP_OUTCOME_REFUSED, /* and another try will not change that */
};

struct ipp_status {
	enum ipp_outcome outcome;
	unsigned int code; /* RFC 8011 B.1 */
	/* "client-error-document-format-not-supported: the printer's words; not supported: sides" */
	char text[2 * IPP_TEXT_LEN];
};

struct ipp_words {
	char **v; /* owned */
	size_t n;
};
bool ipp_words_have(const struct ipp_words *w, const char *word); /* case does not matter */

/* Values are those of RFC 8011 5.4.11. */
enum ipp_printer_state {
	IPP_PRINTER_STATE_IDLE = 3,
	IPP_PRINTER_STATE_PROCESSING,
	IPP_PRINTER_STATE_STOPPED
};

struct ipp_printer {
	bool takes_jobs; /* Create-Job, Send-Document, Get-Job-Attributes and Cancel-Job are supported */
	int state; /* enum ipp_printer_state, or IPP_NUMBER_UNKNOWN */
	struct ipp_words reasons; /* without "none" */
	char message[IPP_TEXT_LEN];
	char model[IPP_TEXT_LEN]; /* make and model */
	struct ipp_words formats, media, sides, colors; /* what is supported; empty: not at all */
	int copies; /* most that are, or IPP_NUMBER_UNKNOWN: not at all */
};

/* Values are those of RFC 8011 5.3.7. */
enum ipp_job_state {
	IPP_JOB_STATE_PENDING = 3,
	IPP_JOB_STATE_HELD,
	IPP_JOB_STATE_PROCESSING,
	IPP_JOB_STATE_STOPPED,
	IPP_JOB_STATE_CANCELED,
	IPP_JOB_STATE_ABORTED,
	IPP_JOB_STATE_COMPLETED,
};
const char *ipp_job_state_str(int state);

struct ipp_job {
	int32_t id; /* 0: the printer did not say */
	char name[IPP_TEXT_LEN];
	int state; /* enum ipp_job_state, or IPP_NUMBER_UNKNOWN */
	struct ipp_words reasons; /* without "none" */
	char message[IPP_TEXT_LEN];
	/* IPP_NUMBER_UNKNOWN where the printer does not tell */
	int impressions, sheets; /* completed */
	int documents;
	int k_octets; /* of the documents, in units of 1024, rounded up */
};

/*
 * Read an answer. 0: @status says what the printer answered, and @out is filled as far as it told, to be
 * released whatever it was; else -SHUNT_EPROTO (not an answer that could be read) or -ENOMEM, and @out
 * holds nothing. @e may be NULL.
 */
int ipp_status_read(const void *data, size_t len, struct ipp_status *status, struct err *e);
int ipp_printer_read(const void *data, size_t len, struct ipp_status *status,
		     struct ipp_printer *out, struct err *e);
int ipp_job_read(const void *data, size_t len, struct ipp_status *status, struct ipp_job *out,
		 struct err *e);
/* Of many jobs the first of whose name @is (NULL: any) says that it is @job's; id 0: there is none. */
int ipp_jobs_read(const void *data, size_t len, bool (*is)(const char *name, const char *job),
		  const char *job, struct ipp_status *status, struct ipp_job *out, struct err *e);
void ipp_printer_fini(struct ipp_printer *p); /* safe on a zeroed one */
void ipp_job_fini(struct ipp_job *job);

/* ---- names of media ---- */

/*
 * The self-describing name (PWG 5101.1) of what people call it: "a4", "A4", "letter",
 * "iso_a4_210x297mm". False: nobody knows such a medium.
 */
bool ipp_media_name(const char *name, char out[IPP_WORD_LEN]);

#endif
