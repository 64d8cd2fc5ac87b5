// SPDX-License-Identifier: GPL-2.0-or-later
/* err: codes and the last error with its context. */
#include "lib/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char *const private_text[] = {
	[SHUNT_EPARSE - SHUNT_EPARSE] = "not well-formed",
	[SHUNT_EFIELD - SHUNT_EPARSE] = "missing or unacceptable value",
	[SHUNT_ECONF - SHUNT_EPARSE] = "configuration not acceptable",
	[SHUNT_EPROTO - SHUNT_EPARSE] = "protocol violation by the peer",
	[SHUNT_ETLS - SHUNT_EPARSE] = "TLS failure",
	[SHUNT_EPEER - SHUNT_EPARSE] = "peer not allowed",
	[SHUNT_EREMOTE - SHUNT_EPARSE] = "refused by the peer",
	[SHUNT_ECLOSED - SHUNT_EPARSE] = "connection closed",
	[SHUNT_EDB - SHUNT_EPARSE] = "database error",
	[SHUNT_ENOTSUP - SHUNT_EPARSE] = "not supported yet",
	[SHUNT_ESECRETFILE - SHUNT_EPARSE] = "secret file accessible to others",
};

_Static_assert(sizeof(private_text) / sizeof(private_text[0]) == SHUNT_ELAST - SHUNT_EPARSE,
	       "every private code needs a text");

const char *shunt_strerror(int code)
{
	/* INT_MIN has no positive counterpart; it is no code of ours either. */
	unsigned int n = code < 0 ? 0u - (unsigned int)code : (unsigned int)code;
	const char *text;

	if (n == 0)
		return "Success";
	if (n >= SHUNT_EPARSE && n < SHUNT_ELAST)
		return private_text[n - SHUNT_EPARSE];
	/* Unlike strerror(3): untranslated, no shared buffer. */
	text = n < SHUNT_EPARSE ? strerrordesc_np((int)n) : NULL;
	return text ? text : "Unknown error";
}

/* Length of the UTF-8 sequence at @s, 0 if there is none that may be shown (RFC 3629 4). */
static size_t utf8_shown(const unsigned char *s, size_t left)
{
	uint32_t cp;
	size_t n;

	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2, cp = s[0] & 0x1f;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		n = 3, cp = s[0] & 0x0f;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4, cp = s[0] & 0x07;
	else
		return 0;
	if (n > left)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (s[i] & 0x3f);
	}
	if (n == 3 && (cp < 0x800 || (cp >= 0xd800 && cp <= 0xdfff)))
		return 0;
	if (n == 4 && (cp < 0x10000 || cp > 0x10ffff))
		return 0;
	/* C1 controls, and the marks that reorder or break what a reader sees. */
	if (cp < 0xa0 || cp == 0x2028 || cp == 0x2029 || (cp >= 0x202a && cp <= 0x202e) ||
	    (cp >= 0x2066 && cp <= 0x2069))
		return 0;
	return n;
}

size_t err_escape(char *out, size_t size, const char *in, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *s = (const unsigned char *)in;
	size_t o = 0, n;

	if (!size)
		return 0;
	for (size_t i = 0; i < len; i += n) {
		bool plain = s[i] >= 0x20 && s[i] < 0x7f && s[i] != '\\';

		n = plain ? 1 : utf8_shown(s + i, len - i);
		if (n) {
			if (o + n >= size)
				break;
			memcpy(out + o, s + i, n);
			o += n;
			continue;
		}
		n = 1;
		if (o + 4 >= size)
			break;
		out[o++] = '\\';
		out[o++] = 'x';
		out[o++] = digits[s[i] >> 4];
		out[o++] = digits[s[i] & 15];
	}
	out[o] = '\0';
	return o;
}

/* Escape what must be escaped, but keep backslashes: texts are built from escaped parts. */
static void text_clean(char *out, size_t size, const char *in)
{
	size_t o = 0;

	for (; *in && o + 1 < size; in++) {
		size_t n;

		if (*in == '\\') {
			out[o++] = '\\';
			continue;
		}
		n = strcspn(in, "\\");
		o += err_escape(out + o, size - o, in, n);
		in += n - 1;
	}
	out[o] = '\0';
}

int err_vset(struct err *e, int code, const char *fmt, va_list ap)
{
	char raw[ERR_TEXT_MAX];

	if (!e)
		return code;
	vsnprintf(raw, sizeof(raw), fmt, ap);
	e->code = code;
	text_clean(e->text, sizeof(e->text), raw);
	return code;
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_vset(e, code, fmt, ap);
	va_end(ap);
	return code;
}

static void err_append(struct err *e, const char *text)
{
	size_t len = strlen(e->text);

	snprintf(e->text + len, sizeof(e->text) - len, "%s", text);
}

int err_sys(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return code;
	va_start(ap, fmt);
	err_vset(e, code, fmt, ap);
	va_end(ap);
	err_append(e, ": ");
	err_append(e, shunt_strerror(code));
	return code;
}

int err_prefix(struct err *e, const char *fmt, ...)
{
	char old[ERR_TEXT_MAX];
	va_list ap;

	if (!e)
		return 0;
	memcpy(old, err_text(e), strlen(err_text(e)) + 1);
	va_start(ap, fmt);
	err_vset(e, e->code, fmt, ap);
	va_end(ap);
	err_append(e, ": ");
	err_append(e, old);
	return e->code;
}

const char *err_text(const struct err *e)
{
	if (!e)
		return "Unknown error";
	return e->text[0] ? e->text : shunt_strerror(e->code);
}

void err_clear(struct err *e)
{
	if (e) {
		e->code = 0;
		e->text[0] = '\0';
	}
}
