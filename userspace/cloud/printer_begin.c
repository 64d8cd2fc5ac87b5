// SPDX-License-Identifier: GPL-2.0-or-later
/* How a job comes to be at its printer: what the printer is, whether it has the job already, Create-Job. See printer_int.h. */
#include "cloud/printer_int.h"

#include <errno.h>
#include <unistd.h>

#include "cloud/http.h"
#include "lib/err.h"

static void created(struct printer *p, const struct ipp_job *job)
{
	p->number = (uint32_t)job->id;
	p->mine = true;
	if (p->canceling) {
		p->step = STEP_FIND;
		printer_ask_cancel(p);
		return;
	}
	p->step = STEP_KEEP;
	p->ops.on_number(p->number, p->arg);
}

static void on_created(const struct http_reply *reply, void *arg)
{
	struct printer *p = arg;
	struct ipp_status status;
	struct ipp_job job = { 0 };
	struct err e = { 0 };
	int ret;

	p->ask = NULL;
	if (p->canceling && (reply->err || reply->status != 200)) {
		printer_finish(p, PRINTER_WITHDRAWN, "canceled", "canceled");
		return;
	}
	/* It may have made one whose number was lost on the way. */
	p->conf.told = true;
	if (reply->err)
		p->step = STEP_FIND;
	if (!printer_is_answer(p, reply))
		return;
	ret = ipp_job_read(reply->body, reply->len, &status, &job, &e);
	if (!ret && status.outcome == IPP_OUTCOME_OK && !job.id)
		ret = err_set(&e, -SHUNT_EPROTO,
			      "the printer made a job and does not tell its number");
	if (p->canceling && (ret || status.outcome != IPP_OUTCOME_OK))
		printer_finish(p, PRINTER_WITHDRAWN, "canceled", "canceled");
	else if (ret)
		printer_bad_answer(p, ret, &e);
	else if (status.outcome == IPP_OUTCOME_OK)
		created(p, &job);
	else if (status.outcome == IPP_OUTCOME_BUSY)
		printer_busy(p, STEP_CREATE, status.text);
	else
		printer_finish(p, PRINTER_REFUSED, "refused", "the printer refuses the job: %.400s",
			       status.text);
	ipp_job_fini(&job);
}

void printer_create(struct printer *p)
{
	struct ipp_ticket ticket = {
		.name = p->name,
		.copies = p->ticket.copies,
		.media = p->ticket.media,
		.sides = p->ticket.sides,
		.color = p->ticket.color,
	};

	buf_reset(&p->message);
	printer_ask(p, ipp_create_job(&p->ref, &ticket, &p->message), true, on_created);
}

/* A job of ours without document, from a try whose answer was lost, is used; else it would be in the way. */
static void on_jobs(const struct http_reply *reply, void *arg)
{
	struct printer *p = arg;
	struct ipp_status status;
	struct err e = { 0 };
	struct ipp_job job;
	int ret;

	p->ask = NULL;
	if (!printer_is_answer(p, reply))
		return;
	ret = ipp_jobs_read(reply->body, reply->len, ticket_is_ours, p->conf.job, &status, &job,
			    &e);
	if (ret) {
		printer_bad_answer(p, ret, &e);
		return;
	}
	p->failures = 0;
	if (job.id)
		created(p, &job);
	else
		printer_later(p, STEP_CREATE, 0);
	ipp_job_fini(&job);
}

void printer_find(struct printer *p)
{
	buf_reset(&p->message);
	printer_ask(p, ipp_get_jobs(&p->ref, &p->message), false, on_jobs);
}

/* ---- what the printer is ---- */

static bool suits(struct printer *p, const struct ipp_printer *printer)
{
	struct ticket_refusal why;
	char head[TICKET_HEAD];
	ssize_t n = pread(p->conf.fd, head, sizeof(head), 0);

	if (n < 0) {
		printer_finish(p, PRINTER_LOST, "spool-failed", "the content cannot be read: %s",
			       shunt_strerror(errno));
		return false;
	}
	if (!printer->takes_jobs) {
		printer_finish(
			p, printer_barred(p), "unsupported-printer",
			"the printer cannot be asked what became of a job: it lacks Create-Job, Send-Document, Get-Job-Attributes or Cancel-Job");
		return false;
	}
	if (!ticket_make(printer, p->conf.type, head, (size_t)n, p->conf.print, &p->ticket, &why))
		return true;
	/* What it has of it is looked after first. */
	if (p->number)
		return true;
	printer_finish(p, PRINTER_REFUSED, why.code, "%s", why.text);
	return false;
}

void printer_on_looked(const struct http_reply *reply, void *arg)
{
	struct printer *p = arg;
	struct ipp_printer printer;
	struct ipp_status status;

	if (!printer_read(p, reply, &status, &printer))
		return;
	if (status.outcome == IPP_OUTCOME_BUSY) {
		printer_busy(p, STEP_LOOK, status.text);
	} else if (status.outcome != IPP_OUTCOME_OK) {
		printer_finish(p, printer_barred(p), "no-printer",
			       "the printer does not tell what it is: %.400s", status.text);
	} else if (suits(p, &printer)) {
		p->failures = 0;
		printer_later(p, p->number || p->conf.told ? STEP_FIND : STEP_CREATE, 0);
	}
	ipp_printer_fini(&printer);
}
