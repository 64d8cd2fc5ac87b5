/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * param: `WORD VALUE` pairs of a command line, driven by a table that fills a struct.
 *
 * Words may come in any order, each at most once. A word that begins with "--" also takes its value
 * as --word=VALUE. Every error names the word, the value and what is allowed.
 */
#ifndef SHUNT_CLI_PARAM_H
#define SHUNT_CLI_PARAM_H

#include <stddef.h>
#include <stdint.h>

#include "cli/cli.h"
#include "lib/types.h"

enum param_type {
	PARAM_FLAG, /* bool, no value */
	PARAM_STRING, /* const char *, points into argv; min..max octets */
	PARAM_U8, /* uint8_t, min..max, decimal or 0x */
	PARAM_U16,
	PARAM_U32,
	PARAM_MS, /* uint32_t milliseconds: 250ms, 20s, 5m; min..max */
	PARAM_SECONDS, /* uint32_t seconds: the same words, whole seconds */
	PARAM_ADDR, /* struct shunt_addr */
	PARAM_ENDPOINT, /* struct shunt_endpoint */
	PARAM_ENUM, /* int-sized enum, words of .names */
	PARAM_CUSTOM, /* .parse */
};

struct param {
	const char *word; /* NULL ends a table */
	enum param_type type;
	size_t offset; /* of the field */
	uint64_t min, max;
	const struct enum_name *names;
	/*
	 * PARAM_CUSTOM: 0, or a negative code with the whole reason in @e; whether that repeats the
	 * value is the function's choice, it may be a secret.
	 */
	int (*parse)(const char *value, void *field, struct err *e);
	uint32_t bit; /* set in *seen */
	bool repeat; /* may be given more than once */
};

#define PARAM(w, ty, st, m, lo, hi, b)                                                             \
	{                                                                                          \
		.word = (w), .type = (ty), .offset = offsetof(st, m), .min = (lo), .max = (hi),    \
		.bit = (b)                                                                         \
	}
#define PARAM_WORDS(w, st, m, nm, b)                                                               \
	{                                                                                          \
		.word = (w), .type = PARAM_ENUM, .offset = offsetof(st, m), .names = (nm),         \
		.bit = (b)                                                                         \
	}
#define PARAM_FUNC(w, st, m, fn, b)                                                                \
	{                                                                                          \
		.word = (w), .type = PARAM_CUSTOM, .offset = offsetof(st, m), .parse = (fn),       \
		.bit = (b)                                                                         \
	}

/*
 * Fill @target from all of @a; global options may stand between the words. *@seen (may be NULL)
 * gets the bits of the words given. One word that is in no row and is not an option is stored in
 * *@bare, unless @bare is NULL. Returns an exit status.
 */
int params_parse(struct cli *c, struct args *a, const struct param *table, void *target,
		 uint32_t *seen, const char **bare);

/* The first word of @needed that is not in @seen, NULL when all are. */
const char *params_missing(const struct param *table, uint32_t needed, uint32_t seen);

/* Unsigned number, decimal or with 0x hexadecimal, at most @max. 0, -SHUNT_EPARSE or -ERANGE. */
int number_parse(const char *s, uint64_t max, uint64_t *out);

#endif
