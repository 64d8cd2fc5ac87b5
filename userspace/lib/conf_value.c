// SPDX-License-Identifier: GPL-2.0-or-later
/* conf_value: text to field and back. */
#include "lib/conf_value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* Smallest first; the first is what a bare 0 means. */
static const struct unit durations[] = {
	{ "ms", 1 },	  { "s", 1000 },     { "m", 60000 },
	{ "h", 3600000 }, { "d", 86400000 }, { NULL, 0 },
};

static const struct unit sizes[] = {
	{ "", 1 },	     { "K", 1ULL << 10 }, { "M", 1ULL << 20 },
	{ "G", 1ULL << 30 }, { "T", 1ULL << 40 }, { NULL, 0 },
};

static const struct unit rates[] = {
	{ "bit", 1 },
	{ "kbit", 1000 },
	{ "mbit", 1000000 },
	{ "gbit", 1000000000 },
	{ "tbit", 1000000000000ULL },
	{ NULL, 0 },
};

static int unit_parse(const struct unit *u, const char *s, uint64_t *out)
{
	size_t n = strspn(s, "0123456789");
	char digits[21];
	uint64_t v;

	if (!n || (s[0] == '0' && n > 1))
		return -SHUNT_EPARSE;
	if (n >= sizeof(digits))
		return -ERANGE;
	memcpy(digits, s, n);
	digits[n] = '\0';
	if (u64_parse(digits, UINT64_MAX, &v))
		return -ERANGE;
	for (; u->name; u++) {
		if (strcmp(s + n, u->name) && !(v == 0 && !s[n]))
			continue;
		if (v > UINT64_MAX / u->factor)
			return -ERANGE;
		*out = v * u->factor;
		return 0;
	}
	return -SHUNT_EPARSE;
}

/* In the largest unit that gives a whole number. */
static char *unit_print(const struct unit *u, uint64_t v, char *out, size_t n)
{
	const struct unit *best = u;

	for (; v && u->name; u++) {
		if (v % u->factor == 0)
			best = u;
	}
	snprintf(out, n, "%" PRIu64 "%s", v / best->factor, v ? best->name : "");
	return out;
}

int duration_parse(const char *s, uint64_t *ms)
{
	return unit_parse(durations, s, ms);
}

int size_parse(const char *s, uint64_t *bytes)
{
	return unit_parse(sizes, s, bytes);
}

int rate_parse(const char *s, uint64_t *bps)
{
	return unit_parse(rates, s, bps);
}

char *duration_print(uint64_t ms, char *out, size_t n)
{
	return unit_print(durations, ms, out, n);
}

char *size_print(uint64_t bytes, char *out, size_t n)
{
	return unit_print(sizes, bytes, out, n);
}

char *rate_print(uint64_t bps, char *out, size_t n)
{
	return unit_print(rates, bps, out, n);
}

/* ---- one field ---- */

bool conf_is_list(const struct conf_row *row)
{
	return row->type == CONF_LIST || row->type == CONF_PREFIXES;
}

static uint64_t row_max(const struct conf_row *row)
{
	return row->type == CONF_U32 && row->max > UINT32_MAX ? UINT32_MAX : row->max;
}

static char *amount_print(const struct conf_row *row, uint64_t v, char *out, size_t n)
{
	switch (row->type) {
	case CONF_DURATION:
		return duration_print(v, out, n);
	case CONF_SIZE:
		return size_print(v, out, n);
	case CONF_RATE:
		return rate_print(v, out, n);
	default:
		snprintf(out, n, "%" PRIu64, v);
		return out;
	}
}

void conf_value_describe(const struct conf_row *row, char *out, size_t n)
{
	static const char *const text[] = {
		[CONF_STRING] = "text",
		[CONF_PATH] = "path",
		[CONF_NAME] = "name, 1 to 63 of A-Z a-z 0-9 . _ -",
		[CONF_U32] = "number",
		[CONF_DURATION] = "duration such as 250ms, 5s, 10m, 2h",
		[CONF_SIZE] = "size such as 4096, 64K, 64M, 2G",
		[CONF_RATE] = "rate such as 800kbit, 40mbit, 1gbit",
		[CONF_ADDR] = "IP address",
		[CONF_ENDPOINT] = "ADDRESS:PORT",
		[CONF_PREFIX] = "prefix such as 192.168.1.0/24",
		[CONF_BOOL] = "true or false",
		[CONF_ENUM] = "",
		[CONF_LIST] = "list of texts",
		[CONF_PREFIXES] = "list of prefixes such as 192.168.1.0/24",
	};
	char lo[32], hi[32];
	int len;

	if (row->type == CONF_ENUM) {
		enum_list(row->names, out, n);
		return;
	}
	len = snprintf(out, n, "%s", text[row->type]);
	if (row->type < CONF_U32 || row->type > CONF_RATE || len < 0 || (size_t)len >= n)
		return;
	amount_print(row, row->min, lo, sizeof(lo));
	amount_print(row, row_max(row), hi, sizeof(hi));
	if (row_max(row) != UINT64_MAX)
		snprintf(out + len, n - (size_t)len, ", %s..%s", lo, hi);
	else if (row->min)
		snprintf(out + len, n - (size_t)len, ", at least %s", lo);
}

static int refuse(const struct conf_row *row, char *fault)
{
	char what[CONF_FAULT_MAX - 16];
	const char *article = "";

	conf_value_describe(row, what, sizeof(what));
	if (row->type != CONF_ENUM && row->type != CONF_BOOL)
		article = strchr("AEIOaeio", what[0]) ? "an " : "a ";
	snprintf(fault, CONF_FAULT_MAX, "must be %s%s", article, what);
	return -SHUNT_ECONF;
}

static int set_text(const struct conf_row *row, char **field, const char *s, char *fault)
{
	size_t n = strlen(s);
	char *copy = NULL;

	if (!utf8_ok(s, n) || strpbrk(s, "\n\r")) {
		snprintf(fault, CONF_FAULT_MAX, "must be one line of UTF-8 text");
		return -SHUNT_ECONF;
	}
	if (row->type == CONF_NAME && !name_ok(s))
		return refuse(row, fault);
	if (row->type == CONF_PATH && (!n || n >= 4096)) {
		snprintf(fault, CONF_FAULT_MAX, "must be a path of 1..4095 bytes");
		return -SHUNT_ECONF;
	}
	if (n < row->min || n > row->max) {
		snprintf(fault, CONF_FAULT_MAX, "must have %" PRIu64 "..%" PRIu64 " bytes",
			 row->min, row->max);
		return -SHUNT_ECONF;
	}
	/* "" means unset. */
	if (n) {
		copy = strdup(s);
		if (!copy)
			return -ENOMEM;
	}
	if (*field && row->flags & CONF_SECRET)
		explicit_bzero(*field, strlen(*field));
	free(*field);
	*field = copy;
	return 0;
}

static int set_amount(const struct conf_row *row, void *field, const char *s, char *fault)
{
	uint64_t v;
	int ret;

	switch (row->type) {
	case CONF_DURATION:
		ret = duration_parse(s, &v);
		break;
	case CONF_SIZE:
		ret = size_parse(s, &v);
		break;
	case CONF_RATE:
		ret = rate_parse(s, &v);
		break;
	default:
		ret = u64_parse(s, UINT64_MAX, &v);
	}
	if (ret || v < row->min || v > row_max(row))
		return refuse(row, fault);
	if (row->type == CONF_U32)
		*(uint32_t *)field = (uint32_t)v;
	else
		*(uint64_t *)field = v;
	return 0;
}

static int set_bool(const struct conf_row *row, bool *field, const char *s, char *fault)
{
	static const struct enum_name words[] = {
		{ 1, "true" }, { 1, "yes" }, { 1, "on" }, { 0, "false" },
		{ 0, "no" },   { 0, "off" }, { 0, NULL },
	};
	int v;

	if (enum_parse(words, s, &v))
		return refuse(row, fault);
	*field = v;
	return 0;
}

int conf_value_set(const struct conf_row *row, void *out, const char *s, char fault[CONF_FAULT_MAX])
{
	void *field = (char *)out + row->offset;
	int ret;

	switch (row->type) {
	case CONF_STRING:
	case CONF_PATH:
	case CONF_NAME:
		return set_text(row, field, s, fault);
	case CONF_U32:
	case CONF_DURATION:
	case CONF_SIZE:
	case CONF_RATE:
		return set_amount(row, field, s, fault);
	case CONF_BOOL:
		return set_bool(row, field, s, fault);
	case CONF_ADDR:
		ret = addr_parse(s, field);
		break;
	case CONF_ENDPOINT:
		ret = (row->min ? endpoint_parse : endpoint_parse_any)(s, field);
		break;
	case CONF_PREFIX:
		ret = prefix_parse(s, field);
		break;
	case CONF_ENUM:
		ret = enum_parse(row->names, s, field);
		break;
	default:
		return -EINVAL;
	}
	return ret ? refuse(row, fault) : 0;
}

/* ---- lists ---- */

void conf_value_clear(const struct conf_row *row, void *out)
{
	void *field = (char *)out + row->offset;

	if (row->type == CONF_LIST) {
		struct conf_list *l = field;

		for (size_t i = 0; i < l->n; i++)
			free(l->v[i]);
		free(l->v);
		*l = (struct conf_list){ 0 };
	} else if (row->type == CONF_PREFIXES) {
		struct conf_prefixes *p = field;

		free(p->v);
		*p = (struct conf_prefixes){ 0 };
	}
}

static int list_room(void *v, size_t n, size_t size, char *fault)
{
	void *grown;

	if (n >= CONF_LIST_MAX) {
		snprintf(fault, CONF_FAULT_MAX, "must have at most %d items", CONF_LIST_MAX);
		return -SHUNT_ECONF;
	}
	grown = realloc(*(void **)v, (n + 1) * size);
	if (!grown)
		return -ENOMEM;
	*(void **)v = grown;
	return 0;
}

int conf_value_add(const struct conf_row *row, void *out, const char *s, char fault[CONF_FAULT_MAX])
{
	void *field = (char *)out + row->offset;
	int ret;

	if (row->type == CONF_LIST) {
		const struct conf_row text = { .type = CONF_STRING, .min = 1, .max = 4095 };
		struct conf_list *l = field;
		char *item = NULL;

		ret = set_text(&text, &item, s, fault);
		if (!ret)
			ret = list_room(&l->v, l->n, sizeof(*l->v), fault);
		if (ret)
			free(item);
		else
			l->v[l->n++] = item;
	} else {
		struct conf_prefixes *p = field;
		struct shunt_prefix item;

		if (prefix_parse(s, &item))
			return refuse(row, fault);
		ret = list_room(&p->v, p->n, sizeof(*p->v), fault);
		if (!ret)
			p->v[p->n++] = item;
	}
	return ret;
}

/* ---- print ---- */

static void print_quoted(const char *s, struct buf *out)
{
	/* Single quotes: no ${} in there, and only \ and ' need an escape. */
	buf_putc(out, '\'');
	for (; *s; s++) {
		if (*s == '\'' || *s == '\\')
			buf_putc(out, '\\');
		buf_putc(out, (uint8_t)*s);
	}
	buf_putc(out, '\'');
}

static bool print_list(const struct conf_row *row, const void *field, struct buf *out)
{
	const struct conf_list *l = field;
	const struct conf_prefixes *p = field;
	size_t n = row->type == CONF_LIST ? l->n : p->n;
	char s[PREFIX_STR_LEN];

	buf_puts(out, "{");
	for (size_t i = 0; i < n; i++) {
		buf_puts(out, i ? ", " : "");
		print_quoted(row->type == CONF_LIST ? l->v[i] : prefix_print(&p->v[i], s), out);
	}
	buf_puts(out, "}");
	return true;
}

bool conf_value_print(const struct conf_row *row, const void *in, struct buf *out)
{
	const void *field = (const char *)in + row->offset;
	char s[64] = "";

	switch (row->type) {
	case CONF_STRING:
	case CONF_PATH:
	case CONF_NAME:
		if (!*(char *const *)field)
			return false;
		print_quoted(*(char *const *)field, out);
		return true;
	case CONF_LIST:
	case CONF_PREFIXES:
		return print_list(row, field, out);
	case CONF_U32:
		buf_printf(out, "%" PRIu32, *(const uint32_t *)field);
		return true;
	case CONF_DURATION:
	case CONF_SIZE:
	case CONF_RATE:
		amount_print(row, *(const uint64_t *)field, s, sizeof(s));
		break;
	case CONF_ADDR:
		addr_print(field, s);
		break;
	case CONF_ENDPOINT:
		endpoint_print(field, s);
		break;
	case CONF_PREFIX:
		prefix_print(field, s);
		break;
	case CONF_BOOL:
		buf_puts(out, *(const bool *)field ? "true" : "false");
		return true;
	case CONF_ENUM:
		buf_puts(out, enum_str(row->names, *(const int *)field));
		return true;
	}
	if (!*s)
		return false;
	if (strpbrk(s, ":/["))
		print_quoted(s, out);
	else
		buf_puts(out, s);
	return true;
}
