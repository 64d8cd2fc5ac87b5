/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * smbmsg: what shunt-cloud and its shunt-smb say to each other, one message in each packet of a SOCK_SEQPACKET pair.
 *
 *	cloud                                        shunt-smb
 *	START  what to do, where, as whom     ─────▶
 *	put:                                  ◀───── COPIED  as often as what is there is copied a bit further
 *	put, get:                             ◀───── OPENED  how much of the file is there
 *	put:                                  ◀───── OPENED  of 0 octets, if those there proved to be others
 *	                                      ◀───── WANT    a range of the content
 *	       DATA, as often as that needs   ─────▶
 *	                                      ◀───── WROTE   the server has it up to here
 *	get:                                  ◀───── DATA    from where START said to the end
 *	list:                                 ◀───── ENTRY   one for each name
 *	       ABORT  a put takes its temporary file away ─▶
 *	                                      ◀───── DONE    how it ended
 *
 * shunt-smb speaks with a device that may be hostile, and may have been taken over by it: what it says is checked here for its
 * form and by the cloud for its sense, and none of it is text for people. Numbers are big-endian; a string is its length in two
 * octets, that many octets, and a NUL.
 */
#ifndef SHUNT_LIB_SMBMSG_H
#define SHUNT_LIB_SMBMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SMB_DATA_MAX ((size_t)64 << 10) /* octets of content in a message */
#define SMB_WANT_MAX ((uint32_t)1 << 20) /* octets asked for at once */
#define SMB_NAME_MAX 4096 /* octets of a path, with its NUL */
#define SMB_WORD_MAX 256 /* of a name, a password, a share, with the NUL */
#define SMB_MSG_MAX (SMB_DATA_MAX + 64)
#define SMB_SIZE_UNKNOWN UINT64_MAX

#define SMB_FD_CONTROL 3 /* shunt-smb's end of the pair */
#define SMB_FD_SERVER 4 /* its connection with the server, made by the cloud */

enum smb_op { SMB_PUT = 1, SMB_GET, SMB_LIST };

enum smb_kind {
	SMB_START = 1,
	SMB_DATA,
	SMB_ABORT,
	SMB_COPIED,
	SMB_OPENED,
	SMB_WANT,
	SMB_WROTE,
	SMB_ENTRY,
	SMB_DONE,
};

/* What shunt-smb was at when it failed. */
enum smb_step {
	SMB_AT_START = 1, /* nothing was said to the server yet */
	SMB_AT_LOGIN, /* -EPERM: not let in; -EACCES, -ENOENT: of the share */
	SMB_AT_SPACE, /* -ENOSPC: there is not enough */
	SMB_AT_MKDIR,
	SMB_AT_OPEN,
	SMB_AT_VERIFY, /* what is there of it from a try before */
	SMB_AT_READ, /* -ESTALE: the file was changed meanwhile */
	SMB_AT_WRITE,
	SMB_AT_RENAME, /* -EEXIST: there is a file, and it is not to be replaced */
	SMB_AT_LIST,
};

/* Strings point into the message, or to what is to be sent. */
struct smb_start {
	enum smb_op op;
	bool keep; /* put: a file that is there is not replaced */
	uint64_t size; /* put: of the content; get: of what is here a part of */
	/* put: no more of what is there counts; get: where to begin, if the file is of that size and time, else at 0 */
	uint64_t offset;
	int64_t mtime; /* get */
	const char *share, *dir; /* dir: below the share, "" or with slashes between */
	const char *name; /* below dir, smb_name_ok(); list: "" is dir itself */
	const char *tag; /* put: makes the temporary name unique */
	const char *user, *password; /* "": nobody in particular; user may be DOMAIN\NAME */
};

struct smb_msg {
	enum smb_kind kind;
	union {
		struct smb_start start;
		struct {
			uint64_t offset;
			const void *p;
			size_t len; /* 1 to SMB_DATA_MAX */
		} data;
		struct {
			uint64_t size; /* put: of what is there and is gone on with; get: of the file */
			int64_t mtime; /* get: of the file, in nanoseconds since 1970 */
		} opened;
		struct {
			uint64_t offset;
			uint32_t len; /* 1 to SMB_WANT_MAX */
		} want;
		uint64_t wrote; /* COPIED and WROTE: octets, more than the last time */
		struct {
			bool dir;
			uint64_t size;
			int64_t mtime;
			const char *name; /* one segment */
		} entry;
		struct {
			enum smb_step step;
			int error; /* 0: all is well; else an errno, negated */
			bool broken; /* the connection with the server is no more */
			uint64_t room; /* SMB_AT_SPACE: octets that are free; SMB_AT_LIST: entries not told */
		} done;
	};
};

/* How many octets of @buf the message takes; -EMSGSIZE: more than @size, or than a message may. */
ssize_t smb_msg_encode(const struct smb_msg *msg, void *buf, size_t size);
/* The message that the @len octets are, all of it valid in form; it points into them. 0 or -SHUNT_EPARSE. */
int smb_msg_decode(const void *buf, size_t len, struct smb_msg *out);

/*
 * A path below a share: UTF-8, segments that are neither empty nor "." or "..", without what MS-FSCC 2.1.5 reserves.
 * So it means the same file to every server, and never a stream or a device.
 */
bool smb_name_ok(const char *name);
/* "/share/dir" of the registry: a share, at most SMB_WORD_MAX with the NUL, and what follows it. False: it is none. */
bool smb_path_split(const char *path, char share[SMB_WORD_MAX], const char **dir);

/* Would another try end in the same way? */
bool smb_error_stands(enum smb_step step, int error);

#endif
