// SPDX-License-Identifier: GPL-2.0-or-later
/* Printers that do not take the job, do not let us in, or do not speak as they should: a clear error, soon. */
#include "printer_world.h"

static void refused(struct world *w, const char *code, const char *text)
{
	run(w);
	assert_int_equal(w->end, PRINTER_REFUSED);
	assert_string_equal(w->code, code);
	if (!strstr(w->text, text))
		fail_msg("\"%s\" is not in \"%s\"", text, w->text);
	assert_int_equal(w->kit.created, 0);
}

#define DIGEST "Digest realm=\"printer\", nonce=\"once\", algorithm=MD5"

static void says_who_asks(void **state)
{
	struct world *w = *state;

	w->kit.fault.challenge = DIGEST;
	w->conf.user = "shunt";
	w->conf.password = "s3cret";
	run(w);
	assert_completed(w);
	assert_string_equal(w->kit.ops, "PCSJ");
	assert_int_equal(w->wired, SIZE); /* the document only when it was let in */
	assert_true(w->kit.unauthorized < 4096);
}

/* A printer that wants no password is not asked for anything in vain, though we have one. */
static void says_it_to_nobody_else(void **state)
{
	struct world *w = *state;

	w->conf.user = "shunt";
	w->conf.password = "s3cret";
	run(w);
	assert_completed(w);
	assert_string_equal(w->kit.ops, "PCSJ");
}

static void a_printer_that_does_not_let_in(void **state)
{
	struct world *w = *state;

	w->kit.fault.challenge = DIGEST;
	refused(w, "login-refused", "401: it wants a name and password, and the cloud has none");
	w->conf.user = "shunt";
	w->conf.password = "guess";
	w->kit.fault.refuses_login = true;
	refused(w, "login-refused", "401: it does not accept the name and password");
	assert_null(strstr(w->text, "guess"));
	w->kit.fault.challenge = "Basic realm=\"printer\"";
	w->kit.fault.refuses_login = false;
	refused(w, "login-refused", "in clear (Basic), which is sent over https only");
	assert_string_equal(w->kit.ops, "");
}

static void refuses_what_it_cannot_take(void **state)
{
	struct world *w = *state;

	w->conf.type = "image/tiff";
	refused(w, "unsupported-format",
		"does not take image/tiff; it takes application/pdf, image/jpeg, image/pwg-raster");
	w->conf.type = "application/pdf";
	w->print.sides = SIDES_SHORT_EDGE;
	refused(w, "unsupported-sides", "it takes one-sided, two-sided-long-edge");
}

static void refuses_a_printer_that_cannot_be_asked(void **state)
{
	struct world *w = *state;

	w->kit.fault.no_create = true;
	refused(w, "unsupported-printer", "Create-Job");
}

static void refuses_what_is_no_printer(void **state)
{
	struct world *w = *state;

	w->kit.fault.http_status = 404;
	refused(w, "http-404", "no printer at that path");
}

static void lost(struct world *w, const char *code, const char *text)
{
	uint64_t begun = loop_now(w->loop);

	run(w);
	assert_int_equal(w->end, PRINTER_LOST);
	assert_string_equal(w->code, code);
	if (!strstr(w->text, text))
		fail_msg("\"%s\" is not in \"%s\"", text, w->text);
	assert_true(loop_now(w->loop) - begun < 10000);
}

static void bears_garbage(void **state)
{
	struct world *w = *state;

	w->kit.fault.garbage = true;
	lost(w, "bad-answer", "not an IPP message");
}

static void bears_endless_answers(void **state)
{
	struct world *w = *state;

	w->kit.fault.endless = true;
	lost(w, "no-answer", "longer than 1048576 octets");
}

static void bears_a_printer_that_hangs_up(void **state)
{
	struct world *w = *state;

	w->kit.fault.cut_all = true;
	lost(w, "no-answer", "printer: ");
}

static void bears_that_nobody_is_there(void **state)
{
	struct world *w = *state;

	w->conf.port = 1;
	lost(w, "connect-failed", "onnect");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(refuses_what_it_cannot_take),
		T(says_who_asks),
		T(says_it_to_nobody_else),
		T(a_printer_that_does_not_let_in),
		T(refuses_a_printer_that_cannot_be_asked),
		T(refuses_what_is_no_printer),
		T(bears_garbage),
		T(bears_endless_answers),
		T(bears_a_printer_that_hangs_up),
		T(bears_that_nobody_is_there),
	};

	return cmocka_run_group_tests_name("cloud_printer_bad", tests, NULL, NULL);
}
