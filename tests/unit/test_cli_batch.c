// SPDX-License-Identifier: GPL-2.0-or-later
/* shunt -batch: what becomes of a file's lines, and when it stops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/batch.h"

static char seen[4096]; /* the commands that ran, words in <>, one a line */

/* Fails as the command's first word says: "usage" or "refused". */
static int note(struct cli *c, struct args *a)
{
	const char *first = args_peek(a), *word;
	size_t n = strlen(seen);

	assert_true(c->batch);
	while ((word = args_next(a)))
		n += (size_t)snprintf(seen + n, sizeof(seen) - n, "<%s>", word);
	snprintf(seen + n, sizeof(seen) - n, "\n");
	c->json = true; /* must not outlive the line */
	if (!strcmp(first, "usage"))
		return cli_usage(c, "as asked");
	return strcmp(first, "refused") ? CLI_OK : CLI_REFUSED;
}

static int run_file(const char *path, bool force, char *errors, size_t size)
{
	struct cli c = { 0 };
	char *text = NULL;
	size_t n = 0;
	int status;

	seen[0] = '\0';
	c.output = fopen("/dev/null", "w");
	c.errors = open_memstream(&text, &n);
	assert_non_null(c.output);
	assert_non_null(c.errors);
	c.out = out_new(c.output, 0);
	status = batch_run(&c, path, force, note);
	assert_false(c.json);
	assert_false(out_is_json(c.out));
	out_free(c.out);
	fclose(c.output);
	fclose(c.errors);
	snprintf(errors, size, "%s", text);
	free(text);
	return status;
}

/* The same of @content; the file's name is F in @errors. */
static int run_text(const char *content, size_t len, bool force, char *errors, size_t size)
{
	char path[] = "/tmp/test_cli_batch.XXXXXX", *at;
	int fd = mkstemp(path), status;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, len), (ssize_t)len);
	close(fd);
	status = run_file(path, force, errors, size);
	unlink(path);
	while ((at = strstr(errors, path))) {
		*at = 'F';
		memmove(at + 1, at + strlen(path), strlen(at + strlen(path)) + 1);
	}
	return status;
}

static void words(void **state)
{
	static const struct {
		const char *text, *seen;
	} rows[] = {
		{ "", "" },
		{ "\n \t\n# nothing\n", "" },
		{ "a b\tc", "<a><b><c>\n" },
		{ "a b\r\nc\r\n", "<a><b>\n<c>\n" },
		{ "a 'b c' \"d 'e\" f\"g h\"i ''\n", "<a><b c><d 'e><fg hi><>\n" },
		{ "a#b #c d\ne # f\n", "<a#b>\n<e>\n" },
		{ "a '# b'\n", "<a><# b>\n" },
		{ "a \\\n b\\\nc\nd\n", "<a><b><c>\n<d>\n" },
		{ "a \\b c\\ d\n", "<a><\\b><c\\><d>\n" },
		{ "a # to its end \\\nb\n", "<a>\n<b>\n" },
	};
	char errors[512];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(run_text(rows[i].text, strlen(rows[i].text), false, errors,
					  sizeof(errors)),
				 CLI_OK);
		assert_string_equal(seen, rows[i].seen);
		assert_string_equal(errors, "");
	}
}

static void failures(void **state)
{
	static const struct {
		const char *text;
		bool force;
		int status;
		const char *seen, *errors;
	} rows[] = {
		{ "a\nusage x\nb\n", false, CLI_USAGE, "<a>\n<usage><x>\n",
		  "Error: as asked\nCommand failed F:2\n" },
		{ "a\n\\\n refused \\\n x\nb\n", false, CLI_REFUSED, "<a>\n<refused><x>\n",
		  "Command failed F:2\n" },
		{ "refused\nusage\nb\n", true, CLI_REFUSED, "<refused>\n<usage>\n<b>\n",
		  "Command failed F:1\nError: as asked\nCommand failed F:2\n" },
		{ "a 'b\nc\n", false, CLI_USAGE, "",
		  "Error: a quote is not closed\nCommand failed F:1\n" },
		{ "a \"b\nc\n", true, CLI_USAGE, "<c>\n",
		  "Error: a quote is not closed\nCommand failed F:1\n" },
		/* what belonged to a broken command does not run by itself */
		{ "a \"b \\\nc\r\nd\n", true, CLI_USAGE, "<d>\n",
		  "Error: a quote is not closed\nCommand failed F:1\n" },
		{ "a 'b \\\r\nc\\\nd\ne\nusage\n", true, CLI_USAGE, "<e>\n<usage>\n",
		  "Error: a quote is not closed\nCommand failed F:1\nError: as asked\nCommand failed F:5\n" },
		{ "a \\\r\n b # c \\\nusage\n", false, CLI_USAGE, "<a><b>\n<usage>\n",
		  "Error: as asked\nCommand failed F:3\n" },
	};
	char errors[512];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(run_text(rows[i].text, strlen(rows[i].text), rows[i].force, errors,
					  sizeof(errors)),
				 rows[i].status);
		assert_string_equal(seen, rows[i].seen);
		assert_string_equal(errors, rows[i].errors);
	}
}

static void too_much(void **state)
{
	char text[2 * BATCH_WORDS_MAX + 8], errors[512];
	size_t n = 0;

	(void)state;
	while (n < 2 * BATCH_WORDS_MAX)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "w ");
	assert_int_equal(run_text(text, n, false, errors, sizeof(errors)), CLI_OK);
	memcpy(text + n, "w\nb\n", 5);
	assert_int_equal(run_text(text, n + 4, true, errors, sizeof(errors)), CLI_USAGE);
	assert_string_equal(errors, "Error: more than 256 words\nCommand failed F:1\n");
	assert_string_equal(seen, "<b>\n");
}

static void no_text(void **state)
{
	char errors[512];

	(void)state;
	assert_int_equal(run_text("a\n\0b\n", 5, true, errors, sizeof(errors)), CLI_USAGE);
	assert_string_equal(errors, "Error: -batch F: has a NUL in it\n");
	assert_int_equal(run_file("/nowhere/at/all", true, errors, sizeof(errors)), CLI_USAGE);
	assert_string_equal(errors, "Error: -batch /nowhere/at/all: No such file or directory\n");
	assert_string_equal(seen, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(failures),
		cmocka_unit_test(too_much),
		cmocka_unit_test(no_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
