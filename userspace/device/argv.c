// SPDX-License-Identifier: GPL-2.0-or-later
#include "device/argv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"

#define BLANKS " \t\n"

void argv_fini(struct argv *argv)
{
	for (size_t i = 0; i < argv->n; i++)
		free(argv->v[i]);
	free(argv->v);
	*argv = (struct argv){ 0 };
}

/* Append what @b holds as one word. */
static int argv_push(struct argv *argv, struct buf *b)
{
	char **v, *word;
	int rc = buf_put(b, "", 1);

	if (rc)
		return rc;
	word = buf_steal(b, NULL);
	v = word ? realloc(argv->v, (argv->n + 2) * sizeof(*v)) : NULL;
	if (!v) {
		free(word);
		return -ENOMEM;
	}
	argv->v = v;
	argv->v[argv->n++] = word;
	argv->v[argv->n] = NULL;
	return 0;
}

/* One word from *@text into @b; advances *@text. */
static int split_word(const char **text, struct buf *b, struct err *e)
{
	const char *p = *text;
	char quote = '\0';

	for (; *p && (quote || !strchr(BLANKS, *p)); p++) {
		if (quote && *p == quote) {
			quote = '\0';
		} else if (!quote && (*p == '\'' || *p == '"')) {
			quote = *p;
		} else {
			if (*p == '\\' && quote != '\'' && p[1])
				p++;
			buf_putc(b, (uint8_t)*p);
		}
	}
	if (quote)
		return err_set(e, -SHUNT_ECONF, "%c is not closed", quote);
	*text = p;
	return b->error;
}

static int check_word(const char *word, size_t index, struct err *e)
{
	for (const char *p = strchr(word, '%'); p; p = strchr(p + 2, '%')) {
		if (!p[1] || !strchr("fnj%", p[1]))
			return err_set(e, -SHUNT_ECONF,
				       "\"%%%.1s\" is unknown, allowed are %%f (content), "
				       "%%n (name), %%j (job) and %%%%",
				       p + 1);
		if (index == 0)
			return err_set(e, -SHUNT_ECONF,
				       "the program's name cannot have placeholders");
	}
	return 0;
}

int argv_split(const char *text, struct argv *out, struct err *e)
{
	struct argv argv = { 0 };
	struct buf b;
	int rc = 0;

	buf_init(&b);
	while (!rc && *(text += strspn(text, BLANKS))) {
		rc = split_word(&text, &b, e);
		if (!rc && argv.n == ARGV_MAX)
			rc = err_set(e, -SHUNT_ECONF, "more than %d words", ARGV_MAX);
		if (!rc)
			rc = argv_push(&argv, &b);
		if (!rc)
			rc = check_word(argv.v[argv.n - 1], argv.n - 1, e);
	}
	if (!rc && (argv.n == 0 || !argv.v[0][0]))
		rc = err_set(e, -SHUNT_ECONF, "there is no program to run");
	buf_fini(&b);
	if (rc)
		argv_fini(&argv);
	else
		*out = argv;
	return rc;
}

int argv_add(struct argv *template, const char *word, bool literal)
{
	struct buf b;
	int rc;

	buf_init(&b);
	for (; *word; word++) {
		if (literal && *word == '%')
			buf_putc(&b, '%');
		buf_putc(&b, (uint8_t)*word);
	}
	rc = argv_push(template, &b);
	buf_fini(&b);
	return rc;
}

static void expand_word(const char *word, const struct argv_values *values, struct buf *b)
{
	for (; *word; word++) {
		if (*word != '%') {
			buf_putc(b, (uint8_t)*word);
			continue;
		}
		switch (*++word) {
		case 'f':
			buf_puts(b, values->file);
			break;
		case 'n':
			/* A name must not become an option of the command. */
			if (b->len == 0 && values->name[0] == '-')
				buf_printf(b, "_%s", values->name + 1);
			else
				buf_puts(b, values->name);
			break;
		case 'j':
			buf_puts(b, values->job);
			break;
		default: /* "%%"; argv_split() let nothing else pass */
			buf_putc(b, '%');
		}
	}
}

int argv_expand(const struct argv *template, const struct argv_values *values, struct argv *out)
{
	struct argv argv = { 0 };
	struct buf b;
	int rc = 0;

	buf_init(&b);
	for (size_t i = 0; !rc && i < template->n; i++) {
		expand_word(template->v[i], values, &b);
		rc = argv_push(&argv, &b);
	}
	buf_fini(&b);
	if (rc)
		argv_fini(&argv);
	else
		*out = argv;
	return rc;
}
