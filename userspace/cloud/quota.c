// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/quota.h"

#include <errno.h>
#include <expat.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64 /* elements within each other; the one looked for is at 5 */
/* Namespace and name, as expat joins them. */
#define ELEMENT "DAV: quota-available-bytes"

struct reading {
	XML_Parser parser;
	unsigned int depth;
	bool within; /* the element */
	char digits[24];
	size_t n;
	uint64_t available;
};

static void on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct reading *r = arg;

	(void)attributes;
	if (++r->depth > DEPTH_MAX)
		XML_StopParser(r->parser, XML_FALSE);
	r->within = !strcmp(name, ELEMENT);
	r->n = 0;
}

/* One whose value is not told (a propstat of 404) is empty. The first that has one counts. */
static void on_end(void *arg, const XML_Char *name)
{
	struct reading *r = arg;
	unsigned long long value;
	char *end;

	(void)name;
	r->depth--;
	if (!r->within || !r->n || r->available != QUOTA_UNKNOWN) {
		r->within = false;
		return;
	}
	r->within = false;
	r->digits[r->n] = '\0';
	errno = 0;
	value = strtoull(r->digits, &end, 10);
	if (!errno && !*end)
		r->available = value;
}

static void on_text(void *arg, const XML_Char *text, int len)
{
	struct reading *r = arg;

	if (!r->within)
		return;
	for (; len; len--, text++) {
		if (strchr(" \t\r\n", *text))
			continue;
		if (*text < '0' || *text > '9' || r->n + 1 == sizeof(r->digits)) {
			r->within = false; /* no number, or none that a disk has */
			return;
		}
		r->digits[r->n++] = *text;
	}
}

static void on_doctype(void *arg, const XML_Char *name, const XML_Char *system,
		       const XML_Char *public, int internal)
{
	struct reading *r = arg;

	(void)name;
	(void)system;
	(void)public;
	(void)internal;
	XML_StopParser(r->parser, XML_FALSE);
}

uint64_t quota_available(const char *xml, size_t len)
{
	struct reading r = { .available = QUOTA_UNKNOWN };
	enum XML_Status status;

	r.parser = XML_ParserCreateNS(NULL, ' ');
	if (!r.parser)
		return QUOTA_UNKNOWN;
	XML_SetUserData(r.parser, &r);
	XML_SetElementHandler(r.parser, on_start, on_end);
	XML_SetCharacterDataHandler(r.parser, on_text);
	XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
	status = len > INT_MAX ? XML_STATUS_ERROR : XML_Parse(r.parser, xml, (int)len, XML_TRUE);
	XML_ParserFree(r.parser);
	return status == XML_STATUS_OK ? r.available : QUOTA_UNKNOWN;
}
