// SPDX-License-Identifier: GPL-2.0-or-later

#include "lib/h2_route.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

char *h2_percent_decode(const char *in, size_t len, int plus)
{
	char *out = malloc(len + 1);
	size_t i, n = 0;

	if (!out)
		return NULL;
	for (i = 0; i < len; i++) {
		char c = in[i];

		if (c == '%') {
			int hi = len - i > 2 ? hex_digit(in[i + 1]) : -1;
			int lo = len - i > 2 ? hex_digit(in[i + 2]) : -1;

			/* %00 would cut the string for whoever reads it next. */
			if (hi < 0 || lo < 0 || (hi == 0 && lo == 0)) {
				free(out);
				errno = EINVAL;
				return NULL;
			}
			c = (char)(hi << 4 | lo);
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		out[n++] = c;
	}
	out[n] = '\0';
	return out;
}

static size_t segment_len(const char *s)
{
	return strcspn(s, "/");
}

/* Does @path have the form of @pattern? Compares segment by segment; nothing is decoded yet. */
static bool pattern_fits(const char *pattern, const char *path)
{
	for (;;) {
		size_t want = segment_len(pattern), have = segment_len(path);

		if (want && pattern[0] == '{') {
			if (!have)
				return false;
		} else if (want != have || memcmp(pattern, path, want)) {
			return false;
		}
		pattern += want;
		path += have;
		if (*pattern != *path)
			return false;
		if (!*pattern)
			return true;
		pattern++;
		path++;
	}
}

/* Pattern and path are known to fit. */
static int take_params(const char *pattern, const char *path, struct h2_match *match)
{
	for (;;) {
		size_t want = segment_len(pattern), have = segment_len(path);

		if (want > 2 && pattern[0] == '{' && match->params < H2_PARAMS_MAX) {
			char *value = h2_percent_decode(path, have, 0);

			if (!value && errno == ENOMEM)
				return -ENOMEM;
			if (!value) {
				match->status = 400;
				return 0;
			}
			match->param[match->params].name = pattern + 1;
			match->param[match->params].name_len = want - 2;
			match->param[match->params].value = value;
			match->params++;
		}
		pattern += want;
		path += have;
		if (!*pattern)
			return 0;
		pattern++;
		path++;
	}
}

static void add_allowed(struct h2_match *match, const char *method)
{
	size_t len = strlen(match->allow);

	if (strstr(match->allow, method))
		return;
	snprintf(match->allow + len, sizeof(match->allow) - len, "%s%s", len ? ", " : "", method);
}

int h2_match(const struct h2_router *router, const char *method, const char *path, uint32_t roles,
	     struct h2_match *match)
{
	const char *looked_up = strcmp(method, "HEAD") ? method : "GET";
	size_t i;

	memset(match, 0, sizeof(*match));
	match->status = 404;
	for (i = 0; router && i < router->count; i++) {
		const struct h2_route *route = &router->routes[i];

		if (!pattern_fits(route->pattern, path))
			continue;
		if (strcmp(route->method, looked_up)) {
			add_allowed(match, route->method);
			match->status = 405;
			continue;
		}
		if (route->roles && !(route->roles & roles)) {
			match->status = 403;
			return 0;
		}
		match->route = route;
		match->status = 0;
		return take_params(route->pattern, path, match);
	}
	return 0;
}

void h2_match_fini(struct h2_match *match)
{
	size_t i;

	for (i = 0; i < match->params; i++)
		free(match->param[i].value);
	match->params = 0;
}
