/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quota: how much may lie in the directory of stored files.
 *
 * What counts is the length of the regular files in the directory itself, whoever put them there; those that are being
 * received (EXPORT_RESERVED) do not, as their jobs claim the whole length of their file, of a sealed one at most what
 * it can be, from the start. A file that a job will replace counts until it is replaced, since both are there for a
 * moment.
 */
#ifndef SHUNT_DEVICE_QUOTA_H
#define SHUNT_DEVICE_QUOTA_H

#include <stdint.h>

#include "lib/err.h"

struct quota;

/* @dirfd must outlive it; @max 0: no quota, nothing is ever counted. 0 or -ENOMEM. */
int quota_new(int dirfd, uint64_t max, struct quota **out);
void quota_free(struct quota *q); /* NULL is allowed */
/* UINT64_MAX without quota. NULL is allowed: no quota. */
uint64_t quota_max(const struct quota *q);

/*
 * Is there room for @size octets beside the files and the @claimed ones of unfinished jobs? 0, -EDQUOT with @e, or
 * -errno. The files are counted when that is first asked, and again before it is denied: others delete, too.
 * NULL is allowed: no quota.
 */
int quota_check(struct quota *q, uint64_t claimed, uint64_t size, struct err *e);
/* A file of @size octets has joined. */
void quota_stored(struct quota *q, uint64_t size);

#endif
