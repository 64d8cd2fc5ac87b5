/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * argv: a command line from the configuration, turned into arguments without any shell.
 *
 * Words are separated by blanks; '...' and "..." group, and a backslash takes the next character
 * as it is (not within '...'). Then %f, %n, %j and %% are replaced inside each word, so a file name
 * with blanks or quotes stays one argument, whatever it contains.
 */
#ifndef SHUNT_DEVICE_ARGV_H
#define SHUNT_DEVICE_ARGV_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

#define ARGV_MAX 64

struct argv {
	char **v; /* owned; NULL-terminated */
	size_t n;
};

struct argv_values {
	const char *file; /* %f: absolute path of the content, or of a scan to be made */
	const char *
		name; /* %n: the job's name, or the scan's; a '-' that would begin a word becomes '_' */
	const char *job; /* %j: the job's id */
};

/* Split a template. Refuses unknown %x, open quotes, no words, more than ARGV_MAX, and a first
 * word with a placeholder: -SHUNT_ECONF with @e.
 */
int argv_split(const char *text, struct argv *out, struct err *e);
/* Append a word to a template: @literal as it is, else with placeholders, which are known to be right. 0 or -ENOMEM. */
int argv_add(struct argv *template, const char *word, bool literal);
/* Replace placeholders. 0 or -ENOMEM. */
int argv_expand(const struct argv *template, const struct argv_values *values, struct argv *out);
/* Safe on a zeroed one. */
void argv_fini(struct argv *argv);

#endif
