// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/param.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/conf.h"

int number_parse(const char *s, uint64_t max, uint64_t *out)
{
	unsigned long long v;
	char *end;

	if (s[0] != '0' || (s[1] != 'x' && s[1] != 'X'))
		return u64_parse(s, max, out);
	if (!isxdigit((unsigned char)s[2]))
		return -SHUNT_EPARSE;
	errno = 0;
	v = strtoull(s, &end, 16);
	if (*end)
		return -SHUNT_EPARSE;
	if (errno || v > max)
		return -ERANGE;
	*out = v;
	return 0;
}

static int store_number(const struct param *p, const char *value, void *field, struct err *e)
{
	uint64_t v;

	if (number_parse(value, p->max, &v) || v < p->min)
		return err_set(e, -EINVAL, "%" PRIu64 " to %" PRIu64, p->min, p->max);
	if (p->type == PARAM_U8)
		*(uint8_t *)field = (uint8_t)v;
	else if (p->type == PARAM_U16)
		*(uint16_t *)field = (uint16_t)v;
	else
		*(uint32_t *)field = (uint32_t)v;
	return 0;
}

static int store_duration(const struct param *p, const char *value, void *field, struct err *e)
{
	uint64_t unit = p->type == PARAM_MS ? 1 : 1000, ms;
	char low[32], high[32];

	if (duration_parse(value, &ms) || ms % unit || ms / unit < p->min || ms / unit > p->max)
		return err_set(e, -EINVAL, "%s to %s, such as 250ms, 20s, 5m%s",
			       duration_print(p->min * unit, low, sizeof(low)),
			       duration_print(p->max * unit, high, sizeof(high)),
			       unit > 1 ? " (whole seconds)" : "");
	*(uint32_t *)field = (uint32_t)(ms / unit);
	return 0;
}

/* On error the text in @e is what would be allowed. */
static int store(const struct param *p, const char *value, void *field, struct err *e)
{
	char list[256];

	switch (p->type) {
	case PARAM_FLAG:
		*(bool *)field = true;
		return 0;
	case PARAM_STRING:
		if (strlen(value) < p->min || strlen(value) > p->max)
			return err_set(e, -EINVAL, "%" PRIu64 " to %" PRIu64 " octets", p->min,
				       p->max);
		*(const char **)field = value;
		return 0;
	case PARAM_U8:
	case PARAM_U16:
	case PARAM_U32:
		return store_number(p, value, field, e);
	case PARAM_MS:
	case PARAM_SECONDS:
		return store_duration(p, value, field, e);
	case PARAM_ADDR:
		if (addr_parse(value, field))
			return err_set(e, -EINVAL, "an IPv4 or IPv6 address");
		return 0;
	case PARAM_ENDPOINT:
		if (endpoint_parse(value, field))
			return err_set(e, -EINVAL, "ADDRESS:PORT or [IPV6]:PORT");
		return 0;
	case PARAM_ENUM:
		if (enum_parse(p->names, value, field))
			return err_set(e, -EINVAL, "%s", enum_list(p->names, list, sizeof(list)));
		return 0;
	case PARAM_CUSTOM:
		return p->parse(value, field, e);
	}
	return -EINVAL;
}

/*
 * Row whose word is @word or, for --word=VALUE, its part before '='; *@value is set to what
 * follows.
 */
static const struct param *lookup(const struct param *table, const char *word, const char **value)
{
	size_t n = strlen(word);

	*value = NULL;
	if (!strncmp(word, "--", 2)) {
		n = strcspn(word, "=");
		*value = word[n] ? word + n + 1 : NULL;
	}
	for (; table->word; table++)
		if (strlen(table->word) == n && !strncmp(table->word, word, n))
			return table;
	return NULL;
}

static int unknown(struct cli *c, const struct param *table, const char *word)
{
	struct buf words = BUF_INIT;
	int ret;

	for (; table->word; table++)
		buf_printf(&words, "%s%s", words.len ? ", " : "", table->word);
	ret = cli_usage(c, "\"%s\" is not expected here; allowed: %s", word, buf_str(&words));
	buf_fini(&words);
	return ret;
}

int params_parse(struct cli *c, struct args *a, const struct param *table, void *target,
		 uint32_t *seen, const char **bare)
{
	const struct param *row;
	const char *word, *value;
	uint64_t rows = 0, bit;
	struct err why = { 0 };
	int option;

	if (seen)
		*seen = 0;
	while ((word = args_peek(a))) {
		row = lookup(table, word, &value);
		option = row ? 0 : cli_option(c, a);
		if (option < 0)
			return CLI_USAGE;
		if (option)
			continue;
		args_next(a);
		if (!row && bare && !*bare && (word[0] != '-' || !word[1])) {
			*bare = word;
			continue;
		}
		if (!row)
			return unknown(c, table, word);
		bit = 1ull << (row - table);
		if ((rows & bit) && !row->repeat)
			return cli_usage(c, "%s is given twice", row->word);
		rows |= bit;
		if (row->type == PARAM_FLAG && value)
			return cli_usage(c, "%s takes no value", row->word);
		if (row->type != PARAM_FLAG && !value)
			value = args_next(a);
		if (row->type != PARAM_FLAG && !value)
			return cli_usage(c, "%s needs a value", row->word);
		if (!store(row, value, (char *)target + row->offset, &why)) {
			if (seen)
				*seen |= row->bit;
			continue;
		}
		if (row->type == PARAM_CUSTOM)
			return cli_usage(c, "%s: %s", row->word, err_text(&why));
		return cli_usage(c, "%s \"%s\": allowed is %s", row->word, value, err_text(&why));
	}
	return CLI_OK;
}

const char *params_missing(const struct param *table, uint32_t needed, uint32_t seen)
{
	for (; table->word; table++)
		if (table->bit & needed & ~seen)
			return table->word;
	return NULL;
}
