/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * credentials: names and passwords for devices' own servers, from a file that only its owner can read.
 *
 * A line is "DEVICE NAME PASSWORD", cut at blanks; the password goes on to the end of the line and may hold blanks
 * inside. Empty lines and those that begin with "#" say nothing. A device has one line. No message shows more of a
 * line than its number and, if it has a valid one, its device.
 */
#ifndef SHUNT_CLOUD_CREDENTIALS_H
#define SHUNT_CLOUD_CREDENTIALS_H

#include <stddef.h>

struct credentials;
struct err;

#define CREDENTIALS_FILE_MAX ((size_t)1 << 20) /* octets */
#define CREDENTIALS_MAX 10000 /* devices */
#define CREDENTIALS_WORD_MAX 255 /* octets of a name, and of a password */

/* 0, -SHUNT_EPARSE: a line is none, as @e says with its number; -ENOMEM. @text stays the caller's to wipe. */
int credentials_parse(const char *text, size_t len, struct credentials **out, struct err *e);
/* The same of a file that conf_check_secret_file() lets pass; its errors, -EFBIG, -errno. */
int credentials_load(const char *file, struct credentials **out, struct err *e);
void credentials_free(struct credentials *c); /* wiped; NULL is allowed */

struct credentials_entry {
	const char *device, *name, *password;
};

/* Those of @device, valid as long as @c; NULL: none, as in a @c that is NULL. */
const struct credentials_entry *credentials_find(const struct credentials *c, const char *device);

#endif
