// SPDX-License-Identifier: GPL-2.0-or-later
/* types: names, ids, enums and their words, Content-Range. */
#include "lib/types.h"

#include "lib/err.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/shunt.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* ---- enums ---- */

const char *enum_str(const struct enum_name *table, int value)
{
	for (; table->name; table++) {
		if (table->value == value)
			return table->name;
	}
	return "?";
}

int enum_parse(const struct enum_name *table, const char *s, int *out)
{
	for (; table->name; table++) {
		if (!strcmp(table->name, s)) {
			*out = table->value;
			return 0;
		}
	}
	return -SHUNT_EPARSE;
}

char *enum_list(const struct enum_name *table, char *out, size_t size)
{
	size_t len = 0;

	if (size)
		out[0] = '\0';
	for (; table->name && len < size; table++) {
		const char *sep = !len ? "" : table[1].name ? ", " : " or ";

		len += (size_t)snprintf(out + len, size - len, "%s%s", sep, table->name);
	}
	return out;
}

/* Each enum's accessors are the same but for the type, which the compiler then checks. */
#define ENUM_WORDS(type, tag)                                                                      \
	const char *type##_str(enum tag v)                                                         \
	{                                                                                          \
		return enum_str(type##_names, (int)v);                                             \
	}                                                                                          \
	int type##_parse(const char *s, enum tag *out)                                             \
	{                                                                                          \
		int v;                                                                             \
                                                                                                   \
		if (enum_parse(type##_names, s, &v))                                               \
			return -SHUNT_EPARSE;                                                      \
		*out = (enum tag)v;                                                                \
		return 0;                                                                          \
	}

const struct enum_name role_names[] = {
	{ ROLE_TERMINAL, "terminal" },
	{ ROLE_ADMIN, "admin" },
	{ ROLE_CLOUD, "cloud" },
	{ ROLE_MANAGER, "manager" },
	{ ROLE_GATEWAY, "gateway" },
	{ ROLE_DEVICE, "device" },
	{ 0, NULL },
};
ENUM_WORDS(role, role)

const struct enum_name job_kind_names[] = {
	{ JOB_PRINT, "print" },
	{ JOB_STORE, "store" },
	{ JOB_FETCH, "fetch" },
	{ 0, NULL },
};
ENUM_WORDS(job_kind, job_kind)

const struct enum_name job_state_names[] = {
	{ JOB_RECEIVING, "receiving" },
	{ JOB_QUEUED, "queued" },
	{ JOB_WAITING, "waiting" },
	{ JOB_RUNNING, "running" },
	{ JOB_SUSPENDED, "suspended" },
	{ JOB_EXECUTING, "executing" },
	{ JOB_COMPLETED, "completed" },
	{ JOB_FAILED, "failed" },
	{ JOB_INTERRUPTED, "interrupted" },
	{ JOB_CANCELED, "canceled" },
	{ 0, NULL },
};
ENUM_WORDS(job_state, job_state)

bool job_state_final(enum job_state s)
{
	return s == JOB_COMPLETED || s == JOB_FAILED || s == JOB_INTERRUPTED || s == JOB_CANCELED;
}

const struct enum_name print_sides_names[] = {
	{ SIDES_UNSET, "" },
	{ SIDES_ONE, "one-sided" },
	{ SIDES_LONG_EDGE, "two-sided-long-edge" },
	{ SIDES_SHORT_EDGE, "two-sided-short-edge" },
	{ 0, NULL },
};
ENUM_WORDS(print_sides, print_sides)

const struct enum_name print_color_names[] = {
	{ COLOR_UNSET, "" },
	{ COLOR_AUTO, "auto" },
	{ COLOR_COLOR, "color" },
	{ COLOR_MONOCHROME, "monochrome" },
	{ 0, NULL },
};
ENUM_WORDS(print_color, print_color)

const struct enum_name path_kind_names[] = {
	{ PATH_NONE, "" },
	{ PATH_TUNNEL, "tunnel" },
	{ PATH_DIRECT, "direct" },
	{ 0, NULL },
};
ENUM_WORDS(path_kind, path_kind)

const struct enum_name path_state_names[] = {
	{ PATH_OPENING, "opening" },
	{ PATH_ACTIVE, "active" },
	{ PATH_DRAINING, "draining" },
	{ PATH_CLOSED, "closed" },
	{ 0, NULL },
};
ENUM_WORDS(path_state, path_state)

const struct enum_name service_kind_names[] = {
	{ SERVICE_AGENT, "agent" },
	{ SERVICE_WEBDAV, "webdav" },
	{ SERVICE_IPP, "ipp" },
	{ SERVICE_SMB, "smb" },
	{ 0, NULL },
};
ENUM_WORDS(service_kind, service_kind)

const struct enum_name cipher_names[] = {
	{ CIPHER_AES_GCM_128, "aes-gcm-128" },
	{ CIPHER_AES_GCM_256, "aes-gcm-256" },
	{ CIPHER_CHACHA20_POLY1305, "chacha20-poly1305" },
	{ 0, NULL },
};
ENUM_WORDS(cipher, cipher)

_Static_assert((int)CIPHER_AES_GCM_128 == (int)SHUNT_CIPHER_AES_GCM_128 &&
		       (int)CIPHER_AES_GCM_256 == (int)SHUNT_CIPHER_AES_GCM_256 &&
		       (int)CIPHER_CHACHA20_POLY1305 == (int)SHUNT_CIPHER_CHACHA20_POLY1305,
	       "the kernel takes these numbers");

size_t cipher_key_len(enum cipher c)
{
	/* RFC 4106 8.1, RFC 7634 2: the key is followed by a 4-octet salt. */
	return (c == CIPHER_AES_GCM_128 ? 16 : 32) + 4;
}

const struct enum_name ip_proto_names[] = {
	{ PROTO_ICMP, "icmp" },
	{ PROTO_TCP, "tcp" },
	{ PROTO_UDP, "udp" },
	{ 0, NULL },
};
ENUM_WORDS(ip_proto, ip_proto)

/* ---- names and ids ---- */

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-';
}

bool name_ok_n(const char *s, size_t n)
{
	if (!n || n >= NAME_LEN)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!name_char(s[i]))
			return false;
	}
	return !(s[0] == '.' && (n == 1 || (n == 2 && s[1] == '.')));
}

bool name_ok(const char *s)
{
	return name_ok_n(s, strnlen(s, NAME_LEN));
}

bool pin_ok(const char *s)
{
	static const char begin[] = "sha256//";
	const size_t n = sizeof(begin) - 1;

	return strnlen(s, PIN_LEN) == PIN_LEN - 1 && !strncmp(s, begin, n) &&
	       strspn(s + n, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") ==
		       PIN_LEN - 2 - n &&
	       s[PIN_LEN - 2] == '=';
}

/* Exactly @n lower-case hex digits. */
static bool hex_ok(const char *s, size_t n)
{
	return strnlen(s, n + 1) == n && strspn(s, "0123456789abcdef") == n;
}

bool id_ok(const char *s)
{
	return hex_ok(s, ID_LEN - 1);
}

bool sha256_str_ok(const char *s)
{
	return hex_ok(s, SHA256_STR_LEN - 1);
}

int id_random(char out[ID_LEN])
{
	uint8_t raw[16];
	ssize_t n;

	/* Up to 256 octets come whole once the pool is ready; only waiting for it can be
	 * interrupted (getrandom(2)).
	 */
	do
		n = getrandom(raw, sizeof(raw), 0);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(raw))
		return n < 0 ? -errno : -EIO;
	hex_encode(raw, sizeof(raw), out);
	explicit_bzero(raw, sizeof(raw)); /* may become a token */
	return 0;
}

char *tunnel_id_print(uint32_t spi, char out[TUNNEL_ID_LEN])
{
	snprintf(out, TUNNEL_ID_LEN, "%08" PRIx32, spi);
	return out;
}

int tunnel_id_parse(const char *s, uint32_t *spi)
{
	uint8_t raw[4];

	if (!hex_ok(s, TUNNEL_ID_LEN - 1) || hex_decode(s, raw, sizeof(raw)))
		return -SHUNT_EPARSE;
	*spi = (uint32_t)raw[0] << 24 | (uint32_t)raw[1] << 16 | (uint32_t)raw[2] << 8 | raw[3];
	return 0;
}

void hex_encode(const void *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[b[i] >> 4];
		out[2 * i + 1] = digits[b[i] & 15];
	}
	out[2 * n] = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hex_decode(const char *s, void *out, size_t n)
{
	uint8_t *b = out;

	if (strnlen(s, 2 * n + 1) != 2 * n)
		return -SHUNT_EPARSE;
	for (size_t i = 0; i < 2 * n; i++) {
		if (hex_digit(s[i]) < 0)
			return -SHUNT_EPARSE;
	}
	for (size_t i = 0; i < n; i++)
		b[i] = (uint8_t)(hex_digit(s[2 * i]) << 4 | hex_digit(s[2 * i + 1]));
	return 0;
}

bool secret_equal(const void *a, const void *b, size_t n)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t diff = 0;

	for (size_t i = 0; i < n; i++)
		diff |= x[i] ^ y[i];
	return diff == 0;
}

int u64_parse(const char *s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (!*s || (s[0] == '0' && s[1]))
		return -SHUNT_EPARSE;
	for (; *s; s++) {
		uint64_t d = (uint64_t)(*s - '0');

		if (*s < '0' || *s > '9' || d > max || v > (max - d) / 10)
			return -SHUNT_EPARSE;
		v = v * 10 + d;
	}
	*out = v;
	return 0;
}

bool utf8_ok(const char *str, size_t n)
{
	const unsigned char *s = (const unsigned char *)str, *end = s + n;

	while (s < end) {
		uint32_t cp, min;
		size_t more;

		if (*s && *s < 0x80) {
			s++;
			continue;
		}
		/* RFC 3629 4; overlong forms and surrogates are refused below. */
		if ((*s & 0xe0) == 0xc0)
			more = 1, cp = *s & 0x1f, min = 0x80;
		else if ((*s & 0xf0) == 0xe0)
			more = 2, cp = *s & 0x0f, min = 0x800;
		else if ((*s & 0xf8) == 0xf0)
			more = 3, cp = *s & 0x07, min = 0x10000;
		else
			return false;
		if ((size_t)(end - s) <= more)
			return false;
		for (s++; more--; s++) {
			if ((*s & 0xc0) != 0x80)
				return false;
			cp = cp << 6 | (*s & 0x3f);
		}
		if (cp < min || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
			return false;
	}
	return true;
}

/* RFC 9110 5.6.2 tchar. */
static size_t token_span(const char *s)
{
	return strspn(s, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
			 "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

bool media_type_ok(const char *s)
{
	size_t n;

	if (strnlen(s, MEDIA_TYPE_LEN) >= MEDIA_TYPE_LEN)
		return false;
	n = token_span(s);
	if (!n || s[n] != '/')
		return false;
	s += n + 1;
	n = token_span(s);
	if (!n)
		return false;
	s += n;
	if (!*s)
		return true;
	/* Parameters are passed on, never looked at; it is enough that they are harmless. */
	for (n = strspn(s, " "); s[n]; n++) {
		if (s[n] < 0x20 || s[n] > 0x7e)
			return false;
	}
	return s[strspn(s, " ")] == ';';
}

/* ---- parties ---- */

int party_parse(const char *s, struct party *out)
{
	static const char scheme[] = "shunt:";
	char word[16];
	struct party p = { 0 };
	const char *name;
	size_t n;

	if (strncmp(s, scheme, sizeof(scheme) - 1))
		return -SHUNT_EPARSE;
	s += sizeof(scheme) - 1;
	name = strchr(s, ':');
	n = name ? (size_t)(name - s) : 0;
	if (!n || n >= sizeof(word))
		return -SHUNT_EPARSE;
	memcpy(word, s, n);
	word[n] = '\0';
	name++;
	if (role_parse(word, &p.role) || !name_ok(name))
		return -SHUNT_EPARSE;
	memcpy(p.name, name, strlen(name));
	*out = p;
	return 0;
}

char *party_print(const struct party *p, char out[PARTY_STR_LEN])
{
	snprintf(out, PARTY_STR_LEN, "shunt:%s:%s", role_str(p->role), p->name);
	return out;
}

bool party_equal(const struct party *a, const struct party *b)
{
	return a->role == b->role && !strcmp(a->name, b->name);
}

/* ---- Content-Range ---- */

/* 1*DIGIT up to @end; leading zeros are allowed by the grammar (RFC 9110 14.4). */
static int decimal(const char **s, char end, uint64_t *out)
{
	uint64_t v = 0;
	const char *p = *s;

	for (; *p >= '0' && *p <= '9'; p++) {
		v = v * 10 + (uint64_t)(*p - '0');
		if (v > CONTENT_SIZE_MAX)
			return -SHUNT_EPARSE;
	}
	if (p == *s || *p != end)
		return -SHUNT_EPARSE;
	*s = end ? p + 1 : p;
	*out = v;
	return 0;
}

int content_range_parse(const char *s, struct content_range *out)
{
	struct content_range r;
	uint64_t last;

	/* The range unit is case-insensitive (14.1). */
	if (strncasecmp(s, "bytes ", 6))
		return -SHUNT_EPARSE;
	s += 6;
	if (decimal(&s, '-', &r.from) || decimal(&s, '/', &last))
		return -SHUNT_EPARSE;
	if (!strcmp(s, "*"))
		r.size = CONTENT_SIZE_UNKNOWN;
	else if (decimal(&s, '\0', &r.size))
		return -SHUNT_EPARSE;
	r.to = last + 1;
	if (last < r.from || r.to > r.size || r.to > CONTENT_SIZE_MAX)
		return -SHUNT_EPARSE;
	*out = r;
	return 0;
}

char *content_range_print(const struct content_range *r, char out[CONTENT_RANGE_STR_LEN])
{
	int n = snprintf(out, CONTENT_RANGE_STR_LEN, "bytes %" PRIu64 "-%" PRIu64 "/", r->from,
			 r->to - 1);

	if (r->size == CONTENT_SIZE_UNKNOWN)
		snprintf(out + n, CONTENT_RANGE_STR_LEN - (size_t)n, "*");
	else
		snprintf(out + n, CONTENT_RANGE_STR_LEN - (size_t)n, "%" PRIu64, r->size);
	return out;
}

int range_request_parse(const char *s, uint64_t size, uint64_t *from, uint64_t *to)
{
	uint64_t first, last = CONTENT_SIZE_MAX;

	if (strncasecmp(s, "bytes=", 6))
		return -SHUNT_EPARSE;
	s += 6;
	if (*s == '-') {
		/* The last so many bytes; of none there is no last one. */
		s++;
		if (decimal(&s, '\0', &last))
			return -SHUNT_EPARSE;
		if (!last || !size)
			return -ERANGE;
		*from = last < size ? size - last : 0;
		*to = size;
		return 0;
	}
	if (decimal(&s, '-', &first) || (*s && decimal(&s, '\0', &last)) || last < first)
		return -SHUNT_EPARSE;
	if (first >= size)
		return -ERANGE;
	*from = first;
	*to = last < size ? last + 1 : size;
	return 0;
}
