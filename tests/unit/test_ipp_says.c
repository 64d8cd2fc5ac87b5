// SPDX-License-Identifier: GPL-2.0-or-later
/* shunt-ipp: what it is told, and what it tells of a printer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "ipp/order.h"
#include "ipp/says.h"

static char *words[] = { "shunt-ipp", "ipp://h/p", "/f", "a name", NULL };

static void the_order(void **state)
{
	struct order order;
	struct err e = { 0 };

	(void)state;
	unsetenv("CONTENT_TYPE");
	assert_int_equal(order_parse(4, words, &order, &e), 0);
	assert_string_equal(order.uri, "ipp://h/p");
	assert_string_equal(order.file, "/f");
	assert_string_equal(order.name, "a name");
	assert_string_equal(order.format, "application/octet-stream");
	assert_string_equal(order.media, "");
	assert_int_equal(order.copies, 0);
	setenv("CONTENT_TYPE", "application/pdf", 1);
	setenv("IPP_COPIES", "3", 1);
	setenv("IPP_MEDIA", "a4", 1);
	setenv("IPP_SIDES", "one-sided", 1);
	setenv("IPP_PRINT_COLOR_MODE", "monochrome", 1);
	assert_int_equal(order_parse(4, words, &order, &e), 0);
	assert_string_equal(order.format, "application/pdf");
	assert_int_equal(order.copies, 3);
	assert_string_equal(order.media, "a4");
	assert_string_equal(order.sides, "one-sided");
	assert_string_equal(order.color, "monochrome");
}

static void a_bad_order(void **state)
{
	static const char *const copies[] = { "0", "-1", "2x", "99999999999",
					      "99999999999999999999" };
	struct order order;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(order_parse(3, words, &order, &e), -SHUNT_EPARSE);
	assert_string_equal(e.text, "usage: shunt-ipp URI FILE NAME");
	for (size_t i = 0; i < sizeof(copies) / sizeof(copies[0]); i++) {
		setenv("IPP_COPIES", copies[i], 1);
		assert_int_equal(order_parse(4, words, &order, &e), -SHUNT_EPARSE);
		assert_non_null(strstr(e.text, "is no number of copies"));
	}
}

static void assert_reasons(const char *const *keywords, const char *want)
{
	struct says says = { 0 };

	for (; *keywords; keywords++)
		says_add(&says, *keywords);
	assert_string_equal(says.reasons, want);
}

static void reasons_in_words(void **state)
{
	struct says says = { 0 };

	(void)state;
	assert_reasons((const char *[]){ "none", NULL }, "");
	assert_reasons((const char *[]){ "media-empty-error", "media-needed", NULL },
		       "out of paper, paper is needed");
	assert_reasons((const char *[]){ "toner-low-report", "door-open-warning", "x-odd-error",
					 NULL },
		       "a door is open, x-odd");
	assert_reasons((const char *[]){ "media-empty-tray-2", "", "-error", NULL },
		       "media-empty-tray-2, , -error");
	for (int i = 0; i < 200; i++) /* no end of them */
		says_add(&says, "spool-area-full");
	assert_int_equal(strlen(says.reasons), sizeof(says.reasons) - 1);
}

static void assert_says(int job_state, const char *reason, const char *of_printer,
			enum says_end end, const char *want)
{
	struct says job = { .state = job_state }, printer = { .state = 5, .message = "Load A4" };
	char text[2 * SAYS_LEN];

	says_add(&job, reason);
	says_add(&printer, of_printer);
	says_text(7, &job, &printer, text, sizeof(text));
	assert_string_equal(text, want);
	assert_int_equal(says_end(&job), end);
}

static void states_in_words(void **state)
{
	struct says job = { .state = 6, .reasons = "abcdefghij" }, printer = { 0 };
	char text[20];

	(void)state;
	assert_says(3, "none", "none", SAYS_GOES_ON, "job 7 waits for its turn: Load A4");
	assert_says(4, "job-incoming", "none", SAYS_GOES_ON,
		    "job 7 is held: job-incoming: Load A4");
	assert_says(5, "job-printing", "media-empty", SAYS_GOES_ON,
		    "job 7 is printed: job-printing: out of paper: Load A4");
	assert_says(6, "printer-stopped", "cover-open", SAYS_GOES_ON,
		    "job 7 stands still: printer-stopped: a cover is open: Load A4");
	/* what the printer is short of now has not to do with a job that is over */
	assert_says(7, "job-canceled-by-operator", "media-empty", SAYS_CANCELED,
		    "job 7 was canceled at the printer: job-canceled-by-operator");
	assert_says(8, "aborted-by-system", "media-empty", SAYS_ABORTED,
		    "job 7 was aborted by the printer: aborted-by-system");
	assert_says(9, "none", "media-empty", SAYS_PRINTED, "job 7 was printed");
	assert_says(0, "none", "none", SAYS_GOES_ON, "job 7 is in no known state: Load A4");
	assert_says(-5, "none", "none", SAYS_GOES_ON, "job 7 is in no known state: Load A4");
	says_text(7, &job, &printer, text, sizeof(text));
	assert_string_equal(text, "job 7 stands still:");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_order),
		cmocka_unit_test(a_bad_order),
		cmocka_unit_test(reasons_in_words),
		cmocka_unit_test(states_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
