// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A batch on its way into words. */
struct text {
	const char *at;
	unsigned int line; /* the number of the one at @at */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* How many octets at @at say that the next line belongs to this one; 0: it does not. */
static size_t goes_on(const char *at)
{
	if (at[0] != '\\')
		return 0;
	return at[1] == '\n' ? 2 : at[1] == '\r' && at[2] == '\n' ? 3 : 0;
}

/* Over what separates words: blanks, comments, ends of lines that go on. */
static void skip_blanks(struct text *t)
{
	for (;;) {
		if (is_blank(*t->at)) {
			t->at++;
		} else if (goes_on(t->at)) {
			t->at += goes_on(t->at);
			t->line++;
		} else if (*t->at == '#') {
			t->at += strcspn(t->at, "\n");
		} else {
			return;
		}
	}
}

/* The word at @t, without its quotes, to @to. Returns where the next may go; NULL: a quote stays open. */
static char *take_word(struct text *t, char *to)
{
	char quote = '\0';

	for (; *t->at && *t->at != '\n'; t->at++) {
		if (quote ? *t->at == quote : *t->at == '\'' || *t->at == '"')
			quote = quote ? '\0' : *t->at;
		else if (!quote && (is_blank(*t->at) || goes_on(t->at)))
			break;
		else
			*to++ = *t->at;
	}
	*to++ = '\0';
	return quote ? NULL : to;
}

/* The words of one command into @a; @store is as large as what is left of the text. */
static int take_line(struct text *t, char *store, struct args *a, struct err *e)
{
	for (a->n = 0;; a->n++) {
		skip_blanks(t);
		if (!*t->at || *t->at == '\n')
			return 0;
		if (a->n == BATCH_WORDS_MAX)
			return err_set(e, -E2BIG, "more than %d words", BATCH_WORDS_MAX);
		a->v[a->n] = store;
		store = take_word(t, store);
		if (!store)
			return err_set(e, -EINVAL, "a quote is not closed");
	}
}

/* Whether a command goes on after the end of a line at @end. */
static bool was_continued(const char *begin, const char *end)
{
	if (end > begin && end[-1] == '\r')
		end--;
	return end > begin && end[-1] == '\\';
}

/* Goes by the end of a command's last line. One that was @broken has all its lines left out, or they would run by themselves. */
static void end_command(struct text *t, const char *begin, bool broken)
{
	const char *end;

	do {
		t->at += strcspn(t->at, "\n");
		if (!*t->at)
			return;
		end = t->at++;
		t->line++;
	} while (broken && was_continued(begin, end));
}

static int run_one(struct cli *c, struct args *a, int (*command)(struct cli *c, struct args *a))
{
	struct cli own = *c;
	int status;

	own.batch = true;
	status = command(&own, a);
	/* its options were its own */
	out_set_flags(c->out, cli_out_flags(c));
	return status;
}

static int run_all(struct cli *c, const char *path, const char *content, char *store, bool force,
		   int (*command)(struct cli *c, struct args *a))
{
	struct text t = { content, 1 };
	char *words[BATCH_WORDS_MAX];
	int status, first = CLI_OK;
	unsigned int line;

	while (*t.at && (first == CLI_OK || force)) {
		struct args a = { words, 0 };
		struct err e = { 0 };

		line = t.line;
		status = take_line(&t, store, &a, &e) ? cli_usage(c, "%s", err_text(&e)) : CLI_OK;
		end_command(&t, content, status != CLI_OK);
		if (status == CLI_OK && a.n)
			status = run_one(c, &a, command);
		if (status == CLI_OK)
			continue;
		fprintf(c->errors, "Command failed %s:%u\n", path, line);
		first = first == CLI_OK ? status : first;
	}
	return first;
}

int batch_run(struct cli *c, const char *path, bool force,
	      int (*command)(struct cli *c, struct args *a))
{
	FILE *f = strcmp(path, "-") ? fopen(path, "re") : stdin;
	char *content = NULL, *store;
	size_t size = 0;
	ssize_t len;
	int status;

	if (!f)
		return cli_usage(c, "-batch %s: %s", path, strerror(errno));
	/* to the end, or to a NUL, which is none of a text */
	errno = 0;
	len = getdelim(&content, &size, '\0', f);
	if (ferror(f) || (len < 0 && errno)) {
		status = cli_usage(c, "-batch %s: %s", path, strerror(errno));
	} else if (len < 0) {
		status = CLI_OK; /* nothing at all */
	} else if (!content[len - 1]) {
		status = cli_usage(c, "-batch %s: has a NUL in it", path);
	} else {
		store = malloc((size_t)len + 1);
		status = store ? run_all(c, path, content, store, force, command) :
				 cli_usage(c, "-batch %s: %s", path, strerror(ENOMEM));
		free(store);
	}
	free(content);
	if (f != stdin)
		fclose(f);
	return status;
}
