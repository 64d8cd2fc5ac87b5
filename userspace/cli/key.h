/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * key: tunnel keys from files, never from the command line (other users can read that).
 *
 * A source is "file:PATH" or "-". A file belongs to us or root, is closed to others, and holds
 * either the key's octets or the same in hex digits with white space around. From standard input
 * each "-" takes one line of hex digits. Cipher key first, the 4-octet salt last.
 */
#ifndef SHUNT_CLI_KEY_H
#define SHUNT_CLI_KEY_H

#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * Is @source of one of the two forms? 0 or -EINVAL; never repeats @source, which may be a key by
 * mistake.
 */
int key_source_check(const char *source, struct err *e);

/*
 * Read exactly @len octets (at most 64) into @out. 0, -errno, or -SHUNT_EFIELD for a wrong length
 * or digits; on error @out is wiped. The caller wipes it after use.
 */
int key_read(const char *source, uint8_t *out, size_t len, struct err *e);

#endif
