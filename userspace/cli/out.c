// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/out.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER 4096

struct out {
	FILE *f;
	unsigned int flags;
	unsigned int depth;
	int error;
	struct {
		char close; /* ']' or '}' */
		bool filled; /* holds a member already: the next needs a comma */
	} open[OUT_DEPTH_MAX];
	/* of a list or object that is open; ten thousand tunnels are two million calls of put() */
	size_t used;
	char text[BUFFER];
};

static void write_out(struct out *o, const char *s, size_t n)
{
	if (!o->error && n && fwrite(s, 1, n, o->f) != n)
		o->error = errno ? -errno : -EIO;
}

static void drain(struct out *o)
{
	write_out(o, o->text, o->used);
	o->used = 0;
}

static void put(struct out *o, const char *s, size_t n)
{
	if (o->depth && n <= sizeof(o->text) - o->used) {
		memcpy(o->text + o->used, s, n);
		o->used += n;
		return;
	}
	drain(o);
	write_out(o, s, n);
}

static void puts_raw(struct out *o, const char *s)
{
	put(o, s, strlen(s));
}

struct out *out_new(FILE *f, unsigned int flags)
{
	struct out *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->f = f;
	o->flags = flags;
	return o;
}

int out_free(struct out *o)
{
	int err;

	if (!o)
		return 0;
	while (o->depth) {
		if (o->open[o->depth - 1].close == ']')
			out_list_end(o);
		else
			out_obj_end(o);
	}
	out_flush(o);
	err = o->error;
	free(o);
	return err;
}

void out_set_flags(struct out *o, unsigned int flags)
{
	assert(!o->depth);
	o->flags = flags;
}

bool out_is_json(const struct out *o)
{
	return o->flags & OUT_JSON;
}

/* Length of the valid UTF-8 sequence at @s (RFC 3629 section 4), 0 when there is none. */
static size_t utf8_len(const unsigned char *s)
{
	static const struct {
		unsigned char from, to, second_from, second_to, len;
	} rows[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	size_t i, k;

	if (s[0] < 0x80)
		return 1;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (s[0] < rows[i].from || s[0] > rows[i].to)
			continue;
		if (s[1] < rows[i].second_from || s[1] > rows[i].second_to)
			return 0;
		for (k = 2; k < rows[i].len; k++)
			if ((s[k] & 0xc0) != 0x80)
				return 0;
		return rows[i].len;
	}
	return 0;
}

/* U+0080 to U+009F: terminals take some of them for commands. @s is valid UTF-8. */
static bool is_c1(const unsigned char *s)
{
	return s[0] == 0xc2 && s[1] < 0xa0;
}

/* Printable ASCII, but for what JSON escapes: how many such octets @s begins with. */
static size_t plain_len(const unsigned char *s)
{
	size_t n = 0;

	while (s[n] >= 0x20 && s[n] < 0x7f && s[n] != '"' && s[n] != '\\')
		n++;
	return n;
}

static void put_json_string(struct out *o, const char *v)
{
	const unsigned char *s = (const unsigned char *)v;
	char esc[8];
	size_t n;

	put(o, "\"", 1);
	for (; *s; s += n) {
		n = plain_len(s);
		if (n) {
			put(o, (const char *)s, n);
			continue;
		}
		n = utf8_len(s);
		if (!n) {
			n = 1;
			puts_raw(o, "\\ufffd");
		} else if (*s == '"' || *s == '\\') {
			esc[0] = '\\';
			esc[1] = (char)*s;
			put(o, esc, 2);
		} else if (*s < 0x20 || *s == 0x7f || is_c1(s)) {
			snprintf(esc, sizeof(esc), "\\u%04x", n == 2 ? s[1] : *s);
			puts_raw(o, esc);
		} else {
			put(o, (const char *)s, n);
		}
	}
	put(o, "\"", 1);
}

/*
 * C0, DEL, C1 (as UTF-8) and stray bytes never reach a terminal; @keep names the controls that may.
 */
static void put_text(struct out *o, const char *v, const char *keep)
{
	const unsigned char *s = (const unsigned char *)v;
	char esc[8];
	size_t n;

	for (; *s; s += n) {
		n = plain_len(s);
		if (n) {
			put(o, (const char *)s, n);
			continue;
		}
		n = utf8_len(s);
		if (!n || ((*s < 0x20 || *s == 0x7f) && !strchr(keep, *s)) || is_c1(s)) {
			n = 1;
			snprintf(esc, sizeof(esc), "\\x%02x", *s);
			puts_raw(o, esc);
		} else {
			put(o, (const char *)s, n);
		}
	}
}

static void indent(struct out *o)
{
	unsigned int i;

	if (!(o->flags & OUT_PRETTY))
		return;
	put(o, "\n", 1);
	for (i = 0; i < o->depth; i++)
		puts_raw(o, "    ");
}

static void member_begin(struct out *o, const char *key)
{
	if (o->depth) {
		if (o->open[o->depth - 1].filled)
			put(o, ",", 1);
		o->open[o->depth - 1].filled = true;
		indent(o);
	}
	if (key && o->depth && o->open[o->depth - 1].close == '}') {
		put(o, "\"", 1);
		puts_raw(o, key);
		puts_raw(o, o->flags & OUT_PRETTY ? "\": " : "\":");
	}
}

static void member_end(struct out *o)
{
	if (o->depth)
		return;
	put(o, "\n", 1);
	out_flush(o);
}

static void group_begin(struct out *o, const char *key, const char *brackets)
{
	if (!out_is_json(o))
		return;
	assert(o->depth < OUT_DEPTH_MAX);
	member_begin(o, key);
	put(o, brackets, 1);
	o->open[o->depth].close = brackets[1];
	o->open[o->depth].filled = false;
	o->depth++;
}

static void group_end(struct out *o, char close)
{
	if (!out_is_json(o))
		return;
	assert(o->depth && o->open[o->depth - 1].close == close);
	o->depth--;
	if (o->open[o->depth].filled)
		indent(o);
	put(o, &close, 1);
	member_end(o);
}

void out_list_begin(struct out *o, const char *key)
{
	group_begin(o, key, "[]");
}

void out_list_end(struct out *o)
{
	group_end(o, ']');
}

void out_obj_begin(struct out *o, const char *key)
{
	group_begin(o, key, "{}");
}

void out_obj_end(struct out *o)
{
	group_end(o, '}');
}

/* What fits is formatted on the stack, as nearly all does. */
static void put_vformat(struct out *o, const char *fmt, va_list ap)
{
	char small[256], *text = small;
	va_list again;
	int len;

	va_copy(again, ap);
	len = vsnprintf(small, sizeof(small), fmt, ap);
	if (len >= (int)sizeof(small))
		len = vasprintf(&text, fmt, again);
	va_end(again);
	if (len < 0)
		o->error = o->error ? o->error : -ENOMEM;
	else
		put_text(o, text, "\n\t");
	if (len >= (int)sizeof(small))
		free(text);
}

static void __attribute__((format(printf, 2, 3))) put_format(struct out *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_vformat(o, fmt, ap);
	va_end(ap);
}

/*
 * Text formats are ours and may hold newlines; the value itself is cleaned before it is formatted.
 */
void out_str(struct out *o, const char *key, const char *fmt, const char *v)
{
	size_t size = 0;
	char *clean = NULL;
	struct out sub = { 0 };

	if (out_is_json(o)) {
		if (!key)
			return;
		member_begin(o, key);
		put_json_string(o, v);
		member_end(o);
		return;
	}
	if (!fmt)
		return;
	if (!v[plain_len((const unsigned char *)v)]) {
		put_format(o, fmt, v);
		return;
	}
	sub.f = open_memstream(&clean, &size);
	if (!sub.f) {
		o->error = o->error ? o->error : -errno;
		return;
	}
	put_text(&sub, v, "");
	if (fclose(sub.f) || sub.error)
		o->error = o->error ? o->error : -ENOMEM;
	else
		put_format(o, fmt, clean);
	free(clean);
}

void out_uint(struct out *o, const char *key, const char *fmt, uint64_t v)
{
	char digits[20], *first = digits + sizeof(digits);

	if (!out_is_json(o)) {
		if (fmt)
			put_format(o, fmt, v);
		return;
	}
	if (!key)
		return;
	member_begin(o, key);
	do {
		*--first = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	put(o, first, (size_t)(digits + sizeof(digits) - first));
	member_end(o);
}

void out_bool(struct out *o, const char *key, const char *fmt, bool v)
{
	if (!out_is_json(o)) {
		if (fmt)
			put_format(o, fmt, v ? "true" : "false");
		return;
	}
	if (!key)
		return;
	member_begin(o, key);
	puts_raw(o, v ? "true" : "false");
	member_end(o);
}

void out_json(struct out *o, const char *json, size_t len)
{
	member_begin(o, NULL);
	put(o, json, len);
	member_end(o);
}

void out_text(struct out *o, const char *fmt, ...)
{
	va_list ap;

	if (out_is_json(o))
		return;
	va_start(ap, fmt);
	put_vformat(o, fmt, ap);
	va_end(ap);
}

void out_flush(struct out *o)
{
	drain(o);
	if (fflush(o->f) && !o->error)
		o->error = -errno;
}
