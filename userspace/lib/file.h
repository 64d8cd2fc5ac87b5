/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file: reading and writing descriptors, to the last octet.
 */
#ifndef SHUNT_LIB_FILE_H
#define SHUNT_LIB_FILE_H

#include <stddef.h>
#include <stdint.h>

/* All of @data where the descriptor stands. 0 or -errno; then some of it may have been written. */
int file_write(int fd, const void *data, size_t len);
/* The same at @offset. *@put (may be NULL) is how much of it was written, on error too. */
int file_write_at(int fd, uint64_t offset, const void *data, size_t len, size_t *put);
/* @len octets at @offset. 0; -ENODATA: it ends before them; -errno. */
int file_read_at(int fd, uint64_t offset, void *to, size_t len);

#endif
