// SPDX-License-Identifier: GPL-2.0-or-later
/* argv and filename: what comes from outside neither becomes a command nor leaves its directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "device/argv.h"
#include "device/filename.h"

static void assert_words(const char *text, size_t n, const char *const *words)
{
	struct argv argv = { 0 };
	struct err e = { 0 };

	assert_int_equal(argv_split(text, &argv, &e), 0);
	assert_int_equal(argv.n, n);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(argv.v[i], words[i]);
	assert_null(argv.v[n]);
	argv_fini(&argv);
}

static void words_are_split_without_a_shell(void **state)
{
	(void)state;
	assert_words("lp", 1, (const char *[]){ "lp" });
	assert_words("  a\t b\n", 2, (const char *[]){ "a", "b" });
	assert_words("a 'b c' \"d e\"f", 3, (const char *[]){ "a", "b c", "d ef" });
	assert_words("a '' \"\"", 3, (const char *[]){ "a", "", "" });
	assert_words("a \\'b \"\\\"\" '\\'", 4, (const char *[]){ "a", "'b", "\"", "\\" });
	assert_words("a $HOME `x` ; | & > *", 8,
		     (const char *[]){ "a", "$HOME", "`x`", ";", "|", "&", ">", "*" });
}

static void literal_words_stay_as_they_are(void **state)
{
	struct argv template = { 0 }, argv = { 0 };

	(void)state;
	assert_int_equal(argv_add(&template, "/opt/100%n/it", true), 0);
	assert_int_equal(argv_add(&template, "ipp://h/%f a", true), 0);
	assert_int_equal(argv_add(&template, "%f", false), 0);
	assert_int_equal(argv_expand(&template,
				     &(struct argv_values){ .file = "/x", .name = "n", .job = "j" },
				     &argv),
			 0);
	assert_int_equal(argv.n, 3);
	assert_string_equal(argv.v[0], "/opt/100%n/it");
	assert_string_equal(argv.v[1], "ipp://h/%f a");
	assert_string_equal(argv.v[2], "/x");
	argv_fini(&template);
	argv_fini(&argv);
}

static void assert_refused(const char *text, const char *why)
{
	struct argv argv = { 0 };
	struct err e = { 0 };

	assert_int_equal(argv_split(text, &argv, &e), -SHUNT_ECONF);
	assert_non_null(strstr(e.text, why));
	assert_null(argv.v);
}

static void bad_templates_are_refused(void **state)
{
	char many[3 * ARGV_MAX];

	(void)state;
	assert_refused("", "no program");
	assert_refused("  ", "no program");
	assert_refused("''", "no program");
	assert_refused("a 'b", "not closed");
	assert_refused("a %x", "\"%x\" is unknown");
	assert_refused("a 100%", "is unknown");
	assert_refused("%f", "placeholders");
	memset(many, 0, sizeof(many));
	for (size_t i = 0; i <= ARGV_MAX; i++)
		memcpy(many + 2 * i, "a ", 2);
	assert_refused(many, "more than");
}

static void placeholders_stay_in_their_word(void **state)
{
	struct argv_values values = { .file = "/s/a b", .name = "x'; rm -rf %f", .job = "42" };
	struct argv template = { 0 }, argv = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(argv_split("print %f 'n=%n' %j/%f 5%%", &template, &e), 0);
	assert_int_equal(argv_expand(&template, &values, &argv), 0);
	assert_int_equal(argv.n, 5);
	assert_string_equal(argv.v[1], "/s/a b");
	assert_string_equal(argv.v[2], "n=x'; rm -rf %f");
	assert_string_equal(argv.v[3], "42//s/a b");
	assert_string_equal(argv.v[4], "5%");
	argv_fini(&argv);
	argv_fini(&template);
}

static void a_name_does_not_become_an_option(void **state)
{
	struct argv_values values = { .file = "f", .name = "--version", .job = "j" };
	struct argv template = { 0 }, argv = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(argv_split("print %n t=%n", &template, &e), 0);
	assert_int_equal(argv_expand(&template, &values, &argv), 0);
	assert_string_equal(argv.v[1], "_-version");
	assert_string_equal(argv.v[2], "t=--version");
	argv_fini(&argv);
	argv_fini(&template);
}

static void names_stay_in_their_directory(void **state)
{
	static const char *const good[] = {
		"a",	   "report.pdf", "a b",	 "-rf", "\xc3\xa9t\xc3\xa9.txt",
		"..a" + 2, "~",		 "a\\b", "con:"
	};
	static const char *const bad[] = { "",	       ".",	   "..",	".hidden",
					   "../x",     "a/b",	   "/etc/x",	"a/",
					   "a\nb",     "a\x1b[1m", "\x7f",	"a\xff",
					   "\xc0\xaf", "\xc2\x85", "a\xc2\x9b", "\xed\xa0\x80" };
	char name[256];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_null(filename_fault(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_non_null(filename_fault(bad[i]));
	memset(name, 'a', sizeof(name));
	name[200] = '\0';
	assert_null(filename_fault(name));
	name[200] = 'a';
	name[201] = '\0';
	assert_non_null(filename_fault(name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_split_without_a_shell),
		cmocka_unit_test(literal_words_stay_as_they_are),
		cmocka_unit_test(bad_templates_are_refused),
		cmocka_unit_test(placeholders_stay_in_their_word),
		cmocka_unit_test(a_name_does_not_become_an_option),
		cmocka_unit_test(names_stay_in_their_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
