// SPDX-License-Identifier: GPL-2.0-or-later
/* A job's life at a printer, against one that does what the test wants: nothing is ever printed twice. */
#include "printer_world.h"

#include "cloud/patience.h"

/* ---- as it should be ---- */

static void prints(void **state)
{
	struct world *w = *state;

	w->print = (struct sapi_print){ 2, "A4", SIDES_LONG_EDGE, COLOR_MONOCHROME };
	run(w);
	assert_completed(w);
	assert_string_equal(w->code, "");
	assert_string_equal(w->text, "job 1 at the printer: completed: job-completed-successfully");
	assert_string_equal(w->kit.ops, "PCSJ");
	assert_string_equal(w->kit.name, "[0123456789abcdef] report.pdf");
	assert_string_equal(w->kit.copies, "2");
	assert_string_equal(w->kit.media, "iso_a4_210x297mm");
	assert_string_equal(w->kit.sides, "two-sided-long-edge");
	assert_string_equal(w->kit.color, "monochrome");
	assert_int_equal(w->number, 1);
	assert_int_equal(w->wired, SIZE);
}

static void leaves_to_the_printer_what_nobody_asked_for(void **state)
{
	struct world *w = *state;

	run(w);
	assert_completed(w);
	assert_string_equal(w->kit.copies, "");
	assert_string_equal(w->kit.media, "");
}

static void sends_nothing_before_the_number_is_kept(void **state)
{
	struct world *w = *state;
	int i;

	w->forget = true;
	begin(w);
	KIT_UNTIL(w->loop, w->number);
	for (i = 0; i < 20; i++)
		loop_step(w->loop, 10);
	assert_string_equal(w->kit.ops, "PC");
	printer_kept(w->printer, 0);
	kit_until(w->loop, &w->done);
	assert_completed(w);
}

static void sends_nothing_when_the_number_cannot_be_kept(void **state)
{
	struct world *w = *state;

	w->forget = true;
	begin(w);
	KIT_UNTIL(w->loop, w->number);
	printer_kept(w->printer, -ENOSPC);
	kit_until(w->loop, &w->done);
	assert_int_equal(w->end, PRINTER_LOST);
	assert_string_equal(w->code, "not-stored");
	assert_string_equal(w->kit.ops, "PC");
}

static void waits_for_paper(void **state)
{
	struct world *w = *state;

	w->kit.hold = true;
	w->kit.printer_reason = "media-empty-error";
	begin(w);
	KIT_UNTIL(w->loop, w->waited);
	assert_true(w->accepted);
	assert_string_equal(w->state, "processing: job-printing; printer: media-empty-error");
	w->kit.hold = false;
	w->kit.printer_reason = NULL;
	KIT_UNTIL(w->loop, strcmp(w->state, "processing: job-printing") == 0);
	w->kit.state = IPP_JSTATE_COMPLETED;
	kit_until(w->loop, &w->done);
	assert_completed(w);
}

/* A printer that prints while it reads runs out of paper in the middle: it is asked beside the document. */
static void waits_for_paper_in_the_middle(void **state)
{
	struct world *w = *state;

	w->kit.fault.stop_at = 100000;
	w->kit.printer_reason = "media-empty";
	begin(w);
	KIT_UNTIL(w->loop, w->waited);
	assert_false(w->accepted);
	assert_int_equal(w->kit.printed, 0);
	w->kit.printer_reason = NULL;
	ippkit_go_on(&w->kit);
	kit_until(w->loop, &w->done);
	assert_completed(w);
	assert_int_equal(w->kit.created, 1);
}

/* One whose words change with each answer is neither asked sooner nor passed on without end. */
static void bears_a_talkative_printer(void **state)
{
	struct patience p = { .limit = 60000, .interval = 100 };
	unsigned int told = 0, overs = 0;
	char text[32];
	bool changed;
	uint64_t t;

	(void)state;
	for (t = 1000; t < 3601000; t += 100) {
		snprintf(text, sizeof(text), "%u", (unsigned int)t);
		told += patience_hear(&p, t, IPP_JOB_STATE_PROCESSING, t / 100 % 2, text, &changed);
		overs += patience_over(&p, t);
	}
	assert_in_range(told, PATIENCE_NEWS, PATIENCE_NEWS + 40);
	assert_true(overs > 0); /* though it goes on again and again */
	patience_hear(&p, t += 600000, IPP_JOB_STATE_PROCESSING, p.said_waits, "other", &changed);
	assert_string_equal(p.said, "other");
	assert_false(changed);
	patience_next(&p, changed, 100, 120);
	assert_int_equal(p.interval, 120);
}

/* Somebody stopped the job at the printer, and lets it go on. */
static void waits_for_a_stopped_job(void **state)
{
	struct world *w = *state;

	w->kit.hold = true;
	begin(w);
	KIT_UNTIL(w->loop, w->accepted);
	w->kit.state = IPP_JSTATE_STOPPED;
	w->kit.job_reason = "printer-stopped";
	KIT_UNTIL(w->loop, w->waited);
	assert_string_equal(w->state, "processing-stopped: printer-stopped");
	w->kit.state = IPP_JSTATE_COMPLETED;
	w->kit.job_reason = NULL;
	kit_until(w->loop, &w->done);
	assert_completed(w);
}

static void lets_go_of_the_tunnel_and_comes_back(void **state)
{
	struct world *w = *state;

	w->kit.hold = true;
	w->kit.printer_reason = "media-empty";
	w->conf.patience = 300;
	run(w);
	assert_int_equal(w->end, PRINTER_WAITS);
	assert_true(w->accepted);
	w->kit.state = IPP_JSTATE_COMPLETED;
	w->conf.number = w->number;
	w->conf.accepted = true;
	run(w);
	assert_completed(w);
	assert_int_equal(w->kit.created, 1);
}

static void waits_for_a_busy_printer(void **state)
{
	struct world *w = *state;

	w->kit.fault.busy = 2;
	run(w);
	assert_completed(w);
	assert_true(w->waited);
	assert_string_equal(w->kit.ops, "PCCCSJ");
}

static void tells_what_became_of_it_at_the_printer(void **state)
{
	static const struct {
		ipp_jstate_t state;
		enum printer_end end;
	} ends[] = {
		{ IPP_JSTATE_CANCELED, PRINTER_CANCELED },
		{ IPP_JSTATE_ABORTED, PRINTER_ABORTED },
		{ IPP_JSTATE_COMPLETED, PRINTER_COMPLETED },
	};
	struct world *w = *state;
	size_t i;

	for (i = 0; i < 3; i++) {
		w->kit.hold = true;
		w->accepted = false;
		begin(w);
		KIT_UNTIL(w->loop, w->accepted);
		w->kit.state = ends[i].state;
		w->kit.job_reason = "because-of-this";
		kit_until(w->loop, &w->done);
		assert_int_equal(w->end, ends[i].end);
		assert_non_null(strstr(w->text, "because-of-this"));
	}
}

static void cancels(void **state)
{
	struct world *w = *state;

	w->kit.hold = true;
	begin(w);
	KIT_UNTIL(w->loop, w->accepted);
	printer_cancel(w->printer);
	kit_until(w->loop, &w->done);
	assert_int_equal(w->end, PRINTER_WITHDRAWN);
	assert_int_equal(w->kit.canceled, 1);
	assert_int_equal(w->kit.state, IPP_JSTATE_CANCELED);
}

static void tells_when_a_cancellation_was_not_heard(void **state)
{
	struct world *w = *state;

	w->kit.hold = true;
	begin(w);
	KIT_UNTIL(w->loop, w->accepted);
	w->kit.fault.cut_all = true;
	printer_cancel(w->printer);
	kit_until(w->loop, &w->done);
	assert_int_equal(w->end, PRINTER_LOST);
}

static void cancels_nothing_of_others(void **state)
{
	struct world *w = *state;

	w->kit.id = 1;
	snprintf(w->kit.name, sizeof(w->kit.name), "invoice.pdf");
	w->kit.state = IPP_JSTATE_PROCESSING;
	w->conf.number = 1;
	begin(w);
	printer_cancel(w->printer);
	kit_until(w->loop, &w->done);
	assert_int_equal(w->end, PRINTER_WITHDRAWN);
	assert_int_equal(w->kit.canceled, 0);
	assert_int_equal(w->kit.state, IPP_JSTATE_PROCESSING);
}

/* Then in another visit, in which its name is asked for first. */
static void does_not_take_a_refusal_for_a_cancellation(void **state)
{
	static const ipp_status_t refusals[] = { IPP_STATUS_ERROR_BUSY, IPP_STATUS_ERROR_INTERNAL,
						 IPP_STATUS_ERROR_FORBIDDEN };
	struct world *w = *state;
	size_t i;

	w->kit.hold = true;
	begin(w);
	KIT_UNTIL(w->loop, w->accepted);
	for (i = 0; i < 4; i++) {
		if (i < 3)
			w->kit.fault.refuse_cancel = refusals[i];
		else
			w->kit.fault.http_status = 503;
		printer_cancel(w->printer);
		kit_until(w->loop, &w->done);
		assert_int_equal(w->end, PRINTER_LOST);
		w->conf.number = w->number;
		begin(w);
	}
	w->kit.fault.http_status = 0;
	w->kit.fault.refuse_cancel = 0;
	printer_cancel(w->printer);
	kit_until(w->loop, &w->done);
	assert_int_equal(w->end, PRINTER_WITHDRAWN);
	assert_int_equal(w->kit.canceled, 1);
}

static void cancels_what_is_being_created(void **state)
{
	struct world *w = *state;

	begin(w);
	KIT_UNTIL(w->loop, strchr(w->kit.ops, 'C') || w->numbers);
	if (w->printer)
		printer_cancel(w->printer);
	kit_until(w->loop, &w->done);
	assert_int_equal(w->end, PRINTER_WITHDRAWN);
	assert_int_equal(w->kit.canceled, 1);
	assert_int_equal(w->kit.printed, 0);
}

/* ---- broken connections ---- */

/* Until it has had enough of waiting for the rest: then it is sent again, in this visit or a later one. */
static void waits_for_a_printer_that_keeps_a_part(void **state)
{
	struct world *w = *state;

	w->kit.fault.cut_at = SIZE / 2;
	w->kit.fault.keeps = true;
	w->conf.patience = 300;
	run(w);
	assert_int_equal(w->end, PRINTER_WAITS);
	assert_non_null(strstr(w->text, "has not ended the incomplete job 1 yet"));
	w->kit.state = IPP_JSTATE_ABORTED;
	w->conf.number = w->number;
	w->conf.told = true;
	run(w);
	assert_completed(w);
	assert_int_equal(w->kit.created, 2);
}

/* The printer has a part of it and has printed nothing: it is canceled, and sent again. */
static void sends_again_what_broke_off(void **state)
{
	struct world *w = *state;

	w->kit.fault.cut_at = SIZE / 2;
	run(w);
	assert_completed(w);
	assert_int_equal(w->kit.created, 2);
	assert_int_equal(w->kit.canceled, 1);
	assert_int_equal(w->number, 2);
	assert_int_equal(w->numbers, 3); /* 1, none, 2 */
}

static void sends_again_what_the_printer_aborted(void **state)
{
	struct world *w = *state;

	w->kit.fault.cut_at = SIZE / 2;
	w->kit.fault.partial_aborts = true;
	run(w);
	assert_completed(w);
	assert_int_equal(w->kit.canceled, 0);
}

static void does_not_send_again_what_was_printed_in_part(void **state)
{
	struct world *w = *state;

	w->kit.fault.cut_at = SIZE / 2;
	w->kit.fault.partial_aborts = w->kit.fault.impressions = true;
	run(w);
	assert_int_equal(w->end, PRINTER_UNSURE);
	assert_string_equal(w->code, "maybe-printed");
	assert_int_equal(w->kit.created, 1);
}

static void does_not_take_a_part_for_all_of_it(void **state)
{
	struct world *w = *state;

	w->kit.fault.cut_at = SIZE / 2;
	w->kit.fault.partial_prints = true;
	run(w);
	assert_int_equal(w->end, PRINTER_UNSURE);
	assert_int_equal(w->kit.created, 1);
}

/* Nor when nobody could be asked before the next try. */
static void remembers_that_it_has_a_part_only(void **state)
{
	struct world *w = *state;

	w->kit.fault.cut_at = SIZE / 2;
	w->kit.fault.partial_prints = true;
	begin(w);
	KIT_UNTIL(w->loop, w->kit.printed);
	w->kit.fault.cut_all = true;
	kit_until(w->loop, &w->done);
	assert_int_equal(w->end, PRINTER_LOST);
	assert_true(w->partial);
	w->kit.fault.cut_all = false;
	w->conf.number = w->number;
	w->conf.partial = w->partial;
	run(w);
	assert_int_equal(w->end, PRINTER_UNSURE);
	assert_int_equal(w->kit.created, 1);
}

/* Canceled it was by us, in an earlier visit or, for all anybody knows, before a restart. */
static void does_not_blame_others_for_its_cancellation(void **state)
{
	struct world *w = *state;

	w->kit.fault.cut_at = SIZE / 2;
	w->kit.fault.keeps = w->kit.fault.impressions = true;
	w->conf.patience = 300;
	run(w);
	assert_int_equal(w->end, PRINTER_WAITS);
	assert_true(w->withdrawn);
	w->kit.state = IPP_JSTATE_CANCELED;
	w->conf.number = w->number;
	w->conf.withdrawn = true;
	run(w);
	assert_int_equal(w->end, PRINTER_UNSURE);
	w->conf.withdrawn = false;
	w->conf.unremembered = true;
	run(w);
	assert_int_equal(w->end, PRINTER_UNSURE);
	w->conf.unremembered = false;
	run(w);
	assert_int_equal(w->end, PRINTER_CANCELED);
}

static void follows_when_only_the_answer_was_lost(void **state)
{
	struct world *w = *state;

	w->kit.fault.cut_answer = true;
	run(w);
	assert_completed(w);
	assert_string_equal(w->kit.ops, "PCSJ");
}

static void adopts_the_job_whose_number_was_lost(void **state)
{
	struct world *w = *state;

	w->kit.fault.cut_created = true;
	run(w);
	assert_completed(w);
	assert_int_equal(w->kit.created, 1);
	assert_string_equal(w->kit.ops, "PCASJ");
}

static void asks_after_a_restart(void **state)
{
	struct world *w = *state;

	w->kit.hold = true;
	begin(w);
	KIT_UNTIL(w->loop, w->kit.documents);
	printer_free(w->printer);
	w->printer = NULL;
	assert_false(w->partial);
	w->kit.state = IPP_JSTATE_COMPLETED;
	w->conf.number = w->number;
	w->conf.told = w->conf.unremembered = true;
	run(w);
	assert_int_equal(w->end, PRINTER_UNSURE);
	w->kit.k_octets = SIZE / 1024;
	run(w);
	assert_completed(w);
	assert_int_equal(w->kit.created, 1);
}

/* The tunnel ends in the middle of the document. */
static void tells_that_it_was_let_go_in_the_middle(void **state)
{
	struct world *w = *state;

	w->kit.fault.stop_at = 100000;
	begin(w);
	KIT_UNTIL(w->loop, w->wired > 100000);
	assert_false(w->partial);
	printer_free(w->printer);
	w->printer = NULL;
	assert_true(w->partial);
}

/* It was switched off, and its numbers begin anew. */
static void does_not_take_anothers_job_for_its_own(void **state)
{
	struct world *w = *state;

	w->kit.id = 1;
	snprintf(w->kit.name, sizeof(w->kit.name), "invoice.pdf");
	w->kit.state = IPP_JSTATE_COMPLETED;
	w->conf.number = 1;
	run(w);
	assert_int_equal(w->end, PRINTER_UNSURE);
	assert_non_null(strstr(w->text, "does not know the job any more"));
	assert_int_equal(w->kit.created, 0);
}

static void believes_a_printer_that_forgets_what_it_took(void **state)
{
	struct world *w = *state;

	w->kit.fault.forgets = true;
	run(w);
	assert_int_equal(w->end, PRINTER_COMPLETED);
	assert_string_equal(w->code, "printer-forgot");
	assert_printed(w);
}

/* What it does not tell is not forgotten. */
static void does_not_take_a_refusal_for_forgetting(void **state)
{
	static const ipp_status_t refusals[] = { IPP_STATUS_ERROR_INTERNAL,
						 IPP_STATUS_ERROR_FORBIDDEN };
	struct world *w = *state;
	size_t i;

	for (i = 0; i < 2; i++) {
		w->kit.hold = true;
		w->accepted = false;
		w->conf.number = 0;
		w->conf.accepted = false;
		w->kit.fault.refuse_questions = refusals[i];
		run(w);
		assert_int_equal(w->end, PRINTER_LOST);
		assert_string_equal(w->code, "not-told");
		assert_true(w->accepted);
		w->kit.fault.refuse_questions = 0;
		w->kit.state = IPP_JSTATE_COMPLETED;
		w->conf.number = w->number;
		w->conf.accepted = true;
		run(w);
		assert_int_equal(w->end, PRINTER_COMPLETED);
		assert_string_equal(w->code, "");
	}
}

static void knows_its_job_by_a_shortened_name(void **state)
{
	struct world *w = *state;

	w->kit.fault.name_len = 24;
	w->kit.fault.cut_created = true;
	run(w);
	assert_completed(w);
	assert_string_equal(w->code, "");
	assert_string_equal(w->kit.name, "[0123456789abcdef] repor");
	assert_int_equal(w->kit.created, 1);
}

/* Early versions had the id at the end of the name, where it is known while a job of theirs is still there. */
static void knows_the_jobs_of_early_versions(void **state)
{
	struct world *w = *state;

	w->kit.id = 1;
	snprintf(w->kit.name, sizeof(w->kit.name), "report.pdf [0123456789abcdef]");
	w->kit.state = IPP_JSTATE_PROCESSING;
	w->conf.number = 1;
	w->conf.accepted = true;
	begin(w);
	KIT_UNTIL(w->loop, w->state[0]);
	w->kit.state = IPP_JSTATE_COMPLETED;
	kit_until(w->loop, &w->done);
	assert_int_equal(w->end, PRINTER_COMPLETED);
	assert_string_equal(w->code, "");
	/* And one whose number was never stored. */
	w->kit.state = IPP_JSTATE_HELD;
	w->conf.number = 0;
	w->conf.accepted = false;
	w->conf.told = true;
	run(w);
	assert_completed(w);
	assert_int_equal(w->kit.created, 0);
}

static void gives_up_after_some_documents(void **state)
{
	struct world *w = *state;

	w->kit.fault.refuse_document = IPP_STATUS_ERROR_INTERNAL;
	run(w);
	assert_int_equal(w->end, PRINTER_REFUSED);
	assert_string_equal(w->code, "document-refused");
	assert_int_equal(w->kit.printed, 0);
	assert_int_equal(w->kit.canceled, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(prints),
		T(leaves_to_the_printer_what_nobody_asked_for),
		T(sends_nothing_before_the_number_is_kept),
		T(sends_nothing_when_the_number_cannot_be_kept),
		T(waits_for_paper),
		T(waits_for_paper_in_the_middle),
		T(bears_a_talkative_printer),
		T(waits_for_a_stopped_job),
		T(lets_go_of_the_tunnel_and_comes_back),
		T(waits_for_a_busy_printer),
		T(tells_what_became_of_it_at_the_printer),
		T(cancels),
		T(tells_when_a_cancellation_was_not_heard),
		T(cancels_nothing_of_others),
		T(does_not_take_a_refusal_for_a_cancellation),
		T(cancels_what_is_being_created),
		T(sends_again_what_broke_off),
		T(waits_for_a_printer_that_keeps_a_part),
		T(sends_again_what_the_printer_aborted),
		T(does_not_send_again_what_was_printed_in_part),
		T(does_not_take_a_part_for_all_of_it),
		T(remembers_that_it_has_a_part_only),
		T(does_not_blame_others_for_its_cancellation),
		T(follows_when_only_the_answer_was_lost),
		T(adopts_the_job_whose_number_was_lost),
		T(asks_after_a_restart),
		T(tells_that_it_was_let_go_in_the_middle),
		T(does_not_take_anothers_job_for_its_own),
		T(believes_a_printer_that_forgets_what_it_took),
		T(does_not_take_a_refusal_for_forgetting),
		T(knows_its_job_by_a_shortened_name),
		T(knows_the_jobs_of_early_versions),
		T(gives_up_after_some_documents),
	};

	return cmocka_run_group_tests_name("cloud_printer", tests, NULL, NULL);
}
