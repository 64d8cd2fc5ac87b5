/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf: configuration files, driven by a table.
 *
 * The syntax is libconfuse's: `key = value`, lists `{"a", "b"}`, sections `name { ... }`, comments
 * with # or //. A program describes its keys once (struct conf_row), and gets its struct filled,
 * defaults printed and every error as `FILE:LINE: key: what is wrong, what is allowed`. Unknown
 * keys and keys set twice are errors; a near miss is suggested. This is the only file that knows
 * libconfuse.
 */
#ifndef SHUNT_LIB_CONF_H
#define SHUNT_LIB_CONF_H

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/types.h"

#include <stddef.h>
#include <stdint.h>

enum conf_type { /* field type in the program's struct */
		 CONF_STRING, /* char *, owned; NULL when unset. min/max = length */
		 CONF_PATH, /* char *, owned; absolute, or relative to the working directory */
		 CONF_NAME, /* char *, owned; a party name */
		 CONF_U32, /* uint32_t within min..max */
		 CONF_DURATION, /* uint64_t ms: "250ms", "5s", "10m", "2h", "1d"; bare 0 */
		 CONF_SIZE, /* uint64_t bytes: "4096", "64K", "64M", "2G" (powers of 1024) */
		 CONF_RATE, /* uint64_t bit/s: "0", "800kbit", "40mbit", "1gbit" (powers of 1000) */
		 CONF_ADDR, /* struct shunt_addr */
		 CONF_ENDPOINT, /* struct shunt_endpoint; min = 0 allows port 0, min = 1 does not */
		 CONF_PREFIX, /* struct shunt_prefix */
		 CONF_BOOL, /* bool: true/false, yes/no, on/off */
		 CONF_ENUM, /* int, words from .names */
		 CONF_LIST, /* struct conf_list of strings */
		 CONF_PREFIXES, /* struct conf_prefixes */
};

struct conf_list {
	char **v; /* owned; CONF_LIST_MAX at most */
	size_t n;
};

struct conf_prefixes {
	struct shunt_prefix *v; /* owned */
	size_t n;
};

#define CONF_LIST_MAX 256
#define CONF_FILE_MAX ((size_t)1 << 20) /* bytes */

enum conf_flags {
	CONF_REQUIRED = 1 << 0, /* has no default, must be set */
	CONF_SECRET = 1 << 1, /* conf_print() leaves it out, errors do not quote it */
};

struct conf_row {
	const char *section; /* NULL = top level */
	const char *key; /* NULL ends the table */
	enum conf_type type;
	size_t offset; /* of the field */
	const char *def; /* default as it would be written; lists comma-separated; NULL = unset */
	uint64_t min, max;
	const struct enum_name *names; /* CONF_ENUM */
	unsigned int flags;
	const char *doc; /* one line for people */
};

#define CONF_END                                                                                   \
	{                                                                                          \
		0                                                                                  \
	}
#define CONF_ROW(sec, k, ty, st, m, d, lo, hi, nm, fl, text)                                       \
	{                                                                                          \
		.section = (sec), .key = (k), .type = (ty), .offset = offsetof(st, m), .def = (d), \
		.min = (lo), .max = (hi), .names = (nm), .flags = (fl), .doc = (text)              \
	}
/* In a section. */
#define CONF_SEC_U32(sec, k, type, m, d, lo, hi, text)                                             \
	CONF_ROW(sec, k, CONF_U32, type, m, d, lo, hi, NULL, 0, text)
#define CONF_SEC_ENUM(sec, k, type, m, d, nm, text)                                                \
	CONF_ROW(sec, k, CONF_ENUM, type, m, d, 0, 0, nm, 0, text)
#define CONF_SEC_BOOL(sec, k, type, m, d, text)                                                    \
	CONF_ROW(sec, k, CONF_BOOL, type, m, d, 0, 0, NULL, 0, text)
#define CONF_SEC_RATE(sec, k, type, m, d, text)                                                    \
	CONF_ROW(sec, k, CONF_RATE, type, m, d, 0, UINT64_MAX, NULL, 0, text)
#define CONF_SEC_SIZE(sec, k, type, m, d, text)                                                    \
	CONF_ROW(sec, k, CONF_SIZE, type, m, d, 0, UINT64_MAX, NULL, 0, text)
#define CONF_SEC_DURATION(sec, k, type, m, d, lo, hi, text)                                        \
	CONF_ROW(sec, k, CONF_DURATION, type, m, d, lo, hi, NULL, 0, text)
/* At the top level: CONF_VALUE(CONF_PATH, "ca", struct x, ca, NULL, CONF_REQUIRED, "doc"). */
#define CONF_VALUE(ty, k, type, m, d, fl, text)                                                    \
	CONF_ROW(NULL, k, ty, type, m, d, 0, UINT64_MAX, NULL, fl, text)
#define CONF_RANGE(ty, k, type, m, d, lo, hi, text)                                                \
	CONF_ROW(NULL, k, ty, type, m, d, lo, hi, NULL, 0, text)
#define CONF_WORD(k, type, m, d, nm, text)                                                         \
	CONF_ROW(NULL, k, CONF_ENUM, type, m, d, 0, 0, nm, 0, text)

/*
 * Read @file into @out, of the program's type: first the defaults, then the file, then required
 * keys are checked. Fields without a row are left alone. 0; -SHUNT_ECONF or -errno with @e set, and
 * then @out holds nothing. conf_free() releases what @out owns.
 */
int conf_load(const char *file, const struct conf_row *table, void *out, struct err *e);
/* The same from memory; @name stands for the file in errors. */
int conf_parse(const char *name, const char *text, size_t len, const struct conf_row *table,
	       void *out, struct err *e);
/* Only the defaults (required keys stay unset). */
int conf_defaults(const struct conf_row *table, void *out, struct err *e);
void conf_free(const struct conf_row *table, void *out);

/*
 * Set one key from text as if the file had it (command-line options): "key" or "section.key".
 * Lists are comma-separated and replaced. @out must have been filled by one of the above.
 */
int conf_set(const struct conf_row *table, void *out, const char *key, const char *value,
	     struct err *e);

/*
 * conf_print_defaults(): a commented configuration file, every key with its meaning, range and
 * default, commented out. conf_print(): plain `key = value` lines that conf_parse() reads back.
 */
int conf_print_defaults(const struct conf_row *table, struct buf *out);
int conf_print(const struct conf_row *table, const void *in, struct buf *out);

/*
 * Scalar parsers, for command lines too. 0 or -SHUNT_EPARSE (-ERANGE when too large).
 */
int duration_parse(const char *s, uint64_t *ms);
int size_parse(const char *s, uint64_t *bytes);
int rate_parse(const char *s, uint64_t *bps);
char *duration_print(uint64_t ms, char *out, size_t n);
char *size_print(uint64_t bytes, char *out, size_t n);
char *rate_print(uint64_t bps, char *out, size_t n);

/*
 * A file that holds a secret must be a regular file, owned by us or root, and neither readable nor
 * writable by group and others. 0, -errno, or -SHUNT_ESECRETFILE; @e says which of these and what
 * to do.
 */
int conf_check_secret_file(const char *path, struct err *e);

#endif
