/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_value: one configuration value between text and the field it belongs to. Between conf.c and
 * conf_value.c; nobody else includes it.
 */
#ifndef SHUNT_LIB_CONF_VALUE_H
#define SHUNT_LIB_CONF_VALUE_H

#include "lib/conf.h"

#include <stdbool.h>

#define CONF_FAULT_MAX 256

bool conf_is_list(const struct conf_row *row);

/*
 * Store the text @s in the field of @row within @out, releasing what was there. 0, -ENOMEM, or
 * -SHUNT_ECONF with @fault saying what is allowed. Not for lists.
 */
int conf_value_set(const struct conf_row *row, void *out, const char *s,
		   char fault[CONF_FAULT_MAX]);

/* Lists: forget all items, append one. */
void conf_value_clear(const struct conf_row *row, void *out);
int conf_value_add(const struct conf_row *row, void *out, const char *s,
		   char fault[CONF_FAULT_MAX]);

/* As it would be written in a file, quoted where needed. False when unset. */
bool conf_value_print(const struct conf_row *row, const void *in, struct buf *out);

/* "duration 100ms..1h", "gateway or cloud": what a key takes. */
void conf_value_describe(const struct conf_row *row, char *out, size_t n);

#endif
