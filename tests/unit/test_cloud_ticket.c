// SPDX-License-Identifier: GPL-2.0-or-later
/* What follows from what a printer says: of itself (ticket), and of a job (verdict). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "cloud/ipp.h"
#include "cloud/ticket.h"
#include "cloud/verdict.h"
#include "lib/err.h"

#define PDF "%PDF-1.7\n"

static char *formats[] = { "application/pdf", "image/jpeg", "image/pwg-raster" };
static char *media[] = { "iso_a4_210x297mm", "main-tray" };
static char *sides[] = { "one-sided", "two-sided-long-edge" };

static struct ipp_printer printer(void)
{
	return (struct ipp_printer){
		.formats = { formats, 3 },
		.media = { media, 2 },
		.sides = { sides, 2 },
		.copies = 10,
	};
}

static struct ticket_refusal why;
static struct ticket made;

static int make(const char *type, const char *head, struct sapi_print print)
{
	struct ipp_printer p = printer();

	memset(&why, 0, sizeof(why));
	return ticket_make(&p, type, head, strlen(head), &print, &made, &why);
}

static void tells_formats_by_their_beginning(void **state)
{
	(void)state;
	assert_string_equal(ticket_format(PDF, 9), "application/pdf");
	assert_string_equal(ticket_format("\n\n%PDF-1.4", 10), "application/pdf");
	assert_string_equal(ticket_format("\xff\xd8\xff\xe0", 4), "image/jpeg");
	assert_string_equal(ticket_format("RaS2PwgRaster", 13), "image/pwg-raster");
	assert_string_equal(ticket_format("%!PS-Adobe-3.0", 14), "application/postscript");
	assert_null(ticket_format("hello", 5));
	assert_null(ticket_format("", 0));
	assert_null(ticket_format("RaS", 3));
}

static void takes_what_the_printer_takes(void **state)
{
	(void)state;
	assert_int_equal(make("application/pdf", PDF, (struct sapi_print){ 0 }), 0);
	assert_string_equal(made.format, "application/pdf");
	assert_string_equal(made.media, "");
	assert_int_equal(made.copies, 0);
	assert_int_equal(make("Application/PDF; x=y", PDF,
			      (struct sapi_print){ 10, "a4", SIDES_LONG_EDGE, 0 }),
			 0);
	assert_string_equal(made.format, "Application/PDF");
	assert_string_equal(made.media, "iso_a4_210x297mm");
	assert_int_equal(made.copies, 10);
	assert_string_equal(made.sides, "two-sided-long-edge");
	assert_int_equal(make("application/pdf", PDF, (struct sapi_print){ 0, "main-tray", 0, 0 }),
			 0);
	assert_string_equal(made.media, "main-tray");
	/* nobody said what it is */
	assert_int_equal(make("application/octet-stream", "\xff\xd8\xff", (struct sapi_print){ 0 }),
			 0);
	assert_string_equal(made.format, "image/jpeg");
}

static void refuses_in_words_that_say_what_it_takes(void **state)
{
	static const struct {
		const char *type, *head;
		struct sapi_print print;
		const char *code, *text;
	} cases[] = {
		{ "image/tiff",
		  "II*",
		  { 0 },
		  "unsupported-format",
		  "format: the printer does not take image/tiff; it takes application/pdf, image/jpeg, image/pwg-raster" },
		{ "application/octet-stream",
		  "MZ",
		  { 0 },
		  "unsupported-format",
		  "format: the printer does not take application/octet-stream; it takes application/pdf, image/jpeg, image/pwg-raster" },
		{ "application/pdf",
		  "hello",
		  { 0 },
		  "wrong-format",
		  "the document is said to be application/pdf, but is not" },
		{ "image/jpeg",
		  PDF,
		  { 0 },
		  "wrong-format",
		  "the document is said to be image/jpeg, but is application/pdf" },
		{ "application/pdf",
		  PDF,
		  { 11, "", 0, 0 },
		  "unsupported-copies",
		  "copies: the printer makes at most 10, not 11" },
		{ "application/pdf",
		  PDF,
		  { 0, "letter", 0, 0 },
		  "unsupported-media",
		  "media: the printer does not take letter; it takes iso_a4_210x297mm, main-tray" },
		{ "application/pdf",
		  PDF,
		  { 0, "", SIDES_SHORT_EDGE, 0 },
		  "unsupported-sides",
		  "sides: the printer does not take two-sided-short-edge; it takes one-sided, two-sided-long-edge" },
		{ "application/pdf",
		  PDF,
		  { 0, "", 0, COLOR_COLOR },
		  "unsupported-color",
		  "color: the printer lets nobody choose that" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(make(cases[i].type, cases[i].head, cases[i].print),
				 -SHUNT_ENOTSUP);
		assert_string_equal(why.code, cases[i].code);
		assert_string_equal(why.text, cases[i].text);
	}
}

static void a_printer_of_single_copies_makes_one(void **state)
{
	struct ipp_printer p = printer();
	struct sapi_print one = { .copies = 1 }, two = { .copies = 2 };

	(void)state;
	p.copies = IPP_NUMBER_UNKNOWN;
	assert_int_equal(ticket_make(&p, "application/pdf", PDF, 9, &one, &made, &why), 0);
	assert_int_equal(made.copies, 0);
	assert_int_equal(ticket_make(&p, "application/pdf", PDF, 9, &two, &made, &why),
			 -SHUNT_ENOTSUP);
	assert_string_equal(why.text, "copies: the printer makes one only");
}

static void long_lists_are_cut(void **state)
{
	struct ipp_printer p = printer();
	struct sapi_print print = { .media = "letter" };
	char *many[300];
	size_t i;

	(void)state;
	for (i = 0; i < 300; i++)
		many[i] = media[0];
	p.media = (struct ipp_words){ many, 300 };
	assert_int_equal(ticket_make(&p, "application/pdf", PDF, 9, &print, &made, &why),
			 -SHUNT_ENOTSUP);
	assert_non_null(strstr(why.text, "iso_a4_210x297mm and 2"));
	assert_non_null(strstr(why.text, " more"));
}

static void knows_media_by_their_names(void **state)
{
	char out[IPP_WORD_LEN];

	(void)state;
	assert_true(ipp_media_name("a4", out));
	assert_string_equal(out, "iso_a4_210x297mm");
	assert_true(ipp_media_name("Letter", out));
	assert_string_equal(out, "na_letter_8.5x11in");
	assert_true(ipp_media_name("iso_a3_297x420mm", out));
	assert_string_equal(out, "iso_a3_297x420mm");
	assert_false(ipp_media_name("papyrus", out));
	assert_false(ipp_media_name("", out));
}

/* ---- verdicts ---- */

#define N IPP_NUMBER_UNKNOWN
#define KB 1024

static void judges(void **state)
{
	enum { PENDING = 3, HELD, PROCESSING, STOPPED, CANCELED, ABORTED, COMPLETED };
	static const struct {
		int state, impressions, documents, k_octets;
		bool accepted, all_sent, withdrawn;
		enum verdict verdict;
	} cases[] = {
		/* it confirmed the document: what it says counts */
		{ PENDING, 0, 1, N, true, true, false, VERDICT_FOLLOW },
		{ PROCESSING, 0, 0, N, true, true, false, VERDICT_FOLLOW },
		{ STOPPED, 5, 1, N, true, true, false, VERDICT_FOLLOW },
		{ COMPLETED, 5, 1, 1, true, true, false, VERDICT_COMPLETED },
		{ ABORTED, 0, 1, N, true, true, false, VERDICT_ABORTED },
		{ CANCELED, 0, 1, N, true, true, false, VERDICT_CANCELED },
		/* in doubt: it may have all of it */
		{ PENDING, N, N, N, false, true, false, VERDICT_FOLLOW },
		{ PROCESSING, 0, 1, N, false, true, false, VERDICT_FOLLOW },
		{ COMPLETED, 5, 1, 10, false, true, false, VERDICT_COMPLETED },
		{ COMPLETED, N, N, N, false, true, false, VERDICT_COMPLETED },
		/* it has a part, and knows it */
		{ HELD, 0, 0, N, false, true, false, VERDICT_WITHDRAW },
		/* it cannot have all of it */
		{ PROCESSING, 0, 1, N, false, false, false, VERDICT_WITHDRAW },
		{ COMPLETED, 1, 1, N, false, false, false, VERDICT_UNSURE },
		{ COMPLETED, 1, 1, 9, false, true, false, VERDICT_UNSURE },
		/* nothing was printed */
		{ ABORTED, 0, 1, N, false, true, false, VERDICT_AGAIN },
		{ CANCELED, 0, 1, N, false, false, true, VERDICT_AGAIN },
		{ CANCELED, 0, 1, N, false, true, false, VERDICT_AGAIN },
		/* something was, or the printer does not say */
		{ ABORTED, 1, 1, N, false, true, false, VERDICT_UNSURE },
		{ ABORTED, N, N, N, false, false, false, VERDICT_UNSURE },
		{ ABORTED, 1, 0, N, false, false, false, VERDICT_UNSURE },
		{ CANCELED, 1, 1, N, false, false, true, VERDICT_UNSURE },
		{ CANCELED, N, N, N, false, false, true, VERDICT_UNSURE },
		{ CANCELED, 1, 1, N, false, true, false, VERDICT_CANCELED },
		/* in no state that is known */
		{ 77, 0, 1, N, false, true, false, VERDICT_FOLLOW },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ipp_job job = {
			.state = cases[i].state,
			.impressions = cases[i].impressions,
			.documents = cases[i].documents,
			.k_octets = cases[i].k_octets,
			.sheets = N,
		};
		struct verdict_known known = {
			.accepted = cases[i].accepted,
			.all_sent = cases[i].all_sent,
			.withdrawn = cases[i].withdrawn,
			.size = 10 * KB,
		};

		if (verdict_of(&job, &known) != cases[i].verdict)
			fail_msg("case %zu: %d, not %d", i, verdict_of(&job, &known),
				 cases[i].verdict);
	}
}

/* A printer that prints while it reads may count a document only when it has all of it. */
static void wants_more_than_no_documents(void **state)
{
	struct ipp_job job = { .impressions = N, .sheets = N, .k_octets = N };
	struct verdict_known known = { .withdrawn = true, .size = 10 * KB };

	(void)state;
	for (job.state = IPP_JOB_STATE_CANCELED; job.state <= IPP_JOB_STATE_ABORTED; job.state++) {
		known.none_sent = false;
		assert_int_equal(verdict_of(&job, &known), VERDICT_UNSURE);
		known.none_sent = true;
		assert_int_equal(verdict_of(&job, &known), VERDICT_AGAIN);
	}
}

static void takes_no_completion_of_a_part(void **state)
{
	struct ipp_job job = { .state = IPP_JOB_STATE_COMPLETED, .impressions = N, .sheets = N };
	struct verdict_known known = { .all_sent = true, .size = 10 * KB };

	(void)state;
	job.documents = N;
	job.k_octets = 0;
	assert_int_equal(verdict_of(&job, &known), VERDICT_UNSURE);
	job.documents = 0; /* closed before it got any */
	job.k_octets = N;
	assert_int_equal(verdict_of(&job, &known), VERDICT_UNSURE);
	job.documents = 1;
	assert_int_equal(verdict_of(&job, &known), VERDICT_COMPLETED);
	known.unknown_sent = true; /* after a restart only what it counts proves it */
	assert_int_equal(verdict_of(&job, &known), VERDICT_UNSURE);
	job.k_octets = 10;
	assert_int_equal(verdict_of(&job, &known), VERDICT_COMPLETED);
	known.size = 100;
	known.unknown_sent = false;
	job.k_octets = 0; /* rounded down */
	assert_int_equal(verdict_of(&job, &known), VERDICT_COMPLETED);
}

static void knows_who_waits_for_somebody(void **state)
{
	static const struct {
		const char *reason;
		bool waits;
	} reasons[] = {
		{ "media-empty", true },
		{ "media-empty-error", true },
		{ "media-empty-warning", false },
		{ "media-needed-warning", true },
		{ "media-low", false },
		{ "toner-low-report", false },
		{ "paused", true },
		{ "connecting-to-device", false },
		{ "media-emptyish", false },
	};
	struct ipp_job job = { .state = 5 };
	struct ipp_printer p = { .state = 4 };
	char *word;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		word = (char *)reasons[i].reason;
		p.reasons = (struct ipp_words){ &word, 1 };
		if (verdict_waits(&job, &p) != reasons[i].waits)
			fail_msg("%s", word);
	}
	p.reasons.n = 0;
	assert_false(verdict_waits(&job, &p));
	p.state = 5;
	assert_true(verdict_waits(&job, &p));
	job.state = 6;
	assert_true(verdict_waits(&job, NULL));
}

static void puts_it_into_words(void **state)
{
	char *words[] = { "media-empty", "media-needed" };
	struct ipp_job job = { .state = 5 };
	struct ipp_printer p = { .reasons = { words, 2 }, .message = "Load paper" };
	char text[128], small[24];

	(void)state;
	verdict_text(text, sizeof(text), &job, NULL);
	assert_string_equal(text, "processing");
	verdict_text(text, sizeof(text), &job, &p);
	assert_string_equal(text, "processing; printer: media-empty, media-needed: Load paper");
	verdict_text(small, sizeof(small), &job, &p);
	assert_int_equal(strlen(small), sizeof(small) - 1);
}

static void knows_whose_a_name_is(void **state)
{
	static const char job[] = "0123456789abcdef0123456789abcdef";
	char name[IPP_TEXT_LEN];

	(void)state;
	ticket_name(job, "report.pdf", name);
	assert_string_equal(name, "[0123456789abcdef] report.pdf");
	assert_true(ticket_is_ours(name, job));
	assert_true(ticket_is_ours("[0123456789abcdef] re", job));
	assert_true(ticket_is_ours("report.pdf [0123456789abcdef]", job));
	assert_false(ticket_is_ours("report.pdf[0123456789abcdef]", job));
	assert_false(ticket_is_ours("report.pdf [0123456789abcdef].pdf", job));
	assert_false(ticket_is_ours("[0123456789abcdee] report.pdf", job));
	assert_false(ticket_is_ours("", job));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_formats_by_their_beginning),
		cmocka_unit_test(takes_what_the_printer_takes),
		cmocka_unit_test(refuses_in_words_that_say_what_it_takes),
		cmocka_unit_test(a_printer_of_single_copies_makes_one),
		cmocka_unit_test(long_lists_are_cut),
		cmocka_unit_test(knows_media_by_their_names),
		cmocka_unit_test(judges),
		cmocka_unit_test(takes_no_completion_of_a_part),
		cmocka_unit_test(wants_more_than_no_documents),
		cmocka_unit_test(knows_who_waits_for_somebody),
		cmocka_unit_test(puts_it_into_words),
		cmocka_unit_test(knows_whose_a_name_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
