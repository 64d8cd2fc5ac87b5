// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/multistatus.h"

#include <errno.h>
#include <expat.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/types.h"

#define DEPTH_MAX 64 /* elements within each other; those that count are at 6 at most */
#define TOKEN_MAX ((size_t)64 << 10) /* octets in which something must begin or end */

/* Where in the answer an element is, if it is one that counts. */
enum place {
	OTHER,
	TOP, /* the document */
	MULTISTATUS,
	RESPONSE,
	HREF,
	RESPONSE_STATUS,
	PROPSTAT,
	STATUS,
	PROP,
	RESOURCETYPE,
	COLLECTION,
	LENGTH,
	MODIFIED,
	ETAG,
};

/* Namespace and name as expat joins them. */
static const struct {
	enum place parent;
	const char *name;
	enum place place;
} elements[] = {
	{ TOP, "DAV: multistatus", MULTISTATUS },
	{ MULTISTATUS, "DAV: response", RESPONSE },
	{ RESPONSE, "DAV: href", HREF },
	{ RESPONSE, "DAV: status", RESPONSE_STATUS },
	{ RESPONSE, "DAV: propstat", PROPSTAT },
	{ PROPSTAT, "DAV: status", STATUS },
	{ PROPSTAT, "DAV: prop", PROP },
	{ PROP, "DAV: resourcetype", RESOURCETYPE },
	{ RESOURCETYPE, "DAV: collection", COLLECTION },
	{ PROP, "DAV: getcontentlength", LENGTH },
	{ PROP, "DAV: getlastmodified", MODIFIED },
	{ PROP, "DAV: getetag", ETAG },
};
#define N_ELEMENTS (sizeof(elements) / sizeof(elements[0]))

struct props {
	bool directory;
	uint64_t size;
	int64_t modified;
	char etag[MULTISTATUS_TEXT_MAX];
};

struct multistatus {
	XML_Parser parser;
	int (*on_item)(const struct multistatus_item *item, void *arg);
	void *arg;
	int err;
	enum place at[DEPTH_MAX + 1]; /* at[0]: the document */
	unsigned int depth;
	bool seen; /* the multistatus */
	size_t quiet; /* octets since something began or ended */
	char text[MULTISTATUS_HREF_MAX + 1]; /* of the element that is being read */
	size_t len;
	/* of the response */
	char href[MULTISTATUS_HREF_MAX + 1];
	bool has_href, refused;
	struct props granted;
	/* of the propstat */
	struct props told;
	bool withheld;
};

static void stop(struct multistatus *m, int err)
{
	if (!m->err)
		m->err = err;
	XML_StopParser(m->parser, XML_FALSE);
}

static struct props no_props(void)
{
	return (struct props){ .size = CONTENT_SIZE_UNKNOWN, .modified = INT64_MIN };
}

/* ---- hrefs ---- */

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	       c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	       c >= 'A' && c <= 'F' ? c - 'A' + 10 :
				      -1;
}

/* RFC 4918 8.3: an absolute URI or an absolute path. A "/" within a segment cannot be told from one between two. */
static bool href_decode(char *href)
{
	char *in = href, *out = href, *authority;
	int high, low;

	if (*in != '/') {
		authority = strstr(in, "://");
		in = authority ? strchr(authority + 3, '/') : NULL;
		if (!in)
			return false;
	}
	for (; *in && *in != '?' && *in != '#'; in++) {
		if (*in != '%') {
			*out++ = *in;
			continue;
		}
		high = hex_digit(in[1]);
		low = high < 0 ? -1 : hex_digit(in[2]);
		if (low < 0 || (!high && !low) || (high == 2 && low == 15))
			return false;
		*out++ = (char)(high * 16 + low);
		in += 2;
	}
	*out = '\0';
	return true;
}

/* ---- values ---- */

/* RFC 9110 15: does a status line grant what it is about? */
static bool status_ok(const char *line)
{
	const char *code = strchr(line, ' ');

	return code && code[1] == '2';
}

/* RFC 9110 5.6.7, in the form that servers must send. */
static int64_t date_parse(const char *text)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);

	return end && !*end ? (int64_t)timegm(&tm) * 1000 : INT64_MIN;
}

/* The text without the blanks around it; "" where it is longer than one of these may be. */
static const char *value(struct multistatus *m)
{
	char *from = m->text, *end = m->text + m->len;

	while (end > from && strchr(" \t\r\n", end[-1]))
		end--;
	*end = '\0';
	from += strspn(from, " \t\r\n");
	return end - from < MULTISTATUS_TEXT_MAX ? from : "";
}

/* ---- elements ---- */

static void response_end(struct multistatus *m)
{
	const struct multistatus_item item = {
		.path = m->href,
		.directory = m->granted.directory,
		.size = m->granted.size,
		.modified = m->granted.modified,
		.etag = m->granted.etag,
	};
	int ret;

	if (!m->has_href) {
		stop(m, -EBADMSG);
		return;
	}
	if (m->refused)
		return;
	ret = m->on_item(&item, m->arg);
	if (ret)
		stop(m, ret);
}

static void propstat_end(struct multistatus *m)
{
	if (m->withheld)
		return;
	if (m->told.directory)
		m->granted.directory = true;
	if (m->told.size != CONTENT_SIZE_UNKNOWN)
		m->granted.size = m->told.size;
	if (m->told.modified != INT64_MIN)
		m->granted.modified = m->told.modified;
	if (m->told.etag[0])
		memcpy(m->granted.etag, m->told.etag, sizeof(m->granted.etag));
}

static void href_end(struct multistatus *m)
{
	char *from = m->text + strspn(m->text, " \t\r\n");
	size_t len = strcspn(from, " \t\r\n");

	/* RFC 4918 14.16, 14.24: several hrefs only where there is no propstat. */
	if (m->has_href)
		return;
	from[len] = '\0';
	memcpy(m->href, from, len + 1);
	m->has_href = href_decode(m->href);
	if (!m->has_href)
		stop(m, -EBADMSG);
}

static void leave(struct multistatus *m, enum place place)
{
	switch (place) {
	case RESPONSE:
		response_end(m);
		break;
	case HREF:
		href_end(m);
		break;
	case RESPONSE_STATUS:
		m->refused = !status_ok(value(m));
		break;
	case PROPSTAT:
		propstat_end(m);
		break;
	case STATUS:
		m->withheld = !status_ok(value(m));
		break;
	case COLLECTION:
		m->told.directory = true;
		break;
	case LENGTH:
		if (u64_parse(value(m), CONTENT_SIZE_MAX, &m->told.size))
			m->told.size = CONTENT_SIZE_UNKNOWN;
		break;
	case MODIFIED:
		m->told.modified = date_parse(value(m));
		break;
	case ETAG:
		strcpy(m->told.etag, value(m));
		break;
	default:
		break;
	}
}

static void enter(struct multistatus *m, enum place place)
{
	if (place == MULTISTATUS) {
		m->seen = true;
	} else if (place == RESPONSE) {
		m->has_href = m->refused = false;
		m->granted = no_props();
	} else if (place == PROPSTAT) {
		m->withheld = false;
		m->told = no_props();
	}
	m->len = 0;
	m->text[0] = '\0';
}

static void on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct multistatus *m = arg;
	enum place place = OTHER;

	(void)attributes;
	m->quiet = 0;
	if (m->depth == DEPTH_MAX) {
		stop(m, -EBADMSG);
		return;
	}
	for (size_t i = 0; i < N_ELEMENTS; i++)
		if (elements[i].parent == m->at[m->depth] && !strcmp(elements[i].name, name))
			place = elements[i].place;
	m->at[++m->depth] = place;
	if (m->depth == 1 && place != MULTISTATUS)
		stop(m, -EBADMSG);
	else if (place != OTHER)
		enter(m, place);
}

static void on_end(void *arg, const XML_Char *name)
{
	struct multistatus *m = arg;
	enum place place = m->at[m->depth--];

	(void)name;
	m->quiet = 0;
	leave(m, place);
}

static void on_text(void *arg, const XML_Char *text, int len)
{
	struct multistatus *m = arg;
	size_t n = (size_t)len;

	m->quiet = 0;
	if (m->at[m->depth] == OTHER)
		return;
	if (n > MULTISTATUS_HREF_MAX - m->len) {
		n = MULTISTATUS_HREF_MAX - m->len;
		if (m->at[m->depth] == HREF)
			stop(m, -EMSGSIZE);
	}
	memcpy(m->text + m->len, text, n);
	m->len += n;
	m->text[m->len] = '\0';
}

/* Comments, processing instructions and what else there is. */
static void on_other(void *arg, const XML_Char *text, int len)
{
	struct multistatus *m = arg;

	(void)text;
	(void)len;
	m->quiet = 0;
}

static void on_doctype(void *arg, const XML_Char *name, const XML_Char *system,
		       const XML_Char *public, int internal)
{
	(void)name;
	(void)system;
	(void)public;
	(void)internal;
	stop(arg, -EBADMSG);
}

/* ---- all of it ---- */

static int parse(struct multistatus *m, const void *data, size_t len, bool last)
{
	enum XML_Status status;

	if (m->err)
		return m->err;
	status = len > INT_MAX ? XML_STATUS_ERROR :
				 XML_Parse(m->parser, data, (int)len, last ? XML_TRUE : XML_FALSE);
	if (status != XML_STATUS_OK && !m->err)
		m->err = XML_GetErrorCode(m->parser) == XML_ERROR_NO_MEMORY ? -ENOMEM : -EBADMSG;
	return m->err;
}

int multistatus_feed(struct multistatus *m, const void *data, size_t len)
{
	/* Else expat would keep all of what has no end, and look at it again with each piece. */
	m->quiet += len;
	if (!parse(m, data, len, false) && m->quiet > TOKEN_MAX)
		m->err = -EMSGSIZE;
	return m->err;
}

int multistatus_end(struct multistatus *m)
{
	if (!parse(m, "", 0, true) && !m->seen)
		m->err = -EBADMSG;
	return m->err;
}

int multistatus_new(int (*on_item)(const struct multistatus_item *item, void *arg), void *arg,
		    struct multistatus **out)
{
	struct multistatus *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->on_item = on_item;
	m->arg = arg;
	m->at[0] = TOP;
	m->parser = XML_ParserCreateNS(NULL, ' ');
	if (!m->parser) {
		free(m);
		return -ENOMEM;
	}
	XML_SetUserData(m->parser, m);
	XML_SetElementHandler(m->parser, on_start, on_end);
	XML_SetCharacterDataHandler(m->parser, on_text);
	XML_SetDefaultHandler(m->parser, on_other);
	XML_SetStartDoctypeDeclHandler(m->parser, on_doctype);
	*out = m;
	return 0;
}

void multistatus_free(struct multistatus *m)
{
	if (!m)
		return;
	XML_ParserFree(m->parser);
	free(m);
}
