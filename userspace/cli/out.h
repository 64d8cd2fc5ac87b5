/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * out: what a command prints, as text or as JSON, from one call.
 *
 * Every value has a JSON key and a printf format for text. A NULL key leaves the value out of JSON,
 * a NULL format leaves it out of text, so that both forms stay readable without two code paths.
 *
 * Strings may come from a remote: in text, control characters (terminal escapes) appear as \xNN; in
 * JSON they are escaped and invalid UTF-8 becomes U+FFFD. Nothing is returned per call; the first
 * write error sticks and out_free() reports it.
 */
#ifndef SHUNT_CLI_OUT_H
#define SHUNT_CLI_OUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define OUT_JSON 1u /* JSON instead of text */
#define OUT_PRETTY 2u /* JSON indented, one member a line */
#define OUT_DEPTH_MAX 16 /* nesting of lists and objects; deeper is a programming error (assert) */

struct out;

/*
 * Write to @f, which stays the caller's. Returns NULL when out of memory. out_free() closes what is
 * still open, flushes and returns 0 or the -errno of the first failed write.
 */
struct out *out_new(FILE *f, unsigned int flags);
int out_free(struct out *o);

/* Change the form; only before anything was written. */
void out_set_flags(struct out *o, unsigned int flags);
bool out_is_json(const struct out *o);

/*
 * Lists and objects; they exist in JSON only. @key is NULL at the top and inside a list. A value
 * that ends at the top level is followed by a newline and flushed: a stream of them is ndjson.
 */
void out_list_begin(struct out *o, const char *key);
void out_list_end(struct out *o);
void out_obj_begin(struct out *o, const char *key);
void out_obj_end(struct out *o);

/* Values. @fmt is a literal with exactly one conversion: %s, PRIu64, %s ("true" or "false"). */
void out_str(struct out *o, const char *key, const char *fmt, const char *v);
void out_uint(struct out *o, const char *key, const char *fmt, uint64_t v);
void out_bool(struct out *o, const char *key, const char *fmt, bool v);

/*
 * JSON text that exists already, as one value; must be well-formed and without line breaks unless
 * indented.
 */
void out_json(struct out *o, const char *json, size_t len);

/*
 * Text that JSON does not have: separators, newlines, headings. Escaped like out_str(), but keeps
 * \n, \t.
 */
void out_text(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Push what was written to the reader, e.g. after each event. */
void out_flush(struct out *o);

#endif
