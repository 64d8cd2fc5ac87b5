/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * printer_int: what printer.c (questions, and what follows from their answers until the job is over) and printer_begin.c (how
 * the job comes to be at the printer) share.
 */
#ifndef SHUNT_CLOUD_PRINTER_INT_H
#define SHUNT_CLOUD_PRINTER_INT_H

#include "cloud/patience.h"
#include "cloud/printer.h"
#include "cloud/ticket.h"
#include "cloud/verdict.h"
#include "lib/buf.h"

struct document;
struct err;
struct http_call;
struct http_host;
struct http_reply;
struct loop_timer;

enum step {
	STEP_LOOK, /* what the printer is */
	STEP_FIND, /* does it have the job? */
	STEP_CREATE,
	STEP_KEEP, /* the number is being made durable */
	STEP_SEND,
	STEP_DOUBT, /* the document may be there */
	STEP_WITHDRAW, /* a part of it may be */
	STEP_FOLLOW,
	STEP_DONE,
};

struct printer {
	struct printer_conf conf;
	struct printer_ops ops;
	void *arg;
	enum step step;
	struct http_host *host;
	struct http_call *ask; /* a question, or an order, but for the document */
	struct document *document; /* on its way */
	struct loop_timer *timer; /* next question; the result when it is known */
	struct buf message; /* that goes out on ask */
	size_t message_pos;
	struct ticket ticket;
	char uri[ENDPOINT_STR_LEN + SAPI_SERVICE_PATH_LEN + 8];
	struct ipp_printer_ref ref;
	char name[IPP_TEXT_LEN];
	uint32_t number;
	struct verdict_known known;
	bool canceling, asked_cancel; /* by the owner; of an incomplete job, in this visit */
	bool mine; /* the number is of a job with our name */
	char refusal[SAPI_TEXT_LEN]; /* of the document, in so many words; "": none */
	unsigned int failures; /* questions in a row without answer */
	unsigned int again; /* jobs that were given up before this one */
	uint64_t asked_at;
	struct patience patience;
	struct ipp_job job; /* as it was told last */
	enum printer_end end;
	char code[SAPI_REASON_LEN], text[SAPI_TEXT_LEN];
};

/* ---- printer.c ---- */

/*
 * It does not talk to us. That is its last word only while it has nothing: a job that is there is printed all the same, and
 * a password or a certificate may be right again.
 */
enum printer_end printer_barred(const struct printer *p);
/* on_done follows from the loop: the caller may be one of the calls that end. */
void printer_finish(struct printer *p, enum printer_end end, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Take @step after @ms. */
void printer_later(struct printer *p, enum step step, uint64_t ms);
/* Send what is in p->message; @made: how making it went. @once: it must not come twice. */
void printer_ask(struct printer *p, int made, bool once,
		 void (*done)(const struct http_reply *reply, void *arg));
/* The same for what the printer is, and how it is. */
void printer_look(struct printer *p, void (*done)(const struct http_reply *reply, void *arg));
/* Cancel-Job for its number. */
void printer_ask_cancel(struct printer *p);
/* Is it an IPP message? Otherwise what follows from that has been done. */
bool printer_is_answer(struct printer *p, const struct http_reply *reply);
/* It is, and none that can be read. */
void printer_bad_answer(struct printer *p, int err, const struct err *e);
/* What the printer says of itself, to be freed; false: it did not say it, and that is seen to. */
bool printer_read(struct printer *p, const struct http_reply *reply, struct ipp_status *status,
		  struct ipp_printer *printer);
/* It takes no job, or no document, just now: @step is taken again. */
void printer_busy(struct printer *p, enum step step, const char *text);

/* ---- printer_begin.c ---- */

/* STEP_LOOK: the answer to printer_look(). */
void printer_on_looked(const struct http_reply *reply, void *arg);
/* STEP_FIND of a job whose number nobody knows, and STEP_CREATE. */
void printer_find(struct printer *p);
void printer_create(struct printer *p);

#endif
