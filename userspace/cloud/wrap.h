/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wrap: the content of a store job as the encrypted file (lib/age.h) that a file server without an agent gets: the
 * cloud encrypts for the device, whose recipient is in the registry, and cannot read what it has stored
 * (seed: #757-#782).
 *
 * The content lies in the spool as it came; it is encrypted while it is sent. However often it is sent, also by a
 * restarted cloud, it is the same octets: the file key and the file's beginning are in the spool beside the content, and go
 * with it.
 */
#ifndef SHUNT_CLOUD_WRAP_H
#define SHUNT_CLOUD_WRAP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct spool;
struct wrap;

#define WRAP_SUFFIX ".age" /* of the name of a file that is stored so */

/*
 * For the content @fd of job @id, @size octets, which must outlive it, and the recipient @to (its text). Keys are durable on
 * return. 0, -EINVAL: no recipient, or one that nobody can be; -ENOMEM, -EIO, -errno.
 */
int wrap_open(struct spool *spool, const char *id, const char *to, int fd, uint64_t size,
	      struct wrap **out);
void wrap_free(struct wrap *w); /* NULL is allowed */

uint64_t wrap_size(const struct wrap *w);
/* Up to @len octets of the encrypted file from @offset; 0 at its end; -errno. */
ssize_t wrap_read(struct wrap *w, uint64_t offset, void *buf, size_t len);
/* Octets of the content in the first @octets of the file. */
uint64_t wrap_content(const struct wrap *w, uint64_t octets);

#endif
