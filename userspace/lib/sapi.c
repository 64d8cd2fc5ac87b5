// SPDX-License-Identifier: GPL-2.0-or-later
/* sapi: walks the tables of sapi_tables.c between JSON and structs. The only user of jansson. */
#include "lib/sapi_schema.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where we are, for error texts: a chain of frames on the stack. */
struct place {
	const struct place *up;
	const char *name; /* NULL = array item */
	size_t index;
};

static void place_print(const struct place *p, struct buf *out)
{
	if (!p)
		return;
	place_print(p->up, out);
	if (!p->name)
		buf_printf(out, "[%zu]", p->index);
	else
		buf_printf(out, "%s%s", out->len ? "." : "", p->name);
}

__attribute__((format(printf, 3, 4))) static int fail(struct err *e, const struct place *at,
						      const char *fmt, ...)
{
	struct buf path;
	va_list ap;

	if (!e)
		return -SHUNT_EFIELD;
	buf_init_max(&path, 256);
	place_print(at, &path);
	va_start(ap, fmt);
	err_vset(e, -SHUNT_EFIELD, fmt, ap);
	va_end(ap);
	err_prefix(e, "%s", path.len ? buf_str(&path) : "body");
	buf_fini(&path);
	return -SHUNT_EFIELD;
}

/* ---- integers of any width ---- */

static void int_store(void *p, size_t size, int64_t v)
{
	switch (size) {
	case 1:
		*(uint8_t *)p = (uint8_t)v;
		break;
	case 2:
		*(uint16_t *)p = (uint16_t)v;
		break;
	case 4:
		*(uint32_t *)p = (uint32_t)v;
		break;
	default:
		*(uint64_t *)p = (uint64_t)v;
	}
}

/* Four octets are read with sign, so that a default of -1 compares; real values are below 2^53. */
static int64_t int_load(const void *p, size_t size, bool sign)
{
	switch (size) {
	case 1:
		return *(const uint8_t *)p;
	case 2:
		return *(const uint16_t *)p;
	case 4:
		return sign ? (int64_t) * (const int32_t *)p : (int64_t) * (const uint32_t *)p;
	default:
		return *(const int64_t *)p;
	}
}

static int64_t field_int(const struct field *f, const void *p)
{
	return int_load(p, f->size, f->def < 0);
}

static bool field_applies(const struct field *f, const void *base)
{
	int64_t v;

	if (!f->cond_mask)
		return true;
	v = int_load((const char *)base + f->cond, f->cond_size, false);
	return v >= 0 && v < 32 && (f->cond_mask >> v & 1);
}

/* ---- strings ---- */

/* NULL when @s is fine for @f, else what it must be. */
static const char *str_fault(const struct field *f, const char *s)
{
	size_t n = strnlen(s, f->size);

	if (!n && f->flags & F_EMPTY)
		return NULL;
	switch (f->type) {
	case F_NAME:
		return name_ok(s) ? NULL : "must be 1 to 63 of A-Z a-z 0-9 . _ -";
	case F_ID:
		return id_ok(s) ? NULL : "must be 32 lower-case hex digits";
	case F_SHA256:
		return sha256_str_ok(s) ? NULL : "must be 64 lower-case hex digits";
	case F_MEDIA:
		return media_type_ok(s) ? NULL : "must be a media type such as application/pdf";
	default:
		break;
	}
	if (n >= f->size)
		return "is too long";
	if (n < f->min)
		return "must not be empty";
	if (!utf8_ok(s, n))
		return "must be UTF-8";
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return "must not contain control characters";
	}
	if (f->type == F_ABSPATH && s[0] != '/')
		return "must begin with \"/\"";
	return NULL;
}

/* Cut to the field at a character boundary; control characters and broken UTF-8 become blanks. */
static void text_store(char *out, size_t size, const char *s)
{
	size_t o = 0;

	while (*s) {
		unsigned char c = (unsigned char)*s;
		size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

		if (c < 0x20 || c == 0x7f || strnlen(s, n) < n || !utf8_ok(s, n) ||
		    (c == 0xc2 && (unsigned char)s[1] < 0xa0)) {
			if (o + 1 >= size)
				break;
			out[o++] = ' ';
			s++;
			continue;
		}
		if (o + n >= size)
			break;
		memcpy(out + o, s, n);
		o += n;
		s += n;
	}
	out[o] = '\0';
}

/* ---- decode ---- */

static int object_decode(const struct sapi_schema *s, const json_t *j, void *out,
			 const struct place *at, struct err *e);

/* Text to address and the like; NULL when it went well. */
static const char *word_decode(const struct field *f, const char *s, void *p)
{
	int v;

	if (!*s && f->flags & F_EMPTY)
		return NULL; /* the struct is zeroed */
	switch (f->type) {
	case F_TIME:
		/* The epoch itself is our "not yet". */
		return clock_parse(s, p) || !*(int64_t *)p ? "must be an RFC 3339 time" : NULL;
	case F_ADDR:
		return addr_parse(s, p) ? "must be an IP address" : NULL;
	case F_ENDPOINT:
		return endpoint_parse(s, p) ? "must be ADDRESS:PORT" : NULL;
	case F_TUNNEL:
		return tunnel_id_parse(s, p) ? "must be 8 lower-case hex digits" : NULL;
	case F_CONST:
		return strcmp(s, f->word) ? "is another kind of record" : NULL;
	case F_TEXT:
		text_store(p, f->size, s);
		return NULL;
	case F_ENUM:
		if (enum_parse(f->names, s, &v))
			return ""; /* the words are listed by the caller */
		int_store(p, f->size, v);
		return NULL;
	default: {
		const char *fault = strlen(s) >= f->size ? "is too long" : str_fault(f, s);

		if (!fault)
			memcpy(p, s, strlen(s) + 1);
		return fault;
	}
	}
}

static int string_decode(const struct field *f, const json_t *j, void *p, const struct place *at,
			 struct err *e)
{
	const char *fault;
	char words[160];

	if (!json_is_string(j))
		return fail(e, at, "must be a string");
	fault = word_decode(f, json_string_value(j), p);
	if (!fault)
		return 0;
	if (f->type == F_ENUM)
		return fail(e, at, "must be %s", enum_list(f->names, words, sizeof(words)));
	return fail(e, at, "%s", fault);
}

static int int_decode(const struct field *f, const json_t *j, void *p, const struct place *at,
		      struct err *e)
{
	json_int_t v;

	if (!json_is_integer(j))
		return fail(e, at, "must be an integer");
	v = json_integer_value(j);
	if (v < 0 || (uint64_t)v < f->min || (uint64_t)v > f->max)
		return fail(e, at, "must be %" PRIu64 "..%" PRIu64, f->min, f->max);
	int_store(p, f->size, v);
	return 0;
}

static int bits_decode(const struct field *f, const json_t *j, uint32_t *out,
		       const struct place *at, struct err *e)
{
	struct place item = { .up = at };
	char words[160];
	int v;

	if (!json_is_array(j))
		return fail(e, at, "must be an array");
	for (; item.index < json_array_size(j); item.index++) {
		const char *s = json_string_value(json_array_get(j, item.index));

		if (!s || enum_parse(f->names, s, &v))
			return fail(e, &item, "must be %s",
				    enum_list(f->names, words, sizeof(words)));
		*out |= 1u << v;
	}
	return 0;
}

static int words_decode(const struct field *f, const json_t *j, void *base, const struct place *at,
			struct err *e)
{
	size_t *count = (size_t *)((char *)base + f->count);
	struct place item = { .up = at };
	char *word = (char *)base + f->offset;

	if (!json_is_array(j))
		return fail(e, at, "must be an array");
	if (json_array_size(j) > f->max)
		return fail(e, at, "must have at most %" PRIu64 " items", f->max);
	for (; item.index < json_array_size(j); item.index++) {
		const char *s = json_string_value(json_array_get(j, item.index));

		if (!s)
			return fail(e, &item, "must be a string");
		text_store(word, f->size, s);
		if (*word) {
			word += f->size;
			++*count;
		}
	}
	return 0;
}

/* Pairs [from, to) of integers, in any order; ranges_add() merges and bounds them. */
static int ranges_decode(const json_t *j, struct ranges *out, const struct place *at, struct err *e)
{
	struct place item = { .up = at };

	if (!json_is_array(j))
		return fail(e, at, "must be an array");
	for (; item.index < json_array_size(j); item.index++) {
		const json_t *pair = json_array_get(j, item.index);
		const json_t *a = json_array_get(pair, 0), *b = json_array_get(pair, 1);
		json_int_t from = json_integer_value(a), to = json_integer_value(b);
		int ret;

		if (json_array_size(pair) != 2 || !json_is_integer(a) || !json_is_integer(b) ||
		    from < 0 || from >= to || (uint64_t)to > CONTENT_SIZE_MAX)
			return fail(e, &item, "must be a pair of integers [from, to), from < to");
		ret = ranges_add(out, (uint64_t)from, (uint64_t)to, NULL);
		if (ret)
			return ret == -ENOMEM ? ret : fail(e, at, "has too many ranges");
	}
	return 0;
}

static int items_decode(const struct field *f, const json_t *j, void *base, const struct place *at,
			struct err *e)
{
	size_t *count = (size_t *)((char *)base + f->count);
	struct place item = { .up = at };
	char *items = (char *)base + f->offset;
	size_t n = json_array_size(j);
	int ret;

	if (!json_is_array(j))
		return fail(e, at, "must be an array");
	if (n < f->min || n > f->max)
		return fail(e, at, "must have %" PRIu64 "..%" PRIu64 " items", f->min, f->max);
	if (f->type == F_LIST) {
		if (!n)
			return 0;
		items = calloc(n, f->sub->size);
		if (!items)
			return -ENOMEM;
		*(void **)((char *)base + f->offset) = items;
	}
	for (; item.index < n; item.index++) {
		/* Counted first, so that sapi_fini() reaches a half-filled item. */
		*count = item.index + 1;
		ret = object_decode(f->sub, json_array_get(j, item.index),
				    items + item.index * f->sub->size, &item, e);
		if (ret)
			return ret;
	}
	return 0;
}

static int value_decode(const struct field *f, const json_t *j, void *base, const struct place *at,
			struct err *e)
{
	void *p = (char *)base + f->offset;

	switch (f->type) {
	case F_BOOL:
		if (!json_is_boolean(j))
			return fail(e, at, "must be true or false");
		*(bool *)p = json_is_true(j);
		return 0;
	case F_INT:
		return int_decode(f, j, p, at, e);
	case F_BITS:
		return bits_decode(f, j, p, at, e);
	case F_WORDS:
		return words_decode(f, j, base, at, e);
	case F_RANGES:
		return ranges_decode(j, p, at, e);
	case F_OBJECT:
		return object_decode(f->sub, j, p, at, e);
	case F_ARRAY:
	case F_LIST:
		return items_decode(f, j, base, at, e);
	default:
		return string_decode(f, j, p, at, e);
	}
}

static void value_default(const struct field *f, void *base)
{
	if (f->type == F_INT)
		int_store((char *)base + f->offset, f->size, f->def);
	else if (f->type == F_BOOL)
		*(bool *)((char *)base + f->offset) = f->def;
	else if (f->word)
		memcpy((char *)base + f->offset, f->word, strlen(f->word) + 1);
}

static int fields_decode(const struct sapi_schema *s, const json_t *j, void *out,
			 const struct place *up, struct err *e)
{
	int ret = 0;

	for (const struct field *f = s->fields; f->name && !ret; f++) {
		struct place at = { .up = up, .name = f->name };
		const json_t *v;

		if (f->type == F_FLAT) {
			ret = fields_decode(f->sub, j, (char *)out + f->offset, up, e);
			continue;
		}
		v = json_object_get(j, f->name);
		if (!field_applies(f, out)) {
			if (v && f->type == F_OBJECT)
				ret = fail(e, &at, "does not belong here");
		} else if (v) {
			ret = value_decode(f, v, out, &at, e);
		} else if (f->flags & F_OPT) {
			value_default(f, out);
		} else {
			ret = fail(e, &at, "is missing");
		}
	}
	if (!ret && s->check && s->check(out, e)) {
		struct buf path;

		buf_init_max(&path, 256);
		place_print(up, &path);
		if (path.len)
			err_prefix(e, "%s", buf_str(&path));
		buf_fini(&path);
		ret = -SHUNT_EFIELD;
	}
	return ret;
}

static int object_decode(const struct sapi_schema *s, const json_t *j, void *out,
			 const struct place *at, struct err *e)
{
	if (!json_is_object(j))
		return fail(e, at, "must be an object");
	return fields_decode(s, j, out, at, e);
}

/* Depth of nesting, before the parser recurses over it. */
static size_t json_depth(const char *s, size_t len)
{
	size_t depth = 0, max = 0;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		if (quoted && s[i] == '\\')
			i++;
		else if (s[i] == '"')
			quoted = !quoted;
		else if (!quoted && (s[i] == '{' || s[i] == '['))
			max = ++depth > max ? depth : max;
		else if (!quoted && depth && (s[i] == '}' || s[i] == ']'))
			depth--;
	}
	return max;
}

static int json_read(const void *json, size_t len, size_t max, json_t **out, struct err *e)
{
	json_error_t je;
	char *near;

	if (len > max)
		return err_set(e, -SHUNT_EPARSE, "body: longer than %zu bytes", max);
	if (json_depth(json, len) > SAPI_DEPTH_MAX)
		return err_set(e, -SHUNT_EPARSE, "body: nested deeper than %d", SAPI_DEPTH_MAX);
	*out = json_loadb(len ? json : "", len, JSON_REJECT_DUPLICATES, &je);
	if (*out)
		return 0;
	if (json_error_code(&je) == json_error_out_of_memory)
		return err_set(e, -ENOMEM, "body: out of memory");
	/* jansson quotes what it stumbled over, which may be a secret. */
	near = strstr(je.text, " near ");
	if (near)
		*near = '\0';
	return err_set(e, -SHUNT_EPARSE, "body: not JSON: line %d, column %d: %s", je.line,
		       je.column, je.text);
}

/* Bodies may carry tokens. What the parser itself copied around is beyond our reach. */
static void json_wipe(json_t *j)
{
	const char *key;
	json_t *v;
	size_t i;

	if (json_is_string(j)) {
		explicit_bzero((char *)(uintptr_t)json_string_value(j), json_string_length(j));
	} else if (json_is_array(j)) {
		json_array_foreach(j, i, v)
			json_wipe(v);
	} else if (json_is_object(j)) {
		json_object_foreach(j, key, v)
			json_wipe(v);
	}
}

static bool schema_secret(const struct sapi_schema *s)
{
	for (const struct field *f = s->fields; f->name; f++) {
		if (f->flags & F_SECRET || (f->sub && schema_secret(f->sub)))
			return true;
	}
	return false;
}

int sapi_decode(const struct sapi_schema *s, const void *json, size_t len, void *out, struct err *e)
{
	json_t *j;
	int ret;

	memset(out, 0, s->size);
	ret = json_read(json, len, s->limit, &j, e);
	if (ret)
		return ret;
	ret = object_decode(s, j, out, NULL, e);
	if (ret == -ENOMEM)
		err_set(e, ret, "body: out of memory");
	if (schema_secret(s))
		json_wipe(j);
	json_decref(j);
	if (ret) {
		sapi_fini(s, out);
		memset(out, 0, s->size);
	}
	return ret;
}

/* ---- fini ---- */

void sapi_fini(const struct sapi_schema *s, void *x)
{
	for (const struct field *f = s->fields; f->name; f++) {
		void *p = (char *)x + f->offset;

		if (f->flags & F_SECRET)
			explicit_bzero(p, f->size);
		if (f->type == F_OBJECT || f->type == F_FLAT)
			sapi_fini(f->sub, p);
		else if (f->type == F_RANGES)
			ranges_fini(p);
		if (f->type == F_LIST) {
			size_t *n = (size_t *)((char *)x + f->count);
			char *items = *(char **)p;

			for (size_t i = 0; items && i < *n; i++)
				sapi_fini(f->sub, items + i * f->sub->size);
			free(items);
			*(char **)p = NULL;
			*n = 0;
		}
	}
}

/* ---- encode ---- */

static json_t *object_encode(const struct sapi_schema *s, const void *x);

static json_t *string_encode(const struct field *f, const char *s)
{
	return str_fault(f, s) ? NULL : json_string(s);
}

static json_t *text_encode(const struct field *f, const char *s)
{
	char clean[SAPI_SPEC_LEN];
	size_t size = f->size < sizeof(clean) ? f->size : sizeof(clean);

	text_store(clean, size, s);
	return json_string(clean);
}

/* Bytes that have their word form in lib/types. */
static json_t *word_encode(const struct field *f, const void *p)
{
	char out[ENDPOINT_STR_LEN] = "";
	const char *word;

	switch (f->type) {
	case F_TIME:
		clock_print(*(const int64_t *)p, out);
		break;
	case F_ADDR:
		addr_print(p, out);
		break;
	case F_ENDPOINT:
		endpoint_print(p, out);
		break;
	case F_TUNNEL:
		if (*(const uint32_t *)p || !(f->flags & F_EMPTY))
			tunnel_id_print(*(const uint32_t *)p, out);
		break;
	case F_CONST:
		return json_string(f->word);
	default: /* F_ENUM */
		word = enum_str(f->names, (int)int_load(p, f->size, true));
		return strcmp(word, "?") ? json_string(word) : NULL;
	}
	return *out || f->flags & F_EMPTY ? json_string(out) : NULL;
}

static json_t *int_encode(const struct field *f, const void *p)
{
	int64_t v = field_int(f, p);

	if (v < 0 || (uint64_t)v < f->min || (uint64_t)v > f->max)
		return NULL;
	return json_integer(v);
}

static json_t *bits_encode(const struct field *f, uint32_t bits)
{
	json_t *j = json_array();

	for (const struct enum_name *w = f->names; j && w->name; w++) {
		if (bits >> w->value & 1 && json_array_append_new(j, json_string(w->name))) {
			json_decref(j);
			return NULL;
		}
	}
	return j;
}

static json_t *words_encode(const struct field *f, const void *base)
{
	size_t n = *(const size_t *)((const char *)base + f->count);
	const char *word = (const char *)base + f->offset;
	json_t *j = n > f->max ? NULL : json_array();

	for (; j && n; n--, word += f->size) {
		if (*word && json_array_append_new(j, text_encode(f, word))) {
			json_decref(j);
			return NULL;
		}
	}
	return j;
}

static json_t *ranges_encode(const struct ranges *r)
{
	json_t *j = json_array();

	for (size_t i = 0; j && i < r->n; i++) {
		json_t *pair = json_pack("[I,I]", (json_int_t)r->v[i].from, (json_int_t)r->v[i].to);

		if (r->v[i].to > CONTENT_SIZE_MAX || json_array_append(j, pair)) {
			json_decref(j);
			j = NULL;
		}
		json_decref(pair);
	}
	return j;
}

static json_t *items_encode(const struct field *f, const void *base)
{
	const char *items = (const char *)base + f->offset;
	size_t n = *(const size_t *)((const char *)base + f->count);
	json_t *j;

	if (n < f->min || n > f->max)
		return NULL;
	if (f->type == F_LIST)
		items = *(char *const *)items;
	j = json_array();
	for (size_t i = 0; j && i < n; i++) {
		if (json_array_append_new(j, object_encode(f->sub, items + i * f->sub->size))) {
			json_decref(j);
			return NULL;
		}
	}
	return j;
}

static json_t *value_encode(const struct field *f, const void *base)
{
	const void *p = (const char *)base + f->offset;

	switch (f->type) {
	case F_NAME:
	case F_ID:
	case F_SHA256:
	case F_STR:
	case F_MEDIA:
	case F_ABSPATH:
		return string_encode(f, p);
	case F_TEXT:
		return text_encode(f, p);
	case F_BOOL:
		return json_boolean(*(const bool *)p);
	case F_INT:
		return int_encode(f, p);
	case F_WORDS:
		return words_encode(f, base);
	case F_BITS:
		return bits_encode(f, *(const uint32_t *)p);
	case F_RANGES:
		return ranges_encode(p);
	case F_OBJECT:
		return object_encode(f->sub, p);
	case F_ARRAY:
	case F_LIST:
		return items_encode(f, base);
	default:
		return word_encode(f, p);
	}
}

/* The value that absence stands for? */
static bool value_is_default(const struct field *f, const void *base)
{
	const void *p = (const char *)base + f->offset;

	if (f->type == F_INT)
		return field_int(f, p) == f->def;
	if (f->type == F_BITS)
		return !*(const uint32_t *)p;
	return !*(const char *)p;
}

static int fields_encode(const struct sapi_schema *s, const void *x, json_t *j)
{
	for (const struct field *f = s->fields; f->name; f++) {
		if (f->type == F_FLAT) {
			if (fields_encode(f->sub, (const char *)x + f->offset, j))
				return -EINVAL;
			continue;
		}
		if (!field_applies(f, x) || (f->flags & F_OMIT && value_is_default(f, x)))
			continue;
		/* A NULL value is refused here, so each encoder may simply return NULL. */
		if (json_object_set_new(j, f->name, value_encode(f, x)))
			return -EINVAL;
	}
	return 0;
}

static json_t *object_encode(const struct sapi_schema *s, const void *x)
{
	json_t *j = json_object();

	if (j && fields_encode(s, x, j)) {
		json_wipe(j);
		json_decref(j);
		return NULL;
	}
	return j;
}

static int on_dump(const char *p, size_t n, void *arg)
{
	return buf_put(arg, p, n);
}

int sapi_encode(const struct sapi_schema *s, const void *in, struct buf *out)
{
	json_t *j;
	int ret;

	if (out->error)
		return out->error;
	j = object_encode(s, in);
	if (!j)
		return -EINVAL;
	ret = json_dump_callback(j, on_dump, out, JSON_COMPACT);
	if (schema_secret(s))
		json_wipe(j);
	json_decref(j);
	if (out->error)
		return out->error;
	return ret ? -ENOMEM : 0;
}

int sapi_pretty(const void *json, size_t len, size_t max, struct buf *out, struct err *e)
{
	json_t *j;
	int ret = json_read(json, len, max, &j, e);

	if (ret)
		return ret;
	ret = json_dump_callback(j, on_dump, out, JSON_INDENT(2) | JSON_ENCODE_ANY);
	json_decref(j);
	if (out->error)
		return err_set(e, out->error, "output: %s", shunt_strerror(out->error));
	return ret ? err_set(e, -ENOMEM, "output: out of memory") : 0;
}
