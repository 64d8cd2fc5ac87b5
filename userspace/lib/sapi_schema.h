/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sapi_schema: how a JSON object maps to a C struct. Between sapi.c, which walks these tables, and
 * sapi_tables.c, which holds them; nobody else includes it.
 */
#ifndef SHUNT_LIB_SAPI_SCHEMA_H
#define SHUNT_LIB_SAPI_SCHEMA_H

#include "lib/sapi.h"

enum field_type {
	F_NAME, /* char[NAME_LEN] */
	F_ID, /* char[ID_LEN] */
	F_SHA256, /* char[SHA256_STR_LEN] */
	F_STR, /* char[size]: UTF-8 without control characters, min..size-1 octets */
	F_TEXT, /* char[size]: for people; cut and cleaned, never refused */
	F_MEDIA, /* char[MEDIA_TYPE_LEN] */
	F_ABSPATH, /* as F_STR, begins with "/" */
	F_BOOL, /* bool */
	F_INT, /* unsigned integer of 1, 2, 4 or 8 octets, min..max */
	F_ENUM, /* enum (or bool), words in .names */
	F_WORDS, /* char[max][size] in place, size_t at .count; each as F_TEXT, those that are "" left out */
	F_BITS, /* uint32_t, 1u << value for each word of an array; words in .names */
	F_TIME, /* int64_t wall ms, "" = 0 */
	F_ADDR, /* struct shunt_addr */
	F_ENDPOINT, /* struct shunt_endpoint */
	F_TUNNEL, /* uint32_t SPI as 8 hex digits */
	F_RANGES, /* struct ranges as pairs */
	F_CONST, /* no field: a fixed word, .word */
	F_OBJECT, /* struct, .sub */
	F_FLAT, /* struct whose members stand among ours, .sub */
	F_ARRAY, /* struct[max] in place, size_t at .count, .sub */
	F_LIST, /* pointer to owned structs, size_t at .count, .sub */
};

enum field_flags {
	F_OPT = 1 << 0, /* may be absent: .def (F_INT, F_BOOL) or zero / .word (strings) */
	F_EMPTY = 1 << 1, /* may be "": unset */
	F_OMIT = 1 << 2, /* not encoded while it has the value that absence means */
	F_SECRET = 1 << 3, /* never in an error text; wiped */
};

struct field {
	const char *name;
	enum field_type type;
	unsigned int flags;
	size_t offset, size; /* of the C field */
	size_t count; /* F_ARRAY, F_LIST, F_WORDS: offset of the size_t with the number of items */
	uint64_t min, max; /* value, length, or number of items */
	int64_t def;
	const struct enum_name *names;
	const struct sapi_schema *sub;
	const char *word;
	/* Present if and only if cond_mask has bit (1u << value of the enum or bool at cond). */
	size_t cond, cond_size;
	unsigned int cond_mask; /* 0 = always */
};

struct sapi_schema {
	const struct field *fields; /* ends with a NULL name */
	size_t size; /* of the struct */
	size_t limit; /* bytes of JSON */
	/* What a table cannot say; names the member and the fault in @e. May be NULL. */
	int (*check)(const void *x, struct err *e);
};

#endif
