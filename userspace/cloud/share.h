/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * share: what the cloud asks of a file server without an agent, through a tunnel (seed: #757-#777), whatever the server
 * speaks. fileserver.c asks; webdav.c answers for the registry's service "webdav", smb.c for "smb". Another protocol is one more struct
 * share_protocol, in share.c's table.
 *
 * A call is one file put, one file got, or one directory listed. It ends with exactly one on_done, from the loop and
 * never from within a function of this header, and is freed after that returns. Whatever the server does, a call takes
 * bounded memory, and a bounded time in which nothing moves (SHARE_STALL_S).
 *
 * Of what on_done is told:
 *
 *	err	code		@fatal	what
 *	0	""			done; the file is in its place, all of it has come, all entries were told
 *	-ECANCELED canceled		after share_abort(), and only then
 *	other	connect-failed	no	nobody listens
 *		no-tls		no	TLS is not what the server does there
 *		no-answer	no	the connection broke, or nothing came for too long
 *		out-of-memory	no
 *		bad-certificate	yes	the server's certificate is none of the CA's, or not of the pinned key
 *		login-refused	yes	a name and password are wanted, or others than the registry's device has
 *		not-allowed	yes	this user may not do that
 *		not-found	yes	the file, or a directory on the way, is not there
 *		no-room		yes	no space, or no quota, for the file
 *		exists		yes	the file is there already, and must not be replaced
 *		is-directory	yes	a directory where a file is asked for
 *		not-directory	yes	a file where a directory is to be listed
 *		no-length	yes	the server does not say how long the file is
 *		content-changed	no	the file is another than when its content began to come: start over
 *		bad-answer	yes	what the server says cannot be what it means
 *		too-many	yes	more entries, or longer ones, than are taken
 *	whatever on_file, write, on_entry or read returned: "spool-failed", not fatal
 *
 * and a protocol's own, where none of these fits: "http-NNN", fatal as another try makes sense or not. The text is a
 * sentence for people that begins with what was asked.
 */
#ifndef SHUNT_CLOUD_SHARE_H
#define SHUNT_CLOUD_SHARE_H

#include "lib/addr.h"
#include "lib/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct http;
struct loop;
struct sapi_device;
struct sapi_service;
struct share_protocol;

#define SHARE_STALL_S 60 /* content of which nothing moves for so long has failed */
#define SHARE_REQUEST_MS 60000 /* anything but content */
#define SHARE_PROGRESS_MS 200
#define SHARE_VERSION_LEN 256 /* with NUL */
#define SHARE_ENTRIES_MAX 20000
#define SHARE_ENTRY_NAME_MAX 1024 /* octets */
#define SHARE_DIR_MAX 1024 /* octets of the name of a directory to list */

/* The share, and who asks; strings are copied where they are needed for longer than the call that begins. */
struct share_conf {
	struct loop *loop;
	struct http *http; /* of protocols that are carried by it */
	struct shunt_addr address, source; /* source: local address; unset: any */
	uint16_t port;
	bool tls;
	const char *base; /* of the registry: the path of the share, "/", "/files" */
	const char *user, *password; /* NULL: none; wiped when the call is freed */
	const char *device, *pin; /* see struct http_target; NULL: none */
	const char *smb_helper; /* of the protocol "smb": path of shunt-smb */
};

/* A begun call; a protocol's own struct begins with it. */
struct share_call {
	const struct share_protocol *protocol;
};

/* One file to be put. */
struct share_put {
	const char *name; /* below the base; share_name_ok() */
	const char *tag; /* of the job: makes the temporary name ".shunt-TAG.part" its own */
	uint64_t size;
	bool clobber; /* a file of that name is replaced; else "exists" */
	bool whole; /* on_whole was called in an earlier try */
	bool tried; /* this server is known to put pieces together; else that is found out, where it matters */
	/* So many octets from the start were told as arrived, or more: no more are taken for there. */
	uint64_t delivered;
};

/* One file to be got. */
struct share_get {
	const char *name;
	/*
	 * What is here of it: octets [0, from), of @version and @size; from 0: nothing. on_file tells what the
	 * server makes of it.
	 */
	uint64_t from, size;
	const char *version;
};

/* What there is to know of a file that is about to come. */
struct share_file {
	uint64_t size;
	/*
	 * Names the content: two that are equal are of the same octets. "" if the server has no such name, so that
	 * nothing can be resumed. WebDAV: a strong entity tag (RFC 9110 8.8.1).
	 */
	const char *version;
	const char *type; /* media type, "" */
	/* Content comes from here on: share_get's @from if it is still the same file, else 0. */
	uint64_t from;
};

/* One entry of a directory, never the directory itself, "." or "..". */
struct share_entry {
	const char *name; /* share_name_ok() without "/", 1 to SHARE_ENTRY_NAME_MAX octets */
	bool directory;
	uint64_t size; /* of a file; CONTENT_SIZE_UNKNOWN: not told */
	int64_t modified; /* wall ms; INT64_MIN: not told */
	const char *version; /* as of struct share_file, "" */
};

/*
 * Callbacks; @arg is the one that the call began with. Those that a kind of call does not use may be NULL, and so may
 * on_progress, on_wire and on_event. Only on_done may free calls or begin others.
 */
struct share_ops {
	/* ---- put ---- */
	/* The octets to store: up to @len from @offset, at least one before the end; -errno ends the call. */
	ssize_t (*read)(uint64_t offset, void *buf, size_t len, void *arg);
	/*
	 * Octets [from, to) are being sent. One that resumes begins where it does, with no word on those before:
	 * what was on the wire before and is sent again is the caller's to count.
	 */
	void (*on_wire)(uint64_t from, uint64_t to, void *arg);
	/* So many octets from the start have arrived: there, at least at the server's TCP; of a get here. */
	void (*on_progress)(uint64_t octets, void *arg);
	/* The server does not put pieces together: all of it is sent at once. May be NULL. */
	void (*on_whole)(void *arg);
	/* ---- get ---- */
	/*
	 * Before write, unless all of it is here already; once more where its content has to begin anew. 0, or
	 * -errno to end the call.
	 */
	int (*on_file)(const struct share_file *file, void *arg);
	/* The next octets, from share_file's @from on without gap to the size: 0, or -errno to end the call. */
	int (*write)(uint64_t offset, const void *data, size_t len, void *arg);
	/* ---- list ---- */
	/* In whichever order: 0, or -errno to end the call. */
	int (*on_entry)(const struct share_entry *entry, void *arg);
	/* ---- all ---- */
	/*
	 * Something for the job's timeline: "put-resumed", "put-restarted" and what else a protocol has to tell.
	 * @event and @reason (or "") are kebab-case words, @text a sentence.
	 */
	void (*on_event)(const char *event, const char *reason, const char *text, void *arg);
	void (*on_done)(int err, bool fatal, const char *code, const char *text, void *arg);
};

/*
 * What a protocol does. The functions begin a call and return 0; -EINVAL or -ENAMETOOLONG: it has no such name (the job
 * fails as "bad-name"); -ENOMEM, -errno: another try may do. @what, its strings and @conf live during that call only.
 *
 * put: the content goes to the temporary name beside its place and is then moved there at once, so that nobody ever sees
 * half a file; directories on the way are made. A server that says that it has no room is sent none of it. What an
 * earlier try of the same tag and size left under that name is gone on with where that is certain to give the same
 * file, else written anew. Unless @clobber the move must not replace a file, also one that came meanwhile; and one
 * that is there is noticed before content is sent.
 *
 * get: octets that have come are not asked for again as long as the version is the same. At the end the version is
 * compared once more; a file that was changed while it came is "content-changed".
 *
 * list: @name is the directory below the base, "" the base itself; one level of it.
 */
struct share_protocol {
	enum service_kind kind; /* by which the registry's services choose it */
	int (*put)(const struct share_conf *conf, const struct share_put *what,
		   const struct share_ops *ops, void *arg, struct share_call **out);
	int (*get)(const struct share_conf *conf, const struct share_get *what,
		   const struct share_ops *ops, void *arg, struct share_call **out);
	int (*list)(const struct share_conf *conf, const char *name, const struct share_ops *ops,
		    void *arg, struct share_call **out);
	/* End soon; a put takes its temporary file away again. on_done follows. */
	void (*abort)(struct share_call *call);
	/* Forget it at once, without on_done, leaving things as they are. */
	void (*free)(struct share_call *call);
};

/* That of services of @kind; NULL: there is none. */
const struct share_protocol *share_protocol(enum service_kind kind);
/* The first of the services of @dev that has one, or NULL. */
const struct sapi_service *share_service(const struct sapi_device *dev);
/* A relative path without empty, "." and ".." segments, control characters and "\\", which some servers take for "/". */
bool share_name_ok(const char *name);

void share_abort(struct share_call *call);
void share_free(struct share_call *call); /* NULL is allowed */

#endif
