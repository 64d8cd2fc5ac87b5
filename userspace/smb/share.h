/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * share: files of a share of an SMB server ([MS-SMB2]), over outlet.h's connection. The only owner of libsmbclient, whose calls
 * block.
 *
 * SMB 2.0.2 or later. With a password every message is signed, and encrypted if the server can; a session that the server
 * makes a guest's is none. Without, it is an anonymous one, of SMB 2.1 at most. What other programs are configured to do (smb.conf) has no say.
 * Paths are below the share, smb_name_ok(), "" is the share itself. All return 0 or -errno, libsmbclient's.
 */
#ifndef SHUNT_SMB_SHARE_H
#define SHUNT_SMB_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/err.h"

struct share;
struct share_file;

#define SHARE_TIMEOUT_MS 50000 /* for the answer to one request */
#define SHARE_ROOM_UNKNOWN UINT64_MAX

/* Sets libsmbclient up, once in a process; needs a directory for temporary files for that moment. Nothing is said to a server. */
int share_new(const char *name, const char *user, const char *password, struct share **out,
	      struct err *e);
/* Takes part of its connection, too. NULL is allowed. */
void share_free(struct share *s);

/*
 * Begin a session and get at the share; the others do it by themselves, but this tells why not: -EPERM: the session was refused
 * (or could not be signed); -EACCES, -ENOENT: the share was.
 */
int share_login(struct share *s);

struct share_stat {
	bool dir;
	uint64_t size;
	int64_t mtime; /* ns since 1970 */
};

int share_stat(struct share *s, const char *path, struct share_stat *out);
/* Octets that are free for us where @path, a directory, is. */
int share_room(struct share *s, const char *path, uint64_t *out);
int share_mkdir(struct share *s, const char *path);
int share_unlink(struct share *s, const char *path);
/* Leave nothing in a file, also of one that others have open. */
int share_empty(struct share *s, const char *path);
/*
 * A file that is at @to is replaced: libsmbclient removes it first then, so that for one round trip there is none of that name.
 */
int share_rename(struct share *s, const char *from, const char *to);
/* Each entry of @path, until @entry returns other than 0, which is returned. */
int share_list(struct share *s, const char *path,
	       int (*entry)(const char *name, const struct share_stat *st, void *arg), void *arg);

enum share_use {
	/*
	 * Nobody writes it as long as it is open here; -EBUSY if somebody has it open for that. Servers tell the time of the last
	 * change when the writer closes the file, or later than it was: so that of one that is open for writing proves nothing.
	 */
	SHARE_READ,
	SHARE_LOOK, /* for reading, whoever else has it open */
	/* made when it does not exist; -EBUSY as above, be it the server's end of a connection that is no more */
	SHARE_WRITE,
};

int share_open(struct share *s, const char *path, enum share_use use, struct share_file **out);
int share_close(struct share_file *f); /* freed in any case */
int share_fstat(struct share_file *f, struct share_stat *out);
int share_truncate(struct share_file *f, uint64_t size);
/*
 * The first @len octets of @from to the beginning of @to, at the server if it can. @progress is called in between, with how many there
 * are; other than 0 ends it.
 */
int share_copy(struct share_file *from, struct share_file *to, uint64_t len,
	       int (*progress)(uint64_t octets, void *arg), void *arg);
/* All of @len octets at @offset; reading: as many as there are until the end. */
ssize_t share_read(struct share_file *f, uint64_t offset, void *buf, size_t len);
int share_write(struct share_file *f, uint64_t offset, const void *buf, size_t len);

#endif
