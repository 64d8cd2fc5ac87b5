// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/credentials.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/conf.h"
#include "lib/digest.h"
#include "lib/err.h"
#include "lib/types.h"

struct credentials {
	char *text; /* the file's, cut into words in place */
	size_t size; /* octets of it, with the last NUL */
	struct credentials_entry *v; /* by device */
	size_t n, cap;
};

static int bad(struct err *e, size_t line, const char *what)
{
	return err_set(e, -SHUNT_EPARSE, "line %zu: %s", line, what);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char *skip(char *p)
{
	while (is_blank(*p))
		p++;
	return p;
}

/* The word at *@p, which moves behind it and its blanks. */
static char *take_word(char **p)
{
	char *word = *p, *end = word;

	while (*end && !is_blank(*end))
		end++;
	*p = skip(end);
	if (*end)
		*end = '\0';
	return word;
}

static bool has_control(const char *p, size_t len)
{
	for (; len; p++, len--)
		if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f)
			return true;
	return false;
}

static int by_device(const void *a, const void *b)
{
	const struct credentials_entry *one = a, *other = b;

	return strcmp(one->device, other->device);
}

static int add(struct credentials *c, const struct credentials_entry *entry)
{
	struct credentials_entry *v;
	size_t cap = c->cap ? 2 * c->cap : 16;

	if (c->n == c->cap) {
		/* They only point to the secrets. */
		v = reallocarray(c->v, cap, sizeof(*v));
		if (!v)
			return -ENOMEM;
		c->v = v;
		c->cap = cap;
	}
	c->v[c->n++] = *entry;
	return 0;
}

static int parse_line(struct credentials *c, size_t number, char *line, size_t len, struct err *e)
{
	struct credentials_entry entry;
	char *p, *end = line + len;

	/* NUL is a control character, too: from here on the line is a string. */
	if (has_control(line, len))
		return bad(e, number, "holds a control character");
	while (end > line && is_blank(end[-1]))
		*--end = '\0';
	p = skip(line);
	if (!*p || *p == '#')
		return 0;
	entry.device = take_word(&p);
	if (!name_ok(entry.device))
		return bad(e, number, "the first word is no device code");
	entry.name = take_word(&p);
	entry.password = p;
	if (!*entry.password)
		return bad(e, number, "not of the form DEVICE NAME PASSWORD");
	/* RFC 7617 2: a user-id cannot hold a colon. */
	if (strchr(entry.name, ':'))
		return bad(e, number, "the name holds a colon");
	if (strlen(entry.name) > CREDENTIALS_WORD_MAX)
		return bad(e, number, "the name is longer than 255 octets");
	if (strlen(entry.password) > CREDENTIALS_WORD_MAX)
		return bad(e, number, "the password is longer than 255 octets");
	if (c->n == CREDENTIALS_MAX)
		return bad(e, number, "more than 10000 devices");
	return add(c, &entry) ? err_sys(e, -ENOMEM, "line %zu", number) : 0;
}

static int parse(struct credentials *c, struct err *e)
{
	char *line = c->text, *last = c->text + c->size - 1, *end;
	size_t number, i;
	int ret = 0;

	for (number = 1; !ret && line < last; number++, line = end + 1) {
		end = memchr(line, '\n', (size_t)(last - line));
		if (!end)
			end = last;
		*end = '\0';
		ret = parse_line(c, number, line, (size_t)(end - line), e);
	}
	if (ret || !c->n)
		return ret;
	qsort(c->v, c->n, sizeof(*c->v), by_device);
	for (i = 1; i < c->n; i++)
		if (!by_device(&c->v[i - 1], &c->v[i]))
			return err_set(e, -SHUNT_EPARSE, "device %s has more than one line",
				       c->v[i].device);
	return 0;
}

int credentials_parse(const char *text, size_t len, struct credentials **out, struct err *e)
{
	struct credentials *c = calloc(1, sizeof(*c));
	int ret;

	if (!c)
		return err_sys(e, -ENOMEM, "credentials");
	c->size = len + 1;
	c->text = calloc(1, c->size);
	if (!c->text) {
		credentials_free(c);
		return err_sys(e, -ENOMEM, "credentials");
	}
	memcpy(c->text, text, len);
	ret = parse(c, e);
	if (ret)
		credentials_free(c);
	else
		*out = c;
	return ret;
}

static int load(FILE *in, char *text, struct credentials **out, struct err *e)
{
	size_t len = fread(text, 1, CREDENTIALS_FILE_MAX + 1, in);

	if (ferror(in))
		return err_sys(e, -EIO, "read");
	if (len > CREDENTIALS_FILE_MAX)
		return err_sys(e, -EFBIG, "%zu octets at most", CREDENTIALS_FILE_MAX);
	return credentials_parse(text, len, out, e);
}

int credentials_load(const char *file, struct credentials **out, struct err *e)
{
	char *text;
	FILE *in;
	int ret = conf_check_secret_file(file, e);

	if (ret)
		return ret;
	in = fopen(file, "re");
	if (!in)
		return err_sys(e, -errno, "%s", file);
	setvbuf(in, NULL, _IONBF, 0); /* no copy in a buffer that nobody wipes */
	text = malloc(CREDENTIALS_FILE_MAX + 1);
	ret = text ? load(in, text, out, e) : err_sys(e, -ENOMEM, "read");
	if (text)
		secret_wipe(text, CREDENTIALS_FILE_MAX + 1);
	free(text);
	fclose(in);
	if (ret)
		err_prefix(e, "%s", file);
	return ret;
}

void credentials_free(struct credentials *c)
{
	if (!c)
		return;
	if (c->text)
		secret_wipe(c->text, c->size);
	free(c->text);
	free(c->v);
	free(c);
}

const struct credentials_entry *credentials_find(const struct credentials *c, const char *device)
{
	struct credentials_entry key = { .device = device };

	if (!c || !c->n)
		return NULL;
	return bsearch(&key, c->v, c->n, sizeof(*c->v), by_device);
}
