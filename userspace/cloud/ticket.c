// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/ticket.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/err.h"

#define UNKNOWN_TYPE "application/octet-stream"

/* ---- formats ---- */

static const struct magic {
	const char *octets;
	size_t len;
	const char *type;
} magics[] = {
	{ "\xff\xd8\xff", 3, "image/jpeg" },	 { "RaS2", 4, "image/pwg-raster" },
	{ "\x89PNG\r\n\x1a\n", 8, "image/png" }, { "%!PS", 4, "application/postscript" },
	{ "UNIRAST", 8, "image/urf" },
};

const char *ticket_format(const void *head, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
		if (len >= magics[i].len && !memcmp(head, magics[i].octets, magics[i].len))
			return magics[i].type;
	/* ISO 32000-1 7.5.2 has it in the first line, readers bear some octets before it. */
	if (memmem(head, len < TICKET_HEAD ? len : TICKET_HEAD, "%PDF-", 5))
		return "application/pdf";
	return NULL;
}

static bool can_tell(const char *type)
{
	size_t i;

	for (i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
		if (!strcasecmp(magics[i].type, type))
			return true;
	return !strcasecmp(type, "application/pdf");
}

/* ---- refusals ---- */

static int refuse(struct ticket_refusal *why, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(struct ticket_refusal *why, const char *code, const char *fmt, ...)
{
	va_list ap;

	snprintf(why->code, sizeof(why->code), "%s", code);
	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	return -SHUNT_ENOTSUP;
}

/* "a, b, c and 40 more" */
static const char *list(const struct ipp_words *w, char *out, size_t size)
{
	size_t len = 0, i;

	out[0] = '\0';
	for (i = 0; i < w->n && len + strlen(w->v[i]) + 24 < size; i++)
		len += (size_t)snprintf(out + len, size - len, "%s%s", i ? ", " : "", w->v[i]);
	if (i < w->n)
		snprintf(out + len, size - len, " and %zu more", w->n - i);
	return out;
}

static int refuse_word(struct ticket_refusal *why, const char *attribute, const char *word,
		       const struct ipp_words *supported)
{
	char code[SAPI_REASON_LEN], taken[SAPI_TEXT_LEN - 160];

	snprintf(code, sizeof(code), "unsupported-%s", attribute);
	if (!supported->n)
		return refuse(why, code, "%s: the printer lets nobody choose that", attribute);
	return refuse(why, code, "%s: the printer does not take %.64s; it takes %s", attribute,
		      word, list(supported, taken, sizeof(taken)));
}

/* ---- the ticket ---- */

static int make_format(const struct ipp_printer *printer, const char *type, const void *head,
		       size_t len, char out[MEDIA_TYPE_LEN], struct ticket_refusal *why)
{
	const char *is = ticket_format(head, len);
	size_t n = strcspn(type, "; \t");

	snprintf(out, MEDIA_TYPE_LEN, "%.*s", (int)n, type);
	if (!strcasecmp(out, UNKNOWN_TYPE) && is)
		snprintf(out, MEDIA_TYPE_LEN, "%s", is);
	if (can_tell(out) && (!is || strcasecmp(is, out)))
		return refuse(why, "wrong-format", "the document is said to be %s, but is %s", out,
			      is ? is : "not");
	return ipp_words_have(&printer->formats, out) ?
		       0 :
		       refuse_word(why, "format", out, &printer->formats);
}

/* The printer's own word for it, or else the self-describing name. */
static int make_media(const struct ipp_printer *printer, const char *media, char out[IPP_WORD_LEN],
		      struct ticket_refusal *why)
{
	out[0] = '\0';
	if (!media[0])
		return 0;
	snprintf(out, IPP_WORD_LEN, "%s", media);
	if (ipp_words_have(&printer->media, out) ||
	    (ipp_media_name(media, out) && ipp_words_have(&printer->media, out)))
		return 0;
	return refuse_word(why, "media", media, &printer->media);
}

static int make_copies(const struct ipp_printer *printer, uint32_t copies,
		       struct ticket_refusal *why)
{
	if (copies <= 1 || (int64_t)copies <= printer->copies)
		return 0;
	if (printer->copies == IPP_NUMBER_UNKNOWN)
		return refuse(why, "unsupported-copies", "copies: the printer makes one only");
	return refuse(why, "unsupported-copies", "copies: the printer makes at most %d, not %u",
		      printer->copies, copies);
}

int ticket_make(const struct ipp_printer *printer, const char *type, const void *head, size_t len,
		const struct sapi_print *print, struct ticket *out, struct ticket_refusal *why)
{
	int ret = make_format(printer, type, head, len, out->format, why);

	out->sides = print_sides_str(print->sides);
	out->color = print_color_str(print->color);
	/* One copy is what a printer makes that knows no other number. */
	out->copies = printer->copies == IPP_NUMBER_UNKNOWN ? 0 : print->copies;
	if (!ret)
		ret = make_copies(printer, print->copies, why);
	if (!ret)
		ret = make_media(printer, print->media, out->media, why);
	if (!ret && out->sides[0] && !ipp_words_have(&printer->sides, out->sides))
		ret = refuse_word(why, "sides", out->sides, &printer->sides);
	if (!ret && out->color[0] && !ipp_words_have(&printer->colors, out->color))
		ret = refuse_word(why, "color", out->color, &printer->colors);
	return ret;
}

void ticket_name(const char *job, const char *document, char out[IPP_TEXT_LEN])
{
	size_t n = strnlen(document, TICKET_NAME_MAX);

	while (n && n == TICKET_NAME_MAX && ((unsigned char)document[n] & 0xc0) == 0x80)
		n--;
	snprintf(out, IPP_TEXT_LEN, "[%.16s] %.*s", job, (int)n, document);
}

bool ticket_is_ours(const char *name, const char *job)
{
	char ours[TICKET_TAG_LEN + 1];
	size_t n = strlen(name);

	snprintf(ours, sizeof(ours), "[%.16s]", job);
	if (!strncmp(name, ours, TICKET_TAG_LEN))
		return true;
	return n > TICKET_TAG_LEN && name[n - TICKET_TAG_LEN - 1] == ' ' &&
	       !strcmp(name + n - TICKET_TAG_LEN, ours);
}
